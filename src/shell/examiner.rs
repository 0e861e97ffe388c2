//! The thread `examiner`: looks how home is when an owner's page asks, as `intercom doctor` does. Devices may hang while they are
//! looked at, so nobody waits for it.

use std::io;
use std::sync::Arc;

use crossbeam_channel::Receiver;
use intercom_base::settings::PublicAddress;
use intercom_core::call::items::Checkup;
use intercom_core::devices::doctor::{Device, Health, Network};
use intercom_core::reach::Addresses;

use crate::shell::addresses::AddressBook;
use crate::shell::devices::DeviceHealth;
use crate::shell::devices::pictures::Board;
use crate::shell::house_file::HouseFile;
use crate::shell::notice_board::NoticeBoard;
use crate::shell::tls::Certificates;
use crate::shell::wires::{ToLoop, ToLoopHandle};
use crate::shell::worker::{Exit, Worker, spawn_worker};
use crate::shell::{checkup, fonts, pulse};

/// What is known of the running intercom without trying anything.
pub struct Known {
    /// The devices as the config has them; how each is, is asked of `health`.
    pub devices: Vec<Device>,
    /// Knows how the devices are.
    pub health: Arc<DeviceHealth>,
    /// Where home can be reached now.
    pub addresses: AddressBook,
    /// Our port.
    pub port: u16,
    /// `public_address` of the config.
    pub public: Option<PublicAddress>,
    /// Knows what is wrong with them.
    pub certificates: Arc<Certificates>,
    /// What an owner set of home.
    pub house: HouseFile,
    /// Knows the TV's language.
    pub board: Arc<Board>,
    /// Knows what the TV has to tell.
    pub notices: Arc<NoticeBoard>,
}

impl Known {
    /// How devices and addresses are.
    pub fn health(&self) -> Health {
        let mut devices = self.devices.clone();
        for device in &mut devices {
            if let Some((name, state)) = self.health.device(device.kind) {
                (device.device, device.state) = (name, state);
            }
        }
        Health {
            devices,
            network: health_of_network(&self.addresses.current(), self.port, self.public.as_ref()),
            certificates: self.certificates.problems(),
            house: self.house.report(),
            font: fonts::missing_language(self.board.language()),
        }
    }
}

/// How home is reached, for the doctor.
pub fn health_of_network(addresses: &Addresses, port: u16, public: Option<&PublicAddress>) -> Network {
    Network {
        port,
        addresses: addresses.local.clone(),
        best: addresses.best,
        public_address: public.map(ToString::to_string),
    }
}

/// Starts the thread, which looks once for each item of `wishes`.
///
/// # Errors
/// If the system has no thread to give.
pub fn spawn_examiner(known: Arc<Known>, wishes: Receiver<()>, to_loop: ToLoopHandle) -> io::Result<Worker> {
    spawn_worker("examiner", move || {
        // A device that does not answer is no reason to start again: it would not answer then, either.
        pulse::rest();
        for () in &wishes {
            let findings = checkup::look_around(known.health()).findings();
            let notices = known.notices.now();
            to_loop.tell(ToLoop::Examined(Checkup { findings, notices }));
        }
        Exit::Done
    })
}
