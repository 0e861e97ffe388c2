//! The TV's picture: an idle card with a clock, or the viewers who visit.
//!
//! While somebody visits, `layout.rs` gives each sign a place that hides no face and no name; everything else draws where it says.

mod code;
mod door;
mod idle;
mod layout;
mod look;
mod sign;
mod viewers;
mod visits;

use intercom_base::language::Sentences;
use intercom_base::picture::I420;

use crate::scale::Rect;

/// All that the picture depends on.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// What the scene itself says.
    pub sentences: &'static Sentences,
    /// The home's name.
    pub home: &'a str,
    /// The time of day in words, e.g. `14:05`.
    pub clock: &'a str,
    /// The date in words, may be empty.
    pub date: &'a str,
    /// The last visits, the newest first, for the idle card.
    pub visits: &'a [VisitLine<'a>],
    /// What people at home may do while nobody visits, in small words; may be empty.
    pub hint: &'a str,
    /// What people at home should mend, the first in more than one line if it must be.
    pub notices: &'a [String],
    /// What works.
    pub health: Health,
    /// A code for a new viewer's phone, while one is offered.
    pub pairing: Option<Pairing<'a>>,
    /// What happens at home's door.
    pub door: AtDoor<'a>,
    /// Who visits.
    pub viewers: &'a [ViewerTile<'a>],
    /// What home's own camera sees, to be shown small; `None` if it is off or not wanted.
    pub own: Option<&'a I420>,
    /// Where everything that stays for long stands now, each -1.0 to 1.0: it wanders, so that no screen burns in.
    pub drift: (f32, f32),
}

/// What works at home; `None` is not known yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// The camera delivers pictures.
    pub camera: Option<bool>,
    /// The microphone can be heard.
    pub microphone: Option<bool>,
    /// The speaker plays.
    pub speaker: Option<bool>,
    /// There is an address at which home can be reached.
    pub network: Option<bool>,
    /// Somebody at home has muted the microphone.
    pub muted: bool,
}

/// A QR code that lets a phone in.
#[derive(Clone, Copy, Debug)]
pub struct Pairing<'a> {
    /// Modules along each edge.
    pub side: usize,
    /// `side * side` of them, row by row; `true` is dark.
    pub modules: &'a [bool],
    /// How long it is good for, e.g. `9:41 left`.
    pub left: &'a str,
    /// What whoever scans it becomes, e.g. `Scan to visit`.
    pub scan: &'a str,
}

/// What happens at home's door.
#[derive(Clone, Copy, Debug, Default)]
pub struct AtDoor<'a> {
    /// Whoever waits longest.
    pub knock: Option<KnockCard<'a>>,
    /// Nobody sees or hears home, so that home does not see itself either.
    pub curtain: bool,
    /// Home has quiet hours: what is bright is darker.
    pub resting: bool,
    /// What has changed, e.g. `Anna has a new device`; may be empty.
    pub change: &'a str,
}

/// Somebody who is not inside yet, in words; all but the first two may be empty.
#[derive(Clone, Copy, Debug)]
pub struct KnockCard<'a> {
    /// e.g. `Anna would like to come in`.
    pub title: &'a str,
    /// The time that is left, e.g. `0:42`.
    pub left: &'a str,
    /// What lets them in, e.g. `Let in: F9`.
    pub let_in: &'a str,
    /// What declines, e.g. `Not now: F10`.
    pub decline: &'a str,
    /// Who else waits, e.g. `and 2 more`.
    pub more: &'a str,
}

/// One visit of the last days.
#[derive(Clone, Copy, Debug)]
pub struct VisitLine<'a> {
    /// e.g. `Sunday 18:05`
    pub when: &'a str,
    /// Whose; cut where there is less room.
    pub name: &'a str,
    /// What became of it; the name takes the place of `{name}`, e.g. `{name} was here for 12 min`.
    pub what: &'a str,
}

/// One viewer.
#[derive(Clone, Copy, Debug)]
pub struct ViewerTile<'a> {
    /// Their name.
    pub name: &'a str,
    /// How long they have been here, in words; may be empty.
    pub stay: &'a str,
    /// Tells them apart from the others, for as long as they visit.
    pub number: usize,
    /// The newest picture of their camera; `None` while there is none, or the camera is off.
    pub picture: Option<&'a I420>,
    /// Their camera is on: without a picture, one is about to come.
    pub camera: bool,
    /// Their microphone is on.
    pub microphone: bool,
    /// They are saying something; shown where several visit.
    pub speaking: bool,
    /// Media flows; they see home.
    pub connected: bool,
    /// Media flowed before: what is missing now was lost, and is not just on its way.
    pub was_connected: bool,
}

/// Draws the scene into all of `canvas`.
pub fn compose(scene: &Scene<'_>, canvas: &mut I420) {
    let screen = Rect::of(canvas);
    let unit = (screen.width.min(screen.height) as f32 / 720.0).max(0.1);
    match scene.viewers {
        [] => idle::draw(scene, canvas, unit),
        _ => viewers::draw(scene, canvas, unit),
    }
}

#[cfg(test)]
mod tests {
    use intercom_base::language::Language;
    use intercom_base::testing::pictures::room;

    use super::*;
    use crate::test_pictures::{dump_png, thread_cpu_ms};

    pub fn viewer<'a>(name: &'a str, number: usize, picture: Option<&'a I420>) -> ViewerTile<'a> {
        let camera = picture.is_some();
        ViewerTile {
            name,
            stay: "12 min",
            number,
            picture,
            camera,
            microphone: true,
            speaking: false,
            connected: true,
            was_connected: true,
        }
    }

    pub fn scene<'a>(viewers: &'a [ViewerTile<'a>]) -> Scene<'a> {
        let yes = Some(true);
        Scene {
            sentences: Language::English.sentences(),
            home: "Grandma’s kitchen",
            clock: "14:05",
            date: "Sunday, 22 November",
            visits: &[VisitLine { when: "13:40", name: "Anna", what: "{name} was here for 12 min" }],
            hint: "",
            notices: &[],
            health: Health { camera: yes, microphone: yes, speaker: yes, network: yes, muted: false },
            pairing: None,
            door: AtDoor::default(),
            viewers,
            own: None,
            drift: (0.0, 0.0),
        }
    }

    pub fn pairing(code: &crate::qr::Modules) -> Pairing<'_> {
        Pairing { side: code.side, modules: &code.dark, left: "9:41 left", scan: "Scan to visit" }
    }

    /// Somebody knocks, with as much to say as there can be.
    pub fn knock<'a>(title: &'a str) -> KnockCard<'a> {
        KnockCard { title, left: "0:42", let_in: "Let in: F9", decline: "Not now: F10", more: "and 2 more" }
    }

    fn red(canvas: &I420) -> usize {
        canvas.planes()[2].iter().filter(|v| **v > 190).count()
    }

    fn luma(canvas: &I420, x: usize, y: usize) -> u8 {
        canvas.planes()[0][y * canvas.width() + x]
    }

    #[test]
    fn one_viewer_fills_the_screen_and_keeps_their_shape() {
        let mut picture = I420::black(720, 1280);
        picture.planes_mut()[0].fill(200);
        let mut canvas = I420::black(1280, 720);
        compose(&scene(&[viewer("Viewer 1", 0, Some(&picture))]), &mut canvas);
        assert_eq!(luma(&canvas, 640, 360), 200, "the picture");
        assert_eq!(luma(&canvas, 640, 2), 200, "up to the upper edge");
        assert!((40..120).contains(&luma(&canvas, 100, 360)), "a dark glow beside it");
        assert!((40..120).contains(&luma(&canvas, 1200, 360)));
        let landscape = room(640, 360, 0);
        compose(&scene(&[viewer("Viewer 1", 0, Some(&landscape))]), &mut canvas);
        assert!(luma(&canvas, 2, 360).abs_diff(landscape.planes()[0][180 * 640 + 1]) < 20, "no bars");
    }

    #[test]
    fn somebody_watching_is_always_shown_and_nobody_never() {
        let mut canvas = I420::black(1280, 720);
        compose(&scene(&[]), &mut canvas);
        assert_eq!(red(&canvas), 0);
        let dark = I420::black(64, 64);
        for viewers in [
            vec![viewer("Anna", 0, None)],
            vec![viewer("Anna", 0, Some(&dark))],
            vec![viewer("Anna", 0, Some(&dark)), viewer("Viewer 2", 1, None)],
        ] {
            for drift in [(-1.0, -1.0), (1.0, 1.0)] {
                // What is not known to be off counts as on.
                for state in [None, Some(true)] {
                    let health = Health { camera: state, microphone: Some(false), ..Health::default() };
                    compose(&Scene { drift, health, own: Some(&dark), ..scene(&viewers) }, &mut canvas);
                    assert!(red(&canvas) > 20, "{} {drift:?} {state:?}", viewers.len());
                }
            }
        }
        let viewers = [viewer("Anna", 0, None)];
        let health = Health { camera: Some(false), microphone: Some(false), ..Health::default() };
        compose(&Scene { health, ..scene(&viewers) }, &mut canvas);
        assert_eq!(red(&canvas), 0, "nothing goes out");
        let connecting = [ViewerTile { connected: false, ..viewer("Anna", 0, None) }];
        compose(&scene(&connecting), &mut canvas);
        assert_eq!(red(&canvas), 0, "who is not here yet does not watch");
    }

    #[test]
    fn who_speaks_has_a_frame_where_there_are_several() {
        let dark = I420::black(640, 360);
        let silent = [viewer("Anna", 0, Some(&dark)), viewer("Ben", 1, None)];
        let drawn = |viewers: &[ViewerTile<'_>]| {
            let mut canvas = I420::black(1280, 720);
            compose(&scene(viewers), &mut canvas);
            canvas
        };
        let before = drawn(&silent);
        let halves = |canvas: &I420| {
            let mut changed = [0; 2];
            for (at, (old, new)) in before.planes()[0].iter().zip(canvas.planes()[0]).enumerate() {
                changed[usize::from(at % 1280 >= 640)] += usize::from(old.abs_diff(*new) > 40);
            }
            changed
        };
        for who in 0..2 {
            let mut viewers = silent;
            viewers[who].speaking = true;
            let canvas = drawn(&viewers);
            dump_png(&canvas, &format!("speaks-{who}"));
            let changed = halves(&canvas);
            assert!(changed[who] > 3000 && changed[1 - who] == 0, "{who}: {changed:?}");
            viewers[who].connected = false;
            let gone =
                drawn(&[ViewerTile { speaking: false, ..viewers[0] }, ViewerTile { speaking: false, ..viewers[1] }]);
            assert_eq!(drawn(&viewers).packed(), gone.packed(), "who is away does not speak");
        }
        let [alone, _] = silent;
        assert_eq!(drawn(&[ViewerTile { speaking: true, ..alone }]).packed(), drawn(&[alone]).packed());
    }

    #[test]
    fn whether_home_is_heard_changes_the_sign() {
        let viewers = [viewer("Anna", 0, None)];
        let signs = [(1, 1), (1, 0), (0, 1), (0, 0), (1, 2), (0, 2)].map(|(camera, microphone)| {
            let (camera, muted) = (Some(camera == 1), microphone == 2);
            let health = Health { camera, microphone: Some(microphone > 0), muted, ..Health::default() };
            let mut canvas = I420::black(1280, 720);
            compose(&Scene { health, ..scene(&viewers) }, &mut canvas);
            canvas.packed()[..1280 * 90].to_vec()
        });
        for (n, sign) in signs.iter().enumerate() {
            assert!(signs[n + 1..].iter().all(|other| other != sign), "{n}");
        }
    }

    #[test]
    fn home_sees_itself_mirrored_in_the_corner() {
        let mut own = I420::black(640, 360);
        for row in own.planes_mut()[0].chunks_exact_mut(640) {
            row[..320].fill(235);
        }
        let (far, mut canvas) = (I420::black(1280, 720), I420::black(1280, 720));
        let viewers = [viewer("Anna", 0, Some(&far))];
        compose(&Scene { own: Some(&own), ..scene(&viewers) }, &mut canvas);
        assert_eq!((luma(&canvas, 1080, 640), luma(&canvas, 1220, 640)), (16, 235));
    }

    #[test]
    fn a_phone_reads_the_code_off_the_screen() {
        let text = "https://192.168.1.20:8443/#p=AAAAAAAAAAAAAAAAAAAAAA";
        let code = crate::qr::modules(text).unwrap();
        let pairing = pairing(&code);
        for (width, height) in [(1280, 720), (1920, 1080), (720, 1280), (640, 480)] {
            for drift in [(-1.0, 1.0), (1.0, -1.0)] {
                let mut canvas = I420::black(width, height);
                compose(&Scene { pairing: Some(pairing), drift, ..scene(&[]) }, &mut canvas);
                assert_eq!(read_code(&canvas).as_deref(), Some(text), "{width}x{height}");
                let far = room(640, 480, 7);
                let visitors = [viewer("Anna", 0, Some(&far)), viewer("Ben", 1, None)];
                for count in 1..=visitors.len() {
                    let mut canvas = I420::black(width, height);
                    compose(&Scene { pairing: Some(pairing), drift, ..scene(&visitors[..count]) }, &mut canvas);
                    assert_eq!(read_code(&canvas).as_deref(), Some(text), "{width}x{height}, {count} visit");
                }
            }
        }
    }

    /// What a QR reader finds in a picture.
    pub fn read_code(canvas: &I420) -> Option<String> {
        let luma = canvas.planes()[0];
        let (width, height) = (canvas.width(), canvas.height());
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| luma[y * width + x]);
        Some(image.detect_grids().first()?.decode().ok()?.1)
    }

    #[test]
    fn nothing_bright_stays_where_it_is() {
        let far = I420::black(1280, 720);
        for viewers in [vec![], vec![viewer("Anna", 0, Some(&far))]] {
            let [one, other] = [(-1.0, -1.0), (1.0, 1.0)].map(|drift| {
                let mut canvas = I420::black(1280, 720);
                compose(&Scene { drift, ..scene(&viewers) }, &mut canvas);
                canvas
            });
            let both = one.planes()[0].iter().zip(other.planes()[0]).filter(|(a, b)| **a > 180 && **b > 180).count();
            let bright = one.planes()[0].iter().filter(|a| **a > 180).count();
            assert!(bright > 1000 && both * 4 < bright, "{both} of {bright} bright pixels stay");
        }
    }

    #[test]
    fn every_size_and_every_state_is_drawn_without_a_panic() {
        let pictures = [room(640, 480, 0), room(90, 160, 0), room(33, 17, 0)];
        let code = crate::qr::modules("https://192.168.1.20:8443/#p=AAAAAAAAAAAAAAAAAAAAAA").unwrap();
        let pairing = pairing(&code);
        for (width, height) in [(1280, 720), (64, 36), (2, 2), (1, 1), (720, 1280), (641, 361)] {
            for count in [0, 1, 2, 3, 5, 9, 32] {
                let viewers: Vec<ViewerTile<'_>> = (0..count)
                    .map(|n| ViewerTile {
                        camera: n % 2 == 0,
                        microphone: n % 3 == 0,
                        connected: n % 5 != 4,
                        was_connected: n % 2 == 0,
                        ..viewer("Viewer with a long name", n, pictures.get(n % 4))
                    })
                    .collect();
                let own = pictures.get(count % 4);
                let door =
                    AtDoor { knock: Some(knock("Anna would like to come in")), curtain: true, ..AtDoor::default() };
                for door in [AtDoor::default(), door] {
                    let scene = Scene { own, door, pairing: Some(pairing), drift: (1.0, -1.0), ..scene(&viewers) };
                    compose(&scene, &mut I420::black(width, height));
                }
            }
        }
    }

    #[test]
    fn every_scene_differs_from_every_other_and_is_kept_to_be_looked_at() {
        let mut scenes: Vec<(String, I420)> = Vec::new();
        let mut look = |name: &str, scene: &Scene<'_>, (width, height): (usize, usize)| {
            let mut canvas = I420::black(width, height);
            compose(scene, &mut canvas);
            dump_png(&canvas, &format!("tv-{name}"));
            for (other, picture) in &scenes {
                assert!(picture.packed() != canvas.packed(), "{name} looks like {other}");
            }
            scenes.push((name.to_owned(), canvas));
        };
        let (wide, tall, old) = (room(1280, 720, 3), room(720, 1280, 9), room(640, 480, 30));
        let new = ViewerTile { connected: false, was_connected: false, stay: "", ..viewer("Viewer 2", 0, None) };
        let coming = ViewerTile { camera: true, stay: "", ..viewer("Anna", 0, None) };
        let silent = ViewerTile { microphone: false, ..viewer("Viewer 3", 2, None) };
        let muted = ViewerTile { microphone: false, ..viewer("Onkel Jürgen", 3, Some(&old)) };
        let broken = ViewerTile { connected: false, ..viewer("Anna", 0, Some(&wide)) };
        let all = [
            viewer("Anna", 0, Some(&wide)),
            viewer("Ελένη", 1, Some(&tall)),
            silent,
            muted,
            ViewerTile { number: 4, name: "Viewer 5", ..new },
            viewer("ნინო", 5, None),
        ];
        let shots: [(&str, Vec<ViewerTile<'_>>); 11] = [
            ("idle", vec![]),
            ("connecting", vec![new]),
            ("coming", vec![coming]),
            ("one-wide", vec![all[0]]),
            ("one-tall", vec![all[1]]),
            ("sound-only", vec![viewer("Բաբուշկա Наталья", 1, None)]),
            ("broken", vec![broken]),
            ("broken-sound", vec![ViewerTile { picture: None, camera: false, ..broken }]),
            ("two", all[..2].to_vec()),
            ("four", all[..4].to_vec()),
            ("six", all.to_vec()),
        ];
        for (name, viewers) in shots {
            look(name, &Scene { own: Some(&old), ..scene(&viewers) }, (1280, 720));
        }
        let code = crate::qr::modules("https://192.168.1.20:8443/#p=AAAAAAAAAAAAAAAAAAAAAA").unwrap();
        let pairing = pairing(&code);
        let offering = Scene { pairing: Some(pairing), ..scene(&[]) };
        look("pairing-small", &Scene { drift: (-1.0, 1.0), ..offering }, (1024, 768));
        look("pairing-tall", &Scene { drift: (-1.0, 1.0), ..offering }, (720, 1280));
        look("pairing", &offering, (1280, 720));
        let hint = "New phone? Press Enter on a keyboard here";
        look("hint", &Scene { hint, drift: (1.0, 1.0), ..scene(&[]) }, (1280, 720));
        look("hint-tall", &Scene { hint, ..scene(&[]) }, (720, 1280));
        look("pairing-visit", &Scene { own: Some(&old), pairing: Some(pairing), ..scene(&all[..1]) }, (1280, 720));
        look("pairing-six", &Scene { own: Some(&old), pairing: Some(pairing), ..scene(&all) }, (1280, 720));
        let ill =
            Health { camera: Some(false), network: Some(false), microphone: None, speaker: Some(true), muted: false };
        look("ill", &Scene { health: ill, visits: &[], ..scene(&[]) }, (1280, 720));
        let notices = [
            "intercom.toml, line 12: video.widht: there is no such key; did you mean width? (and 2 more)".to_owned(),
            "Until that is mended, the settings that ran last are used".to_owned(),
        ];
        look("mistake", &Scene { notices: &notices, ..scene(&[]) }, (1280, 720));
        let many = [&notices[..], &["The disk is full: what is new is lost with the next start".to_owned()]].concat();
        look("mistakes", &Scene { notices: &[&many[..], &many[..1]].concat(), ..scene(&[]) }, (1280, 720));
        look("mistake-pairing", &Scene { notices: &notices, drift: (1.0, -1.0), ..offering }, (1280, 720));
        look("unseen", &Scene { health: ill, ..scene(&all[..1]) }, (1280, 720));
        let muted = Health { muted: true, ..scene(&[]).health };
        look("muted", &Scene { health: muted, own: Some(&old), ..scene(&all[..1]) }, (1280, 720));
        look("muted-two", &Scene { health: muted, own: Some(&old), ..scene(&all[..2]) }, (1280, 720));
        look("muted-idle", &Scene { health: muted, ..scene(&[]) }, (1280, 720));
    }

    #[test]
    #[ignore = "prints what the scenes cost"]
    fn cost_of_the_scenes() {
        let (wide, old) = (room(1280, 720, 3), room(640, 480, 30));
        let viewers = [viewer("Anna", 0, Some(&wide)), viewer("Ελένη", 1, Some(&old)), viewer("Viewer 3", 2, None)];
        for count in 0..=3 {
            let scene = Scene { own: Some(&old), ..scene(&viewers[..count]) };
            let mut canvas = I420::black(1280, 720);
            let begun = thread_cpu_ms();
            (0..10).for_each(|_| compose(&scene, &mut canvas));
            println!("{count} viewers: {:.2} ms", (thread_cpu_ms() - begun) / 10.0);
        }
    }
}
