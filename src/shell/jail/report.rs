//! How the jails are, for `intercom status`.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::Codec;

/// How a jail is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct JailReport {
    /// It can open no files (landlock).
    pub landlock: bool,
    /// It can make no other system calls than it needs (seccomp).
    pub seccomp: bool,
    /// Its process, if there is one.
    pub pid: Option<u32>,
    /// How often one was started.
    pub starts: u64,
}

/// Of each jail that was needed.
#[derive(Debug, Default)]
pub struct JailReports(Mutex<BTreeMap<Codec, JailReport>>);

impl JailReports {
    /// A process is in this jail.
    pub fn set(&self, codec: Codec, report: JailReport) {
        self.lock().insert(codec, report);
    }

    /// There is no process in this jail any more.
    pub fn clear_process(&self, codec: Codec) {
        if let Some(report) = self.lock().get_mut(&codec) {
            report.pid = None;
        }
    }

    /// All of them.
    pub fn all(&self) -> BTreeMap<Codec, JailReport> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Codec, JailReport>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
