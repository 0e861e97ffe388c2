//! The very file that is flashed, started by a UEFI firmware: somebody plugs it in, scans the code on the TV and is at
//! home; a mistake in the settings is told; and pulling the plug loses nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::disk::{BOOT, Disk, SMALL};
use crate::harness::chromium::Chromium;
use crate::harness::owner::invite;
use crate::harness::page::Page;
use crate::harness::picture::Picture;
use crate::harness::wait;
use crate::looks::the_tv_tells_something;
use crate::machine::Machine;
use crate::updates::{link, told};
use crate::{PATIENCE, chromium, the_tv_shows_the_idle_card};

/// Flash, plug, scan: Chromium outside sees home and is heard there. Then a power cut and a mistake in the settings.
pub fn appliance(guest: &Path) {
    let disk = Disk::flashed(guest);
    the_plug_is_pulled_at_any_moment(&disk);
    let mut machine = disk.start();
    let link = code_on_the_tv(&mut machine);
    assert!(link.starts_with(&format!("https://127.0.0.1:{}/#", disk.port)), "{link}");

    let chromium = chromium();
    let page = chromium.viewer();
    let visited = catch_unwind(AssertUnwindSafe(|| visit(&mut machine, &page, &link)));
    if visited.is_err() {
        panic!("{}\n{}", page.report(), machine.report());
    }
    // A version that is kept has any number of starts.
    the_version_is_kept_and_the_data_has_the_disk(&mut machine);
    let mut machine = pulled(machine, &disk, &page, &["owner"]);
    a_key_lets_a_second_phone_in(&mut machine, &chromium, &link);
    let mut machine = pulled(machine, &disk, &page, &["owner", "family"]);
    let guest = an_owner_invites_a_guest(&mut machine, &chromium, &page);
    a_held_key_makes_an_owner(&mut machine, &chromium);
    nothing_else_listens(&mut machine);
    // They may hold the password of a camera.
    assert_eq!(machine.run("stat -c '%a %U %G' /settings/intercom.toml").trim(), "750 root intercom-config");
    strangers_pictures_are_decoded_in_the_jail(&mut machine);
    crate::notices::licences_and_sources_are_told(&mut machine, &disk);
    machine.run("test -s /var/lib/private/intercom/last-good.toml");

    // The plug is pulled in the middle of the visit, and the settings are edited on another computer, badly.
    drop(machine);
    let line = SMALL.lines().count() + 1;
    disk.settings(&format!("{SMALL}[hoem]\n{}", disk.public_address()));
    let mut machine = disk.start();
    // The settings that ran before are in force: the page comes back by itself, with the key from before.
    page.wait_state("live", BOOT);
    page.close();
    knows(&mut machine, &["owner", "family", "guest", "owner"]);
    // A guest who was let in before knocks again.
    let again = chromium.viewer();
    again.open(&guest);
    again.wait_state("knock", PATIENCE);
    machine.press("kp_subtract");
    again.wait_state("declined", PATIENCE);
    again.close();
    machine.run(&format!("journalctl -o cat -u intercom | grep -F 'intercom.toml, line {line}: hoem'"));
    the_tv_tells_something(&mut machine, "appliance-mistake");
    // What fsck had to do was no more than to play the journal back.
    let fsck = machine.run("cat /run/appliance/fsck");
    assert!(!fsck.contains("UNEXPECTED"), "{fsck}");
    people_go_by_a_stick(&mut machine, &disk, &chromium);
}

/// Somebody plugs in a stick that is named PEOPLE: everybody is saved on it. The home is reset, and they are back by the same stick.
fn people_go_by_a_stick(machine: &mut Machine, disk: &Disk, chromium: &Chromium) {
    let phone = chromium.viewer();
    phone.open(&link(machine));
    phone.wait_state("live", PATIENCE);
    phone.open("about:blank");
    let before = people(machine);
    assert!(before.len() > 4, "{before:?}");

    let stick = disk.labelled_stick("PEOPLE");
    machine.plug_in_to_write(&stick);
    told(machine, "People are saved on the stick; you may pull it out");
    the_tv_tells_something(machine, "appliance-people-saved");
    machine.pull_out();
    told_no_more(machine);
    let files = disk.files_of(&stick);
    assert!(files.iter().any(|file| file.starts_with("intercom-2") && file.ends_with("/keys.toml")), "{files:?}");

    machine.run("intercom reset --config /settings/intercom.toml");
    machine.plug_in(&stick);
    told(machine, "People are restored from the stick, and their phones come in again; you may pull it out");
    wait("everybody from before", PATIENCE * 3, || (people(machine) == before).then_some(()));
    phone.open(&format!("https://127.0.0.1:{}/", disk.port));
    phone.wait_state("live", BOOT);
    phone.close();
    machine.pull_out();
    told_no_more(machine);
    // Somebody is new, and a switch on the stick keeps it from being written.
    link(machine);
    machine.plug_in(&stick);
    told(machine, "People are not saved: the stick is write-protected. Unlock it, or take another one");
}

/// Numbers and roles of everybody whom a running home knows; nobody while it does not answer.
fn people(machine: &mut Machine) -> Vec<(Option<u64>, String)> {
    let listed =
        machine.try_run("intercom status >/dev/null && intercom people --json --config /settings/intercom.toml");
    let list: serde_json::Value = listed.ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let people = list["people"].as_array().into_iter().flatten();
    people.map(|person| (person["number"].as_u64(), person["role"].to_string())).collect()
}

/// The words about the stick are gone with it.
fn told_no_more(machine: &mut Machine) {
    wait("no word of the stick", PATIENCE, || machine.try_run("! ls /run/appliance/notices | grep people").ok());
}

/// The plug is pulled in the middle of a visit, and put in again: the page comes back by itself, and home knows the same people.
fn pulled(machine: Machine, disk: &Disk, page: &Page, roles: &[&str]) -> Machine {
    drop(machine);
    let mut machine = disk.start();
    page.wait_state("live", BOOT);
    knows(&mut machine, roles);
    machine
}

/// Home knows people of these roles, in the order of their coming.
fn knows(machine: &mut Machine, roles: &[&str]) {
    let people = machine.run("intercom people --config /settings/intercom.toml");
    let known: Vec<&str> = people.lines().skip(1).filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(known.get(..roles.len()), Some(roles), "{people}");
}

/// Home is seen on the page, and the viewer is seen and heard at home.
fn visit(machine: &mut Machine, page: &Page, link: &str) {
    page.open(link);
    page.wait_state("live", PATIENCE);
    crate::the_page_shows_colour_bars(page);
    page.keep_screenshot("appliance-page");
    is_let_in(machine, page);
}

/// Somebody at home presses Enter in the middle of the visit; a second phone scans what the TV shows beside the first viewer.
fn a_key_lets_a_second_phone_in(machine: &mut Machine, chromium: &Chromium, first: &str) {
    machine.press("ret");
    let link = wait("a code beside the viewer", PATIENCE, || {
        let (width, height, rgb) = machine.screen("appliance-invite");
        Picture::of(width, height, rgb).code()
    });
    assert_ne!(link, first);
    let second = chromium.viewer();
    second.open(&link);
    second.wait_state("live", PATIENCE);
    second.close();
    crate::the_tv_shows_the_viewer(machine, "appliance-invited");
}

/// The first phone is an owner's, and invites a guest: the guest knocks, and is let in by Enter. The guest's link.
fn an_owner_invites_a_guest(machine: &mut Machine, chromium: &Chromium, owner: &Page) -> String {
    let link = invite(owner, "Gregor", "guest");
    let guest = chromium.viewer();
    guest.open(&link);
    guest.wait_state("knock", PATIENCE);
    std::thread::sleep(Duration::from_secs(2));
    machine.screen("appliance-knock");
    assert_eq!(guest.eval("document.querySelector('#home').videoWidth"), 0, "nothing of home is seen");
    machine.press("ret");
    guest.wait_state("live", PATIENCE);
    guest.close();
    link
}

/// Whoever lost the only owner's phone holds Enter for five seconds: the code on the TV makes an owner.
fn a_held_key_makes_an_owner(machine: &mut Machine, chromium: &Chromium) {
    // For a moment after a knock the key still means the one who knocked.
    std::thread::sleep(Duration::from_secs(3));
    machine.hold("ret", Duration::from_secs(6));
    wait("the word of an owner's code", PATIENCE, || {
        machine.try_run("journalctl -o cat -u intercom | grep -F 'a code for an owner is on the TV'").ok()
    });
    // The press showed another code first, and this machine draws slowly.
    let mut before = None;
    let link = wait("a code beside the viewer", PATIENCE, || {
        std::thread::sleep(Duration::from_secs(4));
        let (width, height, rgb) = machine.screen("appliance-owner");
        let code = Picture::of(width, height, rgb).code();
        let same = code.is_some() && code == before;
        before = code;
        before.clone().filter(|_| same)
    });
    let phone = chromium.viewer();
    phone.open(&link);
    phone.wait_state("live", PATIENCE);
    phone.wait_for("the button of an owner", PATIENCE, "!document.querySelector('#people-open').hidden");
    phone.close();
}

/// The viewer gives their camera and microphone, and is seen and heard at home.
pub fn is_let_in(machine: &mut Machine, page: &Page) {
    let before = machine.played().len();
    page.wait_for("the question", PATIENCE, "document.querySelector('#join').checkVisibility()");
    page.click("#join");
    page.wait_for("the self-view", PATIENCE, "document.querySelector('#self').videoWidth > 0");
    crate::the_tv_shows_the_viewer(machine, "appliance-visit");
    crate::home_hears_the_viewer(machine, before);
}

/// Seeded moments of the first starts: while the firmware or the kernel works, the data grows, keys and certificates are written.
/// The last cut comes later, in the middle of a visit. `CUTS` in the environment is how many there are; 2 without it. More than
/// that a version survives only once it is kept.
fn the_plug_is_pulled_at_any_moment(disk: &Disk) {
    let cuts = std::env::var("CUTS").ok().and_then(|cuts| cuts.parse().ok()).unwrap_or(2_u64);
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1_u64);
    println!("{cuts} power cuts, SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for cut in 1..cuts {
        if cut == 3 {
            tries_that_were_used_up_are_given_back(disk);
        }
        let machine = disk.power();
        let moment = Duration::from_millis(random.u64(5_000..80_000));
        std::thread::sleep(moment);
        println!("a cut after {moment:?}");
        drop(machine);
    }
}

/// The link that a phone reads off the TV.
fn code_on_the_tv(machine: &mut Machine) -> String {
    let code = wait("a code on the TV", BOOT, || {
        let (width, height, rgb) = machine.screen("appliance-code");
        Picture::of(width, height, rgb).code()
    });
    the_tv_shows_the_idle_card(machine, "appliance-idle");
    code
}

/// A version that never ran for long enough, because the power went at each of its starts, is no broken one.
fn tries_that_were_used_up_are_given_back(disk: &Disk) {
    let mut machine = disk.start();
    machine.run(&format!(
        "unshare -m sh -c 'mount -t vfat /run/appliance/esp /boot && cd /boot/EFI/Linux && mv intercom_* intercom_{}+0-3.efi'; sync",
        env!("CARGO_PKG_VERSION")
    ));
    drop(machine);
    // The recovery restarts the machine after a minute.
    disk.power().goes_down(BOOT);
    the_version_is_kept_and_the_data_has_the_disk(&mut disk.start());
}

/// Under the unit that is shipped both walls stand, and the process behind them has nothing but its three descriptors. It dies in the
/// middle of a visit, and the viewer is on the TV again.
fn strangers_pictures_are_decoded_in_the_jail(machine: &mut Machine) {
    let pid = wait("a process in the jail", PATIENCE, || {
        let status = machine.run("intercom status --config /settings/intercom.toml");
        let status: serde_json::Value = serde_json::from_str(&status).expect("a status is JSON");
        let jail = &status["jail"]["h264"];
        assert!(jail["landlock"] == true && jail["seccomp"] == true, "{status}");
        jail["pid"].as_u64()
    });
    let about = machine
        .run(&format!("grep -E '^(NoNewPrivs|Seccomp|CapEff|Threads):' /proc/{pid}/status; ls /proc/{pid}/fd | wc -l"));
    let about: Vec<&str> = about.split_whitespace().collect();
    let has = |pair: [&str; 2]| about.windows(2).any(|two| two == pair);
    assert!(has(["CapEff:", "0000000000000000"]) && has(["NoNewPrivs:", "1"]), "{about:?}");
    assert!(has(["Seccomp:", "2"]) && has(["Threads:", "1"]) && about.last() == Some(&"3"), "{about:?}");
    machine.run(&format!("kill -9 {pid}"));
    crate::the_tv_shows_the_viewer(machine, "appliance-jail");
}

/// Our port and the one of the mDNS name, on every address; whatever the network service needs for its addresses is UDP.
fn nothing_else_listens(machine: &mut Machine) {
    let listening = machine.run("netstat -ltn | sed -n 's/.*:\\([0-9]*\\) .*LISTEN.*/\\1/p' | sort -un");
    assert_eq!(listening.trim(), "8443");
    let heard = machine.run("netstat -lun | sed -n 's/^udp *[0-9]* *[0-9]* *[^ ]*:\\([0-9]*\\) .*/\\1/p' | sort -un");
    assert!(heard.split_whitespace().all(|port| ["68", "546", "5353", "8443"].contains(&port)), "{heard}");
}

fn the_version_is_kept_and_the_data_has_the_disk(machine: &mut Machine) {
    let end = Instant::now() + PATIENCE;
    let mut done = || {
        machine.try_run("test $(df -k /var | awk 'END { print $2 }') -gt 1000000 && mount -t vfat /run/appliance/esp /boot && ls -1 /boot/EFI/Linux; s=$?; umount /boot; exit $s")
    };
    loop {
        match done() {
            Ok(names) if names == format!("intercom_{}.efi\nrecovery.efi\n", env!("CARGO_PKG_VERSION")) => return,
            other => assert!(Instant::now() < end, "{other:?}"),
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}
