//! How a connection ends: what was said arrives whole.

use std::io::{self, Read};
use std::net::Shutdown;
use std::time::Instant;

use super::{Connection, Context, MOST_DISCARDED, Stage, Step, Why};
use crate::shell::gateway::progress::Next;
use crate::shell::gateway::records::{READS_A_TURN, write_records};
use crate::shell::metered::is_not_ready;

impl Connection {
    /// Nothing more is said.
    pub(super) fn end(&mut self, context: &Context, now: Instant) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            write_records(tls, &mut self.socket)?;
        }
        self.socket.shutdown(Shutdown::Write)?;
        self.stage = Stage::Lingering { discarded: 0 };
        self.deadline = (now + context.timeouts.linger, Why::Linger);
        Ok(())
    }

    pub(super) fn discard(&mut self) -> io::Result<Step> {
        let Stage::Lingering { discarded } = &mut self.stage else { return Ok(Step::Out(Next::Stay)) };
        let mut chunk = [0; 4096];
        for _ in 0..READS_A_TURN {
            match self.socket.read(&mut chunk) {
                Ok(0) => return Ok(Step::Out(Next::Close)),
                Ok(count) => *discarded += count,
                Err(e) if is_not_ready(&e) => break,
                Err(e) => return Err(e),
            }
        }
        Ok(Step::Out(if *discarded > MOST_DISCARDED { Next::Close } else { Next::Stay }))
    }
}
