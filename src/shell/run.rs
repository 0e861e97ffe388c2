//! Starts all threads, prints the links, and ends everything in order.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::access::door::Door;
use crate::access::keys::{Key, KeyId};
use crate::access::people::{Person, Role};
use crate::config::{Config, Trial};
use crate::core::home::{Home, HomeConfig};
use crate::core::peer;
use crate::core::protocol::RungName;
use crate::core::storage::Trouble;
use crate::media::processor::processor;
use crate::ops::doctor::Kind;
use crate::reach::links::{Links, links};
use crate::reach::qr::{Paint, half_blocks};
use crate::shell::addresses::{self, AddressBook, Watch};
use crate::shell::clock;
use crate::shell::control::{self, Claim, ControlConfig};
use crate::shell::devices::camera::{Outlets, spawn_camera};
use crate::shell::devices::microphone::{self, OpusInputs, OpusOutputs};
use crate::shell::devices::pictures::{Board, spawn_pictures};
use crate::shell::devices::{Presence, buttons, speaker, tv};
use crate::shell::disk::{self, spawn_disk};
use crate::shell::encoders::{EncoderControl, spawn_encoder};
use crate::shell::event_loop::EventLoop;
use crate::shell::gateway::{Gateway, GatewayConfig, Patience};
use crate::shell::hotplug::spawn_hotplug;
use crate::shell::jail::{Jail, Program};
use crate::shell::key_file::{KeyFile, mint_key};
use crate::shell::mute_file::MuteFile;
use crate::shell::notices::{NoticeBoard, Places, spawn_notices};
use crate::shell::patience::patiently;
use crate::shell::priority::Class;
use crate::shell::pulse::Pulse;
use crate::shell::reset;
use crate::shell::service::Guardian;
use crate::shell::state;
use crate::shell::tls::{self, Certificates, TlsError};
use crate::shell::trial::Attempt;
use crate::shell::udp::Udp;
use crate::shell::wake::Wake;
use crate::shell::wires::{Chimes, LoopInputs, LoopOutputs, SpeechControl, ToLoop, ToLoopHandle};
use crate::shell::worker::Worker;

/// Everything must have ended this long after SIGTERM; what has not is left behind.
const END_WITHIN: Duration = Duration::from_millis(1500);

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

fn cannot<E: fmt::Display>(what: &str) -> impl FnOnce(E) -> RunError {
    let what = what.to_owned();
    move |error| RunError { what: format!("{what}: {error}"), by_config: false }
}

/// The same where the config is what stands in the way.
fn unfit<E: fmt::Display>(what: &str) -> impl FnOnce(E) -> RunError {
    let error = cannot(what);
    move |why| RunError { by_config: true, ..error(why) }
}

/// A port may be somebody else's, or only for others.
fn no_port(port: &str, error: io::Error) -> RunError {
    match error.kind() {
        io::ErrorKind::AddrInUse => unfit(port)("another program has it"),
        io::ErrorKind::PermissionDenied => unfit(port)("the system does not let the intercom have it"),
        _ => cannot(port)(error),
    }
}

/// How to be the intercom, beside its config.
#[derive(Debug, Default)]
pub struct Manner {
    /// A key that ends with the process is minted, and its links are printed.
    pub print_links: bool,
    /// What is wrong with the config, for whoever stands before the TV.
    pub mistakes: Vec<String>,
    /// A folder whose files the TV tells of as well.
    pub notices: Option<PathBuf>,
    /// A file, and the text that is kept there once the intercom runs.
    pub keep: Option<(PathBuf, String)>,
    /// What is to be remembered of this start.
    pub trial: Option<Trial>,
}

/// Is the intercom until SIGTERM or SIGINT.
///
/// # Errors
/// If the port is taken, the state directory cannot be used, a certificate is broken, or the event loop died.
pub fn run(config: Config, mut manner: Manner) -> Result<(), RunError> {
    let mut attempt = Attempt::begin(manner.trial.take(), manner.keep.take());
    let result = be_home(config, manner, &mut attempt);
    match &result {
        Err(error) if error.by_config => attempt.failed(&error.what),
        _ => attempt.clear(),
    }
    result
}

fn be_home(config: Config, manner: Manner, attempt: &mut Attempt) -> Result<(), RunError> {
    let Manner { print_links, mistakes, notices: folder, .. } = manner;
    let notices = Arc::new(NoticeBoard::new(mistakes));
    let signals = signals()?;
    let Config {
        home,
        network,
        tls,
        full,
        reduced,
        audio,
        chime,
        volume,
        buttons,
        tv,
        camera,
        microphone,
        speaker,
        display,
        ..
    } = config;
    for why in [&camera.why, &microphone.why, &speaker.why, &display.why] {
        log::info!("{why}");
    }
    let run_dir = state::first_usable(&home.run_dirs).map_err(cannot("no folder for the control socket"))?.to_owned();
    let is_sound = |dir: &Path| sound(dir, tls.is_none());
    let (state_dir, makeshift) = usable_state(&home.state_dir, &run_dir, is_sound)?;
    let reset_dir = if makeshift == Some(Trouble::Damaged) { home.state_dir } else { state_dir.clone() };
    let claim = Claim::take(&state_dir).map_err(|what| RunError { what, by_config: false })?;
    if let Err(error) = reset::finish(&state_dir) {
        // No key of before counts for all that.
        log::error!("the reset is not finished: {error}");
    }

    let public = network.public_address.as_ref();
    let book = AddressBook::new(addresses::read(public.and_then(|p| p.socket())));
    // Files of the config's own may be mended there; those in the state directory are another matter.
    let unusable = |error: TlsError| match tls {
        Some(_) => unfit("certificate")(error),
        None => cannot("certificate")(error),
    };
    let certificates =
        Certificates::open(&state_dir, tls.as_ref(), public.map(|p| p.host.as_str())).map_err(unusable)?;
    let certificates = Arc::new(certificates);
    let keys = KeyFile::in_dir(&state_dir);
    // Where keys are damaged, whether home is muted may still be known.
    let mute = MuteFile::in_dir(&reset_dir);
    let muted = mute.load();
    let (door, link) = open_door(&keys, print_links)?;

    let wake = Wake::new().map_err(cannot("eventfd"))?;
    let presence = Arc::new(Presence::new());
    presence.levels().set_volume(volume.percent);
    presence.levels().set_muted(muted);
    let (video_out, video) = bounded(8);
    let (audio_out, sound) = bounded(64);
    let (sockets_out, sockets) = bounded(16);
    let (events_out, events) = bounded(64);
    let (speaker_out, to_speaker) = bounded(64);
    let (conference, spoken) = bounded(64);
    let (pictures_out, to_pictures) = bounded(16);
    let handle = ToLoopHandle { events: events_out, wake: wake.clone() };

    let udp =
        patiently(|| Udp::bind(network.port)).map_err(|error| no_port(&format!("UDP port {}", network.port), error))?;
    let gateway = Gateway::start(GatewayConfig {
        port: network.port,
        certificates: Arc::clone(&certificates),
        private_dir: run_dir.join("gateway"),
        patience: Patience::default(),
        sockets: sockets_out,
        wake: wake.clone(),
    })
    .map_err(|error| no_port(&format!("TCP port {}", network.port), error))?;
    let devices = vec![
        camera.untried(Kind::Camera),
        microphone.untried(Kind::Microphone),
        speaker.untried(Kind::Speaker),
        display.untried(Kind::Display),
    ];
    // A speaker that is no hardware is heard by nobody, even if somebody wanted it so.
    for device in devices.iter().filter(|d| d.stands_in() || d.kind == Kind::Speaker && !d.hardware) {
        presence.stands_in(device.kind);
    }
    let (disk, jobs) = bounded(disk::JOBS);
    let (reset_asked, reset_wanted) = bounded(1);
    let control = control::start(ControlConfig {
        claim,
        run_dir,
        state_dir: state_dir.clone(),
        reset_dir,
        disk: disk.clone(),
        to_loop: handle.clone(),
        addresses: book.clone(),
        port: network.port,
        public: network.public_address.clone(),
        devices,
        presence: Arc::clone(&presence),
        notices: Arc::clone(&notices),
        certificates: Arc::clone(&certificates),
        reset: reset_asked.clone(),
    })
    .map_err(cannot("control socket"))?;

    let now = clock::now();
    let home_config = HomeConfig {
        name: home.name.clone(),
        max_viewers: home.max_viewers,
        port: network.port,
        public: network.public_address.clone(),
        full,
        reduced,
        audio: audio.bitrate,
        muted,
        volume,
        hear_each_other: audio.hear_each_other,
    };
    let mut the_home =
        Home::new(home_config, peer::Identity::generate(), Box::new(door), Box::new(entropy), now, clock::unix_time());
    the_home.handle_addresses(book.current(), now);
    the_home.handle_started(now);

    let no_thread = || cannot::<io::Error>("a thread");
    let mut workers: Vec<Worker> = Vec::new();
    let mut encoders = Vec::new();
    for (name, rung) in [(RungName::Full, full), (RungName::Reduced, reduced)] {
        let control = Arc::new(EncoderControl::default());
        let thread = spawn_encoder(name, rung, Arc::clone(&control), video_out.clone(), wake.clone());
        workers.push(thread.map_err(no_thread())?);
        encoders.push((name, control));
    }
    let controls: Vec<_> = encoders.iter().map(|(_, control)| Arc::clone(control)).collect();
    let board = Arc::new(Board::new(tv.self_view));
    let outlets = Outlets {
        full: Arc::clone(&encoders[0].1),
        size: (full.width, full.height),
        reduced: Arc::clone(&encoders[1].1),
        board: Arc::clone(&board),
    };
    let camera = spawn_camera(camera.opener, outlets, Arc::clone(&presence), handle.clone());
    workers.push(camera.map_err(no_thread())?);
    let (blocks_out, blocks) = bounded(microphone::BLOCKS);
    let thread = microphone::spawn_microphone(microphone.opener, blocks_out, Arc::clone(&presence));
    workers.push(thread.map_err(no_thread())?);
    let (played_out, played) = bounded(speaker::PLAYED);
    let speech = Arc::new(SpeechControl::default());
    let packets = OpusOutputs { packets: audio_out, wake: wake.clone(), control: Arc::clone(&speech) };
    let inputs = OpusInputs { blocks, played, spoken };
    let thread = microphone::spawn_opus(audio, inputs, processor(&audio), packets, Arc::clone(&presence));
    workers.push(thread.map_err(no_thread())?);
    let (played, own) = (Some(played_out), Arc::clone(&presence));
    let thread = speaker::spawn_speaker(speaker.opener, to_speaker, played, own, Arc::clone(&board));
    workers.push(thread.map_err(no_thread())?);
    let own = Arc::clone(&presence);
    let decoder = move || Jail::new(Program::this(), Arc::clone(&own));
    let thread = spawn_pictures(to_pictures, Arc::clone(&board), handle.clone(), Arc::clone(&presence), decoder);
    workers.push(thread.map_err(no_thread())?);
    if buttons.mute.is_some() {
        let thread = buttons::spawn_buttons(buttons, handle.clone(), Arc::clone(&presence));
        workers.push(thread.map_err(no_thread())?);
    }
    workers.push(spawn_hotplug(Arc::clone(&presence)).map_err(no_thread())?);
    let places = Places { folder, state_dir: state_dir.clone(), makeshift, keys: keys.clone(), mute: mute.clone() };
    // Once at once: what is known already is part of the first picture.
    notices.look(&places);
    let thread = spawn_notices(places, Arc::clone(&notices), Arc::clone(&presence));
    workers.push(thread.map_err(no_thread())?);
    let subject = tv::Subject {
        home: home.name,
        board: Arc::clone(&board),
        presence: Arc::clone(&presence),
        addresses: book.clone(),
        notices,
    };
    let thread = tv::spawn_tv(display.opener, tv, subject);
    workers.push(thread.map_err(no_thread())?);

    workers.push(spawn_disk(jobs, keys, mute, handle.clone()).map_err(no_thread())?);
    let outputs = LoopOutputs {
        speaker: speaker_out,
        conference,
        pictures: pictures_out,
        chimes: Chimes { arrive: chime.arrive.sound, leave: chime.leave.sound },
        board,
        disk,
        encoders,
        speech,
        presence: Arc::clone(&presence),
    };
    let inputs = LoopInputs { video, audio: sound, sockets, events };
    let (loop_alive, loop_ended) = bounded::<()>(0);
    let event_loop = EventLoop::new(the_home, udp, wake, inputs, outputs);
    let loop_pulse = Pulse::new("loop");
    let own = Arc::clone(&loop_pulse);
    let spawned = thread::Builder::new().name("loop".into()).spawn(move || {
        let _alive = loop_alive;
        own.adopt();
        Class::Live.take();
        event_loop.run();
    });
    spawned.map_err(cannot("the loop's thread"))?;
    let watch = watch(&book, public.and_then(|p| p.socket()), &handle)?;

    attempt.succeeded();
    announce(&book, network.port, public, link.as_ref(), &certificates);
    let mut pulses: Vec<_> = workers.iter().map(Worker::pulse).collect();
    pulses.extend([loop_pulse, control.pulse(), watch.pulse()]);
    pulses.extend(gateway.pulses());
    let mut guardian = Guardian::new(pulses, Arc::clone(&presence), network.port);
    let reason = wait(&signals, &loop_ended, &reset_wanted, &mut guardian);
    drop(reset_asked);
    log::info!("ending: {reason}");
    guardian.ending();

    handle.tell(ToLoop::Shutdown);
    let until = clock::now() + END_WITHIN;
    let clean = ended_within(&loop_ended, END_WITHIN);
    presence.stop();
    controls.iter().for_each(|control| control.stop());
    drop(handle);
    watch.stop();
    gateway.stop();
    control.stop();
    workers.iter().for_each(Worker::dismiss);
    for worker in &workers {
        worker.join_within(until.saturating_duration_since(clock::now()).max(Duration::from_millis(10)));
    }
    match reason {
        // What a thread still wrote is forgotten, too; a start that follows finishes what is not finished here.
        End::Reset => reset::finish(&state_dir).map_err(cannot("reset")),
        End::Signal(_) if clean => Ok(()),
        End::Signal(_) => Err(cannot("the event loop")("it did not end in time")),
        End::LoopDied => Err(cannot("the event loop")("it ended unexpectedly; see the log above")),
    }
}

enum End {
    Signal(i32),
    Reset,
    LoopDied,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Signal(SIGTERM) => f.write_str("SIGTERM"),
            End::Signal(SIGINT) => f.write_str("interrupted"),
            End::Signal(number) => write!(f, "signal {number}"),
            End::Reset => f.write_str("this home is reset; a service starts again by itself"),
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
fn wait(
    signals: &Receiver<i32>,
    loop_ended: &Receiver<()>,
    reset_wanted: &Receiver<()>,
    guardian: &mut Guardian,
) -> End {
    loop {
        crossbeam_channel::select! {
            recv(signals) -> signal => return signal.map_or(End::LoopDied, End::Signal),
            recv(loop_ended) -> _ => return End::LoopDied,
            recv(reset_wanted) -> _ => return End::Reset,
            default(guardian.interval()) => guardian.look(),
        }
    }
}

fn ended_within(ended: &Receiver<()>, time: Duration) -> bool {
    ended.recv_timeout(time) != Err(crossbeam_channel::RecvTimeoutError::Timeout)
}

/// The state directory or, where there is none, none can be made, or what is in it is not sound, one that ends with the
/// process, and why. Nothing is taken away: what somebody could mend stays as it is.
fn usable_state(
    meant: &Path,
    run_dir: &Path,
    is_sound: impl Fn(&Path) -> Result<(), String>,
) -> Result<(PathBuf, Option<Trouble>), RunError> {
    let trouble = match state::make_private_dir(meant) {
        Err(error) => (Trouble::Gone, error.to_string()),
        Ok(()) => match is_sound(meant) {
            Err(error) => (Trouble::Damaged, error),
            Ok(()) => return Ok((meant.to_owned(), None)),
        },
    };
    log::error!("keys and certificates last only until the end of this process: {}", trouble.1);
    let makeshift = run_dir.join("state");
    state::make_private_dir(&makeshift).map_err(cannot("no folder for keys"))?;
    Ok((makeshift, Some(trouble.0)))
}

/// Whether keys and, where they are our own, certificates can be read; those that are about to be forgotten need not.
fn sound(state_dir: &Path, own_certificates: bool) -> Result<(), String> {
    if reset::is_begun(state_dir) {
        return Ok(());
    }
    KeyFile::in_dir(state_dir).load().map_err(|error| error.to_string())?;
    if own_certificates { tls::check_own(state_dir).map_err(|error| error.to_string()) } else { Ok(()) }
}

/// The keys that are stored, and one that ends with the process if its links are to be printed.
fn open_door(keys: &KeyFile, print_links: bool) -> Result<(Door, Option<Key>), RunError> {
    let mut people = keys.load().map_err(cannot("keys"))?;
    let mut link = None;
    if print_links {
        let key = mint_key().map_err(cannot("keys"))?;
        let nobody = Person { number: 0, name: None, role: Role::Guest };
        people.take_device(nobody, KeyId::TEMPORARY, key.hash());
        link = Some(key);
    }
    Ok((Door::new(people), link))
}

fn entropy(bytes: &mut [u8]) {
    if let Err(error) = getrandom::fill(bytes) {
        // Session tokens that can be guessed are worse than no intercom.
        panic!("the system gives no random numbers: {error}");
    }
}

fn watch(book: &AddressBook, public: Option<SocketAddr>, handle: &ToLoopHandle) -> Result<Watch, RunError> {
    let events = handle.clone();
    let on_change = move |addresses: crate::reach::Addresses| {
        events.tell(ToLoop::Addresses(addresses));
    };
    Watch::start(book.clone(), public, on_change).map_err(cannot("the addresses' thread"))
}

/// Prints how to get in.
fn announce(
    book: &AddressBook,
    port: u16,
    public: Option<&crate::config::PublicAddress>,
    key: Option<&Key>,
    certificates: &Certificates,
) {
    let mut out = io::stdout().lock();
    let addresses = book.current();
    // A closed standard output is no reason not to be an intercom.
    let _ = match key {
        Some(key) => {
            let mut addresses = addresses.clone();
            if addresses.local.is_empty() {
                addresses.local.push(std::net::Ipv4Addr::LOCALHOST.into());
            }
            print_links(&mut out, &links(&addresses, port, public, key))
        }
        None => writeln!(out, "ready on port {port}; `intercom link` makes a link for a viewer"),
    };
    let _ = writeln!(out, "certificate SHA-256: {}", certificates.fingerprint());
    // What a browser shows before the CA is installed; `intercom status` tells it of the other addresses.
    let best = addresses.best.or_else(|| addresses.local.first().copied());
    if let Some((best, shown)) = best.and_then(|best| Some((best, certificates.shown(None, best)?))) {
        let _ = writeln!(out, "certificate SHA-256 at {best}: {shown}");
    }
    let _ = out.flush();
}

/// Prints the links and the QR code of the best one.
///
/// # Errors
/// If standard output is closed.
pub fn print_links(out: &mut impl Write, links: &Links) -> io::Result<()> {
    for link in &links.all {
        writeln!(out, "open: {link}")?;
    }
    let paint = if io::stdout().is_terminal() { Paint::Colours } else { Paint::Plain };
    if let Some(code) = links.best.as_ref().and_then(|best| half_blocks(best, paint)) {
        write!(out, "{code}")?;
    }
    Ok(())
}
