//! How home's sound is sent: bitrate and redundancy follow what the paths lose and carry, and the picture comes second.
//!
//! One encoder serves all viewers. It is set for the worst path that is not hopeless: anyone who cannot even carry the
//! least bitrate is not helped by everybody else's bad sound, and gets what gets through.

use std::time::{Duration, Instant};

use intercom_base::units::Bitrate;

use crate::call::items::Speech;
use crate::rate::delivery::Queue;

/// IP, UDP, RTP with its extensions and SRTP: 64 bytes of each of fifty packets a second. The estimator, which counts
/// what is inside, does not see them.
const HEADERS: Bitrate = Bitrate::from_kbps(26);
/// Wideband speech that is understood without effort.
const LEAST: Bitrate = Bitrate::from_kbps(16);
/// Below this the encoder puts in no redundancy, however much gets lost.
const LEAST_LOSSY: Bitrate = Bitrate::from_kbps(20);
/// Of what a path carries the voice itself takes at most this part, in percent, unless that is too little.
const PART: u64 = 25;
/// Loss from which each packet brings the one before it along (RED) ...
const REDUNDANT: f32 = 0.03;
/// ... until it has been less than this for so long.
const CALM: f32 = 0.01;
const CALM_FOR: Duration = Duration::from_secs(10);
/// Better times must last this long before the encoder believes in them.
const BETTER_FOR: Duration = Duration::from_secs(5);
/// That the loss is the path's own is remembered for so long.
const OWN_FOR: Duration = Duration::from_secs(60);
/// Packets that are later than at best by this wait in a queue, which loses what does not fit into it ...
const QUEUE: Duration = Duration::from_millis(150);
/// ... and so do those that are this late, for the queue may have been there from the first one on.
const LATE: Duration = Duration::from_millis(500);
/// Where even the packet of a report that waits least waits so long, a queue stands; where all wait shorter than this on the average, there
/// is none. It may come and go within such a time.
const STANDS: Duration = Duration::from_millis(60);
const EMPTY: Duration = Duration::from_millis(15);
const SEEN_FOR: Duration = Duration::from_secs(5);
/// What the encoder is told of loss at least, since the first lost word is not announced.
const LEAST_PERCENT: u8 = 8;
const MOST_PERCENT: u8 = 30;

/// What one viewer's path does to sound.
#[derive(Debug, Default)]
pub struct Protection {
    /// Part of the packets that get lost, smoothed: quickly up, slowly down.
    loss: f32,
    redundancy: bool,
    calm_since: Option<Instant>,
    /// The last reports as they were.
    recent: [f32; 4],
    /// When it was last seen that packets get lost although next to nothing is sent.
    own: Option<Instant>,
    /// The shortest round trip, and whether the last one was longer by a queue.
    best: Option<Duration>,
    queued: bool,
    /// When a queue was last seen to stand, since when none was seen at all, and when that was last told.
    stands: bool,
    stood: Option<Instant>,
    empty: Option<(Instant, Instant)>,
}

impl Protection {
    /// Takes a round trip. What gets lost while packets wait in a queue is lost because of us.
    pub fn handle_round_trip(&mut self, time: Duration) {
        let best = self.best.map_or(time, |best| best.min(time));
        self.best = Some(best);
        self.queued = time > best + QUEUE || time > LATE;
        if self.queued {
            self.own = None;
        }
    }

    /// Takes what waits on the path now. A round trip tells of a queue only where one was seen without it.
    pub fn handle_queue(&mut self, queue: &Queue, now: Instant) {
        let stands = queue.least > STANDS;
        // A radio that falls silent for a moment is no queue.
        if stands && std::mem::replace(&mut self.stands, stands) {
            self.stood = Some(now);
            self.own = None;
        }
        self.stands = stands;
        self.empty = (queue.mean < EMPTY).then(|| (self.empty.map_or(now, |(since, _)| since), now));
    }

    /// Takes the loss of the last second or so. `alone` says that next to nothing but sound has been sent for a while: what gets lost all
    /// the same is the path's own loss, though the estimate falls for it. So is what gets lost where nothing waits.
    pub fn handle_loss(&mut self, loss: f32, alone: bool, now: Instant) {
        if !loss.is_finite() {
            return;
        }
        self.recent.rotate_right(1);
        self.recent[0] = loss;
        let lately = |t: Instant| now.saturating_duration_since(t) < SEEN_FOR;
        let alone = alone && !self.stood.is_some_and(lately);
        let empty = self.empty.is_some_and(|(since, told)| !lately(since) && lately(told));
        if (alone || empty) && !self.queued && self.recent.iter().all(|loss| *loss >= REDUNDANT) {
            self.own = Some(now);
        }
        let follow = if loss > self.loss { 0.5 } else { 0.15 };
        self.loss += (loss.clamp(0.0, 1.0) - self.loss) * follow;
        if self.loss >= REDUNDANT {
            self.redundancy = true;
        }
        self.calm_since = if self.loss < CALM { self.calm_since.or(Some(now)) } else { None };
        if self.calm_since.is_some_and(|t| now.saturating_duration_since(t) >= CALM_FOR) {
            self.redundancy = false;
        }
    }

    /// Part of the packets that get lost.
    pub fn loss(&self) -> f32 {
        self.loss
    }

    /// Whether each packet is to bring the one before it along, on a path that is estimated to carry so much.
    pub fn redundancy(&self, estimate: Option<Bitrate>, now: Instant) -> bool {
        let need = LEAST_LOSSY.bps() * 2 + HEADERS.bps();
        let own = self.own.is_some_and(|t| now.saturating_duration_since(t) < OWN_FOR);
        self.redundancy && (own || estimate.is_none_or(|estimate| estimate.bps() >= need))
    }
}

/// A path as the encoder sees it.
#[derive(Clone, Copy, Debug)]
pub struct Path {
    /// What it carries, if that is known yet. Sound may use all of it: it comes first.
    pub estimate: Option<Bitrate>,
    /// Part of the packets that get lost.
    pub loss: f32,
    /// Each packet brings the one before it along.
    pub redundancy: bool,
}

impl Path {
    /// What sound of `bitrate` takes of this path, as the estimator counts.
    pub fn cost(&self, bitrate: Bitrate) -> Bitrate {
        bitrate.percent(if self.redundancy { 200 } else { 100 })
    }

    /// The least that is worth sending.
    fn least(&self) -> Bitrate {
        if self.loss >= REDUNDANT { LEAST_LOSSY } else { LEAST }
    }

    /// The most that the voice itself can have.
    fn room(&self) -> Option<Bitrate> {
        Some(self.estimate?.percent(if self.redundancy { 50 } else { 100 }))
    }
}

/// What one encoder for all these paths should do, if it may spend `max`.
pub fn choose(max: Bitrate, paths: impl Iterator<Item = Path>) -> Speech {
    let (mut bitrate, mut loss, mut served) = (max, 0.0f32, false);
    let (mut least_of_all, mut lost) = (max, 0.0f32);
    for path in paths {
        let least = path.least();
        if path.room().is_some_and(|room| room < least) {
            (least_of_all, lost) = (least.min(max), lost.max(path.loss));
            continue;
        }
        served = true;
        loss = loss.max(path.loss);
        if let (Some(estimate), Some(room)) = (path.estimate, path.room()) {
            bitrate = bitrate.min(estimate.percent(PART).max(least).min(room));
        }
    }
    if !served {
        // Nobody else is harmed by what may still get through to them.
        (bitrate, loss) = (least_of_all, lost);
    }
    // Steps of 2 kbit/s and five percent: the encoder need not follow each breath.
    let bitrate = Bitrate::from_kbps((bitrate.kbps() / 2 * 2).max(1)).min(max);
    let percent = ((loss * 20.0).ceil() * 5.0) as u8;
    Speech { bitrate, loss_percent: percent.clamp(LEAST_PERCENT, MOST_PERCENT) }
}

/// The order that the encoder stands under.
#[derive(Debug, Default)]
pub struct SpeechOrder {
    ordered: Option<Speech>,
    better_since: Option<Instant>,
}

impl SpeechOrder {
    /// What the encoder stands under.
    pub fn ordered(&self) -> Option<Speech> {
        self.ordered
    }

    /// A new order, if what is wanted asks for one: at once when times get harder, after a while when they get better.
    pub fn update(&mut self, wanted: Speech, now: Instant) -> Option<Speech> {
        let harder = |old: Speech| wanted.bitrate < old.bitrate || wanted.loss_percent > old.loss_percent;
        if self.ordered == Some(wanted) {
            self.better_since = None;
            return None;
        }
        if self.ordered.is_some_and(|old| !harder(old)) {
            let since = *self.better_since.get_or_insert(now);
            if now.saturating_duration_since(since) < BETTER_FOR {
                return None;
            }
        }
        // What is harder in one way and better in the other is both taken.
        self.better_since = None;
        self.ordered = Some(wanted);
        self.ordered
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    const MAX: Bitrate = Bitrate::from_kbps(32);

    fn path(kbps: u64, loss: f32) -> Path {
        Path { estimate: Some(Bitrate::from_kbps(kbps)), loss, redundancy: false }
    }

    fn queue(ms: u64) -> Queue {
        let (waits, any) = (Duration::from_millis(ms), Bitrate::from_kbps(100));
        Queue { least: waits, mean: waits, came: any, sent: any, lost: 0.3, overtaken: 0.0, carries: None }
    }

    fn rate(paths: &[Path]) -> (u64, u8) {
        let speech = choose(MAX, paths.iter().copied());
        (speech.bitrate.kbps(), speech.loss_percent)
    }

    #[test]
    fn a_wide_path_or_an_unknown_one_gets_all() {
        assert_eq!(rate(&[]), (32, 8));
        assert_eq!(rate(&[path(3000, 0.0), Path { estimate: None, loss: 0.0, redundancy: false }]), (32, 8));
    }

    #[test]
    fn the_worst_path_counts_unless_it_is_hopeless() {
        assert_eq!(rate(&[path(3000, 0.0), path(100, 0.0)]), (24, 8));
        assert_eq!(rate(&[path(3000, 0.0), path(54, 0.0)]), (16, 8));
        assert_eq!(rate(&[path(3000, 0.0), path(12, 0.0)]), (32, 8), "12 kbit/s carry no speech at all");
        assert_eq!(rate(&[path(12, 0.0)]), (16, 8), "but if that is all there is");
        assert_eq!(rate(&[path(12, 0.3)]), (20, 30));
        assert_eq!(rate(&[path(3000, 0.0), path(2000, 0.17)]), (32, 20));
        assert_eq!(rate(&[path(3000, 0.9)]), (32, 30));
    }

    #[test]
    fn where_much_gets_lost_there_is_always_room_for_redundancy() {
        assert_eq!(rate(&[path(54, 0.2)]), (20, 20));
        let red = Path { redundancy: true, ..path(66, 0.3) };
        assert_eq!(rate(&[red]), (20, 30));
        assert_eq!(red.cost(Bitrate::from_kbps(20)), Bitrate::from_kbps(40));
    }

    #[test]
    fn redundancy_comes_quickly_goes_slowly_and_only_where_there_is_room() {
        let start = Instant::now();
        let mut protection = Protection::default();
        let mut second = 0;
        let mut seconds = |protection: &mut Protection, loss: f32, alone: bool, count: u64| {
            for _ in 0..count {
                second += 1;
                protection.handle_loss(loss, alone, start + Duration::from_secs(second));
            }
            start + Duration::from_secs(second)
        };
        let now = seconds(&mut protection, 0.005, false, 10);
        let wide = |protection: &Protection| protection.redundancy(None, now);
        assert!(!wide(&protection));
        let now = seconds(&mut protection, 0.1, false, 1);
        assert!(wide(&protection), "after the first second of it");
        let narrow = Some(Bitrate::from_kbps(60));
        assert!(!protection.redundancy(narrow, now));
        assert!(protection.redundancy(Some(Bitrate::from_kbps(70)), now));
        let now = seconds(&mut protection, 0.3, false, 4);
        assert!(!protection.redundancy(narrow, now), "it may be too much of ours");
        let now = seconds(&mut protection, 0.3, true, 1);
        assert!(protection.redundancy(narrow, now), "it is the path's own");
        assert!(!protection.redundancy(narrow, now + OWN_FOR));
        protection.handle_round_trip(Duration::from_millis(60));
        protection.handle_round_trip(Duration::from_millis(180));
        assert!(protection.redundancy(narrow, now), "no later than wireless networks make it");
        protection.handle_round_trip(Duration::from_millis(600));
        assert!(!protection.redundancy(narrow, now), "it was our own queue's loss");
        let now = seconds(&mut protection, 0.3, true, 4);
        assert!(!protection.redundancy(narrow, now), "and still is");
        protection.handle_round_trip(Duration::from_millis(60));
        protection.handle_queue(&queue(20), now);
        let now = seconds(&mut protection, 0.3, true, 4);
        assert!(protection.redundancy(narrow, now), "no queue stands");
        protection.handle_queue(&queue(90), now);
        protection.handle_queue(&queue(90), now);
        assert!(!protection.redundancy(narrow, now), "one does, whatever the round trip");
        let now = seconds(&mut protection, 0.3, true, 4);
        assert!(!protection.redundancy(narrow, now));
        let now = seconds(&mut protection, 0.3, true, 4);
        assert!(protection.redundancy(narrow, now), "it is gone");
        // Pictures are sent as well.
        protection.handle_queue(&queue(90), now);
        protection.handle_queue(&queue(90), now);
        for _ in 0..8 {
            let now = seconds(&mut protection, 0.3, false, 1);
            protection.handle_queue(&queue(20), now);
        }
        let now = seconds(&mut protection, 0.3, false, 4);
        assert!(!protection.redundancy(narrow, now), "they may be too much");
        for _ in 0..8 {
            let now = seconds(&mut protection, 0.3, false, 1);
            protection.handle_queue(&queue(2), now);
        }
        let now = seconds(&mut protection, 0.3, false, 1);
        assert!(protection.redundancy(narrow, now), "nothing waits");
        seconds(&mut protection, 0.0, false, 10);
        assert!(wide(&protection), "ten seconds without loss");
        seconds(&mut protection, 0.0, false, 30);
        assert!(!wide(&protection));
        protection.handle_loss(f32::NAN, false, start);
        assert!(protection.loss().is_finite());
    }

    #[test]
    fn harder_times_are_met_at_once_and_better_ones_after_a_while() {
        let start = Instant::now();
        let at = |s: u64| start + Duration::from_secs(s);
        let speech = |kbps, loss_percent| Speech { bitrate: Bitrate::from_kbps(kbps), loss_percent };
        let mut order = SpeechOrder::default();
        assert_eq!(order.update(speech(32, 8), at(0)), Some(speech(32, 8)));
        assert_eq!(order.update(speech(24, 8), at(1)), Some(speech(24, 8)));
        assert_eq!(order.update(speech(32, 8), at(2)), None);
        assert_eq!(order.update(speech(24, 8), at(6)), None, "not for long");
        assert_eq!(order.update(speech(32, 8), at(7)), None);
        assert_eq!(order.update(speech(32, 8), at(12)), Some(speech(32, 8)));
        assert_eq!(order.update(speech(32, 20), at(13)), Some(speech(32, 20)));
    }
}
