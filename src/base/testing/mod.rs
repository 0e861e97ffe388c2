//! Sounds and pictures for the tests of every room. They are in each build, so that no crate is compiled twice; nothing else uses
//! them, and the linker leaves them out.

pub mod pictures;
pub mod sound;
