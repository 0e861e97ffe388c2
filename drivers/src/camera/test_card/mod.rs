//! A camera that needs no hardware: a moving, clocked test card that carries its own capture time.
//!
//! Its painter and its stroke font are its own. The program's painter draws with fonts of several hundred kilobytes, which no driver needs,
//! and a picture in which tests read the time should not change when the TV's look does.

mod glyphs;
mod paint;
mod scene;
mod strip;

use std::sync::Arc;
use std::time::{Duration, Instant};

use intercom_base::picture::I420;

use crate::clock;
use crate::contract::{
    BoxedOpener, CaptureVideo, ConfigError, DeviceError, Driver, Image, Opener, VideoFrame, VideoMode, Wanted,
};
use crate::options::Options;
use scene::{Dirty, Scene};

/// The entry of the registry's table.
pub const DRIVER: Driver<dyn CaptureVideo> = Driver {
    name: "test-card",
    summary: "a moving test card with clock, frame number and coded capture time; needs no hardware",
    options: OPTIONS,
    configure,
    detect: |_| Ok("the stand-in for a camera".into()),
    survey: None,
};

const OPTIONS: &[(&str, &str)] = &[
    ("width", "pixels, 160 to 4096; default: as the video encoder wants it"),
    ("height", "pixels, 90 to 4096; default: as the video encoder wants it"),
    ("fps", "frames a second, 1 to 120; default: as the video encoder wants it"),
];

/// Buffers in use at once; more than the slots and encoders behind a camera ever hold.
const BUFFERS: usize = 8;

fn configure(table: &toml::Table, wanted: &Wanted) -> Result<BoxedOpener<dyn CaptureVideo>, ConfigError> {
    let options = Options::new(table, OPTIONS)?;
    let size = |key, low, default| Ok(options.whole(key, low..=4096)?.map_or(default, |n| n as u32));
    let mode = VideoMode {
        width: size("width", 160, wanted.camera.width)?,
        height: size("height", 90, wanted.camera.height)?,
        rate: options.number("fps", 1.0..=120.0)?.unwrap_or(wanted.camera.rate),
    };
    Ok(Box::new(TestCardOpener { mode }))
}

struct TestCardOpener {
    mode: VideoMode,
}

impl Opener<dyn CaptureVideo> for TestCardOpener {
    fn open(&mut self) -> Result<Box<dyn CaptureVideo>, DeviceError> {
        Ok(Box::new(TestCard::new(self.mode, clock::now())))
    }

    fn describe(&self) -> String {
        format!("test card {}", self.mode)
    }
}

struct TestCard {
    mode: VideoMode,
    scene: Scene,
    buffers: Vec<(Arc<I420>, Dirty)>,
    opened: Instant,
    /// The next tick of the frame clock that has not been shown.
    tick: u64,
    sequence: u64,
}

impl TestCard {
    fn new(mode: VideoMode, now: Instant) -> TestCard {
        TestCard { mode, scene: Scene::new(&mode), buffers: Vec::new(), opened: now, tick: 0, sequence: 0 }
    }

    /// When a tick is due: counted from the opening on, so that no rounding adds up.
    fn due(&self, tick: u64) -> Instant {
        self.opened + Duration::from_secs_f64(tick as f64 / self.mode.rate)
    }

    /// The newest tick that is due at `now`.
    fn newest(&self, now: Instant) -> u64 {
        let ticks = now.saturating_duration_since(self.opened).as_secs_f64() * self.mode.rate;
        // The tiny addition makes up for rounding of a due time that was just waited for.
        (ticks + 1e-4) as u64
    }

    fn draw(&mut self, now: Instant, unix: Duration) -> VideoFrame {
        let free = self.buffers.iter_mut().position(|(picture, _)| Arc::get_mut(picture).is_some());
        let (mut picture, mut dirty) = match free {
            Some(n) => self.buffers.swap_remove(n),
            None => {
                let (picture, dirty) = self.scene.buffer();
                (Arc::new(picture), dirty)
            }
        };
        let age = now.saturating_duration_since(self.opened);
        if let Some(picture) = Arc::get_mut(&mut picture) {
            self.scene.draw(picture, &mut dirty, unix, age, self.sequence);
        }
        if self.buffers.len() < BUFFERS {
            self.buffers.push((Arc::clone(&picture), dirty));
        }
        let frame = VideoFrame { image: Image::Picture(picture), captured: now, sequence: self.sequence };
        self.sequence += 1;
        frame
    }
}

impl CaptureVideo for TestCard {
    fn mode(&self) -> VideoMode {
        self.mode
    }

    fn capture(&mut self, deadline: Instant) -> Result<Option<VideoFrame>, DeviceError> {
        let due = self.due(self.tick);
        if due > deadline {
            clock::sleep_until(deadline);
            return Ok(None);
        }
        clock::sleep_until(due);
        let now = clock::now();
        // Anyone who asks late gets the picture of this moment; the ticks between are gone, as in any camera.
        self.tick = self.newest(now).max(self.tick) + 1;
        Ok(Some(self.draw(now, clock::unix_time())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(width: u32, height: u32, rate: f64) -> TestCard {
        TestCard::new(VideoMode { width, height, rate }, clock::now())
    }

    #[test]
    fn frames_come_in_order_with_the_time_of_their_drawing() {
        let mut card = card(640, 480, 120.0);
        let mut last = None;
        for n in 0..10 {
            let before = clock::unix_time().as_millis() as u64;
            let frame = card.capture(clock::now() + Duration::from_secs(5)).unwrap().expect("a frame in time");
            let (stamp, sequence) = strip::tests::read(frame.picture().unwrap()).expect("a readable strip");
            assert!(stamp >= before && stamp <= clock::unix_time().as_millis() as u64);
            assert_eq!((sequence, frame.sequence), (n, n));
            assert!(last.is_none_or(|last| frame.captured > last));
            last = Some(frame.captured);
        }
    }

    #[test]
    fn the_deadline_is_honoured_and_a_late_caller_gets_a_fresh_frame() {
        let mut card = card(160, 90, 1.0);
        assert!(card.capture(clock::now()).unwrap().is_some(), "the first frame is there at once");
        let soon = clock::now() + Duration::from_millis(5);
        assert!(card.capture(soon).unwrap().is_none());
        assert!(clock::now() >= soon);
        card.opened -= Duration::from_secs(100);
        let asked = clock::now();
        let frame = card.capture(asked).unwrap().expect("one is due");
        assert!(frame.captured >= asked, "drawn when asked, not when it was due");
        assert_eq!(frame.sequence, 1);
    }

    #[test]
    fn ticks_do_not_drift_over_a_year() {
        let card = card(160, 90, 29.97);
        for tick in [1, 2, 1000, 30 * 86_400 * 365] {
            assert_eq!(card.newest(card.due(tick)), tick);
            assert_eq!(card.newest(card.due(tick) - Duration::from_millis(1)), tick - 1);
        }
    }

    #[test]
    fn a_buffer_that_nobody_holds_is_used_again_and_a_held_one_never_touched() {
        let mut card = card(160, 90, 30.0);
        let held = card.draw(card.opened, Duration::ZERO);
        let copy = (**held.picture().unwrap()).clone();
        for n in 0..20 {
            card.draw(card.opened, Duration::from_secs(n));
        }
        assert!(**held.picture().unwrap() == copy);
        assert_eq!(card.buffers.len(), 2);
    }

    /// Not a pass mark: prints what a frame costs. `cargo test --release -- --ignored --nocapture cost`
    #[test]
    #[ignore = "a measurement"]
    fn cost_of_a_frame() {
        for (width, height) in [(640, 480), (1280, 720)] {
            let mut card = card(width, height, 30.0);
            let began = clock::now();
            card.scene = Scene::new(&card.mode);
            let painted = clock::now();
            for n in 0..1000 {
                card.draw(card.opened + Duration::from_millis(n * 33), Duration::from_millis(n * 33));
            }
            println!("{width}x{height}: background {:?}, frame {:?}", painted - began, (clock::now() - painted) / 1000);
            if let Ok(path) = std::env::var("CARD_DUMP") {
                let frame = card.draw(card.opened + Duration::from_millis(800), clock::unix_time());
                std::fs::write(format!("{path}-{width}x{height}.yuv"), frame.picture().unwrap().packed())
                    .expect("dump");
            }
        }
    }
}
