//! The state directory: small files written whole or not at all, locks, and the sockets' private corner.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::process::geteuid;

use crate::shell::clock;

/// A lock is held for the time of one small write.
const LOCK_WITHIN: Duration = Duration::from_secs(2);
/// How often one that is taken is looked at again.
const LOCK_LOOK: Duration = Duration::from_millis(5);

/// Something in the state directory could not be used.
#[derive(Debug)]
pub struct StateError {
    /// What was tried: "write", "lock" …
    pub action: &'static str,
    /// Which file or directory.
    pub path: PathBuf,
    /// Why not.
    pub source: io::Error,
}

impl std::fmt::Display for StateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot {} {}: {}", self.action, self.path.display(), self.source)
    }
}

impl std::error::Error for StateError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

impl From<StateError> for io::Error {
    fn from(error: StateError) -> io::Error {
        io::Error::new(error.source.kind(), error.to_string())
    }
}

/// Says what was tried with which file.
pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StateError {
    let path = path.to_owned();
    move |source| StateError { action, path, source }
}

/// Makes a directory that only its owner may enter (0700), with those above it; one that exists is taken as it is.
pub fn make_private_dir(path: &Path) -> Result<(), StateError> {
    let result = DirBuilder::new().recursive(true).mode(0o700).create(path);
    result.map_err(failed("make the directory", path))
}

/// Makes a directory and sees to it that only its owner may enter it, also if it was there before.
pub fn make_dir_0700(path: &Path) -> Result<(), StateError> {
    make_private_dir(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(failed("close to others", path))
}

/// Reads a whole small file; `None` if it is not there.
pub fn read(path: &Path) -> Result<Option<String>, StateError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(failed("read", path)(e)),
    }
}

/// Writes a file so that a power cut leaves the old or the new one, never a half: beside it, synced, then renamed.
pub fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), StateError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let beside = PathBuf::from(name);
    // A left-over of a crash may have other permissions, and `mode` only counts for a file that is made.
    let _ = fs::remove_file(&beside);
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        hand_over(&file, path);
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        // The rename itself is durable only once the directory is.
        if let Some(parent) = path.parent() {
            File::open(parent)?.sync_all()?;
        }
        Ok(())
    };
    write().map_err(|error| {
        // Half a file would take the room that another one may need.
        let _ = fs::remove_file(&beside);
        failed("write", path)(error)
    })
}

/// Gives what root has made at `path` to whom the folder around it belongs: a service whose user has the folder could not read it
/// otherwise. Anyone else's stays as it is, and so does what root may not give away.
pub fn hand_over(file: &File, path: &Path) {
    let Some(parent) = path.parent().filter(|_| geteuid().is_root()) else { return };
    let (Ok(own), Ok(around)) = (file.metadata(), fs::metadata(parent)) else { return };
    if (own.uid(), own.gid()) != (around.uid(), around.gid()) {
        let _ = fchown(file, Some(around.uid()), Some(around.gid()));
    }
}

/// The first of these folders in which files can be made, itself made if need be; the reason for the last one if there
/// is none.
pub fn first_usable(folders: &[PathBuf]) -> Result<&Path, StateError> {
    let mut last = failed("use", Path::new(""))(io::ErrorKind::NotFound.into());
    for folder in folders {
        match make_private_dir(folder).and_then(|()| probe(folder)) {
            Ok(()) => return Ok(folder),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn probe(folder: &Path) -> Result<(), StateError> {
    let path = folder.join(".probe");
    let made = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
    made.and_then(|_| fs::remove_file(&path)).map_err(failed("write", &path))
}

/// Removes a file so that a power cut brings it back no more; one that is not there is gone already.
pub fn remove(path: &Path) -> Result<(), StateError> {
    let remove = || -> io::Result<()> {
        match fs::remove_file(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            result => result?,
        }
        path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
    };
    remove().map_err(failed("remove", path))
}

/// Removes a folder of files, in the same way.
pub fn remove_dir(path: &Path) -> Result<(), StateError> {
    let remove = || -> io::Result<()> {
        match fs::remove_dir_all(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            result => result?,
        }
        path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
    };
    remove().map_err(failed("remove", path))
}

/// A lock between processes; the kernel lets go of it however its holder ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for the lock at `path`, for as long as it takes.
    pub fn wait(path: &Path) -> Result<Lock, StateError> {
        Lock::wait_until(path, None)
    }

    /// The same for what must go on: anyone who has it may hang, and is waited for for two seconds.
    pub fn wait_briefly(path: &Path) -> Result<Lock, StateError> {
        Lock::wait_until(path, Some(clock::now() + LOCK_WITHIN))
    }

    fn wait_until(path: &Path, until: Option<Instant>) -> Result<Lock, StateError> {
        let file = Lock::open(path)?;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::WOULDBLOCK) if until.is_none_or(|until| clock::now() < until) => {
                    clock::sleep_until(clock::now() + LOCK_LOOK);
                }
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    let why = "another process has had it for too long";
                    return Err(failed("lock", path)(io::Error::new(io::ErrorKind::TimedOut, why)));
                }
                Err(e) => return Err(failed("lock", path)(e.into())),
            }
        }
    }

    /// Takes the lock of a directory itself, or `None` if somebody has it. Nothing is written for that, so a disk may
    /// be full or read-only.
    pub fn try_take(directory: &Path) -> Result<Option<Lock>, StateError> {
        let path = directory;
        let file = File::open(path).map_err(failed("open", path))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Lock { _file: file })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(e) => Err(failed("lock", path)(e.into())),
        }
    }

    fn open(path: &Path) -> Result<File, StateError> {
        let open = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
        let file = open.map_err(failed("open", path))?;
        hand_over(&file, path);
        Ok(file)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// A directory of one test's own, gone afterwards.
    pub(crate) struct TestDir(pub PathBuf);

    impl TestDir {
        pub(crate) fn new() -> TestDir {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let n = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("intercom-test-{}-{n}", std::process::id()));
            make_private_dir(&path).unwrap();
            TestDir(path)
        }
    }

    impl Drop for TestDir {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_file_is_written_whole_with_its_mode_and_replaced() {
        let dir = TestDir::new();
        let path = dir.0.join("secret");
        assert!(read(&path).unwrap().is_none());
        write(&path, b"one", 0o600).unwrap();
        fs::write(dir.0.join("secret.new"), b"left by a crash").unwrap();
        write(&path, b"two", 0o600).unwrap();
        assert_eq!(read(&path).unwrap().as_deref(), Some("two"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!dir.0.join("secret.new").exists());
    }

    #[test]
    fn what_root_writes_belongs_to_whom_the_folder_belongs() {
        if !geteuid().is_root() {
            return;
        }
        let dir = TestDir::new();
        std::os::unix::fs::chown(&dir.0, Some(61_184), Some(61_185)).unwrap();
        let (file, lock) = (dir.0.join("keys.toml"), dir.0.join("keys.lock"));
        write(&file, b"x", 0o600).unwrap();
        drop(Lock::wait_briefly(&lock).unwrap());
        for path in [file, lock] {
            let made = fs::metadata(path).unwrap();
            assert_eq!((made.uid(), made.gid(), made.mode() & 0o777), (61_184, 61_185, 0o600));
        }
    }

    #[test]
    fn errors_name_the_file() {
        let error = write(Path::new("/nowhere/at/all"), b"", 0o600).unwrap_err();
        assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
    }

    #[test]
    fn a_lock_is_held_by_one() {
        let dir = TestDir::new();
        let first = Lock::try_take(&dir.0).unwrap();
        assert!(first.is_some() && Lock::try_take(&dir.0).unwrap().is_none());
        drop(first);
        assert!(Lock::try_take(&dir.0).unwrap().is_some());
    }
}
