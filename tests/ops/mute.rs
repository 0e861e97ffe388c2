//! Muted stays muted, and drawn the curtain: over a kill, a restart, a full disk, a file that makes no sense; and nothing delays it.

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

/// The mute or the curtain.
struct Switch {
    command: &'static str,
    /// Its word in `intercom status`, which is the name of its file.
    word: &'static str,
    /// What the file says when it is on, and what the command.
    kept: &'static str,
    said: &'static str,
    /// What the TV says where the disk does not know, and where it does not keep it.
    unknown: &'static str,
}

const SWITCHES: [Switch; 2] = [
    Switch {
        command: "mute",
        word: "muted",
        kept: "muted\n",
        said: "home's microphone is muted",
        unknown: "Home is muted: the disk does not say",
    },
    Switch {
        command: "curtain",
        word: "curtain",
        kept: "drawn\n",
        said: "the curtain is drawn: nobody sees or hears home",
        unknown: "The curtain is drawn: the disk does not say",
    },
];

impl Switch {
    /// Whether it is on in a home that has just been started.
    fn is_on(&self, home: &Home) -> bool {
        home.wait("a status", || status(home))[self.word] == true
    }

    fn off(&self, home: &Home) {
        say(home, &format!("{} --off", self.command));
    }
}

#[test]
fn muted_outlives_a_kill_an_orderly_end_and_a_home_that_does_not_run() {
    for switch in SWITCHES {
        let (command, mut home) = (switch.command, Home::new(""));
        home.start(|_| ());
        assert!(!switch.is_on(&home), "a new home is open");
        assert_eq!(say(&home, command).trim(), switch.said);
        let others = SWITCHES.iter().filter(|other| other.word != switch.word);
        assert!(others.into_iter().all(|other| !other.is_on(&home)), "{command} is nothing but itself");
        home.kill();
        home.start(|_| ());
        assert!(switch.is_on(&home), "{command} after a kill");
        home.terminate();
        home.wait_end();
        home.start(|_| ());
        assert!(switch.is_on(&home), "{command} after an orderly end");
        switch.off(&home);
        home.kill();
        home.start(|_| ());
        assert!(!switch.is_on(&home), "{command}: and so does the opposite");
        home.kill();
        assert!(say(&home, command).contains("no intercom runs here now"));
        home.start(|_| ());
        assert!(switch.is_on(&home), "{command} of a home that did not run");
    }
}

#[test]
fn what_cannot_be_read_is_muted_and_told_until_somebody_opens_it() {
    for switch in SWITCHES {
        let mut home = Home::new("");
        home.start(|_| ());
        assert!(!switch.is_on(&home));
        home.kill();
        fs::write(home.at("state").join(switch.word), "ope").expect("the file");
        home.start(|_| ());
        assert!(switch.is_on(&home), "{}", switch.command);
        let told = home.wait("the notice", || notices(&home).filter(|told| !told.is_empty()));
        assert!(told[0].contains(switch.unknown), "{told:?}");
        switch.off(&home);
        home.wait("nothing to tell", || notices(&home).filter(Vec::is_empty));
        home.kill();
        home.start(|_| ());
        assert!(!switch.is_on(&home), "{}", switch.command);
    }
}

#[test]
fn a_full_disk_keeps_a_mute_and_one_that_is_read_only_says_that_it_does_not() {
    for switch in SWITCHES {
        let (command, word, mut home) = (switch.command, switch.word, Home::new(""));
        for folder in ["run", "state"] {
            fs::create_dir(home.at(folder)).expect("a folder");
        }
        let state = home.at("state").display().to_string();
        let full = format!(
            "set -e; mount -t tmpfs -o size=512k,mode=700 disk '{state}'; printf 'open \\n' >'{state}/{word}'; \
             cat /dev/zero >'{state}/filler' 2>/dev/null || true; exec \"$0\" \"$@\""
        );
        home.start_by(&["unshare", "-rm", "sh", "-c", &full]);
        assert!(!switch.is_on(&home));
        assert_eq!(say(&home, command).trim(), switch.said);
        let inside = format!("/proc/{}/root{state}/{word}", home.id());
        assert_eq!(fs::read_to_string(inside).expect("the file"), switch.kept);
        home.kill();

        let read_only = format!(
            "set -e; mount -t tmpfs -o size=512k,mode=700 disk '{state}'; printf 'open \\n' >'{state}/{word}'; \
             mount -o remount,ro '{state}'; exec \"$0\" \"$@\""
        );
        home.start_by(&["unshare", "-rm", "sh", "-c", &read_only]);
        assert!(!switch.is_on(&home));
        let said = say(&home, command);
        assert!(said.contains(switch.said) && said.contains("the disk does not keep that"), "{said}");
        assert!(switch.is_on(&home));
        home.wait("the notice", || notices(&home).filter(|told| told.iter().any(|one| one.contains("would be open"))));
    }
}

#[test]
fn whoever_holds_the_keys_lock_delays_neither_mute_nor_revocation() {
    let mut home = Home::new("");
    home.start(|_| ());
    assert!(SWITCHES.iter().all(|switch| !switch.is_on(&home)));
    say(&home, "link --name Anna");
    let lock = File::open(home.at("state/keys.lock")).expect("the lock");
    rustix::fs::flock(lock.as_fd(), rustix::fs::FlockOperation::LockExclusive).expect("the lock");
    std::thread::scope(|scope| {
        // It waits for the lock.
        let link = scope.spawn(|| say(&home, "link"));
        for Switch { command, word, said, .. } in SWITCHES {
            let set = scope.spawn(|| say(&home, command));
            // The lock is held to the end: what waited for it would never come.
            home.wait(word, || status(&home).filter(|status| status[word] == true));
            assert!(set.join().expect("the command").contains(said));
        }
        let said = say(&home, "link --revoke 1");
        assert!(said.contains("its visits are over") && said.contains("the disk does not take that"), "{said}");
        assert!(link.join().expect("link").contains("until the intercom is restarted"));
    });
    drop(lock);
    for Switch { word, kept, .. } in SWITCHES {
        let file = home.at("state").join(word);
        home.wait("kept after all", || fs::read_to_string(&file).ok().filter(|text| text == kept));
    }
    // So is the revocation, once the lock is free.
    home.wait("the key is gone", || {
        fs::read_to_string(home.at("state/keys.toml")).ok().filter(|text| !text.contains("Anna"))
    });
}
