//! What a person writes into `wifi.txt`, which networks home then joins, and what the TV tells.

use intercom_base::letters::NOTICE_LETTERS;

use super::*;
use crate::config::ConfigErrors;

/// Each network as `NAME/SECRET`, then the country, in one text.
fn joined_of(bytes: &[u8]) -> String {
    let wifi = read(bytes);
    let networks = wifi.networks.iter().map(|network| {
        let name = String::from_utf8_lossy(&network.ssid).into_owned();
        match &network.secret {
            Secret::Open => format!("{name}/open"),
            Secret::Password(password) => format!("{name}/{password}"),
            Secret::Key(key) => format!("{name}/key {key}"),
        }
    });
    networks.chain(wifi.country.map(str::to_owned)).collect::<Vec<_>>().join(" + ")
}

fn told(bytes: &[u8]) -> Vec<String> {
    let one = |problem: Problem| ConfigErrors { file: "wifi.txt".into(), problems: vec![problem] }.brief();
    read(bytes).problems.into_iter().map(one).collect()
}

#[track_caller]
fn joins(text: &str, networks: &str) {
    assert_eq!((joined_of(text.as_bytes()), told(text.as_bytes())), (networks.to_owned(), Vec::new()), "{text}");
}

/// Something is taken or not, and this is told.
#[track_caller]
fn tells(text: &str, networks: &str, words: &[&str]) {
    assert_eq!((joined_of(text.as_bytes()), told(text.as_bytes())), (networks.to_owned(), owned(words)), "{text}");
    assert!(words.iter().all(|words| words.chars().count() <= NOTICE_LETTERS));
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|words| (*words).to_owned()).collect()
}

const HOME: &str = "Home/geheim1234";

#[test]
fn the_same_in_many_hands() {
    for text in [
        "network = Home\npassword = geheim1234\n",
        "\u{feff}network = Home\r\npassword = geheim1234\r\n",
        "Network = Home\rPASSWORD = geheim1234\r",
        "ssid = Home\npsk = geheim1234\n",
        "network: Home\npassword: geheim1234\n",
        "network=\"Home\"\npassword='geheim1234'\n",
        "network = “Home”\npassword = „geheim1234“\n",
        "\u{a0}network\u{a0}=\u{a0}Home\u{a0}\n\tpassword\t=\tgeheim1234\t\n",
        "WLAN-Name (SSID): Home\nWLAN-Netzwerkschlüssel: geheim1234\n",
        "network Home\npassword\tgeheim1234\n",
        "network → Home\npassword — geheim1234\n",
        "Netzwerkname (SSID): Home\nNetzwerkschlüssel (WPA2): geheim1234\nSicherheit: WPA2\n",
        "- network: Home\n- password: geheim1234\n",
        "[wifi]\nssid=Home\n[wifi-security]\nkey-mgmt=wpa-psk\npsk=geheim1234\n",
        "{\n\"network\": \"Home\",\n\"password\": \"geheim1234\"\n}\n",
        "network =\npassword =\n\nnetwork = Home\npassword = geheim1234\n",
        "network = Home\npassword = geheim1234\n\nnetwork =\npassword =\n",
        "network =\npassword = geheim1234\nnetwork = Home\n",
        "password = geheim1234\nnetwork = Home\n",
        "network = Home\n\n\npassword = geheim1234\n",
        "# ours\n// ours\n; ours\nnetwork = \"Home\" # ours\npassword = \"geheim1234\" # too\nhidden = yes\n",
        "network = Home\nnetwork = Home\npassword = geheim1234\npassword = geheim1234\n",
        "network={\n\tssid=\"Home\"\n\t#psk=\"something\"\n\tpsk=\"geheim1234\"\n\tkey_mgmt=WPA-PSK\n}\n",
        "ctrl_interface=/run/x\nnetwork={\n ssid=486f6d65\n psk=\"geheim1234\"\n priority=3\n}",
        "network={ ssid=\"Home\" psk=\"geheim1234\" }",
        "WIFI:S:Home;T:WPA;P:geheim1234;;\n",
        "wifi:T:WPA;P:geheim1234;S:Home;H:true;",
    ] {
        joins(text, HOME);
        for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
            let utf16: Vec<u8> = text.encode_utf16().flat_map(bytes).collect();
            assert_eq!(joined_of(&utf16), HOME, "{text}");
        }
    }
}

#[test]
fn a_country_in_any_letters() {
    joins("network = Home\npassword = geheim1234\ncountry = de\n", "Home/geheim1234 + DE");
    joins("network = Home\npassword = geheim1234\nLand = Österreich\n", "Home/geheim1234 + AT");
    joins("country = UK # ours\n", "GB");
    let none = ["wifi.txt, line 1: country: “Deutchlnd” is no country; allowed: two letters, such as DE"];
    tells("country = Deutchlnd\nnetwork = Home\npassword = geheim1234", HOME, &none);
    tells(
        "country = DE\nland = FR\n",
        "DE",
        &["wifi.txt, line 2: country: another one stands above; take out the wrong one"],
    );
}

#[test]
fn a_password_is_whatever_it_is() {
    for password in ["a\"bcd#efgh", "\"abcdefgh", "a = b : c", "# geheim", "; geheim", "\\\"}\n".trim(), "{}{}{}{}{}"] {
        let padded = format!("{password}--------");
        joins(&format!("network = Home\npassword = {padded}\n"), &format!("Home/{padded}"));
    }
    joins("network = Home\npassword = \" geheim \"\n", "Home/ geheim ");
    joins("network = Home\npassword = straße12\n", "Home/straße12");
    let longest = "x".repeat(63);
    joins(&format!("network = Home\npassword = {longest}"), &format!("Home/{longest}"));
    let key = "fd8af90736b3febfbe282b24d70785c698351e47716a55a5de75de21311533c4";
    let text = format!("network = Home\npassword = {}\n", key.to_uppercase());
    joins(&text, &format!("Home/key {key}"));
}

#[test]
fn open_networks_and_several() {
    joins("network = Café #3\n", "Café #3/open");
    joins("network = Cafe\npassword =\n", "Cafe/open");
    joins("network = Cafe\npassword = \"\"\n", "Cafe/open");
    joins(
        "network = A\npassword = aaaaaaaa\nnetwork = B\npassword = bbbbbbbb\nnetwork = C\n",
        "A/aaaaaaaa + B/bbbbbbbb + C/open",
    );
    joins("password = aaaaaaaa\nnetwork = A\n\npassword = bbbbbbbb\nnetwork = B\n", "A/aaaaaaaa + B/bbbbbbbb");
    joins("network={\nssid=\"A\"\npsk=\"aaaaaaaa\"\n}\nnetwork={\nssid=\"B\"\nkey_mgmt=NONE\n}", "A/aaaaaaaa + B/open");
    joins("", "");
    joins("network =\npassword =\ncountry =\n", "");
    let many: String = (0..20).map(|n| format!("network = N{n}\npassword = geheim1234\n")).collect();
    let wifi = read(many.as_bytes());
    assert_eq!((wifi.networks.len(), wifi.problems.len()), (MOST_NETWORKS, 20 - MOST_NETWORKS));
}

#[test]
fn mistakes_name_the_line_and_the_way_out() {
    let allowed = "allowed: 8 to 63; letters such as ü count twice";
    let too = |what: &str| format!("wifi.txt, line 2: password: {what} for a Wi-Fi; {allowed}");
    tells("network = Home\npassword = short\n", "", &[&too("5 letters are too few")]);
    tells(&format!("network = Home\npassword = {}\n", "g".repeat(64)), "", &[&too("64 letters are too many")]);
    let slip = "wifi.txt, line 2: pasword: there is no such key; did you mean password?";
    tells("network = Home\npasword = geheim1234\n", "", &[slip]);
    let name = format!("network = {}\npassword = geheim1234\n", "ü".repeat(17));
    tells(
        &name,
        "",
        &["wifi.txt, line 1: network: the name has 34 bytes; allowed: 1 to 32; letters such as ü count twice"],
    );
    let two = "wifi.txt, line 3: password: a second one for this Wi-Fi; take out the wrong one";
    tells(
        "network = Home\npassword = geheim1234\npassword = geheim5678\n",
        "Home/geheim1234 + Home/geheim5678",
        &[two],
    );
    let missing = "wifi.txt, line 1: password: the name of its Wi-Fi is missing; write it behind network =";
    tells("password = geheim1234\n", "", &[missing]);
    let one_line = "wifi.txt, line 1: network: name and password need a line each";
    tells("network = Home password = geheim1234\n", "", &[one_line]);
    let old = "letters such as ü may be wrong, as the file is no UTF-8; save it as UTF-8";
    assert_eq!(told(b"network = B\xfcro\npassword = geheim1234"), [format!("wifi.txt, line 1: {old}")]);
    assert_eq!(joined_of(b"network = B\xfcro\npassword = geheim1234"), "Büro/geheim1234");
    assert_eq!(told(b"{\\rtf1 network = Home}"), ["wifi.txt: the file has text with formats; save it as plain text"]);
    assert_eq!(told("network = Home\nsecurity = WEP\npassword = abcde".as_bytes()).len(), 2);
}

#[test]
fn no_password_is_ever_told() {
    for text in [
        "Home\ngeheim1234\n",
        "geheim=1234\n",
        "network = Home\ngeheim1234\n",
        "password = geheim\n",
        "network = A B\npassword = geheim\u{7}12345",
        "Passwortgeheim99:x\n",
        "Passwortgeheim:x\n",
        "country = geheim99 1\n",
        "network = Home\ncountry = DE psk=geheim1234\n",
    ] {
        assert!(!told(text.as_bytes()).is_empty(), "{text}");
        assert!(!told(text.as_bytes()).concat().contains("geheim"), "{text}");
        assert_eq!(joined_of(text.as_bytes()), "", "never without its password: {text}");
    }
}

#[test]
fn a_line_of_words_with_a_mark_in_its_password() {
    joins("network Home\npassword xy7:geheim99\n", "Home/xy7:geheim99");
    joins("network Home\npassword a = geheim99\n", "Home/a = geheim99");
}

#[test]
fn a_password_is_never_taken_for_a_name() {
    for text in [
        "network=Home;password=geheim1234",
        "ssid=Home,psk=geheim1234",
        "network = Home password geheim1234",
        "network = Home (password: geheim1234)",
        "WIFI:S:Home;T:WPA;P:ab;cdefgh;;",
        "{\"network\":\"H\",\"password\":\"geheim12\"}",
    ] {
        assert_eq!(joined_of(text.as_bytes()), "", "{text}");
        assert_eq!(told(text.as_bytes()).len(), 1, "{text}: {:?}", told(text.as_bytes()));
        assert!(!told(text.as_bytes())[0].contains("geheim"), "{text}");
    }
    joins("network = \"Home password geheim1234\"\n", "Home password geheim1234/open");
    joins("network = Key West\n", "Key West/open");
    joins("network = The Key\n", "The Key/open");
    joins("network={ssid=\"Home\" key_mgmt=NONE}", "Home/open");
    joins("network={\nssid=\"a=b\"\npsk=\"c=d=e=f=g\"\n}", "a=b/c=d=e=f=g");
}

#[test]
fn where_something_is_unclear_nothing_is_joined_without_a_password() {
    let joined = |text: &str| {
        assert!(!told(text.as_bytes()).is_empty(), "{text}");
        joined_of(text.as_bytes())
    };
    assert_eq!(joined("password = short\nnetwork = A\npassword = bbbbbbbb\nnetwork = B\n"), "A/bbbbbbbb");
    assert_eq!(joined("password =\nnetwork = Cafe\npassword = bbbbbbbb\nnetwork = B\n"), "Cafe/bbbbbbbb");
    assert_eq!(joined("password=aaaaaaaa\nnetwork=A\npasword=bbbbbbbb\nnetwork=B\n"), "A/aaaaaaaa");
    assert_eq!(joined("network=Home\npassword=short\nnetwork=Home\n"), "");
    assert_eq!(joined("network=A\npassword=aaaaaaaa\nnetwork=Cafe\nnetwork=B\npasword=bbbbbbbb\n"), "A/aaaaaaaa");
    joins("password =\nnetwork = Cafe\n", "Cafe/open");
    joins("network = A\npassword = aaaaaaaa\nnetwork = Cafe\npassword =\n", "A/aaaaaaaa + Cafe/open");
}

#[test]
fn letters_that_programs_put_into_a_password_are_tried_as_they_were_typed() {
    joins("network = A\npassword = it’s me 99\n", "A/it’s me 99 + A/it's me 99");
    joins("network = A\npassword = abcdefgh”\n", "A/abcdefgh” + A/abcdefgh\"");
    joins("network = A\npassword = a—b…c123\n", "A/a—b…c123 + A/a--b...c123");
}

#[test]
fn a_line_without_end_costs_no_time() {
    let long = format!("network = a {}\n", "=".repeat(plain_text::LARGEST - 20));
    assert_eq!(joined_of(long.as_bytes()), "");
}

#[test]
fn wpa_supplicant_gets_nothing_to_parse() {
    let text = |of: &str| read(of.as_bytes()).to_supplicant().unwrap();
    let quote = "update_config=0\ncountry=DE\nnetwork={\n    ssid=486f6d65\n    scan_ssid=1\n    psk=";
    let written = text("network = Home\npassword = a\"bcd#efgh\ncountry = DE\n");
    assert!(written.starts_with(quote), "{written}");
    assert!(written.contains("\n    sae_password=61226263642365666768\n"), "{written}");
    assert!(written.ends_with("    key_mgmt=WPA-PSK WPA-PSK-SHA256 SAE\n    ieee80211w=1\n}\n"), "{written}");
    let key = "fd8af90736b3febfbe282b24d70785c698351e47716a55a5de75de21311533c4";
    let of_password = text("network = Home\npassword = geheim1234\n");
    assert!(of_password.contains(&format!("    psk={key}\n")), "{of_password}");
    let of_key = text(&format!("network = Home\npassword = {key}\n"));
    assert!(of_key.contains(&format!("    psk={key}\n    key_mgmt=WPA-PSK WPA-PSK-SHA256\n")), "{of_key}");
    let two = text("network = A\nnetwork = B\n");
    assert!(two.contains("ssid=41\n    scan_ssid=1\n    priority=2\n    key_mgmt=NONE\n"), "{two}");
    assert!(two.contains("ssid=42\n    scan_ssid=1\n    priority=1\n"), "{two}");
    assert!(read(b"").to_supplicant().is_none());
}
