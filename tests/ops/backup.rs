//! `intercom people --save` and `--restore`, and what the flashed image does with a stick, with an intercom that runs and without one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::home::Home;
use crate::notices::notices;

fn say(home: &Home, command: &str) -> String {
    let output = home.ask(command);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

fn refuse(home: &Home, command: &str) -> String {
    let output = home.ask(command);
    assert_eq!(output.status.code(), Some(1), "{command}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A home that runs and knows Anna and Ben, and an empty folder beside it.
fn lived_in() -> (Home, PathBuf) {
    let mut home = Home::new("");
    home.start(|_| ());
    home.wait("an answer", || notices(&home));
    say(&home, "link --name Anna --role owner");
    say(&home, "link --name Ben");
    let stick = home.at("stick");
    fs::create_dir(&stick).expect("a folder");
    (home, stick)
}

/// The saved folder that the program tells of.
fn saved_in(said: &str) -> PathBuf {
    let path = said.trim().strip_prefix("saved in ").and_then(|rest| rest.strip_suffix(": 2 people"));
    PathBuf::from(path.unwrap_or_else(|| panic!("{said}")))
}

#[test]
fn people_are_saved_and_a_new_home_that_runs_has_them_once_it_is_started_again() {
    let (home, stick) = lived_in();
    let command = format!("people --save {}", stick.display());
    let (first, second) = (saved_in(&say(&home, &command)), saved_in(&say(&home, &command)));
    assert!(first != second && first.parent() == Some(&*stick), "{first:?} {second:?}");
    for (path, mode) in [(first.clone(), 0o700), (first.join("keys.toml"), 0o600)] {
        assert_eq!(fs::metadata(&path).expect("saved").permissions().mode() & 0o777, mode, "{path:?}");
    }
    let text = |path: PathBuf| fs::read_to_string(path).expect("keys");
    assert_eq!(text(first.join("keys.toml")), text(home.at("state/keys.toml")));
    let refused = refuse(&home, &format!("people --restore {}", stick.display()));
    assert!(refused.contains("home knows 2 people already"), "{refused}");

    let mut new = Home::new("");
    new.start(|_| ());
    new.wait("an answer", || notices(&new));
    let said = say(&new, &format!("people --restore {}", stick.display()));
    assert!(said.contains(": 2 people\n") && said.contains("start it again with `intercom run`"), "{said}");
    assert!(said.contains(&second.display().to_string()), "the newest: {said}");
    assert_eq!(new.wait_end(), 0, "{}", new.log());
    new.start(|_| ());
    new.wait("an answer", || notices(&new));
    assert_eq!(say(&new, "people"), say(&home, "people"));
}

#[test]
fn a_home_that_does_not_run_is_saved_and_restored_in_its_folder() {
    let (mut home, stick) = lived_in();
    let new = Home::new("");
    let refused = refuse(&new, &format!("people --save {}", stick.display()));
    assert!(refused.contains("nobody is known"), "{refused}");
    home.terminate();
    assert_eq!(home.wait_end(), 0, "{}", home.log());
    let saved = saved_in(&say(&home, &format!("people --save {}", stick.display())));
    let missing = refuse(&home, "people --save no-such-folder");
    assert!(missing.contains("there is no folder no-such-folder"), "{missing}");

    // A saved folder may be named itself.
    let said = say(&new, &format!("people --restore {}", saved.display()));
    assert!(said.contains("No intercom runs here now."), "{said}");
    let (people, before) = (say(&new, "people"), say(&home, "people"));
    assert_eq!(people, before);
    assert!(people.contains("Anna") && people.contains("Ben"), "{people}");

    let other = Home::new("");
    fs::write(saved.join("keys.toml"), "next = 1\n\n[[person]]\nnumber = one\n").expect("a mistake");
    let broken = refuse(&other, &format!("people --restore {}", stick.display()));
    assert!(broken.contains("keys.toml: line 4: "), "{broken}");
    let nothing = refuse(&other, &format!("people --restore {}", other.at("").display()));
    assert!(nothing.contains("holds no saved people"), "{nothing}");
    assert!(!other.at("state").join("keys.toml").exists());
}

#[test]
fn a_stick_saves_people_and_brings_them_back_and_the_tv_is_told() {
    let (home, stick) = lived_in();
    let tell = |home: &Home, stick: &PathBuf| {
        let said = say(home, &format!("stick {} {}", stick.display(), home.at("notices/.people-sdb1").display()));
        let notice = fs::read_to_string(home.at("notices/.people-sdb1")).expect("a notice");
        assert_eq!(notice.lines().next(), said.lines().next());
        notice.lines().nth(1).expect("for the TV's language").to_owned()
    };
    assert_eq!(tell(&home, &stick), "\"people_saved\"");
    assert_eq!(tell(&home, &home.at("no-stick")), "\"people_stick_format\"");
    let mut new = Home::new("");
    new.start(|_| ());
    new.wait("an answer", || notices(&new));
    assert_eq!(tell(&new, &stick), "\"people_restored\"");
    assert_eq!(new.wait_end(), 0, "the service starts it again: {}", new.log());
    new.start(|_| ());
    new.wait("an answer", || notices(&new));
    assert_eq!(say(&new, "people"), say(&home, "people"));
    assert_eq!(tell(&new, &stick), "\"people_saved\"");
    assert_eq!(fs::read_dir(&stick).expect("the stick").count(), 1, "the same people are saved once");
}
