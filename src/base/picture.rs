//! A picture in memory, and a pool that recycles pictures.

use std::fmt;
use std::sync::Arc;

/// A planar YUV 4:2:0 picture, planes tightly packed one after the other: `width*height` bytes of Y, then
/// `ceil(width/2)*ceil(height/2)` bytes each of U and V. BT.601, limited range (Y 16–235).
#[derive(Clone, PartialEq, Eq)]
pub struct I420 {
    width: usize,
    height: usize,
    data: Vec<u8>,
}

impl I420 {
    /// A black picture of `width` x `height` pixels.
    pub fn black(width: usize, height: usize) -> I420 {
        let chroma = width.div_ceil(2) * height.div_ceil(2);
        let mut data = vec![16; width * height + 2 * chroma];
        data[width * height..].fill(128);
        I420 { width, height, data }
    }

    /// Wraps packed planes; `None` if `data` is not exactly as long as the size needs.
    pub fn from_packed(width: usize, height: usize, data: Vec<u8>) -> Option<I420> {
        let chroma = width.div_ceil(2) * height.div_ceil(2);
        (width > 0 && height > 0 && data.len() == width * height + 2 * chroma).then_some(I420 { width, height, data })
    }

    /// Width in pixels; also the stride of the Y plane.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Width of the U and V planes, and their stride.
    pub fn chroma_width(&self) -> usize {
        self.width.div_ceil(2)
    }

    /// Height of the U and V planes.
    pub fn chroma_height(&self) -> usize {
        self.height.div_ceil(2)
    }

    /// The Y, U and V planes.
    pub fn planes(&self) -> [&[u8]; 3] {
        let (y, chroma) = self.data.split_at(self.width * self.height);
        let (u, v) = chroma.split_at(chroma.len() / 2);
        [y, u, v]
    }

    /// The Y, U and V planes, to write to.
    pub fn planes_mut(&mut self) -> [&mut [u8]; 3] {
        let (y, chroma) = self.data.split_at_mut(self.width * self.height);
        let half = chroma.len() / 2;
        let (u, v) = chroma.split_at_mut(half);
        [y, u, v]
    }

    /// All three planes as one packed slice.
    pub fn packed(&self) -> &[u8] {
        &self.data
    }

    /// All three planes as one packed slice, to write to.
    pub fn packed_mut(&mut self) -> &mut [u8] {
        &mut self.data
    }
}

impl fmt::Debug for I420 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "I420({}x{})", self.width, self.height)
    }
}

/// Recycles picture buffers, so that a camera at full rate allocates nothing: a buffer comes back into use
/// once nobody else holds it.
#[derive(Default)]
pub struct PicturePool {
    pictures: Vec<Arc<I420>>,
}

impl PicturePool {
    /// A picture of the wanted size that nobody else holds; its content is whatever it held last.
    pub fn take(&mut self, width: usize, height: usize) -> Arc<I420> {
        self.pictures.retain(|p| p.width == width && p.height == height);
        let free = self.pictures.iter_mut().position(|p| Arc::get_mut(p).is_some());
        match free {
            Some(i) => self.pictures.swap_remove(i),
            None => Arc::new(I420::black(width, height)),
        }
    }

    /// Remembers a picture for later re-use; at most eight are kept.
    pub fn keep(&mut self, picture: &Arc<I420>) {
        if self.pictures.len() < 8 {
            self.pictures.push(Arc::clone(picture));
        }
    }
}
