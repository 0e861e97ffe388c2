//! The doctor's report: for people at a terminal of 80 columns, and for programs as one JSON object.

use std::fmt::Write;

use intercom_drivers::contract::Fault;
use serde_json::{Value, json};

use super::{Device, Examination, Hardware, Kind, Network, State};

/// Columns of a plain terminal.
const WIDTH: usize = 80;

/// Modes shown of one device; the rest is counted.
const MODES: usize = 6;

impl Examination {
    /// For people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let titles = ["Cameras", "Microphones", "Speakers", "Displays"];
        for (kind, title) in Kind::ALL.into_iter().zip(titles) {
            let _ = writeln!(text, "{title}");
            let mut all = self.hardware.iter().filter(|one| one.kind == kind).peekable();
            if all.peek().is_none() {
                text += "  none found\n";
            }
            all.for_each(|one| list(&mut text, one));
            text += "\n";
        }
        text += "Network\n";
        wrapped(&mut text, 2, &self.health.network.words());
        let _ = match self.running {
            true => writeln!(text, "\nThe running intercom says"),
            false => writeln!(text, "\nTried, as the intercom would"),
        };
        for device in &self.health.devices {
            wrapped_behind(&mut text, &format!("  {:<12}", device.kind.word()), &words(device));
            wrapped(&mut text, 14, &device.why);
        }
        let findings = self.findings();
        let (wrong, notes): (Vec<_>, Vec<_>) = findings.iter().partition(|finding| finding.wrong);
        let _ = match wrong.len() {
            0 => writeln!(text, "\nNothing is wrong."),
            1 => writeln!(text, "\nOne thing is wrong"),
            count => writeln!(text, "\n{count} things are wrong"),
        };
        for (number, finding) in wrong.iter().enumerate() {
            wrapped_behind(&mut text, &format!("  {}. ", number + 1), &format!("{} {}", finding.what, finding.remedy));
        }
        if !notes.is_empty() {
            text += "\nGood to know\n";
        }
        for finding in notes {
            wrapped_behind(&mut text, "  - ", &format!("{} {}", finding.what, finding.remedy));
        }
        text
    }

    /// For programs; README.md describes it.
    pub fn json(&self) -> Value {
        let of = |kind: Kind| -> Vec<Value> {
            self.hardware.iter().filter(|one| one.kind == kind).map(hardware_json).collect()
        };
        json!({
            "well": self.is_well(),
            "running": self.running,
            "devices": self.health.devices,
            "cameras": of(Kind::Camera),
            "microphones": of(Kind::Microphone),
            "speakers": of(Kind::Speaker),
            "displays": of(Kind::Display),
            "network": self.health.network,
            "findings": self.findings(),
        })
    }
}

fn hardware_json(one: &Hardware) -> Value {
    json!({
        "device": one.seen.device,
        "name": one.seen.name,
        "modes": one.seen.modes,
        "fault": one.seen.fault.as_ref().map(fault_words),
        "nodes": one.nodes,
    })
}

fn fault_words(fault: &Fault) -> String {
    match fault {
        Fault::Muted(control) => format!("{control} is off or at zero"),
        Fault::Empty => "nothing is plugged in".to_owned(),
        Fault::Failed(error) => error.to_string(),
    }
}

fn list(text: &mut String, one: &Hardware) {
    let mut line = one.seen.device.clone();
    if !one.seen.name.is_empty() {
        let _ = write!(line, "  {}", one.seen.name);
    }
    if let Some(fault) = &one.seen.fault {
        let _ = write!(line, "; {}", fault_words(fault));
    }
    for node in &one.nodes {
        if !node.holders.is_empty() {
            let _ = write!(line, "; in use by {}", node.holders.join(", "));
        }
    }
    wrapped(text, 2, &line);
    let shown = one.seen.modes.iter().take(MODES).cloned();
    let more = one.seen.modes.len().saturating_sub(MODES);
    let rest = (more > 0).then(|| format!("{more} more"));
    let modes: Vec<String> = shown.chain(rest).collect();
    wrapped(text, 4, &modes.join("; "));
}

fn words(device: &Device) -> String {
    let state = match &device.state {
        State::Untried => "was not needed so far".to_owned(),
        State::Opens => "can be opened".to_owned(),
        State::Works { how } if how.is_empty() => "works".to_owned(),
        State::Works { how } => format!("works, {how}"),
        State::Silent => "gives nothing but silence".to_owned(),
        State::Fails { what, .. } => format!("fails: {what}"),
    };
    format!("{} {state}", device.device)
}

impl Network {
    fn words(&self) -> String {
        let addresses: Vec<String> = self
            .addresses
            .iter()
            .map(|address| if self.best == Some(*address) { format!("{address} (best)") } else { address.to_string() })
            .collect();
        let addresses = if addresses.is_empty() { "no address".to_owned() } else { addresses.join(", ") };
        let public = match &self.public_address {
            Some(address) => format!("public_address {address}"),
            None => "no public_address: only this network reaches it".to_owned(),
        };
        format!("{addresses}; port {}, TCP and UDP; {public}", self.port)
    }
}

fn wrapped(text: &mut String, indent: usize, words: &str) {
    if !words.is_empty() {
        wrapped_behind(text, &" ".repeat(indent), words);
    }
}

/// Words behind a head, broken into lines that begin where the first one does.
fn wrapped_behind(text: &mut String, head: &str, words: &str) {
    let indent = head.chars().count();
    let (mut line, mut column) = (head.to_owned(), indent);
    // Two spaces set a name apart from its device; they stay unless the line breaks there.
    for word in words.split_inclusive(' ') {
        let length = word.trim_end().chars().count();
        if column > indent && column + length > WIDTH && length > 0 {
            let _ = writeln!(text, "{}", line.trim_end());
            (line, column) = (" ".repeat(indent), indent);
        }
        line += word;
        column += word.chars().count();
    }
    let _ = writeln!(text, "{}", line.trim_end());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_before_the_edge_and_begin_behind_the_head() {
        let mut text = String::new();
        wrapped_behind(&mut text, "  camera  ", &"word ".repeat(40));
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.len() > 2 && lines.iter().all(|line| line.len() <= WIDTH), "{text}");
        assert!(lines[0].starts_with("  camera  word") && lines[1].starts_with("          word"));
        let mut text = String::new();
        wrapped_behind(&mut text, "  ", &"x".repeat(100));
        assert_eq!(text.lines().count(), 1, "a word that is too long stands alone");
    }
}
