//! The run-time options of OpenH264 that its safe wrapper does not reach; kept apart because they need `unsafe`.
#![deny(missing_docs)]

use std::fmt;
use std::os::raw::c_int;

use openh264::encoder::Encoder;
use openh264_sys2::{ENCODER_OPTION_BITRATE, SBitrateInfo, SPATIAL_LAYER_ALL};

/// OpenH264 refused an option; the number is its own (`CM_RETURN` in its header codec_app_def.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Which option, in words.
    pub option: &'static str,
    /// What OpenH264 returned.
    pub code: i32,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenH264 refused the option {} with code {}", self.option, self.code)
    }
}

impl std::error::Error for Refused {}

/// Aims at `bits_per_second` from the next frame on. It must not be above the bitrate that the encoder was made
/// with, and the encoder must have encoded a frame (before, it is not initialised inside).
pub fn set_bitrate(encoder: &mut Encoder, bits_per_second: u32) -> Result<(), Refused> {
    let wanted = c_int::try_from(bits_per_second).unwrap_or(c_int::MAX);
    let mut info = SBitrateInfo { iLayer: SPATIAL_LAYER_ALL, iBitrate: wanted };
    // SAFETY: ENCODER_OPTION_BITRATE takes a pointer to one SBitrateInfo, which it reads during the call only.
    let code = unsafe { encoder.raw_api().set_option(ENCODER_OPTION_BITRATE, (&raw mut info).cast()) };
    if code == 0 { Ok(()) } else { Err(Refused { option: "bitrate", code }) }
}

/// Whether OpenH264's assembler is in this program. A program that calls it on x86-64 does not even link without.
pub fn has_assembler() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        unsafe extern "C" {
            /// One of the routines that only nasm produces: sums of absolute differences, the heart of motion search.
            fn WelsSampleSad16x16_sse2();
        }
        let routine = std::hint::black_box(WelsSampleSad16x16_sse2 as *const ());
        !routine.is_null()
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        cfg!(target_arch = "aarch64")
    }
}
