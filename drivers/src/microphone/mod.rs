//! Microphone drivers; private, so that only the registry can name them.

#[cfg(feature = "microphone-alsa")]
pub mod alsa;
#[cfg(feature = "microphone-exec")]
pub mod exec;
#[cfg(feature = "microphone-tone")]
pub mod tone;
