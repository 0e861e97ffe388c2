//! What one video encoder does next: its ticks, the keyframes it owes, and the card while the camera is away.

use std::time::{Duration, Instant};

use intercom_base::units::{Bitrate, FrameRate};

use crate::rate::cadence::Cadence;
use crate::rate::sizes::{Size, Sizes, stride};

/// A frame of this age is still good enough for a keyframe that somebody waits for.
const FRESH_ENOUGH: Duration = Duration::from_millis(100);
/// Without a new frame for so long, the card takes the picture's place.
const STALLED: Duration = Duration::from_secs(1);

/// What to encode now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// Which picture.
    pub source: Source,
    /// Whether it must become a keyframe.
    pub keyframe: bool,
    /// How large it is to be.
    pub size: Size,
}

/// The picture of a [`Job`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The newest frame, for the first time.
    Fresh,
    /// The newest frame, once more.
    Repeat,
    /// The card that says that the camera is unplugged.
    Card,
}

/// Why [`EncoderPlan::poll_timeout`] names its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The grace of a tick ends.
    Tick,
    /// Somebody waits for a keyframe, and a fresh frame did not come.
    Keyframe,
    /// The camera, which encodes by itself, has stalled.
    Stall,
}

/// The plan of one encoder.
#[derive(Debug)]
pub struct EncoderPlan {
    cadence: Cadence,
    running: Option<Bitrate>,
    /// Since when it runs: nobody looked at the camera closely before, so its silence counts from here.
    since: Option<Instant>,
    keyframe: Option<Owed>,
    newest: Option<Newest>,
    /// The camera said itself that it is gone; no need to wait for the stall.
    lost: bool,
    /// An arrival took its tick; the job is due now.
    due: bool,
    passthrough: Option<PassedThrough>,
    sizes: Sizes,
    /// Ticks since the last frame.
    ticks: u64,
}

/// A camera that encodes by itself, and whose frames need no encoder here.
#[derive(Clone, Copy, Debug)]
struct PassedThrough {
    /// When its newest frame came.
    arrived: Instant,
    /// What viewers have refers to nothing but its stream.
    whole: bool,
}

/// A keyframe that somebody waits for.
#[derive(Clone, Copy, Debug)]
struct Owed {
    /// Made at this time of whatever is there, even if no fresh frame came.
    deadline: Instant,
    /// Made before it of a frame that is not too old.
    at_once: bool,
}

#[derive(Clone, Copy, Debug)]
struct Newest {
    arrived: Instant,
    encoded: bool,
}

impl EncoderPlan {
    /// A plan for ticks at `rate`, and pictures of these sizes; stopped.
    pub fn new(rate: FrameRate, sizes: Sizes) -> EncoderPlan {
        EncoderPlan {
            cadence: Cadence::new(rate),
            running: None,
            since: None,
            keyframe: None,
            newest: None,
            lost: false,
            due: false,
            passthrough: None,
            sizes,
            ticks: 0,
        }
    }

    /// The bitrate to encode at; `None` while stopped.
    pub fn running(&self) -> Option<Bitrate> {
        self.running
    }

    /// Run, at this bitrate. The first frame after a stop is a keyframe, made at once.
    pub fn handle_run(&mut self, bitrate: Bitrate, now: Instant) {
        if self.running.replace(bitrate).is_none() {
            self.keyframe = Some(self.owed(now, true));
            self.cadence.start(now);
            self.since = Some(now);
        }
    }

    /// Somebody needs a keyframe. Of a camera that encodes by itself it is the camera that makes one.
    pub fn handle_keyframe(&mut self, now: Instant) {
        if self.running.is_some() && !self.is_relayed(now) {
            let owed = self.owed(now, true);
            self.keyframe.get_or_insert(owed);
        }
    }

    /// Nobody looks any more.
    pub fn handle_stop(&mut self) {
        self.running = None;
        self.keyframe = None;
        self.due = false;
        self.cadence.stop();
        self.sizes.handle_stop();
        self.break_relay();
    }

    /// The camera works, and whatever it sent now is not for this encoder: its frames come encoded, or later.
    pub fn handle_relay(&mut self, arrived: Instant) {
        self.lost = false;
        self.newest = None;
        self.due = false;
        let whole = self.passthrough.is_some_and(|passthrough| passthrough.whole);
        self.passthrough = Some(PassedThrough { arrived, whole });
    }

    /// The camera encoded a frame itself. Whether it is to be passed on: not to nobody, and not if viewers lack what it
    /// refers to.
    pub fn handle_encoded(&mut self, keyframe: bool, arrived: Instant) -> bool {
        self.handle_relay(arrived);
        let whole =
            self.running.is_some() && (keyframe || self.passthrough.is_some_and(|passthrough| passthrough.whole));
        self.passthrough = Some(PassedThrough { arrived, whole });
        if whole {
            self.keyframe = None;
        }
        whole
    }

    /// A frame of the camera's own did not get through: nothing that refers to it may follow.
    pub fn break_relay(&mut self) {
        if let Some(passthrough) = &mut self.passthrough {
            passthrough.whole = false;
        }
    }

    /// A new frame came at `arrived`; it is now the newest.
    pub fn handle_frame(&mut self, arrived: Instant) {
        self.lost = false;
        if self.passthrough.take().is_some() && self.running.is_some() {
            // What was passed on is of no use for what is encoded here.
            self.sizes.handle_stop();
            self.keyframe = Some(self.owed(arrived, true));
        }
        self.newest = Some(Newest { arrived, encoded: false });
        self.due |= self.cadence.handle_frame(arrived);
    }

    /// The camera is unplugged.
    pub fn handle_camera_lost(&mut self) {
        self.lost = true;
    }

    /// A frame was encoded at this bitrate, with this quantizer (QP).
    pub fn handle_qp(&mut self, qp: u8, bitrate: Bitrate, now: Instant) {
        self.sizes.handle_qp(qp, bitrate, now);
    }

    /// What to encode now; call again until `None`.
    pub fn poll(&mut self, now: Instant) -> Option<Job> {
        self.running?;
        if self.is_relayed(now) {
            return None;
        }
        if self.passthrough.take().is_some() {
            // It stalled, and the card is not of its stream.
            self.keyframe = Some(self.owed(now, true));
        }
        if let Some(owed) = self.keyframe {
            let ready = owed.at_once && (self.is_fresh(now) || self.shows_card(now));
            if self.due || ready || now >= owed.deadline {
                return Some(self.job(true, now));
            }
        }
        if std::mem::take(&mut self.due) && self.counts() {
            return Some(self.job(false, now));
        }
        self.cadence.poll(now)?;
        // A tick that falls while a keyframe is owed is spent on it: of the same picture, one frame is enough.
        (self.keyframe.is_some() || self.counts()).then(|| self.job(self.keyframe.is_some(), now))
    }

    /// When [`EncoderPlan::poll`] has something to do if nothing else happens before; `None` while stopped.
    pub fn poll_timeout(&self) -> Option<(Instant, Why)> {
        self.running?;
        if let Some(stalls) = self.relay_stalls() {
            return Some((stalls, Why::Stall));
        }
        let tick = self.cadence.poll_timeout().map(|at| (at, Why::Tick));
        let keyframe = self.keyframe.map(|owed| (owed.deadline, Why::Keyframe));
        [tick, keyframe].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// A keyframe that was ordered did not come to pass (its raw frame was dropped): it is still owed.
    pub fn keyframe_still_owed(&mut self, now: Instant) {
        // Whatever was in the way is given a period's time.
        self.keyframe = Some(self.owed(now, false));
    }

    /// Whether this tick is one of those that get a frame.
    fn counts(&mut self) -> bool {
        self.ticks += 1;
        let floor = self.sizes.floor();
        self.ticks >= stride(self.running.unwrap_or(floor), floor).max(self.sizes.size().every)
    }

    fn job(&mut self, keyframe: bool, now: Instant) -> Job {
        self.keyframe = None;
        self.due = false;
        self.ticks = 0;
        self.cadence.consumed();
        let resized = self.running.is_some_and(|bitrate| self.sizes.handle_frame(bitrate, keyframe, now));
        let card = self.shows_card(now);
        let source = match &mut self.newest {
            Some(newest) if !card => {
                if std::mem::replace(&mut newest.encoded, true) {
                    Source::Repeat
                } else {
                    Source::Fresh
                }
            }
            _ => Source::Card,
        };
        Job { source, keyframe: keyframe || resized, size: self.sizes.size() }
    }

    fn is_fresh(&self, now: Instant) -> bool {
        self.newest.is_some_and(|newest| now.saturating_duration_since(newest.arrived) <= FRESH_ENOUGH)
    }

    /// When a camera that encodes by itself counts as stalled; `None` if there is none, or it is known to be gone.
    fn relay_stalls(&self) -> Option<Instant> {
        let passthrough = self.passthrough.filter(|_| !self.lost)?;
        Some(self.since.map_or(passthrough.arrived, |since| since.max(passthrough.arrived)) + STALLED)
    }

    fn is_relayed(&self, now: Instant) -> bool {
        self.relay_stalls().is_some_and(|stalls| now < stalls)
    }

    fn shows_card(&self, now: Instant) -> bool {
        let since = self.since.unwrap_or(now);
        let silent = |newest: Newest| now.saturating_duration_since(newest.arrived.max(since)) > STALLED;
        self.lost || self.newest.is_some_and(silent)
    }

    fn owed(&self, now: Instant, at_once: bool) -> Owed {
        Owed { deadline: now + self.cadence.period(), at_once }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use intercom_base::settings::Rung;

    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const RATE: Bitrate = Bitrate::from_kbps(1500);

    fn rung(width: u32, height: u32, kbps: u64) -> Rung {
        let (floor, max) = (Bitrate::from_kbps(kbps), Bitrate::from_kbps(2500));
        Rung { width, height, rate: FrameRate::from_fps(30.0), floor, max }
    }

    fn sizes() -> Sizes {
        Sizes::new(&rung(1280, 720, 1000), &rung(320, 180, 60))
    }

    fn plan() -> (Instant, EncoderPlan) {
        (Instant::now(), EncoderPlan::new(FrameRate::from_fps(30.0), sizes()))
    }

    /// A job at the bitrate of these tests.
    fn job(source: Source, keyframe: bool) -> Job {
        Job { source, keyframe, size: sizes().size() }
    }

    /// Runs until `end`, frames arriving at `frames`; returns what was encoded when.
    fn run(plan: &mut EncoderPlan, from: Instant, end: Instant, frames: &[Instant]) -> Vec<(Instant, Job)> {
        let mut out = Vec::new();
        let mut frames = frames.iter().copied().peekable();
        let mut now = from;
        loop {
            while let Some(job) = plan.poll(now) {
                out.push((now, job));
                assert!(out.len() < 100_000, "it spins");
            }
            let timer = plan.poll_timeout().map(|(at, _)| at);
            let next = [timer, frames.peek().copied()].into_iter().flatten().min();
            match next {
                Some(next) if next <= end => now = next.max(now),
                _ => return out,
            }
            if frames.peek() == Some(&now) {
                frames.next();
                plan.handle_frame(now);
            }
        }
    }

    #[test]
    fn nothing_happens_until_somebody_looks_and_after_they_left() {
        let (now, mut plan) = plan();
        plan.handle_frame(now);
        assert_eq!(plan.poll(now), None);
        assert_eq!(plan.poll_timeout(), None);
        plan.handle_run(RATE, now);
        assert!(plan.poll(now).is_some());
        plan.handle_stop();
        plan.handle_keyframe(now);
        assert_eq!(plan.poll(now + 100 * MS), None);
        assert_eq!(plan.poll_timeout(), None);
    }

    #[test]
    fn the_first_viewer_gets_the_frame_at_hand_at_once_as_a_keyframe() {
        let (now, mut plan) = plan();
        plan.handle_frame(now);
        plan.handle_run(RATE, now + 20 * MS);
        assert_eq!(plan.poll(now + 20 * MS), Some(job(Source::Fresh, true)));
    }

    #[test]
    fn an_old_frame_waits_a_period_for_a_fresh_one() {
        let (now, mut plan) = plan();
        plan.handle_frame(now);
        let run_at = now + 400 * MS;
        plan.handle_run(RATE, run_at);
        let fresh = run_at + 20 * MS;
        let jobs = run(&mut plan, run_at, run_at + 22 * MS, &[fresh]);
        assert_eq!(jobs, [(fresh, job(Source::Fresh, true))]);
    }

    #[test]
    fn if_none_comes_the_old_one_must_do() {
        let (now, mut plan) = plan();
        plan.handle_frame(now);
        let run_at = now + 400 * MS;
        plan.handle_run(RATE, run_at);
        let jobs = run(&mut plan, run_at, run_at + 34 * MS, &[]);
        assert_eq!(jobs.len(), 1);
        assert_eq!(jobs[0].1, job(Source::Fresh, true));
        assert!(jobs[0].0 - run_at <= 34 * MS);
    }

    #[test]
    fn a_keyframe_asked_for_between_ticks_is_made_of_the_newest_frame_without_waiting() {
        let (now, mut plan) = plan();
        plan.handle_run(RATE, now);
        plan.handle_frame(now);
        run(&mut plan, now, now + 10 * MS, &[]);
        plan.handle_keyframe(now + 11 * MS);
        plan.handle_keyframe(now + 11 * MS);
        assert_eq!(plan.poll(now + 11 * MS), Some(job(Source::Repeat, true)));
        assert_eq!(plan.poll(now + 11 * MS), None);
        let fresh = now + 33 * MS;
        let jobs = run(&mut plan, now + 12 * MS, now + 40 * MS, &[fresh]);
        assert_eq!(jobs, [(fresh, job(Source::Fresh, false))]);
    }

    #[test]
    fn a_camera_that_was_only_glanced_at_is_not_called_unplugged() {
        let (now, mut plan) = plan();
        plan.handle_frame(now);
        let run_at = now + 5000 * MS;
        plan.handle_run(RATE, run_at);
        let fresh = run_at + 60 * MS;
        let jobs = run(&mut plan, run_at, run_at + 70 * MS, &[fresh]);
        assert!(jobs.iter().all(|(_, job)| job.source != Source::Card), "{jobs:?}");
        assert_eq!(jobs.last().unwrap().0, fresh);
    }

    #[test]
    fn a_camera_that_never_was_shows_the_card_within_a_period() {
        let (now, mut plan) = plan();
        plan.handle_camera_lost();
        plan.handle_run(RATE, now);
        assert_eq!(plan.poll(now), Some(job(Source::Card, true)));
    }

    #[test]
    fn a_stalled_camera_is_bridged_for_a_second_then_the_card_comes_and_goes() {
        let (now, mut plan) = plan();
        plan.handle_run(RATE, now);
        let frames: Vec<Instant> =
            (0..30).map(|n| now + n * 33 * MS).chain((0..5).map(|n| now + 5000 * MS + n * 33 * MS)).collect();
        let jobs = run(&mut plan, now, now + 5200 * MS, &frames);
        let stalled = now + 29 * 33 * MS;
        for (at, job) in &jobs {
            let expected = match *at {
                at if at <= stalled => Source::Fresh,
                at if at <= stalled + 1000 * MS => Source::Repeat,
                at if at < now + 5000 * MS => Source::Card,
                at if (at - now).as_millis() % 33 == 17 => Source::Fresh,
                _ => continue,
            };
            assert_eq!(job.source, expected, "{:?}", *at - now);
        }
        assert!(jobs.iter().any(|(_, job)| job.source == Source::Card));
        assert_eq!(jobs.last().unwrap().1.source, Source::Repeat);
        assert_eq!(jobs.iter().filter(|(_, job)| job.keyframe).count(), 1);
    }

    #[test]
    fn a_keyframe_that_was_dropped_is_still_owed() {
        let (now, mut plan) = plan();
        plan.handle_run(RATE, now);
        plan.handle_frame(now);
        assert!(plan.poll(now).unwrap().keyframe);
        plan.keyframe_still_owed(now);
        let jobs = run(&mut plan, now, now + 34 * MS, &[]);
        assert_eq!(jobs.iter().filter(|(_, job)| job.keyframe).count(), 1);
    }

    #[test]
    fn frames_that_the_camera_encoded_are_passed_on_from_a_keyframe_and_nothing_is_encoded_here() {
        let (now, mut plan) = plan();
        plan.handle_relay(now);
        assert!(!plan.handle_encoded(true, now + 10 * MS), "nobody looks");
        plan.handle_run(RATE, now + 20 * MS);
        assert!(!plan.handle_encoded(false, now + 30 * MS), "nothing to refer to");
        assert_eq!(plan.poll(now + 300 * MS), None, "no card while its keyframe is on its way");
        assert!(plan.handle_encoded(true, now + 300 * MS));
        for n in 1..100 {
            let at = now + (300 + n * 33) * MS;
            assert!(plan.handle_encoded(false, at));
            assert_eq!(plan.poll(at + 32 * MS), None);
        }
        plan.handle_keyframe(now + 3600 * MS);
        assert_eq!(plan.poll(now + 3700 * MS), None, "the camera's to make");
        plan.break_relay();
        assert!(!plan.handle_encoded(false, now + 3700 * MS));
        plan.handle_stop();
        plan.handle_run(RATE, now + 3800 * MS);
        assert!(!plan.handle_encoded(false, now + 3810 * MS), "who comes again cannot start in the middle");
    }

    #[test]
    fn a_camera_that_encodes_and_stalls_is_followed_by_the_card_from_a_keyframe_on() {
        let (now, mut plan) = plan();
        plan.handle_run(RATE, now);
        assert!(plan.handle_encoded(true, now));
        let jobs = run(&mut plan, now, now + 1200 * MS, &[]);
        assert_eq!(jobs[0], (now + 1000 * MS, job(Source::Card, true)));
        assert!(jobs.len() > 3 && jobs[1..].iter().all(|(_, made)| *made == job(Source::Card, false)));
        assert!(!plan.handle_encoded(false, now + 1300 * MS), "viewers have the card");
        assert!(plan.handle_encoded(true, now + 1400 * MS));
        plan.handle_camera_lost();
        assert_eq!(plan.poll(now + 1410 * MS), Some(job(Source::Card, true)));
    }

    #[test]
    fn between_the_cameras_encoder_and_ours_lies_a_keyframe() {
        let (now, mut plan) = plan();
        plan.handle_run(RATE, now);
        assert!(plan.handle_encoded(true, now));
        plan.handle_frame(now + 33 * MS);
        assert_eq!(plan.poll(now + 33 * MS), Some(job(Source::Fresh, true)));
        plan.handle_frame(now + 66 * MS);
        assert_eq!(plan.poll(now + 66 * MS), Some(job(Source::Fresh, false)));
        assert!(!plan.handle_encoded(false, now + 99 * MS));
        assert!(plan.handle_encoded(true, now + 132 * MS));
    }
}
