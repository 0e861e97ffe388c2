//! One run: a fresh home, a fresh Chromium, some viewers, a window of time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::chromium::{Chromium, Permission};
use crate::harness::daemon::{Daemon, Setup};
use crate::harness::frames::{Frame, Judgement, quantile};
use crate::harness::page::Page;
use crate::proc;
use crate::str0m_viewer::Viewer;

/// More CPU than this taken by other machines spoils a run; in cores.
const STEAL_LIMIT: f64 = 0.05;

/// More CPU than this used by other programs spoils a run; in cores.
const OTHER_LIMIT: f64 = 0.25;

/// Chromium's own share of a machine is so large that more of its viewers would only measure themselves.
const CHROMIUM_VIEWERS: usize = 4;

/// What to measure.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Of the camera and the full rung.
    pub size: (u32, u32),
    /// How many watch.
    pub viewers: usize,
    /// Whether they send camera and microphone.
    pub two_way: bool,
    /// From the last viewer's first frame to the window.
    pub warmup: Duration,
    /// The window's length.
    pub window: Duration,
    /// Keep every frame.
    pub raw: bool,
}

impl Plan {
    /// In a few words.
    pub fn name(&self) -> String {
        let ways = if self.two_way { ", both ways" } else { "" };
        format!("{}x{}, {}{ways}", self.size.0, self.size.1, self.viewers_in_words())
    }

    /// The number of viewers, and of what kind.
    pub fn viewers_in_words(&self) -> String {
        match self.viewers {
            0 => "nobody".into(),
            n if n <= CHROMIUM_VIEWERS => format!("{n} Chromium"),
            n => format!("{CHROMIUM_VIEWERS} Chromium + {} str0m", n - CHROMIUM_VIEWERS),
        }
    }
}

/// What was measured; times in ms, CPU in cores, memory in MB. Over the viewers the median, as for each run.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// Every viewer got a picture.
    pub complete: bool,
    /// Capture to presentation: p50, p95, p99.
    pub latency: [Option<f64>; 3],
    /// Frames presented a second.
    pub fps: Option<f64>,
    /// Captured frames that were not presented, all viewers.
    pub missing: usize,
    /// Strips with a wrong check sum, all viewers.
    pub bad: usize,
    /// From navigation.
    pub first_frame: Option<f64>,
    /// From navigation.
    pub ice_connected: Option<f64>,
    /// Of the program.
    pub cpu: f64,
    /// Of the program, by thread.
    pub threads: BTreeMap<String, f64>,
    /// Of the program, its peak.
    pub rss: f64,
    /// Of Chromium.
    pub chromium_cpu: f64,
    /// Of anything else.
    pub other_cpu: f64,
    /// Taken by other machines.
    pub steal: f64,
    /// What the program says of its own stages.
    pub stages: Value,
    /// What each browser says, and with `raw` every frame.
    pub detail: Value,
}

impl Run {
    /// For a person who waits.
    pub fn one_line(&self) -> String {
        let ms = |v: Option<f64>| v.map_or("–".into(), |v| format!("{v:.1}"));
        let [p50, p95, _] = self.latency;
        format!(
            "{} / {} ms, {} fps, first frame {} ms, {:.3} core, {:.0} MB, steal {:.2}, other {:.2}",
            ms(p50),
            ms(p95),
            ms(self.fps),
            ms(self.first_frame),
            self.cpu,
            self.rss,
            self.steal,
            self.other_cpu
        )
    }

    /// Whether another machine or another program disturbed it.
    pub fn disturbed(&self) -> bool {
        self.steal > STEAL_LIMIT || self.other_cpu > OTHER_LIMIT
    }

    fn disturbance(&self) -> f64 {
        self.steal / STEAL_LIMIT + self.other_cpu / OTHER_LIMIT
    }
}

/// The first run that nothing disturbed, of at most three; else the least disturbed.
pub fn quietest_of_three(plan: &Plan) -> Run {
    let mut best: Option<Run> = None;
    for _ in 0..3 {
        let run = once(plan);
        if !run.disturbed() {
            return run;
        }
        eprint!("(disturbed: steal {:.2}, other {:.2}) ", run.steal, run.other_cpu);
        if best.as_ref().is_none_or(|b| run.disturbance() < b.disturbance()) {
            best = Some(run);
        }
    }
    best.expect("three runs")
}

fn once(plan: &Plan) -> Run {
    let home = Daemon::start(Setup { size: plan.size, recorded: false, ..Setup::default() });
    let permission = if plan.two_way { Permission::Granted } else { Permission::Undecided };
    let chromium = (plan.viewers > 0).then(|| Chromium::start(permission));
    let link = home.link();
    let pages: Vec<Page> = chromium
        .iter()
        .flat_map(|chromium| (0..plan.viewers.min(CHROMIUM_VIEWERS)).map(|_| chromium.viewer()))
        .collect();
    if let Some(chromium) = &chromium {
        wait_until_quiet(chromium);
    }
    for page in &pages {
        // At its own size, so that the browser's scaling by CPU is not measured as ours.
        page.size(plan.size.0, plan.size.1, false);
        page.open(&link);
        if plan.two_way {
            page.click("#join");
        }
    }
    let limit = Instant::now() + Duration::from_secs(30);
    let arrived = |page: &Page| page.try_eval("lab.marks.firstCoded !== undefined").is_ok_and(|v| v == true);
    let mut complete = true;
    for page in &pages {
        while !arrived(page) {
            if Instant::now() > limit {
                complete = false;
                eprintln!("a viewer without picture:\n{}\n{}", page.report(), home.log_tail(40));
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    let address = link.trim_start_matches("https://").split('/').next().expect("an address");
    let others: Vec<Viewer> = (CHROMIUM_VIEWERS..plan.viewers)
        .map(|_| Viewer::visit(address.parse().expect("an IP address and a port"), &home.key()))
        .collect();
    while others.iter().any(|viewer| viewer.frames() == 0 || viewer.sounds() == 0) {
        if Instant::now() > limit {
            complete = false;
            eprintln!("a str0m viewer without picture or sound:\n{}", home.log_tail(40));
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    std::thread::sleep(plan.warmup);

    let stats = || pages.iter().map(Page::stats).collect::<Vec<_>>();
    let stats_before = stats();
    let starts: Vec<f64> = pages.iter().map(Page::now).collect();
    let read = || {
        let browser = chromium.as_ref().map(|c| proc::tree(c.pid())).unwrap_or_default();
        (proc::process(home.pid()), browser, proc::machine(), proc::tree(std::process::id()), Instant::now())
    };
    let (home0, chromium0, machine0, all0, t0) = read();
    let threads0 = proc::threads(home.pid());
    let frames0: Vec<u64> = others.iter().map(Viewer::frames).collect();
    let mut rss = home0.rss;
    let end = t0 + plan.window;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        std::thread::sleep(left.min(Duration::from_millis(250)));
        rss = rss.max(proc::process(home.pid()).rss);
    }
    let (home1, chromium1, machine1, all1, t1) = read();
    let threads1 = proc::threads(home.pid());
    let other_fps = others.iter().zip(frames0).map(|(v, before)| (v.frames() - before) as f64).collect::<Vec<_>>();
    let ends: Vec<f64> = pages.iter().map(Page::now).collect();
    let stats_after = stats();
    let wall = (t1 - t0).as_secs_f64();
    // `all` is this process with home and Chromium below it.
    let steal = (machine1.steal - machine0.steal) / wall;
    let ours = (all1.cpu - all0.cpu) / wall;

    let views: Vec<(Vec<Frame>, f64)> = pages
        .iter()
        .zip(starts.iter().zip(&ends))
        .map(|(page, (start, end))| {
            let mut frames = page.frames_since(*start);
            frames.retain(|f| f.t <= *end);
            (frames, (end - start) / 1000.0)
        })
        .collect();
    let judged: Vec<Judgement> = views.iter().map(|(frames, _)| Judgement::of(frames)).collect();
    let over = |pick: &dyn Fn(usize) -> Option<f64>| median((0..pages.len()).filter_map(pick).collect());
    let latency = [0.5, 0.95, 0.99].map(|q| over(&|i| judged[i].latency(q)));
    let detail = (0..pages.len()).map(|i| {
        json!({
            "first_frame_ms": pages[i].mark("firstFrame"),
            "ice_connected_ms": pages[i].mark("iceConnected"),
            "marks": pages[i].eval("lab.marks"),
            "clock_skew_ms": pages[i].eval("[Math.min(...lab.skew), Math.max(...lab.skew)]"),
            "presented": judged[i].presented, "unique": judged[i].unique, "repeated": judged[i].repeated,
            "missing": judged[i].missing, "bad_crc": judged[i].bad_crc, "no_strip": judged[i].no_strip + judged[i].leading,
            "longest_gap_ms": judged[i].longest_gap,
            "stats_before": stats_before[i], "stats_after": stats_after[i],
            "seconds": per_second(&views[i].0),
            "frames": plan.raw.then(|| views[i].0.iter().map(|f| json!([f.t, f.latency, f.seq])).collect::<Vec<_>>()),
        })
    });
    let thread_cores =
        threads1.into_iter().map(|(name, cpu)| (cpu - threads0.get(&name).copied().unwrap_or_default(), name));
    Run {
        complete,
        latency,
        fps: over(&|i| Some(views[i].0.len() as f64 / views[i].1)),
        missing: judged.iter().map(|j| j.missing).sum(),
        bad: judged.iter().map(|j| j.bad_crc).sum(),
        first_frame: over(&|i| pages[i].mark("firstFrame")),
        ice_connected: over(&|i| pages[i].mark("iceConnected")),
        cpu: (home1.cpu - home0.cpu) / wall,
        threads: thread_cores.map(|(cpu, name)| (name, cpu / wall)).filter(|(_, cores)| *cores > 0.0).collect(),
        rss: rss.max(home1.rss),
        chromium_cpu: (chromium1.cpu - chromium0.cpu) / wall,
        other_cpu: ((machine1.busy - machine0.busy) / wall - steal - ours).max(0.0),
        steal,
        stages: home.status().map_or_else(|e| json!({ "unknown": e }), |mut s| s["stages"].take()),
        detail: json!({
            "chromium": detail.collect::<Vec<_>>(),
            "str0m_fps": other_fps.iter().map(|frames| frames / wall).collect::<Vec<_>>(),
        }),
    }
}

/// Waits until Chromium has done with its own start, as a viewer's browser has long before the visit; 10 s at most.
fn wait_until_quiet(chromium: &Chromium) {
    let step = Duration::from_millis(500);
    let mut before = proc::tree(chromium.pid()).cpu;
    for _ in 0..20 {
        std::thread::sleep(step);
        let now = proc::tree(chromium.pid()).cpu;
        if now - before < 0.05 * step.as_secs_f64() {
            break;
        }
        before = now;
    }
}

/// Frames and median latency of each second of the window.
fn per_second(frames: &[Frame]) -> Value {
    let mut seconds: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    let start = frames.first().map_or(0.0, |f| f.t);
    for frame in frames {
        seconds.entry(((frame.t - start) / 1000.0) as u64).or_default().extend(frame.latency);
    }
    seconds.into_values().map(|list| json!({ "frames": list.len(), "p50": median(list) })).collect()
}

/// The middle one; the lower of two.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    quantile(&values, 0.5)
}
