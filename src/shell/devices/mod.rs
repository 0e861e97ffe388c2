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

    /// Sleeps for `time`, or until somebody comes or it is time to end; whether somebody is there.
    pub fn wait(&self, time: Duration) -> bool {
        let until = clock::now() + time;
        let mut state = self.lock();
        let before = state.present;
        while !state.stopped && (before || !state.present) {
            let left = until.saturating_duration_since(clock::now());
            if left.is_zero() {
                break;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.present
    }

    /// Sleeps for `time`, or until it is time to end.
    pub fn sleep(&self, time: Duration) {
        let until = clock::now() + time;
        let mut state = self.lock();
        while !state.stopped {
            let left = until.saturating_duration_since(clock::now());
            if left.is_zero() {
                break;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
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
