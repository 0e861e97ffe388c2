//! Codecs, jitter buffer, mixer, TV scene: pure transforms over pictures and blocks of sound.

pub mod card;
pub mod chime;
pub mod comfort;
pub mod conference;
pub mod echo;
pub mod h264;
pub mod jitter;
pub mod lateness;
pub mod level;
pub mod mixer;
pub mod opus;
pub mod packetizer;
pub mod paint;
pub mod party;
pub mod processor;
pub mod ramp;
pub mod scale;
pub mod scene;
pub mod stretch;
#[cfg(test)]
pub(crate) mod test_pictures;
#[cfg(test)]
pub(crate) mod test_sound;
pub mod text;
pub mod video_decoder;
pub mod video_encoder;
pub mod voice;
