//! The driver as the intercom uses it, against servers that behave like cameras, well and badly.

mod bodies;
mod refusals;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use intercom_base::picture::I420;
use turbojpeg::Subsamp;

use super::*;
use crate::jpeg::Jpeg;
use crate::jpeg::samples::{assert_alike, jpeg, smooth, without_tables};

/// Long enough for a busy machine; only a failing test waits for it.
const LONG: Duration = Duration::from_secs(20);

/// A server that treats its first connection as `serve` says, its second as well, and so on; with the requests it got.
fn camera(serve: impl Fn(usize, &mut TcpStream) + Send + 'static) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let (tell, requests) = channel();
    thread::spawn(move || {
        for (n, socket) in listener.incoming().enumerate() {
            let Ok(mut socket) = socket else { return };
            let (mut request, mut byte) = (String::new(), [0]);
            while !request.ends_with("\r\n\r\n") && socket.read(&mut byte).is_ok_and(|count| count > 0) {
                request.push(byte[0].into());
            }
            if tell.send(request).is_err() {
                return;
            }
            serve(n, &mut socket);
        }
    });
    (format!("http://{at}/video?secret=1"), requests)
}

const HEAD: &str = "HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=frame\r\n\r\n";

fn part(jpeg: &[u8]) -> Vec<u8> {
    let head = format!("--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", jpeg.len());
    [head.as_bytes(), jpeg, b"\r\n"].concat()
}

fn opener(options: &str) -> Result<BoxedOpener<dyn CaptureVideo>, ConfigError> {
    let wanted = Wanted { camera: VideoMode { width: 640, height: 480, rate: 30.0 }, display: (640, 480) };
    configure(&options.parse().expect("test TOML"), &wanted)
}

fn at(url: &str) -> BoxedOpener<dyn CaptureVideo> {
    opener(&format!("url = '{url}'")).expect("a good config")
}

fn frame(camera: &mut Box<dyn CaptureVideo>) -> Result<VideoFrame, DeviceError> {
    let end = clock::now() + LONG;
    loop {
        if let Some(frame) = camera.capture(end)? {
            return Ok(frame);
        }
        assert!(clock::now() < end, "no frame");
    }
}

/// What the jail would make of it.
fn pixels(frame: &VideoFrame) -> I420 {
    let Image::Jpeg(bytes) = &frame.image else { panic!("{frame:?}") };
    let (width, height) = jpeg::size(bytes).expect("a JPEG");
    let mut picture = I420::black(width, height);
    Jpeg::default().decode(bytes, &mut picture).expect("a good one");
    picture
}

/// Sends parts until the far end is gone.
fn send_all(socket: &mut TcpStream, parts: impl Iterator<Item = Vec<u8>>) {
    for part in parts {
        if socket.write_all(&part).is_err() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn pictures_arrive_with_growing_numbers() {
    let picture = smooth(96, 64);
    let (good, bare) = (jpeg(&picture, Subsamp::Sub2x1), without_tables(&jpeg(&picture, Subsamp::Sub2x1)));
    let (url, requests) = camera(move |_, socket| {
        let _ = socket.write_all(HEAD.as_bytes());
        send_all(socket, (0..).map(|n| part(if n % 2 == 0 { &good } else { &bare })));
    });
    let mut opener = at(&url);
    assert!(!opener.describe().contains("secret"));
    let mut camera = opener.open().expect("a camera");
    let request = requests.recv_timeout(LONG).unwrap();
    assert!(request.starts_with("GET /video?secret=1 HTTP/1.0\r\n"), "{request}");
    assert_eq!((camera.mode().width, camera.mode().height), (96, 64));
    let mut last: Option<VideoFrame> = None;
    for _ in 0..6 {
        let frame = frame(&mut camera).expect("a frame");
        assert_alike(&pixels(&frame), &picture, 6, "over the network");
        assert!(last.is_none_or(|last| frame.sequence > last.sequence && frame.captured > last.captured));
        assert!(frame.captured <= clock::now());
        last = Some(frame);
    }
}

#[test]
fn what_is_no_picture_is_skipped_a_new_size_is_followed_and_the_end_is_an_error_that_opens_anew() {
    let (small, large) = (jpeg(&smooth(32, 32), Subsamp::Sub2x2), jpeg(&smooth(64, 48), Subsamp::Gray));
    let (url, _requests) = camera(move |_, socket| {
        let cut = small[..20].to_vec();
        let spoilt = [small.as_slice(), &cut, b"no JPEG at all", &small, &small[2..], &large, &large];
        let _ = socket.write_all(HEAD.as_bytes());
        send_all(socket, spoilt.into_iter().flat_map(|jpeg| [part(jpeg), part(&cut)]));
    });
    let mut opener = at(&url);
    for _ in 0..2 {
        let mut camera = opener.open().expect("a camera");
        assert_eq!((camera.mode().width, camera.mode().height), (32, 32));
        let mut sizes = vec![32];
        let error = loop {
            match frame(&mut camera) {
                Ok(frame) => sizes.push(pixels(&frame).width()),
                Err(error) => break error,
            }
        };
        sizes.dedup();
        assert_eq!(sizes, [32, 64]);
        assert_eq!(camera.mode().width, 64);
        assert!(matches!(&error, DeviceError::Io(why) if why.contains("closed")), "{error}");
    }
}

#[test]
fn a_camera_that_sends_only_rubbish_or_nothing_is_given_up() {
    let good = jpeg(&smooth(32, 32), Subsamp::Sub2x2);
    let (url, _requests) = camera(move |n, socket| {
        let _ = socket.write_all(HEAD.as_bytes());
        send_all(socket, (0..3).map(|_| part(&good)));
        match n {
            0 => send_all(socket, (0..).map(|_| part(&good[..100]))),
            1 => send_all(socket, (0..).map(|_| part(b"rubbish"))),
            _ => drop(socket.read(&mut [0])),
        }
    });
    let mut opener = at(&url);
    for (words, remedy) in
        [("only bad frames", "quality"), ("has no JPEG in it", "MJPEG"), ("no frame in 5 s", "cable and power")]
    {
        let mut camera = opener.open().expect("a camera");
        let error = loop {
            match camera.capture(clock::now() + Duration::from_millis(100)) {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert!(error.to_string().contains(words) && error.remedy().contains(remedy), "{error}; {}", error.remedy());
    }
}

#[test]
fn who_asks_after_a_pause_gets_a_new_picture() {
    let shades: Vec<Vec<u8>> = (0..2).map(|n| part(&jpeg(&flat(60 + 100 * n), Subsamp::Gray))).collect();
    let (paused, pause) = channel::<()>();
    let (url, _requests) = camera(move |_, socket| {
        let _ = socket.write_all(HEAD.as_bytes());
        send_all(socket, (0..3).map(|_| shades[0].clone()));
        // The test pauses; meanwhile a heap of old pictures gathers, then new ones come.
        let _ = pause.recv();
        (0..200).for_each(|_| drop(socket.write_all(&shades[0])));
        let _ = pause.recv();
        send_all(socket, std::iter::repeat_with(|| shades[1].clone()));
    });
    let mut camera = at(&url).open().expect("a camera");
    frame(&mut camera).expect("a frame");
    paused.send(()).unwrap();
    thread::sleep(PAUSE * 2);
    let old = camera.capture(clock::now() + Duration::from_millis(100)).expect("it works");
    assert!(old.is_none(), "all that is there is old");
    paused.send(()).unwrap();
    assert!(pixels(&frame(&mut camera).expect("a frame")).planes()[0][0] > 120);
}

fn flat(luma: u8) -> I420 {
    let mut picture = I420::black(32, 32);
    picture.planes_mut()[0].fill(luma);
    picture
}

#[test]
fn options_are_checked_at_boot() {
    for (options, key) in [
        ("", "url"),
        ("url = 'https://cam/'", "url"),
        ("url = 'http://cam/'\npassword = 'x'", "user"),
        ("url = 'http://cam/'\nuser = 'a:b'", "user"),
        ("url = 'http://cam/'\nuser = 'a'\npassword = \"\\n.\"", "password"),
        (&format!("url = 'http://cam/'\nuser = 'a'\npassword = '{}'", "x".repeat(1001)), "password"),
    ] {
        assert_eq!(opener(options).err().expect(options).key, key);
    }
    assert!(DRIVER.name == "http-mjpeg" && (DRIVER.detect)(&toml::Table::new()).is_err());
}
