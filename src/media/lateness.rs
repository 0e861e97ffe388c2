//! How late one viewer's packets come, and so how much later than the earliest of them their sound is to be played.
//!
//! All times are samples of 48 kHz. A packet's *offset* is its arrival minus its place in the stream: it grows with
//! the time that the network took, and drifts with the sender's clock. Goal and playing are compared as offsets too,
//! so that a drift or a change of route moves both.

use std::collections::VecDeque;

/// Packets older than this (10 s) say nothing about the network any more; a clock that is off by 300 ppm moves by 3 ms.
const WINDOW: i64 = 10_000 * MS;
/// Packets remembered at most.
const MOST: usize = 1024;
/// Added to the lateness of the packets: for the threads between the network and the loudspeaker.
const MARGIN: i64 = 5 * MS;
/// One packet: what is waited for at least.
const LEAST: i64 = 20 * MS;
/// While packets get lost: the redundancy of a lost one comes with the next.
const LEAST_LOSSY: i64 = 45 * MS;
/// Lateness is waited for up to this; what comes later still is concealed.
const MOST_DELAY: i64 = 240 * MS;
/// The goal falls towards a lower one with this time constant, and rises at once.
const FORGET: f64 = 4_000.0 * MS as f64;
/// Of so many packets, one more missing than `1 / LOSSY` makes the path a lossy one: 2 %, and 1 % to stay so.
const LOSSY: u64 = 50;
/// Samples of 48 kHz in a millisecond.
const MS: i64 = 48;

#[derive(Clone, Copy, Debug)]
struct Arrival {
    at: i64,
    offset: i64,
    sequence: u64,
}

/// The packets of the last seconds.
#[derive(Debug, Default)]
pub struct Lateness {
    recent: VecDeque<Arrival>,
    /// The offsets of `recent`.
    sorted: Vec<i64>,
    /// The 95th percentile of the offsets, as it rose at once and fell slowly.
    late: Option<f64>,
    lossy: bool,
}

impl Lateness {
    /// A packet came in at `at`; `sample` is its place in the stream.
    pub fn record(&mut self, sequence: u64, at: i64, sample: i64) {
        if self.recent.iter().rev().take(64).any(|known| known.sequence == sequence) {
            return;
        }
        let offset = at - sample;
        let spread = self.base().zip(self.late).map(|(base, late)| late - base as f64);
        while self.recent.len() >= MOST || self.recent.front().is_some_and(|oldest| at - oldest.at > WINDOW) {
            self.forget_oldest();
        }
        if self.recent.is_empty() {
            // After a long pause the clocks may have drifted apart, but the network is likely what it was.
            self.late = spread.map(|spread| offset as f64 + spread);
        }
        let since = self.recent.back().map_or(0, |last| (at - last.at).max(0));
        self.recent.push_back(Arrival { at, offset, sequence });
        self.sorted.insert(self.sorted.partition_point(|known| *known < offset), offset);
        let late = self.sorted[(self.sorted.len() * 19).div_ceil(20) - 1] as f64;
        self.late = Some(match self.late {
            Some(before) if before > late => late + (before - late) * (-(since as f64) / FORGET).exp(),
            _ => late,
        });
        self.count_losses();
    }

    /// The offset that the playing should have: 95 % of the packets are there by then. `None` before the first.
    pub fn goal(&self) -> Option<i64> {
        let (base, late) = self.base().zip(self.late)?;
        let least = if self.lossy { LEAST_LOSSY } else { LEAST };
        Some((late.ceil() as i64 + MARGIN).clamp(base + least, base + MOST_DELAY))
    }

    /// How long a packet waits that comes as early as they do.
    pub fn delay(&self) -> i64 {
        self.goal().zip(self.base()).map_or(LEAST, |(goal, base)| goal - base)
    }

    /// The offset of the earliest packets. One in twenty may be wild: a time stamp from the future moves nothing.
    fn base(&self) -> Option<i64> {
        self.sorted.get(self.sorted.len() / 20).copied()
    }

    fn forget_oldest(&mut self) {
        if let Some(oldest) = self.recent.pop_front() {
            let at = self.sorted.partition_point(|known| *known < oldest.offset);
            if at < self.sorted.len() {
                self.sorted.remove(at);
            }
        }
    }

    fn count_losses(&mut self) {
        // The window is in order but for what the network reordered; its ends may be off by that.
        let (Some(first), Some(last)) = (self.recent.front(), self.recent.back()) else { return };
        let expected = last.sequence.saturating_sub(first.sequence).saturating_add(1);
        let missing = expected.saturating_sub(self.recent.len() as u64);
        let few = if self.lossy { LOSSY * 2 } else { LOSSY };
        self.lossy = missing > 1 && missing > expected / few;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets of 20 ms, late by so many milliseconds.
    fn after(late: impl IntoIterator<Item = i64>) -> Lateness {
        let mut lateness = Lateness::default();
        for (n, late) in late.into_iter().enumerate() {
            let n = n as i64;
            lateness.record(n as u64, (n * 20 + late) * MS, n * 20 * MS);
        }
        lateness
    }

    #[test]
    fn a_clean_path_waits_for_one_packet() {
        assert_eq!(after([0; 500]).delay(), 20 * MS);
        assert_eq!(after([7]).delay(), 20 * MS);
    }

    #[test]
    fn the_delay_is_what_nineteen_of_twenty_packets_need() {
        let mut random = fastrand::Rng::with_seed(1);
        let delay = after((0..500).map(|_| random.i64(0..100))).delay() / MS;
        assert!((90..=103).contains(&delay), "{delay}");
        let rare = after((0..500).map(|n| if n % 30 == 29 { 200 } else { 0 })).delay() / MS;
        assert_eq!(rare, 20, "one in thirty is not waited for");
    }

    #[test]
    fn it_rises_at_once_falls_slowly_and_is_bounded() {
        let worse = after((0..540).map(|n| if n >= 500 { 80 } else { 0 })).delay() / MS;
        assert_eq!(worse, 85);
        let calm = |packets| after((0..packets).map(|n| if n < 100 { n % 2 * 80 } else { 0 })).delay() / MS;
        assert_eq!(calm(110), 85);
        assert!((45..80).contains(&calm(650)), "{}", calm(650));
        assert_eq!(calm(1500), 20);
        assert_eq!(after((0..500).map(|n| n % 2 * 900)).delay(), MOST_DELAY);
    }

    #[test]
    fn a_longer_route_is_no_jitter_once_it_is_the_only_one() {
        let mut lateness = after((0..500).map(|_| 0));
        let goal = |lateness: &Lateness| lateness.goal().unwrap() / MS;
        assert_eq!(goal(&lateness), 20);
        for n in 500..2000 {
            lateness.record(n as u64, (n * 20 + 60) * MS, n * 20 * MS);
            assert!((20..=81).contains(&goal(&lateness)), "no detour over a longer delay");
        }
        assert_eq!(goal(&lateness), 80);
        assert_eq!(lateness.delay(), 20 * MS);
    }

    #[test]
    fn losses_make_room_for_redundancy() {
        let mut lateness = Lateness::default();
        for n in (0..500).filter(|n| n % 10 != 3) {
            lateness.record(n as u64, n * 20 * MS, n * 20 * MS);
        }
        assert_eq!(lateness.delay(), LEAST_LOSSY);
    }

    #[test]
    fn time_stamps_from_the_future_move_nothing() {
        assert_eq!(after((0..500).map(|n| if n % 25 == 7 { -900 } else { 0 })).delay(), 20 * MS);
    }

    #[test]
    fn an_hour_of_pause_keeps_the_delay_though_the_clocks_drifted() {
        let mut lateness = after((0..500).map(|n| n % 2 * 60));
        let at = (3_600_000 + 10_000 + 1_080) * MS;
        lateness.record(500, at, (3_600_000 + 10_000) * MS);
        assert_eq!(lateness.delay() / MS, 65);
    }
}
