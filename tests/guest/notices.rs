//! The flashed image keeps the licences of what is in it, says where the sources are, and is told of by the bill beside it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::bill;
use crate::disk::Disk;
use crate::machine::Machine;

pub fn licences_and_sources_are_told(machine: &mut Machine, disk: &Disk) {
    let beside = |end: &str| disk.image().join(format!("intercom-{}.{end}", env!("CARGO_PKG_VERSION")));
    let components = bill::components(&beside("cdx.json"));
    bill::tells_of_the_program(&components, Path::new(env!("CARGO_BIN_EXE_intercom")));
    let packages: Vec<&Value> = components
        .iter()
        .filter(|component| component["purl"].as_str().is_some_and(|purl| purl.starts_with("pkg:deb/debian/")))
        .collect();
    let listed = fs::read_to_string(beside("packages")).expect("the list of packages");
    let mut files: Vec<String> = packages
        .iter()
        .map(|package| {
            let version = package["version"].as_str().expect("a version").replace(':', "%3a");
            format!("{}_{version}_", package["name"].as_str().expect("a name"))
        })
        .collect();
    files.sort();
    assert_eq!(files.len(), listed.lines().count(), "each package is in the bill");
    for file in &files {
        assert!(
            listed.lines().any(|line| line.starts_with(file.as_str())),
            "{file} is in the bill and not in the image"
        );
    }

    // What runs is what the bill tells of.
    let kernel = machine.run("uname -r");
    assert_eq!(bill::named(&components, &format!("linux-image-{}", kernel.trim()))["type"], "operating-system");
    let systemd = bill::named(&components, "systemd")["version"].as_str().expect("a version").to_owned();
    machine.run(&format!("systemctl --version | grep -F '({systemd})'"));
    for (name, licence) in
        [("busybox-static", "GPL-2"), ("libopus0", "BSD-3-Clause"), ("e2fsprogs", "GPL-2"), ("libturbojpeg0", "zlib")]
    {
        let licences = bill::named(&components, name)["licenses"].to_string();
        assert!(licences.to_lowercase().contains(&licence.to_lowercase()), "{name}: {licences}");
    }

    let kept = machine.run("cd /usr/share/doc && for name in *; do test -s $name/copyright && echo $name; done; true");
    let kept: BTreeSet<&str> = kept.lines().collect();
    let told = machine.run("cat /usr/share/doc/intercom/SOURCES");
    for package in packages {
        let name = package["name"].as_str().expect("a name");
        assert!(kept.contains(name), "the image has no copyright file of {name}");
        for source in package["externalReferences"].as_array().expect("sources") {
            let address = source["url"].as_str().expect("an address");
            assert!(told.lines().any(|line| line == address), "SOURCES does not tell {address}");
        }
    }
    assert!(
        told.contains("https://snapshot.debian.org/package/linux/"),
        "the signed kernel is made from another source"
    );
    assert!(told.contains("For three\nyears from then on"), "an offer");
    // Where any computer reads it.
    machine.run("busybox cmp /settings/SOURCES.txt /usr/share/doc/intercom/SOURCES");
    machine.run("test -s /usr/share/common-licenses/GPL-2 && test -s /usr/share/common-licenses/LGPL-2.1");
    machine.run("busybox zcat /usr/share/doc/intercom/THIRD-PARTY.gz | grep 'SIL OPEN FONT LICENSE'");
    machine.run("grep 'License: Expat or Apache-2.0' /usr/share/doc/intercom/copyright");
}
