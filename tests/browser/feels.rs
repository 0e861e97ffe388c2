//! How a visit feels: the chime, the volume at home, home's muted microphone, and what browsers do for the sound.

use std::path::Path;
use std::time::Duration;

use crate::harness::chromium::Permission;
use crate::harness::daemon::{Daemon, Setup};
use crate::harness::page::Page;
use crate::harness::picture::Picture;
use crate::harness::sound::Sound;
use crate::harness::wait;
use crate::lab::Lab;
use crate::watching::{PATIENCE, living};

/// Frequency of the stand-in microphone, and of Chromium's fake one.
const TONE_HZ: f64 = 440.0;
const BEEP_HZ: f64 = 400.0;

/// The notes of the chimes, in Hz.
const NOTES: (f64, f64) = (783.99, 1046.5);

fn samples(wav: &Path) -> usize {
    Sound::read_wav(wav).map_or(0, |sound| sound.samples.len())
}

/// What home hears next: nothing is recorded while there is nothing to hear.
fn next_chime(wav: &Path, before: usize) -> Sound {
    wait("a chime at home", PATIENCE, || {
        Sound::read_wav(wav).map(|all| all.since(before)).filter(|sound| sound.samples.len() > 48_000)
    })
}

/// The pitch that fills the first note, and the one that is strongest in the second.
fn notes(chime: &Sound) -> (f64, f64) {
    let part = |from: usize, to: usize| {
        let sound = Sound { rate: chime.rate, samples: chime.samples[from..to].to_vec(), ..Sound::SILENCE };
        if sound.share_at(NOTES.0) > sound.share_at(NOTES.1) { NOTES.0 } else { NOTES.1 }
    };
    (part(960, 8640), part(14_400, 28_800))
}

/// Home's speaker chimes when somebody arrives and when they leave, not when their page is loaded again.
pub fn chimes(lab: &mut Lab) {
    let home = Daemon::start(Setup::default());
    let wav = home.wav();
    let page = lab.viewer(Permission::Undecided);
    let before = samples(&wav);
    page.open(&home.link());
    living(&page);
    let arriving = next_chime(&wav, before);
    assert_eq!(notes(&arriving), NOTES, "rising");
    assert!(arriving.loudness() > 0.005, "{}", arriving.loudness());
    // The rest of the chime's last block.
    let before = heard_until_quiet(&wav);
    page.reload();
    living(&page);
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(samples(&wav), before, "a page that is loaded again is not heard");
    page.click("#leave");
    page.wait_state("left", PATIENCE);
    assert_eq!(notes(&next_chime(&wav, before)), (NOTES.1, NOTES.0), "falling");
}

/// Waits until nothing is played any more; how much was, until then.
fn heard_until_quiet(wav: &Path) -> usize {
    wait("silence at home", PATIENCE, || {
        let before = samples(wav);
        std::thread::sleep(Duration::from_secs(1));
        Some(before).filter(|before| samples(wav) == *before)
    })
}

/// The viewers' beeps at home, in a while.
fn beep(wav: &Path) -> f64 {
    let before = samples(wav);
    std::thread::sleep(Duration::from_secs(2));
    loudest_beep(&Sound::read_wav(wav).map_or(Sound::SILENCE, |all| all.since(before)))
}

/// The loudest 10 ms of beeps.
fn loudest_beep(heard: &Sound) -> f64 {
    let blocks = heard.samples.chunks_exact(480).map(|block| {
        let block = Sound { rate: heard.rate, samples: block.to_vec(), ..Sound::SILENCE };
        if block.share_at(BEEP_HZ) > 0.5 { block.loudness() } else { 0.0 }
    });
    blocks.fold(0.0, f64::max)
}

fn slider(page: &Page) -> i64 {
    page.eval("document.querySelector('#volume').valueAsNumber").as_i64().expect("a number")
}

/// Lets a page send what its microphone hears as it is. A browser takes beeps that are close to home's tone for an echo of
/// it, and lowers them more or less; that it does is [`processing`]'s to see.
pub fn sends_what_it_hears(page: &Page) {
    page.run(
        "const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
        navigator.mediaDevices.getUserMedia = wanted => ask({ ...wanted, audio: wanted.audio && audio });",
    );
}

/// The slider of one page moves that of the other, and what home hears.
pub fn volume(lab: &mut Lab) {
    let home = Daemon::start(Setup::default());
    let wav = home.wav();
    let pages = [lab.viewer(Permission::Granted), lab.viewer(Permission::Granted)];
    for page in &pages {
        page.open(&home.link());
        living(page);
        sends_what_it_hears(page);
        assert!(!page.visible("#loudness"), "who is not heard at home has nothing to turn");
        page.click("#join");
        page.wait_for("the slider", PATIENCE, "document.querySelector('#volume').checkVisibility()");
    }
    let [one, other] = &pages;
    assert_eq!((slider(one), slider(other)), (100, 100));
    // One speaks, so that the limiter has no part in it.
    other.click("#mic");
    wait("beeps at home", PATIENCE, || Some(beep(&wav)).filter(|level| *level > 0.01));
    // Of the first one perhaps no more than its begin was heard.
    let loud = beep(&wav);
    // A hand moves before it touches: the controls have gone to rest.
    one.run("document.dispatchEvent(new Event('pointermove'));");
    one.click("#volume");
    let middle = slider(one);
    assert!((55..=65).contains(&middle), "{middle} is the middle of 20 to 100");
    let told = format!("document.querySelector('#volume').valueAsNumber === {middle}");
    other.click("#mic");
    other.wait_for("the other page shows the same", PATIENCE, &told);
    other.click("#mic");
    let expected = 0.4 * (100 - middle) as f64;
    // What was said before may still be under way.
    let lower = wait(&format!("beeps at home, softer by {expected} dB"), PATIENCE, || {
        Some(20.0 * (loud / beep(&wav)).log10()).filter(|lower| (lower - expected).abs() < 6.0)
    });
    lab.note(format_args!("at {middle} % home hears {lower:.1} dB less"));

    other.click("#mic");
    other.press("-");
    one.wait_for("a key on the other page", PATIENCE, &format!("volume.valueAsNumber === {}", middle - 5));
    let status: serde_json::Value = serde_json::from_str(&home.command(&["status"])).expect("JSON");
    assert_eq!(status["volume_percent"], middle - 5);
    one.reload();
    living(one);
    one.wait_for("it stays", PATIENCE, &format!("volume.valueAsNumber === {}", middle - 5));
}

/// Viewers hear each other, and not themselves, also while home is muted; the TV shows who speaks.
pub fn company(lab: &mut Lab) {
    let home = Daemon::start(Setup::default());
    home.command(&["mute"]);
    let pages =
        [Permission::Granted, Permission::Granted, Permission::Undecided].map(|permission| lab.viewer(permission));
    for page in &pages {
        page.open(&home.link());
        living(page);
        sends_what_it_hears(page);
    }
    let [one, other, listener] = &pages;
    let beeps = |page: &Page| loudest_beep(&page.hear(2.0));
    one.click("#join");
    for page in [other, listener] {
        wait("the beeps of who speaks", PATIENCE, || (beeps(page) > 0.01).then_some(()));
    }
    assert!(one.hear(2.0).loudness() < 1e-3, "who speaks does not hear themselves");
    let speaks = |p: &Picture| {
        let blue = |from: usize, to: usize| {
            let points = (0..p.height).flat_map(|y| (from..to).map(move |x| (x, y)));
            let is_blue = |[r, g, b]: [u8; 3]| b > 200 && r < 150 && (130..220).contains(&g);
            points.filter(|&(x, y)| is_blue(p.pixel(x, y))).count() > p.height
        };
        // Three viewers and home's own picture: two rows of two.
        [blue(0, p.width / 2), blue(p.width / 2, p.width)]
    };
    let png = home.png();
    let shown = wait("a frame around who speaks", PATIENCE, || {
        Picture::read(&png).map(|p| speaks(&p)).filter(|sides| sides.contains(&true))
    });
    assert_eq!(shown, [true, false], "and around nobody else");
    std::fs::copy(&png, crate::harness::artefacts().join("speaks-tv.png")).expect("keep the TV's picture");

    other.click("#join");
    wait("the other's beeps", PATIENCE, || (beeps(one) > 0.01).then_some(()));
    one.click("#mic");
    wait("silence for who speaks alone now", PATIENCE, || (other.hear(2.0).loudness() < 1e-3).then_some(()));
    assert!(beeps(one) > 0.01);
    assert!(beeps(listener) > 0.005);
}

/// Home mutes its microphone: nobody hears it, everybody is told, also who comes later; and back.
pub fn mute(lab: &mut Lab) {
    let home = Daemon::start(Setup::default());
    let page = lab.viewer(Permission::Undecided);
    page.open(&home.link());
    living(&page);
    let loudness = |page: &Page| {
        page.wait_for("sound flows", PATIENCE, "lab.stats().then(s => s.audio?.totalSamplesReceived > 96000)");
        page.hear(1.0)
    };
    assert!(loudness(&page).share_at(TONE_HZ) > 0.9);
    assert_eq!(home.command(&["mute"]).trim(), "home's microphone is muted");
    let note = "(n => n.checkVisibility() && n.innerText.includes('muted'))(document.querySelector('#note'))";
    page.wait_for("the page says so", PATIENCE, note);
    page.keep_screenshot("muted-page");
    wait("silence from home", PATIENCE, || (loudness(&page).loudness() < 1e-3).then_some(()));
    let late = lab.viewer(Permission::Undecided);
    late.open(&home.link());
    living(&late);
    late.wait_for("who comes later is told", PATIENCE, note);
    assert!(loudness(&late).loudness() < 1e-3, "and hears nothing");
    let status: serde_json::Value = serde_json::from_str(&home.command(&["status"])).expect("JSON");
    assert_eq!(status["muted"], true);
    std::fs::copy(home.png(), crate::harness::artefacts().join("muted-tv.png")).expect("keep the TV's picture");
    assert_eq!(home.command(&["mute", "--off"]).trim(), "home's microphone is open");
    for page in [&page, &late] {
        page.wait_for("the note is gone", PATIENCE, &format!("!{note}"));
        wait("home's tone again", PATIENCE, || (page.hear(1.0).share_at(TONE_HZ) > 0.9).then_some(()));
    }
}

/// The viewer's browser takes echo, noise and uneven loudness out of what it sends.
pub fn processing(lab: &mut Lab) {
    let page = lab.visit(Permission::Granted);
    living(&page);
    page.click("#join");
    let settings = page.wait_for(
        "the microphone",
        PATIENCE,
        "lab.connections.flatMap(c => c.getSenders()).find(s => s.track?.kind === 'audio')?.track.getSettings()",
    );
    for what in ["echoCancellation", "noiseSuppression", "autoGainControl"] {
        assert_eq!(settings[what], true, "{settings}");
    }
}
