//! The kernel's side of a camera: format, mapped buffers and their queue.
//!
//! The `v4l` crate brings the kernel's structures and its calls. Its own stream type is not used: it cannot look
//! whether a frame is there without blocking, and it panics when a camera goes in the wrong moment.

use std::io;
use std::os::raw::c_void;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use v4l::device::Handle;
use v4l::v4l_sys as sys;
use v4l::v4l2::{self, vidioc};

use super::kernel::{Plain, call};

const CAPTURE: u32 = sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE;
const MMAP: u32 = sys::v4l2_memory_V4L2_MEMORY_MMAP;

/// What the camera agreed to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Granted {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// The kernel's code for the pixel format.
    pub code: [u8; 4],
    /// Bytes from row to row.
    pub stride: usize,
    /// Luma uses 0–255.
    pub full_range: bool,
}

/// Asks for a format; the camera answers with the nearest that it has.
pub fn set_format(handle: &Handle, width: u32, height: u32, code: [u8; 4]) -> io::Result<Granted> {
    let mut format = sys::v4l2_format::zeroed();
    format.type_ = CAPTURE;
    // SAFETY: `pix` is the union's member for this type of buffer, and all its bytes are set (to zero).
    let wanted = unsafe { &mut format.fmt.pix };
    (wanted.width, wanted.height, wanted.pixelformat) = (width, height, u32::from_le_bytes(code));
    call(handle, vidioc::VIDIOC_S_FMT, &mut format)?;
    // SAFETY: as above; the kernel fills this member.
    let granted = unsafe { format.fmt.pix };
    Ok(Granted {
        width: granted.width,
        height: granted.height,
        code: granted.pixelformat.to_le_bytes(),
        stride: granted.bytesperline as usize,
        full_range: granted.quantization == sys::v4l2_quantization_V4L2_QUANTIZATION_FULL_RANGE
            || granted.quantization == 0 && granted.colorspace == sys::v4l2_colorspace_V4L2_COLORSPACE_JPEG,
    })
}

/// A buffer that the camera has filled; it is ours until it is queued again.
#[derive(Clone, Copy, Debug)]
pub struct Filled {
    index: usize,
    used: usize,
    /// The kernel says that the frame is damaged.
    pub damaged: bool,
    /// `CLOCK_MONOTONIC`, if the driver stamps with that.
    pub stamp: Option<Duration>,
    /// The driver's count of frames.
    pub sequence: u32,
}

/// The streaming queue of a camera.
pub struct Ring {
    handle: Arc<Handle>,
    maps: Vec<(*mut c_void, usize)>,
}

// SAFETY: the mapped memory belongs to this value alone and is not bound to a thread.
unsafe impl Send for Ring {}

impl Ring {
    /// Maps `count` buffers (or as many as the camera gives), queues them all and starts the stream.
    pub fn start(handle: Arc<Handle>, count: u32) -> io::Result<Ring> {
        let mut ring = Ring { handle, maps: Vec::new() };
        let given = ring.request(count)?;
        if given < 2 {
            return Err(io::Error::other(format!("it gives {given} buffers")));
        }
        for index in 0..given {
            let mut buffer = ring.buffer(index);
            call(&ring.handle, vidioc::VIDIOC_QUERYBUF, &mut buffer)?;
            let length = buffer.length as usize;
            // SAFETY: a new mapping of a length and offset that the kernel has just given for this buffer. Nothing
            // else maps it, and it is unmapped in `drop` only.
            let memory = unsafe {
                v4l2::mmap(
                    ptr::null_mut(),
                    length,
                    (map::READ | map::WRITE) as _,
                    map::SHARED as _,
                    ring.handle.fd(),
                    buffer.m.offset as _,
                )
            }?;
            ring.maps.push((memory, length));
        }
        for index in 0..ring.maps.len() {
            ring.queue_index(index)?;
        }
        call(&ring.handle, vidioc::VIDIOC_STREAMON, &mut CAPTURE.clone())?;
        Ok(ring)
    }

    /// The next filled buffer, oldest first; `None` if none is filled. Never blocks: the device is non-blocking.
    pub fn take(&mut self) -> io::Result<Option<Filled>> {
        let mut buffer = self.buffer(0);
        match call(&self.handle, vidioc::VIDIOC_DQBUF, &mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            other => other?,
        }
        let index = buffer.index as usize;
        let length = self.maps.get(index).map(|(_, length)| *length);
        let length =
            length.ok_or_else(|| io::Error::other(format!("it filled buffer {index}, which it never gave")))?;
        let monotonic = buffer.flags & sys::V4L2_BUF_FLAG_TIMESTAMP_MASK == sys::V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
        let stamp = u64::try_from(buffer.timestamp.tv_sec).ok().zip(u32::try_from(buffer.timestamp.tv_usec).ok());
        Ok(Some(Filled {
            index,
            used: (buffer.bytesused as usize).min(length),
            damaged: buffer.flags & sys::V4L2_BUF_FLAG_ERROR != 0,
            stamp: stamp.filter(|_| monotonic).map(|(s, us)| Duration::from_secs(s) + Duration::from_micros(us.into())),
            sequence: buffer.sequence,
        }))
    }

    /// The bytes of a filled buffer.
    pub fn bytes(&self, filled: &Filled) -> &[u8] {
        match self.maps.get(filled.index) {
            // SAFETY: the mapping is at least `used` bytes long and lives as long as `self`. The buffer is dequeued, so
            // the kernel does not write to it; queueing it again takes `&mut self` and so ends this borrow.
            Some((map, length)) => unsafe { std::slice::from_raw_parts(map.cast::<u8>(), filled.used.min(*length)) },
            None => &[],
        }
    }

    /// Gives a buffer back to the camera.
    pub fn give_back(&mut self, filled: Filled) -> io::Result<()> {
        self.queue_index(filled.index)
    }

    fn queue_index(&mut self, index: usize) -> io::Result<()> {
        let mut buffer = self.buffer(index as u32);
        call(&self.handle, vidioc::VIDIOC_QBUF, &mut buffer)
    }

    fn buffer(&self, index: u32) -> sys::v4l2_buffer {
        sys::v4l2_buffer { index, type_: CAPTURE, memory: MMAP, ..sys::v4l2_buffer::zeroed() }
    }

    fn request(&self, count: u32) -> io::Result<u32> {
        let mut request = sys::v4l2_requestbuffers::zeroed();
        (request.count, request.type_, request.memory) = (count, CAPTURE, MMAP);
        call(&self.handle, vidioc::VIDIOC_REQBUFS, &mut request)?;
        Ok(request.count)
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // A camera that is unplugged answers all of this with errors, which change nothing.
        let _ = call(&self.handle, vidioc::VIDIOC_STREAMOFF, &mut CAPTURE.clone());
        for (map, length) in self.maps.drain(..) {
            // SAFETY: mapped in `start` with this length, and no slice of it outlives `self`.
            let _ = unsafe { v4l2::munmap(map, length) };
        }
        let _ = self.request(0);
    }
}

/// The kernel's numbers for a mapping.
mod map {
    /// PROT_READ
    pub const READ: u32 = 1;
    /// PROT_WRITE
    pub const WRITE: u32 = 2;
    /// MAP_SHARED
    pub const SHARED: u32 = 1;
}
