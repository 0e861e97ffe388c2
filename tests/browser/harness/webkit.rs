//! WebKitGTK's small browser, driven over WebDriver (<https://www.w3.org/TR/webdriver2/>) on a screen of its own (Xvfb). Debian builds it
//! without WebRTC.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::ports::free_port;
use super::{TempDir, keep_png, wait};

/// The longest for one answer on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// The programs that it takes.
pub struct Programs {
    driver: PathBuf,
    browser: PathBuf,
    screen: PathBuf,
}

/// Looks for them.
///
/// # Errors
/// How to get them.
pub fn find() -> Result<Programs, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = |name: &str| std::env::split_paths(&path).map(|dir| dir.join(name)).find(|program| program.is_file());
    let libraries = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let folders =
        libraries.flat_map(|dir| ["webkit2gtk-4.1", "webkitgtk-6.0", "webkit2gtk-4.0"].map(|name| dir.join(name)));
    let browser = folders.map(|dir| dir.join("MiniBrowser")).find(|program| program.is_file());
    match (on_path("WebKitWebDriver"), browser, on_path("Xvfb")) {
        (Some(driver), Some(browser), Some(screen)) => Ok(Programs { driver, browser, screen }),
        _ => {
            Err("no WebKitGTK with a driver. On Debian install the packages `webkit2gtk-driver` and `xvfb`".to_owned())
        }
    }
}

/// A running browser with one page, ended when dropped.
pub struct WebKit {
    processes: Vec<Child>,
    agent: ureq::Agent,
    session: String,
    _home: TempDir,
}

impl WebKit {
    /// Starts it.
    pub fn start(programs: &Programs) -> WebKit {
        let home = TempDir::new("webkit");
        let mut screen = command(&programs.screen, home.path());
        // It says which number it has found free.
        screen.args(["-displayfd", "1", "-screen", "0", "1600x1200x24"]).stdout(Stdio::piped());
        let mut screen = screen.spawn().expect("start Xvfb");
        let mut number = String::new();
        let output = screen.stdout.take().expect("stdout is piped");
        BufReader::new(output).read_line(&mut number).expect("the screen's number");
        let port = free_port();
        let mut driver = command(&programs.driver, home.path());
        driver.env("DISPLAY", format!(":{}", number.trim())).arg(format!("--port={port}")).stdout(Stdio::null());
        let driver = driver.spawn().expect("start WebKitWebDriver");
        let agent =
            ureq::Agent::config_builder().timeout_global(Some(LIMIT)).http_status_as_error(false).build().into();
        let session = format!("http://127.0.0.1:{port}/session");
        let mut webkit = WebKit { processes: vec![driver, screen], agent, session, _home: home };
        let options = json!({ "binary": programs.browser, "args": ["--automation"] });
        let wanted = json!({ "acceptInsecureCerts": true, "webkitgtk:browserOptions": options });
        let body = json!({ "capabilities": { "alwaysMatch": wanted } });
        let started = wait("WebKitGTK", LIMIT, || webkit.try_ask("", Some(&body)).ok());
        webkit.session +=
            &format!("/{}", started["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {started}")));
        webkit
    }

    fn try_ask(&self, what: &str, body: Option<&Value>) -> Result<Value, String> {
        let url = format!("{}{what}", self.session);
        let answer = match body {
            Some(body) => self.agent.post(&url).content_type("application/json").send(body.to_string().as_bytes()),
            None => self.agent.get(&url).call(),
        };
        let text = answer.and_then(|mut answer| answer.body_mut().with_config().limit(64 << 20).read_to_string());
        let answer: Value =
            text.map_err(|e| e.to_string()).and_then(|text| serde_json::from_str(&text).map_err(|e| e.to_string()))?;
        match answer["value"]["error"].as_str() {
            Some(error) => Err(format!("{error}: {}", answer["value"]["message"])),
            None => Ok(answer["value"].clone()),
        }
    }

    fn ask(&self, what: &str, body: Option<&Value>) -> Value {
        self.try_ask(what, body).unwrap_or_else(|error| panic!("WebDriver {what}: {error}"))
    }

    /// Goes to `url`, and returns once it has loaded.
    pub fn open(&self, url: &str) {
        self.ask("/url", Some(&json!({ "url": url })));
    }

    /// The value of a JavaScript expression; null if it throws.
    pub fn eval(&self, expression: &str) -> Value {
        let script = format!("return {expression};");
        self.try_ask("/execute/sync", Some(&json!({ "script": script, "args": [] }))).unwrap_or_default()
    }

    /// Waits for one of the states that the page writes on its body.
    pub fn wait_state(&self, state: &str, limit: Duration) {
        let is = || self.eval("document.body?.dataset.state") == state;
        wait(&format!("the page is {state:?}"), limit, || is().then_some(()));
    }

    /// Makes the window so large, or as small as it gets. Width and height of the page then.
    pub fn size(&self, width: u32, height: u32) -> (u64, u64) {
        self.ask("/window/rect", Some(&json!({ "width": width, "height": height })));
        // What is drawn follows later.
        let drawn = "requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(arguments[0], 100)))";
        self.ask("/execute/async", Some(&json!({ "script": drawn, "args": [] })));
        let inner = self.eval("[innerWidth, innerHeight]");
        (inner[0].as_u64().unwrap_or_default(), inner[1].as_u64().unwrap_or_default())
    }

    /// Keeps a screenshot among the artefacts.
    pub fn keep_screenshot(&self, name: &str) {
        keep_png(name, &self.ask("/screenshot", None));
    }
}

/// A program that finds a home of its own.
fn command(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("HOME", home).env("XDG_RUNTIME_DIR", home).stdin(Stdio::null()).stderr(Stdio::null());
    command
}

impl Drop for WebKit {
    fn drop(&mut self) {
        // Ends the browser, which is the driver's child.
        let _ = self.agent.delete(&self.session).call();
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
