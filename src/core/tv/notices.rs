//! What home has to tell the people in front of the TV: mistakes in the config first, then what it found out itself, then
//! what others left in a folder.

use std::collections::BTreeMap;

use intercom_base::language::{Language, Sentences};

use super::message::{LONGEST_LINE, Message};
use crate::devices::storage::Trouble;

/// So many files of the folder are shown.
pub const MOST_FILES: usize = 4;

/// Letters of a notice; the rest is left out.
const LONGEST: usize = 200;

/// Bytes at the beginning of a file that are looked at: two lines, and any letter has at most four.
pub const LONGEST_FILE: usize = 4 * LONGEST + LONGEST_LINE + 2;

/// What the intercom looks after itself, in the order in which it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// The disk does not take what is new.
    Storage,
    /// Whether home is muted is not known, or not kept.
    Mute,
    /// The curtain.
    Curtain,
    /// A reset was made.
    Reset,
}

/// What it found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Why nothing new is kept.
    Storage(Trouble),
    /// Home is muted, and after a restart it would not be.
    MutedNotKept,
    /// The other way round.
    OpenNotKept,
    /// Home is muted because nobody knows whether it was before.
    MuteUnknown,
    /// The curtain is drawn, and after a restart it would not be.
    CurtainNotKept,
    /// The other way round.
    CurtainOpenNotKept,
    /// The curtain is drawn because nobody knows whether it was before.
    CurtainUnknown,
    /// Phones must scan the code again.
    Reset,
}

impl Finding {
    fn words(self, sentences: &Sentences) -> &'static str {
        match self {
            Finding::Storage(trouble) => trouble.words(sentences),
            Finding::MutedNotKept => sentences.muted_not_kept,
            Finding::OpenNotKept => sentences.open_not_kept,
            Finding::MuteUnknown => sentences.mute_unknown,
            Finding::CurtainNotKept => sentences.curtain_not_kept,
            Finding::CurtainOpenNotKept => sentences.curtain_open_not_kept,
            Finding::CurtainUnknown => sentences.curtain_unknown,
            Finding::Reset => sentences.reset,
        }
    }
}

/// Everything that is to be shown now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notices {
    mistakes: Vec<String>,
    own: BTreeMap<Topic, Finding>,
    files: Vec<Left>,
}

/// What another program left in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Left {
    /// In English, or in whatever words the program has.
    line: String,
    /// The same for the TV, if the file has that, too.
    message: Option<Message>,
}

impl Notices {
    /// `mistakes` stay for as long as the process runs.
    pub fn new(mistakes: Vec<String>) -> Notices {
        Notices { mistakes, ..Notices::default() }
    }

    /// What there is to tell of a topic, if anything. Whether that changes anything.
    pub fn set(&mut self, topic: Topic, finding: Option<Finding>) -> bool {
        let before = match finding {
            Some(finding) => self.own.insert(topic, finding),
            None => self.own.remove(&topic),
        };
        before != finding
    }

    /// Takes what the folder's files begin with, each with its name. Whether that changes anything.
    pub fn handle_files(&mut self, mut files: Vec<(String, Vec<u8>)>) -> bool {
        files.sort();
        let lefts = files.iter().filter(|(name, _)| is_notice(name)).filter_map(|(_, bytes)| read(bytes));
        let mut told: Vec<Left> = Vec::new();
        for left in lefts {
            // Two Wi-Fi cards have the same to say.
            if told.len() < MOST_FILES && !told.iter().any(|known| known.line == left.line) {
                told.push(left);
            }
        }
        let changed = self.files != told;
        self.files = told;
        changed
    }

    /// All of them, the most important first, in English: for the log and for anyone who asks.
    pub fn all(&self) -> Vec<String> {
        self.told(Language::English.sentences(), |left| left.line.clone())
    }

    /// The same for the TV. Mistakes, and what a program left in its own words, are in those.
    pub fn all_in(&self, sentences: &Sentences) -> Vec<String> {
        self.told(sentences, |left| {
            left.message.as_ref().map_or_else(|| left.line.clone(), |message| message.words(sentences))
        })
    }

    fn told(&self, sentences: &Sentences, words: impl Fn(&Left) -> String) -> Vec<String> {
        let own = self.own.values().map(|finding| finding.words(sentences).to_owned());
        self.mistakes.iter().cloned().chain(own).chain(self.files.iter().map(words)).collect()
    }
}

/// The text of a file that has the TV say this; [`Notices::handle_files`] reads it.
pub fn file_of(message: &Message) -> String {
    format!("{}\n{}\n", message.english(), message.line())
}

/// Whether a file of this name is a notice, and not one that is being written.
pub fn is_notice(name: &str) -> bool {
    !name.starts_with('.')
}

/// What a file says; `None` if nothing is left of its first line.
fn read(bytes: &[u8]) -> Option<Left> {
    let bytes = &bytes[..bytes.len().min(LONGEST_FILE)];
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines().skip_while(|line| line.trim().is_empty());
    let line = shown(lines.next()?)?;
    let message = lines.next().and_then(Message::parse);
    Some(Left { line, message })
}

/// A line without what cannot be drawn; `None` if nothing is left.
fn shown(line: &str) -> Option<String> {
    // A letter that the limit cut in two, and what no text has.
    let drawn = line.chars().filter(|c| !c.is_control() && *c != char::REPLACEMENT_CHARACTER);
    let line: String = drawn.take(LONGEST).collect();
    let line = line.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(of: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
        of.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_owned())).collect()
    }

    fn told(of: &[(&str, &str)]) -> Vec<String> {
        let mut notices = Notices::default();
        notices.handle_files(files(of));
        notices.all()
    }

    #[test]
    fn mistakes_come_first_and_then_files_by_name() {
        let mut notices = Notices::new(vec!["line 3 is wrong".into()]);
        assert!(notices.handle_files(files(&[("b", "second\nmore"), ("a", "\n first \n"), (".c", "half wri")])));
        assert_eq!(notices.all(), ["line 3 is wrong", "first", "second"]);
        assert!(!notices.handle_files(files(&[("a", "first"), ("b", "second\n")])), "they say the same");
        let reset = Some(Finding::Reset);
        assert!(notices.set(Topic::Reset, reset) && !notices.set(Topic::Reset, reset));
        let told = Language::English.sentences().reset;
        assert_eq!(notices.all(), ["line 3 is wrong", told, "first", "second"]);
        assert!(notices.set(Topic::Reset, None) && !notices.set(Topic::Reset, None));
        assert!(notices.handle_files(Vec::new()));
        assert_eq!(notices.all(), ["line 3 is wrong"]);
    }

    #[test]
    fn what_home_finds_out_is_told_in_the_language_of_the_tv() {
        const ALL: [Finding; 12] = [
            Finding::Storage(Trouble::Full),
            Finding::Storage(Trouble::ReadOnly),
            Finding::Storage(Trouble::Gone),
            Finding::Storage(Trouble::Refuses),
            Finding::Storage(Trouble::Damaged),
            Finding::MutedNotKept,
            Finding::OpenNotKept,
            Finding::MuteUnknown,
            Finding::CurtainNotKept,
            Finding::CurtainOpenNotKept,
            Finding::CurtainUnknown,
            Finding::Reset,
        ];
        let told = |language: Language, finding: Finding| {
            let mut notices = Notices::new(vec!["line 3 is wrong".into()]);
            notices.set(Topic::Storage, Some(finding));
            notices.all_in(language.sentences())
        };
        for (code, language) in Language::ALL {
            let all = ALL.map(|finding| told(language, finding));
            for (n, [mistake, words]) in all.iter().map(|told| [&told[0], &told[1]]).enumerate() {
                assert_eq!(mistake, "line 3 is wrong");
                assert!(all[n + 1..].iter().all(|other| other[1] != *words), "{code}: {words} is told twice");
                assert!(language.sentences().all().iter().any(|(_, sentence)| sentence == words), "{code}: {words}");
            }
        }
        assert!(told(Language::German, Finding::Storage(Trouble::Full))[1].starts_with("Der Speicher ist voll"));
    }

    #[test]
    fn what_anybody_writes_there_is_bounded_and_can_be_drawn() {
        let long = "ж".repeat(1000);
        assert_eq!(told(&[("a", &long)]), ["ж".repeat(200)]);
        assert_eq!(told(&[("a", "x\u{1b}[31m\ty\0z")]), ["x[31myz"]);
        assert_eq!(told(&[("a", "same"), ("b", "other"), ("c", "same\n")]), ["same", "other"]);
        assert_eq!(told(&[("a", ""), ("b", " \n\r\n"), ("c", "\u{7}")]), [""; 0]);
        let many: Vec<(String, Vec<u8>)> = (0..9).map(|n| (format!("n{n}"), format!("{n}").into_bytes())).collect();
        let mut notices = Notices::default();
        notices.handle_files(many);
        assert_eq!(notices.all(), ["0", "1", "2", "3"]);
        let mut cut = vec![b'x'];
        cut.extend_from_slice("€".repeat(1000).as_bytes());
        notices.handle_files(vec![("a".into(), cut), ("b".into(), vec![0xff, 0xfe])]);
        assert_eq!(notices.all(), [format!("x{}", "€".repeat(199))]);
    }
}
