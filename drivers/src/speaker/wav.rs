//! Records what home would hear into a WAV file that can be played at any time, even after a crash.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use intercom_base::sound::SAMPLE_RATE;

use crate::clock;
use crate::contract::{BoxedOpener, ConfigError, DeviceError, Driver, Opener, PlayAudio, Wanted};
use crate::options::Options;
use crate::pace::Pace;

/// The entry of the registry's table.
pub const DRIVER: Driver<dyn PlayAudio> = Driver {
    name: "wav",
    summary: "records what home would hear into a WAV file",
    options: OPTIONS,
    configure,
    detect: |_| Err("wav records people and must be named".into()),
    survey: None,
};

const OPTIONS: &[(&str, &str)] = &[
    ("path", "the file, overwritten at each start; default intercom-speaker.wav in the directory for temporary files"),
    ("max_minutes", "the recording starts over after so many minutes, 1 to 600; default 10 (58 MB)"),
];

const HEADER: u64 = 44;
const BYTES_A_SECOND: u64 = SAMPLE_RATE as u64 * 2;

fn configure(table: &toml::Table, _: &Wanted) -> Result<BoxedOpener<dyn PlayAudio>, ConfigError> {
    let options = Options::new(table, OPTIONS)?;
    let path = options.path("path")?.unwrap_or_else(|| std::env::temp_dir().join("intercom-speaker.wav"));
    let minutes = options.whole("max_minutes", 1..=600)?.unwrap_or(10);
    Ok(Box::new(WavOpener { path, most: minutes as u64 * 60 * BYTES_A_SECOND }))
}

struct WavOpener {
    path: PathBuf,
    most: u64,
}

impl Opener<dyn PlayAudio> for WavOpener {
    fn open(&mut self) -> Result<Box<dyn PlayAudio>, DeviceError> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            // Others shall neither hear it nor, by a link in a shared directory, choose what is overwritten.
            .mode(0o600)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32)
            .open(&self.path)
            .map_err(|error| failed(&self.path, &error))?;
        let mut recording = Recording { file, most: self.most, data: 0, told: 0, bytes: Vec::new() };
        recording.tell().map_err(|error| failed(&self.path, &error))?;
        Ok(Box::new(Wav { path: self.path.clone(), recording, pace: Pace::default() }))
    }

    fn describe(&self) -> String {
        format!("recording {}", self.path.display())
    }

    /// Leaves the recording alone that is there.
    fn check(&mut self) -> Result<(), DeviceError> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::read_dir(folder).map(drop).map_err(|error| failed(folder, &error))
    }
}

fn failed(path: &Path, error: &io::Error) -> DeviceError {
    let what = format!("{}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::NotFound => DeviceError::Absent(what),
        io::ErrorKind::PermissionDenied => DeviceError::Busy(what),
        _ => DeviceError::Io(what),
    }
}

struct Wav {
    path: PathBuf,
    recording: Recording,
    pace: Pace,
}

impl PlayAudio for Wav {
    fn write(&mut self, block: &[i16]) -> Result<Duration, DeviceError> {
        let (due, _) = self.pace.next(clock::now());
        clock::sleep_until(due);
        self.recording.add(block).map_err(|error| failed(&self.path, &error))?;
        self.pace.advance(block.len());
        let now = clock::now();
        Ok(self.pace.next(now).0.saturating_duration_since(now))
    }

    fn pause(&mut self) {
        self.pace.stop();
        // A failure shows again at the next write.
        let _ = self.recording.tell();
    }
}

impl Drop for Wav {
    fn drop(&mut self) {
        let _ = self.recording.tell();
    }
}

/// The file, its length and what its header says of it.
struct Recording {
    file: File,
    most: u64,
    data: u64,
    told: u64,
    bytes: Vec<u8>,
}

impl Recording {
    fn add(&mut self, block: &[i16]) -> io::Result<()> {
        if self.data + block.len() as u64 * 2 > self.most {
            self.file.set_len(HEADER)?;
            self.data = 0;
            self.tell()?;
        }
        self.bytes.clear();
        self.bytes.extend(block.iter().flat_map(|sample| sample.to_le_bytes()));
        self.file.write_all_at(&self.bytes, HEADER + self.data)?;
        self.data += self.bytes.len() as u64;
        if self.data >= self.told + BYTES_A_SECOND {
            self.tell()?;
        }
        Ok(())
    }

    /// Writes the header for the data so far.
    fn tell(&mut self) -> io::Result<()> {
        let data = u32::try_from(self.data).unwrap_or(u32::MAX - HEADER as u32);
        let mut header = Vec::with_capacity(HEADER as usize);
        header.extend_from_slice(b"RIFF");
        header.extend_from_slice(&(data + HEADER as u32 - 8).to_le_bytes());
        header.extend_from_slice(b"WAVEfmt ");
        header.extend_from_slice(&16u32.to_le_bytes());
        for (value, bytes) in [(1, 2), (1, 2), (SAMPLE_RATE, 4), (SAMPLE_RATE * 2, 4), (2, 2), (16, 2)] {
            header.extend_from_slice(&value.to_le_bytes()[..bytes]);
        }
        header.extend_from_slice(b"data");
        header.extend_from_slice(&data.to_le_bytes());
        self.file.write_all_at(&header, 0)?;
        self.told = self.data;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording(name: &str, most: u64) -> (PathBuf, Recording) {
        let path = std::env::temp_dir().join(format!("intercom-{name}-{}.wav", std::process::id()));
        let file = File::create(&path).expect("a temporary file");
        let mut recording = Recording { file, most, data: 0, told: 0, bytes: Vec::new() };
        recording.tell().unwrap();
        (path, recording)
    }

    /// The samples of a WAV file, as a player finds them by its header.
    fn samples(path: &std::path::Path) -> Vec<i16> {
        let bytes = std::fs::read(path).expect("the recording");
        assert_eq!((&bytes[..4], &bytes[8..16], &bytes[36..40]), (&b"RIFF"[..], &b"WAVEfmt "[..], &b"data"[..]));
        assert_eq!(u32::from_le_bytes(bytes[24..28].try_into().unwrap()), 48_000);
        let data = u32::from_le_bytes(bytes[40..44].try_into().unwrap()) as usize;
        bytes[44..44 + data].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
    }

    #[test]
    fn the_file_is_playable_up_to_the_last_second_while_it_grows() {
        let (path, mut recording) = recording("grows", u64::MAX);
        assert!(samples(&path).is_empty());
        let sound: Vec<i16> = (0..48_000 * 3 + 960).map(|n| (n % 30_000) as i16).collect();
        for block in sound.chunks(960) {
            recording.add(block).unwrap();
        }
        std::mem::forget(recording);
        let heard = samples(&path);
        assert!(heard.len() >= 48_000 * 3);
        assert_eq!(heard[..], sound[..heard.len()]);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn it_starts_over_when_it_is_full() {
        let (path, mut recording) = recording("full", 4 * BYTES_A_SECOND);
        for second in 0..6 {
            recording.add(&vec![second; 48_000]).unwrap();
        }
        recording.tell().unwrap();
        let heard = samples(&path);
        assert_eq!((heard.len(), heard[0], heard[48_000]), (96_000, 4, 5));
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_directory_that_is_missing_is_said_in_words() {
        let error = WavOpener { path: "/no/such/directory/x.wav".into(), most: 1 }.open().err().expect("an error");
        assert!(matches!(&error, DeviceError::Absent(what) if what.contains("/no/such/directory")), "{error}");
    }
}
