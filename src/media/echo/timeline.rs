//! Smooths the instants that a sound card tells for its blocks: reports jitter, the card's own clock does not.

use crate::voice::BLOCK;

/// Seconds of a sample by a card whose clock runs as ours does.
const SAMPLE: f64 = 1.0 / 48_000.0;
/// After so many blocks (5 s) a new report no longer counts more than this one part of them.
const MEMORY: u32 = 500;
/// What a report says about the clock's speed, for each second that it is off: settles within some ten seconds.
const SPEED: f64 = 2e-6;
/// Clocks of cards differ by less than this.
const FASTEST: f64 = 500e-6;
/// A report that is further off than this counts as if it were off by this much.
const OUTLIER: f64 = 0.004;
/// Off by this much on average: the line has jumped.
const JUMP: f64 = 0.004;
/// So much does one report count in that average, and no report counts as more than `MOST` off: five of them make a
/// jump, one wild one does not.
const SHARE: f64 = 1.0 / 16.0;
const MOST: f64 = 0.02;
/// A report that is off by this much is a gap by itself.
const GAP: f64 = 0.2;
/// Errors kept to find where a jump began: 320 ms.
const KEPT: usize = 32;

/// Where a block lies on the line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placed {
    /// When the block's first sample passes the card, in seconds.
    pub at: f64,
    /// The line broke: so many blocks before this one belong to the new line already.
    pub jump: Option<u32>,
}

/// A line through the reports of one card: when each of its blocks, 10 ms long by its own clock, passes.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// When the next block is expected; `None` before the first.
    next: Option<f64>,
    /// The card's clock is slower than ours by this part.
    slow: f64,
    /// Blocks on this line, up to `MEMORY`.
    blocks: u32,
    /// How far off the last reports were on average.
    off: f64,
    errors: [f64; KEPT],
    /// How many of `errors` belong to this line; the newest is the first.
    known: usize,
}

impl Timeline {
    /// Seconds that a sample takes on this card.
    pub fn pace(&self) -> f64 {
        SAMPLE * (1.0 + self.slow)
    }

    /// Takes in the next block, whose first sample passes at `told` (seconds) as the card says.
    pub fn handle(&mut self, told: f64) -> Placed {
        let Some(expected) = self.next else { return self.begin(told, None) };
        let error = told - expected;
        if error.abs() > GAP {
            return self.begin(told, Some(0));
        }
        self.errors.rotate_right(1);
        self.errors[0] = error;
        self.known = (self.known + 1).min(KEPT);
        self.off += (error.clamp(-MOST, MOST) - self.off) * SHARE;
        if self.off.abs() > JUMP {
            return self.jump(expected);
        }
        self.blocks = (self.blocks + 1).min(MEMORY);
        let trusted = error.clamp(-OUTLIER, OUTLIER);
        let at = expected + trusted / f64::from(self.blocks);
        if self.blocks > MEMORY / 5 {
            self.slow = (self.slow + trusted * SPEED / 0.01).clamp(-FASTEST, FASTEST);
        }
        self.next = Some(at + BLOCK as f64 * self.pace());
        Placed { at, jump: None }
    }

    fn begin(&mut self, at: f64, jump: Option<u32>) -> Placed {
        (self.blocks, self.off, self.known) = (1, 0.0, 0);
        self.next = Some(at + BLOCK as f64 * self.pace());
        Placed { at, jump }
    }

    /// The new line goes through those of the last reports that were off to the same side.
    fn jump(&mut self, expected: f64) -> Placed {
        let side = self.off.signum();
        let run = self.errors[..self.known].iter().take_while(|error| **error * side > JUMP / 2.0).count().max(1);
        let mut last = self.errors;
        let last = &mut last[..run];
        last.sort_by(f64::total_cmp);
        let at = expected + last[run / 2];
        let placed = self.begin(at, Some(run as u32 - 1));
        self.blocks = run as u32;
        placed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reports of a card that is `ppm` slow, off by up to `jitter` seconds each.
    fn reports(count: usize, ppm: f64, jitter: f64) -> Vec<f64> {
        let mut random = fastrand::Rng::with_seed(3);
        (0..count).map(|n| n as f64 * 0.01 * (1.0 + ppm * 1e-6) + (random.f64() * 2.0 - 1.0) * jitter).collect()
    }

    #[test]
    fn exact_reports_are_taken_as_they_are() {
        let mut line = Timeline::default();
        for told in reports(3000, 0.0, 0.0) {
            let placed = line.handle(told);
            assert!((placed.at - told).abs() < 1e-9);
            assert_eq!(placed.jump, None);
        }
    }

    #[test]
    fn jitter_is_smoothed_and_the_cards_own_speed_found() {
        for ppm in [-100.0, 0.0, 100.0] {
            let mut line = Timeline::default();
            let (mut worst, mut step) = (0.0f64, 0.0f64);
            let mut before = None;
            for (n, told) in reports(6000, ppm, 0.003).into_iter().enumerate() {
                let placed = line.handle(told);
                assert_eq!(placed.jump, None, "block {n}");
                let truth = n as f64 * 0.01 * (1.0 + ppm * 1e-6);
                if n > 1500 {
                    worst = worst.max((placed.at - truth).abs());
                    step = step.max((placed.at - before.unwrap_or(placed.at) - 0.01f64).abs());
                }
                before = Some(placed.at);
            }
            assert!(worst < 0.0007, "{worst} s off at {ppm} ppm");
            assert!(step < 0.00001, "{step} s from one block to the next");
            assert!((line.slow * 1e6 - ppm).abs() < 40.0, "{} instead of {ppm}", line.slow * 1e6);
        }
    }

    #[test]
    fn a_jump_is_found_within_a_tenth_of_a_second_and_where_it_began() {
        for by in [0.06, -0.06, 0.015] {
            let mut line = Timeline::default();
            let mut jumps = Vec::new();
            for (n, told) in reports(3000, 50.0, 0.002).into_iter().enumerate() {
                let placed = line.handle(told + if n >= 2000 { by } else { 0.0 });
                jumps.extend(placed.jump.map(|ago| (n, n - ago as usize)));
            }
            assert_eq!(jumps.len(), 1, "{jumps:?}");
            assert!(jumps[0].0 < 2010 && jumps[0].1 == 2000, "{jumps:?}");
            let off = line.next.unwrap() - (30.0 * (1.0 + 50e-6) + by);
            assert!(off.abs() < 0.0007, "{off}");
        }
    }

    #[test]
    fn one_wild_report_is_no_jump_and_a_pause_is_one_at_once() {
        let mut line = Timeline::default();
        for (n, told) in reports(1000, 0.0, 0.001).into_iter().enumerate() {
            let placed = line.handle(told + if n % 100 == 50 { 0.15 } else { 0.0 });
            assert_eq!(placed.jump, None);
        }
        let placed = line.handle(25.0);
        assert_eq!(placed, Placed { at: 25.0, jump: Some(0) });
    }
}
