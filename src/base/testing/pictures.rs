//! Pictures for tests: a textured scene that pans, an object that moves, a sensor that is noisy.

use crate::picture::I420;

/// Frame `n` of a scene as a camera at home might see it: texture at several scales, panning slowly, a disc that
/// moves fast, and noise of about one and a half steps.
pub fn moving_scene(width: usize, height: usize, n: usize) -> I420 {
    scene(width, height, n, n, 3)
}

/// The same with a camera that stands still, as it does at home.
pub fn room(width: usize, height: usize, n: usize) -> I420 {
    scene(width, height, 0, n, 2)
}

fn scene(width: usize, height: usize, pan: usize, n: usize, noise: i32) -> I420 {
    let mut picture = I420::black(width, height);
    let mut random = fastrand::Rng::with_seed(n as u64 + 1);
    let (pan_x, pan_y) = (pan as f32 * 1.5, pan as f32 * 0.4);
    let (cx, cy) =
        (width as f32 * (0.5 + 0.35 * (n as f32 * 0.07).sin()), height as f32 * (0.5 + 0.25 * (n as f32 * 0.11).cos()));
    let radius = height as f32 / 6.0;
    let [y_plane, u_plane, v_plane] = picture.planes_mut();
    for y in 0..height {
        for x in 0..width {
            let (fx, fy) = (x as f32 + pan_x, y as f32 + pan_y);
            let inside = (x as f32 - cx).powi(2) + (y as f32 - cy).powi(2) < radius * radius;
            let texture = 26.0 * (fx * 0.021).sin() * (fy * 0.017).cos()
                + 18.0 * (fx * 0.13 + fy * 0.07).sin()
                + 10.0 * (fx * 0.61).sin() * (fy * 0.53).cos();
            let level = if inside { 170.0 + 20.0 * (fx * 0.4).sin() } else { 115.0 + texture };
            let grain = if noise == 0 { 0 } else { random.i32(-noise..=noise) };
            y_plane[y * width + x] = (level as i32 + grain).clamp(16, 235) as u8;
        }
    }
    let chroma_width = width.div_ceil(2);
    for y in 0..height.div_ceil(2) {
        for x in 0..chroma_width {
            u_plane[y * chroma_width + x] = (128.0 + 30.0 * ((x as f32 + pan_x / 2.0) * 0.02).sin()) as u8;
            v_plane[y * chroma_width + x] = (128.0 + 30.0 * ((y as f32 + pan_y / 2.0) * 0.03).cos()) as u8;
        }
    }
    picture
}
