//! Listens to the kernel: a device that comes back is opened at once, rather than at the next slow retry.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::RecvFlags;
use rustix::net::netlink::KOBJECT_UEVENT;

use crate::shell::devices::Activity;
use crate::shell::worker::{Exit, Worker, spawn_worker};
use crate::shell::{clock, netlink, pulse};

/// The kernel's own messages, and those that udev sends once permissions and stable names are in place.
const GROUPS: u32 = 1 | 2;

/// What is of interest to a driver of ours, or to the buttons.
const SUBSYSTEMS: [&[u8]; 4] = [b"SUBSYSTEM=video4linux", b"SUBSYSTEM=sound", b"SUBSYSTEM=drm", b"SUBSYSTEM=input"];

/// Messages come in bursts, and a node is there a moment before it can be opened.
const SETTLE: Duration = Duration::from_millis(150);

/// How often the thread looks whether it is time to end.
const REST: Duration = Duration::from_millis(500);

/// Starts the thread. Without messages of the kernel (a container may have none) devices are found by retries alone.
///
/// # Errors
/// If the system has no thread to give.
pub fn spawn_hotplug(activity: Arc<Activity>) -> io::Result<Worker> {
    spawn_worker("hotplug", move || {
        let messages = match netlink::listen(Some(KOBJECT_UEVENT), GROUPS) {
            Ok(messages) => messages,
            Err(error) => {
                log::debug!("the kernel tells of no devices: {error}");
                return Exit::Done;
            }
        };
        while !activity.is_stopped() {
            pulse::beat(REST);
            netlink::readable(&[messages.as_fd()], clock::now() + REST);
            if read(&messages) {
                activity.sleep(SETTLE);
                // Those of the same burst tell nothing more.
                read(&messages);
                activity.hint();
            }
        }
        Exit::Done
    })
}

/// Reads what has come, within bounds; whether any of it is of interest.
fn read(messages: &OwnedFd) -> bool {
    let mut message = [0u8; 8192];
    let mut found = false;
    for _ in 0..256 {
        match rustix::net::recv(messages, &mut message, RecvFlags::DONTWAIT) {
            Ok((length, _)) if length > 0 => found |= is_of_interest(&message[..length.min(message.len())]),
            // Messages were lost: perhaps the one.
            Err(rustix::io::Errno::NOBUFS) => found = true,
            Ok(_) | Err(_) => break,
        }
    }
    found
}

/// A message is a row of texts, each ended by a zero byte.
fn is_of_interest(message: &[u8]) -> bool {
    message.split(|byte| *byte == 0).any(|text| SUBSYSTEMS.contains(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cameras_sound_cards_and_screens_are_of_interest_and_nothing_else_is() {
        let camera = b"add@/devices/platform/vivid.0/video4linux/video0\0ACTION=add\0SUBSYSTEM=video4linux\0MAJOR=81\0";
        assert!(is_of_interest(camera));
        assert!(is_of_interest(b"libudev\0\xfe\xed\xca\xfe\0ACTION=change\0SUBSYSTEM=drm\0HOTPLUG=1\0"));
        assert!(!is_of_interest(b"add@/devices/usb1\0ACTION=add\0SUBSYSTEM=usb\0"));
        assert!(!is_of_interest(b"add@/x\0NAME=not SUBSYSTEM=drm\0") && !is_of_interest(b""));
    }

    #[test]
    fn the_thread_ends_when_told() {
        let activity = Arc::new(Activity::new());
        let worker = spawn_hotplug(activity.clone()).unwrap();
        activity.stop();
        worker.dismiss();
        assert!(worker.join_within(Duration::from_secs(20)));
    }
}
