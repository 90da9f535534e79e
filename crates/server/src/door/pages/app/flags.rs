//! Flags, each with its switch.

use maud::{Markup, html};

use super::super::words;
use super::AppPage;

pub(crate) fn part(page: &AppPage) -> Markup {
    html! {
        header.part { h2 { "Flags" } }
        @if page.flags.is_empty() { p.muted { "None." } }
        ul.flags {
            @for (key, on) in &page.flags {
                li {
                    a.key href=(format!("/apps/{}/why?of=flag/{}", page.view.app, words::in_address(key))) title="why it is so" { (key) }
                    @if page.viewer.may_flag { (switch(page, key, *on)) } @else { span.muted { (word(*on)) } }
                }
            }
        }
    }
}

const fn word(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

fn switch(page: &AppPage, key: &str, on: bool) -> Markup {
    html! {
        form method="post" action=(format!("/apps/{}/flags", page.view.app)) {
            input type="hidden" name="key" value=(key);
            input type="hidden" name="value" value=(!on);
            button.switch role="switch" aria-checked=(on) title=(format!("Turn {key} {}", word(!on))) aria-label=(key) {
                span.knob {} span.word { (word(on)) }
            }
        }
    }
}
