//! As much of H.264's syntax as is needed to judge a stream before a decoder sees it.

/// The NAL units of an access unit in Annex B form, without start codes.
pub fn nal_units(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(data);
    std::iter::from_fn(move || {
        let unit = rest?;
        let end = unit.windows(3).position(|w| w == [0, 0, 1]).unwrap_or(unit.len());
        rest = after_start_code(&unit[end..]);
        let unit = &unit[..end];
        // What is before a four-byte start code, or pads the unit, is zeros.
        let len = unit.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        Some(&unit[..len])
    })
    .filter(|unit| !unit.is_empty())
}

fn after_start_code(data: &[u8]) -> Option<&[u8]> {
    data.windows(3).position(|w| w == [0, 0, 1]).map(|at| &data[at + 3..])
}

/// Width and height in pixels that a sequence parameter set announces (H.264 7.3.2.1.1), before cropping;
/// `None` if it cannot be understood. `unit` starts with the NAL header.
pub fn sps_size(unit: &[u8]) -> Option<(u32, u32)> {
    let (header, body) = unit.split_first()?;
    if header & 31 != 7 {
        return None;
    }
    let mut bits = Bits::new(body);
    let profile = bits.read(8)?;
    bits.read(16)?;
    bits.unsigned()?;
    if matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128) {
        // Only 4:2:0 with 8 bits and without scaling lists is anything a browser sends.
        let plain = bits.unsigned()? == 1 && bits.unsigned()? == 0 && bits.unsigned()? == 0;
        bits.read(1)?;
        if !plain || bits.read(1)? != 0 {
            return None;
        }
    }
    bits.unsigned()?;
    match bits.unsigned()? {
        0 => {
            bits.unsigned()?;
        }
        1 => {
            bits.read(1)?;
            bits.unsigned()?;
            bits.unsigned()?;
            for _ in 0..bits.unsigned().filter(|n| *n < 256)? {
                bits.unsigned()?;
            }
        }
        2 => {}
        _ => return None,
    }
    bits.unsigned()?;
    bits.read(1)?;
    let width = bits.unsigned()?.checked_add(1)?.checked_mul(16)?;
    let map_units = bits.unsigned()?.checked_add(1)?.checked_mul(16)?;
    let field_pairs = bits.read(1)? == 0;
    let height = map_units.checked_mul(if field_pairs { 2 } else { 1 })?;
    Some((width, height))
}

/// Reads bits of a NAL unit's payload, leaving out its emulation prevention bytes (H.264 7.4.1).
struct Bits<'a> {
    bytes: &'a [u8],
    byte: usize,
    bit: u32,
    zeros: u32,
}

impl<'a> Bits<'a> {
    fn new(bytes: &'a [u8]) -> Bits<'a> {
        Bits { bytes, byte: 0, bit: 0, zeros: 0 }
    }

    fn read(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = *self.bytes.get(self.byte)?;
            value = value << 1 | u32::from(byte >> (7 - self.bit) & 1);
            self.bit += 1;
            if self.bit == 8 {
                self.bit = 0;
                self.byte += 1;
                self.zeros = if byte == 0 { self.zeros + 1 } else { 0 };
                if self.zeros >= 2 && self.bytes.get(self.byte) == Some(&3) {
                    self.byte += 1;
                    self.zeros = 0;
                }
            }
        }
        Some(value)
    }

    /// An unsigned Exp-Golomb number (H.264 9.1).
    fn unsigned(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.read(1)? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let rest = self.read(zeros)?;
        ((1u64 << zeros) - 1 + u64::from(rest)).try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_found_behind_both_start_codes() {
        let data = [0, 0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x68, 3, 0, 0, 1, 0x65, 4];
        let units: Vec<&[u8]> = nal_units(&data).collect();
        assert_eq!(units, [&[0x67, 1, 2][..], &[0x68, 3], &[0x65, 4]]);
        assert_eq!(nal_units(&[1, 2, 3]).count(), 0);
        assert_eq!(nal_units(&[]).count(), 0);
    }

    #[test]
    fn sizes_of_real_parameter_sets() {
        // Baseline and High profile, as browsers and phones write them.
        let baseline = [0x67, 0x42, 0xc0, 0x1e, 0x8c, 0x8d, 0x40, 0x50, 0x1e, 0x90, 0x0f, 0x08, 0x84, 0x6a];
        assert_eq!(sps_size(&baseline), Some((640, 480)));
        let high = [0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0, 0, 3, 0, 0x10];
        assert_eq!(sps_size(&high), Some((1280, 720)));
    }

    #[test]
    fn garbage_is_none_and_never_a_panic() {
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..20_000 {
            let mut unit: Vec<u8> = (0..random.usize(0..40)).map(|_| random.u8(..) & random.u8(..)).collect();
            if let Some(first) = unit.first_mut() {
                *first = 0x67;
            }
            let _ = sps_size(&unit);
            let _ = nal_units(&unit).count();
        }
        assert_eq!(sps_size(&[]), None);
        assert_eq!(sps_size(&[0x67; 4]), None);
    }
}
