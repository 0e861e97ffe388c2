//! The H.264 decoder for viewers' cameras: what comes in is from outside, so errors are data and sizes bounded.

use std::fmt;
use std::sync::Arc;

use intercom_base::picture::{I420, PicturePool};
use openh264::decoder::{DecodedYUV, Decoder};
use openh264::formats::YUVSource;

use crate::h264;

/// Pictures are at most so wide, and at most so high; phones send up to 1920x1080 in either orientation.
pub const LONGEST_SIDE: usize = 1920;

/// Why an access unit gave no picture. After each of them nothing can be shown before the next keyframe.
#[derive(Debug)]
pub enum DecodeError {
    /// The stream announces a picture that is too large, or that we cannot even measure.
    Size(Option<(u32, u32)>),
    /// OpenH264 could not decode it: something before it was lost, or it is broken.
    Codec(openh264::Error),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Size(Some((width, height))) => {
                write!(f, "pictures of {width}x{height} are too large; the longest side may have {LONGEST_SIDE} pixels")
            }
            DecodeError::Size(None) => write!(f, "the size of the pictures cannot be read"),
            DecodeError::Codec(error) => write!(f, "H.264 decoder: {error}"),
        }
    }
}

impl std::error::Error for DecodeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            DecodeError::Size(_) => None,
            DecodeError::Codec(error) => Some(error),
        }
    }
}

/// Decodes one viewer's camera.
pub struct VideoDecoder {
    /// Made with the first keyframe, and made again after a failure.
    decoder: Option<Decoder>,
    pool: PicturePool,
}

impl Default for VideoDecoder {
    fn default() -> VideoDecoder {
        VideoDecoder::new()
    }
}

impl VideoDecoder {
    /// A decoder that waits for a keyframe.
    pub fn new() -> VideoDecoder {
        VideoDecoder { decoder: None, pool: PicturePool::default() }
    }

    /// Whether the next access unit must be a keyframe to be of any use.
    pub fn needs_keyframe(&self) -> bool {
        self.decoder.is_none()
    }

    /// Forgets the stream: what comes next must be a keyframe.
    pub fn reset(&mut self) {
        self.decoder = None;
    }

    /// Decodes one access unit (Annex B). `None` if it holds no picture.
    pub fn decode(&mut self, access_unit: &[u8]) -> Result<Option<Arc<I420>>, DecodeError> {
        let result = self.try_decode(access_unit);
        if result.is_err() {
            self.reset();
        }
        result
    }

    fn try_decode(&mut self, access_unit: &[u8]) -> Result<Option<Arc<I420>>, DecodeError> {
        for unit in h264::nal_units(access_unit).filter(|unit| unit[0] & 31 == 7) {
            let size = h264::sps_size(unit);
            // One macroblock more: 1080 lines are announced as 1088 and cropped.
            let fits = |side: u32| side as usize <= LONGEST_SIDE + 15;
            if !size.is_some_and(|(width, height)| fits(width) && fits(height)) {
                return Err(DecodeError::Size(size));
            }
        }
        let decoder = match &mut self.decoder {
            Some(decoder) => decoder,
            none => none.insert(Decoder::new().map_err(DecodeError::Codec)?),
        };
        let decoded = decoder.decode(access_unit).map_err(DecodeError::Codec)?;
        Ok(decoded.and_then(|yuv| packed(&yuv, &mut self.pool)))
    }
}

/// Copies the planes out of the decoder's memory; `None` if they are not what they say.
fn packed(yuv: &DecodedYUV<'_>, pool: &mut PicturePool) -> Option<Arc<I420>> {
    let (width, height) = yuv.dimensions();
    if width == 0 || height == 0 || width > LONGEST_SIDE || height > LONGEST_SIDE {
        return None;
    }
    let mut picture = pool.take(width, height);
    let fill = Arc::get_mut(&mut picture)?;
    let (chroma_width, strides) = (fill.chroma_width(), yuv.strides());
    let sources = [(yuv.y(), strides.0, width), (yuv.u(), strides.1, chroma_width), (yuv.v(), strides.2, chroma_width)];
    for (plane, (source, stride, width)) in fill.planes_mut().into_iter().zip(sources) {
        if stride < width {
            return None;
        }
        for (row, from) in plane.chunks_exact_mut(width).zip(source.chunks(stride)) {
            row.copy_from_slice(from.get(..width)?);
        }
    }
    pool.keep(&picture);
    Some(picture)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use intercom_base::settings::Rung;
    use intercom_base::testing::pictures::moving_scene;
    use intercom_base::units::{Bitrate, FrameRate};

    use super::*;
    use crate::video_encoder::VideoEncoder;

    fn stream(width: usize, height: usize, frames: usize) -> Vec<Arc<[u8]>> {
        let rung = Rung {
            width: width as u32,
            height: height as u32,
            rate: FrameRate::from_fps(30.0),
            floor: Bitrate::from_kbps(100),
            max: Bitrate::from_kbps(4000),
        };
        let mut encoder = VideoEncoder::new(&rung).unwrap();
        (0..frames)
            .filter_map(|n| {
                let at = Duration::from_millis(33 * n as u64);
                encoder.encode(&moving_scene(width, height, n), false, at).unwrap()
            })
            .map(|encoded| encoded.data)
            .collect()
    }

    /// Mean absolute difference of luma.
    fn difference(a: &I420, b: &I420) -> f64 {
        let sum: u64 = a.planes()[0].iter().zip(b.planes()[0]).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        sum as f64 / a.planes()[0].len() as f64
    }

    #[test]
    fn each_picture_comes_out_at_once_and_looks_like_what_went_in() {
        for (width, height) in [(320, 240), (362, 202)] {
            let mut decoder = VideoDecoder::new();
            for (n, unit) in stream(width, height, 8).iter().enumerate() {
                let picture = decoder.decode(unit).unwrap().expect("a picture for each access unit");
                assert_eq!((picture.width(), picture.height()), (width, height));
                assert!(difference(&picture, &moving_scene(width, height, n)) < 6.0, "frame {n}");
            }
        }
    }

    #[test]
    fn after_a_loss_it_wants_a_keyframe_and_goes_on_with_it() {
        let units = stream(320, 240, 8);
        let mut decoder = VideoDecoder::new();
        assert!(decoder.decode(&units[1]).is_err(), "no keyframe yet");
        assert!(decoder.needs_keyframe());
        assert!(decoder.decode(&units[0]).unwrap().is_some());
        assert!(decoder.decode(&units[1]).unwrap().is_some());
        assert!(decoder.decode(&units[2][..units[2].len() / 3]).is_err() || decoder.decode(&units[4]).is_err());
        assert!(decoder.needs_keyframe());
        assert!(decoder.decode(&units[0]).unwrap().is_some());
    }

    #[test]
    fn the_size_may_change_with_a_keyframe_as_a_phone_turns() {
        let mut decoder = VideoDecoder::new();
        for (width, height) in [(320, 240), (240, 320), (640, 360)] {
            let picture = decoder.decode(&stream(width, height, 1)[0]).unwrap().unwrap();
            assert_eq!((picture.width(), picture.height()), (width, height));
        }
    }

    #[test]
    fn what_is_too_large_is_refused_before_it_costs_memory() {
        // A parameter set for 4096x2304, as an attacker may send it.
        let sps = [0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x33, 0xda, 0x00, 0x80, 0x01, 0x21, 0xa1, 0, 0, 3];
        let size = h264::sps_size(&sps[4..]);
        assert!(size.is_some_and(|(width, _)| width > 1935), "{size:?}");
        assert!(matches!(VideoDecoder::new().decode(&sps), Err(DecodeError::Size(Some(_)))));
    }

    #[test]
    fn damaged_streams_never_panic() {
        let units = stream(320, 240, 4);
        let mut random = fastrand::Rng::with_seed(11);
        let mut decoder = VideoDecoder::new();
        for round in 0..300 {
            let mut unit = units[round % units.len()].to_vec();
            for _ in 0..random.usize(1..20) {
                let at = random.usize(..unit.len());
                unit[at] = random.u8(..);
            }
            unit.truncate(random.usize(1..=unit.len()));
            let _ = decoder.decode(&unit);
        }
    }

    #[test]
    #[ignore = "measures"]
    fn measure_cost() {
        use crate::test_pictures::thread_cpu_ms;
        for (width, height) in [(640, 480), (1280, 720)] {
            let units = stream(width, height, 30);
            let mut best = f64::MAX;
            for _ in 0..5 {
                let mut decoder = VideoDecoder::new();
                let begun = thread_cpu_ms();
                units.iter().for_each(|unit| assert!(decoder.decode(unit).unwrap().is_some()));
                best = best.min((thread_cpu_ms() - begun) / units.len() as f64);
            }
            println!("decode {width}x{height}: {best:.2} ms a frame");
        }
    }
}
