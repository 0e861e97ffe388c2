//! What tests leave behind for people to look at.

use std::io::Write;
use std::path::{Path, PathBuf};

/// Where screenshots and the like are kept for people to look at.
pub fn artefacts() -> PathBuf {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/artefacts");
    std::fs::create_dir_all(&dir).expect("make the folder for artefacts");
    dir
}

/// Notes why a test failed, where `make test` finds it for its last words.
pub fn failed(name: &str, why: &(dyn std::any::Any + Send)) {
    let why = why.downcast_ref::<String>().map(String::as_str).or(why.downcast_ref::<&str>().copied());
    let first = why.and_then(|why| why.lines().next()).unwrap_or("a panic without words");
    let mut file = std::fs::File::options().create(true).append(true).open(artefacts().join("failures"));
    let noted = file.as_mut().map(|file| writeln!(file, "{name}: {first}"));
    noted.expect("open the list of failures").expect("note a failure");
}
