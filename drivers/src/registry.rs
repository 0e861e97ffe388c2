//! All drivers of this build, in const tables: the best choice of `auto` first.
use crate::contract::*;
/// c
pub const CAMERAS: &[Driver<dyn CaptureVideo>] = &[crate::camera::test_card::DRIVER];
