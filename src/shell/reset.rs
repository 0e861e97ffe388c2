//! `intercom reset`: people, the visit log, what an owner set, and what phones know this home by are forgotten, so that it is as on its first day, whole or not at all.
//!
//! A mark in the state directory begins it. From then on the keys count for nothing, and anyone who opens the directory next
//! finishes what a power cut left. Then the mark says that it was made, until a phone is paired.

use std::io;
use std::path::{Path, PathBuf};

use crate::shell::backup::restore;
use crate::shell::state::{self, StateError};

const BEGUN: &str = "begun\n";
const MADE: &str = "made\n";

/// What is forgotten, with what an interrupted write may have left beside each. A key without its certificate is taken
/// for a left-over; the other way round would be a mistake to report.
const FILES: [&str; 9] = [
    "keys.toml",
    "leaf.pem",
    "ca.pem",
    "ca.key",
    "house.toml",
    "visits.toml",
    "visits.toml.old",
    "news.toml",
    "news.toml.old",
];

/// From here on no key opens anything, also not after a power cut.
///
/// # Errors
/// If the disk does not take that; then nothing has changed.
pub fn begin(state_dir: &Path) -> Result<(), StateError> {
    match mark(state_dir, BEGUN) {
        Err(error) if matches!(error.source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
            // To take something away always works, and makes room.
            state::remove(&state_dir.join("keys.toml"))?;
            mark(state_dir, BEGUN).or_else(|_| forget(state_dir))
        }
        result => result,
    }
}

/// Whether one began that is not finished. A mark that cannot be read counts as one: else a home could go on with the keys that
/// its owner wanted gone.
pub fn is_begun(state_dir: &Path) -> bool {
    match state::read(&path(state_dir)) {
        Ok(None) => false,
        Ok(Some(mark)) => mark != MADE,
        Err(error) => error.source.kind() != io::ErrorKind::NotADirectory,
    }
}

/// Whether one was made, and no phone was paired since.
pub fn is_made(state_dir: &Path) -> bool {
    state::read(&path(state_dir)).is_ok_and(|mark| mark.as_deref() == Some(MADE))
}

/// Finishes what was begun, if anything was. Only for anyone who has the claim on the directory.
///
/// # Errors
/// If files cannot be removed.
pub fn finish(state_dir: &Path) -> Result<(), StateError> {
    if !is_begun(state_dir) {
        return Ok(());
    }
    forget(state_dir)?;
    mark(state_dir, MADE)
}

/// A phone was paired: there is nothing to tell any more. That this is not written is no misfortune.
pub fn over(state_dir: &Path) {
    if is_made(state_dir) {
        let _ = state::remove(&path(state_dir));
    }
}

fn forget(state_dir: &Path) -> Result<(), StateError> {
    for name in ["leaves"].into_iter().chain(restore::FOLDERS) {
        state::remove_dir(&state_dir.join(name))?;
    }
    for name in FILES {
        state::remove(&state_dir.join(name))?;
        state::remove(&state_dir.join(format!("{name}.new")))?;
    }
    Ok(())
}

/// It holds no secret, and anyone who runs the intercom must be able to read it, no matter who asked for the reset.
fn mark(state_dir: &Path, text: &str) -> Result<(), StateError> {
    state::write(&path(state_dir), text.as_bytes(), 0o644)
}

fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("reset")
}

#[cfg(test)]
mod tests {
    use intercom_core::people::register::Wish;

    use super::*;
    use crate::shell::key_file::KeyFile;
    use crate::shell::state::tests::TestDir;

    fn lived_in() -> TestDir {
        let dir = TestDir::new();
        for name in [
            "keys.toml.new",
            "leaf.pem",
            "ca.pem",
            "ca.key",
            "house.toml",
            "visits.toml",
            "visits.toml.old",
            "news.toml",
            "news.toml.old",
            "last-good.toml",
        ] {
            std::fs::write(dir.0.join(name), "x").unwrap();
        }
        KeyFile::in_dir(&dir.0).invite(&Wish::default()).unwrap();
        dir
    }

    fn names(dir: &TestDir) -> Vec<String> {
        let entries = std::fs::read_dir(&dir.0).unwrap().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.retain(|name| name != "keys.lock");
        names.sort();
        names
    }

    #[test]
    fn everything_goes_but_the_last_good_settings_and_it_is_told_until_a_phone_is_paired() {
        let dir = lived_in();
        finish(&dir.0).unwrap();
        assert!(names(&dir).len() > 4, "nothing was begun");
        begin(&dir.0).unwrap();
        finish(&dir.0).unwrap();
        assert_eq!(names(&dir), ["last-good.toml", "reset"]);
        assert!(is_made(&dir.0) && !is_begun(&dir.0));
        let (link, _) = KeyFile::in_dir(&dir.0).invite(&Wish::default()).unwrap();
        assert_eq!(link.person.number, 1, "as on the first day");
        assert!(!is_made(&dir.0));
    }

    #[test]
    fn a_mark_that_cannot_be_read_is_one_that_was_begun() {
        for rubbish in [&b""[..], b"beg", b"mad", b"\xff"] {
            let dir = lived_in();
            std::fs::write(dir.0.join("reset"), rubbish).unwrap();
            assert!(is_begun(&dir.0) && KeyFile::in_dir(&dir.0).load().unwrap().is_empty(), "{rubbish:?}");
            finish(&dir.0).unwrap();
            assert_eq!(names(&dir), ["last-good.toml", "reset"]);
            assert!(is_made(&dir.0));
        }
    }

    #[test]
    fn wherever_the_power_is_cut_no_key_of_before_counts_once_it_began() {
        let steps = FILES.len();
        for cut in 0..=steps {
            let dir = lived_in();
            let keys = KeyFile::in_dir(&dir.0);
            begin(&dir.0).unwrap();
            for name in &FILES[..cut] {
                state::remove(&dir.0.join(name)).unwrap();
            }
            // The next start.
            assert!(keys.load().unwrap().is_empty());
            assert!(keys.invite(&Wish::default()).unwrap_err().to_string().contains("reset"));
            finish(&dir.0).unwrap();
            assert_eq!(names(&dir), ["last-good.toml", "reset"]);
        }
    }
}
