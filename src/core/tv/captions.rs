//! The words on the TV: who visits and for how long, the clock, and how long a code is good for.

use std::f64::consts::TAU;
use std::time::{Duration, Instant};

use intercom_base::isolate::isolated;
use intercom_base::language::{Sentences, fill};
use time::{OffsetDateTime, UtcOffset};

use crate::call::items::{PairingCode, ViewerInfo, VisitId};
use crate::people::register::Role;

/// The picture wanders once around in so many minutes, across and down: two numbers without a common divisor, so that
/// it comes by everywhere.
const WANDER: (u64, u64) = (23, 31);

/// All words of one picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Words {
    /// `14:05`
    pub clock: String,
    /// `Sunday, 22 November`
    pub date: String,
    /// Of each viewer, in their order.
    pub viewers: Vec<ViewerWords>,
    /// How long the code is good for, `9:41 left`; empty without one.
    pub left: String,
    /// What whoever scans it becomes; empty without one.
    pub scan: &'static str,
    /// Where the picture has wandered to, each -1.0 to 1.0.
    pub drift: (f32, f32),
}

/// The words of one viewer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ViewerWords {
    /// Their name, or `Viewer 1`; marked so that it keeps its direction in any sentence.
    pub name: String,
    /// `12 min`; empty in the first minute.
    pub stay: String,
    /// Tells them apart for as long as they visit: the lowest number that was free, from 0.
    pub number: usize,
    /// Their media flowed before.
    pub was_connected: bool,
}

/// Keeps who is who.
#[derive(Debug)]
pub struct Captions {
    sentences: &'static Sentences,
    seats: Vec<Option<Seat>>,
}

#[derive(Debug)]
struct Seat {
    visit: VisitId,
    name: String,
    was_connected: bool,
}

impl Captions {
    /// Of a home where nobody visited yet.
    pub fn new(sentences: &'static Sentences) -> Captions {
        Captions { sentences, seats: Vec::new() }
    }

    /// Says the same with other sentences from now on.
    pub fn speak(&mut self, sentences: &'static Sentences) {
        self.sentences = sentences;
    }

    /// Who visits now.
    pub fn handle_viewers(&mut self, viewers: &[ViewerInfo]) {
        for seat in &mut self.seats {
            let _gone = seat.take_if(|seat| !viewers.iter().any(|viewer| viewer.visit == seat.visit));
        }
        for viewer in viewers {
            let number = self.number(viewer.visit).unwrap_or_else(|| {
                let free = self.seats.iter().position(Option::is_none).unwrap_or(self.seats.len());
                if free == self.seats.len() {
                    self.seats.push(None);
                }
                free
            });
            let name = match &viewer.name {
                Some(name) => isolated(name).into_owned(),
                None => fill(self.sentences.viewer, &[("number", &(number + 1).to_string())]),
            };
            let was_connected = viewer.connected || self.seats[number].as_ref().is_some_and(|seat| seat.was_connected);
            self.seats[number] = Some(Seat { visit: viewer.visit, name, was_connected });
        }
    }

    /// What to write at `now`, which is `unix` on the wall clock and `offset` seconds east of UTC. `viewers` as they
    /// were told last.
    pub fn words(
        &self,
        viewers: &[ViewerInfo],
        code: Option<&PairingCode>,
        now: Instant,
        unix: Duration,
        offset: i32,
    ) -> Words {
        let viewers = viewers.iter().filter_map(|viewer| {
            let number = self.number(viewer.visit)?;
            let seat = self.seats[number].as_ref()?;
            let stay = stay(now.saturating_duration_since(viewer.since), self.sentences);
            Some(ViewerWords { name: seat.name.clone(), stay, number, was_connected: seat.was_connected })
        });
        let (clock, date) = match local(unix, offset) {
            Some(local) => (hours(local), self.date(local)),
            None => Default::default(),
        };
        let left = code.map_or_else(String::new, |code| self.left(code.until.saturating_duration_since(now)));
        let scan = code.map_or("", |code| self.scan(code));
        let minute = unix.as_secs() / 60;
        let wander = |period: u64| ((minute % period) as f64 / period as f64 * TAU).sin() as f32;
        let drift = (wander(WANDER.0), wander(WANDER.1));
        Words { clock, date, viewers: viewers.collect(), left, scan, drift }
    }

    fn date(&self, local: OffsetDateTime) -> String {
        self.sentences.date(local.weekday().number_days_from_monday(), local.day(), local.month().into())
    }

    /// A code that waits for a home's first phone says what it is for, not that this phone becomes the owner's.
    fn scan(&self, code: &PairingCode) -> &'static str {
        match code.role {
            Role::Guest => self.sentences.scan_guest,
            Role::Owner if code.asked => self.sentences.scan_owner,
            Role::Owner | Role::Family => self.sentences.scan,
        }
    }

    /// Rounded up, so that it never says nothing is left while the code still opens.
    fn left(&self, time: Duration) -> String {
        let seconds = time.as_millis().div_ceil(1000);
        fill(self.sentences.left, &[("time", &format!("{}:{:02}", seconds / 60, seconds % 60))])
    }

    fn number(&self, visit: VisitId) -> Option<usize> {
        self.seats.iter().position(|seat| seat.as_ref().is_some_and(|seat| seat.visit == visit))
    }
}

/// `12 min`; empty in the first minute.
pub(super) fn stay(time: Duration, say: &Sentences) -> String {
    match time.as_secs() / 60 {
        0 => String::new(),
        minutes @ 1..60 => fill(say.minutes, &[("minutes", &minutes.to_string())]),
        minutes => {
            let (hours, minutes) = ((minutes / 60).to_string(), format!("{:02}", minutes % 60));
            fill(say.hours, &[("hours", &hours), ("minutes", &minutes)])
        }
    }
}

pub(super) fn local(unix: Duration, offset: i32) -> Option<OffsetDateTime> {
    let utc = OffsetDateTime::from_unix_timestamp(i64::try_from(unix.as_secs()).ok()?).ok()?;
    utc.checked_to_offset(UtcOffset::from_whole_seconds(offset).ok()?)
}

pub(super) fn hours(local: OffsetDateTime) -> String {
    format!("{:02}:{:02}", local.hour(), local.minute())
}

// A test's time begins at some time.
#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use std::sync::Arc;

    use intercom_base::language::Language;

    use super::*;
    use crate::people::register::Role;

    const NOON: Duration = Duration::from_secs(1_800_014_400);

    fn english() -> Captions {
        Captions::new(Language::English.sentences())
    }

    fn viewer(visit: u64, name: Option<&str>, since: Instant) -> ViewerInfo {
        let name = name.map(Arc::from);
        ViewerInfo { visit: VisitId(visit), name, since, camera: true, microphone: true, connected: true }
    }

    #[test]
    fn visitors_keep_their_numbers_while_others_come_and_go() {
        let (mut captions, now) = (english(), Instant::now());
        let mut seat = |visits: &[u64]| -> Vec<usize> {
            let viewers: Vec<ViewerInfo> = visits.iter().map(|visit| viewer(*visit, None, now)).collect();
            captions.handle_viewers(&viewers);
            captions.words(&viewers, None, now, NOON, 0).viewers.iter().map(|viewer| viewer.number).collect()
        };
        assert_eq!(seat(&[10, 11, 12]), [0, 1, 2]);
        assert_eq!(seat(&[11, 12]), [1, 2]);
        assert_eq!(seat(&[11, 12, 13]), [1, 2, 0]);
    }

    #[test]
    fn a_visit_is_told_by_name_and_length() {
        let (mut captions, now) = (english(), Instant::now());
        let viewers = [viewer(1, Some("Anna"), now), viewer(2, None, now)];
        captions.handle_viewers(&viewers);
        let after = |seconds: u64| now + Duration::from_secs(seconds);
        let words = |at: u64| {
            let words = captions.words(&viewers, None, after(at), NOON, 3600);
            words.viewers.iter().map(|viewer| (viewer.name.clone(), viewer.stay.clone())).collect::<Vec<_>>()
        };
        assert_eq!(words(59), [("Anna".into(), String::new()), ("Viewer 2".into(), String::new())]);
        assert_eq!(words(60)[0].1, "1 min");
        assert_eq!(words(3900)[0].1, "1 h 05 min");
    }

    #[test]
    fn everything_is_said_in_the_language_of_the_tv() {
        let now = Instant::now();
        let code = PairingCode {
            link: String::new(),
            until: now + Duration::from_secs(4481),
            asked: true,
            role: Role::Family,
        };
        let told = |language: Language| {
            let mut captions = Captions::new(language.sentences());
            let viewers = [viewer(1, Some("Zoë"), now), viewer(2, None, now)];
            captions.handle_viewers(&viewers);
            let later = now + Duration::from_secs(3900);
            let words = captions.words(&viewers, Some(&code), later, NOON, 0);
            let [first, second] = &words.viewers[..] else { panic!("{words:?}") };
            assert_eq!((&*first.name, &*words.clock), ("\u{2068}Zoë\u{2069}", "12:00"), "a name keeps its direction");
            [words.date, second.name.clone(), second.stay.clone(), words.left]
        };
        assert_eq!(
            told(Language::German),
            ["Freitag, 15. Januar", "Gast 2", "1 Std. 05 Min.", "Noch 9:41 Minuten gültig"]
        );
        let english = told(Language::English);
        for (code, language) in Language::ALL.iter().skip(1) {
            let told = told(*language);
            for (n, words) in told.iter().enumerate().filter(|(n, _)| *n != 2) {
                assert_ne!(*words, english[n], "{code}");
            }
            assert!(told.iter().all(|words| !words.contains(['{', '}'])), "{code}: {told:?}");
        }
    }

    #[test]
    fn a_lost_connection_is_told_from_one_that_never_was() {
        let (mut captions, now) = (english(), Instant::now());
        let mut one = viewer(1, Some("Anna"), now);
        one.connected = false;
        let was_connected = |captions: &mut Captions, viewer: &ViewerInfo| {
            let viewers = std::slice::from_ref(viewer);
            captions.handle_viewers(viewers);
            captions.words(viewers, None, now, NOON, 0).viewers[0].was_connected
        };
        assert!(!was_connected(&mut captions, &one));
        one.connected = true;
        assert!(was_connected(&mut captions, &one));
        one.connected = false;
        assert!(was_connected(&mut captions, &one), "it was lost");
    }

    #[test]
    fn the_clock_is_local_and_the_code_counts_down() {
        let (captions, now) = (english(), Instant::now());
        let code = PairingCode {
            link: String::new(),
            until: now + Duration::from_millis(581_500),
            asked: true,
            role: Role::Family,
        };
        let words = captions.words(&[], Some(&code), now, NOON, -5 * 3600);
        assert_eq!((&*words.clock, &*words.date, &*words.left), ("07:00", "Friday, 15 January", "9:42 left"));
        assert_eq!(captions.words(&[], Some(&code), code.until, NOON, 0).left, "0:00 left");
        assert_eq!(captions.words(&[], None, now, Duration::MAX, 0).clock, "", "a clock of nonsense");
    }

    #[test]
    fn the_code_says_what_its_phone_becomes() {
        let (captions, now) = (english(), Instant::now());
        let scan = |role: Role, asked: bool| {
            let code = PairingCode { link: String::new(), until: now, asked, role };
            captions.words(&[], Some(&code), now, NOON, 0).scan
        };
        assert_eq!(scan(Role::Family, true), "Scan to visit");
        assert_eq!(scan(Role::Guest, true), "Scan to become a guest");
        assert_eq!(scan(Role::Owner, true), "Scan to become an owner");
        assert_eq!(scan(Role::Owner, false), "Scan to visit", "the first phone of a home");
        assert_eq!(captions.words(&[], None, now, NOON, 0).scan, "");
    }

    #[test]
    fn within_a_day_the_picture_wanders_everywhere() {
        let (captions, now) = (english(), Instant::now());
        let places: Vec<(f32, f32)> =
            (0..24 * 60).map(|n| captions.words(&[], None, now, NOON + Duration::from_secs(60 * n), 0).drift).collect();
        for corner in [(-1.0, -1.0), (-1.0, 1.0), (1.0, -1.0), (1.0, 1.0), (0.0f32, 0.0f32)] {
            let near = |(x, y): &(f32, f32)| (x - corner.0).abs() < 0.2 && (y - corner.1).abs() < 0.2;
            assert!(places.iter().any(near), "{corner:?}");
        }
        assert!(places.iter().all(|(x, y)| x.abs() <= 1.0 && y.abs() <= 1.0));
    }
}
