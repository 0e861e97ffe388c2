//! Who has no key, too many keys, or bad manners.

use intercom_core::call::protocol::{ByeReason, CameraState, ErrorCode, FromHome, FromPage};
use str0m_netem::NetemConfig;

use crate::terms::{ms, s};
use crate::world::{HOME, World};

fn near() -> NetemConfig {
    NetemConfig::new().latency(ms(5))
}

fn error_code(message: Option<&FromHome>) -> Option<ErrorCode> {
    match message {
        Some(FromHome::Error { code, .. }) => Some(*code),
        _ => None,
    }
}

#[test]
fn a_wrong_key_hears_so_later_and_later_and_a_right_one_at_once() {
    let mut world = World::new();
    world.viewer(near());
    let home_of_the_guesser = world.viewers[0].address.ip();
    for (guess, wait) in [(1, 500), (2, 1000), (3, 2000)] {
        let a = world.viewer(near());
        world.viewers[a].address.set_ip(home_of_the_guesser);
        world.open_socket(a);
        let now = world.now;
        let hello = FromPage::Hello { v: 1, key: format!("guess {guess}"), resume: None, attempt: None };
        world.viewers[a].say(&hello, now);
        world.run(ms(wait - 100));
        assert!(world.viewers[a].heard.is_empty(), "nothing is said of home before the wait is over");
        // A guest with a key is let in meanwhile.
        let b = world.visit(near());
        assert!(world.run_until(ms(200), |w| w.viewers[b].token.is_some()));
        world.run(ms(300));
        assert_eq!(error_code(world.last_error(a)), Some(ErrorCode::WrongKey));
        assert!(world.viewers[a].socket.is_none(), "and the socket is closed");
    }
}

#[test]
fn a_guesser_is_kept_on_the_line_until_it_is_told() {
    let mut world = World::new();
    // The thirtieth guess waits for half a minute, far longer than a page goes without a pong.
    let mut last = world.viewer(near());
    let home_of_the_guesser = world.viewers[last].address.ip();
    for _ in 0..30 {
        last = world.viewer(near());
        world.viewers[last].address.set_ip(home_of_the_guesser);
        world.open_socket(last);
        let now = world.now;
        world.viewers[last].say(&FromPage::Hello { v: 1, key: "a guess".into(), resume: None, attempt: None }, now);
        world.run(ms(100));
    }
    for t in 1..=5 {
        world.run(s(5));
        let now = world.now;
        world.viewers[last].say(&FromPage::Ping { t: f64::from(t) }, now);
        world.run(ms(100));
        assert_eq!(world.viewers[last].heard.last(), Some(&FromHome::Pong { t: f64::from(t) }));
    }
    world.run(s(6));
    assert_eq!(error_code(world.last_error(last)), Some(ErrorCode::WrongKey));
    assert!(world.viewers[last].socket.is_none());
}

#[test]
fn whoever_says_no_hello_hears_nothing() {
    let mut world = World::new();
    for words in ["", "hello", "{}", r#"{"type":"offer","pc":1,"rev":1,"sdp":""}"#, r#"{"type":"ping","t":1}"#] {
        let a = world.viewer(near());
        world.open_socket(a);
        let now = world.now;
        world.viewers[a].say_text(words.into(), now);
        world.run(s(1));
        assert!(world.viewers[a].heard.is_empty());
        assert!(world.viewers[a].closed_by_home.is_some());
    }
    let silent = world.viewer(near());
    world.open_socket(silent);
    world.run(s(6));
    assert!(world.viewers[silent].closed_by_home.is_some());
}

#[test]
fn malformed_messages_get_an_answer_and_harm_nobody() {
    let mut world = World::new();
    let good = world.visit(near());
    let bad = world.visit(near());
    world.run(s(2));
    let since = world.now;
    let words = [
        "not json",
        "[]",
        r#"{"type":"dance"}"#,
        r#"{"type":"offer","pc":-1,"rev":0,"sdp":1}"#,
        r#"{"type":"offer","pc":9,"rev":1,"sdp":"v=0\r\n"}"#,
        r#"{"type":"offer","pc":9,"rev":1,"sdp":"m=video 9 UDP/TLS/RTP/SAVPF 96\r\n"}"#,
        r#"{"type":"hello","v":1,"key":"again"}"#,
    ];
    for text in words {
        let now = world.now;
        world.viewers[bad].heard.clear();
        world.viewers[bad].say_text(text.into(), now);
        world.run(ms(200));
        let code = error_code(world.last_error(bad));
        assert!(matches!(code, Some(ErrorCode::BadMessage | ErrorCode::BadOffer)), "{text}: {code:?}");
    }
    for text in [r#"{"type":"candidate","pc":1,"candidate":"candidate:rubbish"}"#, r#"{"type":"keyframe","pc":77}"#] {
        let now = world.now;
        world.viewers[bad].say_text(text.into(), now);
    }
    world.run(s(2));
    for index in [good, bad] {
        let gap = world.viewers[index].longest_gap(since, world.now);
        assert!(gap < ms(100), "viewer {index}: the picture stood still for {gap:?}");
    }
}

#[test]
fn a_flood_of_messages_loses_its_socket_only() {
    let mut world = World::new();
    let a = world.visit(near());
    world.run(s(2));
    let since = world.now;
    for _ in 0..1000 {
        let now = world.now;
        world.viewers[a].say(&FromPage::Ping { t: 1.0 }, now);
    }
    world.run(s(2));
    assert!(world.viewers[a].closed_by_home.is_some());
    assert_eq!(world.listed.len(), 1, "the visit stays");
    assert!(world.viewers[a].longest_gap(since, world.now) < ms(100), "and so does its picture");
}

#[test]
fn random_datagrams_reach_nobody() {
    let mut world = World::new();
    let a = world.visit(near());
    world.run(s(2));
    world.viewers[a].speak(world.now);
    world.run(s(1));
    let (since, before) = (world.now, world.heard.values().sum::<u64>());
    let mut random = fastrand::Rng::with_seed(11);
    let viewer = world.viewers[a].address;
    for round in 0..3000 {
        let mut bytes = vec![0; random.usize(0..1500)];
        random.fill(&mut bytes);
        if round % 3 == 0 && bytes.len() >= 20 {
            // Looks like STUN.
            bytes[0] = 0;
            bytes[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
        }
        // From strangers, and forged from the viewer's own address: RTP, RTCP, DTLS and noise.
        let from = if round % 2 == 0 { viewer } else { ([203, 0, 113, 9], 5000).into() };
        if round % 2 == 0 && !bytes.is_empty() {
            bytes[0] = [0x80, 0x81, 22, 23, 0, 255][random.usize(0..6)];
        }
        let now = world.now;
        world.home.handle_datagram(from, HOME.into(), &bytes, now);
        world.run(ms(1));
    }
    world.run(ms(100));
    let gap = world.viewers[a].longest_gap(since, world.now);
    assert!(gap < ms(100), "the picture stood still for {gap:?}");
    // The other way nothing is lost, and nothing comes in that the viewer did not say.
    let (packets, said) = (world.heard.values().sum::<u64>() - before, (world.now - since).as_millis() as u64 / 20);
    assert!(packets.abs_diff(said) <= 2, "home heard {packets} packets of {said}");
    assert!(world.stray.is_empty(), "strangers were answered: {:?}", world.stray);
}

#[test]
fn home_is_full_until_somebody_leaves() {
    let mut world = World::with_max(2);
    let a = world.visit(near());
    world.visit(near());
    world.run(s(2));
    let third = world.visit(near());
    world.run(s(1));
    assert_eq!(error_code(world.last_error(third)), Some(ErrorCode::Full));
    let now = world.now;
    world.viewers[a].say(&FromPage::Leave {}, now);
    world.run(ms(200));
    world.open_socket(third);
    let now = world.now;
    world.viewers[third].open_page(now);
    assert!(world.run_until(s(3), |w| w.viewers[third].shown.len() > 10));
}

#[test]
fn a_closed_tab_gives_its_place_to_a_newcomer() {
    let mut world = World::with_max(1);
    let a = world.viewer(near());
    world.viewers[a].blocked = true;
    world.open_socket(a);
    let now = world.now;
    world.viewers[a].open_page(now);
    world.run(s(1));
    world.kill_socket(a);
    let b = world.visit(near());
    assert!(world.run_until(s(3), |w| w.viewers[b].shown.len() > 10), "{}", world.home.status());
}

#[test]
fn a_revoked_key_ends_its_visits() {
    let mut world = World::new();
    let a = world.visit(near());
    world.run(s(2));
    let now = world.now;
    assert_eq!(world.home.handle_revoked(1, now), Ok(()));
    world.run(s(1));
    assert!(world.viewers[a].heard.contains(&FromHome::Bye { reason: ByeReason::Revoked, until: None }));
    assert!(world.listed.is_empty());
}

#[test]
fn pages_hear_of_an_unplugged_camera_and_of_a_shutdown() {
    let mut world = World::new();
    let a = world.visit(near());
    world.run(s(2));
    world.home.handle_camera(CameraState::Unplugged);
    world.run(ms(100));
    assert!(world.viewers[a].heard.contains(&FromHome::Camera { camera: CameraState::Unplugged }));
    let now = world.now;
    world.home.handle_shutdown(now);
    world.run(ms(100));
    assert!(world.viewers[a].heard.contains(&FromHome::Bye { reason: ByeReason::Restarting, until: None }));
}
