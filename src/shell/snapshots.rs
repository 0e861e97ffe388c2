//! The snapshot thread: makes a JPEG of what the camera sees, whenever the loop orders one.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use intercom_base::picture::I420;
use intercom_base::settings::Rung;
use intercom_core::rate::snapshots::{SnapshotPlan, Source};
use intercom_media::{card, scale, snapshot};

use crate::shell::priority::Class;
use crate::shell::wires::{ToLoop, ToLoopHandle};
use crate::shell::worker::{Exit, Worker, spawn_in};
use crate::shell::{clock, pulse};

/// A single picture has at most so many pixels along its long side and its short one: it comes as often as the path has room.
const LONG: u32 = 480;
const SHORT: u32 = 270;

/// The size of single pictures: of the shape of home's full picture, and at most that.
pub fn size(full: &Rung) -> (usize, usize) {
    let (long, short) = (full.width.max(full.height), full.width.min(full.height));
    let even = |n: u32| (n / 2 * 2).max(2) as usize;
    let (long, short) = match (long > LONG || short > SHORT, long * SHORT >= short * LONG) {
        (false, _) => (long as usize, short as usize),
        (true, true) => (LONG as usize, even(short * LONG / long)),
        (true, false) => (even(long * SHORT / short), SHORT as usize),
    };
    if full.width >= full.height { (long, short) } else { (short, long) }
}

/// The way into the thread: its orders, and the first frame after one.
#[derive(Debug, Default)]
pub struct SnapshotControl {
    post: Mutex<Post>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Post {
    plan: SnapshotPlan,
    /// Only while one is ordered.
    frame: Option<Arc<I420>>,
    stopped: bool,
}

impl SnapshotControl {
    /// Orders a snapshot of the next frame.
    pub fn order(&self) {
        self.lock().plan.handle_order(clock::now());
        self.changed.notify_one();
    }

    /// Whether pixels are of use now.
    pub fn wants_pixels(&self) -> bool {
        self.lock().plan.wants_pixels(clock::now())
    }

    /// The camera's newest frame.
    pub fn publish(&self, picture: &Arc<I420>) {
        let mut post = self.lock();
        if post.plan.handle_frame() {
            post.frame = Some(Arc::clone(picture));
            self.changed.notify_one();
        }
    }

    /// The camera works, and what it sent has no pixels.
    pub fn mark_alive(&self) {
        self.lock().plan.handle_alive();
    }

    /// The camera is known to be away: a card takes its place.
    pub fn camera_lost(&self) {
        self.lock().plan.handle_camera_lost();
        self.changed.notify_one();
    }

    /// Ends the thread.
    pub fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_one();
    }

    /// Waits for something to make a snapshot of: a frame, or none for the card. `Err` when it is time to end.
    fn wait(&self) -> Result<Option<Arc<I420>>, Stopped> {
        let mut post = self.lock();
        loop {
            if post.stopped {
                return Err(Stopped);
            }
            if let Some(source) = post.plan.poll() {
                let frame = post.frame.take();
                return Ok(frame.filter(|_| source == Source::Frame));
            }
            pulse::rest();
            post = self.changed.wait(post).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Post> {
        // Valid after every statement, so a panic elsewhere does not spoil it.
        self.post.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// It is time to end.
struct Stopped;

/// Starts the thread. Its snapshots have this width and height in pixels.
///
/// # Errors
/// If the system has no thread to give.
pub fn spawn_snapshots(
    size: (usize, usize),
    control: Arc<SnapshotControl>,
    to_loop: ToLoopHandle,
) -> io::Result<Worker> {
    spawn_in(Class::Background, "snapshots", move || {
        let mut scaled = I420::black(size.0, size.1);
        while let Ok(frame) = control.wait() {
            pulse::beat(Duration::ZERO);
            let jpeg = match frame {
                Some(frame) if (frame.width(), frame.height()) == size => snapshot::encode(&frame),
                Some(frame) => {
                    scale::scale_into(&frame, &mut scaled);
                    snapshot::encode(&scaled)
                }
                None => snapshot::encode(&card::unplugged(size.0, size.1, None)),
            };
            match jpeg {
                Ok(jpeg) => to_loop.tell(ToLoop::Snapshot(STANDARD.encode(jpeg))),
                Err(error) => log::error!("no snapshot: {error}"),
            }
        }
        Exit::Done
    })
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::{Receiver, bounded};
    use intercom_drivers::jpeg::Jpeg;

    use super::*;
    use crate::shell::wake::Wake;

    /// Long enough for a busy machine; only a failing test waits for it.
    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn single_pictures_have_the_shape_of_homes_and_are_small() {
        let size = |width, height| {
            let rate = intercom_base::units::FrameRate::from_whole(30);
            super::size(&Rung { width, height, rate, floor: Default::default(), max: Default::default() })
        };
        assert_eq!([size(1280, 720), size(640, 480), size(1920, 1080)], [(480, 270), (360, 270), (480, 270)]);
        assert_eq!([size(720, 1280), size(320, 240), size(1080, 90)], [(270, 480), (320, 240), (480, 40)]);
    }

    fn start() -> (Arc<SnapshotControl>, Receiver<ToLoop>, Worker) {
        let (events, told) = bounded(8);
        let control = Arc::new(SnapshotControl::default());
        let to_loop = ToLoopHandle { events, wake: Wake::new().expect("an eventfd") };
        let worker = spawn_snapshots((64, 36), Arc::clone(&control), to_loop).expect("a thread");
        (control, told, worker)
    }

    fn grey(width: usize, height: usize, luma: u8) -> Arc<I420> {
        let mut picture = I420::black(width, height);
        picture.planes_mut()[0].fill(luma);
        Arc::new(picture)
    }

    fn luma(told: &Receiver<ToLoop>) -> u8 {
        let Ok(ToLoop::Snapshot(jpeg)) = told.recv_timeout(LONG) else { panic!("a snapshot") };
        let jpeg = STANDARD.decode(jpeg).expect("base64");
        let mut picture = I420::black(64, 36);
        Jpeg::default().decode(&jpeg, &mut picture).expect("a JPEG");
        picture.planes()[0][0]
    }

    #[test]
    fn pictures_of_any_size_and_the_card_come_out_as_jpegs() {
        let (control, told, worker) = start();
        for (width, height, shade) in [(64, 36, 120), (640, 360, 200)] {
            control.order();
            control.publish(&grey(width, height, shade));
            assert!(luma(&told).abs_diff(shade) <= 2);
            control.publish(&grey(64, 36, 30));
            assert!(told.try_recv().is_err(), "one for an order");
        }
        control.camera_lost();
        control.order();
        assert_ne!(luma(&told), 30, "the card, and nothing from before");
        assert!(control.wants_pixels());
        control.stop();
        assert!(worker.join_within(LONG));
    }
}
