//! The jail: a process of our own that decodes pictures of strangers and can do nothing else.
//!
//! H.264 and JPEG are decoded by libraries in C. Their bytes are chosen by a viewer's device, or by anybody between
//! home and a network camera. Where such a library has a fault, the attacker is in a process that has no files, no
//! network and no keys, and cannot start anything.
//!
//! # What it is
//!
//! - It is this same program, started with [`ARGUMENT`]. There is one process for each [`Codec`], so a viewer who
//!   breaks one sees nothing of the camera. Each starts with the first picture.
//! - It has three descriptors: coded pictures come in over the first, a socket. Decoded ones go out through the
//!   second, memory that both sides have. The third is for last words.
//! - The walls (`walls.rs`): no files (landlock), only the system calls that decoding needs (seccomp), no
//!   capabilities, and limits, for example 768 MiB of addresses. A kernel without these walls is reported once in the
//!   log. `intercom status` says which ones stand (`jail`).
//! - Pictures are copied out of the common memory by `pread`, never mapped. What the jail does to that memory
//!   meanwhile cannot hurt.
//! - Its answers are parsed like a stranger's (`wire.rs`): sizes are bounded, and text is printable.
//!
//! # When it dies or hangs
//!
//! - Another one is started. Pictures go on with the next keyframe, or the next JPEG.
//! - Processor time tells a hang from a busy machine (`hang.rs`). A picture may take 4 times as much of it as the most
//!   expensive one before: at least 500 ms, at most 5 s. A process that gets no processor is waited for, for 20 s.
//! - A busy machine may start it late. The first picture waits 500 ms for it, and later ones do not wait. After 30 s
//!   that start is given up.
//! - A viewer whose pictures made it fail twice is left alone, from one second up to a minute, for the others' sake
//!   (`shell/devices/pictures.rs`).
//! - A camera that made it fail twice in ten seconds is closed and opened again (`shell/devices/jpegs.rs`).
//!
//! A test keeps both decoders out of the rest of `src` (`tests/dependencies/walls.rs`).

mod hang;
mod inmate;
mod keeper;
mod report;
mod walls;
pub mod wire;

pub use inmate::serve;
pub use keeper::{Jail, Program};
pub use report::{JailReport, JailReports};
use serde::Serialize;
pub use walls::{Walls, raise};

/// The first argument of a process that is to be the inmate. The second one is the word of its [`Codec`].
pub const ARGUMENT: &str = "--jail";

/// What a jail decodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// Viewers' cameras.
    H264,
    /// Home's own, if it is on the network.
    Jpeg,
}

impl Codec {
    /// Its word on the command line and in the status.
    pub fn word(self) -> &'static str {
        match self {
            Codec::H264 => "h264",
            Codec::Jpeg => "jpeg",
        }
    }

    /// The one of this word.
    pub fn of_word(word: &str) -> Option<Codec> {
        [Codec::H264, Codec::Jpeg].into_iter().find(|codec| codec.word() == word)
    }

    /// Whose pictures they are, for the log.
    fn whose(self) -> &'static str {
        match self {
            Codec::H264 => "viewers' pictures",
            Codec::Jpeg => "the network camera's pictures",
        }
    }
}
