//! Names inside sentences: a name keeps its own direction, and the sentence around it the order of its words.

use std::borrow::Cow;

/// Begins a part whose direction is its own, by its first letter, and ends it (UAX #9: FSI, PDI).
const BEGIN: char = '\u{2068}';
const END: char = '\u{2069}';

/// The name, so marked that it can be put into a sentence of any direction. Plain Latin needs no marks.
pub fn isolated(name: &str) -> Cow<'_, str> {
    if name.is_ascii() {
        return Cow::Borrowed(name);
    }
    // Marks of its own could end the part early.
    let inner: String = name.chars().filter(|letter| !is_direction(*letter)).collect();
    Cow::Owned(format!("{BEGIN}{inner}{END}"))
}

/// Whether the letter only says which way the text around it runs.
pub fn is_direction(letter: char) -> bool {
    matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_marked_once_and_brings_no_marks_of_its_own() {
        assert_eq!(isolated("Anna"), "Anna");
        assert_eq!(isolated("محمد"), "\u{2068}محمد\u{2069}");
        assert_eq!(isolated("\u{202e}\u{2069}Zoë\u{200f}"), "\u{2068}Zoë\u{2069}");
    }
}
