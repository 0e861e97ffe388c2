//! Chooses among what a camera offers: the mode nearest to the wanted size and rate.

use crate::contract::VideoMode;

/// Pixel formats that are understood, the one that costs least to convert first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PixelFormat {
    /// Planar luma, interleaved chroma, 4:2:0.
    Nv12,
    /// Packed 4:2:2.
    Yuyv,
    /// A JPEG for each frame.
    Mjpeg,
    /// The camera's own encoder; passed on as it is.
    H264,
}

impl PixelFormat {
    /// All of them with the word for the config and the kernel's codes.
    pub const ALL: [(PixelFormat, &'static str, &'static [&'static [u8; 4]]); 4] = [
        (PixelFormat::Nv12, "nv12", &[b"NV12"]),
        (PixelFormat::Yuyv, "yuyv", &[b"YUYV"]),
        (PixelFormat::Mjpeg, "mjpeg", &[b"MJPG", b"JPEG"]),
        (PixelFormat::H264, "h264", &[b"H264"]),
    ];
}

/// One mode that a camera offers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// How the pixels come.
    pub format: PixelFormat,
    /// The kernel's code for it.
    pub code: [u8; 4],
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Time between frames in seconds, as a fraction.
    pub interval: (u32, u32),
}

impl Candidate {
    /// Frames a second.
    pub fn rate(&self) -> f64 {
        f64::from(self.interval.1) / f64::from(self.interval.0.max(1))
    }
}

/// The candidate that serves `wanted` best; `None` only if there are none.
pub fn choose(candidates: &[Candidate], wanted: &VideoMode) -> Option<Candidate> {
    let cost = |candidate: &&Candidate| cost(candidate, wanted);
    candidates.iter().min_by(|a, b| cost(a).total_cmp(&cost(b))).copied()
}

/// How badly a mode serves, in about the same unit for everything: the logarithm of what is missing, where missing
/// pixels weigh more than spare ones, which are scaled down, and missing frames more than spare ones, which are skipped.
fn cost(candidate: &Candidate, wanted: &VideoMode) -> f64 {
    let (width, height) = (f64::from(candidate.width.max(1)), f64::from(candidate.height.max(1)));
    let (wanted_width, wanted_height) = (f64::from(wanted.width.max(1)), f64::from(wanted.height.max(1)));
    let size = ((width * height) / (wanted_width * wanted_height)).sqrt().ln();
    let shape = ((width / height) / (wanted_width / wanted_height)).ln().abs();
    // 29.97 is as good as 30.
    let rate = match (candidate.rate().max(0.01) / wanted.rate.max(0.01)).ln() {
        near if near.abs() < 0.02 => 0.0,
        other => other,
    };
    let conversion = match candidate.format {
        PixelFormat::Nv12 => 0.0,
        PixelFormat::Yuyv => 0.01,
        PixelFormat::Mjpeg => 0.05,
        // Nothing is left to do.
        PixelFormat::H264 => -0.01,
    };
    (if size < 0.0 { -4.0 * size } else { size })
        + 1.5 * shape
        + (if rate < 0.0 { -3.0 * rate } else { 0.2 * rate })
        + conversion
}

impl Candidate {
    /// Whether it is just what is wanted, so that what the camera encoded can be passed on.
    pub fn is_exactly(&self, wanted: &VideoMode) -> bool {
        let rate = (self.rate().max(0.01) / wanted.rate.max(0.01)).ln();
        (self.width, self.height) == (wanted.width, wanted.height) && rate.abs() < 0.02
    }
}

/// The number nearest to `wanted` that lies on the steps from `low` to `high`.
pub fn on_steps(wanted: u32, low: u32, high: u32, step: u32) -> u32 {
    let step = step.max(1);
    let high = high.max(low);
    let above = wanted.clamp(low, high) - low;
    let below = low + above / step * step;
    // The step above is nearer, if there is one.
    if above % step > step / 2 && step <= high - below { below + step } else { below }
}

/// The frame interval for `rate`, held between the shortest and the longest that are offered.
pub fn interval_within(rate: f64, shortest: (u32, u32), longest: (u32, u32)) -> (u32, u32) {
    let seconds = |(over, under): (u32, u32)| f64::from(over) / f64::from(under.max(1));
    let wanted = ((1000u32), (rate * 1000.0).round().clamp(1.0, 4e9) as u32);
    if seconds(wanted) < seconds(shortest) {
        shortest
    } else if seconds(wanted) > seconds(longest) && seconds(longest) > 0.0 {
        longest
    } else {
        wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use PixelFormat::{Mjpeg, Nv12, Yuyv};

    fn mode(format: PixelFormat, width: u32, height: u32, fps: u32) -> Candidate {
        Candidate { format, code: *b"TEST", width, height, interval: (1, fps) }
    }

    fn wanted(width: u32, height: u32, rate: f64) -> VideoMode {
        VideoMode { width, height, rate }
    }

    /// What a common USB 2 webcam offers.
    fn webcam() -> Vec<Candidate> {
        vec![
            mode(Yuyv, 640, 480, 30),
            mode(Yuyv, 640, 480, 15),
            mode(Yuyv, 1280, 720, 10),
            mode(Yuyv, 1920, 1080, 5),
            mode(Mjpeg, 640, 480, 30),
            mode(Mjpeg, 1280, 720, 30),
            mode(Mjpeg, 1280, 720, 60),
            mode(Mjpeg, 1920, 1080, 30),
        ]
    }

    #[test]
    fn a_webcam_gives_raw_pixels_where_it_can_and_jpeg_where_raw_is_too_slow() {
        assert_eq!(choose(&webcam(), &wanted(640, 480, 30.0)), Some(mode(Yuyv, 640, 480, 30)));
        assert_eq!(choose(&webcam(), &wanted(1280, 720, 30.0)), Some(mode(Mjpeg, 1280, 720, 30)));
        assert_eq!(choose(&webcam(), &wanted(1920, 1080, 29.97)), Some(mode(Mjpeg, 1920, 1080, 30)));
        assert_eq!(choose(&webcam(), &wanted(1280, 720, 60.0)), Some(mode(Mjpeg, 1280, 720, 60)));
        assert_eq!(choose(&webcam(), &wanted(1280, 720, 10.0)), Some(mode(Yuyv, 1280, 720, 10)));
    }

    #[test]
    fn the_right_shape_and_a_larger_picture_win_over_a_smaller_one() {
        let offers = [mode(Yuyv, 640, 480, 30), mode(Yuyv, 1280, 720, 30)];
        assert_eq!(choose(&offers, &wanted(960, 540, 30.0)), Some(offers[1]));
        let offers = [mode(Yuyv, 800, 600, 30), mode(Yuyv, 848, 480, 30)];
        assert_eq!(choose(&offers, &wanted(854, 480, 30.0)), Some(offers[1]));
    }

    #[test]
    fn smooth_and_small_is_better_than_a_slide_show() {
        let offers = [mode(Yuyv, 640, 480, 30), mode(Yuyv, 1280, 720, 5)];
        assert_eq!(choose(&offers, &wanted(1280, 720, 30.0)), Some(offers[0]));
    }

    #[test]
    fn the_cheapest_conversion_wins_a_tie_and_nonsense_is_survived() {
        let offers = [mode(Mjpeg, 640, 480, 30), mode(Yuyv, 640, 480, 30), mode(Nv12, 640, 480, 30)];
        assert_eq!(choose(&offers, &wanted(640, 480, 30.0)), Some(offers[2]));
        assert_eq!(choose(&[], &wanted(640, 480, 30.0)), None);
        let nonsense = Candidate { interval: (0, 0), ..mode(Yuyv, 0, 0, 1) };
        assert_eq!(choose(&[nonsense, offers[0]], &wanted(640, 480, 30.0)), Some(offers[0]));
        assert!(choose(&[nonsense], &wanted(0, 0, 0.0)).is_some());
    }

    #[test]
    fn steps_and_intervals_stay_within_what_is_offered() {
        assert_eq!(on_steps(1280, 32, 2592, 2), 1280);
        assert_eq!(on_steps(1281, 32, 2592, 16), 1280);
        assert_eq!(on_steps(9999, 32, 1000, 16), 992);
        assert_eq!(on_steps(1, 32, 1000, 16), 32);
        assert_eq!(on_steps(5, 10, 3, 0), 10);
        assert_eq!(on_steps(u32::MAX, 0, u32::MAX, u32::MAX), u32::MAX);
        assert_eq!(interval_within(30.0, (1, 60), (1, 1)), (1000, 30_000));
        assert_eq!(interval_within(90.0, (1, 60), (1, 1)), (1, 60));
        assert_eq!(interval_within(0.5, (1, 60), (1, 1)), (1, 1));
        assert_eq!(interval_within(30.0, (0, 0), (0, 0)), (1000, 30_000));
    }
}
