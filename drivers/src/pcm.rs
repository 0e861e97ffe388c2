//! What both ALSA drivers share: opening a PCM as mono S16 at 48 kHz, its errors, and finding sound cards.

use std::ffi::CString;
use std::time::{Duration, Instant};

use alsa::pcm::{Access, Format, HwParams, PCM, State};
use alsa::{Direction, Output, ValueOr};
use rustix::io::Errno;

use crate::clock;
use crate::contract::{DeviceError, SAMPLE_RATE};

/// 10 ms: how finely the device reports its progress.
pub const PERIOD: usize = 480;

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

/// What the drivers need of a PCM, in frames; the tests have another one with a scripted clock.
pub trait Pcm: Send {
    /// Its name, for errors.
    fn name(&self) -> &str;
    /// Samples in a frame.
    fn channels(&self) -> usize;
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
}

/// A PCM of alsa-lib.
pub struct Alsa {
    name: String,
    pcm: PCM,
    channels: usize,
    buffer: usize,
}

impl Alsa {
    /// Opens `device` for mono sound at 48 kHz with a buffer of about `buffer` frames: with two channels where
    /// there is no mono, and through ALSA's converting plug where the device speaks neither format nor rate.
    pub fn open(device: &str, direction: Direction, buffer: usize) -> Result<Alsa, DeviceError> {
        // alsa-lib would print to stderr what belongs into our error.
        let messages = Output::local_error_handler().ok();
        let open = |name: &str| -> Result<Alsa, alsa::Error> {
            let text = CString::new(name).map_err(|_| alsa::Error::new("snd_pcm_open", Errno::INVAL.raw_os_error()))?;
            let pcm = PCM::open(&text, direction, true)?;
            let (channels, buffer) = set_up(&pcm, direction, buffer)?;
            Ok(Alsa { name: name.to_string(), pcm, channels, buffer })
        };
        let result = open(device).or_else(|error| {
            // The plug converts anything, but its argument cannot quote a quote.
            let convertible = error.errno().abs() == Errno::INVAL.raw_os_error() && !device.contains(['"', '{']);
            if convertible { open(&format!("plug:{{SLAVE=\"{device}\"}}")).map_err(|_| error) } else { Err(error) }
        });
        result.map_err(|error| {
            let said = messages.map(|output| output.borrow().to_string()).unwrap_or_default();
            let said = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
            let detail = if said.is_empty() { String::new() } else { format!(" ({})", said.trim()) };
            failure(error, &format!("ALSA device {device}{detail}"))
        })
    }

    /// Number of the sound card behind it, if there is one.
    pub fn card(&self) -> Option<i32> {
        self.pcm.info().ok().map(|info| info.get_card()).filter(|card| *card >= 0)
    }

    fn check<T>(&self, result: Result<T, alsa::Error>) -> Result<T, PcmError> {
        result.map_err(|error| {
            let number = error.errno().abs();
            if number == Errno::PIPE.raw_os_error() || number == Errno::STRPIPE.raw_os_error() {
                PcmError::Xrun
            } else if number == Errno::AGAIN.raw_os_error() || number == Errno::INTR.raw_os_error() {
                PcmError::Again
            } else {
                PcmError::Failed(failure(error, &format!("ALSA device {}", self.name)))
            }
        })
    }
}

fn set_up(pcm: &PCM, direction: Direction, buffer: usize) -> Result<(usize, usize), alsa::Error> {
    let hardware = HwParams::any(pcm)?;
    hardware.set_rate_resample(true)?;
    hardware.set_access(Access::RWInterleaved)?;
    hardware.set_format(Format::s16())?;
    match [1, 2].into_iter().find(|&channels| hardware.test_channels(channels).is_ok()) {
        Some(channels) => hardware.set_channels(channels)?,
        None => drop(hardware.set_channels_near(2)?),
    }
    hardware.set_rate(SAMPLE_RATE, ValueOr::Nearest)?;
    hardware.set_period_size_near(PERIOD as alsa::pcm::Frames, ValueOr::Nearest)?;
    hardware.set_buffer_size_near(buffer as alsa::pcm::Frames)?;
    pcm.hw_params(&hardware)?;
    let channels = hardware.get_channels()?;
    let (buffer, period) = (hardware.get_buffer_size()?, hardware.get_period_size()?);

    let software = pcm.sw_params_current()?;
    software.set_avail_min(period)?;
    // A speaker starts when half its buffer is full, a microphone only when it is told to.
    software.set_start_threshold(if direction == Direction::Playback { (buffer / 2).max(1) } else { buffer * 2 })?;
    pcm.sw_params(&software)?;
    Ok((channels.max(1) as usize, buffer.max(1) as usize))
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
        self.check(self.pcm.io_i16().and_then(|io| io.readi(samples)))
    }

    fn write(&mut self, samples: &[i16]) -> Result<usize, PcmError> {
        self.check(self.pcm.io_i16().and_then(|io| io.writei(samples)))
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
}

/// How long `frames` last.
pub fn duration(frames: usize) -> Duration {
    crate::pace::duration_of(frames as u64)
}

/// For `auto`: whether there is a sound card for this direction, or a `device` (such as a sound server's) that
/// opens. In words, either way.
pub fn detect(options: &toml::Table, direction: Direction) -> Result<String, String> {
    let device = options.get("device").and_then(toml::Value::as_str).unwrap_or("default");
    let (what, word) = match direction {
        Direction::Capture => ("microphone", "capture"),
        Direction::Playback => ("speaker", "playback"),
    };
    if device == "default"
        && let Some(card) =
            std::fs::read_to_string("/proc/asound/pcm").ok().as_deref().and_then(|text| card(text, word))
    {
        return Ok(format!("found the sound card {card}"));
    }
    match Alsa::open(device, direction, 4 * PERIOD) {
        Ok(_) => Ok(format!("opened the ALSA device {device}")),
        Err(DeviceError::Busy(_)) => Ok(format!("found the ALSA device {device}, busy now")),
        Err(_) if device == "default" => Err(format!("alsa found no sound card with a {what}")),
        Err(error) => Err(format!("alsa cannot use {device} ({error})")),
    }
}

/// The first device of `/proc/asound/pcm` that has `word` (`playback` or `capture`), by its name.
fn card<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':').map(str::trim);
        let (_, id, name) = (fields.next()?, fields.next()?, fields.next()?);
        fields.any(|field| field.starts_with(word)).then_some(if name.is_empty() { id } else { name })
    })
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A sound card with a clock of its own that runs when somebody waits or sleeps.
    pub struct Fake {
        pub now: Instant,
        pub channels: usize,
        pub buffer: usize,
        pub running: bool,
        /// Frames that its crystal has ticked since the start, and that the other side has read or written.
        pub ticked: f64,
        pub done: usize,
        pub rate: f64,
        /// What was written, one of each frame's samples.
        pub heard: Vec<i16>,
        pub gone: bool,
        started: bool,
    }

    impl Fake {
        pub fn new(channels: usize, buffer: usize) -> Fake {
            Fake {
                now: clock::now(),
                channels,
                buffer,
                running: false,
                ticked: 0.0,
                done: 0,
                rate: 48_000.0,
                heard: Vec::new(),
                gone: false,
                started: false,
            }
        }

        pub fn pass(&mut self, time: Duration) {
            self.now += time;
            if self.running {
                self.ticked += time.as_secs_f64() * self.rate;
            }
        }

        fn held(&self, capture: bool) -> Result<usize, PcmError> {
            if self.gone {
                return Err(PcmError::Failed(DeviceError::Absent("fake".into())));
            }
            let ticked = self.ticked as usize;
            let held = if capture { ticked.checked_sub(self.done) } else { self.done.checked_sub(ticked) };
            held.filter(|&held| held <= self.buffer).ok_or(PcmError::Xrun)
        }

        fn capturing(&self) -> bool {
            self.started && self.heard.is_empty()
        }
    }

    impl Pcm for Fake {
        fn name(&self) -> &str {
            "fake"
        }
        fn channels(&self) -> usize {
            self.channels
        }
        fn buffer(&self) -> usize {
            self.buffer
        }
        fn now(&self) -> Instant {
            self.now
        }
        fn sleep_until(&mut self, deadline: Instant) {
            let time = deadline.saturating_duration_since(self.now);
            self.pass(time);
        }
        fn wait(&mut self, deadline: Instant) -> Result<bool, PcmError> {
            while self.now < deadline {
                if self.avail()? >= PERIOD {
                    return Ok(true);
                }
                self.pass(Duration::from_millis(1));
            }
            Ok(self.avail()? >= PERIOD)
        }
        fn avail(&mut self) -> Result<usize, PcmError> {
            let held = self.held(self.capturing())?;
            Ok(if self.capturing() { held } else { self.buffer - held })
        }
        fn delay(&mut self) -> Result<usize, PcmError> {
            self.held(self.capturing())
        }
        fn read(&mut self, samples: &mut [i16]) -> Result<usize, PcmError> {
            let frames = self.held(true)?.min(samples.len() / self.channels);
            for (n, frame) in samples.chunks_exact_mut(self.channels).take(frames).enumerate() {
                // Left and right differ, their mean counts the frames.
                let value = ((self.done + n) % 10_000) as i16;
                frame[0] = value;
                if let [left, right, ..] = frame {
                    (*left, *right) = (value - 5, value + 5);
                }
            }
            self.done += frames;
            if frames == 0 { Err(PcmError::Again) } else { Ok(frames) }
        }
        fn write(&mut self, samples: &[i16]) -> Result<usize, PcmError> {
            let room = self.buffer - self.held(false)?;
            let frames = room.min(samples.len() / self.channels);
            self.heard.extend(samples.chunks_exact(self.channels).take(frames).map(|frame| frame[self.channels - 1]));
            self.done += frames;
            if self.done - self.ticked as usize >= self.buffer / 2 {
                self.running = true;
            }
            if frames == 0 { Err(PcmError::Again) } else { Ok(frames) }
        }
        fn prepare(&mut self) -> Result<(), PcmError> {
            (self.running, self.ticked, self.done) = (false, 0.0, 0);
            Ok(())
        }
        fn start(&mut self) -> Result<(), PcmError> {
            (self.running, self.started) = (true, true);
            Ok(())
        }
        fn stop(&mut self) {
            self.running = false;
        }
        fn drain(&mut self) {
            self.running = false;
        }
        fn running(&self) -> bool {
            self.running
        }
    }

    /// Spoken words at 48 kHz from wherever this machine has some; `None` where it has none.
    pub fn words() -> Option<Vec<i16>> {
        let spoken = std::env::temp_dir().join(format!("intercom-words-{:?}.wav", std::thread::current().id()));
        let bytes = std::fs::read("/usr/share/sounds/alsa/Front_Center.wav").or_else(|_| {
            std::process::Command::new("espeak-ng").arg("-w").arg(&spoken).arg("front center").status()?;
            let bytes = std::fs::read(&spoken);
            let _ = std::fs::remove_file(&spoken);
            bytes
        });
        let bytes = bytes.ok()?;
        let data = bytes.windows(4).position(|window| window == b"data")? + 8;
        let samples: Vec<i16> =
            bytes[data..].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
        samples.iter().any(|&sample| sample.unsigned_abs() > 1000).then_some(samples)
    }

    #[test]
    fn cards_are_found_by_direction() {
        let text = "00-00: bcm2835 Headphones : bcm2835 Headphones : playback 8\n\
                    01-00: USB Audio : USB Audio : playback 1 : capture 1\n";
        assert_eq!(card(text, "playback"), Some("bcm2835 Headphones"));
        assert_eq!(card(text, "capture"), Some("USB Audio"));
        assert_eq!(card(text.lines().next().unwrap(), "capture"), None);
        assert_eq!(card("garbage\n::\n", "capture"), None);
    }

    #[test]
    fn a_device_that_does_not_exist_is_absent_and_told_by_name() {
        let error = Alsa::open("no_such_device", Direction::Playback, 1920).err().expect("an error");
        assert!(matches!(&error, DeviceError::Absent(what) if what.contains("no_such_device")), "{error}");
        assert!(Alsa::open("nul\0byte", Direction::Capture, 1920).is_err());
    }

    #[test]
    fn the_null_device_opens_as_asked() {
        for direction in [Direction::Playback, Direction::Capture] {
            let pcm = Alsa::open("null", direction, 1920).expect("alsa-lib has a null device");
            assert_eq!(pcm.channels(), 1);
            assert!((960..=9600).contains(&pcm.buffer()), "{}", pcm.buffer());
        }
    }
}
