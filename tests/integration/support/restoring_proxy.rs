//! A Runtime API proxy in front of AWS's emulator, which knows no snapshots: it answers the call with which a runtime
//! waits for the restore at once, and passes on everything else.

use std::fs;
use std::io::{Read, Write, copy};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, spawn};

const RESTORE_NEXT: &[u8] = b"GET /2018-06-01/runtime/restore/next HTTP/1.1\r\n";

pub struct RestoringProxy {
    pub address: String,
    ending: Arc<AtomicBool>,
    server: Option<JoinHandle<()>>,
}

impl RestoringProxy {
    /// The file will hold the address of the emulator's Runtime API, on a line, when the first connection comes.
    pub fn in_front_of(upstream: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("unable to listen");
        let address = listener.local_addr().expect("an address").to_string();
        let ending = Arc::new(AtomicBool::new(false));
        let server = spawn({
            let ending = Arc::clone(&ending);
            move || {
                for client in listener.incoming() {
                    if ending.load(Ordering::SeqCst) {
                        return;
                    }
                    let (client, upstream) = (client.expect("a connection"), upstream.clone());
                    // It ends with its connection, which ends with the emulator.
                    spawn(move || serve(client, &upstream));
                }
            }
        });
        Self { address, ending, server: Some(server) }
    }

    /// A wrapper that lets the runtime speak to this, as AWS's samples of a Runtime API proxy do.
    pub fn wrapper(&self) -> String {
        let address = &self.address;
        format!(
            "#!/bin/sh\necho \"$AWS_LAMBDA_RUNTIME_API\" >\"$LAMBDA_TASK_ROOT/upstream\"\n\
             export AWS_LAMBDA_RUNTIME_API={address}\nexec \"$@\"\n"
        )
    }
}

impl Drop for RestoringProxy {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::SeqCst);
        // Wakes the server out of its wait for a connection.
        let _ = TcpStream::connect(&self.address);
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}

/// A connection whose first request is not the one that is answered here passes with all that follows.
fn serve(mut client: TcpStream, upstream: &PathBuf) -> std::io::Result<()> {
    let mut start = Vec::new();
    while !start.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        start.extend(byte);
    }
    if start.starts_with(RESTORE_NEXT) {
        return client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
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
