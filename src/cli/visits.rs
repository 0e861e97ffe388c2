//! `intercom visits`: the table that it prints.

use std::fmt::Write as _;

use intercom_core::call::protocol::VisitEntry;
use intercom_core::people::visits::Outcome;

/// The visit log as a table, the newest entry first. `local` is a time (UTC in seconds since 1970) as home's clock shows it.
///
/// The name comes last: it may be wider than its letters are many, or run from right to left.
pub fn table(visits: &[VisitEntry], local: impl Fn(u64) -> String) -> String {
    if visits.is_empty() {
        return "Nobody visited yet, or the log was erased.".to_owned();
    }
    let mut text = format!("{:<16}  {:<10}  {:<24}  name\n", "began", "time", "what");
    for visit in visits {
        let what = match visit.outcome {
            Outcome::Visited if visit.here => "visits now",
            Outcome::Visited => "visited",
            Outcome::Missed => "knocked in vain",
            Outcome::Declined => "was declined",
            Outcome::Resting => "came in quiet hours",
            Outcome::Called => "was called in vain",
            Outcome::Device => "has a new device",
            Outcome::Owner => "became an owner",
            Outcome::Rights => "may do other things",
            Outcome::Removed => "was removed",
        };
        let time = match (visit.outcome, visit.ended) {
            (Outcome::Visited, Some(ended)) => length(ended.saturating_sub(visit.began)),
            (Outcome::Visited, None) if !visit.here => "unknown".to_owned(),
            _ => "-".to_owned(),
        };
        let name = match (&visit.name, visit.person, visit.outcome) {
            (Some(name), ..) => name.clone(),
            (None, 0, Outcome::Called) => "everybody".to_owned(),
            (None, 0, _) => "(the link of intercom run)".to_owned(),
            (None, person, _) => format!("(person {person})"),
        };
        let _ = writeln!(text, "{:<16}  {time:<10}  {what:<24}  {name}", local(visit.began));
    }
    text.trim_end().to_owned()
}

fn length(seconds: u64) -> String {
    match seconds / 60 {
        0 => format!("{seconds} s"),
        minutes @ 1..60 => format!("{minutes} min"),
        minutes => format!("{} h {:02} min", minutes / 60, minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_entry_reads_as_a_person_would_say_it() {
        let entry = |person, name: Option<&str>, ended, here, outcome| VisitEntry {
            person,
            name: name.map(str::to_owned),
            began: 1_800_014_400,
            ended,
            here,
            outcome,
        };
        let end = |seconds: u64| Some(1_800_014_400 + seconds);
        let visits = [
            entry(1, Some("Anna"), None, true, Outcome::Visited),
            entry(1, Some("Anna"), end(3900), false, Outcome::Visited),
            entry(2, None, end(59), false, Outcome::Visited),
            entry(0, None, None, false, Outcome::Visited),
            entry(3, Some("Gregor"), end(60), false, Outcome::Missed),
            entry(3, Some("Gregor"), end(5), false, Outcome::Declined),
            entry(3, Some("Gregor"), end(0), false, Outcome::Resting),
            entry(0, None, end(0), false, Outcome::Called),
            entry(3, Some("Gregor"), end(0), false, Outcome::Device),
            entry(3, Some("Gregor"), end(0), false, Outcome::Owner),
            entry(3, Some("Gregor"), end(0), false, Outcome::Rights),
            entry(3, Some("Gregor"), end(0), false, Outcome::Removed),
        ];
        let told = table(&visits, |unix| format!("at {}", unix - 1_800_000_000));
        let lines: Vec<String> =
            told.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        let expected = [
            "began time what name",
            "at 14400 - visits now Anna",
            "at 14400 1 h 05 min visited Anna",
            "at 14400 59 s visited (person 2)",
            "at 14400 unknown visited (the link of intercom run)",
            "at 14400 - knocked in vain Gregor",
            "at 14400 - was declined Gregor",
            "at 14400 - came in quiet hours Gregor",
            "at 14400 - was called in vain everybody",
            "at 14400 - has a new device Gregor",
            "at 14400 - became an owner Gregor",
            "at 14400 - may do other things Gregor",
            "at 14400 - was removed Gregor",
        ];
        assert_eq!(lines, expected);
        assert!(table(&[], |_| String::new()).contains("Nobody visited yet"));
    }
}
