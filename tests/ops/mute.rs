//! Muted stays muted: over a kill, a restart, a full disk, a file that makes no sense; and nothing delays it.

use std::fs::{self, File};
use std::os::fd::AsFd;

use serde_json::Value;

use crate::home::Home;
use crate::notices::notices;

fn say(home: &Home, command: &str) -> String {
    let output = home.ask(command);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

fn status(home: &Home) -> Option<Value> {
    let output = home.ask("status");
    output.status.success().then(|| serde_json::from_slice(&output.stdout).expect("a status is JSON"))
}

/// Whether a home that has just been started is muted.
fn is_muted(home: &Home) -> bool {
    home.wait("a status", || status(home))["muted"] == true
}

#[test]
fn muted_outlives_a_kill_an_orderly_end_and_a_home_that_does_not_run() {
    let mut home = Home::new("");
    home.start(|_| ());
    assert!(!is_muted(&home), "a new home is open");
    assert_eq!(say(&home, "mute").trim(), "home's microphone is muted");
    home.kill();
    home.start(|_| ());
    assert!(is_muted(&home), "after a kill");
    home.terminate();
    home.wait_end();
    home.start(|_| ());
    assert!(is_muted(&home), "after an orderly end");
    say(&home, "mute --off");
    home.kill();
    home.start(|_| ());
    assert!(!is_muted(&home), "and so does the opposite");
    home.kill();
    assert!(say(&home, "mute").contains("no intercom runs here now"));
    home.start(|_| ());
    assert!(is_muted(&home));
}

#[test]
fn what_cannot_be_read_is_muted_and_told_until_somebody_opens_it() {
    let mut home = Home::new("");
    home.start(|_| ());
    assert!(!is_muted(&home));
    home.kill();
    fs::write(home.at("state/muted"), "ope").expect("the file");
    home.start(|_| ());
    assert!(is_muted(&home));
    let told = home.wait("the notice", || notices(&home).filter(|told| !told.is_empty()));
    assert!(told[0].contains("Home is muted: the disk does not say"), "{told:?}");
    say(&home, "mute --off");
    home.wait("nothing to tell", || notices(&home).filter(Vec::is_empty));
    home.kill();
    home.start(|_| ());
    assert!(!is_muted(&home));
}

#[test]
fn a_full_disk_keeps_a_mute_and_one_that_is_read_only_says_that_it_does_not() {
    let mut home = Home::new("");
    for folder in ["run", "state"] {
        fs::create_dir(home.at(folder)).expect("a folder");
    }
    let state = home.at("state").display().to_string();
    let full = format!(
        "set -e; mount -t tmpfs -o size=512k,mode=700 disk '{state}'; printf 'open \\n' >'{state}/muted'; \
         cat /dev/zero >'{state}/filler' 2>/dev/null || true; exec \"$0\" \"$@\""
    );
    home.start_by(&["unshare", "-rm", "sh", "-c", &full]);
    assert!(!is_muted(&home));
    assert_eq!(say(&home, "mute").trim(), "home's microphone is muted");
    let inside = format!("/proc/{}/root{state}/muted", home.id());
    assert_eq!(fs::read_to_string(inside).expect("the file"), "muted\n");
    home.kill();

    let read_only = format!(
        "set -e; mount -t tmpfs -o size=512k,mode=700 disk '{state}'; printf 'open \\n' >'{state}/muted'; \
         mount -o remount,ro '{state}'; exec \"$0\" \"$@\""
    );
    home.start_by(&["unshare", "-rm", "sh", "-c", &read_only]);
    assert!(!is_muted(&home));
    let said = say(&home, "mute");
    assert!(said.contains("is muted") && said.contains("the disk does not keep that"), "{said}");
    assert!(is_muted(&home));
    home.wait("the notice", || notices(&home).filter(|told| told.iter().any(|one| one.contains("would be open"))));
}

#[test]
fn whoever_holds_the_keys_lock_delays_neither_mute_nor_revocation() {
    let mut home = Home::new("");
    home.start(|_| ());
    assert!(!is_muted(&home));
    say(&home, "link --name Anna");
    let lock = File::open(home.at("state/keys.lock")).expect("the lock");
    rustix::fs::flock(lock.as_fd(), rustix::fs::FlockOperation::LockExclusive).expect("the lock");
    std::thread::scope(|scope| {
        // It waits for the lock.
        let link = scope.spawn(|| say(&home, "link"));
        let mute = scope.spawn(|| say(&home, "mute"));
        // The lock is held to the end: what waited for it would never come.
        home.wait("muted", || status(&home).filter(|status| status["muted"] == true));
        assert!(mute.join().expect("mute").contains("is muted"));
        let said = say(&home, "link --revoke 1");
        assert!(said.contains("its visits are over") && said.contains("the disk does not take that"), "{said}");
        assert!(link.join().expect("link").contains("until the intercom is restarted"));
    });
    drop(lock);
    home.wait("kept after all", || fs::read_to_string(home.at("state/muted")).ok().filter(|text| text == "muted\n"));
    // So is the revocation, once the lock is free.
    home.wait("the key is gone", || {
        fs::read_to_string(home.at("state/keys.toml")).ok().filter(|text| !text.contains("Anna"))
    });
}
