//! One page in Chromium: opened, asked, clicked, watched.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::devtools::DevTools;
use super::frames::Frame;
use super::sound::Sound;

/// The script that watches a page from inside; [`Page`]'s methods ask it.
const PROBE: &str = include_str!("probe.js");

/// A tab. Cheap to clone; closing is explicit.
#[derive(Clone)]
pub struct Page {
    tools: Arc<DevTools>,
    context: String,
    target: String,
    session: String,
    console: Arc<Mutex<Vec<String>>>,
    scripts: Arc<Mutex<Vec<String>>>,
}

impl Page {
    /// A blank page of this viewer's.
    pub fn new(tools: &Arc<DevTools>, context: &str) -> Page {
        // A tab behind another one would be hidden, and a hidden page presents no frames.
        let target = new_tab(tools, context, true);
        let attached = tools.ask(None, "Target.attachToTarget", json!({ "targetId": target, "flatten": true }));
        let session = attached.expect("talk to the tab")["sessionId"].as_str().expect("a session").to_owned();
        let console = Arc::<Mutex<Vec<String>>>::default();
        let said = Arc::clone(&console);
        tools.listen(&session, move |event, details| {
            if let Some(line) = line_of(event, details) {
                said.lock().unwrap_or_else(|e| e.into_inner()).push(line);
            }
        });
        let (tools, context) = (Arc::clone(tools), context.to_owned());
        let page = Page { tools, context, target, session, console, scripts: Arc::default() };
        for domain in ["Page", "Runtime", "Log"] {
            page.ask(&format!("{domain}.enable"), json!({})).expect("listen to the page");
        }
        page.add_script(PROBE);
        page
    }

    fn ask(&self, method: &str, params: Value) -> Result<Value, String> {
        self.tools.ask(Some(&self.session), method, params)
    }

    /// Runs a script at the start of every later load, before the page's own; in [`Page::second_tab`], too.
    pub fn before_load(&self, script: &str) {
        self.add_script(script);
        self.scripts.lock().unwrap_or_else(|e| e.into_inner()).push(script.to_owned());
    }

    fn add_script(&self, script: &str) {
        self.ask("Page.addScriptToEvaluateOnNewDocument", json!({ "source": script }))
            .expect("add a script to the page");
    }

    /// A second tab of the same viewer.
    pub fn second_tab(&self) -> Page {
        let page = Page::new(&self.tools, &self.context);
        self.scripts.lock().unwrap_or_else(|e| e.into_inner()).iter().for_each(|script| page.before_load(script));
        page
    }

    /// Requests whose address has one of these in it fail, as on a network that breaks.
    pub fn hold_back(&self, parts: &[&str]) {
        let urls: Vec<String> = parts.iter().map(|part| format!("*{part}*")).collect();
        self.ask("Network.enable", json!({})).expect("follow the network");
        self.ask("Network.setBlockedURLs", json!({ "urls": urls })).expect("hold requests back");
    }

    /// Goes to `url`; returns when the first answer is there, long before the page has loaded. A network that changed
    /// meanwhile is tried again, as a Chromium with a window does by itself.
    pub fn open(&self, url: &str) {
        super::wait(&format!("{url} opens"), Duration::from_secs(20), || {
            let opened = self.ask("Page.navigate", json!({ "url": url })).unwrap_or_else(|e| panic!("open {url}: {e}"));
            match opened["errorText"].as_str() {
                None | Some("") => Some(()),
                Some(error) if error.contains("ERR_NETWORK_CHANGED") => None,
                Some(error) => panic!("open {url}: {error}"),
            }
        });
    }

    /// Loads the page again.
    pub fn reload(&self) {
        self.run("window.beforeReload = true");
        self.ask("Page.reload", json!({})).expect("reload");
        // Until the old page is gone its state would answer for the new one.
        super::wait("the page loads again", Duration::from_secs(20), || {
            (self.try_eval("window.beforeReload !== true && !!document.body").ok()? == true).then_some(())
        });
    }

    /// The value of a JavaScript expression, awaited if a promise, or what went wrong.
    pub fn try_eval(&self, expression: &str) -> Result<Value, String> {
        // A gesture here would let the page make sound without anybody's tap.
        let how =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true, "userGesture": false });
        let done = self.ask("Runtime.evaluate", how).map_err(|e| format!("{expression}: {e}"))?;
        match &done["exceptionDetails"] {
            Value::Null => Ok(done["result"]["value"].clone()),
            thrown => Err(format!("{expression}: {}", words_of(thrown))),
        }
    }

    /// The value of a JavaScript expression; panics if it throws.
    pub fn eval(&self, expression: &str) -> Value {
        self.try_eval(expression).unwrap_or_else(|e| panic!("{e}"))
    }

    /// Runs statements.
    pub fn run(&self, statements: &str) {
        self.eval(&format!("(async () => {{ {statements} }})()"));
    }

    /// Waits until a JavaScript expression is truthy and returns its value. An expression that throws, as while
    /// a page is loading, is not yet true.
    pub fn wait_for(&self, what: &str, limit: Duration, expression: &str) -> Value {
        super::wait(what, limit, || self.try_eval(expression).ok().filter(super::is_truthy))
    }

    /// Waits for one of the states that the page writes on its body.
    pub fn wait_state(&self, state: &str, limit: Duration) {
        self.wait_for(&format!("the page is {state:?}"), limit, &format!("document.body.dataset.state === '{state}'"));
    }

    /// Waits until `count` coded frames more than now were read without fault.
    pub fn wait_coded_frames(&self, count: usize, limit: Duration) {
        let before = self.eval("lab.frames.filter(f => f.at).length").as_u64().unwrap_or(0);
        self.wait_for(
            &format!("{count} coded frames"),
            limit,
            &format!("lab.frames.filter(f => f.at).length >= {before} + {count}"),
        );
    }

    /// The page's clock, ms since navigation.
    pub fn now(&self) -> f64 {
        self.eval("performance.now()").as_f64().expect("a number")
    }

    /// All frames presented since `since` on the page's clock.
    pub fn frames_since(&self, since: f64) -> Vec<Frame> {
        let list = self.eval(&format!("lab.frames.filter(f => f.t >= {since})"));
        serde_json::from_value(list).expect("frames as the probe writes them")
    }

    /// State, marks, connections and sockets as one object.
    pub fn overview(&self) -> Value {
        self.try_eval("lab.overview()").unwrap_or_else(Value::String)
    }

    /// A time of the probe's marks, ms since navigation.
    pub fn mark(&self, name: &str) -> Option<f64> {
        self.eval("lab.marks")[name].as_f64()
    }

    /// A snapshot of the browser's own statistics.
    pub fn stats(&self) -> Value {
        self.eval("lab.stats()")
    }

    /// Listens to home for so many seconds.
    pub fn hear(&self, seconds: f64) -> Sound {
        Sound::from_probe(&self.eval(&format!("lab.hear({seconds})")))
    }

    /// Whether an element is there and can be seen.
    pub fn visible(&self, selector: &str) -> bool {
        self.eval(&format!(
            "!!document.querySelector('{selector}')?.checkVisibility({{ opacityProperty: true, visibilityProperty: true }})"
        )) == true
    }

    /// Clicks the middle of an element as a person does, once it can be seen there.
    pub fn click(&self, selector: &str) {
        let middle = format!(
            "(() => {{ const e = document.querySelector('{selector}'); if (!e?.checkVisibility()) return null;
               const r = e.getBoundingClientRect(), x = r.x + r.width / 2, y = r.y + r.height / 2;
               const top = document.elementFromPoint(x, y);
               return top && (e.contains(top) || top.contains(e)) ? [x, y] : null; }})()"
        );
        let place = self.wait_for(&format!("{selector} can be clicked"), Duration::from_secs(10), &middle);
        let (x, y) = (place[0].as_f64().expect("x"), place[1].as_f64().expect("y"));
        self.mouse("mouseMoved", x, y, 0);
        self.mouse("mousePressed", x, y, 1);
        self.mouse("mouseReleased", x, y, 1);
    }

    fn mouse(&self, kind: &str, x: f64, y: f64, clicks: u32) {
        let button = if clicks > 0 { "left" } else { "none" };
        let event = json!({ "type": kind, "x": x, "y": y, "button": button, "clickCount": clicks });
        self.ask("Input.dispatchMouseEvent", event).expect("move the mouse");
    }

    /// Presses a key that writes this character.
    pub fn press(&self, key: &str) {
        for event in [json!({ "type": "keyDown", "key": key, "text": key }), json!({ "type": "keyUp", "key": key })] {
            self.ask("Input.dispatchKeyEvent", event).expect("press a key");
        }
    }

    /// Makes the page as large as a device's screen; `mobile` also brings touch and a phone's viewport.
    pub fn size(&self, width: u32, height: u32, mobile: bool) {
        let size = json!({ "width": width, "height": height, "screenWidth": width, "screenHeight": height,
            "deviceScaleFactor": 1, "mobile": mobile });
        self.ask("Emulation.setDeviceMetricsOverride", size).expect("size the page");
        let touch = if mobile { json!({ "enabled": true, "maxTouchPoints": 5 }) } else { json!({ "enabled": false }) };
        self.ask("Emulation.setTouchEmulationEnabled", touch).expect("emulate touch");
    }

    /// The person's languages are these, the best first.
    pub fn languages(&self, tags: &str) {
        let agent = self.eval("navigator.userAgent");
        let wish = json!({ "userAgent": agent, "acceptLanguage": tags });
        self.ask("Emulation.setUserAgentOverride", wish).expect("set the languages");
    }

    /// Puts the page to sleep for a while, as a phone does with a tab behind another one.
    pub fn sleep(&self, time: Duration) {
        let other = new_tab(&self.tools, &self.context, false);
        self.wait_for("the tab is hidden", Duration::from_secs(10), "document.visibilityState === 'hidden'");
        let turn =
            |state: &str| self.ask("Page.setWebLifecycleState", json!({ "state": state })).expect("freeze or thaw");
        turn("frozen");
        std::thread::sleep(time);
        turn("active");
        let _ = self.tools.ask(None, "Target.closeTarget", json!({ "targetId": other }));
        self.tools.ask(None, "Target.activateTarget", json!({ "targetId": self.target })).expect("show the tab");
        self.wait_for("the tab is seen", Duration::from_secs(10), "document.visibilityState === 'visible'");
    }

    /// The page as PNG.
    pub fn screenshot(&self) -> Result<Vec<u8>, String> {
        let shot = self.ask("Page.captureScreenshot", json!({ "format": "png" }))?;
        BASE64.decode(shot["data"].as_str().unwrap_or_default()).map_err(|e| format!("a screenshot: {e}"))
    }

    /// Keeps a screenshot among the artefacts.
    pub fn keep_screenshot(&self, name: &str) {
        let png = self.screenshot().expect("a screenshot");
        std::fs::write(super::artefacts().join(format!("{name}.png")), png).expect("keep the screenshot");
    }

    /// Keeps pictures of frames whose strip could not be read; gives their number.
    pub fn keep_unreadable(&self, name: &str) -> usize {
        let list = self.try_eval("lab.unreadable").unwrap_or_default();
        let urls: Vec<String> = serde_json::from_value(list).unwrap_or_default();
        for (i, url) in urls.iter().enumerate() {
            let png = url.split_once(',').and_then(|(_, data)| BASE64.decode(data).ok()).unwrap_or_default();
            let _ = std::fs::write(super::artefacts().join(format!("{name}-unreadable-{i}.png")), png);
        }
        urls.len()
    }

    /// What page and browser said on the console.
    pub fn console(&self) -> Vec<String> {
        self.console.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }

    /// All that is known, for a failed test.
    pub fn report(&self) -> String {
        let log = self.try_eval("lab.log.map(([t, what]) => `${t} ${what}`).join('\\n')");
        let log = log.ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
        let overview = serde_json::to_string_pretty(&self.overview()).unwrap_or_default();
        format!("{overview}\n-- events\n{log}\n-- console\n{}", self.console().join("\n"))
    }

    /// Closes the tab without a goodbye.
    pub fn close(&self) {
        let _ = self.tools.ask(None, "Target.closeTarget", json!({ "targetId": self.target }));
    }

    /// The document's text, as a person reads it.
    pub fn text(&self) -> String {
        self.eval("document.body.innerText").as_str().unwrap_or_default().to_owned()
    }
}

/// Makes a blank tab; gives its target.
fn new_tab(tools: &DevTools, context: &str, window: bool) -> String {
    let tab = json!({ "url": "about:blank", "browserContextId": context, "newWindow": window });
    let made = tools.ask(None, "Target.createTarget", tab).expect("a new tab");
    made["targetId"].as_str().expect("a target").to_owned()
}

/// What an event adds to the console, if it does.
fn line_of(event: &str, details: &Value) -> Option<String> {
    match event {
        "Runtime.consoleAPICalled" => {
            let words = details["args"].as_array()?.iter().map(|argument| match &argument["value"] {
                Value::Null => argument["description"].as_str().unwrap_or_default().to_owned(),
                Value::String(text) => text.clone(),
                value => value.to_string(),
            });
            Some(format!("{}: {}", details["type"].as_str()?, words.collect::<Vec<_>>().join(" ")))
        }
        "Runtime.exceptionThrown" => Some(format!("exception: {}", words_of(&details["exceptionDetails"]))),
        "Log.entryAdded" => {
            Some(format!("{}: {}", details["entry"]["level"].as_str()?, details["entry"]["text"].as_str()?))
        }
        _ => None,
    }
}

/// What was thrown, in words.
fn words_of(thrown: &Value) -> String {
    let words = thrown["exception"]["description"].as_str().or(thrown["text"].as_str());
    words.map_or_else(|| thrown.to_string(), str::to_owned)
}
