//! How the home begins: as it was left, and as the config has it.

use intercom_core::call::home::{Home, HomeConfig};
use intercom_core::call::house::House;
use intercom_core::call::peer;
use intercom_core::people::access::Access;
use intercom_core::people::news::NewsBook;
use intercom_core::people::visits::VisitLog;

use crate::config::Config;
use crate::shell::addresses::AddressBook;
use crate::shell::clock;
use crate::shell::disk::Files;
use crate::shell::switch_file::SwitchFile;

/// How home was left.
pub struct Beginning {
    /// The microphone is muted.
    pub muted: bool,
    /// The curtain is drawn.
    pub curtain: bool,
    house: House,
    visits: VisitLog,
    news: NewsBook,
}

impl Beginning {
    /// As the disk has it.
    pub fn read(files: &Files) -> Beginning {
        let Files { mute, curtain, house, visits, news, .. } = files;
        let [muted, curtain] = [mute, curtain].map(SwitchFile::load);
        Beginning { muted, curtain, house: house.load(), visits: visits.load(), news: news.load() }
    }
}

/// The home, as it was left.
pub fn new_home(config: &Config, book: &AddressBook, access: Access, beginning: Beginning) -> Home {
    let now = clock::now();
    let home_config = HomeConfig {
        name: config.home.name.clone(),
        max_viewers: config.home.max_viewers,
        port: config.network.port,
        public: config.network.public_address.clone(),
        full: config.full,
        reduced: config.reduced,
        audio: config.audio.bitrate,
        muted: beginning.muted,
        volume: config.volume,
        chime_percent: config.chime.volume,
        language: config.home.language,
        house: beginning.house,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        hear_each_other: config.audio.hear_each_other,
        curtain: beginning.curtain,
        visits: beginning.visits,
        news: beginning.news,
    };
    let (entropy, unix) = (Box::new(entropy), clock::unix_time());
    let mut home = Home::new(home_config, peer::Identity::generate(), access, entropy, now, unix);
    home.handle_addresses(book.current(), now);
    home.handle_started(now);
    home
}

fn entropy(bytes: &mut [u8]) {
    if let Err(error) = getrandom::fill(bytes) {
        // Session tokens that can be guessed are worse than no intercom.
        panic!("the system gives no random numbers: {error}");
    }
}
