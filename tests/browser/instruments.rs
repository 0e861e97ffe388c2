//! The measuring tools themselves, on pages whose truth is known.

use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::time::Duration;

use crate::harness::chromium::Permission;
use crate::harness::frames::{Judgement, STRIP};
use crate::harness::net::{self, Routed};
use crate::lab::Lab;

const CALL: &str = r#"
<!doctype html><body><video id="home" autoplay muted playsinline></video><canvas width=640 height=480></canvas>
<script>
const canvas = document.querySelector('canvas'), context = canvas.getContext('2d');
let seq = 4090;
setInterval(() => {
  context.fillStyle = `hsl(${seq} 50% 50%)`; context.fillRect(0, 32, 640, 448);
  strip(context, 640, Date.now(), seq++);
}, 50);
(async () => {
  const sound = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
  const [far, near] = [new RTCPeerConnection(), new RTCPeerConnection()];
  far.onicecandidate = e => near.addIceCandidate(e.candidate);
  near.onicecandidate = e => far.addIceCandidate(e.candidate);
  const stream = new MediaStream([...canvas.captureStream().getTracks(), ...sound.getTracks()]);
  stream.getTracks().forEach(t => far.addTrack(t, stream));
  near.ontrack = e => { document.querySelector('#home').srcObject = e.streams[0]; };
  await far.setLocalDescription(); await near.setRemoteDescription(far.localDescription);
  await near.setLocalDescription(); await far.setRemoteDescription(near.localDescription);
})();
</script>"#;

/// The written test vector of the coded strip, drawn and read at three widths; and one with a wrong bit.
pub fn strip_vector(lab: &mut Lab) {
    let page = lab.viewer(Permission::Granted);
    page.open(&serve(format!("<!doctype html><body><script>{STRIP}</script>")));
    page.wait_for("the page", Duration::from_secs(10), "typeof strip === 'function'");
    for width in [640, 1280, 1920] {
        let read = page.eval(&format!(
            "(() => {{ const c = document.createElement('canvas'); c.width = {width}; c.height = 360;
               const rows = strip(c.getContext('2d'), {width}, 1790000000000, 0x5a3);
               return {{ rows, ...lab.readStrip(c, {width}) }}; }})()"
        ));
        assert_eq!(read["rows"][0], "1010000110100000110001000101000001101100");
        assert_eq!(read["rows"][1], "0101000000000101101000110111011100110101");
        assert_eq!((read["at"].as_u64(), read["seq"].as_u64()), (Some(1_790_000_000_000), Some(0x5a3)), "{width}");
    }
    let spoiled = page.eval(
        "(() => { const c = document.createElement('canvas'); c.width = 640; c.height = 480;
           const g = c.getContext('2d'); strip(g, 640, 1790000000000, 1); g.fillStyle = '#fff'; g.fillRect(160, 16, 16, 16);
           const one = lab.readStrip(c, 640); g.fillStyle = '#777'; g.fillRect(0, 0, 640, 32);
           return [one.unreadable, lab.readStrip(c, 640).unreadable]; })()",
    );
    assert_eq!(spoiled, serde_json::json!(["crc", "sync"]));
}

/// A call of a page with itself: stamped frames come in order across the wrap of their number, and the fake
/// microphone's beep is found twice a second.
pub fn loopback(lab: &mut Lab) {
    let page = lab.viewer(Permission::Granted);
    page.open(&serve(CALL.replace("<script>", &format!("<script>{STRIP}"))));
    page.wait_coded_frames(30, Duration::from_secs(20));
    let judged = Judgement::of(&page.frames_since(0.0));
    assert_eq!((judged.bad_crc, judged.backwards), (0, 0), "{judged:?}");
    let median = judged.latency(0.5).expect("a latency");
    assert!((0.0..2000.0).contains(&median), "an age in ms: {judged:?}");
    let sound = page.hear(2.0);
    let beeps = sound.beeps(400.0);
    assert!(beeps.len() >= 2, "beeps at {beeps:?}, loudness {}", sound.loudness());
    assert!(page.stats()["video"]["framesDecoded"].as_u64() > Some(20), "{}", page.stats());
    // A busy machine makes it small, and nothing makes it large.
    assert!((0.05..2.0).contains(&sound.pace), "the pace of the browser's sound: {}", sound.pace);
}

/// A viewer who says yes, no and nothing.
pub fn permissions(lab: &mut Lab) {
    let ask = "Promise.race([navigator.mediaDevices.getUserMedia({ audio: true, video: true }).then(() => 'yes', e => e.name),
        new Promise(r => setTimeout(r, 1500, 'no answer'))])";
    for (permission, answer) in
        [(Permission::Granted, "yes"), (Permission::Denied, "NotAllowedError"), (Permission::Undecided, "no answer")]
    {
        let page = lab.viewer(permission);
        page.open(&serve("<!doctype html><body>".into()));
        page.wait_for("the page", Duration::from_secs(10), "!!document.body && location.port");
        assert_eq!(page.eval(ask), answer, "{permission:?}");
    }
}

/// Two masquerading routers: the forwarded port leads home, and nothing else leads inside.
pub fn routers(_: &mut Lab) {
    if !net::allowed("instruments: routers") {
        return;
    }
    let routed = Routed::new(40443, 8443);
    let bind = |address: &'static str| {
        let socket = UdpSocket::bind(address).expect("bind");
        socket.set_read_timeout(Some(Duration::from_secs(1))).expect("a time limit");
        socket
    };
    let home = routed.home.enter(|| bind("192.168.11.2:8443"));
    let viewer = routed.viewer.enter(|| bind("192.168.22.2:5000"));
    let mut text = [0; 16];
    viewer.send_to(b"to home", "203.0.113.1:40443").expect("send");
    let (_, from) = home.recv_from(&mut text).expect("the forwarded port leads home");
    assert_eq!(from.ip().to_string(), "203.0.113.2", "the viewer is masqueraded");
    home.send_to(b"back", from).expect("send");
    let (_, from) = viewer.recv_from(&mut text).expect("the way back is open");
    assert_eq!(from.to_string(), "203.0.113.1:40443");
    home.send_to(b"unasked", "203.0.113.2:5000").expect("send");
    assert!(viewer.recv_from(&mut text).is_err(), "nothing comes in unasked");
}

/// UDP cut and joined again.
pub fn cut(_: &mut Lab) {
    if !net::allowed("instruments: cut") {
        return;
    }
    let (home, viewer) = net::home_and_viewer();
    let (a, b) = (home.enter(|| UdpSocket::bind("10.77.0.1:8443")), viewer.enter(|| UdpSocket::bind("10.77.0.2:5000")));
    let (a, b) = (a.expect("bind"), b.expect("bind"));
    a.set_read_timeout(Some(Duration::from_millis(500))).expect("a time limit");
    let cut = home.cut("udp", 8443);
    b.send_to(b"x", "10.77.0.1:8443").expect("send");
    assert!(a.recv_from(&mut [0; 9]).is_err(), "nothing passes while it is cut");
    drop(cut);
    b.send_to(b"x", "10.77.0.1:8443").expect("send");
    assert!(a.recv_from(&mut [0; 9]).is_ok(), "everything passes again");
}

/// Serves one page on loopback, which browsers trust like HTTPS; gives its address.
fn serve(html: String) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\nconnection: close";
            let _ = write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{html}", html.len());
        }
    });
    format!("http://{address}/")
}
