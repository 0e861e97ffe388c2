//! The results as Markdown for people and as JSON for machines.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::measure::{Plan, Run, median};
use crate::tv;

/// The table, the stages, and the threads.
pub fn markdown(measured: &[(Plan, Vec<Run>)]) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "| size | viewers | capture → presented p50 / p95 / p99 ms | fps | not shown | first frame ms | ICE connected ms \
         | CPU cores | RSS MB | steal | other CPU |\n|---|---|---|---|---|---|---|---|---|---|---|"
    );
    for (plan, runs) in measured {
        let over = |pick: &dyn Fn(&Run) -> Option<f64>| median(runs.iter().filter_map(pick).collect());
        let latency = [0, 1, 2].map(|i| number(over(&|r| r.latency[i]), 1)).join(" / ");
        let disturbed = if runs.iter().any(Run::disturbed) { " (disturbed)" } else { "" };
        let missing = if plan.viewers == 0 { None } else { over(&|r| Some(r.missing as f64)) };
        let _ = writeln!(
            out,
            "| {}x{} | {}{} | {latency} | {} | {} | {} | {} | {} | {} | {}{disturbed} | {} |",
            plan.size.0,
            plan.size.1,
            plan.viewers_in_words(),
            if plan.two_way { ", both ways" } else { "" },
            number(over(&|r| r.fps), 1),
            number(missing, 0),
            number(over(&|r| r.first_frame), 0),
            number(over(&|r| r.ice_connected), 0),
            number(over(&|r| Some(r.cpu)), 3),
            number(over(&|r| Some(r.rss)), 1),
            number(over(&|r| Some(r.steal)), 2),
            number(over(&|r| Some(r.other_cpu)), 2),
        );
    }
    goals(&mut out, measured);
    timeline(&mut out, measured);
    stages(&mut out, measured);
    threads(&mut out, measured);
    out
}

/// What the project has set itself, on a quiet machine of two cores: size, viewers, what, at most.
const GOALS: &[((u32, u32), usize, &str, f64)] = &[
    ((640, 480), 0, "CPU cores", 0.005),
    ((640, 480), 1, "p50 ms", 8.0),
    ((640, 480), 1, "p95 ms", 18.0),
    ((640, 480), 1, "CPU cores", 0.10),
    ((640, 480), 1, "first frame ms", 280.0),
    ((640, 480), 1, "RSS MB", 45.0),
    ((640, 480), 4, "p50 ms", 12.0),
    ((640, 480), 4, "p95 ms", 22.0),
    ((640, 480), 4, "CPU cores more than for one", 0.01),
    ((1280, 720), 1, "p50 ms", 14.0),
    ((1280, 720), 1, "p95 ms", 22.0),
    ((1280, 720), 1, "CPU cores", 0.22),
];

fn goals(out: &mut String, measured: &[(Plan, Vec<Run>)]) {
    let runs = |size: (u32, u32), viewers: usize| {
        let found = measured.iter().find(|(plan, _)| plan.size == size && plan.viewers == viewers && !plan.two_way);
        found.map(|(_, runs)| runs.as_slice()).unwrap_or_default()
    };
    let over = |runs: &[Run], pick: &dyn Fn(&Run) -> Option<f64>| median(runs.iter().filter_map(pick).collect());
    let cpu = |size, viewers| over(runs(size, viewers), &|r| Some(r.cpu));
    let mut rows = String::new();
    for &(size, viewers, what, most) in GOALS {
        let these = runs(size, viewers);
        let value = match what {
            "p50 ms" => over(these, &|r| r.latency[0]),
            "p95 ms" => over(these, &|r| r.latency[1]),
            "first frame ms" => over(these, &|r| r.first_frame),
            "RSS MB" => over(these, &|r| Some(r.rss)),
            "CPU cores" => cpu(size, viewers),
            _ => cpu(size, viewers).zip(cpu(size, 1)).map(|(many, one)| many - one),
        };
        let Some(value) = value else { continue };
        let verdict = if value <= most { "yes" } else { "**no**" };
        let digits = if what.starts_with("CPU") { 3 } else { 1 };
        let _ =
            writeln!(rows, "| {}x{} | {viewers} | {what} | {value:.digits$} | {most} | {verdict} |", size.0, size.1);
    }
    if !rows.is_empty() {
        let head = "| size | viewers | what | measured | at most | met |\n|---|---|---|---|---|---|";
        let _ = writeln!(out, "\nGoals:\n\n{head}\n{rows}");
    }
}

/// The way to the first picture, from navigation on: each moment and what marks it.
const MOMENTS: &[(&str, &str)] = &[
    ("script", "connectionCreated"),
    ("offer", "offered"),
    ("answer", "answered"),
    ("ICE", "iceConnected"),
    ("DTLS", "encrypted"),
    ("frame", "firstFrame"),
];

fn timeline(out: &mut String, measured: &[(Plan, Vec<Run>)]) {
    let heads: Vec<&str> = MOMENTS.iter().map(|(head, _)| *head).collect();
    let _ = writeln!(out, "\nTo the first picture, ms from navigation:\n\n| size | viewers | {} |", heads.join(" | "));
    let _ = writeln!(out, "|---|---|{}", "---|".repeat(heads.len()));
    for (plan, runs) in measured.iter().filter(|(plan, _)| plan.viewers > 0) {
        let pages: Vec<&Value> = runs.iter().filter_map(|run| run.detail["chromium"].as_array()).flatten().collect();
        let cells = MOMENTS
            .iter()
            .map(|(_, mark)| number(median(pages.iter().filter_map(|page| page["marks"][mark].as_f64()).collect()), 0));
        let cells: Vec<String> = cells.collect();
        let _ = writeln!(out, "| {}x{} | {} | {} |", plan.size.0, plan.size.1, plan.viewers, cells.join(" | "));
    }
}

/// Inside the program, p50 / p95 of each stage that it names, ms.
fn stages(out: &mut String, measured: &[(Plan, Vec<Run>)]) {
    let order = ["capture_ms", "wait_ms", "encode_ms", "handoff_ms", "send_ms"];
    let mut names: Vec<String> = order.iter().map(|n| (*n).to_owned()).collect();
    let said = measured.iter().flat_map(|(_, runs)| runs).filter_map(|r| r.stages.as_object());
    for name in said.flat_map(|o| o.keys()) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names.retain(|n| measured.iter().flat_map(|(_, runs)| runs).any(|r| r.stages.get(n).is_some()));
    let heads: Vec<String> = names.iter().map(|n| n.trim_end_matches("_ms").to_owned()).collect();
    let _ = writeln!(out, "\nInside the program, p50 / p95 ms:\n\n| size | viewers | {} |", heads.join(" | "));
    let _ = writeln!(out, "|---|---|{}", "---|".repeat(names.len()));
    for (plan, runs) in measured.iter().filter(|(plan, _)| plan.viewers > 0) {
        let cells = names.iter().map(|name| {
            let of = |q: &str| median(runs.iter().filter_map(|r| r.stages[name][q].as_f64()).collect());
            format!("{} / {}", number(of("p50"), 2), number(of("p95"), 2))
        });
        let cells: Vec<String> = cells.collect();
        let _ = writeln!(out, "| {}x{} | {} | {} |", plan.size.0, plan.size.1, plan.viewers, cells.join(" | "));
    }
}

/// Where the program's CPU goes, cores by thread.
fn threads(out: &mut String, measured: &[(Plan, Vec<Run>)]) {
    let names: BTreeSet<&String> = measured
        .iter()
        .flat_map(|(_, runs)| runs)
        .flat_map(|r| r.threads.iter())
        .filter(|(_, c)| **c >= 0.0005)
        .map(|(n, _)| n)
        .collect();
    let heads: Vec<&str> = names.iter().map(|n| n.as_str()).collect();
    let _ = writeln!(out, "\nCores by thread:\n\n| size | viewers | {} |", heads.join(" | "));
    let _ = writeln!(out, "|---|---|{}", "---|".repeat(names.len()));
    for (plan, runs) in measured {
        let cell = |name: &String| {
            let cores = runs.iter().map(|r| r.threads.get(name).copied().unwrap_or_default()).collect();
            number(median(cores), 3)
        };
        let cells: Vec<String> = names.iter().map(|n| cell(n)).collect();
        let _ = writeln!(out, "| {}x{} | {} | {} |", plan.size.0, plan.size.1, plan.viewers, cells.join(" | "));
    }
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".into(), |v| format!("{v:.digits$}"))
}

/// Everything.
pub fn json(measured: &[(Plan, Vec<Run>)], tvs: &[tv::Run]) -> Value {
    let when = SystemTime::now().duration_since(UNIX_EPOCH).map(|d| d.as_secs()).unwrap_or_default();
    let rows = measured.iter().map(|(plan, runs)| {
        let runs = runs.iter().map(|r| {
            json!({
                "complete": r.complete, "latency_ms": { "p50": r.latency[0], "p95": r.latency[1], "p99": r.latency[2] },
                "fps": r.fps, "missing": r.missing, "bad_crc": r.bad, "first_frame_ms": r.first_frame,
                "ice_connected_ms": r.ice_connected, "cpu_cores": r.cpu, "threads": r.threads, "rss_mb": r.rss,
                "chromium_cores": r.chromium_cpu, "other_cores": r.other_cpu, "steal_cores": r.steal,
                "disturbed": r.disturbed(), "stages": r.stages, "viewers": r.detail,
            })
        });
        json!({
            "size": [plan.size.0, plan.size.1], "viewers": plan.viewers, "kinds": plan.viewers_in_words(),
            "two_way": plan.two_way, "window_s": plan.window.as_secs_f64(), "runs": runs.collect::<Vec<_>>(),
        })
    });
    let tvs = tvs.iter().map(|run| {
        json!({
            "size": [run.size.0, run.size.1], "fps": run.fps, "unreadable": run.unreadable, "cpu_cores": run.cpu,
            "latency_ms": { "p50": run.latency[0], "p95": run.latency[1], "p99": run.latency[2] },
            "sound_ms": { "p50": run.sound[0], "p95": run.sound[1], "p99": run.sound[2] }, "steal_cores": run.steal,
        })
    });
    json!({ "unix_time": when, "rows": rows.collect::<Vec<_>>(), "tv": tvs.collect::<Vec<_>>() })
}

/// The way back, as a table of its own.
pub fn tv_markdown(tvs: &[tv::Run]) -> String {
    if tvs.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "\n| a viewer's camera | drawn → handed to the TV p50 / p95 / p99 ms | beep → loudspeaker p50 / p95 / p99 ms | sound \
         behind picture ms | fps | unreadable | CPU cores | steal |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for run in tvs {
        let [latency, sound] = [run.latency, run.sound].map(|all| all.map(|ms| number(ms, 1)).join(" / "));
        let behind = number(run.sound[0].zip(run.latency[0]).map(|(sound, picture)| sound - picture), 1);
        let (size, fps, cpu, steal) = (run.size, run.fps, run.cpu, run.steal);
        let _ = writeln!(
            out,
            "| {}x{} | {latency} | {sound} | {behind} | {fps:.1} | {} | {cpu:.3} | {steal:.2} |",
            size.0, size.1, run.unreadable
        );
    }
    out
}

/// Writes both into a folder.
pub fn keep(folder: &Path, table: &str, all: &Value) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("bench.md"), table)?;
    std::fs::write(folder.join("bench.json"), serde_json::to_string_pretty(all)?)
}
