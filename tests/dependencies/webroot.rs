//! The page loads nothing from elsewhere: a home without the internet shows the same page.

use std::fs;
use std::path::PathBuf;

use crate::root;
use crate::source::gather;

/// Names that stand for a kind of document and are never fetched.
const NAMESPACES: [&str; 3] =
    ["http://www.w3.org/2000/svg", "http://www.w3.org/1999/xhtml", "http://www.w3.org/1999/xlink"];

#[test]
fn the_page_refers_to_nothing_outside() {
    let mut files: Vec<PathBuf> = Vec::new();
    gather(&root().join("webroot"), &mut files);
    let mut wrong = Vec::new();
    let mut seen = 0;
    for path in files {
        let kind = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_owned();
        if !["html", "css", "js", "mjs", "svg", "json", "webmanifest"].contains(&kind.as_str()) {
            continue;
        }
        seen += 1;
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        wrong.extend(outside(&kind, &text).into_iter().map(|what| format!("{}: {what}", path.display())));
    }
    assert!(seen >= 3, "the page has {seen} files");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_outside_would_be_noticed() {
    let wrong = [
        ("html", "<script src=\"https://cdn.example/x.js\"></script>"),
        ("html", "<link href='//fonts.example/a.css'>"),
        ("html", "<img src = \"http://a.example/a.png\">"),
        ("css", "a { background: url(//a.example/b.png) }"),
        ("css", "@import 'https://a.example/b.css';"),
        ("js", "import x from \"lodash\";"),
        ("js", "import \"left-pad\";"),
        ("js", "const m = await import('https://a.example/m.js');"),
        ("js", "fetch(\"https://a.example/collect\")"),
        ("js", "const servers = [{ urls: 'stun:stun.example:19302' }];"),
        ("js", "const s = `wss://a.example/${path}`;"),
        ("svg", "<image href=\"https://a.example/a.png\"/>"),
    ];
    for (kind, text) in wrong {
        assert!(!outside(kind, text).is_empty(), "not noticed: {text}");
    }
    let right = [
        ("html", "<!-- see https://a.example --><link href=\"/style.css\"><a href=\"#x\">https://192.168.1.2:8443</a>"),
        ("css", "/* https://a.example */ a { background: url(/a.svg) }"),
        (
            "js",
            "// https://a.example\n/* wss://b.example */ import { a } from './a.js'; const u = `wss://${location.host}/signal`;",
        ),
        (
            "js",
            "const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg'); export { b } from \"./b.js\";",
        ),
        ("svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"></svg>"),
    ];
    for (kind, text) in right {
        assert_eq!(outside(kind, text), Vec::<String>::new(), "{text}");
    }
}

/// Everything in `text` that a browser would fetch from, or send to, somewhere else.
fn outside(kind: &str, text: &str) -> Vec<String> {
    let mut text = match kind {
        "html" | "svg" => markup(text),
        "json" | "webmanifest" => text.to_owned(),
        _ => without_comments(text, kind != "css"),
    };
    for name in NAMESPACES {
        text = text.replace(name, "");
    }
    let mut found = Vec::new();
    for scheme in ["http://", "https://", "ws://", "wss://", "stun:", "turn:", "turns:", "ftp://"] {
        for (at, _) in text.match_indices(scheme) {
            let before = text[..at].chars().next_back();
            let behind = text[at + scheme.len()..].chars().next();
            // `wss://${location.host}` is this home itself; only a host that is written out is elsewhere.
            let written_out = behind.is_some_and(|c| c.is_ascii_alphanumeric() || c == '[');
            if written_out && !before.is_some_and(|c| c.is_ascii_alphanumeric()) {
                found.push(excerpt(&text, at));
            }
        }
    }
    // `//host` takes the page's own scheme.
    for opening in ["=\"//", "='//", "url(//", "url(\"//", "url('//", "(\"//", "('//", "from \"//", "from '//"] {
        found.extend(text.match_indices(opening).map(|(at, _)| excerpt(&text, at)));
    }
    if matches!(kind, "js" | "mjs") {
        for opening in ["from \"", "from '", "import \"", "import '", "import(\"", "import('"] {
            for (at, _) in text.match_indices(opening) {
                let target = &text[at + opening.len()..];
                if !target.starts_with("./") && !target.starts_with("../") && !target.starts_with('/') {
                    found.push(excerpt(&text, at));
                }
            }
        }
    }
    found
}

fn excerpt(text: &str, at: usize) -> String {
    text[at..].chars().take(60).collect::<String>().replace('\n', " ")
}

/// The tags of a document, without comments and the text between them; scripts and styles in it stay whole.
fn markup(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        rest = &rest[at..];
        let end = match rest.strip_prefix("<!--") {
            Some(comment) => comment.find("-->").map_or(rest.len(), |end| end + 7),
            None => {
                let end = rest.find('>').map_or(rest.len(), |end| end + 1);
                let tag = &rest[..end];
                // `src = "x"` is as good as `src="x"`.
                out.push_str(&tag.replace(" =", "=").replace("= ", "="));
                let inner = ["script", "style"].into_iter().find(|name| tag[1..].starts_with(name));
                match inner.and_then(|name| rest.find(&format!("</{name}"))) {
                    Some(close) => {
                        out.push_str(&without_comments(&rest[end.min(close)..close], inner == Some("script")));
                        close.max(end)
                    }
                    None => end,
                }
            }
        };
        rest = &rest[end..];
    }
    out
}

/// Scripts and styles without their comments; what stands in quotes stays. `//` begins a comment in scripts only.
fn without_comments(text: &str, is_script: bool) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("/*") {
            let end = rest[2..].find("*/").map_or(rest.len(), |end| end + 4);
            rest = &rest[end..];
            continue;
        } else if is_script && rest.starts_with("//") {
            rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
            continue;
        } else if matches!(first, '"' | '\'') || (is_script && first == '`') {
            quoted_length(rest, first)
        } else {
            first.len_utf8()
        };
        out.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    out
}

fn quoted_length(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + c.len_utf8(),
            // An apostrophe in a regular expression must not swallow the rest of the file.
            '\n' if quote != '`' => return at,
            _ => {}
        }
    }
    rest.len()
}
