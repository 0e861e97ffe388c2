//! What devices' threads wait for: that somebody visits, that a device came or went, that it is time to end.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::shell::clock;

/// Whether anybody visits, among others; devices rest while nobody does.
#[derive(Debug, Default)]
pub struct Activity {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct State {
    visited: bool,
    stopped: bool,
    /// Counts the hints that a device came or went.
    hints: u64,
}

impl Activity {
    /// Nobody there yet.
    pub fn new() -> Activity {
        Activity::default()
    }

    /// Tells every device thread.
    pub fn set_visited(&self, visited: bool) {
        self.lock().visited = visited;
        self.changed.notify_all();
    }

    /// Ends every device thread.
    pub fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }

    /// Whether anybody visits.
    pub fn is_visited(&self) -> bool {
        self.lock().visited
    }

    /// Whether it is time to end.
    pub fn is_stopped(&self) -> bool {
        self.lock().stopped
    }

    /// Waits for somebody to visit: returns at once if somebody does, after `time` at the latest. Whether somebody
    /// is there.
    pub fn wait(&self, time: Duration) -> bool {
        self.wait_while(time, |state| !state.visited).visited
    }

    /// Sleeps for `time`, or until it is time to end.
    pub fn sleep(&self, time: Duration) {
        self.wait_while(time, |_| true);
    }

    /// Some device came or went: threads that wait for one look now.
    pub fn hint(&self) {
        self.lock().hints += 1;
        self.changed.notify_all();
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

/// What a device thread has heard of hints.
#[derive(Debug)]
pub(crate) struct Hints {
    heard: u64,
}

impl Hints {
    pub(crate) fn new(activity: &Activity) -> Hints {
        Hints { heard: activity.lock().hints }
    }

    /// Whether any came since the last time.
    pub(crate) fn heed(&mut self, activity: &Activity) -> bool {
        let count = activity.lock().hints;
        std::mem::replace(&mut self.heard, count) != count
    }

    /// Waits for somebody to visit or for a hint to heed, for `time` at the longest. Whether somebody is there.
    pub(crate) fn wait(&self, activity: &Activity, time: Duration) -> bool {
        activity.wait_while(time, |state| !state.visited && state.hints == self.heard).visited
    }

    /// Sleeps for `time`, or until there is a hint to heed.
    pub(crate) fn sleep(&self, activity: &Activity, time: Duration) {
        activity.wait_while(time, |state| state.hints == self.heard);
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
        let activity = Activity::new();
        activity.set_visited(true);
        let begun = clock::now();
        assert!(activity.wait(LONG));
        assert!(clock::now() - begun < LONG);
        activity.set_visited(false);
        assert!(!activity.wait(Duration::from_millis(1)));
    }

    #[test]
    fn a_hint_wakes_who_waits_for_a_device_and_is_heeded_once() {
        let activity = Activity::new();
        let mut hints = Hints::new(&activity);
        let begun = clock::now();
        activity.hint();
        hints.sleep(&activity, LONG);
        assert!(clock::now() - begun < LONG);
        assert!(hints.heed(&activity));
        assert!(!hints.heed(&activity));
    }

    #[test]
    fn who_rests_is_woken_by_a_hint_and_by_a_visit() {
        let activity = Activity::new();
        let mut hints = Hints::new(&activity);
        let begun = clock::now();
        activity.hint();
        assert!(!hints.wait(&activity, LONG));
        assert!(hints.heed(&activity));
        assert!(!hints.wait(&activity, Duration::from_millis(1)));
        activity.set_visited(true);
        assert!(hints.wait(&activity, LONG) && clock::now() - begun < LONG);
    }

    #[test]
    fn a_visit_and_the_end_wake_who_waits() {
        let activity = Arc::new(Activity::new());
        let (there, woken) = (activity.clone(), clock::now());
        let waiting = std::thread::spawn(move || (there.wait(LONG), there.sleep(LONG)).0);
        activity.set_visited(true);
        activity.stop();
        assert!(waiting.join().unwrap() && clock::now() - woken < LONG);
    }
}
