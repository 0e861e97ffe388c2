//! TOML → typed settings. Every error names file, line or key, what is allowed and the nearest right spelling.

mod address;
mod buttons;
mod devices;
mod fallback;
pub mod plain_text;
mod problem;
mod reader;
mod report;
mod room;
mod state_paths;
#[cfg(test)]
mod tests;
pub mod timezone;
pub mod trials;
pub mod wifi;

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use intercom_base::language::Language;
use intercom_base::settings::{AudioSettings, NoiseSuppression, PublicAddress, Rung};
use intercom_drivers::contract::{CaptureAudio, CaptureVideo, Display, PlayAudio, VideoMode, Wanted};
use intercom_drivers::registry;

pub use buttons::{ButtonKey, Buttons, NamedKeys, Use, key_name, key_of};
pub use devices::{Device, Drivers};
pub use fallback::{ChosenConfig, load_or_last_good};
pub use problem::{ConfigErrors, Problem, nearest};
pub use room::{Chime, ChimeSound};
pub use state_paths::{StatePaths, state_paths};
pub use trials::ConfigTrial;

use intercom_base::units::{Bitrate, FrameRate};
use intercom_core::call::protocol::Volume;

use problem::quoted;
use reader::{BUILT_IN, Reader, Wrong};
use state_paths::{auto_state_dir, run_dirs};

/// Where the config is looked for when none is named.
pub const SYSTEM_CONFIG: &str = "/etc/intercom/intercom.toml";

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
    /// `[video.reduced]`: the smallest moving picture.
    pub reduced: Rung,
    /// `[audio]`
    pub audio: AudioSettings,
    /// `[chime]`
    pub chime: Chime,
    /// `[volume]`
    pub volume: Volume,
    /// `[buttons]`
    pub buttons: Buttons,
    /// `[tv]`
    pub tv: Tv,
    /// `[update] url`: where updates of the flashed image come from; asked once a day by `intercom update`.
    pub update_url: Option<String>,
    /// `[call]`
    pub call: Call,
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
    /// What should be changed in the file, and works as it is: a sentence each, with file and line.
    pub warnings: Vec<String>,
}

/// `[home]`
#[derive(Clone, Debug)]
pub struct Home {
    /// `name`: shown on the page and the TV. Default "Home".
    pub name: String,
    /// `language` of the TV. Default "en".
    pub language: Language,
    /// `max_viewers`: visits at once, 1–32. Default 8.
    pub max_viewers: usize,
    /// `state_dir`: where keys and certificates live. Default "auto": `$STATE_DIRECTORY`, else
    /// `$XDG_STATE_HOME/intercom`, else `~/.local/state/intercom`.
    pub state_dir: PathBuf,
    /// Where the control socket may be, best first: `$RUNTIME_DIRECTORY`, else the state's folder, else (where nothing can be
    /// made there) `$XDG_RUNTIME_DIR/intercom`.
    pub run_dirs: Vec<PathBuf>,
}

/// `[network]`
#[derive(Clone, Debug)]
pub struct Network {
    /// `port`: TCP and UDP, 1–65535. Default 8443.
    pub port: u16,
    /// `public_address`: `host` or `host:port` as seen from outside; an IP address or a name for the link.
    pub public_address: Option<PublicAddress>,
    /// `proxy`: the reverse proxy in front of home, which is believed for whom it asks. Default "": none.
    pub proxy: Option<IpAddr>,
}

/// `[tls]`: a trusted pair in PEM instead of our own CA's; reloaded on change.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// `cert`: chain, leaf first.
    pub cert: PathBuf,
    /// `key`: private key.
    pub key: PathBuf,
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
    /// `self_view`: home sees small what its viewers see of it. Default true.
    pub self_view: bool,
}

/// Reads and checks the config file `path`.
pub fn load(path: &Path) -> Result<Config, ConfigErrors> {
    parse(&read(path)?, &path.display().to_string())
}

/// Reads and checks the config file that a command line means: the given one, else [`SYSTEM_CONFIG`] if it
/// exists, else the built-in defaults.
pub fn load_chosen(given: Option<&Path>) -> Result<Config, ConfigErrors> {
    let (text, file) = chosen(given)?;
    parse(&text, &file)
}

/// Checks a config. `file` is named in errors, and relative paths in the config begin at its folder.
pub fn parse(text: &str, file: &str) -> Result<Config, ConfigErrors> {
    parse_with(text, file, &drivers(), &|name| std::env::var_os(name))
}

/// All drivers of this build.
pub fn drivers() -> Drivers {
    Drivers {
        cameras: registry::CAMERAS,
        microphones: registry::MICROPHONES,
        speakers: registry::SPEAKERS,
        displays: registry::DISPLAYS,
    }
}

/// The environment's variables, which tests replace.
type Environment<'e> = &'e dyn Fn(&str) -> Option<OsString>;

/// The text and the name of the config that a command line means.
fn chosen(given: Option<&Path>) -> Result<(String, String), ConfigErrors> {
    let system = Path::new(SYSTEM_CONFIG);
    match given {
        Some(path) => Ok((read(path)?, path.display().to_string())),
        None if system.exists() => Ok((read(system)?, SYSTEM_CONFIG.to_owned())),
        None => Ok((BUILT_IN.to_owned(), "the built-in intercom.toml".to_owned())),
    }
}

fn read(path: &Path) -> Result<String, ConfigErrors> {
    let file = path.display().to_string();
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            let near = neighbour(path).map(|near| near.display().to_string());
            let allowed = "a TOML file such as etc/intercom.toml".to_owned();
            return Err(ConfigErrors::whole(&file, format!("cannot be read: {}", plain(&error)), near, allowed));
        }
    };
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes()[..good].iter().filter(|byte| **byte == b'\n').count();
        let mut errors = ConfigErrors::whole(&file, "not UTF-8 text".to_owned(), None, String::new());
        errors.problems[0].line = Some(line);
        errors
    })
}

fn parse_with(text: &str, file: &str, drivers: &Drivers, env: Environment<'_>) -> Result<Config, ConfigErrors> {
    let mut reader = Reader::new(text, file)?;
    let r = &mut reader;
    let home = read_home(r, file, env);
    let network = read_network(r);
    let tls = read_tls(r, file);
    let full = read_full(r);
    let reduced = read_reduced(r, &full);
    let audio = read_audio(r);
    let (chime, volume, buttons) = (room::read_chime(r, file), room::read_volume(r), buttons::read_buttons(r));
    let tv = Tv {
        width: size(r, "tv.width", WIDTH),
        height: size(r, "tv.height", HEIGHT),
        rate: fps(r, "tv.fps"),
        self_view: r.switch("tv.self_view"),
    };
    let update_url = r.text("update.url", "\"\" or an address that begins with http:// or https://", read_address);
    let call = Call {
        command: r.text("call.command", "\"\" or one line for /bin/sh", |text| {
            Ok((!text.trim().is_empty()).then(|| text.to_owned()))
        }),
        url: r.text("call.url", "\"\" or an address that begins with http:// or https://", read_address),
    };
    let levels = log::LevelFilter::iter().map(|level| (level.as_str().to_lowercase(), level)).collect::<Vec<_>>();
    let log_level =
        r.word("log.level", &levels.iter().map(|(word, level)| (word.as_str(), *level)).collect::<Vec<_>>());
    let wanted = Wanted {
        camera: VideoMode { width: full.width, height: full.height, rate: full.rate.fps() },
        display: (tv.width, tv.height),
    };
    let camera = devices::choose(r, "camera", drivers.cameras, &wanted);
    let microphone = devices::choose(r, "microphone", drivers.microphones, &wanted);
    let speaker = devices::choose(r, "speaker", drivers.speakers, &wanted);
    let display = devices::choose(r, "display", drivers.displays, &wanted);
    let warnings = reader.warnings(file);
    reader.finish(file)?;
    match (camera, microphone, speaker, display) {
        (Some(camera), Some(microphone), Some(speaker), Some(display)) => Ok(Config {
            home,
            network,
            tls,
            full,
            reduced,
            audio,
            chime,
            volume,
            buttons,
            tv,
            update_url,
            call,
            log_level,
            camera,
            microphone,
            speaker,
            display,
            warnings,
        }),
        // A device that could not be chosen has said why, so `finish` has answered already.
        _ => Err(ConfigErrors::whole(file, "a device could not be chosen".to_owned(), None, String::new())),
    }
}

const WIDTH: (u64, u64) = (160, 1920);
const HEIGHT: (u64, u64) = (90, 1080);
const KBPS: std::ops::RangeInclusive<u64> = 30..=20_000;

fn read_audio(r: &mut Reader<'_>) -> AudioSettings {
    const NOISE: [(&str, NoiseSuppression); 4] = [
        ("off", NoiseSuppression::Off),
        ("low", NoiseSuppression::Low),
        ("moderate", NoiseSuppression::Moderate),
        ("high", NoiseSuppression::High),
    ];
    AudioSettings {
        bitrate: Bitrate::from_kbps(r.integer("audio.bitrate_kbps", 12..=128, "kbit/s")),
        echo_cancellation: r.switch("audio.echo_cancellation"),
        noise_suppression: r.word("audio.noise_suppression", &NOISE),
        gain_control: r.switch("audio.gain_control"),
        max_gain_db: r.integer("audio.max_gain_db", 0..=40, "dB") as f32,
        hear_each_other: r.switch("audio.hear_each_other"),
    }
}

fn read_home(r: &mut Reader<'_>, file: &str, env: Environment<'_>) -> Home {
    let name = r.text("home.name", "1 to 40 characters", |text| match text.trim() {
        "" => Err(Wrong::new("the name is empty")),
        text if text.chars().count() > 40 => Err(Wrong::new("the name is too long")),
        text if text.chars().any(char::is_control) => Err(Wrong::new("the name has a control character in it")),
        text => Ok(text.to_owned()),
    });
    let language = r.word("home.language", &Language::ALL);
    let max_viewers = r.integer("home.max_viewers", 1..=32, "") as usize;
    let said = r.text("home.state_dir", "\"auto\", or a folder's path", |text| match text {
        "" => Err(Wrong::near("the path is empty", Some("\"auto\"".to_owned()))),
        text => Ok(text.to_owned()),
    });
    let state_dir = if said == "auto" { auto_state_dir(env) } else { Some(beside(file, &said)) };
    let state_dir = state_dir.unwrap_or_else(|| {
        let wrong = Wrong::new("there is neither $STATE_DIRECTORY nor $XDG_STATE_HOME nor $HOME to put it in");
        r.complain(r.line("home.state_dir"), "home.state_dir", wrong, "a folder's path");
        PathBuf::new()
    });
    let run_dirs = run_dirs(&state_dir, env);
    Home { name, language, max_viewers, state_dir, run_dirs }
}

fn read_network(r: &mut Reader<'_>) -> Network {
    let port = u16::try_from(r.integer("network.port", 1..=65535, "")).unwrap_or(u16::MAX);
    let public_address = r.text("network.public_address", address::ALLOWED, |text| address::parse(text, port));
    let proxy = r.text("network.proxy", "an IP address, or \"\" for none", |text| match text.trim() {
        "" => Ok(None),
        text => text.parse::<IpAddr>().map(Some).map_err(|_| {
            let bare = text.trim_start_matches('[').trim_end_matches(']');
            let with_port = text.parse::<SocketAddr>().ok().map(|address| address.ip());
            let meant = with_port.or_else(|| bare.parse().ok()).map(|address| quoted(&address.to_string()));
            Wrong::near(format!("{} is no IP address", quoted(text)), meant)
        }),
    });
    Network { port, public_address, proxy }
}

/// `[call]`: what tells the world beyond open pages that home calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// `command`: one line for `/bin/sh -c`.
    pub command: Option<String>,
    /// `url`: gets a POST of JSON.
    pub url: Option<String>,
}

fn read_address(text: &str) -> Result<Option<String>, Wrong> {
    let host = |rest: &str| !rest.starts_with('/') && !rest.is_empty();
    match text.strip_prefix("https://").or(text.strip_prefix("http://")) {
        _ if text.is_empty() => Ok(None),
        Some(rest) if host(rest) && !text.contains(|c: char| c.is_whitespace() || c.is_control()) => {
            Ok(Some(text.to_owned()))
        }
        _ => Err(Wrong::new(format!("{} is no such address", quoted(text)))),
    }
}

fn read_tls(r: &mut Reader<'_>, file: &str) -> Option<TlsFiles> {
    let mut pem = |key: &str, what: &str| {
        let allowed = format!("\"\" for the home's own CA, or the path of {what} in PEM");
        r.text(key, &allowed, |text| if text.is_empty() { Ok(None) } else { existing(file, text).map(Some) })
    };
    let cert = pem("tls.cert", "a certificate chain, leaf first,");
    let key = pem("tls.key", "its private key");
    let written = |r: &Reader<'_>, key: &str| r.plain_table("tls").get(key).is_some_and(|v| v.as_str() != Some(""));
    for (one, other) in [("cert", "key"), ("key", "cert")] {
        if written(r, one) && !written(r, other) {
            let wrong = Wrong::new(format!("this needs `{other}` beside it"));
            r.complain(r.line(&format!("tls.{one}")), &format!("tls.{one}"), wrong, "both or none of cert and key");
        }
    }
    Some(TlsFiles { cert: cert?, key: key? })
}

fn read_full(r: &mut Reader<'_>) -> Rung {
    let width = size(r, "video.width", WIDTH);
    let height = size(r, "video.height", HEIGHT);
    let rate = fps(r, "video.fps");
    let (mut floor, max) = bitrates(r, "video");
    if !r.says("video.floor_kbps") {
        // The default is that of the default size and rate.
        let usual = 1280.0 * 720.0 * 30.0;
        let kbps =
            r.integer("video.floor_kbps", KBPS, "kbit/s") as f64 * f64::from(width * height) * rate.fps() / usual;
        floor = Bitrate::from_kbps((kbps / 10.0).round() as u64 * 10).max(Bitrate::from_kbps(*KBPS.start())).min(max);
    }
    Rung { width, height, rate, floor, max }
}

/// The smallest picture, never larger than the full one: what the user wrote is refused, a default gives way.
fn read_reduced(r: &mut Reader<'_>, full: &Rung) -> Rung {
    let mut rung = Rung {
        width: size(r, "video.reduced.width", WIDTH),
        height: size(r, "video.reduced.height", HEIGHT),
        rate: fps(r, "video.reduced.fps"),
        ..*full
    };
    (rung.floor, rung.max) = bitrates(r, "video.reduced");
    if !r.says("video.reduced.width") && !r.says("video.reduced.height") {
        (rung.width, rung.height) = shaped_like(full, rung.width, rung.height);
    }
    let most = "at most what [video] has";
    let mut hold = |key: &str, exceeds: bool, limit: String| {
        let path = format!("video.reduced.{key}");
        if exceeds && r.says(&path) {
            let wrong = Wrong::new(format!("this is more than the full picture's {limit}"));
            r.complain(r.line(&path), &path, wrong, most);
        }
    };
    hold("width", rung.width > full.width, format!("width, {}", full.width));
    hold("height", rung.height > full.height, format!("height, {}", full.height));
    hold("fps", rung.rate > full.rate, format!("rate, {}", full.rate.fps()));
    hold("max_kbps", rung.max > full.max, format!("max_kbps, {}", full.max.kbps()));
    rung.width = rung.width.min(full.width);
    rung.height = rung.height.min(full.height);
    rung.rate = rung.rate.min(full.rate);
    rung.max = rung.max.min(full.max);
    rung.floor = rung.floor.min(rung.max);
    rung
}

/// The largest even size of the full picture's shape within `width` x `height`.
fn shaped_like(full: &Rung, width: u32, height: u32) -> (u32, u32) {
    let even = |n: u32| (n / 2 * 2).max(2);
    let (width, height) = (width.min(full.width), height.min(full.height));
    if width * full.height <= height * full.width {
        (width, even(width * full.height / full.width))
    } else {
        (even(height * full.width / full.height), height)
    }
}

fn size(r: &mut Reader<'_>, path: &str, (least, most): (u64, u64)) -> u32 {
    let number = r.integer(path, least..=most, "pixels, even") as u32;
    if !number.is_multiple_of(2) {
        let near = Some((number - 1).to_string());
        let wrong = Wrong::near(format!("{number} is odd, and H.264 wants even sizes"), near);
        r.complain(r.line(path), path, wrong, &format!("an even number from {least} to {most} pixels"));
    }
    number / 2 * 2
}

fn fps(r: &mut Reader<'_>, path: &str) -> FrameRate {
    FrameRate::from_fps(r.number(path, 1.0..=60.0, "frames a second"))
}

/// `floor_kbps` and `max_kbps` of a table. Where only one is written, the other's default gives way.
fn bitrates(r: &mut Reader<'_>, table: &str) -> (Bitrate, Bitrate) {
    let (floor_key, max_key) = (format!("{table}.floor_kbps"), format!("{table}.max_kbps"));
    let mut floor = r.integer(&floor_key, KBPS, "kbit/s");
    let mut max = r.integer(&max_key, KBPS, "kbit/s");
    if floor > max {
        match (r.says(&floor_key), r.says(&max_key)) {
            (true, true) => {
                let wrong = Wrong::new(format!("{floor} is more than max_kbps, {max}"));
                r.complain(r.line(&floor_key), &floor_key, wrong, "at most max_kbps");
            }
            (true, false) => max = floor,
            (false, _) => floor = max,
        }
    }
    (Bitrate::from_kbps(floor), Bitrate::from_kbps(max))
}

/// A path in the config, which begins at the config file's folder if it is relative.
fn beside(file: &str, path: &str) -> PathBuf {
    Path::new(file).parent().unwrap_or(Path::new("")).join(path)
}

/// A file that can be read, or what is wrong with it and which other one may be meant.
fn existing(file: &str, path: &str) -> Result<PathBuf, Wrong> {
    let path = beside(file, path);
    match std::fs::File::open(&path).and_then(|file| file.metadata()) {
        Ok(found) if found.is_dir() => Err(Wrong::new(format!("{} is a folder", path.display()))),
        Ok(_) => Ok(path),
        Err(error) => {
            let near = neighbour(&path).map(|near| quoted(&near.display().to_string()));
            Err(Wrong::near(format!("{} cannot be read: {}", path.display(), plain(&error)), near))
        }
    }
}

/// The file in the same folder whose name is nearest to this one's, if the name is what is wrong.
fn neighbour(path: &Path) -> Option<PathBuf> {
    if path.exists() {
        return None;
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let names: Vec<String> = std::fs::read_dir(folder)
        .ok()?
        .take(1000)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    let near = nearest(path.file_name()?.to_str()?, names.iter().map(String::as_str))?;
    Some(path.with_file_name(near))
}

/// The system's error without its number.
fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    text.to_lowercase()
}
