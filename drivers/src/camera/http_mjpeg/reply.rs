//! Reads a camera's answer without I/O: the head, then the body's bytes, freed of chunks if it has any.

use crate::contract::DeviceError;

/// Longest head; real ones are below 1000 bytes.
const HEAD: usize = 16 * 1024;
/// Longest line before a chunk.
const LINE: usize = 200;

/// An answer that is being read.
#[derive(Debug)]
pub struct Reply {
    state: State,
    /// The head so far, then the line before a chunk.
    line: Vec<u8>,
}

/// What a head says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// What stands between pictures; empty if the camera does not say.
    pub boundary: String,
    chunked: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    Plain,
    ChunkSize,
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
        Reply { state: State::Head, line: Vec::new() }
    }
}

impl Reply {
    /// Takes some of `bytes` off its front; `None` when they are used up.
    pub fn take<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<Option<Piece<'a>>, DeviceError> {
        while !bytes.is_empty() {
            match self.state {
                State::Head => {
                    let before = self.line.len();
                    let room = HEAD.saturating_sub(before).min(bytes.len());
                    self.line.extend_from_slice(&bytes[..room]);
                    let Some((head, length)) = parse(&self.line)? else {
                        if self.line.len() >= HEAD {
                            return Err(DeviceError::Io("the answer's head has no end".into()));
                        }
                        *bytes = &bytes[room..];
                        continue;
                    };
                    *bytes = &bytes[length.saturating_sub(before)..];
                    self.line.clear();
                    self.state = if head.chunked { State::ChunkSize } else { State::Plain };
                    return Ok(Some(Piece::Head(head)));
                }
                State::Plain => return Ok(Some(Piece::Body(std::mem::take(bytes)))),
                State::ChunkSize => {
                    if let Some(size) = self.line(bytes)? {
                        self.state = if size == 0 { State::Ended } else { State::Chunk(size) };
                    }
                }
                State::Chunk(left) => {
                    let (body, rest) = bytes.split_at(left.min(bytes.len()));
                    *bytes = rest;
                    self.state = if body.len() == left { State::ChunkEnd } else { State::Chunk(left - body.len()) };
                    return Ok(Some(Piece::Body(body)));
                }
                State::ChunkEnd => {
                    let (&first, rest) = bytes.split_first().unwrap_or((&b'\n', &[]));
                    *bytes = rest;
                    match first {
                        b'\r' => {}
                        b'\n' => self.state = State::ChunkSize,
                        _ => return Err(DeviceError::Io("a chunk is longer than it says".into())),
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

    /// Reads the line before a chunk; its size once the line is complete.
    fn line(&mut self, bytes: &mut &[u8]) -> Result<Option<usize>, DeviceError> {
        let wrong = || DeviceError::Io("a chunk of the answer does not tell its size".into());
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let (line, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
        *bytes = rest;
        self.line.extend_from_slice(&line[..line.len().min(LINE + 1)]);
        if self.line.len() > LINE {
            return Err(wrong());
        }
        if end.is_none() {
            return Ok(None);
        }
        let line = std::mem::take(&mut self.line);
        let text = std::str::from_utf8(&line).map_err(|_| wrong())?;
        let digits = text.split(';').next().unwrap_or_default().trim();
        let good = (1..=8).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        usize::from_str_radix(digits, 16).ok().filter(|_| good).map(Some).ok_or_else(wrong)
    }
}

/// Reads a head; with its length, once it is complete.
fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, DeviceError> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let length = match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(DeviceError::Io(format!("it does not answer in HTTP: {error}"))),
    };
    let values = |name: &str| {
        let found = response.headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
        found.map(|header| String::from_utf8_lossy(header.value).trim().to_string()).collect::<Vec<String>>()
    };
    match response.code.unwrap_or_default() {
        200 => {}
        code @ (301 | 302 | 303 | 307 | 308) => {
            let to = values("Location").first().map(|to| shown(to)).unwrap_or_default();
            return Err(DeviceError::Unsupported(format!(
                "it sends us on to {to:?} ({code}); name that in the config"
            )));
        }
        401 => {
            let ways = values("WWW-Authenticate");
            let basic = ways.iter().any(|way| way.to_ascii_lowercase().starts_with("basic"));
            return Err(if basic || ways.is_empty() {
                DeviceError::Busy("it wants another user and password (401)".into())
            } else {
                DeviceError::Unsupported("it wants a password in a way other than Basic (401)".into())
            });
        }
        code @ (403 | 429 | 503) => return Err(DeviceError::Busy(format!("it turns us away ({code})"))),
        code @ (404 | 410) => return Err(DeviceError::Absent(format!("no stream at this path ({code})"))),
        code => return Err(DeviceError::Io(format!("it answers with status {code}"))),
    }
    let kind = values("Content-Type").into_iter().next().unwrap_or_default();
    let mut parameters = kind.split(';').map(str::trim);
    let name = parameters.next().unwrap_or_default().to_ascii_lowercase();
    if !name.starts_with("multipart/") {
        let what = if name == "image/jpeg" { "a single picture".into() } else { format!("{:?}", shown(&name)) };
        return Err(DeviceError::Unsupported(format!("it sends {what} instead of a stream of JPEGs")));
    }
    let boundary = parameters.find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"').to_string())
    });
    let chunked = values("Transfer-Encoding").iter().any(|coding| coding.eq_ignore_ascii_case("chunked"));
    Ok(Some((Head { boundary: boundary.unwrap_or_default(), chunked }, length)))
}

/// A text from outside as it is safe in a log.
fn shown(text: &str) -> String {
    text.chars().take(100).filter(|c| !c.is_control()).collect()
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
        let chunked = format!("{head}Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n07;x=y\r\n, world\r\n0\r\n\r\n");
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
    fn every_refusal_says_why_and_has_its_remedy() {
        type Kind = fn(String) -> DeviceError;
        let cases: [(&str, Kind, &str); 9] = [
            ("401 No\r\nWWW-Authenticate: Basic realm=\"x\"", DeviceError::Busy, "password"),
            ("401 No\r\nWWW-Authenticate: Digest realm=\"x\"", DeviceError::Unsupported, "Basic"),
            ("403 No", DeviceError::Busy, "403"),
            ("503 Full", DeviceError::Busy, "503"),
            ("404 No", DeviceError::Absent, "path"),
            ("302 Go\r\nLocation: http://other/", DeviceError::Unsupported, "http://other/"),
            ("500 Oh", DeviceError::Io, "500"),
            ("200 OK\r\nContent-Type: image/jpeg", DeviceError::Unsupported, "single"),
            ("200 OK\r\nContent-Type: text/html; charset=x", DeviceError::Unsupported, "text/html"),
        ];
        for (head, kind, word) in cases {
            let error = read(format!("HTTP/1.1 {head}\r\n\r\n").as_bytes(), 1000).expect_err(head);
            assert_eq!(error.remedy(), kind(String::new()).remedy(), "{head}: {error}");
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    #[test]
    fn rubbish_is_refused_with_bounded_memory() {
        let endless = [b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'a'; 100_000]].concat();
        assert!(read(&endless, 1000).is_err());
        assert!(read(b"SSH-2.0-OpenSSH\r\n\r\n", 1000).is_err());
        let head = "HTTP/1.1 200 OK\r\nContent-Type: multipart/x\r\nTransfer-Encoding: chunked\r\n\r\n";
        for bad in ["x\r\n", "-1\r\n", "123456789\r\n", "\r\n", "1\r\nab\r\n", "+1\r\n"] {
            assert!(read(format!("{head}{bad}").as_bytes(), 1).is_err(), "{bad:?}");
        }
        assert!(read(&[head.as_bytes(), &vec![b'0'; 10_000]].concat(), 777).is_err());
    }
}
