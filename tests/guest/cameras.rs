//! Cameras that come late, go wrong, or lose the signal that they pass on.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::PATIENCE;
use crate::harness::page::Page;
use crate::home::{ends_cleanly, said, start_intercom};
use crate::looks::{
    HALVES, chromium, connections, the_page_says_that_the_camera_is_gone, the_page_shows_mirrored_colour_bars, visit,
};
use crate::machine::Machine;
use crate::webcam::{self, Mood, Webcam};

/// A webcam of USB's among other cameras, which comes late, is set as the config says, and goes wrong in every way.
pub fn webcam(image: &Path) {
    let camera = Webcam::new();
    let mut guest = Machine::start(image, "VGA");
    let config = "[display]\ndriver = \"none\"\n[camera]\ndriver = \"v4l2\"\n[camera.v4l2]\n\
                  device = \"borrowed web\"\nformat = \"mjpeg\"\nexposure = 9000\nfocus = 12\npower_line = 50\n\
                  flip = \"horizontal\"\n";
    start_intercom(&mut guest, config);
    said(&mut guest, "no camera fits \"borrowed web\"; there is /dev/video0 (vivid, \"platform:vivid-000\")");

    plug_in(&mut guest, &camera);
    said(&mut guest, "exposure: 9000 becomes 2047; the camera takes 3 to 2047");
    said(&mut guest, &format!("camera: /dev/video1 ({}) works, 320x180 at 5 fps", webcam::NAME));
    let [mode, exposure, focus_auto, focus, power_line] =
        [(1, 2), (1, 4), (1, 8), (1, 6), (2, 5)].map(|(unit, selector)| camera.control(unit, selector));
    assert_eq!((mode, exposure, focus_auto, focus, power_line), (1, 2047, 0, 10, 1));

    // Frames with tables of their own, without any and damaged ones: the picture stays, and is turned over.
    let chromium = chromium();
    let page = visit(&mut guest, &chromium);
    let at_first = connections(&page);
    the_page_shows_blue_and_red(&page);
    page.keep_screenshot("guest-webcam");
    said(&mut guest, "bad frames: 1, the last: JPEG");

    for (mood, why) in
        [(Mood::Cut, "only bad frames"), (Mood::OtherSize, "only bad frames"), (Mood::Silent, "no frame in")]
    {
        guest.run(": >/run/log");
        let starts = camera.starts();
        camera.set(mood);
        // The card that stands in for the camera is dark all over.
        page.wait_for("a card instead of the picture", PATIENCE, &format!("{HALVES} === '000 000 000 000'"));
        the_page_says_that_the_camera_is_gone(&page);
        page.keep_screenshot(&format!("guest-webcam-{mood:?}").to_lowercase());
        said(&mut guest, why);
        // How long it stays wrong is the test's to say: a busy machine may not see what passes.
        camera.set(Mood::Good);
        page.wait_for("the page is content again", PATIENCE, "document.querySelector('#note').hidden");
        the_page_shows_blue_and_red(&page);
        assert!(camera.starts() > starts, "{mood:?} was mended without opening it again");
    }

    camera.unplug();
    the_page_says_that_the_camera_is_gone(&page);
    plug_in(&mut guest, &camera);
    page.wait_for("the page is content again", PATIENCE, "document.querySelector('#note').hidden");
    the_page_shows_blue_and_red(&page);
    assert_eq!(connections(&page), at_first, "without a new connection");
    page.close();
    ends_cleanly(&mut guest);
}

/// A camera behind an HDMI input, whose cable is pulled and put into something else. vivid goes on with noise meanwhile.
pub fn signal(image: &Path) {
    let mut guest = Machine::start(image, "VGA");
    guest.run("rmmod vivid && insmod /lib/modules/vivid.ko n_devs=1 node_types=0x1 num_inputs=1 input_types=0x3");
    let config = "[display]\ndriver = \"none\"\n[camera.v4l2]\ndevice = \"vivid\"\nflip = \"horizontal\"\n";
    start_intercom(&mut guest, config);
    let chromium = chromium();
    let page = visit(&mut guest, &chromium);
    let at_first = connections(&page);
    the_page_shows_mirrored_colour_bars(&page);

    guest.run("v4l2-ctl -d /dev/video0 --set-ctrl=dv_timings_signal_mode=1");
    said(&mut guest, "another signal comes in");
    said(&mut guest, "no signal comes in");
    the_page_says_that_the_camera_is_gone(&page);
    page.keep_screenshot("guest-no-signal");

    guest.run("v4l2-ctl -d /dev/video0 --set-ctrl=dv_timings_signal_mode=4");
    page.wait_for("the page is content again", PATIENCE, "document.querySelector('#note').hidden");
    the_page_shows_mirrored_colour_bars(&page);

    guest.run(": >/run/log; v4l2-ctl -d /dev/video0 --set-ctrl=dv_timings=4");
    said(&mut guest, "another signal comes in");
    said(&mut guest, " works, ");
    the_page_shows_mirrored_colour_bars(&page);
    assert_eq!(connections(&page), at_first, "without a new connection");
    page.close();
    ends_cleanly(&mut guest);
}

/// Hands a connection to the test's webcam over to the guest's USB, as `usbip attach` does: port 0, bus 1, device 2, fast.
pub fn plug_in(guest: &mut Machine, camera: &Webcam) {
    const PORT: &str = "/sys/devices/platform/vhci_hcd.0";
    guest.put("/root/plug", &format!("#!/bin/sh\necho 0 0 65538 3 >{PORT}/attach\n"));
    let end = Instant::now() + PATIENCE;
    // A port takes a while to notice that its device is gone.
    while let Err(error) = guest.try_run(&format!("grep -q 'hs *0000 *004' {PORT}/status")) {
        assert!(Instant::now() < end, "{error}\n{}", guest.report());
        std::thread::sleep(Duration::from_millis(500));
    }
    guest.run(&format!("chmod 755 /root/plug; nc 10.0.2.2 {} -e /root/plug", camera.port));
}

/// The webcam's frames are red on the left and blue on the right, and the config turns them over.
fn the_page_shows_blue_and_red(page: &Page) {
    page.wait_for("blue and red", PATIENCE, &format!("{HALVES} === '001 001 100 100'"));
}
