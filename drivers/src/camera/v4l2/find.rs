//! Finds the camera that the config means: by its path, by a name of udev's, by its own name, or by its bus path.

use std::path::{Path, PathBuf};

use rustix::io::{FdFlags, fcntl_setfd};
use v4l::device::Device;

use super::kernel::{self, Identity};
use super::{failure, offers_known_format};
use crate::contract::DeviceError;
use crate::nodes;

/// The word for the first camera that there is.
pub const AUTO: &str = "auto";

/// Where a camera of this name may be, the likeliest first. Without any, the error says what there is instead.
pub fn paths(device: &str) -> Result<Vec<PathBuf>, DeviceError> {
    let all = || nodes::paths(None, &[], "/dev", "video");
    if device == AUTO {
        return Ok(all());
    }
    let named = nodes::paths(Some(device), &["/dev/v4l/by-id", "/dev/v4l/by-path", "/dev"], "/dev", "video");
    if device.starts_with('/') || named.iter().any(|path| path.exists()) {
        return Ok(named);
    }
    let (mut cameras, mut closed) = (Vec::new(), None);
    for path in all() {
        match identify(path) {
            Ok(found) => cameras.extend(found),
            Err(error) => closed = Some(error),
        }
    }
    match pick(device, &cameras) {
        Ok(path) => Ok(vec![path]),
        // The one that could not be asked may be the one.
        Err(error) => Err(closed.filter(|_| matches!(error, DeviceError::Absent(_))).unwrap_or(error)),
    }
}

/// Opens a node that is a camera; with its name.
pub fn open(path: &Path) -> Result<(Device, String), DeviceError> {
    let at = path.display();
    let (device, Identity { card, captures, .. }) = ask(path)?;
    if !captures {
        return Err(DeviceError::Unsupported(format!("{at} ({card}) does not capture video")));
    }
    if !offers_known_format(&device) {
        return Err(DeviceError::Unsupported(format!("{at} ({card}) sends none of NV12, YUYV, MJPEG and H.264")));
    }
    Ok((device, card))
}

/// A camera that is there.
struct Found {
    path: PathBuf,
    card: String,
    bus: String,
}

fn identify(path: PathBuf) -> Result<Option<Found>, DeviceError> {
    let (_, Identity { card, bus, captures }) = ask(&path)?;
    Ok(captures.then_some(Found { path, card, bus }))
}

/// Opens any node and asks who it is.
pub fn ask(path: &Path) -> Result<(Device, Identity), DeviceError> {
    let at = path.display();
    let device = Device::with_path(path).map_err(|error| failure(&error, &format!("{at}: open")))?;
    let handle = device.handle();
    // The crate opens without it, and a command of the user's must not inherit the camera.
    let _ = fcntl_setfd(kernel::fd(&handle), FdFlags::CLOEXEC);
    let identity = kernel::identity(&handle).map_err(|error| failure(&error, &format!("{at}: ask")))?;
    Ok((device, identity))
}

/// The camera that `name` means: the one with this bus path, this name, or a name with this in it, in this order.
/// Capitals do not matter. One camera may have several nodes, of which the first is its own.
fn pick(name: &str, cameras: &[Found]) -> Result<PathBuf, DeviceError> {
    let wanted = name.trim().to_lowercase();
    let ways: [fn(&Found, &str) -> bool; 3] = [
        |camera, wanted| camera.bus.to_lowercase() == wanted,
        |camera, wanted| camera.card.to_lowercase() == wanted,
        |camera, wanted| camera.card.to_lowercase().contains(wanted),
    ];
    for way in ways {
        let mut fitting: Vec<&Found> = cameras.iter().filter(|camera| way(camera, &wanted)).collect();
        fitting.dedup_by(|later, earlier| later.bus == earlier.bus && later.card == earlier.card);
        match fitting.as_slice() {
            [] => {}
            [one] => return Ok(one.path.clone()),
            several => {
                let text =
                    format!("{} cameras fit {name:?}, name one by its bus path: {}", several.len(), list(several));
                return Err(DeviceError::Unsupported(text));
            }
        }
    }
    let there: Vec<&Found> = cameras.iter().collect();
    let there = if there.is_empty() { "none".to_string() } else { list(&there) };
    Err(DeviceError::Absent(format!("no camera fits {name:?}; there is {there}")))
}

fn list(cameras: &[&Found]) -> String {
    let each = |camera: &&Found| format!("{} ({}, {:?})", camera.path.display(), camera.card, camera.bus);
    cameras.iter().map(each).collect::<Vec<String>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cameras() -> Vec<Found> {
        [
            ("/dev/video0", "Integrated Camera: Integrated C", "usb-0000:00:14.0-8"),
            ("/dev/video2", "HD Pro Webcam C920", "usb-0000:00:14.0-1"),
            ("/dev/video4", "UVC Camera (046d:0825)", "usb-0000:00:14.0-2"),
            ("/dev/video6", "UVC Camera (046d:0825)", "usb-0000:00:14.0-3"),
            ("/dev/video7", "UVC Camera (046d:0825)", "usb-0000:00:14.0-3"),
            ("/dev/video9", "HD Pro Webcam C920 plus", "usb-0000:00:14.0-4"),
        ]
        .map(|(path, card, bus)| Found { path: path.into(), card: card.into(), bus: bus.into() })
        .into()
    }

    #[test]
    fn a_camera_is_meant_by_its_name_a_part_of_it_or_its_bus_path() {
        for (name, path) in [
            ("hd pro webcam c920", "/dev/video2"),
            ("integrated", "/dev/video0"),
            ("C920 Plus", "/dev/video9"),
            ("usb-0000:00:14.0-2", "/dev/video4"),
            ("USB-0000:00:14.0-3", "/dev/video6"),
        ] {
            assert_eq!(pick(name, &cameras()), Ok(PathBuf::from(path)), "{name}");
        }
    }

    #[test]
    fn twins_are_told_apart_by_bus_path_and_what_is_missing_is_answered_with_what_is_there() {
        let error = pick("UVC camera", &cameras()).unwrap_err();
        assert!(matches!(&error, DeviceError::Unsupported(text) if text.starts_with("2 cameras fit")), "{error}");
        assert!(error.to_string().contains("usb-0000:00:14.0-3"), "{error}");
        let error = pick("brio", &cameras()).unwrap_err();
        assert!(matches!(&error, DeviceError::Absent(text) if text.contains("HD Pro Webcam C920")), "{error}");
        let error = pick("brio", &[]).unwrap_err();
        assert!(error.to_string().ends_with("there is none"), "{error}");
    }

    #[test]
    fn paths_need_no_camera_to_be_there() {
        assert_eq!(paths("/dev/video7"), Ok(vec![PathBuf::from("/dev/video7")]));
        assert_eq!(paths("null"), Ok(vec![PathBuf::from("/dev/null")]));
        assert!(matches!(paths("usb-nobody_has_this"), Err(DeviceError::Absent(_))));
    }
}
