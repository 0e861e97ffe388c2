//! The thread `buttons`: keys of a keyboard, a remote control or a button at home. One mutes home's microphone, another one
//! shows a code for a new phone.

use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use evdev::{Device, EventType, KeyCode};
use intercom_base::language::Sentences;
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

/// Keys that mean the same to people: Enter, that of a numeric keypad, and the remote control's two words for it.
const TWINS: &[KeyCode] = &[KeyCode::KEY_ENTER, KeyCode::KEY_KPENTER, KeyCode::KEY_OK, KeyCode::KEY_SELECT];

/// The value of a key event that is a press; 0 is its end, and 2 a repeat.
const PRESS: i32 = 1;

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Mute,
    Invite,
}

/// Which keys are for what. A key that the config names for the mute is for nothing else, whatever its twins are for.
#[derive(Clone, Debug)]
struct Keys(Vec<(KeyCode, Use)>);

impl Keys {
    fn new(mute: Option<u16>, invite: Option<u16>) -> Keys {
        let mute = mute.map(KeyCode::new);
        let invite = invite.map(KeyCode::new);
        let twins = TWINS.iter().copied().filter(|_| invite.is_some_and(|key| TWINS.contains(&key)));
        let mut keys: Vec<(KeyCode, Use)> = mute.map(|key| (key, Use::Mute)).into_iter().collect();
        for key in invite.into_iter().chain(twins) {
            if keys.iter().all(|(known, _)| *known != key) {
                keys.push((key, Use::Invite));
            }
        }
        Keys(keys)
    }

    fn use_of(&self, code: u16) -> Option<Use> {
        self.0.iter().find(|(key, _)| key.code() == code).map(|(_, what)| *what)
    }

    fn are_on(&self, device: &Device) -> bool {
        device.supported_keys().is_some_and(|has| self.0.iter().any(|(key, _)| has.contains(*key)))
    }
}

/// How people call a key: `Enter`, `F9`, `Volume up`. Only the first has a name in each language.
pub fn words(key: u16, sentences: &Sentences) -> String {
    if key == KeyCode::KEY_ENTER.code() {
        return sentences.enter.to_owned();
    }
    let name = format!("{:?}", KeyCode::new(key));
    let bare = name.strip_prefix("KEY_").or(name.strip_prefix("BTN_")).unwrap_or(&name);
    let words = bare.replace('_', " ").to_lowercase();
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Starts the thread, if there is a key to listen to. `auto` is the key that `[buttons] invite = "auto"` means.
///
/// # Errors
/// If the system has no thread to give.
pub fn spawn_buttons(
    buttons: Buttons,
    auto: Option<u16>,
    to_loop: ToLoopHandle,
    activity: Arc<Activity>,
) -> io::Result<Option<Worker>> {
    let keys = Keys::new(buttons.mute, buttons.invite_key(auto));
    if keys.0.is_empty() {
        return Ok(None);
    }
    spawn_worker("buttons", move || {
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
                    let (found, device) = look(&path, &keys);
                    if watch.handle_found(path.clone(), found) {
                        open.extend(device.map(|device| (path, device)));
                    }
                }
            }
            open.retain_mut(|(path, device)| match presses(device, &keys) {
                Ok(pressed) => {
                    for what in pressed {
                        to_loop.tell(match what {
                            Use::Mute => ToLoop::Mute(Mute::Toggle, None),
                            Use::Invite => ToLoop::InvitePressed,
                        });
                    }
                    true
                }
                Err(error) => {
                    log::debug!("buttons: {path}: {error}");
                    watch.handle_lost(path);
                    false
                }
            });
            tell(watch.poll_news(), &keys);
            let deadline = (clock::now() + REST).min(watch.poll_timeout());
            let fds: Vec<_> = open.iter().map(|(_, device)| device.as_fd()).collect();
            netlink::readable(&fds, deadline);
        }
        Exit::Done
    })
    .map(Some)
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

fn look(path: &str, keys: &Keys) -> (Found, Option<Device>) {
    let opened = Device::open(Path::new(path)).and_then(|device| device.set_nonblocking(true).map(|()| device));
    match opened {
        Ok(device) => {
            let has_key = keys.are_on(&device);
            (Found::Device { name: device.name().unwrap_or(path).to_owned(), has_key }, Some(device))
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => (Found::Forbidden, None),
        Err(error) => {
            log::debug!("buttons: {path}: {error}");
            (Found::Nothing, None)
        }
    }
}

/// What was pressed since the last look, in its order.
fn presses(device: &mut Device, keys: &Keys) -> io::Result<Vec<Use>> {
    match device.fetch_events() {
        Ok(events) => {
            let pressed = |event: &evdev::InputEvent| event.event_type() == EventType::KEY && event.value() == PRESS;
            Ok(events.filter(pressed).filter_map(|event| keys.use_of(event.code())).collect())
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn tell(news: Option<News>, keys: &Keys) {
    let all = || keys.0.iter().map(|(key, _)| format!("{key:?}")).collect::<Vec<_>>().join(", ");
    match news {
        Some(News::Listening(names)) => log::info!("buttons: listening to {} for {}", names.join(", "), all()),
        Some(News::Nothing) => log::debug!("buttons: no input device has {}", all()),
        Some(News::Forbidden) => log::info!(
            "buttons: this user may not read {FOLDER}; add it to the group input, or set mute and invite to \"\" in [buttons]"
        ),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::bounded;
    use intercom_base::language::Language;

    use super::*;
    use crate::config::InviteKey;
    use crate::shell::wake::Wake;

    #[test]
    fn enter_is_that_of_any_keyboard_keypad_or_remote_control() {
        let [enter, keypad, ok, f9, mute] = [28, 96, 352, 67, 248];
        let keys = Keys::new(Some(mute), Some(enter));
        assert_eq!([enter, keypad, ok].map(|key| keys.use_of(key)), [Some(Use::Invite); 3]);
        assert_eq!((keys.use_of(mute), keys.use_of(f9)), (Some(Use::Mute), None));
        let alone = Keys::new(None, Some(f9));
        assert_eq!((alone.use_of(f9), alone.use_of(enter)), (Some(Use::Invite), None));
        let taken = Keys::new(Some(keypad), Some(enter));
        assert_eq!((taken.use_of(keypad), taken.use_of(enter)), (Some(Use::Mute), Some(Use::Invite)));
        assert!(Keys::new(None, None).0.is_empty());
    }

    #[test]
    fn keys_are_called_as_people_call_them() {
        let called = |language: Language| [28, 67, 0x160].map(|key| words(key, language.sentences()));
        assert_eq!(called(Language::English), ["Enter", "F9", "Ok"]);
        assert_eq!(called(Language::French), ["Entrée", "F9", "Ok"]);
    }

    #[test]
    fn the_thread_ends_when_told_whatever_devices_there_are() {
        let (activity, wake) = (Arc::new(Activity::new()), Wake::new().unwrap());
        let (events, _events) = bounded(4);
        let buttons = Buttons { mute: Some(KeyCode::KEY_MICMUTE.code()), invite: InviteKey::Auto, device: None };
        let worker = spawn_buttons(buttons, None, ToLoopHandle { events, wake }, activity.clone()).unwrap().unwrap();
        activity.stop();
        worker.dismiss();
        assert!(worker.join_within(Duration::from_secs(20)));
    }
}
