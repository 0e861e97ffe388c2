//! The sound cards that are there, and which of them is meant by a name or by `auto`.

use std::ffi::CStr;
use std::path::{Path, PathBuf};

use alsa::Direction;
use alsa::ctl::{Ctl, ElemId, ElemIface, ElemType, ElemValue};

use crate::contract::{Fault, Sighting};
use crate::mixer;

/// One end of a card that plays or captures: a PCM device of the kernel's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// Number of its card; it changes with the order in which cards are found.
    pub card: u32,
    /// Number within the card.
    pub device: u32,
    /// The card's short name, unique among those that are there.
    pub id: String,
    /// Which kernel driver the card has, such as `USB-Audio`.
    pub driver: String,
    /// The card's name.
    pub name: String,
    /// The device's name within the card.
    pub part: String,
    /// Names under `/dev/snd/by-id` and `/dev/snd/by-path`, which stay with the thing or with its socket.
    pub links: Vec<String>,
    /// The TV or monitor at its other end that plays sound, by name, if it is an HDMI or DisplayPort socket.
    pub listener: Option<String>,
}

impl Endpoint {
    /// In words, for logs.
    pub fn describe(&self) -> String {
        let part = if self.name.contains(&self.part) { "" } else { &self.part };
        let names: Vec<&str> =
            [self.name.as_str(), part].into_iter().chain(self.listener.as_deref()).filter(|s| !s.is_empty()).collect();
        names.join(", ")
    }

    /// alsa-lib's names for it, the most direct first. The second knows cards that want their sound wrapped, such as
    /// the Raspberry Pi's HDMI.
    pub fn pcms(&self) -> Vec<String> {
        let own = format!("CARD={},DEV={}", self.id, self.device);
        let mut names = vec![format!("hw:{own}")];
        if self.device == 0 {
            names.push(format!("sysdefault:CARD={}", self.id));
        }
        names.push(format!("plughw:{own}"));
        names
    }

    fn is_hdmi(&self) -> bool {
        [&self.part, &self.driver].iter().any(|text| text.to_lowercase().contains("hdmi"))
    }

    /// Whether nobody can hear it or speak into it: cards that exist in memory only.
    fn is_virtual(&self) -> bool {
        ["Loopback", "Dummy"].contains(&self.driver.as_str())
    }

    /// The smaller the better `auto` likes it.
    fn rank(&self, direction: Direction) -> u32 {
        let usb = self.driver == "USB-Audio";
        let digital = ["Digital", "IEC958", "SPDIF"].iter().any(|word| self.part.contains(word));
        match direction {
            _ if self.is_virtual() => 9,
            // Every board has a socket for a microphone, mostly an empty one; what hangs on USB was put there.
            Direction::Capture => u32::from(!usb),
            Direction::Playback if self.listener.is_some() => 0,
            Direction::Playback if self.is_hdmi() => 4,
            Direction::Playback if usb => 1,
            Direction::Playback => 2 + u32::from(digital),
        }
    }
}

/// What a name in the config means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// This one.
    Card(Box<Endpoint>),
    /// A card of exactly this name is not there; one or more have it as a part of theirs.
    Part(Vec<Endpoint>),
    /// None is called so.
    None,
}

/// All that play or capture now. Needs no permission but for the names of the TVs.
pub fn list(direction: Direction) -> Vec<Endpoint> {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let mut all = parse(&read("/proc/asound/cards"), &read("/proc/asound/pcm"), direction);
    let links = links(&["/dev/snd/by-id", "/dev/snd/by-path"]);
    for endpoint in &mut all {
        endpoint.links =
            links.iter().filter(|(card, _)| *card == endpoint.card).map(|(_, name)| name.clone()).collect();
        if direction == Direction::Playback && endpoint.is_hdmi() {
            endpoint.listener = eld(endpoint.card, endpoint.device).and_then(|eld| listener(&eld));
        }
    }
    all
}

/// What `auto` takes: of a speaker's the socket of a TV that plays sound, then what hangs on USB, then the analog one;
/// of a microphone's what hangs on USB, then the first.
pub fn choose(all: &[Endpoint], direction: Direction) -> Option<&Endpoint> {
    all.iter().min_by_key(|endpoint| (endpoint.rank(direction), endpoint.card, endpoint.device))
}

/// What `words` mean: a card's id, name or link, or the name of one of its devices, whole or a part that only one
/// card has; upper and lower case are the same. Of a card's several devices the one that `auto` would take.
pub fn find(all: &[Endpoint], direction: Direction, words: &str) -> Found {
    let words = words.trim().to_lowercase();
    let names = |e: &Endpoint| -> Vec<String> {
        let own = [&e.id, &e.name, &e.part].into_iter().chain(e.listener.as_ref()).chain(&e.links);
        own.chain([&e.describe()]).map(|name| name.to_lowercase()).collect()
    };
    let with = |wanted: &dyn Fn(&String) -> bool| -> Vec<Endpoint> {
        all.iter().filter(|endpoint| names(endpoint).iter().any(wanted)).cloned().collect()
    };
    let exact = with(&|name| *name == words);
    match choose(&exact, direction) {
        Some(one) if one_card(&exact) => return Found::Card(Box::new(one.clone())),
        _ => {}
    }
    let part = with(&|name| name.contains(&words));
    match choose(&part, direction) {
        None => Found::None,
        Some(_) if !one_card(&part) => Found::Part(part),
        Some(one) => Found::Part(vec![one.clone()]),
    }
}

/// All that play or capture, what `auto` takes first; for the doctor.
pub fn survey(direction: Direction) -> Vec<Sighting> {
    let mut all = list(direction);
    all.sort_by_key(|endpoint| (endpoint.rank(direction), endpoint.card, endpoint.device));
    let letter = if direction == Direction::Playback { 'p' } else { 'c' };
    let seen = all.into_iter().map(|endpoint| Sighting {
        device: format!("plughw:CARD={},DEV={}", endpoint.id, endpoint.device),
        name: endpoint.describe(),
        modes: Vec::new(),
        nodes: vec![PathBuf::from(format!("/dev/snd/pcmC{}D{}{letter}", endpoint.card, endpoint.device))],
        fault: mixer::muted(endpoint.card as i32, direction).map(Fault::Muted),
    });
    seen.collect()
}

/// For errors: the cards that could be named, each once.
pub fn names(all: &[Endpoint]) -> String {
    let mut names: Vec<String> = all.iter().map(|endpoint| format!("{} ({})", endpoint.id, endpoint.name)).collect();
    names.dedup();
    if names.is_empty() { "there is no sound card".into() } else { format!("there are: {}", names.join(", ")) }
}

fn one_card(some: &[Endpoint]) -> bool {
    some.windows(2).all(|two| two[0].card == two[1].card)
}

/// Reads `/proc/asound/cards` and `/proc/asound/pcm`.
fn parse(cards: &str, pcms: &str, direction: Direction) -> Vec<Endpoint> {
    let word = if direction == Direction::Playback { "playback" } else { "capture" };
    let known: Vec<Endpoint> = cards.lines().filter_map(card).collect();
    let endpoint = |line: &str| {
        let mut fields = line.split(':').map(str::trim);
        let (numbers, id, name) = (fields.next()?, fields.next()?, fields.next()?);
        let (card, device) = numbers.split_once('-')?;
        let (card, device) = (card.parse().ok()?, device.parse().ok()?);
        // The id is the kernel driver's, the name a person's; where that is missing the id must do.
        let part = if name.is_empty() { id } else { name }.to_string();
        let card = known.iter().find(|known| known.card == card)?.clone();
        fields.any(|field| field.starts_with(word)).then_some(Endpoint { device, part, ..card })
    };
    pcms.lines().filter_map(endpoint).collect()
}

/// A line such as ` 0 [PCH            ]: HDA-Intel - HDA Intel PCH`.
fn card(line: &str) -> Option<Endpoint> {
    let (number, rest) = line.split_once('[')?;
    let (id, rest) = rest.split_once("]:")?;
    let (driver, name) = rest.split_once(" - ")?;
    let text = |s: &str| s.trim().to_string();
    let card = number.trim().parse().ok()?;
    Some(Endpoint { card, id: text(id), driver: text(driver), name: text(name), ..Endpoint::default() })
}

/// The links that udev made to the control device of a card: its number and their name.
fn links(folders: &[&str]) -> Vec<(u32, String)> {
    let entries = folders.iter().flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten().flatten());
    let link = |entry: std::fs::DirEntry| {
        let target = std::fs::read_link(entry.path()).ok()?;
        let card = Path::new(&target).file_name()?.to_str()?.strip_prefix("controlC")?.parse().ok()?;
        Some((card, entry.file_name().into_string().ok()?))
    };
    entries.filter_map(link).collect()
}

/// What the thing at the other end of an HDMI socket says of its ears (EDID-Like Data, from the control of that name).
fn eld(card: u32, device: u32) -> Option<Vec<u8>> {
    const NAME: &CStr = c"ELD";
    let control = Ctl::new(&format!("hw:{card}"), true).ok()?;
    let mut id = ElemId::new(ElemIface::PCM);
    id.set_name(NAME);
    id.set_device(device);
    let mut value = ElemValue::new(ElemType::Bytes).ok()?;
    value.set_id(&id);
    control.elem_read(&mut value).ok()?;
    value.get_bytes().map(<[u8]>::to_vec)
}

/// The name of who listens, from an ELD as the High Definition Audio specification (7.3.3.34) lays it out; `None` if
/// nothing is plugged in, or nothing that plays sound.
pub fn listener(eld: &[u8]) -> Option<String> {
    let version = eld.first()? >> 3;
    let formats = eld.get(5)? >> 4;
    if version == 0 || formats == 0 {
        return None;
    }
    let length = usize::from(eld.get(4)? & 31);
    let name = String::from_utf8_lossy(eld.get(20..20 + length)?).trim_matches(['\0', ' ', '\n']).to_string();
    Some(if name.is_empty() { "a TV".into() } else { name })
}

#[cfg(test)]
mod tests {
    use super::*;

    // A mini PC with analog sockets and HDMI on one card, a webcam with a microphone, and a loopback.
    const CARDS: &str = " 0 [Loopback       ]: Loopback - Loopback
                      Loopback 1
 1 [PCH            ]: HDA-Intel - HDA Intel PCH
                      HDA Intel PCH at 0xf7e10000 irq 32
 2 [C920           ]: USB-Audio - HD Pro Webcam C920
                      HD Pro Webcam C920 at usb-0000:00:14.0-2, high speed
";
    const PCMS: &str = "00-00: Loopback PCM : Loopback PCM : playback 8 : capture 8
00-01: Loopback PCM : Loopback PCM : playback 8 : capture 8
01-00: ALC892 Analog : ALC892 Analog : playback 1 : capture 1
01-01: ALC892 Digital : ALC892 Digital : playback 1
01-03: HDMI 0 : HDMI 0 : playback 1
01-07: HDMI 1 : HDMI 1 : playback 1
02-00: USB Audio : USB Audio : capture 1
";

    fn playback() -> Vec<Endpoint> {
        parse(CARDS, PCMS, Direction::Playback)
    }

    fn capture() -> Vec<Endpoint> {
        parse(CARDS, PCMS, Direction::Capture)
    }

    fn place(endpoint: Option<&Endpoint>) -> Option<(&str, u32)> {
        endpoint.map(|endpoint| (endpoint.id.as_str(), endpoint.device))
    }

    #[test]
    fn cards_and_their_devices_are_read() {
        let all = playback();
        assert_eq!(all.len(), 6);
        assert_eq!((all[4].name.as_str(), all[4].part.as_str(), all[4].device), ("HDA Intel PCH", "HDMI 0", 3));
        assert_eq!(all[4].describe(), "HDA Intel PCH, HDMI 0");
        assert_eq!(all[0].describe(), "Loopback, Loopback PCM");
        assert_eq!(all[4].pcms(), ["hw:CARD=PCH,DEV=3", "plughw:CARD=PCH,DEV=3"]);
        assert!(parse("garbage\n[", "::\n00-00\n7-0: a : b : playback", Direction::Playback).is_empty());
    }

    #[test]
    fn a_microphone_on_usb_comes_before_an_empty_socket_and_a_loopback_last() {
        let mut all = capture();
        assert_eq!(place(choose(&all, Direction::Capture)), Some(("C920", 0)));
        all.retain(|endpoint| endpoint.id != "C920");
        assert_eq!(place(choose(&all, Direction::Capture)), Some(("PCH", 0)));
        all.retain(|endpoint| endpoint.id != "PCH");
        assert_eq!(place(choose(&all, Direction::Capture)), Some(("Loopback", 0)));
        assert_eq!(choose(&[], Direction::Capture), None);
    }

    #[test]
    fn a_speaker_is_the_tv_that_listens_else_the_analog_socket() {
        let mut all = playback();
        assert_eq!(place(choose(&all, Direction::Playback)), Some(("PCH", 0)), "no TV is on");
        all[5].listener = Some("SAMSUNG".into());
        assert_eq!(place(choose(&all, Direction::Playback)), Some(("PCH", 7)), "the second socket has one");
        assert_eq!(choose(&all, Direction::Playback).unwrap().describe(), "HDA Intel PCH, HDMI 1, SAMSUNG");
        all[5].listener = None;
        all.push(Endpoint { card: 3, driver: "USB-Audio".into(), id: "Jabra".into(), ..Endpoint::default() });
        assert_eq!(place(choose(&all, Direction::Playback)), Some(("Jabra", 0)), "somebody plugged that in");
        all.retain(|endpoint| endpoint.part.starts_with("HDMI") || endpoint.id == "Loopback");
        assert_eq!(place(choose(&all, Direction::Playback)), Some(("PCH", 3)), "before nothing, a TV that is asleep");
    }

    #[test]
    fn names_are_found_whole_or_in_part_in_any_case() {
        let mut all = playback();
        all[4].links = vec!["pci-0000:00:1f.3".into()];
        all[5].listener = Some("SAMSUNG".into());
        let card = |words: &str| match find(&all, Direction::Playback, words) {
            Found::Card(one) => (true, one.id, one.device),
            Found::Part(some) if some.len() == 1 => (false, some[0].id.clone(), some[0].device),
            other => panic!("{words}: {other:?}"),
        };
        assert_eq!(card("PCH"), (true, "PCH".into(), 7), "of one card's devices the one that auto would take");
        assert_eq!(card("hda intel pch"), (true, "PCH".into(), 7));
        assert_eq!(card("ALC892 Analog"), (true, "PCH".into(), 0));
        assert_eq!(card("HDA Intel PCH, HDMI 0"), (true, "PCH".into(), 3));
        assert_eq!(card("pci-0000:00:1f.3"), (true, "PCH".into(), 3));
        assert_eq!(card("analog"), (false, "PCH".into(), 0));
        assert_eq!(card("samsung"), (true, "PCH".into(), 7));
        assert_eq!(find(&all, Direction::Playback, "C920"), Found::None, "it does not play");
        let Found::Part(both) = find(&all, Direction::Playback, "p") else { panic!("two cards have a p") };
        assert!(both.len() > 1);
        assert_eq!(names(&all), "there are: Loopback (Loopback), PCH (HDA Intel PCH)");
        assert_eq!(names(&[]), "there is no sound card");
    }

    #[test]
    fn a_tv_that_plays_sound_is_told_from_a_monitor_that_does_not() {
        let mut eld = vec![0u8; 84];
        assert_eq!(listener(&eld), None, "nothing is plugged in");
        eld[0] = 2 << 3;
        assert_eq!(listener(&eld), None, "a monitor without ears");
        eld[5] = 1 << 4;
        assert_eq!(listener(&eld), Some("a TV".into()), "one without a name");
        eld[4] = 3 << 5 | 8;
        eld[20..28].copy_from_slice(b"SAMSUNG\0");
        assert_eq!(listener(&eld), Some("SAMSUNG".into()));
        assert_eq!(listener(&eld[..22]), None);
        assert_eq!(listener(&[]), None);
    }

    #[test]
    fn links_of_udev_lead_to_their_card() {
        let folder = std::env::temp_dir().join(format!("intercom-cards-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::os::unix::fs::symlink("../controlC3", folder.join("usb-046d_C920-00")).unwrap();
        std::os::unix::fs::symlink("../pcmC3D0c", folder.join("other")).unwrap();
        let found = links(&[folder.to_str().unwrap(), "/nonexistent"]);
        std::fs::remove_dir_all(folder).unwrap();
        assert_eq!(found, [(3, "usb-046d_C920-00".to_string())]);
    }
}
