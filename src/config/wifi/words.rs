//! The words by which people, routers and other systems call the same things in `wifi.txt`.

use crate::config::nearest;
use crate::config::plain_text::fold;

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// The name of a network.
    Network,
    /// Its password.
    Password,
    /// Where the home is.
    Country,
    /// How the network is protected.
    Security,
    /// A user name, which company networks have.
    User,
    /// Nothing that is needed here.
    Needless,
}

/// Each small and without accents, spaces and dashes.
const WORDS: &[(Key, &str)] = &[
    (
        Key::Network,
        "network networkname networkssid networknamessid ssid essid ssidname name wifi wifiname wifinetwork \
         wifissid wlan wlanname wlannamessid wlanssid wlannetzwerk netzwerk netzwerkname netzwerknamessid netz \
         router reseau nom red rete nome",
    ),
    (
        Key::Password,
        "password passwd pass pwd pw psk passphrase keycontent schlusselinhalt wpapassphrase key wifikey wpakey \
         wpa2key wpa3key wlankey networkkey networkpassword networksecuritykey securitykey wifipassword \
         wlanpassword wpapsk wpa2psk presharedkey saepassword passwort kennwort wifipasswort wlanpasswort \
         wlankennwort netzwerkpasswort netzwerkkennwort schlussel schluessel wlanschlussel wlanschluessel \
         netzwerkschlussel netzwerkschluessel wlannetzwerkschlussel wlannetzwerkschluessel \
         netzwerksicherheitsschlussel sicherheitsschlussel motdepasse cle contrasena clave senha chiave",
    ),
    (
        Key::Country,
        "country countrycode land landescode laendercode landeskennung region regdomain wificountry wlancountry \
         wlanland pays pais paese",
    ),
    (
        Key::Security,
        "security securitytype encryption keymgmt authentication auth sicherheit sicherheitstyp verschlusselung \
         verschluesselung",
    ),
    (Key::User, "user username identity eap login benutzer benutzername"),
    (
        Key::Needless,
        "hidden versteckt networkband networkchannel linkspeed radiotype bssid netzwerkband netzwerkkanal scanssid \
         priority prioritat proto protocol pairwise group mode type band channel kanal ctrlinterface updateconfig \
         apscan idstr ieee80211w disabled",
    ),
];

/// What a line that begins so is about.
pub(super) fn key_of(word: &str) -> Option<Key> {
    let known = |word: &str| {
        let word = plain(word);
        WORDS.iter().find(|(_, words)| words.split(' ').any(|known| known == word)).map(|(key, _)| *key)
    };
    if word.len() > 4 * LONGEST {
        return None;
    }
    // Such as `Password (WPA2)`.
    known(word).or_else(|| known(word.split('(').next()?))
}

/// The known word that was probably meant.
pub(super) fn nearest_word(word: &str) -> Option<&'static str> {
    let plain = plain(word);
    if plain.chars().count() > LONGEST {
        return None;
    }
    let near = nearest(&plain, WORDS.iter().flat_map(|(_, words)| words.split(' ')))?;
    Some(match key_of(near)? {
        Key::Network => "network",
        Key::Password => "password",
        Key::Country => "country",
        Key::Security | Key::User | Key::Needless => near,
    })
}

/// Letters of a word that is compared with others.
const LONGEST: usize = 40;

/// Small letters and digits alone: `WLAN-Name (SSID)` is `wlannamessid`.
fn plain(word: &str) -> String {
    fold(word).chars().filter(|c| c.is_alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_routers_phones_and_other_systems() {
        for word in ["network", "SSID", "WLAN-Name (SSID)", "Wi-Fi", "Netzwerk", "Réseau", "network name"] {
            assert_eq!(key_of(word), Some(Key::Network), "{word}");
        }
        for word in
            ["Password", "psk", "WLAN-Netzwerkschlüssel", "Wi-Fi password", "Kennwort", "Mot de passe", "wpa-psk"]
        {
            assert_eq!(key_of(word), Some(Key::Password), "{word}");
        }
        assert_eq!(key_of("LAND"), Some(Key::Country));
        assert_eq!(key_of("pasword"), None);
        assert_eq!(nearest_word("pasword"), Some("password"));
        assert_eq!(nearest_word("Netzwrk"), Some("network"));
        assert_eq!(nearest_word("elephant"), None);
        assert!(
            WORDS.iter().flat_map(|(_, words)| words.split(' ')).all(|word| !word.is_empty() && plain(word) == word)
        );
    }
}
