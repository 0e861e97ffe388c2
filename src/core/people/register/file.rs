//! The text of `keys.toml`.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{Device, Link, People, Person, Role};
use crate::people::entering::{Entering, InQuietHours};
use crate::people::keys::{KeyId, hex, unhex};
use crate::people::names;
use crate::people::state_file;

/// No home has given out this many numbers; a file that says so is broken.
const MOST_NUMBER: u64 = u32::MAX as u64;

impl Role {
    /// All of them, as in files and messages.
    pub const WORDS: [(&str, Role); 3] = [("owner", Role::Owner), ("family", Role::Family), ("guest", Role::Guest)];

    /// As it stands in the file.
    pub fn word(self) -> &'static str {
        match self {
            Role::Owner => "owner",
            Role::Family => "family",
            Role::Guest => "guest",
        }
    }
}

impl People {
    /// Reads the text of `keys.toml`. The error says the line and what is wrong there.
    ///
    /// Up to version 0.1 a key had its name itself: it becomes a device, and its name a person.
    pub fn from_toml(text: &str) -> Result<People, String> {
        let file: File = state_file::read(text)?;
        let mut people = People::new();
        let mut numbers = Numbers { seen: BTreeSet::new(), next: file.next.max(1) };
        if file.next > MOST_NUMBER {
            return Err(format!("next = {} is too large", file.next));
        }
        for person in file.person {
            numbers.take("person", person.number)?;
            people.persons.push(person.read()?);
        }
        let mut early = Vec::new();
        for FileDevice { number, person, name, created, sha256 } in file.key {
            numbers.take("key", number)?;
            let hash = unhex(&sha256).ok_or_else(|| format!("key {number}: {HASH}"))?;
            match person {
                Some(person) if people.person(person).is_none() => {
                    return Err(format!("key {number}: there is no person {person}"));
                }
                Some(_) if name.is_some() => return Err(format!("key {number}: the name stands at its person")),
                Some(person) => people.devices.push(Device { id: KeyId(number), person, hash, created }),
                None => early.push((KeyId(number), tidy("key", number, name)?, hash, created)),
            }
        }
        people.next = numbers.next;
        for (id, name, hash, created) in early {
            let person = people.add_person(name, Role::Family);
            people.devices.push(Device { id, person, hash, created });
        }
        for FileLink { person, until, devices, used, sha256 } in file.link {
            let hash = unhex(&sha256).ok_or_else(|| format!("link of person {person}: {HASH}"))?;
            if people.person(person).is_none() || people.links.iter().any(|link| link.person == person) {
                return Err(format!("link of person {person}: there is no such person, or two links of one"));
            }
            let until = state_file::time(&until)
                .ok_or_else(|| format!("link of person {person}: until is no time like 2026-12-31T12:00:00Z"))?;
            people.links.push(Link { person, hash, until, devices, used });
        }
        people.forget_persons();
        Ok(people)
    }

    /// The text of `keys.toml`; temporary keys are left out.
    pub fn to_toml(&self) -> String {
        let text = |text: &str| toml::Value::String(text.to_owned());
        let mut all = format!(
            "# Who may visit, the keys of their devices, and links that are not used up; keys and links are hashed.\n\
             # `intercom link` adds a person, `intercom link --revoke N` ends the person or the key of this number.\n\
             next = {}\n",
            self.next
        );
        for person in self.persons.iter().filter(|person| person.number != 0) {
            all += &format!("\n[[person]]\nnumber = {}\n", person.number);
            if let Some(name) = &person.name {
                all += &format!("name = {}\n", text(name));
            }
            all += &format!("role = \"{}\"\n", person.role.word());
            let mut line = |key: &str, word: Option<&str>| {
                all += &word.map_or_else(String::new, |word| format!("{key} = \"{word}\"\n"));
            };
            line("entering", person.entering.and_then(|way| word_of(&Entering::WORDS, way)));
            line("in_quiet_hours", person.in_quiet_hours.and_then(|rule| word_of(&InQuietHours::WORDS, rule)));
            line("quiet_hours", person.hours.map(|hours| hours.to_string()).as_deref());
        }
        for device in self.devices.iter().filter(|device| device.id != KeyId::TEMPORARY) {
            all += &format!("\n[[key]]\nnumber = {}\nperson = {}\n", device.id, device.person);
            // The time is a plain RFC 3339 text of ours, or of a file that TOML has already read.
            all += &format!("created = {}\nsha256 = \"{}\"\n", text(&device.created), hex(&device.hash));
        }
        for link in &self.links {
            let until = state_file::time_text(link.until);
            all += &format!("\n[[link]]\nperson = {}\nuntil = \"{until}\"\n", link.person);
            all += &format!("devices = {}\nused = {}\nsha256 = \"{}\"\n", link.devices, link.used, hex(&link.hash));
        }
        all
    }
}

/// The numbers of a file, of which nothing else may have one.
struct Numbers {
    seen: BTreeSet<u64>,
    next: u64,
}

impl Numbers {
    fn take(&mut self, what: &str, number: u64) -> Result<(), String> {
        if number == 0 || number > MOST_NUMBER || !self.seen.insert(number) {
            return Err(format!("{what} number {number} is zero, too large or there twice"));
        }
        self.next = self.next.max(number + 1);
        Ok(())
    }
}

const HASH: &str = "sha256 must be 64 hexadecimal digits";

/// A name of nothing that anybody sees was one for earlier versions: no reason to let nobody in.
fn tidy(what: &str, number: u64, name: Option<String>) -> Result<Option<String>, String> {
    let name = name.filter(|name| name.is_empty() || !names::is_blank(name));
    name.map(|name| names::tidy(&name)).transpose().map_err(|problem| format!("{what} {number}: name: {problem}"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    next: u64,
    #[serde(default)]
    person: Vec<FilePerson>,
    #[serde(default)]
    key: Vec<FileDevice>,
    #[serde(default)]
    link: Vec<FileLink>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FilePerson {
    number: u64,
    #[serde(default)]
    name: Option<String>,
    role: String,
    #[serde(default)]
    entering: Option<String>,
    #[serde(default)]
    in_quiet_hours: Option<String>,
    #[serde(default)]
    quiet_hours: Option<String>,
}

impl FilePerson {
    fn read(self) -> Result<Person, String> {
        let FilePerson { number, name, role, entering, in_quiet_hours, quiet_hours } = self;
        let wrong = |problem: String| format!("person {number}: {problem}");
        let name = tidy("person", number, name)?;
        let role = of_word(&Role::WORDS, "role", &role).map_err(wrong)?;
        let entering = entering.map(|word| of_word(&Entering::WORDS, "entering", &word)).transpose().map_err(wrong)?;
        let in_quiet_hours = in_quiet_hours.map(|word| of_word(&InQuietHours::WORDS, "in_quiet_hours", &word));
        let in_quiet_hours = in_quiet_hours.transpose().map_err(wrong)?;
        let hours = quiet_hours.map(|text| text.parse()).transpose().map_err(wrong)?;
        Ok(Person { number, name, role, entering, in_quiet_hours, hours })
    }
}

fn word_of<T: Copy + PartialEq>(words: &[(&'static str, T)], value: T) -> Option<&'static str> {
    words.iter().find(|(_, of)| *of == value).map(|(word, _)| *word)
}

fn of_word<T: Copy>(words: &[(&str, T)], key: &str, word: &str) -> Result<T, String> {
    let found = words.iter().find(|(known, _)| *known == word).map(|(_, value)| *value);
    found.ok_or_else(|| {
        let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        format!("{key} is one of {}, not {word:?}", all.join(", "))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileDevice {
    number: u64,
    #[serde(default)]
    person: Option<u64>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    created: String,
    sha256: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileLink {
    person: u64,
    until: String,
    devices: u64,
    #[serde(default)]
    used: u64,
    sha256: String,
}
