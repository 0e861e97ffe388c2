//! The ten packages are there and used. What must not be there, `deny.toml` says.

use std::collections::BTreeSet;
use std::fs;

use crate::root;
use crate::source::{Source, sources};

/// What the appliance is built on; `-` is `_` in code.
const PACKAGES: [&str; 10] = [
    "str0m",
    "tungstenite",
    "tiny_http",
    "v4l",
    "openh264",
    "alsa",
    "audiopus",
    "crossbeam-channel",
    "toml",
    "simplelog",
];

/// Every member's manifest: where it is, and what it says.
fn manifests() -> Vec<(String, toml::Table)> {
    let read = |path: String| {
        let text = fs::read_to_string(root().join(&path)).unwrap_or_else(|e| panic!("{path}: {e}"));
        let table = text.parse().unwrap_or_else(|e| panic!("{path}: {e}"));
        (path, table)
    };
    let (path, top): (String, toml::Table) = read("Cargo.toml".into());
    let members = top["workspace"]["members"].as_array().expect("members").clone();
    let mut manifests = vec![(path, top)];
    manifests.extend(members.iter().map(|member| read(format!("{}/Cargo.toml", member.as_str().expect("a path")))));
    manifests
}

/// The packages that a manifest names for ordinary builds.
fn direct(manifest: &toml::Table) -> BTreeSet<String> {
    let table = manifest.get("dependencies").and_then(toml::Value::as_table);
    table.map(|table| table.keys().cloned().collect()).unwrap_or_default()
}

fn locked(lock: &str) -> BTreeSet<String> {
    let lock: toml::Table = lock.parse().expect("Cargo.lock is TOML");
    let packages = lock["package"].as_array().expect("packages");
    packages.iter().map(|package| package["name"].as_str().expect("a name").to_owned()).collect()
}

/// Whether some source really uses the package: a path into it, in a file that has no module of that name.
fn uses(sources: &[Source], package: &str) -> bool {
    let name = package.replace('-', "_");
    sources.iter().any(|source| {
        let paths = source.paths();
        let shadowed = ["mod", "pub mod"].iter().any(|word| source.code.contains(&format!("{word} {name};")));
        let inside = format!("{name}::");
        !shadowed && paths.iter().any(|path| path.starts_with(&inside))
    })
}

#[test]
fn all_ten_packages_are_direct_dependencies_and_used() {
    let direct: BTreeSet<String> = manifests().iter().flat_map(|(_, manifest)| direct(manifest)).collect();
    let lock = fs::read_to_string(root().join("Cargo.lock")).expect("Cargo.lock");
    let locked = locked(&lock);
    let mut all = sources(root(), "src");
    all.extend(sources(root(), "drivers"));
    let mut missing = Vec::new();
    for package in PACKAGES {
        if !direct.contains(package) || !locked.contains(package) {
            missing.push(format!("{package} is no direct dependency"));
        } else if !uses(&all, package) {
            missing.push(format!("{package} is never used"));
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn an_unused_package_would_be_noticed() {
    let file = |text: &str| [Source { path: "x.rs".into(), code: crate::source::code(text) }];
    assert!(uses(&file("use crossbeam_channel::Sender;"), "crossbeam-channel"));
    assert!(uses(&file("fn f() { alsa::pcm::PCM::new() }"), "alsa"));
    assert!(!uses(&file("// alsa::pcm\nfn f() { \"alsa::pcm\" }"), "alsa"));
    assert!(!uses(&file("mod alsa; const A: D = alsa::DRIVER;"), "alsa"), "a module of ours is not the package");
    assert!(!uses(&file("use crate::microphone::alsa::DRIVER;"), "alsa"));
    assert!(!uses(&file("#[cfg(test)] mod tests { use alsa::pcm; }"), "alsa"));
}

/// Optional packages count only if the default build has them.
#[test]
fn the_default_build_has_every_driver_and_so_every_package() {
    let manifests = manifests();
    let of = |path: &str| &manifests.iter().find(|(at, _)| at == path).unwrap_or_else(|| panic!("no {path}")).1;
    let list = |value: &toml::Value| -> Vec<String> {
        value.as_array().expect("a list").iter().map(|item| item.as_str().expect("text").to_owned()).collect()
    };
    let (top, drivers) = (of("Cargo.toml"), of("drivers/Cargo.toml"));
    assert_eq!(list(&top["features"]["default"]), ["all-drivers"]);
    assert_eq!(list(&top["features"]["all-drivers"]), ["intercom-drivers/all"]);
    let features = drivers["features"].as_table().expect("features");
    let all: BTreeSet<String> = list(&features["all"]).into_iter().collect();
    let kinds = ["camera-", "microphone-", "speaker-", "display-"];
    let each: Vec<&String> = features.keys().filter(|name| kinds.iter().any(|kind| name.starts_with(kind))).collect();
    for feature in &each {
        assert!(all.contains(*feature), "feature {feature} is not in `all`");
    }
    let enabled: BTreeSet<String> = each.iter().flat_map(|feature| list(&features[feature.as_str()])).collect();
    for package in ["v4l", "alsa"] {
        assert!(enabled.contains(&format!("dep:{package}")), "no driver enables {package}");
    }
}

/// The fuzzing build is a workspace of its own, and must be one of today's program: a lock that lags behind takes the newest packages.
#[test]
fn the_fuzzing_build_has_the_programs_packages_in_their_versions() {
    let packages = |path: &str| {
        let text = fs::read_to_string(root().join(path)).expect(path);
        let lock: toml::Table = text.parse().expect("a lock is TOML");
        lock["package"].as_array().expect("packages").clone()
    };
    let word = |package: &toml::Value, key: &str| package[key].as_str().expect(key).to_owned();
    let versions = |packages: &[toml::Value]| -> BTreeSet<(String, String)> {
        packages.iter().map(|package| (word(package, "name"), word(package, "version"))).collect()
    };
    let (program, fuzz) = (packages("Cargo.lock"), packages("tests/fuzz/engine/Cargo.lock"));
    let (known, own) = (versions(&program), ["arbitrary", "intercom-fuzz", "libfuzzer-sys"]);
    for (name, version) in versions(&fuzz) {
        assert!(
            own.contains(&name.as_str()) || known.contains(&(name.clone(), version.clone())),
            "tests/fuzz/engine/Cargo.lock has {name} {version}, the program has not"
        );
    }
    for (path, manifest) in manifests() {
        let name = manifest["package"]["name"].as_str().expect("a name");
        let Some(package) = fuzz.iter().find(|package| package["name"].as_str() == Some(name)) else { continue };
        let listed = package.get("dependencies").and_then(toml::Value::as_array).cloned().unwrap_or_default();
        let listed: BTreeSet<&str> = listed.iter().filter_map(|it| it.as_str()?.split(' ').next()).collect();
        for wanted in direct(&manifest) {
            let optional = manifest["dependencies"][&wanted].get("optional").is_some();
            assert!(
                optional || listed.contains(wanted.as_str()),
                "{path}: {wanted} is not in tests/fuzz/engine/Cargo.lock"
            );
        }
    }
}
