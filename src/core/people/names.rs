//! Names of viewers, as home calls them: what is a name, and what only looks like one.

use unicode_normalization::UnicodeNormalization;

/// Longest name, in characters.
pub const LONGEST: usize = 40;

/// The name in `text`, composed (NFC) so that a typeface without combining marks can draw it, without space around it.
///
/// # Errors
/// In words, if it is empty, too long, or has characters that nobody can see.
pub fn tidy(text: &str) -> Result<String, String> {
    // A name comes from a command line or a file; there is no reason to look at more than could be one.
    let name: String = text.trim().nfc().take(LONGEST + 1).collect();
    if name.is_empty() {
        return Err("a name has at least one letter".to_owned());
    }
    if name.chars().count() > LONGEST {
        return Err(format!("a name has at most {LONGEST} letters"));
    }
    if name.chars().any(|letter| letter.is_control() || is_format(letter)) {
        return Err("a name has no line ends or invisible characters".to_owned());
    }
    Ok(name)
}

/// What changes how the text around it is read: marks of direction, joiners, byte order marks.
fn is_format(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
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
    fn what_is_no_name_is_told_in_words() {
        for (text, why) in [
            ("", "at least one"),
            (" \t", "at least one"),
            ("a\nb", "line ends"),
            ("a\u{202e}b", "invisible"),
            (&"x".repeat(LONGEST + 1), "at most 40"),
            (&"x".repeat(1_000_000), "at most 40"),
        ] {
            assert!(tidy(text).unwrap_err().contains(why), "{why}");
        }
    }
}
