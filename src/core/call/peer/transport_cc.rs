//! Keeps a viewer's transport-wide sequence numbers (draft-holmer-rmcat-transport-wide-cc-extensions-01) from running backwards over
//! zero.
//!
//! The WebRTC library extends each 16-bit number to 64 bits by the highest one before it. A number that lies before zero becomes one
//! just below 2^64, and the next report on what was received has an entry for each number between: it takes all memory. The first
//! packets of a viewer can do that, and no browser does it, since they count upwards from one. A datagram that would do it is not
//! handed to the library.

use str0m::rtp::RtpHeader;

/// Half of the space of 16-bit numbers: what is further away lies in the other direction.
const HALF: u64 = 1 << 15;

/// The URI of the header extension that holds such a number.
const NAME: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

/// The numbers of one connection.
#[derive(Debug, Default)]
pub(super) struct TransportSequences {
    /// A bit for each header extension that was agreed on and is something else.
    others: u16,
    /// The highest number of an authenticated packet, extended as the library does it.
    highest: Option<u64>,
}

impl TransportSequences {
    /// The library's answer tells which number it knows each header extension by.
    pub fn handle_answer(&mut self, answer: &str) {
        let extensions = answer.lines().filter_map(|line| line.strip_prefix("a=extmap:")?.split_once(' '));
        self.others = extensions
            .filter(|(_, name)| name.trim_end() != NAME)
            .filter_map(|(id, _)| id.split('/').next()?.parse::<u32>().ok().filter(|id| *id < 16))
            .fold(0, |ids, id| ids | 1 << id);
    }

    /// A packet that the library has authenticated.
    pub fn handle_authentic(&mut self, header: &RtpHeader) {
        if let Some(number) = header.ext_vals.transport_cc {
            let extended = self.highest.map_or(u64::from(number), |highest| extend(highest, number));
            self.highest = self.highest.max(Some(extended));
        }
    }

    /// Whether the library may have this datagram, which nobody has authenticated yet.
    pub fn may_pass(&self, datagram: &[u8]) -> bool {
        let Some(highest) = self.highest.filter(|highest| *highest < HALF) else { return true };
        elements(datagram).all(|(id, value)| {
            let is_other = id < 16 && self.others >> id & 1 == 1;
            let number = value.first_chunk().map(|first| u64::from(u16::from_be_bytes(*first)));
            is_other || number.is_none_or(|number| number <= highest + HALF)
        })
    }
}

/// The number nearest to `highest` whose low 16 bits are `number`.
fn extend(highest: u64, number: u16) -> u64 {
    let ahead = number.wrapping_sub(highest as u16);
    match u64::from(ahead) {
        ahead if ahead <= HALF => highest + ahead,
        ahead => highest.saturating_sub(2 * HALF - ahead),
    }
}

/// The header extension's elements, in the one-byte and in the two-byte form (RFC 8285); none of what is no RTP.
fn elements(datagram: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = extension(datagram).unwrap_or((false, &[]));
    std::iter::from_fn(move || {
        let (is_long, bytes) = &mut rest;
        let mut left = *bytes;
        while let [0, behind @ ..] = left {
            left = behind;
        }
        let (id, length, behind) = match left {
            [id, length, behind @ ..] if *is_long => (*id, usize::from(*length), behind),
            [head, behind @ ..] if !*is_long && head >> 4 != 15 => (head >> 4, usize::from(head & 15) + 1, behind),
            _ => return None,
        };
        let (value, behind) = behind.split_at_checked(length)?;
        *bytes = behind;
        Some((id, value))
    })
}

/// Whether the extension of an RTP header (RFC 3550 section 5.3.1) has the two-byte form, and its content.
fn extension(datagram: &[u8]) -> Option<(bool, &[u8])> {
    let first = *datagram.first()?;
    if first >> 6 != 2 || first & 0x10 == 0 {
        return None;
    }
    let behind = datagram.get(12 + 4 * usize::from(first & 15)..)?;
    let [a, b, c, d, content @ ..] = behind else { return None };
    let words = usize::from(u16::from_be_bytes([*c, *d]));
    let content = content.get(..4 * words)?;
    match u16::from_be_bytes([*a, *b]) {
        0xbede => Some((false, content)),
        profile if profile >> 4 == 0x100 => Some((true, content)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chromium's numbers for these extensions.
    const ANSWER: &str = "v=0\r\na=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\r\n\
        a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n\
        a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n";

    fn packet(profile: u16, content: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x90, 111, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1];
        packet.extend(profile.to_be_bytes());
        let words = content.len().div_ceil(4);
        packet.extend((words as u16).to_be_bytes());
        packet.extend(content);
        packet.resize(16 + 4 * words, 0);
        packet.extend(b"payload");
        packet
    }

    fn one_byte(id: u8, value: &[u8]) -> Vec<u8> {
        packet(0xbede, &[&[id << 4 | (value.len() as u8 - 1)], value].concat())
    }

    fn numbered(number: u16) -> Vec<u8> {
        one_byte(3, &number.to_be_bytes())
    }

    fn header(number: u16) -> RtpHeader {
        let mut header = RtpHeader::default();
        header.ext_vals.transport_cc = Some(number);
        header
    }

    fn after(numbers: &[u16]) -> TransportSequences {
        let mut sequences = TransportSequences::default();
        sequences.handle_answer(ANSWER);
        numbers.iter().for_each(|number| sequences.handle_authentic(&header(*number)));
        sequences
    }

    #[test]
    fn a_browser_that_counts_upwards_loses_nothing_wherever_it_begins() {
        for first in [0u16, 1, 30_000, 32_767, 32_768, 65_530] {
            let mut sequences = after(&[]);
            for n in 0..140_000u32 {
                let number = first.wrapping_add(n as u16);
                assert!(sequences.may_pass(&numbered(number)), "{first} + {n}");
                sequences.handle_authentic(&header(number));
            }
            assert_eq!(sequences.highest, Some(u64::from(first) + 139_999));
        }
    }

    #[test]
    fn what_lies_before_zero_is_held_back_in_every_form() {
        let sequences = after(&[5, 9, 7]);
        assert_eq!(sequences.highest, Some(9));
        for number in [32_778, 40_000, 65_535] {
            assert!(!sequences.may_pass(&numbered(number)), "{number}");
        }
        for number in [0, 8, 10, 32_777] {
            assert!(sequences.may_pass(&numbered(number)), "{number}");
        }
        let before: &[u8] = &[0xff, 0xff];
        // Longer than it should be, under a number that nobody agreed on, behind padding, in the two-byte form, or the second one.
        assert!(!sequences.may_pass(&one_byte(3, &[0xff, 0xff, 0, 0])));
        assert!(!sequences.may_pass(&one_byte(9, before)));
        assert!(!sequences.may_pass(&packet(0xbede, &[0, 0, 0x31, 0xff, 0xff])));
        for profile in [0x1000, 0x1005] {
            assert!(!sequences.may_pass(&packet(profile, &[3, 2, 0xff, 0xff])));
            assert!(!sequences.may_pass(&packet(profile, &[4, 0, 3, 2, 0xff, 0xff])));
        }
        assert!(!sequences.may_pass(&packet(0xbede, &[0x31, 0, 10, 0x31, 0xff, 0xff])));
        // Another extension's value may be anything, and so may what the library does not read.
        assert!(sequences.may_pass(&one_byte(2, &[0xff, 0xff, 0xff])));
        assert!(sequences.may_pass(&packet(0xbede, &[0xf0, 0x31, 0xff, 0xff])));
        assert!(sequences.may_pass(&packet(0x2000, &[3, 2, 0xff, 0xff])));
        assert!(sequences.may_pass(&[0x80, 200, 0, 1]));
        // Once it has counted far enough, there is nothing before zero.
        assert!(after(&[0, 32_768]).may_pass(&numbered(65_535)));
    }

    #[test]
    fn no_cut_of_a_datagram_is_read_beyond_its_end() {
        for whole in [numbered(65_535), packet(0x1000, &[3, 200, 1]), vec![0x9f; 40]] {
            for length in 0..whole.len() {
                after(&[0]).may_pass(&whole[..length]);
            }
        }
    }
}
