//! What becomes of a visit whose peer connection has panicked: it ends, and nobody else's does.

use std::time::Instant;

use crate::call::home::Home;
use crate::call::items::VisitId;
use crate::call::protocol::ByeReason;

impl Home {
    /// The WebRTC library panicked over what this viewer sent. The visit ends with the next timeout, which is due at once. It does
    /// not end here, because the caller may be walking through the list of visits.
    pub(super) fn peer_failed(&mut self, index: usize, panic: &str, now: Instant) {
        let visit = &mut self.visits[index];
        if visit.failed_at.is_none() {
            visit.failed_at = Some(now);
            self.failed_peers += 1;
            log::error!("visit {}: its peer connection failed ({panic}), the visit ends", visit.id.0);
        }
    }

    pub(super) fn failures_timeout(&mut self, now: Instant) {
        let failed: Vec<VisitId> = self.visits.iter().filter(|v| v.failed_at.is_some()).map(|v| v.id).collect();
        for id in failed {
            self.end_visit(id, Some(ByeReason::Failed), now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use intercom_base::language::Language;
    use intercom_base::settings::Rung;
    use intercom_base::units::{Bitrate, FrameRate};

    use super::*;
    use crate::call::home::{HomeConfig, HomeOutput, SocketId};
    use crate::call::house::House;
    use crate::call::items::{EncodedVideo, EncoderName};
    use crate::call::peer::Identity;
    use crate::call::protocol::{ErrorCode, FromHome, FromPage, Volume};
    use crate::people::access::Access;
    use crate::people::keys::{Key, KeyId};
    use crate::people::register::{People, Person, Role};

    const OFFER: &str = include_str!("../../../../tests/fuzz/offers/chromium.sdp");

    /// The one key that lets in.
    const KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQ";

    fn access() -> Access {
        let mut people = People::new();
        let person = Person::new(1, None, Role::Family);
        people.take_device(person, KeyId(2), Key::parse(KEY).expect("a key").hash());
        Access::new(people)
    }

    #[expect(clippy::disallowed_methods, reason = "a test's time begins at some time")]
    fn start() -> Instant {
        Instant::now()
    }

    fn home(now: Instant) -> Home {
        let kbps = Bitrate::from_kbps;
        let rung = Rung { width: 640, height: 480, rate: FrameRate::from_fps(30.0), floor: kbps(300), max: kbps(900) };
        let config = HomeConfig {
            name: "Home".into(),
            max_viewers: 8,
            port: 8443,
            public: None,
            full: rung,
            reduced: rung,
            audio: kbps(32),
            muted: false,
            volume: Volume::default(),
            hear_each_other: false,
            curtain: false,
            chime_percent: 70,
            language: Language::English,
            house: House::default(),
            version: "0".into(),
            visits: Default::default(),
            news: Default::default(),
        };
        Home::new(config, Identity::generate(), access(), Box::new(|bytes| bytes.fill(7)), now, Duration::ZERO)
    }

    fn far(n: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, n], 40_000))
    }

    /// A viewer who has said `hello` and made an offer.
    fn enter(home: &mut Home, n: u8, now: Instant) -> SocketId {
        let id = SocketId(n.into());
        home.handle_socket_open(id, far(n), SocketAddr::from(([10, 0, 0, 1], 8443)), now);
        say(home, id, &FromPage::Hello { v: 1, key: KEY.into(), resume: None, attempt: None }, now);
        say(home, id, &FromPage::Offer { pc: 1, rev: 1, sdp: OFFER.into(), kbps: None, saves: false }, now);
        let heard = heard(home, id);
        assert!(matches!(heard.last(), Some(FromHome::Answer { .. })), "{heard:?}");
        id
    }

    fn say(home: &mut Home, id: SocketId, message: &FromPage, now: Instant) {
        home.handle_message(id, &serde_json::to_string(message).unwrap(), now);
    }

    /// What this socket was told; whether it was closed stands in `home`.
    fn heard(home: &mut Home, id: SocketId) -> Vec<FromHome> {
        let outputs = std::iter::from_fn(|| home.poll_output());
        outputs
            .filter_map(|o| if let HomeOutput::Say(to, words) = o { (to == id).then_some(words) } else { None })
            .collect()
    }

    fn frame(now: Instant) -> EncodedVideo {
        let data = vec![0, 0, 0, 1, 0x65, 0x88].into();
        EncodedVideo {
            encoder: EncoderName::First,
            full: true,
            data,
            keyframe: true,
            captured: now,
            encode_began: now,
            encoded: now,
        }
    }

    #[test]
    fn a_peer_that_panics_ends_its_visit_with_words_and_no_other() {
        let now = start();
        let mut home = home(now);
        let [first, second, third] = [1, 2, 3].map(|n| enter(&mut home, n, now));
        home.visits[1].peer.as_mut().unwrap().blow_up(now);
        // Whatever comes next may be what notices, in the middle of all visits.
        home.visits[1].connected = true;
        home.handle_video(&frame(now), now);
        home.handle_datagram(
            far(2),
            SocketAddr::from(([10, 0, 0, 1], 8443)),
            b"\0\x01\0\0\x21\x12\xa4\x42 and more bytes",
            now,
        );
        assert_eq!(home.visits.len(), 3, "nothing is taken out of the list while it is walked");
        assert!(home.poll_timeout().is_some_and(|(at, _)| at <= now), "it is due at once");
        home.handle_timeout(now);
        assert_eq!(heard(&mut home, second), [FromHome::Bye { reason: ByeReason::Failed, until: None }]);
        assert!(!home.sockets.contains_key(&second));
        assert_eq!(home.status()["failed_peers"], 1);

        let left: Vec<_> = home.visits.iter().map(|v| (v.socket, v.peer.is_some())).collect();
        assert_eq!(left, [(Some(first), true), (Some(third), true)]);
        say(&mut home, third, &FromPage::Offer { pc: 2, rev: 1, sdp: OFFER.into(), kbps: None, saves: false }, now);
        assert!(matches!(heard(&mut home, third).last(), Some(FromHome::Answer { pc: 2, .. })));
        // And anyone who failed may try again.
        enter(&mut home, 4, now);
    }

    #[test]
    fn each_way_to_a_peer_that_panics_is_safe_and_counts_once() {
        let now = start();
        type Way = fn(&mut Home, SocketId, Instant);
        let ways: [Way; 7] = [
            |home, id, now| {
                say(home, id, &FromPage::Offer { pc: 1, rev: 2, sdp: OFFER.into(), kbps: None, saves: false }, now)
            },
            |home, id, now| {
                say(home, id, &FromPage::Offer { pc: 2, rev: 1, sdp: OFFER.into(), kbps: None, saves: false }, now)
            },
            |home, id, now| say(home, id, &FromPage::Candidate { pc: 1, candidate: "candidate:1".into() }, now),
            |home, _, now| home.handle_video(&frame(now), now),
            |home, _, now| home.handle_timeout(now + Duration::from_secs(1)),
            |home, _, now| home.handle_addresses(crate::reach::Addresses::default(), now),
            |home, _, now| home.handle_keyframe_wanted(VisitId(1), now),
        ];
        for (n, way) in ways.into_iter().enumerate() {
            let mut home = home(now);
            let id = enter(&mut home, 1, now);
            home.visits[0].connected = true;
            home.visits[0].peer.as_mut().unwrap().blow_up(now);
            way(&mut home, id, now);
            home.handle_timeout(now + Duration::from_secs(2));
            let words = heard(&mut home, id);
            assert!(words.contains(&FromHome::Bye { reason: ByeReason::Failed, until: None }), "way {n}: {words:?}");
            assert_eq!((home.visits.len(), home.failed_peers), (0, 1), "way {n}");
            let refused = words.iter().any(|w| matches!(w, FromHome::Error { code: ErrorCode::BadOffer, .. }));
            assert_eq!(refused, n == 0, "way {n}: {words:?}");
        }
    }
}
