//! One page in Chromium: opened, asked, clicked, watched.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use headless_chrome::protocol::cdp::types::Event;
use headless_chrome::protocol::cdp::{Emulation, Input, Page as PageDomain, Runtime, Target};
use headless_chrome::{Browser, Tab};
use serde_json::Value;

use super::frames::Frame;
use super::sound::Sound;

/// The script that watches a page from inside; [`Page`]'s methods ask it.
const PROBE: &str = include_str!("probe.js");

/// A tab. Cheap to clone; closing is explicit.
#[derive(Clone)]
pub struct Page {
    browser: Browser,
    context: Option<String>,
    tab: Arc<Tab>,
    console: Arc<Mutex<Vec<String>>>,
    scripts: Arc<Mutex<Vec<String>>>,
}

impl Page {
    /// A blank page in a context of [`Browser::new_context`], or in the default one.
    pub fn new(browser: &Browser, context: Option<String>) -> Page {
        let tab = browser
            // A tab behind another one would be hidden, and a hidden page presents no frames.
            .new_tab_with_options(blank(context.clone(), true))
            .expect("a new tab");
        let page = Page { browser: browser.clone(), context, tab, console: Arc::default(), scripts: Arc::default() };
        let console = Arc::clone(&page.console);
        let listener = move |event: &Event| {
            let line = match event {
                Event::RuntimeConsoleAPICalled(e) => {
                    let words = e.params.args.iter().map(|a| match (&a.value, &a.description) {
                        (Some(Value::String(text)), _) => text.clone(),
                        (Some(value), _) => value.to_string(),
                        (None, description) => description.clone().unwrap_or_default(),
                    });
                    format!("{:?}: {}", e.params.Type, words.collect::<Vec<_>>().join(" "))
                }
                Event::RuntimeExceptionThrown(e) => {
                    let details = &e.params.exception_details;
                    let what = details.exception.as_ref().and_then(|x| x.description.clone());
                    format!("exception: {}", what.unwrap_or_else(|| details.text.clone()))
                }
                Event::LogEntryAdded(e) => format!("{:?}: {}", e.params.entry.level, e.params.entry.text),
                _ => return,
            };
            console.lock().unwrap_or_else(|e| e.into_inner()).push(line);
        };
        page.tab.add_event_listener(Arc::new(listener)).expect("listen to the page");
        page.tab.enable_runtime().expect("listen to the console");
        page.tab.enable_log().expect("listen to the browser's log");
        page.add_script(PROBE);
        page
    }

    /// Runs a script at the start of every later load, before the page's own; in [`Page::second_tab`], too.
    pub fn before_load(&self, script: &str) {
        self.add_script(script);
        self.scripts.lock().unwrap_or_else(|e| e.into_inner()).push(script.to_owned());
    }

    fn add_script(&self, script: &str) {
        self.tab
            .call_method(PageDomain::AddScriptToEvaluateOnNewDocument {
                source: script.to_owned(),
                world_name: None,
                include_command_line_api: None,
                run_immediately: None,
            })
            .expect("add a script to the page");
    }

    /// A second tab of the same viewer.
    pub fn second_tab(&self) -> Page {
        let page = Page::new(&self.browser, self.context.clone());
        self.scripts.lock().unwrap_or_else(|e| e.into_inner()).iter().for_each(|script| page.before_load(script));
        page
    }

    /// Goes to `url`; returns when the first answer is there, long before the page has loaded. A network that changed
    /// meanwhile is tried again, as a Chromium with a window does by itself.
    pub fn open(&self, url: &str) {
        super::wait(&format!("{url} opens"), Duration::from_secs(20), || match self.tab.navigate_to(url) {
            Ok(_) => Some(()),
            Err(e) if e.to_string().contains("ERR_NETWORK_CHANGED") => None,
            Err(e) => panic!("open {url}: {e}"),
        });
    }

    /// Loads the page again.
    pub fn reload(&self) {
        self.run("window.beforeReload = true");
        self.tab.reload(false, None).expect("reload");
        // Until the old page is gone its state would answer for the new one.
        super::wait("the page loads again", Duration::from_secs(20), || {
            (self.try_eval("window.beforeReload !== true && !!document.body").ok()? == true).then_some(())
        });
    }

    /// The value of a JavaScript expression, awaited if a promise, or what went wrong.
    pub fn try_eval(&self, expression: &str) -> Result<Value, String> {
        let done = self
            .tab
            .call_method(Runtime::Evaluate {
                expression: expression.to_owned(),
                object_group: None,
                include_command_line_api: None,
                silent: None,
                context_id: None,
                return_by_value: Some(true),
                generate_preview: None,
                // A gesture here would let the page make sound without anybody's tap.
                user_gesture: Some(false),
                await_promise: Some(true),
                throw_on_side_effect: None,
                timeout: None,
                disable_breaks: None,
                repl_mode: None,
                allow_unsafe_eval_blocked_by_csp: None,
                unique_context_id: None,
                serialization_options: None,
            })
            .map_err(|e| format!("{expression}: {e}"))?;
        match done.exception_details {
            Some(e) => Err(format!("{expression}: {}", e.exception.and_then(|x| x.description).unwrap_or(e.text))),
            None => Ok(done.result.value.unwrap_or(Value::Null)),
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
        let truthy = |v: &Value| !matches!(v, Value::Null | Value::Bool(false)) && v != 0 && v != "";
        super::wait(what, limit, || self.try_eval(expression).ok().filter(truthy))
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
        self.mouse(Input::DispatchMouseEventTypeOption::MouseMoved, x, y, 0);
        self.mouse(Input::DispatchMouseEventTypeOption::MousePressed, x, y, 1);
        self.mouse(Input::DispatchMouseEventTypeOption::MouseReleased, x, y, 1);
    }

    fn mouse(&self, kind: Input::DispatchMouseEventTypeOption, x: f64, y: f64, clicks: u32) {
        let event = Input::DispatchMouseEvent {
            Type: kind,
            x,
            y,
            button: (clicks > 0).then_some(Input::MouseButton::Left),
            click_count: (clicks > 0).then_some(clicks),
            modifiers: None,
            timestamp: None,
            buttons: None,
            force: None,
            tangential_pressure: None,
            tilt_x: None,
            tilt_y: None,
            twist: None,
            delta_x: None,
            delta_y: None,
            pointer_Type: None,
        };
        self.tab.call_method(event).expect("move the mouse");
    }

    /// Presses a key by its name, e.g. `Tab` or `m`.
    pub fn press(&self, key: &str) {
        self.tab.press_key(key).expect("press a key");
    }

    /// Makes the page as large as a device's screen; `mobile` also brings touch and a phone's viewport.
    pub fn size(&self, width: u32, height: u32, mobile: bool) {
        self.tab
            .call_method(Emulation::SetDeviceMetricsOverride {
                width,
                height,
                device_scale_factor: 1.0,
                mobile,
                scale: None,
                screen_width: Some(width),
                screen_height: Some(height),
                position_x: None,
                position_y: None,
                dont_set_visible_size: None,
                screen_orientation: None,
                viewport: None,
                display_feature: None,
                device_posture: None,
            })
            .expect("size the page");
        self.tab
            .call_method(Emulation::SetTouchEmulationEnabled { enabled: mobile, max_touch_points: mobile.then_some(5) })
            .expect("emulate touch");
    }

    /// Puts the page to sleep for a while, as a phone does with a tab behind another one.
    pub fn sleep(&self, time: Duration) {
        let other = self.browser.new_tab_with_options(blank(self.context.clone(), false)).expect("a tab in front");
        self.wait_for("the tab is hidden", Duration::from_secs(10), "document.visibilityState === 'hidden'");
        let freeze = |state| self.tab.call_method(PageDomain::SetWebLifecycleState { state }).expect("freeze or thaw");
        freeze(PageDomain::SetWebLifecycleStateStateOption::Frozen);
        std::thread::sleep(time);
        freeze(PageDomain::SetWebLifecycleStateStateOption::Active);
        let _ = other.close_target();
        self.tab.activate().expect("show the tab");
        self.wait_for("the tab is seen", Duration::from_secs(10), "document.visibilityState === 'visible'");
    }

    /// The page as PNG.
    pub fn screenshot(&self) -> Result<Vec<u8>, String> {
        self.tab
            .capture_screenshot(PageDomain::CaptureScreenshotFormatOption::Png, None, None, true)
            .map_err(|e| e.to_string())
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
        let _ = self.tab.close_target();
    }

    /// The document's text, as a person reads it.
    pub fn text(&self) -> String {
        self.eval("document.body.innerText").as_str().unwrap_or_default().to_owned()
    }
}

fn blank(context: Option<String>, new_window: bool) -> Target::CreateTarget {
    Target::CreateTarget {
        url: "about:blank".into(),
        left: None,
        top: None,
        width: None,
        height: None,
        window_state: None,
        browser_context_id: context,
        enable_begin_frame_control: None,
        new_window: Some(new_window),
        background: None,
        for_tab: None,
        hidden: None,
    }
}
