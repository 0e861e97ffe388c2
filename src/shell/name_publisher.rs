//! `intercom name`: has the flashed image's network service publish home's name on one network at a time.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use intercom_core::reach::publisher::{self, Card, NamePublisher};

use crate::shell::{cards, clock, state};

/// The cards are looked at this often.
const LOOK: Duration = Duration::from_secs(2);
/// A service that did not take a change is asked again after this.
const PAUSE: Duration = Duration::from_secs(10);

/// Settings of all cards for a cable, and of all for Wi-Fi. Those of one card come before them.
const KINDS: [(bool, &str); 2] = [(true, "10-wired.network"), (false, "20-wifi.network")];
const BEFORE: &str = "05-name-";
const ENDING: &str = ".network";

/// Follows the cards for ever. `from` has the settings of each kind of card, `to` gets those of single cards.
pub fn follow(from: &Path, to: &Path) -> ! {
    let mut publisher = NamePublisher::default();
    let mut told = None;
    loop {
        let cards = cards::list();
        let overruled = publisher.handle_cards(&cards, clock::now());
        let pause =
            match apply(&cards, &overruled, from, to).and_then(|changed| if changed { reload() } else { Ok(()) }) {
                Ok(()) => {
                    told = None;
                    LOOK
                }
                Err(error) => {
                    let why = error.to_string();
                    if told.as_ref() != Some(&why) {
                        eprintln!("intercom: {why}");
                        told = Some(why);
                    }
                    // What was not taken is not there.
                    let _ = apply(&cards, &[], from, to);
                    PAUSE
                }
            };
        clock::sleep_until(clock::now() + pause);
    }
}

/// Brings the files in `to` in line; whether one of them changed.
fn apply(cards: &[Card], overruled: &[(String, bool)], from: &Path, to: &Path) -> io::Result<bool> {
    let mut wanted = BTreeMap::new();
    for (name, publishes) in overruled {
        let Some(wired) = cards.iter().find(|card| card.name == *name).map(|card| card.wired) else { continue };
        for (_, file) in KINDS.iter().filter(|(of_wired, _)| *of_wired == wired) {
            let settings = fs::read_to_string(from.join(file))
                .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", from.join(file).display())))?;
            if let Some(text) = publisher::settings_of(name, *publishes, &settings) {
                wanted.insert(format!("{BEFORE}{name}{ENDING}"), text);
            }
        }
    }
    fs::create_dir_all(to)?;
    let mut changed = false;
    for entry in fs::read_dir(to)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(BEFORE) && name.ends_with(ENDING) && !wanted.contains_key(&name) {
            state::remove(&entry.path())?;
            changed = true;
        }
    }
    for (name, text) in &wanted {
        let path = to.join(name);
        if fs::read_to_string(&path).ok().as_ref() != Some(text) {
            // The network service is another user.
            state::write(&path, text.as_bytes(), 0o644)?;
            changed = true;
        }
    }
    Ok(changed)
}

/// Has the network service read its settings. It works without D-Bus, which the image does not have.
fn reload() -> io::Result<()> {
    let status = Command::new("systemctl").args(["reload", "systemd-networkd.service"]).status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!("systemctl reload systemd-networkd: {status}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::state::tests::TestDir;

    fn files(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(dir)
            .unwrap()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn files_of_single_cards_come_and_go_and_others_stay() {
        let dir = TestDir::new();
        let (from, to) =
            (Path::new(env!("CARGO_MANIFEST_DIR")).join("image-build/overlay/etc/systemd/network"), dir.0.join("to"));
        let card = |name: &str, wired| Card { name: name.to_owned(), wired, addressed: true };
        let cards = [card("enp1s0", true), card("wlan0", false)];
        let overruled = [("enp1s0".to_owned(), false), ("wlan0".to_owned(), true)];
        fs::create_dir(&to).unwrap();
        fs::write(to.join("70-other.network"), "").unwrap();
        assert!(apply(&cards, &overruled, &from, &to).unwrap());
        assert!(!apply(&cards, &overruled, &from, &to).unwrap(), "nothing has changed");
        assert_eq!(files(&to), ["05-name-enp1s0.network", "05-name-wlan0.network", "70-other.network"]);
        let text = |name: &str| fs::read_to_string(to.join(name)).unwrap();
        assert!(text("05-name-enp1s0.network").starts_with("[Match]\nName=enp1s0\n"));
        assert!(text("05-name-enp1s0.network").contains("MulticastDNS=no\nDHCP=yes"));
        assert!(text("05-name-wlan0.network").contains("MulticastDNS=yes\nDHCP=yes"));
        assert!(text("05-name-wlan0.network").contains("RouteMetric=2048"));
        assert!(apply(&cards, &overruled[1..], &from, &to).unwrap());
        assert_eq!(files(&to), ["05-name-wlan0.network", "70-other.network"]);
        assert!(apply(&cards, &overruled, &dir.0.join("none"), &to).is_err());
    }

    #[test]
    fn by_their_own_settings_cards_for_a_cable_publish_and_those_for_wifi_do_not() {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("image-build/overlay/etc/systemd/network");
        for (wired, file) in KINDS {
            let text = fs::read_to_string(from.join(file)).unwrap();
            assert_eq!(text.contains("\nMulticastDNS=yes\n"), wired, "{file}");
            assert_eq!(text.contains("\nMulticastDNS=no\n"), !wired, "{file}");
        }
    }
}
