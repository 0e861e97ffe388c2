//! One state machine per device: when to open it again, and what of it is worth a line in the log.

use std::time::{Duration, Instant};

use intercom_drivers::contract::DeviceError;

/// First pause after a failure.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The pause doubles up to this, and stays there for ever: a hotplug event may be lost.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Only a device that worked for so long starts again with the first pause; else a flapping one becomes a storm.
const STABLE: Duration = Duration::from_secs(10);

/// A hint is heeded so often in [`HINTS_WITHIN`]; a device that flaps for an hour sends more of them.
const HINTS: u32 = 6;
const HINTS_WITHIN: Duration = Duration::from_secs(60);

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
    /// To be opened at this time.
    Closed { retry: Instant },
    /// Open since.
    Open { since: Instant },
}

/// The state of one device.
#[derive(Debug)]
pub struct Supervisor {
    state: State,
    pause: Duration,
    /// What was last told, so that only changes are told.
    told: Option<Change>,
    /// Hints heeded since this time.
    hints: (Instant, u32),
}

impl Supervisor {
    /// A device that was never tried; it may be opened at once.
    pub fn new(now: Instant) -> Supervisor {
        Supervisor { state: State::Closed { retry: now }, pause: FIRST_PAUSE, told: None, hints: (now, 0) }
    }

    /// Whether to try to open it now.
    pub fn wants_open(&self, now: Instant) -> bool {
        matches!(self.state, State::Closed { retry } if now >= retry)
    }

    /// When to try next; `None` while it is open.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Closed { retry } => Some(retry),
            State::Open { .. } => None,
        }
    }

    /// Some device came or went, says the system: perhaps this one. It is tried at once, and soon again if it is not
    /// ready yet. A hint that never comes costs no more than the slow retry.
    pub fn handle_hint(&mut self, now: Instant) {
        let State::Closed { retry } = self.state else { return };
        let (since, count) = self.hints;
        self.hints = match now.saturating_duration_since(since) >= HINTS_WITHIN {
            true => (now, 1),
            false if count < HINTS => (since, count + 1),
            false => return,
        };
        self.state = State::Closed { retry: retry.min(now) };
        self.pause = FIRST_PAUSE;
    }

    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
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
        self.state = State::Closed { retry: now + self.pause };
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        self.tell(Change::Absent(error))
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
            assert!(supervisor.wants_open(now));
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

    #[test]
    fn a_hint_brings_a_device_back_at_once_and_an_hour_of_them_is_no_storm() {
        let start = Instant::now();
        let mut supervisor = Supervisor::new(start);
        let mut now = start;
        for _ in 0..8 {
            supervisor.handle_failed(absent(), now);
            now = supervisor.poll_timeout().unwrap();
        }
        supervisor.handle_failed(absent(), now);
        now += Duration::from_secs(1);
        assert!(!supervisor.wants_open(now));
        supervisor.handle_hint(now);
        assert!(supervisor.wants_open(now));
        supervisor.handle_failed(absent(), now);
        assert_eq!(supervisor.poll_timeout(), Some(now + FIRST_PAUSE), "its node may take a moment");

        let (mut opens, end) = (0, now + Duration::from_secs(3600));
        while now < end {
            now += Duration::from_millis(100);
            supervisor.handle_hint(now);
            if supervisor.wants_open(now) {
                opens += 1;
                supervisor.handle_failed(absent(), now);
            }
        }
        assert!(opens < 60 * 20, "{opens} opens in an hour of hints");
        supervisor.handle_opened(now);
        supervisor.handle_hint(now);
        assert!(supervisor.is_open());
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
        assert!(supervisor.is_open());
        assert_eq!(supervisor.handle_works(), Some(Change::Live));
    }
}
