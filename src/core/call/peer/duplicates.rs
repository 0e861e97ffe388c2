//! Video packets that are sent more than once, each time a little later (temporal redundancy, RFC 7198).
//!
//! The very same datagram leaves again, with the same sequence numbers: encrypting a packet anew with a number that was used would break
//! SRTP. The receiver drops all but the first that comes (replay protection, RFC 3711 section 3.3.2), before it counts anything.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::output::Transmit;

/// What takes one packet may take its neighbours: the copies leave so much later, the second one behind the next frame.
const AFTER: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(45)];

/// Of each more than leave within that time at any bitrate that we send.
const MOST: usize = 512;

/// Packets that leave once more.
#[derive(Debug, Default)]
pub(super) struct Duplicates {
    /// The stream whose packets do, and how many times.
    stream: u32,
    copies: u8,
    waiting: [VecDeque<(Instant, Transmit)>; 2],
}

impl Duplicates {
    /// From now on so many copies of each packet of this stream leave.
    pub fn set(&mut self, stream: u32, copies: u8) {
        (self.stream, self.copies) = (stream, copies);
        for waiting in self.waiting.iter_mut().skip(copies.into()) {
            waiting.clear();
        }
    }

    /// A datagram leaves.
    pub fn handle_sent(&mut self, datagram: &Transmit, now: Instant) {
        if self.copies == 0 || rtp_stream(&datagram.contents) != Some(self.stream) {
            return;
        }
        for (waiting, after) in self.waiting.iter_mut().zip(AFTER).take(self.copies.into()) {
            if waiting.len() < MOST {
                waiting.push_back((now + after, datagram.clone()));
            }
        }
    }

    /// The next one that is due.
    pub fn poll(&mut self, now: Instant) -> Option<Transmit> {
        let due = |waiting: &&mut VecDeque<(Instant, Transmit)>| waiting.front().is_some_and(|(at, _)| *at <= now);
        self.waiting.iter_mut().find(due)?.pop_front().map(|(_, datagram)| datagram)
    }

    /// When the next one is.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.waiting.iter().filter_map(|waiting| waiting.front()).map(|(at, _)| *at).min()
    }
}

/// The SSRC of an RTP packet (RFC 3550 section 5.1), by which it is told from RTCP, STUN and DTLS (RFC 7983, RFC 5761 section 4).
fn rtp_stream(datagram: &[u8]) -> Option<u32> {
    let ([first, second, ..], Some(stream)) = (datagram, datagram.get(8..12)) else { return None };
    let is_rtp = (128..=191).contains(first) && !(192..=223).contains(second);
    is_rtp.then(|| stream.try_into().map(u32::from_be_bytes).ok()).flatten()
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn datagram(head: [u8; 2], stream: u32) -> Transmit {
        let mut contents = vec![0; 40];
        contents[..2].copy_from_slice(&head);
        contents[8..12].copy_from_slice(&stream.to_be_bytes());
        let nowhere = "192.0.2.1:9".parse().unwrap();
        Transmit { source: nowhere, destination: nowhere, contents }
    }

    #[test]
    fn each_packet_of_the_stream_leaves_again_ten_milliseconds_later_and_behind_the_next_frame() {
        let now = Instant::now();
        let mut duplicates = Duplicates::default();
        let video = datagram([128, 96], 7);
        duplicates.handle_sent(&video, now);
        assert_eq!(duplicates.poll_timeout(), None, "not yet");
        duplicates.set(7, 2);
        duplicates.handle_sent(&video, now);
        // Another stream, RTCP, and what is too short.
        duplicates.handle_sent(&datagram([128, 96], 8), now);
        duplicates.handle_sent(&datagram([128, 200], 7), now);
        duplicates.handle_sent(&Transmit { contents: vec![128, 96, 0], ..video.clone() }, now);
        for after in [10, 45] {
            let due = now + after * MS;
            assert_eq!(duplicates.poll_timeout(), Some(due));
            assert_eq!(duplicates.poll(due - MS), None);
            assert_eq!((duplicates.poll(due), duplicates.poll(due)), (Some(video.clone()), None));
        }
        assert_eq!(duplicates.poll_timeout(), None);
    }

    #[test]
    fn what_waits_is_bounded_and_forgotten_with_the_end() {
        let now = Instant::now();
        let mut duplicates = Duplicates::default();
        duplicates.set(7, 2);
        for _ in 0..2 * MOST {
            duplicates.handle_sent(&datagram([144, 224], 7), now);
        }
        assert_eq!(duplicates.waiting.each_ref().map(VecDeque::len), [MOST; 2]);
        duplicates.set(7, 1);
        assert_eq!(duplicates.waiting.each_ref().map(VecDeque::len), [MOST, 0]);
        duplicates.set(7, 0);
        assert_eq!(duplicates.poll(now + 100 * MS), None);
    }
}
