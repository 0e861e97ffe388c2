//! One viewer's stay, from admission to leaving.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use intercom_base::units::Bitrate;

use crate::call::home::door::Gate;
use crate::call::home::house::HomeTold;
use crate::call::home::{LONGEST_WITHOUT_MEDIA, NO_MEDIA_LIFE, ORPHAN_LIFE, SocketId};
use crate::call::items::{EncoderName, ViewerInfo, VisitId};
use crate::call::peer::{Peer, Report};
use crate::call::protocol::{Attempt, FromHome, RungName};
use crate::people::fairness::{Budget, Rate, Source};
use crate::people::keys::KeyId;
use crate::rate::duplication::Duplication;
use crate::rate::limits::Limit;
use crate::rate::path::PathState;
use crate::rate::playout::Playout;
use crate::rate::speech::{Path, Protection};
use crate::rate::stills::StillMode;

/// A viewer whose media is down for longer than this does not keep an encoder busy.
const KEEP_ENCODING: Duration = Duration::from_secs(10);

/// A viewer of whom nothing comes for so long, while pictures are sent, has vanished: a browser that gets them answers many times
/// a second. The uplink is for the others.
const QUIET_AFTER: Duration = Duration::from_secs(3);

/// Most candidates kept that arrived before their offer, and the longest of them.
const EARLY_CANDIDATES: usize = 64;
const LONGEST_CANDIDATE: usize = 512;

/// Offers that a page may make: each costs keys and checks to every address that it names.
const OFFERS: Rate = Rate { burst: 16.0, per_second: 0.2 };

/// Snapshots that a page may ask for. Each costs some milliseconds of computing.
const SNAPSHOTS: Rate = Rate { burst: 2.0, per_second: 1.0 };

pub(super) struct Visit {
    pub id: VisitId,
    pub token: String,
    /// What its page calls this try to connect.
    pub attempt: Option<Attempt>,
    pub key: KeyId,
    /// Whose device it is.
    pub person: u64,
    /// What home calls them.
    pub name: Option<Arc<str>>,
    /// Whether they are inside yet.
    pub gate: Gate,
    /// What an owner's page was told last on a socket that asked for the list of people.
    pub people_told: Option<(SocketId, Option<FromHome>)>,
    /// What an owner's page was told of home.
    pub home_told: Option<HomeTold>,
    /// Its newest socket came from beyond home's network.
    pub from_outside: bool,
    /// Where that was.
    pub network: Option<Source>,
    /// It is in the visit log.
    pub logged: bool,
    /// Links that it was given, by its own numbers of requests.
    pub invited: Vec<(u32, FromHome)>,
    pub since: Instant,
    /// The address of ours that the viewer's signaling came to.
    pub near: IpAddr,
    pub socket: Option<SocketId>,
    pub socket_lost: Option<Instant>,
    /// When the newest socket came.
    pub socket_came: Instant,
    /// What is left of the offers that it may make.
    pub offers: Budget,
    pub pc: u32,
    pub rev: u32,
    pub answer: Option<String>,
    pub early: Vec<(u32, String)>,
    pub peer: Option<Peer>,
    /// The connection has video; false for a browser without H.264.
    pub pictured: bool,
    /// What is left of the snapshots that it may ask for, and whether it waits for one.
    pub snapshots: Budget,
    pub awaits_snapshot: bool,
    /// ICE and DTLS are up and the far end answers.
    pub connected: bool,
    /// Media was up at some time.
    pub arrived: bool,
    pub media_lost: Option<Instant>,
    /// When its peer connection panicked, which ends it.
    pub failed_at: Option<Instant>,
    /// While media is down, encoders keep running for this viewer until then.
    pub encode_until: Option<Instant>,
    pub microphone: bool,
    pub camera: bool,
    pub path: PathState,
    /// What the path does to sound, and what the sound takes of it.
    pub protection: Protection,
    /// How often video packets are sent.
    pub duplication: Duplication,
    pub sound: Bitrate,
    pub redundancy: bool,
    /// What the path carried when that was last known.
    pub capacity: Option<Bitrate>,
    /// What is left of the picture beside the sound.
    pub still_mode: StillMode,
    /// The encoder whose frames the viewer is to get, and that of those it gets now, which follows at the next keyframe.
    pub encoder: EncoderName,
    pub sending: EncoderName,
    /// What its page was told of the picture's size.
    pub rung: RungName,
    /// What it was told of what limits that.
    pub limit: Limit,
    /// Its device saves data: the picture takes no more than this.
    pub saving: Option<Bitrate>,
    pub needs_keyframe: bool,
    pub playout: Playout,
    pub report: Option<Report>,
    pub next_probe: Option<Instant>,
    /// Since when pictures have been sent and nothing has come back, and that it has been too long.
    pub unanswered: Option<Instant>,
    pub quiet: bool,
    pub routes: Vec<SocketAddr>,
    pub frames_sent: u64,
    pub frames_held: u64,
}

impl Visit {
    pub fn new(
        id: VisitId,
        token: String,
        key: KeyId,
        near: IpAddr,
        (start, still_mode, duplication): (Bitrate, StillMode, Duplication),
        now: Instant,
    ) -> Visit {
        Visit {
            id,
            token,
            attempt: None,
            key,
            person: 0,
            name: None,
            gate: Gate::Inside,
            people_told: None,
            home_told: None,
            from_outside: false,
            network: None,
            logged: false,
            invited: Vec::new(),
            since: now,
            near,
            socket: None,
            socket_lost: Some(now),
            socket_came: now,
            offers: Budget::new(OFFERS, now),
            pc: 0,
            rev: 0,
            answer: None,
            early: Vec::new(),
            peer: None,
            pictured: true,
            snapshots: Budget::new(SNAPSHOTS, now),
            awaits_snapshot: false,
            connected: false,
            arrived: false,
            media_lost: None,
            failed_at: None,
            encode_until: Some(now + KEEP_ENCODING),
            microphone: false,
            camera: false,
            path: PathState::new(start, now),
            protection: Protection::default(),
            duplication,
            sound: Bitrate::from_kbps(0),
            redundancy: false,
            capacity: None,
            still_mode,
            encoder: EncoderName::First,
            sending: EncoderName::First,
            rung: RungName::Full,
            limit: Limit::default(),
            saving: None,
            needs_keyframe: true,
            playout: Playout::new(),
            report: None,
            next_probe: None,
            unanswered: None,
            quiet: false,
            routes: Vec::new(),
            frames_sent: 0,
            frames_held: 0,
        }
    }

    /// When a visit that has neither socket nor media is over.
    pub fn orphan_deadline(&self) -> Option<Instant> {
        if self.socket.is_some() || self.connected {
            return None;
        }
        let lost = self.socket_lost.into_iter().chain(self.media_lost).max();
        lost.map(|t| t + ORPHAN_LIFE)
    }

    /// When a visit that has a socket and no media is over.
    pub fn media_deadline(&self) -> Option<Instant> {
        if self.socket.is_none() || self.connected {
            return None;
        }
        let since = self.media_lost.unwrap_or(self.since);
        Some((self.socket_came.max(since) + NO_MEDIA_LIFE).min(since + LONGEST_WITHOUT_MEDIA))
    }

    /// Media came up (`true`) or went down.
    pub fn set_connected(&mut self, connected: bool, now: Instant) {
        self.connected = connected;
        // A further connection that has not come up either does not make it younger.
        self.media_lost = if connected { None } else { self.media_lost.or(Some(now)) };
        self.encode_until = (!connected).then_some(now + KEEP_ENCODING);
    }

    /// Whether frames of this encoder are for it, while the curtain is drawn or not.
    pub fn may_see(&self, encoder: EncoderName, curtain: bool) -> bool {
        match self.gate {
            Gate::Inside => encoder != EncoderName::Frosted && !curtain,
            Gate::Preview { .. } => encoder == EncoderName::Frosted && !curtain,
            Gate::Knock { .. } => false,
        }
    }

    /// Encoders run for it: pictures flow, or are about to.
    pub fn is_served(&self) -> bool {
        self.peer.is_some() && self.pictured && !self.quiet && (self.connected || self.encode_until.is_some())
    }

    /// What the path offers the picture, or what that is to take of it.
    pub fn room(&self) -> Bitrate {
        let room = self.duplication.picture(self.path.usable().less(self.sound));
        self.saving.map_or(room, |most| room.min(most))
    }

    /// What picture and copies of its packets may take, where copies may be sent at all: whoever shares a pipe or saves data has none to
    /// spare.
    pub fn room_for_copies(&self) -> Bitrate {
        let alone = self.path.share().is_none() && self.saving.is_none();
        if alone { self.path.usable().less(self.sound) } else { Bitrate::from_kbps(0) }
    }

    /// How far the estimator is to look, where it would be of use up to `most`: who saves data pays for each probe.
    pub fn sought(&self, most: Bitrate) -> Bitrate {
        let all = |saved: Bitrate| Bitrate::from_bps(saved.bps() + self.sound.bps()).percent(150);
        self.saving.map_or(most, |saved| most.min(all(saved)))
    }

    /// Something comes of it; true if it had been quiet.
    pub fn handle_heard(&mut self) -> bool {
        self.unanswered = None;
        std::mem::take(&mut self.quiet)
    }

    /// When nothing has come of it for too long. Who gets single pictures only has little to answer.
    pub fn quiet_deadline(&self) -> Option<Instant> {
        let watched = self.connected && !self.quiet && !self.still_mode.is_still();
        self.unanswered.filter(|_| watched).map(|since| since + QUIET_AFTER)
    }

    /// Media is up, and what is sent may arrive.
    pub fn is_reached(&self) -> bool {
        self.connected && !self.quiet
    }

    /// Media flows, and the viewer is inside.
    pub fn is_met(&self) -> bool {
        self.connected && self.gate.is_inside()
    }

    /// Keeps a candidate for an offer still to come.
    pub fn keep_early(&mut self, pc: u32, candidate: String) {
        if self.early.len() < EARLY_CANDIDATES && candidate.len() <= LONGEST_CANDIDATE {
            self.early.push((pc, candidate));
        }
    }

    /// The viewer's path, as the Opus encoder sees it.
    pub fn sound_path(&self, now: Instant) -> Path {
        let estimate = self.capacity;
        let redundancy = self.protection.redundancy(estimate, now);
        Path { estimate, loss: self.protection.loss(), redundancy }
    }

    pub fn viewer(&self) -> ViewerInfo {
        ViewerInfo {
            visit: self.id,
            name: self.name.clone(),
            since: self.since,
            camera: self.camera && self.pictured,
            microphone: self.microphone,
            connected: self.connected,
        }
    }

    pub fn status(&self) -> serde_json::Value {
        serde_json::json!({
            "visit": self.id.0,
            "key": self.key.0,
            "person": self.person,
            "name": self.name.as_deref(),
            "socket": self.socket.is_some(),
            "connected": self.connected,
            "entry": self.gate.word(),
            "pictured": self.pictured,
            "rung": self.rung,
            "limited_by": self.limit.told(),
            "saves": self.saving.is_some(),
            "estimate_kbps": self.path.estimate().map(|e| e.kbps()),
            "share_kbps": self.path.share().map(|share| share.kbps()),
            "redundancy": self.redundancy,
            "copies": self.duplication.copies(),
            "still": self.still_mode.is_still(),
            "path_loss": self.protection.loss(),
            "loss": self.report.map(|r| r.loss),
            "jitter_ms": self.report.map(|r| r.jitter.as_secs_f64() * 1e3),
            "rtt_ms": self.report.and_then(|r| r.rtt).map(|r| r.as_secs_f64() * 1e3),
            "playout_max_ms": self.playout.delay().max.as_millis() as u64,
            "frames_sent": self.frames_sent,
            "frames_held": self.frames_held,
        })
    }
}
