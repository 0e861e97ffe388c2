//! JPEGs that cameras send for frames: their size, read in Rust, and their pixels, decoded by libjpeg-turbo, which is C. One that is
//! cut or damaged is an error, never a panic.

use intercom_base::picture::I420;
use turbojpeg::{Decompressor, Subsamp, YuvImage};

use crate::range;

/// Why a frame could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadFrame(pub String);

/// Longest side of a picture, in pixels.
pub const LONGEST_SIDE: usize = 4096;

/// Width and height of a JPEG in pixels, 1 to [`LONGEST_SIDE`] each, as its frame header (ITU-T T.81, B.2.2) says.
///
/// # Errors
/// If it has no such header before its first scan, or one of another size.
pub fn size(bytes: &[u8]) -> Result<(usize, usize), BadFrame> {
    let no_jpeg = || BadFrame("no JPEG".into());
    if !bytes.starts_with(&[0xFF, 0xD8]) {
        return Err(no_jpeg());
    }
    let frame = |&(marker, _): &(u8, usize)| matches!(marker, 0xC0..=0xCF) && !matches!(marker, 0xC4 | 0xC8 | 0xCC);
    let (marker, at) = segments(bytes).take_while(|(marker, _)| *marker != 0xDA).find(frame).ok_or_else(no_jpeg)?;
    // The marker, a length, the bits of a sample, then height and width, and how many components there are.
    let &[bits, high, low, wide, narrow, colours] =
        bytes.get(at + 4..).and_then(<[u8]>::first_chunk).ok_or_else(no_jpeg)?;
    match (marker, bits, colours) {
        (0xC3 | 0xC5..=0xC7 | 0xCB | 0xCD..=0xCF, ..) => {
            return Err(BadFrame(
                "a lossless or hierarchical JPEG; only baseline and progressive ones are read".into(),
            ));
        }
        (_, 8, 1 | 3) => {}
        (_, 8, _) => return Err(BadFrame(format!("a JPEG of {colours} colours (CMYK?); only 1 and 3 are read"))),
        _ => return Err(BadFrame(format!("a JPEG with {bits} bits a sample; only 8 are read"))),
    }
    let (width, height) =
        (usize::from(u16::from_be_bytes([wide, narrow])), usize::from(u16::from_be_bytes([high, low])));
    match (1..=LONGEST_SIDE).contains(&width) && (1..=LONGEST_SIDE).contains(&height) {
        true => Ok((width, height)),
        false => {
            let most = LONGEST_SIDE;
            Err(BadFrame(format!("a JPEG of {width}x{height} pixels; only 1x1 to {most}x{most} are read")))
        }
    }
}

/// Decodes the frames of one camera.
#[derive(Default)]
pub struct Jpeg {
    decoder: Option<Decompressor>,
    scratch: Vec<u8>,
    whole: Vec<u8>,
}

impl Jpeg {
    /// Decodes one frame into `picture`, whose size the frame must have ([`size`]), and brings it to the contract's range.
    ///
    /// # Errors
    /// If it is cut, damaged or of another size.
    pub fn decode(&mut self, bytes: &[u8], picture: &mut I420) -> Result<(), BadFrame> {
        // Many webcams leave out the Huffman tables. The library then takes those of the standard, but only if it
        // never saw others; here each frame stands for itself.
        let mut whole = std::mem::take(&mut self.whole);
        let result = self.decode_whole(with_tables(bytes, &mut whole), picture);
        self.whole = whole;
        match result {
            // JPEG is full range by definition.
            Ok(()) => {
                range::full_to_limited(picture);
                Ok(())
            }
            Err(error) => Err(self.forget(error)),
        }
    }

    /// A decoder keeps the tables of damaged frames, and the good frames after them would suffer.
    fn forget(&mut self, error: BadFrame) -> BadFrame {
        self.decoder = None;
        error
    }

    fn decode_whole(&mut self, bytes: &[u8], picture: &mut I420) -> Result<(), BadFrame> {
        let (jpeg, scratch) = (opened(&mut self.decoder)?, &mut self.scratch);
        let header = jpeg.read_header(bytes).map_err(bad)?;
        let (width, height) = (picture.width(), picture.height());
        if (header.width, header.height) != (width, height) {
            return Err(BadFrame(format!("a JPEG of {}x{} instead of {width}x{height}", header.width, header.height)));
        }
        let subsamp = header.subsamp;
        if subsamp == Subsamp::Sub2x2 && width % 2 == 0 && height % 2 == 0 {
            let pixels = picture.packed_mut();
            return decode(jpeg, bytes, YuvImage { pixels, width, height, align: 1, subsamp });
        }
        let length = turbojpeg::yuv_pixels_len(width, 1, height, subsamp).map_err(bad)?;
        scratch.resize(length, 0);
        let image = YuvImage { pixels: &mut scratch[..], width, height, align: 1, subsamp };
        let ((y_stride, y_rows), (stride, rows)) = (image.y_size(), image.uv_size());
        decode(jpeg, bytes, image)?;

        let (luma, chroma) = scratch.split_at(y_stride * y_rows);
        let [y, u, v] = picture.planes_mut();
        for (from, to) in luma.chunks_exact(y_stride).zip(y.chunks_exact_mut(width)) {
            to.copy_from_slice(&from[..width]);
        }
        if subsamp == Subsamp::Gray {
            u.fill(128);
            v.fill(128);
            return Ok(());
        }
        let (from_u, from_v) = chroma.split_at(stride * rows);
        let factors = match (subsamp.width(), subsamp.height()) {
            (1, 1) => (2, 2),
            (2, 1) => (1, 2),
            (1, 2) => (2, 1),
            (2, 2) => (1, 1),
            (across, down) => return Err(BadFrame(format!("a JPEG with chroma of 1/{across} by 1/{down}"))),
        };
        for (from, to) in [(from_u, u), (from_v, v)] {
            shrink(from, stride, rows, to, width.div_ceil(2), factors);
        }
        Ok(())
    }
}

fn opened(decoder: &mut Option<Decompressor>) -> Result<&mut Decompressor, BadFrame> {
    Ok(match decoder {
        Some(decoder) => decoder,
        none => none.insert(Decompressor::new().map_err(bad)?),
    })
}

fn bad(error: turbojpeg::Error) -> BadFrame {
    BadFrame(format!("JPEG: {error}"))
}

/// Decodes; a warning that does not touch the pixels is not an error.
fn decode(jpeg: &mut Decompressor, bytes: &[u8], image: YuvImage<&mut [u8]>) -> Result<(), BadFrame> {
    match jpeg.decompress_to_yuv(bytes, image) {
        Ok(()) => Ok(()),
        // Many webcams pad their frames, which the library calls corrupt though it has decoded all of it.
        Err(turbojpeg::Error::TurboJpegError(text)) if text.contains("extraneous bytes before marker") => Ok(()),
        Err(error) => Err(BadFrame(format!("JPEG: {error}"))),
    }
}

/// Means of `across` by `down` values (1 or 2 each), the last column and row repeated where they are odd.
fn shrink(from: &[u8], stride: usize, rows: usize, to: &mut [u8], width: usize, (across, down): (usize, usize)) {
    let row = |n: usize| &from[n.min(rows - 1) * stride..][..stride];
    for (n, line) in to.chunks_exact_mut(width).enumerate() {
        let (upper, lower) = (row(n * down), row(n * down + down - 1));
        if across == 1 {
            for ((to, &a), &b) in line.iter_mut().zip(upper).zip(lower) {
                *to = (u16::from(a) + u16::from(b)).div_ceil(2) as u8;
            }
        } else {
            for (x, to) in line.iter_mut().enumerate() {
                let (left, right) = ((2 * x).min(stride - 1), (2 * x + 1).min(stride - 1));
                let sum = [upper[left], upper[right], lower[left], lower[right]].map(u16::from).iter().sum::<u16>();
                *to = ((sum + 2) / 4) as u8;
            }
        }
    }
}

/// The frame with the Huffman tables of ITU-T T.81, annex K.3, if it has none, put together in `room`. What is no JPEG
/// is left as it is, for the decoder to refuse.
fn with_tables<'a>(bytes: &'a [u8], room: &'a mut Vec<u8>) -> &'a [u8] {
    let Some(scan) = scan_without_tables(bytes) else { return bytes };
    room.clear();
    room.extend_from_slice(&bytes[..scan]);
    // DHT, and its length with the two bytes that tell it.
    room.extend_from_slice(&[0xFF, 0xC4]);
    room.extend_from_slice(&(TABLES.len() as u16 + 2).to_be_bytes());
    room.extend_from_slice(&TABLES);
    room.extend_from_slice(&bytes[scan..]);
    room
}

/// Where the first scan begins in a JPEG that has defined no Huffman table before.
fn scan_without_tables(bytes: &[u8]) -> Option<usize> {
    match segments(bytes).find(|(marker, _)| matches!(marker, 0xC4 | 0xDA)) {
        Some((0xDA, at)) => Some(at),
        _ => None,
    }
}

/// The markers of a JPEG behind its first one, and where each stands, as far as their lengths lead from one to the next.
fn segments(bytes: &[u8]) -> impl Iterator<Item = (u8, usize)> {
    let mut next = 2;
    std::iter::from_fn(move || {
        loop {
            let at = next;
            let &[0xFF, marker] = bytes.get(at..)?.first_chunk()? else { return None };
            next += match marker {
                // A byte of padding before the marker.
                0xFF => 1,
                0x01 | 0xD0..=0xD8 => 2,
                _ => 2 + usize::from(u16::from_be_bytes(*bytes.get(at + 2..)?.first_chunk()?)),
            };
            if marker != 0xFF {
                return Some((marker, at));
            }
        }
    })
}

/// The Huffman tables of ITU-T T.81, annex K.3, as a DHT segment holds them.
#[rustfmt::skip]
const TABLES: [u8; 416] = [
    // Luma, DC: class and place, how many codes of each length, and their values.
    0x00,
    0x00, 0x01, 0x05, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b,
    // Luma, AC.
    0x10,
    0x00, 0x02, 0x01, 0x03, 0x03, 0x02, 0x04, 0x03, 0x05, 0x05, 0x04, 0x04, 0x00, 0x00, 0x01, 0x7d,
    0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07,
    0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1, 0x15, 0x52, 0xd1, 0xf0,
    0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0a, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x25, 0x26, 0x27, 0x28,
    0x29, 0x2a, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49,
    0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69,
    0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
    0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7,
    0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3, 0xc4, 0xc5,
    0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe1, 0xe2,
    0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8,
    0xf9, 0xfa,
    // Chroma, DC.
    0x01,
    0x00, 0x03, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b,
    // Chroma, AC.
    0x11,
    0x00, 0x02, 0x01, 0x02, 0x04, 0x04, 0x03, 0x04, 0x07, 0x05, 0x04, 0x04, 0x00, 0x01, 0x02, 0x77,
    0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71,
    0x13, 0x22, 0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xa1, 0xb1, 0xc1, 0x09, 0x23, 0x33, 0x52, 0xf0,
    0x15, 0x62, 0x72, 0xd1, 0x0a, 0x16, 0x24, 0x34, 0xe1, 0x25, 0xf1, 0x17, 0x18, 0x19, 0x1a, 0x26,
    0x27, 0x28, 0x29, 0x2a, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48,
    0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68,
    0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87,
    0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5,
    0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3,
    0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda,
    0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8,
    0xf9, 0xfa,
];

/// JPEGs as cameras send them, for tests.
#[cfg(test)]
pub mod samples {
    use super::*;

    /// A picture with smooth colour, so that codecs and chroma means change little.
    pub fn smooth(width: usize, height: usize) -> I420 {
        let mut picture = I420::black(width, height);
        let chroma_width = picture.chroma_width();
        let [y, u, v] = picture.planes_mut();
        y.iter_mut().enumerate().for_each(|(n, p)| *p = (60 + n % width * 60 / width + n / width * 60 / height) as u8);
        u.iter_mut().enumerate().for_each(|(n, p)| *p = (115 + n % chroma_width * 30 / chroma_width) as u8);
        v.iter_mut().enumerate().for_each(|(n, p)| *p = (140 - n % chroma_width * 25 / chroma_width) as u8);
        picture
    }

    /// Fails if any value of two pictures is further apart.
    pub fn assert_alike(a: &I420, b: &I420, tolerance: u8, what: &str) {
        let worst = a.packed().iter().zip(b.packed()).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(worst.is_some_and(|worst| worst <= tolerance), "{what}: off by {worst:?}");
    }

    /// A JPEG of `picture` (limited range) as a camera would send it.
    pub fn jpeg(picture: &I420, subsamp: Subsamp) -> Vec<u8> {
        let [y, u, v] = picture.planes();
        let (width, height, chroma_width) = (picture.width(), picture.height(), picture.chroma_width());
        let mut rgb = Vec::with_capacity(y.len() * 3);
        for (n, &luma) in y.iter().enumerate() {
            let chroma = n / width / 2 * chroma_width + n % width / 2;
            let luma = 1.164 * (f32::from(luma) - 16.0);
            let (cb, cr) = (f32::from(u[chroma]) - 128.0, f32::from(v[chroma]) - 128.0);
            rgb.extend([luma + 1.596 * cr, luma - 0.392 * cb - 0.813 * cr, luma + 2.017 * cb].map(|c| c as u8));
        }
        let mut compressor = turbojpeg::Compressor::new().unwrap();
        compressor.set_quality(95);
        compressor.set_subsamp(subsamp);
        let format = turbojpeg::PixelFormat::RGB;
        let image = turbojpeg::Image { pixels: &rgb[..], width, pitch: width * 3, height, format };
        compressor.compress_to_vec(image).unwrap()
    }

    /// Leaves out the Huffman tables, as webcams do.
    pub fn without_tables(jpeg: &[u8]) -> Vec<u8> {
        let (mut out, mut at) = (jpeg[..2].to_vec(), 2);
        while jpeg[at + 1] != 0xDA {
            let length = 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
            if jpeg[at + 1] != 0xC4 {
                out.extend_from_slice(&jpeg[at..at + length]);
            }
            at += length;
        }
        out.extend_from_slice(&jpeg[at..]);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::samples::*;
    use super::*;

    #[test]
    fn the_size_is_read_as_the_decoder_reads_it() {
        for (width, height) in [(64, 48), (65, 49), (1, 1)] {
            let good = jpeg(&smooth(width, height), Subsamp::Sub2x1);
            assert_eq!(size(&good), Ok((width, height)));
            assert_eq!(size(&without_tables(&good)), Ok((width, height)));
            for cut in 0..good.len() {
                if let Ok(found) = size(&good[..cut]) {
                    assert_eq!(found, (width, height), "cut at {cut}");
                }
            }
        }
        let mut large = jpeg(&smooth(64, 48), Subsamp::Gray);
        let (_, at) = segments(&large).find(|(marker, _)| *marker == 0xC0).expect("a frame header");
        for (side, fits) in [(0u16, false), (4096, true), (4097, false), (65535, false)] {
            large[at + 5..at + 7].copy_from_slice(&side.to_be_bytes());
            assert_eq!(size(&large).is_ok(), fits, "{side} lines");
        }
        assert!(size(b"no JPEG at all").is_err() && size(&[0xFF, 0xD8, 0xFF, 0xDA, 0, 2]).is_err());
    }

    #[test]
    fn jpegs_of_all_samplings_and_odd_sizes_keep_their_colours() {
        let mut decoder = Jpeg::default();
        for (width, height) in [(64, 48), (65, 49), (640, 480)] {
            let picture = smooth(width, height);
            for subsamp in [Subsamp::None, Subsamp::Sub2x1, Subsamp::Sub2x2, Subsamp::Sub1x2] {
                let mut out = I420::black(width, height);
                decoder.decode(&jpeg(&picture, subsamp), &mut out).expect("a good frame");
                assert_alike(&out, &picture, 6, &format!("{subsamp:?} {width}x{height}"));
            }
            let mut out = I420::black(width, height);
            decoder.decode(&jpeg(&picture, Subsamp::Gray), &mut out).expect("a good frame");
            assert!(out.planes()[1].iter().chain(out.planes()[2]).all(|&value| value == 128));
        }
    }

    #[test]
    fn frames_without_huffman_tables_and_with_padding_are_good_frames() {
        let picture = smooth(320, 240);
        let bare = without_tables(&jpeg(&picture, Subsamp::Sub2x1));
        let mut out = I420::black(320, 240);
        Jpeg::default().decode(&bare, &mut out).expect("the standard tables are meant");
        assert_alike(&out, &picture, 6, "without tables");

        let mut padded = jpeg(&picture, Subsamp::Sub2x1);
        let end = padded.len() - 2;
        padded.splice(end..end, [0x00; 3]);
        padded.extend([0; 500]);
        let mut out = I420::black(320, 240);
        Jpeg::default().decode(&padded, &mut out).expect("padding harms nothing");
        assert_alike(&out, &picture, 6, "padded");
    }

    #[test]
    fn damaged_jpegs_are_refused_and_never_end_the_program() {
        let picture = smooth(160, 120);
        let good = jpeg(&picture, Subsamp::Sub2x1);
        let (mut decoder, mut out) = (Jpeg::default(), I420::black(160, 120));
        for cut in [0, 1, 2, 20, good.len() / 2] {
            assert!(decoder.decode(&good[..cut], &mut out).is_err(), "cut at {cut}");
        }
        assert!(decoder.decode(&jpeg(&smooth(64, 48), Subsamp::Sub2x1), &mut out).is_err(), "another size");
        let mut random = crate::storm::storm();
        for _ in 0..2000 {
            let mut bytes = good.clone();
            for _ in 0..1 + random(8) {
                let at = random(bytes.len());
                bytes[at] = random(256) as u8;
            }
            let _ = decoder.decode(&bytes, &mut out);
        }
        decoder.decode(&good, &mut out).expect("and the next good frame is good");
        assert_alike(&out, &picture, 6, "after all that");
    }

    #[test]
    fn frames_without_tables_do_not_take_those_of_the_frame_before() {
        let picture = smooth(320, 240);
        let good = jpeg(&picture, Subsamp::Sub2x1);
        // Progressive JPEGs have tables made to measure.
        let other = turbojpeg::Transform { progressive: true, ..turbojpeg::Transform::default() };
        let other = turbojpeg::transform(&other, &good).unwrap();
        let (mut decoder, mut out) = (Jpeg::default(), I420::black(320, 240));
        decoder.decode(&other, &mut out).expect("a good frame");
        assert_alike(&out, &picture, 6, "progressive");
        decoder.decode(&without_tables(&good), &mut out).expect("the standard tables are meant");
        assert_alike(&out, &picture, 6, "without tables");
    }

    #[test]
    fn the_tables_are_those_that_are_written_by_default_and_only_put_in_where_they_lack() {
        let good = jpeg(&smooth(64, 48), Subsamp::Sub2x2);
        let (mut found, mut at) = (Vec::new(), 2);
        while good[at + 1] != 0xDA {
            let length = usize::from(u16::from_be_bytes([good[at + 2], good[at + 3]]));
            if good[at + 1] == 0xC4 {
                found.extend_from_slice(&good[at + 4..at + 2 + length]);
            }
            at += 2 + length;
        }
        assert_eq!(found, TABLES);
        let mut room = Vec::new();
        assert_eq!(with_tables(&good, &mut room), good);
        let bare = without_tables(&good);
        let whole = with_tables(&bare, &mut room);
        assert_eq!((whole.len(), scan_without_tables(whole)), (bare.len() + 4 + TABLES.len(), None));
        for cut in 0..bare.len() {
            with_tables(&bare[..cut], &mut room);
        }
    }
}
