//! A small stroke font: digits, the capitals that the card needs, and a colon, drawn at any size.

use std::f32::consts::PI;

use intercom_base::picture::I420;

use super::paint::{Area, Color, blend, distance};

/// Height of a capital is 1, its width 0.56; y grows downwards.
pub const WIDTH: f32 = 0.56;
/// Between two letters.
pub const GAP: f32 = 0.24;

enum Part {
    /// From (x, y) to (x, y).
    Line(f32, f32, f32, f32),
    /// Centre, radii, and from which to which angle in degrees; 0 is right, 90 is down.
    Arc(f32, f32, f32, f32, f32, f32),
}
use Part::{Arc, Line};

fn parts(letter: char) -> &'static [Part] {
    match letter {
        '0' => &[
            Arc(0.28, 0.28, 0.28, 0.28, 180.0, 360.0),
            Arc(0.28, 0.72, 0.28, 0.28, 0.0, 180.0),
            Line(0.0, 0.28, 0.0, 0.72),
            Line(0.56, 0.28, 0.56, 0.72),
        ],
        '1' => &[Line(0.08, 0.22, 0.34, 0.0), Line(0.34, 0.0, 0.34, 1.0)],
        '2' => &[Arc(0.28, 0.28, 0.28, 0.28, 190.0, 400.0), Line(0.4945, 0.46, 0.0, 1.0), Line(0.0, 1.0, 0.56, 1.0)],
        '3' => &[Arc(0.27, 0.245, 0.25, 0.245, 200.0, 450.0), Arc(0.27, 0.745, 0.29, 0.255, 270.0, 520.0)],
        '4' => &[Line(0.42, 0.0, 0.0, 0.7), Line(0.0, 0.7, 0.56, 0.7), Line(0.42, 0.0, 0.42, 1.0)],
        '5' => &[Line(0.5, 0.0, 0.08, 0.0), Line(0.08, 0.0, 0.05, 0.47), Arc(0.27, 0.69, 0.29, 0.31, 220.0, 505.0)],
        '6' => &[Arc(0.28, 0.69, 0.28, 0.31, 0.0, 360.0), Line(0.03, 0.57, 0.38, 0.0)],
        '7' => &[Line(0.0, 0.0, 0.56, 0.0), Line(0.56, 0.0, 0.18, 1.0)],
        '8' => &[Arc(0.28, 0.245, 0.24, 0.245, 0.0, 360.0), Arc(0.28, 0.745, 0.28, 0.255, 0.0, 360.0)],
        '9' => &[Arc(0.28, 0.31, 0.28, 0.31, 0.0, 360.0), Line(0.53, 0.43, 0.18, 1.0)],
        ':' => &[Line(0.28, 0.3, 0.28, 0.3), Line(0.28, 0.76, 0.28, 0.76)],
        'A' => &[Line(0.0, 1.0, 0.28, 0.0), Line(0.28, 0.0, 0.56, 1.0), Line(0.1, 0.66, 0.46, 0.66)],
        'C' => &[
            Arc(0.29, 0.29, 0.29, 0.29, 180.0, 340.0),
            Arc(0.29, 0.71, 0.29, 0.29, 20.0, 180.0),
            Line(0.0, 0.29, 0.0, 0.71),
        ],
        'D' => &[
            Line(0.0, 0.0, 0.0, 1.0),
            Line(0.0, 0.0, 0.24, 0.0),
            Line(0.0, 1.0, 0.24, 1.0),
            Arc(0.24, 0.32, 0.32, 0.32, 270.0, 360.0),
            Arc(0.24, 0.68, 0.32, 0.32, 0.0, 90.0),
            Line(0.56, 0.32, 0.56, 0.68),
        ],
        'E' => {
            &[Line(0.0, 0.0, 0.0, 1.0), Line(0.0, 0.0, 0.52, 0.0), Line(0.0, 0.5, 0.44, 0.5), Line(0.0, 1.0, 0.52, 1.0)]
        }
        'F' => &[Line(0.0, 0.0, 0.0, 1.0), Line(0.0, 0.0, 0.52, 0.0), Line(0.0, 0.5, 0.42, 0.5)],
        'I' => &[Line(0.28, 0.0, 0.28, 1.0)],
        'M' => &[
            Line(0.0, 1.0, 0.0, 0.0),
            Line(0.0, 0.0, 0.28, 0.56),
            Line(0.28, 0.56, 0.56, 0.0),
            Line(0.56, 0.0, 0.56, 1.0),
        ],
        'N' => &[Line(0.0, 1.0, 0.0, 0.0), Line(0.0, 0.0, 0.56, 1.0), Line(0.56, 1.0, 0.56, 0.0)],
        'O' => parts('0'),
        'P' => &[
            Line(0.0, 0.0, 0.0, 1.0),
            Line(0.0, 0.0, 0.28, 0.0),
            Line(0.0, 0.54, 0.28, 0.54),
            Arc(0.28, 0.27, 0.28, 0.27, 270.0, 450.0),
        ],
        'R' => &[
            Line(0.0, 0.0, 0.0, 1.0),
            Line(0.0, 0.0, 0.28, 0.0),
            Line(0.0, 0.54, 0.28, 0.54),
            Arc(0.28, 0.27, 0.28, 0.27, 270.0, 450.0),
            Line(0.26, 0.54, 0.56, 1.0),
        ],
        'S' => &[Arc(0.28, 0.255, 0.26, 0.255, 90.0, 330.0), Arc(0.28, 0.755, 0.28, 0.245, 270.0, 510.0)],
        'T' => &[Line(0.0, 0.0, 0.56, 0.0), Line(0.28, 0.0, 0.28, 1.0)],
        'U' => &[Line(0.0, 0.0, 0.0, 0.72), Line(0.56, 0.0, 0.56, 0.72), Arc(0.28, 0.72, 0.28, 0.28, 0.0, 180.0)],
        'X' => &[Line(0.04, 0.3, 0.52, 0.9), Line(0.52, 0.3, 0.04, 0.9)],
        '.' => &[Line(0.28, 1.0, 0.28, 1.0)],
        _ => &[],
    }
}

fn strokes(letter: char) -> Vec<((f32, f32), (f32, f32))> {
    let mut strokes = Vec::new();
    for part in parts(letter) {
        match *part {
            Line(x0, y0, x1, y1) => strokes.push(((x0, y0), (x1, y1))),
            Arc(cx, cy, rx, ry, from, to) => {
                let point = |degrees: f32| {
                    let angle = degrees * PI / 180.0;
                    (cx + rx * angle.cos(), cy + ry * angle.sin())
                };
                let steps = ((to - from) / 12.0).ceil();
                let at = |n: f32| point(from + (to - from) * n / steps);
                strokes.extend((0..steps as usize).map(|n| (at(n as f32), at(n as f32 + 1.0))));
            }
        }
    }
    strokes
}

/// How wide a text of `letters` letters is when capitals are `height` high.
pub fn text_width(letters: usize, height: f32) -> f32 {
    (letters as f32 * (WIDTH + GAP) - GAP).max(0.0) * height
}

/// Draws `text`, its middle at `cx`, its capitals from `top` on `height` high.
pub fn text(picture: &mut I420, text: &str, (cx, top): (f32, f32), height: f32, thickness: f32, color: Color) {
    let mut left = cx - text_width(text.chars().count(), height) / 2.0;
    for letter in text.chars() {
        glyph(picture, letter, (left, top), height, thickness, color);
        left += (WIDTH + GAP) * height;
    }
}

/// Draws one letter with its upper left corner at the given point.
pub fn glyph(picture: &mut I420, letter: char, (left, top): (f32, f32), height: f32, thickness: f32, color: Color) {
    let strokes = strokes(letter);
    if strokes.is_empty() {
        return;
    }
    let edge = thickness / 2.0 + 1.0;
    let area = Area::around(picture, left - edge, top - edge, left + WIDTH * height + edge, top + height + edge);
    blend(picture, area, color, |x, y| {
        let point = ((x - left) / height, (y - top) / height);
        let nearest = strokes.iter().map(|&(a, b)| distance(point, a, b)).fold(f32::MAX, f32::min);
        (thickness / 2.0 + 0.5 - nearest * height).clamp(0.0, 1.0)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_of_the_card_has_a_shape_of_its_own() {
        let mut seen: Vec<Vec<u8>> = Vec::new();
        for letter in "0123456789:ACDEFIMNPRSTUX".chars() {
            let mut picture = I420::black(40, 60);
            glyph(&mut picture, letter, (6.0, 6.0), 44.0, 5.0, Color::rgb(255, 255, 255));
            let shape = picture.planes()[0].to_vec();
            assert!(shape.iter().filter(|&&v| v > 200).count() > 15, "{letter} is visible");
            assert!(!seen.contains(&shape), "{letter} looks like another");
            seen.push(shape);
        }
    }
}
