//! Pages hear which side's connection makes their picture small, as far as home can tell; and say that theirs is to be.

use std::time::Instant;

use intercom_base::units::Bitrate;

use crate::call::home::encoders::PROBE_SOON;
use crate::call::home::visit::Visit;
use crate::call::home::{Home, HomeOutput, SocketId};
use crate::call::protocol::FromHome;
use crate::rate::limits::{Seen, limited_by};

/// Whose device saves data gets this part of what the full picture needs, in percent: with an ordinary scene it has half its sides then.
const SAVED: u64 = 30;

impl Home {
    /// Looks at who gets little and by what, and tells the pages.
    pub(super) fn limits_changed(&mut self, now: Instant) {
        let (need, curtain) = (self.config.full.floor, self.door.curtain);
        let all: Vec<Option<Seen>> = self.visits.iter().map(|visit| seen(visit, need).filter(|_| !curtain)).collect();
        for (at, seen) in all.iter().enumerate() {
            let by = seen.filter(|seen| seen.little).map(|_| limited_by(at, &all));
            let visit = &mut self.visits[at];
            if !visit.limit.update(by, now) {
                continue;
            }
            match visit.limit.told() {
                Some(by) => log::info!("visit {}: gets a small picture, limited by: {by:?}", visit.id.0),
                None => log::info!("visit {}: is not limited any more", visit.id.0),
            }
            if let Some(socket) = visit.socket {
                self.say_limit(at, socket);
            }
        }
    }

    /// Tells a page what limits its picture.
    pub(super) fn say_limit(&mut self, index: usize, id: SocketId) {
        let visit = &self.visits[index];
        let kbps = visit.path.share().or(visit.path.estimate()).map_or(0, |carries| carries.kbps());
        self.out.push_back(HomeOutput::Say(id, FromHome::Limit { by: visit.limit.told(), kbps }));
    }

    /// The viewer's device saves data, or takes the full picture all the same.
    pub(super) fn handle_saving(&mut self, index: usize, saves: bool, now: Instant) {
        let most = saves.then(|| self.config.full.floor.percent(SAVED).max(self.config.reduced.floor));
        let visit = &mut self.visits[index];
        if std::mem::replace(&mut visit.saving, most) == most {
            return;
        }
        log::info!("visit {}: {}", visit.id.0, if saves { "saves data" } else { "does not save data" });
        let rests = !visit.pictured || !visit.gate.is_inside() || visit.quiet || visit.still_mode.is_resting();
        if visit.peer.is_none() || rests {
            return;
        }
        if saves {
            let desired = self.desired();
            let visit = &mut self.visits[index];
            let sought = visit.path.look_further(visit.sought(desired));
            if let Some(peer) = &mut visit.peer {
                peer.set_desired(sought, now);
            }
        } else {
            // What was found while little was looked for says nothing of the path.
            visit.path.begin(visit.path.estimate().unwrap_or(visit.path.start()), now);
            visit.next_probe = visit.next_probe.map(|at| at.min(now + PROBE_SOON));
            self.begin_path(index, now);
        }
        self.collect(index, now);
        self.visits_changed(now);
    }
}

/// What is known of the path of a viewer who sees home. Who saves data gets little by their own wish.
fn seen(visit: &Visit, need: Bitrate) -> Option<Seen> {
    let looks = visit.is_met() && visit.is_reached() && visit.pictured && visit.saving.is_none();
    // Who shares home's way out may have begun anew, and has a share all the same.
    visit.path.estimate().or(visit.path.share()).filter(|_| looks)?;
    let room = visit.room();
    let network = visit.network.filter(|_| visit.from_outside);
    let (little, shares) = (visit.limit.is_little(room, need), visit.path.share().is_some());
    Some(Seen { room, little, network, shares })
}
