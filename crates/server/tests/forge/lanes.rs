//! What waits is sent: once, in order, and not more often than the forge will have it.

use std::time::Duration;

use toehold_core::model::Track;
use toehold_server::clock::Clock;
use toehold_server::forge::{Deployment, Report, Stage as How, State};

use crate::github::github;
use crate::stage::{Stage, commit};

#[tokio::test]
async fn a_status_is_told_and_a_newer_one_takes_the_place_of_an_older() {
    let mut double = github(Vec::new()).await;
    let stage = Stage::new("github", &double.url());
    stage.tests_are(42, State::Pending).await;
    stage.tests_are(42, State::Success).await;
    let _running = stage.run();
    let asked = double.next().await;
    assert_eq!(
        (asked.status, asked.path),
        (201, format!("/repos/acme/shop/statuses/{}", commit(42)))
    );
    assert_eq!(
        (&asked.body["state"], &asked.body["context"]),
        (&"success".into(), &"toehold/test".into())
    );
    assert!(asked.body["target_url"].as_str().is_some_and(|it| it.ends_with("/builds/42")));
    stage.until_told().await;
    stage.tests_are(43, State::Failure).await;
    assert_eq!(double.next().await.body["state"], "failure");
    stage.until_told().await;
    assert!(double.is_quiet() && stage.failures().await.is_empty());
}

#[tokio::test]
async fn a_forge_that_has_had_enough_is_left_alone_for_as_long_as_it_says() {
    let mut double = github(Vec::new()).await;
    let stage = Stage::new("github", &double.url());
    double.tell(429, &[("retry-after", "30")], 1);
    let reset = (stage.clock.now().as_ms() / 1_000 + 120).to_string();
    double.tell(403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", &reset)], 1);
    let _running = stage.run();
    stage.tests_are(42, State::Success).await;
    stage.tests_are(43, State::Success).await;
    assert_eq!(double.next().await.status, 429);
    stage.clock.advance(Duration::from_secs(29));
    stage.tests_are(44, State::Success).await;
    assert!(double.is_quiet(), "it asked to be left alone");
    let wait = Duration::from_secs(30);
    assert_eq!(double.next_after(&stage.clock, wait).await.status, 403);
    let first = double.next_after(&stage.clock, 4 * wait).await;
    assert!(stage.clock.now().as_ms() / 1_000 >= reset.parse().expect("it is a number"));
    stage.until_told().await;
    for number in [42, 43, 44] {
        let asked = if number == 42 { first.clone() } else { double.next().await };
        assert!(asked.status == 201 && asked.path.ends_with(commit(number).as_str()));
    }
}

#[tokio::test]
async fn one_that_says_only_in_words_that_it_had_enough_is_left_alone_longer_and_longer() {
    let mut double = github(Vec::new()).await;
    let stage = Stage::new("github", &double.url());
    let words = "You have exceeded a secondary rate limit. Please wait a few minutes.";
    double.tell_in_words(403, &[], words, 3);
    let _running = stage.run();
    stage.tests_are(42, State::Success).await;
    assert_eq!(double.next().await.status, 403);
    for wait_s in [60, 120, 300] {
        stage.clock.advance(Duration::from_secs(wait_s - 1));
        assert!(double.is_quiet(), "it is not asked before {wait_s} s are over");
        double.next_after(&stage.clock, Duration::from_secs(wait_s)).await;
    }
    stage.until_told().await;
    assert!(stage.failures().await.is_empty());
}

#[tokio::test]
async fn a_token_that_is_not_known_is_said_once_and_waited_for() {
    let mut double = github(Vec::new()).await;
    let stage = Stage::new("github", &double.url());
    stage.has_token("ghp_taken_back");
    let _running = stage.run();
    stage.tests_are(42, State::Success).await;
    stage.tests_are(43, State::Success).await;
    assert_eq!(double.next().await.status, 401);
    for wait_s in [5, 20] {
        assert_eq!(double.next_after(&stage.clock, Duration::from_secs(wait_s)).await.status, 401);
    }
    stage.has_token(crate::github::TOKEN);
    assert_eq!(double.next_after(&stage.clock, Duration::from_mins(1)).await.status, 201);
    stage.until_told().await;
    assert_eq!(double.next().await.status, 201, "none was lost by it");
    let said = stage.failures().await;
    assert!(said.len() == 1 && said[0].text.contains("401"), "{said:?}");
}

#[tokio::test]
async fn a_forge_that_is_broken_for_an_hour_loses_nothing_and_is_not_stormed() {
    let mut double = github(Vec::new()).await;
    let stage = Stage::new("github", &double.url());
    double.tell(500, &[], 8);
    let running = stage.run();
    stage.tests_are(42, State::Pending).await;
    assert_eq!(double.next().await.status, 500);
    for wait_s in [5, 20, 60, 300, 900, 900, 900] {
        stage.clock.advance(Duration::from_secs(wait_s - 1));
        assert!(double.is_quiet(), "it is not asked before {wait_s} s are over");
        let asked = double.next_after(&stage.clock, Duration::from_secs(wait_s)).await;
        assert_eq!(asked.status, 500);
    }
    stage.tests_are(42, State::Success).await;
    // Toehold ends and comes again: what waited waits still.
    drop(running);
    let _running = stage.run();
    stage.until_told().await;
    let asked = double.next().await;
    assert_eq!((asked.status, &asked.body["state"]), (201, &"success".into()));
    assert!(double.is_quiet(), "what is no longer so is not told");
    assert!(stage.failures().await.is_empty());
}

#[tokio::test]
async fn after_a_day_nobody_is_told_any_more() {
    let mut double = github(Vec::new()).await;
    let stage = Stage::new("github", &double.url());
    double.tell(502, &[], 2);
    let _running = stage.run();
    stage.tests_are(42, State::Success).await;
    assert_eq!(double.next().await.status, 502);
    stage.clock.advance(Duration::from_hours(25));
    stage.until_told().await;
    let said = stage.failures().await;
    assert!(said.len() == 1 && said[0].text.contains("502"), "{said:?}");
}

#[tokio::test]
async fn what_will_never_be_taken_is_said_once() {
    let mut double = github(Vec::new()).await;
    let stage = Stage::new("github", &double.url());
    double.tell(404, &[], 3);
    let _running = stage.run();
    for number in [42, 43, 44] {
        stage.tests_are(number, State::Success).await;
    }
    stage.until_told().await;
    let said = stage.failures().await;
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].text.contains("404") && !said[0].text.contains(crate::github::TOKEN));
    // After one that was taken, it would be said again.
    stage.tests_are(45, State::Success).await;
    stage.until_told().await;
    for _ in 0..3 {
        double.next().await;
    }
    assert_eq!(double.next().await.status, 201);
}

#[tokio::test]
async fn a_deployment_is_made_once_also_where_it_is_cut_off_in_the_middle() {
    let mut double = github(Vec::new()).await;
    let stage = Stage::new("github", &double.url());
    let deployment = |how| {
        Report::Deployment(Deployment {
            track: Track::Stable,
            stage: how,
            text: "release #42 is to serve everyone".into(),
            site: Some("https://shop.example.com".into()),
        })
    };
    let running = stage.run();
    stage.write(42, deployment(How::InProgress)).await;
    let asked = [double.next().await, double.next().await, double.next().await];
    let ways: Vec<(&str, u16)> = asked.iter().map(|it| (it.method.as_str(), it.status)).collect();
    assert_eq!(ways, [("GET", 200), ("POST", 201), ("POST", 201)], "looked for, made, said");
    assert_eq!(asked[2].body["state"], "in_progress");
    assert_eq!(asked[2].body["environment_url"], "https://shop.example.com");
    stage.until_told().await;
    drop(running);
    let _running = stage.run();
    stage.write(42, deployment(How::Success)).await;
    let asked = [double.next().await, double.next().await];
    let ways: Vec<(&str, u16)> = asked.iter().map(|it| (it.method.as_str(), it.status)).collect();
    assert_eq!(ways, [("GET", 200), ("POST", 201)], "it was there");
    assert!(asked[1].path.ends_with("/deployments/1/statuses"), "{}", asked[1].path);
}
