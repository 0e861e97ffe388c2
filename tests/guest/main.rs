//! The drivers on a real kernel: Debian's stock one in a machine of QEMU's, with its virtual camera, sound card and
//! screen. Everything is looked at from outside: by a Chromium, on the screen, and in what the sound card played.
#![allow(clippy::disallowed_methods, reason = "tests look at real programs in real time")]

mod appliance;
mod coded;
#[path = "../browser/harness/mod.rs"]
mod harness;
mod machine;
mod sound;
mod usbip;
mod webcam;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use harness::artefacts;
use harness::chromium::{Chromium, Options, Permission};
use harness::page::Page;
use machine::Machine;
use webcam::{Mood, Webcam};

/// The longest that anything in a guest may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "--list") {
        println!(
            "bochs: test\nvirtio: test\nconsole: test\nsound: test\nwebcam: test\ncoded: test\nsignal: test\nappliance: test"
        );
        return ExitCode::SUCCESS;
    }
    let words: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    // The guest runs the very program that is built here, on Debian's kernel for this one architecture.
    if std::env::consts::ARCH != "x86_64" {
        println!(
            "guests NOT RUN on {}: no driver was tried on a real kernel; they need x86_64",
            std::env::consts::ARCH
        );
        return ExitCode::SUCCESS;
    }
    let image = machine::build();
    let (mut passed, mut failed) = (0, 0);
    for (name, test) in [
        ("bochs", bochs as fn(&std::path::Path)),
        ("virtio", virtio),
        ("console", console),
        ("sound", sound::sound),
        ("webcam", webcam),
        ("coded", coded::coded),
        ("signal", signal),
        ("appliance", appliance::appliance),
    ] {
        // An image, two whole starts of a machine and power cuts take longer than all other guests.
        if words.is_empty() && name == "appliance" {
            println!("test guest_appliance ... NOT RUN: `make test-image` does");
            continue;
        }
        if !words.is_empty() && !words.iter().any(|word| name.contains(word.as_str())) {
            continue;
        }
        let began = Instant::now();
        let result = std::panic::catch_unwind(|| test(&image));
        let seconds = began.elapsed().as_secs();
        match &result {
            Ok(()) => passed += 1,
            Err(why) => {
                failed += 1;
                harness::failed(&format!("guest_{name}"), &**why);
            }
        }
        println!("test guest_{name} ... {} ({seconds} s)", if result.is_ok() { "ok" } else { "FAILED" });
    }
    println!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A camera that comes and goes, a sound card, and a screen on bochs-drm with atomic requests.
fn bochs(image: &std::path::Path) {
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

/// Something that is no silence comes out of the sound card, after so many samples.
fn home_hears_the_viewer(guest: &mut Machine, before: usize) {
    let end = Instant::now() + PATIENCE;
    while !guest.played()[before..].iter().any(|sample| sample.unsigned_abs() > 1000) {
        assert!(Instant::now() < end, "{} samples and no beep\n{}", guest.played().len(), guest.report());
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// A keyboard at home, a login on the first console, and an intercom on one of its own.
fn console(image: &std::path::Path) {
    let mut guest = Machine::start(image, "VGA");
    guest.run("printf 'guest login: ' >/dev/tty1; cat </dev/tty1 >/run/typed & true");
    put_config(&mut guest, "[camera]\ndriver = \"test-card\"\n");
    start_on_a_console_of_its_own(&mut guest);
    the_tv_shows_the_idle_card(&mut guest, "guest-console-idle");
    keys_reach_a_login_only_when_it_is_seen(&mut guest);
    ends_cleanly(&mut guest);
    the_login_is_seen(&mut guest, "guest-console-end");
    in_front(&mut guest, "tty1");
    nobody_is_locked_out_by_a_crash(&mut guest);
}

/// What is typed at home while the picture is there reaches no login behind it, and ends nothing; a login that is called
/// to the front is seen, and takes what is typed, until the picture is called.
fn keys_reach_a_login_only_when_it_is_seen(guest: &mut Machine) {
    in_front(guest, OWN_CONSOLE);
    ["s", "e", "c", "r", "e", "t", "ret", "ctrl-c"].into_iter().for_each(|keys| guest.press(keys));
    guest.press("ctrl-alt-f1");
    said(guest, "somebody called console 1 to the front, and Alt+F8 brings the picture back");
    the_login_is_seen(guest, "guest-console-login");
    ["i", "ret"].into_iter().for_each(|keys| guest.press(keys));
    typed(guest, "i");
    guest.press("alt-f8");
    the_tv_shows_the_idle_card(guest, "guest-console-called");
}

/// A crash leaves our console in front, an empty one; every key works, and the next start and end put all to rights.
fn nobody_is_locked_out_by_a_crash(guest: &mut Machine) {
    start_on_a_console_of_its_own(guest);
    the_tv_shows_the_idle_card(guest, "guest-console-second");
    guest.run("kill -KILL $(pidof intercom)");
    the_console_is_back(guest, "guest-console-crash");
    in_front(guest, OWN_CONSOLE);
    guest.press("ctrl-alt-f1");
    the_login_is_seen(guest, "guest-console-after-crash");
    ["o", "ret"].into_iter().for_each(|keys| guest.press(keys));
    typed(guest, "i o");
    guest.press("alt-f8");
    in_front(guest, OWN_CONSOLE);
    start_on_a_console_of_its_own(guest);
    the_tv_shows_the_idle_card(guest, "guest-console-third");
    ends_cleanly(guest);
    in_front(guest, "tty1");
}

/// The older calls, on virtio's card, and a TV whose cable is pulled, put into the second socket, and put back.
fn virtio(image: &std::path::Path) {
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

/// A webcam of USB's among other cameras, which comes late, is set as the config says, and goes wrong in every way.
fn webcam(image: &std::path::Path) {
    let camera = Webcam::new();
    let mut guest = Machine::start(image, "VGA");
    let config = "[display]\ndriver = \"none\"\n[camera]\ndriver = \"v4l2\"\n[camera.v4l2]\n\
                  device = \"borrowed web\"\nformat = \"mjpeg\"\nexposure = 9000\nfocus = 12\npower_line = 50\n\
                  flip = \"horizontal\"\n";
    start_intercom(&mut guest, config);
    said(&mut guest, "no camera fits \"borrowed web\"; there is /dev/video0 (vivid, \"platform:vivid-000\")");

    plug_in(&mut guest, &camera);
    said(&mut guest, "exposure: 9000 becomes 2047; the camera takes 3 to 2047");
    said(&mut guest, &format!("camera: /dev/video1 ({}) works, 320x180 at 5 fps", webcam::NAME));
    let [mode, exposure, focus_auto, focus, power_line] =
        [(1, 2), (1, 4), (1, 8), (1, 6), (2, 5)].map(|(unit, selector)| camera.control(unit, selector));
    assert_eq!((mode, exposure, focus_auto, focus, power_line), (1, 2047, 0, 10, 1));

    // Frames with tables of their own, without any and damaged ones: the picture stays, and is turned over.
    let chromium = chromium();
    let page = visit(&mut guest, &chromium);
    let at_first = connections(&page);
    the_page_shows_blue_and_red(&page);
    page.keep_screenshot("guest-webcam");
    said(&mut guest, "bad frames: 1, the last: JPEG");

    for (mood, why) in
        [(Mood::Cut, "only bad frames"), (Mood::OtherSize, "only bad frames"), (Mood::Silent, "no frame in")]
    {
        guest.run(": >/run/log");
        let starts = camera.starts();
        camera.set(mood);
        // The card that stands in for the camera is dark all over.
        page.wait_for("a card instead of the picture", PATIENCE, &format!("{HALVES} === '000 000 000 000'"));
        the_page_says_that_the_camera_is_gone(&page);
        page.keep_screenshot(&format!("guest-webcam-{mood:?}").to_lowercase());
        said(&mut guest, why);
        // How long it stays wrong is the test's to say: a busy machine may not see what passes.
        camera.set(Mood::Good);
        page.wait_for("the page is content again", PATIENCE, "document.querySelector('#note').hidden");
        the_page_shows_blue_and_red(&page);
        assert!(camera.starts() > starts, "{mood:?} was mended without opening it anew");
    }

    camera.unplug();
    the_page_says_that_the_camera_is_gone(&page);
    plug_in(&mut guest, &camera);
    page.wait_for("the page is content again", PATIENCE, "document.querySelector('#note').hidden");
    the_page_shows_blue_and_red(&page);
    assert_eq!(connections(&page), at_first, "without a new connection");
    page.close();
    ends_cleanly(&mut guest);
}

/// A camera behind an HDMI input, whose cable is pulled and put into something else. vivid goes on with noise meanwhile.
fn signal(image: &std::path::Path) {
    let mut guest = Machine::start(image, "VGA");
    guest.run("rmmod vivid && insmod /lib/modules/vivid.ko n_devs=1 node_types=0x1 num_inputs=1 input_types=0x3");
    let config = "[display]\ndriver = \"none\"\n[camera.v4l2]\ndevice = \"vivid\"\nflip = \"horizontal\"\n";
    start_intercom(&mut guest, config);
    let chromium = chromium();
    let page = visit(&mut guest, &chromium);
    let at_first = connections(&page);
    the_page_shows_mirrored_colour_bars(&page);

    guest.run("v4l2-ctl -d /dev/video0 --set-ctrl=dv_timings_signal_mode=1");
    said(&mut guest, "another signal comes in");
    said(&mut guest, "no signal comes in");
    the_page_says_that_the_camera_is_gone(&page);
    page.keep_screenshot("guest-no-signal");

    guest.run("v4l2-ctl -d /dev/video0 --set-ctrl=dv_timings_signal_mode=4");
    page.wait_for("the page is content again", PATIENCE, "document.querySelector('#note').hidden");
    the_page_shows_mirrored_colour_bars(&page);

    guest.run(": >/run/log; v4l2-ctl -d /dev/video0 --set-ctrl=dv_timings=4");
    said(&mut guest, "another signal comes in");
    said(&mut guest, " works, ");
    the_page_shows_mirrored_colour_bars(&page);
    assert_eq!(connections(&page), at_first, "without a new connection");
    page.close();
    ends_cleanly(&mut guest);
}

/// Hands a connection to the test's webcam over to the guest's USB, as `usbip attach` does: port 0, bus 1, device 2, fast.
fn plug_in(guest: &mut Machine, camera: &Webcam) {
    const PORT: &str = "/sys/devices/platform/vhci_hcd.0";
    guest.put("/root/plug", &format!("#!/bin/sh\necho 0 0 65538 3 >{PORT}/attach\n"));
    let end = Instant::now() + PATIENCE;
    // A port takes a while to notice that its device is gone.
    while let Err(error) = guest.try_run(&format!("grep -q 'hs *0000 *004' {PORT}/status")) {
        assert!(Instant::now() < end, "{error}\n{}", guest.report());
        std::thread::sleep(Duration::from_millis(500));
    }
    guest.run(&format!("chmod 755 /root/plug; nc 10.0.2.2 {} -e /root/plug", camera.port));
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
    said(guest, "KEY_F9 of AT Translated Set 2 keyboard mutes the microphone");
    guest.press("f8");
    guest.press("f9");
    page.wait_for(
        "the page says it",
        PATIENCE,
        "/muted/.test(document.querySelector('#note:not([hidden])')?.innerText)",
    );
    // The sign is longer then, and dark where the visitor's green was.
    let end = Instant::now() + PATIENCE;
    loop {
        let (width, _, rgb) = guest.screen("guest-bochs-muted");
        let dark = (640..700).filter(|x| rgb[(50 * width + x) * 3 + 1] < 100).count();
        if dark > 20 {
            break;
        }
        assert!(Instant::now() < end, "the TV does not say it\n{}", guest.report());
    }
    guest.press("f9");
    page.wait_for("the note is gone", PATIENCE, "document.querySelector('#note').hidden");
    let count = guest.run("grep -cE 'microphone is (muted|open again)' /run/log");
    assert_eq!(count.trim(), "2", "{}", guest.report());
}

fn start_intercom(guest: &mut Machine, more: &str) {
    put_config(guest, more);
    guest.run("intercom run --config /root/intercom.toml >>/run/log 2>&1 </dev/null & true");
    said(guest, "open: https://");
}

/// As a service with `StandardInput=tty` and `TTYPath=` is started.
fn start_on_a_console_of_its_own(guest: &mut Machine) {
    let intercom = "intercom run --config /root/intercom.toml >>/run/log 2>&1";
    guest.run(&format!(": >/run/log; setsid -c {intercom} </dev/{OWN_CONSOLE} & true"));
    said(guest, "open: https://");
}

const OWN_CONSOLE: &str = "tty8";

/// Waits until this console is in front.
fn in_front(guest: &mut Machine, console: &str) {
    let end = Instant::now() + PATIENCE;
    while guest.run("cat /sys/class/tty/tty0/active").trim() != console {
        assert!(Instant::now() < end, "{console} never came to the front\n{}", guest.report());
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Waits until the login has been told something, which must be just this.
fn typed(guest: &mut Machine, lines: &str) {
    let end = Instant::now() + PATIENCE;
    let last = lines.rsplit(' ').next().unwrap_or(lines);
    while guest.try_run(&format!("tail -n 1 /run/typed | grep -qx '{last}'")).is_err() {
        assert!(Instant::now() < end, "never arrived: {last}\n{}", guest.report());
        std::thread::sleep(Duration::from_millis(500));
    }
    assert_eq!(guest.run("echo $(cat /run/typed)").trim(), lines);
}

fn put_config(guest: &mut Machine, more: &str) {
    let port = guest.port;
    guest.put(
        "/root/intercom.toml",
        &format!(
            "[home]\nname = \"Guest\"\nstate_dir = \"/root/state\"\n\
             [network]\npublic_address = \"127.0.0.1:{port}\"\n\
             [video]\nwidth = 320\nheight = 180\nfps = 5\nfloor_kbps = 200\nmax_kbps = 400\n\
             [video.reduced]\nwidth = 160\nheight = 90\nfps = 3\nfloor_kbps = 40\nmax_kbps = 100\n\
             [tv]\nfps = 3\n\
             [chime]\narrive = \"\"\nleave = \"\"\n[microphone]\ndriver = \"tone\"\n\
             [speaker]\ndriver = \"alsa\"\n[speaker.alsa]\nbuffer_ms = 200\n{more}"
        ),
    );
}

/// Waits until the intercom's log has this in it.
fn said(guest: &mut Machine, what: &str) {
    let end = Instant::now() + PATIENCE;
    while guest.try_run(&format!("grep -qF '{what}' /run/log")).is_err() {
        assert!(Instant::now() < end, "never said: {what}\n{}", guest.report());
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn chromium() -> Chromium {
    let flags = vec!["--allow-loopback-in-peer-connection".to_owned()];
    Chromium::start(Options { permission: Permission::Granted, flags })
}

/// How many peer connections the page has made so far. On a busy machine the first may take longer than the page waits.
fn connections(page: &Page) -> i64 {
    page.eval("lab.connections.length").as_i64().expect("a number")
}

fn visit(guest: &mut Machine, chromium: &Chromium) -> Page {
    let key = guest.run("sed -n 's/.*#k=//p' /run/log | head -n 1");
    let page = chromium.viewer();
    page.open(&format!("https://127.0.0.1:{}/#k={}", guest.port, key.trim()));
    let live = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        page.wait_state("live", PATIENCE);
        page.wait_for("some frames", PATIENCE, "lab.frames.length > 10");
    }));
    if live.is_err() {
        panic!("{}\n{}", page.report(), guest.report());
    }
    page
}

/// vivid paints eight bars: white, yellow, cyan, green, magenta, red, blue, black. Each must stand where it belongs,
/// from right to left as the config has it; they are free of its text at the bottom.
fn the_page_shows_mirrored_colour_bars(page: &Page) {
    page.wait_for("the colour bars", PATIENCE, &format!("{BARS} === '000 001 100 101 010 011 110 111'"));
}

/// The same from left to right.
fn the_page_shows_colour_bars(page: &Page) {
    page.wait_for("the colour bars", PATIENCE, &format!("{BARS} === '111 110 011 010 101 100 001 000'"));
}

const BARS: &str = "(() => {
        const video = document.querySelector('#home');
        if (!video.videoWidth) return '';
        const canvas = Object.assign(document.createElement('canvas'), { width: 80, height: 45 });
        const paint = canvas.getContext('2d');
        paint.drawImage(video, 0, 0, 80, 45);
        const at = x => [...paint.getImageData(x, 42, 1, 1).data].slice(0, 3).map(v => v > 96 ? 1 : 0).join('');
        return [5, 15, 25, 35, 45, 55, 65, 75].map(at).join(' ');
    })()";

/// The webcam's frames are red on the left and blue on the right, and the config turns them over.
fn the_page_shows_blue_and_red(page: &Page) {
    page.wait_for("blue and red", PATIENCE, &format!("{HALVES} === '001 001 100 100'"));
}

/// What stands at four places across the page's picture.
const HALVES: &str = "(() => {
    const video = document.querySelector('#home');
    if (!video.videoWidth) return '';
    const canvas = Object.assign(document.createElement('canvas'), { width: 80, height: 45 });
    const paint = canvas.getContext('2d');
    paint.drawImage(video, 0, 0, 80, 45);
    const at = x => [...paint.getImageData(x, 22, 1, 1).data].slice(0, 3).map(v => v > 96 ? 1 : 0).join('');
    return [8, 24, 56, 72].map(at).join(' ');
})()";

fn the_page_says_that_the_camera_is_gone(page: &Page) {
    const SAID: &str =
        "!document.querySelector('#note').hidden && /camera/i.test(document.querySelector('#note').textContent)";
    page.wait_for("the page says so", PATIENCE, SAID);
}

fn the_tv_shows_the_idle_card(guest: &mut Machine, name: &str) -> (usize, usize, Vec<u8>) {
    is_idle_card("the TV", || guest.screen(name))
}

fn is_idle_card(on: &str, mut look: impl FnMut() -> (usize, usize, Vec<u8>)) -> (usize, usize, Vec<u8>) {
    harness::wait(&format!("the idle card on {on}"), PATIENCE, || {
        let (width, height, rgb) = look();
        // A large bright clock on a dim ground, which the kernel's console does not have: its black is 0.
        let bright = rgb.chunks(3).filter(|p| p.iter().all(|v| *v > 200)).count();
        let ground = rgb.chunks(3).filter(|p| p.iter().all(|v| (4..72).contains(v))).count();
        (bright > width * height / 100 && ground > width * height * 3 / 4).then_some((width, height, rgb))
    })
}

/// What the intercom took is the kernel's again: its console, whose ground is black.
fn the_console_is_back(guest: &mut Machine, name: &str) {
    harness::wait("the console on the TV", PATIENCE, || {
        let (width, height, rgb) = guest.screen(name);
        let black = rgb.chunks(3).filter(|p| p.iter().all(|v| *v == 0)).count();
        (black > width * height * 3 / 4).then_some(())
    });
}

/// Letters on the console's black ground.
fn the_login_is_seen(guest: &mut Machine, name: &str) {
    harness::wait("the login on the TV", PATIENCE, || {
        let (width, height, rgb) = guest.screen(name);
        let black = rgb.chunks(3).filter(|p| p.iter().all(|v| *v == 0)).count();
        let lit = rgb.chunks(3).filter(|p| p.iter().all(|v| *v > 100)).count();
        (black > width * height * 3 / 4 && lit > 100).then_some(())
    });
}

/// Chromium's stand-in camera is green with a dark disc.
fn the_tv_shows_the_viewer(guest: &mut Machine, name: &str) {
    harness::wait("the viewer on the TV", PATIENCE, || {
        let (width, height, rgb) = guest.screen(name);
        let green = rgb.chunks(3).filter(|p| p[1] > 100 && p[0] < p[1] / 2 && p[2] < p[1] / 2).count();
        (green > width * height / 5).then_some(())
    });
}

fn ends_cleanly(guest: &mut Machine) {
    guest.run("kill -TERM $(pidof intercom)");
    said(guest, "ending: SIGTERM");
    let end = Instant::now() + PATIENCE;
    while guest.try_run("pidof intercom").is_ok() {
        assert!(Instant::now() < end, "it does not end\n{}", guest.report());
        std::thread::sleep(Duration::from_millis(500));
    }
    let log = guest.run("cat /run/log");
    assert!(!log.contains("panicked") && !log.contains("[ERROR]"), "{log}");
    let _ = std::fs::write(artefacts().join("guest.log"), log);
}
