//! A stick with the label PEOPLE in the flashed image: people are saved on it or, where nobody is known, restored from it.

use std::io;
use std::path::Path;

use intercom_base::letters::clipped;
use intercom_core::tv::message::{Message, Text};

use super::restore::RestoreError;
use super::{BackupError, Saved, command, folder};
use crate::config::StatePaths;
use crate::shell::key_file::KeyFileError;
use crate::shell::state::StateError;

/// Letters of what is wrong in a file, so that the sentence around it fits.
const LONGEST_WHY: usize = 28;

/// What is to be done with a stick.
#[derive(Debug, PartialEq, Eq)]
enum Plan<'a> {
    /// These are to be saved.
    Save(&'a Saved),
    /// They are there as they are at home.
    IsSaved,
    /// Others are there: a newer folder would be in the way of whoever wants those back.
    Others,
    /// Nobody is known, and these are to be.
    Restore(&'a Saved),
    /// Nobody is known and nobody saved.
    Nobody,
}

/// `newest` is the last saved folder of the stick, `home` what home knows.
fn plan<'a>(home: Option<&'a Saved>, newest: Option<&'a Saved>) -> Plan<'a> {
    match (home, newest) {
        (Some(home), Some(newest)) if home == newest => Plan::IsSaved,
        (Some(home), Some(newest)) if !home.people().shares_a_key(newest.people()) => Plan::Others,
        (Some(home), _) => Plan::Save(home),
        (None, Some(newest)) => Plan::Restore(newest),
        (None, None) => Plan::Nobody,
    }
}

/// Saves or restores; says what the TV tells of it. `stick` is the folder of the stick's files; one that is not there could not be
/// opened. After [`Message::PeopleRestored`] it remains to call [`command::take_effect`].
pub fn handle(paths: &StatePaths, stick: &Path, stamp: &str) -> Message {
    if !stick.is_dir() {
        return Message::PeopleStickFormat;
    }
    let home = match Saved::of_home(&paths.state) {
        Ok(home) => home,
        Err(error) => return of_home(error),
    };
    let newest = match newest(stick, home.is_some()) {
        Ok(newest) => newest,
        Err(error) => return of_stick(error, stick),
    };
    match plan(home.as_ref(), newest.as_ref()) {
        Plan::Save(people) => match folder::save(people, stick, stamp) {
            Ok(path) => {
                log::info!("{} people are saved in {}", people.count(), path.display());
                Message::PeopleSaved
            }
            Err(error) => of_stick(error, stick),
        },
        Plan::IsSaved => Message::PeopleSaved,
        Plan::Others => Message::PeopleKnown,
        Plan::Restore(people) => match command::begin(paths, people) {
            // One that waits is finished now.
            Ok(()) | Err(RestoreError::Begun) => Message::PeopleRestored,
            Err(RestoreError::Known(_)) => Message::PeopleKnown,
            Err(RestoreError::Home(KeyFileError::Reset)) => Message::PeopleReset,
            Err(RestoreError::Home(KeyFileError::Broken { .. })) => Message::PeopleKeysDamaged,
            Err(RestoreError::Home(error)) => Message::PeopleDisk { why: Text::new(cause(&error)) },
        },
        Plan::Nobody => Message::PeopleNone,
    }
}

/// What the last saved folder holds. One that makes no sense is in the way of nobody who saves.
fn newest(stick: &Path, saves: bool) -> Result<Option<Saved>, BackupError> {
    let Some(path) = folder::newest(stick)? else { return Ok(None) };
    match Saved::in_folder(&path) {
        Ok(saved) => Ok(Some(saved)),
        Err(BackupError::Broken { .. }) if saves => Ok(None),
        Err(error) => Err(error),
    }
}

/// What is wrong with home's own files.
fn of_home(error: BackupError) -> Message {
    log::warn!("{error}");
    match error {
        BackupError::Broken { .. } => Message::PeopleKeysDamaged,
        BackupError::Unreadable(error) | BackupError::Unwritable(error) => {
            Message::PeopleDisk { why: Text::new(error.source) }
        }
    }
}

/// What is wrong with the stick, and what is on it.
fn of_stick(error: BackupError, stick: &Path) -> Message {
    log::warn!("{error}");
    match error {
        BackupError::Broken { path, problem } => {
            let file = path.strip_prefix(stick).unwrap_or(&path).display();
            // A library's words may have several lines.
            let why = clipped(problem.lines().next().unwrap_or_default(), LONGEST_WHY);
            Message::PeopleBroken { file: Text::new(file), why: Text::new(why) }
        }
        BackupError::Unreadable(StateError { source, .. }) => Message::PeopleStickUnreadable { why: Text::new(source) },
        BackupError::Unwritable(StateError { source, .. }) => match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Message::PeopleStickFull,
            io::ErrorKind::ReadOnlyFilesystem => Message::PeopleStickLocked,
            _ => Message::PeopleStickUnwritable { why: Text::new(source) },
        },
    }
}

/// The system's own word, where there is one.
fn cause(error: &KeyFileError) -> String {
    match error {
        KeyFileError::State(error) => error.source.to_string(),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use intercom_base::language::Language;

    use super::*;
    use crate::shell::backup::tests::{home_of, names_in};
    use crate::shell::backup::{KEYS, MOST_BYTES};
    use crate::shell::key_file::KeyFile;
    use crate::shell::notice_board::{leave, tests::told_in_each};
    use crate::shell::reset;
    use crate::shell::state::tests::TestDir;

    const NOW: &str = "2026-11-30-1412";

    fn plug(home: &TestDir, stick: &TestDir) -> Message {
        handle(&StatePaths::at(&home.0), &stick.0, NOW)
    }

    /// The same, and what is begun takes effect as at the next start.
    fn plug_and_start(home: &TestDir, stick: &TestDir) -> Message {
        let message = plug(home, stick);
        if message == Message::PeopleRestored {
            command::take_effect(&home.0, &home.0).unwrap();
        }
        message
    }

    fn names(home: &TestDir) -> Vec<String> {
        let people = KeyFile::in_dir(&home.0).load().unwrap();
        people.persons().filter_map(|person| person.name.clone()).collect()
    }

    #[test]
    fn people_go_by_a_stick_from_one_home_to_a_new_one() {
        let (old, new, stick) = (home_of(&["Anna", "Ben"]), TestDir::new(), TestDir::new());
        assert_eq!(plug_and_start(&old, &stick), Message::PeopleSaved);
        assert_eq!(names_in(&stick.0), ["intercom-2026-11-30-1412"]);
        assert_eq!(plug_and_start(&new, &stick), Message::PeopleRestored);
        assert_eq!(names(&new), ["Anna", "Ben"]);
        // It is still in at the next start.
        assert_eq!(plug_and_start(&new, &stick), Message::PeopleSaved);
        assert_eq!(names_in(&stick.0).len(), 1, "the same people are saved once");
        KeyFile::in_dir(&new.0).invite(&Default::default()).unwrap();
        assert_eq!(plug_and_start(&new, &stick), Message::PeopleSaved);
        assert_eq!(names_in(&stick.0), ["intercom-2026-11-30-1412", "intercom-2026-11-30-1412-2"]);
    }

    #[test]
    fn where_somebody_was_let_in_first_the_people_of_the_stick_are_not_buried() {
        let (old, new, stick) = (home_of(&["Anna", "Ben"]), home_of(&["Carla"]), TestDir::new());
        assert_eq!(plug_and_start(&old, &stick), Message::PeopleSaved);
        assert_eq!(plug_and_start(&new, &stick), Message::PeopleKnown);
        assert_eq!((names(&new), names_in(&stick.0).len()), (vec!["Carla".to_owned()], 1));
        // As the TV says.
        reset::begin(&new.0).unwrap();
        assert_eq!(plug_and_start(&new, &stick), Message::PeopleReset);
        reset::finish(&new.0).unwrap();
        assert_eq!(plug_and_start(&new, &stick), Message::PeopleRestored);
        assert_eq!(names(&new), ["Anna", "Ben"]);
    }

    #[test]
    fn a_home_without_people_and_a_stick_without_them_are_told_what_to_do() {
        let (home, stick) = (TestDir::new(), TestDir::new());
        assert_eq!(plug(&home, &stick), Message::PeopleNone);
        assert_eq!(handle(&StatePaths::at(&home.0), &stick.0.join("gone"), NOW), Message::PeopleStickFormat);
        assert!(names_in(&stick.0).is_empty() && names(&home).is_empty());
        let damaged = TestDir::new();
        fs::write(damaged.0.join(KEYS), "next = ?").unwrap();
        assert_eq!(plug(&damaged, &stick), Message::PeopleKeysDamaged);
        assert!(names_in(&stick.0).is_empty());
    }

    #[test]
    fn what_is_wrong_on_the_stick_is_told_by_file_and_line_and_changes_nothing() {
        let saved = TestDir::new();
        let older = saved.0.join("intercom-2025-01-01-0000");
        fs::create_dir(&older).unwrap();
        fs::copy(home_of(&["Anna"]).0.join(KEYS), older.join(KEYS)).unwrap();
        let folder = saved.0.join("intercom-2026-11-30-1411");
        let good = fs::read_to_string(older.join(KEYS)).unwrap();
        type Make<'a> = &'a dyn Fn();
        let (keys, house) = (folder.join(KEYS), folder.join("house.toml"));
        let write = |path: &Path, bytes: &[u8]| fs::write(path, bytes).unwrap();
        let cases: [(Make<'_>, &str, &str); 9] = [
            (&|| (), "keys.toml", "this file is missing"),
            (&|| write(&keys, b"next = 1\n"), "keys.toml", "nobody is in this file"),
            (&|| write(&keys, good.replace("role", "rule").as_bytes()), "keys.toml", "line 8: unknown field"),
            (&|| write(&keys, b"# one\n# two \xff\n"), "keys.toml", "line 2: no UTF-8 text"),
            (&|| write(&keys, &vec![b'#'; MOST_BYTES as usize + 1]), "keys.toml", "this is larger than"),
            (&|| fs::create_dir(&keys).unwrap(), "keys.toml", "this is not a file"),
            (&|| std::os::unix::fs::symlink(older.join(KEYS), &keys).unwrap(), "keys.toml", "this is a link"),
            (
                &|| {
                    write(&keys, good.as_bytes());
                    write(&house, b"quiet_hours = 7\n");
                },
                "house.toml",
                "line 1: ",
            ),
            (
                &|| {
                    write(&keys, good.as_bytes());
                    let made = std::process::Command::new("mkfifo").arg(&house).status().unwrap();
                    assert!(made.success());
                },
                "house.toml",
                "this is not a file",
            ),
        ];
        for (make, file, told) in cases {
            fs::create_dir(&folder).unwrap();
            make();
            let home = TestDir::new();
            let Message::PeopleBroken { file: named, why } = plug_and_start(&home, &saved) else {
                panic!("{told}: not told")
            };
            assert_eq!(named.as_str(), format!("intercom-2026-11-30-1411/{file}"), "{told}");
            assert!(why.as_str().starts_with(told), "{told}: {}", why.as_str());
            assert!(names(&home).is_empty() && names_in(&home.0).is_empty(), "{told}: something is restored");
            // Whoever saves is not in its way.
            assert_eq!(plug(&home_of(&["Ben"]), &saved), Message::PeopleSaved, "{told}");
            fs::remove_dir_all(saved.0.join(format!("intercom-{NOW}"))).unwrap();
            fs::remove_dir_all(&folder).unwrap();
        }
    }

    #[test]
    fn what_the_stick_does_not_take_is_told_by_its_cause() {
        let failed = |kind: io::ErrorKind| {
            let error = StateError { action: "write", path: "/stick/x".into(), source: kind.into() };
            of_stick(BackupError::Unwritable(error), Path::new("/stick"))
        };
        assert_eq!(failed(io::ErrorKind::StorageFull), Message::PeopleStickFull);
        assert_eq!(failed(io::ErrorKind::ReadOnlyFilesystem), Message::PeopleStickLocked);
        let gone = io::Error::from(rustix::io::Errno::IO);
        let error = StateError { action: "write", path: "/stick/x".into(), source: gone };
        let message = of_stick(BackupError::Unwritable(error), Path::new("/stick"));
        assert!(message.english().contains("Input/output error"), "{message:?}");
    }

    #[test]
    fn the_tv_says_it_in_its_language() {
        let notices = TestDir::new();
        let folder = notices.0.join("notices");
        leave(&folder, "people-sdb1", Some(&Message::PeopleSaved)).unwrap();
        let said = told_in_each(&folder);
        assert_eq!(said[0].1, Language::English.sentences().people_saved);
        assert!(said[1].1.contains("Stick"), "{said:?}");
    }
}
