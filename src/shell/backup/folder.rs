//! Saved folders: `intercom-2026-11-30-1412`, the minute in local time; a further one of the same minute ends in `-2`.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{BackupError, Saved};
use crate::shell::state::{Lock, failed};

const PREFIX: &str = "intercom-";
/// A folder that is being written; one of a power cut is worth nothing.
const UNFINISHED: &str = ".new";
/// Entries of a folder that are looked at: as many as a folder of FAT can have.
const MOST_ENTRIES: usize = 65_536;

/// The name of a saved folder; the later one is the greater one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    /// `2026-11-30-1412`
    stamp: String,
    /// From 1.
    number: u32,
}

impl Name {
    /// `None` if it is another folder's.
    fn parse(name: &str) -> Option<Name> {
        let (prefix, rest) = name.split_at_checked(PREFIX.len())?;
        let (stamp, rest) = rest.split_at_checked(15)?;
        let digit = |(at, byte): (usize, u8)| {
            if matches!(at, 4 | 7 | 10) { byte == b'-' } else { byte.is_ascii_digit() }
        };
        let is_stamp = prefix.eq_ignore_ascii_case(PREFIX) && stamp.bytes().enumerate().all(digit);
        let number = match rest.strip_prefix('-') {
            None if rest.is_empty() => 1,
            Some(digits) if digits.starts_with(|first: char| first.is_ascii_digit()) => digits.parse().ok()?,
            _ => return None,
        };
        is_stamp.then(|| Name { stamp: stamp.to_owned(), number })
    }

    /// A name that comes behind all others: where the clock went back, as it does when summer time ends, the newest folder must still be
    /// the last one.
    fn behind(newest: Option<Name>, stamp: &str) -> Name {
        match newest {
            Some(Name { stamp: last, number }) if *last >= *stamp => {
                Name { stamp: last, number: number.saturating_add(1) }
            }
            _ => Name { stamp: stamp.to_owned(), number: 1 },
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.stamp)?;
        if self.number > 1 { write!(f, "-{}", self.number) } else { Ok(()) }
    }
}

/// The saved folder that was written last, if there is one in `folder`.
///
/// # Errors
/// If the system cannot read the folder.
pub fn newest(folder: &Path) -> Result<Option<PathBuf>, BackupError> {
    let found = scan(folder).map_err(|error| BackupError::Unreadable(failed("read", folder)(error)))?;
    Ok(found.newest.map(|(_, path)| path))
}

/// Writes a new folder in `folder`, durably, whole or not at all; nothing is overwritten. `stamp` is the local time, as in
/// `2026-11-30-1412`.
///
/// # Errors
/// If the system does not take it.
pub fn save(saved: &Saved, folder: &Path, stamp: &str) -> Result<PathBuf, BackupError> {
    let wrong = |error: io::Error| BackupError::Unwritable(failed("write", folder)(error));
    let lock = Lock::try_take(folder).map_err(BackupError::Unwritable)?;
    let Some(_one_at_a_time) = lock else { return Err(wrong(io::Error::other("another program saves there now"))) };
    let found = scan(folder).map_err(|error| BackupError::Unreadable(failed("read", folder)(error)))?;
    for left in found.unfinished {
        let _ = fs::remove_dir_all(left);
    }
    let mut name = Name::behind(found.newest.map(|(name, _)| name), stamp);
    // A file may have that name.
    while fs::symlink_metadata(folder.join(name.to_string())).is_ok() {
        name.number = name.number.checked_add(1).ok_or_else(|| wrong(io::ErrorKind::AlreadyExists.into()))?;
    }
    let (path, beside) = (folder.join(name.to_string()), folder.join(format!("{name}{UNFINISHED}")));
    let written = write(saved, &beside).and_then(|()| fs::rename(&beside, &path)).and_then(|()| sync(folder));
    match written {
        Ok(()) => Ok(path),
        Err(error) => {
            let _ = fs::remove_dir_all(&beside);
            Err(BackupError::Unwritable(failed("write", &path)(error)))
        }
    }
}

/// No mode is set behind the making: FAT has none, and refuses.
fn write(saved: &Saved, folder: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(folder)?;
    for (name, text) in saved.files() {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join(name))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
    }
    sync(folder)
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// What of saved folders is in a folder.
#[derive(Default)]
struct Found {
    newest: Option<(Name, PathBuf)>,
    unfinished: Vec<PathBuf>,
}

fn scan(folder: &Path) -> io::Result<Found> {
    let mut found = Found::default();
    for entry in fs::read_dir(folder)?.take(MOST_ENTRIES) {
        let entry = entry?;
        // Links are not followed.
        if !entry.file_type()?.is_dir() {
            continue;
        }
        let name = entry.file_name();
        let Some(text) = name.to_str() else { continue };
        match (Name::parse(text), text.strip_suffix(UNFINISHED)) {
            (Some(name), _) if found.newest.as_ref().is_none_or(|(newest, _)| name > *newest) => {
                found.newest = Some((name, entry.path()));
            }
            (None, Some(begun)) if Name::parse(begun).is_some() => found.unfinished.push(entry.path()),
            _ => {}
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::backup::tests::home_of;
    use crate::shell::state::tests::TestDir;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn file_name(path: &Path) -> &str {
        path.file_name().unwrap().to_str().unwrap()
    }

    #[test]
    fn names_of_saved_folders_and_no_others() {
        for (name, number) in [
            ("intercom-2026-11-30-1412", Some(1)),
            ("INTERCOM-2026-11-30-1412", Some(1)),
            ("intercom-2026-11-30-1412-2", Some(2)),
            ("intercom-2026-11-30-1412-10", Some(10)),
            ("intercom-2026-11-30-1412-", None),
            ("intercom-2026-11-30-1412-+2", None),
            ("intercom-2026-11-30-1412-99999999999", None),
            ("intercom-2026-11-30-1412.new", None),
            ("intercom-2026-11-30-1412 - Copy", None),
            ("intercom-2026-11-30", None),
            ("intercom-2026-11-30 1412", None),
            ("intercom-２026-11-30-1412", None),
            ("intercom-0.1.0.update", None),
            ("éééééé", None),
            ("", None),
        ] {
            assert_eq!(Name::parse(name).map(|name| name.number), number, "{name}");
        }
        let later = ["intercom-2026-11-30-1412-2", "intercom-2026-11-30-1412-10", "intercom-2026-11-30-1413"];
        assert!(later.map(|name| Name::parse(name).unwrap()).is_sorted());
    }

    #[test]
    fn nothing_is_overwritten_and_the_newest_is_the_last_one_however_the_clock_goes() {
        let (home, stick) = (home_of(&["Anna"]), TestDir::new());
        let saved = Saved::of_home(&home.0).unwrap().unwrap();
        let save = |stamp: &str| file_name(&save(&saved, &stick.0, stamp).unwrap()).to_owned();
        assert_eq!(newest(&stick.0).unwrap(), None);
        assert_eq!(save("2026-10-25-0250"), "intercom-2026-10-25-0250");
        assert_eq!(save("2026-10-25-0250"), "intercom-2026-10-25-0250-2");
        // Summer time has ended.
        assert_eq!(save("2026-10-25-0210"), "intercom-2026-10-25-0250-3");
        // The clock is one of the first day.
        assert_eq!(save("1970-01-01-0000"), "intercom-2026-10-25-0250-4");
        assert_eq!(file_name(&newest(&stick.0).unwrap().unwrap()), "intercom-2026-10-25-0250-4");
        fs::write(stick.0.join("intercom-2026-10-26-0800"), "a file").unwrap();
        assert_eq!(save("2026-10-26-0800"), "intercom-2026-10-26-0800-2");
        assert_eq!(fs::read_to_string(stick.0.join("intercom-2026-10-26-0800")).unwrap(), "a file");
        let found = newest(&stick.0).unwrap().unwrap();
        assert_eq!(names(&found), ["keys.toml"]);
        assert_eq!(Saved::in_folder(&found).unwrap(), saved);
    }

    #[test]
    fn what_a_power_cut_left_is_no_saved_folder_and_goes() {
        let (home, stick) = (home_of(&["Anna"]), TestDir::new());
        let saved = Saved::of_home(&home.0).unwrap().unwrap();
        let left = stick.0.join("intercom-2026-11-30-1412.new");
        fs::create_dir(&left).unwrap();
        fs::write(left.join("keys.toml"), "next = ").unwrap();
        fs::create_dir(stick.0.join("holidays.new")).unwrap();
        assert_eq!(newest(&stick.0).unwrap(), None);
        save(&saved, &stick.0, "2026-11-30-1413").unwrap();
        assert_eq!(names(&stick.0), ["holidays.new", "intercom-2026-11-30-1413"]);
    }

    #[test]
    fn a_stick_that_is_full_keeps_nothing_half() {
        let home = home_of(&["Anna"]);
        let saved = Saved::of_home(&home.0).unwrap().unwrap();
        let nowhere = save(&saved, Path::new("/nowhere"), "2026-11-30-1412").unwrap_err();
        assert!(nowhere.to_string().contains("/nowhere"), "{nowhere}");
        let stick = TestDir::new();
        let beside = stick.0.join("intercom-2026-11-30-1412");
        // No folder can be made below a file.
        assert!(write(&saved, &beside.join("x")).is_err());
        assert_eq!(names(&stick.0), [""; 0]);
    }
}
