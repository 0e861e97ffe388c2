//! An always-on two-way intercom for a home: the parts of the `intercom` program, as a library for its tests.
#![forbid(unsafe_code)]

pub mod cli;
pub mod config;
pub mod shell;
