//! A viewer: str0m in the browser's place, and the page's rules of signaling, behind an emulated link.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant, SystemTime};

use intercom_core::call::home::SocketId;
use intercom_core::call::protocol::{Attempt, FromHome, FromPage};
use intercom_media::opus::has_fec;
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::media::{Direction, Frequency, MediaData, MediaKind, MediaTime, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::Extension;
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc};
use str0m_netem::{Input as LinkInput, Netem, NetemConfig, Output as LinkOutput, WithLen};

use crate::encoder::number_in;
use crate::keys;

#[derive(Clone)]
pub struct Packet {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub bytes: Vec<u8>,
}

impl WithLen for Packet {
    fn len(&self) -> usize {
        // IP and UDP headers take their part of a link.
        self.bytes.len() + 28
    }
}

/// What a capture time belongs to: a place in the sound, or a numbered picture.
#[derive(Clone, Copy, Debug)]
pub enum Captured {
    Sound(u64),
    Picture(u32),
}

/// A frame that a person would have seen.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    pub at: Instant,
    pub number: u32,
    pub keyframe: bool,
}

struct Connection {
    rtc: Rtc,
    pending: Option<SdpPendingOffer>,
    offer: String,
    rev: u32,
    audio: Mid,
    answered: bool,
    timeout: Instant,
    ice: IceConnectionState,
    connected: bool,
    decodable: bool,
}

/// What a viewer's browser offers for the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Video {
    H264,
    /// A codec that home does not send.
    Other,
    /// No section at all.
    None,
}

pub struct Viewer {
    pub address: SocketAddr,
    /// Where its sockets come from, if not from there.
    pub far: Option<IpAddr>,
    pub video: Video,
    /// What its page came at.
    pub kbps: Option<u32>,
    /// Its device saves data.
    pub saves: bool,
    /// For so many packets the next frame waits for those that are missing.
    pub reorder: usize,
    pub key: String,
    /// What its page calls its try to connect; `None`: an old page.
    pub attempt: Option<Attempt>,
    pub socket: Option<SocketId>,
    pub closed_by_home: Option<Instant>,
    /// Does not answer pings.
    pub mute: bool,
    /// All datagrams are lost, both ways.
    pub blocked: bool,
    pub shown: Vec<Shown>,
    pub heard: Vec<FromHome>,
    pub sound: u64,
    /// Home's sound: place in the stream, when it came, and whether it brings the packet before it along.
    pub sounds: HashMap<u64, (Instant, bool)>,
    /// When what came in was captured, as its sender reports tell.
    pub captures: Vec<(Captured, SystemTime)>,
    /// Frames that arrived but could not be decoded for want of what came before.
    pub broken: u64,
    pub playout_max: Option<Duration>,
    /// Datagrams that home sent, and their bytes as the path counts; and those that came through.
    pub sent: (u64, u64),
    pub came: (u64, u64),
    pub token: Option<String>,
    pub resumed: Option<bool>,
    /// Time that words take through the socket.
    pub words_delay: Duration,
    /// When candidates are told, after the offer; `None` = by hand.
    pub pc: u32,
    connection: Option<Connection>,
    up: Netem<Packet>,
    down: Netem<Packet>,
    words: VecDeque<(Instant, String)>,
    told: VecDeque<(Instant, FromHome)>,
    sound_due: Instant,
    sound_sample: u64,
    sends: bool,
}

impl Viewer {
    pub fn new(index: usize, link: NetemConfig, now: Instant) -> Viewer {
        Viewer {
            address: SocketAddr::from(([192, 0, 2, index as u8 + 1], 40_000)),
            far: None,
            video: Video::H264,
            kbps: Some(20_000),
            saves: false,
            reorder: 150,
            key: keys::key(index as u64 + 1),
            attempt: None,
            socket: None,
            closed_by_home: None,
            mute: false,
            blocked: false,
            shown: Vec::new(),
            heard: Vec::new(),
            sound: 0,
            sounds: HashMap::new(),
            captures: Vec::new(),
            broken: 0,
            playout_max: None,
            sent: (0, 0),
            came: (0, 0),
            token: None,
            resumed: None,
            words_delay: Duration::from_millis(20),
            pc: 0,
            connection: None,
            up: Netem::new(link),
            down: Netem::new(link),
            words: VecDeque::new(),
            told: VecDeque::new(),
            sound_due: now,
            sound_sample: 0,
            sends: false,
        }
    }

    /// The way to the viewer is another from now on; what was on it is lost.
    pub fn set_link(&mut self, link: NetemConfig, now: Instant) {
        self.up = Netem::new(link);
        self.down = Netem::new(link);
        self.down.handle_input(LinkInput::Timeout(now));
        self.up.handle_input(LinkInput::Timeout(now));
    }

    /// The way to the viewer changes; what is on it stays on it.
    pub fn change_link(&mut self, link: NetemConfig) {
        self.up.set_config(link);
        self.down.set_config(link);
    }

    pub fn owns(&self, address: SocketAddr) -> bool {
        self.address == address
    }

    /// What the page does on opening: hello, offer and candidate, without waiting.
    pub fn open_page(&mut self, now: Instant) {
        self.hello(now);
        self.build(now);
        self.say_offer(now);
        self.say_candidate(now);
    }

    pub fn hello(&mut self, now: Instant) {
        let resume = self.token.clone();
        self.say(&FromPage::Hello { v: 1, key: self.key.clone(), resume, attempt: self.attempt.clone() }, now);
    }

    /// A new peer connection with the next number.
    pub fn build(&mut self, now: Instant) {
        let mut rtc = Rtc::builder()
            .clear_codecs()
            .enable_opus(true, true)
            .set_reordering_size_audio(0)
            .enable_h264(self.video == Video::H264)
            .enable_vp8(self.video == Video::Other)
            .set_extension(5, Extension::PlayoutDelay)
            .set_reordering_size_video(self.reorder)
            .build(now);
        let host = Candidate::host(self.address, Protocol::Udp).expect("an address");
        rtc.add_local_candidate(host);
        let mut api = rtc.sdp_api();
        let audio = api.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
        if self.video != Video::None {
            api.add_media(MediaKind::Video, Direction::SendRecv, None, None, None);
        }
        let (offer, pending) = api.apply().expect("changes");
        // As a browser that trickles: the offer has no candidates.
        let offer = offer.to_sdp_string();
        let offer = offer.split_inclusive("\r\n").filter(|l| !l.starts_with("a=candidate")).collect();
        self.pc += 1;
        self.connection = Some(Connection {
            rtc,
            pending: Some(pending),
            offer,
            rev: 1,
            audio,
            answered: false,
            timeout: now,
            ice: IceConnectionState::New,
            connected: false,
            decodable: false,
        });
    }

    pub fn say_offer(&mut self, now: Instant) {
        if let Some(c) = &self.connection {
            let offer =
                FromPage::Offer { pc: self.pc, rev: c.rev, sdp: c.offer.clone(), kbps: self.kbps, saves: self.saves };
            self.say(&offer, now);
        }
    }

    /// Its offer, as the page sends it.
    pub fn offer(&self) -> &str {
        self.connection.as_ref().map_or("", |c| &c.offer)
    }

    pub fn say_candidate(&mut self, now: Instant) {
        let host = Candidate::host(self.address, Protocol::Udp).expect("an address");
        self.say(&FromPage::Candidate { pc: self.pc, candidate: host.to_sdp_string() }, now);
    }

    /// What the page does on a new socket: hello with its token; the rest follows the welcome.
    pub fn say_hello_again(&mut self, now: Instant) {
        self.hello(now);
        if self.token.is_none() {
            // It never heard a welcome: nothing is known to have arrived.
            self.say_offer(now);
            self.say_candidate(now);
        }
    }

    /// An ICE restart, as after a change of network.
    pub fn restart_ice(&mut self, now: Instant) {
        let Some(c) = &mut self.connection else { return };
        let mut api = c.rtc.sdp_api();
        api.ice_restart(true);
        let (offer, pending) = api.apply().expect("changes");
        let offer = offer.to_sdp_string();
        c.offer = offer.split_inclusive("\r\n").filter(|l| !l.starts_with("a=candidate")).collect();
        c.pending = Some(pending);
        c.rev += 1;
        c.answered = false;
        self.say_offer(now);
        self.say_candidate(now);
    }

    pub fn say(&mut self, message: &FromPage, now: Instant) {
        let text = serde_json::to_string(message).expect("serializable");
        self.say_text(text, now);
    }

    pub fn say_text(&mut self, text: String, now: Instant) {
        self.words.push_back((now + self.words_delay, text));
    }

    pub fn lose_words(&mut self) {
        self.words.clear();
        self.told.clear();
    }

    pub fn take_words(&mut self, now: Instant) -> Vec<String> {
        let due = self.words.iter().take_while(|(at, _)| *at <= now).count();
        self.words.drain(..due).map(|(_, text)| text).collect()
    }

    pub fn hear(&mut self, message: FromHome, now: Instant) {
        self.told.push_back((now + self.words_delay, message));
    }

    /// Whether home has answered the newest offer.
    pub fn is_answered(&self) -> bool {
        self.connection.as_ref().is_some_and(|c| c.answered)
    }

    pub fn connected(&self) -> bool {
        self.connection.as_ref().is_some_and(|c| c.connected && c.ice.is_connected())
    }

    pub fn checking(&self) -> bool {
        self.connection.as_ref().is_some_and(|c| c.ice == IceConnectionState::Checking)
    }

    /// Starts to send sound.
    pub fn speak(&mut self, now: Instant) {
        self.sends = true;
        self.sound_due = now;
    }

    /// Frames shown at or after `since`.
    pub fn shown_since(&self, since: Instant) -> usize {
        self.shown.iter().filter(|s| s.at >= since).count()
    }

    /// Longest time without a new picture between `from` and `to`.
    pub fn longest_gap(&self, from: Instant, to: Instant) -> Duration {
        let times = self.shown.iter().map(|s| s.at).filter(|t| *t >= from && *t <= to);
        let times: Vec<Instant> = std::iter::once(from).chain(times).chain([to]).collect();
        times.windows(2).map(|w| w[1] - w[0]).max().unwrap_or_default()
    }

    pub fn next(&self) -> Instant {
        let links = [self.up.poll_timeout(), self.down.poll_timeout()];
        let rtc = self.connection.as_ref().map(|c| c.timeout);
        let words = self.words.front().map(|(at, _)| *at).filter(|_| self.socket.is_some());
        let told = self.told.front().map(|(at, _)| *at);
        let sound = (self.sends && self.connected()).then_some(self.sound_due);
        links.into_iter().chain(rtc).chain(words).chain(told).chain(sound).min().expect("links have a time")
    }

    pub fn downlink(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>, now: Instant) {
        let packet = Packet { from, to, bytes };
        self.sent = (self.sent.0 + 1, self.sent.1 + packet.len() as u64);
        if !self.blocked {
            self.down.handle_input(LinkInput::Packet(now, packet));
        }
    }

    pub fn take_uplink(&mut self, now: Instant) -> Vec<(SocketAddr, Vec<u8>)> {
        self.up.handle_input(LinkInput::Timeout(now));
        let mut arrived = Vec::new();
        while let Some(output) = self.up.poll_output() {
            if let LinkOutput::Packet(packet) = output
                && !self.blocked
            {
                arrived.push((packet.from, packet.bytes));
            }
        }
        arrived
    }

    pub fn advance(&mut self, now: Instant) {
        while self.told.front().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, message)) = self.told.pop_front() {
                self.take(message, now);
            }
        }
        self.down.handle_input(LinkInput::Timeout(now));
        while let Some(output) = self.down.poll_output() {
            let LinkOutput::Packet(packet) = output else { continue };
            if self.blocked {
                continue;
            }
            self.came = (self.came.0 + 1, self.came.1 + packet.len() as u64);
            let Some(c) = &mut self.connection else { continue };
            if let Ok(receive) = Receive::new(Protocol::Udp, packet.from, packet.to, &packet.bytes) {
                let _ = c.rtc.handle_input(Input::Receive(now, receive));
                self.drain(now);
            }
        }
        if self.connection.as_ref().is_some_and(|c| c.timeout <= now) {
            if let Some(c) = &mut self.connection {
                let _ = c.rtc.handle_input(Input::Timeout(now));
            }
            self.drain(now);
        }
        while self.sends && self.connected() && self.sound_due <= now {
            self.send_sound(now);
            self.sound_due += Duration::from_millis(20);
        }
    }

    fn send_sound(&mut self, now: Instant) {
        let Some(c) = &mut self.connection else { return };
        if let Some(writer) = c.rtc.writer(c.audio) {
            let Some(pt) = writer.payload_params().next().map(|p| p.pt()) else { return };
            let time = MediaTime::new(self.sound_sample, Frequency::FORTY_EIGHT_KHZ);
            let _ = writer.write(pt, now, time, vec![0xf8; 60]);
        }
        self.sound_sample += 960;
        self.drain(now);
        if let Some(c) = &mut self.connection {
            let _ = c.rtc.handle_input(Input::Timeout(now));
        }
        self.drain(now);
    }

    fn take(&mut self, message: FromHome, now: Instant) {
        match &message {
            FromHome::Welcome { session, resumed, .. } => {
                let again = self.token.is_some();
                self.token = Some(session.clone());
                self.resumed = Some(*resumed);
                if again && !*resumed {
                    self.build(now);
                }
                if again {
                    // The page says all that still matters once more.
                    if self.connection.as_ref().is_some_and(|c| !c.answered) {
                        self.say_offer(now);
                    }
                    self.say_candidate(now);
                }
            }
            FromHome::Answer { pc, rev, sdp } => {
                if let Some(c) = self.connection.as_mut().filter(|c| self.pc == *pc && c.rev == *rev)
                    && let Some(pending) = c.pending.take()
                {
                    let answer = SdpAnswer::from_sdp_string(sdp).expect("home answers in SDP");
                    c.rtc.sdp_api().accept_answer(pending, answer).expect("a fitting answer");
                    c.answered = true;
                    self.drain(now);
                }
            }
            FromHome::Candidate { pc, candidate } if self.pc == *pc => {
                if let (Some(c), Ok(candidate)) = (&mut self.connection, Candidate::from_sdp_string(candidate)) {
                    c.rtc.add_remote_candidate(candidate);
                    self.drain(now);
                }
            }
            _ => {}
        }
        self.heard.push(message);
    }

    fn drain(&mut self, now: Instant) {
        let Some(c) = &mut self.connection else { return };
        loop {
            match c.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    c.timeout = at;
                    return;
                }
                Ok(Output::Transmit(t)) => {
                    if !self.blocked {
                        let packet = Packet { from: self.address, to: t.destination, bytes: t.contents.to_vec() };
                        self.up.handle_input(LinkInput::Packet(now, packet));
                    }
                }
                Ok(Output::Event(Event::Connected)) => c.connected = true,
                Ok(Output::Event(Event::IceConnectionStateChange(state))) => c.ice = state,
                Ok(Output::Event(Event::MediaData(data))) if data.mid == c.audio => {
                    self.sound += 1;
                    if let Some(told) = capture_time(&data) {
                        self.captures.push((Captured::Sound(data.time.numer()), told));
                    }
                    self.sounds.entry(data.time.numer()).or_insert((now, has_fec(&data.data)));
                }
                Ok(Output::Event(Event::MediaData(data))) => {
                    let keyframe = data.is_keyframe();
                    // As a decoder: after a gap nothing but a keyframe can be shown.
                    c.decodable = keyframe || (c.decodable && data.contiguous);
                    self.playout_max = data.ext_vals.play_delay_max.map(Duration::from).or(self.playout_max);
                    let mid = data.mid;
                    if let (Some(number), Some(told)) = (number_in(&data.data), capture_time(&data)) {
                        self.captures.push((Captured::Picture(number), told));
                    }
                    match number_in(&data.data) {
                        Some(number) if c.decodable => self.shown.push(Shown { at: now, number, keyframe }),
                        _ => {
                            self.broken += 1;
                            if let Some(mut writer) = c.rtc.writer(mid) {
                                let _ = writer.request_keyframe(None, str0m::media::KeyframeRequestKind::Pli);
                            }
                        }
                    }
                }
                Ok(Output::Event(_)) => {}
                Err(_) => {
                    c.timeout = now + Duration::from_secs(3600);
                    return;
                }
            }
        }
    }
}

/// When something was captured, by the sender's report on its clocks.
fn capture_time(data: &MediaData) -> Option<SystemTime> {
    let report = data.last_sender_info?;
    // RTP times have 32 bits on the wire; the difference to a report of the last seconds has less.
    let ticks = (data.time.numer() as u32).wrapping_sub(report.rtp_time.numer() as u32) as i32;
    let since = f64::from(ticks) / data.time.frequency().get() as f64;
    let told = report.ntp_time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs_f64() + since;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs_f64(told))
}
