//! The door: who waits before it, who lets them in, and the curtain behind it.
//!
//! ```text
//!             at once                            curtain: home's picture and sound go to nobody
//! hello ──────────────────────────────► inside ──────────────────────────────────────────────► end
//!   │  preview   ┌─────────┐ 10 s, let in  ▲
//!   ├───────────►│ preview ├───────────────┤
//!   │  knock     ├─────────┤ let in        │
//!   ├───────────►│  knock  ├───────────────┘
//!   │            └────┬────┘ declined, or nobody answered within a minute: bye
//!   └► quiet hours that refuse: bye
//! ```
//!
//! Before it is inside a visit has a peer connection, so that everything is there when it is let in. Nothing of the viewer reaches
//! home, and nothing of home the viewer but, in the preview, the frosted picture.

use std::time::{Duration, Instant};

use subtle::ConstantTimeEq as _;

use crate::call::chimes::Chime;
use crate::call::home::visit::Visit;
use crate::call::home::{Home, HomeOutput, Why};
use crate::call::items::{Door, Knock, News, NewsKind, VisitId};
use crate::call::protocol::{Attempt, ByeReason, Entry, FromHome, KnockInfo};
use crate::people::entering::{Admission, Hours, admit};
use crate::people::fairness::{Budget, Rate};
use crate::people::keys::KeyId;
use crate::people::register::Role;
use crate::tv::local_time::Zone;

/// A knock that nobody answers is over after this.
pub const KNOCK_LIFE: Duration = Duration::from_secs(60);

/// So long the picture is frosted in a preview.
pub const PREVIEW_LIFE: Duration = Duration::from_secs(10);

/// Who was inside comes back within this without waiting again: a page that was loaded again, a phone that lost its network.
pub const BACK_WITHIN: Duration = Duration::from_secs(120);

/// Home rings again for one who goes on knocking.
const RING_EVERY: Duration = Duration::from_secs(15);

/// Knocks of one person that ring; those beyond are shown on the TV in silence.
const RINGS: Rate = Rate { burst: 3.0, per_second: 1.0 / 300.0 };

/// A change of who may do what is told on the TV for so long.
const NEWS_LIFE: Duration = Duration::from_secs(30);

/// Persons whose coming and going is remembered.
const MOST: usize = 64;

/// A button that is pressed again within this time only bounced.
const BOUNCE: Duration = Duration::from_millis(250);

/// A person who reads the TV presses so long after it has changed.
const LATE: Duration = Duration::from_millis(1500);

/// Whether a visit is inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    Inside,
    Preview { until: Instant },
    Knock { until: Instant, ring_at: Option<Instant> },
}

impl Gate {
    pub fn is_inside(self) -> bool {
        self == Gate::Inside
    }

    pub fn is_preview(self) -> bool {
        matches!(self, Gate::Preview { .. })
    }

    /// When it changes by itself.
    pub fn until(self) -> Option<Instant> {
        match self {
            Gate::Inside => None,
            Gate::Preview { until } | Gate::Knock { until, .. } => Some(until),
        }
    }

    fn deadline(self) -> Option<Instant> {
        match self {
            Gate::Knock { until, ring_at: Some(ring_at) } => Some(until.min(ring_at)),
            gate => gate.until(),
        }
    }

    /// As the page is told.
    pub fn entry(self, now: Instant) -> Entry {
        let left = |until: Instant| until.saturating_duration_since(now).as_millis() as u64;
        match self {
            Gate::Inside => Entry::Inside,
            Gate::Preview { until } => Entry::Preview { left_ms: left(until) },
            Gate::Knock { until, .. } => Entry::Knock { left_ms: left(until) },
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Gate::Inside => "inside",
            Gate::Preview { .. } => "preview",
            Gate::Knock { .. } => "knock",
        }
    }
}

/// What somebody at home wants of the curtain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curtain {
    /// Nobody shall see or hear home.
    Draw,
    /// Viewers shall see and hear home.
    Open,
    /// The other way than it is: a button was pressed.
    Toggle,
}

/// A visit that is over.
#[derive(Debug)]
struct Ended {
    key: KeyId,
    token: String,
    attempt: Option<Attempt>,
    /// Why home ended it: its page may have missed the goodbye, and would come back by itself. `None`: the page left, and words of it may
    /// still be on their way.
    reason: Option<ByeReason>,
    /// So long it is remembered.
    until: Instant,
}

/// How the door stands.
#[derive(Debug)]
pub(super) struct DoorState {
    pub curtain: bool,
    pub quiet: Option<Hours>,
    pub zone: Zone,
    toggled: Option<Instant>,
    /// When the key that lets in, or that declines, was pressed last.
    pressed: Option<Instant>,
    /// Persons who were inside, and until when they come back without waiting.
    left: Vec<(u64, Instant)>,
    rings: Vec<(u64, Budget)>,
    /// Visits that are over and that nobody's words may begin again.
    ended: Vec<Ended>,
    /// When who waited longest went away.
    head_left: Option<Instant>,
    news: Option<News>,
    /// What the TV was told last.
    told: Door,
}

impl DoorState {
    pub fn new(curtain: bool, quiet: Option<Hours>) -> DoorState {
        DoorState {
            curtain,
            quiet,
            zone: Zone::default(),
            toggled: None,
            pressed: None,
            left: Vec::new(),
            rings: Vec::new(),
            ended: Vec::new(),
            head_left: None,
            news: None,
            told: Door::default(),
        }
    }
}

impl Home {
    /// Home's clock on the wall is of this zone.
    pub fn handle_zone(&mut self, zone: Zone, now: Instant) {
        self.door.zone = zone;
        self.door_changed(now);
    }

    /// Somebody at home draws the curtain or opens it; whether it is drawn then.
    pub fn handle_curtain(&mut self, wish: Curtain, now: Instant) -> bool {
        let door = &mut self.door;
        let bounced = door.toggled.is_some_and(|at| now.saturating_duration_since(at) < BOUNCE);
        let drawn = match wish {
            Curtain::Draw => true,
            Curtain::Open => false,
            Curtain::Toggle if bounced => door.curtain,
            Curtain::Toggle => {
                door.toggled = Some(now);
                !door.curtain
            }
        };
        if std::mem::replace(&mut door.curtain, drawn) != drawn {
            log::info!("the curtain is {}", if drawn { "drawn" } else { "open again" });
            self.out.push_back(HomeOutput::Curtain(drawn));
            self.say_to_all(&FromHome::Curtain { drawn });
            self.update_conference();
            self.update_encoders(now);
            if !drawn {
                let inside: Vec<usize> =
                    (0..self.visits.len()).filter(|at| self.visits[*at].gate.is_inside()).collect();
                inside.into_iter().for_each(|index| self.picture_again(index, now));
            }
            self.door_changed(now);
        }
        drawn
    }

    /// Somebody at home pressed the key that lets in who waits longest.
    pub fn handle_let_in_pressed(&mut self, now: Instant) {
        if self.is_bounce(now) || self.is_late(now) {
            return;
        }
        match self.visits.iter().find(|visit| !visit.gate.is_inside()).map(|visit| visit.id) {
            Some(id) => self.let_in(id, now),
            None => log::info!("nobody waits to be let in"),
        }
    }

    /// Somebody at home pressed the key that declines who waits longest. Where nobody waits it ends all visits.
    pub fn handle_decline_pressed(&mut self, now: Instant) {
        if self.is_bounce(now) || self.is_late(now) {
            return;
        }
        if let Some(id) = self.visits.iter().find(|visit| !visit.gate.is_inside()).map(|visit| visit.id) {
            return self.decline(id, now);
        }
        for id in self.visits.iter().map(|visit| visit.id).collect::<Vec<_>>() {
            self.end_visit(id, Some(ByeReason::Ended), now);
        }
    }

    /// Who waited longest went away just now: the press may have been meant for them, and not for whoever is next.
    pub(super) fn is_late(&self, now: Instant) -> bool {
        self.door.head_left.is_some_and(|at| now.saturating_duration_since(at) < LATE)
    }

    fn is_bounce(&mut self, now: Instant) -> bool {
        self.door.pressed.replace(now).is_some_and(|at| now.saturating_duration_since(at) < BOUNCE)
    }

    /// How a device of this key comes in now.
    pub(super) fn admission(&mut self, key: KeyId, now: Instant) -> Admission {
        let person = self.access.person(key);
        self.door.left.retain(|(_, until)| now < *until);
        let is_inside = self.visits.iter().any(|visit| visit.person == person.number && visit.gate.is_inside());
        let is_called = self.is_called(person.number);
        if key == KeyId::TEMPORARY
            || is_inside
            || is_called
            || self.door.left.iter().any(|(who, _)| *who == person.number)
        {
            return Admission::Inside;
        }
        admit(&person, self.door.quiet, self.door.zone.minute_of_day(self.wall_at(now)))
    }

    /// When these hours end, UTC in seconds since 1970.
    pub(super) fn end_of(&self, hours: Hours, now: Instant) -> u64 {
        self.door.zone.next(hours.end(), self.wall_at(now)).as_secs()
    }

    /// The gate that a visit of this person begins before.
    pub(super) fn gate(&mut self, person: u64, admission: Admission, now: Instant) -> Gate {
        match admission {
            Admission::Inside | Admission::Refused(_) => Gate::Inside,
            // Its time begins with the media, when home hears of it.
            Admission::Preview => Gate::Preview { until: now + KNOCK_LIFE },
            Admission::Knock { silent } => {
                let rings = !silent && self.may_ring(person, now);
                let ring_at = rings.then_some(now + RING_EVERY);
                if rings {
                    self.out.push_back(HomeOutput::Chime(Chime::Knock));
                }
                Gate::Knock { until: now + KNOCK_LIFE, ring_at }
            }
        }
    }

    /// The media of a preview flow for the first time: from now on it lasts its ten seconds.
    pub(super) fn preview_begins(&mut self, index: usize, now: Instant) {
        let visit = &mut self.visits[index];
        visit.gate = Gate::Preview { until: now + PREVIEW_LIFE };
        let entry = visit.gate.entry(now);
        if let Some(socket) = visit.socket {
            self.out.push_back(HomeOutput::Say(socket, FromHome::Entry { entry }));
        }
        self.door_changed(now);
    }

    fn may_ring(&mut self, person: u64, now: Instant) -> bool {
        let rings = &mut self.door.rings;
        if let Some((_, budget)) = rings.iter_mut().find(|(who, _)| *who == person) {
            return budget.spend(1.0, now);
        }
        if rings.len() >= MOST {
            rings.remove(0);
        }
        let mut budget = Budget::new(RINGS, now);
        let rings_now = budget.spend(1.0, now);
        rings.push((person, budget));
        rings_now
    }

    pub(super) fn let_in(&mut self, id: VisitId, now: Instant) {
        let Some(index) = self.index_of(id).filter(|index| !self.visits[*index].gate.is_inside()) else { return };
        log::info!("visit {}: let in", id.0);
        let visit = &mut self.visits[index];
        visit.gate = Gate::Inside;
        // The knock has announced them.
        visit.arrived |= visit.connected;
        if let Some(socket) = visit.socket {
            self.out.push_back(HomeOutput::Say(socket, FromHome::Entry { entry: Entry::Inside }));
        }
        self.visits_changed(now);
        self.picture_again(index, now);
        self.door_changed(now);
    }

    pub(super) fn decline(&mut self, id: VisitId, now: Instant) {
        let waits = self.index_of(id).is_some_and(|index| !self.visits[index].gate.is_inside());
        if waits {
            log::info!("visit {}: declined", id.0);
            self.end_visit(id, Some(ByeReason::Declined), now);
        }
    }

    /// Whether the visit that these words of a page belong to is over, and why, if home ended it.
    pub(super) fn ended(
        &mut self,
        key: KeyId,
        token: Option<&str>,
        attempt: Option<&Attempt>,
        now: Instant,
    ) -> Option<Option<ByeReason>> {
        self.door.ended.retain(|ended| now < ended.until);
        let same = |ended: &Ended| match token {
            Some(token) => bool::from(ended.token.as_bytes().ct_eq(token.as_bytes())),
            None => attempt.is_some() && ended.attempt.as_ref() == attempt,
        };
        self.door.ended.iter().find(|ended| ended.key == key && same(ended)).map(|ended| ended.reason)
    }

    /// The visit is over now, and stays so whatever words of its page are still on their way.
    pub(super) fn remember_ended(&mut self, index: usize, reason: Option<ByeReason>, now: Instant) {
        let Visit { key, token, attempt, .. } = &self.visits[index];
        let ended =
            Ended { key: *key, token: token.clone(), attempt: attempt.clone(), reason, until: now + BACK_WITHIN };
        let known = &mut self.door.ended;
        if known.len() >= MOST {
            // Whom home has sent away is remembered before who left.
            let oldest = known.iter().position(|ended| ended.reason.is_none()).unwrap_or(0);
            known.remove(oldest);
        }
        known.push(ended);
    }

    /// Somebody's visit is over. Who left by themselves, or was lost, may come back for a while.
    pub(super) fn handle_left(&mut self, visit: &Visit, reason: Option<ByeReason>, now: Instant) {
        let (person, gate) = (visit.person, visit.gate);
        let sent_away = matches!(reason, Some(ByeReason::Ended | ByeReason::Declined | ByeReason::Revoked));
        self.door.left.retain(|(who, until)| *who != person && now < *until);
        if gate.is_inside() && !sent_away && self.door.left.len() < MOST {
            self.door.left.push((person, now + BACK_WITHIN));
        }
    }

    pub(super) fn tell_news(&mut self, what: NewsKind, name: Option<&str>, now: Instant) {
        self.tell_news_until(what, name, now + NEWS_LIFE, now);
    }

    pub(super) fn tell_news_until(&mut self, what: NewsKind, name: Option<&str>, until: Instant, now: Instant) {
        self.door.news = Some(News { what, name: name.map(Into::into), until });
        self.door_changed(now);
    }

    /// It is so no more.
    pub(super) fn end_news(&mut self, what: NewsKind, now: Instant) {
        self.door.news.take_if(|news| news.what == what);
        self.door_changed(now);
    }

    pub(super) fn door_deadline(&self) -> Option<(Instant, Why)> {
        let gates = self.visits.iter().filter_map(|visit| visit.gate.deadline());
        gates.chain(self.door.news.as_ref().map(|news| news.until)).min().map(|at| (at, Why::Door))
    }

    pub(super) fn door_timeout(&mut self, now: Instant) {
        self.door.news.take_if(|news| news.until <= now);
        for id in self.visits.iter().map(|visit| visit.id).collect::<Vec<_>>() {
            let Some(index) = self.index_of(id) else { continue };
            match self.visits[index].gate {
                Gate::Preview { until } if until <= now && self.visits[index].arrived => self.let_in(id, now),
                Gate::Preview { until } if until <= now => self.end_visit(id, Some(ByeReason::NoMedia), now),
                Gate::Knock { until, .. } if until <= now => {
                    let name = self.visits[index].name.clone();
                    self.end_visit(id, Some(ByeReason::NoAnswer), now);
                    self.tell_news(NewsKind::Missed, name.as_deref(), now);
                }
                Gate::Knock { until, ring_at: Some(ring_at) } if ring_at <= now => {
                    self.visits[index].gate = Gate::Knock { until, ring_at: Some(now + RING_EVERY) };
                    self.out.push_back(HomeOutput::Chime(Chime::Knock));
                }
                _ => {}
            }
        }
        self.door_changed(now);
    }

    /// Tells the TV, and owners who are inside, what happens at the door, if that is new.
    pub(super) fn door_changed(&mut self, now: Instant) {
        let waiting = self.visits.iter().filter_map(|visit| {
            let (until, preview) = (visit.gate.until()?, visit.gate.is_preview());
            Some(Knock { visit: visit.id, name: visit.name.clone(), until, preview })
        });
        let minute = self.door.zone.minute_of_day(self.wall_at(now));
        let door = Door {
            knocks: waiting.collect(),
            curtain: self.door.curtain,
            resting: self.door.quiet.is_some_and(|hours| hours.contain(minute)),
            news: self.door.news.clone(),
        };
        if door == self.door.told {
            return;
        }
        let head = |door: &Door| door.knocks.first().map(|knock| knock.visit);
        if head(&self.door.told).is_some() && head(&door) != head(&self.door.told) {
            self.door.head_left = Some(now);
        }
        let is_new = door.knocks != self.door.told.knocks;
        let rests = door.resting != self.door.told.resting;
        self.door.told = door.clone();
        if rests {
            let until = self.rests_until(now);
            self.say_to_all(&FromHome::QuietHours { until });
        }
        self.out.push_back(HomeOutput::Door(door));
        if is_new {
            for index in 0..self.visits.len() {
                self.say_door(index, now);
            }
        }
    }

    /// When home's quiet hours of now end, UTC in seconds since 1970.
    pub(super) fn rests_until(&self, now: Instant) -> Option<u64> {
        self.door.quiet.filter(|_| self.door.told.resting).map(|hours| self.end_of(hours, now))
    }

    /// Tells a visit who waits, if it may answer.
    pub(super) fn say_door(&mut self, index: usize, now: Instant) {
        if let Some(socket) = self.visits[index].socket
            && self.is_owner(index)
        {
            let left = |until: Instant| until.saturating_duration_since(now).as_millis() as u64;
            let knocks = self.door.told.knocks.iter().map(|knock| KnockInfo {
                visit: knock.visit.0,
                name: knock.name.as_deref().map(str::to_owned),
                preview: knock.preview,
                left_ms: left(knock.until),
            });
            self.out.push_back(HomeOutput::Say(socket, FromHome::Door { knocks: knocks.collect() }));
        }
    }

    /// Whether this visit is an owner's, and inside.
    pub(super) fn is_owner(&self, index: usize) -> bool {
        let visit = &self.visits[index];
        visit.gate.is_inside() && self.access.person(visit.key).role == Role::Owner
    }
}
