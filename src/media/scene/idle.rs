//! The card of a home that nobody visits: the clock, what works, and at times a code for a new viewer's phone.

use intercom_base::picture::I420;

use crate::paint::{self, Colour};
use crate::scale::Rect;
use crate::scene::door::{self, Card};
use crate::scene::layout::{self, GAP, cut_bottom, cut_top};
use crate::scene::look::{AMBER, BOTTOM, GREEN, GREY, MUTED, Pill, TOP, WHITE, line};
use crate::scene::visits::{self, Visits};
use crate::scene::{Health, Scene, code, sign};
use crate::text::{self, Style, Weight};

/// How far the card's content wanders, in units of a 720th of the screen's height.
const WANDER: (f32, f32) = (44.0, 20.0);

/// Above the clock there is room for so many lines; for more of them it is drawn smaller.
const ROOMY: usize = 3;

/// And above the smaller clock for so many, before they are drawn smaller, too.
const CROWDED: usize = 5;

/// Lines of all notices together, and of one.
const MOST_LINES: usize = 6;
const MOST_OF_ONE: usize = 4;

/// And all together while somebody waits at the door.
const MOST_BESIDE: usize = 3;

/// How far clock and words reach above and below their middle, without notices and hint.
const OVER: f32 = 215.0;
const UNDER: f32 = 295.0;

/// Letters' size of a notice.
const NOTICE: f32 = 27.0;

/// And of what people may do.
const HINT: f32 = 25.0;

/// Of everything, where there is more to show than the clock.
const SMALLER: f32 = 0.72;

/// And where there are several visits, if there is room.
const BESIDE_VISITS: f32 = 0.86;

/// What works is never smaller than that, unless there is no other way.
const LEAST_HEALTH: f32 = 0.8;

/// Height of what tells that something works.
const PILL: f32 = 42.0;

/// Where home's name stands, below the middle of clock and words.
const HOME: f32 = 112.0;

/// What stays free above and below, in units.
const EDGE: f32 = 12.0;

pub(super) fn draw(scene: &Scene<'_>, canvas: &mut I420, unit: f32) {
    paint::gradient(canvas, TOP, BOTTOM);
    let screen = Rect::of(canvas);
    let mut left = screen;
    let card = scene.door.knock.map(|knock| Card::on_idle_card(knock, screen.width as f32, unit));
    if let Some(card) = &card {
        let place = card.place(cut_bottom(&mut left, card.strip()));
        card.draw(canvas, place, false);
    }
    if scene.door.curtain {
        curtain(scene, canvas, &mut left, unit);
    }
    content(scene, canvas, left, unit);
    if scene.door.resting {
        door::quieten(canvas);
    }
}

/// Above all, since nothing else says that nobody sees home.
fn curtain(scene: &Scene<'_>, canvas: &mut I420, left: &mut Rect, unit: f32) {
    let Some(sign) = sign::of(scene, left.width as f32 * 0.86, unit) else { return };
    let (dx, dy) = (scene.drift.0 * WANDER.0 * unit, scene.drift.1 * GAP * unit);
    let strip = cut_top(left, sign.height() + 4.0 * GAP * unit);
    let x = strip.x as f32 + (strip.width as f32 - sign.width()) / 2.0 + dx;
    let y = strip.y as f32 + 2.0 * GAP * unit + dy;
    sign.draw(canvas, layout::place((x, y), (sign.width(), sign.height())));
}

/// Clock, notices, visits and what works, within what is `left` of the screen.
fn content(scene: &Scene<'_>, canvas: &mut I420, left: Rect, unit: f32) {
    let (width, height) = (canvas.width() as f32, left.height as f32);
    // Beside the code on a wide screen, above it on a tall one.
    let beside = scene.pairing.is_some() && width > canvas.height() as f32 * 1.2;
    let room = width * if beside { 0.46 } else { 0.86 };
    let visits = Visits::of(scene, room, unit);
    let place = Place::of(scene, canvas, left, &visits, (room, unit));
    let Place { x, y, scale, count, .. } = place;
    let mut write = |words: &str, dy: f32, weight: Weight, size: f32, colour: Colour| {
        let style = Style { weight, size: size * scale * unit, colour, opacity: 1.0 };
        line(canvas, words, (x, y + dy * scale * unit), room, style);
    };
    write(scene.clock, -116.0, Weight::Light, 250.0, WHITE);
    write(scene.date, 8.0, Weight::Medium, 38.0, MUTED);
    if scene.door.resting {
        write(scene.sentences.quiet_hours, 56.0, Weight::Medium, 30.0, MUTED);
    }
    write(scene.home, HOME, Weight::Medium, 50.0, WHITE);
    if count == 0 {
        write(scene.sentences.nobody, 170.0, Weight::Medium, 34.0, MUTED);
    }
    visits.draw(canvas, count, (x, y + first_visit(scale) * unit));
    notices(&place.lines, canvas, (x, y - 250.0 * scale * unit), room, place.notice_scale * unit);
    let below = health(scene, canvas, (x, y + place.health * unit), room, place.health_scale * unit);
    if has_hint(scene) {
        let style = Style { weight: Weight::Medium, size: HINT * unit, colour: MUTED, opacity: 1.0 };
        line(canvas, scene.hint, (x, below + HINT * unit), room, style);
    }
    if scene.pairing.is_some() {
        let (x, y, most) =
            if beside { (width * 0.755, height * 0.5, height) } else { (width * 0.5, height * 0.70, height * 0.56) };
        // A little: its white is the brightest of all.
        let (x, y) = (x + scene.drift.0 * 12.0 * unit, left.y as f32 + y + scene.drift.1 * 12.0 * unit);
        code::draw(scene, canvas, (x, y), code::unit_within(most - 24.0 * unit, unit));
    }
}

fn has_hint(scene: &Scene<'_>) -> bool {
    scene.pairing.is_none() && scene.door.knock.is_none() && !scene.hint.is_empty()
}

/// Where clock and words stand, and how large they are.
struct Place {
    /// What clock and words stand around, in pixels.
    x: f32,
    y: f32,
    scale: f32,
    lines: Vec<(String, Colour)>,
    notice_scale: f32,
    /// So many of the visits.
    count: usize,
    /// Upper edge of what works, below `y`, in units.
    health: f32,
    health_scale: f32,
}

impl Place {
    fn of(scene: &Scene<'_>, canvas: &I420, left: Rect, visits: &Visits, (room, unit): (f32, f32)) -> Place {
        let (width, height) = (canvas.width() as f32, left.height as f32);
        let beside = scene.pairing.is_some() && width > canvas.height() as f32 * 1.2;
        let above = scene.pairing.is_some() && !beside;
        let told = |scale: f32| told_lines(scene, NOTICE * scale * unit, room);
        let notices = told(1.0).len();
        let mut scale = if scene.pairing.is_some() || notices > ROOMY { SMALLER } else { 1.0 };
        let mut notice_scale = if scene.pairing.is_some() || notices > CROWDED { SMALLER } else { 1.0 };
        let mut lines = told(notice_scale);
        let (mut wander, mut lower) = (if beside { WANDER.0 * 0.5 } else { WANDER.0 }, 0.0);
        let is_short = left.height < canvas.height();
        let fitting = fitting(scene, visits, (lines.len(), scale, notice_scale), (height / unit, room, unit));
        if let Some(fitting) = &fitting {
            (scale, lower) = (fitting.scale, fitting.lower * unit);
        } else if is_short {
            // Somebody waits, or the curtain is drawn: that comes first, and the rest makes do with what is left.
            if scene.door.knock.is_some() {
                lines.truncate(MOST_BESIDE);
            }
            let over = if lines.is_empty() { OVER } else { OVER + 34.0 * lines.len() as f32 + 19.0 };
            let under = if has_hint(scene) { UNDER + 2.0 * HINT } else { UNDER };
            let share = if above { 0.40 } else { 1.0 };
            scale = scale.min(height * share / ((over + under + 2.0 * WANDER.1) * unit)).max(0.05);
            (notice_scale, lower) = (scale, (over - under) / 2.0 * scale * unit);
        }
        if is_short {
            wander = wander.min(WANDER.1);
        }
        let part = match above {
            true if is_short => 0.21,
            true => 0.26,
            false => 0.5,
        };
        let y = left.y as f32 + height * part + lower;
        let (count, health, health_scale) = match fitting {
            Some(Fitting { count, health, .. }) => (count, health, scale.max(LEAST_HEALTH)),
            None => (0, 238.0 * scale, if is_short { scale } else { scale.max(LEAST_HEALTH) }),
        };
        Place {
            x: width * if beside { 0.28 } else { 0.5 } + scene.drift.0 * wander * unit,
            y: y + scene.drift.1 * WANDER.1 * if is_short { scale } else { 1.0 } * unit,
            scale,
            lines,
            notice_scale,
            count,
            health,
            health_scale,
        }
    }
}

/// As many visits as there is room for, in units.
struct Fitting {
    count: usize,
    /// Of the clock.
    scale: f32,
    /// Upper edge of what works, below the middle of clock and words.
    health: f32,
    /// How far that middle stands below the middle of the screen.
    lower: f32,
}

/// Clock and visits share the height, which is in units: first the clock becomes smaller, then there are fewer visits. `None` where no visit is told.
fn fitting(
    scene: &Scene<'_>,
    visits: &Visits,
    (notices, largest, notice_scale): (usize, f32, f32),
    (height, room, unit): (f32, f32, f32),
) -> Option<Fitting> {
    let most = height - 2.0 * (WANDER.1 + EDGE);
    (1..=visits.len()).rev().find_map(|count| {
        let scales = [if count > 1 { BESIDE_VISITS } else { 1.0 }, SMALLER];
        scales.into_iter().map(|scale| scale.min(largest)).find_map(|scale| {
            let over = if notices == 0 { OVER * scale } else { 250.0 * scale + 34.0 * notices as f32 * notice_scale };
            let health = first_visit(scale) + visits.height(count) + visits::LETTERS / 2.0 + 50.0 * scale;
            let hint = if has_hint(scene) { 2.0 * HINT } else { 0.0 };
            let pills = scale.max(LEAST_HEALTH);
            let second = if in_row(&health_words(scene), room, pills * unit) < 4 { PILL * 1.3 } else { 0.0 };
            let under = health + (PILL + 15.0 + second) * pills + hint;
            let lower = (over - under) / 2.0;
            (over + under <= most).then_some(Fitting { count, scale, health, lower })
        })
    })
}

/// The middle of the first line about visits, below that of clock and words, in units: its letters do not become smaller with them.
fn first_visit(scale: f32) -> f32 {
    (HOME + 25.0) * scale + visits::LETTERS / 2.0 + 20.0
}

/// What people should mend, and what has changed, from above down to `bottom`.
fn notices(lines: &[(String, Colour)], canvas: &mut I420, bottom: (f32, f32), room: f32, unit: f32) {
    for (n, (words, colour)) in lines.iter().rev().enumerate() {
        let style = Style { weight: Weight::Medium, size: NOTICE * unit, colour: *colour, opacity: 1.0 };
        line(canvas, words, (bottom.0, bottom.1 - n as f32 * 34.0 * unit), room, style);
    }
}

/// The notices, and below them what has changed.
fn told_lines(scene: &Scene<'_>, size: f32, room: f32) -> Vec<(String, Colour)> {
    let notices = notice_lines(scene.notices, size, room).into_iter().map(|line| (line, AMBER));
    let change = Some(scene.door.change).filter(|change| !change.is_empty());
    let change = change.map(|change| text::wrapped(change, Weight::Medium, size, room, 2)).unwrap_or_default();
    notices.chain(change.into_iter().map(|line| (line, WHITE))).collect()
}

/// The notices in lines. Where there is no room for all, the last one is cut first, but each keeps a line.
fn notice_lines(notices: &[String], size: f32, room: f32) -> Vec<String> {
    let wrapped = |notice: &String, most: usize| text::wrapped(notice, Weight::Medium, size, room, most);
    let mut shares: Vec<usize> = notices.iter().map(|notice| wrapped(notice, MOST_OF_ONE).len()).collect();
    while shares.iter().sum::<usize>() > MOST_LINES {
        let Some(longest) = shares.iter_mut().rev().find(|share| **share > 1) else { break };
        *longest -= 1;
    }
    let lines = notices.iter().zip(shares).flat_map(|(notice, share)| wrapped(notice, share));
    lines.take(MOST_LINES).collect()
}

/// What works and what does not: the words for it, and for the opposite.
type Works = (Option<bool>, &'static str, &'static str);

fn health_words(scene: &Scene<'_>) -> [Works; 4] {
    let (Health { camera, microphone, speaker, network, muted }, say) = (scene.health, scene.sentences);
    [
        (camera, say.camera, say.no_camera),
        match muted {
            true => (Some(false), "", say.microphone_muted),
            false => (microphone, say.microphone, say.no_microphone),
        },
        (speaker, say.speaker, say.no_speaker),
        (network, say.network, say.no_network),
    ]
}

fn pill((state, well, ill): Works, room: f32, unit: f32) -> Pill<'static> {
    let (words, dot) = match state {
        Some(true) => (well, GREEN),
        Some(false) => (ill, AMBER),
        None => (well, GREY),
    };
    Pill { words, height: PILL * unit, room, dot: Some(dot), ground: 0.35 }
}

fn row_width(words: &[Works], room: f32, unit: f32) -> f32 {
    let gap = PILL * unit * 0.3;
    words.iter().map(|word| pill(*word, room, unit).width() + gap).sum::<f32>() - gap
}

/// Smaller words could not be read from the sofa; a second row can.
fn in_row(words: &[Works], room: f32, unit: f32) -> usize {
    if row_width(words, room, unit) <= room { 4 } else { 2 }
}

/// A row or two of what works and what does not, around `middle`; where they end.
fn health(scene: &Scene<'_>, canvas: &mut I420, middle: (f32, f32), room: f32, unit: f32) -> f32 {
    let (words, height) = (health_words(scene), PILL * unit);
    let gap = height * 0.3;
    let in_row = in_row(&words, room, unit);
    for (n, row) in words.chunks(in_row).enumerate() {
        let mut x = middle.0 - row_width(row, room, unit) / 2.0;
        for word in row {
            let pill = pill(*word, room, unit);
            pill.draw(canvas, (x, middle.1 + n as f32 * (height + gap)));
            x += pill.width() + gap;
        }
    }
    let rows = words.len().div_ceil(in_row) as f32;
    middle.1 + rows * (height + gap)
}

#[cfg(test)]
mod tests {
    use intercom_base::letters::NOTICE_LETTERS;

    use super::*;
    use crate::scene::tests::{knock, pairing, scene};
    use crate::scene::{AtDoor, VisitLine};

    /// Whole words in lines that fit, without an ellipsis.
    fn is_whole(notices: &[String], size: f32, room: f32) -> bool {
        let lines = notice_lines(notices, size, room);
        lines.iter().all(|line| text::width(line, Weight::Medium, size) <= room) && lines.join(" ") == notices.join(" ")
    }

    #[test]
    fn a_mistake_of_the_longest_kind_is_never_cut() {
        let mut mistake = "intercom.toml, line 1234: microphone.alsa.device:".to_owned();
        while mistake.chars().count() < NOTICE_LETTERS - 8 {
            mistake += " mammoth";
        }
        let told = [mistake, "Until that is mended, the settings that ran last are used".to_owned()];
        // Alone, and beside a code, on a screen of 1280x720.
        assert!(is_whole(&told, NOTICE, 0.86 * 1280.0));
        assert_eq!(notice_lines(&told, NOTICE, 0.86 * 1280.0).len(), ROOMY, "two, and one");
        assert!(is_whole(&told, NOTICE * SMALLER, 0.46 * 1280.0));
        // On one that stands upright.
        assert!(is_whole(&told, NOTICE * SMALLER, 0.86 * 720.0));
    }

    #[test]
    fn many_notices_share_the_room_and_each_is_begun() {
        let notices: Vec<String> = (0..5).map(|n| format!("{n} {}", "words ".repeat(30))).collect();
        let lines = notice_lines(&notices, NOTICE, 600.0);
        assert_eq!(lines.len(), MOST_LINES);
        for n in 0..5 {
            assert!(lines.iter().any(|line| line.starts_with(&n.to_string())), "{lines:?}");
        }
        assert!(notice_lines(&[], NOTICE, 600.0).is_empty());
    }

    /// Parts of the picture with letters that have nothing but background between them, from above.
    fn bands(canvas: &I420) -> Vec<std::ops::Range<usize>> {
        let rows = canvas.planes()[0].chunks_exact(canvas.width());
        let has_ink = rows.map(|row| row.iter().any(|luma| *luma > 75));
        let mut bands: Vec<std::ops::Range<usize>> = Vec::new();
        for (y, _) in has_ink.enumerate().filter(|(_, ink)| *ink) {
            match bands.last_mut() {
                Some(band) if band.end == y => band.end = y + 1,
                _ => bands.push(y..y + 1),
            }
        }
        bands
    }

    fn lines() -> [VisitLine<'static>; 4] {
        [
            VisitLine { when: "13:40", name: "Anna", what: "{name} was here for 12 min" },
            VisitLine { when: "09:07", name: "Gregor", what: "{name} was not let in" },
            VisitLine { when: "Wednesday 18:05", name: "", what: "Somebody knocked, nobody answered" },
            VisitLine { when: "Monday 07:15", name: "王小明", what: "Home called {name}, nobody answered" },
        ]
    }

    #[test]
    fn visits_have_lines_of_their_own_and_nothing_leaves_the_screen() {
        let (visits, notice) = (lines(), "The disk is full: what is new is lost".to_owned());
        let mut most = [0; 9];
        for (width, height) in [(1280, 720), (960, 540), (1024, 768), (720, 1280)] {
            let unit = width.min(height) as f32 / 720.0;
            for bits in 0..36usize {
                let (notices, count) = (vec![notice.clone(); bits % 9], [4, 1][bits / 9 % 2]);
                let hint = if bits / 18 % 2 == 1 { "New phone? Press Enter here" } else { "" };
                let drift = [(-1.0, -1.0), (1.0, 1.0)][bits % 2];
                let health = Health { camera: Some(false), ..scene(&[]).health };
                let scene = Scene { notices: &notices, hint, health, visits: &visits[..count], drift, ..scene(&[]) };
                let mut canvas = I420::black(width, height);
                draw(&scene, &mut canvas, unit);
                let told = format!("{width}x{height}, {} notices, {count} visits, {hint:?}", notices.len());
                let room = width as f32 * 0.86;
                let all = Visits::of(&scene, room, unit);
                let place = Place::of(&scene, &canvas, Rect::of(&canvas), &all, (room, unit));
                if (width, height, hint.is_empty()) == (1280, 720, false) {
                    most[notices.len()] = place.count.max(most[notices.len()]);
                }
                let visits = if place.count == 0 { 1 } else { all.line_count(place.count) };
                let pills = 4 / in_row(&health_words(&scene), room, place.health_scale * unit);
                // Clock, date and home's name.
                let expected = place.lines.len() + 3 + visits + pills + usize::from(has_hint(&scene));
                let bands = bands(&canvas);
                assert_eq!(bands.len(), expected, "{told}: {bands:?}");
                let (first, last) = (bands[0].start, bands[bands.len() - 1].end);
                assert!(first > 2 && last + 2 < height, "{told}: {bands:?}");
            }
        }
        assert!(most[..2] == [4, 4] && most[2..].iter().all(|count| (1..4).contains(count)), "{most:?}");
    }

    #[test]
    fn what_comes_first_leaves_no_room_for_visits() {
        let visits = lines();
        let code = crate::qr::modules("https://192.168.1.20:8443/#p=AAAAAAAAAAAAAAAAAAAAAA").unwrap();
        let all = Scene { visits: &visits, ..scene(&[]) };
        let told = |scene: &Scene<'_>, (width, height): (usize, usize)| {
            let mut canvas = I420::black(width, height);
            draw(scene, &mut canvas, width.min(height) as f32 / 720.0);
            let mut without = I420::black(width, height);
            draw(&Scene { visits: &[], ..*scene }, &mut without, width.min(height) as f32 / 720.0);
            canvas.packed() != without.packed()
        };
        assert!(told(&all, (1280, 720)) && told(&all, (640, 360)));
        assert!(!told(&all, (480, 270)), "nobody could read them");
        let door = AtDoor { knock: Some(knock("Anna would like to come in")), ..AtDoor::default() };
        assert!(!told(&Scene { door, ..all }, (1280, 720)));
        assert!(!told(&Scene { pairing: Some(pairing(&code)), ..all }, (1280, 720)));
        let door = AtDoor { curtain: true, ..AtDoor::default() };
        assert!(told(&Scene { door, ..all }, (1280, 720)));
    }

    #[test]
    fn a_long_name_is_cut_and_what_became_of_the_visit_is_not() {
        let name = "Grandma Margaret and Grandpa William Jr.";
        for (width, lines) in [(0.86 * 1280.0, 1), (0.86 * 720.0, 2)] {
            let what = "{name} knocked, nobody answered";
            let line = VisitLine { when: "Wednesday 18:05", name, what };
            let visits = Visits::of(&Scene { visits: &[line], ..scene(&[]) }, width, 1.0);
            let words = visits.words(0);
            assert_eq!(words.len(), lines, "{words:?}");
            let words = words.join(" ");
            assert!(words.contains("Grandma Margaret") && words.ends_with(" knocked, nobody answered"), "{words}");
        }
        let name = "W".repeat(40);
        let line = VisitLine { when: "Wednesday 18:05", name: &name, what: "{name} knocked, nobody answered" };
        let visits = Visits::of(&Scene { visits: &[line; 4], ..scene(&[]) }, 0.86 * 1280.0, 1.0);
        let words = visits.words(0).join(" ");
        assert!(words.contains('…') && words.ends_with(" knocked, nobody answered"), "{words}");
    }
}
