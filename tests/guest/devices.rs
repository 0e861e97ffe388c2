//! Camera, sound card and screen together: a visit with all of them, and a screen whose cable is pulled.

use std::path::Path;

use crate::PATIENCE;
use crate::harness::page::Page;
use crate::harness::wait;
use crate::home::{ends_cleanly, home_hears_the_viewer, put_config, said, start_intercom};
use crate::looks::{
    chromium, connections, is_idle_card, the_console_is_back, the_page_says_that_the_camera_is_gone,
    the_page_shows_mirrored_colour_bars, the_tv_shows_the_idle_card, the_tv_shows_the_viewer, visit,
};
use crate::machine::Machine;

/// A camera that comes and goes, a sound card, and a screen on bochs-drm with atomic requests.
pub fn bochs(image: &Path) {
    let mut guest = Machine::start(image, "VGA");
    // The camera is named by its bus path, turns its picture over by itself, and has no lens; F9 mutes.
    let camera = "[buttons]\nmute = \"KEY_F9\"\n[camera.v4l2]\ndevice = \"platform:VIVID-000\"\nflip = \"horizontal\"\nfocus = \"auto\"\n";
    start_intercom(&mut guest, camera);
    said(&mut guest, "camera: v4l2, found vivid");
    // The first card is a loopback, which nobody hears.
    said(&mut guest, "sound card 1: Master is at 80 % now");
    said(&mut guest, "display: drm, found /dev/dri/card0 (bochs-drm)");
    said(&mut guest, "atomic works");
    the_doctor_sees_everything(&mut guest, true);
    the_tv_shows_the_idle_card(&mut guest, "guest-bochs-idle");

    let chromium = chromium();
    let page = visit(&mut guest, &chromium);
    let at_first = connections(&page);
    said(&mut guest, "camera: /dev/video0 (vivid) works, 320x180 at 5 fps");
    said(&mut guest, "flip set to 1");
    said(&mut guest, "focus: the camera has no automatic focus to switch on");
    page.keep_screenshot("guest-page");
    the_page_shows_mirrored_colour_bars(&page);

    let before = guest.played().len();
    page.wait_for("the question", PATIENCE, "document.querySelector('#join').checkVisibility()");
    page.click("#join");
    page.wait_for("the self-view", PATIENCE, "document.querySelector('#self').videoWidth > 0");
    the_tv_shows_the_viewer(&mut guest, "guest-bochs-visit");
    home_hears_the_viewer(&mut guest, before);

    // Unplugged in the middle of a visit, and plugged in again.
    guest.run("echo vivid.0 >/sys/bus/platform/drivers/vivid/unbind");
    the_page_says_that_the_camera_is_gone(&page);
    page.keep_screenshot("guest-page-unplugged");
    guest.run("echo vivid.0 >/sys/bus/platform/drivers/vivid/bind");
    page.wait_for("the page is content again", PATIENCE, "document.querySelector('#note').hidden");
    the_page_shows_mirrored_colour_bars(&page);
    assert_eq!(connections(&page), at_first, "without a new connection");
    a_key_mutes_home(&mut guest, &page);
    page.close();

    ends_cleanly(&mut guest);
    the_console_is_back(&mut guest, "guest-bochs-console");
}

/// The older calls, on virtio's card, and a TV whose cable is pulled, put into the second socket, and put back.
pub fn virtio(image: &Path) {
    let mut guest = Machine::start(image, "virtio-vga,id=gpu,max_outputs=2");
    the_doctor_sees_everything(&mut guest, false);
    // At first there is no sound card but a loopback.
    let hda = "/sys/bus/pci/drivers/snd_hda_intel";
    let slot = guest.run(&format!("basename $(ls -d {hda}/0000:*)")).trim().to_owned();
    guest.run(&format!("echo {slot} >{hda}/unbind"));
    start_intercom(&mut guest, "[display.drm]\napi = \"legacy\"\nmode = \"1024x768\"\n");
    said(&mut guest, "display: drm, found /dev/dri/card0 (virtio_gpu)");
    said(&mut guest, "1024x768 at 60 Hz, legacy works");
    let (width, height, _) = the_tv_shows_the_idle_card(&mut guest, "guest-virtio-idle");
    assert_eq!((width, height), (1024, 768));
    // What `auto` likes better is taken when it comes.
    guest.run(&format!("echo {slot} >{hda}/bind"));
    said(&mut guest, "makes way: HDA Intel, Generic Analog is there now");
    said(&mut guest, "Master is at 80 % now");
    guest.run("echo off >/sys/class/drm/card0-Virtual-1/status");
    said(&mut guest, "the screen on Virtual-1 was unplugged");
    guest.run("echo on >/sys/class/drm/card0-Virtual-2/status");
    said(&mut guest, "Virtual-2, 1024x768 at 60 Hz, legacy works");
    is_idle_card("the second socket", || guest.second_screen("guest-virtio-second"));
    guest.run("echo off >/sys/class/drm/card0-Virtual-2/status");
    said(&mut guest, "the screen on Virtual-2 was unplugged");
    guest.run(": >/run/log");
    guest.run("echo detect >/sys/class/drm/card0-Virtual-1/status");
    said(&mut guest, "1024x768 at 60 Hz, legacy works");
    the_tv_shows_the_idle_card(&mut guest, "guest-virtio-again");
    ends_cleanly(&mut guest);
    the_console_is_back(&mut guest, "guest-virtio-console");
}

/// Camera, sound card and screen are listed, and tried; or, while the intercom `runs`, it is asked how they are.
fn the_doctor_sees_everything(guest: &mut Machine, runs: bool) {
    if !runs {
        put_config(guest, "");
    }
    let text = guest.run("intercom doctor --config /root/intercom.toml; true");
    println!("{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let json = guest.run("intercom doctor --json --config /root/intercom.toml; true");
    let found: serde_json::Value = serde_json::from_str(&json).unwrap_or_else(|e| panic!("{e}: {json}"));
    assert_eq!(found["running"], runs, "{json}");
    let camera = &found["cameras"][0];
    assert_eq!((&camera["device"], &camera["name"]), (&"/dev/video0".into(), &"vivid".into()), "{json}");
    let modes = camera["modes"].as_array().expect("modes");
    assert!(modes.iter().any(|mode| mode.as_str().is_some_and(|mode| mode.starts_with("YUYV 320x180 at "))), "{json}");
    let any = |kind: &str, part: &str| {
        found[kind].as_array().is_some_and(|all| all.iter().any(|one| one.to_string().contains(part)))
    };
    assert!(any("speakers", "plughw:CARD=Intel,DEV=0") && any("microphones", "plughw:CARD=Loopback,DEV=0"), "{json}");
    assert!(any("displays", "Virtual-1") && any("displays", "1024x768 at 60 Hz"), "{json}");
    let states: Vec<&str> =
        found["devices"].as_array().expect("devices").iter().filter_map(|device| device["state"].as_str()).collect();
    assert!(states.len() == 4 && states.iter().all(|state| ["works", "opens", "untried"].contains(state)), "{json}");
    assert_eq!(found["well"], true, "{json}");
    if runs {
        assert!(any("displays", "intercom (process "), "who draws on the screen is told: {json}");
    }
}

/// A key of the keyboard at home mutes the microphone, and opens it again.
fn a_key_mutes_home(guest: &mut Machine, page: &Page) {
    said(guest, "buttons: listening to AT Translated Set 2 keyboard for mute (KEY_F9)");
    // The sign's second line is short, or there is none.
    let before = letters_of_the_second_line(guest);
    guest.press("f8");
    guest.press("f9");
    page.wait_for(
        "the page says it",
        PATIENCE,
        "/muted/.test(document.querySelector('#note:not([hidden])')?.innerText)",
    );
    wait("the TV to say it", PATIENCE, || (letters_of_the_second_line(guest) > before + 200).then_some(()));
    guest.press("f9");
    page.wait_for("the note is gone", PATIENCE, "document.querySelector('#note').hidden");
    let count = guest.run("grep -cE 'microphone is (muted|open again)' /run/log");
    assert_eq!(count.trim(), "2", "{}", guest.report());
}

/// White pixels at the right of the second line of the sign that tells who sees home, wherever it stands: it wanders by ten
/// pixels up and down within half an hour, so that nothing burns in.
fn letters_of_the_second_line(guest: &mut Machine) -> usize {
    let (width, _, rgb) = guest.screen("guest-bochs-muted");
    let pixels = (78..118).flat_map(|y| (1015..1180).map(move |x| (y * width + x) * 3));
    pixels.filter(|&at| rgb[at..at + 3].iter().all(|&value| value > 180)).count()
}
