//! A voice for home: speech-like sound through the real encoder.

use std::sync::Arc;

use intercom_base::units::Bitrate;
use intercom_core::call::items::Speech;
use intercom_media::opus::{OpusEncoder, PACKET};

/// Somebody who talks at home, through the real encoder.
pub struct Voice {
    encoder: OpusEncoder,
    phase: f32,
    samples: u64,
}

impl Voice {
    pub fn new() -> Voice {
        let encoder = OpusEncoder::new(Bitrate::from_kbps(32)).expect("an encoder");
        Voice { encoder, phase: 0.0, samples: 0 }
    }

    /// The next 20 ms: harmonics of a gliding pitch, with a syllable five times a second.
    pub fn next(&mut self, speech: Option<Speech>) -> Arc<[u8]> {
        if let Some(speech) = speech {
            self.encoder.set_path(speech.bitrate, speech.loss_percent).expect("a path");
        }
        let sound: [i16; PACKET] = std::array::from_fn(|_| {
            let t = self.samples as f32 / 48_000.0;
            self.samples += 1;
            self.phase = (self.phase + (130.0 + 20.0 * (t * 4.0).sin()) / 48_000.0).fract();
            let syllable = 0.6 + 0.4 * (t * 31.0).sin();
            let waves: f32 = (1..12).map(|k| (k as f32 * self.phase * std::f32::consts::TAU).sin() / k as f32).sum();
            (syllable * waves * 4000.0) as i16
        });
        self.encoder.encode(&sound).expect("sound").expect("nobody is silent")
    }
}
