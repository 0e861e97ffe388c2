//! What the CA can sign, and what it cannot; what is told of one that is broken, old or from another time.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::shell::state::tests::TestDir;

const DAY: Duration = Duration::from_secs(86_400);

fn names() -> Names {
    Names { hostname: Some("pi".into()), ..Names::of(Some("home.example.org")) }
}

fn at(days: u32) -> Wall {
    Wall::at(EPOCH + DAY * days, true)
}

/// Whether a browser that trusts this CA would accept a leaf of it for `name`.
fn accepted(authority: &Authority, name: &str) -> bool {
    let (leaf, _, _) = authority.sign(&[name.to_owned()], at(100)).unwrap();
    authority.recognises(&leaf, &[name.to_owned()]).is_some()
}

/// A CA as version 0.1 made it, at a time of the test's.
fn early(dir: &TestDir, from: Duration) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) = (date(from).unwrap(), date(from + DAY * 3652).unwrap());
    std::fs::write(dir.0.join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(dir.0.join("ca.key"), key.serialize_pem()).unwrap();
}

#[test]
fn the_ca_is_made_once_and_its_key_is_private() {
    let dir = TestDir::new();
    let first = Authority::open(&dir.0, &names()).unwrap();
    let again = Authority::open(&dir.0, &Names::default()).unwrap();
    assert_eq!(first.certificate(), again.certificate());
    let mode = |name: &str| std::fs::metadata(dir.0.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("ca.key"), mode("ca.pem")), (0o600, 0o644));
}

#[test]
fn a_leaf_of_it_counts_for_homes_own_names_and_addresses_and_for_no_other_site() {
    let dir = TestDir::new();
    let authority = Authority::open(&dir.0, &names()).unwrap();
    for name in ["localhost", "pi", "pi.local", "other.local", "home.example.org", "192.0.2.1", "2001:db8::1"] {
        assert!(accepted(&authority, name), "{name}");
    }
    for name in ["example.org", "bank.example", "www.home.example", "localhost.example", "pi.example.org"] {
        assert!(!accepted(&authority, name), "{name}");
    }
    let (_, parsed) = X509Certificate::from_der(authority.certificate()).unwrap();
    let usage = parsed.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.server_auth && !usage.any && !usage.code_signing && !usage.email_protection && !usage.client_auth);
    assert!(!parsed.subject().to_string().contains("pi"), "{}", parsed.subject());
}

#[test]
fn no_clock_however_wrong_makes_it_useless() {
    for clock in [Wall::at(Duration::ZERO, false), at(3650)] {
        let dir = TestDir::new();
        let authority = Authority::open(&dir.0, &names()).unwrap();
        assert_eq!(authority.span, Span { from: EPOCH, until: AUTHORITY_UNTIL });
        let (leaf, _, _) = authority.sign(&["192.0.2.1".to_owned()], clock).unwrap();
        assert!(authority.recognises(&leaf, &["192.0.2.1".to_owned()]).is_some());
        assert!(authority.problems(&names(), clock).is_empty());
    }
}

#[test]
fn leaves_are_no_longer_than_browsers_allow_and_reach_as_far_back_as_they_may() {
    let dir = TestDir::new();
    let authority = Authority::open(&dir.0, &names()).unwrap();
    for day in [0, 100, 400, 800, 3000] {
        let (_, _, span) = authority.sign(&["192.0.2.1".to_owned()], at(day)).unwrap();
        let now = at(day).now;
        assert!(span.until - now < DAY * 398 && span.until - span.from < DAY * 825, "day {day}");
        assert!(span.from == EPOCH || now - span.from > DAY * 400, "day {day}: it holds where the clock was ahead");
    }
}

#[test]
fn a_leaf_with_more_than_was_asked_for_is_not_taken() {
    let dir = TestDir::new();
    let authority = Authority::open(&dir.0, &names()).unwrap();
    let both = ["192.0.2.1".to_owned(), "10.0.0.5".to_owned()];
    let (leaf, _, _) = authority.sign(&both, at(100)).unwrap();
    assert!(authority.recognises(&leaf, &both).is_some());
    assert!(authority.recognises(&leaf, &both[..1]).is_none());
}

#[test]
fn an_early_ca_or_one_from_another_time_or_without_a_name_goes_on_and_is_told() {
    let dir = TestDir::new();
    early(&dir, at(300).now);
    let authority = Authority::open(&dir.0, &names()).unwrap();
    assert!(accepted(&authority, "192.0.2.1") || authority.permitted.is_none());
    let told = authority.problems(&names(), at(301));
    assert!(told.len() == 1 && told[0].contains("any site") && told[0].contains("ca.key"), "{told:?}");
    let told = authority.problems(&names(), at(100));
    assert!(told.len() == 2 && told[0].contains("begins only on 2026-10-28"), "{told:?}");
    assert!(authority.problems(&names(), at(5000))[0].contains("over since"));

    let dir = TestDir::new();
    Authority::open(&dir.0, &Names { hostname: Some("pi".into()), ..Names::default() }).unwrap();
    let told = Authority::open(&dir.0, &names()).unwrap().problems(&names(), at(100));
    assert!(told.len() == 1 && told[0].contains("without the name home.example.org"), "{told:?}");
}

#[test]
fn a_broken_ca_is_told_in_words_and_never_replaced() {
    let dir = TestDir::new();
    let open = || Authority::open(&dir.0, &names()).map(|_| ()).map_err(|e| e.to_string());
    open().unwrap();
    let key = std::fs::read(dir.0.join("ca.key")).unwrap();
    let certificate = std::fs::read(dir.0.join("ca.pem")).unwrap();

    std::fs::write(dir.0.join("ca.key"), "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").unwrap();
    assert!(open().unwrap_err().contains("ca.key: holds no private key"));
    let other = TestDir::new();
    Authority::open(&other.0, &names()).unwrap();
    std::fs::copy(other.0.join("ca.key"), dir.0.join("ca.key")).unwrap();
    assert!(open().unwrap_err().contains("is not the key of ca.pem"));
    std::fs::write(dir.0.join("ca.key"), key).unwrap();
    std::fs::write(dir.0.join("ca.pem"), &certificate[..certificate.len() / 2]).unwrap();
    assert!(open().unwrap_err().contains("ca.pem: holds no certificate"));
    std::fs::write(dir.0.join("ca.pem"), [0xff, 0xfe]).unwrap();
    assert!(open().unwrap_err().contains("ca.pem"));
    std::fs::write(dir.0.join("ca.pem"), &certificate).unwrap();
    open().unwrap();
    std::fs::remove_file(dir.0.join("ca.key")).unwrap();
    assert!(open().unwrap_err().contains("ca.key: is missing"));
}
