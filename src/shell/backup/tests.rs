//! Homes of tests, and what of one is saved.

use std::fs;

use intercom_core::call::items::For;
use intercom_core::people::register::{Role, Wish};

use super::*;
use crate::shell::key_file::KeyFile;
use crate::shell::state::tests::TestDir;

/// A home that knows these, each with a device.
pub(super) fn home_of(names: &[&str]) -> TestDir {
    let dir = TestDir::new();
    let file = KeyFile::in_dir(&dir.0);
    for name in names {
        file.mint_for_now(&For::Newcomer { name: Some((*name).to_owned()), role: Role::Family }).unwrap();
    }
    dir
}

/// What is in a folder, without the lock that stays.
pub(super) fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name != "keys.lock");
    names.sort();
    names
}

#[test]
fn a_home_is_saved_as_it_is_and_one_that_knows_nobody_is_not() {
    let home = home_of(&["Anna"]);
    let house = "# mine\nquiet_hours = \"22:00-07:00\"\n";
    fs::write(home.0.join(HOUSE), house).unwrap();
    let saved = Saved::of_home(&home.0).unwrap().unwrap();
    let files: Vec<(&str, &str)> = saved.files().collect();
    assert_eq!(files, [(KEYS, &*fs::read_to_string(home.0.join(KEYS)).unwrap()), (HOUSE, house)]);
    assert_eq!(saved.count(), 1);
    KeyFile::in_dir(&home.0).revoke(1).unwrap().unwrap();
    assert_eq!(Saved::of_home(&home.0).unwrap(), None);
    assert_eq!(Saved::of_home(&TestDir::new().0).unwrap(), None);
}

#[test]
fn somebody_who_has_but_a_link_is_somebody_until_it_is_over() {
    let home = TestDir::new();
    KeyFile::in_dir(&home.0).invite(&Wish::default()).unwrap();
    assert_eq!(Saved::of_home(&home.0).unwrap().unwrap().count(), 1);
    let keys = home.0.join(KEYS);
    let text = fs::read_to_string(&keys).unwrap();
    let year = text.split_once("until = \"").unwrap().1[..4].to_owned();
    fs::write(&keys, text.replace(&format!("until = \"{year}"), "until = \"1999")).unwrap();
    assert_eq!(Saved::of_home(&home.0).unwrap(), None);
}

#[test]
fn no_secret_is_saved() {
    let home = TestDir::new();
    let file = KeyFile::in_dir(&home.0);
    let (_, key, _) = file.mint_for_now(&For::Newcomer { name: None, role: Role::Owner }).unwrap();
    let (_, token) = file.invite(&Wish::default()).unwrap();
    fs::write(home.0.join("ca.key"), "a secret").unwrap();
    let stick = TestDir::new();
    let path = folder::save(&Saved::of_home(&home.0).unwrap().unwrap(), &stick.0, "2026-11-30-1412").unwrap();
    assert_eq!(names_in(&path), [KEYS]);
    let text = fs::read_to_string(path.join(KEYS)).unwrap();
    assert!(!text.contains(&key.to_text()) && !text.contains(&token.to_text()));
}
