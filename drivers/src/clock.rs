//! The one file of this crate that reads a clock; everything that decides is given `now`.
#![allow(clippy::disallowed_methods)]
#![allow(dead_code)] // Which of these are used depends on the drivers that are built in.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

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

/// The [`Instant`] at which the kernel's `CLOCK_MONOTONIC` showed `since_boot`; `None` if that is not within
/// the last `oldest`, so that a driver which stamps with another clock is not believed.
pub fn from_monotonic(since_boot: Duration, oldest: Duration) -> Option<Instant> {
    let reading = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let now = now();
    let kernel = Duration::new(u64::try_from(reading.tv_sec).ok()?, u32::try_from(reading.tv_nsec).ok()?);
    let age = kernel.checked_sub(since_boot)?;
    (age <= oldest).then(|| now.checked_sub(age))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_stamp_becomes_the_instant_of_the_same_moment() {
        let reading = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let before = now();
        let stamp = Duration::new(reading.tv_sec as u64, reading.tv_nsec as u32);
        let there = from_monotonic(stamp, Duration::from_secs(60)).expect("a stamp of just now");
        assert!(there <= before, "the stamp was taken before");
        assert!(from_monotonic(Duration::ZERO, Duration::ZERO).is_none(), "the boot is long ago");
        assert!(from_monotonic(stamp + Duration::from_secs(3600), Duration::from_secs(60)).is_none(), "the future");
    }
}
