//! Every kind of finding, from what was looked at to the sentence.

use super::*;

fn device(kind: Kind, driver: &str, state: State) -> Device {
    Device {
        kind,
        driver: driver.into(),
        why: format!("{driver}, because nobody found a thing"),
        auto: false,
        hardware: ["v4l2", "alsa", "drm"].contains(&driver),
        device: match kind {
            Kind::Camera => "/dev/video0 (Webcam)".into(),
            Kind::Display => "screen on HDMI-A-1".into(),
            _ => "ALSA device default".into(),
        },
        state,
    }
}

fn works() -> State {
    State::Works { how: String::new() }
}

/// A home where all is well: a camera, a sound card and a TV.
fn home() -> Examination {
    let hardware = |kind, device: &str, node: &str| Hardware {
        kind,
        seen: Sighting { device: device.into(), name: "Thing".into(), ..Sighting::default() },
        nodes: vec![Node { path: node.into(), allowed: true, group: Some("video".into()), holders: Vec::new() }],
    };
    Examination {
        running: false,
        user: "pi".into(),
        health: Health {
            devices: vec![
                device(Kind::Camera, "v4l2", works()),
                device(Kind::Microphone, "alsa", works()),
                device(Kind::Speaker, "alsa", State::Opens),
                device(Kind::Display, "drm", State::Opens),
            ],
            network: Network {
                port: 8443,
                addresses: vec!["192.0.2.7".parse().unwrap()],
                best: Some("192.0.2.7".parse().unwrap()),
                public_address: None,
            },
            certificates: Vec::new(),
            house: HouseReport::default(),
            font: None,
        },
        hardware: vec![
            hardware(Kind::Camera, "/dev/video0", "/dev/video0"),
            hardware(Kind::Microphone, "plughw:CARD=Intel,DEV=0", "/dev/snd/pcmC0D0c"),
            hardware(Kind::Speaker, "plughw:CARD=Intel,DEV=0", "/dev/snd/pcmC0D0p"),
            hardware(Kind::Display, "HDMI-A-1", "/dev/dri/card0"),
        ],
    }
}

fn fails(home: &mut Examination, kind: Kind, error: DeviceError) {
    home.health.devices[kind as usize].state = State::from(&error);
}

/// The only finding.
fn finding(home: &Examination) -> Finding {
    let mut findings = home.findings();
    assert_eq!(findings.len(), 1, "{findings:?}");
    let finding = findings.remove(0);
    assert!(finding.what.ends_with('.') && finding.remedy.ends_with('.'), "{finding:?}");
    assert_eq!(home.is_well(), !finding.wrong);
    finding
}

#[test]
fn a_home_where_all_is_well() {
    let home = home();
    assert_eq!(home.findings(), []);
    assert!(home.is_well() && home.text().contains("Nothing is wrong."));
    assert_eq!(home.json()["well"], true);
}

#[test]
fn a_device_that_one_may_not_use_names_user_file_group_and_the_command() {
    let mut home = home();
    home.hardware[0].nodes[0].allowed = false;
    assert_eq!(home.findings(), [], "it works all the same");
    fails(&mut home, Kind::Camera, DeviceError::Busy("/dev/video0: open: Permission denied".into()));
    let found = finding(&home);
    assert_eq!(found.what, "The user pi may not use /dev/video0, which is for the group video.");
    assert!(found.remedy.contains("usermod -aG video pi"), "{}", found.remedy);
    home.hardware[0].nodes[0].group = None;
    assert!(finding(&home).remedy.contains("udev"));
    home.running = true;
    assert!(!finding(&home).what.contains("pi"), "the intercom runs as somebody else");
}

#[test]
fn what_a_driver_knows_better_is_told_as_the_driver_says_it() {
    let mut home = home();
    // That of a webcam beside it is not the reason.
    home.hardware[0].nodes[0].allowed = false;
    let (what, remedy) = ("http://cam/: it wants a password".to_owned(), "write it into the settings".to_owned());
    fails(&mut home, Kind::Camera, DeviceError::Explained { what, remedy });
    let found = finding(&home);
    assert_eq!(found.what, "The camera does not work (http://cam/: it wants a password).");
    assert_eq!(found.remedy, "Write it into the settings.");
    let told = serde_json::to_string(&home.health.devices[0]).unwrap();
    assert!(told.contains("\"cause\":\"explained\""), "{told}");
    assert_eq!(serde_json::from_str::<Device>(&told).unwrap(), home.health.devices[0]);
}

#[test]
fn a_stand_in_that_auto_took_for_want_of_rights_is_told_as_that() {
    let mut home = home();
    home.hardware[3].nodes[0].allowed = false;
    home.health.devices[3] = Device { auto: true, ..device(Kind::Display, "none", State::Opens) };
    assert!(finding(&home).what.contains("may not use /dev/dri/card0"));
}

#[test]
fn a_busy_device_names_its_holder_or_how_to_learn_it() {
    let mut home = home();
    fails(&mut home, Kind::Camera, DeviceError::Busy("/dev/video0: start: busy".into()));
    assert!(finding(&home).remedy.contains("sudo intercom doctor"));
    home.hardware[0].nodes[0].holders.push("cheese (process 12)".into());
    let found = finding(&home);
    assert_eq!(found.what, "The camera /dev/video0 is in use by cheese (process 12).");
    fails(&mut home, Kind::Display, DeviceError::Busy("/dev/dri/card0: another program draws on it".into()));
    home.hardware[3].nodes[0].holders.push("Xorg (process 1)".into());
    assert!(home.findings()[1].what.contains("is in use by Xorg (process 1)"));
}

#[test]
fn the_device_that_is_named_is_the_one_that_is_judged() {
    let mut home = home();
    let mut other = home.hardware[0].clone();
    other.seen.device = "/dev/video2".into();
    other.nodes[0].path = "/dev/video2".into();
    other.nodes[0].holders = vec!["cheese (process 12)".into()];
    home.hardware.insert(0, other);
    fails(&mut home, Kind::Camera, DeviceError::Busy("/dev/video0: start: busy".into()));
    assert!(!finding(&home).what.contains("cheese"));
}

#[test]
fn nothing_found_is_wrong_where_auto_had_to_stand_in_and_well_where_the_config_wants_it() {
    for (kind, stand_in, instead) in [
        (Kind::Camera, "test-card", "see a test card"),
        (Kind::Microphone, "tone", "hear a tone"),
        (Kind::Speaker, "none", "hears viewers"),
    ] {
        let mut home = home();
        home.hardware.retain(|one| one.kind != kind);
        home.health.devices[kind as usize] = device(kind, stand_in, works());
        assert_eq!(home.findings(), [], "the config says so");
        home.health.devices[kind as usize].auto = true;
        let found = finding(&home);
        assert!(found.wrong && found.remedy.contains(stand_in), "{found:?}");
        assert!(found.what.starts_with("Nobody found a thing, so ") && found.what.contains(instead), "{found:?}");
    }
}

#[test]
fn no_tv_is_good_to_know_and_wrong_only_if_it_was_asked_for() {
    let mut home = home();
    home.hardware.pop();
    home.health.devices[3] = Device { auto: true, ..device(Kind::Display, "none", State::Opens) };
    assert!(!finding(&home).wrong);
    let off = State::from(&DeviceError::Absent("no screen is plugged into HDMI-A-1".into()));
    home.health.devices[3] = Device { auto: true, ..device(Kind::Display, "drm", off.clone()) };
    assert!(!finding(&home).wrong);
    home.health.devices[3] = device(Kind::Display, "drm", off);
    assert!(finding(&home).wrong);
    assert!(home.text().contains("One thing is wrong"));
}

#[test]
fn an_absent_device_says_what_is_there_instead() {
    let mut home = home();
    fails(&mut home, Kind::Camera, DeviceError::Absent("/dev/video9: open: no such file".into()));
    let found = finding(&home);
    assert!(found.remedy.contains("one that is there in the config: /dev/video0"), "{found:?}");
    home.hardware.remove(0);
    assert!(finding(&home).what.starts_with("No camera was found"));
}

#[test]
fn where_no_mode_fits_those_that_there_are_are_told() {
    let mut home = home();
    home.hardware[3].seen.modes = vec!["1920x1080 at 60 Hz".into(), "1280x720 at 50 Hz".into()];
    fails(&mut home, Kind::Display, DeviceError::Unsupported("HDMI-A-1 offers 1920x1080@60".into()));
    let found = finding(&home);
    assert!(found.what.contains("nothing that fits") && found.remedy.contains("1280x720 at 50 Hz"), "{found:?}");
}

#[test]
fn a_device_that_breaks_says_how() {
    let mut home = home();
    fails(&mut home, Kind::Speaker, DeviceError::Io("it takes no sound".into()));
    assert!(finding(&home).what.contains("it takes no sound"));
}

#[test]
fn what_is_muted_names_card_control_and_command() {
    let mut home = home();
    home.hardware[2].seen.fault = Some(Fault::Muted("Master".into()));
    let found = finding(&home);
    assert!(
        found.what.contains("control Master") && found.remedy.contains("amixer -c Intel set 'Master'"),
        "{found:?}"
    );
    home.health.devices[2] = device(Kind::Speaker, "none", State::Opens);
    assert_eq!(home.findings(), [], "a card that is not used may be silent");
}

#[test]
fn a_silent_microphone_is_wrong_and_its_mixer_is_the_first_suspect() {
    let mut home = home();
    home.health.devices[1].state = State::Silent;
    assert!(finding(&home).remedy.contains("switch"));
    home.hardware[1].seen.fault = Some(Fault::Muted("Capture".into()));
    assert!(finding(&home).remedy.contains("set 'Capture'"));
}

#[test]
fn without_an_address_nobody_can_visit_and_a_name_is_good_to_know() {
    let mut home = home();
    for (address, note) in [("203.0.113.7:9000", false), ("[2001:db8::1]:443", false), ("home.example.org:443", true)] {
        home.health.network.public_address = Some(address.into());
        assert_eq!(home.findings().len(), usize::from(note), "{address}");
        assert!(home.is_well());
    }
    home.health.network.addresses.clear();
    assert!(finding(&home).wrong);
}

#[test]
fn the_report_fits_a_plain_terminal_and_the_object_has_all_that_is_in_it() {
    let mut home = home();
    home.hardware[0].seen.modes = (1..20).map(|n| format!("YUYV {}x480 at 30, 15 fps", n * 64)).collect();
    home.hardware[0].nodes[0].allowed = false;
    fails(&mut home, Kind::Camera, DeviceError::Busy("/dev/video0: open: Permission denied".into()));
    home.health.devices[1].state = State::Silent;
    let text = home.text();
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    for part in ["YUYV 64x480 at 30, 15 fps", "13 more", "192.0.2.7 (best)", "2 things are wrong", "usermod"] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let json = home.json();
    assert_eq!(json["cameras"][0]["modes"].as_array().map(Vec::len), Some(19));
    assert_eq!(json["cameras"][0]["nodes"][0]["allowed"], false);
    assert_eq!((&json["devices"][0]["state"], &json["devices"][0]["cause"]), (&"fails".into(), &"busy".into()));
    assert_eq!(json["findings"][0]["about"], "camera");
    assert_eq!(json["network"]["best"], "192.0.2.7");
}

#[test]
fn what_the_running_intercom_sends_is_read_back() {
    let health = home().health;
    let text = serde_json::to_string(&health).unwrap();
    assert_eq!(serde_json::from_str::<Health>(&text).unwrap(), health);
}

#[test]
fn what_is_wrong_with_the_certificates_is_told_with_its_remedy() {
    let mut home = home();
    home.health.certificates = vec!["Home's CA could vouch for any site: delete it.".into()];
    let findings = home.findings();
    assert_eq!(findings.len(), 1);
    assert!(!home.is_well() && findings[0].about == "certificate");
    assert_eq!(findings[0].what, "Home's CA could vouch for any site.");
    assert_eq!(findings[0].remedy, "Delete it.");
}
