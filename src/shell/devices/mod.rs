//! Device threads: camera, microphone, speaker, pictures, TV and buttons.

pub mod buttons;
pub mod camera;
pub mod coded;
pub mod levels;
pub mod microphone;
pub mod pictures;
pub mod speaker;
pub mod tv;

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use crate::ops::doctor::Kind;

use crate::core::supervisor::Change;
use crate::core::xruns::Gaps;
use crate::media::opus::OpusError;
use crate::media::party::Party;
use crate::media::scene::Health;
use crate::ops::doctor;
use crate::shell::clock;
use serde::Serialize;

use crate::shell::devices::levels::Levels;
use crate::shell::wires::{Spoken, VisitId};

/// Whether anybody visits; devices rest while nobody does.
#[derive(Debug, Default)]
pub struct Presence {
    state: Mutex<State>,
    changed: Condvar,
    /// What the devices are, and how: for the doctor and the TV.
    devices: Mutex<BTreeMap<Kind, Known>>,
    levels: Levels,
    jail: Mutex<Option<JailReport>>,
}

/// How the jail is in which visitors' pictures are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct JailReport {
    /// It can open no files (landlock).
    pub landlock: bool,
    /// It can make no other system calls than it needs (seccomp).
    pub seccomp: bool,
    /// Its process.
    pub pid: u32,
    /// How often one was started.
    pub starts: u64,
}

/// What is known of a device.
#[derive(Clone, Debug)]
struct Known {
    name: String,
    /// As the log was told last.
    told: doctor::State,
    /// It was opened since then.
    opened: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct State {
    present: bool,
    stopped: bool,
    /// Counts the hints that a device came or went.
    hints: u64,
    /// Of each kind, whether something else is there instead of it.
    stand_ins: [bool; Kind::ALL.len()],
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

    /// How home's sound is set.
    pub fn levels(&self) -> &Levels {
        &self.levels
    }

    /// Some device came or went: whoever waits for one looks now.
    pub fn hint(&self) {
        self.lock().hints += 1;
        self.changed.notify_all();
    }

    /// A device was opened; whether it works shows in use.
    pub(crate) fn opened(&self, kind: Kind, device: &str) {
        let mut devices = self.devices();
        let told = devices.get(&kind).map_or(doctor::State::Untried, |known| known.told.clone());
        devices.insert(kind, Known { name: device.to_owned(), told, opened: true });
    }

    /// What visitors get, or home, of this kind is not real: a card, a tone, or nothing at all.
    pub(crate) fn stands_in(&self, kind: Kind) {
        self.lock().stand_ins[kind as usize] = true;
    }

    /// A device failed in use, perhaps as before, of which the log is not told again.
    pub(crate) fn closed(&self, kind: Kind) {
        self.devices().entry(kind).and_modify(|known| known.opened = false);
    }

    /// Puts a device's change into the log, and remembers it for the doctor. `how` it works is told as well.
    pub(crate) fn tell_change(&self, kind: Kind, device: &str, how: &str, change: Option<&Change>) {
        let comma = if how.is_empty() { "" } else { ", " };
        match change {
            Some(Change::Live) => {
                log::info!("{}: {device} works{comma}{how}", kind.word());
                self.remember(kind, device, doctor::State::Works { how: how.to_owned() });
            }
            Some(Change::Absent(error)) => {
                log::warn!("{}: {device}: {error}; {}", kind.word(), error.remedy());
                self.remember(kind, device, doctor::State::from(error));
            }
            None => {}
        }
    }

    /// A process is in the jail.
    pub fn set_jail(&self, report: JailReport) {
        *self.jail.lock().unwrap_or_else(PoisonError::into_inner) = Some(report);
    }

    /// How the jail is, once it was needed.
    pub fn jail(&self) -> Option<JailReport> {
        *self.jail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The device of this kind, and how it is; `None` before anything is known of it.
    pub fn device(&self, kind: Kind) -> Option<(String, doctor::State)> {
        let known = self.devices().get(&kind)?.clone();
        let state = match known.told {
            doctor::State::Fails { .. } | doctor::State::Untried if known.opened => doctor::State::Opens,
            told => told,
        };
        Some((known.name, state))
    }

    /// Which devices work, for the TV; of the network it knows nothing. Until somebody visits, sound is neither read nor
    /// played, and what is open counts as well. A stand-in is none of the devices, however well it works.
    pub fn health(&self) -> Health {
        let stand_ins = self.lock().stand_ins;
        let well = |kind| match self.device(kind)?.1 {
            _ if stand_ins[kind as usize] => Some(false),
            doctor::State::Works { .. } => Some(true),
            doctor::State::Opens => (kind != Kind::Camera).then_some(true),
            doctor::State::Silent | doctor::State::Fails { .. } => Some(false),
            doctor::State::Untried => None,
        };
        Health {
            camera: well(Kind::Camera),
            microphone: well(Kind::Microphone),
            speaker: well(Kind::Speaker),
            muted: self.levels.is_muted(),
            ..Health::default()
        }
    }

    fn remember(&self, kind: Kind, device: &str, state: doctor::State) {
        self.devices().insert(kind, Known { name: device.to_owned(), told: state, opened: false });
    }

    fn devices(&self) -> MutexGuard<'_, BTreeMap<Kind, Known>> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
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
    pub(crate) fn new(presence: &Presence) -> Hints {
        Hints { heard: presence.lock().hints }
    }

    /// Whether any came since the last time.
    pub(crate) fn heed(&mut self, presence: &Presence) -> bool {
        let count = presence.lock().hints;
        std::mem::replace(&mut self.heard, count) != count
    }

    /// Waits for somebody to visit or for a hint to heed, for `time` at the longest. Whether somebody is there.
    pub(crate) fn wait(&self, presence: &Presence, time: Duration) -> bool {
        presence.wait_while(time, |state| !state.present && state.hints == self.heard).present
    }

    /// Sleeps for `time`, or until there is a hint to heed.
    pub(crate) fn sleep(&self, presence: &Presence, time: Duration) {
        presence.wait_while(time, |state| state.hints == self.heard);
    }
}

/// Takes in what a viewer says, or that they left.
pub(crate) fn hear(party: &mut Party<VisitId>, spoken: Spoken) -> Result<(), OpusError> {
    match spoken {
        Spoken::Packet { visit, sequence, sample, data, arrived } => {
            party.insert(visit, (sequence, sample), data, arrived)?;
        }
        Spoken::Gone(visit) => party.leave(visit),
    }
    Ok(())
}

/// Puts gaps in a device's sound into the log; `what` happened, as "ran dry".
pub(crate) fn tell_gaps(kind: Kind, device: &str, what: &str, gaps: Option<Gaps>) {
    if let Some(Gaps { new, total }) = gaps {
        let times = if new == 1 { "once".to_owned() } else { format!("{new} times") };
        let kind = kind.word();
        log::warn!(
            "{kind}: {device} {what} {times}, {total} in all: gaps in the sound, since this machine is too busy"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use intercom_drivers::contract::DeviceError;

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
    fn a_hint_wakes_who_waits_for_a_device_and_is_heeded_once() {
        let presence = Presence::new();
        let mut hints = Hints::new(&presence);
        let begun = clock::now();
        presence.hint();
        hints.sleep(&presence, LONG);
        assert!(clock::now() - begun < LONG);
        assert!(hints.heed(&presence));
        assert!(!hints.heed(&presence));
    }

    #[test]
    fn who_rests_is_woken_by_a_hint_and_by_a_visit() {
        let presence = Presence::new();
        let mut hints = Hints::new(&presence);
        let begun = clock::now();
        presence.hint();
        assert!(!hints.wait(&presence, LONG));
        assert!(hints.heed(&presence));
        assert!(!hints.wait(&presence, Duration::from_millis(1)));
        presence.set(true);
        assert!(hints.wait(&presence, LONG) && clock::now() - begun < LONG);
    }

    #[test]
    fn a_device_that_fails_as_before_is_known_to_fail_and_one_that_is_open_again_to_open() {
        let presence = Presence::new();
        let state = || presence.device(Kind::Microphone).map(|(_, state)| state);
        assert_eq!(state(), None);
        presence.opened(Kind::Microphone, "x");
        assert_eq!((state(), presence.health().microphone), (Some(doctor::State::Opens), Some(true)));
        let error = DeviceError::Absent("x".into());
        presence.closed(Kind::Microphone);
        presence.tell_change(Kind::Microphone, "x", "", Some(&Change::Absent(error.clone())));
        assert_eq!((state(), presence.health().microphone), (Some(doctor::State::from(&error)), Some(false)));
        presence.opened(Kind::Microphone, "x");
        assert_eq!(state(), Some(doctor::State::Opens));
        presence.closed(Kind::Microphone);
        presence.tell_change(Kind::Microphone, "x", "", None);
        assert_eq!(state(), Some(doctor::State::from(&error)), "the same once more");
        presence.tell_change(Kind::Microphone, "x", "", Some(&Change::Live));
        presence.opened(Kind::Camera, "y");
        assert_eq!((presence.health().microphone, presence.health().camera), (Some(true), None));
    }

    #[test]
    fn a_stand_in_that_works_is_no_device() {
        let presence = Presence::new();
        presence.opened(Kind::Speaker, "no speaker");
        assert_eq!(presence.health().speaker, Some(true));
        presence.stands_in(Kind::Speaker);
        presence.tell_change(Kind::Speaker, "no speaker", "", Some(&Change::Live));
        assert_eq!(presence.health().speaker, Some(false));
        assert_eq!(presence.health().camera, None);
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
