//! The camera thread: opens the camera as often as it takes, and gives its newest frame to every encoder.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use intercom_base::picture::I420;
use intercom_base::units::Bitrate;
use intercom_core::call::protocol::CameraState;
use intercom_core::devices::doctor::Kind;
use intercom_core::devices::keeper::{Keeper, Step};
use intercom_core::devices::supervisor::Change;
use intercom_drivers::contract::{BoxedOpener, CaptureVideo, DeviceError, Image, VideoFrame};

use crate::shell::devices::coded::Coded;
use crate::shell::devices::jpegs::{Decoded, Jpegs};
use crate::shell::devices::pictures::Board;
use crate::shell::devices::{DeviceContext, Hints};
use crate::shell::encoders::EncoderControl;
use crate::shell::jail::Jail;
use crate::shell::snapshots::SnapshotControl;
use crate::shell::wires::{ToLoop, ToLoopHandle};
use crate::shell::worker::{Exit, Worker, spawn_worker};
use crate::shell::{clock, pulse};

/// A frame is awaited for this long at a time.
const PATIENCE: Duration = Duration::from_millis(500);

/// An open camera without a frame for this long counts as unplugged.
const SILENT: Duration = Duration::from_secs(1);

/// While nobody visits, the camera is looked at this often: it stays known to work, and costs nothing.
const GLANCE: Duration = Duration::from_millis(1000);

/// Who gets the camera's frames.
pub struct Outlets {
    /// The encoder whose place a camera's own H.264 can take.
    pub first: Arc<EncoderControl>,
    /// Width and height of its full picture.
    pub size: (u32, u32),
    /// What that needs.
    pub need: Bitrate,
    /// All others, which need pixels.
    pub others: Vec<Arc<EncoderControl>>,
    /// Who makes single pictures.
    pub snapshots: Arc<SnapshotControl>,
    /// What home may see of itself.
    pub board: Arc<Board>,
}

impl Outlets {
    /// Whether the camera did its part.
    fn publish(
        &self,
        frame: &VideoFrame,
        present: bool,
        decoders: (&mut Coded, &mut Jpegs),
        open: &mut dyn CaptureVideo,
    ) -> Result<bool, DeviceError> {
        let (coded, jpegs) = decoders;
        match &frame.image {
            Image::Picture(picture) => self.publish_picture(picture, frame.captured),
            Image::H264(unit) => {
                let asked = coded.handle_unit(unit, (frame.sequence, frame.captured), present, self);
                coded.ask(asked, open.encoder());
            }
            Image::Jpeg(bytes) => match jpegs.decode(bytes, clock::now())? {
                Decoded::Picture(picture) => self.publish_picture(&picture, frame.captured),
                Decoded::Damaged => return Ok(false),
                Decoded::NotNow => {}
            },
        }
        Ok(true)
    }

    fn publish_picture(&self, picture: &Arc<I420>, captured: Instant) {
        self.first.publish(picture, captured);
        self.others.iter().for_each(|encoder| encoder.publish(picture, captured));
        self.snapshots.publish(picture);
        self.board.set_own(picture);
    }

    fn camera_lost(&self) {
        self.board.clear_own();
        self.first.camera_lost();
        self.others.iter().for_each(|encoder| encoder.camera_lost());
        self.snapshots.camera_lost();
    }
}

/// Starts the camera thread. `jail` decodes JPEGs.
///
/// # Errors
/// If the system has no thread to give.
pub fn spawn_camera(
    mut opener: BoxedOpener<dyn CaptureVideo>,
    outlets: Outlets,
    jail: Jail,
    context: DeviceContext,
    events: ToLoopHandle,
) -> io::Result<Worker> {
    let mut jpegs = Jpegs::new(jail);
    spawn_worker("camera", move || {
        let mut keeper = Keeper::new(&mut *opener, SILENT, clock::now());
        let mut hints = Hints::new(&context.activity);
        let mut mode = String::new();
        let mut coded = Coded::new(false);
        loop {
            if context.activity.is_stopped() {
                return Exit::Done;
            }
            pulse::beat(GLANCE);
            let now = clock::now();
            if hints.heed(&context.activity) {
                keeper.handle_hint(now);
            }
            let mut delivered = false;
            let change = match keeper.poll(now) {
                Step::Use(open) => {
                    let result = open.capture(now + PATIENCE).and_then(|frame| {
                        let decoders = (&mut coded, &mut jpegs);
                        let shown = |frame| outlets.publish(&frame, context.activity.is_visited(), decoders, open);
                        delivered = frame.map_or(Ok(false), shown)?;
                        Ok(delivered)
                    });
                    if result.is_err() {
                        context.health.closed(Kind::Camera);
                    }
                    keeper.handle_use(result, clock::now())
                }
                Step::Open => {
                    let opened = keeper.open();
                    if let Some(open) = keeper.device() {
                        mode = open.mode().to_string();
                        coded = Coded::new(open.encoder().is_some());
                        context.health.opened(Kind::Camera, &keeper.describe());
                    }
                    keeper.handle_open(opened, clock::now())
                }
                Step::Wait(retry) => {
                    hints.sleep(&context.activity, retry.saturating_duration_since(now).min(PATIENCE));
                    None
                }
            };
            context.health.tell_change(Kind::Camera, &keeper.describe(), &mode, change.as_ref());
            match change {
                Some(Change::Live) => {
                    events.tell(ToLoop::Camera(CameraState::Live));
                }
                Some(Change::Absent(_)) => {
                    outlets.camera_lost();
                    events.tell(ToLoop::Camera(CameraState::Unplugged));
                }
                None => {}
            }
            if delivered && !context.activity.is_visited() {
                context.activity.wait(GLANCE);
                keeper.handle_rest(Ok(()), clock::now());
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::{Receiver, Sender, bounded};
    use intercom_base::units::{Bitrate, FrameRate};
    use intercom_core::call::items::EncoderName;
    use intercom_core::call::items::{EncodedVideo, EncoderOrder};
    use intercom_drivers::contract::{Opener, VideoMode};

    use super::*;
    use crate::shell::encoders::spawn_encoder;
    use crate::shell::jail::{Codec, Program};
    use crate::shell::wake::Wake;

    /// Long enough for a busy machine; only a failing test waits for it.
    const LONG: Duration = Duration::from_secs(20);

    /// A camera that works for some frames, then its plug is pulled.
    struct Window {
        left: u32,
        asked: Sender<()>,
    }

    impl CaptureVideo for Window {
        fn mode(&self) -> VideoMode {
            VideoMode { width: 160, height: 90, rate: 30.0 }
        }

        fn capture(&mut self, deadline: Instant) -> Result<Option<VideoFrame>, DeviceError> {
            clock::sleep_until(deadline.min(clock::now() + Duration::from_millis(20)));
            let _ = self.asked.try_send(());
            self.left = self.left.checked_sub(1).ok_or(DeviceError::Absent("the plug was pulled".into()))?;
            let image = Image::Picture(Arc::new(I420::black(160, 90)));
            Ok(Some(VideoFrame { image, captured: clock::now(), sequence: 0 }))
        }
    }

    struct Opens(Vec<u32>, Sender<()>);

    impl Opener<dyn CaptureVideo> for Opens {
        fn open(&mut self) -> Result<Box<dyn CaptureVideo>, DeviceError> {
            let left = if self.0.len() > 1 { self.0.remove(0) } else { self.0[0] };
            Ok(Box::new(Window { left, asked: self.1.clone() }))
        }

        fn describe(&self) -> String {
            "a window".into()
        }
    }

    struct Room {
        context: DeviceContext,
        control: Arc<EncoderControl>,
        frames: Receiver<EncodedVideo>,
        news: Receiver<ToLoop>,
        asked: Receiver<()>,
        workers: [Worker; 2],
    }

    fn room(lives: Vec<u32>) -> Room {
        let rate = FrameRate::from_fps(30.0);
        let (floor, max) = (Bitrate::from_kbps(100), Bitrate::from_kbps(500));
        let rung = intercom_base::settings::Rung { width: 160, height: 90, rate, floor, max };
        let (context, control) = (DeviceContext::default(), Arc::new(EncoderControl::default()));
        let (video, frames) = bounded(8);
        let (events, news) = bounded(64);
        let (asking, asked) = bounded(100);
        let wake = Wake::new().unwrap();
        let handle = ToLoopHandle { events, wake: wake.clone() };
        let opener = Box::new(Opens(lives, asking));
        let (first, board) = (control.clone(), Arc::default());
        let outlets =
            Outlets { first, size: (160, 90), need: floor, others: Vec::new(), snapshots: Arc::default(), board };
        let workers = [
            spawn_encoder(EncoderName::First, rung, rung, control.clone(), video, wake).unwrap(),
            spawn_camera(opener, outlets, no_jail(), context.clone(), handle).unwrap(),
        ];
        Room { context, control, frames, news, asked, workers }
    }

    /// For a camera that sends no JPEGs.
    fn no_jail() -> Jail {
        Jail::new(Codec::Jpeg, Program::at("/nonexistent"), Arc::default())
    }

    impl Room {
        fn camera(&self) -> CameraState {
            match self.news.recv_timeout(LONG) {
                Ok(ToLoop::Camera(state)) => state,
                other => panic!("{other:?}"),
            }
        }

        fn close(self) {
            self.context.activity.stop();
            self.control.stop();
            for worker in self.workers {
                worker.dismiss();
                assert!(worker.join_within(LONG));
            }
        }
    }

    #[test]
    fn the_loop_hears_of_a_pulled_plug_and_of_its_return_once_each() {
        let room = room(vec![3, u32::MAX]);
        room.context.activity.set_visited(true);
        assert_eq!(room.camera(), CameraState::Live);
        assert_eq!(room.camera(), CameraState::Unplugged);
        assert_eq!(room.camera(), CameraState::Live);
        assert!(room.news.is_empty());
        room.close();
    }

    #[test]
    fn a_visit_wakes_the_camera_at_once() {
        let room = room(vec![u32::MAX]);
        assert_eq!(room.camera(), CameraState::Live);
        while room.asked.recv_timeout(Duration::from_millis(200)).is_ok() {}
        room.context.activity.set_visited(true);
        room.control.order(EncoderOrder::Run(Bitrate::from_kbps(300)));
        assert!(room.frames.recv_timeout(LONG).expect("a picture").keyframe);
        for _ in 0..5 {
            room.asked.recv_timeout(LONG).expect("frames at the full rate");
        }
        room.close();
    }
}
