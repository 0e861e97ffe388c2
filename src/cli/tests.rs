//! What command lines mean, and what is answered to those that mean nothing.

use super::*;

fn read(line: &str) -> Result<Command, UsageError> {
    parse(line.split_whitespace().map(OsString::from))
}

fn refuse(line: &str) -> String {
    read(line).expect_err(line).to_string()
}

#[test]
fn commands_and_their_options() {
    let path = |text: &str| Some(PathBuf::from(text));
    let run = |config, no_link| Ok(Command::Run { config, no_link, last_good: None, notices: None, invite_key: None });
    assert_eq!(read("run"), run(None, false));
    assert_eq!(read("run --config a.toml"), run(path("a.toml"), false));
    assert_eq!(read("run --no-link --config=a"), run(path("a"), true));
    let (last_good, notices) = (path("l"), path("n"));
    assert_eq!(
        read("run --last-good l --notices=n --invite-key KEY_ENTER"),
        Ok(Command::Run { config: None, no_link: false, last_good, notices, invite_key: Some(28) })
    );
    let link = |revoke, tv, name: Option<&str>, config: Option<&str>| {
        let wish = Wish { name: name.map(str::to_owned), ..Wish::default() };
        Ok(Command::Link { revoke, tv, wish, config: config.map(PathBuf::from) })
    };
    let long = Wish { days: 30, devices: 1, ..Wish::default() };
    assert_eq!(
        read("link --days 30 --devices=1"),
        Ok(Command::Link { revoke: None, tv: false, wish: long, config: None })
    );
    assert_eq!(read("link"), link(None, false, None, None));
    assert_eq!(read("link --revoke 3 --config a"), link(Some(3), false, None, Some("a")));
    assert_eq!(read("link --tv --name Anna"), link(None, true, Some("Anna"), None));
    for (tv, option) in [(false, ""), (true, "--tv ")] {
        for (word, role) in Role::WORDS {
            let wish = Wish { role, ..Wish::default() };
            assert_eq!(
                read(&format!("link {option}--role {word}")),
                Ok(Command::Link { revoke: None, tv, wish, config: None })
            );
        }
    }
    assert_eq!(read("check a"), Ok(Command::Check { config: path("a") }));
    assert_eq!(read("check --config a"), Ok(Command::Check { config: path("a") }));
    assert_eq!(read("check"), Ok(Command::Check { config: None }));
    assert_eq!(read("drivers"), Ok(Command::Drivers));
    assert_eq!(read("settings a b"), Ok(Command::Settings { from: "a".into(), to: "b".into() }));
    assert_eq!(read("name a b"), Ok(Command::Name { from: "a".into(), to: "b".into() }));
    assert_eq!(read("wifi a b"), Ok(Command::Wifi { interface: "a".into(), folder: "b".into() }));
    assert_eq!(read("mute"), Ok(Command::Mute { off: false, config: None }));
    assert_eq!(read("mute --off --config a"), Ok(Command::Mute { off: true, config: path("a") }));
    assert_eq!(read("curtain"), Ok(Command::Curtain { off: false, config: None }));
    assert_eq!(read("curtain --off --config a"), Ok(Command::Curtain { off: true, config: path("a") }));
    assert_eq!(read("status"), Ok(Command::Status { config: None }));
    assert_eq!(read("reset --config a"), Ok(Command::Reset { config: path("a") }));
    assert!(refuse("mute --of").contains("did you mean `--off`?"));
    assert_eq!(read("doctor"), Ok(Command::Doctor { config: None, json: false }));
    assert_eq!(read("doctor --json --config a"), Ok(Command::Doctor { config: path("a"), json: true }));
    assert_eq!(read("--version"), Ok(Command::Version));
    assert_eq!(read("-V"), Ok(Command::Version));
}

#[test]
fn help_is_there_wherever_it_is_asked_for() {
    assert_eq!(read("--help"), Ok(Command::Help(HELP)));
    assert_eq!(read("help"), Ok(Command::Help(HELP)));
    assert_eq!(read("help link"), Ok(Command::Help(LINK_HELP)));
    assert_eq!(read("run --config a -h"), Ok(Command::Help(RUN_HELP)));
    for (name, options, help) in COMMANDS {
        assert_eq!(read(&format!("{name} --help")), Ok(Command::Help(help)));
        assert!(HELP.contains(&format!("\n  {name} ")), "{name}");
        for option in options.iter().filter(|option| **option != "--help" && name != "check") {
            assert!(help.contains(option), "the help of {name} lacks {option}");
        }
        assert!(help.lines().chain(HELP.lines()).all(|line| line.len() <= 90 && !line.ends_with(' ')));
    }
}

#[test]
fn each_option_that_a_command_has_is_read() {
    for (name, option) in
        COMMANDS.iter().flat_map(|(name, options, _)| options.iter().map(move |option| (*name, option)))
    {
        let name = match name {
            "settings" | "wifi" | "name" | "stick" => format!("{name} a b"),
            "people" if !["--save", "--restore"].contains(option) => format!("{name} 1"),
            _ => name.to_owned(),
        };
        let alone = read(&format!("{name} {option}"));
        let with = |value: &str| read(&format!("{name} {option} {value}"));
        let answer = alone.or_else(|_| with("1")).or_else(|_| with("KEY_1")).or_else(|_| with("guest"));
        let answer = answer.or_else(|_| with("knock")).or_else(|_| with("none"));
        assert!(answer.is_ok(), "{name} {option}: {answer:?}");
    }
}

#[test]
fn slips_are_answered_with_what_was_meant() {
    assert!(refuse("").contains(
        "say what to do: run, link, people, mute, curtain, visits, call, status, reset, doctor, check, update, settings, wifi, name, stick or drivers"
    ));
    assert!(refuse("rum").contains("there is no command `rum`; did you mean `intercom run`?"));
    assert!(refuse("driver").contains("did you mean `intercom drivers`?"));
    assert!(
        refuse("run --conifg a")
            .contains("has no option `--conifg`; it has --config, --no-link, --last-good, --notices, --invite-key, ")
    );
    assert!(refuse("run --conifg a").contains("did you mean `--config`?"));
    assert!(refuse("--config a run").contains("did you mean `intercom run --config`?"));
    assert!(refuse("--verison").contains("did you mean `--version`?"));
    assert!(refuse("link --revok 1").contains("did you mean `--revoke`?"));
    assert!(refuse("run --revoke 1").ends_with("`intercom run --help` tells more."));
}

#[test]
fn what_means_nothing_is_refused() {
    assert!(refuse("run --config").contains("`--config` needs a file"));
    assert!(refuse("run a.toml").contains("does not know what to do with `a.toml`"));
    assert!(refuse("run --config a --config b").contains("two config files"));
    assert!(refuse("check a b").contains("two config files"));
    assert!(refuse("link --revoke").contains("needs the number"));
    assert!(refuse("link --days 0").contains("1 to 365"));
    assert!(refuse("link --devices=21").contains("1 to 20"));
    assert!(refuse("link --days 1 --days 2").contains("twice"));
    assert!(refuse("link --tv --days 2").contains("for one device"));
    assert!(refuse("link --revoke 1 --devices 2").contains("neither"));
    assert!(refuse("link --revoke all").contains("whole number"));
    assert!(refuse("link --revoke -1").contains("whole number"));
    assert!(refuse("link --revoke 1 --revoke 2").contains("twice"));
    assert!(refuse("link --revoke 1 --tv").contains("neither"));
    assert!(refuse("link --role boss").contains("`--role boss`: it is owner, family or guest"));
    assert!(refuse("link --role guest --role owner").contains("twice"));
    assert!(refuse("link --revoke 1 --role guest").contains("neither"));
    assert!(refuse("link --name").contains("needs the viewer's name"));
    assert!(refuse("link --name= ").contains("at least one letter"));
    refuse("run --no-link=yes");
    assert!(refuse("settings a").contains("needs two folders"));
    refuse("settings a b c");
    assert!(refuse("name a").contains("needs two folders"));
    assert!(refuse("wifi wlan0").contains("needs an interface and a folder"));
    refuse("wifi a b c");
    refuse("drivers x");
    refuse("doctor x");
    refuse("-x");
}

#[test]
fn people_are_listed_and_changed() {
    let people = |person, edit, json| Ok(Command::People { person, edit, json, config: None });
    assert_eq!(read("people"), people(None, Edit::default(), false));
    assert_eq!(read("people --json"), people(None, Edit::default(), true));
    assert_eq!(read("people 3"), people(Some(3), Edit::default(), false));
    let changed = |edit| people(Some(3), edit, false);
    let named = Edit { name: Some(Setting::To("Anna".to_owned())), ..Edit::default() };
    assert_eq!(read("people 3 --name Anna"), changed(named));
    assert_eq!(read("people --no-name 3"), changed(Edit { name: Some(Setting::Default), ..Edit::default() }));
    let all = Edit {
        name: None,
        role: Some(Role::Guest),
        entering: Some(Setting::To(Entering::AtOnce)),
        in_quiet_hours: Some(Setting::To(InQuietHours::Refuse)),
        quiet_hours: Some(Setting::To("22:00-07:00".parse().unwrap())),
    };
    let text = "people 3 --role guest --entering at-once --in-quiet-hours=refuse --quiet-hours 22:00-7:00";
    assert_eq!(read(text), changed(all));
    let usual = Edit {
        entering: Some(Setting::Default),
        in_quiet_hours: Some(Setting::Default),
        quiet_hours: Some(Setting::Default),
        ..Edit::default()
    };
    assert_eq!(read("people 3 --entering default --in-quiet-hours default --quiet-hours none"), changed(usual));
}

#[test]
fn what_means_nothing_of_people_is_refused_with_what_would() {
    assert!(refuse("people Anna").contains("`intercom people Anna`: a person's number is wanted"));
    assert!(refuse("people 1 2").contains("one person at a time"));
    assert!(refuse("people --role guest").contains("Put the person's number behind"));
    assert!(refuse("people 1 --role boss").contains("owner, family or guest"));
    let slip = refuse("people 1 --entering knok");
    assert!(slip.contains("it is at_once, preview, knock, default; did you mean `knock`?"), "{slip}");
    assert!(refuse("people 1 --in-quiet-hours never").contains("it is enter, knock, refuse, default"));
    let hours = refuse("people 1 --quiet-hours 22-7");
    assert!(hours.contains("\"22:00-07:00\"") && hours.contains("`none` means home's own"), "{hours}");
    assert!(refuse("people 1 --name A --no-name").contains("goes not with"));
    assert!(refuse("people 1 --json --role guest").contains("goes with no change"));
    assert!(refuse("people 1 --entering knock --entering default").contains("twice"));
    assert!(refuse("people 1 --name= ").contains("at least one letter"));
    assert!(refuse("people 1 --rol guest").contains("did you mean `--role`?"));
}

#[test]
fn people_are_saved_and_restored_all_together() {
    let (folder, config) = (PathBuf::from("f"), Some(PathBuf::from("a")));
    assert_eq!(read("people --save f"), Ok(Command::SavePeople { folder: folder.clone(), config: None }));
    let restored = Command::RestorePeople { folder: folder.clone(), config: config.clone() };
    assert_eq!(read("people --restore=f --config a"), Ok(restored));
    assert_eq!(read("stick f n --config a"), Ok(Command::Stick { folder, notice: "n".into(), config }));
    assert!(refuse("people --save").contains("needs a folder"));
    for more in ["3", "--json", "--restore g", "3 --role guest"] {
        assert!(refuse(&format!("people --save f {more}")).contains("go with nothing else"), "{more}");
    }
    assert!(refuse("people --save f --save g").contains("twice"));
    assert!(refuse("stick f").contains("needs a folder and a file"));
}
