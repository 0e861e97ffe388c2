//! A sound card's speaker, by ALSA.

use std::time::{Duration, Instant};

use alsa::Direction;

use crate::contract::{BoxedOpener, ConfigError, DeviceError, Driver, Opener, PlayAudio, Wanted};
use crate::mixer;
use crate::options::Options;
use crate::pace::Pace;
use crate::pcm::{self, Alsa, PERIOD, Pcm, PcmError, duration};

/// The entry of the registry's table.
pub const DRIVER: Driver<dyn PlayAudio> = Driver {
    name: "alsa",
    summary: "a sound card's speaker",
    options: OPTIONS,
    configure,
    detect: |options| pcm::detect(options, Direction::Playback),
};

const OPTIONS: &[(&str, &str)] = &[
    (
        "device",
        "ALSA's name of the device as `aplay -L` lists it, e.g. \"plughw:CARD=Headphones\"; default \"default\"",
    ),
    (
        "volume",
        "of the card's mixer, 0 to 100 percent; without it what is muted or at zero is opened, and the rest left as it is",
    ),
    ("buffer_ms", "sound kept ready, 20 to 500 ms; more is later but survives a busier machine; default 40"),
];

/// A speaker that takes nothing for so long is broken.
const STUCK: Duration = Duration::from_secs(2);

fn configure(table: &toml::Table, _: &Wanted) -> Result<BoxedOpener<dyn PlayAudio>, ConfigError> {
    let options = Options::new(table, OPTIONS)?;
    let device = options.text("device")?.unwrap_or_else(|| "default".into());
    let buffer = options.whole("buffer_ms", 20..=500)?.unwrap_or(40) as usize * 48;
    let volume = options.whole("volume", 0..=100)?;
    Ok(Box::new(AlsaOpener { device, buffer, volume }))
}

struct AlsaOpener {
    device: String,
    buffer: usize,
    volume: Option<i64>,
}

impl Opener<dyn PlayAudio> for AlsaOpener {
    fn open(&mut self) -> Result<Box<dyn PlayAudio>, DeviceError> {
        let pcm = Alsa::open(&self.device, Direction::Playback, self.buffer)?;
        if let Some(card) = pcm.card() {
            mixer::prepare_playback(card, self.volume);
        }
        Ok(Box::new(Speaker::new(pcm)))
    }

    fn describe(&self) -> String {
        format!("ALSA device {}", self.device)
    }
}

struct Speaker<P> {
    pcm: P,
    frames: Vec<i16>,
    playing: bool,
    clock: Clock,
    underruns: u64,
}

/// Who keeps time.
enum Clock {
    /// Not seen yet.
    Unknown,
    /// The device: its buffer fills.
    Device,
    /// The device swallows everything at once (ALSA's `null` and `file`): ours does, as long as that is so.
    Ours(Pace),
}

impl<P: Pcm> Speaker<P> {
    fn new(pcm: P) -> Speaker<P> {
        Speaker { pcm, frames: Vec::new(), playing: false, clock: Clock::Unknown, underruns: 0 }
    }

    fn put(&mut self) -> Result<(), PcmError> {
        if !self.playing {
            self.pcm.prepare()?;
            self.playing = true;
        }
        let channels = self.pcm.channels();
        let (mut at, mut patience) = (0, self.pcm.now() + STUCK);
        while at < self.frames.len() {
            match self.pcm.write(&self.frames[at..]) {
                Ok(frames) if frames > 0 => {
                    at += frames * channels;
                    patience = self.pcm.now() + STUCK;
                }
                Ok(_) | Err(PcmError::Again) => self.wait_for_room(patience)?,
                Err(PcmError::Xrun) => self.heal()?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn wait_for_room(&mut self, patience: Instant) -> Result<(), PcmError> {
        if self.pcm.now() >= patience {
            let what = format!("ALSA device {}: it takes no sound", self.pcm.name());
            return Err(PcmError::Failed(DeviceError::Io(what)));
        }
        if !self.pcm.running() {
            // A block longer than the buffer fills it before the start.
            match self.pcm.start() {
                Err(PcmError::Xrun) => return self.heal(),
                other => other?,
            }
        }
        match self.pcm.wait(patience) {
            Err(PcmError::Xrun) => self.heal(),
            Err(error) => Err(error),
            Ok(_) => {
                if self.pcm.avail().is_ok_and(|room| room == 0) {
                    // Some plugins wake without need: this must not spin.
                    let later = self.pcm.now() + duration(PERIOD / 10);
                    self.pcm.sleep_until(later.min(patience));
                }
                Ok(())
            }
        }
    }

    fn heal(&mut self) -> Result<(), PcmError> {
        self.underruns += 1;
        self.pcm.prepare()
    }

    /// Waits as long as the device does not do so itself; how long until the next sample is heard.
    fn keep_time(&mut self, samples: usize) -> Duration {
        if !matches!(self.clock, Clock::Device) && self.pcm.running() {
            // Right after a write a real buffer is not empty.
            match (self.pcm.avail(), &self.clock) {
                (Ok(room), _) if room < self.pcm.buffer() => self.clock = Clock::Device,
                (Ok(_), Clock::Unknown) => self.clock = Clock::Ours(Pace::default()),
                _ => {}
            }
        }
        let Clock::Ours(pace) = &mut self.clock else {
            return duration(self.pcm.delay().unwrap_or(0));
        };
        let (due, slipped) = pace.next(self.pcm.now());
        self.underruns += u64::from(slipped);
        pace.advance(samples);
        self.pcm.sleep_until(due);
        let now = self.pcm.now();
        pace.next(now).0.saturating_duration_since(now)
    }
}

impl<P: Pcm> PlayAudio for Speaker<P> {
    fn write(&mut self, block: &[i16]) -> Result<Duration, DeviceError> {
        let channels = self.pcm.channels();
        self.frames.clear();
        self.frames.extend(block.iter().flat_map(|&sample| std::iter::repeat_n(sample, channels)));
        match self.put() {
            Ok(()) => Ok(self.keep_time(block.len())),
            Err(error) => {
                self.playing = false;
                Err(match error {
                    PcmError::Failed(error) => error,
                    PcmError::Xrun | PcmError::Again => {
                        DeviceError::Io(format!("ALSA device {}: it cannot be started", self.pcm.name()))
                    }
                })
            }
        }
    }

    fn pause(&mut self) {
        if std::mem::take(&mut self.playing) {
            self.pcm.drain();
        }
        if let Clock::Ours(pace) = &mut self.clock {
            pace.stop();
        }
    }

    fn underruns(&self) -> u64 {
        self.underruns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use crate::pcm::tests::{Fake, words};

    const BLOCK: usize = 960;

    #[test]
    fn a_device_paces_the_caller_and_hears_every_sample_once() {
        for channels in [1, 2, 6] {
            let mut speaker = Speaker::new(Fake::new(channels, 1920));
            let sound: Vec<i16> = (0..BLOCK * 500).map(|n| (n % 30_000) as i16).collect();
            let began = speaker.pcm.now;
            for (n, block) in sound.chunks(BLOCK).enumerate() {
                // The caller dawdles, but never as long as the buffer lasts.
                speaker.pcm.pass(Duration::from_millis(n as u64 * 5 % 15));
                let delay = speaker.write(block).unwrap();
                assert!(delay <= Duration::from_millis(40), "{delay:?}");
                assert!(n < 2 || delay > Duration::ZERO);
            }
            assert!(speaker.pcm.heard == sound);
            assert_eq!(speaker.underruns(), 0);
            let took = speaker.pcm.now - began;
            assert!((9.9..10.1).contains(&took.as_secs_f64()), "10 s of sound took {took:?}");
        }
    }

    #[test]
    fn an_underrun_is_counted_and_healed_without_losing_a_sample() {
        let mut speaker = Speaker::new(Fake::new(1, 1920));
        for n in 0..10 {
            if n == 5 {
                speaker.pcm.pass(Duration::from_secs(1));
            }
            speaker.write(&[n; BLOCK]).unwrap();
        }
        assert_eq!(speaker.underruns(), 1);
        assert_eq!(speaker.pcm.heard.len(), 10 * BLOCK);
    }

    #[test]
    fn a_block_longer_than_the_buffer_is_played_whole() {
        let mut speaker = Speaker::new(Fake::new(2, 480));
        speaker.write(&[7; 10 * BLOCK]).unwrap();
        assert_eq!(speaker.pcm.heard.len(), 10 * BLOCK);
    }

    #[test]
    fn a_stuck_or_unplugged_speaker_is_an_error_not_an_endless_wait() {
        let mut speaker = Speaker::new(Fake::new(1, 1920));
        speaker.pcm.rate = 0.0;
        let error = (0..10).find_map(|_| speaker.write(&[0; BLOCK]).err()).expect("an error");
        assert!(matches!(error, DeviceError::Io(_)));
        let mut speaker = Speaker::new(Fake::new(1, 1920));
        speaker.pcm.gone = true;
        assert!(matches!(speaker.write(&[0; BLOCK]), Err(DeviceError::Absent(_))));
    }

    #[test]
    fn spoken_words_come_through_alsa_sample_by_sample() {
        let Some(words) = words() else {
            println!("skipped: neither alsa-utils' sounds nor espeak-ng are installed");
            return;
        };
        let sound = &words[..(words.len() / BLOCK).min(25) * BLOCK];
        let path = std::env::temp_dir().join(format!("intercom-speaker-{}.raw", std::process::id()));
        let file = path.display();
        for device in [
            format!("file:{file},raw"),
            format!("plug:{{SLAVE={{type file slave.pcm null file \"{file}\" format raw}}}}"),
        ] {
            let _ = std::fs::remove_file(&path);
            let mut speaker = AlsaOpener { device, buffer: 1920, volume: None }.open().expect("alsa-lib's file device");
            let began = clock::now();
            for (n, block) in sound.chunks(BLOCK).enumerate() {
                let delay = speaker.write(block).unwrap();
                assert!(delay <= Duration::from_millis(40));
                if n == 12 {
                    speaker.pause();
                }
            }
            let least = duration(sound.len() - 3 * BLOCK);
            assert!(clock::now() - began >= least, "paced like speech, not like a file");
            assert_eq!(speaker.underruns(), 0);
            speaker.pause();
            drop(speaker);
            let bytes = std::fs::read(&path).expect("what was played");
            let heard: Vec<i16> = bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
            assert!(heard.len() >= sound.len(), "{} of {} samples", heard.len(), sound.len());
            assert!(heard[..sound.len()] == *sound, "every word as it was spoken, without a gap");
            assert!(heard[sound.len()..].iter().all(|&sample| sample == 0), "and nothing behind it");
        }
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_device_of_another_rate_and_channel_count_is_reached_through_the_plug() {
        let path = std::env::temp_dir().join(format!("intercom-stereo-{}.raw", std::process::id()));
        let file = format!("{{type file slave.pcm null file \"{}\" format raw}}", path.display());
        let device = format!("plug:{{SLAVE={{type plug slave {{pcm {file} channels 2 rate 44100}}}}}}");
        let mut speaker = AlsaOpener { device, buffer: 1920, volume: None }.open().expect("alsa-lib converts");
        for _ in 0..25 {
            speaker.write(&[1234; BLOCK]).unwrap();
        }
        speaker.pause();
        drop(speaker);
        let bytes = std::fs::read(&path).expect("what was played");
        let frames: Vec<[i16; 2]> = bytes
            .chunks_exact(4)
            .map(|frame| [i16::from_le_bytes([frame[0], frame[1]]), i16::from_le_bytes([frame[2], frame[3]])])
            .collect();
        assert!((21_000..24_000).contains(&frames.len()), "{} frames are not half a second of 44.1 kHz", frames.len());
        let middle = &frames[5_000..15_000];
        assert!(middle.iter().all(|[left, right]| left == right && (left - 1234).abs() < 5), "the same on both sides");
        std::fs::remove_file(path).unwrap();
    }
}
