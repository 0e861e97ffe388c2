//! The thread `notices`: looks about once a second whether there is something else to tell on the TV.

use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use intercom_base::language::Sentences;
use intercom_core::devices::storage::{self, DiskSpace, Trouble};
use intercom_core::tv::message::Message;
use intercom_core::tv::notices::{self, Finding, Notices, Topic};
use rustix::fs::{OFlags, StatVfsMountFlags};

use crate::shell::devices::Activity;
use crate::shell::disk::Files;
use crate::shell::worker::{Exit, Worker, spawn_worker};
use crate::shell::{pulse, reset};

/// How often the folder is read.
const REST: Duration = Duration::from_secs(1);

/// Entries of the folder that are looked at; the others are left alone.
const MOST_ENTRIES: usize = 64;

/// What is to be shown now, for the TV and for anyone who asks.
#[derive(Debug, Default)]
pub struct NoticeBoard {
    notices: Mutex<Notices>,
}

impl NoticeBoard {
    /// With the config's mistakes on it.
    pub fn new(mistakes: Vec<String>) -> NoticeBoard {
        for mistake in &mistakes {
            log::warn!("{mistake}");
        }
        NoticeBoard { notices: Mutex::new(Notices::new(mistakes)) }
    }

    /// All that is to be shown, the most important first, in English.
    pub fn all(&self) -> Vec<String> {
        self.lock().all()
    }

    /// The same as the TV says it.
    pub fn all_in(&self, sentences: &Sentences) -> Vec<String> {
        self.lock().all_in(sentences)
    }

    /// All of them as they are, in no language yet.
    pub fn now(&self) -> Notices {
        self.lock().clone()
    }

    /// Looks at everything once.
    pub fn look(&self, sources: &NoticeSources) {
        let files = sources.folder.as_deref().map(read).unwrap_or_default();
        let reset = reset::is_made(&sources.state_dir).then_some(Finding::Reset);
        let trouble = trouble(sources);
        let mut notices = self.lock();
        let before = notices.all();
        let mut changed = notices.handle_files(files);
        changed |= notices.set(Topic::Storage, trouble.map(Finding::Storage));
        changed |= notices.set(Topic::Mute, sources.files.mute.notice());
        changed |= notices.set(Topic::Curtain, sources.files.curtain.notice());
        changed |= notices.set(Topic::Reset, reset);
        if changed {
            tell_change(&before, &notices.all());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Notices> {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where there may be something to tell of.
#[derive(Clone, Debug)]
pub struct NoticeSources {
    /// Each file in it is a notice. One that is not there has nothing to tell.
    pub folder: Option<PathBuf>,
    /// Keys and certificates.
    pub state_dir: PathBuf,
    /// Why that is in memory, if it is.
    pub makeshift: Option<Trouble>,
    /// People, and what holds for home: what the disk does not take is told, and tried again.
    pub files: Files,
}

/// Starts the thread, which puts onto the board what there is to tell.
///
/// # Errors
/// If the system has no thread to give.
pub fn spawn_notices(sources: NoticeSources, board: Arc<NoticeBoard>, activity: Arc<Activity>) -> io::Result<Worker> {
    spawn_worker("notices", move || {
        while !activity.is_stopped() {
            // A disk that does not answer is no reason to start again: it would not answer then, either.
            pulse::rest();
            board.look(&sources);
            pulse::beat(REST);
            activity.sleep(REST);
        }
        Exit::Done
    })
}

/// What is wrong with the disk; what it did not take is tried again once it looks well.
fn trouble(sources: &NoticeSources) -> Option<Trouble> {
    if sources.makeshift.is_some() {
        return sources.makeshift;
    }
    let space = disk_space(&sources.state_dir);
    if storage::judge(space, false).is_none() {
        sources.files.keys.retry();
        sources.files.mute.retry();
        sources.files.curtain.retry();
        sources.files.house.retry();
    }
    storage::judge(space, sources.files.keys.is_unkept())
}

fn disk_space(folder: &Path) -> Option<DiskSpace> {
    let found = rustix::fs::statvfs(folder).ok()?;
    Some(DiskSpace {
        bytes: found.f_bavail.saturating_mul(found.f_frsize),
        files: (found.f_files > 0).then_some(found.f_favail),
        read_only: found.f_flag.contains(StatVfsMountFlags::RDONLY),
    })
}

/// Leaves a notice in the folder that another process looks at, in English and for the TV's language, or takes it away; never half of
/// one.
///
/// # Errors
/// If nothing can be written there.
pub fn leave(folder: &Path, name: &str, what: Option<&Message>) -> io::Result<()> {
    let (file, beside) = (folder.join(name), folder.join(format!(".{name}")));
    match what {
        Some(what) => std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&beside, notices::file_of(what)))
            .and_then(|()| std::fs::rename(&beside, &file)),
        None => match std::fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        },
    }
}

fn tell_change(before: &[String], now: &[String]) {
    for notice in now.iter().filter(|notice| !before.contains(notice)) {
        log::warn!("on the TV: {notice}");
    }
    for notice in before.iter().filter(|notice| !now.contains(notice)) {
        log::info!("no more on the TV: {notice}");
    }
}

/// What the notices in a folder begin with, each with its name; no more of them than are shown.
fn read(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let names = entries.take(MOST_ENTRIES).flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| notices::is_notice(name)).collect();
    names.sort();
    let files = names.into_iter().filter_map(|name| {
        let bytes = beginning(&folder.join(&name)).ok()?;
        (!bytes.is_empty()).then_some((name, bytes))
    });
    files.take(notices::MOST_FILES).collect()
}

/// Only of a file: a pipe would be waited for.
fn beginning(path: &Path) -> io::Result<Vec<u8>> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let mut bytes = Vec::new();
    if file.metadata()?.is_file() {
        file.take(notices::LONGEST_FILE as u64).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

#[cfg(test)]
pub(crate) mod tests {
    use intercom_base::language::Language;

    use super::*;
    use crate::shell::clock;
    use crate::shell::state::tests::TestDir;

    /// What the TV says in a language of what is left in a folder now, by the daemon's reader, and what the log says of it.
    pub(crate) fn told(folder: &Path, language: Language) -> [Vec<String>; 2] {
        let mut notices = Notices::default();
        notices.handle_files(read(folder));
        [notices.all_in(language.sentences()), notices.all()]
    }

    /// The same, and that no language repeats another.
    #[track_caller]
    pub(crate) fn told_in_each(folder: &Path) -> Vec<(&'static str, String)> {
        let said: Vec<(&str, String)> =
            Language::ALL.iter().map(|(code, language)| (*code, told(folder, *language)[0].concat())).collect();
        for (n, (code, words)) in said.iter().enumerate() {
            assert!(said[n + 1..].iter().all(|(_, other)| other != words), "{code}: {words} in two languages");
        }
        said
    }

    #[test]
    fn what_is_left_is_told_in_each_language_until_it_is_taken_away() {
        let dir = TestDir::new();
        let folder = dir.0.join("notices");
        leave(&folder, "wifi-wlan0", Some(&Message::WifiNone)).unwrap();
        let said = told_in_each(&folder);
        assert!(said[1].1.starts_with("Kein WLAN aus wifi.txt ist in Reichweite"), "{said:?}");
        let [_, log] = told(&folder, Language::Chinese);
        assert!(log[0].starts_with("No Wi-Fi of wifi.txt is in reach"), "the log is English: {log:?}");
        std::fs::write(folder.join("wifi-wlan0"), "Words of somebody\n\"wifi_none\n").unwrap();
        assert_eq!(told(&folder, Language::German), [["Words of somebody"]; 2]);
        leave(&folder, "wifi-wlan0", None).unwrap();
        assert_eq!(told(&folder, Language::German), [[""; 0]; 2]);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "nothing half");
    }

    #[test]
    fn what_is_put_into_the_folder_is_told_until_it_is_taken_out() {
        let dir = TestDir::new();
        let folder = dir.0.join("notices");
        let (board, activity) = (Arc::new(NoticeBoard::new(vec!["first".into()])), Arc::new(Activity::new()));
        let sources = NoticeSources {
            files: Files::in_dir(&dir.0),
            folder: Some(folder.clone()),
            state_dir: dir.0.clone(),
            makeshift: None,
        };
        let worker = spawn_notices(sources, Arc::clone(&board), Arc::clone(&activity)).unwrap();
        let wait = |expected: &[&str]| {
            let until = clock::now() + Duration::from_secs(20);
            while board.all() != expected {
                assert!(clock::now() < until, "{:?}, not {expected:?}", board.all());
                activity.sleep(Duration::from_millis(20));
            }
        };
        wait(&["first"]);
        std::fs::create_dir(&folder).unwrap();
        std::fs::create_dir(folder.join("a-folder")).unwrap();
        let pipe = std::process::Command::new("mkfifo").arg(folder.join("b-pipe")).status().unwrap();
        assert!(pipe.success());
        std::fs::write(folder.join(".update"), "An upd").unwrap();
        std::fs::write(folder.join("wifi"), "No such network").unwrap();
        wait(&["first", "No such network"]);
        std::fs::write(folder.join(".update"), "An update was made\n").unwrap();
        std::fs::rename(folder.join(".update"), folder.join("update")).unwrap();
        wait(&["first", "An update was made", "No such network"]);
        std::fs::remove_dir_all(&folder).unwrap();
        wait(&["first"]);
        reset::begin(&dir.0).unwrap();
        reset::finish(&dir.0).unwrap();
        wait(&["first", Language::English.sentences().reset]);
        reset::over(&dir.0);
        wait(&["first"]);
        activity.stop();
        worker.dismiss();
        assert!(worker.join_within(Duration::from_secs(20)));
    }
}
