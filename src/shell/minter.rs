//! The thread `minter`: stores keys for viewers who read a code off the TV, since the loop never waits for a disk.

use std::io;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use crate::shell::key_file::KeyFile;
use crate::shell::pulse;
use crate::shell::wires::{CodeId, NewKey, ToLoop, ToLoopHandle};
use crate::shell::worker::{Exit, Worker, spawn_worker};

/// While nobody comes, the thread looks this often whether it is still wanted.
const REST: Duration = Duration::from_secs(10);

/// Starts the thread. `wanted` are codes that were read, and the names of those who read them.
///
/// # Errors
/// If the system has no thread to give.
pub fn spawn_minter(
    wanted: Receiver<(CodeId, Option<String>)>,
    keys: KeyFile,
    to_loop: ToLoopHandle,
) -> io::Result<Worker> {
    spawn_worker("minter", move || {
        loop {
            pulse::beat(REST);
            let (code, name) = match wanted.recv_timeout(REST) {
                Ok(wanted) => wanted,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return Exit::Done,
            };
            let minted = match keys.mint_for_now(name.as_deref()) {
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
            };
            to_loop.tell(ToLoop::Minted(code, minted));
        }
    })
}
