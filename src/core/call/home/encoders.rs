//! The orders of home's video encoders: who shares which, at which bitrate, and when a keyframe is due.

use std::time::{Duration, Instant};

use intercom_base::settings::Rung;
use intercom_base::units::{Bitrate, FrameRate};

use crate::call::home::visit::Visit;
use crate::call::home::{Home, HomeConfig, HomeOutput, Why};
use crate::call::items::{EncoderName, EncoderOrder};
use crate::rate::path::UNKNOWN;
use crate::rate::sharing;
use crate::rate::sizes::MOST_STRIDE;

/// Keyframes of an encode keep at least this distance, no matter who asks: each costs all its viewers bitrate.
const KEYFRAME_DISTANCE: Duration = Duration::from_millis(500);

/// How often the estimator of a viewer that gets less than the best is asked to look for more.
pub(super) const PROBE_EVERY: Duration = Duration::from_secs(5);

/// And when it has just found more.
pub(super) const PROBE_SOON: Duration = Duration::from_millis(1500);

/// What RTP, SRTP, UDP and IP headers and retransmissions take, in percent of the media.
pub(super) const HEADERS: u64 = 6;

/// No path is thought to carry less before that was seen.
const LEAST_GUESS: Bitrate = Bitrate::from_kbps(150);

/// An encode rises at most by so many percent a second: what the estimator found while it looked for more may be too much. In its
/// first seconds nothing that is worth keeping is there yet.
const RISE: u64 = 40;
const RISE_AT_FIRST: u64 = 150;
const FIRST: Duration = Duration::from_secs(5);

/// What somebody in the preview sees: a small picture of the shape of the full one, of which nothing but light and movement is left,
/// see the encoder's frosting.
pub fn frosted(full: &Rung) -> Rung {
    let (long, short) = (full.width.max(full.height).max(1), full.width.min(full.height));
    let short = (320 * short / long).max(16) & !1;
    let (width, height) = if full.width >= full.height { (320, short) } else { (short, 320) };
    let rate = FrameRate::from_whole(10);
    Rung { width, height, rate, floor: Bitrate::from_kbps(60), max: Bitrate::from_kbps(120) }
}

/// The orders that one encoder stands under.
pub(super) struct EncoderState {
    name: EncoderName,
    least: Bitrate,
    /// What all frames need, at the least quality.
    floor: Bitrate,
    max: Bitrate,
    ordered: Option<Bitrate>,
    ordered_at: Instant,
    began: Instant,
    last_keyframe: Option<Instant>,
    keyframe_due: Option<Instant>,
}

impl EncoderState {
    /// All encoders, without orders.
    pub fn all(config: &HomeConfig, now: Instant) -> [EncoderState; 4] {
        EncoderName::ALL.map(|name| {
            let (least, floor, max) = match name {
                EncoderName::Frosted => {
                    let frosted = frosted(&config.full);
                    (frosted.floor, frosted.floor, frosted.max)
                }
                // With less than the floor it leaves frames out.
                _ => (least(&config.reduced), config.reduced.floor, config.full.max),
            };
            EncoderState {
                name,
                least,
                floor,
                max,
                ordered: None,
                ordered_at: now,
                began: now,
                last_keyframe: None,
                keyframe_due: None,
            }
        })
    }

    pub fn deadline(&self) -> Option<(Instant, Why)> {
        self.keyframe_due.map(|t| (t, Why::Keyframe(self.name)))
    }

    /// It made a keyframe.
    pub fn handle_keyframe(&mut self, now: Instant) {
        self.last_keyframe = Some(now);
        self.keyframe_due = None;
    }

    /// The next keyframe need not wait for the distance to the last.
    pub fn forget_keyframe(&mut self) {
        (self.last_keyframe, self.keyframe_due) = (None, None);
    }

    /// Down at once, up little by little: an estimate that shoots over the mark is back before we follow it.
    fn at_most(&self, wanted: Bitrate, now: Instant) -> Bitrate {
        let Some(ordered) = self.ordered else { return wanted };
        let millis = now.saturating_duration_since(self.ordered_at).as_millis() as u64;
        let rise = if now.saturating_duration_since(self.began) < FIRST { RISE_AT_FIRST } else { RISE };
        // Frames that were left out come back at once: what is less than the floor tells the estimator nothing.
        let slowly = Bitrate::from_bps(ordered.bps() + ordered.bps() * rise / 100 * millis.min(10_000) / 1000);
        wanted.min(slowly.max(self.floor))
    }

    /// Gives its orders: at this bitrate, or stop.
    fn order(&mut self, wanted: Option<Bitrate>, now: Instant) -> Option<EncoderOrder> {
        let wanted = wanted.map(|wanted| self.at_most(wanted, now));
        let order = match (self.ordered, wanted) {
            (None, None) => return None,
            (Some(_), None) => EncoderOrder::Stop,
            (None, Some(bitrate)) => {
                self.began = now;
                EncoderOrder::Run(bitrate)
            }
            (Some(old), Some(new)) if differs(old, new) => EncoderOrder::Run(new),
            _ => return None,
        };
        (self.ordered, self.ordered_at) = (wanted, now);
        Some(order)
    }

    pub fn status(&self) -> serde_json::Value {
        let name = match self.name {
            EncoderName::First => "first",
            EncoderName::Second => "second",
            EncoderName::Third => "third",
            EncoderName::Frosted => "frosted",
        };
        serde_json::json!({ "encoder": name, "kbps": self.ordered.map(|b| b.kbps()) })
    }
}

impl Home {
    /// Orders a keyframe, at once or as soon as the distance to the last one allows.
    pub(super) fn order_keyframe(&mut self, encoder: EncoderName, now: Instant) {
        let state = &mut self.encoders[encoder.index()];
        if state.keyframe_due.is_some() {
            return;
        }
        let earliest = state.last_keyframe.map_or(now, |t| t + KEYFRAME_DISTANCE);
        state.keyframe_due = Some(earliest.max(now));
        self.keyframes_timeout(now);
    }

    fn keyframes_timeout(&mut self, now: Instant) {
        for state in &mut self.encoders {
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

    pub(super) fn encoders_timeout(&mut self, now: Instant) {
        let desired = self.desired();
        for index in 0..self.visits.len() {
            let visit = &mut self.visits[index];
            let desired = visit.sought(desired);
            visit.path.handle_timeout(now);
            visit.still_mode.handle_timeout(now);
            let still = visit.still_mode.handle_due(now) && visit.connected;
            if visit.encode_until.is_some_and(|t| t <= now) {
                visit.encode_until = None;
            }
            if visit.next_probe.is_some_and(|t| t <= now) {
                visit.next_probe = visit.connected.then_some(now + PROBE_EVERY);
                // Beside single pictures there are trials for it.
                let short = !visit.still_mode.is_still() && !visit.quiet && visit.path.is_short_of(desired);
                if short
                    && visit.connected
                    && let Some(peer) = &mut visit.peer
                {
                    // Only a *rise* of what is desired makes the estimator probe.
                    let further = visit.path.look_further(desired);
                    peer.set_desired(further.percent(50), now);
                    peer.handle_timeout(now);
                    peer.set_desired(further, now);
                    self.collect(index, now);
                }
            }
            if still {
                let encoder = self.visits[index].sending;
                self.order_keyframe(encoder, now);
            }
        }
        self.update_encoders(now);
        self.keyframes_timeout(now);
    }

    /// Gives each encoder its orders: run at the bitrate that its slowest viewer takes, or stop.
    pub(super) fn update_encoders(&mut self, now: Instant) {
        self.update_speech(now);
        self.share_encoders(now);
        let curtain = self.door.curtain;
        for name in EncoderName::ALL {
            let users = self.visits.iter().filter(|v| {
                let wanted = v.encoder == name || (v.connected && v.sending == name) || v.gate.is_preview();
                wanted && v.may_see(name, curtain) && v.is_served()
            });
            let used = users.clone().next().is_some();
            // Until who changes to another encode has its keyframe, the old one goes on as it was.
            let left_alone = users.clone().all(|v| v.encoder == name || v.gate.is_preview() || v.still_mode.is_still());
            // Who sees single pictures only does not make the others' worse, and has better ones for it.
            let moving = users.filter(|v| (v.encoder == name || v.gate.is_preview()) && !v.still_mode.is_still());
            let any_moving = moving.clone().next().is_some();
            let left = moving.map(|v| v.room());
            let state = &mut self.encoders[name.index()];
            let wanted = used.then(|| match any_moving {
                true => sharing::bitrate(state.least, state.max, left),
                false if left_alone => state.floor,
                false => state.ordered.unwrap_or(state.floor),
            });
            if let Some(order) = state.order(wanted, now) {
                self.out.push_back(HomeOutput::Encoder(name, order));
            }
        }
        // A viewer that changes to another encode begins with a keyframe of it.
        for index in 0..self.visits.len() {
            let visit = &self.visits[index];
            if visit.is_met() && visit.is_reached() && visit.pictured && visit.encoder != visit.sending {
                let encoder = visit.encoder;
                self.order_keyframe(encoder, now);
            }
        }
    }

    /// Distributes all who are inside over the encoders.
    fn share_encoders(&mut self, now: Instant) {
        let (least, most) = (least(&self.config.reduced), self.config.full.max);
        let served = |v: &&mut Visit| v.gate.is_inside() && v.is_served();
        let mut visits: Vec<_> = self.visits.iter_mut().filter(served).collect();
        let rooms: Vec<(Bitrate, usize)> =
            visits.iter().map(|v| (v.room().clamp(least, most), v.encoder.index())).collect();
        for (visit, encoder) in visits.iter_mut().zip(self.sharing.update(&rooms, now)) {
            visit.encoder = EncoderName::ALL[encoder];
        }
    }

    /// A visit's path is looked at from the beginning: its connection is new, or had next to nothing to send.
    pub(super) fn begin_path(&mut self, index: usize, now: Instant) {
        let most = self.desired();
        let visit = &mut self.visits[index];
        visit.path.begin(visit.path.start(), now);
        let sought = visit.path.look_further(visit.sought(most));
        if let Some(peer) = &mut visit.peer {
            peer.set_desired(sought, now);
            peer.reset_estimate(visit.path.start(), now);
        }
    }

    /// What we would like a path to carry: home's picture at its best, with room to send keyframes swiftly.
    pub(super) fn desired(&self) -> Bitrate {
        let overhead = Bitrate::from_kbps(20).bps() + self.config.audio.bps();
        Bitrate::from_bps(self.config.full.max.percent(200).bps() + overhead)
    }

    /// What a path is taken to carry that a page says so much of, or nothing.
    pub(super) fn first_guess(&self, hint: Option<u32>) -> Bitrate {
        // A page was on its way for too short a time to say exactly.
        let hinted = hint.map(|kbps| Bitrate::from_kbps(u64::from(kbps)).percent(80));
        let guess = hinted.unwrap_or(UNKNOWN);
        self.at_first(self.uplink.next_share().map_or(guess, |share| guess.min(share)))
    }

    /// What an estimator begins with, on a path that is taken to carry this.
    pub(super) fn at_first(&self, guess: Bitrate) -> Bitrate {
        guess.max(LEAST_GUESS).min(self.desired())
    }
}

/// What the smallest picture can do with a quarter of its frames.
pub(super) fn least(rung: &Rung) -> Bitrate {
    rung.floor.percent(100 / MOST_STRIDE)
}

/// Changes under 5 % are not worth an order.
fn differs(old: Bitrate, new: Bitrate) -> bool {
    old.bps().abs_diff(new.bps()) * 20 > old.bps()
}
