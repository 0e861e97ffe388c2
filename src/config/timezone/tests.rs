//! What a person writes into `timezone.txt`, and which clock the TV then has.

use super::*;
use crate::config::ConfigErrors;

/// A small tree with the rules of the real one.
const TREE: &[(&str, &str)] = &[
    ("Africa/Ceuta", "CET-1CEST,M3.5.0,M10.5.0/3"),
    ("America/Argentina/Buenos_Aires", "<-03>3"),
    ("America/Buenos_Aires", "<-03>3"),
    ("America/Indiana/Knox", "CST6CDT,M3.2.0,M11.1.0"),
    ("America/Los_Angeles", "PST8PDT,M3.2.0,M11.1.0"),
    ("America/New_York", "EST5EDT,M3.2.0,M11.1.0"),
    ("America/Port-au-Prince", "EST5EDT,M3.2.0,M11.1.0"),
    ("America/Sao_Paulo", "<-03>3"),
    ("America/St_Johns", "NST3:30NDT,M3.2.0,M11.1.0"),
    ("Asia/Kathmandu", "<+0545>-5:45"),
    ("Asia/Kolkata", "IST-5:30"),
    ("EST5EDT", "EST5EDT,M3.2.0,M11.1.0"),
    ("Etc/GMT+2", "<-02>2"),
    ("Etc/GMT-1", "<+01>-1"),
    ("Etc/GMT-2", "<+02>-2"),
    ("Etc/UTC", "UTC0"),
    ("Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3"),
    ("Europe/London", "GMT0BST,M3.5.0/1,M10.5.0"),
    ("Europe/Moscow", "MSK-3"),
    ("Europe/Vienna", "CET-1CEST,M3.5.0,M10.5.0/3"),
    ("Europe/Zurich", "CET-1CEST,M3.5.0,M10.5.0/3"),
    ("UTC", "UTC0"),
];

fn read_bytes(bytes: &[u8]) -> Timezone {
    let names: Vec<String> = TREE.iter().map(|(name, _)| (*name).to_owned()).collect();
    let rule = |name: &str| TREE.iter().find(|(known, _)| *known == name).map(|(_, rule)| (*rule).to_owned());
    read(bytes, &Zones { names: &names, rule: &rule })
}

/// The zone, and what the TV tells.
fn told(text: &str) -> (Option<String>, String) {
    let Timezone { zone, problems } = read_bytes(text.as_bytes());
    let errors = ConfigErrors { file: "timezone.txt".into(), problems };
    (zone, if errors.problems.is_empty() { String::new() } else { errors.brief() })
}

#[track_caller]
fn is(text: &str, zone: &str) {
    assert_eq!(told(text), (Some(zone.to_owned()), String::new()), "{text}");
}

#[test]
fn a_name_in_any_letters() {
    for text in [
        "Europe/Berlin",
        "europe/berlin",
        "EUROPE / BERLIN",
        "\"Europe/Berlin\"",
        "“Europe/Berlin”",
        "Europe/Berlin # home",
        "Europe/Berlin   // home",
        "TZ=Europe/Berlin",
        "TZ=\":Europe/Berlin\"",
        "timezone = \"Europe/Berlin\"",
        "Timezone: europe/berlin",
        "Zeitzone = Berlin",
        "/usr/share/zoneinfo/Europe/Berlin",
        "Europe\\Berlin",
        "\u{a0}Europe/Berlin\u{a0}",
        "Berlin",
        "Berlin, Germany",
        "Europe, Berlin",
        "Europe/Berlin (CET)",
        "Europe/Berlin.",
        "(UTC+01:00) Berlin, Vienna, Zurich",
        "# For the clock\r\n\r\nEurope/Berlin\r\n",
    ] {
        is(text, "Europe/Berlin");
    }
    is("America/New York", "America/New_York");
    is("new-york", "America/New_York");
    is("port au prince", "America/Port-au-Prince");
    is("Port\u{2011}au\u{2011}Prince", "America/Port-au-Prince");
    is("US/Eastern", "America/New_York");
    is("São Paulo", "America/Sao_Paulo");
    is("Indiana/Knox", "America/Indiana/Knox");
    is("Wien", "Europe/Vienna");
    is("Zürich", "Europe/Zurich");
    is("utc", "UTC");
}

#[test]
fn every_encoding() {
    let berlin = Some("Europe/Berlin".to_owned());
    assert_eq!(read_bytes(b"\xef\xbb\xbf# For the clock\r\nEurope/Berlin\r\n").zone, berlin);
    let utf16: Vec<u8> = "\u{feff}Europe/Berlin\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(read_bytes(&utf16).zone, berlin);
    assert_eq!(read_bytes(b"# M\xfcnchen\rEurope/Berlin\r").zone, berlin);
}

#[test]
fn letters_and_offsets() {
    for text in ["CET-1CEST", "CET-1CEST,M3.5.0,M10.5.0/3", "CET-1CEST,M3.5.0/2,M10.5.0/3", "CET", "MEZ", "cest"] {
        is(text, "Europe/Berlin");
    }
    is("EST5EDT", "EST5EDT");
    is("EST5EDT,M3.2.0,M11.1.0", "America/New_York");
    is("GMT0BST", "Europe/London");
    is("MSK-3", "Europe/Moscow");
    is("UTC+1", "Etc/GMT-1");
    is("GMT+2", "Etc/GMT-2");
    is("utc +02:00", "Etc/GMT-2");
    is("UTC-2", "Etc/GMT+2");
    is("UTC−2", "Etc/GMT+2");
    is("Etc/GMT+2", "Etc/GMT+2");
    is("UTC+0", "UTC");
    is("UTC0", "UTC");
    is("UTC+5:30", "Asia/Kolkata");
    is("+05:45", "Asia/Kathmandu");
    is("<+0545>-5:45", "Asia/Kathmandu");
}

#[test]
fn several_of_a_name_must_agree() {
    is("Buenos Aires", "America/Argentina/Buenos_Aires");
    let names = ["A/Springfield".to_owned(), "B/Springfield".to_owned()];
    let rule = |name: &str| Some(if name == "A/Springfield" { "CET-1" } else { "EST5" }.to_owned());
    let found = read(b"Springfield", &Zones { names: &names, rule: &rule });
    assert_eq!((found.zone, found.problems.len()), (None, 1));
}

#[test]
fn the_first_days_line_gives_way_to_another() {
    is("UTC\nEurope/Berlin\n", "Europe/Berlin");
    is("Europe/Berlin\nUTC\n", "Europe/Berlin");
    is("Europe/Berlin\nBerlin\n", "Europe/Berlin");
    let second = "timezone.txt, line 2: a second time zone; the TV takes Europe/London; take one out";
    assert_eq!(told("London\nBerlin"), (Some("Europe/London".into()), second.to_owned()));
    assert_eq!(told(""), (None, String::new()), "that is UTC");
    assert_eq!(told("# only a remark\n"), (None, String::new()));
}

#[test]
fn what_is_not_clear_is_told_with_what_was_meant() {
    for (text, words) in [
        ("Europe/Belin", "timezone.txt, line 1: there is no time zone “Europe/Belin”; did you mean Europe/Berlin?"),
        ("\nBerln", "timezone.txt, line 2: there is no time zone “Berln”; did you mean Europe/Berlin?"),
        (
            "where we live",
            "timezone.txt, line 1: there is no time zone “where we live”; allowed: a name such as Europe/Berlin",
        ),
    ] {
        assert_eq!(told(text), (None, words.to_owned()), "{text}");
    }
    let long = "x".repeat(5000);
    for text in ["../../etc/passwd", "/etc/passwd", "Europe/../UTC", "Europe", "Europe/", "/", &long, "UTC+99", "🦊"]
    {
        let (zone, words) = told(text);
        assert_eq!(zone, None, "{text}");
        assert!(words.starts_with("timezone.txt, line 1: there is no time zone"), "{words}");
    }
    assert_eq!(read_bytes(&[7; 100]).problems[0].what, "the file is not text; write it again as plain text");
    let both = told("our clock\nEurope/Berlin");
    assert!(both.0.as_deref() == Some("Europe/Berlin") && both.1.contains("line 1"), "{both:?}");
}

#[test]
fn what_was_meant_for_the_other_file_is_not_repeated_and_costs_no_time() {
    let told = |text: &str| read_bytes(text.as_bytes()).problems;
    let problems = told("password = geheim1234\nEurope/Berlin\n");
    assert_eq!(problems.len(), 1);
    assert!(!problems[0].what.contains("geheim"), "{}", problems[0].what);
    let long = "UTC+3:17\n".repeat(5000);
    assert_eq!(told(&long).len(), MOST_LINES + 1);
    // An hour east, or west?
    assert_eq!(told("CET+1\n").len(), 1);
}
