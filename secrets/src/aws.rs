//! Asks AWS: groups what is wanted into as few requests as the services take, sends them side by
//! side, and collects an answer for each. Knows nothing of variables.

mod client;
mod credentials;
mod error;
mod parameters;
mod secrets;
mod trust;

use crate::value::Value;
use client::Clients;
use error::{Place, Service};
use foreword_secrets::reference::Version;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

/// Something to ask for, once. Without a region it is in the function's own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    Parameter { region: Option<String>, name: String },
    Path { region: Option<String>, account: Option<String>, path: String },
    Secret { region: Option<String>, id: String, version: Version },
}

/// The values of a target with their names, or why there are none. Only a path has several.
pub type Answer = Result<Vec<(String, Value)>, String>;

/// An answer for each target, or a cause that is that of all others.
#[derive(Debug)]
pub struct Answers {
    each: HashMap<Target, Answer>,
    timeout: Duration,
    region: Option<String>,
    /// Why none was asked for.
    cause: Option<String>,
}

impl Answers {
    pub fn get(&self, target: &Target) -> Result<&[(String, Value)], String> {
        match (self.each.get(target), &self.cause) {
            (Some(answer), _) => answer.as_deref().map_err(Clone::clone),
            (None, Some(cause)) => Err(cause.clone()),
            (None, None) => {
                let region = target.region().or(self.region.as_deref()).unwrap_or_default();
                Err(error::no_answer(&Place::new(target.service(), region), self.timeout))
            }
        }
    }
}

impl Target {
    fn region(&self) -> Option<&str> {
        let (Self::Parameter { region, .. }
        | Self::Path { region, .. }
        | Self::Secret { region, .. }) = self;
        region.as_deref()
    }

    fn service(&self) -> Service {
        match self {
            Self::Parameter { .. } | Self::Path { .. } => Service::SystemsManager,
            Self::Secret { .. } => Service::SecretsManager,
        }
    }
}

/// What one request is for.
enum Job {
    Parameters(Vec<Target>),
    Path(Target),
    /// Only current versions can be had together.
    Secrets(Vec<Target>),
    Secret(Target),
}

/// Where a request takes its answers.
type Sender = mpsc::UnboundedSender<(Target, Answer)>;

/// So many names `GetParameters` takes.
const PARAMETERS_AT_ONCE: usize = 10;

/// So many `BatchGetSecretValue` takes.
const SECRETS_AT_ONCE: usize = 20;

/// Each needs a connection with a handshake of its own, which costs more than waiting does when
/// there are many.
const CONNECTIONS: usize = 4;

/// Asks for all targets; returns when each has its answer, or when the time is over.
pub fn fetch(targets: impl IntoIterator<Item = Target>, timeout: Duration) -> Answers {
    let region = client::default_region();
    let mut answers =
        Answers { each: HashMap::new(), timeout, region: region.clone(), cause: None };
    let mut by_region: BTreeMap<String, Vec<Target>> = BTreeMap::new();
    for target in targets {
        match target.region().map(str::to_owned).or_else(|| region.clone()) {
            Some(region) => by_region.entry(region).or_default().push(target),
            None => {
                let cause = "the region is not known; set AWS_REGION, or write an ARN";
                answers.each.insert(target, Err(cause.to_owned()));
            }
        }
    }
    if by_region.is_empty() {
        return answers;
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            answers.cause = Some(format!("unable to start: {error}"));
            return answers;
        }
    };
    let asked = ask_all(by_region, timeout, &mut answers);
    tokio::task::LocalSet::new().block_on(&runtime, asked);
    // A name that is being looked up cannot be interrupted.
    runtime.shutdown_background();
    answers
}

async fn ask_all(
    by_region: BTreeMap<String, Vec<Target>>,
    timeout: Duration,
    answers: &mut Answers,
) {
    let deadline = Instant::now() + timeout;
    let regions: Vec<&str> = by_region.keys().map(String::as_str).collect();
    let clients = match Clients::new(&regions, timeout, deadline).await {
        Ok(clients) => Rc::new(clients),
        Err(cause) => {
            answers.cause = Some(cause);
            return;
        }
    };
    let connections = Rc::new(Semaphore::new(CONNECTIONS));
    let (sender, mut receiver) = mpsc::unbounded_channel();
    for (region, targets) in by_region {
        for job in jobs(targets) {
            let (clients, connections) = (clients.clone(), connections.clone());
            let (sender, region) = (sender.clone(), region.clone());
            tokio::task::spawn_local(async move {
                let Ok(_connection) = connections.acquire().await else { return };
                job.run(&clients, &region, &sender).await;
            });
        }
    }
    drop(sender);
    while let Ok(Some((target, answer))) = tokio::time::timeout_at(deadline, receiver.recv()).await
    {
        answers.each.insert(target, answer);
    }
}

/// As few requests as the services take for the targets of one region.
fn jobs(targets: Vec<Target>) -> Vec<Job> {
    let (mut parameters, mut current, mut jobs) = (Vec::new(), Vec::new(), Vec::new());
    for target in targets {
        match &target {
            Target::Parameter { .. } => parameters.push(target),
            Target::Path { .. } => jobs.push(Job::Path(target)),
            Target::Secret { version, .. } if version.is_current() => current.push(target),
            Target::Secret { .. } => jobs.push(Job::Secret(target)),
        }
    }
    jobs.extend(parameters.chunks(PARAMETERS_AT_ONCE).map(|some| Job::Parameters(some.to_vec())));
    jobs.extend(current.chunks(SECRETS_AT_ONCE).map(|some| match some {
        [one] => Job::Secret(one.clone()),
        some => Job::Secrets(some.to_vec()),
    }));
    jobs
}

impl Job {
    async fn run(self, clients: &Clients, region: &str, sender: &Sender) {
        match self {
            Self::Parameters(targets) => {
                parameters::get(&clients.ssm(region), region, targets, sender).await;
            }
            Self::Path(target) => {
                let answer = parameters::below(&clients.ssm(region), region, &target).await;
                let _ = sender.send((target, answer));
            }
            Self::Secrets(targets) => {
                secrets::get_all(&clients.secrets_manager(region), region, targets, sender).await;
            }
            Self::Secret(target) => {
                let answer = secrets::get(&clients.secrets_manager(region), region, &target).await;
                let _ = sender.send((target, answer));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(number: usize) -> Target {
        Target::Parameter { region: None, name: format!("/p{number}") }
    }

    fn secret(number: usize, stage: Option<&str>) -> Target {
        let version = Version { id: None, stage: stage.map(str::to_owned) };
        Target::Secret { region: None, id: format!("s{number}"), version }
    }

    /// How many targets each job has.
    fn sizes(targets: Vec<Target>) -> Vec<usize> {
        let size = |job: &Job| match job {
            Job::Parameters(targets) | Job::Secrets(targets) => targets.len(),
            Job::Path(_) | Job::Secret(_) => 1,
        };
        jobs(targets).iter().map(size).collect()
    }

    #[test]
    fn jobs_are_as_few_as_the_services_take() {
        for (count, expected) in
            [(1, vec![1]), (10, vec![10]), (11, vec![10, 1]), (45, vec![10, 10, 10, 10, 5])]
        {
            assert_eq!(sizes((0..count).map(parameter).collect()), expected);
        }
        for (count, expected) in [(1, vec![1]), (20, vec![20]), (21, vec![20, 1])] {
            assert_eq!(sizes((0..count).map(|number| secret(number, None)).collect()), expected);
        }
        let staged = vec![secret(1, Some("AWSCURRENT")), secret(2, None), secret(3, Some("OLD"))];
        assert_eq!(sizes(staged), [1, 2]);
    }
}
