//! A page's first words in one POST: media comes up by them alone, and a WebSocket goes on with the visit.

use std::net::SocketAddr;

use intercom_core::call::chimes::Chime;
use intercom_core::call::home::SocketId;
use intercom_core::call::protocol::{Attempt, ByeReason, ErrorCode, FromHome, FromPage, RungName};
use str0m::Candidate;
use str0m::net::Protocol;

use crate::terms::{ms, ordinary, s};
use crate::world::{HOME, World};

impl World {
    /// The viewer's page says this in one POST.
    fn post(&mut self, index: usize, lines: &str) {
        let id = SocketId(self.next_socket);
        self.next_socket += 1;
        self.sockets.insert(id, index);
        let far = SocketAddr::new(self.viewers[index].address.ip(), 50_000);
        self.home.handle_post(id, lines, far, HOME.into(), self.now);
        self.run(ms(0));
    }

    /// POSTs that home has not answered yet.
    fn unanswered(&self) -> usize {
        self.sockets.keys().filter(|id| self.viewers.iter().all(|viewer| viewer.socket != Some(**id))).count()
    }
}

fn hello(world: &World, viewer: usize) -> String {
    let viewer = &world.viewers[viewer];
    line(&FromPage::Hello {
        v: 1,
        key: viewer.key.clone(),
        resume: viewer.token.clone(),
        attempt: viewer.attempt.clone(),
    })
}

fn line(message: &FromPage) -> String {
    serde_json::to_string(message).expect("serializable")
}

/// Hello, offer and candidate.
fn first_words(world: &mut World, viewer: usize) -> String {
    let now = world.now;
    world.viewers[viewer].build(now);
    let page = &world.viewers[viewer];
    let offer = FromPage::Offer { pc: page.pc, rev: 1, sdp: page.offer().to_owned(), kbps: None, saves: false };
    let candidate = Candidate::host(page.address, Protocol::Udp).expect("an address").to_sdp_string();
    let candidate = FromPage::Candidate { pc: page.pc, candidate };
    [hello(world, viewer), line(&offer), line(&candidate)].join("\n")
}

/// A page that has said its first words in a POST.
fn posted(world: &mut World) -> usize {
    let viewer = world.viewer(ordinary());
    let words = first_words(world, viewer);
    world.post(viewer, &words);
    viewer
}

fn heard(world: &World, viewer: usize, wanted: impl Fn(&FromHome) -> bool) -> usize {
    world.viewers[viewer].heard.iter().filter(|message| wanted(message)).count()
}

#[test]
fn media_comes_up_by_one_post_and_stays_without_any_socket() {
    let mut world = World::new();
    let a = posted(&mut world);
    world.run(ms(100));
    assert_eq!((world.unanswered(), world.viewers[a].is_answered()), (0, true), "all that is to be said comes at once");
    assert!(world.run_until(s(3), |w| w.viewers[a].shown.len() > 10), "{}", world.home.status());
    let since = world.now;
    world.run(s(600));
    let gap = world.viewers[a].longest_gap(since, world.now);
    assert!(gap < ms(200), "the picture stood still for {gap:?}");
    assert_eq!(world.home.status()["visits"][0]["socket"], false);
}

#[test]
fn a_websocket_goes_on_with_the_visit_of_a_post_and_nothing_is_told_twice() {
    for opens_after in (0..400).step_by(20) {
        let mut world = World::new();
        let a = posted(&mut world);
        // The page has heard of its visit.
        world.run(ms(20) + ms(opens_after));
        world.reconnect(a);
        assert!(world.run_until(s(5), |w| w.viewers[a].shown.len() > 30), "after {opens_after} ms");
        world.run(s(1));
        assert_eq!(world.viewers[a].resumed, Some(true), "after {opens_after} ms");
        assert_eq!((world.home.status()["visits"].as_array().map(Vec::len), world.listed.len()), (Some(1), 1));
        let arrivals = world.chimes.iter().filter(|(_, chime)| matches!(chime, Chime::Arrive)).count();
        assert_eq!((arrivals, world.home.visits(usize::MAX).len()), (1, 1), "one arrival, and one line in the log");
        assert_eq!(world.viewers[a].pc, 1, "the connection is the first one");
    }
}

#[test]
fn a_post_that_comes_late_takes_nothing_from_the_socket_that_followed_it() {
    let mut world = World::new();
    let a = posted(&mut world);
    world.run(ms(100));
    world.reconnect(a);
    world.run(s(2));
    let socket = world.viewers[a].socket;
    let words = [hello(&world, a), line(&FromPage::Ping { t: 7.0 })].join("\n");
    world.post(a, &words);
    world.run(s(2));
    assert_eq!((world.viewers[a].socket, world.viewers[a].closed_by_home), (socket, None));
    assert_eq!(heard(&world, a, |m| matches!(m, FromHome::Pong { .. })), 1, "and is answered");
    assert_eq!(world.home.status()["visits"][0]["socket"], true);
}

#[test]
fn words_that_come_later_get_through_by_further_posts() {
    let mut world = World::new();
    let a = posted(&mut world);
    world.run(s(2));
    for _ in 0..20 {
        let state = line(&FromPage::State { microphone: true, camera: false, saves: false });
        let words = [hello(&world, a), state, line(&FromPage::Ping { t: 7.0 })].join("\n");
        world.post(a, &words);
        world.run(s(5));
    }
    assert_eq!(heard(&world, a, |m| matches!(m, FromHome::Welcome { resumed: true, .. })), 20);
    assert_eq!(heard(&world, a, |m| matches!(m, FromHome::Pong { .. })), 20);
    assert!(world.listed[0].microphone && world.viewers[a].shown_since(world.now - s(5)) > 100);
    let words = [hello(&world, a), line(&FromPage::Leave {})].join("\n");
    world.post(a, &words);
    world.run(ms(100));
    assert!(world.listed.is_empty() && world.unanswered() == 0);
}

#[test]
fn whoever_only_ever_posts_and_has_no_media_does_not_keep_a_seat() {
    let mut world = World::new();
    let a = world.viewer(ordinary());
    world.viewers[a].blocked = true;
    let words = first_words(&mut world, a);
    world.post(a, &words);
    for _ in 0..11 {
        world.run(s(6));
        let words = hello(&world, a);
        if world.home.status()["visits"][0].is_null() {
            break;
        }
        world.post(a, &words);
    }
    world.run(s(1));
    let ended = |m: &FromHome| matches!(m, FromHome::Bye { reason: ByeReason::NoMedia, .. });
    assert_eq!((heard(&world, a, ended), world.listed.len()), (1, 0));
}

#[test]
fn a_stranger_hears_as_late_as_over_a_socket_and_never_what_was_wrong() {
    let mut world = World::new();
    let a = world.viewer(ordinary());
    world.viewers[a].key = crate::keys::key(9999);
    for wait in [ms(500), s(1), s(2)] {
        let words = first_words(&mut world, a);
        world.post(a, &words);
        world.run(wait - ms(1));
        assert_eq!(world.unanswered(), 1, "it is kept on the line for {wait:?}");
        world.run(ms(50));
        assert_eq!(world.unanswered(), 0);
    }
    let wrong = |m: &FromHome| matches!(m, FromHome::Error { code: ErrorCode::WrongKey, .. });
    assert_eq!((heard(&world, a, wrong), world.viewers[a].heard.len()), (3, 3), "that, and nothing else");
    let known = world.viewer(ordinary());
    let long = hello(&world, known).replace("\"v\":1", &format!("\"v\":1{}", " ".repeat(1024)));
    for rubbish in ["", "\n", "{}", "what?", "{\"type\":\"leave\"}", &long] {
        world.post(known, rubbish);
        world.run(ms(50));
        assert_eq!((world.unanswered(), world.viewers[known].heard.len()), (0, 0), "{rubbish:?}");
    }
}

#[test]
fn what_is_not_understood_in_a_visit_is_told_and_a_flood_ends_the_post_only() {
    let mut world = World::new();
    let a = posted(&mut world);
    world.run(s(2));
    let words = [hello(&world, a), "what?".into()].join("\n");
    world.post(a, &words);
    world.run(ms(100));
    assert_eq!(heard(&world, a, |m| matches!(m, FromHome::Error { code: ErrorCode::BadMessage, .. })), 1);
    let words = hello(&world, a) + &"\n{\"type\":\"snapshot\"}".repeat(2000);
    world.post(a, &words);
    world.run(ms(100));
    assert_eq!(heard(&world, a, |m| matches!(m, FromHome::Error { code: ErrorCode::TooFast, .. })), 1);
    assert_eq!((world.listed.len(), world.unanswered()), (1, 0));
}

#[test]
fn a_token_is_exchanged_by_a_post_as_well() {
    let mut world = World::new();
    world.home.handle_code_wanted(None, intercom_core::people::register::Role::Family, world.now);
    world.run(ms(0));
    let link = world.code.as_ref().expect("a code").link.clone();
    let token = link.rsplit_once("p=").expect("a token").1.to_owned();
    let a = world.viewer(ordinary());
    let pair = line(&FromPage::Pair { v: 1, token, nonce: "0123456789abcdef".into() });
    world.post(a, &pair);
    world.run(ms(50));
    assert_eq!((world.unanswered(), world.viewers[a].heard.len()), (1, 0), "not before it is stored");
    world.mint(true);
    world.run(ms(50));
    let key = world.viewers[a].heard.iter().find_map(|message| match message {
        FromHome::Paired { key } => Some(key.clone()),
        _ => None,
    });
    assert_eq!(world.unanswered(), 0);
    world.viewers[a].key = key.expect("a key");
    let words = first_words(&mut world, a);
    world.post(a, &words);
    assert!(world.run_until(s(3), |w| w.viewers[a].shown.len() > 10));
    // Whoever says the same again hears the same key at once.
    world.post(a, &pair);
    world.run(ms(50));
    assert_eq!((world.unanswered(), heard(&world, a, |m| matches!(m, FromHome::Paired { .. }))), (0, 2));
}

#[test]
fn posts_take_no_more_places_than_sockets_without_a_visit() {
    let mut world = World::new();
    let far = |n: u16| SocketAddr::from(([198, 51, 100, 1], n));
    let words = line(&FromPage::Hello { v: 1, key: crate::keys::key(9999), resume: None, attempt: None });
    for n in 0..100 {
        let now = world.now;
        world.home.handle_post(SocketId(1000 + u64::from(n)), &words, far(n + 1), HOME.into(), now);
    }
    assert_eq!(world.home.status()["sockets"], 16, "of one source");
    let a = posted(&mut world);
    assert!(world.run_until(s(3), |w| w.viewers[a].shown.len() > 10), "{}", world.home.status());
}

#[test]
fn a_page_that_comes_back_hears_which_picture_it_gets() {
    let mut world = World::new();
    let thin = crate::network::link(400);
    let a = world.viewer(thin);
    let words = first_words(&mut world, a);
    world.post(a, &words);
    world.run(s(20));
    let reduced = |m: &FromHome| matches!(m, FromHome::Stream { rung: RungName::Reduced });
    assert_eq!(heard(&world, a, reduced), 0, "nobody was there to hear it");
    let words = [hello(&world, a), line(&FromPage::Ping { t: 7.0 })].join("\n");
    world.post(a, &words);
    world.run(ms(100));
    assert_eq!(heard(&world, a, reduced), 1);
}

/// What the page calls its try to connect.
fn attempt(id: &str) -> Option<Attempt> {
    Some(Attempt::try_from(id.to_owned()).expect("an id"))
}

#[test]
fn a_page_that_hears_no_answer_to_its_post_stays_one_visit_over_its_socket() {
    for waits in [ms(0), ms(50), s(3), s(20)] {
        let mut world = World::new();
        let a = world.viewer(ordinary());
        world.viewers[a].attempt = attempt("0123456789abcdef");
        let words = first_words(&mut world, a);
        world.post(a, &words);
        // The answer is lost, and the page says over its socket what it said in the POST.
        world.viewers[a].lose_words();
        world.run(waits);
        world.reconnect(a);
        assert!(world.run_until(s(5), |w| w.viewers[a].shown.len() > 30), "after {waits:?}: {}", world.home.status());
        world.run(s(60));
        assert_eq!((world.listed.len(), world.home.visits(usize::MAX).len()), (1, 1), "after {waits:?}");
        assert_eq!(
            (world.viewers[a].resumed, world.viewers[a].pc),
            (Some(false), 1),
            "the page has heard of no other visit"
        );
        let arrivals = world.chimes.iter().filter(|(_, chime)| matches!(chime, Chime::Arrive)).count();
        let departures = world.chimes.iter().filter(|(_, chime)| matches!(chime, Chime::Leave)).count();
        assert_eq!((arrivals, departures), (1, 0), "after {waits:?}");
    }
}

#[test]
fn a_post_that_arrives_behind_the_socket_begins_no_visit_and_one_behind_the_farewell_neither() {
    let mut world = World::new();
    let a = world.viewer(ordinary());
    world.viewers[a].attempt = attempt("0123456789abcdef");
    let words = first_words(&mut world, a);
    world.reconnect(a);
    assert!(world.run_until(s(5), |w| w.viewers[a].shown.len() > 30), "{}", world.home.status());
    let (socket, since) = (world.viewers[a].socket, world.now);
    world.post(a, &words);
    // Nobody waits for its answer any more.
    world.viewers[a].lose_words();
    world.run(s(2));
    assert_eq!((world.listed.len(), world.viewers[a].socket, world.viewers[a].pc), (1, socket, 1));
    assert!(world.viewers[a].longest_gap(since, world.now) < ms(200));
    let now = world.now;
    world.viewers[a].say(&FromPage::Leave {}, now);
    world.run(ms(100));
    assert!(world.listed.is_empty());
    for token in [None, world.viewers[a].token.clone()] {
        world.viewers[a].token = token;
        let words = [hello(&world, a), line(&FromPage::Ping { t: 7.0 })].join("\n");
        world.viewers[a].heard.clear();
        world.post(a, &words);
        world.run(ms(100));
        assert_eq!((world.listed.len(), world.unanswered(), world.viewers[a].heard.len()), (0, 0, 0), "it has left");
    }
    // The same page comes again.
    (world.viewers[a].attempt, world.viewers[a].token) = (attempt("fedcba9876543210"), None);
    let words = first_words(&mut world, a);
    world.post(a, &words);
    let since = world.now;
    assert!(world.run_until(s(3), |w| w.viewers[a].shown_since(since) > 10), "{}", world.home.status());
}

#[test]
fn a_visit_that_home_has_ended_is_not_begun_again_by_a_late_post() {
    let mut world = World::new();
    let a = world.viewer(ordinary());
    world.viewers[a].attempt = attempt("0123456789abcdef");
    let words = first_words(&mut world, a);
    world.reconnect(a);
    world.run(s(2));
    let now = world.now;
    world.home.handle_decline_pressed(now);
    world.run(ms(100));
    world.post(a, &words);
    world.run(ms(100));
    assert_eq!(
        (world.listed.len(), heard(&world, a, |m| matches!(m, FromHome::Bye { reason: ByeReason::Ended, .. }))),
        (0, 2)
    );
}

#[test]
fn the_id_of_a_try_gives_nothing_that_the_key_does_not_give() {
    let mut world = World::new();
    let (a, b, stranger) = (world.viewer(ordinary()), world.viewer(ordinary()), world.viewer(ordinary()));
    for viewer in [a, b, stranger] {
        world.viewers[viewer].attempt = attempt("0123456789abcdef");
    }
    world.viewers[stranger].key = crate::keys::key(9999);
    let words = first_words(&mut world, a);
    world.post(a, &words);
    world.run(s(2));
    let since = world.now;
    for viewer in [b, stranger] {
        let words = first_words(&mut world, viewer);
        world.post(viewer, &words);
    }
    world.run(s(2));
    let tokens: Vec<_> = [a, b, stranger].map(|viewer| world.viewers[viewer].token.clone()).into();
    assert!(tokens[0].is_some() && tokens[1].is_some() && tokens[0] != tokens[1], "another key, another visit");
    assert_eq!((world.listed.len(), &tokens[2]), (2, &None));
    assert!(world.viewers[a].longest_gap(since, world.now) < ms(200), "and nobody's picture stands still");
    // What the key alone gives: a visit of its own.
    world.viewers[a].attempt = None;
    world.viewers[a].token = None;
    let words = hello(&world, a);
    world.post(a, &words);
    world.run(ms(100));
    assert_eq!(world.listed.len(), 3, "an old page has no id");
}

#[test]
fn a_wrong_key_counts_once_however_often_a_page_says_it_and_every_other_guess_counts() {
    let mut world = World::new();
    let a = world.viewer(ordinary());
    world.viewers[a].key = crate::keys::key(9999);
    for wait in [ms(500), s(1), s(2)] {
        let words = first_words(&mut world, a);
        world.post(a, &words);
        world.run(wait + ms(50));
    }
    // The fourth waits for 4 s. The page waits for 3, and says it over its socket.
    world.viewers[a].attempt = attempt("0123456789abcdef");
    let words = first_words(&mut world, a);
    world.post(a, &words);
    world.run(s(3));
    world.viewers[a].heard.clear();
    world.reconnect(a);
    world.run(ms(950));
    assert!(world.viewers[a].heard.is_empty());
    world.run(ms(100));
    let wrong = |m: &FromHome| matches!(m, FromHome::Error { code: ErrorCode::WrongKey, .. });
    assert_eq!(heard(&world, a, wrong), 2, "both at once");
    // The next guess waits for as long as if nothing had been said twice.
    world.viewers[a].key = crate::keys::key(9998);
    let words = hello(&world, a);
    world.post(a, &words);
    world.run(ms(7950));
    assert_eq!(world.unanswered(), 1);
    world.run(ms(100));
    assert_eq!(world.unanswered(), 0);
}

#[test]
fn an_id_that_is_none_is_answered_as_a_hello_that_is_none() {
    let mut world = World::new();
    let a = world.viewer(ordinary());
    let long = format!("\"{}\"", "x".repeat(65));
    for id in ["\"short\"", "7", "{}", "[]", "\"0123456789 abcdef\"", &long] {
        let words = hello(&world, a).replace('}', &format!(",\"attempt\":{id}}}"));
        world.post(a, &words);
        world.run(ms(50));
        assert_eq!((world.unanswered(), world.viewers[a].heard.len(), world.listed.len()), (0, 0, 0), "{id}");
    }
}
