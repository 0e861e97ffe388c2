//! What a path's narrowest place carries, by how far it spreads packets that were sent together (packet-pair dispersion).
//!
//! A frame's packets leave in one burst. The narrow place sends one after the other, so each comes later than the one before by the time
//! that it takes there. That tells the rate long before a queue stands; but other traffic in between, or a radio that sends
//! several at once, tells another one. So it only says how close to the edge a calm path may be used.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use intercom_base::units::Bitrate;

/// Packets sent within so long of each other were sent together, and came so much further apart, in percent, for the place's sake.
const TOGETHER: Duration = Duration::from_millis(20);
const SPREAD: u32 = 140;
/// The viewer's clock ticks by quarters of a millisecond: less apart says nothing.
const APART: Duration = Duration::from_micros(750);
const WIDE: u64 = u64::MAX;
/// Small packets say little.
const LEAST_BYTES: u64 = 500;

/// The middle one of so many counts, of so long.
const MOST: usize = 48;
const LEAST: usize = 4;
const LASTS: Duration = Duration::from_secs(15);
/// Where the upper quarter is above the lower by more, in percent, something else moves them apart: delay that jumps, as in Wi-Fi.
const AGREE: u64 = 125;

/// One packet that came.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// The transport-wide number.
    pub number: u64,
    /// When it was sent.
    pub sent: Instant,
    /// On the viewer's clock.
    pub came: Instant,
    /// Its size.
    pub bytes: u64,
}

/// The pairs of late.
#[derive(Debug, Default)]
pub struct Dispersion {
    last: Option<Arrival>,
    pairs: VecDeque<(Instant, u64)>,
    /// The last packet is the later one of the last pair.
    paired: bool,
}

impl Dispersion {
    /// A packet came.
    pub fn handle_arrival(&mut self, packet: Arrival) {
        let Some(before) = self.last.replace(packet) else { return };
        let paired = std::mem::take(&mut self.paired);
        // What came after the next one is a copy, sent later than those around it.
        if packet.came < before.came {
            self.pairs.truncate(self.pairs.len() - usize::from(paired));
            return;
        }
        let sent = packet.sent.saturating_duration_since(before.sent);
        let came = packet.came.saturating_duration_since(before.came);
        let pair = packet.number == before.number + 1 && packet.bytes >= LEAST_BYTES && sent <= TOGETHER;
        if !pair {
            return;
        }
        // Those of a wide place come as one. If most do, a gap between some is no narrow place: a radio or a modem that has its turn sends
        // several at once.
        let rate = if came < APART { WIDE } else { (packet.bytes as f64 * 8.0 / came.as_secs_f64()) as u64 };
        // What was sent as far apart as it came says how it was sent.
        if rate == WIDE || came >= sent * SPREAD / 100 {
            self.pairs.push_back((packet.sent, rate));
            self.paired = true;
            if self.pairs.len() > MOST {
                self.pairs.pop_front();
            }
        }
    }

    /// What the narrowest place carries, if enough pairs tell.
    pub fn carries(&self, now: Instant) -> Option<Bitrate> {
        let recent = self.pairs.iter().filter(|(sent, _)| now.saturating_duration_since(*sent) <= LASTS);
        let mut rates: Vec<u64> = recent.map(|(_, rate)| *rate).collect();
        if rates.len() < LEAST {
            return None;
        }
        rates.sort_unstable();
        let part = |quarters: usize| rates[rates.len() * quarters / 4];
        (part(3) != WIDE && part(3).saturating_mul(100) <= part(1).saturating_mul(AGREE))
            .then(|| Bitrate::from_bps(part(2)))
    }

    /// The path has changed.
    pub fn clear(&mut self) {
        *self = Dispersion::default();
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    /// Sends bursts of `count` packets of 1000 bytes through a place of so many kbit/s.
    fn bursts(dispersion: &mut Dispersion, from: Instant, seconds: u32, count: u64, kbps: u64, other: bool) -> Instant {
        let takes = Duration::from_micros(8_000_000 / kbps);
        let mut number = 0;
        for n in 0..seconds * 30 {
            let sent = from + Duration::from_secs(1) * n / 30;
            for place in 0..count {
                // Somebody else's packet is in between now and then.
                let extra = if other && (u64::from(n) + place).is_multiple_of(9) { takes } else { Duration::ZERO };
                let came = sent + Duration::from_secs(9) + takes * place as u32 + extra;
                dispersion.handle_arrival(Arrival { number, sent, came, bytes: 1000 });
                number += 1;
            }
        }
        from + Duration::from_secs(seconds.into())
    }

    #[test]
    fn a_narrow_place_spreads_what_was_sent_together() {
        let now = Instant::now();
        for (kbps, other) in [(300, false), (1000, false), (1000, true), (4000, false)] {
            let mut dispersion = Dispersion::default();
            let then = bursts(&mut dispersion, now, 3, 4, kbps, other);
            let found = dispersion.carries(then).unwrap().kbps();
            assert!(found.abs_diff(kbps) <= kbps / 50, "{kbps} {other}: {found}");
            assert_eq!(dispersion.carries(then + LASTS), None, "long ago");
        }
    }

    #[test]
    fn copies_that_come_in_place_of_what_was_lost_say_nothing() {
        let now = Instant::now();
        let (mut dispersion, mut number) = (Dispersion::default(), 0);
        let ms = |ms: u64| Duration::from_millis(ms);
        for n in 0..90u32 {
            let sent = now + Duration::from_secs(1) * n / 30;
            for place in 0..4 {
                // 8 Mbit/s; one in four comes as a copy.
                let late = if u64::from(n % 4) == place { ms(10) } else { ms(0) };
                let came = sent + ms(50 + place) + late;
                dispersion.handle_arrival(Arrival { number, sent, came, bytes: 1000 });
                number += 1;
            }
        }
        let found = dispersion.carries(now + ms(3000)).map(|rate| rate.kbps());
        assert!(found.is_some_and(|found| found.abs_diff(8000) < 200), "{found:?}");
    }

    #[test]
    fn single_packets_and_wide_places_say_nothing() {
        let now = Instant::now();
        for (count, kbps) in [(1, 500), (4, 50_000)] {
            let mut dispersion = Dispersion::default();
            let then = bursts(&mut dispersion, now, 3, count, kbps, false);
            assert_eq!(dispersion.carries(then), None, "{count} {kbps}");
        }
    }

    #[test]
    fn a_wide_path_that_has_its_turn_each_ten_milliseconds_says_nothing() {
        let now = Instant::now();
        let mut dispersion = Dispersion::default();
        for number in 0..600 {
            // Of each ten packets one comes a turn later than the one before.
            let came = now + Duration::from_millis(33 * (number / 10) + if number % 10 >= 6 { 10 } else { 0 });
            let sent = now + Duration::from_millis(33 * (number / 10));
            dispersion.handle_arrival(Arrival { number, sent, came, bytes: 1200 });
        }
        assert_eq!(dispersion.carries(now + Duration::from_secs(2)), None);
    }

    #[test]
    fn delay_that_jumps_says_nothing() {
        let now = Instant::now();
        let (mut dispersion, mut random) = (Dispersion::default(), fastrand::Rng::with_seed(1));
        for number in 0..200 {
            let came = now + Duration::from_micros(number * 8000 + random.u64(0..30_000));
            dispersion.handle_arrival(Arrival { number, sent: now, came, bytes: 1000 });
        }
        assert_eq!(dispersion.carries(now), None);
    }

    #[test]
    fn a_viewer_whose_clock_jumps_breaks_nothing() {
        let now = Instant::now();
        let mut dispersion = Dispersion::default();
        for number in 0..100 {
            let came = if number % 2 == 0 { now } else { now + Duration::from_secs(1 << 30) };
            dispersion.handle_arrival(Arrival { number: number * 7, sent: now, came, bytes: u64::MAX / 64 });
        }
        assert_eq!(dispersion.carries(now), None);
        dispersion.handle_arrival(Arrival { number: 694, sent: now, came: now + APART, bytes: 1000 });
        dispersion.clear();
        assert_eq!(dispersion.carries(now), None);
    }
}
