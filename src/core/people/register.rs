//! Who may visit: persons, the keys of their devices, and links that have not been used up. The text of the file that keeps them.
//!
//! A link is for one person. Anyone who opens it exchanges its token for a key of the device's own: within some days, and then on a few
//! devices within a day, since messengers open links in a browser of their own. A day later the link is worth nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use super::entering::{Entering, Hours, InQuietHours};
use super::items::Invited;
use super::keys::{Key, KeyHash, KeyId};
use super::names;

mod file;

/// So long after its first opening a link may be opened on further devices.
pub const OPEN_FOR: Duration = Duration::from_secs(86_400);

/// What a person may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Decides who may visit, and how. The first device that was ever paired is an owner's.
    Owner,
    /// Comes in at once.
    #[default]
    Family,
    /// Knocks.
    Guest,
}

/// Somebody who may visit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Persons, devices and links are numbered together; a number is never used again.
    pub number: u64,
    /// What home calls them.
    pub name: Option<String>,
    /// What they may do.
    pub role: Role,
    /// How they enter; without it as their role has it.
    pub entering: Option<Entering>,
    /// What quiet hours mean for them; without it as their role has it.
    pub in_quiet_hours: Option<InQuietHours>,
    /// Quiet hours of their own, in place of home's.
    pub hours: Option<Hours>,
}

impl Person {
    /// One who enters as the role has it.
    pub fn new(number: u64, name: Option<String>, role: Role) -> Person {
        Person { number, name, role, entering: None, in_quiet_hours: None, hours: None }
    }
}

/// A device that has a key.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Device {
    id: KeyId,
    person: u64,
    hash: KeyHash,
    /// When it was made, RFC 3339, for the people who read the file; empty for a temporary one.
    created: String,
}

/// A link that is not used up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Whose devices it makes.
    pub person: u64,
    /// SHA-256 of its token.
    pub hash: KeyHash,
    /// It must be opened before then; UTC since 1970.
    pub until: Duration,
    /// Devices that it is good for in all.
    pub devices: u64,
    /// Devices that it was used for.
    pub used: u64,
}

impl Link {
    /// Whether it makes one more device at `now`.
    pub fn is_open(&self, now: Duration) -> bool {
        self.used < self.devices && now < self.until
    }
}

/// What a link shall be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wish {
    /// What home will call anyone who opens it.
    pub name: Option<String>,
    /// What they may do.
    pub role: Role,
    /// The person whose further devices it is for, in place of somebody new. A link that they had is void.
    pub person: Option<u64>,
    /// It must be opened within so many days.
    pub days: u64,
    /// Devices that it is good for, the first day after it was opened.
    pub devices: u64,
}

impl Wish {
    /// The same with its name in order.
    ///
    /// # Errors
    /// If the name is none, or the numbers are out of range.
    pub fn tidy(self) -> Result<Wish, String> {
        if !Wish::DAYS.contains(&self.days) || !Wish::DEVICES.contains(&self.devices) {
            let (days, devices) = (Wish::DAYS, Wish::DEVICES);
            return Err(format!(
                "a link is good for {} to {} days and {} to {} devices",
                days.start(),
                days.end(),
                devices.start(),
                devices.end()
            ));
        }
        Ok(Wish { name: self.name.as_deref().map(names::tidy).transpose()?, ..self })
    }

    /// Days that a link may be good for.
    pub const DAYS: std::ops::RangeInclusive<u64> = 1..=365;
    /// Devices that it may be good for.
    pub const DEVICES: std::ops::RangeInclusive<u64> = 1..=20;
}

impl Default for Wish {
    fn default() -> Wish {
        // Messengers open links in a browser of their own, so one device would often be the wrong one.
        Wish { name: None, role: Role::Family, person: None, days: 7, devices: 3 }
    }
}

/// Everybody who may come in now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct People {
    persons: Vec<Person>,
    devices: Vec<Device>,
    links: Vec<Link>,
    next: u64,
}

impl Default for People {
    fn default() -> People {
        People { persons: Vec::new(), devices: Vec::new(), links: Vec::new(), next: 1 }
    }
}

impl People {
    /// Nobody.
    pub fn new() -> People {
        People::default()
    }

    /// Whose key `text` is, if it is one. Takes the same time whichever of the keys it is, and however much of
    /// one it resembles.
    pub fn verify(&self, text: &str) -> Option<KeyId> {
        find(text, self.devices.iter().map(|device| (&device.hash, device.id.0))).map(KeyId)
    }

    /// What the token `text` is good for at `now` (UTC since 1970), if for anything; compared like a key.
    pub fn invited(&self, text: &str, now: Duration) -> Option<Invited> {
        let person = find(text, self.links.iter().map(|link| (&link.hash, link.person)))?;
        let link = self.links.iter().find(|link| link.person == person)?;
        let name = self.person(person)?.name.clone();
        link.is_open(now).then_some(Invited { person, name })
    }

    /// Whether this person's link makes one more device now.
    pub fn is_invited(&self, person: u64, now: Duration) -> bool {
        self.link_of(person, now).is_some()
    }

    /// Somebody new.
    pub fn add_person(&mut self, name: Option<String>, role: Role) -> u64 {
        let number = self.number();
        self.persons.push(Person::new(number, name, role));
        number
    }

    /// A device of this person, who must be there; `created` is its time of birth in RFC 3339.
    pub fn add_device(&mut self, person: u64, hash: KeyHash, created: String) -> KeyId {
        let id = KeyId(self.number());
        self.devices.push(Device { id, person, hash, created });
        id
    }

    /// A device whose number was given out elsewhere (by anyone who keeps the file), or a temporary one; its person, too. What is known
    /// of the person here is newer than what came along, and stays.
    pub fn take_device(&mut self, person: Person, id: KeyId, hash: KeyHash) {
        self.next = self.next.max(id.0.saturating_add(1)).max(person.number.saturating_add(1));
        let number = person.number;
        if self.person(number).is_none() {
            self.persons.push(person);
        }
        self.devices.push(Device { id, person: number, hash, created: String::new() });
    }

    /// A link for a person who was numbered elsewhere, or here; one that they had is void.
    pub fn take_link(&mut self, person: Person, link: Link) {
        self.next = self.next.max(person.number.saturating_add(1));
        if self.person(person.number).is_none() {
            self.persons.push(person);
        }
        self.links.retain(|old| old.person != link.person);
        self.links.push(link);
    }

    /// A device came in by the link of this person at `now`: the first one starts its last day.
    pub fn use_link(&mut self, person: u64, now: Duration) {
        for link in self.links.iter_mut().filter(|link| link.person == person) {
            if link.used == 0 {
                link.until = link.until.min(now + OPEN_FOR);
            }
            link.used += 1;
        }
    }

    /// A person is another one from now on: all but the number is replaced. False if there is none of this number.
    pub fn change(&mut self, person: Person) -> bool {
        let known = self.persons.iter_mut().find(|known| known.number == person.number);
        known.map(|known| *known = person).is_some()
    }

    /// Whether home has no owner with a device but this one. The key of the process does not count.
    pub fn is_last_owner(&self, number: u64) -> bool {
        let owns =
            |person: &&Person| person.role == Role::Owner && person.number != 0 && self.devices_of(person.number) > 0;
        let mut owners = self.persons.iter().filter(owns);
        owners.next().is_some_and(|owner| owner.number == number) && owners.next().is_none()
    }

    /// All persons but the one of the process, in the order of their coming.
    pub fn persons(&self) -> impl Iterator<Item = &Person> {
        self.persons.iter().filter(|person| person.number != 0)
    }

    /// The devices of everybody who has this role.
    pub fn devices_with(&self, role: Role) -> impl Iterator<Item = KeyId> {
        let has = move |device: &&Device| self.person(device.person).is_some_and(|person| person.role == role);
        self.devices.iter().filter(has).map(|device| device.id)
    }

    /// How many devices this person has.
    pub fn devices_of(&self, number: u64) -> usize {
        self.devices.iter().filter(|device| device.person == number).count()
    }

    /// The link of this person that makes a device now, if there is one.
    pub fn link_of(&self, number: u64, now: Duration) -> Option<&Link> {
        self.links.iter().find(|link| link.person == number && link.is_open(now))
    }

    /// When the next link runs out, after `now`.
    pub fn next_end(&self, now: Duration) -> Option<Duration> {
        self.links.iter().filter(|link| link.is_open(now)).map(|link| link.until).min()
    }

    /// Forgets links that are used up or over, and persons who have nothing left.
    pub fn tidy(&mut self, now: Duration) {
        self.links.retain(|link| link.is_open(now));
        self.forget_persons();
    }

    /// Ends a person with all their devices and links, or one device. The keys that open no more; `None` if nothing
    /// has this number.
    pub fn revoke(&mut self, number: u64) -> Option<Vec<KeyId>> {
        let known = self.person(number).is_some() || self.devices.iter().any(|device| device.id.0 == number);
        let goes = |device: &Device| device.id.0 == number || device.person == number && number != 0;
        let ended = self.devices.iter().filter(|device| goes(device)).map(|device| device.id).collect();
        self.devices.retain(|device| !goes(device));
        self.links.retain(|link| link.person != number);
        self.forget_persons();
        known.then_some(ended)
    }

    fn forget_persons(&mut self) {
        let (devices, links) = (&self.devices, &self.links);
        let has = |number: u64| {
            devices.iter().any(|device| device.person == number) || links.iter().any(|link| link.person == number)
        };
        self.persons.retain(|person| has(person.number));
    }

    /// Everybody who has a name, with their number.
    pub fn names(&self) -> impl Iterator<Item = (u64, &str)> {
        self.persons.iter().filter_map(|person| Some((person.number, person.name.as_deref()?)))
    }

    /// Who has this number.
    pub fn person(&self, number: u64) -> Option<&Person> {
        self.persons.iter().find(|person| person.number == number)
    }

    /// Whose device this is.
    pub fn owner_of(&self, id: KeyId) -> Option<&Person> {
        self.person(self.devices.iter().find(|device| device.id == id)?.person)
    }

    /// Whether any device has a key that outlives the process.
    pub fn has_stored(&self) -> bool {
        self.devices.iter().any(|device| device.id != KeyId::TEMPORARY)
    }

    /// How many devices have one.
    pub fn stored(&self) -> usize {
        self.devices.iter().filter(|device| device.id != KeyId::TEMPORARY).count()
    }

    /// Whether a device's key or a link of these people is one of the others', too: both were the same home's once.
    pub fn shares_a_key(&self, others: &People) -> bool {
        let hashes = |people: &People| -> BTreeSet<KeyHash> {
            let devices = people.devices.iter().map(|device| device.hash);
            devices.chain(people.links.iter().map(|link| link.hash)).collect()
        };
        !hashes(self).is_disjoint(&hashes(others))
    }

    /// Whether nobody can come in, now or by a link.
    pub fn is_empty(&self) -> bool {
        self.devices.is_empty() && self.links.is_empty()
    }

    /// The numbers of all persons but the one of the process, in order.
    pub fn numbers(&self) -> Vec<u64> {
        let mut numbers: Vec<u64> = self.persons.iter().map(|person| person.number).filter(|n| *n != 0).collect();
        numbers.sort_unstable();
        numbers
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }
}

/// The number beside the hash of `text`, in a time that says nothing.
fn find<'a>(text: &str, of: impl Iterator<Item = (&'a KeyHash, u64)>) -> Option<u64> {
    let hash = Key::parse(text)?.hash();
    let (mut found, mut number) = (Choice::from(0), 0u64);
    for (known, its) in of {
        let same = known.ct_eq(&hash);
        number.conditional_assign(&its, same);
        found |= same;
    }
    bool::from(found).then_some(number)
}

#[cfg(test)]
mod tests;
