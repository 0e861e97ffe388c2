//! People: an owner invites a second and a third person, each way of entering, who is declined, let in, or waits in vain.

use std::time::Duration;

use crate::harness::chromium::Permission;
use crate::harness::daemon::{Daemon, Setup};
use crate::harness::owner::{click, fill, invite};
use crate::harness::page::Page;
use crate::harness::picture::Picture;
use crate::harness::{artefacts, wait};
use crate::lab::Lab;
use crate::watching::{PATIENCE, living};

/// The most of a frosted row's energy that may lie above [`CYCLES`] cycles a picture's width; the rest is what the encoder adds.
const DETAIL: f64 = 0.06;
const CYCLES: u32 = 16;

/// An owner's page at home, and the home.
fn owner(lab: &mut Lab) -> (Daemon, Page) {
    let home = Daemon::start(Setup::default());
    let page = lab.viewer(Permission::Undecided);
    page.open(&home.link());
    living(&page);
    page.wait_for("the button of an owner", PATIENCE, "!document.querySelector('#people-open').hidden");
    (home, page)
}

/// Opens what the page knows of a person, by a part of their row.
fn open_person(page: &Page, name: &str) {
    page.click("#people-open");
    let row =
        format!("[...document.querySelectorAll('#people-list button')].find(b => b.innerText.includes({name:?}))");
    page.wait_for("their row", PATIENCE, &format!("!!{row}"));
    page.run(&format!("{row}.click()"));
}

/// The card at the owner's door, once it is about this person.
fn at_the_door(page: &Page, name: &str) {
    page.wait_for(
        "a card at the door",
        PATIENCE,
        &format!("document.querySelector('#door').innerText.includes({name:?})"),
    );
}

fn answer(page: &Page, words: &str) {
    page.run(&format!(
        "[...document.querySelectorAll('#door button')].find(b => b.innerText.includes({words:?})).click()"
    ));
}

fn keep_tv(home: &Daemon, name: &str) {
    std::fs::copy(home.png(), artefacts().join(format!("{name}.png"))).expect("keep the TV's picture");
}

/// Nothing of home is on the page.
fn sees_nothing(page: &Page) {
    assert_eq!(page.eval("lab.frames.length"), 0, "no picture");
    assert!(page.hear(0.5).loudness() < 1e-4, "no sound");
}

/// A second and a third person come by an owner's links: one of the family at once, a guest when let in; and the guest is out within a
/// second when the owner removes them.
pub fn invited(lab: &mut Lab) {
    let (home, owner) = owner(lab);
    let family = invite(&owner, "Ελένη", "family");
    let page = lab.viewer(Permission::Undecided);
    page.open(&family);
    living(&page);
    assert!(!page.visible("#people-open"), "only an owner sees people");
    let asked = "performance.getEntriesByType('resource').map(e => e.name).filter(e => /rest-|owner-/.test(e)).length";
    assert_eq!((page.eval(asked), owner.eval(asked)), (1.into(), 2.into()), "only an owner asks for what owners have");

    let link = invite(&owner, "Grégoire", "guest");
    let guest = lab.viewer(Permission::Undecided);
    guest.size(390, 844, true);
    guest.open(&link);
    guest.wait_state("knock", PATIENCE);
    at_the_door(&owner, "Grégoire");
    owner.keep_screenshot("people-door");
    guest.keep_screenshot("people-knock");
    std::thread::sleep(Duration::from_secs(2));
    sees_nothing(&guest);
    keep_tv(&home, "tv-knock");
    let answered = guest.now();
    answer(&owner, "Let in");
    living(&guest);
    let first = guest.frames_since(answered).first().map(|frame| frame.t - answered).expect("a picture");
    lab.note(format_args!("the picture is there {first:.0} ms after somebody let them in"));
    owner.wait_for("no card", PATIENCE, "document.querySelector('#door').innerText === ''");

    open_person(&owner, "Grégoire");
    owner.keep_screenshot("people-person");
    click(&owner, "#person-remove");
    let removed = guest.now();
    click(&owner, "#person-remove-yes");
    guest.wait_state("revoked", PATIENCE);
    let last = guest.frames_since(removed).last().map_or(0.0, |frame| frame.t - removed);
    assert!(last < 1000.0, "the picture ends within a second, not after {last} ms");
    owner.wait_for(
        "a list without them",
        PATIENCE,
        "!document.querySelector('#people-list').innerText.includes('Grégoire')",
    );
    owner.keep_screenshot("people-list");
    let stored = std::fs::read_to_string(home.state_dir().join("keys.toml")).expect("the keys");
    assert!(stored.contains("Ελένη") && !stored.contains("Grégoire"), "{stored}");
    let log = std::fs::read_to_string(home.state_dir().join("visits.toml")).expect("the visit log");
    assert!(log.contains("name = \"Grégoire\""), "{log}");
    page.wait_coded_frames(30, PATIENCE);
}

/// Who is declined, and whom nobody answers, reads fair words, and knocks again by a button only.
pub fn declined(lab: &mut Lab) {
    let (home, owner) = owner(lab);
    let link = invite(&owner, "Grégoire", "guest");
    let guest = lab.viewer(Permission::Undecided);
    guest.open(&link);
    guest.wait_state("knock", PATIENCE);
    at_the_door(&owner, "Grégoire");
    answer(&owner, "Not now");
    guest.wait_state("declined", PATIENCE);
    guest.keep_screenshot("people-declined");
    assert_eq!(guest.eval("lab.frames.length"), 0);
    std::thread::sleep(Duration::from_secs(3));
    guest.wait_state("declined", Duration::ZERO);
    guest.click("#return");
    guest.wait_state("knock", PATIENCE);
    // Nobody answers for a minute.
    guest.wait_state("no-answer", Duration::from_secs(75));
    guest.keep_screenshot("people-no-answer");
    assert_eq!(guest.eval("lab.frames.length"), 0);
    let log = wait("the visit log", PATIENCE, || std::fs::read_to_string(home.state_dir().join("visits.toml")).ok());
    assert!(log.contains("outcome = \"declined\"") && log.contains("outcome = \"missed\""), "{log}");
}

/// The preview is frosted before it is encoded, silent, and clear after ten seconds.
pub fn previewed(lab: &mut Lab) {
    let (home, owner) = owner(lab);
    let link = invite(&owner, "Ελένη", "family");
    open_person(&owner, "Ελένη");
    fill(&owner, "#person-entering", "preview");
    click(&owner, "#person-save");
    wait("it is stored", PATIENCE, || {
        let stored = std::fs::read_to_string(home.state_dir().join("keys.toml")).ok()?;
        stored.contains("entering = \"preview\"").then_some(())
    });
    let page = lab.viewer(Permission::Undecided);
    page.open(&link);
    page.wait_for("a first picture", PATIENCE, "document.querySelector('#home').videoWidth === 320");
    std::thread::sleep(Duration::from_secs(2));
    let frosted = detail(&page);
    assert!(frosted < DETAIL, "{frosted} of the frosted picture is finer than {CYCLES} cycles a width");
    assert!(page.hear(0.5).loudness() < 1e-4, "no sound yet");
    page.keep_screenshot("people-preview");
    keep_tv(&home, "tv-preview");
    assert!(page.frames_since(0.0).iter().all(|frame| frame.unreadable.is_some()), "no strip can be read");
    living(&page);
    let clear = detail(&page);
    lab.note(format_args!(
        "finer than {CYCLES} cycles a width: {frosted:.5} of the frosted picture, {clear:.3} of the clear one"
    ));
    assert!(clear > 8.0 * DETAIL, "the measure sees detail where there is some: {clear}");
    page.wait_for("home's size", PATIENCE, "document.querySelector('#home').videoWidth === 640");
}

/// The largest part of a row's energy that lies above [`CYCLES`] cycles a picture's width, as the page shows it.
fn detail(page: &Page) -> f64 {
    let share = page.eval(&format!(
        "(() => {{
           const [w, h] = [256, 144], canvas = new OffscreenCanvas(w, h), pen = canvas.getContext('2d');
           pen.drawImage(document.querySelector('#home'), 0, 0, w, h);
           const data = pen.getImageData(0, 0, w, h).data;
           let most = 0;
           for (let y = 8; y < h; y += 16) {{
             const row = Array.from({{ length: w }}, (_, x) => data[4 * (y * w + x) + 1]);
             const mean = row.reduce((a, b) => a + b) / w;
             const shaped = row.map((v, x) => (v - mean) * Math.sin(Math.PI * (x + 0.5) / w) ** 2);
             let [all, fine] = [0, 0];
             for (let k = 1; k < w / 2; k++) {{
               let [re, im] = [0, 0];
               shaped.forEach((v, x) => {{ re += v * Math.cos(2 * Math.PI * k * x / w); im += v * Math.sin(2 * Math.PI * k * x / w); }});
               all += re * re + im * im;
               if (k >= {CYCLES}) fine += re * re + im * im;
             }}
             // A row without anything in it has no detail either.
             if (all > w * w) most = Math.max(most, fine / all);
           }}
           return most;
         }})()"
    ));
    share.as_f64().expect("a number")
}

/// Behind the curtain nobody sees or hears home, the page says so, and the picture comes back by itself.
pub fn curtain(lab: &mut Lab) {
    let (home, owner) = owner(lab);
    home.command(&["curtain"]);
    owner.wait_state("curtain", PATIENCE);
    std::thread::sleep(Duration::from_secs(1));
    let since = owner.now();
    owner.keep_screenshot("people-curtain");
    wait("the sign on the TV", PATIENCE, || Picture::read(&home.png()));
    std::thread::sleep(Duration::from_secs(2));
    keep_tv(&home, "tv-curtain");
    assert!(owner.frames_since(since).is_empty(), "no picture");
    assert!(owner.hear(0.5).loudness() < 1e-4, "no sound");
    assert_eq!(std::fs::read_to_string(home.state_dir().join("curtain")).expect("a file"), "drawn\n");
    home.command(&["curtain", "--off"]);
    owner.wait_state("live", PATIENCE);
    owner.wait_coded_frames(15, PATIENCE);
    assert!(owner.frames_since(since).len() > 10);
}

/// Home calls: an open page rings, one press answers; who comes later reads when home called.
pub fn called(lab: &mut Lab) {
    let (home, page) = owner(lab);
    page.run("window.rang = new Promise((ring) => new MutationObserver(() => { if (document.querySelector('#calling').open) ring(Date.now()); }).observe(document.querySelector('#calling'), { attributes: true }))");
    let began = page.eval("Date.now()").as_f64().expect("a time");
    let said = home.command(&["call"]);
    assert!(said.contains("1 page rings"), "{said}");
    page.wait_for("the call on the page", PATIENCE, "document.querySelector('#calling').open");
    let rang = page.eval("window.rang").as_f64().expect("a time");
    lab.note(format_args!("the page rings {:.0} ms after the command began", rang - began));
    page.keep_screenshot("people-call");
    std::thread::sleep(Duration::from_secs(1));
    keep_tv(&home, "tv-call");
    page.click("#call-answer");
    page.wait_for("it is over", PATIENCE, "!document.querySelector('#calling').open");
    let answered = page.eval("document.body.dataset.state");
    assert_eq!(answered, "live", "the visit goes on");

    // Nobody is there, and nobody answers.
    let link = invite(&page, "Ελένη", "family");
    page.click("#leave");
    page.wait_state("left", PATIENCE);
    let said = home.command(&["call"]);
    assert!(said.contains("no page is open"), "{said}");
    std::thread::sleep(Duration::from_secs(62));
    assert!(home.command(&["visits"]).contains("was called in vain"));
    let late = lab.viewer(Permission::Undecided);
    late.open(&link);
    living(&late);
    // The page asks one thing after the other.
    late.click("#just-watch");
    late.wait_for("the missed call", PATIENCE, "document.body.innerText.includes('Home called')");
    late.keep_screenshot("people-missed-call");
}
