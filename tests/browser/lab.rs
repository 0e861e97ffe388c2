//! Runs the tests one after the other, lends them a home and viewers, and tells all it knows of a failure.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Instant;

use crate::harness::chromium::{Chromium, Options, Permission};
use crate::harness::daemon::{Daemon, Setup};
use crate::harness::net::{self, Namespace};
use crate::harness::page::Page;
use crate::harness::{self, artefacts};

/// One test: its name and what it does.
pub type Case = (&'static str, fn(&mut Lab));

/// What tests share, so that each need not start a home and a browser of its own.
#[derive(Default)]
pub struct Lab {
    home: Option<Daemon>,
    shared: HashMap<Permission, Rc<Chromium>>,
    own: Vec<Rc<Chromium>>,
    pages: Vec<Page>,
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
        let chromium = self.shared.entry(permission).or_insert_with(|| Rc::new(Chromium::start(permission)));
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
        let chromium = Rc::new(match namespace {
            // Its debugging port can only be reached from inside, too.
            Some(namespace) => namespace.enter(|| Chromium::start(options)),
            None => Chromium::start(options),
        });
        let page = chromium.viewer();
        self.own.push(chromium);
        self.pages.push(page.clone());
        page
    }

    /// Includes a page that a test opened by itself in reports and cleaning up.
    pub fn include(&mut self, page: &Page) {
        self.pages.push(page.clone());
    }

    fn report(&mut self, name: &str) {
        for (i, page) in self.pages.iter().enumerate() {
            eprintln!("---- page {i}\n{}", page.report());
            page.keep_unreadable(&format!("failed-{name}-{i}"));
            if let Ok(png) = page.screenshot() {
                let _ = std::fs::write(artefacts().join(format!("failed-{name}-{i}.png")), png);
            }
        }
        if let Some(home) = &self.home {
            eprintln!("---- the shared home's last lines\n{}", home.log_tail(60));
        }
    }

    fn clear(&mut self, failed: bool) {
        for page in self.pages.drain(..) {
            page.close();
        }
        self.own.clear();
        if failed {
            // Nothing that a failure left behind may fail the next test.
            self.home = None;
            self.shared.clear();
        }
    }
}

/// Runs the tests whose names contain one of the words on the command line; `--list` names them.
pub fn run(cases: &[Case]) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&String> = arguments.iter().filter(|a| !a.starts_with('-')).collect();
    let exact = arguments.iter().any(|a| a == "--exact");
    let wanted = |name: &str| {
        words.is_empty() || words.iter().any(|w| if exact { name == w.as_str() } else { name.contains(w.as_str()) })
    };
    let chosen: Vec<&Case> = cases.iter().filter(|(name, _)| wanted(name)).collect();
    if arguments.iter().any(|a| a == "--list") {
        chosen.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    println!("\nrunning {} browser tests", chosen.len());
    let mut lab = Lab::default();
    let mut failed = Vec::new();
    let began = Instant::now();
    for (name, case) in &chosen {
        let start = Instant::now();
        let not_run = net::not_run().len();
        let outcome = catch_unwind(AssertUnwindSafe(|| case(&mut lab)));
        let verdict = match outcome {
            Ok(()) if net::not_run().len() > not_run => "NOT RUN",
            Ok(()) => "ok",
            Err(_) => "FAILED",
        };
        println!("test {name} ... {verdict} ({:.1} s)", start.elapsed().as_secs_f64());
        if let Err(why) = &outcome {
            lab.report(name);
            harness::failed(name, &**why);
            failed.push(name);
        }
        lab.clear(outcome.is_err());
    }
    let (good, bad, seconds) = (chosen.len() - failed.len(), failed.len(), began.elapsed().as_secs_f64());
    println!("\n{good} passed, {bad} failed in {seconds:.0} s {failed:?}");
    let not_run = net::not_run();
    if !not_run.is_empty() {
        println!("of those, NOT RUN for want of a network of their own: {not_run:?}");
    }
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
