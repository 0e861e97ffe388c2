//! As much of H.264's syntax as is needed to judge a stream before a decoder sees it.
//!
//! The crate `h264-reader` reads parameter sets whole. Cameras get the end of theirs wrong (VUI), and browsers decode them all the same. So
//! this reads up to what it needs, and no further.

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

/// The kinds of NAL units that matter here (H.264 table 7-1).
const IDR: u8 = 5;
const SPS: u8 = 7;
const PPS: u8 = 8;

fn kind(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |header| header & 31)
}

/// Whether a decoder can start with this access unit (IDR).
pub fn is_keyframe(access_unit: &[u8]) -> bool {
    nal_units(access_unit).any(|unit| kind(unit) == IDR)
}

/// Width and height in pixels that a sequence parameter set announces (H.264 7.3.2.1.1), before cropping;
/// `None` if it cannot be understood. `unit` starts with the NAL header.
pub fn sps_size(unit: &[u8]) -> Option<(u32, u32)> {
    Sps::read(unit).map(|sps| (sps.width, sps.height))
}

/// The parameter sets of a stream, as they were seen last, with start codes.
#[derive(Clone, Debug, Default)]
pub struct ParameterSets {
    sps: Vec<u8>,
    pps: Vec<u8>,
}

impl ParameterSets {
    /// Takes note of the sets in an access unit.
    pub fn watch(&mut self, access_unit: &[u8]) {
        for (number, set) in [(SPS, &mut self.sps), (PPS, &mut self.pps)] {
            let mut found = nal_units(access_unit).filter(|unit| kind(unit) == number).peekable();
            if found.peek().is_some() {
                set.clear();
                found.for_each(|unit| set.extend([&[0, 0, 0, 1], unit].concat()));
            }
        }
    }

    /// The access unit of a keyframe with the sets in front, so that anybody can start there; `None` if it has them.
    pub fn put_before(&self, access_unit: &[u8]) -> Option<Vec<u8>> {
        let has = |number| nal_units(access_unit).any(|unit| kind(unit) == number);
        (!has(SPS) || !has(PPS)).then(|| [&self.sps, &self.pps, access_unit].concat())
    }

    /// Width and height in pixels, before cropping, of a stream that every browser decodes without delay: constrained
    /// baseline (RFC 7742 6.2), which has no frames that wait for later ones. Else why it is none.
    pub fn suit_browsers(&self) -> Result<(u32, u32), &'static str> {
        let sps = nal_units(&self.sps).next().and_then(Sps::read).ok_or("its parameters cannot be read")?;
        let constrained = sps.constraints & 0x40 != 0;
        match sps.profile {
            // Baseline, or Main that says that it keeps to baseline, unless it uses what browsers leave out.
            66 => {}
            77 if sps.constraints & 0x80 != 0 => {}
            _ => return Err("its profile is not constrained baseline"),
        }
        let plain = |unit| pps_is_plain(unit).unwrap_or(false);
        if !constrained && !nal_units(&self.pps).all(plain) {
            return Err("it uses parts of baseline that browsers leave out");
        }
        Ok((sps.width, sps.height))
    }
}

/// What is needed of a sequence parameter set.
struct Sps {
    profile: u32,
    /// constraint_set0_flag is the highest of eight bits.
    constraints: u32,
    width: u32,
    height: u32,
}

impl Sps {
    fn read(unit: &[u8]) -> Option<Sps> {
        let (_, body) = unit.split_first()?;
        if kind(unit) != SPS {
            return None;
        }
        let mut bits = Bits::new(body);
        let profile = bits.read(8)?;
        let constraints = bits.read(8)?;
        bits.read(8)?;
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
        Some(Sps { profile, constraints, width, height })
    }
}

/// Whether a picture parameter set (H.264 7.3.2.2) does without slice groups and redundant pictures, which baseline has and
/// constrained baseline has not; `None` if it cannot be understood.
fn pps_is_plain(unit: &[u8]) -> Option<bool> {
    let mut bits = Bits::new(unit.get(1..)?);
    bits.unsigned()?;
    bits.unsigned()?;
    let cabac = bits.read(1)? == 1;
    bits.read(1)?;
    if bits.unsigned()? != 0 {
        return Some(false);
    }
    bits.unsigned()?;
    bits.unsigned()?;
    bits.read(3)?;
    for _ in 0..3 {
        bits.unsigned()?;
    }
    bits.read(2)?;
    Some(!cabac && bits.read(1)? == 0)
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
        assert_eq!(sps_size(&BASELINE), Some((640, 480)));
        let high = [0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0, 0, 3, 0, 0x10];
        assert_eq!(sps_size(&high), Some((1280, 720)));
    }

    const BASELINE: [u8; 14] = [0x67, 0x42, 0xc0, 0x1e, 0x8c, 0x8d, 0x40, 0x50, 0x1e, 0x90, 0x0f, 0x08, 0x84, 0x6a];

    /// A keyframe with these parameter sets and a slice.
    fn keyframe(sps: &[u8], pps: &[u8]) -> Vec<u8> {
        [&[0, 0, 0, 1], sps, &[0, 0, 0, 1], pps, &[0, 0, 1, 0x65, 0x88]].concat()
    }

    fn sets(sps: &[u8], pps: &[u8]) -> ParameterSets {
        let mut sets = ParameterSets::default();
        sets.watch(&keyframe(sps, pps));
        sets
    }

    #[test]
    fn streams_that_browsers_decode_without_delay_are_told_from_others() {
        // What x264 writes for baseline, and for Main with CABAC.
        let (plain, cabac) = ([0x68, 0xce, 0x38, 0x80], [0x68, 0xee, 0x3c, 0x80]);
        assert_eq!(sets(&BASELINE, &plain).suit_browsers(), Ok((640, 480)));
        let with = |at: usize, byte: u8| {
            let mut sps = BASELINE;
            sps[at] = byte;
            sps
        };
        // Baseline that does not say that it is constrained, and Main that says that it is baseline.
        assert_eq!(sets(&with(2, 0), &plain).suit_browsers(), Ok((640, 480)));
        assert_eq!(sets(&with(1, 77), &plain).suit_browsers(), Ok((640, 480)));
        assert!(sets(&with(2, 0), &cabac).suit_browsers().is_err());
        let mut main = with(1, 77);
        main[2] = 0;
        assert!(sets(&main, &plain).suit_browsers().is_err());
        assert!(sets(&with(1, 100), &plain).suit_browsers().is_err());
        assert!(ParameterSets::default().suit_browsers().is_err());
    }

    #[test]
    fn a_keyframe_gets_its_parameter_sets_if_it_lacks_them() {
        let pps = [0x68, 0xce, 0x38, 0x80];
        let (whole, bare) = (keyframe(&BASELINE, &pps), [0, 0, 0, 1, 0x65, 0x88]);
        let sets = sets(&BASELINE, &pps);
        assert!(is_keyframe(&whole) && is_keyframe(&bare) && !is_keyframe(&[0, 0, 1, 0x41, 0x9a]));
        assert_eq!(sets.put_before(&whole), None);
        let mended = sets.put_before(&bare).expect("mended");
        assert_eq!(nal_units(&mended).map(kind).collect::<Vec<_>>(), [SPS, PPS, IDR]);
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
            let _ = pps_is_plain(&unit);
            let _ = nal_units(&unit).count();
        }
        assert_eq!(sps_size(&[]), None);
        assert_eq!(sps_size(&[0x67; 4]), None);
    }
}
