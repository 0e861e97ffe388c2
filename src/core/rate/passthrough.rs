//! What becomes of each access unit of a camera that encodes H.264 itself: passed on to viewers as it is, decoded for those
//! who need pixels, or neither. And what the camera is asked for: keyframes, and a bitrate.
//!
//! It is passed on while its stream suits browsers, has the full size, comes with keyframes when they are asked
//! for, and is neither more nor larger than what the viewers' connections carry. Otherwise it is decoded, and encoded again.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use intercom_base::units::Bitrate;

/// A keyframe is asked for again after so long.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// A camera that was asked so often in a row and made none is not asked any more.
const DEAF_AFTER: u32 = 4;
/// Over this time the stream's bitrate is measured.
const WINDOW: Duration = Duration::from_secs(2);
/// More than this of what was ordered, in percent, is too much if it lasts …
const TOO_MUCH: u64 = 130;
/// … for so long.
const TOO_MUCH_FOR: Duration = Duration::from_secs(2);
/// Less than this part of what the full size needs is for a smaller picture, in percent, until it has been enough for so long.
const THIN: u64 = 85;
const AMPLE_FOR: Duration = Duration::from_secs(3);
/// And a stream that fitted for so long may be passed on again.
const FITS_FOR: Duration = Duration::from_secs(10);
/// The camera is told another bitrate this often at most, and not for less than a twentieth of it.
const TELL_AGAIN: Duration = Duration::from_millis(500);
/// Units that are measured at most, whatever their rate.
const MOST: usize = 512;

/// One access unit, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub struct Unit {
    /// As in [`intercom_drivers::contract::VideoFrame`].
    pub sequence: u64,
    /// A decoder can start here.
    pub keyframe: bool,
    /// Its size.
    pub bytes: usize,
    /// Of a keyframe: whether viewers can have the stream as it is, or why not.
    pub suits: Result<(), &'static str>,
}

/// Who wants what now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// The first encoder runs, at this bitrate.
    pub full: Option<Bitrate>,
    /// What the full size needs: with less, a smaller picture is encoded.
    pub need: Bitrate,
    /// One of its viewers needs a keyframe.
    pub keyframe: bool,
    /// Somebody needs pixels: another encoder, or the TV.
    pub pixels: bool,
}

/// What to do with a unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Pass it on to the first encoder's viewers.
    pub pass: bool,
    /// Decode it; its pixels go to anyone who wants some, and to the first encoder unless the stream is passed on.
    pub decode: bool,
    /// Ask the camera for a keyframe.
    pub ask: bool,
    /// Tell the camera this bitrate.
    pub tell: Option<Bitrate>,
}

/// Why a stream is not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// It is none that viewers can have as it is.
    Unsuited(&'static str),
    /// The camera makes no keyframes when asked.
    Deaf,
    /// It is more than connections carry.
    TooMuch,
    /// Connections carry a smaller picture only.
    TooThin,
}

/// The way of one camera's stream, from its opening on.
#[derive(Debug, Default)]
pub struct Passthrough {
    last: Option<u64>,
    /// Viewers, and the decoder, have all since a keyframe.
    passing: bool,
    decoding: bool,
    /// Known with the first keyframe.
    suits: Option<Result<(), &'static str>>,
    /// It cannot be asked, or does not answer.
    deaf: bool,
    asked: Option<Instant>,
    unanswered: u32,
    sizes: VecDeque<(Instant, usize)>,
    /// Since when it has been too much, or, while it counts as too much, fits.
    differs_since: Option<Instant>,
    too_much: bool,
    /// What is ordered is for a smaller picture, and since when it has been enough for this one again.
    thin: bool,
    ample_since: Option<Instant>,
    told: Option<(Bitrate, Instant)>,
}

impl Passthrough {
    /// Of a camera that was just opened, and can be asked for keyframes or not.
    pub fn new(can_ask: bool) -> Passthrough {
        Passthrough { deaf: !can_ask, ..Passthrough::default() }
    }

    /// What stands in the way of passing it on; `None` if nothing does, or nothing is known yet.
    pub fn obstacle(&self) -> Option<Obstacle> {
        match self.suits {
            Some(Err(why)) => Some(Obstacle::Unsuited(why)),
            _ if self.deaf => Some(Obstacle::Deaf),
            _ if self.too_much => Some(Obstacle::TooMuch),
            _ if self.thin => Some(Obstacle::TooThin),
            _ => None,
        }
    }

    /// Whether viewers get it as it is now.
    pub fn passes(&self) -> bool {
        self.passing
    }

    /// The decoder could not read what it was given: it needs a keyframe.
    pub fn handle_undecodable(&mut self) {
        self.decoding = false;
    }

    /// The camera did not take what it was asked or told.
    pub fn handle_refused(&mut self) {
        self.deaf = true;
    }

    /// A unit came; what becomes of it.
    pub fn handle_unit(&mut self, unit: Unit, wants: Wants, now: Instant) -> Verdict {
        if self.last.replace(unit.sequence).is_none_or(|last| unit.sequence != last + 1) {
            self.passing = false;
            self.decoding = false;
        }
        if unit.keyframe {
            self.suits = Some(unit.suits);
            self.asked = None;
            self.unanswered = 0;
        }
        self.measure(unit.bytes, wants.full, now);
        self.weigh(wants, now);
        let full = wants.full.is_some();
        let may_pass = self.obstacle().is_none();
        let want_pass = full && may_pass;
        let want_pixels = wants.pixels || full && !may_pass;
        let missing = (want_pass && !self.passing) || (want_pixels && !self.decoding) || wants.keyframe;
        if unit.keyframe {
            self.passing |= want_pass;
            self.decoding |= want_pixels;
        }
        // Of the two ways to the viewers, the old one ends when the new one has begun.
        self.passing &= want_pass || (full && !self.decoding);
        self.decoding &= want_pixels || (full && !self.passing);
        Verdict {
            pass: self.passing,
            decode: self.decoding,
            ask: missing && !unit.keyframe && self.ask(now),
            tell: self.tell(wants.full, now),
        }
    }

    /// Whether to ask for a keyframe now.
    fn ask(&mut self, now: Instant) -> bool {
        if self.deaf || self.asked.is_some_and(|asked| now.saturating_duration_since(asked) < ASK_AGAIN) {
            return false;
        }
        if self.unanswered >= DEAF_AFTER {
            self.deaf = true;
            return false;
        }
        self.unanswered += 1;
        self.asked = Some(now);
        true
    }

    /// The bitrate to tell the camera, if another than it has.
    fn tell(&mut self, order: Option<Bitrate>, now: Instant) -> Option<Bitrate> {
        let order = order?;
        if let Some((told, at)) = self.told {
            let little = told.bps().abs_diff(order.bps()) < told.bps() / 20;
            if little || now.saturating_duration_since(at) < TELL_AGAIN {
                return None;
            }
        }
        self.told = Some((order, now));
        Some(order)
    }

    /// Follows whether what is ordered is enough for the full size.
    fn weigh(&mut self, wants: Wants, now: Instant) {
        let Some(order) = wants.full else {
            (self.thin, self.ample_since) = (false, None);
            return;
        };
        if order < wants.need.percent(THIN) {
            (self.thin, self.ample_since) = (true, None);
        } else if order < wants.need || !self.thin {
            self.ample_since = None;
        } else if now.saturating_duration_since(*self.ample_since.get_or_insert(now)) >= AMPLE_FOR {
            (self.thin, self.ample_since) = (false, None);
        }
    }

    fn measure(&mut self, bytes: usize, order: Option<Bitrate>, now: Instant) {
        self.sizes.push_back((now, bytes));
        let old = |at: Instant| now.saturating_duration_since(at) > WINDOW;
        while self.sizes.len() > MOST || self.sizes.front().is_some_and(|(at, _)| old(*at)) {
            self.sizes.pop_front();
        }
        let Some(order) = order else {
            // Nobody to be too much for; the next may have a better connection.
            (self.too_much, self.differs_since) = (false, None);
            return;
        };
        let span = self.sizes.front().map_or(Duration::ZERO, |(first, _)| now.saturating_duration_since(*first));
        if span < WINDOW / 2 {
            return;
        }
        let bits: u64 = self.sizes.iter().skip(1).map(|(_, bytes)| *bytes as u64 * 8).sum();
        let rate = bits * 1000 / (span.as_millis() as u64).max(1);
        let (differs, long) = if self.too_much {
            (rate <= order.bps(), FITS_FOR)
        } else {
            (rate > order.percent(TOO_MUCH).bps(), TOO_MUCH_FOR)
        };
        if !differs {
            self.differs_since = None;
        } else if now.saturating_duration_since(*self.differs_since.get_or_insert(now)) >= long {
            self.too_much = !self.too_much;
            self.differs_since = None;
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    const NEED: Bitrate = Bitrate::from_kbps(1000);
    const FULL: Wants = Wants { full: Some(Bitrate::from_kbps(2000)), need: NEED, keyframe: false, pixels: false };
    const PIXELS: Wants = Wants { full: None, need: NEED, keyframe: false, pixels: true };
    const NOBODY: Wants = Wants { full: None, need: NEED, keyframe: false, pixels: false };

    /// A camera of 30 frames a second that makes a keyframe two frames after it was asked, if it can.
    struct Camera {
        passthrough: Passthrough,
        now: Instant,
        sequence: u64,
        /// Frames until the keyframe that was asked for.
        due: Option<u32>,
        answers: bool,
        suits: Result<(), &'static str>,
        bytes: usize,
        asked: u32,
        told: Vec<Bitrate>,
        /// Of viewers and of the decoder: what they have refers to what they got.
        whole: [bool; 2],
    }

    impl Camera {
        fn new() -> Camera {
            let passthrough = Passthrough::new(true);
            let (asked, told, whole) = (0, Vec::new(), [false; 2]);
            let (answers, suits, bytes) = (true, Ok(()), 8000);
            Camera {
                passthrough,
                now: Instant::now(),
                sequence: 0,
                due: None,
                answers,
                suits,
                bytes,
                asked,
                told,
                whole,
            }
        }

        fn frame(&mut self, wants: Wants) -> Verdict {
            self.now += Duration::from_millis(33);
            self.sequence += 1;
            let keyframe = self.due == Some(0);
            self.due = self.due.and_then(|due| due.checked_sub(1));
            let unit = Unit { sequence: self.sequence, keyframe, bytes: self.bytes, suits: self.suits };
            let verdict = self.passthrough.handle_unit(unit, wants, self.now);
            for (goes, whole) in [verdict.pass, verdict.decode].into_iter().zip(&mut self.whole) {
                assert!(!goes || *whole || keyframe, "it begins in the middle");
                *whole = goes;
            }
            if verdict.ask {
                self.asked += 1;
                if self.answers {
                    self.due = Some(1);
                }
            }
            self.told.extend(verdict.tell);
            verdict
        }

        fn frames(&mut self, count: usize, wants: Wants) -> Vec<Verdict> {
            (0..count).map(|_| self.frame(wants)).collect()
        }

        fn lose(&mut self, frames: u64) {
            self.sequence += frames;
            self.whole = [false; 2];
        }
    }

    #[test]
    fn nobody_wants_anything_and_nothing_is_done() {
        let mut camera = Camera::new();
        assert!(camera.frames(100, NOBODY).iter().all(|verdict| *verdict == Verdict::default()));
    }

    #[test]
    fn the_first_viewer_gets_it_as_it_is_from_the_keyframe_that_was_asked_for_at_once() {
        let mut camera = Camera::new();
        camera.frames(30, NOBODY);
        let verdicts = camera.frames(60, FULL);
        assert!(verdicts[0].ask);
        assert_eq!(verdicts.iter().position(|v| v.pass), Some(2));
        assert!(verdicts[2..].iter().all(|v| v.pass && !v.decode));
        assert_eq!((camera.asked, camera.told.len()), (1, 1));
    }

    #[test]
    fn pixels_are_decoded_only_while_somebody_wants_them() {
        let mut camera = Camera::new();
        camera.frames(30, FULL);
        let both = Wants { pixels: true, ..FULL };
        let verdicts = camera.frames(30, both);
        assert!(verdicts.iter().all(|v| v.pass), "viewers notice nothing");
        assert!(verdicts[3..].iter().all(|v| v.decode));
        assert!(camera.frames(30, FULL).iter().all(|v| v.pass && !v.decode));
        assert!(camera.frames(30, PIXELS)[3..].iter().all(|v| !v.pass && v.decode));
    }

    #[test]
    fn after_a_loss_nothing_goes_on_before_a_keyframe() {
        let mut camera = Camera::new();
        let both = Wants { pixels: true, ..FULL };
        camera.frames(30, both);
        camera.lose(1);
        let verdicts = camera.frames(10, both);
        assert!(verdicts[0].ask && !verdicts[0].pass && !verdicts[0].decode);
        assert!(verdicts[2..].iter().all(|v| v.pass && v.decode));
    }

    #[test]
    fn a_viewers_wish_for_a_keyframe_is_passed_to_the_camera_but_not_twice() {
        let mut camera = Camera::new();
        camera.frames(30, FULL);
        let asked = camera.asked;
        let wish = Wants { keyframe: true, ..FULL };
        assert!(camera.frame(wish).ask);
        assert!(!camera.frame(wish).ask);
        camera.frames(30, FULL);
        assert_eq!(camera.asked, asked + 1);
    }

    #[test]
    fn what_does_not_suit_is_decoded_and_encoded_anew() {
        let mut camera = Camera::new();
        camera.suits = Err("it is High");
        let verdicts = camera.frames(60, FULL);
        assert!(verdicts.iter().all(|v| !v.pass));
        assert!(verdicts[4..].iter().all(|v| v.decode));
        assert_eq!(camera.passthrough.obstacle(), Some(Obstacle::Unsuited("it is High")));
    }

    #[test]
    fn a_camera_that_does_not_answer_is_asked_a_few_times_and_then_decoded_from_its_own_keyframes() {
        let mut camera = Camera::new();
        camera.answers = false;
        assert!(camera.frames(300, FULL).iter().all(|v| !v.pass && !v.decode));
        assert_eq!(camera.passthrough.obstacle(), Some(Obstacle::Deaf));
        assert_eq!(camera.asked, DEAF_AFTER);
        camera.due = Some(0);
        assert!(camera.frames(30, FULL).iter().all(|v| !v.pass && v.decode));
    }

    #[test]
    fn a_stream_too_thick_for_the_viewers_is_encoded_anew_without_a_gap_until_it_fits_again() {
        let mut camera = Camera::new();
        camera.frames(60, FULL);
        let thin = Wants { full: Some(Bitrate::from_kbps(1000)), ..FULL };
        let verdicts = camera.frames(120, thin);
        assert!(verdicts.iter().all(|v| v.pass || v.decode), "no gap");
        assert!(verdicts.last().is_some_and(|v| v.decode && !v.pass));
        assert_eq!(camera.passthrough.obstacle(), Some(Obstacle::TooMuch));
        // The camera follows what it was told in the end.
        assert_eq!(camera.told.last(), thin.full.as_ref());
        camera.bytes = 3000;
        let verdicts = camera.frames(600, thin);
        assert!(verdicts.iter().all(|v| v.pass || v.decode), "no gap");
        assert!(verdicts[..270].iter().all(|v| v.decode), "not at once");
        assert!(verdicts.last().is_some_and(|v| v.pass && !v.decode));
    }

    #[test]
    fn where_a_smaller_picture_is_due_the_cameras_own_is_decoded_for_it() {
        let mut camera = Camera::new();
        camera.bytes = 2000;
        camera.frames(60, FULL);
        let small = Wants { full: Some(Bitrate::from_kbps(500)), ..FULL };
        let verdicts = camera.frames(60, small);
        assert!(verdicts.iter().all(|v| v.pass || v.decode), "no gap");
        assert!(verdicts.last().is_some_and(|v| v.decode && !v.pass));
        assert_eq!(camera.passthrough.obstacle(), Some(Obstacle::TooThin));
        let verdicts = camera.frames(200, FULL);
        assert!(verdicts[..80].iter().all(|v| v.decode), "not at once");
        assert!(verdicts.last().is_some_and(|v| v.pass && !v.decode));
    }

    #[test]
    fn keyframes_alone_are_not_too_much() {
        let mut camera = Camera::new();
        camera.bytes = 7000;
        for _ in 0..20 {
            camera.bytes = 40_000;
            camera.frame(FULL);
            camera.bytes = 7000;
            camera.frames(59, FULL);
        }
        assert_eq!(camera.passthrough.obstacle(), None);
    }

    #[test]
    fn a_decoder_that_stumbles_gets_a_keyframe() {
        let mut camera = Camera::new();
        camera.frames(30, PIXELS);
        camera.passthrough.handle_undecodable();
        camera.whole[1] = false;
        let verdicts = camera.frames(10, PIXELS);
        assert!(verdicts[0].ask && !verdicts[0].decode && verdicts[5].decode);
    }

    #[test]
    fn any_order_of_events_keeps_streams_whole() {
        let mut random = fastrand::Rng::with_seed(8);
        for _ in 0..300 {
            let mut camera = Camera::new();
            camera.answers = random.u8(..) > 30;
            camera.suits = if random.u8(..) > 60 { Ok(()) } else { Err("no") };
            for _ in 0..200 {
                if random.u8(..) < 10 {
                    camera.lose(random.u64(1..5));
                }
                if random.u8(..) < 5 {
                    camera.passthrough.handle_undecodable();
                    camera.whole[1] = false;
                }
                camera.bytes = random.usize(0..20_000);
                let full = random.bool().then(|| Bitrate::from_kbps(random.u64(100..4000)));
                let wants = Wants { full, need: NEED, keyframe: random.u8(..) < 20, pixels: random.bool() };
                for _ in 0..random.usize(1..20) {
                    let verdict = camera.frame(wants);
                    assert!(!(verdict.pass && wants.full.is_none()), "nobody asked for it");
                }
            }
        }
    }
}
