//! What is logged: no secrets, whatever the level, and no more than a little for each client.
//!
//! Libraries log messages as they come and go, with keys, tokens and passwords in them, at `debug` and `trace`: of them only warnings and
//! errors are taken. What clients bring about is logged sparingly, or they could fill the disk with it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Stderr, Write as _, stderr};
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use log::{Level, LevelFilter, Log, Metadata, Record};
use simplelog::{ConfigBuilder, ThreadLogMode, WriteLogger};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::shell::clock;

/// Ours, whose records are written with care.
const OURS: [&str; 5] = ["intercom", "intercom_base", "intercom_core", "intercom_drivers", "intercom_media"];

/// Where records are made that clients can bring about, or anyone who stands between home and its camera, with all that is inside.
const OF_CLIENTS: [&str; 7] = [
    "intercom_core::call::home",
    "intercom_core::call::peer",
    "intercom::shell::devices::jpegs",
    "intercom::shell::devices::pictures",
    "intercom::shell::gateway",
    "intercom::shell::jail",
    "intercom::shell::signal_socket",
];
/// And where inside of them people at home do.
const OF_HOME: &str = "intercom_core::call::home::levels";

/// UTC, to the millisecond.
const TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// The same text is logged once in this time.
const PERIOD: Duration = Duration::from_secs(60);
/// Texts that differ only in their numbers, addresses and such: so many in that time.
const ALIKE: u32 = 10;
/// Kinds of text that are counted; past it, everything is forgotten and counted again.
const MOST: usize = 512;

/// Logs to standard error from now on. The first call counts.
pub fn log_to_stderr(level: LevelFilter) {
    let format = ConfigBuilder::new()
        .set_time_format_custom(TIME)
        .set_thread_level(LevelFilter::Error)
        .set_thread_mode(ThreadLogMode::Names)
        .set_target_level(LevelFilter::Debug)
        .build();
    let journal = Journal {
        inner: WriteLogger::new(level, format, stderr()),
        told: Mutex::new(Told::default()),
        line: Mutex::new(()),
        tells_priority: is_journal(),
    };
    if log::set_boxed_logger(Box::new(journal)).is_ok() {
        log::set_max_level(level);
    }
}

struct Journal {
    inner: Box<WriteLogger<Stderr>>,
    told: Mutex<Told>,
    /// Held while a line is written in two pieces.
    line: Mutex<()>,
    /// Standard error is systemd's journal, which reads a priority in front of a line (sd-daemon(3)).
    tells_priority: bool,
}

impl Journal {
    fn write(&self, record: &Record<'_>) {
        let _line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        if self.tells_priority {
            let _nowhere_to_tell = write!(stderr(), "<{}>", priority(record.level()));
        }
        self.inner.log(record);
    }
}

/// As syslog(3) numbers them.
fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

/// Says why the program ends, also where no log is written yet.
pub fn complain(why: &str) {
    let priority = if is_journal() { format!("<{}>", priority(Level::Error)) } else { String::new() };
    for line in why.lines() {
        let _nowhere_to_tell = writeln!(stderr(), "{priority}{line}");
    }
}

/// Whether standard error goes where `$JOURNAL_STREAM` says (systemd.exec(5)): device and inode. A program that was started by a service
/// may have the variable and write to elsewhere.
fn is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let open = stderr().as_fd().try_clone_to_owned().map(File::from).and_then(|file| file.metadata());
    open.is_ok_and(|file| stream == format!("{}:{}", file.dev(), file.ino()))
}

impl Log for Journal {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        takes(metadata) && self.inner.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        if !is_of_clients(record.target()) {
            return self.write(record);
        }
        let text = record.args().to_string();
        let verdict = self.told.lock().unwrap_or_else(PoisonError::into_inner).judge(&text, clock::now());
        match verdict {
            Verdict::Tell(0) => self.write(record),
            Verdict::Tell(missed) => self.write(
                &Record::builder()
                    .metadata(record.metadata().clone())
                    .module_path(record.module_path())
                    .file(record.file())
                    .line(record.line())
                    .args(format_args!("{text} ({missed} more like this were not logged)"))
                    .build(),
            ),
            Verdict::Drop => {}
        }
    }

    fn flush(&self) {
        self.inner.flush();
    }
}

/// Whether records of this origin and level are taken at all.
fn takes(metadata: &Metadata<'_>) -> bool {
    let crate_name = metadata.target().split("::").next().unwrap_or_default();
    // What rustls warns of is a client's doing, such as WebKit's naming of an address where a host is meant.
    let from = if crate_name == "rustls" { Level::Error } else { Level::Warn };
    OURS.contains(&crate_name) || metadata.level() <= from
}

fn is_of_clients(target: &str) -> bool {
    let inside = |room: &str| target.strip_prefix(room).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
    OF_CLIENTS.into_iter().any(inside) && !inside(OF_HOME)
}

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It is logged, and that so many like it were not.
    Tell(u32),
    /// It is not.
    Drop,
}

/// What was logged lately.
#[derive(Debug, Default)]
struct Told {
    kinds: HashMap<String, Kind>,
}

#[derive(Debug)]
struct Kind {
    since: Instant,
    told: Vec<String>,
    missed: u32,
}

impl Told {
    fn judge(&mut self, text: &str, now: Instant) -> Verdict {
        let shape = shape(text);
        if self.kinds.len() >= MOST && !self.kinds.contains_key(&shape) {
            self.kinds.clear();
        }
        let kind = self.kinds.entry(shape).or_insert_with(|| Kind { since: now, told: Vec::new(), missed: 0 });
        let mut missed = 0;
        if now.saturating_duration_since(kind.since) >= PERIOD {
            missed = kind.missed;
            *kind = Kind { since: now, told: Vec::new(), missed: 0 };
        }
        if kind.told.len() as u32 >= ALIKE || kind.told.iter().any(|told| told == text) {
            kind.missed += 1;
            return Verdict::Drop;
        }
        kind.told.push(text.to_owned());
        Verdict::Tell(missed)
    }
}

/// The text without what differs from one client to the next: words with digits in them, and what is quoted.
fn shape(text: &str) -> String {
    let unquoted: Vec<&str> = text.split('"').step_by(2).collect();
    let unquoted = unquoted.join("#0");
    let differs = |word: &str| word.bytes().any(|byte| byte.is_ascii_digit());
    let word = |word: &str| if differs(word) { "#".to_owned() } else { word.to_owned() };
    let words: Vec<String> = unquoted.split(' ').take(32).map(word).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_told_once_a_minute_and_how_often_it_was_not() {
        let (mut told, now) = (Told::default(), clock::now());
        assert_eq!(told.judge("visit 3: offer not usable", now), Verdict::Tell(0));
        for second in 0..59 {
            assert_eq!(told.judge("visit 3: offer not usable", now + Duration::from_secs(second)), Verdict::Drop);
        }
        assert_eq!(told.judge("visit 4: offer not usable", now), Verdict::Tell(0), "of another client");
        assert_eq!(told.judge("visit 3: offer not usable", now + PERIOD), Verdict::Tell(59));
    }

    #[test]
    fn whoever_changes_the_numbers_is_told_a_few_times_only() {
        let (mut told, now) = (Told::default(), clock::now());
        let mut tell = |n: u32| {
            let text = format!("wrong key from 2001:db8::{n:x}0, answered in {n} ms");
            told.judge(&text, now) != Verdict::Drop
        };
        assert_eq!((0..1000).filter(|n| tell(*n)).count(), ALIKE as usize);
        let mut tell = |n: u32| {
            let letters: String = n.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect();
            told.judge(&format!("a page is refused: origin \"https://{letters}\", Host \"a {letters} b\""), now)
                != Verdict::Drop
        };
        assert_eq!((0..1000).filter(|n| tell(*n)).count(), ALIKE as usize);
        assert_eq!(told.judge("visit 1 begins", now), Verdict::Tell(0), "and others are told of");
    }

    #[test]
    fn what_is_counted_is_bounded() {
        let (mut told, now) = (Told::default(), clock::now());
        for n in 0..100_000u32 {
            let letters: String = n.to_string().bytes().map(|digit| char::from(digit + 49)).collect();
            told.judge(&letters, now);
        }
        assert!(told.kinds.len() <= MOST);
    }

    #[test]
    fn of_libraries_only_warnings_are_taken() {
        let takes = |target: &str, level| takes(&Metadata::builder().target(target).level(level).build());
        assert!(takes("rustls::server", Level::Error) && !takes("rustls::msgs", Level::Warn));
        for library in ["tungstenite::protocol", "str0m", "intercomx", ""] {
            assert!(takes(library, Level::Warn) && !takes(library, Level::Info) && !takes(library, Level::Trace));
        }
        assert!(takes("intercom::shell::udp", Level::Trace) && takes("intercom_drivers", Level::Debug));
        assert!(takes("intercom_core::call::home", Level::Info) && takes("intercom_media::echo", Level::Debug));
        for of_clients in [
            "intercom_core::call::home",
            "intercom_core::call::home::media",
            "intercom::shell::gateway::acceptor",
            "intercom::shell::devices::jpegs",
            "intercom::shell::devices::pictures",
            "intercom::shell::jail::keeper",
        ] {
            assert!(is_of_clients(of_clients), "{of_clients}");
        }
        assert!(
            !is_of_clients("intercom_core::call::home::levels") && !is_of_clients("intercom::shell::devices::camera")
        );
    }

    /// A module that moves takes its name along here.
    #[test]
    fn every_name_is_a_module_that_is_there() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        for name in OF_CLIENTS.into_iter().chain([OF_HOME]) {
            let path = name.replace("intercom_core::", "src/core/").replace("intercom::", "src/").replace("::", "/");
            assert!(root.join(&path).is_dir() || root.join(format!("{path}.rs")).is_file(), "{name}");
        }
        let crates = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
        for ours in OURS {
            assert!(crates.contains(&format!("{} = {{ path", ours.replace('_', "-"))) || ours == "intercom", "{ours}");
        }
    }
}
