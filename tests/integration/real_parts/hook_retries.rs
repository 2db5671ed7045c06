//! A hook that waits for a port, which a server in Python opens.

use crate::support::Test;
use serde_json::json;
use std::net::TcpListener;

#[test]
fn hook_with_wait_for_starts_when_its_port_accepts() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    drop(listener);
    let hooks = json!([
        {"name": "server", "background": true, "command": ["python3", "-c", "
import os, socket, time
while not os.path.exists('asked'): time.sleep(0.01)
server = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))
while True: server.accept()[0].close()
"]},
        {"name": "asks", "command": "echo >asked"},
        {"name": "port", "wait_for": "127.0.0.1:${PORT}"},
        {"name": "both", "wait_for": address, "command": "echo both >>order"},
    ]);
    let port = address.rsplit(':').next().expect("a port");
    let finished = Test::new()
        .hooks(hooks)
        .env("PORT", port)
        .args(["/bin/echo", "runtime"])
        .stdout("runtime\n")
        .run();
    assert_eq!(finished.read("order"), "both\n");
    assert!(finished.is_alone());
}
