//! A screen for tests and curious people: the newest TV picture as a PNG file, replaced in one step.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use intercom_base::picture::I420;
use yuv::{YuvPlanarImage, YuvRange, YuvStandardMatrix, yuv420_to_rgb};

use crate::clock;
use crate::contract::{BoxedOpener, ConfigError, DeviceError, Display, Driver, Opener, Wanted};
use crate::options::Options;

/// The entry of the registry's table.
pub const DRIVER: Driver<dyn Display> = Driver {
    name: "png",
    summary: "writes the newest TV picture into a PNG file",
    options: OPTIONS,
    configure,
    detect: |_| Err("png shows people in a file and must be named".into()),
    survey: None,
};

const OPTIONS: &[(&str, &str)] = &[
    ("path", "the file; default intercom-tv.png in the directory for temporary files"),
    ("every_ms", "written at most this often, 50 to 60000 ms; default 1000"),
];

fn configure(table: &toml::Table, wanted: &Wanted) -> Result<BoxedOpener<dyn Display>, ConfigError> {
    let options = Options::new(table, OPTIONS)?;
    let path = options.path("path")?.unwrap_or_else(|| std::env::temp_dir().join("intercom-tv.png"));
    if path.file_name().is_none() {
        return Err(crate::options::error("path", "names no file", "a path that ends with a file's name"));
    }
    let every = Duration::from_millis(options.whole("every_ms", 50..=60_000)?.unwrap_or(1000) as u64);
    Ok(Box::new(PngOpener { path, every, size: wanted.display }))
}

struct PngOpener {
    path: PathBuf,
    every: Duration,
    size: (u32, u32),
}

impl Opener<dyn Display> for PngOpener {
    fn open(&mut self) -> Result<Box<dyn Display>, DeviceError> {
        let shared = Arc::new(Shared::default());
        let (path, every, theirs) = (self.path.clone(), self.every, Arc::clone(&shared));
        let writer = std::thread::Builder::new()
            .name("display-png".into())
            .spawn(move || theirs.write_until_end(&path, every))
            .map_err(|error| DeviceError::Io(format!("cannot start a thread: {error}")))?;
        Ok(Box::new(Png { shared, writer: Some(writer), size: self.size }))
    }

    fn describe(&self) -> String {
        format!("picture {}", self.path.display())
    }
}

struct Png {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
    size: (u32, u32),
}

impl Display for Png {
    fn size(&self) -> (u32, u32) {
        self.size
    }

    /// Costs the caller a comparison and a copy; conversion and file are the writer thread's.
    fn show(&mut self, picture: &I420) -> Result<(), DeviceError> {
        let mut slot = self.shared.lock();
        if let Some(error) = slot.failed.take() {
            return Err(error);
        }
        match &mut slot.picture {
            Some(last) if last == picture => return Ok(()),
            Some(last) if (last.width(), last.height()) == (picture.width(), picture.height()) => {
                last.packed_mut().copy_from_slice(picture.packed());
            }
            other => *other = Some(picture.clone()),
        }
        slot.fresh = true;
        drop(slot);
        self.shared.changed.notify_one();
        Ok(())
    }
}

impl Drop for Png {
    fn drop(&mut self) {
        self.shared.lock().end = true;
        self.shared.changed.notify_one();
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

/// What the display and its writer thread share: one picture, the newest.
#[derive(Default)]
struct Shared {
    slot: Mutex<Slot>,
    changed: Condvar,
}

#[derive(Default)]
struct Slot {
    picture: Option<I420>,
    /// The picture is not in the file yet.
    fresh: bool,
    end: bool,
    failed: Option<DeviceError>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Slot> {
        // A panic elsewhere leaves a whole picture here: there is nothing half done to fear.
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_until_end(&self, path: &Path, every: Duration) {
        let mut slot = self.lock();
        loop {
            slot =
                self.changed.wait_while(slot, |slot| !slot.fresh && !slot.end).unwrap_or_else(PoisonError::into_inner);
            let ends = slot.end;
            if slot.fresh {
                slot.fresh = false;
                let (mut rgb, mut size) = (Vec::new(), (0, 0));
                if let Some(picture) = &slot.picture {
                    size = (picture.width() as u32, picture.height() as u32);
                    rgb = to_rgb(picture);
                }
                drop(slot);
                let began = clock::now();
                let result = replace(path, size, &rgb);
                drop(rgb);
                slot = self.lock();
                if let Err(error) = result {
                    slot.failed = Some(DeviceError::Io(format!("{}: {error}", path.display())));
                }
                let rest = every.saturating_sub(clock::now().saturating_duration_since(began));
                let waited = self.changed.wait_timeout_while(slot, rest, |slot| !slot.end);
                slot = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            if ends {
                return;
            }
        }
    }
}

fn to_rgb(picture: &I420) -> Vec<u8> {
    let [y_plane, u_plane, v_plane] = picture.planes();
    let (width, height) = (picture.width() as u32, picture.height() as u32);
    let (y_stride, chroma) = (width, picture.chroma_width() as u32);
    let image =
        YuvPlanarImage { y_plane, y_stride, u_plane, u_stride: chroma, v_plane, v_stride: chroma, width, height };
    let mut rgb = vec![0; picture.width() * picture.height() * 3];
    // It refuses only planes that do not fit their size, which an I420 rules out.
    let _ = yuv420_to_rgb(&image, &mut rgb, width * 3, YuvRange::Limited, YuvStandardMatrix::Bt601);
    rgb
}

/// Writes beside the file and renames, so that a reader sees the old picture or the new one, never half of it.
fn replace(path: &Path, (width, height): (u32, u32), rgb: &[u8]) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let _ = std::fs::remove_file(&beside);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    let written = write_png(BufWriter::new(file), (width, height), rgb).and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}

fn write_png(mut file: impl Write, (width, height): (u32, u32), rgb: &[u8]) -> io::Result<()> {
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().map_err(io::Error::from)?;
    writer.write_image_data(rgb).map_err(io::Error::from)?;
    writer.finish().map_err(io::Error::from)?;
    file.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("intercom-{name}-{}.png", std::process::id()))
    }

    fn pixels(path: &Path) -> (u32, u32, Vec<u8>) {
        let file = io::BufReader::new(std::fs::File::open(path).expect("the picture"));
        let mut reader = png::Decoder::new(file).read_info().expect("a PNG");
        let mut rgb = vec![0; reader.output_buffer_size().expect("a size")];
        let info = reader.next_frame(&mut rgb).expect("a whole picture");
        (info.width, info.height, rgb)
    }

    fn flat(width: usize, height: usize, [y, u, v]: [u8; 3]) -> I420 {
        let mut picture = I420::black(width, height);
        for (plane, value) in picture.planes_mut().into_iter().zip([y, u, v]) {
            plane.fill(value);
        }
        picture
    }

    #[test]
    fn the_file_shows_the_newest_picture_in_its_colours() {
        let path = path("newest");
        let mut opener = PngOpener { path: path.clone(), every: Duration::from_secs(60), size: (64, 48) };
        let mut display = opener.open().unwrap();
        display.show(&flat(64, 48, [16, 128, 128])).unwrap();
        display.show(&flat(65, 47, [82, 90, 240])).unwrap();
        // Ending writes what is not written yet, without waiting for its time.
        drop(display);
        let (width, height, rgb) = pixels(&path);
        assert_eq!((width, height), (65, 47));
        let [r, g, b] = [rgb[0], rgb[1], rgb[2]].map(i32::from);
        assert!(r > 245 && g < 10 && b < 10, "red, but it is {r} {g} {b}");
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn an_unchanged_picture_is_not_written_again() {
        let path = path("unchanged");
        let mut opener = PngOpener { path: path.clone(), every: Duration::ZERO, size: (64, 48) };
        let mut display = opener.open().unwrap();
        let picture = flat(64, 48, [100, 128, 128]);
        display.show(&picture).unwrap();
        let end = clock::now() + Duration::from_secs(20);
        while !path.exists() {
            assert!(clock::now() < end, "no file came");
            std::thread::yield_now();
        }
        std::fs::remove_file(&path).unwrap();
        for _ in 0..50 {
            display.show(&picture).unwrap();
        }
        drop(display);
        assert!(!path.exists());
    }

    #[test]
    fn a_directory_that_is_missing_is_told_at_the_next_picture() {
        let mut opener = PngOpener { path: "/no/such/place/tv.png".into(), every: Duration::ZERO, size: (64, 48) };
        let mut display = opener.open().unwrap();
        let end = clock::now() + Duration::from_secs(20);
        for n in 0u8.. {
            if let Err(error) = display.show(&flat(64, 48, [n, 128, 128])) {
                assert!(error.to_string().contains("/no/such/place"), "{error}");
                break;
            }
            assert!(clock::now() < end, "no error came");
            std::thread::yield_now();
        }
    }
}
