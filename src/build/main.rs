//! Embeds `webroot/` in the binary: writes the table that shell/gateway/pages.rs includes, and the part of the content
//! security policy that names what stands in its documents.

mod page;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("webroot");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    println!("cargo::rerun-if-changed={}", root.display());
    println!("cargo::rerun-if-changed=src/build");
    // No certificate of ours is made before the program was.
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let mut files = Vec::new();
    if root.is_dir() {
        walk(&root, &mut files)?;
    }
    files.sort();

    let mut table = String::from("&[\n");
    let mut entry = |name: &str, content: &[u8], keeps: bool| -> io::Result<()> {
        let embed = |end: &str, content: &[u8]| -> io::Result<String> {
            let file = out.join(format!("{}{end}", name.replace('/', "-")));
            fs::write(&file, content)?;
            Ok(format!("include_bytes!({:?})", file.display().to_string()))
        };
        let short = gzip(content)?;
        let short = match short.len() < content.len() / 10 * 9 {
            true => format!("Some({})", embed(".gz", &short)?),
            false => "None".to_owned(),
        };
        table += &format!("    ({:?}, {}, {short}, {keeps}),\n", format!("/{name}"), embed("", content)?);
        Ok(())
    };
    let (mut scripts, mut styles) = (BTreeSet::new(), BTreeSet::new());
    let parts = parts(&files)?;
    for file in &files {
        let name = file.strip_prefix(&root).unwrap_or(file).to_string_lossy().into_owned();
        match file.extension().and_then(|end| end.to_str()) {
            // It comes with its document.
            Some("html") if parts.contains(&name) => {}
            Some("html") => {
                let mut read =
                    |name: &str| fs::read_to_string(root.join(name)).map_err(|e| format!("webroot/{name}: {e}"));
                let document = page::put_together(&fs::read_to_string(file)?, &mut read)
                    .map_err(|what| io::Error::other(format!("webroot/{name}: {what}")))?;
                scripts.extend(document.scripts.iter().map(|text| source(text)));
                styles.extend(document.styles.iter().map(|text| source(text)));
                entry(&name, document.html.as_bytes(), false)?;
                for part in document.parts {
                    entry(&part.name, part.script.as_bytes(), true)?;
                }
            }
            // They stand in the documents and their parts.
            Some("js" | "css") => {}
            _ => entry(&name, &fs::read(file)?, false)?,
        }
    }
    if !parts.is_empty() {
        scripts.insert("'self'".to_owned());
    }
    table.push_str("]\n");
    fs::write(out.join("webroot.rs"), table)?;
    let list = |sources: BTreeSet<String>| match sources.is_empty() {
        true => "'none'".to_owned(),
        false => sources.into_iter().collect::<Vec<_>>().join(" "),
    };
    fs::write(out.join("policy.txt"), format!("script-src {}; style-src {}", list(scripts), list(styles)))
}

/// The files that documents name as their parts.
fn parts(files: &[PathBuf]) -> io::Result<BTreeSet<String>> {
    let mut parts = BTreeSet::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|end| end == "html")) {
        parts.extend(page::parts_of(&fs::read_to_string(file)?).map(str::to_owned));
    }
    Ok(parts)
}

/// What stands in a document, as a source of its policy.
fn source(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text.as_bytes())))
}

/// For a browser far away: a few round trips less until the page is whole.
fn gzip(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    encoder.finish()
}

/// Every file below `folder`; editors' hidden and backup files are not for viewers.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') || name.ends_with('~') || name.ends_with(".md") {
            continue;
        }
        if path.is_dir() { walk(&path, files)? } else { files.push(path) }
    }
    Ok(())
}
