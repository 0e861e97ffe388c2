//! One viewer's sound: jitter buffer and decoder together give steady blocks without clicks.

use std::sync::Arc;
use std::time::Instant;

use crate::media::jitter::{Counts, JitterBuffer, Piece};
use crate::media::opus::{LONGEST_PACKET, OpusDecoder, OpusError};

/// Samples of a block: 10 ms.
pub const BLOCK: usize = 480;

/// Fades at the begin and end of sound: 5 ms.
const FADE: usize = 240;
/// Over so many blocks (2 s) the least that was held tells how much of the delay is not needed.
const WATCHED: u32 = 200;
/// At most so much is cut out at once: 15 ms, two waves of a deep voice.
const LONGEST_CUT: usize = 720;
/// The delay may be so much above the target before it is shortened: 15 ms.
const TOLERANCE: usize = 720;

/// The sound of one viewer.
pub struct Voice {
    buffer: JitterBuffer,
    decoder: OpusDecoder,
    /// Decoded and not yet played.
    decoded: Vec<i16>,
    scratch: Box<[i16; LONGEST_PACKET]>,
    /// What was played last was sound, not silence.
    sounding: bool,
    /// The least that was held since `watched` blocks.
    least: usize,
    watched: u32,
    leaving: bool,
}

impl Voice {
    /// A voice that says nothing yet.
    pub fn new() -> Result<Voice, OpusError> {
        Ok(Voice {
            buffer: JitterBuffer::new(),
            decoder: OpusDecoder::new()?,
            decoded: Vec::with_capacity(2 * LONGEST_PACKET),
            scratch: Box::new([0; LONGEST_PACKET]),
            sounding: false,
            least: usize::MAX,
            watched: 0,
            leaving: false,
        })
    }

    /// Takes a packet in; numbers as in [`crate::shell::wires::ToSpeaker`].
    pub fn insert(&mut self, sequence: u64, sample: u64, data: Arc<[u8]>, arrived: Instant) {
        self.buffer.insert(sequence, sample, data, arrived);
    }

    /// What happened to the packets so far.
    pub fn counts(&self) -> Counts {
        self.buffer.counts()
    }

    /// Samples between arrival and playing, of what is held.
    pub fn delay(&self) -> usize {
        self.buffer.held() + self.decoded.len()
    }

    /// Whether it has nothing to say until a packet comes.
    pub fn is_silent(&self) -> bool {
        !self.sounding && self.decoded.is_empty() && self.buffer.is_idle()
    }

    /// The viewer left: one more block fades what they were saying.
    pub fn leave(&mut self) {
        self.leaving = true;
    }

    /// Whether the last block of a voice that leaves has been played.
    pub fn has_left(&self) -> bool {
        self.leaving && !self.sounding
    }

    /// The next 10 ms.
    pub fn pull(&mut self, now: Instant, out: &mut [i16; BLOCK]) {
        if self.leaving {
            self.end(out);
            return;
        }
        if self.buffer.skip_excess() {
            self.join_after_skip(now);
        }
        while self.decoded.len() < BLOCK {
            if !self.decode_piece(now) {
                self.end(out);
                return;
            }
        }
        out.copy_from_slice(&self.decoded[..BLOCK]);
        self.decoded.drain(..BLOCK);
        if !std::mem::replace(&mut self.sounding, true) {
            fade_in(out);
        }
        self.watch(now);
    }

    /// Decodes what comes next; false if that is a pause.
    fn decode_piece(&mut self, now: Instant) -> bool {
        let piece = self.buffer.next(now);
        let scratch = &mut self.scratch[..];
        let decoded = match &piece {
            Piece::Packet(data) => self.decoder.decode(data, scratch),
            Piece::Recover(next, samples) => {
                let len = (*samples).min(scratch.len());
                self.decoder.recover(next, &mut scratch[..len])
            }
            Piece::Conceal(samples) => {
                let len = (*samples).min(scratch.len());
                self.decoder.conceal(&mut scratch[..len])
            }
            Piece::Pause => return false,
        };
        match decoded {
            Ok(sound) => self.decoded.extend_from_slice(sound),
            // A broken packet is a lost one; and if not even that works, 20 ms of silence.
            Err(_) => match self.decoder.conceal(&mut self.scratch[..2 * BLOCK]) {
                Ok(sound) => self.decoded.extend_from_slice(sound),
                Err(_) => self.decoded.extend_from_slice(&[0; 2 * BLOCK]),
            },
        }
        true
    }

    /// Silence from here on; what was sounding fades out instead of breaking off.
    fn end(&mut self, out: &mut [i16; BLOCK]) {
        out.fill(0);
        if std::mem::take(&mut self.sounding) {
            self.go_on_into(out);
            fade_out(out);
        }
        self.decoded.clear();
        self.forget_watch();
    }

    /// Fills `out` with what would have come next, as far as one can tell.
    fn go_on_into(&mut self, out: &mut [i16; BLOCK]) {
        let have = self.decoded.len().min(BLOCK);
        out[..have].copy_from_slice(&self.decoded[..have]);
        if let Ok(sound) = self.decoder.conceal(&mut self.scratch[..BLOCK]) {
            out[have..].copy_from_slice(&sound[..BLOCK - have]);
        }
    }

    /// Packets were left out: what was to come turns into what comes now.
    fn join_after_skip(&mut self, now: Instant) {
        let mut before = [0; BLOCK];
        self.go_on_into(&mut before);
        self.decoded.clear();
        while self.decoded.len() < BLOCK && self.decode_piece(now) {}
        if self.decoded.len() >= BLOCK && self.sounding {
            cross_fade(&before, &mut self.decoded[..BLOCK]);
        }
        self.forget_watch();
    }

    /// Shortens a delay that has been too long for two seconds, by a few waves of the voice at a time.
    fn watch(&mut self, now: Instant) {
        self.least = self.least.min(self.delay());
        self.watched += 1;
        if self.watched < WATCHED {
            return;
        }
        let target = self.buffer.target().as_millis() as usize * 48;
        let excess = self.least.saturating_sub(target);
        if excess <= TOLERANCE {
            self.forget_watch();
            return;
        }
        while self.decoded.len() < LONGEST_CUT + FADE && self.buffer.held() > 0 && self.decode_piece(now) {}
        if self.decoded.len() < LONGEST_CUT + FADE {
            return;
        }
        let cut = best_cut(&self.decoded, excess.min(LONGEST_CUT));
        let (head, tail) = self.decoded.split_at_mut(cut);
        cross_fade(&head[..FADE.min(cut)], &mut tail[..FADE.min(cut)]);
        self.decoded.drain(..cut);
        self.least -= cut;
        // The next cut after 100 ms, so that speech is not chopped.
        self.watched = WATCHED - 10;
    }

    fn forget_watch(&mut self) {
        self.least = usize::MAX;
        self.watched = 0;
    }
}

/// The cut of `2.5 ms..=longest` after which the sound looks most like it does at its start: a whole number of
/// the voice's waves, so that none is torn.
fn best_cut(sound: &[i16], longest: usize) -> usize {
    let likeness = |cut: usize| -> f64 {
        let (a, b) = (&sound[..FADE], &sound[cut..cut + FADE]);
        let dot = |x: &[i16], y: &[i16]| x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(1.0)
    };
    let candidates = (FADE / 2..=longest.clamp(FADE / 2, sound.len() - FADE)).step_by(4);
    candidates.max_by(|a, b| likeness(*a).total_cmp(&likeness(*b))).unwrap_or(FADE / 2)
}

fn fade_in(sound: &mut [i16]) {
    for (n, sample) in sound.iter_mut().take(FADE).enumerate() {
        *sample = (i32::from(*sample) * n as i32 / FADE as i32) as i16;
    }
}

fn fade_out(sound: &mut [i16]) {
    for (n, sample) in sound.iter_mut().enumerate() {
        *sample = (i32::from(*sample) * FADE.saturating_sub(n) as i32 / FADE as i32) as i16;
    }
}

/// Turns `from` into `to` over their length; the result is in `to`.
fn cross_fade(from: &[i16], to: &mut [i16]) {
    let len = to.len().min(from.len()) as i32;
    for (n, (to, from)) in to.iter_mut().zip(from).enumerate() {
        let n = n as i32;
        *to = ((i32::from(*from) * (len - n) + i32::from(*to) * n) / len) as i16;
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::media::opus::{OpusEncoder, PACKET};
    use crate::media::test_sound::{largest_step, level_db, tone, tone_share};
    use crate::units::Bitrate;

    /// A tone of 220 Hz in packets; its own largest step is about 230.
    fn packets(count: usize) -> Vec<Arc<[u8]>> {
        let mut encoder = OpusEncoder::new(Bitrate::from_kbps(48)).unwrap();
        tone(220.0, PACKET * count).as_chunks::<PACKET>().0.iter().map(|b| encoder.encode(b).unwrap()).collect()
    }

    struct Room {
        voice: Voice,
        origin: Instant,
        heard: Vec<i16>,
        delays: Vec<usize>,
    }

    /// Plays for `blocks` of 10 ms; packet `n` arrives at `arrival(n)` ms, or never.
    fn listen(count: usize, blocks: u64, arrival: impl Fn(u64) -> Option<u64>) -> Room {
        let packets = packets(count);
        let mut room =
            Room { voice: Voice::new().unwrap(), origin: Instant::now(), heard: Vec::new(), delays: Vec::new() };
        for block in 0..blocks {
            let ms = block * 10;
            let now = room.origin + Duration::from_millis(ms);
            for (n, data) in packets.iter().enumerate() {
                let n = n as u64;
                if arrival(n).is_some_and(|at| at <= ms && at + 10 > ms) {
                    room.voice.insert(n, 7_000_000 + n * 960, Arc::clone(data), now);
                }
            }
            room.pull(now);
        }
        room
    }

    impl Room {
        fn pull(&mut self, now: Instant) {
            let mut out = [0; BLOCK];
            self.voice.pull(now, &mut out);
            self.heard.extend_from_slice(&out);
            self.delays.push(self.voice.delay());
        }
    }

    /// The tone's own steps, and a little of the codec's.
    const SMOOTH: i32 = 400;

    #[test]
    fn a_clean_path_gives_the_tone_without_a_click_after_forty_milliseconds() {
        let room = listen(100, 200, |n| Some(n * 20));
        let begin = room.heard.iter().position(|s| s.abs() > 1000).unwrap();
        assert!((40 * 48..56 * 48).contains(&begin), "{begin}");
        assert!(tone_share(&room.heard[9600..90_000], 220.0) > 0.97);
        assert!(largest_step(&room.heard) < SMOOTH, "{}", largest_step(&room.heard));
    }

    #[test]
    fn the_end_of_the_packets_fades_out() {
        let room = listen(50, 150, |n| Some(n * 20));
        assert!(room.voice.is_silent());
        assert_eq!(level_db(&room.heard[60_000..]), -120.0);
        assert!(largest_step(&room.heard) < SMOOTH);
    }

    #[test]
    fn losses_are_no_clicks_and_no_gaps() {
        let room = listen(200, 400, |n| (n % 10 != 6).then_some(n * 20));
        let heard = &room.heard[9600..180_000];
        assert!(largest_step(heard) < 3 * SMOOTH, "{}", largest_step(heard));
        let quietest = heard.chunks(960).map(level_db).fold(0.0, f64::min);
        assert!(quietest > level_db(heard) - 10.0, "{quietest}");
        assert!(tone_share(heard, 220.0) > 0.85);
    }

    #[test]
    fn jitter_within_the_start_delay_is_not_heard() {
        let mut random = fastrand::Rng::with_seed(4);
        let late: Vec<u64> = (0..200).map(|_| random.u64(0..35)).collect();
        let room = listen(200, 400, |n| Some(n * 20 + if n == 0 { 0 } else { late[n as usize] }));
        assert!(tone_share(&room.heard[9600..180_000], 220.0) > 0.97);
        assert_eq!(room.voice.counts().late, 0);
    }

    #[test]
    fn a_delay_that_grew_shrinks_again_without_clicks() {
        // For a moment the network is 120 ms slower, then as fast as before.
        let slow = 50..56;
        let room = listen(600, 1180, |n| Some(if slow.contains(&n) { n * 20 + 120 } else { n * 20 }));
        let grown = room.delays[115..260].iter().max().unwrap();
        let end = room.delays[900..1150].iter().min().unwrap();
        assert!(*grown > 85 * 48, "{grown}");
        assert!(*end < 60 * 48, "{end}");
        let calm = &room.heard[150 * 480..1150 * 480];
        assert!(largest_step(calm) < SMOOTH, "{}", largest_step(calm));
        assert!(tone_share(calm, 220.0) > 0.95, "{}", tone_share(calm, 220.0));
    }

    #[test]
    fn half_a_second_at_once_is_bounded_and_joined() {
        // The network stands still for 500 ms, then all comes at once.
        let stall = 50..75;
        let room = listen(200, 380, |n| Some(if stall.contains(&n) { 1500 } else { n * 20 }));
        assert!(room.delays.iter().all(|delay| *delay <= 260 * 48));
        let after = room.delays[155..160].iter().max().unwrap();
        assert!(*after < 120 * 48, "{after}");
        assert!(largest_step(&room.heard) < 2 * SMOOTH, "{}", largest_step(&room.heard));
    }

    #[test]
    fn a_viewer_who_leaves_in_the_middle_of_a_word_fades() {
        let mut room = listen(100, 100, |n| Some(n * 20));
        room.voice.leave();
        assert!(!room.voice.has_left());
        let now = room.origin + Duration::from_secs(1);
        room.pull(now);
        assert!(room.voice.has_left());
        room.pull(now);
        assert!(largest_step(&room.heard) < SMOOTH);
        assert_eq!(level_db(&room.heard[room.heard.len() - 480..]), -120.0);
    }

    #[test]
    fn broken_packets_are_survived() {
        let mut voice = Voice::new().unwrap();
        let mut random = fastrand::Rng::with_seed(2);
        let origin = Instant::now();
        let mut out = [0; BLOCK];
        for n in 0..2000u64 {
            let data: Vec<u8> = (0..random.usize(0..60)).map(|_| random.u8(..)).collect();
            let now = origin + Duration::from_millis(n * 10);
            voice.insert(n, n * 480 + random.u64(0..3000), data.into(), now);
            voice.pull(now, &mut out);
        }
    }
}
