//! What travels between the threads: the channels of ARCHITECTURE.md's picture, their items and their bounds.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Receiver, Sender};
use intercom_core::call::chimes::Chime;
use intercom_core::call::home::{Curtain, Mute};
pub use intercom_core::call::items::{
    AudioIn, CallOut, Checkup, EncodedAudio, EncodedVideo, EncoderName, EncoderOrder, ExchangeId, For, Recipients,
    Speech, ToSpeaker, ViewerFrame, ViewerInfo, VisitId,
};
use intercom_core::call::protocol::{CameraState, VisitEntry};
use intercom_core::people::edit::Edit;
pub use intercom_core::people::items::{Change, InviteId, NewKey, NewLink};
use intercom_core::people::register::Role;
use intercom_core::reach::links::Links;
use intercom_core::tv::local_time::Zone;

use crate::shell::disk::Job;
use crate::shell::encoders::EncoderControl;
use crate::shell::posts::Post;
use crate::shell::snapshots::SnapshotControl;
use crate::shell::wake::Wake;

/// What other threads tell the event loop, besides media.
#[derive(Debug)]
pub enum ToLoop {
    /// Home's camera was plugged or unplugged.
    Camera(CameraState),
    /// A snapshot that the loop ordered: a JPEG in base64.
    Snapshot(String),
    /// A viewer's pictures cannot be decoded: ask them for a keyframe.
    KeyframeWanted(VisitId),
    /// The machine's addresses changed.
    Addresses(intercom_core::reach::Addresses),
    /// End every visit of this key or person, who come in no more; whether there was one, else which persons there are, for who asks.
    Revoked(u64, Sender<Result<(), Vec<u64>>>),
    /// A link was made (already stored).
    Invited(NewLink),
    /// The key that the loop wanted minted is stored, and this is its text; or it could not be.
    Minted(ExchangeId, Option<(NewKey, String)>),
    /// Show a code on the TV for a new viewer.
    CodeWanted {
        /// What home will call them.
        name: Option<String>,
        /// What they may do.
        role: Role,
        /// Gets the links that the code says.
        links: Sender<Links>,
    },
    /// Somebody at home mutes the microphone or opens it again; whether it is muted then, for who asks.
    Mute(Mute, Option<Sender<bool>>),
    /// Somebody at home pressed the key that shows a code for a new phone.
    InvitePressed,
    /// Somebody at home held that key for some seconds: the code makes an owner.
    InviteHeld,
    /// Somebody at home pressed the key that lets in who waits.
    LetInPressed,
    /// Somebody at home pressed the key that declines who waits, or ends all visits.
    DeclinePressed,
    /// Somebody at home draws the curtain or opens it; whether it is drawn then, for who asks.
    Curtain(Curtain, Option<Sender<bool>>),
    /// The link that an owner's page asked for is stored, and this is its token; or it could not be.
    InviteMade(InviteId, Option<(NewLink, String)>),
    /// Somebody at home pressed the key that calls everybody, or takes the call back.
    CallPressed,
    /// Home calls this person, or everybody; how many pages ring, or else which persons there are, for who asks.
    Call(Option<u64>, Sender<Result<usize, Vec<u64>>>),
    /// Has the thread `disk` do this after all that was to be stored before.
    Disk(Job),
    /// Home has looked at itself.
    Examined(Checkup),
    /// The visit log, the newest entry first, for who asks.
    Visits(Sender<Vec<VisitEntry>>),
    /// Forget the visit log; done, for who asks.
    EraseVisits(Sender<()>),
    /// The zone of home's clock.
    Zone(Zone),
    /// Somebody at the shell wants to know who may come in; answered with one JSON object.
    People(Sender<String>),
    /// Somebody at the shell changes the person of this number; whether home has no owner any more, else which persons there are.
    Edit(u64, Edit, Sender<Result<bool, Vec<u64>>>),
    /// The control socket asks how things are; answered with one JSON object.
    Status(Sender<String>),
    /// Forget every key, and end all visits; how many people could come in, for who asks.
    Reset(Sender<usize>),
    /// Say goodbye to every page and end.
    Shutdown,
}

/// A signaling WebSocket that the gateway opened.
pub struct OpenSocket {
    /// The far end.
    pub peer: SocketAddr,
    /// The address of ours that it came to.
    pub local: SocketAddr,
    /// The socket, handshake done, non-blocking. Read it at once: the first messages may be deciphered and waiting
    /// inside already, where no poll sees them.
    pub socket: tungstenite::WebSocket<crate::shell::gateway::TlsStream>,
}

/// The event loop's ends of all channels. Senders send, then call [`Wake::wake`].
pub struct LoopInputs {
    /// From the video encoders; bound 8: an encoder that finds it full drops the raw frame.
    pub video: Receiver<EncodedVideo>,
    /// From the Opus encoders, of which each viewer may have one; bound 64: when full the packet is dropped (the far end
    /// conceals it).
    pub audio: Receiver<EncodedAudio>,
    /// From the gateway; bound 16: when full the gateway closes the socket.
    pub sockets: Receiver<OpenSocket>,
    /// From the gateway; bound 16: when full the page is told to come again.
    pub posts: Receiver<Post>,
    /// From everybody else; bound 64: senders wait.
    pub events: Receiver<ToLoop>,
}

/// The event loop's way to the other threads.
pub struct LoopOutputs {
    /// To the speaker thread; bound 64: when full the packet is dropped.
    pub speaker: Sender<ToSpeaker>,
    /// What viewers say, to the Opus encoders of the others; bound 64: when full the packet is dropped.
    pub mix_minus: Sender<AudioIn>,
    /// To the picture thread; bound 16: when full frames are dropped up to the next keyframe.
    pub pictures: Sender<ViewerFrame>,
    /// What the speaker plays when somebody arrives, and when somebody leaves.
    pub chimes: Chimes,
    /// Tells the world beyond open pages that home calls; bound [`crate::shell::caller::CALLS`]: when full, it is not told.
    pub caller: Sender<CallOut>,
    /// What the TV shows besides pictures.
    pub board: Arc<crate::shell::devices::pictures::Board>,
    /// Stores keys and the mute; bound [`crate::shell::disk::JOBS`]: when full, no key is minted, and the viewer tries again.
    pub disk: Sender<Job>,
    /// Wants home to look at itself; bound 1: when full, it is about to look.
    pub examiner: Sender<()>,
    /// Orders for the encoders.
    pub encoders: Encoders,
    /// Orders for the Opus encoder.
    pub speech: Arc<SpeechControl>,
    /// Pauses and wakes camera and microphone, and sets home's sound.
    pub devices: crate::shell::devices::DeviceContext,
}

/// The ways into the threads that encode the camera's frames.
#[derive(Clone, Debug)]
pub struct Encoders {
    /// The video encoders.
    pub video: Vec<(EncoderName, Arc<EncoderControl>)>,
    /// The one for single pictures.
    pub snapshots: Arc<SnapshotControl>,
}

impl Encoders {
    /// Ends the threads.
    pub fn stop(&self) {
        self.video.iter().for_each(|(_, control)| control.stop());
        self.snapshots.stop();
    }
}

/// The newest order for the Opus encoder; one that was not taken yet is replaced.
#[derive(Debug, Default)]
pub struct SpeechControl(Mutex<Option<Speech>>);

impl SpeechControl {
    /// Orders; takes effect with the next packet.
    pub fn order(&self, speech: Speech) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(speech);
    }

    /// The order, if there is a new one.
    pub fn take(&self) -> Option<Speech> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The sounds of the chimes; an empty one is none.
#[derive(Clone, Debug)]
pub struct Chimes {
    /// Somebody arrived.
    pub arrive: Arc<[i16]>,
    /// Somebody left.
    pub leave: Arc<[i16]>,
    /// Somebody knocks.
    pub knock: Arc<[i16]>,
}

impl Chimes {
    /// How this one sounds.
    pub fn of(&self, chime: Chime) -> &Arc<[i16]> {
        match chime {
            Chime::Arrive => &self.arrive,
            Chime::Leave => &self.leave,
            Chime::Knock => &self.knock,
        }
    }
}

/// The senders' ends, cloned to whom they concern.
#[derive(Clone)]
pub struct ToLoopHandle {
    /// See [`LoopInputs::events`].
    pub events: Sender<ToLoop>,
    /// Wakes the loop.
    pub wake: Wake,
}

impl ToLoopHandle {
    /// Sends and wakes; silently nothing if the loop has ended.
    pub fn tell(&self, event: ToLoop) {
        if self.events.send(event).is_ok() {
            self.wake.wake();
        }
    }
}
