//! The messages of a visit. State, not events: everything may come twice, early or late.

use std::time::Instant;

use crate::call::home::admission::Stage;
use crate::call::home::{Home, HomeOutput, SocketId};
use crate::call::peer::{OfferError, Peer};
use crate::call::protocol::{ErrorCode, FromHome, FromPage};
use crate::rate::path::PathState;

impl Home {
    /// A text message came in.
    pub fn handle_message(&mut self, id: SocketId, text: &str, now: Instant) {
        if !self.hear_frame(id, now) {
            return;
        }
        let Some(socket) = self.sockets.get(&id) else { return };
        let message = serde_json::from_str::<FromPage>(text);
        match (&socket.stage, message) {
            (Stage::Unauthenticated { .. }, Ok(FromPage::Hello { v, key, resume, attempt })) => {
                self.hello(id, v, &key, (resume.as_deref(), attempt), now);
            }
            (Stage::Unauthenticated { .. }, Ok(FromPage::Pair { v, token, nonce })) => {
                self.pair(id, v, &token, &nonce, now)
            }
            // Anyone who has not shown a key hears nothing, not even what was wrong.
            (Stage::Unauthenticated { .. }, _) => self.close_socket(id),
            // A page whose pings go unanswered takes home for dead and dials again, which would count as one more
            // wrong key: it is kept on the line until it is answered.
            (Stage::Refused { .. } | Stage::Pairing { .. }, Ok(FromPage::Ping { t })) => {
                self.out.push_back(HomeOutput::Say(id, FromHome::Pong { t }));
            }
            (Stage::Refused { .. } | Stage::Pairing { .. }, _) => {}
            (Stage::Visit(visit), Ok(message)) => {
                let visit = *visit;
                if let Some(index) = self.index_of(visit) {
                    self.handle_visit_message(index, id, message, now);
                }
            }
            (Stage::Visit(_), Err(error)) => {
                let why = format!("message not understood: {error}");
                self.fail(id, ErrorCode::BadMessage, &why);
            }
        }
    }

    fn handle_visit_message(&mut self, index: usize, id: SocketId, message: FromPage, now: Instant) {
        match message {
            FromPage::Hello { .. } | FromPage::Pair { .. } => {
                self.fail(id, ErrorCode::BadMessage, "hello was said already")
            }
            FromPage::Offer { pc, rev, sdp, kbps, saves } => {
                self.handle_saving(index, saves, now);
                self.offer(index, id, (pc, rev), (&sdp, kbps), now);
            }
            FromPage::Candidate { pc, candidate } => self.candidate(index, pc, candidate, now),
            FromPage::Keyframe { pc } => {
                if self.visits[index].pc == pc {
                    self.viewer_wants_keyframe(index, now);
                }
            }
            FromPage::Snapshot {} => self.viewer_wants_snapshot(index, now),
            FromPage::State { microphone, camera, saves } => {
                self.handle_saving(index, saves, now);
                let visit = &mut self.visits[index];
                visit.microphone = microphone;
                visit.camera = camera;
                self.visits_changed(now);
            }
            FromPage::Volume { percent } if self.visits[index].gate.is_inside() => self.set_volume(id, percent),
            FromPage::Volume { .. } => self.fail(id, ErrorCode::NotAllowed, "only somebody who is inside may do this"),
            FromPage::Ping { t } => self.out.push_back(HomeOutput::Say(id, FromHome::Pong { t })),
            FromPage::Answer {} => self.answer_call(index, now),
            FromPage::People {}
            | FromPage::Invite { .. }
            | FromPage::Person(_)
            | FromPage::Remove { .. }
            | FromPage::ShowCode { .. }
            | FromPage::QuietHours { .. }
            | FromPage::Visits {}
            | FromPage::EraseVisits {}
            | FromPage::Home { .. }
            | FromPage::SetHome(_)
            | FromPage::NewsRead { .. }
            | FromPage::LetIn { .. }
            | FromPage::Decline { .. } => self.handle_owner_message(index, id, message, now),
            FromPage::Leave {} => {
                let visit = self.visits[index].id;
                log::info!("visit {}: left", visit.0);
                self.remember_ended(index, None, now);
                self.end_visit(visit, None, now);
            }
        }
    }

    fn offer(
        &mut self,
        index: usize,
        id: SocketId,
        (pc, rev): (u32, u32),
        (sdp, kbps): (&str, Option<u32>),
        now: Instant,
    ) {
        let visit = &mut self.visits[index];
        let same = visit.peer.is_some() && visit.pc == pc;
        if same && rev <= visit.rev {
            // The answer got lost with a socket: it is still the right one.
            if let Some(sdp) = visit.answer.clone() {
                let rev = visit.rev;
                self.out.push_back(HomeOutput::Say(id, FromHome::Answer { pc, rev, sdp }));
            }
            return;
        }
        if visit.peer.is_some() && pc < visit.pc {
            return;
        }
        if !visit.offers.spend(1.0, now) {
            self.fail(id, ErrorCode::TooFast, "too many offers");
            return self.drop_socket(id, now);
        }
        let answered = if same { self.restart(index, sdp, now) } else { self.connect(index, pc, (sdp, kbps), now) };
        match answered {
            Ok(sdp) => {
                let visit = &mut self.visits[index];
                visit.rev = rev;
                visit.answer = Some(sdp.clone());
                self.out.push_back(HomeOutput::Say(id, FromHome::Answer { pc, rev, sdp }));
                self.collect(index, now);
            }
            Err(error) => {
                log::info!("visit {}: {error}", self.visits[index].id.0);
                self.fail(id, ErrorCode::BadOffer, &error.to_string());
                if let OfferError::Failed(panic) = &error {
                    self.peer_failed(index, panic, now);
                }
                self.collect(index, now);
            }
        }
    }

    /// An ICE restart of the peer connection that stands.
    fn restart(&mut self, index: usize, sdp: &str, now: Instant) -> Result<String, OfferError> {
        match &mut self.visits[index].peer {
            Some(peer) => peer.answer_again(sdp, now),
            None => Err(OfferError::Sdp("no connection to restart".into())),
        }
    }

    /// A new peer connection; one from before is closed.
    fn connect(
        &mut self,
        index: usize,
        pc: u32,
        (sdp, kbps): (&str, Option<u32>),
        now: Instant,
    ) -> Result<String, OfferError> {
        let locals = self.locals_for(self.visits[index].near);
        // What is known of the path, from the connection before or from the page.
        let initial = self.visits[index].capacity.map_or_else(|| self.first_guess(kbps), |known| self.at_first(known));
        let initial = self.visits[index].sought(initial);
        let (mut peer, answer) = Peer::answer(&self.identity, sdp, &locals, self.addresses.public, initial, now)?;
        if let Some(old) = &mut self.visits[index].peer {
            old.close(now);
            self.collect(index, now);
        }
        let id = self.visits[index].id;
        let pictured = peer.has_video();
        if !pictured {
            // Without video nothing is sent that could tell what the path carries beyond the voice.
            peer.set_desired(self.speech_rate(), now);
            log::info!("visit {}: the browser has no H.264, so it gets sound only", id.0);
        }
        for route in std::mem::take(&mut self.visits[index].routes) {
            self.forget_route(route, id);
        }
        let visit = &mut self.visits[index];
        for (early_pc, candidate) in std::mem::take(&mut visit.early) {
            if early_pc == pc {
                peer.add_remote_candidate(&candidate, now);
            }
        }
        if visit.connected {
            log::info!("visit {}: the page builds a new connection", id.0);
        }
        visit.peer = Some(peer);
        visit.pictured = pictured;
        visit.pc = pc;
        visit.rev = 0;
        visit.answer = None;
        visit.set_connected(false, now);
        visit.needs_keyframe = true;
        visit.path = PathState::new(initial, now);
        visit.duplication.forget();
        if pictured {
            self.begin_path(index, now);
        }
        self.visits_changed(now);
        Ok(answer)
    }

    fn candidate(&mut self, index: usize, pc: u32, candidate: String, now: Instant) {
        let visit = &mut self.visits[index];
        match &mut visit.peer {
            Some(peer) if visit.pc == pc => {
                if !candidate.is_empty() {
                    peer.add_remote_candidate(&candidate, now);
                    self.collect(index, now);
                }
            }
            Some(_) if pc < visit.pc => {}
            _ => visit.keep_early(pc, candidate),
        }
    }
}
