//! Sockets that die, programs that restart, pages that reload: each ends in a living picture.

use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

use crate::harness::chromium::Permission;
use crate::harness::page::Page;
use crate::lab::Lab;
use crate::watching::{PATIENCE, assert_clean, living, undisturbed};

/// The socket dies in the middle of the call: the picture does not notice, and the page gets a new socket.
pub fn socket_dies(lab: &mut Lab) {
    let page = lab.visit(Permission::Undecided);
    living(&page);
    let since = page.now();
    assert_eq!(page.eval("lab.killSockets()"), 1);
    page.wait_for("a new socket", PATIENCE, "lab.sockets.length >= 2 && document.body.dataset.socket === 'open'");
    undisturbed(&page, since);
}

/// No socket can be had for ten seconds: the picture still does not notice, and afterwards the page resumes.
pub fn socket_stays_away(lab: &mut Lab) {
    let page = lab.visit(Permission::Undecided);
    living(&page);
    let since = page.now();
    page.run("lab.refuseSockets = true; lab.killSockets();");
    page.wait_for("the page notices", PATIENCE, "document.body.dataset.socket === 'closed'");
    page.wait_for("the page tries again", PATIENCE, "lab.sockets.filter(s => s.refused).length >= 2");
    page.wait_coded_frames(150, PATIENCE);
    page.run("lab.refuseSockets = false;");
    page.wait_for("a socket again", Duration::from_secs(40), "document.body.dataset.socket === 'open'");
    page.wait_state("live", PATIENCE);
    undisturbed(&page, since);
}

/// A viewer whose key outlives the program's run.
fn visit_for_long(lab: &mut Lab) -> Page {
    let (link, _) = lab.home().lasting_link();
    let page = lab.viewer(Permission::Undecided);
    page.open(&link);
    living(&page);
    page
}

/// Home is back: the page finds out by itself, and its picture lives again.
fn comes_back(page: &Page) {
    page.wait_state("live", Duration::from_secs(40));
    let since = page.now();
    page.wait_coded_frames(60, PATIENCE);
    assert_clean(page, since);
}

/// The program is ended and started again in the middle of a visit: it ends within 2 s, the page says what is
/// going on, and comes back by itself. Who came with the key of that one run is told in words that it is over.
pub fn restart(lab: &mut Lab) {
    let page = visit_for_long(lab);
    let guest = lab.visit(Permission::Undecided);
    living(&guest);
    let (took, status) = lab.home().terminate();
    assert!(status.success(), "it ends cleanly on SIGTERM: {status}");
    assert!(took < Duration::from_secs(2), "SIGTERM ends it within 2 s, not {took:?}");
    page.wait_for("the page says so", PATIENCE, "/reconnecting|offline/.test(document.body.dataset.state)");
    assert!(!page.eval("document.querySelector('#status').innerText.trim()").as_str().unwrap_or_default().is_empty());
    lab.home().launch();
    comes_back(&page);
    guest.wait_state("wrong-link", PATIENCE);
}

/// A power cut instead: nobody says goodbye.
pub fn power_cut(lab: &mut Lab) {
    let page = visit_for_long(lab);
    lab.home().kill();
    let limit = Duration::from_secs(40);
    page.wait_for("the page says so", limit, "/reconnecting|offline/.test(document.body.dataset.state)");
    lab.home().launch();
    comes_back(&page);
}

/// A reload needs no link: the page has kept its key.
pub fn reload(lab: &mut Lab) {
    let page = lab.visit(Permission::Undecided);
    living(&page);
    for _ in 0..2 {
        page.reload();
        living(&page);
        assert_clean(&page, 0.0);
    }
}

/// A double click on the link: the second load interrupts the first.
pub fn double_click(lab: &mut Lab) {
    let link = lab.home().link();
    let page = lab.viewer(Permission::Undecided);
    page.open(&link);
    page.open(&link);
    living(&page);
    assert_clean(&page, 0.0);
}

/// A second tab of the same viewer: in each there is a living picture or a plain sentence, and the second, opened
/// without the link, lives.
pub fn two_tabs(lab: &mut Lab) {
    let first = lab.visit(Permission::Undecided);
    living(&first);
    let second = first.second_tab();
    lab.include(&second);
    let link = lab.home().link();
    second.open(link.split('#').next().expect("an address"));
    living(&second);
    let sentence = "document.body.dataset.state !== 'live' && document.querySelector('#status').innerText.trim()";
    if first.eval(sentence).as_str().is_none_or(str::is_empty) {
        first.wait_coded_frames(30, PATIENCE);
    }
    second.wait_coded_frames(30, PATIENCE);
    second.close();
    first.wait_coded_frames(30, PATIENCE);
}

/// The tab sleeps for a moment, and for longer than a visit outlives its connection: both wake to a living picture.
pub fn sleep(lab: &mut Lab) {
    let page = lab.visit(Permission::Undecided);
    living(&page);
    for asleep in [Duration::from_secs(3), Duration::from_secs(33)] {
        page.sleep(asleep);
        living(&page);
        let since = page.now();
        page.wait_coded_frames(30, PATIENCE);
        assert_clean(&page, since);
    }
}

/// Unauthenticated clients: half-open connections, nonsense over TCP and UDP. Who is at home already sees none of it.
pub fn strangers(lab: &mut Lab) {
    let page = lab.visit(Permission::Undecided);
    living(&page);
    let since = page.now();
    let link = lab.home().link();
    let address = link.trim_start_matches("https://").split('/').next().expect("an address").to_owned();
    let half_open: Vec<TcpStream> = (0..200).filter_map(|_| TcpStream::connect(&address).ok()).collect();
    assert!(half_open.len() >= 100, "strangers come in at all: {}", half_open.len());
    let mut random = fastrand::Rng::with_seed(7);
    let udp = UdpSocket::bind(("0.0.0.0", 0)).expect("a socket");
    for i in 0..60 {
        let mut noise = vec![0; random.usize(1..1400)];
        random.fill(&mut noise);
        if let Ok(mut stranger) = TcpStream::connect(&address) {
            let _ = stranger.write_all(&noise);
        }
        for first in [0u8, 1, 20, 22, 128, 144, 200] {
            noise[0] = first.wrapping_add(i);
            let _ = udp.send_to(&noise, &address);
        }
        page.now();
    }
    undisturbed(&page, since);
    drop(half_open);
    // And the next viewer comes in.
    living(&lab.visit(Permission::Undecided));
}

/// A viewer whose browser has been taken over makes offers that no browser makes. Home refuses them with words, and who visits
/// meanwhile sees nothing of it.
pub fn hostile_viewer(lab: &mut Lab) {
    let page = lab.visit(Permission::Undecided);
    living(&page);
    let since = page.now();
    let hostile = lab.visit(Permission::Undecided);
    living(&hostile);
    let case = include_str!("../fuzz/offers/one-payload-type-for-two-codecs.sdp");
    hostile.run(&format!("window.hostile = {}", serde_json::json!({ "key": lab.home().key(), "case": case })));
    let heard = hostile.eval(HOSTILE_OFFERS);
    let heard = heard.as_array().expect("what home said to each offer");
    assert_eq!(heard.len(), 12, "{heard:?}");
    for (n, words) in heard.iter().enumerate() {
        assert_eq!(words[0], "bad_offer", "offer {n}: {words}");
        assert!(words[1].as_str().is_some_and(|why| why.starts_with("offer not usable: ")), "offer {n}: {words}");
    }
    undisturbed(&page, since);
    let status = lab.home().status().expect("home answers");
    // Refused before anything could fail; and home still knows what it has counted, so it was not started again.
    assert_eq!(status["failed_peers"], 0, "{status}");
    assert_eq!(status["visits"].as_array().map(Vec::len), Some(3), "{status}");
    hostile.wait_coded_frames(15, PATIENCE);
}

/// Home says that this page's connection has failed there: the page comes back by itself, with a new visit and connection, each time.
pub fn connection_fails_at_home(lab: &mut Lab) {
    let page = lab.visit(Permission::Undecided);
    living(&page);
    for connections in 2..=3 {
        page.run(r#"lab.sockets.at(-1).socket.onmessage({ data: '{"type":"bye","reason":"failed"}' })"#);
        page.wait_for("another connection", PATIENCE, &format!("lab.connections.length === {connections}"));
        page.wait_for("and its picture", PATIENCE, "lab.connections.at(-1).connectionState === 'connected'");
        living(&page);
        let talk =
            page.eval("[lab.sockets.length, lab.sockets.at(-1).sent.slice(0, 2), lab.sockets.at(-1).received[0]]");
        assert_eq!(talk, serde_json::json!([connections, ["hello", "offer"], "welcome"]));
    }
}

/// A browser that knows H.264 only a while after its start: until then home is heard, and then it is seen, and sees. That the socket
/// is away when it comes costs the sound nothing.
pub fn codec_comes_late(lab: &mut Lab) {
    let page = lab.viewer(Permission::Granted);
    page.before_load(
        r"{
            const late = () => !window.arrived;
            const known = RTCRtpReceiver.getCapabilities.bind(RTCRtpReceiver);
            const isH264 = (codec) => codec.mimeType === 'video/H264';
            RTCRtpReceiver.getCapabilities = (kind) => {
                const { codecs, ...rest } = known(kind);
                return { ...rest, codecs: codecs.filter((codec) => !late() || !isH264(codec)) };
            };
            const offer = RTCPeerConnection.prototype.createOffer;
            RTCPeerConnection.prototype.createOffer = function (...given) {
                const video = this.getTransceivers().find(({ receiver }) => receiver.track.kind === 'video');
                if (late()) video.setCodecPreferences(known('video').codecs.filter((codec) => !isH264(codec)));
                return offer.apply(this, given);
            };
            window.states = new Set();
            setInterval(() => states.add(document.body?.dataset.state), 50);
        }",
    );
    page.open(&lab.home().link());
    page.wait_state("tap", PATIENCE);
    page.click("#tap-home");
    page.wait_state("sound", PATIENCE);
    page.wait_for("home's sound", PATIENCE, "lab.stats().then(s => s.audio?.totalSamplesReceived > 24000)");
    // What the viewer says to sound alone is no word about the camera.
    page.wait_for("the question", PATIENCE, "document.querySelector('#join').checkVisibility()");
    page.click("#join");
    page.wait_for("the microphone", PATIENCE, "document.querySelector('#mic').dataset.device === 'on'");
    assert_eq!(page.eval("document.querySelector('#cam').dataset.device"), "off");

    page.run("lab.refuseSockets = true; lab.killSockets();");
    page.wait_for("the page notices", PATIENCE, "document.body.dataset.socket === 'closed'");
    let samples = "lab.stats().then(s => s.audio?.totalSamplesReceived ?? 0)";
    let before = page.eval(samples).as_f64().unwrap_or_default();
    page.run("window.arrived = true;");
    // The page would have looked for H.264 by then.
    std::thread::sleep(Duration::from_secs(16));
    // One that only looks for H.264 makes an offer that goes nowhere, and is closed at once.
    let states = page
        .eval("lab.connections.map(({ connectionState }) => connectionState).filter((state) => state !== 'closed')");
    assert_eq!(states, serde_json::json!(["connected"]), "without a socket nothing is built\n{}", page.report());
    page.wait_for("the sound goes on", PATIENCE, &format!("{samples}.then(n => n > {before} + 96000)"));
    page.run("lab.refuseSockets = false;");
    page.wait_state("live", Duration::from_secs(40));
    living(&page);
    page.wait_for(
        "the question",
        PATIENCE,
        "document.querySelector('#join').checkVisibility() || document.querySelector('#cam').dataset.device === 'on'",
    );
    if page.visible("#join") {
        assert!(page.text().contains("Turn on your camera, too?"), "{}", page.text());
        page.click("#join");
    }
    page.wait_for("the camera", PATIENCE, "document.querySelector('#cam').dataset.device === 'on'");
    assert_eq!(page.eval("document.querySelector('#mic').dataset.device"), "on");
    let seen = page.eval("[...states].includes('unsupported')");
    assert_eq!(seen, false, "the page gave up too early: {}", page.eval("[...states].join()"));
    // What looks whether H.264 has come does not break the sound: the first offer, perhaps the same on the new socket, the one with H.264.
    let offers = page.eval("lab.said().filter((type) => type === 'offer').length");
    assert!(offers.as_u64().is_some_and(|offers| (2..=3).contains(&offers)), "{offers}: {}", page.report());
}

/// Says `hello` on a socket of its own, then one offer after the other, each a connection of its own; gives code and words of what
/// home answered to each.
const HOSTILE_OFFERS: &str = r"(async () => {
    const { key, case: known } = window.hostile;
    const sound = lab.connections[0].localDescription.sdp;
    const h264 = /a=rtpmap:(\d+) H264/.exec(sound)[1];
    const opus = /a=rtpmap:(\d+) opus/.exec(sound)[1];
    const rtx = /a=rtpmap:(\d+) rtx/.exec(sound)[1];
    const red = /a=rtpmap:(\d+) red/.exec(sound)[1];
    const swap = (from, to) => sound.replaceAll(new RegExp(`(rtpmap:|fmtp:|rtcp-fb:|SAVPF |apt=)${from}\\b`, 'g'), `$1${to}`);
    const sections = sound.split(/(?=^m=)/m);
    const offers = [
        known, swap(opus, h264), swap(rtx, h264), swap(red, rtx), sound.replace(`apt=${h264}`, `apt=${rtx}`),
        sound.replace(/a=mid:1/, 'a=mid:0'), sound + sections[2], sound.replace('m=video', 'm=application'),
        sound.replace(/(a=rtpmap:\d+ H264)/, `$1\r\na=rtpmap:${h264} VP8/90000`), sound + 'a=fmtp:96 x\r\n'.repeat(4000),
        sound.replace(/a=fingerprint.*\r\n/g, ''), 'v=0\r\n',
    ];
    const socket = new WebSocket(`wss://${location.host}/signal`);
    const heard = [];
    await new Promise((resolve, reject) => {
        socket.onopen = () => {
            socket.send(JSON.stringify({ type: 'hello', v: 1, key }));
            offers.forEach((sdp, n) => socket.send(JSON.stringify({ type: 'offer', pc: n + 1, rev: 1, sdp })));
        };
        socket.onmessage = ({ data }) => {
            const { type, code, message } = JSON.parse(data);
            if (type !== 'welcome') heard.push([code ?? type, message]);
            if (heard.length === offers.length) resolve();
        };
        socket.onclose = () => reject(new Error(`home closed the socket after ${heard.length} of ${offers.length}`));
    });
    return heard;
})()";
