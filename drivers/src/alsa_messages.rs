//! What alsa-lib says on a thread, kept for our errors. By itself it prints to standard error.
//!
//! The `alsa` crate can keep it too, in alsa-lib's own buffer. That buffer formats a message of over 256 bytes twice from one list
//! of arguments, which reads memory that is not there. Names come from the config and have any length, so this one formats once.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_int};

use alsa_sys::{__va_list_tag, snd_lib_error_set_local};

/// Longest message that is kept, in bytes; the rest is cut off.
const LONGEST: usize = 512;

thread_local! {
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

unsafe extern "C" {
    /// The C library's: writes at most `size` bytes with the end mark, and says how many it would have been.
    fn vsnprintf(text: *mut c_char, size: usize, format: *const c_char, arguments: *mut __va_list_tag) -> c_int;
}

/// Keeps what alsa-lib says on this thread from now on, and forgets what it said before.
pub fn listen() {
    LAST.take();
    // SAFETY: the handler has the type that alsa-lib asks for, and lives as long as the program.
    unsafe { snd_lib_error_set_local(Some(keep)) };
}

/// The last message on this thread since [`listen`], with the function of alsa-lib that it came from; empty if there was none.
pub fn last() -> String {
    LAST.with_borrow(String::clone)
}

unsafe extern "C" fn keep(
    _file: *const c_char,
    _line: c_int,
    function: *const c_char,
    _error: c_int,
    format: *const c_char,
    arguments: *mut __va_list_tag,
) {
    let mut text = [0_u8; LONGEST];
    // SAFETY: alsa-lib hands a format and its arguments, which nobody has read yet; the room is `text`'s.
    let length = unsafe { vsnprintf(text.as_mut_ptr().cast(), text.len(), format, arguments) };
    if length < 0 || function.is_null() {
        return;
    }
    // SAFETY: alsa-lib hands the name of one of its functions.
    let function = unsafe { CStr::from_ptr(function) }.to_string_lossy();
    let message = CStr::from_bytes_until_nul(&text).unwrap_or_default().to_string_lossy();
    if !message.trim().is_empty() {
        LAST.set(format!("{function}: {}", message.trim()));
    }
}
