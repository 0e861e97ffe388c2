//! A camera on the network that sends JPEG after JPEG over plain HTTP (multipart/x-mixed-replace, "MJPEG stream"). They are handed on as
//! they came, since anyone who stands in the network may have chosen their bytes: see [`Image::Jpeg`].

pub(crate) mod address;
mod link;
pub(crate) mod multipart;
pub(crate) mod reply;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use address::Address;
use link::{Link, Lookup};
use multipart::{Event, Multipart};
use reply::{Piece, Reply};

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
    summary: "a camera on the network that sends an MJPEG stream over plain http",
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

fn configure(table: &toml::Table, wanted: &Wanted) -> Result<BoxedOpener<dyn CaptureVideo>, ConfigError> {
    const URL: &str = "an address like \"http://192.168.1.20/video.mjpg\"";
    let options = Options::new(table, OPTIONS)?;
    let url = options.text("url")?.ok_or_else(|| options::error("url", "is missing: say where the camera is", URL))?;
    let address = Address::parse(&url).map_err(|problem| options::error("url", &problem, URL))?;
    let word = |key: &str, forbidden: &[char]| {
        let text = options.text(key)?;
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
    let request = address.request(user.as_ref());
    Ok(Box::new(HttpOpener { address, request, rate: wanted.camera.rate, lookup: Lookup::default() }))
}

struct HttpOpener {
    address: Address,
    request: String,
    rate: f64,
    lookup: Lookup,
}

impl Opener<dyn CaptureVideo> for HttpOpener {
    fn open(&mut self) -> Result<Box<dyn CaptureVideo>, DeviceError> {
        let name = self.describe();
        let deadline = clock::now() + OPENING;
        let link = Link::open(&mut self.lookup, &self.address, &self.request, deadline)
            .map_err(|error| named(&name, error))?;
        let mut camera = HttpCamera {
            link,
            reply: Reply::default(),
            multipart: None,
            newest: Newest::default(),
            // The stream does not say its rate; nothing but the log depends on it.
            mode: VideoMode { width: 0, height: 0, rate: self.rate },
            health: Health::default(),
            backlog: Backlog::default(),
            asked: clock::now(),
            buffer: vec![0; READ],
            name,
        };
        while camera.mode.width == 0 {
            if camera.next(deadline)?.is_none() && clock::now() >= deadline {
                let what = format!("{}: no picture within {} s", camera.name, OPENING.as_secs());
                return Err(DeviceError::Io(what));
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
    link: Link,
    reply: Reply,
    /// Known once the answer's head is.
    multipart: Option<Multipart>,
    newest: Newest,
    mode: VideoMode,
    health: Health,
    backlog: Backlog,
    /// When somebody last asked for a picture.
    asked: Instant,
    buffer: Vec<u8>,
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
            && let Some(why) = self.health.waited(self.asked.saturating_duration_since(now))
        {
            return Err(DeviceError::Io(format!("{}: {why}", self.name)));
        }
        Ok(frame)
    }
}

impl HttpCamera {
    /// The newest picture, waiting for one until `deadline`.
    fn next(&mut self, deadline: Instant) -> Result<Option<VideoFrame>, DeviceError> {
        let mut reads = 0;
        loop {
            let before = clock::now();
            let in_hand = self.newest.began.is_some();
            reads = if in_hand { reads + 1 } else { 0 };
            // With a picture in hand only what is there already is of interest.
            let patience = if in_hand { before } else { deadline };
            let count = match reads {
                READS.. => 0,
                _ => self.link.read(&mut self.buffer, patience).map_err(|error| named(&self.name, error))?,
            };
            let now = clock::now();
            if count > 0 {
                self.backlog.waited(before, now);
                self.take(count, now).map_err(|error| named(&self.name, error))?;
                continue;
            }
            match self.newest.began.take() {
                Some(began) => match self.picture() {
                    Ok(bytes) => {
                        self.health.good();
                        let sequence = self.newest.count - 1;
                        return Ok(Some(VideoFrame { image: Image::Jpeg(bytes), captured: began, sequence }));
                    }
                    Err(BadFrame(why)) => {
                        if let Some(count) = self.health.bad(now) {
                            log::warn!("{}: bad frames: {count}, the last: {why}", self.name);
                        }
                    }
                },
                None if now >= deadline => return Ok(None),
                None => {}
            }
        }
    }

    /// Takes `count` bytes of the buffer, which came at `now`.
    fn take(&mut self, count: usize, now: Instant) -> Result<(), DeviceError> {
        let mut bytes = &self.buffer[..count];
        while let Some(piece) = self.reply.take(&mut bytes)? {
            let mut body = match piece {
                Piece::Head(head) => {
                    self.multipart = Some(Multipart::new(&head.boundary));
                    continue;
                }
                Piece::Body(body) => body,
            };
            let Some(multipart) = &mut self.multipart else { continue };
            while let Some(event) = multipart.take(&mut body).map_err(|lost| DeviceError::Io(lost.0))? {
                match event {
                    Event::Begins => self.newest.beginning = Some(now),
                    Event::Picture(jpeg) => {
                        let began = self.newest.beginning.take().unwrap_or(now);
                        self.newest.count += 1;
                        if self.backlog.is_fresh(began) {
                            self.newest.jpeg.clear();
                            self.newest.jpeg.extend_from_slice(jpeg);
                            self.newest.began = Some(began);
                        }
                    }
                }
            }
        }
        if self.reply.has_ended() || self.multipart.as_ref().is_some_and(Multipart::has_ended) {
            return Err(DeviceError::Io("the camera ended the stream".into()));
        }
        Ok(())
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
