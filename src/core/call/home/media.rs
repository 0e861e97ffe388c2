//! Media of all visits: datagrams in and out, one encode for all, keyframes, rungs.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use intercom_base::settings::Rung;
use intercom_base::units::{Bitrate, FrameRate};

use crate::call::home::door::Gate;
use crate::call::home::{Home, HomeOutput, ROUTES_PER_VISIT, Why};
use crate::call::items::{AudioIn, EncodedVideo, EncoderOrder, ViewerFrame, VisitId};
use crate::call::peer::{PeerOutput, Pressure};
use crate::call::protocol::{FromHome, RungName};
use crate::rate::encoding::MOST_STRIDE;
use crate::rate::ladder::{Range, rung_bitrate};

/// Keyframes of a rung keep at least this distance, no matter who asks: each costs all its viewers bitrate.
const KEYFRAME_DISTANCE: Duration = Duration::from_millis(500);

/// How often the estimator of a viewer that gets less than the best is asked to look for more.
const PROBE_EVERY: Duration = Duration::from_secs(8);

/// What RTP, SRTP, UDP and IP headers and retransmissions take, in percent of the media.
pub(super) const HEADERS: u64 = 6;

/// What somebody in the preview sees: a small picture of the shape of the full one, of which nothing but light and movement is left,
/// see the encoder's frosting.
pub fn frosted(full: &Rung) -> Rung {
    let (long, short) = (full.width.max(full.height).max(1), full.width.min(full.height));
    let short = (320 * short / long).max(16) & !1;
    let (width, height) = if full.width >= full.height { (320, short) } else { (short, 320) };
    let rate = FrameRate::from_whole(10);
    Rung { width, height, rate, floor: Bitrate::from_kbps(60), max: Bitrate::from_kbps(120) }
}

/// The orders that one rung's encoder stands under.
pub(super) struct RungState {
    name: RungName,
    range: Range,
    /// What all frames need, at the least quality.
    floor: Bitrate,
    ordered: Option<Bitrate>,
    ordered_at: Instant,
    last_keyframe: Option<Instant>,
    keyframe_due: Option<Instant>,
}

impl RungState {
    pub fn new(name: RungName, rung: &Rung, now: Instant) -> RungState {
        // Below its floor the reduced rung has fewer frames; the full one has the reduced below it.
        let floor = if name == RungName::Reduced { least(rung) } else { rung.floor };
        let range = Range { floor, max: rung.max };
        RungState {
            name,
            range,
            floor: rung.floor,
            ordered: None,
            ordered_at: now,
            last_keyframe: None,
            keyframe_due: None,
        }
    }

    pub fn deadline(&self) -> Option<(Instant, Why)> {
        self.keyframe_due.map(|t| (t, Why::Keyframe(self.name)))
    }

    /// Down at once, up by a tenth a second: an estimate that shoots over the mark is back before we follow it.
    fn at_most(&self, wanted: Bitrate, now: Instant) -> Bitrate {
        let Some(ordered) = self.ordered else { return wanted };
        let millis = now.saturating_duration_since(self.ordered_at).as_millis() as u64;
        // Frames that were left out come back at once: what is less than the floor tells the estimator nothing.
        let slowly = Bitrate::from_bps(ordered.bps() + ordered.bps() / 10 * millis.min(10_000) / 1000);
        wanted.min(slowly.max(self.floor))
    }

    pub fn status(&self) -> serde_json::Value {
        serde_json::json!({ "rung": self.name, "kbps": self.ordered.map(|b| b.kbps()) })
    }
}

fn slot(rung: RungName) -> usize {
    match rung {
        RungName::Full => 0,
        RungName::Reduced => 1,
        RungName::Frosted => 2,
    }
}

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

    /// A frame came out of an encoder: to every viewer of its rung.
    pub fn handle_video(&mut self, frame: &EncodedVideo, now: Instant) {
        let wall = self.wall_at(frame.captured);
        let rung = &mut self.rungs[slot(frame.rung)];
        if frame.keyframe {
            rung.last_keyframe = Some(now);
            rung.keyframe_due = None;
        }
        let mut keyframe_missing = false;
        let mut pressed = false;
        for index in 0..self.visits.len() {
            let visit = &mut self.visits[index];
            if !visit.connected || !visit.pictured || !visit.may_see(frame.rung, self.door.curtain) {
                continue;
            }
            if visit.ladder.rung() == frame.rung && visit.sending != frame.rung && frame.keyframe {
                visit.sending = frame.rung;
                visit.needs_keyframe = true;
                log::info!("visit {}: now gets the {:?} picture", visit.id.0, frame.rung);
                if let Some(socket) = visit.socket {
                    self.out.push_back(HomeOutput::Say(socket, FromHome::Stream { rung: frame.rung }));
                }
            }
            let visit = &mut self.visits[index];
            if visit.sending != frame.rung {
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
                visit.ladder.handle_pressure(pressure == Pressure::Jammed, now);
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
                if frame.keyframe && frame.rung == RungName::Reduced {
                    visit.still_mode.handle_sent(frame.data.len(), now);
                }
            }
            self.collect(index, now);
        }
        if pressed {
            self.update_rungs(now);
        }
        if keyframe_missing {
            self.order_keyframe(frame.rung, now);
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
        let rung = visit.sending;
        // A keyframe costs everybody who gets this rung.
        if visit.pictured && visit.connected && visit.may_see(rung, self.door.curtain) {
            self.order_keyframe(rung, now);
        }
    }

    /// Orders a keyframe, at once or as soon as the distance to the last one allows.
    fn order_keyframe(&mut self, rung: RungName, now: Instant) {
        let state = &mut self.rungs[slot(rung)];
        if state.keyframe_due.is_some() {
            return;
        }
        let earliest = state.last_keyframe.map_or(now, |t| t + KEYFRAME_DISTANCE);
        state.keyframe_due = Some(earliest.max(now));
        self.keyframes_timeout(now);
    }

    fn keyframes_timeout(&mut self, now: Instant) {
        for state in &mut self.rungs {
            if state.keyframe_due.is_some_and(|t| t <= now) {
                state.keyframe_due = None;
                if state.ordered.is_some() {
                    // Counts from the order on, so that requests meanwhile do not order another.
                    state.last_keyframe = Some(now);
                    self.out.push_back(HomeOutput::Encoder(state.name, EncoderOrder::Keyframe));
                }
            }
        }
    }

    /// Takes everything out of a visit's peer.
    pub(super) fn collect(&mut self, index: usize, now: Instant) {
        let mut changed = false;
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
                PeerOutput::Estimate(_) if !visit.pictured || !visit.gate.is_inside() => {}
                PeerOutput::Estimate(estimate) => {
                    // What is estimated while next to nothing is sent would say that there is no more room.
                    if visit.still_mode.is_resting() {
                        if estimate > self.speech_rate() {
                            self.rest_estimator(index, now);
                        }
                        continue;
                    }
                    visit.capacity = Some(estimate);
                    visit.ladder.handle_estimate(estimate, now);
                    changed = true;
                }
                PeerOutput::Report(report) => {
                    visit.playout.handle_report(&report, now);
                    if let Some(time) = report.rtt {
                        visit.protection.handle_round_trip(time);
                    }
                    if visit.ladder.estimate().is_none() {
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
        let desired = self.desired();
        let visit = &mut self.visits[index];
        let rung = if visit.gate.is_preview() { RungName::Frosted } else { visit.ladder.rung() };
        let was_waiting = std::mem::replace(&mut visit.sending, rung) == RungName::Frosted && visit.gate.is_inside();
        visit.needs_keyframe = true;
        if !visit.connected || !visit.pictured || matches!(visit.gate, Gate::Knock { .. }) {
            return;
        }
        // What was estimated while next to nothing was sent says nothing of the path.
        if was_waiting && let Some(peer) = &mut visit.peer {
            peer.set_desired(desired, now);
            peer.reset_estimate(desired, now);
        }
        // The first frame of a viewer is a keyframe made for it, whatever the distance to the last.
        let state = &mut self.rungs[slot(rung)];
        state.last_keyframe = None;
        state.keyframe_due = None;
        self.order_keyframe(rung, now);
    }

    pub(super) fn rungs_timeout(&mut self, now: Instant) {
        let desired = self.desired();
        for index in 0..self.visits.len() {
            let visit = &mut self.visits[index];
            visit.ladder.handle_timeout(now);
            visit.still_mode.handle_timeout(now);
            let still = visit.still_mode.handle_due(now) && visit.connected;
            if visit.encode_until.is_some_and(|t| t <= now) {
                visit.encode_until = None;
            }
            if visit.next_probe.is_some_and(|t| t <= now) {
                visit.next_probe = visit.connected.then_some(now + PROBE_EVERY);
                // Beside single pictures there are trials for it.
                let short = !visit.still_mode.is_still() && visit.ladder.estimate().is_some_and(|e| e < desired);
                if short
                    && visit.connected
                    && let Some(peer) = &mut visit.peer
                {
                    // Only a *rise* of what is desired makes the estimator probe.
                    peer.set_desired(desired.percent(50), now);
                    peer.set_desired(desired, now);
                    self.collect(index, now);
                }
            }
            if still {
                let rung = self.visits[index].sending;
                self.order_keyframe(rung, now);
            }
        }
        self.update_rungs(now);
        self.keyframes_timeout(now);
    }

    /// Gives each encoder its orders: run at the bitrate that its slowest viewer takes, or stop.
    pub(super) fn update_rungs(&mut self, now: Instant) {
        self.update_speech(now);
        let curtain = self.door.curtain;
        for (at, name) in [RungName::Full, RungName::Reduced, RungName::Frosted].into_iter().enumerate() {
            let users = self.visits.iter().filter(|v| {
                let wanted = v.ladder.rung() == name || (v.connected && v.sending == name) || v.gate.is_preview();
                wanted && v.may_see(name, curtain) && v.pictured && (v.connected || v.encode_until.is_some())
            });
            let used = users.clone().next().is_some();
            // Who sees single pictures only does not make the others' worse, and has better ones for it.
            let moving = users.filter(|v| v.ladder.rung() == name && !v.still_mode.is_still());
            let any_moving = moving.clone().next().is_some();
            let left = moving.filter_map(|v| v.ladder.usable().map(|usable| usable.less(v.sound)));
            let state = &mut self.rungs[at];
            let wanted = used.then(|| if any_moving { rung_bitrate(state.range, left) } else { state.floor });
            let wanted = wanted.map(|wanted| state.at_most(wanted, now));
            let order = match (state.ordered, wanted) {
                (None, None) => None,
                (Some(_), None) => Some(EncoderOrder::Stop),
                (None, Some(bitrate)) => Some(EncoderOrder::Run(bitrate)),
                (Some(old), Some(new)) => differs(old, new).then_some(EncoderOrder::Run(new)),
            };
            if let Some(order) = order {
                state.ordered = wanted;
                state.ordered_at = now;
                self.out.push_back(HomeOutput::Encoder(name, order));
            }
        }
        // A viewer that changes rung needs a keyframe of the new one.
        for index in 0..self.visits.len() {
            let visit = &self.visits[index];
            if visit.is_met() && visit.pictured && visit.ladder.rung() != visit.sending {
                let rung = visit.ladder.rung();
                self.order_keyframe(rung, now);
            }
        }
    }

    /// What sound and headers take of a viewer's path.
    fn overhead(&self) -> Bitrate {
        Bitrate::from_bps(self.config.audio.bps() + 20_000)
    }

    /// What a path must carry for the full rung at its floor.
    pub(super) fn full_rung_need(&self) -> Bitrate {
        Bitrate::from_bps(self.config.full.floor.percent(100 + HEADERS).bps() + self.overhead().bps())
    }

    /// What we would like a path to carry: the full rung at its best, with room to send keyframes swiftly.
    pub(super) fn desired(&self) -> Bitrate {
        Bitrate::from_bps(self.config.full.max.percent(200).bps() + self.overhead().bps())
    }

    /// What a path is taken to carry until it tells.
    pub(super) fn initial_estimate(&self) -> Bitrate {
        self.desired()
    }

    pub(super) fn wall_at(&self, at: Instant) -> Duration {
        let (then, unix) = self.wall;
        match at.checked_duration_since(then) {
            Some(since) => unix + since,
            None => unix.saturating_sub(then.saturating_duration_since(at)),
        }
    }
}

/// What a rung can do with a quarter of its frames.
pub(super) fn least(rung: &Rung) -> Bitrate {
    rung.floor.percent(100 / MOST_STRIDE)
}

/// Changes under 5 % are not worth an order.
fn differs(old: Bitrate, new: Bitrate) -> bool {
    old.bps().abs_diff(new.bps()) * 20 > old.bps()
}

/// First byte 0–3 (RFC 7983) and the magic cookie (RFC 8489 section 5).
fn is_stun(bytes: &[u8]) -> bool {
    bytes.len() >= 20 && bytes[0] < 4 && bytes[4..8] == [0x21, 0x12, 0xa4, 0x42]
}
