//! Cuts the microphone's blocks into packets of 20 ms on one time line: gaps in time are gaps in the sample count.

use std::time::{Duration, Instant};

use crate::opus::PACKET;
use crate::voice::BLOCK;

/// Capture times may be off by so much from block to block before that is a gap: 20 ms.
const TOLERANCE: Duration = Duration::from_millis(20);
/// A block this much behind its time will not come: silence takes its place.
const PATIENCE: Duration = Duration::from_millis(80);
/// The part of a block's deviation that the time line takes over: follows the microphone's clock, not its jitter.
const GAIN: u32 = 16;
/// Fades at the edges of a gap: 2.5 ms.
const FADE: usize = 120;

/// Sound for one Opus packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// 20 ms of sound.
    pub sound: [i16; PACKET],
    /// When its first sample was heard.
    pub captured: Instant,
    /// Number of its first sample since the time line's start.
    pub sample: u64,
}

/// The time line of home's sound.
#[derive(Debug, Default)]
pub struct Packetizer {
    /// Sound that is not a whole packet yet.
    pending: Vec<i16>,
    /// Capture time and number of the sample after `pending`.
    next: Option<(Instant, u64)>,
    running: bool,
    /// The last samples were silence of ours: what follows fades in.
    silent: bool,
}

impl Packetizer {
    /// Somebody listens from `now` on. The time since the last sound becomes a gap.
    pub fn start(&mut self, now: Instant) {
        self.pending.clear();
        self.next = Some(match self.next {
            Some((at, sample)) => (now.max(at), sample + samples(now.saturating_duration_since(at))),
            None => (now, 0),
        });
        self.running = true;
        self.silent = true;
    }

    /// Nobody listens any more.
    pub fn stop(&mut self) {
        // What was pending was never sent; its time counts as passed.
        self.pending.clear();
        self.running = false;
    }

    /// 10 ms of sound whose first sample was heard at `captured`; a packet when one is full.
    pub fn handle_block(&mut self, block: &[i16; BLOCK], captured: Instant) -> Option<Packet> {
        let (at, sample) = self.next.filter(|_| self.running)?;
        if captured + TOLERANCE < at {
            // The time that it belongs to was given to silence already.
            return None;
        }
        let gap = captured.saturating_duration_since(at);
        if gap > TOLERANCE {
            return self.jump(block, captured, gap);
        }
        let at = if captured >= at { at + gap / GAIN } else { at - (at - captured) / GAIN };
        self.next = Some((at, sample));
        let mut block = *block;
        if std::mem::take(&mut self.silent) {
            fade_in(&mut block);
        }
        self.append(&block)
    }

    /// Sound was lost: what is pending is sent with silence behind it, and the count jumps.
    fn jump(&mut self, block: &[i16; BLOCK], captured: Instant, gap: Duration) -> Option<Packet> {
        let mut lost = samples(gap);
        let filled = if self.pending.is_empty() {
            None
        } else {
            fade_out(&mut self.pending);
            lost = lost.saturating_sub((PACKET - self.pending.len()) as u64);
            let silence = vec![0; PACKET - self.pending.len()];
            self.append(&silence)
        };
        if let Some((_, sample)) = self.next {
            self.next = Some((captured, sample + lost));
        }
        let mut block = *block;
        fade_in(&mut block);
        self.silent = false;
        let _not_full_after_a_cut = self.append(&block);
        filled
    }

    /// A packet with silence, when the microphone does not deliver.
    pub fn poll(&mut self, now: Instant) -> Option<Packet> {
        while self.poll_timeout().is_some_and(|due| now >= due) {
            if !std::mem::replace(&mut self.silent, true) {
                fade_out(&mut self.pending);
            }
            let packet = self.append(&[0; BLOCK]);
            if packet.is_some() {
                return packet;
            }
        }
        None
    }

    /// When silence is due if no block comes before; `None` while stopped.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next.filter(|_| self.running).map(|(at, _)| at + PATIENCE)
    }

    fn append(&mut self, sound: &[i16]) -> Option<Packet> {
        let (at, sample) = self.next?;
        self.pending.extend_from_slice(sound);
        let (at, sample) = (at + time(sound.len()), sample + sound.len() as u64);
        self.next = Some((at, sample));
        let whole = self.pending.first_chunk::<PACKET>().copied()?;
        let captured = at.checked_sub(time(self.pending.len())).unwrap_or(at);
        let packet = Packet { sound: whole, captured, sample: sample - self.pending.len() as u64 };
        self.pending.drain(..PACKET);
        Some(packet)
    }
}

fn samples(time: Duration) -> u64 {
    (time.as_nanos() * 48 / 1_000_000) as u64
}

fn time(samples: usize) -> Duration {
    Duration::from_nanos(samples as u64 * 1_000_000 / 48)
}

fn fade_in(sound: &mut [i16]) {
    for (n, sample) in sound.iter_mut().take(FADE).enumerate() {
        *sample = (i32::from(*sample) * n as i32 / FADE as i32) as i16;
    }
}

fn fade_out(sound: &mut [i16]) {
    for (n, sample) in sound.iter_mut().rev().take(FADE).enumerate() {
        *sample = (i32::from(*sample) * n as i32 / FADE as i32) as i16;
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use intercom_base::testing::sound::{largest_step, level_db, tone};

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// A tone that fits twice into a block, so that one block of it continues the other.
    fn block() -> [i16; BLOCK] {
        tone(200.0, BLOCK).try_into().unwrap()
    }

    /// Blocks of a tone, captured at these milliseconds (and heard of 12 ms later), with silence where it is due.
    fn run(captures: &[u64], until: u64) -> Vec<Packet> {
        let origin = Instant::now();
        let mut packetizer = Packetizer::default();
        packetizer.start(origin);
        let mut packets = Vec::new();
        let mut captures = captures.iter().peekable();
        for now in 0..until {
            let at = origin + MS * now as u32;
            packets.extend(packetizer.poll(at));
            while let Some(captured) = captures.next_if(|captured| **captured + 12 <= now) {
                packets.extend(packetizer.handle_block(&block(), origin + MS * *captured as u32));
            }
        }
        packets
    }

    /// Time and count tell the same story.
    fn consistent(packets: &[Packet]) {
        for pair in packets.windows(2) {
            let time = pair[1].captured.duration_since(pair[0].captured).as_secs_f64() * 48_000.0;
            let count = (pair[1].sample - pair[0].sample) as f64;
            assert!((time - count).abs() < 480.0, "{time} samples by the clock, {count} by the count");
            assert!(count >= PACKET as f64);
        }
    }

    #[test]
    fn steady_blocks_become_steady_packets() {
        let packets = run(&(0..100).map(|n| n * 10).collect::<Vec<_>>(), 1012);
        assert_eq!(packets.len(), 50);
        assert!(packets.windows(2).all(|w| w[1].sample - w[0].sample == 960));
        let sound: Vec<i16> = packets.iter().flat_map(|p| p.sound).collect();
        assert!(largest_step(&sound) < 230);
        consistent(&packets);
    }

    #[test]
    fn jittered_capture_times_do_not_matter_and_drift_is_followed() {
        // The microphone's clock is 300 ppm slow, its stamps jitter by 8 ms.
        let mut random = fastrand::Rng::with_seed(6);
        let captures: Vec<u64> = (0..6000).map(|n| n * 10 + n * 3 / 1000 + random.u64(0..8)).collect();
        let packets = run(&captures, 60_000);
        assert!(packets.windows(2).all(|w| w[1].sample - w[0].sample == 960), "no gap");
        let last = packets.last().unwrap();
        let lag = last.captured.duration_since(packets[0].captured).as_secs_f64() * 48_000.0 - last.sample as f64;
        assert!((600.0..1500.0).contains(&lag), "{lag}");
    }

    #[test]
    fn lost_sound_is_a_gap_in_the_count() {
        let captures: Vec<u64> = (0..21).map(|n| n * 10).chain((0..20).map(|n| 260 + n * 10)).collect();
        let packets = run(&captures, 480);
        consistent(&packets);
        let jumps: Vec<_> = packets.windows(2).map(|w| w[1].sample - w[0].sample).filter(|step| *step != 960).collect();
        assert_eq!(jumps.len(), 1, "{jumps:?}");
        let sound: Vec<i16> = packets.iter().flat_map(|p| p.sound).collect();
        assert!(largest_step(&sound) < 300, "faded at the edges");
    }

    #[test]
    fn a_dead_microphone_gives_silence_at_the_full_rate_and_comes_back() {
        let captures: Vec<u64> = (0..20).map(|n| n * 10).chain((0..50).map(|n| 1200 + n * 10)).collect();
        let packets = run(&captures, 1720);
        consistent(&packets);
        let silent = packets.iter().filter(|p| level_db(&p.sound) < -90.0).count();
        assert!((45..=50).contains(&silent), "{silent} packets in a second");
        assert!(level_db(&packets.last().unwrap().sound) > -20.0);
    }

    #[test]
    fn sound_that_comes_after_its_silence_is_left_out() {
        // 150 ms of sound arrive late in one go: their time is over.
        let origin = Instant::now();
        let mut packetizer = Packetizer::default();
        packetizer.start(origin);
        let mut packets = Vec::new();
        for now in 0..200u32 {
            packets.extend(packetizer.poll(origin + MS * now));
        }
        let silent = packets.len();
        for n in 0..19 {
            packets.extend(packetizer.handle_block(&block(), origin + MS * (n as u32 * 10)));
        }
        consistent(&packets);
        assert!(silent >= 5 && packets.len() - silent <= 5, "{silent} {}", packets.len());
    }

    #[test]
    fn nobody_listening_costs_nothing_and_is_a_gap() {
        let origin = Instant::now();
        let mut packetizer = Packetizer::default();
        assert_eq!(packetizer.poll_timeout(), None);
        assert_eq!(packetizer.handle_block(&block(), origin), None);
        packetizer.start(origin);
        for n in 0..3 {
            packetizer.handle_block(&block(), origin + MS * (n as u32 * 10));
        }
        packetizer.stop();
        assert_eq!(packetizer.poll_timeout(), None);
        let later = origin + Duration::from_secs(100);
        packetizer.start(later);
        packetizer.handle_block(&block(), later);
        let packet = packetizer.handle_block(&block(), later + 10 * MS).unwrap();
        assert!(packet.sample.abs_diff(4_800_000) < 100, "{}", packet.sample);
    }
}
