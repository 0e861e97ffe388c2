//! The command line's side of the control socket: asks the running daemon, or does without one.

use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use intercom_base::settings::PublicAddress;
use intercom_core::call::protocol::{PeopleList, PersonInfo, VisitEntry};
use intercom_core::people::edit::Edit;
use intercom_core::people::keys::KeyId;
use intercom_core::people::names;
use intercom_core::people::register::{Role, Wish};
use intercom_core::people::visits::VisitLog;
use intercom_core::reach::links;
use serde_json::Value;

use crate::config::StatePaths;
use crate::shell::control::{Claim, PATIENCE, Request};
use crate::shell::house_file::HouseFile;
use crate::shell::key_file::{KeyFile, KeyFileError};
use crate::shell::switch_file::SwitchFile;
use crate::shell::text_file::TextFile;
use crate::shell::{addresses, clock, reset, state};

/// Longest answer that a command line reads: that of some thousand people.
const LONGEST_ANSWER: u64 = 1024 * 1024;

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

/// The first of these where an intercom runs.
///
/// # Errors
/// If there is none; what the first one says.
pub fn find(all_paths: &[StatePaths]) -> Result<&StatePaths, AskError> {
    let mut why = None;
    for paths in all_paths {
        match ask(&paths.run, &Request::Status {}) {
            Ok(status) if !paths.shared || is_of(&status, &paths.state) => return Ok(paths),
            Ok(_) => {}
            // Where none runs, its state is what people know.
            Err(AskError::NotRunning(_)) => drop(why.get_or_insert(AskError::NotRunning(paths.state.clone()))),
            Err(error) => drop(why.get_or_insert(error)),
        }
    }
    Err(why.unwrap_or_else(|| AskError::Failed("no state directory".into())))
}

/// Whether this is the status of an intercom with that state.
fn is_of(status: &Value, state: &Path) -> bool {
    let state = std::fs::canonicalize(state).ok();
    state.is_some() && state.as_deref().and_then(Path::to_str) == status["state_dir"].as_str()
}

/// Asks the daemon whose socket is in `run_dir`. For the command line.
pub fn ask(run_dir: &Path, request: &Request) -> Result<Value, AskError> {
    let path = run_dir.join("control.sock");
    let failed = |e: io::Error| AskError::Failed(format!("{}: {e}", path.display()));
    let mut stream = UnixStream::connect(&path).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => AskError::NotRunning(run_dir.to_owned()),
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

/// A link for somebody new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkMade {
    /// The person's number.
    pub person: u64,
    /// The links.
    pub links: links::Links,
    /// Whether a daemon runs that takes it at once.
    pub running: bool,
    /// Whether it outlives that daemon.
    pub kept: bool,
}

/// Makes a link: asks the daemon, or, if there is none, writes it where the next one will find it. `port` and
/// `public` are those of the configuration, for the latter case.
pub fn new_link(paths: &StatePaths, wish: Wish, port: u16, public: Option<&PublicAddress>) -> Result<LinkMade, String> {
    let wish = wish.tidy()?;
    let state_dir = &paths.state;
    match ask(&paths.run, &Request::Link(wish.clone())) {
        Ok(answer) => {
            let person = answer["person"].as_u64().ok_or("intercom gave an answer without a person")?;
            Ok(LinkMade { person, links: links_in(&answer), running: true, kept: answer["kept"] != false })
        }
        Err(AskError::NotRunning(_)) => {
            state::make_private_dir(state_dir).map_err(|e| e.to_string())?;
            reset::finish(state_dir).map_err(|e| e.to_string())?;
            let (link, token) = KeyFile::in_dir(state_dir).invite(&wish).map_err(|e| e.to_string())?;
            let links = links::token_links(&addresses::read(None), port, public, &token.to_text());
            Ok(LinkMade { person: link.person.number, links, running: false, kept: true })
        }
        Err(e) => Err(e.to_string()),
    }
}

/// Has the TV show a code for a new viewer whom home will call `name`; the links that say the same.
pub fn new_code(paths: &StatePaths, name: Option<&str>, role: Role) -> Result<links::Links, String> {
    let name = name.map(names::tidy).transpose()?;
    ask(&paths.run, &Request::Code { name, role }).map(|answer| links_in(&answer)).map_err(|e| e.to_string())
}

/// What a reset did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResetHome {
    /// People who could come in.
    pub people: u64,
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
pub fn reset(paths: &StatePaths) -> Result<ResetHome, String> {
    let state_dir = &paths.state;
    match ask(&paths.run, &Request::Reset {}) {
        Ok(answer) => {
            // Until its files are gone, however it ends; they count for nothing already.
            let until = clock::now() + PATIENCE * 5;
            while reset::is_begun(state_dir) && clock::now() < until {
                clock::sleep_until(clock::now() + Duration::from_millis(20));
            }
            let ran = if answer["service"] == true { Ran::AsService } else { Ran::ByHand };
            Ok(ResetHome { people: answer["people"].as_u64().unwrap_or_default(), ran })
        }
        Err(AskError::NotRunning(_)) if state_dir.is_dir() => {
            let _claim = Claim::take_existing(state_dir)?;
            let people = KeyFile::in_dir(state_dir).load().map_or(0, |people| people.numbers().len() as u64);
            reset::begin(state_dir).and_then(|()| reset::finish(state_dir)).map_err(|e| e.to_string())?;
            Ok(ResetHome { people, ran: Ran::No })
        }
        Err(AskError::NotRunning(_)) => Err(format!("nothing to reset: there is no folder {}", state_dir.display())),
        Err(e) => Err(e.to_string()),
    }
}

/// How the mute or the curtain is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwitchDone {
    /// Home is muted, or the curtain is drawn.
    pub on: bool,
    /// It stays so when the intercom is started again.
    pub kept: bool,
    /// An intercom runs.
    pub running: bool,
}

/// Mutes home or opens it again: the intercom that runs or, if there is none, the next one.
pub fn mute(paths: &StatePaths, on: bool) -> Result<SwitchDone, String> {
    switch(paths, on, &Request::Mute { on }, "muted", SwitchFile::mute)
}

/// Draws the curtain or opens it: of the intercom that runs or, if there is none, of the next one.
pub fn curtain(paths: &StatePaths, on: bool) -> Result<SwitchDone, String> {
    switch(paths, on, &Request::Curtain { on }, "drawn", SwitchFile::curtain)
}

fn switch(
    paths: &StatePaths,
    on: bool,
    request: &Request,
    word: &str,
    file: fn(&Path) -> SwitchFile,
) -> Result<SwitchDone, String> {
    match ask(&paths.run, request) {
        Ok(answer) => Ok(SwitchDone { on: answer[word] == true, kept: answer["kept"] == true, running: true }),
        Err(AskError::NotRunning(_)) if paths.state.is_dir() => {
            let _claim = Claim::take_existing(&paths.state)?;
            let file = file(&paths.state);
            file.store(on);
            match file.is_kept() {
                true => Ok(SwitchDone { on, kept: true, running: false }),
                false => Err(format!("the disk does not keep it: {} cannot be written", paths.state.display())),
            }
        }
        Err(e) => Err(e.to_string()),
    }
}

fn links_in(answer: &Value) -> links::Links {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let all = answer["links"].as_array().map(|all| all.iter().filter_map(text).collect()).unwrap_or_default();
    links::Links { all, best: text(&answer["best"]) }
}

/// Ends a person or a key, and their visits, through the daemon or, if there is none, in the file. False if the disk does not
/// take it: then it opens again after the next start.
pub fn revoke(paths: &StatePaths, number: u64) -> Result<bool, String> {
    match ask(&paths.run, &Request::Revoke { id: number }) {
        Ok(answer) => Ok(answer["kept"] != false),
        Err(AskError::NotRunning(_)) if number != KeyId::TEMPORARY.0 && paths.state.is_dir() => {
            let revoked = KeyFile::in_dir(&paths.state).revoke(number).map_err(|e| e.to_string())?;
            revoked.map(|()| true).map_err(|numbers| no_such_number(number, &numbers))
        }
        Err(e) => Err(e.to_string()),
    }
}

/// Who may visit: as the daemon has it, since a full disk may not have all of that, or, if there is none, as the files have it.
pub fn people(paths: &StatePaths) -> Result<PeopleList, String> {
    match ask(&paths.run, &Request::People {}) {
        Ok(answer) => {
            serde_json::from_value(answer).map_err(|e| format!("intercom gave an answer without people: {e}"))
        }
        Err(AskError::NotRunning(_)) if paths.state.is_dir() => {
            let people = KeyFile::in_dir(&paths.state).load().map_err(|e| e.to_string())?;
            let (now, house) = (clock::unix_time(), HouseFile::in_dir(&paths.state).read()?);
            let infos = people.persons().map(|person| PersonInfo::of(person, &people, now));
            Ok(PeopleList { people: infos.collect(), quiet_hours: house.quiet_hours.map(|hours| hours.to_string()) })
        }
        Err(e) => Err(e.to_string()),
    }
}

/// The visit log, the newest entry first: the daemon's or, if there is none, the file's.
pub fn visits(paths: &StatePaths) -> Result<Vec<VisitEntry>, String> {
    match ask(&paths.run, &Request::Visits {}) {
        Ok(answer) => {
            serde_json::from_value(answer).map_err(|e| format!("intercom gave an answer without visits: {e}"))
        }
        Err(AskError::NotRunning(_)) if paths.state.is_dir() => {
            let log = TextFile::<VisitLog>::in_dir(&paths.state).read()?;
            Ok(log.newest().map(|entry| VisitEntry::of(entry, false)).collect())
        }
        Err(e) => Err(e.to_string()),
    }
}

/// Forgets the visit log: the daemon's or, if there is none, the file's.
pub fn erase_visits(paths: &StatePaths) -> Result<(), String> {
    match ask(&paths.run, &Request::EraseVisits {}) {
        Ok(_) => Ok(()),
        Err(AskError::NotRunning(_)) if paths.state.is_dir() => {
            let _claim = Claim::take_existing(&paths.state)?;
            TextFile::in_dir(&paths.state).store(&VisitLog::default()).map_err(|e| e.to_string())
        }
        Err(e) => Err(e.to_string()),
    }
}

/// Calls this person, or everybody; how many pages ring.
pub fn call(paths: &StatePaths, person: Option<u64>) -> Result<u64, String> {
    let answer = ask(&paths.run, &Request::Call { person }).map_err(|e| e.to_string())?;
    Ok(answer["ringing"].as_u64().unwrap_or_default())
}

/// What changing a person did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edited {
    /// That was home's last owner, and is one no more.
    pub ownerless: bool,
    /// It outlives the daemon.
    pub kept: bool,
}

/// Changes a person, through the daemon or, if there is none, in the file.
pub fn edit(paths: &StatePaths, person: u64, edit: Edit) -> Result<Edited, String> {
    let edit = edit.tidy()?;
    match ask(&paths.run, &Request::Edit { person, edit: edit.clone() }) {
        Ok(answer) => Ok(Edited { ownerless: answer["ownerless"] == true, kept: answer["kept"] != false }),
        Err(AskError::NotRunning(_)) if paths.state.is_dir() => {
            let file = KeyFile::in_dir(&paths.state);
            match file.edit(person, &edit) {
                Ok(ownerless) => Ok(Edited { ownerless, kept: true }),
                Err(KeyFileError::Unknown(_)) => {
                    let numbers = file.load().map(|people| people.numbers()).unwrap_or_default();
                    Err(no_such_person(person, &numbers))
                }
                Err(error) => Err(error.to_string()),
            }
        }
        Err(e) => Err(e.to_string()),
    }
}

/// What is answered where no person and no key has this number.
pub(super) fn no_such_number(number: u64, persons: &[u64]) -> String {
    format!("there is no person and no key {number}; {}", there_are(persons))
}

/// What is answered where no person has this number.
pub fn no_such_person(number: u64, persons: &[u64]) -> String {
    format!("there is no person {number}; {}", there_are(persons))
}

fn there_are(persons: &[u64]) -> String {
    match persons {
        [] => "there is nobody".to_owned(),
        _ => {
            format!("there are the persons {}", persons.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
        }
    }
}
