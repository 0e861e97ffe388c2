//! The service manager's side of us: says when we are ready, how we are, and, as long as no thread is stuck, that we live.

use std::sync::Arc;
use std::time::Duration;

use intercom_core::devices::doctor::{Kind, State};
use intercom_core::devices::heartbeat::{Judge, News};
use sd_notify::NotifyState;

use crate::shell::clock;
use crate::shell::devices::DeviceContext;
use crate::shell::pulse::Pulse;

/// How often the threads' pulses are felt where no service manager wants it more often.
const INTERVAL: Duration = Duration::from_secs(5);

/// Feels every pulse, and answers to the service manager if there is one (sd_notify(3)).
pub struct Guardian {
    pulses: Vec<Arc<Pulse>>,
    devices: DeviceContext,
    judge: Judge,
    interval: Duration,
    port: u16,
    told: String,
}

impl Guardian {
    /// Tells the service manager that the intercom is ready on `port`.
    pub fn new(pulses: Vec<Arc<Pulse>>, devices: DeviceContext, port: u16) -> Guardian {
        // systemd recommends half the time; a third forgives a late one.
        let watchdog = sd_notify::watchdog_enabled().map(|limit| limit / 3);
        let interval = watchdog.unwrap_or(INTERVAL).clamp(Duration::from_millis(10), INTERVAL);
        let mut guardian = Guardian { pulses, devices, judge: Judge::default(), interval, port, told: String::new() };
        notify(&[NotifyState::Ready]);
        guardian.look();
        guardian
    }

    /// When to look again.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// Looks who is stuck; a service manager hears that we live only if nobody is, and else restarts us.
    pub fn look(&mut self) {
        let beats: Vec<_> = self.pulses.iter().map(|pulse| pulse.last()).collect();
        for news in self.judge.judge(&beats, self.interval, clock::now()) {
            match news {
                News::Stuck(name, time) => log::error!("thread {name} is stuck, and has been for {} s", time.as_secs()),
                News::GoesOn(name) => log::warn!("thread {name} goes on"),
            }
        }
        let devices = Kind::ALL.iter().filter_map(|kind| Some((*kind, self.devices.health.device(*kind)?)));
        let status = status(self.port, self.devices.activity.is_visited(), devices, self.judge.stuck());
        if self.told != status {
            notify(&[NotifyState::Status(&status)]);
            self.told = status;
        }
        if self.judge.is_well() {
            notify(&[NotifyState::Watchdog]);
        }
    }

    /// Tells the service manager that the intercom ends as it should.
    pub fn ending(&self) {
        notify(&[NotifyState::Stopping]);
    }
}

/// Without a service manager this does nothing. One that does not listen is no viewer's trouble: only the thread that
/// guards waits for it.
fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        log::debug!("the service manager does not listen: {error}");
    }
}

/// One line for `systemctl status`.
fn status<'a>(
    port: u16,
    present: bool,
    devices: impl Iterator<Item = (Kind, (String, State))>,
    stuck: impl Iterator<Item = &'a str>,
) -> String {
    let visits = if present { "somebody visits" } else { "nobody visits" };
    let mut words = vec![format!("Ready on port {port}, {visits}")];
    words.extend(devices.filter_map(|(kind, (_, state))| match state {
        State::Fails { what, .. } => Some(format!("{}: {}", kind.word(), what.lines().next().unwrap_or_default())),
        _ => None,
    }));
    words.extend(stuck.map(|name| format!("thread {name} is stuck")));
    words.join("; ")
}

#[cfg(test)]
mod tests {
    use intercom_drivers::contract::DeviceError;

    use super::*;

    #[test]
    fn the_status_is_a_line_that_tells_what_does_not_work() {
        let works = ("x".to_owned(), State::Works { how: String::new() });
        let gone = ("y".to_owned(), State::from(&DeviceError::Absent("/dev/video0\nsecond line".into())));
        let devices = || [(Kind::Speaker, works.clone()), (Kind::Camera, gone.clone())].into_iter();
        assert_eq!(
            status(8443, true, devices(), ["tv"].into_iter()),
            "Ready on port 8443, somebody visits; camera: /dev/video0; thread tv is stuck"
        );
        assert_eq!(status(1, false, devices().take(1), [].into_iter()), "Ready on port 1, nobody visits");
    }
}
