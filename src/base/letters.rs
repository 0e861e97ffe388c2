//! How much of a line a text takes, without a font: for sentences that are to fit their place on the TV.

use crate::isolate::is_direction;

/// Letters of a notice that the TV never cuts: two lines, also beside a code.
pub const NOTICE_LETTERS: usize = 112;

/// How many Latin letters take as much room. A Chinese one is as wide as two; what only says a direction takes none.
pub fn letters(text: &str) -> usize {
    text.chars().map(width).sum()
}

/// `text` in at most `most` letters, the last of which is an ellipsis if any is left out.
pub fn clipped(text: &str, most: usize) -> String {
    if letters(text) <= most {
        return text.to_owned();
    }
    let mut room = most.saturating_sub(1);
    let fits = |letter: &char| {
        let rest = room.checked_sub(width(*letter));
        room = rest.unwrap_or_default();
        rest.is_some()
    };
    let short: String = text.chars().take_while(fits).collect();
    format!("{}…", short.trim_end())
}

/// Wide ones are those of East Asia, their punctuation, and emoji (UAX #11, in whole blocks).
fn width(letter: char) -> usize {
    match letter {
        _ if is_direction(letter) => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_letters_count_twice_and_marks_of_direction_not_at_all() {
        assert_eq!(letters("Zoë’s 7"), 7);
        assert_eq!(letters("密钥，3"), 7);
        assert_eq!(letters("\u{2068}محمد\u{2069}"), 4);
    }

    #[test]
    fn what_is_too_long_ends_with_an_ellipsis_in_its_room() {
        assert_eq!(clipped("six letters", 11), "six letters");
        assert_eq!(clipped("six letters", 5), "six…");
        assert_eq!(clipped("密钥已损坏", 10), "密钥已损坏");
        assert_eq!(clipped("密钥已损坏", 8), "密钥已…");
        assert_eq!(clipped("密a", 2), "…");
        assert_eq!(clipped("密a", 0), "…");
    }
}
