//! The one file of this crate that reads a clock; everybody else is given `now`.
#![allow(clippy::disallowed_methods)]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;

/// The monotonic clock.
pub fn now() -> Instant {
    Instant::now()
}

/// Time since 1970 in UTC; zero on a machine whose clock is before it.
pub fn unix_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Sleeps until `deadline`; returns at once if it is past.
pub fn sleep_until(deadline: Instant) {
    let left = deadline.saturating_duration_since(now());
    if !left.is_zero() {
        std::thread::sleep(left);
    }
}

/// The clock of the processor time that another process has used.
#[derive(Debug)]
pub struct CpuTime(Option<ClockId>);

impl CpuTime {
    /// Of the process with this number.
    pub fn of(pid: u32) -> CpuTime {
        let pid = i32::try_from(pid).ok().map(Pid::from_raw);
        CpuTime(pid.and_then(|pid| clock_getcpuclockid(pid).ok()))
    }

    /// `None` if the process is gone, or the kernel does not say.
    pub fn used(&self) -> Option<Duration> {
        self.0.and_then(|clock| clock.now().ok()).map(Duration::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_time_of_another_process_is_read_until_it_is_gone() {
        let mut child = std::process::Command::new("sh").args(["-c", "while :; do :; done"]).spawn().expect("a shell");
        let time = CpuTime::of(child.id());
        while time.used().expect("a clock") < Duration::from_millis(20) {
            std::thread::yield_now();
        }
        child.kill().expect("killed");
        child.wait().expect("ended");
        assert_eq!(time.used(), None);
    }
}
