//! The image as it is flashed, what people write on it, and sticks with updates.
#![allow(dead_code, reason = "tests and bench each use their part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::harness::TempDir;
use crate::harness::ports::free_port;
use crate::machine::{Machine, Parts};

/// From power to a picture on a machine that computes twenty times slower than a real one.
pub const BOOT: Duration = Duration::from_secs(420);

/// A guest is slow: what it shows and sends is small.
pub const SMALL: &str = "[home]\nname = \"Guest\"\n\
    [video]\nwidth = 320\nheight = 180\nfps = 5\nfloor_kbps = 200\nmax_kbps = 400\n\
    [video.reduced]\nwidth = 160\nheight = 90\nfps = 3\nfloor_kbps = 40\nmax_kbps = 100\n\
    [tv]\nfps = 3\n[camera]\ndriver = \"v4l2\"\n[microphone]\ndriver = \"tone\"\n\
    [speaker]\ndriver = \"alsa\"\n[speaker.alsa]\nbuffer_ms = 200\n[display]\ndriver = \"drm\"\n\
    [display.drm]\nmode = \"800x600\"\n";

/// A disk as somebody flashed it, with room for the data to grow.
pub struct Disk {
    folder: TempDir,
    path: PathBuf,
    image: PathBuf,
    /// What a test hands over to the machine on a second disk.
    visitor: PathBuf,
    /// The machine's port 8443 on the host.
    pub port: u16,
}

/// The partitions, in MiB from the disk's beginning; see `image-build/partitions`.
const SETTINGS: u64 = 1 + 128;
const ROOTS: [u64; 2] = [SETTINGS + 40, SETTINGS + 40 + 256];
const DATA: u64 = ROOTS[1] + 256;

impl Disk {
    /// Flashed, and told by its settings where it is reached; `guest` is the folder of the other guests' parts.
    pub fn flashed(guest: &Path) -> Disk {
        let target =
            Path::new(env!("CARGO_BIN_EXE_intercom")).parent().and_then(Path::parent).expect("the target folder");
        let image = target.join("image");
        let status = recipe(&image, "image-build/build")
            .args([Path::new(env!("CARGO_BIN_EXE_intercom")), &image])
            .status()
            .expect("run image-build/build");
        assert!(status.success(), "the image cannot be built");
        let file = image.join(format!("intercom-{}.img.zst", env!("CARGO_PKG_VERSION")));
        let size = fs::metadata(&file).expect("the image").len();
        assert!(size <= 150_000_000, "the image is too large to be handed around: {size} bytes");
        let folder = TempDir::new("appliance");
        let path = folder.path().join("disk");
        let zstd = image.join("work/bin/zstd");
        let unpacked = Command::new(zstd).args(["-q", "-d", "--sparse"]).arg(&file).arg("-o").arg(&path).status();
        assert!(unpacked.expect("run zstd").success(), "the image cannot be unpacked");
        let disk = fs::OpenOptions::new().write(true).open(&path).expect("the disk");
        disk.set_len(2 << 30).expect("a larger disk");
        let disk = Disk { folder, path, image, visitor: guest.join("visitor.tar"), port: free_port() };
        disk.settings(&format!("{SMALL}{}", disk.public_address()));
        disk
    }

    /// The part of the settings that says how the test reaches it.
    pub fn public_address(&self) -> String {
        format!("[network]\npublic_address = \"127.0.0.1:{}\"\n", self.port)
    }

    /// Switches a machine with this disk on, and does not wait for it.
    pub fn power(&self) -> Machine {
        self.power_with(Parts::default())
    }

    /// The same, with these parts.
    pub fn power_with(&self, parts: Parts) -> Machine {
        Machine::appliance(&self.path, &self.visitor, self.port, parts)
    }

    /// The folder that the image was made in.
    pub fn image(&self) -> &Path {
        &self.image
    }

    /// The same, until it takes commands.
    pub fn start(&self) -> Machine {
        Machine::ready(BOOT, || self.power())
    }

    /// The same without camera and sound, and nothing in its network's socket.
    pub fn start_bare(&self) -> Machine {
        Machine::ready(BOOT, || {
            let machine = self.power_with(Parts { devices: false, ..Parts::default() });
            machine.cable(false);
            machine
        })
    }

    /// Writes intercom.toml as a computer with the stick in it does.
    pub fn settings(&self, text: &str) {
        self.write("intercom.toml", text);
    }

    /// Writes another file of the settings' partition.
    pub fn write(&self, name: &str, text: &str) {
        let file = self.folder.path().join(name);
        fs::write(&file, text).expect("write the settings");
        self.copy_into(&format!("{}@@{SETTINGS}M", self.path.display()), &file, name);
    }

    fn copy_into(&self, disk: &str, file: &Path, name: &str) {
        let mcopy = self.image.join("work/bin/mcopy");
        let status = Command::new(mcopy).args(["-o", "-i", disk]).arg(file).arg(format!("::{name}")).status();
        assert!(status.expect("run mcopy").success(), "{name} cannot be written");
    }

    /// An update to another version: `good`, or broken as `tests/guest/variant` says.
    pub fn update(&self, version: &str, kind: &str) -> PathBuf {
        let script = recipe(&self.image, "tests/guest/variant").arg(&self.image).args([version, kind]).output();
        let script = script.expect("run tests/guest/variant");
        assert!(script.status.success(), "{}", String::from_utf8_lossy(&script.stderr));
        self.image.join(format!("variant/intercom-{version}.update"))
    }

    /// A USB stick with one file on it.
    pub fn stick(&self, name: &str, file: &Path) -> PathBuf {
        let stick = self.folder.path().join(format!("stick-{name}"));
        let tool = |name: &str| Command::new(self.image.join("work/bin").join(name));
        let size = fs::metadata(file).expect("the file of the stick").len();
        fs::File::create(&stick).and_then(|stick| stick.set_len(size + (16 << 20))).expect("a stick");
        assert!(tool("mkfs.vfat").arg(&stick).output().expect("run mkfs.vfat").status.success());
        self.copy_into(&stick.display().to_string(), file, name);
        stick
    }

    /// An empty USB stick with this label.
    pub fn labelled_stick(&self, label: &str) -> PathBuf {
        let stick = self.folder.path().join(format!("stick-{label}"));
        fs::File::create(&stick).and_then(|file| file.set_len(16 << 20)).expect("a stick");
        let mkfs = self.image.join("work/bin/mkfs.vfat");
        assert!(Command::new(mkfs).args(["-n", label]).arg(&stick).output().expect("run mkfs.vfat").status.success());
        stick
    }

    /// What is on a stick, as any computer sees it: each folder's files.
    pub fn files_of(&self, stick: &Path) -> Vec<String> {
        let copy = TempDir::new("stick");
        let mut mcopy = Command::new(self.image.join("work/bin/mcopy"));
        let status = mcopy.arg("-s").arg("-i").arg(stick).arg("::*").arg(copy.path()).status();
        assert!(status.expect("run mcopy").success(), "the stick cannot be read");
        let inside = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let paths = inside(copy.path().to_owned()).flat_map(inside);
        paths.map(|path| path.strip_prefix(copy.path()).expect("inside").display().to_string()).collect()
    }

    /// Both slots lose their beginning, as on a disk that dies.
    pub fn break_both_roots(&self) {
        for slot in ROOTS {
            self.zero(slot, 1 << 20);
        }
    }

    /// The data partition loses all that it knows itself by.
    pub fn break_data(&self) {
        self.zero(DATA, 700 << 20);
    }

    /// The data partition is gone from the disk's table, and from the copy of it at the disk's end (UEFI specification, 5.3).
    pub fn lose_data(&self) {
        use std::os::unix::fs::FileExt;
        let disk = fs::OpenOptions::new().read(true).write(true).open(&self.path).expect("the disk");
        let word = |bytes: &[u8], at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        let mut header = [0; 512];
        disk.read_exact_at(&mut header, 512).expect("the table's head");
        for sector in [1, word(&header, 32)] {
            disk.read_exact_at(&mut header, sector * 512).expect("a table's head");
            assert!(header.starts_with(b"EFI PART"), "no partition table in sector {sector}");
            let (at, mut entries) = (word(&header, 72) * 512, vec![0; 128 * 128]);
            disk.read_exact_at(&mut entries, at).expect("a table");
            entries[4 * 128..5 * 128].fill(0);
            header[88..92].copy_from_slice(&crc32(&entries).to_le_bytes());
            header[16..20].fill(0);
            let sum = crc32(&header[..92]);
            header[16..20].copy_from_slice(&sum.to_le_bytes());
            disk.write_all_at(&entries, at).and_then(|()| disk.write_all_at(&header, sector * 512)).expect("write");
        }
    }

    fn zero(&self, mebibyte: u64, length: u64) {
        use std::io::{Seek, SeekFrom, Write};
        let mut disk = fs::OpenOptions::new().write(true).open(&self.path).expect("the disk");
        disk.seek(SeekFrom::Start(mebibyte << 20)).expect("seek");
        for _ in 0..length >> 20 {
            disk.write_all(&[0; 1 << 20]).expect("write");
        }
    }
}

/// A script of the image's; the keys of the tests' images are the tests' own.
fn recipe(image: &Path, script: &str) -> Command {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join(script));
    command.env("UPDATE_KEY", image.with_file_name("test-update.key"));
    command
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xEDB8_8320 } else { sum >> 1 })
    })
}
