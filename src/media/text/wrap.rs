//! Breaks a text into lines: between words, and in scripts that have no spaces between their letters.

use unicode_segmentation::UnicodeSegmentation;

use super::{Weight, width};

/// A text has at most so many parts between which a line may end.
const MOST_PARTS: usize = 400;

/// The text in lines of at most `room` pixels; `most` lines, the last of which has all the rest.
pub fn wrapped(text: &str, weight: Weight, size: f32, room: f32, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts(text).into_iter().take(MOST_PARTS) {
        let full = lines.len() >= most;
        let longer = lines.last().map(|line| format!("{line}{part}"));
        match (lines.last_mut(), longer) {
            (Some(line), Some(longer)) if full || width(&longer, weight, size) <= room => *line = longer,
            _ => lines.push(part.trim_start().to_owned()),
        }
    }
    lines
}

/// What a line must not break, each with one space before it if it had any. A part whose direction is its own, such as a name, stays
/// whole: its second half would turn round the line that it begins.
fn parts(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut outer = 0;
    let ends = |letter: char| {
        outer = depth(outer, letter);
        outer == 0 && is_space(letter)
    };
    let mut inner = 0;
    for word in text.split(ends).filter(|word| !word.is_empty()) {
        let mut before = if parts.is_empty() { None } else { Some(' ') };
        let mut joins = false;
        for cluster in word.graphemes(true) {
            let letter = cluster.chars().next().unwrap_or_default();
            match parts.last_mut() {
                Some(part) if before.is_none() && (joins || !stands_alone(letter, part)) => *part += cluster,
                _ => parts.push(before.into_iter().chain(cluster.chars()).collect()),
            }
            before = None;
            inner = depth(inner, letter);
            joins = opens(letter) || inner > 0;
        }
    }
    parts
}

/// How many parts with a direction of their own are open behind this letter (UAX #9).
fn depth(before: usize, letter: char) -> usize {
    match letter {
        '\u{2066}'..='\u{2068}' => before + 1,
        '\u{2069}' => before.saturating_sub(1),
        _ => before,
    }
}

/// Whether a line may end before this letter, and it does not belong to the part before it.
fn stands_alone(letter: char, part: &str) -> bool {
    let before = part.chars().next_back().unwrap_or_default();
    !closes(letter) && (is_ideograph(letter) || is_ideograph(before) || closes(before) && is_wide(before))
}

/// A space that may become the end of a line, unlike those that hold two words together.
fn is_space(letter: char) -> bool {
    letter.is_whitespace() && !matches!(letter, '\u{a0}' | '\u{2007}' | '\u{202f}')
}

/// Letters of which each may begin a line: those of Chinese, and the syllables of Japanese.
fn is_ideograph(letter: char) -> bool {
    matches!(letter, '\u{2e80}'..='\u{2fdf}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}')
}

/// Marks as wide as those letters, with their space inside.
fn is_wide(letter: char) -> bool {
    matches!(letter, '\u{3000}'..='\u{303f}' | '\u{ff00}'..='\u{ffef}')
}

/// Marks that no line begins with.
fn closes(letter: char) -> bool {
    "，。、；：？！）》」』】…”’%".contains(letter)
}

/// Marks that no line ends with.
fn opens(letter: char) -> bool {
    "（《「『【“‘".contains(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_broken_between_words_and_none_is_lost() {
        let text = "one two three four five six seven eight";
        let lines = wrapped(text, Weight::Medium, 40.0, 300.0, 3);
        assert_eq!((lines.len(), lines.join(" ")), (3, text.to_owned()));
        assert!(lines[..2].iter().all(|line| width(line, Weight::Medium, 40.0) <= 300.0), "{lines:?}");
        assert_eq!(wrapped("one", Weight::Medium, 40.0, 1.0, 3), ["one"]);
        assert_eq!(wrapped(" one \n two  three ", Weight::Medium, 40.0, 1000.0, 3), ["one two three"]);
    }

    #[test]
    fn chinese_is_broken_between_letters_and_no_line_begins_with_a_comma() {
        assert_eq!(parts("磁盘已满：新手机").join("|"), "磁|盘|已|满：|新|手|机");
        assert_eq!(parts("按（F9 键）打开，12 次").join("|"), "按|（F9| 键）|打|开，|12| 次");
        assert_eq!(parts("请（重启）吧").join("|"), "请|（重|启）|吧");
        assert_eq!(parts("Wi-Fi网络").join("|"), "Wi-Fi|网|络");
    }

    #[test]
    fn a_name_with_a_direction_of_its_own_stays_on_one_line() {
        assert_eq!(parts("to \u{2068}محمد بن\u{2069} was lost").join("|"), "to| \u{2068}محمد بن\u{2069}| was| lost");
        assert_eq!(parts("与\u{2068}李 小龙\u{2069}的连接").join("|"), "与|\u{2068}李 小龙\u{2069}|的|连|接");
        assert_eq!(parts("\u{2069}a b").join("|"), "\u{2069}a| b");
    }

    #[test]
    fn words_of_other_scripts_stay_whole() {
        assert_eq!(parts("Le disque est plein\u{a0}: oui").join("|"), "Le| disque| est| plein\u{a0}:| oui");
        assert_eq!(parts("डिस्क भर गई है").join("|"), "डिस्क| भर| गई| है");
        assert_eq!(parts("it’s “so”").join("|"), "it’s| “so”");
    }
}
