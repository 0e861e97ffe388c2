//! `intercom people`: how its options are read, and the table that it prints.

use std::ffi::OsStr;
use std::fmt::Write as _;

use intercom_core::call::protocol::{PeopleList, PersonInfo};
use intercom_core::people::edit::Setting;
use intercom_core::people::entering::{Entering, Hours, InQuietHours};
use intercom_core::tv::local_time;
use time::OffsetDateTime;

use crate::config::nearest;

/// One of these words, or `default`.
pub(super) fn word<T: Copy>(option: &str, text: &OsStr, words: &[(&str, T)]) -> Result<Setting<T>, String> {
    // A hyphen is as good as the files' underscore.
    let text = text.to_string_lossy().replace('-', "_");
    if text == "default" {
        return Ok(Setting::Default);
    }
    let known = words.iter().find(|(word, _)| *word == text).map(|(_, value)| Setting::To(*value));
    known.ok_or_else(|| {
        let all = || words.iter().map(|(word, _)| *word).chain(["default"]);
        let near = nearest(&text, all()).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        format!("`{option} {text}`: it is {}{near}", all().collect::<Vec<_>>().join(", "))
    })
}

/// Hours of a person's own, or `none`.
pub(super) fn hours(option: &str, text: &OsStr) -> Result<Setting<Hours>, String> {
    match &*text.to_string_lossy() {
        "none" | "default" => Ok(Setting::Default),
        text => {
            let hours = text.parse().map_err(|why| format!("`{option}`: {why}; `none` means home's own"))?;
            Ok(Setting::To(hours))
        }
    }
}

/// The person's number.
pub(super) fn number(text: &OsStr) -> Result<u64, String> {
    let text = text.to_string_lossy();
    text.parse()
        .map_err(|_| format!("`intercom people {text}`: a person's number is wanted; `intercom people` lists them"))
}

/// So many people.
pub fn count(people: usize) -> String {
    if people == 1 { "1 person".to_owned() } else { format!("{people} people") }
}

/// Home's people as a table. `local` is a time (UTC in seconds since 1970) as home's clock shows it.
///
/// The name comes last: in some scripts it is wider than its letters are many, or runs from right to left, and would move what follows.
pub fn table(list: &PeopleList, local: impl Fn(u64) -> String) -> String {
    let head = ["number", "role", "entering", "in quiet hours", "quiet hours", "devices", "invited until", "name"];
    let mut rows: Vec<[String; 8]> = vec![head.map(str::to_owned)];
    rows.extend(list.people.iter().map(|person| row(person, &local)));
    let mut widths = [0; 7];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.len().max(*width);
        }
    }
    let mut text = String::new();
    for row in &rows {
        for (width, cell) in widths.iter().zip(row) {
            let _ = write!(text, "{cell:<width$}  ");
        }
        let _ = writeln!(text, "{}", row[7]);
    }
    if list.people.is_empty() {
        text = "Nobody may visit yet; `intercom link` makes a link.\n".to_owned();
    }
    text + &match &list.quiet_hours {
        Some(hours) => format!("Home's quiet hours: {hours}\n"),
        None => "Home has no quiet hours.\n".to_owned(),
    }
}

fn row(person: &PersonInfo, local: impl Fn(u64) -> String) -> [String; 8] {
    let name = person.name.as_deref().unwrap_or("(no name)");
    [
        person.number.to_string(),
        person.role.word().to_owned(),
        of(&Entering::WORDS, person.entering.unwrap_or(Entering::of(person.role))),
        of(&InQuietHours::WORDS, person.in_quiet_hours.unwrap_or(InQuietHours::of(person.role))),
        person.quiet_hours.clone().unwrap_or_else(|| "home's".to_owned()),
        person.devices.to_string(),
        person.invited_until.map_or_else(|| "-".to_owned(), local),
        if person.here { format!("{name} (visits now)") } else { name.to_owned() },
    ]
}

fn of<T: PartialEq>(words: &[(&str, T)], value: T) -> String {
    words.iter().find(|(_, known)| *known == value).map_or_else(String::new, |(word, _)| (*word).to_owned())
}

/// A time (UTC in seconds since 1970) as the clock of this zone shows it; `zone` has the contents of a zone file.
pub fn local_time(zone: &[u8], unix: u64) -> String {
    let unix = i64::try_from(unix).unwrap_or(i64::MAX);
    let local = unix.saturating_add(local_time::offset_at(zone, unix).unwrap_or(0).into());
    let Ok(time) = OffsetDateTime::from_unix_timestamp(local) else { return "-".to_owned() };
    let (date, time) = (time.date(), time.time());
    format!("{date} {:02}:{:02}", time.hour(), time.minute())
}

/// The same for programs.
pub fn json(list: &PeopleList) -> String {
    let mut value = serde_json::to_value(list).unwrap_or_default();
    for person in value["people"].as_array_mut().into_iter().flatten() {
        // Nobody at the shell is one of them.
        person.as_object_mut().map(|person| person.remove("you"));
    }
    format!("{value:#}")
}

#[cfg(test)]
mod tests {
    use intercom_core::people::register::{People, Person, Role};

    use super::*;

    fn info(person: &Person) -> PersonInfo {
        PersonInfo::of(person, &People::new(), std::time::Duration::ZERO)
    }

    fn home() -> PeopleList {
        let anna = info(&Person::new(1, Some("Anna".to_owned()), Role::Owner));
        let guest = Person { hours: Some("21:00-08:00".parse().unwrap()), ..Person::new(13, None, Role::Guest) };
        let people =
            vec![PersonInfo { devices: 2, here: true, ..anna }, PersonInfo { invited_until: Some(60), ..info(&guest) }];
        PeopleList { people, quiet_hours: Some("22:00-07:00".to_owned()) }
    }

    #[test]
    fn the_table_tells_how_each_comes_in_whether_it_was_set_or_not() {
        let text = table(&home(), |at| format!("minute {}", at / 60));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "number  role   entering  in quiet hours  quiet hours  devices  invited until  name",
                "1       owner  at_once   enter           home's       2        -              Anna (visits now)",
                "13      guest  knock     refuse          21:00-08:00  0        minute 1       (no name)",
                "Home's quiet hours: 22:00-07:00",
            ]
        );
        let nobody = table(&PeopleList::default(), |_| String::new());
        assert_eq!(nobody, "Nobody may visit yet; `intercom link` makes a link.\nHome has no quiet hours.\n");
    }

    #[test]
    fn a_link_ends_by_the_clock_on_the_wall() {
        assert_eq!(local_time(b"no zone", 1_774_746_000), "2026-03-29 01:00");
        assert_eq!(local_time(b"", u64::MAX), "-");
    }

    #[test]
    fn programs_read_what_is_set_and_what_is_left_to_the_role() {
        let value: serde_json::Value = serde_json::from_str(&json(&home())).unwrap();
        let guest = &value["people"][1];
        assert_eq!(
            (&guest["number"], &guest["role"], &guest["quiet_hours"]),
            (&13.into(), &"guest".into(), &"21:00-08:00".into())
        );
        assert!(guest["entering"].is_null() && guest.get("you").is_none());
        assert_eq!(value["quiet_hours"], "22:00-07:00");
    }
}
