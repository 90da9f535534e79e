//! What the pages say of situations made by hand. With `TOEHOLD_PAGES` set to a folder, each page
//! is also written there, to be looked at.

mod fixture;

use super::apps;
use super::build::BuildPage;
use super::login;
use super::refused;
use super::why;
use super::{Assets, Viewer};
use fixture::{NOW, canary_held, canary_serving, everything_from_outside, failed_build, quiet};
use maud::Markup;
use toehold_core::model::Subject;
use toehold_core::wire::api::Problem;

fn assets() -> Assets {
    Assets { style: "toehold.css".into(), script: "toehold.js".into(), mark: "mark.svg".into() }
}

fn look(name: &str, page: &Markup) -> String {
    if let Some(folder) = std::env::var_os("TOEHOLD_PAGES") {
        let path = std::path::Path::new(&folder).join(name).with_extension("html");
        std::fs::write(path, &page.0).expect("the folder can be written to");
    }
    page.0.clone()
}

#[test]
fn what_is_wrong_with_machines_stands_on_the_apps_page() {
    let mut app = canary_serving();
    assert!(!app.page(&assets()).0.contains("role=\"alert\""));
    app.troubles = vec!["shop-1 is lost: <b>".into()];
    let page = look("machines", &app.page(&assets()));
    assert!(page.contains("shop-1 is lost: &lt;b&gt;"), "{page}");
}

#[test]
fn an_instance_elsewhere_says_on_which_machine() {
    let mut app = canary_serving();
    assert!(!app.page(&assets()).0.contains("on local"));
    let place = app.view.instances[0].instance.place.as_mut().expect("it has a place");
    place.machine = "web7".parse().expect("a machine");
    assert!(look("elsewhere", &app.page(&assets())).contains("on web7"));
}

#[test]
fn a_canary_that_serves_can_be_promoted_and_given_back() {
    let page = look("canary", &canary_serving().page(&assets()));
    for said in [
        "Canary #43 takes 33.3% of requests beside stable #42.",
        "Promote #43 to stable",
        "Give everything back to stable",
        "Roll back to #41",
        "GET / on 127.0.0.1:41003",
        "spec/tokensSpec.js:14",
    ] {
        assert!(page.contains(said), "the page does not say {said:?}");
    }
}

#[test]
fn a_canary_that_is_held_says_why_and_offers_to_try_again() {
    let page = look("held", &canary_held().page(&assets()));
    assert!(page.contains("Everyone gets stable #42. Canary #43 is held"));
    assert!(page.contains("Try #43 again") && page.contains("I have seen it"));
    assert!(
        !page.contains("Promote #43"),
        "a canary that was taken back is not promoted by a slip"
    );
}

#[test]
fn an_app_nobody_pushed_to_says_how_to_begin() {
    let page = look("quiet", &quiet().page(&assets()));
    assert!(page.contains("git push toehold main"));
}

#[test]
fn who_may_only_look_is_offered_nothing_that_changes() {
    let mut page = canary_held();
    page.viewer = Viewer { actor: "ada".into(), ..Viewer::default() };
    let page = page.page(&assets()).0;
    assert!(!page.contains("<form"), "there is a form");
    assert!(page.contains("deploy:shop"), "it does not say what it takes");
}

#[test]
fn what_comes_from_outside_is_escaped_everywhere() {
    let page = everything_from_outside();
    let whole = look("outside", &page.page(&assets()));
    let build = page.builds[0].clone();
    let build = BuildPage {
        build,
        text: fixture::EVIL.into(),
        next: 0,
        viewer: page.viewer.clone(),
        now: NOW,
    };
    let chain: Vec<_> = page.events.iter().map(|event| (event.clone(), true)).collect();
    let subject = Subject::Flag(fixture::EVIL.into());
    let problem = Problem {
        status: 409,
        code: fixture::EVIL.into(),
        title: fixture::EVIL.into(),
        hint: fixture::EVIL.into(),
    };
    let pages = [
        whole,
        build.page(&assets()).0,
        why::page(&page.view.app, &subject, &chain, &page.viewer, NOW, &assets()).0,
        apps::page(std::slice::from_ref(&page.view), &page.viewer, NOW, &assets()).0,
        login::page(Some(fixture::EVIL), fixture::EVIL, Some(fixture::EVIL), &assets()).0,
        refused::page(&problem, Some(&page.viewer), fixture::EVIL, &assets()).0,
    ];
    for page in pages {
        assert!(!page.contains("<img"), "an element came in from outside");
        assert!(!page.contains("\" onerror"), "an attribute came in from outside");
    }
}

#[test]
fn a_page_has_no_style_and_no_script_of_its_own() {
    let page = canary_held().page(&assets()).0;
    assert!(
        !page.contains(" style=") && !page.contains("<style"),
        "the policy forbids inline style"
    );
    assert!(!page.contains("onclick") && page.matches("<script").count() == 1);
}

#[test]
fn the_other_pages_are_there() {
    let page = canary_held();
    let quiet_view = quiet().view;
    look("apps", &apps::page(&[page.view.clone(), quiet_view], &page.viewer, NOW, &assets()));
    let build = failed_build();
    let text = fixture::build_said();
    let viewer = page.viewer.clone();
    look("build", &BuildPage { build, text, next: 0, viewer, now: NOW }.page(&assets()));
    let chain: Vec<_> =
        page.events.iter().map(|event| (event.clone(), event.rev % 2 == 0)).collect();
    let subject = Subject::Rollout(toehold_core::model::Number(43));
    look("why", &why::page(&page.view.app, &subject, &chain, &page.viewer, NOW, &assets()));
    look(
        "login",
        &login::page(None, "/", Some("this token is not known, or has ended"), &assets()),
    );
}
