//! The large buttons. Each names its effect, and each can be taken back by another.

use maud::{Markup, html};
use toehold_core::model::{Number, RolloutPhase};
use toehold_core::rollout::first_share;

use super::super::words;
use super::AppPage;

/// Something that can be done now.
struct Action {
    /// The form's word for it.
    wish: &'static str,
    /// The release it names, where it names one.
    release: Option<Number>,
    /// What the button says.
    label: String,
    /// What comes of it.
    effect: String,
    /// What is asked before, where it must not happen by a slip.
    ask: Option<&'static str>,
    /// `go`, `back` or `plain`.
    look: &'static str,
}

pub(crate) fn part(page: &AppPage) -> Markup {
    let actions = possible(page);
    html! {
        @if !actions.is_empty() {
            @if page.viewer.may_deploy {
                div.actions { @for action in &actions { (button(page, action)) } }
            } @else {
                p.muted { "You may look but not change: this needs a token with the scope deploy:" (page.view.app) "." }
            }
        }
    }
}

fn possible(page: &AppPage) -> Vec<Action> {
    let mut actions = Vec::new();
    of_rollout(page, &mut actions);
    if let Some(back) = page.view.back_to {
        actions.push(Action {
            wish: "rollback",
            release: Some(back),
            label: format!("Roll back to {back}"),
            effect: "artifact, configuration and environment together; holds automatic deploys"
                .into(),
            ask: Some("Yes, roll back"),
            look: "back",
        });
    }
    if page.view.pin.is_some() {
        actions.push(plain(
            "unpin",
            "Let automatic deploys go on",
            "the next push is deployed again",
        ));
    }
    actions
}

fn plain(wish: &'static str, label: &str, effect: &str) -> Action {
    let (label, effect) = (label.to_owned(), effect.to_owned());
    Action { wish, release: None, label, effect, ask: None, look: "plain" }
}

fn of_rollout(page: &AppPage, actions: &mut Vec<Action>) {
    let Some(rollout) = &page.view.rollout else { return };
    let canary = rollout.release;
    let share = words::split_share(rollout.split.canary_share());
    let promote = Action {
        wish: "promote",
        release: None,
        label: format!("Promote {canary} to stable"),
        effect: "everyone gets it; the same bytes, nothing is built again".into(),
        ask: Some("Yes, promote"),
        look: "go",
    };
    let abort = Action {
        wish: "abort",
        release: None,
        label: "Give everything back to stable".into(),
        effect: format!("{canary} gets no request from the next one on, and its instances end"),
        ask: None,
        look: "back",
    };
    match &rollout.phase {
        RolloutPhase::Starting | RolloutPhase::Promoting => actions.push(abort),
        RolloutPhase::Serving => {
            actions.extend([promote, abort]);
            let waits = page.view.step.as_ref().filter(|step| step.waits);
            // Approving the last step is promoting it.
            if let Some(step) = waits.filter(|step| step.number < step.of) {
                let effect = format!("step {} of {} begins", step.number + 1, step.of);
                actions.push(plain("resume", "Approve", &effect));
            } else if rollout.step.is_some() && waits.is_none() {
                actions.push(plain("pause", "Pause the steps", &format!("it stays at {share}")));
            }
        }
        RolloutPhase::Paused => {
            actions.extend([promote, abort]);
            actions.push(plain("resume", "Go on with the steps", "the share grows as configured"));
        }
        RolloutPhase::Held { .. } => {
            actions.push(Action {
                label: format!("Give {canary} up"),
                effect: "its instances end; everyone stays on stable".into(),
                ..abort
            });
            actions.push(Action {
                ask: Some("Yes, give it traffic again"),
                ..plain(
                    "retry",
                    &format!("Try {canary} again"),
                    &format!("it gets its {share} back"),
                )
            });
        }
        RolloutPhase::Promoted => {}
        RolloutPhase::Aborted { .. } => {
            let mut releases = page.releases.iter().map(|it| &it.release);
            let spec = releases.find(|it| it.number == canary).map(|it| &it.spec.canary);
            let first = spec.map_or(rollout.split, |spec| first_share(spec).0);
            let share = words::split_share(first.canary_share());
            actions.push(plain(
                "retry",
                &format!("Try {canary} again"),
                &format!("it is started beside stable and gets {share}"),
            ));
        }
    }
}

fn button(page: &AppPage, action: &Action) -> Markup {
    let face = html! {
        span.label { (action.label) }
        span.effect { (action.effect) }
    };
    let hidden = html! {
        input type="hidden" name="wish" value=(action.wish);
        @if let Some(release) = action.release {
            input type="hidden" name="release" value=(release.0);
        }
    };
    html! {
        @match action.ask {
            Some(ask) => {
                details.act data-key=(action.wish) {
                    summary class=(format!("button {}", action.look)) { (face) }
                    form method="post" action=(page.deeds()) {
                        (hidden)
                        button class=(action.look) { (ask) }
                    }
                }
            }
            None => {
                form.act data-key=(action.wish) method="post" action=(page.deeds()) {
                    (hidden)
                    button class=(action.look) { (face) }
                }
            }
        }
    }
}
