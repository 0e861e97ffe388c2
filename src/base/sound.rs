//! What all sound inside has in common: mono, signed 16 bit; and how a viewer's comes in.

use std::sync::Arc;
use std::time::Instant;

/// Samples a second.
pub const SAMPLE_RATE: u32 = 48_000;

/// A packet of a viewer's Opus stream, from the peer connection to the jitter buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpusPacket {
    /// RTP sequence number, extended beyond 16 bits: one more for each packet.
    pub sequence: u64,
    /// RTP time in samples at 48 kHz, extended beyond 32 bits.
    pub sample: u64,
    /// The Opus packet (RFC 6716).
    pub data: Arc<[u8]>,
    /// When it came in.
    pub arrived: Instant,
}
