//! Deletion of blob files whose records were dropped.
//!
//! Unlinking files takes far longer than dropping their records, and nobody else should wait for it. A blob that comes back
//! in the meantime must not lose its new file to an unlink that was meant for the old one, so each deletion is planned
//! before its records are dropped, and cancelled when the blob is placed again.

use std::collections::HashMap;

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::domain::{Digest, Result};

/// How many are planned before others get the lock.
const AT_ONCE: usize = 1024;

/// The files that are to be unlinked. Calls do not wait for a disk unless they say so.
#[derive(Default)]
pub(super) struct Deletions {
    open: Mutex<HashMap<Digest, Step>>,
    /// Told whenever a file is gone.
    gone: Condvar,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Planned,
    UnderWay,
}

impl Deletions {
    /// Plans to unlink the files of these blobs.
    pub(super) fn plan(&self, digests: &[Digest]) {
        for some in digests.chunks(AT_ONCE) {
            let mut open = self.open();
            for digest in some {
                open.entry(digest.clone()).or_insert(Step::Planned);
            }
        }
    }

    /// Cancels the deletion of a blob's file; whether one was planned. Waits for the disk where the file is being unlinked at
    /// this moment.
    pub(super) fn cancel(&self, digest: &Digest) -> bool {
        let mut open = self.open();
        while open.get(digest) == Some(&Step::UnderWay) {
            self.gone.wait(&mut open);
        }
        open.remove(digest).is_some()
    }

    /// Deletions the files of those of the blobs for which it is still planned. Waits for the disk, and not for others that do
    /// the same.
    pub(super) fn run(&self, digests: &[Digest], unlink: impl Fn(&Digest) -> Result<()>) {
        for digest in digests {
            match self.open().get_mut(digest) {
                Some(step @ Step::Planned) => *step = Step::UnderWay,
                _ => continue,
            }
            if let Err(error) = unlink(digest) {
                tracing::warn!(
                    content.digest = %digest, error = error.chain(),
                    "could not delete the file of a removed blob; it takes room until loadline check --repair"
                );
            }
            self.open().remove(digest);
            self.gone.notify_all();
        }
    }

    /// Every blob whose file is still to go, in no order.
    pub(super) fn all(&self) -> Vec<Digest> {
        self.open().keys().cloned().collect()
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Digest, Step>> {
        self.open.lock()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::sync::mpsc::channel;

    use super::*;
    use crate::domain::Error;

    fn digests() -> [Digest; 3] {
        [b"a", b"b", b"c"].map(|bytes| Digest::of(bytes))
    }

    #[test]
    fn only_what_is_still_planned_is_unlinked() {
        let (deletions, [a, b, c]) = (Deletions::default(), digests());
        deletions.plan(&[a.clone(), b.clone()]);
        assert!(deletions.cancel(&b));
        assert!(!deletions.cancel(&b));
        let gone = RefCell::new(Vec::new());
        deletions.run(&[a.clone(), b, c, a.clone()], |digest| {
            gone.borrow_mut().push(digest.clone());
            Err(Error::internal("unlinking", "a failure is no reason to keep the plan"))
        });
        assert_eq!(*gone.borrow(), [a]);
        assert!(deletions.all().is_empty());
    }

    #[test]
    fn who_commits_again_waits_for_what_is_under_way() {
        let (deletions, [a, b, _]) = (Deletions::default(), digests());
        deletions.plan(&[a.clone(), b.clone()]);
        let (begun, beginning) = channel();
        let (go, gone) = channel::<()>();
        std::thread::scope(|scope| {
            let (deletions, wanted) = (&deletions, [a.clone()]);
            scope.spawn(move || {
                deletions.run(&wanted, |_| {
                    begun.send(()).unwrap();
                    gone.recv().unwrap();
                    Ok(())
                });
            });
            beginning.recv().unwrap();
            assert!(deletions.cancel(&b), "others do not wait");
            let waiting = scope.spawn(|| deletions.cancel(&a));
            go.send(()).unwrap();
            assert!(!waiting.join().unwrap(), "its file is gone");
        });
    }
}
