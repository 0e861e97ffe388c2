//! Everything that viewers, their networks and home's own threads can say to the core, in any order and at any time: no panic, no
//! visit too many, no timer that stays due.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use intercom::config::Rung;
use intercom::core::home::{Doorkeeper, Home, HomeConfig, HomeOutput, Mute, SocketId};
use intercom::core::items::{EncodedAudio, EncodedVideo, ExchangeId, Hearers, Invited, NewKey, NewLink, VisitId};
use intercom::core::peer::Identity;
use intercom::core::protocol::{CameraState, FromHome, FromPage, RungName, Volume};
use intercom::reach::Addresses;
use intercom::units::{Bitrate, FrameRate};

use crate::offers::{SEEDS, count, mutated, random};

/// Days in the life of a home, and what happens in each.
const DAYS: usize = 150;
const EVENTS: usize = 400;

const MAX_VIEWERS: usize = 4;
const HOME: ([u8; 4], u16) = ([10, 0, 0, 1], 8443);

/// Three keys, and what was added.
struct Keys(Vec<NewKey>);

impl Doorkeeper for Keys {
    fn verify(&self, key: &str) -> Option<u64> {
        ["one", "two", "three"].iter().position(|known| *known == key).map(|number| number as u64)
    }
    fn handle_wrong(&mut self, _address: IpAddr, _now: Instant) -> Duration {
        Duration::from_secs(1)
    }
    fn invited(&self, token: &str, _unix: Duration) -> Option<Invited> {
        (token == "a link").then_some(Invited { person: 3, name: None })
    }
    fn person(&self, key: u64) -> (u64, Option<&str>) {
        (key, self.0.iter().find(|added| added.number == key).and_then(|added| added.name.as_deref()))
    }
    fn handle_invited(&mut self, _link: NewLink) {}
    fn has_keys(&self) -> bool {
        true
    }
    fn handle_added(&mut self, key: NewKey, _unix: Duration) {
        self.0.push(key);
    }
    fn handle_revoked(&mut self, number: u64) -> Option<Vec<u64>> {
        Some(vec![number])
    }
    fn numbers(&self) -> Vec<u64> {
        Vec::new()
    }
    fn handle_reset(&mut self) -> usize {
        self.0.clear();
        0
    }
}

struct Day {
    home: Home,
    now: Instant,
    random: fastrand::Rng,
    sockets: BTreeSet<SocketId>,
    opened: u64,
    /// What pages have learnt and may say again: tokens of visits and codes, and ufrags of answers.
    tokens: Vec<String>,
    ufrags: Vec<String>,
    codes: Vec<ExchangeId>,
    /// The token that the TV showed last.
    shown: String,
    visits: usize,
    pairings: usize,
}

impl Day {
    fn new(now: Instant, seed: u64) -> Day {
        let kbps = Bitrate::from_kbps;
        let rung = |width, height, floor, max| Rung { width, height, rate: FrameRate::from_fps(30.0), floor, max };
        let config = HomeConfig {
            name: "Home".into(),
            max_viewers: MAX_VIEWERS,
            port: HOME.1,
            public: None,
            full: rung(1280, 720, kbps(1500), kbps(2500)),
            reduced: rung(480, 270, kbps(80), kbps(400)),
            audio: kbps(32),
            muted: false,
            volume: Volume { percent: 80, least: 20, most: 100 },
            hear_each_other: true,
        };
        let mut bytes = fastrand::Rng::with_seed(seed);
        let entropy = Box::new(move |buffer: &mut [u8]| bytes.fill(buffer));
        let mut home =
            Home::new(config, Identity::generate(), Box::new(Keys(Vec::new())), entropy, now, Duration::ZERO);
        let local = vec![IpAddr::from(HOME.0)];
        home.handle_addresses(Addresses { best: Some(local[0]), local, public: None }, now);
        home.handle_started(now);
        Day {
            home,
            now,
            random: fastrand::Rng::with_seed(seed),
            sockets: BTreeSet::new(),
            opened: 0,
            tokens: vec!["no token".into(), "a link".into()],
            ufrags: Vec::new(),
            codes: Vec::new(),
            shown: String::new(),
            visits: 0,
            pairings: 0,
        }
    }

    fn any<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.random.usize(..of.len())].clone()
    }

    fn source(&mut self) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, self.random.u8(..6)], 40_000 + self.random.u16(..3)))
    }

    fn message(&mut self) -> String {
        let pc = self.any(&[0, 1, 1, 2, 3, u32::MAX]);
        let message = match self.random.u8(..12) {
            0..=2 => {
                let key = self.any(&["one", "one", "two", "three", "four"]).into();
                let resume = self.random.bool().then(|| self.tokens[self.random.usize(..self.tokens.len())].clone());
                FromPage::Hello { v: self.any(&[1, 1, 1, 2]), key, resume }
            }
            3 => {
                // The code on the TV, or another token; a page's nonce, another page's, or none that counts.
                let other = self.tokens[self.random.usize(..self.tokens.len())].clone();
                let token = if self.random.bool() { self.shown.clone() } else { other };
                let nonce = self.any(&[
                    "0123456789abcdef01234567",
                    "0123456789abcdef01234567",
                    "76543210fedcba9876543210",
                    "n",
                ]);
                FromPage::Pair { v: 1, token, nonce: nonce.into() }
            }
            4..=6 => {
                let seed = &SEEDS[self.random.usize(..SEEDS.len())];
                let sdp = if self.random.bool() { seed.clone() } else { mutated(seed, 4, &mut self.random) };
                FromPage::Offer { pc, rev: self.any(&[0, 1, 2, u32::MAX]), sdp }
            }
            7 => {
                let addresses = ["192.0.2.1 40000", "10.0.0.1 8443", "::1 1", "0.0.0.0 0", "a.local 9", "224.0.0.1 5"];
                let address = self.any(&addresses);
                FromPage::Candidate {
                    pc,
                    candidate: format!("candidate:1 1 udp {} {address} typ host", self.random.u32(..)),
                }
            }
            8 => FromPage::Keyframe { pc },
            9 => FromPage::State { microphone: self.random.bool(), camera: self.random.bool() },
            10 => FromPage::Volume { percent: self.random.u8(..) },
            _ => self.any(&[FromPage::Ping { t: f64::MAX }, FromPage::Leave {}]),
        };
        let mut text = serde_json::to_string(&message).unwrap();
        if self.random.u8(..20) == 0 {
            let at = (0..text.len()).rev().find(|at| text.is_char_boundary(*at) && self.random.bool()).unwrap_or(0);
            text.truncate(at);
        }
        text
    }

    /// A STUN binding request (RFC 8489) that names a visit's credentials, or nearly; and what follows one on the wire.
    fn datagram(&mut self) -> Vec<u8> {
        let mut bytes = match self.random.u8(..3) {
            0 => vec![self.any(&[20, 22, 23, 128, 200]); 40],
            _ => {
                let ufrag = self.ufrags.last().cloned().unwrap_or_default();
                let name = format!("{ufrag}:abcd");
                let padded = name.len().next_multiple_of(4);
                let mut bytes = vec![0, 1, 0, (4 + padded) as u8, 0x21, 0x12, 0xa4, 0x42];
                bytes.extend([7; 12]);
                bytes.extend([0, 6, 0, name.len() as u8]);
                bytes.extend(name.bytes());
                bytes.resize(24 + padded, 0);
                bytes
            }
        };
        while self.random.bool() {
            let at = self.random.usize(..bytes.len());
            bytes[at] = self.random.u8(..);
        }
        bytes
    }

    fn event(&mut self) {
        let now = self.now;
        let socket = self.random.choice(self.sockets.iter().copied().collect::<Vec<_>>());
        match (self.random.u8(..24), socket) {
            (0..=2, _) | (_, None) => {
                self.opened += 1;
                let id = SocketId(self.opened);
                let far = self.source();
                self.sockets.insert(id);
                self.home.handle_socket_open(id, far, SocketAddr::from(HOME), now);
            }
            (3, Some(id)) => {
                self.sockets.remove(&id);
                self.home.handle_socket_closed(id, now);
            }
            (4..=13, Some(id)) => {
                let text = self.message();
                self.home.handle_message(id, &text, now);
            }
            (14 | 15, _) => {
                let (source, bytes) = (self.source(), self.datagram());
                self.home.handle_datagram(source, SocketAddr::from(HOME), &bytes, now);
            }
            (16, _) => {
                let rung = self.any(&[RungName::Full, RungName::Reduced]);
                let (data, keyframe) = (vec![0, 0, 0, 1, 0x65, 0x88].into(), self.random.bool());
                let frame = EncodedVideo { rung, data, keyframe, captured: now, encode_began: now, encoded: now };
                self.home.handle_video(&frame, now);
            }
            (17, _) => {
                let to = match self.random.bool() {
                    true => Hearers::AllBut(Arc::new([VisitId(1)])),
                    false => Hearers::Only(VisitId(self.random.u64(..4))),
                };
                let sample = self.random.u64(..1 << 40);
                self.home.handle_audio(&EncodedAudio { to, data: vec![0xf8; 3].into(), captured: now, sample }, now);
            }
            (18, _) => {
                let local = [HOME.0, [192, 168, 1, 2], [127, 0, 0, 1]].map(IpAddr::from);
                let local = local[..self.random.usize(..=3)].to_vec();
                let public = self.random.bool().then(|| SocketAddr::from(([203, 0, 113, 1], 443)));
                self.home.handle_addresses(Addresses { best: local.first().copied(), local, public }, now);
            }
            (19, _) => {
                self.home.handle_keyframe_wanted(VisitId(self.random.u64(..9)), now);
                let camera = self.any(&[CameraState::Live, CameraState::Unplugged]);
                let wish = self.any(&[Mute::On, Mute::Off, Mute::Toggle]);
                self.home.handle_camera(camera);
                self.home.handle_mute(wish, now);
            }
            (20, _) => match self.random.u8(..8) {
                0 => drop(self.home.handle_revoked(self.random.u64(..4), now)),
                1 => drop(self.home.handle_reset(now)),
                _ => drop(self.home.handle_code_wanted(None, now)),
            },
            (21, _) => {
                if let Some(code) = self.codes.pop() {
                    let key = NewKey { number: 9, hash: [9; 32], person: 9, name: None, by_link: false };
                    let minted = self.random.bool().then(|| (key, "one".to_owned()));
                    self.home.handle_minted(code, minted, now);
                }
            }
            _ => self.now += Duration::from_millis(self.random.u64(..4000)),
        }
    }

    /// Does what home wants done, up to its next timer.
    fn settle(&mut self) {
        for round in 0.. {
            while let Some(output) = self.home.poll_output() {
                match output {
                    HomeOutput::Say(_, FromHome::Welcome { session, .. }) => {
                        self.visits += 1;
                        self.tokens.push(session);
                    }
                    HomeOutput::Say(_, FromHome::Paired { .. }) => self.pairings += 1,
                    HomeOutput::Say(_, FromHome::Answer { sdp, .. }) => {
                        let ufrag = sdp.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:"));
                        self.ufrags.push(ufrag.expect("credentials").into());
                    }
                    HomeOutput::Close(id) => drop(self.sockets.remove(&id)),
                    HomeOutput::Mint { exchange, .. } => self.codes.push(exchange),
                    HomeOutput::Code(Some(code)) => {
                        let token = code.link.split_once("#p=").expect("a token in the link").1;
                        self.shown = token.into();
                        self.tokens.push(token.into());
                    }
                    _ => {}
                }
            }
            let due = self.home.poll_timeout().filter(|(at, _)| *at <= self.now);
            let Some((_, why)) = due else { return };
            assert!(round < 100, "{why:?} stays due");
            self.home.handle_timeout(self.now);
        }
    }
}

#[test]
fn no_order_of_events_breaks_home() {
    let start = Instant::now();
    let (mut visits, mut answers, mut pairings) = (0, 0, 0);
    for day in 0..count("DAYS", DAYS) as u64 {
        let seed = random(day).u64(..);
        let mut day = Day::new(start, seed);
        for _ in 0..EVENTS {
            day.event();
            day.settle();
            let status = day.home.status();
            assert_eq!(status["failed_peers"], 0, "seed {seed}");
            assert!(day.home.visitors().len() <= MAX_VIEWERS, "seed {seed}");
            assert!(status["sockets"].as_u64() <= Some(day.sockets.len() as u64), "seed {seed}: {status}");
        }
        visits += day.visits;
        pairings += day.pairings;
        answers += day.ufrags.len();
        day.home.handle_shutdown(day.now);
        day.settle();
        assert_eq!(day.home.visitors().len(), 0);
    }
    // The events are such that something comes of them.
    assert!(visits > 500 && answers > 500 && pairings > 20, "{visits} visits, {answers} answers, {pairings} pairings");
}
