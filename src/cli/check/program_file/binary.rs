//! The faults of ELF files: the machine, the dynamic loader and the C library that they need.

use super::{Executor, ProgramCheck};
use crate::cli::check::files::Lookup;
use crate::cli::finding::Severity;
use crate::elf::{ElfFile, Machine};

/// The dynamic loaders of Lambda's images.
const LOADERS: [&str; 2] = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"];

/// The minor versions of glibc 2 in Amazon Linux 2 and 2023
/// (<https://docs.aws.amazon.com/linux/al2023/ug/compare-with-al2.html>).
const GLIBC_2: u32 = 26;
const GLIBC_2023: u32 = 34;

/// Returns the name of the machine that a 64-bit little-endian ELF file is built for, if Lambda has
/// that (`EI_CLASS`, `EI_DATA`).
pub fn lambda_machine(content: &[u8]) -> Option<&'static str> {
    match Machine::of(content).filter(|_| content.get(4..6) == Some(&[2, 1]))? {
        Machine::X86_64 => Some("x86_64"),
        Machine::Arm64 => Some("arm64"),
        Machine::Other(_) => None,
    }
}

/// Returns the faults of an ELF file.
pub fn faults(content: &[u8], subject: &ProgramCheck) -> Vec<(Severity, String)> {
    let ProgramCheck { files, user, expected, runtimes, .. } = subject;
    let mut faults = Vec::new();
    match lambda_machine(content) {
        Some(machine) if machine == expected.name => {}
        Some(machine) => {
            let severity =
                if **user == Executor::Unknown { Severity::Warning } else { expected.severity };
            let message = format!(
                "this program is for {machine}, and {}; build it for that",
                expected.because
            );
            faults.push((severity, message));
        }
        None => {
            return vec![(
                user.severity(),
                "this program is for no machine that Lambda has".into(),
            )];
        }
    }
    let read = |offset: u64, length: usize| {
        let start = usize::try_from(offset).ok()?;
        content.get(start..start.checked_add(length)?).map(<[u8]>::to_vec)
    };
    let elf = ElfFile::parse(&read);
    let Some((elf, loader)) = elf.and_then(|elf| elf.loader().map(|loader| (elf, loader))) else {
        return faults;
    };
    if !LOADERS.contains(&loader.as_str()) && !matches!(files.look_up(&loader), Lookup::File(_)) {
        let message = format!(
            "this program needs the loader {loader:?}, which no image of Lambda's has; link it \
             statically"
        );
        faults.push((user.severity(), message));
        return faults;
    }
    let needed = elf.glibc_minor().filter(|_| LOADERS.contains(&loader.as_str()));
    let message = match needed {
        Some(minor) if minor > GLIBC_2023 => {
            let message = format!(
                "this program needs glibc 2.{minor}, and the newest in Lambda's images is \
                 2.{GLIBC_2023} (Amazon Linux 2023); link it statically, or build it on Amazon \
                 Linux"
            );
            return faults.into_iter().chain([(user.severity(), message)]).collect();
        }
        Some(minor) if minor > GLIBC_2 && runtimes.are_amazon_linux_2() => {
            let message = format!(
                "this program needs glibc 2.{minor}, and Amazon Linux 2, on which the runtime is, \
                 has 2.{GLIBC_2}; link it statically, or build it on Amazon Linux 2"
            );
            return faults.into_iter().chain([(user.severity(), message)]).collect();
        }
        _ => {
            "this program is linked dynamically: it needs the libraries of the function's image, \
             as new as those it was built with; link it statically to run everywhere"
        }
    };
    faults.push((Severity::Warning, message.into()));
    faults
}
