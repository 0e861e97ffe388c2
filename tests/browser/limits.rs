//! What the page says of a picture that is less sharp than it could be, and the one tap that takes the sharp one.

use std::time::Duration;

use crate::harness::chromium::Permission;
use crate::harness::daemon::{Daemon, Setup};
use crate::harness::net;
use crate::harness::page::Page;
use crate::harness::path::{Impairment, Path};
use crate::harness::wait;
use crate::lab::Lab;
use crate::looks::faults;
use crate::watching::PATIENCE;

/// Phones that save data say so; a desktop's browser says so by hand only.
const SAVES: &str = "Object.defineProperty(Navigator.prototype, 'connection',
    { get: () => window.network ??= Object.assign(new EventTarget(), { saveData: true }) });";

/// The line that is seen, if it says this.
fn line(words: &str) -> String {
    format!("[...document.querySelectorAll('.line')].some(l => l.checkVisibility() && l.innerText.includes('{words}'))")
}

/// The question stands in the same place.
fn just_watch(page: &Page) {
    page.wait_for("the question", PATIENCE, "document.querySelector('#join')?.checkVisibility()");
    page.click("#just-watch");
}

/// A device that saves data gets one that takes little, and reads why; one tap takes the full one.
pub fn saving(lab: &mut Lab) {
    let page = lab.viewer(Permission::Undecided);
    page.before_load(SAVES);
    page.size(390, 844, true);
    // Nobody else's picture is to be measured.
    let home = Daemon::start(Setup::default());
    page.open(&home.link());
    page.wait_state("live", PATIENCE);
    just_watch(&page);
    page.wait_for("the reason", PATIENCE, &line("saves data"));
    // What the picture takes, in kbit/s. At 640x480 a full one needs 330 and is given more.
    let takes = || {
        let status = home.status().expect("a status");
        let encoders = status["encoders"].as_array().expect("encoders");
        encoders.iter().filter_map(|encoder| encoder["kbps"].as_u64()).max().expect("a picture")
    };
    // A wide path would have the full picture within two seconds.
    std::thread::sleep(Duration::from_secs(4));
    let saved = takes();
    assert!(saved <= 110, "a third of what a full picture needs, not {saved} kbit/s");
    assert_eq!(page.eval("document.querySelector('#quality').dataset.level"), "good", "nothing is weak");
    assert_eq!(page.eval(&faults(&[".line .quiet", ".line"])), serde_json::json!([]));
    page.keep_screenshot("saving-phone-portrait");
    page.size(844, 390, true);
    assert_eq!(page.eval(&faults(&[".line .quiet", ".line"])), serde_json::json!([]));
    page.keep_screenshot("saving-phone-landscape");
    page.click(".line .quiet");
    wait("the full picture", PATIENCE, || (takes() > 330).then_some(()));
    page.wait_for("in its full size", PATIENCE, "document.querySelector('#home').videoWidth === 640");
    assert_eq!(page.eval(&line("")), false, "and the line is gone");
    // Another visit saves again.
    page.click("#leave");
    page.wait_state("left", PATIENCE);
    page.click("#return");
    page.wait_state("live", PATIENCE);
    page.wait_for("the reason", PATIENCE, &line("saves data"));
}

/// On a thin path the page says which connection is narrow.
pub fn thin(lab: &mut Lab) {
    if !net::allowed("a thin path is told") {
        return;
    }
    let way = Impairment { kbps: Some(200), delay: Duration::from_millis(30), ..Impairment::default() };
    let path = Path::new(way, way, 7);
    let setup = Setup { public_address: Some(Path::PUBLIC.into()), ..Setup::default() };
    let home = Daemon::start_in(Some(&path.home), setup);
    let page = lab.viewer_in(Some(&path.viewer), Permission::Undecided);
    page.size(390, 844, true);
    page.open(&format!("https://{}/#k={}", Path::PUBLIC, home.key()));
    page.wait_state("live", Duration::from_secs(40));
    just_watch(&page);
    page.wait_for("the reason", Duration::from_secs(40), &line("So the picture is less sharp"));
    lab.note(format_args!("the line: {}", page.eval("document.querySelector('.line').innerText")));
    let polite = "document.querySelector('.line').closest('[role=status]') !== null";
    assert_eq!(page.eval(polite), true, "a screen reader says it when it has time");
    assert_eq!(page.eval(&faults(&[".line"])), serde_json::json!([]));
    page.keep_screenshot("thin-path-phone-portrait");
}
