//! Home over emulated paths, beside libwebrtc: one visit at a time over the same path, with the same footage, in the same
//! Chromium.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::footage::{self, Footage};
use crate::harness::chromium::{Chromium, Permission};
use crate::harness::daemon::{Daemon, Setup};
use crate::harness::frames::{Frame, Judgement};
use crate::harness::page::Page;
use crate::measure::{OTHER_LIMIT, STEAL_LIMIT, median, wait_until_quiet};
use crate::proc;
use crate::ssim::{Luma, ssim};
use crate::tunnel::{Shape, Tally, Tunnel};
use crate::yardstick::Yardstick;

/// Keeps some of the frames that the page presents.
const GRABS: &str = include_str!("grabs.js");
/// What the page loaded and when, in ms from navigation, and when it was painted first.
const LOADED: &str = "performance.getEntries().filter(e => /resource|paint/.test(e.entryType))
  .map(e => [e.name, e.startTime, e.responseEnd, e.renderBlockingStatus])";
/// In this size pictures are compared, whatever size they came in.
const COMPARED: (usize, usize) = (640, 360);
/// Rows of it that the strip and its edge cover.
const STRIP_ROWS: usize = 40;
/// From the first picture to the window.
const WARM_UP: Duration = Duration::from_secs(3);

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// In a few words.
    pub name: String,
    /// The path from the beginning on.
    pub shape: Shape,
    /// Later rates: seconds from the window's begin, and kbit/s.
    pub later: &'static [(f64, u32)],
    /// Whether the first picture has a target.
    pub first_counts: bool,
}

impl Row {
    fn limited(name: &str, kbps: u32) -> Row {
        let shape = Shape { delay: ms(30), kbps, queue: ms(300), ..Shape::default() };
        Row { name: name.into(), shape, later: &[], first_counts: true }
    }

    fn lossy(name: &str, round_trip_ms: u64, loss: f64, burst: f64) -> Row {
        let shape = Shape { delay: ms(round_trip_ms) / 2, loss, burst, ..Shape::default() };
        Row { name: name.into(), shape, later: &[], first_counts: round_trip_ms > 0 }
    }

    /// Of somebody's own: words such as `rtt_ms=80,jitter_ms=10,kbps=700,queue_ms=200,loss_percent=3,burst=2`.
    pub fn own(words: &str) -> Result<Row, String> {
        let mut shape = Shape { queue: ms(300), ..Shape::default() };
        for word in words.split(',') {
            let pair = word.split_once('=').and_then(|(name, value)| Some((name, value.parse::<f64>().ok()?)));
            let time = |ms: f64| Duration::try_from_secs_f64(ms / 1000.0).map_err(|e| format!("{word}: {e}"));
            match pair.ok_or_else(|| format!("{word} is not like kbps=700"))? {
                ("rtt_ms", value) => shape.delay = time(value / 2.0)?,
                ("jitter_ms", value) => shape.jitter = time(value)?,
                ("queue_ms", value) => shape.queue = time(value)?,
                ("kbps", value) => shape.kbps = value as u32,
                ("loss_percent", value) => shape.loss = (value / 100.0).clamp(0.0, 0.99),
                ("burst", value) => shape.burst = value,
                _ => {
                    return Err(format!(
                        "{word}: a path has rtt_ms, jitter_ms, kbps, queue_ms, loss_percent and burst"
                    ));
                }
            }
        }
        Ok(Row { name: format!("path {words}"), shape, later: &[], first_counts: true })
    }

    /// Whether its rate is limited and stays the same.
    pub fn is_constant(&self) -> bool {
        self.shape.kbps > 0 && self.later.is_empty()
    }

    /// All of the footage, so that each run compares the same pictures; twice where the path changes.
    fn window(&self) -> Duration {
        let loops = if self.later.is_empty() { 1 } else { 2 };
        Duration::from_secs_f64((loops * footage::LOOP) as f64 / footage::RATE as f64)
    }
}

fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

/// The paths that have targets. Those with a rate have a round trip of 60 ms and a queue of 300 ms.
pub fn rows() -> Vec<Row> {
    let mut rows =
        [("300 kbit/s", 300), ("500 kbit/s", 500), ("1 Mbit/s", 1000), ("1.5 Mbit/s", 1500), ("2 Mbit/s", 2000)]
            .map(|(name, kbps)| Row::limited(&format!("path of {name}"), kbps))
            .to_vec();
    rows.push(Row::lossy("path of 100 ms, 2 % lost", 100, 0.02, 1.0));
    rows.push(Row::lossy("path of 200 ms, 10 % lost in bursts of four", 200, 0.1, 4.0));
    rows.push(Row::lossy("path without delay, 10 % lost", 0, 0.1, 1.0));
    let steps = Row { later: &[(5.0, 400), (17.0, 3000)], ..Row::limited("path of 3, then 0.4, then 3 Mbit/s", 3000) };
    rows.push(steps);
    rows
}

/// What was measured of one visit.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// From navigation to the first picture with a strip, ms. Chromium at times tells of a frame before it has one to show, which
    /// a canvas draws black.
    pub first: Option<f64>,
    /// Frames presented a second.
    pub fps: Option<f64>,
    /// Capture to presentation, ms: p50 and p95.
    pub latency: [Option<f64>; 2],
    /// The longest time without a new frame, ms.
    pub gap: Option<f64>,
    /// Likeness to what the camera saw.
    pub ssim: Option<f64>,
    /// What arrived at the viewer, headers and all.
    pub kbps: Option<f64>,
    /// The share of the path's rate that was used.
    pub used: Option<f64>,
    /// The share of datagrams that the path's queue dropped, from the beginning on.
    pub dropped: Option<f64>,
    /// Another program or machine took CPU.
    pub disturbed: bool,
    /// What else is known.
    pub detail: Value,
}

/// Where things are.
pub struct Place {
    /// Else the picture is home's own test card, and nothing is compared.
    pub footage: Option<PathBuf>,
    /// Else there is only home.
    pub yardstick: Option<Yardstick>,
}

impl Place {
    /// Fetches what is missing; says what cannot be had.
    pub fn prepare(folder: &Path) -> Place {
        eprintln!("libwebrtc and footage, in {}", folder.display());
        let yardstick = Yardstick::prepare(folder);
        if let Err(problem) = &yardstick {
            eprintln!("bench: NOT RUN beside libwebrtc, whose recorded figures are shown: {problem}");
        }
        let footage = Footage::open(folder).is_ok().then(|| folder.to_owned());
        if footage.is_none() {
            eprintln!("bench: no footage, so home shows its test card; use of the path and SSIM are not measured");
        }
        let yardstick = yardstick.ok().filter(|_| footage.is_some());
        Place { footage, yardstick }
    }

    fn camera(&self) -> Option<Vec<String>> {
        let program = std::env::current_exe().expect("this program's file");
        let folder = self.footage.as_ref()?;
        Some(vec![program.display().to_string(), "--footage-camera".into(), folder.display().to_string()])
    }

    /// Home over a path.
    pub fn ours(&self, row: &Row, seed: u64) -> Run {
        let tunnel = Tunnel::new(row.shape, seed);
        let setup = Setup { size: footage::SIZE, recorded: false, camera: self.camera(), ..Setup::default() };
        let home = Daemon::start_in(Some(&tunnel.home), setup);
        let mut run = self.visit(row, &tunnel, &home.link());
        run.detail["home"] = home.status().unwrap_or_default();
        if run.first.is_none() {
            eprintln!("no picture:\n{}", home.log_tail(40));
        }
        run
    }

    /// libwebrtc over a path, if it is there.
    pub fn theirs(&self, row: &Row, seed: u64) -> Option<Run> {
        let (yardstick, camera) = (self.yardstick.as_ref()?, self.camera()?);
        let tunnel = Tunnel::new(row.shape, seed);
        let peer = yardstick.start(&tunnel.home, &camera);
        Some(self.visit(row, &tunnel, &peer.link()))
    }

    fn visit(&self, row: &Row, tunnel: &Tunnel, link: &str) -> Run {
        let chromium = tunnel.viewer.enter(|| Chromium::start(Permission::Undecided));
        let page = chromium.viewer();
        page.before_load(GRABS);
        page.size(footage::SIZE.0, footage::SIZE.1, false);
        wait_until_quiet(&chromium);
        page.open(link);
        let limit = Instant::now() + Duration::from_secs(30);
        let arrived = |page: &Page| page.try_eval("lab.marks.firstCoded !== undefined").is_ok_and(|v| v == true);
        while !arrived(&page) {
            if Instant::now() > limit {
                eprintln!("a viewer without picture:\n{}", page.report());
                return Run { detail: json!({ "page": page.overview() }), ..Run::default() };
            }
            std::thread::sleep(ms(50));
        }
        std::thread::sleep(WARM_UP);

        page.run("grabs.wanted = true");
        let before = Reading::of(&page, tunnel);
        let carried = wait_window(row, tunnel, before.at);
        let after = Reading::of(&page, tunnel);
        page.run("grabs.wanted = false");
        let mut run = Run { first: page.mark("firstCoded"), ..Run::between(&page, &before, &after) };
        if carried.is_none() {
            run.dropped = None;
        }
        run.used = run.kbps.zip(carried).map(|(used, carried)| used / carried).filter(|_| self.footage.is_some());
        if let Some(likeness) = self.footage.as_ref().map(|folder| compare(&page, folder)) {
            run.ssim = likeness["mean"].as_f64();
            run.detail["ssim"] = likeness;
        }
        run
    }
}

/// Until the window ends; changes the path on the way. Gives the mean of its rate in kbit/s, if it has one.
fn wait_window(row: &Row, tunnel: &Tunnel, begin: Instant) -> Option<f64> {
    let mut carried = 0.0;
    let (mut since, mut kbps) = (0.0, row.shape.kbps);
    let window = row.window().as_secs_f64();
    for &(at, next) in row.later.iter().chain([&(window, 0)]) {
        let moment = begin + Duration::from_secs_f64(at);
        std::thread::sleep(moment.saturating_duration_since(Instant::now()));
        carried += f64::from(kbps) * (at - since);
        (since, kbps) = (at, next);
        if next > 0 {
            tunnel.set_kbps(next);
        }
    }
    (row.shape.kbps > 0).then_some(carried / window)
}

/// What counts up, at one end of the window.
struct Reading {
    /// The page's own clock.
    page: f64,
    stats: Value,
    path: Tally,
    machine: proc::Machine,
    /// This process with all below it.
    all: f64,
    at: Instant,
}

impl Reading {
    fn of(page: &Page, tunnel: &Tunnel) -> Reading {
        Reading {
            stats: page.stats(),
            machine: proc::machine(),
            all: proc::tree(std::process::id()).cpu,
            page: page.now(),
            path: tunnel.to_viewer(),
            at: Instant::now(),
        }
    }
}

impl Run {
    fn between(page: &Page, before: &Reading, after: &Reading) -> Run {
        let wall = (after.at - before.at).as_secs_f64();
        let since_navigation = page.frames_since(0.0);
        let frames: Vec<Frame> =
            since_navigation.iter().filter(|f| (before.page..=after.page).contains(&f.t)).cloned().collect();
        let judged = Judgement::of(&frames);
        let steal = (after.machine.steal - before.machine.steal) / wall;
        let ours = (after.all - before.all) / wall;
        let other = (after.machine.busy - before.machine.busy) / wall - steal - ours;
        // A picture that stands still until the end is a gap, too.
        let begun = frames.first().map_or(after.page, |f| f.t) - before.page;
        let ended = after.page - frames.last().map_or(before.page, |f| f.t);
        let udp = after.path.udp;
        Run {
            fps: Some(frames.len() as f64 * 1000.0 / (after.page - before.page)),
            latency: [judged.latency(0.5), judged.latency(0.95)],
            gap: Some(judged.longest_gap.max(begun).max(ended)),
            kbps: Some((after.path.all.bytes - before.path.all.bytes) as f64 * 8.0 / 1000.0 / wall),
            dropped: Some(udp.dropped as f64 / udp.sent.max(1) as f64),
            disturbed: steal > STEAL_LIMIT || other > OTHER_LIMIT,
            detail: json!({
                "marks": page.eval("lab.marks"), "loaded": page.eval(LOADED),  "steal_cores": steal, "other_cores": other, "cores": ours,
                "presented": judged.presented, "read": judged.read, "missing": judged.missing, "bad_crc": judged.bad_crc,
                "stats_before": before.stats, "stats_after": after.stats, "seconds": per_second(&since_navigation),
                "udp": { "sent": udp.sent, "dropped": udp.dropped, "lost": udp.lost },
            }),
            ..Run::default()
        }
    }

    /// For a person who waits.
    pub fn one_line(&self) -> String {
        let number = |v: Option<f64>, digits: usize| v.map_or("–".into(), |v| format!("{v:.digits$}"));
        format!(
            "first picture {} ms, {} fps, {} / {} ms, longest gap {} ms, {} kbit/s, SSIM {}, dropped {} %{}",
            number(self.first, 0),
            number(self.fps, 1),
            number(self.latency[0], 0),
            number(self.latency[1], 0),
            number(self.gap, 0),
            number(self.kbps, 0),
            number(self.ssim, 4),
            number(self.dropped.map(|share| share * 100.0), 2),
            if self.disturbed { " (disturbed)" } else { "" },
        )
    }
}

/// Of each second from navigation on: frames, median latency in ms, and the least width.
fn per_second(frames: &[Frame]) -> Value {
    let last = frames.last().map_or(0, |f| (f.t / 1000.0) as usize);
    let second = |n: usize| {
        let these: Vec<&Frame> = frames.iter().filter(|f| (f.t / 1000.0) as usize == n).collect();
        let latency = median(these.iter().filter_map(|f| f.latency).collect());
        json!([these.len(), latency.map(f64::round), these.iter().map(|f| f.w).min()])
    };
    (0..=last).map(second).collect()
}

/// How like the kept frames are to the footage.
fn compare(page: &Page, folder: &Path) -> Value {
    let footage = Footage::open(folder).expect("the footage");
    let count = page.eval("grabs.kept.length").as_u64().unwrap_or(0);
    let (width, height) = COMPARED;
    let mut values = Vec::new();
    for number in 0..count {
        let grab = page.eval(&format!("grabs.text({number})"));
        let pixels = BASE64.decode(grab["luma"].as_str().unwrap_or_default()).expect("base64");
        let side = |name: &str| grab[name].as_u64().unwrap_or(0) as usize;
        let shown = Luma { width: side("width"), height: side("height"), pixels };
        // Without its number nobody knows what it should look like.
        let Some((_, seq)) = footage::read_strip(&shown.pixels, shown.width) else { continue };
        let source = footage.luma(seq % footage::LOOP).expect("the footage");
        values.push(ssim(&shown.resized(width, height), &source.resized(width, height), STRIP_ROWS));
    }
    let mean = (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
    json!({ "mean": mean, "kept": count, "values": values, "failed": page.eval("grabs.failed") })
}
