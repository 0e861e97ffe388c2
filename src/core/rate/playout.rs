//! How much one viewer's player may smooth: nothing on a clean path, some while the path loses or jitters.

use std::time::{Duration, Instant};

use crate::call::peer::{PlayoutDelay, Report};

/// Loss above this opens the delay.
const LOSS: f32 = 0.02;

/// Jitter above this opens the delay. A keyframe paced over several bursts alone shows up as some 10 ms.
const JITTER: Duration = Duration::from_millis(30);

/// Reports must be clean for this long before it closes again.
const CALM: Duration = Duration::from_secs(10);

/// Opened, the player may hold back this much at most; how much it really needs it finds itself.
const OPEN: PlayoutDelay = PlayoutDelay { min: Duration::ZERO, max: Duration::from_millis(400) };

/// The state for one viewer.
#[derive(Debug)]
pub struct Playout {
    rough_since: Option<Instant>,
    last_rough: Option<Instant>,
}

impl Playout {
    /// Starts with no delay.
    pub fn new() -> Playout {
        Playout { rough_since: None, last_rough: None }
    }

    /// Takes the viewer's report on our video.
    pub fn handle_report(&mut self, report: &Report, now: Instant) {
        if report.loss > LOSS || report.jitter > JITTER {
            self.rough_since.get_or_insert(now);
            self.last_rough = Some(now);
        } else if self.last_rough.is_some_and(|t| now.saturating_duration_since(t) >= CALM) {
            self.rough_since = None;
            self.last_rough = None;
        }
    }

    /// What to send along with each frame now.
    pub fn delay(&self) -> PlayoutDelay {
        if self.rough_since.is_some() { OPEN } else { PlayoutDelay::NONE }
    }
}

impl Default for Playout {
    fn default() -> Playout {
        Playout::new()
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    #[test]
    fn opens_on_loss_and_closes_after_ten_calm_seconds() {
        let start = Instant::now();
        let mut playout = Playout::new();
        let clean = Report { loss: 0.0, jitter: Duration::from_millis(5), rtt: None };
        let lossy = Report { loss: 0.05, ..clean };
        playout.handle_report(&clean, start);
        assert_eq!(playout.delay(), PlayoutDelay::NONE);
        playout.handle_report(&lossy, start + Duration::from_secs(1));
        assert_eq!(playout.delay(), OPEN);
        playout.handle_report(&clean, start + Duration::from_secs(5));
        assert_eq!(playout.delay(), OPEN, "one clean report is not calm yet");
        playout.handle_report(&clean, start + Duration::from_secs(11));
        assert_eq!(playout.delay(), PlayoutDelay::NONE);
    }

    #[test]
    fn opens_on_jitter() {
        let start = Instant::now();
        let mut playout = Playout::new();
        playout.handle_report(&Report { loss: 0.0, jitter: Duration::from_millis(60), rtt: None }, start);
        assert_eq!(playout.delay(), OPEN);
    }
}
