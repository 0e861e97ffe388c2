//! A page's end of signaling where no browser is needed: TLS that takes any certificate, and a WebSocket over it.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tungstenite::WebSocket;
use tungstenite::client::IntoClientRequest;

/// The WebSocket.
pub type Socket = WebSocket<StreamOwned<ClientConnection, TcpStream>>;

/// Settings that take whatever certificate home shows; anyone who shares them resumes sessions.
pub fn any_certificate() -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let builder = builder.expect("versions of TLS").dangerous();
    Arc::new(builder.with_custom_certificate_verifier(Arc::new(Any(provider))).with_no_client_auth())
}

/// Opens `/signal` of the home at `home` over this connection; why not, if it is not opened.
pub fn open_over(stream: TcpStream, home: SocketAddr, config: &Arc<ClientConfig>) -> Result<Socket, String> {
    let name = ServerName::from(home.ip());
    let tls = ClientConnection::new(config.clone(), name).map_err(|e| e.to_string())?;
    let mut request = format!("wss://{home}/signal").into_client_request().map_err(|e| e.to_string())?;
    let origin = format!("https://{home}").parse().map_err(|_| "an origin".to_owned())?;
    request.headers_mut().insert("origin", origin);
    tungstenite::client(request, StreamOwned::new(tls, stream)).map(|(socket, _)| socket).map_err(|e| e.to_string())
}

#[derive(Debug)]
struct Any(Arc<CryptoProvider>);

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _leaf: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
