//! What a person gets who writes a config: the settings meant, or a message that mends it.

use std::sync::atomic::{AtomicBool, Ordering};

use intercom_base::letters::NOTICE_LETTERS;
use intercom_drivers::contract::{BoxedOpener, ConfigError, DeviceError, Driver, Opener};

use super::*;

mod choice;

/// A driver's way to no device at all.
struct Nothing(String);

impl<D: ?Sized> Opener<D> for Nothing {
    fn open(&mut self) -> Result<Box<D>, DeviceError> {
        Err(DeviceError::Absent("a fake".to_owned()))
    }

    fn describe(&self) -> String {
        self.0.clone()
    }
}

fn wrong(key: &str, problem: &str, allowed: &str) -> ConfigError {
    ConfigError { key: key.to_owned(), problem: problem.to_owned(), allowed: allowed.to_owned() }
}

/// Takes `device` (text) and `buffers` (1 to 8), and complains about one at a time, as real drivers do.
fn hardware<D: ?Sized + 'static>(options: &toml::Table, wanted: &Wanted) -> Result<BoxedOpener<D>, ConfigError> {
    let device = match options.get("device") {
        None => "any",
        Some(toml::Value::String(text)) => text,
        Some(_) => return Err(wrong("device", "is not text", "a path")),
    };
    if options.get("buffers").is_some_and(|n| n.as_integer().is_none_or(|n| !(1..=8).contains(&n))) {
        return Err(wrong("buffers", "is out of range", "1 to 8"));
    }
    match options.get("format").and_then(toml::Value::as_str).unwrap_or("auto") {
        "auto" | "nv12" | "mjpeg" => Ok(Box::new(Nothing(format!("{device} {}", wanted.camera)))),
        other => Err(wrong("format", &format!("is unknown: {other}"), "auto, nv12 or mjpeg")),
    }
}

fn command<D: ?Sized + 'static>(options: &toml::Table, _: &Wanted) -> Result<BoxedOpener<D>, ConfigError> {
    match options.get("command") {
        None => Err(wrong("command", "is missing", "a command")),
        Some(_) => Ok(Box::new(Nothing("a command".to_owned()))),
    }
}

fn plain_one<D: ?Sized + 'static>(_: &toml::Table, _: &Wanted) -> Result<BoxedOpener<D>, ConfigError> {
    Ok(Box::new(Nothing("stand-in".to_owned())))
}

const fn entry<D: ?Sized>(
    name: &'static str,
    options: &'static [(&'static str, &'static str)],
    configure: fn(&toml::Table, &Wanted) -> Result<BoxedOpener<D>, ConfigError>,
    detect: fn(&toml::Table) -> Result<String, String>,
) -> Driver<D> {
    Driver { name, summary: "a fake for tests", options, configure, detect, survey: None }
}

fn absent(_: &toml::Table) -> Result<String, String> {
    Err("no device is plugged in".to_owned())
}

fn present(options: &toml::Table) -> Result<String, String> {
    match options.get("device").and_then(toml::Value::as_str) {
        Some(device) => Ok(format!("found {device}")),
        None => Ok("found one".to_owned()),
    }
}

const HARDWARE_OPTIONS: &[(&str, &str)] =
    &[("device", "a path"), ("buffers", "1 to 8, default 4"), ("format", "a word")];

static CAMERAS: [Driver<dyn CaptureVideo>; 3] = [
    entry("v4l2", HARDWARE_OPTIONS, hardware, absent),
    entry("test-card", &[], plain_one, |_| Ok("the stand-in".to_owned())),
    entry("exec", &[("command", "what to run")], command, |_| Err("exec must be named".to_owned())),
];
static MICROPHONES: [Driver<dyn CaptureAudio>; 2] =
    [entry("alsa", HARDWARE_OPTIONS, hardware, present), entry("tone", &[("hz", "of the tone")], plain_one, absent)];
static SPEAKERS: [Driver<dyn PlayAudio>; 1] = [entry("none", &[], plain_one, |_| Ok("silence".to_owned()))];
static DISPLAYS: [Driver<dyn Display>; 1] = [entry("png", &[("path", "of the file")], plain_one, absent)];

const FAKES: Drivers =
    Drivers { cameras: &CAMERAS, microphones: &MICROPHONES, speakers: &SPEAKERS, displays: &DISPLAYS };

fn at_home(name: &str) -> Option<OsString> {
    (name == "HOME").then(|| "/home/ann".into())
}

pub(super) fn take(text: &str) -> Config {
    parse_with(text, "etc/home.toml", &FAKES, &at_home).unwrap_or_else(|errors| panic!("{errors}"))
}

fn refuse(text: &str) -> Vec<String> {
    match parse_with(text, "etc/home.toml", &FAKES, &at_home) {
        Ok(_) => panic!("this should be refused:\n{text}"),
        Err(errors) => errors.to_string().lines().map(str::to_owned).collect(),
    }
}

/// The one complaint about `text`.
pub(super) fn complaint(text: &str) -> String {
    let complaints = refuse(text);
    assert_eq!(complaints.len(), 1, "{complaints:#?}");
    complaints[0].clone()
}

#[test]
fn updates_come_from_an_address_or_from_nowhere() {
    let url = |text: &str| take(&format!("[update]\nurl = \"{text}\"\n")).update_url;
    assert_eq!(url(""), None);
    assert_eq!(url("https://192.0.2.1/intercom.update").as_deref(), Some("https://192.0.2.1/intercom.update"));
    for wrong in ["ftp://a/b", "intercom.update", "https://", "https:///x", "http://a b"] {
        let slip = refuse(&format!("[update]\nurl = \"{wrong}\"\n")).join("\n");
        assert!(slip.contains(":2: update.url: ") && slip.contains("http:// or https://"), "{slip}");
    }
}

#[test]
fn an_empty_file_means_the_defaults_that_the_types_document() {
    let config = take("");
    assert_eq!(config.home.name, "Home");
    assert_eq!(config.home.language, Language::English);
    assert_eq!(config.home.max_viewers, 8);
    assert_eq!(config.home.state_dir, Path::new("/home/ann/.local/state/intercom"));
    assert_eq!(config.network.port, 8443);
    assert_eq!(config.network.public_address, None);
    assert_eq!(config.network.proxy, None);
    assert!(config.tls.is_none());
    let rung = |width, height, fps, floor, max| Rung {
        width,
        height,
        rate: FrameRate::from_fps(fps),
        floor: Bitrate::from_kbps(floor),
        max: Bitrate::from_kbps(max),
    };
    assert_eq!(config.full, rung(1280, 720, 30.0, 1000, 2500));
    assert_eq!(config.reduced, rung(320, 180, 30.0, 60, 400));
    let audio = AudioSettings {
        bitrate: Bitrate::from_kbps(32),
        echo_cancellation: true,
        noise_suppression: NoiseSuppression::Moderate,
        gain_control: true,
        max_gain_db: 24.0,
        hear_each_other: true,
    };
    assert_eq!(config.audio, audio);
    assert_eq!(config.tv, Tv { width: 1280, height: 720, rate: FrameRate::from_fps(30.0), self_view: true });
    assert_eq!(config.log_level, log::LevelFilter::Info);
}

#[test]
fn sound_can_be_left_as_the_microphone_hears_it() {
    let off = "[audio]\necho_cancellation = false\nnoise_suppression = \"off\"\ngain_control = false\n";
    let audio = take(off).audio;
    assert!(!audio.echo_cancellation && !audio.gain_control);
    assert_eq!(audio.noise_suppression, NoiseSuppression::Off);
    assert_eq!(take("[audio]\nnoise_suppression = \"high\"\n").audio.noise_suppression, NoiseSuppression::High);
    let wrong = complaint("[audio]\nnoise_suppression = \"hihg\"\n");
    assert!(wrong.contains("audio.noise_suppression") && wrong.contains("\"high\""), "{wrong}");
    let wrong = complaint("[audio]\nmax_gain_db = 90\n");
    assert!(wrong.contains("audio.max_gain_db") && wrong.contains("0 to 40 dB"), "{wrong}");
}

#[test]
fn the_tv_speaks_one_of_its_languages() {
    let language = |text: &str| take(&format!("[home]\nlanguage = \"{text}\"\n")).home.language;
    assert_eq!(["en", "de", "zh"].map(language), [Language::English, Language::German, Language::Chinese]);
    assert_eq!(
        complaint("[home]\nname = \"Oma\"\nlanguage = \"german\"\n"),
        "etc/home.toml:3: home.language: \"german\" is none of the words known here; \
         allowed: \"en\", \"de\", \"es\", \"fr\", \"hi\", \"zh\""
    );
    assert!(complaint("[home]\nlanguage = \"DE\"\n").contains("did you mean \"de\"?"));
}

#[test]
fn the_shipped_file_says_what_an_empty_one_means() {
    let (shipped, empty) = (parse(BUILT_IN, "intercom.toml"), parse("", "intercom.toml"));
    let (shipped, empty) = (shipped.unwrap_or_else(|e| panic!("{e}")), empty.unwrap_or_else(|e| panic!("{e}")));
    assert_eq!(shipped.summary(), empty.summary());
}

#[test]
fn the_shipped_file_gives_every_key_a_sentence_that_ends_with_its_default() {
    let mut comment = String::new();
    let mut table = String::new();
    let (mut keys, mut examples) = (0, 0);
    for line in BUILT_IN.lines() {
        let text = line.strip_prefix("# ");
        if text.is_some_and(|text| text.contains(" = ") && !text.ends_with('.')) {
            assert!(comment.contains("without this"), "[{table}] {line}: nothing is said of its absence");
            examples += 1;
            comment.clear();
        } else if let Some(text) = text {
            comment = format!("{comment} {text}");
        } else if let Some(name) = line.strip_prefix('[') {
            table = name.trim_end_matches(']').to_owned();
            comment.clear();
        } else if let Some((key, value)) = line.split_once(" = ") {
            keys += 1;
            let comment = std::mem::take(&mut comment);
            if comment.ends_with("there is no default.") {
                examples += 1;
                continue;
            }
            let (_, default) =
                comment.rsplit_once("Default: ").unwrap_or_else(|| panic!("[{table}] {key}: no default"));
            let said = default.trim_end_matches('.').split(", or ").next().unwrap_or_default();
            assert_eq!(said, value, "[{table}] {key}");
        } else {
            assert_eq!(line, "");
            comment.clear();
        }
    }
    assert!(keys >= 30 && examples >= 5, "{keys} keys, {examples} examples");
}

/// A driver's defaults are its own: the file must say what the driver takes when it is told nothing.
#[test]
fn the_shipped_options_of_each_driver_are_what_it_takes_without_any() {
    fn check<D: ?Sized>(kind: &str, drivers: &[Driver<D>], shipped: &toml::Table) {
        let camera = VideoMode { width: 640, height: 480, rate: 30.0 };
        let wanted = Wanted { camera, display: (640, 480) };
        for driver in drivers {
            let table = shipped[kind].get(driver.name).and_then(toml::Value::as_table).cloned().unwrap_or_default();
            let told = (driver.configure)(&table, &wanted).unwrap_or_else(|e| panic!("{kind} {}: {e:?}", driver.name));
            // Only a driver that needs to be told something (a command) refuses an empty table.
            if let Ok(untold) = (driver.configure)(&toml::Table::new(), &wanted) {
                assert_eq!(told.describe(), untold.describe(), "{kind} {}", driver.name);
            }
            for (key, sentence) in driver.options {
                let Some((_, default)) = sentence.rsplit_once("default ") else { continue };
                let Some(value) = table.get(*key) else { continue };
                assert!(default.starts_with(&value.to_string()), "{kind} {} {key}: {sentence}", driver.name);
            }
        }
    }
    let shipped: toml::Table = BUILT_IN.parse().expect("the shipped file is TOML");
    let all = drivers();
    check("camera", all.cameras, &shipped);
    check("microphone", all.microphones, &shipped);
    check("speaker", all.speakers, &shipped);
    check("display", all.displays, &shipped);
}

/// Holds of the full build; a smaller one has fewer drivers than the shipped file.
#[test]
fn the_shipped_file_knows_every_driver_and_every_option_of_this_build() {
    fn check<D: ?Sized>(kind: &str, drivers: &[Driver<D>]) {
        for driver in drivers {
            let word = format!("\"{}\"", driver.name);
            let header = format!("\n[{kind}]\n");
            let section = BUILT_IN.split(&header).nth(1).unwrap_or_else(|| panic!("no [{kind}]"));
            let sentence = section.split("driver =").next().unwrap_or_default();
            assert!(sentence.contains(&word), "the sentence of [{kind}] driver does not name {word}");
            let header = format!("\n[{kind}.{}]\n", driver.name);
            let table = BUILT_IN.split(&header).nth(1).unwrap_or_default().split("\n[").next().unwrap_or_default();
            for (option, _) in driver.options {
                let is_there = table
                    .lines()
                    .any(|line| line.trim_start_matches("# ").split_once(" = ").is_some_and(|(key, _)| key == *option));
                assert!(is_there, "{} lacks {option}", header.trim());
            }
        }
    }
    let all = drivers();
    check("camera", all.cameras);
    check("microphone", all.microphones);
    check("speaker", all.speakers);
    check("display", all.displays);
}

#[test]
fn a_slip_in_a_key_is_answered_with_line_and_the_right_spelling() {
    assert_eq!(
        complaint("[video]\nheight = 480\nwidht = 640\n"),
        "etc/home.toml:3: video.widht: there is no such key; did you mean width? \
         Allowed: floor_kbps, fps, height, max_kbps, [video.reduced], width"
    );
    assert_eq!(
        complaint("\n[vidoe]\nwidth = 640\n"),
        "etc/home.toml:2: vidoe: there is no such table; did you mean [video]? \
         Allowed: [audio], [buttons], [call], [camera], [chime], [display], [home], [log], [microphone], [network], [speaker], [tls], [tv], [update], [video], [volume]"
    );
    assert!(complaint("[video.redced]\nfps = 10\n").contains("did you mean [video.reduced]?"));
}

#[test]
fn the_tv_tells_a_mistake_and_the_way_out_in_two_lines() {
    let brief = |text: &str| match parse_with(text, "/settings/intercom.toml", &FAKES, &at_home) {
        Ok(_) => panic!("{text} is taken"),
        Err(errors) => errors.brief(),
    };
    let cases = [
        ("\n\n\n\n[hoem]\n", "line 5: hoem: there is no such table; did you mean [home]?"),
        ("[elephant]\n", "line 1: elephant: there is no such table; take it out"),
        ("[video]\nwidht = 640", "line 2: video.widht: there is no such key; did you mean width?"),
        ("[home]\nport = 80", "line 2: home.port: there is no such key here; it belongs in [network]"),
        (
            "[network]\nport = 70000",
            "line 2: network.port: 70000 is too large; allowed: a whole number from 1 to 65535",
        ),
        ("[log]\nlevel = \"inof\"\n[hoem]", "did you mean \"info\"? (and 1 more)"),
        (
            "[tls]\ncert = \"/no/such/file\"\nkey = \"/no/such/file\"",
            "tls.cert: /no/such/file cannot be read: no such file or directory",
        ),
        ("[home\n", "line 1: not TOML: "),
    ];
    for (text, wanted) in cases {
        let told = brief(text);
        assert!(told.starts_with("intercom.toml, line ") && told.contains(wanted), "{text}\n{told}");
        assert!(told.chars().count() <= NOTICE_LETTERS && !told.contains('…'), "{told}");
    }
    let long = brief(&format!("[home]\nstate_dir = {}\n", "[1],".repeat(500)));
    assert!(long.chars().count() <= NOTICE_LETTERS, "{long}");
    let path = brief(&format!("[tls]\ncert = \"/{}\"\nkey = \"x\"\n", "folder/".repeat(60)));
    assert!(path.chars().count() <= NOTICE_LETTERS && path.ends_with('…'), "{path}");
}

#[test]
fn a_key_in_the_wrong_table_is_sent_home() {
    assert!(complaint("port = 80\n").contains("belongs in [network]"));
    assert!(complaint("[home]\nport = 80\n").contains("home.port: there is no such key here; it belongs in [network]"));
    assert!(complaint("[camera]\ndevice = \"/dev/video1\"\n").contains("it belongs in [camera.v4l2];"));
    assert!(complaint("[camera.test-card]\ndevice = \"x\"\n").contains("it belongs in [camera.v4l2];"));
    let stranger = complaint("[camera.v4l2]\nhz = 440\n");
    assert!(stranger.contains("no such key; allowed: buffers, device, format"), "{stranger}");
}

#[test]
fn values_of_the_wrong_kind_or_size_are_refused_in_words() {
    let cases = [
        ("[network]\nport = 70000", "2: network.port: 70000 is too large; allowed: a whole number from 1 to 65535"),
        ("[network]\nport = 0", "2: network.port: 0 is too small"),
        ("[network]\nport = -1", "2: network.port: -1 is too small"),
        ("[network]\nport = 99999999999999999999999999999999999999999999", "is too large"),
        ("[network]\nport = \"8443\"", "the text \"8443\", not a number; did you mean 8443 without quotes?"),
        ("[network]\nport = 8443.5", "this is the number 8443.5, not a whole number"),
        ("[network]\nport = [1]", "this is a list, not a whole number"),
        ("[network.port]\nx = 1", "network.port: this is a table, not a whole number"),
        ("[video]\nwidth = 641", "641 is odd, and H.264 wants even sizes; did you mean 640?"),
        ("[video]\nwidth = 3840", "3840 is too large; allowed: a whole number from 160 to 1920 pixels"),
        ("[video]\nfps = 0", "0 is too small; allowed: a number from 1 to 60 frames a second"),
        ("[video]\nfps = nan", "nan is not a usable number"),
        ("[video]\nfps = inf", "inf is too large"),
        ("[video]\nfps = \"30\"", "did you mean 30 without quotes?"),
        ("[video]\nfloor_kbps = 900\nmax_kbps = 800", "2: video.floor_kbps: 900 is more than max_kbps, 800"),
        ("[video.reduced]\nwidth = 1920", "2: video.reduced.width: this is more than the full picture's width, 1280"),
        ("[log]\nlevel = \"inof\"", "did you mean \"info\"? Allowed: \"off\", \"error\", \"warn\", \"info\""),
        ("[log]\nlevel = 3", "this is the number 3, not text in quotes"),
        ("[home]\nname = \"\"", "the name is empty"),
        ("[home]\nname = \"a\\u0007b\"", "control character"),
        ("[home]\nmax_viewers = 33", "33 is too large; allowed: a whole number from 1 to 32"),
        ("video = 3", "1: video: this is the number 3, not a table; allowed: a table: [video] on a line of its own"),
        ("[[video]]\nfps = 3", "this is a list, not a table"),
        ("[network]\npublic_address = \"2001:db8::1\"", "did you mean \"[2001:db8::1]\"?"),
        ("[network]\npublic_address = \"https://a.example/x\"", "did you mean \"a.example\"?"),
        ("[network]\nproxy = \"192.168.1.5:443\"", "did you mean \"192.168.1.5\"?"),
        ("[network]\nproxy = \"[fd00::5]\"", "did you mean \"fd00::5\"?"),
        ("[network]\nproxy = \"nginx.lan\"", "network.proxy: \"nginx.lan\" is no IP address; allowed: an IP address"),
        ("\"home.name\" = \"x\"", "home.name"),
    ];
    for (text, wanted) in cases {
        let complaint = complaint(text);
        assert!(complaint.contains(wanted), "{text}\n{complaint}");
    }
    refuse(&format!("[home]\nname = \"{}\"", "x".repeat(41)));
}

#[test]
fn everything_that_is_wrong_is_told_at_once_in_the_order_of_the_lines() {
    let text = "[camera]\ndriver = \"v4l\"\n[video]\nfps = 99\nheigth = 480\n[network]\nport = \"x\"\n[spaeker]\n\
                [camera.v4l2]\nbufers = 2\nbuffers = 9\ndevice = 1\n[display.pgn]\n";
    let complaints = refuse(text);
    let lines: Vec<&str> = complaints.iter().map(|c| c.split(": ").next().unwrap_or_default()).collect();
    let wanted: Vec<String> = [2, 4, 5, 7, 8, 10, 11, 12, 13].iter().map(|n| format!("etc/home.toml:{n}")).collect();
    assert_eq!(lines, wanted, "{complaints:#?}");
    assert!(complaints[0].contains("did you mean \"v4l2\"? Allowed: \"auto\", \"v4l2\", \"test-card\", \"exec\""));
    assert!(complaints[8].contains("did you mean [display.png]?"), "{}", complaints[8]);
}

#[test]
fn what_is_not_toml_is_refused_with_its_lines() {
    let complaints = refuse("[video\nwidth = 640\n\n[home]\nname = Anna\n");
    assert!(complaints[0].starts_with("etc/home.toml:1: not TOML: "), "{complaints:#?}");
    assert!(complaints.last().is_some_and(|c| c.starts_with("etc/home.toml:5: not TOML: ")), "{complaints:#?}");
    assert_eq!(refuse(&"?\n".repeat(1000)).len(), 10);
    let twice = complaint("[video]\nfps = 30\nfps = 25\n");
    assert!(twice.starts_with("etc/home.toml:3: not TOML: duplicate key"), "{twice}");
}

#[test]
fn auto_takes_the_first_that_is_there_and_says_what_it_passed_over() {
    let config = take("[microphone.alsa]\ndevice = \"hw:1\"\n");
    let [camera, microphone, speaker, display] = config.devices();
    assert_eq!(camera, "camera: test-card, because no device is plugged in (stand-in)");
    assert_eq!(microphone, "microphone: alsa, found hw:1 (hw:1 1280x720 at 30 fps)");
    assert_eq!(speaker, "speaker: none, silence (stand-in)");
    assert_eq!(display, "display: none, because no device is plugged in; waiting for png (stand-in)");
}

#[test]
fn one_word_swaps_the_hardware_and_other_drivers_tables_may_stay() {
    let tables = "[camera.v4l2]\ndevice = \"/dev/video2\"\n[camera.exec]\ncommand = \"x\"\n[camera.test-card]\n";
    let named = take(&format!("[camera]\ndriver = \"v4l2\"\n{tables}"));
    assert_eq!(named.camera.sentence(), "camera: v4l2, as the config says (/dev/video2 1280x720 at 30 fps)");
    let swapped = take(&format!("[camera]\ndriver = \"exec\"\n{tables}"));
    assert_eq!(swapped.camera.sentence(), "camera: exec, as the config says (a command)");
}
