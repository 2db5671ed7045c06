//! A runtime that the test itself plays: the process says where its Runtime API is, and waits to be
//! ended. What the test sends there comes, for the relay, from the runtime.

use super::client::RESTORE_NEXT;
use super::lambda::Lambda;
use super::process::{self, Stat, is_gone};
use super::{BUSY, Client, LIMIT, Running, Test, normalise, task_root, text, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Its first line; what follows decides how it ends.
const TELL: &str = "#!/bin/sh\necho \"$AWS_LAMBDA_RUNTIME_API\" >address\n";

pub struct Played {
    pub run: Running,
    /// Where the runtime would look for its Runtime API.
    pub address: String,
    marker: PathBuf,
}

impl Test {
    /// Starts a runtime that does nothing by itself.
    #[track_caller]
    pub fn play(self) -> Played {
        self.play_as("exec sleep 1000\n")
    }

    /// The same, and then the runtime goes on like this.
    #[track_caller]
    pub fn play_as(self, script: &str) -> Played {
        let marker = self.marker();
        let run = self.script("runtime", format!("{TELL}{script}")).args(["./runtime"]).start();
        let path = run.finished.directory.path("address");
        let mut address = String::new();
        let told = wait_until(LIMIT, || {
            address = fs::read_to_string(&path).unwrap_or_default();
            address.ends_with('\n') || is_zombie(run.pid())
        });
        assert!(told && !address.is_empty(), "the runtime was not started");
        address.truncate(address.trim_end().len());
        Played { run, address, marker }
    }
}

impl Played {
    pub fn pid(&self) -> Pid {
        self.run.pid()
    }

    /// A new connection of the runtime's.
    #[track_caller]
    pub fn client(&self) -> Client {
        Client::new(&self.address)
    }

    /// A connection of the runtime's that has sent this request.
    #[track_caller]
    pub fn asking(&self, call: &str) -> Client {
        let mut client = self.client();
        client.request(call, "");
        client
    }

    /// A path in the test's directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.run.finished.directory.path(name)
    }

    /// What hooks have written so far.
    pub fn order(&self) -> String {
        fs::read_to_string(self.path("order")).unwrap_or_default()
    }

    /// Waits until hooks have written this.
    #[track_caller]
    pub fn wait_for_order(&self, expected: &str) {
        wait_until(LIMIT, || self.order() == expected);
        assert_eq!(self.order(), expected);
    }

    /// Whether it is noted that the environment was restored.
    pub fn is_marked(&self) -> bool {
        self.marker.exists()
    }

    #[track_caller]
    pub fn wait_for_marker(&self) {
        assert!(wait_until(LIMIT, || self.is_marked()), "no {}", self.marker.display());
    }

    /// From the runtime's restore/next to the answer of it.
    #[track_caller]
    pub fn restored(&self, lambda: &Lambda) -> Client {
        let client = self.asking(RESTORE_NEXT);
        lambda.snapshot().unwrap();
        lambda.restore().unwrap();
        let client = self.is_restored(client);
        self.wait_for_marker();
        client
    }

    /// Reads the platform's answer to restore/next, after which the client goes on with the same
    /// connection.
    #[track_caller]
    pub fn is_restored(&self, mut client: Client) -> Client {
        assert_eq!(client.reply(), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        client
    }

    /// Of the runtime's process group, and started by none of it.
    #[track_caller]
    pub fn relay(&self) -> Pid {
        let mut found = None;
        wait_until(LIMIT, || {
            found = self.find_relay();
            found.is_some()
        });
        found.expect("a relay")
    }

    pub fn find_relay(&self) -> Option<Pid> {
        let all = process::having(&task_root(&self.run.finished.directory));
        let stats: Vec<_> = all.iter().filter_map(|pid| Some((*pid, Stat::of(*pid)?))).collect();
        // A hook that is just being started is still in the group.
        let is_relay = |stat: &Stat| stat.group == self.pid() && !all.contains(&stat.parent);
        stats.iter().find(|(pid, stat)| *pid != self.pid() && is_relay(stat)).map(|(pid, _)| *pid)
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("unable to send a signal");
    }

    /// Ends the runtime as the platform does, and compares what the run has written; nothing of it
    /// is left.
    #[track_caller]
    pub fn end(self, stderr: &str) -> Self {
        let status = self.run.terminate().status;
        self.compare((status, 143), stderr)
    }

    /// Waits for the end of a runtime that nobody but foreword ends, and compares.
    #[track_caller]
    pub fn ended(self, status: i32, stderr: &str) -> Self {
        let found = self.run.finish().status;
        self.compare((found, status), stderr)
    }

    #[track_caller]
    fn compare(self, (status, expected): (i32, i32), stderr: &str) -> Self {
        assert!(self.run.finished.is_alone());
        assert_eq!(status, expected);
        let [stdout, found] = [self.run.process.stdout(), self.run.process.stderr()]
            .map(|output| text(&normalise(&output, &self.run.finished.directory)));
        assert_eq!((stdout, found), (String::new(), text(stderr.as_bytes())));
        self
    }

    /// Waits, no longer than the limit and what a busy machine adds, until these have ended and
    /// nobody listens.
    #[track_caller]
    pub fn is_over_within(&self, limit: Duration, processes: &[Pid]) {
        let start = Instant::now();
        let is_over = || {
            processes.iter().all(|pid| is_gone(*pid)) && TcpStream::connect(&self.address).is_err()
        };
        wait_until(limit + BUSY, is_over);
        let left: Vec<_> = processes.iter().map(|pid| (*pid, Stat::of(*pid))).collect();
        assert!(is_over(), "after {:?}: {left:?}", start.elapsed());
    }
}

/// Whether a process has ended, and nobody has asked for its status yet.
fn is_zombie(pid: Pid) -> bool {
    Stat::of(pid).is_none_or(|stat| stat.state == 'Z')
}
