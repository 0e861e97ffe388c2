//! Reads a camera's answer without I/O: the head, then the body's bytes, freed of chunks if it has any.

use super::cause;
use crate::contract::DeviceError;

/// Longest head; real ones are below 1000 bytes.
const HEAD: usize = 16 * 1024;
/// Longest line before a chunk.
const LINE: usize = 200;
/// Digits of a chunk's size.
const DIGITS: usize = 16;

/// An answer that is being read.
#[derive(Debug)]
pub struct Reply {
    state: State,
    /// The head so far, then the line before a chunk, then what was taken for one of these and is body.
    line: Vec<u8>,
    /// Bytes of the body so far.
    count: u64,
    length: Option<u64>,
}

/// What a head says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// What stands between pictures; empty if the camera does not say.
    pub boundary: String,
    /// The type in small letters, without parameters; empty if the camera does not say.
    pub kind: String,
    /// Where the camera sends us.
    pub location: Option<String>,
    /// The `WWW-Authenticate` headers.
    pub challenges: Vec<Vec<u8>>,
    length: Option<u64>,
    chunked: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    /// What was taken for something else comes first.
    Kept,
    Plain,
    ChunkSize {
        first: bool,
    },
    Chunk(usize),
    ChunkEnd,
    Ended,
}

/// What the next bytes are.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// The head is complete.
    Head(Head),
    /// Bytes of the body.
    Body(&'a [u8]),
}

impl Default for Reply {
    fn default() -> Reply {
        Reply { state: State::Head, line: Vec::new(), count: 0, length: None }
    }
}

impl Reply {
    /// Takes some of `bytes` off its front; `None` when they are used up.
    ///
    /// # Errors
    /// If it is no answer in HTTP.
    pub fn take<'a, 'b: 'a>(&'a mut self, bytes: &mut &'b [u8]) -> Result<Option<Piece<'a>>, DeviceError> {
        loop {
            if self.state == State::Kept {
                self.state = State::Plain;
                self.count += self.line.len() as u64;
                return Ok(Some(Piece::Body(&self.line)));
            }
            if bytes.is_empty() {
                return Ok(None);
            }
            match self.state {
                State::Head => {
                    if let Some(head) = self.head(bytes)? {
                        return Ok(Some(Piece::Head(head)));
                    }
                }
                State::Plain => {
                    self.count += bytes.len() as u64;
                    return Ok(Some(Piece::Body(std::mem::take(bytes))));
                }
                State::ChunkSize { first } => match self.chunk_size(bytes) {
                    Ok(Some(0)) => self.state = State::Ended,
                    Ok(Some(size)) => self.state = State::Chunk(size),
                    Ok(None) => {}
                    // It says that it has chunks and has none. Its bytes decide.
                    Err(_) if first => self.state = State::Kept,
                    Err(error) => return Err(error),
                },
                State::Chunk(left) => {
                    let (body, rest) = bytes.split_at(left.min(bytes.len()));
                    *bytes = rest;
                    self.count += body.len() as u64;
                    self.state = if body.len() == left { State::ChunkEnd } else { State::Chunk(left - body.len()) };
                    return Ok(Some(Piece::Body(body)));
                }
                State::ChunkEnd => {
                    let (&first, rest) = bytes.split_first().unwrap_or((&b'\n', &[]));
                    *bytes = rest;
                    match first {
                        b'\r' => {}
                        b'\n' => self.state = State::ChunkSize { first: false },
                        _ => return Err(cause::broken("a chunk is longer than it says")),
                    }
                }
                State::Ended => *bytes = &[],
                State::Kept => {}
            }
        }
    }

    /// Whether the camera said that this was all.
    pub fn has_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// Whether as much has come as the head announced. Many heads are wrong, so more may follow.
    pub fn is_as_long_as_announced(&self) -> bool {
        self.length == Some(self.count)
    }

    /// Whether anything has come.
    pub fn has_begun(&self) -> bool {
        self.state != State::Head || !self.line.is_empty()
    }

    fn head(&mut self, bytes: &mut &[u8]) -> Result<Option<Head>, DeviceError> {
        let before = self.line.len();
        let room = HEAD.saturating_sub(before).min(bytes.len());
        self.line.extend_from_slice(&bytes[..room]);
        // Some cameras leave the head out.
        if is_bare(&self.line) {
            *bytes = &bytes[room..];
            self.state = State::Kept;
            return Ok(Some(Head { status: 200, ..Head::default() }));
        }
        let Some((head, length)) = parse(&self.line)? else {
            if self.line.len() >= HEAD {
                return Err(cause::broken("the answer's head has no end"));
            }
            *bytes = &bytes[room..];
            return Ok(None);
        };
        *bytes = &bytes[length.saturating_sub(before)..];
        self.line.clear();
        self.length = head.length;
        self.state = if head.chunked { State::ChunkSize { first: true } } else { State::Plain };
        Ok(Some(head))
    }

    /// Reads the line before a chunk; its size once the line is complete.
    fn chunk_size(&mut self, bytes: &mut &[u8]) -> Result<Option<usize>, DeviceError> {
        let wrong = || cause::broken("a chunk of the answer does not tell its size");
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(bytes.len(), |end| end + 1).min(LINE + 1 - self.line.len().min(LINE));
        let (line, rest) = bytes.split_at(taken);
        *bytes = rest;
        self.line.extend_from_slice(line);
        // What cannot be a number needs no end of its line.
        let begins = self.line.first().is_none_or(|byte| byte.is_ascii_hexdigit() || byte.is_ascii_whitespace());
        if self.line.len() > LINE || !begins {
            return Err(wrong());
        }
        if self.line.last() != Some(&b'\n') {
            return Ok(None);
        }
        let text = std::str::from_utf8(&self.line).map_err(|_| wrong())?;
        let digits = text.split(';').next().unwrap_or_default().trim();
        let good = (1..=DIGITS).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let size = u32::from_str_radix(digits, 16).ok().filter(|_| good).ok_or_else(wrong)?;
        self.line.clear();
        Ok(Some(size as usize))
    }
}

/// Whether the first bytes are those of pictures or of the line before one, and of no head.
fn is_bare(line: &[u8]) -> bool {
    line.starts_with(&[0xFF, 0xD8, 0xFF]) || line.trim_ascii_start().starts_with(b"--")
}

/// Reads a head; with its length, once it is complete.
fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, DeviceError> {
    // What cannot become a head is refused at once: it may have no line ends.
    let start = bytes.trim_ascii_start();
    let begins = |word: &[u8]| start.starts_with(&word[..start.len().min(word.len())]);
    if !begins(b"HTTP/") {
        let undecided = begins(b"--") || begins(&[0xFF, 0xD8, 0xFF]);
        return if undecided { Ok(None) } else { Err(cause::no_http(start)) };
    }
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let mut config = httparse::ParserConfig::default();
    config
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_multiple_spaces_in_response_status_delimiters(true)
        .ignore_invalid_headers_in_responses(true);
    let length = match config.parse_response(&mut response, bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(cause::broken("the answer's head has more than 64 lines"));
        }
        Err(_) => return Err(cause::no_http(start)),
    };
    let raw = |name: &'static str| {
        let found = response.headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
        found.map(|header| unfolded(header.value))
    };
    let values = |name| raw(name).map(|value| String::from_utf8_lossy(&value).trim().to_string());
    let kind = values("Content-Type").next().unwrap_or_default();
    let mut parameters = kind.split(';').map(str::trim);
    let name = parameters.next().unwrap_or_default().to_ascii_lowercase();
    let boundary = parameters.find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"').to_string())
    });
    let head = Head {
        status: response.code.unwrap_or_default(),
        boundary: boundary.unwrap_or_default(),
        kind: name,
        location: values("Location").next(),
        challenges: raw("WWW-Authenticate").collect(),
        // No length means none, and so does that of an empty body.
        length: values("Content-Length").next().and_then(|value| value.parse().ok()).filter(|length| *length > 0),
        chunked: values("Transfer-Encoding").any(|coding| coding.to_ascii_lowercase().contains("chunked")),
    };
    Ok(Some((head, length)))
}

/// The value of a header. One that goes on in the next line has the line's end in it, which means a space (RFC 9112, 5.2).
fn unfolded(value: &[u8]) -> Vec<u8> {
    value.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Head and body of an answer that comes in pieces of `piece` bytes.
    fn read(answer: &[u8], piece: usize) -> Result<(Option<Head>, Vec<u8>, bool), DeviceError> {
        let (mut reply, mut head, mut body) = (Reply::default(), None, Vec::new());
        for mut bytes in answer.chunks(piece) {
            while let Some(piece) = reply.take(&mut bytes)? {
                match piece {
                    Piece::Head(found) => head = Some(found),
                    Piece::Body(bytes) => body.extend_from_slice(bytes),
                }
            }
        }
        Ok((head, body, reply.has_ended()))
    }

    #[test]
    fn the_body_comes_out_with_and_without_chunks_however_it_is_cut() {
        let head = "HTTP/1.1 200 OK\r\nServer: x\r\ncontent-type: multipart/x-mixed-replace; boundary=\"a b\"\r\n";
        let plain = format!("{head}\r\nhello, world");
        let chunks = "5\r\nhello\r\n000000000000007;x=y\r\n, world\r\n0\r\n\r\n";
        let chunked = format!("{head}Transfer-Encoding: Chunked\r\n\r\n{chunks}");
        for piece in [1, 2, 3, 7, 1000] {
            let (head, body, ended) = read(plain.as_bytes(), piece).expect("a good answer");
            assert_eq!(
                (head.expect("a head").boundary.as_str(), body.as_slice(), ended),
                ("a b", &b"hello, world"[..], false)
            );
            let (_, body, ended) = read(chunked.as_bytes(), piece).expect("a good answer");
            assert_eq!((body.as_slice(), ended), (&b"hello, world"[..], true), "in pieces of {piece}");
        }
        let (head, body, _) = read(b"HTTP/1.0 200 OK\nContent-Type: multipart/x-mixed-replace\n\nx", 9).unwrap();
        assert_eq!((head.unwrap().boundary.as_str(), body.as_slice()), ("", &b"x"[..]));
    }

    #[test]
    fn what_the_head_says_falsely_or_not_at_all_costs_no_byte() {
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let long = "a".repeat(LINE + 5);
        for (head, body) in [
            (chunked, "--frame\r\n"),
            (chunked, "\u{7f}x"),
            (chunked, "abc xyz\r\nmore\r\n"),
            (chunked, long.as_str()),
            ("", "--frame\r\n\r\nx"),
            ("HTTP/1.1 200\r\n\r\n", "x"),
            ("HTTP/1.1  200 OK\r\nname without a colon\r\nX : y\r\n z\r\n\r\n", "x"),
        ] {
            for piece in [1, 3, 1000] {
                let (found, read, _) = read(format!("{head}{body}").as_bytes(), piece).expect(body);
                assert_eq!((found.expect("a head").status, read.as_slice()), (200, body.as_bytes()), "{head}{body}");
            }
        }
        let (_, body, _) = read(b"\xFF\xD8\xFF\xE0", 1).expect("a picture without a head");
        assert_eq!(body, b"\xFF\xD8\xFF\xE0");
    }

    #[test]
    fn all_challenges_and_the_place_to_go_are_in_the_head() {
        let answer = b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"\xE4\"\r\nLocation: /x\r\nwww-authenticate: Digest\r\n\r\n";
        let (head, _, _) = read(answer, 1000).unwrap();
        let head = head.unwrap();
        assert_eq!((head.status, head.location.as_deref()), (401, Some("/x")));
        assert_eq!(head.challenges, [&b"Basic realm=\"\xE4\""[..], b"Digest"]);
    }

    #[test]
    fn a_header_may_go_on_in_the_next_line() {
        let answer = b"HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm=\"a\r\n b\",\n\tnonce=\"y\"\r\n\
            Content-Type: multipart/x-mixed-replace;\r\n boundary=c\r\nLocation:\r\n /x\r\n\r\n";
        let (head, _, _) = read(answer, 1000).unwrap();
        let head = head.unwrap();
        assert_eq!((head.boundary.as_str(), head.location.as_deref()), ("c", Some("/x")));
        assert_eq!(head.challenges, [b"Digest realm=\"a   b\", \tnonce=\"y\""]);
    }

    #[test]
    fn rubbish_is_refused_with_bounded_memory() {
        let endless = [b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'a'; 100_000]].concat();
        assert!(read(&endless, 1000).is_err());
        for (first, word) in [
            (&b"RTSP/1.0 400 Bad Request\r\n\r\n"[..], "RTSP"),
            (b"\x15\x03\x01\x00\x02\x02\x46", "TLS"),
            (b"SSH-2.0-OpenSSH\r\n", "SSH-2.0"),
        ] {
            let error = read(first, 1000).expect_err(word);
            assert!(error.to_string().contains(word) && !error.remedy().contains("cable"), "{error}");
        }
        let head = "HTTP/1.1 200 OK\r\nContent-Type: multipart/x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n";
        for bad in ["x\r\n", "-1\r\n", "123456789\r\n", "\r\n", "1\r\nab\r\n", "+1\r\n"] {
            assert!(read(format!("{head}{bad}").as_bytes(), 1).is_err(), "{bad:?}");
        }
        assert!(read(&[head.as_bytes(), &vec![b'0'; 10_000]].concat(), 777).is_err());
    }
}
