//! The snapshot thread: makes a JPEG of what the camera sees, whenever the loop orders one.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use intercom_base::picture::I420;
use intercom_media::{card, scale, snapshot};

use crate::shell::priority::Class;
use crate::shell::wires::{ToLoop, ToLoopHandle};
use crate::shell::worker::{Exit, Worker, spawn_in};
use crate::shell::{clock, pulse};

/// After an order, the next is expected for so long: a camera's own H.264 is decoded until then, since it takes a keyframe to begin.
const EXPECTED: Duration = Duration::from_secs(5);

/// The way into the thread: its orders, and the first frame after one.
#[derive(Debug, Default)]
pub struct SnapshotControl {
    post: Mutex<Post>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Post {
    ordered: bool,
    expected: Option<Instant>,
    /// Only while one is ordered.
    frame: Option<Arc<I420>>,
    camera_lost: bool,
    stopped: bool,
}

impl SnapshotControl {
    /// Orders a snapshot of the next frame.
    pub fn order(&self) {
        let mut post = self.lock();
        post.ordered = true;
        post.expected = Some(clock::now() + EXPECTED);
        self.changed.notify_one();
    }

    /// Whether pixels are of use now.
    pub fn wants_pixels(&self) -> bool {
        let now = clock::now();
        let post = self.lock();
        // A camera that makes no keyframe when asked may take long until the first frame.
        post.ordered || post.expected.is_some_and(|until| now < until)
    }

    /// The camera's newest frame.
    pub fn publish(&self, picture: &Arc<I420>) {
        let mut post = self.lock();
        post.camera_lost = false;
        if post.ordered {
            post.frame = Some(Arc::clone(picture));
            self.changed.notify_one();
        }
    }

    /// The camera works, and what it sent has no pixels.
    pub fn mark_alive(&self) {
        self.lock().camera_lost = false;
    }

    /// The camera is known to be away: a card takes its place.
    pub fn camera_lost(&self) {
        let mut post = self.lock();
        post.camera_lost = true;
        self.changed.notify_one();
    }

    /// Ends the thread.
    pub fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_one();
    }

    /// Waits for something to make a snapshot of: a frame, or none if the camera is away. `Err` when it is time to end.
    fn wait(&self) -> Result<Option<Arc<I420>>, Stopped> {
        let mut post = self.lock();
        loop {
            if post.stopped {
                return Err(Stopped);
            }
            if post.ordered && (post.frame.is_some() || post.camera_lost) {
                post.ordered = false;
                return Ok(post.frame.take());
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
    fn an_order_gets_the_next_frame_and_not_an_old_one() {
        let (control, told, worker) = start();
        control.publish(&grey(64, 36, 60));
        control.order();
        control.order();
        assert!(told.recv_timeout(Duration::from_millis(100)).is_err(), "nothing came since the order");
        for (width, height, shade) in [(64, 36, 120), (640, 360, 200)] {
            control.publish(&grey(width, height, shade));
            assert!(luma(&told).abs_diff(shade) <= 2);
            control.publish(&grey(64, 36, 30));
            assert!(told.try_recv().is_err(), "one for all orders");
            control.order();
        }
        control.stop();
        assert!(worker.join_within(LONG));
    }

    #[test]
    fn without_a_camera_there_is_a_card_and_none_once_it_is_back() {
        let (control, told, worker) = start();
        control.camera_lost();
        control.order();
        luma(&told);
        control.mark_alive();
        control.order();
        assert!(told.recv_timeout(Duration::from_millis(100)).is_err(), "pixels will come");
        assert!(control.wants_pixels());
        control.publish(&grey(64, 36, 120));
        assert!(luma(&told).abs_diff(120) <= 2);
        control.stop();
        assert!(worker.join_within(LONG));
    }
}
