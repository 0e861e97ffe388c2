//! Real footage with the coded strip over its top: the camera of both peers, and what they show is compared with.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::ssim::Luma;

/// Of the films, which are raw I420.
pub const SIZE: (u32, u32) = (1280, 720);
const WIDTH: usize = SIZE.0 as usize;
const HEIGHT: usize = SIZE.1 as usize;
const PICTURE: usize = WIDTH * HEIGHT * 3 / 2;
/// Frames a second.
pub const RATE: u64 = 30;
/// So many frames of one film, then as many of the other.
const TURN: u64 = 256;
/// Until all begins again. The strip's number begins again at a multiple of it, and so tells which frame it is.
pub const LOOP: u64 = 2 * TURN;
const CELLS: usize = 40;

/// The films, as `yardstick/prepare` makes them.
pub struct Footage {
    films: Vec<(File, u64)>,
}

impl Footage {
    /// From a folder.
    pub fn open(folder: &Path) -> io::Result<Footage> {
        let open = |name: &str| {
            let file = File::open(folder.join(name))?;
            let frames = file.metadata()?.len() / PICTURE as u64;
            if frames < 2 { Err(io::Error::other(format!("{name} is no film"))) } else { Ok((file, frames)) }
        };
        Ok(Footage { films: ["carphone_pristine.yuv", "bikes.yuv"].map(open).into_iter().collect::<Result<_, _>>()? })
    }

    fn read(&self, number: u64, into: &mut [u8]) -> io::Result<()> {
        let (file, frames) = &self.films[(number / TURN % 2) as usize];
        file.read_exact_at(into, to_and_fro(number % TURN, *frames) * PICTURE as u64)
    }

    /// The luma of the frame with this number, without a strip.
    pub fn luma(&self, number: u64) -> io::Result<Luma> {
        let mut pixels = vec![0; WIDTH * HEIGHT];
        self.read(number, &mut pixels)?;
        Ok(Luma { width: WIDTH, height: HEIGHT, pixels })
    }
}

/// Which frame of a film comes at `number`: a film that ends runs backwards, for a jump back would be one more cut.
fn to_and_fro(number: u64, frames: u64) -> u64 {
    let at = number % (2 * frames - 2);
    if at < frames { at } else { 2 * frames - 2 - at }
}

/// `--footage-camera FOLDER`: writes Y4M in real time until nobody reads it. Frames that a reader was too slow for are left
/// out, and their numbers with them.
pub fn camera(folder: &str) -> io::Result<()> {
    let footage = Footage::open(Path::new(folder))?;
    let mut out = io::stdout().lock();
    writeln!(out, "YUV4MPEG2 W{WIDTH} H{HEIGHT} F{RATE}:1 Ip A1:1 C420mpeg2 XCOLORRANGE=LIMITED")?;
    let begin = Instant::now();
    let mut picture = vec![0; PICTURE];
    let mut number = 0;
    loop {
        footage.read(number, &mut picture)?;
        draw_strip(&mut picture, unix_ms() as u64, number);
        out.write_all(b"FRAME\n")?;
        out.write_all(&picture)?;
        let due = (begin.elapsed().as_secs_f64() * RATE as f64) as u64;
        number = due.max(number + 1);
        let next = begin + Duration::from_secs_f64(number as f64 / RATE as f64);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// See the test card's strip, which this is another writing of.
fn draw_strip(picture: &mut [u8], at: u64, number: u64) {
    let message = (((at & 0xfff_ffff_ffff) << 12) | (number % 4096)).to_be_bytes();
    let mut bytes = [0; 9];
    bytes[..7].copy_from_slice(&message[1..]);
    let check = crc(&bytes[..7]).to_be_bytes();
    bytes[7..].copy_from_slice(&check);
    let cell = WIDTH / CELLS;
    for (y, line) in picture.chunks_exact_mut(WIDTH).take(2 * cell).enumerate() {
        for (x, pixel) in line.iter_mut().enumerate() {
            let (row, column) = (y / cell, x / cell);
            let one = match column.checked_sub(4) {
                None => (row + column) % 2 == 0,
                Some(bit) => bytes[(row * 36 + bit) / 8] >> (7 - (row * 36 + bit) % 8) & 1 == 1,
            };
            *pixel = if one { 235 } else { 16 };
        }
    }
    for plane in picture[WIDTH * HEIGHT..].chunks_exact_mut(WIDTH * HEIGHT / 4) {
        plane[..cell * WIDTH / 2].fill(128);
    }
}

/// CRC-16/CCITT-FALSE.
fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |crc, &byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| if crc & 0x8000 != 0 { crc << 1 ^ 0x1021 } else { crc << 1 })
    })
}

/// When a picture was drawn, in ms of UNIX time, and its number, out of the strip at the top of its luma.
pub fn read_strip(luma: &[u8], width: usize) -> Option<(u64, u64)> {
    let mean = |row: usize, column: usize| {
        let span = |n: usize| {
            let (from, to) = (n * width / CELLS, (n + 1) * width / CELLS);
            let quarter = (to - from) / 4;
            from + quarter..to - quarter
        };
        let pixels = span(row).flat_map(|y| span(column).map(move |x| u32::from(luma[y * width + x])));
        let (sum, count) = pixels.fold((0, 0), |(sum, count), pixel| (sum + pixel, count + 1));
        sum / count.max(1)
    };
    let sync: Vec<u32> = (0..8).map(|n| mean(n / 4, n % 4)).collect();
    let ones = [0, 2, 5, 7].map(|n| sync[n]).iter().sum::<u32>() / 4;
    let zeros = [1, 3, 4, 6].map(|n| sync[n]).iter().sum::<u32>() / 4;
    if ones < zeros + 64 {
        return None;
    }
    let mut bytes = [0u8; 9];
    for n in 0..72 {
        let bit = mean(n / 36, 4 + n % 36) > (ones + zeros) / 2;
        bytes[n / 8] |= u8::from(bit) << (7 - n % 8);
    }
    let value = bytes[..7].iter().fold(0u64, |value, &byte| value << 8 | u64::from(byte));
    (crc(&bytes[..7]).to_be_bytes() == bytes[7..]).then_some((value >> 12, value & 4095))
}

/// Now, as the strip has it, and more exactly.
pub fn unix_ms() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |t| t.as_secs_f64() * 1000.0)
}
