//! The languages of the TV: every sentence and date that it shows to the family, once in each.
//!
//! To add a language: a file beside `language/en.rs` with all sentences (the compiler names one that is missing), a line in
//! [`Language`] and its functions, and its word in `etc/intercom.toml` and `etc/guide/settings.md`. If the program's own fonts lack
//! its letters, `src/shell/fonts.rs` names the package that has them, and `image-build/fonts` a font for the image.

mod de;
mod en;
mod es;
mod fr;
mod hi;
mod zh;

/// A language of the TV.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// The default.
    #[default]
    English,
    /// German.
    German,
    /// Spanish.
    Spanish,
    /// French.
    French,
    /// Hindi.
    Hindi,
    /// Chinese, with simplified letters.
    Chinese,
}

impl Language {
    /// All of them by the words of the settings (ISO 639-1).
    pub const ALL: [(&'static str, Language); 6] = [
        ("en", Language::English),
        ("de", Language::German),
        ("es", Language::Spanish),
        ("fr", Language::French),
        ("hi", Language::Hindi),
        ("zh", Language::Chinese),
    ];

    /// The one that has this word in the settings.
    pub fn of_code(code: &str) -> Option<Language> {
        Language::ALL.iter().find(|(known, _)| *known == code).map(|(_, language)| *language)
    }

    /// Its word in the settings.
    pub fn code(self) -> &'static str {
        Language::ALL.iter().find(|(_, language)| *language == self).map_or("en", |(code, _)| code)
    }

    /// All that the TV says in it.
    pub fn sentences(self) -> &'static Sentences {
        match self {
            Language::English => &en::SENTENCES,
            Language::German => &de::SENTENCES,
            Language::Spanish => &es::SENTENCES,
            Language::French => &fr::SENTENCES,
            Language::Hindi => &hi::SENTENCES,
            Language::Chinese => &zh::SENTENCES,
        }
    }
}

/// Makes the struct, and a list of all its sentences, from one list of names.
macro_rules! sentences {
    ($($(#[$about:meta])* $name:ident,)*) => {
        /// All that the TV says in one language. What stands in braces is put in by [`fill`].
        #[derive(Debug, PartialEq, Eq)]
        pub struct Sentences {
            /// From Monday on.
            pub weekdays: [&'static str; 7],
            /// From January on.
            pub months: [&'static str; 12],
            /// How the first day of a month is written.
            pub first_day: &'static str,
            $($(#[$about])* pub $name: &'static str,)*
        }

        impl Sentences {
            /// Each sentence with its name, without those of the calendar.
            pub fn all(&self) -> Vec<(&'static str, &'static str)> {
                vec![$((stringify!($name), self.$name),)*]
            }
        }
    };
}

sentences! {
    /// `Sunday, 22 November`
    date,

    /// A viewer without a name.
    viewer,
    /// While nobody visits.
    nobody,
    /// Who visited last, with a name and without; the first two are said where nobody knows for how long. `{stay}` is `minutes` or
    /// `hours` below. Who knocked in vain is told as in `missed`.
    was_here,
    was_here_somebody,
    was_here_for,
    was_here_for_somebody,
    not_let_in,
    not_let_in_somebody,
    came_in_quiet_hours,
    came_in_quiet_hours_somebody,
    called_in_vain,
    called_in_vain_somebody,
    /// How long somebody has been here, below an hour and from there on; the minutes have two figures there.
    minutes,
    hours,

    /// What works, and what does not, in one or two words.
    camera,
    no_camera,
    microphone,
    no_microphone,
    microphone_muted,
    speaker,
    no_speaker,
    network,
    no_network,
    /// What people at home do to let in another phone. `{key}` is `enter`, or the name of another key.
    new_phone,
    enter,
    /// Above the code for a phone, and below it how long it is good for, in minutes and seconds.
    scan,
    scan_guest,
    scan_owner,
    left,

    /// The card of somebody who waits at the door, or who comes in by themselves, with a name and without.
    knocks,
    somebody_knocks,
    comes_in,
    somebody_comes_in,
    /// What to press; `{key}` as above.
    let_in,
    not_now,
    /// How many others wait, from 1.
    more_wait,
    /// Home's picture and sound go to nobody.
    curtain_drawn,
    /// In small words on the idle card.
    quiet_hours,
    /// What has changed, with a name and without.
    new_device,
    new_device_of_somebody,
    new_owner,
    new_owner_somebody,
    new_rights,
    new_rights_of_somebody,
    removed,
    removed_somebody,
    missed,
    missed_somebody,
    calling,
    calling_everybody,
    answered,
    answered_somebody,
    not_answered,
    not_answered_by_anybody,
    house_changed,

    /// Over a viewer's last picture, in two lines.
    lost_with,
    comes_back,
    /// The same in one line, below their name.
    lost,
    connecting,
    picture_comes,
    sound_only,
    camera_and_microphone_off,
    /// Behind a viewer's name, in lower case.
    microphone_off,
    /// Home's own picture among those of several viewers.
    you,

    /// The sign that tells what goes out, for one viewer and for several.
    sees_and_hears,
    sees,
    hears,
    all_see_and_hear,
    all_see,
    all_hear,
    /// Behind one of those, in lower case.
    muted,
    own_microphone_off,
    own_camera_off,
    /// Alone, where nothing goes out.
    own_both_off,
    own_camera_off_and_muted,

    /// Notices.
    disk_full,
    disk_read_only,
    disk_gone,
    disk_refuses,
    keys_damaged,
    muted_not_kept,
    open_not_kept,
    mute_unknown,
    curtain_not_kept,
    curtain_open_not_kept,
    curtain_unknown,
    reset,

    /// Notices of `intercom wifi`. `{name}` is a network's.
    wifi_off,
    wifi_card,
    wifi_no_address,
    wifi_no_address_unnamed,
    wifi_password,
    wifi_refuses,
    wifi_none,

    /// Notices of `intercom update`. `{why}` is in the system's own words, which are English.
    update_installing,
    update_installed,
    updated,
    updated_first,
    update_rolled_back,
    update_unsigned,
    update_damaged,
    update_unknown,
    update_other_machine,
    update_unreadable,
    update_unwritable,
    update_on_trial,
    update_no_room,
    update_disk_fails,

    /// Notices of `intercom stick`. `{why}` as above; `{file}` is one on the stick.
    people_saved,
    people_restored,
    people_none,
    people_known,
    people_stick_full,
    people_stick_locked,
    people_stick_unwritable,
    people_stick_unreadable,
    people_stick_format,
    people_broken,
    people_keys_damaged,
    people_reset,
    people_disk,
    people_pulled,

    /// How a mistake in a file is told: where, and what else is said of it. `{what}` is one of the sentences below.
    mistake_line,
    mistake_file,
    mistake_key,
    did_you_mean,
    allowed,
    and_more,

    /// What is wrong with a file of settings. `{why}` as above.
    file_too_large,
    file_formatted,
    file_binary,
    file_misnamed,
    file_unreadable,

    /// With `timezone.txt`.
    zone_unknown,
    zone_unknown_here,
    zone_second,
    zone_lines,
    zone_missing,
    /// What is allowed there.
    zone_allowed,

    /// With `wifi.txt`, behind `network:`, `password:`, `country:` or nothing.
    no_such_key,
    line_unclear,
    code_unclear,
    one_line,
    letter_unclear,
    encoding_guessed,
    name_long,
    name_missing,
    networks_many,
    password_short_one,
    password_short,
    password_long,
    password_second,
    password_missing,
    country_unknown,
    country_unclear,
    country_second,
    users_refused,
    wep_refused,
    /// What is allowed there.
    name_allowed,
    password_allowed,
    country_allowed,
}

impl Sentences {
    /// The date in words. `weekday` counts from Monday = 0, `day` and `month` from 1.
    pub fn date(&self, weekday: u8, day: u8, month: u8) -> String {
        let name = |names: &[&'static str], at: u8| names.get(usize::from(at)).copied().unwrap_or_default();
        let day = if day == 1 { self.first_day.to_owned() } else { day.to_string() };
        let (weekday, month) = (name(&self.weekdays, weekday), name(&self.months, month.saturating_sub(1)));
        fill(self.date, &[("weekday", weekday), ("day", &day), ("month", month)])
    }
}

/// Puts values into the places of a sentence: `{name}` becomes the value of `name`. What a value has in braces stays.
pub fn fill(sentence: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(sentence.len() + 16);
    let mut rest = sentence;
    while let Some((before, place, after)) = next_place(rest) {
        filled += before;
        match values.iter().find(|(name, _)| *name == place) {
            Some((_, value)) => filled += value,
            None => filled.extend(["{", place, "}"]),
        }
        rest = after;
    }
    filled + rest
}

/// What stands before the first place, its name, and what stands behind it.
fn next_place(text: &str) -> Option<(&str, &str, &str)> {
    let (before, from) = text.split_once('{')?;
    let (place, after) = from.split_once('}')?;
    Some((before, place, after))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Sentences that are the same in English.
    const SAME: [(&str, &str); 14] = [
        ("de", "enter"),
        ("es", "enter"),
        ("es", "minutes"),
        ("es", "hours"),
        ("fr", "minutes"),
        ("fr", "hours"),
        ("hi", "enter"),
        ("hi", "date"),
        ("de", "mistake_file"),
        ("de", "mistake_key"),
        ("es", "mistake_file"),
        ("es", "mistake_key"),
        ("hi", "mistake_file"),
        ("hi", "mistake_key"),
    ];

    /// How the language quotes a name.
    fn quotes(language: Language) -> &'static str {
        match language {
            Language::German => "„“",
            Language::Spanish | Language::French => "«»",
            Language::English | Language::Hindi | Language::Chinese => "“”",
        }
    }

    fn places(sentence: &str) -> Vec<&str> {
        let (mut found, mut rest) = (Vec::new(), sentence);
        while let Some((_, place, after)) = next_place(rest) {
            found.push(place);
            rest = after;
        }
        found.sort_unstable();
        found
    }

    #[test]
    fn every_language_has_the_places_of_english_and_words_of_its_own() {
        let english = Language::English.sentences().all();
        assert_eq!(places("{b} and {a}"), ["a", "b"]);
        for (code, language) in Language::ALL {
            let sentences = language.sentences().all();
            for ((name, sentence), (_, in_english)) in sentences.iter().zip(&english) {
                assert!(!sentence.trim().is_empty() && *sentence == sentence.trim(), "{code} {name}: {sentence:?}");
                assert_eq!(places(sentence), places(in_english), "{code} {name}: {sentence}");
                let same = sentence == in_english && language != Language::English;
                assert_eq!(same, SAME.contains(&(code, name)), "{code} {name}: {sentence}");
                assert!(!sentence.contains(['"', '\'']), "{code} {name}: {sentence}: print has other marks");
                let marks: String = sentence.chars().filter(|letter| "“”„«»".contains(*letter)).collect();
                assert!(marks.is_empty() || marks == quotes(language), "{code} {name}: {sentence}");
            }
        }
    }

    #[test]
    fn every_language_has_a_calendar_of_its_own() {
        let names = |language: Language| {
            let Sentences { weekdays, months, .. } = language.sentences();
            (weekdays.iter().collect::<BTreeSet<_>>(), months.iter().collect::<BTreeSet<_>>())
        };
        for (code, language) in Language::ALL {
            let (weekdays, months) = names(language);
            assert_eq!((weekdays.len(), months.len()), (7, 12), "{code}");
            assert!(weekdays.iter().chain(&months).all(|name| !name.trim().is_empty()), "{code}");
            for (_, other) in Language::ALL.iter().filter(|(_, other)| *other != language) {
                assert!(names(*other).0.is_disjoint(&weekdays) && names(*other).1 != months, "{code} and {other:?}");
            }
        }
    }

    #[test]
    fn dates_are_written_as_people_write_them() {
        let written =
            |weekday, day, month| Language::ALL.map(|(_, language)| language.sentences().date(weekday, day, month));
        assert_eq!(
            written(6, 22, 11),
            [
                "Sunday, 22 November",
                "Sonntag, 22. November",
                "domingo, 22 de noviembre",
                "dimanche 22 novembre",
                "रविवार, 22 नवंबर",
                "11月22日 星期日"
            ]
        );
        assert_eq!(written(3, 1, 1)[3], "jeudi 1er janvier");
        assert_eq!(written(0, 1, 12)[1], "Montag, 1. Dezember");
        assert_eq!(Language::English.sentences().date(9, 31, 0), ", 31 January", "no such day, and no panic");
    }

    #[test]
    fn a_value_is_put_in_as_it_is() {
        assert_eq!(fill("{name} until {time}", &[("name", "{time} {"), ("time", "13:40")]), "{time} { until 13:40");
        assert_eq!(fill("{unknown} {", &[("name", "x")]), "{unknown} {");
        assert_eq!(fill("nothing", &[]), "nothing");
    }

    #[test]
    fn each_language_has_a_word_in_the_settings() {
        for (code, language) in Language::ALL {
            assert_eq!(language.code(), code);
        }
        assert_eq!(Language::default().code(), "en");
    }
}
