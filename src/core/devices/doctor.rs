//! What is wrong with this home, in sentences with remedies: the doctor's judgement over what was looked at.

mod finding;
mod report;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use intercom_drivers::contract::{DeviceError, Fault, Sighting};
use serde::{Deserialize, Serialize};

use finding::font;
pub use finding::{Finding, FindingKind};

/// The four kinds of devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Sees home.
    Camera,
    /// Hears home.
    Microphone,
    /// Lets home hear viewers.
    Speaker,
    /// Lets home see viewers.
    Display,
}

impl Kind {
    /// All of them, in the order of the report.
    pub const ALL: [Kind; 4] = [Kind::Camera, Kind::Microphone, Kind::Speaker, Kind::Display];

    /// The word of the config and the log.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Camera => "camera",
            Kind::Microphone => "microphone",
            Kind::Speaker => "speaker",
            Kind::Display => "display",
        }
    }
}

/// The groups of a device's failures, as in [`DeviceError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Not there.
    Absent,
    /// Taken or forbidden.
    Busy,
    /// There, and not able to do what is asked.
    Unsupported,
    /// Failed in use.
    Io,
    /// The driver says what helps.
    Explained,
}

/// How a device is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum State {
    /// Nobody needed it so far.
    Untried,
    /// It opens; whether it works shows in use.
    Opens,
    /// It works.
    Works {
        /// How it showed, e.g. `1280x720 at 30 fps`; may be empty.
        how: String,
    },
    /// A microphone that gives nothing but zeros.
    Silent,
    /// It does not work.
    Fails {
        /// In which way.
        cause: Cause,
        /// In words.
        what: String,
        /// What helps, if the driver knows better than the cause tells.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remedy: Option<String>,
    },
}

impl From<&DeviceError> for State {
    fn from(error: &DeviceError) -> State {
        let (cause, what) = match error {
            DeviceError::Absent(what) | DeviceError::Outdone(what) => (Cause::Absent, what),
            DeviceError::Busy(what) => (Cause::Busy, what),
            DeviceError::Unsupported(what) => (Cause::Unsupported, what),
            DeviceError::Io(what) => (Cause::Io, what),
            DeviceError::Explained { what, .. } => (Cause::Explained, what),
        };
        let remedy = match error {
            DeviceError::Explained { remedy, .. } => Some(remedy.clone()),
            _ => None,
        };
        State::Fails { cause, what: what.clone(), remedy }
    }
}

/// A device that the intercom uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Of which kind.
    pub kind: Kind,
    /// The driver's word.
    pub driver: String,
    /// Which driver and why, e.g. `tone, because alsa found no sound card with a microphone`.
    pub why: String,
    /// `auto` chose the driver.
    pub auto: bool,
    /// The driver is one for hardware, and no stand-in.
    pub hardware: bool,
    /// The device in the driver's words.
    pub device: String,
    /// How it is.
    #[serde(flatten)]
    pub state: State,
}

/// How home is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// TCP and UDP.
    pub port: u16,
    /// The machine's addresses, best first.
    pub addresses: Vec<IpAddr>,
    /// The one that the QR code shows.
    pub best: Option<IpAddr>,
    /// `public_address` of the config, as `host:port`.
    pub public_address: Option<String>,
}

/// How the intercom is: what it tells of itself while it runs, and what the doctor finds by trying while it does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// What it uses.
    pub devices: Vec<Device>,
    /// How it is reached.
    pub network: Network,
    /// What is wrong with its certificates, in sentences with remedies.
    #[serde(default)]
    pub certificates: Vec<String>,
    /// What an owner set of home.
    #[serde(default)]
    pub house: HouseReport,
    /// That no font has the letters of the TV's language, in a sentence with a remedy.
    #[serde(default)]
    pub font: Option<String>,
}

/// What an owner set of home on a page, in `house.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HouseReport {
    /// The keys of `intercom.toml` that do not count for it, like `home.name`.
    pub replaces: Vec<String>,
    /// Why the file cannot be used, with its line; then nothing is set.
    pub problem: Option<String>,
}

/// A device file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Where.
    pub path: PathBuf,
    /// Whether we may read and write it.
    pub allowed: bool,
    /// The group that may.
    pub group: Option<String>,
    /// Who has it open, as far as we may know, e.g. `cheese (process 123)`.
    pub holders: Vec<String>,
}

impl Device {
    /// Nobody chose it: it only takes the place of hardware that is not there.
    pub fn stands_in(&self) -> bool {
        self.auto && !self.hardware
    }
}

/// A piece of hardware, used or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hardware {
    /// Of which kind.
    pub kind: Kind,
    /// What its driver saw.
    pub seen: Sighting,
    /// Its device files.
    pub nodes: Vec<Node>,
}

/// Everything that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examination {
    /// The intercom runs, and was asked instead of its devices being tried.
    pub running: bool,
    /// The user who looked, for remedies.
    pub user: String,
    /// How the intercom is.
    pub health: Health,
    /// What the machine has.
    pub hardware: Vec<Hardware>,
}

impl Examination {
    /// Whether nothing is wrong.
    pub fn is_well(&self) -> bool {
        self.findings().iter().all(|finding| !finding.wrong)
    }

    /// What is wrong, and what is good to know.
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self.health.devices.iter().filter_map(|device| self.judge(device)).collect();
        findings.extend(self.health.network.judge());
        findings.extend(self.health.certificates.iter().map(|problem| certificate(problem)));
        findings.extend(self.health.house.judge());
        findings.extend(self.health.font.as_deref().map(font));
        findings
    }

    /// The one thing about a device that matters most.
    fn judge(&self, device: &Device) -> Option<Finding> {
        let kind = device.kind;
        let tell = |sort, wrong, what, remedy| Some(Finding { about: kind.word(), kind: sort, wrong, what, remedy });
        // What its driver knows of it counts more than what is known of other hardware.
        if let State::Fails { what, remedy: Some(remedy), .. } = &device.state {
            let words = format!("The {} does not work ({what}).", kind.word());
            return tell(FindingKind::Fails, true, words, format!("{}.", capital(remedy)));
        }
        let stands_in = device.stands_in();
        if (stands_in || matches!(device.state, State::Fails { .. }))
            && let Some((what, remedy)) = self.forbidden(device)
        {
            return tell(FindingKind::Forbidden, true, what, remedy);
        }
        if stands_in && kind == Kind::Display {
            let remedy = "A TV is no must. One that is connected now is taken at the next start.";
            return tell(
                FindingKind::StandIn,
                false,
                format!("No TV is used: {}.", device.reason()),
                remedy.to_owned(),
            );
        }
        if stands_in {
            let instead = match kind {
                Kind::Camera => "viewers see a test card",
                Kind::Microphone => "viewers hear a tone",
                _ => "nobody at home hears viewers",
            };
            let remedy = format!(
                "Plug one in and start the intercom again; or, if this is meant, write driver = \"{}\" under [{}].",
                device.driver,
                kind.word()
            );
            let what = format!("{}, so {instead}.", capital(device.reason()));
            return tell(FindingKind::StandIn, true, what, remedy);
        }
        match &device.state {
            State::Fails { cause, what, .. } => {
                // A TV that is switched off is nothing to worry about, unless somebody asked for this one.
                let wrong = !(kind == Kind::Display && device.auto && *cause == Cause::Absent);
                let (what, remedy) = self.failure(device, *cause, what);
                tell((*cause).into(), wrong, what, remedy)
            }
            State::Silent => {
                let what = format!("The microphone ({}) gives nothing but digital silence.", device.device);
                let muted = self.muted(device);
                let sort = if muted.is_some() { FindingKind::Muted } else { FindingKind::Silent };
                let remedy = match muted {
                    Some((control, card)) => unmute(&control, &card),
                    None => "Look for a switch on it, choose another [microphone.alsa] device, or turn it up in \
                             `alsamixer` (F4 shows what records)."
                        .to_owned(),
                };
                tell(sort, true, what, remedy)
            }
            State::Works { .. } | State::Opens | State::Untried => {
                let (control, card) = self.muted(device)?;
                let what = format!("The {}'s control {control} on {card} is off or at zero.", kind.word());
                tell(FindingKind::Muted, true, what, unmute(&control, &card))
            }
        }
    }

    /// Hardware of a kind, that which the device's words name first.
    fn hardware_of<'a>(&'a self, device: &'a Device) -> impl Iterator<Item = &'a Hardware> {
        let of_kind = move |one: &&Hardware| one.kind == device.kind;
        let words = match &device.state {
            State::Fails { what, .. } => format!("{} {what}", device.device),
            _ => device.device.clone(),
        };
        let named = move |one: &Hardware| {
            let card = one.seen.device.split([':', ',']).find(|part| part.starts_with("CARD="));
            words.contains(&one.seen.device)
                || (!one.seen.name.is_empty() && words.contains(&one.seen.name))
                || card.is_some_and(|card| words.contains(card))
                || one.nodes.iter().any(|node| words.contains(&*node.path.to_string_lossy()))
        };
        let some_named = self.hardware.iter().filter(of_kind).any(&named);
        self.hardware.iter().filter(of_kind).filter(move |one| !some_named || named(one))
    }

    /// A device file that this user may not use.
    fn forbidden(&self, device: &Device) -> Option<(String, String)> {
        // The running intercom is another user, who knows better.
        if self.running {
            return None;
        }
        let node = self.hardware_of(device).flat_map(|one| &one.nodes).find(|node| !node.allowed)?;
        let (path, user) = (node.path.display(), &self.user);
        Some(match &node.group {
            Some(group) if group != "root" => (
                format!("The user {user} may not use {path}, which is for the group {group}."),
                format!(
                    "Type `sudo usermod -aG {group} {user}` and log in again; for a service, add the group to its \
                     SupplementaryGroups=."
                ),
            ),
            _ => (
                format!("The user {user} may not use {path}."),
                "Give the intercom's user access to it, by a udev rule for example.".to_owned(),
            ),
        })
    }

    fn failure(&self, device: &Device, cause: Cause, what: &str) -> (String, String) {
        let word = device.kind.word();
        let remedy = |error: DeviceError| format!("{}.", capital(error.remedy()));
        match cause {
            Cause::Absent if self.hardware_of(device).next().is_none() => (
                format!("No {word} was found ({what})."),
                "Plug one in; it is found by itself. If it is plugged in, try another cable or socket.".to_owned(),
            ),
            Cause::Absent => {
                let there: Vec<&str> = self.hardware_of(device).map(|one| one.seen.device.as_str()).collect();
                (
                    format!("The {word} is not there ({what})."),
                    format!("Plug it in, or name one that is there in the config: {}.", there.join(", ")),
                )
            }
            Cause::Busy => match self.hardware_of(device).flat_map(|one| &one.nodes).find(|n| !n.holders.is_empty()) {
                Some(node) => (
                    format!("The {word} {} is in use by {}.", node.path.display(), node.holders.join(", ")),
                    "End that program; the intercom then takes the device by itself.".to_owned(),
                ),
                None => (
                    format!("The {word} is in use by another program ({what})."),
                    "Run `sudo intercom doctor` to learn which one, and end it.".to_owned(),
                ),
            },
            Cause::Unsupported => {
                let offers: Vec<&str> =
                    self.hardware_of(device).flat_map(|one| &one.seen.modes).take(4).map(String::as_str).collect();
                let offers =
                    if offers.is_empty() { String::new() } else { format!(" It offers {}.", offers.join("; ")) };
                (
                    format!("The {word} has nothing that fits ({what})."),
                    format!("Choose another size, format or device in the config.{offers}"),
                )
            }
            Cause::Io | Cause::Explained => {
                (format!("The {word} fails ({what})."), remedy(DeviceError::Io(String::new())))
            }
        }
    }

    /// The control that keeps a device silent, and its card, if it is known which card that is.
    fn muted(&self, device: &Device) -> Option<(String, String)> {
        if !device.hardware {
            return None;
        }
        match &self.hardware_of(device).next()?.seen {
            Sighting { fault: Some(Fault::Muted(control)), device, .. } => Some((control.clone(), device.clone())),
            _ => None,
        }
    }
}

impl Device {
    /// Why it is this driver.
    fn reason(&self) -> &str {
        self.why.split_once("because ").map_or(&self.why, |(_, reason)| reason)
    }
}

impl Network {
    fn judge(&self) -> Option<Finding> {
        let tell = |kind, wrong, what: &str, remedy: &str| {
            Some(Finding { about: "network", kind, wrong, what: what.to_owned(), remedy: remedy.to_owned() })
        };
        match &self.public_address {
            _ if self.addresses.is_empty() => tell(
                FindingKind::NoAddress,
                true,
                "This machine has no network address, so nobody can visit.",
                "Connect the network cable, or join a wireless network.",
            ),
            Some(address) if address.parse::<SocketAddr>().is_err() => tell(
                FindingKind::Name,
                false,
                "public_address is a name: it stands in the links, but is not offered for picture and sound.",
                "If visits from outside show no picture, write the IP address there.",
            ),
            _ => None,
        }
    }
}

/// A sentence, and behind its last colon what to do.
fn certificate(problem: &str) -> Finding {
    let (what, remedy) = problem.rsplit_once(": ").unwrap_or((problem, ""));
    let (about, kind) = ("certificate", FindingKind::Certificate);
    Finding { about, kind, wrong: true, what: format!("{what}."), remedy: capital(remedy) }
}

fn unmute(control: &str, card: &str) -> String {
    let card = card.split([':', ',']).find_map(|part| part.strip_prefix("CARD=")).unwrap_or("0");
    format!("Type `amixer -c {card} set '{control}' 80% on`, or open it in `alsamixer -c {card}`.")
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
