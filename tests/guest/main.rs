//! The drivers on a real kernel: Debian's stock one in a machine of QEMU's, with its virtual camera, sound card and
//! screen. Everything is looked at from outside: by a Chromium, on the screen, and in what the sound card played.
#![allow(clippy::disallowed_methods, reason = "tests look at real programs in real time")]

mod appliance;
#[path = "../deb/bill.rs"]
mod bill;
mod cameras;
mod coded;
mod console;
mod devices;
mod disk;
mod hardships;
#[path = "../browser/harness/mod.rs"]
mod harness;
mod home;
mod looks;
mod machine;
mod notices;
mod sound;
mod updates;
mod usbip;
mod webcam;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use home::*;
use looks::*;

/// The longest that anything in a guest may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

type Scenario = (&'static str, fn(&Path));

/// The drivers, in a small system of the tests' own; then the very image that is flashed.
const ALWAYS: &[Scenario] = &[
    ("bochs", devices::bochs),
    ("virtio", devices::virtio),
    ("console", console::console),
    ("sound", sound::sound),
    ("webcam", cameras::webcam),
    ("coded", coded::coded),
    ("signal", cameras::signal),
    ("appliance", appliance::appliance),
    ("updates", updates::updates),
];

/// The image again, when it is asked for: many starts of a slow machine.
const WHEN_NAMED: &[Scenario] =
    &[("recovery", updates::recovery), ("bare", hardships::bare), ("disks", hardships::disks)];

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "--list") {
        for (name, _) in ALWAYS.iter().chain(WHEN_NAMED) {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    let words: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    // The guest runs the very program that is built here, on Debian's kernel for this one architecture.
    if std::env::consts::ARCH != "x86_64" {
        println!(
            "guests NOT RUN on {}: no driver was tried on a real kernel; they need x86_64",
            std::env::consts::ARCH
        );
        return ExitCode::SUCCESS;
    }
    let image = machine::build();
    let (mut passed, mut failed) = (0, 0);
    for (name, test) in ALWAYS.iter().chain(WHEN_NAMED) {
        if words.is_empty() && WHEN_NAMED.iter().any(|(other, _)| other == name) {
            println!("test guest_{name} ... NOT RUN: `make test-image` does");
            continue;
        }
        if !words.is_empty() && !words.iter().any(|word| name.contains(word.as_str())) {
            continue;
        }
        let began = Instant::now();
        let result = std::panic::catch_unwind(|| test(&image));
        let seconds = began.elapsed().as_secs();
        match &result {
            Ok(()) => passed += 1,
            Err(why) => {
                failed += 1;
                harness::failed(&format!("guest_{name}"), &**why);
            }
        }
        println!("test guest_{name} ... {} ({seconds} s)", if result.is_ok() { "ok" } else { "FAILED" });
    }
    println!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
