//! `make bench`: what a real Chromium sees of the real program, how soon and at what cost, as tables; over emulated paths
//! beside libwebrtc.
//!
//! Options: `--seconds 15` of measuring, `--warmup 3`, `--runs 3` of which medians are printed, `--only WORDS` (the lines that
//! have these words in them, as `path of`), `--sizes 640x480,1280x720`, `--viewers 0,1,4,8`, `--two-way` (the viewers send,
//! too), `--no-tv` (not the way back), `--path rtt_ms=80,kbps=700,loss_percent=3` (one path of your own, instead of those
//! with targets), `--seed 1` (of what paths lose), `--raw` (every frame, and every second, in the JSON), `--out FOLDER` (else
//! `bench` in the target folder).
#![deny(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "a bench lives in real time")]

mod footage;
#[path = "../browser/harness/mod.rs"]
mod harness;
mod measure;
mod paths;
mod paths_report;
mod proc;
mod report;
#[path = "../hostile/signal.rs"]
mod signal;
mod ssim;
mod str0m_viewer;
mod tunnel;
mod tv;
mod yardstick;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use measure::{Plan, Run};
use paths::{Place, Row};
use paths_report::Measured;

struct Options {
    seconds: f64,
    warmup: f64,
    runs: usize,
    only: String,
    sizes: Vec<(u32, u32)>,
    viewers: Vec<usize>,
    two_way: bool,
    tv: bool,
    path: Option<Row>,
    seed: u64,
    raw: bool,
    out: PathBuf,
}

impl Options {
    fn read() -> Result<Options, String> {
        let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| manifest.join("target"), PathBuf::from);
        let mut o = Options {
            seconds: 15.0,
            warmup: 3.0,
            runs: 3,
            only: String::new(),
            sizes: vec![(640, 480), (1280, 720)],
            viewers: vec![0, 1, 4, 8],
            two_way: false,
            tv: true,
            path: None,
            seed: 1,
            raw: false,
            out: target.join("bench"),
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--seconds" => o.seconds = number(&value()?)?,
                "--warmup" => o.warmup = number(&value()?)?,
                "--runs" => o.runs = number(&value()?)?,
                "--sizes" => o.sizes = value()?.split(',').map(size).collect::<Result<_, _>>()?,
                "--viewers" => o.viewers = value()?.split(',').map(number).collect::<Result<_, _>>()?,
                "--only" => o.only = value()?,
                "--path" => o.path = Some(Row::own(&value()?)?),
                "--seed" => o.seed = number(&value()?)?,
                "--out" => o.out = value()?.into(),
                "--no-tv" => o.tv = false,
                "--two-way" => o.two_way = true,
                "--raw" => o.raw = true,
                "--bench" => {} // what `cargo bench` adds
                other => return Err(format!("unknown option {other}")),
            }
        }
        Ok(o)
    }

    fn wants(&self, line: &str) -> bool {
        line.contains(&self.only)
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let (width, height) = text.split_once('x').ok_or_else(|| format!("{text} is not like 640x480"))?;
    Ok((number(width)?, number(height)?))
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    // What home runs as its camera or its TV ends with the home.
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--tv-reader", record, height] => {
            let _ = tv::reader(record, height);
            return ExitCode::SUCCESS;
        }
        ["--footage-camera", folder] => {
            let _ = footage::camera(folder);
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let options = match Options::read() {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("bench: {problem}");
            return ExitCode::from(2);
        }
    };
    let measured = visits(&options);
    let tvs = ways_back(&options);
    let over_paths = over_paths(&options);
    let mut table = if measured.is_empty() { String::new() } else { report::markdown(&measured) };
    table += &report::tv_markdown(&tvs);
    table += &paths_report::markdown(&over_paths);
    println!("\n{table}");
    let mut all = report::json(&measured, &tvs);
    all["paths"] = paths_report::json(&over_paths);
    if let Err(e) = report::keep(&options.out, &table, &all) {
        eprintln!("bench: cannot keep the results in {}: {e}", options.out.display());
        return ExitCode::FAILURE;
    }
    println!("kept in {}", options.out.display());
    if measured.iter().flat_map(|(_, runs)| runs).all(|r| r.complete) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Viewers on this machine.
fn visits(options: &Options) -> Vec<(Plan, Vec<Run>)> {
    let plan = |size: (u32, u32), viewers: usize| Plan {
        size,
        viewers,
        two_way: options.two_way,
        warmup: Duration::from_secs_f64(options.warmup),
        window: Duration::from_secs_f64(options.seconds),
        raw: options.raw,
    };
    let plans = options.sizes.iter().flat_map(|&size| options.viewers.iter().map(move |&viewers| plan(size, viewers)));
    plans
        .filter(|plan| options.wants(&plan.name()) && options.path.is_none())
        .map(|plan| {
            // With nobody watching there is nothing to be quick at.
            let count = if plan.viewers == 0 { 1 } else { options.runs };
            let runs = (1..=count).map(|i| {
                eprint!("{}, run {i} of {count}: ", plan.name());
                let run = measure::quietest_of_three(&plan);
                eprintln!("{}", run.one_line());
                run
            });
            (plan, runs.collect())
        })
        .collect()
}

/// A viewer's camera and microphone, as the TV and the loudspeaker have them.
fn ways_back(options: &Options) -> Vec<tv::Run> {
    let (warmup, window) = (Duration::from_secs_f64(options.warmup), Duration::from_secs_f64(options.seconds));
    let mut all = Vec::new();
    for &size in options.sizes.iter().filter(|_| options.tv && options.path.is_none()) {
        let name = format!("{}x{}, a viewer's camera to the TV", size.0, size.1);
        if options.wants(&name) {
            eprint!("{name}: ");
            let run = tv::measure(size, warmup, window);
            eprintln!("{:.1?} ms, {:.1} fps", run.latency, run.fps);
            all.push(run);
        }
    }
    all
}

/// One viewer over bad paths, home's and libwebrtc's by turns, so that what disturbs the machine disturbs both.
fn over_paths(options: &Options) -> Vec<Measured> {
    let rows = options.path.clone().map_or_else(paths::rows, |row| vec![row]);
    let rows: Vec<Row> = rows.into_iter().filter(|row| options.wants(&row.name)).collect();
    if rows.is_empty() || !tunnel::possible("the lines over emulated paths") {
        return Vec::new();
    }
    let place = Place::prepare(&options.out.join("yardstick"));
    let mut measured: Vec<Measured> = Vec::new();
    for row in rows {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for i in 1..=options.runs {
            let seed = options.seed + i as u64 - 1;
            eprintln!("{}, run {i} of {}:", row.name, options.runs);
            let run = place.ours(&row, seed);
            eprintln!("  home      {}", run.one_line());
            ours.push(run);
            if let Some(run) = place.theirs(&row, seed) {
                eprintln!("  libwebrtc {}", run.one_line());
                theirs.push(run);
            }
        }
        measured.push(Measured { row, ours, theirs });
    }
    measured
}
