//! `make bench-image`: what takes how much of the flashed image, and how it starts, phase by phase.
//!
//! The machine carries out 10⁹ instructions in each of its seconds, one at a time, and QEMU counts them: its times are much
//! the same on any host, but for its waiting for the host's disk. They leave out the firmware, whose speed QEMU's says
//! nothing about, and real devices. A mini PC with four cores, each several times as fast, takes a fraction.
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "a bench lives in real time")]

mod contents;
#[path = "../guest/disk.rs"]
mod disk;
#[path = "../browser/harness/mod.rs"]
mod harness;
#[path = "../guest/machine.rs"]
mod machine;

use std::time::{Duration, Instant};

use disk::Disk;
use machine::{Clock, Machine, Parts};

fn main() {
    let guest = machine::build();
    let disk = Disk::flashed(&guest);
    println!("{}", contents::table(disk.image()));
    // What the first start alone does is in the first column: keys, certificates, and a disk that is still to grow.
    let starts: Vec<Vec<Phase>> = ["first start", "second start"]
        .into_iter()
        .map(|name| {
            let mut machine = disk.power_with(Parts { clock: Clock::Instructions, ..Parts::default() });
            machine.answer_within(disk::BOOT * 2);
            // Questions cost it time, too: it is left alone until all is over.
            machine.run("sleep 30");
            let phases = phases(&mut machine, name);
            // Whatever is on its way to the disk.
            machine.run("sync");
            phases
        })
        .collect();
    println!("| from the kernel's first instruction until | first start s | second start s |\n|---|---|---|");
    for (first, second) in starts[0].iter().zip(&starts[1]) {
        println!("| {} | {:.2} | {:.2} |", first.until, first.seconds, second.seconds);
    }
}

/// A moment of a start.
struct Phase {
    until: &'static str,
    seconds: f64,
}

/// Waits until all has come, and asks the machine when it did.
fn phases(machine: &mut Machine, name: &str) -> Vec<Phase> {
    const COMES: [(&str, &str); 3] = [
        ("home has an address", "addresses: [^n]"),
        ("the camera gives pictures", "camera: .* works"),
        ("the TV shows a picture", "display: .* works"),
    ];
    let end = Instant::now() + Duration::from_secs(600);
    let mut late = COMES.map(|(until, words)| {
        loop {
            let line =
                machine.run(&format!("journalctl -b -o short-monotonic -u intercom | grep -m 1 '{words}'; true"));
            if let Some(seconds) = line.trim_start_matches(['[', ' ']).split(']').next().and_then(|s| s.parse().ok()) {
                return Phase { until, seconds };
            }
            assert!(Instant::now() < end, "{name}: {until}: never\n{}", machine.report());
        }
    });
    let init = machine.run("dmesg | sed -n 's/^\\[ *\\([0-9.]*\\)\\] Run .init as init process$/\\1/p'");
    let mut micros = |unit: &str, what: &str| {
        let value = machine.run(&format!("systemctl show {unit} -P {what}TimestampMonotonic"));
        value.trim().parse::<f64>().unwrap_or_else(|e| panic!("{what} of {unit:?}: {value}: {e}")) / 1e6
    };
    let mut phases = vec![
        Phase { until: "the first program runs", seconds: init.trim().parse().expect("the kernel's word on init") },
        Phase { until: "the system starts from its root", seconds: micros("", "Userspace") },
        Phase { until: "the intercom starts", seconds: micros("intercom", "ExecMainStart") },
        Phase { until: "its port is open", seconds: micros("intercom", "ActiveEnter") },
    ];
    late.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    phases.extend(late);
    phases
}
