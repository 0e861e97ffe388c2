//! All drivers of this build, in const tables: the best choice of `auto` first, its stand-in last.

use std::fmt;

use crate::contract::{CaptureAudio, CaptureVideo, Display, Driver, PlayAudio};

/// Every camera driver of this build.
pub const CAMERAS: &[Driver<dyn CaptureVideo>] = &[
    #[cfg(feature = "camera-v4l2")]
    crate::camera::v4l2::DRIVER,
    #[cfg(feature = "camera-http-mjpeg")]
    crate::camera::http_mjpeg::DRIVER,
    #[cfg(feature = "camera-exec")]
    crate::camera::exec::DRIVER,
    #[cfg(feature = "camera-test-card")]
    crate::camera::test_card::DRIVER,
];

/// Every microphone driver of this build.
pub const MICROPHONES: &[Driver<dyn CaptureAudio>] = &[
    #[cfg(feature = "microphone-alsa")]
    crate::microphone::alsa::DRIVER,
    #[cfg(feature = "microphone-exec")]
    crate::microphone::exec::DRIVER,
    #[cfg(feature = "microphone-tone")]
    crate::microphone::tone::DRIVER,
];

/// Every speaker driver of this build.
pub const SPEAKERS: &[Driver<dyn PlayAudio>] = &[
    #[cfg(feature = "speaker-alsa")]
    crate::speaker::alsa::DRIVER,
    #[cfg(feature = "speaker-wav")]
    crate::speaker::wav::DRIVER,
    #[cfg(feature = "speaker-none")]
    crate::speaker::none::DRIVER,
];

/// Every display driver of this build.
pub const DISPLAYS: &[Driver<dyn Display>] = &[
    #[cfg(feature = "display-drm")]
    crate::display::drm::DRIVER,
    #[cfg(feature = "display-exec")]
    crate::display::exec::DRIVER,
    #[cfg(feature = "display-png")]
    crate::display::png::DRIVER,
    #[cfg(feature = "display-none")]
    crate::display::none::DRIVER,
];

/// The word that lets the machine choose.
pub const AUTO: &str = "auto";

/// The driver of this name.
pub fn find<D: ?Sized>(table: &'static [Driver<D>], name: &str) -> Option<&'static Driver<D>> {
    table.iter().find(|driver| driver.name == name)
}

/// The names that a config may use for this table, `auto` first: for the answer to a wrong one.
pub fn names<D: ?Sized>(table: &'static [Driver<D>]) -> Vec<&'static str> {
    std::iter::once(AUTO).chain(table.iter().map(|driver| driver.name)).collect()
}

/// What `auto` chose.
pub struct Choice<D: ?Sized + 'static> {
    /// The driver.
    pub driver: &'static Driver<D>,
    /// Which and why in one sentence, e.g. `camera: test-card, because v4l2 found no /dev/video*`.
    pub why: String,
}

impl<D: ?Sized> fmt::Debug for Choice<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Choice({})", self.why)
    }
}

/// Chooses the first driver that has something to work with now. `kind` is the word for the log (`camera`),
/// `section` the config's table of that kind, whose sub-tables are the drivers' options. `Err` says why
/// none will do.
pub fn auto<D: ?Sized>(kind: &str, table: &'static [Driver<D>], section: &toml::Table) -> Result<Choice<D>, String> {
    let none = toml::Table::new();
    let mut passed_over = Vec::new();
    for driver in table {
        let options = section.get(driver.name).and_then(toml::Value::as_table).unwrap_or(&none);
        match (driver.detect)(options) {
            Ok(found) => {
                let why = if passed_over.is_empty() {
                    format!("{kind}: {}, {found}", driver.name)
                } else {
                    format!("{kind}: {}, because {}", driver.name, passed_over.join(" and "))
                };
                return Ok(Choice { driver, why });
            }
            // What is never chosen by itself is no reason for anything.
            Err(why) if why.ends_with(MUST_BE_NAMED) => {}
            Err(why) => passed_over.push(why),
        }
    }
    Err(match passed_over.as_slice() {
        [] => format!("this build has no {kind} driver that auto may choose"),
        _ => format!("{kind}: none, because {}", passed_over.join(" and ")),
    })
}

/// How the detection of a driver ends that only the config may choose.
pub(crate) const MUST_BE_NAMED: &str = "must be named";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{BoxedOpener, ConfigError, Wanted};

    fn no_opener(_: &toml::Table, _: &Wanted) -> Result<BoxedOpener<dyn PlayAudio>, ConfigError> {
        Err(ConfigError { key: "x".into(), problem: "a fake".into(), allowed: "nothing".into() })
    }

    const fn fake(name: &'static str, detect: fn(&toml::Table) -> Result<String, String>) -> Driver<dyn PlayAudio> {
        Driver { name, summary: "a fake", options: &[], configure: no_opener, detect, survey: None }
    }

    static FAKES: &[Driver<dyn PlayAudio>] = &[
        fake("card", |options| {
            if options.contains_key("device") {
                Ok("found the named device".into())
            } else {
                Err("card found no card".into())
            }
        }),
        fake("file", |_| Err("file must be named".into())),
        fake("none", |_| Ok("the stand-in".into())),
    ];

    #[test]
    fn auto_says_which_and_why() {
        let none = toml::Table::new();
        let choice = auto("speaker", FAKES, &none).expect("the stand-in");
        assert_eq!((choice.driver.name, choice.why.as_str()), ("none", "speaker: none, because card found no card"));
        let named = "[card]\ndevice = 'x'".parse().unwrap();
        let choice = auto("speaker", FAKES, &named).expect("the card");
        assert_eq!(choice.why, "speaker: card, found the named device");
        let error = auto("speaker", &FAKES[..2], &none).expect_err("nothing fits");
        assert_eq!(error, "speaker: none, because card found no card");
        assert_eq!(names(FAKES), ["auto", "card", "file", "none"]);
        assert!(find(FAKES, "file").is_some() && find(FAKES, "auto").is_none());
    }

    fn check<D: ?Sized>(kind: &str, table: &'static [Driver<D>]) {
        let wanted =
            Wanted { camera: crate::contract::VideoMode { width: 640, height: 480, rate: 30.0 }, display: (640, 480) };
        for driver in table {
            assert!(driver.name != AUTO && !driver.summary.is_empty());
            assert_eq!(table.iter().filter(|other| other.name == driver.name).count(), 1, "{} twice", driver.name);
            let bad = toml::Table::from_iter([("no_such_key".to_string(), toml::Value::Boolean(true))]);
            let error = (driver.configure)(&bad, &wanted).err().expect("an unknown key is refused");
            assert_eq!(error.key, "no_such_key", "{kind} {}", driver.name);
            for (key, _) in driver.options {
                assert!(error.allowed.contains(key), "{kind} {} does not tell of {key}", driver.name);
            }
            if let Ok(opener) = (driver.configure)(&toml::Table::new(), &wanted) {
                assert!(!opener.describe().is_empty());
            }
        }
    }

    #[test]
    fn every_driver_of_this_build_keeps_the_tables_promises() {
        check("camera", CAMERAS);
        check("microphone", MICROPHONES);
        check("speaker", SPEAKERS);
        check("display", DISPLAYS);
    }
}
