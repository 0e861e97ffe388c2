//! What is wrong with a config, in words: file, line, key, what is allowed and the nearest right spelling.

use std::fmt;
use std::path::Path;

use intercom_base::language::Language;
use intercom_base::letters::letters;
use intercom_core::tv::message::{Message, Text};
use intercom_core::tv::mistake::{Brief, Fault, Mistake, SHORT};

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
    /// What is wrong and allowed, for a TV in any language; `None` for what has English words only.
    pub fault: Option<Fault>,
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
    /// One that the TV can tell in its language.
    pub fn of(line: Option<usize>, key: &str, fault: Fault, nearest: Option<String>) -> Problem {
        let allowed = fault.allowed(Language::English.sentences()).to_owned();
        Problem { line, key: key.to_owned(), what: fault.english(), nearest, allowed, fault: Some(fault) }
    }

    /// What is wrong, with what to do about it where nothing else says it.
    fn what_to_do(&self) -> String {
        let is_alone = self.nearest.is_none() && (self.allowed.is_empty() || letters(&self.allowed) > SHORT);
        let is_unknown = self.what == "there is no such key" || self.what == "there is no such table";
        printable(&if is_alone && is_unknown { format!("{}; take it out", self.what) } else { self.what.clone() })
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
        let problem = Problem { line: None, key: String::new(), what, nearest, allowed, fault: None };
        ConfigErrors { file: file.to_owned(), problems: vec![problem] }
    }

    /// The first problem for people who stand before a screen, in the letters of a notice: the file without its folders, the line,
    /// what is wrong, and what to do about it. What is left out for the room is in the log.
    pub fn brief(&self) -> String {
        let Some(problem) = self.problems.first() else { return self.name() };
        let nearest = problem.nearest.as_deref().map(printable);
        let brief = Brief {
            file: &printable(&self.name()),
            line: problem.line,
            key: &printable(&problem.key),
            what: &problem.what_to_do(),
            nearest: nearest.as_deref(),
            allowed: &printable(&problem.allowed),
            more: self.problems.len() - 1,
        };
        brief.english()
    }

    /// The same for a TV in any language, if the first problem has such words.
    pub fn message(&self) -> Option<Message> {
        let problem = self.problems.first()?;
        Some(Message::Mistake(Mistake {
            file: Text::new(self.name()),
            line: problem.line,
            key: (!problem.key.is_empty()).then(|| Text::new(&problem.key)),
            what: problem.fault.clone()?,
            nearest: problem.nearest.as_deref().map(Text::new),
            more: self.problems.len() - 1,
        }))
    }

    fn name(&self) -> String {
        Path::new(&self.file).file_name().map_or_else(|| self.file.clone(), |name| name.to_string_lossy().into())
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
                fault: None,
            }],
        };
        let text = "home.toml:3: video.widht: no such key; did you mean width? Allowed: width, height";
        assert_eq!(errors.to_string(), text);
    }
}
