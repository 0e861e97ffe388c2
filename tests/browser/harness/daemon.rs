//! The real program with a home of stand-ins: a coded camera, a tone, a WAV file for the speaker, a PNG for the TV.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::TempDir;
use super::net::Namespace;
use super::ports::free_port;

/// How the home is set up.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Size of the camera and of the full rung.
    pub size: (u32, u32),
    /// `max_viewers`, if not the default.
    pub max_viewers: Option<usize>,
    /// `public_address`, if any.
    pub public_address: Option<String>,
    /// Speaker and display as files, for tests (the display only without `tv`); else what the defaults find on a machine
    /// without devices.
    pub recorded: bool,
    /// Size of the TV, and a command that is it.
    pub tv: Option<((u32, u32), Vec<String>)>,
    /// A command that is the camera, instead of the test card.
    pub camera: Option<Vec<String>>,
    /// A command that is the microphone, instead of a tone.
    pub microphone: Option<Vec<String>>,
    /// `echo_cancellation`. No microphone here hears a loudspeaker; without it, what home says is what the path is given.
    pub echo_cancellation: bool,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            size: (640, 480),
            max_viewers: None,
            public_address: None,
            recorded: true,
            tv: None,
            camera: None,
            microphone: None,
            echo_cancellation: true,
        }
    }
}

/// The program, running or not, with its state.
pub struct Daemon {
    setup: Setup,
    dir: TempDir,
    namespace: Option<Namespace>,
    /// TCP and UDP.
    pub port: u16,
    running: Option<Running>,
    log: Log,
}

struct Running {
    process: Child,
    links: Arc<Mutex<Vec<String>>>,
}

type Log = Arc<Mutex<VecDeque<String>>>;

impl Daemon {
    /// Starts one and waits until it has printed its link.
    pub fn start(setup: Setup) -> Daemon {
        Daemon::start_in(None, setup)
    }

    /// Starts one in a network namespace.
    pub fn start_in(namespace: Option<&Namespace>, setup: Setup) -> Daemon {
        let dir = TempDir::new("home");
        let log = Log::default();
        let port = match namespace {
            Some(_) => 8443,
            None => free_port(),
        };
        let mut daemon = Daemon { setup, dir, namespace: namespace.cloned(), port, running: None, log };
        daemon.write_config();
        daemon.launch();
        daemon
    }

    fn write_config(&self) {
        let Setup { size: (width, height), max_viewers, public_address, recorded, tv, .. } = &self.setup;
        let Setup { camera, microphone, echo_cancellation, .. } = &self.setup;
        let mut text = format!("[home]\nname = \"Test home\"\nstate_dir = \"{}\"\n", self.state_dir().display());
        if let Some(max) = max_viewers {
            text += &format!("max_viewers = {max}\n");
        }
        text += &format!("[network]\nport = {}\n", self.port);
        if let Some(address) = public_address {
            text += &format!("public_address = \"{address}\"\n");
        }
        text += &format!("[video]\nwidth = {width}\nheight = {height}\n");
        text += &format!("[audio]\necho_cancellation = {echo_cancellation}\n");
        for (device, stand_in, command) in [("camera", "test-card", camera), ("microphone", "tone", microphone)] {
            text += &match command {
                None => format!("[{device}]\ndriver = \"{stand_in}\"\n"),
                Some(command) => {
                    let command = serde_json::to_string(command).expect("JSON, which TOML's lists of texts are");
                    format!("[{device}]\ndriver = \"exec\"\n[{device}.exec]\ncommand = {command}\n")
                }
            };
        }
        if let Some(((width, height), command)) = tv {
            let command = serde_json::to_string(command).expect("JSON, which TOML's lists of texts are");
            text += &format!("[tv]\nwidth = {width}\nheight = {height}\n");
            text += &format!("[display]\ndriver = \"exec\"\n[display.exec]\ncommand = {command}\n");
        }
        if *recorded {
            text += &format!("[speaker]\ndriver = \"wav\"\n[speaker.wav]\npath = \"{}\"\n", self.wav().display());
        }
        if *recorded && tv.is_none() {
            text += &format!(
                "[display]\ndriver = \"png\"\n[display.png]\npath = \"{}\"\nevery_ms = 200\n",
                self.png().display()
            );
        }
        std::fs::write(self.config(), text).expect("write the config");
    }

    /// Starts the program on the state that is there; for [`Daemon::start`] and after an end.
    pub fn launch(&mut self) {
        assert!(self.running.is_none(), "it runs already");
        let program = env!("CARGO_BIN_EXE_intercom");
        let mut command = Command::new(program);
        command.arg("run").arg("--config").arg(self.config());
        command.env("RUST_BACKTRACE", "1").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        note(&self.log, format!("-- starting {program}"));
        let mut spawn = move || command.spawn();
        let spawned = match &self.namespace {
            Some(namespace) => namespace.enter(spawn),
            None => spawn(),
        };
        let mut process = spawned.unwrap_or_else(|e| panic!("cannot start {program}: {e}"));

        let links = Arc::<Mutex<Vec<String>>>::default();
        let found = Arc::clone(&links);
        let out = process.stdout.take().expect("stdout is piped");
        follow(out, &self.log, move |line| {
            if let Some(link) = line.strip_prefix("open: ") {
                found.lock().unwrap_or_else(|e| e.into_inner()).push(link.trim().to_owned());
            }
        });
        follow(process.stderr.take().expect("stderr is piped"), &self.log, |_| ());
        let mut running = Running { process, links };
        let limit = Instant::now() + Duration::from_secs(20);
        while running.links.lock().unwrap_or_else(|e| e.into_inner()).is_empty() {
            let ended = running.process.try_wait().expect("ask for the process");
            assert!(ended.is_none(), "the program ended at once, {ended:?}:\n{}", self.log_tail(60));
            assert!(Instant::now() < limit, "no `open:` line within 20 s:\n{}", self.log_tail(60));
            std::thread::sleep(Duration::from_millis(10));
        }
        self.running = Some(running);
    }

    /// The first link that it printed: the best address.
    pub fn link(&self) -> String {
        self.links().first().expect("a link").clone()
    }

    /// All links that it printed.
    pub fn links(&self) -> Vec<String> {
        self.running.as_ref().expect("it runs").links.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }

    /// The key of its link.
    pub fn key(&self) -> String {
        self.link().split_once("#k=").expect("a key in the link").1.to_owned()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.running.as_ref().expect("it runs").process.id()
    }

    /// Runs another command of the program on the same config and gives its standard output.
    pub fn command(&self, words: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_intercom"));
        command.args(words).arg("--config").arg(self.config()).stdin(Stdio::null());
        let out = command.output().expect("start the program");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(out.status.success(), "intercom {words:?}: {}\n{}{}", out.status, text(&out.stdout), text(&out.stderr));
        text(&out.stdout)
    }

    /// Mints a key that outlives the process and gives its best link, and all that was said of it.
    pub fn lasting_link(&self) -> (String, String) {
        let said = self.command(&["link"]);
        let link = said.split_whitespace().find(|word| word.contains("#p="));
        (link.unwrap_or_else(|| panic!("no link in: {said}")).to_owned(), said)
    }

    /// Asks over the control socket how things are.
    pub fn status(&self) -> Result<Value, String> {
        let ask = || -> std::io::Result<String> {
            let mut socket = UnixStream::connect(self.state_dir().join("control.sock"))?;
            socket.set_read_timeout(Some(Duration::from_secs(5)))?;
            socket.write_all(b"{\"command\":\"status\"}\n")?;
            socket.shutdown(std::net::Shutdown::Write)?;
            let mut answer = String::new();
            socket.read_to_string(&mut answer)?;
            Ok(answer)
        };
        let answer = ask().map_err(|e| format!("control socket: {e}"))?;
        serde_json::from_str(answer.trim()).map_err(|e| format!("status is no JSON ({e}): {answer}"))
    }

    /// Ends it with SIGTERM and gives how long that took and how it ended; panics if it needs more than 10 s.
    pub fn terminate(&mut self) -> (Duration, ExitStatus) {
        let mut running = self.running.take().expect("it runs");
        let asked = Instant::now();
        let pid = rustix::process::Pid::from_child(&running.process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("send SIGTERM");
        loop {
            if let Some(status) = running.process.try_wait().expect("ask for the process") {
                return (asked.elapsed(), status);
            }
            if asked.elapsed() > Duration::from_secs(10) {
                let _ = running.process.kill();
                let _ = running.process.wait();
                panic!("it ignores SIGTERM:\n{}", self.log_tail(60));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills it as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            let _ = running.process.kill();
            let _ = running.process.wait();
        }
    }

    /// Whether it ended without being asked to.
    pub fn crashed(&mut self) -> bool {
        self.running.as_mut().is_some_and(|r| !matches!(r.process.try_wait(), Ok(None)))
    }

    /// What home heard.
    pub fn wav(&self) -> PathBuf {
        self.dir.path().join("home-heard.wav")
    }

    /// What the TV shows.
    pub fn png(&self) -> PathBuf {
        self.dir.path().join("tv.png")
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("intercom.toml")
    }

    /// Its keys and certificates.
    pub fn state_dir(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// The last lines of its output.
    pub fn log_tail(&self, lines: usize) -> String {
        let log = self.log.lock().unwrap_or_else(|e| e.into_inner());
        let skip = log.len().saturating_sub(lines);
        log.iter().skip(skip).cloned().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("---- the home's last lines\n{}", self.log_tail(60));
        }
    }
}

fn note(log: &Log, line: String) {
    let mut log = log.lock().unwrap_or_else(|e| e.into_inner());
    if log.len() == 5000 {
        log.pop_front();
    }
    log.push_back(line);
}

fn follow(from: impl Read + Send + 'static, log: &Log, mut see: impl FnMut(&str) + Send + 'static) {
    let log = Arc::clone(log);
    std::thread::spawn(move || {
        let mut lines = BufReader::new(from);
        let mut line = Vec::new();
        while matches!(lines.read_until(b'\n', &mut line), Ok(1..)) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            see(&text);
            note(&log, text);
            line.clear();
        }
    });
}
