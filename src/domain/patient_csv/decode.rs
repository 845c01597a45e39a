//! Bytes of an unknown encoding become UTF-8, whichever way they were cut.

use encoding_rs::{CoderResult, Encoding, UTF_8, WINDOWS_1252};

/// Turns bytes into text. What is no text becomes U+FFFD, which a row is refused for.
pub(super) enum Decoder {
    /// Only ASCII so far: the first other letter decides between UTF-8 and Windows-1252. At most three bytes
    /// of it are held.
    Undecided {
        held: Vec<u8>,
    },
    Decided(encoding_rs::Decoder),
}

impl Decoder {
    /// Chooses by the beginning of the file (all of it if `complete`); also returns how many bytes of it are
    /// a byte order mark.
    ///
    /// Without a mark, valid UTF-8 is UTF-8. A beginning with both UTF-8 letters and invalid bytes is a
    /// damaged UTF-8 file, unless invalid bytes prevail by far:
    /// `ß–` in Windows-1252 happens to be a UTF-8 letter.
    pub(super) fn choose(ahead: &[u8], complete: bool) -> (Self, usize) {
        let decided =
            |encoding: &'static Encoding| Self::Decided(encoding.new_decoder_without_bom_handling());
        if let Some((encoding, bom)) = Encoding::for_bom(ahead) {
            return (decided(encoding), bom);
        }
        let (valid, invalid) = utf8_letters(ahead, complete);
        let decoder = match (valid, invalid) {
            (0, 0) => Self::Undecided { held: Vec::new() },
            _ if invalid > 2 * valid => decided(WINDOWS_1252),
            _ => decided(UTF_8),
        };
        (decoder, 0)
    }

    /// Appends the text of the next bytes. `last` ends the file: what is incomplete then stays so.
    pub(super) fn decode(&mut self, bytes: &[u8], last: bool, text: &mut String) {
        match self {
            Self::Decided(decoder) => decode(decoder, bytes, last, text),
            Self::Undecided { held } => {
                let mut pending = std::mem::take(held);
                pending.extend_from_slice(bytes);
                let ascii = pending.iter().take_while(|b| b.is_ascii()).count();
                let (plain, rest) = pending.split_at(ascii);
                text.push_str(std::str::from_utf8(plain).unwrap_or_default()); // ASCII always is UTF-8

                let incomplete =
                    std::str::from_utf8(rest).is_err_and(|e| e.valid_up_to() == 0 && e.error_len().is_none());
                if rest.is_empty() || incomplete && !last {
                    *held = rest.to_vec();
                    return;
                }
                let is_utf8 = rest.utf8_chunks().next().is_some_and(|chunk| !chunk.valid().is_empty());
                let encoding = if is_utf8 { UTF_8 } else { WINDOWS_1252 };
                let mut decoder = encoding.new_decoder_without_bom_handling();
                decode(&mut decoder, rest, last, text);
                *self = Self::Decided(decoder);
            }
        }
    }

    pub(super) fn encoding(&self) -> &'static str {
        match self {
            Self::Undecided { .. } => UTF_8.name(),
            Self::Decided(decoder) => decoder.encoding().name(),
        }
    }
}

fn decode(decoder: &mut encoding_rs::Decoder, mut bytes: &[u8], last: bool, text: &mut String) {
    loop {
        text.reserve(decoder.max_utf8_buffer_length(bytes.len()).unwrap_or(bytes.len()).max(16));
        let (result, read, _) = decoder.decode_to_string(bytes, text, last);
        bytes = &bytes[read..];
        if result == CoderResult::InputEmpty {
            return;
        }
    }
}

/// Counts the letters beyond ASCII and the runs of bytes that are no UTF-8.
fn utf8_letters(mut bytes: &[u8], complete: bool) -> (usize, usize) {
    let (mut letters, mut invalid) = (0, 0);
    let beyond_ascii = |valid: &[u8]| valid.iter().filter(|b| **b >= 0xc0).count();
    while let Err(error) = std::str::from_utf8(bytes) {
        let (valid, rest) = bytes.split_at(error.valid_up_to());
        letters += beyond_ascii(valid);
        // The look-ahead may end inside a letter, the file may not.
        let Some(length) = error.error_len().or(complete.then_some(rest.len())) else {
            return (letters, invalid);
        };
        invalid += 1;
        bytes = &rest[length..];
    }
    (letters + beyond_ascii(bytes), invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8]) -> (String, &'static str) {
        let (mut decoder, bom) = Decoder::choose(bytes, true);
        let mut text = String::new();
        decoder.decode(&bytes[bom..], true, &mut text);
        (text, decoder.encoding())
    }

    /// What becomes of a tail when the look-ahead saw ASCII only, fed byte by byte.
    fn after_ascii(tail: &[u8]) -> (String, &'static str) {
        let (mut decoder, _) = Decoder::choose(b"abc", false);
        let mut text = String::new();
        for byte in tail {
            decoder.decode(&[*byte], false, &mut text);
        }
        decoder.decode(&[], true, &mut text);
        (text, decoder.encoding())
    }

    #[test]
    fn marks_decide_and_are_dropped() {
        assert_eq!(decoded(b"\xef\xbb\xbfM\xc3\xbc"), ("Mü".into(), "UTF-8"));
        assert_eq!(decoded(b"\xff\xfeM\0\xfc\0"), ("Mü".into(), "UTF-16LE"));
        assert_eq!(decoded(b"\xfe\xff\0M\0\xfc"), ("Mü".into(), "UTF-16BE"));
    }

    #[test]
    fn without_a_mark_valid_utf8_is_utf8_and_the_rest_windows_1252() {
        assert_eq!(decoded("Müller".as_bytes()), ("Müller".into(), "UTF-8"));
        assert_eq!(decoded(b"M\xfcller \x80"), ("Müller €".into(), "windows-1252"));
        assert_eq!(decoded(b"plain"), ("plain".into(), "UTF-8"));
        assert_eq!(decoded(b""), (String::new(), "UTF-8"));
    }

    #[test]
    fn a_damaged_utf8_file_stays_utf8() {
        assert_eq!(decoded(b"M\xc3\xbcller M\xfcller"), ("Müller M\u{fffd}ller".into(), "UTF-8"));
        assert_eq!(decoded(b"M\xc3\xbcller M\xc3"), ("Müller M\u{fffd}".into(), "UTF-8"));
    }

    #[test]
    fn a_chance_utf8_letter_does_not_outvote_many_windows_1252_ones() {
        let text = "Müller Strauß– Möller Jäger";
        let (bytes, _, _) = WINDOWS_1252.encode(text);

        assert_eq!(decoded(&bytes), (text.into(), "windows-1252"));
    }

    #[test]
    fn after_plain_ascii_the_first_letter_decides() {
        assert_eq!(after_ascii("ü€😀".as_bytes()), ("ü€😀".into(), "UTF-8"));
        assert_eq!(after_ascii(b"a\xfcb\xc3"), ("aübÃ".into(), "windows-1252"));
        assert_eq!(after_ascii(b"a\xc3\xbc\xfcb"), ("aü\u{fffd}b".into(), "UTF-8"));
        assert_eq!(after_ascii(b"a\xe2\x82"), ("aâ‚".into(), "windows-1252"));
        assert_eq!(after_ascii(b"abc"), ("abc".into(), "UTF-8"));
    }
}
