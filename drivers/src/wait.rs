//! Waits for file descriptors with an absolute deadline.

use std::io;
use std::time::Instant;

use rustix::event::{PollFd, Timespec, poll};

use crate::clock;

/// Polls until one of `fds` has an event or `deadline` has come; says whether there was an event.
/// A deadline in the past looks once, without waiting.
pub fn wait(fds: &mut [PollFd<'_>], deadline: Instant) -> io::Result<bool> {
    loop {
        let left = deadline.saturating_duration_since(clock::now());
        // The timeout has the clock's own resolution: cut to whole milliseconds it would spin at the end.
        let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
        match poll(fds, Some(&timeout)) {
            Ok(0) if clock::now() < deadline => continue,
            Ok(events) => return Ok(events > 0),
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
    }
}
