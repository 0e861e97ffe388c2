//! A headless Firefox as a viewer has it, with Firefox's fake camera and microphone, driven over WebDriver BiDi.
//! <https://w3c.github.io/webdriver-bidi/>

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

use super::chromium::only_loopback;
use super::{TempDir, is_truthy, keep_png, wait};

/// The longest that Firefox may take to start on a busy machine, and for one answer.
const LIMIT: Duration = Duration::from_secs(60);

/// What every test's Firefox is set to. Nothing is fetched from anywhere: so it stays without H.264, as on its first start.
const PREFERENCES: &[(&str, &str)] = &[
    ("media.navigator.streams.fake", "true"),
    ("media.navigator.permission.disabled", "true"),
    ("media.gmp-manager.updateEnabled", "false"),
    ("media.gmp-gmpopenh264.enabled", "false"),
    ("app.update.disabledForTesting", "true"),
    ("browser.shell.checkDefaultBrowser", "false"),
    ("datareporting.policy.dataSubmissionEnabled", "false"),
    ("network.captive-portal-service.enabled", "false"),
    ("network.connectivity-service.enabled", "false"),
    ("toolkit.telemetry.reportingpolicy.firstRun", "false"),
    ("dom.disable_open_during_load", "false"),
    ("browser.dom.window.dump.enabled", "false"),
];

/// Firefox's program: `$FIREFOX`, else the first of the usual names on the path.
///
/// # Errors
/// How to get one.
pub fn find() -> Result<PathBuf, String> {
    if let Some(named) = std::env::var_os("FIREFOX") {
        return Ok(named.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut all = std::env::split_paths(&path).flat_map(|dir| ["firefox-esr", "firefox"].map(|name| dir.join(name)));
    // Ubuntu's package is an empty one that fetches a snap, which sees no folder of a test's.
    let snap = |program: &PathBuf| std::fs::read_to_string(program).is_ok_and(|script| script.contains("/snap/"));
    all.find(|program| program.is_file() && !snap(program)).ok_or_else(|| {
        "no Firefox on the path. On Debian install the package `firefox-esr`; elsewhere unpack Mozilla's archive and \
         name its program with  export FIREFOX=/path/to/firefox"
            .to_owned()
    })
}

/// A running Firefox with one page, ended when dropped.
pub struct Firefox {
    process: Child,
    socket: WebSocket<TcpStream>,
    number: u64,
    page: String,
    console: Vec<String>,
    _profile: TempDir,
}

impl Firefox {
    /// Starts the `program` with further preferences (name, and value as JavaScript).
    pub fn start(program: &PathBuf, further: &[(&str, &str)]) -> Firefox {
        let profile = TempDir::new("firefox");
        let loopback = [("media.peerconnection.ice.loopback", "true")];
        let loopback = loopback.iter().filter(|_| only_loopback());
        let lines = PREFERENCES.iter().chain(further).chain(loopback);
        let text: String = lines.map(|(name, value)| format!("user_pref(\"{name}\", {value});\n")).collect();
        std::fs::write(profile.path().join("user.js"), text).expect("write the preferences");
        let mut command = Command::new(program);
        command.args(["--headless", "--no-remote", "--remote-debugging-port", "0", "--profile"]).arg(profile.path());
        // Its other files go there, too.
        command.env("HOME", profile.path()).arg("about:blank");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap_or_else(|e| panic!("cannot start {}: {e}", program.display()));
        let errors = BufReader::new(process.stderr.take().expect("stderr is piped"));
        let (found, address) = mpsc::channel();
        std::thread::spawn(move || {
            // Read to the end: a full pipe would stop Firefox.
            for line in errors.lines().map_while(Result::ok) {
                if let Some((_, address)) = line.split_once("WebDriver BiDi listening on ws://") {
                    let _ = found.send(address.trim().to_owned());
                } else if std::env::var_os("FIREFOX_LOG").is_some() {
                    eprintln!("firefox: {line}");
                }
            }
        });
        let address = address.recv_timeout(LIMIT).unwrap_or_else(|e| {
            let _ = process.kill();
            panic!("{} does not listen for WebDriver BiDi: {e}", program.display())
        });
        let stream = TcpStream::connect(&address).expect("reach Firefox");
        stream.set_read_timeout(Some(LIMIT)).expect("set a timeout");
        let (socket, _) = tungstenite::client(format!("ws://{address}/session"), stream).expect("talk to Firefox");
        let (console, page) = (Vec::new(), String::new());
        let mut firefox = Firefox { process, socket, number: 0, page, console, _profile: profile };
        firefox.ask("session.new", json!({ "capabilities": { "alwaysMatch": { "acceptInsecureCerts": true } } }));
        firefox.ask("session.subscribe", json!({ "events": ["log.entryAdded"] }));
        let tree = firefox.ask("browsingContext.getTree", json!({}));
        firefox.page = tree["contexts"][0]["context"].as_str().expect("a page").to_owned();
        firefox
    }

    /// Has a command carried out and gives its result, or panics with what went wrong.
    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.number += 1;
        let message = json!({ "id": self.number, "method": method, "params": params });
        self.socket.send(Message::text(message.to_string())).unwrap_or_else(|e| panic!("{method}: {e}"));
        let end = Instant::now() + LIMIT;
        loop {
            assert!(Instant::now() < end, "{method}: Firefox did not answer within {LIMIT:?}");
            let message = self.socket.read().unwrap_or_else(|e| panic!("{method}: {e}"));
            let Message::Text(text) = message else { continue };
            let message: Value = serde_json::from_str(&text).expect("BiDi is JSON");
            if message["method"] == "log.entryAdded" {
                self.console.push(message["params"]["text"].as_str().unwrap_or_default().to_owned());
            } else if message["id"] == self.number {
                assert_eq!(message["type"], "success", "{method}: {message}");
                return message["result"].clone();
            }
        }
    }

    /// Runs a script at the start of every later load, before the page's own.
    pub fn before_load(&mut self, script: &str) {
        self.ask("script.addPreloadScript", json!({ "functionDeclaration": format!("() => {{ {script} }}") }));
    }

    /// Goes to `url`, and returns long before it has loaded.
    pub fn open(&mut self, url: &str) {
        self.ask("browsingContext.navigate", json!({ "context": self.page, "url": url, "wait": "none" }));
    }

    /// The value of a JavaScript expression, awaited if a promise; null if it throws, as while a page is loading.
    pub fn eval(&mut self, expression: &str) -> Value {
        let expression = format!("(async () => JSON.stringify((await ({expression})) ?? null))()");
        let target = json!({ "context": self.page });
        let how = json!({ "expression": expression, "target": target, "awaitPromise": true, "userActivation": false });
        let done = self.ask("script.evaluate", how);
        done["result"]["value"].as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// Waits until a JavaScript expression is truthy and returns its value.
    pub fn wait_for(&mut self, what: &str, limit: Duration, expression: &str) -> Value {
        wait(what, limit, || Some(self.eval(expression)).filter(is_truthy))
    }

    /// Waits for one of the states that the page writes on its body.
    pub fn wait_state(&mut self, state: &str, limit: Duration) {
        let expression = format!("document.body?.dataset.state === '{state}'");
        self.wait_for(&format!("the page is {state:?}"), limit, &expression);
    }

    /// Whether an element is there and can be seen.
    pub fn visible(&mut self, selector: &str) -> bool {
        self.eval(&format!("!!document.querySelector('{selector}')?.checkVisibility({{ opacityProperty: true }})"))
            == true
    }

    /// Clicks the middle of an element as a person does, once it can be seen.
    pub fn click(&mut self, selector: &str) {
        let middle = format!(
            "(() => {{ const e = document.querySelector('{selector}'); if (!e?.checkVisibility()) return null;
               const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2].map(Math.round); }})()"
        );
        let place = self.wait_for(&format!("{selector} can be clicked"), Duration::from_secs(10), &middle);
        let actions = json!([
            { "type": "pointerMove", "x": place[0], "y": place[1] },
            { "type": "pointerDown", "button": 0 },
            { "type": "pointerUp", "button": 0 },
        ]);
        let mouse = json!([{ "type": "pointer", "id": "mouse", "actions": actions }]);
        self.ask("input.performActions", json!({ "context": self.page, "actions": mouse }));
    }

    /// The document's text, as a person reads it.
    pub fn text(&mut self) -> String {
        self.eval("document.body.innerText").as_str().unwrap_or_default().to_owned()
    }

    /// Makes the page so large.
    pub fn size(&mut self, width: u32, height: u32) {
        let viewport = json!({ "width": width, "height": height });
        self.ask("browsingContext.setViewport", json!({ "context": self.page, "viewport": viewport }));
    }

    /// Keeps a screenshot among the artefacts.
    pub fn keep_screenshot(&mut self, name: &str) {
        let shot = self.ask("browsingContext.captureScreenshot", json!({ "context": self.page }));
        keep_png(name, &shot["data"]);
    }

    /// What page and browser said on the console.
    pub fn console(&self) -> &[String] {
        &self.console
    }
}

impl Drop for Firefox {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- what Firefox's page said\n{}", self.console.join("\n"));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
