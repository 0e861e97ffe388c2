//! What the messages say of people: those of an owner's page, and of who waits at the door.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::people::entering::{Entering, InQuietHours};
use crate::people::register::{People, Person, Role};
use crate::people::visits::{self, Outcome};

/// A person, for an owner's page.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct PersonInfo {
    /// Their number.
    pub number: u64,
    /// What home calls them.
    pub name: Option<String>,
    /// What they may do.
    pub role: Role,
    /// How they enter; `null`: as their role has it.
    pub entering: Option<Entering>,
    /// What quiet hours mean for them; `null`: as their role has it.
    pub in_quiet_hours: Option<InQuietHours>,
    /// Quiet hours of their own, like `22:00-07:00`; `null`: home's.
    pub quiet_hours: Option<String>,
    /// Devices that have a key.
    pub devices: usize,
    /// Whether they visit now.
    pub here: bool,
    /// Whether it is the one who asks.
    pub you: bool,
    /// When their last visit ended or, while they are here, began; UTC in seconds since 1970. `null`: never, or nobody knows.
    #[serde(default)]
    pub last_visit: Option<u64>,
    /// Until when their link may be opened, UTC in seconds since 1970; `null`: they have none.
    pub invited_until: Option<u64>,
    /// Devices that their link still makes.
    pub links_left: u64,
}

impl PersonInfo {
    /// One of these people at this time (UTC since 1970), whoever visits and asks.
    pub fn of(person: &Person, people: &People, unix: Duration) -> PersonInfo {
        let link = people.link_of(person.number, unix);
        PersonInfo {
            number: person.number,
            name: person.name.clone(),
            role: person.role,
            entering: person.entering,
            in_quiet_hours: person.in_quiet_hours,
            quiet_hours: person.hours.map(|hours| hours.to_string()),
            devices: people.devices_of(person.number),
            here: false,
            you: false,
            last_visit: None,
            invited_until: link.map(|link| link.until.as_secs()),
            links_left: link.map_or(0, |link| link.devices.saturating_sub(link.used)),
        }
    }
}

/// Everybody, for the machine's shell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct PeopleList {
    /// In the order of their coming.
    pub people: Vec<PersonInfo>,
    /// Home's quiet hours, like `22:00-07:00`; `null`: none.
    pub quiet_hours: Option<String>,
}

/// A code on the TV that somebody asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct CodeInfo {
    /// Whose further device it makes; `null`: somebody new.
    pub person: Option<u64>,
    /// What anyone may do who comes with it.
    pub role: Role,
}

/// What an owner's page sets of a person: everything, whatever of it is new.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct PersonWish {
    /// Their number.
    pub person: u64,
    /// What home shall call them; `null`: nothing.
    #[serde(default)]
    pub name: Option<String>,
    /// What they may do.
    pub role: Role,
    /// How they enter; `null`: as their role has it.
    #[serde(default)]
    pub entering: Option<Entering>,
    /// What quiet hours mean for them; `null`: as their role has it.
    #[serde(default)]
    pub in_quiet_hours: Option<InQuietHours>,
    /// Quiet hours of their own, like `22:00-07:00`; `null`: home's.
    #[serde(default)]
    pub quiet_hours: Option<String>,
}

/// Where a visit stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Entry {
    /// Sees, hears and talks.
    #[default]
    Inside,
    /// Sees a frosted picture.
    Preview {
        /// Then inside, in milliseconds from now.
        left_ms: u64,
    },
    /// Waits for somebody at home.
    Knock {
        /// Then it is over, in milliseconds from now.
        left_ms: u64,
    },
}

/// A visit that is not inside yet, for owners who visit and may answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct KnockInfo {
    /// Names it in `let_in` and `decline`.
    pub visit: u64,
    /// Who it is.
    pub name: Option<String>,
    /// They see the frosted picture, and come in by themselves.
    pub preview: bool,
    /// So long it lasts, in milliseconds from now.
    pub left_ms: u64,
}

/// An entry of the visit log.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct VisitEntry {
    /// Whose visit; 0 is the key of `intercom run`.
    pub person: u64,
    /// What home called them then.
    pub name: Option<String>,
    /// When it began, UTC in seconds since 1970.
    pub began: u64,
    /// When it ended; `null` while it lasts, or if nobody knows.
    pub ended: Option<u64>,
    /// Whether it lasts.
    pub here: bool,
    /// What became of it.
    pub outcome: Outcome,
}

impl VisitEntry {
    /// As the log has it; `here`: the person visits now.
    pub fn of(entry: &visits::Entry, here: bool) -> VisitEntry {
        VisitEntry {
            person: entry.person,
            name: entry.name.clone(),
            began: entry.began.as_secs(),
            ended: entry.ended.map(|ended| ended.as_secs()),
            here: entry.ended.is_none() && here,
            outcome: entry.outcome,
        }
    }
}

/// Why something was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NotDone {
    /// That is no name: blank, too long, or with invisible characters.
    Name,
    /// Those are no hours.
    Hours,
    /// Home would have no owner.
    LastOwner,
    /// There is no such person.
    Unknown,
    /// The disk does not take it.
    Storage,
    /// As many people as home knows, or changes as it takes in that time: try again later.
    TooMany,
}

/// The message that was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// `invite`
    Invite,
    /// `person`
    Person,
    /// `remove`
    Remove,
    /// `show_code`
    ShowCode,
    /// `quiet_hours`
    QuietHours,
    /// `set_home`
    Home,
    /// `erase_visits`
    EraseVisits,
}
