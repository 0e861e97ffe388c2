//! How a visit feels: the chime, and what browsers do for the sound.

use std::path::Path;
use std::time::Duration;

use crate::harness::chromium::Permission;
use crate::harness::daemon::{Daemon, Setup};
use crate::harness::sound::Sound;
use crate::harness::wait;
use crate::lab::Lab;
use crate::watching::{PATIENCE, living};

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
        let sound = Sound { rate: chime.rate, samples: chime.samples[from..to].to_vec(), gaps: 0 };
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
    std::thread::sleep(Duration::from_millis(500));
    let before = samples(&wav);
    page.reload();
    living(&page);
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(samples(&wav), before, "a page that is loaded again is not heard");
    page.click("#leave");
    page.wait_state("left", PATIENCE);
    assert_eq!(notes(&next_chime(&wav, before)), (NOTES.1, NOTES.0), "falling");
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
