//! Draws text into I420 pictures, in any script that a font here has: the program carries those of Europe (src/media/fonts),
//! and the system may have others ([`use_fonts`]). Letters join and run as their script does. What no font has is left out.

mod contain;
mod fonts;
mod raster;
mod recent;
mod shape;
mod wrap;

use std::cell::RefCell;
use std::rc::Rc;

use intercom_base::picture::I420;
use unicode_segmentation::UnicodeSegmentation;

pub use fonts::{ListFonts, ReadTable, is_invisible, use_fonts};
pub use wrap::wrapped;

use crate::paint::{Colour, Mask};
use raster::Cover;
use recent::Recent;
use shape::Shaped;

/// A text that is cut has at most so many letters.
const MOST_FITTED: usize = 200;

/// No text is drawn farther outside of the picture, in pixels.
const FARTHEST: f32 = 1e6;

/// Which of the two weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

/// Texts in glyphs that are kept, by the letters and glyphs of all; texts in pixels, by their bytes; cut texts, by their letters.
const KEPT_SHAPED: usize = 64 << 10;
const KEPT_DRAWN: usize = 8 << 20;
const KEPT_CUT: usize = 64 << 10;

/// What was made of texts lately. Each thread that draws has its own.
struct Memory {
    shaped: Recent<(Weight, String), Shaped>,
    drawn: Recent<(Weight, u32, String), Cover>,
    cut: Recent<(Weight, u32, u32, String), str>,
}

thread_local! {
    static MEMORY: RefCell<Memory> = RefCell::new(Memory {
        shaped: Recent::new(KEPT_SHAPED),
        drawn: Recent::new(KEPT_DRAWN),
        cut: Recent::new(KEPT_CUT),
    });
}

/// The text in glyphs.
fn shaped(text: &str, weight: Weight) -> Rc<Shaped> {
    let key = (weight, text.to_owned());
    if let Some(shaped) = MEMORY.with_borrow_mut(|memory| memory.shaped.get(&key)) {
        return shaped;
    }
    let shaped = Rc::new(shape::shape(text, weight));
    let cost = text.len() + 8 * shaped.glyphs.len() + 64;
    MEMORY.with_borrow_mut(|memory| memory.shaped.put(key, shaped.clone(), cost));
    shaped
}

/// The text in pixels.
fn drawn(text: &str, weight: Weight, size: f32) -> Rc<Cover> {
    let key = (weight, size.to_bits(), text.to_owned());
    if let Some(cover) = MEMORY.with_borrow_mut(|memory| memory.drawn.get(&key)) {
        return cover;
    }
    let cover = Rc::new(raster::cover(&shaped(text, weight), em(weight, size), size));
    let cost = cover.pixels.len() + text.len() + 64;
    MEMORY.with_borrow_mut(|memory| memory.drawn.put(key, cover.clone(), cost));
    cover
}

/// Size of the letters in a line of `size` pixels.
fn em(weight: Weight, size: f32) -> f32 {
    fonts::inside(weight).first().map_or(size, |own| size / own.line())
}

/// Width of a line in pixels.
pub fn width(text: &str, weight: Weight, size: f32) -> f32 {
    shaped(text, weight).width * em(weight, size)
}

/// What of the text no font has, each once; it is left out of the picture.
pub fn undrawable(text: &str) -> Vec<String> {
    shaped(text, Weight::Medium).left_out.clone()
}

/// Whether nothing of the text is seen.
pub fn is_blank(text: &str) -> bool {
    text.chars().all(|letter| letter.is_whitespace() || is_invisible(letter))
        || shaped(text, Weight::Medium).glyphs.is_empty()
}

/// `text`, cut with an ellipsis if it is wider than `room` pixels. What a reader takes for one letter is never cut in two.
pub fn fitted(text: &str, weight: Weight, size: f32, room: f32) -> String {
    if width(text, weight, size) <= room {
        return text.to_owned();
    }
    let key = (weight, size.to_bits(), room.to_bits(), text.to_owned());
    if let Some(cut) = MEMORY.with_borrow_mut(|memory| memory.cut.get(&key)) {
        return (*cut).to_owned();
    }
    let ends: Vec<usize> = text.grapheme_indices(true).take(MOST_FITTED).map(|(at, _)| at).collect();
    // An ellipsis in a name that runs from right to left stands at its left end: it ends the text, not the line.
    let cut = |end: usize| format!("{}…", text.get(..end).unwrap_or_default().trim_end());
    let fits = |end: usize| width(&cut(end), weight, size) <= room;
    // Letters take other forms beside others, so that a longer text may be a little narrower: look once more from there.
    let mut count = ends.partition_point(|end| fits(*end));
    while count > 0 && !ends.get(count - 1).is_some_and(|end| fits(*end)) {
        count -= 1;
    }
    let short = count.checked_sub(1).and_then(|last| ends.get(last)).map_or_else(String::new, |end| cut(*end));
    MEMORY.with_borrow_mut(|memory| memory.cut.put(key, short.as_str().into(), text.len() + short.len() + 64));
    short
}

/// The texts that this thread had to cut lately, for tests: none of ours should be.
pub fn cut_lately() -> Vec<String> {
    MEMORY.with_borrow(|memory| memory.cut.keys().map(|(.., text)| text.clone()).collect())
}

/// Draws one line whose vertical middle (of its capital letters) is at `y`.
pub fn draw(canvas: &mut I420, text: &str, x: f32, y: f32, align: Align, style: Style) {
    let cover = drawn(text, style.weight, style.size);
    let left = match align {
        Align::Left => x,
        Align::Centre => x - width(text, style.weight, style.size) / 2.0,
    };
    // Capital letters of this typeface are 0.6 of the line's height.
    let baseline = y + style.size * 0.30;
    // Whole pixels, so that a text that stands elsewhere has the same ones.
    let whole = |at: f32| at.round().clamp(-FARTHEST, FARTHEST) as i32;
    let at = (whole(left) - cover.left, whole(baseline) - cover.above);
    Mask::of(at, cover.width, &cover.pixels).draw(canvas, style.colour, style.opacity);
}

#[cfg(test)]
mod tests {
    use intercom_base::language::Language;

    use super::*;

    const STYLE: Style = Style { weight: Weight::Medium, size: 40.0, colour: Colour::rgb(255, 255, 255), opacity: 1.0 };

    #[test]
    fn both_weights_speak_the_scripts_of_europe() {
        for weight in [Weight::Medium, Weight::Light] {
            assert_eq!(fonts::inside(weight).len(), 3);
            let line = shape::shape("AZazÄßéłŽñ09ΑΩαώЖшїў–…·ԱՖֆևაჰ", weight);
            assert_eq!((line.glyphs.len(), line.left_out.len()), (29, 0), "{:?}", line.left_out);
        }
    }

    #[test]
    fn the_program_itself_has_the_letters_of_the_languages_of_europe() {
        for language in [Language::English, Language::German, Language::Spanish, Language::French] {
            let say = language.sentences();
            for words in say.all().iter().map(|(_, words)| words).chain(&say.weekdays).chain(&say.months) {
                assert_eq!(undrawable(words), Vec::<String>::new(), "{language:?}: {words}");
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
