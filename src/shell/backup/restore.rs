//! Restoring puts saved people into the state directory, whole or not at all.
//!
//! They are written into a folder of their own there, and its rename begins the restore: from then on nobody else can be added.
//! Anyone who opens the directory next finishes it, also after a power cut. A reset that is begun goes before it.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::{HOUSE, KEYS, Saved};
use crate::shell::key_file::{KeyFile, KeyFileError};
use crate::shell::state::{self, StateError, failed};
use crate::shell::{clock, reset};

const BEGUN: &str = "restore";
/// What is not begun yet, or finished; it counts for nothing.
const BESIDE: &str = "restore.new";

/// All that a reset has to forget of it.
pub const FOLDERS: [&str; 2] = [BEGUN, BESIDE];

/// Why nothing is restored.
#[derive(Debug)]
pub enum RestoreError {
    /// So many may visit already, and people are never mixed.
    Known(usize),
    /// One is begun, and waits for the next start.
    Begun,
    /// The state directory does not take it, or what is in it makes no sense.
    Home(KeyFileError),
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RestoreError::Known(people) => write!(
                f,
                "home knows {people} {} already, and people are never mixed: restore them where nobody is known, as after `intercom reset`",
                if *people == 1 { "person" } else { "people" }
            ),
            RestoreError::Begun => f.write_str("people are being restored already; start the intercom again"),
            RestoreError::Home(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RestoreError {}

impl From<StateError> for RestoreError {
    fn from(error: StateError) -> RestoreError {
        RestoreError::Home(error.into())
    }
}

/// From here on these are home's people, also after a power cut; [`finish`] puts them in place.
///
/// # Errors
/// If home knows people, is being reset, or its disk does not take them. Then nothing has changed.
pub fn begin(state_dir: &Path, saved: &Saved) -> Result<(), RestoreError> {
    let stage = || {
        let (begun, beside) = (state_dir.join(BEGUN), state_dir.join(BESIDE));
        forget(&beside)?;
        state::make_dir_0700(&beside)?;
        hand_over(&beside)?;
        for (name, text) in saved.files() {
            state::write(&beside.join(name), text.as_bytes(), 0o600)?;
        }
        rename(&beside, &begun)
    };
    // A folder that is not empty would be in the way of the rename.
    if is_begun(state_dir) && !reset::is_begun(state_dir) {
        return Err(RestoreError::Begun);
    }
    match KeyFile::in_dir(state_dir).while_nobody(stage).map_err(RestoreError::Home)? {
        Ok(staged) => Ok(staged?),
        Err(people) => Err(RestoreError::Known(people)),
    }
}

/// Whether one began that is not finished.
pub fn is_begun(state_dir: &Path) -> bool {
    state_dir.join(BEGUN).is_dir()
}

/// Finishes what was begun, if anything was. Only for anyone who has the claim on the directory.
///
/// # Errors
/// If the files there cannot be written; it stays begun.
pub fn finish(state_dir: &Path) -> Result<(), KeyFileError> {
    let (begun, beside) = (state_dir.join(BEGUN), state_dir.join(BESIDE));
    if reset::is_begun(state_dir) || !is_begun(state_dir) {
        return Ok(());
    }
    match Saved::in_folder(&begun) {
        Ok(saved) => put_in_place(state_dir, &saved)?,
        Err(error) => log::error!("people are not restored: {error}"),
    }
    // First it counts for nothing: half of it would be another thing.
    rename(&begun, &beside)?;
    forget(&beside)?;
    Ok(())
}

fn put_in_place(state_dir: &Path, saved: &Saved) -> Result<(), KeyFileError> {
    // Done before a power cut.
    if state::read(&state_dir.join(KEYS))?.is_some_and(|keys| keys == saved.keys) {
        return Ok(());
    }
    let mut known = KeyFile::in_dir(state_dir).load()?;
    known.tidy(clock::unix_time());
    if !known.is_empty() {
        log::error!("people are not restored: home knows others by now");
        return Ok(());
    }
    let house = state_dir.join(HOUSE);
    match &saved.house {
        Some(text) => state::write(&house, text.as_bytes(), 0o600)?,
        None => state::remove(&house)?,
    }
    state::write(&state_dir.join(KEYS), saved.keys.as_bytes(), 0o600)?;
    reset::over(state_dir);
    log::info!("{} people are restored", saved.count());
    Ok(())
}

fn forget(folder: &Path) -> Result<(), StateError> {
    state::remove_dir(folder)
}

fn rename(from: &Path, to: &Path) -> Result<(), StateError> {
    let rename = || -> io::Result<()> {
        fs::rename(from, to)?;
        to.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
    };
    rename().map_err(failed("write", to))
}

fn hand_over(folder: &PathBuf) -> Result<(), StateError> {
    File::open(folder).map(|file| state::hand_over(&file, folder)).map_err(failed("open", folder))
}

#[cfg(test)]
mod tests {
    use intercom_core::call::items::For;
    use intercom_core::people::register::{Role, Wish};

    use super::*;
    use crate::shell::backup::tests::{home_of, names_in};
    use crate::shell::state::tests::TestDir;

    const HOURS: &str = "# mine\nquiet_hours = \"22:00-07:00\"\n";

    fn saved() -> Saved {
        let home = home_of(&["Anna", "Ben"]);
        fs::write(home.0.join(HOUSE), HOURS).unwrap();
        Saved::of_home(&home.0).unwrap().unwrap()
    }

    fn names(dir: &TestDir) -> Vec<Option<String>> {
        let people = KeyFile::in_dir(&dir.0).load().unwrap();
        people.persons().map(|person| person.name.clone()).collect()
    }

    #[test]
    fn a_home_that_knows_nobody_is_as_the_saved_one_was() {
        let (saved, dir) = (saved(), TestDir::new());
        fs::write(dir.0.join(HOUSE), "").unwrap();
        reset::begin(&dir.0).unwrap();
        reset::finish(&dir.0).unwrap();
        begin(&dir.0, &saved).unwrap();
        assert!(is_begun(&dir.0) && matches!(begin(&dir.0, &saved), Err(RestoreError::Begun)));
        finish(&dir.0).unwrap();
        assert_eq!(Saved::of_home(&dir.0).unwrap().unwrap(), saved);
        assert_eq!(fs::read_to_string(dir.0.join(HOUSE)).unwrap(), HOURS);
        assert_eq!(names_in(&dir.0), ["house.toml", "keys.toml"], "nothing is left, and there is no reset to tell of");
        assert!(!is_begun(&dir.0));
    }

    #[test]
    fn what_was_set_of_a_home_that_knows_nobody_is_not_mixed_in() {
        let (home, dir) = (home_of(&["Anna"]), TestDir::new());
        fs::write(dir.0.join(HOUSE), HOURS).unwrap();
        begin(&dir.0, &Saved::of_home(&home.0).unwrap().unwrap()).unwrap();
        finish(&dir.0).unwrap();
        assert_eq!(names_in(&dir.0), ["keys.toml"]);
    }

    #[test]
    fn people_are_never_mixed() {
        let (saved, other) = (saved(), home_of(&["Carla"]));
        let before = fs::read(other.0.join(KEYS)).unwrap();
        let refused = begin(&other.0, &saved).unwrap_err();
        assert!(refused.to_string().contains("home knows 1 person already"), "{refused}");
        assert_eq!(fs::read(other.0.join(KEYS)).unwrap(), before);
        assert_eq!(names_in(&other.0), ["keys.toml"]);
    }

    #[test]
    fn nobody_is_added_between_its_beginning_and_its_end() {
        let (saved, dir) = (saved(), TestDir::new());
        // The one that runs.
        let running = KeyFile::in_dir(&dir.0);
        begin(&dir.0, &saved).unwrap();
        let refused = running.mint_for_now(&For::Newcomer { name: None, role: Role::Owner }).unwrap_err();
        assert!(matches!(refused, KeyFileError::Restoring), "{refused}");
        assert!(running.invite(&Wish::default()).is_err());
        finish(&dir.0).unwrap();
        assert_eq!(names(&dir), [Some("Anna".to_owned()), Some("Ben".to_owned())]);
        running.invite(&Wish { name: Some("Carla".to_owned()), ..Wish::default() }).unwrap();
        assert_eq!(names(&dir).len(), 3);
    }

    #[test]
    fn a_reset_that_is_begun_goes_before_it_and_takes_what_waits_along() {
        let (saved, dir) = (saved(), TestDir::new());
        reset::begin(&dir.0).unwrap();
        let refused = begin(&dir.0, &saved).unwrap_err();
        assert!(matches!(refused, RestoreError::Home(KeyFileError::Reset)), "{refused}");
        reset::finish(&dir.0).unwrap();
        begin(&dir.0, &saved).unwrap();
        fs::create_dir(dir.0.join(BESIDE)).unwrap();
        reset::begin(&dir.0).unwrap();
        finish(&dir.0).unwrap();
        assert!(names(&dir).is_empty());
        reset::finish(&dir.0).unwrap();
        finish(&dir.0).unwrap();
        assert_eq!(names_in(&dir.0), ["reset"]);
        assert!(names(&dir).is_empty());
    }

    #[test]
    fn what_the_disk_does_not_take_is_put_in_place_later_and_nobody_comes_in_by_half_of_it() {
        let (saved, dir) = (saved(), TestDir::new());
        // Nothing can be renamed to where a folder with something in it is.
        let house = dir.0.join(HOUSE);
        fs::create_dir_all(house.join("x")).unwrap();
        begin(&dir.0, &saved).unwrap();
        assert!(finish(&dir.0).is_err());
        assert!(is_begun(&dir.0) && names(&dir).is_empty());
        fs::remove_dir_all(&house).unwrap();
        finish(&dir.0).unwrap();
        assert_eq!(Saved::of_home(&dir.0).unwrap().unwrap(), saved);
    }

    /// What the disk has at each moment: the state directory after so many of the steps that `begin` and `finish` make.
    fn cut_after(steps: usize, saved: &Saved) -> TestDir {
        let dir = TestDir::new();
        fs::write(dir.0.join(HOUSE), "# before\n").unwrap();
        let (begun, beside) = (dir.0.join(BEGUN), dir.0.join(BESIDE));
        let write = |path: PathBuf, text: &str| fs::write(path, text).unwrap();
        let all: [&dyn Fn(); 9] = [
            &|| fs::create_dir(&beside).unwrap(),
            &|| write(beside.join("keys.toml.new"), "next"),
            &|| fs::rename(beside.join("keys.toml.new"), beside.join(KEYS)).unwrap(),
            &|| write(beside.join(HOUSE), HOURS),
            &|| {
                write(beside.join(KEYS), &saved.keys);
                fs::rename(&beside, &begun).unwrap();
            },
            &|| write(dir.0.join(HOUSE), HOURS),
            &|| write(dir.0.join(KEYS), &saved.keys),
            &|| fs::rename(&begun, &beside).unwrap(),
            &|| fs::remove_file(beside.join(HOUSE)).unwrap(),
        ];
        all.iter().take(steps).for_each(|step| step());
        dir
    }

    #[test]
    fn wherever_the_power_is_cut_all_is_restored_or_nothing() {
        let saved = saved();
        for steps in 0..=9 {
            let dir = cut_after(steps, &saved);
            // The next start.
            finish(&dir.0).unwrap();
            let (house, people) = (fs::read_to_string(dir.0.join(HOUSE)).unwrap(), names(&dir));
            let expected = if steps < 5 { ("# before\n", 0) } else { (HOURS, 2) };
            assert_eq!((&*house, people.len()), expected, "after {steps} steps");
            assert!(!is_begun(&dir.0));
        }
    }
}
