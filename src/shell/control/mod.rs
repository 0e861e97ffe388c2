//! The control socket: `intercom link` and friends talk to the running daemon here, one line of JSON each way.
//!
//! Each client has a thread of its own, for a few seconds at most: what mutes home, draws the curtain or ends a visit waits neither for a client before
//! it nor for a disk. It takes effect in the loop first; the thread `disk` keeps it.

mod client;
#[cfg(test)]
mod tests;

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use intercom_core::call::home::{Curtain, Mute};
#[cfg(doc)]
use intercom_core::call::protocol::PeopleList;
#[cfg(doc)]
use intercom_core::devices::doctor::Health;
use intercom_core::people::edit::Edit;
use intercom_core::people::keys::{Key, KeyId};
use intercom_core::people::names;
use intercom_core::people::register::{Role, Wish};
use intercom_core::reach::links;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, fchmod};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::shell::disk::Job;
use crate::shell::examiner::Known;
use crate::shell::jail::JailReports;
use crate::shell::pulse::{self, Pulse};
use crate::shell::state::{self, Lock, StateError};
use crate::shell::wake::Wake;
use crate::shell::wires::{NewLink, ToLoop, ToLoopHandle};
use crate::shell::worker::{Exit, Worker, spawn_worker};
use crate::shell::{clock, reset};

use client::no_such_number;
pub use client::{
    AskError, Edited, LinkMade, Ran, ResetHome, SwitchDone, ask, call, curtain, edit, erase_visits, find, mute,
    new_code, new_link, no_such_person, people, reset, revoke, visits,
};

/// Longest request, its line feed included.
const LONGEST_REQUEST: usize = 4096;
/// For a client to be done with.
const PATIENCE: Duration = Duration::from_secs(2);
/// Clients served at once; those that come then wait, and are told that it is busy if many do.
const CLIENTS: usize = 8;
/// While all are served, whether one is done is looked at again after this.
const FULL: Duration = Duration::from_millis(20);
/// Clients that wait.
const WAITING: i32 = 4;
/// How long an answer waits for the disk, so that it can say whether the disk has taken something.
const DISK: Duration = Duration::from_millis(1500);

/// What can be asked of the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// A link for somebody new: `{"person": 3, "links": ["https://…"], "best": "https://…" or null, "kept": true}`; one
    /// that is not kept ends with the process, as the disk does not take it.
    Link(Wish),
    /// A code on the TV for a new viewer, good for one exchange: `{"links": ["https://…"], "best": "https://…" or null}`.
    Code {
        /// What home will call the viewer.
        #[serde(default)]
        name: Option<String>,
        /// What they may do.
        #[serde(default)]
        role: Role,
    },
    /// Ends a person or a key, and the visits: `{"revoked": 3, "kept": true}`.
    Revoke {
        /// Number of the person or key; 0 is the one that ends with the process.
        id: u64,
    },
    /// Everybody who may visit: a [`PeopleList`].
    People {},
    /// Changes a person: `{"person": 3, "ownerless": false, "kept": true}`; `ownerless` if that was home's last owner, and is one no more.
    Edit {
        /// Their number.
        person: u64,
        /// What of them.
        edit: Edit,
    },
    /// Mutes home's microphone, or opens it again: `{"muted": true, "kept": true}`; what is not kept is so until the process ends.
    Mute {
        /// Whether it shall be muted.
        on: bool,
    },
    /// Draws the curtain, or opens it: `{"drawn": true, "kept": true}`; what is not kept is so until the process ends.
    Curtain {
        /// Whether it shall be drawn.
        on: bool,
    },
    /// How things are: the event loop's own object, what the TV has to tell as `notices`, and `state_dir`.
    Status {},
    /// How devices and addresses are: a [`Health`].
    Health {},
    /// The visit log, the newest entry first: an array of [`intercom_core::call::protocol::VisitEntry`].
    Visits {},
    /// Forgets the visit log: `{"erased": true}`.
    EraseVisits {},
    /// Calls this person, or everybody: `{"ringing": 2}`, the pages that ring.
    Call {
        /// A person's number.
        #[serde(default)]
        person: Option<u64>,
    },
    /// Ends all visits, forgets all keys and the certificates, and ends the daemon: `{"people": 3, "service": true}`, the
    /// people who could come in, and whether a service manager runs it. Where the disk does not take that, visits are over and the keys are
    /// forgotten all the same until the process ends, which it then does not.
    Reset {},
    /// Ends all visits and the daemon, which finds restored people at its next start: `{"service": true}`, as above.
    Restart {},
}

impl Request {
    /// Reads one line. The error says what was wrong.
    pub fn parse(line: &[u8]) -> Result<Request, String> {
        serde_json::from_slice(line).map_err(|e| format!("not a request: {e}"))
    }
}

/// The right to be the only daemon of a state directory; given up when the process ends, however it does.
#[derive(Debug)]
pub struct Claim(#[allow(dead_code)] Lock);

impl Claim {
    /// Takes it, making the directory if need be. Fails in words if another daemon has it.
    pub fn take(state_dir: &Path) -> Result<Claim, String> {
        state::make_private_dir(state_dir).map_err(|e| e.to_string())?;
        Claim::take_existing(state_dir)
    }

    /// Takes it of a directory that is there.
    pub fn take_existing(state_dir: &Path) -> Result<Claim, String> {
        match Lock::try_take(state_dir) {
            Ok(Some(lock)) => Ok(Claim(lock)),
            Ok(None) => Err(format!("intercom is already running with the state directory {}", state_dir.display())),
            Err(e) => Err(e.to_string()),
        }
    }
}

/// What the control socket needs.
pub struct ControlConfig {
    /// The right to be here.
    pub claim: Claim,
    /// Where `control.sock` is.
    pub run_dir: PathBuf,
    /// Where keys and certificates are.
    pub state_dir: PathBuf,
    /// Where a reset forgets; another one where what was there is damaged.
    pub reset_dir: PathBuf,
    /// Stores keys.
    pub disk: Sender<Job>,
    /// To tell of keys and ask for the status.
    pub to_loop: ToLoopHandle,
    /// How home is, and how it is reached.
    pub known: Arc<Known>,
    /// How the jails are.
    pub jails: Arc<JailReports>,
    /// Told when the daemon is to end, for a reset or for restored people.
    pub reset: Sender<()>,
}

/// The running control socket.
pub struct ControlHandle {
    stop: Arc<AtomicBool>,
    wake: Wake,
    worker: Worker,
    path: PathBuf,
}

/// Opens `control.sock` (0600) and serves it in the thread `control`. One left by a killed daemon is replaced.
pub fn start(mut config: ControlConfig) -> io::Result<ControlHandle> {
    // Once: anyone who mutes home looks for it first, and no answer waits for a disk.
    config.state_dir = std::fs::canonicalize(&config.state_dir).unwrap_or(config.state_dir);
    let path = config.run_dir.join("control.sock");
    let listener =
        listen(&path).map_err(|e| io::Error::new(e.kind(), format!("cannot listen on {}: {e}", path.display())))?;
    let (stop, wake) = (Arc::new(AtomicBool::new(false)), Wake::new()?);
    let (stopped, woken) = (stop.clone(), wake.clone());
    let config = Arc::new(config);
    let served = Arc::new(AtomicUsize::new(0));
    let worker = spawn_worker("control", move || {
        while !stopped.load(Ordering::Acquire) {
            if served.load(Ordering::Acquire) >= CLIENTS {
                let soon = clock::now() + FULL;
                pulse::beat(FULL);
                ready(woken.as_fd(), PollFlags::IN, &woken, Some(soon));
                continue;
            }
            pulse::rest();
            ready(listener.as_fd(), PollFlags::IN, &woken, None);
            pulse::beat(Duration::ZERO);
            match listener.accept() {
                Ok((client, _)) => serve_apart(client, &config, &woken, &served),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => {
                    log::warn!("control: {e}");
                    return Exit::Again;
                }
            }
        }
        Exit::Done
    })?;
    Ok(ControlHandle { stop, wake, worker, path })
}

impl ControlHandle {
    /// The thread's pulse.
    pub fn pulse(&self) -> Arc<Pulse> {
        self.worker.pulse()
    }

    /// Closes the socket and ends the thread.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.wake.wake();
        self.worker.dismiss();
        self.worker.join_within(Duration::from_millis(500));
        let _ = std::fs::remove_file(&self.path);
    }
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    // The claim says that nobody lives behind it.
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    // Linux gives the file the mode of the socket, so that it is never open to others, not even for a moment.
    fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    rustix::net::listen(&socket, WAITING)?;
    Ok(UnixListener::from(socket))
}

/// Serves one client in a thread of its own, which ends by itself.
fn serve_apart(client: UnixStream, config: &Arc<ControlConfig>, wake: &Wake, served: &Arc<AtomicUsize>) {
    struct Done(Arc<AtomicUsize>);
    impl Drop for Done {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::AcqRel);
        }
    }
    served.fetch_add(1, Ordering::AcqRel);
    let done = Done(Arc::clone(served));
    let (config, wake) = (Arc::clone(config), wake.clone());
    let spawned = thread::Builder::new().name("control-client".into()).spawn(move || {
        let _done = done;
        if let Err(e) = serve(client, &config, &wake) {
            log::debug!("control: {e}");
        }
    });
    if let Err(e) = spawned {
        log::warn!("control: no thread for a client: {e}");
    }
}

/// Reads one request and answers it.
fn serve(mut client: UnixStream, config: &ControlConfig, wake: &Wake) -> io::Result<()> {
    client.set_nonblocking(true)?;
    let deadline = clock::now() + PATIENCE;
    let answer = match read_line(&mut client, wake, deadline)? {
        None => json!({ "error": format!("a request is one line of at most {LONGEST_REQUEST} bytes") }),
        Some(line) => match Request::parse(&line).and_then(|request| answer(&request, config)) {
            Ok(answer) => answer,
            Err(problem) => json!({ "error": problem }),
        },
    };
    let mut line = answer.to_string().into_bytes();
    line.push(b'\n');
    let mut left = &line[..];
    let deadline = clock::now() + PATIENCE;
    while !left.is_empty() {
        match client.write(left) {
            Ok(count) => left = &left[count..],
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                if !ready(client.as_fd(), PollFlags::OUT, wake, Some(deadline)) {
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// One line without its line feed; `None` if it is too long.
fn read_line(client: &mut UnixStream, wake: &Wake, deadline: Instant) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let mut chunk = [0; LONGEST_REQUEST];
    loop {
        match client.read(&mut chunk) {
            Ok(0) => return Ok(Some(line)),
            Ok(count) => {
                line.extend_from_slice(&chunk[..count]);
                if let Some(end) = line.iter().position(|byte| *byte == b'\n') {
                    line.truncate(end);
                    return Ok((end < LONGEST_REQUEST).then_some(line));
                }
                if line.len() >= LONGEST_REQUEST {
                    return Ok(None);
                }
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                if !ready(client.as_fd(), PollFlags::IN, wake, Some(deadline)) {
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// Waits until `fd` is ready; false if it is woken, or the deadline is there, before.
fn ready(fd: BorrowedFd<'_>, flags: PollFlags, wake: &Wake, deadline: Option<Instant>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(fd, flags), PollFd::new(wake, PollFlags::IN)];
    let timeout = deadline.map(|deadline| {
        let left = deadline.saturating_duration_since(clock::now());
        Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) }
    });
    let interrupted = poll(&mut fds, timeout.as_ref()) == Err(rustix::io::Errno::INTR);
    // The wake is only for the end and stays set, so that everything that waits meanwhile returns.
    (interrupted || !fds[0].revents().is_empty()) && fds[1].revents().is_empty()
}

fn answer(request: &Request, config: &ControlConfig) -> Result<Value, String> {
    match request {
        Request::Link(wish) => {
            let wish = wish.clone().tidy()?;
            let (link, token, lost) = invited(config, wish)?;
            let person = link.person.number;
            config.to_loop.tell(ToLoop::Invited(link));
            log::info!("a link was made for person {person}{}", only_now(lost.as_ref()));
            let (addresses, public) = (config.known.addresses.current(), config.known.public.as_ref());
            let links = links::token_links(&addresses, config.known.port, public, &token.to_text());
            Ok(json!({ "person": person, "links": links.all, "best": links.best, "kept": lost.is_none() }))
        }
        Request::Code { name, role } => {
            let name = name.as_deref().map(names::tidy).transpose()?;
            let links = of_loop(config, |links| ToLoop::CodeWanted { name, role: *role, links })?;
            log::info!("the TV shows a code for a new viewer");
            Ok(json!({ "links": links.all, "best": links.best }))
        }
        Request::Revoke { id } => {
            let known = of_loop(config, |answer| ToLoop::Revoked(*id, answer))?;
            known.map_err(|numbers| no_such_number(*id, &numbers))?;
            let kept = *id == KeyId::TEMPORARY.0 || after_all(config, |answer| Job::Revoked(*id, answer));
            Ok(json!({ "revoked": id, "kept": kept }))
        }
        Request::People {} => {
            let text = of_loop(config, ToLoop::People)?;
            serde_json::from_str(&text).map_err(|e| e.to_string())
        }
        Request::Edit { person, edit } => {
            let edit = edit.clone().tidy()?;
            let changed = of_loop(config, |answer| ToLoop::Edit(*person, edit, answer))?;
            let ownerless = changed.map_err(|numbers| no_such_person(*person, &numbers))?;
            Ok(json!({ "person": person, "ownerless": ownerless, "kept": after_all(config, Job::Changed) }))
        }
        Request::Status {} => {
            let text = of_loop(config, ToLoop::Status)?;
            let mut status: Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
            status["notices"] = config.known.notices.all().into();
            status["jail"] = json!(config.jails.all());
            status["certificates"] = json!({ "ca": config.known.certificates.fingerprint(), "shown": config.known.certificates.all_shown() });
            status["state_dir"] = config.state_dir.to_str().into();
            Ok(status)
        }
        Request::Mute { on } => {
            let wish = if *on { Mute::On } else { Mute::Off };
            let muted = of_loop(config, |answer| ToLoop::Mute(wish, Some(answer)))?;
            Ok(json!({ "muted": muted, "kept": after_all(config, Job::Settled) }))
        }
        Request::Visits {} => Ok(json!(of_loop(config, ToLoop::Visits)?)),
        Request::EraseVisits {} => of_loop(config, ToLoop::EraseVisits).map(|()| json!({ "erased": true })),
        Request::Call { person } => {
            let called = of_loop(config, |answer| ToLoop::Call(*person, answer))?;
            let ringing = called.map_err(|numbers| no_such_person(person.unwrap_or(0), &numbers))?;
            Ok(json!({ "ringing": ringing }))
        }
        Request::Curtain { on } => {
            let wish = if *on { Curtain::Draw } else { Curtain::Open };
            let drawn = of_loop(config, |answer| ToLoop::Curtain(wish, Some(answer)))?;
            Ok(json!({ "drawn": drawn, "kept": after_all(config, Job::Settled) }))
        }
        Request::Reset {} => {
            let people = of_loop(config, ToLoop::Reset)?;
            log::warn!("everything that phones knew this home by is forgotten");
            reset::begin(&config.reset_dir).map_err(|e| {
                format!(
                    "all visits are over, but the disk does not take the reset, so keys open again after a restart: {e}"
                )
            })?;
            Ok(json!({ "people": people, "service": end(config) }))
        }
        Request::Restart {} => Ok(json!({ "service": end(config) })),
        Request::Health {} => serde_json::to_value(config.known.health()).map_err(|e| e.to_string()),
    }
}

/// Has the daemon end; whether a service manager runs it, and starts it again.
fn end(config: &ControlConfig) -> bool {
    let _is_wanted_already = config.reset.try_send(());
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// Asks the loop, which answers within a turn.
fn of_loop<T>(config: &ControlConfig, ask: impl FnOnce(Sender<T>) -> ToLoop) -> Result<T, String> {
    let (sender, receiver) = crossbeam_channel::bounded(1);
    config.to_loop.tell(ask(sender));
    receiver.recv_timeout(PATIENCE).map_err(|_| "the daemon does not answer".to_owned())
}

/// Has the thread `disk` do something after all that the loop wants stored already; whether it says in time that the disk has it.
fn after_all(config: &ControlConfig, job: impl FnOnce(Sender<bool>) -> Job) -> bool {
    let (sender, receiver) = crossbeam_channel::bounded(1);
    let until = clock::now() + DISK;
    config.to_loop.tell(ToLoop::Disk(job(sender)));
    receiver.recv_deadline(until) == Ok(true)
}

/// A link for somebody.
fn invited(config: &ControlConfig, wish: Wish) -> Result<(NewLink, Key, Option<StateError>), String> {
    let (sender, receiver) = crossbeam_channel::bounded(1);
    let busy = || "the disk does not answer; try again".to_owned();
    // A lock that somebody else has for too long counts as a disk that does not take the key.
    let until = clock::now() + PATIENCE * 2;
    config.disk.send_deadline(Job::Link(wish, sender), until).map_err(|_| busy())?;
    receiver.recv_deadline(until).map_err(|_| busy())?.map_err(|e| e.to_string())
}

/// What the log adds where the disk did not take a change.
fn only_now(lost: Option<&StateError>) -> String {
    lost.map_or_else(String::new, |error| format!(", which holds only until the end of this process: {error}"))
}
