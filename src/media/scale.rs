//! Scales I420 pictures into a part of another: area average when shrinking, bilinear when enlarging.
//!
//! `fast_image_resize` does the same with SIMD. For planes of these sizes it was slower in nine of ten measurements, by a quarter on average,
//! since a box of few pixels gives it little to do at once.

use intercom_base::picture::I420;

/// A part of a picture in pixels. Chroma has half the resolution, so even numbers fit exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rect {
    /// Left edge.
    pub x: usize,
    /// Top edge.
    pub y: usize,
    /// Width.
    pub width: usize,
    /// Height.
    pub height: usize,
}

impl Rect {
    /// All of a picture.
    pub fn of(picture: &I420) -> Rect {
        Rect { x: 0, y: 0, width: picture.width(), height: picture.height() }
    }

    /// The part of this rectangle that lies within a picture, moved to even edges.
    fn within(self, picture: &I420) -> Rect {
        let x = self.x.min(picture.width()) & !1;
        let y = self.y.min(picture.height()) & !1;
        let width = self.width.min(picture.width() - x);
        let height = self.height.min(picture.height() - y);
        Rect { x, y, width, height }
    }

    fn halved(self) -> Rect {
        let (x, y) = (self.x / 2, self.y / 2);
        Rect { x, y, width: self.width.div_ceil(2), height: self.height.div_ceil(2) }
    }

    /// The largest rectangle of the shape `width` x `height` in the middle of this one, with even edges.
    pub fn fit(self, width: usize, height: usize) -> Rect {
        let (width, height) = (width.max(1), height.max(1));
        let (w, h) = if self.width * height <= self.height * width {
            (self.width, (self.width * height / width).max(2))
        } else {
            ((self.height * width / height).max(2), self.height)
        };
        // One that is a pixel high has no room for two.
        let (w, h) = (w.min(self.width) & !1, h.min(self.height) & !1);
        Rect { x: self.x + (self.width - w) / 4 * 2, y: self.y + (self.height - h) / 4 * 2, width: w, height: h }
    }

    /// This rectangle made smaller by `by` on each side.
    pub fn shrunk(self, by: usize) -> Rect {
        let (dx, dy) = (by.min(self.width / 2), by.min(self.height / 2));
        Rect { x: self.x + dx, y: self.y + dy, width: self.width - 2 * dx, height: self.height - 2 * dy }
    }
}

/// Draws the part `from` of `source` into the part `to` of `target`, whatever their sizes. What lies outside of
/// the pictures is cut off.
pub fn draw(source: &I420, from: Rect, target: &mut I420, to: Rect) {
    let (from, to) = (from.within(source), to.within(target));
    if from.width == 0 || from.height == 0 || to.width == 0 || to.height == 0 {
        return;
    }
    let (source_strides, target_strides) =
        ([source.width(), source.chroma_width()], [target.width(), target.chroma_width()]);
    for (n, (source, target)) in source.planes().into_iter().zip(target.planes_mut()).enumerate() {
        let (from, to) = if n == 0 { (from, to) } else { (from.halved(), to.halved()) };
        let plane = n.min(1);
        draw_plane(source, source_strides[plane], from, target, target_strides[plane], to);
    }
}

/// Draws all of `source` into `target`, keeping its shape, with black beside it where the shapes differ.
pub fn scale_into(source: &I420, target: &mut I420) {
    let whole = Rect::of(target);
    let to = whole.fit(source.width(), source.height());
    if (to.width, to.height) != (whole.width & !1, whole.height & !1) || whole.width % 2 + whole.height % 2 > 0 {
        let black = I420::black(2, 2);
        for (plane, black) in target.planes_mut().into_iter().zip(black.planes()) {
            plane.fill(black[0]);
        }
    }
    draw(source, Rect::of(source), target, to);
}

/// Swaps left and right.
pub fn mirror(picture: &mut I420) {
    let strides = [picture.width(), picture.chroma_width(), picture.chroma_width()];
    for (plane, stride) in picture.planes_mut().into_iter().zip(strides) {
        plane.chunks_exact_mut(stride).for_each(<[u8]>::reverse);
    }
}

fn draw_plane(source: &[u8], source_stride: usize, from: Rect, target: &mut [u8], target_stride: usize, to: Rect) {
    let row = |y: usize| &source[(from.y + y) * source_stride + from.x..][..from.width];
    let target_rows = target.chunks_exact_mut(target_stride).skip(to.y).take(to.height);
    if (from.width, from.height) == (to.width, to.height) {
        for (y, out) in target_rows.enumerate() {
            out[to.x..to.x + to.width].copy_from_slice(row(y));
        }
        return;
    }
    let down = Taps::new(from.height, to.height);
    let across = Taps::new(from.width, to.width);
    let mut column = vec![0u16; from.width];
    for (y, out) in target_rows.enumerate() {
        let (first, weights) = down.of(y);
        column.fill(0);
        for (n, weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0) {
            // The weights of a row sum up to 256, so that 255 * 256 is the most that can come together here.
            for (sum, pixel) in column.iter_mut().zip(row(first + n)) {
                *sum += u16::from(*pixel) * weight;
            }
        }
        across.apply(&column, &mut out[to.x..to.x + to.width]);
    }
}

/// Which source pixels make a target pixel, and with what weights (they sum up to 256).
struct Taps {
    first: Vec<u32>,
    weights: Vec<u16>,
    count: usize,
}

impl Taps {
    fn new(from: usize, to: usize) -> Taps {
        let step = from as f64 / to as f64;
        let count = if from > to { step.ceil() as usize + 1 } else { 2 }.min(from);
        let mut first = Vec::with_capacity(to);
        let mut weights = Vec::with_capacity(to * count);
        let mut exact = vec![0.0; count];
        for n in 0..to {
            let (begin, end) = if from > to {
                (n as f64 * step, (n + 1) as f64 * step)
            } else {
                // A window one source pixel wide: its overlaps are the bilinear weights.
                let middle = (n as f64 + 0.5) * step;
                (middle - 0.5, middle + 0.5)
            };
            let (begin, end) = (begin.clamp(0.0, from as f64), end.clamp(0.0, from as f64));
            let start = (begin as usize).min(from - count);
            for (k, exact) in exact.iter_mut().enumerate() {
                let pixel = (start + k) as f64;
                *exact = (end.min(pixel + 1.0) - begin.max(pixel)).max(0.0);
            }
            first.push(start as u32);
            push_quantised(&exact, &mut weights);
        }
        Taps { first, weights, count }
    }

    fn of(&self, n: usize) -> (usize, &[u16]) {
        (self.first[n] as usize, &self.weights[n * self.count..][..self.count])
    }

    fn apply(&self, column: &[u16], out: &mut [u8]) {
        match self.count {
            1 => out.fill((u32::from(column[0]) >> 8) as u8),
            2 => self.apply_few::<2>(column, out),
            3 => self.apply_few::<3>(column, out),
            4 => self.apply_few::<4>(column, out),
            _ => {
                for (n, out) in out.iter_mut().enumerate() {
                    let (first, weights) = self.of(n);
                    let pixels = &column[first..first + weights.len()];
                    let sum: u32 = pixels.iter().zip(weights).map(|(p, w)| u32::from(*p) * u32::from(*w)).sum();
                    *out = ((sum + 0x8000) >> 16) as u8;
                }
            }
        }
    }
}

impl Taps {
    /// The same with a number of taps that the compiler knows.
    fn apply_few<const COUNT: usize>(&self, column: &[u16], out: &mut [u8]) {
        let (weights, _) = self.weights.as_chunks::<COUNT>();
        for ((out, first), weights) in out.iter_mut().zip(&self.first).zip(weights) {
            let Some(pixels) = column[*first as usize..].first_chunk::<COUNT>() else { continue };
            let mut sum = 0x8000;
            for n in 0..COUNT {
                sum += u32::from(pixels[n]) * u32::from(weights[n]);
            }
            *out = (sum >> 16) as u8;
        }
    }
}

/// Appends the weights as whole 256ths that sum up to 256: each is what its sum so far, rounded, grows by.
fn push_quantised(exact: &[f64], weights: &mut Vec<u16>) {
    let scale = 256.0 / exact.iter().sum::<f64>();
    let (mut sum, mut given) = (0.0, 0);
    for weight in exact {
        sum += weight * scale;
        let rounded = (sum.round() as u16).min(256);
        weights.push(rounded - given);
        given = rounded;
    }
}

#[cfg(test)]
mod tests {
    use intercom_base::testing::pictures::moving_scene;

    use super::*;
    use crate::test_pictures::thread_cpu_ms;

    fn flat(width: usize, height: usize, y: u8) -> I420 {
        let mut picture = I420::black(width, height);
        picture.planes_mut()[0].fill(y);
        picture
    }

    /// Mean luma of a part of a picture.
    fn mean(picture: &I420, part: Rect) -> f64 {
        let rows = picture.planes()[0].chunks_exact(picture.width()).skip(part.y).take(part.height);
        let sum: u64 = rows.flat_map(|row| &row[part.x..part.x + part.width]).map(|p| u64::from(*p)).sum();
        sum as f64 / (part.width * part.height) as f64
    }

    #[test]
    fn one_colour_stays_exactly_that_colour_at_any_size() {
        for (width, height) in [(1280, 720), (640, 480), (33, 17), (2, 2), (1, 1), (1920, 1920)] {
            for (to_width, to_height) in [(480, 270), (640, 480), (1280, 720), (35, 19), (1, 1)] {
                let mut target = I420::black(to_width, to_height);
                let to = Rect::of(&target);
                let source = flat(width, height, 201);
                draw(&source, Rect::of(&source), &mut target, to);
                assert!(target.planes()[0].iter().all(|p| *p == 201), "{width}x{height} to {to_width}x{to_height}");
                assert!(target.planes()[1].iter().all(|p| *p == 128));
            }
        }
    }

    #[test]
    fn brightness_and_place_are_kept() {
        let source = moving_scene(1280, 720, 5);
        for (width, height) in [(480, 270), (640, 360), (1920, 1080), (8, 4), (2, 2)] {
            let mut target = I420::black(width, height);
            let to = Rect::of(&target);
            draw(&source, Rect::of(&source), &mut target, to);
            for (x, y) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                let quarter = |p: &I420| Rect {
                    x: x * p.width() / 2,
                    y: y * p.height() / 2,
                    width: p.width() / 2,
                    height: p.height() / 2,
                };
                let (before, after) = (mean(&source, quarter(&source)), mean(&target, quarter(&target)));
                assert!((before - after).abs() < 1.5, "{width}x{height} {x} {y}: {before} {after}");
            }
        }
    }

    #[test]
    fn shapes_are_kept_and_centred() {
        let screen = Rect { x: 0, y: 0, width: 1280, height: 720 };
        for (width, height) in [(0, 0), (1, 1), (1, 50), (50, 1)] {
            let small = Rect { x: 0, y: 0, width, height };
            let inside = small.fit(640, 360);
            assert!(inside.width <= width && inside.height <= height, "{inside:?} in {small:?}");
        }
        assert_eq!(screen.fit(640, 360), screen);
        assert_eq!(screen.fit(640, 480), Rect { x: 160, y: 0, width: 960, height: 720 });
        assert_eq!(screen.fit(720, 1280), Rect { x: 438, y: 0, width: 404, height: 720 });
        assert_eq!(screen.fit(1280, 360), Rect { x: 0, y: 180, width: 1280, height: 360 });
    }

    #[test]
    fn a_letterbox_is_black_beside_the_picture() {
        let mut target = flat(1280, 720, 90);
        scale_into(&flat(640, 480, 200), &mut target);
        assert_eq!(mean(&target, Rect { x: 0, y: 0, width: 160, height: 720 }), 16.0);
        assert_eq!(mean(&target, Rect { x: 160, y: 0, width: 960, height: 720 }), 200.0);
        assert_eq!(mean(&target, Rect { x: 1120, y: 0, width: 160, height: 720 }), 16.0);
    }

    #[test]
    fn what_lies_outside_is_cut_off() {
        let mut random = fastrand::Rng::with_seed(8);
        let source = flat(64, 48, 200);
        for _ in 0..3000 {
            let mut target = I420::black(random.usize(1..70), random.usize(1..70));
            let mut any = || Rect {
                x: random.usize(0..90),
                y: random.usize(0..90),
                width: random.usize(0..90),
                height: random.usize(0..90),
            };
            draw(&source, any(), &mut target, any());
        }
    }

    #[test]
    #[ignore = "measures"]
    fn measure_cost() {
        for (from, to) in [((1280, 720), (480, 270)), ((640, 480), (1280, 720)), ((1280, 720), (1280, 720))] {
            let source = moving_scene(from.0, from.1, 0);
            let mut target = I420::black(to.0, to.1);
            let begun = thread_cpu_ms();
            for _ in 0..50 {
                scale_into(&source, &mut target);
            }
            println!("scale {from:?} to {to:?}: {:.2} ms", (thread_cpu_ms() - begun) / 50.0);
        }
    }
}
