//! A folder with a config in it, and the program that runs with it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::ports::free_port;

/// Long enough for a busy machine; only a failing test waits for it.
pub const LONG: Duration = Duration::from_secs(60);

/// A home of stand-ins, each of which a test may replace; its program ends and its folder goes when it is dropped.
pub struct Home {
    folder: PathBuf,
    port: u16,
    process: Option<Child>,
}

impl Home {
    /// `more` is added to the config; what it says of a device replaces the stand-in.
    pub fn new(more: &str) -> Home {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("intercom-ops-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let port = free_port();
        let mut text = format!("[home]\nstate_dir = \"state\"\n[network]\nport = {port}\n");
        text += "[video]\nwidth = 320\nheight = 180\nfps = 15\n";
        let kinds = [("camera", "test-card"), ("microphone", "tone"), ("speaker", "none"), ("display", "none")];
        for (kind, driver) in kinds.into_iter().filter(|(kind, _)| !more.contains(&format!("[{kind}]"))) {
            text += &format!("[{kind}]\ndriver = \"{driver}\"\n");
        }
        let home = Home { folder, port, process: None };
        std::fs::write(home.at("intercom.toml"), text + &more.replace("{}", &home.folder.display().to_string()))
            .expect("a config");
        home
    }

    /// A path in the home's folder.
    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Runs a command of the program's to its end.
    pub fn ask(&self, command: &str) -> Output {
        let mut words = command.split(' ');
        let mut program = self.command(words.next().expect("a command"));
        program.args(words).output().expect("run the program")
    }

    /// The same behind a script, in which whoever runs it is root of file systems of its own.
    pub fn ask_behind(&self, script: &str, command: &str) -> Output {
        let own = self.command(command);
        let script = format!("set -e; {script}; exec \"$0\" \"$@\"");
        let mut program = Command::new("unshare");
        program.args(["-rm", "sh", "-c", &script]).arg(own.get_program()).args(own.get_args());
        program.current_dir(&self.folder).output().expect("run the program")
    }

    /// Starts `intercom run`, with its log in the file `log`.
    pub fn start(&mut self, prepare: impl FnOnce(&mut Command)) {
        let command = self.command("run");
        self.launch(command, prepare);
    }

    /// The same, by another program that becomes this one.
    pub fn start_by(&mut self, other: &[&str]) {
        let own = self.command("run");
        let mut command = Command::new(other[0]);
        command.args(&other[1..]).arg(own.get_program()).args(own.get_args()).current_dir(&self.folder);
        command.envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
        self.launch(command, |_| ());
    }

    fn launch(&mut self, mut command: Command, prepare: impl FnOnce(&mut Command)) {
        let log = std::fs::File::create(self.at("log")).expect("a log");
        command.arg("--no-link").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        prepare(&mut command);
        self.process = Some(command.spawn().expect("start the program"));
    }

    /// The process of the running program.
    pub fn id(&self) -> u32 {
        self.process.as_ref().expect("it runs").id()
    }

    /// TCP and UDP.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Asks the running program to end.
    pub fn terminate(&self) {
        let status = Command::new("kill").args(["-TERM", &self.id().to_string()]).status().expect("kill");
        assert!(status.success());
    }

    /// Its exit code, once it has ended.
    pub fn ended(&mut self) -> Option<i32> {
        let status = self.process.as_mut()?.try_wait().expect("a child of ours")?;
        self.process = None;
        Some(status.code().unwrap_or(-1))
    }

    /// Waits for its end, which gives the exit code.
    pub fn wait_end(&mut self) -> i32 {
        let end = Instant::now() + LONG;
        loop {
            if let Some(code) = self.ended() {
                return code;
            }
            assert!(Instant::now() < end, "it never ended\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends it as a power cut does.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Changes the config.
    pub fn edit(&self, change: impl FnOnce(String) -> String) {
        let file = self.at("intercom.toml");
        let text = std::fs::read_to_string(&file).expect("the config");
        std::fs::write(file, change(text)).expect("the config");
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.at("log")).unwrap_or_default()
    }

    /// Waits until something is there, and tells the log if it never comes.
    pub fn wait<T>(&self, what: &str, mut found: impl FnMut() -> Option<T>) -> T {
        let end = Instant::now() + LONG;
        loop {
            if let Some(found) = found() {
                return found;
            }
            assert!(Instant::now() < end, "never came: {what}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn command(&self, word: &str) -> Command {
        let mut command = Command::new(Path::new(env!("CARGO_BIN_EXE_intercom")));
        command.arg(word).arg("--config").arg(self.at("intercom.toml")).current_dir(&self.folder);
        match self.at("run") {
            run if run.is_dir() => command.env("RUNTIME_DIRECTORY", run),
            _ => command.env_remove("RUNTIME_DIRECTORY"),
        };
        command.env_remove("XDG_RUNTIME_DIR");
        command.env_remove("NOTIFY_SOCKET").env_remove("WATCHDOG_USEC").env_remove("WATCHDOG_PID");
        command
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
