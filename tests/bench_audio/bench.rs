//! `make bench-audio`: home's whole sound path offline, faster than real time, as one table.
#![allow(clippy::disallowed_methods, reason = "a bench measures real time")]

mod home;
mod measures;
mod room;
mod scores;
mod speech;

use std::time::Duration;

use intercom_base::settings::{AudioSettings, NoiseSuppression};

use home::{Heard, Jump, Setup, run};
use measures::{later_ms, lowered_db, recovery, reduction_db};
use room::{HALL, LIVING, SMALL};
use scores::Scores;
use speech::Speech;

/// Seconds of each line of the table, and when something jumps.
const LENGTH: f64 = 18.0;
const JUMP: f64 = 9.0;
/// The targets, in dB.
const REDUCTION: f64 = 35.0;
const AFTER_JUMP: f64 = 15.0;
const LOWERED: f64 = 3.0;
/// How loud a viewer's voice is at home's speaker, in dB of full scale.
const VIEWER_DB: f32 = -24.0;

fn main() {
    let only = std::env::args().skip(1).find(|word| !word.starts_with('-')).unwrap_or_default();
    let voices = speech::voices();
    let viewer = &voices[0];
    let near = &voices.get(1).filter(|_| voices.len() > 2).cloned().unwrap_or_else(speech::other);
    let talkers: Vec<&str> = voices.iter().map(|voice| voice.name).collect();
    println!("Talkers at hand: {}. The viewer is \"{}\", home is \"{}\".", talkers.join(", "), viewer.name, near.name);
    println!(
        "Figures in dB, and ms of CPU time for each 10 ms; targets: {REDUCTION} less echo after 3 s, {AFTER_JUMP} two seconds after"
    );
    println!("a jump, and who talks at home lowered by under {LOWERED} while the viewer talks too.\n");
    println!(
        "{:<34}{:>8}{:>16}{:>16}{:>9}{:>14}{:>9}",
        "", "first s", "after 3 s", "after jump", "back in", "lowered", "ms CPU"
    );
    let mut scores = Scores::new();
    let mut lines = single(viewer);
    for voice in &voices[1..] {
        lines.push((format!("viewer is {}", voice.name), base(), voice));
    }
    let stranger = &speech::stranger();
    for voice in [stranger, viewer] {
        lines.push((format!("hall, {} (*)", voice.name), Setup::usual(HALL), voice));
    }
    for (name, setup, voice) in lines.iter().filter(|(name, ..)| name.contains(&only)) {
        let heard = run(setup, &voice.lasting(LENGTH, VIEWER_DB), &[], spent);
        println!("{}", single_line(name, setup, &heard));
        scores.add(name, "st", &heard);
    }
    let mut late = None;
    let known = double().into_iter().map(|(name, setup, near_db)| (name, setup, near_db, viewer, near));
    let unknown = [("echo -30", 6.0), ("echo -24", 0.0)].into_iter().flat_map(|(name, loss_db)| {
        let setup = Setup { loss_db, ..Setup::usual(HALL) };
        [(viewer, stranger, "s"), (stranger, viewer, "v")].map(|(there, here, mark)| {
            (format!("double talk, hall, {name}, {mark} (*)"), setup.clone(), -30.0, there, here)
        })
    });
    let lines: Vec<_> = known.chain(unknown).filter(|(name, ..)| name.contains(&only)).collect();
    for (name, setup, near_db, viewer, near) in &lines {
        let (far, near) = (viewer.lasting(LENGTH, VIEWER_DB), near.lasting(LENGTH, *near_db));
        let both = run(setup, &far, &near, spent);
        let alone = run(setup, &vec![0.0; far.len()], &near, spent);
        let lowered = lowered_db(&alone.enhanced, &both.enhanced, &both.echo, 5.0, LENGTH);
        late = Some(later_ms(&alone.microphone, &alone.enhanced));
        let verdict = verdict(lowered, lowered < LOWERED);
        println!("{name:<34}{:>8}{:>16}{:>16}{:>9}{verdict:>14}{:>9.3}", "", "", "", "", cost(&both));
        scores.add(name, "dt", &both);
    }
    if let Some(late) = late {
        println!("\nCanceller, noise suppressor and gain make home's sound {late:.1} ms later.");
    }
    println!("(*) Nothing was tuned with this room and the stranger; \"s\": the stranger is at home, \"v\": there.");
    println!("\n{}", scores.told());
}

fn base() -> Setup {
    Setup::usual(LIVING)
}

/// Only the viewer talks.
fn single(viewer: &Speech) -> Vec<(String, Setup, &Speech)> {
    let delay = |truth: f64, told: f64| Setup { delay: truth, told, ..base() };
    let jump = |delay: f64, truth: f64, told: f64, moved: bool| {
        let jump = Some(Jump { at: JUMP, truth, told, moved, ..Jump::default() });
        Setup { delay, told: delay, jump, ..base() }
    };
    let changed = |jump: Jump| Setup { jump: Some(Jump { at: JUMP, ..jump }), ..base() };
    let speaker = Jump { truth: 0.08, told: 0.08, speaker_gone: 0.8, ..Jump::default() };
    let microphone = Jump { heard_late: 0.03, microphone_gone: 0.5, ..Jump::default() };
    let no_noise = AudioSettings { noise_suppression: NoiseSuppression::Off, ..base().audio };
    let gain = AudioSettings { gain_control: true, ..base().audio };
    let lines = [
        ("living room, 60 ms", base()),
        ("small room, 60 ms", Setup { room: SMALL, ..base() }),
        ("10 ms", delay(0.01, 0.01)),
        ("250 ms", delay(0.25, 0.25)),
        ("450 ms", delay(0.45, 0.45)),
        ("450 ms, but says 10", delay(0.45, 0.01)),
        ("200 ms, but says 30", delay(0.2, 0.03)),
        ("10 ms, but says 450", delay(0.01, 0.45)),
        ("speaker 100 ppm slow", Setup { speaker_ppm: 100.0, ..base() }),
        ("speaker -50, microphone +50 ppm", Setup { speaker_ppm: -50.0, microphone_ppm: 50.0, ..base() }),
        ("reports jitter by 3 ms", Setup { jitter: 0.003, ..base() }),
        ("loudspeaker distorts", Setup { limit: 1.0, ..base() }),
        ("echo 12 dB louder", Setup { loss_db: -6.0, ..base() }),
        ("fan in the room, -50 dB", Setup { noise_db: -50.0, ..base() }),
        ("without noise suppression", Setup { audio: no_noise, ..base() }),
        ("with gain control", Setup { audio: gain, ..base() }),
        ("jump by 60 ms, told", jump(0.06, 0.06, 0.06, false)),
        ("jump by 60 ms, not told", jump(0.06, 0.06, 0.0, false)),
        ("jump by -60 ms, not told", jump(0.12, -0.06, 0.0, false)),
        ("jump by 60 ms, told but not true", jump(0.06, 0.0, 0.06, false)),
        ("microphone carried elsewhere", jump(0.06, 0.0, 0.0, true)),
        ("other speaker, 80 ms later", changed(speaker)),
        ("other speaker, 80 ms, not told", changed(Jump { told: 0.0, ..speaker })),
        ("other microphone, 30 ms, not told", changed(microphone)),
    ];
    lines.into_iter().map(|(name, setup)| (name.to_owned(), setup, viewer)).collect()
}

/// Both talk at once: how loud home's talker is at the microphone.
fn double() -> Vec<(String, Setup, f32)> {
    let echo = |loss_db: f32| Setup { loss_db, ..base() };
    let line = |name: &str, setup: Setup, near_db: f32| (format!("double talk, {name}"), setup, near_db);
    vec![
        line("echo -36, home -30", echo(12.0), -30.0),
        line("echo -30, home -30", echo(6.0), -30.0),
        line("echo -24, home -30", echo(0.0), -30.0),
        line("echo -30, home -24", echo(6.0), -24.0),
        line("distortion", Setup { limit: 1.0, ..base() }, -30.0),
        line("100 ppm", Setup { speaker_ppm: 100.0, ..base() }, -30.0),
        line("small room", Setup { room: SMALL, ..base() }, -30.0),
    ]
}

fn single_line(name: &str, setup: &Setup, heard: &Heard) -> String {
    let less = |from: f64, to: f64| reduction_db(&heard.microphone, &heard.decoded, from, to);
    let steady = less(3.0, if setup.jump.is_some() { JUMP } else { LENGTH });
    let (after, back) = match setup.jump {
        Some(jump) => {
            let over = jump.over();
            let after = less(over + 2.0, over + 4.0);
            let back = recovery(&heard.microphone, &heard.decoded, over, LENGTH, AFTER_JUMP);
            (verdict(after, after >= AFTER_JUMP), back.map_or("never".to_owned(), |back| format!("{back:.1} s")))
        }
        None => (String::new(), String::new()),
    };
    let first = less(0.0, 1.0);
    // Where the room is loud, what is left is its noise rather than echo.
    let quiet = setup.noise_db < -60.0;
    let steady = if quiet { verdict(steady, steady >= REDUCTION) } else { format!("{steady:.1} (noise)") };
    format!("{name:<34}{first:>8.1}{steady:>16}{after:>16}{back:>9}{:>14}{:>9.3}", "", cost(heard))
}

fn verdict(value: f64, met: bool) -> String {
    format!("{value:.1} {}", if met { "met" } else { "MISSED" })
}

/// CPU time of this thread: a busy machine makes nothing look dear.
fn spent() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

fn cost(heard: &Heard) -> f64 {
    heard.cost.as_secs_f64() * 1000.0 / f64::from(heard.blocks)
}
