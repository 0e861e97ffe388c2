//! Home calls: open pages ring, and the shell tells the rest of the world. Whoever comes or answers ends it.

use std::time::{Duration, Instant};

use crate::call::home::{Home, HomeOutput, SocketId, Why};
use crate::call::items::{CallOut, NewsKind};
use crate::call::protocol::FromHome;
use crate::people::fairness::{Budget, Rate};
use crate::people::register::{Person, Role};

/// A call that nobody answers is over after this.
pub const CALL_LIFE: Duration = Duration::from_secs(60);

/// Calls that the shell passes on: each runs a command, or asks an address.
const CALLS_OUT: Rate = Rate { burst: 4.0, per_second: 1.0 / 30.0 };

/// A key that is pressed again within this time only bounced.
const BOUNCE: Duration = Duration::from_millis(700);

/// A call that rings.
#[derive(Debug)]
pub(super) struct Call {
    /// Whom home calls; `None`: everybody.
    pub whom: Option<u64>,
    /// UTC since 1970.
    began: Duration,
    until: Instant,
}

impl Call {
    fn is_for(&self, person: u64) -> bool {
        self.whom.is_none_or(|whom| whom == person)
    }
}

/// The call that rings, and what bounds further ones.
#[derive(Debug)]
pub(super) struct Calling {
    pub call: Option<Call>,
    pressed: Option<Instant>,
    out: Budget,
}

impl Calling {
    pub fn new(now: Instant) -> Calling {
        Calling { call: None, pressed: None, out: Budget::new(CALLS_OUT, now) }
    }
}

impl Home {
    /// Somebody at home pressed the key that calls everybody, or takes the call back.
    pub fn handle_call_pressed(&mut self, now: Instant) {
        let bounced =
            self.calling.pressed.replace(now).is_some_and(|last| now.saturating_duration_since(last) < BOUNCE);
        if bounced {
            return;
        }
        match self.calling.call {
            Some(_) => self.end_call(now),
            None => drop(self.handle_call(None, now)),
        }
    }

    /// Home calls this person, or everybody. How many pages ring.
    ///
    /// # Errors
    /// If there is no such person: those that there are.
    pub fn handle_call(&mut self, whom: Option<u64>, now: Instant) -> Result<usize, Vec<u64>> {
        let person = whom.map(|number| self.access.people().person(number).filter(|person| person.number != 0));
        let name = match person {
            Some(None) => return Err(self.access.numbers()),
            Some(Some(person)) => person.name.clone(),
            None => None,
        };
        self.end_call(now);
        self.calling.call = Some(Call { whom, began: self.wall_at(now), until: now + CALL_LIFE });
        log::info!("home calls {}", whom.map_or_else(|| "everybody".to_owned(), |number| format!("person {number}")));
        let ringing: Vec<SocketId> = self.ringing().collect();
        for socket in &ringing {
            self.say_call(*socket, now);
        }
        if self.calling.out.spend(1.0, now) {
            let call =
                CallOut { home: self.name().to_owned(), person: whom, name: name.clone(), unix: self.wall_at(now) };
            self.out.push_back(HomeOutput::Call(call));
        }
        self.tell_news_until(NewsKind::Calling, name.as_deref(), now + CALL_LIFE, now);
        Ok(ringing.len())
    }

    /// A page answers: whoever is there has heard it.
    pub(super) fn answer_call(&mut self, index: usize, now: Instant) {
        let visit = &self.visits[index];
        if !visit.gate.is_inside() || !self.calling.call.as_ref().is_some_and(|call| call.is_for(visit.person)) {
            return;
        }
        let name = visit.name.clone();
        log::info!("visit {}: answered home's call", visit.id.0);
        self.end_call(now);
        self.tell_news(NewsKind::Answered, name.as_deref(), now);
    }

    /// Somebody is inside, and their media flows: that answers a call, and otherwise they hear of one that they missed.
    pub(super) fn call_begin(&mut self, index: usize, now: Instant) {
        self.answer_call(index, now);
        let visit = &self.visits[index];
        if let (Some(socket), Some(at)) = (visit.socket, self.log.missed_call(visit.person, self.wall_at(now))) {
            self.out.push_back(HomeOutput::Say(socket, FromHome::MissedCall { at: at.as_secs() }));
        }
    }

    /// Whether home calls this person by name: who is called need not knock.
    pub(super) fn is_called(&self, person: u64) -> bool {
        self.calling.call.as_ref().is_some_and(|call| call.whom == Some(person))
    }

    /// A page that comes back to its visit rings, too.
    pub(super) fn say_call_to(&mut self, index: usize, now: Instant) {
        let visit = &self.visits[index];
        let rings = visit.gate.is_inside() && self.calling.call.as_ref().is_some_and(|call| call.is_for(visit.person));
        if let Some(socket) = visit.socket.filter(|_| rings) {
            self.say_call(socket, now);
        }
    }

    pub(super) fn call_deadline(&self) -> Option<(Instant, Why)> {
        self.calling.call.as_ref().map(|call| (call.until, Why::Call))
    }

    pub(super) fn call_timeout(&mut self, now: Instant) {
        let Some(call) = self.calling.call.as_ref().filter(|call| call.until <= now) else { return };
        // Number 0 is everybody, and somebody who was removed meanwhile has no name any more.
        let number = call.whom.unwrap_or(0);
        let known = self.access.people().person(number).filter(|_| call.whom.is_some()).cloned();
        let person = known.unwrap_or_else(|| Person::new(number, None, Role::Family));
        let began = call.began;
        log::info!("nobody answered home's call");
        self.end_call(now);
        self.log_call(&person, began);
        self.tell_news(NewsKind::NotAnswered, person.name.as_deref(), now);
    }

    fn end_call(&mut self, now: Instant) {
        let ringing: Vec<SocketId> = self.ringing().collect();
        if self.calling.call.take().is_some() {
            self.out.extend(ringing.into_iter().map(|socket| HomeOutput::Say(socket, FromHome::CallOver {})));
            self.end_news(NewsKind::Calling, now);
        }
    }

    fn ringing(&self) -> impl Iterator<Item = SocketId> {
        let call = self.calling.call.as_ref();
        let inside = self.visits.iter().filter(|visit| visit.gate.is_inside());
        inside.filter(move |visit| call.is_some_and(|call| call.is_for(visit.person))).filter_map(|visit| visit.socket)
    }

    fn say_call(&mut self, socket: SocketId, now: Instant) {
        let Some(call) = &self.calling.call else { return };
        let left_ms = call.until.saturating_duration_since(now).as_millis() as u64;
        self.out.push_back(HomeOutput::Say(socket, FromHome::Call { left_ms }));
    }
}
