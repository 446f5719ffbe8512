//! What a list costs inside the daemon, without sockets: `cargo bench --bench catalog`.

#[path = "../daemon/generate.rs"]
#[allow(dead_code, reason = "the daemon's benchmark uses more of it")]
mod generate;
#[path = "../daemon/layout.rs"]
#[allow(dead_code, reason = "the daemon's benchmark uses more of it")]
mod layout;
#[path = "../daemon/statements.rs"]
mod statements;

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use axum::body::Body;
use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use http_body_util::BodyExt;
use loadline::api::docker::{self, App, Facade};
use loadline::domain::{ImageName, Reference, TagName};
use loadline::engine::{Engine, ListQuery, LoadEvent, LoadOptions, Settings};
use tokio::runtime::Runtime;
use tower::ServiceExt;

/// Any failure ends the run.
type Outcome<T> = Result<T, Box<dyn Error>>;

const IMAGES: u32 = 1000;

fn lists(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a directory");
    let runtime = Runtime::new().expect("a runtime");
    let engine = runtime.block_on(loaded(dir.path())).expect("images");
    let rest = docker::router(App { engine: engine.clone(), settings: Default::default() });

    let mut group = criterion.benchmark_group("list of 1000");
    group.sample_size(20);
    group.bench_function("summaries", |bench| {
        bench.iter(|| {
            let listing = engine.list(&ListQuery::default()).expect("a list");
            listing.rows.iter().map(|row| black_box(row.summary()).manifests.len()).sum::<usize>()
        });
    });
    // Every change makes the next list look at all images again.
    group.bench_function("first after a change", |bench| {
        bench.iter_custom(|rounds| {
            let list = |round: u64| {
                let target = Reference::parse("bench.example/changed:v1").and_then(TagName::new).expect("a name");
                let image = ImageName::parse(&generate::name((round % 2) as u32)).expect("a name");
                runtime.block_on(engine.tag(&image, &target)).expect("a change");
                let start = Instant::now();
                black_box(engine.list(&ListQuery::default()).expect("a list"));
                start.elapsed()
            };
            (0..rounds).map(list).sum()
        });
    });
    for (name, path) in [
        // What is shared is found out anew for every list, so nothing that was rendered before is used.
        ("rendered anew", "/v1.55/images/json?manifests=1&shared-size=1"),
        ("unchanged", "/v1.55/images/json?manifests=1"),
        ("unchanged, 1.44", "/v1.44/images/json"),
    ] {
        let size = runtime.block_on(get(&rest, path)).len() as u64;
        group.throughput(Throughput::Bytes(size));
        group.bench_function(name, |bench| bench.iter(|| runtime.block_on(get(&rest, path))));
    }
    group.finish();
}

async fn loaded(dir: &std::path::Path) -> Outcome<Engine> {
    let archive = dir.join("images.tar");
    generate::ManyImages { first: 0, images: IMAGES, platforms: 3 }.write(&archive)?;
    let engine = Engine::open(Settings::new(dir.join("root"))).await?;
    let bytes = Bytes::from(std::fs::read(archive)?);
    let mut events = engine.load(LoadOptions::default(), futures_util::stream::iter([Ok(bytes)]));
    while let Some(event) = events.recv().await {
        if let LoadEvent::Failed(error) = event {
            return Err(error.into());
        }
    }
    Ok(engine)
}

async fn get(rest: &Facade, path: &str) -> Bytes {
    let request = http::Request::get(path).body(Body::empty()).expect("a request");
    let response = rest.clone().oneshot(request).await.expect("an answer");
    response.into_body().collect().await.expect("a body").to_bytes()
}

criterion_group!(benches, lists);
criterion_main!(benches);
