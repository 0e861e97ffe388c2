//! The two chunks of a WAV file that matter, whatever else stands in it and whatever its lengths say.
//!
//! Programs that write into a pipe cannot know a length beforehand: ffmpeg says FFFFFFFF, arecord 7FFFF000, sox 0. Recorders put chunks of odd
//! length before the sound, with the padding byte that RIFF wants. `hound`, which reads the samples, takes neither.

/// The same file with right lengths and nothing but its format and its sound; `None` if that cannot be found.
pub fn tidy(file: &[u8]) -> Option<Vec<u8>> {
    let mut rest = file.strip_prefix(b"RIFF")?.get(4..)?.strip_prefix(b"WAVE")?;
    let mut format = None;
    loop {
        let (id, length, body) = chunk(rest)?;
        match id {
            b"fmt " => format = Some(body.get(..length)?),
            b"data" => {
                let format = format?;
                let frame = usize::from(u16::from_le_bytes(*format.get(12..)?.first_chunk()?)).max(1);
                let sound = sound(length, body);
                return Some(write(format, &sound[..sound.len() / frame * frame]));
            }
            _ => {}
        }
        rest = body.get(length.checked_add(length % 2)?..)?;
    }
}

/// A chunk's name, the length that it says, and all that follows.
fn chunk(bytes: &[u8]) -> Option<(&[u8; 4], usize, &[u8])> {
    let (id, rest) = bytes.split_first_chunk()?;
    let (length, body) = rest.split_first_chunk()?;
    Some((id, usize::try_from(u32::from_le_bytes(*length)).ok()?, body))
}

/// What of `body` is sound. A length beyond the end, or 0 before something that is no chunk, means to the end.
fn sound(length: usize, body: &[u8]) -> &[u8] {
    let is_name = |(id, length, rest): (&[u8; 4], usize, &[u8])| {
        id.iter().all(|byte| (b' '..=b'~').contains(byte)) && length <= rest.len()
    };
    match length {
        0 if chunk(body).is_some_and(is_name) => &[],
        0 => body,
        length => &body[..length.min(body.len())],
    }
}

fn write(format: &[u8], sound: &[u8]) -> Vec<u8> {
    let length = |bytes: usize| (bytes as u32).to_le_bytes();
    let all = 4 + 8 + format.len() + 8 + sound.len();
    [b"RIFF", &length(all)[..], b"WAVEfmt ", &length(format.len()), format, b"data", &length(sound.len()), sound]
        .concat()
}
