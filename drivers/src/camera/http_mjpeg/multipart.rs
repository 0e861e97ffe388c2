//! Takes multipart/x-mixed-replace apart without I/O, as cameras write it rather than as it is written down.

/// Largest picture, in bytes; no JPEG of 4096x4096 that is sent many times a second is larger.
const PART: usize = 8 * 1024 * 1024;
/// All headers of a part together.
const HEADERS: usize = 8 * 1024;
/// Longest line that is looked at, and longest boundary.
const LINE: usize = 1024;

/// What the bytes just taken have completed.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A part begins.
    Begins,
    /// A part that is a JPEG, or does not say what it is.
    Picture(&'a [u8]),
}

/// Why a stream cannot be read any further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost(pub String);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Looking for the line before a part; so many bytes were none.
    Between(usize),
    /// In a part's headers, of which so many bytes were read.
    Headers(usize),
    /// In a part of which so many bytes are to come.
    Counted(usize),
    /// In a part that ends where the next begins; so much of the mark was just seen.
    Open(usize),
    Ended,
}

/// Reads one stream.
#[derive(Debug)]
pub struct Multipart {
    state: State,
    /// The boundary without dashes at its front; empty until it is known.
    boundary: Vec<u8>,
    /// A line feed, and the line between parts as this camera writes it.
    mark: Vec<u8>,
    line: Vec<u8>,
    part: Vec<u8>,
    length: Option<usize>,
    is_picture: bool,
}

impl Multipart {
    /// For a stream with this boundary. Some cameras count its dashes as a part of it and some do not; some say none,
    /// and then the first line with two dashes is it.
    pub fn new(boundary: &str) -> Multipart {
        Multipart {
            state: State::Between(0),
            boundary: boundary.trim_start_matches('-').as_bytes().to_vec(),
            mark: Vec::new(),
            line: Vec::new(),
            part: Vec::new(),
            length: None,
            is_picture: true,
        }
    }

    /// Takes some of `bytes` off their front; `None` when they are used up.
    pub fn take(&mut self, bytes: &mut &[u8]) -> Result<Option<Event<'_>>, Lost> {
        while !bytes.is_empty() {
            match self.state {
                State::Between(read) => {
                    let before = bytes.len();
                    let complete = self.line(bytes);
                    let read = read + before - bytes.len();
                    if read > 2 * PART {
                        return Err(Lost("no boundary between pictures".into()));
                    }
                    self.state = State::Between(read);
                    if complete && self.begins() {
                        return Ok(Some(Event::Begins));
                    }
                }
                State::Headers(read) => {
                    let before = bytes.len();
                    let complete = self.line(bytes);
                    let read = read + before - bytes.len();
                    if read > HEADERS {
                        return Err(Lost("a picture's headers have no end".into()));
                    }
                    self.state = State::Headers(read);
                    if complete {
                        self.header()?;
                    }
                }
                State::Counted(left) => {
                    let (now, rest) = bytes.split_at(left.min(bytes.len()));
                    *bytes = rest;
                    self.part.extend_from_slice(now);
                    self.state = State::Counted(left - now.len());
                    if now.len() == left {
                        self.state = State::Between(0);
                        if self.is_picture {
                            return Ok(Some(Event::Picture(&self.part)));
                        }
                    }
                }
                State::Open(seen) => {
                    let found = self.open(bytes, seen);
                    if self.part.len() > PART {
                        return Err(Lost(format!("a picture of more than {PART} bytes")));
                    }
                    if found && self.is_picture {
                        return Ok(Some(Event::Picture(&self.part)));
                    }
                }
                State::Ended => *bytes = &[],
            }
        }
        Ok(None)
    }

    /// Whether the camera said that this was all.
    pub fn has_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// Reads into `line` up to a line's end; whether it came. What is too long is no line of interest, and is cut.
    fn line(&mut self, bytes: &mut &[u8]) -> bool {
        if self.line.last() == Some(&b'\n') {
            self.line.clear();
        }
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let (line, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
        *bytes = rest;
        let room = LINE.saturating_sub(self.line.len());
        self.line.extend_from_slice(&line[..line.len().min(room)]);
        if end.is_some() && self.line.last() != Some(&b'\n') {
            self.line.push(b'\n');
        }
        end.is_some()
    }

    /// Whether the line just read stands before a part.
    fn begins(&mut self) -> bool {
        let line = self.line.trim_ascii_end();
        if self.mark.is_empty() {
            // The first line that fits teaches how this camera writes it.
            let dashes = line.iter().take_while(|byte| **byte == b'-').count();
            let name = &line[dashes..];
            let fits = if self.boundary.is_empty() { dashes >= 2 } else { name == self.boundary };
            if !fits || name.is_empty() || line.len() >= LINE {
                return false;
            }
            self.mark.push(b'\n');
            self.mark.extend_from_slice(line);
        } else if line.strip_suffix(b"--") == Some(&self.mark[1..]) {
            self.state = State::Ended;
            return false;
        } else if line != &self.mark[1..] {
            return false;
        }
        (self.length, self.is_picture) = (None, true);
        self.part.clear();
        self.state = State::Headers(0);
        true
    }

    /// Takes a header's line, or the empty one after the last.
    fn header(&mut self) -> Result<(), Lost> {
        let line = String::from_utf8_lossy(&self.line);
        let Some((key, value)) = line.trim().split_once(':') else {
            if !line.trim().is_empty() {
                return Ok(());
            }
            self.state = match self.length {
                Some(0) => State::Between(0),
                Some(length) => State::Counted(length),
                // The line feed of the headers' end may be that of the mark.
                None => State::Open(1),
            };
            return Ok(());
        };
        let value = value.trim();
        if key.trim().eq_ignore_ascii_case("content-length") {
            // A length that cannot be is worth no more than none.
            self.length = value.parse().ok();
            if self.length.is_some_and(|length| length > PART) {
                return Err(Lost(format!("a picture of {value} bytes")));
            }
        } else if key.trim().eq_ignore_ascii_case("content-type") {
            let kind = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            self.is_picture = matches!(kind.as_str(), "image/jpeg" | "image/jpg" | "image/pjpeg");
        }
        Ok(())
    }

    /// Reads a part of unknown length; whether its end was found.
    fn open(&mut self, bytes: &mut &[u8], mut seen: usize) -> bool {
        while let Some((&byte, rest)) = bytes.split_first() {
            if seen == 0 {
                // Nothing of a mark before the next line feed.
                let run = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
                self.part.extend_from_slice(&bytes[..run]);
                *bytes = &bytes[run..];
                if bytes.is_empty() {
                    break;
                }
                self.part.push(b'\n');
                *bytes = &bytes[1..];
                seen = 1;
                continue;
            }
            self.part.push(byte);
            *bytes = rest;
            // The mark's line feed is its only one, so a mark that fails can start again with this byte alone.
            seen = if byte == self.mark[seen] { seen + 1 } else { usize::from(byte == b'\n') };
            if seen == self.mark.len() {
                self.part.truncate(self.part.len().saturating_sub(self.mark.len()));
                if self.part.last() == Some(&b'\r') {
                    self.part.pop();
                }
                self.line.clear();
                self.line.extend_from_slice(&self.mark[1..]);
                self.state = State::Between(0);
                return true;
            }
        }
        self.state = State::Open(seen);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pictures of a stream that comes in pieces of `piece` bytes, and how many parts began.
    fn read(boundary: &str, stream: &[u8], piece: usize) -> Result<(Vec<Vec<u8>>, usize, bool), Lost> {
        let (mut multipart, mut pictures, mut begun) = (Multipart::new(boundary), Vec::new(), 0);
        for mut bytes in stream.chunks(piece) {
            while let Some(event) = multipart.take(&mut bytes)? {
                match event {
                    Event::Begins => begun += 1,
                    Event::Picture(picture) => pictures.push(picture.to_vec()),
                }
            }
        }
        Ok((pictures, begun, multipart.has_ended()))
    }

    fn assert_reads(boundary: &str, stream: &str, pictures: &[&str], ended: bool) {
        for piece in [1, 2, 3, 5, 16, 10_000] {
            let (found, begun, end) = read(boundary, stream.as_bytes(), piece).expect("a good stream");
            let found: Vec<String> = found.into_iter().map(|bytes| String::from_utf8(bytes).unwrap()).collect();
            assert_eq!(found, pictures, "in pieces of {piece}: {stream}");
            assert!(begun >= pictures.len());
            assert_eq!(end, ended);
        }
    }

    #[test]
    fn pictures_with_a_length_and_without() {
        let counted = "--b\r\nContent-Type: image/jpeg\r\nContent-Length: 5\r\n\r\na\r\n--\r\n--b\r\ncontent-length:1\r\n\r\nX\r\n--b--\r\n";
        assert_reads("b", counted, &["a\r\n--", "X"], true);
        let open = "\r\n--b\r\nContent-Type: image/jpeg\r\n\r\na\r\n-\r\n--\r\n--c\r\n\r\n--b\r\n\r\n--b\r\n\r\nX\n\r\n--b\r\n";
        assert_reads("b", open, &["a\r\n-\r\n--\r\n--c\r\n", "", "X\n"], false);
    }

    #[test]
    fn boundaries_as_cameras_write_them() {
        for (boundary, line) in [
            ("--myboundary", "--myboundary"),
            ("--myboundary", "----myboundary"),
            ("myboundary", "--myboundary"),
            ("myboundary", "myboundary"),
            ("", "--whatever"),
            ("a b:=?", "--a b:=?  "),
        ] {
            let stream =
                format!("preamble\n{line}\n\nONE\n{line}\nContent-Length: 3\n\nTWO\n\n\n{line}\n\nTHREE\n{line}\n");
            assert_reads(boundary, &stream, &["ONE", "TWO", "THREE"], false);
        }
    }

    #[test]
    fn a_wrong_length_costs_that_picture_and_no_more() {
        let short = "--b\r\nContent-Length: 2\r\n\r\nabcdef\r\n--b\r\nContent-Length: 3\r\n\r\nGOO\r\n";
        assert_reads("b", short, &["ab", "GOO"], false);
        let long = "--b\r\nContent-Length: 9\r\n\r\nabcdef\r\n--b\r\n\r\nlost\r\n--b\r\nContent-Length: 1\r\n\r\nG";
        assert_reads("b", long, &["abcdef\r\n-", "G"], false);
        let odd = "--b\r\nContent-Length: many\r\n\r\nabc\r\n--b\r\nContent-Length: 0\r\n\r\n\r\n--b\r\nno colon\r\n\r\nG\r\n--b\r\n";
        assert_reads("b", odd, &["abc", "G"], false);
    }

    #[test]
    fn parts_that_are_no_pictures_are_passed_over() {
        let stream = "--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b\r\nContent-Type: Image/JPEG; x\r\n\r\nJ\r\n--b\r\n\
                      Content-Type: audio/basic\r\nContent-Length: 2\r\n\r\n--\r\n--b--";
        assert_reads("b", stream, &["J"], false);
    }

    #[test]
    fn hostile_streams_are_given_up_within_bounds() {
        assert!(read("b", b"--b\r\nContent-Length: 99999999999\r\n\r\n", 100).is_err());
        assert!(read("b", b"--b\r\nContent-Length: 8388609\r\n\r\n", 100).is_err());
        let endless = vec![b'a'; 3 * PART];
        for head in ["", "--b\r\n", "--b\r\n\r\n"] {
            assert!(read("b", &[head.as_bytes(), &endless].concat(), 65_536).is_err(), "{head:?}");
        }
        let lines = b"\n".repeat(3 * PART);
        assert!(read("b", &lines, 65_536).is_err());

        // A deterministic storm of damaged streams; what comes out does not matter, that it comes out does.
        let good = b"--b\r\nContent-Type: image/jpeg\r\nContent-Length: 4\r\n\r\n\xFF\xD8\xFF\xD9\r\n--b\r\n\r\n12\n--\r\n--b\r\n";
        let mut seed = 1u64;
        let mut random = move |below: usize| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) as usize % below
        };
        for _ in 0..20_000 {
            let mut bytes = good.to_vec();
            for _ in 0..1 + random(6) {
                let at = random(bytes.len());
                match random(3) {
                    0 => bytes[at] = random(256) as u8,
                    1 => drop(bytes.remove(at)),
                    _ => bytes.insert(at, b"\r\n-b:"[random(5)]),
                }
            }
            let _ = read(["b", "", "-"][random(3)], &bytes, 1 + random(40));
        }
    }
}
