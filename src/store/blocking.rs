//! Work that waits for a disk, and where it is done.
//!
//! A store's methods are asynchronous, and its local implementation reads and writes files. On a runtime's thread that work
//! has to move elsewhere; on a thread that may wait anyway, moving it would cost more than most of it takes. [`wait`] marks
//! such a thread, and [`offload`] looks for the mark.

use std::cell::Cell;
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Wake};

use crate::domain::{Error, Result};

thread_local! {
    /// Whether the thread is inside of [`wait`].
    static MAY_BLOCK: Cell<bool> = const { Cell::new(false) };
}

/// Waits for a future on a thread that may block, such as one of [`tokio::task::spawn_blocking`] or a thread of one's own.
/// What the future offloads is done right there.
///
/// It runs on the runtime that the thread belongs to. Without one it is polled all the same, and may wait for nothing that
/// needs a runtime (as local files do not).
///
/// # Panics
/// On a runtime's own threads, which must not wait.
pub fn wait<F: Future>(future: F) -> F::Output {
    let _mark = Mark::set();
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => runtime.block_on(future),
        Err(_) => park_until_ready(future),
    }
}

/// Polls a future, and parks the thread for as long as it is pending.
fn park_until_ready<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// Whether the present thread may wait for a disk.
pub fn is_allowed() -> bool {
    MAY_BLOCK.get()
}

/// Does work that may wait for a disk: right here where that is allowed, else on one of the runtime's blocking threads.
///
/// # Errors
/// Those of the work, and `Internal` where it panicked or the runtime is shutting down.
pub async fn offload<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    if is_allowed() {
        return work();
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(stopped) => Err(Error::internal("the operation was stopped", stopped)),
    }
}

/// Takes the mark back when it is dropped, after a panic too.
struct Mark(bool);

impl Mark {
    fn set() -> Self {
        Self(MAY_BLOCK.replace(true))
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        MAY_BLOCK.set(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thread() -> Result<std::thread::ThreadId> {
        Ok(std::thread::current().id())
    }

    #[tokio::test]
    async fn work_is_done_where_its_caller_may_wait() {
        let here = thread().unwrap();
        assert_ne!(offload(thread).await.unwrap(), here);
        let (own, done) =
            tokio::task::spawn_blocking(|| (thread().unwrap(), wait(offload(thread)).unwrap())).await.unwrap();
        assert_eq!(own, done);
        assert!(!is_allowed());
    }

    #[test]
    fn no_runtime_is_needed() {
        assert_eq!(wait(offload(thread)).unwrap(), thread().unwrap());
        let caught = std::panic::catch_unwind(|| wait(async { panic!("a panic takes the mark back") }));
        assert!(caught.is_err() && !is_allowed());
    }
}
