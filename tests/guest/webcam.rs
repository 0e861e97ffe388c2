//! A USB webcam that is a part of the test, so that it can misbehave as told: MJPEG over a bulk endpoint, and the controls
//! that webcams have (USB Device Class Definition for Video Devices 1.0). The guest's own `uvcvideo` drives it.

use std::collections::HashMap;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::usbip::{Plugged, Setup};

/// What it calls itself.
pub const NAME: &str = "Borrowed Webcam";

/// How it behaves; all but the first until it is opened anew.
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
            probe: probe(1),
            starts: 0,
            controls: CONTROLS.iter().map(|c| ((c.unit, c.selector), c.value(c.default))).collect(),
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

    /// What stands in one of its controls.
    pub fn control(&self, unit: u8, selector: u8) -> i64 {
        let bytes = lock(&self.state).controls.get(&(unit, selector)).cloned().unwrap_or_default();
        bytes.iter().rev().fold(0, |value, byte| value << 8 | i64::from(*byte))
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
}

impl Frames {
    fn record() -> Frames {
        let bare = without_tables(&frame(WIDTH, HEIGHT, "default"));
        Frames { own_tables: frame(WIDTH, HEIGHT, "optimal"), bare, other_size: frame(160, 120, "default") }
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
    for n in 0u64.. {
        thread::sleep(Duration::from_millis(200));
        let jpeg = match (lock(state).mood, n % 7) {
            (Mood::Silent, _) => continue,
            (Mood::Cut, _) | (Mood::Good, 3) => &cut,
            (Mood::OtherSize, _) => &frames.other_size,
            (Mood::Good, 5) => &wrong,
            (Mood::Good, n) if n % 2 == 0 => &frames.own_tables,
            (Mood::Good, _) => &frames.bare,
        };
        // Each payload begins with a header of two bytes: its length, and frame's parity, end of frame, end of header.
        let mut left = jpeg.as_slice();
        while !left.is_empty() {
            let sent = plugged.send(Duration::from_millis(200), |room| {
                let (now, rest) = left.split_at(left.len().min(room.saturating_sub(2)));
                left = rest;
                let flags = 0x80 | (n as u8 & 1) | if rest.is_empty() { 2 } else { 0 };
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

/// Unit 1 is the camera's terminal, unit 2 its processing unit.
const CONTROLS: [Control; 5] = [
    // How exposure is found: a bit each for by hand (1) and for by itself (8), of which the step tells which there are.
    Control { unit: 1, selector: 2, bytes: 1, low: 1, high: 8, step: 9, default: 8 },
    EXPOSURE,
    FOCUS,
    FOCUS_AUTO,
    // 50 or 60 Hz.
    Control { unit: 2, selector: 5, bytes: 1, low: 0, high: 2, step: 1, default: 2 },
];
const EXPOSURE: Control = Control { unit: 1, selector: 4, bytes: 4, low: 3, high: 2047, step: 1, default: 250 };
const FOCUS: Control = Control { unit: 1, selector: 6, bytes: 2, low: 0, high: 250, step: 5, default: 0 };
const FOCUS_AUTO: Control = Control { unit: 1, selector: 8, bytes: 1, low: 0, high: 1, step: 1, default: 1 };

impl Control {
    fn value(&self, value: i64) -> Vec<u8> {
        value.to_le_bytes()[..self.bytes].to_vec()
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
                self.probe = probe(data.get(3).copied().unwrap_or(1).clamp(1, 2));
                if selector == 2 {
                    // Whatever was wrong with it, opening it anew mends it.
                    self.starts += 1;
                    self.mood = Mood::Good;
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

fn probe(frame: u8) -> [u8; 26] {
    let mut probe = [0; 26];
    (probe[2], probe[3]) = (1, frame);
    probe[4..8].copy_from_slice(&INTERVAL.to_le_bytes());
    probe[18..22].copy_from_slice(&FRAME.to_le_bytes());
    probe[22..26].copy_from_slice(&PAYLOAD.to_le_bytes());
    probe
}

/// The configuration: an interface of controls, and one that streams MJPEG over a bulk endpoint.
fn configuration() -> Vec<u8> {
    let frame = |index: u8, width: u16, height: u16| {
        let sizes = [width.to_le_bytes(), height.to_le_bytes()].concat();
        let rates = [1_000_000u32, 8_000_000, FRAME, INTERVAL].map(u32::to_le_bytes).concat();
        [&[30, 0x24, 7, index, 0], sizes.as_slice(), &rates, &[1], &INTERVAL.to_le_bytes()].concat()
    };
    let units = [
        // The camera's terminal: how to expose, exposure time, focus, focus by itself.
        vec![18, 0x24, 2, 1, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0b0010_1010, 0, 0b10],
        // The processing unit: power-line frequency.
        vec![11, 0x24, 5, 2, 1, 0, 0, 2, 0, 0b100, 0],
        // The way out, to the host.
        vec![9, 0x24, 3, 3, 1, 1, 0, 2, 0],
    ]
    .concat();
    let total = (13 + units.len() as u16).to_le_bytes();
    let formats =
        [vec![11, 0x24, 6, 1, 2, 1, 1, 0, 0, 0, 0], frame(1, WIDTH, HEIGHT), frame(2, 2 * WIDTH, 2 * HEIGHT)].concat();
    let streaming = (14 + formats.len() as u16).to_le_bytes();
    let body = [
        vec![8, 0x0B, 0, 2, 0x0E, 3, 0, 0],
        vec![9, 4, 0, 0, 0, 0x0E, 1, 0, 0],
        vec![13, 0x24, 1, 0, 1, total[0], total[1], 0x80, 0x8D, 0x5B, 0, 1, 1],
        units,
        vec![9, 4, 1, 0, 1, 0x0E, 2, 0, 0],
        vec![14, 0x24, 1, 1, streaming[0], streaming[1], 0x81, 0, 3, 0, 0, 0, 1, 0],
        formats,
        vec![7, 5, 0x81, 2, 0, 2, 0],
    ]
    .concat();
    let length = (9 + body.len() as u16).to_le_bytes();
    [&[9, 2, length[0], length[1], 2, 1, 0, 0x80, 50], body.as_slice()].concat()
}
