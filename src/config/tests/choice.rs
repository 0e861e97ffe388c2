//! Which driver is chosen, what it is asked, and what of all that a person reads.

use super::*;

#[test]
fn a_named_driver_is_not_asked_whether_it_is_there() {
    static ASKED: AtomicBool = AtomicBool::new(false);
    fn detect(_: &toml::Table) -> Result<String, String> {
        ASKED.store(true, Ordering::Relaxed);
        Ok("yes".to_owned())
    }
    static CAMERAS: [Driver<dyn CaptureVideo>; 1] = [entry("v4l2", &[], plain_one, detect)];
    let fakes = Drivers { cameras: &CAMERAS, ..FAKES };
    parse_with("[camera]\ndriver = \"v4l2\"", "x", &fakes, &at_home).unwrap_or_else(|e| panic!("{e}"));
    assert!(!ASKED.load(Ordering::Relaxed));
}

#[test]
fn drivers_options_are_checked_with_their_lines_even_if_they_are_not_chosen() {
    let not_chosen = complaint("[camera]\ndriver = \"test-card\"\n\n[camera.v4l2]\nbuffers = 99\n");
    assert_eq!(not_chosen, "etc/home.toml:5: camera.v4l2.buffers: is out of range; allowed: 1 to 8");
    let word = complaint("[camera.v4l2]\nformat = \"nv21\"\n");
    assert!(word.contains("format: is unknown: nv21; did you mean \"nv12\"? Allowed: auto, nv12 or mjpeg"), "{word}");
    let missing = complaint("[camera]\ndriver = \"exec\"\n");
    assert_eq!(missing, "etc/home.toml:1: camera.exec.command: is missing; allowed: a command");
    let empty = complaint("[camera]\ndriver = \"test-card\"\n[camera.exec]\n");
    assert_eq!(empty, "etc/home.toml:3: camera.exec.command: is missing; allowed: a command");
    let none = complaint("[camera.test-card]\nsize = 3\n");
    assert!(none.contains("there is no such key; allowed: nothing: it has no options"), "{none}");
    let no_table = complaint("[camera]\nv4l2 = 1\n");
    assert!(no_table.contains("camera.v4l2: this is the number 1, not a table"), "{no_table}");
}

#[test]
fn a_build_with_fewer_drivers_takes_the_shipped_file_and_says_what_it_lacks() {
    static ONE: [Driver<dyn CaptureVideo>; 1] = [entry("test-card", &[], plain_one, |_| Ok("it".to_owned()))];
    let small = Drivers { cameras: &ONE, ..FAKES };
    let refuse = |text: &str| match parse_with(text, "x", &small, &at_home) {
        Ok(_) => panic!("refused"),
        Err(errors) => errors.to_string(),
    };
    assert!(
        refuse("[camera]\ndriver = \"picam\"")
            .contains("there is no camera driver \"picam\"; allowed: \"auto\", \"test-card\"")
    );
    let lacks = "this build is without \"v4l2\" (cargo feature camera-v4l2); allowed: \"auto\", \"test-card\"";
    assert!(refuse("[camera]\ndriver = \"v4l2\"").contains(lacks));
    let stays = parse_with("[camera.v4l2]\ndevice = \"/dev/video0\"\n", "x", &small, &at_home);
    assert_eq!(stays.map(|config| config.camera.driver).ok(), Some("test-card"));
    let none = Drivers { cameras: &[], ..FAKES };
    let errors = parse_with("", "x", &none, &at_home).err().map(|errors| errors.to_string());
    assert!(errors.is_some_and(|text| text.contains("this build has no camera driver that auto may choose")));
}

#[test]
fn what_is_not_written_gives_way_to_what_is() {
    let small = take("[video]\nwidth = 640\nheight = 480\nfps = 10\nmax_kbps = 300\n");
    assert_eq!((small.reduced.width, small.reduced.height), (240, 180));
    assert_eq!(small.reduced.rate.fps(), 10.0);
    assert_eq!((small.full.floor.kbps(), small.full.max.kbps()), (110, 300));
    assert_eq!((small.reduced.floor.kbps(), small.reduced.max.kbps()), (60, 300));
    let upright = take("[video]\nwidth = 720\nheight = 1080\n");
    assert_eq!((upright.reduced.width, upright.reduced.height), (120, 180));
    let high = take("[video]\nfloor_kbps = 5000\n");
    assert_eq!(high.full.max.kbps(), 5000);
    let written = take("[video.reduced]\nwidth = 320\nheight = 240\n");
    assert_eq!((written.reduced.width, written.reduced.height), (320, 240));
    assert_eq!(take("[video]\nfps = 29.97").full.rate.fps(), 29.97);
}

#[test]
fn a_public_address_takes_the_own_port_if_it_has_none() {
    let address = |text: &str| take(text).network.public_address.map(|address| address.to_string());
    let own = address("[network]\npublic_address = \"home.example.org\"\nport = 9000\n");
    assert_eq!(own.as_deref(), Some("home.example.org:9000"));
    let other = address("[network]\npublic_address = \"[2001:db8::1]:443\"\n");
    assert_eq!(other.as_deref(), Some("[2001:db8::1]:443"));
}

#[test]
fn the_state_is_where_systemd_or_the_desktop_wants_it() {
    let with = |text: &str, pairs: &[(&str, &str)]| {
        let env = |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
        parse_with(text, "/etc/intercom/intercom.toml", &FAKES, &env).map(|config| config.home.state_dir)
    };
    let home = ("HOME", "/home/ann");
    let xdg = ("XDG_STATE_HOME", "/home/ann/state");
    let systemd = ("STATE_DIRECTORY", "/var/lib/intercom:/var/lib/other");
    assert_eq!(with("", &[home, xdg, systemd]).unwrap(), Path::new("/var/lib/intercom"));
    assert_eq!(with("", &[home, xdg]).unwrap(), Path::new("/home/ann/state/intercom"));
    assert_eq!(with("", &[home, ("XDG_STATE_HOME", "state")]).unwrap(), Path::new("/home/ann/.local/state/intercom"));
    let beside = with("[home]\nstate_dir = \"state\"", &[]).unwrap();
    assert_eq!(beside, Path::new("/etc/intercom/state"));
    let nowhere = with("", &[]).unwrap_err().to_string();
    assert!(nowhere.contains("home.state_dir: there is neither"), "{nowhere}");
}

#[test]
fn missing_files_are_answered_with_their_neighbours() {
    let folder = std::env::temp_dir().join(format!("intercom-config-test-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for name in ["intercom.toml", "fullchain.pem", "privkey.pem"] {
        std::fs::write(folder.join(name), "").unwrap();
    }
    let file = folder.join("intercom.toml").display().to_string();
    let read_it = |text: &str| parse_with(text, &file, &FAKES, &at_home);

    let good = read_it("[tls]\ncert = \"fullchain.pem\"\nkey = \"privkey.pem\"\n").unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(good.tls.map(|tls| tls.key), Some(folder.join("privkey.pem")));
    let slip = read_it("[tls]\ncert = \"fulchain.pem\"\nkey = \"privkey.pem\"\n").err().unwrap().to_string();
    let meant = folder.join("fullchain.pem").display().to_string();
    assert!(slip.contains(":2: tls.cert: ") && slip.contains("no such file"), "{slip}");
    assert!(slip.contains(&format!("did you mean \"{meant}\"?")), "{slip}");
    assert_eq!(slip.lines().count(), 1, "{slip}");
    let half = read_it("[tls]\ncert = \"fullchain.pem\"\n").err().unwrap().to_string();
    assert!(half.contains(":2: tls.cert: this needs `key` beside it"), "{half}");

    let near = load(&folder.join("intercom.tml")).err().unwrap().to_string();
    assert!(near.contains("intercom.tml: cannot be read: no such file or directory; did you mean"), "{near}");
    assert!(near.contains("intercom.toml?"), "{near}");
    assert!(load(&folder).err().unwrap().to_string().contains("cannot be read: is a directory"));
    std::fs::write(folder.join("latin.toml"), b"[home]\nname = \"H\xf6me\"\n").unwrap();
    assert!(load(&folder.join("latin.toml")).err().unwrap().to_string().contains("latin.toml:2: not UTF-8"));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn the_summary_and_the_listing_read_well() {
    let summary = take("[network]\npublic_address = \"203.0.113.7\"").summary();
    assert!(summary.contains("  port        8443, TCP and UDP; from outside at 203.0.113.7:8443\n"), "{summary}");
    assert!(summary.contains("  video       1280x720 at 30 fps, 1000 to 2500 kbit/s\n"), "{summary}");
    assert!(summary.contains("  camera      test-card, because no device is plugged in (stand-in)\n"), "{summary}");
    let listing = FAKES.listing();
    assert!(listing.contains("\n[camera]\n  v4l2        a fake for tests\n"), "{listing}");
    assert!(listing.contains("buffers  1 to 8, default 4\n"), "{listing}");
}
