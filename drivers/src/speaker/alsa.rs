//! A sound card's speaker, by ALSA.

use std::time::{Duration, Instant};

use alsa::Direction;
use intercom_base::resample::Resampler;
use intercom_base::sound::SAMPLE_RATE;

use crate::contract::{BoxedOpener, ConfigError, DeviceError, Driver, Opener, PlayAudio, Wanted};
use crate::options::Options;
use crate::pace::Pace;
use crate::pcm::{self, AUTO, Alsa, Pcm, PcmError};
use crate::{cards, mixer};

/// The entry of the registry's table.
pub const DRIVER: Driver<dyn PlayAudio> = Driver {
    name: "alsa",
    summary: "a sound card's speaker",
    options: OPTIONS,
    configure,
    detect: |options| pcm::detect(options, Direction::Playback),
    survey: Some(|| cards::survey(Direction::Playback)),
};

const OPTIONS: &[(&str, &str)] = &[
    (
        "device",
        "a card's name or id or a part of it, such as \"usb audio\", a name from /dev/snd/by-id or by-path, or a PCM as \
         `aplay -L` lists it; default \"auto\": a TV on HDMI that plays sound, then USB, then the analog socket, \
         unless alsa-lib was set to another",
    ),
    (
        "volume",
        "of the card's mixer, 0 to 100 percent; without it what is muted or at zero is opened, and the rest left as it is",
    ),
    ("buffer_ms", "sound kept ready, 20 to 500 ms; more is later but survives a busier machine; default 40"),
];

/// Waits that are none are not repeated faster than this.
const MOMENT: Duration = Duration::from_millis(1);
/// A speaker that takes nothing for so long is broken.
const STUCK: Duration = Duration::from_secs(2);

fn configure(table: &toml::Table, _: &Wanted) -> Result<BoxedOpener<dyn PlayAudio>, ConfigError> {
    let options = Options::new(table, OPTIONS)?;
    let device = options.text("device")?.unwrap_or_else(|| AUTO.into());
    let buffer = Duration::from_millis(options.whole("buffer_ms", 20..=500)?.unwrap_or(40).unsigned_abs());
    let volume = options.whole("volume", 0..=100)?;
    Ok(Box::new(AlsaOpener { device, buffer, volume, opened: None }))
}

struct AlsaOpener {
    device: String,
    buffer: Duration,
    volume: Option<i64>,
    /// In words, what was opened last.
    opened: Option<String>,
}

impl Opener<dyn PlayAudio> for AlsaOpener {
    fn open(&mut self) -> Result<Box<dyn PlayAudio>, DeviceError> {
        self.opened = None;
        let pcm = Alsa::open(&self.device, Direction::Playback, self.buffer)?;
        if let Some(card) = pcm.card() {
            mixer::prepare(card, Direction::Playback, self.volume);
        }
        self.opened = Some(pcm.describe());
        Ok(Box::new(Speaker::new(pcm)))
    }

    fn describe(&self) -> String {
        self.opened.clone().unwrap_or_else(|| format!("ALSA device {}", self.device))
    }
}

struct Speaker<P> {
    pcm: P,
    /// Between our rate and the device's, if they differ.
    resampler: Option<Resampler>,
    /// A block at the device's rate, and that for all its channels.
    native: Vec<i16>,
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
        let resampler = Resampler::new(SAMPLE_RATE, pcm.rate());
        let (native, frames) = (Vec::new(), Vec::new());
        Speaker { pcm, resampler, native, frames, playing: false, clock: Clock::Unknown, underruns: 0 }
    }

    /// Makes what the device takes out of a block, or out of what the converter still holds.
    fn convert(&mut self, block: Option<&[i16]>) {
        let channels = self.pcm.channels();
        self.native.clear();
        match (&mut self.resampler, block) {
            (None, block) => self.native.extend_from_slice(block.unwrap_or_default()),
            (Some(resampler), Some(block)) => resampler.process(block, &mut self.native),
            (Some(resampler), None) => resampler.flush(&mut self.native),
        }
        self.frames.clear();
        self.frames.extend(self.native.iter().flat_map(|&sample| std::iter::repeat_n(sample, channels)));
    }

    /// What was written before a pause is heard to its end, even if the pause ends before that.
    fn finish_draining(&mut self) {
        let patience = self.pcm.now() + self.pcm.lasts(2 * self.pcm.buffer());
        while self.pcm.draining() && self.pcm.now() < patience {
            let later = self.pcm.now() + MOMENT;
            self.pcm.sleep_until(later);
        }
    }

    fn put(&mut self) -> Result<(), PcmError> {
        if !self.playing {
            self.finish_draining();
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
                    let later = self.pcm.now() + MOMENT;
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
            let inside = self.resampler.as_ref().map_or(Duration::ZERO, Resampler::delay);
            let behind = self.pcm.delay().unwrap_or(0);
            return self.pcm.lasts(behind) + inside;
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
        self.convert(Some(block));
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
        if self.playing {
            self.convert(None);
            // A device that fails now does so again at the next block, and is reported there.
            let _ = self.put();
            self.pcm.drain();
            self.playing = false;
        }
        if let Clock::Ours(pace) = &mut self.clock {
            pace.stop();
        }
    }

    fn check(&mut self) -> Result<(), DeviceError> {
        self.pcm.check()
    }

    fn underruns(&self) -> u64 {
        self.underruns
    }
}

#[cfg(test)]
mod tests {
    use intercom_base::testing::sound::{fit, sine};

    use super::*;
    use crate::clock;
    use crate::pcm::duration;
    use crate::pcm::fake::{Fake, numbered, odd_pieces, words};

    const BLOCK: usize = 960;

    fn opener(device: String) -> AlsaOpener {
        AlsaOpener { device, buffer: Duration::from_millis(40), volume: None, opened: None }
    }

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
        let sound = numbered(BLOCK * 40);
        for (n, piece) in odd_pieces(&sound).into_iter().enumerate() {
            if n % 20 == 19 {
                speaker.pcm.pass(Duration::from_secs(1));
            }
            speaker.write(piece).unwrap();
        }
        assert_eq!(speaker.underruns(), odd_pieces(&sound).len() as u64 / 20);
        assert!(speaker.pcm.heard == sound && speaker.pcm.cut == 0);
    }

    #[test]
    fn a_pause_that_ends_at_once_cuts_nothing_off() {
        let mut speaker = Speaker::new(Fake::new(2, 1920));
        let sound = numbered(BLOCK * 20);
        for (n, block) in sound.chunks(BLOCK).enumerate() {
            speaker.write(block).unwrap();
            if n % 3 == 2 {
                speaker.pause();
                speaker.pcm.pass(Duration::from_millis(n as u64));
            }
        }
        assert_eq!((speaker.underruns(), speaker.pcm.cut), (0, 0));
        assert!(speaker.pcm.heard == sound);
    }

    #[test]
    fn a_device_of_another_rate_hears_the_same_tone_and_its_delay_is_told_truly() {
        for rate in [8_000, 44_100, 192_000] {
            let mut card = Fake::new(2, rate as usize / 25);
            (card.nominal, card.rate) = (rate, f64::from(rate));
            let mut speaker = Speaker::new(card);
            let sound = sine(1000.0, SAMPLE_RATE, 96_000);
            for (n, piece) in odd_pieces(&sound).into_iter().enumerate() {
                let delay = speaker.write(piece).unwrap();
                // What was written and not played yet, and what the converter keeps: 32 samples of the lower rate.
                let left = speaker.pcm.done as f64 - speaker.pcm.ticked;
                let truth = left / f64::from(rate) + 32.0 / f64::from(rate.min(SAMPLE_RATE));
                assert!(n < 2 || (delay.as_secs_f64() - truth).abs() < 0.001, "{delay:?}, not {truth} s");
            }
            let heard = &speaker.pcm.heard;
            assert!(heard.len().abs_diff(2 * rate as usize) <= 1, "{} frames at {rate}", heard.len());
            let (db, _) = fit(&heard[rate as usize / 10..], 1000.0, rate);
            assert!(db > 75.0, "{rate}: {db:.1} dB");
            assert_eq!(speaker.underruns(), 0);
        }
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
            let mut speaker = opener(device).open().expect("alsa-lib's file device");
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
            let heard = samples(&path);
            assert!(heard.len() >= sound.len(), "{} of {} samples", heard.len(), sound.len());
            assert!(heard[..sound.len()] == *sound, "every word as it was spoken, without a gap");
            assert!(heard[sound.len()..].iter().all(|&sample| sample == 0), "and nothing behind it");
        }
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_long_talk_in_odd_pieces_with_pauses_arrives_exactly_once_and_in_order() {
        let sound = numbered(2 * 48_000);
        let path = std::env::temp_dir().join(format!("intercom-speaker-long-{}.raw", std::process::id()));
        let file = path.display();
        for device in [
            format!("file:{file},raw"),
            format!("plug:{{SLAVE={{type file slave.pcm null file \"{file}\" format raw}}}}"),
        ] {
            let _ = std::fs::remove_file(&path);
            let mut speaker = opener(device).open().expect("alsa-lib's file device");
            for (n, piece) in odd_pieces(&sound).into_iter().enumerate() {
                speaker.write(piece).unwrap();
                if n % 37 == 36 {
                    speaker.pause();
                }
            }
            speaker.pause();
            assert_eq!(speaker.underruns(), 0);
            drop(speaker);
            assert!(samples(&path) == sound);
        }
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_device_of_another_rate_and_channel_count_hears_a_clean_tone_on_all_of_them() {
        let path = std::env::temp_dir().join(format!("intercom-stereo-{}.raw", std::process::id()));
        let file = format!("{{type file slave.pcm null file \"{}\" format raw}}", path.display());
        let device = format!("plug:{{SLAVE={{type plug slave {{pcm {file} channels 2 rate 44100}}}}}}");
        let mut opener = opener(device);
        let mut speaker = opener.open().expect("alsa-lib opens it");
        assert!(opener.describe().contains("at 44100 Hz"), "{}", opener.describe());
        for piece in odd_pieces(&sine(1000.0, SAMPLE_RATE, 48_000)) {
            speaker.write(piece).unwrap();
        }
        speaker.pause();
        drop(speaker);
        let both = samples(&path);
        let left: Vec<i16> = both.iter().copied().step_by(2).collect();
        assert!(both.chunks_exact(2).all(|frame| frame[0] == frame[1]), "the same on both sides");
        assert!(
            (44_133..44_300).contains(&left.len()),
            "{} frames are not a second and the converter's rest",
            left.len()
        );
        let (db, _) = fit(&left[4_410..44_000], 1000.0, 44_100);
        assert!(db > 75.0, "{db:.1} dB");
        std::fs::remove_file(path).unwrap();
    }

    fn samples(path: &std::path::Path) -> Vec<i16> {
        let bytes = std::fs::read(path).expect("what was played");
        bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
    }
}
