//! Where everything stands while somebody visits. What tells something has a place of its own beside the viewers. Only the sign that home
//! is seen, and home's own picture, stand on the picture of a viewer who has the whole screen, and there in its corners.

use intercom_base::picture::I420;

use crate::scale::Rect;
use crate::scene::door::{self, Card};
use crate::scene::sign::{self, Sign};
use crate::scene::{Scene, code};

/// Distance of words from the edges, in units of a 720th of the screen's height, and how far they wander from there.
pub(super) const MARGIN: f32 = 24.0;
pub(super) const WANDER: f32 = 9.0;

/// Around what has a place of its own, and between the tiles.
pub(super) const GAP: f32 = 12.0;

/// Least height of the sign. It keeps its place while it has nothing to say: the tiles are to stand still.
const SIGN: f32 = 54.0;

/// Height of the words that stand on a tile.
pub(super) const CAPTION: f32 = 46.0;

/// Where everything stands, in pixels.
pub(super) struct Layout<'a> {
    /// One viewer has the whole screen.
    pub alone: bool,
    /// Each viewer's tile, in their order.
    pub tiles: Vec<Rect>,
    /// Home's own picture: in a corner of the only tile, or a tile like the others.
    pub own: Option<Rect>,
    /// The sign that tells what goes out.
    pub sign: Option<(Sign, Rect)>,
    /// The ground of the code for a phone.
    pub code: Option<Rect>,
    /// The card of somebody at the door.
    pub knock: Option<(Card<'a>, Rect)>,
    /// The line that tells what has changed.
    pub change: Option<Rect>,
}

impl<'a> Layout<'a> {
    pub fn of(scene: &Scene<'a>, screen: Rect, unit: f32) -> Layout<'a> {
        let mut left = screen;
        let knock = scene.door.knock.map(|knock| {
            let card = Card::in_visit(knock, screen.width as f32, unit);
            let place = card.place(cut_bottom(&mut left, card.strip()));
            (card, place)
        });
        let change = (!scene.door.change.is_empty()).then(|| cut_bottom(&mut left, door::CHANGE * unit));
        let alone = scene.viewers.len() == 1 && knock.is_none() && change.is_none() && scene.pairing.is_none();
        let is_wide = screen.width as f32 > screen.height as f32 * 1.2;
        // Where a viewer has the whole screen, the sign stands beside the column of the face.
        let room = screen.width as f32 * if alone && is_wide { 0.35 } else { 1.0 } - (MARGIN + WANDER) * unit;
        let sign = sign::of(scene, room, unit);
        if !alone {
            let height = sign.as_ref().map_or(0.0, Sign::height).max(SIGN * unit);
            cut_top(&mut left, height + (GAP + WANDER) * unit);
        }
        let sign = sign.map(|sign| {
            let place = sign_place(&sign, screen, if alone { MARGIN } else { GAP }, unit, scene.drift);
            (sign, place)
        });
        let code = scene.pairing.is_some().then(|| code_place(&mut left, is_wide, unit, scene.drift));
        let mut tiles = if alone { vec![screen] } else { grid(scene.viewers.len() + others(scene), left, unit) };
        let own = own_shown(scene).and_then(|own| match tiles[..] {
            [tile] => Some(corner(tile, own, unit, scene.drift)),
            _ => tiles.pop(),
        });
        Layout { alone, tiles, own, sign, code, knock, change }
    }
}

/// Home's own picture, if it is to be seen: behind the curtain nobody sees it, and home not itself.
fn own_shown<'a>(scene: &Scene<'a>) -> Option<&'a I420> {
    scene.own.filter(|_| !scene.door.curtain)
}

/// Tiles that are not a viewer's.
fn others(scene: &Scene<'_>) -> usize {
    usize::from(scene.viewers.len() > 1 && own_shown(scene).is_some())
}

/// How far what stays for long stands from its place now, in pixels.
pub(super) fn wander(drift: (f32, f32), unit: f32) -> (f32, f32) {
    (drift.0 * WANDER * unit, drift.1 * WANDER * unit)
}

/// In the upper right corner of the screen.
fn sign_place(sign: &Sign, screen: Rect, top: f32, unit: f32, drift: (f32, f32)) -> Rect {
    let (dx, dy) = wander(drift, unit);
    let x = (screen.x + screen.width) as f32 - MARGIN * unit - sign.width() + dx;
    place((x, screen.y as f32 + top * unit + dy), (sign.width(), sign.height()))
}

/// The code, left of the viewers on a wide screen and above them on a tall one.
fn code_place(left: &mut Rect, is_wide: bool, unit: f32, drift: (f32, f32)) -> Rect {
    let (dx, dy) = wander(drift, unit);
    let around = 2.0 * WANDER * unit;
    let (width, height) = code::size_in_visit(unit);
    if is_wide {
        let shrunk = ((left.height as f32 - around) / height).clamp(0.1, 1.0);
        let (width, height) = (width * shrunk, height * shrunk);
        let strip = cut_left(left, width + (MARGIN + WANDER) * unit);
        let y = strip.y as f32 + (strip.height as f32 - height) / 2.0 + dy;
        place((strip.x as f32 + MARGIN * unit + dx.max(0.0), y), (width, height))
    } else {
        let shrunk = (left.height as f32 * 0.6 / (height + around)).clamp(0.1, 1.0);
        let (width, height) = (width * shrunk, height * shrunk);
        let strip = cut_top(left, height + around);
        let x = strip.x as f32 + (strip.width as f32 - width) / 2.0 + dx;
        place((x, strip.y as f32 + around / 2.0 + dy), (width, height))
    }
}

/// Home's own picture in the lower right corner of a tile.
fn corner(tile: Rect, own: &I420, unit: f32, drift: (f32, f32)) -> Rect {
    let width = (tile.width as f32 * 0.17).max(2.0) as usize & !1;
    let room = Rect { x: 0, y: 0, width, height: (tile.height / 4).max(2) & !1 };
    let Rect { width, height, .. } = room.fit(own.width(), own.height());
    let (dx, dy) = wander(drift, unit);
    let edge = |from: usize, length: usize, by: f32| {
        ((from as f32 - MARGIN * unit - length as f32 + by).max(0.0) as usize) & !1
    };
    Rect { x: edge(tile.x + tile.width, width, dx), y: edge(tile.y + tile.height, height, dy), width, height }
}

/// How wide the words on a tile may be, beside home's own picture if it stands there.
pub(super) fn caption_room(tile: Rect, own: Option<Rect>, unit: f32) -> f32 {
    let beside = own.filter(|own| own.x >= tile.x && own.x < tile.x + tile.width && own.y < tile.y + tile.height);
    let end = beside.map_or(tile.x + tile.width, |own| own.x);
    // The ground of the words is wider than they are.
    let around = (MARGIN + 2.0 * WANDER + GAP + CAPTION) * unit;
    ((end - tile.x) as f32 - around).max(0.0)
}

/// Whole pixels, and none left of the screen or above it.
pub(super) fn place(at: (f32, f32), size: (f32, f32)) -> Rect {
    let whole = |length: f32| length.max(0.0) as usize;
    let [x, y] = [at.0, at.1].map(|at| whole(at.round()));
    // Never smaller: a code would lose a pixel of each module.
    Rect { x, y, width: whole(size.0.ceil()), height: whole(size.1.ceil()) }
}

fn even(length: f32, most: usize) -> usize {
    (length.max(0.0) as usize).next_multiple_of(2).min(most)
}

/// Takes a strip away, as high as it was asked for if that is there.
pub(super) fn cut_top(left: &mut Rect, height: f32) -> Rect {
    let height = even(height, left.height);
    let strip = Rect { height, ..*left };
    *left = Rect { y: left.y + height, height: left.height - height, ..*left };
    strip
}

/// Likewise at the lower edge.
pub(super) fn cut_bottom(left: &mut Rect, height: f32) -> Rect {
    let height = even(height, left.height);
    left.height -= height;
    Rect { y: left.y + left.height, height, ..*left }
}

fn cut_left(left: &mut Rect, width: f32) -> Rect {
    let width = even(width, left.width);
    let strip = Rect { width, ..*left };
    *left = Rect { x: left.x + width, width: left.width - width, ..*left };
    strip
}

/// Cells for `count` tiles: the arrangement that leaves a 16:9 picture the most room.
fn grid(count: usize, area: Rect, unit: f32) -> Vec<Rect> {
    let gap = ((12.0 * unit) as usize).next_multiple_of(2);
    let cell = |columns: usize| {
        let rows = count.div_ceil(columns);
        let width = (area.width.saturating_sub(gap * (columns + 1)) / columns) & !1;
        let height = (area.height.saturating_sub(gap * (rows + 1)) / rows) & !1;
        (width, height)
    };
    let filled = |columns: &usize| {
        let (width, height) = cell(*columns);
        let picture = Rect { x: 0, y: 0, width, height }.fit(16, 9);
        picture.width * picture.height
    };
    let columns = (1..=count).max_by_key(filled).unwrap_or(1);
    let (width, height) = cell(columns);
    let rows = count.div_ceil(columns);
    (0..count)
        .map(|n| {
            let (row, column) = (n / columns, n % columns);
            let in_row = if row + 1 == rows { count - row * columns } else { columns };
            let used = in_row * (width + gap) - gap;
            let left = area.width.saturating_sub(used) / 2;
            Rect {
                x: area.x + ((left + column * (width + gap)) & !1),
                y: area.y + gap + row * (height + gap),
                width,
                height,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::tests::{knock, pairing, scene, viewer};
    use crate::scene::{AtDoor, Health, ViewerTile, compose, viewers};

    const SCREENS: [(usize, usize); 5] = [(1280, 720), (1920, 1080), (3840, 2160), (720, 1280), (1024, 768)];

    fn screen((width, height): (usize, usize)) -> (Rect, f32) {
        (Rect { x: 0, y: 0, width, height }, width.min(height) as f32 / 720.0)
    }

    fn are_apart(a: Rect, b: Rect) -> bool {
        a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y
    }

    fn is_inside(inner: Rect, outer: Rect) -> bool {
        inner.x >= outer.x
            && inner.y >= outer.y
            && inner.x + inner.width <= outer.x + outer.width
            && inner.y + inner.height <= outer.y + outer.height
    }

    /// Where heads are in a picture of somebody who looks at a phone or a computer.
    fn face(tile: Rect, picture: &I420) -> Rect {
        let all = tile.fit(picture.width(), picture.height());
        let (width, height) = (all.width * 3 / 10, all.height / 2);
        Rect { x: all.x + (all.width - width) / 2, y: all.y + all.height * 13 / 100, width, height }
    }

    /// All that can be there at once, in every mixture, for so many viewers.
    fn mixtures(count: usize, mut look: impl FnMut(&Scene<'_>)) {
        let flat = |width, height| {
            let mut picture = I420::black(width, height);
            picture.planes_mut()[0].fill(200);
            picture
        };
        let pictures = [flat(640, 360), flat(360, 640), flat(640, 480)];
        let names = ["Anna", "Grandma Margaret and Grandpa William of Ohio", "Jo"];
        let code = crate::qr::modules("https://192.168.1.20:8443/#p=AAAAAAAAAAAAAAAAAAAAAA").unwrap();
        let (pairing, knock) = (pairing(&code), knock("Onkel Jürgen"));
        let viewers: Vec<ViewerTile<'_>> =
            (0..count).map(|n| viewer(names[(n + count) % 3], n, Some(&pictures[(n + count) % 3]))).collect();
        for bits in 0..32u32 {
            let has = |bit: u32| bits >> bit & 1 == 1;
            let door = AtDoor {
                knock: has(0).then_some(knock),
                curtain: has(1),
                resting: has(0) && has(1),
                change: if has(2) { "Onkel Jürgen knocked, nobody answered" } else { "" },
            };
            let (own, pairing) = (has(3).then_some(&pictures[2]), has(4).then_some(pairing));
            for drift in [(-1.0, -1.0), (1.0, 1.0), (1.0, -1.0)] {
                let health = Health { muted: has(1), ..scene(&[]).health };
                look(&Scene { door, own, pairing, drift, health, ..scene(&viewers) });
            }
        }
    }

    #[test]
    fn no_sign_or_card_stands_on_a_face_a_name_or_another_one() {
        for size in SCREENS {
            let (whole, unit) = screen(size);
            for count in 1..=12 {
                mixtures(count, |scene| {
                    let layout = Layout::of(scene, whole, unit);
                    let told = format!("{size:?}, {count} viewers, {:?}", scene.door);
                    let signs: Vec<Rect> = [
                        layout.sign.as_ref().map(|(_, place)| *place),
                        layout.knock.as_ref().map(|(_, place)| *place),
                        layout.code,
                        layout.change,
                    ]
                    .into_iter()
                    .flatten()
                    .chain(layout.own)
                    .collect();
                    for (n, sign) in signs.iter().enumerate() {
                        assert!(is_inside(*sign, whole) && sign.width > 0 && sign.height > 0, "{told}: {sign:?}");
                        assert!(signs[n + 1..].iter().all(|other| are_apart(*sign, *other)), "{told}: {signs:?}");
                    }
                    assert_eq!(layout.tiles.len(), count);
                    for (viewer, tile) in scene.viewers.iter().zip(&layout.tiles) {
                        let picture = viewer.picture.unwrap();
                        let name = viewers::name_place(viewer, scene, whole, &layout, *tile, unit);
                        for sign in &signs {
                            assert!(are_apart(*sign, name), "{told}: {sign:?} on the name {name:?}");
                            assert!(are_apart(*sign, face(*tile, picture)), "{told}: {sign:?} on a face");
                        }
                        assert!(is_inside(name, *tile), "{told}: a name {name:?} outside of {tile:?}");
                        let only = layout.tiles.len() == 1;
                        let beside =
                            signs.iter().all(|sign| are_apart(*sign, *tile) || only && layout.own == Some(*sign));
                        assert!(layout.alone || beside, "{told}: {signs:?} on {tile:?}");
                    }
                });
            }
        }
    }

    #[test]
    fn a_small_tile_tells_the_name_and_that_nobody_is_heard_before_how_long() {
        let picture = I420::black(640, 360);
        let viewers: Vec<ViewerTile<'_>> = (0..12)
            .map(|n| ViewerTile { microphone: n % 2 == 0, ..viewer("Onkel Jürgen aus Ohio", n, Some(&picture)) })
            .collect();
        let said = |count: usize, which: usize| {
            let (scene, (whole, unit)) = (scene(&viewers[..count]), screen((1280, 720)));
            let layout = Layout::of(&scene, whole, unit);
            viewers::words_on(&viewers[which], &scene, whole, &layout, layout.tiles[which], unit)
        };
        assert_eq!(said(2, 1), "Onkel Jürgen aus Ohio · 12 min · microphone off");
        assert_eq!(said(12, 0), "Onkel Jürgen aus Ohio · 12 min");
        assert_eq!(said(12, 1), "Onkel Jürgen aus Ohio · microphone off");
    }

    #[test]
    fn faces_are_seen_whatever_else_is_shown() {
        let size = (640, 360);
        let (whole, unit) = screen(size);
        for count in [1, 2, 3, 6, 12] {
            mixtures(count, |scene| {
                let mut canvas = I420::black(size.0, size.1);
                compose(scene, &mut canvas);
                for (viewer, tile) in scene.viewers.iter().zip(&Layout::of(scene, whole, unit).tiles) {
                    let face = face(*tile, viewer.picture.unwrap());
                    // The name, in the lower left corner, is the tile's own.
                    for y in face.y..face.y + face.height / 2 {
                        let row = &canvas.planes()[0][y * size.0 + face.x..][..face.width];
                        assert!(row.iter().all(|p| p.abs_diff(200) <= 2), "{count} viewers, {:?}: row {y}", scene.door);
                    }
                }
            });
        }
    }

    #[test]
    fn cells_never_overlap_and_stay_on_the_screen() {
        for size in [(1280, 720), (1920, 1080), (720, 1280), (320, 180)] {
            let screen = Rect { x: 0, y: 0, width: size.0, height: size.1 };
            for count in 2..=32 {
                let cells = grid(count, screen, screen.height as f32 / 720.0);
                assert_eq!(cells.len(), count);
                for (n, a) in cells.iter().enumerate() {
                    assert!(a.x + a.width <= screen.width && a.y + a.height <= screen.height, "{count}: {a:?}");
                    assert!(a.width > 0 && a.height > 0);
                    assert!(cells[n + 1..].iter().all(|b| are_apart(*a, *b)), "{count}: {a:?}");
                }
            }
        }
        let two = grid(2, Rect { x: 0, y: 0, width: 1280, height: 720 }, 1.0);
        assert_eq!(two[0].y, two[1].y, "two stand side by side");
    }
}
