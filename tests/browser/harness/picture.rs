//! Pictures as the display driver wrote them, and what can be recognised in them.

use std::path::Path;

/// An RGB picture.
pub struct Picture {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    rgb: Vec<u8>,
}

impl Picture {
    /// Reads a PNG; `None` if there is none yet or it is only half written.
    pub fn read(path: &Path) -> Option<Picture> {
        Picture::decode(&std::fs::read(path).ok()?)
    }

    /// Decodes a PNG of 8 bits a channel.
    pub fn decode(file: &[u8]) -> Option<Picture> {
        let mut decoder = png::Decoder::new(std::io::Cursor::new(file));
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().ok()?;
        let mut data = vec![0; reader.output_buffer_size()?];
        let info = reader.next_frame(&mut data).ok()?;
        let channels = info.color_type.samples();
        let rgb = data[..info.buffer_size()]
            .chunks_exact(channels)
            .flat_map(|p| if channels >= 3 { [p[0], p[1], p[2]] } else { [p[0]; 3] })
            .collect();
        Some(Picture { width: info.width as usize, height: info.height as usize, rgb })
    }

    /// A picture of 3 bytes a pixel.
    pub fn of(width: usize, height: usize, rgb: Vec<u8>) -> Picture {
        Picture { width, height, rgb }
    }

    /// What a QR reader finds in it.
    pub fn code(&self) -> Option<String> {
        let grey = |x, y| self.pixel(x, y)[1];
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(self.width, self.height, grey);
        Some(image.detect_grids().first()?.decode().ok()?.1)
    }

    /// Red, green and blue of a pixel.
    pub fn pixel(&self, x: usize, y: usize) -> [u8; 3] {
        let i = 3 * (y * self.width + x);
        [self.rgb[i], self.rgb[i + 1], self.rgb[i + 2]]
    }

    /// Share of the picture's pixels that `test` accepts.
    pub fn share(&self, test: impl Fn([u8; 3]) -> bool) -> f64 {
        let hits = self.rgb.chunks_exact(3).filter(|p| test([p[0], p[1], p[2]])).count();
        hits as f64 / (self.width * self.height) as f64
    }

    /// Share of pixels in the strong green that Chromium's fake camera has as background.
    pub fn fake_camera_green(&self) -> f64 {
        self.share(|[r, g, b]| g > 90 && g > r.saturating_add(60) && g > b.saturating_add(60))
    }

    /// Share of pixels that differ clearly from `other`'s; 1 if the sizes differ.
    pub fn difference(&self, other: &Picture) -> f64 {
        if (self.width, self.height) != (other.width, other.height) {
            return 1.0;
        }
        let differs = |(a, b): (&[u8], &[u8])| a.iter().zip(b).any(|(a, b)| a.abs_diff(*b) > 40);
        let count = self.rgb.chunks_exact(3).zip(other.rgb.chunks_exact(3)).filter(|&p| differs(p)).count();
        count as f64 / (self.width * self.height) as f64
    }
}
