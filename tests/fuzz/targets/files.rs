//! Files that people, or other programs of the appliance, write: the config, what became of configs, notices.

use std::fmt::Write as _;

use intercom::config;
use intercom::config::trials::Trials;
use intercom_core::tv::notices::Notices;

use super::bytes::{Bytes, piece};

/// A config is read, or each of its mistakes is told in a line that exists.
pub fn fuzz_config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Err(errors) = config::parse(&text, "/nowhere/intercom.toml") {
        let mut told = String::new();
        write!(told, "{errors}").unwrap();
        assert!(!told.is_empty());
        assert!(!told.chars().any(|letter| letter.is_control() && letter != '\n'), "{told:?}");
    }
}

/// What is read says the same when it is written again.
pub fn fuzz_trials(data: &[u8]) {
    let trials = Trials::parse(&String::from_utf8_lossy(data), "boot");
    let text = trials.to_text();
    assert_eq!(Trials::parse(&text, "boot"), trials, "{text:?}");
}

/// What is told is short, and has no line ends.
pub fn fuzz_notices(data: &[u8]) {
    let mut bytes = Bytes(data);
    let mut files = Vec::new();
    while !bytes.is_over() {
        files.push((String::from_utf8_lossy(bytes.piece()).into_owned(), bytes.piece().to_vec()));
    }
    let mut notices = Notices::new(Vec::new());
    notices.handle_files(files);
    for told in notices.all() {
        assert!(!told.is_empty() && told.chars().count() <= 201, "{told:?}");
        assert!(!told.chars().any(char::is_control), "{told:?}");
    }
}

// ---- Seeds. ----

pub fn configs() -> Vec<Vec<u8>> {
    let shipped = include_str!("../../../etc/intercom.toml");
    // What is commented out is said as well, without the words around it.
    let all: Vec<&str> = shipped.lines().map(|line| line.strip_prefix("# ").unwrap_or(line)).collect();
    let keys = |lines: &[&str]| {
        let lines = lines.iter().filter(|line| line.starts_with('[') || line.contains(" = "));
        lines.map(|line| format!("{}\n", line.split(" # ").next().unwrap_or(line))).collect::<String>()
    };
    vec![keys(&shipped.lines().collect::<Vec<_>>()).into_bytes(), keys(&all).into_bytes()]
}

pub fn trials() -> Vec<Vec<u8>> {
    let hash = "0123456789abcdef".repeat(4);
    vec![format!("boot\n{hash} 1 0 \n{hash} 0 3 the port is taken\n").into_bytes(), b"boot\n".to_vec()]
}

pub fn notices() -> Vec<Vec<u8>> {
    vec![
        [piece(b"update"), piece("Version 0.2.0 is installed\nand more".as_bytes()), piece(b".x"), piece(b"y")]
            .concat(),
    ]
}
