//! Cameras that send the same pictures under all sorts of labels, and single pictures.

use super::*;

/// A picture with a smaller one in its first segment, as cameras put thumbnails there.
fn with_thumbnail(jpeg: &[u8]) -> Vec<u8> {
    let small = crate::jpeg::samples::jpeg(&flat(100), Subsamp::Gray);
    let length = (small.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xFF, 0xE1], &length, &small, &jpeg[2..]].concat()
}

fn chunks(body: &[u8], size: usize) -> Vec<u8> {
    let chunk = |bytes: &[u8]| [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
    body.chunks(size).flat_map(chunk).collect()
}

/// Three pictures come out of what `answer` makes of them, and look like the original.
fn assert_shows(name: &str, answer: impl Fn(&[u8]) -> Vec<u8>) {
    let picture = smooth(96, 64);
    let bytes = answer(&with_thumbnail(&jpeg(&picture, Subsamp::Sub2x1)));
    let (url, _requests) = camera(move |_, socket| {
        // Over and over, as a stream; the head comes once.
        let head = bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(0, |at| at + 4);
        let head = if bytes.starts_with(b"HTTP/") { head } else { 0 };
        let _ = socket.write_all(&bytes[..head]);
        send_all(socket, std::iter::repeat_with(|| bytes[head..].to_vec()));
    });
    let mut camera = at(&url).open().unwrap_or_else(|error| panic!("{name}: {error}; {}", error.remedy()));
    for _ in 0..3 {
        let frame = frame(&mut camera).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_alike(&pixels(&frame), &picture, 6, name);
    }
}

#[test]
fn pictures_are_seen_whatever_the_labels_say() {
    for head in [
        "HTTP/1.0 200 OK",
        "HTTP/1.0 200 OK\r\nContent-Type: application/octet-stream",
        "HTTP/1.1 200 OK\r\nContent-Type: text/html",
        "HTTP/1.1 200 OK\r\nContent-Type: image/jpeg",
        "HTTP/1.1 200\r\nContent-Type: video/x-motion-jpeg\r\nContent-Length: 7",
        "HTTP/1.1 206 Partial\r\nContent-Length: 99999999999",
        "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=\"--other\"",
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked",
    ] {
        assert_shows(head, |jpeg| [head.as_bytes(), b"\r\n\r\n", jpeg].concat());
        let cut = |jpeg: &[u8]| [&jpeg[..jpeg.len() - 2], b"\r\n--frame\r\nContent-Length: 3\r\n\r\n"].concat();
        assert_shows(head, |jpeg| [head.as_bytes(), b"\r\n\r\n--frame\r\n\r\n", &cut(jpeg)].concat());
    }
    assert_shows("no head", |jpeg| jpeg.to_vec());
    for size in [1, 7, 1000, 100_000] {
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_shows("chunks", |jpeg| [head, &chunks(&[b"--b\r\n\r\n", jpeg].concat(), size)[..]].concat());
    }
}

#[test]
fn an_address_that_gives_one_picture_is_asked_again_for_each() {
    let shades: Vec<Vec<u8>> = (0..5).map(|n| jpeg(&flat(40 + 40 * n), Subsamp::Gray)).collect();
    for (head, length, keeps) in [
        ("HTTP/1.0 200 OK\r\nContent-Type: image/jpeg\r\n", true, false),
        ("HTTP/1.1 200 OK\r\n", true, true),
        ("HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=x\r\n", false, false),
    ] {
        let shades = shades.clone();
        let (done, wait) = channel::<()>();
        let (url, requests) = camera(move |n, socket| {
            let jpeg = &shades[n.min(4)];
            let length = if length { format!("Content-Length: {}\r\n", jpeg.len()) } else { String::new() };
            let _ = socket.write_all(&[head.as_bytes(), length.as_bytes(), b"\r\n", jpeg].concat());
            if keeps && n == 4 {
                // Some servers do not close, though they were asked to.
                let _ = wait.recv();
            }
        });
        let mut camera = at(&url).open().expect("a camera");
        let lumas: Vec<u8> = (1..5).map(|_| pixels(&frame(&mut camera).unwrap()).planes()[0][0]).collect();
        assert!(lumas.windows(2).all(|two| two[0] < two[1]), "{head}: each is a new one: {lumas:?}");
        assert!(requests.iter().take(5).count() == 5);
        drop(done);
    }
}

#[test]
fn what_is_no_plain_jpeg_is_told_as_what_it_is() {
    let good = jpeg(&smooth(32, 32), Subsamp::Sub2x2);
    let header = good.windows(2).position(|two| two == [0xFF, 0xC0]).expect("a frame header");
    for (at, value, words) in [(4, 12, "12 bits"), (9, 4, "4 colours"), (1, 0xC3, "lossless"), (5, 0x40, "4096")] {
        let mut odd = good.clone();
        odd[header + at] = value;
        let (url, _requests) = camera(move |_, socket| {
            let _ = socket.write_all(HEAD.as_bytes());
            send_all(socket, std::iter::repeat_with(|| part(&odd)));
        });
        let error = super::at(&url).open().err().expect("an error");
        assert!(error.to_string().contains("all damaged") && error.to_string().contains(words), "{error}");
        assert!(error.remedy().contains("baseline"), "{}", error.remedy());
    }
}
