//! How many bits the camera's scene takes, by the quantizer (QP) that the encoder comes to at its bitrate.
//!
//! People who walk about take several times the bits of an empty room. With too few, a large picture is a blur of blocks, and a
//! smaller one of the same bitrate looks better: to the eye, and by SSIM, at 180 to 720 lines and 220 to 2000 kbit/s.

use std::time::{Duration, Instant};

use intercom_base::units::Bitrate;

/// The QP at which a picture is as large as its bitrate is worth. Above, smaller ones looked better; below, larger ones.
const GOOD: f64 = 29.0;
/// The quantizer's step doubles with each six (H.264, 8.5.9), and the bits are about halved.
const HALVES: f64 = 6.0;

/// Least and most, as powers of two.
const BOUNDS: (f64, f64) = (-2.0, 2.0);

/// The encoder comes to its QP within so long after a keyframe.
const SETTLES: Duration = Duration::from_millis(300);
/// The scene is an average of so long; of less as long as little is known.
const AVERAGE: f64 = 2.5;
const AVERAGE_AT_FIRST: f64 = 0.4;
const FIRST: Duration = Duration::from_secs(3);
/// A frame speaks for so long at most.
const LONGEST: Duration = Duration::from_millis(200);

/// What the scene takes, in proportion to an ordinary one: at first as much as that.
#[derive(Clone, Copy, Debug, Default)]
pub struct Demand {
    /// As a power of two.
    power: f64,
    began: Option<Instant>,
    /// The frame before.
    last: Option<Instant>,
    settled: Option<Instant>,
}

impl Demand {
    /// What the scene takes where an ordinary one takes `ordinary`.
    pub fn of(&self, ordinary: Bitrate) -> Bitrate {
        Bitrate::from_bps((ordinary.bps() as f64 * self.power.exp2()) as u64)
    }

    /// A keyframe was ordered: what comes behind it tells of the scene again.
    pub fn handle_keyframe(&mut self, now: Instant) {
        self.settled = Some(now + SETTLES);
    }

    /// A frame was encoded with this QP, at this bitrate, where an ordinary scene needs `ordinary`.
    pub fn handle_qp(&mut self, qp: u8, bitrate: Bitrate, ordinary: Bitrate, now: Instant) {
        let passed = self.last.replace(now).map_or(LONGEST, |last| now.saturating_duration_since(last).min(LONGEST));
        if self.settled.is_some_and(|settled| now < settled) {
            return;
        }
        let began = *self.began.get_or_insert(now);
        let average = if now.saturating_duration_since(began) < FIRST { AVERAGE_AT_FIRST } else { AVERAGE };
        let ratio = bitrate.bps().max(1) as f64 / ordinary.bps().max(1) as f64;
        let power = ratio.log2() + (f64::from(qp) - GOOD) / HALVES;
        self.power += (power - self.power) * (passed.as_secs_f64() / average).min(1.0);
        self.power = self.power.clamp(BOUNDS.0, BOUNDS.1);
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    const KBPS: fn(u64) -> Bitrate = Bitrate::from_kbps;

    /// Shows `demand` frames of this QP at this bitrate, for an ordinary need of 400 kbit/s; what the scene then takes of 100.
    fn show(demand: &mut Demand, qp: u8, kbps: u64, from: Instant, seconds: u32) -> u64 {
        for n in 0..seconds * 30 {
            demand.handle_qp(qp, KBPS(kbps), KBPS(400), from + n * Duration::from_secs(1) / 30);
        }
        demand.of(KBPS(100)).kbps()
    }

    #[test]
    fn a_scene_takes_what_its_quantizer_says_at_any_bitrate() {
        let now = Instant::now();
        for (qp, kbps, takes) in [(29, 400, 100), (35, 400, 199), (35, 200, 100), (23, 400, 50), (23, 800, 100)] {
            assert!(show(&mut Demand::default(), qp, kbps, now, 3).abs_diff(takes) <= 2, "{qp} {kbps}");
        }
        // Bounded, whatever comes.
        assert_eq!(show(&mut Demand::default(), 51, 5000, now, 9), 400);
        assert_eq!(show(&mut Demand::default(), 0, 0, now, 9), 25);
    }

    #[test]
    fn somebody_who_passes_by_changes_little_and_who_stays_all() {
        let now = Instant::now();
        let mut demand = Demand::default();
        show(&mut demand, 29, 400, now, 10);
        let passed = show(&mut demand, 41, 400, now + Duration::from_secs(10), 1);
        assert!((130..175).contains(&passed), "{passed}");
        assert!(show(&mut demand, 41, 400, now + Duration::from_secs(11), 9) > 350);
    }

    #[test]
    fn what_comes_right_behind_a_keyframe_says_nothing() {
        let now = Instant::now();
        let mut demand = Demand::default();
        show(&mut demand, 29, 400, now, 10);
        demand.handle_keyframe(now + Duration::from_secs(10));
        demand.handle_qp(51, KBPS(400), KBPS(400), now + Duration::from_millis(10_200));
        assert!(demand.of(KBPS(100)).kbps().abs_diff(100) <= 1);
        demand.handle_qp(51, KBPS(400), KBPS(400), now + Duration::from_millis(10_400));
        assert!(demand.of(KBPS(100)).kbps() > 110);
    }
}
