//! What cameras the kernel has, and what each offers: for the doctor.

use std::path::Path;

use v4l::device::Device;
use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::FrameSizeEnum;
use v4l::video::Capture;
use v4l::{FourCC, Fraction};

use super::find;
use crate::contract::{Fault, Sighting};

/// Every node that is a camera, or that may be one but cannot be asked.
pub fn survey() -> Vec<Sighting> {
    find::paths(find::AUTO).unwrap_or_default().iter().filter_map(|path| look(path)).collect()
}

/// `None` for the nodes beside a camera's, which carry its metadata, and for those that play or encode.
fn look(path: &Path) -> Option<Sighting> {
    let device = path.display().to_string();
    let seen = Sighting { device, nodes: vec![path.to_owned()], ..Sighting::default() };
    match find::ask(path) {
        Ok((device, identity)) if identity.captures => {
            let fault = find::open(path).err().map(Fault::Failed);
            Some(Sighting { name: identity.card, modes: modes(&device), fault, ..seen })
        }
        Ok(_) => None,
        Err(error) => Some(Sighting { fault: Some(Fault::Failed(error)), ..seen }),
    }
}

fn modes(device: &Device) -> Vec<String> {
    let mut all = Vec::new();
    for format in device.enum_formats().unwrap_or_default() {
        for size in device.enum_framesizes(format.fourcc).unwrap_or_default() {
            let (width, height, range) = match size.size {
                FrameSizeEnum::Discrete(size) => (size.width, size.height, None),
                FrameSizeEnum::Stepwise(range) => {
                    (range.max_width, range.max_height, Some((range.min_width, range.min_height)))
                }
            };
            all.push(in_words(
                format.fourcc.repr,
                range,
                (width, height),
                &rates(device, format.fourcc, width, height),
            ));
        }
    }
    all
}

/// Frames a second, the most first; of a range its ends.
fn rates(device: &Device, code: FourCC, width: u32, height: u32) -> Vec<f64> {
    let rate = |interval: Fraction| f64::from(interval.denominator) / f64::from(interval.numerator.max(1));
    let offered = device.enum_frameintervals(code, width, height).unwrap_or_default();
    let each = offered.into_iter().flat_map(|offer| match offer.interval {
        FrameIntervalEnum::Discrete(one) => vec![rate(one)],
        FrameIntervalEnum::Stepwise(range) => vec![rate(range.min), rate(range.max)],
    });
    let mut rates: Vec<f64> = each.collect();
    rates.sort_by(|a, b| b.total_cmp(a));
    rates
}

/// E.g. `YUYV 640x480 at 30, 15 fps`, or `NV12 32x32 to 2592x1944`.
fn in_words(code: [u8; 4], smallest: Option<(u32, u32)>, size: (u32, u32), rates: &[f64]) -> String {
    let code = String::from_utf8_lossy(&code).trim().to_owned();
    let from = smallest.map(|(width, height)| format!("{width}x{height} to ")).unwrap_or_default();
    let mut words: Vec<String> = rates.iter().map(|rate| ((rate * 100.0).round() / 100.0).to_string()).collect();
    words.dedup();
    let rates = if words.is_empty() { String::new() } else { format!(" at {} fps", words.join(", ")) };
    format!("{code} {from}{}x{}{rates}", size.0, size.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_told_as_people_say_them() {
        assert_eq!(in_words(*b"YUYV", None, (640, 480), &[30.0, 29.97, 15.0]), "YUYV 640x480 at 30, 29.97, 15 fps");
        assert_eq!(in_words(*b"NV12", Some((32, 32)), (2592, 1944), &[]), "NV12 32x32 to 2592x1944");
        assert_eq!(in_words(*b"Y16 ", None, (8, 8), &[30.000_01, 30.0]), "Y16 8x8 at 30 fps");
    }

    #[test]
    fn what_cannot_be_opened_is_told_and_what_is_no_camera_is_told_as_such() {
        let seen = look(Path::new("/dev/no-such-video")).expect("it may be a camera");
        assert!(matches!(seen.fault, Some(Fault::Failed(_))) && seen.device == "/dev/no-such-video");
        assert!(look(Path::new("/dev/null")).is_some_and(|seen| seen.fault.is_some()));
    }
}
