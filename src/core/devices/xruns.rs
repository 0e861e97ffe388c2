//! Overruns and underruns: how often a device ran over or dry, logged at once and then at most once a minute.

use std::time::{Duration, Instant};

/// No two lines about one device come closer together.
const PAUSE: Duration = Duration::from_secs(60);

/// What is worth a line in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewXruns {
    /// Since the last line.
    pub new: u64,
    /// Since the program began.
    pub total: u64,
}

/// Counts the xruns of one device over all the times that it is opened.
#[derive(Debug, Default)]
pub struct Xruns {
    /// What the open device had counted at the last look.
    seen: u64,
    total: u64,
    told: u64,
    quiet_until: Option<Instant>,
}

impl Xruns {
    /// The device was opened, and counts from nothing.
    pub fn handle_opened(&mut self) {
        self.seen = 0;
    }

    /// Looks at the device's own count; what to tell, if anything.
    pub fn handle_count(&mut self, count: u64, now: Instant) -> Option<NewXruns> {
        self.total += count.saturating_sub(self.seen);
        self.seen = count;
        if self.total == self.told || self.quiet_until.is_some_and(|until| now < until) {
            return None;
        }
        self.quiet_until = Some(now + PAUSE);
        let new = self.total - self.told;
        self.told = self.total;
        Some(NewXruns { new, total: self.total })
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_a_storm_once_a_minute_with_none_left_out() {
        let start = Instant::now();
        let mut xruns = Xruns::default();
        assert_eq!(xruns.handle_count(0, start), None);
        let mut told = Vec::new();
        for second in 0..=180 {
            told.extend(xruns.handle_count(second + 1, start + Duration::from_secs(second)));
        }
        let gaps = |new, total| NewXruns { new, total };
        assert_eq!(told, [gaps(1, 1), gaps(60, 61), gaps(60, 121), gaps(60, 181)]);
        assert_eq!(xruns.handle_count(181, start + Duration::from_secs(9999)), None, "only changes are told");
    }

    #[test]
    fn a_device_that_is_opened_again_counts_on() {
        let start = Instant::now();
        let mut xruns = Xruns::default();
        assert_eq!(xruns.handle_count(2, start), Some(NewXruns { new: 2, total: 2 }));
        xruns.handle_opened();
        assert_eq!(xruns.handle_count(0, start), None);
        assert_eq!(xruns.handle_count(1, start), None, "within the minute");
        assert_eq!(xruns.handle_count(1, start + PAUSE), Some(NewXruns { new: 1, total: 3 }));
    }
}
