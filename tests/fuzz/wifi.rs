//! `wifi.txt` and `timezone.txt`, as people write them on the settings partition, into the shell script that reads them. An engine
//! cannot see into a shell: a mutator drives it.

use std::path::Path;
use std::process::Command;

use crate::driver::mutate;

/// Inputs tried: some milliseconds each.
const ROUNDS: usize = 150;

const SEEDS: [&[u8]; 5] = [
    b"network = Our home\npassword = correct horse\ncountry = DE\n",
    b"\xef\xbb\xbfnetwork = \"Caf\xc3\xa9 \"\"\r\npassword = \"a\"b\"\r\ncountry=de\r\n",
    b"  network=x\n\npassword =\n#network = y\n",
    b"network = $(id) `id` ;}\npassword = \"\\\"\n}\nnetwork={\n",
    b"password = x\nnetwork =   \n",
];

/// Whether `line` is one that the script writes, with nothing of a person's outside its place.
fn is_ours(line: &[u8]) -> bool {
    let fixed: [&[u8]; 7] = [
        b"update_config=0",
        b"network={",
        b"    scan_ssid=1",
        b"    key_mgmt=WPA-PSK WPA-PSK-SHA256 SAE",
        b"    ieee80211w=1",
        b"    key_mgmt=NONE",
        b"}",
    ];
    let country = line.strip_prefix(b"country=");
    let ssid = line.strip_prefix(b"    ssid=");
    let password = line.strip_prefix(b"    psk=\"").and_then(|rest| rest.strip_suffix(b"\""));
    fixed.contains(&line)
        || country.is_some_and(|code| code.len() == 2 && code.iter().all(u8::is_ascii_uppercase))
        || ssid.is_some_and(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit))
        || password.is_some_and(|password| !password.is_empty())
}

#[test]
fn what_people_write_becomes_one_network_and_nothing_else() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("image-build/overlay/usr/lib/intercom/settings");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wifi");
    let (from, to) = (folder.join("from"), folder.join("to"));
    std::fs::create_dir_all(&from).unwrap();
    let mut random = fastrand::Rng::with_seed(0x1db8);
    let mut networks = 0;
    for round in 0..ROUNDS {
        let mut input = SEEDS[round % SEEDS.len()].to_vec();
        if round >= SEEDS.len() {
            for _ in 0..random.usize(1..6) {
                mutate(&mut input, &SEEDS, &mut random);
            }
        }
        std::fs::write(from.join("wifi.txt"), &input).unwrap();
        std::fs::write(from.join("timezone.txt"), &input).unwrap();
        let run = Command::new("sh").arg(&script).args([&from, &to]).output().unwrap();
        let shown = String::from_utf8_lossy(&input);
        assert!(run.status.success(), "{shown:?}: {}", String::from_utf8_lossy(&run.stderr));
        let zone = std::fs::read_link(to.join("localtime")).unwrap();
        assert!(zone.starts_with("/usr/share/zoneinfo") && !zone.to_string_lossy().contains(".."), "{shown:?}");
        let Ok(written) = std::fs::read(to.join("wifi.conf")) else { continue };
        networks += 1;
        let lines: Vec<&[u8]> = written.strip_suffix(b"\n").unwrap().split(|byte| *byte == b'\n').collect();
        for line in &lines {
            assert!(is_ours(line), "{shown:?} became {:?}", String::from_utf8_lossy(line));
        }
        for once in [&b"network={"[..], b"}"] {
            assert_eq!(lines.iter().filter(|line| **line == once).count(), 1, "{shown:?}");
        }
    }
    assert!(networks > ROUNDS / 4, "{networks} of {ROUNDS} texts name a network");
}
