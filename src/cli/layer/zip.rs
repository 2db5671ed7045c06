//! The little of the zip format that layers are made of (PKWARE's APPNOTE.TXT): stored and deflated
//! members, with the modes that zips made on Unix have.

use miniz_oxide::inflate::decompress_to_vec_with_limit;
use std::borrow::Cow;

/// All layers of a function together may not be larger (AWS's documentation, "Lambda quotas").
const LARGEST: usize = 250 << 20;

pub struct ZipMember {
    pub name: String,
    /// Type and permission bits; 0 when the zip has none.
    pub mode: u32,
    pub content: ZipContent,
}

/// Where the bytes of a member are, and how they are packed.
pub struct ZipContent {
    header: usize,
    packed: usize,
    unpacked: usize,
    method: u16,
}

/// The members that the central directory names, in its order.
pub fn members(zip: &[u8]) -> Result<Vec<ZipMember>, String> {
    // A comment of up to 64 KB may follow the end record.
    let start = zip.len().saturating_sub(22 + 0xffff);
    let end =
        zip[start..].windows(4).rposition(|window| window == b"PK\x05\x06").map(|at| start + at);
    let end = end.ok_or("it is neither a folder nor a zip")?;
    let (count, mut at) = (number(zip, end + 10, 2)?, number(zip, end + 16, 4)?);
    if count == 0xffff || at == 0xffff_ffff {
        return Err("it is a zip64; zip it without (a layer is never that large)".into());
    }
    let mut members = Vec::with_capacity(count);
    for _ in 0..count {
        if number(zip, at, 4)? != 0x0201_4b50 {
            return Err(damaged());
        }
        let lengths = [28, 30, 32].map(|offset| number(zip, at + offset, 2));
        let [name, extra, comment] = lengths;
        let (name, others) = (name?, extra? + comment?);
        let is_from_unix = number(zip, at + 5, 1)? == 3;
        let name_bytes = zip.get(at + 46..at + 46 + name).ok_or_else(damaged)?;
        members.push(ZipMember {
            // Some zips made on Windows have its separators.
            name: String::from_utf8_lossy(name_bytes).replace('\\', "/"),
            mode: if is_from_unix { number(zip, at + 40, 2)? as u32 } else { 0 },
            content: ZipContent {
                header: number(zip, at + 42, 4)?,
                packed: number(zip, at + 20, 4)?,
                unpacked: number(zip, at + 24, 4)?,
                method: number(zip, at + 10, 2)? as u16,
            },
        });
        at += 46 + name + others;
    }
    Ok(members)
}

impl ZipContent {
    /// The bytes, unpacked.
    pub fn read<'z>(&self, zip: &'z [u8]) -> Result<Cow<'z, [u8]>, String> {
        // The local header may have other extra fields than the directory.
        let start = self.header
            + 30
            + number(zip, self.header + 26, 2)?
            + number(zip, self.header + 28, 2)?;
        let packed = zip.get(start..start + self.packed).ok_or_else(damaged)?;
        match self.method {
            0 => Ok(Cow::Borrowed(packed)),
            8 if self.unpacked > LARGEST => Err("it is larger than a layer may be".into()),
            8 => decompress_to_vec_with_limit(packed, self.unpacked)
                .map(Cow::Owned)
                .map_err(|_| damaged()),
            method => Err(format!("it is packed with method {method}, and layers are deflated")),
        }
    }
}

/// A little-endian number.
fn number(zip: &[u8], at: usize, length: usize) -> Result<usize, String> {
    let bytes = zip.get(at..at + length).ok_or_else(damaged)?;
    Ok(bytes.iter().rev().fold(0, |number, &byte| number << 8 | usize::from(byte)))
}

fn damaged() -> String {
    "the zip is damaged".into()
}
