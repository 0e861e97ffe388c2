//! Brings what the speaker plays onto the microphone's time: for each 10 ms that were heard, the 10 ms that were audible.
//!
//! Both cards tell when their blocks pass; [`Timeline`] draws a line through either's reports, and the reference is
//! read from one along the other, between the samples where the cards' clocks differ. It is read a little early
//! ([`EARLY`]): an echo that comes later than its reference is found by the canceller itself, one that comes before
//! never is.

use std::collections::VecDeque;
use std::time::Instant;

use crate::echo::fraction::{Fraction, TAPS};
use crate::echo::timeline::Timeline;
use crate::voice::BLOCK;

/// The reference is read this much (seconds) before it is audible, if it has been written by then: reports are not
/// exact.
pub const EARLY: f64 = 0.02;

/// Sound kept: 2.7 s, more than any speaker keeps ready and any microphone is late.
const KEPT: usize = 1 << 17;
/// Stretches of sound without a break that are kept.
const MOST_STRETCHES: usize = 16;
/// If the place is off by more samples (2 ms) it is taken again; by less, it is steered to.
const SNAP: f64 = 96.0;
/// It is steered by at most this many samples in each: 300 ppm, which moves an echo's place unnoticed.
const STEER: f64 = 300e-6;
/// The reference may be read later than it is audible by this at most, where it is always written too late.
const LATEST: f64 = -0.5;
/// And before it is audible by this at most, where the speaker is much faster than it says.
const EARLIEST: f64 = 0.6;
/// After a pause of this length (seconds) a reference that was read later than wanted is tried a bit earlier.
const PAUSE: f64 = 60.0;
const BIT: f64 = 0.005;

/// See the module. Neither side needs to run; what is missing is silence.
pub struct Aligner {
    /// All times are seconds since this.
    origin: Option<Instant>,
    sound: Box<[f32]>,
    /// Samples that came in so far; the last [`KEPT`] of them are kept.
    written: u64,
    stretches: VecDeque<Stretch>,
    speaker: Timeline,
    microphone: Timeline,
    cursor: Option<Cursor>,
    early: f64,
    /// Up to where the reference has been read, in seconds.
    read: f64,
    /// The number of the sample that the last reading began with.
    from: Option<f64>,
    /// So much earlier could it have been read.
    room: f64,
    interrupted: bool,
    gave_way: bool,
    snaps: u64,
    fraction: Fraction,
}

/// Sound without a break, and the line on which it becomes audible.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    /// Its samples, by their number since the beginning.
    first: u64,
    end: u64,
    /// Sample `anchor` is audible at `at`, the following ones `pace` seconds later each.
    anchor: u64,
    at: f64,
    pace: f64,
}

impl Stretch {
    fn place(&self, time: f64) -> f64 {
        (self.anchor as f64 - self.first as f64) + (time - self.at) / self.pace
    }

    fn time(&self, sample: u64) -> f64 {
        self.at + (sample as f64 - self.anchor as f64) * self.pace
    }
}

/// Where in which stretch the next block is read if nothing changes.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    first: u64,
    place: f64,
}

impl Default for Aligner {
    fn default() -> Aligner {
        Aligner {
            origin: None,
            sound: vec![0.0; KEPT].into(),
            written: 0,
            stretches: VecDeque::new(),
            speaker: Timeline::default(),
            microphone: Timeline::default(),
            cursor: None,
            early: EARLY,
            read: f64::NEG_INFINITY,
            from: None,
            room: 0.0,
            interrupted: false,
            gave_way: false,
            snaps: 0,
            fraction: Fraction::default(),
        }
    }
}

impl Aligner {
    /// Takes in what the speaker plays next, and when its first sample is audible.
    pub fn render(&mut self, block: &[i16; BLOCK], audible: Instant) {
        let told = self.seconds(audible);
        let placed = self.speaker.handle(told);
        let begin = self.written;
        for (n, sample) in block.iter().enumerate() {
            self.sound[(begin as usize + n) % KEPT] = f32::from(*sample);
        }
        self.written += BLOCK as u64;
        match placed.jump {
            None if !self.stretches.is_empty() => self.mind_starving(placed.at),
            jump => self.begin_stretch(begin, jump.unwrap_or(0), placed.at),
        }
        if let Some(last) = self.stretches.back_mut() {
            (last.end, last.anchor, last.at, last.pace) = (self.written, begin, placed.at, self.speaker.pace());
        }
        let oldest = self.written.saturating_sub((KEPT - BLOCK) as u64);
        while self.stretches.front().is_some_and(|s| s.end <= oldest) || self.stretches.len() > MOST_STRETCHES {
            self.stretches.pop_front();
        }
    }

    /// The reference for the 10 ms whose first sample was heard at `captured`; silence where nothing was played.
    pub fn capture(&mut self, captured: Instant) -> [f32; BLOCK] {
        let told = self.seconds(captured);
        let placed = self.microphone.handle(told);
        self.interrupted = placed.jump.is_some();
        self.from = None;
        let begin = placed.at + self.early;
        let end = begin + BLOCK as f64 * self.microphone.pace();
        self.read = end;
        // One block less, since that one may come a block later the next time.
        self.room = self.stretches.back().map_or(0.0, |last| last.time(last.end) - end - 0.011);
        let mut out = [0.0; BLOCK];
        let before = self.cursor.take();
        for (n, stretch) in self.stretches.iter().enumerate() {
            // What jumped back in time hides the end of what came before.
            let over = self.stretches.get(n + 1).map_or(f64::INFINITY, |next| next.time(next.first));
            let over = over.min(stretch.time(stretch.end));
            if begin >= over || stretch.time(stretch.first) >= end {
                continue;
            }
            let wanted = stretch.place(begin);
            let steady = self.microphone.pace() / stretch.pace;
            let (place, step) = match before.filter(|cursor| cursor.first == stretch.first) {
                Some(cursor) if (wanted - cursor.place).abs() < SNAP => {
                    let off = (wanted - cursor.place) / BLOCK as f64 / 50.0;
                    (cursor.place, steady + off.clamp(-STEER, STEER))
                }
                other => {
                    self.snaps += u64::from(other.is_some());
                    (wanted, steady)
                }
            };
            let last = ((over - begin) / self.microphone.pace()).min(BLOCK as f64) as usize;
            let oldest = self.written.saturating_sub(KEPT as u64);
            let kept = Kept {
                sound: &self.sound,
                first: stretch.first as i64,
                from: oldest.max(stretch.first),
                to: stretch.end,
            };
            kept.read(&self.fraction, place, step, &mut out[..last]);
            self.from.get_or_insert(stretch.first as f64 + place);
            self.cursor = Some(Cursor { first: stretch.first, place: place + step * BLOCK as f64 });
        }
        out
    }

    /// How much earlier than audible the reference is read, in seconds.
    pub fn early(&self) -> f64 {
        self.early
    }

    /// Reads the reference earlier by `seconds` from now on (later, if negative), or by as much as is written by then;
    /// says whether that was all that was wanted.
    pub fn shift(&mut self, seconds: f64) -> bool {
        let most = self.room.max(0.0);
        self.move_by(seconds.min(most));
        seconds <= most
    }

    /// Which of all samples that came in the last reference begins with; `None` if it is silence.
    pub fn read_from(&self) -> Option<f64> {
        self.from
    }

    /// Whether the microphone lost or repeated sound before the last block.
    pub fn is_interrupted(&self) -> bool {
        self.interrupted
    }

    /// Whether the reference had to be read later since this was last asked, because it had not been written yet.
    pub fn has_given_way(&mut self) -> bool {
        std::mem::take(&mut self.gave_way)
    }

    /// How often the place of the reading jumped within a stretch of sound.
    pub fn snaps(&self) -> u64 {
        self.snaps
    }

    fn move_by(&mut self, seconds: f64) {
        self.early = (self.early + seconds).clamp(LATEST, EARLIEST);
    }

    fn seconds(&mut self, instant: Instant) -> f64 {
        let origin = *self.origin.get_or_insert(instant);
        match instant.checked_duration_since(origin) {
            Some(later) => later.as_secs_f64(),
            None => -origin.saturating_duration_since(instant).as_secs_f64(),
        }
    }

    /// A block that follows its predecessor, but whose place has been read already, came too late: from now on it is
    /// read later, so that nothing is missed.
    fn mind_starving(&mut self, at: f64) {
        let missed = self.read - at;
        if missed > 0.0 && missed < EARLIEST {
            self.move_by(-missed - 0.001);
            self.gave_way = true;
            // What is written in one go is noticed once.
            self.read = at;
        }
    }

    fn begin_stretch(&mut self, begin: u64, blocks_ago: u32, at: f64) {
        let mut first = begin.saturating_sub(u64::from(blocks_ago) * BLOCK as u64);
        if let Some(last) = self.stretches.back_mut() {
            first = first.max(last.first);
            last.end = first;
            if at - last.time(first) > PAUSE {
                self.early = if self.early < EARLY { (self.early + BIT).min(EARLY) } else { self.early };
            }
        }
        self.stretches.push_back(Stretch { first, end: begin, anchor: begin, at, pace: self.speaker.pace() });
    }
}

/// What is left of a stretch; all around it is silence.
struct Kept<'s> {
    sound: &'s [f32],
    /// The number that places are counted from.
    first: i64,
    from: u64,
    to: u64,
}

impl Kept<'_> {
    fn sample(&self, place: i64) -> f32 {
        match u64::try_from(self.first + place) {
            Ok(number) if (self.from..self.to).contains(&number) => self.sound[number as usize % KEPT],
            _ => 0.0,
        }
    }

    /// Reads from `place`, in steps of `step` samples.
    fn read(&self, fraction: &Fraction, place: f64, step: f64, out: &mut [f32]) {
        let mut window = [0.0; TAPS];
        let mut held = None;
        for (n, out) in out.iter_mut().enumerate() {
            let exact = place + step * n as f64;
            let whole = exact.floor();
            let first = whole as i64 - (TAPS as i64 / 2 - 1);
            if held == Some(first - 1) {
                window.copy_within(1.., 0);
                window[TAPS - 1] = self.sample(first + TAPS as i64 - 1);
            } else if held != Some(first) {
                window = std::array::from_fn(|k| self.sample(first + k as i64));
            }
            held = Some(first);
            *out = fraction.read(&window, (exact - whole) as f32);
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests;
