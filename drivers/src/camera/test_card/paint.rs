//! Paints smooth-edged shapes onto I420 pictures: every shape is a function that says how much of a pixel it covers.

use intercom_base::picture::I420;

/// A colour in BT.601, limited range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Color {
    /// Luma, 16–235.
    pub y: f32,
    /// Blue difference, 128 is none.
    pub u: f32,
    /// Red difference, 128 is none.
    pub v: f32,
}

impl Color {
    /// From red, green and blue, 0–255 each.
    pub const fn rgb(r: u8, g: u8, b: u8) -> Color {
        let (r, g, b) = (r as f32, g as f32, b as f32);
        Color {
            y: 16.0 + 0.25679 * r + 0.50413 * g + 0.09791 * b,
            u: 128.0 - 0.14822 * r - 0.29099 * g + 0.43922 * b,
            v: 128.0 + 0.43922 * r - 0.36779 * g - 0.07143 * b,
        }
    }

    /// The colour `t` of the way to `other`.
    pub fn mix(self, other: Color, t: f32) -> Color {
        let t = t.clamp(0.0, 1.0);
        let mix = |a: f32, b: f32| a + (b - a) * t;
        Color { y: mix(self.y, other.y), u: mix(self.u, other.u), v: mix(self.v, other.v) }
    }
}

/// A rectangle in whole pixels, its corners even so that it covers whole chroma samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Area {
    /// Left edge.
    pub x0: usize,
    /// Upper edge.
    pub y0: usize,
    /// Right edge, exclusive.
    pub x1: usize,
    /// Lower edge, exclusive.
    pub y1: usize,
}

impl Area {
    /// The smallest area around the given edges that fits into `picture`.
    pub fn around(picture: &I420, left: f32, top: f32, right: f32, bottom: f32) -> Area {
        let low = |value: f32, end: usize| (value.floor().max(0.0) as usize).min(end) & !1;
        let high = |value: f32, end: usize| ((value.ceil().max(0.0) as usize).div_ceil(2) * 2).min(end);
        let (width, height) = (picture.width(), picture.height());
        Area { x0: low(left, width), y0: low(top, height), x1: high(right, width), y1: high(bottom, height) }
    }

    /// Copies this area of all three planes from a picture of the same size.
    pub fn copy(&self, from: &I420, to: &mut I420) {
        let strides = [from.width(), from.chroma_width(), from.chroma_width()];
        for (plane, (from, to)) in from.planes().into_iter().zip(to.planes_mut()).enumerate() {
            let (stride, step) = (strides[plane], if plane == 0 { 1 } else { 2 });
            let (x0, x1) = (self.x0 / step, self.x1.div_ceil(step));
            for y in self.y0 / step..self.y1.div_ceil(step) {
                let row = y * stride;
                to[row + x0..row + x1].copy_from_slice(&from[row + x0..row + x1]);
            }
        }
    }
}

/// Blends `color` into `area`, as much at each point as `coverage` says (0–1, pixel coordinates).
pub fn blend(picture: &mut I420, area: Area, color: Color, coverage: impl Fn(f32, f32) -> f32) {
    let strides = [picture.width(), picture.chroma_width(), picture.chroma_width()];
    let values = [color.y, color.u, color.v];
    for (plane, pixels) in picture.planes_mut().into_iter().enumerate() {
        let step = if plane == 0 { 1 } else { 2 };
        let middle = step as f32 / 2.0;
        for y in area.y0 / step..area.y1.div_ceil(step) {
            let row = &mut pixels[y * strides[plane]..][..strides[plane]];
            for (x, pixel) in row.iter_mut().enumerate().take(area.x1.div_ceil(step)).skip(area.x0 / step) {
                let share = coverage((x * step) as f32 + middle, (y * step) as f32 + middle);
                if share > 0.0 {
                    let old = f32::from(*pixel);
                    *pixel = (old + (values[plane] - old) * share.min(1.0) + 0.5) as u8;
                }
            }
        }
    }
}

/// A filled circle.
pub fn disc(picture: &mut I420, (cx, cy): (f32, f32), radius: f32, color: Color, opacity: f32) -> Area {
    // Just large enough for the chroma samples that it touches: the moving discs are painted in every frame.
    let edge = radius + 1.0;
    let area = Area::around(picture, cx - edge, cy - edge, cx + edge, cy + edge);
    let (inside, outside) = ((radius - 0.5).max(0.0).powi(2), (radius + 0.5).powi(2));
    blend(picture, area, color, |x, y| {
        // Only the rim needs the root.
        let square = (x - cx) * (x - cx) + (y - cy) * (y - cy);
        if square >= outside {
            0.0
        } else if square <= inside {
            opacity
        } else {
            (radius + 0.5 - square.sqrt()).clamp(0.0, 1.0) * opacity
        }
    });
    area
}

/// A circle's line of a given thickness.
pub fn ring(picture: &mut I420, (cx, cy): (f32, f32), radius: f32, thickness: f32, color: Color, opacity: f32) {
    let edge = radius + thickness + 2.0;
    let area = Area::around(picture, cx - edge, cy - edge, cx + edge, cy + edge);
    blend(picture, area, color, |x, y| {
        let off = (((x - cx) * (x - cx) + (y - cy) * (y - cy)).sqrt() - radius).abs();
        (thickness / 2.0 + 0.5 - off).clamp(0.0, 1.0) * opacity
    });
}

/// A rectangle, its corners rounded by `corner`.
pub fn rectangle(picture: &mut I420, edges: [f32; 4], corner: f32, color: Color, opacity: f32) {
    let [left, top, right, bottom] = edges;
    let area = Area::around(picture, left - 1.0, top - 1.0, right + 1.0, bottom + 1.0);
    let (cx, cy) = ((left + right) / 2.0, (top + bottom) / 2.0);
    let (half_width, half_height) = ((right - left) / 2.0 - corner, (bottom - top) / 2.0 - corner);
    blend(picture, area, color, |x, y| {
        let (dx, dy) = ((x - cx).abs() - half_width, (y - cy).abs() - half_height);
        let outside = dx.max(0.0).hypot(dy.max(0.0)) + dx.max(dy).min(0.0) - corner;
        (0.5 - outside).clamp(0.0, 1.0) * opacity
    });
}

/// A straight stroke with round ends; a dot if both ends are one point.
pub fn stroke(picture: &mut I420, from: (f32, f32), to: (f32, f32), thickness: f32, color: Color, opacity: f32) {
    let edge = thickness / 2.0 + 2.0;
    let area = Area::around(
        picture,
        from.0.min(to.0) - edge,
        from.1.min(to.1) - edge,
        from.0.max(to.0) + edge,
        from.1.max(to.1) + edge,
    );
    blend(picture, area, color, |x, y| (thickness / 2.0 + 0.5 - distance((x, y), from, to)).clamp(0.0, 1.0) * opacity);
}

/// How far a point is from a stretch of line.
pub fn distance((x, y): (f32, f32), (ax, ay): (f32, f32), (bx, by): (f32, f32)) -> f32 {
    let (dx, dy) = (bx - ax, by - ay);
    let length = dx * dx + dy * dy;
    let along = if length > 0.0 { (((x - ax) * dx + (y - ay) * dy) / length).clamp(0.0, 1.0) } else { 0.0 };
    (x - ax - along * dx).hypot(y - ay - along * dy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_stay_inside_whatever_their_place() {
        for (width, height) in [(1, 1), (7, 5), (16, 16)] {
            let mut picture = I420::black(width, height);
            for at in [-50.0, 0.0, 3.3, 15.0, 500.0] {
                disc(&mut picture, (at, at), 6.0, Color::rgb(255, 0, 0), 1.0);
                ring(&mut picture, (at, 3.0), 4.0, 2.0, Color::rgb(0, 255, 0), 0.5);
                rectangle(&mut picture, [at, 1.0, at + 9.0, 4.0], 1.0, Color::rgb(0, 0, 255), 1.0);
                stroke(&mut picture, (at, 0.0), (3.0, at), 2.0, Color::rgb(9, 9, 9), 1.0);
            }
        }
    }

    #[test]
    fn a_white_disc_on_black_is_white_inside_and_black_outside() {
        let mut picture = I420::black(40, 40);
        disc(&mut picture, (20.0, 20.0), 10.0, Color::rgb(255, 255, 255), 1.0);
        let y = picture.planes()[0];
        assert_eq!((y[20 * 40 + 20], y[20 * 40 + 2]), (235, 16));
    }

    #[test]
    fn an_area_copies_back_what_was_painted_over() {
        let before = I420::black(33, 21);
        let mut picture = before.clone();
        let area = disc(&mut picture, (30.0, 18.0), 7.0, Color::rgb(200, 100, 50), 1.0);
        assert_ne!(picture, before);
        area.copy(&before, &mut picture);
        assert_eq!(picture, before);
    }
}
