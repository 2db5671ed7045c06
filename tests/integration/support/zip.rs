//! Zips a directory as people zip layers: files deflated, with their modes, and symlinks as such.
//! PKWARE's APPNOTE.TXT describes the format
//! <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>, sections 4.3.7 (local header),
//! 4.3.12 (central directory) and 4.3.16 (its end).

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const DEFLATED: u16 = 8;
const MADE_ON_UNIX: u16 = 3 << 8;

#[derive(Default)]
struct Archive {
    members: Vec<u8>,
    directory: Vec<u8>,
    count: u16,
}

/// Writes the zip of a directory's content.
pub fn zip(directory: &Path, archive: &Path) {
    let mut whole = Archive::default();
    whole.add_all(directory, directory);
    fs::write(archive, whole.finish()).expect("unable to write a zip");
}

impl Archive {
    fn add_all(&mut self, root: &Path, directory: &Path) {
        let entries = fs::read_dir(directory)
            .expect("a directory")
            .map(|entry| entry.expect("an entry").path());
        let mut paths: Vec<_> = entries.collect();
        paths.sort();
        for path in paths {
            let name =
                path.strip_prefix(root).expect("a path below the root").as_os_str().as_bytes();
            let metadata = fs::symlink_metadata(&path).expect("a file");
            let mode = metadata.permissions().mode();
            if metadata.is_dir() {
                self.add_all(root, &path);
            } else if metadata.is_symlink() {
                self.add(
                    name,
                    mode,
                    fs::read_link(&path).expect("a symlink").as_os_str().as_bytes(),
                );
            } else {
                self.add(name, mode, &fs::read(&path).expect("a file"));
            }
        }
    }

    fn add(&mut self, name: &[u8], mode: u32, content: &[u8]) {
        let offset = length(&self.members);
        let deflated = miniz_oxide::deflate::compress_to_vec(content, 6);
        // The fields of both headers: version needed, flags, method, time, date, checksum, both
        // sizes, lengths of name and extra.
        let mut header = Vec::new();
        [20, 0, DEFLATED, 0, 0x21]
            .iter()
            .for_each(|field: &u16| header.extend(field.to_le_bytes()));
        [checksum(content), length(&deflated), length(content)]
            .iter()
            .for_each(|field| header.extend(field.to_le_bytes()));
        header.extend((name.len() as u16).to_le_bytes());
        header.extend([0; 2]);

        self.members.extend([b"PK\x03\x04", &header[..], name, &deflated].concat());
        self.directory
            .extend([b"PK\x01\x02", &(MADE_ON_UNIX | 20).to_le_bytes()[..], &header].concat());
        // No comment, the first disk, no internal attributes.
        self.directory.extend([0; 6]);
        self.directory.extend((mode << 16).to_le_bytes());
        self.directory.extend(offset.to_le_bytes());
        self.directory.extend(name);
        self.count += 1;
    }

    fn finish(self) -> Vec<u8> {
        let count = self.count.to_le_bytes();
        let (size, offset) =
            (length(&self.directory).to_le_bytes(), length(&self.members).to_le_bytes());
        let end = [b"PK\x05\x06\0\0\0\0", &count[..], &count, &size, &offset, &[0; 2]].concat();
        [self.members, self.directory, end].concat()
    }
}

fn length(bytes: &[u8]) -> u32 {
    bytes.len().try_into().expect("a small zip")
}

/// Returns the CRC-32 that gzip also uses.
fn checksum(bytes: &[u8]) -> u32 {
    let step = |value: u32, _| if value & 1 == 1 { value >> 1 ^ 0xedb8_8320 } else { value >> 1 };
    !bytes.iter().fold(!0, |value, byte| (0..8).fold(value ^ u32::from(*byte), step))
}
