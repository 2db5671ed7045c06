//! The extensions that have registered, and the events that wait for them: the part of the
//! Extensions API that a runtime client with an internal extension, or one extension of foreword's
//! own, gets to see.

use super::http::{Reply, RequestHead};
use super::runtime_state::RuntimeState;
use crate::lambda::api;
use std::collections::VecDeque;

#[derive(Default)]
pub struct Extensions {
    /// Names of those that the platform itself started; all others are internal ones.
    external: Vec<String>,
    registered: Vec<Extension>,
}

struct Extension {
    identifier: String,
    name: String,
    /// Whether it has asked for an event.
    is_ready: bool,
    wants_invoke: bool,
    wants_shutdown: bool,
    events: VecDeque<String>,
}

impl Extensions {
    pub fn new(external: Vec<String>) -> Self {
        Self { external, registered: Vec::new() }
    }

    /// Registration ends when the runtime leaves `Started`; an internal extension gets no SHUTDOWN.
    pub fn register(
        &mut self,
        head: &RequestHead,
        body: &[u8],
        state: RuntimeState,
        function: &str,
    ) -> Reply {
        let body = String::from_utf8_lossy(body);
        let name = head.header(api::EXTENSION_NAME).unwrap_or_default();
        let is_external = self.external.iter().any(|known| known == name);
        let (wants_invoke, wants_shutdown) =
            (body.contains("\"INVOKE\""), body.contains("\"SHUTDOWN\""));
        if name.is_empty() {
            return Reply::error(403, "Extension.InvalidExtensionName", "Empty extension name");
        }
        if wants_shutdown && !is_external {
            let message = "SHUTDOWN: event is not supported for internal extensions";
            return Reply::error(403, "Extension.InvalidEventType", message);
        }
        if state != RuntimeState::Started {
            return Reply::error(
                403,
                "Extension.RegistrationClosed",
                "Extension registration closed already",
            );
        }
        let identifier = format!("e0000000-0000-4000-8000-{:012x}", self.registered.len());
        let events = VecDeque::new();
        self.registered.push(Extension {
            identifier: identifier.clone(),
            name: name.to_owned(),
            is_ready: false,
            wants_invoke,
            wants_shutdown,
            events,
        });
        let body = format!(
            r#"{{"functionName":"{function}","functionVersion":"$LATEST","handler":"app.handler"}}"#
        );
        let mut reply = Reply::json(200, body);
        reply.headers.push((api::EXTENSION_IDENTIFIER, identifier));
        reply
    }

    /// Takes the next event of the extension that the request names: nothing as long as there is
    /// none.
    pub fn next(&mut self, head: &RequestHead) -> Option<Reply> {
        let Some(identifier) = head.header(api::EXTENSION_IDENTIFIER) else {
            let message = "Missing Lambda-Extension-Identifier header";
            return Some(Reply::error(403, "Extension.MissingExtensionIdentifier", message));
        };
        let Some(extension) =
            self.registered.iter_mut().find(|known| known.identifier == identifier)
        else {
            let message = format!("Unknown extension {identifier}");
            return Some(Reply::error(403, "Extension.UnknownExtensionIdentifier", &message));
        };
        extension.events.pop_front().map(|event| Reply::json(200, event))
    }

    /// The name of the extension that a request comes from.
    pub fn name(&self, head: &RequestHead) -> Option<String> {
        let identifier = head.header(api::EXTENSION_IDENTIFIER)?;
        self.registered
            .iter()
            .find(|known| known.identifier == identifier)
            .map(|known| known.name.clone())
    }

    /// Notes that an extension asks for an event; gives its name and the events that it wants, the
    /// first time.
    pub fn becomes_ready(&mut self, head: &RequestHead) -> Option<(String, Vec<&'static str>)> {
        let identifier = head.header(api::EXTENSION_IDENTIFIER)?;
        let mut registered = self.registered.iter_mut();
        let extension =
            registered.find(|known| known.identifier == identifier && !known.is_ready)?;
        extension.is_ready = true;
        let wanted = [("INVOKE", extension.wants_invoke), ("SHUTDOWN", extension.wants_shutdown)];
        let events =
            wanted.into_iter().filter(|(_, wants)| *wants).map(|(event, _)| event).collect();
        Some((extension.name.clone(), events))
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
