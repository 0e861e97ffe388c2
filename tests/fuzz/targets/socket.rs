//! The signaling socket as the loop drives it, behind real TLS; the handshake of TLS; and certificates in files.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use intercom::config::TlsFiles;
use intercom::shell::gateway::TlsStream;
use intercom::shell::metered::Metered;
use intercom::shell::signal_socket::{Heard, SignalSocket, Turn};
use intercom::shell::tls::{self, Certificates};
use intercom_core::call::protocol::{MAX_HELLO, MAX_MESSAGE};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, ServerConnection, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tungstenite::WebSocket;
use tungstenite::protocol::{Role, WebSocketConfig};

use super::bytes::{Bytes, owned, piece};

/// The beginning of a target's time.
#[allow(clippy::disallowed_methods)]
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A folder of this process's own.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let outside = option_env!("CARGO_TARGET_TMPDIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = outside.join(format!("intercom-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("state/leaves")).expect("a folder");
    folder
});

static CERTIFICATES: LazyLock<Certificates> =
    LazyLock::new(|| Certificates::open(&FOLDER.join("state"), None, None).expect("a CA"));

/// Whatever a stranger says first ends in an error, or home waits for more.
pub fn fuzz_tls(data: &[u8]) {
    let mut bytes = Bytes(data);
    let config = CERTIFICATES.server_config(Ipv4Addr::LOCALHOST.into());
    let mut server = ServerConnection::new(config).expect("a connection");
    let mut said = Vec::new();
    while !bytes.is_over() {
        let mut now = bytes.piece();
        if server.read_tls(&mut now).is_err() || server.process_new_packets().is_err() {
            break;
        }
        assert!(server.is_handshaking(), "nobody has shown a key");
    }
    while server.wants_write() {
        server.write_tls(&mut said).expect("memory");
    }
    assert!(said.len() < 1 << 16, "{} bytes to a stranger", said.len());
}

/// A page's end of TLS that trusts every far end.
static CLIENT: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("TLS");
    let mut config = builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody)).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
});

#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// Both ends of a connection whose handshake is over.
fn connected() -> (ClientConnection, TcpStream, TlsStream) {
    static LISTENER: LazyLock<TcpListener> =
        LazyLock::new(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port"));
    let mut page = TcpStream::connect(LISTENER.local_addr().expect("an address")).expect("a connection");
    let (socket, _) = LISTENER.accept().expect("its other end");
    let name = ServerName::try_from("localhost").expect("a name");
    let mut client = ClientConnection::new(Arc::clone(&CLIENT), name).expect("a client");
    let mut server =
        ServerConnection::new(CERTIFICATES.server_config(Ipv4Addr::LOCALHOST.into())).expect("a connection");
    // The handshake goes from hand to hand; only what comes behind it goes over the socket.
    while client.is_handshaking() || server.is_handshaking() {
        let mut words = Vec::new();
        client.write_tls(&mut words).expect("memory");
        server.read_tls(&mut &words[..]).expect("memory");
        server.process_new_packets().expect("a good handshake");
        let mut words = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut words).expect("memory");
        }
        client.read_tls(&mut &words[..]).expect("memory");
        client.process_new_packets().expect("a good handshake");
    }
    while client.wants_write() {
        client.write_tls(&mut page).expect("room");
    }
    socket.set_nonblocking(true).expect("a socket");
    page.set_nonblocking(true).expect("a socket");
    (client, page, TlsStream::new(server, Metered::new(socket)))
}

/// A page's frames, in pieces: no message is longer than it may be, and home never waits.
pub fn fuzz_websocket(data: &[u8]) {
    let (mut client, mut page, stream) = connected();
    // As the gateway opens it.
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_HELLO))
        .max_frame_size(Some(MAX_HELLO))
        .read_buffer_size(8 * 1024)
        .write_buffer_size(0)
        .max_write_buffer_size(2 * MAX_MESSAGE + 1024);
    let mut bytes = Bytes(data);
    let first = bytes.piece().to_vec();
    let mut home = SignalSocket::new(WebSocket::from_partially_read(stream, first, Role::Server, Some(config)));
    let mut longest = MAX_HELLO;
    for _ in 0..32 {
        client.writer().write_all(bytes.piece()).expect("memory");
        while client.wants_write() && client.write_tls(&mut page).is_ok() {}
        let (turn, read) = home.read(*START, |heard| {
            if let Heard::Text(text) = heard {
                assert!(text.len() <= longest, "{} bytes", text.len());
                longest = MAX_MESSAGE;
            }
            longest
        });
        assert!(read <= 64 * 1024, "{read} bytes in one turn");
        if turn == Turn::Closed {
            return;
        }
        if bytes.is_over() {
            break;
        }
    }
    let mut leaving = home.leave(*START);
    leaving.advance(*START);
    let _ = page.read(&mut [0; 256]);
    assert!(leaving.advance(*START + Duration::from_secs(10)), "a goodbye has a deadline");
}

/// A CA, a leaf, or a pair of somebody else's: used or refused in words, and never replaced.
pub fn fuzz_pem(data: &[u8]) {
    let mut bytes = Bytes(data);
    let what = bytes.byte();
    let (certificate, key) = (bytes.piece(), bytes.0);
    let folder = FOLDER.join("pem");
    std::fs::create_dir_all(&folder).expect("a folder");
    let (certificate_file, key_file) = (folder.join("ca.pem"), folder.join("ca.key"));
    std::fs::write(&certificate_file, certificate).expect("a disk");
    std::fs::write(&key_file, key).expect("a disk");
    match what % 3 {
        0 => {
            let files = TlsFiles { cert: certificate_file, key: key_file };
            if let Ok(certificates) = Certificates::open(&folder, Some(&files), None) {
                assert_eq!(certificates.fingerprint().len(), 95);
            }
        }
        1 => {
            let good = tls::check_own(&folder).is_ok();
            tls::problems(&folder, Some("home.example.org"));
            let opened = Certificates::open(&folder, None, Some("home.example.org"));
            assert_eq!(opened.is_ok(), good);
            assert_eq!(std::fs::read(&certificate_file).expect("a disk"), certificate, "a CA is never replaced");
        }
        _ => {
            let leaf = FOLDER.join("state/leaves/localhost.pem");
            std::fs::write(&leaf, [certificate, key].concat()).expect("a disk");
            let opened = Certificates::open(&FOLDER.join("state"), None, None).expect("our own CA");
            assert!(opened.shown(Some("localhost"), Ipv4Addr::LOCALHOST.into()).is_some(), "there is always a leaf");
        }
    }
}

// ---- Seeds. ----

pub fn hellos() -> Vec<Vec<u8>> {
    let hello = |name: &str| {
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let mut client = ClientConnection::new(Arc::clone(&CLIENT), name).expect("a client");
        let mut words = Vec::new();
        client.write_tls(&mut words).expect("memory");
        words
    };
    let whole = hello("localhost");
    let cut = [piece(&whole[..7]), piece(&whole[7..])].concat();
    let alert = [piece(&hello("10.0.0.1")), piece(&[21, 3, 3, 0, 2, 2, 40])].concat();
    vec![piece(&whole), cut, alert, piece(&[22, 3, 1, 0, 4, 1, 0, 0, 0])]
}

pub fn frames() -> Vec<Vec<u8>> {
    // Masked by nothing (RFC 6455 section 5.2): a text, one in two parts with a ping between, a close.
    let frame = |first: u8, payload: &[u8]| [&[first, 0x80 | payload.len() as u8, 0, 0, 0, 0][..], payload].concat();
    let text = frame(0x81, br#"{"type":"ping","t":1}"#);
    let parts = [frame(1, b"{\"type\""), frame(0x89, b"x"), frame(0x80, b":\"leave\"}")].concat();
    let long = [&[0x81, 0xfe, 1, 0, 1, 2, 3, 4][..], &[b'a'; 256]].concat();
    vec![
        [piece(&[]), piece(&text)].concat(),
        [piece(&text), piece(&parts), piece(&frame(0x88, &[3, 0xe8, b'x']))].concat(),
        [piece(&[]), piece(&long), piece(&frame(0x82, &[0; 9])), piece(&frame(0x8a, b""))].concat(),
    ]
}

pub fn pems() -> Vec<Vec<u8>> {
    LazyLock::force(&CERTIFICATES);
    let read = |name: &str| std::fs::read(FOLDER.join("state").join(name)).expect("what was made");
    CERTIFICATES.shown(Some("localhost"), Ipv4Addr::LOCALHOST.into());
    let (certificate, key, leaf) = (read("ca.pem"), read("ca.key"), read("leaves/localhost.pem"));
    let seed = |what: u8, certificate: &[u8], key: &[u8]| [&[what][..], &piece(certificate), key].concat();
    [vec![seed(0, &certificate, &key), seed(1, &certificate, &key), seed(2, &leaf, &[])], owned(&[&[1]])].concat()
}
