//! What people see: screenshots kept for human eyes, and what can be checked without any.

use crate::harness::chromium::Permission;
use crate::harness::page::Page;
use crate::lab::Lab;
use crate::watching::{PATIENCE, living};

const SCREENS: [(&str, u32, u32, bool); 3] =
    [("phone-portrait", 390, 844, true), ("phone-landscape", 844, 390, true), ("desktop", 1440, 900, false)];

/// The page on a phone held both ways and on a laptop: before joining, joined, and with a wrong link.
pub fn screens(lab: &mut Lab) {
    let link = lab.home().link();
    for (name, width, height, mobile) in SCREENS {
        let page = lab.viewer(Permission::Granted);
        page.size(width, height, mobile);
        page.open(&link);
        living(&page);
        stay(&page, name);
        page.keep_screenshot(&format!("{name}-3-left"));
        page.close();
    }

    let page = lab.viewer(Permission::Granted);
    page.open(&format!("{}#k=AAAAAAAAAAAAAAAAAAAAAA", link.split('#').next().expect("an address")));
    page.wait_state("wrong-link", PATIENCE);
    for (name, width, height, mobile) in SCREENS {
        page.size(width, height, mobile);
        page.keep_screenshot(&format!("{name}-4-wrong-link"));
    }
}

/// A viewer is asked, joins and leaves; all of it fits, and is kept for human eyes.
fn stay(page: &Page, name: &str) {
    page.wait_for("the question", PATIENCE, "document.querySelector('#join').checkVisibility()");
    assert_fits(page, &["#join", "#just-watch"]);
    page.keep_screenshot(&format!("{name}-1-watching"));
    page.click("#join");
    page.wait_for("the self-view", PATIENCE, "document.querySelector('#self').videoWidth > 0");
    // It slides into its corner.
    page.wait_coded_frames(15, PATIENCE);
    assert_fits(page, &["#mic", "#cam", "#leave", "#self", "#volume"]);
    page.keep_screenshot(&format!("{name}-2-joined"));
    page.click("#leave");
    page.wait_state("left", PATIENCE);
    assert_fits(page, &["#return"]);
}

/// The page speaks the language of the browser. Its words come behind the first picture, and fit a small phone.
pub fn languages(lab: &mut Lab) {
    for language in ["de", "es", "fr", "hi", "zh"] {
        let page = lab.viewer(Permission::Granted);
        page.size(360, 640, true);
        page.languages(&format!("{language}-XX,en"));
        page.open(&lab.home().link());
        living(&page);
        let said = format!(
            "document.documentElement.lang.startsWith('{language}') && document.querySelector('#join').innerText"
        );
        let said = page.wait_for("words of the language", PATIENCE, &said);
        let file = std::fs::read_to_string(format!("{}/webroot/words-{language}.json", env!("CARGO_MANIFEST_DIR")));
        let words: serde_json::Value = serde_json::from_str(&file.expect("a catalogue")).expect("JSON");
        assert_eq!((&said, said != "Turn on"), (&words["ask.on"], true), "{language}");
        let late = "performance.getEntriesByType('resource').find(({ name }) => name.includes('/words-')).startTime
            >= performance.getEntriesByName('intercom-first-frame')[0].startTime";
        assert_eq!(page.eval(late), true, "{language}: no words before the first picture");
        stay(&page, &format!("language-{language}"));
        assert_eq!(page.eval("document.querySelector('#title').innerText"), words["left.title"], "{language}");
        page.keep_screenshot(&format!("language-{language}-3-left"));
        page.close();
    }
}

/// Every one of these lies wholly on the screen, is large enough for a thumb, has a name for a screen reader, and
/// none covers another's middle; and nothing scrolls sideways.
fn assert_fits(page: &Page, selectors: &[&str]) {
    assert_eq!(page.eval(&faults(selectors)), serde_json::json!([]));
}

/// JavaScript that lists what is wrong with that, in words.
pub fn faults(selectors: &[&str]) -> String {
    let list = serde_json::to_string(selectors).expect("JSON");
    format!(
        "(() => {{
           const faults = [];
           if (document.documentElement.scrollWidth > innerWidth) faults.push('the page scrolls sideways');
           for (const selector of {list}) {{
             const e = document.querySelector(selector);
             if (!e?.checkVisibility()) {{ faults.push(selector + ' is not visible'); continue; }}
             const r = e.getBoundingClientRect();
             if (r.left < 0 || r.top < 0 || r.right > innerWidth || r.bottom > innerHeight)
               faults.push(`${{selector}} lies outside: ${{[r.left, r.top, r.right, r.bottom].map(Math.round)}}`);
             if (e.tagName !== 'BUTTON') continue;
             if (r.width < 44 || r.height < 44) faults.push(`${{selector}} is small: ${{r.width}}x${{r.height}}`);
             const top = document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2);
             if (!e.contains(top)) faults.push(`${{selector}} is covered by ${{top?.id || top?.tagName}}`);
             if (!(e.innerText.trim() || e.ariaLabel || e.title)) faults.push(selector + ' has no name');
           }}
           return faults;
         }})()"
    )
}
