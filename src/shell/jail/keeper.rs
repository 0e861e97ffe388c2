//! The keeper: starts the inmate, hands it access units and takes pictures, and starts another one where it dies or hangs.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use intercom_drivers::contract::{I420, PicturePool};
use rustix::fs::MemfdFlags;

use super::ARGUMENT;
use super::walls::Walls;
use super::wire::{ANSWER, Answer, MOST_BYTES, Order, PICTURE_BYTES};
use crate::shell::clock;
use crate::shell::devices::pictures::{Decode, Undecoded};
use crate::shell::devices::{JailReport, Presence};
use crate::shell::wires::VisitId;

/// To be in, from its start.
const START_WITHIN: Duration = Duration::from_secs(3);
/// To decode one access unit. The largest takes a tenth of it on the smallest machine that plays along.
const DECODE_WITHIN: Duration = Duration::from_millis(700);
/// Where one could not be started, the next try comes after this.
const START_AGAIN: Duration = Duration::from_secs(2);

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
    program: Program,
    inmate: Option<Inmate>,
    not_before: Option<Instant>,
    pool: PicturePool,
    presence: Arc<Presence>,
    starts: u64,
}

struct Inmate {
    process: Child,
    socket: UnixStream,
    memory: File,
}

impl Drop for Inmate {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Jail {
    /// With a process inside, if one can be started now; `presence` hears how it is.
    pub fn new(program: Program, presence: Arc<Presence>) -> Jail {
        let pool = PicturePool::default();
        let mut jail = Jail { program, inmate: None, not_before: None, pool, presence, starts: 0 };
        jail.start_or_tell();
        jail
    }

    fn start_or_tell(&mut self) {
        match self.start(clock::now()) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                log::error!("the jail cannot be used, visitors' pictures are not shown: {error}");
            }
            _ => {}
        }
    }

    /// The process inside, for tests that hurt it.
    pub fn pid(&self) -> Option<u32> {
        self.inmate.as_ref().map(|inmate| inmate.process.id())
    }

    fn start(&mut self, now: Instant) -> io::Result<()> {
        if self.not_before.is_some_and(|at| now < at) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.not_before = Some(now + START_AGAIN);
        let (socket, theirs) = UnixStream::pair()?;
        let memory = File::from(rustix::fs::memfd_create("pictures", MemfdFlags::CLOEXEC)?);
        memory.set_len(PICTURE_BYTES as u64)?;
        // A service's own user has rights only by this set, which would be handed on; and its unit lets nobody give rights back.
        let _ = rustix::thread::clear_ambient_capability_set();
        let process = Command::new(&self.program.0)
            .arg(ARGUMENT)
            .env_clear()
            .stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
            .stdout(Stdio::from(memory.try_clone()?))
            .stderr(Stdio::inherit())
            .spawn()?;
        let mut inmate = Inmate { process, socket, memory };
        let answer = inmate.hear(now + START_WITHIN)?;
        let Answer::Ready { files, calls } = answer else {
            return Err(io::Error::other(format!("{answer:?} instead of its first words")));
        };
        let walls = Walls { files, calls };
        if self.starts == 0 {
            match walls {
                Walls { files: true, calls: true } => log::info!("visitors' pictures are decoded in a jail"),
                _ => log::warn!(
                    "visitors' pictures are decoded in a process of their own, but this kernel closes it only in part \
                     (landlock: {files}, seccomp: {calls})"
                ),
            }
        }
        self.starts += 1;
        self.presence.set_jail(JailReport {
            landlock: files,
            seccomp: calls,
            pid: inmate.process.id(),
            starts: self.starts,
        });
        self.inmate = Some(inmate);
        self.not_before = None;
        Ok(())
    }

    /// Asks the inmate; one that does not answer in order is ended.
    fn ask(&mut self, order: Order, unit: &[u8]) -> io::Result<Answer> {
        let until = clock::now() + DECODE_WITHIN;
        let inmate = self.inmate.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        let result = inmate.tell(order, unit, until).and_then(|()| match order {
            Order::Decode { .. } => inmate.hear(until),
            Order::Forget { .. } => Ok(Answer::Nothing),
        });
        if result.is_err() {
            self.inmate = None;
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
        if unit.len() > MOST_BYTES {
            return Err(Undecoded::Broken(format!("{} bytes in one access unit", unit.len())));
        }
        // One that died while it had nothing to do is nobody's fault.
        if self.inmate.as_mut().is_some_and(|inmate| !matches!(inmate.process.try_wait(), Ok(None))) {
            log::warn!("the jail is empty: its process has ended");
            self.inmate = None;
        }
        if self.inmate.is_none() {
            self.start_or_tell();
            if self.inmate.is_none() || !fresh {
                return Err(Undecoded::Lost { by_this: false });
            }
        }
        let answer = self.ask(Order::Decode { stream: visit.0, fresh, length: unit.len() }, unit);
        let lost = |error: io::Error| {
            log::warn!("the jail's process failed over pictures of visit {} and is started anew: {error}", visit.0);
            Undecoded::Lost { by_this: true }
        };
        match answer.map_err(lost)? {
            Answer::Picture { width, height } => {
                let picture = self.take(width, height);
                picture.map(Some).map_err(|error| {
                    self.inmate = None;
                    lost(error)
                })
            }
            Answer::Nothing => Ok(None),
            Answer::Broken(why) => Err(Undecoded::Broken(why)),
            Answer::Ready { .. } => {
                self.inmate = None;
                Err(lost(io::Error::other("it speaks out of turn")))
            }
        }
    }

    fn forget(&mut self, visit: VisitId) {
        if self.inmate.is_some() {
            let _it_is_started_anew = self.ask(Order::Forget { stream: visit.0 }, &[]);
        }
    }
}

impl Inmate {
    fn tell(&mut self, order: Order, unit: &[u8], until: Instant) -> io::Result<()> {
        for bytes in [&order.head()[..], unit] {
            let mut left = bytes;
            while !left.is_empty() {
                self.socket.set_write_timeout(Some(left_until(until)?))?;
                match self.socket.write(left) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(count) => left = &left[count..],
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    fn hear(&mut self, until: Instant) -> io::Result<Answer> {
        let mut bytes = [0; ANSWER];
        let mut count = 0;
        while count < ANSWER {
            self.socket.set_read_timeout(Some(left_until(until)?))?;
            match self.socket.read(&mut bytes[count..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(more) => count += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Answer::parse(&bytes).ok_or_else(|| io::Error::other("it says what makes no sense"))
    }
}

fn left_until(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(clock::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

impl AsFd for Inmate {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
