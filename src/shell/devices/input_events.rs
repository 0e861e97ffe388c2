//! The thread `buttons`: a key of a keyboard, a remote control or a button at home mutes home's microphone.

use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use evdev::{Device, EventType, KeyCode};
use intercom_core::call::home::Mute;
use intercom_core::devices::buttons::{ButtonWatch, Found, News};

use crate::config::Buttons;
use crate::shell::devices::{Activity, Hints};
use crate::shell::wires::{ToLoop, ToLoopHandle};
use crate::shell::worker::{Exit, Worker, spawn_worker};
use crate::shell::{clock, netlink, pulse};

/// Where the kernel has its input devices (Documentation/input/event-codes.rst).
const FOLDER: &str = "/dev/input";

/// Most devices looked at.
const MOST: usize = 256;

/// How often the thread looks whether it is time to end.
const REST: Duration = Duration::from_millis(500);

/// The value of a key event that is a press; 0 is its end, and 2 a repeat.
const PRESS: i32 = 1;

/// Starts the thread.
///
/// # Errors
/// If the system has no thread to give.
pub fn spawn_buttons(buttons: Buttons, to_loop: ToLoopHandle, activity: Arc<Activity>) -> io::Result<Worker> {
    spawn_worker("buttons", move || {
        let Some(mute) = buttons.mute.map(KeyCode::new) else { return Exit::Done };
        let mut watch = ButtonWatch::new(buttons.device.as_deref(), clock::now());
        let mut hints = Hints::new(&activity);
        let mut open: Vec<(String, Device)> = Vec::new();
        while !activity.is_stopped() {
            pulse::beat(REST);
            let now = clock::now();
            if hints.heed(&activity) {
                watch.handle_hint(now);
            }
            if watch.poll_timeout() <= now {
                for path in watch.handle_paths(paths(), now) {
                    let (found, device) = look(&path, mute);
                    if watch.handle_found(path.clone(), found) {
                        open.extend(device.map(|device| (path, device)));
                    }
                }
            }
            open.retain_mut(|(path, device)| match presses(device, mute) {
                Ok(count) => {
                    (0..count).for_each(|_| to_loop.tell(ToLoop::Mute(Mute::Toggle, None)));
                    true
                }
                Err(error) => {
                    log::debug!("buttons: {path}: {error}");
                    watch.handle_lost(path);
                    false
                }
            });
            tell(watch.poll_news(), mute);
            let deadline = (clock::now() + REST).min(watch.poll_timeout());
            let fds: Vec<_> = open.iter().map(|(_, device)| device.as_fd()).collect();
            netlink::readable(&fds, deadline);
        }
        Exit::Done
    })
}

/// The event devices that are there.
fn paths() -> Vec<String> {
    let Ok(entries) = fs::read_dir(FOLDER) else { return Vec::new() };
    let names = entries.take(MOST).filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut paths: Vec<String> =
        names.filter(|name| name.starts_with("event")).map(|name| format!("{FOLDER}/{name}")).collect();
    paths.sort();
    paths
}

fn look(path: &str, key: KeyCode) -> (Found, Option<Device>) {
    let opened = Device::open(Path::new(path)).and_then(|device| device.set_nonblocking(true).map(|()| device));
    match opened {
        Ok(device) => {
            let has_key = device.supported_keys().is_some_and(|keys| keys.contains(key));
            (Found::Device { name: device.name().unwrap_or(path).to_owned(), has_key }, Some(device))
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => (Found::Forbidden, None),
        Err(error) => {
            log::debug!("buttons: {path}: {error}");
            (Found::Nothing, None)
        }
    }
}

/// How often the key was pressed since the last look.
fn presses(device: &mut Device, key: KeyCode) -> io::Result<usize> {
    match device.fetch_events() {
        Ok(events) => {
            let pressed = |event: &evdev::InputEvent| {
                event.event_type() == EventType::KEY && event.code() == key.code() && event.value() == PRESS
            };
            Ok(events.filter(pressed).count())
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(0),
        Err(error) => Err(error),
    }
}

fn tell(news: Option<News>, key: KeyCode) {
    match news {
        Some(News::Listening(names)) => log::info!("buttons: {key:?} of {} mutes the microphone", names.join(", ")),
        Some(News::Nothing) => log::debug!("buttons: no input device has {key:?}"),
        Some(News::Forbidden) => log::info!(
            "buttons: this user may not read {FOLDER}; add it to the group input, or set mute = \"\" in [buttons]"
        ),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::bounded;

    use super::*;
    use crate::shell::wake::Wake;

    #[test]
    fn the_thread_ends_when_told_whatever_devices_there_are() {
        let (activity, wake) = (Arc::new(Activity::new()), Wake::new().unwrap());
        let (events, _events) = bounded(4);
        let buttons = Buttons { mute: Some(KeyCode::KEY_MICMUTE.code()), device: None };
        let worker = spawn_buttons(buttons, ToLoopHandle { events, wake }, activity.clone()).unwrap();
        activity.stop();
        worker.dismiss();
        assert!(worker.join_within(Duration::from_secs(20)));
    }
}
