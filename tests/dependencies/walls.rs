//! Which room may touch what; ARCHITECTURE.md says why.

use std::fs;
use std::path::PathBuf;

use crate::root;
use crate::source::{Source, code, sources};

/// What of `all` breaks a rule: `file: what`.
fn offenders(all: &[Source], mut breaks: impl FnMut(&Source) -> Option<String>) -> Vec<String> {
    all.iter().filter_map(|source| breaks(source).map(|what| format!("{}: {what}", source.path))).collect()
}

fn assert_none(rule: &str, offenders: Vec<String>) {
    assert!(offenders.is_empty(), "{rule}; broken by\n  {}", offenders.join("\n  "));
}

/// A file as the rules see it, to prove that they would notice.
fn file(path: &str, text: &str) -> Source {
    Source { path: path.into(), code: code(text) }
}

const CONNECTION: &str = "src/core/call/peer/connection.rs";

fn names_rtc(source: &Source) -> Option<String> {
    let paths = source.paths();
    let named = source.names("Rtc") || paths.contains("str0m::*");
    (named && source.path != CONNECTION).then(|| "names str0m::Rtc".to_owned())
}

#[test]
fn one_file_sees_str0ms_rtc() {
    let all = sources(root(), "src");
    assert!(
        all.iter().any(|source| source.path == CONNECTION && source.paths().contains("str0m::Rtc")),
        "{CONNECTION} is not it"
    );
    assert_none("only src/core/call/peer/connection.rs names str0m::Rtc", offenders(&all, names_rtc));
    assert!(names_rtc(&file("src/core/call/home.rs", "use str0m::{Input, Rtc as R};")).is_some());
    assert!(names_rtc(&file("src/core/call/home.rs", "use str0m::*;")).is_some());
    assert!(names_rtc(&file("src/core/call/home.rs", "// Rtc\nuse str0m::Input;")).is_none());
}

const CLOCKS: [&str; 2] = ["src/shell/clock.rs", "drivers/src/clock.rs"];

fn reads_clock(source: &Source) -> Option<String> {
    const READS: [&str; 5] =
        ["Instant::now", "SystemTime::now", "OffsetDateTime::now_utc", "now_local", "clock_gettime"];
    let paths = source.paths();
    let mut found: Vec<String> = paths
        .iter()
        .filter(|path| READS.iter().any(|read| path.ends_with(&format!("::{read}")) || path == read))
        .cloned()
        .collect();
    found.extend([".elapsed()"].iter().filter(|read| source.code.contains(**read)).map(|read| (*read).to_owned()));
    (!found.is_empty() && !CLOCKS.contains(&source.path.as_str())).then(|| found.join(", "))
}

#[test]
fn only_the_clock_files_read_the_clock() {
    let mut all = sources(root(), "src");
    all.extend(sources(root(), "drivers"));
    assert_none("only the clock files read the clock", offenders(&all, reads_clock));
    assert!(reads_clock(&file("src/a.rs", "fn f() { std::time::Instant::now() }")).is_some());
    assert!(reads_clock(&file("src/a.rs", "fn f() { Instant::now() }")).is_some());
    assert!(reads_clock(&file("src/a.rs", "fn f(t: Instant) { t.elapsed() }")).is_some());
    assert!(reads_clock(&file("src/a.rs", "#[cfg(test)] mod tests { fn f() { Instant::now() } }")).is_none());
}

/// What the deciding rooms must not have: clock, socket, thread, file, process, or the shell around them.
fn touches(source: &Source) -> Option<String> {
    const WORLD: [&str; 10] = [
        "std::thread",
        "std::fs",
        "std::process",
        "std::os",
        "std::net::TcpStream",
        "std::net::TcpListener",
        "std::net::UdpSocket",
        "rustix",
        "socket2",
        "crate::shell",
    ];
    let paths = source.paths();
    let found: Vec<&str> = WORLD.into_iter().filter(|path| paths.contains(*path)).collect();
    (!found.is_empty()).then(|| found.join(", "))
}

#[test]
fn base_core_and_media_touch_nothing() {
    for room in ["src/base", "src/core", "src/media"] {
        assert_none("this room decides or computes, and touches nothing", offenders(&sources(root(), room), touches));
    }
    assert!(touches(&file("src/core/a.rs", "use std::{fs::File, thread};")).is_some());
    assert!(touches(&file("src/core/a.rs", "use crate::shell::wires::X;")).is_some());
    assert!(touches(&file("src/core/a.rs", "use std::net::SocketAddr;")).is_none());
}

fn sees_registry(source: &Source) -> Option<String> {
    let may = source.path == "src/main.rs" || source.path == "src/config.rs" || source.path.starts_with("src/config/");
    let paths = source.paths();
    let sees = ["intercom_drivers::registry", "intercom_drivers::*"].iter().any(|path| paths.contains(*path));
    (sees && !may).then(|| "sees the registry".to_owned())
}

#[test]
fn only_main_and_config_see_the_registry() {
    assert_none("only main and config see the registry", offenders(&sources(root(), "src"), sees_registry));
    assert!(sees_registry(&file("src/shell/run.rs", "use intercom_drivers::{contract, registry};")).is_some());
    assert!(sees_registry(&file("src/config.rs", "use intercom_drivers::registry;")).is_none());
}

/// The modules of the drivers' crate that the rest may see.
const OPEN: [&str; 5] = ["contract", "faulty", "jpeg", "registry", "words"];

fn names_driver(source: &Source) -> Option<String> {
    let inner = |path: &String| {
        path.strip_prefix("intercom_drivers::").and_then(|rest| rest.split("::").next()).map(str::to_owned)
    };
    let other = source.paths().iter().filter_map(inner).find(|module| !OPEN.contains(&module.as_str()));
    other.map(|module| format!("names intercom_drivers::{module}"))
}

#[test]
fn src_cannot_name_a_single_driver() {
    assert_none("src knows the contract and no driver", offenders(&sources(root(), "src"), names_driver));
    assert!(names_driver(&file("src/a.rs", "use intercom_drivers::camera::v4l2::DRIVER;")).is_some());
    let lib = fs::read_to_string(root().join("drivers/src/lib.rs")).expect("drivers/src/lib.rs");
    let lib = code(&lib);
    let open: Vec<&str> = lib.split("pub mod ").skip(1).filter_map(|rest| rest.split([';', ' ', '{']).next()).collect();
    for module in &open {
        assert!(OPEN.contains(module), "drivers/src/lib.rs opens the module {module}");
    }
    assert!(open.contains(&"contract") && open.contains(&"registry"), "{open:?}");
    // The hardware's packages belong to the drivers' crate alone.
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    let manifest: toml::Table = manifest.parse().expect("Cargo.toml is TOML");
    for package in ["v4l", "alsa", "turbojpeg"] {
        assert!(manifest["dependencies"].get(package).is_none(), "src depends on {package}");
    }
}

/// What a library in C decodes that strangers may have chosen. H.264 of a camera at home is decoded on the camera's thread as well.
fn decodes_strangers_pictures(source: &Source) -> Option<String> {
    let paths = source.paths();
    let names = |path: &str| paths.iter().any(|found| found == path || found.starts_with(&format!("{path}::")));
    let is_jail = source.path.starts_with("src/shell/jail/");
    let is_decoder = ["src/media/video_decoder.rs", "src/shell/devices/coded.rs"].contains(&source.path.as_str());
    match () {
        () if !is_jail && names("intercom_drivers::jpeg") => Some("decodes JPEG".into()),
        () if !is_jail && !is_decoder && (names("intercom_media::video_decoder") || names("openh264::decoder")) => {
            Some("decodes H.264".into())
        }
        () => None,
    }
}

#[test]
fn strangers_pictures_are_decoded_in_the_jail_only() {
    assert_none("strangers' pictures go to the jail", offenders(&sources(root(), "src"), decodes_strangers_pictures));
    for (path, code) in [
        ("src/shell/devices/pictures.rs", "use intercom_media::video_decoder::VideoDecoder;"),
        ("src/media/scene/mod.rs", "use openh264::decoder::Decoder;"),
        ("src/shell/devices/camera.rs", "use intercom_drivers::jpeg::{self, Jpeg};"),
    ] {
        assert!(decodes_strangers_pictures(&file(path, code)).is_some(), "{code}");
    }
    // A driver decodes JPEG only if nobody but the owner of the machine chose its bytes.
    let decodes = |source: &Source| source.paths().iter().any(|path| path.ends_with("jpeg::Jpeg")).then(String::new);
    let trusted = |source: &Source| {
        ["drivers/src/camera/v4l2/", "drivers/src/jpeg.rs", "drivers/src/fuzz.rs"]
            .iter()
            .any(|part| source.path.starts_with(part))
            || source.path.ends_with("/tests.rs")
    };
    let (trusted, others): (Vec<Source>, Vec<Source>) = sources(root(), "drivers/src").into_iter().partition(trusted);
    assert!(trusted.iter().any(|source| decodes(source).is_some()), "the wall sees who decodes");
    assert!(others.iter().any(|source| source.path.starts_with("drivers/src/camera/http_mjpeg/")));
    assert_none("no other driver decodes JPEG", offenders(&others, decodes));
}

#[test]
fn drivers_never_import_src() {
    let names_us = |source: &Source| {
        source.paths().iter().any(|path| path == "intercom" || path.starts_with("intercom::")).then(|| "src".to_owned())
    };
    assert_none("drivers never import src", offenders(&sources(root(), "drivers"), names_us));
    assert!(names_us(&file("drivers/src/a.rs", "use intercom::config::Config;")).is_some());
    let mut manifests = Vec::new();
    crate::source::gather(&root().join("drivers"), &mut manifests);
    for path in manifests.iter().filter(|path| path.ends_with("Cargo.toml")) {
        let text = fs::read_to_string(path).expect("a manifest");
        let manifest: toml::Table = text.parse().expect("a manifest is TOML");
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let table = manifest.get(kind).and_then(toml::Value::as_table);
            assert!(table.is_none_or(|table| !table.contains_key("intercom")), "{} depends on src", path.display());
        }
    }
}

/// The contract stands on std, `toml` and the base alone, so that a driver can be written against it anywhere.
#[test]
fn the_contract_needs_std_toml_and_the_base_only() {
    let all = sources(root(), "drivers/src");
    let contract = all.iter().find(|source| source.path.ends_with("/contract.rs")).expect("the contract");
    let own = ["std", "core", "toml", "intercom_base", "fmt", "crate", "self", "super"];
    let is_module = |head: &str| head.chars().next().is_some_and(|c| c.is_ascii_lowercase());
    let primitive =
        |head: &str| ["u8", "u16", "u32", "u64", "i16", "i32", "i64", "usize", "f32", "f64", "str"].contains(&head);
    for path in contract.paths() {
        let head = path.split("::").next().unwrap_or_default();
        assert!(!is_module(head) || own.contains(&head) || primitive(head), "the contract uses {path}");
    }
}

#[test]
fn src_has_no_unsafe_code() {
    for path in ["src/lib.rs", "src/main.rs", "src/base/lib.rs", "src/core/lib.rs", "src/media/lib.rs"] {
        let text = fs::read_to_string(root().join(path)).expect(path);
        assert!(code(&text).contains("#![forbid(unsafe_code)]"), "{path} does not forbid unsafe code");
    }
}

#[test]
fn no_file_is_longer_than_five_hundred_lines() {
    for folder in ["src", "drivers", "tests", "webroot", "image-build"] {
        let mut files = Vec::new();
        crate::source::gather(&root().join(folder), &mut files);
        let made = |path: &PathBuf| {
            let inside = path.strip_prefix(root()).expect("a file of ours");
            inside
                .components()
                .any(|part| ["corpus", "crashes", "artefacts"].iter().any(|made| part.as_os_str() == *made))
        };
        for path in files.iter().filter(|path| !made(path)) {
            let Ok(text) = fs::read_to_string(path) else { continue };
            // What a tool wrote, and documents, may be longer.
            let written = path
                .extension()
                .is_none_or(|extension| !["lock", "md", "sdp", "svg"].iter().any(|other| extension == *other));
            assert!(!written || text.lines().count() <= 500, "{} has over 500 lines: split it", path.display());
        }
    }
}

/// A file opens with one sentence that says what it is for.
#[test]
fn every_file_opens_with_what_it_is_for() {
    for folder in ["src", "drivers", "tests"] {
        let mut files = Vec::new();
        crate::source::gather(&root().join(folder), &mut files);
        for path in files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs")) {
            let text = fs::read_to_string(path).expect("a source file");
            assert!(text.starts_with("//! "), "{} does not open with a `//!` line", path.display());
            assert!(!text.starts_with("//! To be written"), "{} is not written", path.display());
        }
    }
}
