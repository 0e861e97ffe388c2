//! The UDP sockets: batched, with the local address of each datagram.
