//! Words, spoken at home and by a viewer at the same time, over paths as bad as told. They judge the paths: home leaves out
//! its echo cancellation, which takes words away while both talk. The sound bench judges that.

use std::path::{Path as File, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::harness::chromium::{Options, Permission};
use crate::harness::daemon::{Daemon, Setup};
use crate::harness::net;
use crate::harness::path::{Impairment, Path};
use crate::harness::sound::Sound;
use crate::harness::wait;
use crate::harness::words::intelligibility;
use crate::harness::{TempDir, artefacts};
use crate::lab::Lab;
use crate::recogniser::{SENTENCES, run, word_errors};
use crate::watching::PATIENCE;

/// Voices of espeak-ng's that the recogniser understands.
const AT_HOME: &str = "en-us+f2";
const FAR_AWAY: &str = "en-us+m1";

/// Seconds that are listened to: all sentences, which take 15, from the begin of the next one on, which comes within 3.
const LISTEN: f64 = 20.0;

/// Talks that are held at most until one can be judged.
const TALKS: u32 = 3;

/// The pace of the browser's sound from which on it counts as real time: 1.00 on a machine with two free cores, 0.44 to 0.72
/// on one core that is shared.
const REAL_TIME: f64 = 0.97;

/// Has the sentences read into a WAV file; `voice` is one of espeak-ng's.
fn read_out(dir: &TempDir, name: &str, voice: &str) -> PathBuf {
    let raw = dir.path().join(format!("{name}-raw.wav"));
    let text = SENTENCES.map(|words| words.join(" ") + ". ").concat();
    run(Command::new("espeak-ng").args(["-v", voice, "-s", "150", "-w"]).arg(&raw).arg(text));
    let wav = dir.path().join(format!("{name}.wav"));
    let to = ["-ar", "48000", "-ac", "1", "-c:a", "pcm_s16le"];
    run(Command::new("ffmpeg").args(["-y", "-loglevel", "error", "-i"]).arg(&raw).args(to).arg(&wav));
    wav
}

fn sound(wav: &File) -> Sound {
    Sound::read_wav(wav).expect("a WAV file")
}

/// What an instrument of such use must tell apart.
pub fn instrument(lab: &mut Lab) {
    let dir = TempDir::new("words");
    for voice in [AT_HOME, FAR_AWAY] {
        let twice = sound(&read_out(&dir, "twice", voice)).samples.repeat(2);
        let wrong = |samples: Vec<f64>| word_errors(&Sound { samples, ..Sound::SILENCE });
        let backwards = wrong(twice.iter().rev().copied().collect());
        // Of each 0.4 s the first is there: less than a word.
        let holes = wrong(twice.iter().enumerate().map(|(n, s)| if n % 19_200 < 4800 { *s } else { 0.0 }).collect());
        let clear = wrong(twice);
        lab.note(format_args!("{voice}: words wrong {clear:.2}, with holes {holes:.2}, backwards {backwards:.2}"));
        assert!(clear <= 0.1 && holes > 0.5 && backwards > 0.5, "{voice}");
    }
    let spoken = sound(&read_out(&dir, "spoken", AT_HOME));
    let with = |change: &dyn Fn(usize, f64) -> f64| {
        let samples = spoken.samples.iter().enumerate().map(|(n, sample)| change(n, *sample)).collect();
        intelligibility(&spoken, &Sound { samples, ..Sound::SILENCE })
    };
    assert!(with(&|_, sample| 0.3 * sample) > 0.99, "softer is as clear");
    let late = [vec![0.0; 60_000], spoken.samples.clone()].concat();
    let late = intelligibility(&spoken, &Sound { samples: late, ..Sound::SILENCE });
    assert!(late > 0.9, "later is as clear: {late}");
    let random = std::cell::RefCell::new(fastrand::Rng::with_seed(5));
    let level = spoken.loudness();
    let noisy = |by: f64| with(&|_, sample| sample + (random.borrow_mut().f64() - 0.5) * 3.4 * level * by);
    let [slight, strong] = [0.1, 8.0].map(noisy);
    assert!(slight > 0.9 && strong < 0.6, "noise: {slight} and {strong}");
    // Half of all packets missing.
    let gone: Vec<bool> = (0..2000).map(|_| random.borrow_mut().bool()).collect();
    let holes = with(&|n, sample| if gone[n / 960] { 0.0 } else { sample });
    assert!(holes < 0.75, "holes: {holes}");
    let mut backwards = spoken.samples.clone();
    backwards.reverse();
    let backwards = intelligibility(&spoken, &Sound { samples: backwards, ..Sound::SILENCE });
    assert!(backwards < 0.6, "nonsense: {backwards}");
}

/// How well words were understood, at home and far away.
#[derive(Debug)]
struct Understood {
    /// Short-time objective intelligibility.
    scores: [f64; 2],
    /// Part of the words that a recogniser gets wrong.
    wrong: [f64; 2],
}

/// Both sides speak at once over such a path; how well each is understood at the other end, and the whole is told. A talk in
/// which the machine was too busy for the browser to play and record in real time says nothing of home: another is held.
fn conversation(lab: &mut Lab, what: &str, way: Impairment) -> Option<Understood> {
    if !net::allowed(what) {
        return None;
    }
    for _ in 0..TALKS {
        let (understood, pace) = talk(lab, what, way);
        if pace > REAL_TIME {
            return Some(understood);
        }
        lab.note(format_args!("the browser had {pace:.2} s of sound in a second: not judged"));
    }
    panic!("in none of {TALKS} talks did this machine play a browser's sound in real time");
}

/// One such talk, and the pace of the browser's sound in it.
fn talk(lab: &mut Lab, what: &str, way: Impairment) -> (Understood, f64) {
    let dir = TempDir::new("spoken");
    let (at_home, far_away) = (read_out(&dir, "home", AT_HOME), read_out(&dir, "viewer", FAR_AWAY));
    let path = Path::new(way, way, 7);
    let loops = ["ffmpeg", "-loglevel", "error", "-re", "-stream_loop", "-1", "-i"];
    let raw = ["-f", "s16le", "-ar", "48000", "-ac", "1", "-"];
    let file = at_home.display().to_string();
    let command: Vec<String> = loops.into_iter().chain([file.as_str()]).chain(raw).map(str::to_owned).collect();
    let (public_address, microphone) = (Some(Path::PUBLIC.into()), Some(command));
    let setup = Setup { public_address, microphone, echo_cancellation: false, ..Setup::default() };
    let home = Daemon::start_in(Some(&path.home), setup);
    let flags = vec![format!("--use-file-for-fake-audio-capture={}", far_away.display())];
    let page = lab.viewer_in(Some(&path.viewer), Options { flags, ..Options::from(Permission::Granted) });
    page.open(&format!("https://{}/#k={}", Path::PUBLIC, home.key()));
    page.wait_for(
        "media",
        PATIENCE,
        "document.body.dataset.media === 'connected' || document.body.dataset.state === 'live'",
    );
    page.wait_for("the question", PATIENCE, "!document.querySelector('#ask').hidden");
    page.keep_screenshot(&file_name(what));
    page.click("#join");
    let length = || Sound::read_wav(&home.wav()).map_or(0, |sound| sound.samples.len());
    wait("the viewer at home", PATIENCE, || (length() > 48_000 * 6).then_some(()));
    let (before, waited) = (length(), page.stats());
    let heard_far_away = page.hear(LISTEN);
    let behind = sound_behind(&waited, &page.stats());
    let recorded = (48_000.0 * LISTEN) as usize;
    wait("the viewer at home", PATIENCE, || (length() > before + recorded).then_some(()));
    let heard_at_home = sound(&home.wav()).since(before);
    let (status, loss) = (home.status().map(|status| status["visits"][0].clone()), path.loss());
    // What was heard is judged without them.
    lab.leave();
    drop((home, path));
    let sides = [("at-home", &far_away, &heard_at_home), ("far-away", &at_home, &heard_far_away)];
    let judged = std::thread::scope(|scope| {
        let judges = sides.map(|(place, spoken, heard)| {
            heard.write_wav(&artefacts().join(format!("{}-{place}.wav", file_name(what))));
            scope.spawn(move || (intelligibility(&sound(spoken), heard), word_errors(heard)))
        });
        judges.map(|judge| judge.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    let (scores, wrong) = (judged.map(|(score, _)| score), judged.map(|(_, wrong)| wrong));
    lab.note(format_args!(
        "{what}: loss {loss:.1?} %, understood {scores:.2?}, words wrong {wrong:.2?}, sound behind the picture by {behind:.0?} ms, {status:?}"
    ));
    (Understood { scores, wrong }, heard_far_away.pace)
}

/// By how many ms home's sound was played later than the picture that came with it, between two looks at the browser's
/// statistics: what each waited there, if there was a picture.
fn sound_behind(before: &serde_json::Value, after: &serde_json::Value) -> Option<f64> {
    let waits = |kind: &str, part: &str, of: &str| {
        let grown = |field: &str| Some(after[kind][field].as_f64()? - before[kind][field].as_f64()?);
        grown(of).filter(|count| *count > 0.0).and_then(|count| Some(grown(part)? / count * 1e3))
    };
    let picture = waits("video", "jitterBufferDelay", "jitterBufferEmittedCount")?
        + waits("video", "totalDecodeTime", "framesDecoded")?;
    Some(waits("audio", "jitterBufferDelay", "jitterBufferEmittedCount")? - picture)
}

fn file_name(what: &str) -> String {
    what.replace('%', "percent").replace([' ', '/'], "-")
}

impl Understood {
    /// Fails if either is hardly understood, or both are hard to.
    fn assert(&self, each: f64, mean: f64, wrong: f64) {
        let [at_home, far_away] = self.scores;
        assert!(at_home > each && far_away > each && (at_home + far_away) / 2.0 > mean, "{self:?}");
        assert!(self.wrong.iter().all(|part| *part <= wrong), "{self:?}");
    }
}

/// A path across a country, both ways, that loses so many percent.
fn far(loss: f64) -> Impairment {
    let (delay, jitter) = (Duration::from_millis(30), Duration::from_millis(10));
    Impairment { loss, delay, jitter, ..Impairment::default() }
}

/// A path like most.
pub fn ordinary_path(lab: &mut Lab) {
    if let Some(understood) = conversation(lab, "words over an ordinary path", far(0.5)) {
        understood.assert(0.75, 0.8, 0.2);
    }
}

/// Three of ten datagrams are lost, at random.
pub fn lossy_path(lab: &mut Lab) {
    if let Some(understood) = conversation(lab, "words over a path that loses 30 %", far(30.0)) {
        understood.assert(0.58, 0.68, 0.4);
    }
}

/// A tenth of all datagrams is lost, five in a row, and the rest comes up to 60 ms late, as through walls.
pub fn rough_path(lab: &mut Lab) {
    let (delay, jitter) = (Duration::from_millis(30), Duration::from_millis(60));
    let way = Impairment { loss: 10.0, burst: 5.0, delay, jitter, ..Impairment::default() };
    if let Some(understood) = conversation(lab, "words over a path with bursts of loss", way) {
        understood.assert(0.58, 0.65, 0.4);
    }
}

/// 64 kbit/s for sound and picture together, each way.
pub fn thin_path(lab: &mut Lab) {
    let way = Impairment { kbps: Some(64), delay: Duration::from_millis(30), ..Impairment::default() };
    if let Some(understood) = conversation(lab, "words over a path of 64 kbit/s", way) {
        understood.assert(0.52, 0.62, 0.5);
    }
}
