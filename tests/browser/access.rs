//! Who may come in, and what the others are told.

use std::time::Duration;

use crate::harness::chromium::Permission;
use crate::harness::daemon::{Daemon, Setup};
use crate::harness::picture::Picture;
use crate::harness::{artefacts, wait};
use crate::lab::Lab;
use crate::watching::{PATIENCE, living};

/// A wrong key and a missing one: a plain sentence, no picture, and nothing said of home.
pub fn wrong_key(lab: &mut Lab) {
    // A home of its own, for home is slower with each wrong key from one address.
    let home = Daemon::start(Setup::default());
    let link = home.link();
    let (address, _) = link.split_once("#k=").expect("a key in the link");
    let (unknown, none) = ("This link does not open home", "The link is not complete");
    for (url, words) in [
        (format!("{address}#k=AAAAAAAAAAAAAAAAAAAAAA"), unknown),
        (format!("{address}#k=short"), none),
        (address.to_owned(), none),
    ] {
        let page = lab.viewer(Permission::Undecided);
        page.open(&url);
        page.wait_state("wrong-link", PATIENCE);
        let status = page.eval("document.querySelector('#status').innerText.trim()");
        assert!(status.as_str().is_some_and(|s| s.len() > 10), "a sentence: {status}");
        assert_eq!(page.eval("lab.frames.length"), 0);
        assert!(page.text().contains(words), "{url}: {}", page.text());
        assert!(!page.text().contains("Test home"), "home's name is not for strangers");
        page.close();
    }
    // Anyone who has the key is not delayed by that.
    let page = lab.viewer(Permission::Undecided);
    page.open(&link);
    living(&page);
}

/// A home that is full says so, and lets the next one in when somebody leaves.
pub fn full(lab: &mut Lab) {
    let home = Daemon::start(Setup { max_viewers: Some(1), ..Setup::default() });
    let (first, second) = (lab.viewer(Permission::Undecided), lab.viewer(Permission::Undecided));
    first.open(&home.link());
    living(&first);
    second.open(&home.link());
    second.wait_state("full", PATIENCE);
    let status = second.eval("document.querySelector('#status').innerText.trim()");
    assert!(status.as_str().is_some_and(|s| s.len() > 10), "a sentence: {status}");
    first.wait_coded_frames(30, PATIENCE);
    first.click("#leave");
    first.wait_state("left", PATIENCE);
    // By itself: the page knocks again every quarter of a minute.
    second.wait_state("live", Duration::from_secs(30));
    second.wait_coded_frames(15, PATIENCE);
}

/// A link of its own for a new viewer, and its end.
pub fn revoked(lab: &mut Lab) {
    let (link, said) = lab.home().lasting_link();
    let page = lab.viewer(Permission::Undecided);
    page.open(&link);
    living(&page);
    let other = lab.visit(Permission::Undecided);
    living(&other);
    let number = number_of_key(&said);
    lab.home().command(&["link", "--revoke", &number]);
    page.wait_state("revoked", PATIENCE);
    other.wait_coded_frames(30, PATIENCE);
    page.reload();
    page.wait_for("it stays closed", PATIENCE, "/wrong-link|revoked/.test(document.body.dataset.state)");
}

/// A link lets a few devices in, each with a key of its own, and is worth nothing then; it leaves the address.
pub fn spent_link(lab: &mut Lab) {
    let home = Daemon::start(Setup::default());
    let said = home.command(&["link", "--name", "Ελένη", "--devices", "2"]);
    let link = said.split_whitespace().find(|word| word.contains("#p=")).expect("a link").to_owned();
    assert!(said.contains("within 7 days") && said.contains("2 devices"), "{said}");
    let mut keys = Vec::new();
    for _ in 0..2 {
        let page = lab.viewer(Permission::Undecided);
        page.open(&link);
        living(&page);
        assert_eq!(page.eval("location.hash"), "", "the token leaves the address");
        keys.push(page.eval("localStorage.getItem('intercom.key')"));
        page.reload();
        living(&page);
        page.close();
    }
    assert!(keys[0].is_string() && keys[0] != keys[1], "each device has a key of its own");
    let late = lab.viewer(Permission::Undecided);
    late.open(&link);
    late.wait_state("wrong-link", PATIENCE);
    assert_eq!(late.eval("lab.frames.length"), 0);
    assert!(late.text().contains("This link or code has expired"), "{}", late.text());
    let stored = std::fs::read_to_string(home.state_dir().join("keys.toml")).expect("the keys");
    assert!(stored.contains("name = \"Ελένη\"") && !stored.contains("[[link]]"), "{stored}");
}

/// A link with rubbish or another key in the place of a key takes nothing away from a device that was here before: the device comes in with
/// the key that it has, also after a reload.
pub fn rubbish_link(lab: &mut Lab) {
    let home = Daemon::start(Setup::default());
    let (link, _) = home.lasting_link();
    let address = link.split('#').next().expect("an address");
    let page = lab.viewer(Permission::Undecided);
    page.open(&link);
    living(&page);
    let key = page.eval("localStorage.getItem('intercom.key')");
    for fragment in ["k=anything", "k=AAAAAAAAAAAAAAAAAAAAAA", "p=AAAAAAAAAAAAAAAAAAAAAA"] {
        page.open("about:blank");
        page.open(&format!("{address}#{fragment}"));
        living(&page);
        assert_eq!(page.eval("localStorage.getItem('intercom.key')"), key, "{fragment}");
        assert_eq!(page.eval("location.hash"), "", "{fragment}");
        page.reload();
        living(&page);
    }
    // A key that home welcomes takes its place.
    page.open("about:blank");
    page.open(&home.link());
    living(&page);
    assert_eq!(page.eval("localStorage.getItem('intercom.key')"), home.key());
}

/// A reset: who visits is sent away, and their link opens nothing in the home that starts then.
pub fn reset(lab: &mut Lab) {
    let mut home = Daemon::start(Setup::default());
    let (link, _) = home.lasting_link();
    let page = lab.viewer(Permission::Undecided);
    page.open(&link);
    living(&page);
    home.command(&["reset"]);
    page.wait_state("revoked", PATIENCE);
    wait("its end", PATIENCE, || home.crashed().then_some(()));
    home.kill();
    home.launch();
    page.reload();
    page.wait_for("it stays closed", PATIENCE, "/wrong-link|revoked/.test(document.body.dataset.state)");
    let other = lab.viewer(Permission::Undecided);
    other.open(&link);
    other.wait_state("wrong-link", PATIENCE);
    assert_eq!(other.eval("lab.frames.length"), 0);
    wait("a code on the TV", PATIENCE, || code(&home));
    keep_tv(&home, "tv-reset");
    // Anyone who scans that is at home again.
    let phone = lab.viewer(Permission::Undecided);
    phone.open(&code(&home).expect("a code"));
    living(&phone);
}

/// A code on the TV: one phone reads it and is at home by name, from then on with a key of its own; nobody else is.
pub fn code_on_the_tv(lab: &mut Lab) {
    let mut home = Daemon::start(Setup::default());
    // A home that nobody can visit yet shows a code by itself.
    let first = wait("the first code", PATIENCE, || code(&home));
    keep_tv(&home, "tv-first-start");
    let said = home.command(&["link", "--tv", "--name", "Ελένη"]);
    let link = wait("the next code", PATIENCE, || code(&home).filter(|code| *code != first));
    assert!(link.contains("/#p=") && said.contains(&link), "{link} is not in: {said}");
    let void = lab.viewer(Permission::Undecided);
    void.open(&first);
    void.wait_state("wrong-link", PATIENCE);
    assert!(void.text().contains("code"), "{}", void.text());

    let page = lab.viewer(Permission::Granted);
    page.open(&link);
    living(&page);
    assert_eq!(page.eval("location.hash"), "", "the code leaves the address");
    page.click("#join");
    wait("the code leaves the TV", PATIENCE, || code(&home).is_none().then_some(()));
    wait("the viewer on the TV", PATIENCE, || {
        Picture::read(&home.png()).filter(|picture| picture.fake_camera_green() > 0.2)
    });
    keep_tv(&home, "tv-visit");
    let other = lab.viewer(Permission::Undecided);
    other.open(&link);
    other.wait_state("wrong-link", PATIENCE);
    assert_eq!(other.eval("lab.frames.length"), 0);
    other.keep_screenshot("desktop-5-used-code");
    // The key outlives page and process; and now that there is one, no code is shown.
    let keys = std::fs::read_to_string(home.state_dir().join("keys.toml")).expect("the keys");
    assert!(keys.contains("name = \"Ελένη\""), "{keys}");
    home.terminate();
    home.launch();
    page.reload();
    living(&page);
    assert_eq!(code(&home), None);
}

fn code(home: &Daemon) -> Option<String> {
    Picture::read(&home.png())?.code()
}

fn keep_tv(home: &Daemon, name: &str) {
    std::fs::copy(home.png(), artefacts().join(format!("{name}.png"))).expect("keep the TV's picture");
}

/// The number that `intercom link` gives for revoking.
fn number_of_key(said: &str) -> String {
    let words: Vec<&str> = said.split_whitespace().collect();
    let after = words.windows(2).find(|w| w[0] == "--revoke").map(|w| w[1]);
    after.map_or_else(|| panic!("no `--revoke N` in: {said}"), |n| n.trim_matches(|c: char| !c.is_numeric()).to_owned())
}

/// A browser that deletes what a page has stored, as Safari does after a week, is known again; one whose person was removed is not.
pub fn lost_storage(lab: &mut Lab) {
    let home = Daemon::start(Setup::default());
    let (link, said) = home.lasting_link();
    let page = lab.viewer(Permission::Undecided);
    page.open(&link);
    living(&page);
    let key = page.eval("localStorage.getItem('intercom.key')");
    let asked = "performance.getEntriesByType('resource').some((entry) => entry.name.endsWith('/device'))";
    page.wait_for("home is told to remember", PATIENCE, asked);
    assert_eq!(page.eval("document.cookie"), "", "no script reads it");
    page.run("localStorage.clear(); sessionStorage.clear()");
    page.reload();
    living(&page);
    assert_eq!(page.eval("localStorage.getItem('intercom.key')"), key, "the same key");
    // A link that is spent takes nothing away from it either.
    page.run("localStorage.clear(); sessionStorage.clear()");
    let address = link.split('#').next().expect("an address");
    page.open("about:blank");
    page.open(&format!("{address}#p=AAAAAAAAAAAAAAAAAAAAAA"));
    living(&page);
    // Another browser has no such cookie.
    let other = lab.viewer(Permission::Undecided);
    other.open(address);
    other.wait_state("wrong-link", PATIENCE);
    home.command(&["link", "--revoke", &number_of_key(&said)]);
    page.wait_state("revoked", PATIENCE);
    std::thread::sleep(Duration::from_secs(1));
    page.run("localStorage.clear(); sessionStorage.clear()");
    page.reload();
    page.wait_state("wrong-link", PATIENCE);
    std::thread::sleep(Duration::from_secs(2));
    page.wait_state("wrong-link", Duration::ZERO);
}
