//! The console in front of which the TV shows: with one of our own there, what is typed at home reaches no login behind
//! the picture; and anyone who calls a login to the front with a key sees it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::ioctl::{Getter, IntegerSetter, ioctl};
use rustix::termios::{OptionalActions, QueueSelector, tcflush, tcgetattr, tcgetsid, tcsetattr};

use crate::clock;
use crate::contract::DeviceError;

/// From linux/vt.h.
const VT_GETSTATE: u32 = 0x5603;
const VT_ACTIVATE: u32 = 0x5606;

/// The kernel changes consoles by and by; one that a desktop holds never makes way.
const CHANGED_WITHIN: Duration = Duration::from_secs(1);

/// Major number of `/dev/ttyN` (devices.txt); the minor numbers of consoles are 1 to 63.
const CONSOLES: u32 = 4;

/// The console of our own, if the program was started with one.
pub struct Console(Option<Arc<Mutex<Claim>>>);

impl Console {
    /// The one that standard input is, if it is this program's alone: a service that was given it (systemd's `TTYPath=`),
    /// not a command that somebody typed there and wants to end with a key.
    pub fn own() -> Console {
        match number(io::stdin().as_fd()) {
            Ok(ours) => Console(Some(Arc::new(Mutex::new(Claim::new(ours))))),
            Err(why) => {
                log::debug!("what is typed on a keyboard here goes to the console behind the picture: {why}");
                Console(None)
            }
        }
    }

    /// Whether the screen is ours to take: not while somebody works at another console, having called it to the front.
    pub fn check(&self) -> Result<(), DeviceError> {
        let Some(claim) = &self.0 else { return Ok(()) };
        let Ok(active) = active() else { return Ok(()) };
        lock(claim).handle_front(active)
    }

    /// Comes to the front, until what is returned is dropped. A console that cannot is no reason not to show.
    pub fn come(&self) -> Front {
        if let Some(claim) = &self.0
            && let Err(error) = bring(&mut lock(claim))
        {
            log::debug!("the console of the picture's own does not come to the front: {error}");
        }
        Front(self.0.clone())
    }
}

/// Our console is in front, or was; the one before comes back when this is dropped.
pub struct Front(Option<Arc<Mutex<Claim>>>);

impl Front {
    /// Whether it is still in front. What was typed is forgotten.
    pub fn check(&self) -> Result<(), DeviceError> {
        let Some(claim) = &self.0 else { return Ok(()) };
        let _ = tcflush(io::stdin(), QueueSelector::IFlush);
        let Ok(active) = active() else { return Ok(()) };
        lock(claim).handle_left(active)
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        if let Some(claim) = &self.0
            && let Ok(active) = active()
        {
            for number in lock(claim).handle_close(active) {
                let _ = call(number);
            }
        }
    }
}

/// Which console is in front, and whose wish that was.
#[derive(Debug, PartialEq, Eq)]
struct Claim {
    ours: u16,
    /// The one to go back to.
    before: u16,
    /// It came to the front while the picture was there; does a person work at it?
    shown: bool,
    left: bool,
}

impl Claim {
    fn new(ours: u16) -> Claim {
        // Where the first login is, should ours be in front already: an intercom before this one left it so.
        Claim { ours, before: 1, shown: false, left: false }
    }

    /// Before the screen is taken.
    fn handle_front(&mut self, active: u16) -> Result<(), DeviceError> {
        if active == self.ours {
            self.left = false;
        }
        if self.left { Err(self.taken(active)) } else { Ok(()) }
    }

    /// The screen is ours; whether our console must be called.
    fn handle_open(&mut self, active: u16) -> bool {
        if active != self.ours {
            self.before = active;
        }
        active != self.ours
    }

    /// Our console has come.
    fn handle_come(&mut self) {
        self.shown = true;
    }

    /// While the picture is there.
    fn handle_left(&mut self, active: u16) -> Result<(), DeviceError> {
        // One that never came cannot be left.
        self.left = self.shown && active != self.ours;
        if self.left { Err(self.taken(active)) } else { Ok(()) }
    }

    /// The picture is gone; the consoles to call, one after the other. Anyone who called one keeps it; but the kernel has not
    /// drawn it, since the screen was not its own then, and draws when it comes to the front once more.
    fn handle_close(&mut self, active: u16) -> Vec<u16> {
        let shown = std::mem::replace(&mut self.shown, false);
        match active == self.ours {
            true if self.before != self.ours => vec![self.before],
            false if shown => vec![self.ours, active],
            _ => Vec::new(),
        }
    }

    fn taken(&self, active: u16) -> DeviceError {
        let keys = if self.ours <= 12 { format!("Alt+F{}", self.ours) } else { format!("chvt {}", self.ours) };
        DeviceError::Busy(format!("somebody called console {active} to the front, and {keys} brings the picture back"))
    }
}

fn lock(claim: &Mutex<Claim>) -> MutexGuard<'_, Claim> {
    claim.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The number of the console that this is, or why it is not ours alone.
fn number(input: BorrowedFd<'_>) -> Result<u16, String> {
    let device = rustix::fs::fstat(input).map_err(|error| error.to_string())?.st_rdev;
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    match u16::try_from(minor) {
        Ok(number @ 1..=63) if major == CONSOLES => {
            let session = tcgetsid(input).map_err(|error| error.to_string())?;
            let ours = session == rustix::process::getpid();
            if ours { Ok(number) } else { Err("this program was started from it".into()) }
        }
        _ => Err("standard input is no console".into()),
    }
}

fn bring(claim: &mut Claim) -> io::Result<()> {
    // No key means anything here: nothing is echoed, and Ctrl+C ends nothing.
    let mut settings = tcgetattr(io::stdin())?;
    settings.make_raw();
    tcsetattr(io::stdin(), OptionalActions::Now, &settings)?;
    if claim.handle_open(active()?) {
        call(claim.ours)?;
    }
    claim.handle_come();
    Ok(())
}

/// The console in front.
fn active() -> io::Result<u16> {
    /// `struct vt_stat` of linux/vt.h.
    #[repr(C)]
    struct State {
        active: u16,
        signal: u16,
        state: u16,
    }
    // SAFETY: VT_GETSTATE fills one `vt_stat`, which has this layout, and any bits make one.
    let state = unsafe { ioctl(io::stdin(), Getter::<VT_GETSTATE, State>::new()) }?;
    let State { active, signal: _, state: _ } = state;
    Ok(active)
}

/// Calls a console to the front, which anyone who owns one may, and waits until it is there.
fn call(number: u16) -> io::Result<()> {
    // SAFETY: VT_ACTIVATE takes a number by value and touches no memory of ours.
    unsafe { ioctl(io::stdin(), IntegerSetter::<VT_ACTIVATE>::new_usize(usize::from(number))) }?;
    let deadline = clock::now() + CHANGED_WITHIN;
    while active()? != number {
        if clock::now() >= deadline {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "another one does not make way"));
        }
        clock::sleep_until(clock::now() + Duration::from_millis(10));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_console_before_comes_back() {
        let mut claim = Claim::new(8);
        assert!(claim.handle_front(2).is_ok() && claim.handle_open(2));
        claim.handle_come();
        assert!(claim.handle_left(8).is_ok());
        assert_eq!(claim.handle_close(8), [2]);
        assert!(claim.handle_front(2).is_ok(), "a TV that was unplugged and is back takes it again");
    }

    #[test]
    fn a_person_who_calls_a_login_keeps_it_until_they_call_the_picture() {
        let mut claim = Claim::new(8);
        claim.handle_open(1);
        claim.handle_come();
        let error = claim.handle_left(3).unwrap_err();
        assert!(matches!(&error, DeviceError::Busy(what) if what.contains("console 3") && what.contains("Alt+F8")));
        assert_eq!(claim.handle_close(3), [8, 3], "it is drawn, and nobody is torn away from it");
        assert_eq!(claim.handle_front(3), Err(error));
        assert!(claim.handle_front(1).is_err() && claim.handle_front(8).is_ok());
        assert!(!claim.handle_open(8));
        claim.handle_come();
        assert_eq!(claim.handle_close(8), [1]);
    }

    #[test]
    fn a_console_that_never_came_is_not_missed() {
        let mut claim = Claim::new(8);
        assert!(claim.handle_open(7));
        assert!(claim.handle_left(7).is_ok() && claim.handle_front(7).is_ok());
        assert!(claim.handle_close(7).is_empty());
    }

    #[test]
    fn after_a_crash_it_goes_back_to_the_first_login() {
        let mut claim = Claim::new(8);
        assert!(!claim.handle_open(8));
        claim.handle_come();
        assert_eq!(claim.handle_close(8), [1]);
        let mut claim = Claim::new(1);
        claim.handle_open(1);
        claim.handle_come();
        assert!(claim.handle_close(1).is_empty());
    }

    #[test]
    fn what_is_no_console_is_none_of_ours() {
        let null = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(number(null.as_fd()), Err("standard input is no console".into()));
    }
}
