//! What people call time zones, and the tz database does not.

use crate::config::plain_text::fold;

/// A zone, and other words for it, folded as [`fold_zone`] does. A word that means several zones is left out.
pub(super) const ALIASES: &[(&str, &str)] = &[
    ("UTC", "z zulu_time utc_time universal_time weltzeit coordinated_universal_time greenwich_mean_time"),
    (
        "Europe/Berlin",
        "cet cest met mez mesz germany deutschland munich munchen muenchen hamburg koln koeln cologne frankfurt stuttgart \
         dusseldorf leipzig dresden hannover nurnberg bremen central_european_time mitteleuropaische_zeit",
    ),
    ("Europe/Vienna", "wien austria osterreich oesterreich graz linz salzburg innsbruck"),
    ("Europe/Zurich", "switzerland schweiz suisse svizzera bern basel genf geneva geneve lausanne luzern zuerich"),
    ("Europe/London", "bst uk gb england britain great_britain united_kingdom scotland wales manchester edinburgh"),
    ("Europe/Dublin", "ireland irland eire"),
    ("Europe/Paris", "france frankreich lyon marseille"),
    ("Europe/Brussels", "belgium belgien brussel bruxelles"),
    ("Europe/Amsterdam", "netherlands niederlande holland rotterdam den_haag"),
    ("Europe/Luxembourg", "luxemburg"),
    ("Europe/Rome", "rom roma italy italien italia milan mailand milano neapel"),
    ("Europe/Madrid", "spain spanien espana barcelona"),
    ("Europe/Lisbon", "lissabon lisboa portugal porto wet west"),
    ("Europe/Copenhagen", "kopenhagen kobenhavn denmark danemark danmark"),
    ("Europe/Stockholm", "sweden schweden sverige goteborg malmo"),
    ("Europe/Oslo", "norway norwegen norge"),
    ("Europe/Helsinki", "finland finnland suomi eet eest oez"),
    ("Europe/Warsaw", "warschau warszawa poland polen polska krakow krakau"),
    ("Europe/Prague", "prag praha czechia czech_republic tschechien"),
    ("Europe/Budapest", "hungary ungarn"),
    ("Europe/Bucharest", "bukarest romania rumanien"),
    ("Europe/Belgrade", "belgrad serbia serbien"),
    ("Europe/Zagreb", "croatia kroatien"),
    ("Europe/Athens", "athen greece griechenland"),
    ("Europe/Istanbul", "turkey turkei turkiye"),
    ("Europe/Moscow", "moskau moskva msk w_su"),
    ("Europe/Kyiv", "kiev kiew ukraine europe/kiev"),
    ("Europe/Kiev", "kyiv europe/kyiv"),
    (
        "America/New_York",
        "edt boston washington miami atlanta philadelphia us_eastern eastern eastern_time us/eastern nyc",
    ),
    ("America/Chicago", "cdt houston dallas austin central_time us/central"),
    ("America/Denver", "mdt mountain_time us/mountain"),
    ("America/Los_Angeles", "pst pdt san_francisco seattle san_diego pacific_time us/pacific"),
    ("Asia/Tokyo", "jst japan tokio osaka"),
    ("Asia/Shanghai", "china beijing peking"),
    ("Asia/Kolkata", "india indien delhi new_delhi mumbai bangalore asia/calcutta"),
    ("Asia/Calcutta", "kolkata asia/kolkata"),
    ("Asia/Jerusalem", "israel"),
    ("Australia/Sydney", "aedt canberra"),
];

/// Of several zones with one rule, these are taken.
pub(super) const PREFERRED: [&str; 12] = [
    "Europe/Berlin",
    "Europe/London",
    "Europe/Lisbon",
    "Europe/Athens",
    "Europe/Moscow",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "Asia/Tokyo",
    "Asia/Kolkata",
    "Australia/Sydney",
];

/// For comparing: small letters without accents; one `_` for space and dashes of any kind, but not before a digit, where a
/// dash is a sign.
pub(super) fn fold_zone(text: &str) -> String {
    let mut folded = String::new();
    let dash = |letter| if matches!(letter, '\u{2010}'..='\u{2015}' | '−') { '-' } else { letter };
    let letters: Vec<char> = fold(text).chars().map(dash).collect();
    for (at, letter) in letters.iter().enumerate() {
        let is_sign = *letter == '-' && letters.get(at + 1).is_some_and(char::is_ascii_digit);
        let is_gap = letter.is_whitespace() || *letter == '_' || (*letter == '-' && !is_sign);
        match (is_gap, folded.ends_with(['_', '/'])) {
            (true, true) => {}
            (true, false) => folded.push('_'),
            (false, _) if *letter == '/' => {
                folded.truncate(folded.trim_end_matches('_').len());
                folded.push('/');
            }
            (false, _) => folded.push(*letter),
        }
    }
    folded.trim_matches('_').to_owned()
}
