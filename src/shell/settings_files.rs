//! `intercom settings`: reads what people wrote on the settings partition, and writes what the flashed image's system reads.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use intercom_core::tv::message::Text;
use intercom_core::tv::mistake::Fault;
use rustix::fs::OFlags;

use crate::config::timezone::{self, Zones};
use crate::config::{ConfigErrors, Problem, plain_text, wifi};
use crate::shell::{notice_board, state};

/// The system's tz database.
pub const ZONES: &str = "/usr/share/zoneinfo";

/// What the clock shows where no zone is clear.
const UTC: &str = "UTC";

/// Zones that are looked at; a system has about 600.
const MOST_ZONES: usize = 4096;

/// Bytes at the end of a zone's file that its rule may have.
const LONGEST_RULE: u64 = 128;

/// Names in the folder of settings that are looked at.
const MOST_NAMES: usize = 256;

/// Makes of `wifi.txt` and `timezone.txt` in `from` what the system reads in `to`: `wifi.conf` if there is a network to join,
/// `localtime`, a link into `zones`, and a notice for each file with a mistake. All mistakes, a line each.
///
/// # Errors
/// If nothing can be written in `to`. What people wrote is never an error.
pub fn apply(from: &Path, to: &Path, zones: &Path) -> io::Result<Vec<String>> {
    fs::create_dir_all(to)?;
    // The Wi-Fi first: without the time home can still be visited.
    let (conf, wifi_mistakes) = read_wifi(from);
    let joined = match conf {
        Some(text) => state::write(&to.join("wifi.conf"), text.as_bytes(), 0o600),
        None => state::remove(&to.join("wifi.conf")),
    };
    let tree = Tree::read(zones);
    let (zone, zone_mistakes) = read_zone(from, &tree);
    let linked = link(&zones.join(zone.as_deref().unwrap_or(UTC)), &to.join("localtime"));
    let mut told = Vec::new();
    for (name, mistakes) in [("timezone", zone_mistakes), ("wifi", wifi_mistakes)] {
        notice_board::leave(&to.join("notices"), name, mistakes.message().as_ref())?;
        told.extend(mistakes.problems.first().map(|_| mistakes.to_string()));
    }
    joined?;
    linked?;
    Ok(told)
}

fn read_zone(from: &Path, tree: &Tree<'_>) -> (Option<String>, ConfigErrors) {
    const FILE: &str = "timezone.txt";
    let bytes = match read_file(from, FILE) {
        Ok(bytes) => bytes,
        Err(problems) => return (None, mistakes(FILE, problems)),
    };
    let rule = |name: &str| tree.rule(name);
    let found = timezone::read(&bytes, &Zones { names: &tree.names, rule: &rule });
    let mut problems = found.problems;
    // A name that leads out of the tree, or to no zone.
    let zone = found.zone.filter(|zone| tree.rule(zone).is_some());
    if zone.is_none() && problems.is_empty() && !tree.names.is_empty() && !is_without_words(&bytes) {
        problems.push(whole(Fault::ZoneMissing));
    }
    (zone, mistakes(FILE, problems))
}

/// Whether a file has remarks alone.
fn is_without_words(bytes: &[u8]) -> bool {
    plain_text::read(bytes).is_ok_and(|text| text.lines.iter().all(|(_, line)| plain_text::is_comment(line)))
}

fn read_wifi(from: &Path) -> (Option<String>, ConfigErrors) {
    const FILE: &str = "wifi.txt";
    match read_file(from, FILE) {
        Ok(bytes) => {
            let wifi = wifi::read(&bytes);
            (wifi.to_supplicant(), mistakes(FILE, wifi.problems))
        }
        Err(problems) => (None, mistakes(FILE, problems)),
    }
}

fn mistakes(file: &str, problems: Vec<Problem>) -> ConfigErrors {
    ConfigErrors { file: file.to_owned(), problems }
}

fn whole(fault: Fault) -> Problem {
    Problem::of(None, "", fault, None)
}

/// A byte more than is allowed, of a file that is larger. An absent one is no mistake: a home with a cable needs no Wi-Fi. It
/// is one if the same name with another ending is there.
fn read_file(from: &Path, name: &str) -> Result<Vec<u8>, Vec<Problem>> {
    match beginning(&from.join(name)) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => match look_alike(from, name) {
            Some(found) => Err(vec![whole(Fault::FileMisnamed { found: Text::new(found), name: Text::new(name) })]),
            None => Ok(Vec::new()),
        },
        Err(error) => Err(vec![whole(Fault::FileUnreadable { why: Text::new(error.kind()) })]),
    }
}

fn beginning(path: &Path) -> io::Result<Vec<u8>> {
    // A pipe would be waited for.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let mut bytes = Vec::new();
    file.take(plain_text::LARGEST as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Such as `wifi.txt.txt` or `WiFi.rtf`: Windows hides endings, and word processors choose others.
fn look_alike(from: &Path, name: &str) -> Option<String> {
    let stem = name.split('.').next()?;
    let entries = fs::read_dir(from).ok()?.take(MOST_NAMES).flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut alike: Vec<String> = names
        .filter(|found| {
            let plain = found.to_lowercase().replace(['-', ' ', '_'], "");
            !found.starts_with('.')
                && plain
                    .strip_prefix(stem)
                    .is_some_and(|rest| rest.is_empty() || !rest.starts_with(char::is_alphabetic))
        })
        .collect();
    alike.sort();
    alike.into_iter().next()
}

/// Puts a link in place of another one, or of nothing, at once.
fn link(to: &Path, at: &Path) -> io::Result<()> {
    let beside = at.with_extension("new");
    state::remove(&beside)?;
    std::os::unix::fs::symlink(to, &beside)?;
    fs::rename(&beside, at)
}

/// The zones of a tz database, by name.
struct Tree<'t> {
    root: &'t Path,
    names: Vec<String>,
}

impl Tree<'_> {
    fn read(root: &Path) -> Tree<'_> {
        let mut tree = Tree { root, names: Vec::new() };
        tree.gather(root, "", 0);
        tree.names.sort();
        tree
    }

    fn gather(&mut self, folder: &Path, before: &str, depth: usize) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            // What is no zone begins with a small letter, or has a dot.
            let is_zone =
                name.starts_with(|c: char| c.is_ascii_uppercase()) && !name.contains('.') && name != "Factory";
            if !is_zone || self.names.len() >= MOST_ZONES {
                continue;
            }
            let path = format!("{before}{name}");
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && depth < 3 => self.gather(&entry.path(), &format!("{path}/"), depth + 1),
                Ok(kind) if !kind.is_dir() => self.names.push(path),
                _ => {}
            }
        }
    }

    /// The last line of a zone's file within the tree; `None` if it is none.
    fn rule(&self, name: &str) -> Option<String> {
        let (root, path) = (self.root.canonicalize().ok()?, self.root.join(name).canonicalize().ok()?);
        if !path.starts_with(root) {
            return None;
        }
        rule_of(&path).ok().flatten()
    }
}

/// The rule in a zone's file (RFC 9636, 3.3), empty in one of the first version; `None` if it is no such file.
fn rule_of(path: &PathBuf) -> io::Result<Option<String>> {
    let mut file = File::open(path)?;
    let mut mark = [0; 5];
    file.read_exact(&mut mark)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LONGEST_RULE)))?;
    let mut end = Vec::new();
    file.take(LONGEST_RULE).read_to_end(&mut end)?;
    let [magic @ .., version] = mark;
    let lines: Vec<&[u8]> = end.split(|byte| *byte == b'\n').collect();
    let rule = match lines.as_slice() {
        [_, .., rule, []] if version >= b'2' => String::from_utf8_lossy(rule).into_owned(),
        _ => String::new(),
    };
    Ok((magic == *b"TZif").then_some(rule))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use intercom_base::language::Language;

    use super::*;
    use crate::shell::notice_board::tests::{told, told_in_each};
    use crate::shell::state::tests::TestDir;

    /// A settings partition, a folder for what becomes of it, and a small tz database.
    struct Home(TestDir);

    impl Home {
        fn new() -> Home {
            let dir = TestDir::new();
            fs::create_dir_all(dir.0.join("zones/Europe")).unwrap();
            fs::create_dir_all(dir.0.join("from")).unwrap();
            let zone = |rule: &str| format!("TZif2\0\0\0\0binary\n{rule}\n");
            fs::write(dir.0.join("zones/Europe/Berlin"), zone("CET-1CEST,M3.5.0,M10.5.0/3")).unwrap();
            fs::write(dir.0.join("zones/UTC"), zone("UTC0")).unwrap();
            fs::write(dir.0.join("zones/Empty"), "").unwrap();
            fs::write(dir.0.join("outside"), zone("UTC0")).unwrap();
            std::os::unix::fs::symlink("../outside", dir.0.join("zones/Outside")).unwrap();
            std::os::unix::fs::symlink("Europe/Berlin", dir.0.join("zones/Germany")).unwrap();
            Home(dir)
        }

        fn at(&self, name: &str) -> PathBuf {
            self.0.0.join(name)
        }

        fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
            fs::write(self.at("from").join(name), bytes).unwrap();
        }

        /// The zone, whether there is a Wi-Fi, and the notices.
        fn apply(&self) -> (String, bool, [String; 2]) {
            apply(&self.at("from"), &self.at("to"), &self.at("zones")).unwrap();
            let link = fs::read_link(self.at("to/localtime")).unwrap();
            let zone = link.strip_prefix(self.at("zones")).unwrap().to_string_lossy().into_owned();
            let first = |text: String| text.lines().next().unwrap_or_default().to_owned();
            let notice =
                |name: &str| fs::read_to_string(self.at("to/notices").join(name)).map(first).unwrap_or_default();
            (zone, self.at("to/wifi.conf").exists(), [notice("timezone"), notice("wifi")])
        }
    }

    fn quiet() -> [String; 2] {
        [String::new(), String::new()]
    }

    #[test]
    fn mistakes_are_told_until_they_are_mended() {
        let home = Home::new();
        home.write("wifi.txt", "network = Home\npassword = short\n");
        home.write("timezone.txt", "Berln\n");
        let (zone, joined, [of_zone, of_wifi]) = home.apply();
        assert_eq!((zone.as_str(), joined), ("UTC", false));
        assert!(of_zone.contains("line 1") && of_zone.contains("did you mean Europe/Berlin?"), "{of_zone}");
        assert!(of_wifi.contains("line 2") && of_wifi.contains("too few"), "{of_wifi}");
        home.write("wifi.txt", "network = Home\npassword = geheim1234\n");
        home.write("timezone.txt", "Berlin\n");
        assert_eq!(home.apply(), ("Europe/Berlin".to_owned(), true, quiet()));
        assert_eq!(fs::metadata(home.at("to/wifi.conf")).unwrap().permissions().mode() & 0o777, 0o600);
        home.write("wifi.txt", "network =\n");
        assert_eq!(home.apply(), ("Europe/Berlin".to_owned(), false, quiet()), "no network of before is joined");
        assert_eq!(
            fs::read_dir(home.at("to")).unwrap().count(),
            2,
            "localtime and the folder of notices, nothing half"
        );
    }

    #[test]
    fn the_tv_says_each_mistake_in_its_language() {
        let home = Home::new();
        home.write("wifi.txt", "network = Home\npassword = short\npasword = x\n");
        home.write("timezone.txt", "Berln\n");
        home.apply();
        let said = |language| told(&home.at("to/notices"), language);
        let [german, log] = said(Language::German);
        assert_eq!(
            german,
            [
                "timezone.txt, Zeile 1: es gibt keine Zeitzone „Berln“; ist Europe/Berlin gemeint?",
                "wifi.txt, Zeile 2: password: 5 Zeichen sind zu wenig für ein WLAN (und 1 weitere)",
            ]
        );
        assert_eq!(log[0], "timezone.txt, line 1: there is no time zone “Berln”; did you mean Europe/Berlin?");
        assert_eq!(said(Language::English)[0], log);
        assert!(
            said(Language::Chinese)[0][1].starts_with("wifi.txt第2行：password："),
            "{:?}",
            said(Language::Chinese)
        );
        fs::remove_file(home.at("from/wifi.txt")).unwrap();
        home.write("wifi.txt.txt", "network = Home\n");
        fs::remove_file(home.at("from/timezone.txt")).unwrap();
        home.apply();
        let said = told_in_each(&home.at("to/notices"));
        assert_eq!(said[1].1, "wifi.txt: die Datei heißt „wifi.txt.txt“; bitte in wifi.txt umbenennen");
    }

    #[test]
    fn no_zone_leads_out_of_the_tree() {
        let home = Home::new();
        for text in ["../outside", "Outside", "Empty", "/etc/localtime", "Europe/../../outside"] {
            home.write("timezone.txt", text);
            let (zone, _, [told, _]) = home.apply();
            assert!(zone == "UTC" && told.starts_with("timezone.txt"), "{text}: {zone}, {told}");
        }
        home.write("timezone.txt", "germany");
        assert_eq!(home.apply().0, "Germany");
    }

    #[test]
    fn files_that_are_absent_huge_or_no_files() {
        let home = Home::new();
        assert_eq!(home.apply(), ("UTC".to_owned(), false, quiet()));
        home.write("wifi.txt.txt", "network = Home\n");
        fs::create_dir(home.at("from/timezone.txt")).unwrap();
        let (_, joined, [of_zone, of_wifi]) = home.apply();
        assert!(!joined && of_zone.contains("cannot be read"), "{of_zone}");
        assert_eq!(of_wifi, "wifi.txt: the file is called “wifi.txt.txt”; rename it to wifi.txt");
        home.write("wifi.txt", vec![b'\n'; 10_000_000]);
        assert!(home.apply().2[1].contains("too large"));
        fs::remove_dir_all(home.at("from")).unwrap();
        assert_eq!(home.apply(), ("UTC".to_owned(), false, quiet()));
        fs::remove_dir_all(home.at("zones")).unwrap();
        assert_eq!(home.apply().0, "UTC");
    }
}
