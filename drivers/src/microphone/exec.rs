//! A microphone that is a command of the user's: it writes raw sound to its stdout.

use std::time::{Duration, Instant};

use intercom_base::sound::SAMPLE_RATE;

use crate::clock;
use crate::contract::{BoxedOpener, CaptureAudio, ConfigError, DeviceError, Driver, Opener, Wanted};
use crate::options::Options;
use crate::process::Process;

/// The entry of the registry's table.
pub const DRIVER: Driver<dyn CaptureAudio> = Driver {
    name: "exec",
    summary: "any command that writes raw sound (S16LE, mono, 48 kHz) to its stdout (arecord, ffmpeg -re, a vendor's tool)",
    options: OPTIONS,
    configure,
    detect: |_| Err("exec needs a command and must be named".into()),
    survey: None,
};

const OPTIONS: &[(&str, &str)] = &[(
    "command",
    "a list of program and arguments, or one text for /bin/sh -c; writes S16LE, mono, 48 kHz without header to stdout",
)];

/// 85 ms: a reader that stalls longer finds nothing older, because the command has to wait.
const PIPE: usize = 8192;
/// How far ahead of the clock a command may run.
const AHEAD: Duration = Duration::from_millis(40);

fn configure(table: &toml::Table, _: &Wanted) -> Result<BoxedOpener<dyn CaptureAudio>, ConfigError> {
    let command = Options::new(table, OPTIONS)?.command("command")?;
    Ok(Box::new(ExecOpener { command }))
}

struct ExecOpener {
    command: Vec<String>,
}

impl Opener<dyn CaptureAudio> for ExecOpener {
    fn open(&mut self) -> Result<Box<dyn CaptureAudio>, DeviceError> {
        let process = Process::start(&self.command, PIPE)?;
        Ok(Box::new(ExecMicrophone { process, bytes: Vec::new(), fresh: true, due: clock::now() }))
    }

    fn describe(&self) -> String {
        format!("command {}", self.command.join(" "))
    }
}

struct ExecMicrophone {
    process: Process,
    /// Read, but not yet a whole block.
    bytes: Vec<u8>,
    /// What lies in the pipe was spoken while nobody listened.
    fresh: bool,
    /// When, by the clock, the next block is due at the latest for a command that keeps time.
    due: Instant,
}

impl ExecMicrophone {
    /// Throws away what was spoken while nobody listened, but keeps in step with the samples' two bytes.
    fn skip_stale(&mut self) -> Result<(), DeviceError> {
        let mut stale = self.process.waiting();
        let odd = (self.bytes.len() + stale) % 2;
        let mut scratch = [0; 4096];
        let mut last = self.bytes.last().copied();
        while stale > 0 {
            let most = stale.min(scratch.len());
            let count = self.process.read(&mut scratch[..most], clock::now())?;
            if count == 0 {
                break;
            }
            last = Some(scratch[count - 1]);
            stale -= count;
        }
        self.bytes.clear();
        if odd == 1 {
            self.bytes.extend(last);
        }
        Ok(())
    }
}

/// How long `samples` last.
fn duration(samples: usize) -> Duration {
    Duration::from_secs_f64(samples as f64 / f64::from(SAMPLE_RATE))
}

impl CaptureAudio for ExecMicrophone {
    fn read(&mut self, block: &mut [i16], deadline: Instant) -> Result<Option<Instant>, DeviceError> {
        if self.fresh {
            self.skip_stale()?;
            self.fresh = false;
            self.due = clock::now();
        }
        // A command that is faster than sound (a file) is held to the clock.
        let earliest = self.due.checked_sub(AHEAD).unwrap_or(self.due);
        if earliest > deadline {
            clock::sleep_until(deadline);
            return Ok(None);
        }
        clock::sleep_until(earliest);
        let whole = block.len() * 2;
        while self.bytes.len() < whole {
            let had = self.bytes.len();
            self.bytes.resize(whole, 0);
            let count = self.process.read(&mut self.bytes[had..], deadline);
            self.bytes.truncate(had + count.as_ref().map_or(0, |count| *count));
            if count? == 0 {
                return Ok(None);
            }
        }
        for (sample, bytes) in block.iter_mut().zip(self.bytes.chunks_exact(2)) {
            *sample = i16::from_le_bytes([bytes[0], bytes[1]]);
        }
        self.bytes.drain(..whole);
        let now = clock::now();
        // What waits in the pipe behind this block was heard after it.
        let age = duration(block.len() + self.process.waiting() / 2);
        // A tiny haste lets a sound card whose crystal is faster than ours never fall behind.
        self.due = self.due.max(now.checked_sub(AHEAD).unwrap_or(now)) + duration(block.len()).mul_f64(0.9995);
        Ok(Some(now.checked_sub(age).unwrap_or(now)))
    }

    fn pause(&mut self) {
        self.fresh = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(script: &str) -> Box<dyn CaptureAudio> {
        let command = vec!["/bin/sh".into(), "-c".into(), script.into()];
        ExecOpener { command }.open().expect("a shell")
    }

    fn soon() -> Instant {
        clock::now() + Duration::from_secs(20)
    }

    /// Reads until something was heard: what came before the first question counts as stale.
    fn hear(microphone: &mut dyn CaptureAudio, block: &mut [i16]) -> Instant {
        loop {
            if let Some(when) = microphone.read(block, soon()).expect("it runs") {
                return when;
            }
        }
    }

    #[test]
    fn samples_arrive_in_order_and_the_end_is_an_error() {
        // What comes before the first question is stale, so the command waits for that.
        let asked = std::env::temp_dir().join(format!("intercom-asked-{}", std::process::id()));
        let _ = std::fs::remove_file(&asked);
        let file = asked.display();
        let script = format!(
            "while [ ! -e {file} ]; do sleep 0.01; done; \
             i=0; while [ $i -lt 100 ]; do printf 'a0b0c0d0e0'; i=$((i+1)); done"
        );
        let mut microphone = open(&script);
        assert_eq!(microphone.read(&mut [0; 100], clock::now()), Ok(None));
        std::fs::write(&asked, "").unwrap();
        let mut block = [0; 100];
        let mut blocks = 0;
        let error = loop {
            match microphone.read(&mut block, soon()) {
                Ok(heard) => {
                    assert!(heard.is_some());
                    let expected: Vec<i16> =
                        (0..100).map(|n| i16::from_le_bytes([b'a' + (n % 5) as u8, b'0'])).collect();
                    assert_eq!(block[..], expected[..]);
                    blocks += 1;
                }
                Err(error) => break error,
            }
        };
        assert_eq!(blocks, 5);
        assert!(matches!(error, DeviceError::Io(_)));
        std::fs::remove_file(asked).unwrap();
    }

    #[test]
    fn a_silent_command_answers_with_nothing_at_the_deadline() {
        let mut microphone = open("exec sleep 60");
        assert_eq!(microphone.read(&mut [0; 960], clock::now() + Duration::from_millis(10)), Ok(None));
    }

    #[test]
    fn after_a_pause_the_sound_is_in_step_and_not_stale() {
        // Odd pieces, so that a pause falls between the two bytes of a sample.
        let mut microphone = open("while :; do printf 'ab'; printf 'a'; printf 'b'; done");
        for _ in 0..5 {
            let mut block = [0; 480];
            let asked = clock::now();
            let heard = hear(&mut *microphone, &mut block);
            assert!(block.iter().all(|&sample| sample == i16::from_le_bytes(*b"ab")), "out of step");
            assert!(heard + Duration::from_secs(5) > asked);
            microphone.pause();
        }
    }

    #[test]
    fn a_file_is_held_to_real_time() {
        let mut microphone = open("exec cat /dev/zero");
        let began = clock::now();
        let mut block = [1; 960];
        for _ in 0..10 {
            hear(&mut *microphone, &mut block);
        }
        assert!(clock::now() - began >= Duration::from_millis(100), "200 ms of sound came too fast");
    }
}
