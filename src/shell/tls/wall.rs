//! What time it is for certificates, and whether that can be believed: many machines have no clock until the network has told them.

use std::path::Path;
use std::time::Duration;

use crate::shell::clock;

/// 2026-01-01, when all our certificates begin at the earliest.
pub const EPOCH: Duration = Duration::from_secs(1_767_225_600);

/// systemd-timesyncd's word that the clock is right.
const SYNCHRONIZED: &str = "/run/systemd/timesync/synchronized";
/// A machine that has been on for so long has the time that it will have.
const SETTLED: Duration = Duration::from_secs(3600);

/// The wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wall {
    /// UTC since 1970, and never before this program was built.
    pub now: Duration,
    /// It is known to be right.
    pub known: bool,
}

impl Wall {
    /// What the machine's clock says.
    pub fn now() -> Wall {
        let told = clock::unix_time();
        let known = told >= built() && (Path::new(SYNCHRONIZED).exists() || uptime().is_some_and(|up| up >= SETTLED));
        Wall::at(told, known)
    }

    /// `told` by a clock that is `known` to be right.
    pub fn at(told: Duration, known: bool) -> Wall {
        Wall { now: told.max(built()), known }
    }
}

/// When this program was built, where its builder says so (SOURCE_DATE_EPOCH).
fn built() -> Duration {
    let built = option_env!("SOURCE_DATE_EPOCH").and_then(|text| text.parse().ok()).map(Duration::from_secs);
    built.unwrap_or(EPOCH).max(EPOCH)
}

fn uptime() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    let seconds: f64 = text.split(' ').next()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_of_1970_is_taken_for_the_day_of_the_build() {
        assert_eq!(Wall::at(Duration::ZERO, false).now, built());
        assert!(Wall::now().now >= EPOCH);
        assert!(uptime().is_some());
    }
}
