//! The last visits on the idle card: a row each, with their times below each other, or above what happened where the screen is narrow.

use intercom_base::isolate::isolated;
use intercom_base::language::fill;
use intercom_base::picture::I420;

use crate::scene::look::{MUTED, WHITE};
use crate::scene::{Scene, VisitLine};
use crate::text::{self, Align, Style, Weight};

/// Height of the letters, and the distance of lines and of rows, in units of a 720th of the screen's height.
pub(super) const LETTERS: f32 = 31.0;
const LINE: f32 = 36.0;
const ROW: f32 = 44.0;
const ROW_OF_LINES: f32 = 54.0;

/// Between a time and what happened then.
const GAP: f32 = 26.0;

/// Smaller letters are read from nowhere, in pixels.
const SMALLEST: f32 = 14.0;

/// What a name may need before it is cut: about sixteen letters.
const NAME: f32 = 8.5 * LETTERS;

/// Lines of what happened, below a time.
const MOST_LINES: usize = 2;

/// Some of the last visits, the newest first.
pub(super) struct Visits {
    rows: Vec<Row>,
    unit: f32,
    /// The times stand beside what happened. Width of both, in pixels.
    beside: Option<(f32, f32)>,
}

struct Row {
    when: String,
    words: Vec<String>,
}

impl Visits {
    /// All of them, at most `room` pixels wide; none where nobody could read them, or something else is to be read.
    pub fn of(scene: &Scene<'_>, room: f32, unit: f32) -> Visits {
        let comes_first = scene.pairing.is_some() || scene.door.knock.is_some();
        let lines = if LETTERS * unit < SMALLEST || comes_first { &[] } else { scene.visits };
        let width = |text: &str| text::width(text, Weight::Medium, LETTERS * unit);
        let times = lines.iter().map(|line| width(line.when)).fold(0.0, f32::max);
        let beside = room - times - GAP * unit;
        let least = |line: &VisitLine<'_>| width(&filled(line, "")) + width(line.name).min(NAME * unit);
        if lines.iter().all(|line| least(line) <= beside) {
            let row = |line: &VisitLine<'_>| {
                let name = fitted(line.name, unit, beside - width(&filled(line, "")));
                Row { when: line.when.to_owned(), words: vec![fitted(&filled(line, &name), unit, beside)] }
            };
            let rows: Vec<Row> = lines.iter().map(row).collect();
            let widest = rows.iter().flat_map(|row| &row.words).map(|words| width(words)).fold(0.0, f32::max);
            return Visits { rows, unit, beside: Some((times, widest)) };
        }
        let row = |line: &VisitLine<'_>| {
            let words = filled(line, &fitted(line.name, unit, room));
            let words = text::wrapped(&words, Weight::Medium, LETTERS * unit, room, MOST_LINES);
            Row { when: line.when.to_owned(), words: words.iter().map(|words| fitted(words, unit, room)).collect() }
        };
        Visits { rows: lines.iter().map(row).collect(), unit, beside: None }
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// From the middle of the first line to that of the last one of the newest `count`, in units.
    pub fn height(&self, count: usize) -> f32 {
        let lines: usize = self.rows.iter().take(count).map(|row| self.lines(row) - 1).sum();
        LINE * lines as f32 + self.row() * count.min(self.rows.len()).saturating_sub(1) as f32
    }

    /// Draws the newest `count` around `x`, with the middle of the first line at `y`.
    pub fn draw(&self, canvas: &mut I420, count: usize, (x, mut y): (f32, f32)) {
        let style = |colour| Style { weight: Weight::Medium, size: LETTERS * self.unit, colour, opacity: 1.0 };
        let (line, gap) = (LINE * self.unit, GAP * self.unit);
        for row in self.rows.iter().take(count) {
            match self.beside {
                Some((times, widest)) => {
                    let left = x - (times + gap + widest) / 2.0;
                    text::draw(canvas, &row.when, left, y, Align::Left, style(MUTED));
                    for words in &row.words {
                        text::draw(canvas, words, left + times + gap, y, Align::Left, style(WHITE));
                    }
                }
                None => {
                    text::draw(canvas, &row.when, x, y, Align::Centre, style(MUTED));
                    for (n, words) in row.words.iter().enumerate() {
                        text::draw(canvas, words, x, y + (n + 1) as f32 * line, Align::Centre, style(WHITE));
                    }
                }
            }
            y += self.row() * self.unit + (self.lines(row) - 1) as f32 * line;
        }
    }

    #[cfg(test)]
    pub fn line_count(&self, count: usize) -> usize {
        self.rows.iter().take(count).map(|row| self.lines(row)).sum()
    }

    #[cfg(test)]
    pub fn words(&self, row: usize) -> &[String] {
        self.rows.get(row).map_or(&[], |row| &row.words)
    }

    /// From the last line of a row to the first one of the next, in units.
    fn row(&self) -> f32 {
        if self.beside.is_some() { ROW } else { ROW_OF_LINES }
    }

    /// At least one.
    fn lines(&self, row: &Row) -> usize {
        if self.beside.is_some() { 1 } else { 1 + row.words.len() }
    }
}

/// The marks of its direction are put around what is left of a name.
fn filled(line: &VisitLine<'_>, name: &str) -> String {
    fill(line.what, &[("name", &isolated(name))])
}

fn fitted(text: &str, unit: f32, room: f32) -> String {
    text::fitted(text, Weight::Medium, LETTERS * unit, room)
}
