//! A sound card's microphone, by ALSA.

use std::time::{Duration, Instant};

use alsa::Direction;
use intercom_base::resample::Resampler;
use intercom_base::sound::SAMPLE_RATE;

use crate::contract::{BoxedOpener, CaptureAudio, ConfigError, DeviceError, Driver, Opener, Wanted};
use crate::options::Options;
use crate::pcm::{self, AUTO, Alsa, Pcm, PcmError, duration};
use crate::{cards, mixer};

/// The entry of the registry's table.
pub const DRIVER: Driver<dyn CaptureAudio> = Driver {
    name: "alsa",
    summary: "a sound card's microphone",
    options: OPTIONS,
    configure,
    detect: |options| pcm::detect(options, Direction::Capture),
    survey: Some(|| cards::survey(Direction::Capture)),
};

const OPTIONS: &[(&str, &str)] = &[
    (
        "device",
        "a card's name or id or a part of it, such as \"webcam\", a name from /dev/snd/by-id or by-path, or a PCM as \
         `arecord -L` lists it; default \"auto\": USB before others, unless alsa-lib was set to another",
    ),
    (
        "volume",
        "of the card's mixer, 0 to 100 percent; without it what is muted or at zero is opened, and the rest left as it is",
    ),
];

/// It costs no delay, and a busy machine loses no sound.
const BUFFER: Duration = Duration::from_millis(200);
/// Waits that are none are not repeated faster than this.
const MOMENT: Duration = Duration::from_millis(1);
/// A microphone that gives nothing for so long is broken.
const SILENCE: Duration = Duration::from_secs(3);
/// How late the reader of a device without a clock may come before it counts as an overrun.
const SLIP: Duration = Duration::from_secs(1);

fn configure(table: &toml::Table, _: &Wanted) -> Result<BoxedOpener<dyn CaptureAudio>, ConfigError> {
    let options = Options::new(table, OPTIONS)?;
    let device = options.text("device")?.unwrap_or_else(|| AUTO.into());
    let volume = options.whole("volume", 0..=100)?;
    Ok(Box::new(AlsaOpener { device, volume, opened: None }))
}

struct AlsaOpener {
    device: String,
    volume: Option<i64>,
    /// In words, what was opened last.
    opened: Option<String>,
}

impl Opener<dyn CaptureAudio> for AlsaOpener {
    fn open(&mut self) -> Result<Box<dyn CaptureAudio>, DeviceError> {
        self.opened = None;
        let pcm = Alsa::open(&self.device, Direction::Capture, BUFFER)?;
        if let Some(card) = pcm.card() {
            mixer::prepare(card, Direction::Capture, self.volume);
        }
        self.opened = Some(pcm.describe());
        Ok(Box::new(Microphone::new(pcm)))
    }

    fn describe(&self) -> String {
        self.opened.clone().unwrap_or_else(|| format!("ALSA device {}", self.device))
    }
}

struct Microphone<P> {
    pcm: P,
    /// Between the device's rate and ours, if they differ.
    resampler: Option<Resampler>,
    /// Mono sound at our rate that is not a whole block yet.
    mono: Vec<i16>,
    /// What the device gave, and that in mono.
    frames: Vec<i16>,
    native: Vec<i16>,
    run: Option<Run>,
    overruns: u64,
}

/// What is known between a start and the next stop.
struct Run {
    started: Instant,
    /// Frames read.
    taken: usize,
    /// The device has no clock (ALSA's `null` and `file`): it always has a full buffer to give, so ours paces it.
    timeless: bool,
    /// When it last gave something.
    alive: Instant,
    /// When the block before was heard, and how long it was.
    last: Option<(Instant, usize)>,
}

impl<P: Pcm> Microphone<P> {
    fn new(pcm: P) -> Microphone<P> {
        let resampler = Resampler::new(pcm.rate(), SAMPLE_RATE);
        let (mono, frames, native) = (Vec::new(), Vec::new(), Vec::new());
        Microphone { pcm, resampler, mono, frames, native, run: None, overruns: 0 }
    }

    fn start(&mut self) -> Result<Run, PcmError> {
        self.mono.clear();
        self.resampler.iter_mut().for_each(Resampler::reset);
        self.pcm.prepare()?;
        self.pcm.start()?;
        let now = self.pcm.now();
        let timeless = self.pcm.avail()? >= self.pcm.buffer();
        Ok(Run { started: now, taken: 0, timeless, alive: now, last: None })
    }

    /// Gathers `count` samples; when the first of them was heard, or `None` at the deadline.
    fn gather(&mut self, run: &mut Run, count: usize, deadline: Instant) -> Result<Option<Instant>, PcmError> {
        while self.mono.len() < count {
            let missing = (count - self.mono.len()) as u64 * u64::from(self.pcm.rate());
            let missing = missing.div_ceil(u64::from(SAMPLE_RATE)) as usize;
            let ready = if run.timeless {
                let due = run.started + self.pcm.lasts(run.taken + missing);
                if due > deadline {
                    self.pcm.sleep_until(deadline);
                    return Ok(None);
                }
                if self.pcm.now() > due + SLIP {
                    return Err(PcmError::Xrun);
                }
                self.pcm.sleep_until(due);
                missing
            } else {
                self.pcm.avail()?.min(missing)
            };
            if ready == 0 {
                let woken = self.pcm.wait(deadline)?;
                let now = self.pcm.now();
                if woken && now < deadline {
                    if self.pcm.avail()? == 0 {
                        // Some plugins wake without need: this must not spin.
                        self.pcm.sleep_until((now + MOMENT).min(deadline));
                    }
                    continue;
                }
                // It may be that nobody looked for so long: then it ran over meanwhile, which is no silence.
                if now.saturating_duration_since(run.alive) > SILENCE && self.pcm.avail()? == 0 {
                    let what = format!("ALSA device {}: no sound for {} s", self.pcm.name(), SILENCE.as_secs());
                    return Err(PcmError::Failed(DeviceError::Io(what)));
                }
                return Ok(None);
            }
            let channels = self.pcm.channels();
            // Zeroed each time: `file` leaves the block as it was where its recording has ended.
            self.frames.clear();
            self.frames.resize(ready * channels, 0);
            let got = match self.pcm.read(&mut self.frames) {
                Err(PcmError::Again) => continue,
                Ok(0) => {
                    let what = format!("ALSA device {}: its sound has ended", self.pcm.name());
                    return Err(PcmError::Failed(DeviceError::Io(what)));
                }
                other => other?,
            };
            let mono = self.frames[..got * channels].chunks_exact(channels).map(|frame| match frame {
                [left, right, ..] => ((i32::from(*left) + i32::from(*right)) / 2) as i16,
                other => other[0],
            });
            match &mut self.resampler {
                None => self.mono.extend(mono),
                Some(resampler) => {
                    self.native.clear();
                    self.native.extend(mono);
                    resampler.process(&self.native, &mut self.mono);
                }
            }
            run.taken += got;
            run.alive = self.pcm.now();
        }
        let inside = duration(self.mono.len()) + self.resampler.as_ref().map_or(Duration::ZERO, Resampler::delay);
        let end = if run.timeless {
            run.started + self.pcm.lasts(run.taken)
        } else {
            let behind = self.pcm.delay().unwrap_or(0);
            let now = self.pcm.now();
            now.checked_sub(self.pcm.lasts(behind)).unwrap_or(now)
        };
        let heard = end.checked_sub(inside).unwrap_or(end);
        let heard = run.last.map_or(heard, |(last, length)| smooth(last + duration(length), heard));
        run.last = Some((heard, count));
        Ok(Some(heard))
    }
}

/// The device reports its position in steps; the truth lies near where the block before ended.
fn smooth(expected: Instant, measured: Instant) -> Instant {
    const JUMP: Duration = Duration::from_millis(25);
    let (later, earlier) = (measured.saturating_duration_since(expected), expected.saturating_duration_since(measured));
    if later > JUMP || earlier > JUMP { measured } else { expected + later / 16 - earlier / 16 }
}

impl<P: Pcm> CaptureAudio for Microphone<P> {
    fn read(&mut self, block: &mut [i16], deadline: Instant) -> Result<Option<Instant>, DeviceError> {
        loop {
            let (result, run) = match self.run.take().map_or_else(|| self.start(), Ok) {
                Ok(mut run) => (self.gather(&mut run, block.len(), deadline), Some(run)),
                Err(error) => (Err(error), None),
            };
            match result {
                Ok(heard) => {
                    self.run = run;
                    if heard.is_some() {
                        block.copy_from_slice(&self.mono[..block.len()]);
                        self.mono.drain(..block.len());
                    }
                    return Ok(heard);
                }
                Err(PcmError::Failed(error)) => return Err(error),
                Err(PcmError::Xrun | PcmError::Again) => {
                    // The next turn starts it again with fresh sound; half a block from before is not glued on.
                    self.overruns += 1;
                    if self.pcm.now() >= deadline {
                        return Ok(None);
                    }
                    if run.is_none() {
                        // It does not even start: no reason to spin.
                        let later = self.pcm.now() + 10 * MOMENT;
                        self.pcm.sleep_until(later.min(deadline));
                    }
                }
            }
        }
    }

    fn pause(&mut self) {
        if self.run.take().is_some() {
            self.pcm.stop();
        }
    }

    fn check(&mut self) -> Result<(), DeviceError> {
        self.pcm.check()
    }

    fn overruns(&self) -> u64 {
        self.overruns
    }
}

#[cfg(test)]
mod tests {
    use intercom_base::testing::sound::{fit, sine};

    use super::*;
    use crate::clock;
    use crate::pcm::fake::{Fake, numbered, odd_pieces, words};

    const BLOCK: usize = 960;
    const FRAMES: usize = 9600;

    fn opener(device: String) -> AlsaOpener {
        AlsaOpener { device, volume: None, opened: None }
    }

    #[test]
    fn sound_is_seamless_and_its_time_is_that_of_the_ear() {
        for (channels, rate) in [(1, 48_000.0), (2, 48_010.0), (4, 47_990.0)] {
            let mut microphone = Microphone::new(Fake::new(channels, FRAMES));
            let mut block = [0; BLOCK];
            let (mut expected, mut last) = (0, None::<Instant>);
            microphone.pcm.rate = rate;
            let begin = microphone.pcm.now;
            for n in 0..500u64 {
                // The reader is late by up to 30 ms.
                microphone.pcm.pass(Duration::from_millis(n * 7 % 30));
                let deadline = microphone.pcm.now + Duration::from_millis(100);
                let heard = microphone.read(&mut block, deadline).unwrap().expect("sound in time");
                for &sample in &block {
                    assert_eq!(sample, (expected % 10_000) as i16);
                    expected += 1;
                }
                let truth = begin + Duration::from_secs_f64((expected - BLOCK) as f64 / rate);
                let late_start = Duration::from_millis(40);
                assert!(heard + Duration::from_millis(12) > truth && heard < truth + late_start, "block {n}");
                assert!(last.is_none_or(|last| heard - last > Duration::from_millis(18)), "block {n}");
                last = Some(heard);
            }
            assert_eq!(microphone.overruns(), 0);
        }
    }

    #[test]
    fn an_overrun_is_counted_and_healed_with_fresh_sound() {
        let mut microphone = Microphone::new(Fake::new(1, FRAMES));
        let mut block = [0; BLOCK];
        let far = microphone.pcm.now + Duration::from_secs(60);
        microphone.read(&mut block, far).unwrap().expect("sound");
        microphone.pcm.pass(Duration::from_secs(2));
        let late = microphone.pcm.now;
        let heard = microphone.read(&mut block, far).unwrap().expect("sound again");
        assert!(heard >= late, "fresh, not from before");
        assert_eq!((microphone.overruns(), block[0]), (1, 0));
    }

    #[test]
    fn a_process_that_was_stopped_while_it_waited_has_missed_sound_and_not_lost_the_device() {
        let mut microphone = Microphone::new(Fake::new(1, FRAMES));
        let mut block = [0; BLOCK];
        let far = microphone.pcm.now + Duration::from_secs(60);
        microphone.read(&mut block, far).unwrap().expect("sound");
        microphone.pcm.stopped = Duration::from_secs(10);
        let deadline = microphone.pcm.now + Duration::from_millis(200);
        let mut heard = microphone.read(&mut block, deadline).unwrap();
        if heard.is_none() {
            heard = microphone.read(&mut block, far).unwrap();
        }
        assert!(heard.is_some());
        assert_eq!((microphone.overruns(), block[0]), (1, 0));
    }

    #[test]
    fn a_deadline_consumes_nothing_and_a_pause_forgets() {
        let mut microphone = Microphone::new(Fake::new(1, FRAMES));
        let mut block = [0; BLOCK];
        let soon = microphone.pcm.now + Duration::from_millis(13);
        assert_eq!(microphone.read(&mut block, soon), Ok(None));
        let far = microphone.pcm.now + Duration::from_secs(1);
        microphone.read(&mut block, far).unwrap().expect("the whole block");
        assert_eq!(block[0], 0);
        microphone.pause();
        microphone.pcm.pass(Duration::from_secs(100));
        let asked = microphone.pcm.now;
        let heard = microphone.read(&mut block, asked + Duration::from_secs(1)).unwrap().expect("sound");
        assert!(heard >= asked);
        assert_eq!(microphone.overruns(), 0);
    }

    #[test]
    fn a_dead_or_unplugged_microphone_is_an_error_not_an_endless_wait() {
        let mut microphone = Microphone::new(Fake::new(1, FRAMES));
        microphone.pcm.rate = 0.0;
        let error = loop {
            let deadline = microphone.pcm.now + Duration::from_millis(100);
            if let Err(error) = microphone.read(&mut [0; BLOCK], deadline) {
                break error;
            }
        };
        assert!(matches!(error, DeviceError::Io(_)));
        let mut microphone = Microphone::new(Fake::new(1, FRAMES));
        microphone.pcm.gone = true;
        let deadline = microphone.pcm.now + Duration::from_millis(100);
        assert!(matches!(microphone.read(&mut [0; BLOCK], deadline), Err(DeviceError::Absent(_))));
    }

    #[test]
    fn spoken_words_come_through_alsa_sample_by_sample() {
        let Some(words) = words() else {
            println!("skipped: neither alsa-utils' sounds nor espeak-ng are installed");
            return;
        };
        let path = std::env::temp_dir().join(format!("intercom-mic-{}.raw", std::process::id()));
        let bytes: Vec<u8> = words.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        std::fs::write(&path, bytes).unwrap();
        let infile = path.display();
        let device =
            format!("plug:{{SLAVE={{type file slave.pcm null file \"/dev/null\" infile \"{infile}\" format raw}}}}");
        let mut microphone = opener(device).open().expect("alsa-lib's file device");
        let began = clock::now();
        let mut heard = Vec::new();
        let mut last = None;
        for _ in 0..25 {
            let mut block = [0; BLOCK];
            let when = microphone.read(&mut block, clock::now() + Duration::from_secs(20)).unwrap().expect("sound");
            assert!(last.is_none_or(|last| when - last == Duration::from_millis(20)), "gapless in time");
            last = Some(when);
            heard.extend_from_slice(&block);
        }
        assert_eq!(heard[..], words[..heard.len()], "every word as it was spoken");
        assert!(clock::now() - began >= Duration::from_millis(480), "paced like speech, not like a file");
        assert_eq!(microphone.overruns(), 0);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_long_talk_in_odd_pieces_with_pauses_is_heard_exactly_once_and_in_order() {
        let sound = numbered(2 * 48_000);
        let path = std::env::temp_dir().join(format!("intercom-mic-long-{}.raw", std::process::id()));
        let bytes: Vec<u8> = sound.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        std::fs::write(&path, bytes).unwrap();
        let file = format!("{{type file slave.pcm null file \"/dev/null\" infile \"{}\" format raw}}", path.display());
        let mut microphone = opener(format!("plug:{{SLAVE={file}}}")).open().expect("alsa-lib's file device");
        let mut heard = Vec::new();
        for (n, piece) in odd_pieces(&sound).into_iter().enumerate() {
            let mut block = vec![0; piece.len()];
            microphone.read(&mut block, clock::now() + Duration::from_secs(20)).unwrap().expect("sound");
            heard.extend(block);
            if n % 37 == 36 {
                microphone.pause();
            }
        }
        assert!(heard == sound);
        assert_eq!(microphone.overruns(), 0);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_card_of_another_rate_is_heard_clean_and_in_time() {
        for (rate, channels) in [(8_000, 1), (16_000, 1), (44_100, 2), (96_000, 8), (192_000, 2)] {
            let path = std::env::temp_dir().join(format!("intercom-mic-{rate}-{}.raw", std::process::id()));
            let frames = sine(1000.0, rate, rate as usize).into_iter();
            let bytes: Vec<u8> =
                frames.flat_map(|s| std::iter::repeat_n(s.to_le_bytes(), channels)).flatten().collect();
            std::fs::write(&path, bytes).unwrap();
            let infile = path.display();
            let file = format!("{{type file slave.pcm null file \"/dev/null\" infile \"{infile}\" format raw}}");
            let device = format!(
                "plug:{{SLAVE={{type plug slave {{pcm {file} format S16_LE channels {channels} rate {rate}}}}}}}"
            );
            let mut opener = opener(device);
            let mut microphone = opener.open().expect("alsa-lib's file device");
            assert!(opener.describe().contains(&format!("at {rate} Hz")), "{}", opener.describe());
            let (mut heard, mut last) = (Vec::new(), None);
            for _ in 0..90 {
                let mut block = [0; 480];
                let when = microphone.read(&mut block, clock::now() + Duration::from_secs(20)).unwrap().expect("sound");
                let step = last.map(|last| when - last);
                assert!(
                    step.is_none_or(
                        |step: Duration| step.abs_diff(Duration::from_millis(10)) < Duration::from_micros(200)
                    ),
                    "{step:?}"
                );
                last = Some(when);
                heard.extend_from_slice(&block);
            }
            let (db, _) = fit(&heard[4_800..], 1000.0, SAMPLE_RATE);
            assert!(db > 75.0, "{rate}: {db:.1} dB");
            std::fs::remove_file(path).unwrap();
        }
    }

    #[test]
    fn a_recording_that_ends_is_followed_by_silence() {
        let path = std::env::temp_dir().join(format!("intercom-mic-end-{}.raw", std::process::id()));
        std::fs::write(&path, [1u8; 2 * BLOCK]).unwrap();
        let infile = path.display();
        let device =
            format!("plug:{{SLAVE={{type file slave.pcm null file \"/dev/null\" infile \"{infile}\" format raw}}}}");
        let mut microphone = opener(device).open().expect("alsa-lib's file device");
        let mut block = [0; BLOCK];
        let far = clock::now() + Duration::from_secs(20);
        assert!(microphone.read(&mut block, far).unwrap().is_some());
        assert_eq!(block, [257; BLOCK]);
        assert!(microphone.read(&mut block, far).unwrap().is_some());
        assert_eq!(block, [0; BLOCK]);
        std::fs::remove_file(path).unwrap();
    }
}
