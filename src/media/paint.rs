//! Draws shapes into I420 pictures: anti-aliased, each given by its signed distance.

use intercom_base::picture::I420;

use crate::scale::Rect;

/// A colour in Y, U and V (BT.601, limited range).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour {
    y: u8,
    u: u8,
    v: u8,
}

impl Colour {
    /// From red, green and blue of 0–255.
    pub const fn rgb(r: u8, g: u8, b: u8) -> Colour {
        let (r, g, b) = (r as i32, g as i32, b as i32);
        let y = 16 + (66 * r + 129 * g + 25 * b + 128) / 256;
        let u = 128 + (-38 * r - 74 * g + 112 * b) / 256;
        let v = 128 + (112 * r - 94 * g - 18 * b) / 256;
        Colour { y: y as u8, u: u as u8, v: v as u8 }
    }

    /// From this colour (at 0.0) to `other` (at 1.0).
    pub fn towards(self, other: Colour, part: f32) -> Colour {
        let mix = |a: u8, b: u8| (f32::from(a) + (f32::from(b) - f32::from(a)) * part.clamp(0.0, 1.0)).round() as u8;
        Colour { y: mix(self.y, other.y), u: mix(self.u, other.u), v: mix(self.v, other.v) }
    }
}

/// Coverage of pixels, 0–255, of a part of a picture; what shapes and text become before they are drawn.
pub struct Mask {
    x: i32,
    y: i32,
    width: usize,
    height: usize,
    cover: Vec<u8>,
}

impl Mask {
    /// An empty mask over `width` x `height` pixels from (`x`, `y`), which may lie outside of the picture.
    pub fn new(x: i32, y: i32, width: usize, height: usize) -> Mask {
        // Even edges, so that each chroma pixel has its four.
        let (left, top) = (x & !1, y & !1);
        let width = (width + (x - left) as usize).next_multiple_of(2);
        let height = (height + (y - top) as usize).next_multiple_of(2);
        Mask { x: left, y: top, width, height, cover: vec![0; width * height] }
    }

    /// A mask from (`x`, `y`) on with this coverage, `width` pixels to a row.
    pub fn of((x, y): (i32, i32), width: usize, cover: &[u8]) -> Mask {
        let mut mask = Mask::new(x, y, width, cover.len() / width.max(1));
        let (left, top, stride) = ((x - mask.x) as usize, (y - mask.y) as usize, mask.width);
        let rows = mask.cover.chunks_exact_mut(stride.max(1)).skip(top);
        for (to, from) in rows.zip(cover.chunks_exact(width.max(1))) {
            if let Some(to) = to.get_mut(left..left + width) {
                to.copy_from_slice(from);
            }
        }
        mask
    }

    /// Adds coverage of 0.0–1.0 at a pixel of the picture; what lies outside is left out.
    pub fn add(&mut self, x: i32, y: i32, cover: f32) {
        let (x, y) = (x - self.x, y - self.y);
        if x < 0 || y < 0 || x as usize >= self.width || y as usize >= self.height {
            return;
        }
        let at = &mut self.cover[y as usize * self.width + x as usize];
        *at = at.saturating_add((cover.clamp(0.0, 1.0) * 255.0 + 0.5) as u8);
    }

    /// Draws the covered pixels in one colour; `opacity` of 0.0–1.0.
    pub fn draw(&self, canvas: &mut I420, colour: Colour, opacity: f32) {
        if self.width == 0 || self.height == 0 {
            return;
        }
        let opacity = (opacity.clamp(0.0, 1.0) * 256.0) as u32;
        let (width, height) = (canvas.width() as i32, canvas.height() as i32);
        let chroma_width = canvas.chroma_width();
        let (chroma_right, chroma_bottom) = (chroma_width as i32, canvas.chroma_height() as i32);
        let [luma, us, vs] = canvas.planes_mut();
        for (row, cover) in self.cover.chunks_exact(self.width).enumerate() {
            let y = self.y + row as i32;
            if y < 0 || y >= height {
                continue;
            }
            let (begin, end) = (self.x.max(0), (self.x + self.width as i32).min(width));
            if begin >= end {
                return;
            }
            let cover = &cover[(begin - self.x) as usize..];
            let pixels = &mut luma[(y * width + begin) as usize..(y * width + end) as usize];
            for (pixel, cover) in pixels.iter_mut().zip(cover) {
                *pixel = blend(*pixel, colour.y, u32::from(*cover) * opacity);
            }
        }
        for (row, pair) in self.cover.chunks_exact(2 * self.width).enumerate() {
            let y = self.y / 2 + row as i32;
            if y < 0 || y >= chroma_bottom {
                continue;
            }
            let (upper, lower) = pair.split_at(self.width);
            for column in 0..self.width / 2 {
                let x = self.x / 2 + column as i32;
                if x < 0 || x >= chroma_right {
                    continue;
                }
                let four = [upper[2 * column], upper[2 * column + 1], lower[2 * column], lower[2 * column + 1]];
                let cover = four.iter().map(|cover| u32::from(*cover)).sum::<u32>() / 4 * opacity;
                if cover > 0 {
                    let at = y as usize * chroma_width + x as usize;
                    us[at] = blend(us[at], colour.u, cover);
                    vs[at] = blend(vs[at], colour.v, cover);
                }
            }
        }
    }
}

/// `cover` of 0–65280 (255 * 256).
fn blend(under: u8, over: u8, cover: u32) -> u8 {
    let part = (cover * 257 + 0x8000) >> 16;
    ((u32::from(under) * (256 - part) + u32::from(over) * part + 128) >> 8) as u8
}

/// A shape: the signed distance in pixels from its edge, negative inside.
pub trait Shape: Fn(f32, f32) -> f32 {}

impl<F: Fn(f32, f32) -> f32> Shape for F {}

/// Draws a shape within `bounds`.
pub fn shape(canvas: &mut I420, bounds: Rect, colour: Colour, opacity: f32, distance: impl Shape) {
    let mut mask = Mask::new(bounds.x as i32, bounds.y as i32, bounds.width, bounds.height);
    let (left, top, width) = (mask.x as f32, mask.y as f32, mask.width);
    for (n, cover) in mask.cover.iter_mut().enumerate() {
        let (x, y) = (left + (n % width) as f32 + 0.5, top + (n / width) as f32 + 0.5);
        *cover = ((0.5 - distance(x, y)).clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
    }
    mask.draw(canvas, colour, opacity);
}

/// A disc.
pub fn disc(x: f32, y: f32, radius: f32) -> impl Shape {
    move |px, py| (px - x).hypot(py - y) - radius
}

/// A rectangle with round corners.
pub fn round_rect(rect: Rect, radius: f32) -> impl Shape {
    let (half_width, half_height) = (rect.width as f32 / 2.0, rect.height as f32 / 2.0);
    let (x, y) = (rect.x as f32 + half_width, rect.y as f32 + half_height);
    let radius = radius.min(half_width).min(half_height);
    move |px, py| {
        let (dx, dy) = ((px - x).abs() - half_width + radius, (py - y).abs() - half_height + radius);
        dx.max(0.0).hypot(dy.max(0.0)) + dx.max(dy).min(0.0) - radius
    }
}

/// A line with round ends.
pub fn line(from: (f32, f32), to: (f32, f32), thickness: f32) -> impl Shape {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = (dx * dx + dy * dy).max(1e-6);
    move |px, py| {
        let (ax, ay) = (px - from.0, py - from.1);
        let along = ((ax * dx + ay * dy) / length).clamp(0.0, 1.0);
        (ax - along * dx).hypot(ay - along * dy) - thickness / 2.0
    }
}

/// Fills a part with one colour.
pub fn fill(canvas: &mut I420, part: Rect, colour: Colour) {
    let values = [colour.y, colour.u, colour.v];
    let (width, chroma_width) = (canvas.width(), canvas.chroma_width());
    for (n, (plane, value)) in canvas.planes_mut().into_iter().zip(values).enumerate() {
        let (stride, halve) = if n == 0 { (width, 1) } else { (chroma_width, 2) };
        let (begin, end) = (part.x / halve, ((part.x + part.width).div_ceil(halve)).min(stride));
        let rows = plane.chunks_exact_mut(stride).skip(part.y / halve).take(part.height.div_ceil(halve));
        rows.for_each(|row| row[begin.min(end)..end].fill(value));
    }
}

/// Fills the whole picture with a run of colours from top to bottom.
pub fn gradient(canvas: &mut I420, top: Colour, bottom: Colour) {
    let (width, height) = (canvas.width(), canvas.height());
    let values = [(top.y, bottom.y), (top.u, bottom.u), (top.v, bottom.v)];
    let chroma = (canvas.chroma_width(), canvas.chroma_height());
    for (n, (plane, (from, to))) in canvas.planes_mut().into_iter().zip(values).enumerate() {
        let (width, height) = if n == 0 { (width, height) } else { chroma };
        for (y, row) in plane.chunks_exact_mut(width).enumerate() {
            let exact = f32::from(from) + (f32::from(to) - f32::from(from)) * y as f32 / height as f32;
            // An ordered dither of one step hides the bands of a dark gradient.
            let dither = [[0.0, 0.5], [0.75, 0.25]][y % 2];
            let two = dither.map(|dither| (exact + dither) as u8);
            let (pairs, rest) = row.as_chunks_mut::<2>();
            pairs.fill(two);
            rest.fill(two[0]);
        }
    }
}

/// Darkens a part to `light` (0.0–1.0) of its brightness and takes out all but `colour` (0.0–1.0) of its colour.
pub fn dim(canvas: &mut I420, part: Rect, light: f32, colour: f32) {
    let (width, chroma_width) = (canvas.width(), canvas.chroma_width());
    let table = |middle: f32, factor: f32| -> [u8; 256] {
        std::array::from_fn(|n| (middle + (n as f32 - middle) * factor).round() as u8)
    };
    let tables = [table(16.0, light), table(128.0, colour), table(128.0, colour)];
    for (n, (plane, table)) in canvas.planes_mut().into_iter().zip(&tables).enumerate() {
        let (stride, halve) = if n == 0 { (width, 1) } else { (chroma_width, 2) };
        let (begin, end) = (part.x / halve, ((part.x + part.width).div_ceil(halve)).min(stride));
        for row in plane.chunks_exact_mut(stride).skip(part.y / halve).take(part.height.div_ceil(halve)) {
            row[begin.min(end)..end].iter_mut().for_each(|pixel| *pixel = table[usize::from(*pixel)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHITE: Colour = Colour::rgb(255, 255, 255);

    #[test]
    fn colours_are_limited_range_601() {
        assert_eq!(WHITE, Colour { y: 235, u: 128, v: 128 });
        assert_eq!(Colour::rgb(0, 0, 0), Colour { y: 16, u: 128, v: 128 });
        let red = Colour::rgb(255, 0, 0);
        assert!(red.y.abs_diff(82) < 2 && red.u.abs_diff(90) < 2 && red.v.abs_diff(240) < 2, "{red:?}");
    }

    #[test]
    fn a_disc_covers_its_area_and_nothing_else() {
        let mut canvas = I420::black(100, 100);
        let all = Rect::of(&canvas);
        shape(&mut canvas, all, WHITE, 1.0, disc(50.0, 50.0, 20.0));
        let light: f64 = canvas.planes()[0].iter().map(|p| f64::from(p - 16) / 219.0).sum();
        assert!((light - std::f64::consts::PI * 400.0).abs() < 12.0, "{light}");
        assert_eq!(canvas.planes()[0][0], 16);
        assert_eq!(canvas.planes()[0][50 * 100 + 50], 235);
    }

    #[test]
    fn nothing_outside_of_the_picture_is_touched_or_panics() {
        for (width, height) in [(1, 1), (7, 5), (64, 64)] {
            let mut canvas = I420::black(width, height);
            let big = Rect { x: 0, y: 0, width: 200, height: 200 };
            shape(&mut canvas, big, WHITE, 0.5, disc(3.0, 3.0, 100.0));
            fill(&mut canvas, big, WHITE);
            dim(&mut canvas, big, 0.5, 0.5);
            gradient(&mut canvas, WHITE, Colour::rgb(0, 0, 0));
            let mut mask = Mask::new(-20, -31, 50, 50);
            mask.add(-3, -3, 1.0);
            mask.add(500, 0, 1.0);
            mask.draw(&mut canvas, WHITE, 1.0);
        }
    }

    #[test]
    fn half_opacity_is_half_way() {
        let mut canvas = I420::black(4, 4);
        let all = Rect::of(&canvas);
        shape(&mut canvas, all, Colour::rgb(0, 0, 255), 0.5, |_, _| -10.0);
        let blue = Colour::rgb(0, 0, 255);
        assert!(canvas.planes()[0][5].abs_diff((16 + blue.y) / 2) <= 1);
        assert!(canvas.planes()[1][0].abs_diff(((128 + u16::from(blue.u)) / 2) as u8) <= 1);
    }
}
