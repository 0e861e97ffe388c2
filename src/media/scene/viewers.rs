//! The picture while somebody visits: each viewer, home's own picture, and the sign that home is seen and heard.

use intercom_base::language::{Sentences, fill};
use intercom_base::picture::I420;

use crate::paint::{self, Colour};
use crate::scale::{self, Rect};
use crate::scene::look::{BOTTOM, GREY, MUTED, Pill, RED, TILE, TOP, WHITE, line};
use crate::scene::{Scene, ViewerTile, code};
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

/// Distance of words from the screen's edges, in units of a 720th of its height, and how far they wander from there.
const MARGIN: f32 = 24.0;
const WANDER: f32 = 9.0;

pub(super) fn draw(scene: &Scene<'_>, canvas: &mut I420, unit: f32) {
    let screen = Rect::of(canvas);
    match scene.viewers {
        [viewer] => {
            tile(viewer, scene, canvas, screen, unit, false);
            if let Some(own) = scene.own {
                own_picture(own, canvas, unit, scene.drift);
            }
        }
        viewers => {
            paint::gradient(canvas, TOP, BOTTOM);
            let cells = grid(viewers.len() + usize::from(scene.own.is_some()), screen, unit);
            // Small tiles get smaller words, but not in proportion: they are read from the same sofa.
            let small = |cell: Rect| unit * (cell.height as f32 / screen.height as f32).sqrt().clamp(0.5, 1.0);
            for (viewer, cell) in viewers.iter().zip(&cells) {
                tile(viewer, scene, canvas, *cell, small(*cell), true);
            }
            if let (Some(own), Some(cell)) = (scene.own, cells.get(viewers.len())) {
                own_tile(own, scene, canvas, *cell, small(*cell));
            }
        }
    }
    code::draw_in_visit(scene, canvas, MARGIN * unit, wander(scene.drift, unit), unit);
    watched(scene, canvas, unit);
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
fn tile(viewer: &ViewerTile<'_>, scene: &Scene<'_>, canvas: &mut I420, cell: Rect, unit: f32, framed: bool) {
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
        label(viewer, scene, canvas, cell, unit);
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

/// The viewer's name in the lower left corner of their picture, and how long they have been here.
fn label(viewer: &ViewerTile<'_>, scene: &Scene<'_>, canvas: &mut I420, cell: Rect, unit: f32) {
    let mut words = viewer.name.to_owned();
    if !viewer.stay.is_empty() {
        words += &format!(" · {}", viewer.stay);
    }
    if !viewer.microphone {
        words += &format!(" · {}", scene.sentences.microphone_off);
    }
    caption(&words, canvas, cell, unit, scene.drift);
}

fn caption(words: &str, canvas: &mut I420, cell: Rect, unit: f32, drift: (f32, f32)) {
    let height = 46.0 * unit;
    let (dx, dy) = wander(drift, unit);
    let x = cell.x as f32 + MARGIN * unit + dx;
    let y = (cell.y + cell.height) as f32 - MARGIN * unit - height + dy;
    Pill { words, height, room: cell.width as f32 * 0.7, dot: None, ground: 0.62 }.draw(canvas, (x, y));
}

/// The sign that somebody sees or hears home now, in the upper right corner: red as long as anybody does.
fn watched(scene: &Scene<'_>, canvas: &mut I420, unit: f32) {
    let present: Vec<&ViewerTile<'_>> = scene.viewers.iter().filter(|viewer| viewer.connected).collect();
    // What is not known yet counts as working: better warned too early than too late.
    let seen = scene.health.camera != Some(false);
    let muted = scene.health.muted;
    let heard = scene.health.microphone != Some(false) && !muted;
    let (say, count) = (scene.sentences, present.len().to_string());
    let (one, name) = match present[..] {
        [] => return,
        [viewer] => (true, viewer.name),
        _ => (false, ""),
    };
    let sees = match (one, heard) {
        (true, true) => say.sees_and_hears,
        (true, false) => say.sees,
        (false, true) => say.all_see_and_hear,
        (false, false) => say.all_see,
    };
    let (sentence, behind) = match (seen, heard) {
        (true, true) => (sees, None),
        (true, false) if muted => (sees, Some(say.muted)),
        (true, false) => (sees, Some(say.own_microphone_off)),
        (false, true) => (if one { say.hears } else { say.all_hear }, Some(say.own_camera_off)),
        (false, false) if muted => (say.own_camera_off_and_muted, None),
        (false, false) => (say.own_both_off, None),
    };
    let mut words = fill(sentence, &[("name", name), ("count", &count)]);
    if let Some(behind) = behind {
        words += &format!(" · {behind}");
    }
    let dot = if seen || heard { RED } else { GREY };
    let room = canvas.width() as f32 * 0.8;
    let pill = Pill { words: &words, height: 54.0 * unit, room, dot: Some(dot), ground: 0.78 };
    let (dx, dy) = wander(scene.drift, unit);
    let x = canvas.width() as f32 - MARGIN * unit - pill.width() + dx;
    pill.draw(canvas, (x, MARGIN * unit + dy));
}

/// What viewers see of home, small in the lower right corner and mirrored, as people know themselves.
fn own_picture(own: &I420, canvas: &mut I420, unit: f32, drift: (f32, f32)) {
    let width = (canvas.width() as f32 * 0.17).max(2.0) as usize & !1;
    let room = Rect { x: 0, y: 0, width, height: (canvas.height() / 4).max(2) & !1 };
    let small = mirrored(own, room);
    let (width, height) = (small.width(), small.height());
    let (dx, dy) = wander(drift, unit);
    let place = |from: usize, length: usize, by: f32| {
        ((from as f32 - MARGIN * unit - length as f32 + by).max(0.0) as usize) & !1
    };
    let at = Rect { x: place(canvas.width(), width, dx), y: place(canvas.height(), height, dy), width, height };
    let border = ((2.0 * unit) as usize).max(1);
    let frame = Rect {
        x: at.x.saturating_sub(border),
        y: at.y.saturating_sub(border),
        width: width + 2 * border,
        height: height + 2 * border,
    };
    paint::shape(canvas, frame, WHITE, 0.8, paint::round_rect(frame, 3.0 * unit));
    scale::draw(&small, Rect::of(&small), canvas, at);
}

/// The same as one tile among those of several viewers, where a corner would hide somebody.
fn own_tile(own: &I420, scene: &Scene<'_>, canvas: &mut I420, cell: Rect, unit: f32) {
    live(&mirrored(own, cell), canvas, cell);
    round_corners(canvas, cell, 18.0 * unit);
    caption(scene.sentences.you, canvas, cell, unit, scene.drift);
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

fn wander(drift: (f32, f32), unit: f32) -> (f32, f32) {
    (drift.0 * WANDER * unit, drift.1 * WANDER * unit)
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
