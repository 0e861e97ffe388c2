//! Signaling sockets whose goodbye is on its way: each has a deadline, and there are so many at most.

use std::time::Instant;

use intercom_core::people::fairness::{self, Limits, Occupant, Source};

use crate::shell::signal_socket::Leaving;

/// In all and of one source.
const LIMITS: Limits = Limits { all: 64, each: 16 };

/// See the module.
#[derive(Default)]
pub struct Goodbyes(Vec<(Source, Leaving)>);

impl Goodbyes {
    /// One more, of this source.
    pub fn begin(&mut self, source: Source, mut leaving: Leaving, now: Instant) {
        if leaving.advance(now) {
            return;
        }
        let places: Vec<_> = self
            .0
            .iter()
            .map(|(source, leaving)| Occupant { owner: *source, rank: (), since: leaving.since() })
            .collect();
        // Of equals the first may go: nobody's visit hangs on a goodbye.
        if let Some(index) = fairness::evict(&places, source, LIMITS, || 0) {
            self.0.remove(index).1.abandon();
        }
        self.0.push((source, leaving));
    }

    /// Goes on with all of them as far as they can without waiting.
    pub fn advance(&mut self, now: Instant) {
        self.0.retain_mut(|(_, leaving)| !leaving.advance(now));
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Leaving> {
        self.0.iter().map(|(_, leaving)| leaving)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether all is said.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
