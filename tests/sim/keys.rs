//! Who may come into a simulated home.

use intercom_core::people::access::Access;
use intercom_core::people::keys::{Key, KeyId};
use intercom_core::people::register::{People, Person, Role};

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

/// A home that many know.
pub fn known() -> Access {
    let mut people = People::new();
    for number in 0..=MOST {
        people.take_device(Person { number, name: None, role: Role::Family }, KeyId(number), numbered(number).hash());
    }
    Access::new(people)
}

/// As on the first day: no key outlives the process yet.
pub fn none() -> Access {
    Access::new(People::new())
}
