//! The machine's network cards, as the kernel lists them.

use std::net::IpAddr;
use std::path::Path;

use intercom_core::reach::publisher::Card;

/// Cards for a cable and for Wi-Fi, without what programs made: bridges, tunnels, virtual ones.
pub fn list() -> Vec<Card> {
    let all = std::fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    let real = all.filter(|entry| entry.path().join("device").exists());
    let cards = real.filter_map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let wireless = is_wireless(&entry.path());
        // ARPHRD_ETHER, which Wi-Fi has as well.
        let is_ether = std::fs::read_to_string(entry.path().join("type")).is_ok_and(|kind| kind.trim() == "1");
        let addressed = has_address(&name);
        is_ether.then_some(Card { name, wired: !wireless, addressed })
    });
    let mut cards: Vec<Card> = cards.collect();
    cards.sort_by(|one, other| one.name.cmp(&other.name));
    cards
}

/// Whether another Wi-Fi card than this one can be reached.
pub fn is_reached_by_other_wifi(than: &str) -> bool {
    let all = std::fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    let wireless = all.filter(|entry| is_wireless(&entry.path()));
    let mut names = wireless.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.any(|name| name != than && has_address(&name))
}

/// Whether somebody could reach the interface: an address beyond its own link.
pub fn has_address(interface: &str) -> bool {
    let Ok(all) = if_addrs::get_if_addrs() else { return false };
    all.iter().filter(|one| one.name == interface).any(|one| match one.ip() {
        IpAddr::V4(address) => !address.is_link_local(),
        IpAddr::V6(address) => !address.is_unicast_link_local(),
    })
}

fn is_wireless(card: &Path) -> bool {
    card.join("phy80211").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_is_reached_and_is_no_card() {
        assert!(has_address("lo") && !has_address("wlan-none"));
        assert!(list().iter().all(|card| card.name != "lo"));
        assert!(!is_reached_by_other_wifi("lo"));
    }
}
