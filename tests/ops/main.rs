//! The real program as anyone who runs it sees it: the doctor, notices, mistakes in the settings, the settings partition, the reset, saved
//! people, disks that take nothing, the service manager's watchdog, priorities, names in all scripts.
#![allow(clippy::disallowed_methods, reason = "tests look at real programs in real time")]

mod backup;
mod doctor;
mod door_on_tv;
mod home;
mod journal;
mod languages;
mod mute;
mod notices;
mod partition;
#[path = "../browser/harness/ports.rs"]
mod ports;
mod priority;
mod reset;
mod scripts;
mod secrets;
mod settings;
#[path = "../hostile/signal.rs"]
mod signal;
mod storage;
mod visits_on_tv;
mod watchdog;
