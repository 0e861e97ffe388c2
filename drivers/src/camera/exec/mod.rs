//! A camera that is a command of the user's: it writes Y4M to its stdout, as libcamera's tools and ffmpeg can.

pub(crate) mod y4m;

use std::sync::Arc;
use std::time::{Duration, Instant};

use intercom_base::picture::I420;

use crate::clock;
use crate::contract::{
    BoxedOpener, CaptureVideo, ConfigError, DeviceError, Driver, Image, Opener, VideoFrame, VideoMode, Wanted,
};
use crate::options::Options;
use crate::process::Process;
use y4m::{Event, Header, Y4m, Y4mError};

/// The entry of the registry's table.
pub const DRIVER: Driver<dyn CaptureVideo> = Driver {
    name: "exec",
    summary: "any command that writes Y4M video to its stdout (libcamera-vid, rpicam-vid, ffmpeg -re, a vendor's tool)",
    options: OPTIONS,
    configure,
    detect: |_| Err("exec needs a command and must be named".into()),
    survey: None,
};

const OPTIONS: &[(&str, &str)] =
    &[("command", "a list of program and arguments, or one text for /bin/sh -c; writes Y4M (4:2:0, 8 bits) to stdout")];

/// Small enough that a stalled reader finds little that is stale, large enough for few wake-ups.
const PIPE: usize = 256 * 1024;
/// How long a command may take to its first bytes: cameras warm up.
const WARM_UP: Duration = Duration::from_secs(5);

fn configure(table: &toml::Table, wanted: &Wanted) -> Result<BoxedOpener<dyn CaptureVideo>, ConfigError> {
    let command = Options::new(table, OPTIONS)?.command("command")?;
    Ok(Box::new(ExecOpener { command, rate: wanted.camera.rate }))
}

struct ExecOpener {
    command: Vec<String>,
    rate: f64,
}

impl Opener<dyn CaptureVideo> for ExecOpener {
    fn open(&mut self) -> Result<Box<dyn CaptureVideo>, DeviceError> {
        let mut process = Process::start(&self.command, PIPE)?;
        let mut y4m = Y4m::default();
        let patience = clock::now() + WARM_UP;
        let header = loop {
            let count = process.read(y4m.space(), patience)?;
            if count == 0 {
                return Err(DeviceError::Io(format!("{}: no video within {} s", self.describe(), WARM_UP.as_secs())));
            }
            if let Event::Header(header) = y4m.filled(count).map_err(|error| self.refuse(error))? {
                break header;
            }
        };
        let name = self.describe();
        Ok(Box::new(ExecCamera::new(name, process, y4m, header, self.rate, clock::now())))
    }

    fn describe(&self) -> String {
        format!("command {}", self.command.join(" "))
    }
}

impl ExecOpener {
    fn refuse(&self, error: Y4mError) -> DeviceError {
        refuse(&self.describe(), error)
    }
}

fn refuse(name: &str, error: Y4mError) -> DeviceError {
    let (what, remedy) = match error {
        Y4mError::Garbage(what) => (
            format!("{name} does not write Y4M: {what}"),
            "let the command write Y4M and nothing else to its stdout; for ffmpeg: -pix_fmt yuv420p -f yuv4mpegpipe -",
        ),
        Y4mError::Unsupported(what) => (
            format!("{name} writes {what}"),
            "let the command convert it; for ffmpeg: -pix_fmt yuv420p, -vf yadif against interlacing, -s for the size",
        ),
    };
    DeviceError::Explained { what, remedy: remedy.into() }
}

struct ExecCamera {
    name: String,
    process: Process,
    y4m: Y4m,
    mode: VideoMode,
    live: Live,
    /// When the frame that is being read began to arrive.
    began: Instant,
    sequence: u64,
}

impl ExecCamera {
    fn new(name: String, process: Process, y4m: Y4m, header: Header, rate: f64, now: Instant) -> ExecCamera {
        let mode = header.mode(rate);
        ExecCamera { name, process, y4m, mode, live: Live::new(mode.rate, now), began: now, sequence: 0 }
    }

    /// The next frame of the stream, by `deadline`; with when it began.
    fn next(&mut self, deadline: Instant) -> Result<Option<(Arc<I420>, Instant)>, DeviceError> {
        loop {
            let begins = self.y4m.between_frames();
            let count = self.process.read(self.y4m.space(), deadline)?;
            if count == 0 {
                return Ok(None);
            }
            if begins {
                self.began = clock::now();
            }
            if let Event::Frame(picture) = self.y4m.filled(count).map_err(|error| refuse(&self.name, error))? {
                self.sequence += 1;
                return Ok(Some((picture, self.began)));
            }
        }
    }
}

impl CaptureVideo for ExecCamera {
    fn mode(&self) -> VideoMode {
        self.mode
    }

    fn capture(&mut self, deadline: Instant) -> Result<Option<VideoFrame>, DeviceError> {
        let asked = clock::now();
        let fresh_from = self.live.fresh_from(asked);
        let mut newest = None;
        loop {
            let now = clock::now();
            let allowed = self.live.allowed();
            if newest.is_some() && allowed.max(now) > now.min(deadline) {
                break;
            }
            if allowed > deadline {
                clock::sleep_until(deadline);
                break;
            }
            clock::sleep_until(allowed);
            // With a frame in hand only what is there already is of interest.
            let patience = if newest.is_some() { clock::now().min(deadline) } else { deadline };
            let next = self.next(patience)?;
            self.live.read(clock::now(), u32::from(next.is_some()));
            let Some((picture, began)) = next else { break };
            if fresh_from.is_some_and(|fresh_from| began < fresh_from) {
                continue;
            }
            newest = Some(VideoFrame { image: Image::Picture(picture), captured: began, sequence: self.sequence - 1 });
        }
        Ok(newest)
    }
}

/// Judges what in the stream is live: skips what lay in the pipe while nobody asked, and holds back a command
/// that writes faster than its own frame rate (a file without `-re`).
struct Live {
    period: Duration,
    /// When the next frame may be read at the earliest. A camera may run a little faster than it says.
    allowed: Instant,
    last_read: Instant,
}

impl Live {
    /// How much faster than it says a camera may be.
    const HASTE: f64 = 1.02;
    /// How much a command may catch up after a pause of its reader.
    const CATCH_UP: Duration = Duration::from_secs(10);

    fn new(rate: f64, now: Instant) -> Live {
        Live { period: Duration::from_secs_f64(1.0 / rate.clamp(0.1, 1000.0)), allowed: now, last_read: now }
    }

    /// Frames that begin before this instant are stale for who asks now; `None` if nobody paused.
    fn fresh_from(&mut self, now: Instant) -> Option<Instant> {
        let idle = now.saturating_duration_since(self.last_read) > 3 * self.period;
        self.last_read = now;
        // After a pause the pipe holds old frames, and the command sits on one that it could not write. All of
        // these come at once, so whatever begins half a period later is new.
        idle.then(|| now + self.period / 2)
    }

    /// When the next frame may be read.
    fn allowed(&self) -> Instant {
        self.allowed
    }

    /// A frame was read, or none came though it was waited for.
    fn read(&mut self, now: Instant, frames: u32) {
        self.last_read = now;
        let earliest = now.checked_sub(Self::CATCH_UP).unwrap_or(now);
        self.allowed = self.allowed.max(earliest) + self.period.div_f64(Self::HASTE) * frames;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(script: &str) -> Result<Box<dyn CaptureVideo>, DeviceError> {
        ExecOpener { command: vec!["/bin/sh".into(), "-c".into(), script.into()], rate: 30.0 }.open()
    }

    fn soon() -> Instant {
        clock::now() + Duration::from_secs(20)
    }

    #[test]
    fn frames_of_a_command_arrive_with_growing_numbers_until_it_ends() {
        let script = "printf 'YUV4MPEG2 W4 H2 F100:1 Ip C420jpeg\\n'; for i in 1 2 3 4 5 6 7 8 9; do \
                      printf 'FRAME\\nYYYYYYYYUUVV'; sleep 0.02; done; echo done >&2";
        let mut camera = open(script).expect("a camera");
        assert_eq!((camera.mode().width, camera.mode().height, camera.mode().rate), (4, 2, 100.0));
        let mut last = None;
        let error = loop {
            match camera.capture(soon()) {
                Ok(frame) => {
                    let frame = frame.expect("within the deadline");
                    assert_eq!(frame.picture().unwrap().packed(), b"YYYYYYYYUUVV");
                    assert!(last.is_none_or(|last| frame.sequence > last));
                    last = Some(frame.sequence);
                }
                Err(error) => break error,
            }
        };
        assert!(last.is_some_and(|last| last <= 8), "{last:?}");
        assert!(matches!(&error, DeviceError::Io(why) if why.contains("done")), "{error}");
    }

    #[test]
    fn what_it_cannot_show_is_said_at_opening() {
        let error = open("printf 'YUV4MPEG2 W4 H2 F30:1 C444\\n'; sleep 5").err().expect("an error");
        assert!(error.to_string().contains("444") && error.remedy().contains("-pix_fmt yuv420p"), "{error}");
        let error = open("echo hello").err().expect("an error");
        assert!(error.to_string().contains("does not write Y4M"), "{error}");
        assert!(error.remedy().contains("yuv4mpegpipe"), "{}", error.remedy());
    }

    #[test]
    fn a_deadline_in_the_middle_of_a_frame_loses_nothing() {
        let script = "printf 'YUV4MPEG2 W4 H2 F100:1\\n'; printf 'FRAME\\n000000000000'; sleep 0.05; while :; do \
                      printf 'FRAME\\nYYYY'; sleep 0.03; printf 'YYYYUUVV'; sleep 0.03; done";
        let mut camera = open(script).expect("a camera");
        let (mut frames, mut nothing) = (0, 0);
        let end = soon();
        while frames < 5 && clock::now() < end {
            match camera.capture(clock::now() + Duration::from_millis(10)).expect("it runs") {
                Some(frame) => {
                    frames += 1;
                    assert!(matches!(frame.picture().unwrap().packed(), b"YYYYYYYYUUVV" | b"000000000000"));
                }
                None => nothing += 1,
            }
        }
        assert!(frames == 5 && nothing > 0, "{frames} frames, {nothing} times none");
    }

    #[test]
    fn a_file_that_is_read_too_fast_is_held_to_its_own_rate() {
        let start = clock::now();
        let mut live = Live::new(25.0, start);
        let mut now = start;
        for _ in 0..1000 {
            now = now.max(live.allowed());
            live.read(now, 1);
        }
        let took = (now - start).as_secs_f64();
        assert!((38.0..40.5).contains(&took), "1000 frames of 25 fps took {took} s");
    }

    #[test]
    fn a_camera_at_its_rate_is_never_held_back() {
        let start = clock::now();
        let mut live = Live::new(30.0, start);
        for n in 1..1000u32 {
            let jitter = Duration::from_millis(u64::from(n * 7 % 11));
            let arrival = start + Duration::from_secs(1) / 30 * n + jitter;
            assert!(live.allowed() <= arrival, "frame {n}");
            live.read(arrival, 1);
        }
    }

    #[test]
    fn after_a_pause_old_frames_are_stale() {
        let start = clock::now();
        let mut live = Live::new(30.0, start);
        assert_eq!(live.fresh_from(start + Duration::from_millis(33)), None);
        live.read(start + Duration::from_millis(66), 1);
        let later = start + Duration::from_millis(566);
        assert!(live.fresh_from(later).is_some_and(|fresh| fresh > later));
    }
}
