//! The command line: what it says, what it means, and what to answer if it means nothing.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use intercom_core::people::edit::{Edit, Setting};
use intercom_core::people::entering::{Entering, InQuietHours};
use intercom_core::people::names;
use intercom_core::people::register::{Role, Wish};
use lexopt::{Arg, Parser, ValueExt};

use crate::config::{key_of, nearest};

mod command;
mod help;
pub mod people;
#[cfg(test)]
mod tests;
pub mod visits;

pub use command::Command;
use help::{
    CALL_HELP, CHECK_HELP, CURTAIN_HELP, DOCTOR_HELP, DRIVERS_HELP, HELP, LINK_HELP, MUTE_HELP, NAME_HELP, PEOPLE_HELP,
    RESET_HELP, RUN_HELP, SETTINGS_HELP, STATUS_HELP, STICK_HELP, UPDATE_HELP, VISITS_HELP, WIFI_HELP, help_command,
};

/// Exit code: done.
pub const DONE: u8 = 0;
/// Exit code: it failed at run time.
pub const FAILED: u8 = 1;
/// Exit code: the command line or the config is wrong; trying again does not help.
pub const WRONG: u8 = 2;

/// Why a command line means nothing; answered with exit code [`WRONG`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageError {
    what: String,
    nearest: Option<String>,
    help: &'static str,
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "intercom: {}", self.what)?;
        if let Some(nearest) = &self.nearest {
            write!(f, "; did you mean `{nearest}`?")?;
        }
        write!(f, "\n`{}` tells more.", self.help)
    }
}

impl std::error::Error for UsageError {}

/// What `--version` prints.
pub const VERSION: &str = concat!("intercom ", env!("CARGO_PKG_VERSION"));

const PEOPLE: [&str; 11] = [
    "--name",
    "--no-name",
    "--role",
    "--entering",
    "--in-quiet-hours",
    "--quiet-hours",
    "--json",
    "--save",
    "--restore",
    "--config",
    "--help",
];

/// The commands, each with its options and its help.
const COMMANDS: [(&str, &[&str], &str); 17] = [
    ("run", &["--config", "--no-link", "--last-good", "--notices", "--invite-key", "--help"], RUN_HELP),
    ("link", &["--tv", "--name", "--role", "--days", "--devices", "--revoke", "--config", "--help"], LINK_HELP),
    ("people", &PEOPLE, PEOPLE_HELP),
    ("mute", &["--off", "--config", "--help"], MUTE_HELP),
    ("curtain", &["--off", "--config", "--help"], CURTAIN_HELP),
    ("visits", &["--erase", "--json", "--config", "--help"], VISITS_HELP),
    ("call", &["--config", "--help"], CALL_HELP),
    ("status", &["--config", "--help"], STATUS_HELP),
    ("reset", &["--config", "--help"], RESET_HELP),
    ("doctor", &["--config", "--json", "--help"], DOCTOR_HELP),
    ("check", &["--config", "--help"], CHECK_HELP),
    ("update", &["--restart", "--confirm", "--config", "--last-good", "--help"], UPDATE_HELP),
    ("settings", &["--help"], SETTINGS_HELP),
    ("wifi", &["--help"], WIFI_HELP),
    ("name", &["--help"], NAME_HELP),
    ("stick", &["--config", "--help"], STICK_HELP),
    ("drivers", &["--help"], DRIVERS_HELP),
];

/// Reads the arguments behind the program's name.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, UsageError> {
    let mut parser = Parser::from_args(args);
    match parser.next().map_err(|error| odd(error, "intercom --help"))? {
        None => Err(usage(
            "say what to do: run, link, people, mute, curtain, visits, call, status, reset, doctor, check, update, settings, wifi, name, stick or drivers"
                .to_owned(),
        )),
        Some(Arg::Short('h') | Arg::Long("help")) => Ok(Command::Help(HELP)),
        Some(Arg::Short('V') | Arg::Long("version")) => Ok(Command::Version),
        Some(Arg::Value(word)) => {
            let word = word.to_string_lossy().into_owned();
            match COMMANDS.iter().find(|(name, ..)| *name == word) {
                Some((name, options, help)) => read_command(&mut parser, name, options, help),
                None if word == "help" => Ok(Command::Help(help_on(&mut parser))),
                None => {
                    let near = nearest(&word, COMMANDS.iter().map(|(name, ..)| *name));
                    let nearest = near.map(|name| format!("intercom {name}"));
                    Err(UsageError { nearest, ..usage(format!("there is no command `{word}`")) })
                }
            }
        }
        Some(option) => {
            let name = spelled(&option);
            // The likeliest slip is an option that stands before its command.
            let owner = COMMANDS.iter().find(|(_, options, _)| options.contains(&name.as_str()));
            let near = match owner {
                Some((command, ..)) => Some(format!("intercom {command} {name}")),
                None => nearest(&name, ["--help", "--version"]).map(str::to_owned),
            };
            Err(UsageError { nearest: near, ..usage(format!("there is no option `{name}` here")) })
        }
    }
}

fn read_command(
    parser: &mut Parser,
    name: &'static str,
    options: &[&'static str],
    help: &'static str,
) -> Result<Command, UsageError> {
    let help_command = help_command(name);
    let wrong = |what: String| UsageError { what, nearest: None, help: help_command };
    let mut given = Given::default();
    while let Some(arg) = parser.next().map_err(|error| odd(error, help_command))? {
        match arg {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help(help)),
            Arg::Value(word) => given.take_word(name, word).map_err(wrong)?,
            other => {
                let option = spelled(&other);
                if !options.contains(&option.as_str()) {
                    let nearest = nearest(&option, options.iter().copied()).map(str::to_owned);
                    let what = format!("`intercom {name}` has no option `{option}`; it has {}", options.join(", "));
                    return Err(UsageError { nearest, ..wrong(what) });
                }
                given.take_option(&option, parser).map_err(wrong)?;
            }
        }
    }
    given.into_command(name).map_err(wrong)
}

/// What stands behind a command, each thing once. Whether they go together, the command decides.
#[derive(Default)]
struct Given {
    config: Option<PathBuf>,
    last_good: Option<PathBuf>,
    notices: Option<PathBuf>,
    invite_key: Option<u16>,
    source: Option<String>,
    operands: Vec<OsString>,
    revoke: Option<u64>,
    person: Option<u64>,
    edit: Edit,
    no_name: bool,
    viewer: Option<String>,
    role: Option<Role>,
    days: Option<u64>,
    devices: Option<u64>,
    no_link: bool,
    tv: bool,
    json: bool,
    off: bool,
    restart: bool,
    confirm: bool,
    erase: bool,
    save: Option<PathBuf>,
    restore: Option<PathBuf>,
}

impl Given {
    fn take_word(&mut self, command: &str, word: OsString) -> Result<(), String> {
        match command {
            "check" => set_config(&mut self.config, PathBuf::from(word)),
            "update" => {
                let text = word.into_string().map_err(|_| "that is not UTF-8 text".to_owned())?;
                set_once(&mut self.source, text, "one update at a time")
            }
            "people" | "call" => set_once(&mut self.person, people::number(&word)?, "one person at a time"),
            "settings" | "wifi" | "name" | "stick" if self.operands.len() < 2 => {
                self.operands.push(word);
                Ok(())
            }
            _ => Err(format!("`intercom {command}` does not know what to do with `{}`", word.to_string_lossy())),
        }
    }

    /// `option` is one that the command has; its value is the next that the parser finds.
    fn take_option(&mut self, option: &str, parser: &mut Parser) -> Result<(), String> {
        let mut value = |what: &str| parser.value().map_err(|_| format!("`{option}` needs {what}"));
        match option {
            "--config" => set_config(&mut self.config, value("a file behind it")?.into())?,
            "--last-good" => self.last_good = Some(value("a file behind it")?.into()),
            "--notices" => self.notices = Some(value("a folder behind it")?.into()),
            "--invite-key" => {
                let name = value("a key's name behind it")?;
                let key = key_of(&name.to_string_lossy()).map_err(|why| format!("`--invite-key`: {why}"))?;
                self.invite_key = Some(key);
            }
            "--save" => set_once(&mut self.save, value("a folder behind it")?.into(), "`--save` is there twice")?,
            "--restore" => {
                set_once(&mut self.restore, value("a folder behind it")?.into(), "`--restore` is there twice")?
            }
            "--revoke" => {
                let text = value("the number")?;
                let number = text
                    .parse()
                    .map_err(|_| format!("`--revoke {}`: a whole number is wanted", text.to_string_lossy()))?;
                set_once(&mut self.revoke, number, "`--revoke` is there twice; one at a time")?;
            }
            "--name" => {
                let text = value("the viewer's name")?;
                let name = names::tidy(&text.to_string_lossy()).map_err(|why| format!("`--name`: {why}"))?;
                set_once(&mut self.viewer, name, "`--name` is there twice; one viewer at a time")?;
            }
            "--role" => {
                let word = value("owner, family or guest")?;
                let role = Role::WORDS.iter().find(|(known, _)| word == *known).map(|(_, role)| *role);
                let role = role.ok_or_else(|| format!("`--role {}`: it is owner, family or guest", word.display()))?;
                set_once(&mut self.role, role, "`--role` is there twice; a person has one")?;
            }
            "--no-name" => self.no_name = true,
            "--entering" => {
                let way = people::word(option, &value("a word")?, &Entering::WORDS)?;
                set_once(&mut self.edit.entering, way, "`--entering` is there twice")?;
            }
            "--in-quiet-hours" => {
                let rule = people::word(option, &value("a word")?, &InQuietHours::WORDS)?;
                set_once(&mut self.edit.in_quiet_hours, rule, "`--in-quiet-hours` is there twice")?;
            }
            "--quiet-hours" => {
                let hours = people::hours(option, &value("hours such as 22:00-07:00, or none")?)?;
                set_once(&mut self.edit.quiet_hours, hours, "`--quiet-hours` is there twice")?;
            }
            "--days" => set_number(&mut self.days, option, &value("a number")?, Wish::DAYS)?,
            "--devices" => set_number(&mut self.devices, option, &value("a number")?, Wish::DEVICES)?,
            "--tv" => self.tv = true,
            "--off" => self.off = true,
            "--no-link" => self.no_link = true,
            "--json" => self.json = true,
            "--erase" => self.erase = true,
            "--restart" => self.restart = true,
            "--confirm" => self.confirm = true,
            other => return Err(format!("`{other}` is not read")),
        }
        Ok(())
    }

    fn into_command(self, name: &str) -> Result<Command, String> {
        let Given { config, last_good, notices, invite_key, source, operands, revoke, viewer, days, devices, .. } =
            self;
        let Given { no_link, tv, json, off, restart, confirm, role, person, edit, no_name, erase, .. } = self;
        let Given { save, restore, .. } = self;
        let limits = days.or(devices).is_some();
        Ok(match name {
            "run" => Command::Run { config, no_link, last_good, notices, invite_key },
            "link" if revoke.is_some() && (tv || viewer.is_some() || role.is_some() || limits) => {
                return Err("`--revoke` ends somebody; it goes with neither `--tv` nor what a new link has".to_owned());
            }
            "link" if tv && limits => {
                return Err("a code on the TV is for one device, within ten minutes".to_owned());
            }
            "link" => {
                let usual = Wish::default();
                let role = role.unwrap_or_default();
                let (days, devices) = (days.unwrap_or(usual.days), devices.unwrap_or(usual.devices));
                Command::Link { revoke, tv, wish: Wish { name: viewer, role, person: None, days, devices }, config }
            }
            "people" if no_name && viewer.is_some() => return Err("`--name` goes not with `--no-name`".to_owned()),
            "people" => {
                let name = viewer.map(Setting::To).or(no_name.then_some(Setting::Default));
                let edit = Edit { name, role, ..edit };
                let alone = person.is_none() && edit.is_empty() && !json;
                match (save, restore) {
                    (None, None) => {}
                    (Some(folder), None) if alone => return Ok(Command::SavePeople { folder, config }),
                    (None, Some(folder)) if alone => return Ok(Command::RestorePeople { folder, config }),
                    _ => {
                        return Err("`--save` and `--restore` are about everybody, and go with nothing else".to_owned());
                    }
                }
                if person.is_none() && !edit.is_empty() {
                    return Err("whom shall that change? Put the person's number behind `intercom people`".to_owned());
                }
                if json && !edit.is_empty() {
                    return Err("`--json` lists people; it goes with no change".to_owned());
                }
                Command::People { person, edit, json, config }
            }
            "mute" => Command::Mute { off, config },
            "curtain" => Command::Curtain { off, config },
            "visits" if json && erase => return Err("`--erase` goes not with `--json`".to_owned()),
            "visits" => Command::Visits { erase, json, config },
            "call" => Command::Call { person, config },
            "status" => Command::Status { config },
            "reset" => Command::Reset { config },
            "doctor" => Command::Doctor { config, json },
            "check" => Command::Check { config },
            "update" if confirm && (source.is_some() || restart) => {
                return Err("`--confirm` goes with nothing else".to_owned());
            }
            "update" => Command::Update { source, restart, confirm, config, last_good },
            "settings" | "name" | "stick" => {
                let two = if name == "stick" { "a folder and a file" } else { "two folders" };
                let missing = |_| format!("`intercom {name}` needs {two} behind it");
                let [from, to] = <[OsString; 2]>::try_from(operands).map_err(missing)?.map(PathBuf::from);
                match name {
                    "name" => Command::Name { from, to },
                    "stick" => Command::Stick { folder: from, notice: to, config },
                    _ => Command::Settings { from, to },
                }
            }
            "wifi" => {
                let missing = || "`intercom wifi` needs an interface and a folder behind it".to_owned();
                let [interface, folder] = <[OsString; 2]>::try_from(operands).map_err(|_| missing())?;
                Command::Wifi { interface: interface.into_string().map_err(|_| missing())?, folder: folder.into() }
            }
            _ => Command::Drivers,
        })
    }
}

fn set_once<T>(slot: &mut Option<T>, value: T, otherwise: &str) -> Result<(), String> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(otherwise.to_owned()),
    }
}

fn set_config(slot: &mut Option<PathBuf>, path: PathBuf) -> Result<(), String> {
    set_once(slot, path, "two config files are named; there can be one")
}

fn set_number(slot: &mut Option<u64>, option: &str, text: &OsStr, allowed: RangeInclusive<u64>) -> Result<(), String> {
    let number = text.to_str().and_then(|text| text.parse().ok()).filter(|number| allowed.contains(number));
    let number = number.ok_or_else(|| {
        let (least, most) = (allowed.start(), allowed.end());
        format!("`{option} {}`: {least} to {most} are allowed", text.to_string_lossy())
    })?;
    set_once(slot, number, &format!("`{option}` is there twice"))
}

/// `intercom help COMMAND`.
fn help_on(parser: &mut Parser) -> &'static str {
    let Ok(Some(Arg::Value(word))) = parser.next() else { return HELP };
    COMMANDS.iter().find(|(name, ..)| word == *name).map_or(HELP, |(_, _, help)| help)
}

fn usage(what: String) -> UsageError {
    UsageError { what, nearest: None, help: "intercom --help" }
}

/// What the parser itself refuses, such as a value for an option that takes none.
fn odd(error: lexopt::Error, help: &'static str) -> UsageError {
    UsageError { what: error.to_string(), nearest: None, help }
}

fn spelled(arg: &Arg<'_>) -> String {
    match arg {
        Arg::Short(letter) => format!("-{letter}"),
        Arg::Long(name) => format!("--{name}"),
        Arg::Value(word) => word.to_string_lossy().into_owned(),
    }
}
