//! A page's words to home in a POST: its body comes in, the event loop hears it, and what home says goes back.

use std::io;
use std::time::Instant;

use crossbeam_channel::{TryRecvError, bounded};

use super::{Connection, Context, Stage, Step, Then, Why, pace};
use crate::shell::gateway::head::Refusal;
use crate::shell::gateway::progress::Next;
use crate::shell::gateway::reply;
use crate::shell::posts::{Post, Reply};

impl Connection {
    /// So many bytes come behind the head.
    pub(super) fn begin_body(&mut self, length: usize, context: &Context, now: Instant) {
        self.stage = Stage::Body(length);
        self.deadline = (now + context.timeouts.body, Why::Body);
    }

    pub(super) fn body(&mut self, length: usize, context: &Context, now: Instant) -> io::Result<Step> {
        // One byte more, to see whether something else comes behind it.
        let eof = self.receive(length + 1)?;
        if self.received.len() < length {
            return Ok(Step::Out(if eof { Next::Close } else { Next::Stay }));
        }
        self.keep &= self.received.len() == length;
        self.received.truncate(length);
        let Ok(lines) = String::from_utf8(std::mem::take(&mut self.received)) else {
            self.refuse(Refusal::Malformed, true, context, now);
            return Ok(Step::Go);
        };
        // Behind a proxy the path is another one.
        self.told = pace::told(&lines);
        let (answer, receiver) = bounded(1);
        let reply = Reply { answer, wake: context.own_wake.clone() };
        let post = Post { peer: self.peer, local: self.local, lines, reply };
        // Full in spite of the look before: the page tries again.
        if context.posts.try_send(post).is_err() {
            self.refuse(Refusal::Unavailable, true, context, now);
            return Ok(Step::Go);
        }
        context.wake.wake();
        self.stage = Stage::Speaking(receiver);
        self.deadline = (now + context.timeouts.words, Why::Answer);
        Ok(Step::Out(Next::Stay))
    }

    pub(super) fn speaking(&mut self, context: &Context, now: Instant) -> io::Result<Step> {
        let Stage::Speaking(receiver) = &self.stage else { return Ok(Step::Out(Next::Stay)) };
        match receiver.try_recv() {
            Ok(answer) => {
                // Who has shown no key that counts gets one answer a connection.
                let then = if self.keep && answer.welcome { Then::Keep } else { Then::Close };
                // A connection that stays is the page's own, with no proxy in between.
                if let Some(kbps) = self.told.take().filter(|_| then == Then::Keep) {
                    context.paces.handle_told(self.peer.ip(), kbps, now);
                }
                self.deadline = (now + context.timeouts.answer, Why::Answer);
                self.reply(reply::words(&answer.lines, then == Then::Keep), then);
            }
            Err(TryRecvError::Disconnected) => self.refuse(Refusal::Unavailable, true, context, now),
            Err(TryRecvError::Empty) => return Ok(Step::Out(Next::Stay)),
        }
        Ok(Step::Go)
    }
}
