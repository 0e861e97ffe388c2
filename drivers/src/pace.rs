//! Paces sound by the clock for sinks and sources that have no clock of their own.

use std::time::{Duration, Instant};

use intercom_base::sound::SAMPLE_RATE;

/// How late the other side may come before time is not made up for but counted from there.
const SLIP: Duration = Duration::from_millis(500);

/// How long `samples` of sound last.
pub fn duration_of(samples: u64) -> Duration {
    let rate = u64::from(SAMPLE_RATE);
    Duration::from_secs(samples / rate) + Duration::from_nanos(samples % rate * 1_000_000_000 / rate)
}

/// A clock that counts samples from a start on.
#[derive(Debug, Default)]
pub struct Pace {
    start: Option<Instant>,
    samples: u64,
}

impl Pace {
    /// When the next sample is due: heard by an ear, or spoken by a mouth. A start, or coming more than
    /// 500 ms late, makes that `now`; the second value says that it was such a slip.
    pub fn next(&mut self, now: Instant) -> (Instant, bool) {
        let due = self.start.map(|start| start + duration_of(self.samples));
        match due {
            Some(due) if now.saturating_duration_since(due) <= SLIP => (due, false),
            late => {
                self.start = Some(now);
                self.samples = 0;
                (now, late.is_some())
            }
        }
    }

    /// Counts `samples` as done.
    pub fn advance(&mut self, samples: usize) {
        self.samples += samples as u64;
    }

    /// Forgets the start: the next sample is due when it is asked for.
    pub fn stop(&mut self) {
        *self = Pace::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_of_blocks_does_not_drift_and_a_pause_starts_anew() {
        let start = crate::clock::now();
        let mut pace = Pace::default();
        let mut now = start;
        for _ in 0..3600 * 50 {
            let (due, slipped) = pace.next(now);
            assert!(!slipped);
            now = due + Duration::from_millis(3);
            pace.advance(960);
        }
        assert_eq!(pace.next(now).0, start + Duration::from_secs(3600));
        let late = now + Duration::from_secs(5);
        assert_eq!(pace.next(late), (late, true));
    }
}
