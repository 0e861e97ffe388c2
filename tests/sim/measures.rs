//! What viewers got, in numbers.

use std::time::{Duration, Instant};

use crate::world::World;

impl World {
    /// How old frames were when the viewer saw them, since `since`: the given percentile.
    pub fn delay(&self, index: usize, since: Instant, percentile: usize) -> Duration {
        let shown = self.viewers[index].shown.iter().filter(|s| s.at >= since);
        let mut ages: Vec<Duration> = shown.map(|s| s.at - self.captured[s.number as usize]).collect();
        ages.sort_unstable();
        ages[(ages.len() - 1) * percentile / 100]
    }

    /// Of home's sound between two instants, the part that a viewer could play, within `patience` of its capture: what
    /// came in a packet of its own or inside another (RED), and that together with what the next one brings along (FEC).
    pub fn heard_part(&self, index: usize, from: Instant, to: Instant, patience: Duration) -> (f64, f64) {
        let got = &self.viewers[index].sounds;
        let in_time = |slot: u64, captured: Instant| {
            got.get(&(slot * 960)).filter(|(at, _)| at.saturating_duration_since(captured) <= patience)
        };
        let (mut all, mut whole, mut recovered) = (0, 0, 0);
        for (slot, captured) in self.sounds.iter().enumerate().filter(|(_, at)| **at >= from && **at < to) {
            let slot = slot as u64;
            all += 1;
            if in_time(slot, *captured).is_some() {
                whole += 1;
            } else if in_time(slot + 1, *captured).is_some_and(|(_, fec)| *fec) {
                recovered += 1;
            }
        }
        (f64::from(whole) / f64::from(all), f64::from(whole + recovered) / f64::from(all))
    }
}
