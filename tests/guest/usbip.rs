//! A USB device that is a part of the test: USB/IP (the kernel's Documentation/usb/usbip_protocol.rst) from the side of the
//! machine that has the device. The guest's `vhci_hcd` plugs it into a port of its own.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// A request to endpoint 0 (USB 2.0, 9.3).
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// Direction, type and recipient.
    pub kind: u8,
    /// bRequest
    pub request: u8,
    /// wValue
    pub value: u16,
    /// wIndex
    pub index: u16,
}

/// Answers requests: the bytes to send, or `None` for a stall. `data` is what came with the request.
pub type Answer = dyn Fn(Setup, &[u8]) -> Option<Vec<u8>> + Send + Sync;

const SUBMIT: u32 = 1;
const UNLINK: u32 = 2;
const EPIPE: i32 = -32;
const ECONNRESET: i32 = -104;

/// A device that is plugged in.
pub struct Plugged {
    socket: TcpStream,
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    /// Reads of the device's bulk endpoint: number and room.
    bulk: VecDeque<(u32, usize)>,
    gone: bool,
}

impl Plugged {
    /// Serves a guest that has attached itself, until it or [`Plugged::unplug`] ends it.
    pub fn new(socket: TcpStream, answer: Arc<Answer>) -> Arc<Plugged> {
        socket.set_nodelay(true).expect("small packets at once");
        let plugged = Arc::new(Plugged { socket, waiting: Mutex::default(), changed: Condvar::new() });
        let serving = plugged.clone();
        thread::spawn(move || {
            let _ = serving.serve(&*answer);
            serving.unplug();
        });
        plugged
    }

    /// Pulls the plug.
    pub fn unplug(&self) {
        self.waiting().gone = true;
        self.changed.notify_all();
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// Sends `data` to the next read of the bulk endpoint; its room is the most that it takes. `None` if the device
    /// is gone, `false` if nobody reads for `patience`.
    pub fn send(&self, patience: Duration, data: impl FnOnce(usize) -> Vec<u8>) -> Option<bool> {
        let waiting = self.waiting();
        let idle = |waiting: &mut Waiting| waiting.bulk.is_empty() && !waiting.gone;
        let (mut waiting, _) =
            self.changed.wait_timeout_while(waiting, patience, idle).unwrap_or_else(PoisonError::into_inner);
        if waiting.gone {
            return None;
        }
        let Some((number, room)) = waiting.bulk.pop_front() else { return Some(false) };
        // Under the lock, so that no answer to an unlinking comes before.
        self.reply(3, number, 0, &data(room)).ok().map(|()| true)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, answer: &Answer) -> io::Result<()> {
        let mut socket = &self.socket;
        loop {
            let mut head = [0; 48];
            socket.read_exact(&mut head)?;
            let word = |n: usize| u32::from_be_bytes([head[4 * n], head[4 * n + 1], head[4 * n + 2], head[4 * n + 3]]);
            let (command, number, is_in, endpoint) = (word(0), word(1), word(3) == 1, word(4));
            match command {
                SUBMIT => {
                    let length = word(6) as usize;
                    let mut data = vec![0; if is_in { 0 } else { length }];
                    socket.read_exact(&mut data)?;
                    if endpoint != 0 {
                        self.waiting().bulk.push_back((number, length));
                        self.changed.notify_all();
                        continue;
                    }
                    let two = |n: usize| u16::from_le_bytes([head[n], head[n + 1]]);
                    let setup = Setup { kind: head[40], request: head[41], value: two(42), index: two(44) };
                    let _lock = self.waiting();
                    match answer(setup, &data) {
                        Some(mut bytes) => {
                            bytes.truncate(length);
                            // To a request that brought data, the answer is how much of it was taken.
                            if is_in { self.reply(3, number, 0, &bytes)? } else { self.taken(number, length)? }
                        }
                        None => self.reply(3, number, EPIPE, &[])?,
                    }
                }
                UNLINK => {
                    let mut waiting = self.waiting();
                    let before = waiting.bulk.len();
                    waiting.bulk.retain(|(submitted, _)| *submitted != word(5));
                    let status = if waiting.bulk.len() < before { ECONNRESET } else { 0 };
                    self.reply(4, number, status, &[])?;
                }
                other => return Err(io::Error::other(format!("USB/IP command {other}"))),
            }
        }
    }

    fn reply(&self, command: u32, number: u32, status: i32, data: &[u8]) -> io::Result<()> {
        self.write(command, number, status, data.len(), data)
    }

    fn taken(&self, number: u32, length: usize) -> io::Result<()> {
        self.write(3, number, 0, length, &[])
    }

    fn write(&self, command: u32, number: u32, status: i32, length: usize, data: &[u8]) -> io::Result<()> {
        let mut message = Vec::with_capacity(48 + data.len());
        for word in [command, number, 0, 0, 0, status as u32, length as u32] {
            message.extend_from_slice(&word.to_be_bytes());
        }
        message.resize(48, 0);
        message.extend_from_slice(data);
        (&self.socket).write_all(&message)
    }
}
