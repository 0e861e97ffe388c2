//! The jitter buffer on networks of all kinds, in virtual time and without a decoder.

#![allow(clippy::disallowed_methods)]

use std::collections::HashMap;

use super::*;

const FRAME: u64 = 960;

/// A packet of 20 ms, told apart by its last bytes (CELT, mono, one frame; the content is not decoded here).
fn packet(n: u64) -> Arc<[u8]> {
    let mut data = vec![0xf8];
    data.extend_from_slice(&n.to_be_bytes());
    data.into()
}

/// What arrives: when (in ms), the sequence number, and the place in the stream in packets.
type Arrival = (u64, u64, u64);

struct Play {
    origin: Instant,
    buffer: JitterBuffer,
    arrivals: Vec<Arrival>,
    played: Vec<Piece>,
    /// Samples decoded and not yet played.
    ahead: i64,
    /// How long each packet waited in all, arrival to loudspeaker, in ms: number, wait.
    waits: Vec<(u64, f64)>,
    stretches: u64,
    arrived: HashMap<u64, u64>,
    now: u64,
}

impl Play {
    fn new(mut arrivals: Vec<Arrival>) -> Play {
        arrivals.sort_by_key(|(when, ..)| *when);
        Play {
            origin: Instant::now(),
            buffer: JitterBuffer::new(),
            arrivals,
            played: Vec::new(),
            ahead: 0,
            waits: Vec::new(),
            stretches: 0,
            arrived: HashMap::new(),
            now: 0,
        }
    }

    /// Lets time pass in steps of 10 ms up to `end` ms, and plays, following every advice as a voice could.
    fn run(&mut self, end: u64) -> &[Piece] {
        let mut arrivals = std::mem::take(&mut self.arrivals).into_iter().peekable();
        let from = std::mem::replace(&mut self.now, end);
        for now in (from..end).step_by(10) {
            while let Some((when, sequence, n)) = arrivals.next_if(|(when, ..)| *when <= now) {
                let at = self.origin + Duration::from_millis(when);
                self.arrived.entry(n).or_insert(when);
                self.buffer.insert(OpusPacket { sequence, sample: n * FRAME, data: packet(n), arrived: at });
            }
            let at = self.origin + Duration::from_millis(now);
            self.buffer.skip_excess(at, self.ahead as usize);
            let mut paused = false;
            while self.ahead < 480 && !paused {
                let piece = self.buffer.next(at, self.ahead as usize);
                match &piece {
                    Piece::Packet(data) => {
                        let n = u64::from_be_bytes(data[1..9].try_into().unwrap());
                        self.waits.push((n, (now - self.arrived[&n]) as f64 + self.ahead as f64 / 48.0));
                        self.ahead += 960;
                    }
                    Piece::Recover(_, samples) | Piece::Conceal(samples) => self.ahead += *samples as i64,
                    Piece::Pause => paused = true,
                }
                self.played.push(piece);
            }
            if paused {
                self.ahead = 0;
                continue;
            }
            let by = match self.buffer.advice(at, self.ahead as usize) {
                Advice::Keep => 0,
                // A wave of a voice is 10 ms long.
                Advice::Lengthen { .. } => 480,
                Advice::Shorten { .. } if self.ahead >= 960 => -480,
                Advice::Shorten { .. } => 0,
            };
            if by != 0 {
                self.stretches += 1;
                self.ahead += by;
                self.buffer.handle_stretched(by);
            }
            self.ahead -= 480;
        }
        self.arrivals = arrivals.collect();
        &self.played
    }

    fn numbers(&self) -> Vec<u64> {
        self.waits.iter().map(|(n, _)| *n).collect()
    }

    /// Packets up to this one that were not played, or not in order.
    fn missing(&self, count: u64) -> Vec<u64> {
        let numbers = self.numbers();
        assert!(numbers.is_sorted_by(|a, b| a < b), "out of order");
        (0..count).filter(|n| numbers.binary_search(n).is_err()).collect()
    }

    fn count(&self, what: fn(&Piece) -> bool) -> usize {
        self.played.iter().filter(|p| what(p)).count()
    }

    fn concealed(&self) -> usize {
        self.count(|p| matches!(p, Piece::Conceal(_) | Piece::Recover(..)))
    }

    /// The longest and the mean wait of packets in this range.
    fn wait(&self, range: std::ops::Range<u64>) -> (f64, f64) {
        let waits: Vec<f64> = self.waits.iter().filter(|(n, _)| range.contains(n)).map(|(_, wait)| *wait).collect();
        (waits.iter().copied().fold(0.0, f64::max), waits.iter().sum::<f64>() / waits.len() as f64)
    }
}

fn steady(count: u64) -> Vec<Arrival> {
    (0..count).map(|n| (n * 20, n, n)).collect()
}

fn late(count: u64, mut late: impl FnMut(u64) -> u64) -> Vec<Arrival> {
    (0..count).map(|n| (n * 20 + late(n), n, n)).collect()
}

/// From a mouth to the loudspeaker's own queue: the sender collects 20 ms for a packet, and the packet waits here.
/// What the network and the devices add is not ours.
#[test]
fn from_mouth_to_loudspeaker_a_clean_path_costs_at_most_sixty_milliseconds() {
    for phase in 0..20 {
        let mut play = Play::new((0..3000).map(|n| (n * 20 + phase, n, n)).collect());
        play.run(60_000);
        let (longest, mean) = play.wait(0..3000);
        assert!(20.0 + longest <= 60.0, "{longest} ms here, arriving {phase} ms after a block");
        assert!(20.0 + mean <= 55.0, "{mean}");
        assert_eq!(play.concealed(), 0);
        assert_eq!(play.stretches, 0);
    }
}

#[test]
fn on_a_clean_path_all_is_played_in_order() {
    let mut play = Play::new(steady(100));
    play.run(2040);
    assert_eq!(play.numbers(), (0..100).collect::<Vec<_>>());
    assert_eq!(play.played.iter().take_while(|p| **p == Piece::Pause).count(), 2, "20 ms of silence first");
}

#[test]
fn order_is_restored_and_duplicates_are_dropped() {
    let mut arrivals = late(400, |n| if n % 2 == 0 { 21 } else { 0 });
    arrivals.extend(arrivals.clone().into_iter().map(|(when, s, n)| (when + 7, s, n)));
    let mut play = Play::new(arrivals);
    play.run(8200);
    assert!(play.missing(399).len() < 4, "{:?}", play.missing(399));
}

#[test]
fn one_lost_packet_is_recovered_two_are_concealed_and_recovered() {
    let mut play = Play::new(steady(50).into_iter().filter(|(_, n, _)| ![10, 20, 21].contains(n)).collect());
    play.run(1000);
    let at = |n: u64| play.played.iter().position(|p| *p == Piece::Packet(packet(n))).unwrap();
    let lost = |from: u64, to: u64| -> usize {
        let samples = |p: &Piece| if let Piece::Recover(_, s) | Piece::Conceal(s) = p { *s } else { 0 };
        play.played[at(from)..at(to)].iter().map(samples).sum()
    };
    assert!((960..=1440).contains(&lost(9, 11)), "{}", lost(9, 11));
    assert!((1920..=2400).contains(&lost(19, 22)), "{}", lost(19, 22));
    assert!(play.buffer.counts().recovered >= 1);
}

#[test]
fn on_a_lossy_path_the_redundancy_comes_in_time() {
    let mut random = fastrand::Rng::with_seed(8);
    let mut play = Play::new(steady(3000).into_iter().filter(|_| random.u8(0..10) != 0).collect());
    play.run(60_000);
    let counts = play.buffer.counts();
    // 300 are lost; those whose follower is lost as well (30) cannot be recovered.
    assert!(counts.recovered > 200, "{counts:?}");
    assert!(20.0 + play.wait(500..3000).0 <= 90.0, "{:?}", play.wait(500..3000));
}

#[test]
fn what_comes_again_inside_a_later_packet_fills_the_hole_and_is_no_lateness() {
    // As RED is unpacked: the lost packet comes in the same instant, after the one that carries it.
    let mut arrivals = Vec::new();
    for n in (0..2000u64).filter(|n| n % 10 != 5) {
        arrivals.push((n * 20, n, n));
        if n % 10 == 6 {
            arrivals.push((n * 20, n - 1, n - 1));
        }
    }
    let mut play = Play::new(arrivals);
    play.run(40_000);
    assert_eq!(play.buffer.counts().redundant, 200);
    assert!(play.missing(1990).len() < 10, "{:?}", play.missing(1990));
    assert!(play.wait(200..2000).0 <= 70.0, "{:?}", play.wait(200..2000));
}

#[test]
fn jitter_is_waited_for_after_a_moment_and_no_longer_than_needed() {
    let mut random = fastrand::Rng::with_seed(4);
    let mut play = Play::new(late(1500, |_| random.u64(0..80)));
    play.run(30_000);
    let missed = |from: u64, to: u64| {
        let at = |n: u64| play.played.iter().position(|p| *p == Piece::Packet(packet(n))).unwrap_or(0);
        play.played[at(from)..at(to)].iter().filter(|p| matches!(p, Piece::Conceal(_) | Piece::Recover(..))).count()
    };
    assert!(missed(100, 1490) < 1390 / 10, "{} blocks of 10 ms", missed(100, 1490));
    let (_, mean) = play.wait(200..1490);
    // 95 % are late by 76 ms at most, and on average by 40.
    assert!((30.0..75.0).contains(&mean), "{mean}");
}

#[test]
fn when_the_network_calms_down_the_delay_goes_back_by_playing_faster() {
    let mut random = fastrand::Rng::with_seed(4);
    let mut play = Play::new(late(3000, |n| if n < 500 { random.u64(0..120) } else { 0 }));
    play.run(60_000);
    let rough = play.wait(300..500).1;
    let (calm, _) = play.wait(2000..3000);
    assert!(rough > 35.0 && calm <= 40.0, "{rough} then {calm}");
    assert!(play.missing(2990).iter().all(|n| *n < 500), "nothing was left out: {:?}", play.missing(2990));
    assert!(play.buffer.counts().shortened > 60 * 48);
}

#[test]
fn a_longer_route_grows_the_delay_once_and_nothing_is_lost() {
    let mut play = Play::new(late(2000, |n| if n >= 20 { 50 } else { 0 }));
    play.run(40_000);
    assert!(play.missing(1990).is_empty(), "{:?}", play.missing(1990));
    assert!((1..=8).contains(&play.concealed()), "{}", play.concealed());
    assert!(play.wait(1000..1999).0 <= 40.0, "{:?}", play.wait(1000..1999));
}

#[test]
fn a_loss_at_the_edge_costs_no_delay() {
    // Number 20 is lost and 21 comes so late that concealing had begun.
    let arrivals = late(60, |n| if n == 21 { 35 } else { 0 }).into_iter().filter(|(_, n, _)| *n != 20).collect();
    let mut play = Play::new(arrivals);
    play.run(1000);
    assert!(play.buffer.held() <= 3 * 960, "{}", play.buffer.held());
    assert_eq!(play.buffer.counts().played, play.waits.len() as u64);
}

#[test]
fn silence_of_the_network_becomes_a_pause_and_starts_anew() {
    let mut play = Play::new(steady(20).into_iter().chain((100..120).map(|n| (n * 20, n, n))).collect());
    play.run(2600);
    assert_eq!(play.numbers(), (0..20).chain(100..120).collect::<Vec<_>>());
    assert_eq!(play.count(|p| matches!(p, Piece::Conceal(_))), 12, "6 blocks of 10 ms after each part");
    assert!(play.buffer.is_idle());
}

#[test]
fn pauses_of_the_sender_change_the_delay_for_free() {
    // Speech of a second, then DTX: one tiny packet, a real one each 400 ms; the network calms down meanwhile.
    let mut random = fastrand::Rng::with_seed(3);
    let mut arrivals = Vec::new();
    let (mut sequence, mut n) = (0, 0);
    for spurt in 0..20u64 {
        for _ in 0..50 {
            let late = if spurt < 10 { random.u64(0..100) } else { 0 };
            arrivals.push((n * 20 + late, sequence, n));
            (sequence, n) = (sequence + 1, n + 1);
        }
        for _ in 0..4 {
            n += 19;
            arrivals.push((n * 20, sequence, n));
            (sequence, n) = (sequence + 1, n + 1);
        }
    }
    let mut play = Play::new(arrivals);
    play.run(n * 20);
    let counts = play.buffer.counts();
    let (rough, calm) = (play.wait(900..1000).1, play.wait(n - 130..n).0);
    assert!(rough > calm + 10.0 && calm <= 40.0, "{rough} then {calm}");
    assert!(counts.late < 10, "{counts:?}");
    assert!(counts.played >= sequence - 10, "{counts:?}, {sequence} sent");
}

#[test]
fn another_stream_takes_over_with_its_second_packet() {
    for (start, far) in [(0, 5_000_000), (4_000_000, 1_000)] {
        let mut arrivals: Vec<Arrival> = (0..20).map(|n| (n * 20, start + n, start + n)).collect();
        arrivals.extend((0..20).map(|n| (400 + n * 20, far + n, far + n)));
        let mut play = Play::new(arrivals);
        play.run(1000);
        let numbers = play.numbers();
        assert!(numbers.ends_with(&(far..far + 20).collect::<Vec<_>>()), "{numbers:?}");
        assert_eq!(play.buffer.counts().restarts, 1);
    }
}

#[test]
fn another_stream_is_heard_at_once_after_a_long_pause() {
    let mut play = Play::new((0..20).map(|n| (n * 20, n, 4_000_000 + n)).collect());
    play.arrivals.extend((0..20).map(|n| (60_000 + n * 20, 9_000 + n, 1_000 + n)));
    play.run(61_000);
    assert!(play.numbers().ends_with(&(1_000..1_020).collect::<Vec<_>>()));
}

#[test]
fn wild_time_stamps_change_nothing_for_the_others() {
    let mut random = fastrand::Rng::with_seed(2);
    let wild = |n: u64, random: &mut fastrand::Rng| match n % 40 {
        13 => n + random.u64(0..49),
        29 => random.u64(1_000..900_000_000),
        _ => n,
    };
    let mut play = Play::new((0..3000).map(|n| (n * 20, n, wild(n, &mut random))).collect());
    play.run(60_000);
    let right = play.numbers().iter().filter(|n| **n < 3000 && *n % 40 != 13 && *n % 40 != 29).count();
    assert!(right > 2650, "{right} of 2850");
    assert!(play.wait(0..3000).1 < 80.0, "{:?}", play.wait(0..3000));
    assert_eq!(play.buffer.counts().restarts, 0);
}

#[test]
fn a_burst_is_cut_down_to_the_goal() {
    // 600 ms of sound arrive at once, as after a stall of the network.
    let mut play = Play::new(late(200, |n| if (100..130).contains(&n) { 2600 - n * 20 } else { 0 }));
    play.run(2700);
    assert!(play.buffer.counts().skipped > 15, "{:?}", play.buffer.counts());
    assert!(play.wait(132..134).0 < 60.0, "{:?}", play.wait(130..134));
    play.run(4000);
}

#[test]
fn it_never_holds_more_than_its_bound() {
    let mut buffer = JitterBuffer::new();
    let now = Instant::now();
    for n in 0..100_000u64 {
        let sample = (n * 7919 * FRAME) % (40 * 48_000);
        buffer.insert(OpusPacket { sequence: n, sample, data: packet(n), arrived: now });
    }
    assert!(buffer.packets.len() <= MOST_PACKETS);
    for n in [u64::MAX, u64::MAX - 1, 0, 1 << 63, (1 << 63) - 1] {
        buffer.insert(OpusPacket { sequence: n, sample: n, data: packet(n), arrived: now });
        buffer.next(now, 0);
        buffer.skip_excess(now, 0);
        buffer.advice(now, 0);
    }
}

/// A day of talking through a network with jitter and loss, the viewer's clock off by 300 ppm either way.
#[test]
fn over_a_day_with_drifting_clocks_the_delay_stays_where_it_is() {
    for ppm in [-300.0, 300.0f64] {
        let mut random = fastrand::Rng::with_seed(5);
        let mut buffer = JitterBuffer::new();
        let origin = Instant::now();
        let data = packet(0);
        let (mut ahead, mut n, mut stretched, mut concealed) = (0i64, 0u64, 0i64, 0u64);
        let mut delays = Vec::new();
        let packet_ms = 20.0 * (1.0 + ppm / 1e6);
        let mut next_arrival = 0.0;
        for block in 0..24 * 3600 * 100u64 {
            let ms = (block * 10) as f64;
            let now = origin + Duration::from_millis(block * 10);
            while next_arrival <= ms {
                if random.u16(0..200) != 0 {
                    let at = origin + Duration::from_secs_f64(next_arrival / 1000.0);
                    buffer.insert(OpusPacket { sequence: n, sample: n * FRAME, data: Arc::clone(&data), arrived: at });
                }
                n += 1;
                next_arrival = n as f64 * packet_ms + f64::from(random.u8(0..25));
            }
            while ahead < 480 {
                ahead += match buffer.next(now, ahead as usize) {
                    Piece::Packet(_) => 960,
                    Piece::Recover(_, samples) | Piece::Conceal(samples) => {
                        concealed += 1;
                        samples as i64
                    }
                    Piece::Pause => 480 - ahead,
                };
            }
            let by = match buffer.advice(now, ahead as usize) {
                Advice::Shorten { .. } if ahead >= 960 => -480,
                Advice::Lengthen { .. } => 480,
                _ => 0,
            };
            if by != 0 {
                ahead += by;
                stretched += by;
                buffer.handle_stretched(by);
            }
            ahead -= 480;
            if block % 6000 == 5999 {
                delays.push((buffer.held() as i64 + ahead) / MS);
            }
        }
        let drift = 24.0 * 3600.0 * 48_000.0 * ppm / 1e6;
        let (least, most) = (delays.iter().min().unwrap(), delays.iter().max().unwrap());
        assert!(*least >= 0 && *most <= 80, "{ppm} ppm: {least} to {most} ms held");
        let last = &delays[delays.len() - 60..];
        let mean = |part: &[i64]| part.iter().sum::<i64>() as f64 / part.len() as f64;
        assert!((mean(last) - mean(&delays[..60])).abs() < 8.0, "{} then {}", mean(&delays[..60]), mean(last));
        // The stretches make up for the drift, and for what was concealed while waiting.
        assert!(stretched.signum() == drift.signum() as i64, "{stretched} samples for {drift}");
        assert!(concealed < n / 50, "{concealed} of {n}");
        assert_eq!(buffer.counts().skipped + buffer.counts().restarts, 0);
    }
}
