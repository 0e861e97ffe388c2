//! What another process has the TV say: a sentence of the catalogue with its values, as one line of JSON.

use intercom_base::isolate::{is_direction, isolated};
use intercom_base::language::{Language, Sentences, fill};
use intercom_base::letters::{clipped, letters};
use serde::{Deserialize, Serialize};

use super::mistake::Mistake;

/// Bytes of a line that is read. The longest that [`Message::line`] writes, a mistake whose values are all as long as they may be,
/// is shorter.
pub const LONGEST_LINE: usize = 2048;

/// Letters of a value.
const LONGEST_VALUE: usize = 80;

/// A notice in no language yet. In a line, a message has the name of its sentence: `"wifi_off"`, or with values
/// `{"wifi_password":{"name":"Our home"}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Message {
    /// A switch keeps the Wi-Fi card silent.
    WifiOff,
    /// wpa_supplicant does not run with the card.
    WifiCard,
    /// The network is joined and gives no address.
    WifiNoAddress {
        /// Of the network.
        name: Text,
    },
    /// The same of one whose name is not known.
    WifiNoAddressUnnamed,
    /// A wrong password.
    WifiPassword {
        /// Of the network.
        name: Text,
    },
    /// Refused for another reason.
    WifiRefuses {
        /// Of the network.
        name: Text,
    },
    /// No network that home knows is there.
    WifiNone,
    /// An update is being written.
    UpdateInstalling {
        /// What is written.
        version: Text,
        /// How much of it is there.
        percent: Percent,
    },
    /// It waits for its first start.
    UpdateInstalled {
        /// What was written.
        version: Text,
    },
    /// It runs and is kept.
    Updated {
        /// What ran before.
        before: Text,
        /// What runs.
        now: Text,
    },
    /// The same where nobody knows what ran before.
    UpdatedFirst {
        /// What runs.
        now: Text,
    },
    /// It did not start.
    UpdateRolledBack {
        /// What did not.
        failed: Text,
        /// What runs.
        now: Text,
    },
    /// Nobody knows whose it is.
    UpdateUnsigned,
    /// Its bytes are not those that were signed.
    UpdateDamaged,
    /// It is for a later program.
    UpdateUnknown {
        /// In English.
        why: Text,
    },
    /// It is for other hardware.
    UpdateOtherMachine {
        /// The architecture.
        machine: Text,
    },
    /// The stick fails.
    UpdateUnreadable {
        /// In English.
        why: Text,
    },
    /// The disk fails.
    UpdateUnwritable {
        /// In English.
        why: Text,
    },
    /// What runs may still have to make way for the version before it.
    UpdateOnTrial {
        /// What runs.
        version: Text,
    },
    /// The disk is too small.
    UpdateNoRoom {
        /// Bytes that there are.
        room: u64,
        /// Bytes that it has.
        size: u64,
    },
    /// The disk gives back other bytes than it got.
    UpdateDiskFails,
    /// Everybody whom home knows is on the stick.
    PeopleSaved,
    /// Everybody on the stick may visit again.
    PeopleRestored,
    /// Nobody is known at home, and nobody saved on the stick.
    PeopleNone,
    /// Home and the stick have different people.
    PeopleKnown,
    /// It has no room.
    PeopleStickFull,
    /// A switch keeps it from being written.
    PeopleStickLocked,
    /// It cannot be written.
    PeopleStickUnwritable {
        /// In English.
        why: Text,
    },
    /// It cannot be read.
    PeopleStickUnreadable {
        /// In English.
        why: Text,
    },
    /// It has a file system that home does not know.
    PeopleStickFormat,
    /// What is saved makes no sense.
    PeopleBroken {
        /// Folder and file on the stick.
        file: Text,
        /// Line and problem, in English.
        why: Text,
    },
    /// Home's own keys make no sense.
    PeopleKeysDamaged,
    /// Home is being reset.
    PeopleReset,
    /// Home's disk fails.
    PeopleDisk {
        /// In English.
        why: Text,
    },
    /// The stick went, or hangs, in the middle of it.
    PeoplePulled,
    /// In a file that people write.
    Mistake(Mistake),
}

impl Message {
    /// Reads a line; `None` if it is not one that some version of this program writes, or a value is odd.
    pub fn parse(line: &str) -> Option<Message> {
        if line.len() > LONGEST_LINE { None } else { serde_json::from_str(line).ok() }
    }

    /// The line that [`Message::parse`] reads.
    pub fn line(&self) -> String {
        // Nothing in it can fail to be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// In English, for the log and for people who read the file: without marks of direction, which are for drawing.
    pub fn english(&self) -> String {
        plain(&self.words(Language::English.sentences()))
    }

    /// As the TV says it.
    pub fn words(&self, say: &Sentences) -> String {
        let of = |sentence: &str, values: &[(&str, &Text)]| {
            let values: Vec<_> = values.iter().map(|(place, value)| (*place, isolated(&value.0))).collect();
            let values: Vec<(&str, &str)> = values.iter().map(|(place, value)| (*place, value.as_ref())).collect();
            fill(sentence, &values)
        };
        match self {
            Message::WifiOff => say.wifi_off.to_owned(),
            Message::WifiCard => say.wifi_card.to_owned(),
            Message::WifiNoAddress { name } => of(say.wifi_no_address, &[("name", name)]),
            Message::WifiNoAddressUnnamed => say.wifi_no_address_unnamed.to_owned(),
            Message::WifiPassword { name } => of(say.wifi_password, &[("name", name)]),
            Message::WifiRefuses { name } => of(say.wifi_refuses, &[("name", name)]),
            Message::WifiNone => say.wifi_none.to_owned(),
            Message::UpdateInstalling { version, percent } => {
                of(say.update_installing, &[("version", version), ("percent", &Text::new(percent.0))])
            }
            Message::UpdateInstalled { version } => of(say.update_installed, &[("version", version)]),
            Message::Updated { before, now } => of(say.updated, &[("before", before), ("now", now)]),
            Message::UpdatedFirst { now } => of(say.updated_first, &[("now", now)]),
            Message::UpdateRolledBack { failed, now } => {
                of(say.update_rolled_back, &[("failed", failed), ("now", now)])
            }
            Message::UpdateUnsigned => say.update_unsigned.to_owned(),
            Message::UpdateDamaged => say.update_damaged.to_owned(),
            Message::UpdateUnknown { why } => of(say.update_unknown, &[("why", why)]),
            Message::UpdateOtherMachine { machine } => of(say.update_other_machine, &[("machine", machine)]),
            Message::UpdateUnreadable { why } => of(say.update_unreadable, &[("why", why)]),
            Message::UpdateUnwritable { why } => of(say.update_unwritable, &[("why", why)]),
            Message::UpdateOnTrial { version } => of(say.update_on_trial, &[("version", version)]),
            Message::UpdateNoRoom { room, size } => {
                of(say.update_no_room, &[("room", &Text::new(room)), ("size", &Text::new(size))])
            }
            Message::UpdateDiskFails => say.update_disk_fails.to_owned(),
            Message::PeopleSaved => say.people_saved.to_owned(),
            Message::PeopleRestored => say.people_restored.to_owned(),
            Message::PeopleNone => say.people_none.to_owned(),
            Message::PeopleKnown => say.people_known.to_owned(),
            Message::PeopleStickFull => say.people_stick_full.to_owned(),
            Message::PeopleStickLocked => say.people_stick_locked.to_owned(),
            Message::PeopleStickUnwritable { why } => of(say.people_stick_unwritable, &[("why", why)]),
            Message::PeopleStickUnreadable { why } => of(say.people_stick_unreadable, &[("why", why)]),
            Message::PeopleStickFormat => say.people_stick_format.to_owned(),
            Message::PeopleBroken { file, why } => of(say.people_broken, &[("file", file), ("why", why)]),
            Message::PeopleKeysDamaged => say.people_keys_damaged.to_owned(),
            Message::PeopleReset => say.people_reset.to_owned(),
            Message::PeopleDisk { why } => of(say.people_disk, &[("why", why)]),
            Message::PeoplePulled => say.people_pulled.to_owned(),
            Message::Mistake(mistake) => mistake.words(say),
        }
    }
}

/// Without marks of direction.
pub(super) fn plain(text: &str) -> String {
    text.chars().filter(|letter| !is_direction(*letter)).collect()
}

/// A value of a sentence: a name, a version, a word of a file. It has at most 80 letters, and none that turns the line round, ends it or
/// cannot be drawn at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Text(String);

impl Text {
    /// What can be shown of something.
    pub fn new(value: impl ToString) -> Text {
        let is_shown = |letter: &char| {
            !letter.is_control()
                && !is_direction(*letter)
                && !matches!(*letter, '\u{2028}' | '\u{2029}' | char::REPLACEMENT_CHARACTER)
        };
        Text(clipped(&value.to_string().chars().filter(is_shown).collect::<String>(), LONGEST_VALUE))
    }

    /// As it is written into a sentence.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Text> for String {
    fn from(text: Text) -> String {
        text.0
    }
}

impl TryFrom<String> for Text {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Text, &'static str> {
        // Before it is looked at more closely.
        if text.len() > LONGEST_LINE || letters(&text) > LONGEST_VALUE {
            return Err("a value is too long");
        }
        let shown = Text::new(&text);
        if shown.0 == text { Ok(shown) } else { Err("a value has letters that cannot be shown") }
    }
}

/// 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub struct Percent(u8);

impl Percent {
    /// Of a part of the whole, 0 to 1.
    pub fn of(part: f32) -> Percent {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a percentage")]
        let percent = (part * 100.0).clamp(0.0, 100.0) as u8;
        Percent(percent)
    }
}

impl From<Percent> for u8 {
    fn from(percent: Percent) -> u8 {
        percent.0
    }
}

impl TryFrom<u8> for Percent {
    type Error = &'static str;

    fn try_from(percent: u8) -> Result<Percent, &'static str> {
        if percent <= 100 { Ok(Percent(percent)) } else { Err("more than all of it") }
    }
}

#[cfg(test)]
mod tests;
