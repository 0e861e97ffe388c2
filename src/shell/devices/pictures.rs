//! The picture thread: decodes the viewers' cameras and puts the newest picture of each on the board for the TV.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use intercom_base::picture::I420;

use crate::shell::devices::Activity;
pub use crate::shell::devices::board::{Board, Shown};
use crate::shell::priority::Class;
use crate::shell::wires::{ToLoop, ToLoopHandle, ViewerFrame, VisitId};
use crate::shell::worker::{Exit, Worker, spawn_in};
use crate::shell::{clock, pulse};

/// While nothing comes, the thread looks this often whether it is time to end.
const REST: Duration = Duration::from_millis(500);

/// A viewer is asked for a keyframe at most so often; the answer takes a round trip.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// Pictures over which the decoder is lost again and again are left alone for so long at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Decodes the pictures of many viewers.
pub trait Decode: Send {
    /// Decodes an access unit (Annex B) of this viewer; `fresh` if it is a keyframe, before which nothing counts. `None` if it holds no
    /// picture.
    fn decode(&mut self, visit: VisitId, fresh: bool, unit: &[u8]) -> Result<Option<Arc<I420>>, Undecoded>;

    /// Nothing more of this viewer is to be decoded.
    fn forget(&mut self, visit: VisitId);
}

/// Why there is no picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undecoded {
    /// The viewer's stream is broken: it must start again with a keyframe.
    Broken(String),
    /// The decoder itself is gone, perhaps by this very unit: all streams must start again.
    Lost {
        /// It was in the middle of this one.
        by_this: bool,
    },
}

/// Starts the thread. `decoder` makes pictures of what viewers send.
///
/// # Errors
/// If the system has no thread to give.
pub fn spawn_pictures<D: Decode>(
    inbox: Receiver<ViewerFrame>,
    board: Arc<Board>,
    events: ToLoopHandle,
    activity: Arc<Activity>,
    decoder: impl Fn() -> D + Send + 'static,
) -> io::Result<Worker> {
    spawn_in(Class::Background, "pictures", move || {
        let mut feeds = Feeds::new(decoder());
        while !activity.is_stopped() {
            pulse::beat(REST);
            match inbox.recv_timeout(REST) {
                Ok(frame) => {
                    if let Some(visit) = feeds.handle(&frame, &board, clock::now()) {
                        events.tell(ToLoop::KeyframeWanted(visit));
                    }
                }
                Err(RecvTimeoutError::Timeout) => feeds.follow(&board),
                Err(RecvTimeoutError::Disconnected) => return Exit::Done,
            }
        }
        Exit::Done
    })
}

/// The streams of all viewers whose camera is on.
struct Feeds<D> {
    cameras: HashMap<VisitId, Feed>,
    /// Of the board's viewers, as `cameras` has them.
    version: u64,
    decoder: D,
}

struct Feed {
    /// Nothing can be shown before the next keyframe.
    needs_keyframe: bool,
    asked: Option<Instant>,
    /// The last thing that the log heard of this viewer's pictures was that they are broken.
    broken: bool,
    /// How often the decoder was lost over this viewer's pictures, and until when they are left alone for it.
    losses: u32,
    left_alone: Option<Instant>,
}

impl Default for Feed {
    fn default() -> Feed {
        Feed { needs_keyframe: true, asked: None, broken: false, losses: 0, left_alone: None }
    }
}

impl Feed {
    /// The decoder was lost over it: once may be chance, then it waits longer each time, for the others' sake.
    fn handle_loss(&mut self, now: Instant) {
        self.losses += 1;
        let pause = match self.losses {
            1 => Duration::ZERO,
            more => (Duration::from_secs(1) * (1 << (more - 2).min(6))).min(LONGEST_PAUSE),
        };
        self.left_alone = Some(now + pause);
    }
}

impl<D: Decode> Feeds<D> {
    fn new(decoder: D) -> Feeds<D> {
        Feeds { cameras: HashMap::new(), version: 0, decoder }
    }

    /// Takes over from the board whose cameras are on.
    fn follow(&mut self, board: &Board) {
        let Some(cameras) = board.cameras_since(&mut self.version) else { return };
        let mut kept: HashMap<VisitId, Feed> = HashMap::new();
        for visit in cameras {
            kept.insert(visit, self.cameras.remove(&visit).unwrap_or_default());
        }
        for gone in std::mem::replace(&mut self.cameras, kept).into_keys() {
            self.decoder.forget(gone);
        }
    }

    /// Takes a frame in; who is to be asked for a keyframe, if anybody.
    fn handle(&mut self, frame: &ViewerFrame, board: &Board, now: Instant) -> Option<VisitId> {
        let ViewerFrame { visit, ref data, keyframe, gap, .. } = *frame;
        self.follow(board);
        // A viewer who is not on the list has left meanwhile.
        let feed = self.cameras.get_mut(&visit)?;
        if !board.has_screen() {
            // A screen that comes finds a stream that waits for a keyframe, and asks for it.
            feed.needs_keyframe = true;
            feed.asked = None;
            return None;
        }
        if feed.left_alone.is_some_and(|until| now < until) {
            return None;
        }
        feed.needs_keyframe |= gap;
        if keyframe || !feed.needs_keyframe {
            match self.decoder.decode(visit, feed.needs_keyframe, data) {
                Ok(picture) => {
                    feed.needs_keyframe = false;
                    feed.broken = false;
                    board_picture(board, visit, picture);
                }
                Err(Undecoded::Broken(error)) => {
                    feed.needs_keyframe = true;
                    if !std::mem::replace(&mut feed.broken, true) {
                        log::info!("pictures of visit {}: {error}", visit.0);
                    }
                }
                Err(Undecoded::Lost { by_this }) => {
                    if by_this {
                        feed.handle_loss(now);
                    }
                    self.cameras.values_mut().for_each(|feed| feed.needs_keyframe = true);
                }
            }
        }
        let feed = self.cameras.get_mut(&visit)?;
        let left_alone = feed.left_alone.is_some_and(|until| now < until);
        let wanted = feed.needs_keyframe
            && !left_alone
            && feed.asked.is_none_or(|asked| now.saturating_duration_since(asked) >= ASK_AGAIN);
        wanted.then(|| {
            feed.asked = Some(now);
            visit
        })
    }
}

fn board_picture(board: &Board, visit: VisitId, picture: Option<Arc<I420>>) {
    if let Some(picture) = picture {
        board.set_picture(visit, picture);
    }
}

#[cfg(test)]
mod tests {
    use intercom_base::settings::Rung;
    use intercom_base::testing::pictures::moving_scene;
    use intercom_base::units::{Bitrate, FrameRate};
    use intercom_media::video_decoder::VideoDecoder;
    use intercom_media::video_encoder::VideoEncoder;

    use super::*;
    use crate::shell::wires::ViewerInfo;

    /// Decodes without a jail, and is lost over what begins with a mark.
    #[derive(Default)]
    struct Here {
        decoders: HashMap<VisitId, VideoDecoder>,
        forgotten: Vec<VisitId>,
    }

    const DEADLY: &[u8] = b"deadly";

    impl Decode for Here {
        fn decode(&mut self, visit: VisitId, fresh: bool, unit: &[u8]) -> Result<Option<Arc<I420>>, Undecoded> {
            if unit.starts_with(DEADLY) {
                self.decoders.clear();
                return Err(Undecoded::Lost { by_this: true });
            }
            let decoder = self.decoders.entry(visit).or_default();
            if fresh {
                decoder.reset();
            }
            decoder.decode(unit).map_err(|error| Undecoded::Broken(error.to_string()))
        }

        fn forget(&mut self, visit: VisitId) {
            self.forgotten.push(visit);
        }
    }

    fn feeds() -> Feeds<Here> {
        Feeds::new(Here::default())
    }

    fn viewer(visit: u64, camera: bool) -> ViewerInfo {
        let since = clock::now();
        ViewerInfo { visit: VisitId(visit), name: None, since, camera, microphone: true, connected: true }
    }

    fn stream(frames: usize) -> Vec<(Arc<[u8]>, bool)> {
        let rung = Rung {
            width: 320,
            height: 240,
            rate: FrameRate::from_fps(30.0),
            floor: Bitrate::from_kbps(100),
            max: Bitrate::from_kbps(4000),
        };
        let mut encoder = VideoEncoder::new(&rung).unwrap();
        let frame = |n: usize| encoder.encode(&moving_scene(320, 240, n), false, Duration::from_millis(33 * n as u64));
        (0..frames).map(frame).filter_map(|frame| frame.unwrap()).map(|f| (f.data, f.keyframe)).collect()
    }

    fn frame(visit: u64, unit: &(Arc<[u8]>, bool), gap: bool) -> ViewerFrame {
        let (data, keyframe) = unit.clone();
        ViewerFrame { visit: VisitId(visit), data, keyframe, gap, arrived: clock::now() }
    }

    fn screen() -> Board {
        let board = Board::default();
        board.set_screen(true);
        board
    }

    #[test]
    fn without_a_screen_nothing_is_decoded_and_one_that_comes_gets_a_keyframe() {
        let (board, mut feeds) = (Board::default(), feeds());
        let (units, now) = (stream(4), clock::now());
        board.set_viewers(vec![viewer(1, true)]);
        for unit in &units {
            assert_eq!(feeds.handle(&frame(1, unit, false), &board, now), None);
        }
        assert!(board.lock().pictures.is_empty());
        board.set_screen(true);
        assert_eq!(feeds.handle(&frame(1, &units[1], false), &board, now), Some(VisitId(1)));
        assert_eq!(feeds.handle(&frame(1, &units[0], false), &board, now), None);
        assert!(!board.lock().pictures.is_empty());
        board.set_screen(false);
        assert!(board.lock().pictures.is_empty(), "an old picture does not come back with the next screen");
    }

    #[test]
    fn pictures_of_announced_viewers_appear_and_disappear_with_them() {
        let (board, mut feeds) = (screen(), feeds());
        let (units, now) = (stream(3), clock::now());
        assert_eq!(feeds.handle(&frame(1, &units[0], false), &board, now), None);
        assert!(board.lock().pictures.is_empty(), "not announced");
        board.set_viewers(vec![viewer(1, true), viewer(2, false)]);
        for unit in &units {
            assert_eq!(feeds.handle(&frame(1, unit, false), &board, now), None);
        }
        assert_eq!(board.lock().pictures[&VisitId(1)].width(), 320);
        board.set_viewers(vec![viewer(1, false), viewer(2, false)]);
        assert!(board.lock().pictures.is_empty(), "the camera was switched off");
        board.set_picture(VisitId(1), Arc::new(I420::black(320, 240)));
        assert!(board.lock().pictures.is_empty(), "what was being decoded meanwhile");
        feeds.follow(&board);
        assert_eq!(feeds.decoder.forgotten, [VisitId(1)]);
        assert_eq!(board.lock().viewers.len(), 2);
    }

    #[test]
    fn after_a_gap_a_keyframe_is_asked_for_but_not_with_every_frame() {
        let (board, mut feeds) = (screen(), feeds());
        let (units, now) = (stream(9), clock::now());
        board.set_viewers(vec![viewer(1, true)]);
        feeds.handle(&frame(1, &units[0], false), &board, now);
        let before = board.lock().version;
        assert_eq!(feeds.handle(&frame(1, &units[5], true), &board, now), Some(VisitId(1)));
        assert_eq!(feeds.handle(&frame(1, &units[6], false), &board, now), None);
        let later = now + Duration::from_secs(1);
        assert_eq!(feeds.handle(&frame(1, &units[7], false), &board, later), Some(VisitId(1)), "it got lost");
        assert_eq!(board.lock().version, before, "nothing broken is shown");
        assert_eq!(feeds.handle(&frame(1, &units[0], false), &board, later), None);
        assert_eq!(board.lock().version, before + 1);
    }

    #[test]
    fn a_decoder_that_is_lost_costs_all_a_keyframe_and_whoever_did_it_more_each_time() {
        let (board, mut feeds) = (screen(), feeds());
        let (units, now) = (stream(3), clock::now());
        board.set_viewers(vec![viewer(1, true), viewer(2, true)]);
        let deadly = (Arc::from([DEADLY, b" and more"].concat()), true);
        let mut at = now;
        for losses in 0..8 {
            // The other one is on the TV again with the next keyframe, at once.
            assert_eq!(feeds.handle(&frame(1, &units[0], false), &board, at), None, "loss {losses}");
            assert_eq!(feeds.handle(&frame(1, &units[1], false), &board, at), None, "loss {losses}");
            feeds.handle(&frame(2, &deadly, false), &board, at);
            let asked = feeds.handle(&frame(1, &units[2], false), &board, at + ASK_AGAIN);
            assert_eq!(asked, Some(VisitId(1)), "loss {losses}");
            let pause = Duration::from_secs([0, 1, 2, 4, 8, 16, 32, 60][losses]);
            if !pause.is_zero() {
                let just_before = at + pause - Duration::from_millis(1);
                assert_eq!(feeds.handle(&frame(2, &deadly, false), &board, just_before), None);
                assert_eq!(feeds.cameras[&VisitId(2)].losses, losses as u32 + 1, "it is left alone");
            }
            at += pause + ASK_AGAIN * 2;
        }
        assert_eq!(feeds.cameras[&VisitId(2)].losses, 8);
    }

    #[test]
    fn the_thread_asks_the_loop_and_ends_when_told() {
        let (sender, inbox) = crossbeam_channel::bounded(16);
        let (events, asked) = crossbeam_channel::bounded(64);
        let (board, activity) = (Arc::new(screen()), Arc::new(Activity::new()));
        let handle = ToLoopHandle { events, wake: crate::shell::wake::Wake::new().unwrap() };
        let worker = spawn_pictures(inbox, board.clone(), handle, activity.clone(), Here::default).unwrap();
        board.set_viewers(vec![viewer(1, true)]);
        let units = stream(2);
        sender.send(frame(1, &units[1], false)).unwrap();
        let long = Duration::from_secs(20);
        assert!(matches!(asked.recv_timeout(long), Ok(ToLoop::KeyframeWanted(VisitId(1)))));
        sender.send(frame(1, &units[0], false)).unwrap();
        let deadline = clock::now() + long;
        let mut shown = board.wait(0, deadline);
        while shown.pictures.is_empty() && clock::now() < deadline {
            shown = board.wait(shown.version, deadline);
        }
        assert!(!shown.pictures.is_empty());
        activity.stop();
        worker.dismiss();
        assert!(worker.join_within(long));
    }
}
