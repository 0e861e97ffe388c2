//! People saved in a folder of its own, on a stick or anywhere else, and restored from it where nobody is known.
//!
//! A saved folder holds `keys.toml` and, if an owner set something of home, `house.toml`, as in the state directory. Certificates are
//! not saved: their key is a secret. What comes from outside is checked as strictly as the files in the state directory, and bounded.
//!
//! | file | what it does |
//! |---|---|
//! | `mod.rs` | reads and checks what is saved |
//! | `folder.rs` | names of saved folders, writing one, finding the newest |
//! | `restore.rs` | puts it into the state directory, whole or not at all |
//! | `command.rs` | saves and restores beside an intercom that runs, or without one |
//! | `stick.rs` | decides what happens to a stick with the label PEOPLE, and what the TV says |

pub mod command;
pub mod folder;
pub mod restore;
pub mod stick;

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use intercom_core::people::register::People;
use rustix::fs::OFlags;

use crate::shell::state::{StateError, failed};
use crate::shell::{clock, reset};
use intercom_core::call::house::House;

/// Bytes of a file that is read: some thousand people.
pub const MOST_BYTES: u64 = 1 << 20;

const KEYS: &str = "keys.toml";
const HOUSE: &str = "house.toml";

/// People, their hashed keys and links, and what an owner set of home: as text that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    keys: String,
    house: Option<String>,
    people: People,
}

/// Why something is not saved, or cannot be read.
#[derive(Debug)]
pub enum BackupError {
    /// A file makes no sense.
    Broken {
        /// Which one.
        path: PathBuf,
        /// Line and problem.
        problem: String,
    },
    /// The system cannot read a file or a folder.
    Unreadable(StateError),
    /// The system cannot write one.
    Unwritable(StateError),
}

impl fmt::Display for BackupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BackupError::Broken { path, problem } => write!(f, "{}: {problem}", path.display()),
            BackupError::Unreadable(error) | BackupError::Unwritable(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for BackupError {}

impl Saved {
    /// What the home of this state directory knows; `None` if nobody may visit it, now or by a link.
    ///
    /// # Errors
    /// If a file there makes no sense or cannot be read.
    pub fn of_home(state_dir: &Path) -> Result<Option<Saved>, BackupError> {
        // From its first moment on a reset has forgotten everybody.
        if reset::is_begun(state_dir) {
            return Ok(None);
        }
        let saved = Saved::read(state_dir)?;
        Ok(saved.filter(|saved| saved.count() > 0))
    }

    /// What a saved folder holds.
    ///
    /// # Errors
    /// If a file there makes no sense or cannot be read, or nobody is in it.
    pub fn in_folder(folder: &Path) -> Result<Saved, BackupError> {
        let broken = |problem: &str| BackupError::Broken { path: folder.join(KEYS), problem: problem.to_owned() };
        let saved = Saved::read(folder)?.ok_or_else(|| broken("this file is missing"))?;
        // Links that are over count here: the clock of a home that has just started may be wrong.
        if saved.people.is_empty() { Err(broken("nobody is in this file")) } else { Ok(saved) }
    }

    fn read(folder: &Path) -> Result<Option<Saved>, BackupError> {
        let Some(keys) = read(&folder.join(KEYS))? else { return Ok(None) };
        let people = People::from_toml(&keys).map_err(broken(&folder.join(KEYS)))?;
        let house = read(&folder.join(HOUSE))?;
        if let Some(text) = &house {
            House::from_toml(text).map_err(broken(&folder.join(HOUSE)))?;
        }
        Ok(Some(Saved { keys, house, people }))
    }

    /// Who may visit.
    pub fn people(&self) -> &People {
        &self.people
    }

    /// How many may visit, now or by a link.
    pub fn count(&self) -> usize {
        let mut people = self.people.clone();
        people.tidy(clock::unix_time());
        people.numbers().len()
    }

    /// The files with their text.
    fn files(&self) -> impl Iterator<Item = (&'static str, &str)> {
        std::iter::once((KEYS, &*self.keys)).chain(self.house.as_deref().map(|house| (HOUSE, house)))
    }
}

fn broken(path: &Path) -> impl FnOnce(String) -> BackupError {
    let path = path.to_owned();
    move |problem| BackupError::Broken { path, problem }
}

/// A text file of bounded size; `None` if it is not there. A link is not followed, and nothing but a file is waited for.
fn read(path: &Path) -> Result<Option<String>, BackupError> {
    let unreadable = |error: io::Error| BackupError::Unreadable(failed("read", path)(error));
    let wrong = |problem: String| broken(path)(problem);
    let flags = (OFlags::NONBLOCK | OFlags::NOFOLLOW).bits().cast_signed();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            return Err(wrong("this is a link, not a file".to_owned()));
        }
        file => file.map_err(unreadable)?,
    };
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(wrong("this is not a file".to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(wrong(format!("this is larger than {MOST_BYTES} bytes, as no such file of a home is")));
    }
    String::from_utf8(bytes).map(Some).map_err(|error| {
        let sound = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = sound.iter().filter(|byte| **byte == b'\n').count() + 1;
        wrong(format!("line {line}: no UTF-8 text"))
    })
}

#[cfg(test)]
mod tests;
