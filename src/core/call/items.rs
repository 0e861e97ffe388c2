//! What crosses the core's walls: encoded media in and out, and orders to those who make it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use intercom_base::sound::OpusPacket;
use intercom_base::units::Bitrate;

use crate::devices::doctor::Finding;
use crate::people::register::Role;
use crate::tv::notices::Notices;

/// Numbers visits since the start of the process; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VisitId(pub u64);

/// One of home's video encoders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EncoderName {
    /// For the best path, and for all that are like it; a camera's own H.264 can take its place.
    First,
    /// For paths in between.
    Second,
    /// For the thinnest.
    Third,
    /// For viewers in the preview: nothing but light and movement.
    Frosted,
}

impl EncoderName {
    /// All of them.
    pub const ALL: [EncoderName; 4] =
        [EncoderName::First, EncoderName::Second, EncoderName::Third, EncoderName::Frosted];

    /// Its place in [`EncoderName::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

/// One frame out of a video encoder.
#[derive(Clone, Debug)]
pub struct EncodedVideo {
    /// The encoder that it comes from.
    pub encoder: EncoderName,
    /// It has the size that home's picture has on a wide path.
    pub full: bool,
    /// An H.264 access unit in Annex B form; keyframes with SPS and PPS in front.
    pub data: Arc<[u8]>,
    /// Whether a decoder can start here (IDR).
    pub keyframe: bool,
    /// When the camera saw it.
    pub captured: Instant,
    /// When the encoder took the raw frame and when it was done, for the stage table.
    pub encode_began: Instant,
    /// See `encode_began`.
    pub encoded: Instant,
}

/// Whose ears a packet of sound is for: nobody is to hear their own voice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipients {
    /// Everybody but these, who have packets of their own.
    AllBut(Arc<[VisitId]>),
    /// This one.
    Only(VisitId),
}

impl Recipients {
    /// Whether it is for this one.
    pub fn include(&self, visit: VisitId) -> bool {
        match self {
            Recipients::AllBut(others) => !others.contains(&visit),
            Recipients::Only(one) => *one == visit,
        }
    }
}

/// One packet out of an Opus encoder: 20 ms.
#[derive(Clone, Debug)]
pub struct EncodedAudio {
    /// Who is to hear it.
    pub to: Recipients,
    /// The Opus packet (RFC 6716).
    pub data: Arc<[u8]>,
    /// When its first sample was heard.
    pub captured: Instant,
    /// Samples since the encoder's start, the base of the RTP time; gaps in time are gaps here.
    pub sample: u64,
}

/// What a viewer says, for home's speaker and for the other viewers.
#[derive(Clone, Debug)]
pub enum AudioIn {
    /// A packet of this viewer's.
    Packet(VisitId, OpusPacket),
    /// This viewer is gone.
    Gone(VisitId),
}

/// What the event loop hands to the speaker thread.
#[derive(Clone, Debug)]
pub enum ToSpeaker {
    /// What a viewer says.
    AudioIn(AudioIn),
    /// A chime, mono at 48 kHz and as loud as it shall be.
    Chime(Arc<[i16]>),
}

/// An access unit of a viewer's camera, for the picture thread (H.264 decoders).
#[derive(Clone, Debug)]
pub struct ViewerFrame {
    /// Whose.
    pub visit: VisitId,
    /// The access unit, Annex B.
    pub data: Arc<[u8]>,
    /// Whether a decoder can start here.
    pub keyframe: bool,
    /// Frames were lost before this one: nothing but a keyframe can be decoded.
    pub gap: bool,
    /// When its last packet came in.
    pub arrived: Instant,
}

/// Numbers the exchanges of a token for a key; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExchangeId(pub u64);

/// For whom a key is minted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum For {
    /// Somebody new, who came with a code on the TV. The first of all is an owner, whatever the role.
    Newcomer {
        /// What home calls them.
        name: Option<String>,
        /// What they may do.
        role: Role,
    },
    /// The person of this number, who opened their link.
    Person(u64),
    /// The person of this number, who came with a code on the TV.
    Device(u64),
}

/// A one-use link that the TV shows as a QR code.
#[derive(Clone, PartialEq, Eq)]
pub struct PairingCode {
    /// What the phone opens.
    pub link: String,
    /// From then on it is worthless.
    pub until: Instant,
    /// Somebody wanted it, so it is shown in a visit, too; one that waits for a home's first phone covers nobody's face.
    pub asked: bool,
    /// What anyone may do who comes with it.
    pub role: Role,
}

impl std::fmt::Debug for PairingCode {
    /// The link lets people in, and does not go into logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PairingCode").field("until", &self.until).finish_non_exhaustive()
    }
}

/// A viewer as the TV needs to know them.
#[derive(Clone, Debug, PartialEq)]
pub struct ViewerInfo {
    /// Which visit.
    pub visit: VisitId,
    /// What home calls the viewer, if it was told.
    pub name: Option<Arc<str>>,
    /// When it began.
    pub since: Instant,
    /// The viewer's camera is on.
    pub camera: bool,
    /// The viewer's microphone is on.
    pub microphone: bool,
    /// Media flows now; false while connecting or reconnecting.
    pub connected: bool,
}

/// What happens at home's door, as the TV needs to know it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Door {
    /// Who waits, in the order of their coming.
    pub knocks: Vec<Knock>,
    /// Home has drawn the curtain: its picture and sound go to nobody.
    pub curtain: bool,
    /// Home has quiet hours.
    pub resting: bool,
    /// What people at home should know, while it is new.
    pub news: Option<News>,
}

/// Somebody who is not inside yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Knock {
    /// Which visit.
    pub visit: VisitId,
    /// What home calls them.
    pub name: Option<Arc<str>>,
    /// Then it is over: the knock unanswered, or the preview ends and they are inside.
    pub until: Instant,
    /// They see the frosted picture, and come in by themselves.
    pub preview: bool,
}

/// A change of who may do what.
#[derive(Clone, Debug, PartialEq)]
pub struct News {
    /// What it is.
    pub what: NewsKind,
    /// Who it is about.
    pub name: Option<Arc<str>>,
    /// It is told until then.
    pub until: Instant,
}

/// See [`News`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewsKind {
    /// Somebody has a device more that may come in.
    Device,
    /// Somebody is an owner from now on.
    Owner,
    /// What somebody may do was changed.
    Rights,
    /// Somebody may not come in any more.
    Removed,
    /// Somebody knocked, and nobody answered.
    Missed,
    /// Home calls somebody; everybody, if there is no name.
    Calling,
    /// Somebody answered home's call.
    Answered,
    /// Nobody did.
    NotAnswered,
    /// An owner has set something of home; nobody is named.
    House,
}

/// How home is, as it looked at itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkup {
    /// What is wrong, and what is good to know.
    pub findings: Vec<Finding>,
    /// What the TV has to tell.
    pub notices: Notices,
}

/// Home's call, for what the shell tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallOut {
    /// The home's name.
    pub home: String,
    /// Whom it calls; `None`: everybody.
    pub person: Option<u64>,
    /// What home calls them.
    pub name: Option<String>,
    /// When, UTC since 1970.
    pub unix: Duration,
}

/// What the event loop orders of the Opus encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Speech {
    /// What it may spend.
    pub bitrate: Bitrate,
    /// Packets of a hundred that get lost: as much redundancy is worth it.
    pub loss_percent: u8,
}

/// What the event loop orders of an encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncoderOrder {
    /// Encode, at this bitrate.
    Run(Bitrate),
    /// Make the next frame a keyframe, at once.
    Keyframe,
    /// Nobody looks: stop encoding.
    Stop,
}
