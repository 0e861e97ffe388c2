//! What an image is made of, largest first.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What is smaller, in bytes once packed, stands in one line together.
const SMALL: u64 = 500_000;

/// Bytes as they are and as zstd packs them, which the image is; each group by itself, so that all of them together are a
/// little more than the image.
struct Size {
    plain: u64,
    packed: u64,
}

/// The table of an image's folder.
pub fn table(image: &Path) -> String {
    let work = image.join("work");
    let (root, zstd) = (work.join("root"), work.join("bin/zstd"));
    let mut groups: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    walk(&root, &mut |file| groups.entry(group(file.strip_prefix(&root).expect("within"))).or_default().push(file));
    for name in ["initrd.zst", "recovery.zst"] {
        groups.insert(name.replace(".zst", ", packed as it is"), vec![work.join(name)]);
    }
    let boot = work.join("kernel/boot");
    let mut kernels = Vec::new();
    walk(&boot, &mut |file| kernels.extend(Some(file).filter(|file| file.display().to_string().contains("vmlinuz"))));
    groups.insert("the kernel, packed as it is".to_owned(), kernels);

    let mut sizes: Vec<(String, Size)> = groups.into_iter().map(|(name, files)| (name, size(&zstd, &files))).collect();
    sizes.sort_by_key(|(_, size)| std::cmp::Reverse(size.packed));
    let small = sizes.iter().position(|(_, size)| size.packed < SMALL).unwrap_or(sizes.len());
    let rest = sizes.split_off(small);
    let sum = |pick: fn(&Size) -> u64| rest.iter().map(|(_, size)| pick(size)).sum();
    sizes.push((format!("{} others", rest.len()), Size { plain: sum(|s| s.plain), packed: sum(|s| s.packed) }));

    let mut out = "| what | MB | packed MB |\n|---|---|---|\n".to_owned();
    for (name, size) in sizes {
        let _ = writeln!(out, "| {name} | {:.1} | {:.1} |", size.plain as f64 / 1e6, size.packed as f64 / 1e6);
    }
    for file in fs::read_dir(image).expect("the image's folder").flatten() {
        let name = file.file_name().into_string().unwrap_or_default();
        if name.ends_with(".img.zst") || name.ends_with(".update") {
            let _ = writeln!(out, "| **{name}** | | {:.1} |", file.metadata().map_or(0, |m| m.len()) as f64 / 1e6);
        }
    }
    out
}

/// Modules and firmware by whose they are, all else by its folder.
fn group(path: &Path) -> String {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    let depth = match parts.get(1).map(AsRef::as_ref) {
        Some("lib") if parts.get(2).is_some_and(|part| part == "modules") => 7,
        Some("lib") => 4,
        _ => 3,
    };
    // Of two firmware files that lie in no folder, the name's beginning tells whose they are.
    match (parts.get(2).map(AsRef::as_ref), &parts[..]) {
        (Some("firmware"), [_, _, _, file]) => {
            format!("usr/lib/firmware/{}*", file.split(['-', '_']).next().unwrap_or_default())
        }
        _ => parts[..depth.min(parts.len().saturating_sub(1)).max(1)].join("/"),
    }
}

fn walk(folder: &Path, found: &mut dyn FnMut(PathBuf)) {
    let mut entries: Vec<_> = fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        match fs::symlink_metadata(&path) {
            Ok(kind) if kind.is_dir() => walk(&path, found),
            Ok(kind) if kind.is_file() => found(path),
            _ => {}
        }
    }
}

fn size(zstd: &Path, files: &[PathBuf]) -> Size {
    let mut zstd = Command::new(zstd)
        .args(["-q", "-10", "-T2", "-c"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("run zstd");
    let mut input = zstd.stdin.take().expect("its input");
    let contents: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).expect("a file of the image")).collect();
    let plain = contents.iter().map(|bytes| bytes.len() as u64).sum();
    let writer = std::thread::spawn(move || contents.iter().try_for_each(|bytes| input.write_all(bytes)));
    let packed = zstd.wait_with_output().expect("zstd's output").stdout.len() as u64;
    writer.join().expect("the writer").expect("tell zstd");
    Size { plain, packed }
}
