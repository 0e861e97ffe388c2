//! TOML → typed settings. Every error names file, line or key, what is allowed and the nearest right spelling.

use std::path::PathBuf;

use intercom_drivers::contract::{BoxedOpener, CaptureAudio, CaptureVideo, Display, PlayAudio};

use crate::units::{Bitrate, FrameRate};

/// Everything that `etc/intercom.toml` says, checked.
pub struct Config {
    /// `[home]`
    pub home: Home,
    /// `[network]`
    pub network: Network,
    /// `[tls]`
    pub tls: Option<TlsFiles>,
    /// `[video]`: the full rung.
    pub full: Rung,
    /// `[video.reduced]`: for viewers below the full rung's floor.
    pub reduced: Rung,
    /// `[audio]`
    pub audio: Audio,
    /// `[tv]`
    pub tv: Tv,
    /// `[log] level`
    pub log_level: log::LevelFilter,
    /// `[camera]`
    pub camera: Device<dyn CaptureVideo>,
    /// `[microphone]`
    pub microphone: Device<dyn CaptureAudio>,
    /// `[speaker]`
    pub speaker: Device<dyn PlayAudio>,
    /// `[display]`
    pub display: Device<dyn Display>,
}

/// `[home]`
#[derive(Clone, Debug)]
pub struct Home {
    /// `name`: shown on the page and the TV. Default "Home".
    pub name: String,
    /// `max_viewers`: visits at once, 1–32. Default 8.
    pub max_viewers: usize,
    /// `state_dir`: where keys and certificates live. Default "auto": `$STATE_DIRECTORY`, else
    /// `$XDG_STATE_HOME/intercom`, else `~/.local/state/intercom`.
    pub state_dir: PathBuf,
}

/// `[network]`
#[derive(Clone, Debug)]
pub struct Network {
    /// `port`: TCP and UDP, 1–65535. Default 8443.
    pub port: u16,
    /// `public_address`: `host` or `host:port` as seen from outside; an IP address or a name for the link.
    pub public_address: Option<PublicAddress>,
}

/// How the outside reaches the router's forwarded port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicAddress {
    /// IP address or host name. Only an IP address becomes an ICE candidate: nothing is resolved.
    pub host: String,
    /// Port, our own if not said.
    pub port: u16,
}

/// `[tls]`: a trusted pair in PEM instead of our own CA's; reloaded on change.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// `cert`: chain, leaf first.
    pub cert: PathBuf,
    /// `key`: private key.
    pub key: PathBuf,
}

/// One encoding of the camera.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rung {
    /// `width` in pixels, even, 160–1920. Default 1280 (reduced: 480).
    pub width: u32,
    /// `height` in pixels, even, 90–1080. Default 720 (reduced: 270).
    pub height: u32,
    /// `fps`, 1–60. Default 30 (reduced: 15).
    pub rate: FrameRate,
    /// `floor_kbps`: never encoded below this. Default 1500 (reduced: 80).
    pub floor: Bitrate,
    /// `max_kbps`: never above this. Default 2500 (reduced: 400).
    pub max: Bitrate,
}

/// `[audio]`
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Audio {
    /// `bitrate_kbps` of Opus, 12–128. Default 32.
    pub bitrate: Bitrate,
}

/// `[tv]`
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tv {
    /// `width` of the composed picture where the display does not dictate it. Default 1280.
    pub width: u32,
    /// `height` likewise. Default 720.
    pub height: u32,
    /// `fps`: highest rate of the TV picture, 1–60. Default 30.
    pub rate: FrameRate,
}

/// A device chosen by its word.
pub struct Device<D: ?Sized + 'static> {
    /// The driver's name; what `auto` chose.
    pub driver: &'static str,
    /// What `auto` found and passed over, in words, for the log; the word itself if it was named.
    pub why: String,
    /// The way to the device.
    pub opener: BoxedOpener<D>,
}
