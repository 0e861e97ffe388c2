//! What the keeper and the inmate say to each other: little-endian numbers, each message with its length in front. The keeper believes
//! nothing: sizes are bounded, and text is printable.

use intercom_drivers::jpeg;

/// Longest side of a picture in pixels. JPEGs may have more than H.264.
pub const LONGEST_SIDE: usize = jpeg::LONGEST_SIDE;
/// Longest coded picture handed over. A keyframe of a phone has some hundred kilobytes, a large JPEG some thousand.
pub const MOST_BYTES: usize = 8 << 20;
/// Longest text of an error.
const MOST_TEXT: usize = 200;
/// Bytes of a picture of the largest size.
pub const PICTURE_BYTES: usize = LONGEST_SIDE * LONGEST_SIDE * 3 / 2;

/// Length of [`Order::head`].
pub const ORDER_HEAD: usize = 16;
/// Length of [`Answer::to_bytes`].
pub const ANSWER: usize = 8 + MOST_TEXT;

/// What the keeper wants. The coded picture follows its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Decode what follows, `length` bytes, of stream `stream`; of a new beginning, if `fresh`.
    Decode { stream: u64, fresh: bool, length: usize },
    /// There is nothing more of this stream.
    Forget { stream: u64 },
}

impl Order {
    /// As it is sent.
    pub fn head(self) -> [u8; ORDER_HEAD] {
        let (word, stream, length) = match self {
            Order::Decode { stream, fresh, length } => (if fresh { 2u32 } else { 1 }, stream, length as u32),
            Order::Forget { stream } => (3, stream, 0),
        };
        let mut head = [0; ORDER_HEAD];
        head[..4].copy_from_slice(&word.to_le_bytes());
        head[4..8].copy_from_slice(&length.to_le_bytes());
        head[8..].copy_from_slice(&stream.to_le_bytes());
        head
    }

    /// Reads [`Order::head`].
    pub fn parse(head: [u8; ORDER_HEAD]) -> Option<Order> {
        let [word, length] =
            [&head[..4], &head[4..8]].map(|four| four.iter().rev().fold(0u32, |n, b| n << 8 | u32::from(*b)));
        let stream = head[8..].iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b));
        let length = length as usize;
        match word {
            1 | 2 if length <= MOST_BYTES => Some(Order::Decode { stream, fresh: word == 2, length }),
            3 if length == 0 => Some(Order::Forget { stream }),
            _ => None,
        }
    }
}

/// What the inmate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is in, behind these walls: files cannot be opened, and other system calls are refused.
    Ready { files: bool, calls: bool },
    /// The picture is in the common memory, packed I420 of this size.
    Picture { width: usize, height: usize },
    /// It held no picture.
    Nothing,
    /// It could not be decoded. The next one of this stream must be a keyframe.
    Broken(String),
}

impl Answer {
    /// As it is sent.
    pub fn to_bytes(&self) -> [u8; ANSWER] {
        let mut bytes = [0; ANSWER];
        let (word, a, b) = match self {
            Answer::Ready { files, calls } => (1u16, u16::from(*files), u16::from(*calls)),
            Answer::Picture { width, height } => (2, *width as u16, *height as u16),
            Answer::Nothing => (3, 0, 0),
            Answer::Broken(text) => {
                let text = &text.as_bytes()[..text.len().min(MOST_TEXT)];
                bytes[8..8 + text.len()].copy_from_slice(text);
                (4, text.len() as u16, 0)
            }
        };
        for (n, number) in [word, a, b].into_iter().enumerate() {
            bytes[2 * n..2 * n + 2].copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    /// Reads [`Answer::to_bytes`] of an inmate that may have been taken over.
    pub fn parse(bytes: &[u8; ANSWER]) -> Option<Answer> {
        let number = |n: usize| u16::from_le_bytes([bytes[2 * n], bytes[2 * n + 1]]);
        let side = |n: usize| Some(usize::from(number(n))).filter(|side| (1..=LONGEST_SIDE).contains(side));
        Some(match number(0) {
            1 => Answer::Ready { files: number(1) == 1, calls: number(2) == 1 },
            2 => Answer::Picture { width: side(1)?, height: side(2)? },
            3 => Answer::Nothing,
            4 => {
                let text = bytes[8..].iter().take(usize::from(number(1)));
                let printable = |byte: &u8| if matches!(byte, b' '..=b'~') { char::from(*byte) } else { '?' };
                Answer::Broken(text.map(printable).collect())
            }
            _ => return None,
        })
    }
}

/// Bytes of a packed picture.
pub fn picture_bytes(width: usize, height: usize) -> usize {
    width * height + 2 * width.div_ceil(2) * height.div_ceil(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood() {
        for order in [
            Order::Decode { stream: u64::MAX, fresh: true, length: MOST_BYTES },
            Order::Decode { stream: 7, fresh: false, length: 0 },
            Order::Forget { stream: 9 },
        ] {
            assert_eq!(Order::parse(order.head()), Some(order));
        }
        for answer in [
            Answer::Ready { files: true, calls: false },
            Answer::Picture { width: 1, height: LONGEST_SIDE },
            Answer::Nothing,
            Answer::Broken("H.264 decoder: no".into()),
        ] {
            assert_eq!(Answer::parse(&answer.to_bytes()), Some(answer));
        }
        assert!(picture_bytes(LONGEST_SIDE, LONGEST_SIDE) <= PICTURE_BYTES);
    }

    #[test]
    fn nothing_that_the_inmate_says_is_out_of_bounds() {
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..100_000 {
            let mut bytes = [0; ANSWER];
            random.fill(&mut bytes);
            (bytes[0], bytes[1]) = (random.u8(..6), 0);
            match Answer::parse(&bytes) {
                Some(Answer::Picture { width, height }) => assert!(picture_bytes(width, height) <= PICTURE_BYTES),
                Some(Answer::Broken(text)) => {
                    assert!(text.len() <= MOST_TEXT && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
                }
                _ => {}
            }
        }
        let long = Answer::Broken("x".repeat(5000));
        assert!(matches!(Answer::parse(&long.to_bytes()), Some(Answer::Broken(text)) if text.len() == MOST_TEXT));
        assert_eq!(Order::parse([255; ORDER_HEAD]), None);
    }
}
