//! A microphone that needs no hardware: one pure tone, without a break in its phase.

use std::f64::consts::TAU;
use std::time::Instant;

use intercom_base::sound::SAMPLE_RATE;

use crate::clock;
use crate::contract::{BoxedOpener, CaptureAudio, ConfigError, DeviceError, Driver, Opener, Wanted};
use crate::options::Options;
use crate::pace::{Pace, duration_of};

/// The entry of the registry's table.
pub const DRIVER: Driver<dyn CaptureAudio> = Driver {
    name: "tone",
    summary: "a pure tone; needs no hardware",
    options: OPTIONS,
    configure,
    detect: |_| Ok("the stand-in for a microphone".into()),
    survey: None,
};

const OPTIONS: &[(&str, &str)] = &[
    ("hz", "pitch in Hz, 20 to 20000; default 440"),
    ("level_db", "loudness in dB of full scale, -90 to 0; default -20"),
];

fn configure(table: &toml::Table, _: &Wanted) -> Result<BoxedOpener<dyn CaptureAudio>, ConfigError> {
    let options = Options::new(table, OPTIONS)?;
    let hz = options.number("hz", 20.0..=20_000.0)?.unwrap_or(440.0);
    let level_db = options.number("level_db", -90.0..=0.0)?.unwrap_or(-20.0);
    Ok(Box::new(ToneOpener { hz, level_db }))
}

struct ToneOpener {
    hz: f64,
    level_db: f64,
}

impl Opener<dyn CaptureAudio> for ToneOpener {
    fn open(&mut self) -> Result<Box<dyn CaptureAudio>, DeviceError> {
        Ok(Box::new(Tone::new(self.hz, self.level_db)))
    }

    fn describe(&self) -> String {
        format!("tone of {} Hz", self.hz)
    }
}

struct Tone {
    pace: Pace,
    overruns: u64,
    amplitude: f64,
    /// A pointer on the unit circle, turned on by `turn` each sample: much cheaper than a sine each.
    pointer: (f64, f64),
    turn: (f64, f64),
}

impl Tone {
    fn new(hz: f64, level_db: f64) -> Tone {
        let (sin, cos) = (hz / f64::from(SAMPLE_RATE) * TAU).sin_cos();
        let amplitude = f64::from(i16::MAX) * 10f64.powf(level_db / 20.0);
        Tone { pace: Pace::default(), overruns: 0, amplitude, pointer: (1.0, 0.0), turn: (cos, sin) }
    }

    fn fill(&mut self, block: &mut [i16]) {
        for sample in block {
            *sample = (self.pointer.1 * self.amplitude).round() as i16;
            let ((x, y), (cos, sin)) = (self.pointer, self.turn);
            self.pointer = (x * cos - y * sin, x * sin + y * cos);
        }
        // Rounding would let the pointer grow or shrink over the days.
        let length = self.pointer.0.hypot(self.pointer.1);
        self.pointer = (self.pointer.0 / length, self.pointer.1 / length);
    }
}

impl CaptureAudio for Tone {
    fn read(&mut self, block: &mut [i16], deadline: Instant) -> Result<Option<Instant>, DeviceError> {
        let (first, slipped) = self.pace.next(clock::now());
        self.overruns += u64::from(slipped);
        // A real microphone hands over a block once its last sample was heard.
        let complete = first + duration_of(block.len() as u64);
        if complete > deadline {
            clock::sleep_until(deadline);
            return Ok(None);
        }
        clock::sleep_until(complete);
        self.fill(block);
        self.pace.advance(block.len());
        Ok(Some(first))
    }

    fn pause(&mut self) {
        self.pace.stop();
    }

    fn overruns(&self) -> u64 {
        self.overruns
    }

    fn hears_a_room(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_tone_is_pure_exact_and_seamless_over_many_blocks() {
        let mut tone = Tone::new(440.0, -20.0);
        let mut sound = vec![0; 960 * 500];
        sound.chunks_mut(960).for_each(|block| tone.fill(block));
        for (n, &sample) in sound.iter().enumerate() {
            let ideal = 3276.7 * (n as f64 * 440.0 / 48_000.0 * TAU).sin();
            assert!((f64::from(sample) - ideal).abs() < 1.0, "sample {n}: {sample} instead of {ideal}");
        }
    }

    #[test]
    fn blocks_follow_each_other_in_time_and_a_deadline_consumes_nothing() {
        let mut tone = Tone::new(440.0, -20.0);
        let mut block = [0; 96];
        let far = clock::now() + Duration::from_secs(20);
        let first = tone.read(&mut block, far).unwrap().expect("a block");
        assert_eq!(tone.read(&mut [0; 4800], clock::now()), Ok(None));
        let second = tone.read(&mut block, far).unwrap().expect("a block");
        assert_eq!(second - first, Duration::from_millis(2));
        tone.pause();
        let resumed = clock::now();
        assert!(tone.read(&mut block, far).unwrap().expect("a block") >= resumed, "fresh after a pause");
        assert_eq!(tone.overruns(), 0);
        assert!(!tone.hears_a_room());
    }
}
