//! libwebrtc as the yardstick: PyPI's `wrtc` in a process of its own, or what it did when it was last recorded.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::harness::net::Namespace;
use crate::tunnel::HOME;

/// At most so many kbit/s: home's default.
const MOST_KBPS: u32 = 2500;
const PORT: u16 = 8080;

/// What is at hand.
pub struct Yardstick {
    folder: PathBuf,
}

impl Yardstick {
    /// Fetches what is missing into a folder, or says what cannot be had.
    pub fn prepare(folder: &Path) -> Result<Yardstick, String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/yardstick/prepare");
        let out = Command::new(&script).arg(folder).stdin(Stdio::null()).output();
        let out = out.map_err(|e| format!("{}: {e}", script.display()))?;
        let said = String::from_utf8_lossy(&out.stderr);
        if !out.status.success() {
            return Err(said.lines().last().unwrap_or("for no reason that was said").to_owned());
        }
        Ok(Yardstick { folder: folder.to_owned() })
    }

    /// Starts a peer in a namespace, with a command that is its camera.
    pub fn start(&self, namespace: &Namespace, camera: &[String]) -> Peer {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/yardstick/peer.py");
        let mut command = Command::new(self.folder.join("venv/bin/python"));
        command.arg(script).arg(PORT.to_string()).arg(MOST_KBPS.to_string()).arg(self.folder.join("libopenh264.so.8"));
        command.args(camera).stdin(Stdio::null()).stdout(Stdio::piped());
        let log = self.folder.join("log");
        command.stderr(std::fs::File::create(&log).expect("a log of the yardstick's"));
        let mut process = namespace.enter(|| command.spawn()).expect("start Python");
        let mut said = String::new();
        let read = BufReader::new(process.stdout.take().expect("stdout is piped")).read_line(&mut said);
        assert!(read.is_ok() && said == "ready\n", "the yardstick did not start: see {}", log.display());
        Peer { process }
    }
}

/// A running libwebrtc, ended when dropped.
pub struct Peer {
    process: Child,
}

impl Peer {
    /// Of its page.
    pub fn link(&self) -> String {
        format!("http://{HOME}:{PORT}/")
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
