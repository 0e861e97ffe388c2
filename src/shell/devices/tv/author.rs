//! What one picture of the TV is made of: what is on the board, and the words that go with it.

use std::sync::Arc;
use std::time::Instant;

use intercom_base::language::{Language, Sentences};
use intercom_base::picture::I420;
use intercom_core::tv::captions::{Captions, Words};
use intercom_core::tv::door::{self, DoorKeys, DoorWords};
use intercom_core::tv::local_time::Zone;
use intercom_core::tv::visits::{self, VisitWords};
use intercom_media::qr::{self, Modules};
use intercom_media::scene::Health;
use intercom_media::text;

use crate::config::Tv;
use crate::shell::devices::board::Shown;
use crate::shell::devices::input_events;
use crate::shell::devices::tv::{Subject, ZONE};
use crate::shell::{clock, fonts};

/// Finds the words that go with what is on the board.
pub(super) struct Author {
    pub sentences: &'static Sentences,
    language: Language,
    captions: Captions,
    keys: DoorKeys,
    /// The minute that the zone was looked at, and the zone then.
    zone: Option<(u64, Zone)>,
    /// The link that was made into a code, and the code.
    code: Option<(String, Modules)>,
}

impl Author {
    pub fn new(subject: &Subject) -> Author {
        let (language, sentences) = (subject.board.language(), fonts::sentences(subject.board.language()));
        let (captions, keys) = (Captions::new(sentences), door_keys(subject, sentences));
        Author { sentences, language, captions, keys, zone: None, code: None }
    }

    /// Speaks another language from now on, if that is wanted.
    fn speak(&mut self, language: Language, subject: &Subject) {
        if std::mem::replace(&mut self.language, language) != language {
            self.sentences = fonts::sentences(language);
            self.captions.speak(self.sentences);
            self.keys = door_keys(subject, self.sentences);
        }
    }

    pub fn write(&mut self, mut shown: Shown, subject: &Subject, tv: Tv) -> Content {
        self.speak(shown.language, subject);
        for viewer in &mut shown.viewers {
            // A name of which nothing can be drawn would leave nobody's tile: better a number.
            viewer.name = viewer.name.take().filter(|name| !text::is_blank(name));
        }
        let door = &mut shown.door;
        let names =
            door.knocks.iter_mut().map(|knock| &mut knock.name).chain(door.news.as_mut().map(|news| &mut news.name));
        // Nor would one whom nobody can name be somebody.
        names.for_each(|name| *name = name.take().filter(|name| !text::is_blank(name)));
        let (now, unix) = (clock::now(), clock::unix_time());
        let door = door::words(&shown.door, &self.keys, self.sentences, now);
        let changes_at = door::changes_at(&shown.door, now);
        let say = self.sentences;
        let zone = self.zone_at(unix.as_secs());
        let offset = zone.offset_at(unix);
        let visits = match shown.viewers[..] {
            [] => visits::words(&shown.visits, say, zone, unix, text::is_blank),
            // They are told on the idle card only.
            _ => Vec::new(),
        };
        self.captions.handle_viewers(&shown.viewers);
        let words = self.captions.words(&shown.viewers, shown.code.as_ref(), now, unix, offset);
        let network = Some(!subject.addresses.current().local.is_empty());
        let health = Health { network, muted: subject.context.levels.is_muted(), ..subject.context.health.summary() };
        let code = shown.code.as_ref().filter(|code| code.asked || shown.viewers.is_empty());
        let code = code.and_then(|code| self.code_of(&code.link)).cloned();
        let own = shown.own.clone().filter(|_| tv.self_view);
        let notices = subject.notices.all_in(self.sentences);
        Content { shown, words, visits, door, changes_at, notices, health, code, own }
    }

    fn zone_at(&mut self, unix: u64) -> &Zone {
        let minute = unix / 60;
        let known = self.zone.take().filter(|(looked, _)| *looked == minute);
        let zone = known.unwrap_or_else(|| (minute, Zone::of_file(&std::fs::read(ZONE).unwrap_or_default())));
        &self.zone.insert(zone).1
    }

    fn code_of(&mut self, link: &str) -> Option<&Modules> {
        if self.code.as_ref().is_none_or(|(known, _)| known != link) {
            self.code = qr::modules(link).map(|modules| (link.to_owned(), modules));
        }
        self.code.as_ref().map(|(_, modules)| modules)
    }
}

fn door_keys(subject: &Subject, sentences: &Sentences) -> DoorKeys {
    let name = |key: Option<u16>| key.map(|key| input_events::words(key, sentences));
    // While somebody waits, the key that shows a code lets them in.
    let let_in = subject.let_in_key.or(subject.invite_key);
    DoorKeys { let_in: name(let_in), decline: name(subject.decline_key) }
}

/// All that one picture is made of.
pub(super) struct Content {
    pub shown: Shown,
    pub words: Words,
    pub visits: Vec<VisitWords>,
    pub door: DoorWords,
    /// When the words about the door change by themselves.
    pub changes_at: Option<Instant>,
    pub notices: Vec<String>,
    pub health: Health,
    pub code: Option<Modules>,
    pub own: Option<Arc<I420>>,
}
