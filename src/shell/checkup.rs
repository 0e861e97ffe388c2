//! Looks at the machine for `intercom doctor`: asks the running intercom how its devices are, or else tries each.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crossbeam_channel::bounded;
use intercom_base::sound::SAMPLE_RATE;
use intercom_core::devices::doctor::{Cause, Device, Examination, Hardware, Health, Kind, Node, State};
use intercom_drivers::contract::{BoxedOpener, CaptureAudio, CaptureVideo, DeviceError};
use rustix::fs::{Access, access};

use crate::config::{self, ConfigErrors};
use crate::shell::control::{self, Request};
use crate::shell::examiner::health_of_network;
use crate::shell::house_file::HouseFile;
use crate::shell::{addresses, clock, fonts, tls};

/// A camera's first picture takes a moment.
const FIRST_FRAME: Duration = Duration::from_secs(5);

/// A microphone is listened to for so long before it counts as silent.
const LISTEN: Duration = Duration::from_millis(1500);

/// A device that has not answered by then hangs.
const PATIENCE: Duration = Duration::from_secs(12);

/// Looks at everything. `config` as with [`config::load_chosen`].
///
/// # Errors
/// If the config is wrong.
pub fn examine(config: Option<&Path>) -> Result<Examination, ConfigErrors> {
    let asked = control::find(&config::state_paths(config)?)
        .and_then(|place| control::ask(&place.run, &Request::Health {}))
        .ok();
    match asked.and_then(|answer| serde_json::from_value::<Health>(answer).ok()) {
        Some(health) => Ok(look_around(health)),
        // After the test, which opens a mixer that was closed.
        None => try_everything(config).map(|health| Examination { running: false, ..look_around(health) }),
    }
}

/// Looks what hardware the machine has beside what the running intercom knows.
pub fn look_around(health: Health) -> Examination {
    let seen = config::drivers().survey();
    let holders = holders(seen.iter().flat_map(|(_, seen)| &seen.nodes));
    let node = |path: &PathBuf| node(path, &holders);
    let hardware = seen
        .into_iter()
        .map(|(kind, seen)| Hardware { kind, nodes: seen.nodes.iter().map(node).collect(), seen })
        .collect();
    Examination { running: true, user: user(), health, hardware }
}

/// What the intercom would find if it were started now.
fn try_everything(config: Option<&Path>) -> Result<Health, ConfigErrors> {
    let config = config::load_chosen(config)?;
    let public = config.network.public_address;
    let addresses = addresses::read(public.as_ref().and_then(|public| public.socket()));
    let network = health_of_network(&addresses, config.network.port, public.as_ref());
    let (camera, microphone) = (config.camera, config.microphone);
    let (mut speaker, mut display) = (config.speaker, config.display);
    let tests = [
        DeviceTest::start(camera.untried(Kind::Camera), move || try_camera(camera.opener)),
        DeviceTest::start(microphone.untried(Kind::Microphone), move || try_microphone(microphone.opener)),
        DeviceTest::start(speaker.untried(Kind::Speaker), move || {
            let opens = speaker.opener.check();
            (speaker.opener.describe(), opens.map(|()| State::Opens))
        }),
        DeviceTest::start(display.untried(Kind::Display), move || {
            let opens = display.opener.check();
            (display.opener.describe(), opens.map(|()| State::Opens))
        }),
    ];
    let until = clock::now() + PATIENCE;
    let devices = tests.into_iter().map(|test| {
        let mut device = test.device;
        match test.result.recv_deadline(until) {
            Ok((name, result)) => {
                device.device = name;
                device.state = result.unwrap_or_else(|error| State::from(&error));
            }
            Err(_) => {
                let what = format!("{} does not answer", device.device);
                device.state = State::Fails { cause: Cause::Io, what, remedy: None };
            }
        }
        device
    });
    let certificates = match config.tls {
        Some(_) => Vec::new(),
        None => tls::problems(&config.home.state_dir, public.as_ref().map(|public| public.host.as_str())),
    };
    let file = HouseFile::in_dir(&config.home.state_dir);
    let set = file.read().unwrap_or_default();
    let font = fonts::missing_language(set.language.unwrap_or(config.home.language));
    Ok(Health { devices: devices.collect(), network, certificates, house: file.report(), font })
}

type Outcome = (String, Result<State, DeviceError>);

/// A device that is being tried in a thread of its own, since some hang and none shall keep the others waiting.
struct DeviceTest {
    device: Device,
    result: crossbeam_channel::Receiver<Outcome>,
}

impl DeviceTest {
    fn start(device: Device, work: impl FnOnce() -> Outcome + Send + 'static) -> DeviceTest {
        let (sender, result) = bounded(1);
        let spawned = std::thread::Builder::new().name(device.kind.word().to_owned()).spawn(move || {
            let _ = sender.send(work());
        });
        if let Err(error) = spawned {
            log::warn!("no thread to try the {}: {error}", device.kind.word());
        }
        DeviceTest { device, result }
    }
}

fn try_camera(mut opener: BoxedOpener<dyn CaptureVideo>) -> Outcome {
    let result = opener.open().and_then(|mut camera| {
        let deadline = clock::now() + FIRST_FRAME;
        while clock::now() < deadline {
            if camera.capture(deadline)?.is_some() {
                return Ok(State::Works { how: camera.mode().to_string() });
            }
        }
        let what = format!("it opens, but sends no picture within {} s", FIRST_FRAME.as_secs());
        Err(DeviceError::Io(what))
    });
    (opener.describe(), result)
}

fn try_microphone(mut opener: BoxedOpener<dyn CaptureAudio>) -> Outcome {
    let result = opener.open().and_then(|mut microphone| {
        let mut block = vec![0; SAMPLE_RATE as usize / 100];
        let (deadline, mut heard) = (clock::now() + LISTEN, false);
        while clock::now() < deadline {
            if microphone.read(&mut block, deadline)?.is_some() {
                heard = true;
                if let Some(loudest) = block.iter().map(|sample| sample.unsigned_abs()).max().filter(|peak| *peak > 0) {
                    let db = 20.0 * (f64::from(loudest) / 32768.0).log10();
                    return Ok(State::Works { how: format!("it hears something at {db:.0} dB") });
                }
            }
        }
        match heard {
            true => Ok(State::Silent),
            false => Err(DeviceError::Io(format!("it opens, but gives no sound within {LISTEN:?}"))),
        }
    });
    (opener.describe(), result)
}

fn node(path: &Path, holders: &HashMap<PathBuf, Vec<String>>) -> Node {
    let group = fs::metadata(path).ok().and_then(|data| name_in("/etc/group", data.gid()));
    Node {
        path: path.to_owned(),
        allowed: access(path, Access::READ_OK | Access::WRITE_OK).is_ok(),
        group,
        holders: holders.get(path).cloned().unwrap_or_default(),
    }
}

/// Who has which of these files open, as far as `/proc` tells us: root learns all, others learn of their own.
fn holders<'a>(nodes: impl Iterator<Item = &'a PathBuf>) -> HashMap<PathBuf, Vec<String>> {
    let mut found: HashMap<PathBuf, Vec<String>> = nodes.map(|node| (node.clone(), Vec::new())).collect();
    let own = std::process::id();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    for (process, id) in processes.filter_map(|p| Some((p.path(), p.file_name().to_str()?.parse::<u32>().ok()?))) {
        let files = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        for file in files.filter(|_| id != own).filter_map(|file| fs::read_link(file.path()).ok()) {
            let Some(known) = found.get_mut(&file) else { continue };
            let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
            let who = format!("{} (process {id})", name.trim());
            if !known.contains(&who) {
                known.push(who);
            }
        }
    }
    found
}

/// Our own name.
fn user() -> String {
    let id = rustix::process::geteuid().as_raw();
    name_in("/etc/passwd", id).unwrap_or_else(|| format!("number {id}"))
}

/// The name of this number in `/etc/passwd` or `/etc/group`, which begin alike: name, password, number.
fn name_in(file: &str, number: u32) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(number)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::state::tests::TestDir;

    #[test]
    fn a_file_tells_who_may_use_it() {
        assert_eq!(name_in("/etc/passwd", 0).as_deref(), Some("root"));
        assert_eq!(name_in("/etc/group", u32::MAX), None);
        let null = node(Path::new("/dev/null"), &HashMap::new());
        assert!(null.allowed && null.group.as_deref() == Some("root"));
        assert!(!node(Path::new("/dev/no-such-video"), &HashMap::new()).allowed);
    }

    #[test]
    fn whoever_has_a_file_open_is_found_by_name() {
        let dir = TestDir::new();
        let path = dir.0.canonicalize().unwrap().join("video0");
        let file = fs::File::create(&path).unwrap();
        let mut holder = std::process::Command::new("sleep").arg("60").stdout(file).spawn().unwrap();
        let found = holders(std::iter::once(&path));
        holder.kill().unwrap();
        holder.wait().unwrap();
        assert_eq!(found[&path], [format!("sleep (process {})", holder.id())]);
    }
}
