//! What an owner's page, and the machine's shell, see and change of home's people. Home decides by the role at the moment of the message.
//!
//! A change holds in memory first and is stored then, as [`Change`]. Only a link is stored first, by the thread `disk`, which numbers
//! persons.

use std::time::Instant;

use qrcodegen::{QrCode, QrCodeEcc};

use crate::call::home::{Home, HomeOutput, SocketId};
use crate::call::items::VisitId;
use crate::call::protocol::{ErrorCode, FromHome, FromPage, NotDone, PeopleList, PersonInfo, PersonWish, Wanted};
use crate::people::edit::Edit;
use crate::people::fairness::{Budget, Rate};
use crate::people::items::{Change, InviteId, NewLink};
use crate::people::names;
use crate::people::register::{Person, Role, Wish};
use crate::people::visits::Outcome;

/// Persons whom an owner's page may make; so many fit into one message.
const MOST_PERSONS: usize = 200;

/// Persons that one message tells; the shell can make more.
const MOST_TOLD: usize = 300;

/// Links that may be on their way to the disk.
const MOST_ON_THE_WAY: usize = 8;

/// Links that a visit may hear of again.
const MOST_INVITED: usize = 16;

/// Changes and links of all owners: each costs the disk a write.
const CHANGES: Rate = Rate { burst: 30.0, per_second: 0.5 };

/// Links that owners' pages asked for.
#[derive(Debug)]
pub(super) struct Owners {
    changes: Budget,
    next: u64,
    /// Which visit waits for which link, under which request.
    waiting: Vec<(InviteId, VisitId, u32)>,
}

impl Owners {
    pub fn new(now: Instant) -> Owners {
        Owners { changes: Budget::new(CHANGES, now), next: 1, waiting: Vec::new() }
    }

    /// Whether one more change may be made now.
    pub fn spend(&mut self, now: Instant) -> bool {
        self.changes.spend(1.0, now)
    }
}

impl Home {
    /// One of an owner's messages came in.
    pub(super) fn handle_owner_message(&mut self, index: usize, id: SocketId, message: FromPage, now: Instant) {
        if !self.is_owner(index) {
            return self.fail(id, ErrorCode::NotAllowed, "only an owner who is inside may do this");
        }
        let about = match message {
            FromPage::EraseVisits {} => Some(Wanted::EraseVisits),
            FromPage::ShowCode { shown: true, .. } => Some(Wanted::ShowCode),
            _ => None,
        };
        if let Some(about) = about
            && !self.owners.spend(now)
        {
            return self.not_done(id, (None, None, about), NotDone::TooMany);
        }
        match message {
            FromPage::People {} => {
                self.visits[index].people_told = Some((id, None));
                self.tell_owners(now);
            }
            FromPage::Invite { request, person, name, role } => {
                self.invite(index, id, request, (person, name, role), now)
            }
            FromPage::Person(wish) => {
                let person = wish.person;
                if let Err(why) = self.change_person(wish, now) {
                    self.not_done(id, (None, Some(person), Wanted::Person), why);
                }
                self.tell_again(index, now);
            }
            FromPage::Remove { person } => {
                if let Err(why) = self.remove_person(person, now) {
                    self.not_done(id, (None, Some(person), Wanted::Remove), why);
                }
                // The person who asked may have been the one.
                self.tell_owners(now);
            }
            FromPage::ShowCode { shown: true, person, name, role } => {
                if let Err(why) = self.show_code_for(person, name.as_deref(), role, now) {
                    self.not_done(id, (None, person, Wanted::ShowCode), why);
                }
            }
            FromPage::ShowCode { shown: false, .. } => self.take_code_away(now),
            FromPage::QuietHours { hours } => {
                let hours = hours.as_deref().map(str::parse).transpose().map_err(|_| NotDone::Hours);
                if let Err(why) = hours.and_then(|hours| self.set_quiet_hours(hours, now)) {
                    self.not_done(id, (None, None, Wanted::QuietHours), why);
                }
                self.tell_again(index, now);
            }
            FromPage::Home { language } => self.show_home(index, id, &language, now),
            FromPage::SetHome(wish) => {
                if let Err(why) = self.set_home(wish, now) {
                    self.not_done(id, (None, None, Wanted::Home), why);
                }
                self.tell_home_again(index, id, now);
            }
            FromPage::NewsRead { number } => self.news_read(index, number),
            FromPage::Visits {} => self.say_visits(id),
            FromPage::EraseVisits {} => {
                self.handle_erase_visits();
                self.say_visits(id);
            }
            FromPage::LetIn { visit } => self.let_in(VisitId(visit), now),
            FromPage::Decline { visit } => self.decline(VisitId(visit), now),
            _ => {}
        }
    }

    fn not_done(&mut self, id: SocketId, what: (Option<u32>, Option<u64>, Wanted), why: NotDone) {
        let (request, person, about) = what;
        self.out.push_back(HomeOutput::Say(id, FromHome::NotDone { request, person, about, why }));
    }

    fn invite(
        &mut self,
        index: usize,
        id: SocketId,
        request: u32,
        (person, name, role): (Option<u64>, Option<String>, Role),
        now: Instant,
    ) {
        let visit = &self.visits[index];
        if let Some((_, answer)) = visit.invited.iter().find(|(known, _)| *known == request) {
            self.out.push_back(HomeOutput::Say(id, answer.clone()));
            return;
        }
        let visit = visit.id;
        if self.owners.waiting.iter().any(|(_, who, known)| (*who, *known) == (visit, request)) {
            return;
        }
        let people = self.access.people();
        let known = person.map(|person| people.person(person).filter(|person| person.number != 0));
        let (name, problem) = match (known, name.as_deref().map(names::tidy).transpose()) {
            (Some(None), _) => (None, Some(NotDone::Unknown)),
            (Some(Some(person)), _) => (person.name.clone(), None),
            (None, Err(_)) => (None, Some(NotDone::Name)),
            (None, Ok(_)) if people.persons().count() >= MOST_PERSONS => (None, Some(NotDone::TooMany)),
            (None, Ok(name)) => (name, None),
        };
        let full = self.owners.waiting.len() >= MOST_ON_THE_WAY || !self.owners.spend(now);
        if let Some(why) = problem.or(full.then_some(NotDone::TooMany)) {
            return self.not_done(id, (Some(request), person, Wanted::Invite), why);
        }
        let invite = InviteId(self.owners.next);
        self.owners.next += 1;
        self.owners.waiting.push((invite, visit, request));
        let wish = Wish { name, role, person, ..Wish::default() };
        self.out.push_back(HomeOutput::Invite { invite, wish });
    }

    /// The link that was asked for with [`HomeOutput::Invite`] is stored, with its token; or it could not be.
    pub fn handle_invite_made(&mut self, invite: InviteId, made: Option<(NewLink, String)>, now: Instant) {
        let waiting = self.owners.waiting.iter().position(|(id, ..)| *id == invite);
        let asked = waiting.map(|at| self.owners.waiting.remove(at));
        let answer = made.and_then(|(link, token)| {
            let (person, until, devices) = (link.person.number, link.until.as_secs(), link.devices);
            if !self.access.handle_invited(link) {
                return None;
            }
            let links = self.links_of(&token);
            let link = links.best.or_else(|| links.all.into_iter().next())?;
            let qr = rows(&link);
            Some(move |request| FromHome::Invited { request, person, link, until, devices, qr })
        });
        if let Some((_, visit, request)) = asked
            && let Some(index) = self.index_of(visit)
        {
            let is_owner = self.is_owner(index);
            let visit = &mut self.visits[index];
            let answer = match answer {
                Some(answer) if is_owner => {
                    let answer = answer(request);
                    if visit.invited.len() >= MOST_INVITED {
                        visit.invited.remove(0);
                    }
                    visit.invited.push((request, answer.clone()));
                    answer
                }
                _ => {
                    let (request, about) = (Some(request), Wanted::Invite);
                    FromHome::NotDone { request, person: None, about, why: NotDone::Storage }
                }
            };
            if let Some(socket) = visit.socket {
                self.out.push_back(HomeOutput::Say(socket, answer));
            }
        }
        self.tell_owners(now);
    }

    /// A person is to be as the wish says.
    ///
    /// # Errors
    /// Why not.
    fn change_person(&mut self, wish: PersonWish, now: Instant) -> Result<(), NotDone> {
        let PersonWish { person: number, name, role, entering, in_quiet_hours, quiet_hours } = wish;
        let name = name.as_deref().map(names::tidy).transpose().map_err(|_| NotDone::Name)?;
        let hours = quiet_hours.as_deref().map(str::parse).transpose().map_err(|_| NotDone::Hours)?;
        let known = self.access.people().person(number).filter(|known| known.number != 0);
        let old = known.cloned().ok_or(NotDone::Unknown)?;
        let new = Person { number, name, role, entering, in_quiet_hours, hours };
        if new == old {
            return Ok(());
        }
        if role != Role::Owner && self.access.people().is_last_owner(number) {
            return Err(NotDone::LastOwner);
        }
        if !self.owners.spend(now) {
            return Err(NotDone::TooMany);
        }
        self.person_is(&old, new, now);
        Ok(())
    }

    /// Somebody at the machine's shell changes a person. The machine is theirs, so they may leave home without an owner; whether they
    /// did.
    ///
    /// # Errors
    /// Which persons there are, if none has this number.
    pub fn handle_edit(&mut self, number: u64, edit: &Edit, now: Instant) -> Result<bool, Vec<u64>> {
        let people = self.access.people();
        let Some(old) = people.person(number).filter(|known| known.number != 0).cloned() else {
            return Err(people.numbers());
        };
        let (new, was_last) = (edit.apply(&old), people.is_last_owner(number));
        let ownerless = was_last && new.role != Role::Owner;
        if new != old {
            self.person_is(&old, new, now);
        }
        Ok(ownerless)
    }

    /// A person is another one from now on.
    fn person_is(&mut self, old: &Person, new: Person, now: Instant) {
        let (number, role) = (new.number, new.role);
        self.access.handle_changed(new.clone());
        self.code_follows(number, role);
        for visit in self.visits.iter_mut().filter(|visit| visit.person == number) {
            visit.name = new.name.as_deref().map(Into::into);
        }
        log::info!("person {number} is {} from now on", new.role.word());
        if old.role != new.role {
            let sockets: Vec<_> = self.visits.iter().filter(|v| v.person == number).filter_map(|v| v.socket).collect();
            self.out.extend(sockets.into_iter().map(|socket| HomeOutput::Say(socket, FromHome::Role { role })));
            // A new owner may answer those who wait already.
            let theirs: Vec<usize> = (0..self.visits.len()).filter(|at| self.visits[*at].person == number).collect();
            theirs.into_iter().for_each(|index| self.say_door(index, now));
        }
        // A name is no right.
        let rights = |person: &Person| (person.role, person.entering, person.in_quiet_hours, person.hours);
        if rights(old) != rights(&new) {
            let is_owner = old.role != role && role == Role::Owner;
            self.tell_change(if is_owner { Outcome::Owner } else { Outcome::Rights }, &new, None, now);
        }
        self.out.push_back(HomeOutput::Store(Change::Person(new)));
        self.visits_changed(now);
        self.tell_owners(now);
    }

    fn remove_person(&mut self, number: u64, now: Instant) -> Result<(), NotDone> {
        let known = self.access.people().person(number).filter(|known| known.number != 0);
        known.ok_or(NotDone::Unknown)?;
        if self.access.people().is_last_owner(number) {
            return Err(NotDone::LastOwner);
        }
        // What shuts somebody out waits for no budget.
        self.out.push_back(HomeOutput::Store(Change::Removed(number)));
        let _is_known = self.handle_revoked(number, now);
        Ok(())
    }

    /// Answers who asked, though nothing may have changed.
    fn tell_again(&mut self, index: usize, now: Instant) {
        if let Some((_, told)) = self.visits.get_mut(index).and_then(|visit| visit.people_told.as_mut()) {
            *told = None;
        }
        self.tell_owners(now);
    }

    /// Tells all owners who asked for the list of people, if theirs is not the newest.
    pub(super) fn tell_owners(&mut self, now: Instant) {
        for index in 0..self.visits.len() {
            let visit = &self.visits[index];
            let Some((socket, told)) = &visit.people_told else { continue };
            if visit.socket != Some(*socket) || !self.is_owner(index) {
                self.visits[index].people_told = None;
                continue;
            }
            let list = self.list_for(visit.person, now);
            if told.as_ref() != Some(&list) {
                let socket = *socket;
                self.out.push_back(HomeOutput::Say(socket, list.clone()));
                self.visits[index].people_told = Some((socket, Some(list)));
            }
        }
    }

    fn list_for(&self, you: u64, now: Instant) -> FromHome {
        let PeopleList { mut people, quiet_hours } = self.people(now);
        people.truncate(MOST_TOLD);
        people.iter_mut().for_each(|person| person.you = person.number == you);
        let code = self.code_info(now);
        FromHome::People { people, code_shown: code.is_some(), code, quiet_hours }
    }

    /// Everybody, and who is inside.
    pub fn people(&self, now: Instant) -> PeopleList {
        let (people, unix) = (self.access.people(), self.wall_at(now));
        let is_here = |number| self.visits.iter().any(|visit| visit.person == number && visit.gate.is_inside());
        let infos = people
            .persons()
            .map(|person| PersonInfo {
                here: is_here(person.number),
                last_visit: self.log.last_visit(person.number).map(|at| at.as_secs()),
                ..PersonInfo::of(person, people, unix)
            })
            // Whose only link has run out is nobody any more.
            .filter(|info| info.devices > 0 || info.invited_until.is_some());
        PeopleList { people: infos.collect(), quiet_hours: self.door.quiet.map(|hours| hours.to_string()) }
    }
}

/// The rows of a link's QR code; none if it is too long for one.
fn rows(link: &str) -> Vec<String> {
    let Ok(code) = QrCode::encode_text(link, QrCodeEcc::Low) else { return Vec::new() };
    let side = 0..code.size();
    side.clone().map(|y| side.clone().map(|x| if code.get_module(x, y) { '1' } else { '0' }).collect()).collect()
}
