//! Reads sound between its samples, for a reference that must not be off by half a sample.

use std::f64::consts::PI;

/// Samples that one in between is made of.
pub const TAPS: usize = 16;
/// Steps between two samples; in between those, linear.
const PHASES: usize = 64;

/// A windowed sinc, tabled.
pub struct Fraction {
    table: Box<[[f32; TAPS]]>,
}

impl Default for Fraction {
    fn default() -> Fraction {
        Fraction { table: (0..=PHASES).map(|phase| taps(phase as f64 / PHASES as f64)).collect() }
    }
}

impl Fraction {
    /// What lies `between` (0 to 1) the two samples in the middle of `around`.
    pub fn read(&self, around: &[f32; TAPS], between: f32) -> f32 {
        let place = between.clamp(0.0, 1.0) * PHASES as f32;
        let phase = (place as usize).min(PHASES - 1);
        let rest = place - phase as f32;
        let (low, high) = (&self.table[phase], &self.table[phase + 1]);
        let sum = |taps: &[f32; TAPS]| around.iter().zip(taps).map(|(sample, tap)| sample * tap).sum::<f32>();
        let low = sum(low);
        if rest == 0.0 { low } else { low + (sum(high) - low) * rest }
    }
}

fn taps(between: f64) -> [f32; TAPS] {
    let middle = (TAPS / 2 - 1) as f64 + between;
    let weights: [f64; TAPS] = std::array::from_fn(|n| {
        let x = n as f64 - middle;
        let window = 0.42 + 0.5 * (2.0 * PI * x / TAPS as f64).cos() + 0.08 * (4.0 * PI * x / TAPS as f64).cos();
        let sinc = if x.abs() < 1e-9 { 1.0 } else { (PI * x).sin() / (PI * x) };
        // The window ends where the taps do; beyond, its formula would rise again.
        if x.abs() > TAPS as f64 / 2.0 { 0.0 } else { window * sinc }
    });
    let sum: f64 = weights.iter().sum();
    weights.map(|weight| (weight / sum) as f32)
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    #[test]
    fn on_a_sample_it_is_that_sample() {
        let fraction = Fraction::default();
        let around: [f32; TAPS] = std::array::from_fn(|n| (n * n % 7) as f32);
        assert!((fraction.read(&around, 0.0) - around[TAPS / 2 - 1]).abs() < 1e-5);
        assert!((fraction.read(&around, 1.0) - around[TAPS / 2]).abs() < 1e-5);
    }

    #[test]
    fn what_speech_consists_of_is_read_cleanly_anywhere() {
        let fraction = Fraction::default();
        for hz in [100.0, 1000.0, 4000.0, 8000.0, 12_000.0] {
            let wave = |at: f64| (TAU * hz / 48_000.0 * at).sin();
            let mut worst = 0.0f64;
            for n in 0..500 {
                let at = f64::from(n) * 1.037;
                let first = at.floor() - (TAPS / 2 - 1) as f64;
                let around: [f32; TAPS] = std::array::from_fn(|k| wave(first + k as f64) as f32);
                worst = worst.max((f64::from(fraction.read(&around, at.fract() as f32)) - wave(at)).abs());
            }
            assert!(20.0 * worst.log10() < -60.0, "{hz} Hz: {:.0} dB", 20.0 * worst.log10());
        }
    }
}
