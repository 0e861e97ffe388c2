//! What home keeps of itself: the visit log, what an owner set, and how a person is changed.

use intercom_core::call::house::House;
use intercom_core::people::edit::Edit;
use intercom_core::people::entering::Hours;
use intercom_core::people::keys::KeyId;
use intercom_core::people::news::{self, NewsBook};
use intercom_core::people::register::{Person, Role};
use intercom_core::people::visits::{MOST, VisitLog};

use super::bytes::owned;

/// An accepted log says the same when it is written again; the line of a mistake is there.
pub fn fuzz_visits(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match VisitLog::from_toml(&text) {
        Ok(log) => {
            assert!(log.newest().count() <= MOST);
            assert_eq!(VisitLog::from_toml(&log.to_toml()), Ok(log));
        }
        Err(problem) => has_line(&problem, &text),
    }
}

/// Likewise. Of a text with a mistake the rest counts, and what counts is no mistake.
pub fn fuzz_house(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (right, told) = House::of_what_is_right(&text);
    assert_eq!(House::from_toml(&right.to_toml()), Ok(right.clone()));
    match House::from_toml(&text) {
        Ok(house) => assert_eq!((house, None), (right, told)),
        Err(problem) => {
            has_line(&problem, &text);
            assert_eq!(told, Some(problem));
        }
    }
}

/// Likewise. No device has more unread than is kept.
pub fn fuzz_news(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match NewsBook::from_toml(&text) {
        Ok(book) => {
            assert!((0..16).all(|key| book.unread(KeyId(key)).count() <= news::MOST));
            assert_eq!(NewsBook::from_toml(&book.to_toml()), Ok(book));
        }
        Err(problem) => has_line(&problem, &text),
    }
}

/// An accepted change says the same when it is written again, and changes nothing the second time. The same bytes as hours: they say the
/// same again, and end within a day.
pub fn fuzz_edit(data: &[u8]) {
    if let Ok(edit) = serde_json::from_slice::<Edit>(data) {
        let text = serde_json::to_string(&edit).unwrap();
        assert_eq!(serde_json::from_str::<Edit>(&text).unwrap(), edit, "{text}");
        let changed = edit.apply(&Person::new(1, Some("Anna".into()), Role::Guest));
        assert_eq!(edit.apply(&changed), changed);
        if let Ok(tidy) = edit.tidy() {
            assert_eq!(tidy.clone().tidy(), Ok(tidy));
        }
    }
    if let Ok(hours) = String::from_utf8_lossy(data).parse::<Hours>() {
        assert_eq!(hours.to_string().parse(), Ok(hours));
        for minute in 0..1440 {
            let left = hours.minutes_left(minute);
            assert!((1..=1440).contains(&left) && (minute + left) % 1440 == hours.end(), "{hours} at {minute}");
        }
        assert!((0..1440).any(|minute| hours.contain(minute)) && !hours.contain(hours.end()));
    }
}

/// A mistake that names a line names one of the text's.
fn has_line(problem: &str, text: &str) {
    let number = problem.strip_prefix("line ").and_then(|rest| rest.split(':').next()?.parse::<usize>().ok());
    let lines = text.matches('\n').count() + 1;
    assert!(!problem.is_empty() && number.is_none_or(|number| (1..=lines).contains(&number)), "{problem:?}");
}

// ---- Seeds. ----

pub fn visits() -> Vec<Vec<u8>> {
    let entry = |more: &str| {
        format!("[[visit]]\nperson = 7\nname = \"王小明\"\nbegan = \"2026-12-31T23:59:59+01:00\"\n{more}\n")
            .into_bytes()
    };
    vec![
        entry("ended = \"2027-01-01T00:10:00Z\"\noutcome = \"visited\""),
        entry("outcome = \"missed\"\n[[visit]]\nperson = 0\nbegan = \"1970-01-01T00:00:00Z\"\noutcome = \"called\""),
        entry("outcome = \"declined\"").repeat(2),
        entry("ended = \"9999-12-31T23:59:59Z\"\noutcome = \"resting\""),
        entry("ended = \"9999-12-31T23:59:59-23:59\"\noutcome = \"visited\""),
    ]
}

pub fn houses() -> Vec<Vec<u8>> {
    owned(&[
        b"quiet_hours = \"22:00-07:00\"\n",
        b"# mine\nquiet_hours = \" 9:05 - 17:30 \"\n",
        b"",
        "name = \"王小明\"\nvolume_percent = 100\nchime_percent = 0\nlanguage = \"zh\"\n".as_bytes(),
        b"name = \"Ada\"\nvolume_percent = 101\n[more]\nlanguage = \"de\"\n",
    ])
}

pub fn news() -> Vec<Vec<u8>> {
    let item = |number: u64, what: &str| {
        format!(
            "[[news]]\nnumber = {number}\nwhat = \"{what}\"\nperson = 7\nname = \"王小明\"\nat = \"2026-12-31T23:59:59+01:00\"\n"
        )
    };
    let unread = "[[unread]]\nkey = 3\nfrom = 2\n";
    let all =
        [(1, "device"), (2, "owner"), (7, "rights"), (8, "removed")].map(|(number, what)| item(number, what)).concat();
    vec![
        format!("next = 9\n{all}{unread}").into_bytes(),
        format!("next = 9\n{all}{unread}[[unread]]\nkey = 0\nfrom = 1\n").into_bytes(),
        format!("next = 8\n{all}").into_bytes(),
        b"next = 4294967295\n".to_vec(),
    ]
}

pub fn edits() -> Vec<Vec<u8>> {
    owned(&[
        br#"{"name":{"to":" Anna "},"role":"guest","entering":{"to":"knock"}}"#,
        br#"{"name":"default","entering":"default","in_quiet_hours":"default","quiet_hours":"default"}"#,
        br#"{"in_quiet_hours":{"to":"refuse"},"quiet_hours":{"to":"22:00-07:00"}}"#,
        b"22:00-07:00",
        "7:05\u{2013}13:30".as_bytes(),
    ])
}
