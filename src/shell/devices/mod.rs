//! Device threads: camera, microphone, speaker, pictures, TV and buttons.
//!
//! | thread | takes | gives | file |
//! |---|---|---|---|
//! | `camera` | the driver's frames | the newest raw frame to the encoders, or H.264 as the camera made it (`coded.rs`) | `camera.rs` |
//! | `microphone` | the driver's blocks, what the speaker played | blocks without echo to the Opus thread | `microphone.rs` |
//! | `speaker` | viewers' Opus packets, chimes | blocks to the driver | `speaker.rs` |
//! | `pictures` | viewers' H.264, through the jail | the newest picture of each on the [`board::Board`] | `pictures.rs` |
//! | `tv` | the board | a composed picture to the driver, on every change | `tv.rs` |
//! | `buttons` | input devices | keys that are pressed or held to the loop | `input_events.rs` |
//!
//! - `intercom_core::devices::keeper` says when a device is opened, used, rested and tried again. A thread does what it says.
//! - While nobody visits, cameras are asked once a second, and microphones pause.
//! - A network camera's JPEG is decoded in a jail of its own (`jpegs.rs`).

pub mod activity;
pub mod board;
pub mod camera;
pub mod coded;
pub mod health;
pub mod input_events;
pub mod jpegs;
pub mod microphone;
pub mod pictures;
pub mod sound_levels;
pub mod speaker;
pub mod tv;

use std::sync::Arc;

pub use activity::Activity;
use activity::Hints;
pub use health::DeviceHealth;
use intercom_core::devices::doctor::Kind;
use intercom_core::devices::xruns::NewXruns;
use intercom_media::opus::OpusError;
use intercom_media::voice_mixer::VoiceMixer;
pub use sound_levels::SoundLevels;
pub use tv::ZONE;

use crate::shell::wires::{AudioIn, VisitId};

/// What each device's thread has to do with the others.
#[derive(Clone, Debug, Default)]
pub struct DeviceContext {
    /// What it waits for.
    pub activity: Arc<Activity>,
    /// Where it says how its device is.
    pub health: Arc<DeviceHealth>,
    /// How home's sound is set.
    pub levels: Arc<SoundLevels>,
}

/// Takes in what a viewer says, or that they left.
pub(crate) fn hear(voices: &mut VoiceMixer<VisitId>, spoken: AudioIn) -> Result<(), OpusError> {
    match spoken {
        AudioIn::Packet(visit, packet) => voices.insert(visit, packet)?,
        AudioIn::Gone(visit) => voices.leave(visit),
    }
    Ok(())
}

/// Puts gaps in a device's sound into the log; `what` happened, as "ran dry".
pub(crate) fn tell_gaps(kind: Kind, device: &str, what: &str, gaps: Option<NewXruns>) {
    if let Some(NewXruns { new, total }) = gaps {
        let times = if new == 1 { "once".to_owned() } else { format!("{new} times") };
        let kind = kind.word();
        log::warn!(
            "{kind}: {device} {what} {times}, {total} in all: gaps in the sound, since this machine is too busy"
        );
    }
}
