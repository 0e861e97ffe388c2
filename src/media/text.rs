//! Draws text into I420 pictures, in two weights of one typeface, and others for the scripts that it lacks: the program
//! carries them all (src/media/fonts).

use std::sync::OnceLock;

use ab_glyph::{Font, FontRef, GlyphId, PxScale, ScaleFont, point};
use intercom_base::picture::I420;

use crate::paint::{Colour, Mask};

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

/// The typeface in this weight, and behind it those for the scripts that it lacks.
fn fonts(weight: Weight) -> &'static [FontRef<'static>] {
    static MEDIUM: OnceLock<Vec<FontRef<'static>>> = OnceLock::new();
    static LIGHT: OnceLock<Vec<FontRef<'static>>> = OnceLock::new();
    const OTHER_SCRIPTS: [&[u8]; 2] =
        [include_bytes!("fonts/NotoSansArmenian-Regular.ttf"), include_bytes!("fonts/NotoSansGeorgian-Regular.ttf")];
    let (cell, own): (_, &'static [u8]) = match weight {
        Weight::Medium => (&MEDIUM, include_bytes!("fonts/Inter-Medium.otf")),
        Weight::Light => (&LIGHT, include_bytes!("fonts/InterDisplay-Light.otf")),
    };
    cell.get_or_init(|| {
        let all = std::iter::once(own).chain(OTHER_SCRIPTS);
        all.filter_map(|bytes| FontRef::try_from_slice(bytes).ok()).collect()
    })
}

/// One glyph with its place on the line.
struct Placed {
    font: &'static FontRef<'static>,
    id: GlyphId,
    /// Height of the font's line, in pixels.
    size: f32,
    x: f32,
}

/// The glyphs of a line with their places on it, and its width.
fn layout(text: &str, weight: Weight, size: f32) -> (Vec<Placed>, f32) {
    let fonts = fonts(weight);
    let mut glyphs: Vec<Placed> = Vec::with_capacity(text.len());
    let mut x = 0.0;
    for letter in text.chars().filter(|letter| !letter.is_control()) {
        // What none of them has is drawn as the first one's box.
        let Some(font) = fonts.iter().find(|font| font.glyph_id(letter).0 != 0).or(fonts.first()) else { break };
        // Lines of fonts are of different heights at the same size of their letters.
        let size = size * line_of(font) / fonts.first().map_or(1.0, line_of);
        let (id, scaled) = (font.glyph_id(letter), font.as_scaled(PxScale::from(size)));
        if let Some(last) = glyphs.last().filter(|last| std::ptr::eq(last.font, font)) {
            x += scaled.kern(last.id, id);
        }
        glyphs.push(Placed { font, id, size, x });
        x += scaled.h_advance(id);
    }
    (glyphs, x)
}

/// Height of a font's line as a part of its letters' size.
fn line_of(font: &FontRef<'_>) -> f32 {
    font.units_per_em().map_or(1.0, |em| font.height_unscaled() / em)
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

/// The text in lines of at most `room` pixels, broken between words; `most` lines, the last of which has all the rest.
pub fn wrapped(text: &str, weight: Weight, size: f32, room: f32, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace().take(200) {
        let full = lines.len() >= most;
        let longer = lines.last().map(|line| format!("{line} {word}"));
        match (lines.last_mut(), longer) {
            (Some(line), Some(longer)) if full || width(&longer, weight, size) <= room => *line = longer,
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Draws one line whose vertical middle (of its capital letters) is at `y`.
pub fn draw(canvas: &mut I420, text: &str, x: f32, y: f32, align: Align, style: Style) {
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
    for Placed { font, id, size, x } in glyphs {
        let glyph = id.with_scale_and_position(PxScale::from(size), point(left + x, baseline));
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
    fn both_weights_speak_the_scripts_of_europe() {
        for weight in [Weight::Medium, Weight::Light] {
            assert_eq!(fonts(weight).len(), 3);
            let (glyphs, _) = layout("AZazÄßéłŽñ09ΑΩαώЖшїў–…·ԱՖֆևაჰ", weight, 40.0);
            assert_eq!(glyphs.len(), 29);
            for (n, glyph) in glyphs.iter().enumerate() {
                assert_ne!(glyph.id.0, 0, "letter {n} in {weight:?}");
            }
        }
    }

    #[test]
    fn long_text_is_broken_between_words_and_none_is_lost() {
        let text = "one two three four five six seven eight";
        let lines = wrapped(text, Weight::Medium, 40.0, 300.0, 3);
        assert_eq!((lines.len(), lines.join(" ")), (3, text.to_owned()));
        assert!(lines[..2].iter().all(|line| width(line, Weight::Medium, 40.0) <= 300.0), "{lines:?}");
        assert_eq!(wrapped("one", Weight::Medium, 40.0, 1.0, 3), ["one"]);
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
