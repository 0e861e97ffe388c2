//! What a command line asks for, with its options.

use std::path::PathBuf;

use intercom_core::people::edit::Edit;
use intercom_core::people::register::Wish;

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Be the intercom.
    Run {
        /// `--config`; see [`crate::config::load_chosen`] for what `None` means.
        config: Option<PathBuf>,
        /// `--no-link`: print no link with a key in it; links come from `intercom link`.
        no_link: bool,
        /// `--last-good`: where the config is kept that runs if the one that is meant is wrong.
        last_good: Option<PathBuf>,
        /// `--notices`: a folder whose files the TV tells of.
        notices: Option<PathBuf>,
        /// `--invite-key`: what `[buttons] invite = "auto"` means, by the kernel's number; none without it.
        invite_key: Option<u16>,
    },
    /// Make a link and print it, or end a person or a key.
    Link {
        /// `--revoke N`: the number of the person or key to end.
        revoke: Option<u64>,
        /// `--tv`: a code on the TV instead, for a phone that is at home.
        tv: bool,
        /// What the link or the code shall be.
        wish: Wish,
        /// `--config`; see [`crate::config::state_paths`].
        config: Option<PathBuf>,
    },
    /// List who may visit, or change one of them.
    People {
        /// Whom; everybody without it.
        person: Option<u64>,
        /// What is changed; nothing: they are listed.
        edit: Edit,
        /// `--json`: one JSON object instead of words.
        json: bool,
        /// `--config`; see [`crate::config::state_paths`].
        config: Option<PathBuf>,
    },
    /// Save people in a new folder.
    SavePeople {
        /// `--save FOLDER`: where it is made.
        folder: PathBuf,
        /// `--config`; see [`crate::config::state_paths`].
        config: Option<PathBuf>,
    },
    /// Restore saved people where nobody is known.
    RestorePeople {
        /// `--restore FOLDER`: a saved folder, or one that holds some.
        folder: PathBuf,
        /// `--config`; see [`crate::config::state_paths`].
        config: Option<PathBuf>,
    },
    /// Save people on a stick with the label PEOPLE, or restore them, and tell the TV; the flashed image runs it.
    Stick {
        /// Where the stick is mounted.
        folder: PathBuf,
        /// The notice's file.
        notice: PathBuf,
        /// `--config`; see [`crate::config::state_paths`].
        config: Option<PathBuf>,
    },
    /// Mute home's microphone in the running intercom, or open it again.
    Mute {
        /// `--off`: open it again.
        off: bool,
        /// `--config`; see [`crate::config::state_paths`].
        config: Option<PathBuf>,
    },
    /// Draw the curtain of the running intercom, or open it.
    Curtain {
        /// `--off`: open it.
        off: bool,
        /// `--config`; see [`crate::config::state_paths`].
        config: Option<PathBuf>,
    },
    /// Tell who visited, or forget it.
    Visits {
        /// `--erase`: forget it.
        erase: bool,
        /// `--json`: one JSON array instead of words.
        json: bool,
        /// `--config`; see [`crate::config::state_paths`].
        config: Option<PathBuf>,
    },
    /// Call somebody: open pages ring.
    Call {
        /// Whom; everybody without it.
        person: Option<u64>,
        /// `--config`; see [`crate::config::state_paths`].
        config: Option<PathBuf>,
    },
    /// Say how the running intercom is, as JSON.
    Status {
        /// `--config`; see [`crate::config::state_paths`].
        config: Option<PathBuf>,
    },
    /// Forget all keys, pairings and certificates.
    Reset {
        /// `--config`; see [`crate::config::state_paths`].
        config: Option<PathBuf>,
    },
    /// Say what a config would run, or what is wrong with it.
    Check {
        /// The config; `None` as with `run`.
        config: Option<PathBuf>,
    },
    /// Install a signed update of the flashed image, or tell what became of the last one.
    Update {
        /// A file, a folder or an address; `None` for the config's `[update] url`.
        source: Option<String>,
        /// `--restart`: restart the machine once it is installed and nobody is visiting.
        restart: bool,
        /// `--confirm`: only keep what has started, and tell what became of the last update.
        confirm: bool,
        /// `--config`; see [`crate::config::load_chosen`].
        config: Option<PathBuf>,
        /// `--last-good`: as with `run`.
        last_good: Option<PathBuf>,
    },
    /// Turn the files of the settings partition into what the flashed image reads.
    Settings {
        /// The folder of `wifi.txt` and `timezone.txt`.
        from: PathBuf,
        /// The folder for what is made of them.
        to: PathBuf,
    },
    /// Join the Wi-Fi of the settings partition, and tell why if that does not work.
    Wifi {
        /// The network interface.
        interface: String,
        /// The folder with `wifi.conf`.
        folder: PathBuf,
    },
    /// Publish home's name on one network at a time; the flashed image runs it.
    Name {
        /// The folder with the network service's settings for each kind of card.
        from: PathBuf,
        /// The folder for those of single cards.
        to: PathBuf,
    },
    /// List the drivers of this build.
    Drivers,
    /// Say what the machine has, whether it works, and what to do about what does not.
    Doctor {
        /// `--config`; see [`crate::config::load_chosen`].
        config: Option<PathBuf>,
        /// `--json`: one JSON object instead of words.
        json: bool,
    },
    /// Print this help text.
    Help(&'static str),
    /// Print [`super::VERSION`].
    Version,
}
