//! What the documents name is there: files, make targets, commands with their options, tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::root;
use crate::source::gather;

/// Folders in which a path of the source may begin.
const TOP: [&str; 7] = ["src", "drivers", "tests", "etc", "webroot", "image-build", ".ci"];

/// A document and what stands in it.
struct Document {
    path: PathBuf,
    /// Its text: all of it in Markdown, comments alone in Rust.
    text: String,
}

impl Document {
    fn name(&self) -> String {
        self.path.strip_prefix(root()).expect("in the project").display().to_string()
    }

    /// What stands in backticks, and in Markdown the lines of code.
    fn code(&self) -> Vec<String> {
        let mut found = Vec::new();
        let (mut fenced, mut prose) = (false, String::new());
        for line in self.text.lines() {
            if line.trim_start().starts_with("```") {
                fenced = !fenced;
            } else if fenced || line.starts_with("    ") {
                found.push(line.trim().to_owned());
            } else {
                prose.push_str(line);
                prose.push('\n');
            }
        }
        found.extend(prose.split('`').skip(1).step_by(2).map(str::to_owned));
        found
    }

    /// Where its links lead within the project.
    fn links(&self) -> Vec<String> {
        let targets = self.text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let targets = targets.map(|target| target.split('#').next().unwrap_or_default());
        targets.filter(|target| !target.is_empty() && !target.contains("://")).map(str::to_owned).collect()
    }
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    gather(folder, &mut files);
    files.retain(|path| path.extension().is_some_and(|found| found == extension));
    files
}

/// Documents for people. The changelog speaks of what was, and its links alone are followed.
fn documents() -> Vec<Document> {
    let mut paths: Vec<PathBuf> = fs::read_dir(root()).expect("the project").flatten().map(|e| e.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    for folder in ["etc", "drivers", "image-build", "webroot", "tests/browser"] {
        paths.extend(files(&root().join(folder), "md"));
    }
    paths.sort();
    let read = |path: PathBuf| Document { text: fs::read_to_string(&path).expect("a document"), path };
    paths.into_iter().map(read).collect()
}

/// Comments of the source, file by file.
fn comments() -> Vec<Document> {
    let all = ["src", "drivers", "tests"].iter().flat_map(|folder| files(&root().join(folder), "rs"));
    let comment =
        |line: &str| line.trim_start().strip_prefix("//").map(|rest| rest.trim_start_matches(['/', '!']).to_owned());
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a source");
        Document {
            text: text.lines().filter_map(comment).map(|line| line.trim_start().to_owned() + "\n").collect(),
            path,
        }
    };
    all.map(read).collect()
}

/// A word of code that is a path of the project, if it is one: no address, pattern or stand-in.
fn source_path(word: &str) -> Option<&str> {
    let word = word.trim_end_matches(['/', ',', '.', ':', ';']).trim_start_matches("./");
    let plain = word.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b));
    let begins = TOP.iter().any(|top| word.strip_prefix(top).is_some_and(|rest| rest.starts_with('/')));
    let is_source = word.contains('/') && [".rs", ".js", ".mjs"].iter().any(|ending| word.ends_with(ending));
    (plain && !word.starts_with('/') && (begins || is_source)).then_some(word)
}

/// Whether it is there: from the project's folder, from the document's own, or below a crate.
fn exists(word: &str, document: &Path) -> bool {
    let own = document.ancestors().skip(1).take_while(|folder| folder.starts_with(root()));
    let crates = ["src", "drivers/src", "tests"].map(|folder| root().join(folder));
    own.map(Path::to_owned).chain(crates).any(|folder| folder.join(word).exists())
}

fn missing_paths(document: &Document) -> Vec<String> {
    let code = document.code();
    let words = code.iter().flat_map(|code| code.split_whitespace()).filter_map(source_path);
    words.filter(|word| !exists(word, &document.path)).map(|word| format!("{}: {word}", document.name())).collect()
}

#[test]
fn files_that_documents_and_comments_name_are_there() {
    let missing: Vec<String> = documents()
        .iter()
        .filter(|document| !document.path.ends_with("CHANGELOG.md"))
        .chain(&comments())
        .flat_map(missing_paths)
        .collect();
    assert!(missing.is_empty(), "there is no\n  {}", missing.join("\n  "));
    let made_up = |text: &str| missing_paths(&Document { path: root().join("A.md"), text: text.into() });
    assert_eq!(
        made_up("`src/no/such.rs`, `core/rate/path.rs`, `tests/sim/`, `image/intercom-VERSION.img`"),
        ["A.md: src/no/such.rs"]
    );
    assert_eq!(made_up("In\n\n    less tests/none.rs\n"), ["A.md: tests/none.rs"]);
}

#[test]
fn links_in_documents_lead_somewhere() {
    let lost = documents().into_iter().flat_map(|document| {
        let folder = document.path.parent().expect("a folder").to_owned();
        let dead = document.links().into_iter().filter(move |link| !folder.join(link).exists());
        dead.map(|link| format!("{}: {link}", document.name())).collect::<Vec<_>>()
    });
    let lost: Vec<String> = lost.collect();
    assert!(lost.is_empty(), "links to nowhere\n  {}", lost.join("\n  "));
}

/// Targets of the Makefile.
fn targets() -> BTreeSet<String> {
    let makefile = fs::read_to_string(root().join("Makefile")).expect("the Makefile");
    let phony = makefile.lines().find_map(|line| line.strip_prefix(".PHONY:")).expect("a list of targets");
    phony.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn make_targets_in_documents_are_there() {
    let targets = targets();
    let mut unknown = Vec::new();
    for document in documents().iter().filter(|document| !document.path.ends_with("CHANGELOG.md")) {
        for code in document.code() {
            let Some(rest) = code.strip_prefix("make ").or(code.strip_prefix("sudo make ")) else { continue };
            let named = rest.split_whitespace().take_while(|word| !word.starts_with('#'));
            let named = named.filter(|word| !word.contains('=') && !targets.contains(*word));
            unknown.extend(named.map(|word| format!("{}: make {word}", document.name())));
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
    assert!(targets.contains("run") && targets.contains("quick"), "{targets:?}");
}

/// The help of a command, or nothing if there is no such command.
fn help(command: &str) -> Option<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_intercom")).args([command, "--help"]).output().expect("the program");
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What is wrong with `intercom COMMAND --option…` as it stands in a document.
fn wrong_command(code: &str) -> Option<String> {
    let mut words = code.strip_prefix("sudo ").unwrap_or(code).strip_prefix("intercom ")?.split_whitespace();
    let command = words.next().filter(|word| word.bytes().all(|b| b.is_ascii_lowercase()))?;
    let Some(help) = help(command) else { return Some(format!("no command {command}")) };
    let options = words.map(|word| word.trim_end_matches([',', '.'])).filter(|word| word.starts_with("--"));
    let unknown =
        options.map(|option| option.split('=').next().unwrap_or(option)).find(|option| !help.contains(option))?;
    Some(format!("{command} knows no {unknown}"))
}

#[test]
fn commands_and_options_in_documents_are_there() {
    let mut wrong = Vec::new();
    for document in documents().iter().filter(|document| !document.path.ends_with("CHANGELOG.md")) {
        let found = document.code().iter().filter_map(|code| wrong_command(code)).collect::<Vec<_>>();
        wrong.extend(found.into_iter().map(|what| format!("{}: {what}", document.name())));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(wrong_command("intercom link --colour red"), Some("link knows no --colour".into()));
    assert_eq!(wrong_command("sudo intercom knit"), Some("no command knit".into()));
}

#[test]
fn tests_that_the_architecture_names_are_there() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let document = Document { path: root().join("ARCHITECTURE.md"), text };
    let code = document.code();
    let is_test = |word: &&String| {
        word.matches('_').count() >= 3
            && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    let named: BTreeSet<&String> = code.iter().filter(is_test).collect();
    assert!(named.len() > 20, "{named:?}");
    let sources: String = ["src", "drivers", "tests"]
        .iter()
        .flat_map(|folder| files(&root().join(folder), "rs"))
        .map(|path| fs::read_to_string(path).expect("a source"))
        .collect();
    let there = |name: &str| sources.contains(&format!("fn {name}(")) || sources.contains(&format!("(\"{name}\", "));
    let gone: Vec<&&String> = named.iter().filter(|name| !there(name)).collect();
    assert!(gone.is_empty(), "no such test: {gone:?}");
    assert!(!there("a_test_that_nobody_wrote"));
}

/// Keys of a table in the shipped config, those that are commented out as well, by `table.key`.
fn shipped_keys() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("etc/intercom.toml")).expect("the shipped config");
    let mut table = String::new();
    let mut keys = BTreeSet::new();
    for line in text.lines() {
        let line = line.trim_start_matches("# ").trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            table = name.to_owned();
        } else if let Some((key, _)) = line.split_once(" = ")
            && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        {
            keys.insert(format!("{table}.{key}"));
        }
    }
    keys
}

#[test]
fn the_guide_has_every_setting_and_no_other() {
    let text = fs::read_to_string(root().join("etc/guide/settings.md")).expect("the guide's settings");
    let mut table = String::new();
    let mut told = BTreeSet::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("### [").and_then(|rest| rest.strip_suffix(']')) {
            table = name.to_owned();
        } else if let Some(key) = line.strip_prefix("| `").and_then(|rest| rest.split_once("` |"))
            && !table.is_empty()
        {
            told.insert(format!("{table}.{}", key.0));
        }
    }
    let shipped = shipped_keys();
    assert!(shipped.contains("video.reduced.fps") && shipped.len() > 60, "{shipped:?}");
    assert_eq!(told, shipped);
}
