//! Pulls and pushes that end before they are done: what they leave, and what becomes of it.

use loadline::domain::Digest;
use serde_json::{Value, json};

use super::pull::{blobs, eventually, ingests, last, layer, pull};
use crate::support::daemon::Daemon;
use crate::support::http::{Open, Request};
use crate::support::images::{CONFIG, LAYER, Layout, MANIFEST, config};
use crate::support::loading::{is_whole, lines, loaded};
use crate::support::registry::{Faults, Registry};

/// A registry with an image of a large layer and a small one.
struct Source {
    registry: Registry,
    large: Digest,
    small: Digest,
}

const LARGE: usize = 3_000_000;
const SMALL: usize = 200_000;
/// Where the large layer comes to a stop.
const STOP: usize = 2_000_000;

impl Source {
    fn start() -> Self {
        let registry = Registry::start();
        let layers = [layer(LARGE, 1), layer(SMALL, 2)];
        registry.put_image("team/app", Some("1"), &layers);
        Self { registry, large: Digest::of(&layers[0]), small: Digest::of(&layers[1]) }
    }

    fn query(&self) -> String {
        format!("fromImage={}/team/app:1", self.registry.host())
    }

    /// Begins a pull that comes to a stop, and waits for that.
    fn begin(&self, daemon: &Daemon) -> Open {
        self.registry.faults().stall_blobs = Some(STOP);
        let open = daemon.client().open(&Request::post(&format!("/images/create?{}", self.query()))).unwrap();
        let sizes = || {
            let files = std::fs::read_dir(daemon.data_root().join("ingest")).unwrap().flatten();
            files.filter_map(|file| Some(file.metadata().ok()?.len() as usize)).collect::<Vec<_>>()
        };
        eventually("nothing is fetched", || {
            let sizes = sizes();
            sizes.contains(&SMALL) && sizes.iter().any(|size| (STOP / 2..LARGE).contains(size))
        });
        open
    }

    /// A pull whose client hangs up.
    fn give_up(&self, daemon: &Daemon) {
        let open = self.begin(daemon);
        drop(open);
        eventually("the pull goes on", || ingests(daemon) == 0);
        self.recover();
    }

    fn recover(&self) {
        *self.registry.faults() = Faults::default();
        self.registry.forget();
    }

    /// Pulls to the end; the offsets that the large layer was asked for from.
    fn finish(&self, daemon: &Daemon) -> Vec<usize> {
        let said = pull(&daemon.client(), &self.query());
        assert!(last(&said).starts_with("Status: Downloaded newer image"), "{said:?}");
        is_whole(daemon);
        assert_eq!(partials(daemon), [] as [u64; 0]);
        self.offsets(&self.large)
    }

    fn offsets(&self, blob: &Digest) -> Vec<usize> {
        let path = format!("/blobs/{blob}");
        let asked =
            self.registry.seen().into_iter().filter(|seen| seen.method == "GET" && seen.target.ends_with(&path));
        let offset = |range: &str| range.strip_prefix("bytes=").unwrap().trim_end_matches('-').parse().unwrap();
        asked.map(|seen| seen.headers.get("range").map_or(0, |range| offset(range.to_str().unwrap()))).collect()
    }
}

/// The sizes of what is kept of blobs that are not here as a whole.
fn partials(daemon: &Daemon) -> Vec<u64> {
    let files = std::fs::read_dir(daemon.data_root().join("partial")).unwrap();
    files.map(|file| file.unwrap().metadata().unwrap().len()).collect()
}

fn files_open(daemon: &Daemon) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap().count()
}

#[test]
fn the_next_pull_goes_on_where_the_client_hung_up() {
    let (daemon, source) = (Daemon::start(), Source::start());
    source.give_up(&daemon);
    assert_eq!(blobs(&daemon), 0);
    let offsets = source.finish(&daemon);
    assert!(matches!(offsets[..], [offset] if (STOP / 2..=STOP).contains(&offset)), "{offsets:?}");
    assert_eq!(source.offsets(&source.small), [] as [usize; 0], "all of it had arrived");
}

#[test]
fn a_registry_without_ranges_sends_all_of_it_again() {
    let (daemon, source) = (Daemon::start(), Source::start());
    source.give_up(&daemon);
    source.registry.faults().no_range = true;
    assert_eq!(source.finish(&daemon).len(), 1);
}

#[test]
fn what_was_damaged_meanwhile_is_fetched_anew() {
    let (daemon, source) = (Daemon::start(), Source::start());
    source.give_up(&daemon);
    for file in std::fs::read_dir(daemon.data_root().join("partial")).unwrap() {
        let path = file.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[1000] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    }
    let offsets = source.finish(&daemon);
    assert!(matches!(offsets[..], [offset, 0] if offset >= STOP / 2), "{offsets:?}");
    assert_eq!(source.offsets(&source.small), [0]);
}

#[test]
fn a_pull_that_failed_is_gone_on_with() {
    let (daemon, source) = (Daemon::start(), Source::start());
    *source.registry.faults() = Faults { truncate_blobs: Some(STOP), no_range: true, ..Faults::default() };
    let said = pull(&daemon.client(), &source.query());
    assert!(said.last().unwrap().get("errorDetail").is_some(), "{said:?}");
    eventually("nothing is kept", || partials(&daemon).len() == 2);
    source.recover();
    assert_eq!(source.finish(&daemon), [STOP]);
}

#[test]
fn bytes_that_another_registry_made_up_do_no_lasting_harm() {
    let (daemon, source, liar) = (Daemon::start(), Source::start(), Source::start());
    let made_up = layer(LARGE, 77);
    let size = made_up.len();
    *liar.registry.faults() = Faults { truncate_blobs: Some(STOP), no_range: true, ..Faults::default() };
    liar.registry.put_blob_as("team/app", &liar.large, made_up);
    assert!(pull(&daemon.client(), &liar.query()).last().unwrap().get("errorDetail").is_some());
    eventually("nothing is kept", || partials(&daemon).len() == 2);
    assert_eq!(source.finish(&daemon), [STOP, 0], "of {size}");
}

#[test]
fn a_restart_and_a_crash_lose_nothing_of_it() {
    let source = Source::start();
    let daemon = Daemon::start();
    let open = source.begin(&daemon);
    let daemon = Daemon::start_in(daemon.stop());
    drop(open);
    assert!(partials(&daemon).iter().any(|size| *size >= STOP as u64 / 2), "{:?}", partials(&daemon));
    let open = source.begin(&daemon);
    let daemon = Daemon::start_in(daemon.kill());
    drop(open);
    assert_eq!(partials(&daemon).len(), 2);
    assert_eq!((ingests(&daemon), blobs(&daemon)), (0, 0));
    source.recover();
    let offsets = source.finish(&daemon);
    assert!(matches!(offsets[..], [offset] if offset >= STOP / 2), "{offsets:?}");
}

#[test]
fn a_prune_takes_what_is_kept_and_nothing_of_a_pull_that_runs() {
    let (daemon, source) = (Daemon::start_unpacked(), Source::start());
    let client = daemon.client();
    source.give_up(&daemon);
    let kept: u64 = partials(&daemon).iter().sum();
    let pruned = client.send(&Request::post("/images/prune")).expect(200).json();
    assert_eq!(pruned, json!({"ImagesDeleted": null, "SpaceReclaimed": kept}));
    assert_eq!(partials(&daemon), [] as [u64; 0]);
    let open = source.begin(&daemon);
    let pruned = client.send(&Request::post("/images/prune")).expect(200).json();
    assert_eq!(pruned["SpaceReclaimed"], 0);
    assert_eq!(ingests(&daemon), 3);
    drop(open);
    eventually("the pull goes on", || ingests(&daemon) == 0);
    source.recover();
    assert_eq!(source.finish(&daemon).len(), 1);
}

#[test]
fn clients_that_hang_up_again_and_again_leave_nothing_open() {
    let (daemon, source) = (Daemon::start(), Source::start());
    source.give_up(&daemon);
    let open = files_open(&daemon);
    for _ in 0..20 {
        source.give_up(&daemon);
        assert!(partials(&daemon).len() <= 2);
    }
    eventually("files stay open", || files_open(&daemon) <= open + 3);
    source.finish(&daemon);
}

#[test]
fn a_client_that_hangs_up_ends_its_push_and_frees_what_it_held() {
    let daemon = Daemon::start_with(&["--max-concurrent-uploads", "2"]);
    let (client, registry) = (daemon.client(), Registry::start());
    let mut layout = Layout::default();
    let config = layout.blob(CONFIG, config("linux/amd64", "large").to_string());
    // More than the buffers on the way to the registry take.
    let large = layout.blob(LAYER, vec![1; 20_000_000]);
    let image = layout.manifest(MANIFEST, &config, &[large]);
    layout.named(&image, &format!("{}/a:1", registry.host()));
    loaded(&client, layout.tar());
    let push = Request::post(&format!("/images/{}/a/push?tag=1", registry.host()));
    for _ in 0..10 {
        registry.forget();
        registry.faults().stall_uploads = true;
        let pushing = client.open(&push).unwrap();
        eventually("nothing is sent", || registry.count("PUT", "/blobs/uploads/") == 2);
        drop(pushing);
    }
    let blobs_open = || {
        let files = std::fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap().flatten();
        let targets = files.filter_map(|file| std::fs::read_link(file.path()).ok());
        targets.filter(|target| target.starts_with(daemon.data_root().join("blobs"))).count()
    };
    eventually("blobs stay open", || blobs_open() == 0);
    assert!(registry.manifest("a", "1").is_none());
    // Nothing is held any more: not the place in the queue, and not the content.
    registry.faults().stall_uploads = false;
    let said: Vec<Value> = lines(&client.send(&push).expect(200));
    assert!(last(&said).starts_with("1: digest: "), "{said:?}");
    let query = "/images/prune?filters=%7B%22dangling%22%3A%5B%22false%22%5D%7D";
    client.send(&Request::post(query)).expect(200);
    assert_eq!(blobs(&daemon), 0);
}
