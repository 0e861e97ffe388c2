//! What is heard in home's room: `[chime]` and `[volume]`.

use std::io::Read;
use std::sync::Arc;

use intercom_core::call::protocol::Volume;
use intercom_media::chime;

use super::reader::{Reader, Wrong};
use super::{existing, plain};

/// `[chime]`
#[derive(Clone, Debug)]
pub struct Chime {
    /// `arrive`. Default "default".
    pub arrive: ChimeSound,
    /// `knock`. Default "default".
    pub knock: ChimeSound,
    /// `leave`. Default "default".
    pub leave: ChimeSound,
    /// `volume_percent`, 0–100. Default 70.
    pub volume: u8,
}

/// One chime.
#[derive(Clone, Debug)]
pub struct ChimeSound {
    /// What the config says: "default", "" for none, or a file's path.
    pub name: String,
    /// Mono at 48 kHz, at full loudness; empty for none.
    pub sound: Arc<[i16]>,
}

pub(super) fn read_chime(r: &mut Reader<'_>, file: &str) -> Chime {
    let volume = r.integer("chime.volume_percent", 0..=100, "percent") as u8;
    let mut sound = |key: &str, ours: fn() -> Vec<i16>| {
        let allowed = "\"default\", \"\" for none, or the path of a WAV file (16 bit, mono or stereo, at 44100 Hz, \
            48000 Hz or another common rate, at most 10 s)";
        r.text(key, allowed, |name| {
            let sound = match name {
                "default" => ours(),
                "" => Vec::new(),
                path => read_wav(file, path)?,
            };
            Ok(ChimeSound { name: name.to_owned(), sound: sound.into() })
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

#[cfg(test)]
mod tests {
    use intercom_media::ramp;

    use super::*;
    use crate::config::tests::{complaint, take};

    #[test]
    fn nothing_written_means_soft_chimes_and_loud_viewers() {
        let config = take("");
        let played = chime::at(ramp::gain(config.chime.volume), &config.chime.arrive.sound);
        let peak = played.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
        assert!((3000..6000).contains(&peak), "{peak}");
        assert!(!config.chime.leave.sound.is_empty() && config.chime.leave.sound != config.chime.arrive.sound);
        assert_eq!(config.volume, Volume { percent: 100, least: 20, most: 100 });
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
}
