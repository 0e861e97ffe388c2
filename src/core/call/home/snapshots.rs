//! Single pictures over the signaling socket, for viewers whose browser cannot show home's video. They are for the same people at the
//! same time as video: who visits, while their media flows.

use std::time::Instant;

use crate::call::home::{Home, HomeOutput};
use crate::call::protocol::FromHome;

impl Home {
    /// A page asks for a snapshot. It asks again if none comes.
    pub(super) fn viewer_wants_snapshot(&mut self, index: usize, now: Instant) {
        let visit = &mut self.visits[index];
        if !visit.is_met() || self.door.curtain || visit.pictured || !visit.snapshots.spend(1.0, now) {
            return;
        }
        visit.awaits_snapshot = true;
        self.out.push_back(HomeOutput::Snapshot);
    }

    /// A snapshot was made, and is a JPEG in base64: it goes to all who wait for one.
    pub fn handle_snapshot(&mut self, jpeg: &str) {
        for visit in &mut self.visits {
            let waits = std::mem::take(&mut visit.awaits_snapshot);
            if waits
                && visit.is_met()
                && !self.door.curtain
                && !visit.pictured
                && let Some(socket) = visit.socket
            {
                self.out.push_back(HomeOutput::Say(socket, FromHome::Snapshot { jpeg: jpeg.to_owned() }));
            }
        }
    }
}
