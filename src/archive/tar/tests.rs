//! What writers have made of tar, as their programs have written it or as their sources say.

use std::io::Cursor;
use std::process::Command;

use super::*;

/// All entries of an archive with their content.
fn entries(archive: &[u8]) -> Result<Vec<(String, EntryKind, Vec<u8>)>> {
    let mut entries = Entries::new(Cursor::new(archive));
    let mut all = Vec::new();
    while let Some(entry) = entries.next_entry()? {
        let mut content = Vec::new();
        entries.content().read_to_end(&mut content).map_err(unreadable)?;
        assert_eq!(content.len() as u64, entry.size, "{entry:?}");
        all.push((entry.path.unwrap_or_else(|| "?".to_owned()), entry.kind, content));
    }
    entries.finish()?;
    Ok(all)
}

/// A header block with fields as they are given.
fn header(path: &[u8], kind: u8, size: &[u8; 12], more: &[(usize, &[u8])], signed: bool) -> Vec<u8> {
    let mut block = vec![0u8; BLOCK];
    block[..path.len()].copy_from_slice(path);
    block[124..136].copy_from_slice(size);
    block[156] = kind;
    for (at, bytes) in more {
        block[*at..at + bytes.len()].copy_from_slice(bytes);
    }
    block[148..156].fill(b' ');
    let sum: i64 = block.iter().map(|b| if signed { i64::from(b.cast_signed()) } else { i64::from(*b) }).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

fn padded(content: &[u8]) -> Vec<u8> {
    let mut bytes = content.to_vec();
    bytes.resize(content.len().next_multiple_of(BLOCK), 0);
    bytes
}

fn pax(records: &[(&str, &str)]) -> Vec<u8> {
    let mut content = String::new();
    for (key, value) in records {
        let rest = format!(" {key}={value}\n");
        let mut length = rest.len() + 1;
        while length != rest.len() + length.to_string().len() {
            length = rest.len() + length.to_string().len();
        }
        content += &format!("{length}{rest}");
    }
    let size = format!("{:011o}\0", content.len());
    [header(b"pax", b'x', size.as_bytes().try_into().unwrap(), &[], false), padded(content.as_bytes())].concat()
}

fn refused(archive: &[u8], why: &str) {
    let error = entries(archive).unwrap_err();
    assert!(error.kind() == Kind::InvalidArgument && error.public().contains(why), "{error:?}: no {why:?}");
}

#[test]
fn blank_numbers_and_signed_checksums_are_read() {
    for size in [b"\0\0\0\0\0\0\0\0\0\0\0\0", b"            "] {
        let archive = header(b"d/", b'5', size, &[], false);
        assert_eq!(entries(&archive).unwrap(), [("d/".to_owned(), EntryKind::Directory, vec![])]);
    }
    let archive = [header(b"caf\xe9", b'0', b"00000000003\0", &[], true), padded(b"abc")].concat();
    assert_eq!(entries(&archive).unwrap(), [("?".to_owned(), EntryKind::File, b"abc".to_vec())]);
    let mut wrong = archive;
    wrong[0] = b'k';
    refused(&wrong, "checksum");
    refused(&header(b"x", b'0', b"0000000000z\0", &[], false), "x: archive has a malformed size");
    refused(&header(b"x", b'0', b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", &[], false), "end of the archive");
}

#[test]
fn entries_that_are_no_files_keep_their_content_to_themselves() {
    let zero = b"00000000000\0";
    let archive = [
        header(b"label", b'V', zero, &[], false),
        header(b"dir/", b'D', b"00000000005\0", &[], false),
        padded(b"Yfoo\0"),
        header(b"dev", b'3', b"00000010000\0", &[], false),
        header(b"link", b'2', zero, &[(157, b"to")], false),
        header(b"hard", b'1', b"00000010000\0", &[(157, b"to")], false),
        header(b"odd", b'Q', b"00000000001\0", &[], false),
        padded(b"x"),
        header(b"last", b'0', b"00000000001\0", &[], false),
        padded(b"y"),
    ];
    let found = entries(&archive.concat()).unwrap();
    let kinds: Vec<_> = found.iter().map(|(path, kind, _)| (path.as_str(), kind)).collect();
    let to = || Some("to".to_owned());
    let (symlink, hard) = (EntryKind::Symlink(to()), EntryKind::HardLink(to()));
    let other = &EntryKind::Other;
    assert_eq!(
        kinds,
        [
            ("label", other),
            ("dir/", other),
            ("dev", other),
            ("link", &symlink),
            ("hard", &hard),
            ("odd", other),
            ("last", &EntryKind::File)
        ]
    );
    assert_eq!(found[6].2, b"y");
}

/// `ab`, a hole of three, `c`, a hole of one.
const SPARSE: &[u8] = b"ab\0\0\0c\0";

#[test]
fn sparse_files_are_filled_in_every_form() {
    let gnu = [
        header(
            b"f",
            b'S',
            b"00000000003\0",
            &[(386, b"00000000000\x0000000000002\x0000000000005\x0000000000001\0"), (483, b"00000000007\0")],
            false,
        ),
        padded(b"abc"),
    ];
    let mut further = vec![0u8; BLOCK];
    further[..24].copy_from_slice(b"00000000005\x0000000000001\0");
    let gnu_longer = [
        header(
            b"f",
            b'S',
            b"00000000003\0",
            &[(386, b"00000000000\x0000000000002\0"), (482, b"\x01"), (483, b"00000000007\0")],
            false,
        ),
        further,
        padded(b"abc"),
    ];
    let plain = header(b"GNUSparseFile.0/f", b'0', b"00000000003\0", &[], false);
    let v0 = [
        pax(&[
            ("GNU.sparse.size", "7"),
            ("GNU.sparse.numblocks", "2"),
            ("GNU.sparse.offset", "0"),
            ("GNU.sparse.numbytes", "2"),
            ("GNU.sparse.offset", "5"),
            ("GNU.sparse.numbytes", "1"),
            ("path", "f"),
        ]),
        plain.clone(),
        padded(b"abc"),
    ];
    let v0_1 = [
        pax(&[("GNU.sparse.size", "7"), ("GNU.sparse.map", "0,2,5,1"), ("GNU.sparse.name", "f")]),
        plain,
        padded(b"abc"),
    ];
    let v1 = [
        pax(&[
            ("GNU.sparse.major", "1"),
            ("GNU.sparse.minor", "0"),
            ("GNU.sparse.name", "f"),
            ("GNU.sparse.realsize", "7"),
        ]),
        header(b"GNUSparseFile.0/f", b'0', b"00000001003\0", &[], false),
        padded(b"2\n0\n2\n5\n1\n"),
        padded(b"abc"),
    ];
    let after = [header(b"g", b'0', b"00000000001\0", &[], false), padded(b"y")].concat();
    for archive in [gnu.concat(), gnu_longer.concat(), v0.concat(), v0_1.concat(), v1.concat()] {
        let found = entries(&[archive.clone(), after.clone()].concat()).unwrap();
        assert_eq!((found[0].0.as_str(), &found[0].2[..]), ("f", SPARSE));
        assert_eq!((found[1].0.as_str(), &found[1].2[..]), ("g", &b"y"[..]));
        // Who does not read it finds the next entry all the same.
        let mut unread = Entries::new(Cursor::new([archive.clone(), after.clone()].concat()));
        assert_eq!(unread.next_entry().unwrap().unwrap().size, 7);
        assert_eq!(unread.next_entry().unwrap().unwrap().path.as_deref(), Some("g"));
        refused(&archive[..archive.len() - BLOCK + 2], "within \"f\"");
    }
}

#[test]
fn maps_of_sparse_files_that_cannot_be_are_refused() {
    let file = |size: &[u8; 12]| [header(b"f", b'0', size, &[], false), padded(b"abc")].concat();
    for (map, size) in [
        ("0,2,1,1", "7"),
        ("0,2,5", "7"),
        ("0,3", "2"),
        ("0,2", "7"),
        ("0,4", "7"),
        ("9223372036854775807,9223372036854775807", "9223372036854775807"),
    ] {
        let archive = [pax(&[("GNU.sparse.size", size), ("GNU.sparse.map", map)]), file(b"00000000003\0")].concat();
        refused(&archive, "sparse file whose map");
    }
    refused(&[pax(&[("GNU.sparse.map", "0,x")]), file(b"00000000003\0")].concat(), "malformed PAX");
    refused(&[pax(&[("GNU.sparse.numbytes", "1")]), file(b"00000000003\0")].concat(), "malformed PAX");
    refused(&[pax(&[("GNU.sparse.map", "0,3")]), file(b"00000000003\0")].concat(), "sparse file whose map");
    let large = [pax(&[("GNU.sparse.size", "99999999999999"), ("GNU.sparse.map", "0,3")]), file(b"00000000003\0")];
    refused(&large.concat(), "bytes of holes");
    for map in ["1\n0\n", "x", "99999999999999999999999\n", "200000\n", "\n"] {
        let head = pax(&[("GNU.sparse.major", "1"), ("GNU.sparse.realsize", "7")]);
        let archive = [head, header(b"f", b'0', b"00000001000\0", &[], false), padded(map.as_bytes())].concat();
        refused(&archive, "sparse file whose map");
    }
}

#[test]
fn what_gnu_tar_writes_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let long = "n".repeat(120);
    std::fs::create_dir_all(root.join("in/d")).unwrap();
    std::fs::write(root.join("in/d/file"), b"some content").unwrap();
    std::os::unix::fs::symlink("file", root.join("in/d/link")).unwrap();
    std::fs::hard_link(root.join("in/d/file"), root.join("in/d/second")).unwrap();
    let file = std::fs::File::create(root.join("in/holes")).unwrap();
    file.set_len(3 << 20).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"data", 1 << 20).unwrap();
    let sparse: &[&[&str]] = &[
        &["--format=gnu", "--sparse"],
        &["--format=oldgnu", "--sparse"],
        &["--format=posix", "--sparse"],
        &["--format=posix", "--sparse", "--sparse-version=0.0"],
        &["--format=posix", "--sparse", "--sparse-version=0.1"],
        &["--format=gnu", "-V", "a label"],
        &["--format=posix", "-V", "a label"],
        &["--format=gnu", "--listed-incremental=state"],
        &["--format=posix", "--listed-incremental=state"],
        &["--format=ustar"],
        &["--format=v7"],
    ];
    for options in sparse {
        let has_long_names = !options.contains(&"--format=ustar") && !options.contains(&"--format=v7");
        if has_long_names {
            std::fs::write(root.join("in").join(&long), b"long").unwrap();
        } else {
            let _ = std::fs::remove_file(root.join("in").join(&long));
        }
        let _ = std::fs::remove_file(root.join("state"));
        let made = Command::new("tar").args(*options).args(["-cf", "a.tar", "in"]).current_dir(root).output().unwrap();
        assert!(made.status.success(), "{options:?}: {}", String::from_utf8_lossy(&made.stderr));
        let found = entries(&std::fs::read(root.join("a.tar")).unwrap()).unwrap();
        let content = |path: &str| {
            let entry = found.iter().rfind(|(known, kind, _)| known == path && *kind == EntryKind::File);
            entry.map(|(_, _, content)| content.clone()).unwrap_or_else(|| panic!("{options:?} has no {path}"))
        };
        let mut holes = vec![0; 3 << 20];
        holes[1 << 20..(1 << 20) + 4].copy_from_slice(b"data");
        assert!(content("in/holes") == holes, "{options:?}");
        if has_long_names {
            assert_eq!(content(&format!("in/{long}")), b"long", "{options:?}");
        }
        let links = found.iter().filter(|(_, kind, _)| matches!(kind, EntryKind::HardLink(_) | EntryKind::Symlink(_)));
        assert_eq!(links.count(), 2, "{options:?}");
    }
}
