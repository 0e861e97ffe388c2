//! Running for years: metrics, doctor, watchdog.
