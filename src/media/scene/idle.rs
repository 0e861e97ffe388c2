//! The card of a home that nobody visits: the clock, what works, and at times a code for a new viewer's phone.

use intercom_base::picture::I420;

use crate::paint::{self, Colour};
use crate::scale::Rect;
use crate::scene::door::{self, Card};
use crate::scene::layout::{self, GAP, cut_bottom, cut_top};
use crate::scene::look::{AMBER, BOTTOM, GREEN, GREY, MUTED, Pill, TOP, WHITE, line};
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

/// Clock, notices and what works, within what is `left` of the screen.
fn content(scene: &Scene<'_>, canvas: &mut I420, left: Rect, unit: f32) {
    let (width, height) = (canvas.width() as f32, left.height as f32);
    // Beside the code on a wide screen, above it on a tall one.
    let beside = scene.pairing.is_some() && width > canvas.height() as f32 * 1.2;
    let above = scene.pairing.is_some() && !beside;
    let room = width * if beside { 0.46 } else { 0.86 };
    let told = |scale: f32| told_lines(scene, NOTICE * scale * unit, room);
    let count = told(1.0).len();
    let mut scale = if scene.pairing.is_some() || count > ROOMY { SMALLER } else { 1.0 };
    let mut notice_scale = if scene.pairing.is_some() || count > CROWDED { SMALLER } else { 1.0 };
    let mut lines = told(notice_scale);
    let (mut wander, mut lower) = (if beside { WANDER.0 * 0.5 } else { WANDER.0 }, 0.0);
    let has_hint = scene.pairing.is_none() && scene.door.knock.is_none() && !scene.hint.is_empty();
    let is_short = left.height < canvas.height();
    if is_short {
        // Somebody waits, or the curtain is drawn: that comes first, and the rest makes do with what is left.
        if scene.door.knock.is_some() {
            lines.truncate(MOST_BESIDE);
        }
        let over = if lines.is_empty() { OVER } else { OVER + 34.0 * lines.len() as f32 + 19.0 };
        let under = if has_hint { UNDER + 2.0 * HINT } else { UNDER };
        let share = if above { 0.40 } else { 1.0 };
        scale = scale.min(height * share / ((over + under + 2.0 * WANDER.1) * unit)).max(0.05);
        (notice_scale, lower) = (scale, (over - under) / 2.0 * scale * unit);
        wander = wander.min(WANDER.1);
    }
    let x = width * if beside { 0.28 } else { 0.5 } + scene.drift.0 * wander * unit;
    let part = match above {
        true if is_short => 0.21,
        true => 0.26,
        false => 0.5,
    };
    let middle = left.y as f32 + height * part + lower;
    let y = middle + scene.drift.1 * WANDER.1 * if is_short { scale } else { 1.0 } * unit;
    let mut write = |words: &str, dy: f32, weight: Weight, size: f32, colour: Colour| {
        let style = Style { weight, size: size * scale * unit, colour, opacity: 1.0 };
        line(canvas, words, (x, y + dy * scale * unit), room, style);
    };
    write(scene.clock, -116.0, Weight::Light, 250.0, WHITE);
    write(scene.date, 8.0, Weight::Medium, 38.0, MUTED);
    if scene.door.resting {
        write(scene.sentences.quiet_hours, 56.0, Weight::Medium, 30.0, MUTED);
    }
    write(scene.home, 112.0, Weight::Medium, 50.0, WHITE);
    write(scene.news, 170.0, Weight::Medium, 34.0, MUTED);
    notices(&lines, canvas, (x, y - 250.0 * scale * unit), room, notice_scale * unit);
    let health_scale = if is_short { scale } else { scale.max(0.8) };
    let below = health(scene, canvas, (x, y + 238.0 * scale * unit), room, health_scale * unit);
    if has_hint {
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

/// A row or two of what works and what does not, around `middle`; where they end.
fn health(scene: &Scene<'_>, canvas: &mut I420, middle: (f32, f32), room: f32, unit: f32) -> f32 {
    let (Health { camera, microphone, speaker, network, muted }, say) = (scene.health, scene.sentences);
    let words = [
        (camera, say.camera, say.no_camera),
        match muted {
            true => (Some(false), "", say.microphone_muted),
            false => (microphone, say.microphone, say.no_microphone),
        },
        (speaker, say.speaker, say.no_speaker),
        (network, say.network, say.no_network),
    ];
    let height = 42.0 * unit;
    let pill = |(state, well, ill): (Option<bool>, &'static str, &'static str), height: f32| {
        let (words, dot) = match state {
            Some(true) => (well, GREEN),
            Some(false) => (ill, AMBER),
            None => (well, GREY),
        };
        Pill { words, height, room, dot: Some(dot), ground: 0.35 }
    };
    let gap = height * 0.3;
    let width = |row: &[_]| row.iter().map(|word| pill(*word, height).width() + gap).sum::<f32>() - gap;
    // Smaller words could not be read from the sofa; a second row can.
    let in_row = if width(&words) <= room { 4 } else { 2 };
    for (n, row) in words.chunks(in_row).enumerate() {
        let mut x = middle.0 - width(row) / 2.0;
        for word in row {
            let pill = pill(*word, height);
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
}
