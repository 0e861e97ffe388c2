//! The way back: from a viewer's camera (a canvas with the coded strip) to the picture that the TV's driver is given, and
//! from their microphone (beeps) to the speaker's driver, so that both can be compared.
//!
//! The bench is the TV itself: `[display.exec]` runs it with `--tv-reader`, and it notes when each picture was wholly
//! there. The speaker is the recorder, which takes each block when it is to be heard; the bench notes when the recording
//! grows. What a screen adds behind that, until its next refresh, is the screen's.

use std::collections::HashMap;
use std::io::{self, BufRead, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::footage::{read_strip, unix_ms};
use crate::harness::chromium::{Chromium, Permission};
use crate::harness::daemon::{Daemon, Setup};
use crate::harness::frames::{STRIP, quantile};
use crate::harness::sound::Sound;
use crate::proc;

/// Of the beeps.
const BEEP_HZ: f64 = 1000.0;

/// Draws the strip 30 times a second and is the page's camera; beeps each second and is its microphone.
const CAMERA: &str = r#"
{
  const WIDTH = @WIDTH@, HEIGHT = @HEIGHT@;
  @STRIP@
  const media = navigator.mediaDevices, ask = media.getUserMedia.bind(media);
  media.getUserMedia = async wish => {
    if (!wish.video) return ask(wish);
    const canvas = Object.assign(document.createElement('canvas'), { width: WIDTH, height: HEIGHT });
    const context = canvas.getContext('2d');
    let seq = 0;
    setInterval(() => {
      context.fillStyle = `hsl(${seq} 40% 45%)`;
      context.fillRect(0, WIDTH / 20, WIDTH, HEIGHT);
      context.fillStyle = '#fff';
      context.fillRect(seq * 7 % WIDTH, HEIGHT / 2, WIDTH / 8, HEIGHT / 8);
      strip(context, WIDTH, Date.now(), seq++);
    }, 1000 / 30);
    const stream = canvas.captureStream();
    if (wish.audio) {
      const sound = new AudioContext({ latencyHint: 'interactive' }), out = sound.createMediaStreamDestination();
      await sound.resume();
      window.beeps = [];
      setInterval(() => {
        const beep = new OscillatorNode(sound, { frequency: 1000 }), ahead = 0.05;
        beep.connect(out);
        beep.start(sound.currentTime + ahead);
        beep.stop(sound.currentTime + ahead + 0.06);
        window.beeps.push(Date.now() + 1000 * ahead);
      }, 1013);
      out.stream.getTracks().forEach(track => stream.addTrack(track));
    }
    return stream;
  };
}
"#;

/// One size of the viewer's camera.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// Of the camera.
    pub size: (u32, u32),
    /// Drawn to handed to the TV: p50, p95, p99 in ms.
    pub latency: [Option<f64>; 3],
    /// Beeps, from their begin to the loudspeaker: p50, p95, p99 in ms.
    pub sound: [Option<f64>; 3],
    /// New pictures a second.
    pub fps: f64,
    /// Pictures in the window whose strip could not be read.
    pub unreadable: usize,
    /// Of the program, in cores.
    pub cpu: f64,
    /// Taken by other machines, in cores.
    pub steal: f64,
}

/// Measures for `window`.
pub fn measure(size: (u32, u32), warmup: Duration, window: Duration) -> Run {
    let (width, height) = size;
    // Taller than the viewer's picture, so that the sign above it does not cover the strip.
    let tall = (height * 4 / 3) & !1;
    let record = std::env::temp_dir().join(format!("intercom-bench-tv-{}", std::process::id()));
    let program = std::env::current_exe().expect("this program's file");
    let command =
        [program.display().to_string(), "--tv-reader".into(), record.display().to_string(), height.to_string()];
    let home = Daemon::start(Setup { size, tv: Some(((width, tall), command.to_vec())), ..Setup::default() });
    let chromium = Chromium::start(Permission::Granted);
    let page = chromium.viewer();
    page.before_load(
        &CAMERA
            .replace("@STRIP@", STRIP)
            .replace("@WIDTH@", &width.to_string())
            .replace("@HEIGHT@", &height.to_string()),
    );
    page.size(width, height, false);
    page.open(&home.link());
    page.click("#join");
    let limit = Instant::now() + Duration::from_secs(60);
    while read(&record).is_empty() && Instant::now() < limit {
        std::thread::sleep(Duration::from_millis(100));
    }
    std::thread::sleep(warmup);
    let (cpu, machine, begin) = (proc::process(home.pid()).cpu, proc::machine(), unix_ms());
    let growth = watch_growth(&home.wav(), window);
    let (cpu_after, machine_after, end) = (proc::process(home.pid()).cpu, proc::machine(), unix_ms());
    let seen = read(&record);
    let begun: Vec<f64> = serde_json::from_value(page.eval("window.beeps")).expect("times of beeps");
    let heard = Sound::read_wav(&home.wav()).expect("what home heard");
    let _ = std::fs::remove_file(&record);

    let mut first: HashMap<u64, f64> = HashMap::new();
    let mut unreadable = 0;
    for (at, drawn) in seen.into_iter().filter(|(at, _)| (begin..end).contains(at)) {
        match drawn {
            Some(drawn) => drop(first.entry(drawn).or_insert(at - drawn as f64)),
            None => unreadable += 1,
        }
    }
    let mut ages: Vec<f64> = first.into_values().collect();
    ages.sort_by(f64::total_cmp);
    let sound = sound_ages(&begun, &heard, &growth);
    let wall = (end - begin) / 1000.0;
    Run {
        size,
        latency: [0.5, 0.95, 0.99].map(|q| quantile(&ages, q)),
        sound: [0.5, 0.95, 0.99].map(|q| quantile(&sound, q)),
        fps: ages.len() as f64 / wall,
        unreadable,
        cpu: (cpu_after - cpu) / wall,
        steal: (machine_after.steal - machine.steal) / wall,
    }
}

/// How long the recording was and when, in ms of UNIX time, each time it grew.
fn watch_growth(wav: &Path, time: Duration) -> Vec<(f64, u64)> {
    const HEADER: u64 = 44;
    let end = Instant::now() + time;
    let mut growth: Vec<(f64, u64)> = Vec::new();
    while Instant::now() < end {
        let samples = std::fs::metadata(wav).map_or(0, |file| file.len().saturating_sub(HEADER) / 2);
        if growth.last().is_none_or(|(_, known)| *known < samples) {
            growth.push((unix_ms(), samples));
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    growth
}

/// For each beep that was heard, how long it was on its way; sorted.
fn sound_ages(begun: &[f64], heard: &Sound, growth: &[(f64, u64)]) -> Vec<f64> {
    let heard_at = |seconds: f64| {
        let sample = (seconds * heard.rate) as u64;
        let (first, _) = growth.first()?;
        // The block with this sample is heard from when it was written.
        let (at, _) = growth.iter().find(|(_, samples)| *samples > sample)?;
        (at > first).then_some(*at)
    };
    let ages = heard.beeps(BEEP_HZ).into_iter().filter_map(heard_at).filter_map(|at| {
        let age = begun.iter().map(|begun| at - begun).filter(|age| *age > 0.0).fold(f64::MAX, f64::min);
        (age < 900.0).then_some(age)
    });
    let mut ages: Vec<f64> = ages.collect();
    ages.sort_by(f64::total_cmp);
    ages
}

/// The pictures that the TV was given: when, in ms of UNIX time, and when they were drawn, if that can be read.
fn read(record: &Path) -> Vec<(f64, Option<u64>)> {
    let Ok(text) = std::fs::read_to_string(record) else { return Vec::new() };
    let line = |line: &str| {
        let (at, drawn) = line.split_once(' ')?;
        Some((at.parse().ok()?, drawn.parse().ok()))
    };
    text.lines().filter_map(line).collect()
}

/// `--tv-reader FILE HEIGHT`: reads Y4M from stdin and notes each picture in FILE; HEIGHT is that of the viewer's
/// picture in the middle of it.
pub fn reader(record: &str, height: &str) -> io::Result<()> {
    let mut input = io::stdin().lock();
    let mut header = String::new();
    input.read_line(&mut header)?;
    let number = |letter: char| header.split(' ').find_map(|word| word.strip_prefix(letter)?.parse::<usize>().ok());
    let wrong = || io::Error::other("not the Y4M that was promised");
    let (width, tall) = (number('W').ok_or_else(wrong)?, number('H').ok_or_else(wrong)?);
    let height: usize = height.parse().map_err(|_| wrong())?;
    let top = (tall - height) / 4 * 2;
    let mut picture = vec![0; 6 + width * tall + 2 * width.div_ceil(2) * tall.div_ceil(2)];
    let mut file = std::fs::File::create(record)?;
    loop {
        input.read_exact(&mut picture)?;
        let at = unix_ms();
        let drawn = read_strip(&picture[6 + top * width..], width).map(|(drawn, _)| drawn);
        writeln!(file, "{at:.3} {}", drawn.map_or("-".into(), |drawn| drawn.to_string()))?;
    }
}
