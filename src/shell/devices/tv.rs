//! The TV thread: composes the scene when something changed, and shows it.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use intercom_drivers::contract::{BoxedOpener, DeviceError, Display, I420};

use crate::config::Tv;
use crate::core::local_time;
use crate::core::supervisor::Supervisor;
use crate::media::scene::{self, Guest, Scene};
use crate::shell::clock;
use crate::shell::devices::pictures::{Board, Shown};
use crate::shell::devices::{Hints, Presence, tell_change};
use crate::shell::wires::VisitId;
use crate::shell::worker::{Exit, Worker, spawn_worker};

/// While nothing changes, the thread looks this often at the clock, and whether it is time to end.
const REST: Duration = Duration::from_millis(500);

/// Where the system keeps its time zone.
const ZONE: &str = "/etc/localtime";

/// Starts the thread. `home` is the home's name.
///
/// # Errors
/// If the system has no thread to give.
pub fn spawn_tv(
    mut opener: BoxedOpener<dyn Display>,
    tv: Tv,
    home: String,
    board: Arc<Board>,
    presence: Arc<Presence>,
) -> io::Result<Worker> {
    spawn_worker("tv", move || {
        let mut supervisor = Supervisor::new(clock::now());
        let mut hints = Hints::new(&presence);
        let mut screen: Option<Screen> = None;
        let mut seats = Seats::default();
        while !presence.is_stopped() {
            let now = clock::now();
            hints.heed(&presence, &mut supervisor, now);
            let Some(open) = &mut screen else {
                if supervisor.wants_open(now) {
                    match opener.open() {
                        Ok(device) => {
                            board.set_screen(device.is_seen());
                            screen = Some(Screen::new(device, now));
                            supervisor.handle_opened(now);
                        }
                        Err(error) => {
                            let change = supervisor.handle_failed(error, now);
                            tell_change("display", &opener.describe(), change);
                        }
                    }
                } else if let Some(retry) = supervisor.poll_timeout() {
                    hints.sleep(&presence, retry.saturating_duration_since(now));
                }
                continue;
            };
            let shown = board.wait(open.version, now + REST);
            let minute = clock::unix_time().as_secs() / 60;
            let changed = shown.version != open.version || minute != open.minute;
            let result = match open.check(clock::now()) {
                Ok(()) if !open.device.is_seen() => {
                    open.version = shown.version;
                    continue;
                }
                Ok(()) if !changed => continue,
                Ok(()) => {
                    clock::sleep_until(open.next);
                    // What changed during the sleep is shown as well.
                    let shown = board.wait(shown.version, clock::now());
                    seats.seat(&shown);
                    let result = open.show(&shown, &seats, &home, minute);
                    open.next = clock::now().max(open.next + tv.rate.period());
                    result
                }
                Err(error) => Err(error),
            };
            let change = match result {
                Ok(()) => supervisor.handle_works(),
                Err(error) => {
                    screen = None;
                    board.set_screen(false);
                    supervisor.handle_failed(error, clock::now())
                }
            };
            tell_change("display", &opener.describe(), change);
        }
        Exit::Done
    })
}

struct Screen {
    device: Box<dyn Display>,
    canvas: I420,
    version: u64,
    minute: u64,
    /// Not before this time, so that the rate is kept.
    next: Instant,
    /// When it was last asked whether it is still plugged in.
    checked: Instant,
}

impl Screen {
    fn new(device: Box<dyn Display>, now: Instant) -> Screen {
        let (width, height) = device.size();
        let canvas = I420::black(width.clamp(2, 7680) as usize, height.clamp(2, 4320) as usize);
        // A version and a minute that never are, so that the first picture comes at once.
        Screen { device, canvas, version: u64::MAX, minute: u64::MAX, next: now, checked: now }
    }

    /// Asks the device whether it is still there, but not with every picture.
    fn check(&mut self, now: Instant) -> Result<(), DeviceError> {
        if now.saturating_duration_since(self.checked) < REST {
            return Ok(());
        }
        self.checked = now;
        self.device.check()
    }

    fn show(&mut self, shown: &Shown, seats: &Seats, home: &str, minute: u64) -> Result<(), DeviceError> {
        let names: Vec<(String, usize)> = shown
            .visitors
            .iter()
            .map(|visitor| seats.number(visitor.visit))
            .map(|number| (format!("Visitor {}", number + 1), number))
            .collect();
        let guests: Vec<Guest<'_>> = shown
            .visitors
            .iter()
            .zip(&names)
            .map(|(visitor, (name, number))| Guest {
                name,
                number: *number,
                picture: shown.pictures.get(&visitor.visit).map(|picture| &**picture),
                camera: visitor.camera,
                microphone: visitor.microphone,
                connected: visitor.connected,
            })
            .collect();
        let (time, date) = words(minute as i64 * 60);
        scene::compose(&Scene { home, clock: &time, date: &date, guests: &guests }, &mut self.canvas);
        self.version = shown.version;
        self.minute = minute;
        self.device.show(&self.canvas)
    }
}

/// Time of day and date in words.
fn words(unix: i64) -> (String, String) {
    let zone = std::fs::read(ZONE).unwrap_or_default();
    let offset = local_time::offset_at(&zone, unix).unwrap_or(0);
    let Ok(local) = time::OffsetDateTime::from_unix_timestamp(unix + i64::from(offset)) else {
        return (String::new(), String::new());
    };
    let clock = format!("{:02}:{:02}", local.hour(), local.minute());
    (clock, format!("{}, {} {}", local.weekday(), local.day(), local.month()))
}

/// Gives each visitor the lowest free number, kept for as long as they visit.
#[derive(Debug, Default)]
struct Seats(Vec<Option<VisitId>>);

impl Seats {
    fn seat(&mut self, shown: &Shown) {
        let visits = || shown.visitors.iter().map(|visitor| visitor.visit);
        for seat in &mut self.0 {
            if seat.is_some_and(|visit| !visits().any(|other| other == visit)) {
                *seat = None;
            }
        }
        for visit in visits() {
            if !self.0.contains(&Some(visit)) {
                match self.0.iter_mut().find(|seat| seat.is_none()) {
                    Some(free) => *free = Some(visit),
                    None => self.0.push(Some(visit)),
                }
            }
        }
    }

    fn number(&self, visit: VisitId) -> usize {
        self.0.iter().position(|seat| *seat == Some(visit)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::{Receiver, Sender, unbounded};
    use intercom_drivers::contract::Opener;

    use super::*;
    use crate::shell::wires::Visitor;
    use crate::units::FrameRate;

    /// Long enough for a busy machine; only a failing test waits for it.
    const LONG: Duration = Duration::from_secs(20);

    struct Wall(Sender<(Instant, I420)>);

    impl Display for Wall {
        fn size(&self) -> (u32, u32) {
            (320, 180)
        }

        fn show(&mut self, picture: &I420) -> Result<(), DeviceError> {
            self.0.send((clock::now(), picture.clone())).map_err(|_| DeviceError::Io("nobody looks".into()))
        }
    }

    struct Opens(Sender<(Instant, I420)>, u32);

    impl Opener<dyn Display> for Opens {
        fn open(&mut self) -> Result<Box<dyn Display>, DeviceError> {
            match self.1.checked_sub(1) {
                Some(left) => {
                    self.1 = left;
                    Err(DeviceError::Absent("the TV is off".into()))
                }
                None => Ok(Box::new(Wall(self.0.clone()))),
            }
        }

        fn describe(&self) -> String {
            "a wall".into()
        }
    }

    type Room = (Arc<Board>, Arc<Presence>, Receiver<(Instant, I420)>, Worker);

    fn room(failures: u32) -> Room {
        let (sender, pictures) = unbounded();
        let (board, presence) = (Arc::new(Board::default()), Arc::new(Presence::new()));
        let tv = Tv { width: 320, height: 180, rate: FrameRate::from_fps(25.0) };
        let opener = Box::new(Opens(sender, failures));
        let worker = spawn_tv(opener, tv, "Home".into(), board.clone(), presence.clone()).unwrap();
        (board, presence, pictures, worker)
    }

    fn visitor(visit: u64) -> Visitor {
        let since = clock::now();
        Visitor { visit: VisitId(visit), since, camera: true, microphone: true, connected: true }
    }

    #[test]
    fn it_shows_who_comes_and_then_their_picture() {
        let (board, presence, pictures, worker) = room(1);
        let (_, idle) = pictures.recv_timeout(LONG).expect("the idle card, after the display came");
        board.set_visitors(vec![visitor(5)]);
        let (_, named) = pictures.recv_timeout(LONG).unwrap();
        assert_ne!(idle.packed(), named.packed());
        let mut light = I420::black(320, 180);
        light.planes_mut()[0].fill(200);
        board.set_picture(VisitId(5), Arc::new(light));
        loop {
            let (_, picture) = pictures.recv_timeout(LONG).expect("the viewer's picture");
            if picture.planes()[0][90 * 320 + 160] == 200 {
                break;
            }
        }
        presence.stop();
        worker.dismiss();
        assert!(worker.join_within(LONG));
    }

    #[test]
    fn it_keeps_its_rate_however_fast_pictures_come() {
        let (board, presence, pictures, worker) = room(0);
        board.set_visitors(vec![visitor(1)]);
        let picture = Arc::new(I420::black(64, 36));
        let mut shown = Vec::new();
        while shown.len() < 12 {
            board.set_picture(VisitId(1), picture.clone());
            shown.extend(pictures.recv_timeout(Duration::from_millis(1)).map(|(at, _)| at));
        }
        let length = shown[11].duration_since(shown[1]);
        assert!(length > Duration::from_millis(350), "ten pictures in {length:?} at 25 a second");
        presence.stop();
        worker.dismiss();
        assert!(worker.join_within(LONG));
    }

    #[test]
    fn visitors_keep_their_numbers_while_others_come_and_go() {
        let mut seats = Seats::default();
        let mut seat = |visits: &[u64]| -> Vec<usize> {
            let visitors = visits.iter().map(|visit| visitor(*visit)).collect();
            seats.seat(&Shown { visitors, ..Shown::default() });
            visits.iter().map(|visit| seats.number(VisitId(*visit))).collect()
        };
        assert_eq!(seat(&[10, 11, 12]), [0, 1, 2]);
        assert_eq!(seat(&[11, 12]), [1, 2]);
        assert_eq!(seat(&[11, 12, 13]), [1, 2, 0]);
    }

    #[test]
    fn the_clock_is_in_words() {
        let (time, date) = words(1_800_000_000);
        assert_eq!(time.len(), 5);
        assert!(date.contains("January"), "{date}");
    }
}
