//! The first words in a POST, and a browser or a proxy that lets no WebSocket through.

use std::time::Duration;

use serde_json::json;

use crate::harness::chromium::Permission;
use crate::harness::page::Page;
use crate::harness::wait;
use crate::lab::Lab;
use crate::watching::{PATIENCE, assert_clean, living, undisturbed};

/// No socket opens on this page, from the beginning.
const REFUSED: &str = "lab.refuseSockets = true;";

/// The answer to a POST comes later than the page waits for it, though home has heard the POST at once.
const LATE: &str = "const soon = window.fetch;
    window.fetch = async (address, options) => {
      const answer = await soon(address, options && { ...options, signal: undefined });
      if (address !== '/signal') return answer;
      window.posts = [...(window.posts ?? []), await answer.clone().text()];
      await new Promise((resolve) => setTimeout(resolve, 6000));
      return answer;
    };";

/// What the page asked for beside its document.
const POSTS: &str = "performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('/signal'))";

fn visits(lab: &mut Lab) -> Vec<serde_json::Value> {
    let status = lab.home().status().expect("home answers");
    status["visits"].as_array().cloned().unwrap_or_default()
}

/// A POST begins the visit, and the socket beside it goes on with that: one visit, one connection, no second offer.
pub fn carriers(lab: &mut Lab) {
    let page = lab.visit(Permission::Undecided);
    living(&page);
    page.wait_for("the socket is there", PATIENCE, "document.body.dataset.socket === 'open'");
    page.wait_for("and welcome", PATIENCE, "lab.sockets[0].received.includes('welcome')");
    assert_eq!(page.eval(&format!("{POSTS}.length")), 1, "one POST");
    let sent = page.eval("lab.sockets[0].sent");
    assert_eq!(
        (&sent[0], page.eval("lab.sockets[0].sent.includes('offer')")),
        (&json!("hello"), json!(false)),
        "{sent}"
    );
    assert_eq!((page.eval("lab.sockets.length"), page.eval("lab.connections.length")), (json!(1), json!(1)));
    let visits = visits(lab);
    assert_eq!((visits.len(), &visits[0]["socket"]), (1, &json!(true)));
    // The browser may find the document's connection still busy; then it takes another one.
    let reused = page.eval(&format!("{POSTS}.map(({{ connectStart, connectEnd }}) => connectStart === connectEnd)[0]"));
    let dtls = page.stats()["pair"]["dtls"].clone();
    lab.note(format_args!("the POST took the page's connection: {reused}; DTLS {dtls}"));
    assert_eq!(dtls, "FEFC", "this browser has DTLS 1.3");
    assert_clean(&page, 0.0);
}

/// A page that gives the answer to its POST up says the same over its socket, and stays one visit.
pub fn late(lab: &mut Lab) {
    let page = lab.viewer(Permission::Undecided);
    page.before_load(LATE);
    page.open(&lab.home().link());
    living(&page);
    page.wait_for("and welcome", PATIENCE, "lab.sockets[0].received.includes('welcome')");
    let posted = page.eval("window.posts.map((answer) => answer.includes('welcome'))");
    assert_eq!(posted, json!([true]), "one POST, which home has heard");
    let since = page.now();
    page.wait_coded_frames(150, PATIENCE);
    undisturbed(&page, since);
    let visits = visits(lab);
    assert_eq!((visits.len(), &visits[0]["socket"]), (1, &json!(true)));
}

/// Where every WebSocket is refused home is seen all the same, and goes on being seen; what is said meanwhile gets through both ways.
pub fn no_socket(lab: &mut Lab) {
    let page = lab.viewer(Permission::Granted);
    page.before_load(REFUSED);
    page.open(&lab.home().link());
    living(&page);
    let since = page.now();
    page.wait_for("signaling stands", PATIENCE, "document.body.dataset.socket === 'open'");
    let refused = "lab.sockets.length > 0 && lab.sockets.every(({ refused, opened }) => refused && opened === null)";
    assert_eq!(page.eval(refused), true, "by no socket");
    assert_eq!((visits(lab).len(), page.eval("document.body.dataset.state")), (1, json!("live")));

    // What home has to say comes with the next POST.
    let note = "(n => n.checkVisibility() && n.innerText.includes('muted'))(document.querySelector('#note'))";
    lab.home().command(&["mute"]);
    page.wait_for("home's mute is told", PATIENCE, note);
    lab.home().command(&["mute", "--off"]);
    page.wait_for("and taken back", PATIENCE, &format!("!{note}"));
    // What the page has to say goes at once.
    page.click("#join");
    let talks = "document.querySelector('#mic').dataset.device === 'on'";
    page.wait_for("the microphone", PATIENCE, talks);
    undisturbed(&page, since);
    // Longer than a visit without a socket and without media lives.
    std::thread::sleep(Duration::from_secs(35));
    page.wait_state("live", Duration::from_millis(500));
    undisturbed(&page, since);
    assert_eq!(page.eval(refused), true);

    page.click("#leave");
    wait("the visit is over", PATIENCE, || visits(lab).is_empty().then_some(()));
}

/// The same page later finds that sockets open: it takes one, and nothing else happens.
pub fn socket_comes_late(lab: &mut Lab) {
    let page = lab.viewer(Permission::Undecided);
    page.before_load(REFUSED);
    page.open(&lab.home().link());
    living(&page);
    page.wait_for("signaling stands", PATIENCE, "document.body.dataset.socket === 'open'");
    let since = page.now();
    page.run("lab.refuseSockets = false;");
    socket_opens(&page);
    let visits = visits(lab);
    assert_eq!((visits.len(), &visits[0]["socket"]), (1, &json!(true)));
    undisturbed(&page, since);
}

/// A browser that takes its time over the offer: the first words wait for it, though the socket is open long before, and go in a POST all
/// the same. It takes its time over applying the offer, too: home's answer is there before that, and nothing is offered again.
pub fn late_offer(lab: &mut Lab) {
    let page = lab.viewer(Permission::Undecided);
    page.before_load(
        "const offer = RTCPeerConnection.prototype.createOffer;
         RTCPeerConnection.prototype.createOffer = async function (...given) {
             await new Promise((resolve) => setTimeout(resolve, 1500));
             return offer.apply(this, given);
         };
         const apply = RTCPeerConnection.prototype.setLocalDescription;
         RTCPeerConnection.prototype.setLocalDescription = async function (...given) {
             await new Promise((resolve) => setTimeout(resolve, 500));
             return apply.apply(this, given);
         };",
    );
    page.open(&lab.home().link());
    living(&page);
    let first = page.eval("[lab.said()[0], lab.said().filter((type) => type === 'offer').length, lab.posted.length]");
    assert_eq!(first, json!(["hello", 1, 2]));
    assert_eq!((visits(lab).len(), page.eval("lab.connections.length")), (1, json!(1)));
}

fn socket_opens(page: &Page) {
    page.wait_for("a socket", Duration::from_secs(60), "lab.sockets.some(({ opened, closed }) => opened && !closed)");
    page.wait_for("and welcome on it", PATIENCE, "lab.sockets.at(-1).received.includes('welcome')");
}
