//! The jitter buffer of one viewer: packets come in as the network likes, and leave in order, in time, or not at all.
//!
//! It decides and holds packets. [`crate::voice`] decodes, stretches and joins. [`crate::lateness`] tells how long a
//! packet should wait.
//!
//! # How it plays
//!
//! - Everything is compared as *offsets*: arrival or playing minus place in the stream. So clock drift and a new route
//!   move both sides alike.
//! - The goal is the 95th percentile of the offsets of the last ten seconds. It rises at once and falls slowly.
//! - With each block, [`JitterBuffer::advice`] compares what is played with the goal. Too early: sound is put in. Too
//!   late: sound is left out. In speech these are whole waves of the voice ([`crate::stretch`]). In a pause any length
//!   will do.
//! - Sound that is more than 200 ms later than its goal is skipped, not played faster.
//!
//! # A missing packet
//!
//! 1. It comes out of the next packet: RED, which str0m takes apart before it gets here, or else in-band FEC
//!    ([`Piece::Recover`]).
//! 2. Otherwise it is concealed, for 60 ms at most ([`Piece::Conceal`]).
//! 3. Then the stream counts as paused ([`Piece::Pause`]). [`crate::comfort`] goes on with the background of the
//!    viewer's room. A sender's own pause (DTX) is treated alike.
//!
//! # Why it is ours
//!
//! WebRTC's NetEQ does the same work. We know no port of it to Rust that is synchronous and takes its time from the
//! caller. This one takes `now` as an argument and decides without decoding. So a test plays a day with a clock that
//! is 300 ppm off within seconds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use intercom_base::sound::OpusPacket;

use crate::lateness::Lateness;
use crate::opus;

/// Sound that is later than its goal by more than this is not caught up with by playing faster: the oldest is skipped.
const LONGEST: i64 = 200 * MS;
/// Concealment goes on for so long; then the stream counts as paused.
const LONGEST_STRETCH: i64 = 60 * MS;
/// A packet that is further from its time than this belongs to another stream (a new SSRC, a restarted clock).
const FAR: i64 = 1000 * MS;
/// A packet as small as this says that from here on nobody speaks (DTX, RFC 7587 section 3.1.3).
const DTX: usize = 2;
/// Packets kept at most, whatever their times say.
const MOST_PACKETS: usize = 128;
/// The playing may be so much later than its goal before it is played faster.
const TOLERANCE: i64 = 15 * MS;
/// The least of so many blocks (100 ms) counts, since the loudspeaker may ask for several at once.
const WATCHED: u32 = 10;
/// Blocks between two stretches, so that speech is not chopped; and when there is need.
const REST: u32 = 10;
const SHORT_REST: u32 = 3;
/// Off by more than this is need.
const URGENT: i64 = 60 * MS;
/// For so many blocks after a packet was missed, growing is urgent.
const MISSED: u32 = 50;
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
    /// Nobody speaks, or not yet, or nothing can be guessed any more. Time passes.
    Pause,
}

/// What to do about the delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// It is right.
    Keep,
    /// Leave out about so many samples; never mind how well they fit if it is urgent.
    Shorten { by: usize, urgent: bool },
    /// Put in about so many samples.
    Lengthen { by: usize, urgent: bool },
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
    /// Packets that came once more inside a later one (RED) and were missing.
    pub redundant: u64,
    /// Holes and waits concealed.
    pub concealed: u64,
    /// Packets skipped because too much had gathered.
    pub skipped: u64,
    /// Times that another stream took over.
    pub restarts: u64,
    /// Samples left out to shorten the delay, and put in to lengthen it.
    pub shortened: u64,
    /// See `shortened`.
    pub lengthened: u64,
}

#[derive(Clone, Debug)]
struct Packet {
    sequence: u64,
    data: Arc<[u8]>,
    samples: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing is played until a packet's time has come.
    Resting,
    /// `next` is the time of the next sample to play; `stretched` samples were concealed while waiting for it, and
    /// `concealed` in all since the last packet.
    Playing { next: u64, stretched: i64, concealed: i64 },
}

/// The packets of one viewer.
#[derive(Debug)]
pub struct JitterBuffer {
    state: State,
    packets: BTreeMap<u64, Packet>,
    /// Sequence number of the packet played last, and whether it was the last before a pause.
    last: Option<(u64, bool)>,
    /// What is older than this has been played, or its time is over.
    played_to: Option<u64>,
    /// Where times are counted from: an arrival and a place in the stream.
    origin: Option<(Instant, u64)>,
    lateness: Lateness,
    /// Arrival and number of the packet with the highest number.
    newest: Option<(Instant, u64)>,
    /// A single packet from far away; the second one of its kind proves another stream.
    stray: Option<(u64, Packet, Instant)>,
    watch: DelayMonitor,
    counts: Counts,
}

/// How late the playing is, watched over some blocks.
#[derive(Clone, Copy, Debug)]
struct DelayMonitor {
    /// The least offset of this stretch of blocks, and of the one before.
    least: [i64; 2],
    blocks: u32,
    since_stretch: u32,
    since_miss: u32,
}

const NOTHING: i64 = i64::MAX / 4;

impl Default for DelayMonitor {
    fn default() -> DelayMonitor {
        DelayMonitor { least: [NOTHING; 2], blocks: 0, since_stretch: REST, since_miss: MISSED }
    }
}

impl DelayMonitor {
    fn block(&mut self, offset: i64) {
        self.least[0] = self.least[0].min(offset);
        self.blocks += 1;
        self.since_stretch = self.since_stretch.saturating_add(1);
        self.since_miss = self.since_miss.saturating_add(1);
        if self.blocks >= WATCHED {
            self.blocks = 0;
            self.least = [NOTHING, self.least[0]];
        }
    }

    /// The least of the last 100 to 200 ms; `None` while too few blocks were seen.
    fn least(&self) -> Option<i64> {
        (self.least[1] < NOTHING).then(|| self.least[0].min(self.least[1]))
    }

    fn moved(&mut self, by: i64) {
        self.since_stretch = 0;
        for least in self.least.iter_mut().filter(|least| **least < NOTHING) {
            *least += by;
        }
    }

    /// What is played is somewhere else now.
    fn forget(&mut self) {
        self.least = [NOTHING; 2];
        self.blocks = 0;
    }
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
            state: State::Resting,
            packets: BTreeMap::new(),
            last: None,
            played_to: None,
            origin: None,
            lateness: Lateness::default(),
            newest: None,
            stray: None,
            watch: DelayMonitor::default(),
            counts: Counts::default(),
        }
    }

    /// What happened so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How long a packet that comes as early as they do waits before it is played.
    pub fn target(&self) -> Duration {
        Duration::from_nanos(self.lateness.delay() as u64 * 1_000_000 / MS as u64)
    }

    /// Whether there is nothing to play until a packet comes.
    pub fn is_idle(&self) -> bool {
        self.state == State::Resting && self.packets.is_empty()
    }

    /// Samples held beyond the one to be played next.
    pub fn held(&self) -> usize {
        let next = match (self.state, self.packets.first_key_value()) {
            (State::Playing { next, .. }, _) => next,
            (_, Some((first, _))) => *first,
            (_, None) => return 0,
        };
        let end =
            self.packets.last_key_value().map_or(next, |(sample, packet)| sample.saturating_add(packet.samples as u64));
        end.saturating_sub(next) as usize
    }

    /// Takes a packet in. What is no Opus packet is left out.
    pub fn insert(&mut self, packet: OpusPacket) {
        let OpusPacket { sequence, sample, data, arrived } = packet;
        let Some(samples) = opus::packet_samples(&data) else { return };
        let packet = Packet { sequence, data, samples: samples as i64 };
        let origin = *self.origin.get_or_insert((arrived, sample));
        let offset = at(origin, arrived) - place(origin, sample);
        if self.lateness.goal().is_some_and(|goal| (offset - goal).abs() > FAR) {
            if !self.has_slept(arrived) {
                self.insert_stray(sample, packet, arrived);
                return;
            }
            self.restart();
        }
        self.stray = None;
        self.insert_near(sample, packet, arrived);
    }

    /// After a pause of ten seconds nothing is known of the clocks.
    fn has_slept(&self, arrived: Instant) -> bool {
        let since = self.newest.map(|(at, _)| arrived.saturating_duration_since(at));
        self.packets.is_empty() && since.is_some_and(|since| since >= Duration::from_secs(10))
    }

    fn insert_near(&mut self, sample: u64, packet: Packet, arrived: Instant) {
        // What came inside a later packet says nothing of the network.
        let inside = self.newest.is_some_and(|(at, newest)| at == arrived && packet.sequence < newest);
        if !inside {
            let origin = *self.origin.get_or_insert((arrived, sample));
            self.lateness.record(packet.sequence, at(origin, arrived), place(origin, sample));
        }
        if self.newest.is_none_or(|(_, newest)| packet.sequence > newest) {
            self.newest = Some((arrived, packet.sequence));
        }
        if self.played_to.is_some_and(|played_to| distance(sample, played_to) < 0) {
            self.counts.late += 1;
            return;
        }
        if self.packets.len() >= MOST_PACKETS {
            self.packets.pop_first();
            self.counts.skipped += 1;
        }
        match self.packets.insert(sample, packet) {
            Some(_) => self.counts.late += 1,
            None => self.counts.redundant += u64::from(inside),
        }
    }

    fn insert_stray(&mut self, sample: u64, packet: Packet, arrived: Instant) {
        let Some((before, other, other_arrived)) = self.stray.take() else {
            self.stray = Some((sample, packet, arrived));
            return;
        };
        let follows = distance(sample, before);
        if follows <= 0 || follows > FAR {
            self.stray = Some((sample, packet, arrived));
            return;
        }
        self.restart();
        self.insert_near(before, other, other_arrived);
        self.insert_near(sample, packet, arrived);
    }

    fn restart(&mut self) {
        let counts = Counts { restarts: self.counts.restarts + 1, ..self.counts };
        *self = JitterBuffer { counts, ..JitterBuffer::new() };
    }

    /// What to play after `ahead` samples that are decoded already. Must be asked whenever they run out, so that the
    /// time that a piece stands for passes.
    pub fn next(&mut self, now: Instant, ahead: usize) -> Piece {
        if self.state == State::Resting {
            let due = self.packets.first_key_value().map(|(sample, _)| *sample).filter(|s| self.is_due(*s, now, ahead));
            let Some(next) = due else { return Piece::Pause };
            self.state = State::Playing { next, stretched: 0, concealed: 0 };
            self.watch.forget();
        }
        loop {
            let State::Playing { next, stretched, concealed } = self.state else { return Piece::Pause };
            let Some((sample, packet)) = self.packets.pop_first() else {
                return self.stretch(next, stretched, concealed);
            };
            let follows = self.last.is_some_and(|(last, _)| packet.sequence.checked_sub(1) == Some(last));
            let lead = distance(sample, next);
            if lead < 0 && !follows && self.last.is_some() {
                self.counts.late += 1;
                continue;
            }
            let hole = lead - stretched.min(lead.max(0));
            if hole <= 0 || (follows && self.is_due(sample, now, ahead)) {
                return self.play(sample, packet);
            }
            let frame = packet.samples;
            let data = Arc::clone(&packet.data);
            self.packets.insert(sample, packet);
            // The redundancy in a packet is that of the one right before it.
            let (part, piece) = if follows || (concealed >= LONGEST_STRETCH && hole > frame) {
                // A pause of the sender, or a loss too long to be guessed.
                return self.rest(next);
            } else if hole <= frame {
                self.counts.recovered += 1;
                (hole, Piece::Recover(data, hole as usize))
            } else {
                self.counts.concealed += 1;
                // The last part of the hole is to be one frame, for the redundancy.
                let part = (hole - frame).min(frame);
                (part, Piece::Conceal(part as usize))
            };
            let next = next.wrapping_add_signed(stretched + part);
            self.state = State::Playing { next, stretched: 0, concealed: concealed + part };
            self.played_to = Some(next);
            return piece;
        }
    }

    fn play(&mut self, sample: u64, packet: Packet) -> Piece {
        let next = sample.saturating_add(packet.samples as u64);
        self.last = Some((packet.sequence, packet.data.len() <= DTX));
        self.state = State::Playing { next, stretched: 0, concealed: 0 };
        self.played_to = Some(next);
        self.counts.played += 1;
        Piece::Packet(packet.data)
    }

    fn rest(&mut self, next: u64) -> Piece {
        self.state = State::Resting;
        self.played_to = Some(next);
        Piece::Pause
    }

    /// Nothing is there. The expected packet is late or lost, one cannot know: go on without it for a while, and
    /// do not let its time pass, so that it is still played when it comes; the delay has grown by then.
    fn stretch(&mut self, next: u64, stretched: i64, concealed: i64) -> Piece {
        let pause = self.last.is_some_and(|(_, pause)| pause);
        if concealed >= LONGEST_STRETCH || pause {
            return self.rest(next);
        }
        let part = 10 * MS;
        self.state = State::Playing { next, stretched: stretched + part, concealed: concealed + part };
        self.watch.since_miss = 0;
        self.counts.concealed += 1;
        Piece::Conceal(part as usize)
    }

    /// Whether the time of `sample` has come, if `ahead` samples are played before it.
    fn is_due(&self, sample: u64, now: Instant, ahead: usize) -> bool {
        let Some((origin, goal)) = self.origin.zip(self.lateness.goal()) else { return true };
        at(origin, now) + ahead as i64 - place(origin, sample) >= goal
    }

    /// Once for each block of 10 ms, with `ahead` samples decoded: what to do about the delay.
    pub fn advice(&mut self, now: Instant, ahead: usize) -> Advice {
        let (Some(late), Some(goal)) = (self.offset(now, ahead), self.lateness.goal()) else { return Advice::Keep };
        self.watch.block(late);
        let Some(least) = self.watch.least() else { return Advice::Keep };
        let short = goal - least;
        let excess = least - goal;
        let urgent = short > URGENT || excess > URGENT || (short > 0 && self.watch.since_miss < MISSED);
        if self.watch.since_stretch < if urgent { SHORT_REST } else { REST } {
            return Advice::Keep;
        }
        match (short, excess) {
            (short, _) if short > 0 => Advice::Lengthen { by: short as usize, urgent },
            (_, excess) if excess > TOLERANCE => Advice::Shorten { by: excess as usize, urgent },
            _ => Advice::Keep,
        }
    }

    /// The owner put in (positive) or left out so many samples.
    pub fn handle_stretched(&mut self, samples: i64) {
        self.watch.moved(samples);
        match samples {
            0.. => self.counts.lengthened += samples as u64,
            _ => self.counts.shortened += samples.unsigned_abs(),
        }
    }

    /// How late the sample is played that comes after the `ahead` ones.
    fn offset(&self, now: Instant, ahead: usize) -> Option<i64> {
        let State::Playing { next, .. } = self.state else { return None };
        let origin = self.origin?;
        Some(at(origin, now) + ahead as i64 - place(origin, next))
    }

    /// Skips the oldest packets if the playing is far too late, down to the goal; says whether that tears what is
    /// playing, so that the owner joins what comes before and after.
    pub fn skip_excess(&mut self, now: Instant, ahead: usize) -> bool {
        let (Some(origin), Some(goal)) = (self.origin, self.lateness.goal()) else { return false };
        let late = |next: u64| at(origin, now) + ahead as i64 - place(origin, next) - goal;
        let (playing, mut next) = match (self.state, self.packets.first_key_value()) {
            (State::Playing { next, .. }, _) => (true, next),
            (State::Resting, Some((first, _))) => (false, *first),
            (State::Resting, None) => return false,
        };
        if late(next) <= LONGEST || self.packets.is_empty() {
            return false;
        }
        while late(next) > TOLERANCE
            && let Some((sample, packet)) = self.packets.pop_first()
        {
            self.counts.skipped += 1;
            self.last = Some((packet.sequence, false));
            next = self
                .packets
                .first_key_value()
                .map_or(sample.saturating_add(packet.samples as u64), |(sample, _)| *sample);
        }
        self.played_to = Some(next);
        if playing {
            self.state = State::Playing { next, stretched: 0, concealed: 0 };
            self.watch.forget();
        }
        playing
    }
}

/// An instant on the stream's clock.
fn at(origin: (Instant, u64), when: Instant) -> i64 {
    let since = |a: Instant, b: Instant| (a.saturating_duration_since(b).as_nanos() * MS as u128 / 1_000_000) as i64;
    since(when, origin.0) - since(origin.0, when)
}

/// A place in the stream, counted from the origin. Bounded, so that no number from outside overflows.
fn place(origin: (Instant, u64), sample: u64) -> i64 {
    distance(sample, origin.1).clamp(-(1 << 60), 1 << 60)
}

/// `a - b` on the stream's clock.
fn distance(a: u64, b: u64) -> i64 {
    a.wrapping_sub(b) as i64
}

#[cfg(test)]
mod tests;
