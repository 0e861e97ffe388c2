//! All threads and channels of the intercom: made in one place, started, and ended in order.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{io, thread};

use crossbeam_channel::{Receiver, Sender, bounded};
use intercom_base::settings::{AudioSettings, PublicAddress, Rung};
use intercom_core::call::home::{Home, frosted};
use intercom_core::call::items::{CallOut, EncoderName};
use intercom_core::devices::doctor::Kind;
use intercom_core::people::access::Access;
use intercom_drivers::contract::{BoxedOpener, CaptureAudio, CaptureVideo, Display, PlayAudio};
use intercom_media::processor::{Played, processor};

use crate::config::{Buttons, Config, NamedKeys, Tv};
use crate::shell::addresses::{AddressBook, AddressWatch};
use crate::shell::beginning::{Beginning, new_home};
use crate::shell::bind::bind_with_retry;
use crate::shell::caller;
use crate::shell::control::{self, ControlConfig, ControlHandle};
use crate::shell::devices::camera::{Outlets, spawn_camera};
use crate::shell::devices::microphone::{self, MicrophoneBlock, OpusInputs, OpusOutputs};
use crate::shell::devices::pictures::{Board, spawn_pictures};
use crate::shell::devices::{DeviceContext, input_events, speaker, tv};
use crate::shell::disk::{self, Job, spawn_disk};
use crate::shell::encoders::{EncoderControl, spawn_encoder};
use crate::shell::event_loop::EventLoop;
use crate::shell::examiner::{Known, spawn_examiner};
use crate::shell::gateway::{Gateway, GatewayConfig, GatewayHandle, Timeouts};
use crate::shell::hotplug::spawn_hotplug;
use crate::shell::jail::{Codec, Jail, JailReports, Program};
use crate::shell::notice_board::{NoticeBoard, NoticeSources, spawn_notices};
use crate::shell::posts::Post;
use crate::shell::prepare::Prepared;
use crate::shell::priority::Class;
use crate::shell::pulse::Pulse;
use crate::shell::run::{End, RunError, RunOptions, cannot, no_port};
use crate::shell::snapshots::{self, SnapshotControl, spawn_snapshots};
use crate::shell::udp::Udp;
use crate::shell::wake::Wake;
use crate::shell::wires::{
    AudioIn, Chimes, EncodedAudio, EncodedVideo, Encoders, LoopInputs, LoopOutputs, OpenSocket, SpeechControl, ToLoop,
    ToLoopHandle, ToSpeaker, ViewerFrame,
};
use crate::shell::worker::Worker;
use crate::shell::{clock, reset};

/// The loop must have ended this long after SIGTERM, the others this long after it. What has not is left behind.
const END_WITHIN: Duration = Duration::from_millis(1500);
const JOIN_WITHIN: Duration = Duration::from_millis(2500);

type Channel<T> = (Sender<T>, Receiver<T>);

/// Every channel, with its bound. What happens when one is full stands at the end that is used (`shell/wires.rs`).
struct Channels {
    /// Video encoders to the loop.
    video: Channel<EncodedVideo>,
    /// Opus encoders to the loop.
    audio: Channel<EncodedAudio>,
    /// Gateway to the loop.
    sockets: Channel<OpenSocket>,
    posts: Channel<Post>,
    /// Everybody else to the loop.
    events: Channel<ToLoop>,
    /// Loop to the speaker.
    speaker: Channel<ToSpeaker>,
    /// Loop to the Opus encoders.
    mix_minus: Channel<AudioIn>,
    /// Loop to the picture thread.
    pictures: Channel<ViewerFrame>,
    /// Loop and control socket to the disk.
    disk: Channel<Job>,
    /// Loop to who tells the world that home calls.
    caller: Channel<CallOut>,
    /// Loop to who looks how home is.
    examiner: Channel<()>,
    /// Microphone to the echo canceller.
    blocks: Channel<MicrophoneBlock>,
    /// Speaker to the echo canceller.
    played: Channel<Played>,
    /// Control socket to the main thread: the home was reset.
    reset: Channel<()>,
}

impl Channels {
    fn new() -> Channels {
        Channels {
            video: bounded(8),
            audio: bounded(64),
            sockets: bounded(16),
            posts: bounded(16),
            events: bounded(64),
            speaker: bounded(64),
            mix_minus: bounded(64),
            pictures: bounded(16),
            disk: bounded(disk::JOBS),
            caller: bounded(caller::CALLS),
            examiner: bounded(1),
            blocks: bounded(microphone::BLOCKS),
            played: bounded(speaker::PLAYED),
            reset: bounded(1),
        }
    }
}

/// The running intercom.
pub struct Daemon {
    context: DeviceContext,
    to_loop: ToLoopHandle,
    gateway: GatewayHandle,
    control: ControlHandle,
    addresses: AddressWatch,
    encoders: Encoders,
    workers: Vec<Worker>,
    /// The loop's pulse, and what hears of its end.
    ends: (Arc<Pulse>, Receiver<()>),
    reset: Channel<()>,
    state_dir: PathBuf,
}

impl Daemon {
    /// Opens the ports, makes the channels, and starts the threads.
    ///
    /// # Errors
    /// If a port is taken, or the system has no more threads.
    pub fn start(config: Config, options: RunOptions, prepared: Prepared, access: Access) -> Result<Daemon, RunError> {
        let channels = Channels::new();
        let wake = Wake::new().map_err(cannot("eventfd"))?;
        let shared = Shared {
            context: DeviceContext::default(),
            jails: Arc::default(),
            board: Arc::new(Board::new(config.tv.self_view)),
            notices: Arc::new(NoticeBoard::new(options.mistakes)),
            to_loop: ToLoopHandle { events: channels.events.0.clone(), wake: wake.clone() },
        };
        let beginning = Beginning::read(&prepared.files);
        shared.context.levels.set_muted(beginning.muted);
        shared.context.levels.set_curtain(beginning.curtain);

        let udp = bind_with_retry(|| Udp::bind(config.network.port))
            .map_err(|error| no_port(&format!("UDP port {}", config.network.port), error))?;
        let gateway = shared.start_gateway(&config, &prepared, channels.sockets.0, channels.posts.0)?;
        let book = prepared.addresses.clone();
        let state_dir = prepared.state_dir.clone();
        let sources = NoticeSources {
            folder: options.notices,
            state_dir: state_dir.clone(),
            makeshift: prepared.makeshift,
            files: prepared.files.clone(),
        };
        let files = prepared.files.clone();
        let curtain = beginning.curtain;
        let home = new_home(&config, &book, access, beginning);
        shared.begin_as(&home);
        let known = Arc::new(shared.known(&config, &prepared));
        let control = shared.start_control(prepared, &known, channels.disk.0.clone(), channels.reset.0.clone())?;

        let Config {
            network,
            full,
            reduced,
            audio,
            chime,
            buttons,
            tv,
            camera,
            microphone,
            speaker,
            display,
            call,
            ..
        } = config;
        let mut threads = Threads(Vec::new());
        let encoders = threads.add_video(&shared, camera.opener, [full, reduced], &channels.video.0)?;
        let speech = Arc::new(SpeechControl::default());
        let packets = OpusOutputs { packets: channels.audio.0, wake: wake.clone(), control: Arc::clone(&speech) };
        let opus = OpusInputs { blocks: channels.blocks.1, played: channels.played.1, spoken: channels.mix_minus.1 };
        threads.add_microphone(&shared, microphone.opener, channels.blocks.0, audio, opus, packets)?;
        threads.add_speaker(&shared, speaker.opener, channels.speaker.1, channels.played.0)?;
        threads.add_pictures(&shared, channels.pictures.1)?;
        threads.add(spawn_examiner(known, channels.examiner.1, shared.to_loop.clone()))?;
        let keys = buttons.named(options.invite_key);
        threads.add_hints(&shared, buttons, options.invite_key, sources)?;
        threads.add_tv(&shared, display.opener, tv, keys, book.clone())?;
        threads.add(spawn_disk(channels.disk.1, files, shared.to_loop.clone()))?;
        threads.0.extend(caller::spawn_caller(call, channels.caller.1).map_err(cannot("a thread"))?);

        let inputs = LoopInputs {
            video: channels.video.1,
            audio: channels.audio.1,
            sockets: channels.sockets.1,
            posts: channels.posts.1,
            events: channels.events.1,
        };
        let outputs = LoopOutputs {
            speaker: channels.speaker.0,
            mix_minus: channels.mix_minus.0,
            pictures: channels.pictures.0,
            chimes: Chimes { arrive: chime.arrive.sound, leave: chime.leave.sound, knock: chime.knock.sound },
            board: shared.board,
            disk: channels.disk.0,
            caller: channels.caller.0,
            examiner: channels.examiner.0,
            encoders: encoders.clone(),
            speech,
            devices: shared.context.clone(),
        };
        let (loop_pulse, loop_ended) = spawn_loop(EventLoop::new(home, curtain, (udp, wake), inputs, outputs))?;
        let public = network.public_address.as_ref().and_then(PublicAddress::socket);
        let addresses = watch(&book, public, &shared.to_loop)?;
        let (context, to_loop, workers, reset) = (shared.context, shared.to_loop, threads.0, channels.reset);
        let ends = (loop_pulse, loop_ended);
        Ok(Daemon { context, to_loop, gateway, control, addresses, encoders, workers, ends, reset, state_dir })
    }

    /// Of all threads that can get stuck.
    pub fn pulses(&self) -> Vec<Arc<Pulse>> {
        let mut pulses: Vec<_> = self.workers.iter().map(Worker::pulse).collect();
        pulses.extend([Arc::clone(&self.ends.0), self.control.pulse(), self.addresses.pulse()]);
        pulses.extend(self.gateway.pulses());
        pulses
    }

    /// What the devices' threads share.
    pub fn context(&self) -> &DeviceContext {
        &self.context
    }

    /// Hears when the event loop has ended.
    pub fn loop_ended(&self) -> &Receiver<()> {
        &self.ends.1
    }

    /// Hears when home was reset.
    pub fn reset_wanted(&self) -> &Receiver<()> {
        &self.reset.1
    }

    /// Ends everything: pages are told first, and a thread that does not end in time is left behind.
    ///
    /// # Errors
    /// If it ends for a fault, or a reset is not finished.
    pub fn stop(self, end: &End) -> Result<(), RunError> {
        self.to_loop.tell(ToLoop::Shutdown);
        let clean = ended_within(&self.ends.1, END_WITHIN);
        let until = clock::now() + JOIN_WITHIN;
        self.context.activity.stop();
        self.encoders.stop();
        drop(self.to_loop);
        self.addresses.stop();
        self.gateway.stop();
        self.control.stop();
        self.workers.iter().for_each(Worker::dismiss);
        for worker in &self.workers {
            worker.join_within(until.saturating_duration_since(clock::now()).max(Duration::from_millis(10)));
        }
        match end {
            // What a thread still wrote is forgotten, too; a start that follows finishes what is not finished here.
            End::Reset => reset::finish(&self.state_dir).map_err(cannot("reset")),
            End::Signal(_) if clean => Ok(()),
            End::Signal(_) => Err(cannot("the event loop")("it did not end in time")),
            End::LoopDied => Err(cannot("the event loop")("it ended unexpectedly; see the log above")),
        }
    }
}

/// What many threads have in common.
struct Shared {
    context: DeviceContext,
    jails: Arc<JailReports>,
    board: Arc<Board>,
    notices: Arc<NoticeBoard>,
    to_loop: ToLoopHandle,
}

impl Shared {
    fn start_gateway(
        &self,
        config: &Config,
        prepared: &Prepared,
        sockets: Sender<OpenSocket>,
        posts: Sender<Post>,
    ) -> Result<GatewayHandle, RunError> {
        let port = config.network.port;
        let gateway = Gateway::start(GatewayConfig {
            port,
            certificates: Arc::clone(&prepared.certificates),
            private_dir: prepared.run_dir.join("gateway"),
            timeouts: Timeouts::default(),
            proxy: config.network.proxy,
            sockets,
            posts,
            wake: self.to_loop.wake.clone(),
        });
        gateway.map_err(|error| no_port(&format!("TCP port {port}"), error))
    }

    /// Sound and TV are as an owner or the config wants them.
    fn begin_as(&self, home: &Home) {
        self.context.levels.set_volume(home.volume_percent());
        self.context.levels.set_chime(home.chime_percent());
        self.board.set_looks(home.name(), home.language());
    }

    fn known(&self, config: &Config, prepared: &Prepared) -> Known {
        let devices = vec![
            config.camera.untried(Kind::Camera),
            config.microphone.untried(Kind::Microphone),
            config.speaker.untried(Kind::Speaker),
            config.display.untried(Kind::Display),
        ];
        // A speaker that is no hardware is heard by nobody, even if somebody wanted it so.
        for device in devices.iter().filter(|d| d.stands_in() || d.kind == Kind::Speaker && !d.hardware) {
            self.context.health.stands_in(device.kind);
        }
        Known {
            devices,
            health: Arc::clone(&self.context.health),
            addresses: prepared.addresses.clone(),
            port: config.network.port,
            public: config.network.public_address.clone(),
            certificates: Arc::clone(&prepared.certificates),
            house: prepared.files.house.clone(),
            board: Arc::clone(&self.board),
            notices: Arc::clone(&self.notices),
        }
    }

    fn start_control(
        &self,
        prepared: Prepared,
        known: &Arc<Known>,
        disk: Sender<Job>,
        reset: Sender<()>,
    ) -> Result<ControlHandle, RunError> {
        let control = control::start(ControlConfig {
            claim: prepared.claim,
            run_dir: prepared.run_dir,
            state_dir: prepared.state_dir,
            reset_dir: prepared.reset_dir,
            disk,
            to_loop: self.to_loop.clone(),
            known: Arc::clone(known),
            jails: Arc::clone(&self.jails),
            reset,
        });
        control.map_err(cannot("control socket"))
    }
}

/// Threads that were started so far.
struct Threads(Vec<Worker>);

impl Threads {
    fn add(&mut self, spawned: io::Result<Worker>) -> Result<(), RunError> {
        self.0.push(spawned.map_err(cannot("a thread"))?);
        Ok(())
    }

    /// Camera and encoders.
    fn add_video(
        &mut self,
        shared: &Shared,
        camera: BoxedOpener<dyn CaptureVideo>,
        [full, reduced]: [Rung; 2],
        out: &Sender<EncodedVideo>,
    ) -> Result<Encoders, RunError> {
        let mut encoders = Vec::new();
        for name in EncoderName::ALL {
            let (full, least) = match name {
                EncoderName::Frosted => (frosted(&full), frosted(&full)),
                _ => (full, reduced),
            };
            let control = Arc::new(EncoderControl::default());
            let wake = shared.to_loop.wake.clone();
            self.add(spawn_encoder(name, full, least, Arc::clone(&control), out.clone(), wake))?;
            encoders.push((name, control));
        }
        let snapshots = Arc::new(SnapshotControl::default());
        self.add(spawn_snapshots(snapshots::size(&full), Arc::clone(&snapshots), shared.to_loop.clone()))?;
        let outlets = Outlets {
            first: Arc::clone(&encoders[0].1),
            size: (full.width, full.height),
            need: full.floor,
            others: encoders[1..].iter().map(|(_, control)| Arc::clone(control)).collect(),
            snapshots: Arc::clone(&snapshots),
            board: Arc::clone(&shared.board),
        };
        let jail = Jail::new(Codec::Jpeg, Program::this(), Arc::clone(&shared.jails));
        self.add(spawn_camera(camera, outlets, jail, shared.context.clone(), shared.to_loop.clone()))?;
        Ok(Encoders { video: encoders, snapshots })
    }

    fn add_microphone(
        &mut self,
        shared: &Shared,
        microphone: BoxedOpener<dyn CaptureAudio>,
        blocks: Sender<MicrophoneBlock>,
        audio: AudioSettings,
        inputs: OpusInputs,
        outputs: OpusOutputs,
    ) -> Result<(), RunError> {
        self.add(microphone::spawn_microphone(microphone, blocks, shared.context.clone()))?;
        self.add(microphone::spawn_opus(audio, inputs, processor(&audio), outputs, shared.context.clone()))
    }

    fn add_speaker(
        &mut self,
        shared: &Shared,
        speaker: BoxedOpener<dyn PlayAudio>,
        inbox: Receiver<ToSpeaker>,
        played: Sender<Played>,
    ) -> Result<(), RunError> {
        let (context, board) = (shared.context.clone(), Arc::clone(&shared.board));
        self.add(speaker::spawn_speaker(speaker, inbox, Some(played), context, board))
    }

    fn add_pictures(&mut self, shared: &Shared, coded: Receiver<ViewerFrame>) -> Result<(), RunError> {
        let jails = Arc::clone(&shared.jails);
        let decoder = move || Jail::new(Codec::H264, Program::this(), Arc::clone(&jails));
        let (board, to_loop) = (Arc::clone(&shared.board), shared.to_loop.clone());
        self.add(spawn_pictures(coded, board, to_loop, Arc::clone(&shared.context.activity), decoder))
    }

    /// Buttons, devices that come and go, and notices.
    fn add_hints(
        &mut self,
        shared: &Shared,
        buttons: Buttons,
        auto: Option<u16>,
        sources: NoticeSources,
    ) -> Result<(), RunError> {
        let activity = &shared.context.activity;
        let spawned = input_events::spawn_buttons(buttons, auto, shared.to_loop.clone(), Arc::clone(activity));
        if let Some(buttons) = spawned.transpose() {
            self.add(buttons)?;
        }
        self.add(spawn_hotplug(Arc::clone(activity)))?;
        // Once at once: what is known already is part of the first picture.
        shared.notices.look(&sources);
        self.add(spawn_notices(sources, Arc::clone(&shared.notices), Arc::clone(activity)))
    }

    fn add_tv(
        &mut self,
        shared: &Shared,
        display: BoxedOpener<dyn Display>,
        tv: Tv,
        keys: NamedKeys,
        addresses: AddressBook,
    ) -> Result<(), RunError> {
        let (board, notices) = (Arc::clone(&shared.board), Arc::clone(&shared.notices));
        self.add(tv::spawn_tv(
            display,
            tv,
            tv::Subject {
                invite_key: keys.invite,
                let_in_key: keys.let_in,
                decline_key: keys.decline,
                board,
                context: shared.context.clone(),
                addresses,
                notices,
            },
        ))
    }
}

/// Its pulse, and a channel that closes when it ends, however it does.
fn spawn_loop(event_loop: EventLoop) -> Result<(Arc<Pulse>, Receiver<()>), RunError> {
    let (alive, ended) = bounded::<()>(0);
    let pulse = Pulse::new("loop");
    let own = Arc::clone(&pulse);
    let spawned = thread::Builder::new().name("loop".into()).spawn(move || {
        let _alive = alive;
        own.adopt();
        Class::Live.take();
        event_loop.run();
    });
    spawned.map_err(cannot("the loop's thread"))?;
    Ok((pulse, ended))
}

fn ended_within(ended: &Receiver<()>, time: Duration) -> bool {
    ended.recv_timeout(time) != Err(crossbeam_channel::RecvTimeoutError::Timeout)
}

fn watch(book: &AddressBook, public: Option<SocketAddr>, handle: &ToLoopHandle) -> Result<AddressWatch, RunError> {
    let events = handle.clone();
    let on_change = move |addresses: intercom_core::reach::Addresses| {
        events.tell(ToLoop::Addresses(addresses));
    };
    AddressWatch::start(book.clone(), public, on_change).map_err(cannot("the addresses' thread"))
}
