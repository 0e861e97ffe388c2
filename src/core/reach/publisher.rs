//! On which network home's name (`intercom.local`, mDNS, RFC 6762) is published, where home is on several.
//!
//! On one at a time. A reflector between two networks brings each announcement back from the other one. systemd-resolved takes that for
//! somebody else with the same name, and chooses another name, again and again.

use std::time::{Duration, Instant};

/// The system's network service is asked to change something at most this often: a cable may be loose.
const REST: Duration = Duration::from_secs(10);

/// A network card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// Of its interface.
    pub name: String,
    /// By its own settings a card for a cable publishes, and one for Wi-Fi does not. So most homes need no change.
    pub wired: bool,
    /// It has an address with which home can be reached.
    pub addressed: bool,
}

/// Decides. It stays with a card for as long as that has an address, so that the name leads to the same place.
#[derive(Debug, Default)]
pub struct NamePublisher {
    on: Option<String>,
    chosen: Option<Instant>,
}

impl NamePublisher {
    /// These cards are there now. Those whose own setting is to be overruled, and whether each publishes.
    pub fn handle_cards(&mut self, cards: &[Card], now: Instant) -> Vec<(String, bool)> {
        let is_usable = |card: &&Card| card.addressed;
        let stays = cards.iter().filter(is_usable).any(|card| Some(&card.name) == self.on.as_ref());
        let rests = self.chosen.is_some_and(|chosen| now.saturating_duration_since(chosen) < REST);
        if !stays
            && !rests
            && let Some(best) = cards.iter().filter(is_usable).min_by_key(|card| (!card.wired, &card.name))
        {
            (self.on, self.chosen) = (Some(best.name.clone()), Some(now));
        }
        let Some(on) = &self.on else { return Vec::new() };
        let publishes = |card: &Card| card.name == *on;
        cards
            .iter()
            .filter(|card| publishes(card) != card.wired)
            .map(|card| (card.name.clone(), publishes(card)))
            .collect()
    }
}

/// The settings of one card (`systemd.network`), out of `settings` for all cards of its kind. `None` if no settings can name it.
pub fn settings_of(card: &str, publishes: bool, settings: &str) -> Option<String> {
    // What else a name may have would be a pattern.
    if card.is_empty() || !card.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) {
        return None;
    }
    let mut text = String::with_capacity(settings.len() + 32);
    let mut in_match = false;
    for line in settings.lines() {
        if line.starts_with('[') {
            in_match = line == "[Match]";
        } else if in_match && !line.is_empty() || line.starts_with("MulticastDNS=") {
            continue;
        }
        text += line;
        text.push('\n');
        match line {
            "[Match]" => text += &format!("Name={card}\n"),
            "[Network]" => text += &format!("MulticastDNS={}\n", if publishes { "yes" } else { "no" }),
            _ => {}
        }
    }
    Some(text)
}

// A test's time begins at some time.
#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    fn cards(all: &[(&str, bool)]) -> Vec<Card> {
        let card = |(name, addressed): &(&str, bool)| Card {
            name: (*name).to_owned(),
            wired: name.starts_with("en"),
            addressed: *addressed,
        };
        all.iter().map(card).collect()
    }

    /// Which cards publish.
    fn published(publisher: &mut NamePublisher, all: &[(&str, bool)], now: Instant) -> Vec<String> {
        let cards = cards(all);
        let overruled = publisher.handle_cards(&cards, now);
        let publishes = |card: &&Card| {
            let overruled = overruled.iter().find(|(name, _)| *name == card.name);
            card.addressed && overruled.map_or(card.wired, |(_, publishes)| *publishes)
        };
        cards.iter().filter(publishes).map(|card| card.name.clone()).collect()
    }

    #[test]
    fn most_homes_need_no_change() {
        let (start, mut publisher) = (Instant::now(), NamePublisher::default());
        for all in [&[][..], &[("enp1s0", false)], &[("enp1s0", true)], &[("enp1s0", true), ("wlan0", true)]] {
            assert_eq!(publisher.handle_cards(&cards(all), start), [], "{all:?}");
        }
    }

    #[test]
    fn of_several_networks_one_has_the_name_for_as_long_as_it_lasts() {
        let (start, mut publisher) = (Instant::now(), NamePublisher::default());
        let mut at = |seconds, all: &[(&str, bool)]| {
            published(&mut publisher, all, start + Duration::from_secs(seconds)).join(" ")
        };
        assert_eq!(at(0, &[("enp1s0", false), ("wlan0", false)]), "");
        assert_eq!(at(1, &[("enp1s0", false), ("wlan0", true)]), "wlan0");
        assert_eq!(at(20, &[("enp1s0", true), ("enp2s0", true), ("wlan0", true)]), "wlan0", "the name stays");
        assert_eq!(at(40, &[("enp1s0", true), ("enp2s0", true), ("wlan0", false)]), "enp1s0");
        assert_eq!(at(60, &[("enp1s0", true), ("enp2s0", true), ("wlan0", true)]), "enp1s0");
        assert_eq!(at(80, &[("enp1s0", false), ("enp2s0", true), ("wlan0", true)]), "enp2s0", "a cable before Wi-Fi");
        assert_eq!(at(100, &[("wlan0", true)]), "wlan0");
    }

    #[test]
    fn a_card_without_an_address_is_quiet_before_it_gets_one() {
        let (start, mut publisher) = (Instant::now(), NamePublisher::default());
        let overruled = publisher.handle_cards(&cards(&[("enp1s0", false), ("wlan0", true)]), start);
        assert_eq!(overruled, [("enp1s0".to_owned(), false), ("wlan0".to_owned(), true)]);
    }

    #[test]
    fn a_loose_cable_changes_little() {
        let (start, mut publisher) = (Instant::now(), NamePublisher::default());
        let mut changes = 0;
        let mut before = Vec::new();
        for tick in 0..600 {
            let all = [("enp1s0", tick % 2 == 0), ("enp2s0", tick % 2 == 1)];
            let now = publisher.handle_cards(&cards(&all), start + Duration::from_millis(100 * tick));
            changes += u32::from(now != before);
            before = now;
        }
        assert!((1..=7).contains(&changes), "{changes} in a minute");
    }

    #[test]
    fn settings_of_one_card_are_those_of_its_kind() {
        let kind = "[Match]\nType=wlan\nKind=!*\n\n[Network]\nDHCP=yes\nMulticastDNS=no\nLLMNR=no\n\n[DHCPv4]\nRouteMetric=2048\n";
        let own =
            "[Match]\nName=wlp2s0\n\n[Network]\nMulticastDNS=yes\nDHCP=yes\nLLMNR=no\n\n[DHCPv4]\nRouteMetric=2048\n";
        assert_eq!(settings_of("wlp2s0", true, kind).as_deref(), Some(own));
        for odd in ["", "*", "a b", "a\nb", "wlan?"] {
            assert_eq!(settings_of(odd, true, kind), None, "{odd:?}");
        }
    }
}
