//! Draws text into I420 pictures, in two weights of one typeface that the program carries (src/media/fonts).

use std::sync::OnceLock;

use ab_glyph::{Font, FontRef, GlyphId, PxScale, ScaleFont, point};
use intercom_drivers::contract::I420;

use crate::media::paint::{Colour, Mask};

/// Which of the two weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// For words.
    Medium,
    /// For large numbers.
    Light,
}

/// How a text looks.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Which weight.
    pub weight: Weight,
    /// Height from the top of the highest letter to the bottom of the lowest, in pixels.
    pub size: f32,
    /// Its colour.
    pub colour: Colour,
    /// 0.0–1.0
    pub opacity: f32,
}

/// Where a text's given x lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// At its left end.
    Left,
    /// In its middle.
    Centre,
}

fn font(weight: Weight) -> Option<&'static FontRef<'static>> {
    static MEDIUM: OnceLock<Option<FontRef<'static>>> = OnceLock::new();
    static LIGHT: OnceLock<Option<FontRef<'static>>> = OnceLock::new();
    let (cell, bytes): (_, &'static [u8]) = match weight {
        Weight::Medium => (&MEDIUM, include_bytes!("fonts/Inter-Medium.otf")),
        Weight::Light => (&LIGHT, include_bytes!("fonts/InterDisplay-Light.otf")),
    };
    cell.get_or_init(|| FontRef::try_from_slice(bytes).ok()).as_ref()
}

/// The glyphs of a line with their places on it, and its width.
fn layout(text: &str, weight: Weight, size: f32) -> (Vec<(GlyphId, f32)>, f32) {
    let Some(font) = font(weight) else { return (Vec::new(), 0.0) };
    let font = font.as_scaled(PxScale::from(size));
    let mut glyphs = Vec::with_capacity(text.len());
    let (mut x, mut last) = (0.0, None);
    for letter in text.chars().filter(|letter| !letter.is_control()) {
        let id = font.glyph_id(letter);
        if let Some(last) = last {
            x += font.kern(last, id);
        }
        glyphs.push((id, x));
        x += font.h_advance(id);
        last = Some(id);
    }
    (glyphs, x)
}

/// Width of a line in pixels.
pub fn width(text: &str, weight: Weight, size: f32) -> f32 {
    layout(text, weight, size).1
}

/// `text`, cut with an ellipsis if it is wider than `room` pixels.
pub fn fitted(text: &str, weight: Weight, size: f32, room: f32) -> String {
    if width(text, weight, size) <= room {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(200).collect();
    while short.pop().is_some() {
        let cut = format!("{}…", short.trim_end());
        if width(&cut, weight, size) <= room {
            return cut;
        }
    }
    String::new()
}

/// Draws one line whose vertical middle (of its capital letters) is at `y`.
pub fn draw(canvas: &mut I420, text: &str, x: f32, y: f32, align: Align, style: Style) {
    let Some(font) = font(style.weight) else { return };
    let (glyphs, width) = layout(text, style.weight, style.size);
    let left = match align {
        Align::Left => x,
        Align::Centre => x - width / 2.0,
    };
    // Capital letters of this typeface are 0.6 of the line's height.
    let baseline = y + style.size * 0.30;
    let (mask_x, mask_y) = (left.floor() as i32 - 2, (baseline - style.size).floor() as i32);
    let limit = |length: f32, most: usize| (length.max(0.0) as usize).min(2 * most) + 6;
    let (mask_width, mask_height) = (limit(width, canvas.width()), limit(style.size * 1.5, canvas.height()));
    let mut mask = Mask::new(mask_x, mask_y, mask_width, mask_height);
    for (id, at) in glyphs {
        let glyph = id.with_scale_and_position(PxScale::from(style.size), point(left + at, baseline));
        if let Some(outline) = font.outline_glyph(glyph) {
            let bounds = outline.px_bounds();
            let (from_x, from_y) = (bounds.min.x as i32, bounds.min.y as i32);
            outline.draw(|x, y, cover| mask.add(from_x + x as i32, from_y + y as i32, cover));
        }
    }
    mask.draw(canvas, style.colour, style.opacity);
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: Style = Style { weight: Weight::Medium, size: 40.0, colour: Colour::rgb(255, 255, 255), opacity: 1.0 };

    #[test]
    fn both_fonts_are_readable_and_speak_latin_greek_and_cyrillic() {
        for weight in [Weight::Medium, Weight::Light] {
            let font = font(weight).unwrap();
            for letter in "AZazÄßéłŽñ09ΑΩαώЖшїў–…·".chars() {
                assert_ne!(font.glyph_id(letter).0, 0, "{letter} in {weight:?}");
            }
        }
    }

    #[test]
    fn text_is_drawn_where_it_was_asked_for() {
        let mut canvas = I420::black(400, 100);
        draw(&mut canvas, "HHHH", 200.0, 50.0, Align::Centre, STYLE);
        let rows: Vec<usize> =
            (0..100).filter(|y| canvas.planes()[0][y * 400..][..400].iter().any(|p| *p > 120)).collect();
        let (top, bottom) = (rows[0] as i32, rows[rows.len() - 1] as i32);
        assert!((top + bottom - 99).abs() <= 2, "rows {top} to {bottom}");
        let columns: Vec<usize> =
            (0..400).filter(|x| canvas.planes()[0].iter().skip(*x).step_by(400).any(|p| *p > 120)).collect();
        let (left, right) = (columns[0] as i32, columns[columns.len() - 1] as i32);
        assert!((left + right - 399).abs() <= 4, "columns {left} to {right}");
    }

    #[test]
    fn long_names_are_cut_and_strange_ones_survive() {
        let short = fitted("A very long name of a very large home", Weight::Medium, 40.0, 200.0);
        assert!(short.ends_with('…') && width(&short, Weight::Medium, 40.0) <= 200.0, "{short}");
        let mut canvas = I420::black(64, 64);
        for text in ["", "\u{0}\n", "家", "🏠🏠🏠", &"x".repeat(10_000)] {
            draw(&mut canvas, text, -500.0, 30.0, Align::Left, STYLE);
            draw(&mut canvas, text, 32.0, 900.0, Align::Centre, STYLE);
        }
    }
}
