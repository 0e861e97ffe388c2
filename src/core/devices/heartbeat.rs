//! Judges by their heartbeats which threads are stuck.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// The last sign of life of a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// Name of the thread.
    pub name: String,
    /// When it came.
    pub at: Instant,
    /// The next one comes within this time; `None` while the thread waits for what may never come.
    pub allowance: Option<Duration>,
}

/// What changed, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// This thread has given no sign of life for so long.
    Stuck(String, Duration),
    /// This one was stuck and goes on.
    GoesOn(String),
}

/// Remembers who was reported, and when it last looked itself.
#[derive(Debug, Default)]
pub struct Judge {
    looked: Option<Instant>,
    stuck: BTreeSet<String>,
}

impl Judge {
    /// Looks at all beats; what is new about them. To be called every `interval`. A judge who comes late was held up
    /// together with everybody else (a suspended or overloaded machine), and accuses nobody that time.
    pub fn judge(&mut self, beats: &[Beat], interval: Duration, now: Instant) -> Vec<News> {
        let slept = self.looked.is_some_and(|looked| now.saturating_duration_since(looked) > 3 * interval);
        self.looked = Some(now);
        let mut news = Vec::new();
        for Beat { name, at, allowance } in beats {
            let silent = now.saturating_duration_since(*at);
            if allowance.is_none_or(|allowance| silent <= allowance) {
                if self.stuck.remove(name) {
                    news.push(News::GoesOn(name.clone()));
                }
            } else if !slept && self.stuck.insert(name.clone()) {
                news.push(News::Stuck(name.clone(), silent));
            }
        }
        news
    }

    /// Who is stuck, as of the last look.
    pub fn stuck(&self) -> impl Iterator<Item = &str> {
        self.stuck.iter().map(String::as_str)
    }

    /// Whether nobody is stuck, as of the last look.
    pub fn is_well(&self) -> bool {
        self.stuck.is_empty()
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn beat(name: &str, at: Instant, allowance: Option<u64>) -> Beat {
        Beat { name: name.into(), at, allowance: allowance.map(Duration::from_secs) }
    }

    /// Looks every second, from `from` to `to` seconds after the start; all news with their seconds.
    fn watch(
        judge: &mut Judge,
        start: Instant,
        seconds: (u32, u32),
        beats: impl Fn(u32) -> Vec<Beat>,
    ) -> Vec<(u32, News)> {
        let look = |second| {
            let news = judge.judge(&beats(second), SECOND, start + second * SECOND);
            news.into_iter().map(move |news| (second, news))
        };
        (seconds.0..seconds.1).flat_map(look).collect()
    }

    #[test]
    fn who_beats_in_time_is_well_for_an_hour_and_who_rests_may_be_silent_for_ever() {
        let (mut judge, start) = (Judge::default(), Instant::now());
        let beats = |second: u32| {
            vec![beat("loop", start + second / 10 * 10 * SECOND, Some(20)), beat("video-first", start, None)]
        };
        assert_eq!(watch(&mut judge, start, (0, 3600), beats), []);
        assert!(judge.is_well());
    }

    #[test]
    fn a_stuck_thread_is_named_once_by_its_own_allowance_and_again_when_it_goes_on() {
        let (mut judge, start) = (Judge::default(), Instant::now());
        let silent = |_| vec![beat("loop", start, Some(20)), beat("camera", start, Some(11))];
        let news = watch(&mut judge, start, (0, 60), silent);
        let stuck = |second: u32, name: &str| (second, News::Stuck(name.into(), second * SECOND));
        assert_eq!(news, [stuck(12, "camera"), stuck(21, "loop")]);
        assert_eq!(judge.stuck().collect::<Vec<_>>(), ["camera", "loop"]);
        let back = |second: u32| vec![beat("loop", start + second * SECOND, Some(20)), beat("camera", start, Some(11))];
        assert_eq!(watch(&mut judge, start, (60, 70), back), [(60, News::GoesOn("loop".into()))]);
        assert!(!judge.is_well(), "the camera still is");
    }

    #[test]
    fn a_machine_that_was_asleep_accuses_nobody_and_a_thread_that_stays_silent_is_found_afterwards() {
        let (mut judge, start) = (Judge::default(), Instant::now());
        let all = [beat("loop", start, Some(20)), beat("tv", start, Some(20))];
        assert_eq!(judge.judge(&all, SECOND, start), []);
        let woken = start + 8 * 3600 * SECOND;
        assert_eq!(judge.judge(&all, SECOND, woken), []);
        let after = [beat("loop", woken, Some(20)), beat("tv", start, Some(20))];
        let news = judge.judge(&after, SECOND, woken + SECOND);
        assert!(matches!(&news[..], [News::Stuck(name, _)] if name == "tv"), "{news:?}");
    }
}
