//! The flashed image where something is missing: network, devices, Wi-Fi, room on the disk, the disk's data, and at last a
//! processor that has time for it.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::PATIENCE;
use crate::appliance::is_let_in;
use crate::disk::{BOOT, Disk, SMALL};
use crate::harness::page::Page;
use crate::looks::{chromium, the_page_shows_colour_bars, the_tv_shows_the_idle_card, the_tv_tells_something};
use crate::machine::{Machine, Parts};
use crate::updates::{first_visit, link, told};

/// It starts with nothing but a screen, and each thing works from when it is plugged in.
pub fn bare(guest: &Path) {
    let disk = Disk::flashed(guest);
    let own = SMALL.replace("\"tone\"", "\"alsa\"");
    assert_ne!(own, SMALL, "the microphone is the machine's own");
    disk.settings(&format!("{own}{}", disk.public_address()));
    disk.write("wifi.txt", "network = Home of Anna\r\npassword = \"correct horse\"\r\ncountry = DE\r\n");
    let mut machine = disk.start_bare();
    // No network, no camera, no sound: the TV has its card, and says so.
    the_tv_shows_the_idle_card(&mut machine, "appliance-bare");
    for missing in ["camera: .* not there", "microphone: .* not there", "speaker: .* not there"] {
        says(&mut machine, missing);
    }
    the_tv_shows_the_idle_card(&mut machine, "appliance-bare");

    // A cable: an address of the router's, the name on the home's network, and a visitor.
    machine.cable(true);
    let chromium = chromium();
    let page = chromium.viewer();
    page.open(&link(&mut machine));
    page.wait_state("live", PATIENCE);
    page.keep_screenshot("appliance-page-bare");
    // The rest while somebody is visiting.
    machine.run("plug_camera_in");
    the_page_shows_colour_bars(&page);
    machine.plug_speaker_in();
    is_let_in(&mut machine, &page);
    page.keep_screenshot("appliance-page-plugged");
    page.close();
    the_wire_has_only_what_a_home_needs(&machine);
    the_wifi_of_the_file_is_joined(&mut machine);
    a_machine_that_hangs_starts_again(machine);
}

/// A disk that is full, takes nothing, or has no data any more: home runs on, and says so.
pub fn disks(guest: &Path) {
    let disk = Disk::flashed(guest);
    let (mut machine, _chromium, page) = first_visit(&disk);
    page.open("about:blank");
    machine.run("dd if=/dev/zero of=/var/full bs=1M 2>/dev/null; sync; true");
    drop(machine);

    let covered = "The disk is full or cannot be written: what changes now is forgotten at the next start";
    let mut machine = disk.start();
    told(&mut machine, covered);
    the_tv_tells_something(&mut machine, "appliance-full");
    comes_back(&page, &disk);
    drop(machine);

    // As a stick that has written too much for its life: it can be read for years, and no more.
    let mut machine = Machine::ready(BOOT, || disk.power_with(Parts { read_only: true, ..Parts::default() }));
    told(&mut machine, covered);
    comes_back(&page, &disk);
    drop(machine);

    disk.lose_data();
    let mut machine = disk.start();
    told(&mut machine, "The data partition is gone: phones must scan the code again after each start");
    the_tv_tells_something(&mut machine, "appliance-no-data");
    page.open(&format!("https://127.0.0.1:{}/", disk.port));
    page.wait_state("wrong-link", BOOT);
    page.open(&link(&mut machine));
    page.wait_state("live", PATIENCE);
    page.close();
}

/// Who was there before the power went comes in with the key of then, and sees home.
fn comes_back(page: &Page, disk: &Disk) {
    page.open(&format!("https://127.0.0.1:{}/", disk.port));
    page.wait_state("live", BOOT);
    the_page_shows_colour_bars(page);
    page.open("about:blank");
}

/// The intercom's log has a line with this in it, or gets one.
fn says(machine: &mut Machine, what: &str) {
    let end = Instant::now() + PATIENCE * 2;
    while machine.try_run(&format!("journalctl -b -o cat -u intercom | grep '{what}'")).is_err() {
        assert!(Instant::now() < end, "the intercom does not say: {what}\n{}", machine.report());
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// A name that any computer at home can call, and nothing that asks the internet but for the time.
fn the_wire_has_only_what_a_home_needs(machine: &Machine) {
    let frames = machine.wire();
    let own: Vec<u8> = frames
        .iter()
        .filter(|frame| frame.len() > 14)
        .map(|frame| frame[6..12].to_vec())
        .find(|address| address.starts_with(&[0x52, 0x54, 0]))
        .expect("frames of the machine's");
    let sent: Vec<&Vec<u8>> = frames.iter().filter(|frame| frame.len() > 14 && frame[6..12] == own).collect();
    let named = |frame: &&&Vec<u8>| frame.windows(16).any(|bytes| bytes == b"\x08intercom\x05local\0");
    assert!(sent.iter().any(|frame| named(&frame)), "it does not tell its name, intercom.local");
    let asked: BTreeSet<String> = sent.iter().filter_map(|frame| begun(frame)).collect();
    println!("what the machine sends of its own accord: {asked:?}");
    let needed = ["67/udp", "5353/udp", "547/udp", "53/udp", "123/udp"];
    for what in &asked {
        assert!(needed.contains(&what.as_str()), "it talks to {what}: {asked:?}");
    }
}

/// The port that a frame goes to, if it is no answer of the intercom's own port.
fn begun(frame: &[u8]) -> Option<String> {
    let (protocol, segment) = match frame[12..14] {
        [0x08, 0x00] => (*frame.get(23)?, frame.get(14 + usize::from(frame[14] & 15) * 4..)?),
        [0x86, 0xdd] => (*frame.get(20)?, frame.get(54..)?),
        _ => return None,
    };
    let name = match protocol {
        6 => "tcp",
        17 => "udp",
        // IGMP and ICMP.
        _ => return None,
    };
    let port = |at: usize| Some(u16::from_be_bytes([*segment.get(at)?, *segment.get(at + 1)?]));
    (port(0)? != 8443).then_some(format!("{}/{name}", port(2)?))
}

/// Of two radios that hear each other, one is the network of `wifi.txt` and the other the machine's. As long as it cannot be used, the
/// TV says why.
fn the_wifi_of_the_file_is_joined(machine: &mut Machine) {
    // That one is not the machine's.
    machine.run("systemctl mask --runtime appliance-wifi@wlan1");
    machine.run("modprobe mac80211 && insmod /run/visitor/mac80211_hwsim.ko radios=2");
    told(machine, "No Wi-Fi of wifi.txt is in reach");
    begin_network(machine, "another password");
    told(machine, "The Wi-Fi “Home of Anna” does not take the password");
    the_tv_tells_something(machine, "appliance-wifi");
    machine.run("kill $(cat /run/ap.pid); while test -e /run/ap.pid; do sleep 0.2; done; systemctl restart appliance-wifi@wlan0");
    begin_network(machine, "correct horse");
    is_joined(machine);
    // Nobody there gives addresses.
    told(machine, "The Wi-Fi “Home of Anna” gives home no address");
    machine.run("ip address add 192.0.2.7/24 dev wlan0");
    let end = Instant::now() + PATIENCE;
    while machine.try_run("test ! -e /run/appliance/notices/wifi-wlan0").is_err() {
        assert!(Instant::now() < end, "it is told though there is an address");
        std::thread::sleep(Duration::from_secs(1));
    }
    the_name_is_on_one_network(machine);
}

/// Between two networks there may be a reflector of mDNS, and a name on both would be renamed again and again.
fn the_name_is_on_one_network(machine: &mut Machine) {
    let cable = machine.run("ls /sys/class/net | grep ^e").trim().to_owned();
    machine.run("ip address show dev wlan0 | grep -q 192.0.2.7");
    assert_eq!(published(machine), cable, "both have an address");
    machine.cable(false);
    let own = "test -e /run/systemd/network/05-name-wlan0.network && ip address replace 192.0.2.7/24 dev wlan0";
    let end = Instant::now() + PATIENCE;
    // Settings that are read again take away an address that no settings know.
    while machine.try_run(own).is_err() || published(machine) != "wlan0" {
        assert!(Instant::now() < end, "the name is on {}\n{}", published(machine), about_the_name(machine));
        std::thread::sleep(Duration::from_secs(1));
    }
    machine.cable(true);
    let end = Instant::now() + PATIENCE;
    while machine.try_run(&format!("ip -4 address show dev {cable} | grep -q 10.0.2")).is_err() {
        assert!(Instant::now() < end, "no address by cable");
        std::thread::sleep(Duration::from_secs(1));
    }
    std::thread::sleep(Duration::from_secs(15));
    assert_eq!(published(machine), "wlan0", "the name stays where it is");
    machine.run("ip address del 192.0.2.7/24 dev wlan0");
    published_on(machine, &cable);
}

/// The interfaces on which somebody listens to the group of mDNS.
fn published(machine: &mut Machine) -> String {
    const LISTENING: &str = "awk '$1 ~ /^[0-9]+$/ { on = $2 } $1 == \"FB0000E0\" { print on }' /proc/net/igmp";
    machine.run(LISTENING).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn published_on(machine: &mut Machine, card: &str) {
    let end = Instant::now() + PATIENCE;
    while published(machine) != card {
        assert!(Instant::now() < end, "the name is on {}, not {card}\n{}", published(machine), about_the_name(machine));
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn about_the_name(machine: &mut Machine) -> String {
    const ABOUT: &str = "ip address; ls -l /run/systemd/network; journalctl -b --no-pager -u appliance-name -u systemd-networkd | tail -n 30";
    machine.run(ABOUT)
}

fn begin_network(machine: &mut Machine, password: &str) {
    let network = format!(
        "country=DE\nnetwork={{\nssid=\"Home of Anna\"\nmode=2\nfrequency=2437\nkey_mgmt=WPA-PSK\nproto=RSN\npairwise=CCMP\npsk=\"{password}\"\n}}\n"
    );
    machine.put("/run/ap.conf", &network);
    machine.run("wpa_supplicant -B -P /run/ap.pid -i wlan1 -c /run/ap.conf");
}

fn is_joined(machine: &mut Machine) {
    let end = Instant::now() + PATIENCE * 2;
    loop {
        let state = machine.run("cat /sys/class/net/wlan0/operstate");
        if state.trim() == "up" {
            return;
        }
        assert!(
            Instant::now() < end,
            "wlan0 is {state}\n{}",
            machine.run("journalctl -b --no-pager -u appliance-wifi@wlan0 | tail -n 30")
        );
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// Both processors do nothing any more but one thing that never ends: the mainboard's watchdog resets the machine.
fn a_machine_that_hangs_starts_again(mut machine: Machine) {
    machine.run("echo -1 >/proc/sys/kernel/sched_rt_runtime_us");
    // Else the kernel keeps a twentieth for everybody else.
    machine.run("mount -t debugfs debug /sys/kernel/debug; for share in /sys/kernel/debug/sched/fair_server/*/runtime; do echo 0 >$share; done");
    machine.run("for n in 1 2 3; do setsid chrt -f 99 sh -c 'while :; do :; done' >/dev/null 2>&1 & done; true");
    machine.goes_down(PATIENCE * 4);
}
