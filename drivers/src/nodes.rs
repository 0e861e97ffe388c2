//! Finds the kernel's device files, by number or by a name that stays.

use std::path::{Path, PathBuf};

/// Where the device of this name may be: a path, or a name in one of `folders`. Without a name every file of `folder`
/// that is called `prefix` and a number, the lowest first.
pub fn paths(name: Option<&str>, folders: &[&str], folder: &str, prefix: &str) -> Vec<PathBuf> {
    if let Some(name) = name {
        let mut known = folders.iter().map(|folder| Path::new(folder).join(name));
        let found = known.find(|path| !name.starts_with('/') && path.exists());
        return vec![found.unwrap_or_else(|| PathBuf::from(name))];
    }
    let number = |path: &PathBuf| path.file_name()?.to_str()?.strip_prefix(prefix)?.parse::<u32>().ok();
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut nodes: Vec<(u32, PathBuf)> = entries.filter_map(|path| Some((number(&path)?, path))).collect();
    nodes.sort();
    nodes.into_iter().map(|(_, path)| path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_sorted_as_numbers_and_names_are_looked_up() {
        let folder = std::env::temp_dir().join(format!("intercom-nodes-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for name in ["card10", "card2", "renderD128", "card", "pci-1-card"] {
            std::fs::write(folder.join(name), "").unwrap();
        }
        let at = folder.to_str().unwrap();
        assert_eq!(paths(None, &[], at, "card"), [folder.join("card2"), folder.join("card10")]);
        assert_eq!(paths(Some("pci-1-card"), &["/nonexistent", at], at, "card"), [folder.join("pci-1-card")]);
        assert_eq!(paths(Some("/dev/x"), &[at], at, "card"), [PathBuf::from("/dev/x")]);
        assert_eq!(paths(Some("gone"), &[at], at, "card"), [PathBuf::from("gone")]);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
