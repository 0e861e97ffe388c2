//! The settings partition as phones and Windows leave it, through the image's own script, the real program, this system's time
//! zones and the real wpa_supplicant.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder of settings, what it says, and what is right.
struct Case {
    wifi: &'static [u8],
    timezone: &'static [u8],
    zone: &'static str,
    /// What wpa_supplicant has understood; empty if no Wi-Fi is to be joined.
    joins: &'static [&'static str],
    /// Beginnings of the notices.
    told: &'static [&'static str],
}

const HOME: &[&str] =
    &["ssid='Home'", "PSK - hexdump(len=32): fd 8a f9 07", "67 65 68 65 69 6d 31 32 33 34", "key_mgmt: 0x502"];

const CASES: &[Case] = &[
    Case {
        wifi: b"# as wpa_passphrase prints it\nnetwork = Home\n\
            password = fd8af90736b3febfbe282b24d70785c698351e47716a55a5de75de21311533c4\ncountry = DE\n",
        timezone: b"UTC\n",
        zone: "UTC",
        joins: &["ssid='Home'", "PSK - hexdump(len=32): fd 8a f9 07", "key_mgmt: 0x102", "country='DE'"],
        told: &[],
    },
    Case {
        wifi: b"network = Home\npassword = a\"bcd#efgh\ncountry = DE\n",
        timezone: b"UTC\n",
        zone: "UTC",
        joins: &["ssid='Home'", "sae_password - hexdump_ascii(len=10):", "61 22 62 63 64 23 65 66 67 68", "key_mgmt: 0x502"],
        told: &[],
    },
    Case {
        wifi: b"\xef\xbb\xbfnetwork = Home\r\npassword = geheim1234\r\n",
        timezone: b"\xef\xbb\xbf# For the clock on the TV, such as Europe/Berlin. Needs a restart.\r\nEurope/Berlin\r\n",
        zone: "Europe/Berlin",
        joins: HOME,
        told: &[],
    },
    Case {
        wifi: b"Network = Home\nPassword = geheim1234\nCountry = DE\n",
        timezone: b"europe/berlin\n",
        zone: "Europe/Berlin",
        joins: HOME,
        told: &[],
    },
    Case {
        wifi: b"network: Home\npassword: geheim1234\n",
        timezone: b"CET-1CEST\n",
        zone: "Europe/Berlin",
        joins: HOME,
        told: &[],
    },
    Case {
        wifi: b"network = Home\npassword = geheim1234\ncountry = de\n",
        timezone: b"Berlin\n",
        zone: "Europe/Berlin",
        joins: &["country='DE'", "ssid='Home'"],
        told: &[],
    },
    Case {
        wifi: b"ssid = Home\npsk = geheim1234\n",
        timezone: b"\"Europe/Berlin\"\n",
        zone: "Europe/Berlin",
        joins: HOME,
        told: &[],
    },
    Case {
        wifi: b"network = Home\npassword = short\n",
        timezone: b"America/New York\n",
        zone: "America/New_York",
        joins: &[],
        told: &["wifi.txt, line 2: password: 5 letters are too few"],
    },
    Case {
        wifi: b"network =\npassword =\n\nnetwork = Home\npassword = geheim1234\n",
        timezone: b"Europe/Berlin # home\n",
        zone: "Europe/Berlin",
        joins: HOME,
        told: &[],
    },
    Case {
        wifi: b"\xff\xfen\0e\0t\0w\0o\0r\0k\0 \0=\0 \0H\0o\0m\0e\0\r\0\n\0p\0a\0s\0s\0w\0o\0r\0d\0 \0=\0 \0g\0e\0h\0e\0i\0m\x001\x002\x003\x004\0\r\0\n\0",
        timezone: b"Europe/Belin\n",
        zone: "UTC",
        joins: HOME,
        told: &["timezone.txt, line 1: there is no time zone “Europe/Belin”; did you mean Europe/Berlin?"],
    },
    Case {
        wifi: b"network = A\npassword = aaaaaaaa\n\nnetwork = \"B # \"\npassword = stra\xc3\x9fe12\n\nnetwork = C\n",
        timezone: b"",
        zone: "UTC",
        joins: &["id=0 ssid='A'", "id=1 ssid='B # '", "id=2 ssid='C'", "73 74 72 61 c3 9f 65 31 32", "key_mgmt: 0x4"],
        told: &[],
    },
];

/// A folder that goes when it is dropped.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Everything that wpa_supplicant says of a file; `None` where there is none. It ends at a driver that nobody has.
fn understood(conf: &Path) -> Option<String> {
    let search = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let mut program = Command::new("wpa_supplicant");
    program.env("PATH", search).args(["-ddd", "-K", "-D", "nothing", "-i", "lo", "-c"]).arg(conf);
    match program.output() {
        Ok(output) => Some(String::from_utf8_lossy(&output.stdout).into_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => panic!("wpa_supplicant: {error}"),
    }
}

#[test]
fn what_people_write_on_the_settings_partition_is_what_the_system_reads() {
    let folder = Folder(std::env::temp_dir().join(format!("intercom-partition-{}", std::process::id())));
    let (from, to) = (folder.0.join("from"), folder.0.join("to"));
    fs::create_dir_all(&from).expect("a folder");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("image-build/overlay/usr/lib/intercom/settings");
    let mut is_tried = true;
    for case in CASES {
        let shown = format!("{:?} {:?}", String::from_utf8_lossy(case.wifi), String::from_utf8_lossy(case.timezone));
        fs::write(from.join("wifi.txt"), case.wifi).expect("wifi.txt");
        fs::write(from.join("timezone.txt"), case.timezone).expect("timezone.txt");
        let mut command = Command::new("sh");
        command.arg(&script).args([&from, &to]).env("INTERCOM", env!("CARGO_BIN_EXE_intercom"));
        let output = command.output().expect("the script");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty() == case.told.is_empty(), "{shown}: {said}");
        let link = fs::read_link(to.join("localtime")).expect("a link");
        assert_eq!(link, Path::new("/usr/share/zoneinfo").join(case.zone), "{shown}");
        let mut notices: Vec<String> = fs::read_dir(to.join("notices"))
            .map(|entries| {
                entries.map(|entry| fs::read_to_string(entry.expect("an entry").path()).expect("a notice")).collect()
            })
            .unwrap_or_default();
        notices.sort();
        assert_eq!(notices.len(), case.told.len(), "{shown}: {notices:?}");
        for (notice, told) in notices.iter().zip(case.told) {
            assert!(notice.starts_with(told), "{shown}: {notice:?}");
        }
        let conf = to.join("wifi.conf");
        assert_eq!(conf.exists(), !case.joins.is_empty(), "{shown}");
        if !conf.exists() {
            continue;
        }
        let Some(understood) = understood(&conf) else {
            is_tried = false;
            continue;
        };
        let small = understood.to_lowercase();
        assert!(!small.contains("failed to parse") && !small.contains("invalid"), "{shown}: {understood}");
        for word in case.joins {
            assert!(understood.contains(word), "{shown}: no {word} in {understood}");
        }
    }
    // `make test` installs it.
    assert!(
        is_tried || std::env::var_os("CI").is_none(),
        "there is no wpa_supplicant here, which is to read the result"
    );
    if !is_tried {
        println!("there is no wpa_supplicant here; what it would read was not tried");
    }
}
