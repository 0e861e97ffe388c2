//! Local time from the system's zone file (RFC 9636), for the clock on the TV; daylight saving comes and goes by itself.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Seconds east of Greenwich at `unix` seconds, after the contents of a zone file; `None` if it is not one.
pub fn offset_at(zone: &[u8], unix: i64) -> Option<i32> {
    let zone = TimeZone::tzif("", zone).ok()?;
    Some(zone.to_offset(Timestamp::from_second(unix).ok()?).seconds())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of version 2 with one transition, to a fixed offset of that name, at `from`, and a footer that agrees with it.
    fn file(from: i64, name: &str, offset: i32, footer: &str) -> Vec<u8> {
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
