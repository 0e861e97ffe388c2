//! `muted` and `curtain` in the state directory: whether home is muted, and whether its curtain is drawn, for the next start, however
//! this one ends.
//!
//! What cannot be read means muted, and drawn. So the file is overwritten in place: it fits on a full disk, and what a power cut
//! leaves half written makes no sense and is safe.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use intercom_core::tv::notices::Finding;

use crate::shell::state;

/// What is kept in such a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Switch {
    Mute,
    Curtain,
}

impl Switch {
    fn name(self) -> &'static str {
        match self {
            Switch::Mute => "muted",
            Switch::Curtain => "curtain",
        }
    }

    /// The words for on and off, equally long.
    fn words(self) -> [&'static str; 2] {
        match self {
            Switch::Mute => ["muted\n", "open \n"],
            Switch::Curtain => ["drawn\n", "open \n"],
        }
    }
}

/// See the module. All clones are one.
#[derive(Clone, Debug)]
pub struct SwitchFile {
    switch: Switch,
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

impl SwitchFile {
    /// Whether home is muted, in `state_dir`.
    pub fn mute(state_dir: &Path) -> SwitchFile {
        SwitchFile::new(Switch::Mute, state_dir)
    }

    /// Whether the curtain is drawn, in `state_dir`.
    pub fn curtain(state_dir: &Path) -> SwitchFile {
        SwitchFile::new(Switch::Curtain, state_dir)
    }

    fn new(switch: Switch, state_dir: &Path) -> SwitchFile {
        SwitchFile { switch, path: state_dir.join(switch.name()), state: Arc::default() }
    }

    /// Whether it is on. Where there is no file it is not, and one is made, so that a full disk has one later.
    pub fn load(&self) -> bool {
        let mut state = self.state();
        let [on, off] = self.switch.words();
        match state::read(&self.path) {
            Ok(Some(text)) if text == on => true,
            Ok(Some(text)) if text == off => false,
            Ok(None) => {
                if let Err(error) = state::write(&self.path, off.as_bytes(), 0o600) {
                    log::warn!("{} may not outlive this process: {error}", self.switch.name());
                }
                false
            }
            unreadable => {
                let why = unreadable.err().map_or_else(|| "it makes no sense".to_owned(), |error| error.to_string());
                log::error!("{}: {why}; it counts as {}", self.path.display(), on.trim());
                state.unreadable = true;
                true
            }
        }
    }

    /// Keeps it; what the disk does not take is tried again by [`SwitchFile::retry`].
    pub fn store(&self, on: bool) {
        self.store_in(&mut self.state(), on);
    }

    fn store_in(&self, state: &mut State, on: bool) {
        match self.write(on) {
            Ok(()) => *state = State::default(),
            Err(error) => {
                if state.unkept.is_none() {
                    log::error!("that home is {} is not kept: {error}", self.word(on).trim());
                }
                state.unkept = Some(on);
            }
        }
    }

    /// Keeps what the disk did not take, perhaps because it does now.
    pub fn retry(&self) {
        // Nothing newer may come in between.
        let mut state = self.state();
        if let Some(on) = state.unkept {
            self.store_in(&mut state, on);
        }
    }

    /// Whether the disk has what was stored last.
    pub fn is_kept(&self) -> bool {
        self.state().unkept.is_none()
    }

    /// What there is to tell people, if anything.
    pub fn notice(&self) -> Option<Finding> {
        let state = self.state();
        let [on, off, unknown] = match self.switch {
            Switch::Mute => [Finding::MutedNotKept, Finding::OpenNotKept, Finding::MuteUnknown],
            Switch::Curtain => [Finding::CurtainNotKept, Finding::CurtainOpenNotKept, Finding::CurtainUnknown],
        };
        match (state.unkept, state.unreadable) {
            (Some(true), _) => Some(on),
            (Some(false), _) => Some(off),
            (None, true) => Some(unknown),
            (None, false) => None,
        }
    }

    fn word(&self, on: bool) -> &'static str {
        let [word, off] = self.switch.words();
        if on { word } else { off }
    }

    fn write(&self, on: bool) -> io::Result<()> {
        let text = self.word(on);
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
        let file = SwitchFile::mute(&dir.0);
        assert!(!file.load() && file.notice().is_none());
        for muted in [true, false, true] {
            file.store(muted);
            assert!(file.is_kept());
            assert_eq!(SwitchFile::mute(&dir.0).load(), muted);
        }
    }

    #[test]
    fn what_cannot_be_read_is_muted_and_told_until_somebody_decides() {
        let dir = TestDir::new();
        let path = dir.0.join("muted");
        for rubbish in [&b""[..], b"open", b"mut", b"open  and some more", b"\xff\xfe", b"muten\n"] {
            std::fs::write(&path, rubbish).unwrap();
            let file = SwitchFile::mute(&dir.0);
            assert!(file.load(), "{rubbish:?}");
            assert_eq!(file.notice(), Some(Finding::MuteUnknown));
            file.store(false);
            assert!(file.notice().is_none() && !SwitchFile::mute(&dir.0).load());
        }
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(SwitchFile::mute(&dir.0).load(), "a folder is no file");
    }

    #[test]
    fn each_cut_while_it_is_written_leaves_it_as_it_was_or_muted() {
        let dir = TestDir::new();
        let path = dir.0.join("muted");
        for (from, to) in [("open \n", "muted\n"), ("muted\n", "open \n")] {
            // The line feed is the same in both.
            for cut in 1..from.len() - 1 {
                std::fs::write(&path, [&to.as_bytes()[..cut], &from.as_bytes()[cut..]].concat()).unwrap();
                assert!(SwitchFile::mute(&dir.0).load(), "{from} to {to}, cut at {cut}");
            }
        }
    }

    #[test]
    fn the_curtain_has_a_file_of_its_own_and_rubbish_in_it_means_drawn() {
        let dir = TestDir::new();
        let (mute, curtain) = (SwitchFile::mute(&dir.0), SwitchFile::curtain(&dir.0));
        assert!(!mute.load() && !curtain.load());
        curtain.store(true);
        assert!(SwitchFile::curtain(&dir.0).load() && !SwitchFile::mute(&dir.0).load());
        std::fs::write(dir.0.join("curtain"), "muted\n").unwrap();
        let curtain = SwitchFile::curtain(&dir.0);
        assert!(curtain.load() && curtain.notice() == Some(Finding::CurtainUnknown));
    }

    #[test]
    fn what_the_disk_does_not_take_is_told_and_kept_when_it_does() {
        let dir = TestDir::new();
        let place = dir.0.join("state");
        let file = SwitchFile::mute(&place);
        assert!(!file.load());
        file.store(true);
        assert!(!file.is_kept() && file.notice() == Some(Finding::MutedNotKept));
        file.retry();
        assert!(!file.is_kept());
        std::fs::create_dir(&place).unwrap();
        file.retry();
        assert!(file.is_kept() && file.notice().is_none() && SwitchFile::mute(&place).load());
    }
}
