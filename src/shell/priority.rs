//! Which threads go first when the machine has too much to do: sound and network, then video out, then the rest, then
//! the TV.

use intercom_real_time::{Policy, take};
use rustix::process::setpriority_process;

/// Of 1 to 99; the low end, behind whatever the kernel and a sound server do.
const REAL_TIME: u8 = 5;

/// What a thread is to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Sound and the event loop: little work, and each millisecond of lateness is heard or felt by all.
    Live,
    /// Video encoders: much work, and late is seen.
    Video,
    /// Everything else.
    Normal,
    /// The TV and its decoders: much work, and late is hardly seen.
    Background,
}

impl Class {
    /// Puts the thread that calls this where it belongs, as far as the system allows: real time needs LimitRTPRIO= or
    /// root, a place before others LimitNICE=. What is not allowed stays as it is. A program that the thread starts
    /// stands beside it, but never before others: nobody knows what it will do there.
    pub fn take(self) {
        let taken = match self {
            Class::Live => take(Policy::RoundRobin(REAL_TIME))
                .map_err(|error| format!("no real time: {error}"))
                .or_else(|why| ahead(-11).map_err(|also| format!("{why}; {also}"))),
            Class::Video => ahead(-5),
            Class::Normal => Ok(()),
            // Everybody may step back.
            Class::Background => nice(5),
        };
        if let Err(why) = taken {
            log::debug!("thread {} runs like any other: {why}", std::thread::current().name().unwrap_or("?"));
        }
    }
}

/// Ahead of others without real time.
fn ahead(level: i32) -> Result<(), String> {
    take(Policy::Other).map_err(|error| format!("what it starts would stand before others: {error}"))?;
    nice(level)
}

/// On Linux this concerns the calling thread alone (setpriority(2), "C library/kernel differences").
fn nice(level: i32) -> Result<(), String> {
    setpriority_process(None, level).map_err(|error| format!("not before others: {error}"))
}
