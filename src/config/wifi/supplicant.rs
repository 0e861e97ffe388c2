//! Writes the networks as wpa_supplicant reads them, with nothing of a person's that it would parse.
//!
//! - Names and passwords are in hex: its own quoting ends at the last quote of a line, and then knows comments.
//! - WPA2 gets the key, which is computed here (IEEE 802.11, J.4), and WPA3 the password, which it needs itself.

use std::fmt::Write as _;
use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2;

use super::{Network, Secret, Wifi};

/// Of IEEE 802.11, J.4.1.
const ROUNDS: NonZeroU32 = NonZeroU32::new(4096).unwrap();

impl Wifi {
    /// The file of wpa_supplicant's; `None` if there is no network to join.
    pub fn to_supplicant(&self) -> Option<String> {
        if self.networks.is_empty() {
            return None;
        }
        let mut text = String::from("update_config=0\n");
        if let Some(country) = self.country {
            let _ = writeln!(text, "country={country}");
        }
        for (at, network) in self.networks.iter().enumerate() {
            let priority = (self.networks.len() > 1).then_some(self.networks.len() - at);
            write_network(&mut text, network, priority);
        }
        Some(text)
    }
}

fn write_network(text: &mut String, network: &Network, priority: Option<usize>) {
    text.push_str("network={\n");
    let mut line = |words: String| {
        let _ = writeln!(text, "    {words}");
    };
    line(format!("ssid={}", hex(&network.ssid)));
    // Also one that hides its name.
    line("scan_ssid=1".to_owned());
    if let Some(priority) = priority {
        line(format!("priority={priority}"));
    }
    match &network.secret {
        Secret::Open => line("key_mgmt=NONE".to_owned()),
        Secret::Key(key) => {
            line(format!("psk={key}"));
            line("key_mgmt=WPA-PSK WPA-PSK-SHA256".to_owned());
            line("ieee80211w=1".to_owned());
        }
        Secret::Password(password) => {
            line(format!("psk={}", hex(&wpa2_key(password, &network.ssid))));
            line(format!("sae_password={}", hex(password.as_bytes())));
            line("key_mgmt=WPA-PSK WPA-PSK-SHA256 SAE".to_owned());
            line("ieee80211w=1".to_owned());
        }
    }
    text.push_str("}\n");
}

/// The key that WPA2 makes of a password and the network's name.
fn wpa2_key(password: &str, ssid: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA1, ROUNDS, ssid, password.as_bytes(), &mut key);
    key
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_the_standards_own_test_vectors() {
        // IEEE 802.11, J.4.2.
        let cases = [
            ("password", "IEEE", "f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e"),
            ("ThisIsAPassword", "ThisIsASSID", "0dc0d6eb90555ed6419756b9a15ec3e3209b63df707dd508d14581f8982721af"),
        ];
        for (password, ssid, key) in cases {
            assert_eq!(hex(&wpa2_key(password, ssid.as_bytes())), key);
        }
    }
}
