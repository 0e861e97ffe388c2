//! Chooses the drivers: by their word, or by `auto`, which takes real hardware where there is some and says why.

use intercom_drivers::contract::{BoxedOpener, CaptureAudio, CaptureVideo, Display, Driver, PlayAudio, Wanted};

use super::problem::{list, nearest, quoted};
use super::reader::{Reader, Wrong};

/// A device chosen by its word.
pub struct Device<D: ?Sized + 'static> {
    /// The driver's name; what `auto` chose.
    pub driver: &'static str,
    /// What `auto` found and passed over, in words, for the log; "named in the config" if it was.
    pub why: String,
    /// The way to the device.
    pub opener: BoxedOpener<D>,
}

/// The drivers that there are to choose from; the best choice of `auto` first.
#[derive(Clone, Copy)]
pub struct Drivers<'d> {
    /// For `[camera]`.
    pub cameras: &'d [Driver<dyn CaptureVideo>],
    /// For `[microphone]`.
    pub microphones: &'d [Driver<dyn CaptureAudio>],
    /// For `[speaker]`.
    pub speakers: &'d [Driver<dyn PlayAudio>],
    /// For `[display]`.
    pub displays: &'d [Driver<dyn Display>],
}

/// Reads `[kind]` and its drivers' tables; `None` if something there is wrong, which the reader then knows.
pub(super) fn choose<D: ?Sized + 'static>(
    reader: &mut Reader<'_>,
    kind: &str,
    drivers: &[Driver<D>],
    wanted: &Wanted,
) -> Option<Device<D>> {
    let before = reader.problems();
    let word = read_word(reader, kind, drivers);
    let tables = read_tables(reader, kind, drivers);
    let table_of = |driver: &Driver<D>| {
        tables.iter().find(|(name, _)| name == driver.name).map(|(_, table)| table.clone()).unwrap_or_default()
    };
    // Every table that is in the file is checked, so that changing the one word later brings no surprise.
    let mut openers = Vec::new();
    for driver in drivers {
        let written = tables.iter().any(|(name, _)| name == driver.name);
        if written || word.as_deref() == Some(driver.name) {
            let opener = configure(reader, kind, driver, table_of(driver), wanted);
            openers.extend(opener.map(|opener| (driver.name, opener)));
        }
    }
    if reader.problems() > before {
        return None;
    }
    if drivers.is_empty() {
        let wrong = Wrong::new(format!("this build has no {kind} driver at all"));
        reader.complain(reader.line(kind), kind, wrong, "a build with at least one of cargo's driver features");
        return None;
    }
    let mut open = |reader: &mut Reader<'_>, driver: &Driver<D>| {
        let ready = openers.iter().position(|(name, _)| *name == driver.name).map(|i| openers.swap_remove(i).1);
        ready.or_else(|| configure(reader, kind, driver, table_of(driver), wanted))
    };
    if let Some(driver) = drivers.iter().find(|driver| word.as_deref() == Some(driver.name)) {
        let opener = open(reader, driver)?;
        return Some(Device { driver: driver.name, why: "named in the config".to_owned(), opener });
    }
    let mut passed_over = Vec::new();
    for driver in drivers {
        match (driver.detect)(&table_of(driver)) {
            Ok(found) => {
                let opener = open(reader, driver)?;
                let why = format!("auto: {}", sentence(&found, &passed_over));
                return Some(Device { driver: driver.name, why, opener });
            }
            Err(why_not) => passed_over.push(format!("{} passed over: {why_not}", driver.name)),
        }
    }
    // Nothing is there yet; the best one is tried for ever, so that a device plugged in later is found.
    let driver = &drivers[0];
    let opener = open(reader, driver)?;
    let why = format!("auto: {}", sentence(&format!("nothing found yet, waiting for {}", driver.name), &passed_over));
    Some(Device { driver: driver.name, why, opener })
}

fn sentence(found: &str, passed_over: &[String]) -> String {
    let parts: Vec<&str> = std::iter::once(found).chain(passed_over.iter().map(String::as_str)).collect();
    parts.join("; ")
}

/// `driver = "…"`; `None` for `auto`, or if it is wrong.
fn read_word<D: ?Sized>(reader: &mut Reader<'_>, kind: &str, drivers: &[Driver<D>]) -> Option<String> {
    let names: Vec<&str> = drivers.iter().map(|driver| driver.name).collect();
    let allowed = list(
        std::iter::once("auto").chain(names.iter().copied()).map(quoted).collect::<Vec<_>>().iter().map(String::as_str),
    );
    let shipped = reader.shipped_tables_in(kind);
    reader.text(&format!("{kind}.driver"), &allowed, |word| {
        if word == "auto" {
            Ok(None)
        } else if names.contains(&word) {
            Ok(Some(word.to_owned()))
        } else if shipped.iter().any(|name| name == word) {
            let feature = format!("{kind}-{word}");
            Err(Wrong::new(format!("this build is without {} (cargo feature {feature})", quoted(word))))
        } else {
            let candidates = names.iter().copied().chain(["auto"]);
            let near = nearest(word, candidates).map(quoted);
            Err(Wrong::near(format!("there is no {kind} driver {}", quoted(word)), near))
        }
    })
}

/// The option tables of this build's drivers that are in the file, without the keys that nobody knows.
fn read_tables<D: ?Sized>(reader: &mut Reader<'_>, kind: &str, drivers: &[Driver<D>]) -> Vec<(String, toml::Table)> {
    for driver in drivers {
        let path = format!("{kind}.{}", driver.name);
        reader.know_table(&path);
        for (option, _) in driver.options {
            reader.know(&format!("{path}.{option}"));
        }
    }
    let mut tables = Vec::new();
    for name in reader.tables_in(kind) {
        let path = format!("{kind}.{name}");
        match drivers.iter().find(|driver| driver.name == name) {
            Some(driver) => {
                let mut table = reader.plain_table(&path);
                table.retain(|key, _| driver.options.iter().any(|(option, _)| *option == key));
                tables.push((name, table));
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
        match (driver.configure)(&options, wanted) {
            Ok(opener) => return (!wrong).then_some(opener),
            Err(error) => {
                let was_there = options.remove(error.key.split('.').next().unwrap_or_default()).is_some();
                // A complaint about an option that is missing only now is ours, not the user's.
                if !wrong || was_there {
                    let path = if error.key.is_empty() { table.clone() } else { format!("{table}.{}", error.key) };
                    reader.complain(reader.line(&path), &path, Wrong::new(error.problem), &error.allowed);
                }
                wrong = true;
                if !was_there {
                    return None;
                }
            }
        }
    }
}
