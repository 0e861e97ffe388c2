//! A gateway for one test, with a stub where the event loop would be.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};
use intercom::shell::gateway::{Gateway, GatewayConfig, GatewayHandle, Timeouts};
use intercom::shell::posts::Post;
use intercom::shell::tls::Certificates;
use intercom::shell::wake::Wake;
use intercom::shell::wires::OpenSocket;

pub struct Front {
    pub handle: GatewayHandle,
    pub certificates: Arc<Certificates>,
    pub sockets: Receiver<OpenSocket>,
    pub posts: Receiver<Post>,
    dir: PathBuf,
}

/// As patient as the real one.
pub fn open() -> Front {
    open_with(Timeouts::default(), 16)
}

/// With deadlines of a few hundred milliseconds, so that tests of them are quick.
pub fn open_impatient() -> Front {
    let short = Duration::from_millis(300);
    let quick = Timeouts {
        handshake: short,
        idle: short,
        head: short,
        body: short,
        words: short,
        refusal: short,
        ..Timeouts::default()
    };
    open_with(quick, 16)
}

/// Where the reverse proxy is. Of all loopback addresses only this one is believed.
pub const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9));

pub fn open_with(timeouts: Timeouts, sockets: usize) -> Front {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    let dir = std::env::temp_dir().join(format!("intercom-hostile-{}-{n}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let certificates = Arc::new(Certificates::open(&dir, None, None).unwrap());
    let (sender, receiver) = bounded(sockets);
    let (posts, posted) = bounded(sockets);
    let handle = Gateway::start(GatewayConfig {
        port: 0,
        certificates: certificates.clone(),
        private_dir: dir.join("gateway"),
        sockets: sender,
        posts,
        wake: Wake::new().unwrap(),
        timeouts,
        proxy: Some(PROXY),
    })
    .unwrap();
    Front { handle, certificates, sockets: receiver, posts: posted, dir }
}

impl Front {
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.handle.port()))
    }

    /// A path in the state directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// `127.0.0.1:port`, as it stands in `Host`.
    pub fn host(&self) -> String {
        self.address().to_string()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.handle.stop();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
