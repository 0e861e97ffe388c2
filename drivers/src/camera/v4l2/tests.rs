//! What needs no camera.

use super::*;

#[test]
fn frames_are_counted_over_the_wrap_and_without_the_drivers_help() {
    let mut count = Count::default();
    assert_eq!([5, 6, 9, 9, 9, 2].map(|n| count.extend(n)), [0, 1, 4, 5, 6, 7]);
    let mut count = Count::default();
    assert_eq!([u32::MAX - 1, u32::MAX, 0, 1].map(|n| count.extend(n)), [0, 1, 2, 3]);
}

#[test]
fn what_is_no_camera_is_refused_in_words() {
    let wanted = Wanted { camera: VideoMode { width: 640, height: 480, rate: 30.0 }, display: (640, 480) };
    for (device, absent) in [("/dev/no-such-video", true), ("/dev/null", false)] {
        let table = toml::Table::from_iter([("device".to_string(), toml::Value::String(device.into()))]);
        let error = configure(&table, &wanted).ok().unwrap().open().err().expect("an error");
        assert!(error.to_string().contains(device), "{error}");
        assert_eq!(matches!(error, DeviceError::Absent(_)), absent, "{error}");
        assert!(detect(&table).unwrap_err().contains("no camera"));
    }
}

#[test]
fn only_known_formats_are_taken() {
    let wanted = Wanted { camera: VideoMode { width: 640, height: 480, rate: 30.0 }, display: (640, 480) };
    for (format, good) in [("auto", true), ("mjpeg", true), ("h264", true), ("h265", false)] {
        let table = toml::Table::from_iter([("format".to_string(), toml::Value::String(format.into()))]);
        assert_eq!(configure(&table, &wanted).is_ok(), good, "{format}");
    }
}
