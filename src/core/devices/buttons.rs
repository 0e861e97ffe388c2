//! Which input devices are listened to for home's buttons, when they are looked for, and what there is to say of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Devices are looked for this often, should the kernel's word of a new one get lost.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Most devices listened to at once; further ones are left alone.
const MOST: usize = 16;

/// What was found at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A device of this name, which has one of the keys or none.
    Device {
        /// As the kernel calls it.
        name: String,
        /// Whether it can send one of them.
        has_key: bool,
    },
    /// This user may not open it.
    Forbidden,
    /// It is gone again, or broken.
    Nothing,
}

/// What is logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// These devices are listened to.
    Listening(Vec<String>),
    /// There is no device with one of the keys.
    Nothing,
    /// There may be one, but this user may not listen.
    Forbidden,
}

/// Decides. Paths are only names to it.
#[derive(Debug)]
pub struct ButtonWatch {
    wanted: Option<String>,
    known: BTreeMap<String, Found>,
    look_at: Instant,
    told: Option<News>,
}

impl ButtonWatch {
    /// Devices whose name contains `wanted`, whatever the case; without it, all that have a key.
    pub fn new(wanted: Option<&str>, now: Instant) -> ButtonWatch {
        ButtonWatch { wanted: wanted.map(str::to_lowercase), known: BTreeMap::new(), look_at: now, told: None }
    }

    /// When to look for devices.
    pub fn poll_timeout(&self) -> Instant {
        self.look_at
    }

    /// Some device came or went, or its permissions changed: everything is looked at again, but what is listened to.
    pub fn handle_hint(&mut self, now: Instant) {
        let wanted = self.wanted.clone();
        self.known.retain(|_, found| is_wanted(wanted.as_deref(), found));
        self.look_at = now;
    }

    /// These paths are there. Those to be opened now; the rest is known, or one too many.
    pub fn handle_paths(&mut self, paths: Vec<String>, now: Instant) -> Vec<String> {
        self.look_at = now + LOOK_EVERY;
        self.known.retain(|path, found| paths.contains(path) && *found != Found::Forbidden);
        paths.into_iter().filter(|path| !self.known.contains_key(path)).collect()
    }

    /// What was found at a path; whether it is to be listened to.
    pub fn handle_found(&mut self, path: String, found: Found) -> bool {
        let listening = self.known.values().filter(|found| is_wanted(self.wanted.as_deref(), found)).count();
        let wanted = is_wanted(self.wanted.as_deref(), &found) && listening < MOST;
        if found != Found::Nothing && (wanted || !is_wanted(self.wanted.as_deref(), &found)) {
            self.known.insert(path, found);
        }
        wanted
    }

    /// A device that was listened to is gone.
    pub fn handle_lost(&mut self, path: &str) {
        self.known.remove(path);
    }

    /// What to log, if it is not what was logged last.
    pub fn poll_news(&mut self) -> Option<News> {
        let listening = self.known.values().filter(|found| is_wanted(self.wanted.as_deref(), found));
        let names: Vec<String> = listening
            .filter_map(|found| match found {
                Found::Device { name, .. } => Some(name.clone()),
                _ => None,
            })
            .collect();
        let news = match names[..] {
            [_, ..] => News::Listening(names),
            [] if self.known.values().any(|found| *found == Found::Forbidden) => News::Forbidden,
            [] => News::Nothing,
        };
        (self.told.as_ref() != Some(&news)).then(|| self.told.insert(news).clone())
    }
}

fn is_wanted(wanted: Option<&str>, found: &Found) -> bool {
    match found {
        Found::Device { name, has_key: true } => wanted.is_none_or(|wanted| name.to_lowercase().contains(wanted)),
        _ => false,
    }
}

// A test's time begins at some time.
#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    fn paths(all: &[&str]) -> Vec<String> {
        all.iter().map(|path| (*path).to_owned()).collect()
    }

    fn device(name: &str, has_key: bool) -> Found {
        Found::Device { name: name.to_owned(), has_key }
    }

    #[test]
    fn every_device_with_the_key_is_listened_to_and_each_is_opened_once() {
        let now = Instant::now();
        let mut watch = ButtonWatch::new(None, now);
        assert_eq!(watch.handle_paths(paths(&["event0", "event1", "event2"]), now).len(), 3);
        assert!(!watch.handle_found("event0".into(), device("Power Button", false)));
        assert!(watch.handle_found("event1".into(), device("Keyboard", true)));
        assert!(watch.handle_found("event2".into(), device("Remote", true)));
        assert_eq!(watch.poll_news(), Some(News::Listening(vec!["Keyboard".into(), "Remote".into()])));
        assert_eq!(watch.poll_timeout(), now + LOOK_EVERY);
        assert!(watch.handle_paths(paths(&["event0", "event1", "event2"]), now).is_empty());
        assert_eq!(watch.poll_news(), None);
        watch.handle_lost("event1");
        assert_eq!(watch.poll_news(), Some(News::Listening(vec!["Remote".into()])));
        assert_eq!(watch.handle_paths(paths(&["event1", "event2"]), now), ["event1"], "it is plugged in again");
    }

    #[test]
    fn a_name_chooses_one_of_them() {
        let mut watch = ButtonWatch::new(Some("remote"), Instant::now());
        assert!(!watch.handle_found("event1".into(), device("Keyboard", true)));
        assert!(!watch.handle_found("event2".into(), device("Remote without it", false)));
        assert_eq!(watch.poll_news(), Some(News::Nothing));
        assert!(watch.handle_found("event3".into(), device("IR Remote", true)));
    }

    #[test]
    fn what_is_forbidden_is_told_once_and_tried_again_since_permissions_may_change() {
        let now = Instant::now();
        let mut watch = ButtonWatch::new(None, now);
        for _ in 0..3 {
            assert_eq!(watch.handle_paths(paths(&["event0"]), now), ["event0"]);
            assert!(!watch.handle_found("event0".into(), Found::Forbidden));
            let told = watch.poll_news();
            assert!(told.is_none() || told == Some(News::Forbidden));
        }
        assert_eq!(watch.poll_news(), None);
        watch.handle_paths(paths(&["event0"]), now);
        assert!(watch.handle_found("event0".into(), device("Keyboard", true)));
        assert_eq!(watch.poll_news(), Some(News::Listening(vec!["Keyboard".into()])));
    }

    #[test]
    fn a_hint_hastens_the_look_and_what_is_listened_to_stays_open() {
        let now = Instant::now();
        let mut watch = ButtonWatch::new(None, now);
        watch.handle_paths(paths(&["event0", "event1"]), now);
        watch.handle_found("event0".into(), device("Mouse", false));
        watch.handle_found("event1".into(), device("Keyboard", true));
        watch.handle_hint(now + LOOK_EVERY / 2);
        assert_eq!(watch.poll_timeout(), now + LOOK_EVERY / 2);
        // Another device may have got the path of one that went.
        assert_eq!(watch.handle_paths(paths(&["event0", "event1"]), now), ["event0"]);
    }

    #[test]
    fn however_many_there_are_what_is_open_is_bounded() {
        let now = Instant::now();
        let mut watch = ButtonWatch::new(None, now);
        let open = (0..1000).filter(|n| watch.handle_found(format!("event{n}"), device("Keyboard", true))).count();
        assert_eq!(open, MOST);
        assert!(watch.known.len() <= 2 * MOST);
    }
}
