//! The thread `disk`: stores people, keys, and what holds for home, since neither the loop nor a command at the shell waits for a disk.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError};
use intercom_core::call::house::House;
use intercom_core::people::keys::Key;
use intercom_core::people::news::NewsBook;
use intercom_core::people::register::Wish;
use intercom_core::people::visits::VisitLog;
use intercom_core::tv::local_time::Zone;

use crate::shell::devices::ZONE;
use crate::shell::house_file::HouseFile;
use crate::shell::key_file::{KeyFile, KeyFileError};
use crate::shell::pulse;
use crate::shell::state::StateError;
use crate::shell::switch_file::SwitchFile;
use crate::shell::text_file::TextFile;
use crate::shell::wires::{Change, ExchangeId, For, InviteId, NewKey, NewLink, ToLoop, ToLoopHandle};
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
    /// A link that an owner's page asked for; answered with [`ToLoop::InviteMade`].
    Invite(InviteId, Wish),
    /// What was changed of a person; it is so already for the process that runs.
    Change(Change),
    /// Says when all before it is done, and whether the last change is kept.
    Changed(Sender<bool>),
    /// What an owner set of home.
    House(House),
    /// Home is muted, or open again.
    Muted(bool),
    /// The curtain is drawn, or open again.
    Curtain(bool),
    /// The visit log.
    Visits(VisitLog),
    /// What owners are to hear.
    News(NewsBook),
    /// Says when all before it is done, and whether the mute is kept.
    Settled(Sender<bool>),
}

/// Starts the thread.
///
/// # Errors
/// If the system has no thread to give.
pub fn spawn_disk(jobs: Receiver<Job>, files: Files, to_loop: ToLoopHandle) -> io::Result<Worker> {
    spawn_worker("disk", move || {
        let (mut zone, mut changed) = (None, true);
        loop {
            pulse::beat(REST);
            tell_zone(&mut zone, &to_loop);
            let job = match jobs.recv_timeout(REST) {
                Ok(job) => job,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return Exit::Done,
            };
            // A disk that does not answer is no reason to start again: it would not answer then, either.
            pulse::rest();
            // Anyone who asked may be gone by now.
            match job {
                Job::Key(exchange, whom) => to_loop.tell(ToLoop::Minted(exchange, mint(&files.keys, &whom))),
                Job::Link(wish, answer) => drop(answer.try_send(files.keys.invite_for_now(&wish))),
                Job::Revoked(number, answer) => drop(answer.try_send(revoke(&files.keys, number))),
                Job::Invite(invite, wish) => to_loop.tell(ToLoop::InviteMade(invite, make_link(&files.keys, &wish))),
                Job::Change(change) => changed = store(&files.keys, &change),
                Job::Changed(answer) => drop(answer.try_send(changed && !files.keys.is_unkept())),
                Job::House(house) => files.house.store(house),
                Job::Muted(muted) => files.mute.store(muted),
                Job::Curtain(drawn) => files.curtain.store(drawn),
                // What comes next writes all of it again.
                Job::Visits(log) => tell_lost("the visit log", files.visits.store(&log)),
                Job::News(news) => tell_lost("what owners are to hear", files.news.store(&news)),
                Job::Settled(answer) => drop(answer.try_send(files.mute.is_kept() && files.curtain.is_kept())),
            }
        }
    })
}

/// What it stores in. All clones are one.
#[derive(Clone, Debug)]
pub struct Files {
    /// People and their keys.
    pub keys: KeyFile,
    /// Whether home is muted.
    pub mute: SwitchFile,
    /// Whether the curtain is drawn.
    pub curtain: SwitchFile,
    /// What an owner set of home.
    pub house: HouseFile,
    /// The visit log.
    pub visits: TextFile<VisitLog>,
    /// What owners are to hear.
    pub news: TextFile<NewsBook>,
}

impl Files {
    /// All in this directory.
    pub fn in_dir(dir: &Path) -> Files {
        Files {
            keys: KeyFile::in_dir(dir),
            mute: SwitchFile::mute(dir),
            curtain: SwitchFile::curtain(dir),
            house: HouseFile::in_dir(dir),
            visits: TextFile::in_dir(dir),
            news: TextFile::in_dir(dir),
        }
    }
}

/// Jobs that the thread has had no room for; they are offered again each turn, in their order.
#[derive(Debug, Default)]
pub struct Unstored(VecDeque<Job>);

/// So many wait; what comes then holds until the end of the process.
const MOST_UNSTORED: usize = 256;

impl Unstored {
    /// One more. A switch that was set twice is stored as it was set last.
    pub fn push(&mut self, job: Job) {
        let newer = |old: &Job| {
            matches!(
                (old, &job),
                (Job::Muted(_), Job::Muted(_))
                    | (Job::Curtain(_), Job::Curtain(_))
                    | (Job::House(_), Job::House(_))
                    | (Job::Visits(_), Job::Visits(_))
                    | (Job::News(_), Job::News(_))
            )
        };
        self.0.retain(|old| !newer(old));
        if self.0.len() < MOST_UNSTORED {
            self.0.push_back(job);
        } else {
            log::error!("the disk does not answer: a change holds only until the end of this process");
        }
    }

    /// Hands over what there is room for.
    pub fn offer(&mut self, disk: &Sender<Job>) {
        while let Some(job) = self.0.pop_front() {
            if let Err(TrySendError::Full(job)) = disk.try_send(job) {
                return self.0.push_front(job);
            }
        }
    }
}

impl Unstored {
    /// Hands over everything at the end of the process, by `until`.
    pub fn finish(&mut self, disk: &Sender<Job>, until: Instant) {
        while let Some(job) = self.0.pop_front() {
            if disk.send_deadline(job, until).is_err() {
                log::error!("the disk does not answer: {} changes are lost", self.0.len() + 1);
                return self.0.clear();
            }
        }
    }
}

/// Tells the loop of home's zone, if it is another one.
fn tell_zone(known: &mut Option<Vec<u8>>, to_loop: &ToLoopHandle) {
    let zone = std::fs::read(ZONE).unwrap_or_default();
    if known.as_ref() != Some(&zone) {
        to_loop.tell(ToLoop::Zone(Zone::of_file(&zone)));
        *known = Some(zone);
    }
}

fn tell_lost(what: &str, stored: Result<(), StateError>) {
    if let Err(error) = stored {
        log::error!("{what} is not kept: {error}");
    }
}

fn make_link(keys: &KeyFile, wish: &Wish) -> Option<(NewLink, String)> {
    match keys.invite_for_now(wish) {
        Ok((link, token, lost)) => {
            if let Some(error) = lost {
                log::warn!(
                    "the link for person {} lasts only until the end of this process: {error}",
                    link.person.number
                );
            }
            Some((link, token.to_text()))
        }
        Err(error) => {
            log::error!("no link for an owner who asked: {error}");
            None
        }
    }
}

/// False if it cannot be stored later, either.
fn store(keys: &KeyFile, change: &Change) -> bool {
    match keys.apply_for_now(change) {
        Ok(None) => true,
        Ok(Some(error)) => {
            log::error!("a change of a person holds only until the end of this process: {error}");
            true
        }
        Err(error) => {
            log::error!("a change of a person is not stored: {error}");
            false
        }
    }
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

#[cfg(test)]
mod tests {
    use crossbeam_channel::bounded;

    use super::*;
    use crate::shell::clock;

    fn named(name: &str) -> Job {
        Job::House(House { name: Some(name.to_owned()), ..House::default() })
    }

    #[test]
    fn what_found_no_room_is_handed_over_in_its_order_and_the_last_of_it_at_the_end() {
        let (disk, jobs) = bounded(1);
        let mut unstored = Unstored::default();
        let (answer, _asker) = bounded(1);
        for job in [Job::Muted(true), named("A"), Job::Muted(false), named("B"), Job::Settled(answer)] {
            unstored.push(job);
            unstored.offer(&disk);
        }
        // The first went at once; of what waited, the newest of each kind is left, and the question comes behind it.
        assert!(matches!(jobs.try_recv(), Ok(Job::Muted(true))));
        let slow = std::thread::spawn(move || jobs.iter().collect::<Vec<_>>());
        unstored.finish(&disk, clock::now() + Duration::from_secs(20));
        drop(disk);
        let stored = slow.join().unwrap();
        let [Job::Muted(false), Job::House(house), Job::Settled(_)] = stored.as_slice() else { panic!("{stored:?}") };
        assert_eq!(house.name.as_deref(), Some("B"));
    }
}
