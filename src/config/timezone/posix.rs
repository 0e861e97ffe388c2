//! The rule of a time zone as POSIX writes it in `TZ`, and offsets as people say them.

/// A rule such as `CET-1CEST,M3.5.0,M10.5.0/3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    /// Its letters, and seconds east of Greenwich.
    pub standard: (String, i32),
    /// The same in summer.
    pub summer: Option<(String, i32)>,
    /// When it changes; empty if that is not said.
    pub changes: String,
}

/// Reads a rule; `None` if it is none.
pub(super) fn parse(text: &str) -> Option<Rule> {
    let (zone, changes) = text.split_once(',').unwrap_or((text, ""));
    let (name, rest) = take_name(zone)?;
    let (west, rest) = take_offset(rest)?;
    let standard = (name.to_owned(), -west);
    if rest.is_empty() {
        return Some(Rule { standard, summer: None, changes: String::new() });
    }
    let (name, rest) = take_name(rest)?;
    let summer = if rest.is_empty() {
        standard.1.checked_add(3600)?
    } else {
        -take_offset(rest).filter(|(_, rest)| rest.is_empty())?.0
    };
    Some(Rule { standard, summer: Some((name.to_owned(), summer)), changes: changes.to_owned() })
}

/// Three letters or more, or what stands between `<` and `>`.
fn take_name(text: &str) -> Option<(&str, &str)> {
    if let Some(rest) = text.strip_prefix('<') {
        return rest.split_once('>').filter(|(name, _)| !name.is_empty());
    }
    let end = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    (name.len() >= 3).then_some((name, rest))
}

/// Such as `-5:30`, in seconds.
fn take_offset(text: &str) -> Option<(i32, &str)> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != ':').unwrap_or(rest.len());
    let (digits, rest) = rest.split_at(end);
    let mut seconds = 0;
    for (part, unit) in digits.split(':').zip([3600, 60, 1]) {
        let number: i32 = part.parse().ok().filter(|number| (0..=167).contains(number))?;
        seconds += number * unit;
    }
    (digits.split(':').count() <= 3).then_some((sign * seconds, rest))
}

/// Seconds east of Greenwich of what people say, in small letters: `utc+1`, `gmt-3:30`, `+02:00`, `utc_+1`.
pub(super) fn spoken_offset(text: &str) -> Option<i32> {
    let rest = ["utc", "gmt"].iter().find_map(|word| text.strip_prefix(word)).unwrap_or(text).trim_start_matches('_');
    let (sign, rest) = match rest.strip_prefix('+') {
        Some(rest) => (1, rest),
        None => (-1, rest.strip_prefix('-')?),
    };
    let rest = rest.trim_start_matches('_');
    let (hours, minutes) = match rest.split_once([':', '.']) {
        Some((hours, minutes)) if minutes.len() == 2 => (hours, minutes),
        Some(_) => return None,
        None if rest.len() == 4 && rest.is_ascii() => rest.split_at(2),
        None => (rest, "0"),
    };
    let number = |text: &str, most: i32| {
        let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i32>().ok().filter(|number| is_digits && *number <= most)
    };
    Some(sign * (number(hours, 14)? * 3600 + number(minutes, 59)? * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_with_and_without_summer() {
        let rule = parse("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        assert_eq!((rule.standard, rule.summer), (("CET".into(), 3600), Some(("CEST".into(), 7200))));
        assert_eq!(rule.changes, "M3.5.0,M10.5.0/3");
        assert_eq!(parse("<+0545>-5:45").unwrap().standard, ("+0545".into(), 20_700));
        assert_eq!(parse("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0").unwrap().summer, Some(("+11".into(), 39_600)));
        for text in
            ["", "CET", "Europe/Berlin", "CET-", "CE-1", "CET-1CEST-x", "<>-1", "CET-1:2:3:4", "CET-999999999999"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn offsets_count_towards_the_east() {
        let hours = |text| spoken_offset(text).map(|seconds| f64::from(seconds) / 3600.0);
        for (text, expected) in
            [("utc+1", 1.0), ("gmt_+_2", 2.0), ("+05:30", 5.5), ("utc-3:30", -3.5), ("-0800", -8.0), ("utc-5", -5.0)]
        {
            assert_eq!(hours(text), Some(expected), "{text}");
        }
        for text in ["utc", "utc1", "utc+", "utc+15", "utc+1:5", "utc+1:60", "utc+a", "europe/berlin", "utc+1 berlin"] {
            assert_eq!(hours(text), None, "{text}");
        }
    }
}
