//! Targets of `make fuzz` for the drivers' parsers of bytes from outside: a camera on the network, a command's output, a webcam,
//! a screen. Tests and the fuzzing build have them; no other build does, so that nobody can name a driver.

use intercom_base::picture::I420;

use crate::camera::exec::y4m::{self, Y4m};
use crate::camera::http_mjpeg::address::Address;
use crate::camera::http_mjpeg::auth;
use crate::camera::http_mjpeg::reply::{Head, Piece, Reply};
use crate::camera::http_mjpeg::scan::{self, Scanner};
use crate::camera::http_mjpeg::session::{DigestOffered, Next, Session};
use crate::camera::v4l2::convert::{Converter, Layout};
use crate::camera::v4l2::extension;
use crate::camera::v4l2::mode::PixelFormat;
use crate::cards;
use crate::jpeg::{self, Jpeg};

/// A target: its name, which is that of its folders below `tests/fuzz`, what it does, and its seeds.
pub type Target = (&'static str, fn(&[u8]), fn() -> Vec<Vec<u8>>);

/// All of them.
pub const TARGETS: &[Target] = &[
    ("y4m", fuzz_y4m, y4ms),
    ("mjpeg", fuzz_mjpeg, mjpegs),
    ("camera_address", fuzz_address, addresses),
    ("jpeg", fuzz_jpeg, jpegs),
    ("pixels", fuzz_pixels, pixels),
    ("descriptors", fuzz_descriptors, descriptors),
    ("eld", fuzz_eld, elds),
];

/// Pictures have the size that the header says, however the bytes are cut.
fn fuzz_y4m(data: &[u8]) {
    let mut counts = Vec::new();
    for piece in [data.first().map_or(1, |first| usize::from(*first) + 1), usize::MAX] {
        let (mut y4m, mut rest, mut size, mut frames) = (Y4m::default(), data, (0, 0), 0);
        while !rest.is_empty() {
            let space = y4m.space();
            let count = space.len().min(piece).min(rest.len());
            assert!(count > 0, "a reader would wait for ever");
            let (now, later) = rest.split_at(count);
            space[..count].copy_from_slice(now);
            rest = later;
            match y4m.filled(count) {
                Ok(y4m::Event::Header(header)) => {
                    assert!((1..=4096).contains(&header.width) && (1..=4096).contains(&header.height));
                    // More memory than an engine allows itself, and no more to be learnt from it.
                    if header.width * header.height > 1 << 20 {
                        return;
                    }
                    size = (header.width, header.height);
                    assert!(header.mode(30.0).rate > 0.0);
                }
                Ok(y4m::Event::Frame(frame)) => {
                    assert_eq!((frame.width(), frame.height()), size);
                    frames += 1;
                }
                Ok(y4m::Event::More | y4m::Event::FrameBegins) => {}
                Err(_) => break,
            }
        }
        counts.push(frames);
    }
    assert_eq!(counts[0], counts[1], "cut otherwise, other pictures");
}

/// What a camera's answer holds, with its end; or why it could not be read.
fn pictures(data: &[u8], piece: usize) -> (Vec<Vec<u8>>, bool) {
    let (mut reply, mut scanner, mut found) = (Reply::default(), Scanner::new(""), Vec::new());
    for mut bytes in data.chunks(piece) {
        loop {
            let mut body = match reply.take(&mut bytes) {
                Ok(Some(Piece::Head(head))) => {
                    judge(&head);
                    scanner = Scanner::new(&head.boundary);
                    continue;
                }
                Ok(Some(Piece::Body(body))) => body,
                Ok(None) => break,
                Err(_) => return (found, false),
            };
            while let Some(event) = scanner.take(&mut body) {
                if let scan::Event::Picture(jpeg) = event {
                    found.push(jpeg.to_vec());
                }
            }
            assert!(body.is_empty());
        }
        assert!(bytes.is_empty());
    }
    if let Some(scan::Event::Picture(jpeg)) = scanner.finish() {
        found.push(jpeg.to_vec());
    }
    (found, true)
}

/// Whatever a head says, the next request is one request, and goes to the host that was named in the config.
fn judge(head: &Head) {
    let user = ("us\"er".to_owned(), "pass\\word".to_owned());
    let address = Address::parse("http://cam:81/a?b").expect("a good address");
    let mut session = Session::new(address, Some(user), DigestOffered::default());
    session.request("0");
    for client in ["1", "2"] {
        if !matches!(session.handle_head(head), Ok(Next::Ask)) {
            return;
        }
        let request = session.request(client);
        assert_eq!(request.windows(4).filter(|window| window == b"\r\n\r\n").count(), 1);
        let is_text = |byte: &u8| !byte.is_ascii_control() || matches!(byte, b'\r' | b'\n');
        assert!(request.len() < 16 * 1024 && request.iter().all(is_text));
        let lines: Vec<&[u8]> = request.split(|byte| *byte == b'\n').collect();
        assert!(lines.len() <= 9 && lines.iter().any(|line| line.to_ascii_lowercase().starts_with(b"host: cam")));
        assert!(!head.challenges.iter().any(|one| one.starts_with(b"Digest")) || !has(&request, b"Basic "));
        let moved = session.port() != 81;
        assert!(!moved || !has(&request, b"Authorization"), "another port learns nothing");
    }
}

fn has(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

/// The same pictures come out however the bytes are cut, and none is made up.
fn fuzz_mjpeg(data: &[u8]) {
    let (whole, good) = pictures(data, usize::MAX);
    let (cut, cut_good) = pictures(data, data.first().map_or(1, |first| usize::from(*first) + 1));
    assert_eq!(whole, cut, "cut otherwise, other pictures");
    assert_eq!(good, cut_good);
    for picture in whole {
        assert!(picture.starts_with(&[0xFF, 0xD8, 0xFF]) && picture.ends_with(&[0xFF, 0xD9]));
        // Chunks may lie between, and an end mark may have been added.
        assert!(picture.len() <= data.len() + 2);
    }
}

/// A request is one request to the host in the address.
fn fuzz_address(data: &[u8]) {
    let Ok(address) = Address::parse(&String::from_utf8_lossy(data)) else { return };
    let user = ("user".to_owned(), "password".to_owned());
    for proof in [None, Some(auth::basic(&user))] {
        let request = String::from_utf8(address.request(proof.as_deref())).expect("text");
        assert_eq!(request.matches("\r\n\r\n").count(), 1);
        assert!(request.ends_with("\r\n\r\n") && request.is_ascii());
        assert!(request.starts_with("GET /") && request.contains("\r\nHost: "));
    }
    assert!(!address.to_string().contains('?'), "a query may hold a password");
}

/// A picture has the size that its head says, and a decoder is as good as new after a bad one.
fn fuzz_jpeg(data: &[u8]) {
    let mut jpeg = Jpeg::default();
    let Ok((width, height)) = jpeg::size(data) else { return };
    if width * height > 1 << 18 {
        return;
    }
    let mut picture = I420::black(width, height);
    let _ = jpeg.decode(data, &mut picture);
    let good = &jpegs()[0];
    let (width, height) = jpeg::size(good).expect("a good one after it");
    let mut after = I420::black(width, height);
    let decoded = jpeg.decode(good, &mut after);
    assert!(decoded.is_ok(), "{decoded:?}");
    let mut fresh = I420::black(width, height);
    Jpeg::default().decode(good, &mut fresh).expect("a good one");
    assert_eq!(after.packed(), fresh.packed(), "what came before is in the picture");
}

/// A frame of a webcam, as long as it is and of whatever size was agreed on.
fn fuzz_pixels(data: &[u8]) {
    let Some((&[format, width, height, stride], frame)) = data.split_first_chunk() else { return };
    let format = if format & 1 == 0 { PixelFormat::Yuyv } else { PixelFormat::Nv12 };
    let layout = Layout { format, stride: usize::from(stride), full_range: stride & 1 == 0 };
    let mut picture = I420::black(usize::from(width).max(1), usize::from(height).max(1));
    let _ = Converter::new(layout).convert(frame, &mut picture);
}

/// A unit is found where its number stands, and only there.
fn fuzz_descriptors(data: &[u8]) {
    let Some((interface, rest)) = data.split_first() else { return };
    if let Some(unit) = extension::find(rest, *interface) {
        assert!(rest.windows(2).any(|two| two == [6, unit]));
    }
}

/// What a screen says of itself is a name that can be drawn.
fn fuzz_eld(data: &[u8]) {
    if let Some(name) = cards::listener(data) {
        assert!(!name.is_empty() && name.chars().count() <= 31);
    }
}

// ---- Seeds. ----

fn y4ms() -> Vec<Vec<u8>> {
    let stream = |head: &str, frame: &str, bytes: usize| {
        let frame = [frame.as_bytes(), &vec![99; bytes]].concat();
        [head.as_bytes(), &frame, &frame].concat()
    };
    vec![
        stream("YUV4MPEG2 W5 H3 F30000:1001 Ip A1:1 C420jpeg\n", "FRAME\n", 15 + 12),
        stream("YUV4MPEG2 W4 H4 F30:1 Ip C420mpeg2 XCOLORRANGE=FULL\n", "FRAME Ip\n", 24),
    ]
}

fn mjpegs() -> Vec<Vec<u8>> {
    // As short as a picture can be: a table with the bytes of start and end marks in it, a scan, a restart mark, a fill byte.
    let jpeg = b"\xFF\xD8\xFF\xE1\0\x06\xFF\xD8\xFF\xD9\xFF\xFF\xDA\0\x02a\xFF\0\xFF\xD0b\n\xFF\xD9";
    let bare = &jpeg[..jpeg.len() - 2];
    let ok = b"HTTP/1.0 200 OK\r\n";
    let parts = [
        &b"Content-Type: multipart/x-mixed-replace; boundary=--mark\r\n\r\n--other\r\nContent-Type: image/jpeg\r\n\r\n"
            [..],
        jpeg,
        b"\r\n--other\r\nContent-Length: 4\r\n\r\n",
        bare,
        b"\r\n--other\r\n\r\n",
        bare,
        jpeg,
    ]
    .concat();
    let chunked =
        [&b"Transfer-Encoding: chunked\r\n\r\n2\r\n\xFF\xD8\r\n18;x=y\r\n"[..], &jpeg[2..], b"\r\n0\r\n\r\n"].concat();
    let moved = b"HTTP/1.1 302 Found\r\nLocation: http://cam:82/x\r\n\r\n".to_vec();
    let refused = b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"x\\\"\", nonce=\"y\", qop=\"auth\", \
        algorithm=SHA-256, Basic realm=z\r\n\r\n"
        .to_vec();
    let folded = b"HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm=\"x\r\n y\",\r\n\tnonce=\"z\"\r\n\r\n".to_vec();
    vec![[&ok[..], &parts].concat(), [&ok[..], &chunked].concat(), [jpeg, &jpeg[..]].concat(), moved, refused, folded]
}

fn addresses() -> Vec<Vec<u8>> {
    ["http://10.0.0.9/video.mjpg", "HTTP://cam.local:8081", "http://[fe80::1]:81/?action=stream", "http://cam?a=b#x"]
        .map(|text| text.as_bytes().to_vec())
        .to_vec()
}

fn jpegs() -> Vec<Vec<u8>> {
    use turbojpeg::{Compressor, Image, PixelFormat, Subsamp};
    let encoded = |subsamp: Subsamp, width: usize, height: usize| {
        let pixels: Vec<u8> = (0..width * height * 3).map(|n| (n * 7 % 251) as u8).collect();
        let mut compressor = Compressor::new().expect("a compressor");
        compressor.set_quality(80);
        compressor.set_subsamp(subsamp);
        let image = Image { pixels: &pixels[..], width, pitch: width * 3, height, format: PixelFormat::RGB };
        compressor.compress_to_vec(image).expect("a JPEG")
    };
    let mut all = vec![
        encoded(Subsamp::Sub2x2, 16, 16),
        encoded(Subsamp::Sub2x1, 17, 9),
        encoded(Subsamp::Sub1x2, 9, 17),
        encoded(Subsamp::None, 8, 8),
        encoded(Subsamp::Gray, 8, 8),
    ];
    // As webcams send them: without tables.
    let mut bare = all[0].clone();
    while let Some(at) = bare.windows(2).position(|two| two == [0xFF, 0xC4]) {
        let length = 2 + usize::from(u16::from_be_bytes([bare[at + 2], bare[at + 3]]));
        bare.drain(at..at + length);
    }
    all.push(bare);
    all
}

fn pixels() -> Vec<Vec<u8>> {
    vec![[&[0, 6, 5, 12][..], &[100; 60]].concat(), [&[1, 5, 3, 6][..], &[100; 30]].concat()]
}

fn descriptors() -> Vec<Vec<u8>> {
    let interface = [9, 4, 0, 0, 0, 0x0E, 1, 0, 0];
    let unit = [&[28, 0x24, 6, 12][..], &extension::GUID, &[15, 1, 2, 2, 0xFF, 0x7F, 0, 0]].concat();
    vec![[&[0, 18, 1][..], &[0; 16], &interface, &unit].concat()]
}

fn elds() -> Vec<Vec<u8>> {
    let mut eld = vec![0x10, 0, 8, 0, 0x64, 0x10, 0, 1];
    eld.resize(20, 0);
    eld.extend(b"TV\x20\x09\x07\x07\0\0");
    vec![eld]
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_was_learnt_and_what_once_went_wrong_holds() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz");
        for (name, target, seeds) in TARGETS {
            seeds().iter().for_each(|seed| target(seed));
            for folder in ["corpus", "crashes"] {
                let Ok(entries) = std::fs::read_dir(root.join(folder).join(name)) else { continue };
                for entry in entries {
                    let file = entry.expect("an entry").path();
                    let input = std::fs::read(&file).expect("an input");
                    // Seen only if it fails.
                    println!("{}", file.display());
                    target(&input);
                }
            }
        }
    }
}
