//! Writing an archive: an OCI image layout in tar, as pieces in order.
//!
//! Nothing is read here: where a blob belongs, the reader of the pieces is told which. The same members give the same
//! bytes every time: no times, owners or names of this machine are in them.

use bytes::{Bytes, BytesMut};
use serde::Serialize;
use serde::ser::SerializeMap;

use crate::domain::{Descriptor, Digest, MediaType};

const BLOCK: u64 = 512;

/// The first size that a header's twelve octal digits cannot hold.
const LARGE: u64 = 8 << 30;

/// The longest path that a header holds without an extension.
const SHORT: usize = 100;

/// Two empty blocks end an archive.
const END: usize = 1024;

/// One file of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Member {
    /// A directory.
    Directory(String),
    /// A file whose content is at hand: its path and its bytes.
    File(String, Bytes),
    /// A blob of this many bytes, under the path that a layout has for it.
    Blob(Digest, u64),
}

/// What comes next in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// These bytes.
    Bytes(Bytes),
    /// The whole content of a blob, of exactly this many bytes.
    Blob(Digest, u64),
}

/// The archive of these members, in pieces.
pub fn pieces(members: Vec<Member>) -> impl Iterator<Item = Piece> + Send {
    let mut members = members.into_iter();
    let mut pending = BytesMut::new();
    let mut next = None;
    let mut ended = false;
    std::iter::from_fn(move || {
        if let Some(piece) = next.take() {
            return Some(piece);
        }
        while !ended {
            match members.next() {
                Some(Member::Directory(path)) => header(&mut pending, &path, ::tar::EntryType::Directory, 0),
                Some(Member::File(path, content)) => {
                    header(&mut pending, &path, ::tar::EntryType::Regular, content.len() as u64);
                    pending.extend_from_slice(&content);
                    pad(&mut pending, content.len() as u64);
                }
                Some(Member::Blob(digest, size)) => {
                    header(&mut pending, &blob_path(&digest), ::tar::EntryType::Regular, size);
                    let before = pending.split().freeze();
                    pad(&mut pending, size);
                    if size > 0 {
                        next = Some(Piece::Blob(digest, size));
                    }
                    return Some(Piece::Bytes(before));
                }
                None => {
                    pending.resize(pending.len() + END, 0);
                    ended = true;
                    return Some(Piece::Bytes(pending.split().freeze()));
                }
            }
        }
        None
    })
}

/// How many bytes the archive of these members has.
pub fn total(members: &[Member]) -> u64 {
    let member = |member: &Member| {
        let (path, size) = match member {
            Member::Directory(path) => (path.clone(), 0),
            Member::File(path, content) => (path.clone(), content.len() as u64),
            Member::Blob(digest, size) => (blob_path(digest), *size),
        };
        let extension = extension(&path, size).map_or(0, |records| BLOCK + padded(records.len() as u64));
        extension + BLOCK + padded(size)
    };
    members.iter().map(member).sum::<u64>() + END as u64
}

/// Where a layout keeps a blob.
pub fn blob_path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm().name(), digest.hex())
}

/// The file that makes an archive a layout, and its content.
pub fn layout_file() -> Member {
    Member::File(super::role::LAYOUT.to_owned(), Bytes::from_static(br#"{"imageLayoutVersion":"1.0.0"}"#))
}

/// The layout's `index.json`.
///
/// # Errors
/// None that occur: descriptors are texts and numbers.
pub fn index_file(manifests: &[Descriptor]) -> serde_json::Result<Member> {
    struct Index<'a>(&'a [Descriptor]);
    impl Serialize for Index<'_> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(None)?;
            map.serialize_entry("schemaVersion", &2)?;
            map.serialize_entry("mediaType", MediaType::OCI_INDEX.as_str())?;
            map.serialize_entry("manifests", &self.0.iter().map(Descriptor::json).collect::<Vec<_>>())?;
            map.end()
        }
    }
    Ok(Member::File(super::role::INDEX.to_owned(), serde_json::to_vec(&Index(manifests))?.into()))
}

/// An image as a docker-archive shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DockerView {
    /// The path of the configuration.
    pub config: String,
    /// Familiar names with tags; absent where there is none.
    pub repo_tags: Option<Vec<String>>,
    /// The paths of the layers, the lowest first.
    pub layers: Vec<String>,
}

/// The `manifest.json` by which readers of docker-archives find images.
///
/// # Errors
/// None that occur: views are texts.
pub fn docker_file(images: &[DockerView]) -> serde_json::Result<Member> {
    Ok(Member::File(super::role::DOCKER_MANIFEST.to_owned(), serde_json::to_vec(images)?.into()))
}

/// Appends the header of a member, with an extension before it where it needs one.
fn header(out: &mut BytesMut, path: &str, kind: ::tar::EntryType, size: u64) {
    if let Some(records) = extension(path, size) {
        block(out, "PaxHeaders/0", ::tar::EntryType::XHeader, records.len() as u64);
        out.extend_from_slice(records.as_bytes());
        pad(out, records.len() as u64);
    }
    block(out, path, kind, size);
}

/// The PAX records of a member whose header cannot say everything; absent where it can.
fn extension(path: &str, size: u64) -> Option<String> {
    let mut records = String::new();
    if path.len() > SHORT {
        records += &record("path", path);
    }
    if size >= LARGE {
        records += &record("size", &size.to_string());
    }
    Some(records).filter(|records| !records.is_empty())
}

/// One PAX record, whose length counts its own digits.
fn record(key: &str, value: &str) -> String {
    let rest = format!(" {key}={value}\n");
    let mut length = rest.len() + 1;
    while length != rest.len() + length.to_string().len() {
        length = rest.len() + length.to_string().len();
    }
    format!("{length}{rest}")
}

fn block(out: &mut BytesMut, path: &str, kind: ::tar::EntryType, size: u64) {
    let mut header = ::tar::Header::new_ustar();
    // What is cut off here stands in the extension. Paths are made of ASCII only.
    let name = &path.as_bytes()[..path.len().min(SHORT)];
    header.as_mut_bytes()[..name.len()].copy_from_slice(name);
    header.set_entry_type(kind);
    // Beyond twelve digits this is base-256, for those who do not read the extension.
    header.set_size(size);
    header.set_mode(if kind == ::tar::EntryType::Directory { 0o755 } else { 0o444 });
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    out.extend_from_slice(header.as_bytes());
}

fn padded(size: u64) -> u64 {
    size.next_multiple_of(BLOCK)
}

fn pad(out: &mut BytesMut, size: u64) {
    out.resize(out.len() + (padded(size) - size) as usize, 0);
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};

    use super::*;
    use crate::domain::digest::Algorithm;

    /// The archive as bytes, with blobs of zeroes.
    fn bytes(members: &[Member]) -> Vec<u8> {
        let mut all = Vec::new();
        for piece in pieces(members.to_vec()) {
            match piece {
                Piece::Bytes(bytes) => all.extend_from_slice(&bytes),
                Piece::Blob(_, size) => all.resize(all.len() + size as usize, 0),
            }
        }
        all
    }

    fn members() -> Vec<Member> {
        let blob = vec![0; 1000];
        vec![
            layout_file(),
            index_file(&[]).unwrap(),
            Member::Directory("blobs/".to_owned()),
            Member::Directory("blobs/sha512/".to_owned()),
            Member::Blob(Digest::of(&blob), 1000),
            Member::Blob(Digest::compute(Algorithm::Sha512, &blob), 1000),
            Member::Blob(Digest::of(b""), 0),
            Member::Blob(Digest::of(&blob[..512]), 512),
        ]
    }

    #[test]
    fn another_reader_finds_every_member_as_it_is() {
        let archive = bytes(&members());
        assert_eq!(archive.len() as u64, total(&members()));
        let mut archive = ::tar::Archive::new(Cursor::new(archive));
        let mut found = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let header = entry.header();
            assert_eq!((header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()), (0, 0, 0));
            let path = entry.path().unwrap().to_str().unwrap().to_owned();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            found.push((path, content.len()));
        }
        let expected: Vec<(String, usize)> = members()
            .into_iter()
            .map(|member| match member {
                Member::Directory(path) => (path, 0),
                Member::File(path, content) => (path, content.len()),
                Member::Blob(digest, size) => (blob_path(&digest), size as usize),
            })
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn our_own_reader_takes_what_is_written() {
        let mut entries = super::super::tar::Entries::new(Cursor::new(bytes(&members())));
        let mut paths = Vec::new();
        while let Some(entry) = entries.next_entry().unwrap() {
            paths.extend(entry.path);
        }
        assert_eq!(paths.len(), members().len());
        assert_eq!(paths[5], blob_path(&Digest::compute(Algorithm::Sha512, &[0; 1000])));
    }

    #[test]
    fn sizes_beyond_eight_gibibytes_are_told_twice() {
        let size = LARGE + 5;
        let members = [Member::Blob(Digest::of(b"large"), size)];
        let mut pieces = pieces(members.to_vec());
        let Some(Piece::Bytes(head)) = pieces.next() else { panic!("no header") };
        assert_eq!(pieces.next(), Some(Piece::Blob(Digest::of(b"large"), size)));
        let Some(Piece::Bytes(tail)) = pieces.next() else { panic!("no end") };
        assert_eq!(pieces.next(), None);
        assert_eq!(tail.len() as u64, 507 + END as u64);
        assert_eq!(total(&members), head.len() as u64 + size + tail.len() as u64);
        let entry = super::super::tar::Entries::new(Cursor::new(head.to_vec())).next_entry().unwrap().unwrap();
        assert_eq!((entry.size, entry.path), (size, Some(blob_path(&Digest::of(b"large")))));
        // Without the extension.
        let entry = super::super::tar::Entries::new(Cursor::new(head[1024..].to_vec())).next_entry().unwrap().unwrap();
        assert_eq!(entry.size, size);
    }

    #[test]
    fn records_count_themselves() {
        for length in 80..120 {
            let record = record("path", &"x".repeat(length));
            assert_eq!(record.split(' ').next().unwrap().parse(), Ok(record.len()));
        }
    }

    #[test]
    fn a_docker_view_is_what_docker_writes() {
        let view = DockerView {
            config: "blobs/sha256/c".into(),
            repo_tags: Some(vec!["a/b:1".into()]),
            layers: vec!["blobs/sha256/l".into()],
        };
        let bare = DockerView { repo_tags: None, ..view.clone() };
        let Ok(Member::File(path, content)) = docker_file(&[view, bare]) else { panic!("no file") };
        assert_eq!(path, "manifest.json");
        let expected = r#"[{"Config":"blobs/sha256/c","RepoTags":["a/b:1"],"Layers":["blobs/sha256/l"]},{"Config":"blobs/sha256/c","RepoTags":null,"Layers":["blobs/sha256/l"]}]"#;
        assert_eq!(content, expected);
    }
}
