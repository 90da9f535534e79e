use toehold_core::wire::agent::LogFrom;

use crate::lifecycle::kill;
use crate::stage::Stage;

#[tokio::test]
async fn a_log_is_kept_over_restarts_of_the_app_and_of_the_agent() {
    let mut stage = Stage::new().await;
    let placed = stage.shell("shop/web.1", "echo out $$; echo err >&2; sleep 600");
    stage.place(&[&placed]);
    let first = stage.healthy(&placed).await;
    stage.until_logged(&placed, "err\n", 1).await;
    kill(&first).await;
    stage.status(&placed.id, "it is back", |it| it.healthy && it.restarts == 1).await;
    stage.until_logged(&placed, "err\n", 2).await;
    stage.kill_agent();
    stage.start_agent();
    stage.healthy(&placed).await;
    let log = stage.whole_log(&placed).await;
    assert_eq!((log.matches("out ").count(), log.matches("err\n").count()), (2, 2), "{log}");
    assert!(log.contains("ended: killed by SIGKILL; starts again"), "{log}");
    stage.place(&[]);
    stage.report("it is forgotten", |it| it.instances.is_empty()).await;
    assert!(stage.whole_log(&placed).await.starts_with(&log), "a log outlives its instance");
    let unknown = "shop/web.9".parse().expect("an instance");
    let said = stage.log(&unknown, LogFrom::Tail(10)).await.expect_err("it has none");
    assert!(said.contains("shop/web.9"), "{said}");
}
