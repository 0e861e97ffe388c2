//! Small text files as people's computers write them: any of the usual encodings, line ends, quotes and invisible letters.

use intercom_core::tv::mistake::Fault;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Bytes of the largest file that is read; such a file has a few lines.
pub const LARGEST: usize = 64 * 1024;

/// Why a file has no lines to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoText {
    /// It has more than [`LARGEST`] bytes.
    TooLarge,
    /// A word processor's or browser's format.
    Formatted,
    /// Not text at all.
    Binary,
}

impl NoText {
    /// What is wrong and what to do.
    pub fn fault(self) -> Fault {
        match self {
            NoText::TooLarge => Fault::FileTooLarge,
            NoText::Formatted => Fault::FileFormatted,
            NoText::Binary => Fault::FileBinary,
        }
    }
}

/// The lines of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlainText {
    /// Each line that has something on it, without the space around it, with its number from 1.
    pub lines: Vec<(usize, String)>,
    /// The bytes were not Unicode. They were read as Windows-1252, which is a guess.
    pub guessed: bool,
}

/// Reads UTF-8 and UTF-16, each with or without a byte order mark, else Windows-1252.
///
/// # Errors
/// If these are no lines of text.
pub fn read(bytes: &[u8]) -> Result<PlainText, NoText> {
    if bytes.len() > LARGEST {
        return Err(NoText::TooLarge);
    }
    let (text, guessed) = decode(bytes).ok_or(NoText::Binary)?;
    let text = text.trim_end_matches(is_blank).trim_start_matches('\u{feff}');
    let odd = text.chars().filter(|c| c.is_control() && !is_blank(*c) && !is_line_end(*c)).count();
    if odd * 20 > text.chars().count() {
        return Err(NoText::Binary);
    }
    let beginning: String = text.trim_start().chars().take(9).collect::<String>().to_ascii_lowercase();
    if ["{\\rtf", "<!doctype", "<html", "<?xml"].iter().any(|format| beginning.starts_with(format)) {
        return Err(NoText::Formatted);
    }
    let text = text.replace("\r\n", "\n");
    let lines = text.split(is_line_end).enumerate().map(|(at, line)| (at + 1, trim(line).to_owned()));
    Ok(PlainText { lines: lines.filter(|(_, line)| !line.is_empty()).collect(), guessed })
}

/// The text, and whether its encoding was guessed; `None` if there is none.
fn decode(bytes: &[u8]) -> Option<(String, bool)> {
    if let Some(rest) = bytes.strip_prefix(b"\xff\xfe") {
        return Some((utf16(rest, u16::from_le_bytes), false));
    }
    if let Some(rest) = bytes.strip_prefix(b"\xfe\xff") {
        return Some((utf16(rest, u16::from_be_bytes), false));
    }
    // A stick that was pulled out too early can leave zeros behind the text.
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let (whole, bytes) = (bytes, &bytes[..end]);
    let zeros = |parity| bytes.iter().skip(parity).step_by(2).filter(|byte| **byte == 0).count();
    let is_half = |zeros: usize| zeros * 16 >= bytes.len();
    match (zeros(0), zeros(1)) {
        (0, 0) => Some(match std::str::from_utf8(bytes) {
            Ok(text) => (text.to_owned(), false),
            Err(_) => (bytes.iter().map(|byte| windows_1252(*byte)).collect(), true),
        }),
        (0, zeros) if is_half(zeros) => Some((utf16(whole, u16::from_le_bytes), false)),
        (zeros, 0) if is_half(zeros) => Some((utf16(whole, u16::from_be_bytes), false)),
        _ => None,
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.as_chunks::<2>().0.iter().map(|pair| unit(*pair));
    char::decode_utf16(units).map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// As the WHATWG's Encoding Standard has it.
fn windows_1252(byte: u8) -> char {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘',
        '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    byte.checked_sub(0x80).and_then(|at| HIGH.get(usize::from(at))).copied().unwrap_or(char::from(byte))
}

fn is_line_end(letter: char) -> bool {
    matches!(letter, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Space of any kind, what has no width, and what a disk or an old program leaves at the end of a text.
fn is_blank(letter: char) -> bool {
    letter.is_whitespace()
        || matches!(letter, '\0' | '\u{1a}' | '\u{ad}' | '\u{200b}'..='\u{200f}')
        || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Without blank letters around it.
pub fn trim(text: &str) -> &str {
    text.trim_matches(is_blank)
}

/// Whether a line is a remark of somebody's.
pub fn is_comment(line: &str) -> bool {
    ["#", "＃", ";", "//"].iter().any(|mark| line.starts_with(mark))
}

/// What stands between quotes of one kind, typographic or not, and whether there were any. Text that only begins or only
/// ends with one stays as it is: the quote may belong to a password.
pub fn unquote(text: &str) -> (&str, bool) {
    let Some(kind) = text.chars().next().and_then(quote_kind) else { return (text, false) };
    let inside = text.strip_prefix(|c| quote_kind(c) == Some(kind));
    if let Some(inside) = inside.and_then(|rest| rest.strip_suffix(|c| quote_kind(c) == Some(kind))) {
        return (inside, true);
    }
    // A remark behind the closing quote.
    let closing = text.char_indices().skip(1).find(|(_, c)| quote_kind(*c) == Some(kind));
    let Some((at, quote)) = closing else { return (text, false) };
    let (inside, behind) = (&text[..at], &text[at + quote.len_utf8()..]);
    let is_remark = behind.starts_with(is_blank) && is_comment(trim(behind));
    match inside.strip_prefix(|c| quote_kind(c) == Some(kind)) {
        Some(inside) if is_remark => (inside, true),
        _ => (text, false),
    }
}

/// Double, single and angular quotes: phones and word processors put any of a kind for another.
fn quote_kind(letter: char) -> Option<u8> {
    match letter {
        '"' | '“' | '”' | '„' | '‟' | '＂' => Some(0),
        '\'' | '‘' | '’' | '‚' | '‛' => Some(1),
        '«' | '»' => Some(2),
        '‹' | '›' => Some(3),
        _ => None,
    }
}

/// For comparing words: small letters without accents.
pub fn fold(text: &str) -> String {
    text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).collect::<String>().replace('ß', "ss")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<(usize, String)> {
        read(bytes).unwrap().lines
    }

    fn said(of: &[(usize, &str)]) -> Vec<(usize, String)> {
        of.iter().map(|(line, text)| (*line, (*text).to_owned())).collect()
    }

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn every_usual_encoding_says_the_same() {
        let text = "a = Käse 🦊\r\n\r\nb = 2\r\n";
        let expected = said(&[(1, "a = Käse 🦊"), (3, "b = 2")]);
        let marked = format!("\u{feff}{text}");
        for bytes in [
            text.as_bytes().to_vec(),
            marked.clone().into_bytes(),
            utf16(text, u16::to_le_bytes),
            utf16(text, u16::to_be_bytes),
            utf16(&marked, u16::to_le_bytes),
            utf16(&marked, u16::to_be_bytes),
        ] {
            assert_eq!(lines(&bytes), expected, "{bytes:x?}");
            assert_eq!(lines(&[bytes, vec![0; 512]].concat()), expected, "with zeros behind it");
        }
        let old = read(b"a = K\xe4se \x80\n").unwrap();
        assert_eq!((old.lines, old.guessed), (said(&[(1, "a = Käse €")]), true));
    }

    #[test]
    fn every_line_end_and_blank_letter() {
        assert_eq!(lines(b"a\rb\r\rc\x1a"), said(&[(1, "a"), (2, "b"), (4, "c")]));
        assert_eq!(lines("a\u{2028}\u{a0}\tb\u{200b} \n\u{3000}\n".as_bytes()), said(&[(1, "a"), (2, "b")]));
        assert_eq!(lines(b""), []);
        assert_eq!(lines(&[0; 4096]), [], "an empty cluster");
    }

    #[test]
    fn what_is_no_plain_text_is_answered() {
        assert_eq!(read(&vec![b'a'; LARGEST + 1]), Err(NoText::TooLarge));
        assert_eq!(read(b"{\\rtf1\\ansi network = Home}"), Err(NoText::Formatted));
        assert_eq!(read(b"<!DOCTYPE html>"), Err(NoText::Formatted));
        assert_eq!(read(b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0\xdf"), Err(NoText::Binary));
        assert_eq!(read(&[1, 2, 3, 4, 5]), Err(NoText::Binary));
    }

    #[test]
    fn quotes_go_in_pairs_of_a_kind() {
        for text in ["\"a b\"", "“a b”", "„a b“", "„a b\"", "'a b'", "‘a b’", "‚a b‘", "«a b»", "»a b«", "\"a b\" # c"]
        {
            assert_eq!(unquote(text), ("a b", true), "{text}");
        }
        for text in ["a\"b", "\"ab", "ab”", "\"ab'", "\"", "\"a\"b", "\"a\"#b", "", "a \"b\" # c"] {
            assert_eq!(unquote(text), (text, false), "{text}");
        }
        assert_eq!(unquote("\"a\"b\""), ("a\"b", true));
        assert_eq!(unquote("\"\""), ("", true));
        assert_eq!(fold("ÖSTERREICH Straße Łódź"), "osterreich strasse łodz");
    }
}
