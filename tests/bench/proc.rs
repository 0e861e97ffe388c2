//! Readings of `/proc`: CPU time and memory of processes and threads, and what the machine does besides.

use std::collections::{BTreeMap, HashMap};
use std::fs;

/// Kernel clock ticks a second, the unit of CPU times in `/proc`; the same on every Linux.
const TICKS: f64 = 100.0;

/// CPU seconds and memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// User and system time, that of ended children included.
    pub cpu: f64,
    /// Resident, MB.
    pub rss: f64,
}

/// Of one process with all its descendants.
pub fn tree(root: u32) -> Usage {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        if let Some(fields) = stat(&format!("/proc/{pid}/stat")) {
            children.entry(fields[1] as u32).or_default().push(pid);
        }
    }
    let mut sum = Usage::default();
    let mut left = vec![root];
    while let Some(pid) = left.pop() {
        let one = process(pid);
        sum.cpu += one.cpu;
        sum.rss += one.rss;
        left.extend(children.remove(&pid).unwrap_or_default());
    }
    sum
}

/// Of one process alone.
pub fn process(pid: u32) -> Usage {
    let Some(fields) = stat(&format!("/proc/{pid}/stat")) else { return Usage::default() };
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let rss = status.lines().find_map(|l| l.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse::<f64>().ok());
    Usage { cpu: fields[11..15].iter().sum::<f64>() / TICKS, rss: rss.unwrap_or_default() / 1024.0 }
}

/// CPU seconds of each thread of a process, by name.
pub fn threads(pid: u32) -> BTreeMap<String, f64> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let dir = entry.path();
        let name = fs::read_to_string(dir.join("comm")).unwrap_or_default().trim().to_owned();
        // Nanoseconds on a CPU come first.
        let ran = fs::read_to_string(dir.join("schedstat")).unwrap_or_default();
        let seconds = ran.split_whitespace().next().and_then(|n| n.parse::<f64>().ok()).unwrap_or_default() / 1e9;
        *all.entry(name).or_default() += seconds;
    }
    all
}

/// CPU seconds of the whole machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Machine {
    /// Not idle; stolen time counts.
    pub busy: f64,
    /// Wanted by us and given to another machine.
    pub steal: f64,
}

/// Now.
pub fn machine() -> Machine {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    let v: Vec<f64> = line.split_whitespace().skip(1).filter_map(|n| n.parse().ok()).collect();
    if v.len() < 8 {
        return Machine::default();
    }
    let idle = v[3] + v[4];
    Machine { busy: (v[..8].iter().sum::<f64>() - idle) / TICKS, steal: v[7] / TICKS }
}

/// The fields of a `stat` file after the command's name; 0 is the state.
fn stat(path: &str) -> Option<Vec<f64>> {
    let text = fs::read_to_string(path).ok()?;
    let rest = &text[text.rfind(')')? + 2..];
    let fields: Vec<f64> = rest.split(' ').map(|n| n.trim().parse().unwrap_or_default()).collect();
    (fields.len() > 21).then_some(fields)
}
