//! `toehold git NAME`: what a key of sshd's `authorized_keys` is bound to by `command="…"`.

use std::os::unix::process::CommandExt;

use toehold_server::source::service;

use crate::context::Context;
use crate::report::{Failure, Outcome};

/// Becomes the git that serves whoever has the key; comes back only where that cannot be.
pub fn run(context: &Context, name: &str) -> Outcome {
    let hint = "git push ssh://USER@HOST/APP.git";
    let Ok(command) = std::env::var("SSH_ORIGINAL_COMMAND") else {
        return Err(Failure::user("this key is for git alone").hint(hint));
    };
    let (service, app) = service::asked_over_ssh(&command)
        .map_err(|error| Failure::user("this was not run").because(&error).hint(hint))?;
    if context.named().is_some_and(|only| only != app) {
        return Err(Failure::user(format!("this key is not for {app}")));
    }
    let repository = context.layout()?.repository(&app);
    if !repository.join("HEAD").is_file() {
        return Err(Failure::user(format!("there is no app {app}"))
            .hint("on the machine Toehold runs on: toehold init"));
    }
    let protocol = std::env::var("GIT_PROTOCOL").ok();
    let error = service::over_ssh(service, &repository, name, protocol.as_deref()).exec();
    Err(Failure::world("cannot run git").because(&error))
}
