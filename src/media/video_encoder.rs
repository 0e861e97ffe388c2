//! The H.264 encoder: constrained baseline, one thread, no delay, tuned for a camera at home.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use intercom_base::picture::I420;
use intercom_base::settings::Rung;
use intercom_base::units::Bitrate;
use intercom_openh264_options as options;
use openh264::encoder::{
    BitRate, Complexity, Encoder, EncoderConfig, FrameRate, FrameType, IntraFramePeriod, Profile, QpRange,
    RateControlMode, SpsPpsStrategy, UsageType, VuiConfig,
};
use openh264::formats::YUVSource;
use openh264::{OpenH264API, Timestamp};

/// One access unit in Annex B form (H.264 Annex B; start codes included).
#[derive(Clone, Debug)]
pub struct Encoded {
    /// The bytes; a keyframe has SPS and PPS in front.
    pub data: Arc<[u8]>,
    /// Whether a decoder can start here (IDR).
    pub keyframe: bool,
    /// The average quantizer of its macroblocks (H.264, QP): 0 to 51, the lower the finer.
    pub qp: u8,
}

/// Why a picture could not be encoded.
#[derive(Debug)]
pub enum EncodeError {
    /// The picture has not the encoder's size; width and height of both.
    Size {
        /// What came.
        picture: (usize, usize),
        /// What the encoder was made for.
        encoder: (usize, usize),
    },
    /// OpenH264 failed.
    Codec(openh264::Error),
    /// OpenH264 refused the bitrate.
    Option(options::Refused),
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EncodeError::Size { picture, encoder } => {
                write!(f, "a picture of {}x{} came to an encoder for {}x{}", picture.0, picture.1, encoder.0, encoder.1)
            }
            EncodeError::Codec(error) => write!(f, "H.264 encoder: {error}"),
            EncodeError::Option(refused) => write!(f, "H.264 encoder: {refused}"),
        }
    }
}

impl std::error::Error for EncodeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            EncodeError::Size { .. } => None,
            EncodeError::Codec(error) => Some(error),
            EncodeError::Option(refused) => Some(refused),
        }
    }
}

/// Encodes pictures of one size. A new one starts with a keyframe.
pub struct VideoEncoder {
    encoder: Encoder,
    size: (usize, usize),
    max: Bitrate,
    /// What OpenH264 takes: at first no more than it began with.
    allowed: Bitrate,
    bitrate: Bitrate,
    /// OpenH264 takes run-time options only after its first frame.
    pending: Option<Bitrate>,
    begun: bool,
    scratch: Vec<u8>,
}

impl VideoEncoder {
    /// Makes an encoder for pictures of the rung's size, at its rate, for bitrates up to its `max`, where it begins.
    pub fn new(rung: &Rung) -> Result<VideoEncoder, EncodeError> {
        VideoEncoder::beginning_at(rung, rung.max)
    }

    /// The same, and it begins at `bitrate`.
    pub fn beginning_at(rung: &Rung, bitrate: Bitrate) -> Result<VideoEncoder, EncodeError> {
        let bitrate = bitrate.min(rung.max);
        let config = settings(rung, bitrate)?;
        let encoder = Encoder::with_api_config(OpenH264API::from_source(), config).map_err(EncodeError::Codec)?;
        Ok(VideoEncoder {
            encoder,
            size: (rung.width as usize, rung.height as usize),
            max: rung.max,
            allowed: bitrate,
            bitrate,
            pending: None,
            begun: false,
            scratch: Vec::new(),
        })
    }

    /// Width and height of the pictures that it takes.
    pub fn size(&self) -> (usize, usize) {
        self.size
    }

    /// The bitrate that it aims at.
    pub fn bitrate(&self) -> Bitrate {
        self.pending.unwrap_or(self.bitrate)
    }

    /// Aims at `bitrate` (at most the rung's `max`) from the next frame on, without a keyframe.
    pub fn set_bitrate(&mut self, bitrate: Bitrate) {
        let bitrate = bitrate.min(self.max);
        self.pending = (bitrate != self.bitrate).then_some(bitrate);
    }

    /// Encodes one picture; `None` if the rate control skipped it. `at` is its time on any steadily growing
    /// scale; `force_key` makes it a keyframe, which is never skipped.
    pub fn encode(&mut self, picture: &I420, force_key: bool, at: Duration) -> Result<Option<Encoded>, EncodeError> {
        let size = (picture.width(), picture.height());
        if size != self.size {
            return Err(EncodeError::Size { picture: size, encoder: self.size });
        }
        if self.begun {
            if let Some(bitrate) = self.pending.take() {
                let bps = u32::try_from(bitrate.bps()).unwrap_or(u32::MAX);
                if bitrate > self.allowed {
                    let most = u32::try_from(self.max.bps()).unwrap_or(u32::MAX);
                    options::set_max_bitrate(&mut self.encoder, most).map_err(EncodeError::Option)?;
                    self.allowed = self.max;
                }
                options::set_bitrate(&mut self.encoder, bps).map_err(EncodeError::Option)?;
                self.bitrate = bitrate;
            }
            if force_key {
                self.encoder.force_intra_frame();
            }
        }
        let millis = u64::try_from(at.as_millis()).unwrap_or(0);
        let stream =
            self.encoder.encode_at(&Planes(picture), Timestamp::from_millis(millis)).map_err(EncodeError::Codec)?;
        self.begun = true;
        self.scratch.clear();
        stream.write_vec(&mut self.scratch);
        let keyframe = matches!(stream.frame_type(), FrameType::IDR);
        if self.scratch.is_empty() {
            return Ok(None);
        }
        let qp = options::average_qp(&mut self.encoder).map_err(EncodeError::Option)?;
        Ok(Some(Encoded { data: Arc::from(&self.scratch[..]), keyframe, qp }))
    }
}

/// Pixels of a picture that is small.
const SMALL: u32 = 640 * 360;

/// What OpenH264 is told. Each choice was measured on moving, noisy pictures of 640x480 and 1280x720.
fn settings(rung: &Rung, bitrate: Bitrate) -> Result<EncoderConfig, EncodeError> {
    let bps = u32::try_from(bitrate.bps()).unwrap_or(u32::MAX);
    Ok(EncoderConfig::new()
        .usage_type(UsageType::CameraVideoRealTime)
        .profile(Profile::Baseline)
        .bitrate(BitRate::from_bps(bps))
        .max_frame_rate(FrameRate::from_hz(rung.rate.fps() as f32))
        .rate_control_mode(RateControlMode::Bitrate)
        // A skipped frame is one picture less; a frame that overshoots is delay for all that follow.
        .skip_frames(true)
        // Where a picture is small bits are scarce, and a third more of little CPU is little.
        .complexity(if rung.width * rung.height <= SMALL { Complexity::Medium } else { Complexity::Low })
        .qp(QpRange::new(14, 48))
        // One thread: a second one gained nothing, and the machine has other work.
        .num_threads(1)
        // Keyframes come when somebody needs one, never by themselves: each costs as much as many others.
        .intra_frame_period(IntraFramePeriod::auto())
        .scene_change_detect(false)
        .adaptive_quantization(false)
        // A camera at home stands still: this saves 60 % of the CPU in a quiet room and costs 2 % when all moves.
        .background_detection(true)
        .long_term_reference(false)
        .sps_pps_strategy(SpsPpsStrategy::ConstantId)
        // Browsers guess BT.709 for 720 lines and more; the contract's pictures are BT.601.
        .vui(VuiConfig::bt601()))
}

/// Lets OpenH264 read the planes where they lie.
struct Planes<'a>(&'a I420);

impl YUVSource for Planes<'_> {
    fn dimensions(&self) -> (usize, usize) {
        (self.0.width(), self.0.height())
    }

    fn strides(&self) -> (usize, usize, usize) {
        (self.0.width(), self.0.chroma_width(), self.0.chroma_width())
    }

    fn y(&self) -> &[u8] {
        self.0.planes()[0]
    }

    fn u(&self) -> &[u8] {
        self.0.planes()[1]
    }

    fn v(&self) -> &[u8] {
        self.0.planes()[2]
    }
}

#[cfg(test)]
mod tests {
    use intercom_base::testing::pictures::moving_scene;
    use intercom_base::units;

    use super::*;

    fn rung(width: u32, height: u32, floor: u64, max: u64) -> Rung {
        Rung {
            width,
            height,
            rate: units::FrameRate::from_fps(30.0),
            floor: Bitrate::from_kbps(floor),
            max: Bitrate::from_kbps(max),
        }
    }

    fn encoder(width: u32, height: u32, max: u64) -> Result<VideoEncoder, EncodeError> {
        VideoEncoder::new(&rung(width, height, 100, max))
    }

    fn at(n: usize) -> Duration {
        Duration::from_secs_f64(n as f64 / 30.0)
    }

    /// The types of the NAL units of an access unit, in order (H.264 table 7-1).
    fn nal_types(data: &[u8]) -> Vec<u8> {
        data.windows(4).filter(|w| w[..3] == [0, 0, 1]).map(|w| w[3] & 31).collect()
    }

    #[test]
    fn keyframes_come_first_and_when_asked_for_and_bring_their_parameters() {
        let mut encoder = encoder(320, 240, 800).unwrap();
        for n in 0..40 {
            // A cut to a quite different scene makes no keyframe by itself.
            let picture = if n < 10 { moving_scene(320, 240, n) } else { moving_scene(320, 240, 1000 + n) };
            let Some(encoded) = encoder.encode(&picture, n == 25, at(n)).unwrap() else { continue };
            assert_eq!(encoded.keyframe, n == 0 || n == 25, "frame {n}");
            let types = nal_types(&encoded.data);
            assert_eq!(types, if encoded.keyframe { vec![7, 8, 5] } else { vec![1] }, "frame {n}");
            assert!(encoded.data.starts_with(&[0, 0, 0, 1]));
        }
    }

    #[test]
    fn browsers_are_promised_constrained_baseline_of_a_fitting_level() {
        for (width, height, kbps, highest) in [(480, 270, 400, 21), (640, 480, 1500, 30), (1280, 720, 2500, 31)] {
            let mut encoder = encoder(width, height, kbps).unwrap();
            let picture = I420::black(width as usize, height as usize);
            let encoded = encoder.encode(&picture, false, Duration::ZERO).unwrap().unwrap();
            let sps = &encoded.data[5..8];
            assert_eq!(sps[0], 66, "baseline");
            assert_eq!(sps[1] & 0x40, 0x40, "constrained: constraint_set1_flag");
            assert!(sps[2] <= highest, "{width}x{height}: level {}", sps[2]);
        }
    }

    /// Bits a second over `frames`, whose keyframes are counted too.
    fn encode_all(encoder: &mut VideoEncoder, frames: std::ops::Range<usize>) -> (f64, usize) {
        let seconds = frames.len() as f64 / 30.0;
        let (mut bytes, mut keyframes) = (0, 0);
        for n in frames {
            if let Some(encoded) = encoder.encode(&moving_scene(320, 240, n), false, at(n)).unwrap() {
                bytes += encoded.data.len();
                keyframes += usize::from(encoded.keyframe);
            }
        }
        (bytes as f64 * 8.0 / seconds, keyframes)
    }

    #[test]
    fn the_bitrate_changes_while_it_runs_without_a_keyframe() {
        let mut encoder = encoder(320, 240, 900).unwrap();
        encoder.set_bitrate(Bitrate::from_kbps(900));
        let (high, keyframes) = encode_all(&mut encoder, 0..60);
        assert_eq!(keyframes, 1);
        encoder.set_bitrate(Bitrate::from_kbps(250));
        encode_all(&mut encoder, 60..75);
        let (low, keyframes) = encode_all(&mut encoder, 75..135);
        assert_eq!(keyframes, 0);
        encoder.set_bitrate(Bitrate::from_kbps(5000));
        assert_eq!(encoder.bitrate(), Bitrate::from_kbps(900), "never above the rung's highest");
        let (again, keyframes) = encode_all(&mut encoder, 135..195);
        assert_eq!(keyframes, 0);
        assert!(high < 1_050_000.0 && again > 600_000.0, "{high} {again}");
        assert!(low < 300_000.0, "{low}");
    }

    #[test]
    fn a_bitrate_set_before_the_first_frame_is_kept() {
        let mut encoder = encoder(320, 240, 2000).unwrap();
        encoder.set_bitrate(Bitrate::from_kbps(300));
        encode_all(&mut encoder, 0..15);
        let (rate, _) = encode_all(&mut encoder, 15..75);
        assert!(rate < 360_000.0, "{rate}");
    }

    #[test]
    fn one_that_begins_small_has_a_small_keyframe_and_rises_all_the_same() {
        let start = |kbps: u64| {
            let mut encoder = VideoEncoder::beginning_at(&rung(320, 240, 100, 900), Bitrate::from_kbps(kbps)).unwrap();
            let first = encoder.encode(&moving_scene(320, 240, 0), false, at(0)).unwrap().unwrap();
            assert!(first.keyframe);
            (encoder, first.data.len())
        };
        let ((mut encoder, small), (_, large)) = (start(150), start(900));
        assert!(small * 3 < large * 2, "{small} bytes, and {large} at the highest bitrate");
        let (low, _) = encode_all(&mut encoder, 1..60);
        encoder.set_bitrate(Bitrate::from_kbps(900));
        encode_all(&mut encoder, 60..75);
        let (high, keyframes) = encode_all(&mut encoder, 75..135);
        assert_eq!(keyframes, 0);
        assert!(low < 250_000.0 && high > 600_000.0, "{low} {high}");
    }

    #[test]
    fn a_picture_of_another_size_is_refused_in_words() {
        let mut encoder = encoder(320, 240, 800).unwrap();
        let error = encoder.encode(&I420::black(640, 480), false, Duration::ZERO).unwrap_err();
        assert_eq!(error.to_string(), "a picture of 640x480 came to an encoder for 320x240");
    }

    #[test]
    fn the_assembler_is_really_in_it() {
        assert!(options::has_assembler(), "nasm was missing when openh264-sys2 was built");
    }

    #[test]
    fn every_bitrate_is_taken_up_to_the_highest_whatever_it_began_with() {
        for (w, h) in [(320, 180), (640, 360), (1280, 720)] {
            for (begin, to) in [(60, 61), (60, 9000), (500, 30), (9000, 60), (300, 2500)] {
                let mut encoder = VideoEncoder::beginning_at(&rung(w, h, 60, 9000), Bitrate::from_kbps(begin)).unwrap();
                for (n, kbps) in [begin, to, begin].into_iter().enumerate() {
                    encoder.set_bitrate(Bitrate::from_kbps(kbps));
                    let encoded = encoder.encode(&moving_scene(w as usize, h as usize, n), false, at(n));
                    assert!(encoded.is_ok(), "{w}x{h} from {begin} to {to}: {encoded:?}");
                }
            }
        }
    }

    #[test]
    #[ignore = "measures"]
    fn measure_cost() {
        use intercom_base::testing::pictures::room;

        use crate::test_pictures::thread_cpu_ms;
        type Picture = fn(usize, usize, usize) -> I420;
        for (name, scene) in [("all moves", moving_scene as Picture), ("quiet room", room)] {
            for (w, h, kbps) in [(640, 480, 1200), (1280, 720, 2500), (480, 270, 400)] {
                let pictures: Vec<I420> = (0..60).map(|n| scene(w, h, n)).collect();
                // The least of several rounds: what else the machine does is not our cost.
                let mut best = vec![f64::MAX; pictures.len()];
                let mut make = f64::MAX;
                let mut bytes = 0;
                for _ in 0..6 {
                    bytes = 0;
                    let begun = thread_cpu_ms();
                    let mut encoder = encoder(w as u32, h as u32, kbps).unwrap();
                    make = make.min(thread_cpu_ms() - begun);
                    for (n, picture) in pictures.iter().enumerate() {
                        let begun = thread_cpu_ms();
                        let encoded = encoder.encode(picture, false, at(n)).unwrap();
                        best[n] = best[n].min(thread_cpu_ms() - begun);
                        bytes += encoded.map_or(0, |encoded| encoded.data.len());
                    }
                }
                let mean = best[1..].iter().sum::<f64>() / (best.len() - 1) as f64;
                println!(
                    "{name}, {w}x{h}: {mean:.2} ms a frame, first {:.2} ms, making one {make:.2} ms, {} kbit/s",
                    best[0],
                    bytes * 8 / 2000
                );
            }
        }
    }
}
