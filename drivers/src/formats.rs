//! The sample formats of sound cards, to and from the contract's 16 bits.

use alsa::pcm::Format;

/// What is understood, in the order of preference: what need not be converted first.
pub const FORMATS: [Format; 5] = [Format::s16(), Format::s32(), Format::s24(), Format::s24_3(), Format::float()];

/// How many bytes a sample of this format has, of those above.
pub fn width(format: Format) -> usize {
    if format == Format::s16() {
        2
    } else if format == Format::s24_3() {
        3
    } else {
        4
    }
}

/// Reads samples of the machine's byte order.
pub fn decode(format: Format, bytes: &[u8], samples: &mut [i16]) {
    for (sample, bytes) in samples.iter_mut().zip(bytes.chunks_exact(width(format))) {
        *sample = match *bytes {
            [a, b] => i16::from_ne_bytes([a, b]),
            [a, b, c] => i16_of_24(i32::from_ne_bytes(wide([a, b, c]))),
            [a, b, c, d] if format == Format::float() => {
                (f32::from_ne_bytes([a, b, c, d]) * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16
            }
            [a, b, c, d] if format == Format::s24() => i16_of_24(i32::from_ne_bytes([a, b, c, d])),
            [a, b, c, d] => rounded(i32::from_ne_bytes([a, b, c, d]), 16),
            _ => 0,
        };
    }
}

/// Appends samples in the machine's byte order.
pub fn encode(format: Format, samples: &[i16], bytes: &mut Vec<u8>) {
    for &sample in samples {
        let value = i32::from(sample);
        if format == Format::s16() {
            bytes.extend(sample.to_ne_bytes());
        } else if format == Format::s24_3() {
            let [a, b, c, d] = (value << 8).to_ne_bytes();
            bytes.extend(if cfg!(target_endian = "little") { [a, b, c] } else { [b, c, d] });
        } else if format == Format::float() {
            bytes.extend((f32::from(sample) / 32_768.0).to_ne_bytes());
        } else {
            bytes.extend((value << if format == Format::s24() { 8 } else { 16 }).to_ne_bytes());
        }
    }
}

/// The three low bytes hold it; what stands in the fourth is anybody's.
fn i16_of_24(value: i32) -> i16 {
    rounded((value << 8) >> 8, 8)
}

fn rounded(value: i32, bits: u32) -> i16 {
    ((i64::from(value) + (1 << (bits - 1))) >> bits).min(i64::from(i16::MAX)) as i16
}

fn wide([a, b, c]: [u8; 3]) -> [u8; 4] {
    if cfg!(target_endian = "little") { [a, b, c, 0] } else { [0, a, b, c] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_survives_every_format() {
        let all: Vec<i16> = (i16::MIN..=i16::MAX).collect();
        for format in FORMATS {
            let (mut bytes, mut back) = (Vec::new(), vec![0; all.len()]);
            encode(format, &all, &mut bytes);
            assert_eq!(bytes.len(), all.len() * width(format));
            assert_eq!(i64::from(format.physical_width().unwrap()), width(format) as i64 * 8, "as alsa-lib has it");
            decode(format, &bytes, &mut back);
            assert!(back == all, "{format:?}");
        }
    }

    #[test]
    fn finer_samples_are_rounded_and_never_wrap() {
        let read = |format, bytes: &[u8]| {
            let mut sample = [0];
            decode(format, bytes, &mut sample);
            sample[0]
        };
        assert_eq!(read(Format::s32(), &i32::MAX.to_ne_bytes()), i16::MAX);
        assert_eq!(read(Format::s32(), &0x0001_8000i32.to_ne_bytes()), 2);
        assert_eq!(read(Format::s24(), &0x007f_ffffi32.to_ne_bytes()), i16::MAX);
        assert_eq!(read(Format::s24(), &0x55ff_0000i32.to_ne_bytes()), -256, "the fourth byte is not looked at");
        assert_eq!(read(Format::float(), &1.5f32.to_ne_bytes()), i16::MAX);
        assert_eq!(read(Format::float(), &(-1.0f32).to_ne_bytes()), i16::MIN);
        assert_eq!(read(Format::float(), &f32::NAN.to_ne_bytes()), 0);
    }
}
