//! What travels between the threads: the channels of ARCHITECTURE.md's picture, their items and their bounds.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};

use crate::core::protocol::{CameraState, RungName};
use crate::shell::wake::Wake;
use crate::units::Bitrate;

/// Numbers visits since the start of the process; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VisitId(pub u64);

/// One frame out of a video encoder.
#[derive(Clone, Debug)]
pub struct EncodedVideo {
    /// The rung that it belongs to.
    pub rung: RungName,
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

/// One packet out of the Opus encoder: 20 ms.
#[derive(Clone, Debug)]
pub struct EncodedAudio {
    /// The Opus packet (RFC 6716).
    pub data: Arc<[u8]>,
    /// When its first sample was heard.
    pub captured: Instant,
    /// Samples since the encoder's start, the base of the RTP time; gaps in time are gaps here.
    pub sample: u64,
}

/// What the event loop hands to the speaker thread.
#[derive(Clone, Debug)]
pub enum ToSpeaker {
    /// A packet of a viewer's Opus stream.
    Packet {
        /// Whose.
        visit: VisitId,
        /// RTP sequence number, extended: +1 a packet.
        sequence: u64,
        /// RTP time in samples of 48 kHz, extended.
        sample: u64,
        /// The Opus packet.
        data: Arc<[u8]>,
        /// When it came in.
        arrived: Instant,
    },
    /// This viewer is gone.
    Gone(VisitId),
}

/// What the event loop hands to the picture thread (H.264 decoders).
#[derive(Clone, Debug)]
pub enum ToPictures {
    /// An access unit of a viewer's camera, Annex B.
    Frame {
        /// Whose.
        visit: VisitId,
        /// The access unit.
        data: Arc<[u8]>,
        /// Whether a decoder can start here.
        keyframe: bool,
        /// Frames were lost before this one: nothing but a keyframe can be decoded.
        gap: bool,
        /// When its last packet came in.
        arrived: Instant,
    },
    /// Who is visiting now; sent on every change.
    Visitors(Vec<Visitor>),
}

/// A viewer as the TV needs to know them.
#[derive(Clone, Debug, PartialEq)]
pub struct Visitor {
    /// Which visit.
    pub visit: VisitId,
    /// When it began.
    pub since: Instant,
    /// The viewer's camera is on.
    pub camera: bool,
    /// The viewer's microphone is on.
    pub microphone: bool,
    /// Media flows now; false while connecting or reconnecting.
    pub connected: bool,
}

/// What other threads tell the event loop, besides media.
#[derive(Debug)]
pub enum ToLoop {
    /// Home's camera was plugged or unplugged.
    Camera(CameraState),
    /// A viewer's pictures cannot be decoded: ask them for a keyframe.
    KeyframeWanted(VisitId),
    /// The machine's addresses changed.
    Addresses(crate::reach::Addresses),
    /// End every visit of this key.
    Revoked(u64),
    /// A key was added (already stored); `hash` as in [`crate::access`].
    KeyAdded {
        /// Number of the key.
        id: u64,
        /// SHA-256 of its 16 bytes.
        hash: [u8; 32],
    },
    /// The control socket asks how things are; answered with one JSON object.
    Status(Sender<String>),
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
    /// From the Opus encoder; bound 16: when full the packet is dropped (the far end conceals it).
    pub audio: Receiver<EncodedAudio>,
    /// From the gateway; bound 16: when full the gateway closes the socket.
    pub sockets: Receiver<OpenSocket>,
    /// From everybody else; bound 64: senders wait.
    pub events: Receiver<ToLoop>,
}

/// The event loop's way to the other threads.
pub struct LoopOutputs {
    /// To the speaker thread; bound 64: when full the packet is dropped.
    pub speaker: Sender<ToSpeaker>,
    /// To the picture thread; bound 16: when full frames are dropped up to the next keyframe.
    pub pictures: Sender<ToPictures>,
    /// Orders for the encoders, one of each rung.
    pub encoders: Vec<(RungName, Arc<crate::shell::encoders::EncoderControl>)>,
    /// Whether anybody visits: pauses and wakes camera and microphone.
    pub presence: Arc<crate::shell::devices::Presence>,
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
