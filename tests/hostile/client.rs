//! The far end: plain TCP and TLS, blocking, with a deadline on everything.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::ServerName;
use socket2::{Domain, Protocol, Socket, Type};

use crate::front::Front;
use crate::signal::any_certificate;

/// Longer than anything here may take on a busy machine; a test that waits for it has failed.
pub const LONG: Duration = Duration::from_secs(30);

pub type Tls = StreamOwned<ClientConnection, TcpStream>;

/// A browser's settings: trusts the gateway's CA, remembers sessions.
pub fn browser(front: &Front) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(front.certificates.authority().unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

pub fn tcp(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&to, LONG).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.set_write_timeout(Some(LONG)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Another address of the loopback network: another source.
pub fn loopback(n: u32) -> IpAddr {
    IpAddr::from((0x7f01_0000 + n).to_be_bytes())
}

/// From there.
pub fn tcp_from(from: IpAddr, to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP)).unwrap();
    socket.bind(&SocketAddr::new(from, 0).into()).unwrap();
    socket.connect_timeout(&to.into(), LONG).unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    socket.into()
}

pub fn tls_over(stream: TcpStream, config: &Arc<ClientConfig>) -> Tls {
    let name = ServerName::from(stream.peer_addr().unwrap().ip());
    StreamOwned::new(ClientConnection::new(config.clone(), name).unwrap(), stream)
}

/// A handshake that accepts whatever certificate it is shown, to look at it.
pub fn trusting_any(stream: TcpStream, name: ServerName<'static>) -> Tls {
    StreamOwned::new(ClientConnection::new(any_certificate(), name).unwrap(), stream)
}

pub fn tls(front: &Front) -> Tls {
    tls_over(tcp(front.address()), &browser(front))
}

/// An answer, taken apart.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// Everything up to the end of the connection, which must be an orderly one.
pub fn read_all(stream: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Reads one answer up to the connection's end.
pub fn answer(stream: &mut impl Read) -> Answer {
    parse_answer(&read_all(stream))
}

pub fn parse_answer(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, body: bytes[end..].to_vec() }
}

/// Sends `request` over TLS and reads the answer.
pub fn ask(front: &Front, request: impl AsRef<[u8]>) -> Answer {
    let mut stream = tls(front);
    stream.write_all(request.as_ref()).unwrap();
    answer(&mut stream)
}

/// A plain page request.
pub fn get(front: &Front, path: &str) -> Answer {
    ask(front, format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", front.host()))
}

/// Whether the far end has closed, whichever way, without sending anything.
pub fn closed_silently(stream: &mut TcpStream) -> bool {
    let mut byte = [0];
    match stream.read(&mut byte) {
        Ok(count) => count == 0,
        Err(e) => e.kind() == std::io::ErrorKind::ConnectionReset,
    }
}
