//! The kernel's calls on a camera, with the structures that it defines for them: who it is, and its controls.

use std::io;
use std::os::fd::BorrowedFd;
use std::os::raw::c_void;
use std::ptr;

use rustix::io::Errno;
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
// SAFETY: as above.
unsafe impl Plain for sys::v4l2_event {}
// SAFETY: as above.
unsafe impl Plain for sys::v4l2_event_subscription {}
// SAFETY: as above.
unsafe impl Plain for sys::v4l2_dv_timings {}
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

/// Whether the device has a control that only does something, such as making a keyframe.
pub fn has_button(handle: &Handle, id: u32) -> bool {
    let mut found = sys::v4l2_queryctrl { id, ..sys::v4l2_queryctrl::zeroed() };
    call(handle, vidioc::VIDIOC_QUERYCTRL, &mut found).is_ok()
        && found.type_ == sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_BUTTON
        && found.flags & sys::V4L2_CTRL_FLAG_DISABLED == 0
}

/// What to do with a control of an extension unit (USB Video Class 1.1, A.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Query {
    /// SET_CUR
    Set = 0x01,
    /// GET_CUR
    Current = 0x81,
}

/// uvc_xu_control_query of linux/uvcvideo.h.
#[repr(C)]
#[derive(Clone, Copy)]
struct ExtensionQuery {
    unit: u8,
    selector: u8,
    query: u8,
    size: u16,
    data: *mut u8,
}
// SAFETY: numbers and a raw pointer.
unsafe impl Plain for ExtensionQuery {}

/// Asks a unit that only the webcam's maker knows; `data` must have the size that the control has.
pub fn ask_extension(handle: &Handle, unit: u8, selector: u8, query: Query, data: &mut [u8]) -> io::Result<()> {
    let size = u16::try_from(data.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut asked = ExtensionQuery { unit, selector, query: query as u8, size, data: data.as_mut_ptr() };
    call(handle, EXTENSION_QUERY, &mut asked)
}

/// Asks to be told when another signal comes in; `false` if the device has no such event, as webcams have not.
pub fn watch_source(handle: &Handle) -> bool {
    let mut wanted = sys::v4l2_event_subscription::zeroed();
    wanted.type_ = sys::V4L2_EVENT_SOURCE_CHANGE;
    call(handle, SUBSCRIBE_EVENT, &mut wanted).is_ok()
}

/// Whether another signal came in since this was last asked. Never blocks: the device is non-blocking.
pub fn source_changed(handle: &Handle) -> bool {
    let mut changed = false;
    let mut event = sys::v4l2_event::zeroed();
    while call(handle, DQEVENT, &mut event).is_ok() {
        changed |= event.type_ == sys::V4L2_EVENT_SOURCE_CHANGE;
    }
    changed
}

/// Takes over the signal that comes in, as HDMI and the like need it; devices without such an input are left as they are.
/// `None` if nothing comes in.
pub fn adopt_signal(handle: &Handle) -> io::Result<Option<()>> {
    let mut timings = sys::v4l2_dv_timings::zeroed();
    match call(handle, QUERY_DV_TIMINGS, &mut timings) {
        Ok(()) => call(handle, S_DV_TIMINGS, &mut timings).map(Some),
        Err(error) => match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::NOLINK) => Ok(None),
            // Not locked yet, or outside of what it can do.
            Some(Errno::NOLCK | Errno::RANGE) => Err(error),
            _ => Ok(Some(())),
        },
    }
}

const SUBSCRIBE_EVENT: vidioc::_IOC_TYPE = request::<sys::v4l2_event_subscription>(WRITE, 90);
const DQEVENT: vidioc::_IOC_TYPE = request::<sys::v4l2_event>(READ, 89);
const S_DV_TIMINGS: vidioc::_IOC_TYPE = request::<sys::v4l2_dv_timings>(READ | WRITE, 87);
const QUERY_DV_TIMINGS: vidioc::_IOC_TYPE = request::<sys::v4l2_dv_timings>(READ, 99);
/// UVCIOC_CTRL_QUERY of linux/uvcvideo.h.
const EXTENSION_QUERY: vidioc::_IOC_TYPE = request_of::<ExtensionQuery>(b'u', READ | WRITE, 0x21);
/// The application writes, or reads, the structure (asm-generic/ioctl.h).
const WRITE: u32 = 1;
const READ: u32 = 2;

/// The number of a call that the crate does not name (linux/videodev2.h).
const fn request<T>(direction: u32, number: u32) -> vidioc::_IOC_TYPE {
    request_of::<T>(b'V', direction, number)
}

const fn request_of<T>(family: u8, direction: u32, number: u32) -> vidioc::_IOC_TYPE {
    (direction << 30 | (size_of::<T>() as u32) << 16 | (family as u32) << 8 | number) as vidioc::_IOC_TYPE
}

/// A text of the kernel's, which ends at the first zero byte, as it is safe in a log.
fn text(bytes: &[u8]) -> String {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_our_own_are_numbered_as_the_crates() {
        assert_eq!(request::<sys::v4l2_capability>(READ, 0), vidioc::VIDIOC_QUERYCAP);
        assert_eq!(request::<sys::v4l2_format>(READ | WRITE, 5), vidioc::VIDIOC_S_FMT);
    }

    #[cfg(all(target_env = "gnu", target_pointer_width = "64"))]
    #[test]
    fn calls_of_our_own_have_the_numbers_that_the_kernels_headers_give() {
        assert_eq!((DQEVENT, SUBSCRIBE_EVENT), (0x8088_5659, 0x4020_565a));
        assert_eq!((S_DV_TIMINGS, QUERY_DV_TIMINGS), (0xc084_5657, 0x8084_5663));
        assert_eq!(EXTENSION_QUERY, 0xc010_7521);
    }
}
