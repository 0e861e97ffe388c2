//! Which presses of keys at home are new, and which become a hold: a key that stays down for some seconds.
//!
//! ```text
//!            press (told at once)              5 s: held, once
//!       up ───────────────────────► down ─────────────────────► held
//!        ▲                          │  ▲                        │  ▲
//!        │ 50 ms without a press    ▼  │ press within 50 ms     ▼  │
//!        └──────────────────────── let go ◄───────────────────► let go
//! ```
//!
//! The contacts of a worn key open for some milliseconds while a finger is on it. A hold is one device's: two keyboards hold a key
//! together no longer than each of them.

use std::time::{Duration, Instant};

/// A key that is down for so long is held.
pub const HELD_AFTER: Duration = Duration::from_secs(5);

/// A key that is down again within this time was never let go.
const CONTACTS: Duration = Duration::from_millis(50);

/// Keys that are followed at once; the one that went down first is followed no longer.
const MOST: usize = 64;

/// What an event of a key means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stroke {
    /// A finger came down on it.
    Press,
    /// Nothing new: a release, a repeat, contacts that bounce.
    Nothing,
}

/// Follows keys. Devices are only names to it, keys only numbers.
#[derive(Debug, Default)]
pub struct Holds(Vec<Down>);

#[derive(Debug)]
struct Down {
    device: String,
    key: u16,
    held_at: Instant,
    /// It was let go; it may be down again before [`CONTACTS`] are over.
    let_go: Option<Instant>,
    /// That it is held was told.
    told: bool,
}

impl Down {
    fn is_over(&self, now: Instant) -> bool {
        self.let_go.is_some_and(|at| at + CONTACTS <= now)
    }

    fn deadline(&self) -> Option<Instant> {
        match self.let_go {
            Some(at) => Some(at + CONTACTS),
            None => (!self.told).then_some(self.held_at),
        }
    }
}

impl Holds {
    /// A key's event: `value` is 1 for a press, 0 for a release, and 2 for a repeat (Documentation/input/event-codes.rst).
    pub fn handle_key(&mut self, device: &str, key: u16, value: i32, now: Instant) -> Stroke {
        self.0.retain(|down| !down.is_over(now));
        let known = self.0.iter().position(|down| down.key == key && down.device == device);
        match (value, known) {
            (0, Some(at)) => {
                self.0[at].let_go.get_or_insert(now);
                Stroke::Nothing
            }
            (1, Some(at)) if self.0[at].let_go.is_some() => {
                self.0[at].let_go = None;
                Stroke::Nothing
            }
            (1, known) => {
                // Down twice without a release between: that got lost, so nobody knows for how long it was down.
                known.map(|at| self.0.remove(at));
                if self.0.len() >= MOST {
                    self.0.remove(0);
                }
                let device = device.to_owned();
                self.0.push(Down { device, key, held_at: now + HELD_AFTER, let_go: None, told: false });
                Stroke::Press
            }
            _ => Stroke::Nothing,
        }
    }

    /// A device is gone, and with it its holds.
    pub fn handle_lost(&mut self, device: &str) {
        self.0.retain(|down| down.device != device);
    }

    /// When [`Holds::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.0.iter().filter_map(Down::deadline).min()
    }

    /// Time has passed; the keys that are held since now. Hand over all events that came before `now` first: a key that was let go in
    /// time is not held, however late anybody looks.
    pub fn handle_timeout(&mut self, now: Instant) -> Vec<u16> {
        self.0.retain(|down| !down.is_over(now));
        let due = self.0.iter_mut().filter(|down| down.let_go.is_none() && !down.told && down.held_at <= now);
        due.map(|down| {
            down.told = true;
            down.key
        })
        .collect()
    }
}

// A test's time begins at some time.
#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    const ENTER: u16 = 28;
    const OTHER: u16 = 96;

    /// A keyboard on a virtual clock, in milliseconds.
    struct Keyboard {
        begin: Instant,
        holds: Holds,
        /// What was told, and when.
        told: Vec<(u64, &'static str)>,
    }

    impl Keyboard {
        fn new() -> Keyboard {
            Keyboard { begin: Instant::now(), holds: Holds::default(), told: Vec::new() }
        }

        fn at(&self, ms: u64) -> Instant {
            self.begin + Duration::from_millis(ms)
        }

        /// Wakes at each deadline up to `ms`.
        fn run(&mut self, ms: u64) {
            while let Some(due) = self.holds.poll_timeout().filter(|due| *due <= self.at(ms)) {
                for _ in self.holds.handle_timeout(due) {
                    self.told.push((due.duration_since(self.begin).as_millis() as u64, "held"));
                }
                assert!(self.holds.poll_timeout().is_none_or(|next| next > due), "it would wake again and again");
            }
        }

        fn key_of(&mut self, device: &str, key: u16, value: i32, ms: u64) {
            if ms > 0 {
                self.run(ms - 1);
            }
            if self.holds.handle_key(device, key, value, self.at(ms)) == Stroke::Press {
                self.told.push((ms, "press"));
            }
        }

        fn key(&mut self, value: i32, ms: u64) {
            self.key_of("event1", ENTER, value, ms);
        }
    }

    #[test]
    fn a_press_is_told_at_once_and_a_hold_follows_once() {
        let mut keyboard = Keyboard::new();
        keyboard.key(1, 0);
        keyboard.run(60_000);
        keyboard.key(0, 60_000);
        keyboard.run(61_000);
        assert_eq!(keyboard.told, [(0, "press"), (5000, "held")]);
        assert_eq!(keyboard.holds.poll_timeout(), None);
        keyboard.key(1, 62_000);
        keyboard.run(70_000);
        assert_eq!(keyboard.told[2..], [(62_000, "press"), (67_000, "held")], "and the next one is a hold of its own");
    }

    #[test]
    fn a_key_that_is_let_go_in_time_is_not_held() {
        let mut keyboard = Keyboard::new();
        for (down, up) in [(0, 100), (1000, 5999), (10_000, 10_001)] {
            keyboard.key(1, down);
            keyboard.key(0, up);
        }
        keyboard.run(60_000);
        assert_eq!(keyboard.told, [(0, "press"), (1000, "press"), (10_000, "press")]);
    }

    #[test]
    fn repeats_change_nothing() {
        let mut keyboard = Keyboard::new();
        (0..10).for_each(|n| keyboard.key(2, n * 33));
        keyboard.run(10_000);
        assert!(keyboard.told.is_empty(), "a repeat without a press is none");
        keyboard.key(1, 20_000);
        (1..100).for_each(|n| keyboard.key(2, 20_000 + n * 33));
        keyboard.key(0, 23_500);
        (0..10).for_each(|n| keyboard.key(2, 23_510 + n * 33));
        keyboard.run(60_000);
        assert_eq!(keyboard.told, [(20_000, "press")]);
    }

    #[test]
    fn contacts_that_bounce_end_no_hold_and_press_nothing() {
        let mut keyboard = Keyboard::new();
        keyboard.key(1, 0);
        for up in [5, 3000, 4970] {
            keyboard.key(0, up);
            keyboard.key(1, up + 49);
        }
        keyboard.run(4990);
        assert_eq!(keyboard.told, [(0, "press")]);
        keyboard.run(6000);
        assert_eq!(keyboard.told.len(), 2, "{:?}", keyboard.told);
        // Also while it is held: nothing is told again.
        keyboard.key(0, 7000);
        keyboard.key(1, 7049);
        keyboard.run(60_000);
        assert_eq!(keyboard.told.len(), 2, "{:?}", keyboard.told);
        // A finger is slower than contacts.
        keyboard.key(0, 60_000);
        keyboard.key(1, 60_050);
        assert_eq!(keyboard.told[2..], [(60_050, "press")]);
        keyboard.run(65_049);
        assert_eq!(keyboard.told.len(), 3, "and its hold begins there");
    }

    #[test]
    fn contacts_that_are_open_at_the_deadline_decide_when_they_close_or_not() {
        let mut keyboard = Keyboard::new();
        keyboard.key(1, 0);
        keyboard.key(0, 4990);
        keyboard.run(5030);
        let now = keyboard.at(5030);
        assert!(keyboard.holds.handle_timeout(now).is_empty(), "whoever looks in between decides nothing");
        assert_eq!(keyboard.told, [(0, "press")]);
        keyboard.key(1, 5035);
        keyboard.run(5040);
        assert_eq!(keyboard.told.len(), 2, "{:?}", keyboard.told);
        let mut keyboard = Keyboard::new();
        keyboard.key(1, 0);
        keyboard.key(0, 4990);
        keyboard.run(60_000);
        assert_eq!(keyboard.told, [(0, "press")]);
    }

    #[test]
    fn a_hold_is_one_devices_and_one_keys() {
        let mut keyboard = Keyboard::new();
        keyboard.key_of("event1", ENTER, 1, 0);
        keyboard.key_of("event2", ENTER, 1, 3000);
        keyboard.key_of("event1", OTHER, 1, 4000);
        keyboard.key_of("event1", ENTER, 0, 4500);
        keyboard.run(7999);
        assert_eq!(keyboard.told, [(0, "press"), (3000, "press"), (4000, "press")], "nobody held one for 5 s");
        keyboard.run(60_000);
        assert_eq!(keyboard.told[3..], [(8000, "held"), (9000, "held")]);
        keyboard.key_of("event2", OTHER, 0, 60_001);
        assert_eq!(keyboard.holds.handle_key("event2", ENTER, 2, keyboard.at(60_002)), Stroke::Nothing);
    }

    #[test]
    fn what_is_unplugged_holds_nothing_and_begins_again_when_it_is_back() {
        let mut keyboard = Keyboard::new();
        keyboard.key_of("event1", ENTER, 1, 0);
        keyboard.key_of("event2", ENTER, 1, 10);
        keyboard.run(4900);
        keyboard.holds.handle_lost("event1");
        keyboard.run(5005);
        assert_eq!(keyboard.told, [(0, "press"), (10, "press")]);
        keyboard.run(5010);
        assert_eq!(keyboard.told[2..], [(5010, "held")], "the other one is held");
        // Another device may have the path now.
        keyboard.key_of("event1", ENTER, 1, 5020);
        keyboard.run(10_019);
        assert_eq!(keyboard.told[3..], [(5020, "press")]);
    }

    #[test]
    fn a_press_whose_release_got_lost_begins_again() {
        let mut keyboard = Keyboard::new();
        keyboard.key(1, 0);
        keyboard.key(1, 4000);
        keyboard.run(8999);
        assert_eq!(keyboard.told, [(0, "press"), (4000, "press")]);
        keyboard.run(9000);
        assert_eq!(keyboard.told[2..], [(9000, "held")]);
    }

    #[test]
    fn whatever_devices_send_what_is_followed_is_bounded() {
        let mut keyboard = Keyboard::new();
        for n in 0..10_000u64 {
            keyboard.key_of(&format!("event{}", n % 50), n as u16, (n % 4) as i32 - 1, n);
        }
        assert!(keyboard.holds.0.len() <= MOST);
        keyboard.key_of("event0", ENTER, 1, 20_000);
        keyboard.run(25_000);
        assert_eq!(keyboard.told.last(), Some(&(25_000, "held")), "a newcomer is followed");
    }
}
