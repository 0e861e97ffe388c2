//! All visits: admission, signaling, media, orders of the encoders. Driven with `handle_*(…, now)`, emptied with `poll_output`,
//! woken at `poll_timeout`.
//!
//! Signaling is not the call: a socket only carries words about a visit. A visit whose socket died lives on its own
//! deadline while its media is down, and without any while media flows.

mod admission;
mod calling;
mod door;
mod encoders;
mod failure;
mod house;
mod levels;
mod limits;
mod media;
mod news;
mod orders;
mod owner;
mod pairing;
mod post;
mod seats;
mod signaling;
mod snapshots;
mod sound;
mod uplink;
mod visit;
mod visit_log;

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::call::chimes::Chimes;
use crate::call::home::admission::Socket;
use crate::call::home::calling::Calling;
use crate::call::home::door::DoorState;
use crate::call::home::encoders::EncoderState;
use crate::call::home::house::HouseState;
use crate::call::home::levels::Levels;
use crate::call::home::owner::Owners;
use crate::call::home::pairing::{Exchange, Pairing};
use crate::call::home::visit::Visit;
use crate::call::items::{AudioIn, ViewerInfo, VisitId};
use crate::call::peer::Identity;
use crate::call::protocol::{ByeReason, CameraState, FromHome};
use crate::people::access::Access;
use crate::people::items::{NewKey, NewLink};
use crate::people::keys::KeyId;
use crate::people::news::NewsBook;
use crate::people::register::Role;
use crate::people::visits::{Outcome, VisitLog};
use crate::rate::sharing::Sharing;
use crate::rate::speech::SpeechOrder;
use crate::rate::uplink::Uplink;
use crate::reach::Addresses;

pub use calling::CALL_LIFE;
pub use door::{BACK_WITHIN, Curtain, KNOCK_LIFE, PREVIEW_LIFE};
pub use encoders::frosted;
pub use levels::Mute;
pub use orders::{HomeConfig, HomeOutput, Why};

/// A visit without a socket and without media ends after this.
pub const ORPHAN_LIFE: Duration = Duration::from_secs(30);

/// A visit with a socket and without media ends after this, counted from when it lost its media or its newest socket came.
pub const NO_MEDIA_LIFE: Duration = Duration::from_secs(20);

/// However often it comes with another socket, a visit without media ends after this.
const LONGEST_WITHOUT_MEDIA: Duration = Duration::from_secs(60);

/// A socket must say `hello` within this.
const HELLO_WITHIN: Duration = Duration::from_secs(5);

/// A quiet socket is pinged after this, and closed after [`SILENCE`].
const PING_AFTER: Duration = Duration::from_secs(10);

/// A socket that is quiet for this long, pings notwithstanding, is dead.
const SILENCE: Duration = Duration::from_secs(25);

/// Most addresses that a viewer's media may come from; the oldest is forgotten first.
const ROUTES_PER_VISIT: usize = 16;

/// Names a signaling socket; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId(pub u64);

/// Fills a buffer with random bytes that nobody can guess.
pub type Entropy = Box<dyn FnMut(&mut [u8]) + Send>;

/// The home.
pub struct Home {
    config: HomeConfig,
    identity: Identity,
    access: Access,
    entropy: Entropy,
    addresses: Addresses,
    camera: CameraState,
    wall: (Instant, Duration),
    sockets: HashMap<SocketId, Socket>,
    visits: Vec<Visit>,
    next_visit: u64,
    routes: HashMap<SocketAddr, VisitId>,
    encoders: [EncoderState; 4],
    sharing: Sharing,
    uplink: Uplink<VisitId>,
    speech: SpeechOrder,
    present: bool,
    /// Several are here who hear each other.
    mixing: bool,
    viewers: Vec<ViewerInfo>,
    pairing: Option<Pairing>,
    /// When the key for a new phone was pressed last.
    invite_pressed: Option<Instant>,
    /// That press let somebody in, and is no wish for a code however long it lasts.
    invite_let_in: bool,
    exchanges: Vec<Exchange>,
    next_exchange: u64,
    chimes: Chimes,
    levels: Levels,
    door: DoorState,
    owners: Owners,
    house: HouseState,
    log: VisitLog,
    news: NewsBook,
    calling: Calling,
    /// Peer connections in which the WebRTC library panicked, since the start.
    failed_peers: u64,
    out: VecDeque<HomeOutput>,
}

impl Home {
    /// A home without visits. `unix` is UTC since
    /// 1970 at `now`.
    pub fn new(
        config: HomeConfig,
        identity: Identity,
        access: Access,
        entropy: Entropy,
        now: Instant,
        unix: Duration,
    ) -> Home {
        let encoders = EncoderState::all(&config, now);
        let door = DoorState::new(config.curtain, config.house.quiet_hours);
        let (log, news) = (config.visits.clone(), config.news.clone());
        let house = HouseState::new(&config, now);
        let levels = Levels::new(config.muted, house.volume(config.volume));
        Home {
            config,
            identity,
            access,
            entropy,
            addresses: Addresses::default(),
            camera: CameraState::Unplugged,
            wall: (now, unix),
            sockets: HashMap::new(),
            visits: Vec::new(),
            next_visit: 1,
            routes: HashMap::new(),
            encoders,
            sharing: Sharing::new(now),
            uplink: Uplink::default(),
            speech: SpeechOrder::default(),
            present: false,
            mixing: false,
            viewers: Vec::new(),
            pairing: None,
            invite_pressed: None,
            invite_let_in: false,
            exchanges: Vec::new(),
            next_exchange: 1,
            chimes: Chimes::default(),
            levels,
            door,
            owners: Owners::new(now),
            house,
            log,
            news,
            calling: Calling::new(now),
            failed_peers: 0,
            out: VecDeque::new(),
        }
    }

    /// The wall clock may jump: tells what it shows now. The capture time sent along with frames, links and quiet hours follow it.
    pub fn handle_wall_clock(&mut self, unix: Duration, now: Instant) {
        self.wall = (now, unix);
        self.door_changed(now);
        self.tell_owners(now);
    }

    /// The machine's addresses changed: visits hear of new ones, and those gone are not tried any more.
    pub fn handle_addresses(&mut self, addresses: Addresses, now: Instant) {
        self.addresses = addresses;
        self.show_code();
        self.tell_home();
        for index in 0..self.visits.len() {
            let locals = self.locals_for(self.visits[index].near);
            let visit = &mut self.visits[index];
            let Some(peer) = &mut visit.peer else { continue };
            let lines = peer.set_addresses(&locals, self.addresses.public, now);
            let (pc, socket) = (visit.pc, visit.socket);
            if let Some(socket) = socket {
                for candidate in lines {
                    self.out.push_back(HomeOutput::Say(socket, FromHome::Candidate { pc, candidate }));
                }
            }
            self.collect(index, now);
        }
    }

    /// Home's camera was plugged or unplugged: every page hears of it.
    pub fn handle_camera(&mut self, camera: CameraState) {
        if self.camera == camera {
            return;
        }
        self.camera = camera;
        self.say_to_all(&FromHome::Camera { camera });
    }

    /// A key was minted: anyone who shows it may come in from now on.
    pub fn handle_key_added(&mut self, key: NewKey, now: Instant) {
        let (person, unix, id) = (key.person.clone(), self.wall_at(now), KeyId(key.number));
        let is_new = self.access.people().devices_of(person.number) == 0;
        if self.access.handle_added(key, unix) {
            let what = if is_new && person.role == Role::Owner { Outcome::Owner } else { Outcome::Device };
            self.tell_change(what, &person, Some(id), now);
            self.end_first_code();
        }
        self.tell_owners(now);
    }

    /// A link was made: anyone who opens it may come in from now on.
    pub fn handle_invited(&mut self, link: NewLink, now: Instant) {
        self.access.handle_invited(link);
        self.tell_owners(now);
    }

    /// Forgets a person or a key, and ends every visit that came by it.
    ///
    /// # Errors
    /// If there is no such number: those of all persons.
    pub fn handle_revoked(&mut self, number: u64, now: Instant) -> Result<(), Vec<u64>> {
        let people = self.access.people();
        let person = people.person(number).or_else(|| people.owner_of(KeyId(number)));
        let person = person.filter(|person| person.number != 0).cloned();
        let Some(keys) = self.access.handle_revoked(number) else {
            return Err(self.access.numbers());
        };
        // Whose last device is gone is gone, too.
        let gone = person.filter(|person| self.access.people().person(person.number).is_none());
        if let Some(gone) = &gone {
            self.end_code_of(gone.number, now);
        }
        log::info!("number {number} is revoked, and with it {} keys", keys.len());
        let ended: Vec<VisitId> = self.visits.iter().filter(|v| keys.contains(&v.key)).map(|v| v.id).collect();
        for id in ended {
            self.end_visit(id, Some(ByeReason::Revoked), now);
        }
        if let Some(gone) = gone {
            self.tell_change(Outcome::Removed, &gone, None, now);
        }
        self.tell_owners(now);
        Ok(())
    }

    /// Forgets every key, and the code on the TV, and ends all visits. How many people could come in.
    pub fn handle_reset(&mut self, now: Instant) -> usize {
        let people = self.access.handle_reset();
        (self.log, self.news) = Default::default();
        self.calling = Calling::new(now);
        self.owners = Owners::new(now);
        self.house.reset();
        self.door = DoorState::new(self.door.curtain, None);
        self.pairing = None;
        self.exchanges.clear();
        self.out.push_back(HomeOutput::Code(None));
        for id in self.visits.iter().map(|v| v.id).collect::<Vec<_>>() {
            self.end_visit(id, Some(ByeReason::Revoked), now);
        }
        people
    }

    /// Says goodbye to every page; what comes out of [`Home::poll_output`] then is the last.
    pub fn handle_shutdown(&mut self, now: Instant) {
        for id in self.visits.iter().map(|v| v.id).collect::<Vec<_>>() {
            self.end_visit(id, Some(ByeReason::Restarting), now);
        }
        for socket in self.sockets.keys() {
            self.out.push_back(HomeOutput::Close(*socket));
        }
        self.sockets.clear();
    }

    /// To be called when [`Home::poll_timeout`] is reached; does all that is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.sockets_timeout(now);
        for index in 0..self.visits.len() {
            let visit = &mut self.visits[index];
            if let Some(peer) = &mut visit.peer
                && peer.poll_timeout().is_some_and(|t| t <= now)
            {
                peer.handle_timeout(now);
                self.collect(index, now);
            }
        }
        self.seats_timeout(now);
        self.failures_timeout(now);
        self.quiet_timeout(now);
        self.encoders_timeout(now);
        self.pairing_timeout(now);
        self.door_timeout(now);
        self.call_timeout(now);
        self.limits_changed(now);
        self.out.extend(self.chimes.handle_timeout(now).map(HomeOutput::Chime));
    }

    /// When to call [`Home::handle_timeout`], and why; `None` if only input can change anything.
    pub fn poll_timeout(&self) -> Option<(Instant, Why)> {
        let sockets = self.sockets.iter().filter_map(|(id, socket)| socket.deadline(*id));
        let visits = self.visits.iter().flat_map(|visit| {
            let peer = visit.peer.as_ref().and_then(|p| p.poll_timeout()).map(|t| (t, Why::Peer(visit.id)));
            let orphan = visit.orphan_deadline().map(|t| (t, Why::Orphan(visit.id)));
            let no_media = visit.media_deadline().map(|t| (t, Why::NoMedia(visit.id)));
            let failed = visit.failed_at.map(|t| (t, Why::Failed(visit.id)));
            let path = visit.path.poll_timeout().map(|t| (t, Why::Path(visit.id)));
            let probe = visit.next_probe.map(|t| (t, Why::Probe(visit.id)));
            let idle = visit.encode_until.map(|t| (t, Why::Idle(visit.id)));
            let still_mode = visit.still_mode.poll_timeout().map(|t| (t, Why::StillMode(visit.id)));
            let quiet = visit.quiet_deadline().map(|t| (t, Why::Quiet(visit.id)));
            let limit = visit.limit.poll_timeout().map(|t| (t, Why::Limit(visit.id)));
            [peer, orphan, no_media, failed, path, probe, idle, still_mode, quiet, limit].into_iter().flatten()
        });
        let encoders = self.encoders.iter().filter_map(|e| e.deadline());
        let pairing = self.pairing_deadline().map(|at| (at, Why::Pairing));
        let chime = self.chimes.poll_timeout().map(|at| (at, Why::Chime));
        let door = self.door_deadline().into_iter().chain(self.call_deadline());
        sockets.chain(visits).chain(encoders).chain(pairing).chain(chime).chain(door).min_by_key(|(at, _)| *at)
    }

    /// The next thing to do; `None` when all is said.
    pub fn poll_output(&mut self) -> Option<HomeOutput> {
        self.out.pop_front()
    }

    /// Visits as the TV and the status report need them.
    pub fn viewers(&self) -> &[ViewerInfo] {
        &self.viewers
    }

    /// Everything about the visits, for `intercom status`.
    pub fn status(&self) -> serde_json::Value {
        let visits: Vec<_> = self.visits.iter().map(Visit::status).collect();
        let encoders: Vec<_> = self.encoders.iter().map(EncoderState::status).collect();
        let speech = self
            .speech
            .ordered()
            .map(|s| serde_json::json!({ "kbps": s.bitrate.kbps(), "loss_percent": s.loss_percent }));
        serde_json::json!({
            "visits": visits,
            "encoders": encoders,
            "speech": speech,
            "failed_peers": self.failed_peers,
            "sockets": self.sockets.len(),
            "camera": self.camera,
            "muted": self.levels.muted,
            "curtain": self.door.curtain,
            "volume_percent": self.levels.volume.percent,
        })
    }

    fn say_to_all(&mut self, message: &FromHome) {
        for socket in self.visits.iter().filter_map(|v| v.socket) {
            self.out.push_back(HomeOutput::Say(socket, message.clone()));
        }
    }

    /// A token that nobody can guess: 128 bits in base64url.
    fn token(&mut self) -> String {
        use base64::Engine as _;
        let mut bytes = [0; 16];
        (self.entropy)(&mut bytes);
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Our media addresses for a viewer whose signaling came to `near`: loopback is only of use to one on the same
    /// machine.
    fn locals_for(&self, near: IpAddr) -> Vec<SocketAddr> {
        let mut ips = self.addresses.local.clone();
        if !ips.contains(&near) && !near.is_unspecified() {
            ips.insert(0, near);
        }
        ips.into_iter().map(|ip| SocketAddr::new(ip, self.config.port)).collect()
    }

    fn index_of(&self, id: VisitId) -> Option<usize> {
        self.visits.iter().position(|v| v.id == id)
    }

    /// Ends a visit: goodbye on its socket if there is a reason to tell, close of its media, and all traces gone.
    fn end_visit(&mut self, id: VisitId, reason: Option<ByeReason>, now: Instant) {
        let Some(index) = self.index_of(id) else { return };
        if let Some(ByeReason::Ended | ByeReason::Declined | ByeReason::NoAnswer) = reason {
            self.remember_ended(index, reason, now);
        }
        if let Some(peer) = &mut self.visits[index].peer {
            peer.close(now);
            self.collect(index, now);
        }
        let visit = self.visits.remove(index);
        if visit.arrived {
            self.chimes.handle_departure(visit.key, now);
        }
        self.routes.retain(|_, v| *v != id);
        if let Some(socket) = visit.socket {
            if let Some(reason) = reason {
                self.out.push_back(HomeOutput::Say(socket, FromHome::Bye { reason, until: None }));
            }
            self.sockets.remove(&socket);
            self.out.push_back(HomeOutput::Close(socket));
        }
        self.out.push_back(HomeOutput::Sound(AudioIn::Gone(id)));
        if self.mixing {
            self.out.push_back(HomeOutput::MixMinus(AudioIn::Gone(id)));
        }
        log::info!("visit {} ended, {} left", id.0, self.visits.len());
        self.handle_left(&visit, reason, now);
        self.log_end(&visit, reason, now);
        self.visits_changed(now);
    }

    /// Brings encoders, devices and the TV in line with who visits now.
    fn visits_changed(&mut self, now: Instant) {
        for index in 0..self.visits.len() {
            if self.visits[index].is_met() {
                self.log_begin(index, now);
            }
        }
        // Who knocks sees nothing of home, so camera and microphone go on resting.
        let present = self.visits.iter().any(|visit| visit.gate.is_inside() || visit.gate.is_preview());
        if present != self.present {
            self.present = present;
            self.out.push_back(HomeOutput::Visited(present));
        }
        let viewers: Vec<ViewerInfo> = self.visits.iter().filter(|v| v.gate.is_inside()).map(Visit::viewer).collect();
        if viewers != self.viewers {
            self.viewers.clone_from(&viewers);
            self.out.push_back(HomeOutput::Viewers(viewers));
            self.tell_owners(now);
        }
        self.update_conference();
        self.share_uplink(now);
        self.update_encoders(now);
        self.limits_changed(now);
        self.door_changed(now);
    }
}
