//! Seeing and hearing home.

use std::time::Duration;

use crate::harness::chromium::Permission;
use crate::harness::frames::Judgement;
use crate::harness::page::Page;
use crate::lab::Lab;

/// Frequency of the stand-in microphone.
pub const TONE_HZ: f64 = 440.0;

/// The longest that anything in a browser may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until home's picture lives on a page.
pub fn living(page: &Page) {
    page.wait_state("live", PATIENCE);
    page.wait_coded_frames(15, PATIENCE);
}

/// All frames since a time were read, in their order.
pub fn assert_clean(page: &Page, since: f64) -> Judgement {
    let judged = Judgement::of(&page.frames_since(since));
    assert!(
        judged.bad_crc == 0 && judged.no_strip == 0 && judged.backwards == 0,
        "frames in order and every strip readable: {judged:?}, {:?}",
        page.frames_since(since).iter().filter(|f| f.unreadable.is_some()).collect::<Vec<_>>()
    );
    judged
}

/// A picture that stands still for longer is not a busy machine's, ms. What mends a connection (an ICE restart, another one, a
/// keyframe that has to be asked for) takes the page two to six seconds.
const STANDS_STILL: f64 = 3000.0;

/// From `since` until now the picture came on, over the one connection that there is, and nothing happened to that: no
/// change of its state, no further track. How long a pause may be in numbers is asked of the simulation (`tests/sim`).
pub fn undisturbed(page: &Page, since: f64) {
    page.wait_coded_frames(30, PATIENCE);
    let judged = assert_clean(page, since);
    let events = page.eval(&format!("lab.log.filter(([t, what]) => t >= {since} && what.startsWith('connection'))"));
    assert_eq!(events, serde_json::json!([]), "the connection is left alone");
    assert_eq!(page.eval("lab.connections.length"), 1, "the connection is the same");
    let frames = page.frames_since(since);
    let (first, last) = (frames.first().map_or(f64::MAX, |f| f.t), frames.last().map_or(since, |f| f.t));
    let pause = judged.longest_gap.max(first - since).max(page.now() - last);
    assert!(pause < STANDS_STILL, "the picture stood still for {pause} ms: {judged:?}");
}

/// The picture is there before any permission is given, fills the screen, and its frames come in order.
pub fn picture(lab: &mut Lab) {
    let page = lab.visit(Permission::Undecided);
    living(&page);
    page.wait_coded_frames(90, PATIENCE);
    let judged = assert_clean(&page, 0.0);
    let last = page.frames_since(0.0).pop().expect("a frame");
    assert_eq!((last.w, last.h), (640, 480));
    let [p50, p95] = [0.5, 0.95].map(|q| judged.latency(q).expect("a latency"));
    let first = page.mark("firstFrame").expect("a first frame");
    lab.note(format_args!(
        "capture to presentation {p50:.1} ms (p50) {p95:.1} ms (p95), first frame {first:.0} ms after navigation"
    ));

    let share = page.eval(
        "(() => { const r = document.querySelector('#home').getBoundingClientRect();
           return Math.max(r.width / innerWidth, r.height / innerHeight); })()",
    );
    assert!(share.as_f64() >= Some(0.99), "home's picture fills the screen, not {share}");
    assert_eq!(page.eval("location.hash"), "", "the key is taken out of the address bar");
    assert_eq!(
        page.eval(
            "performance.getEntriesByType('resource').filter(e => !/icon|manifest|signal/.test(e.name))
               .filter(e => e.startTime < performance.getEntriesByName('intercom-first-frame')[0].startTime).map(e => e.name)"
        ),
        serde_json::json!([]),
        "one document is all that has to arrive"
    );
    assert_eq!(page.eval("lab.connections.length"), 1);
    assert_eq!(page.overview()["errors"], serde_json::json!([]));
}

/// What comes behind the picture does not come at all, and the picture is there all the same. When it comes, so do the buttons,
/// and nothing hides the picture or begins anew.
pub fn first_light(lab: &mut Lab) {
    let link = lab.home().link();
    let page = lab.viewer(Permission::Undecided);
    page.hold_back(&["/rest-"]);
    page.open(&link);
    page.wait_coded_frames(60, PATIENCE);
    let alone =
        "[document.documentElement.dataset.begun, document.querySelector('#dock'), document.body.dataset.state]";
    assert_eq!(page.eval(alone), serde_json::json!([null, null, "connecting"]), "first light alone");
    page.wait_for("no veil", PATIENCE, "getComputedStyle(document.querySelector('#veil')).opacity === '0'");
    page.keep_screenshot("first-light");
    page.run(
        "window.veiled = []; (function look() {
           const { opacity } = getComputedStyle(document.querySelector('#veil'));
           if (opacity !== '0') veiled.push([opacity, document.body.dataset.state]);
           requestAnimationFrame(look);
         })();",
    );
    let since = page.now();
    page.hold_back(&[]);
    living(&page);
    page.wait_for("the buttons", PATIENCE, "document.querySelector('#dock').checkVisibility()");
    undisturbed(&page, since);
    assert_eq!(page.eval("veiled"), serde_json::json!([]), "nothing came before the picture");
    assert_eq!(page.eval("lab.sockets.length"), 1);
}

/// Home has answered and its pictures come before the document has come as far as the place for them, as over a path that loses
/// packets; the rest of the page is not there to help.
pub fn answered_early(lab: &mut Lab) {
    let link = lab.home().link();
    let page = lab.viewer(Permission::Undecided);
    page.before_load(
        "const find = Document.prototype.getElementById;
         Document.prototype.getElementById = function (id) { return id === 'home' && !window.parsed ? null : find.call(this, id); };",
    );
    page.hold_back(&["/rest-"]);
    page.open(&link);
    page.wait_for("pictures that nobody shows", PATIENCE, "lab.stats().then(s => s.video?.packetsReceived > 100)");
    assert_eq!(page.eval("document.querySelector('#home').srcObject"), serde_json::Value::Null);
    page.run("window.parsed = true; document.body.append(document.createElement('p'))");
    page.wait_coded_frames(30, PATIENCE);
}

/// Home's tone arrives at its pitch and unbroken; the page makes it heard after one tap where the browser asks
/// for one.
pub fn sound(lab: &mut Lab) {
    let page = lab.visit(Permission::Undecided);
    living(&page);
    // Concealment while everything is starting up is not what is listened for.
    page.wait_for("sound flows", PATIENCE, "lab.stats().then(s => s.audio?.totalSamplesReceived > 96000)");
    let sound = page.hear(4.0);
    let hz = sound.strongest(100.0, 2000.0);
    assert!((hz - TONE_HZ).abs() <= 1.0, "{hz} Hz instead of {TONE_HZ}");
    let broken = sound.broken_windows(TONE_HZ, 0.1);
    assert!(broken <= 4, "{broken} of 200 windows of 20 ms are broken; {}", page.stats()["audio"]);

    let audible = "[...document.querySelectorAll('video, audio')].some(e => !e.muted && !e.paused && e.volume > 0
        && e.srcObject?.getAudioTracks().some(t => t.readyState === 'live' && t.enabled))";
    if page.eval(audible) != true {
        assert!(page.visible("#tap-sound"), "a silent page offers to be tapped for sound");
        page.click("#tap-sound");
        page.wait_for("the page is heard", PATIENCE, audible);
        page.wait_for("nothing more to tap", PATIENCE, "!document.querySelector('#tap-sound')?.checkVisibility()");
    }
}

/// A viewer who refuses microphone and camera goes on watching, is told so, and sends nothing.
pub fn refused(lab: &mut Lab) {
    let page = lab.visit(Permission::Denied);
    living(&page);
    page.click("#join");
    let word = "['#help', '#note'].map(s => document.querySelector(s)).find(e => e?.checkVisibility())?.innerText";
    page.wait_for("a word about it", PATIENCE, word);
    let since = page.now();
    page.wait_coded_frames(60, PATIENCE);
    assert_clean(&page, since);
    let stats = page.stats();
    assert_eq!(stats["sentVideo"]["bytesSent"].as_u64().unwrap_or(0), 0, "{stats}");
    assert_eq!(stats["sentAudio"]["bytesSent"].as_u64().unwrap_or(0), 0, "{stats}");
}

/// A camera that the browser blocks costs no microphone, neither now nor on later visits.
pub fn camera_refused(lab: &mut Lab) {
    let page = lab.viewer(Permission::Remembered);
    page.before_load(
        r"{
            const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
            navigator.mediaDevices.getUserMedia = async (wanted) => {
                if (wanted.video) throw new DOMException('no', 'NotAllowedError');
                return ask(wanted);
            };
        }",
    );
    page.open(&lab.home().link());
    let talks = "document.querySelector('#mic').dataset.device === 'on'";
    let help = "document.querySelector('#help').checkVisibility() && document.querySelector('#help').innerText";
    for visit in ["the first visit", "a later visit"] {
        living(&page);
        page.wait_for(&format!("the microphone on {visit}"), PATIENCE, talks);
        page.wait_for("a word about the camera", PATIENCE, help);
        let text = page.eval(help);
        let text = text.as_str().unwrap_or_default();
        assert!(text.contains("Your camera is blocked") && text.contains("To be seen:"), "{text}");
        assert!(text.contains("Not now") && !text.contains("Just watch"), "{text}");
        page.click("#help-close");
        page.wait_for("the word is gone", PATIENCE, "!document.querySelector('#help').checkVisibility()");
        assert_eq!(page.eval(talks), true);
        page.reload();
    }
}

/// A viewer who only wants to watch is not asked.
pub fn just_watching(lab: &mut Lab) {
    let page = lab.visit(Permission::Undecided);
    living(&page);
    page.click("#just-watch");
    page.wait_for("the question is gone", PATIENCE, "!document.querySelector('#join')?.checkVisibility()");
    let since = page.now();
    page.wait_coded_frames(30, PATIENCE);
    assert_clean(&page, since);
}

/// Four viewers at once see the same, all in order.
pub fn four(lab: &mut Lab) {
    let pages: Vec<Page> = (0..4).map(|_| lab.visit(Permission::Undecided)).collect();
    pages.iter().for_each(living);
    let since: Vec<f64> = pages.iter().map(Page::now).collect();
    for page in &pages {
        page.wait_coded_frames(60, PATIENCE);
    }
    for (page, since) in pages.iter().zip(since) {
        assert_clean(page, since);
    }
}
