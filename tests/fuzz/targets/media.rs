//! Sound and pictures: access units, packets of Opus as they come, and WAV files.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use intercom_base::picture::I420;
use intercom_base::settings::Rung;
use intercom_base::sound::OpusPacket;
use intercom_base::units::{Bitrate, FrameRate};
use intercom_media::chime;
use intercom_media::h264::{self, ParameterSets};
use intercom_media::jitter::{JitterBuffer, Piece};
use intercom_media::opus::{self, OpusEncoder, PACKET};
use intercom_media::video_decoder::{LONGEST_SIDE, VideoDecoder};
use intercom_media::video_encoder::VideoEncoder;
use intercom_media::voice::{BLOCK, Voice};

use super::bytes::{Bytes, owned, piece};

/// The beginning of a target's time.
#[allow(clippy::disallowed_methods)]
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A chime is as long as it may be at most, at whatever rate the file has it.
pub fn fuzz_wav(data: &[u8]) {
    if let Ok(sound) = chime::from_wav(data) {
        assert!(!sound.is_empty() && sound.len() <= 48_000 * 10 + 1, "{} samples", sound.len());
        chime::at(0.5, &sound);
    }
}

/// A keyframe that is mended has what it lacked, and a stream that suits browsers can be measured.
pub fn fuzz_h264(data: &[u8]) {
    let units: Vec<&[u8]> = h264::nal_units(data).collect();
    assert!(units.iter().map(|unit| unit.len() + 3).sum::<usize>() <= data.len());
    assert!(units.iter().all(|unit| !unit.windows(3).any(|three| three == [0, 0, 1])));
    let mut sets = ParameterSets::default();
    sets.watch(data);
    if let Some(mended) = sets.put_before(data) {
        assert!(h264::nal_units(&mended).count() >= units.len());
    }
    if let Ok((width, height)) = sets.suit_browsers() {
        assert!(width >= 16 && height >= 16 && width.is_multiple_of(16));
        assert!(units.iter().any(|unit| h264::sps_size(unit) == Some((width, height))));
    }
    h264::is_keyframe(data);
}

/// A decoder gives pictures of a size that it said it takes, and goes on whatever came before.
pub fn fuzz_decoder(data: &[u8]) {
    let mut decoder = VideoDecoder::new();
    let mut bytes = Bytes(data);
    for _ in 0..8 {
        if bytes.is_over() {
            break;
        }
        if let Ok(Some(picture)) = decoder.decode(bytes.piece()) {
            assert!((1..=LONGEST_SIDE).contains(&picture.width()) && (1..=LONGEST_SIDE).contains(&picture.height()));
        }
    }
}

/// Whatever comes when, a voice gives steady blocks, and the buffer holds no more than it may.
pub fn fuzz_voice(data: &[u8]) {
    let mut bytes = Bytes(data);
    let mut now = *START;
    let mut voice = Voice::new().expect("a decoder");
    let mut buffer = JitterBuffer::new();
    let (mut sequence, mut sample) = (0u64, 0u64);
    let mut block = [0; BLOCK];
    for _ in 0..200 {
        if bytes.is_over() {
            break;
        }
        match bytes.byte() % 8 {
            // The next packet, one further on, or one from anywhere.
            kind @ 0..=4 => {
                match kind {
                    0 | 1 => sequence = sequence.wrapping_add(1),
                    2 => sequence = sequence.wrapping_add(u64::from(bytes.byte())),
                    3 => sequence = sequence.wrapping_sub(u64::from(bytes.byte())),
                    _ => (sequence, sample) = (bytes.long(), bytes.long()),
                }
                let data: Arc<[u8]> = bytes.take(usize::from(bytes.0.first().copied().unwrap_or(0)) + 1).into();
                let samples = opus::packet_samples(&data).unwrap_or(960) as u64;
                let arrived = now.checked_sub(Duration::from_millis(u64::from(kind))).unwrap_or(now);
                let packet = OpusPacket { sequence, sample, data, arrived };
                voice.insert(packet.clone());
                buffer.insert(packet);
                sample = sample.wrapping_add(samples);
            }
            5 => now += Duration::from_millis(u64::from(bytes.short())),
            _ => {
                for _ in 0..=bytes.byte() % 16 {
                    voice.pull(now, &mut block);
                    if let Piece::Conceal(samples) | Piece::Recover(_, samples) = buffer.next(now, 0) {
                        assert!(samples <= 48_000, "{samples} samples made up at once");
                    }
                    buffer.advice(now, 0);
                    buffer.skip_excess(now, 0);
                    now += Duration::from_millis(10);
                }
            }
        }
    }
    voice.leave();
    voice.pull(now, &mut block);
    voice.counts();
    buffer.target();
}

// ---- Seeds. ----

pub fn wavs() -> Vec<Vec<u8>> {
    let wav = |channels: u16, rate: u32, samples: &[i16]| {
        let block = 2 * channels;
        let mut file = b"RIFF".to_vec();
        file.extend((36 + 2 * samples.len() as u32).to_le_bytes());
        file.extend(b"WAVEfmt \x10\0\0\0\x01\0");
        file.extend([channels.to_le_bytes()].concat());
        file.extend(rate.to_le_bytes());
        file.extend((rate * u32::from(block)).to_le_bytes());
        file.extend([block.to_le_bytes(), 16_u16.to_le_bytes()].concat());
        file.extend(b"data");
        file.extend((2 * samples.len() as u32).to_le_bytes());
        samples.iter().for_each(|sample| file.extend(sample.to_le_bytes()));
        file
    };
    let sound: Vec<i16> = (0..64).map(|n| if n % 8 < 4 { 9000 } else { -9000 }).collect();
    vec![wav(1, 48_000, &sound), wav(2, 8000, &sound), wav(2, 44_100, &sound[..6])]
}

/// A square that moves over a few pictures, encoded as home does it.
fn pictures(width: usize, height: usize, count: usize) -> Vec<Vec<u8>> {
    let rung = Rung {
        width: width as u32,
        height: height as u32,
        rate: FrameRate::from_fps(30.0),
        floor: Bitrate::from_kbps(100),
        max: Bitrate::from_kbps(1000),
    };
    let mut encoder = VideoEncoder::new(&rung).expect("an encoder");
    let mut units = Vec::new();
    for n in 0..count {
        let mut picture = I420::black(width, height);
        let [luma, ..] = picture.planes_mut();
        for (at, pixel) in luma.iter_mut().enumerate() {
            let (x, y) = (at % width, at / width);
            *pixel = if x / 8 == n && y < 16 { 200 } else { (x * 3 + y * 5) as u8 / 2 + 16 };
        }
        let at = Duration::from_millis(33 * n as u64);
        units.extend(encoder.encode(&picture, n == 3, at).expect("a picture").map(|encoded| encoded.data.to_vec()));
    }
    units
}

pub fn access_units() -> Vec<Vec<u8>> {
    let mut units = pictures(64, 48, 2);
    units.push([&[0, 0, 0, 1][..], &HIGH, &[0, 0, 1, 0x68, 0xee, 0x3c, 0x80, 0, 0, 1, 0x65, 0x88]].concat());
    units
}

/// High profile, as phones write it.
const HIGH: [u8; 17] = [0x67, 0x64, 0, 0x1f, 0xac, 0xd9, 0x40, 0x50, 5, 0xbb, 1, 0x10, 0, 0, 3, 0, 0x10];

pub fn streams() -> Vec<Vec<u8>> {
    [(64, 48, 5), (16, 16, 3), (128, 96, 2)]
        .map(|(width, height, count)| pictures(width, height, count).iter().flat_map(|unit| piece(unit)).collect())
        .to_vec()
}

pub fn voices() -> Vec<Vec<u8>> {
    let mut encoder = OpusEncoder::new(Bitrate::from_kbps(24)).expect("an encoder");
    let mut said = Vec::new();
    for n in 0..8 {
        let sound: [i16; PACKET] = std::array::from_fn(|at| (((at + n * PACKET) % 109) as i16 - 54) * 150);
        let Some(packet) = encoder.encode(&sound).expect("a packet") else { continue };
        // A packet is as long as its first byte says, see the target.
        let mut packet = packet.to_vec();
        packet.resize(usize::from(packet[0]) + 1, 0);
        said.push([&[0][..], &packet, &[6, 1]].concat());
    }
    let lost = [&said[0][..], &said[1], &[2, 2], &said[4][1..], &[6, 3]].concat();
    let all = said.concat();
    [owned(&[&[0, 0xf8, 0xff, 0xfe, 6, 3], &[5, 0xff, 0xff, 0, 0x78]]), vec![all, lost]].concat()
}
