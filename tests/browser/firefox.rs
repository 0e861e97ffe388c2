//! Firefox as a viewer. Fresh, and without anything to fetch it from, it has no H.264: so it hears home and talks.

use std::time::Duration;

use crate::both_ways::listen;
use crate::harness::firefox::{Firefox, find};
use crate::harness::net::not_run;
use crate::harness::sound::Sound;
use crate::harness::wait;
use crate::lab::Lab;
use crate::watching::{PATIENCE, TONE_HZ};

/// Frequency of Firefox's fake microphone, Hz.
const FAKE_HZ: f64 = 1000.0;

/// Keeps the page's connections, whose statistics tell what arrives.
const WATCHES: &str = r"
    const Native = window.RTCPeerConnection;
    window.connections = [];
    window.RTCPeerConnection = class RTCPeerConnection extends Native {
        constructor(...options) { super(...options); window.connections.push(this); }
    };";

/// What arrives of home's sound: packets, and the energy in them.
const INBOUND: &str = "connections[0].getStats().then((report) => {
    const sound = [...report.values()].find(({ type, kind }) => type === 'inbound-rtp' && kind === 'audio');
    return sound ? [sound.packetsReceived, sound.totalAudioEnergy ?? 0] : null;
})";

/// Two seconds of home's sound, in the form of the probe's `hear`. Without a sound device no AudioContext of Firefox's runs; but it records,
/// and reads what it has recorded.
const HEAR: &str = "(async () => {
    const track = connections[0].getReceivers().map(({ track }) => track).find(({ kind }) => kind === 'audio');
    const recorder = new MediaRecorder(new MediaStream([track]));
    const parts = [];
    recorder.ondataavailable = ({ data }) => parts.push(data);
    recorder.start();
    await new Promise((resolve) => setTimeout(resolve, 2500));
    const stopped = new Promise((resolve) => { recorder.onstop = resolve; });
    recorder.stop();
    await stopped;
    const file = await new Blob(parts).arrayBuffer();
    const sound = await new OfflineAudioContext(1, 48000, 48000).decodeAudioData(file);
    const pcm = Int16Array.from(sound.getChannelData(0).slice(-96000), (sample) => Math.max(-1, Math.min(1, sample)) * 32767);
    let text = '';
    for (const byte of new Uint8Array(pcm.buffer)) text += String.fromCharCode(byte);
    return { rate: 48000, gaps: 0, pace: 1, pcm: btoa(text) };
})()";

/// Firefox that blocks all autoplay asks for one tap; then home is heard in it, and it at home. The words fit.
pub fn visits(lab: &mut Lab) {
    let program = match find() {
        Ok(program) => program,
        Err(why) => return not_run("firefox_hears_home_and_talks", &why),
    };
    let blocks_all = [("media.autoplay.default", "5"), ("media.autoplay.blocking_policy", "2")];
    let mut page = Firefox::start(&program, &blocks_all);
    page.before_load(WATCHES);
    page.size(1280, 800);
    let link = lab.home().link();
    page.open(&link);

    page.wait_state("tap", PATIENCE);
    page.wait_for("media", PATIENCE, "connections[0].connectionState === 'connected'");
    page.wait_for("the words", PATIENCE, "document.querySelector('#tap-home').innerText.includes('Tap to hear home')");
    // A picture that froze would have cost the connection after four seconds.
    std::thread::sleep(Duration::from_secs(5));
    page.wait_state("tap", Duration::from_millis(500));
    page.keep_screenshot("firefox-1-tap");
    page.click("#tap-home");
    page.wait_state("sound", PATIENCE);
    assert_eq!(page.eval("connections[0].connectionState"), "connected", "the tap is what was missing");
    let plays = "!document.querySelector('#home').paused && !document.querySelector('#home').muted";
    page.wait_for("home plays", PATIENCE, plays);

    let before = page.wait_for("home's sound arrives", PATIENCE, INBOUND);
    let more = |now: &serde_json::Value, of: usize| now[of].as_f64() > before[of].as_f64();
    wait("more of it", PATIENCE, || Some(page.eval(INBOUND)).filter(|now| more(now, 0) && more(now, 1)));
    let sound = Sound::from_probe(&page.wait_for("a recording", PATIENCE, HEAR));
    let hz = sound.strongest(100.0, 2000.0);
    assert!(
        sound.loudness() > 0.01 && (hz - TONE_HZ).abs() <= 1.0,
        "{hz} Hz instead of {TONE_HZ}, {}",
        sound.loudness()
    );

    page.wait_for("the reason", PATIENCE, "/has no H.264/.test(document.querySelector('#status').innerText)");
    let picture = "(() => { const e = document.querySelector('#snapshot'); return e.checkVisibility() && e.naturalWidth > 300 && e.src; })()";
    let first = page.wait_for("a picture of home", PATIENCE, picture);
    wait("the next one", PATIENCE, || Some(page.eval(picture)).filter(|next| next.is_string() && *next != first));
    let text = page.text();
    assert!(!text.contains("Firefox") && !text.contains("live"), "{text}");
    assert!(!page.visible("#cam"), "there is no use for the camera");

    if page.visible("#join") {
        page.click("#join");
    }
    let wav = lab.home().wav();
    wait("Firefox's microphone at home", PATIENCE, || {
        let sound = listen(&wav, Duration::from_secs(1));
        (sound.loudness() > 0.001 && (sound.strongest(100.0, 2000.0) - FAKE_HZ).abs() < 20.0).then_some(())
    });
    page.keep_screenshot("firefox-2-talking");
    let status = lab.home().status().expect("home answers");
    assert_eq!((&status["visits"][0]["pictured"], &status["visits"][0]["connected"]), (&false.into(), &true.into()));
}
