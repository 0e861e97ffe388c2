//! The step between microphone and Opus encoder: the place of [echo canceller, noise suppressor and gain](super::echo).

use std::time::Instant;

use intercom_base::settings::AudioSettings;

use crate::echo::Enhancer;
use crate::voice::BLOCK;

/// 10 ms that the speaker plays, as reference for the echo canceller.
#[derive(Clone, Debug)]
pub struct Played {
    /// The sound.
    pub block: Box<[i16; BLOCK]>,
    /// When its first sample leaves the speaker.
    pub audible: Instant,
}

/// Works on home's sound before it is encoded. Blocks come in order, 10 ms each.
pub trait Processor: Send {
    /// What the speaker plays; comes before the microphone can hear it.
    fn render(&mut self, played: &Played);

    /// Changes what the microphone heard, in place. `captured` is when it heard the first sample.
    fn capture(&mut self, block: &mut [i16; BLOCK], captured: Instant);
}

/// What `audio` wants to be done.
pub fn processor(audio: &AudioSettings) -> Box<dyn Processor> {
    match Enhancer::new(audio) {
        Some(enhancer) => Box::new(enhancer),
        None => Box::new(Identity),
    }
}

/// Leaves the sound as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Identity;

impl Processor for Identity {
    fn render(&mut self, _played: &Played) {}

    fn capture(&mut self, _block: &mut [i16; BLOCK], _captured: Instant) {}
}
