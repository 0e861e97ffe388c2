//! The thread `buttons`: keys of keyboards, keypads, remote controls and buttons at home. `config/buttons.rs` says which key does what.

use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fs, io};

use evdev::{Device, EventType, KeyCode};
use intercom_base::language::Sentences;
use intercom_core::call::home::{Curtain, Mute};
use intercom_core::devices::buttons::{ButtonWatch, Found, News};
use intercom_core::devices::hold::{Holds, Stroke};

use crate::config::{Buttons, Use, key_name};
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

/// Reads of a device before the others have their turn. The kernel keeps fewer events than that.
const READS: usize = 16;

/// Which keys are for what.
#[derive(Clone, Debug)]
struct Keys(Vec<(u16, Use)>);

impl Keys {
    fn use_of(&self, code: u16) -> Option<Use> {
        self.0.iter().find(|(key, _)| *key == code).map(|(_, what)| *what)
    }

    fn are_on(&self, device: &Device) -> bool {
        device.supported_keys().is_some_and(|has| self.0.iter().any(|(key, _)| has.contains(KeyCode::new(*key))))
    }

    /// All of them by use: `mute (KEY_F9), invite (KEY_ENTER, KEY_OK)`.
    fn listing(&self) -> String {
        let one = |what: Use| {
            let keys: Vec<String> =
                self.0.iter().filter(|(_, its)| *its == what).map(|(key, _)| key_name(*key)).collect();
            (!keys.is_empty()).then(|| format!("{} ({})", what.word(), keys.join(", ")))
        };
        Use::ALL.into_iter().filter_map(one).collect::<Vec<_>>().join(", ")
    }
}

/// How people call a key: `Enter`, `+`, `F9`, `Volume up`. Only the first has a name in each language.
pub fn words(key: u16, sentences: &Sentences) -> String {
    match KeyCode::new(key) {
        KeyCode::KEY_ENTER | KeyCode::KEY_KPENTER => return sentences.enter.to_owned(),
        KeyCode::KEY_KPPLUS => return "+".to_owned(),
        KeyCode::KEY_KPMINUS => return "−".to_owned(),
        KeyCode::KEY_KPASTERISK | KeyCode::KEY_NUMERIC_STAR => return "*".to_owned(),
        KeyCode::KEY_KPSLASH => return "/".to_owned(),
        KeyCode::KEY_OK => return "OK".to_owned(),
        _ => {}
    }
    let name = key_name(key);
    let bare = name.strip_prefix("KEY_").or(name.strip_prefix("BTN_")).unwrap_or(&name);
    let digit =
        bare.strip_prefix("KP").filter(|rest| rest.len() == 1 && rest.bytes().all(|byte| byte.is_ascii_digit()));
    let words = digit.unwrap_or(bare).replace('_', " ").to_lowercase();
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
    let keys = Keys(buttons.keys(auto));
    if keys.0.is_empty() {
        return Ok(None);
    }
    spawn_worker("buttons", move || {
        let mut watch = ButtonWatch::new(buttons.device.as_deref(), clock::now());
        let (mut hints, mut holds) = (Hints::new(&activity), Holds::default());
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
            open.retain_mut(|(path, device)| {
                let ended = read_keys(device, |key, value| {
                    let told = keys.use_of(key).and_then(|what| stroke(&mut holds, (path, key, what), value, now));
                    told.into_iter().for_each(|event| to_loop.tell(event));
                });
                if let Err(error) = &ended {
                    log::debug!("buttons: {path}: {error}");
                    watch.handle_lost(path);
                    holds.handle_lost(path);
                }
                ended.is_ok()
            });
            holds.handle_timeout(now).into_iter().for_each(|_| to_loop.tell(ToLoop::InviteHeld));
            tell(watch.poll_news(), &keys);
            let deadline = (clock::now() + REST).min(watch.poll_timeout());
            let deadline = holds.poll_timeout().map_or(deadline, |held| held.min(deadline));
            let fds: Vec<_> = open.iter().map(|(_, device)| device.as_fd()).collect();
            netlink::readable(&fds, deadline);
        }
        Exit::Done
    })
    .map(Some)
}

/// What an event of a key at home means for the loop: each press of it does what it is for, and only the key for a new phone can be held.
fn stroke(holds: &mut Holds, (path, key, what): (&str, u16, Use), value: i32, now: Instant) -> Option<ToLoop> {
    let pressed = match what {
        Use::Invite => holds.handle_key(path, key, value, now) == Stroke::Press,
        _ => value == 1,
    };
    pressed.then(|| match what {
        Use::Mute => ToLoop::Mute(Mute::Toggle, None),
        Use::Invite => ToLoop::InvitePressed,
        Use::LetIn => ToLoop::LetInPressed,
        Use::Decline => ToLoop::DeclinePressed,
        Use::Curtain => ToLoop::Curtain(Curtain::Toggle, None),
        Use::Call => ToLoop::CallPressed,
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

/// Hands over all events of keys since the last look, in their order: the key and its value.
fn read_keys(device: &mut Device, mut take: impl FnMut(u16, i32)) -> io::Result<()> {
    for _ in 0..READS {
        match device.fetch_events() {
            Ok(events) => events
                .filter(|event| event.event_type() == EventType::KEY)
                .for_each(|event| take(event.code(), event.value())),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn tell(news: Option<News>, keys: &Keys) {
    match news {
        Some(News::Listening(names)) => log::info!("buttons: listening to {} for {}", names.join(", "), keys.listing()),
        Some(News::Nothing) => log::debug!("buttons: no input device has a key for {}", keys.listing()),
        Some(News::Forbidden) => log::info!(
            "buttons: this user may not read {FOLDER}; add it to the group input, or set each key in [buttons] to \"\""
        ),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::bounded;
    use intercom_base::language::Language;

    use super::*;
    use crate::shell::fonts;
    use crate::shell::wake::Wake;

    #[test]
    fn each_press_does_what_its_key_is_for_and_only_invite_is_held() {
        let (mut holds, now) = (Holds::default(), clock::now());
        let told = Use::ALL.map(|what| {
            let key = what as u16;
            let event = stroke(&mut holds, ("event1", key, what), 1, now);
            assert!(stroke(&mut holds, ("event1", key, what), 2, now).is_none(), "a repeat of {what:?}");
            format!("{:?}", event.unwrap())
        });
        let expected = [
            "Mute(Toggle, None)",
            "InvitePressed",
            "LetInPressed",
            "DeclinePressed",
            "Curtain(Toggle, None)",
            "CallPressed",
        ];
        assert_eq!(told, expected);
        assert_eq!(holds.handle_timeout(now + Duration::from_secs(60)), [Use::Invite as u16]);
    }

    #[test]
    fn what_is_listened_to_is_told_by_use() {
        let listing = |auto| Keys(Buttons::default().keys(auto)).listing();
        assert_eq!(listing(None), "mute (KEY_MICMUTE)");
        let all = listing(Some(KeyCode::KEY_ENTER.code()));
        assert!(all.contains("invite (KEY_ENTER, KEY_KPENTER, KEY_OK, KEY_SELECT), let_in (KEY_KPPLUS, "), "{all}");
        assert!(all.contains("decline (KEY_KPMINUS, ") && all.contains("curtain (KEY_KPASTERISK, "), "{all}");
    }

    #[test]
    fn keys_are_called_as_people_call_them() {
        let called = |language: Language| [28, 96, 67, 0x160].map(|key| words(key, language.sentences()));
        assert_eq!(called(Language::English), ["Enter", "Enter", "F9", "OK"]);
        assert_eq!(called(Language::French), ["Entrée", "Entrée", "F9", "OK"]);
        let keypad = [78, 74, 55, 98, 79].map(|key| words(key, Language::English.sentences()));
        assert_eq!(keypad, ["+", "−", "*", "/", "1"]);
        assert_eq!(fonts::complaint("keys", &keypad.concat()), None, "the TV has letters for them");
    }

    #[test]
    fn the_thread_ends_when_told_whatever_devices_there_are() {
        let (activity, wake) = (Arc::new(Activity::new()), Wake::new().unwrap());
        let (events, _events) = bounded(4);
        let to_loop = ToLoopHandle { events, wake };
        let worker = spawn_buttons(Buttons::default(), None, to_loop, activity.clone()).unwrap().unwrap();
        activity.stop();
        worker.dismiss();
        assert!(worker.join_within(Duration::from_secs(20)));
    }
}
