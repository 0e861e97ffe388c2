//! Holds the walls: which packages are used, which are absent, and which room may touch what.

mod document;
mod documents;
mod packages;
mod source;
mod walls;
mod webroot;

use std::path::Path;

/// The project's folder.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
