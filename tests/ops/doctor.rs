//! `intercom doctor` where there is no hardware, where some is wrong, and beside a running intercom.

use serde_json::Value;

use crate::home::Home;

fn examine(home: &Home) -> (Option<i32>, Value) {
    let output = home.ask("doctor --json");
    let text = String::from_utf8(output.stdout).expect("text");
    assert_eq!(text.trim().lines().count(), 1, "one object: {text}");
    (output.status.code(), serde_json::from_str(&text).expect(&text))
}

#[test]
fn a_home_of_stand_ins_that_are_meant_is_well() {
    let home = Home::new("");
    let output = home.ask("doctor");
    let text = String::from_utf8(output.stdout).expect("text");
    assert_eq!(output.status.code(), Some(0), "{text}");
    for part in ["Cameras", "Microphones", "Speakers", "Displays", "Network", "Tried", "Nothing is wrong."] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.contains("test card 320x180 at 15 fps works, 320x180 at 15 fps"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");

    let (code, found) = examine(&home);
    assert_eq!((code, &found["well"], &found["running"]), (Some(0), &true.into(), &false.into()));
    let kinds: Vec<&str> = found["devices"].as_array().unwrap().iter().map(|d| d["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["camera", "microphone", "speaker", "display"]);
    for key in ["cameras", "microphones", "speakers", "displays", "findings"] {
        assert!(found[key].is_array(), "{key}");
    }
}

#[test]
fn what_is_wrong_is_told_with_a_remedy() {
    let home = Home::new(
        "[camera]\ndriver = \"v4l2\"\n[camera.v4l2]\ndevice = \"/dev/no-such-video\"\n\
         [microphone]\ndriver = \"alsa\"\n[microphone.alsa]\ndevice = \"null\"\n\
         [speaker]\ndriver = \"wav\"\n[speaker.wav]\npath = \"{}/no/such/folder/a.wav\"\n",
    );
    let (code, found) = examine(&home);
    assert_eq!((code, &found["well"]), (Some(1), &false.into()));
    let findings = found["findings"].as_array().unwrap();
    let about = |kind: &str| findings.iter().find(|finding| finding["about"] == kind).expect(kind);
    assert!(about("camera")["what"].as_str().unwrap().contains("/dev/no-such-video"));
    assert!(about("microphone")["what"].as_str().unwrap().contains("digital silence"));
    assert!(about("speaker")["what"].as_str().unwrap().contains("no/such/folder"));
    assert!(findings.iter().all(|finding| !finding["remedy"].as_str().unwrap().is_empty()));
}

#[test]
fn a_device_that_hangs_keeps_nobody_waiting() {
    let home = Home::new("[camera]\ndriver = \"exec\"\n[camera.exec]\ncommand = [\"sleep\", \"600\"]\n");
    let (code, found) = examine(&home);
    assert_eq!((code, &found["devices"][0]["state"]), (Some(1), &"fails".into()), "{found}");
    assert_eq!(found["devices"][1]["state"], "works");
}

#[test]
fn a_running_intercom_keeps_its_devices_and_is_asked() {
    let mut home = Home::new(
        "[camera]\ndriver = \"exec\"\n[camera.exec]\ncommand = \"echo $PPID >>{}/starts; \
         printf 'YUV4MPEG2 W16 H16 F15:1\\\\n'; while printf 'FRAME\\\\n'; do head -c 384 /dev/zero; sleep 0.05; done\"\n\
         [microphone]\ndriver = \"alsa\"\n[microphone.alsa]\ndevice = \"no_such_device\"\n\
         [display]\ndriver = \"png\"\n[display.png]\npath = \"{}/tv.png\"\n",
    );
    home.start(|_| ());
    home.wait("the control socket", || home.at("state/control.sock").exists().then_some(()));
    let found = home.wait("camera and display work", || {
        let (_, found) = examine(&home);
        let works = |device: usize| found["devices"][device]["state"] == "works";
        (found["running"] == true && works(0) && works(3)).then_some(found)
    });
    let starts = std::fs::read_to_string(home.at("starts")).unwrap();
    let by_intercom = home.id().to_string();
    assert!(starts.lines().all(|parent| parent == by_intercom), "the doctor opened it as well: {starts}");
    let microphone = &found["devices"][1];
    assert_eq!((&microphone["state"], &microphone["cause"]), (&"fails".into(), &"absent".into()));
    assert_eq!(found["devices"][2]["state"], "opens", "nobody spoke so far");
    let output = home.ask("doctor");
    let text = String::from_utf8(output.stdout).expect("text");
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("The running intercom says") && text.contains("One thing is wrong"), "{text}");
}

#[test]
fn a_wrong_config_is_an_error_of_its_own() {
    let home = Home::new("[camera]\ndriver = \"v4l3\"\n");
    let output = home.ask("doctor");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("v4l2"));
}
