//! A viewer without a browser, for load and attacks: it signals and receives as a page does, and only counts what comes.

use std::collections::{HashMap, HashSet};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::media::{Direction, MediaKind};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};
use tungstenite::Message;

use crate::signal::{Socket, any_certificate, open_over};

type Failure = Box<dyn std::error::Error>;

/// One viewer on a thread of its own, gone when dropped.
pub struct Viewer {
    counts: Arc<Counts>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Counts {
    stop: AtomicBool,
    frames: AtomicU64,
    sounds: AtomicU64,
    packets: AtomicU64,
    missing: AtomicU64,
}

impl Viewer {
    /// Visits the home at `address` with `key`.
    pub fn visit(address: SocketAddr, key: &str) -> Viewer {
        let counts = Arc::<Counts>::default();
        let (inside, key) = (Arc::clone(&counts), key.to_owned());
        let thread = std::thread::spawn(move || {
            if let Err(e) = run(address, &key, &inside) {
                eprintln!("a str0m viewer ended: {e}");
            }
        });
        Viewer { counts, thread: Some(thread) }
    }

    /// Pictures that came so far.
    pub fn frames(&self) -> u64 {
        self.counts.frames.load(Ordering::Relaxed)
    }

    /// RTP packets that came so far, and how many of those sent before the newest did not, by their numbers.
    #[allow(dead_code)] // The bench counts pictures.
    pub fn packets(&self) -> (u64, u64) {
        (self.counts.packets.load(Ordering::Relaxed), self.counts.missing.load(Ordering::Relaxed))
    }

    /// Packets of sound that came so far.
    pub fn sounds(&self) -> u64 {
        self.counts.sounds.load(Ordering::Relaxed)
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.counts.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(address: SocketAddr, key: &str, counts: &Counts) -> Result<(), Failure> {
    let mut socket = connect(address)?;
    let here = socket.get_ref().sock.local_addr()?.ip();
    let udp = UdpSocket::bind((here, 0))?;
    let local = udp.local_addr()?;
    let mut rtc = RtcConfig::new().clear_codecs().enable_h264(true).enable_opus(true, false).build(Instant::now());
    rtc.add_local_candidate(Candidate::host(local, "udp")?);
    let mut api = rtc.sdp_api();
    api.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
    api.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
    let (offer, pending) = api.apply().ok_or("nothing to offer")?;
    let mut pending = Some(pending);
    say(&mut socket, &json!({ "type": "hello", "v": 1, "key": key }))?;
    say(&mut socket, &json!({ "type": "offer", "pc": 1, "rev": 1, "sdp": offer.to_sdp_string() }))?;
    socket.get_ref().sock.set_nonblocking(true)?;

    let mut arrivals = Arrivals::default();
    let mut next_ping = Instant::now();
    let mut buffer = vec![0; 2000];
    while !counts.stop.load(Ordering::Relaxed) {
        listen(&mut socket, &mut rtc, &mut pending)?;
        if Instant::now() >= next_ping {
            say(&mut socket, &json!({ "type": "ping", "t": 0 }))?;
            next_ping += Duration::from_secs(5);
        }
        let deadline = drain(&mut rtc, &udp, counts)?;
        let wait = deadline.saturating_duration_since(Instant::now());
        // The signaling socket is looked at in between.
        udp.set_read_timeout(Some(wait.clamp(Duration::from_millis(1), Duration::from_millis(50))))?;
        let input = match udp.recv_from(&mut buffer) {
            Ok((size, source)) => {
                arrivals.take(&buffer[..size]);
                counts.packets.store(arrivals.packets, Ordering::Relaxed);
                counts.missing.store(arrivals.missing(), Ordering::Relaxed);
                let contents = buffer[..size].try_into()?;
                Input::Receive(Instant::now(), Receive { proto: Protocol::Udp, source, destination: local, contents })
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Input::Timeout(Instant::now()),
            Err(e) => return Err(e.into()),
        };
        rtc.handle_input(input)?;
    }
    let _ = say(&mut socket, &json!({ "type": "leave" }));
    Ok(())
}

/// Which RTP packets came, by what their headers say, which SRTP leaves in the clear (RFC 3550 section 5.1, RFC 5761 section 4).
#[derive(Default)]
struct Arrivals {
    packets: u64,
    streams: HashMap<u32, Numbers>,
}

/// Of one stream: its first number, how far it got, and which of the numbers between them are open.
struct Numbers {
    highest: u64,
    open: HashSet<u64>,
}

impl Arrivals {
    fn take(&mut self, bytes: &[u8]) {
        let &[first, kind, high, low, _, _, _, _, a, b, c, d, ..] = bytes else { return };
        if first >> 6 != 2 || (64..96).contains(&(kind & 127)) {
            return;
        }
        self.packets += 1;
        let number = u16::from_be_bytes([high, low]);
        // Far from zero, so that one that comes late before the first is a number as well.
        let start = Numbers { highest: (1 << 20) + u64::from(number), open: HashSet::new() };
        let numbers = self.streams.entry(u32::from_be_bytes([a, b, c, d])).or_insert(start);
        let ahead = number.wrapping_sub(numbers.highest as u16) as i16;
        if ahead > 0 {
            let newest = numbers.highest + ahead as u64;
            numbers.open.extend(numbers.highest + 1..newest);
            numbers.highest = newest;
        } else {
            numbers.open.remove(&numbers.highest.saturating_sub(u64::from(ahead.unsigned_abs())));
        }
    }

    fn missing(&self) -> u64 {
        self.streams.values().map(|numbers| numbers.open.len() as u64).sum()
    }
}

/// Sends what str0m has to send and gives the time of its next wish.
fn drain(rtc: &mut Rtc, udp: &UdpSocket, counts: &Counts) -> Result<Instant, Failure> {
    loop {
        match rtc.poll_output()? {
            Output::Timeout(deadline) => return Ok(deadline),
            Output::Transmit(packet) => drop(udp.send_to(&packet.contents, packet.destination)),
            Output::Event(Event::MediaData(data)) if data.params.spec().codec.is_video() => {
                counts.frames.fetch_add(1, Ordering::Relaxed);
            }
            Output::Event(Event::MediaData(_)) => drop(counts.sounds.fetch_add(1, Ordering::Relaxed)),
            Output::Event(_) => {}
        }
    }
}

/// Takes in what home says.
fn listen(socket: &mut Socket, rtc: &mut Rtc, pending: &mut Option<SdpPendingOffer>) -> Result<(), Failure> {
    loop {
        let text = match socket.read() {
            Ok(Message::Text(text)) => text,
            Ok(Message::Close(why)) => return Err(format!("home closed the socket: {why:?}").into()),
            Ok(_) => continue,
            Err(tungstenite::Error::Io(e)) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(e) => return Err(e.into()),
        };
        let message: Value = serde_json::from_str(&text)?;
        match (message["type"].as_str(), message["sdp"].as_str()) {
            (Some("answer"), Some(sdp)) => {
                if let Some(pending) = pending.take() {
                    rtc.sdp_api().accept_answer(pending, SdpAnswer::from_sdp_string(sdp)?)?;
                }
            }
            (Some("error" | "bye"), _) => return Err(format!("home says {text}").into()),
            _ => {}
        }
    }
}

fn say(socket: &mut Socket, message: &Value) -> Result<(), Failure> {
    Ok(socket.send(Message::text(message.to_string()))?)
}

fn connect(address: SocketAddr) -> Result<Socket, Failure> {
    let tcp = TcpStream::connect(address)?;
    tcp.set_nodelay(true)?;
    // The bench visits a home of its own making: any certificate will do.
    Ok(open_over(tcp, address, &any_certificate())?)
}
