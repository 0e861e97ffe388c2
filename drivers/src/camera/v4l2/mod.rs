//! A camera of the kernel (Video4Linux 2): webcams, capture cards, simple camera modules.

mod controls;
pub(crate) mod convert;
mod encoder;
pub(crate) mod extension;
mod find;
mod flip;
mod kernel;
pub(crate) mod mode;
mod ring;
mod survey;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use intercom_base::picture::{I420, PicturePool};
use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use v4l::device::{Device, Handle};
use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::FrameSizeEnum;
use v4l::video::Capture;
use v4l::video::capture::Parameters;
use v4l::{FourCC, Fraction};

use crate::clock;
use crate::contract::{
    BoxedOpener, CameraEncoder, CaptureVideo, ConfigError, DeviceError, Driver, Image, Opener, VideoFrame, VideoMode,
    Wanted,
};
use crate::health::{Agreed, Health};
use crate::jpeg::{self, BadFrame};
use crate::options::{self, Options};
use crate::wait::wait;
use controls::{Plan, Settings};
use convert::{Converter, Layout};
use encoder::Encoder;
use flip::Flip;
use mode::{Candidate, PixelFormat, choose, interval_within, on_steps};
use ring::{Filled, Ring};

/// The entry of the registry's table.
pub const DRIVER: Driver<dyn CaptureVideo> = Driver {
    name: "v4l2",
    summary: "a camera of the Linux kernel: webcam, capture card, camera module",
    options: OPTIONS,
    configure,
    detect,
    survey: Some(survey::survey),
};

const OPTIONS: &[(&str, &str)] = &[
    (
        "device",
        "a path like /dev/video0, a name from /dev/v4l/by-id or by-path, the camera's own name or a part of it, \
                or its bus path; default \"auto\": the first that captures",
    ),
    (
        "format",
        "auto, nv12, yuyv, mjpeg or h264; default \"auto\": the mode nearest to the wanted size and rate, and the \
                camera's own H.264 where it has just these and makes keyframes when asked",
    ),
    controls::OPTIONS[0],
    controls::OPTIONS[1],
    controls::OPTIONS[2],
    controls::OPTIONS[3],
];

const FORMATS: &str = "auto, nv12, yuyv, mjpeg or h264";
const BUFFERS: u32 = 4;
/// Of H.264 none may be lost, so a busy machine is given more time.
const BUFFERS_H264: u32 = 10;
/// A stream that nobody asked for during so many frames' time starts again with what comes next.
const IDLE_FRAMES: u32 = 3;
const IDLE_FRAMES_H264: u32 = 9;
/// Older stamps than this are of another clock.
const OLDEST: Duration = Duration::from_secs(2);

fn configure(table: &toml::Table, wanted: &Wanted) -> Result<BoxedOpener<dyn CaptureVideo>, ConfigError> {
    let options = Options::new(table, OPTIONS)?;
    let device = options.text("device")?.unwrap_or_else(|| find::AUTO.into());
    if device.contains('\0') {
        return Err(options::error("device", "contains a zero byte", "a path or \"auto\""));
    }
    let word = options.text("format")?.unwrap_or_else(|| "auto".into());
    let format = match PixelFormat::ALL.iter().find(|(_, name, _)| *name == word) {
        Some((format, ..)) => Some(*format),
        None if word == "auto" => None,
        None => return Err(options::error("format", &format!("is unknown: {word}"), FORMATS)),
    };
    let settings = Settings::read(&options)?;
    Ok(Box::new(V4l2Opener { device, format, settings, wanted: wanted.camera, found: None, told: Vec::new() }))
}

fn detect(table: &toml::Table) -> Result<String, String> {
    let device = table.get("device").and_then(toml::Value::as_str).unwrap_or(find::AUTO);
    let paths = match find::paths(device) {
        Ok(paths) if paths.is_empty() => return Err("v4l2 found no /dev/video*".into()),
        Ok(paths) => paths,
        Err(error) => return Err(format!("v4l2 found no camera ({error})")),
    };
    let mut reasons = Vec::new();
    for path in &paths {
        match find::open(path) {
            Ok((_, name)) => return Ok(format!("found {name} at {}", path.display())),
            Err(DeviceError::Busy(what)) => return Ok(format!("found {what}, busy now")),
            Err(error) => reasons.push(error.to_string()),
        }
    }
    Err(format!("v4l2 found no camera ({})", reasons.join("; ")))
}

/// Whether the camera sends anything that is understood.
fn offers_known_format(device: &Device) -> bool {
    PixelFormat::ALL.iter().any(|(_, _, codes)| codes.iter().any(|code| !sizes(device, code).is_empty()))
}

fn sizes(device: &Device, code: &[u8; 4]) -> Vec<FrameSizeEnum> {
    let sizes = device.enum_framesizes(FourCC::new(code)).unwrap_or_default();
    sizes.into_iter().map(|size| size.size).collect()
}

/// All modes that the camera offers, of a stepwise offer the one nearest to `wanted`.
fn candidates(device: &Device, only: Option<PixelFormat>, wanted: &VideoMode) -> Vec<Candidate> {
    let mut all = Vec::new();
    let formats = PixelFormat::ALL.iter().filter(|(format, ..)| only.is_none_or(|only| only == *format));
    for (format, code) in formats.flat_map(|(format, _, codes)| codes.iter().map(move |code| (*format, **code))) {
        for size in sizes(device, &code) {
            let (width, height) = match size {
                FrameSizeEnum::Discrete(size) => (size.width, size.height),
                FrameSizeEnum::Stepwise(range) => (
                    on_steps(wanted.width, range.min_width, range.max_width, range.step_width),
                    on_steps(wanted.height, range.min_height, range.max_height, range.step_height),
                ),
            };
            let candidate = |interval| Candidate { format, code, width, height, interval };
            let pair = |fraction: Fraction| (fraction.numerator, fraction.denominator);
            let offered = device.enum_frameintervals(FourCC::new(&code), width, height).unwrap_or_default();
            let known = all.len();
            all.extend(offered.into_iter().filter_map(|offer| match offer.interval {
                FrameIntervalEnum::Discrete(one) => {
                    (one.numerator > 0 && one.denominator > 0).then(|| candidate(pair(one)))
                }
                FrameIntervalEnum::Stepwise(range) => {
                    Some(candidate(interval_within(wanted.rate, pair(range.min), pair(range.max))))
                }
            }));
            if all.len() == known {
                // It does not say: it may well do what is wanted.
                all.push(candidate((1000, (wanted.rate * 1000.0).round().max(1.0) as u32)));
            }
        }
    }
    all
}

fn failure(error: &io::Error, what: &str) -> DeviceError {
    let text = format!("{what}: {error}");
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOENT | Errno::NODEV | Errno::NXIO) => DeviceError::Absent(text),
        Some(Errno::BUSY | Errno::ACCESS | Errno::PERM) => DeviceError::Busy(text),
        Some(Errno::INVAL | Errno::NOTTY | Errno::NOSYS | Errno::NOTSUP) => DeviceError::Unsupported(text),
        _ => DeviceError::Io(text),
    }
}

struct V4l2Opener {
    device: String,
    format: Option<PixelFormat>,
    settings: Settings,
    wanted: VideoMode,
    /// Path and name of what was opened last.
    found: Option<String>,
    /// What was last logged of controls.
    told: Vec<String>,
}

impl Opener<dyn CaptureVideo> for V4l2Opener {
    fn open(&mut self) -> Result<Box<dyn CaptureVideo>, DeviceError> {
        let mut refused = None;
        for path in find::paths(&self.device)? {
            match self.open_at(&path) {
                Ok(camera) => {
                    self.found = Some(camera.name.clone());
                    return Ok(Box::new(camera));
                }
                // A busy camera says more than a node beside it that is none.
                Err(error) if matches!(error, DeviceError::Busy(_)) || refused.is_none() => refused = Some(error),
                Err(_) => {}
            }
        }
        Err(refused.unwrap_or_else(|| DeviceError::Absent("a camera at /dev/video*".into())))
    }

    fn describe(&self) -> String {
        match (&self.found, self.device.as_str()) {
            (Some(found), _) => found.clone(),
            (None, "auto") => "the first camera at /dev/video*".into(),
            (None, device) => format!("camera {device}"),
        }
    }
}

impl V4l2Opener {
    fn open_at(&mut self, path: &Path) -> Result<V4l2Camera, DeviceError> {
        let (device, name) = find::open(path)?;
        let name = format!("{} ({name})", path.display());
        match kernel::adopt_signal(&device.handle()) {
            Ok(Some(())) => {}
            Ok(None) => return Err(DeviceError::Absent(format!("{name}: no signal comes in"))),
            Err(error) => return Err(failure(&error, &format!("{name}: the signal that comes in"))),
        }
        let handle = device.handle();
        let mut offered = candidates(&device, self.format, &self.wanted);
        let mut encoder = None;
        if offered.iter().any(|offer| offer.format == PixelFormat::H264) {
            encoder = Encoder::find(handle.clone(), path);
            if self.format.is_none() {
                // What a camera has encoded cannot be scaled or turned over any more.
                let whole = encoder.is_some() && self.settings.flip.is_none_or(|flip| flip == Flip::default());
                offered.retain(|o| o.format != PixelFormat::H264 || whole && o.is_exactly(&self.wanted));
            }
        }
        let chosen = choose(&offered, &self.wanted)
            .ok_or_else(|| DeviceError::Unsupported(format!("{name}: it does not offer the format in the config")))?;
        // First, since turning the picture over may change the order of a sensor's colours, and so its format.
        let flip = self.set_controls(&handle, &name);
        let granted = ring::set_format(&handle, chosen.width, chosen.height, chosen.code)
            .map_err(|error| failure(&error, &format!("{name}: set the format")))?;
        if granted.code != chosen.code || granted.width == 0 || granted.height == 0 {
            let text = String::from_utf8_lossy(&granted.code).into_owned();
            return Err(DeviceError::Unsupported(format!("{name}: it insists on {text:?}")));
        }
        // Many drivers know one rate only and refuse to be asked.
        let (over, under) = chosen.interval;
        let interval = device.set_params(&Parameters::new(Fraction::new(over, under))).map(|given| given.interval);
        let rate = match interval {
            Ok(given) if given.numerator > 0 && given.denominator > 0 => {
                f64::from(given.denominator) / f64::from(given.numerator)
            }
            _ => chosen.rate(),
        };
        let watched = kernel::watch_source(&handle);
        let is_h264 = chosen.format == PixelFormat::H264;
        if let Some(encoder) = &encoder
            && is_h264
        {
            encoder.prepare(granted.width, granted.height, rate);
        }
        if is_h264 && flip != Flip::default() {
            log::warn!("{name}: flip: the camera's H.264 cannot be turned over; choose another format");
        }
        let ring = Ring::start(handle, if is_h264 { BUFFERS_H264 } else { BUFFERS })
            .map_err(|error| failure(&error, &format!("{name}: start")))?;
        let layout = Layout { format: chosen.format, stride: granted.stride, full_range: granted.full_range };
        let mode = VideoMode { width: granted.width, height: granted.height, rate };
        log::info!("{name}: {mode}, {:?}", chosen.format);
        Ok(V4l2Camera {
            name,
            mode,
            ring,
            device,
            converter: Converter::new(layout),
            flip,
            encoder: encoder.filter(|_| is_h264),
            is_h264,
            pool: PicturePool::default(),
            count: Count::default(),
            asked: None,
            health: Health::default(),
            watched,
            agreed: (chosen.format == PixelFormat::Mjpeg)
                .then(|| Agreed::new((granted.width as usize, granted.height as usize))),
        })
    }

    /// Sets what the config wants; returns what of turning over is left to do. Nothing here ends a camera that works.
    fn set_controls(&mut self, handle: &Handle, name: &str) -> Flip {
        let mut plan: Plan = self.settings.plan(|id| kernel::control(handle, id));
        let mut done = Vec::new();
        for set in std::mem::take(&mut plan.sets) {
            match kernel::set_control(handle, set.id, set.value) {
                Ok(()) => done.push(format!("{} set to {}", set.option, set.value)),
                Err(error) => plan.refused(set, &error.to_string()),
            }
        }
        let told = [done.as_slice(), plan.notes.as_slice()].concat();
        if self.told != told {
            done.iter().for_each(|words| log::info!("{name}: {words}"));
            plan.notes.iter().for_each(|words| log::warn!("{name}: {words}"));
            self.told = told;
        }
        plan.flip
    }
}

struct V4l2Camera {
    name: String,
    mode: VideoMode,
    // Before the device, whose descriptor it needs to end the stream.
    ring: Ring,
    device: Device,
    converter: Converter,
    /// What the camera leaves us to do.
    flip: Flip,
    /// What can be asked of its encoder, if it encodes.
    encoder: Option<Encoder>,
    is_h264: bool,
    pool: PicturePool,
    count: Count,
    asked: Option<Instant>,
    health: Health,
    /// The kernel tells when another signal comes in.
    watched: bool,
    /// The size of a camera's JPEGs; of raw pixels the kernel knows it.
    agreed: Option<Agreed>,
}

impl CaptureVideo for V4l2Camera {
    fn mode(&self) -> VideoMode {
        self.mode
    }

    fn capture(&mut self, deadline: Instant) -> Result<Option<VideoFrame>, DeviceError> {
        let asked = clock::now();
        let period = Duration::from_secs_f64(1.0 / self.mode.rate.clamp(0.1, 1000.0));
        let frames = if self.is_h264 { IDLE_FRAMES_H264 } else { IDLE_FRAMES };
        let idle = self.asked.is_none_or(|last| asked.saturating_duration_since(last) > frames * period);
        // While nobody took frames out, the queue filled up with old ones and the camera stopped there.
        if idle && let Err(error) = self.empty() {
            return Err(self.failure(&error, "empty the queue"));
        }
        loop {
            let frame = if self.is_h264 { self.next_unit() } else { self.newest() };
            match frame.map_err(|error| self.failure(&error, "take a frame"))? {
                Some(frame) => {
                    self.asked = Some(clock::now());
                    return Ok(Some(frame));
                }
                None => {
                    let handle = self.device.handle();
                    let mut fds = [PollFd::from_borrowed_fd(kernel::fd(&handle), self.events())];
                    let ready = wait(&mut fds, deadline).map_err(|error| self.failure(&error, "wait for a frame"))?;
                    let now = clock::now();
                    if fds[0].revents().contains(PollFlags::PRI) && kernel::source_changed(&handle) {
                        return Err(DeviceError::Io(format!("{}: another signal comes in", self.name)));
                    }
                    if ready && now < deadline {
                        if fds[0].revents().contains(PollFlags::ERR) {
                            // The next turn takes the error that is meant; until it comes, this must not spin.
                            clock::sleep_until((now + Duration::from_millis(2)).min(deadline));
                        }
                        continue;
                    }
                    self.asked = Some(now);
                    return match self.health.waited(now.saturating_duration_since(asked)) {
                        Some(why) => Err(DeviceError::Io(format!("{}: {why}", self.name))),
                        None => Ok(None),
                    };
                }
            }
        }
    }

    fn encoder(&mut self) -> Option<&mut dyn CameraEncoder> {
        self.encoder.as_mut().map(|encoder| encoder as &mut dyn CameraEncoder)
    }
}

impl V4l2Camera {
    /// What to poll for: frames, and news.
    fn events(&self) -> PollFlags {
        if self.watched { PollFlags::IN | PollFlags::PRI } else { PollFlags::IN }
    }

    fn empty(&mut self) -> io::Result<()> {
        while let Some(filled) = self.ring.take()? {
            self.ring.give_back(filled)?;
        }
        Ok(())
    }

    /// The next access unit that is there. One that the kernel calls damaged is left out, which the count of those after
    /// it tells.
    fn next_unit(&mut self) -> io::Result<Option<VideoFrame>> {
        while let Some(filled) = self.ring.take()? {
            let sequence = self.count.extend(filled.sequence);
            let now = clock::now();
            let captured = filled.stamp.and_then(|stamp| clock::from_monotonic(stamp, OLDEST)).unwrap_or(now);
            let unit = if filled.damaged { None } else { Some(Arc::<[u8]>::from(self.ring.bytes(&filled))) };
            self.ring.give_back(filled)?;
            match unit {
                Some(unit) if !unit.is_empty() => {
                    self.health.good();
                    return Ok(Some(VideoFrame { image: Image::H264(unit), captured, sequence }));
                }
                _ => self.tell_bad("the kernel says that it is damaged", now),
            }
        }
        Ok(None)
    }

    fn tell_bad(&mut self, why: &str, now: Instant) {
        if let Some(count) = self.health.bad(now) {
            log::warn!("{}: bad frames: {count}, the last: {why}", self.name);
        }
    }

    /// The newest good frame that is there; older ones go back unseen.
    fn newest(&mut self) -> io::Result<Option<VideoFrame>> {
        let mut newest = None;
        while let Some(filled) = self.ring.take()? {
            let sequence = self.count.extend(filled.sequence);
            if let Some((older, _)) = newest.replace((filled, sequence)) {
                self.ring.give_back(older)?;
            }
        }
        let Some((filled, sequence)) = newest else { return Ok(None) };
        let now = clock::now();
        let captured = filled.stamp.and_then(|stamp| clock::from_monotonic(stamp, OLDEST)).unwrap_or(now);
        let picture = self.picture(&filled);
        self.ring.give_back(filled)?;
        match picture {
            Ok(picture) => {
                self.health.good();
                Ok(Some(VideoFrame { image: Image::Picture(picture), captured, sequence }))
            }
            Err(BadFrame(why)) => {
                self.tell_bad(&why, now);
                Ok(None)
            }
        }
    }

    fn picture(&mut self, filled: &Filled) -> Result<Arc<I420>, BadFrame> {
        if filled.damaged {
            return Err(BadFrame("the kernel says that it is damaged".into()));
        }
        let bytes = self.ring.bytes(filled);
        if let Some(agreed) = &mut self.agreed {
            let before = agreed.size();
            let (width, height) = jpeg::size(bytes)?;
            if !agreed.take((width, height)) {
                let (w, h) = before;
                return Err(BadFrame(format!("a JPEG of {width}x{height} instead of {w}x{h}")));
            }
            if before != (width, height) {
                (self.mode.width, self.mode.height) = (width as u32, height as u32);
                log::warn!("{}: it sends {width}x{height} whatever it says", self.name);
            }
        }
        let mut picture = self.pool.take(self.mode.width as usize, self.mode.height as usize);
        if let Some(picture) = Arc::get_mut(&mut picture) {
            self.converter.convert(bytes, picture)?;
            self.flip.apply(picture);
        }
        self.pool.keep(&picture);
        Ok(picture)
    }

    fn failure(&self, error: &io::Error, doing: &str) -> DeviceError {
        match failure(error, &format!("{}: {doing}", self.name)) {
            // In the middle of a stream the kernel says EINVAL when it has stopped it.
            DeviceError::Unsupported(what) => DeviceError::Io(what),
            other => other,
        }
    }
}

/// Extends the driver's 32 bit count; drivers that do not count are counted for.
#[derive(Default)]
struct Count {
    last: Option<u32>,
    total: u64,
}

impl Count {
    fn extend(&mut self, sequence: u32) -> u64 {
        const GAP: u32 = 10_000;
        if let Some(last) = self.last.replace(sequence) {
            let step = sequence.wrapping_sub(last);
            self.total += if (1..=GAP).contains(&step) { u64::from(step) } else { 1 };
        }
        self.total
    }
}

#[cfg(test)]
mod tests;
