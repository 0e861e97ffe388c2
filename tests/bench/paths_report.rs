//! The rows over emulated paths as a table, with what the project has set itself. A target that is missed is said, and no more.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::measure::median;
use crate::paths::{Row, Run};

/// The runs over one path.
pub struct Measured {
    /// Which.
    pub row: Row,
    /// Home's.
    pub ours: Vec<Run>,
    /// libwebrtc's, if it was there.
    pub theirs: Vec<Run>,
}

/// The medians of one peer.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    first: Option<f64>,
    fps: Option<f64>,
    p95: Option<f64>,
    gap: Option<f64>,
    ssim: Option<f64>,
    used: Option<f64>,
    dropped: Option<f64>,
}

impl Figures {
    fn of(runs: &[Run]) -> Figures {
        let over = |pick: &dyn Fn(&Run) -> Option<f64>| median(runs.iter().filter_map(pick).collect());
        Figures {
            // A run without a picture is the worst that there is, not one that does not count.
            first: over(&|r| Some(r.first.unwrap_or(f64::INFINITY))),
            fps: over(&|r| Some(r.fps.unwrap_or(0.0))),
            p95: over(&|r| r.latency[1]),
            gap: over(&|r| Some(r.gap.unwrap_or(f64::INFINITY))),
            ssim: over(&|r| r.ssim),
            used: over(&|r| r.used),
            dropped: over(&|r| r.dropped),
        }
    }

    /// libwebrtc's, as they were recorded.
    fn recorded(name: &str) -> Option<Figures> {
        let (_, all) = RECORDED.iter().find(|(row, _)| *row == name)?;
        let [first, fps, p95, gap, ssim, used, dropped] = all.map(|v| (!v.is_nan()).then_some(v));
        Some(Figures { first, fps, p95, gap, ssim, used, dropped })
    }
}

/// When, and of what.
const RECORDED_OF: &str = "medians of three, 2026-11-30, wrtc 0.1.0 (M152), libopenh264 2.6.0, two cores";
/// Without a rate there is no share of it.
const NO: f64 = f64::NAN;
/// First picture ms, fps, p95 ms, longest gap ms, SSIM, share of the path used, share dropped.
const RECORDED: &[(&str, [f64; 7])] = &[
    ("path of 300 kbit/s", [1243.9, 27.1, 162.6, 183.4, 0.9322, 0.863, 0.0000]),
    ("path of 500 kbit/s", [995.6, 28.1, 157.2, 168.7, 0.9599, 0.885, 0.0000]),
    ("path of 1 Mbit/s", [805.8, 28.6, 159.7, 134.0, 0.9793, 0.879, 0.0000]),
    ("path of 1.5 Mbit/s", [786.0, 28.6, 146.3, 102.3, 0.9846, 0.884, 0.0000]),
    ("path of 2 Mbit/s", [757.4, 28.0, 212.3, 102.5, 0.9873, 0.890, 0.0000]),
    ("path of 100 ms, 2 % lost", [1057.1, 27.9, 201.4, 187.9, 0.9901, NO, NO]),
    ("path of 200 ms, 10 % lost in bursts of four", [3116.4, 19.2, 419.1, 835.3, 0.9782, NO, NO]),
    ("path without delay, 10 % lost", [564.9, 27.5, 72.7, 151.5, 0.9831, NO, NO]),
    ("path of 3, then 0.4, then 3 Mbit/s", [744.5, 26.0, 162.9, 1283.9, 0.9586, 0.368, 0.0324]),
];

/// The table, or nothing if nothing was measured.
pub fn markdown(measured: &[Measured]) -> String {
    if measured.is_empty() {
        return String::new();
    }
    let mut out =
        String::from("\nOver emulated paths, home / libwebrtc = ratio, with what is missed of the targets:\n\n");
    if measured.iter().any(|m| m.theirs.is_empty()) {
        let _ = writeln!(out, "libwebrtc was not run. Its figures with * are recorded ones: {RECORDED_OF}.\n");
    }
    out += "| path | first picture ms | fps | latency p95 ms | longest gap ms | SSIM | path used % | dropped by the queue % \
            | targets |\n|---|---|---|---|---|---|---|---|---|\n";
    for Measured { row, ours, theirs } in measured {
        let recorded = if theirs.is_empty() { Figures::recorded(&row.name) } else { None };
        let mark = if recorded.is_some() { "*" } else { "" };
        let (a, b) = (Figures::of(ours), recorded.unwrap_or_else(|| Figures::of(theirs)));
        let cell = |pick: fn(&Figures) -> Option<f64>, factor: f64, digits: usize, ratio: bool| {
            let (a, b) = (pick(&a), pick(&b));
            let [left, right] = [a, b].map(|v| number(v.map(|v| v * factor), digits));
            let ratio = a.zip(b).filter(|_| ratio).map_or(String::new(), |(a, b)| format!(" = {:.2}", a / b));
            format!("{left} / {right}{mark}{ratio}")
        };
        let disturbed = ours.iter().chain(theirs).filter(|run| run.disturbed).count();
        let disturbed = if disturbed > 0 { format!(" ({disturbed} disturbed)") } else { String::new() };
        let _ = writeln!(
            out,
            "| {}{disturbed} | {} | {} | {} | {} | {} | {} | {} | {} |",
            row.name,
            cell(|f| f.first, 1.0, 0, true),
            cell(|f| f.fps, 1.0, 1, true),
            cell(|f| f.p95, 1.0, 0, true),
            cell(|f| f.gap, 1.0, 0, false),
            cell(|f| f.ssim, 1.0, 3, false),
            cell(|f| f.used, 100.0, 0, false),
            cell(|f| f.dropped, 100.0, 2, false),
            verdict(row, &a, &b),
        );
    }
    out
}

/// `met`, or what is missed and by what.
fn verdict(row: &Row, ours: &Figures, theirs: &Figures) -> String {
    let mut missed = Vec::new();
    let mut judge = |what: &str, value: Option<f64>, is_met: &dyn Fn(f64) -> bool, target: &str, digits: usize| {
        if let Some(value) = value.filter(|value| !is_met(*value)) {
            missed.push(format!("{what} {value:.digits$} ({target})"));
        }
    };
    let ratio = |pick: fn(&Figures) -> Option<f64>| pick(ours).zip(pick(theirs)).map(|(a, b)| a / b);
    let percent = |share: Option<f64>| share.map(|share| share * 100.0);
    if row.first_counts {
        judge("first picture", ratio(|f| f.first), &|v| v <= 1.2, "≤ 1.2 ×", 2);
    }
    judge("fps", ratio(|f| f.fps), &|v| v >= 0.95, "≥ 0.95 ×", 2);
    judge("p95", ratio(|f| f.p95), &|v| v <= 0.8, "≤ 0.8 ×", 2);
    // What differs in the fourth digit alone, nobody sees.
    judge("SSIM", ours.ssim.zip(theirs.ssim).map(|(a, b)| a - b), &|v| v > -0.0005, "≥ libwebrtc's", 3);
    if row.is_constant() {
        judge("used", percent(ours.used), &|v| v >= 75.0, "≥ 75 %", 0);
        judge("dropped", percent(ours.dropped), &|v| v <= 1.0, "≤ 1 %", 2);
    }
    if row.shape.burst > 1.0 {
        judge("fps", ours.fps, &|v| v >= 15.0, "≥ 15", 1);
        judge("gap", ours.gap, &|v| v <= 1000.0, "≤ 1000 ms", 0);
    }
    if !row.later.is_empty() {
        judge("gap", ours.gap, &|v| v <= 500.0, "≤ 500 ms", 0);
    }
    if missed.is_empty() { "met".into() } else { format!("**misses** {}", missed.join(", ")) }
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".into(), |v| format!("{v:.digits$}"))
}

/// Everything.
pub fn json(measured: &[Measured]) -> Value {
    let run = |r: &Run| {
        json!({
            "first_frame_ms": r.first, "fps": r.fps, "latency_ms": { "p50": r.latency[0], "p95": r.latency[1] },
            "longest_gap_ms": r.gap, "ssim": r.ssim, "kbps": r.kbps, "used": r.used, "dropped": r.dropped,
            "disturbed": r.disturbed, "detail": r.detail,
        })
    };
    let one = |m: &Measured| {
        let [ours, theirs] = [&m.ours, &m.theirs].map(|runs| runs.iter().map(run).collect::<Vec<_>>());
        json!({ "path": m.row.name, "home": ours, "libwebrtc": theirs })
    };
    measured.iter().map(one).collect()
}
