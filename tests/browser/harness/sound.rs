//! Sound as a viewer or home heard it, and what can be recognised in it.

use std::path::Path;

use base64::Engine;
use serde_json::Value;

/// Mono sound.
pub struct Sound {
    /// Samples a second.
    pub rate: f64,
    /// From -1 to 1.
    pub samples: Vec<f64>,
    /// Places where the browser's own time stamps jumped.
    pub gaps: u64,
    /// Seconds of sound that the browser's sound device took in a second: less than 1 on a machine that is too busy.
    pub pace: f64,
}

impl Sound {
    /// Nothing at all.
    pub const SILENCE: Sound = Sound { rate: 48_000.0, samples: Vec::new(), gaps: 0, pace: 1.0 };

    /// What the probe's `hear` gave.
    pub fn from_probe(value: &Value) -> Sound {
        let pcm = value["pcm"].as_str().expect("sound as the probe writes it");
        let bytes = base64::engine::general_purpose::STANDARD.decode(pcm).expect("base64");
        let samples = bytes.chunks_exact(2).map(|b| f64::from(i16::from_le_bytes([b[0], b[1]])) / 32768.0).collect();
        let number = |name: &str| value[name].as_f64().expect("a number");
        Sound { rate: number("rate"), samples, gaps: number("gaps") as u64, pace: number("pace") }
    }

    /// Reads a WAV file of 16 bit samples (the first channel), even while it grows and its header still counts
    /// nothing; `None` if there is none yet.
    pub fn read_wav(path: &Path) -> Option<Sound> {
        let file = std::fs::read(path).ok()?;
        if file.get(..4)? != b"RIFF" || file.get(8..12)? != b"WAVE" {
            return None;
        }
        let word = |at: usize| file.get(at..at + 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize);
        let (mut at, mut rate, mut channels) = (12, 0, 1);
        loop {
            let (id, size) = (file.get(at..at + 4)?, word(at + 4)?);
            let body = at + 8;
            match id {
                b"fmt " => {
                    channels = usize::from(u16::from_le_bytes([*file.get(body + 2)?, *file.get(body + 3)?])).max(1);
                    rate = word(body + 4)?;
                }
                b"data" => {
                    let end = if size == 0 || size > file.len() - body { file.len() } else { body + size };
                    let samples = file[body..end]
                        .chunks_exact(2 * channels)
                        .map(|b| f64::from(i16::from_le_bytes([b[0], b[1]])) / 32768.0);
                    return Some(Sound { rate: rate as f64, samples: samples.collect(), ..Sound::SILENCE });
                }
                _ => {}
            }
            at = body + size + size % 2;
        }
    }

    /// Writes a WAV file of 16 bit samples, for people to listen to.
    pub fn write_wav(&self, path: &Path) {
        let (rate, bytes) = (self.rate as u32, 2 * self.samples.len() as u32);
        let mut file = [b"RIFF", &(36 + bytes).to_le_bytes()[..], b"WAVEfmt ", &16u32.to_le_bytes()].concat();
        for short in [1u16, 1] {
            file.extend(short.to_le_bytes());
        }
        file.extend([rate, 2 * rate].map(u32::to_le_bytes).concat());
        file.extend([2u16, 16].map(u16::to_le_bytes).concat());
        file.extend([b"data", &bytes.to_le_bytes()[..]].concat());
        for sample in &self.samples {
            file.extend(((sample * 32767.0) as i16).to_le_bytes());
        }
        std::fs::write(path, file).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// What comes from sample number `start` on.
    pub fn since(&self, start: usize) -> Sound {
        let start = start.min(self.samples.len());
        Sound { samples: self.samples[start..].to_vec(), ..*self }
    }

    /// Root mean square.
    pub fn loudness(&self) -> f64 {
        rms(&self.samples)
    }

    /// Share of the power, 0–1, that lies at `hz` over the whole sound.
    pub fn share_at(&self, hz: f64) -> f64 {
        share_at(&self.samples, self.rate, hz)
    }

    /// The strongest frequency between two, searched in steps of 1 Hz, on a second of sound.
    pub fn strongest(&self, from: f64, to: f64) -> f64 {
        let second = &self.samples[..self.samples.len().min(self.rate as usize)];
        let steps = (to - from) as usize;
        (0..=steps)
            .map(|i| from + i as f64)
            .map(|hz| (hz, share_at(second, self.rate, hz)))
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .map_or(0.0, |(hz, _)| hz)
    }

    /// Windows of 20 ms in which a steady tone of `hz` is broken: its best fit leaves more than `residue` of the
    /// power unexplained, or it is silent. A click, a gap or a jump of phase shows here.
    pub fn broken_windows(&self, hz: f64, residue: f64) -> usize {
        let window = (self.rate * 0.02) as usize;
        let floor = self.loudness() * 0.3;
        self.samples
            .chunks_exact(window)
            .filter(|w| rms(w) < floor || 1.0 - fitted_share(w, self.rate, hz) > residue)
            .count()
    }

    /// When beeps of `hz` begin, in seconds: windows of 10 ms that are loud at `hz` after at least 100 ms that
    /// are not.
    pub fn beeps(&self, hz: f64) -> Vec<f64> {
        let window = (self.rate * 0.01) as usize;
        let power: Vec<f64> =
            self.samples.chunks_exact(window).map(|w| rms(w).powi(2) * fitted_share(w, self.rate, hz)).collect();
        let loudest = power.iter().copied().fold(0.0, f64::max);
        let mut beeps = Vec::new();
        let mut quiet = 10;
        for (i, p) in power.iter().enumerate() {
            if *p > loudest * 0.1 && *p > 1e-6 {
                if quiet >= 10 {
                    beeps.push(i as f64 * 0.01);
                }
                quiet = 0;
            } else {
                quiet += 1;
            }
        }
        beeps
    }
}

fn rms(samples: &[f64]) -> f64 {
    (samples.iter().map(|s| s * s).sum::<f64>() / samples.len().max(1) as f64).sqrt()
}

/// Goertzel: the power at one frequency over the power of everything.
fn share_at(samples: &[f64], rate: f64, hz: f64) -> f64 {
    let total: f64 = samples.iter().map(|s| s * s).sum();
    if total <= f64::EPSILON {
        return 0.0;
    }
    let w = 2.0 * std::f64::consts::PI * hz / rate;
    let (mut a, mut b) = (0.0, 0.0);
    for s in samples {
        (a, b) = (s + 2.0 * w.cos() * a - b, a);
    }
    let power = a * a + b * b - 2.0 * w.cos() * a * b;
    (2.0 * power / samples.len() as f64 / total).min(1.0)
}

/// The share of a short window's power that the best sine of `hz` explains: least squares, exact even where the
/// window holds no whole number of periods.
fn fitted_share(samples: &[f64], rate: f64, hz: f64) -> f64 {
    let w = 2.0 * std::f64::consts::PI * hz / rate;
    let (mut cc, mut ss, mut cs, mut xc, mut xs, mut xx) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
    for (i, x) in samples.iter().enumerate() {
        let (s, c) = (w * i as f64).sin_cos();
        cc += c * c;
        ss += s * s;
        cs += c * s;
        xc += x * c;
        xs += x * s;
        xx += x * x;
    }
    let det = cc * ss - cs * cs;
    if xx <= f64::EPSILON || det.abs() <= f64::EPSILON {
        return 0.0;
    }
    let (a, b) = ((xc * ss - xs * cs) / det, (xs * cc - xc * cs) / det);
    ((a * xc + b * xs) / xx).clamp(0.0, 1.0)
}
