//! How like two pictures are to each other: SSIM on luma (Wang, Bovik, Sheikh, Simoncelli 2004), by even windows.

/// A picture's brightness, row by row.
pub struct Luma {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// All of them.
    pub pixels: Vec<u8>,
}

impl Luma {
    /// In another size, as a browser scales: by the four nearest pixels. Half the size is the mean of each four.
    pub fn resized(&self, width: usize, height: usize) -> Luma {
        let places = |from: usize, to: usize| -> Vec<(usize, usize, f64)> {
            let place = |n: usize| {
                let at = ((n as f64 + 0.5) * from as f64 / to as f64 - 0.5).clamp(0.0, (from - 1) as f64);
                (at as usize, (at as usize + 1).min(from - 1), at.fract())
            };
            (0..to).map(place).collect()
        };
        let columns = places(self.width, width);
        let mut pixels = Vec::with_capacity(width * height);
        for (above, below, down) in places(self.height, height) {
            let row = |y: usize| &self.pixels[y * self.width..][..self.width];
            let (above, below) = (row(above), row(below));
            pixels.extend(columns.iter().map(|&(left, right, along)| {
                let mix = |row: &[u8]| f64::from(row[left]) * (1.0 - along) + f64::from(row[right]) * along;
                (mix(above) * (1.0 - down) + mix(below) * down).round() as u8
            }));
        }
        Luma { width, height, pixels }
    }
}

/// The mean over windows of 8x8, each four pixels from the next, from row `top` on. Both have the same size. 1 is equality.
pub fn ssim(a: &Luma, b: &Luma, top: usize) -> f64 {
    const SIDE: usize = 8;
    const COUNT: f64 = (SIDE * SIDE) as f64;
    const C1: f64 = 0.01 * 255.0 * 0.01 * 255.0;
    const C2: f64 = 0.03 * 255.0 * 0.03 * 255.0;
    let (mut sum, mut windows) = (0.0, 0);
    for y in (top..=a.height - SIDE).step_by(SIDE / 2) {
        for x in (0..=a.width - SIDE).step_by(SIDE / 2) {
            let (mut sa, mut sb, mut saa, mut sbb, mut sab) = (0u32, 0u32, 0u32, 0u32, 0u32);
            for row in y..y + SIDE {
                let at = row * a.width + x;
                for (&p, &q) in a.pixels[at..at + SIDE].iter().zip(&b.pixels[at..at + SIDE]) {
                    let (p, q) = (u32::from(p), u32::from(q));
                    (sa, sb, saa, sbb, sab) = (sa + p, sb + q, saa + p * p, sbb + q * q, sab + p * q);
                }
            }
            let [ma, mb] = [sa, sb].map(|s| f64::from(s) / COUNT);
            let [va, vb] = [(saa, ma), (sbb, mb)].map(|(squares, mean)| f64::from(squares) / COUNT - mean * mean);
            let both = f64::from(sab) / COUNT - ma * mb;
            sum += (2.0 * ma * mb + C1) * (2.0 * both + C2) / ((ma * ma + mb * mb + C1) * (va + vb + C2));
            windows += 1;
        }
    }
    sum / f64::from(windows)
}
