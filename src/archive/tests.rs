//! Archives as they come, and as an attacker would make them.

use std::collections::HashMap;
use std::io::{Cursor, Read, Write};

use super::*;
use crate::domain::error::Kind;
use crate::domain::{Digest, Error, Result};

/// Keeps every file in memory.
#[derive(Default)]
struct Kept(HashMap<Digest, Vec<u8>>);

impl Sink for Kept {
    fn wants(&mut self, digest: &Digest) -> bool {
        !self.0.contains_key(digest)
    }

    fn take(&mut self, expected: Option<&Digest>, _size: u64, content: &mut dyn Read) -> Result<Digest> {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).map_err(tar::unreadable)?;
        let digest = Digest::of(&bytes);
        if expected.is_some_and(|expected| *expected != digest) {
            return Err(Error::invalid("wrong digest"));
        }
        self.0.insert(digest.clone(), bytes);
        Ok(digest)
    }

    fn read(&mut self, digest: &Digest, _limit: u64) -> Result<Vec<u8>> {
        Ok(self.0[digest].clone())
    }
}

/// A header block with a right checksum.
fn header(path: &str, kind: u8, size: u64) -> Vec<u8> {
    let mut header = ::tar::Header::new_ustar();
    header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(::tar::EntryType::new(kind));
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    header.as_bytes().to_vec()
}

fn member(path: &str, content: &[u8]) -> Vec<u8> {
    raw_member(path, b'0', content.len() as u64, content)
}

fn raw_member(path: &str, kind: u8, size: u64, content: &[u8]) -> Vec<u8> {
    let mut bytes = header(path, kind, size);
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn link(path: &str, target: &str) -> Vec<u8> {
    let mut header = ::tar::Header::new_ustar();
    header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
    header.as_mut_bytes()[157..157 + target.len()].copy_from_slice(target.as_bytes());
    header.set_entry_type(::tar::EntryType::Symlink);
    header.set_size(0);
    header.set_cksum();
    header.as_bytes().to_vec()
}

fn pax(records: &str) -> Vec<u8> {
    raw_member("PaxHeaders/x", b'x', records.len() as u64, records.as_bytes())
}

fn end(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = parts.concat();
    bytes.extend_from_slice(&[0; 1024]);
    bytes
}

/// An index that names one manifest.
fn index() -> String {
    format!(r#"{{"schemaVersion":2,"manifests":[{{"digest":"{}","size":1}}]}}"#, Digest::of(b"m"))
}

fn layout() -> Vec<Vec<u8>> {
    vec![member("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#), member("index.json", index().as_bytes())]
}

fn with(extra: Vec<u8>) -> Vec<u8> {
    let mut parts = layout();
    parts.insert(0, extra);
    end(&parts)
}

fn refused(archive: &[u8], text: &str) {
    let error = read(Cursor::new(archive), &mut Kept::default()).expect_err(text);
    assert_eq!(error.kind(), Kind::InvalidArgument, "{error:?}");
    assert!(error.public().contains(text), "{error:?} does not say {text:?}");
}

#[test]
fn a_layout_is_read_whatever_its_compression() {
    let blob = b"some content".to_vec();
    let digest = Digest::of(&blob);
    let plain = with(member(&format!("blobs/sha256/{}", digest.hex()), &blob));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&plain).unwrap();
    let zstd = zstd::encode_all(Cursor::new(&plain), 1).unwrap();
    for archive in [plain.clone(), gzip.finish().unwrap(), zstd] {
        let mut kept = Kept::default();
        assert!(matches!(read(Cursor::new(&archive), &mut kept).unwrap(), Listing::Layout(list) if list.len() == 1));
        assert_eq!(kept.0.get(&digest), Some(&blob));
    }
}

#[test]
fn a_docker_archive_becomes_the_manifest_that_docker_makes() {
    let config = br#"{"os":"linux"}"#;
    let archive = end(&[
        member("aaa/layer.tar", b"layer one"),
        link("bbb/layer.tar", "../aaa/layer.tar"),
        member("c.json", config),
        member(
            "manifest.json",
            br#"[{"Config":"c.json","RepoTags":["a/b:1"],"Layers":["aaa/layer.tar","bbb/layer.tar"]}]"#,
        ),
    ]);
    let Listing::Docker(images) = read(Cursor::new(archive), &mut Kept::default()).unwrap() else { panic!("a layout") };
    let layer = format!(
        r#"{{"mediaType":"application/vnd.docker.image.rootfs.diff.tar","digest":"{}","size":9}}"#,
        Digest::of(b"layer one")
    );
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":{{"mediaType":"application/vnd.docker.container.image.v1+json","digest":"{}","size":14}},"layers":[{layer},{layer}]}}"#,
        Digest::of(config)
    );
    assert_eq!(images, [DockerImage { manifest: manifest.into_bytes(), names: vec!["a/b:1".to_owned()] }]);
}

#[test]
fn long_names_and_large_sizes_come_from_extension_headers() {
    let blob = b"0123456789".to_vec();
    let path = format!("blobs/sha256/{}", Digest::of(&blob).hex());
    // The header's own size is 0: who believes it takes the content for a header.
    let records = format!("{}{}", pax_record(&format!("path={path}")), pax_record("size=10"));
    let mut sized = [pax(&records), header("short", b'0', 0)].concat();
    sized.extend_from_slice(&blob);
    sized.resize(sized.len().next_multiple_of(512), 0);
    let mut gnu = raw_member("././@LongLink", b'L', path.len() as u64 + 1, format!("{path}\0").as_bytes());
    gnu.extend(member("short", &blob));
    for extra in [sized, gnu] {
        let mut kept = Kept::default();
        read(Cursor::new(with(extra)), &mut kept).unwrap();
        assert!(kept.0.contains_key(&Digest::of(&blob)));
    }
}

/// A PAX record, whose length counts its own digits.
fn pax_record(text: &str) -> String {
    let mut length = text.len() + 3;
    while format!("{length} {text}\n").len() != length {
        length += 1;
    }
    format!("{length} {text}\n")
}

/// An archive of Docker's form with one configuration `c.json` and these layers, and entries before it.
fn docker(layers: &str, entries: &[Vec<u8>]) -> Vec<u8> {
    let manifest = format!(r#"[{{"Config":"c.json","RepoTags":["a/b:1"],"Layers":{layers}}}]"#);
    let own = [member("c.json", b"{}"), member("manifest.json", manifest.as_bytes())].concat();
    end(&[entries.concat(), own])
}

/// The layers of the first image in an archive of Docker's form.
fn layers(archive: &[u8]) -> Vec<String> {
    let Listing::Docker(images) = read(Cursor::new(archive), &mut Kept::default()).unwrap() else { panic!("a layout") };
    let manifest: serde_json::Value = serde_json::from_slice(&images[0].manifest).unwrap();
    let layers = manifest["layers"].as_array().unwrap();
    layers.iter().map(|layer| layer["digest"].as_str().unwrap().to_owned()).collect()
}

fn accepted(archive: &[u8]) -> Kept {
    let mut kept = Kept::default();
    read(Cursor::new(archive), &mut kept).unwrap();
    kept
}

#[test]
fn entries_that_no_image_names_do_not_matter() {
    let mut escaping = pax(&pax_record("path=../x"));
    escaping.extend(member("innocent", b"x"));
    let digest = Digest::of(b"y");
    for stray in [
        member("/etc/passwd", b"x"),
        member("a/../../etc/passwd", b"x"),
        escaping,
        link("a", "/etc"),
        link("a/b", "../../etc"),
        link("circle", "circle"),
        raw_member("pipe", b'6', 0, b""),
        raw_member("dev", b'3', 0, b""),
        raw_member("label", b'V', 0, b""),
        member("blobs/sha256/.DS_Store", b"x"),
        member("blobs/sha256/zz", b"x"),
        member(&format!("blobs/sha256/._{}", digest.hex()), b"x"),
        member(&format!("blobs/sha256/{}.tmp", digest.hex()), b"x"),
        member("blobs/md5/d41d8cd98f00b204e9800998ecf8427e", b""),
    ] {
        assert!(!accepted(&with(stray.clone())).0.contains_key(&digest));
        assert_eq!(layers(&docker(r#"["l"]"#, &[stray, member("l", b"l")])), [Digest::of(b"l").to_string()]);
    }
}

#[test]
fn links_lead_to_files_of_the_archive() {
    let one = Digest::of(b"one").to_string();
    let blob = format!("blobs/sha256/{}", Digest::of(b"one").hex());
    let hard = |path: &str, target: &str| {
        let mut header = link(path, target);
        header[156] = b'1';
        let mut header = ::tar::Header::from_byte_slice(&header).clone();
        header.set_cksum();
        header.as_bytes().to_vec()
    };
    let file = || member("a/one", b"one");
    for (path, entries) in [
        ("a/two", vec![file(), link("a/two", "one")]),
        ("b/two", vec![link("b/two", "../a/./one"), file()]),
        ("c", vec![link("c", "b/two"), link("b/two", "../a/one"), file()]),
        ("d/one", vec![link("d", "a"), file()]),
        ("e/d/one", vec![link("e/d", "../a"), file()]),
        ("b/two", vec![file(), hard("b/two", "a/one")]),
        ("a/two", vec![file(), hard("a/two", "b/../a/one")]),
        (blob.as_str(), vec![file(), hard(&blob, "a/one")]),
        ("f", vec![member(&blob, b"one"), link("f", &blob)]),
    ] {
        assert_eq!(layers(&docker(&format!("[{path:?}]"), &entries)), std::slice::from_ref(&one), "{path}");
    }
    for (path, entries, why) in [
        ("c", vec![link("c", "/etc/passwd")], "leads out"),
        ("c", vec![link("c", "../../x")], "leads out"),
        ("d/x", vec![link("d", "/etc")], "leads out"),
        ("c", vec![link("c", "d"), link("d", "c")], "more than 40 links"),
        ("c", vec![link("c", "gone")], "lacks a file"),
        ("../x", vec![], "leads out"),
        ("/x", vec![], "absolute path"),
        ("index.json", vec![member("index.json", b"{}")], "lacks a file"),
    ] {
        let archive = docker(&format!("[{path:?}]"), &entries);
        refused(&archive, why);
        refused(&archive, path);
    }
    // What says what is in the archive may be a link as well.
    let linked = end(&[member("oci-layout", b"{}"), member("other", index().as_bytes()), link("index.json", "other")]);
    accepted(&linked);
}

#[test]
fn of_two_entries_the_later_counts() {
    let old = member("manifest.json", br#"[{"Config":"gone","RepoTags":["old"]}]"#);
    let layer = [member("l", b"old"), link("l", "gone"), member("l", b"new")].concat();
    assert_eq!(layers(&docker(r#"["l"]"#, &[old, layer])), [Digest::of(b"new").to_string()]);
    accepted(&with(member("index.json", b"{}")));
    let linked = [member("l", b"old"), member("m", b"new"), link("l", "m")].concat();
    assert_eq!(layers(&docker(r#"["l"]"#, &[linked])), [Digest::of(b"new").to_string()]);
}

#[test]
fn content_that_is_not_what_its_path_says_is_refused() {
    refused(&with(member(&format!("blobs/sha256/{}", Digest::of(b"y").hex()), b"x")), "wrong digest");
}

#[test]
fn a_listing_is_read_as_go_reads_it() {
    let archive = |manifest: &str| end(&[member("c.json", b"{}"), member("manifest.json", manifest.as_bytes())]);
    for manifest in [
        r#"[{"config":"c.json","repoTags":["a/b:1"],"layers":[]}]"#,
        r#"[{"Config":"gone","CONFIG":"c.json","RepoTags":["a/b:1"],"Layers":null}]"#,
        "[{\"Config\":\"c.json\",\"RepoTags\":[\"a/b:1\"]}]\0\0 and more",
    ] {
        let Listing::Docker(images) = read(Cursor::new(archive(manifest)), &mut Kept::default()).unwrap() else {
            panic!("a layout")
        };
        assert_eq!(images[0].names, ["a/b:1"]);
    }
}

#[test]
fn an_archive_of_nothing_is_refused() {
    let layout = |index: &str| vec![member("oci-layout", b"{}"), member("index.json", index.as_bytes())];
    for index in ["{}", "null", r#"{"manifests":[]}"#, r#"{"manifests":null}"#] {
        refused(&end(&layout(index)), "holds no image");
        // Docker 25.0 wrote this for an image without a name.
        let archive = [layout(index).concat(), docker("[]", &[])].concat();
        assert!(layers(&archive).is_empty());
    }
    for manifest in ["[]", "null"] {
        refused(&end(&[member("manifest.json", manifest.as_bytes())]), "holds no image");
    }
    refused(&end(&[member("oci-layout", b"{}")]), "unrecognized image format");
    refused(&end(&[member("x", b"")]), "neither an index.json nor a manifest.json");
    refused(&end(&[link("bin/sh", "/bin/busybox"), raw_member("dev/null", b'3', 0, b"")]), "import");
}

#[test]
fn damaged_archives_are_told_as_such() {
    let whole = with(member("a", &[7; 2000]));
    refused(b"", "the archive is empty");
    refused(br#"{"not": "a tar"}"#, "this is not a tar archive");
    refused(&[b'x'; 600], "this is not a tar archive");
    refused(&[&whole[..512], &[b'x'; 4096]].concat(), "the archive is damaged");
    refused(&whole[..1000], "unexpected end");
    refused(&whole[..700], "unexpected end");
    refused(&end(&[member("a", b"x")]), "unrecognized image format");
    refused(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3], "");
    refused(&[0x28, 0xb5, 0x2f, 0xfd, 1, 2, 3, 4, 5], "decompressed");
    refused(b"\xfd7zXZ\0....", "unexpected end");
    refused(b"BZh91AY&SY....", "");
}

#[test]
fn extension_headers_stay_in_bounds() {
    refused(&with(raw_member("././@LongLink", b'L', 5 << 30, b"x")), "extension header larger");
    refused(&with(raw_member("x", b'x', 2 << 20, b"x")), "extension header larger");
    for records in [
        "nonsense",
        "99 path=x\n",
        "5 x\n",
        "0 \n",
        "-5 path=x\n",
        "10 path=xy",
        "11 size=-10\n",
        "99999999999999999999 a=b\n",
    ] {
        let mut archive = pax(records);
        archive.extend(member("a", b"x"));
        refused(&with(archive), "malformed PAX");
    }
    refused(&with(raw_member("index.json", b'0', 1 << 40, b"{}")), "larger than");
}

#[test]
fn listings_that_make_no_sense_are_refused() {
    refused(&end(&[member("index.json", b"[]")]), "index.json");
    refused(&end(&[member("index.json", br#"{"manifests":[{"digest":"x","size":1}]}"#)]), "descriptor");
    refused(&end(&[member("manifest.json", b"{}")]), "manifest.json");
    refused(&end(&[member("manifest.json", br#"[{"Config":"gone.json"}]"#)]), "lacks a file");
    refused(&end(&[member("manifest.json", br#"[{"Config":"../../x"}]"#)]), "leads out");
}
