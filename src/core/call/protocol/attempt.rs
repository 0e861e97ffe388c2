//! One try of a page to be with home, however many sockets and POSTs it takes.

use serde::{Deserialize, Serialize};

/// Lengths of an id, in bytes: long enough that no two pages have the same.
const LENGTH: std::ops::RangeInclusive<usize> = 16..=64;

/// Random and the page's own, with each `hello` of one try. Whoever shows the same key and the same id is the same page: words that home
/// answers too late, or hears too late, begin no second visit. By itself it opens nothing.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Attempt(String);

impl Attempt {
    /// The id as it came.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Attempt {
    type Error = String;

    fn try_from(id: String) -> Result<Attempt, String> {
        let fits = LENGTH.contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
        if fits { Ok(Attempt(id)) } else { Err("an attempt is 16 to 64 letters, digits and signs".into()) }
    }
}

impl From<Attempt> for String {
    fn from(attempt: Attempt) -> String {
        attempt.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_sixteen_to_sixty_four_plain_letters() {
        let long = "a".repeat(64);
        for good in ["0123456789abcdef", "-_-_-_-_-_-_-_-_", &long] {
            assert_eq!(Attempt::try_from(good.to_owned()).map(String::from), Ok(good.to_owned()));
        }
        for bad in
            ["", "0123456789abcde", &(long.clone() + "a"), "0123456789 abcdef", "0123456789abcdef\n", "0123456789äöüß"]
        {
            assert!(Attempt::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }
}
