//! Home on an owner's page: what an owner sets of it, how it is, and how it is reached.

use std::time::{Duration, Instant};

use intercom_base::language::Language;

use crate::call::home::{Home, HomeConfig, HomeOutput, SocketId};
use crate::call::house::House;
use crate::call::items::{Checkup, NewsKind};
use crate::call::protocol::{
    FindingInfo, FromHome, HomeInfo, HomeValues, HomeWish, NotDone, Origin, ReachInfo, Volume,
};
use crate::devices::doctor::{Finding, FindingKind};
use crate::people::entering::Hours;
use crate::people::fairness::{Budget, Rate};
use crate::people::names;

/// Looks at everything that pages may ask for: each opens mixers and device files.
const LOOKS: Rate = Rate { burst: 3.0, per_second: 0.1 };

/// A look that is not answered by then hangs in a device.
const HANGS: Duration = Duration::from_secs(30);

/// Sentences that one message tells of each kind.
const MOST_TOLD: usize = 24;

/// What an owner has set, and what is known of home.
#[derive(Debug)]
pub(super) struct HouseState {
    set: House,
    /// How loud viewers are when home starts, by the config.
    volume: u8,
    looks: Budget,
    /// When a look was ordered that is not answered.
    ordered: Option<Instant>,
    checkup: Option<Checkup>,
    /// When somebody from outside was inside last.
    outside: Option<Instant>,
}

/// What an owner's page was told last on a socket that asked for `home`.
pub(super) struct HomeTold {
    socket: SocketId,
    language: Language,
    told: Option<HomeInfo>,
}

impl HouseState {
    pub fn new(config: &HomeConfig, now: Instant) -> HouseState {
        HouseState {
            set: config.house.clone(),
            volume: config.volume.percent,
            looks: Budget::new(LOOKS, now),
            ordered: None,
            checkup: None,
            outside: None,
        }
    }

    /// The volume with which home starts.
    pub fn volume(&self, config: Volume) -> Volume {
        let wanted = self.set.volume_percent.unwrap_or(self.volume);
        let percent = if config.least < config.most { wanted.clamp(config.least, config.most) } else { self.volume };
        Volume { percent, ..config }
    }

    /// As on the first day.
    pub fn reset(&mut self) {
        (self.set, self.outside) = (House::default(), None);
    }
}

impl Home {
    /// Home's name, as an owner or the config has it.
    pub fn name(&self) -> &str {
        self.house.set.name.as_deref().unwrap_or(&self.config.name)
    }

    /// The TV's language, likewise.
    pub fn language(&self) -> Language {
        self.house.set.language.unwrap_or(self.config.language)
    }

    /// How loud the chimes are, in percent, likewise.
    pub fn chime_percent(&self) -> u8 {
        self.house.set.chime_percent.unwrap_or(self.config.chime_percent)
    }

    /// How loud viewers are at home now, in percent.
    pub fn volume_percent(&self) -> u8 {
        self.levels.volume.percent
    }

    /// An owner's page wants to see home.
    pub(super) fn show_home(&mut self, index: usize, id: SocketId, language: &str, now: Instant) {
        let language = Language::of_code(language).unwrap_or_default();
        self.visits[index].home_told = Some(HomeTold { socket: id, language, told: None });
        self.tell_home();
        if self.house.ordered.is_some_and(|ordered| now.saturating_duration_since(ordered) > HANGS) {
            self.look_hangs();
        } else if self.house.looks.spend(1.0, now) {
            self.house.ordered = self.house.ordered.or(Some(now));
            self.out.push_back(HomeOutput::Examine);
        }
    }

    /// What was known before counts no more.
    fn look_hangs(&mut self) {
        let what = "Home does not finish looking at itself: a device hangs.".to_owned();
        let remedy =
            "Pull out the camera and the other USB devices, plug them in again, or switch home off and on.".to_owned();
        let finding = Finding { about: "house", kind: FindingKind::Hangs, wrong: true, what, remedy };
        let checkup = self.house.checkup.get_or_insert_default();
        if checkup.findings.as_slice() != [finding.clone()] {
            log::warn!("{} {}", finding.what, finding.remedy);
            checkup.findings = vec![finding];
            self.tell_home();
        }
    }

    /// Home has looked at itself, as wanted with [`HomeOutput::Examine`].
    pub fn handle_examined(&mut self, mut checkup: Checkup) {
        checkup.findings.truncate(MOST_TOLD);
        (self.house.checkup, self.house.ordered) = (Some(checkup), None);
        self.tell_home();
    }

    /// An owner sets home.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn set_home(&mut self, wish: HomeWish, now: Instant) -> Result<(), NotDone> {
        let HomeWish { name, volume, chime, language } = wish;
        let language = language.map(|code| Language::of_code(&code).ok_or(NotDone::Unknown)).transpose()?;
        let set = House {
            name: name.as_deref().map(names::tidy).transpose().map_err(|_| NotDone::Name)?,
            volume_percent: volume.map(|percent| percent.min(100)),
            chime_percent: chime.map(|percent| percent.min(100)),
            language,
            quiet_hours: self.house.set.quiet_hours,
        };
        self.house_is(set, now)
    }

    /// An owner sets home's quiet hours.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn set_quiet_hours(&mut self, hours: Option<Hours>, now: Instant) -> Result<(), NotDone> {
        self.house_is(House { quiet_hours: hours, ..self.house.set.clone() }, now)
    }

    fn house_is(&mut self, set: House, now: Instant) -> Result<(), NotDone> {
        if set == self.house.set {
            return Ok(());
        }
        if !self.owners.spend(now) {
            return Err(NotDone::TooMany);
        }
        let (name, language, chime) = (self.name().to_owned(), self.language(), self.chime_percent());
        let old = std::mem::replace(&mut self.house.set, set.clone());
        log::info!("an owner has changed what is set of home");
        if self.name() != name || self.language() != language {
            let (name, language) = (self.name().to_owned(), self.language());
            self.out.push_back(HomeOutput::Looks { name, language });
        }
        if self.name() != name {
            let home = self.name().to_owned();
            self.say_to_all(&FromHome::Name { home });
        }
        if self.chime_percent() != chime {
            self.out.push_back(HomeOutput::ChimeVolume(self.chime_percent()));
        }
        if set.volume_percent != old.volume_percent {
            let volume = self.house.volume(self.levels.volume);
            self.volume_is(volume);
        }
        if set.quiet_hours != old.quiet_hours {
            self.door.quiet = set.quiet_hours;
            self.door_changed(now);
        }
        self.out.push_back(HomeOutput::House(set));
        self.tell_news(NewsKind::House, None, now);
        self.tell_home();
        self.tell_owners(now);
        Ok(())
    }

    /// Tells all owners who asked how home is, if what they know is not the newest.
    pub(super) fn tell_home(&mut self) {
        for index in 0..self.visits.len() {
            let visit = &self.visits[index];
            let Some(HomeTold { socket, language, told }) = &visit.home_told else { continue };
            if visit.socket != Some(*socket) || !self.is_owner(index) {
                self.visits[index].home_told = None;
                continue;
            }
            let info = self.home_info(*language, visit.from_outside);
            if told.as_ref() != Some(&info) {
                let (socket, language) = (*socket, *language);
                self.out.push_back(HomeOutput::Say(socket, FromHome::Home(Box::new(info.clone()))));
                self.visits[index].home_told = Some(HomeTold { socket, language, told: Some(info) });
            }
        }
    }

    /// Answers who asked, though nothing may have changed.
    pub(super) fn tell_home_again(&mut self, index: usize, id: SocketId, now: Instant) {
        match self.visits.get_mut(index).and_then(|visit| visit.home_told.as_mut()) {
            Some(known) => known.told = None,
            None => return self.show_home(index, id, "", now),
        }
        self.tell_home();
    }

    /// A viewer who may come from outside is inside, and their media flows.
    pub(super) fn note_origin(&mut self, index: usize, now: Instant) {
        if self.visits[index].from_outside {
            self.house.outside = Some(now);
            self.tell_home();
        }
    }

    fn home_info(&self, language: Language, from_outside: bool) -> HomeInfo {
        let House { name, volume_percent, chime_percent, language: tv, .. } = self.house.set.clone();
        let of = |language: Language| language.code().to_owned();
        let checkup = self.house.checkup.as_ref();
        let findings = checkup.map(|checkup| checkup.findings.iter().map(FindingInfo::from).collect());
        let notices = checkup.map(|checkup| checkup.notices.all_in(language.sentences()));
        let volume = self.house.volume(self.levels.volume);
        HomeInfo {
            set: HomeWish { name, volume: volume_percent, chime: chime_percent, language: tv.map(of) },
            holds: HomeValues {
                name: self.name().to_owned(),
                volume: volume.percent,
                chime: self.chime_percent(),
                language: of(self.language()),
            },
            volume_least: volume.least,
            volume_most: volume.most,
            version: self.config.version.clone(),
            looked: checkup.is_some(),
            findings: findings.unwrap_or_default(),
            notices: notices.into_iter().flatten().take(MOST_TOLD).collect(),
            reach: ReachInfo {
                port: self.config.port,
                addresses: self.addresses.local.iter().take(MOST_TOLD).map(ToString::to_string).collect(),
                public: self.config.public.as_ref().map(ToString::to_string),
                outside: self.house.outside.map(|at| self.wall_at(at).as_secs()),
                you: if from_outside { Origin::Outside } else { Origin::Home },
            },
        }
    }
}
