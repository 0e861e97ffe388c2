//! An encoder that encodes nothing, and what its frames look like.

use std::sync::Arc;
use std::time::{Duration, Instant};

use intercom_base::settings::Rung;
use intercom_base::units::Bitrate;
use intercom_core::call::items::{EncodedVideo, EncoderName, EncoderOrder};
use intercom_core::rate::sizes::{Sizes, stride};

/// Encodes nothing: frames as large as a real encoder's at the ordered bitrate, numbered.
pub struct FakeEncoder {
    pub name: EncoderName,
    pub period: Duration,
    pub bitrate: Option<Bitrate>,
    pub keyframe: bool,
    /// The sizes of its picture, as the real one's.
    pub sizes: Sizes,
    /// Ticks since the last frame.
    ticks: u64,
    pub due: Instant,
    pub keyframes: u64,
    pub frames: u64,
}

/// Bits of a keyframe for each pixel, of an ordinary room.
const KEYFRAME: f64 = 0.35;

impl FakeEncoder {
    pub fn new(name: EncoderName, full: &Rung, least: &Rung, now: Instant) -> FakeEncoder {
        FakeEncoder {
            name,
            period: full.rate.period(),
            bitrate: None,
            keyframe: false,
            sizes: Sizes::new(full, least),
            ticks: 0,
            due: now,
            keyframes: 0,
            frames: 0,
        }
    }

    /// Takes an order; whether a keyframe is to be made at once.
    pub fn order(&mut self, order: EncoderOrder, now: Instant) -> bool {
        match order {
            EncoderOrder::Run(bitrate) => {
                if self.bitrate.replace(bitrate).is_none() {
                    self.due = now;
                    self.keyframe = true;
                }
            }
            EncoderOrder::Keyframe => self.keyframe = true,
            EncoderOrder::Stop => {
                self.bitrate = None;
                self.sizes.handle_stop();
            }
        }
        order == EncoderOrder::Keyframe
    }

    pub fn frame(&mut self, number: u32, captured: Instant, now: Instant) -> Option<EncodedVideo> {
        let bitrate = self.bitrate?;
        self.ticks += 1;
        let every = stride(bitrate, self.sizes.floor()).max(self.sizes.size().every);
        if !self.keyframe && self.ticks < every {
            return None;
        }
        self.ticks = 0;
        let asked = std::mem::take(&mut self.keyframe);
        let keyframe = self.sizes.handle_frame(bitrate, asked, now) || asked;
        let size = self.sizes.size();
        let bitrate = bitrate.min(size.max).max(self.sizes.floor());
        let even = bitrate.bps() as f64 / 8.0 * self.period.as_secs_f64();
        // A keyframe is what the picture's size makes of it, within what the rate control does.
        let whole = f64::from(size.width * size.height) * KEYFRAME / 8.0;
        let bytes = if keyframe { whole.clamp(even * 2.0, even * 12.0) } else { even } as usize;
        // An ordinary scene: good where it has what it needs.
        let qp = 29.0 + 6.0 * (size.need.bps() as f64 / bitrate.bps() as f64).log2();
        self.sizes.handle_qp(qp.round().clamp(14.0, 48.0) as u8, bitrate, now);
        self.frames += 1;
        self.keyframes += u64::from(keyframe);
        let data: Arc<[u8]> = access_unit(keyframe, number, bytes).into();
        let (encoder, full) = (self.name, self.sizes.is_full());
        Some(EncodedVideo { encoder, full, data, keyframe, captured, encode_began: now, encoded: now })
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
