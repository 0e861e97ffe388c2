//! The TV's picture: an idle card with a clock, or the viewers who visit.

use intercom_drivers::contract::I420;

use crate::media::paint::{self, Colour};
use crate::media::scale::{self, Rect};
use crate::media::text::{self, Align, Style, Weight};

const WHITE: Colour = Colour::rgb(244, 246, 250);
const MUTED: Colour = Colour::rgb(148, 160, 182);
const TOP: Colour = Colour::rgb(25, 32, 46);
const BOTTOM: Colour = Colour::rgb(10, 13, 19);
const TILE: Colour = Colour::rgb(34, 42, 58);
const INK: Colour = Colour::rgb(8, 10, 15);
const RED: Colour = Colour::rgb(255, 78, 72);
/// Calm colours that tell the discs of several viewers apart.
const DISCS: [Colour; 6] = [
    Colour::rgb(74, 118, 196),
    Colour::rgb(56, 140, 122),
    Colour::rgb(176, 104, 78),
    Colour::rgb(128, 98, 182),
    Colour::rgb(166, 130, 62),
    Colour::rgb(84, 130, 160),
];

/// All that the picture depends on.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The home's name.
    pub home: &'a str,
    /// The time of day in words, e.g. `14:05`.
    pub clock: &'a str,
    /// The date in words, may be empty.
    pub date: &'a str,
    /// Who visits.
    pub guests: &'a [Guest<'a>],
}

/// One viewer.
#[derive(Clone, Copy, Debug)]
pub struct Guest<'a> {
    /// Their name.
    pub name: &'a str,
    /// Tells them apart from the others, for as long as they visit.
    pub number: usize,
    /// The newest picture of their camera; `None` while there is none, or the camera is off.
    pub picture: Option<&'a I420>,
    /// Their camera is on: without a picture, one is about to come.
    pub camera: bool,
    /// Their microphone is on.
    pub microphone: bool,
    /// Media flows; they see home.
    pub connected: bool,
}

/// Draws the scene into all of `canvas`.
pub fn compose(scene: &Scene<'_>, canvas: &mut I420) {
    let screen = Rect::of(canvas);
    let unit = (screen.width.min(screen.height) as f32 / 720.0).max(0.1);
    match scene.guests {
        [] => idle(scene, canvas, unit),
        [guest] => {
            tile(guest, canvas, screen, unit, false);
            watched(scene, canvas, unit);
        }
        guests => {
            paint::gradient(canvas, TOP, BOTTOM);
            for (guest, cell) in guests.iter().zip(grid(guests.len(), screen, unit)) {
                // Small tiles get smaller words, but not in proportion: they are read from the same sofa.
                let unit = unit * (cell.height as f32 / screen.height as f32).sqrt().clamp(0.5, 1.0);
                tile(guest, canvas, cell, unit, true);
            }
            watched(scene, canvas, unit);
        }
    }
}

fn idle(scene: &Scene<'_>, canvas: &mut I420, unit: f32) {
    paint::gradient(canvas, TOP, BOTTOM);
    let (x, y) = (canvas.width() as f32 / 2.0, canvas.height() as f32 / 2.0);
    let room = canvas.width() as f32 * 0.86;
    let mut write = |words: &str, dy: f32, weight: Weight, size: f32, colour: Colour| {
        let words = text::fitted(words, weight, size * unit, room);
        let style = Style { weight, size: size * unit, colour, opacity: 1.0 };
        text::draw(canvas, &words, x, y + dy * unit, Align::Centre, style);
    };
    write(scene.clock, -92.0, Weight::Light, 250.0, WHITE);
    write(scene.date, 32.0, Weight::Medium, 38.0, MUTED);
    write(scene.home, 150.0, Weight::Medium, 50.0, WHITE);
    write("Nobody is visiting", 208.0, Weight::Medium, 34.0, MUTED);
}

/// Cells for `count` viewers: the arrangement that leaves a 16:9 picture the most room.
fn grid(count: usize, screen: Rect, unit: f32) -> Vec<Rect> {
    let gap = ((12.0 * unit) as usize).next_multiple_of(2);
    let cell = |columns: usize| {
        let rows = count.div_ceil(columns);
        let width = (screen.width.saturating_sub(gap * (columns + 1)) / columns) & !1;
        let height = (screen.height.saturating_sub(gap * (rows + 1)) / rows) & !1;
        (width, height)
    };
    let area = |columns: &usize| {
        let (width, height) = cell(*columns);
        let picture = Rect { x: 0, y: 0, width, height }.fit(16, 9);
        picture.width * picture.height
    };
    let columns = (1..=count).max_by_key(area).unwrap_or(1);
    let (width, height) = cell(columns);
    let rows = count.div_ceil(columns);
    (0..count)
        .map(|n| {
            let (row, column) = (n / columns, n % columns);
            let in_row = if row + 1 == rows { count - row * columns } else { columns };
            let used = in_row * (width + gap) - gap;
            let left = screen.width.saturating_sub(used) / 2;
            Rect {
                x: screen.x + ((left + column * (width + gap)) & !1),
                y: screen.y + gap + row * (height + gap),
                width,
                height,
            }
        })
        .collect()
}

/// One viewer's part of the screen.
fn tile(guest: &Guest<'_>, canvas: &mut I420, cell: Rect, unit: f32, framed: bool) {
    match guest.picture {
        Some(picture) => {
            live(picture, canvas, cell);
            if !guest.connected {
                paint::dim(canvas, cell, 0.4, 0.4);
                let (x, y) = middle(cell);
                let style = Style { weight: Weight::Medium, size: 44.0 * unit, colour: WHITE, opacity: 1.0 };
                text::draw(canvas, "Reconnecting…", x, y, Align::Centre, style);
            }
        }
        None => {
            if framed {
                paint::fill(canvas, cell, TILE);
            } else {
                paint::gradient(canvas, TOP, BOTTOM);
            }
            without_picture(guest, canvas, cell, unit);
        }
    }
    if framed {
        round_corners(canvas, cell, 18.0 * unit);
    }
    if guest.picture.is_some() {
        label(guest, canvas, cell, unit);
    }
}

fn middle(cell: Rect) -> (f32, f32) {
    (cell.x as f32 + cell.width as f32 / 2.0, cell.y as f32 + cell.height as f32 / 2.0)
}

/// The viewer's camera: all of it, upright, and beside it a blurred glow of its own edges.
fn live(picture: &I420, canvas: &mut I420, cell: Rect) {
    let to = cell.fit(picture.width(), picture.height());
    let (left, above) = (to.x - cell.x, to.y - cell.y);
    if left > 0 {
        let strip = (picture.width() / 16).max(2) & !1;
        let right = cell.width - left - to.width;
        let edges = [(0, cell.x, left), (picture.width() - strip, to.x + to.width, right)];
        for (from, x, width) in edges {
            let from = Rect { x: from, y: 0, width: strip, height: picture.height() };
            glow(picture, from, canvas, Rect { x, width, ..cell }, (2, 8));
        }
    } else if above > 0 {
        let strip = (picture.height() / 16).max(2) & !1;
        let below = cell.height - above - to.height;
        let edges = [(0, cell.y, above), (picture.height() - strip, to.y + to.height, below)];
        for (from, y, height) in edges {
            let from = Rect { x: 0, y: from, width: picture.width(), height: strip };
            glow(picture, from, canvas, Rect { y, height, ..cell }, (8, 2));
        }
    }
    scale::draw(picture, Rect::of(picture), canvas, to);
}

/// Fills `to` with a part of the picture, so blurred and dark that only its mood is left.
fn glow(picture: &I420, from: Rect, canvas: &mut I420, to: Rect, steps: (usize, usize)) {
    let mut small = I420::black(steps.0, steps.1);
    let whole = Rect::of(&small);
    scale::draw(picture, from, &mut small, whole);
    paint::dim(&mut small, whole, 0.42, 0.4);
    scale::draw(&small, whole, canvas, to);
}

/// A calm tile for a viewer whose camera is off, or whose connection is not there yet.
fn without_picture(guest: &Guest<'_>, canvas: &mut I420, cell: Rect, unit: f32) {
    let (x, y) = middle(cell);
    let radius = (76.0 * unit).min(cell.height as f32 * 0.22);
    let colour = DISCS[guest.number % DISCS.len()];
    let disc_y = y - radius * 0.72;
    let bounds = Rect {
        x: (x - radius - 2.0).max(0.0) as usize,
        y: (disc_y - radius - 2.0).max(0.0) as usize,
        width: (2.0 * radius) as usize + 4,
        height: (2.0 * radius) as usize + 4,
    };
    let opacity = if guest.connected { 1.0 } else { 0.45 };
    paint::shape(canvas, bounds, colour, opacity, paint::disc(x, disc_y, radius));
    // A head and shoulders, cut off by the disc.
    let (head, shoulders, edge) = (
        paint::disc(x, disc_y - radius * 0.22, radius * 0.32),
        paint::disc(x, disc_y + radius * 0.80, radius * 0.62),
        paint::disc(x, disc_y, radius),
    );
    let person = move |px: f32, py: f32| head(px, py).min(shoulders(px, py)).max(edge(px, py));
    paint::shape(canvas, bounds, WHITE, 0.92 * opacity, person);

    let (name, note) = match (guest.connected, guest.camera) {
        (false, _) => (guest.name.to_owned(), "Connecting…"),
        (true, true) => (guest.name.to_owned(), "The picture is coming…"),
        (true, false) if guest.microphone => (format!("{} – sound only", guest.name), ""),
        (true, false) => (guest.name.to_owned(), "Camera and microphone are off"),
    };
    let room = cell.width as f32 * 0.9;
    let mut write = |words: &str, y: f32, size: f32, colour: Colour| {
        let words = text::fitted(words, Weight::Medium, size, room);
        let style = Style { weight: Weight::Medium, size, colour, opacity: 1.0 };
        text::draw(canvas, &words, x, y, Align::Centre, style);
    };
    write(&name, disc_y + radius + 48.0 * unit, 42.0 * unit, WHITE);
    write(note, disc_y + radius + 94.0 * unit, 30.0 * unit, MUTED);
}

/// The viewer's name in the lower left corner of their picture.
fn label(guest: &Guest<'_>, canvas: &mut I420, cell: Rect, unit: f32) {
    let words = if guest.microphone { guest.name.to_owned() } else { format!("{} · microphone off", guest.name) };
    let height = 46.0 * unit;
    let (x, y) = (cell.x as f32 + 22.0 * unit, (cell.y + cell.height) as f32 - 22.0 * unit - height);
    pill(canvas, &words, (x, y), height, cell.width as f32 * 0.8, None);
}

/// The sign that somebody sees home now, in the upper right corner.
fn watched(scene: &Scene<'_>, canvas: &mut I420, unit: f32) {
    let watching: Vec<&Guest<'_>> = scene.guests.iter().filter(|guest| guest.connected).collect();
    let words = match watching[..] {
        [] => return,
        [guest] => format!("{} is watching", guest.name),
        ref several => format!("{} visitors are watching", several.len()),
    };
    let height = 46.0 * unit;
    let room = canvas.width() as f32 * 0.6;
    let width = pill_width(&words, height, room, true);
    let x = canvas.width() as f32 - 22.0 * unit - width;
    pill(canvas, &words, (x, 22.0 * unit), height, room, Some(RED));
}

fn pill_width(words: &str, height: f32, room: f32, dot: bool) -> f32 {
    let size = height * 0.64;
    let words = text::fitted(words, Weight::Medium, size, room);
    text::width(&words, Weight::Medium, size) + height * if dot { 1.35 } else { 0.9 }
}

/// Words on a dark, round-ended ground, with a coloured dot before them if there is one.
fn pill(canvas: &mut I420, words: &str, at: (f32, f32), height: f32, room: f32, dot: Option<Colour>) {
    let size = height * 0.64;
    let words = text::fitted(words, Weight::Medium, size, room);
    let width = pill_width(&words, height, room, dot.is_some());
    let whole = |length: f32| length.max(0.0).round() as usize;
    let ground = Rect { x: whole(at.0), y: whole(at.1), width: whole(width), height: whole(height) };
    paint::shape(canvas, ground, INK, 0.62, paint::round_rect(ground, height / 2.0));
    let y = at.1 + height / 2.0;
    let mut x = at.0 + height * 0.45;
    if let Some(colour) = dot {
        let radius = height * 0.17;
        paint::shape(canvas, ground, colour, 1.0, paint::disc(x + radius, y, radius));
        x += height * 0.48;
    }
    text::draw(canvas, &words, x, y, Align::Left, Style { weight: Weight::Medium, size, colour: WHITE, opacity: 1.0 });
}

/// Gives a tile round corners by painting the background over its own.
fn round_corners(canvas: &mut I420, cell: Rect, radius: f32) {
    let ground = TOP.towards(BOTTOM, (cell.y as f32 + cell.height as f32 / 2.0) / canvas.height() as f32);
    let size = radius.ceil() as usize;
    for (x, y) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
        let corner = Rect {
            x: cell.x + x * cell.width.saturating_sub(size),
            y: cell.y + y * cell.height.saturating_sub(size),
            width: size,
            height: size,
        };
        let inside = paint::round_rect(cell, radius);
        paint::shape(canvas, corner, ground, 1.0, move |px, py| -inside(px, py));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::test_pictures::{dump_png, room, thread_cpu_ms};

    fn guest<'a>(name: &'a str, number: usize, picture: Option<&'a I420>) -> Guest<'a> {
        Guest { name, number, picture, camera: picture.is_some(), microphone: true, connected: true }
    }

    fn scene<'a>(guests: &'a [Guest<'a>]) -> Scene<'a> {
        Scene { home: "Grandma’s kitchen", clock: "14:05", date: "Sunday, 22 November", guests }
    }

    fn luma(canvas: &I420, x: usize, y: usize) -> u8 {
        canvas.planes()[0][y * canvas.width() + x]
    }

    #[test]
    fn one_viewer_fills_the_screen_and_keeps_their_shape() {
        let mut picture = I420::black(720, 1280);
        picture.planes_mut()[0].fill(200);
        let mut canvas = I420::black(1280, 720);
        compose(&scene(&[guest("Visitor 1", 0, Some(&picture))]), &mut canvas);
        assert_eq!(luma(&canvas, 640, 360), 200, "the picture");
        assert_eq!(luma(&canvas, 640, 2), 200, "up to the upper edge");
        assert!((40..120).contains(&luma(&canvas, 100, 360)), "a dark glow beside it");
        assert!((40..120).contains(&luma(&canvas, 1200, 360)));
        let landscape = room(640, 360, 0);
        compose(&scene(&[guest("Visitor 1", 0, Some(&landscape))]), &mut canvas);
        assert!(luma(&canvas, 2, 360).abs_diff(landscape.planes()[0][180 * 640 + 1]) < 20, "no bars");
    }

    #[test]
    fn somebody_watching_is_always_shown_and_nobody_never() {
        let red = |canvas: &I420| canvas.planes()[2].iter().filter(|v| **v > 190).count();
        let mut canvas = I420::black(1280, 720);
        compose(&scene(&[]), &mut canvas);
        assert_eq!(red(&canvas), 0);
        let dark = I420::black(64, 64);
        for guests in [
            vec![guest("Visitor 1", 0, None)],
            vec![guest("Visitor 1", 0, Some(&dark))],
            vec![guest("Visitor 1", 0, Some(&dark)), guest("Visitor 2", 1, None)],
        ] {
            compose(&scene(&guests), &mut canvas);
            assert!(red(&canvas) > 20, "{}", guests.len());
        }
        let connecting = [Guest { connected: false, ..guest("Visitor 1", 0, None) }];
        compose(&scene(&connecting), &mut canvas);
        assert_eq!(red(&canvas), 0, "who is not here yet does not watch");
    }

    #[test]
    fn cells_never_overlap_and_stay_on_the_screen() {
        for screen in [(1280, 720), (1920, 1080), (720, 1280), (320, 180)] {
            let screen = Rect { x: 0, y: 0, width: screen.0, height: screen.1 };
            for count in 2..=32 {
                let cells = grid(count, screen, screen.height as f32 / 720.0);
                assert_eq!(cells.len(), count);
                for (n, a) in cells.iter().enumerate() {
                    assert!(a.x + a.width <= screen.width && a.y + a.height <= screen.height, "{count}: {a:?}");
                    assert!(a.width > 0 && a.height > 0);
                    for b in &cells[n + 1..] {
                        let apart = a.x + a.width <= b.x
                            || b.x + b.width <= a.x
                            || a.y + a.height <= b.y
                            || b.y + b.height <= a.y;
                        assert!(apart, "{count}: {a:?} {b:?}");
                    }
                }
            }
        }
        let two = grid(2, Rect { x: 0, y: 0, width: 1280, height: 720 }, 1.0);
        assert_eq!(two[0].y, two[1].y, "two stand side by side");
    }

    #[test]
    fn every_size_and_every_state_is_drawn_without_a_panic() {
        let pictures = [room(640, 480, 0), room(90, 160, 0), room(33, 17, 0)];
        for (width, height) in [(1280, 720), (64, 36), (2, 2), (1, 1), (720, 1280), (641, 361)] {
            for count in [0, 1, 2, 3, 5, 9, 32] {
                let guests: Vec<Guest<'_>> = (0..count)
                    .map(|n| Guest {
                        camera: n % 2 == 0,
                        microphone: n % 3 == 0,
                        connected: n % 5 != 4,
                        ..guest("Visitor with a long name", n, pictures.get(n % 4))
                    })
                    .collect();
                compose(&scene(&guests), &mut I420::black(width, height));
            }
        }
    }

    #[test]
    #[ignore = "writes pictures to look at"]
    fn look_at_them() {
        let (wide, tall, old) = (room(1280, 720, 3), room(720, 1280, 9), room(640, 480, 30));
        let connecting = Guest { connected: false, ..guest("Visitor 1", 0, None) };
        let coming = Guest { camera: true, ..guest("Visitor 1", 0, None) };
        let silent = Guest { microphone: false, ..guest("Visitor 3", 2, None) };
        let muted = Guest { microphone: false, ..guest("Visitor 4", 3, Some(&old)) };
        let reconnecting = Guest { connected: false, ..guest("Visitor 1", 0, Some(&wide)) };
        let all = [
            guest("Visitor 1", 0, Some(&wide)),
            guest("Visitor 2", 1, Some(&tall)),
            silent,
            muted,
            Guest { number: 4, name: "Visitor 5", ..connecting },
            guest("Visitor 6", 5, None),
        ];
        let shots: [(&str, Vec<Guest<'_>>); 10] = [
            ("idle", vec![]),
            ("connecting", vec![connecting]),
            ("coming", vec![coming]),
            ("one-wide", vec![all[0]]),
            ("one-tall", vec![all[1]]),
            ("sound-only", vec![guest("Visitor 2", 1, None)]),
            ("reconnecting", vec![reconnecting]),
            ("two", all[..2].to_vec()),
            ("four", all[..4].to_vec()),
            ("six", all.to_vec()),
        ];
        for (name, guests) in shots {
            let mut canvas = I420::black(1280, 720);
            compose(&scene(&guests), &mut canvas);
            let begun = thread_cpu_ms();
            (0..10).for_each(|_| compose(&scene(&guests), &mut canvas));
            println!("{name}: {:.2} ms", (thread_cpu_ms() - begun) / 10.0);
            dump_png(&canvas, &format!("tv-{name}"));
        }
    }
}
