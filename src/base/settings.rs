//! Settings that more than one room needs, as they stand in the config. Each names its key, unit and default.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::units::{Bitrate, FrameRate};

/// One encoding of the camera.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rung {
    /// `width` in pixels, even, 160–1920. Default 1280 (reduced: 320).
    pub width: u32,
    /// `height` in pixels, even, 90–1080. Default 720 (reduced: 180).
    pub height: u32,
    /// `fps`, 1–60. Default 30.
    pub rate: FrameRate,
    /// `floor_kbps`: what the size needs. Default 1000 (reduced: 60).
    pub floor: Bitrate,
    /// `max_kbps`: never above this. Default 2500 (reduced: 400).
    pub max: Bitrate,
}

/// `[audio]`
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AudioSettings {
    /// `bitrate_kbps` of Opus, 12–128. Default 32.
    pub bitrate: Bitrate,
    /// `echo_cancellation`: what the speaker plays is taken out of what the microphone hears. Default true.
    pub echo_cancellation: bool,
    /// `noise_suppression`. Default moderate.
    pub noise_suppression: NoiseSuppression,
    /// `gain_control`: anyone who speaks far away is made louder, anyone who shouts is not clipped. Default true.
    pub gain_control: bool,
    /// `max_gain_db`: louder by this at most, 0–40. Default 24.
    pub max_gain_db: f32,
    /// `hear_each_other`: viewers hear home and the other viewers, not home alone. Default true.
    pub hear_each_other: bool,
}

/// How much of a steady noise is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoiseSuppression {
    /// Nothing.
    Off,
    /// About 6 dB.
    Low,
    /// About 12 dB.
    Moderate,
    /// About 18 dB.
    High,
}

/// How the outside reaches the router's forwarded port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicAddress {
    /// IP address (without brackets) or host name. Only an IP address becomes an ICE candidate: nothing is resolved.
    pub host: String,
    /// Port, our own if not said.
    pub port: u16,
}

impl PublicAddress {
    /// The socket address, if the host is an IP address.
    pub fn socket(&self) -> Option<SocketAddr> {
        self.host.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, self.port))
    }
}

/// `host:port` as it stands in a link, an IPv6 address in brackets.
impl fmt::Display for PublicAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}
