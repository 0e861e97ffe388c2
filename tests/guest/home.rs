//! The intercom in a guest: its config, what it says, and its end.

use std::time::{Duration, Instant};

use crate::PATIENCE;
use crate::harness::artefacts;
use crate::machine::Machine;

pub fn start_intercom(guest: &mut Machine, more: &str) {
    put_config(guest, more);
    guest.run("intercom run --config /root/intercom.toml >>/run/log 2>&1 </dev/null & true");
    said(guest, "open: https://");
}

pub fn put_config(guest: &mut Machine, more: &str) {
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
pub fn said(guest: &mut Machine, what: &str) {
    let end = Instant::now() + PATIENCE;
    while guest.try_run(&format!("grep -qF '{what}' /run/log")).is_err() {
        assert!(Instant::now() < end, "never said: {what}\n{}", guest.report());
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Something that is no silence comes out of the sound card, after so many samples.
pub fn home_hears_the_viewer(guest: &mut Machine, before: usize) {
    let end = Instant::now() + PATIENCE;
    while !guest.played()[before..].iter().any(|sample| sample.unsigned_abs() > 1000) {
        assert!(Instant::now() < end, "{} samples and no beep\n{}", guest.played().len(), guest.report());
        std::thread::sleep(Duration::from_millis(500));
    }
}

pub fn ends_cleanly(guest: &mut Machine) {
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
