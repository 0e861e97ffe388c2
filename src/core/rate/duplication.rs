//! How often a viewer's video packets are sent (delayed duplication, RFC 7198): more than once where the path itself loses some, and
//! carries all of it.
//!
//! A packet that is lost is asked for again, which takes a round trip and holds up all frames behind it. A copy comes within some
//! milliseconds. Copies take as much as the picture, so they must fit beside it, and they end with the first sign of a queue: where a
//! queue overflows, more packets lose more.

use std::time::{Duration, Instant};

use intercom_base::units::Bitrate;

use crate::rate::delivery::Queue;

/// Part of the packets that the path loses from which on a copy pays: where asking again takes long, and where it does not. With the latter,
/// where it takes long, two do.
const LOST: f64 = 0.01;
const LOST_MUCH: f64 = 0.04;
/// Where copies are sent, about this part of the losses is seen: of the last packets of a frame the copies come like themselves.
const SEEN: f64 = 0.85;
const FAR: Duration = Duration::from_millis(40);
/// The first copy goes on until the path has lost less than this for so long, and the second one.
const LOST_STILL: [f64; 2] = [0.003, 0.025];
const CALM: Duration = Duration::from_secs(20);

/// Packets that wait no longer than this lie in no queue of ours: jitter alone may take some time.
const EMPTY: Duration = Duration::from_millis(20);
const EMPTY_MEAN: Duration = Duration::from_millis(60);
/// And where all wait for so long there is one.
const STANDS: Duration = Duration::from_millis(60);

/// How far one report of a fifth of a second moves what is known of the losses.
const FOLLOWS: f64 = 0.1;

/// Copies that make up for less than this part of what is lost help nobody. Half of it can be seen at best: feedback may be quicker than a
/// copy, and sound has none.
const USELESS: f64 = 0.1;
const AT_BEST: f64 = 0.5;
const FOLLOWS_SLOWLY: f64 = 0.02;

/// After a queue, the path is left alone for so long, and twice as long each time, up to the most; from the beginning again, once
/// copies have done no harm for that long.
const RESTS: Duration = Duration::from_secs(15);
const RESTS_MOST: Duration = Duration::from_secs(240);

/// Copies that are sent go on while this part of what the picture needs, in percent, fits beside them.
const BARELY: u64 = 70;
/// Beside two of them the picture takes no more than this part of it.
const AMPLE: u64 = 150;

/// The state for one viewer.
#[derive(Debug)]
pub struct Duplication {
    /// What the full size of an ordinary scene needs.
    need: Bitrate,
    /// How many copies are sent, and since when there are any.
    copies: u8,
    since: Option<Instant>,
    /// Part of the packets that are lost at first, as far as no queue takes them.
    lost: f64,
    /// When that was last enough for one copy, and for two.
    last_lost: [Option<Instant>; 2],
    /// Part of the packets of which a copy was there first, over some ten seconds.
    helped: f64,
    rests: Duration,
    rests_until: Option<Instant>,
}

impl Duplication {
    /// Nothing is known of the path, and nothing sent twice. The full size of an ordinary scene needs `need`.
    pub fn new(need: Bitrate) -> Duplication {
        Duplication {
            need,
            copies: 0,
            since: None,
            lost: 0.0,
            last_lost: [None; 2],
            helped: 0.0,
            rests: RESTS,
            rests_until: None,
        }
    }

    /// How many copies are sent of each packet.
    pub fn copies(&self) -> u8 {
        self.copies
    }

    /// What the picture may take where it and its copies may take so much.
    pub fn picture(&self, room: Bitrate) -> Bitrate {
        let part = part(room, self.copies);
        if self.copies > 1 { part.min(self.need.percent(AMPLE)) } else { part }
    }

    /// Takes what waits on the path, how long a round trip takes, if that is known, and what picture and copies
    /// may take.
    pub fn handle_queue(&mut self, queue: &Queue, round_trip: Option<Duration>, room: Bitrate, now: Instant) {
        if queue.least > STANDS {
            return self.handle_congestion(now);
        }
        let empty = queue.least <= EMPTY && queue.mean <= EMPTY_MEAN;
        if empty && !self.learn(queue, now) {
            return self.handle_congestion(now);
        }
        let rests = self.rests_until.is_some_and(|until| now < until);
        let begins = if empty && !rests { self.begins(round_trip) } else { 0 };
        let copies = begins.max(self.goes_on(round_trip, now)).min(self.fit(room));
        if self.copies == 0 && copies > 0 {
            (self.since, self.helped) = (Some(now), self.lost * AT_BEST);
        }
        if copies == 0 && self.since.take().is_some() {
            // They begin again with what is lost from now on.
            self.lost = 0.0;
        }
        self.copies = copies;
    }

    /// Takes what was lost without a queue. Whether copies, if any are sent, make up for some of it.
    fn learn(&mut self, queue: &Queue, now: Instant) -> bool {
        // Of a packet whose copy came, its lateness tells. Without copies one may overtake another all the same, and none is lost.
        let overtaken = if self.copies > 0 { queue.overtaken } else { 0.0 };
        self.lost += (queue.lost + overtaken - self.lost) * FOLLOWS;
        for (last, still) in self.last_lost.iter_mut().zip(LOST_STILL) {
            if self.lost >= still {
                *last = Some(now);
            }
        }
        let Some(since) = self.since else { return true };
        self.helped += (queue.overtaken - self.helped) * FOLLOWS_SLOWLY;
        if now.saturating_duration_since(since) >= RESTS_MOST {
            self.rests = RESTS;
        }
        self.helped >= self.lost * USELESS
    }

    /// How many copies are worth what they take, by what is lost now.
    fn begins(&self, round_trip: Option<Duration>) -> u8 {
        let much = self.lost >= if self.copies > 0 { LOST_MUCH * SEEN } else { LOST_MUCH };
        let far = is_far(round_trip);
        u8::from(much || far && self.lost >= LOST) + u8::from(much && far)
    }

    /// How many of those that are sent go on, by what was lost of late.
    fn goes_on(&self, round_trip: Option<Duration>, now: Instant) -> u8 {
        let lately = |last: &Option<Instant>| last.is_some_and(|last| now.saturating_duration_since(last) < CALM);
        let worth = self.last_lost.iter().take_while(|last| lately(last)).count() as u8;
        self.copies.min(worth).min(if is_far(round_trip) { 2 } else { 1 })
    }

    /// How many fit beside the picture.
    fn fit(&self, room: Bitrate) -> u8 {
        let fits = |copies: &u8| {
            let need = if *copies <= self.copies { self.need.percent(BARELY) } else { self.need };
            part(room, *copies) >= need
        };
        (1..=2).rev().find(fits).unwrap_or(0)
    }

    /// What is sent waits: no copies, at once.
    pub fn handle_congestion(&mut self, now: Instant) {
        // What was lost meanwhile is none of the path's own.
        self.lost = 0.0;
        let until = now + self.rests;
        if self.since.take().is_some() {
            self.rests = (self.rests * 2).min(RESTS_MOST);
        }
        self.copies = 0;
        self.rests_until = Some(self.rests_until.map_or(until, |known| known.max(until)));
    }

    /// The path is another one, or nothing is sent: what was known is forgotten.
    pub fn forget(&mut self) {
        *self = Duplication::new(self.need);
    }
}

fn is_far(round_trip: Option<Duration>) -> bool {
    round_trip.is_some_and(|time| time >= FAR)
}

/// What of this each of a picture and so many copies may take.
fn part(all: Bitrate, copies: u8) -> Bitrate {
    all.percent(100 / (1 + u64::from(copies)))
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    const NEED: Bitrate = Bitrate::from_kbps(1500);
    const WIDE: Bitrate = Bitrate::from_kbps(9000);
    const TICK: Duration = Duration::from_millis(200);

    /// Loses this part of the packets, of which half are seen to come as copies where those are sent; all wait for so many milliseconds.
    struct Path {
        lost: f64,
        ms: u64,
        round_trip: u64,
        room: Bitrate,
    }

    impl Path {
        fn wide(lost: f64, round_trip: u64) -> Path {
            Path { lost, ms: 1, round_trip, room: WIDE }
        }

        fn run(&self, duplication: &mut Duplication, now: &mut Instant, seconds: u32) -> u8 {
            for _ in 0..seconds * 5 {
                *now += TICK;
                let overtaken = if duplication.copies() > 0 { self.lost / 2.0 } else { 0.0 };
                let (least, any) = (Duration::from_millis(self.ms), Bitrate::from_kbps(2000));
                let lost = self.lost - overtaken;
                let queue = Queue { least, mean: least, came: any, sent: any, lost, overtaken, carries: None };
                duplication.handle_queue(&queue, Some(Duration::from_millis(self.round_trip)), self.room, *now);
            }
            duplication.copies()
        }
    }

    #[test]
    fn copies_are_sent_where_asking_again_takes_long_or_much_is_lost() {
        for (lost, round_trip, copies) in
            [(0.0, 200, 0), (0.005, 200, 0), (0.02, 100, 1), (0.02, 10, 0), (0.1, 10, 1), (0.1, 200, 2)]
        {
            let (mut duplication, mut now) = (Duplication::new(NEED), Instant::now());
            let path = Path::wide(lost, round_trip);
            assert_eq!(path.run(&mut duplication, &mut now, 5), copies, "{lost} {round_trip}");
            assert_eq!(path.run(&mut duplication, &mut now, 120), copies, "and go on: {lost} {round_trip}");
        }
    }

    #[test]
    fn packets_that_overtake_each_other_are_not_lost() {
        let (mut duplication, mut now) = (Duplication::new(NEED), Instant::now());
        let (ms, any) = (Duration::from_millis(1), Bitrate::from_kbps(2000));
        let queue = Queue { least: ms, mean: ms, came: any, sent: any, lost: 0.0, overtaken: 0.2, carries: None };
        for _ in 0..100 {
            now += TICK;
            duplication.handle_queue(&queue, Some(200 * ms), WIDE, now);
        }
        assert_eq!(duplication.copies(), 0);
    }

    #[test]
    fn they_end_when_nothing_is_lost_any_more() {
        let (mut duplication, mut now) = (Duplication::new(NEED), Instant::now());
        assert_eq!(Path::wide(0.1, 200).run(&mut duplication, &mut now, 5), 2);
        assert_eq!(Path::wide(0.0, 200).run(&mut duplication, &mut now, 15), 2, "it may be a pause");
        assert_eq!(Path::wide(0.0, 200).run(&mut duplication, &mut now, 30), 0);
        // Nor where it cannot be seen what is lost.
        assert_eq!(Path::wide(0.1, 200).run(&mut duplication, &mut now, 5), 2);
        let unclear = Path { ms: 40, ..Path::wide(0.1, 200) };
        assert_eq!(unclear.run(&mut duplication, &mut now, 25), 0);
        assert_eq!(Path::wide(0.0, 200).run(&mut duplication, &mut now, 1), 0, "and what was seen long ago is past");
    }

    #[test]
    fn picture_and_copies_fit_into_what_there_is() {
        for (kbps, copies, picture) in
            [(9000, 2, 2250), (4600, 2, 1518), (4000, 1, 2000), (3000, 1, 1500), (2900, 0, 2900)]
        {
            let (mut duplication, mut now) = (Duplication::new(NEED), Instant::now());
            let room = Bitrate::from_kbps(kbps);
            let path = Path { room, ..Path::wide(0.1, 200) };
            assert_eq!(path.run(&mut duplication, &mut now, 5), copies, "{kbps} kbit/s");
            assert_eq!(duplication.picture(room), Bitrate::from_kbps(picture), "{kbps} kbit/s");
        }
        // One that is somewhat narrower later keeps its copies, one that is much narrower does not, even with some packets in a queue.
        let (mut duplication, mut now) = (Duplication::new(NEED), Instant::now());
        for (kbps, copies, ms) in [(3000, 1, 1), (2200, 1, 30), (2000, 0, 30), (2200, 0, 1)] {
            let path = Path { room: Bitrate::from_kbps(kbps), ms, ..Path::wide(0.1, 200) };
            assert_eq!(path.run(&mut duplication, &mut now, 5), copies, "{kbps} kbit/s");
        }
    }

    #[test]
    fn a_queue_ends_them_at_once_and_for_longer_each_time() {
        let (mut duplication, mut now) = (Duplication::new(NEED), Instant::now());
        let (lossy, queued) = (Path::wide(0.1, 200), Path { ms: 100, ..Path::wide(0.1, 200) });
        for rest in [15, 30, 60] {
            assert_eq!(lossy.run(&mut duplication, &mut now, 4), 2);
            duplication.handle_congestion(now);
            assert_eq!(duplication.copies(), 0);
            assert_eq!(lossy.run(&mut duplication, &mut now, rest - 1), 0, "{rest} s");
            assert_eq!(lossy.run(&mut duplication, &mut now, 5), 2, "{rest} s");
        }
        assert_eq!(queued.run(&mut duplication, &mut now, 600), 0, "as long as it stands");
    }

    #[test]
    fn copies_that_are_lost_like_all_else_are_not_sent_on() {
        let (mut duplication, mut now) = (Duplication::new(NEED), Instant::now());
        assert_eq!(Path::wide(0.1, 200).run(&mut duplication, &mut now, 5), 2);
        let any = Bitrate::from_kbps(2000);
        for _ in 0..100 {
            now += TICK;
            let queue = Queue {
                least: TICK / 100,
                mean: TICK / 100,
                came: any,
                sent: any,
                lost: 0.1,
                overtaken: 0.0,
                carries: None,
            };
            duplication.handle_queue(&queue, None, WIDE, now);
        }
        assert_eq!(duplication.copies(), 0);
    }
}
