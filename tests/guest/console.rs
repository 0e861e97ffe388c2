//! A keyboard at home, a login on the first console, and an intercom on one of its own.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::PATIENCE;
use crate::harness::wait;
use crate::home::{ends_cleanly, put_config, said};
use crate::looks::{the_console_is_back, the_tv_shows_the_idle_card};
use crate::machine::Machine;

/// A keyboard at home, a login on the first console, and an intercom on one of its own.
pub fn console(image: &Path) {
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

/// Letters on the console's black ground.
fn the_login_is_seen(guest: &mut Machine, name: &str) {
    wait("the login on the TV", PATIENCE, || {
        let (width, height, rgb) = guest.screen(name);
        let black = rgb.chunks(3).filter(|p| p.iter().all(|v| *v == 0)).count();
        let lit = rgb.chunks(3).filter(|p| p.iter().all(|v| *v > 100)).count();
        (black > width * height * 3 / 4 && lit > 100).then_some(())
    });
}
