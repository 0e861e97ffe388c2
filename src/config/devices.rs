//! Chooses the drivers: by their word, or by `auto`, which takes real hardware where there is some and says why.

use intercom_core::devices::doctor::{self, Kind};
use intercom_drivers::contract::{
    BoxedOpener, CaptureAudio, CaptureVideo, Display, Driver, PlayAudio, Sighting, Wanted,
};
use intercom_drivers::registry;

use super::problem::{list, nearest, quoted};
use super::reader::{Reader, Wrong};

/// A device chosen by its word.
pub struct Device<D: ?Sized + 'static> {
    /// The driver's name; what `auto` chose.
    pub driver: &'static str,
    /// `auto` chose it.
    pub auto: bool,
    /// It is a driver of hardware, and no stand-in.
    pub hardware: bool,
    /// Which driver and why, for the log, e.g. `camera: test-card, because v4l2 found no camera`.
    pub why: String,
    /// The way to the device.
    pub opener: BoxedOpener<D>,
}

/// The drivers that there are to choose from; the best choice of `auto` first.
#[derive(Clone, Copy)]
pub struct Drivers {
    /// For `[camera]`.
    pub cameras: &'static [Driver<dyn CaptureVideo>],
    /// For `[microphone]`.
    pub microphones: &'static [Driver<dyn CaptureAudio>],
    /// For `[speaker]`.
    pub speakers: &'static [Driver<dyn PlayAudio>],
    /// For `[display]`.
    pub displays: &'static [Driver<dyn Display>],
}

impl Drivers {
    /// All hardware that the drivers of this build see, with the kind that it is of.
    pub fn survey(&self) -> Vec<(Kind, Sighting)> {
        fn of<D: ?Sized>(kind: Kind, drivers: &[Driver<D>], all: &mut Vec<(Kind, Sighting)>) {
            let surveys = drivers.iter().filter_map(|driver| driver.survey);
            all.extend(surveys.flat_map(|survey| survey()).map(|seen| (kind, seen)));
        }
        let mut all = Vec::new();
        of(Kind::Camera, self.cameras, &mut all);
        of(Kind::Microphone, self.microphones, &mut all);
        of(Kind::Speaker, self.speakers, &mut all);
        of(Kind::Display, self.displays, &mut all);
        all
    }
}

impl<D: ?Sized> Device<D> {
    /// For the doctor: what is to be tried, or used, and nothing yet of how it is.
    pub fn untried(&self, kind: Kind) -> doctor::Device {
        doctor::Device {
            kind,
            driver: self.driver.to_owned(),
            why: self.why.strip_prefix(&format!("{}: ", kind.word())).unwrap_or(&self.why).to_owned(),
            auto: self.auto,
            hardware: self.hardware,
            device: self.opener.describe(),
            state: doctor::State::Untried,
        }
    }
}

/// Reads `[kind]` and its drivers' tables; `None` if something there is wrong, which the reader then knows.
pub(super) fn choose<D: ?Sized + 'static>(
    reader: &mut Reader<'_>,
    kind: &str,
    drivers: &'static [Driver<D>],
    wanted: &Wanted,
) -> Option<Device<D>> {
    let before = reader.problems();
    let named = read_word(reader, kind, drivers);
    let tables = read_tables(reader, kind, drivers);
    let table_of =
        |driver: &Driver<D>| tables.get(driver.name).and_then(toml::Value::as_table).cloned().unwrap_or_default();
    // Every table that is in the file is checked, so that changing the one word later brings no surprise.
    let mut openers = Vec::new();
    for driver in drivers {
        if tables.contains_key(driver.name) || named.is_some_and(|named| named.name == driver.name) {
            let opener = configure(reader, kind, driver, table_of(driver), wanted);
            openers.extend(opener.map(|opener| (driver.name, opener)));
        }
    }
    if reader.problems() > before {
        return None;
    }
    let (driver, why) = match named {
        Some(driver) => (driver, format!("{kind}: {}, as the config says", driver.name)),
        None => match registry::auto(kind, drivers, &tables) {
            Ok(choice) => (choice.driver, choice.why),
            Err(why) => {
                // Nothing is there yet; the best one is tried for ever, so that a device plugged in later is found.
                let Some(driver) = drivers.iter().find(|driver| (driver.configure)(&table_of(driver), wanted).is_ok())
                else {
                    let wrong = Wrong::new(format!("this build has no {kind} driver that auto may choose"));
                    let line = reader.line(kind);
                    reader.complain(line, kind, wrong, &words_of(drivers));
                    return None;
                };
                (driver, format!("{why}; waiting for {}", driver.name))
            }
        },
    };
    let ready = openers.into_iter().find(|(name, _)| *name == driver.name).map(|(_, opener)| opener);
    let opener = ready.or_else(|| configure(reader, kind, driver, table_of(driver), wanted))?;
    let (auto, hardware) = (named.is_none(), driver.survey.is_some());
    Some(Device { driver: driver.name, auto, hardware, why, opener })
}

/// What `driver =` may say.
fn words_of<D: ?Sized>(drivers: &'static [Driver<D>]) -> String {
    let words: Vec<String> = registry::names(drivers).into_iter().map(quoted).collect();
    list(words.iter().map(String::as_str))
}

/// `driver = "…"`; `None` for `auto`, or if it is wrong.
fn read_word<D: ?Sized>(
    reader: &mut Reader<'_>,
    kind: &str,
    drivers: &'static [Driver<D>],
) -> Option<&'static Driver<D>> {
    let shipped = reader.shipped_tables_in(kind);
    reader.text(&format!("{kind}.driver"), &words_of(drivers), |word| {
        if word == registry::AUTO {
            return Ok(None);
        }
        if let Some(driver) = registry::find(drivers, word) {
            return Ok(Some(driver));
        }
        if shipped.iter().any(|name| name == word) {
            let feature = format!("{kind}-{word}");
            return Err(Wrong::new(format!("this build is without {} (cargo feature {feature})", quoted(word))));
        }
        let near = nearest(word, registry::names(drivers)).map(quoted);
        Err(Wrong::near(format!("there is no {kind} driver {}", quoted(word)), near))
    })
}

/// The option tables of this build's drivers that are in the file, without the keys that nobody knows.
fn read_tables<D: ?Sized>(reader: &mut Reader<'_>, kind: &str, drivers: &'static [Driver<D>]) -> toml::Table {
    for driver in drivers {
        let path = format!("{kind}.{}", driver.name);
        reader.know_table(&path);
        for (option, _) in driver.options {
            reader.know(&format!("{path}.{option}"));
        }
    }
    let mut tables = toml::Table::new();
    for name in reader.tables_in(kind) {
        let path = format!("{kind}.{name}");
        match registry::find(drivers, &name) {
            Some(driver) => {
                let mut table = reader.plain_table(&path);
                table.retain(|key, _| driver.options.iter().any(|(option, _)| *option == key));
                tables.insert(name, toml::Value::Table(table));
            }
            // The shipped file has tables for all drivers, and a smaller build must not stumble over them.
            None if reader.shipped_tables_in(kind).contains(&name) => reader.skip_table(&path),
            None => {}
        }
    }
    tables
}

/// Asks the driver for its opinion until nothing new is wrong. A driver names one wrong option at a time; that
/// one is then taken out, so that the next one is found as well.
fn configure<D: ?Sized>(
    reader: &mut Reader<'_>,
    kind: &str,
    driver: &Driver<D>,
    mut options: toml::Table,
    wanted: &Wanted,
) -> Option<BoxedOpener<D>> {
    let table = format!("{kind}.{}", driver.name);
    let mut wrong = false;
    loop {
        let error = match (driver.configure)(&options, wanted) {
            Ok(opener) => return (!wrong).then_some(opener),
            Err(error) => error,
        };
        let was = options.remove(error.key.split('.').next().unwrap_or_default());
        // A complaint about an option that is missing only now is ours, not the user's.
        if !wrong || was.is_some() {
            let path = if error.key.is_empty() { table.clone() } else { format!("{table}.{}", error.key) };
            let meant = was.as_ref().and_then(toml::Value::as_str).and_then(|word| meant(word, &error.allowed));
            reader.complain(reader.line(&path), &path, Wrong::near(error.problem, meant), &error.allowed);
        }
        wrong = true;
        was.as_ref()?;
    }
}

/// The word that a driver allows and that is nearest to `word`.
fn meant(word: &str, allowed: &str) -> Option<String> {
    let words = allowed.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '_').filter(|word| word.len() > 2);
    nearest(word, words).map(quoted)
}
