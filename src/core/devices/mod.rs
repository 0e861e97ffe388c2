//! Devices and threads: when a device is opened again, what the log says of it, and who is stuck.
//!
//! # Devices
//!
//! Each device has a thread in `shell/devices`. The thread asks its [`keeper`] what to do next: use the device, open
//! it, or wait. The keeper has no clock, so the simulation drives it in virtual time, with a thousand seeds of failing
//! devices (`tests/sim/devices.rs`).
//!
//! - [`supervisor`] decides when to open a device again. Pauses double from 0.5 to 10 s, and never end. A device that
//!   worked for 10 s starts again with the shortest pause.
//! - The kernel tells of devices that come and go (`shell/hotplug.rs`). Such a hint brings the next try forward. For 3
//!   s after it, a failed try is followed by another one after 0.75 s. These early tries are limited: 10, and one more
//!   every 10 s.
//! - Without any hint, the slow retry finds the device.
//! - A device works when it gives or takes data, not when it opens. An open device that delivers nothing is reported
//!   as failed and stays open.
//! - Only changes are logged. [`xruns`] reports over- and underruns once a minute at most.
//!
//! [`buttons`] decides which input devices are listened to. They are no driver: there is one kind of them, the
//! kernel's input events, and nothing to choose between. [`hold`] tells a press from a hold and from contacts that bounce.
//!
//! [`storage`] judges the disk and finds the words for the TV. [`doctor`] turns what was looked at into sentences with
//! remedies.
//!
//! # Threads
//!
//! | thread | what it does |
//! |---|---|
//! | `loop` | all network state |
//! | `gateway`, `pages` | TCP and TLS; tiny_http on a Unix socket |
//! | `control`, `control-client` | the control socket, and one thread for each client |
//! | `addresses`, `hotplug`, `signals` | netlink, kernel uevents, signals |
//! | `camera`, `microphone`, `speaker`, `tv`, `buttons` | the devices |
//! | `video-first`, `video-second`, `video-third`, `video-frosted`, `opus` | the encoders |
//! | `pictures` | hands viewers' H.264 to the jail |
//! | `disk` | mints and stores keys, stores the mute |
//! | `notices` | what there is to tell on the TV |
//!
//! - A worker that panics restarts after a pause of 1 to 10 s (`shell/worker.rs`).
//! - If the loop itself ends, the process ends. The service manager starts it again.
//! - Where the system allows it, `loop` and the sound threads run in real time (SCHED_RR). The video encoders come
//!   next. `tv` and `pictures` come last (`shell/priority.rs`). A program that a driver starts inherits nothing of
//!   that but to stand behind.
//!
//! # Heartbeats
//!
//! - Each thread has a pulse (`shell/pulse.rs`). Before each wait it says how long that may last. While it works, it
//!   beats at least every 10 s.
//! - A thread that waits for what may never come says so.
//! - The main thread checks all pulses. [`heartbeat`] judges who is stuck. A judge that comes late itself accuses
//!   nobody that time.
//! - The service manager hears `WATCHDOG=1` only while nobody is stuck (`shell/service.rs`).

pub mod buttons;
pub mod doctor;
pub mod heartbeat;
pub mod hold;
pub mod keeper;
pub mod storage;
pub mod supervisor;
pub mod xruns;
