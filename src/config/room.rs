//! What is felt in home's room: `[chime]`, `[volume]` and `[buttons]`.

use std::io::Read;
use std::sync::Arc;

use intercom_core::call::protocol::Volume;
use intercom_media::{chime, ramp};

use super::problem::{nearest, quoted};
use super::reader::{Reader, Wrong};
use super::{existing, plain};

/// The kernel's KEY_CNT.
const KEYS: u16 = 0x300;

/// `[chime]`
#[derive(Clone, Debug)]
pub struct Chime {
    /// `arrive`. Default "default".
    pub arrive: ChimeSound,
    /// `knock`. Default "default".
    pub knock: ChimeSound,
    /// `leave`. Default "default".
    pub leave: ChimeSound,
    /// `volume_percent`, 0–100; the sounds have it in them. Default 70.
    pub volume: u8,
}

/// One chime.
#[derive(Clone, Debug)]
pub struct ChimeSound {
    /// What the config says: "default", "" for none, or a file's path.
    pub name: String,
    /// Mono at 48 kHz, as loud as it shall be; empty for none.
    pub sound: Arc<[i16]>,
}

/// `[buttons]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buttons {
    /// `mute`: the key that mutes home's microphone and opens it again, by its number (linux/input-event-codes.h).
    /// Default KEY_MICMUTE.
    pub mute: Option<u16>,
    /// `invite`: the key that shows a code for a new phone on the TV. Default "auto".
    pub invite: InviteKey,
    /// `device`: a part of an input device's name; `None` for all that have the key. Default "auto".
    pub device: Option<String>,
}

/// `[buttons] invite`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InviteKey {
    /// "auto": the key that `intercom run --invite-key` names, if any.
    #[default]
    Auto,
    /// "": none.
    Off,
    /// A key, by its number (linux/input-event-codes.h).
    Key(u16),
}

impl InviteKey {
    /// The key, where `auto` is what "auto" means.
    fn resolve(self, auto: Option<u16>) -> Option<u16> {
        match self {
            InviteKey::Auto => auto,
            InviteKey::Off => None,
            InviteKey::Key(key) => Some(key),
        }
    }
}

impl Buttons {
    /// The key that shows a code, where `auto` is what "auto" means; a key that mutes does nothing else.
    pub fn invite_key(&self, auto: Option<u16>) -> Option<u16> {
        self.invite.resolve(auto).filter(|key| Some(*key) != self.mute)
    }
}

pub(super) fn read_chime(r: &mut Reader<'_>, file: &str) -> Chime {
    let volume = r.integer("chime.volume_percent", 0..=100, "percent") as u8;
    let gain = ramp::gain(volume);
    let mut sound = |key: &str, ours: fn() -> Vec<i16>| {
        let allowed = "\"default\", \"\" for none, or the path of a WAV file (16 bit, mono or stereo, at 44100 Hz, \
            48000 Hz or another common rate, at most 10 s)";
        r.text(key, allowed, |name| {
            let sound = match name {
                "default" => ours(),
                "" => Vec::new(),
                path => read_wav(file, path)?,
            };
            Ok(ChimeSound { name: name.to_owned(), sound: chime::at(gain, &sound).into() })
        })
    };
    let (arrive, leave) = (sound("chime.arrive", chime::arrive), sound("chime.leave", chime::leave));
    let knock = sound("chime.knock", chime::knock);
    Chime { arrive, leave, knock, volume }
}

pub(super) fn read_volume(r: &mut Reader<'_>) -> Volume {
    r.renamed("volume", "least_percent", "min_percent");
    r.renamed("volume", "most_percent", "max_percent");
    let [percent, mut least, mut most] = ["percent", "min_percent", "max_percent"]
        .map(|key| r.integer(&format!("volume.{key}"), 0..=100, "percent") as u8);
    let mut hold = |key: &str, wrong: bool, what: String, allowed: &str| {
        let path = format!("volume.{key}");
        if wrong && r.says(&path) {
            r.complain(r.line(&path), &path, Wrong::new(what), allowed);
        }
    };
    hold("min_percent", least > most, format!("{least} is more than max_percent, {most}"), "at most max_percent");
    // Where only the volume is written, the defaults of the limits give way.
    let (below, above) = (percent < least, percent > most);
    let (says_least, says_most) = (r.says("volume.min_percent"), r.says("volume.max_percent"));
    let mut hold = |wrong: bool, what: String, allowed: &str| {
        if wrong && r.says("volume.percent") {
            r.complain(r.line("volume.percent"), "volume.percent", Wrong::new(what), allowed);
        }
    };
    hold(
        below && says_least,
        format!("{percent} is less than min_percent, {least}"),
        "from min_percent to max_percent",
    );
    hold(above && says_most, format!("{percent} is more than max_percent, {most}"), "from min_percent to max_percent");
    if r.says("volume.percent") {
        (least, most) = (least.min(percent), most.max(percent));
    }
    Volume { percent: percent.clamp(least.min(most), most), least: least.min(most), most }
}

pub(super) fn read_buttons(r: &mut Reader<'_>) -> Buttons {
    let mute = r.text("buttons.mute", "a key's name such as \"KEY_MICMUTE\", or \"\" for none", |name| match name {
        "" => Ok(None),
        name => key_number(name).map(Some),
    });
    let allowed = "\"auto\", a key's name such as \"KEY_ENTER\", or \"\" for none";
    let invite = r.text("buttons.invite", allowed, |name| match name {
        "auto" => Ok(InviteKey::Auto),
        "" => Ok(InviteKey::Off),
        name => match key_number(name)? {
            key if Some(key) == mute => Err(Wrong::new(format!("{} is the key of mute", quoted(name)))),
            key => Ok(InviteKey::Key(key)),
        },
    });
    let device = r.text("buttons.device", "\"auto\", or a part of the input device's name", |name| match name.trim() {
        "" => Err(Wrong::near("the name is empty", Some("\"auto\"".to_owned()))),
        "auto" => Ok(None),
        name => Ok(Some(name.to_owned())),
    });
    Buttons { mute, invite, device }
}

fn read_wav(file: &str, path: &str) -> Result<Vec<i16>, Wrong> {
    let path = existing(file, path)?;
    let shown = path.display();
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(&path);
    let read = opened.and_then(|file| file.take(chime::LARGEST_FILE + 1).read_to_end(&mut bytes));
    if let Err(error) = read {
        return Err(Wrong::new(format!("{shown} cannot be read: {}", plain(&error))));
    }
    if bytes.len() as u64 > chime::LARGEST_FILE {
        return Err(Wrong::new(format!("{shown} is larger than any sound of {} s", chime::LONGEST_SECONDS)));
    }
    chime::from_wav(&bytes).map_err(|error| Wrong::new(format!("{shown} cannot be played: {error}")))
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
    if let Ok(key) = name.parse::<evdev::KeyCode>() {
        return Ok(key.code());
    }
    let names: Vec<String> = (0..KEYS)
        .map(|code| format!("{:?}", evdev::KeyCode::new(code)))
        .filter(|name| name.starts_with("KEY_") || name.starts_with("BTN_"))
        .collect();
    let upper = name.to_uppercase().replace('-', "_");
    let whole = if upper.starts_with("KEY_") || upper.starts_with("BTN_") { upper } else { format!("KEY_{upper}") };
    let near = nearest(&whole, names.iter().map(String::as_str)).map(quoted);
    Err(Wrong::near(format!("the kernel knows no key {}", quoted(name)), near))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::{complaint, take};

    #[test]
    fn nothing_written_means_soft_chimes_loud_viewers_and_the_usual_key() {
        let config = take("");
        let peak = |sound: &ChimeSound| sound.sound.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
        assert!((3000..6000).contains(&peak(&config.chime.arrive)), "{}", peak(&config.chime.arrive));
        assert!(!config.chime.leave.sound.is_empty() && config.chime.leave.sound != config.chime.arrive.sound);
        assert_eq!(config.volume, Volume { percent: 100, least: 20, most: 100 });
        assert_eq!(config.buttons, Buttons { mute: Some(248), invite: InviteKey::Auto, device: None });
    }

    #[test]
    fn chimes_can_be_none_or_a_file_beside_the_config_and_a_broken_file_is_told() {
        let none = take("[chime]\narrive = \"\"\n");
        assert!(none.chime.arrive.sound.is_empty() && !none.chime.leave.sound.is_empty());
        assert!(
            none.summary().contains("  chime       arriving none, leaving ours, knocking ours, at 70 %\n"),
            "{}",
            none.summary()
        );
        let folder = std::env::temp_dir().join(format!("intercom-chime-test-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 16_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let path = folder.join("bell.wav");
        let mut writer = hound::WavWriter::create(&path, spec).unwrap();
        (0..8000).for_each(|n| writer.write_sample((n % 40 * 100) as i16).unwrap());
        writer.finalize().unwrap();
        let text = |name: &str| format!("[chime]\nvolume_percent = 100\nleave = \"{}\"\n", folder.join(name).display());
        assert_eq!(take(&text("bell.wav")).chime.leave.sound.len(), 24_000);
        let missing = complaint(&text("bel.wav"));
        assert!(missing.contains(":3: chime.leave: ") && missing.contains("bell.wav\"?"), "{missing}");
        std::fs::write(folder.join("song.wav"), b"ID3 not what it seems").unwrap();
        let broken = complaint(&text("song.wav"));
        assert!(broken.contains("song.wav cannot be played: it is no whole WAV file"), "{broken}");
        let folder_itself = complaint(&text(""));
        assert!(folder_itself.contains("is a folder"), "{folder_itself}");
        std::fs::write(folder.join("huge.wav"), vec![0; chime::LARGEST_FILE as usize + 1]).unwrap();
        assert!(complaint(&text("huge.wav")).contains("larger than any sound of 10 s"));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn the_volume_stays_within_its_limits_and_limits_that_are_not_written_give_way() {
        let volume = |text: &str| take(&format!("[volume]\n{text}\n")).volume;
        assert_eq!(volume("percent = 10"), Volume { percent: 10, least: 10, most: 100 });
        assert_eq!(volume("max_percent = 60"), Volume { percent: 60, least: 20, most: 60 });
        assert_eq!(volume("max_percent = 10"), Volume { percent: 10, least: 10, most: 10 });
        let fixed = volume("percent = 50\nmin_percent = 50\nmax_percent = 50");
        assert_eq!(fixed, Volume { percent: 50, least: 50, most: 50 });
        let wrong = |text: &str| complaint(&format!("[volume]\n{text}\n"));
        assert!(wrong("percent = 70\nmax_percent = 60").contains("volume.percent: 70 is more than max_percent, 60"));
        assert!(wrong("percent = 5\nmin_percent = 10").contains("volume.percent: 5 is less than min_percent, 10"));
        assert!(wrong("min_percent = 50\nmax_percent = 40").contains("50 is more than max_percent, 40"));
        assert!(wrong("percent = 101").contains("too large"));
    }

    #[test]
    fn a_mistake_is_repeated_without_control_characters() {
        let path = complaint("[chime]\nleave = \"no\\u0007\\u001b[31mfile\"\n");
        assert!(path.contains("no\u{fffd}\u{fffd}[31mfile") && !path.chars().any(char::is_control), "{path:?}");
    }

    #[test]
    fn limits_under_their_previous_names_go_on_working_and_say_how_they_are_called_now() {
        let config = take("[volume]\nleast_percent = 30\n\nmost_percent = 80\n");
        assert_eq!(config.volume, Volume { percent: 80, least: 30, most: 80 });
        let [least, most] = config.warnings.as_slice() else { panic!("{:?}", config.warnings) };
        assert!(least.contains(":2: volume.least_percent: this key is called min_percent now"), "{least}");
        assert!(most.contains(":4: volume.most_percent: this key is called max_percent now"), "{most}");
        let wrong = |text: &str| complaint(&format!("[volume]\n{text}\n"));
        assert!(wrong("least_percent = 130").contains(":2: volume.min_percent: 130 is too large"));
        let twice = wrong("min_percent = 10\nleast_percent = 20");
        assert!(twice.contains(":3: volume.least_percent: this key is called min_percent now"), "{twice}");
        assert_eq!(take("[volume]\nmin_percent = 30\n").warnings, [] as [String; 0]);
    }

    #[test]
    fn keys_are_called_as_the_kernel_calls_them() {
        assert_eq!(take("[buttons]\nmute = \"KEY_F9\"\ndevice = \"Remote\"").buttons.mute, Some(67));
        assert_eq!(take("[buttons]\nmute = \"\"").buttons.mute, None);
        let near = complaint("[buttons]\nmute = \"micmute\"");
        assert!(near.contains("did you mean \"KEY_MICMUTE\"?"), "{near}");
        assert!(complaint("[buttons]\nmute = \"KEY_MICMUT\"").contains("did you mean \"KEY_MICMUTE\"?"));
        assert!(complaint("[buttons]\ndevice = \"\"").contains("the name is empty"));
        let invite = |name: &str| take(&format!("[buttons]\ninvite = \"{name}\"")).buttons.invite;
        assert_eq!(invite("KEY_ENTER"), InviteKey::Key(28));
        assert_eq!(invite("KEY_ENTER").resolve(Some(96)), Some(28), "what is written counts");
        assert_eq!((invite("").resolve(Some(28)), invite("auto").resolve(Some(28))), (None, Some(28)));
        let muting = take("[buttons]\nmute = \"KEY_ENTER\"").buttons;
        assert_eq!((muting.invite_key(Some(28)), muting.invite_key(Some(67))), (None, Some(67)));
        assert!(complaint("[buttons]\ninvite = \"enter\"").contains("did you mean \"KEY_ENTER\"?"));
        let twice = complaint("[buttons]\nmute = \"KEY_F9\"\ninvite = \"KEY_F9\"");
        assert!(twice.contains(":3: buttons.invite: \"KEY_F9\" is the key of mute"), "{twice}");
    }
}
