//! A viewer's peer connection: offers and candidates, and what comes over the network, behind the cryptography too.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use intercom_base::units::Bitrate;
use intercom_core::call::peer::{Identity, OfferError, Peer, PeerOutput, PlayoutDelay};
use str0m::Candidate;
use str0m::net::Protocol;

use super::bytes::{Bytes, piece};
use super::plain::{FINGERPRINT, Off, TAG, plainly};

const HOME: ([u8; 4], u16) = ([10, 0, 0, 1], 8443);
const VIEWER: ([u8; 4], u16) = ([192, 0, 2, 7], 40_000);
const OTHER: ([u8; 4], u16) = ([192, 0, 2, 8], 40_001);

static IDENTITY: LazyLock<Identity> = LazyLock::new(Identity::generate);
/// The beginning of a target's time.
#[allow(clippy::disallowed_methods)]
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// What a browser offers, as far as home uses it.
pub static OFFER: LazyLock<String> = LazyLock::new(|| {
    let transport = format!(
        "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=setup:actpass\r\na=fingerprint:sha-256 {FINGERPRINT}\r\n\
         a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n\
         a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\r\n\
         a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n\
         a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=sendrecv\r\na=rtcp-mux\r\n"
    );
    format!(
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n{transport}\
         a=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n\
         a=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\na=ssrc:17 cname:a\r\n\
         m=video 9 UDP/TLS/RTP/SAVPF 108 109\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\n{transport}\
         a=rtpmap:108 H264/90000\r\na=rtcp-fb:108 goog-remb\r\na=rtcp-fb:108 transport-cc\r\na=rtcp-fb:108 ccm fir\r\n\
         a=rtcp-fb:108 nack\r\na=rtcp-fb:108 nack pli\r\n\
         a=fmtp:108 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n\
         a=rtpmap:109 rtx/90000\r\na=fmtp:109 apt=108\r\na=ssrc-group:FID 34 35\r\na=ssrc:34 cname:a\r\na=ssrc:35 cname:a\r\n"
    )
});

fn address(of: ([u8; 4], u16)) -> SocketAddr {
    SocketAddr::from(of)
}

/// Home's answer. What the library finds by chance is the same each time.
fn answer(offer: &str) -> Result<(Peer, String), OfferError> {
    fastrand::seed(7);
    let answered = Peer::answer(&IDENTITY, offer, &[address(HOME)], None, Bitrate::from_kbps(2000), *START);
    if let Err(OfferError::Failed(panic)) = &answered {
        panic!("{panic}, at this offer:\n{offer}");
    }
    answered
}

/// Takes all that comes out of a peer, which must not have failed.
fn outputs(peer: &mut Peer) -> Vec<PeerOutput> {
    let all: Vec<PeerOutput> = std::iter::from_fn(|| peer.poll_output()).collect();
    for output in &all {
        if let PeerOutput::Failed(panic) = output {
            panic!("{panic}");
        }
    }
    all
}

/// An offer, and behind a zero byte the next one, get an answer or an error; each line of them may be a candidate.
pub fn fuzz_offer_bytes(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (offer, again) = text.split_once('\0').unwrap_or((&text, &text));
    let Ok((mut peer, sdp)) = answer(offer) else { return };
    let codec = if peer.has_video() { "H264/90000" } else { "opus/48000" };
    assert!(sdp.contains(codec) && sdp.contains("a=fingerprint:"), "{sdp}");
    for line in offer.lines().chain(again.lines()).filter_map(|line| line.strip_prefix("a=")) {
        peer.add_remote_candidate(line, *START);
    }
    if let Err(OfferError::Failed(panic)) = peer.answer_again(again, *START) {
        panic!("{panic}, at these offers:\n{offer}\n{again}");
    }
    for ms in [0, 10, 1000] {
        peer.handle_timeout(*START + Duration::from_millis(ms));
        let sent = outputs(&mut peer);
        assert!(sent.len() < 2000, "{} datagrams at once", sent.len());
    }
}

/// Home's end of a call and what the far end needs to know of it.
struct Call {
    home: Peer,
    now: Instant,
    ufrag: String,
    connected: bool,
}

impl Call {
    /// A call whose answer is out.
    fn begin() -> Call {
        let (mut home, sdp) = answer(&OFFER).expect("a good offer");
        let ufrag = sdp.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:")).expect("credentials").to_owned();
        let candidate = Candidate::host(address(VIEWER), Protocol::Udp).expect("an address");
        home.add_remote_candidate(&candidate.to_sdp_string(), *START);
        Call { home, now: *START, ufrag, connected: false }
    }

    fn receive(&mut self, from: ([u8; 4], u16), datagram: &[u8]) {
        if datagram.first().is_some_and(|first| *first < 4) {
            self.home.accepts(address(from), address(HOME), datagram, self.now);
        }
        self.home.handle_datagram(address(from), address(HOME), datagram, self.now);
    }

    /// Takes what home says, and answers its checks if the far end is to be a sound one.
    fn drain(&mut self, sound: bool) {
        let all = outputs(&mut self.home);
        assert!(all.len() < 5000, "{} at once", all.len());
        for output in all {
            match output {
                PeerOutput::Transmit(sent) if sound && sent.contents.starts_with(&[0, 1]) => {
                    let success = stun(0x0101, &sent.contents[8..20], &[(0x0020, &mapped(HOME))]);
                    self.receive(VIEWER, &success);
                }
                PeerOutput::Connected => self.connected = true,
                _ => {}
            }
        }
    }

    /// A check that home takes for the far end's: it names both.
    fn check(&mut self) -> Vec<u8> {
        let user = format!("{}:abcd", self.ufrag);
        let attributes: [(u16, &[u8]); 4] =
            [(0x0006, user.as_bytes()), (0x0024, &[110, 0, 30, 255]), (0x802a, &[0; 8]), (0x0025, &[])];
        stun(0x0001, b"transaction!", &attributes)
    }

    fn pass(&mut self, milliseconds: u64) {
        self.now += Duration::from_millis(milliseconds);
        if self.home.poll_timeout().is_some_and(|due| due <= self.now) {
            self.home.handle_timeout(self.now);
        }
    }

    /// Until ICE and DTLS are up.
    fn connect(&mut self) {
        for _ in 0..20 {
            let check = self.check();
            self.receive(VIEWER, &check);
            self.drain(true);
            self.receive(VIEWER, &[22]);
            self.drain(true);
            if self.connected {
                return;
            }
            self.pass(50);
        }
    }

    /// All that home does in a call.
    fn speak(&mut self, what: u8) {
        let (now, turn) = (self.now, u64::from(what));
        match what % 8 {
            0 => self.home.request_keyframe(now),
            1 => self.home.set_redundancy(what & 8 == 0, now),
            2 => self.home.set_desired(Bitrate::from_kbps(turn * 40), now),
            3 => self.home.reset_estimate(Bitrate::from_kbps(turn * 40), now),
            4 => {
                drop(self.home.set_addresses(&[address(HOME), address(OTHER)][..usize::from(what >> 3) % 3], None, now))
            }
            5 => {
                self.home.pressure(now);
            }
            _ => {
                let unit: Vec<u8> = [&[0, 0, 0, 1, 0x65, 0x88][..], &vec![b'.'; usize::from(what) * 20]].concat();
                self.home.write_video(
                    &Arc::from(unit),
                    now,
                    Duration::from_secs(1_790_000_000),
                    PlayoutDelay::NONE,
                    now,
                );
                let sample = now.duration_since(*START).as_millis() as u64 * 48;
                self.home.write_audio(&Arc::from(vec![0xf8; 60]), now, sample, now);
            }
        }
    }
}

/// Datagrams of a stranger, or of a viewer who is not connected yet, each integrity right: as they come.
pub fn fuzz_datagrams(data: &[u8]) {
    plainly(Off::All, || {
        let mut call = Call::begin();
        let mut bytes = Bytes(data);
        for _ in 0..64 {
            if bytes.is_over() {
                break;
            }
            let what = bytes.byte();
            let from = if what & 1 == 0 { VIEWER } else { OTHER };
            let datagram = bytes.piece();
            // An engine does not know by itself whom a message must name.
            match what & 6 {
                0 => call.receive(from, datagram),
                2 => {
                    let user = format!("{}:abcd", call.ufrag);
                    let kind = datagram.first_chunk().map_or(1, |kind| u16::from_be_bytes(*kind) & 0x3fff);
                    let rest = datagram.get(2..).unwrap_or_default();
                    let attributes: [(u16, &[u8]); 1] = [(0x0006, user.as_bytes())];
                    let mut message = stun_head(kind, b"transaction!", &attributes);
                    message.extend(rest);
                    call.receive(from, &sealed(message));
                }
                4 => {
                    let check = call.check();
                    call.receive(from, &check);
                }
                _ => call.pass(u64::from(what) * 8),
            }
            call.drain(what & 8 == 0);
        }
        call.home.close(call.now);
        call.drain(false);
    });
}

/// Messages of DTLS to an end that is ready for them, in real cryptography.
pub fn fuzz_dtls(data: &[u8]) {
    plainly(Off::Checks, || {
        let mut call = Call::begin();
        for _ in 0..3 {
            let check = call.check();
            call.receive(VIEWER, &check);
            call.drain(true);
            call.pass(50);
        }
        let mut bytes = Bytes(data);
        for _ in 0..32 {
            if bytes.is_over() {
                break;
            }
            let datagram = bytes.piece();
            call.receive(VIEWER, datagram);
            call.drain(true);
            call.pass(20);
        }
        call.home.close(call.now);
        call.drain(false);
    });
}

/// What a viewer in a call sends, behind SRTP and DTLS: RTP, RTCP, SCTP, and checks in between; and home goes on talking.
pub fn fuzz_call(data: &[u8]) {
    plainly(Off::All, || {
        let mut call = Call::begin();
        call.connect();
        assert!(call.connected, "a good offer leads to a call");
        call.speak(255);
        let (mut bytes, mut index) = (Bytes(data), 0u32);
        for _ in 0..128 {
            if bytes.is_over() {
                break;
            }
            match bytes.byte() % 8 {
                0 | 1 => {
                    let packet = [bytes.piece(), &[0; TAG]].concat();
                    call.receive(VIEWER, &packet);
                }
                2 | 3 => {
                    index += 1;
                    let last = (0x8000_0000 | index).to_be_bytes();
                    let packet = [bytes.piece(), &[0; TAG], &last].concat();
                    call.receive(VIEWER, &packet);
                }
                4 => {
                    let message = [&[23], bytes.piece()].concat();
                    call.receive(VIEWER, &message);
                }
                5 => {
                    let datagram = bytes.piece();
                    call.receive(VIEWER, datagram);
                }
                6 => call.speak(bytes.byte()),
                _ => call.pass(u64::from(bytes.byte()) * 4),
            }
            call.drain(true);
        }
        call.home.close(call.now);
        call.drain(false);
    });
}

// ---- STUN (RFC 8489). ----

fn stun_head(kind: u16, transaction: &[u8], attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut message = [&kind.to_be_bytes()[..], &[0, 0, 0x21, 0x12, 0xa4, 0x42], transaction].concat();
    for (number, value) in attributes {
        message.extend([number.to_be_bytes(), (value.len() as u16).to_be_bytes()].concat());
        message.extend(*value);
        message.resize(message.len().next_multiple_of(4), 0);
    }
    message
}

/// With an integrity, which is right where connections are plain, and its length.
fn sealed(mut message: Vec<u8>) -> Vec<u8> {
    message.resize(message.len().next_multiple_of(4), 0);
    message.extend([&[0, 8, 0, 20][..], &[0; 20]].concat());
    let length = (message.len() as u16).wrapping_sub(20);
    message[2..4].copy_from_slice(&length.to_be_bytes());
    message
}

fn stun(kind: u16, transaction: &[u8], attributes: &[(u16, &[u8])]) -> Vec<u8> {
    sealed(stun_head(kind, transaction, attributes))
}

/// The value of XOR-MAPPED-ADDRESS.
fn mapped((ip, port): ([u8; 4], u16)) -> [u8; 8] {
    let [high, low] = (port ^ 0x2112).to_be_bytes();
    let [a, b, c, d] = ip;
    [0, 1, high, low, a ^ 0x21, b ^ 0x12, c ^ 0xa4, d ^ 0x42]
}

// ---- Seeds. ----

pub fn offers() -> Vec<Vec<u8>> {
    let candidate = "a=candidate:1 1 udp 2113937151 192.0.2.7 40000 typ host generation 0\r\n";
    let again = OFFER.replace("abcd\r\n", "efgh\r\n").replace("abcdefgh", "hgfedcba");
    vec![format!("{}{candidate}", *OFFER).into_bytes(), format!("{}\0{again}{candidate}", *OFFER).into_bytes()]
}

/// Something for a target that reads a byte and then a piece.
fn said(what: u8, bytes: &[u8]) -> Vec<u8> {
    [&[what][..], &piece(bytes)].concat()
}

pub fn datagrams() -> Vec<Vec<u8>> {
    let rest: [(u16, &[u8]); 3] = [(0x0024, &[110, 0, 30, 255]), (0x802a, &[0; 8]), (0x0025, &[])];
    let controlled: [(u16, &[u8]); 2] = [(0x0024, &[1, 0, 0, 0]), (0x8029, &[255; 8])];
    let attributes = |of: &[(u16, &[u8])]| [&[0, 1][..], &stun_head(1, b"transaction!", of)[20..]].concat();
    let failure: [(u16, &[u8]); 2] = [(0x0009, &[0, 0, 4, 87, b'r']), (0x8022, b"software")];
    vec![
        [said(2, &attributes(&rest)), said(4, &[]), said(6, &[]), said(0, &[22; 40])].concat(),
        [said(3, &attributes(&controlled)), said(0x0a, &attributes(&rest))].concat(),
        said(0, &stun(0x0111, b"transaction!", &failure)),
        said(1, &stun(0x0101, b"transaction!", &[(0x0020, &mapped(VIEWER))])),
    ]
}

/// The first flight of a client of DTLS 1.2.
pub fn handshakes() -> Vec<Vec<u8>> {
    let extensions: Vec<u8> = [
        &[0, 10, 0, 4, 0, 2, 0, 23][..],
        &[0, 11, 0, 2, 1, 0],
        &[0, 13, 0, 4, 0, 2, 4, 3],
        &[0, 14, 0, 7, 0, 4, 0, 7, 0, 1, 0],
        &[0, 23, 0, 0],
        &[0xff, 1, 0, 1, 0],
    ]
    .concat();
    let suites = [0xc0, 0x2b, 0xc0, 0x2c];
    let body = [
        &[0xfe, 0xfd][..],
        &[9; 32],
        &[0, 0, 0, suites.len() as u8],
        &suites,
        &[1, 0],
        &(extensions.len() as u16).to_be_bytes(),
        &extensions,
    ]
    .concat();
    let length = [0, (body.len() >> 8) as u8, body.len() as u8];
    let message = [&[1][..], &length, &[0, 0, 0, 0, 0], &length, &body].concat();
    let record = |kind: u8, bytes: &[u8]| {
        [&[kind, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0][..], &(bytes.len() as u16).to_be_bytes(), bytes].concat()
    };
    let hello = record(22, &message);
    vec![piece(&hello), [piece(&hello), piece(&record(21, &[2, 40])), piece(&record(20, &[1]))].concat()]
}

/// An RTP packet (RFC 3550 section 5.1) with its mid and its number for congestion control.
fn rtp(kind: u8, sequence: u8, source: u8, mid: u8, payload: &[u8]) -> Vec<u8> {
    let head = [0x90, kind, 0, sequence, 0, 0, sequence, 0, 0, 0, 0, source];
    let extensions = [0xbe, 0xde, 0, 2, 0x40, mid, 0x31, 0, sequence, 0, 0, 0];
    said(0, &[&head[..], &extensions, payload].concat())
}

/// An RTCP packet (RFC 3550 section 6.4, RFC 4585).
fn rtcp(first: u8, kind: u8, words: &[u32]) -> Vec<u8> {
    let body: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    [&[0x80 | first, kind][..], &(words.len() as u16).to_be_bytes(), &body].concat()
}

pub fn calls() -> Vec<Vec<u8>> {
    let nal = [0x67, 0x42, 0xe0, 0x1f, 1, 2, 3];
    let aggregate = [&[24][..], &[0, 7], &nal, &[0, 4, 0x68, 0xce, 0x38, 0x80]].concat();
    let video = [
        rtp(108, 1, 34, b'1', &aggregate),
        rtp(108, 2, 34, b'1', &[0x7c, 0x85, 0x88, 1, 2, 3]),
        rtp(108 | 128, 3, 34, b'1', &[0x7c, 0x45, 4, 5, 6]),
        rtp(109, 1, 35, b'1', &[0, 2, 0x7c, 0x85, 0x88, 1]),
    ];
    let sound = [
        rtp(111, 1, 17, b'0', &[0xf8, 0xff, 0xfe]),
        rtp(63, 2, 17, b'0', &[0xef, 0x0f, 0x00, 0x03, 0x6f, 0xf8, 0xff, 0xfe, 0xf8, 0xff, 0xfe]),
        vec![7, 10],
        rtp(63, 4, 17, b'0', &[0x6f, 0xf8, 0xff, 0xfe]),
    ];
    let report = rtcp(1, 201, &[17, 34, 0x0100_0002, 9, 3, 4, 5]);
    let sender = rtcp(1, 200, &[17, 0xe000_0000, 1, 2, 3, 4, 34, 0, 9, 3, 4, 5]);
    let names = [&[0x81, 202, 0, 3, 0, 0, 0, 17, 1, 1, b'a', 0][..], &[0; 4]].concat();
    let feedback = [
        rtcp(1, 205, &[17, 34, 0x0001_0007]),
        rtcp(1, 206, &[17, 34]),
        rtcp(4, 206, &[17, 0, 34, 0x0100_0000]),
        rtcp(15, 205, &[17, 34, 0x0001_0003, 0x0000_0100, 0x2003_0404, 0x0400_0000]),
        rtcp(15, 206, &[17, 0, u32::from_be_bytes(*b"REMB"), 0x0104_ffff, 34]),
    ];
    let extended = rtcp(0, 207, &[17, 0x0400_0002, 1, 2, 0x0500_0003, 34, 5, 6]);
    let bye = rtcp(1, 203, &[17]);
    let talk = [6, 255, 7, 20];
    let init = [19, 136, 19, 136, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 20, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1];
    vec![
        video.concat(),
        sound.concat(),
        [&talk[..], &said(2, &[&report[..], &names].concat()), &talk, &said(2, &feedback.concat()), &talk].concat(),
        [said(2, &[sender, extended].concat()), said(2, &[report, bye].concat())].concat(),
        [said(4, &init), said(5, &[22; 30])].concat(),
    ]
}
