//! From glyphs to pixels: how much of each pixel a line of text covers.

use ab_glyph_rasterizer::{Point, Rasterizer, point};
use harfrust::font::glyph::outline::{DrawMemory, DrawOptions, OutlineGlyph, PathSink};

use super::shape::{Glyph, Shaped};

/// No line is wider, in pixels; no screen is.
const WIDEST: f32 = 8192.0;

/// No letters are larger, in pixels.
const LARGEST: f32 = 2048.0;

/// A line's pixels.
pub(super) struct Cover {
    /// Pixels to the left of the line's left end, and above its baseline, that are part of it.
    pub left: i32,
    pub above: i32,
    pub width: usize,
    /// `width` to a row; 255 is covered.
    pub pixels: Vec<u8>,
}

impl Cover {
    fn add(&mut self, x: i32, y: i32, cover: f32) {
        let (x, y) = (x + self.left, y + self.above);
        let at = (usize::try_from(x), usize::try_from(y));
        if let (Ok(x), Ok(y)) = at
            && x < self.width
            && let Some(pixel) = self.pixels.get_mut(y * self.width + x)
        {
            *pixel = pixel.saturating_add((cover.clamp(0.0, 1.0) * 255.0 + 0.5) as u8);
        }
    }
}

/// Draws a line whose letters are `em` pixels large, in a line of `size` pixels.
///
/// What reaches out of the line is left out: marks may stand on marks without end, and must not cover what is above.
pub(super) fn cover(shaped: &Shaped, em: f32, size: f32) -> Cover {
    let size = size.clamp(0.0, LARGEST);
    let em = em.clamp(0.0, LARGEST);
    // Some letters reach out a little on each side.
    let margin = (size * 0.2).ceil();
    let (width, above, below) = ((shaped.width * em).clamp(0.0, WIDEST), size.ceil(), (size * 0.5).ceil());
    let width = (width.ceil() + 2.0 * margin) as usize;
    let pixels = vec![0; width * (above + below) as usize];
    let mut cover = Cover { left: margin as i32, above: above as i32, width, pixels };
    for glyph in &shaped.glyphs {
        // What is drawn up to a panic stays: the pixels are whole at any time.
        let _broken = glyph.face.contain(|| draw(glyph, em, size, &mut cover));
    }
    cover
}

/// Adds one glyph.
fn draw(glyph: &Glyph, em: f32, size: f32, cover: &mut Cover) -> Option<()> {
    let font = &glyph.face.font;
    let outline = font.outline_glyphs().get(glyph.id)?;
    let extents = outline.extents().ok()?;
    let unit = em * glyph.scale / f32::from(font.units_per_em());
    let left = glyph.x * em + extents.x_bearing * unit;
    let top = -(glyph.y * em + extents.y_bearing * unit);
    let (width, height) = (extents.width.abs() * unit, extents.height.abs() * unit);
    // A broken font may have letters of any size, and each pixel takes memory.
    let is_sane = width <= 16.0 * size && height <= 6.0 * size && left.abs() <= 2.0 * WIDEST && top.abs() <= 8.0 * size;
    if !is_sane || width <= 0.0 || height <= 0.0 {
        return None;
    }
    let (x, y) = (left.floor(), top.floor());
    let grid = |from: f32, length: f32| (from - from.floor() + length).ceil() as usize + 1;
    let origin = point(glyph.x * em - x, -glyph.y * em - y);
    let mut pen =
        Pen { raster: Rasterizer::new(grid(left, width), grid(top, height)), origin, unit, start: origin, at: origin };
    trace(&outline, &mut pen)?;
    pen.raster.for_each_pixel_2d(|column, row, part| cover.add(x as i32 + column as i32, y as i32 + row as i32, part));
    Some(())
}

fn trace(outline: &OutlineGlyph<'_>, pen: &mut Pen) -> Option<()> {
    outline.draw(&DrawOptions::new(), DrawMemory::Scratch, pen).ok()?;
    pen.close();
    Some(())
}

/// Follows an outline in font units and fills it.
struct Pen {
    raster: Rasterizer,
    origin: Point,
    unit: f32,
    start: Point,
    at: Point,
}

impl Pen {
    fn place(&self, x: f32, y: f32) -> Point {
        point(self.origin.x + x * self.unit, self.origin.y - y * self.unit)
    }
}

impl PathSink for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.close();
        self.start = self.place(x, y);
        self.at = self.start;
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let to = self.place(x, y);
        self.raster.draw_line(self.at, to);
        self.at = to;
    }

    fn quad_to(&mut self, cx: f32, cy: f32, x: f32, y: f32) {
        let (control, to) = (self.place(cx, cy), self.place(x, y));
        self.raster.draw_quad(self.at, control, to);
        self.at = to;
    }

    fn curve_to(&mut self, ax: f32, ay: f32, bx: f32, by: f32, x: f32, y: f32) {
        let (a, b, to) = (self.place(ax, ay), self.place(bx, by), self.place(x, y));
        self.raster.draw_cubic(self.at, a, b, to);
        self.at = to;
    }

    fn close(&mut self) {
        self.raster.draw_line(self.at, self.start);
        self.at = self.start;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use harfrust::font::Blob;

    use super::*;
    use crate::text::fonts::{self, Face};
    use crate::text::{Weight, shape};

    const FONT: &[u8] = include_bytes!("../fonts/NotoSansArmenian-Regular.ttf");

    /// A text in a font whose file is `bytes`, drawn as the TV draws it.
    fn drawn(bytes: Vec<u8>) -> Option<Cover> {
        let face = fonts::contained(|| Face::new(Blob::from(bytes)))??;
        let own = fonts::inside(Weight::Medium).first()?;
        Some(cover(&shape::shape_in("Բաբուշկա", &Arc::new(face), own), 40.0, 50.0))
    }

    #[test]
    fn a_broken_font_draws_something_else_or_nothing_and_takes_no_more_room() {
        let whole = drawn(FONT.to_vec()).expect("the font is one");
        assert!(whole.pixels.iter().filter(|pixel| **pixel > 200).count() > 500);
        let mut random = fastrand::Rng::with_seed(7);
        // The directory, and each table that is read, are as likely to be hit.
        let starts: Vec<usize> = (0..usize::from(FONT[5]))
            .map(|n| u32::from_be_bytes(std::array::from_fn(|byte| FONT[12 + 16 * n + 8 + byte])) as usize)
            .chain([0])
            .collect();
        let mut drawn_at_all = 0;
        for _ in 0..3000 {
            let mut bytes = FONT.to_vec();
            for _ in 0..random.usize(1..4) {
                let at = starts[random.usize(..starts.len())] + random.usize(..400);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = random.u8(..);
                }
            }
            if random.u8(..) < 20 {
                bytes.truncate(random.usize(..bytes.len()));
            }
            if let Some(cover) = drawn(bytes) {
                drawn_at_all += 1;
                assert!(cover.width <= WIDEST as usize + 32 && cover.pixels.len() == cover.width * 75);
            }
        }
        assert!(drawn_at_all > 500, "{drawn_at_all}");
    }

    #[test]
    fn letters_of_monstrous_size_are_left_out() {
        // `head`: 16 units to an em instead of 1000, so that each letter is 60 times as large.
        let mut bytes = FONT.to_vec();
        let entry = (0..usize::from(FONT[5])).map(|n| 12 + 16 * n).find(|at| &FONT[*at..at + 4] == b"head").unwrap();
        let head = u32::from_be_bytes(std::array::from_fn(|byte| FONT[entry + 8 + byte])) as usize;
        bytes[head + 18..head + 20].copy_from_slice(&16u16.to_be_bytes());
        let cover = drawn(bytes).expect("it is still a font");
        assert!(cover.pixels.iter().all(|pixel| *pixel == 0));
    }
}
