use std::collections::HashSet;
use std::fs;
use std::path::Path;

use super::*;
use crate::store::blocking::wait;

const LIMITS: Limits = Limits { largest_blob: 16 << 10, pack: 64 << 20 };

fn open(dir: &Path, limits: Limits) -> (Packs, bool) {
    Packs::open(dir.to_owned(), limits).unwrap()
}

fn blob(n: u32, size: usize) -> (Digest, Arc<[u8]>) {
    let bytes: Vec<u8> = n.to_le_bytes().into_iter().cycle().take(size).collect();
    (Digest::of(&bytes), bytes.into())
}

fn blobs(count: u32) -> Vec<(Digest, Arc<[u8]>)> {
    (0..count).map(|n| blob(n, 10 + n as usize * 97 % 3000)).collect()
}

fn read(blob: &dyn Blob) -> Vec<u8> {
    let mut bytes = vec![0; blob.size() as usize + 1];
    let len = wait(blob.read_at(&mut bytes, 0)).unwrap();
    bytes.truncate(len);
    bytes
}

fn holds(packs: &Packs, blobs: &[(Digest, Arc<[u8]>)]) -> bool {
    blobs.iter().all(|(digest, bytes)| packs.get(digest).is_some_and(|blob| read(blob.as_ref()) == **bytes))
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_was_placed_is_there_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let (packs, is_read) = open(dir.path(), LIMITS);
    assert!(!is_read && packs.get(&Digest::of(b"nothing")).is_none());
    let (first, second) = (blobs(60), [blob(1000, 16 << 10), blob(1001, 0)]);
    packs.place(&first).unwrap();
    packs.place(&second).unwrap();
    packs.place(&[]).unwrap();
    let check = |is_read, packs: &Packs| {
        assert!(holds(packs, &first) && holds(packs, &second));
        assert_eq!(packs.blobs().len(), 62);
        is_read
    };
    check(false, &packs);
    drop(packs); // as a crash would
    let (packs, is_read) = open(dir.path(), LIMITS);
    assert!(check(is_read, &packs), "the pack itself was read");
    packs.close().unwrap();
    assert_eq!(names(dir.path()), ["00000000.idx", "00000000.pack"]);
    let (packs, is_read) = open(dir.path(), LIMITS);
    assert!(!check(is_read, &packs), "the index was enough");
    // What comes after it is found all the same.
    packs.place(&[blob(2000, 7)]).unwrap();
    drop(packs);
    let (packs, is_read) = open(dir.path(), LIMITS);
    assert!(is_read && holds(&packs, &[blob(2000, 7)]) && packs.blobs().len() == 63);
    fs::write(dir.path().join("00000000.idx"), b"not an index").unwrap();
    drop(packs);
    let (packs, _) = open(dir.path(), LIMITS);
    assert_eq!(packs.blobs().len(), 63);
}

#[test]
fn what_a_crash_cut_short_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("00000000.pack");
    let (packs, _) = open(dir.path(), LIMITS);
    packs.place(&[blob(1, 100)]).unwrap();
    let whole = fs::metadata(&path).unwrap().len();
    packs.place(&[blob(2, 50)]).unwrap();
    drop(packs);
    let bytes = fs::read(&path).unwrap();
    for len in whole as usize..bytes.len() - 6 {
        fs::write(&path, &bytes[..len]).unwrap();
        let (packs, _) = open(dir.path(), LIMITS);
        assert!(holds(&packs, &[blob(1, 100)]) && packs.get(&blob(2, 50).0).is_none(), "{len} bytes");
        assert_eq!(fs::metadata(&path).unwrap().len(), whole);
        packs.place(&[blob(3, 30)]).unwrap();
        drop(packs);
        let (packs, _) = open(dir.path(), LIMITS);
        assert!(holds(&packs, &[blob(1, 100), blob(3, 30)]));
    }
}

#[test]
fn the_newest_copy_that_is_whole_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits { pack: 1, ..LIMITS };
    let wanted = blob(1, 100);
    let rot = |number: u32| {
        let path = names::path(dir.path(), number);
        let mut bytes = fs::read(&path).unwrap();
        let last = bytes.len() - 10;
        bytes[last] ^= 1;
        fs::write(&path, bytes).unwrap();
    };
    let (packs, _) = open(dir.path(), limits);
    packs.place(std::slice::from_ref(&wanted)).unwrap();
    rot(0);
    assert!(!holds(&packs, std::slice::from_ref(&wanted)));
    // Placed again, it is healed, here and at the next start.
    packs.place(std::slice::from_ref(&wanted)).unwrap();
    assert!(holds(&packs, std::slice::from_ref(&wanted)));
    drop(packs);
    let (packs, _) = open(dir.path(), limits);
    assert!(holds(&packs, std::slice::from_ref(&wanted)));
    packs.place(std::slice::from_ref(&wanted)).unwrap();
    packs.tidy();
    assert_eq!(names(dir.path()), ["00000002.pack"], "older copies are given up");
    drop(packs);
    // A further copy that a crash kept from the disk takes nothing away.
    fs::copy(names::path(dir.path(), 2), names::path(dir.path(), 3)).unwrap();
    rot(3);
    let (packs, _) = open(dir.path(), limits);
    assert!(holds(&packs, std::slice::from_ref(&wanted)));
}

#[test]
fn packs_are_filled_and_then_indexed() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits { pack: 4096, ..LIMITS };
    let (packs, _) = open(dir.path(), limits);
    let all = blobs(40);
    for blob in &all {
        packs.place(std::slice::from_ref(blob)).unwrap();
    }
    assert!(holds(&packs, &all));
    let names = names(dir.path());
    let (indexes, files): (Vec<_>, Vec<_>) = names.iter().partition(|name| name.ends_with(".idx"));
    assert!(files.len() > 5 && indexes.len() >= files.len() - 1, "{names:?}");
    drop(packs);
    let (packs, _) = open(dir.path(), limits);
    assert!(holds(&packs, &all));
}

#[test]
fn removed_blobs_give_their_room_back() {
    let dir = tempfile::tempdir().unwrap();
    let (packs, _) = open(dir.path(), LIMITS);
    let all: Vec<_> = (0..200).map(|n| blob(n, 12_000)).collect();
    packs.place(&all).unwrap();
    let reader = packs.get(&all[0].0).unwrap();
    for (digest, _) in &all[..150] {
        assert!(packs.remove(digest) && !packs.remove(digest));
    }
    packs.tidy();
    let size =
        |dir: &Path| -> u64 { fs::read_dir(dir).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum() };
    assert!(size(dir.path()) < 60 * 12_100, "{} bytes", size(dir.path()));
    assert!(holds(&packs, &all[150..]) && packs.blobs().len() == 50);
    assert_eq!(read(reader.as_ref()), *all[0].1, "what is open stays readable");
    packs.close().unwrap();
    let (packs, _) = open(dir.path(), LIMITS);
    assert_eq!(packs.blobs().len(), 50);
    for (digest, _) in &all[150..] {
        packs.remove(digest);
    }
    packs.tidy();
    assert_eq!(names(dir.path()), [] as [&str; 0]);
    packs.place(&all[..1]).unwrap();
    assert!(holds(&packs, &all[..1]));
}

#[test]
fn the_next_start_knows_nothing_of_what_was_removed() {
    let dir = tempfile::tempdir().unwrap();
    let (packs, _) = open(dir.path(), LIMITS);
    let all = blobs(10);
    packs.place(&all).unwrap();
    packs.remove(&all[3].0);
    packs.retain(|packed| *packed.digest() != all[4].0);
    packs.close().unwrap();
    let (packs, is_read) = open(dir.path(), LIMITS);
    assert!(!is_read && packs.blobs().len() == 8 && packs.get(&all[3].0).is_none() && packs.get(&all[4].0).is_none());
}

#[test]
fn what_is_done_side_by_side_is_all_there() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits { pack: 100 << 10, ..LIMITS };
    let (packs, _) = open(dir.path(), limits);
    // Each thread has blobs of its own, and removes half of them; all place a common one again and again.
    let common = blob(u32::MAX, 500);
    let kept: Vec<(Digest, Arc<[u8]>)> = std::thread::scope(|scope| {
        let run = |thread: u32| {
            let (packs, common) = (&packs, &common);
            move || {
                let own: Vec<_> = (0..120).map(|n| blob(thread << 16 | n, 3000 + n as usize)).collect();
                for some in own.chunks(5) {
                    packs.place(&[some, std::slice::from_ref(common)].concat()).unwrap();
                    for (digest, _) in &some[..3] {
                        packs.remove(digest);
                    }
                    packs.tidy();
                }
                own.chunks(5).flat_map(|some| some[3..].to_vec()).collect::<Vec<_>>()
            }
        };
        let threads: Vec<_> = (0..4).map(|thread| scope.spawn(run(thread))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).chain([common.clone()]).collect()
    });
    assert!(holds(&packs, &kept));
    let here: HashSet<Digest> = packs.blobs().into_iter().map(|packed| packed.digest).collect();
    assert_eq!(here, kept.iter().map(|(digest, _)| digest.clone()).collect());
    drop(packs);
    let (packs, _) = open(dir.path(), limits);
    assert!(holds(&packs, &kept), "after a crash");
    packs.close().unwrap();
    let (packs, is_read) = open(dir.path(), limits);
    assert!(holds(&packs, &kept) && !is_read, "after an end in order");
}

#[test]
fn a_check_finds_what_is_there_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let missing = FoundPacks::read(dir.path().join("none")).unwrap();
    assert_eq!(missing.blobs().count(), 0);
    let (packs, _) = open(dir.path(), LIMITS);
    let all = blobs(10);
    packs.place(&all).unwrap();
    packs.close().unwrap();
    let torn = [fs::read(names::path(dir.path(), 0)).unwrap(), b"LLb1 torn".to_vec()].concat();
    fs::write(names::path(dir.path(), 0), &torn).unwrap();
    let found = FoundPacks::read(dir.path().to_owned()).unwrap();
    assert_eq!(found.blobs().count(), 10);
    assert!(all.iter().all(|(digest, bytes)| read(found.get(digest).unwrap().as_ref()) == **bytes));
    assert!(found.get(&Digest::of(b"nothing")).is_none());
    assert_eq!(fs::read(names::path(dir.path(), 0)).unwrap(), torn);
    found.forget([&all[2].0, &Digest::of(b"nothing")].into_iter()).unwrap();
    let (packs, _) = open(dir.path(), LIMITS);
    assert!(packs.get(&all[2].0).is_none() && packs.blobs().len() == 9);
}

#[test]
fn what_is_no_pack_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["1.pack", "000000001.pack", "0000000a.pack", "notes"] {
        fs::write(dir.path().join(name), b"x").unwrap();
    }
    fs::write(dir.path().join("00000009.idx.new"), b"x").unwrap();
    let (packs, _) = open(dir.path(), LIMITS);
    assert!(packs.blobs().is_empty());
    assert_eq!(names(dir.path()), ["000000001.pack", "0000000a.pack", "1.pack", "notes"]);
    std::os::unix::fs::symlink("/etc/passwd", dir.path().join("00000003.pack")).unwrap();
    assert!(Packs::open(dir.path().to_owned(), LIMITS).is_err());
}
