//! Who shares an encode with whom.
//!
//! An encode has the bitrate that the thinnest path of its viewers carries. So viewers with like paths share one, and those
//! with others get one of their own, up to [`MOST`]: each costs this machine as much as the first.

use std::time::{Duration, Instant};

use intercom_base::units::Bitrate;

/// Encodes of moving pictures at once.
pub const MOST: usize = 3;

/// What a further encode must be worth: the sum over all viewers of how often they have twice the bitrate by it.
const WORTH: f64 = 0.25;

/// What it is worth to have the first encode in use: only there can a camera's own H.264 take its place.
const FIRST: f64 = 0.1;

/// A new distribution must be better by this, since whoever changes needs a keyframe ...
const BETTER: f64 = 0.4;
/// ... or by this, when the old one has lasted for so long.
const BETTER_LATER: f64 = 0.05;
const LATER: Duration = Duration::from_secs(10);

/// Who has which encode.
#[derive(Debug)]
pub struct Sharing {
    since: Instant,
}

impl Sharing {
    /// Begins now.
    pub fn new(now: Instant) -> Sharing {
        Sharing { since: now }
    }

    /// The encodes of all viewers, 0 to [`MOST`] − 1, the best first. Each viewer is what its path offers the picture, and
    /// the encode that it has.
    pub fn update(&mut self, viewers: &[(Bitrate, usize)], now: Instant) -> Vec<usize> {
        let rooms: Vec<f64> = viewers.iter().map(|(room, _)| room.bps().max(1) as f64).collect();
        let old: Vec<usize> = viewers.iter().map(|(_, encode)| *encode).collect();
        let best = best(&rooms);
        let lasted = now.saturating_duration_since(self.since) >= LATER;
        let margin = if lasted { BETTER_LATER } else { BETTER };
        if best == old || cost(&rooms, &old) <= cost(&rooms, &best) + margin {
            return old;
        }
        self.since = now;
        best
    }
}

/// The bitrate of an encode: what the slowest of its viewers can take, from `least` to `most`. `left` is what each path offers
/// beside the sound.
pub fn bitrate(least: Bitrate, most: Bitrate, left: impl Iterator<Item = Bitrate>) -> Bitrate {
    left.min().unwrap_or(most).clamp(least, most)
}

/// What is lost by a distribution: in each viewer's doublings of the bitrate, and by encodes.
fn cost(rooms: &[f64], encodes: &[usize]) -> f64 {
    let mut sum = 0.0;
    let mut used = 0;
    let first = if encodes.contains(&0) { 0.0 } else { FIRST };
    for encode in 0..MOST {
        let of = || rooms.iter().zip(encodes).filter(|(_, e)| **e == encode).map(|(room, _)| *room);
        let least = of().fold(f64::INFINITY, f64::min);
        used += usize::from(least.is_finite());
        sum += of().map(|room| (room / least).log2()).sum::<f64>();
    }
    sum + first + WORTH * used.saturating_sub(1) as f64
}

/// The best distribution of all that put neighbours together.
fn best(rooms: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rooms.len()).collect();
    order.sort_by(|a, b| rooms[*b].total_cmp(&rooms[*a]));
    let given = |first: usize, second: usize, names: [usize; MOST]| {
        let mut encodes = vec![0; rooms.len()];
        for (place, viewer) in order.iter().enumerate() {
            encodes[*viewer] = names[usize::from(place >= first) + usize::from(place >= second)];
        }
        encodes
    };
    let mut found = given(rooms.len(), rooms.len(), [0, 1, 2]);
    for first in 1..rooms.len() {
        for second in first + 1..=rooms.len() {
            // Of two, the lower one has the last name: the one in between can come and go without it.
            let names = if second == rooms.len() { [0, 2, 2] } else { [0, 1, 2] };
            let next = given(first, second, names);
            if cost(rooms, &next) < cost(rooms, &found) {
                found = next;
            }
        }
    }
    found
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    fn update(sharing: &mut Sharing, kbps: &[u64], old: &[usize], now: Instant) -> Vec<usize> {
        let viewers: Vec<_> = kbps.iter().map(|k| Bitrate::from_kbps(*k)).zip(old.iter().copied()).collect();
        sharing.update(&viewers, now)
    }

    #[test]
    fn one_viewer_has_the_first_encode_whatever_the_path() {
        let now = Instant::now();
        let mut sharing = Sharing::new(now);
        assert_eq!(update(&mut sharing, &[], &[], now), [] as [usize; 0]);
        for kbps in [2500, 300, 20] {
            assert_eq!(update(&mut sharing, &[kbps], &[0], now), [0]);
        }
        let mut sharing = Sharing::new(now);
        assert_eq!(update(&mut sharing, &[300], &[2], now), [2], "left alone with another, it keeps it for a while");
        assert_eq!(update(&mut sharing, &[300], &[2], now + LATER), [0]);
    }

    #[test]
    fn like_paths_share_and_others_harm_nobody() {
        let now = Instant::now();
        let mut sharing = Sharing::new(now);
        assert_eq!(update(&mut sharing, &[2500, 2400], &[0, 0], now), [0, 0]);
        assert_eq!(update(&mut sharing, &[2500, 600], &[0, 0], now), [0, 2]);
        assert_eq!(update(&mut sharing, &[600, 2500, 1200], &[2, 0, 0], now), [2, 0, 1]);
        // Of four kinds of paths the nearest two share.
        assert_eq!(update(&mut sharing, &[2500, 1000, 900, 100], &[0; 4], now), [0, 1, 1, 2]);
    }

    #[test]
    fn an_encode_is_for_its_slowest_viewer() {
        let kbps = Bitrate::from_kbps;
        let rate = |left: &[u64]| bitrate(kbps(20), kbps(2500), left.iter().map(|k| kbps(*k))).kbps();
        assert_eq!([rate(&[]), rate(&[9000, 2000]), rate(&[9000, 7000]), rate(&[5])], [2500, 2000, 2500, 20]);
    }

    #[test]
    fn a_small_gain_is_not_worth_a_change_but_for_good() {
        let now = Instant::now();
        let mut sharing = Sharing::new(now);
        assert_eq!(update(&mut sharing, &[2500, 2500], &[0, 2], now), [0, 2]);
        assert_eq!(update(&mut sharing, &[2500, 2500], &[0, 2], now + LATER), [0, 0]);
        assert_eq!(update(&mut sharing, &[2500, 1800], &[0, 0], now + LATER), [0, 0]);
        assert_eq!(update(&mut sharing, &[2500, 1800], &[0, 0], now + LATER + LATER), [0, 2]);
    }
}
