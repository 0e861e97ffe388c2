//! A disk that is full, read-only or not there, at the start and later: the intercom runs on, and says so.
//!
//! The disks are real file systems in a namespace of the intercom's own; its sockets are where a service manager wants them.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use crate::home::Home;
use crate::notices::notices;

const FULL: &str = "The disk is full: new phones are known only until the next start";
const READ_ONLY: &str = "The disk is read-only: nothing new can be kept";
const DAMAGED: &str = "Home’s keys are damaged: until a factory reset, phones must scan the code after each start";
const GONE: &str = "The disk cannot be used: keys and settings last only until the next start";

/// A home whose sockets are not on the disk with its state.
fn home() -> Home {
    let home = Home::new("");
    for folder in ["run", "state"] {
        fs::create_dir(home.at(folder)).expect("a folder");
    }
    home
}

/// Starts it behind these commands, in which `$STATE` is where its state is.
fn start_with(home: &mut Home, commands: &str) {
    let state = home.at("state").display().to_string();
    let script = format!("set -e; STATE='{state}'; {commands}; exec \"$0\" \"$@\"");
    home.start_by(&["unshare", "-rm", "sh", "-c", &script]);
}

/// Mounts the disk of a running home in another way.
fn remount(home: &Home, how: &str) {
    let (id, how) = (home.id().to_string(), format!("remount,{how}"));
    let mut command = Command::new("nsenter");
    command.args(["-t", &id, "-U", "-m", "--preserve-credentials", "mount", "-o", &how]).arg(home.at("state"));
    assert!(command.status().expect("nsenter").success());
}

/// A file of its state, as the running intercom sees it.
fn inside(home: &Home, name: &str) -> PathBuf {
    let state = home.at("state");
    let state = state.strip_prefix("/").expect("an absolute path");
    PathBuf::from(format!("/proc/{}/root", home.id())).join(state).join(name)
}

/// The command's success, and what it says.
fn say(home: &Home, command: &str) -> (bool, String) {
    let output = home.ask(command);
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

fn told(home: &Home, wanted: &[&str]) {
    home.wait(&format!("{wanted:?}"), || notices(home).filter(|told| *told == wanted));
}

fn a_link_for_now(home: &Home, number: u32) {
    let (done, said) = say(home, "link");
    assert!(done && said.starts_with(&format!("person {number}:")), "{said}");
    assert!(said.contains("until the intercom is restarted") && said.contains("#p="), "{said}");
}

#[test]
fn a_disk_that_fills_up_is_told_and_what_came_meanwhile_is_kept_once_there_is_room() {
    let mut home = home();
    start_with(&mut home, "mount -t tmpfs -o size=512k,mode=700 disk \"$STATE\"");
    told(&home, &[]);
    let (done, said) = say(&home, "link --name Anna");
    assert!(done && !said.contains("until"), "{said}");

    let mut filler = fs::File::create(inside(&home, "filler")).expect("the disk");
    while filler.write_all(&[0; 4096]).is_ok() {}
    drop(filler);
    told(&home, &[FULL]);
    a_link_for_now(&home, 2);
    a_link_for_now(&home, 3);
    let (done, said) = say(&home, "link --revoke 2");
    assert!(done && said.contains("the disk does not take that"), "{said}");
    let stored = fs::read_to_string(inside(&home, "keys.toml")).expect("the keys from before");
    assert!(stored.contains("Anna") && !stored.contains("number = 3"), "{stored}");

    fs::remove_file(inside(&home, "filler")).expect("room");
    told(&home, &[]);
    let stored = fs::read_to_string(inside(&home, "keys.toml")).expect("the keys");
    assert!(stored.contains("number = 3") && !stored.contains("number = 2"), "{stored}");

    // After an error of the disk the kernel lets it be read only.
    remount(&home, "ro");
    told(&home, &[READ_ONLY]);
    a_link_for_now(&home, 4);
    remount(&home, "rw");
    told(&home, &[]);
    let stored = fs::read_to_string(inside(&home, "keys.toml")).expect("the keys");
    assert!(stored.contains("number = 4"), "{stored}");
}

#[test]
fn a_disk_that_is_full_from_the_start_keeps_nobody_out() {
    let mut home = home();
    start_with(
        &mut home,
        "mount -t tmpfs -o size=64k,mode=700 disk \"$STATE\"; cat /dev/zero >\"$STATE/filler\" 2>/dev/null || true",
    );
    told(&home, &[FULL]);
    a_link_for_now(&home, 1);
    // The gateway has a certificate all the same.
    std::net::TcpStream::connect(("127.0.0.1", home.port())).expect("the port is open");
    assert!(!inside(&home, "ca.pem").exists());
    // To reset a home, room is made.
    let (done, said) = say(&home, "reset");
    assert!(done, "{said}");
    assert_eq!(home.wait_end(), 0, "{}", home.log());
}

#[test]
fn a_read_only_disk_lets_in_who_is_known_and_for_now_who_is_new() {
    let mut home = home();
    home.start(|_| ());
    told(&home, &[]);
    assert!(say(&home, "link --name Anna").0);
    home.terminate();
    assert_eq!(home.wait_end(), 0, "{}", home.log());
    let authority = fs::read(home.at("state/ca.pem")).expect("a certificate");

    start_with(&mut home, "mount --bind \"$STATE\" \"$STATE\"; mount -o remount,bind,ro \"$STATE\"");
    told(&home, &[READ_ONLY]);
    // The second: the first is known.
    a_link_for_now(&home, 2);
    let (done, said) = say(&home, "reset");
    assert!(!done && said.to_lowercase().contains("read-only"), "{said}");
    told(&home, &[READ_ONLY]);
    home.terminate();
    assert_eq!(home.wait_end(), 0, "{}", home.log());
    assert_eq!(fs::read(home.at("state/ca.pem")).expect("the same"), authority);
}

#[test]
fn a_disk_that_is_not_there_is_replaced_by_memory() {
    let mut home = Home::new("");
    fs::create_dir(home.at("run")).expect("a folder");
    // Where the folder should be, none can be made.
    fs::write(home.at("state"), "").expect("a file");
    home.start(|_| ());
    told(&home, &[GONE]);
    let (done, said) = say(&home, "link");
    assert!(done && said.starts_with("person 1:"), "{said}");
}

#[test]
fn damaged_keys_or_certificates_are_left_alone_and_keep_no_new_phone_out() {
    for (name, broken) in [("keys.toml", "[[key]]\nid = "), ("ca.pem", "no certificate"), ("ca.key", "no key")] {
        let mut home = home();
        home.start(|_| ());
        told(&home, &[]);
        let (done, said) = say(&home, "link");
        assert!(done, "{said}");
        home.terminate();
        assert_eq!(home.wait_end(), 0, "{}", home.log());
        let file = home.at("state").join(name);
        fs::write(&file, broken).expect("break a file");
        home.start(|_| ());
        told(&home, &[DAMAGED]);
        let (done, said) = say(&home, "link");
        assert!(done && said.starts_with("person 1:"), "{name}: {said}");
        // Anyone who knows how to mend it may, and a reset needs no more than what is there.
        assert_eq!(fs::read_to_string(&file).expect("the file"), broken);
        let (done, said) = say(&home, "reset");
        assert!(done, "{name}: {said}");
        assert_eq!(home.wait_end(), 0, "{}", home.log());
        home.start(|_| ());
        told(&home, &["Reset: phones that knew this home must scan the code again"]);
        assert_ne!(fs::read_to_string(&file).unwrap_or_default(), broken);
    }
}
