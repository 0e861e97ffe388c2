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

/// How they stand. The mute outlives the process, as the shell stores it; the volume is the config's after a restart.
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
        let volume = &mut self.levels.volume;
        let allowed =
            if volume.least < volume.most { percent.clamp(volume.least, volume.most) } else { volume.percent };
        let changed = std::mem::replace(&mut volume.percent, allowed) != allowed;
        let message = FromHome::Volume { volume: *volume };
        if changed {
            self.out.push_back(HomeOutput::Volume(allowed));
            self.say_to_all(&message);
        } else if allowed != percent {
            self.out.push_back(HomeOutput::Say(id, message));
        }
    }
}
