//! The words on the TV about home's door: who waits, what lets them in, and what has changed.

use std::time::{Duration, Instant};

use intercom_base::isolate::isolated;
use intercom_base::language::{Sentences, fill};

use crate::call::items::{Door, Knock, News, NewsKind};

/// What the keys that answer a knock are called; `None` where home has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DoorKeys {
    /// The one that lets in.
    pub let_in: Option<String>,
    /// The one that declines.
    pub decline: Option<String>,
}

/// All words about the door in one picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DoorWords {
    /// Of whoever waits longest: the keys act on them.
    pub knock: Option<KnockWords>,
    /// What has changed; empty if nothing has lately.
    pub change: String,
}

/// The words on the card of somebody who is not inside yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnockWords {
    /// `Anna would like to come in`
    pub title: String,
    /// `0:42`
    pub left: String,
    /// `Let in: F9`; empty if no key does that, or they come in by themselves.
    pub let_in: String,
    /// `Not now: F10`; empty if no key does that.
    pub decline: String,
    /// `and 2 more`; empty if nobody else waits.
    pub more: String,
}

/// What to write at `now`.
pub fn words(door: &Door, keys: &DoorKeys, say: &Sentences, now: Instant) -> DoorWords {
    let knock = door.knocks.first().map(|knock| KnockWords {
        title: title(knock, say),
        left: left(knock.until, now),
        let_in: if knock.preview { String::new() } else { press(say.let_in, keys.let_in.as_deref()) },
        decline: press(say.not_now, keys.decline.as_deref()),
        more: match door.knocks.len() {
            0 | 1 => String::new(),
            count => fill(say.more_wait, &[("count", &(count - 1).to_string())]),
        },
    });
    let change = door.news.as_ref().filter(|news| now < news.until);
    DoorWords { knock, change: change.map_or_else(String::new, |news| change_words(news, say)) }
}

/// When the words change by themselves next: with the next second of the first card, or when a change is told long enough.
pub fn changes_at(door: &Door, now: Instant) -> Option<Instant> {
    let second = door.knocks.first().and_then(|knock| {
        let left = knock.until.checked_duration_since(now)?;
        // The seconds are rounded up, so a full one has just begun.
        let rest = Duration::from_nanos(u64::from(left.subsec_nanos()));
        let step = if rest.is_zero() { Duration::from_secs(1) } else { rest };
        (!left.is_zero()).then(|| now + step)
    });
    let told = door.news.as_ref().map(|news| news.until).filter(|until| now < *until);
    second.into_iter().chain(told).min()
}

fn title(knock: &Knock, say: &Sentences) -> String {
    let (named, nameless) = match knock.preview {
        true => (say.comes_in, say.somebody_comes_in),
        false => (say.knocks, say.somebody_knocks),
    };
    of(knock.name.as_deref(), named, nameless)
}

fn change_words(news: &News, say: &Sentences) -> String {
    let (named, nameless) = match news.what {
        NewsKind::Device => (say.new_device, say.new_device_of_somebody),
        NewsKind::Owner => (say.new_owner, say.new_owner_somebody),
        NewsKind::Rights => (say.new_rights, say.new_rights_of_somebody),
        NewsKind::Removed => (say.removed, say.removed_somebody),
        NewsKind::Missed => (say.missed, say.missed_somebody),
        NewsKind::Calling => (say.calling, say.calling_everybody),
        NewsKind::Answered => (say.answered, say.answered_somebody),
        NewsKind::NotAnswered => (say.not_answered, say.not_answered_by_anybody),
        NewsKind::House => (say.house_changed, say.house_changed),
    };
    of(news.name.as_deref(), named, nameless)
}

fn of(name: Option<&str>, named: &str, nameless: &str) -> String {
    match name {
        Some(name) => fill(named, &[("name", &isolated(name))]),
        None => nameless.to_owned(),
    }
}

fn press(sentence: &str, key: Option<&str>) -> String {
    key.map_or_else(String::new, |key| fill(sentence, &[("key", key)]))
}

/// Rounded up, so that it never says nothing is left while an answer still counts.
fn left(until: Instant, now: Instant) -> String {
    let seconds = until.saturating_duration_since(now).as_millis().div_ceil(1000);
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

// A test's time begins at some time.
#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use std::sync::Arc;

    use intercom_base::language::Language;

    use super::*;

    const ALL_NEWS: [NewsKind; 8] = [
        NewsKind::Device,
        NewsKind::Owner,
        NewsKind::Rights,
        NewsKind::Removed,
        NewsKind::Missed,
        NewsKind::Calling,
        NewsKind::Answered,
        NewsKind::NotAnswered,
    ];
    use crate::call::items::VisitId;

    fn knock(visit: u64, name: Option<&str>, until: Instant, preview: bool) -> Knock {
        Knock { visit: VisitId(visit), name: name.map(Arc::from), until, preview }
    }

    fn keys() -> DoorKeys {
        DoorKeys { let_in: Some("F9".into()), decline: Some("F10".into()) }
    }

    fn english(door: &Door, now: Instant) -> DoorWords {
        words(door, &keys(), Language::English.sentences(), now)
    }

    #[test]
    fn whoever_waits_longest_is_told_with_the_time_and_the_keys() {
        let now = Instant::now();
        let until = now + Duration::from_millis(41_500);
        let mut door = Door { knocks: vec![knock(1, Some("Anna"), until, false)], ..Door::default() };
        let card = |door: &Door, at: Instant| english(door, at).knock.unwrap();
        let expected = KnockWords {
            title: "Anna would like to come in".into(),
            left: "0:42".into(),
            let_in: "Let in: F9".into(),
            decline: "Not now: F10".into(),
            more: String::new(),
        };
        assert_eq!(card(&door, now), expected);
        door.knocks.push(knock(2, None, until, false));
        door.knocks.push(knock(3, None, until, true));
        assert_eq!(card(&door, now), KnockWords { more: "and 2 more".into(), ..expected });
        door.knocks.remove(0);
        assert_eq!(card(&door, now).title, "Somebody would like to come in");
        assert_eq!(card(&door, until + Duration::from_secs(5)).left, "0:00");
        assert_eq!(english(&Door::default(), now), DoorWords::default(), "nobody waits");
    }

    #[test]
    fn who_comes_in_by_themselves_can_only_be_declined() {
        let now = Instant::now();
        let mut door =
            Door { knocks: vec![knock(1, Some("Anna"), now + Duration::from_secs(7), true)], ..Door::default() };
        let card = english(&door, now).knock.unwrap();
        assert_eq!((&*card.title, &*card.left), ("Anna is coming in", "0:07"));
        assert_eq!((&*card.let_in, &*card.decline), ("", "Not now: F10"));
        door.knocks[0].name = None;
        let none = words(&door, &DoorKeys::default(), Language::English.sentences(), now).knock.unwrap();
        assert_eq!((&*none.title, &*none.decline), ("Somebody is coming in", ""), "no key, no line");
    }

    #[test]
    fn a_change_is_told_until_its_time_is_over() {
        let now = Instant::now();
        let until = now + Duration::from_secs(30);
        let told = |what: NewsKind, name: Option<&str>, at: Instant| {
            let news = Some(News { what, name: name.map(Arc::from), until });
            english(&Door { news, ..Door::default() }, at).change
        };
        let kinds = ALL_NEWS;
        assert_eq!(
            kinds.map(|what| told(what, Some("Anna"), now)),
            [
                "Anna has a new device",
                "Anna is an owner now",
                "What Anna may do was changed",
                "Anna may not come in any more",
                "Anna knocked, nobody answered",
                "Calling Anna …",
                "Anna answered",
                "Anna did not answer",
            ]
        );
        assert_eq!(told(NewsKind::Missed, None, now), "Somebody knocked, nobody answered");
        assert_eq!(told(NewsKind::Missed, None, until), "");
    }

    #[test]
    fn the_words_change_once_a_second_and_no_oftener() {
        let now = Instant::now();
        let until = now + Duration::from_millis(3_200);
        let door = Door { knocks: vec![knock(1, None, until, false)], ..Door::default() };
        let (mut at, mut told) = (now, Vec::new());
        loop {
            told.push(english(&door, at).knock.unwrap().left);
            match changes_at(&door, at) {
                Some(next) => at = next,
                None => break,
            }
        }
        assert_eq!(told, ["0:04", "0:03", "0:02", "0:01", "0:00"]);
        assert_eq!(at, until);
        let news = Some(News { what: NewsKind::Missed, name: None, until: now + Duration::from_secs(30) });
        let quiet = Door { news, ..Door::default() };
        assert_eq!(changes_at(&quiet, now), Some(now + Duration::from_secs(30)));
        assert_eq!(changes_at(&Door::default(), now), None, "a calm card wakes nobody");
    }

    #[test]
    fn each_language_tells_names_as_they_are_and_puts_in_all_there_is() {
        let now = Instant::now();
        for (code, language) in Language::ALL {
            for (preview, name) in [(false, Some("Zoë")), (false, None), (true, Some("Zoë")), (true, None)] {
                let knocks = vec![knock(1, name, now, preview), knock(2, None, now, false)];
                for what in ALL_NEWS {
                    let news = News { what, name: name.map(Arc::from), until: now + Duration::from_secs(1) };
                    let door = Door { knocks: knocks.clone(), news: Some(news), ..Door::default() };
                    let DoorWords { knock, change } = words(&door, &keys(), language.sentences(), now);
                    let card = knock.unwrap();
                    for told in [&card.title, &change] {
                        assert_eq!(told.contains("\u{2068}Zoë\u{2069}"), name.is_some(), "{code}: {told}");
                    }
                    let all = [&card.title, &card.let_in, &card.decline, &card.more, &change];
                    assert!(all.iter().all(|told| !told.contains(['{', '}'])), "{code}: {all:?}");
                }
            }
        }
    }
}
