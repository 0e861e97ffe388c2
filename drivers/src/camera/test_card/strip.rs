//! The coded strip, version 1: capture time and number in the picture's top rows, readable after encoding.
//!
//! Two rows of 40 cells over the full width, white is 1. The first four cells of each row are for
//! synchronisation (1010 and 0101); the other 72 bits are 44 bits of UNIX time in ms, 12 bits of sequence number and
//! their CRC-16, most significant bit first.

use intercom_base::picture::I420;

const CELLS: usize = 40;
const WHITE: u8 = 235;
const BLACK: u8 = 16;

/// Rows of luma that the strip covers in a picture of this width.
pub fn rows(width: usize) -> usize {
    2 * width / CELLS
}

/// Draws the strip over the top of `picture`.
pub fn draw(picture: &mut I420, unix_ms: u64, sequence: u64) {
    let (width, height) = (picture.width(), picture.height());
    let chroma_width = picture.chroma_width();
    let cells = cells(unix_ms, sequence);
    let [y, u, v] = picture.planes_mut();
    for (row, bits) in cells.iter().enumerate() {
        let top = row * width / CELLS;
        let bottom = ((row + 1) * width / CELLS).min(height);
        if top >= bottom {
            continue;
        }
        let (first, rest) = y[top * width..bottom * width].split_at_mut(width);
        for (cell, &bit) in bits.iter().enumerate() {
            first[cell * width / CELLS..(cell + 1) * width / CELLS].fill(if bit { WHITE } else { BLACK });
        }
        for line in rest.chunks_exact_mut(width) {
            line.copy_from_slice(first);
        }
    }
    let chroma = (rows(width).div_ceil(2) * chroma_width).min(u.len());
    u[..chroma].fill(128);
    v[..chroma].fill(128);
}

fn cells(unix_ms: u64, sequence: u64) -> [[bool; CELLS]; 2] {
    let bytes = message(unix_ms, sequence);
    let mut cells = [[false; CELLS]; 2];
    for (row, cells) in cells.iter_mut().enumerate() {
        for (n, cell) in cells.iter_mut().enumerate() {
            *cell = match n.checked_sub(4) {
                None => (n + row) % 2 == 0,
                Some(n) => {
                    let bit = row * 36 + n;
                    bytes[bit / 8] & (0x80 >> (bit % 8)) != 0
                }
            };
        }
    }
    cells
}

fn message(unix_ms: u64, sequence: u64) -> [u8; 9] {
    let payload = (unix_ms & ((1 << 44) - 1)) << 12 | sequence & 0xfff;
    let mut bytes = [0; 9];
    bytes[..7].copy_from_slice(&payload.to_be_bytes()[1..]);
    let crc = crc16(&bytes[..7]);
    bytes[7..].copy_from_slice(&crc.to_be_bytes());
    bytes
}

/// CRC-16/CCITT-FALSE.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |crc, &byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| if crc & 0x8000 != 0 { crc << 1 ^ 0x1021 } else { crc << 1 })
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Reads a strip as the page does; `None` if it is not readable.
    pub(crate) fn read(picture: &I420) -> Option<(u64, u64)> {
        let width = picture.width();
        let luma = picture.planes()[0];
        let mean = |row: usize, cell: usize| {
            let span = |n: usize| {
                let (from, to) = (n * width / CELLS, (n + 1) * width / CELLS);
                from + (to - from) / 4..to - (to - from) / 4
            };
            let (mut sum, mut count) = (0, 0);
            for y in span(row) {
                for x in span(cell) {
                    sum += u32::from(luma[y * width + x]);
                    count += 1;
                }
            }
            sum / count
        };
        let (mut high, mut low) = (0, 0);
        for (row, cell) in (0..2).flat_map(|row| (0..4).map(move |cell| (row, cell))) {
            *(if (row + cell) % 2 == 0 { &mut high } else { &mut low }) += mean(row, cell) / 4;
        }
        if high < low + 64 {
            return None;
        }
        let bit = |row, cell| mean(row, cell) > (high + low) / 2;
        if !(0..2).all(|row| (0..4).all(|cell| bit(row, cell) == ((row + cell) % 2 == 0))) {
            return None;
        }
        let mut bytes = [0u8; 9];
        for n in 0..72 {
            bytes[n / 8] |= u8::from(bit(n / 36, 4 + n % 36)) << (7 - n % 8);
        }
        if crc16(&bytes[..7]).to_be_bytes() != bytes[7..] {
            return None;
        }
        let mut payload = [0u8; 8];
        payload[1..].copy_from_slice(&bytes[..7]);
        let payload = u64::from_be_bytes(payload);
        Some((payload >> 12, payload & 0xfff))
    }

    #[test]
    fn the_published_test_vector() {
        assert_eq!(crc16(b"123456789"), 0x29B1);
        assert_eq!(message(1_790_000_000_000, 0x5A3), [0x1a, 0x0c, 0x45, 0x06, 0xc0, 0x05, 0xa3, 0x77, 0x35]);
        let text = cells(1_790_000_000_000, 0x5A3).map(|row| row.map(|bit| if bit { '1' } else { '0' }));
        assert_eq!(String::from_iter(text[0]), "1010000110100000110001000101000001101100");
        assert_eq!(String::from_iter(text[1]), "0101000000000101101000110111011100110101");
    }

    #[test]
    fn what_is_drawn_is_read_at_every_size() {
        for (width, height) in [(160, 90), (320, 240), (640, 480), (641, 361), (1280, 720), (1920, 1080)] {
            let mut picture = I420::black(width, height);
            picture.packed_mut().fill(77);
            draw(&mut picture, 1_790_000_000_123, 4097);
            assert_eq!(read(&picture), Some((1_790_000_000_123, 1)), "{width}x{height}");
            let [y, u, _] = picture.planes();
            assert!(y[rows(width) * width..].iter().all(|&v| v == 77), "nothing below the strip is touched");
            assert!(u[..rows(width).div_ceil(2) * picture.chroma_width()].iter().all(|&v| v == 128));
        }
    }

    #[test]
    fn a_picture_too_low_for_the_strip_is_not_overrun() {
        draw(&mut I420::black(4096, 3), 1, 1);
    }
}
