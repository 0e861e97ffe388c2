//! Home's own way out, where all viewers share one.

use str0m_netem::{Input as LinkInput, Output as LinkOutput};

use crate::viewer::Packet;
use crate::world::World;

impl World {
    /// A datagram has left home's own network.
    pub fn deliver(&mut self, packet: Packet) {
        match self.viewers.iter_mut().find(|v| v.owns(packet.to)) {
            Some(viewer) => viewer.downlink(packet.from, packet.to, packet.bytes, self.now),
            None => *self.stray.entry(packet.to).or_default() += 1,
        }
    }

    pub fn advance_uplink(&mut self) {
        let Some(mut uplink) = self.uplink.take() else { return };
        uplink.handle_input(LinkInput::Timeout(self.now));
        while let Some(output) = uplink.poll_output() {
            if let LinkOutput::Packet(packet) = output {
                self.deliver(packet);
            }
        }
        self.uplink = Some(uplink);
    }
}
