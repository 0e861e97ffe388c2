//! Fixed-rate video encoder threads, one of each rung: the newest raw frame in, encoded frames out.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use intercom_drivers::contract::{I420, VideoFrame};

use crate::config::Rung;
use crate::core::cadence::{Cadence, Tick};
use crate::core::items::{EncodedVideo, EncoderOrder};
use crate::core::protocol::RungName;
use crate::media::card;
use crate::media::scale;
use crate::media::video_encoder::VideoEncoder;
use crate::shell::clock;
use crate::shell::wake::Wake;
use crate::shell::worker::{Exit, Worker, spawn_worker};
use crate::units::Bitrate;

/// A frame this young serves as a forced keyframe; for an older one a fresh frame is awaited first.
const YOUNG: Duration = Duration::from_millis(100);

/// Without a frame for this long, viewers see a card that says so.
const STALLED: Duration = Duration::from_secs(1);

/// The way into one encoder thread: its orders and its newest-frame slot.
#[derive(Debug, Default)]
pub struct EncoderControl {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    frame: Option<VideoFrame>,
    fresh: bool,
    run: Option<Bitrate>,
    keyframe: bool,
    stopped: bool,
}

/// What the encoder thread finds when it wakes.
struct Turn {
    frame: Option<VideoFrame>,
    /// The frame came since the last turn.
    fresh: bool,
    run: Option<Bitrate>,
    keyframe: bool,
    stopped: bool,
}

impl EncoderControl {
    /// Passes an order on; takes effect at once.
    pub fn order(&self, order: EncoderOrder) {
        let mut state = self.lock();
        match order {
            EncoderOrder::Run(bitrate) => {
                // Whoever starts to watch cannot start in the middle.
                state.keyframe |= state.run.is_none();
                state.run = Some(bitrate);
            }
            EncoderOrder::Keyframe => state.keyframe = true,
            EncoderOrder::Stop => state.run = None,
        }
        self.changed.notify_one();
    }

    /// The camera's newest frame; one that was not encoded yet is forgotten.
    pub fn publish(&self, frame: &VideoFrame) {
        let mut state = self.lock();
        state.frame = Some(frame.clone());
        state.fresh = true;
        if state.run.is_some() {
            self.changed.notify_one();
        }
    }

    /// Ends the thread.
    pub fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_one();
    }

    /// Waits for a fresh frame, an order, or `deadline`; without orders to run, for these alone.
    fn wait(&self, deadline: Option<Instant>, bitrate: Option<Bitrate>, keyframe_pending: bool) -> Turn {
        let mut state = self.lock();
        loop {
            let ordered = state.stopped || state.run != bitrate || (state.keyframe && !keyframe_pending);
            if ordered || (state.run.is_some() && state.fresh) {
                break;
            }
            match deadline {
                None => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(clock::now());
                    if left.is_zero() {
                        break;
                    }
                    let waited = self.changed.wait_timeout(state, left);
                    state = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
        Turn {
            frame: state.frame.clone(),
            fresh: std::mem::take(&mut state.fresh),
            run: state.run,
            keyframe: std::mem::take(&mut state.keyframe),
            stopped: state.stopped,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is valid after every statement, so a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts the encoder thread of a rung.
///
/// # Errors
/// If the system has no thread to give.
pub fn spawn_encoder(
    name: RungName,
    rung: Rung,
    control: Arc<EncoderControl>,
    frames: Sender<EncodedVideo>,
    wake: Wake,
) -> io::Result<Worker> {
    let label = match name {
        RungName::Full => "video-full",
        RungName::Reduced => "video-reduced",
    };
    spawn_worker(label, move || EncoderThread::new(name, rung, &control, &frames, &wake).run())
}

struct EncoderThread<'a> {
    name: RungName,
    rung: Rung,
    control: &'a EncoderControl,
    frames: &'a Sender<EncodedVideo>,
    wake: &'a Wake,
    encoder: Option<VideoEncoder>,
    cadence: Cadence,
    began: Instant,
    /// The newest frame, and whether no tick has had it yet.
    newest: Option<VideoFrame>,
    unseen: bool,
    card: Option<I420>,
    scaled: I420,
    last_captured: Option<Instant>,
    /// A keyframe is owed; it waits for a fresh frame until then.
    keyframe_by: Option<Instant>,
    dropped: u64,
}

impl<'a> EncoderThread<'a> {
    fn new(
        name: RungName,
        rung: Rung,
        control: &'a EncoderControl,
        frames: &'a Sender<EncodedVideo>,
        wake: &'a Wake,
    ) -> EncoderThread<'a> {
        EncoderThread {
            name,
            rung,
            control,
            frames,
            wake,
            encoder: None,
            cadence: Cadence::new(rung.rate),
            began: clock::now(),
            newest: None,
            unseen: false,
            card: None,
            scaled: I420::black(rung.width as usize, rung.height as usize),
            last_captured: None,
            keyframe_by: None,
            dropped: 0,
        }
    }

    fn run(mut self) -> Exit {
        let mut bitrate = None;
        loop {
            let deadline = self.cadence.poll_timeout().into_iter().chain(self.keyframe_by).min();
            let turn = self.control.wait(deadline, bitrate, self.keyframe_by.is_some());
            let now = clock::now();
            if turn.stopped {
                return Exit::Done;
            }
            if turn.fresh {
                self.card = None;
                self.unseen = true;
            }
            self.newest = turn.frame;
            if turn.run != bitrate {
                self.follow(turn.run, bitrate, now);
                bitrate = turn.run;
            }
            let Some(bitrate) = bitrate else { continue };
            if turn.keyframe && self.keyframe_by.is_none() {
                self.keyframe_by = Some(now + self.rung.rate.period());
            }
            let young = self.newest.as_ref().is_some_and(|f| now.saturating_duration_since(f.captured) < YOUNG);
            let forced = self.keyframe_by.is_some_and(|by| young || now >= by);
            let ticked = turn.fresh && self.cadence.handle_frame(now);
            let due = ticked || self.cadence.poll(now).is_some_and(|tick| tick == Tick::Repeat || self.unseen);
            if (forced || due) && self.encode(bitrate, forced, now) == Exit::Again {
                return Exit::Again;
            }
        }
    }

    fn follow(&mut self, run: Option<Bitrate>, before: Option<Bitrate>, now: Instant) {
        match (run, before) {
            (Some(_), None) => self.cadence.start(now),
            (None, _) => {
                self.cadence.stop();
                self.keyframe_by = None;
            }
            _ => {}
        }
    }

    /// Encodes what is newest, and sends it.
    fn encode(&mut self, bitrate: Bitrate, keyframe: bool, now: Instant) -> Exit {
        if self.frames.is_full() {
            // The loop is behind. Raw frames may be dropped, encoded ones never.
            self.dropped += 1;
            if self.dropped.is_power_of_two() {
                log::warn!("{:?} encoder: event loop is behind, {} raw frames dropped", self.name, self.dropped);
            }
            return Exit::Done;
        }
        let stalled = self.newest.as_ref().is_none_or(|f| now.saturating_duration_since(f.captured) > STALLED);
        let captured = match &self.newest {
            Some(frame) if self.unseen && !stalled => frame.captured,
            // A picture shown once more is of now: its time must go on.
            _ => now,
        };
        let captured = self.last_captured.map_or(captured, |last| captured.max(last + Duration::from_millis(1)));
        let encoder = match &mut self.encoder {
            Some(encoder) => encoder,
            none => match VideoEncoder::new(&self.rung) {
                Ok(encoder) => none.insert(encoder),
                Err(error) => {
                    log::error!("{:?} encoder: {error}", self.name);
                    return Exit::Again;
                }
            },
        };
        encoder.set_bitrate(bitrate);
        let size = (self.rung.width as usize, self.rung.height as usize);
        let picture: &I420 = match &self.newest {
            Some(frame) if !stalled => {
                let picture = &*frame.picture;
                if (picture.width(), picture.height()) == size {
                    picture
                } else {
                    scale::scale_into(picture, &mut self.scaled);
                    &self.scaled
                }
            }
            last => self
                .card
                .get_or_insert_with(|| card::unplugged(size.0, size.1, last.as_ref().map(|frame| &*frame.picture))),
        };
        let began = clock::now();
        match encoder.encode(picture, keyframe, captured.saturating_duration_since(self.began)) {
            Ok(Some(encoded)) => {
                let frame = EncodedVideo {
                    rung: self.name,
                    data: encoded.data,
                    keyframe: encoded.keyframe,
                    captured,
                    encode_began: began,
                    encoded: clock::now(),
                };
                // Cannot be full: this thread is the only sender of a channel that was not full.
                if self.frames.try_send(frame).is_ok() {
                    self.wake.wake();
                }
            }
            // The encoder's own rate control left this frame out.
            Ok(None) => {}
            Err(error) => {
                log::error!("{:?} encoder: {error}", self.name);
                return Exit::Again;
            }
        }
        self.last_captured = Some(captured);
        self.unseen = false;
        if keyframe {
            self.keyframe_by = None;
            self.cadence.consumed();
        }
        Exit::Done
    }
}
