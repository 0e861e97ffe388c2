//! Who may come into a simulated home.

use std::time::Duration;

use intercom_core::call::items::For;
use intercom_core::people::access::Access;
use intercom_core::people::entering::Entering;
use intercom_core::people::items::NewKey;
use intercom_core::people::keys::{Key, KeyId};
use intercom_core::people::register::{People, Person, Role};

use crate::world::World;

/// Keys that a home knows from the beginning; the person of each has the same number. Number 0 is the key of `run`.
const MOST: u64 = 300;

/// The key of this number, whether home knows it or not.
fn numbered(number: u64) -> Key {
    let minted = Key::mint(|bytes| {
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        Ok::<_, ()>(())
    });
    minted.expect("a key")
}

/// The same as a page has it.
pub fn key(number: u64) -> String {
    numbered(number).to_text()
}

/// What home keeps of the key `text`.
pub fn hash(text: &str) -> [u8; 32] {
    Key::parse(text).expect("a key").hash()
}

/// Persons of the roles; all others are family.
pub const OWNER: u64 = 201;
pub const SECOND_OWNER: u64 = 202;
pub const GUEST: u64 = 203;
pub const SECOND_GUEST: u64 = 204;
/// Of the family, and enters by a preview.
pub const PREVIEWED: u64 = 205;

fn person(number: u64) -> Person {
    match number {
        OWNER => Person::new(number, Some("Olga".into()), Role::Owner),
        SECOND_OWNER => Person::new(number, None, Role::Owner),
        GUEST => Person::new(number, Some("Gregor".into()), Role::Guest),
        SECOND_GUEST => Person::new(number, None, Role::Guest),
        PREVIEWED => {
            Person { entering: Some(Entering::Preview), ..Person::new(number, Some("Pia".into()), Role::Family) }
        }
        0 => Person::new(0, None, Role::Owner),
        _ => Person::new(number, None, Role::Family),
    }
}

/// A home that many know.
pub fn known() -> Access {
    of(0..=MOST)
}

/// A home that a family and its guests know.
pub fn household() -> Access {
    of((0..=20).chain(OWNER..=PREVIEWED))
}

fn of(numbers: impl Iterator<Item = u64>) -> Access {
    let mut people = People::new();
    for number in numbers {
        people.take_device(person(number), KeyId(number), numbered(number).hash());
    }
    Access::new(people)
}

/// As on the first day: no key outlives the process yet.
pub fn none() -> Access {
    Access::new(People::new())
}

impl World {
    /// Stores the key that was asked for, or fails to.
    pub fn mint(&mut self, works: bool) {
        let (exchange, whom) = self.minting.pop_front().expect("a key was asked for");
        self.minted += 1;
        let number = 1000 + self.minted;
        let text = key(number);
        let (person, by_link) = match whom {
            For::Newcomer { name, role } => (Person::new(number, name, role), false),
            For::Person(person) => (Person::new(person, None, Role::Family), true),
            For::Device(person) => (Person::new(person, None, Role::Family), false),
        };
        let minted = works.then(|| (NewKey { number, hash: hash(&text), person, by_link }, text));
        self.home.handle_minted(exchange, minted, self.now);
        self.run(Duration::ZERO);
    }
}
