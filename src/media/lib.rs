//! Codecs, jitter buffer, mixer, TV scene: pure transforms over pictures and blocks of sound.
//!
//! Nothing here has a clock, a thread, a socket or a file. Blocks and instants come in as arguments. So tests run in
//! virtual time, and hours of sound take seconds.
//!
//! # The path of sound
//!
//! These are all buffers, and how long sound stays in each. What devices and network add is not ours.
//!
//! ```text
//! viewer's browser ─ Opus, packets of 20 ms, each with the previous one inside (RED) ─> network
//!   ─> loop ─> channel (64 packets) ─> speaker thread
//!        jitter buffer, one per viewer   20 ms on a clean path, else what 95 % of the packets need + 5 ms;
//!                                        45 ms and up while packets get lost; 240 ms at most
//!        decoder, stretching             0 ms
//!        mixer, blocks of 10 ms          0–10 ms, while the next block is awaited (counted above)
//!        device's queue                  the device's; it tells how long
//!
//! microphone ─ blocks of 10 ms ─> channel (8 blocks) ─> opus thread
//!        processor (echo canceller)      see `echo`
//!        packetizer                      10 ms: a packet is two blocks
//!        Opus encoder                    its look-ahead, 6.5 ms
//!   ─> channel (64 packets) ─> loop ─> not paced ─> network ─> viewer's browser
//!
//! viewer's browser ─> … ─> loop ─> channel (64 packets) ─> opus thread       while several viewers are connected
//!        jitter buffer, one per viewer   as above
//!        mixer, one per viewer           everybody but that viewer, and home; then an Opus encoder
//! ```
//!
//! A channel is empty unless the machine is late. Each one is bounded. What does not fit is dropped, and concealed
//! later.
//!
//! From mouth to the loudspeaker's queue, a path without jitter costs at most 60 ms, the packet included. A test in
//! `jitter/tests.rs` holds that.
//!
//! # Where to read on
//!
//! - [`jitter`], [`lateness`], [`voice`], [`stretch`], [`comfort`]: playing one viewer.
//! - [`voice_mixer`], [`level`], [`mix_minus`]: several viewers.
//! - [`opus`]: silence, DTX and FEC. `intercom_core::rate` decides bitrate and redundancy.
//! - [`echo`]: between microphone and encoder.
//! - [`packetizer`]: the time line of what is sent.
//! - [`scene`]: the TV's picture. [`text`]: its words, in any script.
//! - [`snapshot`]: single pictures for browsers without H.264.
//!
//! # What reaches the speaker
//!
//! The viewers' sum is turned down by the volume that a page has set. Then a chime is added, then everything is
//! limited. The echo canceller's reference is what comes out of that. A muted microphone is silenced behind the
//! canceller and before the encoder, by a ramp ([`ramp`]). Volume and mute are states, not messages. The sound threads
//! read them with each block, so no queue can lose them.
//!
//! # One clock
//!
//! RTP times of both tracks are capture times on the monotonic clock. str0m's sender reports map both to one wall
//! clock. So the browser's lip-sync compares capture with capture, however long camera or microphone took.
//!
//! On the TV a picture is shown as soon as it is decoded. Pictures are not held back for the sound. Only a path with
//! jitter would gain by that, and it would pay with delay.
#![forbid(unsafe_code)]

pub mod card;
pub mod chime;
pub mod comfort;
pub mod echo;
pub mod frost;
pub mod h264;
pub mod jitter;
pub mod lateness;
pub mod level;
pub mod mix_minus;
pub mod mixer;
pub mod opus;
pub mod packetizer;
pub mod paint;
pub mod processor;
pub mod qr;
pub mod ramp;
pub mod scale;
pub mod scene;
pub mod snapshot;
pub mod stretch;
#[cfg(test)]
mod test_pictures;
pub mod text;
pub mod video_decoder;
pub mod video_encoder;
pub mod voice;
pub mod voice_mixer;
mod wav;
