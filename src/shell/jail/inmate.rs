//! The process inside: takes access units in, gives pictures out, until nobody wants any more.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;

use intercom_drivers::contract::I420;

use super::walls::raise;
use super::wire::{Answer, ORDER_HEAD, Order};
use crate::media::video_decoder::VideoDecoder;

/// Streams decoded at once; a home has fewer viewers.
const MOST_STREAMS: usize = 64;

/// Is the inmate: orders come in on standard input, a socket on which answers go back; pictures are written to standard output,
/// memory without a name.
///
/// # Errors
/// If the keeper is gone.
pub fn serve() -> io::Result<()> {
    let walls = raise();
    let (input, output) = (io::stdin(), io::stdout());
    let mut keeper = Keeper { input: input.as_fd() };
    keeper.say(&Answer::Ready { files: walls.files, calls: walls.calls })?;
    let mut decoders: HashMap<u64, VideoDecoder> = HashMap::new();
    let mut unit = Vec::new();
    loop {
        let mut head = [0; ORDER_HEAD];
        match keeper.read_exact(&mut head) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            result => result?,
        }
        match Order::parse(head).ok_or(io::ErrorKind::InvalidData)? {
            Order::Forget { stream } => drop(decoders.remove(&stream)),
            Order::Decode { stream, fresh, length } => {
                unit.resize(length, 0);
                keeper.read_exact(&mut unit)?;
                if decoders.len() >= MOST_STREAMS && !decoders.contains_key(&stream) {
                    decoders.clear();
                }
                let decoder = decoders.entry(stream).or_default();
                if fresh {
                    decoder.reset();
                }
                let answer = match decoder.decode(&unit) {
                    Ok(Some(picture)) => {
                        give(output.as_fd(), &picture)?;
                        Answer::Picture { width: picture.width(), height: picture.height() }
                    }
                    Ok(None) => Answer::Nothing,
                    Err(error) => Answer::Broken(error.to_string()),
                };
                keeper.say(&answer)?;
            }
        }
    }
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
