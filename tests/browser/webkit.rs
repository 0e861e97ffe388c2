//! WebKitGTK as a viewer. Debian's has no WebRTC: the page says so, and its words and its layout hold.

use crate::harness::net::not_run;
use crate::harness::webkit::{WebKit, find};
use crate::lab::Lab;
use crate::looks::faults;
use crate::watching::PATIENCE;

/// A phone held upright, as narrow as the browser gets, and a laptop.
const WINDOWS: [(&str, u32, u32); 2] = [("narrow", 390, 844), ("wide", 1280, 800)];

/// The page as it would be in a visit, which needs WebRTC: with its controls and one of its sheets.
const DRESSED: &str = "(() => {
    document.body.dataset.state = 'live';
    document.body.dataset.talks = 'true';
    document.querySelector('SHEET').hidden = false;
    document.querySelector('#tap-sound').hidden = false;
    return true;
})()";

/// The browser is told that it is not suitable; nothing that the page can show falls out of it.
pub fn words_and_layout(lab: &mut Lab) {
    let programs = match find() {
        Ok(programs) => programs,
        Err(why) => return not_run("webkit_reads_the_words", &why),
    };
    let page = WebKit::start(&programs);
    let link = lab.home().link();
    page.open(&link);
    if page.eval("typeof RTCPeerConnection") == "function" {
        return not_run("webkit_reads_the_words", "this WebKitGTK has WebRTC, so it would be a viewer like any other");
    }
    page.wait_state("unsupported", PATIENCE);
    let text = page.eval("document.querySelector('#veil').innerText");
    let text = text.as_str().unwrap_or_default();
    assert!(text.contains("This browser does not support video calls") && !text.contains("Safari"), "{text}");
    for (name, width, height) in WINDOWS {
        let size = page.size(width, height);
        assert_eq!(page.eval(&faults(&["#again"])), serde_json::json!([]), "{size:?}");
        page.keep_screenshot(&format!("webkit-{name}-1-unsupported"));
    }
    for (sheet, buttons) in [("#ask", ["#join", "#just-watch"]), ("#help", ["#help-again", "#help-close"])] {
        page.open("about:blank");
        page.open(&link);
        page.wait_state("unsupported", PATIENCE);
        assert_eq!(page.eval(&DRESSED.replace("SHEET", sheet)), true);
        for (name, width, height) in WINDOWS {
            let size = page.size(width, height);
            let shown = [&buttons[..], &["#mic", "#cam", "#leave", "#tap-sound"]].concat();
            assert_eq!(page.eval(&faults(&shown)), serde_json::json!([]), "{sheet} {size:?}");
            page.keep_screenshot(&format!("webkit-{name}-2-{}", &sheet[1..]));
        }
    }
    let address = link.split('#').next().expect("an address");
    page.open(&format!("{address}trust.html"));
    for (name, width, height) in WINDOWS {
        page.size(width, height);
        assert_eq!(page.eval(&faults(&[])), serde_json::json!([]));
        page.keep_screenshot(&format!("webkit-{name}-3-trust"));
    }
}
