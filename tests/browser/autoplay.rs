//! Browsers that play nothing before a tap: an iPhone in Low Power Mode, or one that is set to block all.

use std::time::Duration;

use serde_json::json;

use crate::harness::chromium::Permission;
use crate::harness::page::Page;
use crate::lab::Lab;
use crate::sound_only::NEVER;
use crate::watching::{PATIENCE, living};

/// Chromium always plays without sound, so a script refuses in its place: until a person's own click or key, and again from
/// `refuse()` on.
const REFUSES: &str = r"{
    let tapped = false;
    for (const type of ['click', 'keydown']) addEventListener(type, (event) => { tapped ||= event.isTrusted; }, true);
    const { play } = HTMLMediaElement.prototype;
    HTMLMediaElement.prototype.play = function () {
        return tapped ? play.call(this) : Promise.reject(new DOMException('a test refuses', 'NotAllowedError'));
    };
    new MutationObserver(() => document.querySelector('#home[autoplay]')?.removeAttribute('autoplay'))
        .observe(document, { childList: true, subtree: true });
    window.refuse = () => { tapped = false; document.querySelector('#home').pause(); };
}";

/// What the page must do while it waits: say so, offer all of the screen, and leave the connection alone.
fn waits_for_a_tap(page: &Page) {
    page.wait_state("tap", PATIENCE);
    page.wait_for("media", PATIENCE, "lab.connections.at(-1).connectionState === 'connected'");
    let connections = page.eval("lab.connections.length");
    // A picture that froze would have been asked for after 2 s, and its connection built again after 4 s.
    std::thread::sleep(Duration::from_secs(7));
    page.wait_state("tap", Duration::from_millis(500));
    assert_eq!(page.eval("lab.connections.length"), connections, "nothing is built again");
    let asked = page.eval("lab.said().includes('keyframe')");
    assert_eq!(asked, false, "nothing is asked for again");
    let words = page.eval("document.querySelector('#veil').innerText");
    let words = words.as_str().unwrap_or_default();
    assert!(words.contains("Tap to see and hear home") && !words.contains("live"), "{words}");
    let all = "[[2, 2], [innerWidth - 2, 2], [innerWidth / 2, innerHeight / 2], [2, innerHeight - 2]]
        .map(([x, y]) => document.elementFromPoint(x, y)?.closest('button')?.id)";
    assert_eq!(
        page.eval(all),
        json!(["tap-home", "tap-home", "tap-home", "tap-home"]),
        "all of the screen is the button"
    );
    assert_eq!(page.eval("document.activeElement.id"), "tap-home", "the keyboard and a screen reader are there, too");
}

/// One tap, and home is seen and heard.
fn plays(page: &Page) {
    living(page);
    assert_eq!(
        page.eval("[document.querySelector('#home').paused, document.querySelector('#home').muted]"),
        json!([false, false])
    );
    assert!(!page.visible("#tap-home") && !page.visible("#tap-sound"), "nothing more to tap");
}

/// The page asks for one tap, which plays picture and sound, at first and whenever the browser refuses later; a key will do.
pub fn tap(lab: &mut Lab) {
    let page = lab.viewer(Permission::Undecided);
    page.before_load(REFUSES);
    page.open(&lab.home().link());
    waits_for_a_tap(&page);
    page.click("#tap-home");
    plays(&page);
    // As after a call on the phone.
    page.run("refuse()");
    waits_for_a_tap(&page);
    for (name, width, height, mobile) in [("phone", 390, 844, true), ("desktop", 1280, 800, false)] {
        page.size(width, height, mobile);
        page.keep_screenshot(&format!("tap-{name}"));
    }
    page.press(" ");
    plays(&page);
    // A tap anywhere will do, also after a rebuilt connection.
    page.run("refuse()");
    page.wait_state("tap", PATIENCE);
    page.run(r#"lab.sockets.at(-1).socket.onmessage({ data: '{"type":"bye","reason":"failed"}' })"#);
    page.wait_for("another connection", PATIENCE, "lab.connections.length === 2");
    waits_for_a_tap(&page);
    page.click("#veil");
    plays(&page);
}

/// Where there is sound alone, a browser that plays none before a tap plays nothing of home: the page does not say that home is heard.
pub fn sound(lab: &mut Lab) {
    let page = lab.viewer(Permission::Undecided);
    // What most browsers do: without sound they play, before a tap, too.
    page.before_load(&REFUSES.replace("tapped ?", "tapped || this.muted ?"));
    page.before_load(NEVER);
    page.open(&lab.home().link());
    page.wait_state("tap", PATIENCE);
    let words = page.eval("document.querySelector('#veil').innerText");
    let words = words.as_str().unwrap_or_default();
    assert!(words.contains("Tap to hear home") && !words.contains("You can hear"), "{words}");
    page.click("#tap-home");
    page.wait_state("sound", PATIENCE);
    assert_eq!(
        page.eval("[document.querySelector('#home').paused, document.querySelector('#home').muted]"),
        json!([false, false])
    );
    assert!(!page.visible("#tap-home") && !page.visible("#tap-sound"), "nothing more to tap");
}
