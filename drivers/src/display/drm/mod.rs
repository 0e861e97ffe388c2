//! A TV or monitor on a card of the kernel's, without a desktop: direct rendering manager, kernel mode setting.

mod choose;
mod console;
mod kms;
mod survey;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use intercom_base::picture::I420;
use yuv::{YuvPlanarImage, YuvRange, YuvStandardMatrix, yuv420_to_bgra};

use crate::clock;
use crate::contract::{BoxedOpener, ConfigError, DeviceError, Display, Driver, Opener, Wanted};
use crate::nodes;
use crate::options::{self, Options};
use choose::{MOST_PIXELS, NoScreen, Wish, choose_connector, choose_modes, parse_mode};
use console::{Console, Front};
use kms::{Api, Card, Screen, Socket};

/// The entry of the registry's table.
pub const DRIVER: Driver<dyn Display> = Driver {
    name: "drm",
    summary: "a TV or monitor, full-screen and without a desktop",
    options: OPTIONS,
    configure,
    detect,
    survey: Some(survey::survey),
};

const OPTIONS: &[(&str, &str)] = &[
    (
        "device",
        "a path like /dev/dri/card0, or a name from /dev/dri/by-path; default \"auto\": the first with a screen",
    ),
    ("connector", "a name like HDMI-A-1; default \"auto\": the first with a screen, HDMI before others"),
    ("mode", "a size like 1280x720 or 1280x720@50; default \"auto\": what the screen prefers"),
    ("api", "auto, atomic or legacy; default \"auto\": atomic where the card can"),
];

fn configure(table: &toml::Table, wanted: &Wanted) -> Result<BoxedOpener<dyn Display>, ConfigError> {
    let options = Options::new(table, OPTIONS)?;
    let named = |key: &str| Ok::<_, ConfigError>(options.text(key)?.filter(|text| text != "auto"));
    let mode = match named("mode")? {
        Some(text) => Some(parse_mode(&text).ok_or_else(|| {
            options::error("mode", &format!("is no size: {text}"), "\"auto\", or like 1280x720 or 1280x720@50")
        })?),
        None => None,
    };
    let api = match options.text("api")?.as_deref() {
        None | Some("auto") => None,
        Some("atomic") => Some(Api::Atomic),
        Some("legacy") => Some(Api::Legacy),
        Some(word) => return Err(options::error("api", &format!("is unknown: {word}"), "auto, atomic or legacy")),
    };
    let wish = Wish { connector: named("connector")?, mode };
    Ok(Box::new(DrmOpener { device: named("device")?, wish, api, wanted: wanted.display, found: None, console: None }))
}

fn detect(table: &toml::Table) -> Result<String, String> {
    // Anyone who tries it out at a desk does not want the desktop taken away.
    if ["WAYLAND_DISPLAY", "DISPLAY"].iter().any(|name| std::env::var_os(name).is_some_and(|text| !text.is_empty())) {
        return Err("drm leaves the screen to the desktop that runs here".into());
    }
    let named = table.get("device").and_then(toml::Value::as_str).filter(|text| *text != "auto");
    let mut reasons = Vec::new();
    for path in paths(named) {
        match Card::open(&path) {
            // A TV may be switched on later.
            Ok(card) => match card.sockets(false) {
                Ok(sockets) if sockets.is_empty() => reasons.push(format!("{} has no connector", path.display())),
                Ok(_) => return Ok(format!("found {} ({})", path.display(), card.driver())),
                Err(error) => reasons.push(error.to_string()),
            },
            Err(error) => reasons.push(error.to_string()),
        }
    }
    Err(match reasons.is_empty() {
        true => "drm found no /dev/dri/card*".into(),
        false => format!("drm found no screen ({})", reasons.join("; ")),
    })
}

/// Where a card of this name may be; all cards if there is none.
fn paths(device: Option<&str>) -> Vec<PathBuf> {
    nodes::paths(device, &["/dev/dri/by-path", "/dev/dri"], "/dev/dri", "card")
}

struct DrmOpener {
    device: Option<String>,
    wish: Wish,
    api: Option<Api>,
    wanted: (u32, u32),
    found: Option<String>,
    /// Looked for with the first opening.
    console: Option<Console>,
}

impl Opener<dyn Display> for DrmOpener {
    fn open(&mut self) -> Result<Box<dyn Display>, DeviceError> {
        self.console.get_or_insert_with(Console::own).check()?;
        let mut reason = no_card();
        for path in paths(self.device.as_deref()) {
            match self.open_card(&path) {
                Ok((screen, has_told)) => {
                    self.found = Some(format!("screen on {}", screen.describe()));
                    let front = self.console.get_or_insert_with(Console::own).come();
                    // Whoever wants a certain size has it.
                    let unsure = (!has_told && self.wish.mode.is_none()).then(|| AskAgain::new(clock::now()));
                    return Ok(Box::new(Tv { screen, front, scratch: Vec::new(), unsure }));
                }
                Err(error) => reason = worse(reason, error),
            }
        }
        Err(reason)
    }

    fn describe(&self) -> String {
        match (&self.found, &self.device) {
            (Some(found), _) => found.clone(),
            (None, Some(device)) => format!("screen on {device}"),
            (None, None) => "screen".into(),
        }
    }

    /// Sets no mode: anyone who draws on the card keeps it.
    fn check(&mut self) -> Result<(), DeviceError> {
        let mut reason = no_card();
        for path in paths(self.device.as_deref()) {
            match self.choose_on(&path) {
                Ok((card, sockets, socket)) => return self.ways(&sockets[socket]).and_then(|_| card.take()),
                Err(error) => reason = worse(reason, error),
            }
        }
        Err(reason)
    }
}

fn no_card() -> DeviceError {
    DeviceError::Absent("there is no /dev/dri/card*".into())
}

/// Which of two reasons is told: that a screen could not be used rather than that another card has none.
fn worse(old: DeviceError, new: DeviceError) -> DeviceError {
    if matches!(old, DeviceError::Absent(_)) { new } else { old }
}

impl DrmOpener {
    /// The screen, and whether it has said what it can show.
    fn open_card(&self, path: &Path) -> Result<(Screen, bool), DeviceError> {
        let (mut card, sockets, chosen) = self.choose_on(path)?;
        let socket = &sockets[chosen];
        card.take()?;
        let mut reason = DeviceError::Unsupported(format!("{} offers no mode that can be drawn", socket.seen.name));
        for Way { mode, size, api } in self.ways(socket)? {
            match Screen::open(card, socket, mode, size, api) {
                Ok(screen) => return Ok((screen, socket.has_told)),
                Err((back, error)) => {
                    log::debug!("{}: {api:?} {size:?}: {error}", path.display());
                    card = back;
                    reason = error;
                }
            }
        }
        Err(reason)
    }

    /// The card, its sockets, and which of them to use.
    fn choose_on(&self, path: &Path) -> Result<(Card, Vec<Socket>, usize), DeviceError> {
        let card = Card::open(path)?;
        let sockets = card.sockets(true)?;
        let seen: Vec<_> = sockets.iter().map(|socket| socket.seen.clone()).collect();
        let chosen = choose_connector(&seen, &self.wish).map_err(no_screen)?;
        Ok((card, sockets, chosen))
    }

    /// What to try, the best first.
    fn ways(&self, socket: &Socket) -> Result<Vec<Way>, DeviceError> {
        let mut ways = Vec::new();
        for mode in choose_modes(&socket.seen, &self.wish).map_err(no_screen)? {
            let choose::Mode { width, height, .. } = socket.seen.modes[mode];
            let scaled = width * height > MOST_PIXELS;
            let size = if scaled { self.wanted } else { (width, height) };
            for api in [Api::Atomic, Api::Legacy] {
                let useful = api == Api::Atomic || !scaled;
                if useful && self.api.is_none_or(|wanted| wanted == api) {
                    ways.push(Way { mode, size, api });
                }
            }
        }
        Ok(ways)
    }
}

/// One attempt at a screen.
struct Way {
    /// Its place in the socket's list.
    mode: usize,
    /// Of the pictures.
    size: (u32, u32),
    api: Api,
}

fn no_screen(reason: NoScreen) -> DeviceError {
    match reason {
        NoScreen::NotThere(what) => DeviceError::Absent(what),
        NoScreen::NotSo(what) => DeviceError::Unsupported(what),
    }
}

struct Tv {
    screen: Screen,
    /// After the screen, which is the console's again when that comes to the front.
    front: Front,
    /// For a picture of another size, which does not happen in a running home.
    scratch: Vec<u8>,
    /// The screen has not said what it can show.
    unsure: Option<AskAgain>,
}

/// When a screen is asked again what it can show: a TV that was off when the machine started answers once it is on. Seldom, since an
/// answer that does not come holds up the pictures for up to a second.
struct AskAgain {
    at: Instant,
    pause: Duration,
}

impl AskAgain {
    const FIRST: Duration = Duration::from_secs(10);
    const LONGEST: Duration = Duration::from_secs(60);

    fn new(now: Instant) -> AskAgain {
        AskAgain { at: now + AskAgain::FIRST, pause: AskAgain::FIRST }
    }

    /// Whether it is time to ask.
    fn is_due(&mut self, now: Instant) -> bool {
        let is_due = now >= self.at;
        if is_due {
            self.pause = (self.pause * 2).min(AskAgain::LONGEST);
            self.at = now + self.pause;
        }
        is_due
    }
}

impl Display for Tv {
    fn size(&self) -> (u32, u32) {
        self.screen.size()
    }

    fn show(&mut self, picture: &I420) -> Result<(), DeviceError> {
        let size = self.screen.size();
        let Tv { screen, scratch, .. } = self;
        screen.show(|pixels, pitch| {
            if (picture.width() as u32, picture.height() as u32) == size {
                to_bgrx(picture, pixels, pitch);
            } else {
                scratch.resize(picture.width() * picture.height() * 4, 0);
                to_bgrx(picture, scratch, picture.width() as u32 * 4);
                stretch(scratch, (picture.width(), picture.height()), pixels, pitch as usize, size);
            }
        })
    }

    fn check(&mut self) -> Result<(), DeviceError> {
        self.front.check()?;
        self.screen.check()?;
        let is_due = self.unsure.as_mut().is_some_and(|unsure| unsure.is_due(clock::now()));
        if is_due && self.screen.tells_now()? {
            // Opened again, it gets the mode that suits it.
            return Err(DeviceError::Absent(format!(
                "the screen on {} says only now what it can show",
                self.screen.name()
            )));
        }
        Ok(())
    }
}

fn to_bgrx(picture: &I420, pixels: &mut [u8], pitch: u32) {
    let [y_plane, u_plane, v_plane] = picture.planes();
    let (width, height) = (picture.width() as u32, picture.height() as u32);
    let chroma = picture.chroma_width() as u32;
    let image = YuvPlanarImage {
        y_plane,
        y_stride: width,
        u_plane,
        u_stride: chroma,
        v_plane,
        v_stride: chroma,
        width,
        height,
    };
    // It refuses only planes that do not fit their size, which an I420 and a buffer of its size rule out.
    let _ = yuv420_to_bgra(&image, pixels, pitch, YuvRange::Limited, YuvStandardMatrix::Bt601);
}

/// Stretches packed pixels of `from` to `to`, each the nearest one.
fn stretch(source: &[u8], from: (usize, usize), target: &mut [u8], pitch: usize, to: (u32, u32)) {
    let (width, height) = (to.0 as usize, to.1 as usize);
    for (y, row) in target.chunks_mut(pitch).take(height).enumerate() {
        let line = &source[y * from.1 / height * from.0 * 4..][..from.0 * 4];
        for (x, pixel) in row.chunks_exact_mut(4).take(width).enumerate() {
            pixel.copy_from_slice(&line[x * from.0 / width * 4..][..4]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Wanted {
        Wanted { camera: crate::contract::VideoMode { width: 1280, height: 720, rate: 30.0 }, display: (1280, 720) }
    }

    #[test]
    fn bad_options_are_named_with_what_is_allowed() {
        for (text, key) in
            [("mode = '1280'", "mode"), ("api = 'fast'", "api"), ("device = 3", "device"), ("card = 'x'", "card")]
        {
            let table = text.parse().unwrap();
            let error = configure(&table, &wanted()).map(|_| ()).expect_err(text);
            assert_eq!(error.key, key);
        }
        let table = "device = 'card1'\nconnector = 'HDMI-A-1'\nmode = '1920x1080@60'\napi = 'legacy'".parse().unwrap();
        assert!(configure(&table, &wanted()).is_ok());
    }

    #[test]
    fn a_card_that_is_not_there_is_absent() {
        let table = "device = '/dev/dri/card99'".parse().unwrap();
        let mut opener = configure(&table, &wanted()).unwrap();
        assert!(matches!(opener.open(), Err(DeviceError::Absent(what)) if what.contains("card99")));
        assert_eq!(opener.describe(), "screen on /dev/dri/card99");
    }

    #[test]
    fn a_screen_that_says_nothing_is_asked_again_ever_more_seldom() {
        let start = clock::now();
        let mut unsure = AskAgain::new(start);
        let asked: Vec<u64> = (0..240).filter(|second| unsure.is_due(start + Duration::from_secs(*second))).collect();
        assert_eq!(asked, [10, 30, 70, 130, 190]);
    }

    #[test]
    fn red_is_red_and_rows_begin_where_the_card_wants_them() {
        let mut picture = I420::black(6, 2);
        for (plane, value) in picture.planes_mut().into_iter().zip([82, 90, 240]) {
            plane.fill(value);
        }
        let mut pixels = vec![7; 2 * 64];
        to_bgrx(&picture, &mut pixels, 64);
        for row in pixels.chunks(64) {
            for pixel in row[..24].chunks(4) {
                let [b, g, r] = [pixel[0], pixel[1], pixel[2]];
                assert!(r > 245 && g < 10 && b < 10, "red, but it is {r} {g} {b}");
            }
            assert!(row[24..].iter().all(|byte| *byte == 7), "nothing is written beside the picture");
        }
    }

    #[test]
    fn a_picture_of_another_size_fills_the_screen() {
        let source: Vec<u8> = [1, 2, 3, 4].into_iter().flat_map(|n| [n; 4]).collect();
        let mut target = vec![0; 2 * 20];
        stretch(&source, (2, 2), &mut target, 20, (4, 2));
        assert_eq!(target[..20], [1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0]);
        assert_eq!(target[20..24], [3; 4]);
    }
}
