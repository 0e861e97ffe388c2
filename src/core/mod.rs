//! Decides. No clock, socket, thread or file in here: `handle_*(…, now)` takes input, `poll_*` gives output,
//! `poll_timeout` says when to come back and why.

pub mod buttons;
pub mod cadence;
pub mod captions;
pub mod chimes;
pub mod contain;
pub mod encoding;
pub mod fairness;
pub mod heartbeat;
pub mod home;
pub mod items;
pub mod keeper;
pub mod ladder;
pub mod local_time;
pub mod notices;
pub mod peer;
pub mod playout;
pub mod protocol;
pub mod relay;
pub mod slides;
pub mod speech;
pub mod storage;
pub mod supervisor;
pub mod xruns;
