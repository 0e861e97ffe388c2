//! A camera on the network sends JPEGs. They are decoded on the camera's thread, in a jail of their own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use intercom_base::picture::I420;
use intercom_drivers::contract::DeviceError;
use intercom_drivers::words::without_numbers;

use crate::shell::devices::pictures::Undecoded;
use crate::shell::jail::Jail;

/// A camera whose pictures are all damaged for so long does not mend by itself.
const SPOILT: Duration = Duration::from_secs(2);
/// A busy machine may wait long for few pictures, and these may be damaged by chance.
const SPOILT_PICTURES: u32 = 3;
/// The decoder may be lost once. Twice within this time is the camera's doing.
const LOST_AGAIN: Duration = Duration::from_secs(10);

/// What helps against pictures that cannot be decoded.
const OTHER: &str = "choose another quality or a smaller picture in the camera's own settings, plain (baseline) JPEG";

/// The pictures of the camera, from the program's start on.
pub struct Jpegs {
    jail: Jail,
    bad: Bad,
}

impl Jpegs {
    /// Of a camera that is not open yet.
    pub fn new(jail: Jail) -> Jpegs {
        Jpegs { jail, bad: Bad::default() }
    }

    /// Decodes a picture.
    ///
    /// # Errors
    /// If the camera is to be opened again: all that it sends is damaged, or ends the decoder.
    pub fn decode(&mut self, bytes: &[u8], now: Instant) -> Result<Decoded, DeviceError> {
        let decoded = self.jail.decode_jpeg(bytes);
        self.bad.handle(&decoded, now)?;
        Ok(match decoded {
            Ok(Some(picture)) => Decoded::Picture(picture),
            Ok(None) => Decoded::Damaged,
            Err(Undecoded::Broken(why)) => {
                log::warn!("camera: a damaged picture: {why}");
                Decoded::Damaged
            }
            Err(Undecoded::Lost { .. }) => Decoded::NotNow,
        })
    }
}

/// What became of a JPEG.
pub enum Decoded {
    /// It is a picture.
    Picture(Arc<I420>),
    /// It is none, by the camera's fault.
    Damaged,
    /// There is no decoder at the moment. The camera did its part.
    NotNow,
}

/// What went wrong since the last good picture.
#[derive(Debug, Default)]
struct Bad {
    count: u32,
    since: Option<Instant>,
    lost: Option<Instant>,
}

impl Bad {
    fn handle(&mut self, decoded: &Result<Option<Arc<I420>>, Undecoded>, now: Instant) -> Result<(), DeviceError> {
        match decoded {
            Ok(_) => (self.count, self.since) = (0, None),
            Err(Undecoded::Broken(why)) => {
                self.count += 1;
                let time = now.saturating_duration_since(*self.since.get_or_insert(now));
                if self.count >= SPOILT_PICTURES && time >= SPOILT {
                    (self.count, self.since) = (0, None);
                    let what = format!("only damaged pictures: {}", without_numbers(why));
                    return Err(DeviceError::Explained { what, remedy: OTHER.into() });
                }
            }
            Err(Undecoded::Lost { by_this: true }) => {
                let before = self.lost.replace(now);
                if before.is_some_and(|before| now.saturating_duration_since(before) < LOST_AGAIN) {
                    let what = "its pictures end the process that decodes them".into();
                    return Err(DeviceError::Explained { what, remedy: OTHER.into() });
                }
            }
            Err(Undecoded::Lost { by_this: false }) => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::clock;

    #[test]
    fn damage_by_chance_is_borne_and_a_stream_of_it_is_opened_again() {
        let (start, mut bad) = (clock::now(), Bad::default());
        let at = |ms| start + Duration::from_millis(ms);
        let damaged = || Err(Undecoded::Broken("cut".into()));
        let good = || Ok(Some(Arc::new(I420::black(2, 2))));
        for n in 0..100 {
            bad.handle(&if n % 10 == 9 { good() } else { damaged() }, at(n * 150)).expect("a good one among them");
        }
        // Few, with a long way between them.
        bad.handle(&damaged(), at(20_000)).expect("one");
        bad.handle(&damaged(), at(24_000)).expect("two");
        let error = bad.handle(&damaged(), at(28_000)).expect_err("nothing but damage");
        assert!(error.to_string().ends_with("only damaged pictures: cut"), "{error}");
        assert_eq!(error.remedy(), OTHER);
        bad.handle(&damaged(), at(28_100)).expect("it was opened again");
    }

    #[test]
    fn a_stream_of_damage_is_told_in_the_same_words_each_time() {
        let (start, mut bad) = (clock::now(), Bad::default());
        let damaged = |n: u64| Err(Undecoded::Broken(format!("Corrupt JPEG data: {n} bytes before marker 0x{n:x}")));
        let told = |n| bad.handle(&damaged(n), start + Duration::from_millis(n * n)).err();
        let told: Vec<DeviceError> = (1..200).filter_map(told).collect();
        assert!(told.len() > 3 && told.iter().all(|error| *error == told[0]), "{told:?}");
        assert!(told[0].to_string().ends_with("Corrupt JPEG data: ... bytes before marker ..."), "{}", told[0]);
    }

    #[test]
    fn a_decoder_that_is_lost_twice_is_the_cameras_doing() {
        let (start, mut bad) = (clock::now(), Bad::default());
        let at = |s| start + Duration::from_secs(s);
        let lost = |by_this| Err(Undecoded::Lost { by_this });
        bad.handle(&lost(true), at(0)).expect("once");
        bad.handle(&lost(true), at(11)).expect("once in a while");
        bad.handle(&lost(false), at(12)).expect("at rest");
        bad.handle(&lost(true), at(13)).expect_err("twice");
    }
}
