//! A card, and a screen on it with two buffers that take turns: kernel mode setting, atomic or as of old.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use drm::buffer::DrmFourcc;
use drm::control::atomic::AtomicModeReq;
use drm::control::dumbbuffer::DumbBuffer;
use drm::control::property::Value;
use drm::control::{
    AtomicCommitFlags, Device as _, Event, Mode, ModeFlags, ModeTypeFlags, PageFlipFlags, PlaneType, ResourceHandle,
    connector, crtc, framebuffer, plane, property,
};
use drm::{ClientCapability, Device as _, DriverCapability};
use rustix::event::{PollFd, PollFlags};

use super::choose;
use crate::clock;
use crate::contract::DeviceError;
use crate::wait::wait;

/// A flip that takes longer than this is not coming; the slowest screens refresh 24 times a second.
const FLIP_WITHIN: Duration = Duration::from_millis(500);

/// How pictures are brought to the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// All changes in one request, which holds as a whole or not at all.
    Atomic,
    /// The older calls, which every driver understands.
    Legacy,
}

/// An open `/dev/dri/card*`.
pub struct Card {
    file: File,
    path: PathBuf,
}

impl AsFd for Card {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
impl drm::Device for Card {}
impl drm::control::Device for Card {}

/// A connector as the kernel knows it, and as [`choose`] sees it.
pub struct Socket {
    handle: connector::Handle,
    encoders: Vec<drm::control::encoder::Handle>,
    modes: Vec<Mode>,
    /// Its screen has said what it can show (EDID), or the card has no way to ask. If not, `modes` are a guess of the kernel's, none larger
    /// than 1024x768.
    pub has_told: bool,
    /// For choosing.
    pub seen: choose::Connector,
}

impl Card {
    /// Opens a card that can show pictures which a CPU draws.
    pub fn open(path: &Path) -> Result<Card, DeviceError> {
        let at = path.display();
        let file =
            OpenOptions::new().read(true).write(true).open(path).map_err(|e| failed(&e, &format!("{at}: open")))?;
        let card = Card { file, path: path.to_owned() };
        match card.get_driver_capability(DriverCapability::DumbBuffer) {
            Ok(1..) => Ok(card),
            _ => Err(DeviceError::Unsupported(format!("{at} cannot show what a CPU draws"))),
        }
    }

    /// The name of its kernel driver.
    pub fn driver(&self) -> String {
        self.get_driver().map(|driver| driver.name().to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Becomes the one program that may change the screens; the kernel's own console stays off them meanwhile.
    pub fn take(&self) -> Result<(), DeviceError> {
        let busy = |error| DeviceError::Busy(format!("{}: another program draws on it ({error})", self.path.display()));
        self.acquire_master_lock().map_err(busy)
    }

    /// Its connectors. `probe` asks the screens themselves, which takes up to a second.
    pub fn sockets(&self, probe: bool) -> Result<Vec<Socket>, DeviceError> {
        let resources = self.resource_handles().map_err(|e| self.failed(&e, "list connectors"))?;
        let mut sockets = Vec::new();
        for handle in resources.connectors() {
            let info = self.get_connector(*handle, probe).map_err(|e| self.failed(&e, "ask a connector"))?;
            let seen = choose::Connector {
                name: info.to_string(),
                connected: info.state() == connector::State::Connected,
                modes: info.modes().iter().map(seen).collect(),
            };
            sockets.push(Socket {
                handle: *handle,
                encoders: info.encoders().to_vec(),
                modes: info.modes().to_vec(),
                has_told: self.has_told(*handle)?,
                seen,
            });
        }
        Ok(sockets)
    }

    /// As far as the kernel knew when it was asked last.
    fn has_told(&self, socket: connector::Handle) -> Result<bool, DeviceError> {
        let properties = self.get_properties(socket).map_err(|e| self.failed(&e, "list properties"))?;
        let edid = properties
            .iter()
            .find(|(id, _)| self.get_property(**id).is_ok_and(|info| info.name().to_bytes() == b"EDID"));
        Ok(edid.is_none_or(|(_, blob)| *blob != 0))
    }

    fn failed(&self, error: &io::Error, doing: &str) -> DeviceError {
        failed(error, &format!("{}: {doing}", self.path.display()))
    }
}

fn seen(mode: &Mode) -> choose::Mode {
    let (width, height) = mode.size();
    choose::Mode {
        width: width.into(),
        height: height.into(),
        refresh: mode.vrefresh(),
        preferred: mode.mode_type().contains(ModeTypeFlags::PREFERRED),
        interlaced: mode.flags().contains(ModeFlags::INTERLACE),
    }
}

/// A screen that shows our pictures, until it is dropped: then the kernel's console has it again.
pub struct Screen {
    card: Card,
    socket: connector::Handle,
    name: String,
    crtc: crtc::Handle,
    mode: Mode,
    size: (u32, u32),
    buffers: [Buffer; 2],
    /// Which of the two is to be drawn on next.
    back: usize,
    flipping: bool,
    /// The way of atomic requests; `None` for the older calls.
    plane: Option<Plane>,
}

struct Buffer {
    memory: DumbBuffer,
    frame: framebuffer::Handle,
}

struct Plane {
    handle: plane::Handle,
    frame: property::Handle,
}

impl Screen {
    /// Sets `mode` (its place in the socket's list) and shows black. Pictures have `size`; another size than the mode's
    /// needs atomic requests and a plane that scales.
    pub fn open(
        card: Card,
        socket: &Socket,
        mode: usize,
        size: (u32, u32),
        api: Api,
    ) -> Result<Screen, (Card, DeviceError)> {
        match Parts::make(&card, socket, mode, size, api) {
            Ok(parts) => Ok(Screen {
                socket: socket.handle,
                name: socket.seen.name.clone(),
                crtc: parts.crtc,
                mode: socket.modes[mode],
                size,
                buffers: parts.buffers,
                back: 1,
                flipping: false,
                plane: parts.plane,
                card,
            }),
            Err(error) => Err((card, error)),
        }
    }

    /// What pictures should measure.
    pub fn size(&self) -> (u32, u32) {
        self.size
    }

    /// For the log, e.g. `HDMI-A-1, 1920x1080 at 60 Hz, atomic`.
    pub fn describe(&self) -> String {
        let (width, height) = self.mode.size();
        let way = if self.plane.is_some() { "atomic" } else { "legacy" };
        let scaled = if self.size == (width.into(), height.into()) { "" } else { ", scaled by the plane" };
        format!("{}, {width}x{height} at {} Hz, {way}{scaled}", self.name, self.mode.vrefresh())
    }

    /// Whether it is still plugged in, as far as the kernel has noticed.
    pub fn check(&self) -> Result<(), DeviceError> {
        let info = self.card.get_connector(self.socket, false).map_err(|e| self.card.failed(&e, "ask the screen"))?;
        match info.state() {
            connector::State::Disconnected => {
                Err(DeviceError::Absent(format!("the screen on {} was unplugged", self.name)))
            }
            _ => Ok(()),
        }
    }

    /// Asks a screen that had not told what it can show whether it does by now. Takes up to a second.
    pub fn tells_now(&self) -> Result<bool, DeviceError> {
        self.card.get_connector(self.socket, true).map_err(|e| self.card.failed(&e, "ask the screen"))?;
        self.card.has_told(self.socket)
    }

    /// The connector, as the kernel calls it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Has `draw` fill the hidden buffer (4 bytes a pixel in the order blue, green, red, nothing; the second argument is
    /// the length of a row in bytes) and shows it from the next refresh on. Waits for the flip before, if that has not
    /// happened yet.
    pub fn show(&mut self, draw: impl FnOnce(&mut [u8], u32)) -> Result<(), DeviceError> {
        self.finish_flip()?;
        let buffer = &mut self.buffers[self.back];
        let pitch = drm::buffer::Buffer::pitch(&buffer.memory);
        {
            let mut map =
                self.card.map_dumb_buffer(&mut buffer.memory).map_err(|e| self.card.failed(&e, "map a buffer"))?;
            draw(map.as_mut(), pitch);
        }
        let frame = buffer.frame;
        match &self.plane {
            Some(plane) => {
                let mut request = AtomicModeReq::new();
                request.add_property(plane.handle, plane.frame, Value::Framebuffer(Some(frame)));
                let flags = AtomicCommitFlags::NONBLOCK | AtomicCommitFlags::PAGE_FLIP_EVENT;
                self.card.atomic_commit(flags, request)
            }
            None => self.card.page_flip(self.crtc, frame, PageFlipFlags::EVENT, None),
        }
        .map_err(|e| self.card.failed(&e, "flip"))?;
        self.flipping = true;
        self.back = 1 - self.back;
        Ok(())
    }

    fn finish_flip(&mut self) -> Result<(), DeviceError> {
        let deadline = clock::now() + FLIP_WITHIN;
        while self.flipping {
            let ready = wait(&mut [PollFd::new(&self.card.file, PollFlags::IN)], deadline)
                .map_err(|e| self.card.failed(&e, "wait for a refresh"))?;
            if !ready {
                return Err(DeviceError::Io(format!("the screen on {} does not refresh", self.name)));
            }
            let events = self.card.receive_events().map_err(|e| self.card.failed(&e, "read what happened"))?;
            for event in events {
                if matches!(event, Event::PageFlip(flip) if flip.crtc == self.crtc) {
                    self.flipping = false;
                }
            }
        }
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.finish_flip();
        for buffer in &self.buffers {
            let _ = self.card.destroy_framebuffer(buffer.frame);
            let _ = self.card.destroy_dumb_buffer(buffer.memory);
        }
        // The kernel's console comes back when the card is closed.
        let _ = self.card.release_master_lock();
    }
}

/// What a screen is made from before it belongs to one; taken apart again if the last step fails.
struct Parts {
    crtc: crtc::Handle,
    buffers: [Buffer; 2],
    plane: Option<Plane>,
}

impl Parts {
    fn make(card: &Card, socket: &Socket, mode: usize, size: (u32, u32), api: Api) -> Result<Parts, DeviceError> {
        let mode = socket.modes[mode];
        let crtc = crtc_for(card, socket)?;
        let first = Buffer::make(card, size)?;
        let second = match Buffer::make(card, size) {
            Ok(second) => second,
            Err(error) => {
                first.free(card);
                return Err(error);
            }
        };
        let buffers = [first, second];
        let plane = match api {
            Api::Atomic => set_atomic(card, socket, crtc, &mode, size, buffers[0].frame).map(Some),
            Api::Legacy if size != (mode.size().0.into(), mode.size().1.into()) => {
                Err(DeviceError::Unsupported("the older calls do not scale".into()))
            }
            Api::Legacy => card
                .set_crtc(crtc, Some(buffers[0].frame), (0, 0), &[socket.handle], Some(mode))
                .map(|()| None)
                .map_err(|e| card.failed(&e, "set the mode")),
        };
        match plane {
            Ok(plane) => Ok(Parts { crtc, buffers, plane }),
            Err(error) => {
                buffers.into_iter().for_each(|buffer| buffer.free(card));
                Err(error)
            }
        }
    }
}

impl Buffer {
    /// A black one.
    fn make(card: &Card, size: (u32, u32)) -> Result<Buffer, DeviceError> {
        let mut memory =
            card.create_dumb_buffer(size, DrmFourcc::Xrgb8888, 32).map_err(|e| card.failed(&e, "make a buffer"))?;
        let prepared = card.map_dumb_buffer(&mut memory).map(|mut map| map.as_mut().fill(0));
        match prepared.and_then(|()| card.add_framebuffer(&memory, 24, 32)) {
            Ok(frame) => Ok(Buffer { memory, frame }),
            Err(error) => {
                let _ = card.destroy_dumb_buffer(memory);
                Err(card.failed(&error, "make a buffer"))
            }
        }
    }

    fn free(self, card: &Card) {
        let _ = card.destroy_framebuffer(self.frame);
        let _ = card.destroy_dumb_buffer(self.memory);
    }
}

/// The picture generator to feed this socket with: the one that feeds it now, if any.
fn crtc_for(card: &Card, socket: &Socket) -> Result<crtc::Handle, DeviceError> {
    let resources = card.resource_handles().map_err(|e| card.failed(&e, "list generators"))?;
    let mut possible = Vec::new();
    for encoder in &socket.encoders {
        let Ok(info) = card.get_encoder(*encoder) else { continue };
        possible.extend(info.crtc());
        possible.extend(resources.filter_crtcs(info.possible_crtcs()));
    }
    let none = || DeviceError::Unsupported(format!("{}: nothing can feed {}", card.path.display(), socket.seen.name));
    possible.first().copied().ok_or_else(none)
}

/// Sets the mode and shows `frame` in one request.
fn set_atomic(
    card: &Card,
    socket: &Socket,
    crtc: crtc::Handle,
    mode: &Mode,
    size: (u32, u32),
    frame: framebuffer::Handle,
) -> Result<Plane, DeviceError> {
    let old = |e: io::Error| DeviceError::Unsupported(format!("{}: no atomic requests ({e})", card.path.display()));
    card.set_client_capability(ClientCapability::UniversalPlanes, true).map_err(old)?;
    card.set_client_capability(ClientCapability::Atomic, true).map_err(old)?;
    let plane = primary_plane(card, crtc)?;
    let (of_socket, of_crtc, of_plane) = (names(card, socket.handle)?, names(card, crtc)?, names(card, plane)?);
    let blob = card.create_property_blob(mode).map_err(|e| card.failed(&e, "describe the mode"))?;
    let (width, height) = (u64::from(mode.size().0), u64::from(mode.size().1));
    let mut request = AtomicModeReq::new();
    let mut failure = None;
    let mut set =
        |object: drm::control::RawResourceHandle, known: &Names, name: &str, value: Value<'_>| match known.get(name) {
            Some(property) => request.add_raw_property(object, *property, value.into()),
            None => failure = Some(DeviceError::Unsupported(format!("{}: no property {name}", card.path.display()))),
        };
    set(socket.handle.into(), &of_socket, "CRTC_ID", Value::CRTC(Some(crtc)));
    set(crtc.into(), &of_crtc, "MODE_ID", blob);
    set(crtc.into(), &of_crtc, "ACTIVE", Value::Boolean(true));
    set(plane.into(), &of_plane, "FB_ID", Value::Framebuffer(Some(frame)));
    set(plane.into(), &of_plane, "CRTC_ID", Value::CRTC(Some(crtc)));
    // What is taken of the buffer, in 16.16 fixed point, and where it goes.
    for (name, value) in
        [("SRC_X", 0), ("SRC_Y", 0), ("SRC_W", u64::from(size.0) << 16), ("SRC_H", u64::from(size.1) << 16)]
    {
        set(plane.into(), &of_plane, name, Value::UnsignedRange(value));
    }
    for (name, value) in [("CRTC_X", 0), ("CRTC_Y", 0), ("CRTC_W", width), ("CRTC_H", height)] {
        set(plane.into(), &of_plane, name, Value::UnsignedRange(value));
    }
    if let Some(error) = failure {
        return Err(error);
    }
    card.atomic_commit(AtomicCommitFlags::ALLOW_MODESET, request).map_err(|e| card.failed(&e, "set the mode"))?;
    Ok(Plane { handle: plane, frame: of_plane["FB_ID"] })
}

type Names = HashMap<String, property::Handle>;

fn names<T: ResourceHandle>(card: &Card, object: T) -> Result<Names, DeviceError> {
    let properties = card.get_properties(object).map_err(|e| card.failed(&e, "list properties"))?;
    let all = properties.as_hashmap(card).map_err(|e| card.failed(&e, "read properties"))?;
    Ok(all.into_iter().map(|(name, info)| (name, info.handle())).collect())
}

fn primary_plane(card: &Card, crtc: crtc::Handle) -> Result<plane::Handle, DeviceError> {
    let resources = card.resource_handles().map_err(|e| card.failed(&e, "list generators"))?;
    for handle in card.plane_handles().map_err(|e| card.failed(&e, "list planes"))? {
        let Ok(info) = card.get_plane(handle) else { continue };
        if !resources.filter_crtcs(info.possible_crtcs()).contains(&crtc) {
            continue;
        }
        let Ok(properties) = card.get_properties(handle) else { continue };
        for (id, value) in properties.iter() {
            let is_type = card.get_property(*id).is_ok_and(|info| info.name().to_bytes() == b"type");
            if is_type && *value == u64::from(PlaneType::Primary as u32) {
                return Ok(handle);
            }
        }
    }
    Err(DeviceError::Unsupported(format!("{}: no primary plane", card.path.display())))
}

/// An error of the system's as one of the contract's.
fn failed(error: &io::Error, doing: &str) -> DeviceError {
    let text = format!("{doing}: {error}");
    match error.kind() {
        io::ErrorKind::NotFound => DeviceError::Absent(text),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ResourceBusy => DeviceError::Busy(text),
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported => DeviceError::Unsupported(text),
        _ => match error.raw_os_error() {
            Some(code) if code == rustix::io::Errno::NODEV.raw_os_error() => DeviceError::Absent(text),
            _ => DeviceError::Io(text),
        },
    }
}
