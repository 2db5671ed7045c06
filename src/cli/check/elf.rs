//! What the headers of an ELF file say of the machine and the libraries that it needs (elf(5)).

/// The machine of a 64-bit little-endian ELF file, in Lambda's words (`e_machine`).
pub fn machine(content: &[u8]) -> Option<&'static str> {
    if content.get(4..6) != Some(&[2, 1]) || !content.starts_with(b"\x7fELF") {
        return None;
    }
    match content.get(18..20)? {
        [62, 0] => Some("x86_64"),
        [183, 0] => Some("arm64"),
        _ => None,
    }
}

/// The dynamic loader that it asks for (`PT_INTERP`).
pub fn loader(content: &[u8]) -> Option<String> {
    let segment = segments(content).find(|segment| segment.kind == 3)?;
    let name = content.get(segment.offset..segment.offset.checked_add(segment.size)?)?;
    Some(String::from_utf8_lossy(name).trim_end_matches('\0').to_owned())
}

/// The newest minor version of glibc 2 of which it needs a symbol: the names of versions stand
/// among the strings of the dynamic linker (`DT_STRTAB`).
pub fn glibc(content: &[u8]) -> Option<u32> {
    let dynamic = segments(content).find(|segment| segment.kind == 2)?;
    let entries =
        content.get(dynamic.offset..dynamic.offset.checked_add(dynamic.size)?)?.chunks_exact(16);
    let entry = |tag: usize| {
        let mut entries = entries.clone();
        entries.find(|entry| number(entry, 0, 8) == Some(tag)).and_then(|entry| number(entry, 8, 8))
    };
    let (address, size) = (entry(5)?, entry(10)?);
    let holds = |segment: &Segment| {
        segment.kind == 1
            && (segment.address..segment.address.saturating_add(segment.size)).contains(&address)
    };
    let loaded = segments(content).find(holds)?;
    let start = loaded.offset.checked_add(address - loaded.address)?;
    let strings = content.get(start..start.checked_add(size)?)?.split(|&byte| byte == 0);
    let minor = |string: &[u8]| {
        let version = str::from_utf8(string.strip_prefix(b"GLIBC_2.")?).ok()?;
        version.split('.').next()?.parse().ok()
    };
    strings.filter_map(minor).max()
}

struct Segment {
    kind: usize,
    offset: usize,
    address: usize,
    size: usize,
}

fn segments(content: &[u8]) -> impl Iterator<Item = Segment> + '_ {
    let table =
        || Some((number(content, 32, 8)?, number(content, 54, 2)?, number(content, 56, 2)?));
    let (start, size, count) = table().unwrap_or_default();
    (0..count).filter_map(move |index| {
        let at = start.checked_add(index * size)?;
        let field = |offset: usize, length| number(content, at.checked_add(offset)?, length);
        Some(Segment {
            kind: field(0, 4)?,
            offset: field(8, 8)?,
            address: field(16, 8)?,
            size: field(32, 8)?,
        })
    })
}

/// A little-endian number.
fn number(content: &[u8], at: usize, length: usize) -> Option<usize> {
    let bytes = content.get(at..at.checked_add(length)?)?;
    usize::try_from(bytes.iter().rev().fold(0u64, |number, &byte| number << 8 | u64::from(byte)))
        .ok()
}
