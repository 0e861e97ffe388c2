//! An update file: a tar of a manifest, its signature, the root and the kernel, read once from front to back.
//!
//! So whether an update is wanted is known after its first two kilobytes, and nobody has to seek. Nothing is believed
//! before the signature is checked: until then entries are only looked at by name, within bounds.

use std::cell::Cell;
use std::io::{self, Read};

use minisign_verify::PublicKey;
use tar::{Archive, Entry};

use super::decision::{LONGEST_MANIFEST, Manifest, Refusal, read_manifest};
use crate::shell::update::UpdateError;

/// What an update's file name ends with.
pub const EXTENSION: &str = "update";

/// The parts, in the order in which they come.
const PARTS: [&str; 4] = ["manifest.toml", "manifest.toml.minisig", "root.erofs", "intercom.efi"];

/// Takes the parts of an update as they come. Each is read to its end before the next.
pub trait Taker {
    /// Says whether the rest is to be read.
    fn manifest(&mut self, manifest: &Manifest) -> Result<bool, UpdateError>;
    /// The read-only file system.
    fn root(&mut self, manifest: &Manifest, part: &mut dyn Read) -> Result<(), UpdateError>;
    /// The UEFI program.
    fn kernel(&mut self, manifest: &Manifest, part: &mut dyn Read) -> Result<(), UpdateError>;
}

/// Reads an update whole, or until `taker` has enough.
///
/// # Errors
/// [`Refusal::Unsigned`] for whatever is no update of the holder of `key`, and what `taker` says.
pub fn read_bundle(source: impl Read, key: &PublicKey, taker: &mut dyn Taker) -> Result<Manifest, UpdateError> {
    let broke = Cell::new(false);
    read(Watched { source, broke: &broke }, key, taker).map_err(|error| match error {
        // Whatever the reader of tar makes of it: the source is to blame, not what is in it.
        UpdateError::Refused(what) if broke.get() => UpdateError::Source(io::Error::other(what)),
        other => other,
    })
}

fn read(source: impl Read, key: &PublicKey, taker: &mut dyn Taker) -> Result<Manifest, UpdateError> {
    let mut archive = Archive::new(source);
    // Raw: extensions of tar, which may ask for memory, are entries like any other, and not ours.
    let mut entries = archive.entries().map_err(UpdateError::Source)?.raw(true);
    let mut next = |name: &str, otherwise: Refusal| match entries.next() {
        Some(Ok(entry)) if *entry.path_bytes() == *name.as_bytes() => Ok(entry),
        _ => Err(UpdateError::Refused(otherwise)),
    };
    let text = whole(next(PARTS[0], Refusal::Unsigned)?)?;
    let signature = whole(next(PARTS[1], Refusal::Unsigned)?)?;
    let manifest = read_manifest(&text, &signature, key)?;
    if !taker.manifest(&manifest)? {
        return Ok(manifest);
    }
    let mut root = next(PARTS[2], Refusal::Damaged)?;
    if root.size() != manifest.root.size {
        return Err(Refusal::Damaged.into());
    }
    taker.root(&manifest, &mut root)?;
    drop(root);
    let mut kernel = next(PARTS[3], Refusal::Damaged)?;
    if kernel.size() != manifest.kernel.size {
        return Err(Refusal::Damaged.into());
    }
    taker.kernel(&manifest, &mut kernel)?;
    Ok(manifest)
}

/// A part that is short enough to be held.
fn whole(entry: Entry<'_, impl Read>) -> Result<Vec<u8>, UpdateError> {
    let mut bytes = Vec::new();
    let size = entry.size();
    if size > LONGEST_MANIFEST || entry.take(LONGEST_MANIFEST).read_to_end(&mut bytes).is_err() {
        return Err(Refusal::Unsigned.into());
    }
    Ok(bytes)
}

/// Remembers whether reading failed.
struct Watched<'a, R> {
    source: R,
    broke: &'a Cell<bool>,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.source.read(buffer).inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                self.broke.set(true);
            }
        })
    }
}
