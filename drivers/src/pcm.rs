//! What both ALSA drivers share: opening a PCM as the card likes it best, and its errors.

#[cfg(test)]
pub mod fake;

use std::ffi::CString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use alsa::pcm::{Access, Format, HwParams, PCM, State};
use alsa::{Direction, ValueOr};
use intercom_base::sound::SAMPLE_RATE;
use rustix::io::Errno;

use crate::cards::{self, Endpoint, Found};
use crate::contract::DeviceError;
use crate::{alsa_messages, clock, formats};

/// The word that lets the machine choose.
pub const AUTO: &str = "auto";

/// Rates in the order of preference: the contract's own, those that lose nothing, then the rest downwards.
const RATES: [u32; 7] = [SAMPLE_RATE, 96_000, 192_000, 44_100, 88_200, 176_400, 32_000];

/// Why a PCM did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PcmError {
    /// It ran over or dry, or was suspended, and stands still until it is prepared again.
    Xrun,
    /// There is no room or no sound now.
    Again,
    /// The device is gone or broken.
    Failed(DeviceError),
}

/// What the drivers need of a PCM, in frames of its own rate; the tests have another one with a scripted clock.
pub trait Pcm: Send {
    /// Its name, for errors.
    fn name(&self) -> &str;
    /// Samples in a frame.
    fn channels(&self) -> usize;
    /// Frames a second.
    fn rate(&self) -> u32;
    /// Frames that its buffer holds.
    fn buffer(&self) -> usize;
    /// The clock.
    fn now(&self) -> Instant;
    /// Sleeps.
    fn sleep_until(&mut self, deadline: Instant);
    /// Waits for a period's worth of sound or room; whether it came by `deadline`.
    fn wait(&mut self, deadline: Instant) -> Result<bool, PcmError>;
    /// Frames that can be read or written now.
    fn avail(&mut self) -> Result<usize, PcmError>;
    /// Frames between the ear or mouth and us.
    fn delay(&mut self) -> Result<usize, PcmError>;
    /// Reads interleaved samples; how many frames.
    fn read(&mut self, samples: &mut [i16]) -> Result<usize, PcmError>;
    /// Writes interleaved samples; how many frames.
    fn write(&mut self, samples: &[i16]) -> Result<usize, PcmError>;
    /// Stops at once and makes it ready to start with an empty buffer.
    fn prepare(&mut self) -> Result<(), PcmError>;
    /// Starts.
    fn start(&mut self) -> Result<(), PcmError>;
    /// Stops at once.
    fn stop(&mut self);
    /// Lets it play what it holds and then stop, without waiting for that.
    fn drain(&mut self);
    /// Whether it runs.
    fn running(&self) -> bool;
    /// Whether it still plays what it held when it was told to drain.
    fn draining(&self) -> bool;
    /// Whether the device is still there, and still the one to use.
    fn check(&self) -> Result<(), DeviceError>;

    /// How long `frames` last.
    fn lasts(&self, frames: usize) -> Duration {
        Duration::from_nanos(frames as u64 * 1_000_000_000 / u64::from(self.rate().max(1)))
    }
}

/// A PCM of alsa-lib.
pub struct Alsa {
    name: String,
    pcm: PCM,
    channels: usize,
    rate: u32,
    format: Format,
    buffer: usize,
    bytes: Vec<u8>,
    /// The card that it is, if it was chosen or named as one.
    endpoint: Option<Endpoint>,
    /// Chosen by `auto`, in this direction.
    chosen: Option<Direction>,
}

impl Alsa {
    /// Opens what `device` means: `auto`, the name of a card or a part of it, or any PCM that alsa-lib knows, with a
    /// buffer of about this length. Format, channels and rate are what the device likes best: the rate is converted
    /// by us, since alsa-lib's own converter without plugins interpolates linearly and is off in pitch.
    pub fn open(device: &str, direction: Direction, buffer: Duration) -> Result<Alsa, DeviceError> {
        let all = cards::list(direction);
        if device == AUTO {
            return open_auto(&all, direction, buffer);
        }
        // A name with arguments is alsa-lib's.
        let is_words = !device.contains([':', '{', '"']);
        let found = if is_words { cards::find(&all, direction, device) } else { Found::None };
        if let Found::Card(card) = &found {
            return open_card(card, direction, buffer);
        }
        let absent = match open_pcm(device, direction, buffer) {
            Err(DeviceError::Absent(what)) => what,
            other => return other,
        };
        match found {
            Found::Part(cards) if cards.len() == 1 => open_card(&cards[0], direction, buffer),
            Found::Part(cards) => Err(DeviceError::Absent(format!(
                "ALSA device {device}: several cards are called so; {}",
                cards::names(&cards)
            ))),
            _ if absent.contains("Unknown PCM") => Err(DeviceError::Absent(format!(
                "ALSA device {device}: no sound card is called so; {}",
                cards::names(&all)
            ))),
            _ => Err(DeviceError::Absent(format!("{absent}; {}", cards::names(&all)))),
        }
    }

    /// Number of the sound card behind it, if there is one.
    pub fn card(&self) -> Option<i32> {
        self.pcm.info().ok().map(|info| info.get_card()).filter(|card| *card >= 0)
    }

    /// What it is and how it speaks, for logs.
    pub fn describe(&self) -> String {
        let name = match &self.endpoint {
            Some(endpoint) => format!("{} ({})", endpoint.describe(), self.name),
            None => format!("ALSA device {}", self.name),
        };
        format!("{name}, {} at {} Hz, channels: {}", self.format, self.rate, self.channels)
    }

    fn is_there(&self) -> Result<(), DeviceError> {
        match self.pcm.state_raw() == State::Disconnected as i32 {
            true => Err(DeviceError::Absent(format!("ALSA device {} was unplugged", self.name))),
            false => Ok(()),
        }
    }

    fn check<T>(&self, result: Result<T, alsa::Error>) -> Result<T, PcmError> {
        result.map_err(|error| {
            let number = error.errno().abs();
            if number == Errno::PIPE.raw_os_error() || number == Errno::STRPIPE.raw_os_error() {
                PcmError::Xrun
            } else if number == Errno::AGAIN.raw_os_error() || number == Errno::INTR.raw_os_error() {
                PcmError::Again
            } else if let Err(gone) = self.is_there() {
                PcmError::Failed(gone)
            } else {
                PcmError::Failed(failure(error, &format!("ALSA device {}", self.name)))
            }
        })
    }
}

/// Where somebody told alsa-lib what its default is, a sound server above all, that is meant; untold it is card 0,
/// whatever that may be, and the cards are chosen among.
fn open_auto(all: &[Endpoint], direction: Direction, buffer: Duration) -> Result<Alsa, DeviceError> {
    // Not tried for nothing: card 0 would be opened, and a process started that mixes for it.
    if default_is_set()
        && let Ok(pcm) = open_pcm("default", direction, buffer)
        && pcm.card() != Some(0)
    {
        return Ok(pcm);
    }
    let Some(chosen) = cards::choose(all, direction) else { return open_pcm("default", direction, buffer) };
    let mut pcm = open_card(chosen, direction, buffer)?;
    pcm.chosen = Some(direction);
    Ok(pcm)
}

/// Whether any of the files that alsa-lib reads beside its own speaks of a default.
fn default_is_set() -> bool {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let folder = std::fs::read_dir("/etc/alsa/conf.d").into_iter().flatten().flatten().map(|entry| entry.path());
    let own = [home.join(".asoundrc"), home.join(".config/alsa/asoundrc"), "/etc/asound.conf".into()];
    folder.chain(own).any(|file| std::fs::read_to_string(file).is_ok_and(|text| speaks_of_default(&text)))
}

fn speaks_of_default(text: &str) -> bool {
    text.lines().any(|line| line.split('#').next().unwrap_or_default().contains("default"))
}

/// Opens a card by the first of its names that works; the error is that of the most direct one.
fn open_card(card: &Endpoint, direction: Direction, buffer: Duration) -> Result<Alsa, DeviceError> {
    let mut first = None;
    for name in card.pcms() {
        match open_pcm(&name, direction, buffer) {
            Ok(mut pcm) => {
                pcm.endpoint = Some(card.clone());
                return Ok(pcm);
            }
            Err(error @ DeviceError::Unsupported(_)) => first = first.or(Some(error)),
            Err(error) => return Err(first.unwrap_or(error)),
        }
    }
    Err(first.unwrap_or_else(|| DeviceError::Absent(format!("ALSA device {}", card.describe()))))
}

/// Longest name of a PCM, in bytes. A name can be a whole definition of a device, and alsa-lib reads its brackets by recursion.
const LONGEST_NAME: usize = 1000;

/// Opens a PCM of alsa-lib's, through its converting plug if it speaks no format of ours.
fn open_pcm(device: &str, direction: Direction, buffer: Duration) -> Result<Alsa, DeviceError> {
    if device.len() > LONGEST_NAME {
        let begin: String = device.chars().take(20).collect();
        return Err(DeviceError::Absent(format!("ALSA device {begin}…: a name has at most {LONGEST_NAME} bytes")));
    }
    // alsa-lib would print to stderr what belongs into our error.
    alsa_messages::listen();
    let open = |name: &str| -> Result<Alsa, alsa::Error> {
        let text = CString::new(name).map_err(|_| alsa::Error::new("snd_pcm_open", Errno::INVAL.raw_os_error()))?;
        let pcm = PCM::open(&text, direction, true)?;
        let (channels, rate, format, buffer) = set_up(&pcm, direction, buffer)?;
        let name = name.to_string();
        log::debug!("{name}: {format} at {rate} Hz, channels: {channels}, a buffer of {buffer} frames");
        Ok(Alsa { name, pcm, channels, rate, format, buffer, bytes: Vec::new(), endpoint: None, chosen: None })
    };
    let result = open(device).or_else(|error| {
        // The plug converts anything, but its argument cannot quote a quote.
        let convertible = error.errno().abs() == Errno::INVAL.raw_os_error() && !device.contains(['"', '{']);
        if convertible { open(&format!("plug:{{SLAVE=\"{device}\"}}")).map_err(|_| error) } else { Err(error) }
    });
    result.map_err(|error| {
        let said = alsa_messages::last();
        let detail = if said.is_empty() { String::new() } else { format!(" ({said})") };
        failure(error, &format!("ALSA device {device}{detail}"))
    })
}

/// Channels, rate, format, and frames of the buffer that came of it.
fn set_up(pcm: &PCM, direction: Direction, length: Duration) -> Result<(usize, u32, Format, usize), alsa::Error> {
    let hardware = HwParams::any(pcm)?;
    // A plug shows what the device behind it can do; what cannot do even that is asked with its converter.
    hardware.set_rate_resample(false).or_else(|_| hardware.set_rate_resample(true))?;
    hardware.set_access(Access::RWInterleaved)?;
    match RATES.into_iter().find(|&rate| hardware.test_rate(rate).is_ok()) {
        Some(rate) => hardware.set_rate(rate, ValueOr::Nearest)?,
        None => drop(hardware.set_rate_near(SAMPLE_RATE, ValueOr::Nearest)?),
    }
    match [1, 2].into_iter().find(|&channels| hardware.test_channels(channels).is_ok()) {
        Some(channels) => hardware.set_channels(channels)?,
        None => drop(hardware.set_channels_near(2)?),
    }
    let format = formats::FORMATS.into_iter().find(|&format| hardware.test_format(format).is_ok());
    let format = format.ok_or(alsa::Error::new("snd_pcm_hw_params_set_format", Errno::INVAL.raw_os_error()))?;
    hardware.set_format(format)?;
    let rate = hardware.get_rate()?.max(1);
    let period = alsa::pcm::Frames::from(rate / 100);
    // 10 ms: how finely the device reports its progress, and how long a block is.
    hardware.set_period_size_near(period.max(1), ValueOr::Nearest)?;
    hardware.set_buffer_size_near((length.as_secs_f64() * f64::from(rate)).ceil() as alsa::pcm::Frames)?;
    pcm.hw_params(&hardware)?;
    let channels = hardware.get_channels()?;
    let (buffer, period) = (hardware.get_buffer_size()?, hardware.get_period_size()?);

    let software = pcm.sw_params_current()?;
    software.set_avail_min(period)?;
    // A speaker starts when half its buffer is full, a microphone only when it is told to.
    software.set_start_threshold(if direction == Direction::Playback { (buffer / 2).max(1) } else { buffer * 2 })?;
    pcm.sw_params(&software)?;
    Ok((channels.max(1) as usize, rate, format, buffer.max(1) as usize))
}

fn failure(error: alsa::Error, what: &str) -> DeviceError {
    let number = error.errno().abs();
    let reason = std::io::Error::from_raw_os_error(number);
    let text = format!("{what}: {}: {reason}", error.func());
    let is = |known: &[Errno]| known.iter().any(|errno| errno.raw_os_error() == number);
    if is(&[Errno::NOENT, Errno::NODEV, Errno::NXIO]) {
        DeviceError::Absent(text)
    } else if is(&[Errno::BUSY, Errno::ACCESS, Errno::PERM]) {
        DeviceError::Busy(text)
    } else if is(&[Errno::INVAL, Errno::NOTSUP, Errno::NOSYS, Errno::NOTTY]) {
        DeviceError::Unsupported(text)
    } else {
        DeviceError::Io(text)
    }
}

impl Pcm for Alsa {
    fn name(&self) -> &str {
        &self.name
    }

    fn channels(&self) -> usize {
        self.channels
    }

    fn rate(&self) -> u32 {
        self.rate
    }

    fn buffer(&self) -> usize {
        self.buffer
    }

    fn now(&self) -> Instant {
        clock::now()
    }

    fn sleep_until(&mut self, deadline: Instant) {
        clock::sleep_until(deadline);
    }

    fn wait(&mut self, deadline: Instant) -> Result<bool, PcmError> {
        let left = deadline.saturating_duration_since(clock::now());
        // Whole milliseconds, rounded up: cut off, the last of them would be spent spinning.
        let millis = u32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(u32::MAX).min(60_000);
        let result = self.check(self.pcm.wait(Some(millis)));
        if matches!(result, Err(PcmError::Again)) { Ok(false) } else { result }
    }

    fn avail(&mut self) -> Result<usize, PcmError> {
        self.check(self.pcm.avail_update()).map(|frames| frames.max(0) as usize)
    }

    fn delay(&mut self) -> Result<usize, PcmError> {
        self.check(self.pcm.delay()).map(|frames| frames.max(0) as usize)
    }

    fn read(&mut self, samples: &mut [i16]) -> Result<usize, PcmError> {
        if self.format == Format::s16() {
            return self.check(self.pcm.io_i16().and_then(|io| io.readi(samples)));
        }
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        bytes.resize(samples.len() * formats::width(self.format), 0);
        let frames = self.check(self.pcm.io_bytes().readi(&mut bytes));
        if let Ok(frames) = frames {
            formats::decode(self.format, &bytes, &mut samples[..frames * self.channels]);
        }
        self.bytes = bytes;
        frames
    }

    fn write(&mut self, samples: &[i16]) -> Result<usize, PcmError> {
        if self.format == Format::s16() {
            return self.check(self.pcm.io_i16().and_then(|io| io.writei(samples)));
        }
        self.bytes.clear();
        formats::encode(self.format, samples, &mut self.bytes);
        self.check(self.pcm.io_bytes().writei(&self.bytes))
    }

    fn prepare(&mut self) -> Result<(), PcmError> {
        // A PCM that still drains cannot be prepared; one that never ran cannot be dropped, which is no harm.
        let _ = self.pcm.drop();
        self.check(self.pcm.prepare())
    }

    fn start(&mut self) -> Result<(), PcmError> {
        self.check(self.pcm.start())
    }

    fn stop(&mut self) {
        let _ = self.pcm.drop();
    }

    fn drain(&mut self) {
        let _ = self.pcm.drain();
    }

    fn running(&self) -> bool {
        self.pcm.state_raw() == State::Running as i32
    }

    fn draining(&self) -> bool {
        self.pcm.state_raw() == State::Draining as i32
    }

    fn check(&self) -> Result<(), DeviceError> {
        self.is_there()?;
        let (Some(direction), Some(own)) = (self.chosen, &self.endpoint) else { return Ok(()) };
        match cards::choose(&cards::list(direction), direction) {
            Some(best) if (best.card, best.device) != (own.card, own.device) => {
                Err(DeviceError::Outdone(best.describe()))
            }
            _ => Ok(()),
        }
    }
}

/// How long `samples` of the contract's last.
pub fn duration(samples: usize) -> Duration {
    crate::pace::duration_of(samples as u64)
}

/// For the registry's `auto`: whether there is a sound card for this direction, or a `device` (such as a sound server's) that
/// opens. In words, either way.
pub fn detect(options: &toml::Table, direction: Direction) -> Result<String, String> {
    let device = options.get("device").and_then(toml::Value::as_str).unwrap_or(AUTO);
    let what = match direction {
        Direction::Capture => "microphone",
        Direction::Playback => "speaker",
    };
    if device == AUTO
        && let Some(card) = cards::choose(&cards::list(direction), direction)
    {
        return Ok(format!("found the sound card {}", card.describe()));
    }
    match Alsa::open(device, direction, Duration::from_millis(40)) {
        Ok(pcm) => Ok(format!("opened {}", pcm.describe())),
        Err(DeviceError::Busy(what)) => Ok(format!("found {what}, busy now")),
        Err(_) if device == AUTO => Err(format!("alsa found no sound card with a {what}")),
        Err(error) => Err(format!("alsa cannot use {device} ({error})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUFFER: Duration = Duration::from_millis(40);

    #[test]
    fn a_device_that_does_not_exist_is_absent_and_told_by_name_with_those_that_do() {
        for device in ["no_such_device", "hw:CARD=no_such_device", "No Such Webcam"] {
            let error = Alsa::open(device, Direction::Playback, BUFFER).err().expect("an error");
            let DeviceError::Absent(what) = &error else { panic!("{device}: {error}") };
            assert!(what.contains(device) && what.contains("there "), "{error}");
        }
        assert!(Alsa::open("nul\0byte", Direction::Capture, BUFFER).is_err());
    }

    #[test]
    fn names_of_any_length_are_answered_in_words() {
        // alsa-lib's own buffer for what it says has 256 bytes; the brackets and the plugin's name are told in messages of their own.
        let long = [
            "x".repeat(240),
            "x".repeat(300),
            "ü".repeat(400),
            "%s%n".repeat(200),
            "hw:CARD=".to_owned() + &"x".repeat(900),
            format!("plug:{{SLAVE={{type {}}}}}", "x".repeat(400)),
            format!("plug:{{SLAVE={{type hw card \"{}\"}}}}", "x".repeat(400)),
            format!("plug:{{SLAVE={}", "{".repeat(900)),
            "plug:".repeat(190),
        ];
        for name in long {
            let Err(error) = Alsa::open(&name, Direction::Capture, BUFFER) else { panic!("it opens {name}") };
            assert!(error.to_string().contains(&name), "{error}");
        }
        let error = Alsa::open(&"ü".repeat(5000), Direction::Capture, BUFFER).err().expect("an error").to_string();
        assert!(error.contains("at most 1000 bytes") && error.len() < 400, "{error}");
    }

    #[test]
    fn a_default_that_somebody_set_is_told_from_a_comment() {
        assert!(speaks_of_default("# mine\npcm.!default {\n type pipewire\n}\n"));
        assert!(speaks_of_default("defaults.pcm.card 2"));
        assert!(!speaks_of_default("# the default is card 0\npcm.other { type hw card 1 }\n"));
    }

    #[test]
    fn the_null_device_opens_as_asked() {
        for direction in [Direction::Playback, Direction::Capture] {
            let pcm = Alsa::open("null", direction, BUFFER).expect("alsa-lib has a null device");
            assert_eq!((pcm.channels(), pcm.rate()), (1, SAMPLE_RATE));
            assert!((960..=9600).contains(&pcm.buffer()), "{}", pcm.buffer());
            assert!(Pcm::check(&pcm).is_ok());
            assert_eq!(pcm.describe(), "ALSA device null, S16_LE at 48000 Hz, channels: 1");
        }
    }

    #[test]
    fn a_device_keeps_its_own_rate_and_channels() {
        let plug = |rate: u32, channels: u32| {
            format!("plug:{{SLAVE={{type plug slave {{pcm null channels {channels} rate {rate}}}}}}}")
        };
        for (rate, channels) in [(8_000, 1), (44_100, 2), (192_000, 8)] {
            let pcm =
                Alsa::open(&plug(rate, channels), Direction::Capture, BUFFER).expect("alsa-lib's null behind a plug");
            assert_eq!(pcm.rate(), rate);
            assert!(pcm.lasts(pcm.buffer()) >= BUFFER / 2, "{rate}: a buffer of {}", pcm.buffer());
        }
    }
}
