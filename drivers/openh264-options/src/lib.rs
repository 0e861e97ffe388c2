//! The run-time options of OpenH264 that its safe wrapper does not reach; kept apart because they need `unsafe`.
#![deny(missing_docs)]

use std::fmt;
use std::os::raw::c_int;

use openh264::encoder::Encoder;
use openh264_sys2::{
    ENCODER_OPTION, ENCODER_OPTION_BITRATE, ENCODER_OPTION_GET_STATISTICS, ENCODER_OPTION_MAX_BITRATE, LAYER_NUM,
    SBitrateInfo, SEncoderStatistics, SPATIAL_LAYER_0, SPATIAL_LAYER_ALL,
};

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
/// with, or that [`set_max_bitrate`] has allowed, and the encoder must have encoded a frame (before, it is not initialised inside).
pub fn set_bitrate(encoder: &mut Encoder, bits_per_second: u32) -> Result<(), Refused> {
    set(encoder, ENCODER_OPTION_BITRATE, "bitrate", SPATIAL_LAYER_ALL, bits_per_second)
}

/// Allows bitrates up to `bits_per_second`. The encoder must have encoded a frame.
pub fn set_max_bitrate(encoder: &mut Encoder, bits_per_second: u32) -> Result<(), Refused> {
    // The limit of the whole does not move that of the one layer there is.
    set(encoder, ENCODER_OPTION_MAX_BITRATE, "max_bitrate", SPATIAL_LAYER_0, bits_per_second)
}

/// The average quantizer of the last frame: 0 to 51, the lower the finer.
pub fn average_qp(encoder: &mut Encoder) -> Result<u8, Refused> {
    let mut statistics = SEncoderStatistics::default();
    // SAFETY: the option takes a pointer to one SEncoderStatistics, which is written during the call only.
    let code = unsafe { encoder.raw_api().get_option(ENCODER_OPTION_GET_STATISTICS, (&raw mut statistics).cast()) };
    if code == 0 {
        Ok(u8::try_from(statistics.uiAverageFrameQP).unwrap_or(u8::MAX))
    } else {
        Err(Refused { option: "statistics", code })
    }
}

fn set(
    encoder: &mut Encoder,
    which: ENCODER_OPTION,
    option: &'static str,
    layer: LAYER_NUM,
    bps: u32,
) -> Result<(), Refused> {
    let wanted = c_int::try_from(bps).unwrap_or(c_int::MAX);
    let mut info = SBitrateInfo { iLayer: layer, iBitrate: wanted };
    // SAFETY: both options take a pointer to one SBitrateInfo, which is read during the call only.
    let code = unsafe { encoder.raw_api().set_option(which, (&raw mut info).cast()) };
    if code == 0 { Ok(()) } else { Err(Refused { option, code }) }
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
