//! The flashed appliance over the years: a stick with a new version, one with a broken one, a factory reset from the boot
//! menu, and a disk that dies.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::PATIENCE;
use crate::disk::{BOOT, Disk};
use crate::harness::chromium::Chromium;
use crate::harness::page::Page;
use crate::harness::wait;
use crate::looks::{chromium, the_tv_tells_something};
use crate::machine::Machine;

/// A stick brings a version that runs, and another one that cannot.
pub fn updates(guest: &Path) {
    let disk = Disk::flashed(guest);
    let good = disk.update("0.1.1", "good");
    let strange = disk.stick("strange.update", &strangers(&good));
    let good = disk.stick("intercom-0.1.1.update", &good);
    let (mut machine, _chromium, page) = first_visit(&disk);

    // A stranger's stick changes nothing, and is told of.
    machine.plug_in(&strange);
    told(&mut machine, "it is not signed by the maker of this intercom’s image");
    machine.pull_out();
    assert_eq!(kernels(&mut machine), ["intercom_0.1.0.efi", "recovery.efi"]);

    // The builder's is installed beside what runs, and waits for the visit's end.
    machine.plug_in(&good);
    told(&mut machine, "Version 0.1.1 is installed; it starts when nobody is visiting");
    assert_eq!(kernels(&mut machine), ["intercom_0.1.0.efi", "intercom_0.1.1+3.efi", "recovery.efi"]);
    page.wait_state("live", PATIENCE);
    page.open("about:blank");
    let mut machine = machine.starts_again(BOOT);
    assert_eq!(version(&mut machine), "0.1.1");
    told(&mut machine, "Updated from version 0.1.0 to 0.1.1");
    the_tv_tells_something(&mut machine, "appliance-updated");
    assert_eq!(kernels(&mut machine), ["intercom_0.1.0.efi", "intercom_0.1.1.efi", "recovery.efi"]);
    // The data is as it was: the page comes in with the key from before.
    page.open(&format!("https://127.0.0.1:{}/", disk.port));
    page.wait_state("live", BOOT);
    page.open("about:blank");

    let kind = if std::env::var("CUTS").is_ok() { "no-intercom" } else { "no-system" };
    machine.plug_in(&disk.stick("intercom-0.1.2.update", &disk.update("0.1.2", kind)));
    // The restart that the stick asks for, and one for each of the three tries in vain.
    for _ in 0..3 {
        machine.goes_down(BOOT);
        machine = disk.power();
    }
    let mut machine = machine.starts_again(BOOT);
    assert_eq!(version(&mut machine), "0.1.1");
    told(&mut machine, "Version 0.1.2 did not start, so 0.1.1 runs again");
    the_tv_tells_something(&mut machine, "appliance-rolled-back");
    assert!(kernels(&mut machine).contains(&"intercom_0.1.2+0-3.efi".to_owned()));
    page.open(&format!("https://127.0.0.1:{}/", disk.port));
    page.wait_state("live", BOOT);
    page.close();
}

/// A factory reset from the boot menu; then a disk whose both versions are gone, which a stick brings back.
pub fn recovery(guest: &Path) {
    let disk = Disk::flashed(guest);
    let (mut machine, _chromium, page) = first_visit(&disk);
    let keys = machine.run("sha256sum /var/lib/private/intercom/keys*");

    // Somebody with a keyboard restarts the machine and holds a key down; the second entry is the reset.
    drop(machine);
    let mut machine = the_boot_menu_resets(&disk);
    machine.answer_within(BOOT);
    told(&mut machine, "Factory reset: phones that knew this home must scan the code again");
    the_tv_tells_something(&mut machine, "appliance-reset");
    assert_ne!(machine.try_run("sha256sum /var/lib/private/intercom/keys*"), Ok(keys));
    page.wait_state("wrong-link", BOOT);
    page.keep_screenshot("appliance-page-reset");
    page.open(&link(&mut machine));
    page.wait_state("live", BOOT);

    drop(machine);
    disk.break_both_roots();
    // The version takes its own tries away, and restarts the machine.
    disk.power().goes_down(BOOT);
    let mut machine = disk.power();
    wait("the recovery's words", BOOT, || {
        let (width, height, rgb) = machine.screen("appliance-recovery");
        // A yellow headline, which neither the firmware nor a picture of ours has.
        let yellow = rgb[..width * height * 3 / 2].chunks(3).filter(|p| p[0] > 200 && p[1] > 200 && p[2] < 110);
        (yellow.count() > 300).then_some(())
    });
    // It waits, and writes nothing, until a stick comes.
    machine.plug_in(&disk.stick("intercom-0.1.1.update", &disk.update("0.1.1", "good")));
    let mut machine = machine.starts_again(BOOT);
    assert_eq!(version(&mut machine), "0.1.1");
    page.wait_state("live", BOOT);
    page.close();

    // A disk that forgot its data: the home starts again, and says so.
    drop(machine);
    disk.break_data();
    let mut machine = disk.start();
    told(&mut machine, "The data partition was broken and is made again: phones must scan the code again");
    the_tv_tells_something(&mut machine, "appliance-data-again");
}

/// Switches a machine on, and lets a viewer in, who is there.
pub fn first_visit(disk: &Disk) -> (Machine, Chromium, Page) {
    let mut machine = disk.start();
    let chromium = chromium();
    let page = chromium.viewer();
    page.open(&link(&mut machine));
    page.wait_state("live", PATIENCE);
    (machine, chromium, page)
}

/// A link for a viewer, once home can be reached; that a phone reads it off the TV, another test tells.
pub fn link(machine: &mut Machine) -> String {
    let end = Instant::now() + PATIENCE * 2;
    loop {
        let up = machine.try_run("intercom status && ip -4 addr show dev eth0 | grep 'inet '");
        match up.and_then(|_| machine.try_run("intercom link")) {
            Ok(text) => {
                let link =
                    text.lines().find_map(|line| line.strip_prefix("open: ").filter(|link| link.contains("127.0.0.1")));
                return link.unwrap_or_else(|| panic!("{text}")).to_owned();
            }
            Err(error) => assert!(Instant::now() < end, "{error}"),
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// An update whose signature somebody else made, as far as anybody can who has not the key.
fn strangers(update: &Path) -> std::path::PathBuf {
    let mut bytes = fs::read(update).expect("the update");
    let at = bytes.windows(17).position(|w| w == b"version = \"0.1.1\"").expect("the version in the manifest");
    bytes[at + 15] = b'9';
    let file = update.with_extension("strange");
    fs::write(&file, bytes).expect("write it");
    file
}

fn version(machine: &mut Machine) -> String {
    machine.run("sed -n 's/^IMAGE_VERSION=//p' /etc/os-release").trim().to_owned()
}

/// What the boot loader can start; by a mount of its own, which may not be read-only where another one is not.
fn kernels(machine: &mut Machine) -> Vec<String> {
    let names = machine.run("unshare -m sh -c 'mount -t vfat /run/appliance/esp /boot && ls -1 /boot/EFI/Linux'");
    names.lines().map(str::to_owned).collect()
}

/// The notice comes, for the TV as well as for anyone who asks.
pub fn told(machine: &mut Machine, what: &str) {
    let end = Instant::now() + PATIENCE * 3;
    loop {
        let notices = machine.try_run("cat /run/appliance/notices/* && intercom status");
        match notices {
            Ok(text) if text.matches(what).count() == 2 => return,
            other => assert!(Instant::now() < end, "not told: {what}\n{other:?}\n{}", machine.report()),
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// Switches the machine on, presses a key until the menu is there, goes down to the reset, and takes that. The moment for
/// the first key is short: who misses it tries again.
fn the_boot_menu_resets(disk: &Disk) -> Machine {
    for _ in 0..5 {
        let mut machine = disk.power();
        let Some(version) = press_until(&mut machine, "spc", |_| true) else { continue };
        // Behind the version and the recovery, each some twenty pixels high.
        press_until(&mut machine, "down", |row| row > version + 30).expect("a third row");
        machine.press("ret");
        return machine;
    }
    panic!("no boot menu in five starts");
}

/// Presses a key until the row that is highlighted in the menu is the right one; a minute at most.
fn press_until(machine: &mut Machine, key: &str, is_right: impl Fn(usize) -> bool) -> Option<usize> {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        machine.press(key);
        if let Some(row) = highlighted(machine).filter(|row| is_right(*row)) {
            return Some(row);
        }
    }
    None
}

/// Where on the screen a row of the boot loader's menu is highlighted: a grey bar as high as a row, and no other.
fn highlighted(machine: &mut Machine) -> Option<usize> {
    let (width, _, rgb) = machine.screen("appliance-menu");
    let grey = |pixel: &&[u8]| (140..200).contains(&pixel[0]) && pixel[0] == pixel[1] && pixel[1] == pixel[2];
    let bar = |(_, line): &(usize, &[u8])| line.chunks(3).filter(grey).count() > width / 5;
    let bar: Vec<usize> = rgb.chunks(width * 3).enumerate().filter(bar).map(|(y, _)| y).collect();
    (14..=26).contains(&bar.len()).then(|| bar[0])
}
