//! Running for years: metrics, doctor, watchdog.

pub mod doctor;
pub mod stages;
pub mod update;
