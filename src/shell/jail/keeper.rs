//! The keeper: starts the inmate, hands it coded pictures and takes decoded ones, and starts another one where it dies or hangs.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use intercom_base::picture::{I420, PicturePool};
use rustix::fs::MemfdFlags;

use super::hang::{Costs, Due};
use super::report::{JailReport, JailReports};
use super::walls::Walls;
use super::wire::{ANSWER, Answer, MOST_BYTES, Order, PICTURE_BYTES};
use super::{ARGUMENT, Codec};
use crate::shell::devices::pictures::{Decode, Undecoded};
use crate::shell::wires::VisitId;
use crate::shell::{clock, pulse};

/// From its start until it is ready. A machine that works at something else may take seconds for what takes milliseconds.
const START_WITHIN: Duration = Duration::from_secs(30);
/// Anyone who starts it waits so long for it, in the hope that no picture is lost. After that it is looked at with each picture.
const START_WAIT: Duration = Duration::from_millis(500);
/// Where one could not be started, the next try comes after this.
const START_AGAIN: Duration = Duration::from_secs(2);
/// A socket cannot wait for nothing.
const LEAST_WAIT: Duration = Duration::from_millis(1);

/// The program that becomes the inmate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program(PathBuf);

impl Program {
    /// This very program, also if its file was replaced meanwhile.
    pub fn this() -> Program {
        Program("/proc/self/exe".into())
    }

    /// Another one, for tests.
    pub fn at(path: impl Into<PathBuf>) -> Program {
        Program(path.into())
    }
}

/// See the module.
pub struct Jail {
    codec: Codec,
    program: Program,
    inmate: Option<Inmate>,
    not_before: Option<Instant>,
    pool: PicturePool,
    reports: Arc<JailReports>,
    starts: u64,
    costs: Costs,
}

struct Inmate {
    process: Child,
    cpu: clock::CpuTime,
    socket: UnixStream,
    memory: File,
    since: Instant,
    ready: bool,
    /// As much of an answer as has come.
    heard: Vec<u8>,
}

impl Drop for Inmate {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Jail {
    /// Empty until there is something to decode; `reports` hears how it is.
    pub fn new(codec: Codec, program: Program, reports: Arc<JailReports>) -> Jail {
        Jail {
            codec,
            program,
            inmate: None,
            not_before: None,
            pool: PicturePool::default(),
            reports,
            starts: 0,
            costs: Costs::default(),
        }
    }

    /// The process inside, for tests that hurt it.
    pub fn pid(&self) -> Option<u32> {
        self.inmate.as_ref().map(|inmate| inmate.process.id())
    }

    /// Whether there is one that is ready. It is started if there is none, and waited for a little.
    fn is_ready(&mut self, now: Instant) -> bool {
        if self.inmate.is_none() && self.not_before.is_some_and(|at| now < at) {
            return false;
        }
        self.make_ready(now).unwrap_or_else(|error| {
            self.empty();
            self.not_before = Some(now + START_AGAIN);
            log::error!("the jail cannot be started, {} are not shown: {error}", self.codec.whose());
            false
        })
    }

    fn make_ready(&mut self, now: Instant) -> io::Result<bool> {
        let (inmate, wait) = match &mut self.inmate {
            Some(inmate) => (inmate, Duration::ZERO),
            none => (none.insert(start(&self.program, self.codec, now)?), START_WAIT),
        };
        if inmate.ready {
            return Ok(true);
        }
        let (until, mut first) = (now + wait, true);
        let mut left = || match until.saturating_duration_since(clock::now()) {
            // What is there already is heard also when there is no time left.
            left if left > Duration::ZERO || std::mem::take(&mut first) => Ok(left.max(LEAST_WAIT)),
            _ => Err(io::ErrorKind::TimedOut.into()),
        };
        let walls = match hear(&inmate.socket, &mut inmate.heard, &mut left) {
            Ok(Answer::Ready { files, calls }) => Walls { files, calls },
            Ok(answer) => return Err(io::Error::other(format!("{answer:?} instead of its first words"))),
            Err(error) if error.kind() == io::ErrorKind::TimedOut && now < inmate.since + START_WITHIN => {
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        inmate.ready = true;
        self.starts += 1;
        let (landlock, seccomp) = (walls.files, walls.calls);
        if self.starts == 1 && landlock && seccomp {
            log::info!("{} are decoded in a jail", self.codec.whose());
        } else if self.starts == 1 {
            log::warn!(
                "{} are decoded in a process of their own, but this kernel closes it only in part (landlock: {landlock}, \
                 seccomp: {seccomp})",
                self.codec.whose()
            );
        }
        let report = JailReport { landlock, seccomp, pid: Some(inmate.process.id()), starts: self.starts };
        self.reports.set(self.codec, report);
        Ok(true)
    }

    /// Ends the process inside.
    fn empty(&mut self) {
        self.inmate = None;
        self.reports.clear_process(self.codec);
    }

    /// Asks the inmate; one that does not answer in order is ended.
    fn ask(&mut self, order: Order, unit: &[u8]) -> io::Result<Answer> {
        let inmate = self.inmate.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        let began = clock::now();
        let due = Due::new(Duration::ZERO, inmate.cpu.used(), &self.costs);
        let cpu = &inmate.cpu;
        let mut wait = || {
            // The thread that waits here is alive: it beats with each look.
            pulse::beat(Duration::ZERO);
            due.look(clock::now() - began, cpu.used()).map_err(|hang| io::Error::new(io::ErrorKind::TimedOut, hang))
        };
        let result = tell(&inmate.socket, order, unit, &mut wait).and_then(|()| match order {
            Order::Decode { .. } => hear(&inmate.socket, &mut inmate.heard, &mut wait),
            Order::Forget { .. } => Ok(Answer::Nothing),
        });
        match &result {
            Ok(Answer::Picture { .. }) => {
                if let Some(cost) = due.cost(inmate.cpu.used()) {
                    self.costs.learn(cost);
                }
            }
            Ok(_) => {}
            Err(_) => self.empty(),
        }
        result
    }

    fn take(&mut self, width: usize, height: usize) -> io::Result<Arc<I420>> {
        let inmate = self.inmate.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        let mut picture = self.pool.take(width, height);
        let fill = Arc::get_mut(&mut picture).ok_or(io::ErrorKind::Other)?;
        let mut left = fill.packed_mut();
        let mut at = 0;
        while !left.is_empty() {
            let count = rustix::io::pread(&inmate.memory, &mut *left, at)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            left = &mut left[count..];
            at += count as u64;
        }
        self.pool.keep(&picture);
        Ok(picture)
    }
}

impl Decode for Jail {
    fn decode(&mut self, visit: VisitId, fresh: bool, unit: &[u8]) -> Result<Option<Arc<I420>>, Undecoded> {
        self.decode_of(visit.0, fresh, unit)
    }

    fn forget(&mut self, visit: VisitId) {
        if self.inmate.as_ref().is_some_and(|inmate| inmate.ready) {
            let _it_is_started_anew = self.ask(Order::Forget { stream: visit.0 }, &[]);
        }
    }
}

impl Jail {
    /// Decodes a JPEG.
    ///
    /// # Errors
    /// As [`Decode::decode`].
    pub fn decode_jpeg(&mut self, bytes: &[u8]) -> Result<Option<Arc<I420>>, Undecoded> {
        self.decode_of(0, true, bytes)
    }

    fn decode_of(&mut self, stream: u64, fresh: bool, unit: &[u8]) -> Result<Option<Arc<I420>>, Undecoded> {
        if unit.len() > MOST_BYTES {
            return Err(Undecoded::Broken(format!("{} bytes in one picture", unit.len())));
        }
        // One that died while it had nothing to do is nobody's fault.
        if self.inmate.as_mut().is_some_and(|inmate| !matches!(inmate.process.try_wait(), Ok(None))) {
            log::warn!("the jail for {} is empty: its process has ended", self.codec.whose());
            if self.inmate.as_ref().is_some_and(|inmate| !inmate.ready) {
                self.not_before = Some(clock::now() + START_AGAIN);
            }
            self.empty();
        }
        // What one knew that is gone, the next one does not know: it begins with a keyframe.
        let has_begun = self.inmate.as_ref().is_some_and(|inmate| inmate.ready);
        if !self.is_ready(clock::now()) || !(has_begun || fresh) {
            return Err(Undecoded::Lost { by_this: false });
        }
        let answer = self.ask(Order::Decode { stream, fresh, length: unit.len() }, unit);
        let codec = self.codec;
        let lost = |error: io::Error| {
            let of = if codec == Codec::H264 { format!(" of visit {stream}") } else { String::new() };
            log::warn!("the jail for {} failed over one{of} and is started again: {error}", codec.whose());
            Undecoded::Lost { by_this: true }
        };
        match answer.map_err(lost)? {
            Answer::Picture { width, height } => {
                let picture = self.take(width, height);
                picture.map(Some).map_err(|error| {
                    self.empty();
                    lost(error)
                })
            }
            Answer::Nothing => Ok(None),
            Answer::Broken(why) => Err(Undecoded::Broken(why)),
            Answer::Ready { .. } => {
                self.empty();
                Err(lost(io::Error::other("it speaks out of turn")))
            }
        }
    }
}

fn start(program: &Program, codec: Codec, now: Instant) -> io::Result<Inmate> {
    let (socket, theirs) = UnixStream::pair()?;
    let memory = File::from(rustix::fs::memfd_create("pictures", MemfdFlags::CLOEXEC)?);
    memory.set_len(PICTURE_BYTES as u64)?;
    // A service's own user has rights only by this set, which would be handed on; and its unit lets nobody give rights back.
    let _ = rustix::thread::clear_ambient_capability_set();
    let process = Command::new(&program.0)
        .args([ARGUMENT, codec.word()])
        .env_clear()
        .stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
        .stdout(Stdio::from(memory.try_clone()?))
        .stderr(Stdio::inherit())
        .spawn()?;
    let cpu = clock::CpuTime::of(process.id());
    Ok(Inmate { process, cpu, socket, memory, since: now, ready: false, heard: Vec::new() })
}

/// Writes all of an order. `wait` says how long to wait each time, or why no longer.
fn tell(
    mut socket: &UnixStream,
    order: Order,
    unit: &[u8],
    wait: &mut impl FnMut() -> io::Result<Duration>,
) -> io::Result<()> {
    for bytes in [&order.head()[..], unit] {
        let mut left = bytes;
        while !left.is_empty() {
            socket.set_write_timeout(Some(wait()?))?;
            match socket.write(left) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => left = &left[count..],
                Err(error) if is_to_be_tried_again(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// Its next answer; what has come of one until `wait` fails is kept in `heard`.
fn hear(
    mut socket: &UnixStream,
    heard: &mut Vec<u8>,
    wait: &mut impl FnMut() -> io::Result<Duration>,
) -> io::Result<Answer> {
    let mut bytes = [0; ANSWER];
    while heard.len() < ANSWER {
        socket.set_read_timeout(Some(wait()?))?;
        match socket.read(&mut bytes[heard.len()..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                let from = heard.len();
                heard.extend_from_slice(&bytes[from..from + count]);
            }
            Err(error) if is_to_be_tried_again(&error) => {}
            Err(error) => return Err(error),
        }
    }
    bytes.copy_from_slice(heard);
    heard.clear();
    Answer::parse(&bytes).ok_or_else(|| io::Error::other("it says what makes no sense"))
}

/// A socket's time that is over is an `EAGAIN`.
fn is_to_be_tried_again(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock)
}
