//! The cookie by which a browser that lost the page's storage is known again: Safari deletes it after seven days without a visit.
//!
//! The page has its key in a field, `Intercom-Device`. Home sets it as a cookie that no script can read, and tells it to a page of its
//! own that has none. So the cookie restores the key of this device, and does nothing else: no message counts it.
//!
//! A page of another site cannot send the field without asking first (a preflight), which is refused; where a browser says from which
//! site it asks, that is compared, too.

use super::head::Refusal;

/// Where a page asks.
pub const PATH: &str = "/device";

/// The field.
pub const FIELD: &str = "intercom-device";

/// `__Host-`: set by this very host, over TLS, for all its paths and no other host (RFC 6265bis).
const COOKIE: &str = "__Host-device";

/// Browsers keep a cookie for 400 days at most; each visit sets it again.
const MAX_AGE: u32 = 400 * 86_400;

/// Letters of a key in base64url.
const LETTERS: usize = 22;

/// What a page wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Remember this key.
    Keep(String),
    /// Tell the key that is remembered, if one is.
    Restore(Option<String>),
    /// Forget it.
    Forget,
}

/// What the field and the cookies say.
///
/// # Errors
/// If the field is none, or the page is of another site.
pub fn read<'c>(
    field: Option<&str>,
    site: Option<&str>,
    cookies: impl Iterator<Item = &'c [u8]>,
) -> Result<Wish, Refusal> {
    if site.is_some_and(|site| site != "same-origin") {
        return Err(Refusal::Foreign);
    }
    match field {
        Some("restore") => Ok(Wish::Restore(cookie(cookies))),
        Some("forget") => Ok(Wish::Forget),
        Some(key) if is_key(key) => Ok(Wish::Keep(key.to_owned())),
        _ => Err(Refusal::Malformed),
    }
}

/// The key in our cookie. Two that differ are none: one of them is somebody else's.
fn cookie<'c>(fields: impl Iterator<Item = &'c [u8]>) -> Option<String> {
    let pairs = fields.filter_map(|field| std::str::from_utf8(field).ok()).flat_map(|field| field.split(';'));
    let mut values = pairs.filter_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='));
    let first = values.next().filter(|key| is_key(key))?;
    values.all(|other| other == first).then(|| first.to_owned())
}

fn is_key(text: &str) -> bool {
    text.len() == LETTERS && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// The field that sets the cookie, or ends it.
pub fn set_cookie(key: Option<&str>) -> String {
    let (value, age) = key.map_or(("", 0), |key| (key, MAX_AGE));
    format!("Set-Cookie: {COOKIE}={value}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={age}\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "abc_DEF-1234567890xyzQ";

    fn wish(field: &str, cookies: &[&str]) -> Result<Wish, Refusal> {
        read(Some(field), Some("same-origin"), cookies.iter().map(|cookie| cookie.as_bytes()))
    }

    #[test]
    fn a_page_of_homes_own_keeps_restores_and_forgets_a_key() {
        assert_eq!(wish(KEY, &[]), Ok(Wish::Keep(KEY.into())));
        assert_eq!(wish("forget", &[]), Ok(Wish::Forget));
        let ours = format!("theme=dark; __Host-device={KEY}");
        assert_eq!(wish("restore", &[&ours, "other=1"]), Ok(Wish::Restore(Some(KEY.into()))));
        for none in
            ["", "__Host-device=", "__Host-device=short", "x__Host-device=abc_DEF-1234567890xyzQ", "__Host-devices=x"]
        {
            assert_eq!(wish("restore", &[none]), Ok(Wish::Restore(None)), "{none}");
        }
        let other = "__Host-device=AAAAAAAAAAAAAAAAAAAAAA";
        assert_eq!(wish("restore", &[&ours, other]), Ok(Wish::Restore(None)), "two that differ");
        assert_eq!(wish("restore", &[&ours, &ours]), Ok(Wish::Restore(Some(KEY.into()))));
    }

    #[test]
    fn pages_of_other_sites_and_rubbish_get_nothing() {
        for site in ["cross-site", "same-site", "none", ""] {
            assert_eq!(read(Some("restore"), Some(site), std::iter::empty()), Err(Refusal::Foreign), "{site}");
        }
        // A browser that does not say its site cannot send the field to another one either.
        assert_eq!(read(Some("forget"), None, std::iter::empty()), Ok(Wish::Forget));
        for rubbish in [
            "",
            "k",
            "abc_DEF-1234567890xyz\r",
            "abc_DEF-1234567890xyzQQ",
            "abc_DEF-1234567890xy;Q",
            "é234567890123456789012",
        ] {
            assert_eq!(wish(rubbish, &[]), Err(Refusal::Malformed), "{rubbish:?}");
        }
        assert_eq!(read(None, Some("same-origin"), std::iter::empty()), Err(Refusal::Malformed));
    }

    #[test]
    fn the_cookie_is_for_this_host_alone_and_for_no_script() {
        let set = set_cookie(Some(KEY));
        for part in [
            "__Host-device=abc_DEF-1234567890xyzQ;",
            "Path=/;",
            "Secure;",
            "HttpOnly;",
            "SameSite=Strict;",
            "Max-Age=34560000",
        ] {
            assert!(set.contains(part), "{set}");
        }
        assert!(!set.contains("Domain"), "{set}");
        assert!(set_cookie(None).contains("__Host-device=; ") && set_cookie(None).contains("Max-Age=0\r\n"));
    }
}
