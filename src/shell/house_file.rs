//! `house.toml` in the state directory: what an owner set of home on the page. It goes before `intercom.toml`, which stays the machine's.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use intercom_core::call::house::House;
use intercom_core::devices::doctor::HouseReport;

use crate::shell::state;

/// See the module. All clones are one.
#[derive(Clone, Debug)]
pub struct HouseFile {
    path: PathBuf,
    /// What the disk has not taken.
    unkept: Arc<Mutex<Option<House>>>,
    /// What holds in this process, once it was loaded.
    holds: Arc<Mutex<Option<HouseReport>>>,
}

impl HouseFile {
    /// The one in `state_dir`; it need not exist yet.
    pub fn in_dir(state_dir: &Path) -> HouseFile {
        HouseFile { path: state_dir.join("house.toml"), unkept: Arc::default(), holds: Arc::default() }
    }

    /// What is set. What makes no sense is told in the log and by the doctor; the rest counts.
    pub fn load(&self) -> House {
        let (house, problem) = match state::read(&self.path) {
            Ok(None) => (House::default(), None),
            Ok(Some(text)) => House::of_what_is_right(&text),
            Err(error) => (House::default(), Some(error.to_string())),
        };
        let problem = problem.map(|problem| format!("{}: {problem}", self.path.display()));
        if let Some(problem) = &problem {
            log::error!("{problem}; correct it, or set it anew on an owner's page");
        }
        self.remember(&house, problem);
        house
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

    /// What the doctor tells of it: of what holds in this process, or else of the file. Who may not read the file is told nothing.
    pub fn report(&self) -> HouseReport {
        if let Some(holds) = self.holds().clone() {
            return holds;
        }
        match state::read(&self.path) {
            Err(error) if error.source.kind() == std::io::ErrorKind::PermissionDenied => HouseReport::default(),
            _ => self.read().map_or_else(
                |problem| HouseReport { replaces: Vec::new(), problem: Some(problem) },
                |house| report_of(&house, None),
            ),
        }
    }

    fn remember(&self, house: &House, problem: Option<String>) {
        *self.holds() = Some(report_of(house, problem));
    }

    /// Stores what is set. What the disk does not take holds until the end of the process, or until [`HouseFile::retry`].
    pub fn store(&self, house: House) {
        self.remember(&house, None);
        let mut unkept = self.unkept();
        *unkept = self.write(&house).err().map(|error| {
            log::error!("what an owner set of home holds only until the end of this process: {error}");
            house
        });
    }

    /// Stores what the disk did not take, perhaps because it does now.
    pub fn retry(&self) {
        let mut unkept = self.unkept();
        if unkept.as_ref().is_some_and(|house| self.write(house).is_ok()) {
            *unkept = None;
        }
    }

    fn write(&self, house: &House) -> Result<(), state::StateError> {
        state::write(&self.path, house.to_toml().as_bytes(), 0o600)
    }

    fn holds(&self) -> MutexGuard<'_, Option<HouseReport>> {
        self.holds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unkept(&self) -> MutexGuard<'_, Option<House>> {
        self.unkept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn report_of(house: &House, problem: Option<String>) -> HouseReport {
    HouseReport { replaces: house.replaces().into_iter().map(str::to_owned).collect(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::state::tests::TestDir;

    fn with_hours(hours: &str) -> House {
        House { quiet_hours: Some(hours.parse().unwrap()), ..House::default() }
    }

    #[test]
    fn what_is_set_outlives_the_process_and_what_is_taken_back_too() {
        let dir = TestDir::new();
        let file = HouseFile::in_dir(&dir.0);
        assert_eq!(file.load(), House::default());
        let named = House { name: Some("Zoë's".to_owned()), ..with_hours("13:00-15:00") };
        for house in [with_hours("22:00-07:00"), House::default(), named] {
            file.store(house.clone());
            assert_eq!(HouseFile::in_dir(&dir.0).load(), house);
        }
        assert_eq!(file.report(), HouseReport { replaces: vec!["home.name".to_owned()], problem: None });
    }

    #[test]
    fn a_mistake_is_told_by_line_and_lost_by_nothing_but_an_owner() {
        let dir = TestDir::new();
        let path = dir.0.join("house.toml");
        let text = "# mine\nquiet_hours = \"22-7\"\nname = \"Ada\"\n";
        std::fs::write(&path, text).unwrap();
        let file = HouseFile::in_dir(&dir.0);
        let problem = file.read().unwrap_err();
        assert!(problem.contains("house.toml: line 2: quiet hours are like"), "{problem}");
        assert_eq!(file.report().problem, Some(problem.clone()));
        assert_eq!(file.load(), House { name: Some("Ada".to_owned()), ..House::default() }, "the rest counts");
        assert_eq!(file.report(), HouseReport { replaces: vec!["home.name".to_owned()], problem: Some(problem) });
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn what_the_disk_does_not_take_is_kept_when_it_does() {
        let dir = TestDir::new();
        let place = dir.0.join("state");
        let file = HouseFile::in_dir(&place);
        file.store(with_hours("22:00-07:00"));
        assert_eq!(HouseFile::in_dir(&place).load(), House::default());
        std::fs::create_dir(&place).unwrap();
        file.retry();
        assert!(HouseFile::in_dir(&place).load().quiet_hours.is_some());
    }
}
