//! A screen that is a command of the user's: it reads Y4M from its stdin, as ffplay, mpv and a vendor's tools can.

use std::path::Path;
use std::time::{Duration, Instant};

use intercom_base::picture::I420;

use crate::clock;
use crate::contract::{BoxedOpener, ConfigError, DeviceError, Display, Driver, Opener, Wanted};
use crate::options::Options;
use crate::process::Process;

/// The entry of the registry's table.
pub const DRIVER: Driver<dyn Display> = Driver {
    name: "exec",
    summary: "any command that reads Y4M video from its stdin (ffplay, mpv, a vendor's tool)",
    options: OPTIONS,
    configure,
    detect: |_| Err("exec needs a command and must be named".into()),
    survey: None,
};

const OPTIONS: &[(&str, &str)] =
    &[("command", "a list of program and arguments, or one text for /bin/sh -c; reads Y4M (4:2:0, 8 bits) from stdin")];

/// Large enough that a picture is handed over in few turns; the system may give less.
const PIPE: usize = 1024 * 1024;
/// A command that takes no picture for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(2);

fn configure(table: &toml::Table, wanted: &Wanted) -> Result<BoxedOpener<dyn Display>, ConfigError> {
    let command = Options::new(table, OPTIONS)?.command("command")?;
    Ok(Box::new(ExecOpener { command, size: wanted.display }))
}

struct ExecOpener {
    command: Vec<String>,
    size: (u32, u32),
}

impl Opener<dyn Display> for ExecOpener {
    fn open(&mut self) -> Result<Box<dyn Display>, DeviceError> {
        let mut process = Process::start_fed(&self.command, PIPE)?;
        let (width, height) = self.size;
        // The rate is what the TV changes at, if at all: pictures come when there are any.
        let header = format!("YUV4MPEG2 W{width} H{height} F30:1 Ip A1:1 C420mpeg2 XCOLORRANGE=LIMITED\n");
        process.write(header.as_bytes(), clock::now() + PATIENCE)?;
        Ok(Box::new(ExecDisplay { process, size: self.size }))
    }

    fn describe(&self) -> String {
        format!("command {}", self.command.join(" "))
    }

    /// Starts nothing, since the program may take a screen away from somebody; whether there is such a program.
    fn check(&mut self) -> Result<(), DeviceError> {
        let program = Path::new(&self.command[0]);
        let path = std::env::var_os("PATH").unwrap_or_default();
        // As execvp(3) does it: only a name without a slash is looked up.
        let found = match program.components().count() {
            1 => std::env::split_paths(&path).any(|folder| folder.join(program).is_file()),
            _ => program.is_file(),
        };
        found.then_some(()).ok_or_else(|| DeviceError::Absent(format!("program {}", program.display())))
    }
}

struct ExecDisplay {
    process: Process,
    size: (u32, u32),
}

impl Display for ExecDisplay {
    fn size(&self) -> (u32, u32) {
        self.size
    }

    fn show(&mut self, picture: &I420) -> Result<(), DeviceError> {
        if (picture.width() as u32, picture.height() as u32) != self.size {
            // Y4M cannot change its size, and the caller knows it.
            return Err(DeviceError::Unsupported(format!("a picture of {}x{}", picture.width(), picture.height())));
        }
        let deadline: Instant = clock::now() + PATIENCE;
        self.process.write(b"FRAME\n", deadline)?;
        self.process.write(picture.packed(), deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(script: &str) -> Box<dyn Display> {
        let command = vec!["/bin/sh".into(), "-c".into(), script.into()];
        ExecOpener { command, size: (64, 36) }.open().unwrap()
    }

    #[test]
    fn the_doctors_look_starts_nothing_and_misses_a_program_that_is_not_there() {
        let check = |command: &[&str]| {
            let command = command.iter().map(|word| (*word).to_owned()).collect();
            ExecOpener { command, size: (64, 36) }.check()
        };
        let file = std::env::temp_dir().join(format!("intercom-exec-check-{}", std::process::id()));
        assert_eq!(check(&["/bin/sh", "-c", &format!("touch {}", file.display())]), Ok(()));
        assert_eq!(check(&["sh"]), Ok(()));
        assert!(matches!(check(&["no-such-program-here"]), Err(DeviceError::Absent(_))));
        assert!(check(&["/no/such/program"]).is_err() && !file.exists());
    }

    #[test]
    fn the_command_gets_every_picture_whole() {
        let file = std::env::temp_dir().join(format!("intercom-exec-display-{}", std::process::id()));
        let mut display = open(&format!("head -c {} > {}", 62 + 2 * (6 + 64 * 36 * 3 / 2), file.display()));
        let mut picture = I420::black(64, 36);
        picture.planes_mut()[0].fill(200);
        display.show(&picture).unwrap();
        display.show(&I420::black(64, 36)).unwrap();
        let end = clock::now() + Duration::from_secs(20);
        let error = loop {
            // It has what it wanted, and ends.
            if let Err(error) = display.show(&picture) {
                break error;
            }
            assert!(clock::now() < end);
        };
        assert!(matches!(&error, DeviceError::Io(why) if why.contains("head")), "{error}");
        let got = std::fs::read(&file).unwrap();
        let _ = std::fs::remove_file(&file);
        let header = b"YUV4MPEG2 W64 H36 F30:1 Ip A1:1 C420mpeg2 XCOLORRANGE=LIMITED\n";
        assert!(got.starts_with(header), "{:?}", String::from_utf8_lossy(&got[..64]));
        let frames = &got[header.len()..];
        assert_eq!(&frames[..6], b"FRAME\n");
        assert_eq!(&frames[6..6 + 64 * 36 * 3 / 2], picture.packed());
    }

    #[test]
    fn a_command_that_does_not_read_is_told_and_does_not_hold_the_tv_for_ever() {
        let mut display = ExecOpener { command: vec!["sleep".into(), "60".into()], size: (1280, 720) }.open().unwrap();
        let picture = I420::black(1280, 720);
        let error = (0..3).find_map(|_| display.show(&picture).err()).expect("a full pipe");
        assert!(matches!(&error, DeviceError::Io(why) if why.contains("does not read")), "{error}");
    }

    #[test]
    fn another_size_is_refused() {
        assert!(matches!(open("cat >/dev/null").show(&I420::black(2, 2)), Err(DeviceError::Unsupported(_))));
    }
}
