//! A camera that encodes H.264 by itself, on the camera's thread: its stream goes to the first encode's viewers as it is, and is
//! decoded for those who need pixels. What becomes of each frame is decided by [`Passthrough`].

use std::sync::Arc;
use std::time::Instant;

use intercom_base::picture::I420;
use intercom_core::rate::passthrough::{Obstacle, Passthrough, Unit, Wants};
use intercom_drivers::contract::CameraEncoder;
use intercom_media::h264::{self, ParameterSets};
use intercom_media::video_decoder::VideoDecoder;

use crate::shell::devices::camera::Outlets;
use crate::shell::{clock, encoders};

/// The stream of one camera, from its opening on.
pub struct Coded {
    passthrough: Passthrough,
    sets: ParameterSets,
    decoder: VideoDecoder,
    /// What was last logged.
    told: Option<Told>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Passes,
    Encoded(Obstacle),
}

impl Coded {
    /// Of a camera that was just opened.
    pub fn new(can_ask: bool) -> Coded {
        Coded {
            passthrough: Passthrough::new(can_ask),
            sets: ParameterSets::default(),
            decoder: VideoDecoder::new(),
            told: None,
        }
    }

    /// Takes an access unit to wherever it is wanted. `present` says whether anybody visits.
    pub fn handle_unit(&mut self, unit: &Arc<[u8]>, at: (u64, Instant), present: bool, outlets: &Outlets) -> Asked {
        let (sequence, captured) = at;
        self.sets.watch(unit);
        let keyframe = h264::is_keyframe(unit);
        let suits = self.sets.suit_browsers().and_then(|size| fits(size, outlets.size));
        let first = outlets.first.wishes();
        let pixels = outlets.others.iter().any(|encoder| encoder.wishes().run.is_some())
            || outlets.board.wants_own()
            || outlets.snapshots.wants_pixels();
        let wants = if present {
            Wants { full: first.run, need: outlets.need, keyframe: first.keyframe, pixels }
        } else {
            Wants::default()
        };
        let arrived = Unit { sequence, keyframe, bytes: unit.len(), suits };
        let verdict = self.passthrough.handle_unit(arrived, wants, clock::now());
        let mended = if keyframe { self.sets.put_before(unit) } else { None };
        let data = mended.map_or_else(|| Arc::clone(unit), Arc::from);
        if verdict.pass {
            outlets.first.pass(encoders::Unit { data: Arc::clone(&data), keyframe, captured });
        }
        if !verdict.decode {
            self.decoder.reset();
        }
        let picture = if verdict.decode { self.decode(&data) } else { None };
        match &picture {
            Some(picture) => {
                outlets.board.set_own(picture);
                outlets.others.iter().for_each(|encoder| encoder.publish(picture, captured));
                outlets.snapshots.publish(picture);
            }
            None => {
                outlets.others.iter().for_each(|encoder| encoder.mark_alive());
                outlets.snapshots.mark_alive();
            }
        }
        match &picture {
            _ if verdict.pass => {}
            Some(picture) if first.run.is_some() => outlets.first.publish(picture, captured),
            _ => outlets.first.mark_alive(),
        }
        if wants.full.is_some() {
            self.tell();
        }
        Asked { keyframe: verdict.ask, bitrate: verdict.tell.map(|bitrate| bitrate.bps()) }
    }

    /// Asks the camera, as was decided.
    pub fn ask(&mut self, asked: Asked, encoder: Option<&mut dyn CameraEncoder>) {
        let Some(encoder) = encoder else { return };
        if let Some(bitrate) = asked.bitrate {
            // One that cannot be told is measured.
            encoder.set_bitrate(bitrate);
        }
        if asked.keyframe && !encoder.request_keyframe() {
            self.passthrough.handle_refused();
        }
    }

    fn decode(&mut self, unit: &[u8]) -> Option<Arc<I420>> {
        match self.decoder.decode(unit) {
            Ok(picture) => picture,
            Err(error) => {
                log::debug!("camera: {error}");
                self.passthrough.handle_undecodable();
                None
            }
        }
    }

    fn tell(&mut self) {
        let now = match self.passthrough.obstacle() {
            Some(obstacle) => Told::Encoded(obstacle),
            None if self.passthrough.passes() => Told::Passes,
            None => return,
        };
        if self.told.replace(now) == Some(now) {
            return;
        }
        match now {
            Told::Passes => log::info!("camera: its own H.264 goes to viewers as it is"),
            Told::Encoded(Obstacle::Unsuited(why)) => log::info!("camera: its own H.264 is encoded again: {why}"),
            Told::Encoded(Obstacle::Deaf) => {
                log::info!("camera: its own H.264 is encoded again: it makes no keyframes when asked");
            }
            Told::Encoded(Obstacle::TooMuch) => {
                log::info!("camera: its own H.264 is encoded again: it is more than the viewers' connections carry");
            }
            Told::Encoded(Obstacle::TooThin) => {
                log::info!("camera: its own H.264 is encoded again: the viewers' connections carry a smaller picture");
            }
        }
    }
}

/// What to ask of the camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    keyframe: bool,
    /// In bits a second.
    bitrate: Option<u64>,
}

/// Whether a stream of this size, before cropping, has the full picture's.
fn fits(size: (u32, u32), wanted: (u32, u32)) -> Result<(), &'static str> {
    let side = |side: u32, wanted: u32| (wanted..wanted + 16).contains(&side);
    if side(size.0, wanted.0) && side(size.1, wanted.1) { Ok(()) } else { Err("its size is not that of [video]") }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use base64::Engine as _;
    use crossbeam_channel::{Receiver, bounded};
    use intercom_base::settings::Rung;
    use intercom_base::testing::pictures::moving_scene;
    use intercom_base::units::{Bitrate, FrameRate};
    use intercom_core::call::items::{EncodedVideo, EncoderName, EncoderOrder};
    use intercom_drivers::contract::{CaptureVideo, DeviceError, Image, Opener, VideoFrame, VideoMode};
    use intercom_media::video_encoder::VideoEncoder;

    use super::*;
    use crate::shell::devices::DeviceContext;
    use crate::shell::devices::camera::spawn_camera;
    use crate::shell::devices::pictures::Board;
    use crate::shell::encoders::{EncoderControl, spawn_encoder};
    use crate::shell::jail::{Codec, Jail, Program};
    use crate::shell::snapshots::{SnapshotControl, spawn_snapshots};
    use crate::shell::wake::Wake;
    use crate::shell::wires::{ToLoop, ToLoopHandle};
    use crate::shell::worker::Worker;

    /// Long enough for a busy machine; only a failing test waits for it.
    const LONG: Duration = Duration::from_secs(20);

    fn rung(width: u32, height: u32) -> Rung {
        let (floor, max) = (Bitrate::from_kbps(100), Bitrate::from_kbps(2000));
        Rung { width, height, rate: FrameRate::from_fps(50.0), floor, max }
    }

    /// What the test and the webcam share.
    #[derive(Default)]
    struct Shared {
        sent: Mutex<Vec<Arc<[u8]>>>,
        /// The plug is pulled.
        gone: AtomicBool,
    }

    /// A webcam of 320x180 that encodes by itself. It makes keyframes when asked; if it cannot be asked, now and then.
    struct Webcam {
        shared: Arc<Shared>,
        encoder: VideoEncoder,
        count: u64,
        keyframe: bool,
        /// Whether anything can be asked of it.
        obeys: bool,
    }

    impl CaptureVideo for Webcam {
        fn mode(&self) -> VideoMode {
            VideoMode { width: 320, height: 180, rate: 50.0 }
        }

        fn capture(&mut self, deadline: Instant) -> Result<Option<VideoFrame>, DeviceError> {
            clock::sleep_until(deadline.min(clock::now() + Duration::from_millis(20)));
            if self.shared.gone.load(Ordering::Relaxed) {
                return Err(DeviceError::Absent("the plug was pulled".into()));
            }
            self.count += 1;
            let picture = moving_scene(320, 180, self.count as usize);
            let by_itself = !self.obeys && self.count.is_multiple_of(10);
            let keyframe = std::mem::take(&mut self.keyframe) || by_itself;
            let at = Duration::from_millis(20 * self.count);
            let Some(encoded) = self.encoder.encode(&picture, keyframe, at).expect("encoded") else {
                return Ok(None);
            };
            self.shared.sent.lock().unwrap().push(Arc::clone(&encoded.data));
            let image = Image::H264(encoded.data);
            Ok(Some(VideoFrame { image, captured: clock::now(), sequence: self.count }))
        }

        fn encoder(&mut self) -> Option<&mut dyn CameraEncoder> {
            if self.obeys { Some(self) } else { None }
        }
    }

    impl CameraEncoder for Webcam {
        fn request_keyframe(&mut self) -> bool {
            self.keyframe = true;
            true
        }

        fn set_bitrate(&mut self, _: u64) -> bool {
            false
        }
    }

    struct Opens(Arc<Shared>, bool);

    impl Opener<dyn CaptureVideo> for Opens {
        fn open(&mut self) -> Result<Box<dyn CaptureVideo>, DeviceError> {
            if self.0.gone.load(Ordering::Relaxed) {
                return Err(DeviceError::Absent("no webcam".into()));
            }
            let encoder = VideoEncoder::new(&rung(320, 180)).expect("an encoder");
            Ok(Box::new(Webcam { shared: self.0.clone(), encoder, count: 0, keyframe: false, obeys: self.1 }))
        }

        fn describe(&self) -> String {
            "a webcam that encodes".into()
        }
    }

    struct Room {
        shared: Arc<Shared>,
        context: DeviceContext,
        controls: [Arc<EncoderControl>; 2],
        frames: Receiver<EncodedVideo>,
        board: Arc<Board>,
        snapshots: Arc<SnapshotControl>,
        news: Receiver<ToLoop>,
        workers: Vec<Worker>,
    }

    fn room(obeys: bool, size: (u32, u32)) -> Room {
        let (shared, context) = (Arc::new(Shared::default()), DeviceContext::default());
        let controls: [Arc<EncoderControl>; 2] = Default::default();
        let (video, frames) = bounded(8);
        let (events, news) = bounded(64);
        let wake = Wake::new().unwrap();
        let board = Arc::new(Board::new(true));
        let handle = ToLoopHandle { events, wake: wake.clone() };
        let [first, third] = controls.clone();
        let snapshots = Arc::new(SnapshotControl::default());
        let outlets = Outlets {
            first,
            size,
            need: rung(size.0, size.1).floor,
            others: vec![third],
            snapshots: snapshots.clone(),
            board: board.clone(),
        };
        let encoders = [(EncoderName::First, rung(size.0, size.1)), (EncoderName::Third, rung(160, 90))];
        let mut workers: Vec<Worker> = encoders
            .into_iter()
            .zip(&controls)
            .map(|((name, rung), control)| {
                spawn_encoder(name, rung, rung, control.clone(), video.clone(), wake.clone()).unwrap()
            })
            .collect();
        workers.push(spawn_snapshots((160, 90), snapshots.clone(), handle.clone()).unwrap());
        let opener = Box::new(Opens(shared.clone(), obeys));
        let jail = Jail::new(Codec::Jpeg, Program::at("/nonexistent"), Arc::default());
        workers.push(spawn_camera(opener, outlets, jail, context.clone(), handle).unwrap());
        context.activity.set_visited(true);
        let deadline = clock::now() + LONG;
        while shared.sent.lock().unwrap().is_empty() && clock::now() < deadline {
            clock::sleep_until(clock::now() + Duration::from_millis(5));
        }
        Room { shared, context, controls, frames, board, snapshots, news, workers }
    }

    impl Room {
        fn run(&self, encoder: EncoderName) {
            self.order(encoder, EncoderOrder::Run(Bitrate::from_kbps(1500)));
        }

        fn order(&self, encoder: EncoderName, order: EncoderOrder) {
            self.controls[usize::from(encoder == EncoderName::Third)].order(order);
        }

        fn next(&self, encoder: EncoderName) -> EncodedVideo {
            let deadline = clock::now() + LONG;
            while let Ok(frame) = self.frames.recv_deadline(deadline) {
                if frame.encoder == encoder {
                    return frame;
                }
            }
            panic!("no frame");
        }

        fn is_the_cameras(&self, frame: &EncodedVideo) -> bool {
            self.shared.sent.lock().unwrap().iter().any(|sent| Arc::ptr_eq(sent, &frame.data))
        }

        fn close(self) {
            self.context.activity.stop();
            self.controls.iter().for_each(|control| control.stop());
            self.snapshots.stop();
            for worker in self.workers {
                worker.dismiss();
                assert!(worker.join_within(LONG));
            }
        }
    }

    fn luma(picture: &I420) -> Vec<u8> {
        picture.planes()[0].to_vec()
    }

    #[test]
    fn viewers_get_what_the_camera_encoded_and_every_frame_of_it() {
        let room = room(true, (320, 180));
        room.run(EncoderName::First);
        let mut decoder = VideoDecoder::new();
        let mut take = || {
            let frame = room.next(EncoderName::First);
            assert!(room.is_the_cameras(&frame), "encoded again");
            assert!(decoder.decode(&frame.data).unwrap().is_some(), "it lacks one before it");
            frame.keyframe
        };
        assert!(take());
        assert!((0..20).all(|_| !take()));
        room.order(EncoderName::First, EncoderOrder::Keyframe);
        assert!((0..20).any(|_| take()), "the camera makes one when a viewer needs it");
        room.close();
    }

    #[test]
    fn the_reduced_picture_and_homes_own_are_decoded_from_it_meanwhile() {
        let room = room(true, (320, 180));
        room.run(EncoderName::First);
        assert!(room.next(EncoderName::First).keyframe);
        room.run(EncoderName::Third);
        let mut decoder = VideoDecoder::new();
        let first = decoder.decode(&room.next(EncoderName::Third).data).unwrap().expect("a keyframe first");
        assert_eq!((first.width(), first.height()), (160, 90));
        let moved = (0..20).any(|_| {
            let picture = decoder.decode(&room.next(EncoderName::Third).data).unwrap();
            picture.is_some_and(|picture| luma(&picture) != luma(&first))
        });
        assert!(moved, "one picture only");
        let full = room.next(EncoderName::First);
        assert!(room.is_the_cameras(&full), "the full picture stays the camera's");
        assert!(!room.board.wants_own(), "no TV");
        room.close();
    }

    #[test]
    fn a_snapshot_is_decoded_from_it_for_who_cannot_show_video() {
        let room = room(true, (320, 180));
        for _ in 0..2 {
            room.snapshots.order();
            let deadline = clock::now() + LONG;
            let came = loop {
                match room.news.recv_deadline(deadline) {
                    Ok(ToLoop::Snapshot(jpeg)) => break jpeg,
                    Ok(_) => {}
                    Err(error) => panic!("no snapshot: {error}"),
                }
            };
            let jpeg = base64::engine::general_purpose::STANDARD.decode(came).expect("base64");
            let mut picture = I420::black(160, 90);
            intercom_drivers::jpeg::Jpeg::default().decode(&jpeg, &mut picture).expect("a JPEG");
            let card = luma(&intercom_media::card::unplugged(160, 90, None));
            let apart: u64 = luma(&picture).iter().zip(&card).map(|(one, other)| u64::from(one.abs_diff(*other))).sum();
            assert!(apart > 20 * card.len() as u64, "it is the camera's picture");
        }
        room.close();
    }

    #[test]
    fn another_size_or_a_camera_that_cannot_be_asked_is_encoded_anew() {
        for (obeys, size) in [(true, (240, 136)), (false, (320, 180))] {
            let room = room(obeys, size);
            room.run(EncoderName::First);
            let mut decoder = VideoDecoder::new();
            let mut frames = 0;
            let mut shown = None;
            while frames < 20 {
                let frame = room.next(EncoderName::First);
                assert!(!room.is_the_cameras(&frame), "{obeys} {size:?}");
                shown = decoder.decode(&frame.data).unwrap().or(shown);
                frames += 1;
            }
            let shown = shown.expect("pictures");
            assert_eq!((shown.width() as u32, shown.height() as u32), size);
            room.close();
        }
    }

    #[test]
    fn unplugged_and_back_the_viewer_sees_the_card_and_then_the_picture() {
        let room = room(true, (320, 180));
        room.run(EncoderName::First);
        let mut decoder = VideoDecoder::new();
        let mut take = |camera: bool| {
            let deadline = clock::now() + LONG;
            loop {
                assert!(clock::now() < deadline, "never");
                let frame = room.next(EncoderName::First);
                assert!(decoder.decode(&frame.data).unwrap().is_some(), "what came before is missing");
                if room.is_the_cameras(&frame) == camera {
                    break;
                }
            }
        };
        take(true);
        room.shared.gone.store(true, Ordering::Relaxed);
        take(false);
        room.shared.gone.store(false, Ordering::Relaxed);
        room.context.activity.hint();
        take(true);
        room.close();
    }
}
