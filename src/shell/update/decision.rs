//! Updates of the flashed appliance: who made one, whether it is wanted, and what became of the last one.

use std::fmt;

use intercom_core::tv::message::{Message, Text};
use minisign_verify::{PublicKey, Signature};
use semver::Version;
use serde::{Deserialize, Serialize};

/// What a manifest must call itself to be for this program at all.
pub const PRODUCT: &str = "golocal-intercom";

/// Longest manifest and longest signature, in bytes.
pub const LONGEST_MANIFEST: u64 = 4096;

/// One part of an update.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// In bytes.
    pub size: u64,
    /// In lower-case hexadecimal digits.
    pub sha256: String,
}

/// What an update is; its builder signs this text, which stands for all that follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// What the appliance is afterwards.
    pub version: Version,
    /// The system: an image of a read-only file system, for a slot.
    pub root: Content,
    /// The kernel with all that it starts with: a UEFI program, for the boot partition.
    pub kernel: Content,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestText {
    product: String,
    architecture: String,
    version: String,
    root: Content,
    kernel: Content,
}

/// Why an update is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no signature where one must be, or it was made with another key.
    Unsigned,
    /// The bytes are not those that were signed, or end early.
    Damaged,
    /// It is signed and says what this program does not understand.
    Unknown(String),
    /// For another machine.
    Architecture(String),
    /// What runs is as new, or newer.
    NotNewer {
        /// Of the update.
        offered: Version,
        /// Of the appliance.
        running: Version,
    },
    /// It was tried before and did not start.
    Failed(Version),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Unsigned => f.write_str("it is not signed by the maker of this intercom's image"),
            Refusal::Damaged => f.write_str("it is damaged; copy it once more"),
            Refusal::Unknown(what) => write!(f, "this version cannot read it ({what})"),
            Refusal::Architecture(other) => write!(f, "it is for another kind of machine ({other})"),
            Refusal::NotNewer { offered, running } => write!(f, "it has version {offered}, and {running} runs"),
            Refusal::Failed(version) => write!(f, "version {version} was tried before and did not start"),
        }
    }
}

impl std::error::Error for Refusal {}

impl Refusal {
    /// For the TV, if somebody at home can do something about it. A stick that stays plugged in, and an address that has nothing new,
    /// are none of their business.
    pub fn message(&self) -> Option<Message> {
        match self {
            Refusal::Unsigned => Some(Message::UpdateUnsigned),
            Refusal::Damaged => Some(Message::UpdateDamaged),
            Refusal::Unknown(what) => Some(Message::UpdateUnknown { why: Text::new(what) }),
            Refusal::Architecture(other) => Some(Message::UpdateOtherMachine { machine: Text::new(other) }),
            Refusal::NotNewer { .. } | Refusal::Failed(_) => None,
        }
    }
}

/// Reads a manifest, if `signature` (as minisign writes it) says that the holder of `key` wrote it.
///
/// # Errors
/// [`Refusal::Unsigned`] before a byte of it is understood; then what is wrong with it.
pub fn read_manifest(text: &[u8], signature: &[u8], key: &PublicKey) -> Result<Manifest, Refusal> {
    let signature = std::str::from_utf8(signature).map_err(|_| Refusal::Unsigned)?;
    let signature = Signature::decode(signature).map_err(|_| Refusal::Unsigned)?;
    key.verify(text, &signature, false).map_err(|_| Refusal::Unsigned)?;

    let unknown = |what: &dyn fmt::Display| Refusal::Unknown(what.to_string());
    let text = std::str::from_utf8(text).map_err(|e| unknown(&e))?;
    let text: ManifestText = toml::from_str(text).map_err(|e| unknown(&e.message()))?;
    if text.product != PRODUCT {
        return Err(unknown(&format!("it is for {}", text.product)));
    }
    if text.architecture != std::env::consts::ARCH {
        return Err(Refusal::Architecture(text.architecture));
    }
    let version = Version::parse(&text.version).map_err(|e| unknown(&format!("version {}: {e}", text.version)))?;
    // A plus sign begins the boot loader's count of tries in a kernel's name.
    if !version.build.is_empty() {
        return Err(unknown(&format!("version {version} has a +")));
    }
    Ok(Manifest { version, root: text.root, kernel: text.kernel })
}

/// What became of earlier updates; kept on the data partition as TOML.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    /// Installed, and neither kept nor given up so far.
    pub installed: Option<Version>,
    /// What ran when that was installed.
    pub instead_of: Option<Version>,
    /// Did not start; not tried again.
    pub failed: Vec<Version>,
}

/// Of versions that failed, as many are remembered.
const REMEMBERED: usize = 16;

/// What became of the last update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It runs, and runs well.
    Kept {
        /// What runs.
        now: Version,
        /// What ran before, if that is known.
        before: Option<Version>,
    },
    /// It did not start, and what ran before runs again.
    RolledBack {
        /// What did not start.
        failed: Version,
        /// What runs.
        now: Version,
    },
}

impl Outcome {
    /// For the TV.
    pub fn message(&self) -> Message {
        match self {
            Outcome::Kept { now, before: Some(before) } => {
                Message::Updated { before: Text::new(before), now: Text::new(now) }
            }
            Outcome::Kept { now, before: None } => Message::UpdatedFirst { now: Text::new(now) },
            Outcome::RolledBack { failed, now } => {
                Message::UpdateRolledBack { failed: Text::new(failed), now: Text::new(now) }
            }
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message().english())
    }
}

impl History {
    /// Whether an update is to be installed where `running` runs; a recovery runs nothing.
    ///
    /// # Errors
    /// Why it is not.
    pub fn judge(&self, offered: &Manifest, running: Option<&Version>) -> Result<(), Refusal> {
        if let Some(running) = running
            && offered.version <= *running
        {
            return Err(Refusal::NotNewer { offered: offered.version.clone(), running: running.clone() });
        }
        if self.failed.contains(&offered.version) {
            return Err(Refusal::Failed(offered.version.clone()));
        }
        Ok(())
    }

    /// A version was installed, and the next start will be its first.
    pub fn handle_installed(&mut self, version: &Version, running: Option<&Version>) {
        self.installed = Some(version.clone());
        self.instead_of = running.cloned();
    }

    /// `running` has started, and the boot loader will start it again. What became of the update, if there was one.
    pub fn handle_started(&mut self, running: &Version) -> Option<Outcome> {
        let installed = self.installed.take()?;
        let before = self.instead_of.take();
        if installed == *running {
            return Some(Outcome::Kept { now: installed, before });
        }
        // The boot loader passes over the newest only when its tries are used up.
        if !self.failed.contains(&installed) {
            self.failed.push(installed.clone());
        }
        let forgotten = self.failed.len().saturating_sub(REMEMBERED);
        self.failed.drain(..forgotten);
        Some(Outcome::RolledBack { failed: installed, now: running.clone() })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A builder's keys, which sign as the builder's tool does.
    pub(crate) struct Builder(minisign::KeyPair);

    impl Builder {
        pub(crate) fn new() -> Builder {
            Builder(minisign::KeyPair::generate_unencrypted_keypair().unwrap())
        }

        pub(crate) fn key(&self) -> PublicKey {
            PublicKey::decode(&self.0.pk.to_box().unwrap().to_string()).unwrap()
        }

        pub(crate) fn sign(&self, text: &[u8]) -> Vec<u8> {
            minisign::sign(None, &self.0.sk, text, None, None).unwrap().to_string().into_bytes()
        }
    }

    pub(crate) fn manifest(version: &str, root: &Content, kernel: &Content) -> String {
        let part =
            |name, content: &Content| format!("[{name}]\nsize = {}\nsha256 = \"{}\"\n", content.size, content.sha256);
        let head = format!(
            "product = \"{PRODUCT}\"\narchitecture = \"{}\"\nversion = \"{version}\"\n",
            std::env::consts::ARCH
        );
        head + &part("root", root) + &part("kernel", kernel)
    }

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    fn offered(text: &str) -> Manifest {
        let content = Content { size: 0, sha256: String::new() };
        Manifest { version: version(text), root: content.clone(), kernel: content }
    }

    #[test]
    fn a_manifest_is_read_only_with_its_builders_signature() {
        let (builder, other) = (Builder::new(), Builder::new());
        let text = manifest(
            "0.2.0",
            &Content { size: 5_000_000, sha256: "0".repeat(64) },
            &Content { size: 3, sha256: "1".repeat(64) },
        );
        let (text, signature, key) = (text.as_bytes(), builder.sign(text.as_bytes()), builder.key());
        let read = read_manifest(text, &signature, &key).unwrap();
        assert_eq!((read.version, read.root.size), (version("0.2.0"), 5_000_000));

        assert_eq!(read_manifest(text, &other.sign(text), &key), Err(Refusal::Unsigned), "another's key");
        for end in 0..signature.len() - 1 {
            assert_eq!(read_manifest(text, &signature[..end], &key), Err(Refusal::Unsigned), "cut at {end}");
        }
        for at in 0..text.len() {
            let mut changed = text.to_vec();
            changed[at] ^= 1;
            assert_eq!(read_manifest(&changed, &signature, &key), Err(Refusal::Unsigned), "byte {at}");
        }
    }

    #[test]
    fn what_is_signed_and_not_for_us_is_told_in_words() {
        let builder = Builder::new();
        let told = |text: &str| {
            read_manifest(text.as_bytes(), &builder.sign(text.as_bytes()), &builder.key()).unwrap_err().to_string()
        };
        let content = Content { size: 1, sha256: "0".repeat(64) };
        let good = manifest("0.2.0", &content, &content);
        assert_eq!(told(&good.replace(std::env::consts::ARCH, "vax")), "it is for another kind of machine (vax)");
        assert_eq!(told(&good.replace(PRODUCT, "toaster")), "this version cannot read it (it is for toaster)");
        assert!(told(&good.replace("0.2.0", "2")).contains("version 2: "));
        assert!(told(&good.replace("0.2.0", "0.2.0+3")).contains("has a +"));
        assert!(told(&format!("{good}later = true\n")).contains("unknown field `later`"));
    }

    #[test]
    fn only_what_is_newer_and_never_failed_is_wanted() {
        let mut history = History::default();
        let running = version("0.9.1");
        assert_eq!(history.judge(&offered("0.10.0"), Some(&running)), Ok(()), "numbers, not letters, are compared");
        for older in ["0.9.1", "0.9.0", "0.9.1-rc.1"] {
            let refusal = history.judge(&offered(older), Some(&running)).unwrap_err();
            assert_eq!(refusal, Refusal::NotNewer { offered: version(older), running: running.clone() });
        }
        assert_eq!(history.judge(&offered("0.0.1"), None), Ok(()), "where nothing runs, anything is better");
        history.failed.push(version("0.10.0"));
        assert_eq!(history.judge(&offered("0.10.0"), Some(&running)), Err(Refusal::Failed(version("0.10.0"))));
        assert_eq!(history.judge(&offered("0.10.1"), Some(&running)), Ok(()), "the next one may be better");
    }

    #[test]
    fn a_start_tells_once_what_became_of_the_update() {
        let (old, new) = (version("0.1.0"), version("0.2.0"));
        let mut history = History::default();
        assert_eq!(history.handle_started(&old), None);
        history.handle_installed(&new, Some(&old));
        let mut other = history.clone();
        assert_eq!(history.handle_started(&new).unwrap().to_string(), "Updated from version 0.1.0 to 0.2.0");
        assert_eq!(history, History::default());

        let told = other.handle_started(&old).unwrap().to_string();
        assert_eq!(told, "Version 0.2.0 did not start, so 0.1.0 runs again");
        assert_eq!(other.failed.as_slice(), std::slice::from_ref(&new));
        assert_eq!(other.handle_started(&old), None);
        // As it is on the disk.
        let text = toml::to_string(&other).unwrap();
        assert_eq!(toml::from_str::<History>(&text).unwrap(), other);
    }

    #[test]
    fn the_memory_of_failures_is_bounded() {
        let mut history = History::default();
        for patch in 0..100 {
            history.handle_installed(&Version::new(1, 0, patch), None);
            history.handle_started(&Version::new(0, 1, 0));
        }
        assert_eq!(history.failed.len(), REMEMBERED);
        assert!(history.failed.contains(&Version::new(1, 0, 99)));
    }
}
