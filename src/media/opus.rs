//! Opus both ways: 48 kHz, mono, 20 ms packets, with forward error correction inside.

use std::fmt;
use std::sync::Arc;

use audiopus::coder::{Decoder, Encoder};
use audiopus::packet::{self, Packet};
use audiopus::{Application, Bandwidth, Channels, MutSignals, SampleRate, Signal};

use crate::units::Bitrate;

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

/// Encodes home's sound.
pub struct OpusEncoder {
    encoder: Encoder,
    scratch: Vec<u8>,
}

impl OpusEncoder {
    /// An encoder for `bitrate`.
    pub fn new(bitrate: Bitrate) -> Result<OpusEncoder, OpusError> {
        // The "low delay" application would save 4 ms, but knows no in-band FEC: that is a part of SILK only.
        let mut encoder =
            Encoder::new(SampleRate::Hz48000, Channels::Mono, Application::Voip).map_err(doing("making an encoder"))?;
        let set = |encoder: &mut Encoder| -> Result<(), audiopus::Error> {
            let bps = i32::try_from(bitrate.bps()).unwrap_or(i32::MAX);
            encoder.set_bitrate(audiopus::Bitrate::BitsPerSecond(bps))?;
            encoder.set_signal(Signal::Voice)?;
            encoder.set_max_bandwidth(Bandwidth::Fullband)?;
            encoder.set_inband_fec(true)?;
            // Without an expected loss the encoder spends nothing on FEC; with more, the voice itself suffers.
            encoder.set_packet_loss_perc(8)?;
            // Measured on speech: 0.004 core at 0, 0.007 at 2, 0.010 at 5, 0.020 at 9. With 5 the
            // sound takes a tenth of the CPU that the whole intercom may have at 640x480.
            encoder.set_complexity(5)
        };
        set(&mut encoder).map_err(doing("setting up an encoder"))?;
        Ok(OpusEncoder { encoder, scratch: vec![0; 1275] })
    }

    /// Encodes 20 ms.
    pub fn encode(&mut self, sound: &[i16; PACKET]) -> Result<Arc<[u8]>, OpusError> {
        let len = self.encoder.encode(sound, &mut self.scratch).map_err(doing("encoding"))?;
        Ok(Arc::from(&self.scratch[..len]))
    }
}

/// How many samples `data` decodes to; `None` if it is no Opus packet, or an empty one.
pub fn packet_samples(data: &[u8]) -> Option<usize> {
    let packet = Packet::try_from(data).ok()?;
    let samples = packet::nb_samples(packet, SampleRate::Hz48000).ok()?;
    (1..=LONGEST_PACKET).contains(&samples).then_some(samples)
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
    use super::*;
    use crate::media::test_sound::{level_db, speech_like, tone, tone_share};

    fn packets(sound: &[i16]) -> Vec<Arc<[u8]>> {
        let mut encoder = OpusEncoder::new(Bitrate::from_kbps(32)).unwrap();
        sound.as_chunks::<PACKET>().0.iter().map(|block| encoder.encode(block).unwrap()).collect()
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
                    sum += good.iter().zip(got).map(|(x, y)| f64::from(*x - *y).powi(2)).sum::<f64>();
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
        use crate::media::test_pictures::thread_cpu_ms;
        let sound = speech_like(48_000 * 10);
        for complexity in [0, 2, 4, 5, 7, 9] {
            let mut best = (f64::MAX, f64::MAX);
            let mut bytes = 0;
            for _ in 0..3 {
                let mut encoder = OpusEncoder::new(Bitrate::from_kbps(32)).unwrap();
                encoder.encoder.set_complexity(complexity).unwrap();
                let begun = thread_cpu_ms();
                let packets: Vec<_> =
                    sound.as_chunks::<PACKET>().0.iter().map(|block| encoder.encode(block).unwrap()).collect();
                best.0 = best.0.min(thread_cpu_ms() - begun);
                bytes = packets.iter().map(|p| p.len()).sum::<usize>();
                let mut decoder = OpusDecoder::new().unwrap();
                let mut out = [0; LONGEST_PACKET];
                let begun = thread_cpu_ms();
                packets.iter().for_each(|p| assert!(decoder.decode(p, &mut out).is_ok()));
                best.1 = best.1.min(thread_cpu_ms() - begun);
            }
            let lookahead = OpusEncoder::new(Bitrate::from_kbps(32)).unwrap().encoder.lookahead().unwrap();
            println!(
                "complexity {complexity}: encode {:.4} core, decode {:.4} core, {} kbit/s, {lookahead} samples ahead",
                best.0 / 10e3,
                best.1 / 10e3,
                bytes * 8 / 10_000
            );
        }
    }
}
