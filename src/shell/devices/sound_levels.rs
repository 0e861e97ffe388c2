//! What the event loop has decided on home's sound, for the threads that carry it: each block asks again.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use intercom_media::ramp;

/// The state of microphone and volume.
#[derive(Debug)]
pub struct SoundLevels {
    muted: AtomicBool,
    curtain: AtomicBool,
    volume: AtomicU8,
    chime: AtomicU8,
}

impl Default for SoundLevels {
    fn default() -> SoundLevels {
        let [muted, curtain] = [AtomicBool::new(false), AtomicBool::new(false)];
        SoundLevels { muted, curtain, volume: AtomicU8::new(100), chime: AtomicU8::new(100) }
    }
}

impl SoundLevels {
    /// Nobody hears home from the next block on, or viewers do again.
    pub fn set_muted(&self, muted: bool) {
        self.muted.store(muted, Ordering::Release);
    }

    /// The curtain is drawn from the next block on, or open again.
    pub fn set_curtain(&self, drawn: bool) {
        self.curtain.store(drawn, Ordering::Release);
    }

    /// Whether home's microphone is muted.
    pub fn is_muted(&self) -> bool {
        self.muted.load(Ordering::Acquire)
    }

    /// The factor for what the microphone hears.
    pub fn microphone_gain(&self) -> f32 {
        if self.is_muted() || self.curtain.load(Ordering::Acquire) { 0.0 } else { 1.0 }
    }

    /// How loud viewers are from the next block on, in percent.
    pub fn set_volume(&self, percent: u8) {
        self.volume.store(percent, Ordering::Relaxed);
    }

    /// The factor for what viewers say.
    pub fn speaker_gain(&self) -> f32 {
        ramp::gain(self.volume.load(Ordering::Relaxed))
    }

    /// How loud the chimes are from the next one on, in percent.
    pub fn set_chime(&self, percent: u8) {
        self.chime.store(percent, Ordering::Relaxed);
    }

    /// The factor for a chime; 0: it is not played.
    pub fn chime_gain(&self) -> f32 {
        ramp::gain(self.chime.load(Ordering::Relaxed))
    }
}
