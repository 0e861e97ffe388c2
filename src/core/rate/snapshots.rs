//! When a single picture is made, and of what: for viewers whose browser cannot show video.

use std::time::{Duration, Instant};

/// After an order, the next is expected for so long: a camera's own H.264 is decoded until then, since it takes a keyframe to begin.
const EXPECTED: Duration = Duration::from_secs(5);

/// What a snapshot is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The first frame since the order.
    Frame,
    /// The card that says that the camera is unplugged.
    Card,
}

/// What is ordered, and what there is to make it of.
#[derive(Debug, Default)]
pub struct SnapshotPlan {
    ordered: bool,
    expected: Option<Instant>,
    framed: bool,
    camera_lost: bool,
}

impl SnapshotPlan {
    /// A snapshot of the next frame is wanted; several orders get one.
    pub fn handle_order(&mut self, now: Instant) {
        self.ordered = true;
        self.expected = Some(now + EXPECTED);
    }

    /// The camera has a new frame. Whether it is to be kept.
    pub fn handle_frame(&mut self) -> bool {
        self.camera_lost = false;
        self.framed = self.ordered;
        self.framed
    }

    /// The camera works, and what it sent has no pixels.
    pub fn handle_alive(&mut self) {
        self.camera_lost = false;
    }

    /// The camera is known to be away.
    pub fn handle_camera_lost(&mut self) {
        self.camera_lost = true;
    }

    /// Whether pixels are of use now. A camera that makes no keyframe when asked may take long until the first frame.
    pub fn wants_pixels(&self, now: Instant) -> bool {
        self.ordered || self.expected.is_some_and(|until| now < until)
    }

    /// What to make a snapshot of now, if one is to be made; with that the order is done.
    pub fn poll(&mut self) -> Option<Source> {
        let source = match (self.framed, self.camera_lost) {
            (true, _) => Source::Frame,
            (false, true) => Source::Card,
            (false, false) => return None,
        };
        self.framed = false;
        std::mem::take(&mut self.ordered).then_some(source)
    }
}

// A test's time begins at some time.
#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    #[test]
    fn an_order_gets_the_next_frame_and_not_an_old_one() {
        let (mut plan, now) = (SnapshotPlan::default(), Instant::now());
        assert!(!plan.handle_frame());
        plan.handle_order(now);
        plan.handle_order(now);
        assert_eq!(plan.poll(), None, "nothing came since the order");
        assert!(plan.handle_frame());
        assert_eq!([plan.poll(), plan.poll()], [Some(Source::Frame), None], "one for all orders");
        assert!(!plan.handle_frame());
        plan.handle_order(now);
        assert_eq!(plan.poll(), None);
    }

    #[test]
    fn without_a_camera_there_is_a_card_and_none_once_it_is_back() {
        let (mut plan, now) = (SnapshotPlan::default(), Instant::now());
        plan.handle_camera_lost();
        assert_eq!(plan.poll(), None, "nobody wants one");
        plan.handle_order(now);
        assert_eq!([plan.poll(), plan.poll()], [Some(Source::Card), None]);
        plan.handle_alive();
        plan.handle_order(now);
        assert_eq!(plan.poll(), None, "pixels will come");
        plan.handle_frame();
        plan.handle_camera_lost();
        assert_eq!(plan.poll(), Some(Source::Frame), "the last that it saw");
    }

    #[test]
    fn pixels_are_wanted_until_the_frame_is_there_and_a_while_beyond() {
        let (mut plan, now) = (SnapshotPlan::default(), Instant::now());
        assert!(!plan.wants_pixels(now));
        plan.handle_order(now);
        let later = now + Duration::from_secs(60);
        assert!(plan.wants_pixels(later), "a camera with a keyframe a minute");
        plan.handle_frame();
        plan.poll();
        assert!(plan.wants_pixels(now + EXPECTED / 2) && !plan.wants_pixels(later));
    }
}
