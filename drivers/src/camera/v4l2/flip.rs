//! Turns a picture over where the camera cannot do it itself.

use intercom_base::picture::I420;

/// Which way a picture is turned over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flip {
    /// Left and right change places.
    pub horizontal: bool,
    /// Up and down change places.
    pub vertical: bool,
}

impl Flip {
    /// Turns `picture` over, in place.
    pub fn apply(self, picture: &mut I420) {
        let widths = [picture.width(), picture.chroma_width(), picture.chroma_width()];
        for (plane, width) in picture.planes_mut().into_iter().zip(widths) {
            if self.horizontal {
                plane.chunks_exact_mut(width).for_each(<[u8]>::reverse);
            }
            if self.vertical {
                let rows = plane.len() / width;
                let (upper, lower) = plane.split_at_mut(rows.div_ceil(2) * width);
                // With an odd number of rows the middle one stays; `lower` then is a row shorter than `upper`.
                let pairs = upper.chunks_exact_mut(width).zip(lower.chunks_exact_mut(width).rev());
                pairs.for_each(|(a, b)| a.swap_with_slice(b));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turned(width: usize, height: usize, luma: &[u8], chroma: &[u8], flip: Flip) -> (Vec<u8>, Vec<u8>) {
        let packed = [luma, chroma, chroma].concat();
        let mut picture = I420::from_packed(width, height, packed).expect("the right length");
        flip.apply(&mut picture);
        let [y, u, v] = picture.planes();
        assert_eq!(u, v);
        (y.to_vec(), u.to_vec())
    }

    #[test]
    fn every_plane_is_turned_and_odd_sizes_too() {
        let (luma, chroma) = ([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 3, 4]);
        let both = Flip { horizontal: true, vertical: true };
        for (flip, y, u) in [
            (Flip::default(), luma, chroma),
            (Flip { horizontal: true, vertical: false }, [3, 2, 1, 6, 5, 4, 9, 8, 7], [2, 1, 4, 3]),
            (Flip { horizontal: false, vertical: true }, [7, 8, 9, 4, 5, 6, 1, 2, 3], [3, 4, 1, 2]),
            (both, [9, 8, 7, 6, 5, 4, 3, 2, 1], [4, 3, 2, 1]),
        ] {
            assert_eq!(turned(3, 3, &luma, &chroma, flip), (y.to_vec(), u.to_vec()), "{flip:?}");
        }
        assert_eq!(turned(2, 1, &[1, 2], &[7], both), (vec![2, 1], vec![7]));
        assert_eq!(turned(1, 4, &[1, 2, 3, 4], &[7, 8], both), (vec![4, 3, 2, 1], vec![8, 7]));
    }
}
