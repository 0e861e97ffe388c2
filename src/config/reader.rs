//! Reads a TOML document key by key, remembers which keys exist, and gathers everything that is wrong with line
//! numbers.
//!
//! A key that the user leaves out is read from the built-in `etc/intercom.toml` by the same code, so that file
//! and defaults cannot disagree. `toml`'s spanned tables are read directly: deserializing into structs would lose
//! the lines.

use std::collections::{BTreeMap, BTreeSet};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{ConfigErrors, Problem, list, nearest, quoted};

/// The shipped file: every key with its default.
pub(super) const BUILT_IN: &str = include_str!("../../etc/intercom.toml");

/// A file that is no TOML at all is wrong on every line; the first few say enough.
const MOST_SYNTAX_ERRORS: usize = 10;

/// A document being read.
pub(super) struct Reader<'t> {
    text: &'t str,
    root: DeTable<'t>,
    defaults: DeTable<'static>,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
    known: Known,
}

/// Full paths of everything that the program asked for, e.g. `video.reduced.fps`.
type Known = BTreeMap<String, Kind>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A table whose keys are known too.
    Table,
    /// A table that is nobody's in this build.
    Opaque,
    /// A value.
    Key,
}

/// Where in the document something stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line(usize);

impl<'t> Reader<'t> {
    /// Parses `text`; syntax errors are answered at once, since what follows one cannot be trusted.
    pub fn new(text: &'t str, file: &str) -> Result<Reader<'t>, ConfigErrors> {
        let (root, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            let problems = errors
                .iter()
                .take(MOST_SYNTAX_ERRORS)
                .map(|error| Problem {
                    line: error.span().map(|span| line_of(text, span.start)),
                    key: String::new(),
                    what: format!("not TOML: {}", error.message().replace('\n', ", ")),
                    nearest: None,
                    allowed: String::new(),
                    fault: None,
                })
                .collect();
            return Err(in_order(file, problems));
        }
        let defaults = DeTable::parse_recoverable(BUILT_IN).0.into_inner();
        let known = Known::new();
        Ok(Reader { text, root: root.into_inner(), defaults, problems: Vec::new(), warnings: Vec::new(), known })
    }

    /// The key `old` is called `new` now, in the same table. One that the user wrote goes on working, with a warning.
    pub fn renamed(&mut self, table: &str, old: &str, new: &str) {
        let Some(inside) = find_table(&mut self.root, table) else { return };
        let Some((key, value)) = inside.remove_entry(old) else { return };
        let line = Some(line_of(self.text, key.span().start));
        let (old, what) = (format!("{table}.{old}"), format!("this key is called {new} now"));
        if inside.contains_key(new) {
            let allowed = format!("only {new}");
            self.problems.push(Problem { line, key: old, what, nearest: None, allowed, fault: None });
            return;
        }
        inside.insert(Spanned::new(key.span(), new.to_owned().into()), value);
        let what = format!("{what}; the previous name still works");
        self.warnings.push(Problem { line, key: old, what, nearest: None, allowed: String::new(), fault: None });
    }

    /// What should be changed, and works as it is.
    pub fn warnings(&self, file: &str) -> Vec<String> {
        let sentence = |warning: &Problem| in_order(file, vec![warning.clone()]).to_string();
        self.warnings.iter().map(sentence).collect()
    }

    /// The value of `path` as `convert` takes it, else the default's. `allowed` says what `convert` takes;
    /// its error is what is wrong with a value, and perhaps what was meant.
    pub fn value<T>(&mut self, path: &str, allowed: &str, convert: impl Fn(&DeValue<'_>) -> Result<T, Wrong>) -> T {
        self.know(path);
        if let Some((_, value)) = find(&self.root, path) {
            match convert(value.get_ref()) {
                Ok(value) => return value,
                Err(wrong) => {
                    let line = line_of(self.text, value.span().start);
                    let Wrong { what, nearest } = wrong;
                    let (key, allowed) = (path.to_owned(), allowed.to_owned());
                    self.problems.push(Problem { line: Some(line), key, what, nearest, allowed, fault: None });
                }
            }
        }
        find(&self.defaults, path)
            .and_then(|(_, default)| convert(default.get_ref()).ok())
            .unwrap_or_else(|| panic!("the built-in etc/intercom.toml has no right {path}"))
    }

    /// A whole number within `range`.
    pub fn integer(&mut self, path: &str, range: std::ops::RangeInclusive<u64>, unit: &str) -> u64 {
        let (least, most) = (*range.start(), *range.end());
        let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
        let allowed = format!("a whole number from {least} to {most}{unit}");
        self.value(path, &allowed, |value| match value {
            DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
                Ok(n) if n < i128::from(least) => Err(Wrong::is(value, "too small")),
                Ok(n) if n > i128::from(most) => Err(Wrong::is(value, "too large")),
                Ok(n) => u64::try_from(n).map_err(|_| Wrong::is(value, "too large")),
                Err(_) => Err(Wrong::is(value, "too large")),
            },
            DeValue::String(text) => {
                let meant = text.trim().parse().ok().filter(|n: &u64| range.contains(n));
                Err(Wrong { what: kind_of(value, "a number"), nearest: meant.map(|n| format!("{n} without quotes")) })
            }
            other => Err(Wrong::new(kind_of(other, "a whole number"))),
        })
    }

    /// `true` or `false`.
    pub fn switch(&mut self, path: &str) -> bool {
        self.value(path, "true or false", |value| match value {
            DeValue::Boolean(on) => Ok(*on),
            other => {
                let meant = match other {
                    DeValue::String(text) => match text.trim() {
                        "true" | "yes" | "on" => Some("true"),
                        "false" | "no" | "off" => Some("false"),
                        _ => None,
                    },
                    _ => None,
                };
                Err(Wrong { what: kind_of(other, "true or false"), nearest: meant.map(str::to_owned) })
            }
        })
    }

    /// A number, whole or not, within `range`.
    pub fn number(&mut self, path: &str, range: std::ops::RangeInclusive<f64>, unit: &str) -> f64 {
        let allowed = format!("a number from {} to {} {unit}", range.start(), range.end());
        self.value(path, &allowed, |value| {
            let number = match value {
                DeValue::Integer(number) if number.radix() == 10 => number.as_str().parse().ok(),
                DeValue::Float(number) => number.as_str().parse::<f64>().ok(),
                DeValue::String(text) => {
                    let meant = text.trim().parse().ok().filter(|n: &f64| range.contains(n));
                    let nearest = meant.map(|n| format!("{n} without quotes"));
                    return Err(Wrong { what: kind_of(value, "a number"), nearest });
                }
                _ => None,
            };
            match number {
                Some(number) if range.contains(&number) => Ok(number),
                Some(number) if number < *range.start() => Err(Wrong::is(value, "too small")),
                Some(number) if number > *range.end() => Err(Wrong::is(value, "too large")),
                Some(_) => Err(Wrong::is(value, "not a usable number")),
                None => Err(Wrong::new(kind_of(value, "a number"))),
            }
        })
    }

    /// A text as `convert` takes it.
    pub fn text<T>(&mut self, path: &str, allowed: &str, convert: impl Fn(&str) -> Result<T, Wrong>) -> T {
        self.value(path, allowed, |value| match value {
            DeValue::String(text) => convert(text),
            other => Err(Wrong::new(kind_of(other, "text in quotes"))),
        })
    }

    /// One word out of `words`.
    pub fn word<T: Copy>(&mut self, path: &str, words: &[(&str, T)]) -> T {
        let allowed = words.iter().map(|(word, _)| quoted(word)).collect::<Vec<_>>().join(", ");
        self.text(path, &allowed, |text| match words.iter().find(|(word, _)| *word == text) {
            Some((_, meaning)) => Ok(*meaning),
            None => Err(Wrong {
                what: format!("{} is none of the words known here", quoted(text)),
                nearest: nearest(text, words.iter().map(|(word, _)| *word)).map(quoted),
            }),
        })
    }

    /// The names of the tables that the user wrote within `path`.
    pub fn tables_in(&self, path: &str) -> Vec<String> {
        tables_in(&self.root, path)
    }

    /// The names of the tables that the built-in file has within `path`.
    pub fn shipped_tables_in(&self, path: &str) -> Vec<String> {
        tables_in(&self.defaults, path)
    }

    /// The user's table at `path` as plain TOML without lines; empty if there is none.
    pub fn plain_table(&self, path: &str) -> toml::Table {
        match find(&self.root, path).map(|(_, value)| value.get_ref()) {
            Some(DeValue::Table(table)) => plain(table),
            _ => toml::Table::new(),
        }
    }

    /// The line of `path`, or of the nearest thing around it that the user wrote.
    pub fn line(&self, path: &str) -> Option<Line> {
        let mut path = path;
        loop {
            if let Some((at, _)) = find(&self.root, path) {
                return Some(Line(line_of(self.text, at)));
            }
            path = path.rsplit_once('.')?.0;
        }
    }

    /// Whether the user wrote `path`.
    pub fn says(&self, path: &str) -> bool {
        find(&self.root, path).is_some()
    }

    /// Marks a key as known without reading it, and the tables around it.
    pub fn know(&mut self, path: &str) {
        self.known.insert(path.to_owned(), Kind::Key);
        if let Some((table, _)) = path.rsplit_once('.') {
            self.know_table(table);
        }
    }

    /// Marks a table as known, its keys not.
    pub fn know_table(&mut self, path: &str) {
        self.known.insert(path.to_owned(), Kind::Table);
        if let Some((table, _)) = path.rsplit_once('.') {
            self.know_table(table);
        }
    }

    /// Marks a table as none of our business.
    pub fn skip_table(&mut self, path: &str) {
        self.known.insert(path.to_owned(), Kind::Opaque);
    }

    /// Remembers something that is wrong.
    pub fn complain(&mut self, line: Option<Line>, key: &str, wrong: Wrong, allowed: &str) {
        let Wrong { what, nearest } = wrong;
        let (key, allowed) = (key.to_owned(), allowed.to_owned());
        self.problems.push(Problem { line: line.map(|line| line.0), key, what, nearest, allowed, fault: None });
    }

    /// How many things are wrong so far.
    pub fn problems(&self) -> usize {
        self.problems.len()
    }

    /// What is wrong so far.
    pub fn verdict(self, file: &str) -> Result<(), ConfigErrors> {
        if self.problems.is_empty() { Ok(()) } else { Err(in_order(file, self.problems)) }
    }

    /// Looks for keys that nobody asked for, and gives the verdict.
    pub fn finish(mut self, file: &str) -> Result<(), ConfigErrors> {
        let mut unknown = Vec::new();
        gather_unknown(&self.root, "", &self.known, self.text, &mut unknown);
        self.problems.append(&mut unknown);
        self.verdict(file)
    }
}

/// Why a value was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wrong {
    /// What is wrong with it.
    pub what: String,
    /// What was probably meant.
    pub nearest: Option<String>,
}

impl Wrong {
    /// Without a guess at what was meant.
    pub fn new(what: impl Into<String>) -> Wrong {
        Wrong { what: what.into(), nearest: None }
    }

    /// With a guess.
    pub fn near(what: impl Into<String>, nearest: Option<String>) -> Wrong {
        Wrong { what: what.into(), nearest }
    }

    fn is(value: &DeValue<'_>, verdict: &str) -> Wrong {
        match value {
            DeValue::Integer(number) => Wrong::new(format!("{number} is {verdict}")),
            DeValue::Float(number) => Wrong::new(format!("{number} is {verdict}")),
            _ => Wrong::new(verdict),
        }
    }
}

/// "this is text, not a number".
fn kind_of(value: &DeValue<'_>, wanted: &str) -> String {
    let is = match value {
        DeValue::String(text) if text.chars().count() <= 40 => format!("the text {}", quoted(text)),
        DeValue::String(_) => "a long text".to_owned(),
        DeValue::Integer(number) => format!("the number {number}"),
        DeValue::Float(number) => format!("the number {number}"),
        DeValue::Boolean(yes) => yes.to_string(),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    };
    format!("this is {is}, not {wanted}")
}

/// The byte where the key `path` begins, and its value.
fn find<'d, 't>(root: &'d DeTable<'t>, path: &str) -> Option<(usize, &'d Spanned<DeValue<'t>>)> {
    let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
    let (key, value) = root.iter().find(|(key, _)| key.get_ref() == head)?;
    match (rest, value.get_ref()) {
        (None, _) => Some((key.span().start, value)),
        (Some(rest), DeValue::Table(table)) => find(table, rest),
        _ => None,
    }
}

/// The table `name` of the document's own, to be changed.
fn find_table<'d, 't>(root: &'d mut DeTable<'t>, name: &str) -> Option<&'d mut DeTable<'t>> {
    match root.get_mut(name)?.get_mut() {
        DeValue::Table(table) => Some(table),
        _ => None,
    }
}

/// Lines are counted from 1.
fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

fn in_order(file: &str, mut problems: Vec<Problem>) -> ConfigErrors {
    problems.sort_by_key(|problem| problem.line);
    ConfigErrors { file: file.to_owned(), problems }
}

/// The names of the tables directly within the table `path`.
fn tables_in(root: &DeTable<'_>, path: &str) -> Vec<String> {
    let Some(DeValue::Table(table)) = find(root, path).map(|(_, value)| value.get_ref()) else { return Vec::new() };
    let tables = table.iter().filter(|(_, value)| matches!(value.get_ref(), DeValue::Table(_)));
    tables.map(|(key, _)| key.get_ref().to_string()).collect()
}

/// Complains about every key of `table` that is not in `known`.
fn gather_unknown(table: &DeTable<'_>, prefix: &str, known: &Known, text: &str, into: &mut Vec<Problem>) {
    for (key, value) in table {
        let name = key.get_ref();
        // A key with a dot inside can be none of ours; it is shown in quotes.
        let shown = if name.contains('.') { quoted(name) } else { name.to_string() };
        let path = if prefix.is_empty() { shown } else { format!("{prefix}.{shown}") };
        let line = Some(line_of(text, key.span().start));
        match (known.get(&path), value.get_ref()) {
            (Some(Kind::Key | Kind::Opaque), _) => {}
            (Some(Kind::Table), DeValue::Table(inner)) => gather_unknown(inner, &path, known, text, into),
            (Some(Kind::Table), other) => {
                let allowed = format!("a table: [{path}] on a line of its own");
                into.push(Problem {
                    line,
                    what: kind_of(other, "a table"),
                    nearest: None,
                    key: path,
                    allowed,
                    fault: None,
                });
            }
            (None, value) => {
                let is_table = matches!(value, DeValue::Table(_));
                into.push(unknown(name, prefix, is_table, line, known));
            }
        }
    }
}

/// The complaint about one key, with what was probably meant: a slip here, or a key that belongs elsewhere.
fn unknown(name: &str, prefix: &str, is_table: bool, line: Option<usize>, known: &Known) -> Problem {
    let top = prefix.is_empty();
    let key = if top { name.to_owned() } else { format!("{prefix}.{name}") };
    let written = |path: &str, kind: Kind| if kind == Kind::Key { path.to_owned() } else { format!("[{path}]") };
    // What the table `prefix` may hold, tables with their whole path.
    let here: Vec<(&str, String)> = known
        .iter()
        .filter_map(|(path, kind)| {
            let (table, last) = path.rsplit_once('.').unwrap_or(("", path));
            let shown = if *kind == Kind::Key { last } else { path };
            (table == prefix).then(|| (last, written(shown, *kind)))
        })
        .collect();
    let homes = if is_table { Vec::new() } else { where_it_belongs(name, prefix, known) };
    let what = match (is_table, homes.as_slice()) {
        (true, _) => "there is no such table".to_owned(),
        (false, []) => "there is no such key".to_owned(),
        (false, homes) => format!("there is no such key here; it belongs in {}", homes.join(" or ")),
    };
    let guess = if homes.is_empty() { nearest(name, here.iter().map(|(last, _)| *last)) } else { None };
    let nearest = guess.and_then(|guess| here.iter().find(|(last, _)| *last == guess)).map(|(_, shown)| shown.clone());
    let allowed = match here.is_empty() {
        true => "nothing: it has no options".to_owned(),
        false => list(here.iter().map(|(_, shown)| shown.as_str())),
    };
    Problem { line, key, what, nearest, allowed, fault: None }
}

/// The tables that have a key of this name: those of the same family (`camera`, `camera.v4l2`) if there are
/// any. An option of one driver is not offered to drivers of another kind.
fn where_it_belongs(name: &str, prefix: &str, known: &Known) -> Vec<String> {
    let family = |path: &str| path.split('.').next().unwrap_or_default().to_owned();
    let tables: BTreeSet<&str> = known
        .iter()
        .filter(|(_, kind)| **kind == Kind::Key)
        .filter_map(|(path, _)| path.rsplit_once('.'))
        .filter(|(_, last)| *last == name)
        .map(|(table, _)| table)
        .collect();
    let related: Vec<&str> = tables.iter().copied().filter(|table| family(table) == family(prefix)).collect();
    let chosen = match related.is_empty() {
        false => related,
        true if prefix.contains('.') => Vec::new(),
        true => tables.into_iter().collect(),
    };
    chosen.into_iter().map(|table| format!("[{table}]")).collect()
}

/// Drops the spans. A number that does not fit is kept as text, which the driver then refuses in words.
fn plain(table: &DeTable<'_>) -> toml::Table {
    table.iter().map(|(key, value)| (key.get_ref().to_string(), plain_value(value.get_ref()))).collect()
}

fn plain_value(value: &DeValue<'_>) -> toml::Value {
    match value {
        DeValue::String(text) => toml::Value::String(text.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(n) => toml::Value::Integer(n),
            Err(_) => toml::Value::String(number.to_string()),
        },
        DeValue::Float(number) => match number.as_str().parse() {
            Ok(n) => toml::Value::Float(n),
            Err(_) => toml::Value::String(number.to_string()),
        },
        DeValue::Boolean(yes) => toml::Value::Boolean(*yes),
        DeValue::Datetime(at) => toml::Value::Datetime(*at),
        DeValue::Array(items) => toml::Value::Array(items.iter().map(|item| plain_value(item.get_ref())).collect()),
        DeValue::Table(inner) => toml::Value::Table(plain(inner)),
    }
}
