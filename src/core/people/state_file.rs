//! What the files of the state directory have in common: their mistakes name a line, and their times are those of RFC 3339.

use std::time::Duration;

use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What is later cannot be written: RFC 3339 has years of four figures.
const LATEST: (u64, &str) = (253_402_300_799, "9999-12-31T23:59:59Z");

/// Reads TOML. The error says the line and what is wrong there.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|error| {
        let begin = error.span().map_or(0, |span| span.start.min(text.len()));
        // A span may begin inside of a letter.
        let line = text.bytes().take(begin).filter(|byte| *byte == b'\n').count() + 1;
        format!("line {line}: {}", error.message())
    })
}

/// The time of a text like `2026-12-31T12:00:00Z`, in whole seconds since 1970 (UTC); what was before is 1970. `None` if it is no time, or
/// none that [`time_text`] could write.
pub fn time(text: &str) -> Option<Duration> {
    let seconds = OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp().max(0) as u64;
    (seconds <= LATEST.0).then(|| Duration::from_secs(seconds))
}

/// The text of a time since 1970 (UTC). Of a clock that makes no sense it is the latest one.
pub fn time_text(time: Duration) -> String {
    let time = i64::try_from(time.as_secs()).ok().and_then(|time| OffsetDateTime::from_unix_timestamp(time).ok());
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_else(|| LATEST.1.to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn each_time_that_is_read_can_be_written_and_none_is_lost() {
        for (text, written) in [
            ("2026-12-31T12:00:00Z", "2026-12-31T12:00:00Z"),
            ("2026-12-31T12:00:00.999+02:00", "2026-12-31T10:00:00Z"),
            ("1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59Z", LATEST.1),
        ] {
            assert_eq!(time(text).map(time_text).as_deref(), Some(written), "{text}");
        }
        for text in ["", "yesterday", "2026-12-31", "9999-12-31T23:59:59-00:01", "12026-12-31T12:00:00Z"] {
            assert_eq!(time(text), None, "{text}");
        }
        for late in [LATEST.0, LATEST.0 + 1, u64::MAX] {
            assert_eq!(time_text(Duration::from_secs(late)), LATEST.1);
        }
        assert_eq!(time(LATEST.1), Some(Duration::from_secs(LATEST.0)));
    }

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
