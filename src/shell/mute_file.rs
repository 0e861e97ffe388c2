//! `muted` in the state directory: whether home is muted, for the next start, however this one ends.
//!
//! What cannot be read means muted. So the file is overwritten in place: it fits on a full disk, and what a power cut
//! leaves half written makes no sense and is safe.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use intercom_core::tv::notices::Finding;

use crate::shell::state;

/// The two words, equally long.
const MUTED: &str = "muted\n";
const OPEN: &str = "open \n";

/// See the module. All clones are one.
#[derive(Clone, Debug)]
pub struct MuteFile {
    path: PathBuf,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// What the disk has not taken.
    unkept: Option<bool>,
    /// What was there made no sense, and nothing was stored since.
    unreadable: bool,
}

impl MuteFile {
    /// The one in `state_dir`.
    pub fn in_dir(state_dir: &Path) -> MuteFile {
        MuteFile { path: state_dir.join("muted"), state: Arc::default() }
    }

    /// Whether home is muted. Where there is no file it is not, and one is made, so that a full disk has one later.
    pub fn load(&self) -> bool {
        let mut state = self.state();
        match state::read(&self.path) {
            Ok(Some(text)) if text == MUTED => true,
            Ok(Some(text)) if text == OPEN => false,
            Ok(None) => {
                if let Err(error) = state::write(&self.path, OPEN.as_bytes(), 0o600) {
                    log::warn!("a mute may not outlive this process: {error}");
                }
                false
            }
            unreadable => {
                let why = unreadable.err().map_or_else(|| "it makes no sense".to_owned(), |error| error.to_string());
                log::error!("{}: {why}; home is muted", self.path.display());
                state.unreadable = true;
                true
            }
        }
    }

    /// Keeps it; what the disk does not take is tried again by [`MuteFile::retry`].
    pub fn store(&self, muted: bool) {
        let mut state = self.state();
        match self.write(muted) {
            Ok(()) => *state = State::default(),
            Err(error) => {
                if state.unkept.is_none() {
                    log::error!("that home is {} is not kept: {error}", if muted { "muted" } else { "open" });
                }
                state.unkept = Some(muted);
            }
        }
    }

    /// Keeps what the disk did not take, perhaps because it does now.
    pub fn retry(&self) {
        let unkept = self.state().unkept;
        if let Some(muted) = unkept {
            self.store(muted);
        }
    }

    /// Whether the disk has what was stored last.
    pub fn is_kept(&self) -> bool {
        self.state().unkept.is_none()
    }

    /// What there is to tell people, if anything.
    pub fn notice(&self) -> Option<Finding> {
        let state = self.state();
        match (state.unkept, state.unreadable) {
            (Some(true), _) => Some(Finding::MutedNotKept),
            (Some(false), _) => Some(Finding::OpenNotKept),
            (None, true) => Some(Finding::MuteUnknown),
            (None, false) => None,
        }
    }

    fn write(&self, muted: bool) -> io::Result<()> {
        let text = if muted { MUTED } else { OPEN };
        let mut file = match OpenOptions::new().write(true).open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(state::write(&self.path, text.as_bytes(), 0o600)?);
            }
            file => file?,
        };
        file.write_all(text.as_bytes())?;
        file.set_len(text.len() as u64)?;
        file.sync_all()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::state::tests::TestDir;

    #[test]
    fn it_is_as_it_was_after_whatever_end_and_open_at_the_first_start() {
        let dir = TestDir::new();
        let file = MuteFile::in_dir(&dir.0);
        assert!(!file.load() && file.notice().is_none());
        for muted in [true, false, true] {
            file.store(muted);
            assert!(file.is_kept());
            assert_eq!(MuteFile::in_dir(&dir.0).load(), muted);
        }
    }

    #[test]
    fn what_cannot_be_read_is_muted_and_told_until_somebody_decides() {
        let dir = TestDir::new();
        let path = dir.0.join("muted");
        for rubbish in [&b""[..], b"open", b"mut", b"open  and some more", b"\xff\xfe", b"muten\n"] {
            std::fs::write(&path, rubbish).unwrap();
            let file = MuteFile::in_dir(&dir.0);
            assert!(file.load(), "{rubbish:?}");
            assert_eq!(file.notice(), Some(Finding::MuteUnknown));
            file.store(false);
            assert!(file.notice().is_none() && !MuteFile::in_dir(&dir.0).load());
        }
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(MuteFile::in_dir(&dir.0).load(), "a folder is no file");
    }

    #[test]
    fn each_cut_while_it_is_written_leaves_it_as_it_was_or_muted() {
        let dir = TestDir::new();
        let path = dir.0.join("muted");
        for (from, to) in [(OPEN, MUTED), (MUTED, OPEN)] {
            // The line feed is the same in both.
            for cut in 1..from.len() - 1 {
                std::fs::write(&path, [&to.as_bytes()[..cut], &from.as_bytes()[cut..]].concat()).unwrap();
                assert!(MuteFile::in_dir(&dir.0).load(), "{from} to {to}, cut at {cut}");
            }
        }
    }

    #[test]
    fn what_the_disk_does_not_take_is_told_and_kept_when_it_does() {
        let dir = TestDir::new();
        let place = dir.0.join("state");
        let file = MuteFile::in_dir(&place);
        assert!(!file.load());
        file.store(true);
        assert!(!file.is_kept() && file.notice() == Some(Finding::MutedNotKept));
        file.retry();
        assert!(!file.is_kept());
        std::fs::create_dir(&place).unwrap();
        file.retry();
        assert!(file.is_kept() && file.notice().is_none() && MuteFile::in_dir(&place).load());
    }
}
