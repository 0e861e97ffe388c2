//! What of the sound is set by people: home's microphone muted by home, home's speaker turned up and down by viewers.

use std::time::{Duration, Instant};

use crate::call::home::{Home, HomeOutput, SocketId};
use crate::call::protocol::{FromHome, Volume};

/// A button that is pressed again within this time only bounced.
const BOUNCE: Duration = Duration::from_millis(250);

/// What somebody at home wants of home's microphone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mute {
    /// Nobody shall hear home.
    On,
    /// Viewers shall hear home.
    Off,
    /// The other way than it is: a button was pressed.
    Toggle,
}

/// How they stand. The mute outlives the process, as the shell stores it; the volume is an owner's or the config's after a restart.
#[derive(Debug)]
pub(super) struct Levels {
    pub muted: bool,
    pub volume: Volume,
    toggled: Option<Instant>,
}

impl Levels {
    pub fn new(muted: bool, volume: Volume) -> Levels {
        Levels { muted, volume, toggled: None }
    }
}

impl Home {
    /// Somebody at home mutes the microphone, or opens it again; whether it is muted then. It stays so no matter who comes and
    /// goes.
    pub fn handle_mute(&mut self, wish: Mute, now: Instant) -> bool {
        let levels = &mut self.levels;
        let muted = match wish {
            Mute::On => true,
            Mute::Off => false,
            Mute::Toggle if levels.toggled.is_some_and(|at| now.saturating_duration_since(at) < BOUNCE) => levels.muted,
            Mute::Toggle => {
                levels.toggled = Some(now);
                !levels.muted
            }
        };
        if std::mem::replace(&mut levels.muted, muted) != muted {
            log::info!("home's microphone is {}", if muted { "muted" } else { "open again" });
            self.out.push_back(HomeOutput::Muted(muted));
            self.say_to_all(&FromHome::Microphone { muted });
        }
        muted
    }

    /// A page sets how loud viewers are at home. All pages hear of a change; one that wanted what is not allowed hears what
    /// it is instead.
    pub(super) fn set_volume(&mut self, id: SocketId, percent: u8) {
        let known = self.levels.volume;
        let allowed = if known.least < known.most { percent.clamp(known.least, known.most) } else { known.percent };
        let volume = Volume { percent: allowed, ..known };
        if !self.volume_is(volume) && allowed != percent {
            self.out.push_back(HomeOutput::Say(id, FromHome::Volume { volume }));
        }
    }

    /// Viewers are so loud at home from now on; whether that is new.
    pub(super) fn volume_is(&mut self, volume: Volume) -> bool {
        let changed = std::mem::replace(&mut self.levels.volume, volume) != volume;
        if changed {
            self.out.push_back(HomeOutput::Volume(volume.percent));
            self.say_to_all(&FromHome::Volume { volume });
        }
        changed
    }
}
