//! `[buttons]`: which keys of keyboards, keypads and remote controls at home do what.
//!
//! A key that is written does one thing. What "auto" means gives way to it, and so do the twins of `KEY_ENTER`.

use evdev::KeyCode;

use super::problem::{nearest, quoted};
use super::reader::{Reader, Wrong};

/// The kernel's KEY_CNT.
const KEYS: u16 = 0x300;

/// Keys that mean the same to people as `KEY_ENTER`: that of a numeric keypad, and the remote control's two words for it.
const ENTERS: &[KeyCode] = &[KeyCode::KEY_ENTER, KeyCode::KEY_KPENTER, KeyCode::KEY_OK, KeyCode::KEY_SELECT];

/// What a key at home is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Mutes home's microphone, and opens it again.
    Mute,
    /// Shows a code for a new phone; held, one for an owner. While somebody waits at the door it lets them in.
    Invite,
    /// Lets in who waits longest.
    LetIn,
    /// Declines who waits longest; where nobody waits, ends all visits.
    Decline,
    /// Draws the curtain, and opens it again.
    Curtain,
    /// Calls everybody, and takes the call back.
    Call,
}

impl Use {
    /// All of them, in the order in which they are read.
    pub const ALL: [Use; 6] = [Use::Mute, Use::Invite, Use::LetIn, Use::Decline, Use::Curtain, Use::Call];

    /// The word of the config and the log.
    pub fn word(self) -> &'static str {
        match self {
            Use::Mute => "mute",
            Use::Invite => "invite",
            Use::LetIn => "let_in",
            Use::Decline => "decline",
            Use::Curtain => "curtain",
            Use::Call => "call",
        }
    }

    /// What "auto" means on the flashed image. The first is named to people: every numeric keypad has it. Then come the coloured keys
    /// of remote controls, and what remote controls without these, keyboards, speakerphones and handsets have.
    fn family(self) -> &'static [KeyCode] {
        match self {
            // A person who holds a remote control has one key with this word on it.
            Use::Mute => &[KeyCode::KEY_KPSLASH, KeyCode::KEY_YELLOW, KeyCode::KEY_MUTE],
            Use::Invite => &[],
            Use::LetIn => &[
                KeyCode::KEY_KPPLUS,
                KeyCode::KEY_GREEN,
                KeyCode::KEY_PLAYPAUSE,
                KeyCode::KEY_PLAY,
                KeyCode::KEY_PICKUP_PHONE,
            ],
            Use::Decline => &[
                KeyCode::KEY_KPMINUS,
                KeyCode::KEY_RED,
                KeyCode::KEY_BACK,
                KeyCode::KEY_ESC,
                KeyCode::KEY_EXIT,
                KeyCode::KEY_STOP,
                KeyCode::KEY_STOPCD,
                KeyCode::KEY_HANGUP_PHONE,
            ],
            Use::Curtain => &[
                KeyCode::KEY_KPASTERISK,
                KeyCode::KEY_BLUE,
                KeyCode::KEY_NUMERIC_STAR,
                KeyCode::KEY_MENU,
                KeyCode::KEY_COMPOSE,
            ],
            // The large 0 of a keypad, and the house on a remote control.
            Use::Call => &[KeyCode::KEY_KP0, KeyCode::KEY_HOMEPAGE, KeyCode::KEY_PHONE, KeyCode::KEY_NUMERIC_0],
        }
    }
}

/// One key of `[buttons]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ButtonKey {
    /// "auto": what this means, [`Buttons::keys`] says.
    #[default]
    Auto,
    /// "": none.
    Off,
    /// A key, by its number (linux/input-event-codes.h).
    Key(u16),
}

/// `[buttons]`. Each default is "auto".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Buttons {
    /// `mute`
    pub mute: ButtonKey,
    /// `invite`
    pub invite: ButtonKey,
    /// `let_in`
    pub let_in: ButtonKey,
    /// `decline`
    pub decline: ButtonKey,
    /// `curtain`
    pub curtain: ButtonKey,
    /// `call`
    pub call: ButtonKey,
    /// `device`: a part of an input device's name; `None` for all that have a key.
    pub device: Option<String>,
}

/// Keys by their numbers, to be named to people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NamedKeys {
    /// Shows a code for a new phone.
    pub invite: Option<u16>,
    /// Lets in who waits.
    pub let_in: Option<u16>,
    /// Declines who waits.
    pub decline: Option<u16>,
}

impl Buttons {
    /// What `[buttons]` says for a use.
    pub fn of(&self, what: Use) -> ButtonKey {
        match what {
            Use::Mute => self.mute,
            Use::Invite => self.invite,
            Use::LetIn => self.let_in,
            Use::Decline => self.decline,
            Use::Curtain => self.curtain,
            Use::Call => self.call,
        }
    }

    /// All keys by their numbers, each with its one use; of each use the one first that is to be named to people. `auto` is the key
    /// that `intercom run --invite-key` names. Only the flashed image names one. Elsewhere somebody may be typing on these keyboards, so
    /// "auto" is the microphone's key for the mute there, and none for the rest.
    pub fn keys(&self, auto: Option<u16>) -> Vec<(u16, Use)> {
        let mut keys: Vec<(u16, Use)> = Vec::new();
        let mut add = |key: u16, what: Use| {
            if keys.iter().all(|(known, _)| *known != key) {
                keys.push((key, what));
            }
        };
        let written = Use::ALL.into_iter().filter_map(|what| match self.of(what) {
            ButtonKey::Key(key) => Some((key, what)),
            _ => None,
        });
        written.clone().for_each(|(key, what)| add(key, what));
        written.for_each(|(key, what)| twins(key).for_each(|twin| add(twin, what)));
        for what in Use::ALL.into_iter().filter(|what| self.of(*what) == ButtonKey::Auto) {
            match (what, auto) {
                (Use::Mute, _) => add(KeyCode::KEY_MICMUTE.code(), what),
                (Use::Invite, Some(key)) => {
                    add(key, what);
                    twins(key).for_each(|twin| add(twin, what));
                }
                _ => {}
            }
            let family = what.family().iter().filter(|_| auto.is_some());
            family.for_each(|key| add(key.code(), what));
        }
        keys
    }

    /// The key of this use that is to be named to people, by its number.
    pub fn key(&self, what: Use, auto: Option<u16>) -> Option<u16> {
        self.keys(auto).into_iter().find(|(_, its)| *its == what).map(|(key, _)| key)
    }

    /// The key that shows a code, and lets in who waits.
    pub fn invite_key(&self, auto: Option<u16>) -> Option<u16> {
        self.key(Use::Invite, auto)
    }

    /// The key that lets in who waits, and does nothing else.
    pub fn let_in_key(&self, auto: Option<u16>) -> Option<u16> {
        self.key(Use::LetIn, auto)
    }

    /// The key that declines who waits, or ends all visits.
    pub fn decline_key(&self, auto: Option<u16>) -> Option<u16> {
        self.key(Use::Decline, auto)
    }

    /// The key that draws the curtain.
    pub fn curtain_key(&self, auto: Option<u16>) -> Option<u16> {
        self.key(Use::Curtain, auto)
    }

    /// The keys that the TV names. Where one shows a code it lets in as well: one to remember.
    pub fn named(&self, auto: Option<u16>) -> NamedKeys {
        let (invite, let_in) = (self.invite_key(auto), self.let_in_key(auto));
        NamedKeys { invite, let_in: invite.or(let_in), decline: self.decline_key(auto) }
    }

    /// One line for `intercom check`: what is written, by use.
    pub fn summary(&self) -> String {
        let one = |what: Use| {
            let key = match self.of(what) {
                ButtonKey::Auto => "auto".to_owned(),
                ButtonKey::Off => "none".to_owned(),
                ButtonKey::Key(key) => key_name(key),
            };
            format!("{} {key}", what.word())
        };
        Use::ALL.map(one).join(", ")
    }
}

/// The other keys that mean the same to people; only `KEY_ENTER` has some.
fn twins(key: u16) -> impl Iterator<Item = u16> {
    ENTERS.iter().filter(move |_| key == KeyCode::KEY_ENTER.code()).map(|twin| twin.code())
}

/// The kernel's name of a key.
pub fn key_name(key: u16) -> String {
    format!("{:?}", KeyCode::new(key))
}

pub(super) fn read_buttons(r: &mut Reader<'_>) -> Buttons {
    let allowed = "\"auto\", a key's name such as \"KEY_ENTER\", or \"\" for none";
    let mut taken: Vec<(u16, Use)> = Vec::new();
    let keys = Use::ALL.map(|what| {
        let key = r.text(&format!("buttons.{}", what.word()), allowed, |name| match name {
            "auto" => Ok(ButtonKey::Auto),
            "" => Ok(ButtonKey::Off),
            name => {
                let key = key_number(name)?;
                match taken.iter().find(|(known, _)| *known == key) {
                    Some((_, other)) => Err(conflict(name, *other, what)),
                    None => Ok(ButtonKey::Key(key)),
                }
            }
        });
        if let ButtonKey::Key(key) = key {
            taken.push((key, what));
        }
        key
    });
    let device = r.text("buttons.device", "\"auto\", or a part of the input device's name", |name| match name.trim() {
        "" => Err(Wrong::near("the name is empty", Some("\"auto\"".to_owned()))),
        "auto" => Ok(None),
        name => Ok(Some(name.to_owned())),
    });
    let [mute, invite, let_in, decline, curtain, call] = keys;
    Buttons { mute, invite, let_in, decline, curtain, call, device }
}

/// One key cannot do two things.
fn conflict(name: &str, other: Use, what: Use) -> Wrong {
    let whose = format!("{} is the key of {}", quoted(name), other.word());
    Wrong::new(match (other, what) {
        (Use::Invite, Use::LetIn) => format!("{whose}, which lets in as well while somebody waits: leave let_in out"),
        _ => format!("{whose}: each key does one thing"),
    })
}

/// The kernel's number of a key that a command line names.
///
/// # Errors
/// A sentence, if the kernel has no such key.
pub fn key_of(name: &str) -> Result<u16, String> {
    key_number(name).map_err(|Wrong { what, nearest }| match nearest {
        Some(nearest) => format!("{what}; did you mean {nearest}?"),
        None => what,
    })
}

/// The kernel's number of a key.
fn key_number(name: &str) -> Result<u16, Wrong> {
    if let Ok(key) = name.parse::<KeyCode>() {
        return Ok(key.code());
    }
    let names: Vec<String> =
        (0..KEYS).map(key_name).filter(|name| name.starts_with("KEY_") || name.starts_with("BTN_")).collect();
    let upper = name.to_uppercase().replace('-', "_");
    let whole = if upper.starts_with("KEY_") || upper.starts_with("BTN_") { upper } else { format!("KEY_{upper}") };
    let near = nearest(&whole, names.iter().map(String::as_str)).map(quoted);
    Err(Wrong::near(format!("the kernel knows no key {}", quoted(name)), near))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::{complaint, take};

    const ENTER: u16 = KeyCode::KEY_ENTER.code();
    const KEYPAD: u16 = KeyCode::KEY_KPENTER.code();
    const OK: u16 = KeyCode::KEY_OK.code();
    const F9: u16 = KeyCode::KEY_F9.code();
    const MICMUTE: u16 = KeyCode::KEY_MICMUTE.code();

    fn buttons(text: &str) -> Buttons {
        take(&format!("[buttons]\n{text}")).buttons
    }

    fn use_of(buttons: &Buttons, key: KeyCode) -> Option<Use> {
        buttons.keys(Some(ENTER)).into_iter().find(|(known, _)| *known == key.code()).map(|(_, what)| what)
    }

    #[test]
    fn keys_are_called_as_the_kernel_calls_them() {
        assert_eq!(take("").buttons, Buttons::default());
        assert_eq!(buttons("mute = \"KEY_F9\"\ndevice = \"Remote\"").mute, ButtonKey::Key(F9));
        assert_eq!(buttons("mute = \"\"").mute, ButtonKey::Off);
        for what in Use::ALL.map(Use::word) {
            let wrong = |key: &str| complaint(&format!("[buttons]\n{what} = \"{key}\""));
            let near = wrong("micmute");
            assert!(near.contains(&format!(":2: buttons.{what}: ")), "{near}");
            assert!(near.contains("did you mean \"KEY_MICMUTE\"?"), "{near}");
            assert!(wrong("KEY_MICMUT").contains("did you mean \"KEY_MICMUTE\"?"));
            assert!(wrong("enter").contains("did you mean \"KEY_ENTER\"?"));
        }
        assert!(complaint("[buttons]\ndevice = \"\"").contains("the name is empty"));
    }

    #[test]
    fn a_keypad_alone_and_a_remote_control_alone_do_everything_on_the_flashed_image() {
        let default = Buttons::default();
        let keypad = [
            (KeyCode::KEY_KPSLASH, Use::Mute),
            (KeyCode::KEY_KPENTER, Use::Invite),
            (KeyCode::KEY_KPPLUS, Use::LetIn),
            (KeyCode::KEY_KPMINUS, Use::Decline),
            (KeyCode::KEY_KPASTERISK, Use::Curtain),
        ];
        let coloured = [
            (KeyCode::KEY_YELLOW, Use::Mute),
            (KeyCode::KEY_OK, Use::Invite),
            (KeyCode::KEY_GREEN, Use::LetIn),
            (KeyCode::KEY_RED, Use::Decline),
            (KeyCode::KEY_BLUE, Use::Curtain),
        ];
        let cheap = [
            (KeyCode::KEY_MUTE, Use::Mute),
            (KeyCode::KEY_SELECT, Use::Invite),
            (KeyCode::KEY_PLAYPAUSE, Use::LetIn),
            (KeyCode::KEY_BACK, Use::Decline),
            (KeyCode::KEY_MENU, Use::Curtain),
        ];
        for (key, what) in keypad.into_iter().chain(coloured).chain(cheap) {
            assert_eq!(use_of(&default, key), Some(what), "{key:?}");
        }
        for harmless in [KeyCode::KEY_POWER, KeyCode::KEY_VOLUMEUP, KeyCode::KEY_UP, KeyCode::KEY_KP5, KeyCode::KEY_A] {
            assert_eq!(use_of(&default, harmless), None, "{harmless:?}");
        }
        let named = [Use::Invite, Use::LetIn, Use::Decline, Use::Curtain].map(|what| default.key(what, Some(ENTER)));
        assert_eq!(named, [ENTER, 78, 74, 55].map(Some), "what every keypad has is named");
        assert_eq!(default.keys(None), [(MICMUTE, Use::Mute)], "elsewhere somebody may be typing");
    }

    #[test]
    fn what_is_written_counts_and_what_is_not_gives_way() {
        assert_eq!(buttons("invite = \"KEY_ENTER\"").invite_key(Some(F9)), Some(ENTER));
        let (off, auto) = (buttons("invite = \"\""), buttons("invite = \"auto\""));
        assert_eq!((off.invite_key(Some(ENTER)), auto.invite_key(Some(ENTER))), (None, Some(ENTER)));
        let muting = buttons("mute = \"KEY_ENTER\"");
        assert_eq!((muting.invite_key(Some(ENTER)), muting.invite_key(Some(F9))), (None, Some(F9)));
        assert_eq!(use_of(&muting, KeyCode::KEY_OK), Some(Use::Mute), "any Enter mutes then");
        let escape = buttons("curtain = \"KEY_ESC\"");
        assert_eq!(use_of(&escape, KeyCode::KEY_ESC), Some(Use::Curtain));
        assert_eq!(use_of(&escape, KeyCode::KEY_KPASTERISK), None, "a key that is written is the only one");
        assert_eq!(use_of(&escape, KeyCode::KEY_BACK), Some(Use::Decline), "the other ways to decline stay");
        let minus = buttons("let_in = \"KEY_KPMINUS\"");
        assert_eq!(minus.decline_key(Some(ENTER)), Some(KeyCode::KEY_RED.code()), "another one is named then");
        assert_eq!(minus.decline_key(None), None);
    }

    #[test]
    fn enter_is_that_of_any_keyboard_keypad_or_remote_control() {
        for auto in [None, Some(F9)] {
            let keys = buttons(
                "mute = \"\"\ninvite = \"KEY_ENTER\"\nlet_in = \"\"\ndecline = \"\"\ncurtain = \"\"\ncall = \"\"",
            )
            .keys(auto);
            assert_eq!(keys, [ENTER, KEYPAD, OK, 353].map(|key| (key, Use::Invite)));
        }
        let taken = buttons("mute = \"KEY_KPENTER\"\ninvite = \"KEY_ENTER\"");
        assert_eq!(use_of(&taken, KeyCode::KEY_KPENTER), Some(Use::Mute));
        assert_eq!(
            (use_of(&taken, KeyCode::KEY_ENTER), use_of(&taken, KeyCode::KEY_OK)),
            (Some(Use::Invite), Some(Use::Invite))
        );
        let alone = buttons("mute = \"\"\ninvite = \"KEY_OK\"");
        assert_eq!(alone.keys(None), [(OK, Use::Invite)], "only KEY_ENTER means all of them");
    }

    #[test]
    fn one_key_for_two_things_is_told_with_line_and_fix() {
        let twice = complaint("[buttons]\nmute = \"KEY_F9\"\ninvite = \"KEY_F9\"");
        assert!(
            twice.contains(":3: buttons.invite: \"KEY_F9\" is the key of mute: each key does one thing"),
            "{twice}"
        );
        for (first, second) in
            [("mute", "curtain"), ("invite", "decline"), ("let_in", "decline"), ("decline", "curtain")]
        {
            let twice = complaint(&format!("[buttons]\n\n{second} = \"KEY_F9\"\n{first} = \"KEY_F9\""));
            assert!(
                twice.contains(&format!(":3: buttons.{second}: \"KEY_F9\" is the key of {first}: each")),
                "{twice}"
            );
        }
        let enter = complaint("[buttons]\ninvite = \"KEY_ENTER\"\nlet_in = \"KEY_ENTER\"");
        assert!(enter.contains(":3: buttons.let_in: ") && enter.contains("leave let_in out"), "{enter}");
    }

    #[test]
    fn the_summary_tells_each_use() {
        let config = take("[buttons]\nmute = \"\"\ndecline = \"KEY_F9\"");
        let line = "  buttons     mute none, invite auto, let_in auto, decline KEY_F9, curtain auto, call auto\n";
        assert!(config.summary().contains(line), "{}", config.summary());
    }
}
