//! Tells a decoder that hangs from one that a busy machine keeps waiting: by the processor time that it has used itself.

use std::fmt;
use std::time::Duration;

/// On the wall, for a process that gets no processor: a busy machine may keep it waiting for seconds.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// The least processor time that a picture may take. The largest takes a tenth of it on a slow machine.
const COMPUTE_MIN: Duration = Duration::from_millis(500);
/// The most, and what it may take while nothing is known of the machine: an emulated one takes a second for the first picture.
const COMPUTE_MAX: Duration = Duration::from_secs(5);
/// A picture may take so many times the dearest one before it.
const COMPUTE_TIMES: u32 = 4;
/// How often a process that has not answered is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// What pictures have cost, of one process and of those before it.
#[derive(Debug, Default)]
pub struct Costs {
    dearest: Option<Duration>,
}

impl Costs {
    /// Processor time that the next picture may take.
    fn allowed(&self) -> Duration {
        self.dearest.map_or(COMPUTE_MAX, |dearest| (COMPUTE_TIMES * dearest).clamp(COMPUTE_MIN, COMPUTE_MAX))
    }

    /// A picture that came took so much.
    pub fn learn(&mut self, cost: Duration) {
        self.dearest = self.dearest.max(Some(cost));
    }
}

/// Why a process counts as hanging.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hang {
    /// It computes, and never comes to an end.
    Computes(Duration),
    /// It has not answered, whatever it does.
    Silent(Duration),
}

impl fmt::Display for Hang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hang::Computes(cost) => write!(f, "it has computed for {:.1} s without an answer", cost.as_secs_f64()),
            Hang::Silent(wait) => write!(f, "it has not answered for {:.1} s", wait.as_secs_f64()),
        }
    }
}

impl std::error::Error for Hang {}

/// A picture that is due. Times are given as durations since any fixed moment.
#[derive(Debug)]
pub struct Due {
    asked: Duration,
    used_then: Option<Duration>,
    allowed: Duration,
}

impl Due {
    /// Of a process that was asked at `now` and had used so much processor time, if that is known.
    pub fn new(now: Duration, used: Option<Duration>, costs: &Costs) -> Due {
        Due { asked: now, used_then: used, allowed: costs.allowed() }
    }

    /// How long to wait until the next look.
    ///
    /// # Errors
    /// If it hangs.
    pub fn look(&self, now: Duration, used: Option<Duration>) -> Result<Duration, Hang> {
        let waited = now.saturating_sub(self.asked);
        if waited >= ANSWER_WITHIN {
            return Err(Hang::Silent(waited));
        }
        match self.cost(used) {
            Some(cost) if cost >= self.allowed => Err(Hang::Computes(cost)),
            _ => Ok(LOOK.min(ANSWER_WITHIN - waited)),
        }
    }

    /// What it has cost so far.
    pub fn cost(&self, used: Option<Duration>) -> Option<Duration> {
        Some(used?.saturating_sub(self.used_then?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn known(dearest: Duration) -> Costs {
        let mut costs = Costs::default();
        costs.learn(dearest);
        costs.learn(MS);
        costs
    }

    /// Looks until it is judged, a process that gets so much of a processor: when, and as what.
    fn judged(costs: &Costs, share: f64) -> (Duration, Hang) {
        let (mut now, start) = (100 * MS, 7000 * MS);
        let due = Due::new(now, Some(start), costs);
        loop {
            let used = start + (now - 100 * MS).mul_f64(share);
            match due.look(now, Some(used)) {
                Ok(wait) => now += wait,
                Err(hang) => return (now - 100 * MS, hang),
            }
        }
    }

    #[test]
    fn one_that_computes_for_ever_is_noticed_within_a_second_and_one_that_waits_for_a_processor_is_not() {
        let costs = known(8 * MS);
        assert_eq!(judged(&costs, 1.0), (500 * MS, Hang::Computes(500 * MS)));
        // It gets a fiftieth or nothing of a processor: waited for as long as the wall's clock allows.
        assert_eq!(judged(&costs, 0.02), (20_000 * MS, Hang::Silent(20_000 * MS)));
        assert_eq!(judged(&costs, 0.0), (20_000 * MS, Hang::Silent(20_000 * MS)));
    }

    #[test]
    fn a_machine_that_takes_long_for_each_picture_is_given_longer() {
        assert_eq!(judged(&known(900 * MS), 1.0).0, 3600 * MS);
        assert_eq!(judged(&known(4000 * MS), 1.0), (5000 * MS, Hang::Computes(5000 * MS)));
        assert_eq!(judged(&Costs::default(), 0.5), (10_000 * MS, Hang::Computes(5000 * MS)));
    }

    #[test]
    fn where_the_kernel_does_not_tell_the_walls_clock_judges() {
        let due = Due::new(MS, None, &known(8 * MS));
        assert_eq!(due.look(19_999 * MS, Some(4000 * MS)), Ok(2 * MS));
        assert_eq!(due.look(20_001 * MS, None), Err(Hang::Silent(20_000 * MS)));
    }
}
