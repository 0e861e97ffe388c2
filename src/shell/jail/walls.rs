//! The walls: what this process may do no more. Nothing takes them down again.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::UdpSocket;

use landlock::{ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, Scope};
use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

use super::wire::PICTURE_BYTES;

/// Memory for decoders: eight streams of 1920x1080 take half of it.
const MEMORY: u64 = 768 << 20;

/// Which walls stand, by having run against them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walls {
    /// No file can be opened (landlock).
    pub files: bool,
    /// System calls that decoding does not need are refused (seccomp).
    pub calls: bool,
}

/// Raises them around this process, which has one thread. What the kernel does not know is left out.
pub fn raise() -> Walls {
    // Dies with its keeper, is not read or traced by others, and gains nothing by starting a program.
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    let _ = rustix::thread::set_no_new_privs(true);
    let _ = rustix::thread::clear_ambient_capability_set();
    let none = CapabilitySet::empty();
    let _ =
        rustix::thread::set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none });
    let limits = [
        (Resource::As, MEMORY),
        (Resource::Core, 0),
        (Resource::Fsize, PICTURE_BYTES as u64),
        (Resource::Nofile, 3),
        (Resource::Nproc, 0),
        (Resource::Memlock, 0),
        (Resource::Msgqueue, 0),
    ];

    let ruled = Ruleset::default()
        .handle_access(AccessFs::from_all(ABI::V6))
        .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(ABI::V6)))
        .and_then(|ruleset| ruleset.scope(Scope::from_all(ABI::V6)))
        .and_then(|ruleset| ruleset.create())
        .and_then(|ruleset| ruleset.restrict_self());
    if let Err(error) = ruled {
        eprintln!("jail: landlock: {error}");
    }
    // Before the limit on descriptors, which would be a wall of its own.
    let files = File::open("/proc/self/status").is_err() && File::open("/").is_err();
    for (resource, limit) in limits {
        let _ = setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(limit) });
    }
    match filter() {
        Ok(program) => {
            if let Err(error) = seccompiler::apply_filter(&program) {
                eprintln!("jail: seccomp: {error}");
            }
        }
        Err(error) => eprintln!("jail: seccomp: {error}"),
    }
    // A descriptor too many is EMFILE; the filter says EPERM.
    let refused = |error: std::io::Error| error.raw_os_error() == Some(libc::EPERM);
    let calls = UdpSocket::bind("127.0.0.1:0").err().is_some_and(refused);
    Walls { files, calls }
}

/// What decoding needs, and nothing else; what is refused says so, and is no reason to die.
fn filter() -> Result<BpfProgram, seccompiler::Error> {
    let any = Vec::new;
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = [
        libc::SYS_brk,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_madvise,
        libc::SYS_futex,
        libc::SYS_clock_gettime,
        libc::SYS_getrandom,
        libc::SYS_sched_yield,
        libc::SYS_sigaltstack,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_restart_syscall,
        libc::SYS_exit,
        libc::SYS_exit_group,
    ]
    .into_iter()
    .map(|call| (call, any()))
    .collect();
    // Its three descriptors, each for its purpose; one that was handed down by mistake is of no use.
    let on = |descriptor: u64| {
        SeccompRule::new(vec![SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, descriptor)?])
    };
    rules.insert(libc::SYS_read, vec![on(0)?]);
    rules.insert(libc::SYS_write, vec![on(0)?, on(2)?]);
    rules.insert(libc::SYS_pwrite64, vec![on(1)?]);
    // Memory is never made executable.
    let not_executable = || {
        let mask = SeccompCmpOp::MaskedEq(libc::PROT_EXEC as u64);
        SeccompRule::new(vec![SeccompCondition::new(2, SeccompCmpArgLen::Dword, mask, 0)?])
    };
    rules.insert(libc::SYS_mmap, vec![not_executable()?]);
    rules.insert(libc::SYS_mprotect, vec![not_executable()?]);
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Errno(libc::EPERM as u32),
        SeccompAction::Allow,
        std::env::consts::ARCH.try_into()?,
    )?;
    Ok(filter.try_into()?)
}
