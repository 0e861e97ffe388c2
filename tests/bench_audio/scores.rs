//! What listeners would say, by models that are no part of the intercom; where they are not at hand, that is said.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;

use crate::home::Heard;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench_audio/score.py");

/// Sound to be judged, in a folder that is deleted afterwards.
pub struct Scores {
    folder: PathBuf,
    names: Vec<(String, &'static str)>,
}

impl Scores {
    pub fn new() -> Scores {
        let folder = std::env::temp_dir().join(format!("intercom-bench-audio-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for temporary sound");
        Scores { folder, names: Vec::new() }
    }

    /// `talk` is `st` if only the viewer talks, `dt` if home does as well.
    pub fn add(&mut self, name: &str, talk: &'static str, heard: &Heard) {
        let number = self.names.len();
        let parts = [("lpb", &heard.played), ("mic", &heard.microphone), ("enh", &heard.decoded), ("ref", &heard.near)];
        for (part, sound) in parts {
            let bytes: Vec<u8> = sound.iter().flat_map(|s| (s / 32_768.0).to_le_bytes()).collect();
            std::fs::write(self.folder.join(format!("{number}.{part}")), bytes).expect("temporary sound");
        }
        self.names.push((name.to_owned(), talk));
    }

    /// All scores as a table.
    pub fn told(self) -> String {
        let list: String = self.names.iter().enumerate().map(|(n, (_, talk))| format!("{n} {talk}\n")).collect();
        std::fs::write(self.folder.join("list"), list).expect("a list");
        let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".into());
        let told = Command::new(&python).arg(SCRIPT).arg(&self.folder).output();
        let _ = std::fs::remove_dir_all(&self.folder);
        let told = match told {
            Ok(told) => told,
            Err(error) => return format!("AECMOS and ViSQOL: not at hand ({python}: {error})."),
        };
        let said = String::from_utf8_lossy(&told.stdout).into_owned();
        let mut out = String::new();
        for line in said.lines().filter_map(|line| line.strip_prefix("- ")) {
            let (measure, why) = line.split_once(' ').unwrap_or((line, ""));
            let measure = if measure == "all" { "AECMOS and ViSQOL" } else { measure };
            let _ = writeln!(out, "{measure}: not at hand ({why}).");
        }
        if !told.status.success() {
            let _ = writeln!(out, "{SCRIPT} failed: {}", String::from_utf8_lossy(&told.stderr).trim());
        }
        let value = |number: usize, measure: &str| {
            let wanted = format!("{number} {measure} ");
            said.lines().find_map(|line| line.strip_prefix(&wanted)?.parse::<f64>().ok())
        };
        if said.lines().any(|line| !line.starts_with('-')) {
            let _ = writeln!(out, "{:<34}{:>13}{:>14}{:>8}", "1 bad … 5 good", "AECMOS echo", "AECMOS other", "ViSQOL");
            for (number, (name, _)) in self.names.iter().enumerate() {
                let [echo, other, visqol] = ["echo", "other", "visqol"]
                    .map(|measure| value(number, measure).map_or(String::new(), |v| format!("{v:.2}")));
                let _ = writeln!(out, "{name:<34}{echo:>13}{other:>14}{visqol:>8}");
            }
        }
        out
    }
}
