//! `keys.toml` in the state directory: the keys that outlive the process, shared by the daemon and the command line.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::access::keys::{Key, KeyId, KeyRing};
use crate::shell::clock;
use crate::shell::reset;
use crate::shell::state::{self, Lock, StateError};

/// The file of keys could not be used.
#[derive(Debug)]
pub enum KeyFileError {
    /// It could not be read or written.
    State(StateError),
    /// It was read, but makes no sense.
    Broken {
        /// Which file.
        path: PathBuf,
        /// Line and problem.
        problem: String,
    },
    /// The system has no random numbers.
    Entropy(String),
    /// All keys are about to be forgotten.
    Reset,
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyFileError::State(e) => e.fmt(f),
            KeyFileError::Broken { path, problem } => {
                write!(f, "{}: {problem}; correct it, or delete it and make new links", path.display())
            }
            KeyFileError::Entropy(problem) => write!(f, "no random numbers for a key: {problem}"),
            KeyFileError::Reset => f.write_str("this home is being reset; try again when it has started anew"),
        }
    }
}

impl std::error::Error for KeyFileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            KeyFileError::State(e) => Some(e),
            _ => None,
        }
    }
}

impl From<StateError> for KeyFileError {
    fn from(error: StateError) -> KeyFileError {
        KeyFileError::State(error)
    }
}

/// A new key out of the system's random numbers.
pub fn mint_key() -> Result<Key, KeyFileError> {
    Key::mint(getrandom::fill).map_err(|e| KeyFileError::Entropy(e.to_string()))
}

/// The file of keys. Each change locks it, reads it, and writes it whole, so that the daemon and any number of command
/// lines can use it at once.
///
/// What the disk does not take is remembered here, by all clones, until it does or the process ends.
#[derive(Clone, Debug)]
pub struct KeyFile {
    dir: PathBuf,
    path: PathBuf,
    lock: PathBuf,
    /// The keys as they should be in the file.
    unkept: Arc<Mutex<Option<KeyRing>>>,
}

impl KeyFile {
    /// The one in `state_dir`; it need not exist yet.
    pub fn in_dir(state_dir: &Path) -> KeyFile {
        let (path, lock) = (state_dir.join("keys.toml"), state_dir.join("keys.lock"));
        KeyFile { dir: state_dir.to_owned(), path, lock, unkept: Arc::default() }
    }

    /// All keys; none if there is no file, or a reset has begun.
    pub fn load(&self) -> Result<KeyRing, KeyFileError> {
        self.current(&self.unkept())
    }

    /// Makes a key for a viewer whom home calls `name`, and stores its hash; the key itself is only here.
    pub fn mint(&self, name: Option<&str>) -> Result<(KeyId, Key), KeyFileError> {
        match self.mint_for_now(name)? {
            (id, key, None) => Ok((id, key)),
            (_, _, Some(error)) => Err(error.into()),
        }
    }

    /// The same for a process that lasts: a key that the disk does not take is good until its end, and why it does not
    /// is told.
    pub fn mint_for_now(&self, name: Option<&str>) -> Result<(KeyId, Key, Option<StateError>), KeyFileError> {
        let key = mint_key()?;
        let mut unkept = self.unkept();
        // Without a lock nothing is written: so what others write meanwhile stays.
        let lock = Lock::wait(&self.lock);
        if reset::is_begun(&self.dir) {
            return Err(match lock {
                Err(error) if error.source.kind() == std::io::ErrorKind::PermissionDenied => error.into(),
                _ => KeyFileError::Reset,
            });
        }
        let mut ring = self.current(&unkept)?;
        let id = ring.add_next(key.hash(), in_words(clock::unix_time()), name.map(str::to_owned));
        let error = lock.and_then(|_lock| self.write(&ring)).err();
        *unkept = error.is_some().then_some(ring);
        if error.is_none() {
            reset::over(&self.dir);
        }
        Ok((id, key, error))
    }

    /// Ends a stored key; if there is no such number, says which there are.
    pub fn revoke(&self, id: KeyId) -> Result<Result<(), Vec<KeyId>>, KeyFileError> {
        match self.revoke_for_now(id)? {
            Ok(None) => Ok(Ok(())),
            Ok(Some(error)) => Err(error.into()),
            Err(ids) => Ok(Err(ids)),
        }
    }

    /// The same for a process that lasts: what the disk does not take holds until its end, and why it does not is told.
    pub fn revoke_for_now(&self, id: KeyId) -> Result<Result<Option<StateError>, Vec<KeyId>>, KeyFileError> {
        let mut unkept = self.unkept();
        let lock = Lock::wait(&self.lock);
        let mut ring = self.current(&unkept)?;
        if !ring.revoke(id) {
            return Ok(Err(ring.ids()));
        }
        let error = lock.and_then(|_lock| self.write(&ring)).err();
        *unkept = error.is_some().then_some(ring);
        Ok(Ok(error))
    }

    /// Whether something is remembered here that the disk did not take.
    pub fn is_unkept(&self) -> bool {
        self.unkept().is_some()
    }

    /// Writes what the disk did not take, perhaps because it does now.
    pub fn retry(&self) {
        let mut unkept = self.unkept();
        let Some(ring) = unkept.as_ref() else { return };
        if !reset::is_begun(&self.dir) && Lock::wait(&self.lock).and_then(|_lock| self.write(ring)).is_ok() {
            log::info!("{} is kept again", self.path.display());
            *unkept = None;
            reset::over(&self.dir);
        }
    }

    fn current(&self, unkept: &Option<KeyRing>) -> Result<KeyRing, KeyFileError> {
        if reset::is_begun(&self.dir) {
            return Ok(KeyRing::new());
        }
        if let Some(ring) = unkept {
            return Ok(ring.clone());
        }
        match state::read(&self.path)? {
            None => Ok(KeyRing::new()),
            Some(text) => {
                KeyRing::from_toml(&text).map_err(|problem| KeyFileError::Broken { path: self.path.clone(), problem })
            }
        }
    }

    fn write(&self, ring: &KeyRing) -> Result<(), StateError> {
        state::write(&self.path, ring.to_toml().as_bytes(), 0o600)
    }

    fn unkept(&self) -> MutexGuard<'_, Option<KeyRing>> {
        self.unkept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn in_words(time: Duration) -> String {
    let time = OffsetDateTime::from_unix_timestamp(time.as_secs() as i64).ok();
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::shell::state::tests::TestDir;

    #[test]
    fn a_minted_key_opens_until_it_is_revoked() {
        let dir = TestDir::new();
        let file = KeyFile::in_dir(&dir.0);
        assert!(file.load().unwrap().is_empty());
        let (first, key) = file.mint(None).unwrap();
        let (second, other) = file.mint(None).unwrap();
        assert_ne!(key, other);
        assert_eq!(file.load().unwrap().verify(&key.to_text()), Some(first));
        assert_eq!(file.revoke(first).unwrap(), Ok(()));
        assert_eq!(file.revoke(first).unwrap(), Err(vec![second]));
        assert_eq!(file.load().unwrap().verify(&key.to_text()), None);
        assert_eq!(file.load().unwrap().verify(&other.to_text()), Some(second));
    }

    #[test]
    fn the_file_is_private_and_holds_no_key() {
        let dir = TestDir::new();
        let (_, key) = KeyFile::in_dir(&dir.0).mint(None).unwrap();
        let path = dir.0.join("keys.toml");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(path).unwrap();
        assert!(!text.contains(&key.to_text()) && text.contains("created = \"20"), "{text}");
    }

    #[test]
    fn a_broken_file_is_told_and_left_alone() {
        let dir = TestDir::new();
        let path = dir.0.join("keys.toml");
        std::fs::write(&path, "next = ?").unwrap();
        let file = KeyFile::in_dir(&dir.0);
        let error = file.mint(None).unwrap_err().to_string();
        assert!(error.contains("keys.toml: line 1"), "{error}");
        assert_eq!(std::fs::read_to_string(path).unwrap(), "next = ?");
    }

    #[test]
    fn what_the_disk_does_not_take_is_good_until_it_does() {
        let dir = TestDir::new();
        let place = dir.0.join("state");
        // As if the disk were gone: nothing can be made there.
        std::fs::write(&place, "").unwrap();
        let file = KeyFile::in_dir(&place);
        assert!(KeyFile::in_dir(&place).mint(None).is_err(), "not for a process that ends at once");
        assert!(!file.is_unkept());
        std::fs::remove_file(&place).unwrap();
        let (first, key, error) = file.mint_for_now(Some("Anna")).unwrap();
        let (second, other, _) = file.clone().mint_for_now(None).unwrap();
        assert!(error.is_some() && first != second);
        assert_eq!(file.load().unwrap().verify(&key.to_text()), Some(first));
        assert!(file.revoke_for_now(second).unwrap().unwrap().is_some());
        file.retry();
        assert!(file.is_unkept());
        state::make_private_dir(&place).unwrap();
        file.retry();
        let stored = KeyFile::in_dir(&place).load().unwrap();
        assert!(!file.is_unkept() && stored.verify(&key.to_text()) == Some(first));
        assert_eq!(stored.verify(&other.to_text()), None);
    }

    #[test]
    fn many_at_once_lose_no_key() {
        let dir = TestDir::new();
        let file = KeyFile::in_dir(&dir.0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..4).for_each(|_| assert!(file.mint(None).is_ok())));
            }
        });
        assert_eq!(file.load().unwrap().len(), 16);
    }
}
