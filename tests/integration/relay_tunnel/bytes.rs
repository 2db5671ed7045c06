//! Bytes, ends and errors after the restore, in both directions.

use super::{Between, carries, noise};
use crate::support::{LIMIT, wait_until};
use nix::sys::signal::Signal;
use nix::sys::socket::{setsockopt, sockopt};
use nix::unistd::Pid;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// How long a write has to wait for nobody to read at the other end.
const STALLED: Duration = Duration::from_millis(300);

/// More than the kernel keeps in all sockets on the way.
const ENDLESS: usize = 512 << 20;

/// What a relay may need for a connection of which it keeps nothing but a piece for each direction.
const MEMORY: usize = 8 << 20;

/// Runs it with the two ends of a connection in both orders: what holds for the one direction holds
/// for the other.
fn both_ways(check: impl Fn(&Between, TcpStream, TcpStream)) {
    let between = Between::open();
    let (client, upstream) = between.pair();
    check(&between, client, upstream);
    let (client, upstream) = between.pair();
    check(&between, upstream, client);
    between.runtime.end("");
}

/// Ends a connection with an error, as the kernel does for a process that was killed in the middle
/// of something.
fn reset(stream: TcpStream) {
    let linger = nix::libc::linger { l_onoff: 1, l_linger: 0 };
    setsockopt(&stream, sockopt::Linger, &linger).expect("unable to set how it ends");
}

/// Writes until nobody reads any more; says how much that was.
fn fill(mut stream: &TcpStream, bytes: &[u8]) -> usize {
    stream.set_write_timeout(Some(STALLED)).expect("unable to set a limit");
    let mut written = 0;
    loop {
        assert!(written < ENDLESS, "somebody keeps what nobody reads");
        let from = written % bytes.len();
        match stream.write(&bytes[from..]) {
            Ok(length) => written += length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("unable to send: {error}"),
        }
    }
    stream.set_write_timeout(Some(LIMIT)).expect("unable to set a limit");
    written
}

/// The memory that a process has, in bytes.
fn resident(pid: Pid) -> usize {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its size");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") << 10
}

/// How a connection ends: in order, or with an error; and how much came before.
fn end_of(mut stream: &TcpStream) -> (Result<(), ErrorKind>, usize) {
    let mut bytes = Vec::new();
    let end = stream.read_to_end(&mut bytes).map(|_| ()).map_err(|error| error.kind());
    (end, bytes.len())
}

#[test]
fn bytes_in_both_directions_at_once_pass() {
    let between = Between::open();
    let (client, upstream) = between.pair();
    let noise = noise(16 << 20);
    std::thread::scope(|scope| {
        scope.spawn(|| carries(&client, &upstream, &noise));
        carries(&upstream, &client, &noise);
    });
    between.runtime.end("");
}

#[test]
fn slow_reader_delays_its_writer_only() {
    let noise = noise(1 << 20);
    both_ways(|between, writer, reader| {
        let before = resident(between.runtime.relay());
        let written = fill(&writer, &noise);
        let after = resident(between.runtime.relay());
        assert!(after < before + MEMORY, "{before}, {after}");
        // The other direction, and other connections.
        carries(&reader, &writer, b"meanwhile");
        let (client, upstream) = between.pair();
        carries(&client, &upstream, b"meanwhile");
        carries(&upstream, &client, b"meanwhile");

        writer.shutdown(Shutdown::Write).expect("an end");
        let mut found = vec![0; written];
        (&reader).read_exact(&mut found).expect("what was written");
        assert!(found.chunks(noise.len()).all(|piece| piece == &noise[..piece.len()]));
        assert_eq!(end_of(&reader), (Ok(()), 0));
        carries(&reader, &writer, b"and an answer");
    });
}

#[test]
fn half_close_passes_as_a_half_close() {
    both_ways(|_, one, other| {
        (&one).write_all(b"all of it").expect("unable to send");
        one.shutdown(Shutdown::Write).expect("an end");
        assert_eq!(end_of(&other), (Ok(()), "all of it".len()));
        // Long after, and any number of bytes.
        carries(&other, &one, &noise(3 << 20));
        other.shutdown(Shutdown::Write).expect("an end");
        assert_eq!(end_of(&one), (Ok(()), 0));
    });
}

#[test]
fn reset_passes_as_a_reset() {
    let noise = noise(1 << 20);
    // Idle, in the middle of an answer, and of a request.
    both_ways(|_, one, other| {
        reset(one);
        assert_eq!(end_of(&other).0, Err(ErrorKind::ConnectionReset));
    });
    both_ways(|_, one, other| {
        carries(&other, &one, &noise);
        reset(one);
        assert_eq!(end_of(&other).0, Err(ErrorKind::ConnectionReset));
    });
    both_ways(|_, one, other| {
        carries(&one, &other, &noise);
        reset(one);
        assert_eq!(end_of(&other).0, Err(ErrorKind::ConnectionReset));
    });
}

/// What was cut off must not look as if it were all.
#[test]
fn reset_with_bytes_on_their_way_passes_as_a_reset() {
    let noise = noise(1 << 20);
    // The one who resets has sent more than anybody has read.
    both_ways(|_, one, other| {
        let written = fill(&one, &noise);
        reset(one);
        let (end, read) = end_of(&other);
        assert_eq!(end, Err(ErrorKind::ConnectionReset));
        assert!(read <= written);
    });
    // It has not read what the other has sent.
    both_ways(|_, one, other| {
        fill(&other, &noise);
        reset(one);
        let ended = |mut other: &TcpStream| {
            (0..1 << 20).find_map(|_| other.write(&noise).err()).map(|error| error.kind())
        };
        let end = ended(&other);
        assert!(matches!(end, Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)), "{end:?}");
    });
}

#[test]
fn reset_after_a_half_close_passes_as_a_reset() {
    both_ways(|_, one, other| {
        one.shutdown(Shutdown::Write).expect("an end");
        assert_eq!(end_of(&other), (Ok(()), 0));
        carries(&other, &one, b"half of an answer");
        reset(one);
        // Who has read the end hears of the reset when it writes.
        let ended = wait_until(LIMIT, || (&other).write(b"the rest").is_err());
        assert!(ended);
    });
    both_ways(|_, one, other| {
        one.shutdown(Shutdown::Write).expect("an end");
        assert_eq!(end_of(&other), (Ok(()), 0));
        carries(&other, &one, b"half of an answer");
        reset(other);
        assert_eq!(end_of(&one).0, Err(ErrorKind::ConnectionReset));
    });
}

/// Some of it has not even come to the relay.
#[test]
fn bytes_sent_before_the_end_of_the_runtime_arrive_when_read() {
    let between = Between::open();
    let (client, upstream) = between.pair();
    let noise = noise(1 << 20);
    let sent = fill(&client, &noise);
    drop(client);
    between.runtime.signal(Signal::SIGKILL);
    let mut found = Vec::new();
    (&upstream).read_to_end(&mut found).expect("an end in order");
    assert_eq!(found.len(), sent);
    assert!(found.chunks(noise.len()).all(|piece| piece == &noise[..piece.len()]));
    assert_eq!(between.runtime.run.finish().status, 137);
}

/// Nobody reads what is left, and nobody waits for that.
#[test]
fn bytes_that_nobody_reads_do_not_outlive_the_runtime() {
    let between = Between::open();
    let (client, _upstream) = between.pair();
    fill(&client, &noise(1 << 20));
    let relay = between.runtime.relay();
    between.runtime.signal(Signal::SIGKILL);
    between.runtime.is_over_within(Duration::from_millis(300), &[relay]);
    assert_eq!(between.runtime.run.finish().status, 137);
}

/// With an error, as where nobody listens: an end would be an empty answer.
#[test]
fn runtime_api_that_refuses_after_the_restore_is_a_reset() {
    let between = Between::open();
    let Between { runtime, upstream } = between;
    drop(upstream);
    let mut client = runtime.asking("GET /");
    assert!(!client.ends_in_order());
    runtime.end("");
}
