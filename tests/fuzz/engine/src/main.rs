//! One program for all targets: `TARGET=offer intercom-fuzz CORPUS [libFuzzer's flags]`. `SEEDS=FOLDER` writes the target's seeds
//! there and ends, and without a target it lists them.
#![no_main]

use std::sync::LazyLock;

#[path = "../../targets/mod.rs"]
#[allow(dead_code)] // Some is for the tests alone.
mod targets;

use libfuzzer_sys::fuzz_target;
use targets::{TARGETS, Target};

static TARGET: LazyLock<&'static Target> = LazyLock::new(|| {
    let wanted = std::env::var("TARGET").unwrap_or_default();
    let all = || TARGETS.iter().chain(intercom_drivers::fuzz::TARGETS);
    let Some(target) = all().find(|(name, ..)| *name == wanted) else {
        all().for_each(|(name, ..)| println!("{name}"));
        std::process::exit(if wanted.is_empty() { 0 } else { 2 });
    };
    if let Some(folder) = std::env::var_os("SEEDS").map(std::path::PathBuf::from) {
        for (n, seed) in target.2().iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{n}")), seed).expect("a folder for seeds");
        }
        std::process::exit(0);
    }
    target
});

fuzz_target!(init: {
    LazyLock::force(&TARGET);
}, |data: &[u8]| {
    (TARGET.1)(data);
});
