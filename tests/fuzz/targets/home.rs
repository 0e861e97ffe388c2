//! Everything that viewers, their networks and home's own threads can say to the core, in any order and at any time: no panic, no
//! visit too many, no timer that stays due. Chance decides, or an engine.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use intercom_base::language::Language;
use intercom_base::settings::Rung;
use intercom_base::units::{Bitrate, FrameRate};
use intercom_core::call::home::{Curtain, Home, HomeConfig, HomeOutput, Mute, SocketId};
use intercom_core::call::house::House;
use intercom_core::call::items::{Checkup, EncodedAudio, EncodedVideo, EncoderName, ExchangeId, Recipients, VisitId};
use intercom_core::call::peer::Identity;
use intercom_core::call::protocol::{Attempt, CameraState, FromHome, FromPage, HomeWish, PersonWish, Volume};
use intercom_core::people::access::Access;
use intercom_core::people::entering::{Entering, InQuietHours};
use intercom_core::people::items::{InviteId, NewKey, NewLink};
use intercom_core::people::keys::{Key, KeyId};
use intercom_core::people::register::{Link, People, Person, Role, Wish};
use intercom_core::reach::Addresses;
use intercom_core::tv::local_time::Zone;

use super::bytes::{Bytes, piece};
use super::peer::OFFER;

pub const MAX_VIEWERS: usize = 4;
const HOME: ([u8; 4], u16) = ([10, 0, 0, 1], 8443);

/// The token of a link, as a number of [`key`].
const LINK: u8 = 100;

/// The same bytes each time.
fn key(number: u8) -> Key {
    Key::mint(|bytes| {
        bytes.fill(number);
        Ok::<_, ()>(())
    })
    .expect("a key")
}

/// Three people with a key each, and a link for the third: an owner, one who enters by a preview, and a guest.
fn access() -> Access {
    let mut people = People::new();
    let person = |number| match number {
        1 => Person::new(1, None, Role::Owner),
        2 => Person { entering: Some(Entering::Preview), ..Person::new(2, None, Role::Family) },
        _ => Person::new(number, None, Role::Guest),
    };
    for number in 1..=3 {
        people.take_device(person(number.into()), KeyId(number.into()), key(number).hash());
    }
    let until = Duration::from_secs(1_000_000);
    people.take_link(person(3), Link { person: 3, hash: key(LINK).hash(), until, devices: 3, used: 0 });
    Access::new(people)
}

/// Who decides.
pub enum Dice<'a> {
    Chance(fastrand::Rng),
    Engine(Bytes<'a>),
}

impl Dice<'_> {
    /// Below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        match self {
            Dice::Chance(random) => random.u64(..end),
            Dice::Engine(bytes) if end <= 256 => u64::from(bytes.byte()) % end,
            Dice::Engine(bytes) => bytes.long() % end,
        }
    }

    fn index(&mut self, end: usize) -> usize {
        self.below(end as u64) as usize
    }

    fn byte(&mut self) -> u8 {
        self.below(256) as u8
    }

    pub fn coin(&mut self) -> bool {
        self.below(2) == 1
    }
}

/// A day in the life of a home.
pub struct Day<'a> {
    pub home: Home,
    pub now: Instant,
    pub dice: Dice<'a>,
    /// What a page may offer.
    offer: fn(&mut Dice<'_>) -> String,
    pub sockets: BTreeSet<SocketId>,
    opened: u64,
    /// What pages have learnt and may say again: tokens of visits and codes, and ufrags of answers.
    tokens: Vec<String>,
    pub ufrags: Vec<String>,
    codes: Vec<ExchangeId>,
    /// The number of the key that was made last.
    made: u64,
    /// The token that the TV showed last.
    shown: String,
    pub visits: usize,
    /// Links that were asked for.
    invites: Vec<(InviteId, Wish)>,
    pub pairings: usize,
}

impl<'a> Day<'a> {
    pub fn new(now: Instant, seed: u64, dice: Dice<'a>, offer: fn(&mut Dice<'_>) -> String) -> Day<'a> {
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
            curtain: false,
            chime_percent: 70,
            language: Language::English,
            house: House::default(),
            version: "0".into(),
            news: Default::default(),
            visits: Default::default(),
        };
        let mut bytes = fastrand::Rng::with_seed(seed);
        let entropy = Box::new(move |buffer: &mut [u8]| bytes.fill(buffer));
        let mut home = Home::new(config, Identity::generate(), access(), entropy, now, Duration::ZERO);
        let local = vec![IpAddr::from(HOME.0)];
        home.handle_addresses(Addresses { best: Some(local[0]), local, public: None }, now);
        home.handle_started(now);
        Day {
            home,
            now,
            dice,
            offer,
            sockets: BTreeSet::new(),
            opened: 0,
            tokens: vec!["no token".into(), key(LINK).to_text()],
            ufrags: Vec::new(),
            codes: Vec::new(),
            made: 100,
            shown: String::new(),
            visits: 0,
            invites: Vec::new(),
            pairings: 0,
        }
    }

    fn any<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.dice.index(of.len())].clone()
    }

    fn any_token(&mut self) -> String {
        let at = self.dice.index(self.tokens.len());
        self.tokens[at].clone()
    }

    fn source(&mut self) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, self.dice.below(6) as u8], 40_000 + self.dice.below(3) as u16))
    }

    fn message(&mut self) -> String {
        let pc = self.any(&[0, 1, 1, 2, 3, u32::MAX]);
        // An engine may say what it likes.
        if let Dice::Engine(bytes) = &mut self.dice
            && bytes.0.first().is_some_and(|first| *first >= 240)
        {
            bytes.byte();
            return String::from_utf8_lossy(bytes.piece()).into_owned();
        }
        let message = match self.dice.below(16) {
            0..=2 => {
                let key = key(self.any(&[1, 1, 2, 3, 4])).to_text();
                let resume = self.dice.coin().then(|| self.any_token());
                let attempt = self.any(&[None, None, Some("0123456789abcdef"), Some("fedcba9876543210")]);
                let attempt = attempt.and_then(|id| Attempt::try_from(id.to_owned()).ok());
                FromPage::Hello { v: self.any(&[1, 1, 1, 2]), key, resume, attempt }
            }
            3 => {
                // The code on the TV, or another token; a page's nonce, another page's, or none that counts.
                let other = self.any_token();
                let token = if self.dice.coin() { self.shown.clone() } else { other };
                let nonce = self.any(&[
                    "0123456789abcdef01234567",
                    "0123456789abcdef01234567",
                    "76543210fedcba9876543210",
                    "n",
                ]);
                FromPage::Pair { v: 1, token, nonce: nonce.into() }
            }
            4..=6 => {
                let sdp = (self.offer)(&mut self.dice);
                let kbps = self.any(&[None, Some(0), Some(300), Some(u32::MAX)]);
                FromPage::Offer { pc, rev: self.any(&[0, 1, 2, u32::MAX]), sdp, kbps, saves: self.dice.coin() }
            }
            7 => {
                let addresses = ["192.0.2.1 40000", "10.0.0.1 8443", "::1 1", "0.0.0.0 0", "a.local 9", "224.0.0.1 5"];
                let address = self.any(&addresses);
                FromPage::Candidate {
                    pc,
                    candidate: format!("candidate:1 1 udp {} {address} typ host", self.dice.below(1 << 32)),
                }
            }
            8 => self.any(&[FromPage::Keyframe { pc }, FromPage::Snapshot {}]),
            9 => {
                let (microphone, camera, saves) = (self.dice.coin(), self.dice.coin(), self.dice.coin());
                FromPage::State { microphone, camera, saves }
            }
            10 => FromPage::Volume { percent: self.dice.byte() },
            11 => self.any(&[FromPage::Ping { t: f64::MAX }, FromPage::Answer {}, FromPage::Leave {}]),
            _ => self.owners_message(),
        };
        let mut text = serde_json::to_string(&message).unwrap();
        if self.dice.below(20) == 0 {
            let at = (0..text.len()).rev().find(|at| text.is_char_boundary(*at) && self.dice.coin()).unwrap_or(0);
            text.truncate(at);
        }
        text
    }

    /// What an owner's page says, whoever says it.
    fn owners_message(&mut self) -> FromPage {
        let person = self.any(&[0, 1, 2, 3, 4, 9, u64::MAX]);
        let name = self.any(&[None, Some("Anna"), Some("\u{202e}")]).map(str::to_owned);
        let role = self.any(&[Role::Owner, Role::Family, Role::Guest]);
        let hours = self.any(&[None, Some("22:00-07:00"), Some("00:00-23:59"), Some("9-5")]).map(str::to_owned);
        let visit = self.dice.below(5);
        match self.dice.below(12) {
            9 => FromPage::NewsRead { number: self.any(&[0, 1, 3, u64::MAX]) },
            10 => FromPage::Home { language: self.any(&["de", "xx", ""]).into() },
            11 => {
                let (volume, chime) = (Some(self.dice.byte()), self.any(&[None, Some(0), Some(u8::MAX)]));
                let language = self.any(&[None, Some("hi"), Some("klingon")]).map(str::to_owned);
                FromPage::SetHome(HomeWish { name, volume, chime, language })
            }
            0 => FromPage::People {},
            1 => FromPage::Invite { request: self.any(&[1, 2]), person: None, name, role },
            2 => FromPage::Invite { request: self.any(&[1, 2]), person: Some(person), name, role },
            3 | 4 => FromPage::Person(PersonWish {
                person,
                name,
                role,
                entering: self.any(&[None, Some(Entering::AtOnce), Some(Entering::Preview), Some(Entering::Knock)]),
                in_quiet_hours: self.any(&[None, Some(InQuietHours::Refuse)]),
                quiet_hours: hours,
            }),
            5 => self.any(&[FromPage::Remove { person }, FromPage::Visits {}, FromPage::EraseVisits {}]),
            6 => {
                let person = self.any(&[None, Some(person)]);
                FromPage::ShowCode { shown: self.dice.coin(), person, name, role }
            }
            7 => FromPage::QuietHours { hours },
            8 => FromPage::LetIn { visit },
            _ => FromPage::Decline { visit },
        }
    }

    /// Somebody presses a key at home, or a clock there is set.
    fn press(&mut self, now: Instant) {
        match self.dice.below(10) {
            0 => self.home.handle_let_in_pressed(now),
            1 => self.home.handle_decline_pressed(now),
            2 => self.home.handle_invite_pressed(now),
            3 => self.home.handle_invite_held(now),
            4 => drop(self.home.handle_curtain(Curtain::Toggle, now)),
            5 => self.home.handle_wall_clock(Duration::from_secs(self.dice.below(4_000_000_000)), now),
            6 => self.home.handle_call_pressed(now),
            7 => drop(self.home.handle_call(Some(self.dice.below(5)), now)),
            8 => self.home.handle_examined(Checkup::default()),
            _ => self.home.handle_zone(Zone::of_file(&[]), now),
        }
    }

    /// A STUN binding request (RFC 8489) that names a visit's credentials, or nearly; and what follows one on the wire.
    fn datagram(&mut self) -> Vec<u8> {
        let mut bytes = match self.dice.below(3) {
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
        while self.dice.coin() {
            let at = self.dice.index(bytes.len());
            bytes[at] = self.dice.byte();
        }
        bytes
    }

    /// A key that pages try is made elsewhere, for somebody new.
    fn add_key(&mut self, now: Instant) {
        self.made += 1;
        let hash = key(self.any(&[1, 2, 3])).hash();
        self.home.handle_key_added(
            NewKey { number: self.made, hash, person: Person::new(self.made, None, Role::Family), by_link: false },
            now,
        );
    }

    pub fn event(&mut self) {
        let now = self.now;
        let sockets: Vec<SocketId> = self.sockets.iter().copied().collect();
        let socket = (!sockets.is_empty()).then(|| self.any(&sockets));
        match (self.dice.below(29), socket) {
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
            (28, _) => {
                self.opened += 1;
                let id = SocketId(self.opened);
                let lines: Vec<String> = (0..self.dice.below(4)).map(|_| self.message()).collect();
                let far = self.source();
                self.sockets.insert(id);
                self.home.handle_post(id, &lines.join("\n"), far, SocketAddr::from(HOME), now);
            }
            (14 | 15, _) => {
                let (source, bytes) = (self.source(), self.datagram());
                self.home.handle_datagram(source, SocketAddr::from(HOME), &bytes, now);
            }
            (16, _) => {
                let (encoder, full) = (self.any(&EncoderName::ALL), self.dice.coin());
                let (data, keyframe) = (vec![0, 0, 0, 1, 0x65, 0x88].into(), self.dice.coin());
                let frame =
                    EncodedVideo { encoder, full, data, keyframe, captured: now, encode_began: now, encoded: now };
                self.home.handle_video(&frame, now);
            }
            (17, _) => {
                let to = match self.dice.coin() {
                    true => Recipients::AllBut(Arc::new([VisitId(1)])),
                    false => Recipients::Only(VisitId(self.dice.below(4))),
                };
                let sample = self.dice.below(1 << 40);
                self.home.handle_audio(&EncodedAudio { to, data: vec![0xf8; 3].into(), captured: now, sample }, now);
            }
            (18, _) => {
                let local = [HOME.0, [192, 168, 1, 2], [127, 0, 0, 1]].map(IpAddr::from);
                let local = local[..self.dice.index(4)].to_vec();
                let public = self.dice.coin().then(|| SocketAddr::from(([203, 0, 113, 1], 443)));
                self.home.handle_addresses(Addresses { best: local.first().copied(), local, public }, now);
            }
            (19, _) => {
                self.home.handle_keyframe_wanted(VisitId(self.dice.below(9)), now);
                let camera = self.any(&[CameraState::Live, CameraState::Unplugged]);
                let wish = self.any(&[Mute::On, Mute::Off, Mute::Toggle]);
                self.home.handle_camera(camera);
                self.home.handle_mute(wish, now);
            }
            (20, _) => match self.dice.below(16) {
                0 => drop(self.home.handle_revoked(self.dice.below(4), now)),
                1 => drop(self.home.handle_reset(now)),
                2..=9 => self.add_key(now),
                _ => drop(self.home.handle_code_wanted(None, Role::Family, now)),
            },
            (21, _) => {
                if let Some(code) = self.codes.pop() {
                    let stored = NewKey {
                        number: 9,
                        hash: key(1).hash(),
                        person: Person::new(9, None, Role::Family),
                        by_link: false,
                    };
                    let minted = self.dice.coin().then(|| (stored, key(1).to_text()));
                    self.home.handle_minted(code, minted, now);
                }
            }
            (22 | 23, _) => self.press(now),
            (24, _) => {
                if let Some((invite, wish)) = self.invites.pop() {
                    let person = Person::new(wish.person.unwrap_or(7), wish.name, wish.role);
                    let until = Duration::from_secs(1 << 33);
                    let link = NewLink { person, hash: key(2).hash(), until, devices: wish.devices };
                    let made = self.dice.coin().then(|| (link, key(2).to_text()));
                    self.home.handle_invite_made(invite, made, now);
                }
            }
            _ => self.now += Duration::from_millis(self.dice.below(4000)),
        }
    }

    /// What holds after each event.
    pub fn check(&self) {
        let status = self.home.status();
        assert_eq!(status["failed_peers"], 0);
        assert!(self.home.viewers().len() <= MAX_VIEWERS);
        assert!(status["sockets"].as_u64() <= Some(self.sockets.len() as u64), "{status}");
    }

    /// Does what home wants done, up to its next timer.
    pub fn run_until_idle(&mut self) {
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
                    HomeOutput::Invite { invite, wish } => self.invites.push((invite, wish)),
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

/// The beginning of a target's time.
#[allow(clippy::disallowed_methods)]
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A page that offers what a browser does, or less of it.
fn offer(dice: &mut Dice<'_>) -> String {
    let lines = OFFER.lines().count() as u64;
    let without = if dice.coin() { dice.below(lines) as usize } else { usize::MAX };
    OFFER.lines().enumerate().filter(|(n, _)| *n != without).map(|(_, line)| format!("{line}\r\n")).collect()
}

/// Bytes decide what happens, and what pages say.
pub fn fuzz_home(data: &[u8]) {
    fastrand::seed(7);
    let mut day = Day::new(*START, 7, Dice::Engine(Bytes(data)), offer);
    for _ in 0..100 {
        if matches!(&day.dice, Dice::Engine(bytes) if bytes.is_over()) {
            break;
        }
        day.event();
        day.run_until_idle();
        day.check();
    }
    day.home.handle_shutdown(day.now);
    day.run_until_idle();
    assert_eq!(day.home.viewers().len(), 0);
}

pub fn days() -> Vec<Vec<u8>> {
    // A socket, hello with the first key, an offer, a picture, sound, and time.
    let said = |text: &str| [&[4, 0, 240][..], &piece(text.as_bytes())].concat();
    let hello = said(r#"{"type":"hello","v":1,"key":"one"}"#);
    let day = [&[0, 0, 0][..], &hello, &[4, 0, 4, 1, 0, 0], &[22, 100, 0, 0, 0, 0, 0, 0, 0], &[16, 0, 1], &[17, 0, 1]]
        .concat();
    let words =
        ["keyframe\",\"pc\":1", "state\",\"microphone\":true,\"camera\":true", "volume\",\"percent\":7", "leave\""];
    let talk: Vec<u8> = words.iter().flat_map(|word| said(&format!("{{\"type\":\"{word}}}"))).collect();
    vec![day.clone(), [&[0, 0, 0][..], &hello, &talk].concat(), [day, talk].concat()]
}
