//! Encoder threads with a made-up camera, in real time.

use crossbeam_channel::{Receiver, bounded};
use intercom_base::testing::pictures::moving_scene;
use intercom_base::units::FrameRate;
use intercom_media::video_decoder::VideoDecoder;

use super::*;

/// Long enough for a busy machine; only a failing test waits for it.
const LONG: Duration = Duration::from_secs(20);

struct Room {
    control: Arc<EncoderControl>,
    frames: Receiver<EncodedVideo>,
    worker: Worker,
    sent: usize,
}

fn room(bound: usize) -> Room {
    let rung = Rung {
        width: 320,
        height: 180,
        rate: FrameRate::from_fps(30.0),
        floor: Bitrate::from_kbps(100),
        max: Bitrate::from_kbps(1000),
    };
    let control = Arc::new(EncoderControl::default());
    let (sender, frames) = bounded(bound);
    let worker = spawn_encoder(EncoderName::First, rung, rung, control.clone(), sender, Wake::new().unwrap()).unwrap();
    Room { control, frames, worker, sent: 0 }
}

impl Room {
    fn camera(&mut self, width: usize, height: usize) {
        let picture = Arc::new(moving_scene(width, height, self.sent));
        self.sent += 1;
        self.control.publish(&picture, clock::now());
    }

    fn run(&self) {
        self.control.order(EncoderOrder::Run(Bitrate::from_kbps(800)));
    }

    fn next(&self) -> EncodedVideo {
        self.frames.recv_timeout(LONG).expect("a frame")
    }

    fn close(self) {
        self.control.stop();
        self.worker.dismiss();
        assert!(self.worker.join_within(LONG));
    }
}

#[test]
fn the_first_viewer_gets_the_frame_at_hand_as_a_keyframe_and_nobody_gets_nothing() {
    let mut room = room(8);
    room.camera(320, 180);
    room.run();
    let first = room.next();
    assert!(first.keyframe);
    let picture = VideoDecoder::new().decode(&first.data).unwrap().unwrap();
    assert_eq!((picture.width(), picture.height()), (320, 180));
    room.control.order(EncoderOrder::Stop);
    while room.frames.recv_timeout(Duration::from_millis(200)).is_ok() {}
    room.camera(320, 180);
    assert!(room.frames.recv_timeout(Duration::from_millis(200)).is_err(), "stopped is stopped");
    room.camera(320, 180);
    room.run();
    assert!(room.next().keyframe, "who comes again cannot start in the middle");
    room.close();
}

#[test]
fn ticks_go_on_without_a_camera_and_their_times_grow() {
    let mut room = room(8);
    room.camera(320, 180);
    room.run();
    let frames: Vec<_> = (0..10).map(|_| room.next()).collect();
    assert!(frames[0].keyframe && frames[1..].iter().all(|frame| !frame.keyframe));
    assert!(frames.windows(2).all(|w| w[1].captured > w[0].captured));
    room.close();
}

#[test]
fn a_keyframe_is_made_of_what_is_there() {
    let mut room = room(8);
    room.camera(320, 180);
    room.run();
    assert!(room.next().keyframe);
    room.control.order(EncoderOrder::Keyframe);
    assert!((0..5).any(|_| room.next().keyframe));
    room.close();
}

#[test]
fn another_camera_size_is_scaled_and_a_lost_camera_is_the_card() {
    let mut room = room(8);
    room.camera(640, 480);
    room.run();
    let mut decoder = VideoDecoder::new();
    let picture = decoder.decode(&room.next().data).unwrap().unwrap();
    assert!(picture.planes()[0][90 * 320 + 4] < 30, "4:3 stands between black edges");
    assert!(picture.planes()[0][90 * 320 + 160] > 60);
    room.control.camera_lost();
    let white = |picture: &I420| picture.planes()[0].iter().filter(|p| **p > 200).count();
    let card = (0..40).filter_map(|_| decoder.decode(&room.next().data).unwrap()).find(|p| white(p) > 150);
    assert!(card.is_some(), "the card's words");
    room.close();
}

#[test]
fn when_the_loop_is_behind_raw_frames_are_dropped_and_the_stream_stays_whole() {
    let mut room = room(2);
    room.camera(320, 180);
    room.run();
    // Nobody takes frames out for a while.
    while room.frames.len() < 2 {
        clock::sleep_until(clock::now() + Duration::from_millis(5));
    }
    for _ in 0..10 {
        room.camera(320, 180);
        clock::sleep_until(clock::now() + Duration::from_millis(33));
    }
    let mut decoder = VideoDecoder::new();
    for _ in 0..8 {
        room.camera(320, 180);
        assert!(decoder.decode(&room.next().data).unwrap().is_some(), "nothing that was encoded is missing");
    }
    room.close();
}

#[test]
fn nothing_that_the_camera_saw_before_the_curtain_or_behind_it_goes_out_after_it() {
    let (mut white, mut grey) = (I420::black(320, 180), I420::black(320, 180));
    white.planes_mut()[0].fill(235);
    grey.planes_mut()[0].fill(120);
    let (white, grey) = (Arc::new(white), Arc::new(grey));
    // The card that stands for a camera has white words on a dark ground.
    let mean = |picture: &I420| picture.planes()[0].iter().map(|luma| usize::from(*luma)).sum::<usize>() / (320 * 180);
    let room = room(8);
    let mut decoder = VideoDecoder::new();
    let mut shown = |room: &Room| decoder.decode(&room.next().data).unwrap().map(|picture| mean(&picture));
    room.control.publish(&white, clock::now());
    room.run();
    assert!((0..5).any(|_| shown(&room).is_some_and(|luma| luma > 200)), "before it, what the camera sees");
    room.control.set_curtain(true);
    room.control.order(EncoderOrder::Stop);
    room.control.publish(&white, clock::now());
    while room.frames.recv_timeout(Duration::from_millis(100)).is_ok() {}
    // The camera has not seen anything since: the card comes in its place.
    room.control.set_curtain(false);
    room.run();
    for _ in 0..10 {
        let luma = shown(&room);
        assert!(luma.is_none_or(|luma| luma < 100), "{luma:?}");
    }
    room.control.publish(&grey, clock::now());
    assert!((0..40).any(|_| shown(&room).is_some_and(|luma| luma.abs_diff(120) < 12)), "what it sees now");
    room.close();
}
