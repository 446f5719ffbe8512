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

fn layout() -> Vec<Vec<u8>> {
    vec![
        member("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#),
        member("index.json", br#"{"schemaVersion":2,"manifests":[]}"#),
    ]
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
        assert!(matches!(read(Cursor::new(&archive), &mut kept).unwrap(), Listing::Layout(list) if list.is_empty()));
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

#[test]
fn archives_that_lead_out_of_themselves_are_refused() {
    refused(&with(member("/etc/passwd", b"x")), "absolute path");
    refused(&with(member("a/../../etc/passwd", b"x")), "leads out of it");
    refused(&with(link("a", "/etc")), "leads out of it");
    refused(&with(link("a/b", "../../etc")), "leads out of it");
    let mut escaping = pax(&pax_record("path=../x"));
    escaping.extend(member("innocent", b"x"));
    refused(&with(escaping), "leads out of it");
}

#[test]
fn blobs_are_named_by_digests_only() {
    refused(&with(member("blobs/sha256/zz", b"x")), "no digest");
    refused(&with(member("blobs/md5/d41d8cd98f00b204e9800998ecf8427e", b"")), "no digest");
    refused(&with(member(&format!("blobs/sha256/{}", Digest::of(b"y").hex()), b"x")), "wrong digest");
}

#[test]
fn one_name_means_one_file() {
    let twice = [member("a", b"1"), member("a", b"2")].concat();
    refused(&with(twice), "two files named");
    refused(&with(member("index.json", b"{}")), "two files named");
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
    refused(&with(raw_member("dev", b'3', 0, b"")), "unsupported type");
    refused(&with(raw_member("sparse", b'S', 0, b"")), "unsupported type");
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
