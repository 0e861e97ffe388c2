//! Speaker drivers; private, so that only the registry can name them.

#[cfg(feature = "speaker-alsa")]
pub mod alsa;
#[cfg(feature = "speaker-none")]
pub mod none;
#[cfg(feature = "speaker-wav")]
pub mod wav;
