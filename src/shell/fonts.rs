//! The system's fonts, for names and languages in scripts that the program's own fonts lack. Files are looked for when a text first needs
//! one, and a table of a font is read when a letter needs it.

use std::cmp::Reverse;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use intercom_base::language::{Language, Sentences};
use intercom_media::text::{self, ReadTable};

use crate::shell::pulse;

/// Where systems keep fonts.
const FOLDER: &str = "/usr/share/fonts";

/// So many files of it are looked at, so deep below it.
const MOST_FILES: usize = 4000;
const DEEPEST: usize = 6;

/// A table of a font is not larger, in bytes. The outlines of a large Chinese font have 20 MB.
const LARGEST_TABLE: u32 = 48 << 20;

/// Tables of a font; the format has about fifty.
const MOST_TABLES: u16 = 256;

/// From now on text is drawn with the system's fonts, too.
pub fn use_system_fonts() {
    text::use_fonts(|| list(Path::new(FOLDER)));
}

/// What of a name no font here has: a sentence that says so and what helps, or `None`. `whose` is e.g. "person 3".
pub fn complaint(whose: &str, name: &str) -> Option<String> {
    use_system_fonts();
    let left_out = text::undrawable(name);
    let letters: Vec<String> = left_out.iter().map(|letter| format!("\"{letter}\"")).collect();
    let instead = if text::is_blank(name) { "it shows no name" } else { "it shows the rest of the name" };
    (!letters.is_empty()).then(|| {
        format!(
            "{whose}: \"{name}\": no font of this machine has {}, so the TV leaves that out; {instead}. Another spelling \
             helps, or a font in {FOLDER}, for example of the package fonts-noto-core or fonts-wqy-microhei",
            letters.join(", ")
        )
    })
}

/// What the TV says in this language or, if no font here can draw it, in English. Then the log has it, too.
pub fn sentences(language: Language) -> &'static Sentences {
    sentences_or_english(language, missing_language(language))
}

fn sentences_or_english(language: Language, complaint: Option<String>) -> &'static Sentences {
    let Some(complaint) = complaint else { return language.sentences() };
    log::warn!("{complaint}");
    Language::English.sentences()
}

/// A sentence that says that no font here can draw the language, and what helps, or `None`.
pub fn missing_language(language: Language) -> Option<String> {
    use_system_fonts();
    complain_of(language, &|text| text::undrawable(text).is_empty())
}

fn complain_of(language: Language, can_draw: &dyn Fn(&str) -> bool) -> Option<String> {
    let Sentences { weekdays, months, .. } = language.sentences();
    let sentences = language.sentences().all();
    let mut texts = sentences.iter().map(|(_, sentence)| sentence).chain(weekdays).chain(months);
    // The program's own fonts have the others.
    let (name, package) = match language {
        Language::Hindi => ("Hindi", "fonts-noto-core or fonts-lohit-deva"),
        Language::Chinese => ("Chinese", "fonts-wqy-microhei or fonts-noto-cjk"),
        Language::English | Language::German | Language::Spanish | Language::French => return None,
    };
    (!texts.all(|text| can_draw(text))).then(|| {
        format!(
            "The TV's language \"{}\": no font of this machine has all letters of {name}, so the TV speaks English. A font in {FOLDER} \
             helps, for example of the package {package}",
            language.code()
        )
    })
}

/// All fonts below a folder, those that fit to ours first.
fn list(folder: &Path) -> Vec<ReadTable> {
    let mut files = Vec::new();
    collect(folder, DEEPEST, &mut files);
    files.sort_by_cached_key(|path| (rank(path), Reverse(path.components().count()), path.clone()));
    files.into_iter().map(|path| Arc::new(move |name: &[u8; 4]| table(&path, name)) as ReadTable).collect()
}

/// Finds the files of fonts in a folder and below.
fn collect(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    pulse::beat(Duration::ZERO);
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut entries: Vec<PathBuf> = entries.flatten().take(MOST_FILES).map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        // What a link leads to counts. A pipe would hold us up.
        let Ok(kind) = std::fs::metadata(&path).map(|known| known.file_type()) else { continue };
        let is_font = path
            .extension()
            .is_some_and(|ending| ["ttf", "otf", "ttc", "otc"].iter().any(|known| ending.eq_ignore_ascii_case(known)));
        if files.len() >= MOST_FILES {
            return;
        }
        if kind.is_file() && is_font {
            files.push(path);
        } else if kind.is_dir() && depth > 0 {
            collect(&path, depth - 1, files);
        }
    }
}

/// How little a font fits beside ours, which is upright, of medium weight and without serifs; by its file's name.
fn rank(path: &Path) -> usize {
    const OTHER_STYLES: [&str; 14] = [
        "bold",
        "black",
        "heavy",
        "thin",
        "light",
        "italic",
        "oblique",
        "slanted",
        "condensed",
        "narrow",
        "mono",
        "serif",
        "nastaliq",
        "quran",
    ];
    let name = path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    let styles = OTHER_STYLES.iter().filter(|style| name.contains(**style)).count();
    let family = match () {
        // Their letters are boxes, or made of squares.
        () if ["lastresort", "blank", "unifont"].iter().any(|odd| name.contains(odd)) => 1000,
        () if name.starts_with("notosans") => 0,
        () if name.contains("sans") => 1,
        () => 2,
    };
    family + 10 * styles
}

/// A table of the first font in a file; `None` if it has none of this name, or the file is no font.
fn table(path: &Path, name: &[u8; 4]) -> Option<Vec<u8>> {
    // Thousands of files on a slow disk take a while, and whoever draws is not stuck meanwhile.
    pulse::beat(Duration::ZERO);
    let file = File::open(path).ok()?;
    let read = |at: u64, length: usize| {
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, at).ok().map(|()| bytes)
    };
    let number =
        |bytes: &[u8], at: usize| bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map(u32::from_be_bytes);
    // Offset table and directory: https://learn.microsoft.com/typography/opentype/spec/otff
    let head = read(0, 16)?;
    let start = if head.starts_with(b"ttcf") { u64::from(number(&head, 12)?) } else { 0 };
    let head = read(start, 12)?;
    let count = head.get(4..6).and_then(|two| two.try_into().ok()).map(u16::from_be_bytes)?;
    let directory = read(start + 12, usize::from(count.min(MOST_TABLES)) * 16)?;
    let entry = directory.chunks_exact(16).find(|entry| entry.starts_with(name))?;
    let (at, length) = (number(entry, 8)?, number(entry, 12)?);
    let there = file.metadata().ok()?.len();
    if length > LARGEST_TABLE || u64::from(at) + u64::from(length) > there {
        return None;
    }
    read(u64::from(at), length as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_that_no_font_has_is_told_with_the_package_that_has_it() {
        let told = |language: Language| complain_of(language, &|text| text.is_ascii()).unwrap_or_default();
        let hindi = told(Language::Hindi);
        assert!(hindi.starts_with("The TV's language \"hi\": no font") && hindi.contains("fonts-noto-core"), "{hindi}");
        assert!(told(Language::Chinese).contains("fonts-wqy-microhei"));
        assert_eq!(told(Language::French), "", "the program itself has its letters");
        // One letter is enough, also in the name of a month.
        let lacks = |word: &'static str| complain_of(Language::Hindi, &move |text| text != word);
        let Sentences { weekdays, months, .. } = Language::Hindi.sentences();
        assert!([weekdays[6], months[11], Language::Hindi.sentences().reset].iter().all(|word| lacks(word).is_some()));
        assert_eq!(complain_of(Language::Hindi, &|_| true), None);
        let spoken = |complaint: Option<String>| sentences_or_english(Language::Hindi, complaint);
        assert_eq!(spoken(None), Language::Hindi.sentences());
        assert_eq!(spoken(Some(hindi)), Language::English.sentences());
    }
}
