//! What is pasted into `wifi.txt` as a whole: the text of a Wi-Fi's QR code, and a block of wpa_supplicant's.

use super::words::Key;
use crate::config::plain_text::trim;

/// The fields of a QR code's text such as `WIFI:S:Our home;T:WPA;P:our password;;`; `None` if the line is none.
pub(super) fn qr_fields(line: &str) -> Option<Vec<(Key, String)>> {
    let (mark, rest) = line.split_once(':')?;
    let fields = split_escaped(rest);
    let named: Vec<(Key, String)> = fields.iter().filter_map(|field| qr_field(field)).collect();
    let is_code = mark.trim().eq_ignore_ascii_case("wifi")
        && fields.len() > 1
        && fields.iter().all(|field| field.chars().nth(1) == Some(':'))
        && named.iter().any(|(key, _)| *key == Key::Network);
    is_code.then_some(named)
}

/// Whether a line begins as such a text, and is none: its fields are no names.
pub(super) fn is_broken_code(line: &str) -> bool {
    let fields = line.split_once(':').filter(|(mark, _)| mark.trim().eq_ignore_ascii_case("wifi"));
    fields.is_some_and(|(_, rest)| {
        let begins = ["S:", "T:", "P:", "H:"].iter().any(|field| trim(rest).to_ascii_uppercase().starts_with(field));
        begins && rest.contains(';')
    })
}

/// Such as `S:Our home`.
fn qr_field(field: &str) -> Option<(Key, String)> {
    let (letter, value) = field.split_once(':')?;
    let key = match letter.trim() {
        "S" | "s" => Key::Network,
        "P" | "p" => Key::Password,
        "T" | "t" => Key::Security,
        _ => return None,
    };
    Some((key, value.to_owned()))
}

/// The parts between semicolons, without the backslash before a letter that means itself.
fn split_escaped(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => parts.last_mut().into_iter().for_each(|part| part.extend(letters.next())),
            ';' => parts.push(String::new()),
            _ => parts.last_mut().into_iter().for_each(|part| part.push(letter)),
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// Whether a line begins a block, and what stands behind the brace.
pub(super) fn block_begin(line: &str) -> Option<&str> {
    let (before, behind) = line.split_once('{')?;
    let word = trim(before).trim_end_matches(['=', ':']);
    trim(word).eq_ignore_ascii_case("network").then(|| trim(behind))
}

/// The lines that stand on one line of a block, such as `ssid="a b" psk="c"`, and whether the block ends there.
pub(super) fn block_lines(line: &str) -> (Vec<String>, bool) {
    let line = trim(line);
    let (line, ends) = match line.strip_suffix('}') {
        Some(line) => (trim(line), true),
        None => (line, false),
    };
    // wpa_supplicant itself has one on a line; what is told in chats often has more.
    let one_each = line.split('"').step_by(2).flat_map(|outside| outside.matches('=')).count() < 2;
    if one_each || line.is_empty() {
        return (vec![line.to_owned()], ends);
    }
    let mut lines = vec![String::new()];
    let mut inside = false;
    for letter in line.chars() {
        inside ^= letter == '"';
        match lines.last_mut() {
            Some(_) if letter.is_whitespace() && !inside => lines.push(String::new()),
            Some(last) => last.push(letter),
            None => {}
        }
    }
    lines.retain(|line| !line.is_empty());
    (lines, ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_codes_text_and_what_is_none() {
        let fields = qr_fields(r#"WIFI:T:WPA;S:a\;b;P:\"c\\d\:;H:true;;"#).unwrap();
        assert_eq!(
            fields,
            [(Key::Security, "WPA".into()), (Key::Network, "a;b".into()), (Key::Password, "\"c\\d:".into())]
        );
        assert_eq!(qr_fields("WIFI: Home"), None);
        assert_eq!(qr_fields("wifi: a;b"), None);
        assert_eq!(qr_fields("network = S:a;P:b"), None);
    }

    #[test]
    fn a_block_on_one_line_or_several() {
        assert_eq!(block_begin("network={"), Some(""));
        assert_eq!(block_begin("network = { ssid=\"a\" }"), Some("ssid=\"a\" }"));
        assert_eq!(block_begin("password = a{b"), None);
        let lines = |of: &[&str]| of.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        assert_eq!(block_lines("ssid=\"a b\" psk=\"c d\" }"), (lines(&["ssid=\"a b\"", "psk=\"c d\""]), true));
        assert_eq!(block_lines("psk=\"c d\""), (lines(&["psk=\"c d\""]), false));
        assert_eq!(block_lines("}"), (lines(&[""]), true));
    }
}
