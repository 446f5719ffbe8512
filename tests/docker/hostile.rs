//! Archives and registries as an attacker, a broken tool or a broken network makes them. Each gives one clear error, leaves nothing
//! behind, and does not disturb the daemon.

mod documents;
mod registries;

use std::collections::BTreeSet;
use std::io::Write;

use loadline::domain::Digest;
use serde_json::{Value, json};

use super::load::peak_memory;
use crate::support::daemon::Daemon;
use crate::support::images::{LAYER, Layout, MANIFEST, digest, docker_archive, path, with};
use crate::support::loading::{files, is_whole, loaded, refused};
use crate::support::repository;
use crate::support::tar::Tar;

/// A daemon that holds one image, and must hold exactly that after whatever it is given.
struct Target {
    daemon: Daemon,
    held: BTreeSet<String>,
}

impl Target {
    fn start() -> Self {
        let daemon = Daemon::start_unpacked();
        loaded(&daemon.client(), Layout::of_one("registry.test/kept:1").tar());
        let held = files(&daemon.data_root());
        Self { daemon, held }
    }

    /// Gives the daemon an archive, which must be refused with a text that says this, and checks that nothing is left.
    #[track_caller]
    fn refuses(&self, what: &str, archive: impl Into<Vec<u8>>, says: &str) {
        assert!(!says.is_empty(), "{what}: any text would do");
        let text = refused(&self.daemon.client(), archive);
        assert!(text.contains(says), "{what}: {text:?} does not say {says:?}");
        assert!(text.len() < 1000, "{what}: a text of {} bytes", text.len());
        assert_eq!(files(&self.daemon.data_root()), self.held, "{what}: what is held has changed");
        let rows = self.daemon.client().get("/images/json").expect(200).json();
        assert_eq!(rows.as_array().unwrap().len(), 1, "{what}: {rows}");
    }

    /// The daemon is as good as before, and never had much memory.
    #[track_caller]
    fn stays_unharmed(self) {
        let peak = peak_memory(&self.daemon);
        assert!(peak < 256 << 20, "{} MiB at the peak", peak >> 20);
        loaded(&self.daemon.client(), Layout::of_one("registry.test/after:1").tar());
        is_whole(&self.daemon);
        let socket = self.daemon.socket();
        let statuses = crate::containerd::content::statuses(&socket);
        assert!(tokio::runtime::Runtime::new().unwrap().block_on(statuses).unwrap().is_empty());
    }
}

fn good() -> Layout {
    Layout::of_platforms("registry.test/bad:1", &["linux/amd64", "linux/arm64"])
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn what_is_no_archive() {
    let target = Target::start();
    target.refuses("nothing", b"", "the archive is empty");
    target.refuses("an empty archive", Tar::default().end(), "unrecognized image format");
    target.refuses("text", b"hello, world".repeat(1000), "not a tar");
    target.refuses("a little text", *b"hello", "this is not a tar archive");
    target.refuses("JSON", b"{\"a\": [1, 2, 3]}".repeat(100), "not a tar");
    target.refuses(
        "noise",
        (0..100_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect::<Vec<_>>(),
        "not a tar",
    );
    target.refuses("no xz after all", [&b"\xfd7zXZ\0"[..], &[0; 2000]].concat(), "decompress");
    target.refuses("no bzip2 after all", [&b"BZh91AY&SY"[..], &[0; 2000]].concat(), "decompress");
    target.refuses("no gzip after all", [&b"\x1f\x8b"[..], &[7; 2000]].concat(), "decompress");
    target.refuses("no zstd after all", [&b"\x28\xb5\x2f\xfd"[..], &[7; 2000]].concat(), "decompress");
    let rootfs = std::fs::read(repository("tests/fixtures/tiny-rootfs.tar")).unwrap();
    target.refuses("a root file system", rootfs, "unrecognized image format");
    target.stays_unharmed();
}

#[test]
fn archives_that_break_off() {
    let target = Target::start();
    let tar = good().tar();
    let compressed = [gzip(&tar), zstd::encode_all(tar.as_slice(), 3).unwrap()];
    for cut in (1..tar.len() - 2048).step_by(997) {
        let text = refused(&target.daemon.client(), &tar[..cut]);
        let expected = ["ends within its first header", "end of the archive", "not in the archive"];
        assert!(expected.iter().any(|expected| text.contains(expected)), "{cut}: {text}");
        assert_eq!(files(&target.daemon.data_root()), target.held, "cut at {cut}");
    }
    for whole in &compressed {
        for part in 1..8 {
            target.refuses("a cut stream", &whole[..whole.len() * part / 8], "end of the archive");
        }
        // A byte that flipped on the way.
        let mut flipped = whole.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 0x55;
        let text = refused(&target.daemon.client(), flipped);
        let expected = ["does not match its digest", "cannot be decompressed"];
        assert!(expected.iter().any(|expected| text.contains(expected)), "a flipped byte: {text}");
        assert_eq!(files(&target.daemon.data_root()), target.held, "a flipped byte");
    }
    target.stays_unharmed();
}

/// Loads an archive of the good image with something beside it, which must not matter.
#[track_caller]
fn does_not_matter(daemon: &Daemon, what: &str, archive: Vec<u8>) {
    assert_eq!(loaded(&daemon.client(), archive), ["registry.test/bad:1"], "{what}");
}

#[test]
fn paths_that_lead_out_lead_nowhere() {
    let daemon = Daemon::start();
    loaded(&daemon.client(), good().tar());
    let (outside, held) = (daemon.data_root().join("../escaped"), files(&daemon.data_root()));
    for path in ["/etc/cron.d/x", "../escaped", "../../escaped", "blobs/../../escaped", "./../escaped"] {
        let long = format!("{path}{}", "/long".repeat(40));
        for tar in [
            good().open_tar().file(path, b"x"),
            good().open_tar().directory(path),
            good().open_tar().link(b'2', path, "x"),
            good().open_tar().pax(&[("path", path)]).file("harmless", b"x"),
            good().open_tar().file(&long, b"x"),
        ] {
            does_not_matter(&daemon, path, tar.end());
        }
    }
    for link in ["/etc/passwd", "../../../../etc/passwd", "../.."] {
        for kind in [b'1', b'2'] {
            does_not_matter(&daemon, link, good().open_tar().link(kind, "link", link).end());
        }
    }
    for path in
        ["blobs/sha256/x", "blobs/sha256/ABCDEF", "blobs/md5/d41d8cd98f00b204e9800998ecf8427e", "blobs/sha256/a/b"]
    {
        does_not_matter(&daemon, path, good().open_tar().file(path, b"x").end());
    }
    assert!(!outside.exists());
    assert_eq!(files(&daemon.data_root()), held);
    is_whole(&daemon);
}

#[test]
fn links_lead_to_nothing_but_files_of_the_archive() {
    let target = Target::start();
    // A blob that is a link is no blob: what is in the archive is not here.
    let mut layout = Layout::default();
    let image = layout.image("linux/amd64", "linked");
    layout.named(&image, "registry.test/linked:1");
    let blob: Digest = digest(&image).parse().unwrap();
    layout.remove(&image);
    let linked = layout.open_tar().link(b'2', &path(&blob), "index.json").end();
    target.refuses("a blob as a link", linked, "not in the archive");
    let listing = Tar::default().file("oci-layout", b"{}").link(b'2', "index.json", "oci-layout");
    target.refuses("a listing as a link", listing.end(), "holds no image");

    let manifest =
        |config: &str, layer: &str| json!([{"Config": config, "RepoTags": ["a:1"], "Layers": [layer]}]).to_string();
    let archive =
        |tar: Tar, config: &str, layer: &str| tar.file("manifest.json", manifest(config, layer).as_bytes()).end();
    let base = || Tar::default().file("c.json", b"{}").file("l.tar", b"layer");
    target.refuses("no such layer", archive(base(), "c.json", "other.tar"), "lacks a file");
    target.refuses("a path out of it", archive(base(), "c.json", "../l.tar"), "leads out of it");
    target.refuses("an absolute path", archive(base(), "/etc/passwd", "l.tar"), "absolute path");
    target.refuses("a link to itself", archive(base().link(b'2', "x", "x"), "c.json", "x"), "more than 40 links");
    target.refuses(
        "a link out of it",
        archive(base().link(b'2', "x", "/etc/passwd"), "c.json", "x"),
        "leads out of it",
    );
    let chain = base().link(b'2', "x", "y").link(b'2', "y", "x");
    target.refuses("links in a circle", archive(chain, "c.json", "x"), "more than 40 links");
    target.stays_unharmed();
}

#[test]
fn entries_that_are_no_files() {
    let daemon = Daemon::start();
    for kind in [b'3', b'4', b'6', b'S', b'M', b'V', b'A'] {
        does_not_matter(&daemon, "a device", good().open_tar().entry(kind, "x", "", 0, b"").end());
    }
    is_whole(&daemon);
    let target = Target::start();
    let sparse = good().open_tar().pax(&[("GNU.sparse.major", "1")]).file("x", b"x").end();
    target.refuses("a sparse file without a map", sparse, "sparse");
    target.stays_unharmed();
}

#[test]
fn of_two_files_of_one_name_the_later_counts() {
    let target = Target::start();
    for path in ["index.json", "./index.json", "blobs/..//index.json"] {
        target.refuses(path, good().open_tar().file(path, b"{\"manifests\": []}").end(), "holds no image");
    }
    let docker = |extra: &str, content: &[u8]| {
        Tar::default().file(extra, content).bytes(&docker_archive(&["registry.test/twice:1"], &["one"])).end()
    };
    for path in ["config.json", "layer0/layer.tar", "manifest.json", "layer0//layer.tar"] {
        assert_eq!(loaded(&target.daemon.client(), docker(path, b"[]")), ["registry.test/twice:1"], "{path}");
        target.daemon.client().delete("/images/registry.test/twice:1").expect(200);
    }
    // The same blob twice is the same blob.
    let layout = good();
    let twice = layout.open_tar().bytes(&layout.tar()[layout.listings().unended().len()..]).unended();
    loaded(&target.daemon.client(), twice);
    is_whole(&target.daemon);
}

#[test]
fn content_that_is_not_what_it_says() {
    let target = Target::start();
    let name = path(&Digest::of(b"what it says"));
    target.refuses("another content", good().open_tar().file(&name, b"what it is").end(), "does not match its digest");
    // In the place of a blob that is wanted, before and after everything else.
    let mut layout = good();
    let blob = layout.blob(LAYER, "wanted");
    let wanted: Digest = digest(&blob).parse().unwrap();
    layout.remove(&blob);
    let first = Tar::default().file(&path(&wanted), b"forged").bytes(&layout.tar()).unended();
    target.refuses("a forged blob", first, "does not match its digest");
    target.refuses("a forged blob", layout.open_tar().file(&path(&wanted), b"").end(), "does not match its digest");

    for (size, listed, named) in [
        (json!(1), "bytes", "bytes"),
        (json!(u32::MAX), "bytes", "bytes"),
        (json!(-1), "has a negative size", "has a negative size"),
        (json!("2"), "invalid index.json", "invalid manifest"),
        (json!(1.5), "invalid index.json", "invalid manifest"),
    ] {
        let mut layout = Layout::default();
        let image = layout.image("linux/amd64", "size");
        let manifest: Value = serde_json::from_slice(layout.bytes(&image)).unwrap();
        layout.named(&with(&image, "size", size.clone()), "registry.test/size:1");
        target.refuses("a wrong size in index.json", layout.tar(), listed);
        let mut layout = Layout::default();
        layout.image("linux/amd64", "size");
        let image = layout.manifest(MANIFEST, &manifest["config"], &[with(&manifest["layers"][0], "size", size)]);
        layout.named(&image, "registry.test/size:1");
        target.refuses("a wrong size in a manifest", layout.tar(), named);
    }
    for (bad, says) in [
        ("", "invalid digest format"),
        ("latest", "invalid digest format"),
        ("sha256:", "invalid digest length"),
        ("sha256:zz", "invalid digest format"),
        ("sha256:../../../etc/passwd", "invalid digest format"),
        ("md5:d41d8cd98f00b204e9800998ecf8427e", "unsupported digest algorithm"),
        ("SHA256:00", "unsupported digest algorithm"),
    ] {
        let mut layout = Layout::default();
        layout.listed(&json!({"mediaType": MANIFEST, "digest": bad, "size": 2}));
        target.refuses(bad, layout.tar(), says);
    }
    let mut layout = Layout::default();
    layout.named(
        &json!({"mediaType": MANIFEST, "digest": Digest::of(b"absent").to_string(), "size": 6}),
        "registry.test/x:1",
    );
    target.refuses("an absent manifest", layout.tar(), "which is not in the archive");
    target.stays_unharmed();
}

#[test]
fn small_archives_that_become_large() {
    let target = Target::start();
    // Files that would be kept in memory, from a few KiB.
    let claims = |path: &str| Tar::default().entry(b'0', path, "", 1 << 40, b"").unended();
    for path in ["index.json", "manifest.json"] {
        target.refuses("a listing of a TiB", claims(path), "larger than");
    }
    for kind in [b'L', b'K', b'x', b'g'] {
        let tar = Tar::default().entry(kind, "././@LongLink", "", 1 << 40, b"").unended();
        target.refuses("a name of a TiB", tar, "larger than");
        let long = Tar::default().entry(kind, "././@LongLink", "", 64 << 20, &vec![b'a'; 64 << 20]).end();
        target.refuses("a name of 64 MiB", zstd::encode_all(long.as_slice(), 1).unwrap(), "larger than");
    }
    target.refuses("a blob that ends too early", claims(&path(&Digest::of(b""))), "end of the archive");
    target.refuses("a file that ends too early", claims("layer.tar"), "end of the archive");
    // Of a blob that is here already nothing is read, only skipped.
    let layout = good();
    let held: Digest = layout.digests()[0].parse().unwrap();
    for size in [u64::MAX, u64::MAX - 511, i64::MAX as u64, 1 << 62] {
        let tar = layout.open_tar().entry(b'0', &path(&held), "", size, b"");
        target.refuses("a blob of an absurd size", tar.end(), "end of the archive");
    }
    target.stays_unharmed();
}

#[test]
fn names_that_fill_the_memory() {
    let target = Target::start();
    // Each name is within bounds; together they are a GiB, from an archive of less than one MiB.
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
    for number in 0..1024 {
        let name = format!("{number}/{}", "x".repeat((1 << 20) - 16));
        encoder.write_all(&Tar::default().file(&name, b"").unended()).unwrap();
    }
    let archive = encoder.finish().unwrap();
    assert!(archive.len() < 1 << 20);
    target.refuses("many long names", archive, "bytes of names");
    target.stays_unharmed();
}

#[test]
fn sizes_that_two_headers_tell_differently() {
    let target = Target::start();
    // What a reader that goes by the other size would find: an index of its own inside a file.
    let absent = json!({"mediaType": MANIFEST, "digest": Digest::of(b"hidden").to_string(), "size": 6});
    let hidden = Tar::default().file("index.json", json!({"manifests": [absent]}).to_string().as_bytes()).unended();
    let pax = |value: &str, claimed: u64| {
        Tar::default().pax(&[("size", value)]).entry(b'0', "cover", "", claimed, &hidden).end()
    };
    let whole = hidden.len().to_string();
    target.refuses("the PAX size counts", pax(&whole, 0), "unrecognized image format");
    target.refuses("it may be the smaller one", pax("0", hidden.len() as u64), "not in the archive");
    for bad in ["-1", "", "x", "1.5", "99999999999999999999", " 5", "0x10"] {
        target.refuses(bad, pax(bad, 0), "malformed PAX");
    }
    // Five, as other readers have it; then there is no header where the next one should be.
    target.refuses("+5", pax("+5", 0), "checksum");
    for records in [
        "5 a=b\n",
        "99 a=b\n",
        "x a=b\n",
        "6 ab\n\n",
        " a=b\n",
        "6 a=b\nrest",
        "0 a=b\n",
        "-6 a=b\n",
        "18446744073709551622 a=b\n",
    ] {
        let tar = Tar::default().entry(b'x', "PaxHeaders/x", "", records.len() as u64, records.as_bytes());
        target.refuses(records, tar.file("x", b"x").end(), "malformed PAX");
    }
    let mut negative = Tar::default().file("index.json", b"x").unended();
    negative[124..136].copy_from_slice(&[0xff; 12]);
    target.refuses("a negative size", with_checksum(negative), "larger than");
    let mut nonsense = Tar::default().file("index.json", b"x").unended();
    nonsense[124..136].copy_from_slice(b"not a number");
    target.refuses("a size of letters", with_checksum(nonsense), "size");
    let mut damaged = good().tar();
    damaged[10] ^= 1;
    target.refuses("a damaged header", damaged, "checksum");
    target.refuses("a header for nothing", Tar::default().pax(&[("path", "x")]).end(), "extension header");
    target.refuses("a NUL in a name", Tar::default().pax(&[("path", "a\0b")]).file("x", b"").end(), "NUL");
    target.stays_unharmed();
}

/// An archive whose first header gets its right checksum.
fn with_checksum(mut tar: Vec<u8>) -> Vec<u8> {
    tar[148..156].copy_from_slice(b"        ");
    let sum: u32 = tar[..512].iter().map(|byte| u32::from(*byte)).sum();
    tar[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    tar
}

#[test]
fn requests_that_lie_about_their_body() {
    let target = Target::start();
    let client = target.daemon.client();
    let tar = good().tar();
    for length in ["-1", "x", "99999999999999999999999", "5, 6"] {
        let head =
            format!("POST /images/load HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
        // Without a body, which the daemon would not read.
        let answer = client.raw(head.as_bytes()).unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 400"), "{length}: {}", String::from_utf8_lossy(&answer));
        // It may close before the body was sent; the answer is then lost.
        let answer = client.raw(&[head.as_bytes(), &tar].concat()).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&answer).contains("Loaded"), "{length}");
    }
    let chunks = "POST /images/load HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nnonsense";
    let answer = String::from_utf8_lossy(&client.raw(chunks.as_bytes()).unwrap()).into_owned();
    assert!(answer.contains("errorDetail") && !answer.contains("Loaded"), "{answer}");
    assert_eq!(files(&target.daemon.data_root()), target.held);
    target.stays_unharmed();
}
