//! Each message reaches the TV in each language, and nothing else does.

use intercom_base::letters::NOTICE_LETTERS;

use super::*;
use crate::tv::mistake::Fault;
use crate::tv::notices::{Notices, file_of};

/// All that the intercom's commands say, with these values. A new kind of them belongs here; the match in [`Message::words`] names it.
pub(crate) fn all(name: &str, version: &str, why: &str) -> Vec<Message> {
    let (name, version, why) = (Text::new(name), Text::new(version), Text::new(why));
    let (now, percent) = (Text::new("0.2.0"), Percent::of(0.401));
    let [machine, before, failed] = ["riscv64", "0.1.0", "0.3.0"].map(Text::new);
    vec![
        Message::WifiOff,
        Message::WifiCard,
        Message::WifiNoAddress { name: name.clone() },
        Message::WifiNoAddressUnnamed,
        Message::WifiPassword { name: name.clone() },
        Message::WifiRefuses { name },
        Message::WifiNone,
        Message::UpdateInstalling { version: version.clone(), percent },
        Message::UpdateInstalled { version: version.clone() },
        Message::Updated { before, now: now.clone() },
        Message::UpdatedFirst { now: now.clone() },
        Message::UpdateRolledBack { failed, now },
        Message::UpdateUnsigned,
        Message::UpdateDamaged,
        Message::UpdateUnknown { why: why.clone() },
        Message::UpdateOtherMachine { machine },
        Message::UpdateUnreadable { why: why.clone() },
        Message::UpdateUnwritable { why: why.clone() },
        Message::UpdateOnTrial { version },
        Message::UpdateNoRoom { room: 100, size: 2_000_000 },
        Message::UpdateDiskFails,
        Message::PeopleSaved,
        Message::PeopleRestored,
        Message::PeopleNone,
        Message::PeopleKnown,
        Message::PeopleStickFull,
        Message::PeopleStickLocked,
        Message::PeopleStickUnwritable { why: why.clone() },
        Message::PeopleStickUnreadable { why: why.clone() },
        Message::PeopleStickFormat,
        Message::PeopleBroken { file: Text::new("intercom-2026-11-30-1412/keys.toml"), why: why.clone() },
        Message::PeopleKeysDamaged,
        Message::PeopleReset,
        Message::PeopleDisk { why },
        Message::PeoplePulled,
    ]
}

fn mistakes(word: &str) -> Vec<Message> {
    let text = || Text::new(word);
    let faults = [
        Fault::FileTooLarge,
        Fault::FileFormatted,
        Fault::FileBinary,
        Fault::FileMisnamed { found: text(), name: Text::new("timezone.txt") },
        Fault::FileUnreadable { why: Text::new("is a directory") },
        Fault::ZoneUnknown { zone: text() },
        Fault::ZoneUnknownHere,
        Fault::ZoneSecond { zone: text() },
        Fault::ZoneLines { most: 16 },
        Fault::ZoneMissing,
        Fault::NoSuchKey,
        Fault::LineUnclear,
        Fault::CodeUnclear,
        Fault::OneLine,
        Fault::LetterUnclear,
        Fault::EncodingGuessed,
        Fault::NameLong { bytes: 33 },
        Fault::NameMissing,
        Fault::NetworksMany { most: 8 },
        Fault::PasswordShort { letters: 1 },
        Fault::PasswordShort { letters: 5 },
        Fault::PasswordLong { letters: 64 },
        Fault::PasswordSecond,
        Fault::PasswordMissing,
        Fault::CountryUnknown { country: text() },
        Fault::CountryUnclear,
        Fault::CountrySecond,
        Fault::UsersRefused,
        Fault::WepRefused,
    ];
    let mistake = |(n, what): (usize, Fault)| {
        let nearest = (what == Fault::NoSuchKey).then(|| Text::new("password"));
        let (key, more) = ((n % 2 == 0).then(|| Text::new("password")), n % 3);
        Message::Mistake(Mistake { file: Text::new("wifi.txt"), line: Some(12), key, what, nearest, more })
    };
    faults.into_iter().enumerate().map(mistake).collect()
}

/// What the TV says of a file, and what the log does.
fn told(file: &str, language: Language) -> (String, String) {
    let mut notices = Notices::default();
    notices.handle_files(vec![("notice".into(), file.as_bytes().to_owned())]);
    (notices.all_in(language.sentences()).concat(), notices.all().concat())
}

#[test]
fn each_message_is_told_in_each_language_with_its_values() {
    let messages = [all("Café \"A\"", "0.9.1", "No such file"), mistakes("Belin")].concat();
    for (code, language) in Language::ALL {
        let mut words: Vec<String> = Vec::new();
        for message in &messages {
            let (tv, log) = told(&file_of(message), language);
            assert_eq!(tv, message.words(language.sentences()), "{code} {message:?}");
            assert_eq!(log, message.english(), "{code} {message:?}: the log is English");
            assert!(!tv.contains(['{', '}']), "{code}: {tv}: a place is empty");
            assert!(language == Language::English || tv != log, "{code}: {tv} is English");
            assert!(!words.contains(&tv), "{code}: {tv} is told twice");
            words.push(tv);
        }
    }
    let wrong = file_of(&Message::WifiPassword { name: Text::new("Café \"A\"") });
    let german = "Das WLAN „\u{2068}Café \"A\"\u{2069}“ nimmt das Passwort nicht an. Bitte in wifi.txt berichtigen und neu starten";
    assert_eq!(told(&wrong, Language::German).0, german);
    assert!(wrong.starts_with("The Wi-Fi “Café \"A\"” does not take the password"), "{wrong}");
}

#[test]
fn a_mistake_fits_its_place_in_each_language() {
    for word in ["Berln", "America/Argentina/ComodRivadavia", "阿根廷布宜诺斯艾利斯时区", &"ж".repeat(200)]
    {
        for message in mistakes(word) {
            for (code, language) in Language::ALL {
                let words = message.words(language.sentences());
                assert!(letters(&words) <= NOTICE_LETTERS, "{code}: {words}");
                let Message::Mistake(Mistake { what, .. }) = &message else { unreachable!("these are mistakes") };
                let is_whole = words.contains(&what.words(language.sentences()));
                assert!(is_whole || word.len() > 100, "{code}: {words}: it is cut");
            }
        }
    }
}

#[test]
fn the_way_out_goes_before_the_mistake_is_cut() {
    let mistake = |letters: usize, more: usize| {
        let zone = Text::new("x".repeat(letters));
        let (file, nearest) = (Text::new("timezone.txt"), Some(Text::new("Europe/Berlin")));
        Mistake { file, line: Some(1), key: None, what: Fault::ZoneUnknown { zone }, nearest, more }
    };
    let said = |letters: usize| mistake(letters, 2).words(Language::German.sentences());
    assert!(said(4).ends_with("„xxxx“; ist Europe/Berlin gemeint? (und 2 weitere)"), "{}", said(4));
    assert!(said(35).ends_with("x“; ist Europe/Berlin gemeint?"), "{}", said(35));
    assert!(said(48).ends_with("x“ (und 2 weitere)"), "{}", said(48));
}

#[test]
fn what_is_not_a_message_leaves_the_first_line() {
    let long = format!("{{\"wifi_password\":{{\"name\":\"{}\"}}}}", "x".repeat(81));
    let huge = format!("{{\"wifi_password\":{{\"name\":\"{}\"}}}}", "x".repeat(100_000));
    for second in [
        "",
        "more words",
        "null",
        "[]",
        "{}",
        "\"\"",
        "\"wifi_of\"",
        "\"wifi_password\"",
        "\"of a later version\"",
        "{\"of_a_later_version\":{\"name\":\"Home\"}}",
        "{\"wifi_password\":{}}",
        "{\"wifi_password\":{\"name\":7}}",
        "{\"wifi_password\":{\"name\":\"Home\",\"channel\":\"6\"}}",
        "{\"wifi_password\":{\"name\":\"a\\u0007b\"}}",
        "{\"wifi_password\":{\"name\":\"a\\nb\"}}",
        "{\"wifi_password\":{\"name\":\"\\u202eemoH\"}}",
        "{\"wifi_password\":{\"name\":\"Home\"}} {\"wifi_off\":null}",
        "{\"wifi_password\":{\"name\":\"Ho",
        "{\"update_installing\":{\"version\":\"0.2.0\",\"percent\":101}}",
        "{\"update_installing\":{\"version\":\"0.2.0\",\"percent\":-1}}",
        "{\"mistake\":{\"file\":\"wifi.txt\",\"line\":1,\"what\":\"of a later version\"}}",
        "{\"mistake\":{\"file\":\"wifi.txt\",\"line\":1,\"what\":{\"password_short\":{\"letters\":\"5\"}}}}",
        "{\"mistake\":{\"file\":\"wifi.txt\",\"what\":\"one_line\",\"more\":99999999999999999999}}",
        &long,
        &huge,
    ] {
        let (tv, log) = told(&format!("The words\n{second}\n"), Language::German);
        assert_eq!((&*tv, &*log), ("The words", "The words"), "{second}");
    }
    let (tv, _) = told("The words\n\n\"wifi_off\"\n", Language::German);
    assert_eq!(tv, "The words", "only the second line counts");
    let (tv, log) = told("\n The words \r\n\"wifi_off\"\r\nmore\n", Language::German);
    assert!(tv.starts_with("Das WLAN dieses Geräts") && log == "The words", "{tv}, {log}");
}

#[test]
fn any_value_becomes_one_that_is_read_again() {
    for value in ["", "Home", "\u{202e}a\u{2069}\u{7}\nb\u{2028}", "\\\"}{", "名".repeat(200).as_str(), "\u{fffd}é🦊"]
    {
        for message in [all(value, value, value), mistakes(value)].concat() {
            let line = message.line();
            assert!(line.len() <= LONGEST_LINE && !line.contains('\n'), "{line}");
            assert_eq!(Message::parse(&line), Some(message));
        }
    }
    let text = || Text::new("\"".repeat(200));
    let what = Fault::FileMisnamed { found: text(), name: text() };
    let (line, more) = (Some(usize::MAX), usize::MAX);
    let most = Message::Mistake(Mistake { file: text(), line, key: Some(text()), what, nearest: Some(text()), more });
    assert_eq!(Message::parse(&most.line()), Some(most));
    let wide = Text::new("𓂀".repeat(200));
    let most = Message::Updated { before: wide.clone(), now: wide };
    assert!(Notices::default().handle_files(vec![("a".into(), file_of(&most).into_bytes())]));
    assert_eq!(told(&file_of(&most), Language::French).0, most.words(Language::French.sentences()));
    assert_eq!([-1.0, 0.0, 0.999, 1.0, f32::NAN].map(Percent::of).map(u8::from), [0, 0, 99, 100, 0]);
}
