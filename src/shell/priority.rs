//! Which threads go first when the machine has too much to do: sound and network, then video out, then the rest, then
//! the TV.

use std::fmt;

use rustix::process::setpriority_process;
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

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
    /// stands beside it.
    pub fn take(self) {
        let taken = match self {
            Class::Live => real_time().or_else(|why| nice(-11).map_err(|also| format!("{why}; {also}"))),
            Class::Video => nice(-5),
            Class::Normal => Ok(()),
            // Everybody may step back.
            Class::Background => nice(5),
        };
        if let Err(why) = taken {
            log::debug!("thread {} runs like any other: {why}", std::thread::current().name().unwrap_or("?"));
        }
    }
}

fn real_time() -> Result<(), String> {
    let refused = |error: &dyn fmt::Debug| format!("no real time: {error:?}");
    let value = ThreadPriorityValue::try_from(REAL_TIME).map_err(|error| refused(&error))?;
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin);
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Crossplatform(value), policy)
        .map_err(|error| refused(&error))
}

/// On Linux this concerns the calling thread alone (setpriority(2), "C library/kernel differences").
fn nice(level: i32) -> Result<(), String> {
    setpriority_process(None, level).map_err(|error| format!("not before others: {error}"))
}
