//! The last visits on the idle card, in each language of the TV: every word is drawn, and none is cut. Pictures for people to look at are
//! left in tests/artefacts.

use std::fs;
use std::time::{Duration, SystemTime};

use intercom::shell::fonts;
use intercom_base::language::{Language, fill};
use intercom_core::people::register::{Person, Role};
use intercom_core::people::visits::{Entry, Outcome, VisitLog};
use intercom_core::tv::local_time::Zone;
use intercom_core::tv::visits::{self, VisitWords};
use intercom_media::qr;
use intercom_media::scene::{AtDoor, KnockCard, Pairing, Scene, VisitLine};
use intercom_media::text;

use crate::home::Home;
use crate::languages::{Studio, WELL, names};
use crate::scripts::scene_of;

const SIZES: [(&str, (usize, usize)); 4] =
    [("", (1280, 720)), ("-large", (1920, 1080)), ("-tall", (720, 1280)), ("-small", (640, 480))];

/// Friday, 15 January 2027, 12:00 UTC.
const NOON: u64 = 1_800_014_400;

/// What became of four visits, now or on a day whose name is long.
fn lines(studio: &Studio, outcomes: [Outcome; 4], hours_ago: u64, names: [&str; 2]) -> Vec<VisitWords> {
    let at = |seconds: u64| Duration::from_secs(seconds);
    let entries: Vec<Entry> = outcomes
        .into_iter()
        .enumerate()
        .map(|(n, outcome)| {
            let began = NOON - hours_ago * 3600 * (n as u64 + 1);
            let name = names.get(n).filter(|name| !name.is_empty()).map(|name| (*name).to_owned());
            Entry { person: n as u64, name, began: at(began), ended: Some(at(began + 45_300)), outcome }
        })
        .collect();
    visits::words(&entries, studio.say, &Zone::default(), at(NOON), text::is_blank)
}

/// Draws them in each size, alone and with what else the card tells.
fn draw_all(studio: &Studio, name: &str, words: &[VisitWords], pairing: Pairing<'_>) {
    let say = studio.say;
    let visits: Vec<VisitLine<'_>> =
        words.iter().map(|line| VisitLine { when: &line.when, name: &line.name, what: &line.what }).collect();
    let hint = fill(say.new_phone, &[("key", say.enter)]);
    let notices = [say.disk_full.to_owned(), say.disk_refuses.to_owned()];
    let title = fill(say.knocks, &[("name", names(studio.language)[0])]);
    let knock = KnockCard { title: &title, left: "0:42", let_in: "", decline: "", more: "" };
    let card = Scene { health: WELL, hint: &hint, visits: &visits, ..scene_of(&[]) };
    let scenes = [
        ("alone", Scene { hint: "", ..card }),
        ("hint", card),
        ("one", Scene { visits: &visits[..1], ..card }),
        ("night", Scene { door: AtDoor { resting: true, ..AtDoor::default() }, ..card }),
        ("notice", Scene { notices: &notices[..1], drift: (1.0, 1.0), ..card }),
        ("notices", Scene { notices: &notices, ..card }),
        ("curtain", Scene { door: AtDoor { curtain: true, ..AtDoor::default() }, ..card }),
        ("code", Scene { pairing: Some(pairing), ..card }),
        ("knock", Scene { door: AtDoor { knock: Some(knock), ..AtDoor::default() }, ..card }),
    ];
    for (what, scene) in scenes {
        for (suffix, size) in SIZES {
            // The longest hint does not fit a narrow screen.
            let hint = if size.0 < 1280 { "" } else { scene.hint };
            studio.draw_in(&format!("visits-{name}-{what}{suffix}"), &Scene { hint, ..scene }, size);
        }
    }
}

#[test]
fn the_last_visits_are_drawn_and_fit_in_each_language() {
    fonts::use_system_fonts();
    let code = qr::modules("https://192.168.1.20:8443/#p=AAAAAAAAAAAAAAAAAAAAAA").expect("a code");
    for (word, language) in Language::ALL {
        let studio = Studio { language, code: word, say: language.sentences() };
        let left = fill(studio.say.left, &[("time", "10:00")]);
        let pairing = Pairing { side: code.side, modules: &code.dark, left: &left, scan: studio.say.scan };
        let names = names(language);
        let each = [Outcome::Visited, Outcome::Missed, Outcome::Called, Outcome::Resting];
        draw_all(&studio, "today", &lines(&studio, each, 2, names), pairing);
        draw_all(&studio, "week", &lines(&studio, each, 28, names), pairing);
        let others = [Outcome::Called, Outcome::Resting, Outcome::Declined, Outcome::Missed];
        draw_all(&studio, "others", &lines(&studio, others, 28, names), pairing);
        assert_eq!(text::cut_lately(), Vec::<String>::new(), "{word}: these are too long for their places");
    }
}

/// Lines of words on the TV: rows of its picture with letters, and background between them.
fn lines_on_tv(home: &Home) -> Option<usize> {
    let file = std::fs::File::open(home.at("tv.png")).ok()?;
    let mut reader = png::Decoder::new(std::io::BufReader::new(file)).read_info().ok()?;
    let mut pixels = vec![0; reader.output_buffer_size()?];
    let width = reader.next_frame(&mut pixels).ok()?.line_size;
    let ink: Vec<bool> = pixels.chunks_exact(width).map(|row| row.iter().any(|pixel| *pixel > 90)).collect();
    Some(ink.windows(2).filter(|two| !two[0] && two[1]).count())
}

#[test]
fn the_tv_of_a_running_home_tells_the_last_visits_until_they_are_erased() {
    let mut home = Home::new("[display]\ndriver = \"png\"\n[display.png]\npath = \"{}/tv.png\"\n");
    fs::create_dir_all(home.at("state")).expect("a folder");
    // A home that a device may visit offers no code by itself.
    let key = format!("number = 2\nperson = 1\ncreated = \"2026-11-01T12:00:00Z\"\nsha256 = \"{}\"\n", "0".repeat(64));
    let keys = format!("[[person]]\nnumber = 1\nrole = \"owner\"\n\n[[key]]\n{key}");
    fs::write(home.at("state/keys.toml"), keys).expect("the keys");
    let mut log = VisitLog::default();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a time of today");
    for n in 0..4 {
        let person = Person::new(n, Some(format!("Anna {n}")), Role::Family);
        log.handle_kept_out(&person, Outcome::Missed, now.saturating_sub(Duration::from_secs(7200)));
    }
    fs::write(home.at("state/visits.toml"), log.to_toml()).expect("the visit log");
    home.start(|_| ());
    // Clock, date, name, visits and what works; then, that nobody is here.
    home.wait("the last visits", || lines_on_tv(&home).filter(|lines| *lines == 8));
    assert!(home.ask("visits --erase").status.success());
    home.wait("none of them", || lines_on_tv(&home).filter(|lines| *lines == 5));
}
