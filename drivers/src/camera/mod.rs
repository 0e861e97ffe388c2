//! Camera drivers; private, so that only the registry can name them.

#[cfg(feature = "camera-exec")]
pub mod exec;
#[cfg(feature = "camera-http-mjpeg")]
pub mod http_mjpeg;
#[cfg(feature = "camera-test-card")]
pub mod test_card;
#[cfg(feature = "camera-v4l2")]
pub mod v4l2;
