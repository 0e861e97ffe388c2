//! No speaker: swallows sound in real time.

use std::time::Duration;

use crate::clock;
use crate::contract::{BoxedOpener, ConfigError, DeviceError, Driver, Opener, PlayAudio, Wanted};
use crate::options::Options;
use crate::pace::Pace;

/// The entry of the registry's table.
pub const DRIVER: Driver<dyn PlayAudio> = Driver {
    name: "none",
    summary: "no speaker: what viewers say is not heard",
    options: &[],
    configure,
    detect: |_| Ok("nothing to hear viewers with".into()),
    survey: None,
};

fn configure(table: &toml::Table, _: &Wanted) -> Result<BoxedOpener<dyn PlayAudio>, ConfigError> {
    Options::new(table, &[])?;
    Ok(Box::new(NoneOpener))
}

struct NoneOpener;

impl Opener<dyn PlayAudio> for NoneOpener {
    fn open(&mut self) -> Result<Box<dyn PlayAudio>, DeviceError> {
        Ok(Box::new(Silence(Pace::default())))
    }

    fn describe(&self) -> String {
        "silence".into()
    }
}

struct Silence(Pace);

impl PlayAudio for Silence {
    fn write(&mut self, block: &[i16]) -> Result<Duration, DeviceError> {
        let (due, _) = self.0.next(clock::now());
        clock::sleep_until(due);
        self.0.advance(block.len());
        let now = clock::now();
        Ok(self.0.next(now).0.saturating_duration_since(now))
    }

    fn pause(&mut self) {
        self.0.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_swallows_no_faster_than_real_time() {
        let mut speaker = Silence(Pace::default());
        let began = clock::now();
        for _ in 0..6 {
            let delay = speaker.write(&[0; 480]).unwrap();
            assert!(delay <= Duration::from_millis(10));
        }
        assert!(clock::now() - began >= Duration::from_millis(50));
    }
}
