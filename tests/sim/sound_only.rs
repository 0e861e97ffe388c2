//! Browsers without H.264: they hear home and talk, and cost nobody else anything.

use intercom_core::call::protocol::{ErrorCode, FromHome, FromPage};
use str0m_netem::{Bitrate as LinkRate, DataSize, NetemConfig};

use crate::terms::{ms, s};
use crate::viewer::Video;
use crate::world::World;

fn ordinary() -> NetemConfig {
    NetemConfig::new().latency(ms(20))
}

/// A viewer whose browser offers this opens the page.
fn visit(world: &mut World, video: Video, link: NetemConfig) -> usize {
    let index = world.viewer(link);
    world.viewers[index].video = video;
    world.open_socket(index);
    let now = world.now;
    world.viewers[index].open_page(now);
    index
}

#[test]
fn a_browser_without_h264_hears_home_and_is_heard() {
    for video in [Video::Other, Video::None] {
        let mut world = World::new();
        let a = visit(&mut world, video, ordinary());
        assert!(world.run_until(s(5), |w| !w.viewers[a].sounds.is_empty()), "{}", world.home.status());
        let now = world.now;
        // A page that errs about its camera is not believed.
        world.viewers[a].say(&FromPage::State { microphone: true, camera: true, saves: false }, now);
        world.viewers[a].speak(now);
        world.run(s(20));
        assert!(world.last_error(a).is_none(), "{:?}", world.last_error(a));
        let (whole, _) = world.heard_part(a, now, world.now - ms(500), ms(200));
        assert_eq!(whole, 1.0, "all of home's sound arrives");
        let (viewer, spoken) = (&world.listed[0], &world.heard);
        assert!(viewer.connected && viewer.microphone && !viewer.camera, "{viewer:?}");
        assert!(spoken[&viewer.visit] > 900, "home hears them: {spoken:?}");
        // The encoder ran before it was known that nobody would see anything.
        let encoded = world.encoders[0].frames;
        world.run(s(10));
        assert_eq!(world.encoders.each_ref().map(|encoder| encoder.bitrate), [None; 4], "nothing is encoded");
        assert_eq!(world.encoders[0].frames, encoded);
        let status = world.home.status();
        assert_eq!(status["visits"][0]["pictured"], false, "{status}");
    }
}

#[test]
fn nobody_else_notices_a_viewer_without_a_picture() {
    // What only carries a voice, and little beside it.
    let narrow = NetemConfig::new().latency(ms(40)).link(LinkRate::kbps(90), DataSize::kbytes(20));
    let mut world = World::new();
    let a = world.visit(ordinary());
    let b = visit(&mut world, Video::Other, narrow);
    world.run(s(10));
    let (now, keyframes) = (world.now, world.encoders[0].keyframes);
    world.run(s(30));
    assert!(
        world.viewers[a].longest_gap(now, world.now) < ms(200),
        "the picture stood still for {:?}",
        world.viewers[a].longest_gap(now, world.now)
    );
    assert_eq!(world.encoders[0].keyframes, keyframes, "no keyframe is made for who sees none");
    assert_eq!(world.speech.map(|speech| speech.bitrate.kbps()), Some(32), "the voice stays as good");
    let (whole, _) = world.heard_part(b, now, world.now - ms(1000), ms(400));
    assert!(whole > 0.99, "{whole}");
    // And they hear each other.
    let now = world.now;
    world.viewers[b].speak(now);
    world.run(s(5));
    assert_eq!(world.heard.len(), 1, "{:?}", world.heard);
}

#[test]
fn a_connection_of_sound_alone_is_mended_like_any_other() {
    let mut world = World::new();
    let a = visit(&mut world, Video::Other, ordinary());
    assert!(world.run_until(s(5), |w| !w.viewers[a].sounds.is_empty()));
    let heard = world.viewers[a].sounds.len();
    let now = world.now;
    world.viewers[a].restart_ice(now);
    world.run(s(5));
    assert!(world.last_error(a).is_none(), "{:?}", world.last_error(a));
    assert!(world.viewers[a].sounds.len() > heard + 200 && world.viewers[a].connected());
    // The codec has arrived: the next connection brings the picture, in the same visit.
    world.viewers[a].video = Video::H264;
    let now = world.now;
    world.viewers[a].build(now);
    world.viewers[a].say_offer(now);
    world.viewers[a].say_candidate(now);
    assert!(world.run_until(s(5), |w| w.viewers[a].shown.len() > 30), "{}", world.home.status());
    let status = world.home.status();
    assert_eq!((&status["visits"][0]["pictured"], status["visits"].as_array().map(Vec::len)), (&true.into(), Some(1)));
}

#[test]
fn who_only_hears_has_a_seat_like_anybody() {
    let mut world = World::with_max(1);
    let a = visit(&mut world, Video::Other, ordinary());
    assert!(world.run_until(s(5), |w| !w.viewers[a].sounds.is_empty()));
    let b = world.visit(ordinary());
    world.run(s(2));
    assert!(matches!(world.last_error(b), Some(FromHome::Error { code: ErrorCode::Full, .. })));
}

#[test]
fn an_offer_that_drops_the_picture_is_refused_and_the_picture_goes_on() {
    let mut world = World::new();
    let a = world.visit(ordinary());
    assert!(world.run_until(s(5), |w| w.viewers[a].shown.len() > 30));
    let credentials = |line: &str| match line.split_once(':') {
        Some(("a=ice-ufrag", _)) => "a=ice-ufrag:fresh".to_owned(),
        Some(("a=ice-pwd", _)) => format!("a=ice-pwd:{}", "fresh".repeat(5)),
        _ => line.to_owned(),
    };
    let offer: Vec<String> = world.viewers[a].offer().lines().map(credentials).collect();
    // The browser wants no video any more; or it wants another codec.
    let unwanted = |line: &String| match line.strip_prefix("a=group:BUNDLE ").and_then(|mids| mids.split_once(' ')) {
        Some((audio, _)) => format!("a=group:BUNDLE {audio}"),
        None => line.replace("m=video 9", "m=video 0"),
    };
    let unwanted: Vec<String> = offer.iter().map(unwanted).collect();
    let other: Vec<String> = offer.iter().map(|line| line.replace(" H264/", " H265/")).collect();
    for (rev, lines) in (2..).zip([unwanted, other]) {
        assert_ne!(lines, offer);
        let now = world.now;
        let sdp = lines.join("\r\n") + "\r\n";
        world.viewers[a].say(&FromPage::Offer { pc: 1, rev, sdp, kbps: None, saves: false }, now);
        // So long that checks with credentials which nobody has would have ended the connection.
        world.run(s(40));
        let Some(FromHome::Error { code, fatal, .. }) = world.last_error(a) else { panic!("it is refused") };
        assert_eq!((code, *fatal), (&ErrorCode::BadOffer, false));
        let still = world.viewers[a].longest_gap(now, world.now);
        assert!(still < ms(300), "the picture stood still for {still:?}");
        world.viewers[a].heard.clear();
    }
    // And a sound restart of the same connection is answered.
    let now = world.now;
    world.viewers[a].restart_ice(now);
    world.viewers[a].heard.clear();
    world.run(s(5));
    assert!(world.viewers[a].connected() && world.last_error(a).is_none(), "{:?}", world.last_error(a));
    assert!(world.viewers[a].is_answered(), "the restart is a new revision");
    let still = world.viewers[a].longest_gap(now, world.now);
    assert!(still < s(1), "the picture stood still for {still:?}");
}

#[test]
fn an_offer_with_neither_picture_nor_sound_for_home_is_refused() {
    let mut world = World::new();
    let a = world.visit(ordinary());
    assert!(world.run_until(s(5), |w| !w.viewers[a].shown.is_empty()));
    let video = "v=0\r\na=group:BUNDLE 0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=rtpmap:96 VP8/90000\r\na=fingerprint:sha-256 ";
    let fingerprint = vec!["AB"; 32].join(":");
    let audio = video.replace("m=video", "m=audio").replace("VP8/90000", "PCMU/8000");
    for (pc, sdp) in (2..).zip([video, &audio]) {
        let now = world.now;
        let sdp = format!("{sdp}{fingerprint}\r\n");
        world.viewers[a].say(&FromPage::Offer { pc, rev: 1, sdp, kbps: None, saves: false }, now);
        world.run(s(1));
        let Some(FromHome::Error { code, message, fatal }) = world.last_error(a) else { panic!("it is refused") };
        assert_eq!((code, *fatal), (&ErrorCode::BadOffer, false));
        assert_eq!(message, "offer not usable: it has neither H.264 nor Opus that home can send");
        world.viewers[a].heard.clear();
    }
}

/// The snapshots that came since they were last taken.
fn take_snapshots(world: &mut World, index: usize) -> usize {
    let heard = std::mem::take(&mut world.viewers[index].heard);
    heard.iter().filter(|message| matches!(message, FromHome::Snapshot { .. })).count()
}

#[test]
fn who_cannot_see_video_gets_snapshots_about_once_a_second_and_nobody_else_does() {
    let mut world = World::new();
    let a = visit(&mut world, Video::Other, ordinary());
    let b = world.visit(ordinary());
    // Not before media flows.
    let now = world.now;
    world.viewers[a].say(&FromPage::Snapshot {}, now);
    world.run(ms(1));
    assert_eq!((take_snapshots(&mut world, a), world.snapshots), (0, 0));
    assert!(world.run_until(s(5), |w| !w.viewers[a].sounds.is_empty() && !w.viewers[b].shown.is_empty()));
    take_snapshots(&mut world, b);
    for _ in 0..200 {
        let now = world.now;
        for viewer in [a, b] {
            world.viewers[viewer].say(&FromPage::Snapshot {}, now);
        }
        world.run(ms(100));
    }
    let (ordered, got) = (world.snapshots, take_snapshots(&mut world, a));
    assert!((19..=23).contains(&ordered), "{ordered} were made in 20 s, however often one is asked for");
    assert_eq!((got, take_snapshots(&mut world, b)), (ordered, 0));
    assert!(world.last_error(a).is_none() && world.last_error(b).is_none());
}

#[test]
fn a_snapshot_goes_to_those_who_wait_and_ends_with_the_media() {
    let mut world = World::new();
    let [a, b] = [0; 2].map(|_| visit(&mut world, Video::None, ordinary()));
    assert!(world.run_until(s(5), |w| [a, b].iter().all(|viewer| !w.viewers[*viewer].sounds.is_empty())));
    assert_eq!([a, b].map(|viewer| take_snapshots(&mut world, viewer)), [0, 0], "nobody asked");
    let now = world.now;
    world.viewers[a].say(&FromPage::Snapshot {}, now);
    world.run(s(1));
    assert_eq!([a, b].map(|viewer| take_snapshots(&mut world, viewer)), [1, 0]);
    // What was ordered by nobody that is there goes to nobody.
    world.home.handle_snapshot("late");
    world.run(s(1));
    assert_eq!([a, b].map(|viewer| take_snapshots(&mut world, viewer)), [0, 0]);
    // The path dies, the socket does not: no picture for somebody whose browser no longer answers.
    world.viewers[a].blocked = true;
    assert!(world.run_until(s(60), |w| w.listed.iter().any(|viewer| !viewer.connected)));
    let (now, before) = (world.now, world.snapshots);
    world.viewers[a].say(&FromPage::Snapshot {}, now);
    world.run(ms(500));
    assert_eq!((take_snapshots(&mut world, a), world.snapshots), (0, before));
}
