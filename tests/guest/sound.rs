//! Sound cards on a real kernel: a loopback as the microphone, HDA as the speaker; muted, starved, pulled and put back.

use std::path::Path;
use std::time::Instant;

use crate::PATIENCE;
use crate::harness::sound::Sound;
use crate::home::{ends_cleanly, said};
use crate::looks::{chromium, connections, visit};
use crate::machine::Machine;

/// What is played into the loopback, Hz.
const TONE: f64 = 1000.0;
/// Chromium's stand-in microphone beeps at this pitch, Hz.
const BEEP: f64 = 400.0;

/// The whole life of two sound cards.
pub fn sound(image: &Path) {
    let mut guest = Machine::start(image, "VGA");
    // A card as it comes up: nobody has turned it up.
    guest.run("amixer -q -c Intel sset Master 0% mute");
    // Who opens a loopback first settles how both sides speak: not as the intercom would like it best.
    play(&mut guest, "hw:CARD=Loopback,DEV=1", "-r 44100 -F S32_LE");
    start(&mut guest);
    said(&mut guest, "sound card 1: Master was muted, and is no more");
    let master = guest.run("amixer -c Intel sget Master");
    assert!(master.contains("[on]") && !master.contains("[0%]"), "{master}");

    // Pulled and put back while nobody visits: it is noticed, opened again, and turned up again.
    let hda = "/sys/bus/pci/drivers/snd_hda_intel";
    let slot = guest.run(&format!("basename $(ls -d {hda}/0000:*)"));
    replug(&mut guest, hda, slot.trim(), ["speaker: .*was unplugged", "sound card 1: Master was muted"]);

    let chromium = chromium();
    let page = visit(&mut guest, &chromium);
    said(
        &mut guest,
        "microphone: Loopback, Loopback PCM (hw:CARD=Loopback,DEV=0), S32_LE at 44100 Hz, channels: 2 works",
    );
    home_is_heard(&mut guest, || page.try_eval("lab.hear(2)"));
    page.wait_for("the question", PATIENCE, "document.querySelector('#join').checkVisibility()");
    page.click("#join");
    home_hears(&mut guest);
    said(&mut guest, "speaker: HDA Intel, Generic Analog (hw:CARD=Intel,DEV=0), S16_LE at 48000 Hz, channels: 2 works");

    // Nothing runs for a while: both cards run on alone.
    let before = [gaps(&mut guest, "ran over"), gaps(&mut guest, "ran dry")];
    guest.run("kill -STOP $(pidof intercom); sleep 3; kill -CONT $(pidof intercom)");
    for (what, before) in ["ran over", "ran dry"].into_iter().zip(before) {
        // The line of a gap before may be less than a minute old.
        let end = Instant::now() + 3 * PATIENCE;
        while gaps(&mut guest, what) <= before {
            assert!(Instant::now() < end, "no gap was told after the stop\n{}", guest.report());
            std::thread::sleep(std::time::Duration::from_secs(1));
        }
    }
    home_is_heard(&mut guest, || page.try_eval("lab.hear(2)"));
    home_hears(&mut guest);

    // The speaker is pulled and put back while somebody talks. A home that stands still for longer than a page waits is
    // connected to again, so that only what comes now is counted.
    let before = connections(&page);
    replug(&mut guest, hda, slot.trim(), ["speaker: .*not there: ", "speaker: .* works"]);
    home_hears(&mut guest);

    // The microphone likewise; the loopback now follows the intercom's wish.
    replug(
        &mut guest,
        "/sys/bus/platform/drivers/snd_aloop",
        "snd_aloop.0",
        ["microphone: .*not there: ", "microphone: .* works"],
    );
    play(&mut guest, "plughw:CARD=Loopback,DEV=1", "-r 48000 -F S16_LE");
    home_is_heard(&mut guest, || page.try_eval("lab.hear(2)"));

    assert_eq!(connections(&page), before, "without a new connection");
    page.close();
    ends_cleanly(&mut guest);
}

fn play(guest: &mut Machine, device: &str, format: &str) {
    guest.run(&format!(
        "killall -q speaker-test; speaker-test -D {device} {format} -c 2 -t sine -f {TONE} >/run/player 2>&1 </dev/null & true"
    ));
}

/// Home's sound is left as it comes: a steady tone would be taken for noise.
fn start(guest: &mut Machine) {
    let port = guest.port;
    guest.put(
        "/root/intercom.toml",
        &format!(
            "[home]\nstate_dir = \"/root/state\"\n[network]\npublic_address = \"127.0.0.1:{port}\"\n\
             [video]\nwidth = 160\nheight = 90\nfps = 3\nfloor_kbps = 100\nmax_kbps = 200\n\
             [video.reduced]\nwidth = 160\nheight = 90\nfps = 3\nfloor_kbps = 40\nmax_kbps = 100\n\
             [camera]\ndriver = \"test-card\"\n[display]\ndriver = \"none\"\n\
             [audio]\necho_cancellation = false\nnoise_suppression = \"off\"\ngain_control = false\n\
             [microphone]\ndriver = \"alsa\"\n[microphone.alsa]\ndevice = \"loopback\"\n\
             [speaker]\ndriver = \"alsa\"\n[speaker.alsa]\ndevice = \"hda intel\"\nbuffer_ms = 200\n"
        ),
    );
    guest.run("intercom run --config /root/intercom.toml >>/run/log 2>&1 </dev/null & true");
    said(guest, "open: https://");
}

/// The page hears what is played into the loopback, at its pitch. The guest is slow, and its sound has gaps.
fn home_is_heard(guest: &mut Machine, hear: impl Fn() -> Result<serde_json::Value, String>) {
    let end = Instant::now() + PATIENCE;
    loop {
        let heard = hear().map(|value| Sound::from_probe(&value));
        if let Ok(sound) = &heard
            && sound.loudness() > 0.01
            && (sound.strongest(500.0, 2000.0) - TONE).abs() <= 10.0
        {
            return;
        }
        let what = heard.map(|sound| (sound.loudness(), sound.strongest(500.0, 2000.0)));
        assert!(Instant::now() < end, "the page hears {what:?}\n{}", guest.report());
    }
}

/// The speaker plays the viewer's beeps, at their pitch, from now on.
fn home_hears(guest: &mut Machine) {
    let before = guest.played().len();
    let end = Instant::now() + PATIENCE;
    loop {
        let samples = guest.played()[before..].iter().step_by(2).map(|&s| f64::from(s) / 32_768.0).collect();
        let sound = Sound { samples, ..Sound::SILENCE };
        // A beep lasts 20 ms, which tells its pitch to 50 Hz.
        let pitch = |at: f64| {
            let start = (at * sound.rate) as usize;
            let beep = sound.samples[start..].iter().copied().take(960).collect();
            Sound { rate: sound.rate, samples: beep, ..Sound::SILENCE }.strongest(200.0, 1200.0)
        };
        let pitches: Vec<f64> = sound.beeps(BEEP).into_iter().map(pitch).collect();
        if sound.loudness() > 0.001 && pitches.iter().filter(|pitch| (**pitch - BEEP).abs() <= 50.0).count() >= 3 {
            return;
        }
        assert!(Instant::now() < end, "{} samples, beeps of {pitches:?} Hz\n{}", sound.samples.len(), guest.report());
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
}

/// How many gaps the log told of in all.
fn gaps(guest: &mut Machine, what: &str) -> u64 {
    let total = guest.run(&format!("grep -F ' {what} ' /run/log | tail -n 1 | sed 's/.* \\([0-9]*\\) in all.*/\\1/'"));
    total.trim().parse().unwrap_or(0)
}

/// Unbinds a card from its driver and binds it again; the log must tell again that it is away, and afterwards back.
fn replug(guest: &mut Machine, driver: &str, device: &str, patterns: [&str; 2]) {
    let [away, back] = patterns.map(|pattern| (pattern, count(guest, pattern)));
    // It waits until nobody has the card open any more.
    guest.run(&format!("(echo {device} >{driver}/unbind; echo gone >/run/unbound) >/dev/null 2>&1 </dev/null & true"));
    more(guest, away);
    guest.run("for i in $(seq 60); do [ -f /run/unbound ] && break; sleep 1; done; rm /run/unbound");
    guest.run(&format!("echo {device} >{driver}/bind"));
    more(guest, back);
}

/// Waits until the log has more lines like this than it had.
fn more(guest: &mut Machine, (pattern, before): (&str, u32)) {
    let end = Instant::now() + PATIENCE;
    while count(guest, pattern) <= before {
        assert!(Instant::now() < end, "never again: {pattern}\n{}", guest.report());
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
}

fn count(guest: &mut Machine, pattern: &str) -> u32 {
    guest.run(&format!("grep -c '{pattern}' /run/log || true")).trim().parse().unwrap_or(0)
}
