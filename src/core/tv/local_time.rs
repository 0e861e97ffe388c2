//! Local time from the system's zone file (RFC 9636), for the clock on the TV; daylight saving comes and goes by itself.

/// Seconds east of Greenwich at `unix` seconds, after the contents of a zone file; `None` if it is not one.
pub fn offset_at(zone: &[u8], unix: i64) -> Option<i32> {
    // The first block has 32-bit times; the second, in files of version 2 and later, has all there is.
    let first = Header::read(zone)?;
    if first.version == 0 {
        return first.offset_at(zone.get(HEADER..)?, 4, unix).map(|(offset, _)| offset);
    }
    let second = zone.get(HEADER + first.size(4)..)?;
    let header = Header::read(second)?;
    let body = second.get(HEADER..)?;
    let (offset, after_last) = header.offset_at(body, 8, unix)?;
    if !after_last {
        return Some(offset);
    }
    // Behind the last transition the footer's rule holds.
    let footer = body.get(header.size(8)..)?;
    let rule = footer.strip_prefix(b"\n")?.split(|byte| *byte == b'\n').next()?;
    std::str::from_utf8(rule).ok().and_then(|rule| rule_offset(rule, unix)).or(Some(offset))
}

const HEADER: usize = 44;

struct Header {
    version: u8,
    counts: [usize; 6],
}

impl Header {
    fn read(zone: &[u8]) -> Option<Header> {
        let head = zone.get(..HEADER)?;
        if &head[..4] != b"TZif" {
            return None;
        }
        let mut counts = [0; 6];
        for (count, bytes) in counts.iter_mut().zip(head[20..].chunks_exact(4)) {
            // No real file has more than some hundred of anything.
            *count =
                usize::try_from(u32::from_be_bytes(bytes.try_into().ok()?)).ok().filter(|count| *count < 100_000)?;
        }
        Some(Header { version: head[4], counts })
    }

    fn size(&self, time: usize) -> usize {
        let [ut, std, leaps, times, types, letters] = self.counts;
        times * time + times + types * 6 + letters + leaps * (time + 4) + std + ut
    }

    /// The offset, and whether `unix` lies behind all transitions.
    fn offset_at(&self, body: &[u8], size: usize, unix: i64) -> Option<(i32, bool)> {
        let [_, _, _, times, types, _] = self.counts;
        let begins = body.get(..times * size)?.chunks_exact(size).map(|bytes| match bytes.try_into() {
            Ok(wide) => i64::from_be_bytes(wide),
            Err(_) => i64::from(bytes.try_into().map_or(0, i32::from_be_bytes)),
        });
        let passed = begins.take_while(|begin| *begin <= unix).count();
        let kinds = body.get(times * size..)?;
        let kind = if passed == 0 { 0 } else { usize::from(*kinds.get(passed - 1)?) };
        let kind = kinds.get(times + 6 * kind.min(types.checked_sub(1)?)..)?;
        let offset = i32::from_be_bytes(kind.get(..4)?.try_into().ok()?);
        Some((offset, passed == times))
    }
}

/// The offset that a POSIX rule such as `CET-1CEST,M3.5.0,M10.5.0/3` gives.
fn rule_offset(rule: &str, unix: i64) -> Option<i32> {
    let mut parts = rule.split(',');
    let names = skip_name(parts.next()?)?;
    let (standard, rest) = clock_time(names)?;
    let standard = -standard;
    if rest.is_empty() {
        return Some(standard);
    }
    let rest = skip_name(rest)?;
    let summer = if rest.is_empty() { standard + 3600 } else { -clock_time(rest)?.0 };
    let year = year_of(unix + i64::from(standard));
    let change = |part: &str, before: i32| -> Option<i64> {
        let (day, time) =
            part.split_once('/').map_or((part, 7200), |(day, time)| (day, clock_time(time).map_or(7200, |t| t.0)));
        Some(day_of_rule(day, year)? * 86_400 + i64::from(time) - i64::from(before))
    };
    let (begin, end) = (change(parts.next()?, standard)?, change(parts.next()?, summer)?);
    let in_summer = if begin < end { (begin..end).contains(&unix) } else { !(end..begin).contains(&unix) };
    Some(if in_summer { summer } else { standard })
}

/// What follows the zone's name: letters, or anything in `<>`.
fn skip_name(text: &str) -> Option<&str> {
    match text.strip_prefix('<') {
        Some(quoted) => quoted.split_once('>').map(|(_, rest)| rest),
        None => Some(text.trim_start_matches(|letter: char| letter.is_ascii_alphabetic())),
    }
}

/// `[+-]hh[:mm[:ss]]` in seconds, and what follows it.
fn clock_time(text: &str) -> Option<(i32, &str)> {
    let end = text.find(|letter: char| !matches!(letter, '0'..='9' | ':' | '+' | '-')).unwrap_or(text.len());
    let (time, rest) = text.split_at(end);
    let (sign, digits) = match time.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, time.strip_prefix('+').unwrap_or(time)),
    };
    let mut seconds = 0;
    for (part, weight) in digits.split(':').zip([3600, 60, 1]) {
        seconds += part.parse::<i32>().ok().filter(|part| (0..=167).contains(part))? * weight;
    }
    Some((sign * seconds, rest))
}

/// Days from 1970 to the day that a rule names in `year`: `Mm.w.d`, `Jn` or `n`.
fn day_of_rule(rule: &str, year: i64) -> Option<i64> {
    if let Some(monthly) = rule.strip_prefix('M') {
        let mut numbers = monthly.split('.').map(|number| number.parse::<i64>().ok());
        let (month, week, weekday) = (numbers.next()??, numbers.next()??, numbers.next()??);
        let valid = (1..=12).contains(&month) && (1..=5).contains(&week) && (0..=6).contains(&weekday);
        let first = valid.then(|| days_from_civil(year, month, 1))?;
        let next_month =
            if month == 12 { days_from_civil(year + 1, 1, 1) } else { days_from_civil(year, month + 1, 1) };
        // 1 January 1970 was a Thursday.
        let day = first + (weekday - (first + 4)).rem_euclid(7) + 7 * (week - 1);
        return Some(if day >= next_month { day - 7 } else { day });
    }
    let january = days_from_civil(year, 1, 1);
    match rule.strip_prefix('J') {
        Some(day) => {
            let day = day.parse::<i64>().ok().filter(|day| (1..=365).contains(day))?;
            let leap = days_from_civil(year, 3, 1) - january == 60;
            Some(january + day - 1 + i64::from(leap && day > 59))
        }
        None => rule.parse::<i64>().ok().filter(|day| (0..=365).contains(day)).map(|day| january + day),
    }
}

/// Days from 1970-01-01 in the Gregorian calendar, counted in years that begin in March.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + (153 * month + 2) / 5 + day
        - 1
        - 719_468
}

fn year_of(unix: i64) -> i64 {
    let days = unix.div_euclid(86_400);
    let guess = 1970 + days.div_euclid(366);
    (guess..).find(|year| days_from_civil(year + 1, 1, 1) > days).unwrap_or(guess)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of version 2 with one transition, to a fixed offset, at `from`, and a footer.
    fn file(from: i64, offset: i32, footer: &str) -> Vec<u8> {
        let header = |times: u32, types: u32| {
            let mut bytes = b"TZif2".to_vec();
            bytes.extend([0; 15]);
            for count in [0, 0, 0, times, types, 4] {
                bytes.extend(u32::to_be_bytes(count));
            }
            bytes
        };
        let kind = |offset: i32| [&offset.to_be_bytes()[..], &[0, 0]].concat();
        let mut bytes = header(0, 1);
        bytes.extend(kind(0));
        bytes.extend(b"UTC\0");
        bytes.extend(header(1, 2));
        bytes.extend(from.to_be_bytes());
        bytes.push(1);
        bytes.extend(kind(0));
        bytes.extend(kind(offset));
        bytes.extend(b"UTC\0");
        bytes.extend(format!("\n{footer}\n").as_bytes());
        bytes
    }

    #[test]
    fn berlin_changes_its_clocks_at_one_in_the_morning_utc() {
        let zone = file(0, 3600, "CET-1CEST,M3.5.0,M10.5.0/3");
        // 29 March and 25 October 2026, 01:00 UTC.
        let (spring, autumn) = (1_774_746_000, 1_792_890_000);
        let hours = |unix| offset_at(&zone, unix).unwrap() / 3600;
        assert_eq!([hours(spring - 1), hours(spring), hours(autumn - 1), hours(autumn)], [1, 2, 2, 1]);
    }

    #[test]
    fn the_south_has_its_summer_over_new_year() {
        let zone = file(0, 36_000, "AEST-10AEDT,M10.1.0,M4.1.0/3");
        assert_eq!(offset_at(&zone, 1_767_225_600), Some(39_600), "1 January 2026");
        assert_eq!(offset_at(&zone, 1_782_864_000), Some(36_000), "1 July 2026");
    }

    #[test]
    fn zones_without_summer_and_with_odd_names() {
        assert_eq!(offset_at(&file(0, 0, "<+0545>-5:45"), 1_800_000_000), Some(20_700));
        assert_eq!(offset_at(&file(0, 0, "UTC0"), 1_800_000_000), Some(0));
        assert_eq!(offset_at(&file(0, 0, "EST5"), 1_800_000_000), Some(-18_000));
        assert_eq!(offset_at(&file(0, 7200, ""), 1_800_000_000), Some(7200), "no rule: the last offset holds");
    }

    #[test]
    fn before_the_last_transition_the_table_holds() {
        let zone = file(1_800_000_000, 7200, "EET-2");
        assert_eq!(offset_at(&zone, 1_799_999_999), Some(0));
        assert_eq!(offset_at(&zone, 1_800_000_000), Some(7200));
    }

    #[test]
    fn what_is_no_zone_file_is_none_and_never_a_panic() {
        let whole = file(0, 3600, "CET-1CEST,M3.5.0,M10.5.0/3");
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
