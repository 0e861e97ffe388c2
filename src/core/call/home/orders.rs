//! What the home is told, what it orders, and why it wants to be called.

use intercom_base::language::Language;
use intercom_base::settings::{PublicAddress, Rung};
use intercom_base::units::Bitrate;

use crate::call::chimes::Chime;
use crate::call::home::SocketId;
use crate::call::house::House;
use crate::call::items::{
    AudioIn, CallOut, Door, EncoderName, EncoderOrder, ExchangeId, For, PairingCode, Speech, ViewerFrame, ViewerInfo,
    VisitId,
};
use crate::call::peer::Transmit;
use crate::call::protocol::{FromHome, Volume};
use crate::people::items::{Change, InviteId};
use crate::people::news::NewsBook;
use crate::people::register::Wish;
use crate::people::visits::VisitLog;

/// What the home needs to know of the config.
#[derive(Clone, Debug)]
pub struct HomeConfig {
    /// The home's name, shown on the page.
    pub name: String,
    /// Visits at once.
    pub max_viewers: usize,
    /// UDP port of media.
    pub port: u16,
    /// How the outside reaches it, for links.
    pub public: Option<PublicAddress>,
    /// Home's picture on a wide path.
    pub full: Rung,
    /// The smallest moving one.
    pub reduced: Rung,
    /// Bitrate of Opus.
    pub audio: Bitrate,
    /// Home's microphone is muted in the beginning.
    pub muted: bool,
    /// How loud viewers are at home in the beginning.
    pub volume: Volume,
    /// Viewers hear each other, and not home alone.
    pub hear_each_other: bool,
    /// The curtain is drawn in the beginning.
    pub curtain: bool,
    /// How loud the chimes are, in percent.
    pub chime_percent: u8,
    /// The TV's language.
    pub language: Language,
    /// What an owner has set, which goes before the above.
    pub house: House,
    /// The program's version.
    pub version: String,
    /// Who visited before.
    pub visits: VisitLog,
    /// What owners have not read yet.
    pub news: NewsBook,
}

/// What the shell shall do.
#[derive(Debug)]
pub enum HomeOutput {
    /// Send a datagram.
    Transmit(Transmit),
    /// Send a message.
    Say(SocketId, FromHome),
    /// Send a WebSocket ping.
    Ping(SocketId),
    /// Say a WebSocket goodbye and close, once what was said is sent.
    Close(SocketId),
    /// Order of a video encoder.
    Encoder(EncoderName, EncoderOrder),
    /// Make a JPEG of what the camera sees; answered with [`Home::handle_snapshot`]. Two orders may get one answer.
    Snapshot,
    /// Order of the Opus encoder.
    Speech(Speech),
    /// Whether anybody visits.
    Visited(bool),
    /// To the speaker thread.
    Sound(AudioIn),
    /// To the other viewers, by way of home's own sound.
    MixMinus(AudioIn),
    /// To the picture thread.
    Picture(ViewerFrame),
    /// Who visits now, for the TV; on every change.
    Viewers(Vec<ViewerInfo>),
    /// Let home's speaker chime.
    Chime(Chime),
    /// Home's microphone is muted from now on, or no more.
    Muted(bool),
    /// Viewers are as loud at home from now on, in percent.
    Volume(u8),
    /// Show this code on the TV, or none any more.
    Code(Option<PairingCode>),
    /// Mint and store a key; answered with [`Home::handle_minted`].
    Mint {
        /// The exchange that it is for.
        exchange: ExchangeId,
        /// Who gets it.
        whom: For,
    },
    /// Make and store a link; answered with [`Home::handle_invite_made`].
    Invite {
        /// Which one.
        invite: InviteId,
        /// What it shall be.
        wish: Wish,
    },
    /// Store what an owner changed.
    Store(Change),
    /// Store what an owner set of home.
    House(House),
    /// The TV shows this name of home, in this language, from now on.
    Looks {
        /// See above.
        name: String,
        /// See above.
        language: Language,
    },
    /// Chimes are as loud from now on, in percent.
    ChimeVolume(u8),
    /// Look how home is; answered with [`Home::handle_examined`].
    Examine,
    /// The curtain is drawn from now on, or no more.
    Curtain(bool),
    /// Tell the world beyond open pages that home calls.
    Call(CallOut),
    /// Store the visit log.
    Visits(VisitLog),
    /// Store what owners have not read.
    News(NewsBook),
    /// What happens at the door, for the TV; on every change.
    Door(Door),
}

/// Why the home wants to be called at a certain time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// A peer connection has a timer.
    Peer(VisitId),
    /// A visit without socket and media is over.
    Orphan(VisitId),
    /// A visit with a socket has had no media for too long.
    NoMedia(VisitId),
    /// A visit is over whose peer connection has failed.
    Failed(VisitId),
    /// A viewer's path may be used fully again.
    Path(VisitId),
    /// A socket owes us its `hello`.
    Hello(SocketId),
    /// A guesser's answer is due.
    Refusal(SocketId),
    /// A quiet socket is to be pinged, or has been quiet too long.
    Silence(SocketId),
    /// A keyframe held back by the rate limit is due.
    Keyframe(EncoderName),
    /// A viewer without media no longer keeps the encoders busy.
    Idle(VisitId),
    /// A code on the TV is over, or the exchange of a token.
    Pairing,
    /// A viewer of single pictures is to get the next, or moving ones again.
    StillMode(VisitId),
    /// Somebody left, which is announced a moment later.
    Chime,
    /// Estimators are to look again whether their path carries more.
    Probe(VisitId),
    /// Nothing has come of a viewer for too long.
    Quiet(VisitId),
    /// A page is to hear what limits its picture, or that nothing does any more.
    Limit(VisitId),
    /// Somebody has waited long enough at the door, or home rings again.
    Door,
    /// Nobody has answered home's call.
    Call,
}
