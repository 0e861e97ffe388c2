//! Home on an owner's page: how it is, what an owner sets of it, and what has changed.

use std::time::Duration;

use crate::harness::chromium::Permission;
use crate::harness::daemon::{Daemon, Setup};
use crate::harness::owner::{click, fill, invite};
use crate::harness::{artefacts, wait};
use crate::lab::Lab;
use crate::watching::{PATIENCE, living};

fn stored(home: &Daemon, line: &str) {
    wait(line, PATIENCE, || {
        let text = std::fs::read_to_string(home.state_dir().join("house.toml")).ok()?;
        text.lines().any(|known| known == line).then_some(())
    });
}

/// An owner sees how home is, gives it a name and the TV another language; all pages follow, and it outlives a restart. Of a new device
/// owners hear.
pub fn set(lab: &mut Lab) {
    let mut home = Daemon::start(Setup::default());
    let owner = lab.viewer(Permission::Undecided);
    owner.open(&home.link());
    living(&owner);
    owner.size(390, 844, true);
    let link = invite(&owner, "Ελένη", "family");
    let family = lab.viewer(Permission::Undecided);
    family.open(&link);
    living(&family);
    // While the page asks its question, news lie hidden: longer than they stay once somebody sees them.
    let news = "document.body.innerText.includes('has a new device')";
    std::thread::sleep(Duration::from_secs(17));
    assert_eq!(owner.eval(news), false, "the question hides it");
    owner.click("#just-watch");
    owner.wait_for("the news", PATIENCE, news);
    owner.keep_screenshot("house-news");

    owner.run("document.querySelector('#people-open').click()");
    owner.wait_for(
        "a word on home in the list",
        PATIENCE,
        "/\\w/.test(document.querySelector('#people-house-now').innerText)",
    );
    owner.keep_screenshot("house-list");
    owner.click("#people-house");
    let verdict = "document.querySelector('#house-verdict').dataset.state";
    owner.wait_for("a verdict", PATIENCE, &format!("['well', 'needs'].includes({verdict})"));
    let text = owner.text();
    assert!(text.contains(env!("CARGO_PKG_VERSION")), "the version: {text}");
    assert!(text.contains(&home.port.to_string()), "how home is reached: {text}");
    owner.keep_screenshot("house");

    fill(&owner, "#house-name", "Oma & Opa");
    click(&owner, "#house-name-save");
    for page in [&owner, &family] {
        page.wait_for("home's new name", PATIENCE, "document.title.includes('Oma & Opa')");
    }
    stored(&home, "name = \"Oma & Opa\"");
    fill(&owner, "#house-chime", "0");
    stored(&home, "chime_percent = 0");
    fill(&owner, "#house-language", "de");
    stored(&home, "language = \"de\"");
    owner.keep_screenshot("house-set");
    std::thread::sleep(Duration::from_secs(2));
    std::fs::copy(home.png(), artefacts().join("tv-house-set.png")).expect("keep the TV's picture");

    home.terminate();
    home.launch();
    family.reload();
    living(&family);
    family.wait_for("the name after a restart", PATIENCE, "document.title.includes('Oma & Opa')");
}
