//! The frosted picture of a preview: light and movement, and nothing that could be read or recognised.
//!
//! The picture is averaged into a grid of a few cells, which are smoothed over time and spread out again by cubic B-splines. What is
//! finer than a cell is gone before the encoder sees anything, so no page can bring it back. The averaging over time keeps a page from
//! putting the parts of a thing together that moves across the cells.

use intercom_base::picture::I420;

/// Cells of the grid, across and down; a picture of any shape has as many.
const GRID: (usize, usize) = (14, 8);

/// Part of the new picture in each frame.
const NEW: f32 = 0.25;

/// See the module.
#[derive(Debug, Default)]
pub struct Frost {
    /// Luma and both chromas, each a grid row by row; empty before the first picture.
    cells: [Vec<f32>; 3],
}

impl Frost {
    /// Nothing seen yet.
    pub fn new() -> Frost {
        Frost::default()
    }

    /// Draws what is left of `picture` into all of `canvas`.
    pub fn draw(&mut self, picture: &I420, canvas: &mut I420) {
        let (width, height) = (picture.width(), picture.height());
        let chroma = (picture.chroma_width(), picture.chroma_height());
        let sizes = [(width, height), chroma, chroma];
        for ((cells, plane), size) in self.cells.iter_mut().zip(picture.planes()).zip(sizes) {
            let averages = averages(plane, size);
            if cells.len() == averages.len() {
                cells.iter_mut().zip(averages).for_each(|(cell, new)| *cell += (new - *cell) * NEW);
            } else {
                *cells = averages;
            }
        }
        let (width, height) = (canvas.width(), canvas.height());
        let chroma = (canvas.chroma_width(), canvas.chroma_height());
        let [y, u, v] = canvas.planes_mut();
        spread(&self.cells[0], y, width, height);
        spread(&self.cells[1], u, chroma.0, chroma.1);
        spread(&self.cells[2], v, chroma.0, chroma.1);
    }

    /// Forgets what it saw.
    pub fn clear(&mut self) {
        *self = Frost::default();
    }
}

/// The mean of each cell.
fn averages(plane: &[u8], (width, height): (usize, usize)) -> Vec<f32> {
    let mut sums = vec![(0u64, 0u64); GRID.0 * GRID.1];
    for (y, row) in plane.chunks_exact(width.max(1)).take(height).enumerate() {
        let first = y * GRID.1 / height.max(1) * GRID.0;
        for (x, sample) in row.iter().enumerate() {
            let (sum, count) = &mut sums[first + x * GRID.0 / width];
            *sum += u64::from(*sample);
            *count += 1;
        }
    }
    sums.into_iter().map(|(sum, count)| if count == 0 { 128.0 } else { sum as f32 / count as f32 }).collect()
}

/// Four neighbours and their weights for a sample at `at` of `length`, along an axis of `cells`.
fn taps(at: usize, length: usize, cells: usize) -> [(usize, f32); 4] {
    let place = (at as f32 + 0.5) * cells as f32 / length as f32 - 0.5;
    let (whole, t) = (place.floor(), place - place.floor());
    let weights = [
        (1.0 - t).powi(3) / 6.0,
        (3.0 * t.powi(3) - 6.0 * t.powi(2) + 4.0) / 6.0,
        (-3.0 * t.powi(3) + 3.0 * t.powi(2) + 3.0 * t + 1.0) / 6.0,
        t.powi(3) / 6.0,
    ];
    let cell = |n: usize| (whole + n as f32 - 1.0).clamp(0.0, cells as f32 - 1.0) as usize;
    [0, 1, 2, 3].map(|n| (cell(n), weights[n]))
}

/// Spreads the cells over a plane.
fn spread(cells: &[f32], plane: &mut [u8], width: usize, height: usize) {
    if cells.len() != GRID.0 * GRID.1 || width == 0 {
        return;
    }
    let columns: Vec<_> = (0..width).map(|x| taps(x, width, GRID.0)).collect();
    for (y, row) in plane.chunks_exact_mut(width).take(height).enumerate() {
        let rows = taps(y, height, GRID.1);
        let mut line = [0.0; GRID.0];
        for (x, cell) in line.iter_mut().enumerate() {
            *cell = rows.iter().map(|(row, weight)| cells[row * GRID.0 + x] * weight).sum();
        }
        for (sample, taps) in row.iter_mut().zip(&columns) {
            *sample = taps.iter().map(|(cell, weight)| line[*cell] * weight).sum::<f32>().round() as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use intercom_base::testing::pictures::room;

    use super::*;

    /// What of a row lies above so many cycles a picture's width, in grey levels (root mean square).
    fn above(row: &[u8], cycles: usize) -> f64 {
        let length = row.len() as f64;
        let mean = row.iter().map(|sample| f64::from(*sample)).sum::<f64>() / length;
        let power = |cycle: usize| {
            let turn = std::f64::consts::TAU * cycle as f64 / length;
            // A window, so that the two ends do not count as an edge.
            let samples = row.iter().enumerate().map(|(x, sample)| {
                let window = (std::f64::consts::PI * (x as f64 + 0.5) / length).sin().powi(2);
                (x as f64, (f64::from(*sample) - mean) * window)
            });
            let (re, im) = samples.fold((0.0, 0.0), |(re, im), (x, sample)| {
                (re + sample * (turn * x).cos(), im + sample * (turn * x).sin())
            });
            re * re + im * im
        };
        let fine: f64 = (cycles..row.len() / 2).map(power).sum();
        (2.0 * fine).sqrt() / length
    }

    #[test]
    fn nothing_finer_than_a_few_cycles_a_width_is_left() {
        let picture = room(1280, 720, 0);
        let mut canvas = I420::black(320, 180);
        let mut frost = Frost::new();
        for _ in 0..3 {
            frost.draw(&picture, &mut canvas);
        }
        for y in [20, 90, 160] {
            let frosted = above(&canvas.planes()[0][y * 320..(y + 1) * 320], 12);
            let clear = above(&picture.planes()[0][y * 4 * 1280..(y * 4 + 1) * 1280], 12);
            // Whole grey levels are what is left; nobody sees one.
            assert!(frosted < 1.0 && frosted < clear / 4.0, "row {y}: {frosted} of {clear}");
        }
    }

    #[test]
    fn stripes_are_grey_and_a_light_is_where_it_is() {
        let mut picture = I420::black(640, 360);
        let [y, ..] = picture.planes_mut();
        for (n, sample) in y.iter_mut().enumerate() {
            *sample = if (n % 640 / 4) % 2 == 0 { 40 } else { 200 };
        }
        let mut canvas = I420::black(320, 180);
        Frost::new().draw(&picture, &mut canvas);
        assert!(canvas.planes()[0].iter().all(|sample| sample.abs_diff(120) <= 8), "no stripe is left");
        let mut lamp = I420::black(640, 360);
        let [y, ..] = lamp.planes_mut();
        for row in 0..120 {
            y[row * 640 + 480..(row + 1) * 640].fill(235);
        }
        Frost::new().draw(&lamp, &mut canvas);
        let at = |x: usize, y: usize| canvas.planes()[0][y * 320 + x];
        assert!(at(300, 10) > 200 && at(20, 170) < 40, "{} {}", at(300, 10), at(20, 170));
    }

    #[test]
    fn any_size_is_drawn_and_a_cleared_one_begins_anew() {
        let mut canvas = I420::black(320, 180);
        let mut frost = Frost::new();
        for (width, height) in [(16, 16), (2, 2), (1920, 1080), (90, 160)] {
            frost.draw(&room(width, height, 0), &mut canvas);
        }
        frost.clear();
        frost.draw(&I420::black(64, 36), &mut canvas);
        assert!(
            canvas.planes()[0].iter().all(|sample| *sample == canvas.planes()[0][0]),
            "nothing of the pictures before"
        );
    }
}
