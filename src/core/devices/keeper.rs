//! Keeps one device: opens it as often as it takes, and knows what its silence and its errors mean. What to do next is
//! asked here; waiting and the device's data are the caller's.

use std::time::{Duration, Instant};

use intercom_drivers::contract::{DeviceError, Opener};

use crate::devices::supervisor::{Change, Supervisor};

/// What to do next.
pub enum Step<'k, D: ?Sized> {
    /// It is open: use it, and tell [`Keeper::handle_use`] how that went.
    Use(&'k mut D),
    /// Call [`Keeper::open`], and tell [`Keeper::handle_open`] how that went.
    Open,
    /// Nothing before this time, or a hint.
    Wait(Instant),
}

/// A device, open or not, and the way to it.
pub struct Keeper<'o, D: ?Sized> {
    /// Lent, because it outlives a restart of its thread's work.
    opener: &'o mut dyn Opener<D>,
    device: Option<Box<D>>,
    supervisor: Supervisor,
    /// Open and without data for so long, it counts as failed, and stays open.
    silent: Duration,
    /// When it last gave or took data, or was not asked to.
    alive: Instant,
}

impl<'o, D: ?Sized> Keeper<'o, D> {
    /// Of a device that was never tried. One that delivers nothing for `silent` counts as failed.
    pub fn new(opener: &'o mut dyn Opener<D>, silent: Duration, now: Instant) -> Keeper<'o, D> {
        Keeper { opener, device: None, supervisor: Supervisor::new(now), silent, alive: now }
    }

    /// What to do now.
    pub fn poll(&mut self, now: Instant) -> Step<'_, D> {
        match (&mut self.device, self.supervisor.poll_timeout()) {
            (Some(device), _) => Step::Use(&mut **device),
            (None, Some(retry)) if now < retry => Step::Wait(retry),
            (None, _) => Step::Open,
        }
    }

    /// Tries to open it, which may take a while.
    pub fn open(&mut self) -> Result<(), DeviceError> {
        self.device = Some(self.opener.open()?);
        Ok(())
    }

    /// How the opening went; what changed by that.
    pub fn handle_open(&mut self, result: Result<(), DeviceError>, now: Instant) -> Option<Change> {
        match result {
            Ok(()) => {
                self.alive = now;
                self.supervisor.handle_opened(now);
                None
            }
            Err(error) => self.supervisor.handle_failed(error, now),
        }
    }

    /// How its use went: it gave or took data, or did nothing in time, or failed and is closed by that. What changed.
    pub fn handle_use(&mut self, result: Result<bool, DeviceError>, now: Instant) -> Option<Change> {
        match result {
            Ok(true) => {
                self.alive = now;
                self.supervisor.handle_works()
            }
            Ok(false) if now.saturating_duration_since(self.alive) >= self.silent => self.supervisor.handle_silent(),
            Ok(false) => None,
            Err(error) => {
                self.device = None;
                self.supervisor.handle_failed(error, now)
            }
        }
    }

    /// It was not asked for data up to now: that silence is not its own. Whether it is still there, as far as it was
    /// looked; what changed.
    pub fn handle_rest(&mut self, checked: Result<(), DeviceError>, now: Instant) -> Option<Change> {
        self.alive = now;
        checked.err().and_then(|error| self.handle_use(Err(error), now))
    }

    /// Some device came or went, perhaps this one; see [`Supervisor::handle_hint`].
    pub fn handle_hint(&mut self, now: Instant) {
        self.supervisor.handle_hint(now);
    }

    /// The device in words.
    pub fn describe(&self) -> String {
        self.opener.describe()
    }

    /// The device, if it is open.
    pub fn device(&mut self) -> Option<&mut D> {
        self.device.as_deref_mut()
    }
}
