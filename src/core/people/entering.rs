//! How a person comes in: at once, after a preview, or by knocking; and what quiet hours change.
//!
//! | | at once | preview | knock |
//! |---|---|---|---|
//! | outside quiet hours | inside | preview | knock |
//! | quiet hours, `enter` | inside | preview | knock |
//! | quiet hours, `knock` | silent knock | silent knock | silent knock |
//! | quiet hours, `refuse` | refused | refused | refused |
//!
//! Quiet hours that begin end no visit.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::register::{Person, Role};

/// A way of entering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Entering {
    /// Sees, hears and talks at once; nobody at home accepts anything.
    AtOnce,
    /// Sees a frosted picture for some seconds; then as at once, unless home declines.
    Preview,
    /// Sees and hears nothing until somebody at home lets them in.
    Knock,
}

/// What quiet hours mean for somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InQuietHours {
    /// Nothing.
    Enter,
    /// They knock, and home does not ring.
    Knock,
    /// They do not come in.
    Refuse,
}

impl Entering {
    /// All of them, as in files and messages.
    pub const WORDS: [(&str, Entering); 3] =
        [("at_once", Entering::AtOnce), ("preview", Entering::Preview), ("knock", Entering::Knock)];

    /// How somebody of this role enters if nothing else is said.
    pub fn of(role: Role) -> Entering {
        match role {
            Role::Owner | Role::Family => Entering::AtOnce,
            Role::Guest => Entering::Knock,
        }
    }
}

impl InQuietHours {
    /// All of them, as in files and messages.
    pub const WORDS: [(&str, InQuietHours); 3] =
        [("enter", InQuietHours::Enter), ("knock", InQuietHours::Knock), ("refuse", InQuietHours::Refuse)];

    /// What they mean for this role if nothing else is said.
    pub fn of(role: Role) -> InQuietHours {
        match role {
            Role::Owner => InQuietHours::Enter,
            Role::Family => InQuietHours::Knock,
            Role::Guest => InQuietHours::Refuse,
        }
    }
}

/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// From a time of day to another one, perhaps over midnight: `22:00-07:00`. The end is not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    from: u16,
    to: u16,
}

impl Hours {
    /// Whether this minute of the day (from 0) is one of them.
    pub fn contain(self, minute: u16) -> bool {
        if self.from < self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }

    /// The minutes until their end, 1 to 1440, as the clock on the wall counts them.
    pub fn minutes_left(self, minute: u16) -> u16 {
        match (self.to + DAY - minute % DAY) % DAY {
            0 => DAY,
            left => left,
        }
    }

    /// The minute of the day at which they end.
    pub fn end(self) -> u16 {
        self.to
    }
}

impl FromStr for Hours {
    type Err = String;

    fn from_str(text: &str) -> Result<Hours, String> {
        let problem = || format!("quiet hours are like \"22:00-07:00\", with two different times, not {text:?}");
        let time = |text: &str| {
            let (hour, minute) = text.trim().split_once(':')?;
            let number = |digits: &str, most: u16| {
                let fits = (1..=2).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit());
                digits.parse::<u16>().ok().filter(|number| fits && *number <= most)
            };
            let minute = number(minute, 59).filter(|_| minute.len() == 2)?;
            Some(number(hour, 23)? * 60 + minute)
        };
        // Phones and text editors make a dash of a hyphen.
        let (from, to) = text.split_once(['-', '–', '—']).ok_or_else(problem)?;
        let (from, to) = time(from).zip(time(to)).ok_or_else(problem)?;
        if from == to { Err(problem()) } else { Ok(Hours { from, to }) }
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Hours { from, to } = self;
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

impl Serialize for Hours {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hours {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Hours, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// How somebody comes in now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// As at once.
    Inside,
    /// The frosted picture comes first.
    Preview,
    /// Home is asked; `silent` without a chime.
    Knock {
        /// Home does not ring.
        silent: bool,
    },
    /// Not before these hours end.
    Refused(Hours),
}

/// How `person` comes in at this minute of home's day. `quiet` are home's own hours; those of a person go before them.
pub fn admit(person: &Person, quiet: Option<Hours>, minute: u16) -> Admission {
    let entering = match person.entering.unwrap_or(Entering::of(person.role)) {
        Entering::AtOnce => Admission::Inside,
        Entering::Preview => Admission::Preview,
        Entering::Knock => Admission::Knock { silent: false },
    };
    match person.hours.or(quiet).filter(|hours| hours.contain(minute)) {
        None => entering,
        Some(hours) => match person.in_quiet_hours.unwrap_or(InQuietHours::of(person.role)) {
            InQuietHours::Enter => entering,
            InQuietHours::Knock => Admission::Knock { silent: true },
            InQuietHours::Refuse => Admission::Refused(hours),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDNIGHT: u16 = 0;
    const NOON: u16 = 12 * 60;

    fn hours(text: &str) -> Hours {
        text.parse().unwrap()
    }

    #[test]
    fn hours_go_over_midnight_and_end_on_the_minute() {
        let night = hours("22:00-07:00");
        for (minute, within) in [(22 * 60 - 1, false), (22 * 60, true), (MIDNIGHT, true), (419, true), (420, false)] {
            assert_eq!(night.contain(minute), within, "{minute}");
        }
        assert_eq!((night.minutes_left(22 * 60), night.minutes_left(419), night.minutes_left(MIDNIGHT)), (540, 1, 420));
        let nap = hours("13:00-15:00");
        assert!(nap.contain(13 * 60) && nap.contain(15 * 60 - 1) && !nap.contain(15 * 60) && !nap.contain(NOON));
        assert!(hours("00:00-23:59").contain(NOON) && !hours("23:59-00:00").contain(NOON));
    }

    #[test]
    fn hours_are_read_as_people_write_them_and_nothing_else() {
        for text in ["22:00-07:00", "22:00 - 7:00", " 22:00–07:00 ", "22:00 — 07:00"] {
            assert_eq!(hours(text).to_string(), "22:00-07:00", "{text}");
        }
        for text in [
            "",
            "22:00",
            "22-7",
            "24:00-07:00",
            "22:60-07:00",
            "22:00-22:00",
            "22:0-07:00",
            "+2:00-07:00",
            "10:00 pm-7:00",
        ] {
            let problem = text.parse::<Hours>().unwrap_err();
            assert!(problem.contains("22:00-07:00") && problem.contains(text), "{problem}");
        }
    }

    #[test]
    fn each_way_of_entering_with_each_role_in_and_out_of_quiet_hours() {
        let night = Some(hours("22:00-07:00"));
        let silent = Admission::Knock { silent: true };
        let rings = Admission::Knock { silent: false };
        let refused = Admission::Refused(hours("22:00-07:00"));
        for (role, by_day, by_night) in [
            (Role::Owner, Admission::Inside, Admission::Inside),
            (Role::Family, Admission::Inside, silent),
            (Role::Guest, rings, refused),
        ] {
            let plain = Person::new(1, None, role);
            assert_eq!((admit(&plain, night, NOON), admit(&plain, night, MIDNIGHT)), (by_day, by_night), "{role:?}");
            assert_eq!(admit(&plain, None, MIDNIGHT), by_day, "{role:?}: no quiet hours");
            for (_, entering) in Entering::WORDS {
                let by_day = match entering {
                    Entering::AtOnce => Admission::Inside,
                    Entering::Preview => Admission::Preview,
                    Entering::Knock => rings,
                };
                for (_, rule) in InQuietHours::WORDS {
                    let by_night = match rule {
                        InQuietHours::Enter => by_day,
                        InQuietHours::Knock => silent,
                        InQuietHours::Refuse => refused,
                    };
                    let person = Person { entering: Some(entering), in_quiet_hours: Some(rule), ..plain.clone() };
                    assert_eq!(admit(&person, night, NOON), by_day, "{person:?}");
                    assert_eq!(admit(&person, night, MIDNIGHT), by_night, "{person:?}");
                    let own = Person { hours: Some(hours("12:00-13:00")), ..person };
                    assert_eq!(admit(&own, night, MIDNIGHT), by_day, "hours of their own go first: {own:?}");
                    assert_ne!((admit(&own, None, NOON), rule), (by_day, InQuietHours::Refuse), "{own:?}");
                }
            }
        }
    }
}
