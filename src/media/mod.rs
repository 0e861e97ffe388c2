//! Codecs, jitter buffer, mixer, TV scene: pure transforms over pictures and blocks of sound.

pub mod card;
pub mod jitter;
pub mod mixer;
pub mod opus;
pub mod scale;
pub mod scene;
pub mod text;
pub mod video_decoder;
pub mod video_encoder;
