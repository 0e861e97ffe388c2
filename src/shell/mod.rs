//! Touches the world, and is thin: clock, event loop, sockets, gateway, device and encoder threads.
//!
//! # From start to end
//!
//! | step | where |
//! |---|---|
//! | state directory, keys, certificates and addresses are read; no thread runs yet | `prepare.rs` |
//! | channels are made, threads are started from them, and ended in order | `daemon.rs` |
//! | what travels in each channel, and what happens when it is full | `wires.rs` |
//! | the process waits for a signal or for the loop's end | `run.rs` |
//!
//! # Rules of a thread (`worker.rs`, `pulse.rs`)
//!
//! - It has a name. A panic is logged with it, and the work begins again after 1 to 10 s.
//! - It beats: it says that it is alive, and when it will say so again. Where a thread is stuck, the service manager hears
//!   nothing more and restarts the program.
//! - It waits for a channel, a descriptor or a deadline, never for a disk or a far end without one.
//!
//! # The disk (`state.rs`, `disk.rs`, `key_file.rs`, `switch_file.rs`, `house_file.rs`, `text_file.rs`)
//!
//! Files are written whole, beside the previous one, and renamed. The loop asks the thread `disk` to write. What the disk does
//! not take holds until the process ends, and the TV says so.

pub mod addresses;
pub mod backup;
pub mod beginning;
pub mod bind;
pub mod caller;
pub mod cards;
pub mod checkup;
pub mod clock;
pub mod control;
mod daemon;
pub mod devices;
pub mod disk;
pub mod encoders;
pub mod event_loop;
pub mod examiner;
pub mod fonts;
pub mod gateway;
pub mod goodbyes;
pub mod hotplug;
pub mod house_file;
pub mod jail;
pub mod journal;
pub mod key_file;
pub mod metered;
pub mod name_publisher;
pub mod netlink;
pub mod notice_board;
pub mod posts;
pub mod prepare;
pub mod priority;
pub mod pulse;
pub mod reset;
pub mod run;
pub mod service;
pub mod settings_files;
pub mod signal_socket;
pub mod snapshots;
pub mod stages;
pub mod start_record;
pub mod state;
pub mod switch_file;
pub mod text_file;
pub mod tls;
pub mod udp;
pub mod update;
pub mod wake;
pub mod wifi;
pub mod wires;
pub mod worker;
