//! One media section of an offer.

use super::{Credentials, Transport, once};
use crate::call::peer::output::OfferError;

/// Longest media identification: the library keeps 16 bytes and would take two of one beginning for the same.
const MAX_MID: usize = 16;

/// Most streams (SSRC, RFC 5576) named in a media section. A browser names two.
const MAX_STREAMS: usize = 8;

/// What a media section carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Audio,
    Video,
}

/// A media section.
#[derive(Debug)]
pub(super) struct Section<'a> {
    line: usize,
    pub kind: Kind,
    /// Its port is 0: it shares another's transport (`bundle-only`, RFC 9143), or is not wanted.
    pub portless: bool,
    pub mid: Option<&'a str>,
    /// Payload types of the `m=` line.
    pub formats: Vec<u8>,
    /// Those that have an `a=rtpmap`, and whether that is for retransmissions.
    pub mapped: Vec<(u8, bool)>,
    /// The line that says so, a payload type, and the one that it retransmits (RFC 4588).
    retransmits: Vec<(usize, u8, u8)>,
    pub direction: Option<&'a str>,
    /// Those that stand in this section.
    pub credentials: Credentials<'a>,
    pub streams: Vec<u32>,
    /// Lines for the library.
    pub lines: Vec<String>,
}

/// Reads what stands behind `m=` (RFC 8866 section 5.14).
pub(super) fn add_section<'a>(sections: &mut Vec<Section<'a>>, line: usize, media: &'a str) -> Result<(), String> {
    let mut words = media.split(' ').filter(|word| !word.is_empty());
    let kind = match words.next() {
        Some("audio") => Kind::Audio,
        Some("video") => Kind::Video,
        _ => return Err("home takes sections of audio and video only".into()),
    };
    if sections.iter().any(|section| section.kind == kind) {
        return Err("a second section of its kind; home takes one of audio and one of video".into());
    }
    let portless = words.next() == Some("0");
    if !matches!(words.next(), Some("UDP/TLS/RTP/SAVPF" | "TCP/TLS/RTP/SAVPF" | "RTP/SAVPF")) {
        return Err("the protocol is not UDP/TLS/RTP/SAVPF".into());
    }
    let mut formats: Vec<u8> = Vec::new();
    for word in words {
        let format = payload_type(word)?;
        if formats.contains(&format) {
            return Err(format!("payload type {format} stands there twice"));
        }
        formats.push(format);
    }
    sections.push(Section {
        line,
        kind,
        portless,
        mid: None,
        formats,
        mapped: Vec::new(),
        retransmits: Vec::new(),
        direction: None,
        credentials: Credentials::default(),
        streams: Vec::new(),
        lines: Vec::new(),
    });
    Ok(())
}

/// A payload type beside RTCP on the same port (RFC 5761 section 4).
fn payload_type(text: &str) -> Result<u8, String> {
    match text.parse() {
        Ok(number @ (0..=63 | 96..=127)) => Ok(number),
        _ => Err(format!("{text:?} is no payload type")),
    }
}

impl<'a> Section<'a> {
    /// Takes an attribute that stands in this section, also if it holds for all of them (extensions).
    pub fn take(
        &mut self,
        line: usize,
        name: &'a str,
        value: &'a str,
        transport: &mut Transport<'a>,
    ) -> Result<(), String> {
        match name {
            "mid" => {
                if value.is_empty() || value.len() > MAX_MID || !value.bytes().all(is_token) {
                    return Err(format!("a mid is a word of at most {MAX_MID} letters"));
                }
                once(&mut self.mid, value, "mid")
            }
            "sendrecv" | "sendonly" | "recvonly" | "inactive" => once(&mut self.direction, name, "direction"),
            "extmap" => {
                if let Some(extension) = transport.take_extension(value)
                    && !self.lines.contains(&extension)
                {
                    self.lines.push(extension);
                }
                Ok(())
            }
            "rtpmap" => self.take_codec(value),
            "fmtp" => self.take_parameters(line, value),
            "rtcp-fb" => {
                // `*` stands for all, which no browser writes.
                let Some((format, _)) = value.split_once(' ').filter(|(format, _)| *format != "*") else {
                    return Ok(());
                };
                payload_type(format)?;
                self.lines.push(format!("rtcp-fb:{value}"));
                Ok(())
            }
            "ssrc" | "ssrc-group" => self.take_stream(name, value),
            "group" => Err("a group stands before the first section".into()),
            "ice-lite" => transport.take(name, value),
            _ => self.credentials.take(name, value),
        }
    }

    /// `type codec/clock[/channels]` (RFC 8866 section 6.6).
    fn take_codec(&mut self, value: &str) -> Result<(), String> {
        let Some((format, codec)) = value.split_once(' ') else { return Err("rtpmap without a codec".into()) };
        let format = payload_type(format)?;
        if self.mapped.iter().any(|(known, _)| *known == format) {
            return Err(format!("payload type {format} has a second rtpmap"));
        }
        let (name, clock) = codec.split_once('/').unwrap_or((codec, ""));
        if clock.split('/').next().and_then(|clock| clock.parse::<u32>().ok()).is_none_or(|clock| clock == 0) {
            return Err("rtpmap without a clock rate".into());
        }
        self.mapped.push((format, name.eq_ignore_ascii_case("rtx")));
        self.lines.push(format!("rtpmap:{format} {codec}"));
        Ok(())
    }

    /// `type parameters` (RFC 8866 section 6.15).
    fn take_parameters(&mut self, line: usize, value: &str) -> Result<(), String> {
        let Some((format, parameters)) = value.split_once(' ') else { return Err("fmtp without parameters".into()) };
        let format = payload_type(format)?;
        for parameter in parameters.split(';') {
            if let Some(of) = parameter.trim().strip_prefix("apt=") {
                self.retransmits.push((line, format, payload_type(of)?));
            }
        }
        self.lines.push(format!("fmtp:{format} {parameters}"));
        Ok(())
    }

    /// `ssrc:number cname:…` (RFC 5576 section 4), and pairs of which the second retransmits the first.
    fn take_stream(&mut self, name: &str, value: &str) -> Result<(), String> {
        let (first, rest) = value.split_once(' ').unwrap_or((value, ""));
        if name == "ssrc-group" {
            let numbers: Result<Vec<u32>, _> = rest.split(' ').map(str::parse).collect();
            let Ok([of, by]) = numbers.as_deref() else { return Ok(()) };
            if first == "FID" && of != by {
                self.lines.push(format!("ssrc-group:FID {of} {by}"));
            }
            return Ok(());
        }
        let Some(number) = first.parse().ok().filter(|number| *number != 0) else {
            return Err(format!("{first:?} is no SSRC"));
        };
        if !self.streams.contains(&number) {
            if self.streams.len() == MAX_STREAMS {
                return Err(format!("more than {MAX_STREAMS} streams in one section"));
            }
            self.streams.push(number);
        }
        if rest.starts_with("cname:") {
            self.lines.push(format!("ssrc:{number} {rest}"));
        }
        Ok(())
    }

    /// What can only be said of the section as a whole.
    pub fn check(&self) -> Result<(), OfferError> {
        let refused = |line: usize, why: String| Err(OfferError::Sdp(format!("line {line}: {why}")));
        if self.mid.is_none() {
            return refused(self.line, "a section without a mid".into());
        }
        if self.formats.is_empty() {
            return refused(self.line, "a section without a payload type".into());
        }
        for (line, by, of) in &self.retransmits {
            let is_rtx = |format: &u8| self.mapped.contains(&(*format, true));
            if !is_rtx(by) || is_rtx(of) || !self.formats.contains(of) {
                return refused(*line, format!("payload type {by} cannot retransmit {of}"));
            }
            if self.retransmits.iter().any(|(_, b, o)| (b == by) != (o == of)) {
                return refused(*line, format!("payload types {by} and {of} are in two pairs"));
            }
        }
        Ok(())
    }
}

/// token-char (RFC 8866 section 9).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`{|}~".contains(&byte)
}
