//! What a viewer saw: presented frames with their coded strips, and their judgement.

use serde::Deserialize;

/// The function `strip(context, width, at, seq)`, which draws a coded strip on a page's canvas.
pub const STRIP: &str = include_str!("strip.js");

/// One presented frame, as the probe writes it.
#[derive(Clone, Debug, Deserialize)]
pub struct Frame {
    /// When it was presented, ms on the page's clock.
    pub t: f64,
    /// Width in pixels.
    pub w: u32,
    /// Height in pixels.
    pub h: u32,
    /// Presented frames of the element so far.
    pub n: u64,
    /// Number of the captured frame, modulo 4096.
    pub seq: Option<u32>,
    /// When it was captured, ms since 1970.
    pub at: Option<f64>,
    /// Capture to presentation, ms.
    pub latency: Option<f64>,
    /// `sync` or `crc` if the strip could not be read.
    pub unreadable: Option<String>,
}

/// What a run of frames amounts to.
#[derive(Clone, Debug, Default)]
pub struct Judgement {
    /// Frames presented.
    pub presented: usize,
    /// Frames whose strip was read.
    pub read: usize,
    /// Strips found with a wrong check sum.
    pub bad_crc: usize,
    /// Frames without a strip.
    pub no_strip: usize,
    /// Frames without a strip before the first that has one. Chromium's canvas at times draws its first frames
    /// black although the decoder gave them whole, so they say nothing of home.
    pub leading: usize,
    /// Frames older than the one before.
    pub backwards: usize,
    /// Frames shown twice.
    pub repeated: usize,
    /// Captured frames that were never presented.
    pub missing: usize,
    /// Longest time between two presentations, ms.
    pub longest_gap: f64,
    /// Capture to presentation, ms, sorted.
    pub latencies: Vec<f64>,
    /// Different frames presented, by stamp and number.
    pub unique: usize,
}

impl Judgement {
    /// Of frames in the order of presentation.
    pub fn of(frames: &[Frame]) -> Judgement {
        let mut j = Judgement { presented: frames.len(), ..Judgement::default() };
        let mut last: Option<u32> = None;
        let mut distinct = std::collections::HashSet::new();
        for frame in frames {
            match (frame.seq, frame.unreadable.as_deref()) {
                (Some(seq), _) => {
                    j.read += 1;
                    distinct.insert((seq, frame.at.unwrap_or_default() as u64));
                    match last.map(|l| (seq + 4096 - l) % 4096) {
                        None => {}
                        Some(0) => j.repeated += 1,
                        Some(step) if step > 2048 => j.backwards += 1,
                        Some(step) => j.missing += step as usize - 1,
                    }
                    last = Some(seq);
                }
                (None, Some("crc")) => j.bad_crc += 1,
                (None, _) if j.read == 0 => j.leading += 1,
                (None, _) => j.no_strip += 1,
            }
        }
        j.longest_gap = frames.windows(2).map(|w| w[1].t - w[0].t).fold(0.0, f64::max);
        j.latencies = frames.iter().filter_map(|f| f.latency).collect();
        j.latencies.sort_by(f64::total_cmp);
        j.unique = distinct.len();
        j
    }

    /// A quantile of the latency, ms; `None` without any sample.
    pub fn latency(&self, quantile: f64) -> Option<f64> {
        super::frames::quantile(&self.latencies, quantile)
    }
}

/// Of sorted values, the smallest that is not below the given share of them.
pub fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied()
}
