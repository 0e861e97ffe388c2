//! Contains a panic over a font's file: it costs the font, and not the thread.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `action`; `None` if it panics. What it worked on may be half changed then.
pub(super) fn contain<T>(action: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(action)).ok()
}
