//! JPEGs of a camera on the network, in their jail: by itself, and with the driver, the camera's thread and a real connection.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded};
use intercom::shell::devices::DeviceContext;
use intercom::shell::devices::camera::{Outlets, spawn_camera};
use intercom::shell::devices::pictures::{Board, Undecoded};
use intercom::shell::jail::JailReports;
use intercom::shell::jail::{Codec, Jail, Program};
use intercom::shell::wake::Wake;
use intercom::shell::wires::{ToLoop, ToLoopHandle, ViewerInfo, VisitId};
use intercom_core::call::protocol::CameraState;
use intercom_drivers::contract::{VideoMode, Wanted};
use intercom_drivers::registry;

use crate::{jail_for, kill, luma, signal, starts};

/// Long enough for a busy machine; only a failing test waits for it.
const LONG: Duration = Duration::from_secs(60);

/// A grey JPEG.
pub fn jpeg(width: usize, height: usize, luma: u8) -> Vec<u8> {
    let mut compressor = turbojpeg::Compressor::new().expect("a compressor");
    compressor.set_subsamp(turbojpeg::Subsamp::Sub2x2);
    let (format, pitch) = (turbojpeg::PixelFormat::RGB, 3 * width);
    let pixels = vec![luma; pitch * height];
    let image = turbojpeg::Image { pixels: &pixels[..], width, pitch, height, format };
    compressor.compress_to_vec(image).expect("a JPEG")
}

/// What the contract's range makes of a JPEG's.
fn limited(luma: u8) -> u8 {
    (16.0 + f32::from(luma) * 219.0 / 255.0).round() as u8
}

#[test]
fn jpegs_come_out_as_they_went_in_and_damage_is_an_answer() {
    let (mut jail, reports) = jail_for(Codec::Jpeg);
    for (width, height, shade) in [(320, 240, 50), (1920, 1080, 100), (33, 17, 200), (4096, 2160, 220)] {
        let picture = jail.decode_jpeg(&jpeg(width, height, shade)).expect("decoded").expect("a picture");
        assert_eq!((picture.width(), picture.height()), (width, height));
        assert!(luma(&picture).abs_diff(limited(shade)) < 3, "{} for {shade}", luma(&picture));
    }
    let good = jpeg(320, 240, 50);
    for bad in [&good[..good.len() / 2], b"no JPEG at all", &[0; 70_000]] {
        assert!(matches!(jail.decode_jpeg(bad), Err(Undecoded::Broken(_))));
    }
    assert!(
        matches!(jail.decode_jpeg(&vec![0; 9 << 20]), Err(Undecoded::Broken(_))),
        "it is too long to be handed over"
    );
    assert!(jail.decode_jpeg(&good).expect("decoded").is_some());
    assert_eq!(starts(&reports, Codec::Jpeg), 1);
    // A jail decodes its own kind only.
    let (mut jail, _) = crate::jail();
    assert!(!matches!(jail.decode_jpeg(&good), Ok(Some(_))));
}

#[test]
fn killed_or_hung_the_next_jpeg_shows() {
    let (mut jail, reports) = jail_for(Codec::Jpeg);
    let good = jpeg(320, 240, 50);
    assert!(jail.decode_jpeg(&good).expect("decoded").is_some());
    kill(jail.pid().expect("a process"));
    assert!(jail.decode_jpeg(&good).expect("decoded").is_some());
    signal(jail.pid().expect("a process"), "STOP");
    assert_eq!(jail.decode_jpeg(&good), Err(Undecoded::Lost { by_this: true }));
    assert!(jail.decode_jpeg(&good).expect("decoded").is_some());
    assert_eq!(starts(&reports, Codec::Jpeg), 3);
}

/// What the camera on the network sends now.
const GOOD: u8 = 0;
const DAMAGED: u8 = 1;

/// A camera that sends what it is told to, to anyone who connects. Its address.
fn network_camera(sends: Arc<AtomicU8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("its address");
    thread::spawn(move || {
        let good = jpeg(320, 240, 50);
        for socket in listener.incoming() {
            let Ok(mut socket) = socket else { return };
            let sends = Arc::clone(&sends);
            let good = good.clone();
            thread::spawn(move || {
                let _ = socket.read(&mut [0; 1024]);
                let head = "HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=b\r\n\r\n";
                let mut result = socket.write_all(head.as_bytes());
                while result.is_ok() {
                    let jpeg = if sends.load(Ordering::Relaxed) == GOOD { &good[..] } else { &good[..good.len() / 2] };
                    let head = format!("--b\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", jpeg.len());
                    result = socket.write_all(&[head.as_bytes(), jpeg, b"\r\n"].concat());
                    thread::sleep(Duration::from_millis(20));
                }
            });
        }
    });
    format!("http://{at}/")
}

struct Room {
    board: Arc<Board>,
    context: DeviceContext,
    reports: Arc<JailReports>,
    news: Receiver<ToLoop>,
}

impl Room {
    /// Waits for a picture that is none from before.
    fn sees_itself(&self) {
        self.board.clear_own();
        let until = Instant::now() + LONG;
        loop {
            let shown = self.board.wait(u64::MAX, Instant::now());
            if let Some(picture) = shown.own {
                assert!(luma(&picture).abs_diff(limited(50)) < 3);
                return;
            }
            assert!(Instant::now() < until, "no picture");
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn pid(&self) -> u32 {
        self.reports.all()[&Codec::Jpeg].pid.expect("a process")
    }

    fn camera(&self) -> CameraState {
        match self.news.recv_timeout(LONG) {
            Ok(ToLoop::Camera(state)) => state,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn home_sees_itself_by_a_camera_on_the_network_whatever_becomes_of_the_jail() {
    let sends = Arc::new(AtomicU8::new(GOOD));
    let options = format!("url = '{}'", network_camera(Arc::clone(&sends))).parse().expect("options");
    let driver = registry::find(registry::CAMERAS, "http-mjpeg").expect("the driver");
    let wanted = Wanted { camera: VideoMode { width: 320, height: 240, rate: 30.0 }, display: (640, 480) };
    let opener = (driver.configure)(&options, &wanted).expect("good options");
    let (context, reports) = (DeviceContext::default(), Arc::new(JailReports::default()));
    let board = Arc::new(Board::new(true));
    let (events, news) = bounded(64);
    let handle = ToLoopHandle { events, wake: Wake::new().expect("an eventfd") };
    let jail = Jail::new(Codec::Jpeg, Program::at(env!("CARGO_BIN_EXE_intercom")), Arc::clone(&reports));
    let outlets = Outlets {
        first: Arc::default(),
        size: (320, 240),
        need: intercom_base::units::Bitrate::from_kbps(100),
        others: Vec::new(),
        snapshots: Arc::default(),
        board: Arc::clone(&board),
    };
    board.set_screen(true);
    let since = Instant::now();
    let viewer = ViewerInfo { visit: VisitId(1), name: None, since, camera: false, microphone: false, connected: true };
    board.set_viewers(vec![viewer]);
    context.activity.set_visited(true);
    let worker = spawn_camera(opener, outlets, jail, context.clone(), handle).expect("a thread");
    let room = Room { board, context, reports, news };
    room.sees_itself();
    assert_eq!(room.camera(), CameraState::Live);
    let first = room.pid();
    signal(first, "KILL");
    room.sees_itself();
    let second = room.pid();
    signal(second, "STOP");
    room.sees_itself();
    assert!(room.pid() != second && second != first);
    assert!(room.news.is_empty(), "it did not count as unplugged meanwhile");
    // What is damaged is not shown, and a camera that sends nothing else is told as such.
    sends.store(DAMAGED, Ordering::Relaxed);
    assert_eq!(room.camera(), CameraState::Unplugged);
    sends.store(GOOD, Ordering::Relaxed);
    assert_eq!(room.camera(), CameraState::Live);
    room.sees_itself();
    room.context.activity.stop();
    worker.dismiss();
    assert!(worker.join_within(LONG));
}
