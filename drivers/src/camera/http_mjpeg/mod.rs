//! A camera on the network that sends JPEG after JPEG over plain HTTP ("MJPEG stream"), or one for each request. They are handed on as
//! they came, since anyone who stands in the network may have chosen their bytes: see [`Image::Jpeg`].

pub(crate) mod address;
pub(crate) mod auth;
mod cause;
mod link;
pub(crate) mod reply;
pub(crate) mod scan;
pub(crate) mod session;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use address::Address;
use cause::{SAMPLE, Seen};
use link::{Got, Link, Lookup};
use reply::{Head, Piece, Reply};
use scan::{Event, Scanner};
use session::{DigestOffered, Next, Session, User};

use crate::clock;
use crate::contract::{
    BoxedOpener, CaptureVideo, ConfigError, DeviceError, Driver, Image, Opener, VideoFrame, VideoMode, Wanted,
};
use crate::health::Health;
use crate::jpeg::{self, BadFrame};
use crate::options::{self, Options};

/// The entry of the registry's table.
pub const DRIVER: Driver<dyn CaptureVideo> = Driver {
    name: "http-mjpeg",
    summary: "a camera on the network that sends an MJPEG stream, or single JPEGs, over plain http",
    options: OPTIONS,
    configure,
    detect: |_| Err("http-mjpeg needs a url and must be named".into()),
    survey: None,
};

const OPTIONS: &[(&str, &str)] = &[
    ("url", "the stream's address, http://HOST[:PORT]/PATH; there is no default"),
    ("user", "a name that the camera asks for; default: none"),
    ("password", "what it asks for beside; default: none"),
];

/// How long it may take from the first word to the first picture.
const OPENING: Duration = Duration::from_secs(5);
/// Who asks after a longer pause finds old pictures on the way to him.
const PAUSE: Duration = Duration::from_millis(300);
/// Read at once, in bytes.
const READ: usize = 64 * 1024;
/// With a picture in hand so much more is read at most for a newer one.
const READS: u32 = 64;
/// Longest name and password, in bytes each.
const LONGEST: usize = 1000;

fn configure(table: &toml::Table, wanted: &Wanted) -> Result<BoxedOpener<dyn CaptureVideo>, ConfigError> {
    const URL: &str = "an address like \"http://192.168.1.20/video.mjpg\"";
    let options = Options::new(table, OPTIONS)?;
    let url = options.text("url")?.ok_or_else(|| options::error("url", "is missing: say where the camera is", URL))?;
    let address = Address::parse(&url).map_err(|problem| options::error("url", &problem, URL))?;
    let word = |key: &str, forbidden: &[char]| {
        let text = options.text(key)?;
        if text.as_ref().is_some_and(|text| text.len() > LONGEST) {
            return Err(options::error(key, "is too long", "a text of at most 1000 bytes"));
        }
        match text.as_ref().is_some_and(|text| text.contains(|c: char| c.is_control() || forbidden.contains(&c))) {
            true => Err(options::error(key, "has a letter that cannot be sent", "a text without control characters")),
            false => Ok(text),
        }
    };
    let user = match (word("user", &[':'])?, word("password", &[])?) {
        (None, None) => None,
        (Some(user), password) => Some((user, password.unwrap_or_default())),
        (None, Some(_)) => return Err(options::error("user", "is missing beside the password", "a text in quotes")),
    };
    Ok(Box::new(HttpOpener {
        address,
        user,
        rate: wanted.camera.rate,
        lookup: Lookup::default(),
        digest: DigestOffered::default(),
    }))
}

struct HttpOpener {
    address: Address,
    user: Option<User>,
    rate: f64,
    lookup: Lookup,
    digest: DigestOffered,
}

impl Opener<dyn CaptureVideo> for HttpOpener {
    fn open(&mut self) -> Result<Box<dyn CaptureVideo>, DeviceError> {
        let name = self.describe();
        let deadline = clock::now() + OPENING;
        let addresses = self.lookup.addresses(&self.address, deadline).map_err(|error| named(&name, error))?;
        let mut camera = HttpCamera {
            session: Session::new(self.address.clone(), self.user.clone(), self.digest.clone()),
            addresses,
            exchange: None,
            // The stream does not say its rate; only how often single pictures are asked for depends on it.
            mode: VideoMode { width: 0, height: 0, rate: self.rate },
            newest: Newest::default(),
            health: Health::default(),
            damaged: None,
            hears: false,
            single: false,
            backlog: Backlog::default(),
            asked: clock::now(),
            ask_from: clock::now(),
            buffer: vec![0; READ],
            name,
        };
        while camera.mode.width == 0 {
            if camera.next(deadline)?.is_none() && clock::now() >= deadline {
                let error = camera.no_picture();
                return Err(named(&camera.name, error));
            }
        }
        camera.asked = clock::now();
        Ok(Box::new(camera))
    }

    fn describe(&self) -> String {
        self.address.to_string()
    }
}

struct HttpCamera {
    name: String,
    session: Session,
    addresses: Vec<SocketAddr>,
    /// `None` between the end of one answer and the next request.
    exchange: Option<Exchange>,
    newest: Newest,
    mode: VideoMode,
    health: Health,
    /// What was wrong with the last picture, if it was damaged.
    damaged: Option<String>,
    /// Bytes have come since the last picture.
    hears: bool,
    /// It gives one picture for each request.
    single: bool,
    backlog: Backlog,
    /// When somebody last asked for a picture.
    asked: Instant,
    /// The next request is not sent before.
    ask_from: Instant,
    buffer: Vec<u8>,
}

/// A request that was sent, and what has come of its answer.
struct Exchange {
    link: Link,
    reply: Reply,
    /// Both are known once the answer's head is.
    head: Option<Head>,
    scanner: Scanner,
    /// The first bytes of the body.
    sample: Vec<u8>,
    /// Pictures that were complete.
    pictures: u32,
}

/// The newest picture that has arrived whole.
#[derive(Default)]
struct Newest {
    jpeg: Vec<u8>,
    /// When it began to arrive; `None` if it was handed out.
    began: Option<Instant>,
    /// When the one that is arriving began.
    beginning: Option<Instant>,
    count: u64,
}

impl CaptureVideo for HttpCamera {
    fn mode(&self) -> VideoMode {
        self.mode
    }

    fn capture(&mut self, deadline: Instant) -> Result<Option<VideoFrame>, DeviceError> {
        let now = clock::now();
        if now.saturating_duration_since(self.asked) > PAUSE {
            self.backlog.begin(now);
        }
        let frame = self.next(deadline)?;
        self.asked = clock::now();
        if frame.is_none()
            && let Some(what) = self.health.waited(self.asked.saturating_duration_since(now))
        {
            let error = match &self.damaged {
                Some(why) => cause::only_damaged(&what, why),
                None if self.hears => cause::no_jpeg(&what),
                None => DeviceError::Io(what),
            };
            return Err(named(&self.name, error));
        }
        Ok(frame)
    }
}

impl HttpCamera {
    /// The newest picture, waiting for one until `deadline`.
    fn next(&mut self, deadline: Instant) -> Result<Option<VideoFrame>, DeviceError> {
        let mut reads = 0;
        loop {
            let in_hand = self.newest.began.is_some();
            if !in_hand && self.exchange.is_none() && !self.ask(deadline)? {
                return Ok(None);
            }
            let before = clock::now();
            reads = if in_hand { reads + 1 } else { 0 };
            // With a picture in hand only what is there already is of interest.
            let patience = if in_hand { before } else { deadline };
            let got = match &mut self.exchange {
                Some(exchange) if reads < READS => exchange.link.read(&mut self.buffer, patience),
                _ => Ok(Got::Nothing),
            };
            let now = clock::now();
            match got.map_err(|error| named(&self.name, error))? {
                Got::Bytes(count) => {
                    self.backlog.waited(before, now);
                    self.hears = true;
                    self.take(count, now).map_err(|error| named(&self.name, error))?;
                    // Whoever sends without a pause and without a picture holds nobody up.
                    if self.newest.began.is_none() && now >= deadline {
                        return Ok(None);
                    }
                    continue;
                }
                Got::End => {
                    self.end(now).map_err(|error| named(&self.name, error))?;
                    continue;
                }
                Got::Nothing => {}
            }
            match self.newest.began.take() {
                Some(began) => match self.picture() {
                    Ok(bytes) => {
                        self.health.good();
                        (self.damaged, self.hears) = (None, false);
                        let sequence = self.newest.count - 1;
                        return Ok(Some(VideoFrame { image: Image::Jpeg(bytes), captured: began, sequence }));
                    }
                    Err(BadFrame(why)) => self.spoilt(why, now),
                },
                None if now >= deadline => return Ok(None),
                None => {}
            }
        }
    }

    /// Sends the next request, when it is time for it; whether that was before `deadline`.
    fn ask(&mut self, deadline: Instant) -> Result<bool, DeviceError> {
        clock::sleep_until(self.ask_from.min(deadline));
        let now = clock::now();
        if now < self.ask_from {
            return Ok(false);
        }
        let request = client().map(|client| self.session.request(&client));
        let link = request.and_then(|request| Link::open(&self.addresses, self.session.port(), &request, deadline));
        let link = match link {
            Ok(link) => link,
            // It was there a moment ago. Whoever waits tries again, as long as its health allows.
            Err(_) if self.mode.width > 0 && clock::now() >= deadline => return Ok(false),
            Err(error) => return Err(named(&self.name, error)),
        };
        // As often as pictures are wanted, at most.
        self.ask_from = now + Duration::from_secs_f64(1.0 / self.mode.rate.clamp(0.1, 60.0));
        // What comes now was asked for now.
        self.backlog = Backlog::default();
        let (reply, scanner) = (Reply::default(), Scanner::new(""));
        self.exchange = Some(Exchange { link, reply, head: None, scanner, sample: Vec::new(), pictures: 0 });
        Ok(true)
    }

    /// Takes `count` bytes of the buffer, which came at `now`.
    fn take(&mut self, count: usize, now: Instant) -> Result<(), DeviceError> {
        let Some(mut exchange) = self.exchange.take() else { return Ok(()) };
        let buffer = std::mem::take(&mut self.buffer);
        let result = self.take_bytes(&mut exchange, &buffer[..count.min(buffer.len())], now);
        self.buffer = buffer;
        if result? == Next::Ask {
            self.ask_from = now;
            return Ok(());
        }
        // A length that is wrong is no end: more may follow, or less has come than a picture.
        let is_over =
            exchange.reply.is_as_long_as_announced() && exchange.pictures <= 1 && !exchange.scanner.is_within();
        let ended = exchange.reply.has_ended() || is_over;
        self.exchange = Some(exchange);
        if ended { self.end(now) } else { Ok(()) }
    }

    fn take_bytes(&mut self, exchange: &mut Exchange, mut bytes: &[u8], now: Instant) -> Result<Next, DeviceError> {
        let Exchange { reply, head, scanner, sample, pictures, .. } = exchange;
        while let Some(piece) = reply.take(&mut bytes)? {
            let mut body = match piece {
                Piece::Head(found) => {
                    if self.session.handle_head(&found)? == Next::Ask {
                        return Ok(Next::Ask);
                    }
                    *scanner = Scanner::new(&found.boundary);
                    *head = Some(found);
                    continue;
                }
                Piece::Body(body) => body,
            };
            sample.extend_from_slice(&body[..body.len().min(SAMPLE - sample.len().min(SAMPLE))]);
            while let Some(event) = scanner.take(&mut body) {
                *pictures += u32::from(self.handle(event, now));
            }
        }
        Ok(Next::Body)
    }

    /// Takes note of an event; whether it was a picture.
    fn handle(&mut self, event: Event, now: Instant) -> bool {
        match event {
            Event::Begins => self.newest.beginning = Some(now),
            Event::Damaged(why) => self.spoilt(why.into(), now),
            Event::Picture(jpeg) => {
                let began = self.newest.beginning.take().unwrap_or(now);
                self.newest.count += 1;
                if self.backlog.is_fresh(began) {
                    self.newest.jpeg.clear();
                    self.newest.jpeg.extend_from_slice(jpeg);
                    self.newest.began = Some(began);
                }
                return true;
            }
        }
        false
    }

    /// The answer is over. If it was one picture, the next is asked for.
    fn end(&mut self, now: Instant) -> Result<(), DeviceError> {
        let Some(mut exchange) = self.exchange.take() else { return Ok(()) };
        let within = exchange.scanner.is_within();
        if let Some(event) = exchange.scanner.finish() {
            exchange.pictures += u32::from(self.handle(event, now));
        }
        match exchange.pictures {
            0 => {
                let damaged = self.damaged.as_deref().filter(|_| !within);
                Err(cause::no_picture(&seen(&exchange, damaged, (true, within))))
            }
            1 => {
                if !std::mem::replace(&mut self.single, true) {
                    log::info!("{}: it gives one picture for each request, and is asked again and again", self.name);
                }
                Ok(())
            }
            _ if self.mode.width == 0 => Err(cause::recording()),
            _ => Err(DeviceError::Io("the camera closed the connection and ended the stream".into())),
        }
    }

    /// Why there was no picture so far.
    fn no_picture(&self) -> DeviceError {
        let damaged = self.damaged.as_deref();
        match &self.exchange {
            Some(exchange) => cause::no_picture(&seen(exchange, damaged, (false, exchange.scanner.is_within()))),
            None => cause::no_picture(&Seen { damaged, seconds: OPENING.as_secs(), ..Seen::default() }),
        }
    }

    fn spoilt(&mut self, why: String, now: Instant) {
        if let Some(count) = self.health.bad(now) {
            log::warn!("{}: bad frames: {count}, the last: {why}", self.name);
        }
        self.damaged = Some(why);
    }

    /// What is in hand, if it looks like a picture. The stream has no size of its own, each picture has.
    fn picture(&mut self) -> Result<Arc<[u8]>, BadFrame> {
        let (width, height) = jpeg::size(&self.newest.jpeg)?;
        if (self.mode.width, self.mode.height) != (width as u32, height as u32) {
            if self.mode.width != 0 {
                log::info!("{}: pictures of {width}x{height} from now on", self.name);
            }
            (self.mode.width, self.mode.height) = (width as u32, height as u32);
        }
        Ok(Arc::from(&self.newest.jpeg[..]))
    }
}

fn seen<'a>(exchange: &'a Exchange, damaged: Option<&'a str>, (ended, within): (bool, bool)) -> Seen<'a> {
    let answered = exchange.reply.has_begun();
    let (head, sample) = (exchange.head.as_ref(), exchange.sample.as_slice());
    Seen { head, sample, answered, ended, within, damaged, seconds: OPENING.as_secs() }
}

/// A text that nobody can guess, for a request.
fn client() -> Result<String, DeviceError> {
    let mut bytes = [0; 16];
    let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    match filled {
        Ok(16) => Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        Ok(_) => Err(DeviceError::Io("random numbers: too few".into())),
        Err(error) => Err(DeviceError::Io(format!("random numbers: {error}"))),
    }
}

/// Puts the camera's name before what is wrong with it.
fn named(name: &str, error: DeviceError) -> DeviceError {
    match error {
        DeviceError::Absent(what) => DeviceError::Absent(format!("{name}: {what}")),
        DeviceError::Busy(what) => DeviceError::Busy(format!("{name}: {what}")),
        DeviceError::Unsupported(what) => DeviceError::Unsupported(format!("{name}: {what}")),
        DeviceError::Io(what) => DeviceError::Io(format!("{name}: {what}")),
        DeviceError::Explained { what, remedy } => DeviceError::Explained { what: format!("{name}: {what}"), remedy },
        error @ DeviceError::Outdone(_) => error,
    }
}

/// Tells pictures that lay on the way while nobody asked from new ones. The old ones come one right after the other, from the
/// buffers on both sides; a live stream has gaps.
#[derive(Debug, Default)]
struct Backlog {
    since: Option<Instant>,
    gap: Option<Instant>,
}

impl Backlog {
    /// Who had to wait for so long has seen the end of what lay there.
    const GAP: Duration = Duration::from_millis(5);
    /// A stream that has no gaps for so long has none.
    const LONGEST: Duration = Duration::from_secs(1);

    /// Somebody asks again after a pause.
    fn begin(&mut self, now: Instant) {
        *self = Backlog { since: Some(now), gap: None };
    }

    /// Bytes came at `now` that were waited for from `before` on.
    fn waited(&mut self, before: Instant, now: Instant) {
        if self.since.is_some() && now.saturating_duration_since(before) >= Self::GAP {
            self.gap = Some(now);
        }
    }

    /// Whether a picture that began to arrive at `began` is new.
    fn is_fresh(&mut self, began: Instant) -> bool {
        let Some(since) = self.since else { return true };
        let fresh = self.gap.is_some_and(|gap| began >= gap) || began.saturating_duration_since(since) > Self::LONGEST;
        if fresh {
            *self = Backlog::default();
        }
        fresh
    }
}
