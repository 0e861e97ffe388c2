//! How the kernel schedules the calling thread, and not what that thread starts; kept apart because it needs `unsafe`.
#![deny(missing_docs)]

use std::io;

/// A scheduling policy (sched(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// `SCHED_OTHER`: a fair share, by the thread's nice value.
    Other,
    /// `SCHED_RR`: before all that have no real time, with this priority of 1 to 99.
    RoundRobin(u8),
}

/// Puts the calling thread under `policy`. Threads and programs that it starts from now on begin as any other, with no
/// nice value below 0 (`SCHED_RESET_ON_FORK`).
///
/// # Errors
/// The kernel's: real time needs `RLIMIT_RTPRIO` or `CAP_SYS_NICE`. Nothing has changed then.
pub fn take(policy: Policy) -> io::Result<()> {
    let (policy, priority) = match policy {
        Policy::Other => (libc::SCHED_OTHER, 0),
        Policy::RoundRobin(priority) => (libc::SCHED_RR, libc::c_int::from(priority)),
    };
    // SAFETY: a struct of integers, for which zero is a value; some C libraries have more fields in it than this one.
    let mut parameters: libc::sched_param = unsafe { std::mem::zeroed() };
    parameters.sched_priority = priority;
    // SAFETY: it reads the parameters during the call only; process 0 is the calling thread.
    let result = unsafe { libc::sched_setscheduler(0, policy | libc::SCHED_RESET_ON_FORK, &raw const parameters) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// `policy` and `priority` of proc_pid_stat(5), of anyone who reads it.
    fn standing(stat: &str) -> [i32; 2] {
        let tail = stat.rsplit_once(')').unwrap().1;
        let field = |number: usize| tail.split_whitespace().nth(number - 3).unwrap().parse().unwrap();
        [field(41), field(40)]
    }

    fn own() -> [i32; 2] {
        standing(&std::fs::read_to_string("/proc/thread-self/stat").unwrap())
    }

    #[test]
    fn what_a_thread_starts_begins_as_any_other() {
        // A thread of its own, so that no other test runs in real time.
        std::thread::spawn(|| {
            let wanted = match take(Policy::RoundRobin(3)) {
                Ok(()) => [libc::SCHED_RR, 3],
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
                    take(Policy::Other).unwrap();
                    [libc::SCHED_OTHER, 0]
                }
            };
            assert_eq!(own(), wanted);
            let child = Command::new("cat").arg("/proc/self/stat").output().unwrap().stdout;
            assert_eq!(standing(std::str::from_utf8(&child).unwrap()), [libc::SCHED_OTHER, 0]);
            assert_eq!(std::thread::spawn(own).join().unwrap(), [libc::SCHED_OTHER, 0]);
            assert_eq!(own(), wanted);
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_priority_that_the_kernel_does_not_know_is_refused() {
        assert!(take(Policy::RoundRobin(100)).is_err());
    }
}
