//! Hardware drivers of the intercom behind one small contract.
#![deny(missing_docs)]
#![deny(unsafe_op_in_unsafe_fn)]

pub mod contract;
pub mod faulty;
pub mod registry;
pub mod words;

#[cfg(any(feature = "microphone-alsa", feature = "speaker-alsa"))]
mod alsa_messages;
mod camera;
#[cfg(any(feature = "microphone-alsa", feature = "speaker-alsa"))]
mod cards;
mod clock;
mod display;
#[cfg(any(feature = "microphone-alsa", feature = "speaker-alsa"))]
#[allow(dead_code)] // Each direction uses its half.
mod formats;
#[cfg(any(test, fuzzing))]
#[allow(missing_docs)] // For `make fuzz` alone.
pub mod fuzz;
#[cfg(any(feature = "camera-v4l2", feature = "camera-http-mjpeg"))]
#[allow(dead_code)] // Only the kernel's cameras agree on a size.
mod health;
#[cfg(feature = "jpeg")]
#[allow(dead_code)] // Each driver uses its part.
pub mod jpeg;
mod microphone;
#[cfg(any(feature = "microphone-alsa", feature = "speaker-alsa"))]
mod mixer;
#[cfg(any(feature = "camera-v4l2", feature = "display-drm"))]
mod nodes;
#[allow(dead_code)] // Each build uses the kinds of options that its drivers have.
mod options;
#[cfg(any(
    feature = "microphone-tone",
    feature = "microphone-alsa",
    feature = "speaker-alsa",
    feature = "speaker-wav",
    feature = "speaker-none"
))]
#[allow(dead_code)] // As above.
mod pace;
#[cfg(any(feature = "microphone-alsa", feature = "speaker-alsa"))]
#[allow(dead_code)] // Each direction uses its half.
mod pcm;
#[cfg(any(feature = "camera-exec", feature = "microphone-exec", feature = "display-exec"))]
mod process;
#[cfg(any(feature = "camera-exec", feature = "jpeg"))]
mod range;
mod speaker;
#[cfg(test)]
#[allow(dead_code)] // As above.
mod storm;
#[cfg(any(
    feature = "camera-v4l2",
    feature = "camera-http-mjpeg",
    feature = "camera-exec",
    feature = "microphone-exec",
    feature = "display-drm",
    feature = "display-exec"
))]
mod wait;
