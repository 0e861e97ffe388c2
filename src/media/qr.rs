//! QR codes, for screens and for terminals (two rows of modules a line of text).

use qrcodegen::{QrCode, QrCodeEcc};

/// The light frame that readers need around the code, in modules (ISO/IEC 18004 wants 4; phones are content with 2).
const QUIET: i32 = 2;

/// How light and dark are brought to the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// ANSI colours, black on white whatever the terminal's own are.
    Colours,
    /// Characters only: right on a dark terminal; most phones also read the inverse.
    Plain,
}

/// A QR code as it is, without the light frame around it.
#[derive(Clone, PartialEq, Eq)]
pub struct Modules {
    /// Modules along each edge.
    pub side: usize,
    /// `side * side` of them, row by row; `true` is dark.
    pub dark: Vec<bool>,
}

impl std::fmt::Debug for Modules {
    /// What the code says may be a secret, and those do not go into logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Modules({0}x{0})", self.side)
    }
}

/// `text` as a code for a screen that is looked at from afar; `None` if it is too long for any QR code.
pub fn modules(text: &str) -> Option<Modules> {
    let code = QrCode::encode_text(text, QrCodeEcc::Low).ok()?;
    let size = code.size();
    let dark = (0..size).flat_map(|y| (0..size).map(move |x| (x, y))).map(|(x, y)| code.get_module(x, y)).collect();
    Some(Modules { side: size as usize, dark })
}

/// `text` as lines of half blocks, each ended by a line feed; `None` if it is too long for any QR code.
pub fn half_blocks(text: &str, paint: Paint) -> Option<String> {
    let code = QrCode::encode_text(text, QrCodeEcc::Low).ok()?;
    let light = |x: i32, y: i32| !code.get_module(x, y);
    let mut out = String::new();
    for y in (-QUIET..code.size() + QUIET).step_by(2) {
        if paint == Paint::Colours {
            out += "\x1b[38;5;231;48;5;16m";
        }
        for x in -QUIET..code.size() + QUIET {
            // The foreground is light. Below the last row there is nothing, which is dark.
            let below = y + 1 < code.size() + QUIET && light(x, y + 1);
            out.push(match (light(x, y), below) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            });
        }
        if paint == Paint::Colours {
            out += "\x1b[0m";
        }
        out.push('\n');
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drawn_code_is_the_encoded_one() {
        let text = "https://192.168.1.20:8443/#k=AAAAAAAAAAAAAAAAAAAAAA";
        let drawn = half_blocks(text, Paint::Plain).unwrap();
        let code = QrCode::encode_text(text, QrCodeEcc::Low).unwrap();
        let lines: Vec<Vec<char>> = drawn.lines().map(|line| line.chars().collect()).collect();
        for y in 0..code.size() {
            for x in 0..code.size() {
                let cell = lines[((y + QUIET) / 2) as usize][(x + QUIET) as usize];
                let light = match (y + QUIET) % 2 {
                    0 => cell == '█' || cell == '▀',
                    _ => cell == '█' || cell == '▄',
                };
                assert_eq!(code.get_module(x, y), !light, "module {x},{y}");
            }
        }
        assert!(lines.iter().all(|line| line.len() == (code.size() + 2 * QUIET) as usize));
        assert!(lines.len() <= 20, "fits a terminal of 24 lines");
    }

    #[test]
    fn colours_are_reset_on_every_line_and_a_novel_is_refused() {
        let drawn = half_blocks("https://a/", Paint::Colours).unwrap();
        assert!(drawn.lines().all(|line| line.ends_with("\x1b[0m")));
        assert_eq!(half_blocks(&"x".repeat(5000), Paint::Plain), None);
    }
}
