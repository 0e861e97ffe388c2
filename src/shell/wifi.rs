//! `intercom wifi`: runs wpa_supplicant, and leaves a notice for the TV while the Wi-Fi is not joined.

use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError, bounded};
use intercom_core::reach::wifi::WifiWatch;
use intercom_core::tv::message::Message;
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Signals;

use crate::shell::{cards, clock, notice_board};

/// Where Debian has it.
pub const SUPPLICANT: &str = "/usr/sbin/wpa_supplicant";

/// Addresses are looked at this often.
const LOOK: Duration = Duration::from_secs(3);
/// One that has ended is started again after this.
const PAUSE: Duration = Duration::from_secs(5);
/// Lines that wait; wpa_supplicant waits for the rest.
const LINES: usize = 64;
/// Bytes of a line.
const LONGEST: u64 = 4096;

/// Joins the networks of `folder/wifi.conf` with `interface`, and passes on what wpa_supplicant prints. As long as there is no network,
/// `folder/notices/wifi-INTERFACE` says why. Goes on until SIGTERM.
///
/// # Errors
/// If wpa_supplicant cannot be started.
pub fn join(supplicant: &Path, interface: &str, folder: &Path) -> io::Result<()> {
    let (end, ends) = bounded(1);
    let mut signals = Signals::new([SIGTERM])?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let _ended = signals.forever().next();
        drop(end);
    })?;
    join_until(&ends, supplicant, interface, folder)
}

/// The same, until the sender of `ends` is gone.
fn join_until(ends: &Receiver<()>, supplicant: &Path, interface: &str, folder: &Path) -> io::Result<()> {
    if interface.contains('/') || interface.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "that is no name of a network interface"));
    }
    let is_over = || ends.try_recv() == Err(TryRecvError::Disconnected);
    let mut told = Notice::new(interface, folder);
    let mut watch = WifiWatch::new(clock::now());
    while !is_over() {
        let mut child = Command::new(supplicant)
            .args(["-i", interface, "-c"])
            .arg(folder.join("wifi.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        // The service manager has told all who were there then; this one may have come just afterwards.
        if is_over() {
            kill_process(Pid::from_child(&child), Signal::TERM)?;
        }
        // To its last line, also of its goodbye: it would end in the middle of it if nobody read.
        if let Some(lines) = child.stdout.take().map(read_lines).transpose()? {
            follow(&lines, interface, &mut watch, &mut told);
        }
        let status = child.wait()?;
        if !is_over() {
            eprintln!("intercom: wpa_supplicant has ended ({status}) and is started again");
            let now = clock::now();
            watch.handle_ended(now);
            told.tell(watch.notice(now));
            let _over = ends.recv_timeout(PAUSE);
        }
    }
    told.tell(None);
    Ok(())
}

fn read_lines(output: ChildStdout) -> io::Result<Receiver<String>> {
    let (to, lines) = bounded(LINES);
    thread::Builder::new().name("wifi-lines".to_owned()).spawn(move || {
        let mut reader = BufReader::new(output);
        let mut line = Vec::new();
        loop {
            line.clear();
            match reader.by_ref().take(LONGEST).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            if to.send(text).is_err() {
                return;
            }
        }
    })?;
    Ok(lines)
}

/// Until there are no more lines.
fn follow(lines: &Receiver<String>, interface: &str, watch: &mut WifiWatch, told: &mut Notice) {
    let mut look = clock::now();
    loop {
        let now = clock::now();
        if now >= look {
            look = now + LOOK;
            let elsewhere = cards::is_reached_by_other_wifi(interface);
            watch.handle_addressed(cards::has_address(interface), elsewhere, now);
        }
        told.tell(watch.notice(now));
        match lines.recv_timeout(LOOK) {
            Ok(line) => {
                println!("{line}");
                watch.handle_line(&line, clock::now());
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// What the TV is told, in a file.
struct Notice<'a> {
    name: String,
    folder: &'a Path,
    /// What was left there last; nothing is known of what was there before.
    told: Option<Option<Message>>,
    /// Why it could not be left.
    failed: Option<String>,
}

impl<'a> Notice<'a> {
    fn new(interface: &str, folder: &'a Path) -> Notice<'a> {
        Notice { name: format!("wifi-{interface}"), folder, told: None, failed: None }
    }

    fn tell(&mut self, notice: Option<Message>) {
        if self.told.as_ref() == Some(&notice) {
            return;
        }
        match notice_board::leave(&self.folder.join("notices"), &self.name, notice.as_ref()) {
            Ok(()) => (self.told, self.failed) = (Some(notice), None),
            Err(error) => {
                let why = error.to_string();
                if self.failed.as_ref() != Some(&why) {
                    eprintln!("intercom: {}: {why}", self.folder.display());
                    self.failed = Some(why);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::PathBuf;

    use super::*;
    use crate::shell::notice_board::tests::told_in_each;
    use crate::shell::state::tests::TestDir;

    fn program(dir: &TestDir, script: &str) -> PathBuf {
        let program = dir.0.join("supplicant");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("a script");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("executable");
        program
    }

    #[test]
    fn it_is_started_again_until_it_is_to_end_and_heard_to_its_last_word() {
        let dir = TestDir::new();
        fs::create_dir_all(dir.0.join("notices")).expect("a folder");
        fs::write(dir.0.join("notices/wifi-wlan9"), "of a program before\n").expect("a notice");
        let program = program(
            &dir,
            "cd \"$(dirname \"$4\")\"; echo \"$*\" >>args; yes x | head -c 100000; echo whole >>args; exit 3",
        );
        let (end, ends) = bounded(1);
        let folder = dir.0.clone();
        let joined = thread::spawn(move || join_until(&ends, &program, "wlan9", &folder));
        let args = || fs::read_to_string(dir.0.join("args")).unwrap_or_default();
        let deadline = clock::now() + Duration::from_secs(30);
        while args().matches("whole").count() < 2 {
            assert!(clock::now() < deadline, "{}", args());
            clock::sleep_until(clock::now() + Duration::from_millis(20));
        }
        drop(end);
        joined.join().expect("no panic").expect("it ends in order");
        let line = format!("-i wlan9 -c {}", dir.0.join("wifi.conf").display());
        assert!(args().starts_with(&format!("{line}\nwhole\n{line}\nwhole\n")), "{}", args());
        assert!(!dir.0.join("notices/wifi-wlan9").exists(), "an old word would mislead");
    }

    #[test]
    fn what_wpa_supplicant_prints_is_told_in_each_language_by_the_networks_name() {
        let dir = TestDir::new();
        let begun = clock::now();
        let later = begun + Duration::from_secs(61);
        let mut notice = Notice::new("wlan9", &dir.0);
        let trying =
            "wlan9: Trying to associate with 02:00:00:00:01:00 (SSID='Bj\\xc3\\xb6rns \\\"A\\\"' freq=2437 MHz)";
        let wrong = "wlan9: WPA: 4-Way Handshake failed - pre-shared key may be incorrect";
        let joined = "wlan9: CTRL-EVENT-CONNECTED - Connection to 02:00:00:00:01:00 completed [id=0 id_str=]";
        let rejected = "wlan9: CTRL-EVENT-ASSOC-REJECT bssid=02:00:00:00:01:00 status_code=17";
        let blocked = "rfkill: WLAN soft blocked";
        for (lines, german) in [
            (&[][..], "Kein WLAN aus wifi.txt ist in Reichweite"),
            (&[trying, wrong], "Das WLAN „\u{2068}Björns \"A\"\u{2069}“ nimmt das Passwort nicht an"),
            (&[trying, rejected], "Das WLAN „\u{2068}Björns \"A\"\u{2069}“ lässt dieses Gerät nicht hinein"),
            (&[trying, joined], "Das WLAN „\u{2068}Björns \"A\"\u{2069}“ vergibt keine Adresse"),
            (&[joined], "Das WLAN vergibt keine Adresse"),
            (&[trying, wrong, blocked], "Das WLAN dieses Geräts ist ausgeschaltet"),
        ] {
            let mut watch = WifiWatch::new(begun);
            lines.iter().for_each(|line| watch.handle_line(line, begun));
            notice.tell(watch.notice(later));
            let said = told_in_each(&dir.0.join("notices"));
            assert!(said[1].1.starts_with(german), "{said:?}");
            assert_eq!(said.iter().all(|(_, words)| words.contains("Björns")), german.contains("Björns"), "{said:?}");
        }
        notice.tell(None);
        assert!(!dir.0.join("notices/wifi-wlan9").exists());
    }

    #[test]
    fn what_cannot_be_started_or_is_no_interface_is_an_error() {
        let (dir, (_end, ends)) = (TestDir::new(), bounded(1));
        assert!(join_until(&ends, &dir.0.join("missing"), "wlan9", &dir.0).is_err());
        let kind =
            |interface| join_until(&ends, Path::new("/bin/true"), interface, &dir.0).map_err(|error| error.kind());
        assert_eq!([kind("../a"), kind("")], [Err(io::ErrorKind::InvalidInput); 2]);
    }
}
