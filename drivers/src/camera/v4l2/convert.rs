//! Turns what cameras send into I420; a frame that is cut or damaged is an error, never a panic.

use turbojpeg::{Decompressor, Subsamp, YuvImage};
use yuv::{BufferStoreMut, YuvPackedImage, YuvPlanarImageMut, yuyv422_to_yuv420};

use super::mode::PixelFormat;
use crate::contract::I420;
use crate::range;

/// How the frames of a camera lie in memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layout {
    /// Which pixels.
    pub format: PixelFormat,
    /// Bytes from one row of luma (or packed pixels) to the next.
    pub stride: usize,
    /// Luma uses 0–255 instead of 16–235.
    pub full_range: bool,
}

/// Why a frame could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadFrame(pub String);

/// Converts frames of one camera.
pub struct Converter {
    layout: Layout,
    jpeg: Option<Decompressor>,
    scratch: Vec<u8>,
}

impl Converter {
    /// For frames of this layout.
    pub fn new(layout: Layout) -> Converter {
        Converter { layout, jpeg: None, scratch: Vec::new() }
    }

    /// Converts one frame into `picture`, whose size the frame must have.
    pub fn convert(&mut self, bytes: &[u8], picture: &mut I420) -> Result<(), BadFrame> {
        match self.layout.format {
            PixelFormat::Yuyv => yuyv(bytes, self.layout.stride, picture)?,
            PixelFormat::Nv12 => nv12(bytes, self.layout.stride, picture)?,
            PixelFormat::Mjpeg => {
                let result = self.mjpeg(bytes, picture);
                if result.is_err() {
                    // A decoder keeps the tables of damaged frames, and the good frames after them would suffer.
                    self.jpeg = None;
                }
                // JPEG is full range by definition.
                return result.map(|()| range::full_to_limited(picture));
            }
        }
        if self.layout.full_range {
            range::full_to_limited(picture);
        }
        Ok(())
    }

    fn mjpeg(&mut self, bytes: &[u8], picture: &mut I420) -> Result<(), BadFrame> {
        let bad = |error: turbojpeg::Error| BadFrame(format!("JPEG: {error}"));
        let jpeg = match &mut self.jpeg {
            Some(jpeg) => jpeg,
            none => none.insert(Decompressor::new().map_err(bad)?),
        };
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
        self.scratch.resize(length, 0);
        let image = YuvImage { pixels: &mut self.scratch[..], width, height, align: 1, subsamp };
        let ((y_stride, y_rows), (stride, rows)) = (image.y_size(), image.uv_size());
        decode(jpeg, bytes, image)?;

        let (luma, chroma) = self.scratch.split_at(y_stride * y_rows);
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

fn yuyv(bytes: &[u8], stride: usize, picture: &mut I420) -> Result<(), BadFrame> {
    let (width, height) = (picture.width(), picture.height());
    let chroma = picture.chroma_width();
    let row = width.div_ceil(2) * 4;
    let stride = stride.max(row);
    let need = stride * (height - 1) + row;
    if bytes.len() < need {
        return Err(BadFrame(format!("{} bytes instead of {need}", bytes.len())));
    }
    // The library takes pairs of rows, each with its padding. The last row may be alone or end without it.
    let paired = bytes.len().min(stride * height) / stride / 2 * 2;
    let (chroma_paired, chroma) = (paired / 2 * chroma, chroma as u32);
    let [y, u, v] = picture.planes_mut();
    if paired > 0 {
        let (width, height) = (width as u32, paired as u32);
        let packed = YuvPackedImage { yuy: &bytes[..stride * paired], yuy_stride: stride as u32, width, height };
        let mut planar = YuvPlanarImageMut {
            y_plane: BufferStoreMut::Borrowed(&mut y[..width as usize * paired]),
            y_stride: width,
            u_plane: BufferStoreMut::Borrowed(&mut u[..chroma_paired]),
            u_stride: chroma,
            v_plane: BufferStoreMut::Borrowed(&mut v[..chroma_paired]),
            v_stride: chroma,
            width,
            height,
        };
        yuyv422_to_yuv420(&mut planar, &packed).map_err(|error| BadFrame(format!("YUYV: {error}")))?;
    }
    for n in paired..height {
        let at = n / 2 * chroma as usize;
        let line = y[width * n..][..width].chunks_mut(2).zip(&mut u[at..]).zip(&mut v[at..]);
        for (((luma, u), v), &[y0, cb, y1, cr]) in line.zip(bytes[stride * n..][..row].as_chunks::<4>().0) {
            luma.copy_from_slice(&[y0, y1][..luma.len()]);
            (*u, *v) = (cb, cr);
        }
    }
    Ok(())
}

fn nv12(bytes: &[u8], stride: usize, picture: &mut I420) -> Result<(), BadFrame> {
    let (width, height) = (picture.width(), picture.height());
    let (chroma_width, chroma_height) = (picture.chroma_width(), picture.chroma_height());
    let stride = stride.max(chroma_width * 2);
    let need = stride * (height + chroma_height - 1) + chroma_width * 2;
    if bytes.len() < need {
        return Err(BadFrame(format!("{} bytes instead of {need}", bytes.len())));
    }
    let (luma, chroma) = bytes.split_at(stride * height);
    let [y, u, v] = picture.planes_mut();
    for (from, to) in luma.chunks(stride).zip(y.chunks_exact_mut(width)) {
        to.copy_from_slice(&from[..width]);
    }
    let rows = u.chunks_exact_mut(chroma_width).zip(v.chunks_exact_mut(chroma_width));
    for (from, (u, v)) in chroma.chunks(stride).zip(rows) {
        for ((&[cb, cr], u), v) in from[..chroma_width * 2].as_chunks::<2>().0.iter().zip(u).zip(v) {
            (*u, *v) = (cb, cr);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(format: PixelFormat, stride: usize) -> Layout {
        Layout { format, stride, full_range: false }
    }

    /// A picture with smooth colour, so that codecs and chroma means change little.
    fn smooth(width: usize, height: usize) -> I420 {
        let mut picture = I420::black(width, height);
        let chroma_width = picture.chroma_width();
        let [y, u, v] = picture.planes_mut();
        y.iter_mut().enumerate().for_each(|(n, p)| *p = (60 + n % width * 60 / width + n / width * 60 / height) as u8);
        u.iter_mut().enumerate().for_each(|(n, p)| *p = (115 + n % chroma_width * 30 / chroma_width) as u8);
        v.iter_mut().enumerate().for_each(|(n, p)| *p = (140 - n % chroma_width * 25 / chroma_width) as u8);
        picture
    }

    fn assert_alike(a: &I420, b: &I420, tolerance: u8, what: &str) {
        let worst = a.packed().iter().zip(b.packed()).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(worst.is_some_and(|worst| worst <= tolerance), "{what}: off by {worst:?}");
    }

    fn as_yuyv(picture: &I420, padding: usize) -> (Vec<u8>, usize) {
        let [y, u, v] = picture.planes();
        let (width, chroma_width) = (picture.width(), picture.chroma_width());
        let stride = chroma_width * 4 + padding;
        let mut bytes = vec![0xEE; stride * picture.height()];
        for row in 0..picture.height() {
            for x in 0..chroma_width {
                let luma = |x: usize| y[row * width + x.min(width - 1)];
                let chroma = row / 2 * chroma_width + x;
                bytes[row * stride + 4 * x..][..4].copy_from_slice(&[
                    luma(2 * x),
                    u[chroma],
                    luma(2 * x + 1),
                    v[chroma],
                ]);
            }
        }
        (bytes, stride)
    }

    #[test]
    fn yuyv_and_nv12_become_the_picture_they_were_with_any_padding() {
        for (width, height) in [(64, 48), (66, 37), (2, 1), (640, 480)] {
            for padding in [0, 32] {
                let picture = smooth(width, height);
                let (bytes, stride) = as_yuyv(&picture, padding);
                let mut out = I420::black(width, height);
                let mut converter = Converter::new(layout(PixelFormat::Yuyv, stride));
                converter.convert(&bytes, &mut out).expect("a good frame");
                assert_alike(&out, &picture, 0, "yuyv");
                // Kernels leave out the last row's padding.
                out.packed_mut().fill(0);
                converter.convert(&bytes[..bytes.len() - padding], &mut out).expect("a good frame");
                assert_alike(&out, &picture, 0, "yuyv without the last padding");
                assert!(converter.convert(&bytes[..bytes.len() - padding - 1], &mut out).is_err(), "cut");

                let [y, u, v] = picture.planes();
                let stride = picture.chroma_width() * 2 + padding;
                let mut bytes = Vec::new();
                for row in y.chunks(width) {
                    bytes.extend_from_slice(row);
                    bytes.resize(bytes.len().next_multiple_of(stride), 0xEE);
                }
                for (u, v) in u.chunks(picture.chroma_width()).zip(v.chunks(picture.chroma_width())) {
                    u.iter().zip(v).for_each(|(u, v)| bytes.extend([u, v]));
                    bytes.resize(bytes.len() + padding, 0xEE);
                }
                let mut out = I420::black(width, height);
                let mut converter = Converter::new(layout(PixelFormat::Nv12, stride));
                converter.convert(&bytes[..bytes.len() - padding], &mut out).expect("a good frame");
                assert_alike(&out, &picture, 0, "nv12");
                assert!(converter.convert(&bytes[..bytes.len() - padding - 1], &mut out).is_err(), "cut");
            }
        }
    }

    #[test]
    fn full_range_cameras_are_brought_to_the_contracts() {
        let mut out = I420::black(2, 2);
        let layout = Layout { full_range: true, ..layout(PixelFormat::Yuyv, 4) };
        Converter::new(layout).convert(&[255, 128, 0, 128, 255, 128, 0, 128], &mut out).unwrap();
        assert_eq!(out.planes()[0], [235, 16, 235, 16]);
    }

    /// A JPEG of `picture` (limited range) as a camera would send it.
    fn jpeg(picture: &I420, subsamp: Subsamp) -> Vec<u8> {
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
    fn without_tables(jpeg: &[u8]) -> Vec<u8> {
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

    fn converter() -> Converter {
        Converter::new(layout(PixelFormat::Mjpeg, 0))
    }

    #[test]
    fn jpegs_of_all_samplings_and_odd_sizes_keep_their_colours() {
        let mut converter = converter();
        for (width, height) in [(64, 48), (65, 49), (640, 480)] {
            let picture = smooth(width, height);
            for subsamp in [Subsamp::None, Subsamp::Sub2x1, Subsamp::Sub2x2, Subsamp::Sub1x2] {
                let mut out = I420::black(width, height);
                converter.convert(&jpeg(&picture, subsamp), &mut out).expect("a good frame");
                assert_alike(&out, &picture, 6, &format!("{subsamp:?} {width}x{height}"));
            }
            let mut out = I420::black(width, height);
            converter.convert(&jpeg(&picture, Subsamp::Gray), &mut out).expect("a good frame");
            assert!(out.planes()[1].iter().chain(out.planes()[2]).all(|&value| value == 128));
        }
    }

    #[test]
    fn frames_without_huffman_tables_and_with_padding_are_good_frames() {
        let picture = smooth(320, 240);
        let bare = without_tables(&jpeg(&picture, Subsamp::Sub2x1));
        let mut out = I420::black(320, 240);
        converter().convert(&bare, &mut out).expect("the standard tables are meant");
        assert_alike(&out, &picture, 6, "without tables");

        let mut padded = jpeg(&picture, Subsamp::Sub2x1);
        let end = padded.len() - 2;
        padded.splice(end..end, [0x00; 3]);
        padded.extend([0; 500]);
        let mut out = I420::black(320, 240);
        converter().convert(&padded, &mut out).expect("padding harms nothing");
        assert_alike(&out, &picture, 6, "padded");
    }

    #[test]
    fn damaged_jpegs_are_refused_and_never_end_the_program() {
        let picture = smooth(160, 120);
        let good = jpeg(&picture, Subsamp::Sub2x1);
        let (mut converter, mut out) = (converter(), I420::black(160, 120));
        for cut in [0, 1, 2, 20, good.len() / 2] {
            assert!(converter.convert(&good[..cut], &mut out).is_err(), "cut at {cut}");
        }
        assert!(converter.convert(&jpeg(&smooth(64, 48), Subsamp::Sub2x1), &mut out).is_err(), "another size");
        let mut seed = 1u64;
        let mut random = move |below: usize| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) as usize % below
        };
        for _ in 0..2000 {
            let mut bytes = good.clone();
            for _ in 0..1 + random(8) {
                let at = random(bytes.len());
                bytes[at] = random(256) as u8;
            }
            let _ = converter.convert(&bytes, &mut out);
        }
        converter.convert(&good, &mut out).expect("and the next good frame is good");
        assert_alike(&out, &picture, 6, "after all that");
    }
}
