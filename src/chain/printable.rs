//! Encodes bytes as printable ASCII, and decodes them: a wrapper in a language whose strings are Unicode
//! could change other bytes of a variable. Base64 would need a third more room; this encoding leaves
//! most bytes as they are.

/// Precedes the two hexadecimal digits of a byte that has no character of its own.
const ESCAPE: u8 = b'%';

/// The characters for two frequent bytes that are not printable: NUL and the end of a line.
const NUL: u8 = b'~';
const LINE_END: u8 = b'`';

/// Follows the last byte and stands nowhere else, so that truncation is noticed.
const END: &[u8] = b"%.";
/// The length of the checksum, in hexadecimal digits, which follow [`END`].
const DIGITS: usize = 8;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Encodes bytes.
pub fn encode(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len() + bytes.len() / 8 + END.len() + DIGITS);
    // A chunk without escapes is copied as a whole: 41 instructions a byte, where byte by byte takes 59
    // (callgrind, opt-level z; `scripts/bench.sh --check` counts a whole start with a wrapper).
    for part in bytes.chunks(256) {
        if part.iter().fold(true, |plain, &byte| plain & is_plain(byte)) {
            text.extend(part.iter().map(|&byte| swap(byte)));
            continue;
        }
        for &byte in part {
            match byte {
                _ if is_plain(byte) => text.push(swap(byte)),
                _ => {
                    text.push(ESCAPE);
                    text.extend(digits(byte));
                }
            }
        }
    }
    text.extend_from_slice(END);
    put_checksum(&mut text, bytes);
    text
}

/// Appends the checksum of bytes.
fn put_checksum(text: &mut Vec<u8>, bytes: &[u8]) {
    text.extend(checksum(bytes).to_be_bytes().iter().flat_map(|byte| digits(*byte)));
}

/// Returns a byte's hexadecimal digits.
fn digits(byte: u8) -> [u8; 2] {
    [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]
}

/// Computes a checksum against accidental changes (FNV-1a, 32 bits,
/// <http://www.isthe.com/chongo/tech/comp/fnv/>).
pub fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |sum, &byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// Decodes what [`encode`] wrote; returns `None` for anything else.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let (text, sum) = text.split_at(text.len().checked_sub(DIGITS)?);
    let text = text.strip_suffix(END)?;
    let digit = |byte: &u8| HEX.iter().position(|digit| digit == byte).map(|digit| digit as u8);
    let mut parts = text.split(|&byte| byte == ESCAPE);
    let mut bytes = Vec::with_capacity(text.len());
    bytes.extend(parts.next()?.iter().map(|&byte| swap(byte)));
    for part in parts {
        let [high, low, plain @ ..] = part else { return None };
        bytes.push(digit(high)? << 4 | digit(low)?);
        bytes.extend(plain.iter().map(|&byte| swap(byte)));
    }
    let mut expected = Vec::with_capacity(DIGITS);
    put_checksum(&mut expected, &bytes);
    (sum == expected).then_some(bytes)
}

/// Tells whether a byte is encoded as one character.
fn is_plain(byte: u8) -> bool {
    let is_printable =
        (b' '..=b'~').contains(&byte) & (byte != ESCAPE) & (byte != NUL) & (byte != LINE_END);
    is_printable | (byte == 0) | (byte == b'\n')
}

/// Returns the character of such a byte, or the byte of such a character: the function is its own inverse.
fn swap(byte: u8) -> u8 {
    match byte {
        0 => NUL,
        b'\n' => LINE_END,
        NUL => 0,
        LINE_END => b'\n',
        _ => byte,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_bytes_are_printable_and_decode_to_the_same() {
        let every: Vec<u8> = (0..=255).collect();
        for bytes in [&b""[..], b".", b"%", b"a\0b\n", "é".as_bytes(), &every, &every.repeat(3)] {
            let text = encode(bytes);
            assert!(text.iter().all(|byte| matches!(byte, b' '..=b'~')), "{}", text.escape_ascii());
            assert_eq!(decode(&text).as_deref(), Some(bytes));
        }
        assert_eq!(encode(&[b'a'; 1000]).len(), 1000 + END.len() + DIGITS);
    }

    #[test]
    fn truncated_or_foreign_text_is_not_decoded() {
        let text = encode(b"a.\xff%.b");
        for length in 0..text.len() {
            assert_eq!(decode(&text[..length]), None, "{length}");
        }
        for text in [".", "%4%.", "%zz%.", "%.%.", "a%4%41%.", "a%.,", "a%."] {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
            assert_eq!(decode([text, "00000000"].concat().as_bytes()), None, "{text}");
        }
    }
}
