//! The extension unit of a USB webcam that encodes H.264 (USB Device Class Definition for Video Devices: H.264 Payload 1.0):
//! where it is among the webcam's descriptors, and the bytes of what is asked of it.

/// Its name, {A29E7641-DE04-47E3-8B2B-F4341AFF003B}, as USB sends it.
pub const GUID: [u8; 16] =
    [0x41, 0x76, 0x9E, 0xA2, 0x04, 0xDE, 0xE3, 0x47, 0x8B, 0x2B, 0xF4, 0x34, 0x1A, 0xFF, 0x00, 0x3B];

/// UVCX_VIDEO_CONFIG_PROBE: how it would encode.
pub const CONFIG_PROBE: u8 = 1;
/// UVCX_VIDEO_CONFIG_COMMIT: encode so.
pub const CONFIG_COMMIT: u8 = 2;
/// UVCX_PICTURE_TYPE_CONTROL: what the next picture shall be.
pub const PICTURE_TYPE: u8 = 9;
/// UVCX_BITRATE_LAYERS: peak and average.
pub const BITRATE: u8 = 14;

/// Bytes of a configuration.
pub const CONFIG_BYTES: usize = 46;

/// A keyframe (IDR) with its parameter sets, of all layers that there are: layer and kind of picture.
pub const NEXT_IS_KEYFRAME: [u8; 4] = [0, 0, 2, 0];

/// The number of the unit, among the descriptors of a USB device as the kernel shows them in `descriptors`; only units of the
/// interface numbered `interface` are of this camera.
pub fn find(descriptors: &[u8], interface: u8) -> Option<u8> {
    let mut rest = descriptors;
    let mut inside = false;
    while let [length, kind, ..] = *rest {
        let length = usize::from(length);
        if length < 2 || length > rest.len() {
            return None;
        }
        let (descriptor, after) = rest.split_at(length);
        match (kind, descriptor) {
            // An interface, of the video class's controls.
            (4, [_, _, number, _, _, class, subclass, ..]) => {
                inside = (*number, *class, *subclass) == (interface, 0x0E, 1);
            }
            // VC_EXTENSION_UNIT
            (0x24, [_, _, 6, unit, name @ ..]) if inside && name.starts_with(&GUID) => return Some(*unit),
            _ => {}
        }
        rest = after;
    }
    None
}

/// What is wished of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// Time between frames, in units of 100 ns.
    pub interval: u32,
    /// Bits a second.
    pub bitrate: u32,
}

/// Changes the configuration that a webcam has so that its stream suits WebRTC: constrained baseline without reordering,
/// as bare H.264 in Annex B form, with keyframes when they are asked for. What does not concern that stays as it is.
pub fn configure(config: &mut [u8; CONFIG_BYTES], wish: Wish) {
    const RESOLUTION: u16 = 0x0001;
    const PROFILE: u16 = 0x0002;
    const USAGE: u16 = 0x0008;
    const FRAME_INTERVAL: u16 = 0x0800;
    const BIT_RATE: u16 = 0x2000;
    const ENTROPY: u16 = 0x4000;
    let hints = RESOLUTION | PROFILE | USAGE | FRAME_INTERVAL | BIT_RATE | ENTROPY;
    let mut set = |at: usize, bytes: &[u8]| config[at..at + bytes.len()].copy_from_slice(bytes);
    set(0, &wish.interval.to_le_bytes());
    set(4, &wish.bitrate.to_le_bytes());
    set(8, &hints.to_le_bytes());
    set(12, &wish.width.to_le_bytes());
    set(14, &wish.height.to_le_bytes());
    // Slices: one a picture, which is what needs the fewest bits.
    set(16, &[0; 4]);
    // Constrained baseline.
    set(20, &0x4240u16.to_le_bytes());
    // In real time.
    set(28, &[1]);
    // Mixed into nothing, in Annex B form, without CABAC, without times within, without reordering.
    set(33, &[0; 5]);
}

/// The request for so many bits a second on average, with some room above for keyframes.
pub fn bitrate(bits_per_second: u64) -> [u8; 10] {
    let average = u32::try_from(bits_per_second).unwrap_or(u32::MAX);
    let peak = u32::try_from(bits_per_second.saturating_mul(5) / 4).unwrap_or(u32::MAX);
    let mut bytes = [0; 10];
    bytes[2..6].copy_from_slice(&peak.to_le_bytes());
    bytes[6..].copy_from_slice(&average.to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(number: u8, guid: [u8; 16]) -> Vec<u8> {
        [&[28, 0x24, 6, number], guid.as_slice(), &[15, 1, 2, 2, 0xFF, 0x7F, 0, 0]].concat()
    }

    fn interface(number: u8, subclass: u8) -> Vec<u8> {
        vec![9, 4, number, 0, 0, 0x0E, subclass, 0, 0]
    }

    #[test]
    fn the_unit_is_found_in_its_own_interface_only() {
        let device = vec![18, 1, 0, 2, 0xEF, 2, 1, 64, 0x6D, 4, 0x2D, 8, 0, 0, 0, 2, 1, 1];
        let other = [7; 16];
        let all = [device, interface(0, 1), unit(3, other), unit(12, GUID), interface(1, 2), interface(4, 1)].concat();
        assert_eq!(find(&all, 0), Some(12));
        assert_eq!(find(&all, 4), None);
        assert_eq!(find(&[all, unit(5, GUID)].concat(), 4), Some(5));
    }

    #[test]
    fn nonsense_among_descriptors_is_survived() {
        for bytes in [&[][..], &[9], &[0, 4], &[1, 4, 0, 0], &[200, 4, 0], &[4, 0x24, 6, 1], &[3, 4, 0]] {
            assert_eq!(find(bytes, 0), None);
        }
        let good = [interface(0, 1), unit(12, GUID)].concat();
        for at in 0..good.len() {
            let _ = find(&good[..at], 0);
            for value in 0..=255 {
                let mut bytes = good.clone();
                bytes[at] = value;
                let _ = find(&bytes, 0);
            }
        }
    }

    #[test]
    fn a_configuration_keeps_what_it_is_not_about() {
        let mut config = [0xAA; CONFIG_BYTES];
        configure(&mut config, Wish { width: 1280, height: 720, interval: 333_333, bitrate: 2_500_000 });
        assert_eq!(config[..4], 333_333u32.to_le_bytes());
        assert_eq!(config[12..16], [0, 5, 0xD0, 2]);
        assert_eq!(config[20..22], [0x40, 0x42]);
        assert_eq!(config[33..38], [0; 5], "no CABAC, no reordering");
        assert_eq!((config[10], config[22], config[45]), (0xAA, 0xAA, 0xAA));
    }

    #[test]
    fn bitrates_are_peak_and_average() {
        let bytes = bitrate(2_000_000);
        assert_eq!(bytes[2..6], 2_500_000u32.to_le_bytes());
        assert_eq!(bytes[6..], 2_000_000u32.to_le_bytes());
        assert_eq!(bitrate(u64::MAX)[2..], [0xFF; 8]);
    }
}
