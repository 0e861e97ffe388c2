//! A webcam that encodes H.264 by itself: its stream reaches the browser as it is, and nothing of that is lost when it, its
//! cable or another viewer interferes.

use std::path::Path;

use crate::PATIENCE;
use crate::cameras::plug_in;
use crate::harness::wait;
use crate::home::{ends_cleanly, said, start_intercom};
use crate::looks::{HALVES, chromium, connections, the_page_says_that_the_camera_is_gone, visit};
use crate::machine::Machine;
use crate::webcam::{ENCODER, Mood, NAME, Webcam};

/// What the log says when nothing is encoded again.
const AS_IT_IS: &str = "camera: its own H.264 goes to viewers as it is";

pub fn coded(image: &Path) {
    let camera = Webcam::new();
    let mut guest = Machine::start(image, "VGA");
    let config =
        "[display]\ndriver = \"none\"\n[camera]\ndriver = \"v4l2\"\n[camera.v4l2]\ndevice = \"borrowed web\"\n";
    start_intercom(&mut guest, config);
    plug_in(&mut guest, &camera);
    said(&mut guest, &format!("/dev/video1 ({NAME}): 320x180 at 5 fps, H264"));
    let profile = &camera.bytes(ENCODER, 2)[20..22];
    assert_eq!(profile, [0x40, 0x42], "constrained baseline was asked for");

    let chromium = chromium();
    let page = visit(&mut guest, &chromium);
    let at_first = connections(&page);
    page.wait_for("red and blue", PATIENCE, &format!("{HALVES} === '100 100 001 001'"));
    said(&mut guest, AS_IT_IS);
    page.keep_screenshot("guest-coded");
    assert!(camera.asked() >= 1, "the first picture was made for the viewer");
    let told = u32::from_le_bytes(camera.bytes(ENCODER, 14)[6..10].try_into().expect("four bytes"));
    assert!((200_000..=400_000).contains(&told), "{told} bit/s is not what [video] has");

    // The square wanders: the picture lives.
    page.wait_for("a white square on the left", PATIENCE, &square(0, 40));
    page.wait_for("a white square on the right", PATIENCE, &square(40, 80));

    // What refers to a damaged frame is held back, and a keyframe asked for.
    let asked = camera.asked();
    camera.set(Mood::OneDamaged);
    wait("the camera is asked for a keyframe", PATIENCE, || (camera.asked() > asked).then_some(()));
    let shown = page.eval("lab.frames.length").as_i64().expect("a number");
    page.wait_for("more frames", PATIENCE, &format!("lab.frames.length > {shown} + 5"));
    page.wait_for("red and blue", PATIENCE, &format!("{HALVES} === '100 100 001 001'"));

    // Another viewer begins with a keyframe too.
    let asked = camera.asked();
    let second = visit(&mut guest, &chromium);
    second.wait_for("red and blue", PATIENCE, &format!("{HALVES} === '100 100 001 001'"));
    assert!(camera.asked() > asked, "nobody asked for a keyframe");
    second.close();

    guest.run(": >/run/log");
    camera.unplug();
    the_page_says_that_the_camera_is_gone(&page);
    page.wait_for("a card instead of the picture", PATIENCE, &format!("{HALVES} === '000 000 000 000'"));
    plug_in(&mut guest, &camera);
    page.wait_for("the page is content again", PATIENCE, "document.querySelector('#note').hidden");
    page.wait_for("red and blue", PATIENCE, &format!("{HALVES} === '100 100 001 001'"));
    said(&mut guest, AS_IT_IS);
    assert_eq!(connections(&page), at_first, "without a new connection");
    page.close();
    let log = guest.run("cat /run/log");
    assert!(!log.contains("encoded again"), "{log}");
    ends_cleanly(&mut guest);
}

/// Whether something white stands at the bottom between two of 80 columns.
fn square(from: u32, to: u32) -> String {
    format!(
        "(() => {{
            const video = document.querySelector('#home');
            const canvas = Object.assign(document.createElement('canvas'), {{ width: 80, height: 45 }});
            const paint = canvas.getContext('2d');
            paint.drawImage(video, 0, 0, 80, 45);
            for (let x = {from}; x < {to}; x++) {{
                if ([...paint.getImageData(x, 42, 1, 1).data].every(v => v > 160)) return true;
            }}
            return false;
        }})()"
    )
}
