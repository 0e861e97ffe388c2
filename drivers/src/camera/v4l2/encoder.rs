//! The encoder inside a camera that sends H.264: how it is told what to do. The kernel's own codec controls where the
//! camera has them (camera modules), else the extension unit of USB webcams, which the kernel only passes on.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use v4l::device::Handle;
use v4l::v4l_sys as sys;

use super::controls::Range;
use super::extension::{self, CONFIG_BYTES, Wish};
use super::kernel::{self, Query};
use crate::contract::CameraEncoder;

const FORCE_KEYFRAME: u32 = sys::V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME;
const BITRATE: u32 = sys::V4L2_CID_MPEG_VIDEO_BITRATE;
const PROFILE: u32 = sys::V4L2_CID_MPEG_VIDEO_H264_PROFILE;
const CONSTRAINED_BASELINE: i64 =
    sys::v4l2_mpeg_video_h264_profile_V4L2_MPEG_VIDEO_H264_PROFILE_CONSTRAINED_BASELINE as i64;
const REPEAT_HEADERS: u32 = sys::V4L2_CID_MPEG_VIDEO_REPEAT_SEQ_HEADER;

/// What is asked for before the intercom says how much it wants: a picture that is good at any size of a webcam's.
const AT_FIRST: u32 = 2_500_000;

/// Which way a camera's encoder is told.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Way {
    /// By the kernel's controls; of the bitrate, what it takes.
    Controls { bitrate: Option<Range> },
    /// By the extension unit of this number.
    Extension { unit: u8 },
}

/// The encoder inside a camera. There is none that cannot be asked for a keyframe.
#[derive(Clone)]
pub struct Encoder {
    handle: Arc<Handle>,
    way: Way,
}

impl Encoder {
    /// The encoder of the camera that was opened at `path`.
    pub fn find(handle: Arc<Handle>, path: &Path) -> Option<Encoder> {
        if kernel::has_button(&handle, FORCE_KEYFRAME) {
            let bitrate = kernel::control(&handle, BITRATE);
            return Some(Encoder { handle, way: Way::Controls { bitrate } });
        }
        let unit = extension_unit(path)?;
        let mut asked = [0; 4];
        // It may be there and know nothing of pictures.
        kernel::ask_extension(&handle, unit, extension::PICTURE_TYPE, Query::Current, &mut asked).ok()?;
        Some(Encoder { handle, way: Way::Extension { unit } })
    }

    /// Asks for a stream that suits WebRTC; comes after the format is set and before the stream starts. What the camera does
    /// not take, its stream will show.
    pub fn prepare(&self, width: u32, height: u32, rate: f64) {
        match &self.way {
            Way::Controls { .. } => {
                let _ = kernel::set_control(&self.handle, PROFILE, CONSTRAINED_BASELINE);
                let _ = kernel::set_control(&self.handle, REPEAT_HEADERS, 1);
            }
            Way::Extension { unit } => {
                let wish = Wish {
                    width: u16::try_from(width).unwrap_or(u16::MAX),
                    height: u16::try_from(height).unwrap_or(u16::MAX),
                    interval: (1e7 / rate.clamp(0.1, 1000.0)) as u32,
                    bitrate: AT_FIRST,
                };
                let mut config = [0; CONFIG_BYTES];
                let mut probe = |query| {
                    kernel::ask_extension(&self.handle, *unit, extension::CONFIG_PROBE, query, &mut config).map(|()| {
                        if query == Query::Current {
                            extension::configure(&mut config, wish);
                        }
                    })
                };
                let agreed = probe(Query::Current).and_then(|()| probe(Query::Set));
                let commit = agreed.and_then(|()| {
                    kernel::ask_extension(&self.handle, *unit, extension::CONFIG_COMMIT, Query::Set, &mut config)
                });
                if let Err(error) = commit {
                    log::debug!("the camera's encoder was not configured: {error}");
                }
            }
        }
    }
}

impl CameraEncoder for Encoder {
    fn request_keyframe(&mut self) -> bool {
        match &self.way {
            Way::Controls { .. } => kernel::set_control(&self.handle, FORCE_KEYFRAME, 1).is_ok(),
            Way::Extension { unit } => {
                let mut wish = extension::NEXT_IS_KEYFRAME;
                kernel::ask_extension(&self.handle, *unit, extension::PICTURE_TYPE, Query::Set, &mut wish).is_ok()
            }
        }
    }

    fn set_bitrate(&mut self, bits_per_second: u64) -> bool {
        match &self.way {
            Way::Controls { bitrate: None } => false,
            Way::Controls { bitrate: Some(range) } => {
                let value = range.nearest(i64::try_from(bits_per_second).unwrap_or(i64::MAX));
                kernel::set_control(&self.handle, BITRATE, value).is_ok()
            }
            Way::Extension { unit } => {
                let mut wish = extension::bitrate(bits_per_second);
                kernel::ask_extension(&self.handle, *unit, extension::BITRATE, Query::Set, &mut wish).is_ok()
            }
        }
    }
}

/// The number of the webcam's extension unit for H.264, from the descriptors that the kernel shows.
fn extension_unit(path: &Path) -> Option<u8> {
    let name = fs::canonicalize(path).ok()?.file_name()?.to_str()?.to_owned();
    // The interface; the device is above it.
    let interface = fs::canonicalize(format!("/sys/class/video4linux/{name}/device")).ok()?;
    let number = fs::read_to_string(interface.join("bInterfaceNumber")).ok()?;
    let number = u8::from_str_radix(number.trim(), 16).ok()?;
    extension::find(&fs::read(interface.parent()?.join("descriptors")).ok()?, number)
}
