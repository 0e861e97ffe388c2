//! Device threads: camera, microphone, speaker, pictures and TV.

pub mod camera;
pub mod microphone;
pub mod pictures;
pub mod speaker;
pub mod tv;

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::core::supervisor::Change;
use crate::shell::clock;

/// Whether anybody visits; devices rest while nobody does.
#[derive(Debug, Default)]
pub struct Presence {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct State {
    present: bool,
    stopped: bool,
}

impl Presence {
    /// Nobody there yet.
    pub fn new() -> Presence {
        Presence::default()
    }

    /// Tells every device thread.
    pub fn set(&self, present: bool) {
        self.lock().present = present;
        self.changed.notify_all();
    }

    /// Ends every device thread.
    pub fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }

    /// Whether anybody visits.
    pub fn is_present(&self) -> bool {
        self.lock().present
    }

    /// Whether it is time to end.
    pub fn is_stopped(&self) -> bool {
        self.lock().stopped
    }

    /// Waits for somebody to visit: returns at once if somebody does, after `time` at the latest. Whether somebody
    /// is there.
    pub fn wait(&self, time: Duration) -> bool {
        self.wait_while(time, |state| !state.present).present
    }

    /// Sleeps for `time`, or until it is time to end.
    pub fn sleep(&self, time: Duration) {
        self.wait_while(time, |_| true);
    }

    fn wait_while(&self, time: Duration, condition: impl Fn(&State) -> bool) -> State {
        let until = clock::now() + time;
        let mut state = self.lock();
        while !state.stopped && condition(&state) {
            let left = until.saturating_duration_since(clock::now());
            if left.is_zero() {
                break;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        *state
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts a device's change into the log.
pub(crate) fn tell_change(kind: &str, device: &str, change: Option<Change>) {
    match change {
        Some(Change::Live) => log::info!("{kind}: {device} works"),
        Some(Change::Absent(error)) => log::warn!("{kind}: {device}: {error}; {}", error.remedy()),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Long enough for a busy machine; only a failing test waits for it.
    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn who_came_before_the_waiting_began_is_not_missed() {
        let presence = Presence::new();
        presence.set(true);
        let begun = clock::now();
        assert!(presence.wait(LONG));
        assert!(clock::now() - begun < LONG);
        presence.set(false);
        assert!(!presence.wait(Duration::from_millis(1)));
    }

    #[test]
    fn a_visit_and_the_end_wake_who_waits() {
        let presence = Arc::new(Presence::new());
        let (there, woken) = (presence.clone(), clock::now());
        let waiting = std::thread::spawn(move || (there.wait(LONG), there.sleep(LONG)).0);
        presence.set(true);
        presence.stop();
        assert!(waiting.join().unwrap() && clock::now() - woken < LONG);
    }
}
