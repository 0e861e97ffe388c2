//! A USB webcam that is a part of the test, so that it can misbehave as told: MJPEG and H.264 over a bulk endpoint, and the
//! controls that webcams have (USB Device Class Definition for Video Devices 1.1, and its H.264 Payload 1.0). The guest's own
//! `uvcvideo` drives it.

use std::collections::HashMap;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::usbip::{Plugged, Setup};

/// What it calls itself.
pub const NAME: &str = "Borrowed Webcam";

/// How it behaves, until it is told otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Good frames: with tables of their own, without any, and between them one that is cut and one with wrong bytes.
    Good,
    /// Every frame is cut.
    Cut,
    /// Frames of another size than was agreed.
    OtherSize,
    /// No frames.
    Silent,
    /// One frame is marked as damaged; then it is good again.
    OneDamaged,
}

/// The webcam; it can be plugged in many times.
pub struct Webcam {
    state: Arc<Mutex<State>>,
    /// Where the guest finds it.
    pub port: u16,
}

struct State {
    mood: Mood,
    plugged: Option<Arc<Plugged>>,
    /// The kind of stream that was agreed (VS_PROBE_CONTROL).
    probe: [u8; 26],
    /// How often the stream was started.
    starts: u32,
    /// What was set, by unit and control.
    controls: HashMap<(u8, u8), Vec<u8>>,
    /// The next frame of H.264 shall be a keyframe, and how often it was asked for one.
    keyframe: bool,
    asked: u32,
}

impl Webcam {
    /// Makes one that waits for a guest to plug it in.
    pub fn new() -> Webcam {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("a port").port();
        let frames = Frames::record();
        let state = State {
            mood: Mood::Good,
            plugged: None,
            probe: probe(1, 1),
            starts: 0,
            controls: CONTROLS.iter().map(|c| ((c.unit, c.selector), c.value(c.default))).collect(),
            keyframe: false,
            asked: 0,
        };
        let state = Arc::new(Mutex::new(state));
        let theirs = state.clone();
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let answering = theirs.clone();
                let plugged = Plugged::new(socket, Arc::new(move |setup, data| lock(&answering).answer(setup, data)));
                lock(&theirs).plugged = Some(plugged.clone());
                let (state, frames) = (theirs.clone(), frames.clone());
                thread::spawn(move || stream(&plugged, &state, &frames));
            }
        });
        Webcam { state, port }
    }

    /// From now on it behaves like this.
    pub fn set(&self, mood: Mood) {
        lock(&self.state).mood = mood;
    }

    /// Pulls the plug.
    pub fn unplug(&self) {
        if let Some(plugged) = lock(&self.state).plugged.take() {
            plugged.unplug();
        }
    }

    /// How often its stream was started.
    pub fn starts(&self) -> u32 {
        lock(&self.state).starts
    }

    /// How often it was asked for a keyframe.
    pub fn asked(&self) -> u32 {
        lock(&self.state).asked
    }

    /// The bytes of one of its controls.
    pub fn bytes(&self, unit: u8, selector: u8) -> Vec<u8> {
        lock(&self.state).controls.get(&(unit, selector)).cloned().unwrap_or_default()
    }

    /// What stands in one of its controls.
    pub fn control(&self, unit: u8, selector: u8) -> i64 {
        self.bytes(unit, selector).iter().rev().fold(0, |value, byte| value << 8 | i64::from(*byte))
    }
}

impl Drop for Webcam {
    fn drop(&mut self) {
        self.unplug();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Recorded frames: left half red, right half blue.
#[derive(Clone)]
struct Frames {
    /// With Huffman tables made to measure.
    own_tables: Vec<u8>,
    /// Without any.
    bare: Vec<u8>,
    other_size: Vec<u8>,
    /// Access units; the first is a keyframe, the only one.
    h264: Vec<Vec<u8>>,
}

impl Frames {
    fn record() -> Frames {
        let bare = without_tables(&frame(WIDTH, HEIGHT, "default"));
        Frames {
            own_tables: frame(WIDTH, HEIGHT, "optimal"),
            bare,
            other_size: frame(160, 120, "default"),
            h264: units(),
        }
    }
}

const WIDTH: u16 = 320;
const HEIGHT: u16 = 180;

fn frame(width: u16, height: u16, huffman: &str) -> Vec<u8> {
    let half = format!("s={}x{height}:r=1:d=1", width / 2);
    let halves = format!("color=red:{half}[a];color=blue:{half}[b];[a][b]hstack,noise=alls=8");
    let arguments = ["-loglevel", "error", "-filter_complex", &halves, "-frames:v", "1", "-pix_fmt", "yuvj422p"];
    let output = Command::new("ffmpeg")
        .args(arguments)
        .args(["-c:v", "mjpeg", "-q:v", "4", "-huffman", huffman, "-f", "image2pipe", "-"])
        .stdin(Stdio::null())
        .output()
        .expect("ffmpeg; `.ci/prepare test` installs it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A minute of H.264: the same halves, and a white square that wanders along the bottom.
fn units() -> Vec<Vec<u8>> {
    let half = format!("s={}x{HEIGHT}:r=5:d=60", WIDTH / 2);
    let square = "color=white:s=16x16:r=5:d=60[c];[h][c]overlay=x='mod(8*n,300)':y=160";
    let scene = format!("color=red:{half}[a];color=blue:{half}[b];[a][b]hstack[h];{square}");
    let output = Command::new("ffmpeg")
        .args(["-loglevel", "error", "-filter_complex", &scene, "-pix_fmt", "yuv420p", "-c:v", "libx264"])
        .args(["-profile:v", "baseline", "-b:v", "100k", "-x264-params"])
        .args(["keyint=infinite:scenecut=0:bframes=0:aud=1:threads=1", "-f", "h264", "-"])
        .stdin(Stdio::null())
        .output()
        .expect("ffmpeg; `.ci/prepare test` installs it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Each begins with a delimiter.
    let stream = output.stdout;
    let begins: Vec<usize> = (0..stream.len()).filter(|at| stream[*at..].starts_with(&[0, 0, 0, 1, 9])).collect();
    let ends = begins[1..].iter().copied().chain([stream.len()]);
    begins.iter().zip(ends).map(|(begin, end)| stream[*begin..end].to_vec()).collect()
}

fn without_tables(jpeg: &[u8]) -> Vec<u8> {
    let (mut out, mut at) = (jpeg[..2].to_vec(), 2);
    while jpeg[at + 1] != 0xDA {
        let length = 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
        if jpeg[at + 1] != 0xC4 {
            out.extend_from_slice(&jpeg[at..at + length]);
        }
        at += length;
    }
    out.extend_from_slice(&jpeg[at..]);
    out
}

/// Sends a frame five times a second, as long as it is plugged in.
fn stream(plugged: &Plugged, state: &Mutex<State>, frames: &Frames) {
    let cut = frames.own_tables[..frames.own_tables.len() / 2].to_vec();
    let mut wrong = frames.bare.clone();
    let middle = wrong.len() / 2;
    wrong[middle..middle + 40].fill(0xFF);
    let mut next = 0;
    for n in 0u64.. {
        thread::sleep(Duration::from_millis(200));
        let (mood, is_h264) = {
            let mut state = lock(state);
            let mood = state.mood;
            if mood == Mood::OneDamaged {
                state.mood = Mood::Good;
            }
            next = if std::mem::take(&mut state.keyframe) { 0 } else { (next + 1) % frames.h264.len() };
            (mood, state.probe[2] == 2)
        };
        let frame = match (mood, n % 7) {
            (Mood::Silent, _) => continue,
            _ if is_h264 => &frames.h264[next],
            (Mood::Cut, _) | (Mood::Good, 3) => &cut,
            (Mood::OtherSize, _) => &frames.other_size,
            (Mood::Good, 5) => &wrong,
            (Mood::Good | Mood::OneDamaged, n) if n % 2 == 0 => &frames.own_tables,
            (Mood::Good | Mood::OneDamaged, _) => &frames.bare,
        };
        let error = if mood == Mood::OneDamaged { 0x40 } else { 0 };
        // Each payload begins with a header of two bytes: its length, and frame's parity, end of frame, error, end of header.
        let mut left = frame.as_slice();
        while !left.is_empty() {
            let sent = plugged.send(Duration::from_millis(200), |room| {
                let (now, rest) = left.split_at(left.len().min(room.saturating_sub(2)));
                left = rest;
                let flags = 0x80 | error | (n as u8 & 1) | if rest.is_empty() { 2 } else { 0 };
                [&[2, flags], now].concat()
            });
            match sent {
                None => return,
                Some(true) => {}
                // Nobody wants it.
                Some(false) => break,
            }
        }
    }
}

/// A control of the webcam's, as its unit describes it.
struct Control {
    unit: u8,
    selector: u8,
    bytes: usize,
    low: i64,
    high: i64,
    step: i64,
    default: i64,
}

/// The extension unit of cameras that encode H.264.
pub const ENCODER: u8 = 4;
/// Its control that tells what the next picture shall be.
const PICTURE_TYPE: u8 = 9;

/// Unit 1 is the camera's terminal, unit 2 its processing unit.
const CONTROLS: [Control; 9] = [
    // How exposure is found: a bit each for by hand (1) and for by itself (8), of which the step tells which there are.
    Control { unit: 1, selector: 2, bytes: 1, low: 1, high: 8, step: 9, default: 8 },
    EXPOSURE,
    FOCUS,
    FOCUS_AUTO,
    // 50 or 60 Hz.
    Control { unit: 2, selector: 5, bytes: 1, low: 0, high: 2, step: 1, default: 2 },
    // How it would encode, how it shall, what the next picture shall be, and how many bits.
    Control { unit: ENCODER, selector: 1, bytes: 46, low: 0, high: 0, step: 0, default: 0 },
    Control { unit: ENCODER, selector: 2, bytes: 46, low: 0, high: 0, step: 0, default: 0 },
    Control { unit: ENCODER, selector: PICTURE_TYPE, bytes: 4, low: 0, high: 0, step: 0, default: 0 },
    Control { unit: ENCODER, selector: 14, bytes: 10, low: 0, high: 0, step: 0, default: 0 },
];
const EXPOSURE: Control = Control { unit: 1, selector: 4, bytes: 4, low: 3, high: 2047, step: 1, default: 250 };
const FOCUS: Control = Control { unit: 1, selector: 6, bytes: 2, low: 0, high: 250, step: 5, default: 0 };
const FOCUS_AUTO: Control = Control { unit: 1, selector: 8, bytes: 1, low: 0, high: 1, step: 1, default: 1 };

impl Control {
    fn value(&self, value: i64) -> Vec<u8> {
        let mut bytes = value.to_le_bytes().to_vec();
        bytes.resize(self.bytes, 0);
        bytes
    }
}

impl State {
    fn answer(&mut self, setup: Setup, data: &[u8]) -> Option<Vec<u8>> {
        let (high, low) = ((setup.value >> 8) as u8, setup.value as u8);
        match (setup.kind, setup.request) {
            // GET_DESCRIPTOR
            (0x80, 6) => match high {
                1 => Some(vec![18, 1, 0, 2, 0xEF, 2, 1, 64, 0x09, 0x12, 1, 0, 0, 1, 0, 1, 0, 1]),
                2 => Some(configuration()),
                3 if low == 0 => Some(vec![4, 3, 9, 4]),
                3 => {
                    let text: Vec<u8> = NAME.encode_utf16().flat_map(u16::to_le_bytes).collect();
                    Some([&[text.len() as u8 + 2, 3], text.as_slice()].concat())
                }
                _ => None,
            },
            // GET_STATUS
            (0x80..=0x82, 0) => Some(vec![0, 0]),
            // CLEAR_FEATURE, SET_CONFIGURATION, SET_INTERFACE
            (0..=2, 1 | 9 | 11) => Some(Vec::new()),
            (0x21 | 0xA1, request) => match ((setup.index >> 8) as u8, setup.index as u8) {
                (0, 1) => self.stream_control(request, high, data),
                (unit, 0) => self.unit_control(request, unit, high, data),
                _ => None,
            },
            _ => None,
        }
    }

    /// VS_PROBE_CONTROL (1) and VS_COMMIT_CONTROL (2).
    fn stream_control(&mut self, request: u8, selector: u8, data: &[u8]) -> Option<Vec<u8>> {
        match request {
            0x01 => {
                let wanted = |at: usize| data.get(at).copied().unwrap_or(1).clamp(1, 2);
                self.probe = probe(wanted(2), wanted(3));
                if selector == 2 {
                    self.starts += 1;
                }
                Some(Vec::new())
            }
            0x85 => Some(vec![26, 0]),
            0x86 => Some(vec![3]),
            0x81..=0x87 => Some(self.probe.to_vec()),
            _ => None,
        }
    }

    fn unit_control(&mut self, request: u8, unit: u8, selector: u8, data: &[u8]) -> Option<Vec<u8>> {
        let control = CONTROLS.iter().find(|control| (control.unit, control.selector) == (unit, selector))?;
        let current = self.controls.entry((unit, selector)).or_default();
        match request {
            0x01 => {
                *current = data.to_vec();
                if (unit, selector) == (ENCODER, PICTURE_TYPE) {
                    self.keyframe = true;
                    self.asked += 1;
                }
                Some(Vec::new())
            }
            0x81 => Some(current.clone()),
            0x82 => Some(control.value(control.low)),
            0x83 => Some(control.value(control.high)),
            0x84 => Some(control.value(control.step)),
            0x85 => Some(vec![control.bytes as u8, 0]),
            0x86 => Some(vec![3]),
            0x87 => Some(control.value(control.default)),
            _ => None,
        }
    }
}

/// Time between frames, in units of 100 ns.
const INTERVAL: u32 = 2_000_000;
/// Most that one frame takes, and most that one transfer takes.
const FRAME: u32 = 200_000;
const PAYLOAD: u32 = 16_384;

fn probe(format: u8, frame: u8) -> [u8; 26] {
    let mut probe = [0; 26];
    (probe[2], probe[3]) = (format, frame);
    probe[4..8].copy_from_slice(&INTERVAL.to_le_bytes());
    probe[18..22].copy_from_slice(&FRAME.to_le_bytes());
    probe[22..26].copy_from_slice(&PAYLOAD.to_le_bytes());
    probe
}

/// The configuration: an interface of controls, and one that streams MJPEG and H.264 over a bulk endpoint.
fn configuration() -> Vec<u8> {
    let frame = |index: u8, width: u16, height: u16| {
        let sizes = [width.to_le_bytes(), height.to_le_bytes()].concat();
        let rates = [1_000_000u32, 8_000_000, FRAME, INTERVAL].map(u32::to_le_bytes).concat();
        [&[30, 0x24, 7, index, 0], sizes.as_slice(), &rates, &[1], &INTERVAL.to_le_bytes()].concat()
    };
    // Of frames that another standard describes: here H264, whose name begins with that.
    let coded = || {
        let guid = *b"H264\0\0\x10\0\x80\0\0\xAA\0\x38\x9B\x71";
        let sizes = [WIDTH.to_le_bytes(), HEIGHT.to_le_bytes()].concat();
        let rates = [100_000u32, 2_000_000, INTERVAL].map(u32::to_le_bytes).concat();
        let intervals = [0, INTERVAL].map(u32::to_le_bytes).concat();
        [
            [&[28, 0x24, 0x10, 2, 1], guid.as_slice(), &[16, 1, 0, 0, 0, 0, 1]].concat(),
            [&[30, 0x24, 0x11, 1, 0], sizes.as_slice(), &rates, &[1], &intervals].concat(),
        ]
        .concat()
    };
    let encoder = *b"\x41\x76\x9E\xA2\x04\xDE\xE3\x47\x8B\x2B\xF4\x34\x1A\xFF\x00\x3B";
    let units = [
        // The camera's terminal: how to expose, exposure time, focus, focus by itself.
        vec![18, 0x24, 2, 1, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0b0010_1010, 0, 0b10],
        // The processing unit: power-line frequency.
        vec![11, 0x24, 5, 2, 1, 0, 0, 2, 0, 0b100, 0],
        // The encoder, of which there are the first, second, ninth and fourteenth control.
        [&[27, 0x24, 6, ENCODER], encoder.as_slice(), &[4, 1, 2, 2, 0b11, 0b10_0001, 0]].concat(),
        // The way out, to the host.
        vec![9, 0x24, 3, 3, 1, 1, 0, ENCODER, 0],
    ]
    .concat();
    let total = (13 + units.len() as u16).to_le_bytes();
    let formats =
        [vec![11, 0x24, 6, 1, 2, 1, 1, 0, 0, 0, 0], frame(1, WIDTH, HEIGHT), frame(2, 2 * WIDTH, 2 * HEIGHT), coded()]
            .concat();
    let streaming = (15 + formats.len() as u16).to_le_bytes();
    let body = [
        vec![8, 0x0B, 0, 2, 0x0E, 3, 0, 0],
        vec![9, 4, 0, 0, 0, 0x0E, 1, 0, 0],
        vec![13, 0x24, 1, 0, 1, total[0], total[1], 0x80, 0x8D, 0x5B, 0, 1, 1],
        units,
        vec![9, 4, 1, 0, 1, 0x0E, 2, 0, 0],
        vec![15, 0x24, 1, 2, streaming[0], streaming[1], 0x81, 0, 3, 0, 0, 0, 1, 0, 0],
        formats,
        vec![7, 5, 0x81, 2, 0, 2, 0],
    ]
    .concat();
    let length = (9 + body.len() as u16).to_le_bytes();
    [&[9, 2, length[0], length[1], 2, 1, 0, 0x80, 50], body.as_slice()].concat()
}
