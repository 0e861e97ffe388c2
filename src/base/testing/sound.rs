//! Sounds for tests, and what an ear would say of them: pitch, level, clicks.

use std::f32::consts::TAU;
use std::f64::consts::PI;

/// A sine of `hz` at a quarter of full scale.
pub fn tone(hz: f32, samples: usize) -> Vec<i16> {
    (0..samples).map(|n| (8000.0 * (TAU * hz * n as f32 / 48_000.0).sin()) as i16).collect()
}

/// Voiced syllables with harmonics and pauses: what a codec takes for speech.
pub fn speech_like(samples: usize) -> Vec<i16> {
    let mut random = fastrand::Rng::with_seed(9);
    let mut phase = 0.0f32;
    (0..samples)
        .map(|n| {
            let t = n as f32 / 48_000.0;
            let pitch = 120.0 + 25.0 * (TAU * 0.7 * t).sin();
            phase = (phase + pitch / 48_000.0).fract();
            let syllable = (TAU * 1.8 * t).sin().max(0.0).powf(0.6);
            let voice: f32 = (1..20)
                .map(|k| {
                    let k = k as f32;
                    let formant = (-((k * pitch - 600.0) / 400.0).powi(2)).exp()
                        + 0.4 * (-((k * pitch - 1700.0) / 500.0).powi(2)).exp();
                    formant * (TAU * k * phase).sin()
                })
                .sum();
            (syllable * voice * 5000.0 + (random.f32() - 0.5) * 60.0) as i16
        })
        .collect()
}

/// Level in dB of full scale; silence is −120.
pub fn level_db(sound: &[i16]) -> f64 {
    let power = sound.iter().map(|s| (f64::from(*s) / 32_768.0).powi(2)).sum::<f64>() / sound.len().max(1) as f64;
    (10.0 * power.log10()).max(-120.0)
}

/// The share of the power that lies at `hz` (within about 25 Hz for a second of sound).
pub fn tone_share(sound: &[i16], hz: f32) -> f64 {
    let total: f64 = sound.iter().map(|s| f64::from(*s).powi(2)).sum();
    let chunk = 1920;
    let found: f64 = sound
        .chunks_exact(chunk)
        .map(|part| {
            let (mut re, mut im) = (0.0, 0.0);
            for (n, s) in part.iter().enumerate() {
                let angle = f64::from(TAU) * f64::from(hz) * n as f64 / 48_000.0;
                re += f64::from(*s) * angle.cos();
                im += f64::from(*s) * angle.sin();
            }
            2.0 * (re * re + im * im) / chunk as f64
        })
        .sum();
    found / total.max(1.0)
}

/// The largest step between neighbouring samples: a click in a soft low tone stands out of its own slope.
pub fn largest_step(sound: &[i16]) -> i32 {
    sound.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max().unwrap_or(0)
}

/// A sine of `hz` at `rate` samples a second, its amplitude 20 000.
pub fn sine(hz: f64, rate: u32, samples: usize) -> Vec<i16> {
    let step = 2.0 * PI * hz / f64::from(rate);
    (0..samples).map(|n| (20_000.0 * (n as f64 * step).sin()).round() as i16).collect()
}

/// Signal to noise in dB: the best sine of `hz` against all that it does not explain; and its amplitude.
pub fn fit(sound: &[i16], hz: f64, rate: u32) -> (f64, f64) {
    let step = 2.0 * PI * hz / f64::from(rate);
    let (mut cc, mut ss, mut cs, mut xc, mut xs) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (n, &x) in sound.iter().enumerate() {
        let ((s, c), x) = ((n as f64 * step).sin_cos(), f64::from(x));
        (cc, ss, cs, xc, xs) = (cc + c * c, ss + s * s, cs + c * s, xc + x * c, xs + x * s);
    }
    let det = cc * ss - cs * cs;
    let (a, b) = ((xc * ss - xs * cs) / det, (xs * cc - xc * cs) / det);
    let (mut signal, mut noise) = (0.0, 0.0);
    for (n, &x) in sound.iter().enumerate() {
        let (s, c) = (n as f64 * step).sin_cos();
        let fit = a * c + b * s;
        signal += fit * fit;
        noise += (f64::from(x) - fit).powi(2);
    }
    (10.0 * (signal / noise.max(1e-9)).log10(), a.hypot(b))
}
