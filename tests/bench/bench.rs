//! `make bench`: what a real Chromium sees of the real program, how soon and at what cost, as one table.
//!
//! Options: `--seconds 15` of measuring, `--warmup 3`, `--runs 3` of which medians are printed, `--sizes
//! 640x480,1280x720`, `--viewers 0,1,4,8`, `--two-way` (the viewers send, too), `--no-tv` (not the way
//! back), `--raw` (every frame, and every
//! second, in the JSON), `--out FOLDER` (else `bench` in the target folder).
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "a bench lives in real time")]

#[path = "../browser/harness/mod.rs"]
mod harness;
mod measure;
mod proc;
mod report;
#[path = "../hostile/signal.rs"]
mod signal;
mod str0m_viewer;
mod tv;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use measure::{Plan, Run};

struct Options {
    seconds: f64,
    warmup: f64,
    runs: usize,
    sizes: Vec<(u32, u32)>,
    viewers: Vec<usize>,
    two_way: bool,
    tv: bool,
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
            sizes: vec![(640, 480), (1280, 720)],
            viewers: vec![0, 1, 4, 8],
            two_way: false,
            tv: true,
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
    if let [word, record, height] = &words[..]
        && word == "--tv-reader"
    {
        // Ends with the home that feeds it.
        let _ = tv::reader(record, height);
        return ExitCode::SUCCESS;
    }
    let options = match Options::read() {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("bench: {problem}");
            return ExitCode::from(2);
        }
    };
    let mut measured: Vec<(Plan, Vec<Run>)> = Vec::new();
    for &size in &options.sizes {
        for &viewers in &options.viewers {
            let plan = Plan {
                size,
                viewers,
                two_way: options.two_way,
                warmup: Duration::from_secs_f64(options.warmup),
                window: Duration::from_secs_f64(options.seconds),
                raw: options.raw,
            };
            // With nobody watching there is nothing to be quick at.
            let count = if viewers == 0 { 1 } else { options.runs };
            let runs: Vec<Run> = (1..=count)
                .map(|i| {
                    eprint!("{}, run {i} of {count}: ", plan.name());
                    let run = measure::quietest_of_three(&plan);
                    eprintln!("{}", run.one_line());
                    run
                })
                .collect();
            measured.push((plan, runs));
        }
    }
    let mut tvs = Vec::new();
    for &size in options.sizes.iter().filter(|_| options.tv) {
        eprint!("{}x{}, a viewer's camera to the TV: ", size.0, size.1);
        let run = tv::measure(size, Duration::from_secs_f64(options.warmup), Duration::from_secs_f64(options.seconds));
        eprintln!("{:.1?} ms, {:.1} fps", run.latency, run.fps);
        tvs.push(run);
    }
    let table = report::markdown(&measured) + &report::tv_markdown(&tvs);
    println!("\n{table}");
    if let Err(e) = report::keep(&options.out, &table, &report::json(&measured, &tvs)) {
        eprintln!("bench: cannot keep the results in {}: {e}", options.out.display());
        return ExitCode::FAILURE;
    }
    println!("kept in {}", options.out.display());
    if measured.iter().flat_map(|(_, runs)| runs).all(|r| r.complete) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
