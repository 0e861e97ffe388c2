//! The fonts that text is drawn with: two weights of one typeface and two more scripts inside the program, and those of
//! the system for all other scripts.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use harfrust::Tag;
use harfrust::font::{Blob, Font, Source, TableFunction};

use super::Weight;
use super::contain::contain;
#[cfg(test)]
pub(super) use super::contain::contain as contained;

/// So many fonts of the system are kept: a home speaks a few scripts.
const MOST_FACES: usize = 24;

/// So many letters that no font has are remembered; then they are looked for again.
const MOST_UNKNOWN: usize = 4096;

/// A font whose tables are read when they are asked for: it gets a table's four letters and gives its bytes.
pub type ReadTable = Arc<dyn Fn(&[u8; 4]) -> Option<Vec<u8>> + Send + Sync>;

/// Lists the system's fonts, the most fitting first. It is asked when a text has a letter that no font so far has.
pub type ListFonts = fn() -> Vec<ReadTable>;

/// One font.
pub(super) struct Face {
    pub font: Font,
    /// Highest point of its line above the baseline and lowest below it, as parts of the letters' size (em).
    ascent: f32,
    descent: f32,
    /// It panicked: whatever its file says, nothing is drawn with it any more.
    broken: AtomicBool,
}

impl Face {
    pub fn new(source: impl Into<Source>) -> Option<Face> {
        let font = Font::new(source, 0)?;
        // The bounds of OpenType's `head` table: outside of them, letters would be of any size.
        if !(16..=16384).contains(&font.units_per_em()) || font.outline_glyphs().is_empty() {
            return None;
        }
        let line = font.metrics().h_line()?;
        let part = |length: f32| (length.abs() / f32::from(font.units_per_em())).clamp(0.1, 4.0);
        let (ascent, descent) = (part(line.ascender.to_f32()), part(line.descender.to_f32()));
        Some(Face { font, ascent, descent, broken: AtomicBool::new(false) })
    }

    /// Height of its line as a part of the letters' size.
    pub fn line(&self) -> f32 {
        self.ascent + self.descent
    }

    /// How much smaller its letters must be, so that a tall script keeps within a line of `own`, the program's typeface,
    /// with a margin for marks.
    pub fn shrink(&self, own: &Face) -> f32 {
        let (above, below) = (own.line() / self.ascent, 0.5 * own.line() / self.descent);
        above.min(below).clamp(0.6, 1.0)
    }

    /// Whether it can draw the letter, which is tried.
    fn has(&self, letter: char) -> bool {
        let draws = || {
            let glyph = self.font.charmap().map_unicode(letter)?;
            // Colour fonts have letters without outlines.
            let outline = || self.font.outline_glyphs().get(glyph)?.extents().ok();
            Some(letter.is_whitespace() || outline()?.width != 0.0)
        };
        self.contain(draws).flatten().unwrap_or(false)
    }

    pub fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// Does something with the font, after which it counts as broken if that panicked.
    pub fn contain<T>(&self, action: impl FnOnce() -> T) -> Option<T> {
        if self.is_broken() {
            return None;
        }
        let done = contain(action);
        if done.is_none() {
            self.broken.store(true, Ordering::Relaxed);
            log::warn!("a font of the system is broken; it is used no more");
        }
        done
    }
}

/// The program's typeface in this weight, and behind it those for the scripts that it lacks.
pub(super) fn inside(weight: Weight) -> &'static [Arc<Face>] {
    static MEDIUM: OnceLock<Vec<Arc<Face>>> = OnceLock::new();
    static LIGHT: OnceLock<Vec<Arc<Face>>> = OnceLock::new();
    const OTHER_SCRIPTS: [&[u8]; 2] = [
        include_bytes!("../fonts/NotoSansArmenian-Regular.ttf"),
        include_bytes!("../fonts/NotoSansGeorgian-Regular.ttf"),
    ];
    let (cell, own): (_, &'static [u8]) = match weight {
        Weight::Medium => (&MEDIUM, include_bytes!("../fonts/Inter-Medium.otf")),
        Weight::Light => (&LIGHT, include_bytes!("../fonts/InterDisplay-Light.otf")),
    };
    cell.get_or_init(|| {
        let all = std::iter::once(own).chain(OTHER_SCRIPTS);
        all.filter_map(|bytes: &'static [u8]| Face::new(bytes).map(Arc::new)).collect()
    })
}

/// The system's fonts, as far as they were needed.
#[derive(Default)]
struct Outside {
    list: Option<ListFonts>,
    faces: Vec<Arc<Face>>,
    /// Letters that no font has.
    unknown: HashSet<char>,
}

fn outside() -> std::sync::MutexGuard<'static, Outside> {
    static OUTSIDE: OnceLock<Mutex<Outside>> = OnceLock::new();
    OUTSIDE.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on, letters that the program's own fonts lack are looked for in these.
pub fn use_fonts(list: ListFonts) {
    outside().list = Some(list);
}

/// All fonts that are wanted for `text`, in the order in which they are asked for a letter.
pub(super) fn faces(text: &str, weight: Weight) -> Vec<Arc<Face>> {
    let mut faces = inside(weight).to_vec();
    let lacks = |faces: &[Arc<Face>], letter: char| !faces.iter().any(|face| face.has(letter));
    let missing: HashSet<char> =
        text.chars().filter(|letter| !is_invisible(*letter) && lacks(&faces, *letter)).collect();
    if !missing.is_empty() {
        let mut outside = outside();
        outside.find(missing);
        faces.extend(outside.faces.iter().filter(|face| !face.is_broken()).cloned());
    }
    faces
}

impl Outside {
    /// Takes in fonts that have the letters that those so far lack.
    fn find(&mut self, mut missing: HashSet<char>) {
        missing.retain(|letter| !self.unknown.contains(letter) && !self.faces.iter().any(|face| face.has(*letter)));
        let Some(list) = self.list.filter(|_| !missing.is_empty()) else { return };
        for read in list() {
            if missing.is_empty() || self.faces.len() >= MOST_FACES {
                break;
            }
            let table = move |tag: Tag| read(&tag.to_be_bytes()).map(Blob::from);
            let face = contain(|| {
                let face = Face::new(TableFunction::new(Arc::new(table)))?;
                let had = missing.len();
                missing.retain(|letter| !face.has(*letter));
                (missing.len() < had).then_some(face)
            });
            self.faces.extend(face.flatten().map(Arc::new));
        }
        if self.unknown.len() + missing.len() > MOST_UNKNOWN {
            self.unknown.clear();
        }
        self.unknown.extend(missing);
    }
}

/// The font for the letters of one cluster, all of which a reader sees as one; `None` if none has its first.
pub(super) fn face_for<'a>(faces: &'a [Arc<Face>], cluster: &str) -> Option<&'a Arc<Face>> {
    let mut letters = cluster.chars().filter(|letter| !is_invisible(*letter));
    let first = letters.next()?;
    let having = |letter: char| move |face: &&Arc<Face>| face.has(letter);
    let all = |face: &&Arc<Face>| cluster.chars().all(|letter| is_invisible(letter) || face.has(letter));
    faces.iter().find(all).or_else(|| faces.iter().find(having(first)))
}

/// Whether a letter only says how others are to be drawn, so that it needs no glyph (Default_Ignorable_Code_Point).
pub fn is_invisible(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}
