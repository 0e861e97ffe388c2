//! Converts sound from one rate to another, without a gap, however it is cut into pieces.

use std::f64::consts::PI;
use std::time::Duration;

/// Input samples that each output sample is made of, where the rate goes up; more where it goes down.
const TAPS: usize = 64;
/// Of Kaiser's window: what should not be there is 80 dB lower.
const BETA: f64 = 7.86;
/// Middle of the slope, as a part of half the lower rate. A little of the slope lies beyond, where no speech is.
const CUTOFF: f64 = 0.92;

/// A polyphase filter with a windowed sinc, exact for any two whole rates: nothing drifts, and no block size is its
/// own, so that nothing waits for a block to fill.
pub struct Resampler {
    /// Rates without their common divisor.
    from: usize,
    to: usize,
    rate: u32,
    taps: usize,
    /// A filter for each of the `to` places between two input samples.
    filters: Vec<f32>,
    /// The last `taps - 1` samples, and behind them what is being converted.
    input: Vec<f32>,
    /// Where the next output sample lies behind the first whole window of `input`, in parts of `1/to` input samples.
    place: usize,
}

impl Resampler {
    /// From `from` to `to` samples a second; `None` if they are the same and nothing need be done.
    pub fn new(from: u32, to: u32) -> Option<Resampler> {
        if from == to || from == 0 || to == 0 {
            return None;
        }
        let divisor = gcd(from, to);
        let (rate, from, to) = (from, (from / divisor) as usize, (to / divisor) as usize);
        let shrink = (to as f64 / from as f64).min(1.0);
        let taps = ((TAPS as f64 / shrink).ceil() as usize).next_multiple_of(8);
        let mut resampler = Resampler {
            from,
            to,
            rate,
            taps,
            filters: (0..to).flat_map(|phase| filter(phase as f64 / to as f64, taps, shrink * CUTOFF)).collect(),
            input: Vec::new(),
            place: 0,
        };
        resampler.reset();
        Some(resampler)
    }

    /// How much later sound comes out than it went in.
    pub fn delay(&self) -> Duration {
        Duration::from_secs_f64((self.taps / 2) as f64 / f64::from(self.rate))
    }

    /// Forgets what came before.
    pub fn reset(&mut self) {
        self.input.clear();
        self.input.resize(self.taps - 1, 0.0);
        self.place = 0;
    }

    /// Converts the next samples and appends what comes of them to `out`.
    pub fn process(&mut self, samples: &[i16], out: &mut Vec<i16>) {
        self.input.extend(samples.iter().map(|&sample| f32::from(sample)));
        while let Some(window) = self.input.get(self.place / self.to..self.place / self.to + self.taps) {
            let filter = &self.filters[self.place % self.to * self.taps..][..self.taps];
            out.push(product(window, filter).round() as i16);
            self.place += self.from;
        }
        let done = (self.place / self.to).min(self.input.len() - (self.taps - 1));
        self.input.drain(..done);
        self.place -= done * self.to;
    }

    /// Brings out the last of the sound, followed by a moment of silence, and forgets it.
    pub fn flush(&mut self, out: &mut Vec<i16>) {
        self.process(&vec![0; self.taps], out);
        self.reset();
    }
}

/// In eight lanes, which a processor adds at once.
fn product(window: &[f32], filter: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 8];
    for (window, filter) in window.chunks_exact(8).zip(filter.chunks_exact(8)) {
        for lane in 0..8 {
            lanes[lane] += window[lane] * filter[lane];
        }
    }
    lanes.iter().sum()
}

/// The weights of `taps` input samples for an output sample `shift` (0 to 1) behind the middle one. `cutoff` is a part
/// of half the input's rate. Their sum is 1, so that no place is louder than another.
fn filter(shift: f64, taps: usize, cutoff: f64) -> Vec<f32> {
    let half = taps as f64 / 2.0;
    let weight = |tap: usize| {
        let x = tap as f64 + 1.0 - half - shift;
        let sinc = if x.abs() < 1e-9 { 1.0 } else { (PI * cutoff * x).sin() / (PI * cutoff * x) };
        sinc * bessel(BETA * (1.0 - (x / half).powi(2)).max(0.0).sqrt())
    };
    let weights: Vec<f64> = (0..taps).map(weight).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| (weight / sum) as f32).collect()
}

/// The modified Bessel function of the first kind and order 0.
fn bessel(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for n in 1..64 {
        term *= (x / 2.0 / f64::from(n)).powi(2);
        sum += term;
    }
    sum
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::sound::{fit, sine};

    const RATES: [u32; 11] = [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 88_200, 96_000, 176_400, 192_000];

    fn convert(from: u32, to: u32, sound: &[i16], pieces: impl Fn(usize) -> usize) -> Vec<i16> {
        let mut resampler = Resampler::new(from, to).expect("something to do");
        let (mut out, mut rest, mut n) = (Vec::new(), sound, 0);
        while !rest.is_empty() {
            let (piece, tail) = rest.split_at(pieces(n).clamp(1, rest.len()));
            resampler.process(piece, &mut out);
            (rest, n) = (tail, n + 1);
        }
        out
    }

    #[test]
    fn a_tone_stays_itself_between_all_rates_of_sound_cards() {
        for rate in RATES {
            for (from, to) in [(rate, 48_000), (48_000, rate)] {
                let sound = convert(from, to, &sine(1000.0, from, from as usize), |_| 480);
                assert!(sound.len().abs_diff(to as usize) <= 1, "{from} → {to}: {} samples of a second", sound.len());
                let (db, loud) = fit(&sound[to as usize / 10..], 1000.0, to);
                println!("{from} → {to}: {db:.1} dB");
                assert!(db > 75.0 && (loud - 20_000.0).abs() < 20.0, "{from} → {to}: {db:.1} dB, {loud:.1}");
            }
        }
    }

    #[test]
    fn speech_passes_and_what_the_lower_rate_cannot_carry_does_not() {
        let at = |hz: f64, from: u32, to: u32| {
            let sound = convert(from, to, &sine(hz, from, from as usize), |_| 480);
            let sound = &sound[to as usize / 10..];
            (sound.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / sound.len() as f64).sqrt() * 2f64.sqrt()
                / 20_000.0
        };
        for hz in [50.0, 8_000.0, 15_000.0, 18_000.0] {
            assert!((0.98..1.02).contains(&at(hz, 44_100, 48_000)), "{hz} Hz: {}", at(hz, 44_100, 48_000));
        }
        assert!((0.95..1.05).contains(&at(3_000.0, 48_000, 8_000)), "{}", at(3_000.0, 48_000, 8_000));
        assert!(at(5_000.0, 48_000, 8_000) < 0.001 && at(12_000.0, 48_000, 16_000) < 0.001, "no ghosts");
        let (db, _) = fit(&convert(16_000, 48_000, &sine(5_000.0, 16_000, 16_000), |_| 160)[4_800..], 5_000.0, 48_000);
        assert!(db > 70.0, "{db:.1} dB: no image above");
    }

    #[test]
    fn no_way_of_cutting_it_into_pieces_changes_a_sample() {
        let sound = sine(997.0, 44_100, 20_000);
        let whole = convert(44_100, 48_000, &sound, |_| usize::MAX);
        assert_eq!(convert(44_100, 48_000, &sound, |_| 441), whole);
        assert_eq!(convert(44_100, 48_000, &sound, |_| 1), whole);
        assert_eq!(convert(44_100, 48_000, &sound, |n| n * 37 % 1009), whole);
    }

    #[test]
    fn an_hour_of_sound_is_an_hour_of_sound() {
        let mut resampler = Resampler::new(48_000, 44_100).unwrap();
        let (block, mut out, mut samples) = ([0; 480], Vec::new(), 0usize);
        for _ in 0..360_000 / 100 {
            resampler.process(&block, &mut out);
            samples += out.len();
            out.clear();
        }
        assert_eq!(samples, 3600 * 44_100 / 100);
    }

    #[test]
    fn its_delay_is_what_it_says_and_the_last_of_the_sound_is_not_lost() {
        for (from, to) in [(44_100, 48_000), (48_000, 44_100), (192_000, 48_000), (8_000, 48_000)] {
            let mut resampler = Resampler::new(from, to).unwrap();
            let mut click = vec![0; 50];
            click.push(20_000);
            let mut out = Vec::new();
            resampler.process(&click, &mut out);
            resampler.flush(&mut out);
            let loudest = (0..out.len()).max_by_key(|&n| out[n].unsigned_abs()).unwrap();
            let truth = loudest as f64 / f64::from(to) - 50.0 / f64::from(from);
            let said = resampler.delay().as_secs_f64();
            assert!((truth - said).abs() <= 1.0 / f64::from(from.min(to)), "{from} → {to}: {truth} s, not {said}");
            assert!(out.last().unwrap().unsigned_abs() < 20, "the end is quiet");
        }
        assert!(Resampler::new(48_000, 48_000).is_none());
    }
}
