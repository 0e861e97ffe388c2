//! What the card shows: a home at dusk, painted once, and the few parts that move, painted into every frame.

use std::f32::consts::TAU;
use std::time::Duration;

use intercom_base::picture::I420;

use super::glyphs::{self, GAP, WIDTH};
use super::paint::{Area, Color, blend, disc, rectangle, ring, stroke};
use super::strip;
use crate::contract::VideoMode;

const WHITE: Color = Color::rgb(255, 255, 255);
const SUN: Color = Color::rgb(255, 214, 120);
const NIGHT: Color = Color::rgb(16, 20, 50);
/// Only luma differs from [`NIGHT`], so that changing digits costs the encoder no chroma.
const INK: Color = Color { y: 226.0, ..NIGHT };
const FADED_INK: Color = Color { y: 130.0, ..NIGHT };
/// The ball runs round the clock in this many seconds, the dot along the bottom in [`SWEEP_SECONDS`].
const ORBIT_SECONDS: f32 = 6.0;
const SWEEP_SECONDS: f32 = 2.0;
/// The ball and the dots of its tail, and the dot at the bottom.
const TAIL: usize = 12;

/// The card at one size.
pub struct Scene {
    background: I420,
    center: (f32, f32),
    radius: f32,
    track: [f32; 3],
    dot: f32,
    clock: Digits,
    counter: Digits,
}

/// A frame buffer of the card that knows which of its parts differ from the background.
pub struct Dirty(Vec<Area>);

impl Scene {
    /// Paints the background for this size; `mode` is also written on the card.
    pub fn new(mode: &VideoMode) -> Scene {
        let (width, height) = (mode.width as usize, mode.height as usize);
        let mut picture = I420::black(width, height);
        let top = strip::rows(width).div_ceil(2) * 2;
        let (w, h, top) = (width as f32, height as f32, top as f32);
        let body = (h - top).max(1.0);
        let center = (w / 2.0, top + body * 0.405);
        let radius = (body * 0.335).min(w * 0.3);

        sky(&mut picture, top, body);
        landscape(&mut picture, top, body);
        grid(&mut picture, top);
        if w > 1.2 * body {
            let half = (0.5 * (center.0 - radius * 1.2 - w * 0.045)).min(body * 0.13);
            for side in [-1.0, 1.0] {
                let middle = (center.0 + side * (w / 2.0 - w * 0.045 - half), center.1);
                wedge(&mut picture, middle, half, radius * 0.72, side > 0.0);
            }
        }
        bars(&mut picture, w * 0.045, w * 0.955, h - body * 0.15, body * 0.075);
        let track = [w * 0.045, w * 0.955, h - body * 0.185];
        let thin = (body / 240.0).max(1.0);
        stroke(&mut picture, (track[0], track[2]), (track[1], track[2]), thin, WHITE, 0.45);
        for n in 0..=20 {
            let (x, reach) = (track[0] + (track[1] - track[0]) * n as f32 / 20.0, if n % 5 == 0 { 4.0 } else { 2.0 });
            stroke(&mut picture, (x, track[2] - reach * thin), (x, track[2] + reach * thin), thin, WHITE, 0.6);
        }

        dial(&mut picture, center, radius);
        let line = |share: f32| (radius * share).max(1.0);
        let label = radius * 0.085;
        let words = format!("{}X{}  {} FPS", mode.width, mode.height, (mode.rate * 100.0).round() / 100.0);
        glyphs::text(&mut picture, "INTERCOM", (center.0, center.1 - radius * 0.60), radius * 0.13, line(0.026), INK);
        let below = (center.0, center.1 - radius * 0.385);
        glyphs::text(&mut picture, "TEST CARD", below, label, line(0.016), FADED_INK);
        let clock = Digits::new(center, center.1 - radius * 0.185, radius * 0.31, line(0.045), &[2, 2, 2]);
        clock.draw_colons(&mut picture, line(0.06));
        let zone = (center.0, center.1 + radius * 0.2);
        glyphs::text(&mut picture, "UTC", zone, label, line(0.016), FADED_INK);
        let counter = Digits::new(center, center.1 + radius * 0.375, radius * 0.17, line(0.026), &[6]);
        glyphs::text(&mut picture, &words, (center.0, center.1 + radius * 0.64), label * 0.9, line(0.015), FADED_INK);
        Scene { background: picture, center, radius, track, dot: (body * 0.011).max(2.0), clock, counter }
    }

    /// A new frame buffer that shows the background only.
    pub fn buffer(&self) -> (I420, Dirty) {
        (self.background.clone(), Dirty(Vec::with_capacity(TAIL + 2)))
    }

    /// Makes `picture`, a buffer of this scene, the frame of this moment: `unix` is the wall clock, `age` the time
    /// since the camera was opened.
    pub fn draw(&self, picture: &mut I420, dirty: &mut Dirty, unix: Duration, age: Duration, sequence: u64) {
        for area in dirty.0.drain(..) {
            area.copy(&self.background, picture);
        }
        let turn = |seconds: f32| {
            let period = Duration::from_secs_f32(seconds).as_nanos();
            (age.as_nanos() % period) as f32 / period as f32
        };
        let (head, size) = (turn(ORBIT_SECONDS), self.radius * 0.062);
        for n in (0..TAIL).rev() {
            let angle = (head - n as f32 * 0.011 - 0.25) * TAU;
            let at = (self.center.0 + self.radius * angle.cos(), self.center.1 + self.radius * angle.sin());
            let share = 1.0 - n as f32 / TAIL as f32;
            let (color, opacity) = if n == 0 { (WHITE, 1.0) } else { (SUN, share * 0.42) };
            dirty.0.push(disc(picture, at, size * share.max(0.2), color, opacity));
        }
        let along = turn(SWEEP_SECONDS);
        let at = (self.track[0] + (self.track[1] - self.track[0]) * along, self.track[2]);
        dirty.0.push(disc(picture, at, self.dot, SUN, 1.0));

        let day = unix.as_secs() % 86_400;
        let [hours, minutes, seconds] = [day / 3600, day / 60 % 60, day % 60];
        self.clock.draw(picture, (hours * 100 + minutes) * 100 + seconds);
        self.counter.draw(picture, sequence % 1_000_000);
        strip::draw(picture, unix.as_millis() as u64, sequence);
    }
}

/// Dusk: from night blue above through rose to the last light.
fn sky(picture: &mut I420, top: f32, body: f32) {
    const STOPS: [(f32, Color); 5] = [
        (0.0, Color::rgb(20, 26, 66)),
        (0.32, Color::rgb(66, 48, 118)),
        (0.55, Color::rgb(156, 74, 128)),
        (0.72, Color::rgb(236, 128, 106)),
        (1.0, Color::rgb(255, 206, 140)),
    ];
    let (width, chroma_width) = (picture.width(), picture.chroma_width());
    let at = |height: f32| {
        let height = ((height - top) / body).clamp(0.0, 1.0);
        let above = STOPS.partition_point(|(stop, _)| *stop <= height).clamp(1, STOPS.len() - 1);
        let ((from, low), (to, high)) = (STOPS[above - 1], STOPS[above]);
        low.mix(high, (height - from) / (to - from))
    };
    let [y, u, v] = picture.planes_mut();
    for (n, row) in y.chunks_exact_mut(width).enumerate() {
        // A little of the light from the right keeps wide areas from being flat.
        for (x, pixel) in row.iter_mut().enumerate() {
            *pixel = (at(n as f32).y + 10.0 * (x as f32 / width as f32 - 0.5) + 0.5) as u8;
        }
    }
    for (n, (u, v)) in u.chunks_exact_mut(chroma_width).zip(v.chunks_exact_mut(chroma_width)).enumerate() {
        let color = at(2.0 * n as f32 + 1.0);
        u.fill((color.u + 0.5) as u8);
        v.fill((color.v + 0.5) as u8);
    }
    let w = width as f32;
    for n in 0..46 {
        // The golden ratio spreads the stars evenly without looking like a pattern.
        let (x, height) = ((n as f32 * 0.618_034).fract(), (n as f32 * 0.754_878).fract());
        let size = (body / 420.0) * (0.7 + (n % 3) as f32 * 0.35);
        disc(picture, (x * w, top + height * height * body * 0.45), size.max(0.6), WHITE, 0.75 - height * 0.5);
    }
}

/// Two ranges of hills and the home with its lit windows.
fn landscape(picture: &mut I420, top: f32, body: f32) {
    let w = picture.width() as f32;
    let bottom = top + body;
    let far = move |x: f32| top + body * (0.70 - 0.050 * (x / w * 5.1 + 0.6).sin() - 0.018 * (x / w * 13.0).sin());
    let near = move |x: f32| top + body * (0.785 - 0.045 * (x / w * 4.0 + 1.0).sin() - 0.006 * (x / w * 11.0).cos());
    let all = Area::around(picture, 0.0, top + body * 0.55, w, bottom);
    blend(picture, all, Color::rgb(92, 58, 118), |x, y| (y - far(x) + 0.5).clamp(0.0, 1.0));
    blend(picture, all, Color::rgb(38, 34, 78), |x, y| (y - near(x) + 0.5).clamp(0.0, 1.0));

    let size = body * 0.044;
    let (x, y) = (w * 0.243, near(w * 0.243) + size * 0.1);
    let wall = Color::rgb(24, 22, 54);
    rectangle(picture, [x - size * 1.3, y - size * 1.25, x + size * 1.3, y + size * 0.6], 1.0, wall, 1.0);
    rectangle(picture, [x + size * 0.65, y - size * 2.5, x + size * 0.95, y - size * 1.2], 0.5, wall, 1.0);
    let roof = Area::around(picture, x - size * 2.0, y - size * 2.6, x + size * 2.0, y - size);
    blend(picture, roof, wall, |px, py| {
        let slope = 0.75 * ((px - x).abs() - size * 1.65) + (y - size * 1.15 - py);
        (0.5 - slope).clamp(0.0, 1.0) * (y - size * 1.15 - py + 0.5).clamp(0.0, 1.0)
    });
    for side in [-1.0, 1.0] {
        let x = x + side * size * 0.55;
        rectangle(picture, [x - size * 0.3, y - size * 0.75, x + size * 0.3, y - size * 0.2], 1.0, SUN, 1.0);
    }
}

/// Faint lines for judging shape and cropping, and marks in the corners.
fn grid(picture: &mut I420, top: f32) {
    let (w, h) = (picture.width() as f32, picture.height() as f32);
    let step = w / 16.0;
    let all = Area::around(picture, 0.0, top, w, h);
    blend(picture, all, WHITE, |x, y| {
        let off = |along: f32| ((along / step).round() * step - along).abs();
        if off(x - 0.4).min(off(y - 0.4 - h / 2.0)) < 0.5 { 0.075 } else { 0.0 }
    });
    let (arm, inset, thick) = (w * 0.022, w * 0.012, (w / 420.0).max(1.0));
    for (x, sx) in [(inset, 1.0), (w - inset, -1.0)] {
        for (y, sy) in [(top + inset, 1.0), (h - inset, -1.0)] {
            stroke(picture, (x, y), (x + sx * arm, y), thick, WHITE, 0.9);
            stroke(picture, (x, y), (x, y + sy * arm), thick, WHITE, 0.9);
        }
    }
}

/// A fan of lines that grow finer until they cannot be told apart: shows how much detail gets through.
fn wedge(picture: &mut I420, (cx, cy): (f32, f32), half: f32, reach: f32, lying: bool) {
    const LINES: f32 = 7.0;
    if half < 10.0 {
        return;
    }
    rectangle(picture, [cx - half, cy - reach, cx + half, cy + reach], half * 0.18, NIGHT, 0.82);
    let inner = Area::around(picture, cx - half, cy - reach, cx + half, cy + reach);
    blend(picture, inner, WHITE, |x, y| {
        // The lying one is a stack of lines that draw together towards the middle instead.
        let (across, along) = if lying {
            let nearer = 1.0 - ((y - cy).abs() / (reach * 0.86));
            return if nearer < 0.0 || (x - cx).abs() > half * 0.7 {
                0.0
            } else {
                let count = nearer * nearer * reach * 0.17;
                lines(count, reach * 0.86 / (2.0 * nearer * reach * 0.17).max(0.1))
            };
        } else {
            (x - cx, (y - (cy - reach * 0.86)) / (reach * 1.72))
        };
        if !(0.0..=1.0).contains(&along) {
            return 0.0;
        }
        let spread = half * 0.78 * (1.0 - along) + LINES * 1.25 * along;
        if across.abs() > spread { 0.0 } else { lines(across / spread * LINES * 0.5, spread * 2.0 / LINES) }
    });
}

/// Lines with smooth edges: `count` of them lie before this point, one every `period` pixels.
fn lines(count: f32, period: f32) -> f32 {
    (0.5 + (count * TAU).cos() * period / TAU).clamp(0.0, 1.0)
}

/// Colour bars of 75 % and a staircase of greys.
fn bars(picture: &mut I420, left: f32, right: f32, top: f32, height: f32) {
    const BARS: [Color; 7] = [
        Color::rgb(191, 191, 191),
        Color::rgb(191, 191, 0),
        Color::rgb(0, 191, 191),
        Color::rgb(0, 191, 0),
        Color::rgb(191, 0, 191),
        Color::rgb(191, 0, 0),
        Color::rgb(0, 0, 191),
    ];
    const GREYS: usize = 11;
    let edge = height * 0.06;
    let bottom = top + height * 1.6;
    rectangle(picture, [left - edge, top - edge, right + edge, bottom + edge], height * 0.2, NIGHT, 0.9);
    let row = |picture: &mut I420, count: usize, n: usize, top: f32, bottom: f32, color: Color| {
        let at = |n: usize| left + (right - left) * n as f32 / count as f32;
        let corner = if n == 0 || n + 1 == count { height * 0.12 } else { 0.0 };
        rectangle(picture, [at(n), top, at(n + 1), bottom], corner, color, 1.0);
    };
    for (n, color) in BARS.iter().enumerate() {
        row(picture, BARS.len(), n, top, top + height * 1.08, *color);
    }
    for n in 0..GREYS {
        let grey = (n * 255 / (GREYS - 1)) as u8;
        row(picture, GREYS, n, top + height * 1.12, bottom, Color::rgb(grey, grey, grey));
    }
}

/// The dark dial, its ring and sixty marks.
fn dial(picture: &mut I420, center: (f32, f32), radius: f32) {
    disc(picture, center, radius * 1.16, NIGHT, 0.35);
    disc(picture, center, radius * 0.9, NIGHT, 1.0);
    ring(picture, center, radius, (radius * 0.02).max(1.0), WHITE, 0.9);
    for n in 0..60 {
        let (sin, cos) = (n as f32 / 60.0 * TAU).sin_cos();
        let from = if n % 5 == 0 { 1.05 } else { 1.075 };
        let point = |share: f32| (center.0 + radius * share * cos, center.1 + radius * share * sin);
        let (thick, opacity) = if n % 5 == 0 { (radius * 0.016, 0.9) } else { (radius * 0.009, 0.5) };
        stroke(picture, point(from), point(1.1), thick.max(0.8), WHITE, opacity);
    }
}

/// A row of digits that change: each a ready tile of luma on the dial's flat ground, copied into place.
struct Digits {
    tiles: Vec<u8>,
    tile: (usize, usize),
    places: Vec<(usize, usize)>,
    colons: Vec<(f32, f32)>,
}

impl Digits {
    /// `groups` says how many digits stand together, colons between; middle at `center`, from `top` on.
    fn new(center: (f32, f32), top: f32, height: f32, thickness: f32, groups: &[usize]) -> Digits {
        let step = (((WIDTH + GAP) * height).round() as usize).max(1);
        let colon = step / 2;
        let count: usize = groups.iter().sum();
        let whole = count * step + (groups.len() - 1) * colon;
        let margin = thickness.ceil();
        let tile = (step, (height + 2.0 * margin).ceil() as usize);
        let top = (top - margin).max(0.0) as usize;
        let mut left = (center.0 - whole as f32 / 2.0).max(0.0) as usize;
        let (mut places, mut colons) = (Vec::new(), Vec::new());
        for (n, group) in groups.iter().enumerate() {
            if n > 0 {
                colons.push((left as f32 + colon as f32 / 2.0, top as f32 + margin + height * 0.5));
                left += colon;
            }
            for _ in 0..*group {
                places.push((left, top));
                left += step;
            }
        }
        let mut tiles = Vec::with_capacity(10 * tile.0 * tile.1);
        for digit in "0123456789".chars() {
            let mut picture = I420::black(tile.0, tile.1);
            picture.planes_mut()[0].fill((NIGHT.y + 0.5) as u8);
            let at = ((tile.0 as f32 - WIDTH * height) / 2.0, margin);
            glyphs::glyph(&mut picture, digit, at, height, thickness, INK);
            tiles.extend_from_slice(picture.planes()[0]);
        }
        Digits { tiles, tile, places, colons }
    }

    fn draw_colons(&self, picture: &mut I420, thickness: f32) {
        let reach = self.tile.1 as f32 * 0.17;
        for &(x, y) in &self.colons {
            for y in [y - reach, y + reach] {
                stroke(picture, (x, y), (x, y), thickness, INK, 1.0);
            }
        }
    }

    fn draw(&self, picture: &mut I420, mut number: u64) {
        let (stride, rows) = (picture.width(), picture.height());
        let (width, height) = self.tile;
        let luma = &mut *picture.planes_mut()[0];
        for &(x, y) in self.places.iter().rev() {
            let tile = &self.tiles[(number % 10) as usize * width * height..][..width * height];
            number /= 10;
            if x + width > stride {
                continue;
            }
            for (n, row) in tile.chunks_exact(width).enumerate().take(rows.saturating_sub(y)) {
                luma[(y + n) * stride + x..][..width].copy_from_slice(row);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_frame_in_a_used_buffer_equals_that_in_a_new_one() {
        let scene = Scene::new(&VideoMode { width: 320, height: 180, rate: 30.0 });
        let (mut used, mut dirty) = scene.buffer();
        for n in 0..40 {
            let at = Duration::from_millis(1_700_000_000_000 + n * 333);
            scene.draw(&mut used, &mut dirty, at, Duration::from_millis(n * 333), n);
            let (mut fresh, mut none) = scene.buffer();
            scene.draw(&mut fresh, &mut none, at, Duration::from_millis(n * 333), n);
            assert!(used == fresh, "frame {n} has remains of an earlier one");
        }
    }

    #[test]
    fn every_size_that_the_config_allows_can_be_drawn() {
        for (width, height) in [(160, 90), (161, 91), (320, 1080), (1080, 160), (640, 480), (1920, 1080)] {
            let scene = Scene::new(&VideoMode { width, height, rate: 29.97 });
            let (mut picture, mut dirty) = scene.buffer();
            scene.draw(&mut picture, &mut dirty, Duration::from_secs(86_399), Duration::from_secs(3), 999_999);
            assert_eq!(strip::tests::read(&picture), Some((86_399_000, 999_999 & 0xfff)), "{width}x{height}");
        }
    }
}
