//! A command that delivers its data on stdout, or takes it on stdin: started in its own process group, watched, and ended for sure.

use std::fmt::Write as _;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use crate::clock;
use crate::contract::DeviceError;
use crate::wait::wait;

/// How long a command may take to end by itself after SIGTERM, so that it can let go of its device.
const PATIENCE: Duration = Duration::from_millis(500);
/// Longest line of stderr that is logged; the rest of it is dropped.
const LINE: usize = 300;
/// Lines logged in each [`WINDOW`]; more are only counted.
const LINES: u32 = 20;
const WINDOW: Duration = Duration::from_secs(10);

/// A running command.
pub struct Process {
    name: String,
    child: Child,
    /// Our end of its stdout, or of its stdin.
    data: OwnedFd,
    stderr: Option<ChildStderr>,
    lines: Lines,
}

impl Process {
    /// Starts `command` (program and arguments) to be read. `pipe` is the size wished for the pipe between, in bytes.
    #[cfg_attr(not(any(feature = "camera-exec", feature = "microphone-exec")), allow(dead_code))]
    pub fn start(command: &[String], pipe: usize) -> Result<Process, DeviceError> {
        Process::spawn(command, pipe, |command| command.stdin(Stdio::null()).stdout(Stdio::piped()))
    }

    /// Starts `command` to be written to.
    #[cfg_attr(not(feature = "display-exec"), allow(dead_code))]
    pub fn start_fed(command: &[String], pipe: usize) -> Result<Process, DeviceError> {
        Process::spawn(command, pipe, |command| command.stdin(Stdio::piped()).stdout(Stdio::null()))
    }

    fn spawn(
        command: &[String],
        pipe: usize,
        join: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Result<Process, DeviceError> {
        let (program, arguments) =
            command.split_first().ok_or_else(|| DeviceError::Absent("an empty command".into()))?;
        let name = if arguments.first().is_some_and(|first| first == "-c") {
            arguments.get(1).cloned().unwrap_or_default()
        } else {
            program.clone()
        };
        let mut child = join(Command::new(program).args(arguments).stderr(Stdio::piped()).process_group(0))
            .spawn()
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => DeviceError::Absent(format!("no program {program}")),
                io::ErrorKind::PermissionDenied => DeviceError::Busy(format!("may not run {program}")),
                _ => DeviceError::Io(format!("cannot start {program}: {error}")),
            })?;
        let data = child.stdout.take().map(OwnedFd::from).or(child.stdin.take().map(OwnedFd::from));
        let (Some(data), stderr) = (data, child.stderr.take()) else {
            end(&mut child);
            return Err(DeviceError::Io(format!("{name} has no pipe")));
        };
        let process = Process { lines: Lines::new(clock::now()), name, child, data, stderr };
        for fd in [Some(process.data.as_fd()), process.stderr.as_ref().map(|fd| fd.as_fd())].into_iter().flatten() {
            rustix::fs::fcntl_getfl(fd)
                .and_then(|flags| rustix::fs::fcntl_setfl(fd, flags | rustix::fs::OFlags::NONBLOCK))
                .map_err(|error| DeviceError::Io(format!("{}: {error}", process.name)))?;
        }
        // Only a wish: a system that limits pipes gives what it gives.
        let _ = rustix::pipe::fcntl_setpipe_size(&process.data, pipe);
        Ok(process)
    }

    /// Reads what is there into `buffer`, waiting until `deadline` for anything at all: how many bytes came,
    /// 0 if none did by then. A command that has ended is an error that says how and with which last words.
    #[cfg_attr(not(any(feature = "camera-exec", feature = "microphone-exec")), allow(dead_code))]
    pub fn read(&mut self, buffer: &mut [u8], deadline: Instant) -> Result<usize, DeviceError> {
        loop {
            match rustix::io::read(&self.data, &mut *buffer) {
                Ok(0) if !buffer.is_empty() => return Err(self.ended()),
                Ok(count) => return Ok(count),
                Err(rustix::io::Errno::INTR) => continue,
                Err(rustix::io::Errno::AGAIN) => {}
                Err(error) => return Err(DeviceError::Io(format!("{}: read: {error}", self.name))),
            }
            if !self.ready(PollFlags::IN, deadline)? {
                return Ok(0);
            }
        }
    }

    /// Writes all of `bytes`; what is not taken by `deadline` is an error, and so is a command that has ended.
    #[cfg_attr(not(feature = "display-exec"), allow(dead_code))]
    pub fn write(&mut self, mut bytes: &[u8], deadline: Instant) -> Result<(), DeviceError> {
        while !bytes.is_empty() {
            match rustix::io::write(&self.data, bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => {
                    if !self.ready(PollFlags::OUT, deadline)? {
                        return Err(DeviceError::Io(format!("{} does not read its input", self.name)));
                    }
                }
                Err(rustix::io::Errno::PIPE) => return Err(self.ended()),
                Err(error) => return Err(DeviceError::Io(format!("{}: write: {error}", self.name))),
            }
        }
        Ok(())
    }

    /// Waits until the pipe, or stderr, has something to do; `false` if neither had by `deadline`.
    fn ready(&mut self, flags: PollFlags, deadline: Instant) -> Result<bool, DeviceError> {
        let mut fds = vec![PollFd::new(&self.data, flags)];
        fds.extend(self.stderr.as_ref().map(|stderr| PollFd::new(stderr, PollFlags::IN)));
        let ready =
            wait(&mut fds, deadline).map_err(|error| DeviceError::Io(format!("{}: poll: {error}", self.name)))?;
        let talks = fds.get(1).is_some_and(|fd| !fd.revents().is_empty());
        if talks {
            self.listen();
        }
        Ok(ready)
    }

    /// Bytes that wait in the pipe.
    #[cfg_attr(not(feature = "microphone-exec"), allow(dead_code))]
    pub fn waiting(&self) -> usize {
        rustix::io::ioctl_fionread(&self.data).map_or(0, |bytes| bytes as usize)
    }

    /// Logs what stderr has to say.
    fn listen(&mut self) {
        let mut buffer = [0; 4096];
        let Some(stderr) = &self.stderr else { return };
        match rustix::io::read(stderr, &mut buffer) {
            Ok(0) => self.stderr = None,
            Ok(count) => {
                let now = clock::now();
                for line in self.lines.take(&buffer[..count], now) {
                    log::info!("{}: {line}", self.name);
                }
            }
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            Err(_) => self.stderr = None,
        }
    }

    fn ended(&mut self) -> DeviceError {
        // Its last words are in the pipe already or never come.
        for _ in 0..16 {
            if self
                .stderr
                .as_ref()
                .is_some_and(|fd| wait(&mut [PollFd::new(fd, PollFlags::IN)], clock::now()).unwrap_or(false))
            {
                self.listen();
            }
        }
        let mut text = self.name.clone();
        let _ = match self.child.try_wait() {
            Ok(Some(status)) => write!(text, " ended ({status})"),
            _ => write!(text, " closed its end"),
        };
        if !self.lines.last.is_empty() {
            let _ = write!(text, ": {}", self.lines.last);
        }
        DeviceError::Io(text)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Ends a command and all that it started: SIGTERM, patience, SIGKILL; and reaps it.
fn end(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let (Some(group), Ok(None)) = (group, child.try_wait()) {
        let _ = kill_process_group(group, Signal::TERM);
        if let Ok(pidfd) = pidfd_open(group, PidfdFlags::empty()) {
            let _ = wait(&mut [PollFd::new(&pidfd, PollFlags::IN)], clock::now() + PATIENCE);
        }
        // Not reaped yet, so that the group's number is still its own.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
}

/// Cuts a stream into lines, few enough for a log.
struct Lines {
    partial: Vec<u8>,
    last: String,
    window: Instant,
    logged: u32,
    dropped: u32,
}

impl Lines {
    fn new(now: Instant) -> Lines {
        Lines { partial: Vec::new(), last: String::new(), window: now, logged: 0, dropped: 0 }
    }

    /// The lines that `bytes` complete, no more than the log should bear.
    fn take(&mut self, bytes: &[u8], now: Instant) -> Vec<String> {
        let mut out = Vec::new();
        if now.saturating_duration_since(self.window) >= WINDOW {
            if self.dropped > 0 {
                out.push(format!("… and {} more lines", self.dropped));
            }
            (self.window, self.logged, self.dropped) = (now, 0, 0);
        }
        for &byte in bytes {
            // Progress displays end their lines with a carriage return only.
            if byte != b'\n' && byte != b'\r' {
                if self.partial.len() < LINE {
                    self.partial.push(byte);
                }
                continue;
            }
            let text = String::from_utf8_lossy(&self.partial);
            let line: String = text.trim().chars().filter(|c| !c.is_control()).collect();
            self.partial.clear();
            if line.is_empty() {
                continue;
            }
            if self.logged < LINES {
                self.logged += 1;
                out.push(line.clone());
            } else {
                self.dropped = self.dropped.saturating_add(1);
            }
            self.last = line;
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Process {
        Process::start(&["/bin/sh".into(), "-c".into(), script.into()], 65536).expect("a shell")
    }

    fn soon() -> Instant {
        clock::now() + Duration::from_secs(20)
    }

    #[test]
    fn reads_come_as_they_are_written_and_the_end_is_told_with_the_last_words() {
        let mut process = shell("printf abc; echo no camera found >&2; exit 3");
        let mut text = Vec::new();
        let mut buffer = [0; 16];
        let error = loop {
            match process.read(&mut buffer, soon()) {
                Ok(count) => text.extend_from_slice(&buffer[..count]),
                Err(error) => break error,
            }
        };
        assert_eq!(text, b"abc");
        let DeviceError::Io(why) = error else { panic!("{error}") };
        assert!(why.contains("no camera found"), "{why}");
    }

    #[test]
    fn a_silent_command_does_not_hold_the_caller_beyond_the_deadline() {
        let mut process = shell("exec sleep 60");
        let deadline = clock::now() + Duration::from_millis(20);
        assert_eq!(process.read(&mut [0; 16], deadline), Ok(0));
        assert!(clock::now() >= deadline);
    }

    #[test]
    fn dropping_ends_the_whole_group_even_if_it_ignores_the_polite_signal() {
        let mut process = shell("trap '' TERM; sleep 61 & echo $!; wait; sleep 61");
        let mut buffer = [0; 16];
        let count = process.read(&mut buffer, soon()).expect("the grandchild's number");
        let grandchild: i32 = String::from_utf8_lossy(&buffer[..count]).trim().parse().expect("a number");
        drop(process);
        let end = soon();
        loop {
            let state = std::fs::read_to_string(format!("/proc/{grandchild}/stat")).unwrap_or_default();
            if state.is_empty() || state.contains(") Z") {
                break;
            }
            assert!(clock::now() < end, "the grandchild lives on: {state}");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_program_that_does_not_exist_is_absent() {
        let error = Process::start(&["/no/such/program".into()], 65536).err().expect("an error");
        assert!(matches!(error, DeviceError::Absent(_)), "{error}");
    }

    #[test]
    fn a_chatty_command_does_not_fill_the_log() {
        let now = clock::now();
        let mut lines = Lines::new(now);
        assert_eq!(lines.take(b"one\r\ntwo\npart", now), ["one", "two"]);
        assert_eq!(lines.take("x".repeat(10_000).as_bytes(), now), Vec::<String>::new());
        assert_eq!(lines.take(b"\n", now)[0].len(), LINE);
        let flood = "again\n".repeat(1000);
        assert_eq!(lines.take(flood.as_bytes(), now).len() as u32, LINES - 3);
        assert_eq!(lines.take(b"later\n", now + WINDOW), ["… and 983 more lines", "later"]);
    }
}
