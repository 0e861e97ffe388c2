//! The thread `disk`: stores keys and whether home is muted, since neither the loop nor a command at the shell waits for a disk.

use std::io;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use intercom_core::people::keys::Key;
use intercom_core::people::register::Wish;

use crate::shell::key_file::{KeyFile, KeyFileError};
use crate::shell::mute_file::MuteFile;
use crate::shell::pulse;
use crate::shell::state::StateError;
use crate::shell::wires::{ExchangeId, For, NewKey, NewLink, ToLoop, ToLoopHandle};
use crate::shell::worker::{Exit, Worker, spawn_worker};

/// While nobody comes, the thread looks this often whether it is still wanted.
const REST: Duration = Duration::from_secs(10);

/// Jobs that may wait; anyone who finds no room has to do without.
pub const JOBS: usize = 16;

/// A link, its token, and why the disk does not take it, if it does not.
pub type Made = Result<(NewLink, Key, Option<StateError>), KeyFileError>;

/// What is to be stored.
#[derive(Debug)]
pub enum Job {
    /// A key for anyone who has shown a token; answered with [`ToLoop::Minted`].
    Key(ExchangeId, For),
    /// A link for somebody new.
    Link(Wish, Sender<Made>),
    /// The key or person of this number comes in no more; it is so already for the process that runs. Says whether that is kept.
    Revoked(u64, Sender<bool>),
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
            // A disk that does not answer is no reason to start again: it would not answer then, either.
            pulse::rest();
            // Anyone who asked may be gone by now.
            match job {
                Job::Key(exchange, whom) => to_loop.tell(ToLoop::Minted(exchange, mint(&keys, &whom))),
                Job::Link(wish, answer) => drop(answer.try_send(keys.invite_for_now(&wish))),
                Job::Revoked(number, answer) => drop(answer.try_send(revoke(&keys, number))),
                Job::Muted(muted) => mute.store(muted),
                Job::Settled(answer) => drop(answer.try_send(mute.is_kept())),
            }
        }
    })
}

fn mint(keys: &KeyFile, whom: &For) -> Option<(NewKey, String)> {
    match keys.mint_for_now(whom) {
        Ok((new, key, lost)) => {
            // A phone that works now is better than none; the TV tells of the disk.
            if let Some(error) = lost {
                log::warn!("key {} lasts only until the end of this process: {error}", new.number);
            }
            Some((new, key.to_text()))
        }
        Err(error) => {
            log::error!("no key for anyone who came in: {error}");
            None
        }
    }
}

fn revoke(keys: &KeyFile, number: u64) -> bool {
    let lost = match keys.revoke_for_now(number) {
        Ok(Ok(lost)) => lost.map(|error| error.to_string()),
        // Not there: nothing to be kept.
        Ok(Err(_)) => None,
        Err(error) => Some(error.to_string()),
    };
    if let Some(error) = &lost {
        log::error!("that number {number} was revoked holds only until the end of this process: {error}");
    }
    lost.is_none()
}
