//! Certificates: our own CA and leaves, or a trusted pair from files.
