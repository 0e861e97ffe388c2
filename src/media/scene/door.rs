//! What the TV shows of home's door: the card of somebody who waits there or comes in, and the line that tells what has changed.

use intercom_base::picture::I420;

use crate::paint::{self, Colour};
use crate::scale::Rect;
use crate::scene::KnockCard;
use crate::scene::layout::GAP;
use crate::scene::look::{GREEN, GREY, INK, MUTED, Pill, TILE, WHITE, line};
use crate::text::{self, Align, Style, Weight};

/// Height of the strip with what has changed, in units of a 720th of the screen's height.
pub(super) const CHANGE: f32 = 56.0;

/// Letters' size of its words.
const CHANGE_WORDS: f32 = 30.0;

/// Of the card's first words, in a visit and on the idle card.
const TITLE: f32 = 50.0;
const TITLE_LARGE: f32 = 64.0;

/// How large they are, against that, with so many lines: the first that they fit into.
const WAYS: [(f32, usize); 4] = [(1.0, 1), (0.8, 2), (0.66, 2), (0.66, 3)];

/// Of the card's other sizes, in parts of the first words' size.
const LINE: f32 = 1.2;
const PILL: f32 = 0.9;
const PAD: f32 = 0.5;
const BETWEEN: f32 = 0.28;

/// The door's leaf on the card.
const LEAF: Colour = Colour::rgb(104, 178, 255);

/// How dark the card is in quiet hours: its light, and its colours.
const QUIET: (f32, f32) = (0.5, 0.7);

/// The card, laid out.
pub(super) struct Card<'a> {
    knock: KnockCard<'a>,
    width: f32,
    gap: f32,
    /// Letters' size that all others are measured by, and that of the first words.
    size: f32,
    letters: f32,
    title: Vec<String>,
    rows: Vec<Vec<Item<'a>>>,
}

#[derive(Clone, Copy)]
enum Item<'a> {
    Key(&'a str, Colour),
    Words(&'a str),
}

impl<'a> Card<'a> {
    /// For a screen that is `width` pixels wide.
    pub fn in_visit(knock: KnockCard<'a>, width: f32, unit: f32) -> Card<'a> {
        Card::new(knock, width, TITLE, unit)
    }

    /// The same, larger: nothing else is as urgent.
    pub fn on_idle_card(knock: KnockCard<'a>, width: f32, unit: f32) -> Card<'a> {
        Card::new(knock, width, TITLE_LARGE, unit)
    }

    fn new(knock: KnockCard<'a>, screen: f32, size: f32, unit: f32) -> Card<'a> {
        let (size, gap) = (size * unit, GAP * unit);
        let width = (screen - 2.0 * gap).max(0.0);
        let mut card = Card { knock, width, gap, size, letters: size, title: Vec::new(), rows: Vec::new() };
        card.write_title();
        card.rows = card.flow();
        card
    }

    fn write_title(&mut self) {
        let room = self.title_room();
        for (scale, most) in WAYS {
            self.letters = self.size * scale;
            let fits = |line: &String| text::width(line, Weight::Medium, self.letters) <= room;
            self.title = text::wrapped(self.knock.title, Weight::Medium, self.letters, room, most);
            if self.title.iter().all(fits) {
                return;
            }
        }
        for line in &mut self.title {
            *line = text::fitted(line, Weight::Medium, self.letters, room);
        }
    }

    /// Height of the strip that it stands in.
    pub fn strip(&self) -> f32 {
        self.height() + self.gap
    }

    /// Where it stands in its strip.
    pub fn place(&self, strip: Rect) -> Rect {
        let gap = self.gap as usize;
        Rect {
            x: strip.x + gap,
            width: strip.width.saturating_sub(2 * gap),
            height: strip.height.saturating_sub(gap),
            ..strip
        }
    }

    fn height(&self) -> f32 {
        let rows = self.rows.len() as f32;
        let title = self.title.len() as f32 * self.letters * LINE;
        2.0 * PAD * self.size + title + rows * (PILL + BETWEEN) * self.size
    }

    /// Where the words begin: right of the door's picture.
    fn indent(&self) -> f32 {
        self.size * 1.7
    }

    /// As wide with every figure, so that the words do not jump each second.
    fn time_width(&self) -> f32 {
        let widest: String = self.knock.left.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        text::width(&widest, Weight::Medium, self.size)
    }

    fn title_room(&self) -> f32 {
        (self.width - self.indent() - self.time_width() - 1.6 * PAD * 2.0 * self.size).max(0.0)
    }

    /// Keys and words in rows as wide as the card.
    fn flow(&self) -> Vec<Vec<Item<'a>>> {
        let KnockCard { let_in, decline, more, .. } = self.knock;
        let room = self.width - self.indent() - PAD * self.size;
        let mut rows: Vec<Vec<Item<'a>>> = Vec::new();
        let mut used = f32::MAX;
        for item in [Item::Key(let_in, GREEN), Item::Key(decline, GREY), Item::Words(more)] {
            let width = self.item_width(item);
            match rows.last_mut() {
                _ if item.words().is_empty() => continue,
                Some(row) if used + width <= room => row.push(item),
                _ => {
                    rows.push(vec![item]);
                    used = 0.0;
                }
            }
            used += width + BETWEEN * self.size;
        }
        rows
    }

    fn pill(&self, item: Item<'a>) -> Pill<'a> {
        let dot = match item {
            Item::Key(_, colour) => Some(colour),
            Item::Words(_) => None,
        };
        let height = PILL * self.size;
        let room = (self.width - self.indent() - PAD * self.size - 1.35 * height).max(0.0);
        Pill { words: item.words(), height, room, dot, ground: if dot.is_some() { 0.55 } else { 0.0 } }
    }

    fn item_width(&self, item: Item<'a>) -> f32 {
        self.pill(item).width()
    }

    /// Draws it at `place`, which [`Card::place`] gave; in quiet hours darker.
    pub fn draw(&self, canvas: &mut I420, place: Rect, resting: bool) {
        paint::shape(canvas, place, TILE, 1.0, paint::round_rect(place, 22.0 / GAP * self.gap));
        let (left, top) = (place.x as f32, place.y as f32);
        let x = left + self.indent();
        let mut y = top + PAD * self.size + self.letters * LINE / 2.0;
        self.door(canvas, (left + self.size * 0.95, top + place.height as f32 / 2.0));
        let style = Style { weight: Weight::Medium, size: self.letters, colour: WHITE, opacity: 1.0 };
        let time = left + self.width - PAD * 1.2 * self.size - self.time_width();
        text::draw(canvas, self.knock.left, time, y, Align::Left, Style { size: self.size, colour: MUTED, ..style });
        for words in &self.title {
            text::draw(canvas, words, x, y, Align::Left, style);
            y += self.letters * LINE;
        }
        y += BETWEEN * self.size - self.letters * LINE / 2.0;
        for row in &self.rows {
            let mut x = x;
            for item in row {
                self.pill(*item).draw(canvas, (x, y));
                x += self.item_width(*item) + BETWEEN * self.size;
            }
            y += (PILL + BETWEEN) * self.size;
        }
        if resting {
            paint::dim(canvas, place, QUIET.0, QUIET.1);
        }
    }

    /// A door ajar, for those who cannot read the words from where they sit.
    fn door(&self, canvas: &mut I420, middle: (f32, f32)) {
        let (width, height) = (self.size * 0.78, self.size * 1.25);
        let at = |x: f32| (x.max(0.0)) as usize;
        let leaf = Rect {
            x: at(middle.0 - width / 2.0),
            y: at(middle.1 - height / 2.0),
            width: at(width),
            height: at(height),
        };
        paint::shape(canvas, leaf, LEAF, 1.0, paint::round_rect(leaf, self.size * 0.1));
        let knob = self.size * 0.075;
        paint::shape(canvas, leaf, INK, 1.0, paint::disc(middle.0 + width * 0.28, middle.1 + height * 0.04, knob));
    }
}

impl<'a> Item<'a> {
    fn words(self) -> &'a str {
        match self {
            Item::Key(words, _) | Item::Words(words) => words,
        }
    }
}

/// The line that tells what has changed, in the middle of its strip.
pub(super) fn change(words: &str, canvas: &mut I420, strip: Rect, unit: f32) {
    let middle = (strip.x as f32 + strip.width as f32 / 2.0, strip.y as f32 + strip.height as f32 / 2.0);
    let style = Style { weight: Weight::Medium, size: CHANGE_WORDS * unit, colour: WHITE, opacity: 1.0 };
    line(canvas, words, middle, strip.width as f32 * 0.94, style);
}

/// Darkens everything: at night a bright card wakes people.
pub(super) fn quieten(canvas: &mut I420) {
    let all = Rect::of(canvas);
    paint::dim(canvas, all, QUIET.0, QUIET.1);
}

#[cfg(test)]
mod tests {
    use intercom_base::testing::pictures::room;

    use super::*;
    use crate::scene::tests::{knock, pairing, scene, viewer};
    use crate::scene::{AtDoor, Scene, compose};
    use crate::test_pictures::dump_png;

    fn drawn(scene: &Scene<'_>) -> I420 {
        let mut canvas = I420::black(1280, 720);
        compose(scene, &mut canvas);
        canvas
    }

    fn brightest(canvas: &I420) -> u8 {
        canvas.planes()[0].iter().copied().max().unwrap_or_default()
    }

    #[test]
    fn each_second_changes_the_time_and_no_other_word() {
        let title = "Grandma Margaret would like to come in";
        for viewers in [vec![], vec![viewer("Ben", 0, None)]] {
            let at = |left: &'static str| {
                let knock = Some(KnockCard { left, ..knock(title) });
                drawn(&Scene { door: AtDoor { knock, ..AtDoor::default() }, ..scene(&viewers) })
            };
            let first = at("0:41");
            for left in ["0:40", "0:39", "0:08", "0:00"] {
                let now = at(left);
                let pixels = first.planes()[0].iter().zip(now.planes()[0]).enumerate();
                let changed: Vec<usize> = pixels.filter(|(_, (a, b))| a != b).map(|(at, _)| at % 1280).collect();
                assert!(!changed.is_empty() && changed.iter().all(|x| *x > 1000), "{left}: {:?}", changed.first());
            }
        }
    }

    #[test]
    fn in_quiet_hours_nothing_of_home_is_bright_and_the_code_can_be_read() {
        let knock = Some(knock("Anna would like to come in"));
        let code = crate::qr::modules("https://192.168.1.20:8443/#p=AAAAAAAAAAAAAAAAAAAAAA").unwrap();
        for (n, (knock, pairing)) in
            [(None, None), (knock, None), (None, Some(pairing(&code))), (knock, Some(pairing(&code)))]
                .into_iter()
                .enumerate()
        {
            let door = AtDoor { knock, curtain: n > 0, ..AtDoor::default() };
            let day = drawn(&Scene { door, pairing, ..scene(&[]) });
            let night = drawn(&Scene { door: AtDoor { resting: true, ..door }, pairing, ..scene(&[]) });
            dump_png(&night, &format!("tv-night-{n}"));
            assert!(brightest(&day) > 200 && brightest(&night) < 135, "{n}: {}", brightest(&night));
            assert!(brightest(&night) > 100, "{n}: it can be read");
            assert_eq!(crate::scene::tests::read_code(&night).is_some(), pairing.is_some(), "{n}");
        }
        let dark = I420::black(64, 36);
        let door = AtDoor { knock, resting: true, ..AtDoor::default() };
        let visit = drawn(&Scene { door, ..scene(&[viewer("Ben", 0, Some(&dark))]) });
        let card = &visit.planes()[0][1280 * 570..];
        assert!(card.iter().all(|pixel| *pixel < 135), "in a visit the card is as dark");
        dump_png(&visit, "tv-night-visit");
    }

    #[test]
    fn behind_the_curtain_the_sign_is_not_red_and_home_is_not_seen() {
        let (mut own, dark) = (I420::black(640, 360), I420::black(640, 360));
        own.planes_mut()[0].fill(235);
        for count in [0, 1, 2, 6] {
            let viewers: Vec<_> = (0..count).map(|n| viewer("Anna", n, Some(&dark))).collect();
            let at = |curtain: bool| {
                let door = AtDoor { curtain, ..AtDoor::default() };
                drawn(&Scene { own: Some(&own).filter(|_| count > 0), door, ..scene(&viewers) })
            };
            let white = |canvas: &I420| canvas.planes()[0].iter().filter(|p| **p >= 235).count();
            let red = |canvas: &I420| canvas.planes()[2].iter().filter(|p| **p > 190).count();
            let (open, drawn) = (at(false), at(true));
            dump_png(&drawn, &format!("tv-curtain-{count}"));
            assert_eq!((red(&open) > 20, white(&open) > 5000), (count > 0, count > 0), "{count}");
            assert_eq!((red(&drawn), white(&drawn)), (0, 0), "{count}");
            assert!(open.packed() != drawn.packed(), "{count}: it is told");
        }
    }

    #[test]
    fn what_there_is_to_say_of_the_door_is_kept_to_be_looked_at() {
        let (wide, tall) = (room(1280, 720, 3), room(720, 1280, 9));
        let all = [viewer("Anna", 0, Some(&wide)), viewer("Ben", 1, Some(&tall)), viewer("Clara", 2, None)];
        let knocks = AtDoor { knock: Some(knock("Anna would like to come in")), ..AtDoor::default() };
        let comes = KnockCard { title: "Anna is coming in", left: "0:07", let_in: "", more: "", ..knock("") };
        let comes = AtDoor { knock: Some(comes), ..AtDoor::default() };
        let bare = KnockCard { let_in: "", decline: "", more: "", ..knock("Somebody would like to come in") };
        let bare = AtDoor { knock: Some(bare), ..AtDoor::default() };
        let change = AtDoor { change: "Anna has a new device", ..AtDoor::default() };
        let name = "Grandma Margaret and Grandpa William of Ohio would like to come in";
        let long = AtDoor { knock: Some(knock(name)), ..AtDoor::default() };
        let doors = [("knock", knocks), ("comes", comes), ("bare", bare), ("change", change), ("long", long)];
        for size in [(1280, 720), (720, 1280)] {
            let mut before: Vec<I420> = Vec::new();
            for (name, door) in doors {
                for count in [0, 1, 3] {
                    let mut canvas = I420::black(size.0, size.1);
                    let own = Some(&wide).filter(|_| count > 0);
                    compose(&Scene { door, own, ..scene(&all[..count]) }, &mut canvas);
                    dump_png(&canvas, &format!("tv-door-{name}-{count}-{}", size.0));
                    assert!(before.iter().all(|other| other.packed() != canvas.packed()), "{name}, {count} visit");
                    before.push(canvas);
                }
            }
        }
    }
}
