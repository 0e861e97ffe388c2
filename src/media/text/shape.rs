//! From letters to glyphs: which font draws which letters, which way each part runs (UAX #9), and the forms that letters take
//! beside each other.

use std::ops::Range;
use std::sync::Arc;

use harfrust::font::Font;
use harfrust::{Buffer, BufferFlags, Direction, GlyphId, Script, ShapeOptions, ShaperFont};
use unicode_bidi::BidiInfo;
use unicode_segmentation::UnicodeSegmentation;

use super::Weight;
use super::fonts::{self, Face, is_invisible};

/// What a reader takes for one letter has at most so many of Unicode's: a letter, or an emoji, with its marks.
const MOST_OF_CLUSTER: usize = 16;

/// A line has at most so many clusters. No screen shows more.
const MOST_CLUSTERS: usize = 1000;

/// One glyph with its place on the line. Lengths are parts of the letters' size (em).
pub(super) struct Glyph {
    pub face: Arc<Face>,
    pub id: GlyphId,
    /// Of the origin, from the line's left end, and above its baseline.
    pub x: f32,
    pub y: f32,
    /// The letters' size, as a part of that of the program's typeface.
    pub scale: f32,
}

/// A line of text, ready to be drawn in any size.
#[derive(Default)]
pub(super) struct Shaped {
    /// From left to right.
    pub glyphs: Vec<Glyph>,
    /// Width of the line, as a part of the letters' size.
    pub width: f32,
    /// What no font has, each once.
    pub left_out: Vec<String>,
}

/// A part of the text in one font.
struct Part {
    /// End in the text that is drawn.
    end: usize,
    face: Arc<Face>,
}

/// Chooses fonts, order and glyphs for a line.
pub(super) fn shape(text: &str, weight: Weight) -> Shaped {
    let mut shaped = Shaped::default();
    let Some(own) = fonts::inside(weight).first() else { return shaped };
    let (text, parts) = choose_fonts(text, weight, own, &mut shaped.left_out);
    let order = BidiInfo::new(&text, None);
    let Some(paragraph) = order.paragraphs.first() else { return shaped };
    let (levels, runs) = order.visual_runs(paragraph, paragraph.range.clone());
    for run in runs {
        let right_to_left = levels.get(run.start).is_some_and(|level| level.is_rtl());
        let mut pieces = pieces(&text, &parts, run);
        if right_to_left {
            pieces.reverse();
        }
        for (range, script, face) in pieces {
            let words = text.get(range).unwrap_or_default();
            face.contain(|| form(words, script, right_to_left, &face.font)).into_iter().flatten().for_each(|formed| {
                shaped.push(&formed, &face, own);
            });
        }
    }
    shaped
}

/// A word in one font, whatever others have, for tests of that font.
#[cfg(test)]
pub(super) fn shape_in(word: &str, face: &Arc<Face>, own: &Face) -> Shaped {
    let mut shaped = Shaped::default();
    let script = word.chars().next().map_or(Script::COMMON, |letter| harfrust::unicode::script(u32::from(letter)));
    let formed = face.contain(|| form(word, script, false, &face.font)).flatten();
    formed.iter().for_each(|formed| shaped.push(formed, face, own));
    shaped
}

impl Shaped {
    /// Puts glyphs behind those so far.
    fn push(&mut self, formed: &Buffer, face: &Arc<Face>, own: &Face) {
        let scale = face.shrink(own);
        let unit = scale / f32::from(face.font.units_per_em());
        for (info, place) in formed.glyph_infos().iter().zip(formed.glyph_positions()) {
            let id = GlyphId::new(info.glyph_id);
            // A mark that the font lacks, although it has the letter below: better none than a box.
            if id == GlyphId::NOTDEF {
                continue;
            }
            let (x, y) = (self.width + place.x_offset as f32 * unit, place.y_offset as f32 * unit);
            self.glyphs.push(Glyph { face: face.clone(), id, x, y, scale });
            self.width += place.x_advance as f32 * unit;
        }
    }
}

/// The text without what no font has, and which part is drawn with which font.
fn choose_fonts(text: &str, weight: Weight, own: &Arc<Face>, left_out: &mut Vec<String>) -> (String, Vec<Part>) {
    let all: String = text.graphemes(true).take(MOST_CLUSTERS).collect();
    let faces = fonts::faces(&all, weight);
    let (mut drawn, mut parts) = (String::with_capacity(all.len()), Vec::<Part>::new());
    for cluster in all.graphemes(true) {
        let cluster: String = cluster.chars().filter(|letter| !breaks_line(*letter)).take(MOST_OF_CLUSTER).collect();
        let is_plain = cluster.chars().all(|letter| is_invisible(letter) || letter == ' ');
        let face = match (parts.last(), fonts::face_for(&faces, &cluster)) {
            // Spaces, and marks of direction, go with the words beside them, whose font may tell how wide they are.
            (Some(before), Some(_) | None) if is_plain => Some(before.face.clone()),
            (_, Some(face)) => Some(face.clone()),
            (_, None) => is_plain.then(|| own.clone()),
        };
        match face {
            Some(face) => {
                drawn += &cluster;
                parts.push(Part { end: drawn.len(), face });
            }
            None if !left_out.contains(&cluster) => left_out.push(cluster),
            None => {}
        }
    }
    (drawn, parts)
}

/// Whether a letter ends a line or a paragraph, or is none at all.
fn breaks_line(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}')
}

/// Cuts a run of one direction where the font or the script changes.
fn pieces(text: &str, parts: &[Part], run: Range<usize>) -> Vec<(Range<usize>, Script, Arc<Face>)> {
    let mut pieces: Vec<(Range<usize>, Script, Arc<Face>)> = Vec::new();
    let mut part = parts.partition_point(|part| part.end <= run.start);
    for (n, letter) in text.get(run.clone()).unwrap_or_default().char_indices() {
        let at = run.start + n;
        while parts.get(part).is_some_and(|part| part.end <= at) {
            part += 1;
        }
        let Some(Part { face, .. }) = parts.get(part) else { break };
        let (script, end) = (harfrust::unicode::script(u32::from(letter)), at + letter.len_utf8());
        let is_any = |script: Script| matches!(&script.tag().to_be_bytes(), b"Zyyy" | b"Zinh" | b"Zzzz");
        match pieces.last_mut() {
            Some((range, before, in_face))
                if Arc::ptr_eq(in_face, face) && (*before == script || is_any(script) || is_any(*before)) =>
            {
                range.end = end;
                if is_any(*before) {
                    *before = script;
                }
            }
            _ => pieces.push((at..end, script, face.clone())),
        }
    }
    pieces
}

/// Glyphs for words of one script in one font, from left to right.
fn form(words: &str, script: Script, right_to_left: bool, font: &Font) -> Option<Buffer> {
    let mut buffer = Buffer::new();
    buffer.push_str(words);
    buffer.set_direction(if right_to_left { Direction::RightToLeft } else { Direction::LeftToRight });
    buffer.set_script(Some(script));
    buffer.set_flags(BufferFlags::REMOVE_DEFAULT_IGNORABLES | BufferFlags::DO_NOT_INSERT_DOTTED_CIRCLE);
    harfrust::shape(&ShaperFont::new(font), &mut buffer, ShapeOptions::new()).ok()?;
    Some(buffer)
}
