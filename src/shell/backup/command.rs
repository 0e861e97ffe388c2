//! Saves and restores beside an intercom that runs, or without one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use intercom_core::call::protocol::PeopleList;
use intercom_core::tv::local_time::Zone;

use super::restore::{self, RestoreError};
use super::{KEYS, Saved, folder};
use crate::config::StatePaths;
use crate::shell::control::{AskError, Claim, Ran, Request, ask};
use crate::shell::devices::ZONE;
use crate::shell::key_file::KeyFile;
use crate::shell::{clock, state};

/// For an intercom to end and, if a service manager runs it, to start again.
const RESTART_WITHIN: Duration = Duration::from_secs(30);
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Saves people in a new folder in `folder`: its path, and how many may visit.
///
/// # Errors
/// In words: if nobody is known, or something cannot be read or written.
pub fn save(paths: &StatePaths, folder: &Path) -> Result<(PathBuf, usize), String> {
    if !folder.is_dir() {
        return Err(format!("there is no folder {}; make it, or plug the stick in", folder.display()));
    }
    let saved = Saved::of_home(&paths.state).map_err(|error| error.to_string())?;
    let saved =
        saved.ok_or_else(|| format!("nobody is known in {}: there is nobody to save", paths.state.display()))?;
    let path = folder::save(&saved, folder, &stamp()).map_err(|error| error.to_string())?;
    Ok((path, saved.count()))
}

/// What a restore did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The saved folder.
    pub from: PathBuf,
    /// Who may visit now.
    pub people: usize,
    /// The daemon that ran, and has ended for it.
    pub ran: Ran,
    /// They count now, and not only from the next start on.
    pub now: bool,
}

/// Restores the people of a saved folder, or of the newest one in `folder`, and waits until they count.
///
/// # Errors
/// In words: if home knows people, or what is saved makes no sense. Then nothing has changed.
pub fn restore(paths: &StatePaths, folder: &Path) -> Result<Restored, String> {
    let from = saved_folder(folder)?;
    let saved = Saved::in_folder(&from).map_err(|error| error.to_string())?;
    begin(paths, &saved).map_err(|error| error.to_string())?;
    let ran = take_effect(&paths.state, &paths.run)?;
    let until = clock::now() + RESTART_WITHIN;
    while restore::is_begun(&paths.state) && clock::now() < until {
        // A service starts it again; one that was started by hand has ended, and leaves the folder to us.
        if ran == Ran::ByHand
            && let Ok(_claim) = Claim::take_existing(&paths.state)
        {
            restore::finish(&paths.state).map_err(|error| error.to_string())?;
        }
        clock::sleep_until(clock::now() + LOOK);
    }
    let now = !restore::is_begun(&paths.state);
    if now && KeyFile::in_dir(&paths.state).load().is_ok_and(|people| people.is_empty()) {
        return Err("people are not restored; the intercom's log says why".to_owned());
    }
    Ok(Restored { from, people: saved.count(), ran, now })
}

/// The folder itself, if it is a saved one, or the newest in it.
fn saved_folder(folder: &Path) -> Result<PathBuf, String> {
    if !folder.is_dir() {
        return Err(format!("there is no folder {}", folder.display()));
    }
    if std::fs::symlink_metadata(folder.join(KEYS)).is_ok() {
        return Ok(folder.to_owned());
    }
    folder::newest(folder).map_err(|error| error.to_string())?.ok_or_else(|| {
        format!("{} holds no saved people: neither {KEYS} nor a folder like intercom-2026-11-30-1412", folder.display())
    })
}

/// The same as [`restore::begin`]; what a running intercom knows counts, too, since a full disk may not have all of it.
pub(super) fn begin(paths: &StatePaths, saved: &Saved) -> Result<(), RestoreError> {
    if let Ok(answer) = ask(&paths.run, &Request::People {})
        && let Ok(PeopleList { people, .. }) = serde_json::from_value(answer)
    {
        let known = people.iter().filter(|person| person.devices > 0 || person.invited_until.is_some()).count();
        if known > 0 {
            return Err(RestoreError::Known(known));
        }
    }
    state::make_private_dir(&paths.state)?;
    restore::begin(&paths.state, saved)
}

/// Has what is begun take effect: an intercom that runs ends for it, and without one it is finished here.
///
/// # Errors
/// In words, if neither is possible: then it takes effect at the next start.
pub fn take_effect(state_dir: &Path, run_dir: &Path) -> Result<Ran, String> {
    let until = clock::now() + RESTART_WITHIN;
    loop {
        let why = match ask(run_dir, &Request::Restart {}) {
            Ok(answer) => return Ok(if answer["service"] == true { Ran::AsService } else { Ran::ByHand }),
            Err(AskError::NotRunning(_)) => match Claim::take_existing(state_dir) {
                Ok(_claim) => {
                    return restore::finish(state_dir).map(|()| Ran::No).map_err(|error| error.to_string());
                }
                // It is about to start, or to end.
                Err(why) => why,
            },
            Err(error) => error.to_string(),
        };
        if !restore::is_begun(state_dir) {
            return Ok(Ran::No);
        }
        if clock::now() >= until {
            return Err(format!("people are restored with the next start of the intercom; it does not end now: {why}"));
        }
        clock::sleep_until(clock::now() + LOOK);
    }
}

/// The minute on home's clock, as in names of saved folders.
pub fn stamp() -> String {
    Zone::of_file(&std::fs::read(ZONE).unwrap_or_default()).stamp(clock::unix_time())
}
