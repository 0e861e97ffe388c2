//! Quantities with their units, so that no bare number crosses a wall.

use std::fmt;
use std::time::{Duration, Instant};

/// Bits a second.
#[derive(Default, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bitrate(u64);

impl Bitrate {
    /// From kilobits (1000 bits) a second.
    pub const fn from_kbps(kbps: u64) -> Bitrate {
        Bitrate(kbps * 1000)
    }

    /// From bits a second.
    pub const fn from_bps(bps: u64) -> Bitrate {
        Bitrate(bps)
    }

    /// Bits a second.
    pub const fn bps(self) -> u64 {
        self.0
    }

    /// Kilobits a second, rounded down.
    pub const fn kbps(self) -> u64 {
        self.0 / 1000
    }

    /// This rate times `percent` / 100.
    pub const fn percent(self, percent: u64) -> Bitrate {
        Bitrate(self.0 * percent / 100)
    }

    /// This rate less `other`, at least zero.
    pub const fn less(self, other: Bitrate) -> Bitrate {
        Bitrate(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Bitrate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} kbit/s", self.kbps())
    }
}

/// Frames a second, kept as thousandths so that 29.97 is exact enough and the type is `Eq`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameRate(u32);

impl FrameRate {
    /// So many frames a second, at least one.
    pub const fn from_whole(fps: u16) -> FrameRate {
        FrameRate(if fps == 0 { 1000 } else { fps as u32 * 1000 })
    }

    /// From frames a second.
    pub fn from_fps(fps: f64) -> FrameRate {
        FrameRate((fps * 1000.0).round().max(1.0) as u32)
    }

    /// Frames a second.
    pub fn fps(self) -> f64 {
        f64::from(self.0) / 1000.0
    }

    /// Time from one frame to the next.
    pub fn period(self) -> Duration {
        Duration::from_nanos(1_000_000_000_000 / u64::from(self.0))
    }
}

/// Ticks a second of the RTP clock of all video (RFC 6184 section 8.2.1).
pub const VIDEO_CLOCK: u64 = 90_000;

/// Ticks a second of the RTP clock of Opus (RFC 7587 section 4.1), and the rate of all sound inside.
pub const AUDIO_CLOCK: u64 = 48_000;

/// A point on a media clock: ticks and rate together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaTime {
    /// Ticks since the clock's origin; never wraps inside, RTP takes the low 32 bits.
    pub ticks: u64,
    /// Ticks a second.
    pub rate: u64,
}

impl MediaTime {
    /// The instant `at` on a clock of `rate` ticks a second whose zero is `origin` (earlier instants are zero).
    pub fn at(at: Instant, origin: Instant, rate: u64) -> MediaTime {
        let since = at.saturating_duration_since(origin);
        let ticks = (since.as_nanos() * u128::from(rate) / 1_000_000_000) as u64;
        MediaTime { ticks, rate }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_periods() {
        assert_eq!(FrameRate::from_fps(30.0).period(), Duration::from_nanos(33_333_333));
        assert!((FrameRate::from_fps(29.97).fps() - 29.97).abs() < 1e-9);
        assert_eq!(Bitrate::from_kbps(1500).percent(50).kbps(), 750);
    }

    #[test]
    fn media_time_counts_from_its_origin() {
        let origin = Instant::now();
        let t = MediaTime::at(origin + Duration::from_millis(500), origin, VIDEO_CLOCK);
        assert_eq!(t.ticks, 45_000);
        assert_eq!(MediaTime::at(origin, origin + Duration::from_secs(1), AUDIO_CLOCK).ticks, 0);
    }
}
