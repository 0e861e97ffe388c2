//! Where the home is: the two letters of ISO 3166, or a country's name as people write it.

use crate::config::plain_text::fold;

/// All codes of ISO 3166-1.
const CODES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY \
    BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA \
    GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH \
    KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY \
    MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH \
    SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI \
    VN VU WF WS YE YT ZA ZM ZW";

/// Names and other codes, folded.
const NAMES: &[(&str, &str)] = &[
    ("UK", "uk england scotland wales britain greatbritain unitedkingdom gbr grossbritannien"),
    ("DE", "germany deutschland allemagne alemania germania deu ger brd"),
    ("AT", "austria osterreich oesterreich aut"),
    ("CH", "switzerland schweiz suisse svizzera che sui"),
    ("LI", "liechtenstein"),
    ("US", "usa unitedstates unitedstatesofamerica america amerika vereinigtestaaten"),
    ("CA", "canada kanada can"),
    ("FR", "france frankreich fra"),
    ("BE", "belgium belgien belgique belgie bel"),
    ("NL", "netherlands niederlande nederland holland nld"),
    ("LU", "luxembourg luxemburg lux"),
    ("IT", "italy italien italia ita"),
    ("ES", "spain spanien espana esp"),
    ("PT", "portugal prt"),
    ("DK", "denmark danemark danmark dnk"),
    ("SE", "sweden schweden sverige swe"),
    ("NO", "norway norwegen norge nor"),
    ("FI", "finland finnland suomi fin"),
    ("IS", "iceland island isl"),
    ("IE", "ireland irland irl"),
    ("PL", "poland polen polska pol"),
    ("CZ", "czechia czechrepublic tschechien cesko cze"),
    ("SK", "slovakia slowakei slovensko svk"),
    ("HU", "hungary ungarn magyarorszag hun"),
    ("SI", "slovenia slowenien slovenija svn"),
    ("HR", "croatia kroatien hrvatska hrv"),
    ("RO", "romania rumanien rou"),
    ("BG", "bulgaria bulgarien bgr"),
    ("GR", "greece griechenland hellas grc"),
    ("TR", "turkey turkei turkiye tur"),
    ("UA", "ukraine ukr"),
    ("RU", "russia russland rus"),
    ("IN", "india indien ind"),
    ("CN", "china chn"),
    ("JP", "japan jpn"),
    ("KR", "southkorea sudkorea kor"),
    ("BR", "brazil brasilien brasil bra"),
    ("MX", "mexico mexiko mex"),
    ("AR", "argentina argentinien arg"),
    ("AU", "australia australien aus"),
    ("NZ", "newzealand neuseeland nzl"),
    ("ZA", "southafrica sudafrika zaf"),
    ("IL", "israel isr"),
];

/// The two capital letters of a country; `None` if it is not clear which one is meant.
pub(super) fn code_of(text: &str) -> Option<&'static str> {
    let text = text.split('#').next().unwrap_or_default();
    // Such as `DE (Germany)`.
    let first = text.split(|c: char| !c.is_alphanumeric()).find(|word| !word.is_empty()).unwrap_or_default();
    exact(text).or_else(|| exact(first))
}

fn exact(text: &str) -> Option<&'static str> {
    let word: String = fold(text).chars().filter(|c| c.is_alphanumeric()).collect();
    let capitals = word.to_ascii_uppercase();
    let named = NAMES.iter().find(|(_, names)| names.split(' ').any(|name| name == word));
    match named {
        // What everybody says, and ISO does not.
        Some(("UK", _)) => Some("GB"),
        Some((code, _)) => Some(code),
        None => CODES.split_ascii_whitespace().find(|code| *code == capitals),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_in_any_letters() {
        let cases = [
            ("DE", "DE"),
            ("de", "DE"),
            ("uk", "GB"),
            ("UK", "GB"),
            ("GB", "GB"),
            ("Germany", "DE"),
            ("Österreich", "AT"),
            ("United Kingdom", "GB"),
            ("de # where we live", "DE"),
            ("DE (Germany)", "DE"),
            ("U.S.A.", "US"),
            ("us", "US"),
            ("D E", "DE"),
        ];
        for (text, code) in cases {
            assert_eq!(code_of(text), Some(code), "{text}");
        }
        for text in ["", "XX", "EN", "EU", "00", "Home", "D"] {
            assert_eq!(code_of(text), None, "{text}");
        }
        assert_eq!(CODES.split_ascii_whitespace().count(), 249);
    }
}
