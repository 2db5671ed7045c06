//! Bytes as printable ASCII and back: no language whose texts are Unicode can spoil what a variable
//! carries so.

/// Stands before the two digits of a byte that is not written as one byte.
const ESCAPE: u8 = b'%';

/// Stand for the bytes that are not printed and yet are frequent: NUL, which no variable can hold,
/// and the end of a line.
const NUL: u8 = b'~';
const LINE_END: u8 = b'`';

/// Behind the last byte, and nowhere else, so that what was cut off is noticed; the digits of the
/// checksum follow.
const END: &[u8] = b"%.";
const DIGITS: usize = 8;

const HEX: &[u8; 16] = b"0123456789abcdef";

pub fn encode(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len() + bytes.len() / 8 + END.len() + DIGITS);
    // Without a way out of the loop, and copied as a whole, many bytes take one step.
    for part in bytes.chunks(256) {
        if part.iter().fold(true, |plain, &byte| plain & is_plain(byte)) {
            text.extend(part.iter().map(|&byte| swapped(byte)));
            continue;
        }
        for &byte in part {
            match byte {
                _ if is_plain(byte) => text.push(swapped(byte)),
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

fn put_checksum(text: &mut Vec<u8>, bytes: &[u8]) {
    text.extend(checksum(bytes).to_be_bytes().iter().flat_map(|byte| digits(*byte)));
}

fn digits(byte: u8) -> [u8; 2] {
    [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]
}

/// Tells bytes from others that came to be by accident (FNV-1a, <http://www.isthe.com/chongo/tech/comp/fnv/>).
pub fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |sum, &byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// What was written; `None` for anything else.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let (text, sum) = text.split_at(text.len().checked_sub(DIGITS)?);
    let text = text.strip_suffix(END)?;
    let digit = |byte: &u8| HEX.iter().position(|digit| digit == byte).map(|digit| digit as u8);
    let mut parts = text.split(|&byte| byte == ESCAPE);
    let mut bytes = Vec::with_capacity(text.len());
    bytes.extend(parts.next()?.iter().map(|&byte| swapped(byte)));
    for part in parts {
        let [high, low, plain @ ..] = part else { return None };
        bytes.push(digit(high)? << 4 | digit(low)?);
        bytes.extend(plain.iter().map(|&byte| swapped(byte)));
    }
    let mut expected = Vec::with_capacity(DIGITS);
    put_checksum(&mut expected, &bytes);
    (sum == expected).then_some(bytes)
}

/// Whether a byte is written as one byte.
fn is_plain(byte: u8) -> bool {
    let is_printable =
        (b' '..=b'~').contains(&byte) & (byte != ESCAPE) & (byte != NUL) & (byte != LINE_END);
    is_printable | (byte == 0) | (byte == b'\n')
}

/// What stands for a plain byte, and what such a byte stands for.
fn swapped(byte: u8) -> u8 {
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
    fn every_byte_is_printed_and_read_again() {
        let every: Vec<u8> = (0..=255).collect();
        for bytes in [&b""[..], b".", b"%", b"a\0b\n", "é".as_bytes(), &every, &every.repeat(3)] {
            let text = encode(bytes);
            assert!(text.iter().all(|byte| matches!(byte, b' '..=b'~')), "{}", text.escape_ascii());
            assert_eq!(decode(&text).as_deref(), Some(bytes));
        }
        assert_eq!(encode(&[b'a'; 1000]).len(), 1000 + END.len() + DIGITS);
    }

    #[test]
    fn what_was_not_written_is_not_decode() {
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
