//! Waits a little for a port that somebody else is about to give back.

use std::io;
use std::time::Duration;

use crate::shell::clock;

/// A process that ends gives back its port within this time: our own predecessor, above all.
const PATIENCE: Duration = Duration::from_secs(4);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(100);

/// Calls `bind` until it does not say that the address is in use, for four seconds at most.
///
/// # Errors
/// Those of `bind`.
pub fn bind_with_retry<T>(mut bind: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let until = clock::now() + PATIENCE;
    loop {
        match bind() {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && clock::now() < until => {
                clock::sleep_until((clock::now() + PAUSE).min(until));
            }
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_port_that_is_taken_for_a_moment_is_waited_for() {
        let mut holder = Some(TcpListener::bind("127.0.0.1:0").unwrap());
        let address = holder.as_ref().unwrap().local_addr().unwrap();
        let mut tries = 0;
        let listener = bind_with_retry(|| {
            tries += 1;
            if tries == 3 {
                holder = None;
            }
            TcpListener::bind(address)
        });
        assert!(listener.is_ok() && tries == 3);
        let refused = bind_with_retry(|| Err::<(), _>(io::ErrorKind::PermissionDenied.into()));
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }
}
