//! `timezone.txt` of the settings partition: the zone of the tz database that somebody means.

mod posix;
#[cfg(test)]
mod tests;
mod words;

use intercom_base::letters::clipped;
use intercom_core::tv::message::Text;
use intercom_core::tv::mistake::Fault;

use super::plain_text::{self, trim, unquote};
use super::{Problem, nearest};
use posix::Rule;
use words::{ALIASES, PREFERRED, fold_zone};

/// Letters of a line that could be a zone.
const LONGEST: usize = 100;

/// Lines with words that are looked at: each may have all zones of the system looked through.
const MOST_LINES: usize = 16;

/// What the settings partition is delivered with.
const USUAL: &str = "UTC";

/// The zones that this system has.
pub struct Zones<'z> {
    /// Their names, such as `Europe/Berlin`, in order.
    pub names: &'z [String],
    /// The last line of a zone's file (RFC 9636): the rule that holds from now on, such as `CET-1CEST,M3.5.0,M10.5.0/3`.
    pub rule: &'z dyn Fn(&str) -> Option<String>,
}

/// What `timezone.txt` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timezone {
    /// One of the names of [`Zones`]; `None` if none is clear.
    pub zone: Option<String>,
    /// What is wrong, in the order of the lines.
    pub problems: Vec<Problem>,
}

/// Reads a `timezone.txt`.
pub fn read(bytes: &[u8], zones: &Zones<'_>) -> Timezone {
    let mut found = Timezone::default();
    let text = match plain_text::read(bytes) {
        Ok(text) => text,
        Err(why) => {
            found.problems.push(Problem::of(None, "", why.fault(), None));
            return found;
        }
    };
    let lines = text.lines.iter().map(|(line, text)| (line, value(text))).filter(|(_, text)| !text.is_empty());
    for (n, (line, text)) in lines.enumerate() {
        if n == MOST_LINES {
            found.complain(*line, Fault::ZoneLines { most: MOST_LINES }, None);
            break;
        }
        match (zones.find(text), &found.zone) {
            (Some(zone), Some(known)) if *known == zone => {}
            // The line of the first day, left where it was.
            (Some(zone), Some(known)) if known == USUAL || zone == USUAL => {
                found.zone = Some(if zone == USUAL { known.clone() } else { zone });
            }
            (Some(_), Some(known)) => {
                let fault = Fault::ZoneSecond { zone: Text::new(known) };
                found.complain(*line, fault, None);
            }
            (Some(zone), None) => found.zone = Some(zone),
            (None, _) => {
                // What is written for `wifi.txt`, and came into this file, is not repeated.
                let is_zone = !text.contains(['=', ':', '＝', '：']);
                let fault = match is_zone {
                    true => Fault::ZoneUnknown { zone: Text::new(clipped(text, 32)) },
                    false => Fault::ZoneUnknownHere,
                };
                found.complain(*line, fault, zones.nearest(text));
            }
        }
    }
    found
}

impl Timezone {
    fn complain(&mut self, line: usize, fault: Fault, nearest: Option<String>) {
        let mut problem = Problem::of(Some(line), "", fault, nearest);
        if problem.nearest.is_some() {
            problem.allowed.clear();
        }
        self.problems.push(problem);
    }
}

/// What a line says: without a remark, a word such as `TZ =` before it, and quotes.
fn value(line: &str) -> &str {
    if plain_text::is_comment(line) {
        return "";
    }
    // No name has a `#`, so one begins a remark wherever it stands.
    let line = line.split(['#', ';']).next().unwrap_or_default();
    let line = line.split("//").next().unwrap_or_default();
    let words = ["tz", "timezone", "time_zone", "zone", "zeitzone", "fuseau_horaire", "timezone.txt"];
    let line = match line.split_once(['=', ':', '＝', '：']) {
        Some((word, rest)) if words.contains(&fold_zone(unquote(trim(word)).0).as_str()) => rest,
        _ => line,
    };
    let inside = trim(unquote(trim(line).trim_end_matches(['.', ','])).0);
    // As POSIX has it for a name of the database.
    trim(inside.strip_prefix(':').unwrap_or(inside))
}

impl Zones<'_> {
    /// The zone that `text` means, if that is clear.
    fn find(&self, text: &str) -> Option<String> {
        if text.len() > LONGEST {
            return None;
        }
        let text = text.replace('\\', "/");
        let text = ["/usr/share/zoneinfo/", "posix/"]
            .iter()
            .fold(&*text, |text, folder| text.strip_prefix(folder).unwrap_or(text));
        let found = self.find_name(text).or_else(|| self.find_offset(text)).or_else(|| self.find_alias(text));
        let found = found.or_else(|| self.find_city(text)).or_else(|| self.find_posix(text));
        found.map(str::to_owned).or_else(|| self.find_part(text))
    }

    fn find_name(&self, text: &str) -> Option<&str> {
        let exact = self.names.iter().find(|name| *name == text);
        let folded = fold_zone(text);
        exact.or_else(|| self.names.iter().find(|name| fold_zone(name) == folded)).map(String::as_str)
    }

    fn find_alias(&self, text: &str) -> Option<&str> {
        let folded = fold_zone(text);
        let is_meant = |words: &str| words.split(' ').any(|word| word == folded);
        let (zone, _) = ALIASES.iter().find(|(_, words)| is_meant(words))?;
        self.find_name(zone)
    }

    /// A city alone, such as `Berlin`; several of a name must agree.
    fn find_city(&self, text: &str) -> Option<&str> {
        let folded = fold_zone(text);
        let is_city = |name: &str| {
            let name = fold_zone(name);
            !name.starts_with("etc/") && name.strip_suffix(&folded).is_some_and(|before| before.ends_with('/'))
        };
        let mut found = self.names.iter().filter(|name| is_city(name));
        let first = found.next()?;
        let rule = |name: &str| (self.rule)(name);
        found.all(|other| rule(other).is_some() && rule(other) == rule(first)).then_some(first)
    }

    /// Such as `UTC+1`, `GMT-3:30` or `+02:00`, east of Greenwich first, as people mean it.
    fn find_offset(&self, text: &str) -> Option<&str> {
        let seconds = posix::spoken_offset(&fold_zone(text))?;
        self.fixed(seconds)
    }

    /// A zone that is so many seconds east of Greenwich for ever.
    fn fixed(&self, seconds: i32) -> Option<&str> {
        let hours = seconds / 3600;
        let name = match hours {
            0 => USUAL.to_owned(),
            // The database counts these towards the west.
            _ => format!("Etc/GMT{}{}", if hours > 0 { '-' } else { '+' }, hours.abs()),
        };
        let whole = if seconds % 3600 == 0 { self.names.iter().find(|known| **known == name) } else { None };
        let is_fixed = |rule: &Rule| rule.standard.1 == seconds && rule.summer.is_none();
        whole.map(String::as_str).or_else(|| self.with_rule(is_fixed))
    }

    /// Such as `CET-1CEST` or `EST5EDT,M3.2.0,M11.1.0`.
    fn find_posix(&self, text: &str) -> Option<&str> {
        let wanted = posix::parse(text)?;
        if wanted.summer.is_none() && wanted.standard.1 == 0 {
            return self.fixed(0);
        }
        // POSIX counts towards the west, and people towards the east: `CET+1` is clear only where a zone has just that rule.
        let is_alike = |rule: &Rule| rule.standard == wanted.standard && rule.summer == wanted.summer;
        let same = self.with_rule(|rule| is_alike(rule) && rule.changes == wanted.changes);
        same.or_else(|| self.with_rule(is_alike))
    }

    /// The best known zone with such a rule, else the first.
    fn with_rule(&self, is_meant: impl Fn(&Rule) -> bool) -> Option<&str> {
        let known = PREFERRED.iter().filter_map(|name| self.names.iter().find(|known| known == name));
        let mut all = known.chain(self.names);
        all.find(|name| (self.rule)(name).and_then(|rule| posix::parse(&rule)).is_some_and(|rule| is_meant(&rule)))
            .map(String::as_str)
    }

    /// Such as `Berlin, Germany` or `Europe/Berlin (CET)`: all parts that are zones must be the same one.
    fn find_part(&self, text: &str) -> Option<String> {
        let parts: Vec<&str> = text.split([',', '(', ')', '|']).map(trim).filter(|part| !part.is_empty()).collect();
        if parts.len() < 2 {
            return None;
        }
        let mut found = parts.iter().filter_map(|part| self.find_name(part).or_else(|| self.find_city(part)));
        let first = found.next()?;
        let rule = |name: &str| (self.rule)(name);
        found.all(|other| other == first || rule(other) == rule(first)).then(|| first.to_owned())
    }

    fn nearest(&self, text: &str) -> Option<String> {
        if text.len() > LONGEST {
            return None;
        }
        let folded = fold_zone(text);
        if let Some(near) = nearest(&folded, self.names.iter().map(String::as_str)) {
            return Some(near.to_owned());
        }
        let cities =
            self.names.iter().filter(|name| !name.starts_with("Etc/")).filter_map(|name| name.rsplit_once('/'));
        let near = nearest(&folded, cities.map(|(_, city)| city))?;
        self.names.iter().find(|name| name.ends_with(&format!("/{near}"))).cloned()
    }
}
