//! The code for a new phone: on the idle card, and beside those who visit.

use intercom_base::picture::I420;

use crate::paint::{self, Colour};
use crate::scale::Rect;
use crate::scene::Scene;
use crate::scene::look::{INK, MUTED, WHITE, line};
use crate::text::{Style, Weight};

/// Edge of the code's white, and height of what stands above and below it, in units of a 720th of the screen's height.
const EDGE: f32 = 400.0;
const AROUND: f32 = 160.0;

/// How wide the sentence may be, in edges.
const WORDS: f32 = 1.25;

/// The size of the code in a visit, against that on the idle card. A phone reads it from three metres; faces come first.
const IN_VISIT: f32 = 0.74;

/// How much its ground hides of the viewers' pictures.
const GROUND: f32 = 0.82;

/// Its ground in a visit, in pixels.
pub(super) fn size_in_visit(unit: f32) -> (f32, f32) {
    let unit = unit * IN_VISIT;
    (EDGE * WORDS * unit, (EDGE + AROUND) * unit)
}

/// While somebody visits: on a dark ground.
pub(super) fn draw_in_visit(scene: &Scene<'_>, canvas: &mut I420, ground: Rect) {
    let unit = ground.height as f32 / (EDGE + AROUND);
    paint::shape(canvas, ground, INK, GROUND, paint::round_rect(ground, 28.0 * unit));
    let middle = (ground.x as f32 + ground.width as f32 / 2.0, ground.y as f32 + ground.height as f32 / 2.0);
    draw(scene, canvas, middle, unit);
}

/// The largest unit with which the code, its sentence and its time fit into this height.
pub(super) fn unit_within(height: f32, unit: f32) -> f32 {
    unit.min(height / (EDGE + AROUND))
}

/// The code on white around `middle`, with its sentence above and its time below.
pub(super) fn draw(scene: &Scene<'_>, canvas: &mut I420, middle: (f32, f32), unit: f32) {
    let Some(pairing) = &scene.pairing else { return };
    if pairing.side == 0 || pairing.modules.len() < pairing.side * pairing.side {
        return;
    }
    // Whole pixels to a module, and the quiet zone of four that readers want (ISO/IEC 18004).
    let quiet = 4;
    let module = ((EDGE * unit) as usize / (pairing.side + 2 * quiet)).max(1);
    let edge = module * (pairing.side + 2 * quiet);
    let place = |middle: f32| ((middle - edge as f32 / 2.0).max(0.0) as usize) & !1;
    let panel = Rect { x: place(middle.0), y: place(middle.1), width: edge, height: edge };
    paint::shape(canvas, panel, WHITE, 1.0, paint::round_rect(panel, 14.0 * unit));
    // One shape for all modules: chroma has half the resolution, and stays that of the ink between them.
    let (left, top) = (panel.x + quiet * module, panel.y + quiet * module);
    let inner = Rect { x: left, y: top, width: pairing.side * module, height: pairing.side * module };
    paint::shape(canvas, inner, INK, 1.0, |x, y| {
        let (column, row) = ((x as usize).wrapping_sub(left) / module, (y as usize).wrapping_sub(top) / module);
        let dark = column < pairing.side && row < pairing.side && pairing.modules[row * pairing.side + column];
        if dark { -1.0 } else { 1.0 }
    });
    let mut write = |words: &str, y: f32, size: f32, colour: Colour| {
        let style = Style { weight: Weight::Medium, size: size * unit, colour, opacity: 1.0 };
        line(canvas, words, (middle.0, y), EDGE * WORDS * unit, style);
    };
    write(pairing.scan, panel.y as f32 - 40.0 * unit, 40.0, WHITE);
    write(pairing.left, (panel.y + edge) as f32 + 40.0 * unit, 32.0, MUTED);
}
