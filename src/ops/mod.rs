//! Running for years: metrics, doctor, watchdog.

pub mod stages;
