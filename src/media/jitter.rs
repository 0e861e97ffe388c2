//! The jitter buffer of one viewer: packets come in as the network likes, and leave in order, in time, or not at all.
//!
//! It decides and holds packets; [`crate::media::voice`] decodes and joins. It starts with a fixed delay and grows
//! it when packets come later than that; what has become too long is shortened by its owner. The delay that it aims
//! at is one function ([`JitterBuffer::target`]), so that an adaptive one can take its place.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::media::opus;

/// From the first packet to its playing: two packets' time, so that one may be late by all of the other.
const START_DELAY: Duration = Duration::from_millis(40);
/// More sound than this is never kept: the oldest is skipped.
const LONGEST: i64 = 200 * MS;
/// Concealment without any packet goes on for so long; then the stream counts as paused.
const LONGEST_STRETCH: i64 = 60 * MS;
/// A packet that is further from where we are than this belongs to another stream (a new SSRC, a restarted clock).
const FAR: i64 = 1000 * MS;
/// A hole longer than this is a pause of the sender rather than a loss.
const LONGEST_HOLE: i64 = 120 * MS;
/// Packets kept at most, whatever their times say.
const MOST_PACKETS: usize = 128;
/// Samples of 48 kHz in a millisecond.
const MS: i64 = 48;

/// What to play next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Decode this packet.
    Packet(Arc<[u8]>),
    /// The packet before this one is lost: recover it from the redundancy in here; so many samples.
    Recover(Arc<[u8]>, usize),
    /// Nothing is there: go on without, for so many samples.
    Conceal(usize),
    /// Silence: nobody speaks, or not yet. Holds until something comes in.
    Pause,
}

/// What became of all packets and times, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets that were played.
    pub played: u64,
    /// Packets that came after their time, or twice.
    pub late: u64,
    /// Holes filled from the following packet.
    pub recovered: u64,
    /// Holes and waits concealed.
    pub concealed: u64,
    /// Packets skipped because too much had gathered.
    pub skipped: u64,
    /// Times that another stream took over.
    pub restarts: u64,
}

#[derive(Clone, Debug)]
struct Packet {
    sequence: u64,
    data: Arc<[u8]>,
    samples: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing came yet, or not for a while.
    Idle,
    /// The first packet came at `since`; playing begins after the start delay.
    Filling { since: Instant },
    /// `next` is the time of the next sample to play; `stretched` samples were concealed while waiting for it.
    Playing { next: u64, stretched: i64 },
}

/// The packets of one viewer.
#[derive(Debug)]
pub struct JitterBuffer {
    state: State,
    packets: BTreeMap<u64, Packet>,
    /// Sequence number of the packet played last.
    last_sequence: Option<u64>,
    /// A single packet from far away; the second one of its kind proves another stream.
    stray: Option<(u64, Packet)>,
    counts: Counts,
}

impl Default for JitterBuffer {
    fn default() -> JitterBuffer {
        JitterBuffer::new()
    }
}

impl JitterBuffer {
    /// An empty buffer.
    pub fn new() -> JitterBuffer {
        JitterBuffer {
            state: State::Idle,
            packets: BTreeMap::new(),
            last_sequence: None,
            stray: None,
            counts: Counts::default(),
        }
    }

    /// What happened so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How long a packet that comes in time waits before it is played.
    pub fn target(&self) -> Duration {
        START_DELAY
    }

    /// Whether there is nothing to play until a packet comes.
    pub fn is_idle(&self) -> bool {
        self.state == State::Idle
    }

    /// Samples held beyond the one to be played next.
    pub fn held(&self) -> usize {
        let next = match (self.state, self.packets.first_key_value()) {
            (State::Playing { next, .. }, _) => next,
            (_, Some((first, _))) => *first,
            (_, None) => return 0,
        };
        let end = self.packets.last_key_value().map_or(next, |(sample, packet)| sample + packet.samples as u64);
        end.saturating_sub(next) as usize
    }

    /// Takes a packet in. What is no Opus packet is left out.
    pub fn insert(&mut self, sequence: u64, sample: u64, data: Arc<[u8]>, arrived: Instant) {
        let Some(samples) = opus::packet_samples(&data) else { return };
        let packet = Packet { sequence, data, samples: samples as i64 };
        let here = match self.state {
            State::Playing { next, .. } => Some(next),
            _ => self.packets.last_key_value().map(|(sample, _)| *sample),
        };
        if here.is_some_and(|here| distance(sample, here).abs() > FAR) {
            self.insert_stray(sample, packet, arrived);
            return;
        }
        self.stray = None;
        self.insert_near(sample, packet, arrived);
    }

    fn insert_near(&mut self, sample: u64, packet: Packet, arrived: Instant) {
        match self.state {
            State::Idle => self.state = State::Filling { since: arrived },
            State::Playing { next, .. } if distance(sample, next) < 0 => {
                self.counts.late += 1;
                return;
            }
            _ => {}
        }
        if self.packets.len() >= MOST_PACKETS {
            self.packets.pop_first();
            self.counts.skipped += 1;
        }
        if self.packets.insert(sample, packet).is_some() {
            self.counts.late += 1;
        }
    }

    fn insert_stray(&mut self, sample: u64, packet: Packet, arrived: Instant) {
        let Some((before, other)) = self.stray.take() else {
            self.stray = Some((sample, packet));
            return;
        };
        let follows = distance(sample, before);
        if follows <= 0 || follows > FAR {
            self.stray = Some((sample, packet));
            return;
        }
        self.counts.restarts += 1;
        self.packets.clear();
        self.state = State::Idle;
        self.last_sequence = None;
        self.insert_near(before, other, arrived);
        self.insert_near(sample, packet, arrived);
    }

    /// What to play next. Must be asked whenever the samples of the piece before are used up, so that the time
    /// that it stands for passes.
    pub fn next(&mut self, now: Instant) -> Piece {
        if let State::Filling { since } = self.state {
            if now.saturating_duration_since(since) < self.target() {
                return Piece::Pause;
            }
            let next = self.packets.first_key_value().map_or(0, |(sample, _)| *sample);
            self.state = State::Playing { next, stretched: 0 };
        }
        let State::Playing { next, stretched } = self.state else { return Piece::Pause };
        let Some((sample, packet)) = self.packets.pop_first() else { return self.stretch(next, stretched) };
        let hole = distance(sample, next) - stretched.min(distance(sample, next));
        let pause = hole > LONGEST_HOLE || (hole > 0 && self.last_sequence == packet.sequence.checked_sub(1));
        if hole <= 0 || pause {
            self.last_sequence = Some(packet.sequence);
            self.state = State::Playing { next: sample + packet.samples as u64, stretched: 0 };
            self.counts.played += 1;
            return Piece::Packet(packet.data);
        }
        // The redundancy in a packet is that of the one right before it.
        let frame = packet.samples;
        let piece = if hole <= frame {
            self.state = State::Playing { next: sample, stretched: 0 };
            self.counts.recovered += 1;
            Piece::Recover(Arc::clone(&packet.data), hole as usize)
        } else {
            // The last part of the hole is to be one frame, for the redundancy.
            let part = (hole - frame).min(frame);
            self.state = State::Playing { next: (next as i64 + stretched + part) as u64, stretched: 0 };
            self.counts.concealed += 1;
            Piece::Conceal(part as usize)
        };
        self.packets.insert(sample, packet);
        piece
    }

    /// Nothing is there. The expected packet is late or lost, one cannot know: go on without it for a while, and
    /// do not let its time pass, so that it is still played when it comes; the delay has grown by then.
    fn stretch(&mut self, next: u64, stretched: i64) -> Piece {
        if stretched >= LONGEST_STRETCH {
            self.state = State::Idle;
            return Piece::Pause;
        }
        let part = 10 * MS;
        self.state = State::Playing { next, stretched: stretched + part };
        self.counts.concealed += 1;
        Piece::Conceal(part as usize)
    }

    /// Skips the oldest packets if more than 200 ms have gathered, down to the target; says whether that tears what
    /// is playing, so that the owner joins what comes before and after.
    pub fn skip_excess(&mut self) -> bool {
        if (self.held() as i64) <= LONGEST {
            return false;
        }
        let playing = matches!(self.state, State::Playing { .. });
        let keep = self.target().as_millis() as usize * MS as usize;
        while self.held() > keep + opus::PACKET
            && let Some((sample, packet)) = self.packets.pop_first()
        {
            self.counts.skipped += 1;
            if playing {
                let next = self.packets.first_key_value().map_or(sample + packet.samples as u64, |(sample, _)| *sample);
                self.state = State::Playing { next, stretched: 0 };
            }
        }
        playing
    }
}

/// `a - b` on the stream's clock.
fn distance(a: u64, b: u64) -> i64 {
    a.wrapping_sub(b) as i64
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    const FRAME: u64 = 960;

    /// A packet of 20 ms, told apart by its last bytes (CELT, mono, one frame; the content is not decoded here).
    fn packet(n: u64) -> Arc<[u8]> {
        let mut data = vec![0xf8];
        data.extend_from_slice(&n.to_be_bytes());
        data.into()
    }

    struct Play {
        origin: Instant,
        buffer: JitterBuffer,
        /// (arrival in ms, number)
        arrivals: Vec<(u64, u64)>,
        played: Vec<Piece>,
    }

    impl Play {
        fn new(arrivals: Vec<(u64, u64)>) -> Play {
            Play { origin: Instant::now(), buffer: JitterBuffer::new(), arrivals, played: Vec::new() }
        }

        /// Lets time pass in steps of 10 ms up to `end` ms, and plays.
        fn run(&mut self, end: u64) -> &[Piece] {
            let mut left = 0i64;
            for now in (0..end).step_by(10) {
                let at = self.origin + Duration::from_millis(now);
                self.arrivals.retain(|(when, n)| {
                    if *when <= now {
                        self.buffer.insert(*n, n * FRAME, packet(*n), at);
                    }
                    *when > now
                });
                while left < 480 {
                    let piece = self.buffer.next(at);
                    left += match &piece {
                        Piece::Packet(_) => 960,
                        Piece::Recover(_, samples) | Piece::Conceal(samples) => *samples as i64,
                        Piece::Pause => 480,
                    };
                    self.played.push(piece);
                }
                left -= 480;
            }
            &self.played
        }

        fn numbers(&self) -> Vec<u64> {
            let number = |data: &Arc<[u8]>| u64::from_be_bytes(data[1..9].try_into().unwrap());
            self.played
                .iter()
                .filter_map(|p| if let Piece::Packet(data) = p { Some(number(data)) } else { None })
                .collect()
        }

        fn count(&self, what: fn(&Piece) -> bool) -> usize {
            self.played.iter().filter(|p| what(p)).count()
        }
    }

    fn steady(count: u64) -> Vec<(u64, u64)> {
        (0..count).map(|n| (n * 20, n)).collect()
    }

    #[test]
    fn on_a_clean_path_all_is_played_in_order_after_forty_milliseconds() {
        let mut play = Play::new(steady(100));
        play.run(2040);
        assert_eq!(play.numbers(), (0..100).collect::<Vec<_>>());
        assert_eq!(play.count(|p| *p == Piece::Pause), 4, "40 ms of silence first");
        assert_eq!(play.count(|p| matches!(p, Piece::Conceal(_) | Piece::Recover(..))), 0);
    }

    #[test]
    fn order_is_restored_and_duplicates_are_dropped() {
        let mut arrivals = steady(50);
        for pair in arrivals.chunks_exact_mut(2) {
            (pair[0].1, pair[1].1) = (pair[1].1, pair[0].1);
        }
        arrivals.extend_from_slice(&arrivals.clone());
        let mut play = Play::new(arrivals);
        play.run(1000);
        assert_eq!(play.numbers(), (0..play.numbers().len() as u64).collect::<Vec<_>>());
        assert!(play.numbers().len() > 45);
        assert_eq!(play.count(|p| matches!(p, Piece::Conceal(_) | Piece::Recover(..))), 0);
    }

    #[test]
    fn one_lost_packet_is_recovered_two_are_concealed_and_recovered() {
        let mut play = Play::new(steady(50).into_iter().filter(|(_, n)| ![10, 20, 21].contains(n)).collect());
        play.run(1000);
        let at = |n: u64| play.played.iter().position(|p| *p == Piece::Packet(packet(n))).unwrap();
        assert_eq!(play.played[at(9) + 1..at(11)], [Piece::Recover(packet(11), 960)]);
        assert_eq!(play.played[at(19) + 1..at(22)], [Piece::Conceal(960), Piece::Recover(packet(22), 960)]);
        assert_eq!(play.buffer.counts().recovered, 2);
    }

    #[test]
    fn a_packet_too_late_grows_the_delay_once_and_nothing_is_lost() {
        // From number 20 on everything is 50 ms later: a route changed.
        let arrivals = (0..60).map(|n| (n * 20 + if n >= 20 { 50 } else { 0 }, n)).collect();
        let mut play = Play::new(arrivals);
        play.run(1400);
        assert_eq!(play.numbers(), (0..60).collect::<Vec<_>>());
        let concealed = play.count(|p| matches!(p, Piece::Conceal(_)));
        assert!((1..=8).contains(&concealed), "{concealed}");
    }

    #[test]
    fn a_loss_at_the_edge_costs_no_delay() {
        // Number 20 is lost and 21 comes so late that concealing had begun.
        let arrivals = (0..60).filter(|n| *n != 20).map(|n| (n * 20 + if n == 21 { 35 } else { 0 }, n)).collect();
        let mut play = Play::new(arrivals);
        play.run(1000);
        let before = play.played.iter().take_while(|p| **p != Piece::Packet(packet(21))).count();
        let held = play.buffer.held();
        assert!(before > 0 && held <= 3 * 960, "{held}");
    }

    #[test]
    fn silence_of_the_network_becomes_a_pause_and_starts_anew() {
        let arrivals = (0..20).map(|n| (n * 20, n)).chain((100..120).map(|n| (n * 20, n))).collect();
        let mut play = Play::new(arrivals);
        play.run(2600);
        assert_eq!(play.numbers(), (0..20).chain(100..120).collect::<Vec<_>>());
        assert_eq!(play.count(|p| matches!(p, Piece::Conceal(_))), 12, "6 blocks of 10 ms after each part");
        assert!(play.buffer.is_idle());
    }

    #[test]
    fn another_stream_takes_over_with_its_second_packet() {
        for far in [5_000_000, 1_000] {
            let start = if far == 1_000 { 4_000_000 } else { 0 };
            let mut arrivals: Vec<(u64, u64)> = (0..20).map(|n| (n * 20, start + n)).collect();
            arrivals.extend((0..20).map(|n| (400 + n * 20, far + n)));
            let mut play = Play::new(arrivals);
            play.run(1000);
            let numbers = play.numbers();
            assert!(numbers.ends_with(&(far..far + 20).collect::<Vec<_>>()), "{numbers:?}");
            assert_eq!(play.buffer.counts().restarts, 1);
        }
    }

    #[test]
    fn a_single_packet_from_nowhere_changes_nothing() {
        let mut arrivals = steady(50);
        arrivals.insert(25, (500, 9_000_000));
        let mut play = Play::new(arrivals);
        play.run(1040);
        assert_eq!(play.numbers(), (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn a_burst_is_cut_down_to_the_target() {
        // 600 ms of sound arrive at once, as after a stall of the network.
        let mut play = Play::new((0..30).map(|n| (0, n)).collect());
        play.run(50);
        assert!(play.buffer.held() > 200 * 48);
        assert!(play.buffer.skip_excess());
        assert!(play.buffer.held() <= 60 * 48);
        assert!(!play.buffer.skip_excess());
        play.run(200);
        assert_eq!(play.numbers().last(), Some(&29));
    }

    #[test]
    fn it_never_holds_more_than_its_bound() {
        let mut buffer = JitterBuffer::new();
        let now = Instant::now();
        for n in 0..100_000u64 {
            buffer.insert(n, (n * 7919 * FRAME) % (40 * 48_000), packet(n), now);
        }
        assert!(buffer.packets.len() <= MOST_PACKETS);
    }
}
