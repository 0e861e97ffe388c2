//! The TV thread: composes the scene when something changed, and shows it.

mod author;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use intercom_base::isolate::isolated;
use intercom_base::language::fill;
use intercom_base::picture::I420;
use intercom_core::devices::doctor::Kind;
use intercom_core::devices::keeper::{Keeper, Step};
use intercom_core::tv::captions::Words;
use intercom_core::tv::door::DoorWords;
use intercom_core::tv::visits::VisitWords;
use intercom_drivers::contract::{BoxedOpener, DeviceError, Display};
use intercom_media::scene::{self, AtDoor, Health, KnockCard, Pairing, Scene, ViewerTile, VisitLine};

use crate::config::Tv;
use crate::shell::addresses::AddressBook;
use crate::shell::devices::board::Board;
use crate::shell::devices::{DeviceContext, Hints, input_events};
use crate::shell::notice_board::NoticeBoard;
use crate::shell::priority::Class;
use crate::shell::worker::{Exit, Worker, spawn_in};
use crate::shell::{clock, pulse};
use author::{Author, Content};

/// While nothing changes, the thread looks this often at the clock, and whether it is time to end.
const REST: Duration = Duration::from_millis(500);

/// Home's own picture is renewed this often where no viewer's picture sets the pace.
const OWN: Duration = Duration::from_millis(66);

/// Where the system keeps its time zone.
pub const ZONE: &str = "/etc/localtime";

/// What the TV tells of.
pub struct Subject {
    /// The key that shows a code for a new phone, by the kernel's number.
    pub invite_key: Option<u16>,
    /// The keys that let in and that decline who is at the door, likewise.
    pub let_in_key: Option<u16>,
    /// See `let_in_key`.
    pub decline_key: Option<u16>,
    /// Who visits, and their pictures.
    pub board: Arc<Board>,
    /// Which devices work.
    pub context: DeviceContext,
    /// Whether there is a network.
    pub addresses: AddressBook,
    /// What people at home should mend.
    pub notices: Arc<NoticeBoard>,
}

/// Starts the thread.
///
/// # Errors
/// If the system has no thread to give.
pub fn spawn_tv(mut opener: BoxedOpener<dyn Display>, tv: Tv, subject: Subject) -> io::Result<Worker> {
    spawn_in(Class::Background, "tv", move || {
        let Subject { board, context, .. } = &subject;
        // What changes nothing is no silence: a calm card may stand for a minute.
        let mut keeper = Keeper::new(&mut *opener, Duration::MAX, clock::now());
        let mut hints = Hints::new(&context.activity);
        let mut painter = Painter::new(&subject);
        while !context.activity.is_stopped() {
            pulse::beat(REST);
            let now = clock::now();
            if hints.heed(&context.activity) {
                keeper.handle_hint(now);
            }
            let change = match keeper.poll(now) {
                Step::Use(display) => {
                    let result = painter.work(display, &subject, tv);
                    if result.is_err() {
                        context.health.closed(Kind::Display);
                        board.set_screen(false);
                    }
                    keeper.handle_use(result, clock::now())
                }
                Step::Open => {
                    let opened = keeper.open();
                    if let Some(display) = keeper.device() {
                        board.set_screen(display.is_seen());
                        painter.begin(display.size(), now);
                        context.health.opened(Kind::Display, &keeper.describe());
                    }
                    keeper.handle_open(opened, clock::now())
                }
                Step::Wait(retry) => {
                    let pause = retry.saturating_duration_since(now);
                    pulse::beat(pause);
                    hints.sleep(&context.activity, pause);
                    None
                }
            };
            context.health.tell_change(Kind::Display, &keeper.describe(), "", change.as_ref());
        }
        Exit::Done
    })
}

/// Draws on one display after the other, and knows what it drew last.
struct Painter {
    author: Author,
    canvas: I420,
    version: u64,
    has_viewers: bool,
    words: Words,
    visits: Vec<VisitWords>,
    door: DoorWords,
    changes_at: Option<Instant>,
    notices: Vec<String>,
    health: Health,
    own: Option<Arc<I420>>,
    /// Not before this time, so that the rate is kept.
    next: Instant,
    /// When it was last asked whether the display is still plugged in.
    checked: Instant,
}

impl Painter {
    fn new(subject: &Subject) -> Painter {
        let now = clock::now();
        Painter {
            author: Author::new(subject),
            canvas: I420::black(2, 2),
            version: u64::MAX,
            has_viewers: false,
            words: Words::default(),
            visits: Vec::new(),
            door: DoorWords::default(),
            changes_at: None,
            notices: Vec::new(),
            health: Health::default(),
            own: None,
            next: now,
            checked: now,
        }
    }

    /// On a display of this size that shows nothing yet.
    fn begin(&mut self, (width, height): (u32, u32), now: Instant) {
        self.canvas = I420::black(width.clamp(2, 7680) as usize, height.clamp(2, 4320) as usize);
        // A version that never is, so that the first picture comes at once.
        self.version = u64::MAX;
        (self.next, self.checked) = (now, now);
    }

    /// Waits for something to change, and shows it; whether anything did.
    fn work(&mut self, display: &mut dyn Display, subject: &Subject, tv: Tv) -> Result<bool, DeviceError> {
        let rest = if tv.self_view && self.has_viewers { OWN } else { REST };
        let deadline = clock::now() + rest;
        let deadline = self.changes_at.map_or(deadline, |at| at.min(deadline));
        let shown = subject.board.wait(self.version, deadline);
        self.check(display, clock::now())?;
        if !display.is_seen() {
            self.version = shown.version;
            return Ok(false);
        }
        let version = shown.version;
        let content = self.author.write(shown, subject, tv);
        self.changes_at = content.changes_at;
        if !self.differs(&content) {
            return Ok(false);
        }
        clock::sleep_until(self.next);
        // What changed during the sleep is shown as well.
        let shown = subject.board.wait(version, clock::now());
        let content = self.author.write(shown, subject, tv);
        self.show(display, content, subject)?;
        // Half a period of lateness is forgiven: a camera whose pictures come early and late by turns would else wait
        // with each early one for the latest before it.
        let now = clock::now();
        let forgiven = now.checked_sub(tv.rate.period() / 2).unwrap_or(now);
        self.next = forgiven.max(self.next + tv.rate.period());
        Ok(true)
    }

    /// Asks the display whether it is still there, but not with every picture.
    fn check(&mut self, display: &mut dyn Display, now: Instant) -> Result<(), DeviceError> {
        if now.saturating_duration_since(self.checked) < REST {
            return Ok(());
        }
        self.checked = now;
        display.check()
    }

    /// Whether this content looks other than what is shown.
    fn differs(&self, content: &Content) -> bool {
        let own = |own: &Option<Arc<I420>>| own.as_ref().map(Arc::as_ptr);
        content.shown.version != self.version
            || content.words != self.words
            || content.visits != self.visits
            || content.door != self.door
            || content.notices != self.notices
            || content.health != self.health
            || own(&content.own) != own(&self.own)
    }

    fn show(&mut self, display: &mut dyn Display, content: Content, subject: &Subject) -> Result<(), DeviceError> {
        let Content { shown, words, visits, door, changes_at, notices, health, code, own } = content;
        let viewers: Vec<ViewerTile<'_>> = shown
            .viewers
            .iter()
            .zip(&words.viewers)
            .map(|(viewer, words)| ViewerTile {
                name: &words.name,
                stay: &words.stay,
                number: words.number,
                picture: shown.pictures.get(&viewer.visit).map(|picture| &**picture),
                camera: viewer.camera,
                microphone: viewer.microphone,
                speaking: viewer.microphone && shown.speaking.contains(&viewer.visit),
                connected: viewer.connected,
                was_connected: words.was_connected,
            })
            .collect();
        let sentences = self.author.sentences;
        let pairing = code.as_ref().map(|code| Pairing {
            side: code.side,
            modules: &code.dark,
            left: &words.left,
            scan: words.scan,
        });
        let knock = door.knock.as_ref().map(|knock| KnockCard {
            title: &knock.title,
            left: &knock.left,
            let_in: &knock.let_in,
            decline: &knock.decline,
            more: &knock.more,
        });
        let lines: Vec<VisitLine<'_>> =
            visits.iter().map(|visit| VisitLine { when: &visit.when, name: &visit.name, what: &visit.what }).collect();
        let (curtain, resting) = (shown.door.curtain, shown.door.resting);
        let key = subject.invite_key.map(|key| input_events::words(key, sentences));
        let hint = key.map(|key| fill(sentences.new_phone, &[("key", &key)]));
        let scene = Scene {
            sentences,
            hint: hint.as_deref().unwrap_or_default(),
            home: &isolated(&shown.home),
            clock: &words.clock,
            date: &words.date,
            visits: &lines,
            notices: &notices,
            health,
            pairing,
            door: AtDoor { knock, curtain, resting, change: &door.change },
            viewers: &viewers,
            own: own.as_deref(),
            drift: words.drift,
        };
        scene::compose(&scene, &mut self.canvas);
        let result = display.show(&self.canvas);
        (self.version, self.has_viewers) = (shown.version, !shown.viewers.is_empty());
        (self.words, self.visits) = (words, visits);
        (self.door, self.changes_at) = (door, changes_at);
        (self.notices, self.health, self.own) = (notices, health, own);
        result
    }
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::{Receiver, Sender, unbounded};
    use intercom_base::language::Language;
    use intercom_base::units::FrameRate;
    use intercom_core::call::items::{Door, Knock, PairingCode, ViewerInfo, VisitId};
    use intercom_drivers::contract::Opener;

    use super::*;

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

    type Room = (Arc<Board>, DeviceContext, Receiver<(Instant, I420)>, Worker);

    fn room(failures: u32) -> Room {
        let (sender, pictures) = unbounded();
        let (board, context) = (Arc::new(Board::default()), DeviceContext::default());
        let tv = Tv { width: 320, height: 180, rate: FrameRate::from_fps(25.0), self_view: true };
        board.set_looks("Home", Language::English);
        let opener = Box::new(Opens(sender, failures));
        let subject = Subject {
            invite_key: None,
            let_in_key: None,
            decline_key: None,
            board: board.clone(),
            context: context.clone(),
            addresses: AddressBook::default(),
            notices: Arc::default(),
        };
        let worker = spawn_tv(opener, tv, subject).unwrap();
        (board, context, pictures, worker)
    }

    fn viewer(visit: u64) -> ViewerInfo {
        let since = clock::now();
        ViewerInfo { visit: VisitId(visit), name: None, since, camera: true, microphone: true, connected: true }
    }

    #[test]
    fn it_shows_who_comes_and_then_their_picture() {
        let (board, context, pictures, worker) = room(1);
        let (_, idle) = pictures.recv_timeout(LONG).expect("the idle card, after the display came");
        board.set_viewers(vec![viewer(5)]);
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
        context.activity.stop();
        worker.dismiss();
        assert!(worker.join_within(LONG));
    }

    #[test]
    fn who_knocks_is_shown_with_the_seconds_that_are_left_and_the_tv_rests_between_them() {
        let (board, context, pictures, worker) = room(0);
        let (_, idle) = pictures.recv_timeout(LONG).unwrap();
        let begun = clock::now();
        let knock = Knock { visit: VisitId(1), name: None, until: begun + Duration::from_secs(60), preview: false };
        board.set_door(Door { knocks: vec![knock], ..Door::default() });
        let shown: Vec<(Instant, I420)> = (0..4).map(|_| pictures.recv_timeout(LONG).expect("each second")).collect();
        let ground = |picture: &I420| picture.planes()[0][175 * 320 + 160];
        assert!(shown.iter().all(|(_, picture)| ground(picture) > ground(&idle) + 15), "the card");
        assert!(shown.windows(2).all(|two| two[0].1.packed() != two[1].1.packed()), "each has other seconds");
        // The first at once, one more if the clock's minute passes, and then not before the next second.
        let length = shown[3].0.duration_since(begun);
        assert!(length > Duration::from_millis(1_990), "two seconds in {length:?}");
        board.set_door(Door::default());
        while ground(&pictures.recv_timeout(LONG).expect("the idle card").1) > ground(&idle) + 15 {}
        context.activity.stop();
        worker.dismiss();
        assert!(worker.join_within(LONG));
    }

    #[test]
    fn it_keeps_its_rate_however_fast_pictures_come() {
        let (board, context, pictures, worker) = room(0);
        board.set_viewers(vec![viewer(1)]);
        let picture = Arc::new(I420::black(64, 36));
        let mut shown = Vec::new();
        while shown.len() < 12 {
            board.set_picture(VisitId(1), picture.clone());
            shown.extend(pictures.recv_timeout(Duration::from_millis(1)).map(|(at, _)| at));
        }
        let length = shown[11].duration_since(shown[1]);
        assert!(length > Duration::from_millis(350), "ten pictures in {length:?} at 25 a second");
        context.activity.stop();
        worker.dismiss();
        assert!(worker.join_within(LONG));
    }

    #[test]
    fn home_sees_itself_while_somebody_visits_and_the_code_while_it_lasts() {
        let (board, context, pictures, worker) = room(0);
        let (_, idle) = pictures.recv_timeout(LONG).unwrap();
        let mut own = I420::black(64, 36);
        own.planes_mut()[0].fill(200);
        let own = Arc::new(own);
        let corner = |picture: &I420| picture.planes()[0][155 * 320 + 290];
        let until = clock::now() + LONG;
        let offered = |asked| {
            Some(PairingCode {
                link: "https://192.0.2.1/#p=x".into(),
                until,
                asked,
                role: intercom_core::people::register::Role::Family,
            })
        };
        board.set_code(offered(false));
        let (_, code) = pictures.recv_timeout(LONG).expect("the code");
        assert_ne!(idle.packed(), code.packed());
        board.set_code(None);
        board.set_own(&own);
        while pictures.recv_timeout(LONG).expect("a change").1.packed() == code.packed() {}
        board.set_viewers(vec![viewer(1)]);
        loop {
            // As the camera does it; it wakes nobody, and is seen for all that.
            board.set_own(&own);
            if let Ok((_, picture)) = pictures.recv_timeout(Duration::from_millis(50))
                && corner(&picture) == 200
            {
                break;
            }
            assert!(clock::now() < until, "home's own picture never came");
        }
        // White at the left, where the code is in a visit: only once somebody wants it.
        let white = |picture: &I420| picture.planes()[0][60 * 320..120 * 320].chunks(320).any(|row| row[22] > 215);
        board.set_code(offered(false));
        let (_, covered) = pictures.recv_timeout(LONG).expect("a change");
        assert!(!white(&covered), "a code that waits for the first phone covers nobody");
        board.set_code(offered(true));
        while !white(&pictures.recv_timeout(LONG).expect("the code in a visit").1) {}
        board.set_viewers(vec![]);
        while corner(&pictures.recv_timeout(LONG).expect("the idle card").1) == 200 {}
        context.activity.stop();
        worker.dismiss();
        assert!(worker.join_within(LONG));
    }
}
