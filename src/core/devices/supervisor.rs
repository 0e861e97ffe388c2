//! One state machine per device: when to open it again, and what of it is worth a line in the log.

use std::time::{Duration, Instant};

use intercom_drivers::contract::DeviceError;

/// First pause after a failure.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The pause doubles up to this, and stays there for ever: a hotplug event may be lost.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Only a device that worked for so long starts again with the first pause; else a flapping one becomes a storm.
const STABLE: Duration = Duration::from_secs(10);

/// For so long after a hint a failure is followed by a quick retry: a device settles, its permissions are being set.
const EAGER: Duration = Duration::from_secs(3);
/// The pause before a quick retry.
const QUICK_PAUSE: Duration = Duration::from_millis(750);
/// So many tries may come earlier than the pauses above allow, and one more for each [`EARNED_IN`] that goes by.
const QUICK_TRIES: u32 = 10;
const EARNED_IN: Duration = Duration::from_secs(10);

/// What changed, for log and status; `None` is returned where nothing did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It works.
    Live,
    /// It does not; the error is new.
    Absent(DeviceError),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// To be opened at `retry`, which may have been brought forward, but not before `spaced`.
    Closed { spaced: Instant, retry: Instant, quick: bool },
    /// Open since.
    Open { since: Instant },
}

/// The state of one device.
#[derive(Debug)]
pub struct Supervisor {
    state: State,
    pause: Duration,
    /// What was last logged, so that only changes are logged.
    told: Option<Change>,
    /// Until then it may be on its way: a hint said so.
    eager: Option<Instant>,
    /// Quick tries that are left, as of this time.
    quick: (u32, Instant),
}

impl Supervisor {
    /// A device that was never tried; it may be opened at once.
    pub fn new(now: Instant) -> Supervisor {
        Supervisor {
            state: State::Closed { spaced: now, retry: now, quick: false },
            pause: FIRST_PAUSE,
            told: None,
            eager: None,
            quick: (QUICK_TRIES, now),
        }
    }

    /// When to try next; `None` while it is open.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Closed { retry, .. } => Some(retry),
            State::Open { .. } => None,
        }
    }

    /// Some device came or went, says the system: perhaps this one. It is tried at once, and again and again for a while if
    /// it is not ready yet; so it is if it turns out only now that the old one is gone. A hint that never comes costs no
    /// more than the slow retry.
    pub fn handle_hint(&mut self, now: Instant) {
        self.eager = Some(now + EAGER);
        self.hurry(now, now);
    }

    /// It was opened.
    pub fn handle_opened(&mut self, now: Instant) {
        self.state = State::Open { since: now };
    }

    /// It delivered or took data: that, not the opening, makes it live.
    pub fn handle_works(&mut self) -> Option<Change> {
        self.tell(Change::Live)
    }

    /// It is open, and silent for longer than it should be; it stays open.
    pub fn handle_silent(&mut self) -> Option<Change> {
        let error = DeviceError::Io("it is open but delivers nothing".into());
        self.tell(Change::Absent(error))
    }

    /// It could not be opened, or failed in use: closed from now on, to be tried again after a pause.
    pub fn handle_failed(&mut self, error: DeviceError, now: Instant) -> Option<Change> {
        if let State::Open { since } = self.state
            && now.saturating_duration_since(since) >= STABLE
        {
            self.pause = FIRST_PAUSE;
        }
        self.state = State::Closed { spaced: now + FIRST_PAUSE, retry: now + self.pause, quick: false };
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        if self.eager.is_some_and(|until| now < until) {
            self.hurry(now + QUICK_PAUSE, now);
        }
        self.tell(Change::Absent(error))
    }

    /// Brings the next try forward to `at`, if it would be later and there is a quick one left.
    fn hurry(&mut self, at: Instant, now: Instant) {
        let State::Closed { spaced, retry, quick } = self.state else { return };
        let at = at.max(spaced);
        // The same try is not paid for twice.
        if at < retry && (quick || self.take_quick(now)) {
            self.state = State::Closed { spaced, retry: at, quick: true };
        }
    }

    fn take_quick(&mut self, now: Instant) -> bool {
        let (mut left, mut since) = self.quick;
        while left < QUICK_TRIES && now.saturating_duration_since(since) >= EARNED_IN {
            (left, since) = (left + 1, since + EARNED_IN);
        }
        if left == QUICK_TRIES {
            since = now;
        }
        let taken = left.checked_sub(1);
        self.quick = (taken.unwrap_or(0), since);
        taken.is_some()
    }

    fn tell(&mut self, change: Change) -> Option<Change> {
        if self.told.as_ref() == Some(&change) {
            return None;
        }
        self.told = Some(change.clone());
        Some(change)
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    fn absent() -> DeviceError {
        DeviceError::Absent("/dev/video0".into())
    }

    #[test]
    fn pauses_double_up_to_ten_seconds_and_never_end() {
        let start = Instant::now();
        let mut now = start;
        let mut supervisor = Supervisor::new(now);
        let mut pauses = Vec::new();
        while now - start < Duration::from_secs(3600) {
            supervisor.handle_failed(absent(), now);
            let retry = supervisor.poll_timeout().unwrap();
            pauses.push((retry - now).as_millis());
            now = retry;
        }
        assert_eq!(pauses[..6], [500, 1000, 2000, 4000, 8000, 10_000]);
        assert!(pauses[6..].iter().all(|pause| *pause == 10_000));
    }

    #[test]
    fn a_flapping_device_is_not_a_storm() {
        let mut now = Instant::now();
        let mut supervisor = Supervisor::new(now);
        let mut opens = 0;
        let end = now + Duration::from_secs(60);
        while now < end {
            supervisor.handle_opened(now);
            opens += 1;
            now += Duration::from_millis(100);
            supervisor.handle_failed(DeviceError::Io("reading".into()), now);
            now = supervisor.poll_timeout().unwrap();
        }
        assert!(opens < 12, "{opens} opens in a minute");
    }

    /// A device that was away for so long that its pauses are the longest, and when it was last tried.
    fn long_gone() -> (Supervisor, Instant) {
        let mut now = Instant::now();
        let mut supervisor = Supervisor::new(now);
        for _ in 0..8 {
            supervisor.handle_failed(absent(), now);
            now = supervisor.poll_timeout().unwrap();
        }
        supervisor.handle_failed(absent(), now);
        assert_eq!(supervisor.poll_timeout(), Some(now + LONGEST_PAUSE));
        (supervisor, now)
    }

    #[test]
    fn after_a_hint_it_is_tried_at_once_and_often_while_it_may_settle() {
        let (mut supervisor, tried) = long_gone();
        let hint = tried + Duration::from_secs(4);
        supervisor.handle_hint(hint);
        let mut tries = Vec::new();
        let mut now = supervisor.poll_timeout().unwrap();
        while now < hint + Duration::from_secs(20) {
            tries.push((now - hint).as_millis());
            supervisor.handle_failed(absent(), now);
            now = supervisor.poll_timeout().unwrap();
        }
        assert_eq!(tries, [0, 750, 1500, 2250, 3000, 13_000]);
    }

    #[test]
    fn a_hint_right_after_a_try_waits_half_a_second_and_a_second_one_costs_nothing() {
        let (mut supervisor, tried) = long_gone();
        for n in 1..100 {
            supervisor.handle_hint(tried + Duration::from_millis(n));
            assert_eq!(supervisor.poll_timeout(), Some(tried + FIRST_PAUSE));
        }
        assert_eq!(supervisor.quick.0, QUICK_TRIES - 1);
    }

    #[test]
    fn a_hint_that_comes_before_the_loss_is_noticed_is_not_lost() {
        let (mut supervisor, tried) = long_gone();
        let opened = tried + LONGEST_PAUSE;
        supervisor.handle_opened(opened);
        let hint = opened + Duration::from_secs(1);
        supervisor.handle_hint(hint);
        assert_eq!(supervisor.poll_timeout(), None, "it is open as far as anybody knows");
        let noticed = hint + Duration::from_secs(1);
        supervisor.handle_failed(absent(), noticed);
        assert_eq!(supervisor.poll_timeout(), Some(noticed + QUICK_PAUSE));
        let (mut supervisor, _) = long_gone();
        supervisor.handle_opened(opened);
        supervisor.handle_failed(absent(), noticed);
        assert_eq!(supervisor.poll_timeout(), Some(noticed + LONGEST_PAUSE), "without it");
    }

    #[test]
    fn an_hour_of_hints_is_no_storm_and_a_calm_spell_makes_up_for_it() {
        let (mut supervisor, start) = long_gone();
        let (mut now, mut opens, end) = (start, 0, start + Duration::from_secs(3600));
        while now < end {
            now += Duration::from_millis(100);
            supervisor.handle_hint(now);
            if supervisor.poll_timeout().is_some_and(|retry| now >= retry) {
                opens += 1;
                supervisor.handle_failed(absent(), now);
            }
        }
        assert!(opens < 60 * 13, "{opens} opens in an hour of hints");
        now += EARNED_IN * QUICK_TRIES;
        supervisor.handle_failed(absent(), now);
        for n in 1..=QUICK_TRIES {
            now += FIRST_PAUSE;
            supervisor.handle_hint(now);
            assert_eq!(supervisor.poll_timeout(), Some(now), "try {n}");
            supervisor.handle_failed(absent(), now);
        }
    }

    #[test]
    fn ten_good_seconds_are_forgiven() {
        let now = Instant::now();
        let mut supervisor = Supervisor::new(now);
        for n in 0..8 {
            supervisor.handle_failed(absent(), now + Duration::from_secs(n));
        }
        let opened = now + Duration::from_secs(20);
        supervisor.handle_opened(opened);
        let failed = opened + Duration::from_secs(10);
        supervisor.handle_failed(absent(), failed);
        assert_eq!(supervisor.poll_timeout(), Some(failed + Duration::from_millis(500)));
    }

    #[test]
    fn no_rhythm_of_good_and_bad_times_makes_a_storm() {
        for flaps in 1..8 {
            let mut now = Instant::now();
            let mut supervisor = Supervisor::new(now);
            let mut opens = Vec::new();
            while opens.len() < 200 {
                now = supervisor.poll_timeout().unwrap();
                supervisor.handle_opened(now);
                opens.push(now);
                if opens.len() % flaps == 0 {
                    now += STABLE;
                }
                supervisor.handle_failed(absent(), now);
            }
            let within =
                |first: &Instant| opens.iter().filter(|at| (*first..*first + 6 * STABLE).contains(*at)).count();
            let most = opens.iter().map(within).max().unwrap();
            assert!(most <= 16, "{most} opens in a minute with {flaps} of them in a row");
        }
    }

    #[test]
    fn only_changes_are_told() {
        let now = Instant::now();
        let mut supervisor = Supervisor::new(now);
        assert_eq!(supervisor.handle_failed(absent(), now), Some(Change::Absent(absent())));
        assert_eq!(supervisor.handle_failed(absent(), now), None);
        let busy = DeviceError::Busy("/dev/video0".into());
        assert_eq!(supervisor.handle_failed(busy.clone(), now), Some(Change::Absent(busy)));
        supervisor.handle_opened(now);
        assert_eq!(supervisor.handle_works(), Some(Change::Live));
        assert_eq!(supervisor.handle_works(), None);
        assert!(matches!(supervisor.handle_silent(), Some(Change::Absent(_))));
        assert_eq!(supervisor.poll_timeout(), None, "it stays open");
        assert_eq!(supervisor.handle_works(), Some(Change::Live));
    }
}
