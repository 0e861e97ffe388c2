//! Replays, for each target, its seeds, its corpus and each crash that there ever was; and drives it from there a little further.

use std::path::{Path, PathBuf};

use crate::driver::drive;
use crate::targets::TARGETS;

/// The files of a folder that need not be there, by name.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

/// Does `action` with each target, on as many threads as there are processors; which input failed is in the output.
fn each_target(action: impl Fn(&str, fn(&[u8]), &[Vec<u8>]) + Sync) {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((name, target, seeds)) =
                    TARGETS.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
                {
                    action(name, *target, &seeds());
                }
            });
        }
    });
}

#[test]
fn what_was_learnt_and_what_once_went_wrong_holds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    each_target(|name, target, seeds| {
        seeds.iter().for_each(|seed| target(seed));
        for folder in ["corpus", "crashes"] {
            for file in files(&root.join(folder).join(name)) {
                let input = std::fs::read(&file).expect("an input");
                if let Err(panic) = std::panic::catch_unwind(|| target(&input)) {
                    eprintln!("the target {name} failed at {}", file.display());
                    std::panic::resume_unwind(panic);
                }
            }
        }
    });
}

/// Without an engine, so that an input nobody has thought of is tried with each change.
#[test]
fn a_good_input_that_is_changed_a_little_is_survived() {
    each_target(|name, target, seeds| {
        let seeds: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
        drive(name, target, &seeds);
    });
}
