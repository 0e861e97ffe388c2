//! Contains a panic: what parses bytes from outside runs in here, so that a bug in it costs its owner and not the thread.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

// With `panic = "abort"` nothing would be contained.
const _: () = assert!(cfg!(panic = "unwind"), "the profile must unwind on a panic");

/// Longest message of a panic that is kept, in bytes: it may quote what came from outside.
const LONGEST: usize = 200;

/// Runs `action`. If it panics, gives the panic's message.
///
/// # Errors
/// The message, at most 200 bytes. What `action` worked on may be half changed then: drop it, in here as well.
pub fn contain<T>(action: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(action)).map_err(|panic| message(panic.as_ref()))
}

/// The text of a panic, if it has one.
pub fn message(panic: &(dyn Any + Send)) -> String {
    let text = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text.as_str(),
        _ => "no message",
    };
    let end = text.floor_char_boundary(LONGEST);
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message_and_a_value_stays_what_it_is() {
        assert_eq!(contain(|| 7), Ok(7));
        let number = 3;
        assert_eq!(contain(|| -> u8 { panic!("in vain {number} times") }), Err("in vain 3 times".into()));
        assert_eq!(contain(|| -> u8 { std::panic::panic_any(7) }), Err("no message".into()));
        let long = contain(|| -> u8 { panic!("{}", "ä".repeat(LONGEST)) }).unwrap_err();
        assert_eq!(long.len(), LONGEST);
    }
}
