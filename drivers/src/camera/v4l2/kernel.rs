//! The kernel's calls on a camera, with the structures that it defines for them: who it is, and its controls.

use std::io;
use std::os::fd::BorrowedFd;
use std::os::raw::c_void;
use std::ptr;

use v4l::device::Handle;
use v4l::v4l_sys as sys;
use v4l::v4l2::{self, vidioc};

use super::controls::Range;

/// What the kernel fills in or reads: structures of plain numbers, for which all zeroes is a value.
///
/// # Safety
/// Only for `repr(C)` structures of integers, raw pointers and unions of these.
pub unsafe trait Plain: Copy {
    /// The value whose bytes are all zero.
    fn zeroed() -> Self {
        // SAFETY: the trait's promise.
        unsafe { std::mem::zeroed() }
    }
}
// SAFETY: these are the kernel's structures, generated from its headers.
unsafe impl Plain for sys::v4l2_capability {}
// SAFETY: as above.
unsafe impl Plain for sys::v4l2_format {}
// SAFETY: as above.
unsafe impl Plain for sys::v4l2_requestbuffers {}
// SAFETY: as above.
unsafe impl Plain for sys::v4l2_buffer {}
// SAFETY: as above.
unsafe impl Plain for sys::v4l2_queryctrl {}
// SAFETY: as above.
unsafe impl Plain for sys::v4l2_querymenu {}
// SAFETY: as above.
unsafe impl Plain for sys::v4l2_control {}
// SAFETY: the argument of STREAMON and STREAMOFF.
unsafe impl Plain for u32 {}

/// Calls the device; `argument` must be the structure that the kernel defines for `request`.
pub fn call<T: Plain>(handle: &Handle, request: vidioc::_IOC_TYPE, argument: &mut T) -> io::Result<()> {
    loop {
        // SAFETY: each request of this driver is called with the structure that the kernel defines for it; the kernel
        // writes into that structure only, and only during the call.
        let result = unsafe { v4l2::ioctl(handle.fd(), request, ptr::from_mut(argument).cast::<c_void>()) };
        match result {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => return other,
        }
    }
}

/// The descriptor, to poll it.
pub fn fd(handle: &Handle) -> BorrowedFd<'_> {
    // SAFETY: the handle keeps its descriptor open for as long as it lives, and so longer than this borrow.
    unsafe { BorrowedFd::borrow_raw(handle.fd()) }
}

/// Who a device says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its name for people, e.g. `HD Pro Webcam C920`.
    pub card: String,
    /// Where it is plugged in, e.g. `usb-0000:00:14.0-1`.
    pub bus: String,
    /// It is a camera that can stream.
    pub captures: bool,
}

/// Asks a device who it is (VIDIOC_QUERYCAP).
pub fn identity(handle: &Handle) -> io::Result<Identity> {
    let mut found = sys::v4l2_capability::zeroed();
    call(handle, vidioc::VIDIOC_QUERYCAP, &mut found)?;
    // A device with several nodes says in device_caps what this node can do.
    let has_own = found.capabilities & sys::V4L2_CAP_DEVICE_CAPS != 0;
    let flags = if has_own { found.device_caps } else { found.capabilities };
    let both = sys::V4L2_CAP_VIDEO_CAPTURE | sys::V4L2_CAP_STREAMING;
    Ok(Identity { card: text(&found.card), bus: text(&found.bus_info), captures: flags & both == both })
}

/// What a control takes; `None` if the device has no such control, or only shows it.
pub fn control(handle: &Handle, id: u32) -> Option<Range> {
    let mut found = sys::v4l2_queryctrl { id, ..sys::v4l2_queryctrl::zeroed() };
    call(handle, vidioc::VIDIOC_QUERYCTRL, &mut found).ok()?;
    if found.flags & (sys::V4L2_CTRL_FLAG_DISABLED | sys::V4L2_CTRL_FLAG_READ_ONLY) != 0 {
        return None;
    }
    let is_menu = found.type_ == sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_MENU;
    // Menus have gaps, which the kernel answers with EINVAL. None that is asked here has more than a few entries.
    let has = |index: &i32| {
        let index = u32::try_from(*index).unwrap_or(u32::MAX);
        let mut item = sys::v4l2_querymenu { id, index, ..sys::v4l2_querymenu::zeroed() };
        call(handle, vidioc::VIDIOC_QUERYMENU, &mut item).is_ok()
    };
    let items = is_menu.then(|| (found.minimum..=found.maximum).take(32).filter(has).map(i64::from).collect());
    let (low, high, step) = (found.minimum.into(), found.maximum.into(), found.step.into());
    Some(Range { low, high, step, items })
}

/// Sets a control.
pub fn set_control(handle: &Handle, id: u32, value: i64) -> io::Result<()> {
    let value = i32::try_from(value).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    call(handle, vidioc::VIDIOC_S_CTRL, &mut sys::v4l2_control { id, value })
}

/// A text of the kernel's, which ends at the first zero byte, as it is safe in a log.
fn text(bytes: &[u8]) -> String {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).chars().filter(|c| !c.is_control()).collect()
}
