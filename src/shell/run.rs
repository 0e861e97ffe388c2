//! The intercom's life: it is prepared, started, waited for, and ended in order.

use std::path::PathBuf;
use std::{fmt, io, thread};

use crossbeam_channel::{Receiver, Sender, bounded};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::config::{Config, ConfigTrial};
use crate::shell::daemon::Daemon;
use crate::shell::prepare::{Prepared, announce, open_access};
use crate::shell::service::Guardian;
use crate::shell::start_record::StartRecord;

/// Why the intercom could not start, or had to end.
#[derive(Debug)]
pub struct RunError {
    what: String,
    /// Another config might start.
    by_config: bool,
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for RunError {}

impl RunError {
    pub(super) fn new(what: String) -> RunError {
        RunError { what, by_config: false }
    }
}

pub(super) fn cannot<E: fmt::Display>(what: &str) -> impl FnOnce(E) -> RunError {
    let what = what.to_owned();
    move |error| RunError { what: format!("{what}: {error}"), by_config: false }
}

/// The same where the config is what stands in the way.
pub(super) fn unfit<E: fmt::Display>(what: &str) -> impl FnOnce(E) -> RunError {
    let error = cannot(what);
    move |why| RunError { by_config: true, ..error(why) }
}

/// A port may be somebody else's, or only for others.
pub(super) fn no_port(port: &str, error: io::Error) -> RunError {
    match error.kind() {
        io::ErrorKind::AddrInUse => unfit(port)("another program has it"),
        io::ErrorKind::PermissionDenied => unfit(port)("the system does not let the intercom have it"),
        _ => cannot(port)(error),
    }
}

/// How to be the intercom, beside its config.
#[derive(Debug, Default)]
pub struct RunOptions {
    /// A key that ends with the process is minted, and its links are printed.
    pub print_links: bool,
    /// What is wrong with the config, for anyone who stands before the TV.
    pub mistakes: Vec<String>,
    /// A folder whose files the TV tells of as well.
    pub notices: Option<PathBuf>,
    /// What `[buttons] invite = "auto"` means.
    pub invite_key: Option<u16>,
    /// A file, and the text that is kept there once the intercom runs.
    pub keep: Option<(PathBuf, String)>,
    /// What is to be remembered of this start.
    pub trial: Option<ConfigTrial>,
}

/// Is the intercom until SIGTERM or SIGINT.
///
/// # Errors
/// If the port is taken, the state directory cannot be used, a certificate is broken, or the event loop died.
pub fn run(config: Config, mut options: RunOptions) -> Result<(), RunError> {
    let mut record = StartRecord::begin(options.trial.take(), options.keep.take());
    let result = live(config, options, &mut record);
    match &result {
        Err(error) if error.by_config => record.failed(&error.what),
        _ => record.clear(),
    }
    result
}

fn live(config: Config, options: RunOptions, record: &mut StartRecord) -> Result<(), RunError> {
    let signals = signals()?;
    for warning in &config.warnings {
        log::warn!("{warning}");
    }
    for why in [&config.camera.why, &config.microphone.why, &config.speaker.why, &config.display.why] {
        log::info!("{why}");
    }
    let prepared = Prepared::new(&config)?;
    let (access, link) = open_access(&prepared.files.keys, options.print_links)?;
    let (port, public) = (config.network.port, config.network.public_address.clone());
    let (addresses, certificates) = (prepared.addresses.clone(), prepared.certificates.clone());
    let daemon = Daemon::start(config, options, prepared, access)?;
    record.succeeded();
    announce(&addresses, port, public.as_ref(), link.as_ref(), &certificates);
    let mut guardian = Guardian::new(daemon.pulses(), daemon.context().clone(), port);
    let end = wait(&signals, &daemon, &mut guardian);
    log::info!("ending: {end}");
    guardian.ending();
    daemon.stop(&end)
}

/// Why it ends.
pub(super) enum End {
    /// It was asked to.
    Signal(i32),
    /// It was reset, or people were restored.
    Reset,
    /// The event loop ended by itself.
    LoopDied,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Signal(SIGTERM) => f.write_str("SIGTERM"),
            End::Signal(SIGINT) => f.write_str("interrupted"),
            End::Signal(number) => write!(f, "signal {number}"),
            End::Reset => f.write_str("this home is reset, or people are restored; a service starts again by itself"),
            End::LoopDied => f.write_str("the event loop is gone"),
        }
    }
}

/// Signals arrive on a channel from a thread of their own, so that nothing happens inside a handler.
fn signals() -> Result<Receiver<i32>, RunError> {
    let mut signals = signal_hook::iterator::Signals::new([SIGTERM, SIGINT]).map_err(cannot("signals"))?;
    let (sender, receiver): (Sender<i32>, _) = bounded(1);
    let thread = thread::Builder::new().name("signals".into());
    thread
        .spawn(move || {
            for signal in signals.forever() {
                if sender.try_send(signal).is_err() {
                    // The first one was not enough.
                    std::process::exit(1);
                }
            }
        })
        .map_err(cannot("signals"))?;
    Ok(receiver)
}

/// Until the end, this thread guards the others.
fn wait(signals: &Receiver<i32>, daemon: &Daemon, guardian: &mut Guardian) -> End {
    loop {
        crossbeam_channel::select! {
            recv(signals) -> signal => return signal.map_or(End::LoopDied, End::Signal),
            recv(daemon.loop_ended()) -> _ => return End::LoopDied,
            recv(daemon.reset_wanted()) -> _ => return End::Reset,
            default(guardian.interval()) => guardian.look(),
        }
    }
}
