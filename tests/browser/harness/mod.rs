//! What browser tests and `make bench` stand on: the program, Chromium, its pages, networks, pictures and sounds.
#![allow(dead_code, unused_imports, reason = "tests and bench each use their part")]

pub mod chromium;
pub mod daemon;
pub mod devtools;
mod failures;
pub mod firefox;
pub mod frames;
pub mod net;
pub mod owner;
pub mod page;
pub mod path;
pub mod picture;
pub mod ports;
pub mod sound;
pub mod webkit;
pub mod words;

pub use failures::{artefacts, failed};

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Asks `look` again and again until it gives something, or panics after `limit` with what was waited for.
pub fn wait<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited {limit:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(40));
    }
}

/// Whether JavaScript takes a value for true; of an object or a list it always does.
pub fn is_truthy(value: &serde_json::Value) -> bool {
    !matches!(value, serde_json::Value::Null | serde_json::Value::Bool(false)) && value != 0 && value != ""
}

/// Keeps a PNG, in base64, among the artefacts.
pub fn keep_png(name: &str, base64: &serde_json::Value) {
    let png = STANDARD.decode(base64.as_str().unwrap_or_default()).expect("a screenshot");
    std::fs::write(artefacts().join(format!("{name}.png")), png).expect("keep the screenshot");
}

/// A folder of its own under the system's temporary one, removed when dropped.
pub struct TempDir(PathBuf);

impl TempDir {
    /// Makes it.
    pub fn new(what: &str) -> TempDir {
        use std::sync::atomic::{AtomicU32, Ordering};
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("intercom-test-{}-{number}-{what}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("make a temporary folder");
        TempDir(dir)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // The last of a killed program's processes may still be writing.
        for _ in 0..40 {
            match std::fs::remove_dir_all(&self.0) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => std::thread::sleep(Duration::from_millis(25)),
                _ => break,
            }
        }
    }
}
