//! The static pages: `webroot/` as it was when this was built, served by tiny_http on a Unix socket of our own.

use std::borrow::Cow;
use std::io::{self, Cursor};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tiny_http::{Header, Method, Request, Response, Server, StatusCode};

use crate::shell::pulse::{self, Pulse};
use crate::shell::state;
use crate::shell::worker::{Exit, Worker, spawn_worker};

/// What `webroot/` was built into.
const WEBROOT: &[Built] = include!(concat!(env!("OUT_DIR"), "/webroot.rs"));

/// Path in the URL, content, the same by gzip where that is much shorter, and whether the path says what the content is.
type Built = (&'static str, &'static [u8], Option<&'static [u8]>, bool);

/// The browser asks each time and gets 304: an update of the binary is seen at once.
const ASK: &str = "no-cache";
/// What another path would name if it changed (RFC 8246).
const KEEP: &str = "max-age=31536000, immutable";

/// One thing that is served.
struct Page {
    path: &'static str,
    content_type: &'static str,
    cache: &'static str,
    plain: Body,
    gzip: Option<Body>,
}

/// The page in one encoding, with its own tag.
struct Body {
    tag: String,
    bytes: Cow<'static, [u8]>,
}

/// Everything that is served, by path.
pub struct Pages(Vec<Page>);

impl Pages {
    /// `webroot/`, and the CA's certificate (DER) as `/ca.crt` if there is one.
    pub fn new(authority: Option<Vec<u8>>) -> Pages {
        let mut pages: Vec<Page> = Vec::new();
        for (path, plain, gzip, keeps) in WEBROOT {
            let gzip = gzip.map(Cow::Borrowed);
            let (content_type, cache) = (content_type(path), if *keeps { KEEP } else { ASK });
            let mut add = |path| {
                let (plain, gzip) = (Body::new(Cow::Borrowed(plain)), gzip.clone().map(Body::new));
                pages.push(Page { path, content_type, cache, plain, gzip });
            };
            add(path);
            if *path == "/index.html" {
                add("/");
            }
        }
        if let Some(der) = authority {
            let (path, content_type) = ("/ca.crt", "application/x-x509-ca-cert");
            pages.push(Page { path, content_type, cache: ASK, plain: Body::new(Cow::Owned(der)), gzip: None });
        }
        Pages(pages)
    }

    /// The longest body of all, in bytes.
    pub fn longest(&self) -> usize {
        self.0.iter().map(|page| page.plain.bytes.len()).max().unwrap_or(0)
    }

    fn find(&self, path: &str) -> Option<&Page> {
        self.0.iter().find(|page| page.path == path)
    }
}

impl Body {
    fn new(bytes: Cow<'static, [u8]>) -> Body {
        let digest = Sha256::digest(&bytes);
        let tag: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Body { tag: format!("\"{tag}\""), bytes }
    }
}

/// What a file is, by its name's end.
fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, end)| end) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("webp") => "image/webp",
        Some("ico") => "image/x-icon",
        Some("webmanifest") => "application/manifest+json",
        Some("json") => "application/json",
        Some("txt") => "text/plain; charset=utf-8",
        Some("woff2") => "font/woff2",
        Some("mp3") => "audio/mpeg",
        Some("wav") => "audio/wav",
        _ => "application/octet-stream",
    }
}

/// The running server.
pub struct PagesServer {
    worker: Worker,
    stop: Arc<AtomicBool>,
    server: Arc<Mutex<Option<Arc<Server>>>>,
}

impl PagesServer {
    /// Serves `pages` on `socket`, in the thread `pages` (tiny_http adds its own for reading). The folder around the
    /// socket must be closed to others.
    pub fn start(pages: Arc<Pages>, socket: PathBuf) -> io::Result<PagesServer> {
        let stop = Arc::new(AtomicBool::new(false));
        // The first one is opened here, so that it stands when this returns.
        let server = Arc::new(Mutex::new(Some(open(&socket)?)));
        let (stopped, shared) = (stop.clone(), server.clone());
        let worker = spawn_worker("pages", move || {
            let present = lock(&shared).clone();
            let server = match present.map_or_else(|| open(&socket), Ok) {
                Ok(server) => server,
                Err(e) => {
                    log::error!("pages: {e}");
                    return Exit::Again;
                }
            };
            *lock(&shared) = Some(server.clone());
            while !stopped.load(Ordering::Acquire) {
                pulse::rest();
                let request = server.recv();
                pulse::beat(Duration::ZERO);
                match request {
                    Ok(request) => answer(request, &pages),
                    Err(e) => {
                        // Its accepting thread has ended (or we are to): only a new server brings it back.
                        *lock(&shared) = None;
                        if !stopped.load(Ordering::Acquire) {
                            log::warn!("pages: {e}");
                            return Exit::Again;
                        }
                    }
                }
            }
            *lock(&shared) = None;
            Exit::Done
        })?;
        Ok(PagesServer { worker, stop, server })
    }

    /// The thread's pulse.
    pub fn pulse(&self) -> Arc<Pulse> {
        self.worker.pulse()
    }

    /// Ends the thread.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        if let Some(server) = &*lock(&self.server) {
            server.unblock();
        }
        self.worker.dismiss();
        self.worker.join_within(Duration::from_millis(500));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open(socket: &Path) -> io::Result<Arc<Server>> {
    if let Some(folder) = socket.parent() {
        state::make_dir_0700(folder)?;
    }
    // Left by a process that was killed; two at once are kept apart by the lock on the state directory.
    let _ = std::fs::remove_file(socket);
    let listener = UnixListener::bind(socket)
        .map_err(|e| io::Error::new(e.kind(), format!("cannot listen on {}: {e}", socket.display())))?;
    let server = Server::from_listener(listener, None).map_err(|e| io::Error::other(e.to_string()))?;
    Ok(Arc::new(server))
}

fn answer(request: Request, pages: &Pages) {
    let Some(page) = pages.find(request.url()) else {
        let text = "404 Not Found\n";
        let response =
            Response::from_string(text).with_status_code(404).with_header(field("Cache-Control", "no-store"));
        let _ = request.respond(response);
        return;
    };
    let values = |name: &'static str| {
        request.headers().iter().filter(move |header| header.field.equiv(name)).map(|header| header.value.as_str())
    };
    // The gateway says so in this one word, or not at all.
    let takes_gzip = values("Accept-Encoding").any(|value| value == "gzip");
    let gzip = page.gzip.as_ref().filter(|_| takes_gzip);
    let body = gzip.unwrap_or(&page.plain);
    let known = values("If-None-Match").any(|tags| matches_tag(tags, &body.tag));
    let mut fields =
        vec![field("Content-Type", page.content_type), field("ETag", &body.tag), field("Cache-Control", page.cache)];
    if page.gzip.is_some() {
        fields.push(field("Vary", "Accept-Encoding"));
    }
    if gzip.is_some() {
        fields.push(field("Content-Encoding", "gzip"));
    }
    let (status, body) = match known {
        true => (StatusCode(304), Cow::Borrowed(&[][..])),
        false => (StatusCode(200), body.bytes.clone()),
    };
    debug_assert!(matches!(request.method(), Method::Get | Method::Head), "the gateway lets nothing else through");
    let length = body.len();
    let response =
        Response::new(status, fields, Cursor::new(body), Some(length), None).with_chunked_threshold(usize::MAX);
    // The only reader is the gateway; if it gave up, there is nobody to tell.
    let _ = request.respond(response);
}

/// Whether a list of tags names `tag`; weak ones count too (RFC 9110 section 13.1.2).
fn matches_tag(list: &str, tag: &str) -> bool {
    list.split(',').map(str::trim).any(|item| item == "*" || item.strip_prefix("W/").unwrap_or(item) == tag)
}

fn field(name: &'static str, value: &str) -> Header {
    Header::from_bytes(name, value).unwrap_or_else(|()| unreachable!("{name} is ours and ASCII"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browsers_tags_are_compared_weakly() {
        assert!(matches_tag("\"a\"", "\"a\"") && matches_tag("\"b\", W/\"a\"", "\"a\"") && matches_tag("*", "\"a\""));
        assert!(!matches_tag("\"b\"", "\"a\"") && !matches_tag("", "\"a\"") && !matches_tag("a", "\"a\""));
    }

    #[test]
    fn the_cas_certificate_is_a_page_and_there_are_no_paths_beside_the_table() {
        let pages = Pages::new(Some(vec![1, 2, 3]));
        assert_eq!(pages.find("/ca.crt").map(|page| page.content_type), Some("application/x-x509-ca-cert"));
        assert!(pages.find("/../etc/passwd").is_none() && pages.find("").is_none() && pages.find("ca.crt").is_none());
        assert!(Pages::new(None).find("/ca.crt").is_none());
        assert!(pages.longest() >= 3);
    }

    #[test]
    fn every_file_of_the_webroot_has_a_known_type() {
        for (path, ..) in WEBROOT {
            assert_ne!(content_type(path), "application/octet-stream", "{path}");
        }
    }
}
