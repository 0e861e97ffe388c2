//! Media of all visits: datagrams in and out, and one encode for many.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use intercom_base::units::Bitrate;

use crate::call::home::door::Gate;
use crate::call::home::encoders::{PROBE_EVERY, PROBE_SOON};
use crate::call::home::{Home, HomeOutput, ROUTES_PER_VISIT};
use crate::call::items::{AudioIn, EncodedVideo, EncoderName, ViewerFrame, VisitId};
use crate::call::peer::{PeerOutput, Pressure};
use crate::call::protocol::{FromHome, RungName};
use crate::rate::duplication::Duplication;
use crate::rate::path::PathState;

/// What the library takes for an estimate of nothing, and for too little to probe for.
pub(super) const NOTHING: Bitrate = Bitrate::from_kbps(1);

impl Home {
    /// A datagram came to `local` from `source`. Known sources go straight to their visit; from unknown ones only
    /// STUN that names a visit's credentials is taken, the rest is dropped without an answer.
    pub fn handle_datagram(&mut self, source: SocketAddr, local: SocketAddr, bytes: &[u8], now: Instant) {
        let known = self.routes.get(&source).and_then(|id| self.index_of(*id));
        let index = match known {
            Some(index) if !is_stun(bytes) || self.accepts(index, source, local, bytes, now) => index,
            // A rebuilt page may come from an address that another visit of the same browser had. A message that nobody
            // accepts may be forged, and changes nothing.
            _ if is_stun(bytes) => {
                let others = (0..self.visits.len()).filter(|index| Some(*index) != known);
                let Some(index) = others.into_iter().find(|&index| self.accepts(index, source, local, bytes, now))
                else {
                    return;
                };
                self.learn_route(index, source);
                index
            }
            _ => return,
        };
        if let Some(peer) = &mut self.visits[index].peer {
            peer.handle_datagram(source, local, bytes, now);
            self.collect(index, now);
            self.hear(index, now);
        }
    }

    /// Something came of this viewer.
    fn hear(&mut self, index: usize, now: Instant) {
        let known = self.visits[index].capacity.map(|capacity| self.at_first(capacity));
        let visit = &mut self.visits[index];
        if visit.handle_heard() {
            log::info!("visit {}: is heard of again", visit.id.0);
            if let Some(known) = known {
                visit.path = PathState::new(known, now);
            }
            self.begin_path(index, now);
            self.visits_changed(now);
            self.picture_again(index, now);
        }
    }

    /// Who was not heard of for too long gets nothing until they are.
    pub(super) fn quiet_timeout(&mut self, now: Instant) {
        for index in 0..self.visits.len() {
            let visit = &mut self.visits[index];
            if visit.quiet_deadline().is_some_and(|at| at <= now) {
                log::info!("visit {}: nothing comes of it, so nothing is sent", visit.id.0);
                visit.quiet = true;
                // Probes and padding would go on, up to what the path is thought to carry.
                visit.path.seek(NOTHING);
                if let Some(peer) = &mut visit.peer {
                    peer.set_desired(NOTHING, now);
                    peer.reset_estimate(NOTHING, now);
                    peer.forget_sent(now);
                }
                self.duplicate(index, now, Duplication::forget);
                self.collect(index, now);
                self.visits_changed(now);
            }
        }
    }

    /// Whether a STUN message names this visit's credentials, and was made by somebody who has them.
    fn accepts(&mut self, index: usize, source: SocketAddr, local: SocketAddr, bytes: &[u8], now: Instant) -> bool {
        let accepts = self.visits[index].peer.as_mut().is_some_and(|peer| peer.accepts(source, local, bytes, now));
        self.collect(index, now);
        accepts
    }

    fn learn_route(&mut self, index: usize, source: SocketAddr) {
        let visit = &mut self.visits[index];
        visit.routes.retain(|r| *r != source);
        let id = visit.id;
        let oldest = (visit.routes.len() >= ROUTES_PER_VISIT).then(|| visit.routes.remove(0));
        visit.routes.push(source);
        if let Some(oldest) = oldest {
            self.forget_route(oldest, id);
        }
        self.routes.insert(source, id);
    }

    /// A visit no longer comes from there; another one may.
    pub(super) fn forget_route(&mut self, source: SocketAddr, visit: VisitId) {
        if self.routes.get(&source) == Some(&visit) {
            self.routes.remove(&source);
        }
    }

    /// A frame came out of an encoder: to every viewer that has this one.
    pub fn handle_video(&mut self, frame: &EncodedVideo, now: Instant) {
        let wall = self.wall_at(frame.captured);
        if frame.keyframe {
            self.encoders[frame.encoder.index()].handle_keyframe(now);
        }
        let (mut keyframe_missing, mut pressed) = (false, false);
        for index in 0..self.visits.len() {
            let visit = &mut self.visits[index];
            if !visit.is_reached() || !visit.pictured || !visit.may_see(frame.encoder, self.door.curtain) {
                continue;
            }
            if visit.encoder == frame.encoder && visit.sending != frame.encoder && frame.keyframe {
                visit.sending = frame.encoder;
                visit.needs_keyframe = true;
            }
            if visit.sending != frame.encoder {
                continue;
            }
            let Some(peer) = &mut visit.peer else { continue };
            let pressure = peer.pressure(now);
            let still = visit.still_mode.is_still();
            if still && !(frame.keyframe && pressure == Pressure::None && visit.still_mode.takes(now)) {
                visit.frames_held += 1;
                self.collect(index, now);
                continue;
            }
            if pressure != Pressure::None {
                visit.path.handle_pressure(now);
                pressed = true;
            }
            if pressure == Pressure::Jammed {
                // Old video would only delay the new: nothing until a keyframe.
                if !visit.needs_keyframe {
                    log::debug!("visit {}: pictures wait on the path, none is sent until a keyframe", visit.id.0);
                }
                visit.needs_keyframe = true;
                visit.frames_held += 1;
                self.collect(index, now);
                continue;
            }
            if visit.needs_keyframe && !frame.keyframe {
                visit.frames_held += 1;
                keyframe_missing = true;
                continue;
            }
            let delay = visit.playout.delay();
            if peer.write_video(&frame.data, frame.captured, wall, delay, now) {
                visit.needs_keyframe = still;
                visit.frames_sent += 1;
                visit.unanswered.get_or_insert(now);
                if frame.keyframe {
                    if still {
                        visit.still_mode.handle_sent(frame.data.len(), now);
                    }
                    self.tell_picture(index, frame);
                }
            }
            self.collect(index, now);
        }
        if pressed {
            self.update_encoders(now);
        }
        if keyframe_missing {
            self.order_keyframe(frame.encoder, now);
        }
    }

    /// A viewer hears how large its picture is, when that changes.
    fn tell_picture(&mut self, index: usize, frame: &EncodedVideo) {
        let rung = if frame.full { RungName::Full } else { RungName::Reduced };
        let visit = &mut self.visits[index];
        if frame.encoder == EncoderName::Frosted || std::mem::replace(&mut visit.rung, rung) == rung {
            return;
        }
        log::info!("visit {}: now gets the {rung:?} picture", visit.id.0);
        if let Some(socket) = visit.socket {
            self.out.push_back(HomeOutput::Say(socket, FromHome::Stream { rung }));
        }
    }

    /// A viewer's pictures cannot be decoded here: asks their browser for a keyframe.
    pub fn handle_keyframe_wanted(&mut self, id: VisitId, now: Instant) {
        if let Some(index) = self.index_of(id)
            && let Some(peer) = &mut self.visits[index].peer
        {
            peer.request_keyframe(now);
            self.collect(index, now);
        }
    }

    /// The viewer cannot show what it has.
    pub(super) fn viewer_wants_keyframe(&mut self, index: usize, now: Instant) {
        let visit = &self.visits[index];
        let encoder = visit.sending;
        // A keyframe costs everybody who has this encode.
        if visit.pictured && visit.connected && visit.may_see(encoder, self.door.curtain) {
            self.order_keyframe(encoder, now);
        }
    }

    /// Takes everything out of a visit's peer.
    pub(super) fn collect(&mut self, index: usize, now: Instant) {
        let mut changed = false;
        let desired = self.desired();
        while let Some(output) = self.visits[index].peer.as_mut().and_then(|p| p.poll_output()) {
            let visit = &mut self.visits[index];
            let id = visit.id;
            match output {
                PeerOutput::Transmit(transmit) => self.out.push_back(HomeOutput::Transmit(transmit)),
                PeerOutput::Connected => {
                    log::info!("visit {}: media connected", id.0);
                    self.media_up(index, now);
                    changed = true;
                }
                PeerOutput::Reachable(true) => {
                    let connected = visit.peer.as_ref().is_some_and(|p| p.is_connected());
                    if connected && !visit.connected {
                        log::info!("visit {}: media is back", id.0);
                        self.media_up(index, now);
                        changed = true;
                    }
                }
                PeerOutput::Reachable(false) | PeerOutput::Closed => {
                    if visit.connected {
                        log::info!("visit {}: media lost", id.0);
                        visit.set_connected(false, now);
                        changed = true;
                    }
                }
                PeerOutput::Failed(panic) => {
                    self.peer_failed(index, &panic, now);
                    self.visits[index].set_connected(false, now);
                    changed = true;
                }
                PeerOutput::KeyframeRequest => self.viewer_wants_keyframe(index, now),
                // What is estimated from the voice alone says nothing of the room beyond it.
                PeerOutput::Estimate(_) if !visit.pictured || !visit.gate.is_inside() || visit.quiet => {}
                PeerOutput::Estimate(estimate) => {
                    // What is estimated while next to nothing is sent would say that there is no more room.
                    if visit.still_mode.is_resting() {
                        continue;
                    }
                    visit.capacity = Some(estimate);
                    let desired = visit.sought(desired);
                    if let Some(sought) = visit.path.handle_estimate(estimate, desired, now)
                        && let Some(peer) = &mut visit.peer
                    {
                        peer.set_desired(sought, now);
                    }
                    if visit.path.found_more() {
                        visit.next_probe = visit.next_probe.map(|at| at.min(now + PROBE_SOON));
                    }
                    changed = true;
                }
                PeerOutput::Full(carried) => {
                    let rests = !visit.pictured || !visit.gate.is_inside() || visit.still_mode.is_resting();
                    if !rests
                        && visit.path.handle_full(carried, now)
                        && let Some(peer) = &mut visit.peer
                    {
                        log::debug!("visit {}: the path is full, and carries {carried}", id.0);
                        peer.forget_sent(now);
                        visit.needs_keyframe = true;
                        self.duplicate(index, now, |duplication| duplication.handle_congestion(now));
                        // The keyframe is to be as small as the path is now.
                        self.update_encoders(now);
                        let encoder = self.visits[index].sending;
                        self.order_keyframe(encoder, now);
                        changed = true;
                    }
                }
                PeerOutput::Queue(queue) => changed |= self.handle_queue(index, queue, now),
                PeerOutput::Report(report) => {
                    visit.playout.handle_report(&report, now);
                    if let Some(time) = report.rtt {
                        visit.protection.handle_round_trip(time);
                    }
                    if visit.path.estimate().is_none() {
                        // Without feedback on each packet, the report on the video has to do.
                        visit.protection.handle_loss(report.loss, visit.still_mode.is_quiet(now), now);
                    }
                    visit.report = Some(report);
                }
                PeerOutput::Loss(loss) => {
                    visit.protection.handle_loss(loss, visit.still_mode.is_quiet(now), now);
                    changed = true;
                }
                // Nothing of who waits at the door comes in.
                PeerOutput::Audio(_) | PeerOutput::Video { .. } if !visit.gate.is_inside() => {}
                PeerOutput::Audio(packet) => self.handle_spoken(AudioIn::Packet(id, packet)),
                PeerOutput::Video { data, keyframe, gap, arrived } => {
                    let frame = ViewerFrame { visit: id, data, keyframe, gap, arrived };
                    self.out.push_back(HomeOutput::Picture(frame));
                }
            }
        }
        if changed {
            self.visits_changed(now);
        }
    }

    fn media_up(&mut self, index: usize, now: Instant) {
        let visit = &mut self.visits[index];
        visit.set_connected(true, now);
        visit.next_probe = Some(now + PROBE_EVERY);
        // A knock has rung already.
        let announced = !matches!(visit.gate, Gate::Knock { .. });
        if announced && !std::mem::replace(&mut visit.arrived, true) {
            let (key, preview) = (visit.key, visit.gate.is_preview());
            if preview {
                self.preview_begins(index, now);
            }
            self.out.extend(self.chimes.handle_arrival(key, now).map(HomeOutput::Chime));
        }
        self.visits_changed(now);
        self.picture_again(index, now);
    }

    /// A visit sees home's picture from now on: for the first time, again, or no more frosted.
    pub(super) fn picture_again(&mut self, index: usize, now: Instant) {
        let visit = &mut self.visits[index];
        let encoder = if visit.gate.is_preview() { EncoderName::Frosted } else { visit.encoder };
        let was_waiting =
            std::mem::replace(&mut visit.sending, encoder) == EncoderName::Frosted && visit.gate.is_inside();
        visit.needs_keyframe = true;
        if !visit.connected || !visit.pictured || matches!(visit.gate, Gate::Knock { .. }) {
            return;
        }
        // What was estimated while next to nothing was sent says nothing of the path.
        if was_waiting && !visit.quiet {
            self.begin_path(index, now);
        }
        // The first frame of a viewer is a keyframe made for it, whatever the distance to the last.
        self.encoders[encoder.index()].forget_keyframe();
        self.order_keyframe(encoder, now);
    }

    pub(super) fn wall_at(&self, at: Instant) -> Duration {
        let (then, unix) = self.wall;
        match at.checked_duration_since(then) {
            Some(since) => unix + since,
            None => unix.saturating_sub(then.saturating_duration_since(at)),
        }
    }
}

/// First byte 0–3 (RFC 7983) and the magic cookie (RFC 8489 section 5).
fn is_stun(bytes: &[u8]) -> bool {
    bytes.len() >= 20 && bytes[0] < 4 && bytes[4..8] == [0x21, 0x12, 0xa4, 0x42]
}
