//! Devices that fail, by a thousand seeds in virtual time: the keeper of each goes on, holds no more than one of them
//! open, tries no more often than it should, and has it back once nothing goes wrong any more.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use intercom_base::picture::I420;
use intercom_base::sound::SAMPLE_RATE;
use intercom_core::devices::keeper::{Keeper, Step};
use intercom_core::devices::supervisor::Change;
use intercom_drivers::contract::{
    CaptureAudio, CaptureVideo, DeviceError, Display, Image, Opener, PlayAudio, VideoFrame, VideoMode,
};
use intercom_drivers::faulty::{Faults, FaultyOpener};

const SECOND: Duration = Duration::from_secs(1);

/// How long things go wrong.
const STORM: Duration = Duration::from_secs(600);

/// A device is opened at most so often in any minute: after ten good seconds the pauses start again with 0.5, 1, 2 and
/// 4 s, and four such rounds fit into a minute.
const OPENS_A_MINUTE: usize = 16;

/// The longest pause between two tries, and the longest that a stall or a wait takes.
const BACK_WITHIN: Duration = Duration::from_secs(13);

thread_local! {
    /// The virtual clock of a test's thread.
    static NOW: Cell<Option<Instant>> = const { Cell::new(None) };
}

fn now() -> Instant {
    NOW.with(|cell| {
        let now = cell.get().unwrap_or_else(Instant::now);
        cell.set(Some(now));
        now
    })
}

fn sleep_until(deadline: Instant) {
    NOW.with(|cell| cell.set(Some(now().max(deadline))));
}

/// A device that always works, and counts how many of it are open.
struct Steady(Arc<AtomicU32>);

impl Drop for Steady {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl CaptureVideo for Steady {
    fn mode(&self) -> VideoMode {
        VideoMode { width: 16, height: 16, rate: 5.0 }
    }

    fn capture(&mut self, deadline: Instant) -> Result<Option<VideoFrame>, DeviceError> {
        sleep_until(deadline.min(now() + SECOND / 5));
        let picture = Arc::new(I420::black(16, 16));
        Ok(Some(VideoFrame { image: Image::Picture(picture), captured: now(), sequence: 0 }))
    }
}

impl CaptureAudio for Steady {
    fn read(&mut self, block: &mut [i16], _: Instant) -> Result<Option<Instant>, DeviceError> {
        let heard = now();
        sleep_until(heard + SECOND * block.len() as u32 / SAMPLE_RATE);
        Ok(Some(heard))
    }
}

impl PlayAudio for Steady {
    fn write(&mut self, block: &[i16]) -> Result<Duration, DeviceError> {
        sleep_until(now() + SECOND * block.len() as u32 / SAMPLE_RATE);
        Ok(Duration::ZERO)
    }
}

impl Display for Steady {
    fn size(&self) -> (u32, u32) {
        (16, 16)
    }

    fn show(&mut self, _: &I420) -> Result<(), DeviceError> {
        sleep_until(now() + SECOND / 60);
        Ok(())
    }
}

/// Opens [`Steady`] devices once they are there; opening takes a moment.
struct Socket {
    open: Arc<AtomicU32>,
    there_from: Instant,
}

impl Socket {
    fn open_steady(&mut self) -> Result<Box<Steady>, DeviceError> {
        sleep_until(now() + SECOND / 20);
        if now() < self.there_from {
            return Err(DeviceError::Absent("nothing is plugged in".into()));
        }
        self.open.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(Steady(Arc::clone(&self.open))))
    }
}

macro_rules! opens {
    ($($device:ident)*) => {$(
        impl Opener<dyn $device> for Socket {
            fn open(&mut self) -> Result<Box<dyn $device>, DeviceError> {
                self.open_steady().map(|device| -> Box<dyn $device> { device })
            }

            fn describe(&self) -> String {
                "a socket".into()
            }
        }
    )*};
}
opens!(CaptureVideo CaptureAudio PlayAudio Display);

/// What a run was like.
#[derive(Default)]
struct Story {
    opens: Vec<Instant>,
    changes: Vec<(Instant, Change)>,
    /// When data came or went last.
    last_use: Option<Instant>,
    first_use: Option<Instant>,
}

impl Story {
    fn tell(&mut self, change: Option<Change>) {
        self.changes.extend(change.map(|change| (now(), change)));
    }

    fn most_opens_within(&self, time: Duration) -> usize {
        (0..self.opens.len())
            .map(|first| self.opens[first..].iter().take_while(|at| **at - self.opens[first] < time).count())
            .max()
            .unwrap_or(0)
    }
}

/// The device's thread without the thread: asks the keeper what to do, and does it, until `end`. `apply` uses the device
/// as the shell does; whether data came.
fn live<D: ?Sized>(
    opener: &mut dyn Opener<D>,
    open: &AtomicU32,
    hint_every: Option<Duration>,
    end: Instant,
    mut apply: impl FnMut(&mut D) -> Result<bool, DeviceError>,
) -> Story {
    let mut story = Story::default();
    let mut keeper = Keeper::new(opener, SECOND, now());
    let mut next_hint = hint_every.map(|every| now() + every);
    let (mut progress, mut still) = (now(), 0);
    while now() < end {
        if next_hint.is_some_and(|at| now() >= at) {
            next_hint = hint_every.map(|every| now() + every);
            keeper.handle_hint(now());
        }
        match keeper.poll(now()) {
            Step::Use(device) => {
                let result = apply(device);
                if result == Ok(true) {
                    story.last_use = Some(now());
                    story.first_use.get_or_insert(now());
                }
                let change = keeper.handle_use(result, now());
                story.tell(change);
            }
            Step::Open => {
                story.opens.push(now());
                let result = keeper.open();
                let change = keeper.handle_open(result, now());
                story.tell(change);
            }
            Step::Wait(until) => sleep_until(next_hint.map_or(until, |hint| hint.min(until))),
        }
        assert!(open.load(Ordering::Relaxed) <= 1, "two of one device are open");
        // An error costs no time, the opening after it does.
        still = if now() > std::mem::replace(&mut progress, now()) { 0 } else { still + 1 };
        assert!(still < 3, "it goes round and round without waiting");
    }
    drop(keeper);
    assert_eq!(open.load(Ordering::Relaxed), 0, "a device was left open");
    story
}

/// A seed's own weather: from rare mishaps to hardly ever a good call.
fn storm(seed: u64, until: Instant) -> Faults {
    let mut dice = fastrand::Rng::with_seed(seed);
    let mut chance = |worst: f64| worst * dice.f64().powi(4);
    let (open, error, timeout, stall) = (chance(1.0), chance(0.5), chance(0.9), chance(0.1));
    Faults { open, error, timeout, stall, stall_time: 2 * SECOND, until: Some(until), sleep_until, now }
}

fn weather(kind: &str, run: impl Fn(u64, Faults, Socket, &AtomicU32, Instant) -> Story) {
    let (mut failures, mut most) = (0, 0);
    for seed in 0..1000 {
        let calm = now() + STORM;
        let open = Arc::new(AtomicU32::new(0));
        let socket = Socket { open: Arc::clone(&open), there_from: now() };
        let story = run(seed, storm(seed, calm), socket, &open, calm + 60 * SECOND);
        let what = format!("{kind}, seed {seed}: {} opens, {:?}", story.opens.len(), story.changes.last());
        assert!(story.most_opens_within(60 * SECOND) <= OPENS_A_MINUTE, "a storm: {what}");
        assert!(story.opens.iter().filter(|at| **at >= calm).count() <= 1, "opened more than once in the calm: {what}");
        let (told, change) = story.changes.last().expect("something was told");
        assert!(*change == Change::Live && *told <= calm + BACK_WITHIN, "it is not back: {what}");
        assert!(story.last_use.is_some_and(|at| at + SECOND > now()), "it stands still: {what}");
        assert!(story.changes.windows(2).all(|two| two[0].1 != two[1].1), "told twice: {what}");
        failures += story.opens.len() - 1;
        most = most.max(story.most_opens_within(60 * SECOND));
    }
    println!("{kind}: {failures} failures by 1000 seeds, at most {most} opens in a minute");
    assert!(failures > 1000, "a storm that does little: {failures}");
}

#[test]
fn a_thousand_cameras_that_fail_come_back() {
    weather("camera", |seed, faults, socket, open, end| {
        let mut opener = FaultyOpener::<dyn CaptureVideo>::new(Box::new(socket), seed, faults);
        live(&mut opener, open, None, end, |camera| Ok(camera.capture(now() + SECOND / 2)?.is_some()))
    });
}

#[test]
fn a_thousand_microphones_that_fail_come_back() {
    weather("microphone", |seed, faults, socket, open, end| {
        let mut opener = FaultyOpener::<dyn CaptureAudio>::new(Box::new(socket), seed, faults);
        let mut block = [0; SAMPLE_RATE as usize / 10];
        live(&mut opener, open, None, end, |device| Ok(device.read(&mut block, now() + SECOND / 5)?.is_some()))
    });
}

#[test]
fn a_thousand_speakers_that_fail_come_back() {
    weather("speaker", |seed, faults, socket, open, end| {
        let mut opener = FaultyOpener::<dyn PlayAudio>::new(Box::new(socket), seed, faults);
        let block = [0; SAMPLE_RATE as usize / 10];
        live(&mut opener, open, None, end, |device| device.write(&block).map(|_| true))
    });
}

#[test]
fn a_thousand_displays_that_fail_come_back() {
    weather("display", |seed, faults, socket, open, end| {
        let mut opener = FaultyOpener::<dyn Display>::new(Box::new(socket), seed, faults);
        let (picture, mut turn) = (I420::black(16, 16), 0);
        live(&mut opener, open, None, end, |display| {
            // As the TV's thread does it: half a second's rest, a look whether it is still there, and a picture if
            // anything changed.
            sleep_until(now() + SECOND / 2);
            display.check()?;
            turn += 1;
            if turn % 2 == 0 {
                display.show(&picture)?;
            }
            Ok(turn % 2 == 0)
        })
    });
}

fn plugged_in_after(time: Duration, hint_every: Option<Duration>) -> (Instant, Story) {
    let open = Arc::new(AtomicU32::new(0));
    let there_from = now() + time;
    let mut socket = Socket { open: Arc::clone(&open), there_from };
    let opener: &mut dyn Opener<dyn CaptureVideo> = &mut socket;
    let story = live(opener, &open, hint_every, there_from + 60 * SECOND, |camera| {
        Ok(camera.capture(now() + SECOND / 2)?.is_some())
    });
    (there_from, story)
}

#[test]
fn a_plug_that_the_kernel_did_not_tell_of_is_found_by_the_slow_retry_after_an_hour() {
    let (there_from, story) = plugged_in_after(3600 * SECOND, None);
    assert!(story.first_use.expect("it is found") - there_from < 11 * SECOND);
    assert!(story.opens.len() < 370, "{} opens of nothing in an hour", story.opens.len());
    assert_eq!(story.changes.len(), 2, "gone, and there again, and nothing else in the log: {:?}", story.changes);
}

/// A device that is plugged in some time after the last try, whatever the pause was; needs up to two seconds until it can
/// be opened; and takes a moment to open. The kernel tells of it 150 ms after it is there, udev may do so a second time.
struct Return {
    ready: Instant,
    hints: Vec<Instant>,
    opening: Duration,
}

impl Opener<dyn CaptureVideo> for Return {
    fn open(&mut self) -> Result<Box<dyn CaptureVideo>, DeviceError> {
        let there = now() >= self.ready;
        sleep_until(now() + self.opening);
        if !there {
            return Err(DeviceError::Absent("not there, or not ready".into()));
        }
        Ok(Box::new(Steady(Arc::new(AtomicU32::new(1)))))
    }

    fn describe(&self) -> String {
        "a camera that returns".into()
    }
}

impl Return {
    fn by(dice: &mut fastrand::Rng) -> Return {
        // Any phase of any pause: 0.5 s up to many times the longest.
        let plugged = now() + (90 * SECOND).mul_f64(dice.f64());
        let settles = if dice.bool() { Duration::ZERO } else { (2 * SECOND).mul_f64(dice.f64()) };
        let hint = plugged + SECOND * 3 / 20;
        let mut hints = vec![hint];
        if dice.bool() {
            hints.push(hint + SECOND.mul_f64(dice.f64()));
        }
        Return { ready: plugged + settles, hints, opening: (SECOND / 2).mul_f64(dice.f64()) }
    }

    /// How long after it could be opened the first picture came.
    fn picture_after(mut self) -> Duration {
        let (ready, hints) = (self.ready, std::mem::take(&mut self.hints));
        let mut keeper = Keeper::<dyn CaptureVideo>::new(&mut self, SECOND, now());
        let mut hints = hints.into_iter().peekable();
        loop {
            if hints.next_if(|hint| *hint <= now()).is_some() {
                keeper.handle_hint(now());
            }
            match keeper.poll(now()) {
                Step::Use(camera) => {
                    assert!(camera.capture(now() + SECOND / 2).unwrap().is_some());
                    return now().saturating_duration_since(ready);
                }
                Step::Open => {
                    let result = keeper.open();
                    keeper.handle_open(result, now());
                }
                Step::Wait(until) => sleep_until(hints.peek().map_or(until, |hint| until.min(*hint))),
            }
        }
    }
}

#[test]
fn whenever_a_device_returns_its_picture_is_there_within_two_seconds() {
    let mut longest = Duration::ZERO;
    for seed in 0..10_000 {
        let returned = Return::by(&mut fastrand::Rng::with_seed(seed));
        let took = returned.picture_after();
        assert!(took <= 2 * SECOND, "seed {seed}: {took:?} after it could be opened");
        longest = longest.max(took);
    }
    println!("back after {longest:?} at the longest");
}

#[test]
fn a_device_whose_return_nobody_tells_of_is_back_within_the_longest_pause() {
    let (mut longest, mut late) = (Duration::ZERO, 0);
    for seed in 0..10_000 {
        let returned = Return::by(&mut fastrand::Rng::with_seed(seed));
        let took = Return { hints: Vec::new(), ..returned }.picture_after();
        // A pause of ten seconds, one opening that came too early, one that did not, and a frame.
        assert!(took <= 10 * SECOND + SECOND + SECOND / 5, "seed {seed}: {took:?}");
        longest = longest.max(took);
        late += u32::from(took > 2 * SECOND);
    }
    println!("back after {longest:?} at the longest, {late} of 10000 after more than two seconds");
    assert!(late > 5000, "the hints are of little use: only {late} were late without them");
}

#[test]
fn a_device_that_flaps_for_an_hour_and_tells_of_it_is_opened_a_bounded_number_of_times() {
    // Plugged in, and out again before its first picture: 20 times a second, each with a word of the kernel's.
    let open = Arc::new(AtomicU32::new(0));
    let mut socket = Socket { open: Arc::clone(&open), there_from: now() };
    let opener: &mut dyn Opener<dyn CaptureVideo> = &mut socket;
    let end = now() + 3600 * SECOND;
    let story = live(opener, &open, Some(SECOND / 20), end, |_| Err(DeviceError::Io("pulled out".into())));
    // The quick tries are soon used up, and come back one in ten seconds.
    assert!(story.most_opens_within(60 * SECOND) <= 24, "{} in a minute", story.most_opens_within(60 * SECOND));
    assert!(story.opens.len() <= 60 * 13, "{} opens in an hour", story.opens.len());
    println!("{} opens in an hour, at most {} in a minute", story.opens.len(), story.most_opens_within(60 * SECOND));
    assert_eq!(story.changes.len(), 1, "it is told once: {:?}", story.changes);
    let (_, hinted) = plugged_in_after(3600 * SECOND, Some(SECOND));
    assert!(hinted.first_use.is_some());
}
