//! A data root to damage, and the ways to look into it and to change it.

use std::fs;
use std::path::{Path, PathBuf};

use loadline::domain::Digest;
use loadline::store::NameRecord;
use loadline::store::record::Record;
use redb::{ReadableDatabase, TableDefinition};
use serde_json::Value;

use crate::support::checking::{check, contents};
use crate::support::daemon::{Daemon, Place};
use crate::support::images::{Layout, PROVENANCE, digest};
use crate::support::loading::{files, is_whole, loaded, row};

pub const APP: &str = "registry.test/app:1";
pub const OTHER: &str = "registry.test/other:1";

pub type Rows = TableDefinition<'static, &'static [u8], &'static [u8]>;
pub const BLOBS: Rows = TableDefinition::new("blobs");
pub const DOCUMENTS: Rows = TableDefinition::new("documents");
pub const CONFIGS: Rows = TableDefinition::new("configs");
pub const SOURCES: Rows = TableDefinition::new("sources");
pub const NAMES: TableDefinition<&str, &[u8]> = TableDefinition::new("names");

/// A data root of two images that was left in order: an index of two platforms with an attestation, and a manifest.
pub struct Root {
    pub place: Place,
    pub archive: Vec<u8>,
    pub index: Digest,
    pub manifest: Digest,
    pub config: Digest,
    pub layer: Digest,
}

pub fn digest_of(descriptor: &Value) -> Digest {
    digest(descriptor).parse().unwrap()
}

impl Root {
    /// Each blob is in a file of its own.
    pub fn new() -> Self {
        Self::of(Daemon::start_unpacked())
    }

    /// All blobs are in one pack.
    pub fn packed() -> Self {
        Self::of(Daemon::start())
    }

    fn of(daemon: Daemon) -> Self {
        let mut layout = Layout::default();
        let amd64 = layout.image("linux/amd64", "amd64");
        let arm64 = layout.image("linux/arm64", "arm64");
        let statement = layout.statement(PROVENANCE, b"{\"a\":1}");
        let attestation = layout.attestation(&amd64, &[statement]);
        let index = layout.index(&[amd64.clone(), arm64, attestation]);
        let manifest: Value = serde_json::from_slice(layout.bytes(&amd64)).unwrap();
        layout.named(&index, APP);
        loaded(&daemon.client(), layout.tar());
        loaded(&daemon.client(), Layout::of_one(OTHER).tar());
        Self {
            place: daemon.stop(),
            archive: layout.tar(),
            index: digest_of(&index),
            manifest: digest_of(&amd64),
            config: digest_of(&manifest["config"]),
            layer: digest_of(&manifest["layers"][0]),
        }
    }

    pub fn path(&self) -> PathBuf {
        self.place.data_root()
    }

    pub fn blob(&self, digest: &Digest) -> PathBuf {
        self.path().join("blobs/sha256").join(digest.hex())
    }

    /// Changes rows as no daemon would.
    pub fn edit(&self, edit: impl FnOnce(&redb::WriteTransaction)) {
        let database = redb::Database::open(self.path().join("metadata.redb")).unwrap();
        let write = database.begin_write().unwrap();
        edit(&write);
        write.commit().unwrap();
    }

    pub fn insert(&self, table: Rows, key: &Digest, value: &[u8]) {
        self.edit(|write| drop(write.open_table(table).unwrap().insert(key.bytes(), value).unwrap()));
    }

    pub fn remove(&self, table: Rows, key: &Digest) {
        self.edit(|write| drop(write.open_table(table).unwrap().remove(key.bytes()).unwrap()));
    }

    pub fn name(&self, name: &str) -> NameRecord {
        let database = redb::Database::open(self.path().join("metadata.redb")).unwrap();
        let names = database.begin_read().unwrap().open_table(NAMES).unwrap();
        NameRecord::decode(names.get(name).unwrap().unwrap().value()).unwrap()
    }

    pub fn set_name(&self, name: &str, record: &NameRecord) {
        let bytes = record.encode().unwrap();
        self.edit(|write| drop(write.open_table(NAMES).unwrap().insert(name, bytes.as_slice()).unwrap()));
    }

    /// Finds these kinds and nothing else, and writes nothing; repairs them; finds nothing but leftovers any more. What was
    /// found is given.
    #[track_caller]
    pub fn heals(&self, kinds: &[&str]) -> Vec<Value> {
        let before = contents(&self.path());
        let found = check(&self.path(), &[]);
        assert_eq!(found.kinds(), kinds, "{found:#?}");
        let faults = kinds.iter().filter(|kind| kind.starts_with("fault")).count();
        assert_eq!(found.status, i32::from(faults > 0), "{found:#?}");
        assert_eq!((&found.summary["faults"], &found.summary["faultsLeft"]), (&faults.into(), &faults.into()));
        assert!(contents(&self.path()) == before, "a check without --repair wrote something");
        let repaired = check(&self.path(), &["--repair"]).expect_sound();
        assert_eq!(repaired.summary["faults"], faults);
        let again = check(&self.path(), &[]).expect_sound();
        let stays = |kind: &String| ["leftover unreferenced-blob", "leftover unclean"].contains(&kind.as_str());
        assert!(again.kinds().iter().all(stays), "{again:#?}");
        let after = contents(&self.path());
        check(&self.path(), &["--repair"]).expect_sound();
        assert!(contents(&self.path()) == after, "a second repair wrote something");
        found.findings
    }

    /// The daemon starts on it, and with what is loaded again all is there.
    #[track_caller]
    pub fn works(self) {
        let expected = files(&Root::new().path());
        let daemon = Daemon::start_in(self.place);
        assert_eq!(loaded(&daemon.client(), self.archive), [APP]);
        loaded(&daemon.client(), Layout::of_one(OTHER).tar());
        is_whole(&daemon);
        let image = row(&daemon.client(), APP);
        assert!(image["Manifests"].as_array().unwrap().iter().all(|manifest| manifest["Available"] == true), "{image}");
        let place = daemon.stop();
        assert_eq!(files(&place.data_root()), expected);
        check(&place.data_root(), &["--deep"]).expect_spotless();
    }
}

pub fn overwrite(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}
