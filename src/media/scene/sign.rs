//! The sign that tells what goes out of home: red as long as anybody sees or hears it, or that the curtain is drawn.

use intercom_base::language::fill;
use intercom_base::picture::I420;

use crate::paint::{self, Colour};
use crate::scale::Rect;
use crate::scene::look::{GREY, INK, RED, WHITE};
use crate::scene::{Scene, ViewerTile};
use crate::text::{self, Align, Style, Weight};

/// Height of a sign of one line, in units of a 720th of the screen's height.
const HEIGHT: f32 = 54.0;

/// Of one whose letters are smaller, since it has more to say than there is room, and the distance of its lines.
const SMALL: f32 = 44.0;
const LINE: f32 = 36.0;

/// Lines of the smaller letters.
const MOST_LINES: usize = 3;

/// How much its ground hides of what is below it.
const GROUND: f32 = 0.78;

/// Words on a dark ground, with a dot before them, in one line or, in smaller letters, in several.
pub(super) struct Sign {
    lines: Vec<String>,
    /// Height of a sign of one line, of which the letters are a part.
    height: f32,
    line: f32,
    dot: Colour,
}

/// What goes out now; `None` while nobody is here. `room` is the widest that it may be, in pixels.
pub(super) fn of(scene: &Scene<'_>, room: f32, unit: f32) -> Option<Sign> {
    if scene.door.curtain {
        return Some(Sign::new(scene.sentences.curtain_drawn, GREY, room, unit));
    }
    let (words, dot) = watched(scene)?;
    Some(Sign::new(&words, dot, room, unit))
}

impl Sign {
    pub fn new(words: &str, dot: Colour, room: f32, unit: f32) -> Sign {
        let (large, small) = (HEIGHT * unit, SMALL * unit);
        if width_of(words, large) <= room {
            return Sign { lines: vec![words.to_owned()], height: large, line: 0.0, dot };
        }
        let inner = (room - around(small)).max(0.0);
        let lines = text::wrapped(words, Weight::Medium, letters(small), inner, MOST_LINES);
        let lines = lines.iter().map(|line| text::fitted(line, Weight::Medium, letters(small), inner)).collect();
        Sign { lines, height: small, line: LINE * unit, dot }
    }

    /// In pixels.
    pub fn width(&self) -> f32 {
        self.lines.iter().map(|line| width_of(line, self.height)).fold(0.0, f32::max)
    }

    /// In pixels.
    pub fn height(&self) -> f32 {
        self.height + self.line * self.lines.len().saturating_sub(1) as f32
    }

    pub fn draw(&self, canvas: &mut I420, place: Rect) {
        paint::shape(canvas, place, INK, GROUND, paint::round_rect(place, self.height / 2.0));
        let (x, y) = (place.x as f32 + self.height * 0.45, place.y as f32 + self.height / 2.0);
        let radius = self.height * 0.17;
        paint::shape(canvas, place, self.dot, 1.0, paint::disc(x + radius, y, radius));
        let style = Style { weight: Weight::Medium, size: letters(self.height), colour: WHITE, opacity: 1.0 };
        for (n, words) in self.lines.iter().enumerate() {
            text::draw(canvas, words, x + self.height * 0.48, y + n as f32 * self.line, Align::Left, style);
        }
    }
}

fn letters(height: f32) -> f32 {
    height * 0.64
}

/// What a sign is wider than its words.
fn around(height: f32) -> f32 {
    height * 1.35
}

fn width_of(words: &str, height: f32) -> f32 {
    text::width(words, Weight::Medium, letters(height)) + around(height)
}

/// Who sees or hears home, and the colour of the dot.
fn watched(scene: &Scene<'_>) -> Option<(String, Colour)> {
    let present: Vec<&ViewerTile<'_>> = scene.viewers.iter().filter(|viewer| viewer.connected).collect();
    // What is not known yet counts as working: better warned too early than too late.
    let seen = scene.health.camera != Some(false);
    let muted = scene.health.muted;
    let heard = scene.health.microphone != Some(false) && !muted;
    let (say, count) = (scene.sentences, present.len().to_string());
    let (one, name) = match present[..] {
        [] => return None,
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
    Some((words, dot))
}
