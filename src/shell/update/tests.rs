//! Updates into ordinary files that stand for partitions.

use std::fs;
use std::io::{self, Cursor, Read};
use std::net::TcpListener;
use std::path::PathBuf;

use intercom_base::language::Language;
use semver::Version;
use sha2::{Digest, Sha256};

use super::bundle::read_bundle;
use super::decision::tests::{Builder, manifest};
use super::decision::{Content, Outcome, Refusal};
use super::{Appliance, Look, Slot, UpdateError};
use crate::shell::notice_board::tests::{told, told_in_each};
use crate::shell::state::tests::TestDir;

struct Lab {
    dir: TestDir,
    builder: Builder,
    appliance: Appliance,
}

/// An appliance that runs 0.1.0 and has an older kernel, for its other slot.
fn lab() -> Lab {
    let (dir, builder) = (TestDir::new(), Builder::new());
    let boot = dir.0.join("boot");
    fs::create_dir_all(boot.join("EFI/Linux")).unwrap();
    for name in ["intercom_0.1.0.efi", "intercom_0.0.9+0-3.efi", "intercom_0.0.8+3.efi.new", "recovery.efi"] {
        fs::write(boot.join("EFI/Linux").join(name), name).unwrap();
    }
    fs::write(dir.0.join("slot"), vec![7; 4 << 20]).unwrap();
    let appliance = Appliance {
        slot: Slot { device: dir.0.join("slot"), boot, running: Some(Version::new(0, 1, 0)) },
        key: builder.key(),
        history: dir.0.join("data/update.toml"),
        notices: dir.0.join("notices"),
    };
    Lab { dir, builder, appliance }
}

fn content(bytes: &[u8]) -> Content {
    let sha256 = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    Content { size: bytes.len() as u64, sha256 }
}

fn tar(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in parts {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

impl Lab {
    /// An update as the builder makes it.
    fn bundle(&self, version: &str) -> Vec<u8> {
        let (root, kernel) = (root(), format!("kernel of {version}"));
        let text = manifest(version, &content(&root), &content(kernel.as_bytes()));
        let signature = self.builder.sign(text.as_bytes());
        tar(&[
            ("manifest.toml", text.as_bytes()),
            ("manifest.toml.minisig", &signature),
            ("root.erofs", &root),
            ("intercom.efi", kernel.as_bytes()),
        ])
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        fs::create_dir_all(self.dir.0.join("stick")).unwrap();
        let path = self.dir.0.join("stick").join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn install(&self, bytes: &[u8]) -> Result<Version, UpdateError> {
        self.appliance.install(self.file("intercom.update", bytes).to_str().unwrap())
    }

    fn kernels(&self) -> Vec<String> {
        let folder = fs::read_dir(self.appliance.slot.boot.join("EFI/Linux")).unwrap();
        let mut names: Vec<String> = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The log's words of what the TV says.
    fn tv(&self) -> String {
        told(&self.appliance.notices, Language::English)[1].concat()
    }

    /// The words of a TV that speaks German; no language repeats another.
    fn german(&self) -> String {
        told_in_each(&self.appliance.notices)[1].1.clone()
    }
}

/// Longer than what is written at once, and of no round length.
fn root() -> Vec<u8> {
    (0..3_333_333_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn version(text: &str) -> Version {
    Version::parse(text).unwrap()
}

#[test]
fn an_update_fills_the_slot_and_gives_its_kernel_three_tries() {
    let lab = lab();
    assert_eq!(lab.install(&lab.bundle("0.2.0")).unwrap(), version("0.2.0"));
    assert_eq!(lab.kernels(), ["intercom_0.1.0.efi", "intercom_0.2.0+3.efi", "recovery.efi"]);
    let slot = fs::read(&lab.appliance.slot.device).unwrap();
    assert!(slot[..root().len()] == root()[..], "the root is what was signed");
    assert_eq!(lab.tv(), "Version 0.2.0 is installed; it starts when nobody is visiting");
    assert_eq!(lab.german(), "Version 0.2.0 ist installiert und startet, sobald niemand mehr zu Besuch ist");

    // The stick stays plugged in; then the new one runs.
    let again = lab.install(&lab.bundle("0.2.0")).unwrap_err();
    assert!(matches!(again, UpdateError::Refused(Refusal::NotNewer { .. })), "{again}");
    let mut new = lab.appliance.clone();
    new.slot.running = Some(version("0.2.0"));
    let outcome = new.confirm().unwrap();
    assert_eq!(outcome, Some(Outcome::Kept { now: version("0.2.0"), before: Some(version("0.1.0")) }));
    assert_eq!(lab.tv(), "Updated from version 0.1.0 to 0.2.0");
    assert_eq!(lab.german(), "Aktualisiert von Version 0.1.0 auf 0.2.0");
    assert_eq!(new.confirm().unwrap(), None);
}

#[test]
fn one_that_did_not_start_is_told_of_and_not_taken_again() {
    let lab = lab();
    lab.install(&lab.bundle("0.2.0")).unwrap();
    assert!(matches!(lab.appliance.confirm(), Ok(Some(Outcome::RolledBack { .. }))));
    assert_eq!(lab.tv(), "Version 0.2.0 did not start, so 0.1.0 runs again");
    assert_eq!(lab.german(), "Version 0.2.0 ist nicht gestartet, deshalb läuft wieder 0.1.0");
    let again = lab.install(&lab.bundle("0.2.0")).unwrap_err();
    assert!(matches!(again, UpdateError::Refused(Refusal::Failed(_))), "{again}");
    assert_eq!(lab.tv(), "Version 0.2.0 did not start, so 0.1.0 runs again", "that is still what matters");
    lab.install(&lab.bundle("0.2.1")).unwrap();
}

#[test]
fn a_version_on_trial_keeps_its_way_back() {
    let lab = lab();
    let folder = lab.appliance.slot.boot.join("EFI/Linux");
    fs::rename(folder.join("intercom_0.1.0.efi"), folder.join("intercom_0.1.0+2-1.efi")).unwrap();
    let (slot, kernels) = (fs::read(&lab.appliance.slot.device).unwrap(), lab.kernels());
    let error = lab.install(&lab.bundle("0.2.0")).unwrap_err().to_string();
    assert!(error.contains("version 0.1.0 is on trial"), "{error}");
    assert!(lab.german().contains("Version 0.1.0 läuft noch auf Probe"), "{}", lab.german());
    assert!(fs::read(&lab.appliance.slot.device).unwrap() == slot);
    assert_eq!(lab.kernels(), kernels);
}

#[test]
fn what_is_not_signed_for_us_changes_nothing() {
    let lab = lab();
    let good = lab.bundle("0.2.0");
    let slot = fs::read(&lab.appliance.slot.device).unwrap();
    let kernels = lab.kernels();
    let mut other = Lab { builder: Builder::new(), ..self::lab() };
    other.builder = Builder::new();
    let long = tar(&[("manifest.toml", &[b'#'; 5000]), ("manifest.toml.minisig", b"")]);
    let name = tar(&[("root.erofs", b"first")]);
    for (what, bytes) in [
        ("another's", other.bundle("0.2.0")),
        ("empty", vec![]),
        ("text", b"hello".repeat(1000)),
        ("zeros", vec![0; 100_000]),
        ("cut in the signature", good[..1600].to_vec()),
        ("a long manifest", long),
        ("another order", name),
    ] {
        let error = lab.install(&bytes).unwrap_err();
        assert!(matches!(error, UpdateError::Refused(Refusal::Unsigned)), "{what}: {error}");
        assert!(lab.tv().contains("it is not signed by the maker of this intercom’s image"), "{what}: {}", lab.tv());
        assert!(lab.german().ends_with("nicht vom Hersteller dieses Systems signiert"), "{}", lab.german());
    }
    assert!(fs::read(&lab.appliance.slot.device).unwrap() == slot);
    assert_eq!(lab.kernels(), kernels);
}

#[test]
fn a_damaged_one_changes_nothing() {
    let lab = lab();
    let good = lab.bundle("0.2.0");
    let (slot, kernels) = (fs::read(&lab.appliance.slot.device).unwrap(), lab.kernels());
    for at in [3000, 1_000_000, 2_500_000, good.len() - 2000] {
        let mut flipped = good.clone();
        flipped[at] ^= 1;
        for (what, bytes) in [("flipped", flipped), ("cut", good[..at].to_vec())] {
            let error = lab.install(&bytes).unwrap_err();
            assert!(matches!(error, UpdateError::Refused(Refusal::Damaged)), "{what} at {at}: {error}");
            assert_eq!(lab.kernels(), kernels, "{what} at {at}");
            assert!(fs::read(&lab.appliance.slot.device).unwrap() == slot, "{what} at {at}");
            assert!(lab.tv().contains("it is damaged; copy it once more"), "{}", lab.tv());
            assert!(lab.german().ends_with("ist aber beschädigt. Bitte noch einmal kopieren"), "{}", lab.german());
        }
    }
    lab.install(&good).unwrap();
}

/// A stick that is pulled, or fails, while what it holds is being written.
#[test]
fn one_that_breaks_off_leaves_no_kernel_and_no_root_that_could_start() {
    for part in [0.01, 0.3, 0.8] {
        let lab = self::lab();
        let good = lab.bundle("0.2.0");
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a file")]
        let at = (good.len() as f64 * part) as usize;
        let mut progress = |_: &Version, _: f32| {};
        let mut taker = lab.appliance.slot.taker(&|_| Ok(()), &mut progress);
        assert!(read_bundle(&good[..at], &lab.appliance.key, &mut taker).is_err());
        drop(taker);
        assert_eq!(lab.kernels(), ["intercom_0.1.0.efi", "recovery.efi"], "cut at {at}");
        if part > 0.5 {
            let slot = fs::read(&lab.appliance.slot.device).unwrap();
            assert!(slot[..1 << 20].iter().all(|byte| *byte == 0), "the head is missing until all else is there");
        }
    }
}

#[test]
fn of_a_stick_the_newest_that_is_ours_is_taken() {
    let lab = lab();
    let stick = |lab: &Lab| lab.appliance.install(lab.dir.0.join("stick").to_str().unwrap());
    lab.file("holiday.jpg", b"picture");
    assert!(matches!(stick(&lab), Err(UpdateError::Source(e)) if e.kind() == io::ErrorKind::NotFound));
    lab.file("a.update", &lab.bundle("0.0.9"));
    assert!(matches!(stick(&lab), Err(UpdateError::Refused(Refusal::NotNewer { .. }))));
    lab.file("b.update", &lab.bundle("0.10.0"));
    lab.file("c.update", &lab.bundle("0.9.0"));
    lab.file("d.update", b"broken");
    lab.file("._e.update", b"what a Mac writes");
    assert_eq!(stick(&lab).unwrap(), version("0.10.0"));
}

#[test]
fn an_address_is_read_only_as_far_as_it_is_wanted() {
    let lab = lab();
    let serve = |bytes: Vec<u8>, length: usize, times: usize| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/intercom.update", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            for client in listener.incoming().take(times) {
                let mut client = client.unwrap();
                let mut request = [0; 1024];
                let _ = client.read(&mut request).unwrap();
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
                let _ = io::Write::write_all(&mut client, head.as_bytes());
                let _ = io::Write::write_all(&mut client, &bytes);
            }
        });
        (address, thread)
    };
    let old = lab.bundle("0.1.0");
    let length = old.len();
    // No more than a kilobyte or two come at all, and that is enough.
    let (address, thread) = serve(old[..4096].to_vec(), length, 1);
    assert!(matches!(lab.appliance.install(&address), Err(UpdateError::Refused(Refusal::NotNewer { .. }))));
    thread.join().unwrap();

    let new = lab.bundle("0.2.0");
    // The version that is in the other slot is the way back, and stays there until all of the new one is here.
    let way_back = lab.appliance.slot.boot.join("EFI/Linux/intercom_0.0.9.efi");
    fs::write(&way_back, "kernel").unwrap();
    let slot = fs::read(&lab.appliance.slot.device).unwrap();
    let (address, thread) = serve(new[..1_500_000].to_vec(), new.len(), 2);
    let error = lab.appliance.install(&address).unwrap_err();
    assert!(matches!(error, UpdateError::Source(_)), "a line that broke off is no damage: {error}");
    assert_eq!(lab.tv(), "", "and nobody at home can do anything about it");
    thread.join().unwrap();
    assert!(way_back.exists() && fs::read(&lab.appliance.slot.device).unwrap() == slot, "the way back is there");
    let mut flipped = new.clone();
    flipped[2_500_000] ^= 1;
    let (address, thread) = serve(flipped, new.len(), 2);
    let error = lab.appliance.install(&address).unwrap_err();
    assert!(matches!(error, UpdateError::Refused(Refusal::Damaged)), "{error}");
    thread.join().unwrap();
    assert!(way_back.exists() && fs::read(&lab.appliance.slot.device).unwrap() == slot, "still");
    assert!(!lab.appliance.history.with_file_name("update.part").exists());

    // Anyone who answers there does not speak TLS.
    let (address, thread) = serve(vec![], 0, 1);
    let error = lab.appliance.install(&address.replace("http:", "https:")).unwrap_err();
    assert!(matches!(error, UpdateError::Source(_)), "{error}");
    thread.join().unwrap();

    let (address, thread) = serve(new.clone(), new.len(), 2);
    assert_eq!(lab.appliance.install(&address).unwrap(), version("0.2.0"));
    thread.join().unwrap();
}

#[test]
fn a_slot_that_is_too_small_or_missing_is_told() {
    let mut lab = lab();
    fs::write(&lab.appliance.slot.device, [0; 100]).unwrap();
    let error = lab.install(&lab.bundle("0.2.0")).unwrap_err().to_string();
    assert!(error.contains("room for 100 bytes"), "{error}");
    assert!(lab.german().contains("Platz für 100 Byte, nicht für 3333333"), "{}", lab.german());
    lab.appliance.slot.device = lab.dir.0.join("nothing");
    let error = lab.install(&lab.bundle("0.2.0")).unwrap_err().to_string();
    assert!(error.contains("nothing: No such file"), "{error}");
    assert!(
        lab.german().starts_with("Ein Update wurde gefunden, lässt sich aber nicht speichern: /"),
        "{}",
        lab.german()
    );
}

/// Extensions of tar that ask for memory or name files elsewhere are never followed.
#[test]
fn tar_is_read_raw() {
    let key = Builder::new().key();
    for kind in [tar::EntryType::GNULongName, tar::EntryType::XHeader, tar::EntryType::XGlobalHeader] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(1 << 60);
        header.set_cksum();
        let endless = Cursor::new(header.as_bytes().to_vec()).chain(io::repeat(b'a'));
        let error = read_bundle(endless, &key, &mut Look(&|_| Ok(()))).unwrap_err();
        assert!(matches!(error, UpdateError::Refused(Refusal::Unsigned)), "{error}");
    }
}
