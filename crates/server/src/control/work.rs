//! Builds begin as the queue lets them.

use std::sync::Arc;

use super::{Control, build};

/// Starts builds until shutdown, then stops those that run.
pub(super) async fn run(control: Arc<Control>) {
    loop {
        tokio::select! {
            () = control.shutdown.cancelled() => break,
            () = control.wake_queue.notified() => {}
        }
        while let Some(started) = begin(&control) {
            let control = Arc::clone(&control);
            let tasks = control.tasks.clone();
            tasks.spawn(async move {
                let entry = started.0.clone();
                build::run(&control, started).await;
                control.queue().ended(&entry);
                control.wake_queue.notify_one();
            });
        }
    }
    control.queue().stop_all();
}

/// The queue is not held while a build is begun.
fn begin(control: &Control) -> Option<super::queue::Started> {
    control.queue().begin()
}
