//! Embeds `webroot/` in the binary: writes the table that shell/gateway/pages.rs includes; and insists on nasm.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    insist_on_nasm();
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("webroot");
    println!("cargo::rerun-if-changed={}", root.display());
    println!("cargo::rerun-if-changed=src/build.rs");
    let mut files = Vec::new();
    if root.is_dir() {
        walk(&root, &mut files)?;
    }
    files.sort();
    let mut table = String::from("&[\n");
    for file in &files {
        let name = file.strip_prefix(&root).unwrap_or(file).to_string_lossy().into_owned();
        let _ = writeln!(table, "    ({:?}, include_bytes!({:?})),", format!("/{name}"), file.display().to_string());
    }
    table.push_str("]\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("webroot.rs");
    fs::write(out, table)
}

/// OpenH264 is built without its assembler, silently and three times as slow, where nasm is missing.
fn insist_on_nasm() {
    println!("cargo::rerun-if-env-changed=PATH");
    let x86 = env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch.starts_with("x86"));
    if x86 && Command::new("nasm").arg("-v").output().is_err() {
        println!("cargo::error=nasm is missing: without it the video encoder is three times as slow");
        println!("cargo::error=install it (`apt-get install nasm`), then `cargo clean -p openh264-sys2`");
    }
}

/// Every file below `folder`; editors' hidden and backup files are not for visitors.
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
