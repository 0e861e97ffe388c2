//! A request is known: what it gets, and whom it counts for.

use std::time::Instant;

use intercom_core::people::fairness::Source;

use super::{Connection, Context, MOST_REQUESTS, Stage, Then, Why};
use crate::shell::gateway::head::{Head, Method, Refusal, SIGNAL};
use crate::shell::gateway::origin::{Way, is_public};
use crate::shell::gateway::progress::Owner;
use crate::shell::gateway::reply;

impl Connection {
    /// The request is known: decides what it gets.
    pub(super) fn asked(&mut self, head: Head, context: &Context, now: Instant) {
        self.deadline = (now + context.timeouts.answer, Why::Answer);
        let with_body = head.method != Method::Head;
        // What is there behind a POST's head is its body.
        let alone = self.received.is_empty() || head.method == Method::Post;
        self.keep = head.keep_alive && alone && self.tls.is_some() && self.requests < MOST_REQUESTS && self.is_direct();
        let mended = head.mended_link();
        let (way, peer) = (self.way, self.peer.ip());
        if way == Way::Direct && !head.forwarded.is_empty() && !is_public(peer) {
            log::info!("{peer}: a reverse proxy, it seems; without [network] proxy, all its visitors share one limit");
        }
        if self.tls.is_none() {
            let target = mended.as_deref().unwrap_or(&head.target);
            self.reply(reply::redirect(&head.secure_location(target, context.port)), Then::Close);
        } else if let Some(link) = mended {
            self.reply(reply::redirect(&link), Then::Close);
        } else if let Some(origin) = head.asked_origin() {
            match head.is_own(&origin, way) {
                true => self.reply(reply::yes(), Then::Close),
                false => self.refuse(Refusal::Foreign, with_body, context, now),
            }
        } else if let Some(wish) = head.device(way) {
            match wish {
                Ok(wish) => self.reply(reply::remembered(&wish, with_body), Then::Close),
                Err(refusal) => self.refuse(refusal, with_body, context, now),
            }
        } else if head.path() != SIGNAL {
            self.stage = Stage::Waiting(head);
        } else if head.method == Method::Post {
            match head.post(way) {
                Ok(()) if context.posts.is_full() => self.refuse(Refusal::Unavailable, with_body, context, now),
                Ok(()) => self.begin_body(head.body, context, now),
                Err(refusal) => self.refuse_signal(refusal, &head, context, now),
            }
        } else {
            match head.websocket(way) {
                Ok(_) if context.sockets.is_full() => self.refuse(Refusal::Unavailable, with_body, context, now),
                Ok(accept) => self.reply(reply::switching(&accept), Then::Upgrade),
                Err(refusal) => self.refuse_signal(refusal, &head, context, now),
            }
        }
    }

    /// What the proxy passes on next may be another client's.
    fn is_direct(&self) -> bool {
        self.way == Way::Direct && self.owner != Owner::Proxy
    }

    fn refuse_signal(&mut self, refusal: Refusal, head: &Head, context: &Context, now: Instant) {
        if refusal == Refusal::Foreign {
            log::warn!(
                "{}: a page's signaling is refused, since it seems to come from another site: {}; a reverse proxy must pass \
                 Host on unchanged",
                self.peer.ip(),
                head.origin_and_host()
            );
        }
        self.refuse(refusal, head.method != Method::Head, context, now);
    }

    /// The client that the proxy names stands behind the connection from now on.
    pub(super) fn take_over(&mut self, head: &Head) {
        let peer = self.peer.ip();
        self.way = Way::Proxy;
        match head.forwarded.client {
            Some(client) => {
                self.owner = Owner::Client(Source::of(client));
                self.peer.set_ip(client);
            }
            None if head.forwarded.disagrees => log::info!(
                "{peer}: a client of the reverse proxy named another address than the proxy (Forwarded, X-Forwarded-For, X-Real-IP)"
            ),
            None => log::warn!("{peer}: the reverse proxy does not say for whom it asks (Forwarded, X-Forwarded-For)"),
        }
        if self.tls.is_none() {
            log::warn!("{peer}: the reverse proxy asks without TLS; its upstream must begin with https://");
        }
    }
}
