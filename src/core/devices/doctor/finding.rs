//! What the doctor found.

use serde::{Deserialize, Serialize};

use super::{Cause, HouseReport};

/// Of which sort a [`Finding`] is, for programs that have words of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// The device is not there.
    Absent,
    /// There was none when the intercom started; a test card, a tone or silence takes its place.
    StandIn,
    /// Another program has the device.
    Busy,
    /// The intercom may not use its file.
    Forbidden,
    /// It can do nothing that is asked of it.
    Unsupported,
    /// It fails in use.
    Fails,
    /// The microphone gives nothing but zeros.
    Silent,
    /// A mixer's control is off or at zero.
    Muted,
    /// The machine has no network address.
    NoAddress,
    /// `public_address` is a name.
    Name,
    /// About a certificate.
    Certificate,
    /// About what an owner set.
    House,
    /// A look at a device does not end.
    Hangs,
    /// No font has the letters of the TV's language.
    Font,
}

/// Something worth telling.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about: a kind's word, `network`, `certificate` or `house`.
    pub about: &'static str,
    /// Of which sort it is.
    pub kind: FindingKind,
    /// Something is wrong; if not, it is only good to know.
    pub wrong: bool,
    /// A sentence.
    pub what: String,
    /// What a person can do about it.
    pub remedy: String,
}

impl From<Cause> for FindingKind {
    fn from(cause: Cause) -> FindingKind {
        match cause {
            Cause::Absent => FindingKind::Absent,
            Cause::Busy => FindingKind::Busy,
            Cause::Unsupported => FindingKind::Unsupported,
            Cause::Io | Cause::Explained => FindingKind::Fails,
        }
    }
}

impl HouseReport {
    pub(super) fn judge(&self) -> Option<Finding> {
        let tell = |wrong, what, remedy: &str| {
            Some(Finding { about: "house", kind: FindingKind::House, wrong, what, remedy: remedy.to_owned() })
        };
        match (&self.problem, self.replaces.is_empty()) {
            (Some(problem), _) => tell(
                true,
                format!("What an owner set of home does not count: {problem}."),
                "Correct the file, or set it anew on an owner's page.",
            ),
            (None, false) => tell(
                false,
                format!("An owner has set {} on a page, which goes before intercom.toml.", self.replaces.join(", ")),
                "It is changed on an owner's page, under Home.",
            ),
            (None, true) => None,
        }
    }
}

/// A sentence, and behind its last full stop what helps.
pub(super) fn font(problem: &str) -> Finding {
    let (what, remedy) = problem.split_once(". ").unwrap_or((problem, ""));
    let (about, kind) = ("display", FindingKind::Font);
    Finding { about, kind, wrong: true, what: format!("{what}."), remedy: format!("{remedy}.") }
}
