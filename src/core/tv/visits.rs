//! The last visits, as the idle card tells them: who, when, and what became of it.

use std::cmp::Reverse;
use std::time::Duration;

use intercom_base::language::{Sentences, fill};

use super::captions::{hours, local, stay};
use super::local_time::Zone;
use crate::people::visits::{Entry, Outcome, VisitLog};

/// Visits that the card tells.
pub const MOST: usize = 4;

/// Today, and so many days before it: of more, a weekday would not say which one.
const DAYS_BEFORE: i32 = 6;

/// Entries that are handed over. Those that a wrong clock wrote are passed over later, and are to hide no other.
const KEPT: usize = 64;

/// Two clocks of one machine may differ by so much.
const AHEAD: Duration = Duration::from_secs(60);

/// One visit in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VisitWords {
    /// `18:05`, or `Sunday 18:05` if it was not today.
    pub when: String,
    /// Their name, as long as it is; empty if home has none.
    pub name: String,
    /// `{name} was here for 12 min`: the name's place is left, since whoever draws it knows how much room there is.
    pub what: String,
}

/// The newest entries of the log that tell of visits, the newest first.
pub fn newest(log: &VisitLog) -> Vec<Entry> {
    log.newest().filter(|entry| is_told(entry.outcome)).take(KEPT).cloned().collect()
}

/// What to write at `unix` (since 1970, UTC) of these entries, the newest first. `is_blank` says of which name nothing could be drawn.
pub fn words(
    entries: &[Entry],
    say: &Sentences,
    zone: &Zone,
    unix: Duration,
    is_blank: impl Fn(&str) -> bool,
) -> Vec<VisitWords> {
    let day = |at: Duration| local(at, zone.offset_at(at)).map(|local| (local, local.date().to_julian_day()));
    let Some((_, today)) = day(unix) else { return Vec::new() };
    let is_recent = |day: i32| (today - DAYS_BEFORE..=today).contains(&day);
    let told = entries.iter().filter(|entry| entry.began <= unix + AHEAD).filter_map(|entry| {
        let began = day(entry.began).filter(|(_, day)| is_recent(*day));
        // Of what began before these days the end is told, and not how long it was: the clock may have been set meanwhile.
        let (at, (local, day)) = match began {
            Some(began) => (entry.began, began),
            None => entry.ended.and_then(|ended| Some((ended, day(ended).filter(|(_, day)| is_recent(*day))?)))?,
        };
        let when = match day == today {
            true => hours(local),
            false => {
                let weekday = say.weekdays.get(usize::from(local.weekday().number_days_from_monday()));
                format!("{} {}", weekday.copied().unwrap_or_default(), hours(local))
            }
        };
        let name = entry.name.as_deref().filter(|name| !is_blank(name)).unwrap_or_default();
        let length = began.and(entry.ended).map(|ended| ended.saturating_sub(entry.began));
        let what = sentence(entry.outcome, length, !name.is_empty(), say)?;
        Some((at, VisitWords { when, name: name.to_owned(), what }))
    });
    let mut told: Vec<(Duration, VisitWords)> = told.collect();
    // A clock that was set back has mixed them up.
    told.sort_by_key(|(at, _)| Reverse(*at));
    told.into_iter().take(MOST).map(|(_, words)| words).collect()
}

/// The log has more than visits.
fn is_told(outcome: Outcome) -> bool {
    [Outcome::Visited, Outcome::Missed, Outcome::Declined, Outcome::Resting, Outcome::Called].contains(&outcome)
}

/// What became of a visit of this length, if that is known.
fn sentence(outcome: Outcome, length: Option<Duration>, named: bool, say: &Sentences) -> Option<String> {
    let stay = length.map(|length| stay(length, say)).filter(|stay| !stay.is_empty());
    let sentences = [
        match stay {
            Some(_) => (Outcome::Visited, say.was_here_for, say.was_here_for_somebody),
            None => (Outcome::Visited, say.was_here, say.was_here_somebody),
        },
        (Outcome::Missed, say.missed, say.missed_somebody),
        (Outcome::Declined, say.not_let_in, say.not_let_in_somebody),
        (Outcome::Resting, say.came_in_quiet_hours, say.came_in_quiet_hours_somebody),
        (Outcome::Called, say.called_in_vain, say.called_in_vain_somebody),
    ];
    let (_, with_name, without) = sentences.into_iter().find(|(of, ..)| *of == outcome)?;
    let sentence = if named { with_name } else { without };
    Some(fill(sentence, &[("stay", stay.as_deref().unwrap_or_default())]))
}

#[cfg(test)]
mod tests {
    use intercom_base::language::Language;

    use super::*;

    /// Friday, 15 January 2027, 12:00 UTC.
    const NOON: u64 = 1_800_014_400;
    const HOUR: u64 = 3600;
    const DAY: u64 = 24 * HOUR;

    fn entry(name: &str, began: u64, minutes: Option<u64>, outcome: Outcome) -> Entry {
        let at = Duration::from_secs;
        let name = (!name.is_empty()).then(|| name.to_owned());
        Entry { person: 1, name, began: at(began), ended: minutes.map(|minutes| at(began + 60 * minutes)), outcome }
    }

    fn visit(name: &str, began: u64, minutes: u64) -> Entry {
        entry(name, began, Some(minutes), Outcome::Visited)
    }

    /// What stands on the card in English, a line each.
    fn card(entries: &[Entry], zone: &Zone, unix: u64) -> Vec<String> {
        let say = Language::English.sentences();
        let words = words(entries, say, zone, Duration::from_secs(unix), |name| name == "\u{378}");
        words.iter().map(|line| format!("{}: {}", line.when, fill(&line.what, &[("name", &line.name)]))).collect()
    }

    #[test]
    fn each_outcome_is_told_in_words_of_its_own_with_a_name_and_without() {
        let told = |name: &str, minutes: Option<u64>, outcome: Outcome| {
            card(&[entry(name, NOON, minutes, outcome)], &Zone::default(), NOON + 3 * HOUR).concat()
        };
        assert_eq!(told("Anna", Some(25), Outcome::Visited), "12:00: Anna was here for 25 min");
        assert_eq!(told("Anna", Some(65), Outcome::Visited), "12:00: Anna was here for 1 h 05 min");
        assert_eq!(told("Anna", Some(0), Outcome::Visited), "12:00: Anna was here", "less than a minute");
        assert_eq!(told("Anna", None, Outcome::Visited), "12:00: Anna was here", "the power was cut");
        assert_eq!(told("Anna", Some(0), Outcome::Missed), "12:00: Anna knocked, nobody answered");
        assert_eq!(told("Anna", Some(0), Outcome::Declined), "12:00: Anna was not let in");
        assert_eq!(told("Anna", Some(0), Outcome::Resting), "12:00: Anna came in quiet hours");
        assert_eq!(told("Anna", Some(0), Outcome::Called), "12:00: Home called Anna, nobody answered");
        assert_eq!(told("", Some(0), Outcome::Called), "12:00: Home called, nobody answered");
        for nobody in ["", "\u{378}"] {
            assert_eq!(told(nobody, Some(25), Outcome::Visited), "12:00: Somebody was here for 25 min");
            for (_, outcome) in Outcome::WORDS.iter().filter(|(_, outcome)| is_told(*outcome)) {
                let told = told(nobody, Some(0), *outcome);
                assert!(told.contains("Somebody") || *outcome == Outcome::Called, "{told}");
            }
        }
        for (_, outcome) in Outcome::WORDS {
            let words = sentence(outcome, None, true, Language::English.sentences());
            assert_eq!(words.is_some(), is_told(outcome), "{outcome:?}");
        }
    }

    #[test]
    fn the_newest_four_are_told_the_newest_first() {
        let entries: Vec<Entry> = (0..9).rev().map(|n| visit(&format!("N{n}"), NOON + n * 60, 0)).collect();
        let told = card(&entries, &Zone::default(), NOON + HOUR);
        assert_eq!(told, ["12:08: N8 was here", "12:07: N7 was here", "12:06: N6 was here", "12:05: N5 was here"]);
        assert!(card(&[], &Zone::default(), NOON).is_empty());
    }

    #[test]
    fn over_midnight_a_visit_gets_its_weekday_and_after_a_week_it_is_gone() {
        // Thursday 23:50 to Friday 00:20.
        let entries = [visit("Anna", NOON - 12 * HOUR - 600, 30)];
        let at = |unix: u64| card(&entries, &Zone::default(), unix).concat();
        assert_eq!(at(NOON - 12 * HOUR - 1), "23:50: Anna was here for 30 min");
        assert_eq!(at(NOON - 12 * HOUR), "Thursday 23:50: Anna was here for 30 min");
        assert_eq!(at(NOON + 5 * DAY + 12 * HOUR - 1), "Thursday 23:50: Anna was here for 30 min", "late on Wednesday");
        // On Thursday its weekday would be today's. Its end was on Friday.
        assert_eq!(at(NOON + 5 * DAY + 12 * HOUR), "Friday 00:20: Anna was here");
        assert_eq!(at(NOON + 6 * DAY + 12 * HOUR), "");
    }

    #[test]
    fn the_clock_on_the_wall_says_what_today_is() {
        let entries = [visit("Anna", NOON - 2 * HOUR, 5)];
        let east = |hours: i32| {
            let name = format!("{hours:+03}");
            Zone::of_file(&crate::tv::local_time::tests::file(0, &name, hours * 3600, &format!("<{name}>{:+}", -hours)))
        };
        assert_eq!(card(&entries, &east(14), NOON), ["00:00: Anna was here for 5 min"], "Saturday on Kiritimati");
        assert_eq!(card(&entries, &east(13), NOON), ["Friday 23:00: Anna was here for 5 min"]);
        assert_eq!(card(&entries, &east(-11), NOON), ["Thursday 23:00: Anna was here for 5 min"]);
        // Each has the clock of its own time: the night of 28 March 2027 has no 02:30 in Berlin.
        let berlin = Zone::of_file(&crate::tv::local_time::tests::file(0, "CET", 3600, "CET-1CEST,M3.5.0,M10.5.0/3"));
        let spring = 1_806_195_600;
        let entries = [visit("Ben", spring + 60, 1), visit("Anna", spring - 60, 1)];
        let told = card(&entries, &berlin, spring + HOUR);
        assert_eq!(told, ["03:01: Ben was here for 1 min", "01:59: Anna was here for 1 min"]);
    }

    #[test]
    fn what_a_wrong_clock_wrote_is_passed_over_until_its_time_has_come() {
        let ahead = (0..KEPT as u64 - 1).rev().map(|n| visit("Ahead", NOON + 400 * DAY + n, 1));
        let entries: Vec<Entry> = ahead.chain([visit("Anna", NOON, 5)]).collect();
        let at = |unix: u64| card(&entries, &Zone::default(), unix);
        assert_eq!(at(NOON + HOUR), ["12:00: Anna was here for 5 min"]);
        assert_eq!(at(NOON + 400 * DAY + HOUR).len(), MOST);
        assert!(at(0).is_empty(), "a clock that nobody has set yet");
        assert!(card(&entries, &Zone::default(), u64::MAX).is_empty());
        // Set back by an hour between two visits: told as the clock says.
        let mixed = [visit("Ben", NOON - HOUR + 120, 1), visit("Anna", NOON, 1)];
        let told = card(&mixed, &Zone::default(), NOON + HOUR);
        assert_eq!(told, ["12:00: Anna was here for 1 min", "11:02: Ben was here for 1 min"]);
        // Set by the network while somebody visited: nobody knows for how long.
        let began_at_zero = Entry { began: Duration::from_secs(60), ..visit("Anna", NOON, 5) };
        assert_eq!(card(&[began_at_zero], &Zone::default(), NOON + HOUR), ["12:05: Anna was here"]);
        let ends_before_it_begins = Entry { ended: Some(Duration::from_secs(60)), ..visit("Anna", NOON, 5) };
        assert_eq!(card(&[ends_before_it_begins], &Zone::default(), NOON + HOUR), ["12:00: Anna was here"]);
    }

    #[test]
    fn the_words_change_with_the_day_only() {
        let entries = [visit("Anna", NOON, 5), entry("Ben", NOON - DAY, None, Outcome::Missed)];
        let mut told: Vec<Vec<String>> =
            (0..24 * 60).map(|n| card(&entries, &Zone::default(), NOON + 60 * n)).collect();
        told.dedup();
        assert_eq!(told.len(), 2, "before midnight and after it: {told:?}");
    }

    #[test]
    fn the_log_hands_over_its_newest_and_an_erased_one_nothing() {
        use crate::people::register::{Person, Role};
        let mut log = VisitLog::default();
        for n in 0..KEPT as u64 + 7 {
            let person = Person::new(n, Some(format!("N{n}")), Role::Family);
            log.handle_kept_out(&person, Outcome::Missed, Duration::from_secs(NOON + n));
        }
        let told: Vec<u64> = newest(&log).iter().map(|entry| entry.person).collect();
        assert_eq!(told, (7..KEPT as u64 + 7).rev().collect::<Vec<_>>());
        log.erase(|_| false);
        assert!(newest(&log).is_empty());
    }
}
