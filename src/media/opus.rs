//! Opus both ways: 48 kHz, mono, 20 ms packets, with forward error correction inside.
//!
//! # Silence (DTX)
//!
//! The encoder's own judgement takes a steady tone for background. So `Hush` tells silence from speech first, and DTX
//! is allowed only then:
//!
//! - What is louder than 45 dB under full scale is never silence. What is softer than 66 dB under full scale always
//!   is.
//! - In between, silence is what is at most 4 dB louder than the quietest packet of the last seconds.
//! - Half a second of silent packets makes a pause, so that none falls between two words.
//!
//! In a pause, the first packet of two bytes is sent. It says that nothing follows until somebody speaks again (RFC
//! 7587 section 3.1.3). After it, only the codec's packets now and then are sent.
//!
//! # Loss (FEC)
//!
//! `intercom_core::rate::speech` orders bitrate and expected loss ([`OpusEncoder::set_path`]). With no expected loss,
//! the encoder spends nothing on FEC. With more, the voice itself suffers.

use std::fmt;
use std::sync::Arc;

use audiopus::coder::{Decoder, Encoder};
use audiopus::packet::{self, Packet};
use audiopus::{Application, Bandwidth, Channels, MutSignals, SampleRate, Signal};
use intercom_base::units::Bitrate;

use crate::comfort::power;

/// Samples of a packet that we send: 20 ms.
pub const PACKET: usize = 960;

/// Samples of the longest packet that Opus allows: 120 ms (RFC 6716 section 3.2.5).
pub const LONGEST_PACKET: usize = 5760;

/// What libopus refused.
#[derive(Debug)]
pub struct OpusError {
    doing: &'static str,
    source: audiopus::Error,
}

impl fmt::Display for OpusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opus, {}: {}", self.doing, self.source)
    }
}

impl std::error::Error for OpusError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

fn doing(doing: &'static str) -> impl Fn(audiopus::Error) -> OpusError {
    move |source| OpusError { doing, source }
}

/// What is expected to get lost until somebody knows better, in percent: a wireless network loses a packet now and then.
const LOSS_PERCENT: u8 = 8;
/// What is louder than this (45 dB under full scale, squared) is never taken for silence.
const LOUDEST_SILENCE: f32 = 184.0 * 184.0;
/// What is softer than this (66 dB under full scale, squared) always is.
const SURE_SILENCE: f32 = 16.0 * 16.0;
/// In between, silence is what is at most so much louder than the quietest of the last seconds, in power: 4 dB.
const NEAR: f32 = 2.5;
/// Packets in a half of those seconds (1.5 s).
const WATCHED: u32 = 75;
/// So many silent packets in a row (0.5 s) make a pause, so that none falls between two words.
const HANGOVER: u32 = 25;
/// A packet this small says that nothing follows until somebody speaks again (RFC 7587 section 3.1.3).
const DTX: usize = 2;

/// Tells a silent room from one where somebody speaks, before the encoder does: its own judgement takes a steady tone
/// for background.
#[derive(Debug)]
struct Hush {
    quietest: [f32; 2],
    packets: u32,
    silent: u32,
}

impl Hush {
    fn is_pause(&mut self, sound: &[i16; PACKET]) -> bool {
        let power = power(sound);
        self.packets += 1;
        if self.packets >= WATCHED {
            self.packets = 0;
            self.quietest = [f32::MAX, self.quietest[0]];
        }
        self.quietest[0] = self.quietest[0].min(power);
        let near = self.quietest[0].min(self.quietest[1]) * NEAR;
        let silent = power < near.clamp(SURE_SILENCE, LOUDEST_SILENCE);
        self.silent = if silent { self.silent.saturating_add(1) } else { 0 };
        self.silent > HANGOVER
    }
}

/// Encodes home's sound.
pub struct OpusEncoder {
    encoder: Encoder,
    scratch: Vec<u8>,
    bitrate: Bitrate,
    loss_percent: u8,
    hush: Hush,
    pause: bool,
    /// The pause was announced; nothing more is sent in it.
    told: bool,
}

impl OpusEncoder {
    /// An encoder for `bitrate`.
    pub fn new(bitrate: Bitrate) -> Result<OpusEncoder, OpusError> {
        // The "low delay" application would save 4 ms, but knows no in-band FEC: that is a part of SILK only.
        let mut encoder =
            Encoder::new(SampleRate::Hz48000, Channels::Mono, Application::Voip).map_err(doing("making an encoder"))?;
        let set = |encoder: &mut Encoder| -> Result<(), audiopus::Error> {
            encoder.set_signal(Signal::Voice)?;
            encoder.set_max_bandwidth(Bandwidth::Fullband)?;
            encoder.set_inband_fec(true)?;
            set_path(encoder, bitrate, LOSS_PERCENT)?;
            // Measured on speech: 0.004 core at 0, 0.007 at 2, 0.010 at 5, 0.020 at 9. With 5 the
            // sound takes a tenth of the CPU that the whole intercom may have at 640x480.
            encoder.set_complexity(5)
        };
        set(&mut encoder).map_err(doing("setting up an encoder"))?;
        let hush = Hush { quietest: [f32::MAX; 2], packets: 0, silent: 0 };
        Ok(OpusEncoder {
            encoder,
            scratch: vec![0; 1275],
            bitrate,
            loss_percent: LOSS_PERCENT,
            hush,
            pause: false,
            told: false,
        })
    }

    /// Goes on at another bitrate, and with as much redundancy as is worth it when so many of a hundred packets get lost.
    pub fn set_path(&mut self, bitrate: Bitrate, loss_percent: u8) -> Result<(), OpusError> {
        if (bitrate, loss_percent) != (self.bitrate, self.loss_percent) {
            set_path(&mut self.encoder, bitrate, loss_percent).map_err(doing("setting bitrate and expected loss"))?;
            (self.bitrate, self.loss_percent) = (bitrate, loss_percent);
        }
        Ok(())
    }

    /// Encodes 20 ms; `None` while the room is silent (DTX), but for a packet now and then.
    pub fn encode(&mut self, sound: &[i16; PACKET]) -> Result<Option<Arc<[u8]>>, OpusError> {
        let pause = self.hush.is_pause(sound);
        if pause != self.pause {
            self.encoder.set_dtx(pause).map_err(doing("switching DTX"))?;
            self.pause = pause;
        }
        let len = self.encoder.encode(sound, &mut self.scratch).map_err(doing("encoding"))?;
        let told = std::mem::replace(&mut self.told, len <= DTX);
        Ok((len > DTX || !told).then(|| Arc::from(&self.scratch[..len])))
    }
}

fn set_path(encoder: &mut Encoder, bitrate: Bitrate, loss_percent: u8) -> Result<(), audiopus::Error> {
    let bps = i32::try_from(bitrate.bps()).unwrap_or(i32::MAX);
    encoder.set_bitrate(audiopus::Bitrate::BitsPerSecond(bps))?;
    // Without an expected loss the encoder spends nothing on FEC; with more, the voice itself suffers.
    encoder.set_packet_loss_perc(loss_percent.min(100))
}

/// How many samples `data` decodes to; `None` if it is no Opus packet, or an empty one.
pub fn packet_samples(data: &[u8]) -> Option<usize> {
    let packet = Packet::try_from(data).ok()?;
    let samples = packet::nb_samples(packet, SampleRate::Hz48000).ok()?;
    (1..=LONGEST_PACKET).contains(&samples).then_some(samples)
}

/// Whether a packet brings the one before it along (in-band FEC, RFC 6716 section 2.1.7), for mono packets of 20 ms.
pub fn has_fec(data: &[u8]) -> bool {
    // Configurations below 16 contain a SILK frame, whose second bit is the flag (RFC 6716 section 4.2.4); DTX has none.
    data.len() > DTX && data[0] >> 3 < 16 && data[1] & 0x40 != 0
}

/// Decodes one viewer's sound.
pub struct OpusDecoder {
    decoder: Decoder,
}

impl OpusDecoder {
    /// A decoder without history.
    pub fn new() -> Result<OpusDecoder, OpusError> {
        let decoder = Decoder::new(SampleRate::Hz48000, Channels::Mono).map_err(doing("making a decoder"))?;
        Ok(OpusDecoder { decoder })
    }

    /// Decodes a packet; returns its samples. `out` must have room for [`LONGEST_PACKET`].
    pub fn decode<'a>(&mut self, data: &[u8], out: &'a mut [i16]) -> Result<&'a [i16], OpusError> {
        self.run(Some(data), false, out, "decoding")
    }

    /// Recovers the packet before `next` from the redundancy inside `next`, or conceals it if there is none.
    /// `out` must be as long as the lost packet.
    pub fn recover<'a>(&mut self, next: &[u8], out: &'a mut [i16]) -> Result<&'a [i16], OpusError> {
        self.run(Some(next), true, out, "recovering a packet")
    }

    /// Goes on without a packet, as long as `out` is (a multiple of 2.5 ms), fading out over a few calls.
    pub fn conceal<'a>(&mut self, out: &'a mut [i16]) -> Result<&'a [i16], OpusError> {
        self.run(None, false, out, "concealing a loss")
    }

    fn run<'a>(
        &mut self,
        data: Option<&[u8]>,
        fec: bool,
        out: &'a mut [i16],
        what: &'static str,
    ) -> Result<&'a [i16], OpusError> {
        let mut decode = || {
            let packet = data.map(Packet::try_from).transpose()?;
            self.decoder.decode(packet, MutSignals::try_from(&mut *out)?, fec)
        };
        let len = decode().map_err(doing(what))?;
        Ok(&out[..len.min(out.len())])
    }
}

#[cfg(test)]
mod tests {
    use intercom_base::testing::sound::{level_db, speech_like, tone, tone_share};

    use super::*;

    const RATE: Bitrate = Bitrate::from_kbps(32);

    fn encoded(sound: &[i16]) -> Vec<Option<Arc<[u8]>>> {
        let mut encoder = OpusEncoder::new(RATE).unwrap();
        sound.as_chunks::<PACKET>().0.iter().map(|block| encoder.encode(block).unwrap()).collect()
    }

    fn packets(sound: &[i16]) -> Vec<Arc<[u8]>> {
        encoded(sound).into_iter().map(|packet| packet.expect("nobody is silent")).collect()
    }

    #[test]
    fn a_silent_room_sends_next_to_nothing_and_a_word_at_once() {
        let mut random = fastrand::Rng::with_seed(3);
        for level in [4, 30, 90] {
            let mut sound: Vec<i16> = (0..48_000 * 8).map(|_| random.i16(-level..=level)).collect();
            for (n, sample) in tone(300.0, 48_000).into_iter().enumerate() {
                sound[48_000 * 5 + n] += sample;
            }
            let packets = encoded(&sound);
            let sent = |from: usize, to: usize| packets[from..to].iter().flatten().count();
            assert!(sent(0, 20) == 20, "{level}: what comes first is sent");
            assert!(sent(100, 250) < 30, "{level}: {} of 150 in silence", sent(100, 250));
            assert_eq!(sent(250, 300), 50, "{level}: all of the word");
            // What is heard: the word from its begin on, and the background before and after.
            let mut decoder = OpusDecoder::new().unwrap();
            let (mut out, mut heard) = ([0; LONGEST_PACKET], Vec::new());
            for packet in &packets {
                let sound = match packet {
                    Some(packet) => decoder.decode(packet, &mut out),
                    None => decoder.conceal(&mut out[..PACKET]),
                };
                heard.extend_from_slice(sound.unwrap());
            }
            let word = &heard[48_000 * 5 + 960..48_000 * 6];
            assert!(tone_share(word, 300.0) > 0.9, "{level}: {}", tone_share(word, 300.0));
        }
    }

    #[test]
    fn a_steady_tone_and_a_soft_voice_are_no_silence() {
        let soft: Vec<i16> = speech_like(48_000 * 10).into_iter().map(|s| s / 12).collect();
        for (what, sound) in [("a tone", tone(440.0, 48_000 * 10)), ("a soft voice", soft)] {
            assert!(encoded(&sound).iter().all(|packet| packet.as_ref().is_some_and(|p| p.len() > 8)), "{what}");
        }
    }

    #[test]
    fn redundancy_is_put_in_when_packets_get_lost_even_where_there_is_little_room() {
        let sound = speech_like(48_000 * 6);
        let share = |kbps: u64, loss: u8| {
            let mut encoder = OpusEncoder::new(RATE).unwrap();
            encoder.set_path(Bitrate::from_kbps(kbps), loss).unwrap();
            let packets = sound.as_chunks::<PACKET>().0.iter().filter_map(|block| encoder.encode(block).unwrap());
            let with: Vec<bool> = packets.map(|packet| has_fec(&packet)).collect();
            with.iter().filter(|fec| **fec).count() as f64 / with.len() as f64
        };
        assert_eq!(share(32, 0), 0.0);
        // Between the words there is nothing to bring along.
        for (kbps, loss) in [(32, 10), (32, 30), (24, 20), (20, 10)] {
            assert!(share(kbps, loss) > 0.5, "{kbps} kbit/s, {loss} %: {}", share(kbps, loss));
        }
        // Below 18 kbit/s the encoder gives none: anyone who chooses the bitrate must know.
        assert_eq!(share(16, 30), 0.0);
    }

    #[test]
    fn means_change_while_it_speaks() {
        let sound = speech_like(48_000 * 6);
        let mut encoder = OpusEncoder::new(RATE).unwrap();
        let mut sizes = Vec::new();
        for (n, block) in sound.as_chunks::<PACKET>().0.iter().enumerate() {
            let kbps = if n < 150 { 40 } else { 14 };
            encoder.set_path(Bitrate::from_kbps(kbps), 20).unwrap();
            sizes.push(encoder.encode(block).unwrap().map_or(0, |packet| packet.len()));
        }
        let kbps = |part: &[usize]| part.iter().sum::<usize>() as f64 * 8.0 / (part.len() as f64 * 20.0);
        assert!((20.0..45.0).contains(&kbps(&sizes[..150])), "{}", kbps(&sizes[..150]));
        assert!((8.0..17.0).contains(&kbps(&sizes[160..])), "{}", kbps(&sizes[160..]));
    }

    #[test]
    fn a_tone_keeps_its_pitch_and_level() {
        let sound = tone(440.0, 48_000);
        let mut decoder = OpusDecoder::new().unwrap();
        let mut heard = Vec::new();
        let mut out = [0; LONGEST_PACKET];
        for packet in packets(&sound) {
            assert_eq!(packet_samples(&packet), Some(PACKET));
            heard.extend_from_slice(decoder.decode(&packet, &mut out).unwrap());
        }
        assert_eq!(heard.len(), 48_000);
        assert!(tone_share(&heard[9600..], 440.0) > 0.95);
        assert!((level_db(&heard[9600..]) - level_db(&sound)).abs() < 1.0);
    }

    #[test]
    fn the_bitrate_is_about_what_was_asked_for() {
        let bytes: usize = packets(&speech_like(48_000 * 4)).iter().map(|p| p.len()).sum();
        let kbps = bytes as f64 * 8.0 / 4.0 / 1000.0;
        assert!((20.0..38.0).contains(&kbps), "{kbps}");
    }

    #[test]
    fn a_lost_packet_is_recovered_from_the_next_better_than_concealed() {
        let sound = speech_like(48_000 * 3);
        let packets = packets(&sound);
        let error = |with_fec: bool| {
            let (mut whole, mut lossy) = (OpusDecoder::new().unwrap(), OpusDecoder::new().unwrap());
            let (mut a, mut b) = ([0; LONGEST_PACKET], [0; LONGEST_PACKET]);
            let mut sum = 0.0;
            for (n, packet) in packets.iter().enumerate().take(packets.len() - 1) {
                let good = whole.decode(packet, &mut a).unwrap();
                let lost = n % 7 == 5;
                let got = match (lost, with_fec) {
                    (false, _) => lossy.decode(packet, &mut b).unwrap(),
                    (true, true) => lossy.recover(&packets[n + 1], &mut b[..PACKET]).unwrap(),
                    (true, false) => lossy.conceal(&mut b[..PACKET]).unwrap(),
                };
                if lost {
                    sum += good.iter().zip(got).map(|(x, y)| (f64::from(*x) - f64::from(*y)).powi(2)).sum::<f64>();
                }
            }
            sum
        };
        let (recovered, concealed) = (error(true), error(false));
        assert!(recovered < concealed * 0.6, "recovered {recovered:e}, concealed {concealed:e}");
    }

    #[test]
    fn garbage_is_an_error_or_noise_and_never_a_panic() {
        let mut random = fastrand::Rng::with_seed(5);
        let mut decoder = OpusDecoder::new().unwrap();
        let mut out = [0; LONGEST_PACKET];
        for _ in 0..3000 {
            let data: Vec<u8> = (0..random.usize(0..80)).map(|_| random.u8(..)).collect();
            let samples = packet_samples(&data);
            let decoded = decoder.decode(&data, &mut out).map(<[i16]>::len);
            if let (Some(samples), Ok(decoded)) = (samples, decoded) {
                assert_eq!(samples, decoded);
            }
        }
        assert_eq!(packet_samples(&[]), None);
    }

    #[test]
    #[ignore = "measures"]
    fn measure_cost() {
        use crate::test_pictures::thread_cpu_ms;
        let sound = speech_like(48_000 * 10);
        for complexity in [0, 2, 4, 5, 7, 9] {
            let mut best = (f64::MAX, f64::MAX);
            let mut bytes = 0;
            for _ in 0..3 {
                let mut encoder = OpusEncoder::new(RATE).unwrap();
                encoder.encoder.set_complexity(complexity).unwrap();
                let begun = thread_cpu_ms();
                let packets: Vec<_> =
                    sound.as_chunks::<PACKET>().0.iter().filter_map(|block| encoder.encode(block).unwrap()).collect();
                best.0 = best.0.min(thread_cpu_ms() - begun);
                bytes = packets.iter().map(|p| p.len()).sum::<usize>();
                let mut decoder = OpusDecoder::new().unwrap();
                let mut out = [0; LONGEST_PACKET];
                let begun = thread_cpu_ms();
                packets.iter().for_each(|p| assert!(decoder.decode(p, &mut out).is_ok()));
                best.1 = best.1.min(thread_cpu_ms() - begun);
            }
            let lookahead = OpusEncoder::new(RATE).unwrap().encoder.lookahead().unwrap();
            println!(
                "complexity {complexity}: encode {:.4} core, decode {:.4} core, {} kbit/s, {lookahead} samples ahead",
                best.0 / 10e3,
                best.1 / 10e3,
                bytes * 8 / 10_000
            );
        }
    }
}
