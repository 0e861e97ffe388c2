//! Fixed-rate ticks with a phase locked to the camera.
//!
//! Tick `n` is due at `phase + n * period`, an absolute time, so that ticks do not drift. Each tick is taken once:
//!
//! - by the fresh frame that arrives nearest to it, at the moment of its arrival: a frame never waits;
//! - half a period after it was due, if no frame came, by what is at hand: the newest frame again.
//!
//! The phase follows the arrivals, as long as the camera's rate is a multiple or a fraction of ours (within the
//! tolerance of real clocks), so that arrivals stay in the middle of that half-open window of one period.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use intercom_base::units::FrameRate;

/// Which picture a tick gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tick {
    /// A frame that no tick has had yet.
    Fresh,
    /// The newest frame once more: the camera is late, slower than we are, or stalled.
    Repeat,
}

/// How much of an arrival's error the phase takes over: averages the camera's jitter, follows its drift.
const PHASE_GAIN: i64 = 12;
/// A camera counts as "our rate" if it is at most so much slower (then we follow it) …
const SLOWER: f64 = 0.04;
/// … or faster, in parts of the rate.
const FASTER: f64 = 0.01;
/// Arrivals over which the camera's interval is averaged.
const ARRIVALS: usize = 32;

/// The ticks of one encoder.
#[derive(Debug)]
pub struct Cadence {
    period: Duration,
    /// When the first tick that nobody has taken is due; `None` before the start.
    next: Option<Instant>,
    /// A fresh frame came too early for the next tick; a better one is expected before its grace ends.
    held: bool,
    arrivals: VecDeque<Instant>,
    /// Intervals in a row that do not fit the average at all: the camera changed its rate.
    misfits: u32,
}

impl Cadence {
    /// Ticks at `rate`; stopped.
    pub fn new(rate: FrameRate) -> Cadence {
        Cadence { period: rate.period(), next: None, held: false, arrivals: VecDeque::new(), misfits: 0 }
    }

    /// Time from tick to tick.
    pub fn period(&self) -> Duration {
        self.period
    }

    /// Starts: a tick was taken at `now`, the next is due a period later.
    pub fn start(&mut self, now: Instant) {
        self.next = Some(now + self.period);
        self.held = false;
    }

    /// Stops ticking; arrivals are still watched, so that the camera's rate stays known.
    pub fn stop(&mut self) {
        self.next = None;
        self.held = false;
    }

    /// A frame came from the camera at `arrived`. Says whether it takes a tick now; if not, the newest frame
    /// waits for [`Cadence::poll`] or is replaced by a better one.
    pub fn handle_frame(&mut self, arrived: Instant) -> bool {
        let silence = self.arrivals.back().map(|last| arrived.saturating_duration_since(*last));
        let interval = self.learn(arrived);
        let Some(next) = self.next else { return false };
        // After a stall the old phase means nothing any more.
        if silence.is_none_or(|silence| silence > 3 * self.period.max(interval)) {
            self.start(arrived);
            return true;
        }
        let period = nanos(self.period);
        let mut next = next;
        let mut error = signed(arrived, next);
        while error > period / 2 {
            next += self.period;
            error -= period;
        }
        let early = nanos(interval.min(self.period)) / 2;
        if error < -early {
            self.next = Some(next);
            self.held = true;
            return false;
        }
        let nudge = if self.follows(interval) { error / PHASE_GAIN } else { 0 };
        self.next = Some(shifted(next + self.period, nudge));
        self.held = false;
        true
    }

    /// The tick whose grace is over, if there is one. Ticks missed for longer are left out, not made up for.
    pub fn poll(&mut self, now: Instant) -> Option<Tick> {
        let mut next = self.next?;
        if now < next + self.period / 2 {
            return None;
        }
        while now >= next + self.period / 2 {
            next += self.period;
        }
        self.next = Some(next);
        Some(if std::mem::take(&mut self.held) { Tick::Fresh } else { Tick::Repeat })
    }

    /// When [`Cadence::poll`] has a tick if no frame comes before; `None` while stopped.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next.map(|next| next + self.period / 2)
    }

    /// The frame that waited was encoded outside of the ticks.
    pub fn consumed(&mut self) {
        self.held = false;
    }

    /// Notes an arrival; returns the camera's average interval (our period while it is unknown).
    fn learn(&mut self, arrived: Instant) -> Duration {
        if let Some(last) = self.arrivals.back() {
            let interval = arrived.saturating_duration_since(*last);
            let average = self.interval();
            let fits = interval > average.mul_f64(0.6) && interval < average.mul_f64(1.6);
            self.misfits = if fits { 0 } else { self.misfits + 1 };
            if self.misfits >= 3 {
                self.misfits = 0;
                let last = *last;
                self.arrivals.clear();
                self.arrivals.push_back(last);
            }
        }
        if self.arrivals.len() > ARRIVALS {
            self.arrivals.pop_front();
        }
        self.arrivals.push_back(arrived);
        self.interval()
    }

    fn interval(&self) -> Duration {
        match (self.arrivals.front(), self.arrivals.back()) {
            (Some(first), Some(last)) if self.arrivals.len() > 1 => {
                last.saturating_duration_since(*first) / (self.arrivals.len() as u32 - 1)
            }
            _ => self.period,
        }
    }

    /// Whether the camera's rate is ours, a multiple or a fraction of it.
    fn follows(&self, interval: Duration) -> bool {
        let ratio = interval.as_secs_f64() / self.period.as_secs_f64();
        if ratio <= 0.0 {
            return false;
        }
        // How much slower than the nearest whole relation the camera is.
        let slower = if ratio > 0.9 { ratio / ratio.round() - 1.0 } else { ratio * (1.0 / ratio).round() - 1.0 };
        (-FASTER..=SLOWER).contains(&slower)
    }
}

fn nanos(d: Duration) -> i64 {
    i64::try_from(d.as_nanos()).unwrap_or(i64::MAX)
}

/// `a - b` in nanoseconds.
fn signed(a: Instant, b: Instant) -> i64 {
    if a >= b { nanos(a - b) } else { -nanos(b - a) }
}

fn shifted(at: Instant, by: i64) -> Instant {
    let size = Duration::from_nanos(by.unsigned_abs());
    if by >= 0 { at + size } else { at.checked_sub(size).unwrap_or(at) }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    /// One encode: when, of which frame, and how long that frame had waited if it was fresh.
    #[derive(Debug)]
    struct Encode {
        at: Instant,
        frame: usize,
        tick: Tick,
        waited: Duration,
    }

    /// Plays arrivals against a cadence in virtual time.
    fn play(rate: f64, arrivals: &[Duration], length: Duration) -> (Instant, Vec<Encode>) {
        let origin = Instant::now();
        let mut cadence = Cadence::new(FrameRate::from_fps(rate));
        cadence.start(origin);
        let mut out = Vec::new();
        let mut newest = (0, origin);
        let mut arrivals = arrivals.iter().enumerate().peekable();
        let mut now = origin;
        while now - origin < length {
            let deadline = cadence.poll_timeout().unwrap();
            match arrivals.peek() {
                Some((n, after)) if origin + **after <= deadline => {
                    now = origin + **after;
                    newest = (*n, now);
                    if cadence.handle_frame(now) {
                        out.push(Encode { at: now, frame: *n, tick: Tick::Fresh, waited: Duration::ZERO });
                    }
                    arrivals.next();
                }
                _ => {
                    now = deadline;
                    if let Some(tick) = cadence.poll(now) {
                        out.push(Encode { at: now, frame: newest.0, tick, waited: now - newest.1 });
                    }
                }
            }
        }
        (origin, out)
    }

    fn camera(fps: f64, jitter_ms: f64, seconds: f64) -> Vec<Duration> {
        let mut random = fastrand::Rng::with_seed(7);
        (0..(fps * seconds) as usize)
            .map(|n| {
                let jitter = (random.f64() * 2.0 - 1.0) * jitter_ms / 1e3;
                Duration::from_secs_f64(0.5 + n as f64 / fps + jitter)
            })
            .collect()
    }

    fn fresh(encodes: &[Encode]) -> Vec<&Encode> {
        encodes.iter().filter(|e| e.tick == Tick::Fresh).collect()
    }

    /// After the first second, when the phase is found.
    fn after_start(origin: Instant, encodes: &[Encode]) -> Vec<&Encode> {
        encodes.iter().filter(|e| e.at - origin > Duration::from_secs(2)).collect()
    }

    #[test]
    fn without_a_camera_an_hour_has_exactly_its_ticks() {
        let (_, encodes) = play(30.0, &[], Duration::from_secs(3600));
        assert!((107_998..=108_001).contains(&encodes.len()), "{}", encodes.len());
        let gaps: Vec<_> = encodes.windows(2).map(|w| w[1].at - w[0].at).collect();
        assert!(gaps.iter().all(|gap| *gap == FrameRate::from_fps(30.0).period()));
    }

    #[test]
    fn a_steady_camera_never_waits_and_is_never_repeated() {
        for fps in [30.0, 29.97, 30.02] {
            let (origin, encodes) = play(30.0, &camera(fps, 0.0, 120.0), Duration::from_secs(120));
            let after_start = after_start(origin, &encodes);
            assert!(after_start.iter().all(|e| e.tick == Tick::Fresh && e.waited.is_zero()), "{fps}");
            assert!(after_start.windows(2).all(|w| w[1].frame == w[0].frame + 1), "{fps}: a frame was left out");
        }
    }

    #[test]
    fn jitter_of_five_milliseconds_makes_nobody_wait() {
        for fps in [30.0, 29.97] {
            let (origin, encodes) = play(30.0, &camera(fps, 5.0, 600.0), Duration::from_secs(600));
            let after_start = after_start(origin, &encodes);
            assert!(after_start.iter().all(|e| e.waited < Duration::from_millis(1)), "{fps}");
            let repeats = after_start.iter().filter(|e| e.tick == Tick::Repeat).count();
            assert_eq!(repeats, 0, "{fps}");
            assert!(after_start.windows(2).all(|w| w[1].frame == w[0].frame + 1), "{fps}: a frame was left out");
        }
    }

    #[test]
    fn a_drop_to_fifteen_keeps_the_rate_and_still_nobody_waits() {
        let mut arrivals = camera(30.0, 2.0, 10.0);
        let end = *arrivals.last().unwrap();
        arrivals.extend((1..150).map(|n| end + Duration::from_secs_f64(n as f64 / 15.0)));
        let (origin, encodes) = play(30.0, &arrivals, Duration::from_secs(20));
        let late =
            fresh(&encodes).iter().filter(|e| e.at - origin > Duration::from_secs(1)).any(|e| !e.waited.is_zero());
        assert!(!late);
        let dark: Vec<_> = encodes.iter().filter(|e| e.at - origin > Duration::from_secs(12)).collect();
        let repeats = dark.iter().filter(|e| e.tick == Tick::Repeat).count();
        assert!((dark.len() as f64 / 8.0 - 30.0).abs() < 0.5, "{} ticks in 8 s", dark.len());
        assert!(repeats.abs_diff(dark.len() / 2) < 3, "{repeats} of {}", dark.len());
    }

    #[test]
    fn a_camera_twice_as_fast_is_halved_evenly() {
        for (fps, rate, jitter) in [(60.0, 30.0, 0.0), (60.0, 30.0, 4.0), (30.0, 15.0, 5.0), (90.0, 30.0, 1.0)] {
            let (origin, encodes) = play(rate, &camera(fps, jitter, 60.0), Duration::from_secs(60));
            let after_start = after_start(origin, &encodes);
            let step = (fps / rate) as usize;
            let uneven = after_start.windows(2).filter(|w| w[1].frame != w[0].frame + step).count();
            assert_eq!(uneven, 0, "{fps} to {rate}");
            assert!(after_start.iter().all(|e| e.waited.is_zero()), "{fps} to {rate}");
        }
    }

    #[test]
    fn odd_rates_keep_ours_on_average_and_nobody_waits() {
        for fps in [33.0, 40.0, 45.0, 50.0, 24.0, 25.0, 20.0, 12.5] {
            let (origin, encodes) = play(30.0, &camera(fps, 1.0, 100.0), Duration::from_secs(100));
            let after_start = after_start(origin, &encodes);
            let rate = after_start.len() as f64 / 98.0;
            assert!((rate - 30.0).abs() < 0.35, "{fps}: {rate}");
            assert!(after_start.iter().filter(|e| e.tick == Tick::Fresh).all(|e| e.waited.is_zero()), "{fps}");
            let seen = after_start.iter().filter(|e| e.tick == Tick::Fresh).count() as f64 / 98.0;
            assert!((seen - fps.min(30.0)).abs() < 0.5, "{fps}: {seen} fresh frames a second");
        }
    }

    #[test]
    fn a_stall_is_bridged_and_the_first_frame_after_it_goes_at_once() {
        let mut arrivals = camera(30.0, 0.0, 5.0);
        arrivals.extend((0..90).map(|n| Duration::from_secs_f64(8.0123 + n as f64 / 30.0)));
        let (origin, encodes) = play(30.0, &arrivals, Duration::from_secs(10));
        let stalled = encodes.iter().filter(|e| (6.0..8.0).contains(&(e.at - origin).as_secs_f64())).count();
        assert!((59..=61).contains(&stalled), "{stalled}");
        let back: Vec<_> = encodes.iter().filter(|e| (e.at - origin).as_secs_f64() > 8.0123).collect();
        assert!(back.iter().all(|e| e.tick == Tick::Fresh && e.waited.is_zero()));
    }

    #[test]
    fn a_thread_that_slept_makes_up_for_nothing() {
        let origin = Instant::now();
        let mut cadence = Cadence::new(FrameRate::from_fps(30.0));
        cadence.start(origin);
        assert_eq!(cadence.poll(origin + Duration::from_secs(2)), Some(Tick::Repeat));
        assert_eq!(cadence.poll(origin + Duration::from_secs(2)), None);
    }
}
