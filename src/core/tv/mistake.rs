//! The first mistake in a file that people write, in a notice: where it is, what is wrong, and the way out of it.

use intercom_base::isolate::isolated;
use intercom_base::language::{Language, Sentences, fill};
use intercom_base::letters::{NOTICE_LETTERS, clipped, letters};
use serde::{Deserialize, Serialize};

use super::message::{Text, plain};

/// Letters that are read at a glance; a longer list of what is allowed is for the log.
pub const SHORT: usize = 48;

/// A mistake in no language yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mistake {
    /// The file's name.
    pub file: Text,
    /// From 1; none if the file itself is the problem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// As it stands in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Text>,
    /// What is wrong.
    pub what: Fault,
    /// What was probably meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest: Option<Text>,
    /// Further mistakes in the file.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde wants it")]
fn is_zero(more: &usize) -> bool {
    *more == 0
}

impl Mistake {
    /// As the TV says it, in at most [`NOTICE_LETTERS`] letters.
    pub fn words(&self, say: &Sentences) -> String {
        let brief = Brief {
            file: self.file.as_str(),
            line: self.line,
            key: self.key.as_ref().map_or("", Text::as_str),
            what: &self.what.words(say),
            nearest: self.nearest.as_ref().map(Text::as_str),
            allowed: self.what.allowed(say),
            more: self.more,
        };
        brief.words(say)
    }
}

/// The parts of a mistake, those that are sentences in one language.
#[derive(Clone, Copy, Debug)]
pub struct Brief<'a> {
    /// The file's name, without its folders.
    pub file: &'a str,
    /// From 1.
    pub line: Option<usize>,
    /// May be empty.
    pub key: &'a str,
    /// What is wrong.
    pub what: &'a str,
    /// What was probably meant.
    pub nearest: Option<&'a str>,
    /// What is allowed; may be empty.
    pub allowed: &'a str,
    /// Further mistakes in the file.
    pub more: usize,
}

impl Brief<'_> {
    /// The parts as one sentence. What has no room is left out, the number of further mistakes first.
    pub fn words(&self, say: &Sentences) -> String {
        let what = self.place(say);
        let with_way = self.with_way_out(&what, say);
        let with_more = |what: &str| match self.more {
            0 => what.to_owned(),
            more => fill(say.and_more, &[("what", what), ("count", &more.to_string())]),
        };
        let sayings = [with_more(&with_way), with_way, with_more(&what)];
        let fits = |saying: &&String| letters(saying) <= NOTICE_LETTERS;
        sayings.iter().find(fits).cloned().unwrap_or_else(|| clipped(&plain(&what), NOTICE_LETTERS))
    }

    /// The same in English, without marks of direction.
    pub fn english(&self) -> String {
        plain(&self.words(Language::English.sentences()))
    }

    fn place(&self, say: &Sentences) -> String {
        let what = match self.key {
            "" => self.what.to_owned(),
            key => fill(say.mistake_key, &[("key", &isolated(key)), ("what", self.what)]),
        };
        let file = isolated(self.file);
        match self.line {
            Some(line) => fill(say.mistake_line, &[("file", &file), ("line", &line.to_string()), ("what", &what)]),
            None => fill(say.mistake_file, &[("file", &file), ("what", &what)]),
        }
    }

    fn with_way_out(&self, what: &str, say: &Sentences) -> String {
        let is_short = |text: &str| letters(text) <= SHORT;
        match self.nearest {
            Some(nearest) if is_short(nearest) => {
                fill(say.did_you_mean, &[("what", what), ("nearest", &isolated(nearest))])
            }
            _ if !self.allowed.is_empty() && is_short(self.allowed) => {
                fill(say.allowed, &[("what", what), ("allowed", self.allowed)])
            }
            _ => what.to_owned(),
        }
    }
}

/// What is wrong with `wifi.txt` or `timezone.txt`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// More bytes than such a file has.
    FileTooLarge,
    /// A word processor's format.
    FileFormatted,
    /// Not text at all.
    FileBinary,
    /// There is another one in its place.
    FileMisnamed {
        /// What it is called.
        found: Text,
        /// What it is to be called.
        name: Text,
    },
    /// The disk, or a folder of that name.
    FileUnreadable {
        /// In English.
        why: Text,
    },
    /// No zone has such a name.
    ZoneUnknown {
        /// The name.
        zone: Text,
    },
    /// The same of a name that is not to be repeated.
    ZoneUnknownHere,
    /// There is a zone above it.
    ZoneSecond {
        /// The one above.
        zone: Text,
    },
    /// More lines than are read.
    ZoneLines {
        /// How many are.
        most: usize,
    },
    /// The system's files do not have it.
    ZoneMissing,
    /// Nothing that is known stands before the `=`.
    NoSuchKey,
    /// Not even a `=`.
    LineUnclear,
    /// The text of a QR code, and none.
    CodeUnclear,
    /// Name and password in one line.
    OneLine,
    /// Something that no keyboard types.
    LetterUnclear,
    /// The file's encoding is a guess.
    EncodingGuessed,
    /// The name of a network.
    NameLong {
        /// How long it is.
        bytes: usize,
    },
    /// A password without a network.
    NameMissing,
    /// More networks than are taken.
    NetworksMany {
        /// How many are.
        most: usize,
    },
    /// A password of too few letters.
    PasswordShort {
        /// How many it has.
        letters: usize,
    },
    /// One of too many.
    PasswordLong {
        /// How many it has.
        letters: usize,
    },
    /// A network has one already.
    PasswordSecond,
    /// A network has none.
    PasswordMissing,
    /// No country has such a name.
    CountryUnknown {
        /// The name.
        country: Text,
    },
    /// The same of what is not to be repeated.
    CountryUnclear,
    /// There is another one above it.
    CountrySecond,
    /// A company's network.
    UsersRefused,
    /// A protection that is none.
    WepRefused,
}

impl Fault {
    /// In English, without marks of direction.
    pub fn english(&self) -> String {
        plain(&self.words(Language::English.sentences()))
    }

    /// As the TV says it, behind the place.
    pub fn words(&self, say: &Sentences) -> String {
        let with = |sentence: &str, place: &str, value: &Text| fill(sentence, &[(place, &isolated(value.as_str()))]);
        let count = |sentence: &str, place: &str, count: &usize| fill(sentence, &[(place, &count.to_string())]);
        let sentence = match self {
            Fault::FileMisnamed { found, name } => {
                return fill(say.file_misnamed, &[("found", &isolated(found.as_str())), ("name", name.as_str())]);
            }
            Fault::FileUnreadable { why } => return with(say.file_unreadable, "why", why),
            Fault::ZoneUnknown { zone } => return with(say.zone_unknown, "zone", zone),
            Fault::ZoneSecond { zone } => return with(say.zone_second, "zone", zone),
            Fault::ZoneLines { most } => return count(say.zone_lines, "most", most),
            Fault::NameLong { bytes } => return count(say.name_long, "bytes", bytes),
            Fault::NetworksMany { most } => return count(say.networks_many, "most", most),
            Fault::PasswordShort { letters: 1 } => say.password_short_one,
            Fault::PasswordShort { letters } => return count(say.password_short, "letters", letters),
            Fault::PasswordLong { letters } => return count(say.password_long, "letters", letters),
            Fault::CountryUnknown { country } => return with(say.country_unknown, "country", country),
            Fault::FileTooLarge => say.file_too_large,
            Fault::FileFormatted => say.file_formatted,
            Fault::FileBinary => say.file_binary,
            Fault::ZoneUnknownHere => say.zone_unknown_here,
            Fault::ZoneMissing => say.zone_missing,
            Fault::NoSuchKey => say.no_such_key,
            Fault::LineUnclear => say.line_unclear,
            Fault::CodeUnclear => say.code_unclear,
            Fault::OneLine => say.one_line,
            Fault::LetterUnclear => say.letter_unclear,
            Fault::EncodingGuessed => say.encoding_guessed,
            Fault::NameMissing => say.name_missing,
            Fault::PasswordSecond => say.password_second,
            Fault::PasswordMissing => say.password_missing,
            Fault::CountryUnclear => say.country_unclear,
            Fault::CountrySecond => say.country_second,
            Fault::UsersRefused => say.users_refused,
            Fault::WepRefused => say.wep_refused,
        };
        sentence.to_owned()
    }

    /// What is allowed instead; empty if there is nothing to add. Keys stay as they are in the file.
    pub fn allowed(&self, say: &Sentences) -> &'static str {
        match self {
            Fault::ZoneUnknown { .. } | Fault::ZoneUnknownHere => say.zone_allowed,
            Fault::NoSuchKey => "network, password, country",
            Fault::LineUnclear => "network = …, password = …, country = …",
            Fault::NameLong { .. } => say.name_allowed,
            Fault::PasswordShort { .. } | Fault::PasswordLong { .. } => say.password_allowed,
            Fault::CountryUnknown { .. } | Fault::CountryUnclear => say.country_allowed,
            _ => "",
        }
    }
}
