//! `[machines]`: what fits together.

use toml::Spanned;

use super::some_time;
use crate::model::{NameError, Provider};
use crate::spec::error::Problem;
use crate::spec::raw::RawMachines;
use crate::spec::{MachinesSpec, PlaybookSpec, defaults};

pub(super) fn machines(raw: &RawMachines) -> Result<MachinesSpec, Problem> {
    let provider = match &raw.provider {
        None => Provider::default(),
        Some(given) => given
            .get_ref()
            .0
            .parse()
            .map_err(|error: NameError| Problem::at(given.span(), error.to_string()))?,
    };
    if let Some(size) = raw.size.as_ref().filter(|_| !provider.is_elastic()) {
        let what = format!("has no meaning with {provider}, which makes no machines: leave it out");
        return Err(Problem::at(size.span(), what));
    }
    let size = raw.size.as_ref().map(|it| it.get_ref().0.clone());
    Ok(MachinesSpec { provider, size, playbook: playbook(raw, provider)? })
}

fn playbook(raw: &RawMachines, provider: Provider) -> Result<Option<PlaybookSpec>, Problem> {
    let Some(given) = &raw.playbook else {
        let lonely = |it: &Spanned<_>| Problem::at(it.span(), "means nothing without a `playbook`");
        return raw.playbook_timeout.as_ref().map_or(Ok(None), |it| Err(lonely(it)));
    };
    let path = &given.get_ref().0;
    if provider == Provider::Local {
        let what = "has no meaning with local, the machine Toehold runs on, which Ansible does not \
                    reach: say `provider`, or leave it out";
        return Err(Problem::at(given.span(), what));
    }
    if !lies_within(path) {
        let what = format!("{path:?} is no path in the repository: write it as `ops/site.yml`");
        return Err(Problem::at(given.span(), what));
    }
    let timeout = raw.playbook_timeout.as_ref().map(|it| (it.span(), it.get_ref().0));
    let timeout = some_time(timeout, defaults::PLAYBOOK_TIMEOUT)?;
    Ok(Some(PlaybookSpec { path: path.clone(), timeout }))
}

/// Whether a path leads nowhere but down, and could not be taken for an option.
fn lies_within(path: &str) -> bool {
    !path.starts_with(['/', '-']) && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}
