//! Files of the state directory that are written whole by the daemon alone: the visit log, and the news for owners.

use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use intercom_core::people::news::NewsBook;
use intercom_core::people::visits::VisitLog;

use crate::shell::state;

/// What is kept in such a file.
pub trait Text: Default {
    /// The file's name.
    const NAME: &str;

    /// Reads it.
    ///
    /// # Errors
    /// Where in the file what is wrong.
    fn read(text: &str) -> Result<Self, String>;

    /// Writes it.
    fn write(&self) -> String;
}

impl Text for VisitLog {
    const NAME: &str = "visits.toml";

    fn read(text: &str) -> Result<VisitLog, String> {
        VisitLog::from_toml(text)
    }

    fn write(&self) -> String {
        self.to_toml()
    }
}

impl Text for NewsBook {
    const NAME: &str = "news.toml";

    fn read(text: &str) -> Result<NewsBook, String> {
        NewsBook::from_toml(text)
    }

    fn write(&self) -> String {
        self.to_toml()
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub struct TextFile<T>(PathBuf, PhantomData<T>);

impl<T: Text> TextFile<T> {
    /// The one in `state_dir`; it need not exist yet.
    pub fn in_dir(state_dir: &Path) -> TextFile<T> {
        TextFile(state_dir.join(T::NAME), PhantomData)
    }

    /// What it says.
    ///
    /// # Errors
    /// File, line and problem.
    pub fn read(&self) -> Result<T, String> {
        match state::read(&self.0) {
            Ok(None) => Ok(T::default()),
            Ok(Some(text)) => T::read(&text).map_err(|problem| format!("{}: {problem}", self.0.display())),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The same for the daemon. A file that makes no sense is put aside with the ending `.old` and told in the log.
    pub fn load(&self) -> T {
        self.read().unwrap_or_else(|problem| {
            log::error!("{problem}; a new one begins, and that file is put aside");
            if let Err(error) = std::fs::rename(&self.0, self.0.with_extension("toml.old")) {
                log::error!("{}: {error}", self.0.display());
            }
            T::default()
        })
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// If the disk does not take it.
    pub fn store(&self, content: &T) -> Result<(), state::StateError> {
        state::write(&self.0, content.write().as_bytes(), 0o600)
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
        let file = TextFile::<VisitLog>::in_dir(&dir.0);
        let mut log = file.load();
        log.handle_begin(&Person::new(3, Some("Anna".into()), Role::Guest), Duration::from_secs(1_800_000_000));
        file.store(&log).unwrap();
        assert_eq!(TextFile::<VisitLog>::in_dir(&dir.0).load(), log);
        std::fs::write(dir.0.join("visits.toml"), "?").unwrap();
        assert!(file.read().unwrap_err().contains("visits.toml: line 1"));
        assert_eq!(file.load(), VisitLog::default());
        assert_eq!(std::fs::read_to_string(dir.0.join("visits.toml.old")).unwrap(), "?");
        assert_eq!(file.read(), Ok(VisitLog::default()));
    }
}
