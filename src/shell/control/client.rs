//! The command line's side of the control socket: asks the running daemon, or does without one.

use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::access::keys::{Key, KeyId};
use crate::access::names;
use crate::config::PublicAddress;
use crate::reach::links;
use crate::shell::addresses;
use crate::shell::clock;
use crate::shell::control::{Claim, PATIENCE, Request, revoke_stored};
use crate::shell::key_file::KeyFile;
use crate::shell::reset;
use crate::shell::state;

/// Longest answer that a command line reads.
const LONGEST_ANSWER: u64 = 256 * 1024;

/// Why the daemon could not be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskError {
    /// There is no daemon.
    NotRunning(PathBuf),
    /// It said no, or nothing; in words.
    Failed(String),
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AskError::NotRunning(dir) => write!(
                f,
                "intercom is not running with the state directory {}; start it with `intercom run`, or name its \
                 configuration",
                dir.display()
            ),
            AskError::Failed(problem) => f.write_str(problem),
        }
    }
}

impl std::error::Error for AskError {}

/// Asks the daemon of `state_dir`. For the command line.
pub fn ask(state_dir: &Path, request: &Request) -> Result<Value, AskError> {
    let path = state_dir.join("control.sock");
    let failed = |e: io::Error| AskError::Failed(format!("{}: {e}", path.display()));
    let mut stream = UnixStream::connect(&path).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => AskError::NotRunning(state_dir.to_owned()),
        io::ErrorKind::PermissionDenied => AskError::Failed(format!(
            "{}: not allowed; intercom runs as another user, so ask as that user (or with sudo)",
            path.display()
        )),
        io::ErrorKind::WouldBlock => AskError::Failed("intercom is busy; try again".into()),
        _ => failed(e),
    })?;
    stream.set_read_timeout(Some(PATIENCE * 3)).map_err(failed)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(failed)?;
    let line = serde_json::to_string(request).map_err(|e| AskError::Failed(e.to_string()))? + "\n";
    stream.write_all(line.as_bytes()).map_err(failed)?;
    let mut answer = String::new();
    stream.take(LONGEST_ANSWER).read_to_string(&mut answer).map_err(|e| match e.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => AskError::Failed("intercom does not answer".into()),
        _ => failed(e),
    })?;
    let answer: Value =
        serde_json::from_str(&answer).map_err(|_| AskError::Failed("intercom ended without an answer".into()))?;
    match answer.get("error").and_then(Value::as_str) {
        Some(problem) => Err(AskError::Failed(problem.to_owned())),
        None => Ok(answer),
    }
}

/// A link for a new viewer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLink {
    /// Number of its key.
    pub key: KeyId,
    /// The links.
    pub links: links::Links,
    /// Whether a daemon runs that takes it at once.
    pub running: bool,
}

/// Makes a link: asks the daemon, or, if there is none, writes the key where the next one will find it. `port` and
/// `public` are those of the configuration, for the latter case. Home will call the viewer `name`.
pub fn new_link(
    state_dir: &Path,
    name: Option<&str>,
    port: u16,
    public: Option<&PublicAddress>,
) -> Result<NewLink, String> {
    let name = name.map(names::tidy).transpose()?;
    match ask(state_dir, &Request::Link { name: name.clone() }) {
        Ok(answer) => {
            let key = answer["key"].as_u64().ok_or("intercom gave an answer without a key")?;
            Ok(NewLink { key: KeyId(key), links: links_in(&answer), running: true })
        }
        Err(AskError::NotRunning(_)) => {
            state::make_private_dir(state_dir).map_err(|e| e.to_string())?;
            reset::finish(state_dir).map_err(|e| e.to_string())?;
            let (id, key): (KeyId, Key) =
                KeyFile::in_dir(state_dir).mint(name.as_deref()).map_err(|e| e.to_string())?;
            let links = links::links(&addresses::read(None), port, public, &key);
            Ok(NewLink { key: id, links, running: false })
        }
        Err(e) => Err(e.to_string()),
    }
}

/// Has the TV show a code for a new viewer whom home will call `name`; the links that say the same.
pub fn new_code(state_dir: &Path, name: Option<&str>) -> Result<links::Links, String> {
    let name = name.map(names::tidy).transpose()?;
    ask(state_dir, &Request::Code { name }).map(|answer| links_in(&answer)).map_err(|e| e.to_string())
}

/// What a reset did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResetHome {
    /// Keys that were stored.
    pub keys: u64,
    /// The daemon that ran, and has ended for it.
    pub ran: Ran,
}

/// Which daemon there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ran {
    /// None.
    No,
    /// One that a service manager starts again.
    AsService,
    /// One that somebody started.
    ByHand,
}

/// Forgets all keys and certificates: through the daemon, which ends, or, if there is none, in the directory.
pub fn reset(state_dir: &Path) -> Result<ResetHome, String> {
    match ask(state_dir, &Request::Reset {}) {
        Ok(answer) => {
            // Until its files are gone, however it ends; they count for nothing already.
            let until = clock::now() + PATIENCE * 5;
            while reset::is_begun(state_dir) && clock::now() < until {
                clock::sleep_until(clock::now() + Duration::from_millis(20));
            }
            let ran = if answer["service"] == true { Ran::AsService } else { Ran::ByHand };
            Ok(ResetHome { keys: answer["keys"].as_u64().unwrap_or_default(), ran })
        }
        Err(AskError::NotRunning(_)) if state_dir.is_dir() => {
            let _claim = Claim::take_existing(state_dir)?;
            let keys = KeyFile::in_dir(state_dir).load().map_or(0, |ring| ring.len() as u64);
            reset::begin(state_dir).and_then(|()| reset::finish(state_dir)).map_err(|e| e.to_string())?;
            Ok(ResetHome { keys, ran: Ran::No })
        }
        Err(AskError::NotRunning(_)) => Err(format!("nothing to reset: there is no folder {}", state_dir.display())),
        Err(e) => Err(e.to_string()),
    }
}

fn links_in(answer: &Value) -> links::Links {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let all = answer["links"].as_array().map(|all| all.iter().filter_map(text).collect()).unwrap_or_default();
    links::Links { all, best: text(&answer["best"]) }
}

/// Ends a key and its visits, through the daemon or, if there is none, in the file.
pub fn revoke(state_dir: &Path, id: KeyId) -> Result<(), String> {
    match ask(state_dir, &Request::Revoke { id: id.0 }) {
        Ok(_) => Ok(()),
        Err(AskError::NotRunning(_)) if id != KeyId::TEMPORARY && state_dir.is_dir() => {
            revoke_stored(&KeyFile::in_dir(state_dir), id)
        }
        Err(e) => Err(e.to_string()),
    }
}
