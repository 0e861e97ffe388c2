//! Words that come in one POST: a socket that ends with what home says to them. The visit that it begins lives on, as after each
//! socket that died, and a WebSocket or the next POST goes on with it.

use std::net::SocketAddr;
use std::time::Instant;

use crate::call::home::admission::Stage;
use crate::call::home::{Home, SocketId};
use crate::call::protocol::ByeReason;

impl Home {
    /// A page's messages came in one POST, one a line, from `far` to our address `near`. What home says to them comes out for `id`, and
    /// then [`crate::call::home::HomeOutput::Close`]: at once, or when a refusal is due or the key for a token is stored.
    pub fn handle_post(&mut self, id: SocketId, lines: &str, far: SocketAddr, near: SocketAddr, now: Instant) {
        self.handle_socket_open(id, far, near, now);
        if let Some(socket) = self.sockets.get_mut(&id) {
            socket.posted = true;
        }
        self.handle_socket_bytes(id, lines.len() as u64, now);
        for line in lines.split('\n') {
            if !self.sockets.contains_key(&id) {
                return;
            }
            if line.len() > self.longest_message(id) {
                return self.drop_socket(id, now);
            }
            self.handle_message(id, line, now);
        }
        self.end_post(id, now);
    }

    /// All is said, unless somebody waits for an answer.
    fn end_post(&mut self, id: SocketId, now: Instant) {
        match self.sockets.get(&id).map(|socket| &socket.stage) {
            Some(Stage::Visit(visit)) => {
                let visit = *visit;
                // No timer ever finds a socket here: who comes by POSTs alone would stay without media for as long as they ask.
                let deadline = self.index_of(visit).and_then(|index| self.visits[index].media_deadline());
                match deadline.is_some_and(|at| at <= now) {
                    true => self.end_visit(visit, Some(ByeReason::NoMedia), now),
                    false => self.drop_socket(id, now),
                }
            }
            Some(Stage::Unauthenticated { .. }) => self.close_socket(id),
            Some(Stage::Refused { .. } | Stage::Pairing { .. }) | None => {}
        }
    }

    /// Whether the socket is a POST.
    pub(super) fn is_post(&self, id: SocketId) -> bool {
        self.sockets.get(&id).is_some_and(|socket| socket.posted)
    }
}
