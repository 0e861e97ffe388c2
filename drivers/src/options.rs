//! Reads a driver's own TOML table: types, ranges and unknown keys, each refused in words.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use crate::contract::ConfigError;

/// A driver's option table whose keys are all known to it.
pub struct Options<'a> {
    table: &'a toml::Table,
}

impl<'a> Options<'a> {
    /// Takes the table if it has no key but those of `known`.
    pub fn new(table: &'a toml::Table, known: &[(&str, &str)]) -> Result<Options<'a>, ConfigError> {
        match table.keys().find(|key| !known.iter().any(|(name, _)| name == key)) {
            None => Ok(Options { table }),
            Some(key) => {
                let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
                let allowed =
                    if names.is_empty() { "nothing: it has no options".to_string() } else { names.join(", ") };
                Err(error(key, "is not an option of this driver", &allowed))
            }
        }
    }

    /// A text that is not empty.
    pub fn text(&self, key: &str) -> Result<Option<String>, ConfigError> {
        match self.table.get(key) {
            None => Ok(None),
            Some(toml::Value::String(text)) if !text.trim().is_empty() => Ok(Some(text.clone())),
            Some(toml::Value::String(_)) => Err(error(key, "is empty", "a text in quotes")),
            Some(other) => Err(wrong_type(key, other, "a text in quotes")),
        }
    }

    /// A path, absolute or relative to where the program was started.
    pub fn path(&self, key: &str) -> Result<Option<PathBuf>, ConfigError> {
        Ok(self.text(key)?.map(PathBuf::from))
    }

    /// A whole number within `range`.
    pub fn whole(&self, key: &str, range: RangeInclusive<i64>) -> Result<Option<i64>, ConfigError> {
        let allowed = format!("a whole number from {} to {}", range.start(), range.end());
        match self.table.get(key) {
            None => Ok(None),
            Some(toml::Value::Integer(n)) if range.contains(n) => Ok(Some(*n)),
            Some(toml::Value::Integer(n)) => Err(error(key, &format!("is out of range: {n}"), &allowed)),
            Some(other) => Err(wrong_type(key, other, &allowed)),
        }
    }

    /// A whole number within `range`, or one of `words`; as a text.
    pub fn number_or_word(
        &self,
        key: &str,
        range: RangeInclusive<i64>,
        words: &[&str],
    ) -> Result<Option<String>, ConfigError> {
        let quoted = words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<String>>().join(" or ");
        let allowed = format!("a whole number from {} to {}, or {quoted}", range.start(), range.end());
        match self.table.get(key) {
            Some(toml::Value::String(word)) if words.contains(&word.as_str()) => Ok(Some(word.clone())),
            Some(toml::Value::String(word)) => Err(error(key, &format!("is unknown: {word}"), &allowed)),
            Some(toml::Value::Integer(n)) if range.contains(n) => Ok(Some(n.to_string())),
            Some(toml::Value::Integer(n)) => Err(error(key, &format!("is out of range: {n}"), &allowed)),
            Some(other) => Err(wrong_type(key, other, &allowed)),
            None => Ok(None),
        }
    }

    /// A number, whole or with a fraction, within `range`.
    pub fn number(&self, key: &str, range: RangeInclusive<f64>) -> Result<Option<f64>, ConfigError> {
        let allowed = format!("a number from {} to {}", range.start(), range.end());
        let number = match self.table.get(key) {
            None => return Ok(None),
            Some(toml::Value::Integer(n)) => *n as f64,
            Some(toml::Value::Float(n)) => *n,
            Some(other) => return Err(wrong_type(key, other, &allowed)),
        };
        if range.contains(&number) {
            Ok(Some(number))
        } else {
            Err(error(key, &format!("is out of range: {number}"), &allowed))
        }
    }

    /// A command: a list of program and arguments, or one text for `/bin/sh -c`. It must be there.
    pub fn command(&self, key: &str) -> Result<Vec<String>, ConfigError> {
        const ALLOWED: &str = "a list like [\"ffmpeg\", \"-i\", \"…\"], or one text that /bin/sh runs";
        let words = match self.table.get(key) {
            None => return Err(error(key, "is missing: this driver runs a command of yours", ALLOWED)),
            Some(toml::Value::String(line)) => vec!["/bin/sh".into(), "-c".into(), line.clone()],
            Some(toml::Value::Array(items)) => items
                .iter()
                .map(|item| item.as_str().map(str::to_string).ok_or_else(|| wrong_type(key, item, ALLOWED)))
                .collect::<Result<Vec<String>, ConfigError>>()?,
            Some(other) => return Err(wrong_type(key, other, ALLOWED)),
        };
        if words.first().is_none_or(|program| program.trim().is_empty())
            || words.last().is_some_and(|line| words.len() == 3 && words[1] == "-c" && line.trim().is_empty())
        {
            return Err(error(key, "is empty", ALLOWED));
        }
        if words.iter().any(|word| word.contains('\0')) {
            return Err(error(key, "contains a zero byte", ALLOWED));
        }
        Ok(words)
    }
}

/// An error about one key.
pub fn error(key: &str, problem: &str, allowed: &str) -> ConfigError {
    ConfigError { key: key.to_string(), problem: problem.to_string(), allowed: allowed.to_string() }
}

fn wrong_type(key: &str, value: &toml::Value, allowed: &str) -> ConfigError {
    let article = if matches!(value, toml::Value::Integer(_) | toml::Value::Array(_)) { "an" } else { "a" };
    error(key, &format!("is {article} {}", value.type_str()), allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[(&str, &str)] = &[("device", ""), ("hz", ""), ("command", ""), ("fps", "")];

    fn table(text: &str) -> toml::Table {
        text.parse().expect("test TOML")
    }

    #[test]
    fn an_unknown_key_is_answered_with_those_that_exist() {
        let table = table("devise = 'x'");
        let error = Options::new(&table, KNOWN).err().expect("refused");
        assert_eq!(error.key, "devise");
        assert_eq!(error.allowed, "device, hz, command, fps");
    }

    #[test]
    fn types_and_ranges_are_refused_in_words() {
        let table = table("device = 3\nhz = 30000\nfps = 'fast'");
        let options = Options::new(&table, KNOWN).unwrap();
        assert_eq!(options.text("device").unwrap_err().problem, "is an integer");
        assert_eq!(options.whole("hz", 20..=20_000).unwrap_err().allowed, "a whole number from 20 to 20000");
        assert_eq!(options.number("fps", 1.0..=60.0).unwrap_err().problem, "is a string");
        assert_eq!(options.number("hz", 1.0..=60_000.0).unwrap(), Some(30_000.0));
    }

    #[test]
    fn a_command_is_a_list_or_a_line_for_the_shell() {
        let list = table("command = ['cat', 'x y']");
        assert_eq!(Options::new(&list, KNOWN).unwrap().command("command").unwrap(), ["cat", "x y"]);
        let line = table("command = 'cat x | tee y'");
        assert_eq!(Options::new(&line, KNOWN).unwrap().command("command").unwrap(), ["/bin/sh", "-c", "cat x | tee y"]);
        for bad in ["", "command = []", "command = ''", "command = ['']", "command = [1]", "command = 5"] {
            assert!(Options::new(&table(bad), KNOWN).unwrap().command("command").is_err(), "{bad}");
        }
    }
}
