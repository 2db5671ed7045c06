//! The extensions that have registered, and the events that wait for them: the part of the Extensions API that a
//! runtime client with an internal extension, or one extension of foreword's own, gets to see.

use super::http::{Head, Reply};
use super::states::State;
use std::collections::VecDeque;

#[derive(Default)]
pub struct Extensions {
    /// Names of those that the platform itself started; all others are internal ones.
    external: Vec<String>,
    registered: Vec<Extension>,
}

struct Extension {
    identifier: String,
    wants_invoke: bool,
    wants_shutdown: bool,
    events: VecDeque<String>,
}

impl Extensions {
    pub fn new(external: Vec<String>) -> Self {
        Self { external, registered: Vec::new() }
    }

    /// Registration ends when the runtime leaves `Started`; an internal extension gets no SHUTDOWN.
    pub fn register(&mut self, head: &Head, body: &[u8], state: State, function: &str) -> Reply {
        let body = String::from_utf8_lossy(body);
        let name = head.header("Lambda-Extension-Name").unwrap_or_default();
        let is_external = self.external.iter().any(|known| known == name);
        let (wants_invoke, wants_shutdown) = (body.contains("\"INVOKE\""), body.contains("\"SHUTDOWN\""));
        if name.is_empty() {
            return Reply::error(403, "Extension.InvalidExtensionName", "Empty extension name");
        }
        if wants_shutdown && !is_external {
            let message = "SHUTDOWN: event is not supported for internal extensions";
            return Reply::error(403, "Extension.InvalidEventType", message);
        }
        if state != State::Started {
            return Reply::error(403, "Extension.RegistrationClosed", "Extension registration closed already");
        }
        let identifier = format!("e0000000-0000-4000-8000-{:012x}", self.registered.len());
        let events = VecDeque::new();
        self.registered.push(Extension { identifier: identifier.clone(), wants_invoke, wants_shutdown, events });
        let body = format!(r#"{{"functionName":"{function}","functionVersion":"$LATEST","handler":"app.handler"}}"#);
        let mut reply = Reply::json(200, body);
        reply.headers.push(("Lambda-Extension-Identifier", identifier));
        reply
    }

    /// Takes the next event of the extension that the request names: nothing as long as there is none.
    pub fn next(&mut self, head: &Head) -> Option<Reply> {
        let Some(identifier) = head.header("Lambda-Extension-Identifier") else {
            let message = "Missing Lambda-Extension-Identifier header";
            return Some(Reply::error(403, "Extension.MissingExtensionIdentifier", message));
        };
        let Some(extension) = self.registered.iter_mut().find(|known| known.identifier == identifier) else {
            let message = format!("Unknown extension {identifier}");
            return Some(Reply::error(403, "Extension.UnknownExtensionIdentifier", &message));
        };
        extension.events.pop_front().map(|event| Reply::json(200, event))
    }

    pub fn invoke(&mut self, event: &str) {
        for extension in self.registered.iter_mut().filter(|extension| extension.wants_invoke) {
            extension.events.push_back(event.to_owned());
        }
    }

    pub fn shut_down(&mut self, event: &str) {
        for extension in self.registered.iter_mut().filter(|extension| extension.wants_shutdown) {
            extension.events.push_back(event.to_owned());
        }
    }
}
