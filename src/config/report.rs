//! The config and the drivers in words, for `intercom check` and `intercom drivers`.

use std::fmt::Write;

use intercom_base::settings::{AudioSettings, NoiseSuppression, Rung};
use intercom_core::call::protocol::Volume;
use intercom_drivers::contract::Driver;

use super::{Chime, ChimeSound, Config, Device, Drivers, Tv};

impl Config {
    /// What would run with this config, one thing a line.
    pub fn summary(&self) -> String {
        let mut lines: Vec<(&str, String)> = Vec::new();
        let viewers = if self.home.max_viewers == 1 { "viewer" } else { "viewers" };
        lines.push(("home", format!("\"{}\", at most {} {viewers} at once", self.home.name, self.home.max_viewers)));
        lines.push(("state", self.home.state_dir.display().to_string()));
        let from_outside = match &self.network.public_address {
            Some(address) => format!("from outside at {address}"),
            None => "no public address".to_owned(),
        };
        lines.push(("port", format!("{}, TCP and UDP; {from_outside}", self.network.port)));
        let certificate = match &self.tls {
            Some(files) => files.cert.display().to_string(),
            None => "signed by the home's own CA".to_owned(),
        };
        lines.push(("certificate", certificate));
        lines.push(("video", rung(&self.full)));
        lines.push(("", format!("reduced to {}", rung(&self.reduced))));
        lines.push(("audio", format!("Opus, {}; {}", self.audio.bitrate, enhancement(&self.audio))));
        let sound = |sound: &ChimeSound| match &*sound.name {
            "default" => "ours".to_owned(),
            "" => "none".to_owned(),
            path => format!("{path}, {:.1} s", sound.sound.len() as f64 / 48_000.0),
        };
        let Chime { arrive, leave, knock, volume } = &self.chime;
        let chimes = [arrive, leave, knock].map(sound);
        lines.push((
            "chime",
            format!("arriving {}, leaving {}, knocking {}, at {volume} %", chimes[0], chimes[1], chimes[2]),
        ));
        let Volume { percent, least, most } = self.volume;
        let pages =
            if least < most { format!("pages may set {least} to {most} %") } else { "pages cannot set it".into() };
        lines.push(("volume", format!("viewers at {percent} %; {pages}")));
        lines.push(("buttons", self.buttons.summary()));
        let told = match (&self.call.command, &self.call.url) {
            (None, None) => "open pages ring",
            (Some(_), None) => "open pages ring, and a command runs",
            (None, Some(_)) => "open pages ring, and an address is told",
            (Some(_), Some(_)) => "open pages ring, a command runs, and an address is told",
        };
        lines.push(("call", told.to_owned()));
        let Tv { width, height, rate, .. } = self.tv;
        let language = self.home.language.code();
        lines.push(("tv", format!("{width}x{height}, at most {} fps; in the language {language}", rate.fps())));
        lines.push(("log", self.log_level.to_string().to_lowercase()));
        let devices = self.devices();
        for sentence in &devices {
            let (kind, choice) = sentence.split_once(": ").unwrap_or(("", sentence));
            lines.push((kind, choice.to_owned()));
        }
        let mut text = String::from("Nothing is wrong with this config. It would run:\n");
        for (head, line) in lines {
            let _ = writeln!(text, "  {head:<12}{line}");
        }
        text
    }

    /// A sentence for each device that says which driver was chosen and why, for the log.
    pub fn devices(&self) -> [String; 4] {
        [self.camera.sentence(), self.microphone.sentence(), self.speaker.sentence(), self.display.sentence()]
    }
}

impl<D: ?Sized> Device<D> {
    /// Which driver, why, and which device, e.g. `camera: v4l2, found /dev/video0 (/dev/video0)`.
    pub fn sentence(&self) -> String {
        format!("{} ({})", self.why, self.opener.describe())
    }
}

fn rung(rung: &Rung) -> String {
    let Rung { width, height, rate, floor, max } = rung;
    format!("{width}x{height} at {} fps, {} to {max}", rate.fps(), floor.kbps())
}

fn enhancement(audio: &AudioSettings) -> String {
    let echo = if audio.echo_cancellation { "echo cancelled" } else { "echo left in" };
    let noise = match audio.noise_suppression {
        NoiseSuppression::Off => "noise left in",
        NoiseSuppression::Low => "a little noise taken away",
        NoiseSuppression::Moderate => "noise taken away",
        NoiseSuppression::High => "much noise taken away",
    };
    let gain = match audio.gain_control {
        true => format!("made louder by up to {} dB", audio.max_gain_db),
        false => "loudness left as it is".to_owned(),
    };
    let others = if audio.hear_each_other { "each other" } else { "home alone" };
    format!("{echo}, {noise}, {gain}; viewers hear {others}")
}

impl Drivers {
    /// All drivers with their options, by kind.
    pub fn listing(&self) -> String {
        let mut text = String::from(
            "Drivers of this build. `driver = \"auto\"` takes the first of its kind that finds its hardware.\n",
        );
        list_kind(&mut text, "camera", self.cameras);
        list_kind(&mut text, "microphone", self.microphones);
        list_kind(&mut text, "speaker", self.speakers);
        list_kind(&mut text, "display", self.displays);
        text
    }
}

fn list_kind<D: ?Sized>(text: &mut String, kind: &str, drivers: &[Driver<D>]) {
    let _ = writeln!(text, "\n[{kind}]");
    if drivers.is_empty() {
        let _ = writeln!(text, "  none in this build");
    }
    for driver in drivers {
        let _ = writeln!(text, "  {:<12}{}", driver.name, driver.summary);
        let width = driver.options.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
        for (key, sentence) in driver.options {
            let _ = writeln!(text, "              {key:<width$}  {sentence}");
        }
    }
}
