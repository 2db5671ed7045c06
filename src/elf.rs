//! The machine and the libraries that an ELF file asks for, from its headers
//! (<https://man7.org/linux/man-pages/man5/elf.5.html>). Reads a file of any size piece by piece.

/// The type of a program header: to be loaded, for the dynamic linker, its path (`p_type`).
#[cfg(feature = "tool")]
const PT_LOAD: u64 = 1;
#[cfg(feature = "tool")]
const PT_DYNAMIC: u64 = 2;
const PT_INTERP: u64 = 3;

/// The address and the size of the string table in the dynamic section (`d_tag`).
#[cfg(feature = "tool")]
const DT_STRTAB: u64 = 5;
#[cfg(feature = "tool")]
const DT_STRSZ: u64 = 10;

/// Longest path of a dynamic loader (`PATH_MAX`).
const LONGEST_LOADER: u64 = 4096;

/// The machine that a file is built for (`e_machine`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    X86_64,
    Arm64,
    Other(u16),
}

impl Machine {
    /// Reads the machine from the first 20 bytes of an ELF file, of 32 or 64 bits and either
    /// byte order.
    pub fn of(start: &[u8]) -> Option<Self> {
        let Some(&[first, second]) = start.strip_prefix(MAGIC).and_then(|_| start.get(18..20))
        else {
            return None;
        };
        // `EI_DATA` says which byte of a number comes first: 2 is big-endian.
        let number = match start[5] {
            2 => u16::from_be_bytes([first, second]),
            _ => u16::from_le_bytes([first, second]),
        };
        Some(match number {
            62 => Self::X86_64,
            183 => Self::Arm64,
            number => Self::Other(number),
        })
    }

    /// The name that Lambda has for it, or its number.
    pub fn name(self) -> String {
        match self {
            Self::X86_64 => "x86_64".into(),
            Self::Arm64 => "arm64".into(),
            Self::Other(number) => format!("ELF machine {number}"),
        }
    }
}

const MAGIC: &[u8] = b"\x7fELF";

/// Reads so many bytes at an offset; nothing where there are fewer.
pub type ReadAt<'r> = &'r dyn Fn(u64, usize) -> Option<Vec<u8>>;

/// A 64-bit ELF file.
pub struct ElfFile<'r> {
    read: ReadAt<'r>,
    segments: Vec<Segment>,
}

struct Segment {
    kind: u64,
    offset: u64,
    #[cfg_attr(not(feature = "tool"), allow(dead_code))]
    address: u64,
    size: u64,
}

impl<'r> ElfFile<'r> {
    /// Reads the headers; nothing for any other file.
    pub fn parse(read: ReadAt<'r>) -> Option<Self> {
        let header = read(0, 64).filter(|header| header.starts_with(b"\x7fELF\x02"))?;
        let (start, size, count) =
            (number(&header[32..40]), number(&header[54..56]), number(&header[56..58]));
        let segments = (0..count).filter_map(|index| {
            let header = read(start.checked_add(index * size)?, 56)?;
            Some(Segment {
                kind: number(&header[..4]),
                offset: number(&header[8..16]),
                address: number(&header[16..24]),
                size: number(&header[32..40]),
            })
        });
        Some(Self { read, segments: segments.collect() })
    }

    /// Returns the path of the dynamic loader (`PT_INTERP`); nothing for a static file.
    pub fn loader(&self) -> Option<String> {
        let segment = self.segment(PT_INTERP).filter(|segment| segment.size < LONGEST_LOADER)?;
        let name = (self.read)(segment.offset, usize::try_from(segment.size).ok()?)?;
        Some(String::from_utf8_lossy(&name).trim_end_matches('\0').to_owned())
    }

    /// Returns the newest minor version of glibc 2 whose symbols it needs: the names of versions
    /// are among the strings of the dynamic linker (`DT_STRTAB`).
    #[cfg(feature = "tool")]
    pub fn glibc_minor(&self) -> Option<u32> {
        let dynamic = self.segment(PT_DYNAMIC)?;
        let entries = (self.read)(dynamic.offset, usize::try_from(dynamic.size).ok()?)?;
        let entry = |tag: u64| {
            let mut entries = entries.chunks_exact(16);
            entries.find(|entry| number(&entry[..8]) == tag).map(|entry| number(&entry[8..]))
        };
        let (address, size) = (entry(DT_STRTAB)?, entry(DT_STRSZ)?);
        let holds = |segment: &&Segment| {
            let end = segment.address.saturating_add(segment.size);
            segment.kind == PT_LOAD && (segment.address..end).contains(&address)
        };
        let loaded = self.segments.iter().find(holds)?;
        let start = loaded.offset.checked_add(address - loaded.address)?;
        let strings = (self.read)(start, usize::try_from(size).ok()?)?;
        let minor = |string: &[u8]| {
            let version = str::from_utf8(string.strip_prefix(b"GLIBC_2.")?).ok()?;
            version.split('.').next()?.parse().ok()
        };
        strings.split(|&byte| byte == 0).filter_map(minor).max()
    }

    fn segment(&self, kind: u64) -> Option<&Segment> {
        self.segments.iter().find(|segment| segment.kind == kind)
    }
}

/// Reads a little-endian number.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_is_read_in_either_byte_order() {
        let header = |class: u8, data: u8, machine: [u8; 2]| {
            let mut header = [&MAGIC[..], &[class, data], &[0; 12], &machine].concat();
            header.resize(64, 0);
            header
        };
        for (start, expected) in [
            (header(2, 1, [62, 0]), Some(Machine::X86_64)),
            (header(2, 1, [183, 0]), Some(Machine::Arm64)),
            (header(1, 1, [3, 0]), Some(Machine::Other(3))),
            (header(2, 2, [0, 22]), Some(Machine::Other(22))),
            (b"#!/bin/sh\n and more than twenty bytes".to_vec(), None),
            (MAGIC.to_vec(), None),
        ] {
            assert_eq!(Machine::of(&start), expected, "{start:?}");
        }
    }

    #[test]
    fn test_program_names_its_loader_or_none() {
        let file = std::fs::read("/proc/self/exe").expect("the test itself");
        let read = |offset: u64, length: usize| {
            let start = usize::try_from(offset).ok()?;
            file.get(start..start.checked_add(length)?).map(<[u8]>::to_vec)
        };
        let elf = ElfFile::parse(&read).expect("an ELF file");
        let is_static = cfg!(target_feature = "crt-static");
        assert_eq!(elf.loader().is_none(), is_static);
    }
}
