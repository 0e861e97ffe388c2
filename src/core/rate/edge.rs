//! How close to its edge a path may be used, by what waits in its queue and what comes.
//!
//! The estimator follows what is sent: it falls short of a path that is not filled, and each probe that has to wait pulls it down. Where the
//! queue is empty time and again, nothing is near the edge: the path is *calm*, and more of it may be used. Where a queue of ours stands, what
//! comes is the edge.

use std::time::{Duration, Instant};

use intercom_base::units::Bitrate;

use crate::rate::delivery::Queue;

/// A path is calm where its queue has been empty in each report of so long, ...
const CALM_AFTER: Duration = Duration::from_millis(1500);
const EMPTY_QUEUE: Duration = Duration::from_millis(8);
/// ... where packets wait no longer on the average than so long, and than a packet before them takes, ...
const SHORT_QUEUE: Duration = Duration::from_millis(15);
const PACKET_BITS: u64 = 1250 * 8;
/// ... and where no more than this part of them is lost: who drops what is too much lets nothing wait.
const LOST: f64 = 0.05;

/// Of a calm path so much is used of what its narrowest place carries, as far as bursts tell, and that for so long after they told it, ...
const USED: u64 = 90;
const TOLD_FOR: Duration = Duration::from_secs(2);
/// ... but no more than so much of the estimate, or of what came in so long. Where bursts tell nothing, so much of these.
const BEYOND_ESTIMATE: u64 = 135;
const PROVEN: u64 = 95;
const PROVEN_FOR: Duration = Duration::from_secs(10);
const USED_BLIND: u64 = 83;
/// An estimate of so much of what the narrowest place carries is all there is to find.
const NO_MORE: u64 = 88;

/// A queue stands where packets wait at least so long, report after report. What comes then is the edge, until the path is calm, or so much
/// more comes, and for so long at most. If the queue stands on although less is sent, it is not ours, or the path got longer: from then on it
/// tells of an edge only where less comes of what is not lost than this part of it, in percent, and no less is sent than the edge that is known.
const STANDING_QUEUE: Duration = Duration::from_millis(60);
const DRAINED: Duration = Duration::from_millis(30);
const EXCESS: u64 = 92;
const DRAINS: Duration = Duration::from_secs(2);
const MORE_THAN_EDGE: u64 = 115;
const LASTS: Duration = Duration::from_secs(6);
/// Reports that are further apart do not follow each other.
const REPORTS: Duration = Duration::from_millis(600);

/// A rate, and how long it is taken to hold.
type Until = (Bitrate, Instant);

/// What is known of one path's edge.
#[derive(Debug, Default)]
pub struct Edge {
    empty_since: Option<Instant>,
    calm: bool,
    narrowest: Option<Until>,
    /// The report before this, whether a queue stood, and when that was.
    before: Option<(Queue, bool, Instant)>,
    /// The most that came in two reports.
    proven: Option<Until>,
    /// What came while a queue stood, and whether that queue is one that is known.
    standing: Option<Until>,
    known: bool,
}

impl Edge {
    /// What waits on the path now, and what comes.
    pub fn handle_queue(&mut self, queue: Queue, now: Instant) {
        if let Some(narrowest) = queue.carries {
            self.narrowest = Some((narrowest, now + TOLD_FOR));
        }
        let stands = queue.least > STANDING_QUEUE;
        let before = self.before.replace((queue, stands, now));
        let lately = |at: Instant| now.saturating_duration_since(at) < REPORTS;
        if let Some((before, stood, _)) = before.filter(|(_, _, at)| lately(*at)) {
            let mean = |what: fn(&Queue) -> Bitrate| Bitrate::from_bps((what(&before).bps() + what(&queue).bps()) / 2);
            let (came, sent) = (mean(|queue| queue.came), mean(|queue| queue.sent));
            self.proven.take_if(|(most, _)| *most <= came);
            self.proven.get_or_insert((came, now + PROVEN_FOR));
            let lost = ((before.lost + queue.lost) * 50.0) as u64;
            let excess = came < sent.percent(EXCESS.saturating_sub(lost));
            // What less is sent than is carried does not make the queue.
            let below = self.standing.is_some_and(|(edge, _)| queue.sent < edge);
            if stood && stands && !below && (!self.known || excess) {
                self.standing = Some((came, now + if excess { LASTS } else { DRAINS }));
                self.proven = None;
            }
            self.known |= stood && stands;
        }
        if queue.least < DRAINED && std::mem::take(&mut self.known) {
            // It was ours.
            self.standing = self.standing.map(|(edge, _)| (edge, now + LASTS));
        }
        self.standing.take_if(|(edge, _)| queue.came > edge.percent(MORE_THAN_EDGE));
        let lost = queue.lost > LOST;
        if lost {
            self.proven = None;
        }
        let packet = Duration::from_secs(PACKET_BITS) / (queue.came.bps().clamp(PACKET_BITS, 1 << 31) as u32);
        if queue.least < EMPTY_QUEUE && queue.mean < SHORT_QUEUE + packet && !lost {
            let since = *self.empty_since.get_or_insert(now);
            self.calm = now.saturating_duration_since(since) >= CALM_AFTER;
            self.standing.take_if(|_| self.calm);
        } else {
            (self.empty_since, self.calm) = (None, false);
        }
    }

    /// The path is full: it is another one than before.
    pub fn handle_full(&mut self) {
        *self = Edge { standing: self.standing, ..Edge::default() };
    }

    /// What comes while a queue of ours stands: no more than that is carried.
    pub fn standing(&self) -> Option<Bitrate> {
        self.standing.map(|(edge, _)| edge)
    }

    /// An estimate from which on there is no more to find, as far as bursts tell.
    pub fn no_more(&self) -> Option<Bitrate> {
        self.narrowest.map(|(narrowest, _)| narrowest.percent(NO_MORE))
    }

    /// What may be used of a calm path.
    pub fn usable(&self, estimate: Bitrate) -> Option<Bitrate> {
        if !self.calm || self.standing.is_some() {
            return None;
        }
        let proven = self.proven.map_or(Bitrate::from_bps(0), |(came, _)| came.percent(PROVEN));
        Some(match self.narrowest {
            Some((narrowest, _)) => narrowest.min(estimate.percent(BEYOND_ESTIMATE).max(proven)).percent(USED),
            None => estimate.max(proven).percent(USED_BLIND),
        })
    }

    /// To be called at [`Edge::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Instant) {
        for known in [&mut self.narrowest, &mut self.proven, &mut self.standing] {
            known.take_if(|(_, until)| *until <= now);
        }
    }

    /// When something that is known holds no more.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.narrowest, self.proven, self.standing].into_iter().flatten().map(|(_, until)| until).min()
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    fn kbps(kbps: u64) -> Bitrate {
        Bitrate::from_kbps(kbps)
    }

    /// A report in which even the packet that waited least waited so long; 1000 kbit/s were sent.
    fn report(least: u64, came: u64) -> Queue {
        let least = Duration::from_millis(least);
        Queue { least, mean: least, came: kbps(came), sent: kbps(1000), lost: 0.0, overtaken: 0.0, carries: None }
    }

    fn bursts(carries: u64) -> Queue {
        Queue { carries: Some(kbps(carries)), ..report(2, 700) }
    }

    /// Takes in a report each 200 ms; what may be used then of an estimate of 1000 kbit/s.
    fn take(edge: &mut Edge, from: &mut Instant, reports: &[Queue]) -> Option<u64> {
        for report in reports {
            *from += Duration::from_millis(200);
            edge.handle_timeout(*from);
            edge.handle_queue(*report, *from);
        }
        edge.usable(kbps(1000)).map(|usable| usable.kbps())
    }

    fn calm(from: &mut Instant, report: Queue) -> Edge {
        let mut edge = Edge::default();
        assert!(take(&mut edge, from, &[report; 9]).is_some());
        edge
    }

    #[test]
    fn a_path_whose_queue_is_empty_for_a_while_is_used_closer_to_its_edge() {
        let now = &mut Instant::now();
        let mut edge = Edge::default();
        assert_eq!(take(&mut edge, now, &[bursts(1200); 8]), None, "not yet");
        assert_eq!(take(&mut edge, now, &[bursts(1200)]), Some(1080));
        assert_eq!(edge.no_more(), Some(kbps(1056)));
        assert_eq!(take(&mut edge, now, &[bursts(2000)]), Some(1215), "the estimate is not far off");
        assert_eq!(take(&mut edge, now, &[report(2, 700)]), Some(1215), "what bursts told holds for a moment");
        assert_eq!(take(&mut edge, now, &[report(2, 700); 11]), Some(830));
        let mean = Duration::from_millis(30);
        for nearer in [report(20, 700), Queue { mean, ..report(2, 700) }, Queue { lost: 0.1, ..report(2, 700) }] {
            let mut edge = calm(now, report(2, 700));
            assert_eq!(take(&mut edge, now, &[nearer]), None, "{nearer:?}");
            assert_eq!(take(&mut edge, now, &[report(2, 700); 8]), None, "not at once again");
        }
    }

    #[test]
    fn what_came_of_late_is_carried_until_packets_are_lost() {
        let now = &mut Instant::now();
        let mut edge = calm(now, report(2, 700));
        assert_eq!(take(&mut edge, now, &[report(2, 2000), report(2, 2000), report(2, 700)]), Some(1577));
        assert_eq!(take(&mut edge, now, &[report(2, 700); 60]), Some(830), "long ago");
        take(&mut edge, now, &[report(2, 2000), report(2, 2000), Queue { lost: 0.2, ..report(2, 700) }]);
        assert_eq!(take(&mut edge, now, &[report(2, 700); 9]), Some(830), "it has changed");
    }

    #[test]
    fn what_comes_of_ours_while_a_queue_stands_is_the_edge_until_more_comes_or_it_is_calm() {
        let now = &mut Instant::now();
        let mut edge = Edge::default();
        take(&mut edge, now, &[report(80, 800), report(20, 800), report(80, 800)]);
        assert_eq!(edge.standing(), None, "for a moment it may");
        take(&mut edge, now, &[report(80, 900)]);
        assert_eq!(edge.standing(), Some(kbps(850)));
        take(&mut edge, now, &[report(20, 900)]);
        assert_eq!(edge.standing(), Some(kbps(850)));
        take(&mut edge, now, &[report(20, 1000)]);
        assert_eq!(edge.standing(), None, "more comes");
        take(&mut edge, now, &[report(80, 800); 2]);
        take(&mut edge, now, &[report(20, 800); 31]);
        assert_eq!(edge.standing(), None, "long ago");
        take(&mut edge, now, &[report(80, 800); 2]);
        assert_eq!(take(&mut edge, now, &[report(2, 800); 8]), None);
        assert!(take(&mut edge, now, &[report(2, 800)]).is_some() && edge.standing().is_none(), "it is calm");
    }

    #[test]
    fn a_queue_that_stands_on_although_less_is_sent_is_no_edge() {
        let now = &mut Instant::now();
        let mut edge = Edge::default();
        take(&mut edge, now, &[report(90, 1000); 2]);
        assert_eq!(edge.standing(), Some(kbps(1000)), "it may be ours");
        take(&mut edge, now, &[report(90, 960); 10]);
        assert_eq!(edge.standing(), None, "others', or the path got longer");
        for came in [1000, 960, 1100, 990] {
            take(&mut edge, now, &[report(90, came); 10]);
            assert_eq!(edge.standing(), None, "{came}");
        }
        take(&mut edge, now, &[report(90, 900); 2]);
        assert_eq!(edge.standing(), Some(kbps(900)), "now it grows by us");
        let mut edge = Edge::default();
        take(&mut edge, now, &[report(90, 1000); 5]);
        take(&mut edge, now, &[report(20, 1000); 20]);
        assert_eq!(edge.standing(), Some(kbps(1000)), "it has drained, and was ours");
        take(&mut edge, now, &[report(20, 1000); 12]);
        assert_eq!(edge.standing(), None, "long ago");
    }

    #[test]
    fn a_longer_path_that_loses_or_jitters_is_not_used_less_and_less() {
        for least in [[80, 80], [55, 66], [65, 25]] {
            let now = &mut Instant::now();
            let mut edge = Edge::default();
            let (mut sent, mut lowest) = (1000, 1000);
            for n in 0..200 {
                let report = Queue { sent: kbps(sent), lost: 0.08, ..report(least[n / 2 % 2], sent * 92 / 100) };
                take(&mut edge, now, &[report]);
                sent = edge.standing().map_or(1000, |edge| edge.kbps() * 3 / 4);
                lowest = lowest.min(sent);
            }
            assert!(lowest > 600, "{least:?}: {lowest}");
        }
    }

    #[test]
    fn a_full_path_is_another_one() {
        let now = &mut Instant::now();
        let mut edge = calm(now, bursts(3000));
        take(&mut edge, now, &[report(2, 3000); 2]);
        edge.handle_full();
        assert_eq!((edge.no_more(), edge.usable(kbps(1000))), (None, None));
        assert_eq!(take(&mut edge, now, &[report(2, 300); 10]), Some(830), "nothing of before is proven");
        assert!(edge.poll_timeout().is_some_and(|due| due > *now));
    }
}
