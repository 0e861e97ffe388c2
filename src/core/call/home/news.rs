//! Changes of who may do what: told on the TV, kept in the visit log, and told to all owners, also to those who come later.

use std::time::Instant;

use crate::call::home::{Home, HomeOutput};
use crate::call::items::NewsKind;
use crate::call::protocol::{FromHome, NewsInfo};
use crate::people::register::Person;
use crate::people::visits::{Entry, Outcome};

impl Home {
    /// Something of this person has changed: [`Outcome::is_change`].
    pub(super) fn tell_change(&mut self, what: Outcome, person: &Person, now: Instant) {
        let news = match what {
            Outcome::Device => NewsKind::Device,
            Outcome::Owner => NewsKind::Owner,
            Outcome::Removed => NewsKind::Removed,
            _ => NewsKind::Rights,
        };
        self.tell_news(news, person.name.as_deref(), now);
        self.log_change(person, what, now);
        let at = self.wall_at(now).as_secs();
        let news =
            FromHome::News { news: vec![NewsInfo { what, person: person.number, name: person.name.clone(), at }] };
        for index in 0..self.visits.len() {
            if let Some(socket) = self.visits[index].socket.filter(|_| self.is_owner(index)) {
                self.out.push_back(HomeOutput::Say(socket, news.clone()));
            }
        }
    }

    /// An owner is inside, and hears what has changed since they were here last. Who is here with another device has heard it.
    pub(super) fn say_missed_news(&mut self, index: usize) {
        let (number, id) = (self.visits[index].person, self.visits[index].id);
        let is_here = self.visits.iter().any(|other| other.logged && other.person == number && other.id != id);
        let Some(socket) = self.visits[index].socket.filter(|_| !is_here && self.is_owner(index)) else { return };
        let news: Vec<NewsInfo> = self.log.changes_since_visit(number).into_iter().map(info).collect();
        if !news.is_empty() {
            self.out.push_back(HomeOutput::Say(socket, FromHome::News { news }));
        }
    }
}

fn info(entry: &Entry) -> NewsInfo {
    NewsInfo { what: entry.outcome, person: entry.person, name: entry.name.clone(), at: entry.began.as_secs() }
}
