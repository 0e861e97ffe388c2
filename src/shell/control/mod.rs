//! The control socket: `intercom link` and friends talk to the running daemon here, one line of JSON each way.

mod client;

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, fchmod};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::access::keys::KeyId;
use crate::access::names;
use crate::config::PublicAddress;
use crate::core::home::Mute;
use crate::ops::doctor::{Device, Health, Network};
use crate::reach::{Addresses, links};
use crate::shell::addresses::AddressBook;
use crate::shell::clock;
use crate::shell::devices::Presence;
use crate::shell::key_file::KeyFile;
use crate::shell::notices::NoticeBoard;
use crate::shell::pulse::{self, Pulse};
use crate::shell::reset;
use crate::shell::state::{self, Lock};
use crate::shell::wake::Wake;
use crate::shell::wires::{NewKey, ToLoop, ToLoopHandle};
use crate::shell::worker::{Exit, Worker, spawn_worker};

pub use client::{AskError, NewLink, Ran, ResetHome, ask, new_code, new_link, reset, revoke};

/// Longest request, its line feed included.
const LONGEST_REQUEST: usize = 4096;
/// For a client to be done with.
const PATIENCE: Duration = Duration::from_secs(2);
/// Clients that wait while one is served; further ones are told that it is busy.
const WAITING: i32 = 4;

/// What can be asked of the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// A link for a new viewer: `{"key": 3, "links": ["https://…"], "best": "https://…" or null}`.
    Link {
        /// What home calls the viewer.
        #[serde(default)]
        name: Option<String>,
    },
    /// A code on the TV for a new viewer, good for one exchange: `{"links": ["https://…"], "best": "https://…" or null}`.
    Code {
        /// What home will call the viewer.
        #[serde(default)]
        name: Option<String>,
    },
    /// Ends a key and its visits: `{"revoked": 3}`.
    Revoke {
        /// Number of the key; 0 is the one that ends with the process.
        id: u64,
    },
    /// Mutes home's microphone, or opens it again: `{"muted": true}`.
    Mute {
        /// Whether it shall be muted.
        on: bool,
    },
    /// How things are: the event loop's own object, and what the TV has to tell as `notices`.
    Status {},
    /// How devices and addresses are: a [`Health`].
    Health {},
    /// Ends all visits, forgets all keys and the certificates, and ends the daemon: `{"keys": 3, "service": true}`, the
    /// keys that were stored, and whether a service manager runs it.
    Reset {},
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
    /// Where `control.sock` and the keys are.
    pub state_dir: PathBuf,
    /// To tell of keys and ask for the status.
    pub to_loop: ToLoopHandle,
    /// Where home can be reached now.
    pub addresses: AddressBook,
    /// Our port, for links.
    pub port: u16,
    /// The public address, for links.
    pub public: Option<PublicAddress>,
    /// The devices as the config has them; how each is, is asked of `presence`.
    pub devices: Vec<Device>,
    /// Knows how the devices are.
    pub presence: Arc<Presence>,
    /// Knows what the TV has to tell.
    pub notices: Arc<NoticeBoard>,
    /// Told when everything is to be forgotten, and the daemon to end.
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
pub fn start(config: ControlConfig) -> io::Result<ControlHandle> {
    let path = config.state_dir.join("control.sock");
    let listener =
        listen(&path).map_err(|e| io::Error::new(e.kind(), format!("cannot listen on {}: {e}", path.display())))?;
    let (stop, wake) = (Arc::new(AtomicBool::new(false)), Wake::new()?);
    let (stopped, woken) = (stop.clone(), wake.clone());
    let worker = spawn_worker("control", move || {
        while !stopped.load(Ordering::Acquire) {
            pulse::rest();
            ready(listener.as_fd(), PollFlags::IN, &woken, None);
            pulse::beat(Duration::ZERO);
            match listener.accept() {
                Ok((client, _)) => {
                    if let Err(e) = serve(client, &config, &woken) {
                        log::debug!("control: {e}");
                    }
                }
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
    let keys = KeyFile::in_dir(&config.state_dir);
    match request {
        Request::Link { name } => {
            let name = name.as_deref().map(names::tidy).transpose()?;
            let (id, key) = keys.mint(name.as_deref()).map_err(|e| e.to_string())?;
            config.to_loop.tell(ToLoop::KeyAdded(NewKey { number: id.0, hash: key.hash(), name }));
            log::info!("key {id} was made");
            let links = links::links(&config.addresses.current(), config.port, config.public.as_ref(), &key);
            Ok(json!({ "key": id.0, "links": links.all, "best": links.best }))
        }
        Request::Code { name } => {
            let name = name.as_deref().map(names::tidy).transpose()?;
            let (sender, receiver) = crossbeam_channel::bounded(1);
            config.to_loop.tell(ToLoop::CodeWanted { name, links: sender });
            let links = receiver.recv_timeout(PATIENCE).map_err(|_| "the daemon does not answer".to_owned())?;
            log::info!("the TV shows a code for a new viewer");
            Ok(json!({ "links": links.all, "best": links.best }))
        }
        Request::Revoke { id } => {
            if KeyId(*id) != KeyId::TEMPORARY {
                revoke_stored(&keys, KeyId(*id))?;
            }
            config.to_loop.tell(ToLoop::Revoked(*id));
            log::info!("key {id} was revoked");
            Ok(json!({ "revoked": id }))
        }
        Request::Status {} => {
            let (sender, receiver) = crossbeam_channel::bounded(1);
            config.to_loop.tell(ToLoop::Status(sender));
            let text = receiver.recv_timeout(PATIENCE).map_err(|_| "the daemon does not answer".to_owned())?;
            let mut status: Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
            status["notices"] = config.notices.all().into();
            Ok(status)
        }
        Request::Mute { on } => {
            let (sender, receiver) = crossbeam_channel::bounded(1);
            config.to_loop.tell(ToLoop::Mute(if *on { Mute::On } else { Mute::Off }, Some(sender)));
            let muted = receiver.recv_timeout(PATIENCE).map_err(|_| "the daemon does not answer".to_owned())?;
            Ok(json!({ "muted": muted }))
        }
        Request::Reset {} => {
            let keys = keys.load().map_or(0, |ring| ring.len());
            reset::begin(&config.state_dir).map_err(|e| e.to_string())?;
            log::warn!("everything that phones knew this home by is forgotten");
            config.to_loop.tell(ToLoop::Reset);
            let _is_wanted_already = config.reset.try_send(());
            Ok(json!({ "keys": keys, "service": std::env::var_os("NOTIFY_SOCKET").is_some() }))
        }
        Request::Health {} => {
            let mut devices = config.devices.clone();
            for device in &mut devices {
                if let Some((name, state)) = config.presence.device(device.kind) {
                    (device.device, device.state) = (name, state);
                }
            }
            let network = health_of_network(&config.addresses.current(), config.port, config.public.as_ref());
            serde_json::to_value(Health { devices, network }).map_err(|e| e.to_string())
        }
    }
}

/// How home is reached, for the doctor.
pub fn health_of_network(addresses: &Addresses, port: u16, public: Option<&PublicAddress>) -> Network {
    Network {
        port,
        addresses: addresses.local.clone(),
        best: addresses.best,
        public_address: public.map(ToString::to_string),
    }
}

fn revoke_stored(keys: &KeyFile, id: KeyId) -> Result<(), String> {
    let there_are = |ids: Vec<KeyId>| match ids[..] {
        [] => "there are none".to_owned(),
        _ => format!("there are {}", ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    };
    match keys.revoke(id).map_err(|e| e.to_string())? {
        Ok(()) => Ok(()),
        Err(ids) => Err(format!("there is no key {id}; {}", there_are(ids))),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::thread;

    use crossbeam_channel::{Receiver, bounded};

    use super::*;
    use crate::access::keys::Key;
    use crate::shell::state::tests::TestDir;

    struct Daemon {
        dir: TestDir,
        handle: ControlHandle,
        events: Receiver<ToLoop>,
    }

    impl Daemon {
        fn start() -> Daemon {
            let dir = TestDir::new();
            let (events, receiver) = bounded(8);
            let best = "192.0.2.7".parse().unwrap();
            let addresses = AddressBook::new(Addresses { local: vec![best], best: Some(best), public: None });
            let handle = start(ControlConfig {
                claim: Claim::take(&dir.0).unwrap(),
                state_dir: dir.0.clone(),
                to_loop: ToLoopHandle { events, wake: Wake::new().unwrap() },
                addresses,
                port: 8443,
                public: None,
                devices: Vec::new(),
                presence: Arc::new(Presence::new()),
                notices: Arc::new(NoticeBoard::new(vec!["mend me".into()])),
                reset: bounded(1).0,
            })
            .unwrap();
            Daemon { dir, handle, events: receiver }
        }
    }

    fn say(dir: &TestDir, bytes: &[u8]) -> String {
        let mut stream = UnixStream::connect(dir.0.join("control.sock")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(bytes).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn a_link_is_made_told_to_the_loop_and_revoked() {
        let daemon = Daemon::start();
        let link = new_link(&daemon.dir.0, Some(" Anna"), 1, None).unwrap();
        assert!(link.running);
        let best = link.links.best.unwrap();
        let key = best.strip_prefix("https://192.0.2.7:8443/#k=").unwrap();
        let ToLoop::KeyAdded(new) = daemon.events.recv().unwrap() else { panic!("not a key") };
        assert_eq!((KeyId(new.number), new.hash), (link.key, Key::parse(key).unwrap().hash()));
        assert_eq!(new.name.as_deref(), Some("Anna"));
        assert_eq!(KeyFile::in_dir(&daemon.dir.0).load().unwrap().verify(key), Some(link.key));

        assert!(revoke(&daemon.dir.0, KeyId(99)).unwrap_err().contains("no key 99; there are 1"));
        revoke(&daemon.dir.0, link.key).unwrap();
        assert!(matches!(daemon.events.recv().unwrap(), ToLoop::Revoked(1)));
        assert_eq!(KeyFile::in_dir(&daemon.dir.0).load().unwrap().verify(key), None);
    }

    #[test]
    fn the_status_is_the_loops_own_and_the_notices() {
        let daemon = Daemon::start();
        let events = daemon.events.clone();
        let loop_thread = thread::spawn(move || {
            let ToLoop::Status(answer) = events.recv().unwrap() else { panic!("not a status") };
            answer.send(r#"{"visits":2}"#.into()).unwrap();
        });
        let status = ask(&daemon.dir.0, &Request::Status {}).unwrap();
        assert_eq!((&status["visits"], &status["notices"]), (&json!(2), &json!(["mend me"])));
        loop_thread.join().unwrap();
    }

    #[test]
    fn the_microphone_is_muted_by_the_loop_which_says_how_it_is_then() {
        let daemon = Daemon::start();
        let events = daemon.events.clone();
        let loop_thread = thread::spawn(move || {
            for expected in [Mute::On, Mute::Off] {
                let ToLoop::Mute(wish, Some(answer)) = events.recv().unwrap() else { panic!("not a mute") };
                assert_eq!(wish, expected);
                answer.send(wish == Mute::On).unwrap();
            }
        });
        for on in [true, false] {
            assert_eq!(ask(&daemon.dir.0, &Request::Mute { on }).unwrap()["muted"], on);
        }
        loop_thread.join().unwrap();
    }

    #[test]
    fn a_code_on_the_tv_is_the_loops_and_a_name_is_looked_at_first() {
        let daemon = Daemon::start();
        let events = daemon.events.clone();
        let loop_thread = thread::spawn(move || {
            let ToLoop::CodeWanted { name, links } = events.recv().unwrap() else { panic!("not a code") };
            assert_eq!(name.as_deref(), Some("Anna"));
            let link = "https://192.0.2.7:8443/#p=x".to_owned();
            links.send(links::Links { all: vec![link.clone()], best: Some(link) }).unwrap();
        });
        assert_eq!(new_code(&daemon.dir.0, Some("Anna")).unwrap().best.unwrap(), "https://192.0.2.7:8443/#p=x");
        loop_thread.join().unwrap();
        assert!(say(&daemon.dir, b"{\"command\":\"code\",\"name\":\"a\\nb\"}\n").contains("line ends"));
    }

    #[test]
    fn rubbish_is_answered_and_the_next_one_served() {
        let daemon = Daemon::start();
        assert!(say(&daemon.dir, b"make me a link\n").contains("not a request"));
        assert!(say(&daemon.dir, b"{\"command\":\"dance\"}\n").contains("unknown variant"));
        assert!(say(&daemon.dir, b"{\"command\":\"revoke\",\"id\":-1}\n").contains("error"));
        assert!(say(&daemon.dir, &[b'x'; LONGEST_REQUEST]).contains("one line of at most"));
        let _silent = UnixStream::connect(daemon.dir.0.join("control.sock")).unwrap();
        assert!(new_link(&daemon.dir.0, None, 1, None).is_ok(), "behind a client that says nothing");
    }

    #[test]
    fn the_socket_is_private_and_gone_in_the_end_and_a_second_daemon_is_refused() {
        let daemon = Daemon::start();
        let path = daemon.dir.0.join("control.sock");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(Claim::take(&daemon.dir.0).unwrap_err().contains("already running"));
        daemon.handle.stop();
        assert!(!path.exists() && daemon.handle.worker.has_ended());
    }

    #[test]
    fn a_socket_left_by_a_killed_daemon_is_replaced() {
        let dir = TestDir::new();
        let path = dir.0.join("control.sock");
        drop(UnixListener::bind(&path).unwrap());
        assert!(matches!(ask(&dir.0, &Request::Status {}), Err(AskError::NotRunning(_))));
        assert!(listen(&path).is_ok());
    }

    #[test]
    fn without_a_daemon_links_are_made_and_ended_in_the_file() {
        let dir = TestDir::new();
        let state_dir = dir.0.join("not/there/yet");
        let public = PublicAddress { host: "home.example.org".into(), port: 443 };
        let link = new_link(&state_dir, None, 8443, Some(&public)).unwrap();
        assert!(!link.running && link.links.best.unwrap().starts_with("https://home.example.org/#k="));
        revoke(&state_dir, link.key).unwrap();
        assert!(revoke(&state_dir, link.key).unwrap_err().contains("there are none"));
        assert!(revoke(&state_dir, KeyId::TEMPORARY).unwrap_err().contains("not running"));
    }
}
