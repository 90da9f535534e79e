//! The page of an app while it is looked at: each part is sent again when it changed.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::{Extension, State};
use axum::response::Response;
use axum::response::sse::Event as Message;
use futures_util::StreamExt;
use futures_util::stream::unfold;
use toehold_core::model::{AppName, Digest};
use tokio::sync::mpsc;

use super::load;
use crate::door::Door;
use crate::door::caller::Caller;
use crate::door::extract::At;
use crate::door::problem::Unable;
use crate::door::stream;
use crate::store::Key;

/// The longest time between two looks.
const LOOK: Duration = Duration::from_secs(2);

/// The shortest time between two looks: what happens in a burst is shown once.
const BREATH: Duration = Duration::from_millis(200);

/// How long a reader may take nothing.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many messages may wait for a reader that is slow.
const WAITING: usize = 16;

pub(crate) async fn live(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    At(app): At<AppName>,
) -> Result<Response, Unable> {
    door.control.view(&app).await?;
    let permit = stream::place(&door)?;
    let (sender, receiver) = mpsc::channel(WAITING);
    let inside = Door::clone(&door);
    tokio::spawn(async move { show(&inside, &caller, &app, &sender).await });
    let messages = unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|message| (message, receiver))
    });
    Ok(stream::send(&door, permit, messages))
}

/// Ends with the reader, with its rights, or at shutdown.
async fn show(door: &Door, caller: &Caller, app: &AppName, sender: &mpsc::Sender<Message>) {
    let mut shown = BTreeMap::new();
    let Ok(newest) = stream::newest(door).await else { return };
    let mut happened = door.control.store().watch(Key::events_of(Some(app)).as_str(), newest);
    loop {
        if !caller.is_still_good(door).await {
            let _ = sender.send(Message::default().event("end").data("log in again")).await;
            return;
        }
        let Ok(page) = load::page(door, caller, app).await else { return };
        for (id, part) in page.live() {
            let digest = Digest::of(part.0.as_bytes());
            if shown.insert(id, digest.clone()).is_some_and(|before| before == digest) {
                continue;
            }
            let data = serde_json::json!({ "id": id, "html": part.0 }).to_string();
            let message = Message::default().event("part").data(data);
            if sender.send_timeout(message, PATIENCE).await.is_err() {
                return;
            }
        }
        tokio::time::sleep(BREATH).await;
        tokio::select! {
            () = sender.closed() => return,
            () = door.control.shutdown().cancelled() => return,
            next = happened.next() => if !matches!(next, Some(Ok(_))) { return },
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}
