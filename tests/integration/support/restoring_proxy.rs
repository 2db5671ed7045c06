//! A Runtime API proxy for AWS's emulator, which has no snapshots: it answers restore/next at once,
//! and passes everything else on.

use super::server::Server;
use std::fs;
use std::io::{Read, Write, copy};
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::thread::spawn;

const RESTORE_NEXT: &[u8] = b"GET /2018-06-01/runtime/restore/next HTTP/1.1\r\n";

pub struct RestoringProxy(Server);

impl RestoringProxy {
    /// Starts the proxy. When the first connection comes, the file has to contain the address of
    /// the emulator's Runtime API, on a line.
    pub fn in_front_of(upstream: PathBuf) -> Self {
        Self(Server::new(move |client| {
            let upstream = upstream.clone();
            // The thread ends with its connection, which ends with the emulator.
            spawn(move || serve(client, &upstream));
        }))
    }

    /// Returns a wrapper that sets the runtime's address to this proxy, as AWS's samples of a
    /// Runtime API proxy do.
    pub fn wrapper(&self) -> String {
        let address = &self.0.address;
        format!(
            "#!/bin/sh\necho \"$AWS_LAMBDA_RUNTIME_API\" >\"$LAMBDA_TASK_ROOT/upstream\"\nexport \
             AWS_LAMBDA_RUNTIME_API={address}\nexec \"$@\"\n"
        )
    }
}

/// Answers restore/next; a connection with any other first request passes with all that follows.
fn serve(mut client: TcpStream, upstream: &Path) -> std::io::Result<()> {
    let mut start = Vec::new();
    while !start.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        start.extend(byte);
    }
    if start.starts_with(RESTORE_NEXT) {
        return client
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
    }
    let mut emulator = TcpStream::connect(fs::read_to_string(upstream)?.trim_end())?;
    emulator.write_all(&start)?;
    let (mut from_client, mut to_emulator) = (client.try_clone()?, emulator.try_clone()?);
    spawn(move || {
        let _ = copy(&mut from_client, &mut to_emulator);
        to_emulator.shutdown(Shutdown::Write)
    });
    copy(&mut emulator, &mut client)?;
    client.shutdown(Shutdown::Both)
}
