//! Judges a camera's stream: which frames to believe, and when it has to be opened again.

use std::time::{Duration, Instant};

/// A camera that gives nothing for so long is stuck.
const SILENCE: Duration = Duration::from_secs(5);
/// A camera whose frames are all bad for so long does not mend by itself.
const SPOILT: Duration = Duration::from_secs(2);
/// A busy machine may wait long for few frames, and these may be bad by chance.
const SPOILT_FRAMES: u64 = 3;
/// Bad frames are logged this often at most: a poor cable brings some every second.
const TELL: Duration = Duration::from_secs(60);

/// How a stream has fared since its last good frame. Only the time in which somebody waited for a frame counts.
#[derive(Debug, Default)]
pub struct Health {
    waited: Duration,
    bad: u64,
    /// Bad frames that were not logged yet, and when some last were.
    untold: u64,
    told: Option<Instant>,
}

impl Health {
    /// A good frame came.
    pub fn good(&mut self) {
        (self.waited, self.bad) = (Duration::ZERO, 0);
    }

    /// A bad frame came; how many there were since some were last logged, if it is time to log them.
    pub fn bad(&mut self, now: Instant) -> Option<u64> {
        self.bad += 1;
        self.untold += 1;
        if self.told.is_some_and(|told| now.saturating_duration_since(told) < TELL) {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }

    /// Somebody waited for `time` in vain. What is wrong, if it must be opened again; in the same words each time.
    pub fn waited(&mut self, time: Duration) -> Option<String> {
        self.waited += time;
        if self.bad >= SPOILT_FRAMES && self.waited >= SPOILT {
            Some("only bad frames".into())
        } else if self.waited >= SILENCE {
            Some(format!("no frame in {} s", SILENCE.as_secs()))
        } else {
            None
        }
    }
}

/// The size that a camera's JPEGs have. One of another size is damaged, or the camera has changed its mind and must be
/// asked again; but a camera that never sent what it agreed to is taken at its frames' word.
#[derive(Debug)]
pub struct Agreed {
    size: (usize, usize),
    kept: bool,
    other: ((usize, usize), u32),
}

impl Agreed {
    /// So many frames of one other size are no accident.
    const SURE: u32 = 5;

    /// What the camera said.
    pub fn new(size: (usize, usize)) -> Agreed {
        Agreed { size, kept: false, other: (size, 0) }
    }

    /// The size that frames must have.
    pub fn size(&self) -> (usize, usize) {
        self.size
    }

    /// A frame of this size came; whether it is to be believed.
    pub fn take(&mut self, sent: (usize, usize)) -> bool {
        if sent != self.size && !self.kept {
            let before = if self.other.0 == sent { self.other.1 } else { 0 };
            self.other = (sent, before + 1);
            if before + 1 >= Self::SURE {
                self.size = sent;
            }
        }
        let fits = sent == self.size;
        self.kept |= fits;
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    const HALF: Duration = Duration::from_millis(500);

    #[test]
    fn silence_is_borne_for_longer_than_rubbish_and_a_good_frame_forgives_both() {
        let mut health = Health::default();
        assert_eq!((0..9).find_map(|_| health.waited(HALF)), None);
        assert_eq!(health.waited(HALF).as_deref(), Some("no frame in 5 s"));
        assert_eq!(health.waited(9 * HALF).as_deref(), Some("no frame in 5 s"), "the same words");
        health.good();
        assert_eq!(health.waited(HALF), None);

        let now = clock::now();
        assert_eq!([(); 4].map(|()| health.bad(now)), [Some(1), None, None, None]);
        assert_eq!((0..2).find_map(|_| health.waited(HALF)), None);
        assert_eq!(health.waited(HALF).as_deref(), Some("only bad frames"));
        health.bad(now);
        assert_eq!(health.waited(5 * HALF).as_deref(), Some("only bad frames"), "the same words");
        health.good();
        health.bad(now);
        assert_eq!(health.waited(4 * HALF), None, "one bad frame is no reason");
    }

    #[test]
    fn a_poor_cable_is_told_of_once_a_minute() {
        let (mut health, start) = (Health::default(), clock::now());
        let hour = (0..3600).filter_map(|second| {
            health.good();
            health.bad(start + Duration::from_secs(second))
        });
        let told: Vec<u64> = hour.collect();
        assert_eq!((told.len(), told[0], told[1]), (60, 1, 60));
    }

    #[test]
    fn a_camera_that_kept_its_word_must_go_on_doing_so() {
        let mut agreed = Agreed::new((640, 480));
        assert!(agreed.take((640, 480)));
        assert!((0..100).all(|_| !agreed.take((320, 240))));
        assert!(agreed.take((640, 480)));
    }

    #[test]
    fn a_camera_that_never_did_is_taken_as_it_is() {
        let mut agreed = Agreed::new((640, 480));
        assert!((0..3).all(|_| !agreed.take((640, 488))));
        assert!(!agreed.take((16, 16)), "a damaged header starts the count again");
        assert_eq!([(); 5].map(|()| agreed.take((640, 488))), [false, false, false, false, true]);
        assert_eq!(agreed.size(), (640, 488));
        assert!(!agreed.take((640, 480)));
    }
}
