//! A simulated home: the real core, fake encoders, emulated links, str0m viewers, and a clock that jumps to the next
//! thing that happens.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use intercom_base::language::Language;
use intercom_base::settings::Rung;
use intercom_base::units::{Bitrate, FrameRate};
use intercom_core::call::chimes::Chime;
use intercom_core::call::home::{Home, HomeConfig, HomeOutput, SocketId, frosted};
use intercom_core::call::house::House;
use intercom_core::call::items::{
    AudioIn, CallOut, Door, EncodedAudio, EncoderName, ExchangeId, For, PairingCode, Recipients, Speech, ViewerFrame,
    ViewerInfo, VisitId,
};
use intercom_core::call::peer::Identity;
use intercom_core::call::protocol::{CameraState, FromHome, Volume};
use intercom_core::people::access::Access;
use intercom_core::people::items::{Change, InviteId};
use intercom_core::people::register::Wish;
use intercom_core::people::visits::VisitLog;
use intercom_core::reach::Addresses;
use str0m_netem::{Input as LinkInput, Netem, NetemConfig};

use crate::encoder::FakeEncoder;
use crate::keys;
use crate::viewer::{Packet, Viewer};
use crate::voice::Voice;

pub const HOME: ([u8; 4], u16) = ([10, 0, 0, 1], 8443);

/// When the world begins, in UTC since 1970.
const UNIX: Duration = Duration::from_secs(1_790_000_000);

pub struct World {
    pub start: Instant,
    pub now: Instant,
    pub home: Home,
    pub encoders: [FakeEncoder; 4],
    /// Home's own way out, if all share one.
    pub uplink: Option<Netem<Packet>>,
    pub viewers: Vec<Viewer>,
    pub present: bool,
    pub listed: Vec<ViewerInfo>,
    /// What the TV offers.
    pub code: Option<PairingCode>,
    /// Keys that were asked for, and for whom, and not made yet.
    pub minting: VecDeque<(ExchangeId, For)>,
    pub minted: u64,
    /// Links that were asked for and not made yet.
    pub inviting: VecDeque<(InviteId, Wish)>,
    /// What owners changed.
    pub stored: Vec<Change>,
    pub house: House,
    /// How home shall look and sound, and looks at itself.
    pub orders: Vec<HomeOutput>,
    pub curtain: bool,
    pub log: VisitLog,
    /// What the shell passed on of home's calls.
    pub calls: Vec<CallOut>,
    /// What the TV knows of the door.
    pub door: Door,
    /// Chimes, and when they began.
    pub chimes: Vec<(Instant, Chime)>,
    pub muted: bool,
    /// Orders for one.
    pub snapshots: usize,
    /// As home said last.
    pub volume: Option<u8>,
    /// Whom the others hear, and who so has packets of their own.
    pub mix_minus: BTreeSet<VisitId>,
    /// Sound packets that reached the speaker, per visit.
    pub heard: HashMap<VisitId, u64>,
    /// Camera frames that reached the picture thread, per visit.
    pub seen: HashMap<VisitId, u64>,
    /// Datagrams sent to addresses where no viewer is.
    pub stray: HashMap<SocketAddr, usize>,
    pub sockets: HashMap<SocketId, usize>,
    /// Sockets that home has closed, and when their far end hears of it.
    closing: VecDeque<(Instant, SocketId)>,
    pub next_socket: u64,
    frame_number: u32,
    pub captured: Vec<Instant>,
    /// How old pictures and sound are when they leave their encoders.
    pub picture_age: Duration,
    pub sound_age: Duration,
    sound_due: Instant,
    /// Home's sound: 20 ms each, when each was captured, and what the encoder is ordered to do.
    pub sounds: Vec<Instant>,
    pub speech: Option<Speech>,
    voice: Voice,
    turns_without_progress: u32,
    /// How often anything happened.
    pub turns: u64,
}

impl World {
    pub fn new() -> World {
        World::with_max(8)
    }

    pub fn with_max(max_viewers: usize) -> World {
        World::of(max_viewers, keys::known(), true)
    }

    /// A home that a family and its guests know, and nobody else.
    pub fn household() -> World {
        World::of(8, keys::household(), true)
    }

    /// A home that has never been started before.
    pub fn fresh() -> World {
        let mut world = World::of(8, keys::none(), true);
        world.home.handle_started(world.now);
        world.run(Duration::ZERO);
        world
    }

    /// A home whose viewers hear home alone.
    pub fn apart() -> World {
        World::of(8, keys::known(), false)
    }

    /// A home whose picture is from `reduced` to `full`.
    pub fn sized(full: Rung, reduced: Rung) -> World {
        World::with(8, keys::known(), true, [full, reduced])
    }

    fn of(max_viewers: usize, access: Access, hear_each_other: bool) -> World {
        let full = Rung {
            width: 1280,
            height: 720,
            rate: FrameRate::from_fps(30.0),
            floor: Bitrate::from_kbps(1000),
            max: Bitrate::from_kbps(2500),
        };
        let reduced = Rung {
            width: 320,
            height: 180,
            rate: FrameRate::from_fps(30.0),
            floor: Bitrate::from_kbps(60),
            max: Bitrate::from_kbps(400),
        };
        World::with(max_viewers, access, hear_each_other, [full, reduced])
    }

    fn with(max_viewers: usize, access: Access, hear_each_other: bool, [full, reduced]: [Rung; 2]) -> World {
        let now = Instant::now();
        let config = HomeConfig {
            name: "Home".into(),
            max_viewers,
            port: HOME.1,
            public: None,
            full,
            reduced,
            audio: Bitrate::from_kbps(32),
            muted: false,
            volume: Volume { percent: 80, least: 20, most: 100 },
            hear_each_other,
            curtain: false,
            chime_percent: 70,
            language: Language::English,
            house: House::default(),
            version: "1.2.3".into(),
            visits: VisitLog::default(),
            news: Default::default(),
        };
        let mut random = fastrand::Rng::with_seed(7);
        let entropy = Box::new(move |bytes: &mut [u8]| random.fill(bytes));
        let identity = Identity::generate();
        let mut home = Home::new(config, identity, access, entropy, now, UNIX);
        let local = vec![IpAddr::from(HOME.0)];
        home.handle_addresses(Addresses { best: Some(local[0]), local, public: None }, now);
        home.handle_camera(CameraState::Live);
        World {
            start: now,
            now,
            home,
            encoders: EncoderName::ALL.map(|name| match name {
                EncoderName::Frosted => FakeEncoder::new(name, &frosted(&full), &frosted(&full), now),
                _ => FakeEncoder::new(name, &full, &reduced, now),
            }),
            uplink: None,
            viewers: Vec::new(),
            present: false,
            listed: Vec::new(),
            code: None,
            minting: VecDeque::new(),
            minted: 0,
            inviting: VecDeque::new(),
            stored: Vec::new(),
            house: House::default(),
            orders: Vec::new(),
            curtain: false,
            log: VisitLog::default(),
            calls: Vec::new(),
            door: Door::default(),
            chimes: Vec::new(),
            muted: false,
            snapshots: 0,
            volume: None,
            mix_minus: BTreeSet::new(),
            heard: HashMap::new(),
            seen: HashMap::new(),
            stray: HashMap::new(),
            sockets: HashMap::new(),
            closing: VecDeque::new(),
            next_socket: 1,
            frame_number: 0,
            captured: vec![now],
            picture_age: Duration::ZERO,
            sound_age: Duration::ZERO,
            sound_due: now,
            sounds: Vec::new(),
            speech: None,
            voice: Voice::new(),
            turns_without_progress: 0,
            turns: 0,
        }
    }

    /// A viewer behind a link of this kind both ways. It does nothing before it is told to.
    pub fn viewer(&mut self, link: NetemConfig) -> usize {
        let index = self.viewers.len();
        self.viewers.push(Viewer::new(index, link, self.now));
        index
    }

    /// A viewer that opens the page now: socket, hello, offer, candidate.
    pub fn visit(&mut self, link: NetemConfig) -> usize {
        let index = self.viewer(link);
        self.open_socket(index);
        self.viewers[index].open_page(self.now);
        index
    }

    /// The same, with the key of this number.
    pub fn visit_as(&mut self, key: u64, link: NetemConfig) -> usize {
        let index = self.viewer(link);
        self.viewers[index].key = keys::key(key);
        self.open_socket(index);
        self.viewers[index].open_page(self.now);
        index
    }

    /// The viewer's page opens a WebSocket.
    pub fn open_socket(&mut self, index: usize) -> SocketId {
        let id = SocketId(self.next_socket);
        self.next_socket += 1;
        self.sockets.insert(id, index);
        let viewer = &mut self.viewers[index];
        viewer.socket = Some(id);
        let far = SocketAddr::new(viewer.far.unwrap_or(viewer.address.ip()), 50_000);
        self.home.handle_socket_open(id, far, SocketAddr::from(HOME), self.now);
        id
    }

    /// The viewer's WebSocket dies; what was on its way either way is lost.
    pub fn kill_socket(&mut self, index: usize) {
        if let Some(id) = self.viewers[index].socket.take() {
            self.viewers[index].lose_words();
            self.sockets.remove(&id);
            self.home.handle_socket_closed(id, self.now);
        }
    }

    /// The viewer's page opens a new WebSocket and goes on with its visit.
    pub fn reconnect(&mut self, index: usize) {
        self.kill_socket(index);
        self.open_socket(index);
        let now = self.now;
        self.viewers[index].say_hello_again(now);
    }

    pub fn run(&mut self, time: Duration) {
        let until = self.now + time;
        self.run_while(until, |_| true);
        self.now = until;
        self.turn();
    }

    /// Runs until `done`, for at most `time`; whether it was done.
    pub fn run_until(&mut self, time: Duration, mut done: impl FnMut(&World) -> bool) -> bool {
        let until = self.now + time;
        self.run_while(until, |world| !done(world));
        done(self)
    }

    fn run_while(&mut self, until: Instant, mut go_on: impl FnMut(&World) -> bool) {
        self.turn();
        while go_on(self) {
            let next = self.next();
            if next > until {
                return;
            }
            if next > self.now {
                self.now = next;
                self.turns_without_progress = 0;
            } else {
                self.turns_without_progress += 1;
                assert!(
                    self.turns_without_progress < 10_000,
                    "spins at {:?}: {:?}",
                    self.age(),
                    self.home.poll_timeout()
                );
            }
            self.turn();
        }
    }

    pub fn age(&self) -> Duration {
        self.now - self.start
    }

    fn next(&self) -> Instant {
        let encoders = self.encoders.iter().filter(|e| e.bitrate.is_some()).map(|e| e.due);
        let sound = self.present.then_some(self.sound_due);
        let home = self.home.poll_timeout().map(|(at, _)| at);
        let viewers = self.viewers.iter().map(|v| v.next());
        let far = self.now + Duration::from_secs(3600);
        let uplink = self.uplink.as_ref().map(|uplink| uplink.poll_timeout());
        encoders.chain(sound).chain(home).chain(viewers).chain(uplink).min().unwrap_or(far).max(self.now)
    }

    fn turn(&mut self) {
        self.turns += 1;
        let now = self.now;
        for at in 0..self.encoders.len() {
            if self.encoders[at].bitrate.is_some() && self.encoders[at].due <= now {
                self.encode(at);
                // A tick missed is not made up for.
                self.encoders[at].due = (self.encoders[at].due + self.encoders[at].period).max(now);
            }
        }
        if self.present && self.sound_due <= now {
            let sample = self.sounds.len() as u64 * 960;
            let data = self.voice.next(self.speech);
            let captured = now.checked_sub(self.sound_age).unwrap_or(now);
            self.sounds.push(captured);
            let speakers: Vec<VisitId> = self.mix_minus.iter().copied().collect();
            let theirs = speakers.iter().map(|visit| Recipients::Only(*visit));
            for to in theirs.chain([Recipients::AllBut(speakers.as_slice().into())]) {
                let data = Arc::clone(&data);
                self.home.handle_audio(&EncodedAudio { to, data, captured, sample }, now);
            }
            self.sound_due = (self.sound_due + Duration::from_millis(20)).max(now);
        }
        self.advance_uplink();
        for index in 0..self.viewers.len() {
            let viewer = &mut self.viewers[index];
            viewer.advance(now);
            for (source, bytes) in viewer.take_uplink(now) {
                self.home.handle_datagram(source, SocketAddr::from(HOME), &bytes, now);
            }
            let (socket, words) = (viewer.socket, viewer.take_words(now));
            if let Some(socket) = socket {
                for text in words {
                    self.home.handle_message(socket, &text, now);
                }
            }
        }
        self.closes();
        if self.home.poll_timeout().is_some_and(|(at, _)| at <= now) {
            self.home.handle_timeout(now);
        }
        self.outputs();
    }

    fn closes(&mut self) {
        let now = self.now;
        let (heard, later) = self.closing.drain(..).partition::<Vec<_>, _>(|(at, _)| *at <= now);
        self.closing.extend(later);
        for (_, id) in heard {
            let Some(viewer) = self.sockets.remove(&id).map(|index| &mut self.viewers[index]) else { continue };
            if viewer.socket == Some(id) {
                viewer.socket = None;
                viewer.closed_by_home = Some(now);
            }
        }
    }

    fn encode(&mut self, at: usize) {
        self.frame_number += 1;
        let (number, now) = (self.frame_number, self.now);
        let captured = now.checked_sub(self.picture_age).unwrap_or(now);
        self.captured.push(captured);
        if let Some(frame) = self.encoders[at].frame(number, captured, now) {
            self.home.handle_video(&frame, now);
        }
    }

    fn outputs(&mut self) {
        let now = self.now;
        let mut forced = VecDeque::new();
        while let Some(output) = self.home.poll_output() {
            match output {
                HomeOutput::Transmit(t) => {
                    let packet = Packet { from: t.source, to: t.destination, bytes: t.contents };
                    match &mut self.uplink {
                        Some(uplink) => uplink.handle_input(LinkInput::Packet(now, packet)),
                        None => self.deliver(packet),
                    }
                }
                HomeOutput::Say(id, message) => {
                    if let Some(index) = self.sockets.get(&id) {
                        self.viewers[*index].hear(message, now);
                    }
                }
                HomeOutput::Ping(id) => {
                    if let Some(index) = self.sockets.get(&id)
                        && !self.viewers[*index].mute
                    {
                        self.home.handle_socket_alive(id, now);
                    }
                }
                HomeOutput::Close(id) => {
                    // The far end goes on talking until it hears of it.
                    if let Some(index) = self.sockets.get(&id) {
                        self.closing.push_back((now + self.viewers[*index].words_delay, id));
                    }
                }
                HomeOutput::Encoder(encoder, order) => {
                    let at = encoder.index();
                    if self.encoders[at].order(order, now) {
                        forced.push_back(at);
                    }
                }
                HomeOutput::Snapshot => {
                    self.snapshots += 1;
                    self.home.handle_snapshot(&format!("picture {}", self.snapshots));
                }
                HomeOutput::Speech(speech) => self.speech = Some(speech),
                HomeOutput::Visited(present) => {
                    self.present = present;
                    self.sound_due = now;
                }
                HomeOutput::Sound(AudioIn::Packet(visit, _)) => *self.heard.entry(visit).or_default() += 1,
                HomeOutput::Sound(AudioIn::Gone(_)) => {}
                HomeOutput::MixMinus(AudioIn::Packet(visit, _)) => drop(self.mix_minus.insert(visit)),
                HomeOutput::MixMinus(AudioIn::Gone(visit)) => drop(self.mix_minus.remove(&visit)),
                HomeOutput::Chime(chime) => self.chimes.push((now, chime)),
                HomeOutput::Muted(muted) => self.muted = muted,
                HomeOutput::Volume(percent) => self.volume = Some(percent),
                HomeOutput::Picture(ViewerFrame { visit, .. }) => *self.seen.entry(visit).or_default() += 1,
                HomeOutput::Viewers(listed) => self.listed = listed,
                HomeOutput::Code(code) => self.code = code,
                HomeOutput::Mint { exchange, whom } => self.minting.push_back((exchange, whom)),
                HomeOutput::Invite { invite, wish } => self.inviting.push_back((invite, wish)),
                HomeOutput::Store(change) => self.stored.push(change),
                HomeOutput::House(house) => self.house = house,
                order @ (HomeOutput::Looks { .. } | HomeOutput::ChimeVolume(_) | HomeOutput::Examine) => {
                    self.orders.push(order);
                }
                HomeOutput::Curtain(drawn) => self.curtain = drawn,
                HomeOutput::Door(door) => self.door = door,
                HomeOutput::Call(call) => self.calls.push(call),
                HomeOutput::Visits(log) => self.log = log,
                HomeOutput::News(_) => {}
            }
        }
        let again = !forced.is_empty();
        while let Some(at) = forced.pop_front() {
            // As the real encoder does: the keyframe is made at once, not at the next tick.
            self.encode(at);
        }
        if again {
            self.outputs();
        }
    }

    /// What the wall clock shows.
    pub fn unix(&self) -> Duration {
        UNIX + (self.now - self.start)
    }

    /// For tests that drop their viewers.
    pub fn forget_sockets(&mut self) {
        self.sockets.clear();
    }

    /// The last message of a kind that a viewer heard.
    pub fn last_error(&self, index: usize) -> Option<&FromHome> {
        self.viewers[index].heard.iter().rev().find(|m| matches!(m, FromHome::Error { .. }))
    }
}
