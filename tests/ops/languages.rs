//! The TV in each of its languages, with the fonts of this machine: every sentence is drawn, and none is cut. Pictures for people
//! to look at are left in tests/artefacts.

use std::net::UdpSocket;

use intercom::shell::fonts;
use intercom_base::isolate::isolated;
use intercom_base::language::{Language, Sentences, fill};
use intercom_base::picture::I420;
use intercom_base::testing::pictures::room;
use intercom_core::tv::message::{Message, Percent, Text};
use intercom_core::tv::mistake::{Fault, Mistake};
use intercom_media::qr;
use intercom_media::scene::{self, Health, Pairing, Scene, ViewerTile};
use intercom_media::text;

use crate::home::Home;
use crate::scripts::{keep, scene_of, tile};

pub const WELL: Health =
    Health { camera: Some(true), microphone: Some(true), speaker: Some(true), network: Some(true), muted: false };

const ILL: Health =
    Health { camera: Some(false), microphone: Some(false), speaker: Some(false), network: Some(false), muted: false };

/// Two names as people of the language have them.
pub fn names(language: Language) -> [&'static str; 2] {
    match language {
        Language::English => ["Grandma Margaret", "Ben"],
        Language::German => ["Onkel Jürgen", "Anna"],
        Language::Spanish => ["Tía Guadalupe", "Íñigo"],
        Language::French => ["Tante Françoise", "Zoë"],
        Language::Hindi => ["अनिता शर्मा", "राहुल"],
        Language::Chinese => ["王小明", "Anna"],
    }
}

/// The home's name.
fn home_name(language: Language) -> &'static str {
    match language {
        Language::English => "Grandma’s kitchen",
        Language::German => "Omas Küche",
        Language::Spanish => "La cocina de la abuela",
        Language::French => "La cuisine de mamie",
        Language::Hindi => "दादी का घर",
        Language::Chinese => "奶奶家",
    }
}

/// What other processes leave for the TV, with names as long as they get.
fn left() -> Vec<Message> {
    let (name, version) = (|| Text::new("Mammoth Wireless Network at Home"), || Text::new("10.20.30-rc.1"));
    let why = || Text::new("/run/appliance/stick/intercom-0.2.0.update: Input/output error (os error 5)");
    let mistake = |key: &str, what: Fault| {
        let nearest = (what == Fault::NoSuchKey).then(|| Text::new("password"));
        let key = (!key.is_empty()).then(|| Text::new(key));
        Message::Mistake(Mistake { file: Text::new("timezone.txt"), line: Some(128), key, what, nearest, more: 3 })
    };
    let zone = || Text::new("America/Argentina/ComodRivadavia");
    vec![
        Message::WifiOff,
        Message::WifiCard,
        Message::WifiNoAddress { name: name() },
        Message::WifiNoAddressUnnamed,
        Message::WifiPassword { name: name() },
        Message::WifiRefuses { name: name() },
        Message::WifiNone,
        Message::UpdateInstalling { version: version(), percent: Percent::of(1.0) },
        Message::UpdateInstalled { version: version() },
        Message::Updated { before: version(), now: version() },
        Message::UpdatedFirst { now: version() },
        Message::UpdateRolledBack { failed: version(), now: version() },
        Message::UpdateUnsigned,
        Message::UpdateDamaged,
        Message::UpdateUnknown { why: Text::new("version 0.2.0+3 has a +") },
        Message::UpdateOtherMachine { machine: Text::new("aarch64") },
        Message::UpdateUnreadable { why: why() },
        Message::UpdateUnwritable { why: why() },
        Message::UpdateOnTrial { version: version() },
        Message::UpdateNoRoom { room: 1_073_741_824, size: 1_288_490_188 },
        Message::UpdateDiskFails,
        Message::PeopleSaved,
        Message::PeopleRestored,
        Message::PeopleNone,
        Message::PeopleKnown,
        Message::PeopleStickFull,
        Message::PeopleStickLocked,
        Message::PeopleStickUnwritable { why: Text::new("Input/output error (os error 5)") },
        Message::PeopleStickUnreadable { why: Text::new("Input/output error (os error 5)") },
        Message::PeopleStickFormat,
        Message::PeopleBroken {
            file: Text::new("intercom-2026-11-30-1412-12/house.toml"),
            why: Text::new("line 112: unknown field `qui…"),
        },
        Message::PeopleKeysDamaged,
        Message::PeopleReset,
        Message::PeopleDisk { why: Text::new("No space left on device (os error 28)") },
        Message::PeoplePulled,
        mistake("", Fault::FileTooLarge),
        mistake("", Fault::FileFormatted),
        mistake("", Fault::FileBinary),
        mistake("", Fault::FileMisnamed { found: Text::new("time zone of home.rtf"), name: Text::new("timezone.txt") }),
        mistake("", Fault::FileUnreadable { why: Text::new("is a directory") }),
        mistake("", Fault::ZoneUnknown { zone: zone() }),
        mistake("", Fault::ZoneUnknownHere),
        mistake("", Fault::ZoneSecond { zone: zone() }),
        mistake("", Fault::ZoneLines { most: 16 }),
        mistake("", Fault::ZoneMissing),
        mistake("pasword", Fault::NoSuchKey),
        mistake("", Fault::LineUnclear),
        mistake("", Fault::CodeUnclear),
        mistake("network", Fault::OneLine),
        mistake("password", Fault::LetterUnclear),
        mistake("", Fault::EncodingGuessed),
        mistake("network", Fault::NameLong { bytes: 64 }),
        mistake("password", Fault::NameMissing),
        mistake("", Fault::NetworksMany { most: 8 }),
        mistake("password", Fault::PasswordShort { letters: 1 }),
        mistake("password", Fault::PasswordShort { letters: 7 }),
        mistake("password", Fault::PasswordLong { letters: 100 }),
        mistake("password", Fault::PasswordSecond),
        mistake("network", Fault::PasswordMissing),
        mistake("country", Fault::CountryUnknown { country: Text::new("Grossherzogtum Luxe…") }),
        mistake("country", Fault::CountryUnclear),
        mistake("country", Fault::CountrySecond),
        mistake("", Fault::UsersRefused),
        mistake("", Fault::WepRefused),
    ]
}

/// Draws scenes in one language, and keeps them.
pub struct Studio {
    pub language: Language,
    pub code: &'static str,
    pub say: &'static Sentences,
}

impl Studio {
    /// `name` tells the scenes of a language apart.
    fn draw(&self, name: &str, scene: &Scene<'_>) {
        self.draw_in(name, scene, (1280, 720));
    }

    /// Of this width and height.
    pub fn draw_in(&self, name: &str, scene: &Scene<'_>, (width, height): (usize, usize)) {
        let say = self.say;
        let date = say.date(6, 30, 9);
        let home = &isolated(home_name(self.language));
        let filled = Scene { sentences: say, home, clock: "14:05", date: &date, ..*scene };
        let mut canvas = I420::black(width, height);
        scene::compose(&filled, &mut canvas);
        keep(&canvas, &format!("tv-{}-{name}", self.code));
    }

    fn idle(&self, hint: &str, pairing: Pairing<'_>) {
        let say = self.say;
        let idle = Scene { health: WELL, ..scene_of(&[]) };
        self.draw("idle", &Scene { hint, ..idle });
        self.draw("ill", &Scene { health: ILL, hint, ..idle });
        self.draw("muted-idle", &Scene { health: Health { muted: true, ..ILL }, hint, ..idle });
        self.draw("code", &Scene { pairing: Some(pairing), ..idle });
        let notices = [
            say.disk_full,
            say.disk_read_only,
            say.disk_gone,
            say.disk_refuses,
            say.keys_damaged,
            say.muted_not_kept,
            say.open_not_kept,
            say.mute_unknown,
            say.reset,
        ];
        for (n, notice) in left().iter().enumerate() {
            let notice = [notice.words(say)];
            let code = Scene { notices: &notice, pairing: Some(pairing), health: ILL, ..idle };
            self.draw(&format!("notice-{n}"), &Scene { notices: &notice, hint, ..idle });
            self.draw(&format!("notice-code-{n}"), &code);
            let cut = text::cut_lately();
            assert!(cut.is_empty() && !notice[0].contains('{'), "{} {n}: {notice:?}: {cut:?}", self.code);
        }
        for (n, two) in notices.windows(2).enumerate() {
            let notices: Vec<String> = two.iter().map(|notice| (*notice).to_owned()).collect();
            self.draw(&format!("notices-{n}"), &Scene { notices: &notices, hint, ..idle });
            let code = Scene { notices: &notices, pairing: Some(pairing), health: ILL, ..idle };
            self.draw(&format!("notices-code-{n}"), &code);
        }
    }

    fn visits(&self, names: &[String; 2], pairing: Pairing<'_>) {
        let say = self.say;
        let (own, wide) = (room(640, 480, 30), room(1280, 720, 3));
        let stay = fill(say.hours, &[("hours", "12"), ("minutes", "05")]);
        let here = |number: usize| ViewerTile { stay: &stay, ..tile(&names[number % 2], number) };
        let seen = |number: usize| ViewerTile { picture: Some(&wide), camera: true, ..here(number) };
        let silent = |number: usize| ViewerTile { microphone: false, ..here(number) };
        let lost = |number: usize| ViewerTile { connected: false, ..here(number) };
        let lost_picture = |number: usize| ViewerTile { connected: false, ..seen(number) };
        let states: [(&str, ViewerTile<'_>); 7] = [
            ("one", seen(0)),
            ("one-unheard", ViewerTile { microphone: false, ..seen(0) }),
            ("sound-only", here(0)),
            ("silent", silent(0)),
            ("coming", ViewerTile { camera: true, ..here(0) }),
            ("lost", lost_picture(0)),
            ("lost-sound", lost(0)),
        ];
        for (name, viewer) in &states {
            self.draw(name, &Scene { health: WELL, own: Some(&own), ..scene_of(&[*viewer]) });
        }
        let connecting = ViewerTile { was_connected: false, ..lost(0) };
        self.draw("connecting", &Scene { health: WELL, ..scene_of(&[connecting]) });
        let two = [seen(0), silent(1)];
        let four = [seen(0), lost(1), ViewerTile { connected: false, ..silent(2) }, lost_picture(3)];
        for (count, viewers) in [("one", &two[..1]), ("two", &two[..]), ("four", &four[..])] {
            let all = Scene { health: WELL, own: Some(&own), ..scene_of(viewers) };
            self.draw(&format!("{count}-well"), &all);
            self.draw(&format!("{count}-code"), &Scene { pairing: Some(pairing), ..all });
            for (camera, microphone, muted) in [
                (true, true, true),
                (true, false, false),
                (false, true, false),
                (false, false, false),
                (false, true, true),
            ] {
                let health = Health { camera: Some(camera), microphone: Some(microphone), muted, ..WELL };
                let name =
                    format!("{count}-{}", [camera, microphone, muted].map(|on| if on { "1" } else { "0" }).concat());
                self.draw(&name, &Scene { health, ..all });
            }
        }
    }
}

#[test]
fn every_sentence_of_each_language_is_drawn_and_fits() {
    let code = qr::modules("https://192.168.1.20:8443/#p=AAAAAAAAAAAAAAAAAAAAAA").expect("a code");
    for (word, language) in Language::ALL {
        let say = fonts::sentences(language);
        assert_eq!(say, language.sentences(), "{word}: .ci/prepare test installs the fonts");
        for (name, sentence) in say.all() {
            assert_eq!(text::undrawable(sentence), Vec::<String>::new(), "{word} {name}");
        }
        let studio = Studio { language, code: word, say };
        let left = fill(say.left, &[("time", "10:00")]);
        let pairing = Pairing { side: code.side, modules: &code.dark, left: &left, scan: say.scan };
        studio.idle(&fill(say.new_phone, &[("key", say.enter)]), pairing);
        studio.visits(&names(language).map(|name| isolated(name).into_owned()), pairing);
    }
    assert_eq!(text::cut_lately(), Vec::<String>::new(), "these are too long for their places");
}

#[test]
fn check_tells_the_language_and_that_it_can_be_drawn() {
    for (word, _) in Language::ALL {
        let home = Home::new("");
        home.edit(|text| text.replace("[home]\n", &format!("[home]\nlanguage = \"{word}\"\n")));
        let said = String::from_utf8_lossy(&home.ask("check").stdout).into_owned();
        assert!(said.contains(&format!("in the language {word}")) && !said.contains("no font"), "{said}");
    }
}

#[test]
fn where_no_font_has_the_language_the_tv_speaks_english_and_it_is_told() {
    const NO_FONTS: &str = "mount -t tmpfs none /usr/share/fonts";
    const TOLD: &str =
        "The TV's language \"zh\": no font of this machine has all letters of Chinese, so the TV speaks English";
    let mut home = Home::new("");
    let speak = |home: &Home, word: &str| {
        home.edit(|text| text.replace("[home]\n", &format!("[home]\nlanguage = \"{word}\"\n")));
    };
    speak(&home, "zh");
    let said = String::from_utf8_lossy(&home.ask_behind(NO_FONTS, "check").stdout).into_owned();
    assert!(said.contains(TOLD) && said.contains("fonts-wqy-microhei"), "{said}");
    home.start_by(&["unshare", "-rm", "sh", "-c", &format!("set -e; {NO_FONTS}; exec \"$0\" \"$@\"")]);
    home.wait("the line in the log", || home.log().contains(TOLD).then_some(()));
    home.terminate();
    home.wait_end();
    assert_eq!(home.log().matches("no font of this machine").count(), 1, "{}", home.log());

    let german = Home::new("");
    speak(&german, "de");
    let said = String::from_utf8_lossy(&german.ask_behind(NO_FONTS, "check").stdout).into_owned();
    assert!(said.contains("in the language de") && !said.contains("no font"), "{said}");
}

/// Whether the code for a home's first phone is in the right half of a picture. It is another one each time, and moves the words.
fn has_code(pixels: &[u8], width: usize) -> bool {
    let right = |row: &[u8]| row[row.len() / 2..].iter().filter(|value| **value > 220).count();
    pixels.chunks_exact(width).map(right).sum::<usize>() > pixels.len() / 20
}

/// Whether home has an address that others can reach. Without one there is no code.
fn has_network() -> bool {
    let way = |socket: UdpSocket| socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr());
    UdpSocket::bind("0.0.0.0:0").and_then(way).is_ok_and(|own| !own.ip().is_loopback())
}

/// The rows of the date on the idle card, left of the code, as a running home draws them once it knows its network.
fn date_of(word: &str) -> Vec<u8> {
    let mut home = Home::new("[display]\ndriver = \"png\"\n[display.png]\npath = \"{}/tv.png\"\n");
    home.edit(|text| text.replace("[home]\n", &format!("[home]\nlanguage = \"{word}\"\n")));
    home.start(|_| ());
    let network = has_network();
    let (picture, width) = home.wait("the TV's picture", || {
        let file = std::fs::File::open(home.at("tv.png")).ok()?;
        let mut reader = png::Decoder::new(std::io::BufReader::new(file)).read_info().ok()?;
        let mut pixels = vec![0; reader.output_buffer_size()?];
        let width = reader.next_frame(&mut pixels).ok()?.line_size;
        (has_code(&pixels, width) == network).then_some((pixels, width))
    });
    let rows = &picture[picture.len() / width * 45 / 100 * width..picture.len() / width * 55 / 100 * width];
    rows.chunks_exact(width).flat_map(|row| &row[..width / 2]).copied().collect()
}

#[test]
fn the_tv_of_a_running_home_speaks_its_language() {
    // A minute that passes meanwhile moves the words.
    let same = (0..5).map(|_| ["en", "de", "en"].map(date_of)).find(|[first, _, last]| first == last);
    let [english, german, _] = same.expect("the same date twice looks the same");
    assert_ne!(english, german);
}
