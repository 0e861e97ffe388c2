//! Checks an offer (SDP, RFC 8866) before the WebRTC library parses it, and writes what home uses of it again.
//!
//! The library takes much on trust that only a sound browser keeps to, and asserts some of it. So it sees no line of the
//! far end's: a line is either understood here, bounded and written again, or left out. What contradicts itself is refused
//! with the number of its line.

mod credentials;
mod section;

use std::fmt::Write as _;

use super::output::OfferError;
use credentials::Credentials;
use section::{Kind, Section, add_section};

/// Longest offer, in bytes. A browser's is 4 to 10 kB.
const MAX_OFFER: usize = 32 * 1024;

/// Longest line of an attribute that home uses, in bytes.
const MAX_LINE: usize = 512;

/// Most candidates taken out of an offer.
const MAX_CANDIDATES: usize = 64;

/// An offer that is consistent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    /// With all sections that are wanted.
    pub whole: Form,
    /// Without video, for a browser that has no H.264; none if the offer has no sound.
    pub sound: Option<Form>,
    /// The candidates, without `a=`: they are fed one by one, so that one that cannot be used (an mDNS name) does not spoil
    /// the rest.
    pub candidates: Vec<String>,
}

/// What the library gets to see of an offer, and what it does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// For the library: without candidates.
    pub text: String,
    /// The section that is left out, which the answer has to name all the same (RFC 3264 section 6).
    pub rejected: Option<Rejected>,
}

/// A section that comes to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rejected {
    /// Whether it stands before the other one.
    pub first: bool,
    /// `audio` or `video`.
    pub kind: &'static str,
    /// Its identification, which a browser leaves out where it does not want the section itself.
    pub mid: Option<String>,
    /// A payload type of its, as there has to be one, and what that stands for (`rtpmap:96 VP8/90000`).
    pub format: u8,
    pub codec: Option<String>,
}

/// What stands before the sections, or holds for all of them.
#[derive(Debug, Default)]
struct Transport<'a> {
    credentials: Credentials<'a>,
    group: Option<Vec<&'a str>>,
    lite: bool,
    /// Header extensions (RFC 8285): number and name.
    extensions: Vec<(u8, &'a str)>,
}

/// Checks `offer` and writes what home uses of it again.
///
/// # Errors
/// [`OfferError::Sdp`] names the line, or what the lines contradict each other in.
pub(super) fn check(offer: &str) -> Result<Offer, OfferError> {
    if offer.len() > MAX_OFFER {
        return Err(OfferError::Sdp(format!("{} bytes, where {MAX_OFFER} are allowed", offer.len())));
    }
    let mut transport = Transport::default();
    let mut sections: Vec<Section> = Vec::new();
    let mut candidates = Vec::new();
    for (number, line) in (1..).zip(offer.lines()) {
        let (media, attribute) = (line.strip_prefix("m="), line.strip_prefix("a="));
        if let Some(candidate) = attribute.filter(|attribute| attribute.starts_with("candidate:")) {
            if candidates.len() < MAX_CANDIDATES {
                candidates.push(candidate.to_owned());
            }
            continue;
        }
        let (name, value) =
            attribute.map_or(("", ""), |attribute| attribute.split_once(':').unwrap_or((attribute, "")));
        if media.is_none() && !used(name) {
            continue;
        }
        let taken = match (media, sections.last_mut()) {
            _ if !is_plain(line) => Err("too long, or with letters that are none of SDP's".into()),
            (Some(media), _) => add_section(&mut sections, number, media),
            (None, Some(section)) => section.take(number, name, value, &mut transport),
            (None, None) => transport.take(name, value),
        };
        taken.map_err(|why| OfferError::Sdp(format!("line {number}: {why}")))?;
    }
    // Port 0 outside the group: the browser does not want this section (any more), which says nothing of it beside that.
    let group = transport.group.clone().unwrap_or_default();
    let wanted = |section: &Section| !section.portless || section.mid.is_some_and(|mid| group.contains(&mid));
    check_together(&transport, &sections.iter().filter(|section| wanted(section)).collect::<Vec<_>>())?;
    let whole = form(&transport, &sections, wanted)?;
    let hears = sections.iter().any(|section| section.kind == Kind::Audio && wanted(section));
    let sound = hears.then(|| form(&transport, &sections, |section| section.kind == Kind::Audio)).transpose()?;
    Ok(Offer { whole, sound, candidates })
}

fn is_plain(line: &str) -> bool {
    line.len() <= MAX_LINE && line.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// Attributes of which something is used.
fn used(name: &str) -> bool {
    matches!(
        name,
        "group"
            | "ice-ufrag"
            | "ice-pwd"
            | "ice-lite"
            | "setup"
            | "fingerprint"
            | "mid"
            | "extmap"
            | "rtpmap"
            | "fmtp"
            | "rtcp-fb"
            | "ssrc"
            | "ssrc-group"
            | "sendrecv"
            | "sendonly"
            | "recvonly"
            | "inactive"
    )
}

impl<'a> Transport<'a> {
    fn take(&mut self, name: &str, value: &'a str) -> Result<(), String> {
        match name {
            "ice-lite" => {
                self.lite = true;
                Ok(())
            }
            "group" => {
                let Some(mids) = value.strip_prefix("BUNDLE") else { return Ok(()) };
                if self.group.is_some() {
                    return Err("a second group".into());
                }
                self.group = Some(mids.split(' ').filter(|mid| !mid.is_empty()).collect());
                Ok(())
            }
            _ => self.credentials.take(name, value),
        }
    }

    /// `number[/direction] name [more]`. A number stands for one name in all sections, and a name has one number. No call
    /// depends on an extension: one that contradicts another is left out.
    fn take_extension(&mut self, value: &'a str) -> Option<String> {
        let mut words = value.split(' ');
        let number = words.next()?.split('/').next()?;
        let name = words.next().filter(|name| !name.is_empty())?;
        // Numbers from 15 on are of the two-byte form, which home does not speak.
        let number = number.parse::<u8>().ok().filter(|number| (1..=14).contains(number))?;
        match self.extensions.iter().find(|(n, known)| *n == number || *known == name) {
            Some(known) if *known != (number, name) => return None,
            Some(_) => {}
            None => self.extensions.push((number, name)),
        }
        Some(format!("extmap:{number} {name}"))
    }
}

/// What the sections that are wanted must not contradict each other in.
fn check_together(transport: &Transport, sections: &[&Section]) -> Result<(), OfferError> {
    let refused = |why: &str| OfferError::Sdp(why.into());
    for section in sections {
        section.check()?;
    }
    if let [first, second] = sections {
        let shared = |section: &Section, format: &u8| {
            section.formats.contains(format) || section.mapped.iter().any(|(mapped, _)| mapped == format)
        };
        let all = second.formats.iter().chain(second.mapped.iter().map(|(format, _)| format));
        if let Some(twice) = all.into_iter().find(|format| shared(first, format)) {
            return Err(refused(&format!("payload type {twice} stands for two codecs")));
        }
        if second.streams.iter().any(|stream| first.streams.contains(stream)) {
            return Err(refused("a stream is in two sections"));
        }
    }
    let mids: Vec<&str> = sections.iter().filter_map(|section| section.mid).collect();
    if mids.is_empty() || mids.len() == 2 && mids[0] == mids[1] {
        return Err(refused("no section, or two of one mid"));
    }
    match &transport.group {
        Some(group) if *group != mids => Err(refused("the group BUNDLE does not name all sections in their order")),
        None if mids.len() > 1 || sections.iter().any(|section| section.portless) => {
            Err(refused("the sections share no transport: the group BUNDLE is missing"))
        }
        _ => Ok(()),
    }
}

/// Writes what was understood of the sections that are `wanted`, in the order that the library expects.
fn form<'a>(
    transport: &Transport<'a>,
    sections: &[Section<'a>],
    wanted: impl Fn(&Section<'a>) -> bool,
) -> Result<Form, OfferError> {
    let refused = |why: &str| OfferError::Sdp(why.into());
    let said = Credentials::of(transport, sections, &wanted);
    let (Some(ufrag), Some(password)) = (said.ufrag, said.password) else {
        return Err(refused("ice-ufrag or ice-pwd is missing"));
    };
    let Some(fingerprint) = said.fingerprint else { return Err(refused("a sha-256 fingerprint is missing")) };
    let mids: Vec<&str> = sections.iter().filter(|section| wanted(section)).filter_map(|section| section.mid).collect();
    let mut text = String::from("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n");
    let _ = write!(text, "a=group:BUNDLE {}\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\n", mids.join(" "));
    let _ = write!(text, "a=fingerprint:sha-256 {fingerprint}\r\na=setup:{}\r\n", said.setup.unwrap_or("actpass"));
    if transport.lite {
        text.push_str("a=ice-lite\r\n");
    }
    let mut rejected = None;
    for (at, section) in sections.iter().enumerate() {
        let kind = if section.kind == Kind::Audio { "audio" } else { "video" };
        if !wanted(section) {
            let format = section.formats.first().copied().unwrap_or_default();
            let codec = section.lines.iter().find(|line| line.starts_with(&format!("rtpmap:{format} "))).cloned();
            let mid = section.mid.map(str::to_owned);
            rejected = Some(Rejected { first: at == 0, kind, mid, format, codec });
            continue;
        }
        let _ = write!(text, "m={kind} 9 UDP/TLS/RTP/SAVPF");
        for format in &section.formats {
            let _ = write!(text, " {format}");
        }
        let direction = section.direction.unwrap_or("sendrecv");
        let mid = section.mid.unwrap_or_default();
        let _ = write!(text, "\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\na={direction}\r\na=rtcp-mux\r\n");
        for line in &section.lines {
            let _ = write!(text, "a={line}\r\n");
        }
    }
    Ok(Form { text, rejected })
}

/// Sets what may be said more than once, but not in two ways.
fn once<'a>(place: &mut Option<&'a str>, value: &'a str, name: &str) -> Result<(), String> {
    match place {
        Some(known) if *known != value => Err(format!("{name} is another one elsewhere")),
        _ => {
            *place = Some(value);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHROMIUM: &str = include_str!("../../../../tests/fuzz/offers/chromium.sdp");
    const FIREFOX: &str = include_str!("../../../../tests/fuzz/offers/firefox.sdp");
    const AIORTC: &str = include_str!("../../../../tests/fuzz/offers/aiortc.sdp");

    fn refused(offer: &str) -> String {
        match check(offer) {
            Err(OfferError::Sdp(why)) => why,
            other => panic!("{other:?} from\n{offer}"),
        }
    }

    #[test]
    fn a_user_name_fits_into_the_librarys_checks() {
        let with = |ufrag: &str| {
            let line = |line: &str| match line.strip_prefix("a=ice-ufrag:") {
                Some(_) => format!("a=ice-ufrag:{ufrag}\r\n"),
                None => format!("{line}\r\n"),
            };
            check(&CHROMIUM.lines().map(line).collect::<String>())
        };
        assert!(with("abcd").is_ok() && with(&"a".repeat(64)).is_ok());
        for bad in ["abc".to_owned(), "a".repeat(65), "a".repeat(256)] {
            let error = format!("{:?}", with(&bad));
            assert!(error.contains("ice-ufrag takes 4 to 64 letters and digits"), "{error}");
        }
    }

    #[test]
    fn a_browsers_offer_keeps_all_that_home_uses() {
        for offer in [CHROMIUM, FIREFOX, AIORTC] {
            let checked = check(offer).unwrap();
            let kept = |line: &str| checked.whole.text.lines().any(|kept| kept == line);
            for line in offer.lines() {
                let same = [
                    "a=rtpmap:",
                    "a=fmtp:",
                    "a=rtcp-fb:",
                    "a=mid:",
                    "a=group:",
                    "a=ice-ufrag:",
                    "a=ice-pwd:",
                    "a=setup:",
                ];
                if same.iter().any(|start| line.starts_with(start)) || line == "a=sendrecv" {
                    assert!(kept(line), "{line} is missing in\n{}", checked.whole.text);
                }
                if let Some(candidate) = line.strip_prefix("a=").filter(|line| line.starts_with("candidate:")) {
                    assert!(checked.candidates.iter().any(|kept| kept == candidate));
                    assert!(!kept(line));
                }
            }
            assert!(!checked.candidates.is_empty());
            // What was written is itself such an offer.
            assert_eq!(check(&checked.whole.text).unwrap().whole.text, checked.whole.text);
        }
        // Firefox puts a port of 0 before what shares a transport, and directions behind numbers of extensions.
        let firefox = check(FIREFOX).unwrap().whole.text;
        assert!(FIREFOX.contains("m=video 0 ") && firefox.contains("m=video 9 "), "{firefox}");
        assert!(
            firefox.contains("a=extmap:6 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay\r\n"),
            "{firefox}"
        );
    }

    #[test]
    fn what_contradicts_itself_is_refused_with_its_line() {
        let video = "m=video 9 UDP/TLS/RTP/SAVPF 96";
        for (from, to, why) in [
            ("a=rtpmap:111 opus", "a=rtpmap:96 opus", "payload type 96 stands for two codecs"),
            ("SAVPF 111 63", "SAVPF 96 63", "payload type 96 stands for two codecs"),
            ("SAVPF 111 63", "SAVPF 111 63 111", "line 8: payload type 111 stands there twice"),
            ("SAVPF 111 63", "SAVPF 111 72", "line 8: \"72\" is no payload type"),
            ("a=rtpmap:63 red", "a=rtpmap:111 red", "payload type 111 has a second rtpmap"),
            ("a=fmtp:97 apt=96", "a=fmtp:97 apt=97", "payload type 97 cannot retransmit 97"),
            ("a=fmtp:97 apt=96", "a=fmtp:97 apt=111", "payload type 97 cannot retransmit 111"),
            ("a=fmtp:97 apt=96", "a=fmtp:97 apt=102", "are in two pairs"),
            ("a=mid:1", "a=mid:0", "two of one mid"),
            ("a=mid:1", "a=mid:12345678901234567", "a mid is a word of at most 16 letters"),
            ("a=mid:1\r\n", "", "a section without a mid"),
            ("a=group:BUNDLE 0 1", "a=group:BUNDLE 1 0", "the group BUNDLE does not name all"),
            ("a=group:BUNDLE 0 1", "a=group:LS 0 1", "the group BUNDLE is missing"),
            ("a=fingerprint:sha-256", "a=fingerprint:md5", "a sha-256 fingerprint is missing"),
            ("a=fingerprint:sha-256 04", "a=fingerprint:sha-256 0G", "a sha-256 fingerprint has 32 bytes"),
            ("a=ice-pwd:X", "a=ice-pwd: ", "ice-pwd takes 22 to 256"),
            ("a=setup:actpass", "a=setup:holdconn", "setup is actpass, active or passive"),
            ("m=video 9", "m=audio 9", "a second section of its kind"),
            ("m=video 9", "m=application 9", "sections of audio and video only"),
            (video, "m=video 9 RTP/AVP 96", "the protocol is not"),
            ("a=rtpmap:111 opus/48000/2", "a=rtpmap:111 opus/0", "rtpmap without a clock rate"),
            ("a=rtpmap:111 opus", "a=rtpmap:111 op\u{fc}s", "letters that are none of SDP's"),
            ("m=video 9 ", "m=video \u{7} ", "letters that are none of SDP's"),
        ] {
            let offer = CHROMIUM.replace(from, to);
            assert_ne!(offer, CHROMIUM, "{from:?} stands in it");
            let said = refused(&offer);
            assert!(said.contains(why), "{from:?} -> {to:?}: {said}");
        }
        assert!(refused(&"v=0\r\n".repeat(MAX_OFFER)).contains("bytes, where"));
        assert!(refused("").contains("no section"));
    }

    #[test]
    fn what_home_does_not_use_never_reaches_the_library() {
        let offer = CHROMIUM.replace(
            "a=mid:1",
            "a=sctp-init:AAAA\r\na=rid:x send pt=96\r\na=simulcast:send x\r\na=extmap:200 x\r\na=mid:1",
        );
        assert_eq!(check(&offer).unwrap(), check(CHROMIUM).unwrap());
        // An extension whose number is another's, or none, is left out; the others stay.
        for number in ["2", "0", "15", "x", "-1"] {
            let text = check(&CHROMIUM.replace("a=extmap:14 ", &format!("a=extmap:{number} "))).unwrap().whole.text;
            let expected =
                check(CHROMIUM).unwrap().whole.text.replace("a=extmap:14 urn:ietf:params:rtp-hdrext:toffset\r\n", "");
            assert_eq!(text, expected, "{number}");
        }
        let many = format!("{CHROMIUM}{}", "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n".repeat(100));
        assert_eq!(check(&many).unwrap().candidates.len(), MAX_CANDIDATES);
    }

    #[test]
    fn an_offer_can_do_without_its_video() {
        let video = CHROMIUM.find("m=video").unwrap();
        for offer in [CHROMIUM, FIREFOX, AIORTC] {
            let sound = check(offer).unwrap().sound.unwrap();
            assert!(sound.text.contains("\r\nm=audio ") && !sound.text.contains("m=video"), "{}", sound.text);
            let group = sound.text.lines().find(|line| line.starts_with("a=group:")).unwrap();
            assert_eq!(group.split(' ').count(), 2, "{group}");
            let rejected = sound.rejected.unwrap();
            assert_eq!((rejected.kind, rejected.first), ("video", false));
            assert!(offer.contains(&format!("a=mid:{}\r\n", rejected.mid.unwrap())));
            // What was written is itself such an offer, of sound alone.
            let again = check(&sound.text).unwrap();
            assert_eq!((&again.whole.text, again.whole.rejected), (&sound.text, None));
        }
        assert_eq!(check(&CHROMIUM[..video].replace("BUNDLE 0 1", "BUNDLE 0")).unwrap().sound.unwrap().rejected, None);
        let picture = &CHROMIUM.replace(&CHROMIUM[CHROMIUM.find("m=audio").unwrap()..video], "");
        assert_eq!(check(&picture.replace("BUNDLE 0 1", "BUNDLE 1")).unwrap().sound, None);
    }

    /// A browser whose video stands first, with a transport for each section until it knows whether home shares one (`balanced`).
    #[test]
    fn sound_that_comes_second_keeps_its_own_transport() {
        let (audio, video) = (CHROMIUM.find("m=audio").unwrap(), CHROMIUM.find("m=video").unwrap());
        let (session, audio, video) = (&CHROMIUM[..audio], &CHROMIUM[audio..video], &CHROMIUM[video..]);
        let said = |section: &str| -> Vec<String> {
            let starts = ["a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:", "a=setup:"];
            let lines = section.lines().filter(|line| starts.iter().any(|start| line.starts_with(start)));
            lines.map(str::to_owned).collect()
        };
        let own = video.replace("a=ice-ufrag:", "a=ice-ufrag:v").replace("a=ice-pwd:", "a=ice-pwd:v");
        let own = own
            .replace("a=fingerprint:sha-256 ", "a=fingerprint:sha-256 AB:")
            .replace("a=setup:actpass", "a=setup:active");
        let own: String = own
            .lines()
            .map(|line| match line.strip_prefix("a=fingerprint:") {
                Some(_) => format!("{}\r\n", line.rsplit_once(':').unwrap().0),
                None => format!("{line}\r\n"),
            })
            .collect();
        assert_ne!(said(&own), said(audio));
        let session = session.replace("BUNDLE 0 1", "BUNDLE 1 0");
        let offer = check(&format!("{session}{own}{audio}")).unwrap();
        // All sections share the transport of the first; without it, sound has the one that stands in its own section.
        assert_eq!(said(&offer.whole.text), said(&own));
        let sound = offer.sound.unwrap();
        assert_eq!(said(&sound.text), said(audio));
        assert!(sound.rejected.unwrap().first);
        // What stands before all sections holds for a section that says nothing of its own, wherever it stands.
        let lines = said(audio).join("\r\n");
        let silent: String = audio
            .lines()
            .filter(|line| !said(audio).contains(&(*line).to_owned()))
            .map(|line| format!("{line}\r\n"))
            .collect();
        let offer = check(&format!("{session}{lines}\r\n{own}{silent}")).unwrap();
        assert_eq!((said(&offer.whole.text), said(&offer.sound.unwrap().text)), (said(&own), said(audio)));
        // A section that only joins another's transport says nothing of it.
        let offer = check(&format!("{session}{own}{silent}")).unwrap();
        assert_eq!(said(&offer.sound.unwrap().text), said(&own));
    }

    /// As a browser writes it from the second offer on, once home has rejected the video.
    #[test]
    fn a_section_that_the_browser_does_not_want_either_is_left_out() {
        let whole = check(CHROMIUM).unwrap();
        let video = CHROMIUM.find("m=video").unwrap();
        let sound = CHROMIUM[..video].replace("BUNDLE 0 1", "BUNDLE 0");
        for (section, mid) in [
            ("m=video 0 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\na=mid:1\r\n", Some("1")),
            ("m=video 0 UDP/TLS/RTP/SAVPF 120\r\na=inactive\r\n", None),
            ("m=video 0 UDP/TLS/RTP/SAVPF 0\r\n", None),
        ] {
            let checked = check(&format!("{sound}{section}")).unwrap();
            assert_eq!(checked.whole, checked.sound.clone().unwrap());
            assert_eq!(checked.whole.text, whole.sound.clone().unwrap().text);
            let rejected = checked.whole.rejected.unwrap();
            assert_eq!((rejected.kind, rejected.first, rejected.mid.as_deref()), ("video", false, mid));
        }
        let nothing = CHROMIUM.replace("m=audio 9", "m=audio 0").replace("m=video 9", "m=video 0");
        assert!(refused(&nothing.replace("a=group:BUNDLE 0 1\r\n", "")).contains("no section"));
    }
}
