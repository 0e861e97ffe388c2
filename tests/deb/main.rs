//! The Debian package in a system of this machine's own release: installed, upgraded, removed and purged.
//!
//! Needs root or user namespaces, and `mmdebstrap`; the system is made once and kept in the target folder.
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "a test from outside lives in real time")]

mod bill;
#[path = "../browser/harness/failures.rs"]
mod failures;
mod system;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use system::System;

const CONFIG: &str = "/etc/intercom/intercom.toml";
const VERSION: &str = env!("CARGO_PKG_VERSION");

type Step = fn(&System, &Packages);

/// In this order: each finds the system as the one before left it.
const STEPS: [(&str, Step); 4] =
    [("installed", installed), ("upgraded", upgraded), ("removed", removed), ("purged", purged)];

/// The package, and the same of a higher version.
struct Packages {
    first: PathBuf,
    next: PathBuf,
}

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "--list") {
        STEPS.iter().for_each(|(name, _)| println!("deb_{name}: test"));
        return ExitCode::SUCCESS;
    }
    let words: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    if !words.is_empty() && !words.iter().any(|word| "deb".contains(word.as_str())) {
        return ExitCode::SUCCESS;
    }
    if let Err(problem) = system::possible() {
        let line = "!".repeat(78);
        println!("{line}\n!! NOT RUN: the package in a system of its own\n!! {problem}\n{line}");
        return ExitCode::SUCCESS;
    }
    let binary = Path::new(env!("CARGO_BIN_EXE_intercom"));
    let folder = binary.parent().and_then(Path::parent).expect("the target folder").join("deb-test");
    let mut system = None;
    for (name, step) in STEPS {
        let began = Instant::now();
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let (system, packages) = system.get_or_insert_with(|| prepare(binary, &folder));
            step(system, packages);
        }));
        let verdict = if result.is_ok() { "ok" } else { "FAILED" };
        println!("test deb_{name} ... {verdict} ({:.1} s)", began.elapsed().as_secs_f64());
        if let Err(why) = result {
            failures::failed(&format!("deb_{name}"), &*why);
            // It stays where it is, to be looked at.
            std::mem::forget(system);
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn prepare(binary: &Path, folder: &Path) -> (System, Packages) {
    let build = |version: &str| {
        let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("etc/deb/build"));
        // Nobody downloads it.
        command.env("VERSION", version).env("DPKG_DEB_COMPRESSOR_TYPE", "none").arg(binary).arg(folder);
        system::output(&mut command);
        let name =
            format!("intercom_{version}_{}.deb", system::output(Command::new("dpkg").arg("--print-architecture")));
        folder.join(name)
    };
    let (first, next) = (build(VERSION), build(&format!("{VERSION}+1")));
    let needs = system::output(Command::new("dpkg-deb").arg("-f").arg(&first).arg("Depends"));
    (System::new(folder, &needs), Packages { first, next })
}

/// The service starts with the next boot, its unit is sound, the config is there and good.
fn installed(system: &System, packages: &Packages) {
    assert_eq!(system.named("intercom"), "", "a system that never had it");
    system.install(&packages.first);
    licences_are_told(system, &packages.first);
    guide_is_whole(system);
    assert_eq!(system.run("systemctl is-enabled intercom.service"), "enabled");
    assert_eq!(system.run("systemd-analyze verify intercom.service 2>&1"), "");
    assert_eq!(system.run("intercom --version"), format!("intercom {VERSION}"));
    assert_eq!(system.run(&format!("stat -c '%a %U %G' {CONFIG}")), "640 root intercom-config");
    let check = system.run(&format!("intercom check {CONFIG}"));
    assert!(check.contains("camera"), "it tells what would run: {check}");
    // What its first run leaves behind: a key, in the state of a service with a user of its own.
    system.run("mkdir -p -m 700 /var/lib/private/intercom && ln -s private/intercom /var/lib/intercom");
    let link = system.run(&format!("STATE_DIRECTORY=/var/lib/intercom intercom link --config {CONFIG}"));
    assert!(link.contains("#p="), "{link}");
}

/// In Debian's form, with what of others is inside, and the same for programs beside the package.
fn licences_are_told(system: &System, package: &Path) {
    let copyright = system.run("cat /usr/share/doc/intercom/copyright");
    assert!(copyright.starts_with("Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/"));
    for words in ["Files: *", "License: Expat or Apache-2.0", "Cisco's patent licence covers only the binaries"] {
        assert!(copyright.contains(words), "no {words:?}");
    }
    let components = bill::components(&package.with_extension("cdx.json"));
    bill::tells_of_the_program(&components, Path::new(env!("CARGO_BIN_EXE_intercom")));
    bill::third_party_has_a_text_for_each(&components, &system.run("zcat /usr/share/doc/intercom/THIRD-PARTY.gz"));
}

/// The guide comes along, and its links lead to what came along with it.
fn guide_is_whole(system: &System) {
    let listed = r#"cd /usr/share/doc/intercom/etc/guide && ls *.md | wc -l
        for page in *.md; do
            grep -o ']([^):]*)' "$page" | sed 's/^](//; s/)$//; s/#.*//' | while read -r link; do
                [ -z "$link" ] || [ -e "$link" ] || echo "$page: $link"
            done
        done"#;
    let told = system.run(listed);
    let mut lines = told.lines();
    let pages: u32 = lines.next().and_then(|count| count.trim().parse().ok()).expect("a number of pages");
    assert!(pages >= 8, "{told}");
    assert_eq!(lines.collect::<Vec<_>>(), [] as [&str; 0], "links that lead nowhere");
}

/// Nobody is asked anything, and what the owner wrote into the config stays.
fn upgraded(system: &System, packages: &Packages) {
    system.run(&format!("sed -i 's/^name = .*/name = \"Edited\"/' {CONFIG}"));
    system.install(&packages.next);
    assert_eq!(
        system.run("dpkg-query -W -f '${Version} ${Status}' intercom"),
        format!("{VERSION}+1 install ok installed")
    );
    assert_eq!(system.run(&format!("grep -c '^name = \"Edited\"' {CONFIG}")), "1");
    assert_eq!(system.run("systemctl is-enabled intercom.service"), "enabled");
    assert_eq!(system.run("ls /etc/intercom"), "intercom.toml", "no second config lies beside it");
    system.run(&format!("intercom check {CONFIG}"));
}

/// The program is gone, config and keys are not.
fn removed(system: &System, _: &Packages) {
    system.run("dpkg --remove intercom");
    assert_eq!(system.run("ls /usr/bin | grep -x intercom || true"), "");
    assert_eq!(system.run(&format!("grep -c '^name = \"Edited\"' {CONFIG}")), "1");
    assert_eq!(system.run("grep -c sha256 /var/lib/private/intercom/keys.toml"), "1");
}

/// Nothing of ours is left, by name or behind a link.
fn purged(system: &System, _: &Packages) {
    system.run("dpkg --purge intercom");
    assert_eq!(system.named("intercom"), "");
}
