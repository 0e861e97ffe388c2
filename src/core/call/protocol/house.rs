//! What the messages say of home itself, for an owner's page.

use serde::{Deserialize, Serialize};

use crate::devices::doctor::{Finding, FindingKind};
use crate::people::visits::Outcome;

/// Home, for an owner's page.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct HomeInfo {
    /// What an owner has set.
    pub set: HomeWish,
    /// What holds.
    pub holds: HomeValues,
    /// The least volume that may be set, in percent.
    pub volume_least: u8,
    /// The most; no more than the least means that it cannot be set.
    pub volume_most: u8,
    /// The program's version.
    pub version: String,
    /// Home has looked at itself; before that it has no findings.
    pub looked: bool,
    /// What is wrong, and what is good to know.
    pub findings: Vec<FindingInfo>,
    /// What the TV has to tell, in the language that the page wanted.
    pub notices: Vec<String>,
    /// How home is reached.
    pub reach: ReachInfo,
}

/// What an owner sets of home: everything, whatever of it is new. `null`: as `intercom.toml` has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct HomeWish {
    /// Its name.
    pub name: Option<String>,
    /// How loud viewers are at home when it starts, in percent.
    pub volume: Option<u8>,
    /// How loud the chimes are, in percent; 0: none.
    pub chime: Option<u8>,
    /// The TV's language (ISO 639-1).
    pub language: Option<String>,
}

/// What holds of that.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct HomeValues {
    /// See [`HomeWish`].
    pub name: String,
    /// See [`HomeWish`].
    pub volume: u8,
    /// See [`HomeWish`].
    pub chime: u8,
    /// See [`HomeWish`].
    pub language: String,
}

/// A finding of the doctor.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct FindingInfo {
    /// What it is about: `camera`, `microphone`, `speaker`, `display`, `network`, `certificate` or `house`.
    pub about: String,
    /// Of which sort it is.
    pub kind: FindingKind,
    /// Something is wrong; if not, it is only good to know.
    pub wrong: bool,
    /// A sentence in English.
    pub what: String,
    /// What can be done about it, in English.
    pub remedy: String,
}

impl From<&Finding> for FindingInfo {
    fn from(finding: &Finding) -> FindingInfo {
        let Finding { about, kind, wrong, what, remedy } = finding.clone();
        FindingInfo { about: about.to_owned(), kind, wrong, what, remedy }
    }
}

/// How home is reached, as far as it knows.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct ReachInfo {
    /// TCP and UDP.
    pub port: u16,
    /// Its own addresses, best first.
    pub addresses: Vec<String>,
    /// `public_address` of the config, as `host:port`.
    pub public: Option<String>,
    /// When a viewer from beyond home's network was inside last, UTC in seconds since 1970; `null`: nobody since home started.
    pub outside: Option<u64>,
    /// Where the viewer comes from who asks.
    pub you: Origin,
}

/// Where a viewer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Home's own network.
    Home,
    /// Beyond it.
    Outside,
}

/// A change of who may do what, for owners.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct NewsInfo {
    /// Later ones have greater numbers.
    pub number: u64,
    /// `device`, `owner`, `rights` or `removed`.
    pub what: Outcome,
    /// Whom it is about.
    pub person: u64,
    /// What home called them then.
    pub name: Option<String>,
    /// When, UTC in seconds since 1970.
    pub at: u64,
}
