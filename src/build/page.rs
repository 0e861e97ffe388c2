//! Puts a page together into one document: its styles and ES modules stand in it rather than beside it.
//!
//! A document that arrives has then arrived whole. Nothing is asked for a second time over a network that may be
//! failing, and no further round trip stands between the link and home's picture.

use std::collections::BTreeSet;

/// A document, and what its content security policy must name.
#[derive(Debug, Default)]
pub struct Document {
    pub html: String,
    /// The text of each `<script>`, as its hash wants it.
    pub scripts: Vec<String>,
    /// The text of each `<style>`.
    pub styles: Vec<String>,
}

const STYLE: (&str, &str) = ("<link rel=\"stylesheet\" href=\"/", "\">");
const SCRIPT: (&str, &str) = ("<script type=\"module\" src=\"/", "\"></script>");

/// Takes the stylesheets and modules that `html` names into it; `read` gives a file of `webroot/`. Each of their tags
/// stands on a line of its own.
///
/// A module becomes `const $name = (() => { … return { its exports }; })();` in a script where it is first needed, its
/// own imports before it. As scripts share their constants, a later script finds them too.
pub fn put_together(html: &str, read: &mut dyn FnMut(&str) -> Result<String, String>) -> Result<Document, String> {
    let mut document = Document::default();
    let mut present = BTreeSet::new();
    for line in html.lines() {
        if let Some(name) = between(line.trim(), STYLE) {
            let style = format!("\n{}", read(name)?);
            document.html += &format!("<style>{style}</style>\n");
            document.styles.push(fit(style, "</style", name)?);
        } else if let Some(name) = between(line.trim(), SCRIPT) {
            let mut script = String::from("\n'use strict';\n");
            take_module(name, &mut Vec::new(), &mut present, &mut script, read)?;
            document.html += &format!("<script>{script}</script>\n");
            document.scripts.push(fit(fit(script, "</script", name)?, "<!--", name)?);
        } else if ["<script", "rel=\"stylesheet\"", "<style"].iter().any(|tag| line.contains(tag)) {
            return Err(format!("not written as {}NAME{} or {}NAME{}: {line}", STYLE.0, STYLE.1, SCRIPT.0, SCRIPT.1));
        } else {
            document.html += &format!("{line}\n");
        }
    }
    Ok(document)
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
    read: &mut dyn FnMut(&str) -> Result<String, String>,
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
    for (number, line) in (1..).zip(read(name)?.lines()) {
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
            return wrong("there is nothing beside the document to import");
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
