//! What a visitor's browser and the TV of a guest show.

use crate::PATIENCE;
use crate::harness::chromium::{Chromium, Options, Permission};
use crate::harness::page::Page;
use crate::harness::wait;
use crate::machine::Machine;

pub fn chromium() -> Chromium {
    let flags = vec!["--allow-loopback-in-peer-connection".to_owned()];
    Chromium::start(Options { flags, ..Options::from(Permission::Granted) })
}

pub fn visit(guest: &mut Machine, chromium: &Chromium) -> Page {
    let key = guest.run("sed -n 's/.*#k=//p' /run/log | head -n 1");
    let page = chromium.viewer();
    page.open(&format!("https://127.0.0.1:{}/#k={}", guest.port, key.trim()));
    let live = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        page.wait_state("live", PATIENCE);
        page.wait_for("some frames", PATIENCE, "lab.frames.length > 10");
    }));
    if live.is_err() {
        panic!("{}\n{}", page.report(), guest.report());
    }
    page
}

/// How many peer connections the page has made so far. On a busy machine the first may take longer than the page waits.
pub fn connections(page: &Page) -> i64 {
    page.eval("lab.connections.length").as_i64().expect("a number")
}

/// vivid paints eight bars: white, yellow, cyan, green, magenta, red, blue, black. Each must stand where it belongs,
/// from right to left as the config has it; they are free of its text at the bottom.
pub fn the_page_shows_mirrored_colour_bars(page: &Page) {
    page.wait_for("the colour bars", PATIENCE, &format!("{BARS} === '000 001 100 101 010 011 110 111'"));
}

/// The same from left to right.
pub fn the_page_shows_colour_bars(page: &Page) {
    page.wait_for("the colour bars", PATIENCE, &format!("{BARS} === '111 110 011 010 101 100 001 000'"));
}

pub const BARS: &str = "(() => {
        const video = document.querySelector('#home');
        if (!video.videoWidth) return '';
        const canvas = Object.assign(document.createElement('canvas'), { width: 80, height: 45 });
        const paint = canvas.getContext('2d');
        paint.drawImage(video, 0, 0, 80, 45);
        const at = x => [...paint.getImageData(x, 42, 1, 1).data].slice(0, 3).map(v => v > 96 ? 1 : 0).join('');
        return [5, 15, 25, 35, 45, 55, 65, 75].map(at).join(' ');
    })()";

/// What stands at four places across the page's picture.
pub const HALVES: &str = "(() => {
    const video = document.querySelector('#home');
    if (!video.videoWidth) return '';
    const canvas = Object.assign(document.createElement('canvas'), { width: 80, height: 45 });
    const paint = canvas.getContext('2d');
    paint.drawImage(video, 0, 0, 80, 45);
    const at = x => [...paint.getImageData(x, 22, 1, 1).data].slice(0, 3).map(v => v > 96 ? 1 : 0).join('');
    return [8, 24, 56, 72].map(at).join(' ');
})()";

pub fn the_page_says_that_the_camera_is_gone(page: &Page) {
    const SAID: &str =
        "!document.querySelector('#note').hidden && /camera/i.test(document.querySelector('#note').textContent)";
    page.wait_for("the page says so", PATIENCE, SAID);
}

pub fn the_tv_shows_the_idle_card(guest: &mut Machine, name: &str) -> (usize, usize, Vec<u8>) {
    is_idle_card("the TV", || guest.screen(name))
}

pub fn is_idle_card(on: &str, mut look: impl FnMut() -> (usize, usize, Vec<u8>)) -> (usize, usize, Vec<u8>) {
    wait(&format!("the idle card on {on}"), PATIENCE, || {
        let (width, height, rgb) = look();
        // A large bright clock on a dim ground, which the kernel's console does not have: its black is 0.
        let bright = rgb.chunks(3).filter(|p| p.iter().all(|v| *v > 200)).count();
        let ground = rgb.chunks(3).filter(|p| p.iter().all(|v| (4..72).contains(v))).count();
        (bright > width * height / 100 && ground > width * height * 3 / 4).then_some((width, height, rgb))
    })
}

/// What the intercom took is the kernel's again: its console, whose ground is black.
pub fn the_console_is_back(guest: &mut Machine, name: &str) {
    wait("the console on the TV", PATIENCE, || {
        let (width, height, rgb) = guest.screen(name);
        let black = rgb.chunks(3).filter(|p| p.iter().all(|v| *v == 0)).count();
        (black > width * height * 3 / 4).then_some(())
    });
}

/// Chromium's stand-in camera is green with a dark disc.
pub fn the_tv_shows_the_viewer(guest: &mut Machine, name: &str) {
    wait("the viewer on the TV", PATIENCE, || {
        let (width, height, rgb) = guest.screen(name);
        let green = rgb.chunks(3).filter(|p| p[1] > 100 && p[0] < p[1] / 2 && p[2] < p[1] / 2).count();
        (green > width * height / 5).then_some(())
    });
}

/// Amber words in the upper half of the TV, above the clock.
pub fn the_tv_tells_something(guest: &mut Machine, name: &str) {
    wait("amber words on the TV", PATIENCE, || {
        let (width, height, rgb) = guest.screen(name);
        let amber = rgb[..width * height * 3 / 2].chunks(3).filter(|p| p[0] > 180 && p[2] < 110).count();
        (amber > 300).then_some(())
    });
}
