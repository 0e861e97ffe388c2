//! Display drivers; private, so that only the registry can name them.

#[cfg(feature = "display-drm")]
pub mod drm;
#[cfg(feature = "display-exec")]
pub mod exec;
#[cfg(feature = "display-none")]
pub mod none;
#[cfg(feature = "display-png")]
pub mod png;
