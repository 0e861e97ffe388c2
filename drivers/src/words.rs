//! Texts of devices and cameras as they may stand in an error, a log and on the TV.

/// Letters of a text from outside that are shown.
const SHOWN: usize = 100;

/// A text from outside as it is safe in a log and on the TV: short, and plain ASCII. Other scripts have letters that move or hide what
/// stands beside them.
pub fn shown(text: &str) -> String {
    let plain = |c: char| if matches!(c, ' '..='~') { c } else { '.' };
    let mut short: String = text.chars().take(SHOWN).map(plain).collect();
    if text.chars().nth(SHOWN).is_some() {
        short.truncate(SHOWN - 3);
        short.push_str("...");
    }
    short
}

/// What is wrong with a frame, without what changes from frame to frame: a device's error must stay the same while its cause does.
/// Each word with a digit in it becomes "...".
pub fn without_numbers(why: &str) -> String {
    let steady = |word: &str| match word.bytes().any(|byte| byte.is_ascii_digit()) {
        true => "...".to_owned(),
        false => word.to_owned(),
    };
    let words: Vec<_> = why.split(' ').map(steady).collect();
    words.join(" ")
}
