//! The TV thread: composes the scene when something changed, and shows it.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use intercom_base::isolate::isolated;
use intercom_base::language::{Language, Sentences, fill};
use intercom_base::picture::I420;
use intercom_core::devices::doctor::Kind;
use intercom_core::devices::keeper::{Keeper, Step};
use intercom_core::tv::captions::{Captions, Words};
use intercom_core::tv::local_time;
use intercom_drivers::contract::{BoxedOpener, DeviceError, Display};
use intercom_media::qr::{self, Modules};
use intercom_media::scene::{self, Health, Pairing, Scene, ViewerTile};
use intercom_media::text;

use crate::config::Tv;
use crate::shell::addresses::AddressBook;
use crate::shell::devices::pictures::{Board, Shown};
use crate::shell::devices::{DeviceContext, Hints, input_events};
use crate::shell::notice_board::NoticeBoard;
use crate::shell::priority::Class;
use crate::shell::worker::{Exit, Worker, spawn_in};
use crate::shell::{clock, fonts, pulse};

/// While nothing changes, the thread looks this often at the clock, and whether it is time to end.
const REST: Duration = Duration::from_millis(500);

/// Home's own picture is renewed this often where no viewer's picture sets the pace.
const OWN: Duration = Duration::from_millis(66);

/// Where the system keeps its time zone.
pub const ZONE: &str = "/etc/localtime";

/// What the TV tells of.
pub struct Subject {
    /// The home's name.
    pub home: String,
    /// The language that the config wants.
    pub language: Language,
    /// The key that shows a code for a new phone, by the kernel's number.
    pub invite_key: Option<u16>,
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
        let sentences = fonts::sentences(subject.language);
        // What changes nothing is no silence: a calm card may stand for a minute.
        let mut keeper = Keeper::new(&mut *opener, Duration::MAX, clock::now());
        let mut hints = Hints::new(&context.activity);
        let mut painter = Painter::new(sentences);
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

/// Finds the words that go with what is on the board.
struct Author {
    sentences: &'static Sentences,
    captions: Captions,
    /// The minute that the zone was looked at, and seconds east of UTC then.
    offset: Option<(u64, i32)>,
    /// The link that was made into a code, and the code.
    code: Option<(String, Modules)>,
}

impl Author {
    fn new(sentences: &'static Sentences) -> Author {
        Author { sentences, captions: Captions::new(sentences), offset: None, code: None }
    }

    fn write(&mut self, mut shown: Shown, subject: &Subject, tv: Tv) -> Content {
        for viewer in &mut shown.viewers {
            // A name of which nothing can be drawn would leave nobody's tile: better a number.
            viewer.name = viewer.name.take().filter(|name| !text::is_blank(name));
        }
        let (now, unix) = (clock::now(), clock::unix_time());
        let offset = self.offset_at(unix.as_secs());
        self.captions.handle_viewers(&shown.viewers, unix);
        let words = self.captions.words(&shown.viewers, shown.code.as_ref(), now, unix, offset);
        let network = Some(!subject.addresses.current().local.is_empty());
        let health = Health { network, muted: subject.context.levels.is_muted(), ..subject.context.health.summary() };
        let code = shown.code.as_ref().filter(|code| code.asked || shown.viewers.is_empty());
        let code = code.and_then(|code| self.code_of(&code.link)).cloned();
        let own = shown.own.clone().filter(|_| tv.self_view);
        Content { shown, words, notices: subject.notices.all_in(self.sentences), health, code, own }
    }

    fn offset_at(&mut self, unix: u64) -> i32 {
        let minute = unix / 60;
        match self.offset {
            Some((looked, offset)) if looked == minute => offset,
            _ => {
                let zone = std::fs::read(ZONE).unwrap_or_default();
                let offset = local_time::offset_at(&zone, unix as i64).unwrap_or(0);
                self.offset = Some((minute, offset));
                offset
            }
        }
    }

    fn code_of(&mut self, link: &str) -> Option<&Modules> {
        if self.code.as_ref().is_none_or(|(known, _)| known != link) {
            self.code = qr::modules(link).map(|modules| (link.to_owned(), modules));
        }
        self.code.as_ref().map(|(_, modules)| modules)
    }
}

/// All that one picture is made of.
struct Content {
    shown: Shown,
    words: Words,
    notices: Vec<String>,
    health: Health,
    code: Option<Modules>,
    own: Option<Arc<I420>>,
}

/// Draws on one display after the other, and knows what it drew last.
struct Painter {
    author: Author,
    canvas: I420,
    version: u64,
    has_viewers: bool,
    words: Words,
    notices: Vec<String>,
    health: Health,
    own: Option<Arc<I420>>,
    /// Not before this time, so that the rate is kept.
    next: Instant,
    /// When it was last asked whether the display is still plugged in.
    checked: Instant,
}

impl Painter {
    fn new(sentences: &'static Sentences) -> Painter {
        let now = clock::now();
        Painter {
            author: Author::new(sentences),
            canvas: I420::black(2, 2),
            version: u64::MAX,
            has_viewers: false,
            words: Words::default(),
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
        let shown = subject.board.wait(self.version, clock::now() + rest);
        self.check(display, clock::now())?;
        if !display.is_seen() {
            self.version = shown.version;
            return Ok(false);
        }
        let version = shown.version;
        let content = self.author.write(shown, subject, tv);
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
            || content.notices != self.notices
            || content.health != self.health
            || own(&content.own) != own(&self.own)
    }

    fn show(&mut self, display: &mut dyn Display, content: Content, subject: &Subject) -> Result<(), DeviceError> {
        let Content { shown, words, notices, health, code, own } = content;
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
        let pairing = code.as_ref().map(|code| Pairing { side: code.side, modules: &code.dark, left: &words.left });
        let key = subject.invite_key.map(|key| input_events::words(key, sentences));
        let hint = key.map(|key| fill(sentences.new_phone, &[("key", &key)]));
        let scene = Scene {
            sentences,
            hint: hint.as_deref().unwrap_or_default(),
            home: &isolated(&subject.home),
            clock: &words.clock,
            date: &words.date,
            news: &words.news,
            notices: &notices,
            health,
            pairing,
            viewers: &viewers,
            own: own.as_deref(),
            drift: words.drift,
        };
        scene::compose(&scene, &mut self.canvas);
        let result = display.show(&self.canvas);
        (self.version, self.has_viewers) = (shown.version, !shown.viewers.is_empty());
        (self.words, self.notices, self.health, self.own) = (words, notices, health, own);
        result
    }
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::{Receiver, Sender, unbounded};
    use intercom_base::units::FrameRate;
    use intercom_core::call::items::{PairingCode, ViewerInfo, VisitId};
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
        let opener = Box::new(Opens(sender, failures));
        let subject = Subject {
            home: "Home".into(),
            language: Language::English,
            invite_key: None,
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
