//! Measures how far an echo is behind its reference, so that it stays where the canceller has learnt it.
//!
//! A canceller finds a delay by itself, within a few seconds, and never one that is negative: an echo that is heard
//! before its reference, because the speaker is faster than it says. So the last half second of the microphone is
//! compared with all that was written to the speaker in the last second: by cross-correlation, whitened (Knapp and
//! Carter, 1976, "PHAT"), which gives a sharp peak where one is the other's echo, and none otherwise, no matter who talks.

use std::sync::Arc;

use realfft::num_complex::Complex32;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use crate::voice::BLOCK;

/// One of so many samples is compared: 12 kHz.
const EVERY: usize = 4;
const RATE: f64 = 48_000.0 / EVERY as f64;
/// Samples of a transform, and of what was written: 1.37 s.
const WRITTEN: usize = 16_384;
/// Samples of the microphone: 0.51 s.
const HEARD: usize = 6144;
/// Distances that can be found: the last 0.85 s of what was written.
const PLACES: usize = WRITTEN - HEARD;
/// Compared once in so many blocks.
const PERIOD: u32 = 10;
/// Frequencies that speech has: 150 to 4500 Hz.
const BINS: std::ops::Range<usize> = WRITTEN * 150 / 12_000..WRITTEN * 4500 / 12_000;
/// How much of a frequency's strength is taken out: all would give noise as many votes as speech.
const WHITEN: f32 = 0.8;
/// The peak must stand out of the rest by this factor.
const CLEAR: f32 = 9.0;
/// Quieter than this on average is no sound: −66 dB of full scale.
const QUIET: f32 = 16.0;
/// Found so often within `ALIKE` seconds of each other, it is believed.
const BELIEVED: u32 = 3;
const ALIKE: f64 = 0.001;
/// An echo that moved by more than this is put back; what is less the canceller follows.
const MOVED: f64 = 0.008;
/// An echo is not to be nearer behind its reference than this, nor further; if it is, it is put at `BEST`.
const NEAREST: f64 = 0.001;
const FURTHEST: f64 = 0.4;
const BEST: f64 = 0.04;
/// After a change, nothing is believed for this long: what was heard before is compared with what was not. In vain, it
/// takes twice as long each time.
const HOLD: u32 = 60;
const LONGEST_HOLD: u32 = 3000;

/// See the module.
pub struct DelayWatch {
    forward: Arc<dyn RealToComplex<f32>>,
    back: Arc<dyn ComplexToReal<f32>>,
    written: Line<WRITTEN>,
    heard: Line<HEARD>,
    spectrum: Vec<Complex32>,
    other: Vec<Complex32>,
    samples: Vec<f32>,
    /// Where the echo was behind its reference while the canceller learnt it, in seconds.
    home: Option<f64>,
    last: f64,
    alike: u32,
    wait: u32,
    hold: u32,
}

impl Default for DelayWatch {
    fn default() -> DelayWatch {
        let mut planner = RealFftPlanner::new();
        let forward = planner.plan_fft_forward(WRITTEN);
        DelayWatch {
            spectrum: forward.make_output_vec(),
            other: forward.make_output_vec(),
            samples: forward.make_input_vec(),
            back: planner.plan_fft_inverse(WRITTEN),
            forward,
            written: Line::default(),
            heard: Line::default(),
            home: None,
            last: f64::NAN,
            alike: 0,
            wait: PERIOD,
            hold: HOLD,
        }
    }
}

impl DelayWatch {
    /// Takes in what is written to the speaker.
    pub fn render(&mut self, block: &[i16; BLOCK]) {
        self.written.add(block);
    }

    /// Takes in what the microphone heard; `read` is the number (of all samples written) of the reference's first
    /// sample for it. Says by how many seconds the reference should be read earlier, or later, if negative.
    pub fn capture(&mut self, block: &[i16; BLOCK], read: Option<f64>) -> Option<f64> {
        self.heard.add(block);
        self.wait = self.wait.saturating_sub(1);
        let read = read?;
        if self.wait > 0 {
            return None;
        }
        self.wait = PERIOD;
        let place = self.find()?;
        // `place` counts from the oldest sample that is kept; both lines end where the next block begins.
        let echo = (self.written.count as f64 / EVERY as f64 - WRITTEN as f64 + place + HEARD as f64) / RATE;
        let behind = (read + BLOCK as f64) / 48_000.0 - echo;
        self.alike = if (behind - self.last).abs() < ALIKE { self.alike + 1 } else { 1 };
        self.last = behind;
        if self.alike < BELIEVED {
            return None;
        }
        self.judge(behind)
    }

    /// The microphone lost sound, so that what it heard before cannot be compared any more.
    pub fn interrupt(&mut self) {
        self.heard = Line::default();
        self.alike = 0;
    }

    /// The reference could not be read as early as was wanted: the echo is learnt where it is now.
    pub fn give_way(&mut self) {
        self.home = None;
    }

    /// Whether the canceller has learnt an echo where it is.
    pub fn knows_home(&self) -> bool {
        self.home.is_some()
    }

    fn judge(&mut self, behind: f64) -> Option<f64> {
        let earlier = match self.home {
            Some(home) if (behind - home).abs() > MOVED => home - behind,
            Some(home) => {
                self.home = Some(home + (behind - home) * 0.1);
                self.hold = HOLD;
                return None;
            }
            None if (NEAREST..FURTHEST).contains(&behind) => {
                self.home = Some(behind);
                return None;
            }
            None => BEST - behind,
        };
        self.alike = 0;
        self.wait = self.hold;
        self.hold = (self.hold * 2).min(LONGEST_HOLD);
        Some(earlier)
    }

    /// How many samples behind the oldest one written that is kept the oldest one heard was written.
    fn find(&mut self) -> Option<f64> {
        if self.heard.count < (HEARD * EVERY) as u64 || self.heard.loudness() < QUIET || self.written.loudness() < QUIET
        {
            return None;
        }
        self.samples.fill(0.0);
        self.heard.copy(&mut self.samples[..HEARD]);
        self.forward.process(&mut self.samples, &mut self.spectrum).ok()?;
        self.written.copy(&mut self.samples);
        self.forward.process(&mut self.samples, &mut self.other).ok()?;
        for (n, (heard, written)) in self.spectrum.iter_mut().zip(&self.other).enumerate() {
            let both = heard.conj() * written;
            let strength = both.norm();
            let weighs = BINS.contains(&n) && strength > 0.0;
            *heard = if weighs { both / strength.powf(WHITEN) } else { Complex32::default() };
        }
        self.back.process(&mut self.spectrum, &mut self.samples).ok()?;
        let likeness = &self.samples[..=PLACES];
        let (place, peak) = likeness.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1))?;
        let rest = (likeness.iter().map(|s| s * s).sum::<f32>() / likeness.len() as f32).sqrt();
        if *peak < CLEAR * rest || place == 0 || place == PLACES {
            return None;
        }
        // The top of the parabola through the three highest.
        let (before, after) = (likeness[place - 1], likeness[place + 1]);
        let bend = before - 2.0 * peak + after;
        let off = if bend < 0.0 { 0.5 * (before - after) / bend } else { 0.0 };
        Some(place as f64 + f64::from(off))
    }
}

/// The last samples of a sound, one of four, without what those cannot carry.
struct Line<const LEN: usize> {
    past: Box<[f32]>,
    next: usize,
    /// Samples that went in, at 48 kHz.
    count: u64,
    /// The samples before the block.
    before: [f32; TAPS - 1],
    taps: [f32; TAPS],
}

/// Of the filter that takes away what is above 5 kHz.
const TAPS: usize = 32;

impl<const LEN: usize> Default for Line<LEN> {
    fn default() -> Self {
        let mut taps: [f32; TAPS] = std::array::from_fn(|n| {
            let x = n as f32 - (TAPS as f32 - 1.0) / 2.0;
            let turn = std::f32::consts::TAU * x;
            let window = 0.54 + 0.46 * (turn / TAPS as f32).cos();
            (turn * 5.0 / 48.0).sin() / x * window
        });
        let sum: f32 = taps.iter().sum();
        taps.iter_mut().for_each(|tap| *tap /= sum);
        Line { past: vec![0.0; LEN].into(), next: 0, count: 0, before: [0.0; TAPS - 1], taps }
    }
}

impl<const LEN: usize> Line<LEN> {
    fn add(&mut self, block: &[i16; BLOCK]) {
        let mut sound = [0.0; TAPS - 1 + BLOCK];
        sound[..TAPS - 1].copy_from_slice(&self.before);
        for (sound, sample) in sound[TAPS - 1..].iter_mut().zip(block) {
            *sound = f32::from(*sample);
        }
        for window in sound.windows(TAPS).step_by(EVERY) {
            self.past[self.next] = window.iter().zip(&self.taps).map(|(s, t)| s * t).sum();
            self.next = (self.next + 1) % LEN;
        }
        self.before.copy_from_slice(&sound[BLOCK..]);
        self.count += BLOCK as u64;
    }

    /// The oldest first.
    fn copy(&self, to: &mut [f32]) {
        let (new, old) = self.past.split_at(self.next);
        to[..old.len()].copy_from_slice(old);
        to[old.len()..].copy_from_slice(new);
    }

    fn loudness(&self) -> f32 {
        (self.past.iter().map(|s| s * s).sum::<f32>() / LEN as f32).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use intercom_base::testing::sound::speech_like;

    use super::*;

    /// The microphone hears what was written `late` seconds before, and `other` besides; the reference is read
    /// `read` seconds after its writing. Says when (in blocks) which shift is asked for, which is then done.
    fn watch(late: impl Fn(usize) -> f64, read: f64, other: &[i16]) -> Vec<(usize, f64)> {
        let speech = speech_like(48_000 * 12);
        let mut random = fastrand::Rng::with_seed(2);
        let mut tail = [0.0f32; 3000];
        for (n, tap) in tail.iter_mut().enumerate() {
            *tap = 0.25 * (random.f32() - 0.5) * (-(n as f32) / 900.0).exp();
        }
        tail[0] = 1.0;
        let at = |n: i64| usize::try_from(n).ok().and_then(|n| speech.get(n)).copied().unwrap_or(0);
        let (mut watch, mut read) = (DelayWatch::default(), read * 48_000.0);
        let mut found = Vec::new();
        for block in 0..1000usize {
            watch.render(&std::array::from_fn(|n| at((block * BLOCK + n) as i64)));
            let begin = (block * BLOCK) as i64 - (late(block) * 48_000.0) as i64;
            let heard = std::array::from_fn(|n| {
                let echo: f32 = tail
                    .iter()
                    .step_by(37)
                    .zip((0..).step_by(37))
                    .map(|(t, lag)| t * f32::from(at(begin + n as i64 - lag)))
                    .sum();
                let noise = (random.f32() - 0.5) * 40.0;
                (0.3 * echo + noise) as i16 + other.get(block * BLOCK + n).copied().unwrap_or(0)
            });
            if let Some(earlier) = watch.capture(&heard, Some((block * BLOCK) as f64 - read)) {
                found.push((block, earlier));
                read -= earlier * 48_000.0;
            }
        }
        found
    }

    #[test]
    fn an_echo_that_stays_behind_its_reference_is_let_alone() {
        for behind in [0.003, 0.03, 0.1, 0.3] {
            assert_eq!(watch(|_| 0.1 + behind, 0.1, &[]), [], "{behind} s behind");
        }
    }

    #[test]
    fn an_echo_before_its_reference_is_put_behind_it_within_a_second_and_a_half() {
        for before in [0.0, 0.02, 0.4] {
            let found = watch(|_| 0.02, 0.02 + before, &[]);
            let [(when, earlier)] = found[..] else { panic!("{before} s before: {found:?}") };
            assert!(when < 150, "{before} s before: after {when} blocks");
            assert!((earlier - before - BEST).abs() < 0.0002, "{before} s before: {earlier}");
        }
    }

    #[test]
    fn an_echo_that_jumps_is_put_back_to_where_it_was_within_a_second() {
        for jump in [0.06, -0.06] {
            let late = |block| 0.2 + if block >= 400 { jump } else { 0.0 };
            let found = watch(late, 0.12, &[]);
            let [(when, earlier)] = found[..] else { panic!("by {jump} s: {found:?}") };
            assert!((400..500).contains(&when), "by {jump} s: at block {when}");
            assert!((earlier + jump).abs() < 0.0002, "by {jump} s: {earlier}");
        }
    }

    #[test]
    fn who_talks_at_home_changes_nothing() {
        let talk: Vec<i16> = speech_like(490_000)[9_001..].iter().map(|s| s / 2).collect();
        assert_eq!(watch(|_| 0.15, 0.1, &talk), []);
        // Nor does one whom no echo accompanies.
        assert_eq!(watch(|_| 100.0, 0.1, &talk), []);
    }

    #[test]
    fn an_echo_that_cannot_be_put_back_is_tried_less_and_less() {
        let mut watch = DelayWatch::default();
        let waits = [-0.1; 5].map(|behind| {
            assert_eq!(watch.judge(behind), Some(BEST + 0.1));
            watch.wait
        });
        assert_eq!(waits, [60, 120, 240, 480, 960]);
    }
}
