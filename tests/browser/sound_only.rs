//! Browsers without H.264: they hear home and talk, and their page says why there is no picture.

use std::time::Duration;

use crate::both_ways::{BEEP_HZ, listen};
use crate::feels::sends_what_it_hears;
use crate::harness::chromium::Permission;
use crate::harness::wait;
use crate::lab::Lab;
use crate::watching::{PATIENCE, TONE_HZ};

/// Chromium has H.264, and leaves it out of its offers here.
pub const NEVER: &str = r"{
    const known = RTCRtpReceiver.getCapabilities.bind(RTCRtpReceiver);
    const others = (kind) => known(kind).codecs.filter((codec) => codec.mimeType !== 'video/H264');
    RTCRtpReceiver.getCapabilities = (kind) => ({ ...known(kind), codecs: others(kind) });
    const offer = RTCPeerConnection.prototype.createOffer;
    RTCPeerConnection.prototype.createOffer = function (...given) {
        const video = this.getTransceivers().find(({ receiver, stopped }) => receiver.track.kind === 'video');
        if (video && video.currentDirection !== 'stopped') video.setCodecPreferences(others('video'));
        return offer.apply(this, given);
    };
}";

/// Home is heard, and hears the viewer, who is told why there is no picture, and is asked for the microphone alone.
pub fn chromium(lab: &mut Lab) {
    let page = lab.viewer(Permission::Granted);
    page.before_load(NEVER);
    page.open(&lab.home().link());
    // A fresh Chromium plays no sound before a tap.
    page.wait_state("tap", PATIENCE);
    page.click("#tap-home");
    page.wait_state("sound", PATIENCE);
    page.wait_for("the question", PATIENCE, "document.querySelector('#join').checkVisibility()");
    let asked = page.eval("document.querySelector('#ask').innerText");
    assert!(!asked.as_str().unwrap_or("camera").contains("camera"), "{asked}");
    assert!(!page.visible("#cam"), "there is no use for the camera");
    // The first words are of hope; those of 8 s later say what there is to say.
    page.wait_for("the reason", PATIENCE, "/has no H.264/.test(document.querySelector('#status').innerText)");
    for word in ["Chrom", "Edge", "Safari", "Firefox"] {
        assert!(!page.text().contains(word), "{word} in: {}", page.text());
    }
    for (name, width, height, mobile) in [("phone", 390, 844, true), ("desktop", 1280, 800, false)] {
        page.size(width, height, mobile);
        page.keep_screenshot(&format!("sound-only-{name}-1-asked"));
    }

    // Instead of video there are pictures of what home sees now, one after the other.
    page.run("window.pictures = new Map();");
    let look = "(() => {
        const picture = document.querySelector('#snapshot');
        if (!picture.checkVisibility() || !picture.complete || !picture.naturalWidth) return 0;
        const strip = lab.readStrip(picture, picture.naturalWidth);
        if (!strip.unreadable) pictures.set(strip.seq, Date.now() - strip.at);
        return pictures.size > 4;
    })()";
    page.wait_for("five pictures of home", PATIENCE, look);
    let ages = page.eval("[...pictures.values()]");
    let ages: Vec<f64> = ages.as_array().expect("ages").iter().filter_map(serde_json::Value::as_f64).collect();
    assert!(ages.iter().all(|age| (0.0..4000.0).contains(age)), "each is of now: {ages:?} ms");
    let numbers = page.eval("[...pictures.keys()]");
    assert!(numbers.as_array().expect("numbers").is_sorted_by_key(serde_json::Value::as_u64), "{numbers}");
    assert!(page.visible("#note") && page.text().contains("Single pictures come"), "{}", page.text());

    sends_what_it_hears(&page);
    page.click("#join");
    let wav = lab.home().wav();
    let beeps = || listen(&wav, Duration::from_secs(3)).beeps(BEEP_HZ).len();
    wait("the viewer's beep at home", PATIENCE, || (beeps() >= 4).then_some(()));
    page.wait_for("sound flows", PATIENCE, "lab.stats().then(s => s.audio?.totalSamplesReceived > 96000)");
    let sound = page.hear(2.0);
    let hz = sound.strongest(100.0, 2000.0);
    assert!((hz - TONE_HZ).abs() <= 1.0, "{hz} Hz instead of {TONE_HZ}");
    for (name, width, height, mobile) in [("phone", 390, 844, true), ("desktop", 1280, 800, false)] {
        page.size(width, height, mobile);
        page.keep_screenshot(&format!("sound-only-{name}-2-talking"));
    }

    // The whole time over one connection, of which an ICE restart is none the less one.
    let offers = "lab.said().filter((type) => type === 'offer').length";
    assert_eq!(page.eval(offers), 1, "{}", page.report());
    assert_eq!(page.eval("lab.connections.filter(({ connectionState }) => connectionState !== 'closed').length"), 1);
    let status = lab.home().status().expect("home answers");
    assert_eq!(status["visits"][0]["pictured"], false, "{status}");
    assert_eq!(status["visits"][0]["connected"], true, "{status}");
}
