//! What tests of pictures need: their own time, and a file for a person to look at.

use intercom_base::picture::I420;

/// CPU time of this thread so far, in milliseconds: what a measurement compares.
pub fn thread_cpu_ms() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

/// Writes a picture to tests/artefacts, for a person to look at.
pub fn dump_png(picture: &I420, name: &str) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/artefacts");
    std::fs::create_dir_all(&folder).unwrap();
    let file = std::fs::File::create(folder.join(format!("{name}.png"))).unwrap();
    let (width, height) = (picture.width(), picture.height());
    let mut rgb = vec![0; width * height * 3];
    let [y_plane, u_plane, v_plane] = picture.planes();
    let image = yuv::YuvPlanarImage {
        y_plane,
        y_stride: width as u32,
        u_plane,
        u_stride: picture.chroma_width() as u32,
        v_plane,
        v_stride: picture.chroma_width() as u32,
        width: width as u32,
        height: height as u32,
    };
    let stride = width as u32 * 3;
    yuv::yuv420_to_rgb(&image, &mut rgb, stride, yuv::YuvRange::Limited, yuv::YuvStandardMatrix::Bt601).unwrap();
    let mut encoder = png::Encoder::new(file, width as u32, height as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header().unwrap().write_image_data(&rgb).unwrap();
}
