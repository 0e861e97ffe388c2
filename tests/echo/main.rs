//! Home's sound in simulated rooms, with voices that consist of a seed: what a viewer hears of their own, and of home.
//!
//! The rooms are those of `make bench-audio`, which measures more of them, with recorded speech, against tighter targets.
#![allow(clippy::disallowed_methods, reason = "virtual time begins somewhere")]

#[allow(dead_code, reason = "shared with the bench")]
#[path = "../bench_audio/home.rs"]
mod home;
#[allow(dead_code, reason = "shared with the bench")]
#[path = "../bench_audio/measures.rs"]
mod measures;
#[allow(dead_code, reason = "shared with the bench")]
#[path = "../bench_audio/room.rs"]
mod room;
#[allow(dead_code, reason = "shared with the bench")]
#[path = "../bench_audio/speech.rs"]
mod speech;

use std::time::Duration;

use intercom_base::settings::{AudioSettings, NoiseSuppression};

use home::{Heard, Jump, Setup, run};
use measures::{later_ms, lowered_db, reduction_db};
use room::{LIVING, SMALL};
use speech::active_level;

/// Seconds of each test.
const LENGTH: f64 = 10.0;

fn setup() -> Setup {
    Setup::usual(SMALL)
}

/// A voice at `db` of full scale.
fn voice(seed: u64, pitch: f32, db: f32) -> Vec<f32> {
    let sound = speech::syllables(seed, pitch, LENGTH as f32);
    let gain = 10f32.powf((db - active_level(&sound)) / 20.0);
    sound.iter().map(|s| s * gain).collect()
}

fn hear(setup: &Setup, viewer_db: f32, home_db: f32) -> Heard {
    run(setup, &voice(7, 115.0, viewer_db), &voice(23, 205.0, home_db), || Duration::ZERO)
}

const SILENT: f32 = -200.0;

fn less(heard: &Heard, from: f64, to: f64) -> f64 {
    reduction_db(&heard.microphone, &heard.decoded, from, to)
}

#[test]
fn a_viewer_does_not_hear_themselves() {
    // A loudspeaker that distorts makes sounds that nobody wrote to it; of some, a little is left.
    for (what, least, setup) in [
        ("at home", 35.0, setup()),
        ("450 ms late", 35.0, Setup { delay: 0.45, told: 0.45, ..setup() }),
        ("450 ms late, and says 10", 30.0, Setup { delay: 0.45, told: 0.01, ..setup() }),
        ("10 ms late, and says 450", 30.0, Setup { delay: 0.01, told: 0.45, ..setup() }),
        ("by another clock", 35.0, Setup { speaker_ppm: 100.0, jitter: 0.002, ..setup() }),
        ("in a living room", 35.0, Setup { room: LIVING, ..setup() }),
        ("in a living room, distorted", 20.0, Setup { room: LIVING, limit: 1.5, ..setup() }),
    ] {
        let heard = hear(&setup, -24.0, SILENT);
        let less_db = less(&heard, 5.0, LENGTH);
        let each: Vec<i64> = (0..LENGTH as i64).map(|t| less(&heard, t as f64, t as f64 + 1.0) as i64).collect();
        assert!(less_db > least, "{what}: {less_db:.1} dB; second by second {each:?}");
    }
}

#[test]
fn after_a_jump_the_echo_is_gone_again_within_two_seconds() {
    for (delay, truth, told) in [(0.06, 0.06, 0.06), (0.06, 0.06, 0.0), (0.12, -0.06, 0.0), (0.06, 0.0, 0.06)] {
        let jump = Some(Jump { at: 6.0, truth, told, ..Jump::default() });
        let heard = hear(&Setup { delay, told: delay, jump, ..setup() }, -24.0, SILENT);
        let less = less(&heard, 8.0, 10.0);
        assert!(less > 15.0, "by {truth} s, told {told} s: {less:.1} dB");
    }
}

#[test]
fn after_another_device_came_the_echo_is_gone_again_within_two_seconds() {
    let speaker = Jump { at: 5.0, truth: 0.08, told: 0.08, speaker_gone: 0.8, ..Jump::default() };
    let microphone = Jump { at: 5.0, heard_late: 0.03, microphone_gone: 0.5, ..Jump::default() };
    for jump in [speaker, Jump { told: 0.0, ..speaker }, microphone] {
        let heard = hear(&Setup { jump: Some(jump), ..setup() }, -24.0, SILENT);
        let less = less(&heard, jump.over() + 2.0, LENGTH);
        assert!(less > 15.0, "{jump:?}: {less:.1} dB");
    }
}

#[test]
fn who_talks_at_home_is_heard_while_the_viewer_talks() {
    let loss = Setup { loss_db: 12.0, ..setup() };
    let both = hear(&loss, -24.0, -30.0);
    let alone = hear(&loss, SILENT, -30.0);
    let lowered = lowered_db(&alone.enhanced, &both.enhanced, &both.echo, 4.0, LENGTH);
    assert!(lowered < 4.0, "lowered by {lowered:.1} dB");
    let late = later_ms(&alone.microphone, &alone.enhanced);
    assert!(late < 20.0, "{late:.1} ms later");
    // And is not changed by much where nobody disturbs.
    let kept = reduction_db(&alone.near, &alone.enhanced, 4.0, LENGTH);
    assert!(kept.abs() < 3.0, "{kept:.1} dB");
}

#[test]
fn a_voice_far_away_is_made_louder_and_noise_softer() {
    let quiet = Setup { noise_db: -62.0, ..setup() };
    let with_gain = Setup { audio: AudioSettings { gain_control: true, ..quiet.audio }, ..quiet.clone() };
    let (before, after) = (hear(&quiet, SILENT, -45.0), hear(&with_gain, SILENT, -45.0));
    let louder = active_level(&after.enhanced[240_000..]) - active_level(&before.enhanced[240_000..]);
    assert!((6.0..26.0).contains(&louder), "louder by {louder:.1} dB");
    let nobody = hear(&Setup { noise_db: -50.0, ..setup() }, SILENT, SILENT);
    let softer = active_level(&nobody.microphone[240_000..]) - active_level(&nobody.enhanced[240_000..]);
    assert!(softer > 6.0, "softer by {softer:.1} dB");
}

#[test]
fn all_of_it_can_be_turned_off() {
    let audio = AudioSettings { echo_cancellation: false, noise_suppression: NoiseSuppression::Off, ..setup().audio };
    let heard = hear(&Setup { audio, ..setup() }, -24.0, -30.0);
    assert!(heard.enhanced == heard.microphone);
}
