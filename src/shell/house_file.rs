//! `house.toml` in the state directory: what an owner set of home on the page. It goes before `intercom.toml`, which stays the machine's.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use intercom_core::people::entering::Hours;
use serde::Deserialize;

use crate::shell::state;

/// See the module. All clones are one.
#[derive(Clone, Debug)]
pub struct HouseFile {
    path: PathBuf,
    /// What the disk has not taken.
    unkept: Arc<Mutex<Option<House>>>,
}

/// What an owner set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct House {
    /// When home rests.
    pub quiet_hours: Option<Hours>,
}

impl House {
    /// Reads the text of the file. The error says the line and what is wrong there.
    pub fn from_toml(text: &str) -> Result<House, String> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            format!("line {line}: {}", error.message())
        })
    }

    fn to_toml(self) -> String {
        let mut text = "# What an owner set of home, on the page. It goes before intercom.toml.\n".to_owned();
        if let Some(hours) = self.quiet_hours {
            text += &format!("quiet_hours = \"{hours}\"\n");
        }
        text
    }
}

impl HouseFile {
    /// The one in `state_dir`; it need not exist yet.
    pub fn in_dir(state_dir: &Path) -> HouseFile {
        HouseFile { path: state_dir.join("house.toml"), unkept: Arc::default() }
    }

    /// What is set. A file that makes no sense is told in the log and sets nothing; it stays until an owner sets something.
    pub fn load(&self) -> House {
        self.read().unwrap_or_else(|problem| {
            log::error!("{problem}; correct it, or set it anew on an owner's page");
            House::default()
        })
    }

    /// The same, for `check`.
    ///
    /// # Errors
    /// File, line and problem.
    pub fn read(&self) -> Result<House, String> {
        match state::read(&self.path) {
            Ok(None) => Ok(House::default()),
            Ok(Some(text)) => House::from_toml(&text).map_err(|problem| format!("{}: {problem}", self.path.display())),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Stores home's quiet hours. What the disk does not take holds until the end of the process, or until [`HouseFile::retry`].
    pub fn store_quiet_hours(&self, hours: Option<Hours>) {
        let mut unkept = self.unkept();
        let house = House { quiet_hours: hours };
        *unkept = self.write(house).err().map(|error| {
            log::error!("home's quiet hours hold only until the end of this process: {error}");
            house
        });
    }

    /// Stores what the disk did not take, perhaps because it does now.
    pub fn retry(&self) {
        let mut unkept = self.unkept();
        if unkept.is_some_and(|house| self.write(house).is_ok()) {
            *unkept = None;
        }
    }

    fn write(&self, house: House) -> Result<(), state::StateError> {
        state::write(&self.path, house.to_toml().as_bytes(), 0o600)
    }

    fn unkept(&self) -> MutexGuard<'_, Option<House>> {
        self.unkept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::state::tests::TestDir;

    #[test]
    fn what_is_set_outlives_the_process_and_what_is_taken_back_too() {
        let dir = TestDir::new();
        let file = HouseFile::in_dir(&dir.0);
        assert_eq!(file.load(), House::default());
        for hours in [Some("22:00-07:00".parse().unwrap()), None, Some("13:00-15:00".parse().unwrap())] {
            file.store_quiet_hours(hours);
            assert_eq!(HouseFile::in_dir(&dir.0).load().quiet_hours, hours);
        }
    }

    #[test]
    fn a_mistake_is_told_by_line_and_lost_by_nothing_but_an_owner() {
        let dir = TestDir::new();
        let path = dir.0.join("house.toml");
        for (text, why) in [
            ("# mine\nquiet_hours = \"22-7\"\n", "line 2: quiet hours are like"),
            ("# mine\n\nquite_hours = 1\n", "line 3: unknown field"),
            ("=", "line 1"),
        ] {
            std::fs::write(&path, text).unwrap();
            let problem = HouseFile::in_dir(&dir.0).read().unwrap_err();
            assert!(problem.contains("house.toml") && problem.contains(why), "{problem}");
            assert_eq!(HouseFile::in_dir(&dir.0).load(), House::default());
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn what_the_disk_does_not_take_is_kept_when_it_does() {
        let dir = TestDir::new();
        let place = dir.0.join("state");
        let file = HouseFile::in_dir(&place);
        file.store_quiet_hours(Some("22:00-07:00".parse().unwrap()));
        assert_eq!(HouseFile::in_dir(&place).load(), House::default());
        std::fs::create_dir(&place).unwrap();
        file.retry();
        assert!(HouseFile::in_dir(&place).load().quiet_hours.is_some());
    }
}
