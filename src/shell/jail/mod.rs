//! The jail: a process of our own that decodes pictures of strangers and can do nothing else.
//!
//! H.264 is decoded by a library in C, of bytes that a viewer's device has chosen. Where it has a fault, whoever uses it is in a process
//! that has no files, no network, no keys, cannot start anything, and holds three descriptors: access units come in over the first,
//! pictures go out through the second (memory that both have), the third is for last words. It may die or hang: it is started anew, and
//! the pictures go on with the next keyframe.
//!
//! Pictures are copied out of the common memory by `pread`, never mapped: what the jail does to that memory meanwhile cannot hurt.

mod inmate;
mod keeper;
mod walls;
pub mod wire;

pub use inmate::serve;
pub use keeper::{Jail, Program};
pub use walls::{Walls, raise};

/// The first argument of a process that is to be the inmate.
pub const ARGUMENT: &str = "--jail";
