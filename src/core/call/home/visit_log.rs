//! What of the visits is written into the visit log.

use std::time::{Duration, Instant};

use crate::call::home::door::Gate;
use crate::call::home::visit::Visit;
use crate::call::home::{Home, HomeOutput, SocketId};
use crate::call::protocol::{ByeReason, FromHome, VisitEntry};
use crate::people::keys::KeyId;
use crate::people::register::Person;
use crate::people::visits::{Outcome, VisitLog};

/// Entries that one message tells.
const TOLD: usize = 200;

impl Home {
    /// The visit log, the newest entry first: at most `most` of them.
    pub fn visits(&self, most: usize) -> Vec<VisitEntry> {
        let here = |person: u64| self.visits.iter().any(|visit| visit.person == person && visit.gate.is_inside());
        // An entry without an end that is not a person's newest was cut off by a power cut.
        let mut seen = std::collections::BTreeSet::new();
        let entries = self.log.newest().take(most).map(|entry| {
            let newest = entry.outcome != Outcome::Visited || seen.insert(entry.person);
            VisitEntry::of(entry, newest && here(entry.person))
        });
        entries.collect()
    }

    /// The visit log itself.
    pub fn visit_log(&self) -> &VisitLog {
        &self.log
    }

    /// Forgets the visit log; visits that last stay in it.
    pub fn handle_erase_visits(&mut self) {
        let here: Vec<u64> =
            self.visits.iter().filter(|visit| visit.gate.is_inside()).map(|visit| visit.person).collect();
        self.log.erase(|person| here.contains(&person));
        log::info!("the visit log is erased");
        self.store_log();
    }

    pub(super) fn say_visits(&mut self, id: SocketId) {
        let visits = self.visits(TOLD);
        self.out.push_back(HomeOutput::Say(id, FromHome::Visits { visits }));
    }

    /// Somebody is inside, and their media flows.
    pub(super) fn log_begin(&mut self, index: usize, now: Instant) {
        let visit = &mut self.visits[index];
        if std::mem::replace(&mut visit.logged, true) {
            return;
        }
        let (id, number) = (visit.id, visit.person);
        let person = self.access.person(visit.key);
        self.note_origin(index, now);
        self.call_begin(index, now);
        // Several devices of one person are one visit.
        if !self.visits.iter().any(|other| other.logged && other.person == number && other.id != id) {
            self.log.handle_begin(&person, self.wall_at(now));
            self.store_log();
        }
    }

    /// A visit is over, and out of the list.
    pub(super) fn log_end(&mut self, visit: &Visit, reason: Option<ByeReason>, now: Instant) {
        let unix = self.wall_at(now);
        if visit.logged {
            if !self.visits.iter().any(|other| other.logged && other.person == visit.person) {
                self.log.handle_end(visit.person, unix);
                self.store_log();
            }
            return;
        }
        let outcome = match (visit.gate, reason) {
            (Gate::Inside, _) | (_, Some(ByeReason::Restarting | ByeReason::Revoked | ByeReason::Replaced)) => return,
            (_, Some(ByeReason::Declined)) => Outcome::Declined,
            _ => Outcome::Missed,
        };
        self.log_kept_out(visit.key, outcome, now);
    }

    /// Somebody did not come in.
    pub(super) fn log_kept_out(&mut self, key: KeyId, outcome: Outcome, now: Instant) {
        let person = self.access.person(key);
        // The same again is not worth a write.
        if self.log.handle_kept_out(&person, outcome, self.wall_at(now)) {
            self.store_log();
        }
    }

    /// Home called somebody at `began` (UTC since 1970), in vain.
    pub(super) fn log_call(&mut self, person: &Person, began: Duration) {
        self.log.handle_kept_out(person, Outcome::Called, began);
        self.store_log();
    }

    /// Something of somebody has changed.
    pub(super) fn log_change(&mut self, person: &Person, what: Outcome, now: Instant) {
        self.log.handle_change(person, what, self.wall_at(now));
        self.store_log();
    }

    fn store_log(&mut self) {
        self.out.push_back(HomeOutput::Visits(self.log.clone()));
    }
}
