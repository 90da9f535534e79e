//! What an instance said, on a page of its own.

use maud::{Markup, html};
use toehold_core::model::InstanceId;

use super::app::Said;
use super::shell::Shell;
use super::{Assets, Viewer};

/// The end of an instance's log; grows by itself where scripts run.
pub(crate) fn page(instance: &InstanceId, said: &Said, viewer: &Viewer, assets: &Assets) -> Markup {
    let app = instance.app();
    let body = html! {
        p.crumbs { a href=(format!("/apps/{app}")) { (app) } " / " (instance.short()) }
        section.part {
            h1 { "Log of " (instance.short()) }
            pre.log.whole #said tabindex="0" aria-label=(format!("log of {}", said.by))
                data-log=(format!("/api/v1/apps/{app}/instances/{}/log?offset=", instance.short()))
                data-next=(said.next) { (said.text) }
            noscript { p { a href="" { "Look again" } } }
        }
    };
    let title = instance.to_string();
    let shell = Shell {
        title: &title,
        assets,
        viewer: Some(viewer),
        apps: &[],
        here: Some(app),
        live: None,
    };
    shell.page(&body)
}
