//! Local time from the system's zone file (RFC 9636), for the clock on the TV; daylight saving comes and goes by itself.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The zone that home's clock on the wall shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone(TimeZone);

impl Zone {
    /// After the contents of a zone file; UTC if it is not one.
    pub fn of_file(zone: &[u8]) -> Zone {
        Zone(TimeZone::tzif("", zone).unwrap_or(TimeZone::UTC))
    }

    /// The minute of home's day at this time (UTC since 1970), from 0.
    pub fn minute_of_day(&self, unix: Duration) -> u16 {
        let second = (i64::try_from(unix.as_secs()).unwrap_or(0) + i64::from(self.offset_at(unix))).rem_euclid(86_400);
        (second / 60) as u16
    }

    /// Seconds east of Greenwich at this time (UTC since 1970).
    pub fn offset_at(&self, unix: Duration) -> i32 {
        let time = i64::try_from(unix.as_secs()).ok().and_then(|unix| Timestamp::from_second(unix).ok());
        time.map_or(0, |time| self.0.to_offset(time).seconds())
    }

    /// The minute on home's clock at this time (UTC since 1970), as in a file's name: `2026-11-30-1412`.
    pub fn stamp(&self, unix: Duration) -> String {
        let time = i64::try_from(unix.as_secs()).ok().and_then(|unix| Timestamp::from_second(unix).ok());
        let local = self.0.to_datetime(time.unwrap_or_default());
        let (date, time) = (local.date(), local.time());
        format!("{:04}-{:02}-{:02}-{:02}{:02}", date.year(), date.month(), date.day(), time.hour(), time.minute())
    }

    /// When home's clock shows this minute of the day next, after `unix`: both UTC since 1970. A minute that a change of clocks
    /// leaves out is the first one behind the gap.
    pub fn next(&self, minute: u16, unix: Duration) -> Duration {
        let now = i64::try_from(unix.as_secs()).ok().and_then(|unix| Timestamp::from_second(unix).ok());
        let Some(now) = now else { return unix };
        let local = self.0.to_datetime(now);
        let time = jiff::civil::Time::new((minute / 60 % 24) as i8, (minute % 60) as i8, 0, 0);
        let days = std::iter::successors(Some(local.date()), |day| day.tomorrow().ok()).take(3);
        let next = days.filter_map(|day| {
            let at = self.0.to_timestamp(day.to_datetime(time.as_ref().ok().copied()?)).ok()?;
            (at > now).then_some(at)
        });
        next.min().map_or(unix, |at| Duration::from_secs(at.as_second().max(0) as u64))
    }
}

impl Default for Zone {
    fn default() -> Zone {
        Zone(TimeZone::UTC)
    }
}

/// Seconds east of Greenwich at `unix` seconds, after the contents of a zone file; `None` if it is not one.
pub fn offset_at(zone: &[u8], unix: i64) -> Option<i32> {
    let zone = TimeZone::tzif("", zone).ok()?;
    Some(zone.to_offset(Timestamp::from_second(unix).ok()?).seconds())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A file of version 2 with one transition, to a fixed offset of that name, at `from`, and a footer that agrees with it.
    pub fn file(from: i64, name: &str, offset: i32, footer: &str) -> Vec<u8> {
        let header = |times: u32, types: u32, letters: usize| {
            let mut bytes = b"TZif2".to_vec();
            bytes.extend([0; 15]);
            for count in [0, 0, 0, times, types, letters as u32] {
                bytes.extend(u32::to_be_bytes(count));
            }
            bytes
        };
        let kind = |offset: i32, name: u8| [&offset.to_be_bytes()[..], &[0, name]].concat();
        let mut bytes = header(0, 1, 4);
        bytes.extend(kind(0, 0));
        bytes.extend(b"UTC\0");
        bytes.extend(header(1, 2, name.len() + 5));
        bytes.extend(from.to_be_bytes());
        bytes.push(1);
        bytes.extend(kind(0, 0));
        bytes.extend(kind(offset, 4));
        bytes.extend(format!("UTC\0{name}\0").as_bytes());
        bytes.extend(format!("\n{footer}\n").as_bytes());
        bytes
    }

    #[test]
    fn berlin_changes_its_clocks_at_one_in_the_morning_utc() {
        let zone = file(0, "CET", 3600, "CET-1CEST,M3.5.0,M10.5.0/3");
        // 29 March and 25 October 2026, 01:00 UTC.
        let (spring, autumn) = (1_774_746_000, 1_792_890_000);
        let hours = |unix| offset_at(&zone, unix).unwrap() / 3600;
        assert_eq!([hours(spring - 1), hours(spring), hours(autumn - 1), hours(autumn)], [1, 2, 2, 1]);
    }

    #[test]
    fn quiet_hours_follow_the_clock_on_the_wall_through_both_of_its_changes() {
        let zone = Zone::of_file(&file(0, "CET", 3600, "CET-1CEST,M3.5.0,M10.5.0/3"));
        let at = Duration::from_secs;
        // 29 March 2026 begins at 23:00 UTC of the 28th; its 02:30 is left out.
        let spring = 1_774_738_800;
        assert_eq!((zone.minute_of_day(at(spring - 60)), zone.minute_of_day(at(spring))), (1439, 0));
        assert_eq!(zone.next(7 * 60, at(spring)), at(spring + 6 * 3600), "an hour less");
        assert_eq!(zone.next(150, at(spring)), at(spring + 9000), "02:30 is 03:30");
        // 25 October 2026 begins at 22:00 UTC of the 24th and has an hour twice.
        let autumn = 1_792_879_200;
        assert_eq!(zone.next(7 * 60, at(autumn)), at(autumn + 8 * 3600), "an hour more");
        assert_eq!(zone.next(0, at(autumn)), at(autumn + 25 * 3600), "the next midnight, not this one");
        let nonsense = Zone::of_file(b"no zone");
        assert_eq!((nonsense.minute_of_day(Duration::MAX), nonsense.next(5000, Duration::MAX)), (0, Duration::MAX));
    }

    #[test]
    fn a_stamp_is_the_minute_on_the_wall() {
        let zone = Zone::of_file(&file(0, "CET", 3600, "CET-1CEST,M3.5.0,M10.5.0/3"));
        let stamp = |unix| zone.stamp(Duration::from_secs(unix));
        assert_eq!(stamp(1_796_043_120), "2026-11-30-1352");
        assert_eq!(stamp(1_792_879_199), "2026-10-24-2359");
        assert_eq!(Zone::of_file(b"").stamp(Duration::ZERO), "1970-01-01-0000");
        assert_eq!(zone.stamp(Duration::MAX).len(), 15, "a clock that is wrong");
    }

    #[test]
    fn the_south_has_its_summer_over_new_year() {
        let zone = file(15_552_000, "AEST", 36_000, "AEST-10AEDT,M10.1.0,M4.1.0/3");
        assert_eq!(offset_at(&zone, 1_767_225_600), Some(39_600), "1 January 2026");
        assert_eq!(offset_at(&zone, 1_782_864_000), Some(36_000), "1 July 2026");
    }

    #[test]
    fn zones_without_summer_and_with_odd_names() {
        assert_eq!(offset_at(&file(0, "+0545", 20_700, "<+0545>-5:45"), 1_800_000_000), Some(20_700));
        assert_eq!(offset_at(&file(0, "UTC", 0, "UTC0"), 1_800_000_000), Some(0));
        assert_eq!(offset_at(&file(0, "EST", -18_000, "EST5"), 1_800_000_000), Some(-18_000));
        assert_eq!(offset_at(&file(0, "EET", 7200, ""), 1_800_000_000), Some(7200), "no rule: the last offset holds");
    }

    #[test]
    fn before_the_last_transition_the_table_holds() {
        let zone = file(1_800_000_000, "EET", 7200, "EET-2");
        assert_eq!(offset_at(&zone, 1_799_999_999), Some(0));
        assert_eq!(offset_at(&zone, 1_800_000_000), Some(7200));
    }

    #[test]
    fn what_is_no_zone_file_is_none_and_never_a_panic() {
        let whole = file(0, "CET", 3600, "CET-1CEST,M3.5.0,M10.5.0/3");
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..20_000 {
            let mut broken = whole.clone();
            for _ in 0..random.usize(1..6) {
                let at = random.usize(..broken.len());
                broken[at] = random.u8(..);
            }
            broken.truncate(random.usize(..=broken.len()));
            let _ = offset_at(&broken, random.i64(-5_000_000_000..50_000_000_000));
        }
        assert_eq!(offset_at(b"", 0), None);
    }
}
