//! The function for Rust's runtime client; README.md says what all of them do.

use lambda_runtime::streaming::{Body, channel};
use lambda_runtime::{
    BoxFuture, Error, FunctionResponse, LambdaEvent, Runtime, SnapStartResource, service_fn,
};
use serde_json::Value;
use std::fs::OpenOptions;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A resource that logs what is asked of it.
struct Resource(&'static str);

impl SnapStartResource for Resource {
    fn before_snapshot(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async { log(&format!("before {}", self.0)) })
    }

    fn after_restore(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async { log(&format!("after {}", self.0)) })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    Runtime::new(service_fn(answer))
        .register_snapstart_resource(Arc::new(Resource("a")))
        .register_snapstart_resource(Arc::new(Resource("b")))
        .run()
        .await
}

async fn answer(event: LambdaEvent<Value>) -> Result<FunctionResponse<Value, Body>, Error> {
    static INVOCATIONS: AtomicU64 = AtomicU64::new(0);
    log(&format!("invoke {}", INVOCATIONS.fetch_add(1, Ordering::Relaxed) + 1))?;
    if event.payload["stream"] == true {
        let (mut sender, body) = channel();
        tokio::spawn(async move {
            for part in ["part 1\n", "part 2\n", "part 3\n"] {
                sender.send_data(part.into()).await?;
            }
            Ok::<_, Error>(())
        });
        return Ok(FunctionResponse::StreamingResponse(body.into()));
    }
    let big = event.payload["big"] == true;
    Ok(FunctionResponse::BufferedResponse(if big {
        "x".repeat(6 * 1024 * 1024 - 2).into()
    } else {
        event.payload
    }))
}

fn log(line: &str) -> Result<(), Error> {
    let mut file =
        OpenOptions::new().append(true).create(true).open(std::env::var("CLIENT_LOG")?)?;
    Ok(file.write_all(format!("{line}\n").as_bytes())?)
}
