//! Calls over networks of their own: UDP that is cut at the worst moment, and routers on both sides.

use std::time::Duration;

use crate::harness::chromium::Permission;
use crate::harness::daemon::{Daemon, Setup};
use crate::harness::frames::Judgement;
use crate::harness::net::{self, Namespace, Routed};
use crate::harness::page::Page;
use crate::lab::Lab;
use crate::watching::{PATIENCE, living, undisturbed};

/// The failure that this project began with. UDP is cut, so ICE is still checking when the socket dies, and no new
/// socket can be had; then UDP is there. The picture must come over the connection that was being made.
///
/// Once the socket dies while the page shows nothing of its own yet, once when it has said that it is on the way.
pub fn socket_dies_while_checking(lab: &mut Lab) {
    if !net::allowed("the socket dies while ICE is checking") {
        return;
    }
    let (inside, outside) = net::home_and_viewer();
    let home = Daemon::start_in(Some(&inside), Setup::default());
    for shown in [false, true] {
        let page = lab.viewer_in(Some(&outside), Permission::Undecided);
        let cut = inside.cut("udp", home.port);
        if !shown {
            page.before_load("lab.onChecking = () => { lab.refuseSockets = true; lab.killSockets(); };");
        }
        page.open(&format!("https://10.77.0.1:{}/#k={}", home.port, home.key()));
        if shown {
            page.wait_for("the page is on the way", PATIENCE, "document.body.dataset.media === 'checking'");
            page.run("lab.refuseSockets = true; lab.killSockets();");
        }
        page.wait_for("ICE is checking", PATIENCE, "lab.connections[0]?.iceConnectionState === 'checking'");
        page.wait_for(
            "no socket is left",
            PATIENCE,
            "lab.sockets.length && lab.sockets.every(s => s.socket.readyState > 1)",
        );
        assert_eq!(page.eval("lab.frames.length"), 0, "no picture came while UDP was cut");
        drop(cut);
        page.wait_coded_frames(60, Duration::from_secs(30));
        assert_eq!(page.eval("lab.connections.length"), 1, "it is the connection that was being made");
        assert_eq!(page.eval("lab.sockets.some(s => s.socket.readyState === 1)"), false, "and without any socket");
        page.wait_state("live", PATIENCE);

        let since = page.now();
        page.run("lab.refuseSockets = false;");
        assert_resumes(&page, since);
        page.close();
    }
}

/// The page has a socket again, and the picture went on meanwhile on the connection that it had.
fn assert_resumes(page: &Page, since: f64) {
    page.wait_for("the page resumes", Duration::from_secs(40), "document.body.dataset.socket === 'open'");
    page.wait_state("live", PATIENCE);
    undisturbed(page, since);
}

/// A browser that can give no names to its addresses (mDNS) when the page opens, as Chromium cannot right after its network came
/// up, finds none on that page, ever. The page loads again by itself, and home is there.
pub fn names_come_late(lab: &mut Lab) {
    if !net::allowed("a browser's addresses get their names late") {
        return;
    }
    let (inside, outside) = net::home_and_viewer();
    let home = Daemon::start_in(Some(&inside), Setup::default());
    let multicast = |groups| outside.set("net/ipv4/igmp_max_memberships", groups);
    outside.set("net/ipv6/conf/all/disable_ipv6", "1");
    multicast("0");
    let page = lab.viewer_in(Some(&outside), Permission::Undecided);
    page.open(&format!("https://10.77.0.1:{}/#k={}", home.port, home.key()));
    page.run("window.first = true");
    page.wait_for(
        "home has answered",
        PATIENCE,
        "lab.connections[0]?.signalingState === 'stable' && lab.marks.answered",
    );
    assert_eq!(page.eval("window.first && lab.connections[0].iceGatheringState"), "gathering", "no address has a name");
    multicast("20");
    living(&page);
    assert_eq!(page.eval("window.first === undefined"), true, "it was the next page that found them");
    assert_eq!(page.eval("lab.connections.length"), 1, "at once");
}

/// A break of all UDP for some seconds in the middle of a call heals by itself.
pub fn udp_breaks_for_a_while(lab: &mut Lab) {
    if !net::allowed("UDP breaks for a while") {
        return;
    }
    let (inside, outside) = net::home_and_viewer();
    let home = Daemon::start_in(Some(&inside), Setup::default());
    let page = lab.viewer_in(Some(&outside), Permission::Undecided);
    page.open(&format!("https://10.77.0.1:{}/#k={}", home.port, home.key()));
    living(&page);
    let cut = inside.cut("udp", home.port);
    page.wait_for("the page notices", PATIENCE, "document.body.dataset.state !== 'live'");
    drop(cut);
    page.wait_state("live", Duration::from_secs(40));
    page.wait_coded_frames(30, PATIENCE);
}

/// UDP never gets through: the page says so, home gives its seat to others after a while, and the page goes on trying until it
/// is in.
pub fn udp_stays_away(lab: &mut Lab) {
    if !net::allowed("UDP stays away") {
        return;
    }
    let (inside, outside) = net::home_and_viewer();
    let home = Daemon::start_in(Some(&inside), Setup::default());
    let page = lab.viewer_in(Some(&outside), Permission::Undecided);
    let cut = inside.cut("udp", home.port);
    page.before_load(
        "lab.byes = []; \
         const parse = JSON.parse; JSON.parse = (text) => { const is = parse(text); if (is?.type === 'bye') lab.byes.push(is.reason); return is; };",
    );
    page.open(&format!("https://10.77.0.1:{}/#k={}", home.port, home.key()));
    let barred = "document.body.innerText.includes('may block it')";
    page.wait_for("the page says why", Duration::from_secs(20), barred);
    page.wait_for("home gives the seat away", Duration::from_secs(40), "lab.byes.includes('no_media')");
    page.sleep(Duration::from_secs(1));
    assert_eq!(page.eval(barred), true, "it still says so: {}", page.text());
    page.wait_for(
        "and the page is back, and waits",
        Duration::from_secs(40),
        "document.body.dataset.socket === 'open'",
    );
    assert_eq!(page.eval(barred), true, "it still says so: {}", page.text());
    drop(cut);
    page.wait_coded_frames(30, Duration::from_secs(60));
    page.wait_state("live", PATIENCE);
}

/// The socket's network falls silent without a word to either side: only pings can tell. The picture goes on, and
/// the page resumes when the network is back.
pub fn socket_falls_silent(lab: &mut Lab) {
    if !net::allowed("the socket falls silent") {
        return;
    }
    let (inside, outside) = net::home_and_viewer();
    let home = Daemon::start_in(Some(&inside), Setup::default());
    let page = lab.viewer_in(Some(&outside), Permission::Undecided);
    page.open(&format!("https://10.77.0.1:{}/#k={}", home.port, home.key()));
    living(&page);
    let since = page.now();
    let cut = inside.cut("tcp", home.port);
    page.wait_for("the page notices", PATIENCE, "document.body.dataset.socket === 'closed'");
    page.wait_coded_frames(60, PATIENCE);
    drop(cut);
    assert_resumes(&page, since);
}

/// A network that speaks IPv6 alone.
pub fn ipv6(lab: &mut Lab) {
    if !net::allowed("IPv6 alone") {
        return;
    }
    let (inside, outside) = (Namespace::new("home6"), Namespace::new("viewer6"));
    inside.cable("fd77::1/64", &outside, "fd77::2/64");
    let home = Daemon::start_in(Some(&inside), Setup::default());
    let link = home.link();
    assert!(link.starts_with("https://[fd77::1]:"), "the address it can be reached at: {link}");
    let page = lab.viewer_in(Some(&outside), Permission::Granted);
    page.open(&link);
    living(&page);
    // Chromium without a default route shows no address of its own before it may use the camera; home finds it out.
    assert_eq!(page.stats()["pair"]["remoteAddress"], "fd77::1");
}

/// A cable that is plugged in while home runs: the new address works without a restart.
pub fn new_address(lab: &mut Lab) {
    if !net::allowed("a new address") {
        return;
    }
    let (inside, outside) = net::home_and_viewer();
    let home = Daemon::start_in(Some(&inside), Setup::default());
    let late = Namespace::new("late");
    inside.cable("10.88.0.1/24", &late, "10.88.0.2/24");
    // Without a default route only the new address can be reached from there, and Chromium tells its own address only
    // to pages that may use the camera.
    let page = lab.viewer_in(Some(&late), Permission::Granted);
    page.open(&format!("https://10.88.0.1:{}/#k={}", home.port, home.key()));
    living(&page);
    assert_eq!(page.stats()["pair"]["remoteAddress"], "10.88.0.1");
    let before = lab.viewer_in(Some(&outside), Permission::Undecided);
    before.open(&format!("https://10.77.0.1:{}/#k={}", home.port, home.key()));
    living(&before);
}

/// Home behind one forwarded port and the viewer behind a router of their own: no other server is there to help.
pub fn routers(lab: &mut Lab) {
    if !net::allowed("home and viewer behind routers") {
        return;
    }
    let routed = Routed::new(40443, 8443);
    let setup = Setup { public_address: Some("203.0.113.1:40443".into()), ..Setup::default() };
    let home = Daemon::start_in(Some(&routed.home), setup);
    assert!(
        home.links().iter().any(|l| l.starts_with("https://203.0.113.1:40443/#k=")),
        "a link from outside: {:?}",
        home.links()
    );
    let page = lab.viewer_in(Some(&routed.viewer), Permission::Granted);
    page.open(&format!("https://203.0.113.1:40443/#k={}", home.key()));
    living(&page);
    let pair = page.stats()["pair"].clone();
    assert_eq!(pair["remoteAddress"], "203.0.113.1", "{pair}");
    assert_eq!(pair["remotePort"], 40443, "{pair}");
    page.click("#join");
    crate::harness::wait("the viewer on the TV", PATIENCE, || {
        crate::harness::picture::Picture::read(&home.png()).filter(|p| p.fake_camera_green() > 0.15).map(drop)
    });
    let judged = Judgement::of(&page.frames_since(0.0));
    assert_eq!((judged.bad_crc, judged.backwards), (0, 0), "{judged:?}");
}
