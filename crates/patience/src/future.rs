//! What tasks wait for.
//!
//! The clock is the machine's and not a runtime's: a test that stops its runtime's clock waits for other threads all the
//! same.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Instant;

use crate::{PATIENCE, in_vain};

/// What a future comes to, which may block this thread: for futures that need no runtime to come about, such as those of
/// channels.
#[track_caller]
pub fn ready<F: Future>(what: &str, future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Poll::Ready(worth) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return worth;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            in_vain(what);
        }
        thread::park_timeout(left);
    }
}

/// What a future comes to, for tasks.
pub async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    let mut future = pin!(future);
    let mut alarm = None;
    poll_fn(|context| {
        if let Poll::Ready(worth) = future.as_mut().poll(context) {
            return Poll::Ready(worth);
        }
        if alarm.get_or_insert_with(Alarm::set).rings_for(context.waker()) {
            in_vain(what);
        }
        Poll::Pending
    })
    .await
}

/// Wakes a task after [`PATIENCE`], unless dropped before.
struct Alarm {
    deadline: Instant,
    task: Arc<Mutex<Option<Waker>>>,
    thread: Thread,
}

impl Alarm {
    fn set() -> Self {
        let deadline = Instant::now() + PATIENCE;
        let task = Arc::new(Mutex::new(Some(Waker::noop().clone())));
        let asleep = Arc::clone(&task);
        let thread = thread::spawn(move || {
            loop {
                let left = deadline.saturating_duration_since(Instant::now());
                let mut task = asleep.lock().unwrap_or_else(PoisonError::into_inner);
                // None: nobody waits any more.
                let Some(waker) = task.as_ref() else { return };
                if left.is_zero() {
                    waker.wake_by_ref();
                    *task = None;
                    return;
                }
                drop(task);
                thread::park_timeout(left);
            }
        });
        Self { deadline, task, thread: thread.thread().clone() }
    }

    /// Whether it has rung; if not, it will wake this one.
    fn rings_for(&self, waker: &Waker) -> bool {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if Instant::now() >= self.deadline {
            return true;
        }
        *task = Some(waker.clone());
        false
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        *self.task.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.thread.unpark();
    }
}
