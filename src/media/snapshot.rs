//! One picture as a JPEG, for browsers that cannot show home's video.

use intercom_base::picture::I420;
use jpeg_encoder::{Encoder, EncodingError, ImageBuffer, JpegColorType, SamplingFactor};

/// A snapshot of 640x360 pixels has at most so many bytes, unless it shows nothing but noise. It shares the signaling socket with
/// everything else.
pub const LARGEST: usize = 24 * 1024;
/// Tried in turn, until one gives few enough bytes.
const QUALITIES: [u8; 5] = [65, 45, 28, 12, 2];

/// A JPEG (baseline, 4:2:0, JFIF) of the picture as it is, at the best quality that keeps it within [`LARGEST`].
///
/// # Errors
/// If a side has more than 65,535 pixels.
pub fn encode(picture: &I420) -> Result<Vec<u8>, EncodingError> {
    let too_large = |_| EncodingError::BadImageData { length: picture.packed().len(), required: 0 };
    let width = u16::try_from(picture.width()).map_err(too_large)?;
    let height = u16::try_from(picture.height()).map_err(too_large)?;
    let mut jpeg = Vec::with_capacity(LARGEST);
    for quality in QUALITIES {
        jpeg.clear();
        let mut encoder = Encoder::new(&mut jpeg, quality);
        // Of each chroma sample, which `Rows` gives four times, one is taken again.
        encoder.set_sampling_factor(SamplingFactor::F_2_2);
        encoder.encode_image(Rows { picture, width, height })?;
        if jpeg.len() <= LARGEST {
            break;
        }
    }
    Ok(jpeg)
}

/// A picture as the encoder reads it: rows of full resolution and full range (JFIF).
struct Rows<'a> {
    picture: &'a I420,
    width: u16,
    height: u16,
}

impl ImageBuffer for Rows<'_> {
    fn get_jpeg_color_type(&self) -> JpegColorType {
        JpegColorType::Ycbcr
    }

    fn width(&self) -> u16 {
        self.width
    }

    fn height(&self) -> u16 {
        self.height
    }

    fn fill_buffers(&self, y: u16, buffers: &mut [Vec<u8>; 4]) {
        let (y, width) = (usize::from(y), usize::from(self.width));
        let half = self.picture.chroma_width();
        let [luma, u, v] = self.picture.planes();
        let [to_luma, to_u, to_v, _] = buffers;
        to_luma.extend(luma[y * width..][..width].iter().map(|sample| full_luma(*sample)));
        for (to, plane) in [(to_u, u), (to_v, v)] {
            let row = &plane[y / 2 * half..][..half];
            to.extend((0..width).map(|x| full_chroma(row[x / 2])));
        }
    }
}

/// 16–235 becomes 0–255.
fn full_luma(sample: u8) -> u8 {
    let above = i32::from(sample) - 16;
    ((above * 255 + 109) / 219).clamp(0, 255) as u8
}

/// 16–240 becomes 0–255, around 128.
fn full_chroma(sample: u8) -> u8 {
    let beside = (i32::from(sample) - 128) * 255;
    let rounded = (beside + 112 * beside.signum()) / 224;
    (128 + rounded).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use intercom_base::testing::pictures::moving_scene;

    use super::*;

    #[test]
    fn the_ends_of_the_range_and_grey_are_kept() {
        assert_eq!([0, 16, 235, 255].map(full_luma), [0, 0, 255, 255]);
        assert_eq!([0, 16, 128, 240, 255].map(full_chroma), [0, 0, 128, 255, 255]);
    }

    #[test]
    fn a_picture_stays_below_the_bound_whatever_it_shows() {
        let scene = encode(&moving_scene(640, 360, 3)).expect("a JPEG");
        assert!(scene.starts_with(&[0xFF, 0xD8]) && scene.ends_with(&[0xFF, 0xD9]));
        assert!(scene.len() <= LARGEST, "{}", scene.len());
        let mut noise = I420::black(640, 360);
        let mut random = fastrand::Rng::with_seed(1);
        noise.packed_mut().fill_with(|| random.u8(..));
        let noise = encode(&noise).expect("a JPEG");
        assert!(noise.len() <= 64 * 1024, "{}", noise.len());
    }

    #[test]
    fn odd_sizes_have_no_rows_beyond_their_edge() {
        for (width, height) in [(1, 1), (3, 5), (17, 9), (641, 361)] {
            assert!(encode(&I420::black(width, height)).is_ok(), "{width}x{height}");
        }
        assert!(encode(&I420::black(65_536, 1)).is_err());
    }
}
