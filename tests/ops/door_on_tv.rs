//! What the TV shows of home's door, in each of its languages: every word is drawn, and none is cut. Pictures for people to look at are
//! left in tests/artefacts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use intercom::shell::devices::input_events;
use intercom::shell::fonts;
use intercom_base::isolate::isolated;
use intercom_base::language::{Language, fill};
use intercom_base::testing::pictures::room;
use intercom_core::call::items::{Door, Knock, News, NewsKind, VisitId};
use intercom_core::tv::door::{self, DoorKeys, DoorWords};
use intercom_media::qr;
use intercom_media::scene::{AtDoor, KnockCard, Pairing, Scene, ViewerTile};
use intercom_media::text;

use crate::languages::{Studio, WELL, names};
use crate::scripts::{scene_of, tile};

/// Screens, and how many visit there.
const SIZES: [(&str, (usize, usize), &[usize]); 2] = [("", (1280, 720), &[0, 1, 6]), ("-tall", (720, 1280), &[0, 1])];

const CHANGES: [NewsKind; 5] =
    [NewsKind::Device, NewsKind::Owner, NewsKind::Rights, NewsKind::Removed, NewsKind::Missed];

/// The door's words as the TV's thread has them. KEY_ENTER, and a key with a long name.
fn words(studio: &Studio, door: &Door, now: Instant) -> DoorWords {
    let name = |key: u16| Some(input_events::words(key, studio.say));
    let keys = DoorKeys { let_in: name(28), decline: name(114) };
    door::words(door, &keys, studio.say, now)
}

fn at_door<'a>(words: &'a DoorWords, door: &Door) -> AtDoor<'a> {
    let knock = words.knock.as_ref().map(|knock| KnockCard {
        title: &knock.title,
        left: &knock.left,
        let_in: &knock.let_in,
        decline: &knock.decline,
        more: &knock.more,
    });
    AtDoor { knock, curtain: door.curtain, resting: door.resting, change: &words.change }
}

/// Knocks, changes, curtain and quiet hours, over the idle card and over visits.
fn draw_all(studio: &Studio, pairing: Pairing<'_>) {
    let now = Instant::now();
    let [first, second] = names(studio.language);
    let knock = |name: Option<&str>, preview: bool| Knock {
        visit: VisitId(1),
        name: name.map(Arc::from),
        until: now + Duration::from_secs(if preview { 7 } else { 42 }),
        preview,
    };
    let door = |knocks: &[Knock]| Door { knocks: knocks.to_vec(), ..Door::default() };
    let alone = door(&[knock(Some(first), false)]);
    let change = |what: NewsKind, name: Option<&str>| {
        let news = News { what, name: name.map(Arc::from), until: now + Duration::from_secs(9) };
        Door { news: Some(news), ..Door::default() }
    };
    let three = [knock(Some(first), false), knock(None, false), knock(None, true)];
    let all = Door { curtain: true, resting: true, ..change(NewsKind::Missed, Some(second)) };
    let mut doors = vec![
        ("knock".to_owned(), alone.clone()),
        ("knocks".to_owned(), door(&three)),
        ("nameless".to_owned(), door(&three[1..2])),
        ("preview".to_owned(), door(&[knock(Some(first), true)])),
        ("preview-nameless".to_owned(), door(&[knock(None, true)])),
        ("knock-night".to_owned(), Door { resting: true, ..alone.clone() }),
        ("night".to_owned(), Door { resting: true, ..Door::default() }),
        ("curtain".to_owned(), Door { curtain: true, ..Door::default() }),
        ("everything".to_owned(), Door { knocks: three.to_vec(), ..all }),
    ];
    for (n, what) in CHANGES.into_iter().enumerate() {
        doors.push((format!("change-{n}"), change(what, Some(first))));
        doors.push((format!("change-{n}-nameless"), change(what, None)));
    }
    let (own, wide) = (room(640, 480, 30), room(1280, 720, 3));
    let names = names(studio.language).map(|name| isolated(name).into_owned());
    let here = |number: usize| ViewerTile {
        picture: number.is_multiple_of(2).then_some(&wide),
        camera: number.is_multiple_of(2),
        ..tile(&names[number % 2], number)
    };
    let viewers: Vec<ViewerTile<'_>> = (0..6).map(here).collect();
    for (name, door) in &doors {
        let words = words(studio, door, now);
        for (suffix, size, counts) in SIZES {
            // What has changed is told with the same words wherever several visit.
            let counts = counts.iter().filter(|count| **count < 2 || !name.starts_with("change"));
            for count in counts.copied() {
                let scene =
                    Scene { health: WELL, door: at_door(&words, door), own: Some(&own), ..scene_of(&viewers[..count]) };
                studio.draw_in(&format!("door-{count}-{name}{suffix}"), &scene, size);
                let cut = text::cut_lately();
                assert!(cut.is_empty(), "{} {name}{suffix}, {count} visit: {cut:?}", studio.code);
                if name == "knock" || name == "everything" {
                    let scene = Scene { pairing: Some(pairing), ..scene };
                    studio.draw_in(&format!("door-{count}-{name}-code{suffix}"), &scene, size);
                }
            }
        }
    }
}

#[test]
fn all_that_is_told_of_the_door_is_drawn_and_fits_in_each_language() {
    fonts::use_system_fonts();
    let code = qr::modules("https://192.168.1.20:8443/#p=AAAAAAAAAAAAAAAAAAAAAA").expect("a code");
    for (word, language) in Language::ALL {
        let say = language.sentences();
        let studio = Studio { language, code: word, say };
        let left = fill(say.left, &[("time", "10:00")]);
        let pairing = Pairing { side: code.side, modules: &code.dark, left: &left, scan: say.scan };
        draw_all(&studio, pairing);
        for (role, scan) in [("guest", say.scan_guest), ("owner", say.scan_owner)] {
            let pairing = Some(Pairing { scan, ..pairing });
            studio.draw_in(&format!("scan-{role}"), &Scene { pairing, health: WELL, ..scene_of(&[]) }, (1280, 720));
            let visit = [tile("Anna", 0)];
            let scene = Scene { pairing, health: WELL, ..scene_of(&visit) };
            studio.draw_in(&format!("scan-{role}-visit"), &scene, (1280, 720));
        }
    }
    assert_eq!(text::cut_lately(), Vec::<String>::new(), "these are too long for their places");
}
