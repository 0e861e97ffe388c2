//! What home's answer says beyond what str0m writes, and what is to be read in an offer or an answer.

use super::offer::Rejected;

/// Puts RED before Opus in an answer, which makes the viewer's browser send each packet twice (RFC 2198), and says that
/// it need send nothing while nobody speaks (RFC 7587 section 6.1).
pub(super) fn ask_for_redundancy(answer: &str) -> String {
    let number = |codec: &str| {
        let lines = answer.lines().filter_map(|line| line.strip_prefix("a=rtpmap:"));
        lines.filter_map(|map| map.split_once(' ')).find(|(_, name)| name.eq_ignore_ascii_case(codec)).map(|(pt, _)| pt)
    };
    let (red, opus) = (number("red/48000/2"), number("opus/48000/2"));
    let mut text = String::with_capacity(answer.len() + 32);
    for line in answer.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        match (fields.as_slice(), red, opus) {
            (["m=audio", port, profile, formats @ ..], Some(red), _) if formats.contains(&red) => {
                let others = formats.iter().filter(|pt| **pt != red).copied();
                let formats: Vec<&str> = std::iter::once(red).chain(others).collect();
                text.push_str(&format!("m=audio {port} {profile} {}", formats.join(" ")));
            }
            ([fmtp, ..], _, Some(opus)) if fmtp.strip_prefix("a=fmtp:") == Some(opus) && !line.contains("usedtx") => {
                text.push_str(line);
                text.push_str(";usedtx=1");
            }
            _ => text.push_str(line),
        }
        text.push_str("\r\n");
    }
    text
}

/// Adds the section that came to nothing: port 0, outside the group (RFC 3264 section 6, RFC 9143 section 7.3).
pub(super) fn name_rejected(answer: &str, rejected: &Rejected) -> String {
    let Rejected { first, kind, mid, format, codec } = rejected;
    let mut section = format!("m={kind} 0 UDP/TLS/RTP/SAVPF {format}\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\n");
    if let Some(mid) = mid {
        section.push_str(&format!("a=mid:{mid}\r\n"));
    }
    if let Some(codec) = codec {
        section.push_str(&format!("a={codec}\r\n"));
    }
    match answer.find("\r\nm=").filter(|_| *first) {
        Some(end) => {
            let (session, other) = answer.split_at(end + 2);
            format!("{session}{section}{other}")
        }
        None => format!("{answer}{section}"),
    }
}

/// Whether home can send H.264 by this offer or answer: in packets of packetization mode 1 (RFC 6184), without which its frames do not
/// fit.
pub(super) fn has_h264(sdp: &str) -> bool {
    let parameters: Vec<_> = sdp.lines().filter_map(|line| line.strip_prefix("a=fmtp:")?.split_once(' ')).collect();
    let fits = |parameters: &str| parameters.split(';').any(|one| one.trim() == "packetization-mode=1");
    codecs(sdp)
        .filter(|(_, codec)| codec.eq_ignore_ascii_case("H264/90000"))
        .any(|(number, _)| parameters.iter().any(|(of, what)| *of == number && fits(what)))
}

/// Whether home can send Opus by this offer or answer (RFC 7587).
pub(super) fn has_opus(sdp: &str) -> bool {
    codecs(sdp).any(|(_, codec)| codec.eq_ignore_ascii_case("opus/48000/2"))
}

/// Payload types, and the codecs that they stand for.
fn codecs(sdp: &str) -> impl Iterator<Item = (&str, &str)> {
    sdp.lines().filter_map(|line| line.strip_prefix("a=rtpmap:")?.split_once(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_asks_for_redundancy_where_it_was_offered() {
        let answer = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\na=rtpmap:111 opus/48000/2\r\n\
            a=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\n\
            m=video 9 UDP/TLS/RTP/SAVPF 108\r\na=rtpmap:108 H264/90000\r\n";
        let asked = ask_for_redundancy(answer);
        assert!(asked.contains("m=audio 9 UDP/TLS/RTP/SAVPF 63 111\r\n"), "{asked}");
        assert!(asked.contains("a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1\r\n"), "{asked}");
        assert_eq!(asked.len(), answer.len() + ";usedtx=1".len());
        let plain = answer.replace(" 63", "").replace("a=rtpmap:63 red/48000/2\r\n", "");
        assert!(ask_for_redundancy(&plain).contains("m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"));
    }

    #[test]
    fn what_came_to_nothing_is_named_in_its_place_and_outside_the_group() {
        let answer = "v=0\r\na=group:BUNDLE 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\n";
        let video = "m=video 0 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\na=mid:0\r\n";
        let mut rejected = Rejected { first: false, kind: "video", mid: Some("0".into()), format: 96, codec: None };
        assert_eq!(name_rejected(answer, &rejected), format!("{answer}{video}"));
        rejected.first = true;
        let (session, audio) = answer.split_at(answer.find("m=audio").unwrap());
        assert_eq!(name_rejected(answer, &rejected), format!("{session}{video}{audio}"));
        rejected.mid = None;
        let nameless = video.replace("a=mid:0\r\n", "");
        assert_eq!(name_rejected(answer, &rejected), format!("{session}{nameless}{audio}"));
        rejected.codec = Some("rtpmap:96 VP8/90000".into());
        assert_eq!(name_rejected(answer, &rejected), format!("{session}{nameless}a=rtpmap:96 VP8/90000\r\n{audio}"));
    }

    #[test]
    fn h264_counts_where_home_can_send_it() {
        let with = |lines: &str| has_h264(&format!("m=video 9 UDP/TLS/RTP/SAVPF 102\r\n{lines}"));
        let mode = |mode: &str| format!("a=rtpmap:102 H264/90000\r\na=fmtp:102 level-asymmetry-allowed=1;{mode}\r\n");
        assert!(with(&mode("packetization-mode=1;profile-level-id=42e01f")));
        assert!(!with(&mode("packetization-mode=0;profile-level-id=42e01f")));
        assert!(!with("a=rtpmap:102 H264/90000\r\n"), "without a word it is mode 0");
        assert!(!with("a=rtpmap:96 VP8/90000\r\na=fmtp:96 packetization-mode=1\r\n"));
    }
}
