//! TLS records between a connection and its socket, without waiting.

use std::io;
use std::net::TcpStream;

use rustls::ServerConnection;

use crate::shell::metered::is_not_ready;

/// Records read a turn, so that a stranger who sends without end does not hold up the others.
pub const READS_A_TURN: usize = 8;

/// Takes in TLS records that have come; says whether the far end has closed.
pub fn read_records(tls: &mut ServerConnection, socket: &mut TcpStream) -> io::Result<bool> {
    for _ in 0..READS_A_TURN {
        // It wants none while what it has deciphered is not taken.
        if !tls.wants_read() {
            break;
        }
        match tls.read_tls(socket) {
            Ok(0) => return Ok(true),
            Ok(_) => {
                tls.process_new_packets().map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
            }
            Err(e) if is_not_ready(&e) => break,
            Err(e) => return Err(e),
        }
    }
    Ok(false)
}

/// Sends TLS records that wait, as far as the network takes them.
pub fn write_records(tls: &mut ServerConnection, socket: &mut TcpStream) -> io::Result<()> {
    while tls.wants_write() {
        match tls.write_tls(socket) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(_) => {}
            Err(e) if is_not_ready(&e) => break,
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
