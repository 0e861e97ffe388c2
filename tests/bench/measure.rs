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
pub const STEAL_LIMIT: f64 = 0.05;

/// More CPU than this used by other programs spoils a run; in cores.
pub const OTHER_LIMIT: f64 = 0.25;

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

/// A home and its viewers. They end in this order.
struct Visiting {
    others: Vec<Viewer>,
    pages: Vec<Page>,
    chromium: Option<Chromium>,
    home: Daemon,
    /// Every viewer has picture and sound.
    complete: bool,
}

impl Visiting {
    fn begin(plan: &Plan) -> Visiting {
        let home = Daemon::start(Setup { size: plan.size, recorded: false, ..Setup::default() });
        let permission = if plan.two_way { Permission::Granted } else { Permission::Undecided };
        let chromium = (plan.viewers > 0).then(|| Chromium::start(permission));
        let link = home.link();
        let viewers =
            |chromium: &Chromium| (0..plan.viewers.min(CHROMIUM_VIEWERS)).map(|_| chromium.viewer()).collect();
        let pages: Vec<Page> = chromium.as_ref().map(viewers).unwrap_or_default();
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
        Visiting { others, pages, chromium, home, complete }
    }

    fn read(&self) -> Reading {
        Reading {
            pages: self.pages.iter().map(Page::now).collect(),
            stats: self.pages.iter().map(Page::stats).collect(),
            frames: self.others.iter().map(Viewer::frames).collect(),
            home: proc::process(self.home.pid()),
            threads: proc::threads(self.home.pid()),
            chromium: self.chromium.as_ref().map(|c| proc::tree(c.pid())).unwrap_or_default(),
            machine: proc::machine(),
            all: proc::tree(std::process::id()),
            at: Instant::now(),
        }
    }
}

/// What counts up, at one end of the window.
struct Reading {
    /// Each page's own clock.
    pages: Vec<f64>,
    stats: Vec<Value>,
    /// Of the str0m viewers.
    frames: Vec<u64>,
    home: proc::Usage,
    threads: BTreeMap<String, f64>,
    chromium: proc::Usage,
    machine: proc::Machine,
    /// This process with home and Chromium below it.
    all: proc::Usage,
    at: Instant,
}

/// What a page presented in the window.
struct View {
    frames: Vec<Frame>,
    seconds: f64,
    judged: Judgement,
}

impl View {
    fn of(page: &Page, start: f64, end: f64) -> View {
        let mut frames = page.frames_since(start);
        frames.retain(|f| f.t <= end);
        let judged = Judgement::of(&frames);
        View { frames, seconds: (end - start) / 1000.0, judged }
    }

    fn detail(&self, page: &Page, stats: [&Value; 2], raw: bool) -> Value {
        let View { frames, judged, .. } = self;
        json!({
            "first_frame_ms": page.mark("firstFrame"),
            "ice_connected_ms": page.mark("iceConnected"),
            "marks": page.eval("lab.marks"),
            "clock_skew_ms": page.eval("[Math.min(...lab.skew), Math.max(...lab.skew)]"),
            "presented": judged.presented, "unique": judged.unique, "repeated": judged.repeated,
            "missing": judged.missing, "bad_crc": judged.bad_crc, "no_strip": judged.no_strip + judged.leading,
            "longest_gap_ms": judged.longest_gap,
            "stats_before": stats[0], "stats_after": stats[1],
            "seconds": per_second(frames),
            "frames": raw.then(|| frames.iter().map(|f| json!([f.t, f.latency, f.seq])).collect::<Vec<_>>()),
        })
    }
}

fn once(plan: &Plan) -> Run {
    let visiting = Visiting::begin(plan);
    let (home, pages) = (&visiting.home, &visiting.pages);
    std::thread::sleep(plan.warmup);

    let before = visiting.read();
    let mut rss = before.home.rss;
    let end = before.at + plan.window;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        std::thread::sleep(left.min(Duration::from_millis(250)));
        rss = rss.max(proc::process(home.pid()).rss);
    }
    let after = visiting.read();

    let wall = (after.at - before.at).as_secs_f64();
    let steal = (after.machine.steal - before.machine.steal) / wall;
    let ours = (after.all.cpu - before.all.cpu) / wall;
    let ends = before.pages.iter().zip(&after.pages);
    let views: Vec<View> = pages.iter().zip(ends).map(|(page, (start, end))| View::of(page, *start, *end)).collect();
    let over = |pick: &dyn Fn(usize) -> Option<f64>| median((0..pages.len()).filter_map(pick).collect());
    let detail =
        (0..pages.len()).map(|i| views[i].detail(&pages[i], [&before.stats[i], &after.stats[i]], plan.raw)).collect();
    let other_fps = after.frames.iter().zip(&before.frames).map(|(after, before)| (after - before) as f64 / wall);
    let used = |name: &String, cpu: f64| (cpu - before.threads.get(name).copied().unwrap_or_default()) / wall;
    let threads = after.threads.iter().map(|(name, cpu)| (name.clone(), used(name, *cpu)));
    Run {
        complete: visiting.complete,
        latency: [0.5, 0.95, 0.99].map(|q| over(&|i| views[i].judged.latency(q))),
        fps: over(&|i| Some(views[i].frames.len() as f64 / views[i].seconds)),
        missing: views.iter().map(|view| view.judged.missing).sum(),
        bad: views.iter().map(|view| view.judged.bad_crc).sum(),
        first_frame: over(&|i| pages[i].mark("firstFrame")),
        ice_connected: over(&|i| pages[i].mark("iceConnected")),
        cpu: (after.home.cpu - before.home.cpu) / wall,
        threads: threads.filter(|(_, cores)| *cores > 0.0).collect(),
        rss: rss.max(after.home.rss),
        chromium_cpu: (after.chromium.cpu - before.chromium.cpu) / wall,
        other_cpu: ((after.machine.busy - before.machine.busy) / wall - steal - ours).max(0.0),
        steal,
        stages: home.status().map_or_else(|e| json!({ "unknown": e }), |mut s| s["stages"].take()),
        detail: json!({ "chromium": Value::Array(detail), "str0m_fps": other_fps.collect::<Vec<_>>() }),
    }
}

/// Waits until Chromium has done with its own start, as a viewer's browser has long before the visit; 10 s at most.
pub fn wait_until_quiet(chromium: &Chromium) {
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
