//! The board: what the TV is to show, from the threads that know it to the one that draws.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use intercom_base::language::Language;
use intercom_base::picture::I420;
use intercom_core::call::items::{Door, PairingCode};
use intercom_core::people::visits::Entry;

use crate::shell::clock;
use crate::shell::wires::{ViewerInfo, VisitId};

/// What the TV shows: who visits, and the newest picture of each.
#[derive(Debug, Default)]
pub struct Board {
    state: Mutex<Shown>,
    changed: Condvar,
    /// Home sees itself while somebody visits.
    self_view: bool,
}

/// The content of a [`Board`].
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// Who visits, in order of their coming.
    pub viewers: Vec<ViewerInfo>,
    /// Who of them speaks now.
    pub speaking: Vec<VisitId>,
    /// Their newest pictures.
    pub pictures: HashMap<VisitId, Arc<I420>>,
    /// What home's own camera saw last, while somebody visits. Its changes do not count.
    pub own: Option<Arc<I420>>,
    /// The code for a new viewer's phone, while one is offered.
    pub code: Option<PairingCode>,
    /// What happens at the door.
    pub door: Door,
    /// Home's name.
    pub home: Arc<str>,
    /// The language of all words.
    pub language: Language,
    /// The newest visits of the visit log, the newest first.
    pub visits: Arc<[Entry]>,
    /// Whether there is a screen to show them on.
    pub screen: bool,
    /// Counts the changes.
    pub version: u64,
    /// Counts those of `viewers`.
    viewers_version: u64,
}

impl Shown {
    /// Whether home's own picture has a place.
    fn shows_own(&self) -> bool {
        self.screen && !self.viewers.is_empty() && !self.door.curtain
    }
}

impl Board {
    /// An empty board; on the TV home sees itself, or not.
    pub fn new(self_view: bool) -> Board {
        Board { self_view, ..Board::default() }
    }

    /// Waits for a change since `version`, until `deadline` at the latest; the content then.
    pub fn wait(&self, version: u64, deadline: Instant) -> Shown {
        let mut state = self.lock();
        while state.version == version {
            let left = deadline.saturating_duration_since(clock::now());
            if left.is_zero() {
                break;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.clone()
    }

    fn change(&self, change: impl FnOnce(&mut Shown)) {
        let mut state = self.lock();
        change(&mut state);
        state.version += 1;
        self.changed.notify_all();
    }

    /// Home's name, and the language of all words.
    pub fn set_looks(&self, home: &str, language: Language) {
        self.change(|shown| (shown.home, shown.language) = (home.into(), language));
    }

    /// The language of all words.
    pub fn language(&self) -> Language {
        self.lock().language
    }

    /// Who visits now; pictures of the others, and of cameras that are off, are taken down.
    pub fn set_viewers(&self, viewers: Vec<ViewerInfo>) {
        self.change(|shown| {
            let on = |visit: &VisitId| viewers.iter().any(|viewer| viewer.visit == *visit && viewer.camera);
            shown.pictures.retain(|visit, _| on(visit));
            if viewers.is_empty() {
                shown.own = None;
            }
            shown.viewers = viewers;
            shown.viewers_version += 1;
        });
    }

    /// Who speaks now.
    pub fn set_speaking(&self, speaking: &[VisitId]) {
        self.change(|shown| shown.speaking = speaking.to_vec());
    }

    /// The newest picture of a viewer's camera, if it is still on.
    pub fn set_picture(&self, visit: VisitId, picture: Arc<I420>) {
        self.change(|shown| {
            if shown.viewers.iter().any(|viewer| viewer.visit == visit && viewer.camera) {
                shown.pictures.insert(visit, picture);
            }
        });
    }

    /// Whose cameras are on, if that may have changed since `version`, which becomes the newest.
    pub(super) fn cameras_since(&self, version: &mut u64) -> Option<Vec<VisitId>> {
        let shown = self.lock();
        if std::mem::replace(version, shown.viewers_version) == shown.viewers_version {
            return None;
        }
        Some(shown.viewers.iter().filter(|viewer| viewer.camera).map(|viewer| viewer.visit).collect())
    }

    /// The newest picture of home's own camera. It wakes nobody: who shows it looks often enough.
    pub fn set_own(&self, picture: &Arc<I420>) {
        let mut shown = self.lock();
        if shown.shows_own() {
            shown.own = Some(Arc::clone(picture));
        }
    }

    /// Whether home's own picture is shown now.
    pub fn wants_own(&self) -> bool {
        self.self_view && self.lock().shows_own()
    }

    /// Home's camera is gone.
    pub fn clear_own(&self) {
        self.change(|shown| shown.own = None);
    }

    /// Offers a code for a new viewer's phone, or none any more.
    pub fn set_code(&self, code: Option<PairingCode>) {
        self.change(|shown| shown.code = code);
    }

    /// What happens at the door now. Behind the curtain home does not see itself, as nobody else does.
    pub fn set_door(&self, door: Door) {
        self.change(|shown| {
            if door.curtain {
                shown.own = None;
            }
            shown.door = door;
        });
    }

    /// The newest visits of the visit log now.
    pub fn set_visits(&self, visits: Vec<Entry>) {
        // What was written of others is nothing that the TV shows.
        if *self.lock().visits != *visits {
            self.change(|shown| shown.visits = visits.into());
        }
    }

    /// There is a screen from now on, or no more; without one no picture is kept, or decoded.
    pub fn set_screen(&self, screen: bool) {
        self.change(|shown| {
            shown.screen = screen;
            if !screen {
                shown.pictures.clear();
                shown.own = None;
            }
        });
    }

    pub(super) fn has_screen(&self) -> bool {
        self.lock().screen
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Shown> {
        // Valid after every statement, so a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_the_curtain_home_does_not_see_itself() {
        let board = Board::new(true);
        let since = clock::now();
        let viewer =
            ViewerInfo { visit: VisitId(1), name: None, since, camera: true, microphone: true, connected: true };
        board.set_screen(true);
        board.set_viewers(vec![viewer]);
        let own = Arc::new(I420::black(64, 36));
        board.set_own(&own);
        assert!(board.wants_own() && board.lock().own.is_some());
        board.set_door(Door { curtain: true, ..Door::default() });
        assert!(board.lock().own.is_none(), "what was seen before is not shown any more");
        board.set_own(&own);
        assert!(!board.wants_own() && board.lock().own.is_none(), "nor what the camera sees meanwhile");
        board.set_door(Door::default());
        board.set_own(&own);
        assert!(board.wants_own() && board.lock().own.is_some());
    }

    #[test]
    fn what_tells_no_other_visit_draws_nothing_again() {
        use intercom_core::people::visits::Outcome;
        let (board, at) = (Board::default(), std::time::Duration::from_secs(1));
        let visit = Entry { person: 1, name: None, began: at, ended: Some(at), outcome: Outcome::Missed };
        board.set_visits(vec![visit.clone()]);
        let shown = || {
            let shown = board.lock();
            (shown.version, shown.visits.len())
        };
        let (version, _) = shown();
        board.set_visits(vec![visit]);
        assert_eq!(shown(), (version, 1));
        board.set_visits(vec![]);
        assert_eq!(shown(), (version + 1, 0));
    }
}
