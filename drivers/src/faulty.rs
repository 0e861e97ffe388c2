//! Wraps any device and makes it fail by a seed and by rates, for tests of what stands above the drivers.

use std::time::{Duration, Instant};

use intercom_base::picture::I420;

use crate::clock;
use crate::contract::{
    BoxedOpener, CameraEncoder, CaptureAudio, CaptureVideo, DeviceError, Display, Opener, PlayAudio, VideoFrame,
    VideoMode,
};

/// How often what goes wrong: each is the chance of one call, 0 to 1.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// Opening fails, with any of the errors.
    pub open: f64,
    /// A call fails, with any of the errors.
    pub error: f64,
    /// A call with a deadline waits for it and answers with nothing.
    pub timeout: f64,
    /// A call takes `stall` longer than it should.
    pub stall: f64,
    /// How long a stall lasts.
    pub stall_time: Duration,
    /// From then on nothing goes wrong any more; without it things do for ever.
    pub until: Option<Instant>,
    /// How time is spent; tests with a clock of their own put theirs here.
    pub sleep_until: fn(Instant),
    /// The clock that goes with it.
    pub now: fn() -> Instant,
}

impl Default for Faults {
    /// Nothing goes wrong.
    fn default() -> Faults {
        Faults {
            open: 0.0,
            error: 0.0,
            timeout: 0.0,
            stall: 0.0,
            stall_time: Duration::from_millis(500),
            until: None,
            sleep_until: clock::sleep_until,
            now: clock::now,
        }
    }
}

impl Faults {
    fn are_over(&self) -> bool {
        self.until.is_some_and(|until| (self.now)() >= until)
    }
}

/// A device, or the opener of one, that fails by chance. The same seed fails in the same places.
pub struct Faulty<D: ?Sized> {
    inner: Box<D>,
    faults: Faults,
    dice: Dice,
}

impl<D: ?Sized> Faulty<D> {
    /// Wraps an open device.
    pub fn new(inner: Box<D>, seed: u64, faults: Faults) -> Faulty<D> {
        Faulty { inner, faults, dice: Dice(seed) }
    }

    fn call(&mut self) -> Result<(), DeviceError> {
        if self.faults.are_over() {
            return Ok(());
        }
        if self.dice.hit(self.faults.stall) {
            (self.faults.sleep_until)((self.faults.now)() + self.faults.stall_time);
        }
        if self.dice.hit(self.faults.error) { Err(self.dice.error()) } else { Ok(()) }
    }

    /// As [`Faulty::call`]; whether the call shall time out.
    fn call_by(&mut self, deadline: Instant) -> Result<bool, DeviceError> {
        self.call()?;
        let late = !self.faults.are_over() && self.dice.hit(self.faults.timeout);
        if late {
            (self.faults.sleep_until)(deadline);
        }
        Ok(late)
    }
}

impl<D: CaptureVideo + ?Sized> CaptureVideo for Faulty<D> {
    fn mode(&self) -> VideoMode {
        self.inner.mode()
    }

    fn capture(&mut self, deadline: Instant) -> Result<Option<VideoFrame>, DeviceError> {
        if self.call_by(deadline)? { Ok(None) } else { self.inner.capture(deadline) }
    }

    fn encoder(&mut self) -> Option<&mut dyn CameraEncoder> {
        self.inner.encoder()
    }
}

impl<D: CaptureAudio + ?Sized> CaptureAudio for Faulty<D> {
    fn read(&mut self, block: &mut [i16], deadline: Instant) -> Result<Option<Instant>, DeviceError> {
        if self.call_by(deadline)? { Ok(None) } else { self.inner.read(block, deadline) }
    }

    fn pause(&mut self) {
        self.inner.pause();
    }

    fn check(&mut self) -> Result<(), DeviceError> {
        self.call()?;
        self.inner.check()
    }

    fn overruns(&self) -> u64 {
        self.inner.overruns()
    }

    fn hears_a_room(&self) -> bool {
        self.inner.hears_a_room()
    }
}

impl<D: PlayAudio + ?Sized> PlayAudio for Faulty<D> {
    fn write(&mut self, block: &[i16]) -> Result<Duration, DeviceError> {
        self.call()?;
        self.inner.write(block)
    }

    fn pause(&mut self) {
        self.inner.pause();
    }

    fn check(&mut self) -> Result<(), DeviceError> {
        self.call()?;
        self.inner.check()
    }

    fn underruns(&self) -> u64 {
        self.inner.underruns()
    }
}

impl<D: Display + ?Sized> Display for Faulty<D> {
    fn size(&self) -> (u32, u32) {
        self.inner.size()
    }

    fn show(&mut self, picture: &I420) -> Result<(), DeviceError> {
        self.call()?;
        self.inner.show(picture)
    }

    fn check(&mut self) -> Result<(), DeviceError> {
        self.call()?;
        self.inner.check()
    }

    fn is_seen(&self) -> bool {
        self.inner.is_seen()
    }
}

/// An opener that fails by chance and whose devices do, too.
pub struct FaultyOpener<D: ?Sized> {
    inner: BoxedOpener<D>,
    faults: Faults,
    dice: Dice,
}

impl<D: ?Sized> FaultyOpener<D> {
    /// Wraps an opener.
    pub fn new(inner: BoxedOpener<D>, seed: u64, faults: Faults) -> FaultyOpener<D> {
        FaultyOpener { inner, faults, dice: Dice(seed) }
    }

    fn open_faulty(&mut self) -> Result<Faulty<D>, DeviceError> {
        if !self.faults.are_over() && self.dice.hit(self.faults.open) {
            return Err(self.dice.error());
        }
        Ok(Faulty::new(self.inner.open()?, self.dice.next(), self.faults))
    }
}

macro_rules! faulty_opener {
    ($($device:ident)*) => {$(
        impl Opener<dyn $device> for FaultyOpener<dyn $device> {
            fn open(&mut self) -> Result<Box<dyn $device>, DeviceError> {
                Ok(Box::new(self.open_faulty()?))
            }

            fn describe(&self) -> String {
                format!("faulty {}", self.inner.describe())
            }
        }
    )*};
}
faulty_opener!(CaptureVideo CaptureAudio PlayAudio Display);

/// SplitMix64: small, and good enough for mishaps.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn hit(&mut self, chance: f64) -> bool {
        ((self.next() >> 11) as f64 / (1u64 << 53) as f64) < chance
    }

    fn error(&mut self) -> DeviceError {
        let what = "an injected fault".to_string();
        match self.next() % 5 {
            0 => DeviceError::Absent(what),
            1 => DeviceError::Busy(what),
            2 => DeviceError::Unsupported(what),
            3 => DeviceError::Explained { what, remedy: "wait until it is over".into() },
            _ => DeviceError::Io(what),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Good;

    impl CaptureAudio for Good {
        fn read(&mut self, _: &mut [i16], deadline: Instant) -> Result<Option<Instant>, DeviceError> {
            Ok(Some(deadline))
        }
    }

    impl Opener<dyn CaptureAudio> for Good {
        fn open(&mut self) -> Result<Box<dyn CaptureAudio>, DeviceError> {
            Ok(Box::new(Good))
        }

        fn describe(&self) -> String {
            "good".into()
        }
    }

    fn history(seed: u64) -> Vec<Result<bool, DeviceError>> {
        let faults = Faults { open: 0.3, error: 0.1, timeout: 0.2, sleep_until: |_| {}, ..Faults::default() };
        let mut opener = FaultyOpener::<dyn CaptureAudio>::new(Box::new(Good), seed, faults);
        let deadline = clock::now();
        let mut history = Vec::new();
        for _ in 0..20 {
            match opener.open() {
                Err(error) => history.push(Err(error)),
                Ok(mut device) => {
                    history.extend((0..50).map(|_| device.read(&mut [0], deadline).map(|heard| heard.is_some())));
                }
            }
        }
        history
    }

    #[test]
    fn a_seed_brings_the_same_faults_again_and_all_kinds_of_them() {
        let first = history(7);
        assert_eq!(first, history(7));
        assert_ne!(first, history(8));
        for kind in ["not there", "busy", "not supported", "failed", "does not work"] {
            assert!(
                first.iter().flat_map(|r| r.as_ref().err()).any(|error| error.to_string().starts_with(kind)),
                "{kind}"
            );
        }
        let (good, none) =
            (first.iter().filter(|r| **r == Ok(true)).count(), first.iter().filter(|r| **r == Ok(false)).count());
        assert!(good > none && none > 50);
    }

    #[test]
    fn from_a_time_on_nothing_goes_wrong_any_more() {
        let all = Faults { open: 1.0, error: 1.0, timeout: 1.0, sleep_until: |_| {}, ..Faults::default() };
        let over = Faults { until: Some(clock::now()), ..all };
        assert!(FaultyOpener::<dyn CaptureAudio>::new(Box::new(Good), 1, all).open().is_err());
        let mut device = FaultyOpener::<dyn CaptureAudio>::new(Box::new(Good), 1, over).open().unwrap();
        assert!(device.read(&mut [0], clock::now()).is_ok_and(|heard| heard.is_some()));
    }

    #[test]
    fn without_faults_nothing_changes() {
        let mut device = Faulty::<dyn CaptureAudio>::new(Box::new(Good), 1, Faults::default());
        let deadline = clock::now();
        assert!((0..1000).all(|_| device.read(&mut [0], deadline) == Ok(Some(deadline))));
    }
}
