//! What all scenes share: colours, and words on a ground of their own.

use intercom_base::picture::I420;

use crate::paint::{self, Colour};
use crate::scale::Rect;
use crate::text::{self, Align, Style, Weight};

pub(super) const WHITE: Colour = Colour::rgb(244, 246, 250);
pub(super) const MUTED: Colour = Colour::rgb(148, 160, 182);
pub(super) const TOP: Colour = Colour::rgb(25, 32, 46);
pub(super) const BOTTOM: Colour = Colour::rgb(10, 13, 19);
pub(super) const TILE: Colour = Colour::rgb(34, 42, 58);
pub(super) const INK: Colour = Colour::rgb(8, 10, 15);
pub(super) const RED: Colour = Colour::rgb(255, 78, 72);
pub(super) const GREEN: Colour = Colour::rgb(92, 196, 128);
pub(super) const AMBER: Colour = Colour::rgb(246, 176, 66);
pub(super) const GREY: Colour = Colour::rgb(110, 122, 144);

/// Words on a dark, round-ended ground, with a coloured dot before them if there is one.
pub(super) struct Pill<'a> {
    pub words: &'a str,
    /// Height in pixels.
    pub height: f32,
    /// The widest that the words may be.
    pub room: f32,
    pub dot: Option<Colour>,
    /// How much the ground hides of what is below it, 0.0–1.0.
    pub ground: f32,
}

impl Pill<'_> {
    /// Height of its letters, in pixels.
    pub fn size(&self) -> f32 {
        self.height * 0.64
    }

    /// Width in pixels.
    pub fn width(&self) -> f32 {
        let words = text::fitted(self.words, Weight::Medium, self.size(), self.room);
        text::width(&words, Weight::Medium, self.size()) + self.height * if self.dot.is_some() { 1.35 } else { 0.9 }
    }

    /// Draws it with its upper left corner at `at`.
    pub fn draw(&self, canvas: &mut I420, at: (f32, f32)) {
        let (height, size) = (self.height, self.size());
        let words = text::fitted(self.words, Weight::Medium, size, self.room);
        let whole = |length: f32| length.max(0.0).round() as usize;
        let ground = Rect { x: whole(at.0), y: whole(at.1), width: whole(self.width()), height: whole(height) };
        paint::shape(canvas, ground, INK, self.ground, paint::round_rect(ground, height / 2.0));
        let y = at.1 + height / 2.0;
        let mut x = at.0 + height * 0.45;
        if let Some(colour) = self.dot {
            let radius = height * 0.17;
            paint::shape(canvas, ground, colour, 1.0, paint::disc(x + radius, y, radius));
            x += height * 0.48;
        }
        let style = Style { weight: Weight::Medium, size, colour: WHITE, opacity: 1.0 };
        text::draw(canvas, &words, x, y, Align::Left, style);
    }
}

/// One line of words around `at`, cut to `room` pixels.
pub(super) fn line(canvas: &mut I420, words: &str, at: (f32, f32), room: f32, style: Style) {
    let words = text::fitted(words, style.weight, style.size, room);
    text::draw(canvas, &words, at.0, at.1, Align::Centre, style);
}
