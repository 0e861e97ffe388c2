//! What the files of the state directory have in common: their mistakes name a line.

use serde::de::DeserializeOwned;

/// Reads TOML. The error says the line and what is wrong there.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|error| {
        let begin = error.span().map_or(0, |span| span.start.min(text.len()));
        // A span may begin inside of a letter.
        let line = text.bytes().take(begin).filter(|byte| *byte == b'\n').count() + 1;
        format!("line {line}: {}", error.message())
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_mistake_names_its_line() {
        let read = read::<BTreeMap<String, u8>>;
        assert_eq!(read("a = 1\n"), Ok(BTreeMap::from([("a".to_owned(), 1)])));
        for (text, line) in [
            ("=", "line 1: "),
            ("a = 1\nb = \"ü\"\n", "line 2: "),
            ("# ü\r\n\r\na = 1\r\na = 2\r\n", "line 4: "),
            ("a = 1\nb = [", "line 2: "),
            ("a = 1\nb = \"\u{7}\"", "line 2: "),
        ] {
            let problem = read(text).unwrap_err();
            assert!(problem.starts_with(line) && problem.len() > line.len(), "{text:?}: {problem}");
        }
    }
}
