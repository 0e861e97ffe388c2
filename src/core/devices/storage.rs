//! Whether the disk takes what is new, and what to tell people if it does not.

use intercom_base::language::Sentences;

/// Less than this, and a file of keys may not fit any more.
const LEAST: u64 = 64 * 1024;

/// What a file system says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskSpace {
    /// Free for us, in bytes.
    pub bytes: u64,
    /// Free for us, in files; `None` where that has no limit.
    pub files: Option<u64>,
    /// Nothing may be written.
    pub read_only: bool,
}

/// Why nothing new is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// There is no space.
    Full,
    /// It may only be read; after an error of the disk, the kernel sees to that, too.
    ReadOnly,
    /// It is not there.
    Gone,
    /// It says that there is space, and takes nothing.
    Refuses,
    /// What it holds makes no sense.
    Damaged,
}

/// What is wrong with a disk that says this of itself, or nothing; `refused` if it did not take what it should.
pub fn judge(space: Option<DiskSpace>, refused: bool) -> Option<Trouble> {
    match space {
        None => Some(Trouble::Gone),
        Some(space) if space.read_only => Some(Trouble::ReadOnly),
        Some(space) if space.bytes < LEAST || space.files == Some(0) => Some(Trouble::Full),
        Some(_) => refused.then_some(Trouble::Refuses),
    }
}

impl Trouble {
    /// For the TV.
    pub fn words(self, sentences: &Sentences) -> &'static str {
        match self {
            Trouble::Full => sentences.disk_full,
            Trouble::ReadOnly => sentences.disk_read_only,
            Trouble::Gone => sentences.disk_gone,
            Trouble::Refuses => sentences.disk_refuses,
            Trouble::Damaged => sentences.keys_damaged,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_disk_is_well_or_has_the_trouble_that_people_must_mend() {
        let well = DiskSpace { bytes: 1 << 20, files: Some(3), read_only: false };
        let cases = [
            (Some(well), false, None),
            (Some(DiskSpace { files: None, ..well }), false, None),
            (Some(well), true, Some(Trouble::Refuses)),
            (Some(DiskSpace { bytes: 4096, ..well }), false, Some(Trouble::Full)),
            (Some(DiskSpace { files: Some(0), ..well }), true, Some(Trouble::Full)),
            (Some(DiskSpace { bytes: 0, read_only: true, ..well }), true, Some(Trouble::ReadOnly)),
            (None, false, Some(Trouble::Gone)),
        ];
        for (space, refused, trouble) in cases {
            assert_eq!(judge(space, refused), trouble, "{space:?}");
        }
    }
}
