//! Changes of who may do what: told on the TV, written into the visit log, and told to each device of an owner until it has read them.

use std::time::Instant;

use crate::call::home::{Home, HomeOutput};
use crate::call::items::NewsKind;
use crate::call::protocol::{FromHome, NewsInfo};
use crate::people::keys::KeyId;
use crate::people::news::Item;
use crate::people::register::{Person, Role};
use crate::people::visits::Outcome;

impl Home {
    /// Something of this person has changed: [`Outcome::is_change`]. The device that it is about need not hear it.
    pub(super) fn tell_change(&mut self, what: Outcome, person: &Person, device: Option<KeyId>, now: Instant) {
        let news = match what {
            Outcome::Device => NewsKind::Device,
            Outcome::Owner => NewsKind::Owner,
            Outcome::Removed => NewsKind::Removed,
            _ => NewsKind::Rights,
        };
        self.tell_news(news, person.name.as_deref(), now);
        self.log_change(person, what, now);
        let owners = self.access.people().devices_with(Role::Owner).filter(|key| Some(*key) != device).collect();
        self.news.add(what, person, self.wall_at(now), &owners);
        self.out.push_back(HomeOutput::News(self.news.clone()));
        (0..self.visits.len()).for_each(|index| self.say_unread(index));
    }

    /// An owner who is inside hears what this device has not read.
    pub(super) fn say_unread(&mut self, index: usize) {
        let visit = &self.visits[index];
        let Some(socket) = visit.socket.filter(|_| self.is_owner(index)) else { return };
        let news: Vec<NewsInfo> = self.news.unread(visit.key).map(info).collect();
        if !news.is_empty() {
            self.out.push_back(HomeOutput::Say(socket, FromHome::News { news }));
        }
    }

    /// An owner has read all up to this number.
    pub(super) fn news_read(&mut self, index: usize, number: u64) {
        if self.news.handle_read(self.visits[index].key, number) {
            self.out.push_back(HomeOutput::News(self.news.clone()));
        }
    }
}

fn info(item: &Item) -> NewsInfo {
    let Item { number, what, person, name, at } = item.clone();
    NewsInfo { number, what, person, name, at: at.as_secs() }
}
