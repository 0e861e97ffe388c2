//! The contract between the intercom and its hardware: traits, frames and errors; std, `toml` and [`intercom_base`] only.
//!
//! A driver is one `const` entry of a table in [`crate::registry`]: its name, a `configure` function that
//! turns its TOML options into an [`Opener`] or fails at boot in words, and an opener that is tried again for
//! ever at run time. Every call that waits takes a deadline. Failure is data ([`DeviceError`]).
//!
//! Sound is mono, signed 16 bit, 48 000 samples a second on this side of the contract, whatever the device
//! speaks; pictures are [`I420`] (BT.601, limited range), H.264 where a camera encodes by itself, or JPEG where it is on
//! the network.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use intercom_base::picture::I420;

/// What a frame is made of.
#[derive(Clone)]
pub enum Image {
    /// Pixels, shared with every encoder that wants them.
    Picture(Arc<I420>),
    /// One H.264 access unit in Annex B form (start codes included), out of the camera's own encoder.
    H264(Arc<[u8]>),
    /// One JPEG of a camera on the network. Nobody knows who chose its bytes, so it is decoded in the jail, by
    /// `jpeg::Jpeg`, and nowhere else.
    Jpeg(Arc<[u8]>),
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Image::Picture(picture) => picture.fmt(f),
            Image::H264(unit) => write!(f, "H264({} bytes)", unit.len()),
            Image::Jpeg(bytes) => write!(f, "Jpeg({} bytes)", bytes.len()),
        }
    }
}

/// One picture from a camera.
#[derive(Clone, Debug)]
pub struct VideoFrame {
    /// What it saw.
    pub image: Image,
    /// When the sensor saw it (middle or end of exposure, as the device reports), on the monotonic clock.
    pub captured: Instant,
    /// Counts the frames of this open device, +1 each, gaps where the device itself lost frames.
    pub sequence: u64,
}

impl VideoFrame {
    /// The pixels, if these are what it is made of.
    pub fn picture(&self) -> Option<&Arc<I420>> {
        match &self.image {
            Image::Picture(picture) => Some(picture),
            Image::H264(_) | Image::Jpeg(_) => None,
        }
    }
}

/// Size and rate of a video stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VideoMode {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Frames a second.
    pub rate: f64,
}

impl fmt::Display for VideoMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{} at {} fps", self.width, self.height, (self.rate * 100.0).round() / 100.0)
    }
}

/// Why a device does not work now. Each variant's remedy is said by [`DeviceError::remedy`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceError {
    /// There is no such device (not plugged in, or gone).
    Absent(String),
    /// Another program holds it, or we may not open it.
    Busy(String),
    /// It is there but cannot do what is asked of it.
    Unsupported(String),
    /// It failed in use. Device and operation are in the text.
    Io(String),
    /// Nothing is wrong with it: a better one came, which is opened next. Its name is in the text.
    Outdone(String),
    /// It does not work, and its driver knows better what helps than the other variants do.
    Explained {
        /// What it did, or did not do.
        what: String,
        /// What a person can do about it, in small letters and without a full stop.
        remedy: String,
    },
}

impl DeviceError {
    /// What a person can do about it.
    pub fn remedy(&self) -> &str {
        match self {
            DeviceError::Absent(_) => "plug it in, or name another device in the config",
            DeviceError::Busy(_) => "end the program that uses it, or give the intercom's user access to it",
            DeviceError::Unsupported(_) => "choose another size, rate or device in the config",
            DeviceError::Io(_) => "check cable and power; it is tried again by itself",
            DeviceError::Outdone(_) => "nothing has to be done",
            DeviceError::Explained { remedy, .. } => remedy,
        }
    }
}

impl fmt::Display for DeviceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceError::Absent(what) => write!(f, "not there: {what}"),
            DeviceError::Busy(what) => write!(f, "busy: {what}"),
            DeviceError::Unsupported(what) => write!(f, "not supported: {what}"),
            DeviceError::Io(what) => write!(f, "failed: {what}"),
            DeviceError::Outdone(what) => write!(f, "makes way: {what} is there now"),
            DeviceError::Explained { what, .. } => write!(f, "does not work: {what}"),
        }
    }
}

impl std::error::Error for DeviceError {}

/// An option of a driver that is wrong in the config; `config` adds file and line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The option's key within the driver's own table, e.g. `device`.
    pub key: String,
    /// What is wrong with it, as a sentence without the key's name.
    pub problem: String,
    /// What is allowed instead.
    pub allowed: String,
}

/// A source of pictures.
pub trait CaptureVideo: Send {
    /// What the device really delivers.
    fn mode(&self) -> VideoMode;

    /// The newest picture, waiting for one until `deadline`; `None` if none came by then. A camera that was
    /// not asked for a while answers with a fresh picture, never with one that lay in a queue meanwhile.
    ///
    /// Of H.264 it is the *next* access unit instead, since each refers to those before it: where one is missing, as
    /// after a while without asking, `sequence` has a gap.
    fn capture(&mut self, deadline: Instant) -> Result<Option<VideoFrame>, DeviceError>;

    /// The encoder inside the camera, if it sends H.264 and can be told anything.
    fn encoder(&mut self) -> Option<&mut dyn CameraEncoder> {
        None
    }
}

/// The encoder inside a camera.
pub trait CameraEncoder {
    /// Makes one of the next frames a keyframe (IDR). `false` if the camera cannot be asked, or did not take it.
    fn request_keyframe(&mut self) -> bool;

    /// Aims at so many bits a second from now on. `false` if the camera cannot be told, or did not take it.
    fn set_bitrate(&mut self, bits_per_second: u64) -> bool;
}

/// A source of sound.
pub trait CaptureAudio: Send {
    /// Fills `block` with the next samples, waiting until `deadline`. Returns when the *first* sample of the
    /// block was heard by the microphone, or `None` (nothing consumed) if the deadline came first. Overruns
    /// are healed inside and counted; after one, sound goes on with fresh samples.
    fn read(&mut self, block: &mut [i16], deadline: Instant) -> Result<Option<Instant>, DeviceError>;

    /// Nobody listens for now: give up what is buffered. The next `read` starts with fresh sound.
    fn pause(&mut self) {}

    /// Notices a device that went away while it rests; called now and then between `pause` and the next `read`.
    fn check(&mut self) -> Result<(), DeviceError> {
        Ok(())
    }

    /// Overruns healed since the device was opened.
    fn overruns(&self) -> u64 {
        0
    }

    /// Whether it hears a room: speech, noise, and what the speaker plays. What does not is sent as it is, since a
    /// tone would be taken for noise.
    fn hears_a_room(&self) -> bool {
        true
    }
}

/// A sink of sound.
pub trait PlayAudio: Send {
    /// Plays `block`, blocking until the device has room for it (this paces the caller). Returns how long it
    /// takes from now until the sample written *next* becomes audible. Underruns are healed inside and counted.
    fn write(&mut self, block: &[i16]) -> Result<Duration, DeviceError>;

    /// Nothing to play for now: let the device run dry quietly. The next `write` starts it again.
    fn pause(&mut self) {}

    /// Notices a device that went away while there is nothing to play; called about twice a second.
    fn check(&mut self) -> Result<(), DeviceError> {
        Ok(())
    }

    /// Underruns healed since the device was opened.
    fn underruns(&self) -> u64 {
        0
    }
}

/// A screen.
pub trait Display: Send {
    /// The size that pictures should have, in pixels.
    fn size(&self) -> (u32, u32);

    /// Shows `picture` from the next refresh on; a picture of another size is scaled.
    fn show(&mut self, picture: &I420) -> Result<(), DeviceError>;

    /// Notices a screen that was unplugged while nothing is to be shown; called about twice a second.
    fn check(&mut self) -> Result<(), DeviceError> {
        Ok(())
    }

    /// Whether anybody can see it. No picture is made for one that nobody can.
    fn is_seen(&self) -> bool {
        true
    }
}

/// Opens a configured device, as often as it takes.
pub trait Opener<D: ?Sized>: Send {
    /// Opens the device or says why not.
    fn open(&mut self) -> Result<Box<D>, DeviceError>;

    /// The device in words for logs and the doctor, e.g. `/dev/video0` or `test card 1280x720 at 30 fps`.
    fn describe(&self) -> String;

    /// Whether it would open now, for the doctor. Opens and closes it, unless the driver has a way that takes the
    /// device away from nobody and overwrites nothing.
    fn check(&mut self) -> Result<(), DeviceError> {
        self.open().map(drop)
    }
}

/// A piece of hardware that a driver sees, for the doctor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sighting {
    /// What the config calls it: `/dev/video0`, `plughw:CARD=Intel,DEV=0`, `HDMI-A-1`.
    pub device: String,
    /// What the kernel calls it.
    pub name: String,
    /// What it offers in words, the best first, e.g. `YUYV 640x480 at 30, 15 fps`; empty where there is no choice.
    pub modes: Vec<String>,
    /// Its device files: the doctor looks who may use them and who does.
    pub nodes: Vec<PathBuf>,
    /// Why it is of no use as it is.
    pub fault: Option<Fault>,
}

/// What may be wrong with hardware that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This control of the card's mixer is off or at zero.
    Muted(String),
    /// A socket with nothing plugged in.
    Empty,
    /// It cannot be looked at, or not used.
    Failed(DeviceError),
}

/// What the intercom would like of a device; each kind of driver takes what concerns it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wanted {
    /// Size and rate of the camera's pictures.
    pub camera: VideoMode,
    /// Size of the TV's picture where the display does not dictate it.
    pub display: (u32, u32),
}

/// A configured driver's way to its device.
pub type BoxedOpener<D> = Box<dyn Opener<D>>;

/// One driver: an entry of a `const` table.
pub struct Driver<D: ?Sized + 'static> {
    /// The word in the config.
    pub name: &'static str,
    /// One line for `intercom drivers`.
    pub summary: &'static str,
    /// The keys of its option table, each with a sentence (default and unit in it).
    pub options: &'static [(&'static str, &'static str)],
    /// Checks the options and makes an opener. Touches no device.
    pub configure: fn(&toml::Table, &Wanted) -> Result<BoxedOpener<D>, ConfigError>,
    /// Whether `auto` may choose it now: `Ok(what was found)` or `Err(why not)`, both in words.
    pub detect: fn(&toml::Table) -> Result<String, String>,
    /// Lists the hardware of this kind that is there, used or not; `None` for a driver that has none. Takes nothing
    /// away from a program that uses it.
    pub survey: Option<fn() -> Vec<Sighting>>,
}
