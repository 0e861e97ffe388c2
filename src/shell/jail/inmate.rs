//! The process inside: takes coded pictures in, gives decoded ones out, until nobody wants any more.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::sync::Arc;

use intercom_base::picture::{I420, PicturePool};
use intercom_drivers::jpeg::{self, BadFrame, Jpeg};
use intercom_media::video_decoder::VideoDecoder;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::Codec;
use super::walls::raise;
use super::wire::{Answer, ORDER_HEAD, Order};

/// Streams decoded at once; a home has fewer viewers.
const MOST_STREAMS: usize = 64;

/// Is the inmate: orders come in on standard input, a socket on which answers go back; pictures are written to standard output,
/// memory without a name.
///
/// # Errors
/// If the keeper is gone.
pub fn serve(codec: Codec) -> io::Result<()> {
    // A service manager and a terminal ask all processes of a program to end. This one ends with its keeper, which would otherwise see
    // it die, and start another.
    for asked in [SIGTERM, SIGINT, SIGHUP] {
        signal_hook::flag::register(asked, Arc::default())?;
    }
    let walls = raise();
    let (input, output) = (io::stdin(), io::stdout());
    let mut keeper = Keeper { input: input.as_fd() };
    keeper.say(&Answer::Ready { files: walls.files, calls: walls.calls })?;
    let mut decoder: Box<dyn Decoder> = match codec {
        Codec::H264 => Box::new(H264::default()),
        Codec::Jpeg => Box::new(Jpegs::default()),
    };
    let mut coded = Vec::new();
    loop {
        let mut head = [0; ORDER_HEAD];
        match keeper.read_exact(&mut head) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            result => result?,
        }
        match Order::parse(head).ok_or(io::ErrorKind::InvalidData)? {
            Order::Forget { stream } => decoder.forget(stream),
            Order::Decode { stream, fresh, length } => {
                coded.resize(length, 0);
                keeper.read_exact(&mut coded)?;
                let answer = match decoder.decode(stream, fresh, &coded) {
                    Ok(Some(picture)) => {
                        give(output.as_fd(), &picture)?;
                        Answer::Picture { width: picture.width(), height: picture.height() }
                    }
                    Ok(None) => Answer::Nothing,
                    Err(why) => Answer::Broken(why),
                };
                keeper.say(&answer)?;
            }
        }
    }
}

/// A library in C.
trait Decoder {
    /// `None` if there is no picture in it, an error if it is broken.
    fn decode(&mut self, stream: u64, fresh: bool, coded: &[u8]) -> Result<Option<Arc<I420>>, String>;

    fn forget(&mut self, stream: u64);
}

/// A decoder for each viewer.
#[derive(Default)]
struct H264 {
    streams: HashMap<u64, VideoDecoder>,
}

impl Decoder for H264 {
    fn decode(&mut self, stream: u64, fresh: bool, unit: &[u8]) -> Result<Option<Arc<I420>>, String> {
        if self.streams.len() >= MOST_STREAMS && !self.streams.contains_key(&stream) {
            self.streams.clear();
        }
        let decoder = self.streams.entry(stream).or_default();
        if fresh {
            decoder.reset();
        }
        decoder.decode(unit).map_err(|error| error.to_string())
    }

    fn forget(&mut self, stream: u64) {
        self.streams.remove(&stream);
    }
}

/// Each JPEG stands for itself.
#[derive(Default)]
struct Jpegs {
    decoder: Jpeg,
    pool: PicturePool,
}

impl Decoder for Jpegs {
    fn decode(&mut self, _stream: u64, _fresh: bool, bytes: &[u8]) -> Result<Option<Arc<I420>>, String> {
        let why = |BadFrame(why)| why;
        let (width, height) = jpeg::size(bytes).map_err(why)?;
        let mut picture = self.pool.take(width, height);
        if let Some(picture) = Arc::get_mut(&mut picture) {
            self.decoder.decode(bytes, picture).map_err(why)?;
        }
        self.pool.keep(&picture);
        Ok(Some(picture))
    }

    fn forget(&mut self, _stream: u64) {}
}

fn give(memory: impl AsFd, picture: &I420) -> io::Result<()> {
    let mut left = picture.packed();
    let mut at = 0;
    while !left.is_empty() {
        let count = rustix::io::pwrite(&memory, left, at)?;
        left = &left[count..];
        at += count as u64;
    }
    Ok(())
}

/// The socket to the keeper, without a buffer of the standard library's.
struct Keeper<F> {
    input: F,
}

impl<F: AsFd> Keeper<F> {
    fn say(&mut self, answer: &Answer) -> io::Result<()> {
        self.write_all(&answer.to_bytes())
    }
}

impl<F: AsFd> Read for Keeper<F> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(&self.input, into)?)
    }
}

impl<F: AsFd> Write for Keeper<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(&self.input, bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
