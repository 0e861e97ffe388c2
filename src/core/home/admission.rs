//! Sockets before and around their visit: hello, refusal, silence, and a budget of words.

use std::net::SocketAddr;
use std::time::Instant;

use subtle::ConstantTimeEq as _;

use crate::core::home::visit::Visit;
use crate::core::home::{HELLO_WITHIN, Home, HomeOutput, PING_AFTER, SILENCE, SocketId, Why};
use crate::core::items::{CodeId, VisitId};
use crate::core::ladder::Place;
use crate::core::protocol::{ErrorCode, FromHome, VERSION};

/// Most sockets that have not said who they are; the oldest of them goes first.
const MAX_STRANGERS: usize = 64;

/// Messages that may come in one burst, and how many a second after it.
const BURST: f64 = 300.0;
const PER_SECOND: f64 = 30.0;

pub(super) enum Stage {
    /// Has not said `hello` yet.
    Stranger { until: Instant },
    /// Said a wrong key; the answer is held back.
    Refused { answer_at: Instant },
    /// Has shown the code on the TV, and waits for its key to be stored.
    Pairing { code: CodeId, until: Instant },
    /// Belongs to a visit.
    Visit(VisitId),
}

pub(super) struct Socket {
    pub far: SocketAddr,
    pub near: SocketAddr,
    pub stage: Stage,
    opened: Instant,
    heard: Instant,
    pinged: bool,
    budget: f64,
    counted: Instant,
}

impl Socket {
    pub fn deadline(&self, id: SocketId) -> Option<(Instant, Why)> {
        Some(match self.stage {
            Stage::Stranger { until } | Stage::Pairing { until, .. } => (until, Why::Hello(id)),
            Stage::Refused { answer_at } => (answer_at, Why::Refusal(id)),
            Stage::Visit(_) if self.pinged => (self.heard + SILENCE, Why::Silence(id)),
            Stage::Visit(_) => (self.heard + PING_AFTER, Why::Silence(id)),
        })
    }

    /// Takes one message off the budget; `false` if there is none left.
    fn spend(&mut self, now: Instant) -> bool {
        let earned = now.saturating_duration_since(self.counted).as_secs_f64() * PER_SECOND;
        self.counted = now;
        self.budget = (self.budget + earned).min(BURST) - 1.0;
        self.budget >= 0.0
    }
}

impl Home {
    /// The gateway opened a signaling socket from `far` to our address `near`.
    pub fn handle_socket_open(&mut self, id: SocketId, far: SocketAddr, near: SocketAddr, now: Instant) {
        let strangers = self.sockets.iter().filter(|(_, s)| !matches!(s.stage, Stage::Visit(_)));
        if strangers.clone().count() >= MAX_STRANGERS
            && let Some(oldest) = strangers.min_by_key(|(_, s)| s.opened).map(|(id, _)| *id)
        {
            self.close_socket(oldest);
        }
        let stage = Stage::Stranger { until: now + HELLO_WITHIN };
        let socket = Socket { far, near, stage, opened: now, heard: now, pinged: false, budget: BURST, counted: now };
        self.sockets.insert(id, socket);
    }

    /// The socket is gone, by whomever's doing. Its visit stays.
    pub fn handle_socket_closed(&mut self, id: SocketId, now: Instant) {
        self.sockets.remove(&id);
        if let Some(visit) = self.visits.iter_mut().find(|v| v.socket == Some(id)) {
            visit.socket = None;
            visit.socket_lost = Some(now);
            log::info!(
                "visit {}: signaling lost, media {}",
                visit.id.0,
                if visit.connected { "goes on" } else { "down" }
            );
            self.visits_changed(now);
        }
    }

    /// Something came in on the socket, a pong at least.
    pub fn handle_socket_alive(&mut self, id: SocketId, now: Instant) {
        if let Some(socket) = self.sockets.get_mut(&id) {
            socket.heard = now;
            socket.pinged = false;
        }
    }

    /// Whether the socket may go on talking; one that floods us is closed, its visit stays.
    pub(super) fn spend(&mut self, id: SocketId, now: Instant) -> bool {
        let Some(socket) = self.sockets.get_mut(&id) else { return false };
        if socket.spend(now) {
            return true;
        }
        self.fail(id, ErrorCode::TooFast, "too many messages");
        self.drop_socket(id, now);
        false
    }

    pub(super) fn hello(&mut self, id: SocketId, v: u32, key: &str, resume: Option<&str>, now: Instant) {
        let Some(socket) = self.sockets.get(&id) else { return };
        let near = socket.near;
        let Some(key) = self.doorkeeper.verify(key) else {
            self.refuse(id, "key", now);
            return;
        };
        if v != VERSION {
            self.fail(id, ErrorCode::Version, "this page is of another version than home: reload it");
            self.close_socket(id);
            return;
        }
        let known = resume.and_then(|token| {
            self.visits.iter().position(|v| v.key == key && bool::from(v.token.as_bytes().ct_eq(token.as_bytes())))
        });
        match known {
            Some(index) => self.resume(index, id, now),
            None => self.admit(id, key, near, now),
        }
    }

    /// A wrong `what` was shown; the answer is held back, the longer the more was guessed.
    pub(super) fn refuse(&mut self, id: SocketId, what: &str, now: Instant) {
        let Some(far) = self.sockets.get(&id).map(|socket| socket.far.ip()) else { return };
        let wait = self.doorkeeper.handle_wrong(far, now);
        log::info!("wrong {what} from {far}, answered in {} ms", wait.as_millis());
        self.set_stage(id, Stage::Refused { answer_at: now + wait });
    }

    fn resume(&mut self, index: usize, id: SocketId, now: Instant) {
        let visit = &mut self.visits[index];
        let old = visit.socket.replace(id);
        visit.socket_lost = None;
        let (visit_id, token) = (visit.id, visit.token.clone());
        let answer = visit.answer.clone().map(|sdp| FromHome::Answer { pc: visit.pc, rev: visit.rev, sdp });
        log::info!("visit {}: signaling is back", visit_id.0);
        if let Some(old) = old.filter(|old| *old != id) {
            self.close_socket(old);
        }
        self.set_stage(id, Stage::Visit(visit_id));
        self.welcome(id, token, true);
        if let Some(answer) = answer {
            self.out.push_back(HomeOutput::Say(id, answer));
        }
        self.visits_changed(now);
    }

    fn admit(&mut self, id: SocketId, key: u64, near: SocketAddr, now: Instant) {
        if self.visits.len() >= self.config.max_viewers {
            // A visit that has neither socket nor media is the shadow of a closed tab.
            let shadow = self.visits.iter().find(|v| v.orphan_deadline().is_some()).map(|v| v.id);
            match shadow {
                Some(shadow) => self.end_visit(shadow, None, now),
                None => {
                    self.fail(id, ErrorCode::Full, "home has as many visitors as it allows");
                    self.close_socket(id);
                    return;
                }
            }
        }
        let visit_id = VisitId(self.next_visit);
        self.next_visit += 1;
        let token = self.token();
        let place = (Place::new(self.full_rung_need()), self.slides());
        let mut visit = Visit::new(visit_id, token.clone(), key, near.ip(), place, now);
        visit.socket = Some(id);
        visit.socket_lost = None;
        visit.name = self.doorkeeper.name(key).map(Into::into);
        self.visits.push(visit);
        log::info!("visit {} begins with key {key}, {} now", visit_id.0, self.visits.len());
        self.set_stage(id, Stage::Visit(visit_id));
        self.welcome(id, token, false);
        self.visits_changed(now);
    }

    fn welcome(&mut self, id: SocketId, session: String, resumed: bool) {
        let home = self.config.name.clone();
        let (camera, muted, volume) = (self.camera, self.levels.muted, self.levels.volume);
        let welcome = FromHome::Welcome { v: VERSION, session, resumed, home, camera, muted, volume };
        self.out.push_back(HomeOutput::Say(id, welcome));
    }

    pub(super) fn sockets_timeout(&mut self, now: Instant) {
        let due: Vec<_> =
            self.sockets.iter().filter_map(|(id, s)| s.deadline(*id)).filter(|(at, _)| *at <= now).collect();
        for (_, why) in due {
            match why {
                Why::Hello(id) => self.close_socket(id),
                Why::Refusal(id) => {
                    self.fail(id, ErrorCode::WrongKey, "no such key");
                    self.close_socket(id);
                }
                Why::Silence(id) => self.silent(id, now),
                _ => {}
            }
        }
    }

    fn silent(&mut self, id: SocketId, now: Instant) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        if !socket.pinged {
            socket.pinged = true;
            self.out.push_back(HomeOutput::Ping(id));
        } else {
            self.drop_socket(id, now);
        }
    }

    pub(super) fn set_stage(&mut self, id: SocketId, stage: Stage) {
        if let Some(socket) = self.sockets.get_mut(&id) {
            socket.stage = stage;
        }
    }

    /// Closes a socket that has no visit, or whose visit has another socket by now.
    pub(super) fn close_socket(&mut self, id: SocketId) {
        if self.sockets.remove(&id).is_some() {
            self.out.push_back(HomeOutput::Close(id));
        }
    }

    /// Closes a socket from our side; its visit goes on without.
    fn drop_socket(&mut self, id: SocketId, now: Instant) {
        self.out.push_back(HomeOutput::Close(id));
        self.handle_socket_closed(id, now);
    }

    pub(super) fn fail(&mut self, id: SocketId, code: ErrorCode, message: &str) {
        let fatal = matches!(code, ErrorCode::Version | ErrorCode::WrongKey | ErrorCode::Full | ErrorCode::TooFast);
        let message = message.to_string();
        self.out.push_back(HomeOutput::Say(id, FromHome::Error { code, message, fatal }));
    }
}
