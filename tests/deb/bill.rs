//! What a bill of materials (CycloneDX) and THIRD-PARTY say of the program, held against `Cargo.lock` and the program itself.
#![allow(dead_code, reason = "the tests of package and image each use their part")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// What tests the program or compiles it, and is no part of it.
const OUTSIDE: [&str; 5] = ["rqrr", "minisign", "str0m-netem", "bindgen", "cc"];

/// What it names, each part a component with a name, a version, licences and perhaps a checksum.
pub fn components(bill: &Path) -> Vec<Value> {
    let text = fs::read_to_string(bill).unwrap_or_else(|e| panic!("{}: {e}", bill.display()));
    let bill: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", bill.display()));
    assert_eq!(bill["bomFormat"], "CycloneDX");
    let components = bill["components"].as_array().expect("components").clone();
    let parts: Vec<&Value> = components.iter().map(|component| &component["bom-ref"]).collect();
    for dependency in bill["dependencies"].as_array().expect("dependencies") {
        for needed in dependency["dependsOn"].as_array().expect("what it needs") {
            assert!(parts.contains(&needed), "{needed} is needed and not there");
        }
    }
    for component in &components {
        let licences = component["licenses"].as_array().expect("licences");
        assert!(!licences.is_empty(), "no licence: {component}");
    }
    components
}

/// The component of this name; no two have the same.
pub fn named<'a>(components: &'a [Value], name: &str) -> &'a Value {
    let mut found = components.iter().filter(|component| component["name"] == name);
    let one = found.next().unwrap_or_else(|| panic!("{name} is not in the bill"));
    assert!(found.next().is_none(), "{name} is in the bill twice");
    one
}

/// All that is linked in is there, with the version and the checksum of `Cargo.lock`; the rest is not.
pub fn tells_of_the_program(components: &[Value], binary: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| -> toml::Table {
        let text = fs::read_to_string(root.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        text.parse().unwrap_or_else(|e| panic!("{name}: {e}"))
    };
    let text = |value: &toml::Value| value.as_str().unwrap_or_default().to_owned();
    let lock = read("Cargo.lock");
    let locked: BTreeMap<(String, String), String> = lock["package"]
        .as_array()
        .expect("packages")
        .iter()
        .filter_map(|package| {
            Some(((text(&package["name"]), text(&package["version"])), text(package.get("checksum")?)))
        })
        .collect();
    let crates: Vec<&Value> = components
        .iter()
        .filter(|component| component["purl"].as_str().is_some_and(|purl| purl.starts_with("pkg:cargo/")))
        .collect();
    for component in &crates {
        let of = |key: &str| component[key].as_str().expect("text").to_owned();
        let checksum = locked.get(&(of("name"), of("version")));
        assert_eq!(component["hashes"][0]["content"].as_str(), checksum.map(String::as_str), "{component}");
        assert!(component["licenses"][0]["expression"].is_string(), "{component}");
    }
    let names: Vec<&str> = crates.iter().filter_map(|component| component["name"].as_str()).collect();
    for manifest in ["Cargo.toml", "drivers/Cargo.toml"] {
        for (name, how) in read(manifest)["dependencies"].as_table().expect("dependencies") {
            assert!(how.get("path").is_some() || names.contains(&name.as_str()), "{name} is not in the bill");
        }
    }
    for name in OUTSIDE {
        assert!(!names.contains(&name), "{name} is no part of the program");
    }
    let rust = named(components, "Rust's standard library")["version"].as_str().expect("a version");
    let (mark, program) = (format!("rustc version {rust}"), fs::read(binary).expect("the program"));
    assert!(program.windows(mark.len()).any(|bytes| bytes == mark.as_bytes()), "the program was not made by {mark:?}");
    for (name, licence) in [("OpenH264", "BSD-2-Clause"), ("Inter", "OFL-1.1"), ("Noto Sans", "OFL-1.1")] {
        let component = named(components, name);
        assert_eq!(component["licenses"][0]["expression"], licence, "{name}");
        let version = component["version"].as_str().expect("a version");
        assert!(version.split('.').all(|part| part.parse::<u32>().is_ok()), "{name}: {version}");
    }
    assert!(named(components, "AWS-LC")["licenses"][0]["expression"].as_str().is_some_and(|it| it.contains("ISC")));
}

/// Each part is in the list at its beginning, and is above a licence's text.
pub fn third_party_has_a_text_for_each(components: &[Value], text: &str) {
    let (list, texts) = text.split_once("\n====").expect("a list and then texts");
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (list, texts) = (words(list), words(texts));
    for component in components.iter().filter(|component| component["purl"].is_string()) {
        let [name, version] = ["name", "version"].map(|key| component[key].as_str().expect("text"));
        let what = format!("{name} {version}");
        assert!(list.contains(&format!("{what}: ")), "{what} is not in the list");
        assert!([", ", " ="].iter().any(|end| texts.contains(&format!(" {what}{end}"))), "{what} has no text");
    }
    for words in
        ["Copyright (c) 2013, Cisco Systems", "SIL OPEN FONT LICENSE", "Copyright Amazon.com", "Apache License"]
    {
        assert!(texts.contains(words), "no {words:?}");
    }
}
