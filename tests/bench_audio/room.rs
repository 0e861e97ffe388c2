//! A room that sound goes through on its way from loudspeaker or mouth to the microphone, and what else is in it.

/// Metres that sound goes in a second.
const SPEED: f64 = 343.0;
const RATE: f64 = 48_000.0;

/// A box with walls that are all alike.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Metres.
    pub size: [f64; 3],
    /// Seconds until a sound has fallen by 60 dB.
    pub rt60: f64,
}

/// A living room, 300 ms.
pub const LIVING: Room = Room { size: [5.1, 4.3, 2.5], rt60: 0.3 };
/// A small furnished room, 150 ms.
pub const SMALL: Room = Room { size: [3.2, 2.6, 2.4], rt60: 0.15 };
/// A long room with hard walls, 350 ms: nothing was tuned with it.
pub const HALL: Room = Room { size: [6.3, 3.6, 2.7], rt60: 0.35 };

impl Room {
    /// What a click at `from` becomes at `to`, loudest part first scaled to one metre's distance: the image sources
    /// of Allen and Berkley, 1979. The air and the walls take the treble first, as they do.
    pub fn response(&self, from: [f64; 3], to: [f64; 3]) -> Vec<f32> {
        let [x, y, z] = self.size;
        let (volume, surface) = (x * y * z, 2.0 * (x * y + x * z + y * z));
        let absorbed = 1.0 - (-0.161 * volume / (surface * self.rt60)).exp();
        let wall = (1.0 - absorbed).sqrt();
        // Down by 54 dB: what is left is below any microphone's noise.
        let longest = self.rt60 * 0.9;
        let mut response = vec![0.0f64; (longest * RATE) as usize + 1];
        let reach = self.size.map(|side| (longest * SPEED / (2.0 * side)).ceil() as i32 + 1);
        let axis = |n: i32, mirrored: bool, k: usize| {
            let image = if mirrored { -from[k] } else { from[k] } + 2.0 * f64::from(n) * self.size[k];
            let bounces = if mirrored { (n - 1).abs() + n.abs() } else { 2 * n.abs() };
            (image - to[k], bounces)
        };
        for a in -reach[0]..=reach[0] {
            for b in -reach[1]..=reach[1] {
                for c in -reach[2]..=reach[2] {
                    for mirrors in 0..8 {
                        let (dx, i) = axis(a, mirrors & 1 != 0, 0);
                        let (dy, j) = axis(b, mirrors & 2 != 0, 1);
                        let (dz, k) = axis(c, mirrors & 4 != 0, 2);
                        let distance = (dx * dx + dy * dy + dz * dz).sqrt();
                        let at = distance / SPEED * RATE;
                        if let Some(sample) = response.get_mut(at.round() as usize) {
                            *sample += wall.powi(i + j + k) / distance.max(0.1);
                        }
                    }
                }
            }
        }
        let mut dull = 0.0;
        response
            .iter()
            .enumerate()
            .map(|(n, sample)| {
                let sharpness = 0.35 + 0.6 * (-(n as f64) / (0.05 * RATE)).exp();
                dull += sharpness * (sample - dull);
                dull as f32
            })
            .collect()
    }
}

/// Puts sound through a response, block by block.
pub struct Through {
    response: Vec<f32>,
    /// The last samples that went in, as many as the response is long, and the block behind them.
    line: Vec<f32>,
}

impl Through {
    pub fn new(response: Vec<f32>) -> Through {
        let line = vec![0.0; response.len()];
        Through { response, line }
    }

    pub fn put(&mut self, block: &[f32]) -> Vec<f32> {
        let len = self.response.len();
        self.line.extend_from_slice(block);
        let mut out = vec![0.0f32; block.len()];
        for (lag, tap) in self.response.iter().enumerate().filter(|(_, tap)| **tap != 0.0) {
            let begin = len - lag;
            for (out, sample) in out.iter_mut().zip(&self.line[begin..begin + block.len()]) {
                *out += tap * sample;
            }
        }
        self.line.drain(..block.len());
        out
    }
}

/// A small loudspeaker: no bass, and bent a little where it is loud.
pub struct Loudspeaker {
    /// Part of full scale at which it begins to bend; 1.5 gives about 1 % of harmonics at −12 dB, infinity none.
    limit: f32,
    low: f32,
}

impl Loudspeaker {
    pub fn new(limit: f32) -> Loudspeaker {
        Loudspeaker { limit, low: 0.0 }
    }

    pub fn put(&mut self, sample: f32) -> f32 {
        // First order, 120 Hz.
        self.low += 0.0157 * (sample - self.low);
        let sample = sample - self.low;
        if self.limit.is_infinite() {
            return sample;
        }
        let bent = self.limit * 32_768.0;
        // One side bends before the other, which gives even harmonics as well.
        let off = 0.1 * bent;
        bent * (((sample + off) / bent).tanh() - (off / bent).tanh())
    }
}

/// The hum and hiss of a room, alike in each run.
pub struct Noise {
    random: fastrand::Rng,
    level: f32,
    low: f32,
}

impl Noise {
    /// `db` of full scale.
    pub fn new(db: f32) -> Noise {
        Noise { random: fastrand::Rng::with_seed(11), level: 10f32.powf(db / 20.0) * 32_768.0, low: 0.0 }
    }

    pub fn next(&mut self) -> f32 {
        let white = (self.random.f32() - 0.5) * 12f32.sqrt();
        // Half its power below 800 Hz.
        self.low += 0.1 * (white - self.low);
        self.level * (self.low * 3.0 + white * 0.72)
    }
}

/// The sound between its samples; six of them make it.
pub fn between(sound: &[f32], place: f64) -> f32 {
    let whole = place.floor();
    let x = place - whole;
    let at = |n: i64| usize::try_from(whole as i64 + n).ok().and_then(|n| sound.get(n)).copied().unwrap_or(0.0);
    if x == 0.0 {
        return at(0);
    }
    // Lagrange, fifth order.
    let mut sum = 0.0;
    for k in -2i32..=3 {
        let weight: f64 = (-2i32..=3).filter(|j| *j != k).map(|j| (x - f64::from(j)) / f64::from(k - j)).product();
        sum += weight * f64::from(at(i64::from(k)));
    }
    sum as f32
}
