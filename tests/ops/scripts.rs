//! Names in scripts that the program's own fonts lack: how the TV draws them, and what `check` and `link` say of those that no
//! font here has. The fonts are packages that `.ci/prepare test` installs.

use std::path::Path;

use intercom::shell::fonts;
use intercom_base::isolate::isolated;
use intercom_base::language::Language;
use intercom_base::picture::I420;
use intercom_media::paint::Colour;
use intercom_media::scene::{self, AtDoor, Health, Scene, ViewerTile};
use intercom_media::text::{self, Align, Style, Weight};

use crate::home::Home;

const SIZE: f32 = 60.0;
const WIDTH: usize = 1400;
const HEIGHT: usize = 240;

/// No version of Unicode has this letter.
const NO_LETTER: &str = "\u{378}";

/// A text's pixels, from its left end at pixel 20 on.
fn drawn(text: &str) -> Vec<u8> {
    fonts::use_system_fonts();
    let mut canvas = I420::black(WIDTH, HEIGHT);
    let style = Style { weight: Weight::Medium, size: SIZE, colour: Colour::rgb(255, 255, 255), opacity: 1.0 };
    text::draw(&mut canvas, text, 20.0, HEIGHT as f32 / 2.0, Align::Left, style);
    canvas.planes()[0].to_vec()
}

fn width(text: &str) -> usize {
    text::width(text, Weight::Medium, SIZE) as usize
}

/// Which columns have ink.
fn ink(picture: &[u8]) -> Vec<bool> {
    (0..WIDTH).map(|x| (0..HEIGHT).any(|y| picture[y * WIDTH + x] > 60)).collect()
}

/// Parts with nothing but background between them.
fn islands(picture: &[u8]) -> usize {
    let ink = ink(picture);
    ink.windows(2).filter(|two| !two[0] && two[1]).count()
}

/// The columns from `from` on, `count` of them.
fn part(picture: &[u8], from: usize, count: usize) -> Vec<u8> {
    picture.chunks_exact(WIDTH).flat_map(|row| row[from..from + count].to_vec()).collect()
}

fn is_empty(picture: &[u8]) -> bool {
    picture.iter().all(|pixel| *pixel == 16)
}

#[test]
fn arabic_letters_join_and_run_from_right_to_left() {
    let (joined, apart) = (drawn("محمد"), drawn("م\u{200c}ح\u{200c}م\u{200c}د"));
    assert_eq!(islands(&joined), 1, "fonts-hosny-amiri is missing; .ci/prepare test installs it");
    assert!(islands(&apart) > 1 && apart != joined);
    let (both, last) = (drawn("م ح"), drawn("ح"));
    let left = 20 + width("ح");
    assert_eq!(part(&both, 0, left), part(&last, 0, left), "the last letter stands on the left");
    assert_ne!(drawn("12 م"), drawn("م 12"), "figures beside it keep their side");
}

#[test]
fn a_name_turns_round_no_other_word_of_its_sentence() {
    let sentence = drawn(&format!("{} sees and hears you", isolated("محمد")));
    let name = 20 + width("محمد");
    assert_eq!(part(&sentence, 0, name), part(&drawn("محمد"), 0, name), "the name comes first");
    let several = |first: &str| drawn(&format!("{} · 12 min · microphone off", isolated(first)));
    // What follows the name looks the same behind a name of each direction.
    let behind = |first: &str| {
        let (picture, from) = (several(first), 20 + width(first));
        let ink = ink(&picture);
        ink[from..].windows(2).filter(|two| !two[0] && two[1]).count()
    };
    assert_eq!(behind("محمد"), behind("Anna"));
    assert_eq!(drawn(&format!("{}!", isolated("\u{202e}Zoë"))), drawn("Zoë!"), "it brings no marks of its own");
}

#[test]
fn names_in_other_scripts_are_seen_and_told_apart() {
    let names = ["王小明", "李明", "김민준", "さくら", "अनिता", "सुनीता", "محمد", "محمود", "Zoë"];
    for (n, name) in names.iter().enumerate() {
        let picture = drawn(name);
        assert!(!is_empty(&picture), "{name} is not drawn");
        assert_eq!(text::undrawable(name), Vec::<String>::new());
        assert!(names[n + 1..].iter().all(|other| drawn(other) != picture), "{name} looks like another");
    }
    // The sign of a short i is written behind its consonant and stands before it.
    assert_ne!(part(&drawn("नि"), 0, 30), part(&drawn("न"), 0, 30));
}

#[test]
fn what_no_font_has_is_left_out_and_leaves_no_box() {
    assert!(is_empty(&drawn(NO_LETTER)) && text::is_blank(NO_LETTER));
    assert_eq!(drawn(&format!("Zoë{NO_LETTER}")), drawn("Zoë"));
    assert_eq!(text::undrawable(&format!("Zoë{NO_LETTER} {NO_LETTER}")), [NO_LETTER]);
    // Nor does a mark that its letter's font lacks, or what nobody is to see.
    assert_eq!(drawn("Zoë\u{fe0f}"), drawn("Zoë"));
    assert!(is_empty(&drawn("\u{200d}\u{2068}\u{fe0f}")));
}

#[test]
fn a_long_name_is_cut_between_letters_and_at_its_own_end() {
    let fitted = |text: &str, room: f32| {
        fonts::use_system_fonts();
        text::fitted(text, Weight::Medium, SIZE, room)
    };
    let cut = fitted(&"नि".repeat(30), 400.0);
    assert!(cut.ends_with("नि…") && width(&cut) <= 400, "{cut}");
    let family = "👩\u{200d}👧";
    let cut = fitted(&format!("{}{}", "A".repeat(8), family.repeat(60)), 320.0);
    assert!(cut.trim_end_matches('…').trim_start_matches('A').replace(family, "").is_empty(), "{cut}");
    let cut = fitted(&isolated("محمد بن عبد الله الطويل جدا جدا"), 400.0);
    // The dots stand low at the left end, and letters at the right.
    let picture = drawn(&cut);
    let highest = |columns: std::ops::Range<usize>| {
        (0..HEIGHT).find(|y| columns.clone().any(|x| picture[y * WIDTH + x] > 60)).unwrap_or(HEIGHT)
    };
    let dots = width("…") / 2;
    let (left, right) = (highest(20..20 + dots), highest(20 + width(&cut) - 2 * dots..20 + width(&cut)));
    assert!(left > right + 10, "dots from row {left}, letters from row {right}");
}

#[test]
fn marks_upon_marks_stay_in_their_line() {
    let picture = drawn(&format!("Z{}", "\u{30f}\u{316}".repeat(40)));
    let rows: Vec<usize> = (0..HEIGHT).filter(|y| picture[y * WIDTH..][..WIDTH].iter().any(|p| *p > 60)).collect();
    let (top, bottom) = (HEIGHT / 2 - SIZE as usize * 3 / 4, HEIGHT / 2 + SIZE as usize * 9 / 10);
    assert!(rows.iter().all(|row| (top..bottom).contains(row)), "rows {:?} to {:?}", rows.first(), rows.last());
}

#[test]
fn the_tv_shows_who_visits_by_name() {
    fonts::use_system_fonts();
    let names = ["王小明", "محمد", "अनिता"].map(isolated);
    let viewers: Vec<ViewerTile<'_>> = names.iter().enumerate().map(|(number, name)| tile(name, number)).collect();
    let compose = |viewers: &[ViewerTile<'_>]| {
        let mut canvas = I420::black(1280, 720);
        scene::compose(&scene_of(viewers), &mut canvas);
        canvas
    };
    let all = compose(&viewers);
    keep(&all, "tv-scripts");
    keep(&compose(&viewers[1..2]), "tv-arabic");
    for n in 0..3 {
        let mut others = viewers.clone();
        others[n].name = "";
        assert_ne!(all.packed(), compose(&others).packed(), "{} is drawn", names[n]);
    }
}

#[test]
fn check_and_link_tell_which_names_the_tv_cannot_show() {
    let home = Home::new("");
    let said = |command: &str| {
        let output = home.ask(command);
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    for name in ["王小明", "محمد", "Zoë"] {
        let text = said(&format!("link --name {name}"));
        assert!(!text.contains("no font"), "{text}");
    }
    assert!(!said("check").contains("no font"));
    let text = said(&format!("link --name Zoë{NO_LETTER}"));
    assert!(
        text.contains(&format!("no font of this machine has \"{NO_LETTER}\"")) && text.contains("the rest"),
        "{text}"
    );
    assert!(text.contains("#p="), "the link is made all the same: {text}");
    let text = said("check");
    assert!(
        text.contains(&format!("person 4: \"Zoë{NO_LETTER}\": no font")) && !text.contains("[home] name:"),
        "{text}"
    );
    home.edit(|text| text.replace("[home]\n", &format!("[home]\nname = \"{NO_LETTER}\"\n")));
    let text = said("check");
    assert!(text.contains(&format!("[home] name: \"{NO_LETTER}\"")) && text.contains("it shows no name"), "{text}");
}

pub fn scene_of<'a>(viewers: &'a [ViewerTile<'a>]) -> Scene<'a> {
    Scene {
        sentences: Language::English.sentences(),
        hint: "",
        home: "",
        clock: "",
        date: "",
        visits: &[],
        notices: &[],
        health: Health::default(),
        pairing: None,
        door: AtDoor::default(),
        viewers,
        own: None,
        drift: (0.0, 0.0),
    }
}

pub fn tile(name: &str, number: usize) -> ViewerTile<'_> {
    ViewerTile {
        name,
        stay: "12 min",
        number,
        picture: None,
        camera: false,
        microphone: true,
        speaking: false,
        connected: true,
        was_connected: true,
    }
}

/// Keeps a picture's brightness for a person to look at.
pub fn keep(picture: &I420, name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/artefacts");
    std::fs::create_dir_all(&folder).expect("a folder for artefacts");
    let file = std::fs::File::create(folder.join(format!("{name}.png"))).expect("a file for the picture");
    let mut encoder = png::Encoder::new(file, picture.width() as u32, picture.height() as u32);
    encoder.set_color(png::ColorType::Grayscale);
    let mut writer = encoder.write_header().expect("begin the picture");
    writer.write_image_data(picture.planes()[0]).expect("write the picture");
}
