//! Offers and candidates, by a mutator that knows their lines, into the peer that home has for a viewer: in one go, and in calls
//! that come up with what is left of the offer and carry pictures and sound.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use intercom_base::units::Bitrate;
use intercom_core::call::peer::{Identity, OfferError, Peer, PeerOutput, PlayoutDelay};
use str0m::change::SdpAnswer;
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{ExtensionValues, RtpWrite};
use str0m::{Candidate, Event, Input, Output, Rtc};

/// Offers tried by the first target, and calls by the second: some seconds each.
const OFFERS: usize = 10_000;
const CALLS: usize = 150;

const HOME: ([u8; 4], u16) = ([10, 0, 0, 1], 8443);
const VIEWER: ([u8; 4], u16) = ([192, 0, 2, 7], 40_000);

static IDENTITY: LazyLock<Identity> = LazyLock::new(Identity::generate);
/// Real offers, and those that once went wrong.
pub static SEEDS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/offers");
    let mut files: Vec<_> = std::fs::read_dir(folder).expect(folder).map(|file| file.expect("a file").path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read_to_string(file).expect("an offer")).collect()
});

/// Longer runs than the ones in `make test` ask for more: `OFFERS=1000000`.
pub fn count(name: &str, usual: usize) -> usize {
    std::env::var(name).map_or(usual, |text| text.parse().expect("a number"))
}

/// `SEED=7` takes others.
pub fn random(salt: u64) -> fastrand::Rng {
    fastrand::Rng::with_seed(count("SEED", 1) as u64 * 2 + salt)
}

fn home() -> SocketAddr {
    SocketAddr::from(HOME)
}

fn viewer() -> SocketAddr {
    SocketAddr::from(VIEWER)
}

fn answer(offer: &str, now: Instant) -> Result<(Peer, String), OfferError> {
    let answered = Peer::answer(&IDENTITY, offer, &[home()], None, Bitrate::from_kbps(2000), now);
    if let Err(OfferError::Failed(panic)) = &answered {
        panic!("{panic}, at this offer:\n{offer}");
    }
    answered
}

/// Takes all that comes out of a peer, which must not have failed.
fn outputs(peer: &mut Peer, offer: &str) -> Vec<PeerOutput> {
    let all: Vec<PeerOutput> = std::iter::from_fn(|| peer.poll_output()).collect();
    for output in &all {
        if let PeerOutput::Failed(panic) = output {
            panic!("{panic}, after this offer:\n{offer}");
        }
    }
    all
}

// ---- The mutator. ----

const NUMBERS: [&str; 16] =
    ["0", "1", "9", "14", "15", "63", "64", "96", "97", "103", "111", "127", "128", "255", "65536", "4294967295"];

fn mutate(offer: &mut Vec<String>, random: &mut fastrand::Rng) {
    if offer.is_empty() {
        return;
    }
    let [at, other] = [(); 2].map(|()| random.usize(..offer.len()));
    match random.u8(..10) {
        0 => drop(offer.remove(at)),
        1 => offer.insert(other, offer[at].clone()),
        2 => offer.swap(at, other),
        3 => {
            let seed = lines(&SEEDS[random.usize(..SEEDS.len())]);
            offer.insert(at, seed[random.usize(..seed.len())].clone());
        }
        4 | 5 => {
            // A number becomes another one, of this offer's or not.
            let numbers: Vec<String> = digits(&offer[other]).map(|(_, text)| text.into()).collect();
            let places: Vec<(usize, usize)> = digits(&offer[at]).map(|(start, text)| (start, text.len())).collect();
            if places.is_empty() {
                return;
            }
            let (start, length) = places[random.usize(..places.len())];
            let with = match numbers.is_empty() || random.bool() {
                true => NUMBERS[random.usize(..NUMBERS.len())].to_owned(),
                false => numbers[random.usize(..numbers.len())].clone(),
            };
            offer[at].replace_range(start..start + length, &with);
        }
        6 => {
            // What stands behind a colon comes from another line.
            let other = offer[other].clone();
            if let (Some(a), Some(b)) = (offer[at].find(':'), other.find(':')) {
                offer[at].replace_range(a.., &other[b..]);
            }
        }
        7 => {
            let words: Vec<&str> = offer[at].split(' ').collect();
            let word = words[random.usize(..words.len())].to_owned();
            offer[at] = match random.bool() {
                true => format!("{} {word}", offer[at]),
                false => words.iter().filter(|w| **w != word).copied().collect::<Vec<_>>().join(" "),
            };
        }
        8 => {
            let directions = ["a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"];
            if directions.contains(&offer[at].as_str()) || random.u8(..8) == 0 {
                offer[at] = directions[random.usize(..4)].into();
            }
        }
        _ => {
            let mut bytes = offer[at].clone().into_bytes();
            if !bytes.is_empty() {
                let place = random.usize(..bytes.len());
                bytes[place] = b' ' + random.u8(..95);
            }
            offer[at] = String::from_utf8_lossy(&bytes).into_owned();
        }
    }
}

fn lines(offer: &str) -> Vec<String> {
    offer.lines().map(str::to_owned).collect()
}

/// Each run of digits, and where it begins.
fn digits(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let start = from + line[from..].find(|c: char| c.is_ascii_digit())?;
        let end = line[start..].find(|c: char| !c.is_ascii_digit()).map_or(line.len(), |length| start + length);
        from = end;
        Some((start, &line[start..end]))
    })
}

pub fn mutated(offer: &str, most: usize, random: &mut fastrand::Rng) -> String {
    let mut offer = lines(offer);
    for _ in 0..random.usize(1..=most) {
        mutate(&mut offer, random);
    }
    offer.join("\r\n") + "\r\n"
}

// ---- The targets. ----

/// An offer gets an answer or an error, and the peer lives on whatever comes next.
pub fn fuzz_offer(offer: &str, again: &str, now: Instant) -> bool {
    let Ok((mut peer, sdp)) = answer(offer, now) else { return false };
    let codec = if peer.has_video() { "H264/90000" } else { "opus/48000" };
    assert!(sdp.contains(codec) && sdp.contains("a=fingerprint:"), "{sdp}");
    for line in offer.lines().chain(again.lines()).filter_map(|line| line.strip_prefix("a=")) {
        peer.add_remote_candidate(line, now);
    }
    match peer.answer_again(again, now) {
        Err(OfferError::Failed(panic)) => panic!("{panic}, at these offers:\n{offer}\n{again}"),
        _ => drop(outputs(&mut peer, offer)),
    }
    for ms in [0, 10, 100, 1000, 40_000] {
        peer.handle_timeout(now + Duration::from_millis(ms));
        peer.request_keyframe(now + Duration::from_millis(ms));
        outputs(&mut peer, offer);
    }
    true
}

#[test]
fn an_offer_that_contradicts_itself_costs_nobody_anything() {
    let now = Instant::now();
    let mut random = random(0);
    let (mut taken, tries) = (0, count("OFFERS", OFFERS));
    for _ in 0..tries {
        let seed = &SEEDS[random.usize(..SEEDS.len())];
        let offer = mutated(seed, 6, &mut random);
        let again = mutated(if random.bool() { seed } else { &offer }, 3, &mut random);
        taken += usize::from(fuzz_offer(&offer, &again, now));
    }
    // A mutator whose offers are all refused at the door tries nothing.
    assert!(taken > tries / 20, "{taken} of {tries} were taken");
}

#[test]
fn what_once_went_wrong_is_told_to_the_page() {
    let offer = SEEDS.iter().find(|offer| offer.contains("m=audio 9 UDP/TLS/RTP/SAVPF 103 ")).expect("the case");
    let error = answer(offer, Instant::now()).map(|(_, sdp)| sdp).expect_err("two codecs on one payload type");
    assert_eq!(error.to_string(), "offer not usable: payload type 103 stands for two codecs");
    // Its sound neighbour is taken.
    let sound = SEEDS.iter().find(|offer| offer.contains("o=- 6034862426688794393")).expect("Chromium's");
    assert!(answer(sound, Instant::now()).is_ok());
}

/// A viewer that is a real one until its offer leaves it, and then sends what it likes.
struct Caller {
    rtc: Rtc,
    timeout: Instant,
    connected: bool,
    mids: Vec<Mid>,
}

impl Caller {
    fn drain(&mut self, home: &mut Peer, now: Instant) {
        for _ in 0..1000 {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    self.timeout = at;
                    return;
                }
                Ok(Output::Transmit(t)) => home.handle_datagram(viewer(), t.destination, &t.contents, now),
                Ok(Output::Event(Event::Connected)) => self.connected = true,
                Ok(Output::Event(_)) => {}
                Err(_) => return self.rtc.disconnect(),
            }
        }
    }

    fn receive(&mut self, home: &mut Peer, bytes: &[u8], now: Instant) {
        if let Ok(receive) = Receive::new(Protocol::Udp, self::home(), viewer(), bytes) {
            let _ = self.rtc.handle_input(Input::Receive(now, receive));
        }
        self.drain(home, now);
    }

    /// Packets with a payload of anything, under any payload type that was agreed on.
    fn send_anything(&mut self, count: u64, home: &mut Peer, random: &mut fastrand::Rng, now: Instant) {
        let mid = self.mids[random.usize(..self.mids.len())];
        let types: Vec<_> = match self.rtc.media(mid) {
            Some(media) => media.remote_pts().to_vec(),
            None => return,
        };
        if types.is_empty() {
            return;
        }
        let pt = types[random.usize(..types.len())];
        let longest = if random.bool() { 8 } else { 1100 };
        let mut payload = vec![0; random.usize(..=longest)];
        random.fill(&mut payload);
        if let Some(first) = payload.first_mut() {
            // Types of NAL units (RFC 6184 section 5.2) among which H.264 comes apart.
            *first = [0x67, 0x68, 0x65, 0x41, 24, 25, 28, 29, 0x7c, 0x5c, 111, 0xef, *first][random.usize(..13)];
        }
        let sequence = count + random.u64(..3) * random.u64(..2000);
        let time = (count as u32).wrapping_mul(960).wrapping_add(random.u32(..2) * random.u32(..));
        let mut api = self.rtc.direct_api();
        if let Some(stream) = api.stream_tx_by_mid(mid, None) {
            let packet = RtpWrite::new(pt, sequence.into(), time, now, payload);
            stream.write_rtp(packet.marker(random.bool()).ext_vals(ExtensionValues::default()).nackable(true));
        }
        self.drain(home, now);
        let _ = self.rtc.handle_input(Input::Timeout(now));
        self.drain(home, now);
    }
}

/// Whether a call with this mutation of its own offer came up.
fn fuzz_call(random: &mut fastrand::Rng, start: Instant) -> bool {
    let mut rtc =
        Rtc::builder().clear_codecs().enable_opus(true, true).enable_h264(true).set_rtp_mode(true).build(start);
    rtc.add_local_candidate(Candidate::host(viewer(), Protocol::Udp).expect("an address"));
    let mut api = rtc.sdp_api();
    let mids = vec![
        api.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None),
        api.add_media(MediaKind::Video, Direction::SendRecv, None, None, None),
    ];
    let (offer, pending) = api.apply().expect("an offer");
    let sent = mutated(&offer.to_sdp_string(), 4, random);
    let Ok((mut home, sdp)) = answer(&sent, start) else { return false };
    let Ok(parsed) = SdpAnswer::from_sdp_string(&sdp) else { return false };
    if rtc.sdp_api().accept_answer(pending, parsed).is_err() {
        return false;
    }
    let mut caller = Caller { rtc, timeout: start, connected: false, mids };
    let (mut now, mut up, mut media) = (start, false, 0u64);
    let end = start + Duration::from_secs(4);
    while now < end {
        if caller.timeout <= now {
            let _ = caller.rtc.handle_input(Input::Timeout(now));
        }
        caller.drain(&mut home, now);
        if home.poll_timeout().is_some_and(|at| at <= now) {
            home.handle_timeout(now);
        }
        for output in outputs(&mut home, &sent) {
            match output {
                PeerOutput::Transmit(t) => caller.receive(&mut home, &t.contents, now),
                PeerOutput::Connected => up = true,
                _ => {}
            }
        }
        if up && caller.connected {
            media += 1;
            say_all(&mut home, media, random, now);
            caller.send_anything(media, &mut home, random, now);
        }
        now += Duration::from_millis(10);
    }
    if random.bool() {
        let again = mutated(&sent, 3, random);
        if let Err(OfferError::Failed(panic)) = home.answer_again(&again, now) {
            panic!("{panic}, at these offers:\n{sent}\n{again}");
        }
    }
    home.close(now);
    outputs(&mut home, &sent);
    up
}

/// All that home does with a peer in a call.
fn say_all(home: &mut Peer, turn: u64, random: &mut fastrand::Rng, now: Instant) {
    let mut unit = vec![0, 0, 0, 1, 0x65, 0x88];
    unit.resize(random.usize(10..4000), b'.');
    home.write_video(&Arc::from(unit), now, Duration::from_secs(1_790_000_000), PlayoutDelay::NONE, now);
    home.write_audio(&Arc::from(vec![0xf8; 60]), now, turn * 480, now);
    home.pressure(now);
    match random.u8(..20) {
        0 => home.request_keyframe(now),
        1 => home.set_redundancy(random.bool(), now),
        2 => home.set_desired(Bitrate::from_kbps(random.u64(1..8000)), now),
        3 => home.reset_estimate(Bitrate::from_kbps(random.u64(1..8000)), now),
        _ => {}
    }
}

#[test]
fn a_call_on_half_an_offer_costs_nobody_anything() {
    let mut random = random(1);
    let start = Instant::now();
    let calls = count("CALLS", CALLS);
    let up = (0..calls).filter(|_| fuzz_call(&mut random, start)).count();
    assert!(up > calls / 5, "{up} of {calls} calls came up");
}
