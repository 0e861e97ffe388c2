//! What the devices are and how they do, for the log, the doctor and the TV.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use intercom_core::devices::doctor::{self, Kind};
use intercom_core::devices::supervisor::Change;
use intercom_media::scene::Health;

/// What is known of a device.
#[derive(Clone, Debug)]
struct Known {
    name: String,
    /// As it was last logged.
    told: doctor::State,
    /// It was opened since then.
    opened: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub struct DeviceHealth {
    devices: Mutex<BTreeMap<Kind, Known>>,
    /// Of each kind, whether something else is there instead of it.
    stand_ins: Mutex<[bool; Kind::ALL.len()]>,
}

impl DeviceHealth {
    /// A device was opened; whether it works shows in use.
    pub(crate) fn opened(&self, kind: Kind, device: &str) {
        let mut devices = self.devices();
        let told = devices.get(&kind).map_or(doctor::State::Untried, |known| known.told.clone());
        devices.insert(kind, Known { name: device.to_owned(), told, opened: true });
    }

    /// What viewers get, or home, of this kind is not real: a card, a tone, or nothing at all.
    pub(crate) fn stands_in(&self, kind: Kind) {
        self.stand_ins()[kind as usize] = true;
    }

    /// A device failed in use, perhaps as before, which is not logged again.
    pub(crate) fn closed(&self, kind: Kind) {
        self.devices().entry(kind).and_modify(|known| known.opened = false);
    }

    /// Puts a device's change into the log, and remembers it for the doctor. `how` it works is logged as well.
    pub(crate) fn tell_change(&self, kind: Kind, device: &str, how: &str, change: Option<&Change>) {
        let comma = if how.is_empty() { "" } else { ", " };
        match change {
            Some(Change::Live) => {
                let well = if self.stand_ins()[kind as usize] { ", in place of a real one" } else { " works" };
                log::info!("{}: {device}{well}{comma}{how}", kind.word());
                self.remember(kind, device, doctor::State::Works { how: how.to_owned() });
            }
            Some(Change::Absent(error)) => {
                log::warn!("{}: {device}: {error}; {}", kind.word(), error.remedy());
                self.remember(kind, device, doctor::State::from(error));
            }
            None => {}
        }
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

    /// Which devices work, for the TV; of network and mute it knows nothing. Until somebody visits, sound is neither read nor
    /// played, and what is open counts as well. A stand-in is none of the devices, however well it works.
    pub fn summary(&self) -> Health {
        let stand_ins = *self.stand_ins();
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
            ..Health::default()
        }
    }

    fn remember(&self, kind: Kind, device: &str, state: doctor::State) {
        self.devices().insert(kind, Known { name: device.to_owned(), told: state, opened: false });
    }

    fn devices(&self) -> MutexGuard<'_, BTreeMap<Kind, Known>> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stand_ins(&self) -> MutexGuard<'_, [bool; Kind::ALL.len()]> {
        self.stand_ins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use intercom_drivers::contract::DeviceError;

    use super::*;

    #[test]
    fn a_device_that_fails_as_before_is_known_to_fail_and_one_that_is_open_again_to_open() {
        let health = DeviceHealth::default();
        let state = || health.device(Kind::Microphone).map(|(_, state)| state);
        assert_eq!(state(), None);
        health.opened(Kind::Microphone, "x");
        assert_eq!((state(), health.summary().microphone), (Some(doctor::State::Opens), Some(true)));
        let error = DeviceError::Absent("x".into());
        health.closed(Kind::Microphone);
        health.tell_change(Kind::Microphone, "x", "", Some(&Change::Absent(error.clone())));
        assert_eq!((state(), health.summary().microphone), (Some(doctor::State::from(&error)), Some(false)));
        health.opened(Kind::Microphone, "x");
        assert_eq!(state(), Some(doctor::State::Opens));
        health.closed(Kind::Microphone);
        health.tell_change(Kind::Microphone, "x", "", None);
        assert_eq!(state(), Some(doctor::State::from(&error)), "the same once more");
        health.tell_change(Kind::Microphone, "x", "", Some(&Change::Live));
        health.opened(Kind::Camera, "y");
        assert_eq!((health.summary().microphone, health.summary().camera), (Some(true), None));
    }

    #[test]
    fn a_stand_in_that_works_is_no_device() {
        let health = DeviceHealth::default();
        health.opened(Kind::Speaker, "silence");
        assert_eq!(health.summary().speaker, Some(true));
        health.stands_in(Kind::Speaker);
        health.tell_change(Kind::Speaker, "silence", "", Some(&Change::Live));
        assert_eq!(health.summary().speaker, Some(false));
        assert_eq!(health.summary().camera, None);
    }
}
