//! How large an encoder's picture is at which bitrate.
//!
//! A picture with too few bits is a blur whatever its size. So below what the full size needs, the picture gets smaller in
//! steps, and each step needs bits in proportion to its pixels, and to what the scene takes ([`demand`]). A change of size costs a
//! keyframe: down is at once, since what the path does not carry waits in its queue; up waits until the bitrate has held.
//!
//! [`demand`]: crate::rate::demand

use std::time::{Duration, Instant};

use intercom_base::settings::Rung;
use intercom_base::units::Bitrate;

use crate::rate::demand::Demand;

/// The sides of the steps, in eighths of the full picture's.
const EIGHTHS: [u32; 5] = [8, 6, 4, 3, 2];

/// A step is kept until the bitrate is below this part of what it needs, in percent ...
const KEPT: u64 = 85;
/// ... and climbed to when the bitrate is above this part of it, ...
const CLIMBED: u64 = 115;
/// A first picture of which nothing is known is small enough to come soon.
const BEGUN: u64 = 105;
/// ... for so long. In its first seconds an encode follows what is found out about the path at once.
const HELD: Duration = Duration::from_secs(3);
const HELD_AT_FIRST: Duration = Duration::from_millis(300);
const FIRST: Duration = Duration::from_secs(8);
/// A step that was left again within this was climbed too early: the next climb waits twice as long, up to the longest.
const TOO_EARLY: Duration = Duration::from_secs(15);
const LONGEST_HELD: Duration = Duration::from_secs(48);

/// Below its floor, an encoder leaves frames out rather than quality: at most all but one of so many.
pub const MOST_STRIDE: u64 = 4;

/// One size of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// The bitrate from which on it is worth having, of an ordinary scene.
    pub need: Bitrate,
    /// Never more than this.
    pub max: Bitrate,
    /// One of so many ticks gets a frame.
    pub every: u64,
}

/// The sizes of one encode, and which one it has now.
#[derive(Clone, Debug)]
pub struct Sizes {
    steps: Vec<Size>,
    /// Below this, frames are left out rather than quality.
    floor: Bitrate,
    at: usize,
    demand: Demand,
    began: Option<Instant>,
    /// Since when the bitrate has been enough for a larger picture.
    ample_since: Option<Instant>,
    climbed: Option<Instant>,
    held: Duration,
}

impl Sizes {
    /// From `full` down to `least`, in steps of the same shape.
    pub fn new(full: &Rung, least: &Rung) -> Sizes {
        let pixels = |width: u32, height: u32| u64::from(width) * u64::from(height);
        let step = |eighths: u32| {
            let side = |side: u32| (side * eighths / 8) & !1;
            let (width, height) = (side(full.width), side(full.height));
            let need = full.floor.bps() * pixels(width, height) / pixels(full.width, full.height).max(1);
            Size { width, height, need: Bitrate::from_bps(need), max: full.max, every: 1 }
        };
        let larger = |size: &Size| size.width > least.width && size.height > least.height;
        let mut steps: Vec<Size> = EIGHTHS.into_iter().map(step).take_while(larger).collect();
        let need = steps.last().map_or(least.floor, |above| least.floor.min(above.need));
        let every = (full.rate.fps() / least.rate.fps()).round() as u64;
        let Rung { width, height, floor, max, .. } = *least;
        steps.push(Size { width, height, need, max, every: every.max(1) });
        Sizes {
            steps,
            floor,
            at: 0,
            demand: Demand::default(),
            began: None,
            ample_since: None,
            climbed: None,
            held: HELD,
        }
    }

    /// The size that the picture has now.
    pub fn size(&self) -> Size {
        self.steps[self.at]
    }

    /// Below this bitrate, frames are left out rather than quality.
    pub fn floor(&self) -> Bitrate {
        self.floor
    }

    fn is_least(&self) -> bool {
        self.at + 1 == self.steps.len()
    }

    /// Whether there is no larger one.
    pub fn is_full(&self) -> bool {
        self.at == 0
    }

    /// Nobody looks any more: the next run begins anew.
    pub fn handle_stop(&mut self) {
        (self.began, self.ample_since, self.climbed, self.held) = (None, None, None, HELD);
        self.demand = Demand::default();
    }

    /// A frame of this size was encoded at this bitrate, with this quantizer (QP).
    pub fn handle_qp(&mut self, qp: u8, bitrate: Bitrate, now: Instant) {
        // Below its floor an encoder leaves frames out, and gives the others their bits.
        self.demand.handle_qp(qp, bitrate.max(self.floor), self.size().need, now);
    }

    /// A frame, or a keyframe, is to be encoded at this bitrate. Whether the size changed, so that it must be a keyframe.
    pub fn handle_frame(&mut self, bitrate: Bitrate, keyframe: bool, now: Instant) -> bool {
        let was = self.at;
        self.walk(bitrate, now);
        let resized = self.at != was;
        if keyframe || resized {
            self.demand.handle_keyframe(now);
        }
        resized
    }

    fn walk(&mut self, bitrate: Bitrate, now: Instant) {
        let Some(began) = self.began else {
            self.began = Some(now);
            self.at = self.fitting(bitrate, BEGUN);
            return;
        };
        if bitrate < self.need(&self.size(), KEPT) && !self.is_least() {
            let early = self.climbed.take().is_some_and(|t| now.saturating_duration_since(t) < TOO_EARLY);
            self.held = if early { (self.held * 2).min(LONGEST_HELD) } else { HELD };
            self.ample_since = None;
            self.at = self.fitting(bitrate, 100).max(self.at + 1);
            return;
        }
        let goal = self.fitting(bitrate, CLIMBED);
        if goal >= self.at {
            self.ample_since = None;
            return;
        }
        let since = *self.ample_since.get_or_insert(now);
        let first = now.saturating_duration_since(began) < FIRST && self.held == HELD;
        if now.saturating_duration_since(since) < if first { HELD_AT_FIRST } else { self.held } {
            return;
        }
        (self.at, self.ample_since, self.climbed) = (goal, None, Some(now));
    }

    /// So many percent of what a size needs of this scene; the highest bitrate is enough for any.
    fn need(&self, size: &Size, percent: u64) -> Bitrate {
        // Orders stop at the highest, and changes under 5 % are none.
        self.demand.of(size.need).percent(percent).min(size.max.percent(95))
    }

    /// The largest size of whose need the bitrate is at least so many percent.
    fn fitting(&self, bitrate: Bitrate, percent: u64) -> usize {
        let fits = |size: &Size| bitrate >= self.need(size, percent);
        self.steps.iter().position(fits).unwrap_or(self.steps.len() - 1)
    }
}

/// One of so many ticks gets a frame where all of them would need `floor`.
pub fn stride(bitrate: Bitrate, floor: Bitrate) -> u64 {
    floor.bps().div_ceil(bitrate.bps().max(1)).clamp(1, MOST_STRIDE)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use intercom_base::units::FrameRate;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn rung(width: u32, height: u32, floor: u64) -> Rung {
        let (floor, max) = (Bitrate::from_kbps(floor), Bitrate::from_kbps(2500));
        Rung { width, height, rate: FrameRate::from_fps(30.0), floor, max }
    }

    fn sizes() -> Sizes {
        Sizes::new(&rung(1280, 720, 1000), &rung(320, 180, 60))
    }

    /// Runs at this bitrate for so long; the sizes that it had, in widths.
    fn run(sizes: &mut Sizes, kbps: u64, from: Instant, time: Duration) -> Vec<u32> {
        let mut widths = vec![];
        for n in 0..time.as_millis() as u32 / 33 {
            sizes.handle_frame(Bitrate::from_kbps(kbps), false, from + n * 33 * MS);
            if widths.last() != Some(&sizes.size().width) {
                widths.push(sizes.size().width);
            }
        }
        widths
    }

    #[test]
    fn steps_keep_the_shape_and_need_bits_by_their_pixels() {
        let all = |sizes: &Sizes| sizes.steps.iter().map(|s| (s.width, s.height, s.need.kbps())).collect::<Vec<_>>();
        assert_eq!(
            all(&sizes()),
            [(1280, 720, 1000), (960, 540, 562), (640, 360, 250), (480, 270, 140), (320, 180, 60)]
        );
        assert_eq!(all(&Sizes::new(&rung(640, 480, 350), &rung(240, 180, 60))).last(), Some(&(240, 180, 60)));
        let only = rung(640, 480, 350);
        assert_eq!(all(&Sizes::new(&only, &only)), [(640, 480, 350)]);
    }

    #[test]
    fn a_run_begins_with_what_the_bitrate_is_worth() {
        let now = Instant::now();
        for (kbps, width) in [(3000, 1280), (999, 960), (300, 640), (61, 320), (5, 320)] {
            assert_eq!(run(&mut sizes(), kbps, now, 100 * MS), [width], "{kbps}");
        }
    }

    #[test]
    fn down_is_at_once_and_a_little_less_is_borne() {
        let now = Instant::now();
        let mut sizes = sizes();
        run(&mut sizes, 2000, now, 100 * MS);
        assert_eq!(run(&mut sizes, 860, now + 1000 * MS, 5000 * MS), [1280]);
        assert_eq!(run(&mut sizes, 840, now + 9000 * MS, 100 * MS), [960]);
        assert!(sizes.handle_frame(Bitrate::from_kbps(100), false, now + 9200 * MS));
        assert_eq!(sizes.size().width, 320);
        assert!(!sizes.is_full());
    }

    /// Shows a scene that takes so many times the bits of an ordinary one, at this bitrate, with a keyframe each `keyframes` frames.
    /// A keyframe's bits are missing in the frames behind it.
    fn show(sizes: &mut Sizes, takes: f64, kbps: u64, from: &mut Instant, seconds: u32, keyframes: u32) -> Vec<u32> {
        let mut widths = vec![];
        let bitrate = Bitrate::from_kbps(kbps);
        for n in 0..seconds * 30 {
            sizes.handle_frame(bitrate, n % keyframes == 0, *from);
            let qp = 29.0 + 6.0 * (takes * sizes.size().need.bps() as f64 / bitrate.bps() as f64).log2();
            let behind = if n % keyframes < 9 { 8.0 } else { 0.0 };
            sizes.handle_qp((qp + behind).round() as u8, bitrate, *from);
            if widths.last() != Some(&sizes.size().width) {
                widths.push(sizes.size().width);
            }
            *from += 33 * MS;
        }
        widths
    }

    #[test]
    fn a_lively_scene_gets_a_smaller_picture_and_a_calm_one_a_larger() {
        for (takes, kbps, width) in [(2.0, 800, 640), (1.0, 800, 960), (4.0, 800, 480), (4.0, 2400, 1280)] {
            let mut sizes = sizes();
            let widths = show(&mut sizes, takes, kbps, &mut Instant::now(), 20, 10_000);
            assert_eq!(widths.last(), Some(&width), "{takes} times the bits, {kbps} kbit/s");
        }
    }

    #[test]
    fn viewers_who_ask_for_keyframes_all_the_time_get_no_smaller_picture() {
        let mut sizes = sizes();
        assert_eq!(show(&mut sizes, 1.0, 800, &mut Instant::now(), 30, 15), [960]);
    }

    #[test]
    fn a_scene_that_comes_and_goes_does_not_make_the_size_flap() {
        let (mut sizes, now) = (sizes(), &mut Instant::now());
        let changes: usize = (0..20).map(|n| show(&mut sizes, [1.0, 3.0][n % 2], 800, now, 6, 10_000).len() - 1).sum();
        assert!((1..=14).contains(&changes), "{changes} in two minutes");
    }

    #[test]
    fn a_young_encode_climbs_as_fast_as_the_path_is_known_and_an_old_one_waits() {
        let now = Instant::now();
        let mut young = sizes();
        run(&mut young, 300, now, 500 * MS);
        assert_eq!(run(&mut young, 2000, now + 500 * MS, 700 * MS), [640, 1280]);
        let mut old = sizes();
        run(&mut old, 300, now, 20_000 * MS);
        assert_eq!(run(&mut old, 2000, now + 20_000 * MS, 2900 * MS), [640]);
        assert_eq!(run(&mut old, 2000, now + 22_900 * MS, 300 * MS), [640, 1280]);
    }

    #[test]
    fn each_climb_that_did_not_hold_makes_the_next_one_wait_longer() {
        let now = Instant::now();
        let mut sizes = sizes();
        let mut at = 20_000;
        run(&mut sizes, 300, now, 20_000 * MS);
        let mut waits = vec![];
        for _ in 0..4 {
            let since = at;
            while sizes.size().width < 1280 {
                sizes.handle_frame(Bitrate::from_kbps(2000), false, now + at * MS);
                at += 100;
            }
            waits.push((at - since) / 1000);
            sizes.handle_frame(Bitrate::from_kbps(300), false, now + at * MS);
        }
        assert_eq!(waits, [3, 6, 12, 24]);
    }

    #[test]
    fn a_size_whose_need_is_the_highest_bitrate_is_reached() {
        let now = Instant::now();
        let full = Rung { max: Bitrate::from_kbps(800), ..rung(1280, 720, 800) };
        let mut sizes = Sizes::new(&full, &rung(320, 180, 60));
        run(&mut sizes, 260, now, 500 * MS);
        assert_eq!(run(&mut sizes, 765, now + 500 * MS, 700 * MS), [640, 1280]);
    }

    #[test]
    fn who_comes_after_a_pause_begins_anew() {
        let now = Instant::now();
        let mut sizes = sizes();
        run(&mut sizes, 100, now, 20_000 * MS);
        sizes.handle_stop();
        assert!(sizes.handle_frame(Bitrate::from_kbps(2000), false, now + 20_000 * MS));
        assert!(sizes.is_full());
        // With what the scene took before, it would be small.
        show(&mut sizes, 4.0, 1200, &mut (now + 21_000 * MS), 10, 10_000);
        sizes.handle_stop();
        assert_eq!(run(&mut sizes, 1200, now + 40_000 * MS, 100 * MS), [1280]);
    }
}
