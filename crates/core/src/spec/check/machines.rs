//! `[machines]`: what fits together.

use toml::Spanned;

use crate::model::{NameError, Provider};
use crate::spec::MachinesSpec;
use crate::spec::error::Problem;
use crate::spec::raw::{Line, RawMachines};

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
    if let Some(playbook) = &raw.playbook {
        let (span, path) = (playbook.span(), &playbook.get_ref().0);
        if provider == Provider::Local {
            let what = "configures machines of `ssh` and `digitalocean`; this one is yours already";
            return Err(Problem::at(span, what));
        }
        let steps_out = path.starts_with(['/', '-']) || path.split('/').any(|part| part == "..");
        if steps_out || path.is_empty() {
            let what = "is a path in the repository, such as \"ops/site.yml\"";
            return Err(Problem::at(span, what));
        }
    }
    let text = |given: &Option<Spanned<Line>>| given.as_ref().map(|it| it.get_ref().0.clone());
    Ok(MachinesSpec { provider, size: text(&raw.size), playbook: text(&raw.playbook) })
}
