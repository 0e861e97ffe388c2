//! Files of the settings partition, which people write on any computer: `wifi.txt` and `timezone.txt`.

use intercom::config::timezone::{self, Zones};
use intercom::config::{ConfigErrors, Problem, wifi};

use super::bytes::owned;

/// Whether `line` is one that we write, with nothing of a person's outside its place.
fn is_ours(line: &str) -> bool {
    let fixed = [
        "update_config=0",
        "network={",
        "    scan_ssid=1",
        "    key_mgmt=WPA-PSK WPA-PSK-SHA256 SAE",
        "    key_mgmt=WPA-PSK WPA-PSK-SHA256",
        "    ieee80211w=1",
        "    key_mgmt=NONE",
        "}",
    ];
    let is_hex = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit()) && digits.len().is_multiple_of(2);
    let value = |key| line.strip_prefix("    ").and_then(|line| line.strip_prefix(key));
    fixed.contains(&line)
        || line
            .strip_prefix("country=")
            .is_some_and(|code| code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase()))
        || value("ssid=").is_some_and(|digits| is_hex(digits) && (2..=64).contains(&digits.len()))
        || value("psk=").is_some_and(|digits| is_hex(digits) && digits.len() == 64)
        || value("sae_password=").is_some_and(|digits| is_hex(digits) && (16..=126).contains(&digits.len()))
        || value("priority=").is_some_and(|number| number.parse::<u8>().is_ok())
}

/// Mistakes can be shown.
fn told(file: &str, problems: Vec<Problem>) {
    if problems.is_empty() {
        return;
    }
    let errors = ConfigErrors { file: file.to_owned(), problems };
    assert!(!errors.brief().chars().any(char::is_control), "{}", errors.brief());
    assert!(!errors.to_string().chars().any(|letter| letter.is_control() && letter != '\n'), "{errors}");
}

/// Whatever is written becomes networks, and nothing else.
pub fn fuzz_wifi(data: &[u8]) {
    let mut wifi = wifi::read(data);
    told("wifi.txt", std::mem::take(&mut wifi.problems));
    assert!(wifi.networks.len() <= wifi::MOST_NETWORKS);
    // A key costs milliseconds, on purpose.
    wifi.networks.truncate(1);
    let Some(text) = wifi.to_supplicant() else { return };
    for line in text.lines() {
        assert!(is_ours(line), "{:?} became {line:?}", String::from_utf8_lossy(data));
    }
    assert_eq!(text.matches("network={\n").count(), wifi.networks.len());
}

/// A zone is one of those that there are.
pub fn fuzz_timezone(data: &[u8]) {
    let names = ["America/New_York", "Etc/GMT-1", "Europe/Berlin", "UTC"].map(str::to_owned);
    let rule = |name: &str| {
        let rules = ["EST5EDT,M3.2.0,M11.1.0", "<+01>-1", "CET-1CEST,M3.5.0,M10.5.0/3", "UTC0"];
        names.iter().zip(rules).find(|(known, _)| *known == name).map(|(_, rule)| rule.to_owned())
    };
    let found = timezone::read(data, &Zones { names: &names, rule: &rule });
    told("timezone.txt", found.problems);
    assert!(found.zone.is_none_or(|zone| names.contains(&zone)));
}

// ---- Seeds. ----

pub fn wifis() -> Vec<Vec<u8>> {
    owned(&[
        b"network = Our home\npassword = correct horse\ncountry = DE\n",
        b"\xef\xbb\xbfnetwork = \"Caf\xc3\xa9 \"\"\r\npassword = \"a\"b#cdefg\"\r\ncountry=de\r\n",
        b"  ssid: x\n\npassword =\n#network = y\npassword=geheim1234\n",
        b"network = $(id) `id` ;}\npassword = \"\\\"\n}\nnetwork={\n",
        b"network={\n ssid=\"a b\" psk=\"geheim1234\"\n key_mgmt=WPA-PSK\n}\n",
        b"WIFI:S:a\\;b;T:WPA;P:geheim\\:1234;;\n",
        b"\xff\xfes\0s\0i\0d\0=\0a\0\r\0\n\0",
        b"network = K\xe4se\npasswort = \x93geheim1234\x94\n",
    ])
}

pub fn timezones() -> Vec<Vec<u8>> {
    owned(&[
        b"# For the clock\r\nEurope/Berlin # home\r\n",
        b"TZ = \":america/new york\"\n",
        b"UTC+1\nCET-1CEST,M3.5.0,M10.5.0/3\n",
        b"Berlin, Germany",
        b"\xfe\xff\0U\0T\0C",
    ])
}
