//! Heartbeats: each thread says that it is alive and when it will say so again; one place looks whether it does.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use intercom_core::devices::heartbeat::Beat;

use crate::shell::clock;

/// The longest that any thread may work, or wait for a device, beyond the wait that it announced.
pub const GRACE: Duration = Duration::from_secs(10);

/// Of the 64 bits that a beat is, so many tell until when the next one comes.
const ALLOWANCE_BITS: u32 = 24;

/// Waits for what may never come.
const RESTS: u64 = (1 << ALLOWANCE_BITS) - 1;

thread_local! {
    static OWN: RefCell<Option<Arc<Pulse>>> = const { RefCell::new(None) };
}

/// The pulse of one thread.
#[derive(Debug)]
pub struct Pulse {
    name: String,
    epoch: Instant,
    /// Milliseconds from the epoch to the last beat, and from there to the end of the allowance: in one number, so that
    /// no two beats are ever mixed.
    last: AtomicU64,
}

impl Pulse {
    /// Of a thread that has not begun.
    pub fn new(name: &str) -> Arc<Pulse> {
        Arc::new(Pulse { name: name.to_owned(), epoch: clock::now(), last: AtomicU64::new(RESTS) })
    }

    /// Makes it the pulse of the thread that calls this, which is watched from its first beat on.
    pub fn adopt(self: &Arc<Pulse>) {
        OWN.with(|own| *own.borrow_mut() = Some(Arc::clone(self)));
    }

    /// What is known of the thread.
    pub fn last(&self) -> Beat {
        let packed = self.last.load(Ordering::Relaxed);
        let allowance = Some(packed & RESTS).filter(|allowance| *allowance != RESTS).map(Duration::from_millis);
        let at = self.epoch + Duration::from_millis(packed >> ALLOWANCE_BITS);
        Beat { name: self.name.clone(), at, allowance }
    }

    fn set(&self, allowance: u64) {
        let at = clock::now().saturating_duration_since(self.epoch).as_millis() as u64;
        self.last.store(at << ALLOWANCE_BITS | allowance, Ordering::Relaxed);
    }
}

/// This thread is alive, and will say so again after waiting for `wait` at most, and working for [`GRACE`] at most.
pub fn beat(wait: Duration) {
    own(u64::try_from((wait + GRACE).as_millis()).map_or(RESTS - 1, |allowance| allowance.min(RESTS - 1)));
}

/// This thread is alive, and waits for what may never come.
pub fn rest() {
    own(RESTS);
}

/// A thread without a pulse, as in tests, beats for nobody.
fn own(allowance: u64) {
    OWN.with(|own| own.borrow().iter().for_each(|pulse| pulse.set(allowance)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beat_says_when_and_until_when_and_a_rest_has_no_end() {
        beat(Duration::ZERO);
        let pulse = Pulse::new("test");
        assert_eq!(pulse.last().allowance, None, "not begun");
        let before = clock::now();
        pulse.adopt();
        beat(Duration::from_secs(60));
        let last = pulse.last();
        assert_eq!((last.name.as_str(), last.allowance), ("test", Some(Duration::from_secs(60) + GRACE)));
        assert!(last.at + Duration::from_millis(1) >= before && last.at <= clock::now());
        rest();
        assert_eq!(pulse.last().allowance, None);
        beat(Duration::from_secs(1_000_000));
        assert!(pulse.last().allowance.is_some(), "a long wait is no rest");
    }
}
