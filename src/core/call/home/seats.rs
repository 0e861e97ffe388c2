//! Who gets a seat: nobody has more than half of them, and who has no media makes room.

use std::net::IpAddr;
use std::time::Instant;

use crate::call::home::visit::Visit;
use crate::call::home::{Home, SocketId};
use crate::call::items::VisitId;
use crate::call::protocol::{ByeReason, ErrorCode};
use crate::people::entering::Admission;
use crate::people::keys::KeyId;
use crate::rate::duplication::Duplication;

impl Home {
    /// Makes room for one more visit of `key`, if there is none.
    pub(super) fn take_seat(
        &mut self,
        key: KeyId,
        admission: Admission,
        now: Instant,
    ) -> Result<(), (ErrorCode, &'static str)> {
        let seats = self.config.max_viewers;
        let person = self.access.person(key).number;
        // The key that `run` shows on its own screen is for trying things out, and dies with the process.
        let share = if key == KeyId::TEMPORARY { seats } else { (seats / 2).max(1) };
        if self.visits.iter().filter(|visit| visit.person == person).count() >= share.min(seats) {
            match self.mediless(|visit| visit.person == person) {
                Some(own) => self.end_visit(own, Some(ByeReason::Replaced), now),
                None if share < seats => {
                    return Err((ErrorCode::KeyBusy, "this person has as many visits as one person may have"));
                }
                None => {}
            }
        }
        if self.visits.len() >= seats {
            // A visit that has neither socket nor media is the shadow of a closed tab. Anyone who has several without media has more
            // than they use.
            let shadow = self.visits.iter().find(|visit| visit.orphan_deadline().is_some()).map(|visit| visit.id);
            let room = shadow.or_else(|| self.mediless(|visit| visit.person == person)).or_else(|| {
                self.mediless(|visit| self.visits.iter().filter(|other| other.person == visit.person).count() > 1)
            });
            // Who may enter goes before those who wait at the door.
            let waiting = || self.visits.iter().find(|visit| !visit.gate.is_inside()).map(|visit| visit.id);
            let room = room.or_else(|| waiting().filter(|_| admission == Admission::Inside));
            match room {
                Some(visit) => self.end_visit(visit, Some(ByeReason::Replaced), now),
                None => return Err((ErrorCode::Full, "home has as many viewers as it allows")),
            }
        }
        Ok(())
    }

    /// The oldest visit of those `of` interest that has no media now.
    fn mediless(&self, of: impl Fn(&Visit) -> bool) -> Option<VisitId> {
        self.visits.iter().find(|visit| !visit.connected && of(visit)).map(|visit| visit.id)
    }

    /// A visit begins, with everything that it needs but its welcome; its token.
    pub(super) fn begin_visit(
        &mut self,
        socket: SocketId,
        key: KeyId,
        near: IpAddr,
        admission: Admission,
        now: Instant,
    ) -> (VisitId, String) {
        let id = VisitId(self.next_visit);
        self.next_visit += 1;
        let token = self.token();
        let begin = (self.first_guess(None), self.still_mode(), Duplication::new(self.config.full.floor));
        let mut visit = Visit::new(id, token.clone(), key, near, begin, now);
        visit.socket = Some(socket);
        visit.socket_lost = None;
        let person = self.access.person(key);
        visit.person = person.number;
        visit.name = person.name.map(Into::into);
        visit.gate = self.gate(person.number, admission, now);
        let word = visit.gate.word();
        self.visits.push(visit);
        log::info!("visit {} begins with key {key} ({word}), {} now", id.0, self.visits.len());
        (id, token)
    }

    /// Ends visits that are over: neither socket nor media, or a socket and no media for too long.
    pub(super) fn seats_timeout(&mut self, now: Instant) {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let over: Vec<(VisitId, bool)> = self
            .visits
            .iter()
            .filter(|visit| due(visit.orphan_deadline()) || due(visit.media_deadline()))
            .map(|visit| (visit.id, visit.socket.is_some()))
            .collect();
        for (id, has_socket) in over {
            log::info!("visit {}: no media {}for too long, over", id.0, if has_socket { "" } else { "and no socket " });
            self.end_visit(id, has_socket.then_some(ByeReason::NoMedia), now);
        }
    }
}
