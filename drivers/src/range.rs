//! Brings full-range pictures (JPEG, some Y4M) to the contract's limited range.

use intercom_base::picture::I420;

/// Scales Y 0–255 to 16–235 and U, V 0–255 to 16–240 in place (ITU-T T.871 to BT.601).
pub fn full_to_limited(picture: &mut I420) {
    let [y, u, v] = picture.planes_mut();
    luma(y);
    chroma(u);
    chroma(v);
}

/// The luma part of [`full_to_limited`].
pub fn luma(plane: &mut [u8]) {
    // Sixteen bits are enough for value * 220, so that the compiler can do many pixels at once.
    for value in plane {
        *value = 16 + ((u16::from(*value) * 220 + 128) >> 8) as u8;
    }
}

/// The chroma part of [`full_to_limited`]; 128, no colour, stays 128.
pub fn chroma(plane: &mut [u8]) {
    for value in plane {
        *value = 16 + ((u16::from(*value) * 225) >> 8) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn black_white_and_grey_land_where_limited_range_has_them() {
        let mut plane = [0, 255, 128];
        luma(&mut plane);
        assert_eq!(plane, [16, 235, 126]);
        let mut plane = [0, 255, 128, 64, 192];
        chroma(&mut plane);
        assert_eq!(plane, [16, 240, 128, 72, 184]);
    }
}
