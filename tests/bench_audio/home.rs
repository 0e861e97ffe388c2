//! The whole way of a viewer's voice through home and back, in virtual time: Opus, playout, mixer, speaker, room,
//! microphone, aligner and processor, Opus.

use std::time::{Duration, Instant};

use intercom_base::settings::{AudioSettings, NoiseSuppression};
use intercom_base::sound::OpusPacket;
use intercom_base::units::Bitrate;
use intercom_media::mixer::Mixer;
use intercom_media::opus::{LONGEST_PACKET, OpusDecoder, OpusEncoder, PACKET};
use intercom_media::packetizer::Packetizer;
use intercom_media::processor::{Played, processor};
use intercom_media::voice::{BLOCK, Voice};

use super::room::{Loudspeaker, Noise, Room, Through, between};

/// Something changes at a time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Jump {
    /// Seconds since the beginning.
    pub at: f64,
    /// The speaker becomes slower by so much, in truth and as it says.
    pub truth: f64,
    pub told: f64,
    /// The TV is turned and the microphone moved.
    pub moved: bool,
    /// A device is gone for so many seconds, and another one comes in its place.
    pub speaker_gone: f64,
    pub microphone_gone: f64,
    /// The microphone is by so much later than it says from then on.
    pub heard_late: f64,
}

impl Jump {
    /// When all devices work again.
    pub fn over(&self) -> f64 {
        self.at + self.speaker_gone.max(self.microphone_gone)
    }
}

/// A home and what happens in it.
#[derive(Clone, Debug)]
pub struct Setup {
    pub audio: AudioSettings,
    pub room: Room,
    /// From the writing of a block to its leaving the speaker, in truth and as it says, in seconds.
    pub delay: f64,
    pub told: f64,
    /// Clocks against ours, in ppm.
    pub speaker_ppm: f64,
    pub microphone_ppm: f64,
    /// Reports are off by up to so many seconds.
    pub jitter: f64,
    pub jump: Option<Jump>,
    /// See [`Loudspeaker`].
    pub limit: f32,
    /// The echo's level at the microphone below the speaker's, in dB.
    pub loss_db: f32,
    /// The room's noise, in dB of full scale.
    pub noise_db: f32,
    /// Whether the sound goes through Opus: it is not exactly what it was afterwards.
    pub coded: bool,
}

impl Setup {
    /// A quiet home, all as it should be. Without gain: it makes what is left of the echo louder along with everything else.
    pub fn usual(room: Room) -> Setup {
        Setup {
            audio: AudioSettings {
                hear_each_other: true,
                bitrate: Bitrate::from_kbps(32),
                echo_cancellation: true,
                noise_suppression: NoiseSuppression::Moderate,
                gain_control: false,
                max_gain_db: 24.0,
            },
            room,
            delay: 0.06,
            told: 0.06,
            speaker_ppm: 0.0,
            microphone_ppm: 0.0,
            jitter: 0.0005,
            jump: None,
            limit: f32::INFINITY,
            loss_db: 6.0,
            noise_db: -75.0,
            coded: true,
        }
    }
}

/// What was measured, all on the microphone's time.
#[derive(Default)]
pub struct Heard {
    /// What the microphone heard, and the parts of it.
    pub microphone: Vec<f32>,
    pub echo: Vec<f32>,
    pub near: Vec<f32>,
    /// What was written to the speaker meanwhile.
    pub played: Vec<f32>,
    /// What left the processor, and what a viewer's browser makes of it.
    pub enhanced: Vec<f32>,
    pub decoded: Vec<f32>,
    /// Spent by aligner and processor.
    pub cost: Duration,
    pub blocks: u32,
}

/// The way from the loudspeaker to the microphone, which may have been moved.
fn echo_path(setup: &Setup, moved: bool) -> Through {
    let [x, y, z] = setup.room.size;
    let (speaker, microphone) = match moved {
        false => ([x * 0.5, 0.3, 1.1], [x * 0.5 + 0.45, 0.45, 0.9]),
        true => ([x * 0.5, 0.3, 1.1], [x * 0.3, y * 0.4, z * 0.45]),
    };
    let gain = 10f32.powf(-setup.loss_db / 20.0);
    Through::new(unit(setup.room.response(speaker, microphone), gain))
}

/// `viewer` talks there and `near` here (at the microphone, dry; the room is added), until `viewer` ends. `spent` is the
/// CPU time that this thread has used so far.
pub fn run(setup: &Setup, viewer: &[f32], near: &[f32], spent: impl Fn() -> Duration) -> Heard {
    let base = Instant::now() + Duration::from_secs(1000);
    let mut random = fastrand::Rng::with_seed(31);
    let mut told = |t: f64| base + Duration::from_secs_f64((t + (random.f64() * 2.0 - 1.0) * setup.jitter).max(0.0));

    let mut incoming = Incoming::new(setup, viewer);
    let mut processor = processor(&setup.audio);
    let mut outgoing = Outgoing::new(setup, base);
    let mut echo_path = echo_path(setup, false);
    let [x, y, _] = setup.room.size;
    let mouth = setup.room.response([x * 0.45, y * 0.6, 1.3], [x * 0.5 + 0.45, 0.45, 0.9]);
    let mut near_path = Through::new(unit(mouth, 1.0));
    let mut loudspeaker = Loudspeaker::new(setup.limit);
    let mut noise = Noise::new(setup.noise_db);

    let mut heard = Heard::default();
    let (mut written, mut turned) = (0u32, false);
    let blocks = viewer.len() / BLOCK;
    for n in 0..blocks {
        let begin = n as f64 * 0.01 * (1.0 + setup.microphone_ppm * 1e-6);
        let end = begin + 0.01;
        // What the speaker has taken in by then.
        loop {
            let at = f64::from(written) * 0.01 * (1.0 + setup.speaker_ppm * 1e-6);
            if at > end {
                break;
            }
            let mut block = incoming.block(at, base);
            let gone = setup.jump.is_some_and(|j| (j.at..j.at + j.speaker_gone).contains(&at));
            if gone {
                block.fill(0);
                incoming.drop_block();
            }
            let says = setup.told + setup.jump.filter(|j| at + setup.told >= j.at).map_or(0.0, |j| j.told);
            let reference = Played { block: Box::new(block), audible: told(at + says) };
            let before = spent();
            if !gone {
                processor.render(&reference);
            }
            heard.cost += spent() - before;
            written += 1;
        }
        if setup.jump.is_some_and(|j| j.moved && begin >= j.at) && !turned {
            turned = true;
            echo_path = self::echo_path(setup, true);
        }
        let place = |t: f64, delay: f64| (t - delay) * 48_000.0 / (1.0 + setup.speaker_ppm * 1e-6);
        let jumped = |t: f64| setup.jump.filter(|j| t >= j.at).map_or(0.0, |j| j.truth);
        let times = (0..BLOCK).map(|k| begin + k as f64 / 48_000.0 * (1.0 + setup.microphone_ppm * 1e-6));
        let times: Vec<f64> = times.collect();
        let sound: Vec<f32> = times
            .iter()
            .map(|t| loudspeaker.put(between(&incoming.played, place(*t, setup.delay + jumped(*t)))))
            .collect();
        heard.played.extend(times.iter().map(|t| between(&incoming.played, place(*t, 0.0))));
        let echo = echo_path.put(&sound);
        let near: Vec<f32> = (n * BLOCK..(n + 1) * BLOCK).map(|k| near.get(k).copied().unwrap_or_default()).collect();
        let near = near_path.put(&near);
        let mut block: [i16; BLOCK] = std::array::from_fn(|k| (echo[k] + near[k] + noise.next()).round() as i16);
        heard.microphone.extend(block.iter().map(|s| f32::from(*s)));
        heard.echo.extend(echo);
        heard.near.extend(near);
        let late = setup.jump.filter(|j| begin >= j.at).map_or(0.0, |j| j.heard_late);
        let captured = told(begin + late);
        let before = spent();
        match setup.jump.is_some_and(|j| (j.at..j.at + j.microphone_gone).contains(&begin)) {
            true => block.fill(0),
            false => processor.capture(&mut block, captured),
        }
        heard.cost += spent() - before;
        heard.blocks += 1;
        heard.enhanced.extend(block.iter().map(|s| f32::from(*s)));
        heard.decoded.extend(outgoing.block(&block, base + Duration::from_secs_f64(begin)));
    }
    heard
}

/// The path from a viewer's mouth to the speaker's writing.
struct Incoming {
    packets: std::vec::IntoIter<(u64, Vec<f32>)>,
    encoder: Option<OpusEncoder>,
    voice: Voice,
    mixer: Mixer,
    played: Vec<f32>,
}

impl Incoming {
    fn new(setup: &Setup, viewer: &[f32]) -> Incoming {
        let packets = viewer.chunks_exact(PACKET).enumerate().map(|(n, s)| (n as u64, s.to_vec()));
        Incoming {
            packets: packets.collect::<Vec<_>>().into_iter(),
            encoder: setup.coded.then(|| OpusEncoder::new(setup.audio.bitrate).expect("an encoder")),
            voice: Voice::new().expect("a voice"),
            mixer: Mixer::default(),
            played: Vec::new(),
        }
    }

    /// The block that is written at `at` seconds.
    fn block(&mut self, at: f64, base: Instant) -> [i16; BLOCK] {
        let now = base + Duration::from_secs_f64(at);
        let whole = |sound: &[f32]| -> Vec<i16> { sound.iter().map(|s| s.round() as i16).collect() };
        let mut out = [0; BLOCK];
        match &mut self.encoder {
            Some(encoder) => {
                while let Some((number, sound)) = self.packets.as_slice().first()
                    && *number as f64 * 0.02 <= at
                {
                    let sound: [i16; PACKET] = whole(sound).try_into().expect("a packet");
                    // Nothing is sent in silence.
                    if let Some(data) = encoder.encode(&sound).expect("encoded") {
                        let (sequence, sample) = (*number, number * PACKET as u64);
                        self.voice.insert(OpusPacket { sequence, sample, data, arrived: now });
                    }
                    self.packets.next();
                }
                let mut block = [0; BLOCK];
                self.voice.pull(now, &mut block);
                self.mixer.add(&block);
                self.mixer.finish(&mut out);
            }
            None => {
                let (packet, half) = (self.played.len() / PACKET, self.played.len() % PACKET);
                let all = self.packets.as_slice();
                if let Some((_, sound)) = all.get(packet) {
                    out.copy_from_slice(&whole(&sound[half..half + BLOCK]));
                }
            }
        }
        self.played.extend(out.map(f32::from));
        out
    }

    /// The last block is never heard: nothing is there to play it.
    fn drop_block(&mut self) {
        let begin = self.played.len() - BLOCK;
        self.played[begin..].fill(0.0);
    }
}

/// The path from the processor to a viewer's ear.
struct Outgoing {
    packetizer: Packetizer,
    encoder: OpusEncoder,
    decoder: OpusDecoder,
    scratch: Vec<i16>,
}

impl Outgoing {
    fn new(setup: &Setup, base: Instant) -> Outgoing {
        let mut packetizer = Packetizer::default();
        packetizer.start(base);
        Outgoing {
            packetizer,
            encoder: OpusEncoder::new(setup.audio.bitrate).expect("an encoder"),
            decoder: OpusDecoder::new().expect("a decoder"),
            scratch: vec![0; LONGEST_PACKET],
        }
    }

    fn block(&mut self, block: &[i16; BLOCK], captured: Instant) -> Vec<f32> {
        let Some(packet) = self.packetizer.handle_block(block, captured) else { return Vec::new() };
        let sound = match self.encoder.encode(&packet.sound).expect("encoded") {
            Some(data) => self.decoder.decode(&data, &mut self.scratch).expect("decoded"),
            // Nothing was sent, and a browser goes on by itself.
            None => self.decoder.conceal(&mut self.scratch[..PACKET]).expect("concealed"),
        };
        sound.iter().map(|s| f32::from(*s)).collect()
    }
}

/// A response whose power is `gain` squared, so that level in is level out.
fn unit(mut response: Vec<f32>, gain: f32) -> Vec<f32> {
    let power: f32 = response.iter().map(|s| s * s).sum();
    response.iter_mut().for_each(|s| *s *= gain / power.sqrt());
    response
}
