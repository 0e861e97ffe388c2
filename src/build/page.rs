//! Puts a page together: a document with its styles and ES modules in it rather than beside it, and its parts, which come
//! behind it, each in one file.
//!
//! What has arrived has then arrived whole: a document that shows home's picture, and a part with all that it needs. No
//! further round trip stands between the link and the picture, and nothing that it does not need stands in its way.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

/// A document with its parts, and what its content security policy must name.
#[derive(Debug, Default)]
pub struct Document {
    pub html: String,
    /// The text of each `<script>`, as its hash wants it.
    pub scripts: Vec<String>,
    /// The text of each `<style>`, also of those that come with the parts.
    pub styles: Vec<String>,
    pub parts: Vec<Part>,
}

/// What the document asks for once its own work is done.
#[derive(Debug)]
pub struct Part {
    /// Says what is in it: a name never stands for anything else.
    pub name: String,
    pub script: String,
}

const STYLE: (&str, &str) = ("<link rel=\"stylesheet\" href=\"/", "\">");
const SCRIPT: (&str, &str) = ("<script type=\"module\" src=\"/", "\"></script>");
const PART: (&str, &str) = ("<meta name=\"part\" content=\"/", "\">");
/// The module that asks for parts, and puts their styles and markup into the document.
const PARTS: &str = "parts.js";

/// Gives a file of `webroot/`.
pub type Read<'a> = dyn FnMut(&str) -> Result<String, String> + 'a;

/// Takes the stylesheets and modules that `html` names into it, and makes the parts that it names. Each of their tags
/// stands on a line of its own. Comments and indentation stay behind.
///
/// A module becomes `const $name = (() => { … return { its exports }; })();` in a script where it is first needed, its
/// own imports before it. As scripts share their constants, a later script finds them too, and so does a part.
pub fn put_together(html: &str, read: &mut Read<'_>) -> Result<Document, String> {
    let mut document = Document::default();
    let mut present = BTreeSet::new();
    for line in html.lines().map(str::trim) {
        if let Some(name) = between(line, STYLE) {
            let style = style(name, read)?;
            document.html += &format!("<style>{style}</style>\n");
            document.styles.push(style);
        } else if let Some(name) = between(line, SCRIPT) {
            let mut script = String::from("\n'use strict';\n");
            take_module(name, &mut Vec::new(), &mut present, &mut script, read)?;
            document.html += &format!("<script>{script}</script>\n");
            document.scripts.push(fit(fit(script, "</script", name)?, "<!--", name)?);
        } else {
            document.html += &plain(line)?;
        }
    }
    for source in parts_of(html) {
        // Those before it are there when it comes.
        let (script, styles) = take_part(source, &mut present, read)?;
        let hash: String = Sha256::digest(&script).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let name = format!("{}-{hash}.js", source.strip_suffix(".html").ok_or_else(|| format!("{source} is no part"))?);
        document.html = document.html.replace(&tag(PART, source), &tag(PART, &name));
        document.styles.extend(styles);
        document.parts.push(Part { name, script });
    }
    Ok(document)
}

/// The files that `html` names as its parts.
pub fn parts_of(html: &str) -> impl Iterator<Item = &str> {
    html.lines().filter_map(|line| between(line.trim(), PART))
}

/// A part as one script. It is one call whose last sign ends it: of one that was cut off anywhere nothing runs.
fn take_part(
    source: &str,
    present: &mut BTreeSet<String>,
    read: &mut Read<'_>,
) -> Result<(String, Option<String>), String> {
    if !present.contains(PARTS) {
        return Err(format!("nothing in the document asks for {source}: it has no {PARTS}"));
    }
    let (mut styles, mut markup, mut modules) = (String::new(), String::new(), String::new());
    let before = present.clone();
    for line in read(source)?.lines().map(str::trim) {
        if let Some(name) = between(line, STYLE) {
            styles += &style(name, read)?;
        } else if let Some(name) = between(line, SCRIPT) {
            take_module(name, &mut Vec::new(), present, &mut modules, read)?;
        } else {
            markup += &plain(line)?;
        }
    }
    let names: Vec<String> =
        present.difference(&before).map(|name| identifier(name.trim_end_matches(".js"))).collect::<Result<_, _>>()?;
    let names = names.join(", ");
    let script = format!(
        "'use strict';\nconst {{ {names} }} = ((make) => make())(() => {{\n{}.place({}, {}, {});\n{modules}return {{ {names} }};\n}});\n",
        identifier(PARTS.trim_end_matches(".js"))?,
        quoted(source.trim_end_matches(".html")),
        quoted(&styles),
        quoted(&markup),
    );
    Ok((fit(script, "<!--", source)?, (!styles.is_empty()).then_some(styles)))
}

/// A string of JavaScript.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// A stylesheet as the text of a `<style>`.
fn style(name: &str, read: &mut Read<'_>) -> Result<String, String> {
    let text: String = tight(name, &read(name)?)?.into_iter().map(|(_, line)| format!("{line}\n")).collect();
    fit(format!("\n{text}"), "</style", name)
}

/// A line of a document that is neither style nor script.
fn plain(line: &str) -> Result<String, String> {
    if ["<script", "rel=\"stylesheet\"", "<style"].iter().any(|tag| line.contains(tag)) {
        return Err(format!("not written as {} or {}: {line}", tag(STYLE, "NAME"), tag(SCRIPT, "NAME")));
    }
    Ok(if line.is_empty() { String::new() } else { format!("{line}\n") })
}

fn tag((before, after): (&str, &str), name: &str) -> String {
    format!("{before}{name}{after}")
}

/// The lines of a script or style, with their numbers, without comments, empty lines and indentation: over a thin path each
/// of these stands in the way, and no browser reads them.
fn tight(name: &str, text: &str) -> Result<Vec<(usize, String)>, String> {
    let mut lines = Vec::new();
    let mut comment = false;
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        let begins = !comment && line.starts_with("/*");
        if comment || begins {
            let inside = if begins { &line[2..] } else { line };
            match inside.split_once("*/") {
                None => comment = true,
                Some((_, "")) => comment = false,
                Some(_) => return Err(format!("{name}:{number}: something behind a comment: {line}")),
            }
        } else if line.matches('`').count() % 2 == 1 {
            // Its lines may look like comments, and its spaces count.
            return Err(format!("{name}:{number}: a template ends on its line: {line}"));
        } else if !line.is_empty() && !line.starts_with("//") {
            lines.push((number, line.to_owned()));
        }
    }
    Ok(lines)
}

fn between<'a>(line: &'a str, (before, after): (&str, &str)) -> Option<&'a str> {
    line.strip_prefix(before)?.strip_suffix(after)
}

/// What would end its element early cannot stand in a document.
fn fit(text: String, end: &str, name: &str) -> Result<String, String> {
    if text.to_ascii_lowercase().contains(end) {
        Err(format!("{name} or what it imports contains {end}"))
    } else {
        Ok(text)
    }
}

/// Appends module `name` to `script`, after the modules that it imports, unless it is `present` already.
fn take_module(
    name: &str,
    above: &mut Vec<String>,
    present: &mut BTreeSet<String>,
    script: &mut String,
    read: &mut Read<'_>,
) -> Result<(), String> {
    if above.iter().any(|other| other == name) {
        return Err(format!("{name} imports itself by way of {}", above.join(", ")));
    }
    if !present.insert(name.to_owned()) {
        return Ok(());
    }
    above.push(name.to_owned());
    let mut body = String::new();
    let mut exports = Vec::new();
    for (number, line) in tight(name, &read(name)?)? {
        let line = line.as_str();
        let wrong = |what: &str| Err(format!("{name}:{number}: {what}: {line}"));
        if line.starts_with("import") {
            let parts =
                line.strip_prefix("import { ").and_then(|rest| rest.strip_suffix(".js';")?.split_once(" } from './"));
            let Some((names, other)) = parts else { return wrong("not import { NAMES } from './MODULE.js';") };
            if names.contains(" as ") {
                return wrong("an import keeps its name");
            }
            let identifier = identifier(other)?;
            take_module(&format!("{other}.js"), above, present, script, read)?;
            body += &format!("const {{ {names} }} = {identifier};\n");
        } else if let Some(rest) = line.strip_prefix("export ") {
            let rest_of_kind =
                ["const ", "function ", "async function ", "class "].iter().find_map(|kind| rest.strip_prefix(kind));
            let Some(declared) = rest_of_kind else { return wrong("not a constant, function or class with a name") };
            let end = declared.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(declared.len());
            exports.push(declared[..end].to_owned());
            body += &format!("{rest}\n");
        } else if line.contains("import(") || line.contains("import.meta") {
            return wrong("what comes later comes as a part of the document");
        } else {
            body += &format!("{line}\n");
        }
    }
    above.pop();
    let stem = name.strip_suffix(".js").ok_or_else(|| format!("{name} is not a module"))?;
    *script +=
        &format!("const {} = (() => {{\n{body}return {{ {} }};\n}})();\n", identifier(stem)?, exports.join(", "));
    Ok(())
}

/// No name of a page's own begins like this.
fn identifier(module: &str) -> Result<String, String> {
    match !module.is_empty() && module.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        true => Ok(format!("${module}")),
        false => Err(format!("a module is named in letters and digits, not {module}")),
    }
}
