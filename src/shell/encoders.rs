//! Fixed-rate video encoder threads: the newest raw frame in, encoded frames out.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use intercom_base::picture::I420;
use intercom_base::settings::Rung;
use intercom_base::units::Bitrate;
use intercom_core::call::items::{EncodedVideo, EncoderName, EncoderOrder};
use intercom_core::rate::encoding::{EncoderPlan, Job, Source};
use intercom_core::rate::sizes::{Size, Sizes};
use intercom_media::frost::Frost;
use intercom_media::video_encoder::{EncodeError, VideoEncoder};
use intercom_media::{card, scale};

use crate::shell::priority::Class;
use crate::shell::wake::Wake;
use crate::shell::worker::{Exit, Worker, spawn_in};
use crate::shell::{clock, pulse};

/// The way into one encoder thread: its orders and its newest-frame slot, behind one lock and one signal, so that
/// whatever comes first takes effect at once.
#[derive(Debug, Default)]
pub struct EncoderControl {
    post: Mutex<Post>,
    changed: Condvar,
}

/// Frames of a camera that encodes by itself wait here; when there are more, the thread is stuck, and all are dropped
/// up to the next keyframe.
const UNITS: usize = 8;

#[derive(Debug, Default)]
struct Post {
    run: Option<Bitrate>,
    keyframe: bool,
    /// The newest frame and when it arrived; gone once the thread has taken it.
    frame: Option<(Raw, Instant)>,
    /// What the camera encoded by itself, in order.
    units: VecDeque<Unit>,
    /// When the camera last sent something that was not for this encoder.
    alive: Option<Instant>,
    /// Some unit was dropped.
    broken: bool,
    /// The camera is to make a keyframe.
    asks: bool,
    camera_lost: bool,
    /// The curtain is drawn: nothing that the camera sees is taken in.
    curtain: bool,
    /// What was seen is to be forgotten.
    forget: bool,
    stopped: bool,
}

/// A frame to encode.
#[derive(Clone, Debug)]
struct Raw {
    picture: Arc<I420>,
    captured: Instant,
}

/// A frame that the camera has encoded.
#[derive(Clone, Debug)]
pub struct Unit {
    /// An H.264 access unit in Annex B form; keyframes with SPS and PPS in front.
    pub data: Arc<[u8]>,
    /// Whether a decoder can start here.
    pub keyframe: bool,
    /// When the camera saw it.
    pub captured: Instant,
}

/// What an encoder wants of a camera that encodes by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wishes {
    /// It runs, at this bitrate.
    pub run: Option<Bitrate>,
    /// Somebody waits for a keyframe.
    pub keyframe: bool,
}

impl EncoderControl {
    /// Passes an order on; takes effect at once.
    pub fn order(&self, order: EncoderOrder) {
        let mut post = self.lock();
        match order {
            EncoderOrder::Run(bitrate) => post.run = Some(bitrate),
            EncoderOrder::Keyframe => (post.keyframe, post.asks) = (true, true),
            EncoderOrder::Stop => post.run = None,
        }
        self.changed.notify_one();
    }

    /// The camera's newest frame; one that was not encoded yet is forgotten.
    pub fn publish(&self, picture: &Arc<I420>, captured: Instant) {
        let now = clock::now();
        let mut post = self.lock();
        if post.curtain {
            return;
        }
        post.frame = Some((Raw { picture: Arc::clone(picture), captured }, now));
        (post.alive, post.camera_lost) = (None, false);
        post.units.clear();
        // While nobody watches, the frame waits in the slot and the thread sleeps on.
        if post.run.is_some() {
            self.changed.notify_one();
        }
    }

    /// A frame that the camera has encoded by itself, to be passed on.
    pub fn pass(&self, unit: Unit) {
        let mut post = self.lock();
        post.camera_lost = false;
        post.frame = None;
        if post.run.is_none() || post.curtain {
            return;
        }
        if post.units.len() >= UNITS {
            post.units.clear();
            (post.broken, post.asks) = (true, true);
        }
        post.units.push_back(unit);
        self.changed.notify_one();
    }

    /// The camera works, and what it sent is not for this encoder.
    pub fn mark_alive(&self) {
        let now = clock::now();
        let mut post = self.lock();
        post.alive = Some(now);
        post.frame = None;
        post.camera_lost = false;
    }

    /// What this encoder wants of a camera that encodes by itself; a wish for a keyframe is told once.
    pub fn wishes(&self) -> Wishes {
        let mut post = self.lock();
        Wishes { run: post.run, keyframe: std::mem::take(&mut post.asks) }
    }

    /// The camera is known to be away: the card comes at once, not after a second of waiting.
    pub fn camera_lost(&self) {
        let mut post = self.lock();
        post.camera_lost = true;
        self.changed.notify_one();
    }

    /// The curtain is drawn, or open again. Of what the camera saw before and behind it nothing is left when it opens.
    pub fn set_curtain(&self, drawn: bool) {
        let mut post = self.lock();
        post.curtain = drawn;
        (post.frame, post.forget) = (None, true);
        post.units.clear();
        self.changed.notify_one();
    }

    /// Ends the thread.
    pub fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Post> {
        // Valid after every statement, so a panic elsewhere does not spoil it.
        self.post.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts an encoder thread for pictures from `full` down to `least`.
///
/// # Errors
/// If the system has no thread to give.
pub fn spawn_encoder(
    name: EncoderName,
    full: Rung,
    least: Rung,
    control: Arc<EncoderControl>,
    frames: Sender<EncodedVideo>,
    wake: Wake,
) -> io::Result<Worker> {
    let label = match name {
        EncoderName::First => "video-first",
        EncoderName::Second => "video-second",
        EncoderName::Third => "video-third",
        EncoderName::Frosted => "video-frosted",
    };
    spawn_in(Class::Video, label, move || {
        let mut encoder_thread = EncoderThread::new(name, [full, least], frames.clone(), wake.clone());
        match encoder_thread.work(&control) {
            Ok(()) => Exit::Done,
            Err(error) => {
                log::error!("{label}: {error}");
                Exit::Again
            }
        }
    })
}

/// What became of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Encoded and sent, or left out by the rate control.
    Done,
    /// Dropped before it was encoded.
    Dropped,
    /// Encoded, and lost on the way.
    Lost,
}

/// A picture of this size to draw on.
fn canvas(kept: &mut Option<I420>, width: usize, height: usize) -> &mut I420 {
    if kept.as_ref().is_some_and(|picture| (picture.width(), picture.height()) != (width, height)) {
        *kept = None;
    }
    kept.get_or_insert_with(|| I420::black(width, height))
}

/// What an encoder thread works with. *When* it encodes *what* is decided by its [`EncoderPlan`].
struct EncoderThread {
    name: EncoderName,
    full: Rung,
    least: Rung,
    frames: Sender<EncodedVideo>,
    wake: Wake,
    began: Instant,
    encoder: Option<VideoEncoder>,
    newest: Option<Raw>,
    card: Option<I420>,
    scaled: Option<I420>,
    frost: Frost,
    /// How old the newest frame was when it was first encoded: a repeat is as old, so that its time goes on evenly.
    age: Duration,
    last_captured: Option<Instant>,
    /// Of the frame that was just encoded.
    qp: Option<u8>,
    dropped: u64,
}

impl EncoderThread {
    fn new(name: EncoderName, [full, least]: [Rung; 2], frames: Sender<EncodedVideo>, wake: Wake) -> EncoderThread {
        EncoderThread {
            name,
            full,
            least,
            frames,
            wake,
            began: clock::now(),
            encoder: None,
            newest: None,
            card: None,
            scaled: None,
            frost: Frost::new(),
            age: Duration::ZERO,
            last_captured: None,
            qp: None,
            dropped: 0,
        }
    }

    /// Encodes until told to stop.
    fn work(&mut self, control: &EncoderControl) -> Result<(), EncodeError> {
        let sizes = Sizes::new(&self.full, &self.least);
        if self.name == EncoderName::First {
            // Sets up its memory, so that the first viewer does not wait for that.
            let (picture, bitrate) = (I420::black(self.full.width as usize, self.full.height as usize), self.full.max);
            self.encoder(sizes.size(), bitrate)?.encode(&picture, false, Duration::ZERO)?;
        }
        let mut plan = EncoderPlan::new(self.full.rate, sizes);
        let mut post = control.lock();
        loop {
            pulse::beat(Duration::ZERO);
            let now = clock::now();
            if post.stopped {
                return Ok(());
            }
            self.read(&mut post, &mut plan, now);
            if !post.units.is_empty() || post.broken {
                let (units, broken) = (std::mem::take(&mut post.units), std::mem::take(&mut post.broken));
                drop(post);
                if broken {
                    plan.break_relay();
                }
                let whole = self.pass_on(units, &mut plan);
                post = control.lock();
                post.asks |= !whole;
                continue;
            }
            if let Some(job) = plan.poll(now) {
                drop(post);
                let outcome = plan.running().map(|bitrate| self.encode(job, bitrate)).transpose()?;
                if let (Some(qp), Some(bitrate)) = (self.qp.take(), plan.running()) {
                    plan.handle_qp(qp, bitrate, clock::now());
                }
                if outcome == Some(Outcome::Lost) || (outcome == Some(Outcome::Dropped) && job.keyframe) {
                    plan.keyframe_still_owed(clock::now());
                }
                post = control.lock();
                continue;
            }
            post = match plan.poll_timeout() {
                None => {
                    pulse::rest();
                    control.changed.wait(post).unwrap_or_else(PoisonError::into_inner)
                }
                Some((deadline, _)) => {
                    let left = deadline.saturating_duration_since(clock::now());
                    pulse::beat(left);
                    control.changed.wait_timeout(post, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Takes the post in. The frame comes first: if it is old, an order to run that came after it waits for a
    /// fresh one.
    fn read(&mut self, post: &mut Post, plan: &mut EncoderPlan, now: Instant) {
        if std::mem::take(&mut post.forget) {
            (self.newest, self.card, self.scaled) = (None, None, None);
            self.frost.clear();
        }
        if let Some((frame, arrived)) = post.frame.take() {
            plan.handle_frame(arrived);
            self.newest = Some(frame);
            self.card = None;
        }
        if let Some(arrived) = post.alive.take() {
            plan.handle_relay(arrived);
            (self.newest, self.card) = (None, None);
        }
        if post.camera_lost {
            plan.handle_camera_lost();
        }
        match post.run {
            Some(bitrate) => plan.handle_run(bitrate, now),
            None => {
                plan.handle_stop();
                self.frost.clear();
            }
        }
        if std::mem::take(&mut post.keyframe) {
            plan.handle_keyframe(now);
        }
    }

    /// Passes on what the camera encoded; false if something of it could not be, so that a keyframe is needed.
    fn pass_on(&mut self, units: VecDeque<Unit>, plan: &mut EncoderPlan) -> bool {
        let mut whole = true;
        for unit in units {
            let now = clock::now();
            (self.newest, self.card) = (None, None);
            let passed = plan.handle_encoded(unit.keyframe, now) && {
                let captured = self.growing(unit.captured);
                let Unit { data, keyframe, .. } = unit;
                let frame = EncodedVideo {
                    encoder: self.name,
                    full: true,
                    data,
                    keyframe,
                    captured,
                    encode_began: now,
                    encoded: now,
                };
                self.frames.try_send(frame).is_ok()
            };
            if passed {
                self.wake.wake();
            } else {
                plan.break_relay();
            }
            whole &= passed;
        }
        whole
    }

    /// The encoder for pictures of this size, which aims at this bitrate. One for another size takes its place.
    fn encoder(&mut self, size: Size, bitrate: Bitrate) -> Result<&mut VideoEncoder, EncodeError> {
        let Size { width, height, max, .. } = size;
        let fits = |encoder: &VideoEncoder| encoder.size() == (width as usize, height as usize);
        let mut encoder = match self.encoder.take().filter(fits) {
            Some(encoder) => encoder,
            None => VideoEncoder::beginning_at(&Rung { width, height, max, ..self.full }, bitrate)?,
        };
        encoder.set_bitrate(bitrate);
        Ok(self.encoder.insert(encoder))
    }

    /// Encodes a picture and sends it.
    fn encode(&mut self, job: Job, bitrate: Bitrate) -> Result<Outcome, EncodeError> {
        if self.frames.is_full() {
            // The loop is behind. Raw frames may be dropped, encoded ones never.
            self.dropped += 1;
            if self.dropped.is_power_of_two() {
                log::warn!("{:?} encoder: event loop is behind, {} raw frames dropped", self.name, self.dropped);
            }
            return Ok(Outcome::Dropped);
        }
        if self.newest.is_none() && job.source != Source::Card {
            // Behind the curtain everything was forgotten: the next frame is on its way.
            return Ok(Outcome::Dropped);
        }
        let encode_began = clock::now();
        let captured = self.time_of(job.source, encode_began);
        // Below the floor the plan leaves frames out; those that are made stay worth looking at.
        self.encoder(job.size, bitrate.max(self.least.floor))?;
        let (width, height) = (job.size.width as usize, job.size.height as usize);
        let picture: &I420 = match &self.newest {
            Some(frame) if job.source != Source::Card => {
                if self.name == EncoderName::Frosted {
                    let canvas = canvas(&mut self.scaled, width, height);
                    self.frost.draw(&frame.picture, canvas);
                    canvas
                } else if (frame.picture.width(), frame.picture.height()) == (width, height) {
                    &frame.picture
                } else {
                    let scaled = canvas(&mut self.scaled, width, height);
                    scale::scale_into(&frame.picture, scaled);
                    scaled
                }
            }
            last => {
                let last = last.as_ref().map(|frame| &*frame.picture);
                // The card may have the last picture behind it.
                let last = last.filter(|_| self.name != EncoderName::Frosted);
                let card = self.card.take().filter(|card| (card.width(), card.height()) == (width, height));
                self.card.insert(card.unwrap_or_else(|| card::unplugged(width, height, last)))
            }
        };
        let Some(encoder) = &mut self.encoder else { return Ok(Outcome::Done) };
        let since = captured.saturating_duration_since(self.began);
        let Some(encoded) = encoder.encode(picture, job.keyframe, since)? else {
            // The encoder's own rate control left this frame out.
            return Ok(Outcome::Done);
        };
        self.qp = (job.source != Source::Card).then_some(encoded.qp);
        let frame = EncodedVideo {
            encoder: self.name,
            full: (job.size.width, job.size.height) == (self.full.width, self.full.height),
            data: encoded.data,
            keyframe: encoded.keyframe,
            captured,
            encode_began,
            encoded: clock::now(),
        };
        // Another encoder may have taken the last place meanwhile. What follows refers to this frame, so it may only
        // be a keyframe.
        if self.frames.try_send(frame).is_err() {
            return Ok(Outcome::Lost);
        }
        self.wake.wake();
        Ok(Outcome::Done)
    }

    /// The capture time of what is encoded at `now`; it always grows.
    fn time_of(&mut self, source: Source, now: Instant) -> Instant {
        let exact = match (source, &self.newest) {
            (Source::Fresh, Some(frame)) => {
                self.age = now.saturating_duration_since(frame.captured);
                frame.captured
            }
            (Source::Card, _) => now,
            _ => now.checked_sub(self.age).unwrap_or(now),
        };
        self.growing(exact)
    }

    /// This time, or one a little after the last.
    fn growing(&mut self, exact: Instant) -> Instant {
        let grown = self.last_captured.map_or(exact, |last| exact.max(last + Duration::from_millis(1)));
        *self.last_captured.insert(grown)
    }
}

#[cfg(test)]
mod tests;
