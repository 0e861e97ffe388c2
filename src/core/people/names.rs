//! Names of viewers, as home calls them: what is a name, and what only looks like one.

use intercom_base::isolate::is_direction;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Longest name, in characters.
pub const LONGEST: usize = 40;

/// The name in `text`, composed (NFC), without space and marks of direction around it: phones copy such marks with a name.
///
/// # Errors
/// In words, if it is empty, too long, or has characters that nobody can see.
pub fn tidy(text: &str) -> Result<String, String> {
    // A name comes from a command line or a file; there is no reason to look at more than could be one.
    let text: String = text.chars().take(LONGEST_INPUT).filter(|letter| !is_nothing(*letter)).collect();
    let text = text.trim_matches(|letter: char| letter.is_whitespace() || is_direction(letter));
    let name: String = text.nfc().take(LONGEST + 1).collect();
    if !name.chars().any(is_seen) {
        return Err("a name has at least one letter".to_owned());
    }
    if name.chars().count() > LONGEST {
        return Err(format!("a name has at most {LONGEST} letters"));
    }
    let mut before = None;
    for letter in name.chars() {
        if letter.is_control() || is_format(letter) || (is_joiner(letter) && !before.is_some_and(takes_joiner)) {
            return Err("a name has no line ends or invisible characters".to_owned());
        }
        before = Some(letter);
    }
    Ok(name)
}

/// Whether nobody sees anything of `text`.
pub fn is_blank(text: &str) -> bool {
    !text.chars().any(is_seen)
}

/// More than this of a text is not looked at, in characters: several times the longest name.
const LONGEST_INPUT: usize = 16 * LONGEST;

/// Whether a reader sees the letter by itself.
fn is_seen(letter: char) -> bool {
    let is_blank = letter.is_whitespace()
        || letter.is_control()
        || matches!(letter, '\u{115f}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}');
    !(is_blank
        || is_nothing(letter)
        || is_format(letter)
        || is_joiner(letter)
        || is_selector(letter)
        || is_combining_mark(letter))
}

/// What changes how the text around it is read, and nobody sees: marks of direction, spaces of no width, byte order marks.
fn is_format(letter: char) -> bool {
    is_direction(letter)
        || matches!(letter, '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// What says nothing in a name and is left out of it: places for a hyphen, the Arabic mark of direction, notes between
/// lines, tags of languages. Names that are stored may have some.
fn is_nothing(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e001f}')
}

/// What keeps two letters apart or joins them. Persian and Indian names have it, and emoji of several parts.
fn is_joiner(letter: char) -> bool {
    matches!(letter, '\u{200c}' | '\u{200d}')
}

/// Whether a joiner changes anything behind this letter: letters of Europe never join.
fn takes_joiner(letter: char) -> bool {
    u32::from(letter) >= 0x590 && !is_joiner(letter)
}

/// What chooses one of several looks of the letter before it.
fn is_selector(letter: char) -> bool {
    matches!(letter, '\u{180b}'..='\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0020}'..='\u{e007f}' | '\u{e0100}'..='\u{e01ef}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_composed() {
        assert_eq!(tidy(" Ju\u{308}rgen ").unwrap(), "Jürgen");
        assert_eq!(tidy("Бабушка").unwrap(), "Бабушка");
        assert!(tidy(&"x".repeat(LONGEST)).is_ok());
    }

    #[test]
    fn names_of_all_scripts_are_names() {
        for name in [
            "王小明",
            "محمد",
            "علی\u{200c}رضا",
            "अनिता",
            "ශ\u{dca}\u{200d}රී",
            "สมชาย",
            "김민준",
            "Zoë 🦊",
            "👩\u{200d}👧",
            "❤\u{fe0f}",
        ] {
            assert_eq!(tidy(name).unwrap(), name);
        }
        assert_eq!(tidy("\u{ad} Anna").unwrap(), "Anna");
        assert_eq!(tidy("An\u{ad}na م\u{61c}ح").unwrap(), "Anna مح");
        // As a phone copies it from its list of contacts.
        assert_eq!(tidy("\u{202b}محمد\u{202c}\u{200e}").unwrap(), "محمد");
    }

    #[test]
    fn what_is_no_name_is_told_in_words() {
        for (text, why) in [
            ("", "at least one"),
            (" \t", "at least one"),
            ("\u{200b}\u{200d}", "at least one"),
            ("\u{3164}\u{2800}", "at least one"),
            ("\u{301}\u{fe0f}", "at least one"),
            ("\u{202e}\u{202c}", "at least one"),
            ("a\nb", "line ends"),
            ("a\u{202e}b", "invisible"),
            ("An\u{200d}na", "invisible"),
            ("م\u{200c}\u{200c}ح", "invisible"),
            (&"x".repeat(LONGEST + 1), "at most 40"),
            (&"x".repeat(1_000_000), "at most 40"),
        ] {
            assert!(tidy(text).unwrap_err().contains(why), "{text:?}: {why}");
        }
    }
}
