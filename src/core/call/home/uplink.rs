//! Home's own way out, which its viewers share.

use std::time::Instant;

use crate::call::home::Home;
use crate::call::home::visit::Visit;
use crate::call::items::VisitId;
use crate::rate::delivery::Queue;
use crate::rate::duplication::Duplication;
use crate::rate::uplink::Wish;

impl Home {
    /// What waits on the way to a visit. Whether that changes what somebody gets.
    pub(super) fn handle_queue(&mut self, index: usize, queue: Queue, now: Instant) -> bool {
        let visit = &mut self.visits[index];
        visit.protection.handle_queue(&queue, now);
        // A voice alone fills no queue.
        if !visit.is_served() || !visit.gate.is_inside() || visit.still_mode.is_resting() {
            return self.duplicate(index, now, Duplication::forget);
        }
        self.uplink.handle_queue(visit.id, queue, now);
        let visit = &mut self.visits[index];
        let mut news = visit.path.handle_queue(queue, now);
        let round_trip = visit.report.and_then(|report| report.rtt);
        let room = visit.room_for_copies();
        news |= self.duplicate(index, now, |duplication| duplication.handle_queue(&queue, round_trip, room, now));
        self.share_uplink(now) || news
    }

    /// Something is known of how often a visit's packets are to be sent. Whether that changes it.
    pub(super) fn duplicate(&mut self, index: usize, now: Instant, learns: impl FnOnce(&mut Duplication)) -> bool {
        let visit = &mut self.visits[index];
        let before = visit.duplication.copies();
        learns(&mut visit.duplication);
        let copies = visit.duplication.copies();
        if copies != before {
            log::debug!("visit {}: copies of each of its packets: {copies}", visit.id.0);
            if let Some(peer) = &mut visit.peer {
                peer.set_copies(copies, now);
            }
        }
        copies != before
    }

    /// Gives each viewer its part of the pipe that they share, if they do. Whether that changes anything.
    pub(super) fn share_uplink(&mut self, now: Instant) -> bool {
        let (most, voice) = (self.desired(), self.speech_rate());
        self.uplink.retain(|id| self.visits.iter().any(|visit| visit.id == id && visit.is_served()));
        let wish = |visit: &Visit| Wish {
            id: visit.id,
            most: if visit.still_mode.is_resting() { voice } else { visit.sought(most) },
            estimate: visit.path.estimate(),
        };
        let wishes: Vec<Wish<VisitId>> = self.visits.iter().map(wish).collect();
        let shares = self.uplink.shares(&wishes, now);
        let steady = self.uplink.is_steady(now);
        let mut changed = false;
        for (index, share) in shares.into_iter().enumerate() {
            let visit = &mut self.visits[index];
            // Who has room for a voice alone tries from time to time whether there is more.
            let share = share.filter(|_| !visit.still_mode.is_resting());
            changed |= visit.path.set_share(share, steady);
            if visit.is_served()
                && !visit.still_mode.is_resting()
                && let Some(carries) = visit.path.begins_anew(visit.sought(most), now)
            {
                log::debug!("visit {}: its estimate is wrong; it begins anew with {carries}", visit.id.0);
                visit.path.begin(carries, now);
                self.begin_path(index, now);
                changed = true;
            }
        }
        changed
    }
}
