//! One viewer's sound: jitter buffer and decoder together give steady blocks without clicks.

use std::time::Instant;

use intercom_base::sound::OpusPacket;

use crate::comfort::{Comfort, power};
use crate::jitter::{Advice, Counts, JitterBuffer, Piece};
use crate::opus::{LONGEST_PACKET, OpusDecoder, OpusError};
use crate::stretch;

/// Samples of a block: 10 ms.
pub const BLOCK: usize = 480;

/// Fades at the begin and end of sound: 5 ms.
const FADE: usize = 240;
/// Where nothing comes, the background goes on for so many blocks (2 s) and fades within so many (0.5 s).
const COMFORT: u32 = 200;
const COMFORT_FADE: u32 = 50;
/// What is this much louder than the background, in power, is no pause between words any more: 6 dB.
const PAUSE: f32 = 4.0;
/// Softer than this (60 dB under full scale, squared) is a pause in any case.
const SILENCE: f32 = 33.0 * 33.0;

/// The sound of one viewer.
pub struct Voice {
    buffer: JitterBuffer,
    decoder: OpusDecoder,
    /// Decoded and not yet played.
    decoded: Vec<i16>,
    scratch: Box<[i16; LONGEST_PACKET]>,
    /// What was played last was sound, not silence.
    sounding: bool,
    comfort: Comfort,
    /// Blocks since the last sound.
    resting: u32,
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
            comfort: Comfort::default(),
            resting: COMFORT + COMFORT_FADE,
            leaving: false,
        })
    }

    /// Takes a packet in.
    pub fn insert(&mut self, packet: OpusPacket) {
        self.buffer.insert(packet);
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
        let dead = self.comfort.level().is_none() || self.resting >= COMFORT + COMFORT_FADE;
        !self.sounding && self.decoded.is_empty() && self.buffer.is_idle() && dead
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
            self.resting = COMFORT + COMFORT_FADE;
            self.end(out);
            return;
        }
        if self.buffer.skip_excess(now, self.decoded.len()) {
            self.join_after_skip(now);
        }
        while self.decoded.len() < BLOCK {
            if !self.decode_piece(now) {
                self.end(out);
                return;
            }
        }
        self.adjust(now);
        out.copy_from_slice(&self.decoded[..BLOCK]);
        self.decoded.drain(..BLOCK);
        if !std::mem::replace(&mut self.sounding, true) {
            self.begin(out);
        }
        self.resting = 0;
    }

    /// Decodes what comes next; false if that is a pause.
    fn decode_piece(&mut self, now: Instant) -> bool {
        let piece = self.buffer.next(now, self.decoded.len());
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
            Ok(sound) => {
                self.decoded.extend_from_slice(sound);
                if let Piece::Packet(_) = piece {
                    sound.as_chunks::<BLOCK>().0.iter().for_each(|block| self.comfort.observe(block));
                }
            }
            // A broken packet is a lost one; and if not even that works, 20 ms of silence.
            Err(_) => match self.decoder.conceal(&mut self.scratch[..2 * BLOCK]) {
                Ok(sound) => self.decoded.extend_from_slice(sound),
                Err(_) => self.decoded.extend_from_slice(&[0; 2 * BLOCK]),
            },
        }
        true
    }

    /// Nothing but the background from here on; what was sounding fades into it instead of breaking off.
    fn end(&mut self, out: &mut [i16; BLOCK]) {
        self.rest(out);
        if std::mem::take(&mut self.sounding) {
            let mut last = [0; BLOCK];
            self.go_on_into(&mut last);
            stretch::cross_fade(&last[..FADE], &mut out[..FADE]);
        }
        self.decoded.clear();
    }

    /// Sound again: the background fades into it.
    fn begin(&mut self, out: &mut [i16; BLOCK]) {
        let mut before = [0; BLOCK];
        self.rest(&mut before);
        stretch::cross_fade(&before[..FADE], &mut out[..FADE]);
    }

    /// Fills a block with the background, for as long as that may go on.
    fn rest(&mut self, out: &mut [i16; BLOCK]) {
        let left = (COMFORT + COMFORT_FADE).saturating_sub(self.resting).min(COMFORT_FADE);
        if left == 0 {
            return out.fill(0);
        }
        self.comfort.fill(out);
        // Softer by a fiftieth with each block, and never by a step.
        let steps = (COMFORT_FADE * BLOCK as u32) as i32;
        for (n, sample) in out.iter_mut().enumerate().filter(|_| left < COMFORT_FADE) {
            *sample = (i32::from(*sample) * ((left * BLOCK as u32) as i32 - n as i32) / steps) as i16;
        }
        self.resting += 1;
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
            stretch::cross_fade(&before, &mut self.decoded[..BLOCK]);
        }
    }

    /// Follows the network: plays a little faster or slower, a few waves of the voice at a time, or as much as is
    /// needed where nobody speaks.
    fn adjust(&mut self, now: Instant) {
        let (by, urgent, shorten) = match self.buffer.advice(now, self.decoded.len()) {
            Advice::Keep => return,
            Advice::Shorten { by, urgent } => (by, urgent, true),
            Advice::Lengthen { by, urgent } => (by, urgent, false),
        };
        let wanted = stretch::LONGEST + stretch::FADE;
        while shorten && self.decoded.len() < wanted && self.buffer.held() > 0 && self.decode_piece(now) {}
        let fit = match (self.is_pause(), urgent) {
            (true, _) => stretch::Fit::Any,
            (false, true) => stretch::Fit::Fair,
            (false, false) => stretch::Fit::Good,
        };
        let changed = match shorten {
            true => -(stretch::shorten(&mut self.decoded, by, BLOCK, fit) as i64),
            false => stretch::lengthen(&mut self.decoded, by, fit) as i64,
        };
        if changed != 0 {
            self.buffer.handle_stretched(changed);
        }
    }

    /// Whether what is about to be played is no speech.
    fn is_pause(&self) -> bool {
        let loudest = self.decoded.chunks(BLOCK / 2).map(power).fold(0.0, f32::max);
        loudest < SILENCE.max(self.comfort.level().unwrap_or(0.0) * PAUSE)
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use intercom_base::testing::sound::{largest_step, level_db, tone, tone_share};
    use intercom_base::units::Bitrate;

    use super::*;
    use crate::opus::{OpusEncoder, PACKET};

    /// A tone of 220 Hz in packets; its own largest step is about 230.
    fn packets(count: usize) -> Vec<Arc<[u8]>> {
        let mut encoder = OpusEncoder::new(Bitrate::from_kbps(48)).unwrap();
        tone(220.0, PACKET * count)
            .as_chunks::<PACKET>()
            .0
            .iter()
            .map(|b| encoder.encode(b).unwrap().unwrap())
            .collect()
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
                    let (sample, data) = (7_000_000 + n * 960, Arc::clone(data));
                    room.voice.insert(OpusPacket { sequence: n, sample, data, arrived: now });
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
    fn a_clean_path_gives_the_tone_without_a_click_after_twenty_milliseconds() {
        let room = listen(100, 200, |n| Some(n * 20));
        let begin = room.heard.iter().position(|s| s.abs() > 1000).unwrap();
        assert!((20 * 48..36 * 48).contains(&begin), "{begin}");
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
    fn jitter_is_not_heard_once_it_is_known() {
        let mut random = fastrand::Rng::with_seed(4);
        let late: Vec<u64> = (0..400).map(|_| random.u64(0..60)).collect();
        let room = listen(400, 800, |n| Some(n * 20 + late[n as usize]));
        let known = &room.heard[96_000..370_000];
        assert!(tone_share(known, 220.0) > 0.95, "{}", tone_share(known, 220.0));
        assert!(largest_step(known) < 2 * SMOOTH, "{}", largest_step(known));
        assert!(room.voice.counts().lengthened > 0, "{:?}", room.voice.counts());
    }

    #[test]
    fn a_clock_that_is_off_is_followed_without_clicks() {
        // 3000 ppm, so that a quarter of a minute shows what takes two at 300.
        for (num, den) in [(2006, 100), (1994, 100)] {
            let room = listen(700, 1390, |n| Some(n * num / den));
            let heard = &room.heard[9600..650_000];
            assert!(largest_step(heard) < SMOOTH, "{}", largest_step(heard));
            assert!(tone_share(heard, 220.0) > 0.97, "{}", tone_share(heard, 220.0));
            let counts = room.voice.counts();
            assert!(counts.shortened + counts.lengthened > 8 * 48, "{counts:?}");
            assert!(counts.concealed <= 8 && counts.skipped == 0, "{counts:?}");
        }
    }

    #[test]
    fn in_a_pause_the_background_goes_on_and_after_a_while_it_ends() {
        // A room with a soft noise, and two words in it; then nothing comes any more.
        let mut random = fastrand::Rng::with_seed(7);
        let mut sound = tone(220.0, PACKET * 100);
        for (n, sample) in sound.iter_mut().enumerate() {
            *sample = if n / 24_000 % 2 == 0 { *sample } else { 0 } + random.i16(-60..60);
        }
        let mut encoder = OpusEncoder::new(Bitrate::from_kbps(48)).unwrap();
        let mut room =
            Room { voice: Voice::new().unwrap(), origin: Instant::now(), heard: Vec::new(), delays: Vec::new() };
        for block in 0..600u64 {
            let now = room.origin + Duration::from_millis(block * 10);
            if let Some(sound) = sound.as_chunks::<PACKET>().0.get(block as usize / 2).filter(|_| block % 2 == 0) {
                let (sequence, data) = (block / 2, encoder.encode(sound).unwrap().unwrap());
                room.voice.insert(OpusPacket { sequence, sample: sequence * 960, data, arrived: now });
            }
            room.pull(now);
        }
        let background = level_db(&sound[30_000..45_000]);
        let after = level_db(&room.heard[230 * 480..380 * 480]);
        assert!((after - background).abs() < 6.0, "{after} after {background}");
        assert!(largest_step(&room.heard[200 * 480..]) < SMOOTH);
        assert_eq!(level_db(&room.heard[500 * 480..]), -120.0);
        assert!(room.voice.is_silent());
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
        // The network stands still for 500 ms, then all comes at once: one packet in twenty, and no more.
        let stall = 550..575;
        let room = listen(700, 1380, |n| Some(if stall.contains(&n) { 11_500 } else { n * 20 }));
        assert!(room.delays.iter().all(|delay| *delay <= 260 * 48));
        let after = room.delays[1155..1160].iter().max().unwrap();
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
            let (sample, data) = (n * 480 + random.u64(0..3000), data.into());
            voice.insert(OpusPacket { sequence: n, sample, data, arrived: now });
            voice.pull(now, &mut out);
        }
    }
}
