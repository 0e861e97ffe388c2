//! The card that viewers see while home's camera is away: the last picture, dimmed, with a camera that is crossed out. It has no words,
//! as viewers may read other languages than home. The page says it in the language of the browser.

use intercom_base::picture::I420;

use crate::paint::{self, Colour};
use crate::scale::{self, Rect};

const WHITE: Colour = Colour::rgb(244, 246, 250);
const TOP: Colour = Colour::rgb(30, 37, 50);
const BOTTOM: Colour = Colour::rgb(14, 17, 24);

/// The card of this size in pixels. `last` is the picture that was seen before, of any size.
pub fn unplugged(width: usize, height: usize, last: Option<&I420>) -> I420 {
    let mut card = I420::black(width, height);
    let canvas = &mut card;
    let whole = Rect::of(canvas);
    match last {
        Some(last) => {
            scale::scale_into(last, canvas);
            paint::dim(canvas, whole, 0.30, 0.35);
        }
        None => paint::gradient(canvas, TOP, BOTTOM),
    }
    let unit = (canvas.width() as f32 / 1280.0).min(canvas.height() as f32 / 720.0);
    let (x, y) = (canvas.width() as f32 / 2.0, canvas.height() as f32 / 2.0);
    camera_off(canvas, x, y, 112.0 * unit);
    card
}

/// A camera with a stroke through it; `size` is half of its width.
pub fn camera_off(canvas: &mut I420, x: f32, y: f32, size: f32) {
    let around = |half_width: f32, half_height: f32| Rect {
        x: (x - half_width).max(0.0) as usize,
        y: (y - half_height).max(0.0) as usize,
        width: (2.0 * half_width) as usize,
        height: (2.0 * half_height) as usize,
    };
    let pen = (size * 0.13).max(1.5);
    let body = Rect {
        x: (x - size * 0.88).max(0.0) as usize,
        y: (y - size * 0.52).max(0.0) as usize,
        width: (size * 1.2) as usize,
        height: (size * 1.04) as usize,
    };
    let body = paint::round_rect(body, size * 0.24);
    // The bellows: a triangle, as the union of its three sides drawn with the same pen.
    let tip = [(x + size * 0.44, y), (x + size * 0.86, y - size * 0.34), (x + size * 0.86, y + size * 0.34)];
    let sides = [paint::line(tip[0], tip[1], pen), paint::line(tip[1], tip[2], pen), paint::line(tip[2], tip[0], pen)];
    let stroke = paint::line((x - size * 0.72, y - size * 0.74), (x + size * 0.72, y + size * 0.74), pen);
    let clear = paint::line((x - size * 0.72, y - size * 0.74), (x + size * 0.72, y + size * 0.74), pen * 3.0);
    paint::shape(canvas, around(size * 1.1, size), WHITE, 1.0, move |px, py| {
        let outline = body(px, py).abs() - pen / 2.0;
        let camera = sides.iter().map(|side| side(px, py)).fold(outline, f32::min);
        // The stroke stands free of the camera that it crosses.
        camera.max(-clear(px, py)).min(stroke(px, py))
    });
}

#[cfg(test)]
mod tests {
    use intercom_base::testing::pictures::room;

    use super::*;
    use crate::test_pictures::dump_png;

    #[test]
    fn it_fills_every_size_and_is_dark_with_a_light_camera_in_the_middle() {
        for (width, height) in [(1280, 720), (480, 270), (160, 90), (720, 1280), (322, 182)] {
            for last in [None, Some(room(640, 480, 0))] {
                let canvas = unplugged(width, height, last.as_ref());
                let luma = canvas.planes()[0];
                let mean = luma.iter().map(|p| f64::from(*p)).sum::<f64>() / luma.len() as f64;
                assert!((16.0..70.0).contains(&mean), "{width}x{height}: {mean}");
                let is_light = |p: &&u8| **p > 190;
                let light = luma.iter().filter(is_light).count() as f64 / luma.len() as f64;
                assert!(light > 0.0015, "{width}x{height}: {light}");
                // Words would be wider.
                let reach = (130.0 * (width as f32 / 1280.0).min(height as f32 / 720.0)) as usize + 2;
                let columns = luma.iter().enumerate().filter(|(_, p)| is_light(p)).map(|(at, _)| at % width);
                let wide = columns.filter(|x| x.abs_diff(width / 2) > reach).count();
                assert_eq!(wide, 0, "{width}x{height}: nothing else is light");
            }
        }
    }

    #[test]
    #[ignore = "writes pictures to look at"]
    fn look_at_it() {
        for (width, height, last) in [(1280, 720, false), (1280, 720, true), (480, 270, true)] {
            let picture = room(1280, 720, 0);
            let canvas = unplugged(width, height, last.then_some(&picture));
            dump_png(&canvas, &format!("card-{width}-{}", if last { "after-picture" } else { "from-start" }));
        }
    }
}
