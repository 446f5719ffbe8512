//! Random operations on two engines that share one store, against a model.
//!
//! Each round, names are divided between the engines, and both work on their own at the same time: so the model knows what
//! must come of it, although the images are the same. After each round both come to rest, and everything is compared.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use loadline::domain::Kind;
use loadline::engine::Engine;
use loadline::store::{MemoryStore, Stores};

use super::Random;
use super::followed::{engine, image, is_whole, listed, lists, load, prune, remove, tag};
use super::remote::Remote;

const NAMES: usize = 8;
const IMAGES: u64 = 4;
const OPERATIONS: u64 = 5;

/// How long one seed is worked on.
const TIME: Duration = Duration::from_secs(2);

type Model = BTreeMap<String, String>;

/// Says which seed a failure came of.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("LOADLINE_SEED={} makes this run again", self.0);
        }
    }
}

fn name(number: usize) -> String {
    format!("registry.test/name{number}:1")
}

/// One engine's share of a round: random operations on its names. What must be there then is given back.
async fn work(engine: Engine, own: Vec<String>, mut model: Model, mut random: Random) -> Model {
    let one = |random: &mut Random| own[random.below(own.len() as u64) as usize].clone();
    for _ in 0..random.below(OPERATIONS) + 1 {
        let text = random.below(IMAGES).to_string();
        let (first, second) = (one(&mut random), one(&mut random));
        // What an image needs may have been removed elsewhere while it came; then nothing is changed.
        let is_done = |what: &str, result: loadline::domain::Result<()>| match result {
            Ok(()) => true,
            Err(error) if error.kind() == Kind::Unavailable && error.public().contains("try again") => false,
            Err(error) => panic!("{what}: {}", error.chain()),
        };
        match random.below(10) {
            0..4 => {
                let (archive, target) = image(&text, &[&first, &second]);
                if is_done("load", load(&engine, archive).await) {
                    model.extend([(first, target.clone()), (second, target)]);
                }
            }
            4..6 if model.contains_key(&first) => {
                if is_done("tag", tag(&engine, &first, &second).await) {
                    model.insert(second, model[&first].clone());
                }
            }
            6..8 if model.contains_key(&first) => {
                if is_done("remove", remove(&engine, &first).await) {
                    model.remove(&first);
                }
            }
            8 => drop(is_done("prune", prune(&engine, false).await)),
            9 => {
                let (archive, _) = image(&text, &[&first]);
                let broken = archive[..archive.len() / 2].to_vec();
                assert!(load(&engine, broken).await.is_err());
            }
            _ => {
                let missing = [tag(&engine, &first, &second).await, remove(&engine, &first).await];
                assert!(missing.iter().all(|result| matches!(result, Err(error) if error.kind() == Kind::NotFound)));
            }
        }
    }
    model
}

/// Both engines list the same: what the model says, and besides images without a name. All of it can be read.
async fn compare(engines: &[Engine; 2], model: &Model) {
    let start = Instant::now();
    loop {
        let (a, b) = (listed(&engines[0]), listed(&engines[1]));
        let named: Model =
            a.iter().filter(|(name, target)| name != target).map(|(n, t)| (n.clone(), t.clone())).collect();
        if a == b && named == *model {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(10), "{a:#?}\n{b:#?}\nin place of\n{model:#?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for engine in engines {
        is_whole(engine).await;
    }
    assert!(engines[0].blobs() == engines[1].blobs());
}

async fn run(stores: [Stores; 2], seed: u64) {
    let _seed = Seed(seed);
    let mut random = Random(seed | 1);
    let engines = [engine(&stores[0]).await, engine(&stores[1]).await];
    let (mut model, start, mut rounds) = (Model::new(), Instant::now(), 0);
    while start.elapsed() < TIME {
        let mut own = [Vec::new(), Vec::new()];
        (0..NAMES)
            .for_each(|number| own[usize::from(number != 0 && (number == 1 || random.one_in(2)))].push(name(number)));
        let shares = [0, 1].map(|side: usize| {
            let known = own[side].iter().filter_map(|name| Some((name.clone(), model.get(name)?.clone()))).collect();
            let random = Random(random.below(u64::MAX) | 1);
            tokio::spawn(work(engines[side].clone(), own[side].clone(), known, random))
        });
        model.clear();
        for share in shares {
            model.extend(share.await.unwrap());
        }
        compare(&engines, &model).await;
        rounds += 1;
    }
    assert!(rounds > 3, "only {rounds} rounds");
    // Nothing is left when all goes.
    prune(&engines[0], true).await.unwrap();
    let start = Instant::now();
    for engine in &engines {
        lists(engine, &Model::new()).await;
        // What the other had held until a moment ago goes a little later.
        while !engine.blobs().is_empty() {
            assert!(start.elapsed() < Duration::from_secs(20), "content is left behind: {}", engine.blobs().len());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// The seeds of a run: the given one alone, or two that are always the same and one that is not.
fn seeds() -> Vec<u64> {
    match std::env::var("LOADLINE_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => vec![1, 77, SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as u64],
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_engines_agree_on_one_store() {
    for seed in seeds() {
        let stores = MemoryStore::open();
        run([stores.clone(), stores], seed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_engines_agree_over_a_network_that_loses_answers() {
    for seed in seeds() {
        let stores = MemoryStore::open();
        let behind = |seed| Stores { metadata: Remote::start(stores.metadata.clone(), seed), ..stores.clone() };
        run([behind(seed), behind(seed + 1)], seed).await;
    }
}
