//! What is wrong with a config, in words: file, line, key, what is allowed and the nearest right spelling.

use std::fmt;
use std::path::Path;

use intercom_media::scene::NOTICE_LETTERS;

/// Letters that are read at a glance; a longer list of what is allowed is for the log.
const SHORT: usize = 48;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line in the file, from 1; `None` if the file itself is the problem.
    pub line: Option<usize>,
    /// The key's full path, e.g. `video.reduced.fps`; empty if no key is concerned.
    pub key: String,
    /// What is wrong, without the key's name.
    pub what: String,
    /// What was probably meant, ready to be written into the file.
    pub nearest: Option<String>,
    /// What is allowed instead; empty if there is nothing to add.
    pub allowed: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{}: ", printable(&self.key))?;
        }
        f.write_str(&printable(&self.what))?;
        if let Some(nearest) = &self.nearest {
            write!(f, "; did you mean {}?", printable(nearest))?;
        }
        if !self.allowed.is_empty() {
            f.write_str(if self.nearest.is_some() { " Allowed: " } else { "; allowed: " })?;
            f.write_str(&self.allowed)?;
        }
        Ok(())
    }
}

/// What the file says is repeated to a terminal and on the TV, so without its control characters.
fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter }).collect()
}

impl Problem {
    /// The way out of it in a few words, with a comma before it; empty if what is wrong says it already.
    fn way_out(&self) -> String {
        let is_short = |text: &str| text.chars().count() <= SHORT;
        match &self.nearest {
            Some(nearest) if is_short(nearest) => format!("; did you mean {nearest}?"),
            _ if !self.allowed.is_empty() && is_short(&self.allowed) => format!("; allowed: {}", self.allowed),
            None if self.what == "there is no such key" || self.what == "there is no such table" => {
                "; take it out".to_owned()
            }
            _ => String::new(),
        }
    }
}

/// Everything that is wrong with one config, in the order of its lines; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    /// The file's name as it was given.
    pub file: String,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
}

impl ConfigErrors {
    /// A file that is wrong as a whole.
    pub(super) fn whole(file: &str, what: String, nearest: Option<String>, allowed: String) -> ConfigErrors {
        let problem = Problem { line: None, key: String::new(), what, nearest, allowed };
        ConfigErrors { file: file.to_owned(), problems: vec![problem] }
    }

    /// The first problem for people who stand before a screen, in [`NOTICE_LETTERS`] letters: the file without its folders, the
    /// line, what is wrong, and what to do about it. What is left out for the room is in the log.
    pub fn brief(&self) -> String {
        let file =
            Path::new(&self.file).file_name().map_or_else(|| self.file.clone(), |name| name.to_string_lossy().into());
        let Some(problem) = self.problems.first() else { return file };
        let line = problem.line.map_or_else(String::new, |line| format!(", line {line}"));
        let more = match self.problems.len() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        let key = if problem.key.is_empty() { String::new() } else { format!("{}: ", problem.key) };
        let what = printable(&format!("{file}{line}: {key}{}", problem.what));
        let way_out = printable(&problem.way_out());
        let sayings = [format!("{what}{way_out}{more}"), format!("{what}{way_out}"), format!("{what}{more}")];
        let fits = |saying: &&String| saying.chars().count() <= NOTICE_LETTERS;
        sayings.iter().find(fits).cloned().unwrap_or_else(|| clipped(&what, NOTICE_LETTERS))
    }
}

/// One line for each problem, `FILE:LINE: KEY: …`, as compilers and editors write and understand them.
impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            match problem.line {
                Some(line) => write!(f, "{}:{line}: {problem}", self.file)?,
                None => write!(f, "{}: {problem}", self.file)?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// `text` in at most `most` letters, the last of which is an ellipsis if any is left out.
pub(super) fn clipped(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let short: String = text.chars().take(most - 1).collect();
    format!("{}…", short.trim_end())
}

/// The candidate that `word` was probably meant to be, if any is near enough. Case, `-` and `_` hardly count.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let plain = |s: &str| s.to_lowercase().replace(['-', ' '], "_");
    let word = plain(word);
    candidates
        .into_iter()
        .map(|candidate| (strsim::normalized_damerau_levenshtein(&word, &plain(candidate)), candidate))
        .filter(|(likeness, candidate)| *likeness >= 0.55 || is_beginning(&word, &plain(candidate)))
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// Whether `word` is the first three letters or more of `candidate`.
fn is_beginning(word: &str, candidate: &str) -> bool {
    word.len() >= 3 && candidate.starts_with(word)
}

/// `a`, `b`, `c` as one text.
pub(super) fn list<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    words.into_iter().collect::<Vec<_>>().join(", ")
}

/// "a" / "b" as TOML text.
pub(super) fn quoted(word: &str) -> String {
    toml::Value::from(word).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_finds_slips_and_leaves_strangers_alone() {
        let words = ["width", "height", "fps", "floor_kbps", "max_kbps"];
        assert_eq!(nearest("widht", words), Some("width"));
        assert_eq!(nearest("floor-kbps", words), Some("floor_kbps"));
        assert_eq!(nearest("FPS", words), Some("fps"));
        assert_eq!(nearest("floor", words), Some("floor_kbps"));
        assert_eq!(nearest("max_bitrate_mbit", words), None);
        assert_eq!(nearest("elephant", words), None);
        assert_eq!(nearest("", words), None);
    }

    #[test]
    fn a_problem_reads_as_a_sentence_behind_file_and_line() {
        let errors = ConfigErrors {
            file: "home.toml".into(),
            problems: vec![Problem {
                line: Some(3),
                key: "video.widht".into(),
                what: "no such key".into(),
                nearest: Some("width".into()),
                allowed: "width, height".into(),
            }],
        };
        let text = "home.toml:3: video.widht: no such key; did you mean width? Allowed: width, height";
        assert_eq!(errors.to_string(), text);
    }
}
