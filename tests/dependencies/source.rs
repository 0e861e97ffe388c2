//! Source files as the compiler sees them in a build without tests: no comments, and no text in quotes if it is
//! not wanted.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// One source file.
pub struct Source {
    /// Path within the project, with `/`.
    pub path: String,
    /// Its code, without comments, texts and test modules; line breaks are kept.
    pub code: String,
}

impl Source {
    /// Whether the word `name` stands anywhere in the code.
    pub fn names(&self, name: &str) -> bool {
        words(&self.code).any(|word| word == name)
    }

    /// Whether the path `a::b` is taken or imported anywhere, in groups (`a::{x, b}`) too.
    pub fn paths(&self) -> BTreeSet<String> {
        paths(&self.code)
    }
}

/// What is built for tests, and for `make fuzz`, and for nothing else.
const TESTS_ONLY: [&str; 2] = ["#[cfg(test)]", "#[cfg(any(test, fuzzing))]"];

/// All `.rs` files under `folder` that go into a build without tests.
pub fn sources(root: &Path, folder: &str) -> Vec<Source> {
    let mut files = Vec::new();
    gather(&root.join(folder), &mut files);
    let texts: Vec<(PathBuf, String)> = files
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            (path, text)
        })
        .collect();
    assert!(!texts.is_empty(), "no source in {folder}");
    let tests_only: BTreeSet<PathBuf> =
        texts.iter().flat_map(|(path, text)| test_modules(&without_comments(text), path)).collect();
    let is_test = |path: &Path| path.ancestors().any(|part| tests_only.contains(&part.with_extension("")));
    texts
        .into_iter()
        .filter(|(path, _)| !is_test(path))
        .map(|(path, text)| {
            let inside = path.strip_prefix(root).expect("below the root");
            Source { path: inside.to_string_lossy().replace('\\', "/"), code: code(&text) }
        })
        .collect()
}

/// All files under `folder`, sorted.
pub fn gather(folder: &Path, into: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a folder's entry").path()).collect();
    paths.sort();
    for path in paths {
        match path.is_dir() {
            true if path.ends_with("target") => {}
            true => gather(&path, into),
            false => into.push(path),
        }
    }
}

/// `text` without comments, texts in quotes and test modules.
pub fn code(text: &str) -> String {
    let bare = blank(text, true);
    let mut code = bare.clone();
    let mut from = 0;
    let next = |from: usize| {
        let found = TESTS_ONLY.iter().filter_map(|mark| Some((bare[from..].find(mark)? + from, mark.len())));
        found.min()
    };
    while let Some((at, length)) = next(from) {
        let body = at + length;
        let end = end_of_item(&bare, body);
        let blanked: String = code[at..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        code.replace_range(at..end, &blanked);
        // Blanking keeps the number of characters, but not of bytes; all that is left outside quotes is ASCII.
        assert_eq!(code.len(), bare.len(), "code outside quotes and comments is ASCII");
        from = end;
    }
    code
}

fn without_comments(text: &str) -> String {
    blank(text, false)
}

/// Where the item that begins at `from` ends: behind its `;` or its closing brace.
fn end_of_item(code: &str, from: usize) -> usize {
    let mut depth = 0;
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b';' if depth == 0 => return at + 1,
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => {
                depth -= 1;
                if depth == 0 && byte == b'}' {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    code.len()
}

/// Files (without extension) of `#[cfg(test)] mod x;` in the file `path`.
fn test_modules(code: &str, path: &Path) -> Vec<PathBuf> {
    let is_root = ["mod.rs", "lib.rs", "main.rs"].iter().any(|name| path.ends_with(name));
    let folder = if is_root { path.parent().expect("a folder").to_owned() } else { path.with_extension("") };
    TESTS_ONLY
        .iter()
        .flat_map(|mark| code.split(mark).skip(1))
        .filter_map(|behind| {
            let (item, _) = behind.split_once(';')?;
            let name = item.split_whitespace().last()?;
            let is_module = item.split_whitespace().rev().nth(1) == Some("mod") && !item.contains('{');
            is_module.then(|| folder.join(name))
        })
        .collect()
}

/// Replaces comments by spaces, and what stands in quotes as well if `texts` is set. Bytes that are not ASCII
/// become as many spaces within those, so that positions stay.
fn blank(text: &str, texts: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut wipe = |from: usize, to: usize| {
        for byte in &mut out[from..to.min(bytes.len())] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    };
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let in_word = at > 0 && is_word(bytes[at - 1]);
        let end = if rest.starts_with(b"//") {
            let end = at + rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
            wipe(at, end);
            end
        } else if rest.starts_with(b"/*") {
            let end = at + end_of_block(rest);
            wipe(at, end);
            end
        } else if let Some(hashes) = raw_text(rest).filter(|_| !in_word) {
            let open = rest.iter().position(|b| *b == b'"').expect("a raw text's quote") + 1;
            let close = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
            let end = find(rest, open, &close).map_or(bytes.len(), |found| at + found + close.len());
            if texts {
                wipe(at, end);
            }
            end
        } else if rest[0] == b'"' {
            let end = at + end_of_text(rest, b'"');
            if texts {
                wipe(at + 1, end - 1);
            }
            end
        } else if rest[0] == b'\'' && is_letter_literal(text, at) {
            let end = at + end_of_text(rest, b'\'');
            if texts {
                wipe(at + 1, end - 1);
            }
            end
        } else {
            at + 1
        };
        at = end;
    }
    String::from_utf8(out).expect("whole characters are replaced")
}

/// The hashes of a raw text (`r"`, `br##"`) that begins here.
fn raw_text(rest: &[u8]) -> Option<usize> {
    let rest = rest.strip_prefix(b"b").or_else(|| rest.strip_prefix(b"c")).unwrap_or(rest);
    let rest = rest.strip_prefix(b"r")?;
    let hashes = rest.iter().take_while(|b| **b == b'#').count();
    (rest.get(hashes) == Some(&b'"')).then_some(hashes)
}

/// Block comments nest in Rust.
fn end_of_block(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn end_of_text(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// Tells `'a'` from the lifetime `'a`.
fn is_letter_literal(text: &str, at: usize) -> bool {
    let mut behind = text[at + 1..].chars();
    match behind.next() {
        Some('\\') => true,
        Some(_) => behind.next() == Some('\''),
        None => false,
    }
}

fn find(rest: &[u8], from: usize, what: &[u8]) -> Option<usize> {
    rest[from..].windows(what.len()).position(|window| window == what).map(|at| at + from)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// Every `a::b::c` in the code, groups unfolded, each with all its beginnings (`a::b`).
fn paths(code: &str) -> BTreeSet<String> {
    let mut tokens = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            c if c.is_ascii_alphanumeric() || c == '_' => rest.bytes().take_while(|b| is_word(*b)).count(),
            ':' if rest.starts_with("::") => 2,
            c => c.len_utf8(),
        };
        let (token, behind) = rest.split_at(length);
        if !token.trim().is_empty() {
            tokens.push(token);
        }
        rest = behind;
    }
    let mut found = BTreeSet::new();
    let mut at = 0;
    while at < tokens.len() {
        let starts = is_word(tokens[at].as_bytes()[0]) && tokens.get(at + 1) == Some(&"::");
        let goes_on = at > 0 && tokens[at - 1] == "::";
        if starts && !goes_on {
            at = unfold(&tokens, at, "", &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// Follows one path from the word at `at` on, and gives where it ends.
fn unfold(tokens: &[&str], mut at: usize, prefix: &str, found: &mut BTreeSet<String>) -> usize {
    let mut path = prefix.to_owned();
    loop {
        match tokens.get(at) {
            Some(&"{") => {
                at += 1;
                while at < tokens.len() && tokens[at] != "}" {
                    let begins = is_word(tokens[at].as_bytes()[0]) || matches!(tokens[at], "*" | "{");
                    at = if begins { unfold(tokens, at, &path, found) } else { at + 1 };
                }
                return at + 1;
            }
            Some(token) if is_word(token.as_bytes()[0]) || *token == "*" => {
                path = if path.is_empty() { (*token).to_owned() } else { format!("{path}::{token}") };
                found.insert(path.clone());
                at += 1;
            }
            _ => return at,
        }
        if tokens.get(at) != Some(&"::") {
            return at;
        }
        at += 1;
    }
}

#[test]
fn comments_texts_and_tests_are_no_code() {
    let text = r##"
        // str0m::Rtc in a comment
        /* and /* nested */ tokio */
        fn a<'x>(s: &'x str) -> char { let _ = "tokio \" \\"; let _ = r#"smol "quoted" "#; b'"'; '"'; '\''; real() }
        #[cfg(test)]
        mod tests { fn inner() { Instant::now() } }
        fn after() {}
        #[cfg(test)]
        use gone;
        fn last() {}
    "##;
    let code = code(text);
    for gone in ["Rtc", "tokio", "smol", "now", "inner", "gone", "quoted"] {
        assert!(!code.contains(gone), "{gone} is left:\n{code}");
    }
    for kept in ["real()", "fn after()", "fn last()", "'x str"] {
        assert!(code.contains(kept), "{kept} is lost:\n{code}");
    }
    assert_eq!(code.lines().count(), text.lines().count());
}

#[test]
fn paths_are_found_in_groups_and_in_place() {
    let found =
        paths("use str0m::{change::{SdpOffer, *}, Rtc as R, self}; fn f() { alsa::pcm::PCM::new(); x.y::<Z>() }");
    for path in ["str0m::Rtc", "str0m::change::SdpOffer", "str0m::change::*", "alsa::pcm::PCM::new", "alsa"] {
        assert!(found.contains(path), "{path} is not in {found:?}");
    }
    assert!(!found.contains("pcm") && !found.contains("Z") && !found.contains("str0m::SdpOffer"), "{found:?}");
}

#[test]
fn test_modules_in_files_of_their_own_are_known() {
    let of = |text: &str, path: &str| test_modules(text, Path::new(path));
    assert_eq!(of("#[cfg(test)]\nmod tests;", "src/config.rs"), [Path::new("src/config/tests")]);
    assert_eq!(of("#[cfg(test)] mod fakes;", "src/core/mod.rs"), [Path::new("src/core/fakes")]);
    assert_eq!(of("#[cfg(test)]\npub(crate) mod a;", "src/core/mod.rs"), [Path::new("src/core/a")]);
    assert!(of("#[cfg(test)] use a::b;", "src/a.rs").is_empty());
    assert!(of("#[cfg(test)] mod tests { fn a() {} }", "src/a.rs").is_empty());
}
