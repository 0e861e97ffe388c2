//! `intercom wifi`: runs wpa_supplicant, and leaves a notice for the TV while the Wi-Fi is not joined.

use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::IpAddr;
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use intercom_core::reach::wifi::WifiWatch;

use crate::shell::{clock, notice_board};

/// Where Debian has it.
pub const SUPPLICANT: &str = "/usr/sbin/wpa_supplicant";

/// Addresses are looked at this often.
const LOOK: Duration = Duration::from_secs(3);
/// Lines that wait; wpa_supplicant waits for the rest.
const LINES: usize = 64;
/// Bytes of a line.
const LONGEST: u64 = 4096;

/// Joins the networks of `folder/wifi.conf` with `interface`, for as long as `supplicant` runs, and passes on what it prints.
/// `folder/notices/wifi-INTERFACE` says why there is no network, if so.
///
/// # Errors
/// If it cannot be started, or has failed.
pub fn join(supplicant: &Path, interface: &str, folder: &Path) -> io::Result<()> {
    if interface.contains('/') || interface.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "that is no name of a network interface"));
    }
    let mut child = Command::new(supplicant)
        .args(["-i", interface, "-c"])
        .arg(folder.join("wifi.conf"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let lines = child.stdout.take().map(read_lines).transpose()?;
    if let Some(lines) = lines {
        watch(&lines, interface, &folder.join("notices"));
    }
    let status = child.wait()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("wpa_supplicant: {status}"))) }
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
fn watch(lines: &Receiver<String>, interface: &str, notices: &Path) {
    let mut watch = WifiWatch::new(clock::now());
    let name = format!("wifi-{interface}");
    let mut told = Some(String::new());
    loop {
        let heard = lines.recv_timeout(LOOK);
        let now = clock::now();
        match heard {
            Ok(line) => {
                println!("{line}");
                watch.handle_line(&line, now);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        watch.handle_addressed(has_address(interface), now);
        let notice = watch.notice(now);
        if notice != told {
            match notice_board::leave(notices, &name, notice.as_deref()) {
                Ok(()) => told = notice,
                Err(error) => eprintln!("intercom: {}: {error}", notices.display()),
            }
        }
    }
    // What comes after this process begins anew; an old word would mislead.
    let _gone_already = notice_board::leave(notices, &name, None);
}

/// Whether somebody could reach the interface: an address beyond its own link.
fn has_address(interface: &str) -> bool {
    let Ok(all) = if_addrs::get_if_addrs() else { return false };
    all.iter().filter(|one| one.name == interface).any(|one| match one.ip() {
        IpAddr::V4(address) => !address.is_link_local(),
        IpAddr::V6(address) => !address.is_unicast_link_local(),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::shell::state::tests::TestDir;

    #[test]
    fn what_the_program_prints_is_followed_until_it_ends() {
        let dir = TestDir::new();
        let program = dir.0.join("supplicant");
        fs::write(
            &program,
            "#!/bin/sh\nprintf '%s\\n' \"$*\" >\"$(dirname \"$4\")/args\"\nyes x | head -c 100000\nexit 3\n",
        )
        .expect("a script");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("executable");
        let error = join(&program, "wlan9", &dir.0).expect_err("it failed");
        assert!(error.to_string().contains("exit status: 3"), "{error}");
        let args = fs::read_to_string(dir.0.join("args")).expect("it ran");
        assert_eq!(args.trim(), format!("-i wlan9 -c {}", dir.0.join("wifi.conf").display()));
        assert!(!dir.0.join("notices/wifi-wlan9").exists(), "nothing is told so soon");
        assert!(join(&dir.0.join("missing"), "wlan9", &dir.0).is_err());
        assert!(join(&program, "../a", &dir.0).is_err_and(|error| error.kind() == io::ErrorKind::InvalidInput));
    }

    #[test]
    fn the_loopback_is_reached_and_what_is_not_there_is_not() {
        assert!(has_address("lo") && !has_address("wlan-none"));
    }
}
