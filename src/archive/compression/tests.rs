use std::io::Write;

use super::*;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ::zstd::encode_all(bytes, 1).unwrap()
}

/// A frame that says nothing, as pzstd puts before each of its frames (RFC 8878, section 3.1.2).
fn skippable(content: &[u8]) -> Vec<u8> {
    [&[0x5f, 0x2a, 0x4d, 0x18], &(content.len() as u32).to_le_bytes()[..], content].concat()
}

/// An empty directory `d` in tar, made with `xz -9`.
const XZ_FILE: &[u8] = include_bytes!("../rootfs.tar.xz");

fn plain(packed: &[u8], trailing: Trailing) -> io::Result<Vec<u8>> {
    let mut source = Source::new(packed);
    let format = sniff(&mut source).unwrap();
    let mut all = Vec::new();
    decoder(format, source, trailing).unwrap().read_to_end(&mut all)?;
    Ok(all)
}

fn each() -> Vec<(Vec<u8>, Vec<u8>)> {
    let content = b"0123456789".repeat(100);
    let mut all: Vec<_> =
        [gzip(&content), bzip2(&content), zstd(&content)].into_iter().map(|packed| (packed, content.clone())).collect();
    all.push((XZ_FILE.to_vec(), plain(XZ_FILE, Trailing::Refused).unwrap()));
    all
}

#[test]
fn one_member_follows_another() {
    for (packed, content) in each() {
        for between in [0, 4, 512] {
            let twice = [packed.clone(), vec![0; between], packed.clone()].concat();
            assert_eq!(plain(&twice, Trailing::Refused).unwrap(), content.repeat(2), "{between} bytes between");
        }
    }
}

#[test]
fn zeroes_after_the_end_are_no_part_of_it() {
    for (packed, content) in each() {
        for zeroes in [1, 512, 300 << 10] {
            let mut padded = packed.clone();
            padded.resize(padded.len() + zeroes, 0);
            assert_eq!(plain(&padded, Trailing::Refused).unwrap(), content);
        }
        let followed = [packed, vec![0; 3], b"something".to_vec()].concat();
        assert_eq!(plain(&followed, Trailing::Ignored).unwrap(), content);
        assert!(plain(&followed, Trailing::Refused).unwrap_err().to_string().contains("follow the end"));
    }
}

#[test]
fn frames_that_are_to_be_skipped_stand_anywhere() {
    let parts =
        [skippable(b"1234"), zstd(b"one "), skippable(b""), skippable(&[7; 9000]), zstd(b"two"), skippable(b"x")];
    assert_eq!(plain(&parts.concat(), Trailing::Refused).unwrap(), b"one two");
    assert_eq!(Compression::of(&parts[0]), Compression::Zstd);
    // A file of nothing else holds nothing.
    assert_eq!(plain(&skippable(b"x"), Trailing::Refused).unwrap(), b"");
    assert_eq!(plain(&skippable(b"1234")[..9], Trailing::Refused).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn what_is_cut_short_is_no_end() {
    for (packed, _) in each() {
        for cut in 6..packed.len() {
            assert!(plain(&packed[..cut], Trailing::Ignored).is_err(), "{cut} of {}", packed.len());
        }
    }
}

#[test]
fn what_is_used_is_shown_without_the_padding() {
    for (packed, _) in each() {
        let padded = [packed.clone(), vec![0; 4], packed.clone(), vec![0; 1000]].concat();
        let mut shown = Vec::new();
        let mut show = |bytes: &[u8]| {
            shown.extend_from_slice(bytes);
            Ok(())
        };
        let mut source = Source::new(&padded[..]).showing(&mut show);
        let format = sniff(&mut source).unwrap();
        io::copy(&mut decoder(format, source, Trailing::Refused).unwrap(), &mut io::sink()).unwrap();
        assert_eq!(shown, packed.repeat(2));
    }
}

#[test]
fn who_cannot_take_what_is_shown_ends_the_reading() {
    for (packed, _) in each() {
        let mut full = |_: &[u8]| Err(io::ErrorKind::StorageFull.into());
        let mut source = Source::new(&packed[..]).showing(&mut full);
        let format = sniff(&mut source).unwrap();
        let result = io::copy(&mut decoder(format, source, Trailing::Refused).unwrap(), &mut io::sink());
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
