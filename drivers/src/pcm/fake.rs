//! A sound card of the tests', with a clock that runs when somebody waits or sleeps; and something to say.

use std::time::{Duration, Instant};

use super::{Pcm, PcmError};
use crate::clock;
use crate::contract::DeviceError;

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
    /// What it says that rate is.
    pub nominal: u32,
    /// What was written, one of each frame's samples.
    pub heard: Vec<i16>,
    pub gone: bool,
    /// Frames that were written and never played, since it was stopped before.
    pub cut: usize,
    /// The next wait takes so much longer than it should.
    pub stopped: Duration,
    draining: bool,
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
            nominal: 48_000,
            gone: false,
            cut: 0,
            stopped: Duration::ZERO,
            draining: false,
            started: false,
        }
    }

    pub fn pass(&mut self, time: Duration) {
        self.now += time;
        if self.running {
            self.ticked += time.as_secs_f64() * self.rate;
            if self.draining && self.ticked as usize >= self.done {
                (self.running, self.draining) = (false, false);
            }
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
    fn rate(&self) -> u32 {
        self.nominal
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
        if !self.stopped.is_zero() {
            let time = std::mem::take(&mut self.stopped);
            self.pass(time);
            // As poll does: its time is over, whatever happened meanwhile.
            return Ok(false);
        }
        while self.now < deadline {
            if self.avail()? >= self.nominal as usize / 100 {
                return Ok(true);
            }
            self.pass(Duration::from_millis(1));
        }
        Ok(self.avail()? >= self.nominal as usize / 100)
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
        if !self.capturing() {
            self.cut += self.done.saturating_sub(self.ticked as usize);
        }
        (self.running, self.draining, self.ticked, self.done) = (false, false, 0.0, 0);
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
        self.running = self.done > self.ticked as usize;
        self.draining = self.running;
    }
    fn running(&self) -> bool {
        self.running && !self.draining
    }
    fn draining(&self) -> bool {
        self.draining
    }
    fn check(&self) -> Result<(), DeviceError> {
        if self.gone { Err(DeviceError::Absent("fake".into())) } else { Ok(()) }
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
    let samples: Vec<i16> = bytes[data..].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    samples.iter().any(|&sample| sample.unsigned_abs() > 1000).then_some(samples)
}

/// Every sample differs from those around it, so that one that is missing, doubled or out of place shows.
pub fn numbered(samples: usize) -> Vec<i16> {
    (0..samples).map(|n| (n * 7919 % 65_521) as u16 as i16).collect()
}

/// Pieces as nobody would cut them.
pub fn odd_pieces(sound: &[i16]) -> Vec<&[i16]> {
    const SIZES: [usize; 7] = [480, 1, 479, 961, 33, 2000, 7];
    let (mut rest, mut pieces) = (sound, Vec::new());
    for size in SIZES.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, tail) = rest.split_at(rest.len().min(*size));
        pieces.push(piece);
        rest = tail;
    }
    pieces
}
