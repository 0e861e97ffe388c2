//! The picture while somebody visits: each viewer, home's own picture, and beside them what there is to tell.

use intercom_base::language::{Sentences, fill};
use intercom_base::picture::I420;

use crate::paint::{self, Colour};
use crate::scale::{self, Rect};
use crate::scene::layout::{CAPTION, Layout, MARGIN, caption_room, wander};
use crate::scene::look::{BOTTOM, MUTED, Pill, TILE, TOP, WHITE, line};
use crate::scene::{Scene, ViewerTile, code, door};
use crate::text::{self, Style, Weight};

/// Calm colours that tell the discs of several viewers apart.
const DISCS: [Colour; 6] = [
    Colour::rgb(74, 118, 196),
    Colour::rgb(56, 140, 122),
    Colour::rgb(176, 104, 78),
    Colour::rgb(128, 98, 182),
    Colour::rgb(166, 130, 62),
    Colour::rgb(84, 130, 160),
];

/// Around the tile of a viewer who speaks.
const SPEAKS: Colour = Colour::rgb(104, 178, 255);

pub(super) fn draw(scene: &Scene<'_>, canvas: &mut I420, unit: f32) {
    let screen = Rect::of(canvas);
    let layout = Layout::of(scene, screen, unit);
    if !layout.alone {
        paint::gradient(canvas, TOP, BOTTOM);
    }
    for (viewer, cell) in scene.viewers.iter().zip(&layout.tiles) {
        tile(viewer, scene, canvas, Place::of(*cell, &layout, screen, unit));
    }
    if let (Some(own), Some(place)) = (scene.own, layout.own) {
        match layout.tiles.len() {
            1 => own_picture(own, canvas, place, unit),
            _ => own_tile(own, scene, canvas, place, small(place, screen, unit)),
        }
    }
    if let Some(ground) = layout.code {
        code::draw_in_visit(scene, canvas, ground);
    }
    if let Some((card, place)) = &layout.knock {
        card.draw(canvas, *place, scene.door.resting);
    }
    if let Some(strip) = layout.change {
        door::change(scene.door.change, canvas, strip, unit);
    }
    if let Some((sign, place)) = &layout.sign {
        sign.draw(canvas, *place);
    }
}

/// Where a tile stands, and the size of its words.
#[derive(Clone, Copy)]
struct Place {
    cell: Rect,
    unit: f32,
    /// It has round corners, and others beside it.
    framed: bool,
    /// How wide the words on a picture may be.
    room: f32,
}

impl Place {
    fn of(cell: Rect, layout: &Layout<'_>, screen: Rect, unit: f32) -> Place {
        let unit = if layout.alone { unit } else { small(cell, screen, unit) };
        Place { cell, unit, framed: !layout.alone, room: caption_room(cell, layout.own, unit) }
    }

    /// Words on a picture, and where they stand.
    fn caption<'a>(&self, words: &'a str, drift: (f32, f32)) -> (Pill<'a>, (f32, f32)) {
        let Place { cell, unit, room, .. } = *self;
        let height = CAPTION * unit;
        let (dx, dy) = wander(drift, unit);
        let x = cell.x as f32 + MARGIN * unit + dx;
        let y = (cell.y + cell.height) as f32 - MARGIN * unit - height + dy;
        (Pill { words, height, room, dot: None, ground: 0.62 }, (x, y))
    }
}

/// Small tiles get smaller words, but not in proportion: they are read from the same sofa.
fn small(cell: Rect, screen: Rect, unit: f32) -> f32 {
    unit * (cell.height as f32 / screen.height as f32).sqrt().clamp(0.5, 1.0)
}

/// Where a viewer's name stands, for tests.
#[cfg(test)]
pub(super) fn name_place(
    viewer: &ViewerTile<'_>,
    scene: &Scene<'_>,
    screen: Rect,
    layout: &Layout<'_>,
    cell: Rect,
    unit: f32,
) -> Rect {
    let place = Place::of(cell, layout, screen, unit);
    let words = words_of(viewer, scene.sentences, place);
    let (pill, at) = place.caption(&words, scene.drift);
    crate::scene::layout::place(at, (pill.width(), pill.height))
}

/// The words on a viewer's picture, for tests.
#[cfg(test)]
pub(super) fn words_on(
    viewer: &ViewerTile<'_>,
    scene: &Scene<'_>,
    screen: Rect,
    layout: &Layout<'_>,
    cell: Rect,
    unit: f32,
) -> String {
    words_of(viewer, scene.sentences, Place::of(cell, layout, screen, unit))
}

/// One viewer's part of the screen.
fn tile(viewer: &ViewerTile<'_>, scene: &Scene<'_>, canvas: &mut I420, place: Place) {
    let Place { cell, unit, framed, .. } = place;
    let say = scene.sentences;
    match viewer.picture {
        Some(picture) => {
            live(picture, canvas, cell);
            if !viewer.connected {
                paint::dim(canvas, cell, 0.4, 0.4);
                lost(viewer, say, canvas, cell, unit);
            }
        }
        None => {
            if framed {
                paint::fill(canvas, cell, TILE);
            } else {
                paint::gradient(canvas, TOP, BOTTOM);
            }
            without_picture(viewer, say, canvas, cell, unit);
        }
    }
    if framed {
        round_corners(canvas, cell, 18.0 * unit);
        if viewer.speaking && viewer.connected {
            ring(canvas, cell, 18.0 * unit, 5.0 * unit);
        }
    }
    if viewer.picture.is_some() {
        caption(&words_of(viewer, say, place), canvas, place, scene.drift);
    }
}

/// Over the last picture of a viewer who is away. A small tile breaks the sentence, and the upper line is higher then.
fn lost(viewer: &ViewerTile<'_>, say: &Sentences, canvas: &mut I420, cell: Rect, unit: f32) {
    let ((x, y), room) = (middle(cell), cell.width as f32 * 0.9);
    let style = |size: f32, colour: Colour| Style { weight: Weight::Medium, size: size * unit, colour, opacity: 1.0 };
    let (large, small) = (style(42.0, WHITE), style(30.0, MUTED));
    let sentence = fill(say.lost_with, &[("name", viewer.name)]);
    for (n, words) in text::wrapped(&sentence, large.weight, large.size, room, 2).iter().rev().enumerate() {
        line(canvas, words, (x, y - (26.0 + 46.0 * n as f32) * unit), room, large);
    }
    line(canvas, say.comes_back, (x, y + 30.0 * unit), room, small);
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
fn without_picture(viewer: &ViewerTile<'_>, say: &Sentences, canvas: &mut I420, cell: Rect, unit: f32) {
    let (x, y) = middle(cell);
    // All of it stays within its tile, down to the second line of the note.
    let unit = unit.min(cell.height as f32 * 0.003);
    let radius = (76.0 * unit).min(cell.height as f32 * 0.22);
    let colour = DISCS[viewer.number % DISCS.len()];
    let disc_y = y - radius * 0.72;
    let bounds = Rect {
        x: (x - radius - 2.0).max(0.0) as usize,
        y: (disc_y - radius - 2.0).max(0.0) as usize,
        width: (2.0 * radius) as usize + 4,
        height: (2.0 * radius) as usize + 4,
    };
    let opacity = if viewer.connected { 1.0 } else { 0.45 };
    paint::shape(canvas, bounds, colour, opacity, paint::disc(x, disc_y, radius));
    // A head and shoulders, cut off by the disc.
    let (head, shoulders, edge) = (
        paint::disc(x, disc_y - radius * 0.22, radius * 0.32),
        paint::disc(x, disc_y + radius * 0.80, radius * 0.62),
        paint::disc(x, disc_y, radius),
    );
    let person = move |px: f32, py: f32| head(px, py).min(shoulders(px, py)).max(edge(px, py));
    paint::shape(canvas, bounds, WHITE, 0.92 * opacity, person);

    let (name, note) = match (viewer.connected, viewer.camera) {
        (false, _) if viewer.was_connected => (viewer.name.to_owned(), say.lost),
        (false, _) => (viewer.name.to_owned(), say.connecting),
        (true, true) => (viewer.name.to_owned(), say.picture_comes),
        (true, false) if viewer.microphone => (fill(say.sound_only, &[("name", viewer.name)]), ""),
        (true, false) => (viewer.name.to_owned(), say.camera_and_microphone_off),
    };
    let (bottom, room) = (disc_y + radius, cell.width as f32 * 0.9);
    let style = |size: f32, colour: Colour| Style { weight: Weight::Medium, size: size * unit, colour, opacity: 1.0 };
    let (large, small) = (style(42.0, WHITE), style(30.0, MUTED));
    line(canvas, &name, (x, bottom + 48.0 * unit), room, large);
    let note = if note.is_empty() { viewer.stay } else { note };
    for (n, words) in text::wrapped(note, small.weight, small.size, room, 2).iter().enumerate() {
        line(canvas, words, (x, bottom + (94.0 + 36.0 * n as f32) * unit), room, small);
    }
}

/// The viewer's name in the lower left corner of their picture, that their microphone is off, and how long they have been here. A small
/// tile has the first of those only.
fn words_of(viewer: &ViewerTile<'_>, say: &Sentences, place: Place) -> String {
    let said = |parts: &[&str]| {
        let parts: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
        parts.join(" · ")
    };
    let off = if viewer.microphone { "" } else { say.microphone_off };
    let ways = [said(&[viewer.name, viewer.stay, off]), said(&[viewer.name, off]), viewer.name.to_owned()];
    let fits =
        |words: &String| text::width(words, Weight::Medium, place.caption(words, (0.0, 0.0)).0.size()) <= place.room;
    let [.., last] = &ways;
    ways.iter().find(|words| fits(words)).unwrap_or(last).clone()
}

fn caption(words: &str, canvas: &mut I420, place: Place, drift: (f32, f32)) {
    let (pill, at) = place.caption(words, drift);
    pill.draw(canvas, at);
}

/// What viewers see of home, small in a corner and mirrored, as people know themselves.
fn own_picture(own: &I420, canvas: &mut I420, at: Rect, unit: f32) {
    let small = mirrored(own, at);
    let border = ((2.0 * unit) as usize).max(1);
    let frame = Rect {
        x: at.x.saturating_sub(border),
        y: at.y.saturating_sub(border),
        width: at.width + 2 * border,
        height: at.height + 2 * border,
    };
    paint::shape(canvas, frame, WHITE, 0.8, paint::round_rect(frame, 3.0 * unit));
    scale::draw(&small, Rect::of(&small), canvas, at);
}

/// The same as one tile among those of several viewers, where a corner would hide somebody.
fn own_tile(own: &I420, scene: &Scene<'_>, canvas: &mut I420, cell: Rect, unit: f32) {
    live(&mirrored(own, cell), canvas, cell);
    round_corners(canvas, cell, 18.0 * unit);
    let room = caption_room(cell, None, unit);
    caption(scene.sentences.you, canvas, Place { cell, unit, framed: true, room }, scene.drift);
}

/// As large as fits into `room`, left and right swapped.
fn mirrored(own: &I420, room: Rect) -> I420 {
    let Rect { width, height, .. } = room.fit(own.width(), own.height());
    let mut small = I420::black(width.max(2), height.max(2));
    let whole = Rect::of(&small);
    scale::draw(own, Rect::of(own), &mut small, whole);
    scale::mirror(&mut small);
    small
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

/// Frames the tile of each viewer who speaks. Only the edges are looked at: a tile may be half a screen.
fn ring(canvas: &mut I420, cell: Rect, radius: f32, thickness: f32) {
    let edge = (radius.max(thickness).ceil() as usize).min(cell.width / 2).min(cell.height / 2);
    let rest = cell.height - 2 * edge;
    let below = cell.y + edge + rest;
    let right = cell.x + cell.width - edge;
    let inside = paint::round_rect(cell, radius);
    let band = move |x: f32, y: f32| inside(x, y).max(-inside(x, y) - thickness);
    for part in [
        Rect { height: edge, ..cell },
        Rect { y: below, height: edge, ..cell },
        Rect { y: cell.y + edge, width: edge, height: rest, ..cell },
        Rect { x: right, y: cell.y + edge, width: edge, height: rest },
    ] {
        paint::shape(canvas, part, SPEAKS, 1.0, &band);
    }
}
