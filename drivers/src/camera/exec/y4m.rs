//! Y4M (YUV4MPEG2) without I/O: says where the next bytes belong and hands out whole pictures.

use std::sync::Arc;

use intercom_base::picture::{I420, PicturePool};

use crate::contract::VideoMode;
use crate::words::shown;

/// Longest stream or frame header line; real ones are below 100 bytes.
const HEADER: usize = 1024;
/// Largest picture, in pixels per side.
const SIDE: usize = 4096;

/// Why a stream cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Y4mError {
    /// These bytes are not Y4M.
    Garbage(String),
    /// It is Y4M of a kind that is not read.
    Unsupported(String),
}

/// What the stream header says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Header {
    /// Size in pixels.
    pub width: usize,
    /// Size in pixels.
    pub height: usize,
    /// Frames a second, if told.
    pub rate: Option<f64>,
    /// Luma uses 0–255 instead of 16–235.
    pub full_range: bool,
}

impl Header {
    /// As a mode, with `rate` where the stream tells none.
    pub fn mode(&self, rate: f64) -> VideoMode {
        VideoMode { width: self.width as u32, height: self.height as u32, rate: self.rate.unwrap_or(rate) }
    }
}

/// What the bytes just read have completed.
#[derive(Debug)]
pub enum Event {
    /// Nothing yet.
    More,
    /// The stream header.
    Header(Header),
    /// The line before a frame's pixels.
    FrameBegins,
    /// A frame.
    Frame(Arc<I420>),
}

enum State {
    StreamHeader,
    FrameHeader,
    Pixels { picture: Arc<I420>, filled: usize },
}

/// Reads one stream.
pub struct Y4m {
    state: State,
    line: Vec<u8>,
    /// Where header bytes are read into: one byte at a time past the shortest header, so that no byte of the
    /// pixels is ever read into the wrong place and each goes straight into its picture.
    inbox: [u8; 6],
    header: Option<Header>,
    pool: PicturePool,
}

impl Default for Y4m {
    fn default() -> Y4m {
        Y4m {
            state: State::StreamHeader,
            line: Vec::with_capacity(128),
            inbox: [0; 6],
            header: None,
            pool: PicturePool::default(),
        }
    }
}

impl Y4m {
    /// Where the next bytes must be read into; never empty.
    pub fn space(&mut self) -> &mut [u8] {
        match &mut self.state {
            State::StreamHeader => &mut self.inbox[..1],
            State::FrameHeader if self.line.is_empty() => &mut self.inbox,
            // "FRAME\n" may come in pieces, and "FRAME Ip…\n" may be longer.
            State::FrameHeader => &mut self.inbox[..1],
            State::Pixels { picture, filled } => match Arc::get_mut(picture) {
                Some(picture) => &mut picture.packed_mut()[*filled..],
                None => &mut self.inbox[..1],
            },
        }
    }

    /// Whether the next byte begins a frame.
    pub fn between_frames(&self) -> bool {
        matches!(self.state, State::FrameHeader) && self.line.is_empty()
    }

    /// Takes note of `count` bytes that were read into [`Y4m::space`].
    pub fn filled(&mut self, count: usize) -> Result<Event, Y4mError> {
        match &mut self.state {
            State::Pixels { picture, filled } => {
                *filled += count;
                if *filled < picture.packed().len() {
                    return Ok(Event::More);
                }
                let State::Pixels { mut picture, .. } = std::mem::replace(&mut self.state, State::FrameHeader) else {
                    return Ok(Event::More);
                };
                if self.header.is_some_and(|header| header.full_range)
                    && let Some(picture) = Arc::get_mut(&mut picture)
                {
                    crate::range::full_to_limited(picture);
                }
                self.pool.keep(&picture);
                Ok(Event::Frame(picture))
            }
            _ => {
                self.line.extend_from_slice(&self.inbox[..count.min(self.inbox.len())]);
                if self.line.last() != Some(&b'\n') {
                    // Waiting for a line end that never comes would take any amount of memory.
                    return if self.line.len() > HEADER || !self.plausible() {
                        Err(Y4mError::Garbage(format!("it begins with {:?}", begin_of(&self.line))))
                    } else {
                        Ok(Event::More)
                    };
                }
                self.line.pop();
                let line = std::mem::take(&mut self.line);
                let event = self.take_line(&line);
                self.line = line;
                self.line.clear();
                event
            }
        }
    }

    /// Whether the line so far can still become a header.
    fn plausible(&self) -> bool {
        let magic: &[u8] = if self.header.is_none() { b"YUV4MPEG2 " } else { b"FRAME" };
        let known = self.line.len().min(magic.len());
        // A newline within the magic word belongs to a line that is too short.
        self.line[..known] == magic[..known]
    }

    fn take_line(&mut self, line: &[u8]) -> Result<Event, Y4mError> {
        let Some(header) = self.header else {
            let header = parse(line)?;
            self.header = Some(header);
            self.state = State::FrameHeader;
            return Ok(Event::Header(header));
        };
        if line != b"FRAME" && !line.starts_with(b"FRAME ") {
            return Err(Y4mError::Garbage(format!("{:?} instead of FRAME", begin_of(line))));
        }
        let picture = self.pool.take(header.width, header.height);
        self.state = State::Pixels { picture, filled: 0 };
        Ok(Event::FrameBegins)
    }
}

/// Reads the stream header line, without its newline.
fn parse(line: &[u8]) -> Result<Header, Y4mError> {
    let garbage = || Y4mError::Garbage(format!("a bad header: {:?}", begin_of(line)));
    let text = std::str::from_utf8(line).map_err(|_| garbage())?;
    let mut words = text.split(' ');
    if words.next() != Some("YUV4MPEG2") {
        return Err(garbage());
    }
    let (mut width, mut height, mut rate, mut full_range) = (0usize, 0usize, None, false);
    for word in words.filter(|word| !word.is_empty()) {
        let (kind, value) = word.split_at_checked(1).ok_or_else(garbage)?;
        match kind {
            "W" => width = value.parse().map_err(|_| garbage())?,
            "H" => height = value.parse().map_err(|_| garbage())?,
            "F" => {
                let (over, under) = value.split_once(':').ok_or_else(garbage)?;
                let over: u32 = over.parse().map_err(|_| garbage())?;
                let under: u32 = under.parse().map_err(|_| garbage())?;
                let told = f64::from(over) / f64::from(under.max(1));
                rate = (over > 0 && under > 0 && (0.1..=1000.0).contains(&told)).then_some(told);
            }
            "C" if !matches!(value, "420" | "420jpeg" | "420mpeg2" | "420paldv") => {
                let problem = format!(
                    "the colour space {} (only 4:2:0 with 8 bits is read: 420jpeg)",
                    begin_of(value.as_bytes())
                );
                return Err(Y4mError::Unsupported(problem));
            }
            "I" if !matches!(value, "p" | "?") => {
                return Err(Y4mError::Unsupported("interlaced video (deinterlace it in the command)".into()));
            }
            "X" if value == "COLORRANGE=FULL" => full_range = true,
            _ => {}
        }
    }
    match (width, height) {
        (0, _) | (_, 0) => Err(garbage()),
        (width, height) if width > SIDE || height > SIDE => {
            Err(Y4mError::Unsupported(format!("{width}x{height}, more than {SIDE}x{SIDE}")))
        }
        _ => Ok(Header { width, height, rate, full_range }),
    }
}

/// The first of bytes from outside as they are shown.
fn begin_of(bytes: &[u8]) -> String {
    shown(&String::from_utf8_lossy(&bytes[..bytes.len().min(60)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `bytes` in pieces of at most `piece` and returns headers and frames.
    fn feed(bytes: &[u8], piece: usize) -> Result<(Option<Header>, Vec<Arc<I420>>), Y4mError> {
        let (mut y4m, mut header, mut frames, mut rest) = (Y4m::default(), None, Vec::new(), bytes);
        while !rest.is_empty() {
            let space = y4m.space();
            let count = space.len().min(piece).min(rest.len());
            assert!(count > 0);
            space[..count].copy_from_slice(&rest[..count]);
            rest = &rest[count..];
            match y4m.filled(count)? {
                Event::Header(h) => header = Some(h),
                Event::Frame(frame) => frames.push(frame),
                Event::More | Event::FrameBegins => {}
            }
        }
        Ok((header, frames))
    }

    fn stream(header: &str, frames: &[(&str, u8)], bytes: usize) -> Vec<u8> {
        let mut out = format!("{header}\n").into_bytes();
        for (parameters, value) in frames {
            out.extend_from_slice(format!("FRAME{parameters}\n").as_bytes());
            out.extend(std::iter::repeat_n(*value, bytes));
        }
        out
    }

    #[test]
    fn frames_come_out_whole_however_the_bytes_are_cut() {
        let bytes = stream("YUV4MPEG2 W5 H3 F30000:1001 Ip A1:1 C420jpeg", &[("", 20), (" Ip", 30), ("", 40)], 15 + 12);
        for piece in [1, 2, 3, 7, 1000] {
            let (header, frames) = feed(&bytes, piece).expect("a good stream");
            let header = header.expect("a header");
            assert_eq!((header.width, header.height), (5, 3));
            assert!((header.rate.unwrap() - 29.97).abs() < 0.001);
            let values: Vec<u8> = frames.iter().map(|frame| frame.packed()[26]).collect();
            assert_eq!(values, [20, 30, 40], "in pieces of {piece}");
        }
    }

    #[test]
    fn full_range_is_brought_to_the_contracts() {
        let bytes = stream("YUV4MPEG2 W2 H2 F30:1 C420jpeg XCOLORRANGE=FULL", &[("", 255)], 6);
        let (_, frames) = feed(&bytes, 1000).unwrap();
        assert_eq!(frames[0].planes()[0][0], 235);
    }

    #[test]
    fn other_kinds_are_refused_in_words() {
        for (header, word) in [
            ("YUV4MPEG2 W640 H480 F30:1 C422", "422"),
            ("YUV4MPEG2 W640 H480 F30:1 C420p10", "420p10"),
            ("YUV4MPEG2 W640 H480 F30:1 It", "interlaced"),
            ("YUV4MPEG2 W5000 H480 F30:1", "5000x480"),
        ] {
            match feed(&stream(header, &[], 0), 1000) {
                Err(Y4mError::Unsupported(why)) => assert!(why.contains(word), "{why}"),
                other => panic!("{header}: {:?}", other.map(|(header, _)| header)),
            }
        }
    }

    #[test]
    fn garbage_is_refused_early_and_never_panics() {
        for bad in [
            &b"\n"[..],
            b"GIF89a",
            b"YUV4MPEG2\n",
            b"YUV4MPEG2 W-1 H2\n",
            b"YUV4MPEG2 W2 H2 F1\n",
            b"YUV4MPEG2 W99999999999999999999\n",
        ] {
            assert!(matches!(feed(bad, 1000), Err(Y4mError::Garbage(_))), "{bad:?}");
        }
        let endless = [&b"YUV4MPEG2 W2 H2 X"[..], &[b'a'; 5000]].concat();
        assert!(matches!(feed(&endless, 1000), Err(Y4mError::Garbage(_))));
        let lost = [&stream("YUV4MPEG2 W2 H2 F1:1", &[("", 1)], 6)[..], b"RUBBISH"].concat();
        assert!(matches!(feed(&lost, 1000), Err(Y4mError::Garbage(_))));

        // A deterministic storm of damaged streams; what comes out does not matter, that it comes out does.
        let good = stream("YUV4MPEG2 W4 H4 F30:1 Ip C420mpeg2", &[("", 1), (" Ip", 2), ("", 3)], 24);
        let mut random = crate::storm::storm();
        for _ in 0..20_000 {
            let mut bytes = good.clone();
            for _ in 0..1 + random(6) {
                let at = random(bytes.len());
                match random(3) {
                    0 => bytes[at] = random(256) as u8,
                    1 => drop(bytes.remove(at)),
                    _ => bytes.insert(at, random(256) as u8),
                }
            }
            let _ = feed(&bytes, 1 + random(40));
        }
    }
}
