//! `visits.toml` in the state directory: the visit log.

use std::path::{Path, PathBuf};

use intercom_core::people::visits::VisitLog;

use crate::shell::state;

/// See the module.
#[derive(Clone, Debug)]
pub struct VisitsFile(PathBuf);

impl VisitsFile {
    /// The one in `state_dir`; it need not exist yet.
    pub fn in_dir(state_dir: &Path) -> VisitsFile {
        VisitsFile(state_dir.join("visits.toml"))
    }

    /// What it says.
    ///
    /// # Errors
    /// File, line and problem.
    pub fn read(&self) -> Result<VisitLog, String> {
        match state::read(&self.0) {
            Ok(None) => Ok(VisitLog::default()),
            Ok(Some(text)) => VisitLog::from_toml(&text).map_err(|problem| format!("{}: {problem}", self.0.display())),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The same for the daemon. A file that makes no sense is put aside as `visits.toml.old` and told in the log.
    pub fn load(&self) -> VisitLog {
        self.read().unwrap_or_else(|problem| {
            log::error!("{problem}; a new log begins, and that file is put aside");
            if let Err(error) = std::fs::rename(&self.0, self.0.with_extension("toml.old")) {
                log::error!("{}: {error}", self.0.display());
            }
            VisitLog::default()
        })
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// If the disk does not take it.
    pub fn store(&self, log: &VisitLog) -> Result<(), state::StateError> {
        state::write(&self.0, log.to_toml().as_bytes(), 0o600)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use intercom_core::people::register::{Person, Role};

    use super::*;
    use crate::shell::state::tests::TestDir;

    #[test]
    fn it_outlives_the_process_and_a_broken_one_is_put_aside() {
        let dir = TestDir::new();
        let file = VisitsFile::in_dir(&dir.0);
        let mut log = file.load();
        log.handle_begin(&Person::new(3, Some("Anna".into()), Role::Guest), Duration::from_secs(1_800_000_000));
        file.store(&log).unwrap();
        assert_eq!(VisitsFile::in_dir(&dir.0).load(), log);
        std::fs::write(dir.0.join("visits.toml"), "?").unwrap();
        assert!(file.read().unwrap_err().contains("visits.toml: line 1"));
        assert_eq!(file.load(), VisitLog::default());
        assert_eq!(std::fs::read_to_string(dir.0.join("visits.toml.old")).unwrap(), "?");
        assert_eq!(file.read(), Ok(VisitLog::default()));
    }
}
