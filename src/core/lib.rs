//! Decides. No clock, socket, thread or file in here: `handle_*(…, now)` takes input, `poll_*` gives output,
//! `poll_timeout` says when to come back and why.
#![forbid(unsafe_code)]

pub mod call;
pub mod devices;
pub mod people;
pub mod rate;
pub mod reach;
pub mod tv;
