//! Finds JPEGs in what a camera sends, without I/O, by their own bytes. Boundaries, types and lengths around them are often missing
//! or wrong, so they decide nothing; the line between pictures only helps where a picture has no end mark.

/// Largest picture, in bytes; no JPEG of 4096x4096 that is sent many times a second is larger.
pub const PICTURE: usize = 8 * 1024 * 1024;
/// So much of what stands before a picture is looked at for the line between pictures.
const GAP: usize = 1024;
/// Longest such line; RFC 2046 allows 70 letters.
const MARK: usize = 200;

/// What the bytes just taken have completed.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A picture begins.
    Begins,
    /// A picture from its start mark (SOI) to its end mark (EOI), which is added where the camera left it out.
    Picture(&'a [u8]),
    /// A picture that began is none, and why.
    Damaged(&'static str),
}

/// Where in a picture the next byte belongs (ITU-T T.81, annex B).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Walk {
    /// Between pictures; so many bytes of a picture's first three were just seen.
    Gap(u8),
    /// A marker's first byte.
    Marker,
    /// A marker's second byte, between or within scans.
    Code { in_scan: bool },
    /// The first byte of a segment's length, then the second.
    Length { is_scan: bool, high: Option<u8> },
    /// Bytes of a segment that are still to come.
    Segment { is_scan: bool, left: usize },
    /// Entropy-coded data.
    Scan,
}

/// What a byte means for its picture.
enum Step {
    On(Walk),
    Ends,
    Bad(&'static str),
    /// The next picture begins, without an end of this one.
    Next,
}

/// Reads one body.
#[derive(Debug)]
pub struct Scanner {
    walk: Walk,
    /// The boundary that was announced, without dashes; empty if none was.
    announced: Vec<u8>,
    /// The line between pictures as this camera writes it, with the line feeds on both sides; empty until one was seen.
    mark: Vec<u8>,
    /// So much of the mark was just seen.
    seen: usize,
    gap: Vec<u8>,
    picture: Vec<u8>,
    /// The picture has a scan.
    scanned: bool,
    /// The start mark of the next picture was taken while this one had no end yet.
    next: bool,
}

impl Scanner {
    /// For a body whose head announced this boundary; it may be empty.
    pub fn new(boundary: &str) -> Scanner {
        Scanner {
            walk: Walk::Gap(0),
            announced: boundary.trim_start_matches('-').as_bytes().to_vec(),
            mark: Vec::new(),
            seen: 0,
            gap: Vec::new(),
            picture: Vec::new(),
            scanned: false,
            next: false,
        }
    }

    /// Takes some of `bytes` off their front; `None` when they are used up.
    pub fn take(&mut self, bytes: &mut &[u8]) -> Option<Event<'_>> {
        if std::mem::take(&mut self.next) {
            self.begin(&[0xFF, 0xD8], Walk::Marker);
            return Some(Event::Begins);
        }
        while !bytes.is_empty() {
            if let Walk::Gap(seen) = self.walk {
                if self.begins(bytes, seen) {
                    return Some(Event::Begins);
                }
                continue;
            }
            if self.picture.len() >= PICTURE {
                return Some(self.spoilt("it has more than 8 MiB"));
            }
            self.run(bytes);
            let Some((&byte, rest)) = bytes.split_first() else { break };
            *bytes = rest;
            self.picture.push(byte);
            if self.is_mark(byte) {
                return Some(self.end_at_mark());
            }
            match self.step(byte) {
                Step::On(walk) => self.walk = walk,
                Step::Bad(why) => return Some(self.spoilt(why)),
                Step::Ends => {
                    self.walk = Walk::Gap(0);
                    return Some(Event::Picture(&self.picture));
                }
                Step::Next => {
                    self.next = true;
                    self.picture.truncate(self.picture.len().saturating_sub(2));
                    return Some(self.end_here());
                }
            }
        }
        None
    }

    /// The body is over: a picture without an end mark ends here.
    pub fn finish(&mut self) -> Option<Event<'_>> {
        (!matches!(self.walk, Walk::Gap(_))).then(|| self.end_here())
    }

    /// Whether a picture has begun that is not complete.
    pub fn is_within(&self) -> bool {
        !matches!(self.walk, Walk::Gap(_))
    }

    /// Reads on between pictures; whether one begins. Three bytes tell: its start mark, and the first byte of a further marker.
    fn begins(&mut self, bytes: &mut &[u8], mut seen: u8) -> bool {
        while let Some((&byte, rest)) = bytes.split_first() {
            if seen == 0 && byte != 0xFF {
                let run = bytes.iter().position(|byte| *byte == 0xFF).unwrap_or(bytes.len());
                self.keep(&bytes[..run]);
                *bytes = &bytes[run..];
                continue;
            }
            *bytes = rest;
            seen = match (seen, byte) {
                (2, 0xFF) => {
                    self.begin(&[0xFF, 0xD8, 0xFF], Walk::Code { in_scan: false });
                    return true;
                }
                (1, 0xD8) => 2,
                (_, 0xFF) => 1,
                _ => 0,
            };
        }
        self.walk = Walk::Gap(seen);
        false
    }

    fn begin(&mut self, start: &[u8], walk: Walk) {
        self.learn();
        self.picture.clear();
        self.picture.extend_from_slice(start);
        (self.walk, self.scanned, self.seen) = (walk, false, 0);
        self.gap.clear();
    }

    /// Keeps the last of what stands between pictures.
    fn keep(&mut self, text: &[u8]) {
        self.gap.extend_from_slice(&text[text.len().saturating_sub(GAP)..]);
        if self.gap.len() > 2 * GAP {
            self.gap.drain(..self.gap.len() - GAP);
        }
    }

    /// Takes the line between pictures from the text before one: a line with two dashes, or what was announced.
    fn learn(&mut self) {
        let is_mark = |line: &&[u8]| {
            let text = line.trim_ascii_end();
            let named = !self.announced.is_empty() && text == self.announced;
            (named || (text.len() > 2 && text.starts_with(b"--"))) && text.len() <= MARK
        };
        let mut lines = self.gap.split(|byte| *byte == b'\n');
        // What comes behind the last line feed is no whole line.
        lines.next_back();
        if let Some(line) = lines.rfind(is_mark) {
            self.mark = [b"\n", line, b"\n"].concat();
        }
    }

    /// Takes bytes of which none can be a marker, a length or the beginning of a mark.
    fn run(&mut self, bytes: &mut &[u8]) {
        let room = PICTURE - self.picture.len();
        let within = &bytes[..bytes.len().min(room)];
        let run = match self.walk {
            _ if self.seen > 0 => 0,
            Walk::Scan => within.iter().position(|byte| matches!(byte, 0xFF | b'\n')).unwrap_or(within.len()),
            // Its last byte leads on.
            Walk::Segment { is_scan, left } => {
                let within = &within[..within.len().min(left.saturating_sub(1))];
                let run = within.iter().position(|byte| *byte == b'\n').unwrap_or(within.len());
                self.walk = Walk::Segment { is_scan, left: left - run };
                run
            }
            _ => 0,
        };
        self.picture.extend_from_slice(&bytes[..run]);
        *bytes = &bytes[run..];
    }

    /// Whether this byte of a picture completes the line between pictures: then the picture was cut, or has no end mark.
    fn is_mark(&mut self, byte: u8) -> bool {
        // A mark that fails can start again with this byte alone: its only other line feed is its last byte.
        self.seen = match self.mark.get(self.seen) {
            Some(expected) if *expected == byte => self.seen + 1,
            _ => usize::from(byte == b'\n' && !self.mark.is_empty()),
        };
        self.seen > 1 && self.seen == self.mark.len()
    }

    fn end_at_mark(&mut self) -> Event<'_> {
        self.picture.truncate(self.picture.len().saturating_sub(self.mark.len()));
        if self.picture.last() == Some(&b'\r') {
            self.picture.pop();
        }
        self.gap.clear();
        self.gap.extend_from_slice(&self.mark[1..]);
        self.end_here()
    }

    /// Ends a picture that has no end mark.
    fn end_here(&mut self) -> Event<'_> {
        self.walk = Walk::Gap(0);
        if !self.scanned {
            return Event::Damaged("it is cut");
        }
        if self.picture.last() == Some(&0xFF) {
            self.picture.pop();
        }
        self.picture.extend_from_slice(&[0xFF, 0xD9]);
        Event::Picture(&self.picture)
    }

    fn spoilt(&mut self, why: &'static str) -> Event<'_> {
        self.walk = Walk::Gap(0);
        Event::Damaged(why)
    }

    /// Where a byte leads.
    fn step(&mut self, byte: u8) -> Step {
        Step::On(match self.walk {
            Walk::Marker if byte == 0xFF => Walk::Code { in_scan: false },
            Walk::Marker => return Step::Bad("a segment is longer or shorter than it says"),
            Walk::Scan if byte == 0xFF => Walk::Code { in_scan: true },
            Walk::Scan => Walk::Scan,
            Walk::Code { in_scan } => match (byte, in_scan) {
                // A byte of padding before the marker.
                (0xFF, _) => self.walk,
                // A byte of data, and marks from which a decoder can start again. What is no marker at all is for the decoder.
                (0x00..=0xBF | 0xD0..=0xD7, true) => Walk::Scan,
                (0x01 | 0xD0..=0xD7, false) => Walk::Marker,
                (0x00..=0xBF, false) => return Step::Bad("it has a marker that does not exist"),
                (0xD8, _) => return Step::Next,
                (0xD9, _) if self.scanned => return Step::Ends,
                (0xD9, _) => return Step::Bad("it ends before it has begun"),
                (code, _) => Walk::Length { is_scan: code == 0xDA, high: None },
            },
            Walk::Length { is_scan, high: None } => Walk::Length { is_scan, high: Some(byte) },
            Walk::Length { is_scan, high: Some(high) } => match u16::from_be_bytes([high, byte]) {
                0 | 1 => return Step::Bad("it has a segment of no length"),
                2 => self.behind(is_scan),
                length => Walk::Segment { is_scan, left: usize::from(length) - 2 },
            },
            Walk::Segment { is_scan, left: 0 | 1 } => self.behind(is_scan),
            Walk::Segment { is_scan, left } => Walk::Segment { is_scan, left: left - 1 },
            Walk::Gap(_) => self.walk,
        })
    }

    /// What comes behind a segment.
    fn behind(&mut self, is_scan: bool) -> Walk {
        self.scanned |= is_scan;
        if is_scan { Walk::Scan } else { Walk::Marker }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture that has everything: start and end marks in a table, fill bytes, restart marks, a line feed, a stuffed byte, two
    /// scans, and `name`, to tell it from others.
    fn jpeg(name: &str) -> Vec<u8> {
        let table = [&[0xFF, 0xFF, 0xE1, 0, 10, 0xFF, 0xD8, 0xFF, 0xDA, 0, 2, 0xFF, 0xD9][..]].concat();
        let scan =
            [&[0xFF, 0xDA, 0, 4, 1, 2][..], name.as_bytes(), &[0xFF, 0, 0xFF, 0xD0, b'\n', b'-', 0xFF, 0xFF, 0xD7, 5]]
                .concat();
        [&[0xFF, 0xD8][..], &table, &scan, &[0xFF, 0xC4, 0, 2], &scan, &[0xFF, 0xD9]].concat()
    }

    fn cut(name: &str) -> Vec<u8> {
        let mut picture = jpeg(name);
        picture.truncate(picture.len() - 2);
        picture
    }

    /// The pictures of a body that comes in pieces of `piece` bytes, and what was wrong with others.
    fn read(boundary: &str, body: &[u8], piece: usize) -> (Vec<Vec<u8>>, Vec<&'static str>) {
        let (mut scanner, mut pictures, mut damaged, mut begun) = (Scanner::new(boundary), Vec::new(), Vec::new(), 0);
        let mut handle = |event: Event| match event {
            Event::Begins => begun += 1,
            Event::Picture(picture) => pictures.push(picture.to_vec()),
            Event::Damaged(why) => damaged.push(why),
        };
        for mut bytes in body.chunks(piece) {
            while let Some(event) = scanner.take(&mut bytes) {
                handle(event);
            }
            assert!(bytes.is_empty());
        }
        if let Some(event) = scanner.finish() {
            handle(event);
        }
        assert_eq!(begun, pictures.len() + damaged.len(), "each that begins ends");
        (pictures, damaged)
    }

    /// Reads the same however it is cut.
    fn pictures(boundary: &str, parts: &[&[u8]]) -> (Vec<Vec<u8>>, Vec<&'static str>) {
        let body = parts.concat();
        let whole = read(boundary, &body, usize::MAX);
        for piece in [1, 2, 3, 5, 16, 61] {
            assert_eq!(read(boundary, &body, piece), whole, "in pieces of {piece}");
        }
        whole
    }

    fn names(found: &[Vec<u8>]) -> Vec<String> {
        let name = |bytes: &Vec<u8>| {
            ["one", "two", "three"].into_iter().find(|name| *bytes == jpeg(name)).unwrap_or("?").to_owned()
        };
        found.iter().map(name).collect()
    }

    #[test]
    fn pictures_are_found_whatever_stands_between_them() {
        let (one, two, three) = (jpeg("one"), jpeg("two"), jpeg("three"));
        let part = "--frame\r\nContent-Type: image/jpeg\r\nContent-Length:";
        let (right, small, large) = (
            format!("{part} {}\r\n\r\n", one.len()),
            format!("{part} 3\r\n\r\n"),
            format!("{part} 99999999999999999999\r\n\r\n"),
        );
        for between in [
            "",
            "\0\0\0\0",
            "\r\n",
            right.as_str(),
            small.as_str(),
            large.as_str(),
            "\r\n--frame\r\n\r\n",
            "--frame\n\n",
            "frame\n\n",
            "\r\n----frame  \r\nX: y\r\n\r\n",
            "\r\n--other\r\nContent-Type: text/plain\r\n\r\nhello\r\n--other\r\n\r\n",
            "rubbish without any line end",
        ] {
            for boundary in ["", "frame", "--frame", "a b:=?"] {
                let all = [
                    between.as_bytes(),
                    &one,
                    between.as_bytes(),
                    &two,
                    between.as_bytes(),
                    &three,
                    between.as_bytes(),
                ];
                let (found, damaged) = pictures(boundary, &all);
                assert_eq!(
                    (names(&found), damaged.len()),
                    (vec!["one".into(), "two".into(), "three".into()], 0),
                    "{between:?}"
                );
            }
        }
        let filled = [&[0xFF, 0xFF][..], &one, &[0xFF; 9], &two, &[0xFF, 0xD8], &three];
        assert_eq!(names(&pictures("", &filled).0), ["one", "two", "three"], "fill bytes between pictures");
    }

    #[test]
    fn a_missing_end_mark_is_added_where_the_next_line_between_or_picture_begins() {
        let (one, two, three) = (cut("one"), cut("two"), cut("three"));
        for (boundary, mark) in
            [("frame", "--frame\r\n"), ("", "--frame\r\n"), ("other", "--frame\n"), ("frame", "frame\r\n")]
        {
            let mark = format!("\r\n{mark}X: y\r\n\r\n");
            let (found, damaged) =
                pictures(boundary, &[mark.as_bytes(), &one, mark.as_bytes(), &two, mark.as_bytes(), &three]);
            assert_eq!(
                (names(&found), damaged.len()),
                (vec!["one".into(), "two".into(), "three".into()], 0),
                "{mark:?}"
            );
        }
        // Without any line between.
        assert_eq!(names(&pictures("", &[&one, &two, &three]).0), ["one", "two", "three"]);
        let half = [&one[..], &[0xFF]].concat();
        assert_eq!(names(&pictures("", &[&half, &two]).0), ["one", "two"], "half of an end mark");
    }

    #[test]
    fn a_picture_that_is_cut_costs_itself_and_no_more() {
        let (one, two) = (jpeg("one"), jpeg("two"));
        let mark = b"\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n";
        let long = [&[0xFF, 0xD8, 0xFF, 0xE0, 0xFF, 0xFF][..], &[7; 100]].concat();
        for bad in [
            &one[..4],
            &one[..9],
            &long,
            &[0xFF, 0xD8, 0xFF, 0xD9],
            &[0xFF, 0xD8, 0xFF, 0x02],
            &[0xFF, 0xD8, 0xFF, 0xE0, 0, 1],
        ] {
            let (found, damaged) = pictures("frame", &[mark, &one, mark, bad, mark, &two]);
            assert_eq!((names(&found), damaged.len()), (vec!["one".into(), "two".into()], 1), "{bad:?}");
        }
        let (found, damaged) = pictures("", &[&one[..15], &two]);
        assert_eq!((names(&found), damaged), (vec!["two".into()], vec!["it is cut"]), "without a line between");
    }

    #[test]
    fn hostile_bodies_take_bounded_memory() {
        for endless in [&b"a"[..], b"\n", b"--", b"\n--frame", b"\xFF", b"\xFF\xD8", b"\xFF\xD8\xFF\xE0\xFF\xFF"] {
            for head in [&b""[..], b"\n--frame\n\xFF\xD8\xFF\xDA\0\x02"] {
                let mut scanner = Scanner::new("frame");
                let body = [head, &endless.repeat(2 * PICTURE / endless.len())].concat();
                for mut bytes in body.chunks(65_536) {
                    while scanner.take(&mut bytes).is_some() {}
                    assert!(scanner.picture.len() <= PICTURE + 2 && scanner.gap.len() <= 2 * GAP);
                }
            }
        }
        let (found, damaged) =
            read("", &[&[0xFF, 0xD8, 0xFF, 0xDA, 0, 2][..], &vec![7; PICTURE + 9], &jpeg("one")].concat(), 65_536);
        assert_eq!((names(&found), damaged), (vec!["one".into()], vec!["it has more than 8 MiB"]));

        // A deterministic storm of damaged bodies. They read the same however they are cut.
        let good = [
            b"--b\r\nContent-Type: image/jpeg\r\n\r\n",
            &jpeg("one")[..],
            b"\r\n--b\r\n\r\n",
            &cut("two"),
            b"\r\n--b\r\n",
            &jpeg("one"),
        ]
        .concat();
        let mut random = crate::storm::storm();
        for _ in 0..20_000 {
            let mut bytes = good.clone();
            for _ in 0..1 + random(6) {
                let at = random(bytes.len());
                match random(3) {
                    0 => bytes[at] = random(256) as u8,
                    1 => drop(bytes.remove(at)),
                    _ => bytes.insert(at, b"\r\n-b:\xFF\xD8\xD9\xDA\0"[random(10)]),
                }
            }
            let boundary = ["b", "", "-"][random(3)];
            assert_eq!(read(boundary, &bytes, 1 + random(40)), read(boundary, &bytes, usize::MAX));
        }
    }
}
