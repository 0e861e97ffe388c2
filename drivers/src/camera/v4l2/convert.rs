//! Turns what cameras send into I420; a frame that is cut or damaged is an error, never a panic.

use intercom_base::picture::I420;
use yuv::{BufferStoreMut, YuvPackedImage, YuvPlanarImageMut, yuyv422_to_yuv420};

use super::mode::PixelFormat;
use crate::jpeg::{BadFrame, Jpeg};
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

/// Converts frames of one camera.
pub struct Converter {
    layout: Layout,
    jpeg: Jpeg,
}

impl Converter {
    /// For frames of this layout.
    pub fn new(layout: Layout) -> Converter {
        Converter { layout, jpeg: Jpeg::default() }
    }

    /// Converts one frame into `picture`, whose size the frame must have.
    pub fn convert(&mut self, bytes: &[u8], picture: &mut I420) -> Result<(), BadFrame> {
        match self.layout.format {
            PixelFormat::Yuyv => yuyv(bytes, self.layout.stride, picture)?,
            PixelFormat::Nv12 => nv12(bytes, self.layout.stride, picture)?,
            PixelFormat::Mjpeg => return self.jpeg.decode(bytes, picture),
            PixelFormat::H264 => return Err(BadFrame("H.264 holds no pixels".into())),
        }
        if self.layout.full_range {
            range::full_to_limited(picture);
        }
        Ok(())
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
    use crate::jpeg::samples::{assert_alike, smooth};

    fn layout(format: PixelFormat, stride: usize) -> Layout {
        Layout { format, stride, full_range: false }
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
}
