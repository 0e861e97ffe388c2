//! The visit log: who, when, how long, and who was not let in. The newest entries only, and nothing else is recorded.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::names;
use super::register::Person;
use super::state_file;

/// Entries that are kept.
pub const MOST: usize = 500;

/// Who is back within this goes on with the same visit: a page that was loaded again. What happens again within this is one entry.
const TOGETHER: Duration = Duration::from_secs(120);

/// A missed call is told for so long.
const TOLD_FOR: Duration = Duration::from_secs(7 * 86_400);

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// They were here.
    Visited,
    /// They knocked, and nobody answered.
    Missed,
    /// They were declined.
    Declined,
    /// They came in quiet hours that refuse them.
    Resting,
    /// Home called them (number 0: everybody), and nobody answered.
    Called,
    /// No visit: they have a device more.
    Device,
    /// No visit: they are an owner.
    Owner,
    /// No visit: what they may do was changed.
    Rights,
    /// No visit: they may not come in any more.
    Removed,
}

impl Outcome {
    /// All of them, as in files and messages.
    pub const WORDS: [(&str, Outcome); 9] = [
        ("visited", Outcome::Visited),
        ("missed", Outcome::Missed),
        ("declined", Outcome::Declined),
        ("resting", Outcome::Resting),
        ("called", Outcome::Called),
        ("device", Outcome::Device),
        ("owner", Outcome::Owner),
        ("rights", Outcome::Rights),
        ("removed", Outcome::Removed),
    ];

    /// Whether it is a change of who may do what, and no visit.
    pub fn is_change(self) -> bool {
        matches!(self, Outcome::Device | Outcome::Owner | Outcome::Rights | Outcome::Removed)
    }

    pub(crate) fn word(self) -> &'static str {
        Outcome::WORDS.iter().find(|(_, outcome)| *outcome == self).map_or("visited", |(word, _)| word)
    }
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whose visit; 0 is the key of the process.
    pub person: u64,
    /// What home called them then.
    pub name: Option<String>,
    /// When it began, UTC since 1970.
    pub began: Duration,
    /// When it ended; `None` while it lasts, or if nobody knows, as the power was cut.
    pub ended: Option<Duration>,
    /// What became of it.
    pub outcome: Outcome,
}

/// See the module. The oldest entry comes first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VisitLog(VecDeque<Entry>);

impl VisitLog {
    /// The entries, the newest first.
    pub fn newest(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter().rev()
    }

    /// Somebody is here since `now`.
    pub fn handle_begin(&mut self, person: &Person, now: Duration) {
        let back = self.0.iter_mut().rev().find(|entry| {
            let since = entry.ended.map(|ended| now.saturating_sub(ended));
            entry.person == person.number
                && entry.outcome == Outcome::Visited
                && since.is_some_and(|since| since < TOGETHER)
        });
        match back {
            Some(entry) => entry.ended = None,
            None => self.push(person, now, None, Outcome::Visited),
        }
    }

    /// The last of somebody's devices left at `now`.
    pub fn handle_end(&mut self, person: u64, now: Duration) {
        let lasts =
            |entry: &&mut Entry| entry.person == person && entry.ended.is_none() && entry.outcome == Outcome::Visited;
        if let Some(entry) = self.0.iter_mut().rev().find(lasts) {
            entry.ended = Some(now.max(entry.began));
        }
    }

    /// Somebody did not come in. Whether that is a new entry: what happens again and again is one.
    pub fn handle_kept_out(&mut self, person: &Person, outcome: Outcome, now: Duration) -> bool {
        let again = self.0.iter_mut().rev().find(|entry| {
            let since = entry.ended.map(|ended| now.saturating_sub(ended));
            entry.person == person.number && entry.outcome == outcome && since.is_some_and(|since| since < TOGETHER)
        });
        match again {
            Some(entry) => entry.ended = Some(now),
            None => {
                self.push(person, now, Some(now), outcome);
                return true;
            }
        }
        false
    }

    /// When home last called this person, or everybody, in vain since they were here, UTC since 1970; calls of the last week only.
    pub fn missed_call(&self, person: u64, now: Duration) -> Option<Duration> {
        let calls =
            self.newest().filter(|entry| entry.outcome == Outcome::Called && [0, person].contains(&entry.person));
        let call = calls.map(|entry| entry.began).next().filter(|call| now.saturating_sub(*call) < TOLD_FOR)?;
        self.last_visit(person).is_none_or(|seen| seen < call).then_some(call)
    }

    /// When this person was here last: the end of the visit, or its beginning while it lasts or if nobody knows; UTC since 1970.
    pub fn last_visit(&self, person: u64) -> Option<Duration> {
        let visits = self.newest().filter(|entry| entry.outcome == Outcome::Visited && entry.person == person);
        visits.map(|entry| entry.ended.unwrap_or(entry.began)).max()
    }

    /// Something of this person has changed: [`Outcome::is_change`].
    pub fn handle_change(&mut self, person: &Person, what: Outcome, now: Duration) {
        self.push(person, now, Some(now), what);
    }

    /// Forgets everything but the visits that last.
    pub fn erase(&mut self, lasting: impl Fn(u64) -> bool) {
        let mut kept = std::collections::BTreeSet::new();
        let entries = std::mem::take(&mut self.0).into_iter().rev();
        // Of a person who is here, the newest entry without an end.
        let stay = entries.filter(|entry| entry.ended.is_none() && lasting(entry.person) && kept.insert(entry.person));
        self.0 = stay.collect::<Vec<_>>().into_iter().rev().collect();
    }

    fn push(&mut self, person: &Person, began: Duration, ended: Option<Duration>, outcome: Outcome) {
        if self.0.len() >= MOST {
            self.0.pop_front();
        }
        let (person, name) = (person.number, person.name.clone());
        self.0.push_back(Entry { person, name, began, ended, outcome });
    }

    /// Reads the text of `visits.toml`. The error says the line and what is wrong there. Of too many entries the newest are kept.
    pub fn from_toml(text: &str) -> Result<VisitLog, String> {
        let file: File = state_file::read(text)?;
        let spare = file.visit.len().saturating_sub(MOST);
        let entries = file.visit.into_iter().enumerate().skip(spare).map(|(n, entry)| {
            let wrong = |what: &str| format!("visit {} of the file: {what}", n + 1);
            let time = |text: &str| state_file::time(text).ok_or_else(|| wrong("no time like 2026-12-31T12:00:00Z"));
            let FileVisit { person, name, began, ended, outcome } = entry;
            let word = Outcome::WORDS.iter().find(|(word, _)| *word == outcome).map(|(_, outcome)| *outcome);
            let words = || Outcome::WORDS.map(|(word, _)| word).join(", ");
            let outcome = word.ok_or_else(|| wrong(&format!("outcome is one of {}", words())))?;
            let name = name.map(|name| names::tidy(&name)).transpose().map_err(|problem| wrong(&problem))?;
            let ended = ended.map(|text| time(&text)).transpose()?;
            Ok(Entry { person, name, began: time(&began)?, ended, outcome })
        });
        Ok(VisitLog(entries.collect::<Result<_, String>>()?))
    }

    /// The text of `visits.toml`.
    pub fn to_toml(&self) -> String {
        let mut text = "# Who visited, the oldest first; times are UTC. Only what is here is recorded.\n".to_owned();
        let time = state_file::time_text;
        for Entry { person, name, began, ended, outcome } in &self.0 {
            text += &format!("\n[[visit]]\nperson = {person}\n");
            if let Some(name) = name {
                text += &format!("name = {}\n", toml::Value::String(name.clone()));
            }
            text += &format!("began = \"{}\"\n", time(*began));
            if let Some(ended) = ended {
                text += &format!("ended = \"{}\"\n", time(*ended));
            }
            text += &format!("outcome = \"{}\"\n", outcome.word());
        }
        text
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    visit: Vec<FileVisit>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileVisit {
    person: u64,
    #[serde(default)]
    name: Option<String>,
    began: String,
    #[serde(default)]
    ended: Option<String>,
    outcome: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::register::Role;

    const NOON: Duration = Duration::from_secs(1_800_014_400);

    fn at(seconds: u64) -> Duration {
        NOON + Duration::from_secs(seconds)
    }

    fn person(number: u64, name: &str) -> Person {
        Person::new(number, Some(name.into()), Role::Family)
    }

    #[test]
    fn a_visit_is_one_entry_even_if_its_page_was_loaded_again() {
        let (mut log, anna) = (VisitLog::default(), person(1, "Anna"));
        log.handle_begin(&anna, at(0));
        log.handle_end(1, at(60));
        log.handle_begin(&anna, at(100));
        log.handle_begin(&person(2, "Ben"), at(110));
        log.handle_end(1, at(160));
        log.handle_begin(&anna, at(1000));
        let told: Vec<_> = log.newest().map(|entry| (entry.person, entry.began, entry.ended)).collect();
        assert_eq!(told, [(1, at(1000), None), (2, at(110), None), (1, at(0), Some(at(160)))]);
        // The clock went back meanwhile.
        log.handle_end(1, at(500));
        assert_eq!(log.newest().next().map(|entry| entry.ended), Some(Some(at(1000))));
    }

    #[test]
    fn who_tries_again_and_again_is_one_entry_and_the_newest_five_hundred_stay() {
        let (mut log, gregor) = (VisitLog::default(), person(3, "Gregor"));
        let entries = (0..50).filter(|n| log.handle_kept_out(&gregor, Outcome::Resting, at(n * 10))).count();
        assert_eq!(entries, 1);
        assert!(log.handle_kept_out(&gregor, Outcome::Declined, at(500)), "another outcome is");
        for n in 0..1000 {
            log.handle_kept_out(&gregor, Outcome::Missed, at(1000 + n * 200));
        }
        assert_eq!((log.newest().count(), log.newest().next().unwrap().began), (MOST, at(1000 + 999 * 200)));
        log.handle_begin(&gregor, at(1));
        log.erase(|person| person == 3);
        assert_eq!(log.newest().count(), 1, "who is here is here");
        log.erase(|_| false);
        assert_eq!(log.newest().count(), 0);
    }

    #[test]
    fn the_file_says_the_same_and_its_mistakes_are_told() {
        let mut log = VisitLog::default();
        log.handle_begin(&person(1, "A \"quoted\" name"), at(0));
        log.handle_kept_out(&Person::new(0, None, Role::Owner), Outcome::Missed, at(7));
        for (_, outcome) in Outcome::WORDS {
            log.handle_kept_out(&person(2, "王小明"), outcome, at(1000));
        }
        assert_eq!(VisitLog::from_toml(&log.to_toml()), Ok(log.clone()));
        assert_eq!(VisitLog::from_toml(""), Ok(VisitLog::default()));
        let entry = "[[visit]]\nperson = 1\nbegan = \"2026-12-31T12:00:00Z\"\noutcome = \"visited\"\n";
        for (from, to, why) in [
            ("visited", "danced", "visit 1 of the file: outcome is one of"),
            ("2026-12-31T12:00:00Z", "yesterday", "visit 1 of the file: no time like"),
            ("person = 1", "person = 1\nname = \"\"", "visit 1 of the file: a name has"),
            ("person = 1", "person = 1\nmood = 1", "line 3: unknown field"),
            ("person = 1", "person = ?", "line 2"),
        ] {
            let problem = VisitLog::from_toml(&entry.replace(from, to)).unwrap_err();
            assert!(problem.contains(why), "{problem}");
        }
        let long = VisitLog::from_toml(&entry.repeat(MOST + 3)).unwrap();
        assert_eq!(long.newest().count(), MOST);
    }
}
