//! A headless Chromium as a viewer has it, with Chromium's fake camera and microphone.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use serde_json::json;

use super::TempDir;
use super::devtools::DevTools;
use super::page::Page;

/// What happens when a page asks for camera and microphone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// The viewer is asked and says yes at once.
    Granted,
    /// The viewer said yes on an earlier visit.
    Remembered,
    /// The viewer says no at once.
    Denied,
    /// The viewer does not answer.
    Undecided,
}

impl Permission {
    /// Without a screen Chromium cannot ask: it says yes or no beforehand, and refuses what it is not told.
    fn script(self) -> Option<&'static str> {
        match self {
            Permission::Granted => Some(
                "{ const { permissions } = navigator, query = permissions.query.bind(permissions);
                 const media = navigator.mediaDevices, ask = media?.getUserMedia.bind(media);
                 let asked = false;
                 if (media) media.getUserMedia = wish => { asked = true; return ask(wish); };
                 permissions.query = wish => !asked && /^(camera|microphone)$/.test(wish.name)
                   ? Promise.resolve(Object.assign(new EventTarget(), { name: wish.name, state: 'prompt', onchange: null }))
                   : query(wish); }",
            ),
            Permission::Undecided => Some(
                "if (navigator.mediaDevices) navigator.mediaDevices.getUserMedia = () => new Promise(() => {});",
            ),
            Permission::Denied | Permission::Remembered => None,
        }
    }
}

/// How Chromium is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// See [`Permission`].
    pub permission: Permission,
    /// Further flags.
    pub flags: Vec<String>,
    /// The only certificate that is taken without a warning, by the SHA-256 of its public key in Base64; without this, all are.
    pub trusted: Option<String>,
}

impl From<Permission> for Options {
    fn from(permission: Permission) -> Options {
        Options { permission, flags: Vec::new(), trusted: None }
    }
}

/// A running Chromium, ended when dropped.
pub struct Chromium {
    tools: Arc<DevTools>,
    process: Child,
    permission: Permission,
    _profile: TempDir,
}

// No flag here alters what a page may do with sound; throttling of hidden pages is off because all of a test's
// pages share one machine without a screen.
const FLAGS: &[&str] = &[
    "--headless",
    "--remote-debugging-pipe",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--disable-breakpad",
    "--disable-features=MediaRouter,Translate,OptimizationHints",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-background-timer-throttling",
    "--disable-search-engine-choice-screen",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    "--metrics-recording-only",
    "--password-store=basic",
    "--use-mock-keychain",
    "--use-fake-device-for-media-stream",
];

impl Chromium {
    /// Starts it in the calling thread's network namespace, or panics with what is missing.
    pub fn start(options: impl Into<Options>) -> Chromium {
        let options = options.into();
        let program = find();
        let profile = TempDir::new("chromium");
        // Chromium takes commands on descriptor 3 and answers on 4.
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null"]).arg(&program);
        command.args(FLAGS).arg(format!("--user-data-dir={}", profile.path().display()));
        match options.permission {
            Permission::Granted | Permission::Remembered => {
                command.arg("--use-fake-ui-for-media-stream");
            }
            Permission::Denied => {
                command.arg("--use-fake-ui-for-media-stream=deny");
            }
            Permission::Undecided => {}
        }
        if only_loopback() {
            command.arg("--allow-loopback-in-peer-connection");
        }
        match &options.trusted {
            Some(key) => command.arg(format!("--ignore-certificate-errors-spki-list={key}")),
            None => command.arg("--ignore-certificate-errors"),
        };
        command.args(&options.flags).arg("about:blank");
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start {}: {e}", program.display()));

        let errors = BufReader::new(process.stderr.take().expect("stderr is piped"));
        std::thread::spawn(move || {
            // Read to the end: a full pipe would stop Chromium.
            for line in errors.lines().map_while(Result::ok) {
                if std::env::var_os("CHROMIUM_LOG").is_some() {
                    eprintln!("chromium: {line}");
                }
            }
        });
        let to = process.stdin.take().expect("stdin is piped");
        let tools = DevTools::over(to, process.stdout.take().expect("stdout is piped"));
        tools.ask(None, "Browser.getVersion", json!({})).unwrap_or_else(|e| panic!("{}: {e}", program.display()));
        Chromium { tools: Arc::new(tools), process, permission: options.permission, _profile: profile }
    }

    /// A blank page of a viewer of its own: no storage is shared with any other.
    pub fn viewer(&self) -> Page {
        let context = self.tools.ask(None, "Target.createBrowserContext", json!({})).expect("a new viewer");
        let page = Page::new(&self.tools, context["browserContextId"].as_str().expect("a context"));
        if let Some(script) = self.permission.script() {
            page.before_load(script);
        }
        page
    }

    /// Its process, the first of many.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Chromium's program: `$CHROME`, else the first of the usual names on the path.
fn find() -> PathBuf {
    if let Some(named) = std::env::var_os("CHROME") {
        return named.into();
    }
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).flat_map(|dir| names.map(|name| dir.join(name))).find(|p| p.is_file()).unwrap_or_else(
        || panic!("no Chromium on the path; install the package `chromium`, or name the program in $CHROME"),
    )
}

/// Whether the calling thread's network has no address but loopback ones.
pub fn only_loopback() -> bool {
    if_addrs::get_if_addrs().map(|all| all.iter().all(if_addrs::Interface::is_loopback)).unwrap_or(true)
}
