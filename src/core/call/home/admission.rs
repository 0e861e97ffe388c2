//! Sockets before and around their visit: who gets a place, hello, refusal, silence, and a budget for what they send.

use std::net::SocketAddr;
use std::time::Instant;

use subtle::ConstantTimeEq as _;

use crate::call::home::{HELLO_WITHIN, Home, HomeOutput, PING_AFTER, SILENCE, SocketId, Why};
use crate::call::items::{ExchangeId, VisitId};
use crate::call::protocol::{Attempt, ByeReason, ErrorCode, FromHome, MAX_HELLO, MAX_MESSAGE, VERSION};
use crate::people::entering::Admission;
use crate::people::fairness::{self, Budget, Limits, Rate, Source};
use crate::people::guessers::Guess;
use crate::people::keys::KeyId;
use crate::people::visits::Outcome;

/// Sockets without a visit, in all and of one source.
const UNAUTHENTICATED: Limits = Limits { all: 64, each: 16 };

/// What such a socket may send: a frame costs one, pings and binary frames as well, and so do 4 KiB.
/// A page says its offer and candidates right behind its `hello`, before it can know that its key is wrong.
const BEFORE_HELLO: Rate = Rate { burst: 48.0, per_second: 1.0 };
/// What the socket of a visit may send.
const IN_VISIT: Rate = Rate { burst: 300.0, per_second: 30.0 };
/// So many bytes cost as much as a frame.
const BYTES_A_FRAME: f64 = 4096.0;

pub(super) enum Stage {
    /// Has not shown a key yet.
    Unauthenticated { until: Instant },
    /// Said a wrong key; the answer is held back.
    Refused { answer_at: Instant },
    /// Has shown a token, and waits for its key to be stored.
    Pairing { exchange: ExchangeId, until: Instant },
    /// Belongs to a visit.
    Visit(VisitId),
}

pub(super) struct Socket {
    pub far: SocketAddr,
    pub near: SocketAddr,
    pub stage: Stage,
    /// It is a POST, which ends by itself.
    pub posted: bool,
    opened: Instant,
    heard: Instant,
    pinged: bool,
    budget: Budget,
}

impl Socket {
    pub fn deadline(&self, id: SocketId) -> Option<(Instant, Why)> {
        Some(match self.stage {
            Stage::Unauthenticated { until } | Stage::Pairing { until, .. } => (until, Why::Hello(id)),
            Stage::Refused { answer_at } => (answer_at, Why::Refusal(id)),
            Stage::Visit(_) if self.pinged => (self.heard + SILENCE, Why::Silence(id)),
            Stage::Visit(_) => (self.heard + PING_AFTER, Why::Silence(id)),
        })
    }

    /// The place that it takes, if it has no visit: of one source, those that come first here go first.
    fn place(&self) -> Option<fairness::Occupant<Source, u8>> {
        let rank = match self.stage {
            Stage::Refused { .. } => 0,
            Stage::Unauthenticated { .. } => 1,
            Stage::Pairing { .. } => 2,
            Stage::Visit(_) => return None,
        };
        Some(fairness::Occupant { owner: Source::of(self.far.ip()), rank, since: self.opened })
    }
}

impl Home {
    /// The gateway opened a signaling socket from `far` to our address `near`.
    pub fn handle_socket_open(&mut self, id: SocketId, far: SocketAddr, near: SocketAddr, now: Instant) {
        let (ids, places): (Vec<SocketId>, Vec<_>) =
            self.sockets.iter().filter_map(|(id, socket)| Some((*id, socket.place()?))).unzip();
        let entropy = &mut self.entropy;
        let toss = || {
            let mut bytes = [0; 8];
            entropy(&mut bytes);
            u64::from_ne_bytes(bytes)
        };
        if let Some(index) = fairness::evict(&places, Source::of(far.ip()), UNAUTHENTICATED, toss) {
            self.close_socket(ids[index]);
        }
        let stage = Stage::Unauthenticated { until: now + HELLO_WITHIN };
        let budget = Budget::new(BEFORE_HELLO, now);
        let posted = false;
        self.sockets.insert(id, Socket { far, near, stage, posted, opened: now, heard: now, pinged: false, budget });
    }

    /// How long the next message on this socket may be, in bytes.
    pub fn longest_message(&self, id: SocketId) -> usize {
        match self.sockets.get(&id) {
            Some(Socket { stage: Stage::Unauthenticated { .. }, .. }) | None => MAX_HELLO,
            Some(_) => MAX_MESSAGE,
        }
    }

    /// The socket is gone, by whomever's doing. Its visit stays.
    pub fn handle_socket_closed(&mut self, id: SocketId, now: Instant) {
        // A page may come by POSTs alone, one every few seconds.
        let level = log_level(self.sockets.remove(&id).is_some_and(|socket| socket.posted));
        if let Some(visit) = self.visits.iter_mut().find(|v| v.socket == Some(id)) {
            visit.socket = None;
            visit.socket_lost = Some(now);
            log::log!(
                level,
                "visit {}: signaling lost, media {}",
                visit.id.0,
                if visit.connected { "goes on" } else { "down" }
            );
            self.visits_changed(now);
        }
    }

    /// A frame that is no text came in: a ping, a pong, a binary one.
    pub fn handle_socket_alive(&mut self, id: SocketId, now: Instant) {
        self.hear_frame(id, now);
    }

    /// So many bytes came in on the socket, whether they made messages or not.
    pub fn handle_socket_bytes(&mut self, id: SocketId, count: u64, now: Instant) {
        self.spend(id, count as f64 / BYTES_A_FRAME, now);
    }

    /// Whether the frame that came in is to be looked at.
    pub(super) fn hear_frame(&mut self, id: SocketId, now: Instant) -> bool {
        if let Some(socket) = self.sockets.get_mut(&id) {
            socket.heard = now;
            socket.pinged = false;
        }
        self.spend(id, 1.0, now)
    }

    /// Whether the socket may go on; one that floods us is closed, its visit stays.
    fn spend(&mut self, id: SocketId, cost: f64, now: Instant) -> bool {
        let Some(socket) = self.sockets.get_mut(&id) else { return false };
        if socket.budget.spend(cost, now) {
            return true;
        }
        if matches!(socket.stage, Stage::Visit(_)) {
            self.fail(id, ErrorCode::TooFast, "too many messages");
        }
        self.drop_socket(id, now);
        false
    }

    pub(super) fn hello(
        &mut self,
        id: SocketId,
        v: u32,
        key: &str,
        (resume, attempt): (Option<&str>, Option<Attempt>),
        now: Instant,
    ) {
        let Some(socket) = self.sockets.get(&id) else { return };
        let near = socket.near;
        let Some(key) = self.access.verify(key) else {
            let guess = attempt.map(|attempt| Guess::new(attempt.as_str(), key));
            return self.refuse(id, "key", guess, now);
        };
        if v != VERSION {
            self.fail(id, ErrorCode::Version, "this page is of another version than home: reload it");
            self.close_socket(id);
            return;
        }
        let known = resume.and_then(|token| {
            self.visits.iter().position(|v| v.key == key && bool::from(v.token.as_bytes().ct_eq(token.as_bytes())))
        });
        // That visit is over. Its page may have missed home's goodbye; or these are words of a page that has left.
        if let Some(reason) = self.ended(key, resume, attempt.as_ref(), now) {
            if let Some(reason) = reason {
                self.out.push_back(HomeOutput::Say(id, FromHome::Bye { reason, until: None }));
            }
            return self.close_socket(id);
        }
        // Words of the same page that came another way, of which it has heard no answer: it knows of no visit yet.
        let begun = attempt.as_ref().and_then(|_| {
            self.visits.iter().position(|visit| visit.key == key && visit.attempt.as_ref() == attempt.as_ref())
        });
        match known.or(begun) {
            Some(index) => self.resume(index, id, (known.is_some(), attempt), now),
            None => match self.admission(key, now) {
                Admission::Refused(hours) => {
                    let until = Some(self.end_of(hours, now));
                    log::info!("key {key} is not let in before the quiet hours end");
                    self.log_kept_out(key, Outcome::Resting, now);
                    self.out.push_back(HomeOutput::Say(id, FromHome::Bye { reason: ByeReason::Resting, until }));
                    self.close_socket(id);
                }
                admission => self.admit(id, (key, attempt), near, admission, now),
            },
        }
    }

    /// A wrong `what` was shown; the answer is held back, the longer the more was guessed. The same `guess` again is answered with the
    /// first one.
    pub(super) fn refuse(&mut self, id: SocketId, what: &str, guess: Option<Guess>, now: Instant) {
        let Some(far) = self.sockets.get(&id).map(|socket| socket.far.ip()) else { return };
        let wrong = self.access.handle_wrong(far, guess, now);
        let level = if wrong.counted { log::Level::Info } else { log::Level::Debug };
        log::log!(level, "wrong {what} from {far}, answered in {} ms", wrong.wait.as_millis());
        self.set_stage(id, Stage::Refused { answer_at: now + wrong.wait });
    }

    /// Goes on with a visit; `named`: by its token, so that the page's connections still stand.
    fn resume(&mut self, index: usize, id: SocketId, (named, attempt): (bool, Option<Attempt>), now: Instant) {
        let posted = self.is_post(id);
        let level = log_level(posted);
        let visit = &mut self.visits[index];
        // A POST that comes late takes nothing from the socket that has followed it.
        let old = if posted && visit.socket.is_some() { None } else { visit.socket.replace(id) };
        visit.socket_lost = None;
        visit.socket_came = now;
        visit.attempt = attempt.or(visit.attempt.take());
        let (visit_id, token) = (visit.id, visit.token.clone());
        let answer = visit.answer.clone().map(|sdp| FromHome::Answer { pc: visit.pc, rev: visit.rev, sdp });
        log::log!(level, "visit {}: signaling is back", visit_id.0);
        if let Some(old) = old.filter(|old| *old != id) {
            self.close_socket(old);
        }
        self.join(id, visit_id, now);
        self.welcome(visit_id, id, token, named, now);
        // It may have changed while nobody could be told.
        let rung = self.visits[index].rung;
        self.out.push_back(HomeOutput::Say(id, FromHome::Stream { rung }));
        self.say_limit(index, id);
        if let Some(answer) = answer {
            self.out.push_back(HomeOutput::Say(id, answer));
        }
        self.visits_changed(now);
    }

    fn admit(
        &mut self,
        id: SocketId,
        (key, attempt): (KeyId, Option<Attempt>),
        near: SocketAddr,
        admission: Admission,
        now: Instant,
    ) {
        if let Err((code, why)) = self.take_seat(key, admission, now) {
            self.fail(id, code, why);
            self.close_socket(id);
            return;
        }
        let (visit_id, token) = self.begin_visit(id, key, near.ip(), admission, now);
        if let Some(index) = self.index_of(visit_id) {
            self.visits[index].attempt = attempt;
        }
        self.join(id, visit_id, now);
        self.welcome(visit_id, id, token, false, now);
        self.visits_changed(now);
    }

    fn welcome(&mut self, visit: VisitId, id: SocketId, session: String, resumed: bool, now: Instant) {
        let Some(index) = self.index_of(visit) else { return };
        let visit = &self.visits[index];
        let welcome = FromHome::Welcome {
            v: VERSION,
            session,
            resumed,
            home: self.name().to_owned(),
            camera: self.camera,
            muted: self.levels.muted,
            volume: self.levels.volume,
            role: self.access.person(visit.key).role,
            entry: visit.gate.entry(now),
            curtain: self.door.curtain,
        };
        self.out.push_back(HomeOutput::Say(id, welcome));
        if self.visits.iter().any(|visit| !visit.gate.is_inside()) {
            self.say_door(index, now);
        }
        if let Some(until) = self.rests_until(now) {
            self.out.push_back(HomeOutput::Say(id, FromHome::QuietHours { until: Some(until) }));
        }
        self.say_call_to(index, now);
        self.say_unread(index);
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

    /// The socket is a visit's from now on.
    fn join(&mut self, id: SocketId, visit: VisitId, now: Instant) {
        if let Some(socket) = self.sockets.get_mut(&id) {
            socket.stage = Stage::Visit(visit);
            socket.budget = Budget::new(IN_VISIT, now);
        }
        let far = self.sockets.get(&id).map(|socket| socket.far.ip());
        if let (Some(far), Some(index)) = (far, self.index_of(visit)) {
            self.visits[index].from_outside = self.addresses.is_outside(far);
            self.visits[index].network = Some(Source::of(far));
            if self.visits[index].is_met() {
                self.note_origin(index, now);
            }
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
    pub(super) fn drop_socket(&mut self, id: SocketId, now: Instant) {
        self.out.push_back(HomeOutput::Close(id));
        self.handle_socket_closed(id, now);
    }

    pub(super) fn fail(&mut self, id: SocketId, code: ErrorCode, message: &str) {
        let fatal = matches!(
            code,
            ErrorCode::Version | ErrorCode::WrongKey | ErrorCode::Full | ErrorCode::KeyBusy | ErrorCode::TooFast
        );
        let message = message.to_string();
        self.out.push_back(HomeOutput::Say(id, FromHome::Error { code, message, fatal }));
    }
}

/// How loudly it is logged that signaling comes and goes.
fn log_level(posted: bool) -> log::Level {
    if posted { log::Level::Debug } else { log::Level::Info }
}
