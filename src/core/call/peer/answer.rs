//! What home's answer asks for beyond what str0m writes.

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
}
