//! Which connector and which of its modes: decisions about lists, without a card.

/// Composing for more pixels than this by CPU would be slow; a plane scaler takes over above it.
pub const MOST_PIXELS: u32 = 1920 * 1080;

/// Fewer pixels than this are no better for moving well.
const LEAST_PIXELS: u32 = 1280 * 720;

/// A mode that a connected screen offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// Visible size in pixels.
    pub width: u32,
    /// Visible size in pixels.
    pub height: u32,
    /// Refreshes a second, rounded.
    pub refresh: u32,
    /// The screen's own wish.
    pub preferred: bool,
    /// Half pictures in turns; the last resort.
    pub interlaced: bool,
}

impl Mode {
    fn pixels(&self) -> u32 {
        self.width * self.height
    }
}

/// A socket that a screen may be plugged into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connector {
    /// As the kernel calls it, e.g. `HDMI-A-1`.
    pub name: String,
    /// Whether a screen is there.
    pub connected: bool,
    /// What the screen offers, in its own order.
    pub modes: Vec<Mode>,
}

/// What the config says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Name of the connector; any if `None`.
    pub connector: Option<String>,
    /// Width, height and refreshes a second (any if `None`); the screen's own wish if `None`.
    pub mode: Option<(u32, u32, Option<u32>)>,
}

/// Why there is nothing to show on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoScreen {
    /// Nothing is plugged in where it should be.
    NotThere(String),
    /// There is a screen, but not as wished.
    NotSo(String),
}

/// The connector to use, by its place in `connectors`.
pub fn choose_connector(connectors: &[Connector], wish: &Wish) -> Result<usize, NoScreen> {
    let names = || connectors.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ");
    if let Some(name) = &wish.connector {
        let Some(at) = connectors.iter().position(|one| one.name.eq_ignore_ascii_case(name)) else {
            return Err(NoScreen::NotSo(format!("there is no connector {name}, only {}", names())));
        };
        return match connectors[at].connected && !connectors[at].modes.is_empty() {
            true => Ok(at),
            false => Err(NoScreen::NotThere(format!("nothing is plugged into {name}"))),
        };
    }
    let usable = connectors.iter().enumerate().filter(|(_, one)| one.connected && !one.modes.is_empty());
    match usable.min_by_key(|(at, one)| (rank(&one.name), *at)) {
        Some((at, _)) => Ok(at),
        None if connectors.is_empty() => Err(NoScreen::NotSo("the card has no connector".into())),
        None => Err(NoScreen::NotThere(format!("no screen is plugged into {}", names()))),
    }
}

/// A TV hangs on HDMI; a built-in panel is the last to be meant.
fn rank(name: &str) -> u8 {
    match name {
        _ if name.starts_with("HDMI") => 0,
        _ if name.starts_with("DP") => 1,
        _ if name.starts_with("DVI") => 2,
        _ if name.starts_with("eDP") || name.starts_with("LVDS") || name.starts_with("DSI") => 4,
        _ => 3,
    }
}

/// The modes to try on `connector`, by their place in its list, the best first. Those of more than [`MOST_PIXELS`] are
/// only of use with a scaler.
pub fn choose_modes(connector: &Connector, wish: &Wish) -> Result<Vec<usize>, NoScreen> {
    let modes: Vec<(usize, &Mode)> = connector.modes.iter().enumerate().collect();
    if let Some((width, height, refresh)) = wish.mode {
        let fits = |mode: &Mode| {
            (mode.width, mode.height) == (width, height) && refresh.is_none_or(|hz| mode.refresh.abs_diff(hz) <= 1)
        };
        let mut found: Vec<_> = modes.into_iter().filter(|(_, mode)| fits(mode)).collect();
        found.sort_by_key(|(at, mode)| (mode.interlaced, from_sixty(mode), *at));
        return match found.is_empty() {
            false => Ok(found.into_iter().map(|(at, _)| at).collect()),
            true => Err(NoScreen::NotSo(format!("{} offers {}", connector.name, offered(connector)))),
        };
    }
    let preferred = modes.iter().find(|(_, mode)| mode.preferred).or(modes.first()).map(|(at, _)| *at);
    let is_preferred = |at: usize| Some(at) == preferred;
    let wanted = preferred.map_or(0, |at| connector.modes[at].pixels());
    // What moves better, and is too small to read a name in, is no gain.
    let is_gain = |mode: &Mode| mode.pixels() >= LEAST_PIXELS.min(wanted);
    let mut order: Vec<_> =
        modes.into_iter().filter(|(at, mode)| mode.pixels() <= MOST_PIXELS || is_preferred(*at)).collect();
    order.sort_by_key(|(at, mode)| {
        (!is_gain(mode), motion(mode), !is_preferred(*at), u32::MAX - mode.pixels(), from_sixty(mode), *at)
    });
    Ok(order.into_iter().map(|(at, _)| at).collect())
}

/// How well a mode shows people who move, the best first. A TV may prefer what suits films: 24 Hz, or half pictures.
fn motion(mode: &Mode) -> u8 {
    match mode {
        Mode { interlaced: true, .. } => 2,
        Mode { refresh: ..48, .. } => 1,
        _ => 0,
    }
}

/// 60 and 50 Hz divide well by the usual frame rates; more costs power and shows nothing new.
fn from_sixty(mode: &Mode) -> u32 {
    mode.refresh.abs_diff(60)
}

fn offered(connector: &Connector) -> String {
    let mut seen = Vec::new();
    for mode in &connector.modes {
        let text = format!("{}x{}@{}", mode.width, mode.height, mode.refresh);
        if !seen.contains(&text) {
            seen.push(text);
        }
    }
    seen.truncate(12);
    seen.join(", ")
}

/// Reads `1280x720` or `1280x720@50`.
pub fn parse_mode(text: &str) -> Option<(u32, u32, Option<u32>)> {
    let (size, refresh) = match text.split_once('@') {
        Some((size, refresh)) => (size, Some(refresh.parse().ok().filter(|hz| (1..=480).contains(hz))?)),
        None => (text, None),
    };
    let (width, height) = size.split_once('x')?;
    let side = |text: &str| text.parse().ok().filter(|side| (64..=7680).contains(side));
    Some((side(width)?, side(height)?, refresh))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(width: u32, height: u32, refresh: u32) -> Mode {
        Mode { width, height, refresh, preferred: false, interlaced: false }
    }

    fn connector(name: &str, modes: &[Mode]) -> Connector {
        Connector { name: name.into(), connected: !modes.is_empty(), modes: modes.to_vec() }
    }

    #[test]
    fn a_tv_on_hdmi_comes_before_other_screens_and_before_a_panel() {
        let some = [mode(1920, 1080, 60)];
        let all = [
            connector("eDP-1", &some),
            connector("DP-1", &some),
            connector("HDMI-A-1", &[]),
            connector("HDMI-A-2", &some),
        ];
        assert_eq!(choose_connector(&all, &Wish::default()), Ok(3));
        assert_eq!(choose_connector(&all[..3], &Wish::default()), Ok(1));
        let named = |name: &str| choose_connector(&all, &Wish { connector: Some(name.into()), mode: None });
        assert_eq!(named("edp-1"), Ok(0));
        assert_eq!(named("HDMI-A-1"), Err(NoScreen::NotThere("nothing is plugged into HDMI-A-1".into())));
        assert!(matches!(named("VGA-1"), Err(NoScreen::NotSo(what)) if what.contains("only eDP-1, DP-1, HDMI-A-1")));
        let none = choose_connector(&all[2..3], &Wish::default());
        assert_eq!(none, Err(NoScreen::NotThere("no screen is plugged into HDMI-A-1".into())));
    }

    #[test]
    fn the_screens_own_wish_comes_first_and_then_the_largest_that_needs_no_scaler() {
        let wish = Wish::default();
        let tv = [
            Mode { preferred: true, ..mode(3840, 2160, 60) },
            Mode { interlaced: true, ..mode(1920, 1080, 60) },
            mode(1920, 1080, 24),
            mode(1920, 1080, 60),
            mode(1280, 720, 60),
        ];
        assert_eq!(choose_modes(&connector("HDMI-A-1", &tv), &wish), Ok(vec![0, 3, 4, 2, 1]));
        let unsure = [mode(1280, 800, 60), mode(640, 480, 60)];
        assert_eq!(choose_modes(&connector("Virtual-1", &unsure), &wish), Ok(vec![0, 1]), "the first is its best");
    }

    #[test]
    fn what_moves_well_comes_before_what_a_tv_prefers_for_films() {
        let order = |modes: &[Mode]| choose_modes(&connector("HDMI-A-1", modes), &Wish::default()).unwrap();
        let preferred = |mode: Mode| Mode { preferred: true, ..mode };
        let interlaced = |mode: Mode| Mode { interlaced: true, ..mode };
        let (hd24, hd50, small) = (mode(1920, 1080, 24), mode(1920, 1080, 50), mode(1280, 720, 60));
        assert_eq!(order(&[preferred(interlaced(mode(1920, 1080, 60))), small, hd24]), [1, 2, 0]);
        assert_eq!(order(&[preferred(hd24), small, hd50]), [2, 1, 0]);
        // 4K over an older cable has 30 Hz only; without a wish the first counts as one.
        assert_eq!(order(&[preferred(mode(3840, 2160, 30)), mode(1920, 1080, 60)]), [1, 0]);
        assert_eq!(order(&[mode(3840, 2160, 30), mode(4096, 2160, 24)]), [0]);
        assert_eq!(order(&[interlaced(mode(720, 576, 50))]), [0], "better than nothing");
        assert_eq!(order(&[preferred(small), hd50]), [0, 1], "a wish that moves well is granted");
        let panel = preferred(mode(1024, 600, 40));
        assert_eq!(order(&[mode(640, 480, 60), panel]), [1, 0], "a panel is not made small for it");
        assert_eq!(order(&[preferred(interlaced(mode(1920, 1080, 60))), mode(640, 480, 60)]), [0, 1]);
    }

    #[test]
    fn a_mode_of_the_configs_is_taken_or_the_others_are_named() {
        let tv = connector("HDMI-A-1", &[mode(1920, 1080, 60), mode(1280, 720, 50), mode(1280, 720, 60)]);
        let wish = |text| Wish { connector: None, mode: parse_mode(text) };
        assert_eq!(choose_modes(&tv, &wish("1280x720")), Ok(vec![2, 1]));
        assert_eq!(choose_modes(&tv, &wish("1280x720@50")), Ok(vec![1]));
        let error = choose_modes(&tv, &wish("800x600")).unwrap_err();
        assert_eq!(error, NoScreen::NotSo("HDMI-A-1 offers 1920x1080@60, 1280x720@50, 1280x720@60".into()));
    }

    #[test]
    fn modes_are_read_as_people_write_them() {
        assert_eq!(parse_mode("1280x720"), Some((1280, 720, None)));
        assert_eq!(parse_mode("1920x1080@50"), Some((1920, 1080, Some(50))));
        for wrong in ["", "1280", "1280x", "x720", "1280x720@", "1280x720@0", "0x0", "1280X720", "99999x10"] {
            assert_eq!(parse_mode(wrong), None, "{wrong}");
        }
    }
}
