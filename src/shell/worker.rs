//! Named worker threads: a panic is logged with the thread's name, and the work begins again after a pause.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use intercom_core::call::contain::contain;

use crate::shell::clock;
use crate::shell::priority::Class;
use crate::shell::pulse::{self, Pulse};

/// How a worker's function came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The work is over; the thread ends.
    Done,
    /// The work cannot go on as it is; it begins again after a pause, like after a panic.
    Again,
}

/// A running worker. Dropping it lets the thread go on on its own.
#[derive(Debug)]
pub struct Worker {
    name: String,
    thread: Thread,
    pulse: Arc<Pulse>,
    dismissed: Arc<AtomicBool>,
    /// Never carries anything: the thread's end closes it.
    ended: Receiver<()>,
}

/// Starts a thread that calls `work` until it says [`Exit::Done`] or the worker is dismissed.
///
/// `work` must set up what it needs again on each call, because a panic may leave halves behind. Between two
/// calls there is a pause of 1 s that doubles up to 10 s; a call that lasted 10 s resets it, so that a worker
/// which fails at once each time does not turn into a storm. The thread has a [`Pulse`], which is felt once
/// `work` beats it: from then on it must, before each wait, and at least every [`pulse::GRACE`] while it works.
///
/// The kernel shows the first 15 bytes of `name`. Fails if the system has no thread to give.
pub fn spawn_worker(name: &str, work: impl FnMut() -> Exit + Send + 'static) -> io::Result<Worker> {
    spawn_in(Class::Normal, name, work)
}

/// The same, with another priority.
pub fn spawn_in(class: Class, name: &str, work: impl FnMut() -> Exit + Send + 'static) -> io::Result<Worker> {
    let dismissed = Arc::new(AtomicBool::new(false));
    let (alive, ended) = bounded::<()>(0);
    let (label, flag) = (name.to_owned(), dismissed.clone());
    let pulse = Pulse::new(name);
    let own = Arc::clone(&pulse);
    let handle = thread::Builder::new().name(name.to_owned()).spawn(move || {
        // Dropped in the reverse order: anyone who waits for the end finds all that the work owned (ports!) given back.
        let _alive = alive;
        let _silence = Silence;
        own.adopt();
        class.take();
        let mut work = work;
        let mut pauses = Pauses::default();
        loop {
            let began = clock::now();
            pulse::rest();
            match contain(&mut work) {
                Ok(Exit::Done) => return,
                Ok(Exit::Again) => {}
                Err(panic) => log::error!("thread {label} panicked: {panic}"),
            }
            if flag.load(Ordering::Acquire) {
                return;
            }
            let pause = pauses.after(clock::now() - began);
            log::warn!("thread {label} begins again in {} s", pause.as_secs());
            let until = clock::now() + pause;
            pulse::beat(pause);
            while !flag.load(Ordering::Acquire) {
                let left = until.saturating_duration_since(clock::now());
                if left.is_zero() {
                    break;
                }
                thread::park_timeout(left);
            }
            if flag.load(Ordering::Acquire) {
                return;
            }
        }
    })?;
    Ok(Worker { name: name.to_owned(), thread: handle.thread().clone(), pulse, dismissed, ended })
}

/// A thread that has ended as it should is not stuck.
struct Silence;

impl Drop for Silence {
    fn drop(&mut self) {
        pulse::rest();
    }
}

impl Worker {
    /// No further call of the work; ends a pause between two calls at once. A call that runs must be told by
    /// its own means.
    pub fn dismiss(&self) {
        self.dismissed.store(true, Ordering::Release);
        self.thread.unpark();
    }

    /// Waits for the thread's end; says whether it came within `time`. Call [`Worker::dismiss`] before.
    pub fn join_within(&self, time: Duration) -> bool {
        let ended = self.ended.recv_timeout(time) != Err(RecvTimeoutError::Timeout);
        if !ended {
            log::warn!("thread {} has not ended within {} ms", self.name, time.as_millis());
        }
        ended
    }

    /// The thread's pulse.
    pub fn pulse(&self) -> Arc<Pulse> {
        Arc::clone(&self.pulse)
    }

    /// Whether the thread has ended.
    pub fn has_ended(&self) -> bool {
        self.ended.try_recv() == Err(crossbeam_channel::TryRecvError::Disconnected)
    }
}

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
const STABLE: Duration = Duration::from_secs(10);

/// The pauses between failures.
#[derive(Debug)]
struct Pauses(Duration);

impl Default for Pauses {
    fn default() -> Pauses {
        Pauses(FIRST_PAUSE)
    }
}

impl Pauses {
    /// How long to wait after a run that lasted `ran`.
    fn after(&mut self, ran: Duration) -> Duration {
        if ran >= STABLE {
            self.0 = FIRST_PAUSE;
        }
        let pause = self.0;
        self.0 = (pause * 2).min(LONGEST_PAUSE);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_ten_seconds_and_reset_after_a_stable_run() {
        let mut pauses = Pauses::default();
        let short = Duration::from_millis(5);
        let grown: Vec<u64> = (0..6).map(|_| pauses.after(short).as_secs()).collect();
        assert_eq!(grown, [1, 2, 4, 8, 10, 10]);
        assert_eq!(pauses.after(Duration::from_secs(11)).as_secs(), 1);
        assert_eq!(pauses.after(short).as_secs(), 2);
    }

    #[test]
    fn a_panicking_worker_does_its_work_again_until_it_is_done() {
        let (sender, calls) = bounded(4);
        let mut call = 0;
        let worker = spawn_worker("test-worker", move || {
            call += 1;
            sender.send((call, thread::current().name().map(str::to_owned))).unwrap();
            if call == 1 { panic!("a test's panic, meant to be seen in the log") } else { Exit::Done }
        })
        .unwrap();
        let name = Some("test-worker".to_owned());
        assert_eq!(calls.recv_timeout(Duration::from_secs(20)), Ok((1, name.clone())));
        assert_eq!(calls.recv_timeout(Duration::from_secs(20)), Ok((2, name)));
        assert!(worker.join_within(Duration::from_secs(20)));
        assert!(worker.has_ended());
    }

    #[test]
    fn a_dismissed_worker_does_not_begin_again() {
        let (sender, calls) = bounded(4);
        let worker = spawn_worker("test-dismissed", move || {
            sender.send(()).unwrap();
            Exit::Again
        })
        .unwrap();
        calls.recv_timeout(Duration::from_secs(20)).unwrap();
        worker.dismiss();
        assert!(worker.join_within(Duration::from_secs(20)));
        assert!(calls.try_recv().is_err());
    }
}
