//! The thread `disk`: stores keys and whether home is muted, since neither the loop nor a command at the shell waits for a disk.

use std::io;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use crate::access::keys::{Key, KeyId};
use crate::shell::key_file::{KeyFile, KeyFileError};
use crate::shell::mute_file::MuteFile;
use crate::shell::pulse;
use crate::shell::state::StateError;
use crate::shell::wires::{CodeId, NewKey, ToLoop, ToLoopHandle};
use crate::shell::worker::{Exit, Worker, spawn_worker};

/// While nobody comes, the thread looks this often whether it is still wanted.
const REST: Duration = Duration::from_secs(10);

/// Jobs that may wait; whoever finds no room has to do without.
pub const JOBS: usize = 16;

/// A key, its number, and why the disk does not take it, if it does not.
pub type Minted = Result<(KeyId, Key, Option<StateError>), KeyFileError>;

/// What is to be stored.
#[derive(Debug)]
pub enum Job {
    /// A key for whoever read this code, whom home will call so; answered with [`ToLoop::Minted`].
    Code(CodeId, Option<String>),
    /// A key for somebody whom home will call so.
    Link(Option<String>, Sender<Minted>),
    /// This key opens no more; it does so already for the process that runs. Says whether that is kept.
    Revoked(KeyId, Sender<bool>),
    /// Home is muted, or open again.
    Muted(bool),
    /// Says when all before it is done, and whether the mute is kept.
    Settled(Sender<bool>),
}

/// Starts the thread.
///
/// # Errors
/// If the system has no thread to give.
pub fn spawn_disk(jobs: Receiver<Job>, keys: KeyFile, mute: MuteFile, to_loop: ToLoopHandle) -> io::Result<Worker> {
    spawn_worker("disk", move || {
        loop {
            pulse::beat(REST);
            let job = match jobs.recv_timeout(REST) {
                Ok(job) => job,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return Exit::Done,
            };
            // A disk that does not answer is no reason to begin anew: it would not answer then, either.
            pulse::rest();
            // Whoever asked may be gone by now.
            match job {
                Job::Code(code, name) => to_loop.tell(ToLoop::Minted(code, for_code(&keys, name))),
                Job::Link(name, answer) => drop(answer.try_send(keys.mint_for_now(name.as_deref()))),
                Job::Revoked(id, answer) => drop(answer.try_send(revoke(&keys, id))),
                Job::Muted(muted) => mute.store(muted),
                Job::Settled(answer) => drop(answer.try_send(mute.is_kept())),
            }
        }
    })
}

fn for_code(keys: &KeyFile, name: Option<String>) -> Option<(NewKey, String)> {
    match keys.mint_for_now(name.as_deref()) {
        Ok((id, key, lost)) => {
            // A phone that works now is better than none; the TV tells of the disk.
            if let Some(error) = lost {
                log::warn!("key {id} lasts only until the end of this process: {error}");
            }
            Some((NewKey { number: id.0, hash: key.hash(), name }, key.to_text()))
        }
        Err(error) => {
            log::error!("no key for whoever read the code: {error}");
            None
        }
    }
}

fn revoke(keys: &KeyFile, id: KeyId) -> bool {
    let lost = match keys.revoke_for_now(id) {
        Ok(Ok(lost)) => lost.map(|error| error.to_string()),
        // Not there: nothing to be kept.
        Ok(Err(_)) => None,
        Err(error) => Some(error.to_string()),
    };
    if let Some(error) = &lost {
        log::error!("that key {id} was revoked holds only until the end of this process: {error}");
    }
    lost.is_none()
}
