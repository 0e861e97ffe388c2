//! Pages' words that came in one POST each, and home's words back: in the same form, one message a line.

use std::collections::HashMap;
use std::net::SocketAddr;

use crossbeam_channel::Sender;
use intercom_core::call::home::SocketId;
use intercom_core::call::protocol::FromHome;

use crate::shell::wake::Wake;

/// What a page said.
#[derive(Debug)]
pub struct Post {
    /// The far end.
    pub peer: SocketAddr,
    /// The address of ours that it came to.
    pub local: SocketAddr,
    /// Its messages.
    pub lines: String,
    /// Where home's words go.
    pub reply: Reply,
}

/// The way back to the gateway, for one answer.
#[derive(Debug)]
pub struct Reply {
    /// Bound 1. Without an answer the page hears that home has none.
    pub answer: Sender<Answer>,
    /// Wakes the gateway.
    pub wake: Wake,
}

/// What home says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Its messages.
    pub lines: String,
    /// Whether the page has shown a key that counts.
    pub welcome: bool,
}

/// Those that home has not finished.
#[derive(Default)]
pub struct Posts(HashMap<SocketId, (Reply, Answer)>);

impl Posts {
    /// One more.
    pub fn begin(&mut self, id: SocketId, reply: Reply) {
        self.0.insert(id, (reply, Answer::default()));
    }

    /// Home says this to `id`; whether that is a POST.
    pub fn say(&mut self, id: SocketId, message: &FromHome) -> bool {
        let Some((_, answer)) = self.0.get_mut(&id) else { return false };
        answer.welcome |= matches!(message, FromHome::Welcome { .. });
        match serde_json::to_string(message) {
            Ok(line) if answer.lines.is_empty() => answer.lines = line,
            Ok(line) => answer.lines.extend(["\n", &line]),
            Err(error) => log::error!("message not sent: {error}"),
        }
        true
    }

    /// Home has said all to `id`; whether that is a POST.
    pub fn end(&mut self, id: SocketId) -> bool {
        let Some((reply, answer)) = self.0.remove(&id) else { return false };
        // Whoever was refused without a word gets none here either: the sender is dropped.
        if !answer.lines.is_empty() {
            let _page_is_gone = reply.answer.try_send(answer);
        }
        drop(reply.answer);
        reply.wake.wake();
        true
    }
}
