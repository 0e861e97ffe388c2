//! Runs the tests in lanes, lends each lane a home and viewers, and tells all it knows of a failure.

use std::collections::HashMap;
use std::fmt::Write;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::harness::chromium::{Chromium, Options, Permission};
use crate::harness::daemon::{Daemon, Setup};
use crate::harness::net::{self, Namespace};
use crate::harness::page::Page;
use crate::harness::{self, artefacts};

/// One test: its name and what it does.
pub type Case = (&'static str, fn(&mut Lab));

/// Tests that run one after the other.
pub type Lane = &'static [Case];

/// What the tests of a lane share, so that each need not start a home and a browser of its own.
#[derive(Default)]
pub struct Lab {
    home: Option<Daemon>,
    shared: HashMap<Permission, Chromium>,
    own: Vec<Chromium>,
    pages: Vec<Page>,
    notes: String,
}

impl Lab {
    /// The shared home; a test leaves it running, with nobody visiting.
    pub fn home(&mut self) -> &mut Daemon {
        if self.home.as_mut().is_some_and(Daemon::crashed) {
            let log = self.home.take().map(|home| home.log_tail(60)).unwrap_or_default();
            panic!("home ended by itself:\n{log}");
        }
        self.home.get_or_insert_with(|| Daemon::start(Setup::default()))
    }

    /// A blank page of a new viewer in the shared Chromium of this kind.
    pub fn viewer(&mut self, permission: Permission) -> Page {
        let chromium = self.shared.entry(permission).or_insert_with(|| Chromium::start(permission));
        let page = chromium.viewer();
        self.pages.push(page.clone());
        page
    }

    /// A new viewer who has opened the shared home's link.
    pub fn visit(&mut self, permission: Permission) -> Page {
        let link = self.home().link();
        let page = self.viewer(permission);
        page.open(&link);
        page
    }

    /// A blank page in a Chromium of its own, which lives until the test ends.
    pub fn viewer_in(&mut self, namespace: Option<&Namespace>, options: impl Into<Options>) -> Page {
        let options = options.into();
        let chromium = match namespace {
            // Its debugging port can only be reached from inside, too.
            Some(namespace) => namespace.enter(|| Chromium::start(options)),
            None => Chromium::start(options),
        };
        let page = chromium.viewer();
        self.own.push(chromium);
        self.pages.push(page.clone());
        page
    }

    /// Includes a page that a test opened by itself in reports and cleaning up.
    pub fn include(&mut self, page: &Page) {
        self.pages.push(page.clone());
    }

    /// Tells something beside the verdict, such as what was measured; it stands above the test's line.
    pub fn note(&mut self, what: impl std::fmt::Display) {
        let _ = writeln!(self.notes, "    {what}");
    }

    /// All that is known of a test that failed.
    fn report(&self, name: &str) -> String {
        let mut text = String::new();
        for (i, page) in self.pages.iter().enumerate() {
            let _ = writeln!(text, "---- page {i} of {name}\n{}", page.report());
            page.keep_unreadable(&format!("failed-{name}-{i}"));
            if let Ok(png) = page.screenshot() {
                let _ = std::fs::write(artefacts().join(format!("failed-{name}-{i}.png")), png);
            }
        }
        if let Some(home) = &self.home {
            let _ = writeln!(text, "---- the last lines of {name}'s shared home\n{}", home.log_tail(60));
        }
        text
    }

    /// Closes all pages, and the Chromiums that a test has of its own.
    pub fn leave(&mut self) {
        for page in self.pages.drain(..) {
            page.close();
        }
        self.own.clear();
    }

    fn clear(&mut self, failed: bool) {
        self.leave();
        if failed {
            // Nothing that a failure left behind may fail the next test.
            self.home = None;
            self.shared.clear();
        }
    }
}

/// Runs the tests whose names contain one of the words on the command line; `--list` names them. The lanes of a turn run
/// beside one another, and the turns one after the other.
pub fn run(turns: &[&[Lane]]) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&String> = arguments.iter().filter(|a| !a.starts_with('-')).collect();
    let exact = arguments.iter().any(|a| a == "--exact");
    let wanted = |name: &str| {
        words.is_empty() || words.iter().any(|w| if exact { name == w.as_str() } else { name.contains(w.as_str()) })
    };
    let chosen = || turns.iter().copied().flatten().copied().flatten().filter(|(name, _)| wanted(name));
    if arguments.iter().any(|a| a == "--list") {
        chosen().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    println!("\nrunning {} browser tests", chosen().count());
    let (tally, began) = (Mutex::default(), Instant::now());
    for lanes in turns {
        std::thread::scope(|scope| {
            for lane in *lanes {
                let cases: Vec<&Case> = lane.iter().filter(|(name, _)| wanted(name)).collect();
                scope.spawn(|| run_lane(cases, &tally));
            }
        });
    }
    let Tally { passed, failed, not_run } = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!("\n{passed} passed, {} failed in {} s {failed:?}", failed.len(), began.elapsed().as_secs());
    if !not_run.is_empty() {
        println!("of those that passed, NOT RUN for want of what is named above: {not_run:?}");
    }
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What became of all tests. Anyone who holds it may write to the terminal.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: Vec<&'static str>,
    not_run: Vec<&'static str>,
}

fn run_lane(cases: Vec<&Case>, tally: &Mutex<Tally>) {
    let mut lab = Lab::default();
    for &(name, case) in cases {
        let start = Instant::now();
        // A thread of its own, whose name says which of the tests panics.
        let outcome = std::thread::scope(|scope| {
            let lab = &mut lab;
            let test = move || {
                case(lab);
                net::refused()
            };
            std::thread::Builder::new().name(name.into()).spawn_scoped(scope, test).expect("start a thread").join()
        });
        let seconds = start.elapsed().as_secs_f64();
        let report = if outcome.is_err() { lab.report(name) } else { String::new() };
        let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
        let verdict = match &outcome {
            Ok(false) => "ok",
            Ok(true) => "NOT RUN",
            Err(_) => "FAILED",
        };
        println!("{}test {name} ... {verdict} ({seconds:.1} s)", std::mem::take(&mut lab.notes));
        match &outcome {
            Ok(refused) => {
                tally.passed += 1;
                tally.not_run.extend(refused.then_some(name));
            }
            Err(why) => {
                eprint!("{report}");
                harness::failed(name, &**why);
                tally.failed.push(name);
            }
        }
        drop(tally);
        lab.clear(outcome.is_err());
    }
}
