//! Files of blobs that a commit removed, until they are gone.
//!
//! To unlink files takes far longer than to record that they go, and nobody who commits something else has to wait for it.
//! A blob that is committed again meanwhile must not lose its new file to an unlink that was meant for the old one; that is
//! what is settled here.

use std::collections::HashMap;

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::domain::{Digest, Result};

/// How many are planned before others have their turn: whoever opens a blob asks here, on the runtime's threads too.
const AT_ONCE: usize = 1024;

/// The files that are still to be unlinked. No call waits for a disk but those that say so.
#[derive(Default)]
pub(super) struct Unlinks {
    open: Mutex<HashMap<Digest, Step>>,
    /// Told whenever a file is gone.
    gone: Condvar,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Planned,
    UnderWay,
}

impl Unlinks {
    /// Plans to unlink the files of these blobs.
    pub(super) fn plan(&self, digests: &[Digest]) {
        for some in digests.chunks(AT_ONCE) {
            let mut open = self.open();
            for digest in some {
                open.entry(digest.clone()).or_insert(Step::Planned);
            }
        }
    }

    /// Whether the file of a blob is about to go, so that there is no such blob any more.
    pub(super) fn includes(&self, digest: &Digest) -> bool {
        self.open().contains_key(digest)
    }

    /// Gives up the plan for a blob that is about to be committed again; whether there was one, and with it a file that is
    /// nobody's. Waits for the disk where the file is being unlinked this moment.
    pub(super) fn give_up(&self, digest: &Digest) -> bool {
        let mut open = self.open();
        while open.get(digest) == Some(&Step::UnderWay) {
            self.gone.wait(&mut open);
        }
        open.remove(digest).is_some()
    }

    /// Unlinks the files of those of the blobs for which it is still planned. Waits for the disk, and not for others that do
    /// the same.
    pub(super) fn carry_out(&self, digests: &[Digest], unlink: impl Fn(&Digest) -> Result<()>) {
        for digest in digests {
            match self.open().get_mut(digest) {
                Some(step @ Step::Planned) => *step = Step::UnderWay,
                _ => continue,
            }
            if let Err(error) = unlink(digest) {
                // It is no longer recorded: the next start after a crash finds it.
                tracing::warn!(content.digest = %digest, error = error.chain(), "removing a blob's file");
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
        let (unlinks, [a, b, c]) = (Unlinks::default(), digests());
        unlinks.plan(&[a.clone(), b.clone()]);
        assert!(unlinks.includes(&b) && !unlinks.includes(&c));
        assert!(unlinks.give_up(&b));
        assert!(!unlinks.give_up(&b) && !unlinks.includes(&b));
        let gone = RefCell::new(Vec::new());
        unlinks.carry_out(&[a.clone(), b, c, a.clone()], |digest| {
            gone.borrow_mut().push(digest.clone());
            Err(Error::internal("unlinking", "a failure is no reason to keep the plan"))
        });
        assert_eq!(*gone.borrow(), [a]);
        assert!(unlinks.all().is_empty());
    }

    #[test]
    fn who_commits_again_waits_for_what_is_under_way() {
        let (unlinks, [a, b, _]) = (Unlinks::default(), digests());
        unlinks.plan(&[a.clone(), b.clone()]);
        let (begun, beginning) = channel();
        let (go, gone) = channel::<()>();
        std::thread::scope(|scope| {
            let (unlinks, wanted) = (&unlinks, [a.clone()]);
            scope.spawn(move || {
                unlinks.carry_out(&wanted, |_| {
                    begun.send(()).unwrap();
                    gone.recv().unwrap();
                    Ok(())
                });
            });
            beginning.recv().unwrap();
            assert!(unlinks.includes(&a));
            assert!(unlinks.give_up(&b), "others do not wait");
            let waiting = scope.spawn(|| unlinks.give_up(&a));
            go.send(()).unwrap();
            assert!(!waiting.join().unwrap(), "its file is gone");
        });
    }
}
