//! Being seen and heard at home.

use std::path::Path;
use std::time::Duration;

use crate::feels::sends_what_it_hears;
use crate::harness::chromium::Permission;
use crate::harness::page::Page;
use crate::harness::picture::Picture;
use crate::harness::sound::Sound;
use crate::harness::wait;
use crate::lab::Lab;
use crate::watching::{PATIENCE, living};

/// Frequency of Chromium's fake microphone, which beeps twice a second.
pub const BEEP_HZ: f64 = 400.0;

/// What home hears from now on for a while; nothing is recorded while nobody sends.
pub fn listen(wav: &Path, time: Duration) -> Sound {
    let length = || Sound::read_wav(wav).map_or(0, |s| s.samples.len());
    let before = length();
    std::thread::sleep(time);
    Sound::read_wav(wav).map_or(Sound::SILENCE, |all| all.since(before))
}

/// The viewer's camera is seen on the TV, moving, and the viewer's microphone is heard at home; each can be
/// switched off and on.
pub fn seen_and_heard(lab: &mut Lab) {
    let page = lab.visit(Permission::Granted);
    let (png, wav) = (lab.home().png(), lab.home().wav());
    living(&page);
    page.click("#join");
    let green = |least: f64| {
        let png = png.clone();
        move || Picture::read(&png).filter(|p| p.fake_camera_green() > least)
    };
    let first = wait("the viewer's camera on the TV", PATIENCE, green(0.15));
    wait("the viewer's picture moves", PATIENCE, || green(0.15)().filter(|p| p.difference(&first) > 0.001).map(drop));
    page.wait_for("the self-view", PATIENCE, "document.querySelector('#self').videoWidth > 0");
    assert!(page.visible("#self"));

    let beeps = || listen(&wav, Duration::from_secs(3)).beeps(BEEP_HZ).len();
    wait("the viewer's beep at home", PATIENCE, || (beeps() >= 4).then_some(()));

    sends_each_packet_twice(&page);
    page.click("#cam");
    wait("no viewer's picture on the TV", PATIENCE, || Picture::read(&png).filter(|p| p.fake_camera_green() < 0.02));
    page.click("#cam");
    wait("the viewer's camera on the TV again", PATIENCE, green(0.15));

    // A browser takes beeps for noise, and lowers them more and more. The next microphone is sent as it is: this one is pulled out.
    sends_what_it_hears(&page);
    page.run(
        "lab.connections.findLast(c => c.connectionState !== 'closed').getSenders().find(s => s.track?.kind === 'audio')
            .track.dispatchEvent(new Event('ended'));",
    );
    page.wait_for("another microphone", PATIENCE, "document.querySelector('#mic').dataset.device === 'on'");
    wait("the viewer's beep at home", PATIENCE, || (beeps() >= 4).then_some(()));
    page.click("#mic");
    wait("silence at home", PATIENCE, || (beeps() == 0).then_some(()));
    page.click("#mic");
    wait("the viewer's beep at home again", PATIENCE, || (beeps() >= 4).then_some(()));
}

/// Each packet of the viewer's sound brings the one before it along (RED): by the bitrate that the browser gives its sound, a packet
/// would be half as large without its twin inside. Seen with noise, of which no encoder makes less; of beeps, which the browser
/// takes for noise of the room and lowers more and more, there is soon so little that nothing can be told.
fn sends_each_packet_twice(page: &Page) {
    page.run(
        "const connection = lab.connections.findLast(c => c.connectionState !== 'closed');
        lab.sender = connection.getSenders().find(s => s.track?.kind === 'audio');
        lab.microphone = lab.sender.track;
        const context = new AudioContext();
        const buffer = context.createBuffer(1, context.sampleRate, context.sampleRate);
        buffer.getChannelData(0).forEach((_, at, samples) => (samples[at] = Math.random() - 0.5));
        const noise = new AudioBufferSourceNode(context, { buffer, loop: true });
        const out = context.createMediaStreamDestination();
        noise.connect(out);
        noise.start();
        await lab.sender.replaceTrack(out.stream.getAudioTracks()[0]);
        lab.sent = async () => [...(await lab.sender.getStats()).values()].find(s => s.type === 'outbound-rtp');
        lab.before = await lab.sent();",
    );
    page.wait_for(
        "each packet brings the one before it along",
        PATIENCE,
        "lab.sent().then(now => {
            const packets = now.packetsSent - lab.before.packetsSent;
            const bytes = now.bytesSent - lab.before.bytesSent;
            if (packets < 50) return false;
            lab.before = now;
            return bytes / packets > 1.3 * now.targetBitrate / 8 / 50;
        })",
    );
    page.run("await lab.sender.replaceTrack(lab.microphone);");
}

/// Two viewers share the TV.
pub fn grid(lab: &mut Lab) {
    let png = lab.home().png();
    let pages = [lab.visit(Permission::Granted), lab.visit(Permission::Granted)];
    for page in &pages {
        living(page);
        page.click("#join");
    }
    let halves = |p: &Picture| {
        let green = |from: usize, to: usize| {
            let rows = (0..p.height).step_by(4);
            let hits = rows.flat_map(|y| (from..to).step_by(4).map(move |x| (x, y)));
            let hits = hits.filter(|&(x, y)| {
                let [r, g, b] = p.pixel(x, y);
                g > 90 && g > r.saturating_add(60) && g > b.saturating_add(60)
            });
            hits.count() as f64 / ((to - from) as f64 / 4.0 * p.height as f64 / 4.0)
        };
        [green(0, p.width / 2), green(p.width / 2, p.width)]
    };
    wait("both viewers side by side", PATIENCE, || {
        Picture::read(&png).map(|p| halves(&p)).filter(|[left, right]| *left > 0.15 && *right > 0.15)
    });
    pages[0].close();
    // The one who stays gets the room once the other's visit has run out.
    wait("the one who stays", Duration::from_secs(60), || {
        Picture::read(&png).filter(|p| p.fake_camera_green() > 0.15).map(drop)
    });
}

/// Leaving ends what home sees; returning brings both back.
pub fn leave_and_return(lab: &mut Lab) {
    let png = lab.home().png();
    let green = || Picture::read(&png).map(|p| p.fake_camera_green());
    // A page of the test before may have been closed too fast to say goodbye. Its visit runs out.
    wait("nobody of before on the TV", Duration::from_secs(90), || green().filter(|g| *g < 0.02));
    let page = lab.visit(Permission::Granted);
    living(&page);
    page.click("#join");
    wait("the viewer on the TV", PATIENCE, || green().filter(|g| *g > 0.15));
    page.click("#leave");
    page.wait_state("left", PATIENCE);
    wait("nobody on the TV", PATIENCE, || green().filter(|g| *g < 0.02));
    assert_eq!(
        page.eval("lab.connections.every(c => c.connectionState === 'closed')"),
        true,
        "no connection outlives leaving"
    );
    page.click("#return");
    living(&page);
}

/// Who allowed camera and microphone on an earlier visit is at home at once, without another question.
pub fn remembered(lab: &mut Lab) {
    let page = lab.visit(Permission::Remembered);
    let png = lab.home().png();
    living(&page);
    wait("the viewer on the TV", PATIENCE, || Picture::read(&png).filter(|p| p.fake_camera_green() > 0.15).map(drop));
    assert!(!page.visible("#join"), "nothing is left to ask");
}
