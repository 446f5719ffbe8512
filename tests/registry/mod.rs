//! The registry client against a registry that misbehaves on request.

mod credentials;
mod hostile;
mod reads;
mod tls;
mod writes;

use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use loadline::domain::error::{Error, Result};
use loadline::domain::{Descriptor, Reference, Secret};
use loadline::registry::{Access, BlobBody, Credential, Registries, Repository, Settings, Timeouts};

/// Settings with waits that a test can bear.
fn quick() -> Settings {
    Settings {
        certs_dir: "/nonexistent".into(),
        timeouts: Timeouts {
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(2),
            stall: Duration::from_millis(300),
            headway: 1000,
            backoff: Duration::from_millis(5),
            longest_wait: Duration::from_secs(2),
            repetitions: 3,
        },
        ..Settings::default()
    }
}

fn registries() -> Registries {
    Registries::new(quick()).unwrap()
}

fn pulling(name: &Reference) -> Repository {
    registries().repository(name, Access::Pull, Credential::anonymous()).unwrap()
}

fn basic(username: &str, password: &str) -> Credential {
    Credential::basic(username, Secret::new(password))
}

/// The blob from an offset on, or what broke it.
async fn read(repository: &Repository, descriptor: &Descriptor, offset: u64) -> Result<(u64, Vec<u8>)> {
    let BlobBody { start, stream } = repository.blob(descriptor, offset).await?;
    let chunks: Vec<Bytes> = stream.try_collect().await?;
    Ok((start, chunks.concat()))
}

/// The failure, which must be of a kind and say something.
#[track_caller]
fn fails<T>(result: Result<T>, kind: loadline::domain::Kind, part: &str) {
    let error: Error = result.err().expect("it worked");
    assert_eq!(error.kind(), kind, "{error:?}");
    assert!(error.public().contains(part), "{error:?} without {part:?}");
}
