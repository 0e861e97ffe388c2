//! An encoder that encodes nothing, and what its frames look like.

use std::sync::Arc;
use std::time::{Duration, Instant};

use intercom_base::units::Bitrate;
use intercom_core::call::items::EncodedVideo;
use intercom_core::call::protocol::RungName;
use intercom_core::rate::encoding::stride;

/// Encodes nothing: frames of the ordered size, numbered, at the rung's rate.
pub struct FakeEncoder {
    pub rung: RungName,
    pub period: Duration,
    pub bitrate: Option<Bitrate>,
    pub keyframe: bool,
    /// What all frames need, and ticks since the last one.
    pub floor: Bitrate,
    pub ticks: u64,
    pub due: Instant,
    pub keyframes: u64,
    pub frames: u64,
}

impl FakeEncoder {
    pub fn frame(&mut self, number: u32, captured: Instant, now: Instant) -> Option<EncodedVideo> {
        let bitrate = self.bitrate?;
        let keyframe = std::mem::take(&mut self.keyframe);
        self.ticks += 1;
        if !keyframe && self.ticks < stride(bitrate, self.floor) {
            return None;
        }
        self.ticks = 0;
        let bitrate = bitrate.max(self.floor);
        let even = bitrate.bps() as f64 / 8.0 * self.period.as_secs_f64();
        let size = if keyframe { even * 4.0 } else { even } as usize;
        self.frames += 1;
        self.keyframes += u64::from(keyframe);
        let data: Arc<[u8]> = access_unit(keyframe, number, size).into();
        Some(EncodedVideo { rung: self.rung, data, keyframe, captured, encode_began: now, encoded: now })
    }
}

/// An Annex B access unit that carries `number`: SPS, PPS and IDR slice, or a single slice.
fn access_unit(keyframe: bool, number: u32, size: usize) -> Vec<u8> {
    let mut unit = Vec::with_capacity(size + 64);
    if keyframe {
        unit.extend([0, 0, 0, 1, 0x67, 0x42, 0xe0, 0x1f, 0xda, 0x01, 0x40, 0x16, 0xe8]);
        unit.extend([0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80]);
    }
    unit.extend([0, 0, 0, 1, if keyframe { 0x65 } else { 0x41 }, 0x88]);
    // Digits, so that no start code can appear.
    unit.extend(format!("{number:08}").bytes());
    unit.resize(unit.len().max(size), b'.');
    unit
}

/// The number in an access unit of [`access_unit`].
pub fn number_in(unit: &[u8]) -> Option<u32> {
    let slice = unit.windows(6).position(|w| w[..4] == [0, 0, 0, 1] && matches!(w[4], 0x65 | 0x41))?;
    std::str::from_utf8(unit.get(slice + 6..slice + 14)?).ok()?.parse().ok()
}
