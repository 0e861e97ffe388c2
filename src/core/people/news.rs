//! What owners are to hear: each change of who may do what, until each device that an owner had then has read it. What anybody erases
//! of the visit log changes nothing here, and neither does a clock that jumps.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use serde::Deserialize;

use super::keys::KeyId;
use super::names;
use super::register::Person;
use super::state_file;
use super::visits::Outcome;

/// Changes that are kept, the newest.
pub const MOST: usize = 100;

/// A change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its number: later ones have greater ones.
    pub number: u64,
    /// [`Outcome::is_change`].
    pub what: Outcome,
    /// Whom it is about.
    pub person: u64,
    /// What home called them then.
    pub name: Option<String>,
    /// When, UTC since 1970, by the clock of then.
    pub at: Duration,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewsBook {
    next: u64,
    items: VecDeque<Item>,
    /// The first change that a device has not read; one that has read all is not here.
    unread: BTreeMap<KeyId, u64>,
}

impl Default for NewsBook {
    fn default() -> NewsBook {
        NewsBook { next: 1, items: VecDeque::new(), unread: BTreeMap::new() }
    }
}

impl NewsBook {
    /// Something of this person has changed at `at` (UTC since 1970), and the devices of these owners are to hear of it. Its number.
    pub fn add(&mut self, what: Outcome, person: &Person, at: Duration, owners: &BTreeSet<KeyId>) -> u64 {
        let number = self.next;
        self.next += 1;
        self.items.push_back(Item { number, what, person: person.number, name: person.name.clone(), at });
        self.unread.retain(|key, _| owners.contains(key));
        for key in owners {
            self.unread.entry(*key).or_insert(number);
        }
        self.tidy();
        number
    }

    /// What this device has not read, the oldest first.
    pub fn unread(&self, key: KeyId) -> impl Iterator<Item = &Item> {
        let from = self.unread.get(&key).copied().unwrap_or(u64::MAX);
        self.items.iter().filter(move |item| item.number >= from)
    }

    /// This device has read everything up to this number; whether that is new.
    pub fn handle_read(&mut self, key: KeyId, upto: u64) -> bool {
        let Some(from) = self.unread.get_mut(&key).filter(|from| **from <= upto) else { return false };
        *from = upto.saturating_add(1);
        if *from >= self.next {
            self.unread.remove(&key);
        }
        self.tidy();
        true
    }

    /// What all have read is forgotten, and the oldest of too many.
    fn tidy(&mut self) {
        let first = self.unread.values().copied().min().unwrap_or(u64::MAX);
        self.items.retain(|item| item.number >= first);
        let spare = self.items.len().saturating_sub(MOST);
        self.items.drain(..spare);
    }

    /// Reads the text of `news.toml`.
    ///
    /// # Errors
    /// The line, or which change, and what is wrong there.
    pub fn from_toml(text: &str) -> Result<NewsBook, String> {
        let file: File = state_file::read(text)?;
        if !(1..=u64::from(u32::MAX)).contains(&file.next) {
            return Err(format!("next = {} is not from 1 to {}", file.next, u32::MAX));
        }
        let mut book = NewsBook { next: file.next, ..NewsBook::default() };
        for FileItem { number, what, person, name, at } in file.news {
            let wrong = |what: &str| format!("news {number}: {what}");
            if number >= book.next || book.items.back().is_some_and(|last| last.number >= number) {
                return Err(wrong("numbers grow, and next is greater than all of them"));
            }
            let known = Outcome::WORDS.iter().find(|(word, outcome)| *word == what && outcome.is_change());
            let what = known.ok_or_else(|| wrong("what is one of device, owner, rights, removed"))?.1;
            let name = name.map(|name| names::tidy(&name)).transpose().map_err(|problem| wrong(&problem))?;
            let at = state_file::time(&at).ok_or_else(|| wrong("at is no time like 2026-12-31T12:00:00Z"))?;
            book.items.push_back(Item { number, what, person, name, at });
        }
        book.unread = file.unread.into_iter().map(|unread| (KeyId(unread.key), unread.from)).collect();
        book.unread.retain(|key, from| *key != KeyId::TEMPORARY && *from < book.next);
        book.tidy();
        Ok(book)
    }

    /// The text of `news.toml`. The key that ends with the process is left out.
    pub fn to_toml(&self) -> String {
        let mut text = "# Changes of who may visit that owners' devices have not read yet; times are UTC.\n".to_owned();
        text += &format!("next = {}\n", self.next);
        for Item { number, what, person, name, at } in &self.items {
            text += &format!("\n[[news]]\nnumber = {number}\nwhat = \"{}\"\nperson = {person}\n", what.word());
            if let Some(name) = name {
                text += &format!("name = {}\n", toml::Value::String(name.clone()));
            }
            text += &format!("at = \"{}\"\n", state_file::time_text(*at));
        }
        for (key, from) in self.unread.iter().filter(|(key, _)| **key != KeyId::TEMPORARY) {
            text += &format!("\n[[unread]]\nkey = {key}\nfrom = {from}\n");
        }
        text
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    next: u64,
    #[serde(default)]
    news: Vec<FileItem>,
    #[serde(default)]
    unread: Vec<FileUnread>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileItem {
    number: u64,
    what: String,
    person: u64,
    #[serde(default)]
    name: Option<String>,
    at: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileUnread {
    key: u64,
    from: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::register::Role;

    const NOON: Duration = Duration::from_secs(1_800_014_400);

    fn keys(keys: &[u64]) -> BTreeSet<KeyId> {
        keys.iter().copied().map(KeyId).collect()
    }

    fn anna() -> Person {
        Person::new(9, Some("An\"na".into()), Role::Family)
    }

    fn unread(book: &NewsBook, key: u64) -> Vec<u64> {
        book.unread(KeyId(key)).map(|item| item.number).collect()
    }

    #[test]
    fn each_device_reads_for_itself_whatever_the_clock_shows() {
        let mut book = NewsBook::default();
        for (number, at) in [(1, NOON), (2, NOON * 2), (3, Duration::ZERO)] {
            assert_eq!(book.add(Outcome::Rights, &anna(), at, &keys(&[4, 5])), number);
        }
        assert_eq!((unread(&book, 4), unread(&book, 5), unread(&book, 6)), (vec![1, 2, 3], vec![1, 2, 3], vec![]));
        assert!(book.handle_read(KeyId(4), 2) && !book.handle_read(KeyId(4), 2), "twice is once");
        assert_eq!((unread(&book, 4), unread(&book, 5)), (vec![3], vec![1, 2, 3]));
        // A device that an owner got later hears of what comes then, and nobody can read for another one.
        book.add(Outcome::Device, &anna(), NOON, &keys(&[4, 5, 6]));
        assert!(!book.handle_read(KeyId(7), 99));
        assert_eq!((unread(&book, 6), unread(&book, 5)), (vec![4], vec![1, 2, 3, 4]));
        assert!([4, 5, 6].into_iter().all(|key| book.handle_read(KeyId(key), u64::MAX)));
        assert_eq!(book, NewsBook { next: 5, ..NewsBook::default() }, "what all have read is forgotten");
    }

    #[test]
    fn whose_device_is_gone_keeps_nothing_and_the_newest_stay() {
        let mut book = NewsBook::default();
        book.add(Outcome::Owner, &anna(), NOON, &keys(&[4, 5]));
        book.handle_read(KeyId(5), 1);
        for _ in 0..2 * MOST {
            book.add(Outcome::Rights, &anna(), NOON, &keys(&[5]));
        }
        assert_eq!((unread(&book, 4), unread(&book, 5).len()), (vec![], MOST));
        assert_eq!(unread(&book, 5).last(), Some(&(2 * MOST as u64 + 1)));
    }

    #[test]
    fn the_file_says_the_same_and_its_mistakes_are_told() {
        let mut book = NewsBook::default();
        for what in [Outcome::Device, Outcome::Owner, Outcome::Rights, Outcome::Removed] {
            book.add(what, &anna(), NOON, &keys(&[4, 5]));
        }
        book.add(Outcome::Device, &Person::new(3, None, Role::Guest), NOON, &keys(&[4, 5]));
        book.handle_read(KeyId(4), 3);
        assert_eq!(NewsBook::from_toml(&book.to_toml()), Ok(book.clone()), "{}", book.to_toml());
        let item = "[[news]]\nnumber = 1\nwhat = \"device\"\nperson = 2\nat = \"2026-12-31T12:00:00Z\"\n";
        for (text, told) in [
            ("?".to_owned(), "line 1"),
            ("next = 0".to_owned(), "next = 0 is not from 1"),
            (format!("next = 1\n{item}"), "news 1: numbers grow"),
            (format!("next = 5\n{item}{item}"), "news 1: numbers grow"),
            (format!("next = 5\n{}", item.replace("device", "visited")), "news 1: what is one of"),
            (format!("next = 5\n{}", item.replace("2026-12-31T", "")), "news 1: at is no time"),
            (format!("next = 5\n{item}nam = \"x\"\n"), "line 7: unknown field"),
        ] {
            let problem = NewsBook::from_toml(&text).unwrap_err();
            assert!(problem.starts_with(told), "{text}: {problem}");
        }
    }
}
