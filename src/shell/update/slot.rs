//! Where an update goes: the slot that is not in use, and the boot partition.
//!
//! At no moment is there a kernel without its root. Kernels of the slot go first; then all of the root is written but its
//! head, by which the first program finds it; what was written is read back; then the head, and at last the kernel, under
//! a name by which the boot loader gives it three tries. While what runs is on trial itself, the other slot is what it falls
//! back to, and stays as it is.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, OFlags, fadvise};
use semver::Version;
use sha2::{Digest, Sha256};

use super::decision::{Content, Manifest, Refusal};
use crate::shell::update::UpdateError;
use crate::shell::update::bundle::Taker;

/// Written and read at once; the root's first so many bytes are written last.
const CHUNK: usize = 1 << 20;
/// Told to the disk after so many bytes, so that a visit that goes on is not held up by all of them at the end.
const SYNC: u64 = 8 << 20;
/// How often the boot loader starts a version that nobody has kept.
const TRIES: u32 = 3;

/// The slot and the boot partition.
#[derive(Clone, Debug)]
pub struct Slot {
    /// The partition that nothing runs from.
    pub device: PathBuf,
    /// Where the boot partition is mounted.
    pub boot: PathBuf,
    /// What runs; nothing does in a recovery.
    pub running: Option<Version>,
}

impl Slot {
    /// Takes a bundle apart into this slot. `wanted` is asked before anything is written, `progress` told how much of the
    /// whole is there, 0–1.
    pub fn taker<'a>(
        &'a self,
        wanted: &'a dyn Fn(&Manifest) -> Result<(), Refusal>,
        progress: &'a mut dyn FnMut(&Version, f32),
    ) -> impl Taker + 'a {
        Installer { slot: self, wanted, progress, written: 0 }
    }

    fn kernels(&self) -> PathBuf {
        self.boot.join("EFI/Linux")
    }

    /// Fails while what runs may still have to make way for the slot.
    fn is_free(&self) -> Result<(), UpdateError> {
        match &self.running {
            // Kept, it has lost its count of tries.
            Some(running) if !self.kernels().join(format!("intercom_{running}.efi")).exists() => {
                Err(UpdateError::OnTrial(running.clone()))
            }
            _ => Ok(()),
        }
    }

    /// Removes the kernels of the slot, and what is left of one that was not written to its end.
    fn forget_the_slot(&self) -> Result<(), UpdateError> {
        let folder = self.kernels();
        let cannot = |e: io::Error| UpdateError::Target(format!("{}: {e}", folder.display()));
        let kept = self.running.as_ref().map(|version| format!("intercom_{version}"));
        for entry in fs::read_dir(&folder).map_err(cannot)? {
            let name = entry.map_err(cannot)?.file_name();
            let name = name.to_string_lossy();
            // `intercom_0.2.0.efi`, or with the tries that are left and were made: `intercom_0.2.0+2-1.efi`.
            let Some(stem) = name.strip_suffix(".efi").or(name.strip_suffix(".efi.new")) else { continue };
            let version = stem.rsplit_once('+').map_or(stem, |(version, _)| version);
            if version.starts_with("intercom_") && (Some(version) != kept.as_deref() || name.ends_with(".new")) {
                fs::remove_file(folder.join(&*name)).map_err(cannot)?;
            }
        }
        sync_folder(&folder).map_err(cannot)
    }
}

struct Installer<'a> {
    slot: &'a Slot,
    wanted: &'a dyn Fn(&Manifest) -> Result<(), Refusal>,
    progress: &'a mut dyn FnMut(&Version, f32),
    written: u64,
}

impl Taker for Installer<'_> {
    fn manifest(&mut self, manifest: &Manifest) -> Result<bool, UpdateError> {
        (self.wanted)(manifest)?;
        self.slot.is_free()?;
        self.slot.forget_the_slot()?;
        Ok(true)
    }

    fn root(&mut self, manifest: &Manifest, part: &mut dyn Read) -> Result<(), UpdateError> {
        let slot = &self.slot.device;
        let cannot = |e: io::Error| UpdateError::Target(format!("{}: {e}", slot.display()));
        // Exclusive: a partition that is mounted is refused by the kernel.
        let flags = OFlags::EXCL.bits().cast_signed();
        let mut file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(slot).map_err(cannot)?;
        let room = file.seek(SeekFrom::End(0)).map_err(cannot)?;
        file.rewind().map_err(cannot)?;
        if room < manifest.root.size {
            return Err(UpdateError::NoRoom { room, size: manifest.root.size });
        }
        let head = self.write(manifest, &manifest.root, part, &mut file, true).map_err(|e| e.told(slot))?;
        file.write_all_at(&head, 0).and_then(|()| file.sync_all()).map_err(cannot)
    }

    fn kernel(&mut self, manifest: &Manifest, part: &mut dyn Read) -> Result<(), UpdateError> {
        let folder = self.slot.kernels();
        let name = format!("intercom_{}+{TRIES}.efi", manifest.version);
        let beside = folder.join(format!("{name}.new"));
        let cannot = |e: io::Error| UpdateError::Target(format!("{}: {e}", beside.display()));
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&beside);
        let mut file = open.map_err(cannot)?;
        self.write(manifest, &manifest.kernel, part, &mut file, false).map_err(|e| {
            // What is half there only takes room.
            let _ = fs::remove_file(&beside);
            e.told(&beside)
        })?;
        drop(file);
        fs::rename(&beside, folder.join(name)).and_then(|()| sync_folder(&folder)).map_err(cannot)
    }
}

impl Installer<'_> {
    /// Writes a part and reads it back. With `behead`, zeros stand for its first chunk, which is returned.
    fn write(
        &mut self,
        manifest: &Manifest,
        content: &Content,
        part: &mut dyn Read,
        file: &mut File,
        behead: bool,
    ) -> Result<Vec<u8>, UpdateError> {
        let target = |e: io::Error| UpdateError::Target(e.to_string());
        let total = manifest.root.size + manifest.kernel.size;
        let (mut buffer, mut head) = (vec![0; CHUNK], Vec::new());
        let (mut sum, mut done) = (Sha256::new(), 0);
        while done < content.size {
            let want = CHUNK.min(usize::try_from(content.size - done).unwrap_or(CHUNK));
            part.read_exact(&mut buffer[..want]).map_err(|e| match e.kind() {
                io::ErrorKind::UnexpectedEof => Refusal::Damaged.into(),
                _ => UpdateError::Source(e),
            })?;
            sum.update(&buffer[..want]);
            if done == 0 && behead {
                head = buffer[..want].to_vec();
                buffer[..want].fill(0);
            }
            file.write_all(&buffer[..want]).map_err(target)?;
            done += want as u64;
            self.written += want as u64;
            if done % SYNC == 0 || done == content.size {
                file.sync_data().map_err(target)?;
                #[allow(clippy::cast_precision_loss, reason = "for people")]
                (self.progress)(&manifest.version, self.written as f32 / total.max(1) as f32);
            }
        }
        if !same(sum, content) {
            return Err(Refusal::Damaged.into());
        }

        file.sync_all().map_err(target)?;
        // From the disk, not from memory.
        fadvise(&*file, 0, None, Advice::DontNeed).map_err(|e| target(e.into()))?;
        let (mut sum, mut done) = (Sha256::new(), 0);
        file.rewind().map_err(target)?;
        while done < content.size {
            let want = CHUNK.min(usize::try_from(content.size - done).unwrap_or(CHUNK));
            file.read_exact(&mut buffer[..want]).map_err(target)?;
            sum.update(if done == 0 && behead { &head } else { &buffer[..want] });
            done += want as u64;
        }
        if !same(sum, content) {
            return Err(UpdateError::DiskFails);
        }
        Ok(head)
    }
}

fn same(sum: Sha256, content: &Content) -> bool {
    let digits: String = sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    digits == content.sha256
}

/// A name is durable only once its folder is. FAT has nothing of the kind and writes what it is told by then.
fn sync_folder(folder: &Path) -> io::Result<()> {
    let file = File::open(folder)?;
    file.sync_all()?;
    rustix::fs::syncfs(&file)?;
    Ok(())
}
