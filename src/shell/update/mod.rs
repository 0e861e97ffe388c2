//! `intercom update`: takes a signed update from a stick, a file or an address into the slot that is not in use.
//!
//! On the flashed appliance this is a process of its own, which may write to the disk; the intercom itself may not.
//! They share a folder of notices, which the TV shows. `image-build/README.md` describes the image, its slots and the
//! trial of a new version.
//!
//! | file | what it does |
//! |---|---|
//! | `bundle.rs` | reads the update file, a tar, from front to back |
//! | `decision.rs` | judges the manifest: signature, machine, newer, not tried in vain before |
//! | `slot.rs` | writes into the slot, in the order that survives a power cut |
//!
//! The steps of an installation:
//!
//! 1. Manifest and signature are read. Of several files on a stick, the newest that is wanted is taken.
//! 2. A download is stored whole before anything else. The way back ends with the first byte that is written to the
//!    slot. So nothing that can be cut on its way is written there.
//! 3. The whole file is compared with its manifest, and nothing is written.
//! 4. The file is written into the slot: old kernels of the slot go, then the root without its head, then the head,
//!    then the kernel.
//! 5. The machine restarts when nobody visits, or after a day.
//!
//! The TV shows what somebody at home can do something about. It does not mention an address that has nothing new or
//! does not answer.

pub mod bundle;
pub mod decision;
mod slot;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use intercom_core::tv::message::{Message, Percent, Text};
use minisign_verify::PublicKey;
use semver::Version;
use sha2::{Digest, Sha256};

use crate::shell::state::{self, Lock};
use crate::shell::{clock, notice_board};
use bundle::{EXTENSION, Taker, read_bundle};
use decision::{Content, History, Manifest, Outcome, Refusal};

pub use slot::Slot;

/// Files on a stick that are looked into.
const MOST_FILES: usize = 32;
/// For a download as a whole; the next one is tried tomorrow.
const DOWNLOAD_WITHIN: Duration = Duration::from_secs(4 * 3600);
/// Longest download.
const MOST_BYTES: u64 = 4 << 30;
/// For a server to be reached, and to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// A page that is never closed does not hold an update up for longer.
const LONGEST_VISIT: Duration = Duration::from_secs(24 * 3600);

/// Why an update was not installed.
#[derive(Debug)]
pub enum UpdateError {
    /// It is not to be.
    Refused(Refusal),
    /// It could not be read.
    Source(io::Error),
    /// It could not be written; in words, with where.
    Target(String),
    /// What runs is on trial, and what it falls back to is in the slot.
    OnTrial(Version),
    /// The slot is too small, in bytes.
    NoRoom {
        /// Of the slot.
        room: u64,
        /// Of the update's root.
        size: u64,
    },
    /// The disk gives back other bytes than it got.
    DiskFails,
    /// This machine does not run the flashed image.
    NotHere(String),
}

impl fmt::Display for UpdateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UpdateError::Refused(refusal) => refusal.fmt(f),
            UpdateError::Source(e) => write!(f, "it cannot be read: {e}"),
            UpdateError::Target(what) => write!(f, "it cannot be written: {what}"),
            UpdateError::OnTrial(version) => {
                write!(f, "it cannot be written: version {version} is on trial, and the other slot its way back")
            }
            UpdateError::NoRoom { room, size } => {
                write!(f, "it cannot be written: the slot has room for {room} bytes, not for {size}")
            }
            UpdateError::DiskFails => {
                f.write_str("it cannot be written: what was written is not what is read back; the disk is failing")
            }
            UpdateError::NotHere(what) => write!(f, "only the flashed image is updated this way ({what})"),
        }
    }
}

impl std::error::Error for UpdateError {}

impl From<Refusal> for UpdateError {
    fn from(refusal: Refusal) -> UpdateError {
        UpdateError::Refused(refusal)
    }
}

impl UpdateError {
    /// For the TV, if somebody at home can do something about it.
    fn message(&self) -> Option<Message> {
        match self {
            UpdateError::Refused(refusal) => refusal.message(),
            UpdateError::Source(error) => Some(Message::UpdateUnreadable { why: Text::new(error) }),
            UpdateError::Target(what) => Some(Message::UpdateUnwritable { why: Text::new(what) }),
            UpdateError::OnTrial(version) => Some(Message::UpdateOnTrial { version: Text::new(version) }),
            UpdateError::NoRoom { room, size } => Some(Message::UpdateNoRoom { room: *room, size: *size }),
            UpdateError::DiskFails => Some(Message::UpdateDiskFails),
            // It is said before anything is installed.
            UpdateError::NotHere(_) => None,
        }
    }

    /// Names what was written to.
    fn told(self, path: &Path) -> UpdateError {
        match self {
            UpdateError::Target(what) => UpdateError::Target(format!("{}: {what}", path.display())),
            other => other,
        }
    }
}

/// The appliance as an update finds it.
#[derive(Clone, Debug)]
pub struct Appliance {
    /// Where updates go.
    pub slot: Slot,
    /// Whose updates are taken.
    pub key: PublicKey,
    /// What became of earlier updates; a file.
    pub history: PathBuf,
    /// The TV's notices; a folder.
    pub notices: PathBuf,
}

impl Appliance {
    /// The one that this machine is.
    ///
    /// # Errors
    /// If it does not run the image.
    pub fn here() -> Result<Appliance, UpdateError> {
        let run = Path::new("/run/appliance");
        let read = |path: &str| fs::read_to_string(path).map_err(|e| UpdateError::NotHere(format!("{path}: {e}")));
        let release = read("/etc/os-release")?;
        let version = release.lines().find_map(|line| line.strip_prefix("IMAGE_VERSION="));
        let version = version.and_then(|text| Version::parse(text.trim_matches('"')).ok());
        let recovery = run.join("recovery").exists();
        if version.is_none() && !recovery {
            return Err(UpdateError::NotHere("/etc/os-release has no IMAGE_VERSION".into()));
        }
        let key = read("/usr/share/intercom/update.pub")?;
        let key = PublicKey::decode(&key).map_err(|e| UpdateError::NotHere(format!("update.pub: {e}")))?;
        let slot = Slot { device: run.join("spare"), boot: "/boot".into(), running: version.filter(|_| !recovery) };
        Ok(Appliance { slot, key, history: "/var/lib/appliance/update.toml".into(), notices: run.join("notices") })
    }

    /// Installs the update of a file, the newest of a folder (a stick), or one from an address that begins with `http`.
    ///
    /// # Errors
    /// Why none was installed. What ran runs on, and the TV has been told whatever somebody at home can do something about.
    pub fn install(&self, source: &str) -> Result<Version, UpdateError> {
        let _one_at_a_time = self.lock()?;
        let result = self.install_from(source);
        match &result {
            Ok(version) => self.tell(Some(&Message::UpdateInstalled { version: Text::new(version) })),
            // It is tried again tomorrow.
            Err(UpdateError::Source(_)) if is_address(source) => self.tell(None),
            // Without a message, what was told before still counts.
            Err(error) => error.message().iter().for_each(|message| self.tell(Some(message))),
        }
        result
    }

    fn install_from(&self, source: &str) -> Result<Version, UpdateError> {
        let mut history = self.read_history();
        // What is installed already waits for its first start.
        let newest = history.installed.as_ref().max(self.slot.running.as_ref()).cloned();
        let wanted = |manifest: &Manifest| history.judge(manifest, newest.as_ref());
        let mut percent = None;
        let mut progress = |version: &Version, part: f32| {
            let now = Percent::of(part);
            if percent.replace(now) != Some(now) {
                self.tell(Some(&Message::UpdateInstalling { version: Text::new(version), percent: now }));
            }
        };
        // The way back goes with the first byte that is written: what can be cut on its way is here whole before that.
        let (file, _fetched) = match is_address(source) {
            true => {
                read_bundle(download(source)?, &self.key, &mut Look(&wanted))?;
                let fetched = Fetched::fetch(source, &self.history.with_file_name("update.part"))?;
                (fetched.0.clone(), Some(fetched))
            }
            false => (self.newest(Path::new(source), &wanted)?, None),
        };
        // All of it is signed for, or nothing is touched.
        read_bundle(open(&file)?, &self.key, &mut Whole(&wanted))?;
        let mut taker = self.slot.taker(&wanted, &mut progress);
        let manifest = read_bundle(open(&file)?, &self.key, &mut taker)?;
        drop(taker);
        history.handle_installed(&manifest.version, self.slot.running.as_ref());
        // Without it only the TV would not know what became of the update.
        if let Err(error) = self.write_history(&history) {
            log::warn!("{error}");
        }
        Ok(manifest.version)
    }

    /// The file itself, or of a folder's files the one with the newest version that is wanted.
    fn newest(&self, path: &Path, wanted: &dyn Fn(&Manifest) -> Result<(), Refusal>) -> Result<PathBuf, UpdateError> {
        if !path.is_dir() {
            return Ok(path.to_owned());
        }
        let mut files: Vec<PathBuf> = fs::read_dir(path)
            .map_err(UpdateError::Source)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            // Other systems put files of their own beside each, whose names begin with a dot.
            .filter(|file| file.extension().is_some_and(|e| e == EXTENSION))
            .filter(|file| file.file_name().is_some_and(|name| !name.as_encoded_bytes().starts_with(b".")))
            .collect();
        files.sort();
        files.truncate(MOST_FILES);
        let (mut best, mut refusal) = (None::<(Version, PathBuf)>, None);
        for file in files {
            match open(&file).and_then(|source| read_bundle(source, &self.key, &mut Look(wanted))) {
                Ok(manifest) if best.as_ref().is_none_or(|(version, _)| manifest.version > *version) => {
                    best = Some((manifest.version, file));
                }
                Ok(_) => {}
                Err(error) => {
                    log::info!("{}: {error}", file.display());
                    // What somebody can do something about is worth more than that the rest is old.
                    let old = matches!(error, UpdateError::Refused(Refusal::NotNewer { .. } | Refusal::Failed(_)));
                    if refusal.is_none() || !old {
                        refusal = Some(error);
                    }
                }
            }
        }
        let none = || UpdateError::Source(io::Error::new(io::ErrorKind::NotFound, "there is no update file"));
        best.map(|(_, file)| file).ok_or_else(|| refusal.unwrap_or_else(none))
    }

    /// What runs has started well; tells what became of the last update, if there was one.
    ///
    /// # Errors
    /// If that cannot be kept: it would be shown again.
    pub fn confirm(&self) -> Result<Option<Outcome>, UpdateError> {
        let Some(running) = &self.slot.running else { return Ok(None) };
        let _one_at_a_time = self.lock()?;
        let mut history = self.read_history();
        let Some(outcome) = history.handle_started(running) else { return Ok(None) };
        self.tell(Some(&outcome.message()));
        self.write_history(&history)?;
        Ok(Some(outcome))
    }

    /// Slot and history are one process's at a time.
    fn lock(&self) -> Result<Lock, UpdateError> {
        let lock = self.history.with_extension("lock");
        if let Some(folder) = lock.parent() {
            fs::create_dir_all(folder).map_err(|e| UpdateError::Target(format!("{}: {e}", folder.display())))?;
        }
        Lock::wait(&lock).map_err(|e| UpdateError::Target(e.to_string()))
    }

    fn read_history(&self) -> History {
        let text = fs::read_to_string(&self.history).unwrap_or_default();
        // A history that cannot be read is none; an update that fails again is passed over again.
        toml::from_str(&text).unwrap_or_default()
    }

    fn write_history(&self, history: &History) -> Result<(), UpdateError> {
        let target = |e: &dyn fmt::Display| UpdateError::Target(e.to_string());
        let text = toml::to_string(history).map_err(|e| target(&e))?;
        state::write(&self.history, text.as_bytes(), 0o600).map_err(|e| target(&e))
    }

    /// Has the TV say something of updates, or no longer.
    fn tell(&self, what: Option<&Message>) {
        if let Err(error) = notice_board::leave(&self.notices, "update", what) {
            log::warn!("the TV cannot be told of the update: {}: {error}", self.notices.display());
        }
    }
}

/// A download, gone when it is dropped.
struct Fetched(PathBuf);

impl Fetched {
    fn fetch(address: &str, path: &Path) -> Result<Fetched, UpdateError> {
        let target = |e: io::Error| UpdateError::Target(format!("{}: {e}", path.display()));
        let fetched = Fetched(path.to_owned());
        let mut file = File::create(path).map_err(target)?;
        let mut from = download(address)?.take(MOST_BYTES);
        let mut chunk = vec![0; 64 * 1024];
        loop {
            match from.read(&mut chunk) {
                Ok(0) => return Ok(fetched),
                Ok(count) => file.write_all(&chunk[..count]).map_err(target)?,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(UpdateError::Source(e)),
            }
        }
    }
}

impl Drop for Fetched {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Reads to the end, and writes nothing: what does not fit its manifest is found out.
struct Whole<'a>(&'a dyn Fn(&Manifest) -> Result<(), Refusal>);

impl Taker for Whole<'_> {
    fn manifest(&mut self, manifest: &Manifest) -> Result<bool, UpdateError> {
        (self.0)(manifest)?;
        Ok(true)
    }

    fn root(&mut self, manifest: &Manifest, from: &mut dyn Read) -> Result<(), UpdateError> {
        check(&manifest.root, from)
    }

    fn kernel(&mut self, manifest: &Manifest, from: &mut dyn Read) -> Result<(), UpdateError> {
        check(&manifest.kernel, from)
    }
}

fn check(content: &Content, from: &mut dyn Read) -> Result<(), UpdateError> {
    let (mut hash, mut chunk, mut size) = (Sha256::new(), vec![0; 1 << 20], 0u64);
    loop {
        let count = match from.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => count,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            // Tar's word for a file that is cut.
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(e) => return Err(UpdateError::Source(e)),
        };
        hash.update(&chunk[..count]);
        size += count as u64;
    }
    let hash: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if size == content.size && hash == content.sha256 { Ok(()) } else { Err(Refusal::Damaged.into()) }
}

/// Reads no further than the manifest.
struct Look<'a>(&'a dyn Fn(&Manifest) -> Result<(), Refusal>);

impl Taker for Look<'_> {
    fn manifest(&mut self, manifest: &Manifest) -> Result<bool, UpdateError> {
        (self.0)(manifest)?;
        Ok(false)
    }

    fn root(&mut self, _: &Manifest, _: &mut dyn Read) -> Result<(), UpdateError> {
        Ok(())
    }

    fn kernel(&mut self, _: &Manifest, _: &mut dyn Read) -> Result<(), UpdateError> {
        Ok(())
    }
}

fn open(file: &Path) -> Result<io::BufReader<File>, UpdateError> {
    let open = File::open(file).map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", file.display())));
    Ok(io::BufReader::new(open.map_err(UpdateError::Source)?))
}

fn is_address(source: &str) -> bool {
    source.starts_with("http://") || source.starts_with("https://")
}

/// The body of what an address answers. Nobody on the way has to be believed: the signature tells who made it.
fn download(address: &str) -> Result<impl Read, UpdateError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ureq::tls::TlsConfig::builder().unversioned_rustls_crypto_provider(provider).build();
    let agent = ureq::Agent::config_builder()
        .tls_config(tls)
        .timeout_connect(Some(ANSWER_WITHIN))
        .timeout_recv_response(Some(ANSWER_WITHIN))
        .timeout_global(Some(DOWNLOAD_WITHIN))
        .build()
        .new_agent();
    let failed = |e: ureq::Error| UpdateError::Source(io::Error::other(format!("{address}: {e}")));
    Ok(agent.get(address).call().map_err(failed)?.into_body().into_reader())
}

/// Restarts the machine once nobody is visiting, or after a day of visits.
///
/// # Errors
/// If systemd does not do it.
pub fn restart(visits: impl Fn() -> Option<u64>) -> Result<(), String> {
    let until = clock::now() + LONGEST_VISIT;
    while visits().is_some_and(|visits| visits > 0) && clock::now() < until {
        std::thread::sleep(Duration::from_secs(2));
    }
    match Command::new("systemctl").arg("reboot").status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("systemctl reboot: {status}")),
        Err(e) => Err(format!("systemctl: {e}")),
    }
}
