//! What comes out of a peer connection, in words that know no WebRTC library.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use intercom_base::sound::OpusPacket;
use intercom_base::units::Bitrate;

use crate::rate::delivery::Queue;

/// A datagram to send, and from which of our addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// The local address that the far end knows us by.
    pub source: SocketAddr,
    /// Where it goes.
    pub destination: SocketAddr,
    /// Its bytes.
    pub contents: Vec<u8>,
}

/// What comes out of a peer.
#[derive(Debug)]
pub enum PeerOutput {
    /// To the network.
    Transmit(Transmit),
    /// ICE and DTLS are up: media flows from now on.
    Connected,
    /// ICE lost the far end (`false`) or found it again (`true`).
    Reachable(bool),
    /// The far end closed the connection.
    Closed,
    /// The far end cannot decode and asks for a keyframe (PLI or FIR).
    KeyframeRequest,
    /// What the path to this peer carries, as estimated from its feedback.
    Estimate(Bitrate),
    /// The path is full: packets wait or get lost, and no more than this comes through.
    Full(Bitrate),
    /// What waits on the path, some times a second.
    Queue(Queue),
    /// The far end's report on our video.
    Report(Report),
    /// Part of all our packets that got lost on the way during the last second, 0–1.
    Loss(f32),
    /// A packet of the viewer's sound.
    Audio(OpusPacket),
    /// The WebRTC library panicked in this peer, with these words: nothing comes of it any more.
    Failed(String),
    /// A frame of the viewer's camera.
    Video { data: Arc<[u8]>, keyframe: bool, gap: bool, arrived: Instant },
}

/// The far end's view of our video stream, about once a second (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report {
    /// Fraction of packets lost since the last report, 0–1.
    pub loss: f32,
    /// Interarrival jitter.
    pub jitter: Duration,
    /// Round trip, if known yet.
    pub rtt: Option<Duration>,
}

/// Why an offer was not usable.
#[derive(Debug)]
pub enum OfferError {
    /// Not SDP, or nothing that we can agree on.
    Sdp(String),
    /// No H.264 that we can send, and no Opus either.
    NoCodec,
    /// The WebRTC library panicked over it, with these words.
    Failed(String),
}

impl std::fmt::Display for OfferError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            OfferError::Sdp(why) => write!(f, "offer not usable: {why}"),
            OfferError::NoCodec => write!(f, "offer not usable: it has neither H.264 nor Opus that home can send"),
            // What a library says when it fails is for our log.
            OfferError::Failed(_) => write!(f, "offer not usable: it cannot be processed"),
        }
    }
}

/// How a path keeps up with our video.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pressure {
    /// It takes all there is.
    #[default]
    None,
    /// Frames begin to wait.
    Rising,
    /// More video would only come later still.
    Jammed,
}

/// How much a viewer's player may hold back to smooth the picture (the playout-delay extension).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlayoutDelay {
    /// At least this.
    pub min: Duration,
    /// At most this.
    pub max: Duration,
}

impl PlayoutDelay {
    /// Show every frame the moment it is there.
    pub const NONE: PlayoutDelay = PlayoutDelay { min: Duration::ZERO, max: Duration::ZERO };
}
