//! `keys.toml` in the state directory: the keys that outlive the process, shared by the daemon and the command line.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use intercom_core::call::items::For;
use intercom_core::people::edit::Edit;
use intercom_core::people::items::{Change, NewKey, NewLink};
use intercom_core::people::keys::Key;
use intercom_core::people::register::{Link, People, Role, Wish};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::shell::backup::restore;
use crate::shell::state::{self, Lock, StateError};
use crate::shell::{clock, reset};

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
    /// Others are about to be known.
    Restoring,
    /// The link was opened on as many devices as it is for, or its time is over.
    UsedUp,
    /// There is no person of this number.
    Unknown(u64),
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyFileError::State(e) => e.fmt(f),
            KeyFileError::Broken { path, problem } => {
                write!(f, "{}: {problem}; correct it, or delete it and make new links", path.display())
            }
            KeyFileError::Entropy(problem) => write!(f, "no random numbers for a key: {problem}"),
            KeyFileError::UsedUp => f.write_str("the link is used up, or over"),
            KeyFileError::Unknown(number) => write!(f, "there is no person {number}"),
            KeyFileError::Reset => f.write_str("this home is being reset; try again when it has restarted"),
            KeyFileError::Restoring => {
                f.write_str("people are being restored; try again when the intercom has restarted")
            }
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
    unkept: Arc<Mutex<Option<People>>>,
}

impl KeyFile {
    /// The one in `state_dir`; it need not exist yet.
    pub fn in_dir(state_dir: &Path) -> KeyFile {
        let (path, lock) = (state_dir.join("keys.toml"), state_dir.join("keys.lock"));
        KeyFile { dir: state_dir.to_owned(), path, lock, unkept: Arc::default() }
    }

    /// All keys; none if there is no file, or a reset has begun.
    pub fn load(&self) -> Result<People, KeyFileError> {
        self.current(&self.unkept())
    }

    /// Makes a link for somebody new, and stores its hash; the token itself is only here.
    pub fn invite(&self, wish: &Wish) -> Result<(NewLink, Key), KeyFileError> {
        match self.invite_for_now(wish)? {
            (link, token, None) => Ok((link, token)),
            (_, _, Some(error)) => Err(error.into()),
        }
    }

    /// The same for a process that lasts: a link that the disk does not take is good until its end, and why it does not
    /// is reported.
    pub fn invite_for_now(&self, wish: &Wish) -> Result<(NewLink, Key, Option<StateError>), KeyFileError> {
        let token = mint_key()?;
        let now = clock::unix_time();
        let (link, error) = self.change(|people| {
            people.tidy(now);
            let number = wish.person.unwrap_or_else(|| people.add_person(wish.name.clone(), wish.role));
            let person = people.person(number).cloned().ok_or(KeyFileError::Unknown(number))?;
            let until = now + Duration::from_secs(wish.days * 86_400);
            let link = Link { person: number, hash: token.hash(), until, devices: wish.devices, used: 0 };
            people.take_link(person.clone(), link.clone());
            Ok(NewLink { person, hash: link.hash, until, devices: wish.devices })
        })?;
        Ok((link, token, error))
    }

    /// Makes a key for a process that lasts: one that the disk does not take is good until its end, and why it does not
    /// is reported.
    pub fn mint_for_now(&self, whom: &For) -> Result<(NewKey, Key, Option<StateError>), KeyFileError> {
        let key = mint_key()?;
        let now = clock::unix_time();
        let (new, error) = self.change(|people| {
            let (person, by_link) = match whom {
                // The first device of all is an owner's.
                For::Newcomer { name, role } => {
                    let role = if people.has_stored() { *role } else { Role::Owner };
                    (people.add_person(name.clone(), role), false)
                }
                For::Person(person) => (*person, true),
                For::Device(person) => (*person, false),
            };
            if by_link && !people.is_invited(person, now) {
                return Err(KeyFileError::UsedUp);
            }
            if people.person(person).is_none() {
                return Err(KeyFileError::Unknown(person));
            }
            let id = people.add_device(person, key.hash(), in_words(now));
            if by_link {
                people.use_link(person, now);
            }
            let person = people.person(person).cloned().ok_or(KeyFileError::Unknown(person))?;
            people.tidy(now);
            Ok(NewKey { number: id.0, hash: key.hash(), person, by_link })
        })?;
        Ok((new, key, error))
    }

    /// Changes a person, for a process that ends at once; whether home has no owner any more.
    pub fn edit(&self, number: u64, edit: &Edit) -> Result<bool, KeyFileError> {
        let (ownerless, error) = self.change(|people| {
            let old = people.person(number).ok_or(KeyFileError::Unknown(number))?;
            let (new, was_last) = (edit.apply(old), people.is_last_owner(number));
            let ownerless = was_last && new.role != Role::Owner;
            people.change(new);
            Ok(ownerless)
        })?;
        error.map_or(Ok(ownerless), |error| Err(error.into()))
    }

    /// Stores what an owner changed, for a process that lasts: what the disk does not take holds until its end, and why it does not is
    /// reported.
    pub fn apply_for_now(&self, change: &Change) -> Result<Option<StateError>, KeyFileError> {
        match change {
            Change::Removed(number) => self.revoke_for_now(*number).map(|done| done.ok().flatten()),
            Change::Person(person) => {
                let changed = self.change(|people| match people.change(person.clone()) {
                    true => Ok(()),
                    false => Err(KeyFileError::Unknown(person.number)),
                });
                changed.map(|((), error)| error)
            }
        }
    }

    /// Changes the file, or what stands for it. A change that the disk does not take is remembered, and the reason is reported.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut People) -> Result<T, KeyFileError>,
    ) -> Result<(T, Option<StateError>), KeyFileError> {
        let mut unkept = self.unkept();
        // Without a lock nothing is written: so what others write meanwhile stays.
        let lock = Lock::wait_briefly(&self.lock);
        if reset::is_begun(&self.dir) {
            return Err(match lock {
                Err(error) if error.source.kind() == std::io::ErrorKind::PermissionDenied => error.into(),
                _ => KeyFileError::Reset,
            });
        }
        if restore::is_begun(&self.dir) {
            return Err(KeyFileError::Restoring);
        }
        let mut people = self.current(&unkept)?;
        let changed = change(&mut people)?;
        let error = lock.and_then(|_lock| self.write(&people)).err();
        *unkept = error.is_some().then_some(people);
        if error.is_none() {
            reset::over(&self.dir);
        }
        Ok((changed, error))
    }

    /// Does something while nobody else writes, if nobody may visit; else says how many may.
    pub fn while_nobody<T>(&self, act: impl FnOnce() -> T) -> Result<Result<T, usize>, KeyFileError> {
        let unkept = self.unkept();
        let _lock = Lock::wait_briefly(&self.lock)?;
        if reset::is_begun(&self.dir) {
            return Err(KeyFileError::Reset);
        }
        let mut people = self.current(&unkept)?;
        people.tidy(clock::unix_time());
        let known = people.numbers().len();
        Ok(if known == 0 { Ok(act()) } else { Err(known) })
    }

    /// Ends a person or a stored key; if there is no such number, says which persons there are.
    pub fn revoke(&self, number: u64) -> Result<Result<(), Vec<u64>>, KeyFileError> {
        match self.revoke_for_now(number)? {
            Ok(None) => Ok(Ok(())),
            Ok(Some(error)) => Err(error.into()),
            Err(numbers) => Ok(Err(numbers)),
        }
    }

    /// The same for a process that lasts: what the disk does not take holds until its end, and the reason is reported.
    pub fn revoke_for_now(&self, number: u64) -> Result<Result<Option<StateError>, Vec<u64>>, KeyFileError> {
        let mut unkept = self.unkept();
        let lock = Lock::wait_briefly(&self.lock);
        let mut people = self.current(&unkept)?;
        if people.revoke(number).is_none() {
            return Ok(Err(people.numbers()));
        }
        let error = lock.and_then(|_lock| self.write(&people)).err();
        *unkept = error.is_some().then_some(people);
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
        let waits = reset::is_begun(&self.dir) || restore::is_begun(&self.dir);
        if !waits && Lock::wait_briefly(&self.lock).and_then(|_lock| self.write(ring)).is_ok() {
            log::info!("{} is kept again", self.path.display());
            *unkept = None;
            reset::over(&self.dir);
        }
    }

    fn current(&self, unkept: &Option<People>) -> Result<People, KeyFileError> {
        if reset::is_begun(&self.dir) {
            return Ok(People::new());
        }
        if let Some(ring) = unkept {
            return Ok(ring.clone());
        }
        match state::read(&self.path)? {
            None => Ok(People::new()),
            Some(text) => {
                People::from_toml(&text).map_err(|problem| KeyFileError::Broken { path: self.path.clone(), problem })
            }
        }
    }

    fn write(&self, ring: &People) -> Result<(), StateError> {
        state::write(&self.path, ring.to_toml().as_bytes(), 0o600)
    }

    fn unkept(&self) -> MutexGuard<'_, Option<People>> {
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

    use intercom_core::people::register::Person;

    use super::*;
    use crate::shell::state::tests::TestDir;

    fn mint(file: &KeyFile, name: Option<&str>) -> (NewKey, Key) {
        let (new, key, error) =
            file.mint_for_now(&For::Newcomer { name: name.map(str::to_owned), role: Role::Family }).unwrap();
        assert!(error.is_none());
        (new, key)
    }

    fn number(file: &KeyFile, key: &Key) -> Option<u64> {
        file.load().unwrap().verify(&key.to_text()).map(|id| id.0)
    }

    #[test]
    fn a_minted_key_opens_until_it_or_its_person_is_revoked() {
        let dir = TestDir::new();
        let file = KeyFile::in_dir(&dir.0);
        assert!(file.load().unwrap().is_empty());
        let ((first, key), (second, other)) = (mint(&file, None), mint(&file, None));
        assert_ne!(key, other);
        assert_eq!(number(&file, &key), Some(first.number));
        assert_eq!(file.revoke(first.number).unwrap(), Ok(()));
        assert_eq!(file.revoke(first.number).unwrap(), Err(vec![second.person.number]));
        assert_eq!(number(&file, &key), None);
        assert_eq!(number(&file, &other), Some(second.number));
        assert_eq!(file.revoke(second.person.number).unwrap(), Ok(()));
        assert!(file.load().unwrap().is_empty());
        let text = std::fs::read_to_string(dir.0.join("keys.toml")).unwrap();
        assert!(!text.contains("sha256"), "{text}");
    }

    #[test]
    fn the_first_of_all_is_an_owner() {
        let dir = TestDir::new();
        let file = KeyFile::in_dir(&dir.0);
        let (first, second) = (mint(&file, Some("Anna")).0, mint(&file, None).0);
        let people = file.load().unwrap();
        assert_eq!(people.person(first.person.number).unwrap().role, Role::Owner);
        assert_eq!(people.person(second.person.number).unwrap().role, Role::Family);
    }

    #[test]
    fn a_link_makes_as_many_devices_as_it_is_for_and_is_forgotten_then() {
        let dir = TestDir::new();
        let file = KeyFile::in_dir(&dir.0);
        let wish = Wish { name: Some("Anna".into()), devices: 2, ..Wish::default() };
        let (link, token) = file.invite(&wish).unwrap();
        let people = file.load().unwrap();
        let now = clock::unix_time();
        assert_eq!(people.invited(&token.to_text(), now).unwrap().name.as_deref(), Some("Anna"));
        for _ in 0..2 {
            let (new, key, _) = file.mint_for_now(&For::Person(link.person.number)).unwrap();
            assert!(new.by_link && new.person == link.person && new.person.name.as_deref() == Some("Anna"));
            assert_eq!(number(&file, &key), Some(new.number));
        }
        let error = file.mint_for_now(&For::Person(link.person.number)).unwrap_err();
        assert!(matches!(error, KeyFileError::UsedUp));
        let people = file.load().unwrap();
        assert_eq!((people.stored(), people.invited(&token.to_text(), now)), (2, None));
    }

    #[test]
    fn a_process_that_ends_at_once_changes_a_person_or_says_why_not() {
        let dir = TestDir::new();
        let place = dir.0.join("state");
        state::make_private_dir(&place).unwrap();
        let file = KeyFile::in_dir(&place);
        let (anna, _) = mint(&file, Some("Anna"));
        let guest = Edit { role: Some(Role::Guest), ..Edit::default() };
        assert!(file.edit(anna.person.number, &guest).unwrap(), "she was the last owner");
        let changed = KeyFile::in_dir(&place).load().unwrap().person(anna.person.number).cloned();
        assert_eq!(changed, Some(Person { role: Role::Guest, ..anna.person.clone() }));
        assert!(!file.edit(anna.person.number, &guest).unwrap());
        assert!(matches!(file.edit(99, &guest), Err(KeyFileError::Unknown(99))));
        // As if the disk were gone.
        std::fs::rename(&place, dir.0.join("gone")).unwrap();
        std::fs::write(&place, "").unwrap();
        assert!(file.edit(anna.person.number, &guest).is_err());
    }

    #[test]
    fn the_file_is_private_and_holds_no_key_and_no_token() {
        let dir = TestDir::new();
        let file = KeyFile::in_dir(&dir.0);
        let (_, key) = mint(&file, None);
        let (_, token) = file.invite(&Wish::default()).unwrap();
        let path = dir.0.join("keys.toml");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(path).unwrap();
        assert!(!text.contains(&key.to_text()) && !text.contains(&token.to_text()), "{text}");
        assert!(text.contains("created = \"20") && text.contains("until = \"20"), "{text}");
    }

    #[test]
    fn a_broken_file_is_told_and_left_alone() {
        let dir = TestDir::new();
        let path = dir.0.join("keys.toml");
        std::fs::write(&path, "next = ?").unwrap();
        let file = KeyFile::in_dir(&dir.0);
        let error = file.invite(&Wish::default()).unwrap_err().to_string();
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
        assert!(KeyFile::in_dir(&place).invite(&Wish::default()).is_err(), "not for a process that ends at once");
        assert!(!file.is_unkept());
        std::fs::remove_file(&place).unwrap();
        let (first, key, error) =
            file.mint_for_now(&For::Newcomer { name: Some("Anna".into()), role: Role::Family }).unwrap();
        let (second, other, _) = file.clone().mint_for_now(&For::Newcomer { name: None, role: Role::Family }).unwrap();
        assert!(error.is_some() && first.number != second.number);
        assert_eq!(number(&file, &key), Some(first.number));
        assert!(file.revoke_for_now(second.number).unwrap().unwrap().is_some());
        file.retry();
        assert!(file.is_unkept());
        state::make_private_dir(&place).unwrap();
        file.retry();
        let stored = KeyFile::in_dir(&place);
        assert!(!file.is_unkept() && number(&stored, &key) == Some(first.number));
        assert_eq!(number(&stored, &other), None);
    }

    #[test]
    fn many_at_once_lose_no_key() {
        let dir = TestDir::new();
        let file = KeyFile::in_dir(&dir.0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..4).for_each(|_| drop(mint(&file, None))));
            }
        });
        assert_eq!(file.load().unwrap().stored(), 16);
    }
}
