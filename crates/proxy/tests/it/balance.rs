use std::time::Duration;

use crate::origin::Origin;
use crate::stage::{Stage, routes, stable};

#[tokio::test]
async fn a_slow_instance_gets_few_requests_also_where_nothing_else_is_in_flight() {
    let stage = Stage::start().await;
    let (one, two) = (Origin::start(1), Origin::start(2));
    one.takes(Duration::from_millis(200));
    stage.apply(routes(1, vec![stable(1, &[&one, &two])])).await;
    let mut client = stage.client().await;
    for _ in 0..60 {
        client.get("/").await;
    }
    // By what is in flight alone both would get half.
    assert!(one.requests() > 0 && one.requests() < 15, "it got {} of 60", one.requests());
}
