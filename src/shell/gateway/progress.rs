//! How far a connection has come, and what becomes of it.

/// How far a connection has come; of one source's, those that come first here go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Progress {
    /// Its answer has been sent.
    Answered,
    /// It has not asked for anything yet.
    Unfinished,
    /// It is being answered.
    Asked,
}

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It stays.
    Stay,
    /// It is over.
    Close,
    /// It came through the proxy, and the source that [`super::connection::Connection::place`] names now has not paid for it yet: if it
    /// can, it goes on with `handle_ready`.
    Owes,
    /// It has become a WebSocket: see [`Connection::into_socket`].
    Upgraded,
}
